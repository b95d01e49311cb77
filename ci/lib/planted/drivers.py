"""The drivers that a planted bug is shown to. Each answers what it found, or that it came to its end without."""
import dataclasses
import os
import re
import subprocess

from fuzzing.process import environment
from planted import engines, measured, workshop

TESTS = ("store_test", "wire_test", "vmstate_test", "lifecycle_test", "memory_test", "kvm_test", "vfio_test",
         "handover_test", "whole_vm_test")
PAIRS = 300  # of events, drawn for each canonical handover after the single ones
FAILED = re.compile(r"^\[  FAILED  \] (\S+?)[,.]?(?: \(|$)", re.M)
RUNNING = re.compile(r"^\[ RUN      \] (\S+)", re.M)
FINDING = re.compile(r"^(?:[\dIWS, ]+ )?(\w+), at (.*?): ", re.M)
OF_BYTES = ("cpr_state", "cpr_exec_state", "fd_store", "main_stream")  # no handover of a VM or a table


@dataclasses.dataclass
class Answer:
    found: bool
    cpu: float
    executions: int | None = None  # of inputs, where the driver counts them
    what: str = ""  # that fell, or the test that failed
    ended: bool = True  # by itself; else at the budget


def text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def reason(code):
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def failure(said, code):
    """The test that failed, or the one that was running when the program died."""
    names = FAILED.findall(said)[:1] or RUNNING.findall(said)[-1:]
    return names[0] if names else reason(code)


def tests(bug, folder, _):
    """The tests of the rooms, in the order of the rooms, up to the first failure."""
    programs = workshop.programs(bug, "dev", TESTS)
    cpu = 0.0
    for name in TESTS:
        log = os.path.join(folder, name)
        done = measured.run([os.path.abspath(os.path.join(programs, name))], log, None, {**os.environ, "GTEST_FAIL_FAST": "1"},
                            cwd=workshop.SOURCES)
        cpu += done.cpu
        if done.code != 0:
            return Answer(True, cpu, None, f"{name} {failure(text(log), done.code)}")
    return Answer(False, cpu)


def sweep(bug, folder, _):
    """Every single event at every call of the canonical handovers, and pairs of events, up to the first finding. Its
    time has the making smaller of that in it."""
    program = os.path.join(workshop.programs(bug, "release", ("vcpr",)), "vcpr")
    log = os.path.join(folder, "log")
    def says_one(_cpu): return FINDING.search(text(log)) is not None
    done = measured.run([program, "sweep", "--jobs", "1", "--pairs", str(PAIRS), "--seed", "1", "--out",
                         os.path.join(folder, "findings")], log, None, None, says_one)
    finding = FINDING.search(text(log))
    return Answer(bool(finding) or done.code != 0, done.cpu, None,
                  f"{finding.group(1)}, at {finding.group(2)}" if finding else "" if done.code == 0 else reason(done.code))


def properties(bug, folder, budget):
    """RapidCheck, all families, with seed after seed."""
    program = os.path.abspath(os.path.join(workshop.programs(bug, "dev", ("properties_test",)), "properties_test"))
    cpu, seed = 0.0, 0
    while cpu < budget:
        seed += 1
        log = os.path.abspath(os.path.join(folder, f"log-{seed}"))
        env = {**os.environ, "RC_PARAMS": f"seed={seed} noshrink=1", "GTEST_FAIL_FAST": "1"}
        done = measured.run([program], log, budget - cpu, env, cwd=folder)
        cpu += done.cpu
        if done.code != 0 and not done.stopped:
            return Answer(True, cpu, None, failure(text(log), done.code))
    return Answer(False, cpu, ended=False)


def encoded(target, folder, *given):
    """Inputs as bytes."""
    encoder = os.path.join(workshop.programs(None, "fuzz", ("encode_seeds",)), "encode_seeds")
    subprocess.run([encoder, target, engines.fresh(folder), *given], check=True)
    return folder


def corpus(bug, folder, _):
    """Every seed and regression of every target over whole VMs and tables, once, under ASan."""
    targets = sorted(name for name in os.listdir("corpus")
                     if os.path.isdir(f"corpus/{name}/seeds") and name not in OF_BYTES)
    programs = workshop.programs(bug, "fuzz", [f"fuzz_{target}" for target in targets])
    cpu = count = 0
    for kind in ("seeds", "regressions"):
        for target in targets:
            if not os.path.isdir(given := f"corpus/{target}/{kind}"):
                continue
            inputs = engines.files(encoded(target, os.path.join(folder, f"{target}-{kind}"), given))
            log = os.path.join(folder, f"log-{target}-{kind}")
            done = measured.run([os.path.join(programs, f"fuzz_{target}"), *inputs], log, None,
                                environment(ASAN_OPTIONS="symbolize=0"))
            cpu += done.cpu
            begun = re.findall(r"^Running: (\S+)", text(log), re.M)
            count += len(begun)
            if done.code != 0:
                fell = engines.signature(os.path.join(programs, f"fuzz_{target}"), begun[-1])
                return Answer(True, cpu, count, f"{target}/{os.path.basename(begun[-1])}: {fell}")
    return Answer(False, cpu, count)


def falls_unharmed(target, path):
    """Whether the tree without a bug fails on it too: then it is a find, but not of the bug."""
    return engines.signature(os.path.join(workshop.programs(None, "fuzz", (f"fuzz_{target}",)), f"fuzz_{target}"), path)


def fuzzed(engine, bug, folder, budget):
    """Structured, from the target's seeds, which are all of undisturbed handovers; each target of the bug in turn."""
    cpu = count = 0
    for target in bug.targets:
        replayer = os.path.join(workshop.programs(bug, "fuzz", (f"fuzz_{target}",)), f"fuzz_{target}")
        programs = workshop.programs(bug, engines.ENGINES[engine], engines.programs_of(engine, target))
        seeds = encoded(target, os.path.join(folder, f"seeds-{target}"), f"corpus/{target}/seeds")
        falls = [engines.signature(replayer, seed) for seed in engines.files(seeds)]
        if any(falls):
            return Answer(True, 0.0, 0, f"{target}: a seed: {next(filter(None, falls))}")
        run = engines.start(engine, os.path.join(programs, f"fuzz_{target}"), seeds, os.path.join(folder, target), 1, False)
        found, done = engines.fuzz(run, budget / len(bug.targets))
        cpu, count = cpu + done.cpu, count + run.executions()
        if found and falls_unharmed(target, run.found()[0]):
            return Answer(False, cpu, count, f"{target}: {run.found()[0]} fails without the bug too", ended=False)
        if found:
            return Answer(True, cpu, count, f"{target}: {engines.signature(replayer, run.found()[0])}")
    return Answer(False, cpu, count, ended=False)


def libfuzzer_driver(*arguments):
    return fuzzed("libfuzzer", *arguments)


def afl_driver(*arguments):
    return fuzzed("afl", *arguments)


DRIVERS = {"tests": tests, "sweep": sweep, "properties": properties, "corpus": corpus, "libfuzzer": libfuzzer_driver,
           "afl": afl_driver}
