"""Hands CPR states between vcpr and a real QEMU, both ways, by transfer and by exec. Started by ci/real-qemu.

Every case starts real processes in a folder of its own. What it must see is said by check(); the first one that does
not hold fails the case, and the case's folder is kept for looking at it.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

PATIENCE = 20.0  # seconds until something that takes milliseconds counts as not happening
RAM_BYTES = 64 << 20
PATTERN_AT = 1 << 20  # guest physical, clear of firmware
TRACES = ["-trace", "cpr_*", "-trace", "qemu_file_*_fd"]


class Failed(Exception):
    """A case saw something else than it must."""


def check(holds, what):
    if not holds:
        raise Failed(what)


def wait_until(happened, what, patience=PATIENCE):
    """The first true value of happened()."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = happened()
        if value:
            return value
        time.sleep(0.01)
    raise Failed(f"{what}: not within {patience:g} s")


def pattern(seed):
    """Four words that say which run wrote them."""
    return [0xC0DE0000 + seed * 16 + i for i in range(4)]


ROM_SEALS = "1"  # F_SEAL_SEAL: made without MFD_ALLOW_SEALING
RAM_SEALS = "7"  # F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW
UNSEALED = "-"  # no kind of file that seals


class Machine:
    """A kind of VM: the arguments both sides need, and the table its CPR state must hold."""

    def __init__(self, name, capture, arguments, table):
        self.name = name
        self.capture = capture  # stem in corpus/captures
        self.arguments = arguments
        self.table = table  # entry -> kind, bytes, seals as vcpr recv prints them

    def has_ram(self):
        return "ram0" in self.table


# The version is that of the recorded main streams, which name it.
Q35 = ["-machine", "pc-q35-11.1,aux-ram-share=on,memory-backend=ram0", "-m", "64M",
       "-object", "memory-backend-memfd,id=ram0,size=64M,share=on"]
Q35_TABLE = {
    "ram0": ("file", RAM_BYTES, RAM_SEALS),
    "pc.bios": ("file", 256 << 10, ROM_SEALS),
    "pc.rom": ("file", 128 << 10, ROM_SEALS),
    "/rom@etc/acpi/tables": ("file", 2 << 20, ROM_SEALS),
    "/rom@etc/table-loader": ("file", 64 << 10, ROM_SEALS),
    "/rom@etc/acpi/rsdp": ("file", 4 << 10, ROM_SEALS),
}
# QEMU takes whatever descriptor it is given for an iommufd: entries that are no memory, without any hardware. Each QEMU
# inherits these three from here; only the source looks at them, the target's come with the state.
GIVEN = {"iommufd0": os.eventfd(0), "iommufd1": socket.socketpair()[0].detach(),
         "iommufd2": os.open(os.devnull, os.O_RDWR)}
GIVEN_ARGUMENTS = [word for name, fd in GIVEN.items() for word in ("-object", f"iommufd,id={name},fd={fd}")]
GIVEN_TABLE = {name: (kind, 0, UNSEALED) for name, kind in zip(GIVEN, ("eventfd", "socket", "device"))}

MACHINES = [
    Machine("none", "i_machine_none", ["-machine", "none,aux-ram-share=on"], {}),
    Machine("q35", "a_min_q35", Q35, Q35_TABLE),
    Machine("q35 with given descriptors", "h_iommufd_fakefd", Q35 + GIVEN_ARGUMENTS, Q35_TABLE | GIVEN_TABLE),
]


class Setting:
    """What all runs share: a Debian that holds QEMU, our tool, the recorded streams, a folder for the runs."""

    def __init__(self, debian, vcpr, captures):
        self.debian = pathlib.Path(debian).resolve()
        self.vcpr = str(pathlib.Path(vcpr).resolve())
        self.captures = pathlib.Path(captures).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vcpr-real-qemu-"))

    def qemu(self):
        """QEMU runs here, not in a chroot, but with the libraries and the firmware of its own Debian."""
        usr = self.debian / "usr"
        words = [self.debian / "lib64/ld-linux-x86-64.so.2", "--library-path", usr / "lib/x86_64-linux-gnu",
                 usr / "bin/qemu-system-x86_64", "-L", usr / "share/qemu", "-L", usr / "share/seabios"]
        return [str(word) for word in words]


