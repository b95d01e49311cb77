"""Holds the sidecars of corpus/captures to the schema of its README, and to the streams beside them.

check_captures.py FOLDER: one line per fault; exit 1 when there is any.
"""
import json
import pathlib
import re
import sys

KINDS = {"memfd", "file", "eventfd", "chardev", "vfio-device", "socket", "pipe"}
MODES = {"cpr": {"cpr-transfer"}, "cprexec": {"cpr-exec"}, "main": {"cpr-transfer", "cpr-exec", "cpr-reboot"}}
COMMON = {"name": str, "stream": str, "mode": str, "bytes": int, "qemu": str, "source_command": list,
          "target_command": (list, type(None)), "descriptors": list}
OF_EXEC = {"state_fd": int, "environment": dict}
DESCRIPTOR = {"kind": str, "link": str, "flags": int, "size": int}
OF_STREAM = {"cpr": {"stream_offset": int, "mode": int, "inode": int, "seals": (int, type(None))},
             "cprexec": {"fd": int, "position": int}}
STATE_LINK = "/memfd:QEMU_CPR_EXEC_STATE (deleted)"


def wrong_fields(where, value, fields):
    """Fields that are missing, unknown or of another type than the schema's."""
    for name in sorted(fields.keys() ^ value.keys()):
        yield f"{where}: {name} is {'missing' if name in fields else 'no field of the schema'}"
    for name in sorted(fields.keys() & value.keys()):
        if not isinstance(value[name], fields[name]) or isinstance(value[name], bool):
            yield f"{where}: {name} is of another type"


def wrong_descriptors(sidecar, stream):
    """What is wrong with each descriptor by itself, and with their order."""
    kind = sidecar["stream"]
    for number, descriptor in enumerate(sidecar["descriptors"]):
        where = f"descriptors[{number}]"
        faults = list(wrong_fields(where, descriptor, DESCRIPTOR | OF_STREAM[kind]))
        yield from faults
        if faults:
            return
        if descriptor["kind"] not in KINDS:
            yield f"{where}: unknown kind"
        if kind == "cpr" and stream[descriptor["stream_offset"]:][:1] != b" ":
            yield f"{where}: stream_offset is not that of a service byte"
    order = [d["stream_offset" if kind == "cpr" else "fd"] for d in sidecar["descriptors"]]
    if order != sorted(set(order)):
        yield "descriptors: not in ascending order"


def wrong_state_fd(sidecar):
    """What is wrong with how a cprexec state is found."""
    held = [d for d in sidecar["descriptors"] if d.get("fd") == sidecar["state_fd"]]
    if not held or held[0]["link"] != STATE_LINK or held[0]["size"] != sidecar["bytes"]:
        yield "state_fd: not the memfd with the state"
    if sidecar["environment"] != {"QEMU_CPR_EXEC_STATE": str(sidecar["state_fd"])}:
        yield "environment: not the number of the state memfd"


def wrong_with(sidecar, path):
    """Everything wrong with a sidecar, first the form, then what it says."""
    kind = sidecar.get("stream")
    faults = list(wrong_fields("sidecar", sidecar, COMMON | (OF_EXEC if kind == "cprexec" else {})))
    if faults:
        return faults
    stream = path.with_suffix(".bin").read_bytes()
    if path.name != f"{sidecar['name']}.{kind}.json":
        faults.append("name and stream: not those of the file")
    if sidecar["mode"] not in MODES.get(kind, set()):
        faults.append("mode: not one of this stream")
    if sidecar["bytes"] != len(stream):
        faults.append("bytes: not the size of the stream")
    if kind == "main" and sidecar["descriptors"]:
        faults.append("descriptors: a main stream carries none")
    elif kind != "main":
        faults += wrong_descriptors(sidecar, stream)
    if kind == "cprexec":
        faults += wrong_state_fd(sidecar)
    return faults


def main(folder):
    folder = pathlib.Path(folder)
    listed = set(re.findall(r"`([\w/]+)`", "".join(
        line.split("|")[1] for line in (folder / "README.md").read_text().splitlines() if line.startswith("| `"))))
    streams = {path.with_suffix("") for path in folder.rglob("*.bin")}
    sidecars = {path.with_suffix("") for path in folder.rglob("*.json")}
    faults = [f"{path}: a stream without sidecar, or the reverse" for path in sorted(streams ^ sidecars)]
    for path in sorted(streams & sidecars):
        if str(path.relative_to(folder)).split(".", maxsplit=1)[0] not in listed:
            faults.append(f"{path}: not in the table of README.md")
        sidecar = path.with_name(path.name + ".json")
        faults += [f"{sidecar}: {fault}" for fault in wrong_with(json.loads(sidecar.read_text()), sidecar)]
    if not streams:
        faults.append(f"{folder}: no stream")
    print("\n".join(faults) or f"{len(streams)} streams with sidecars")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
