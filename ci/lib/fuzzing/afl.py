"""AFL++: how its instances are started, what they write down, and what becomes of their finds and their queue.

It runs the targets without a sanitizer, at several times the speed (preset afl). What it finds and what it keeps is
then run by libFuzzer's programs under ASan: a find looks alike whoever made it, and both engines share a corpus."""
import hashlib
import os
import re
import shutil
import subprocess
import time

from fuzzing import libfuzzer
from fuzzing.process import Process, environment

DESCRIPTION = "AFL++ without a sanitizer, preset afl; finds and corpus under ASan, preset fuzz"
RUNS_WHAT_FAILS = False  # an input that fails at the start is passed over
BUILD = "build/afl/bin"
LARGEST_BYTES = 4096  # of an input, where the corpus has none larger: libFuzzer's rule
SECONDS_BETWEEN_LOOKS = 1.0
LONGEST_HANG_SECONDS = 5  # an input takes milliseconds
EXECUTIONS = re.compile(r",execs:(\d+),")
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
REASON = re.compile(r"(?:PROGRAM ABORT|SYSTEM ERROR)\s*:\s*(.*)")


class CannotRun(Exception):
    """afl-fuzz has not run an input: nothing is known about the target."""


def check():
    """Complains of what afl-fuzz lacks here, before anything is started."""
    if shutil.which("afl-fuzz") is None:
        raise CannotRun("there is no afl-fuzz: ci/setup --afl installs it")
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as pattern:
        if pattern.read(1) == "|":
            print("note: this kernel hands crashes to a program (/proc/sys/kernel/core_pattern), which slows finds down "
                  "and\n  can make them look like hangs; as root: echo core >/proc/sys/kernel/core_pattern", flush=True)


def program(target):
    return f"{BUILD}/fuzz_{target.name}"


def limits(target):
    """libFuzzer's flags for one input, with AFL++'s idea of a hang: a hang does not end it, so that each costs time."""
    return [f"-timeout={hang_seconds(target)}", f"-rss_limit_mb={libfuzzer.RSS_LIMIT_MB}"]


def hang_seconds(target):
    return int(max(2, min(LONGEST_HANG_SECONDS, target.share / 4)))


def settings(target):
    """The environment: no terminal, no governor, no processor of its own, as containers and CI machines are."""
    return environment(
        AFL_NO_UI="1", AFL_NO_AFFINITY="1", AFL_SKIP_CPUFREQ="1", AFL_NO_CRASH_README="1",
        AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES="1",  # check() has told of it
        AFL_FAST_CAL="1", AFL_SYNC_TIME="1", AFL_FORKSRV_INIT_TMOUT="30000",
        AFL_HANG_TMOUT=str(1000 * hang_seconds(target)),
        AFL_CUSTOM_MUTATOR_LIBRARY=os.path.abspath(f"{program(target)}.so"))


def figures(folder):
    """What an instance says of itself, as numbers. It writes fuzzer_stats once a minute and at its end; in between the
    name of the input that it kept last tells how many executions that took."""
    try:
        with open(os.path.join(folder, "fuzzer_stats"), encoding="utf-8") as stats:
            said = dict(re.findall(r"^(\w+)\s*: (\d+)$", stats.read(), re.M))
        kept = EXECUTIONS.search(max(os.listdir(os.path.join(folder, "queue"))))
    except (OSError, ValueError):
        return {}  # not written yet
    numbers = {key: int(value) for key, value in said.items()}
    if kept:
        numbers["execs_done"] = max(numbers.get("execs_done", 0), int(kept.group(1)))
    return numbers


class Instance(Process):
    def __init__(self, target, name, command, log_path, seconds):
        self.target = target
        self.folder = os.path.join(target.folder, "afl", "out", name)
        self.seen = set()
        self.looked = 0.0
        super().__init__(command, log_path, seconds, settings(target))

    def observe(self):
        if time.monotonic() - self.looked < SECONDS_BETWEEN_LOOKS:
            return
        self.looked = time.monotonic()
        said = figures(self.folder)
        self.executions = max(self.executions, said.get("execs_done", 0))
        self.edges, self.counters, self.peak_mb = (said.get(key, 0) for key in ("edges_found", "total_edges", "peak_rss_mb"))
        self.rate = self.executions / max(self.elapsed(), 0.001)

    def finds(self):
        """One at a time: a bug gives hundreds, and to judge one takes a second."""
        for kind in ("crash", "hang"):
            folder = os.path.join(self.folder, {"crash": "crashes", "hang": "hangs"}[kind])
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
                path = os.path.join(folder, name)
                if not name.startswith("id:") or path in self.seen:
                    continue
                self.seen.add(path)
                if find := judge(self.target, path, kind):
                    return [find]
        return []

    def log(self):
        return COLOUR.sub("", super().log())

    def close(self):
        code = super().close()
        self.looked = 0.0
        self.observe()
        self.rate = 0
        if code != 0 and not self.stopping and "Entering queue cycle" not in (log := self.log()):
            reason = REASON.search(log)
            raise CannotRun(f"afl-fuzz could not begin with {self.target.name}: "
                            f"{reason.group(1) if reason else f'exit code {code}'}\n  its log: {self.log_path}")
        return code


