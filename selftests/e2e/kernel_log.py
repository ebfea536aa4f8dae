# SPDX-License-Identifier: GPL-2.0-only
"""The kernel log of this host."""

import contextlib
import os


class KernelLog:
    """What this host's kernel says from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)
        self.lines = []

    def read(self):
        """All of its lines so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    entry = os.read(self.fd, 8192).decode(errors="replace")
                except BrokenPipeError:
                    self.lines.append("(some lines were overwritten)")
                    continue
                head, text = entry.split(";", 1)
                stamp = int(head.split(",")[2]) / 1e6
                self.lines.append(f"[{stamp:12.6f}] {text.splitlines()[0]}")
        return self.lines
