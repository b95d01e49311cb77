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


def libfuzzer_rate(name, target, seeds):
    """Executions a second of user time, replaying the seeds again and again without mutation, start-up included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with tempfile.TemporaryDirectory() as corpus:
        run = subprocess.run([f"build/fuzz/bin/{target}", f"-runs={FUZZ_RUNS}", "-seed=1", "-keep_seed=1", "-entropic=0",
                              "-rss_limit_mb=2560", f"-artifact_prefix={corpus}/", corpus, seeds,
                              "-ignore_remaining_args=1", "--unmutated"],
                             capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if run.returncode != 0:
        sys.exit(f"{run.stderr[-2000:]}\nbench: {name} failed")
    return FUZZ_RUNS / (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)


def libfuzzer():
    """cpr_state and the empty target in turn, so that a slow spell of the machine meets both; and their ratio."""
    with tempfile.TemporaryDirectory() as seeds:
        given = [path for part in ("seeds", "regressions") if os.path.isdir(path := f"corpus/cpr_state/{part}")]
        if given:
            subprocess.run(["build/fuzz/bin/encode_seeds", "cpr_state", seeds, *given], check=True)
        rates = {"libfuzzer:cpr_state": [], "libfuzzer:empty": []}
        for _ in range(FUZZ_ROUNDS):
            for name, target in (("libfuzzer:cpr_state", "fuzz_cpr_state"), ("libfuzzer:empty", "floor_empty")):
                rates[name].append(libfuzzer_rate(name, target, seeds))
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
        print("running libFuzzer", file=sys.stderr, flush=True)
        measured.update(libfuzzer())
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
