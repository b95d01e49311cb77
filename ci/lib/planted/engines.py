"""libFuzzer and AFL++ on one target, structured or blind, up to a find or to a limit of processor time.

Structured: with the target's mutator and crossover. Blind: with the engine's own mutations of bytes alone; the program
is the same. Stacks are not symbolized meanwhile, which would take longer than many a find."""
import configparser
import os
import re
import shutil
import subprocess

from fuzzing import afl, libfuzzer
from fuzzing.process import environment
from planted import measured

ENGINES = {"libfuzzer": "fuzz", "afl": "afl"}  # and the preset of its programs
TIMEOUT_SECONDS = 25  # of one input, which takes milliseconds; by wall clock, so it must bear a loaded machine
SYMBOLIZING_SECONDS = 60
EXECUTED = re.compile(r"^stat::number_of_executed_units:\s+(\d+)|^#(\d+)\s", re.M)
INTERRUPTED = 72  # libFuzzer's exit code


def programs_of(engine, target):
    """Names of what must be built."""
    return [f"fuzz_{target}"] if engine == "libfuzzer" else [f"fuzz_{target}", f"fuzz_{target}.so"]


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def options(program):
    parser = configparser.ConfigParser()
    parser.read(f"{program}.options")
    return [f"-{key}={value}" for key, value in parser.items("libfuzzer")] if parser.has_section("libfuzzer") else []


def signature(program, path):
    """What falls when this program of the preset fuzz plays the input again; None when nothing does."""
    done = subprocess.run([program, f"-timeout={TIMEOUT_SECONDS}", path], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", env=environment(), timeout=4 * SYMBOLIZING_SECONDS)
    return libfuzzer.signature(done.stderr) if done.returncode != 0 else None


def files(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)) if os.path.isdir(folder) else []


class LibFuzzer:
    def __init__(self, program, seeds, folder, seed, blind):
        self.finds = fresh(os.path.join(folder, "finds"))
        self.log = os.path.join(folder, "log")
        self.env = environment(ASAN_OPTIONS="symbolize=0")
        self.command = [program, f"-seed={seed}", "-print_final_stats=1", f"-timeout={TIMEOUT_SECONDS}",
                        f"-rss_limit_mb={libfuzzer.RSS_LIMIT_MB}", "-reload=0", *options(program),
                        f"-artifact_prefix={self.finds}/", fresh(os.path.join(folder, "corpus")), seeds,
                        *(["-ignore_remaining_args=1", "--blind"] if blind else [])]

    def found(self):
        return files(self.finds)[:1]

    def executions(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            counts = [int(a or b) for a, b in EXECUTED.findall(log.read())]
        return counts[-1] if counts else 0


class Afl:
    def __init__(self, program, seeds, folder, seed, blind):
        self.out = os.path.join(folder, "out")
        fresh(folder)
        self.log = os.path.join(folder, "log")
        mutator = {} if blind else {"AFL_CUSTOM_MUTATOR_LIBRARY": os.path.abspath(f"{program}.so")}
        self.env = environment(
            AFL_NO_UI="1", AFL_NO_AFFINITY="1", AFL_SKIP_CPUFREQ="1", AFL_NO_CRASH_README="1", AFL_FAST_CAL="1",
            AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES="1", AFL_FORKSRV_INIT_TMOUT="30000", AFL_BENCH_UNTIL_CRASH="1",
            AFL_HANG_TMOUT=str(1000 * TIMEOUT_SECONDS), **mutator)
        self.command = ["afl-fuzz", "-i", seeds, "-o", self.out, "-s", str(seed), "-t", str(1000 * TIMEOUT_SECONDS),
                        "-m", str(libfuzzer.RSS_LIMIT_MB), "-G", str(afl.LARGEST_BYTES), "--", program]

    def found(self):
        return [path for path in files(os.path.join(self.out, "default", "crashes")) if "/id:" in path][:1]

    def executions(self):
        return afl.figures(os.path.join(self.out, "default")).get("execs_done", 0)


def start(engine, *arguments):
    return {"libfuzzer": LibFuzzer, "afl": Afl}[engine](*arguments)


def fuzz(run, limit, look=None, env=None):
    """(whether something was found, Measured)."""
    done = measured.run(run.command, run.log, limit, {**run.env, **(env or {})}, look)
    found = bool(run.found())
    if not found and not done.stopped and done.code not in (0, INTERRUPTED):
        raise RuntimeError(f"{run.command[0]} could not run, exit code {done.code}: {run.log}")
    return found, done
