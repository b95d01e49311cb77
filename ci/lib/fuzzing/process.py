"""A running fuzzing engine, whichever it is: started with a log and an end, read while it runs, asked to stop."""
import os
import signal
import subprocess
import time

SHORTEST_SLICE = 1.0  # seconds; less is not worth a start
MERCY_SECONDS = 5  # from the request to stop until the kill


def environment(**more):
    """Names functions in stacks: the symbolizer is not on the usual path in Debian."""
    return {**os.environ, "PATH": os.environ["PATH"] + ":/usr/lib/llvm-19/bin", **more}


class Process:
    """Feed it with read(); it keeps what its log has said so far. An engine's own kind knows what its lines mean
    (_line) and what it has found (finds)."""

    def __init__(self, command, log_path, seconds, env):
        self.started = time.monotonic()
        self.ends = self.started + seconds
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, env=env)
        os.set_blocking(self.child.stdout.fileno(), False)
        self.log_path = log_path
        self.log_file = open(log_path, "wb")
        self.partial = b""
        self.stopping = False
        self.executions = self.edges = self.counters = self.rate = self.peak_mb = 0
        self.stopped = None

    def read(self):
        """Takes in what the process has printed; false when it has closed its log."""
        data = self.child.stdout.read()
        if data is None:
            return True
        self.log_file.write(data)
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in lines:
            self._line(line)
        return bool(data)

    def _line(self, line):
        """One line of its log."""

    def observe(self):
        """Called several times a second, for what an engine does not say in its log."""

    def finds(self):
        """(file, log, program that fails on it) of finds that have not been told yet; all are told when it is empty."""
        return []

    def elapsed(self):
        return (self.stopped or time.monotonic()) - self.started

    def end_now(self):
        self.ends = min(self.ends, time.monotonic())

    def enforce_end(self):
        """Asks the process to stop when its time is over, and kills it when it does not."""
        late = time.monotonic() - self.ends
        if late >= 0 and not self.stopping:
            self.stopping = True
            self.child.send_signal(signal.SIGINT)
        elif late >= MERCY_SECONDS:
            self.child.kill()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def close(self):
        """After read() returned false: the exit code."""
        code = self.child.wait()
        self.stopped = time.monotonic()
        self.rate = 0
        self.child.stdout.close()
        self.log_file.close()
        return code
