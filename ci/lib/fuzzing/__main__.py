"""python3 -m fuzzing --engine E --seconds N --targets A,B --jobs N --seed N --out DIR, from the root, after the build."""
import argparse
import os
import sys
import traceback

from fuzzing import afl, libfuzzer, report
from fuzzing.campaign import Campaign
from fuzzing.table import Table
from fuzzing.target import Target

BUILD = "build/fuzz/bin"
ENGINES = {"libfuzzer": libfuzzer, "afl": afl}
CANARY = "canary"  # must fail: only when asked for by name


def choose(wanted):
    built = sorted(name.removeprefix("fuzz_") for name in os.listdir(BUILD)
                   if name.startswith("fuzz_") and "." not in name)
    names = wanted.split(",") if wanted else [name for name in built if name != CANARY]
    unknown = [name for name in names if name not in built]
    if unknown or not names:
        print(f"ci/fuzz: no target {', '.join(unknown)}; there are: {', '.join(built)}", file=sys.stderr)
        sys.exit(2)
    return names


def commands(find):
    """How to go on from a find, one command a line."""
    return [("replay", f"{find.program} {find.path}"),
            ("explain", f"ci/build dev && build/dev/bin/vcpr explain {find.target} {find.path}"),
            ("keep", f"cp {find.path} corpus/{find.target}/regressions/   # from then on it is a test")]


def summary(campaign, page):
    for number, find in enumerate(campaign.finds(), 1):
        print(f"\nfind {number}: {find.target}: {find.signature}")
        for what, command in commands(find):
            print(f"  {what + ':':<8} {command}")
    executions = sum(target.executions() for target in campaign.targets)
    replayed = sum(target.replayed for target in campaign.targets)
    print(f"\n{replayed} seeds and regressions replayed, {executions:,} executions, {len(campaign.finds())} finds")
    print(f"report: {page}")


def main():
    parser = argparse.ArgumentParser(prog="ci/fuzz")
    for flag, kind in (("--engine", str), ("--seconds", int), ("--targets", str), ("--jobs", int), ("--seed", int), ("--out", str)):
        parser.add_argument(flag, type=kind, required=True)
    arguments = parser.parse_args()
    engine = ENGINES[arguments.engine]
    targets = [Target(name, engine, BUILD, arguments.out, arguments.seed) for name in choose(arguments.targets)]
    engine.check()
    campaign = Campaign(engine, targets, arguments.seconds, arguments.jobs)
    print(f"replaying seeds and regressions of {len(targets)} targets", flush=True)
    for target in targets:
        target.replay()
    table = Table(campaign)
    campaign.run(table.show)
    table.close()
    page = os.path.join(arguments.out, "report.html")
    report.write(campaign, commands, page)
    summary(campaign, page)
    return 1 if campaign.finds() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except afl.CannotRun as why:
        print(f"ci/fuzz: {why}", file=sys.stderr)
        sys.exit(2)
    except Exception:  # pylint: disable=broad-except; exit code 1 is for finds
        traceback.print_exc()
        sys.exit(2)
