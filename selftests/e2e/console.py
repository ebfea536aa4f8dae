# SPDX-License-Identifier: GPL-2.0-only
"""What the guest says on its serial port, whoever runs its QEMU."""

import re

from progress import Trouble, quote


class Console:
    """Of a thing that has serial and log (paths), alive() and must_live()."""

    def console(self):
        try:
            with open(self.serial, errors="replace") as serial:
                return serial.read()
        except FileNotFoundError:
            return ""

    def must_not_give_up(self):
        failed = re.search(r"^guest: failed (.*)", self.console(),
                           re.MULTILINE)
        if failed:
            raise Trouble(f"the guest gave up: {failed.group(1)}\n"
                          f"  {quote(self.serial)}")

    def must_be_well(self):
        self.must_not_give_up()
        self.must_live()

    def must_say(self, progress, text, what, timeout, times=1):
        """Wait until the guest has written text so often to its console."""
        def said():
            alive = self.alive()
            self.must_not_give_up()
            often_enough = self.console().count(text) >= times
            if not often_enough and not alive:
                self.must_live()
            return often_enough
        progress.wait(what, said, timeout, [self.serial, self.log])
