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
import shutil
import signal
import sys
import tempfile
import time

import plot
import trace
from flows import Flows
from guest import Guest
from initrd import build_initrd
from network import ADDRESS, HOST_ADDRESS, PORT
from nic import VfNic, VirtioNic
from progress import Progress, Stopped, Trouble, quote
from report import (Record, checks, host_troubles, ktap_text, passed,
                    report_text)
from trace import Precopy
from traffic import Peer, Pinger, stop_pingers

SKIP = 4			# the exit status of a test that cannot run here
BOOT_SECONDS = 120
MIGRATION_SECONDS = 180
RESUME_SECONDS = 30
EVIDENCE_SECONDS = 60
RECORDS_AFTER = 50		# this many both ways prove that TCP flows again
PEER_FINISHED = (0, 1)		# in order; 1 where it has seen damage
BREAKS = ("lose", "repeat", "corrupt", "close")
BREAK_AT = 1000			# the record of the guest's that is broken


class KernelLog:
    """What this host's kernel says from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)
        self.lines = []

    def read(self):
        """All of its lines so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    entry = os.read(self.fd, 8192).decode(errors="replace")
                except BrokenPipeError:
                    self.lines.append("(some lines were overwritten)")
                    continue
                head, text = entry.split(";", 1)
                stamp = int(head.split(",")[2]) / 1e6
                self.lines.append(f"[{stamp:12.6f}] {text.splitlines()[0]}")
        return self.lines


def find_program(name):
    """A helper program, where the build leaves it."""
    here = os.environ.get("VFMIG_PROGRAMS",
                          os.path.dirname(os.path.abspath(__file__)))
    path = os.path.join(here, name)
    if not os.access(path, os.X_OK):
        raise Trouble(f"no program {path}: build it with make, or name "
                      "another directory in VFMIG_PROGRAMS")
    return path


