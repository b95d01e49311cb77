"""One fuzz target in a campaign: its folders, its seeds, and the figures gathered over all its processes."""
import configparser
import dataclasses
import os
import shutil
import subprocess

from fuzzing import libfuzzer

MAX_FINDS = 5  # different ones; after that a target rests
MAX_REPEATS = 3  # of finds already known


@dataclasses.dataclass
class Find:
    target: str
    path: str
    signature: str
    excerpt: str
    seconds: float  # of fuzzing on this target until then; 0 for a seed or regression


class Target:
    def __init__(self, name, build, out, seed):
        self.name, self.seed = name, seed
        self.program = f"{build}/fuzz_{name}"
        self.encoder = f"{build}/encode_seeds"
        self.folder = os.path.join(out, name)
        self.corpus, self.seeds, self.found = (os.path.join(self.folder, part) for part in ("corpus", "seeds", "finds"))
        self.state = "waiting"
        self.share = 0.0  # seconds it will get
        self.finished, self.running, self.finds = [], [], []
        self.points = [(0.0, 0)]  # (fuzzing seconds, edges)
        self.repeats = 0
        self.replayed = 0
        self.note = ""

    # Figures over all processes.
    def processes(self):
        return self.finished + self.running

    def seconds(self):
        return sum(process.elapsed() for process in self.processes())

    def executions(self):
        return sum(process.executions for process in self.processes())

    def rate(self):
        """Executions a second: now while it runs, else over all its time."""
        if self.running:
            return sum(process.rate for process in self.running)
        return self.executions() / self.seconds() if self.finished else 0

    def edges(self):
        return max((process.edges for process in self.processes()), default=0)

    def counters(self):
        return max((process.counters for process in self.processes()), default=0)

    def peak_mb(self):
        return max((process.peak_mb for process in self.processes()), default=0)

    def inputs(self):
        return len(os.listdir(self.corpus)) if os.path.isdir(self.corpus) else 0

    def observe(self):
        """Adds a point to the curve when it has risen."""
        if self.edges() > self.points[-1][1]:
            self.points.append((self.seconds(), self.edges()))

    # Seeds and regressions.
    def prepare(self):
        """Fresh seeds as bytes. What earlier runs have learnt (corpus) and found stays."""
        shutil.rmtree(self.seeds, ignore_errors=True)
        for folder in (self.seeds, self.found, self.corpus):
            os.makedirs(folder, exist_ok=True)
        given = [path for part in ("seeds", "regressions") if os.path.isdir(path := f"corpus/{self.name}/{part}")]
        if not given:
            self.note = "no seeds"
            return
        encoded = subprocess.run([self.encoder, self.name, self.seeds, *given], stderr=subprocess.PIPE, text=True)
        if encoded.returncode != 0:
            self.finds.append(Find(self.name, " ".join(given), "input that cannot be read", encoded.stderr, 0))

    def replay(self):
        """Runs every seed, regression and earlier find. Those that fail are finds, and set aside so that fuzzing can
        start."""
        self.state = "replaying"
        self.prepare()
        files = sorted(os.path.join(folder, name) for folder in (self.seeds, self.found) for name in os.listdir(folder))
        self.replayed = len(files)
        while files and len(self.finds) < MAX_FINDS:
            run = subprocess.run([self.program, *libfuzzer.limits(float("inf")), *files], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, errors="replace", env=libfuzzer.environment())
            if run.returncode == 0:
                break
            begun = [line.removeprefix("Running: ") for line in run.stderr.splitlines() if line.startswith("Running: ")]
            culprit = begun[-1] if begun else files[0]
            aside = shutil.move(culprit, os.path.join(self.found, os.path.basename(culprit)))
            self.finds.append(Find(self.name, aside, libfuzzer.signature(run.stderr), libfuzzer.excerpt(run.stderr), 0))
            files = files[files.index(culprit) + 1:]
        self.state = "waiting"

    # Fuzzing.
    def options(self):
        """Flags from NAME.options, in the form that OSS-Fuzz reads, and the dictionary."""
        flags, parser = [], configparser.ConfigParser()
        parser.read(f"{self.program}.options")
        if parser.has_section("libfuzzer"):
            flags += [f"-{key}={value}" for key, value in parser.items("libfuzzer") if key != "dict"]
        if os.path.exists(dictionary := f"{self.program}.dict"):
            flags.append(f"-dict={dictionary}")
        return flags

    def start(self, seconds):
        number = len(self.processes())
        log = os.path.join(self.folder, f"log-{number}.txt")
        # Another seed for each process, or the same find would end it again. A reload comes by the clock, so a run that
        # is to repeat itself has none.
        chance = ["-reload=0", f"-seed={self.seed + number}"] if self.seed else ["-reload=1"]
        command = [self.program, *libfuzzer.limits(self.share), *self.options(), *chance, "-print_final_stats=1",
                   f"-artifact_prefix={self.found}/", self.corpus, self.seeds]
        process = libfuzzer.Process(command, log, seconds)
        self.running.append(process)
        self.state = "fuzzing"
        return process

    def ended(self, process):
        """Takes a process that has closed its log: what it found, and what is left of the target's time."""
        code, log = process.close()
        self.running.remove(process)
        self.finished.append(process)
        self.observe()
        if not self.running:
            self.state = "waiting"
        artifact = libfuzzer.ARTIFACT.search(log)
        if artifact:
            self._found(artifact.group(1), log)
        elif code != 0 and not process.stopping:
            self.finds.append(Find(self.name, process.log_path, f"exit code {code}", libfuzzer.excerpt(log), self.seconds()))
            self.repeats = MAX_REPEATS

    def _found(self, path, log):
        what = libfuzzer.signature(log)
        if any(find.signature == what for find in self.finds):
            self.repeats += 1
            os.unlink(path)
            return
        self.finds.append(Find(self.name, path, what, libfuzzer.excerpt(log), self.seconds()))

    def rests(self):
        """True when more fuzzing would only show the same again."""
        return len(self.finds) >= MAX_FINDS or self.repeats >= MAX_REPEATS
