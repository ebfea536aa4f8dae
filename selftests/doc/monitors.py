# SPDX-License-Identifier: GPL-2.0-only
"""The README's QEMUs, and what is typed in their monitors.

Their machines have nothing but the VF, and no guest but the firmware.
"""

import os

from child import Child
from guest import MACHINE
from ktap import equal, expect
from progress import Progress, quote
from qmp import Qmp

OMITTED = "..."			# what the README leaves to its reader
MIGRATION_SECONDS = 60
DETACHED = "continuing detached"	# what a monitor that cannot wait says


class Monitors:
    def __init__(self, directory):
        self.directory = directory
        self.progress = Progress("# ")
        self.transcript = open(self.path("transcript"), "w")
        self.machines = []		# (child, its Qmp), the source first

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, command):
        expect(OMITTED in command, "nothing is left out of", command)
        address = self.path(f"qemu{len(self.machines)}")
        rest = (f"-machine {MACHINE},accel=kvm -cpu host -m 64 -nodefaults "
                f"-no-user-config -display none -qmp unix:{address},server=on,wait=off")
        child = Child(command, ["bash", "-c", f"exec {command.replace(OMITTED, rest)}"],
                      f"{address}.log")
        self.machines.append((child, None))

        def answers():
            child.must_live()
            try:
                return Qmp(command, address, self.transcript, self.progress)
            except (FileNotFoundError, ConnectionRefusedError):
                return None

        self.machines[-1] = child, self.progress.wait("QEMU to answer", answers, 60, [child.log])

    def ask(self, machine, line):
        child, qmp = machine
        child.must_live()
        return qmp.command("human-monitor-command", {"command-line": line}).strip()

    def type(self, line):
        """In both monitors; but it is the source that migrates."""
        migrates = line.startswith("migrate ")
        equal(len(self.machines), 2, "the number of QEMUs")
        for machine in self.machines[:1] if migrates else self.machines:
            said = self.ask(machine, line)
            expect(not said or DETACHED in said, line, "says", said)
        if migrates:
            self.must_arrive()

    def must_arrive(self):
        def status():
            said = self.ask(self.machines[0], "info migrate").lower()
            return next((end for end in ("completed", "failed") if end in said), None)

        logs = [child.log for child, _ in self.machines]
        equal(self.progress.wait("the migration to end", status, MIGRATION_SECONDS, logs),
              "completed", "the migration", *map(quote, logs))
        self.progress.wait("the destination to run", lambda: "running" in
                           self.ask(self.machines[1], "info status"), MIGRATION_SECONDS, logs)
        self.quit()

    def quit(self):
        while self.machines:
            child, _ = self.machines.pop()
            expect(child.kill(), child.name, "cannot be killed")
