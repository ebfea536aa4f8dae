#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Migrates a running guest from one virtual function to another, end to end.

Two QEMUs run side by side. The guest of the first has a virtual function, and
talks through it to this host: numbered records both ways over one TCP
connection, and pings ten times a second; pings in a VLAN, to a multicast group
and in large frames, for which the guest has asked the PF. Then it is migrated to
the second QEMU, which has another virtual function, and everything must go on as
if nothing had happened. The exit status is 0 only if it did.
"""

import argparse
import contextlib
import os
import sys
import time

import memory
import plot
import trace
from initrd import build_initrd, talk
from iommu import WAYS
from network import HOST_ADDRESS, PORT
from nic import VfNic, VirtioNic
from program import new_parser, run
from progress import Trouble
from report import Record, checks, host_troubles, outcome
from scenario import (BANDWIDTH, BOOT_SECONDS, DOWNTIME, MEMORY, Scenario,
                      find_program)
from trace import DirtyLog, Precopy
from traffic import PEER_ARGS, Peer

MIGRATION_SECONDS = 180
RESUME_SECONDS = 30
EVIDENCE_SECONDS = 60
FLAT_OUT = 100000		# records in a second: more than can be sent
RECORDS_AFTER = 50		# this many both ways prove that TCP flows again
PEER_FINISHED = (0, 1)		# in order; 1 where it has seen damage
BREAKS = ("lose", "repeat", "corrupt", "close")
BREAK_AT = 1000			# the record of the guest's that is broken


class Migration(Scenario):
    """Each step leaves what it saw in the record."""

    def __init__(self, options, *surroundings):
        super().__init__(*surroundings)
        self.options = options
        self.memory = options.memory
        self.bandwidth = options.bandwidth
        self.downtime = options.downtime
        self.ways = (options.source, options.destination)
        self.record = Record(options.nic == "vf", options.compare)
        self.source = self.destination = self.peer = None
        self.retired = None		# the guest that may be gone
        self.memories = []		# files

    def check_health(self):
        """All that should be there still is, and nobody hung up."""
        self.peer.must_live()
        for guest in (self.source, self.destination):
            if guest and guest is not self.retired:
                guest.must_live()

    def prepare(self):
        self.prepare_nic(VirtioNic if self.options.nic == "virtio" else VfNic)
        self.nic.log = not self.options.no_log
        self.record.nic, self.record.flows = self.nic, self.flows
        programs = [find_program(name) for name in ("peer", "tap")]
        peer_args = [*PEER_ARGS]
        if self.options.break_traffic:
            peer_args += ["-b", f"{self.options.break_traffic}:{BREAK_AT}"]
        build_initrd(self.path("guest.initrd"), self.nic.guest_modules,
                     programs, talk(peer_args, self.options.compare))
        self.peer = self.keep(Peer(programs[0], HOST_ADDRESS, PORT,
                                   self.path("peer.log"),
                                   FLAT_OUT if self.options.load else None))

    def boot(self):
        self.progress.say("starting the source, and booting the guest")
        self.source = self.new_guest("source", 0)
        self.source.must_say(self.progress, "guest: before uptime",
                             "the guest to boot and bring its card up",
                             BOOT_SECONDS)
        self.progress.wait("the guest's TCP connection", self.peer.connected,
                           30, [self.source.serial, self.peer.log])
        self.start_pings()
        self.record.pinger = self.pinger
        self.progress.say("the guest runs, and TCP and pings flow")

    def migrate(self):
        record, qmp = self.record, self.source.qmp
        record.began = time.time()
        self.progress.say("migrating")
        qmp.command("migrate", self.migration_uri())
        last_word = time.monotonic()

        def ended():
            nonlocal last_word
            self.check_health()
            record.migration = qmp.command("query-migrate")
            if time.monotonic() - last_word > 1:
                last_word = time.monotonic()
                self.say_how_far()
            return record.migration["status"] in ("completed", "failed",
                                                  "cancelled")

        self.progress.wait("the migration to end", ended, MIGRATION_SECONDS,
                           self.logs(), every=0.2)
        record.completed = time.time()
        if record.migration["status"] != "completed":
            raise Trouble(f"the migration {record.migration['status']}: "
                          + self.reason())

    def reason(self):
        """Why a migration failed. What the kernel says is closest to it."""
        words = host_troubles(self.kernel_log.read())
        return (words[-1].split("] ", 1)[-1] if words else
                self.record.migration.get("error-desc", "QEMU does not say"))

    def say_how_far(self):
        migration = self.record.migration
        ram = migration.get("ram")
        if not ram:
            return
        text = (f"migrating: {ram['transferred'] >> 20} MiB sent, "
                f"{ram['remaining'] >> 20} of {ram['total'] >> 20} MiB of "
                "memory left")
        if "vfio" in migration:
            text += f", {migration['vfio']['transferred']} bytes of device"
        self.progress.say(text)

    def save_memories(self):
        """While neither guest runs the same is in both."""
        def has_all():
            self.check_health()
            return self.destination.status() == "paused"

        self.progress.wait("the destination to have it all", has_all,
                           RESUME_SECONDS, self.logs())
        self.progress.say("saving the memories of both guests")
        self.memories = [
            memory.save(guest, self.path(f"{guest.short_name}.memory"))
            for guest in (self.source, self.destination)]
        self.destination.qmp.command("cont")

    def compare(self):
        self.progress.say("comparing what was in the memories")
        clocks = memory.wall_clocks(self.source.console())
        self.record.compared = memory.compare(*self.memories, clocks)
        for file in self.memories:
            os.unlink(file)

    def hand_over(self):
        """The destination must run by itself; the source is of no more use."""
        record = self.record

        def runs():
            self.check_health()
            status = self.destination.qmp.command("query-status")["status"]
            record.destination_status = status
            return status == "running"

        self.progress.wait("the destination to run", runs, RESUME_SECONDS,
                           self.logs())
        self.must_have_no_complaint()
        record.peer_at_resume = self.peer.counts()
        self.note_events()
        self.retired = self.source
        self.source.qmp.command("quit")
        self.progress.wait("the source to quit",
                           lambda: not self.source.alive(), 30, self.logs())
        record.source_exit = self.source.exit_status()
        self.progress.say("the destination runs, the source has ended")

    def must_have_no_complaint(self):
        """QEMU runs a guest even if its card refused the state it got."""
        for guest in (self.source, self.destination):
            complaint = guest.complaint()
            if complaint:
                words = host_troubles(self.kernel_log.read())
                raise Trouble("\n".join([
                    f"QEMU ({guest.short_name}) says: {complaint}", *words]))

    def note_events(self):
        """What the QEMUs said about when they stopped and went on.

        Each has two parts to it, in an order that is QEMU's own business: the
        processor, and the card.
        """
        record = self.record
        stops, starts, states = [], [], {}

        def events(guest, name):
            # A source may have been a destination before.
            since = guest is self.source and record.began or 0
            return [event for event in guest.events_named(name)
                    if event[0] >= since]

        for guest in (self.source, self.destination):
            if not guest or not guest.qmp:
                continue
            with contextlib.suppress(Trouble):
                guest.qmp.collect_events()
            moves = [(when, data["device-state"]) for when, data
                     in events(guest, "VFIO_MIGRATION")]
            if guest is self.source:
                stops += events(guest, "STOP")[:1]
                stops += [move for move in moves if move[1] in
                          ("running-p2p", "pre-copy-p2p", "stop")][:1]
            else:
                started = [move for move in moves if move[1] == "running"]
                starts += guest.events_named("RESUME")[:1] + started[:1]
                # What comes later belongs to the end of the scenario.
                moves = [move for move in moves
                         if not started or move[0] <= started[0][0]]
            if moves:
                states[guest.short_name] = [state for _, state in moves]
        record.device_states = states
        record.stopped = min((when for when, _ in stops), default=None)
        record.resumed = max((when for when, _ in starts), default=None)

    def expect_traffic(self):
        def flows():
            self.check_health()
            return self.peer.flowed(self.record.peer_at_resume, RECORDS_AFTER)

        self.progress.wait("TCP to flow both ways again", flows,
                           RESUME_SECONDS, [self.peer.log,
                                            self.destination.serial])
        since = time.time() - (self.record.resumed or self.record.completed)
        self.progress.say("TCP flows both ways again, "
                          f"{since:.1f} s after the guest went on")

    def finish(self):
        """End the connection in order, and let the guest tell its side."""
        self.progress.say("ending the pings and the TCP connection")
        self.stop_pings()
        self.peer.finish()
        self.progress.wait("both ends of the connection to finish",
                           self.peer.finished, 30, [self.peer.log])
        if self.peer.exit_status() not in PEER_FINISHED:
            self.peer.must_live()
        self.progress.say("collecting the guest's side of the story")
        self.destination.must_say(self.progress, "guest: end",
                                  "the guest's report", EVIDENCE_SECONDS)
        self.progress.wait("the guest to power off",
                           lambda: not self.destination.alive(), 30,
                           [self.destination.serial, self.destination.log])
        status = self.destination.exit_status()
        if status:
            raise Trouble(f"QEMU (destination) ended with status {status}")

    def play(self):
        self.prepare()
        self.boot()
        end = time.monotonic() + self.options.before
        self.destination = self.new_destination("destination", 1,
                                                waits=self.options.compare)
        self.progress.pause("traffic before the migration",
                            end - time.monotonic(), self.check_health)
        self.migrate()
        if self.options.compare:
            self.save_memories()
        self.hand_over()
        self.expect_traffic()
        self.progress.pause("traffic after the migration",
                            self.options.after, self.check_health)
        self.finish()
        if self.options.compare:
            # It takes longer than a guest should stand still.
            self.compare()

    def gather_after_failure(self):
        """Let a guest whose traffic stopped tell what it knows.

        Its peer gives up after a silence, and then it reports and powers off.
        """
        self.note_events()
        guest = self.destination if self.record.resumed else self.source
        if not self.record.pinger or not guest.alive():
            return
        self.progress.say("giving the guest time to say what it saw")
        self.peer.finish()
        with contextlib.suppress(Trouble):
            guest.must_say(self.progress, "guest: end", "the guest's report",
                           EVIDENCE_SECONDS)

    def collect(self):
        record = self.record
        record.trouble = self.trouble
        self.stop_pings()
        self.note_events()
        record.complaints = self.kill(self.peer)
        if self.peer:
            record.peer_output = self.peer.output()
        if self.source:
            record.dirty_log = DirtyLog(trace.read(self.source.trace_path))
        if self.source and self.destination:
            record.precopy = Precopy(trace.read(self.source.trace_path),
                                     trace.read(self.destination.trace_path))
        if self.source:
            record.source_console = self.source.console()
        if self.destination:
            record.destination_console = self.destination.console()
        record.host_log = self.leave_kernel_log()


    def draw(self):
        problem = (plot.draw(self.record, self.directory)
                   if self.options.report else None)
        if problem:
            self.progress.say(f"no plot: {problem}")


def whole_number(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def add_arguments(parser):
    """Those of any migration of this kind."""
    for end in ("source", "destination"):
        parser.add_argument(f"--{end}", choices=WAYS,
                            help=f"how the {end}'s QEMU opens its function "
                            "(iommufd where the kernel has one)")
    parser.add_argument("--before", type=whole_number, default=10,
                        metavar="S", help="traffic before the migration, in "
                        "seconds (%(default)s)")
    parser.add_argument("--after", type=whole_number, default=10, metavar="S",
                        help="traffic after it (%(default)s)")
    parser.add_argument("--memory", type=whole_number, default=MEMORY,
                        metavar="MIB", help="the guest's (%(default)s)")
    parser.add_argument("--bandwidth", type=whole_number, default=BANDWIDTH,
                        metavar="MIB", help="that QEMU may use in a second "
                        "while the guest runs (%(default)s)")
    parser.add_argument("--downtime", type=whole_number, default=DOWNTIME,
                        metavar="MS", help="QEMU's limit (%(default)s)")
    parser.add_argument("--no-log", action="store_true",
                        help="as if the device kept no log of its DMA")
    parser.add_argument("--load", action="store_true",
                        help="send to the guest as fast as it takes it")
    parser.add_argument("--break", choices=BREAKS, dest="break_traffic",
                        help="break the guest's traffic on purpose, to see "
                        "that the checks notice")


def parse_arguments():
    parser = new_parser(__doc__)
    parser.add_argument("--nic", choices=("vf", "virtio"), default="vf",
                        help="virtio: the same with an emulated card, which "
                        "tells a fault of this test from a driver's")
    add_arguments(parser)
    parser.add_argument("--compare", action="store_true",
                        help="compare all of the guest's memory before it "
                        "goes on, for which it stands still longer")
    return parser.parse_args()


def main():
    options = parse_arguments()

    def tell(progress, directory, stack):
        migration = Migration(options, progress, directory, stack)
        migration.run()
        migration.draw()
        return outcome(migration.record)

    real = options.nic == "vf"
    return run(options, len(checks(real, options.compare)), tell,
               needs_vfs=real)


if __name__ == "__main__":
    sys.exit(main())
