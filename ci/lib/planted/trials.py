"""ci/planted trials: how long libFuzzer and AFL++ take, structured and blind, to planted bugs and to rare phases.

Trial by trial, so that an interrupted run has as many of each. One run of the probe sees all phases: it notes the first
input that reaches each, and goes on."""
import array
import os
import shutil

from planted import bug as planted_bug
from planted import drivers, engines, results, tables, workshop

GOALS = ("masked_vector_keeps_its_irqfd", "joining_device_has_no_ioas_id", "blocker_misses_exec",
         "given_away_before_exec", "ownership_is_not_taken_back", "valid_vaddr_is_taken_for_ours",
         "roll_back_stops_at_first_vector", "swallowed_signal_is_not_repeated", "table_of_a_running_guest_is_believed",
         "adopting_never_ends")
VARIANTS = ("structured", "blind")
FIELDS = ("goal", "patch", "engine", "variant", "trial", "limit")
PLAIN_TARGET, PLAIN_SEED = "handover_transfer", "corpus/handover_transfer/seeds/msi_by_group.txt"
PROBE_TARGET = "handover_chain"
PROBE_SLOTS = 64  # of 8 bytes, as in its patch: executions, then for each phase the execution that reached it first


def path(out):
    return os.path.join(out, "trials.jsonl")


class Trials:
    def __init__(self, arguments):
        self.out, self.limit = arguments.out, arguments.seconds
        self.known = results.Results(path(arguments.out), FIELDS)
        self.seeds = drivers.encoded(PLAIN_TARGET, os.path.join(self.out, "plain"), PLAIN_SEED)
        self.plain = engines.files(self.seeds)[0]
        self.commit = workshop.commit()

    def key(self, goal, patch, engine, variant, trial):
        return {"goal": goal, "patch": patch, "engine": engine, "variant": variant, "trial": trial, "limit": self.limit}

    def start(self, bug, target, engine, variant, trial):
        programs = workshop.programs(bug, engines.ENGINES[engine], engines.programs_of(engine, target))
        folder = engines.fresh(os.path.join(self.out, "trial"))
        return engines.start(engine, os.path.join(programs, f"fuzz_{target}"), self.seeds, folder, 1000 + trial,
                             variant == "blind")

    def fuzz(self, bug, target, engine, variant, trial):
        """Again, with other chances, when what it finds is not the bug's."""
        while True:
            run = self.start(bug, target, engine, variant, trial)
            found, done = engines.fuzz(run, self.limit)
            if not found or not drivers.falls_unharmed(target, run.found()[0]):
                return run, found, done
            self.keep_unharmed(run, target, trial)
            trial += 1000

    def keep_unharmed(self, run, target, trial):
        kept = shutil.copy(run.found()[0], os.path.join(self.out, f"unharmed-{target}-{trial}"))
        print(f"{target}: the tree without a bug fails: {kept}", flush=True)

    def bug(self, bug, engine, variant, trial):
        key = self.key(bug.name, bug.digest, engine, variant, trial)
        if self.known.has(**key):
            return
        target = bug.targets[0]
        replayer = os.path.join(workshop.programs(bug, "fuzz", (f"fuzz_{target}",)), f"fuzz_{target}")
        if trial == 1 and (falls := engines.signature(replayer, self.plain)):
            raise SystemExit(f"ci/planted: the plain seed shows {bug.name} ({falls}): nothing to measure")
        run, found, done = self.fuzz(bug, target, engine, variant, trial)
        what = engines.signature(replayer, run.found()[0]) if found else ""
        self.known.add(**key, target=target, commit=self.commit, reached=found, cpu=round(done.cpu, 2),
                       executions=run.executions(), what=what)
        self.tell(self.known.rows[-1])

    def probe(self, probe, phases, engine, variant, trial):
        """(Slots, Measured). Again, with other chances, when the tree fails."""
        while True:
            run = self.start(probe, PROBE_TARGET, engine, variant, trial)
            slots = Slots(os.path.join(self.out, "trial-slots"), phases)
            found, done = engines.fuzz(run, self.limit, slots.look, {"VCPR_PHASES": os.path.abspath(slots.path)})
            if not found:
                return slots, done
            self.keep_unharmed(run, PROBE_TARGET, trial)
            trial += 1000

    def phases(self, probe, engine, variant, trial):
        names = planted_bug.split(probe.says["phases"])
        keys = [self.key(name, probe.digest, engine, variant, trial) for name in names]
        if all(self.known.has(**key) for key in keys):
            return
        slots, done = self.probe(probe, len(names), engine, variant, trial)
        executed, *first = slots.values()
        for number, key in enumerate(keys):
            self.known.add(**key, target=PROBE_TARGET, commit=self.commit, reached=first[number] != 0,
                           cpu=round(slots.reached.get(number, done.cpu), 2), executions=first[number] or executed)
            self.tell(self.known.rows[-1])

    @staticmethod
    def tell(row):
        print(f"trial {row['trial']} {row['goal']} {row['engine']} {row['variant']}: "
              f"{'' if row['reached'] else 'not in '}{row['cpu']} s, {row['executions']} executions", flush=True)


class Slots:
    """What the probe writes, in memory that all its processes share, and when each phase was first seen there."""
    def __init__(self, name, phases):
        self.path, self.phases = name, phases
        self.reached = {}  # phase: processor time
        with open(name, "wb") as file:
            file.write(bytes(8 * PROBE_SLOTS))

    def values(self):
        with open(self.path, "rb") as file:
            return array.array("Q", file.read())

    def look(self, cpu):
        """Whether all phases are reached."""
        for number, first in enumerate(self.values()[1:1 + self.phases]):
            if first:
                self.reached.setdefault(number, cpu)
        return len(self.reached) == self.phases


def main(arguments):
    goals = [planted_bug.read(name) for name in arguments.bugs or (planted_bug.PROBE, *GOALS)]
    wanted = arguments.engines.split(",") if arguments.engines else list(engines.ENGINES)
    for name in wanted:
        if name not in engines.ENGINES:
            raise SystemExit(f"ci/planted: no engine {name}; there are: {', '.join(engines.ENGINES)}")
    trials = Trials(arguments)
    for trial in range(1, arguments.trials + 1):
        for goal in goals:
            for engine in wanted:
                for variant in VARIANTS:
                    (trials.phases if goal.name == planted_bug.PROBE else trials.bug)(goal, engine, variant, trial)
    shutil.rmtree(os.path.join(arguments.out, "trial"), ignore_errors=True)
    print("\n" + tables.of_trials(trials.known.rows))
