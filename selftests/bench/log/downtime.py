#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""How long a guest stands still that receives as much as it can.

It is migrated with a virtual function and the log of its DMA, with one and
without the log, and with a virtio-net card in its place, by turns, and medians
are compared.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
E2E = os.path.join(HERE, "..", "..", "e2e")
os.environ.setdefault("VFMIG_PROGRAMS", E2E)
sys.path.insert(0, E2E)

from migrate import Migration
from progress import Progress
from scenario import BANDWIDTH, DOWNTIME

SECONDS = 4			# of traffic, before and after
MIB = 1024 * 1024
LOG, NO_LOG, VIRTIO = "log", "no log", "virtio-net"
KINDS = {
    LOG: {"nic": "vf", "no_log": False},
    NO_LOG: {"nic": "vf", "no_log": True},
    VIRTIO: {"nic": "virtio", "no_log": True},
}
GOALS = ((NO_LOG, LOG, "at least", 10.0), (LOG, VIRTIO, "at most", 1.25))


class Result:
    """What one migration came to."""

    def __init__(self, record):
        self.stood = (record.resumed - record.stopped) * 1000
        self.downtime = record.migration["downtime"]
        ram = record.migration["ram"]
        self.late = ram.get("downtime-bytes", 0) / MIB
        self.log = record.dirty_log

    def __str__(self):
        text = (f"{self.stood:.0f} ms, {self.downtime} as QEMU has it, "
                f"{self.late:.1f} MiB sent meanwhile")
        if self.log.started:
            text += (f"; written by the card: {self.log.running} while the "
                     f"guest ran, {self.log.standing} then")
        return text


def migrate(kind, memory, progress):
    options = argparse.Namespace(
        source="group", destination="group", before=SECONDS, after=SECONDS,
        memory=memory, bandwidth=BANDWIDTH, downtime=DOWNTIME,
        break_traffic=None, load=True, compare=False, report=None,
        **KINDS[kind])
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="vfmig-bench-"))
        migration = Migration(options, progress, directory, stack)
        migration.run()
        if migration.trouble:
            sys.exit(f"downtime: {kind}, {memory} MiB: {migration.trouble}")
        return Result(migration.record)


def measure(memories, rounds, progress):
    results = {(memory, kind): [] for memory in memories for kind in KINDS}
    for number in range(rounds):
        for (memory, kind), so_far in results.items():
            progress.say(f"round {number + 1} of {rounds}: {memory} MiB, "
                         f"{kind}")
            so_far.append(migrate(kind, memory, progress))
            print(f"# {memory} MiB, {kind}: {so_far[-1]}", flush=True)
    return results


def leave_data(path, medians, memories):
    with open(path, "w") as file:
        file.write(f"# MiB of memory; ms with: {', '.join(KINDS)}\n")
        for memory in memories:
            print(memory, *(round(medians[memory, kind]) for kind in KINDS),
                  file=file)


def tell(medians, memories, rounds):
    print(f"\nthe guest stands still, in ms: medians of {rounds} migrations")
    print("MiB".rjust(6) + "".join(kind.rjust(12) for kind in KINDS))
    for memory in memories:
        print(f"{memory:6}" + "".join(f"{medians[memory, kind]:12.0f}"
                                      for kind in KINDS))
    for memory in memories:
        for one, other, word, goal in GOALS:
            ratio = medians[memory, one] / medians[memory, other]
            met = ratio >= goal if word == "at least" else ratio <= goal
            print(f"{memory} MiB, {one} / {other}: {ratio:.2f}; goal: {word} "
                  f"{goal:g}: {'met' if met else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", metavar="MIB",
                        default=[128, 256, 512], help="of the guest")
    parser.add_argument("--data", metavar="FILE", default=os.devnull,
                        help="leave the numbers in FILE as well")
    options = parser.parse_args()
    results = measure(options.memory, options.rounds, Progress("# "))
    medians = {key: statistics.median(result.stood for result in found)
               for key, found in results.items()}
    leave_data(options.data, medians, options.memory)
    tell(medians, options.memory, options.rounds)


if __name__ == "__main__":
    main()
