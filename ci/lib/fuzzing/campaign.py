"""Runs the processes of an engine, a lane a processor, each to the end of its time."""
import selectors
import time

from fuzzing.process import SHORTEST_SLICE


class Lane:
    """One processor's slices, one after the other. A slice that a find has cut short is started again."""

    def __init__(self, slices):
        self.slices = list(slices)
        self.target = self.process = None
        self.ends = 0.0

    def next(self):
        """Starts what comes next; None when nothing is left."""
        left = self.ends - time.monotonic()
        if not (self.target and left >= SHORTEST_SLICE and not self.target.rests()):
            while self.slices and self.slices[0][0].rests():
                self.slices.pop(0)
            if not self.slices:
                return None
            self.target, left = self.slices.pop(0)
            self.ends = time.monotonic() + left
        self.process = self.target.start(left)
        return self.process


class Campaign:
    def __init__(self, engine, targets, seconds, jobs):
        self.engine, self.targets, self.seconds, self.jobs = engine, targets, seconds, jobs
        self.started = time.monotonic()
        self.interrupted = False

    def elapsed(self):
        return time.monotonic() - self.started

    def finds(self):
        return [find for target in self.targets for find in target.finds]

    def run(self, show):
        """Runs everything; show() is called several times a second. Ctrl-C ends it early, report included."""
        self.started = time.monotonic()
        try:
            self._run_lanes(show)
        finally:
            for process in (process for target in self.targets for process in target.running):
                process.child.terminate()
        for target in self.targets:
            self.engine.harvest(target)
            target.state = "finds" if target.finds else "clean"

    def _run_lanes(self, show):
        selector = selectors.DefaultSelector()
        for slices in self.engine.share_out(self.targets, self.seconds, self.jobs):
            self._advance(Lane(slices), selector)
        while selector.get_map():
            try:
                self._turn(selector)
                show()
            except KeyboardInterrupt:
                self._interrupt(selector)

    def _turn(self, selector):
        for key, _ in selector.select(timeout=0.2):
            lane = key.data
            if not lane.process.read():
                selector.unregister(key.fileobj)
                lane.target.ended(lane.process)
                self._advance(lane, selector)
        for key in list(selector.get_map().values()):
            key.data.process.enforce_end()
            key.data.target.observe()

    @staticmethod
    def _advance(lane, selector):
        process = lane.next()
        if process:
            selector.register(process.child.stdout, selectors.EVENT_READ, lane)

    def _interrupt(self, selector):
        self.interrupted = True
        for key in selector.get_map().values():
            key.data.slices.clear()
            key.data.ends = time.monotonic()
            key.data.process.end_now()
