#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Whether locks are taken in the order that the documentation states.

The table in the section "Locks" of Documentation/architecture.rst says which
lock is taken while another one is held. On a kernel with lockdep this has tests
take the locks, and then compares the table with the chains of locks that lockdep
has seen: each order in it must have been seen, and no other order among the
locks of the table, nor a lock of vfmig that is not in it.
"""

import re
import subprocess
import sys
from bisect import bisect
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHAINS = Path("/proc/lockdep_chains")
CLASSES = Path("/proc/lockdep")
STATS = Path("/proc/lockdep_stats")
MODULES = ("vfio_pci_mig", "igb_vfio_pci")

# Between them they take all locks in all orders. Of hot resets only one that is
# refused: what lockdep has to say of one that is done is in Documentation/lab.rst.
PROGRAMS = (
    ("gate", "closed_in_stop", "mapped_while_stopped"),
    ("data_fd", "byte_by_byte", "dies_with_its_state", "faults_lose_nothing"),
    ("precopy", "reads_changes", "refused_message"),
    ("reset", "from_each_state"),
    ("aer", "region", "irq_arguments", "nonfatal", "guest_polls"),
    ("hot_reset", "one_group"),
    ("dma_log", "frame_by_frame"),
)


class Table:
    """The table of the documentation, which is a simple one of reStructuredText."""

    def __init__(self, text):
        self.inside = {}
        self.ours = set()
        self.parse(text[text.index("\nLocks\n====="):])

    def parse(self, text):
        rulers = [match.start() for match in re.finditer(r"^=+ =+ =+$", text,
                                                         re.MULTILINE)]
        columns = [match.start() for match in re.finditer(
            r"=+", text[rulers[0]:text.index("\n", rulers[0])])]
        lock = None
        for line in text[rulers[1]:rulers[2]].splitlines()[1:]:
            name = line[:columns[1]].strip().strip("`")
            if name:
                lock = name
                self.inside[lock] = set()
                if line[columns[1]:columns[2]].strip() == "vfmig":
                    self.ours.add(lock)
            self.inside[lock] |= set(re.findall("``(.*?)``", line[columns[2]:]))

    def orders(self):
        return {(outer, inner) for outer, inners in self.inside.items()
                for inner in inners}

    def allowed(self):
        """What follows from the table, by way of locks that are in between."""
        pairs = self.orders()
        while True:
            more = {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs
            if not more:
                return pairs
            pairs |= more


class Symbols:
    """Whose a lock is: lockdep names its class by the address of a variable."""

    def __init__(self):
        symbols = {}
        for line in Path("/proc/kallsyms").read_text().splitlines():
            address, _, _, *module = line.split()
            symbols[int(address, 16)] = module
        self.addresses = sorted(symbols)
        self.modules = [symbols[address] for address in self.addresses]

    def own(self, address):
        """The variable may be in the midst of a larger one."""
        module = self.modules[bisect(self.addresses, address) - 1]
        return bool(module) and module[0].strip("[]") in MODULES


class Seen:
    """What lockdep has seen: pairs of locks, the second taken under the first."""

    def __init__(self, table):
        self.table = table
        self.symbols = Symbols()
        self.pairs = defaultdict(list)
        self.own = set()
        for chain in CHAINS.read_text().split("\n\n"):
            self.add([self.name(*lock) for lock in
                      re.findall(r"^\[(\S+)\] (.*)$", chain, re.MULTILINE)])

    def name(self, key, name):
        # "#2" is another of that name, "/1" a subclass
        name = re.sub(r"(#\d+)?(/\d+)?$", "", name)
        if self.symbols.own(int(key, 16)):
            self.own.add(name)
        elif name in self.table.ours:
            return f"another's {name}"
        return name

    def add(self, chain):
        # The last one is what was taken; whatever was only tried is never the last.
        for outer in chain[:-1]:
            if outer != chain[-1]:
                self.pairs[outer, chain[-1]].append(chain)

    def relevant(self):
        known = self.own | set(self.table.inside)
        return {pair for pair in self.pairs if set(pair) <= known and
                set(pair) & (self.own | self.table.ours)}


def has_given_up():
    return not re.search(r"^ debug_locks: +1$", STATS.read_text(), re.MULTILINE)


def take_locks():
    """What is wrong with it, as a list."""
    complaints = []
    for program, *names in PROGRAMS:
        command = [HERE / program]
        for name in names:
            command += ["-t", name]
        done = subprocess.run(command, cwd=HERE, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            print("".join(f"# {line}\n" for line in done.stdout.splitlines()),
                  end="")
            complaints.append(f"{program} has failed")
    if has_given_up():
        complaints.append("lockdep has given up")
    return complaints


def result(number, what, complaints):
    for complaint in complaints:
        print(f"# {complaint}")
    print(f"{'not ok' if complaints else 'ok'} {number} {what}")
    return bool(complaints)


def judge(table):
    seen = Seen(table)
    unknown = sorted(seen.own - table.ours)
    missing = sorted(table.orders() - set(seen.pairs))
    extra = sorted(seen.relevant() - table.allowed())
    bad = result(2, "all locks of vfmig are in the table",
                 [f"{name} is not" for name in unknown])
    bad |= result(3, "each order in the table has been seen",
                  [f"{outer} -> {inner} has not" for outer, inner in missing])
    bad |= result(4, "no other order has been seen",
                  [f"{outer} -> {inner}: {' -> '.join(seen.pairs[outer, inner][0])}"
                   for outer, inner in extra])
    return bad


def skip(why):
    print(f"1..0 # SKIP {why}")
    return 4


def hides_addresses():
    """The kernel shows hashes in place of addresses, unless it is told not to."""
    first = re.search(r"^([0-9a-f]+) ", CLASSES.read_text(), re.MULTILINE)
    return int(first.group(1), 16) >> 63 == 0


def main():
    sys.stdout.reconfigure(line_buffering=True)
    print("TAP version 13")
    if not CHAINS.exists():
        return skip("the kernel has no lockdep")
    if hides_addresses():
        return skip("the kernel was not booted with no_hash_pointers")
    print("1..4")
    table = Table((HERE / "architecture.rst").read_text())
    bad = result(1, "the locks have been taken", take_locks())
    return 1 if judge(table) | bad else 0


if __name__ == "__main__":
    sys.exit(main())
