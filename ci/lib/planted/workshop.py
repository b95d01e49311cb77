"""Where bugs are planted: a copy of the sources with its own build folders, and the programs that came out of it."""
import hashlib
import os
import shutil
import subprocess

from planted import bug as planted_bug

SOURCES = "build/planted/src"
PROGRAMS = "build/planted/programs"


class CannotBuild(Exception):
    """The tree with the bug in it does not compile: nothing was measured."""


def tracked():
    """Files of the working tree that make programs or inputs."""
    listed = subprocess.run(["git", "ls-files", "-z"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return sorted(path for path in listed.split("\0") if path and os.path.isfile(path))


def content(path):
    with open(path, "rb") as file:
        return file.read()


def restore():
    """Makes the copy what the working tree is: this undoes a patch too. Files that are right keep their time, so that
    only what differs is compiled again."""
    wanted = tracked()
    for path in wanted:
        to = os.path.join(SOURCES, path)
        if os.path.exists(to) and content(to) == content(path):
            continue
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)
    keep = set(wanted)
    for folder, below, files in os.walk(SOURCES):
        if folder == SOURCES:
            below[:] = [name for name in below if name not in ("build", "out")]
        for name in files:
            if os.path.relpath(path := os.path.join(folder, name), SOURCES) not in keep:
                os.unlink(path)


def tree_digest():
    digest = hashlib.sha256()
    for path in tracked():
        if path.startswith(("engine/", "properties/", "fuzz/", "cmake/", "CMake")) and not path.endswith((".patch", ".md")):
            digest.update(path.encode() + b"\0" + content(path))
    return digest.hexdigest()[:12]


def commit():
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def programs(bug, preset, targets):
    """The folder of programs with that bug in them (None: with none), built when they are not there yet."""
    name = f"{bug.name}-{bug.digest}" if bug else "unharmed"
    folder = os.path.join(PROGRAMS, f"{name}-{tree_digest()}", preset)
    missing = [target for target in targets if not os.path.exists(os.path.join(folder, target))]
    if missing:
        build(bug, preset, missing)
        os.makedirs(folder, exist_ok=True)
        for target in missing:
            keep(preset, target, folder)
    return folder


def build(bug, preset, targets):
    restore()
    if bug:
        subprocess.run(["git", "apply", f"--directory={SOURCES}", bug.path], check=True)
    goals = [target.replace(".so", "_mutator") for target in targets]
    print(f"building {bug.name if bug else 'the tree as it is'} (preset {preset})", flush=True)
    made = subprocess.run([f"{SOURCES}/ci/build", preset, *goals], capture_output=True, text=True, errors="replace")
    restore()
    if made.returncode != 0:
        raise CannotBuild(f"{bug.name if bug else 'the tree'} does not compile:\n{made.stdout[-4000:]}{made.stderr[-2000:]}")


def keep(preset, target, folder):
    """The program under its name, last: who finds it finds it whole."""
    built = os.path.join(SOURCES, "build", preset, "bin", target)
    for extra in (".options", ".dict"):
        if os.path.exists(built + extra):
            shutil.copy(built + extra, folder)
    shutil.copy(built, (to := os.path.join(folder, target)) + ".part")
    os.replace(to + ".part", to)


def chosen(wanted):
    """Bugs by name, all when none is named."""
    there = {bug.name: bug for bug in planted_bug.bugs()}
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise SystemExit(f"ci/planted: no bug {', '.join(unknown)}; there are: {', '.join(there)}")
    return [there[name] for name in wanted] if wanted else list(there.values())
