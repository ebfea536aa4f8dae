#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Migrates a guest whose card belongs to a driver that is not Linux's: DPDK's.

In the guest, DPDK's testpmd polls the rings of a virtual function and answers
pings. It has set the card's address, and asked the PF for a VLAN, a multicast
group and large frames. The guest is migrated to a QEMU with another virtual
function, and the same testpmd must go on there: with what it had asked for,
with counters that do not jump, and with a mailbox that takes new requests.
"""

import sys
import time

import trace
from claim import Claim, Outcome
from flows import ANSWERED, Flow
from initrd import build_initrd, guest_facts
from iommu import GROUP
from network import ADDRESS, OTHER_GROUP, OTHER_VLAN
from nic import OPENED, VfNic
from program import new_parser, run
from progress import Trouble
from report import guest_troubles, host_troubles
from scenario import BOOT_SECONDS, Scenario
from testpmd import MODULES, TASK, UP, Testpmd, program_files
from trace import Precopy

PATIENCE = 30			# seconds for what takes one or two
MIGRATION_SECONDS = 120
BEFORE = AFTER = 4		# seconds of traffic
MORE = 2			# and of what is asked for in the end
MARGIN = 0.5			# that a change has until it counts

END = "the scenario ran to its end"
REACHED = "pings, VLAN, group and large frames reach testpmd"
MOVED = "the migration completes, the card's initial data ahead"
SAME = "the same testpmd goes on, in the same boot"
REACHED_AFTER = "all of these reach testpmd after the migration"
ONCE = "no ping is answered twice"
KEPT_OUT = "what testpmd has not asked for never reaches it"
ASKED = "what testpmd then asks the PF for, it gets"
COUNTERS = "the port's counters rise, and do not jump"
GUEST_LOG = "the guest's kernel log shows no trouble"
HOST_LOG = "the host's kernel log shows no trouble"
UNHARMED = "the devices are unharmed"
PLAN = (END, OPENED, REACHED, MOVED, SAME, REACHED_AFTER, ONCE, KEPT_OUT, ASKED,
        COUNTERS, GUEST_LOG, HOST_LOG, UNHARMED)


class Counts:
    """How many pings of some flows were answered, up to now."""

    def __init__(self, flows, since=0):
        until = time.time() - MARGIN
        self.counts = {flow.name: flow.answered(since, until)
                       for flow in flows}

    def through(self):
        return all(sent and answered >= ANSWERED * sent
                   for answered, sent in self.counts.values())

    def none(self):
        return all(sent and not answered
                   for answered, sent in self.counts.values())

    def __str__(self):
        return ", ".join(f"{name}: {answered} of {sent}" for
                         name, (answered, sent) in self.counts.items())


class Dpdk(Scenario):
    ways = (GROUP, None)
    memory = 176

    def __init__(self, *surroundings):
        super().__init__(*surroundings)
        self.claims = {name: Claim(name, None) for name in PLAN}
        self.figures = []
        self.source = self.destination = None
        self.guest = None		# that of them in which it lives
        self.testpmd = None
        self.stats = []			# of the port, in order

    def claim(self, name, ok, detail):
        self.claims[name] = Claim(name, ok, str(detail))
        self.progress.say(f"{name}: {'yes' if ok else 'NO'} ({detail})")

    def boot(self):
        self.prepare_nic(VfNic)
        build_initrd(self.path("guest.initrd"), MODULES, [], TASK,
                     program_files())
        # Now, since there will not be much time for it: testpmd never rests.
        self.destination = self.new_destination("destination", 1)
        self.progress.say("starting the source, and booting the guest")
        self.source = self.guest = self.new_guest("source", 0)
        self.guest.must_say(self.progress, UP, "the guest to boot",
                            BOOT_SECONDS)
        self.testpmd = Testpmd(self.guest, self.progress)
        self.testpmd.set_up()
        self.note_stats()
        self.testpmd.report("before")
        self.start_pings()

    def note_stats(self):
        self.stats.append(self.testpmd.stats())

    def watch(self, what, seconds, name):
        """Let pings flow for a while: all must get through."""
        since = time.time() + MARGIN
        self.progress.pause(what, seconds + 2 * MARGIN, self.guest.must_be_well)
        self.note_stats()
        counts = Counts([Flow("pings", ADDRESS, self.pinger),
                         *self.flows.wanted], since)
        self.claim(name, counts.through(), counts)

    def migrate(self):
        self.progress.say("migrating")
        self.source.qmp.command("migrate", self.migration_uri())

        def ended():
            self.destination.must_live()
            migration = self.source.qmp.command("query-migrate")
            return (migration if migration["status"] in
                    ("completed", "failed", "cancelled") else None)

        migration = self.progress.wait("the migration to end", ended,
                                       MIGRATION_SECONDS, self.logs())
        if migration["status"] != "completed":
            raise Trouble(f"the migration {migration['status']}: "
                          f"{migration.get('error-desc')}")
        self.progress.wait("the destination to run",
                           lambda: self.destination.status() == "running",
                           PATIENCE, self.logs())
        self.source.qmp.command("quit")
        self.guest = self.testpmd.guest = self.destination
        self.judge_migration(migration)

    def judge_migration(self, migration):
        seen = Precopy(trace.read(self.source.trace_path),
                       trace.read(self.destination.trace_path))
        complaint = self.source.complaint() or self.destination.complaint()
        self.claim(MOVED, not complaint and seen.acked_in_time and
                   0 < seen.sent <= seen.loaded,
                   complaint or f"{seen.sent} bytes ahead, {seen.rest} when "
                   "the card had stopped")
        self.figures += [
            ("downtime, as QEMU has it", f"{migration['downtime']} ms"),
            ("whole migration", f"{migration['total-time']} ms")]

    def judge_process(self):
        before, _ = guest_facts(self.source.console(), "before")
        after, log = guest_facts(self.destination.console(), "after")
        same = all(before.get(what) and before[what] == after.get(what)
                   for what in ("boot_id", "testpmd"))
        rose = (float(before.get("uptime", 0)) <
                float(after.get("uptime", 0)))
        self.claim(SAME, same and rose,
                   f"process {before.get('testpmd')} -> "
                   f"{after.get('testpmd')}, uptime {before.get('uptime')} "
                   f"-> {after.get('uptime')} s")
        bad = guest_troubles(log)
        self.claim(GUEST_LOG, not bad, bad[0] if bad else f"{len(log)} lines")

    def ask_for_more(self):
        """Until then it is kept out: the card's requests get to the PF."""
        counts = Counts(self.flows.unwanted)
        # What is deaf to all keeps nothing out.
        self.claim(KEPT_OUT, self.claims[REACHED_AFTER].ok and counts.none(),
                   counts)
        self.testpmd.join(OTHER_GROUP, OTHER_VLAN)
        since = time.time() + MARGIN
        self.progress.pause("traffic that testpmd has now asked for",
                            MORE + 2 * MARGIN, self.guest.must_be_well)
        counts = Counts(self.flows.unwanted, since)
        self.claim(ASKED, counts.through(), counts)

    def judge_stats(self):
        """A counter that falls is a fall of hardware's 32 bits to testpmd.

        It sends nothing but answers; but it reads what it has sent after what has
        come, so the next reading has to say.
        """
        steps = [{name: after[name] - before[name] for name in before}
                 for before, after in zip(self.stats, self.stats[1:])]
        self.claim(COUNTERS, bool(steps) and
                   all(0 < rise < 1 << 31 for step in steps
                       for rise in step.values()) and
                   all(before["TX-packets"] <= after["RX-packets"]
                       for before, after in zip(self.stats, self.stats[1:])),
                   "; ".join(f"{name} " + " -> ".join(
                       str(stats[name]) for stats in self.stats)
                       for name in self.stats[0]))

    def judge_answers(self):
        doubles = sum(pinger.duplicates for pinger in self.pingers())
        sent = sum(len(pinger.pings) for pinger in self.pingers())
        lost = sum(ping.rtt is None for ping in self.pinger.pings)
        self.claim(ONCE, sent and not doubles, f"{doubles} of {sent} are")
        self.figures.append(("pings", f"{len(self.pinger.pings)} sent, "
                             f"{lost} lost"))

    def play(self):
        self.boot()
        self.watch("traffic before the migration", BEFORE, REACHED)
        self.migrate()
        self.watch("traffic after the migration", AFTER, REACHED_AFTER)
        self.ask_for_more()
        self.note_stats()
        self.stop_pings()
        self.judge_answers()
        self.testpmd.report("after")
        self.judge_process()
        self.judge_stats()

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
        log = self.leave_kernel_log()
        bad = host_troubles(log)
        self.claim(HOST_LOG, not bad, bad[0] if bad else f"{len(log)} lines")

    def outcome(self):
        return Outcome(list(self.claims.values()), self.figures, self.trouble,
                       "testpmd went on with another virtual function as if "
                       "it were the same.")


def main():
    options = new_parser(__doc__).parse_args()

    def tell(*surroundings):
        dpdk = Dpdk(*surroundings)
        dpdk.run()
        return dpdk.outcome()

    return run(options, len(PLAN), tell)


if __name__ == "__main__":
    sys.exit(main())