class Scenario:
    """The story, step by step. Each step leaves what it saw in the record."""

    def __init__(self, options, progress, directory, stack):
        self.options = options
        self.progress = progress
        self.directory = directory
        self.stack = stack
        self.record = Record(real=options.nic == "vf")
        self.kernel_log = KernelLog()
        self.source = self.destination = self.peer = None
        self.retired = None		# the guest that may be gone
        self.pingers = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def logs(self):
        return [guest.log for guest in (self.source, self.destination)
                if guest]

    def keep(self, child):
        self.stack.callback(child.kill)
        return child

    def check_health(self):
        """All that should be there still is, and nobody hung up."""
        self.peer.must_live()
        for guest in (self.source, self.destination):
            if guest and guest is not self.retired:
                guest.must_live()

    def prepare(self):
        kind = VirtioNic if self.options.nic == "virtio" else VfNic
        nic = self.record.nic = kind(self.progress)
        self.stack.callback(nic.remove)
        self.record.flows = Flows(nic.netdev, self.stack.callback)
        programs = [find_program(name) for name in ("peer", "tap")]
        peer_args = (["-b", f"{self.options.break_traffic}:{BREAK_AT}"]
                     if self.options.break_traffic else [])
        build_initrd(self.path("guest.initrd"), nic.guest_modules, programs,
                     peer_args)
        self.transcript = self.stack.enter_context(
            open(self.path("qmp.log"), "w"))
        self.peer = self.keep(Peer(programs[0], HOST_ADDRESS, PORT,
                                   self.path("peer.log")))

    def new_guest(self, name, end):
        return self.keep(Guest(
            name, self.directory, self.options.memory,
            self.path("guest.initrd"), self.record.nic.qemu_args(end),
            incoming=end == 1))

    def set_up_migration(self, guest):
        guest.connect(self.progress, self.transcript)
        # Without a return path the source is done once all is sent, whatever
        # the destination then thinks of it. With the switchover-ack the source
        # goes on until the destination's card has taken its initial data.
        names = ["events", "return-path"]
        if self.record.nic.precopy:
            names.append("switchover-ack")
        guest.qmp.command("migrate-set-capabilities", {"capabilities": [
            {"capability": name, "state": True} for name in names]})
        guest.qmp.command("migrate-set-parameters", {
            "max-bandwidth": self.options.bandwidth << 20,
            "downtime-limit": self.options.downtime})

    def boot(self):
        self.progress.say("starting the source, and booting the guest")
        self.source = self.new_guest("source", 0)
        self.set_up_migration(self.source)
        self.source.must_say(self.progress, "guest: before uptime",
                             "the guest to boot and bring its card up",
                             BOOT_SECONDS)
        self.progress.wait("the guest's TCP connection", self.peer.connected,
                           30, [self.source.serial, self.peer.log])
        self.start_pings()
        self.progress.say("the guest runs, and TCP and pings flow")

    def start_pings(self):
        self.record.pinger = Pinger(ADDRESS)
        self.pingers = [self.record.pinger, *self.record.flows.pingers()]
        for pinger in self.pingers:
            pinger.start()

    def start_destination(self):
        self.progress.say("starting the destination, which waits")
        self.destination = self.new_guest("destination", 1)
        self.set_up_migration(self.destination)
        self.destination.qmp.command(
            "migrate-incoming", {"uri": f"unix:{self.path('migration')}"})

    def migrate(self):
        record, qmp = self.record, self.source.qmp
        record.began = time.time()
        self.progress.say("migrating")
        qmp.command("migrate", {"uri": f"unix:{self.path('migration')}"})
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
        record.source_exit = self.source.process.returncode
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
        for guest in (self.source, self.destination):
            if not guest or not guest.qmp:
                continue
            with contextlib.suppress(Trouble):
                guest.qmp.collect_events()
            moves = [(when, data["device-state"]) for when, data
                     in guest.qmp.events_named("VFIO_MIGRATION")]
            if guest is self.source:
                stops += guest.qmp.events_named("STOP")[:1]
                stops += [move for move in moves if move[1] in
                          ("running-p2p", "pre-copy-p2p", "stop")][:1]
            else:
                started = [move for move in moves if move[1] == "running"]
                starts += guest.qmp.events_named("RESUME")[:1] + started[:1]
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
        stop_pingers(self.pingers)
        self.peer.finish()
        self.progress.wait("both ends of the connection to finish",
                           self.peer.finished, 30, [self.peer.log])
        if self.peer.process.returncode not in PEER_FINISHED:
            self.peer.must_live()
        self.progress.say("collecting the guest's side of the story")
        self.destination.must_say(self.progress, "guest: end",
                                  "the guest's report", EVIDENCE_SECONDS)
        self.progress.wait("the guest to power off",
                           lambda: not self.destination.alive(), 30,
                           [self.destination.serial, self.destination.log])
        status = self.destination.process.returncode
        if status:
            raise Trouble(f"QEMU (destination) ended with status {status}")

    def play(self):
        self.prepare()
        self.boot()
        end = time.monotonic() + self.options.before
        self.start_destination()
        self.progress.pause("traffic before the migration",
                            end - time.monotonic(), self.check_health)
        self.migrate()
        self.hand_over()
        self.expect_traffic()
        self.progress.pause("traffic after the migration",
                            self.options.after, self.check_health)
        self.finish()

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

    def last_words(self):
        """What the QEMUs complained of: the reason is often there."""
        return "\n".join(f"  {quote(path)}" for path in self.logs()
                         if os.path.getsize(path))

    def collect(self):
        """Fill the record from what is left when all is over."""
        record = self.record
        stop_pingers(self.pingers)
        self.note_events()
        stuck = [child.name for child in
                 (self.source, self.destination, self.peer)
                 if child and not child.kill()]
        if self.peer:
            record.peer_output = self.peer.output()
        if self.source and self.destination:
            record.precopy = Precopy(trace.read(self.source.trace_path),
                                     trace.read(self.destination.trace_path))
        if self.source:
            record.source_console = self.source.console()
        if self.destination:
            record.destination_console = self.destination.console()
        if stuck:
            record.complaints = [f"{name} cannot be killed: the kernel is "
                                 "stuck in it" for name in stuck]
        elif record.nic:
            record.complaints = record.nic.complaints()
        record.host_log = self.kernel_log.read()
        with open(self.path("host-kernel.log"), "w") as file:
            file.writelines(line + "\n" for line in record.host_log)

    def run(self):
        try:
            self.play()
        except (Trouble, OSError) as err:
            self.record.trouble = f"{err}\n{self.last_words()}".strip()
            self.progress.say(f"TROUBLE: {self.record.trouble}")
            if not isinstance(err, Stopped):
                self.gather_after_failure()
        self.collect()


