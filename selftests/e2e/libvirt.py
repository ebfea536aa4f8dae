#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Migrates a guest by libvirt, as Documentation/libvirt.rst tells to.

Two libvirtds, each in namespaces of its own, take the page's domain and its
commands. The VFs belong to igbvf when the guest is started. It talks to this host,
as that of migrate.py does. A first migration is refused by the destination's PF, a
second one is given up half-way, and the guest goes on where it was. The third one
moves it.
"""

import contextlib
import os
import re
import shutil
import sys
import time

import page
import report
from claim import Claim, Outcome
from device import driver_of
from domain import Domain, without_disk
from guest import kernel_image
from host import Host, domains
from initrd import build_initrd, talk
from iommu import GROUP
from lent import FORMER, LOADED, LentNic
from module_tree import ModuleTree
from network import HOST_ADDRESS, PORT
from nic import ip
from program import new_parser, run
from progress import Trouble, quote
from report import Record
from scenario import BOOT_SECONDS, Scenario, find_program
from traffic import PEER_ARGS, Peer

PATIENCE = 60			# seconds for what takes one or two
MIGRATION_SECONDS = 180
EVIDENCE_SECONDS = 60
BEFORE = AFTER = 3		# seconds of traffic
RATE = "50"			# records a second: virsh is in a hurry, too
RECORDS = 50			# this many both ways prove that TCP flows
DRIVER = "igb_vfio_pci"
GUEST = "guest"
VFS = ["0000:01:10.0", "0000:01:10.2"]	# those of the page
THERE = "qemu+ssh://destination/system"
OTHER_MAC, NO_MAC = "02:76:66:6d:69:99", "00:00:00:00:00:00"
DEBUGFS = "/sys/kernel/debug/vfio_pci_mig"
SLOW = " --bandwidth 1"		# MiB a second: there is time to give it up
REFUSAL = re.compile("the PF refuses MAC address|-> load failed")

PICKED = "libvirt loads igb_vfio_pci by itself, and gives the VF to it"
REFUSED = "a migration that the destination's PF refuses fails"
STAYED = "the guest goes on at the source, and the other host forgets it"
GIVEN_UP = "a migration that is given up half-way ends there and then"
KEPT = "the guest goes on at the source with its VF, once more"
MOVED = "the commands of the page move the guest"
AGREED = "both libvirtds know where the guest is"
RETURNED = "the source's VF has its former driver back"
ENDED = "the destination's, too, when the guest has powered off"
CLAIMS = (PICKED, REFUSED, STAYED, GIVEN_UP, KEPT, MOVED, AGREED, RETURNED, ENDED)
CHECKS = (
    report.check_boot,
    report.check_connection,
    report.check_all_arrived,
    report.check_repeated,
    report.check_corrupt,
    report.check_tcp_after,
    report.check_pings_after,
    report.check_flows_before,
    report.check_flows_after,
    report.check_kept_out,
    report.check_card,
    report.check_guest_log,
    report.check_host_log,
    report.check_devices,
)


class Libvirt(Scenario):
    ways = (GROUP, GROUP)

    def __init__(self, *surroundings):
        super().__init__(*surroundings)
        self.claims = {name: Claim(name, None) for name in CLAIMS}
        self.record = Record(True, False)
        self.page = page.read("libvirt")
        self.commands = page.commands(self.page)
        self.tree = self.peer = None
        self.hosts = {}
        self.domains = {}

    def claim(self, name, ok, detail):
        self.claims[name] = Claim(name, ok, detail)
        self.progress.say(f"{name}: {'yes' if ok else 'NO'} ({detail})")

    def prepare(self):
        self.prepare_nic(LentNic)
        self.record.nic, self.record.flows = self.nic, self.flows
        self.tree = ModuleTree(self.path("modules"))
        programs = [find_program(name) for name in ("peer", "tap")]
        build_initrd(self.path("guest.initrd"), self.nic.guest_modules,
                     programs, talk([*PEER_ARGS, "-r", RATE]))
        text, = page.blocks(self.page, "xml")
        with open(self.path("guest.xml"), "w") as file:
            file.write(without_disk(text, self.memory, kernel_image(),
                                    self.path("guest.initrd")))
        self.peer = self.keep(Peer(programs[0], HOST_ADDRESS, PORT,
                                   self.path("peer.log"), RATE))

    def start_host(self, name):
        host = self.keep(Host(name, self.directory, self.path("cache"),
                              self.tree.path, ("source", "destination")))
        self.hosts[name], self.domains[name] = host, Domain(GUEST, host)
        return host

    def take(self, words):
        """(host, command): that of the page which begins with these words."""
        for one in self.commands:
            if one[1].startswith(words):
                self.commands.remove(one)
                return one
        raise Trouble(f"the page has no '{words}'")

    def must_have_followed(self):
        if self.commands:
            raise Trouble("nobody has run this of the page: "
                          f"{'; '.join(command for _, command in self.commands)}")

    def follow(self, words):
        name, command = self.take(words)
        self.progress.say(f"{name}# {command}")
        return self.hosts[name].run(command)

    def drivers(self):
        return [driver_of(vf) or "none" for vf in self.nic.vfs]

    def start_guest(self):
        self.progress.say("starting libvirtd at the source")
        self.start_host("source").wait(self.progress)
        self.follow("virsh define")
        before, loaded = self.drivers(), os.path.exists(LOADED)
        self.follow("virsh start")
        self.claim(PICKED, not loaded and before == [FORMER, FORMER] and
                   self.drivers() == [DRIVER, FORMER],
                   f"{before[0]} -> {self.drivers()[0]}")
        self.progress.say("starting libvirtd at the destination")
        self.start_host("destination").wait(self.progress)
        self.domains["source"].must_say(
            self.progress, "guest: before uptime",
            "the guest to boot and bring its card up", BOOT_SECONDS)
        self.progress.wait("the guest's TCP connection", self.peer.connected,
                           PATIENCE, [self.peer.log])
        self.start_pings()
        self.record.pinger = self.pinger

    def must_be_well(self):
        self.peer.must_live()
        for host in self.hosts.values():
            host.must_live()

    def begin(self, command):
        """A virsh that migrates."""
        there = self.hosts["destination"].uri()
        return self.keep(self.hosts["source"].begin(
            command.replace(THERE, f"'{there}'"),
            self.path("virsh-migrate.log")))

    def end_of(self, virsh):
        """Its exit status, and what it says."""
        def ended():
            self.must_be_well()
            return not virsh.alive()

        self.progress.wait("virsh to end", ended, MIGRATION_SECONDS,
                           self.logs())
        with open(virsh.log) as file:
            return virsh.exit_status(), file.read().strip()

    def migrate(self, command):
        return self.end_of(self.begin(command))

    def must_flow(self):
        before = self.peer.counts()

        def flows():
            self.must_be_well()
            return self.peer.flowed(before, RECORDS)

        self.progress.wait("TCP to flow both ways", flows, PATIENCE,
                           [self.peer.log])

    def where(self):
        """What each libvirtd says of the guest."""
        return [self.hosts[name].domains().get(GUEST, "not there")
                for name in ("source", "destination")]

    def be_refused(self, command):
        """For another address that the administrator has set."""
        self.progress.say("migrating to a VF that has to have another address")
        ip("link", "set", self.nic.netdev, "vf", "1", "mac", OTHER_MAC)
        status, words = self.migrate(command)
        ip("link", "set", self.nic.netdev, "vf", "1", "mac", NO_MAC)
        refusals = [line for line in self.kernel_log.read()
                    if REFUSAL.search(line)]
        self.claim(REFUSED, status != 0 and bool(refusals),
                   words.splitlines()[-1] if words else f"status {status}")
        self.must_flow()
        where, drivers = self.where(), self.drivers()
        self.claim(STAYED, where == ["running", "not there"] and
                   drivers == [DRIVER, FORMER], " / ".join(where + drivers))

    def state(self):
        """Of the source's VF."""
        with open(f"{DEBUGFS}/{self.nic.vfs[0]}/info") as file:
            return re.search(r"^state: (\S+)", file.read(), re.MULTILINE)[1]

    def give_up(self, command):
        self.progress.say("migrating slowly")
        virsh = self.begin(command + SLOW)

        def under_way():
            self.must_be_well()
            if not virsh.alive():
                raise Trouble(f"virsh migrate: {quote(virsh.log)}")
            return self.state() == "PRE_COPY"

        self.progress.wait("the VF to be in PRE_COPY", under_way, PATIENCE,
                           self.logs())
        self.progress.pause("memory is sent", BEFORE, under_way)
        there = self.where()[1]
        self.follow("virsh domjobabort")
        status, words = self.end_of(virsh)
        self.claim(GIVEN_UP, there == "paused" and status != 0 and
                   "cancel" in words, words.splitlines()[-1] if words else
                   f"status {status}")
        self.must_flow()
        where, drivers = self.where(), self.drivers()
        self.claim(KEPT, where == ["running", "not there"] and
                   drivers == [DRIVER, FORMER] and self.state() == "RUNNING",
                   " / ".join([*where, *drivers, self.state()]))

    def move(self, command):
        record = self.record
        self.progress.pause("traffic before the migration", BEFORE,
                            self.must_be_well)
        self.progress.say(f"source# {command}")
        record.began = record.stopped = time.time()
        status, words = self.migrate(command)
        self.claim(MOVED, status == 0, words or "virsh has nothing to say")
        if status:
            raise Trouble(f"virsh migrate: {words}")
        record.resumed = time.time()
        record.peer_at_resume = self.peer.counts()
        drivers = self.drivers()
        where = [place.get(GUEST, "not there") for place in
                 (self.hosts["source"].domains(),
                  domains(self.follow("virsh list")))]
        self.claim(AGREED, where == ["not there", "running"],
                   " / ".join(where))
        self.claim(RETURNED, drivers == [FORMER, DRIVER], " / ".join(drivers))
        self.must_flow()
        self.progress.pause("traffic after the migration", AFTER,
                            self.must_be_well)

    def finish(self):
        """The guest says its last word, and powers off."""
        self.stop_pings()
        self.peer.finish()
        self.progress.wait("both ends of the connection to finish",
                           self.peer.finished, PATIENCE, [self.peer.log])
        domain = self.domains["destination"]
        domain.must_say(self.progress, "guest: end", "the guest's report",
                        EVIDENCE_SECONDS)
        self.progress.wait("the guest to power off",
                           lambda: not domain.alive(), PATIENCE,
                           [domain.serial, domain.log])
        # It answers when it is done with that.
        where, drivers = self.where(), self.drivers()
        self.claim(ENDED, where == ["not there", "shut off"] and
                   drivers == [FORMER, FORMER], " / ".join(where + drivers))

    def play(self):
        self.prepare()
        self.nic.lend(self.tree)
        self.start_guest()
        self.follow("virsh dumpxml")
        _, command = self.take("virsh migrate")
        self.be_refused(command)
        self.give_up(command)
        self.move(command)
        self.finish()
        self.must_have_followed()

    def logs(self):
        paths = [host.log for host in self.hosts.values()]
        paths += [domain.log for domain in self.domains.values()]
        return [path for path in paths if os.path.exists(path)]

    def gather_after_failure(self):
        for domain in self.domains.values():
            if os.path.exists(domain.serial):
                self.progress.say(quote(domain.serial))

    def leave_logs(self):
        """Beside those of this scenario's own, for the report."""
        for end, domain in self.domains.items():
            for path in (domain.serial, domain.log):
                if os.path.exists(path):
                    shutil.copy(path, self.path(
                        f"{end}-{os.path.basename(path)}"))

    def collect(self):
        record = self.record
        record.trouble = self.trouble
        self.stop_pings()
        self.leave_logs()
        with contextlib.suppress(KeyError):
            record.source_console = self.domains["source"].console()
            record.destination_console = self.domains["destination"].console()
        record.complaints = self.kill(self.peer, *self.hosts.values())
        if self.peer:
            record.peer_output = self.peer.output()
        # One refusal was asked for.
        record.host_log = [line for line in self.leave_kernel_log()
                           if not REFUSAL.search(line)]

    def figures(self):
        """Between began and resumed the guest runs most of the time."""
        record, rows = self.record, report.figures(self.record)
        rows = [row for row in rows if row[0] != "guest stood still"]
        if record.resumed:
            rows.append(("virsh migrate",
                         f"{record.resumed - record.began:.1f} s"))
        return rows

    def outcome(self):
        return Outcome(
            [report.check_end(self.record), *self.claims.values(),
             *(check(self.record) for check in CHECKS)],
            self.figures(), self.trouble,
            "libvirt moved the guest with its VF, and nothing was lost.")


def missing():
    """Why this is not the place, or None."""
    if not os.path.exists("/proc/self/ns/pid"):
        return "the kernel has no namespaces"
    if not all(map(shutil.which, ("libvirtd", "virsh"))):
        return "needs libvirtd and virsh"
    if os.environ.get("VFMIG_VFS", "").split()[:2] != VFS:
        return "the VFs have other addresses than those of the page"
    return None


def main():
    options = new_parser(__doc__).parse_args()

    def tell(*surroundings):
        libvirt = Libvirt(*surroundings)
        libvirt.run()
        return libvirt.outcome()

    return run(options, 1 + len(CLAIMS) + len(CHECKS), tell,
               missing=missing())


if __name__ == "__main__":
    sys.exit(main())
