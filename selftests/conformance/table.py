#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""table.py DOCUMENT LIST LOG...: writes the table of results into DOCUMENT.

LIST is what "conformance --list" prints, and each LOG the output of a run on one
device, the name of the file being that of its driver. The table goes between two
comments of DOCUMENT, in place of what is there.
"""

import os
import re
import sys

BEGIN = ".. The table below is made by table.py.\n"
END = ".. End of the table.\n"


class Run:
    """What one log tells of a device that was opened through its group."""

    def __init__(self, path):
        self.driver = os.path.basename(path)
        self.verdicts = {}      # (test, requirement): "held", "broken", ...
        self.results = {}       # test: "ok", "not ok", or why it was skipped
        self.parse(path)

    def parse(self, path):
        pending = {}
        for line in open(path, encoding="utf-8", errors="replace"):
            found = re.match(r"# ([a-z0-9-]+\.[a-z0-9-]+): "
                             r"(held|broken|not tested: .*)$", line)
            if found:
                pending[found[1]] = found[2]
                continue
            found = re.match(r"(ok|not ok) \d+ conformance\.(\w+)\.(\w+)"
                             r"(?: # SKIP (.*))?$", line)
            if found:
                if found[2] == "group":
                    self.note(found[3], found[4] or found[1], pending)
                pending = {}

    def note(self, test, result, verdicts):
        self.results[test] = result
        for requirement, verdict in verdicts.items():
            self.verdicts[test, requirement] = verdict

    def verdict(self, test, requirement):
        """None where the test died before it could tell."""
        seen = self.verdicts.get((test, requirement))
        if seen is None and self.results.get(test) not in ("ok", "not ok"):
            return "not tested: " + self.results.get(test, "not run")
        return seen

    def cell(self, requirement, tests):
        seen = [self.verdict(test, requirement) for test in tests]
        if "broken" in seen:
            return "**broken**"
        if None in seen:
            return "**died**"
        if "held" in seen:
            return "held"
        return seen[0]

    def sum(self):
        results = list(self.results.values())
        passed = results.count("ok")
        failed = results.count("not ok")
        return f"{passed} passed, {failed} failed, " \
               f"{len(results) - passed - failed} skipped"


def read_list(path):
    requirements, holders = [], {}
    for line in open(path, encoding="utf-8"):
        kind, *fields = line.rstrip("\n").split("\t")
        if kind == "requirement":
            requirements.append(fields)
        else:
            for requirement in fields[1].split():
                holders.setdefault(requirement, []).append(fields[0])
    return requirements, holders


def row(cells):
    return "".join(f"   {'*' if i == 0 else ' '} - {cell}\n"
                   for i, cell in enumerate(cells))


def table(requirements, holders, runs):
    lines = [".. list-table::\n   :header-rows: 1\n\n"]
    lines.append(row(["requirement", "comment in <linux/vfio.h>", "test"] +
                     [run.driver for run in runs]))
    for name, place, words, untested in requirements:
        tests = holders.get(name, [])
        if untested:
            cells = ["none: " + untested] + ["not tested"] * len(runs)
        else:
            cells = [", ".join(tests)]
            cells += [run.cell(name, tests) for run in runs]
        lines.append(row([f"``{name}``: {words}", place] + cells))
    lines.append("\nThe tests as they are counted:\n\n")
    lines += [f"* {run.driver}: {run.sum()}\n" for run in runs]
    return "".join(lines)


def main():
    document, listed, *logs = sys.argv[1:]
    made = table(*read_list(listed), [Run(log) for log in logs])
    text = open(document, encoding="utf-8").read()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    with open(document, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n{made}\n{END}{tail}")


main()
