# SPDX-License-Identifier: GPL-2.0-only
"""Holds one thread of a process for a while, and no other."""

import contextlib
import ctypes
import os

from progress import Trouble

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000		# __WALL: threads, too

libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) < 0:
        raise Trouble(f"ptrace: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def frozen(thread):
    ptrace(PTRACE_SEIZE, thread)
    try:
        ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
        yield
    finally:
        ptrace(PTRACE_DETACH, thread)
