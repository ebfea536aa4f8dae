#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""How long a guest stands still that receives as much as it can.

A guest is migrated to and fro between two virtual functions, with and without the
log of their DMA by turns. Then one is that has a virtio-net card instead. This is
done with guests of several sizes, and medians are compared.
"""

import argparse
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

import trace  # noqa: E402 (it is next door)
from iommu import GROUP  # noqa: E402
from migrate import Migration  # noqa: E402
from program import workplace  # noqa: E402
from progress import Progress, Stopped, Trouble  # noqa: E402
from scenario import BANDWIDTH, DOWNTIME  # noqa: E402

SECONDS = 2			# of traffic before each migration
MIB = 1024 * 1024
LOG, NO_LOG, VIRTIO = KINDS = ("log", "no log", "virtio-net")
GOALS = ((NO_LOG, LOG, "at least", 10.0), (LOG, VIRTIO, "at most", 1.25))


class Result:
    """What one migration came to."""

    def __init__(self, record):
        self.stood = (record.resumed - record.stopped) * 1000
        self.downtime = record.migration["downtime"]
        self.late = record.migration["ram"].get("downtime-bytes", 0) / MIB
        self.log = record.dirty_log

    def __str__(self):
        text = (f"{self.stood:.0f} ms, {self.downtime} as QEMU has it, "
                f"{self.late:.1f} MiB sent meanwhile")
        if self.log.started:
            text += (f"; written by the card: {self.log.running} while the "
                     f"guest ran, {self.log.standing} then")
        return text


class Chain(Migration):
    """A guest that is migrated once for each of the kinds that are named."""

    def __init__(self, kinds, memory, *surroundings):
        super().__init__(argparse.Namespace(
            nic="virtio" if VIRTIO in kinds else "vf", source=GROUP,
            destination=GROUP, memory=memory, bandwidth=BANDWIDTH,
            downtime=DOWNTIME, no_log=kinds[0] != LOG, load=True,
            compare=False, break_traffic=None), *surroundings)
        self.kinds = kinds
        self.results = []

    def play(self):
        self.prepare()
        self.boot()
        for number, kind in enumerate(self.kinds):
            later = self.kinds[number + 1:]
            # It is the source that uses a log, and its QEMU starts by now.
            self.nic.log = LOG in later[:1]
            self.destination = self.new_destination(f"guest-{number + 1}",
                                                    (number + 1) % 2)
            self.progress.pause("traffic", SECONDS, self.check_health)
            self.migrate()
            self.hand_over()
            self.expect_traffic()
            self.note(kind)
            self.source, self.destination = self.destination, None

    def note(self, kind):
        self.note_events()
        log = trace.DirtyLog(trace.read(self.source.trace_path))
        if log.started != (kind == LOG):
            raise Trouble(f"{kind}: QEMU has {'' if log.started else 'not '}"
                          "started a log")
        if log.started and not log.tells_apart():
            raise Trouble(f"the log does not tell pages apart: {log.running} "
                          f"while the guest ran, {log.standing} then")
        self.record.dirty_log = log
        self.results.append(Result(self.record))
        self.progress.say(f"{self.memory} MiB, {kind}: {self.results[-1]}")

    def gather_after_failure(self):
        """What it knows is of no use here."""

    def collect(self):
        self.stop_pings()
        complaints = self.kill(self.peer)
        if complaints and not self.trouble:
            self.trouble = "; ".join(complaints)


def run(kinds, memory, progress):
    """The results, one for each of the kinds."""
    with workplace() as (directory, stack):
        chain = Chain(kinds, memory, progress, directory, stack)
        chain.run()
    if chain.trouble:
        error = Stopped if chain.interrupted else Trouble
        raise error(f"{memory} MiB: {chain.trouble}")
    return chain.results


def run_twice(kinds, memory, progress):
    """Emulation has guests hang: once is not worth all that was measured."""
    try:
        return run(kinds, memory, progress)
    except Stopped:
        raise
    except Trouble as err:
        progress.say(f"{err}: once more")
        return run(kinds, memory, progress)


def measure(memory, rounds, progress):
    """How long the guest stood still: {kind: times}."""
    times = {kind: [] for kind in KINDS}
    for kinds in ([LOG, NO_LOG] * rounds, [VIRTIO] * rounds):
        progress.say(f"a guest of {memory} MiB: {', '.join(kinds)}")
        for kind, result in zip(kinds, run_twice(kinds, memory, progress)):
            times[kind].append(result.stood)
    return times


def leave_data(path, medians):
    with open(path, "w") as file:
        file.write(f"# MiB of memory; ms with: {', '.join(KINDS)}\n")
        for memory, stood in medians.items():
            print(memory, *(round(stood[kind]) for kind in KINDS), file=file)


def tell(medians, rounds):
    print(f"\nthe guest stands still, in ms: medians of {rounds} migrations")
    print("MiB".rjust(6) + "".join(kind.rjust(12) for kind in KINDS))
    for memory, stood in medians.items():
        print(f"{memory:6}" + "".join(f"{stood[kind]:12.0f}"
                                      for kind in KINDS))
    for memory, stood in medians.items():
        for one, other, word, goal in GOALS:
            ratio = stood[one] / stood[other]
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
    progress = Progress("# ")
    medians = {}
    for memory in options.memory:
        times = measure(memory, options.rounds, progress)
        medians[memory] = {kind: statistics.median(found)
                           for kind, found in times.items()}
    leave_data(options.data, medians)
    tell(medians, options.rounds)


if __name__ == "__main__":
    try:
        main()
    except Trouble as err:
        sys.exit(f"downtime: {err}")
