#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Migrates a running guest from one host to another, end to end.

The same as migrate.py, but the two QEMUs run on two hosts, whose cards are
connected. It is run on both: host 1 (VFMIG_HOST) has the source, and our end of
the traffic, and plays the scenario; host 2 has the destination, and does as host
1 asks. They talk, and QEMU migrates, over a network of their own (VFMIG_HOSTS).
"""

import contextlib
import sys
import time

from agent import Agent
from claim import Claim
from far import BothLogs, FarGuest, FarHost, TwoHostNic
from link import MIGRATION_PORT, hosts
from migrate import Migration, add_arguments
from network import MAC
from port import Port
from program import new_parser, run, workplace
from progress import Progress, Trouble
from report import MARGIN, checks, outcome

TOLD = "the PF of host 2 has been told the guest's address"
CABLE = "what is sent to the guest goes through the cable now, and did not before"
MORE_CHECKS = (TOLD, CABLE)


class TwoHosts(Migration):
    """Host 1's part of it."""

    def __init__(self, options, address, *surroundings):
        super().__init__(options, *surroundings)
        self.record.log_name = "the kernel logs of both hosts show"
        self.address = address		# of host 2
        self.far = None
        self.ports = []			# what host 2 said of its port
        self.looked = []		# and when

    def prepare_nic(self, _kind):
        self.far = FarHost(self.progress, self.address)
        self.stack.callback(self.far.release)
        self.kernel_log = BothLogs(self.kernel_log, self.far)
        super().prepare_nic(lambda progress, ways:
                            TwoHostNic(progress, ways, self.far))

    def make_guest(self, name, end, **how):
        if end == 0:
            return super().make_guest(name, end, **how)
        return FarGuest(self.far, name, self.directory, self.memory,
                        self.far.put(self.path("guest.initrd")),
                        self.nic.has_log(end))

    def migration_uri(self):
        return {"uri": f"tcp:{self.address}:{MIGRATION_PORT}"}

    def look_at_port(self):
        self.ports.append(self.far.ask("port"))
        self.looked.append(time.time())

    def boot(self):
        self.look_at_port()
        super().boot()

    def migrate(self):
        self.look_at_port()
        super().migrate()
        # Or the card of host 1 keeps what is sent to the guest to itself: see
        # Documentation/82576.rst.
        if not self.options.keep_address:
            Port().forget_address_of(self.nic.vfs[0])

    def reason(self):
        why = super().reason()
        return f"{why} ({self.far.trouble})" if self.far.trouble else why

    def finish(self):
        self.look_at_port()
        super().finish()

    def gather_after_failure(self):
        with contextlib.suppress(Trouble):
            if self.record.completed:
                self.look_at_port()
        with contextlib.suppress(Trouble):
            super().gather_after_failure()

    def answered(self, since, until):
        return sum(ping.rtt is not None for ping in self.record.pings()
                   if since <= ping.sent <= until)

    def check_told(self):
        if len(self.ports) < 3:
            return Claim(TOLD, None)
        addresses = [port["address"] for port in self.ports]
        return Claim(TOLD, addresses[1] != MAC and addresses[2] == MAC,
                     f"{addresses[1]} before, {addresses[2]} after")

    def check_cable(self):
        """Each ping that is answered now has come in there, and none before."""
        record = self.record
        if len(self.ports) < 3 or record.resumed is None:
            return Claim(CABLE, None)
        received = [port["received"] for port in self.ports]
        came = received[1] - received[0], received[2] - received[1]
        answered = (self.answered(0, record.began),
                    self.answered(record.resumed, self.looked[2] - MARGIN))
        return Claim(CABLE, came[0] < answered[0] and
                     0 < answered[1] <= came[1],
                     f"{answered[0]} pings answered before and {came[0]} "
                     f"packets received there, {answered[1]} and {came[1]} "
                     "after")

    def claims(self):
        return [self.check_told(), self.check_cable()]


def parse_arguments():
    parser = new_parser(__doc__)
    add_arguments(parser)
    parser.add_argument("--keep-address", action="store_true",
                        help="leave the guest's address with the card of host "
                        "1, to see what comes of it")
    parser.set_defaults(nic="vf", compare=False)
    return parser.parse_args()


def serve(address):
    """Host 2's part of it. The exit status."""
    progress = Progress()
    with workplace() as (directory, stack):
        try:
            Agent(progress, directory, stack, address).serve()
        except (Trouble, OSError) as err:
            progress.say(f"TROUBLE: {err}")
            return 1
    return 0


def main():
    options = parse_arguments()
    try:
        here, addresses = hosts()
    except Trouble as err:
        sys.exit(f"cannot run: {err}")
    if here == 1:
        return serve(addresses[here])

    def tell(progress, directory, stack):
        migration = TwoHosts(options, addresses[1], progress, directory, stack)
        migration.run()
        migration.draw()
        return outcome(migration.record, migration.claims())

    return run(options, len(checks(True, False)) + len(MORE_CHECKS), tell)


if __name__ == "__main__":
    sys.exit(main())
