"""libFuzzer: how it is started, what its log says, what it found. Its programs replay for every engine."""
import re

from fuzzing.process import SHORTEST_SLICE, Process, environment

DESCRIPTION = "libFuzzer with ASan, preset fuzz"
RUNS_WHAT_FAILS = True  # an input of the corpus that fails ends it at its start
TIMEOUT_SECONDS = 25  # as on OSS-Fuzz
RSS_LIMIT_MB = 2560

STATUS = re.compile(rb"^#(\d+)\s+\w+\s.*?cov: (\d+) ft: \d+ corp: (\d+)/\S+.*?(?:exec/s: (\d+))?(?: rss: (\d+)Mb)")
COUNTERS = re.compile(rb"^INFO: Loaded \d+ modules? +\((\d+) inline 8-bit counters\)")
FINAL_EXECUTIONS = re.compile(rb"^stat::number_of_executed_units:\s+(\d+)")
ARTIFACT = re.compile(r"Test unit written to (\S+)")
FRAME = re.compile(r"^\s*#\d+ 0x[0-9a-f]+ in (.+?) (?:/|\(|<)")
KIND = re.compile(r"(?:ERROR|SUMMARY): \w+(?:Sanitizer)?: ([\w-]+(?: signal)?)|(runtime error: .*)")
# Frames that say how a program dies, not where it went wrong.
MACHINERY = re.compile(r"^(__|_start|main$|fuzzer::|std::|operator (new|delete)|abort|raise|gsignal|pthread_kill|mem\w+$"
                       r"|malloc|calloc|realloc|free$|LLVMFuzzer|\(anonymous namespace\)::the_target)")


def limits(slice_seconds):
    """Flags that bound one input. A slice must be able to see a hang, so its time-out is a part of it."""
    timeout = int(max(2, min(TIMEOUT_SECONDS, slice_seconds / 4)))
    return [f"-timeout={timeout}", f"-rss_limit_mb={RSS_LIMIT_MB}"]


def excerpt(log, lines=60):
    """The end of a log that matters: what the target said, and the stack."""
    kept = [line for line in log.splitlines() if not re.match(r"^(#\d+\s+(NEW|REDUCE|pulse)|stat::|INFO:|\s*NEW_)", line)]
    return "\n".join(kept[-lines:])


def signature(log):
    """What died and in which function: equal for two inputs that show the same fault."""
    kind = next((a or b for a, b in KIND.findall(log)), "crash")
    frames = [match.group(1) for match in map(FRAME.match, log.splitlines()) if match]
    where = next((frame for frame in frames if not MACHINERY.match(frame)), None)
    where = where and re.sub(r"\(.*", "", where.replace("(anonymous namespace)::", ""))
    return f"{kind} in {where}" if where else kind


class LibFuzzer(Process):
    def __init__(self, command, log_path, seconds):
        super().__init__(command, log_path, seconds, environment())
        self.told = False

    def _line(self, line):
        if status := STATUS.match(line):
            executions, edges, _, rate, peak = (int(number or 0) for number in status.groups())
            self.executions, self.edges, self.peak_mb = executions, max(self.edges, edges), max(self.peak_mb, peak)
            self.rate = rate or executions / max(self.elapsed(), 0.001)
        elif counters := COUNTERS.match(line):
            self.counters = int(counters.group(1))
        elif final := FINAL_EXECUTIONS.match(line):
            self.executions = int(final.group(1))

    def finds(self):
        """The one that has ended it."""
        if not self.stopped or self.told:
            return []
        self.told = True
        log = self.log()
        return [(artifact.group(1), log, self.child.args[0]) for artifact in [ARTIFACT.search(log)] if artifact]


def check():
    """It comes with the compiler: nothing can be missing here."""


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


def start(target, number, seconds, log):
    # Another seed for each process, or the same find would end it again. A reload comes by the clock, so a run that is
    # to repeat itself has none.
    chance = ["-reload=0", f"-seed={target.seed + number}"] if target.seed else ["-reload=1"]
    command = [target.program, *limits(target.share), *target.options(), *chance, "-print_final_stats=1",
               f"-artifact_prefix={target.found}/", target.corpus, target.seeds]
    return LibFuzzer(command, log, seconds)


def harvest(_):
    """Nothing is left to do: what it has learnt is in the corpus already."""
