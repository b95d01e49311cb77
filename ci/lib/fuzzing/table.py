"""The live table: redrawn in place on a terminal, a line every few seconds in a log."""
import sys
import time

SECONDS_BETWEEN_FRAMES = 0.5
SECONDS_BETWEEN_LINES = 5


def short(number):
    """1234567 as 1.23M: four characters and a bit."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(int(number))


def rows(targets):
    width = max([6] + [len(target.name) for target in targets])
    yield f"{'target':<{width}}  {'state':<9} {'time':>5} {'execs':>7} {'execs/s':>8} {'edges':>6} {'of':>6} {'corpus':>7} {'finds':>6}"
    for target in targets:
        yield (f"{target.name:<{width}}  {target.state:<9} {target.seconds():>4.0f}s {short(target.executions()):>7} "
               f"{short(target.rate()):>8} {target.edges():>6} {target.counters() or '-':>6} {target.inputs():>7} "
               f"{len(target.finds):>6}{'  ' + target.note if target.note else ''}")


class Table:
    def __init__(self, campaign):
        self.campaign = campaign
        self.terminal = sys.stdout.isatty()
        self.drawn = 0
        self.last = 0.0

    def show(self):
        now = time.monotonic()
        if now - self.last < (SECONDS_BETWEEN_FRAMES if self.terminal else SECONDS_BETWEEN_LINES):
            return
        self.last = now
        if self.terminal:
            self._redraw()
        else:
            self._line()

    def close(self):
        """Leaves the final table behind."""
        if self.terminal:
            self._redraw()
        else:
            print("\n".join(rows(self.campaign.targets)), flush=True)

    def _redraw(self):
        clock = f"{self.campaign.elapsed():.0f} of {self.campaign.seconds} s, {self.campaign.jobs} at a time"
        lines = [clock, *rows(self.campaign.targets)]
        up = f"\x1b[{self.drawn}A" if self.drawn else ""
        print(up + "".join(f"\x1b[2K{line}\n" for line in lines), end="", flush=True)
        self.drawn = len(lines)

    def _line(self):
        running = [target for target in self.campaign.targets if target.running]
        each = ", ".join(f"{target.name} {short(target.rate())}/s {target.edges()} edges" for target in running)
        print(f"{self.campaign.elapsed():4.0f} s  {len(self.campaign.finds())} finds  {each}", flush=True)