class Run:
    """One run of one case: its folder, in which all its processes live, and every process it started."""

    def __init__(self, setting, label):
        self.setting = setting
        self.folder = setting.folder / label
        self.folder.mkdir()
        self.processes = []

    def start(self, name, command):
        """Starts a process in the folder; its output goes to NAME.log."""
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       pass_fds=GIVEN.values())
        self.processes.append(process)
        return process

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def status_of(self, name, process):
        """Waits for the end of a process."""
        wait_until(lambda: process.poll() is not None, f"{name} ends")
        return process.returncode

    def finish(self, name, process):
        """Waits for the end of a process that must end well."""
        status = self.status_of(name, process)
        check(status == 0, f"{name} ended with {status}: {self.log(name).strip()}")

    def qemu_command(self, name, machine, *more):
        return [*self.setting.qemu(), "-accel", "tcg", *machine.arguments, "-display", "none", "-nodefaults",
                "-qmp", f"unix:{name}.qmp,server=on,wait=off",
                "-qtest", f"unix:{name}.qtest,server=on,wait=off", "-qtest-log", "/dev/null",
                *TRACES, *more]

    def start_qemu(self, name, machine, *more):
        return self.start(name, self.qemu_command(name, machine, *more))

    def end(self, keep):
        for process in self.processes:
            process.kill()
            process.wait()
        if not keep:
            shutil.rmtree(self.folder)


class Lines:
    """A unix socket that speaks in lines."""

    def __init__(self, path):
        def connected():
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(str(path))
                return True
            except OSError:
                self.socket.close()
                return False

        wait_until(connected, f"{path.name} answers")
        self.socket.settimeout(PATIENCE)
        self.file = self.socket.makefile("rw", buffering=1)

    def ask(self, line):
        self.file.write(line + "\n")
        self.file.flush()

    def answer(self):
        return self.file.readline()


class Qmp(Lines):
    def __init__(self, run, name):
        super().__init__(run.folder / f"{name}.qmp")
        self.answer()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.ask(json.dumps({"execute": command, "arguments": arguments}))
        while True:
            line = self.answer()
            check(line, f"QEMU closed its monitor at {command}")
            reply = json.loads(line)
            check("error" not in reply, f"{command}: {reply.get('error')}")
            if "return" in reply:
                return reply["return"]

    def migration(self, status):
        def reached():
            now = self.call("query-migrate").get("status")
            check(now == status or now not in ("failed", "cancelled"), f"migration {now}: {self.call('query-migrate')}")
            return now == status

        wait_until(reached, f"migration {status}")

    def words_at(self, address):
        """Four words of guest memory, as the monitor shows them."""
        text = self.call("human-monitor-command", **{"command-line": f"xp /4xw {address:#x}"})
        return [int(word, 16) for word in text.split(":", 1)[1].split()]


def write_pattern(run, name, words):
    """Lets a QEMU write guest memory itself."""
    qtest = Lines(run.folder / f"{name}.qtest")
    for i, word in enumerate(words):
        qtest.ask(f"writel {PATTERN_AT + 4 * i:#x} {word:#x}")
        check(qtest.answer().startswith("OK"), "qtest writes memory")


def incoming_cpr(run):
    """The CPR channel of a QEMU that waits for a state."""
    channel = {"channel-type": "cpr", "addr": {"transport": "socket", "type": "unix", "path": f"cpr"}}
    return ["-incoming", json.dumps(channel), "-incoming", "unix:main"]


def migrate_by_transfer(run, source, cpr):
    def channel(kind, name):
        address = {"transport": "socket", "type": "unix", "path": f"{name}"}
        return {"channel-type": kind, "addr": address}

    source.call("migrate-set-parameters", mode="cpr-transfer")
    source.call("migrate", channels=[channel("main", "main"), channel("cpr", cpr)])


def listen(run, name):
    """A listening socket at NAME in the folder of the run, whatever the length of its path."""
    here = os.getcwd()
    os.chdir(run.folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen()
    os.chdir(here)
    listener.settimeout(PATIENCE)
    return listener


def stream_from(listener):
    """Everything the one that connects sends until it closes."""
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE)
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    connection.close()
    return b"".join(parts)


def memory_file(run, name, words):
    """A file as large as guest memory with these words where the pattern goes."""
    with open(run.folder / name, "wb") as file:
        file.truncate(RAM_BYTES)
        file.seek(PATTERN_AT)
        file.write(struct.pack("<4I", *words))
    return name


def check_memory_file(path, words):
    with open(path, "rb") as file:
        file.seek(PATTERN_AT)
        found = list(struct.unpack("<4I", file.read(16)))
    check(found == words, f"memory of the source: {found}, not {words}")


def check_table(machine, text):
    """What vcpr recv printed is the machine's table: entry ID KIND BYTES SEALS "NAME"."""
    found = {}
    for line in text.splitlines():
        if line.startswith("entry "):
            _, number, kind, size, seals, name = line.split(None, 5)
            check(number == "0", f"no entry of these machines has an id: {line}")
            found[json.loads(name)] = (kind, int(size), seals)
    check(found == machine.table, f"table received: {found}, not {machine.table}")


