# SPDX-License-Identifier: GPL-2.0-only
"""A process that never outlives the scenario."""

import subprocess

from progress import Trouble, tail

KILL_SECONDS = 20


class Child:
    """Runs a program with its output in a log."""

    def __init__(self, name, argv, log, fds=()):
        """fds: of ours, that it has, too."""
        self.name = name
        self.log = log
        with open(log, "wb") as output:
            # The kernel sees to its end even if we are killed.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *argv],
                stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, pass_fds=fds)

    def alive(self):
        return self.process.poll() is None

    def must_live(self):
        if not self.alive():
            raise Trouble(f"{self.name} ended with status "
                          f"{self.process.returncode}: "
                          f"{tail(self.log, 1).strip()}")
        return True

    def kill(self):
        """Whether it is gone: the kernel may be stuck in it."""
        if self.alive():
            self.process.kill()
        try:
            self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True
