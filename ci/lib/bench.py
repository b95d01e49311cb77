"""Runs the benchmarks and prints one table: bench.py FILTER, from the root, after the build.

A benchmark's name here is PROGRAM:NAME. Rows of ci/peers.tsv, one or more a benchmark: name, unit, another's figure (or
-), goal (or -), whose figure it is. A unit "x NAME" is our time as a multiple of that benchmark's in the same run. A goal
is <=N or >=N, or N times another benchmark of the same run: >=0.2*libfuzzer:empty.
"""
import csv
import glob
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

FUZZ_RUNS, FUZZ_ROUNDS = 200000, 3
HANDOVER_TARGETS = ("handover_transfer", "handover_exec", "handover_reboot", "handover_chain")
HANDOVER_SECONDS = 5


def google_benchmarks(program, pattern):
    """(name, {unit: value}) of each benchmark of a program."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        run = subprocess.run([program, f"--benchmark_filter={pattern or '.'}", f"--benchmark_out={out.name}"],
                             capture_output=True, text=True)
        text = out.read()
    if run.returncode != 0:
        sys.exit(f"{run.stderr}bench: {program} failed")
    for bench in json.loads(text)["benchmarks"] if text else []:
        name = f"{os.path.basename(program)}:{bench['name'].removesuffix('/real_time')}"
        yield name, figures(bench)


def figures(bench):
    """What one benchmark says, by unit; or {"failed": why}. Time is the processor's unless the benchmark asks for real."""
    if bench.get("error_occurred"):
        return {"failed": bench["error_message"]}
    clock = "real_time" if bench["name"].endswith("/real_time") else "cpu_time"
    time = bench[clock] * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[bench["time_unit"]]
    values = {}
    for counter in ("per_entry", "per_call", "per_vector", "per_mapping"):
        if counter in bench:
            values[f"ns/{counter.removeprefix('per_')}"] = bench[counter] * 1e9
    if "route_tables" in bench:
        values["tables"] = bench["route_tables"]
    if "items_per_second" in bench:
        values["ns/item"] = 1e9 / bench["items_per_second"]
    return values | {"ns": time, "/s": 1e9 / time}


def user_time(name, command, **options):
    """Seconds of user time that a program takes, start-up included, and what it said on stderr."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, **options)
    if run.returncode != 0:
        sys.exit(f"{run.stdout[-2000:]}{run.stderr[-2000:]}\nbench: {name} failed")
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, run.stderr


def replay_seeds(name, program, seeds, how_long):
    """The seeds again and again through libFuzzer, without mutation: as user_time()."""
    with tempfile.TemporaryDirectory() as corpus:
        return user_time(name, [program, how_long, "-seed=1", "-keep_seed=1", "-entropic=0", "-rss_limit_mb=2560",
                                f"-artifact_prefix={corpus}/", corpus, seeds, "-ignore_remaining_args=1", "--unmutated"])


def encode_seeds(target, folder):
    given = [path for part in ("seeds", "regressions") if os.path.isdir(path := f"corpus/{target}/{part}")]
    if given:
        subprocess.run(["build/fuzz/bin/encode_seeds", target, folder, *given], check=True)


def libfuzzer_handovers():
    """Whole VMs handed over under libFuzzer, a second of user time, with either sanitizer in turn."""
    measured = {}
    for target in HANDOVER_TARGETS:
        with tempfile.TemporaryDirectory() as seeds:
            encode_seeds(target, seeds)
            for preset, name in (("fuzz", f"asan:{target}"), ("fuzz-undefined", f"ubsan:{target}")):
                seconds, said = replay_seeds(name, f"build/{preset}/bin/fuzz_{target}", seeds,
                                             f"-max_total_time={HANDOVER_SECONDS}")
                handovers = int(re.search(r"^handovers: (\d+)$", said, re.MULTILINE)[1])
                measured[name] = {"handovers/s": handovers / seconds}
    return measured


def rapidcheck_handovers():
    """The properties of whole VMs, generators and all: handovers a second of user time, without a sanitizer."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = user_time("rapidcheck", [os.path.abspath("build/release/bin/properties_test"),
                                              "--gtest_filter=WholeVms.*", "--gtest_output=json:results.json"], cwd=folder)
        with open(f"{folder}/results.json", encoding="utf-8") as results:
            counts = [int(test["handovers"]) for suite in json.load(results)["testsuites"] for test in suite["testsuite"]]
    return {"rapidcheck:WholeVms": {"handovers/s": max(counts) / seconds}}


