"""Says what came of a ctest run: ctest_report.py PRESET JUNIT_XML COUNTS_FILE

Prints every failed test with its output and every skipped one with its reason; writes "PASSED FAILED SKIPPED" into
COUNTS_FILE. A run without a single test counts as failed.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree


def reason(output):
    """Why a test was skipped: what follows GoogleTest's "file:line: Skipped", or the last line of a script."""
    found = re.search(r": Skipped\n(.*?)\n*(?:^\[|\Z)", output, re.S | re.M)
    lines = [found.group(1)] if found else output.split("\n")
    return " ".join(next((line for line in reversed(lines) if line.strip()), "no reason given").split())


def main(preset, junit, counts_file):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name, output = case.get("name"), case.findtext("system-out") or ""
        if case.find("failure") is not None or case.get("status") == "fail":
            counts["failed"] += 1
            print(f"{output.rstrip()}\nFAILED  {preset}: {name}")
        elif case.find("skipped") is not None:
            counts["skipped"] += 1
            print(f"skipped {preset}: {name}: {reason(output)}")
        else:
            counts["passed"] += 1
    if not any(counts.values()):
        counts["failed"] = 1
        print(f"FAILED  {preset}: ctest found no test")
    print(f"{preset}: " + ", ".join(f"{number} {what}" for what, number in counts.items()))
    with open(counts_file, "w", encoding="utf-8") as out:
        out.write(" ".join(str(number) for number in counts.values()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
