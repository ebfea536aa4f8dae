# SPDX-License-Identifier: GPL-2.0-only
"""The machine that the tool is tested on: its VFs, and the tool."""

import contextlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from device import DEVICES, driver_of, hand_over, opened, put  # noqa: E402 (it is next door)
from ktap import Failed, equal, expect  # noqa: E402

TOOL = os.environ.get("VFMIG_TOOL",
                      os.path.join(HERE, "..", "..", "tools/vfmig/usr/bin/vfmig"))
MODULES = os.path.join(HERE, "..", "..", "modules")
DRIVER = "igb_vfio_pci"
DEBUGFS = "/sys/kernel/debug/vfio_pci_mig"
PATIENCE = int(os.environ.get("VFMIG_PATIENCE", 1))

PF = os.environ.get("VFMIG_PF")
NETDEV = os.environ.get("VFMIG_PF_NETDEV")
VFS = os.environ.get("VFMIG_VFS", "").split()

DONE, FAILED, USAGE, UNSUITABLE, IN_USE, BAD_STREAM, NOT_WRITTEN = range(7)


def vfmig(*args, **options):
    """What it printed, and its exit status."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([TOOL, *args], stderr=subprocess.PIPE,
                          timeout=60 * PATIENCE, **options)


def must(status, *args, says="", **options):
    """The tool ends with that status, and has these words for it."""
    run = vfmig(*args, **options)
    complaint = run.stderr.decode()
    equal(run.returncode, status, *args, "ends with what", complaint)
    expect(says in complaint, *args, f"says {complaint!r}, {says!r} was due")
    if status and not run.stdout:
        expect("vfmig" in complaint, *args, "fails and says nothing")
    return run.stdout


def as_json(*args, status=DONE, **options):
    return json.loads(must(status, "--json", *args, **options))


def get(path):
    with open(path) as file:
        return file.read().strip()


def override_of(bdf):
    name = get(f"{DEVICES}/{bdf}/driver_override")
    return None if name in ("", "(null)") else name


def counters(bdf):
    """What debugfs has, by its own words."""
    with open(f"{DEBUGFS}/{bdf}/info") as file:
        return dict(line.rstrip("\n").split(": ", 1) for line in file)


def arcs(bdf):
    with open(f"{DEBUGFS}/{bdf}/arcs") as file:
        lines = [line.split() for line in file]
    return {(one[0], one[1]): [int(n) for n in one[2:]] for one in lines}


def link_up():
    subprocess.run(["ip", "link", "set", NETDEV, "up"], check=True)
    for _ in range(100):
        if get(f"/sys/class/net/{NETDEV}/carrier") == "1":
            return
        subprocess.run(["sleep", "0.1"], check=True)
    raise Failed("the PF does not come up")


@contextlib.contextmanager
def link_down():
    subprocess.run(["ip", "link", "set", NETDEV, "down"], check=True)
    try:
        yield
    finally:
        link_up()


@contextlib.contextmanager
def unprivileged():
    """Arguments for subprocess by which it is nobody that runs the tool."""
    yield {"user": 65534, "group": 65534, "extra_groups": []}


@contextlib.contextmanager
def tiny_disk(directory):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=10", "tmpfs",
                    directory], check=True)
    try:
        with open(f"{directory}/filler", "wb") as file:
            with contextlib.suppress(OSError):
                file.write(bytes(1 << 16))
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def pretend_error(bdf, handler):
    """The write fails where the driver gives the device up."""
    if not os.path.exists("/sys/module/pretend_error"):
        subprocess.run(["insmod", f"{MODULES}/pretend_error.ko"], check=True)
    with contextlib.suppress(OSError):
        put("/sys/module/pretend_error/parameters/call", f"{bdf} {handler}")


def rebind_all():
    """As the machine was when it was handed over."""
    for bdf in VFS:
        if driver_of(bdf) != DRIVER:
            hand_over(bdf, DRIVER)


def untouched():
    """Both VFs are bound, closed and good for another migration."""
    for bdf in VFS[:2]:
        equal(driver_of(bdf), DRIVER, "the driver of", bdf)
        equal(counters(bdf)["state"], "closed", "the state of", bdf)
    must(DONE, "move", *VFS[:2])


__all__ = [name for name in dir() if not name.startswith("_")]
