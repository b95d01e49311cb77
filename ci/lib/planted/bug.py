"""A planted bug: a patch against the engine, under a header of `key: value` lines that says what it is."""
import dataclasses
import hashlib
import os
import re
import subprocess

ROOM = "properties/planted"
PROBE = "phases"  # not a bug: it notes which phases are reached
KEYS = ("mistake", "mutant of", "should fall", "target", "needs")
VERDICT = re.compile(r"^Verdict (\w+)\(", re.M)
INVARIANTS = tuple(f"properties/{header}.hpp" for header in ("whole_vm/watch", "whole_vm/invariants", "invariants/invariants"))
SANITIZER = "sanitizer"  # falls where no invariant does


@dataclasses.dataclass
class Bug:
    name: str
    path: str
    says: dict
    digest: str  # of the patch

    @property
    def targets(self):
        """Fuzz targets that should see it, the likeliest first."""
        return split(self.says.get("target", ""))


def split(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def read(name, folder=ROOM):
    path = os.path.join(folder, f"{name}.patch")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    header = text.partition("\ndiff --git ")[0]
    says = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line)
    return Bug(name, path, says, hashlib.sha256(text.encode()).hexdigest()[:12])


def names(folder=ROOM):
    return sorted(name.removesuffix(".patch") for name in os.listdir(folder) if name.endswith(".patch"))


def bugs():
    return [read(name) for name in names() if name != PROBE]


def invariants():
    known = {SANITIZER}
    for path in INVARIANTS:
        with open(path, encoding="utf-8") as file:
            known.update(VERDICT.findall(file.read()))
    return known


def complaints(bug, known_invariants):
    """What is wrong with a patch."""
    applied = subprocess.run(["git", "apply", "--check", bug.path], stderr=subprocess.PIPE, text=True)
    if applied.returncode != 0:
        yield f"does not apply: {applied.stderr.strip()}"
    for key in KEYS if bug.name != PROBE else ():
        if key not in bug.says:
            yield f"its header has no \"{key}:\""
    for target in bug.targets:
        if not os.path.exists(f"fuzz/targets/{target}.cpp"):
            yield f"there is no fuzz target {target}"
    for name in split(bug.says.get("should fall", "")):
        if name not in known_invariants:
            yield f"there is no invariant {name}"


def check():
    """Prints what is wrong with any patch; whether nothing is."""
    known, wrong = invariants(), 0
    for name in names():
        for complaint in complaints(read(name), known):
            print(f"{ROOM}/{name}.patch: {complaint}")
            wrong += 1
    print(f"{len(names())} patches, {wrong} complaints")
    return wrong == 0
