"""Coverage of each room: coverage_by_room.py SUMMARY_JSON (of llvm-cov export -summary-only), from the root."""
import collections
import json
import os
import sys

KINDS = ("lines", "regions", "branches", "functions")


def main(path):
    rooms = collections.defaultdict(lambda: {kind: [0, 0] for kind in KINDS})
    with open(path, encoding="utf-8") as summary:
        files = json.load(summary)["data"][0]["files"]
    for file in files:
        folder = os.path.dirname(os.path.relpath(file["filename"]))
        for room in (folder, "all"):
            for kind in KINDS:
                rooms[room][kind][0] += file["summary"][kind]["covered"]
                rooms[room][kind][1] += file["summary"][kind]["count"]
    print(f"{'room':<26}" + "".join(f"{kind:>19}" for kind in KINDS))
    for room in sorted(rooms, key=lambda name: (name == "all", name)):
        cells = (f"{covered}/{count} {100 * covered / max(count, 1):3.0f} %" for covered, count in rooms[room].values())
        print(f"{room:<26}" + "".join(f"{cell:>19}" for cell in cells))


if __name__ == "__main__":
    main(sys.argv[1])
