"""One libFuzzer process: how it is started, what its log says, what it found."""
import os
import re
import signal
import subprocess
import time

TIMEOUT_SECONDS = 25  # as on OSS-Fuzz
RSS_LIMIT_MB = 2560
MERCY_SECONDS = 5  # from the request to stop until the kill

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


def environment():
    """Names functions in stacks: the symbolizer is not on the usual path in Debian."""
    env = dict(os.environ)
    env["PATH"] += ":/usr/lib/llvm-19/bin"
    return env


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


class Process:
    """A running libFuzzer. Feed it with read(); it keeps what its log has said so far."""

    def __init__(self, command, log_path, seconds):
        self.started = time.monotonic()
        self.ends = self.started + seconds
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, env=environment())
        os.set_blocking(self.child.stderr.fileno(), False)
        self.log_path = log_path
        self.log_file = open(log_path, "wb")
        self.partial = b""
        self.stopping = False
        self.executions = self.edges = self.counters = self.rate = self.peak_mb = 0
        self.stopped = None

    def read(self):
        """Takes in what the process has printed; false when it has closed its log."""
        data = self.child.stderr.read()
        if data is None:
            return True
        self.log_file.write(data)
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in lines:
            self._line(line)
        return bool(data)

    def _line(self, line):
        if status := STATUS.match(line):
            executions, edges, _, rate, peak = (int(number or 0) for number in status.groups())
            self.executions, self.edges, self.peak_mb = executions, max(self.edges, edges), max(self.peak_mb, peak)
            self.rate = rate or executions / max(self.elapsed(), 0.001)
        elif counters := COUNTERS.match(line):
            self.counters = int(counters.group(1))
        elif final := FINAL_EXECUTIONS.match(line):
            self.executions = int(final.group(1))

    def elapsed(self):
        return (self.stopped or time.monotonic()) - self.started

    def enforce_end(self):
        """Asks the process to stop when its time is over, and kills it when it does not."""
        late = time.monotonic() - self.ends
        if late >= 0 and not self.stopping:
            self.stopping = True
            self.child.send_signal(signal.SIGINT)
        elif late >= MERCY_SECONDS:
            self.child.kill()

    def close(self):
        """After read() returned false: the exit code, and the whole log."""
        code = self.child.wait()
        self.stopped = time.monotonic()
        self.rate = 0
        self.child.stderr.close()
        self.log_file.close()
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return code, log.read()
