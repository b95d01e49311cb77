"""ci/planted find: each bug to each driver."""
import os

from planted import drivers, engines, results, tables, workshop

FIELDS = ("bug", "patch", "driver")


def path(out):
    return os.path.join(out, "find.jsonl")


def show(bug, name, out, budget, known):
    """One bug to one driver, unless that is known already."""
    key = {"bug": bug.name, "patch": bug.digest, "driver": name}
    if known.has(**key):
        return
    folder = engines.fresh(os.path.join(out, "find", bug.name, name))
    print(f"{bug.name}: {name}", flush=True)
    answer = drivers.DRIVERS[name](bug, folder, budget)
    known.add(**key, commit=workshop.commit(), found=answer.found, cpu=round(answer.cpu, 2), executions=answer.executions,
              what=answer.what, ended=answer.ended)
    print(f"  {tables.found(known.rows[-1])} {answer.what}", flush=True)


def main(arguments):
    known = results.Results(path(arguments.out), FIELDS)
    wanted = arguments.drivers.split(",") if arguments.drivers else list(drivers.DRIVERS)
    for name in wanted:
        if name not in drivers.DRIVERS:
            raise SystemExit(f"ci/planted: no driver {name}; there are: {', '.join(drivers.DRIVERS)}")
    for bug in workshop.chosen(arguments.bugs):
        for name in wanted:
            try:
                show(bug, name, arguments.out, arguments.budget, known)
            except workshop.CannotBuild as why:
                print(f"  {why}", flush=True)
                break
    print("\n" + tables.of_finds(known.rows))