def whole_number(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="environment: VFMIG_PF_NETDEV, the PF's interface; VFMIG_VFS, "
               "two VFs that are bound\nto their migration driver; "
               "VFMIG_PROGRAMS (a directory) and VFMIG_GUEST_KERNEL,\n"
               "to name others than usual")
    parser.add_argument("--report", metavar="DIR", help="leave the logs, "
                        "report.txt and a plot of the pings in DIR")
    parser.add_argument("--ktap", action="store_true",
                        help="print the results as KTAP")
    parser.add_argument("--nic", choices=("vf", "virtio"), default="vf",
                        help="virtio: the same with an emulated card, which "
                        "tells a fault of this test from a driver's")
    parser.add_argument("--before", type=whole_number, default=10,
                        metavar="S", help="traffic before the migration, in "
                        "seconds (%(default)s)")
    parser.add_argument("--after", type=whole_number, default=10, metavar="S",
                        help="traffic after it (%(default)s)")
    parser.add_argument("--memory", type=whole_number, default=128,
                        metavar="MIB", help="the guest's (%(default)s)")
    parser.add_argument("--bandwidth", type=whole_number, default=64,
                        metavar="MIB", help="that QEMU may use in a second "
                        "while the guest runs (%(default)s)")
    parser.add_argument("--downtime", type=whole_number, default=300,
                        metavar="MS", help="QEMU's limit (%(default)s)")
    parser.add_argument("--break", choices=BREAKS, dest="break_traffic",
                        help="break the guest's traffic on purpose, to see "
                        "that the checks notice")
    return parser.parse_args()


STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def stop_on_signal(number, _frame):
    # One is enough: what is left to do is to clean up.
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(f"stopped by signal {signal.Signals(number).name}")


def publish(record, options, directory, progress):
    """Print the outcome, and leave the report where it was asked for."""
    text = report_text(record)
    if options.report:
        with open(os.path.join(directory, "report.txt"), "w") as file:
            file.write(text + "\n")
        problem = plot.draw(record, directory)
        progress.say(f"no plot: {problem}" if problem else
                     f"the logs, the report and a plot are in "
                     f"{options.report}")
    elif record.trouble:
        progress.say("--report DIR would keep the logs")
    print(ktap_text(record) if options.ktap else "\n" + text)


def leave_files(directory, report):
    os.makedirs(report, exist_ok=True)
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if os.path.isfile(path) and not name.endswith(".initrd"):
            shutil.copy(path, report)


def cannot_run(options):
    """Why this machine is not the place, or None."""
    if os.geteuid():
        return "needs root"
    if not os.path.exists("/dev/kvm"):
        return "needs /dev/kvm for the guests"
    if options.nic == "vf" and "VFMIG_VFS" not in os.environ:
        return "needs two virtual functions, in VFMIG_VFS"
    if not shutil.which("qemu-system-x86_64"):
        return "needs qemu-system-x86_64"
    return None


def main():
    options = parse_arguments()
    if options.ktap:
        print("KTAP version 1")
    reason = cannot_run(options)
    if reason:
        print(f"1..0 # SKIP {reason}" if options.ktap else
              f"cannot run: {reason}")
        return SKIP
    if options.ktap:
        print(f"1..{len(checks(real=options.nic == 'vf'))}")
    for number in STOP_SIGNALS:
        signal.signal(number, stop_on_signal)

    progress = Progress("# " if options.ktap else "")
    with contextlib.ExitStack() as stack:
        # On tmpfs, whatever the report's directory is: QEMU's sockets and
        # logs must not depend on a shared mount.
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="vfmig-e2e-"))
        scenario = Scenario(options, progress, directory, stack)
        scenario.run()
        publish(scenario.record, options, directory, progress)
        if options.report:
            leave_files(directory, options.report)
        return 0 if passed(scenario.record) else 1


if __name__ == "__main__":
    sys.exit(main())
