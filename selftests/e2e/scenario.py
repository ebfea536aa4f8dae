# SPDX-License-Identifier: GPL-2.0-only
"""What any scenario is made of: guests that run side by side, and pings."""

import contextlib
import os
import re
import time

from flows import Flows
from guest import Guest
from kernel_log import KernelLog
from network import ADDRESS
from progress import Stopped, Trouble, quote
from traffic import Pinger, stop_pingers

BOOT_SECONDS = 240
MEMORY = 128			# of a guest, in MiB
BANDWIDTH = 64			# MiB/s that QEMU may use while the guest runs
DOWNTIME = 300			# QEMU's limit, in ms
WHEREABOUTS = 4			# how often a guest is asked for them


def find_program(name):
    """A helper program, where the build leaves it."""
    here = os.environ.get("VFMIG_PROGRAMS",
                          os.path.dirname(os.path.abspath(__file__)))
    path = os.path.join(here, name)
    if not os.access(path, os.X_OK):
        raise Trouble(f"no program {path}: build it with make, or name "
                      "another directory in VFMIG_PROGRAMS")
    return path


def page_table(registers):
    found = re.search(r"\bCR3=([0-9a-f]+)", registers)
    return int(found[1], 16) if found else 0


class Scenario:
    """The story, step by step: play() tells it, collect() is its end."""

    bandwidth = BANDWIDTH
    downtime = DOWNTIME
    memory = MEMORY
    ways = (None, None)		# how each end opens its device, see iommu.py

    def __init__(self, progress, directory, stack):
        self.progress = progress
        self.directory = directory
        self.stack = stack
        self.kernel_log = KernelLog()
        self.transcript = stack.enter_context(open(self.path("qmp.log"), "w"))
        self.nic = self.flows = self.pinger = None
        self.guests = []
        self.interrupted = False	# by a signal
        self.trouble = None		# why it ended early, if it did

    def path(self, name):
        return os.path.join(self.directory, name)

    def keep(self, child):
        self.stack.callback(child.kill)
        return child

    def prepare_nic(self, kind):
        self.nic = kind(self.progress, self.ways)
        self.stack.callback(self.nic.remove)
        self.flows = Flows(self.nic.netdev, self.stack.callback)

    def make_guest(self, name, end, **how):
        return Guest(name, self.directory, self.memory,
                     self.path("guest.initrd"), self.nic.qemu_args(end), **how)

    def new_guest(self, name, end, **how):
        """Start a QEMU whose card is that of this end."""
        guest = self.keep(self.make_guest(name, end, **how))
        self.guests.append(guest)
        guest.connect(self.progress, self.transcript)
        self.nic.look(end, guest)
        # Without a return path the source is done once all is sent, whatever
        # the destination then thinks of it. With the switchover-ack the source
        # goes on until the destination's card has taken its initial data.
        names = ["events", "return-path"]
        if self.nic.precopy:
            names.append("switchover-ack")
        guest.qmp.command("migrate-set-capabilities", {"capabilities": [
            {"capability": name, "state": True} for name in names]})
        guest.qmp.command("migrate-set-parameters", {
            "max-bandwidth": self.bandwidth << 20,
            "downtime-limit": self.downtime})
        return guest

    def migration_uri(self):
        return {"uri": f"unix:{self.path('migration')}"}

    def new_destination(self, name, end, **how):
        """A QEMU that waits to be filled."""
        self.progress.say(f"starting the {name}, which waits")
        guest = self.new_guest(name, end, incoming=True, **how)
        guest.qmp.command("migrate-incoming", self.migration_uri())
        return guest

    def start_pings(self):
        self.pinger = Pinger(ADDRESS)
        for pinger in self.pingers():
            pinger.start()

    def pingers(self):
        return [self.pinger, *self.flows.pingers()] if self.pinger else []

    def stop_pings(self):
        stop_pingers(self.pingers())

    def logs(self):
        return [guest.log for guest in self.guests]

    def last_words(self):
        """What the QEMUs complained of: the reason is often there."""
        return "\n".join(f"  {quote(path)}" for path in self.logs()
                         if os.path.getsize(path))

    def play(self):
        raise NotImplementedError

    def note_whereabouts(self):
        """Where the guests are at work, if they are: that tells hung from slow."""
        for guest in self.guests:
            with contextlib.suppress(Trouble):
                self.note_whereabouts_of(guest)

    def note_whereabouts_of(self, guest):
        if not guest.alive() or not guest.qmp:
            return
        self.progress.say(f"the guest of the {guest.short_name} is {guest.status()}")
        with open(self.path(f"{guest.short_name}-registers.log"), "w") as log:
            for _ in range(WHEREABOUTS):
                registers = guest.registers()
                log.write(f"{registers}\n")
                self.progress.say("  " + " ".join(re.findall(
                    r"\b[RE]IP=[0-9a-f]+|\bHLT=\d|\bCR3=[0-9a-f]+",
                    registers)))
                time.sleep(0.5)
        if page_table(registers) >= guest.memory << 20:
            self.progress.say("  its page table is beyond its memory: the "
                              "emulator has mixed up two processors' states, "
                              "see Documentation/lab.rst")

    def gather_after_failure(self):
        """The last chance to ask a guest that still runs."""

    def kill(self, *others):
        """End all that still runs; the complaints that are left in the end."""
        children = [*self.guests, *(other for other in others if other)]
        stuck = [child.name for child in children if not child.kill()]
        if stuck:
            return [f"{name} cannot be killed: the kernel is stuck in it"
                    for name in stuck]
        return self.nic.complaints() if self.nic else None

    def collect(self):
        """Fill in the results from what is left when all is over."""
        raise NotImplementedError

    def leave_kernel_log(self):
        lines = self.kernel_log.read()
        with open(self.path("host-kernel.log"), "w") as file:
            file.writelines(line + "\n" for line in lines)
        return lines

    def run(self):
        try:
            self.play()
        except (Trouble, OSError) as err:
            self.trouble = f"{err}\n{self.last_words()}".strip()
            self.progress.say(f"TROUBLE: {self.trouble}")
            self.interrupted = isinstance(err, Stopped)
            if not self.interrupted:
                self.note_whereabouts()
                self.gather_after_failure()
        self.collect()
