"""python3 -m planted COMMAND --out DIR ..., from the root; ci/planted says what the commands are."""
import argparse
import sys
import traceback

from planted import bug, find, results, tables, trials


def parse():
    parser = argparse.ArgumentParser(prog="ci/planted")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("check", "find", "trials", "table"):
        command = commands.add_parser(name)
        command.add_argument("--out", required=True)
        if name == "find":
            command.add_argument("--budget", type=int, default=120)
            command.add_argument("--drivers", default="")
        if name == "trials":
            command.add_argument("--trials", type=int, default=10)
            command.add_argument("--seconds", type=int, default=45)
            command.add_argument("--engines", default="")
        if name in ("find", "trials"):
            command.add_argument("bugs", nargs="*")
        if name == "table":
            command.add_argument("what", choices=("find", "trials"))
    return parser.parse_args()


def table(arguments):
    of = {"find": (find.path, tables.of_finds), "trials": (trials.path, tables.of_trials)}[arguments.what]
    print(of[1](results.read(of[0](arguments.out))))


def main():
    arguments = parse()
    if arguments.command == "check":
        return 0 if bug.check() else 1
    {"find": find.main, "trials": trials.main, "table": table}[arguments.command](arguments)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # pylint: disable=broad-except; exit code 1 is for patches that do not apply
        traceback.print_exc()
        sys.exit(2)
