# SPDX-License-Identifier: GPL-2.0-only
"""Says what goes on, and puts a bound on every wait."""

import os
import sys
import time

# How many times longer things take here than they were meant to
PATIENCE = int(os.environ.get("VFMIG_PATIENCE", 1))
SILENCE = 4.0		# seconds of a wait without a word


class Trouble(Exception):
    """The scenario cannot go on; the text says why, for a human."""


class Stopped(Trouble):
    """Somebody wants it to end now."""


def tail(path, lines=15):
    """The end of a log, indented, for an error message."""
    try:
        with open(path, errors="replace") as log:
            last = log.read().splitlines()[-lines:]
    except OSError as err:
        return f"    (not there: {err.strerror})"
    if not last:
        return "    (empty)"
    return "\n".join("    " + line for line in last)


def quote(path):
    """The same, under the log's name."""
    return f"the end of {os.path.basename(path)}:\n{tail(path)}"


class Progress:
    """A line for each step, with the seconds since the start."""

    def __init__(self, prefix=""):
        self.prefix = prefix
        self.start = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.start

    def say(self, text):
        for line in text.splitlines():
            print(f"{self.prefix}[{self.elapsed():6.1f} s] {line}")
        sys.stdout.flush()

    def wait(self, what, condition, timeout, logs=(), every=0.1):
        """Poll condition() until it is true, and return what it returned."""
        timeout *= PATIENCE
        begin = last_word = time.monotonic()
        while True:
            result = condition()
            now = time.monotonic()
            if result:
                return result
            if now - begin > timeout:
                text = f"waited {timeout:.0f} s in vain for {what}"
                for log in logs:
                    text += f"\n  {quote(log)}"
                raise Trouble(text)
            if now - last_word > SILENCE:
                self.say(f"still waiting for {what} ({now - begin:.0f} s)")
                last_word = now
            time.sleep(every)

    def pause(self, what, seconds, check):
        """Let time pass, with a word now and then. check() may object."""
        seconds = max(seconds, 0) * PATIENCE
        end = time.monotonic() + seconds
        last_word = time.monotonic()
        self.say(f"{what} for {seconds:.0f} s")
        while (left := end - time.monotonic()) > 0:
            check()
            if time.monotonic() - last_word > SILENCE:
                self.say(f"{what}: {left:.0f} s to go")
                last_word = time.monotonic()
            time.sleep(min(left, 0.5))
