# SPDX-License-Identifier: GPL-2.0-only
"""A file that another process has open, as a file of our own."""

import contextlib
import ctypes
import os

from progress import Trouble

PIDFD_GETFD = 438

libc = ctypes.CDLL(None, use_errno=True)


def numbers(pid, name):
    """Of its files of that name."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/{pid}/fd/{fd}") == name:
                yield int(fd)


def copy(pidfd, number):
    fd = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
    if fd < 0:
        raise Trouble(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    return fd


def borrow(pid, name, is_it):
    pidfd = os.pidfd_open(pid)
    try:
        for number in numbers(pid, name):
            fd = copy(pidfd, number)
            if is_it(fd):
                return fd
            os.close(fd)
    finally:
        os.close(pidfd)
    raise Trouble(f"process {pid} has no such {name} open")


@contextlib.contextmanager
def borrowed(pid, name, is_it=lambda _fd: True):
    """name: as it is in /proc/PID/fd. Not even the same file, opened again.

    is_it: whether a file is the one, where the process has more of that name.
    """
    fd = borrow(pid, name, is_it)
    try:
        yield fd
    finally:
        os.close(fd)