def run(command, seconds):
    """Exit code and log of a program run on its own; a hang has the code 1."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              env=environment(), timeout=seconds)
        return done.returncode, done.stderr
    except subprocess.TimeoutExpired:
        return 1, f"ERROR: AFL: hang of {seconds:.0f} s"


def judge(target, path, kind):
    """A crash or hang as libFuzzer would leave it: a file among the finds, the log of a program that fails on it, and
    which program. None for a hang that does not come back (the machine was slow), and for bytes judged before."""
    with open(path, "rb") as file:
        name = f"{'timeout' if kind == 'hang' else kind}-{hashlib.sha1(file.read()).hexdigest()}"
    if os.path.exists(kept := os.path.join(target.found, name)):
        return None
    shutil.copy(path, kept)
    code, log = run([target.program, *limits(target), kept], 2 * hang_seconds(target))
    if code != 0:
        return kept, log, target.program
    code, plain = run([program(target), kept], hang_seconds(target))
    if code != 0:
        return kept, f"{plain}\nonly without a sanitizer\nERROR: AFL: {kind}-without-ASan", program(target)
    if kind == "hang":
        os.unlink(kept)
        return None
    return kept, ("alone it fails nowhere: an earlier input has left something behind in the process\n"
                  "ERROR: AFL: crash-after-other-inputs"), program(target)


def share_out(targets, seconds, jobs):
    """A list of (target, seconds) for each processor: all work on one target at a time, and share what they learn."""
    for target in targets:
        target.share = seconds * jobs / len(targets)
    return [[(target, seconds / len(targets)) for target in targets] for _ in range(jobs)]


def gather(target):
    """A fresh folder of inputs to begin with: seeds, and what either engine has learnt before. Empty ones AFL++ refuses."""
    root = os.path.join(target.folder, "afl")
    shutil.rmtree(root, ignore_errors=True)
    begin = os.path.join(root, "in")
    os.makedirs(begin)
    for folder in (target.seeds, target.corpus):
        for name in os.listdir(folder):
            if os.path.getsize(path := os.path.join(folder, name)):
                shutil.copyfile(path, os.path.join(begin, name))
    if not os.listdir(begin):
        with open(os.path.join(begin, "zero"), "wb") as zero:
            zero.write(b"0")
    return begin


def start(target, process_number, seconds, log):
    """The first instance leads (-M), those beside it follow (-S)."""
    begin = gather(target) if process_number == 0 else os.path.join(target.folder, "afl", "in")
    largest = max(os.path.getsize(os.path.join(begin, name)) for name in os.listdir(begin))
    name = f"{'main' if process_number == 0 else 'helper'}{process_number}"
    dictionary = f"{program(target)}.dict"
    command = ["afl-fuzz", "-M" if process_number == 0 else "-S", name, "-i", begin,
               "-o", os.path.join(target.folder, "afl", "out"), "-t", str(1000 * hang_seconds(target)),
               "-m", str(libfuzzer.RSS_LIMIT_MB), "-G", str(max(LARGEST_BYTES, largest)),
               *(["-x", dictionary] if os.path.exists(dictionary) else []),
               *(["-s", str(target.seed + process_number)] if target.seed else []), "--", program(target)]
    return Instance(target, name, command, log, seconds)


def harvest(target):
    """Into the shared corpus goes what reaches something new under ASan; what fails there is a find."""
    root = os.path.join(target.folder, "afl", "out")
    queues = [path for name in os.listdir(root) if os.path.isdir(path := os.path.join(root, name, "queue"))] \
        if os.path.isdir(root) else []
    if not queues:
        return
    target.state = "merging"
    merge = subprocess.run([target.program, "-merge=1", *limits(target),
                            f"-artifact_prefix={target.found}/", target.corpus, target.seeds, *queues],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=environment())
    for path in libfuzzer.ARTIFACT.findall(merge.stderr):
        _, log = run([target.program, *limits(target), path], 2 * hang_seconds(target))
        target.found_one(path, log, target.program)
    if merge.returncode != 0:
        with open(log := os.path.join(target.folder, "log-merge.txt"), "w", encoding="utf-8") as file:
            file.write(merge.stderr)
        target.note = f"its queue could not be merged: {log}"