def check_loaded(run, name, machine):
    """The QEMU asked its CPR state for every descriptor it wants, and each was there."""
    found = {}
    for line in run.log(name).splitlines():
        if line.startswith("cpr_find_fd "):
            entry, answer = line.removeprefix("cpr_find_fd ").split(", id 0 returns ")
            found[entry] = int(answer)
    check(set(found) == set(machine.table), f"QEMU asked for {sorted(found)}, not {sorted(machine.table)}")
    check(all(number >= 0 for number in found.values()), f"QEMU missed an entry: {found}")


def check_memory(qemu, machine, words):
    if machine.has_ram():
        check(qemu.call("query-memdev")[0]["size"] == RAM_BYTES, "QEMU has its memory backend")
        check(qemu.words_at(PATTERN_AT) == words, f"memory of the target: {qemu.words_at(PATTERN_AT)}, not {words}")


def capture(run, machine, stream):
    return run.setting.captures / f"{machine.capture}.{stream}.bin"


def content(run, machine, words):
    """Options that give the state we build its memory."""
    return ["--content", "ram0=" + memory_file(run, "ram", words)] if machine.has_ram() else []


def start_source(run, machine, words):
    run.start_qemu("source", machine, "-S")
    source = Qmp(run, "source")
    if machine.has_ram():
        write_pattern(run, "source", words)
    return source


def write_option(machine):
    return ["--write", "ram0=ram.received"] if machine.has_ram() else []


def a_target_takes_our_state(run, machine, words):
    """vcpr send -> the CPR channel of a real target; a recorded main stream completes it."""
    run.start_qemu("target", machine, *incoming_cpr(run))
    wait_until((run.folder / "cpr").exists, "the target listens")
    time.sleep(0.2)
    check(not (run.folder / "target.qmp").exists(), "the target waits for its CPR state before it opens its monitor")
    state = capture(run, machine, "cpr")
    sender = run.start("send", [run.setting.vcpr, "send", "cpr", "--state", state, *content(run, machine, words)])
    run.finish("send", sender)
    target = Qmp(run, "target")
    check_loaded(run, "target", machine)
    main = Lines(run.folder / "main").socket
    main.sendall(capture(run, machine, "main").read_bytes())
    main.close()
    target.migration("completed")
    check_memory(target, machine, words)


def we_take_the_state_of_a_source(run, machine, words):
    """The CPR channel of a real source -> vcpr recv; the source goes on to the main channel."""
    source = start_source(run, machine, words)
    main = listen(run, "main")
    receiver = run.start("recv", [run.setting.vcpr, "recv", "cpr", *write_option(machine)])
    wait_until((run.folder / "cpr").exists, "vcpr recv listens")
    migrate_by_transfer(run, source, "cpr")
    stream = stream_from(main)
    run.finish("recv", receiver)
    source.migration("completed")
    check(stream[:4] == b"QEVM", "the source went on to the main channel")
    check_table(machine, run.log("recv"))
    if machine.has_ram():
        check_memory_file(run.folder / "ram.received", words)


def we_stand_between(run, machine, words):
    """Real source -> our table -> real target, by transfer; the main stream goes from QEMU to QEMU."""
    run.start_qemu("target", machine, *incoming_cpr(run))
    source = start_source(run, machine, words)
    wait_until((run.folder / "cpr").exists, "the target listens")
    relay = run.start("recv", [run.setting.vcpr, "recv", "relay", "cpr"])
    wait_until((run.folder / "relay").exists, "vcpr recv listens")
    migrate_by_transfer(run, source, "relay")
    run.finish("recv", relay)
    source.migration("completed")
    check_table(machine, run.log("recv"))
    target = Qmp(run, "target")
    target.migration("completed")
    check_loaded(run, "target", machine)
    check_memory(target, machine, words)


def migrate_by_exec(run, source, command):
    source.call("migrate-set-parameters", **{"mode": "cpr-exec", "cpr-exec-command": command})
    source.ask(json.dumps({"execute": "migrate", "arguments": {"uri": "file:main.file"}}))


def a_source_execs_us(run, machine, words):
    """A real source becomes vcpr by cpr-exec; it loads the state of its environment."""
    source = start_source(run, machine, words)
    migrate_by_exec(run, source, [run.setting.vcpr, "recv", "--exec", *write_option(machine)])
    run.finish("source", run.processes[0])
    check_table(machine, run.log("source"))
    if machine.has_ram():
        check_memory_file(run.folder / "ram.received", words)


def we_exec_a_target(run, machine, words):
    """vcpr becomes a real QEMU by cpr-exec; a recorded main stream completes it."""
    shutil.copy(capture(run, machine, "main"), run.folder / "main.file")
    qemu = run.qemu_command("target", machine, "-incoming", "file:main.file")
    state = capture(run, machine, "cpr")
    run.start("target", [run.setting.vcpr, "send", "--exec", "--state", state, *content(run, machine, words),
                         "--", *qemu])
    target = Qmp(run, "target")
    target.migration("completed")
    check_loaded(run, "target", machine)
    check_memory(target, machine, words)


