#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What befalls a guest with a virtual function, and how it comes out of it.

The guest reboots while it is being migrated; at the next try it reloads its
driver meanwhile; and where it has got to its card is led astray, which a process
beside QEMU is told of, and a PCI error befalls it, while the guest reads the
card's registers. Each time the card must work in the end: pings in a VLAN, to a
multicast group and in large frames are answered.
"""

import collections
import re
import sys
import time

import aer
import iommu
import trace
from borrow import borrowed
from child import Child
from claim import Claim, Outcome
from freeze import frozen
from initrd import OBEY, build_initrd
from nic import OPENED, VfNic
from program import new_parser, run
from progress import Trouble
from scenario import BOOT_SECONDS, DOWNTIME, Scenario, find_program

PATIENCE = 90			# seconds for what takes one or two
MIGRATION_SECONDS = 120
SLOW = 1 << 20			# bytes a second
TOO_LITTLE = 1000 // DOWNTIME + 1
ANSWERS = 4			# of each kind of ping: the card works
UP = "guest: up"
RELOADED = "guest: reloaded"
STRAYED = "guest: strayed"
NOWHERE = 0x7000000000		# no memory of the guest is there, nor a card of its

END = "the scenario ran to its end"
REBOOT_FAILS = "a reboot in PRE_COPY fails that migration, and no more"
REBOOT_WORKS = "the guest boots again where it was, and its card works"
RELOAD_WORKS = "its driver, reloaded in PRE_COPY, finds the card at work"
NEXT_TRY = "that next migration completes all the same"
MOVED = "the same boot goes on at the destination, and the card works"
TOLD = "a process beside QEMU is told of each DMA fault of the card"
STRAY_WORKS = "the guest runs on, and its card works with its driver reloaded"
NONFATAL = "a non-fatal PCI error stops the guest in order"
NONFATAL_WORKS = "after a reset it boots, and its card works"
FATAL = "a fatal PCI error stops the guest in order"
FATAL_WORKS = "after that reset, too"
UNHARMED = "the devices are unharmed"
PLAN = (END, OPENED, REBOOT_FAILS, REBOOT_WORKS, RELOAD_WORKS, NEXT_TRY, MOVED,
        TOLD, STRAY_WORKS, NONFATAL, NONFATAL_WORKS, FATAL, FATAL_WORKS, UNHARMED)

# What QEMU does about any error of a card is to stop the guest.
POLICY = "Unrecoverable error detected"
# What KVM or QEMU do where they do not know any more what to do.
DEATH = re.compile("kvm run failed|KVM internal error|hardware error|Assertion")


class Mishaps(Scenario):
    ways = (None, iommu.GROUP)

    def __init__(self, *surroundings):
        super().__init__(*surroundings)
        self.claims = {name: Claim(name, None) for name in PLAN}
        self.figures = []
        self.guest = None		# the QEMU in which it lives
        self.boots = 0			# how often it has come up there

    def claim(self, name, ok, detail):
        self.claims[name] = Claim(name, ok, detail)
        self.progress.say(f"{name}: {'yes' if ok else 'NO'} ({detail})")

    def prepare(self):
        self.prepare_nic(VfNic)
        if not self.nic.precopy:
            raise Trouble("this is about PRE_COPY, which the device lacks")
        build_initrd(self.path("guest.initrd"), self.nic.guest_modules,
                     [find_program(name) for name in ("tap", "registers", "stray")],
                     OBEY)

    def boot(self):
        self.progress.say("starting the source, and booting the guest")
        self.guest = self.new_guest("source", 0, reboots=True)
        self.must_come_up()
        self.start_pings()
        self.must_work()

    def must_come_up(self):
        self.boots += 1
        self.guest.must_say(self.progress, UP, "the guest to come up",
                            BOOT_SECONDS, times=self.boots)

    def must_work(self):
        """The guest answers each kind of ping; how long that took to come."""
        begin = time.time()

        def answers():
            self.guest.must_live()
            return all(flow.answered(begin, time.time())[0] >= ANSWERS
                       for flow in self.flows.wanted)

        self.progress.wait("all pings to be answered", answers, PATIENCE,
                           [self.guest.serial, self.guest.log])
        return f"all pings answered in {time.time() - begin:.1f} s"

    def migration(self):
        return self.guest.qmp.command("query-migrate")

    def set_line(self, guest, speed, believed):
        """How fast QEMU sends, and what it believes of it (0: what it sees)."""
        guest.qmp.command("migrate-set-parameters", {
            "max-bandwidth": speed, "avail-switchover-bandwidth": believed})

    def hold_in_precopy(self):
        """Begin a migration, and keep it from its end.

        QEMU believes that the line takes next to nothing: a byte in the time
        that the guest may stand still, which is less than the card has to say.
        Once the card's data is sent, it is slow indeed: looking for the end again
        and again would take all of the guest's time.
        """
        self.set_line(self.guest, self.bandwidth << 20, TOO_LITTLE)
        events = len(trace.read(self.guest.trace_path))
        self.guest.qmp.command("migrate", self.migration_uri())

        def sent():
            new = trace.read(self.guest.trace_path)[events:]
            return (trace.position(new, "vfio_save_block") is not None or
                    self.ended())

        self.progress.wait("the card's data to be sent", sent,
                           MIGRATION_SECONDS, self.logs())
        self.set_line(self.guest, SLOW, TOO_LITTLE)
        if self.ended():
            raise Trouble(f"the migration {self.migration()['status']} too "
                          "early")

    def ended(self):
        return self.migration()["status"] in ("completed", "failed",
                                              "cancelled")

    def reboot_in_precopy(self):
        destination = self.new_destination("first destination", 1)
        self.hold_in_precopy()
        self.progress.say("resetting the guest")
        self.guest.qmp.command("system_reset")
        self.set_line(self.guest, self.bandwidth << 20, TOO_LITTLE)
        self.progress.wait("the migration to end", self.ended, PATIENCE,
                           self.logs())
        migration = self.migration()
        if migration["status"] != "failed":
            self.claim(REBOOT_FAILS, False, migration["status"])
            raise Trouble("the migration goes on in spite of a reset")
        self.progress.wait("the destination to end",
                           lambda: not destination.alive(), PATIENCE,
                           self.logs())
        self.claim(REBOOT_FAILS, destination.exit_status() == 1 and
                   not self.guest.complaint(), migration["error-desc"])

    def reload_in_precopy(self):
        destination = self.new_destination("second destination", 1,
                                           reboots=True)
        self.must_come_up()
        self.claim(REBOOT_WORKS, self.guest.status() == "running",
                   self.must_work())
        self.hold_in_precopy()
        how = self.reload()
        status = self.migration()["status"]
        self.claim(RELOAD_WORKS, status == "active",
                   f"{how}; the migration is {status}")
        self.let_go(destination)

    def reload(self):
        self.progress.say("having the guest reload its driver")
        times = self.guest.console().count(RELOADED) + 1
        self.guest.type_line("reload")
        self.guest.must_say(self.progress, RELOADED, "the guest to do so",
                            PATIENCE, times)
        return self.must_work()

    def let_go(self, destination):
        source, self.guest = self.guest, destination
        self.set_line(source, self.bandwidth << 20, 0)

        def ended():
            status = source.qmp.command("query-migrate")["status"]
            return status if status in ("completed", "failed") else None

        status = self.progress.wait("the migration to end", ended,
                                    MIGRATION_SECONDS, self.logs())
        self.claim(NEXT_TRY, status == "completed",
                   source.qmp.command("query-migrate").get("error-desc",
                                                           status))
        self.progress.wait("the destination to run",
                           lambda: destination.status() == "running",
                           PATIENCE, self.logs())
        source.qmp.command("quit")
        self.boots = 0
        how = self.must_work()
        self.claim(MOVED, not destination.complaint() and
                   UP not in destination.console(), how)

    def stray(self):
        """The card's DMA, as a process is told that has the card's file."""
        file = iommu.device_file(self.nic.ways[1], self.nic.vfs[1])
        log = self.path("faults.log")
        with borrowed(self.guest.process.pid, file) as fd:
            consumer = self.keep(Child("the consumer of the fault ring", [
                find_program("../fault_consumer"), str(fd)], log, [fd]))

        def faults():
            consumer.must_live()
            with open(log) as lines:
                return lines.read().splitlines()

        self.progress.say("leading the guest's card astray")
        self.guest.type_line(f"stray {NOWHERE:#x}")
        self.guest.must_say(self.progress, STRAYED, "the guest to do so",
                            PATIENCE)
        self.progress.wait("the fault to be told", faults, PATIENCE, [log])
        how = self.reload()
        # It reads descriptors, of whose ring the driver still thinks that it
        # is long, and writes to them that it has.
        told = collections.Counter(faults())
        due = re.compile(rf"{self.nic.vfs[1]}: (read of {NOWHERE >> 16:#x}\w{{4}}"
                         rf", reason 6|write to {NOWHERE >> 16:#x}\w{{4}}, reason 5)")
        self.claim(TOLD, all(map(due.fullmatch, told)), "; ".join(
            f"{line} ({times} times)" for line, times in told.items()))
        self.claim(STRAY_WORKS, self.guest.status() == "running", how)
        # The device is not closed as long as anybody has its file.
        consumer.kill()

    def registers(self):
        """(read, ones): what the guest said last of its card's registers."""
        found = re.findall(r"^registers: (\d+) read, (\d+) of them ones",
                           self.guest.console(), re.MULTILINE)
        return tuple(map(int, found[-1])) if found else (0, 0)

    def must_read_registers(self, patience=PATIENCE):
        before = self.registers()
        self.progress.wait("the guest to read registers",
                           lambda: self.registers() > before, patience,
                           [self.guest.serial, self.guest.log])

    def must_read_ones(self):
        before = self.registers()
        self.progress.wait("the guest to read ones",
                           lambda: self.registers()[1] > before[1], PATIENCE,
                           [self.guest.serial, self.guest.log])

    def recoveries(self):
        return sum("device recovery" in line
                   for line in self.kernel_log.read())

    def inject(self, error):
        self.must_read_registers()
        self.progress.say(f"injecting a PCI error (status {error:#x})")
        aer.inject(self.nic.vfs[1], error)

    def inject_unnoticed(self, error):
        """The guest runs on for a while, since QEMU has not been told yet.

        It is the first thread of QEMU that is told, and it is asleep nearly all
        the time. If it was not, the guest will soon wait for it.
        """
        with frozen(self.guest.process.pid):
            self.must_read_registers(patience=10)
            self.inject(error)
            self.must_read_ones()

    def befall(self, inject, in_order, works):
        """An error befalls the card: QEMU stops the guest, and we reset it."""
        recoveries, mark = self.recoveries(), len(self.guest.words())
        inject()

        def stopped():
            self.guest.must_live()
            return self.guest.status() != "running"

        self.progress.wait("QEMU to stop the guest", stopped, PATIENCE,
                           [self.guest.log])
        self.progress.wait("the host to recover",
                           lambda: self.recoveries() > recoveries, PATIENCE)
        words, status = self.guest.words()[mark:], self.guest.status()
        self.claim(in_order, status == "internal-error" and
                   POLICY in words and not DEATH.search(words),
                   "%s; %d registers read, %d of them ones" %
                   (status, *self.registers()))
        self.revive()
        self.claim(works, True, self.must_work())

    def revive(self):
        self.guest.qmp.command("system_reset")
        self.progress.wait("the reset", lambda: self.guest.status() !=
                           "internal-error", PATIENCE, [self.guest.log])
        self.guest.qmp.command("cont")
        self.must_come_up()

    def play(self):
        self.prepare()
        self.boot()
        self.reboot_in_precopy()
        self.reload_in_precopy()
        self.stray()
        self.befall(lambda: self.inject(aer.NONFATAL), NONFATAL,
                    NONFATAL_WORKS)
        self.befall(lambda: self.inject_unnoticed(aer.FATAL), FATAL,
                    FATAL_WORKS)

    def collect(self):
        self.stop_pings()
        complaints = self.kill()
        if complaints is not None:
            self.claim(UNHARMED, not complaints, "; ".join(complaints) or
                       "both VFs can be opened, and are in RUNNING")
        if self.nic:
            self.claims[OPENED] = self.nic.opened()
        why = self.trouble.splitlines()[0] if self.trouble else "yes"
        self.claims[END] = Claim(END, not self.trouble, why)
        self.leave_kernel_log()

    def outcome(self):
        return Outcome(list(self.claims.values()), self.figures, self.trouble,
                       "the guest came out of all of it with a card that "
                       "works.")


def main():
    options = new_parser(__doc__).parse_args()

    def tell(*surroundings):
        mishaps = Mishaps(*surroundings)
        mishaps.run()
        return mishaps.outcome()

    return run(options, len(PLAN), tell)


if __name__ == "__main__":
    sys.exit(main())
