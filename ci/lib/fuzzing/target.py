"""One fuzz target in a campaign: its folders, its seeds, and the figures gathered over all its processes."""
import configparser
import dataclasses
import os
import shutil
import subprocess

from fuzzing import libfuzzer
from fuzzing.process import environment

MAX_FINDS = 5  # different ones; after that a target rests
MAX_REPEATS = 3  # of finds already known
FILES_A_RUN = 1000  # a command line is not endless


@dataclasses.dataclass
class Find:
    target: str
    path: str
    signature: str
    excerpt: str
    seconds: float  # of fuzzing on this target until then; 0 for a seed or regression
    program: str  # that fails on it


class Target:
    def __init__(self, name, engine, build, out, seed):
        self.name, self.engine, self.seed = name, engine, seed
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
        """Takes finds that do not end their process, and adds a point to the curve when it has risen."""
        for process in self.running:
            process.observe()
            self._take_finds(process)
            if self.rests():
                process.end_now()
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
            self.finds.append(Find(self.name, " ".join(given), "input that cannot be read", encoded.stderr, 0,
                                   self.program))

    def replay(self):
        """Runs every seed, regression and earlier find. Those that fail are finds, and set aside so that fuzzing can
        start."""
        self.state = "replaying"
        self.prepare()
        files = self._files(self.seeds, self.found)
        self.replayed = len(files)
        self._weed_out(files)
        if not self.engine.RUNS_WHAT_FAILS:
            learnt = self._files(self.corpus)
            for begin in range(0, len(learnt), FILES_A_RUN):
                self._weed_out(learnt[begin:begin + FILES_A_RUN])
        self.state = "waiting"

    @staticmethod
    def _files(*folders):
        return sorted(os.path.join(folder, name) for folder in folders for name in os.listdir(folder))

    def _weed_out(self, files):
        while files and len(self.finds) < MAX_FINDS:
            run = subprocess.run([self.program, *libfuzzer.limits(float("inf")), *files], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, errors="replace", env=environment())
            if run.returncode == 0:
                break
            begun = [line.removeprefix("Running: ") for line in run.stderr.splitlines() if line.startswith("Running: ")]
            culprit = begun[-1] if begun else files[0]
            aside = shutil.move(culprit, os.path.join(self.found, os.path.basename(culprit)))
            self.finds.append(Find(self.name, aside, libfuzzer.signature(run.stderr), libfuzzer.excerpt(run.stderr), 0,
                                   self.program))
            files = files[files.index(culprit) + 1:]

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
        process = self.engine.start(self, number, seconds, log)
        self.running.append(process)
        self.state = "fuzzing"
        return process

    def ended(self, process):
        """Takes a process that has closed its log: what it found, and what is left of the target's time."""
        code = process.close()
        self.running.remove(process)
        self.finished.append(process)
        self.observe()
        if not self.running:
            self.state = "waiting"
        found = more = self._take_finds(process)
        while more and not self.rests():
            more = self._take_finds(process)
        if not found and code != 0 and not process.stopping:
            excerpt = libfuzzer.excerpt(process.log())
            self.finds.append(Find(self.name, process.log_path, f"exit code {code}", excerpt, self.seconds(), self.program))
            self.repeats = MAX_REPEATS

    def _take_finds(self, process):
        finds = process.finds()
        for find in finds:
            self.found_one(*find)
        return bool(finds)

    def found_one(self, path, log, program):
        what = libfuzzer.signature(log)
        if any(find.signature == what for find in self.finds):
            self.repeats += 1
            if all(find.path != path for find in self.finds):  # the same bytes have the same name
                os.unlink(path)
            return
        self.finds.append(Find(self.name, path, what, libfuzzer.excerpt(log), self.seconds(), program))

    def rests(self):
        """True when more fuzzing would only show the same again."""
        return len(self.finds) >= MAX_FINDS or self.repeats >= MAX_REPEATS