def we_are_one_of_three_images(run, machine, words):
    """A real source becomes vcpr, which becomes a real target: one process, two execs."""
    source = start_source(run, machine, words)
    qemu = run.qemu_command("target", machine, "-incoming", "file:main.file")
    migrate_by_exec(run, source, [run.setting.vcpr, "recv", "--exec", "--", *qemu])
    target = Qmp(run, "target")
    target.migration("completed")
    check_table(machine, run.log("source"))
    check_loaded(run, "source", machine)
    check_memory(target, machine, words)


def state_of(run, machine):
    """The CPR state of a real source as it came: for each byte, the byte and the descriptors that rode on it."""
    source = start_source(run, machine, pattern(0))
    channel = listen(run, "channel")
    migrate_by_transfer(run, source, "channel")
    connection, _ = channel.accept()
    connection.settimeout(PATIENCE)
    state = []
    while True:
        byte, numbers, _, _ = socket.recv_fds(connection, 1, 16)
        if not byte:
            connection.close()
            return state
        state.append((byte[0], numbers))


def offer(run, name, state):
    """Sends a state to a vcpr recv of its own: how that ended, and what it said."""
    receiver = run.start(name, [run.setting.vcpr, "recv", name])
    to_us = Lines(run.folder / name).socket
    try:
        for byte, numbers in state:
            socket.send_fds(to_us, [bytes([byte])], numbers)
        to_us.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before its end
    status = run.status_of(name, receiver)
    to_us.close()
    return status, run.log(name)


def we_give_up_on_a_target_that_hangs(run, machine, words):
    """A real target is stopped before it takes our state: vcpr send says so in time."""
    target = run.start_qemu("target", machine, *incoming_cpr(run))
    wait_until((run.folder / "cpr").exists, "the target listens")
    target.send_signal(signal.SIGSTOP)
    sender = run.start("send", [run.setting.vcpr, "send", "cpr", "--timeout", "1", "--state",
                                capture(run, machine, "cpr")])
    status = run.status_of("send", sender)
    check(status == 1 and "timed_out" in run.log("send"), f"vcpr send ended with {status}: {run.log('send')}")


def we_refuse_a_damaged_state(run, machine, words):
    """The state of a real source is taken as it is, and refused with the offset when a byte of it is damaged."""
    state = state_of(run, machine)
    check(offer(run, "whole", state)[0] == 0, "the state is taken as it is")
    services = [at for at, (_, numbers) in enumerate(state) if numbers]
    for at in [0, 7, 8, *services, len(state) - 1]:
        byte, numbers = state[at]
        damaged = [*state[:at], (byte ^ 0x42, numbers), *state[at + 1:]]
        status, said = offer(run, f"damaged-{at}", damaged)
        check(status == 1, f"damage at byte {at} was taken: status {status}: {said}")
        check(" at byte " in said, f"damage at byte {at}: the refusal names no byte: {said}")


CASES = [
    a_target_takes_our_state,
    we_take_the_state_of_a_source,
    we_stand_between,
    a_source_execs_us,
    we_exec_a_target,
    we_are_one_of_three_images,
    we_give_up_on_a_target_that_hangs,
    we_refuse_a_damaged_state,
]


def run_case(setting, case, machine, round_number):
    """True when it passed; says so in a line."""
    label = f"{case.__name__}-{machine.name.replace(' ', '-')}-{round_number}"
    run = Run(setting, label)
    start = time.monotonic()
    why = None
    try:
        case(run, machine, pattern(round_number))
    except Failed as failure:
        why = str(failure)
    except Exception:  # a socket that times out, an answer that cannot be read: the run failed all the same
        why = traceback.format_exc()
    run.end(keep=why is not None)
    took = time.monotonic() - start
    title = f"{case.__name__.replace('_', ' ')}, machine {machine.name}, round {round_number}"
    if why is None:
        print(f"passed  {title} ({took:.1f} s)", flush=True)
        return True
    print(f"FAILED  {title} ({took:.1f} s)\n        {why}\n        kept: {run.folder}", flush=True)
    return False


def main():
    debian, vcpr, captures, rounds = sys.argv[1:]
    setting = Setting(debian, vcpr, captures)
    results = []
    for round_number in range(1, int(rounds) + 1):
        for case in CASES:
            for machine in MACHINES:
                results.append(run_case(setting, case, machine, round_number))
    failed = results.count(False)
    if not failed:
        setting.folder.rmdir()
    print(f"{results.count(True)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
