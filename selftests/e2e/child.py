# SPDX-License-Identifier: GPL-2.0-only
"""A process that never outlives the scenario."""

import subprocess

from progress import PATIENCE, Trouble, tail

KILL_SECONDS = 20 * PATIENCE


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

    def exit_status(self):
        """None as long as it lives."""
        return self.process.poll()

    def alive(self):
        return self.exit_status() is None

    def must_live(self):
        status = self.exit_status()
        if status is not None:
            raise Trouble(f"{self.name} ended with status {status}: "
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
