"""Results as tables in Markdown."""
import statistics

from planted import drivers, engines


def short(seconds):
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def found(row):
    if row["found"]:
        return short(row["cpu"])
    return f"no ({short(row['cpu'])})"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def latest(rows, *fields):
    """The last result of each key: an earlier one is of an older patch."""
    return {tuple(row[field] for field in fields): row for row in rows}


def of_finds(rows):
    by = latest(rows, "bug", "driver")
    bugs = list(dict.fromkeys(bug for bug, _ in by))
    times = [[bug, *(found(by[bug, name]) if (bug, name) in by else "" for name in drivers.DRIVERS)] for bug in bugs]
    whats = [[bug, name, by[bug, name]["what"]] for bug in bugs for name in drivers.DRIVERS
             if (bug, name) in by and by[bug, name]["found"]]
    return table(["bug", *drivers.DRIVERS], times) + "\n\n" + table(["bug", "driver", "what fell"], whats)


def median(values, limit):
    """Of what was reached; what was not took longer than the limit. None: more than the limit."""
    middle = statistics.median([value if value is not None else float("inf") for value in values])
    return middle if middle <= limit else None


def cell(rows):
    """Median time and executions, and how many of the trials did not get there."""
    limit = rows[0]["limit"]
    cpu = median([row["cpu"] if row["reached"] else None for row in rows], float("1e9"))
    runs = median([row["executions"] if row["reached"] else None for row in rows], float("1e18"))
    missed = sum(not row["reached"] for row in rows)
    time = short(cpu) if cpu is not None else f"> {limit} s"
    return f"{time}, {f'{runs:,.0f}' if runs is not None else '-'}, {missed}/{len(rows)}"


def of_trials(rows):
    by = {}
    for row in latest(rows, "goal", "engine", "variant", "trial").values():
        by.setdefault((row["goal"], row["engine"], row["variant"]), []).append(row)
    goals = list(dict.fromkeys(goal for goal, _, _ in by))
    columns = [(engine, variant) for engine in engines.ENGINES for variant in ("structured", "blind")]
    lines = [[goal, *(cell(by[goal, *column]) if (goal, *column) in by else "" for column in columns)] for goal in goals]
    return ("Median processor time, median executions, trials that did not get there of all.\n\n"
            + table(["goal", *(f"{engine} {variant}" for engine, variant in columns)], lines))
