"""Runs a program up to a limit of processor time. Other work on the machine makes a wall clock lie; processor time is
what the program and all its descendants used, in user space and kernel."""
import dataclasses
import glob
import os
import signal
import subprocess
import time

LOOKS_EVERY = 0.1  # seconds of wall clock
WALL_FACTOR, WALL_GRACE = 40, 60  # a program that sleeps uses no processor, one on a loaded machine little
MERCY_SECONDS = 5
TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Measured:
    code: int  # negative: a signal; of a program that was stopped it says nothing
    cpu: float
    wall: float
    stopped: bool  # at the limit, or because the look said enough


def used_by(pid):
    """Processor seconds of a process and of its children that it waited for; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return sum(map(int, file.read().rpartition(")")[2].split()[11:15])) / TICK
    except OSError:
        return None


def children(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="utf-8") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def family(root):
    """{pid: processor seconds} of a process and all its descendants."""
    found, news = {}, [root]
    while news:
        pid = news.pop()
        if (used := used_by(pid)) is not None:
            found[pid] = used
            news += children(pid)
    return found


def handles(pids):
    """What a process can be sent a signal by without hitting another that got its number."""
    for pid in pids:
        try:
            yield os.pidfd_open(pid)
        except ProcessLookupError:
            continue


def end(child):
    """Asks it to stop, and ends what is left of it and of its descendants."""
    held = list(handles(family(child.pid)))
    child.send_signal(signal.SIGINT)
    deadline = time.monotonic() + MERCY_SECONDS
    while time.monotonic() < deadline and os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(LOOKS_EVERY)
    for handle in held:
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended
        os.close(handle)


def run(command, log, limit, env=None, look=None, cwd=None):
    """`look(cpu)` is called some times a second; true ends the run. `limit`: seconds of processor time, None for none."""
    started, cpu, stopped = time.monotonic(), 0.0, False
    with open(log, "wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=cwd)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            cpu = max(cpu, sum(family(child.pid).values()))
            late = limit is not None and (cpu >= limit or time.monotonic() - started > WALL_FACTOR * limit + WALL_GRACE)
            if not stopped and (late or (look and look(cpu))):
                stopped = True
                end(child)
            time.sleep(LOOKS_EVERY)
    child.returncode = os.waitstatus_to_exitcode(status)
    if not stopped:
        cpu = max(cpu, usage.ru_utime + usage.ru_stime)
    return Measured(child.returncode, cpu, time.monotonic() - started, stopped)