def libfuzzer():
    """cpr_state and the empty target in turn, so that a slow spell of the machine meets both; and their ratio."""
    with tempfile.TemporaryDirectory() as seeds:
        encode_seeds("cpr_state", seeds)
        rates = {"libfuzzer:cpr_state": [], "libfuzzer:empty": []}
        for _ in range(FUZZ_ROUNDS):
            for name, target in (("libfuzzer:cpr_state", "fuzz_cpr_state"), ("libfuzzer:empty", "floor_empty")):
                seconds, _ = replay_seeds(name, f"build/fuzz/bin/{target}", seeds, f"-runs={FUZZ_RUNS}")
                rates[name].append(FUZZ_RUNS / seconds)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    measured = {name: {"/s": value} for name, value in medians.items()}
    return measured | {"libfuzzer:cpr_state/empty": {"ratio": medians["libfuzzer:cpr_state"] / medians["libfuzzer:empty"]}}


def verdict(goal, value, unit, measured):
    """The goal as a number of this run, and whether it is met."""
    if goal == "-":
        return ""
    sign, factor, other = re.fullmatch(r"([<>]=)([\d.]+)(?:\*(\S+))?", goal).groups()
    limit = float(factor)
    if other:
        if unit not in measured.get(other, {}):
            return f"{goal} (not measured)"
        limit *= measured[other][unit]
    met = value <= limit if sign == "<=" else value >= limit
    return f"{sign} {number(limit)}  {'met' if met else 'MISSED'}"


def multiple(values, unit, measured):
    """Our time divided by another's, or None when that was not measured."""
    other = measured.get(unit.removeprefix("x "), {})
    return values["ns"] / other["ns"] if "ns" in other else None


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main(pattern):
    measured = {}
    for program in sorted(glob.glob("build/release/bin/*_bench")):
        print(f"running {os.path.basename(program)}", file=sys.stderr, flush=True)
        measured.update(google_benchmarks(program, pattern))
    if not pattern:
        for part in (libfuzzer, libfuzzer_handovers, rapidcheck_handovers):
            print(f"running {part.__name__}", file=sys.stderr, flush=True)
            measured.update(part())
    peers = {}
    with open("ci/peers.tsv", encoding="utf-8") as rows:
        for name, *row in csv.reader((line for line in rows if not line.startswith("#")), delimiter="\t"):
            peers.setdefault(name, []).append(row)
    width = max(map(len, [*measured, ""]))
    rule = shutil.get_terminal_size((140, 24)).columns
    print(f"{'benchmark':<{width}} {'ours':>11} {'unit':<10} {'theirs':>11}  {'goal':<22} whose figure\n" + "-" * min(rule, 140))
    for name, values in measured.items():
        if "failed" in values:
            print(f"{name:<{width}} {'failed':>11} {values['failed']}")
            continue
        for unit, theirs, goal, whose in peers.get(name, [(next(iter(values)), "-", "-", "")]):
            value = multiple(values, unit, measured) if unit.startswith("x ") else values.get(unit)
            shown = "-" if value is None else number(value)
            met = "" if value is None else verdict(goal, value, unit, measured)
            print(f"{name:<{width}} {shown:>11} {unit.split(' ')[0]:<10} {theirs:>11}  {met:<22} {whose}".rstrip())
    unknown = [name for name in peers if name not in measured and not pattern]
    if unknown:
        print("no such benchmark, but in ci/peers.tsv: " + ", ".join(unknown))


if __name__ == "__main__":
    main(sys.argv[1])
