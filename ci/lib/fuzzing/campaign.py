"""Shares the seconds out over targets and processors, and runs the processes."""
import selectors
import time

SHORTEST_SLICE = 1.0  # seconds; less is not worth a start


def share_out(targets, seconds, jobs):
    """A list of (target, seconds) for each processor: all are busy to the end, every target gets as much as the
    others, and no more than one target is cut in two at each seam."""
    share = seconds * jobs / len(targets)
    lanes, lane, used = [[] for _ in range(jobs)], 0, 0.0
    for target in targets:
        target.share, left = share, share
        while left > SHORTEST_SLICE / 2 and lane < jobs:
            piece = min(left, seconds - used)
            if piece >= SHORTEST_SLICE:
                lanes[lane].append((target, piece))
            left, used = left - piece, used + piece
            if seconds - used < SHORTEST_SLICE:
                lane, used = lane + 1, 0.0
    return lanes


class Lane:
    """One processor's slices, one after the other. A slice that a find has cut short is started again."""

    def __init__(self, slices):
        self.slices = list(slices)
        self.target = self.process = None
        self.ends = 0.0

    def next(self):
        """Starts what comes next; None when nothing is left."""
        left = self.ends - time.monotonic()
        if not (self.target and left >= SHORTEST_SLICE and not self.target.rests()):
            while self.slices and self.slices[0][0].rests():
                self.slices.pop(0)
            if not self.slices:
                return None
            self.target, left = self.slices.pop(0)
            self.ends = time.monotonic() + left
        self.process = self.target.start(left)
        return self.process


class Campaign:
    def __init__(self, targets, seconds, jobs):
        self.targets, self.seconds, self.jobs = targets, seconds, jobs
        self.started = time.monotonic()
        self.interrupted = False

    def elapsed(self):
        return time.monotonic() - self.started

    def finds(self):
        return [find for target in self.targets for find in target.finds]

    def run(self, show):
        """Runs everything; show() is called several times a second. Ctrl-C ends it early, report included."""
        self.started = time.monotonic()
        selector = selectors.DefaultSelector()
        for slices in share_out(self.targets, self.seconds, self.jobs):
            self._advance(Lane(slices), selector)
        while selector.get_map():
            try:
                self._turn(selector)
                show()
            except KeyboardInterrupt:
                self._interrupt(selector)
        for target in self.targets:
            target.state = "finds" if target.finds else "clean"

    def _turn(self, selector):
        for key, _ in selector.select(timeout=0.2):
            lane = key.data
            if not lane.process.read():
                selector.unregister(key.fileobj)
                lane.target.ended(lane.process)
                self._advance(lane, selector)
        for key in list(selector.get_map().values()):
            key.data.process.enforce_end()
            key.data.target.observe()

    @staticmethod
    def _advance(lane, selector):
        process = lane.next()
        if process:
            selector.register(process.child.stderr, selectors.EVENT_READ, lane)

    def _interrupt(self, selector):
        self.interrupted = True
        for key in selector.get_map().values():
            key.data.slices.clear()
            key.data.ends = key.data.process.ends = time.monotonic()
