# SPDX-License-Identifier: GPL-2.0-only
"""A file that another process has open, as a file of our own."""

import contextlib
import ctypes
import os

from progress import Trouble

PIDFD_GETFD = 438

libc = ctypes.CDLL(None, use_errno=True)


def find(pid, name):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/{pid}/fd/{fd}") == name:
                return int(fd)
    raise Trouble(f"process {pid} has no {name} open")


@contextlib.contextmanager
def borrowed(pid, name):
    """name: as it is in /proc/PID/fd. Not even the same file, opened again."""
    pidfd = os.pidfd_open(pid)
    try:
        fd = libc.syscall(PIDFD_GETFD, pidfd, find(pid, name), 0)
        if fd < 0:
            raise Trouble(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(pidfd)
    try:
        yield fd
    finally:
        os.close(fd)
