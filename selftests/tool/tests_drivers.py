# SPDX-License-Identifier: GPL-2.0-only
"""bind and unbind: what they change, and that they undo it."""

import contextlib
import glob
import os
import subprocess

from ktap import equal, expect, test
from machine import *  # noqa: F403


@contextlib.contextmanager
def network_driver():
    """With igbvf loaded, a VF has a driver without vfmig."""
    # By its file: the index of the debugging kernel has it where it was built.
    name = f"/lib/modules/{os.uname().release}/kernel/drivers/net/ethernet/intel/igbvf/igbvf.ko*"
    subprocess.run(["insmod", *glob.glob(name)], check=True)
    try:
        yield
    finally:
        for bdf in VFS:
            if driver_of(bdf) == "igbvf":
                put(f"{DEVICES}/{bdf}/driver/unbind", bdf)
        subprocess.run(["rmmod", "igbvf"], check=True)


def netdev_of(bdf):
    return os.listdir(f"{DEVICES}/{bdf}/net")[0]


@test
def bind_and_unbind():
    before = counters(VFS[1])
    equal(as_json("unbind", VFS[0]), {"device": VFS[0], "was": DRIVER, "driver": None})
    equal((driver_of(VFS[0]), override_of(VFS[0])), (None, None))
    expect(not os.path.exists(f"{DEBUGFS}/{VFS[0]}"), "debugfs has it still")
    must(UNSUITABLE, "unbind", VFS[0], says="nothing to undo")
    text = must(DONE, "bind", VFS[0].removeprefix("0000:")).decode()
    equal(text, f"{VFS[0]}: no driver -> {DRIVER}\n")
    equal((driver_of(VFS[0]), override_of(VFS[0])), (DRIVER, DRIVER))
    must(DONE, "bind", VFS[0])
    equal(counters(VFS[1]), before, "the other VF has changed:")


@test
def the_earlier_driver_is_back():
    with network_driver():
        must(DONE, "unbind", VFS[0])
        equal((driver_of(VFS[0]), override_of(VFS[0])), ("igbvf", None))
        row = next(row for row in as_json("list") if row["device"] == VFS[0])
        equal((row["migratable"], row["netdev"]), ("no", netdev_of(VFS[0])))
        must(UNSUITABLE, "save", VFS[0], says="bound to igbvf, which is not a VFIO driver")
        must(UNSUITABLE, "unbind", VFS[0], says="nothing to undo")
        must(DONE, "bind", VFS[0])
        equal(driver_of(VFS[0]), DRIVER)
        must(DONE, "bind", VFS[0], "--driver", "vfio-pci")
        must(DONE, "unbind", VFS[0])
        equal(driver_of(VFS[0]), "igbvf")


@test
def no_driver_where_none_is_wanted():
    autoprobe = f"{DEVICES}/{PF}/sriov_drivers_autoprobe"
    with network_driver():
        put(autoprobe, "0")
        try:
            must(DONE, "unbind", VFS[0])
            equal(driver_of(VFS[0]), None)
        finally:
            put(autoprobe, "1")


@test
def interface_that_is_up():
    with network_driver():
        must(DONE, "unbind", VFS[0])
        name = netdev_of(VFS[0])
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        must(IN_USE, "bind", VFS[0], says=f"its interface {name} is up")
        equal((driver_of(VFS[0]), override_of(VFS[0])), ("igbvf", None))
        subprocess.run(["ip", "link", "set", name, "down"], check=True)
        must(DONE, "bind", VFS[0])


@test
def failure_is_undone():
    with network_driver():
        must(DONE, "unbind", VFS[0])
        for driver in ("igbvf", None):
            # Its probe refuses whatever is no port.
            must(FAILED, "bind", VFS[0], "--driver", "pcieport", says="is as it was")
            equal((driver_of(VFS[0]), override_of(VFS[0])), (driver, None))
            if driver:
                put(f"{DEVICES}/{VFS[0]}/driver/unbind", VFS[0])
        must(DONE, "bind", VFS[0])
        must(FAILED, "bind", VFS[0], "--driver", "pcieport", says=f"{VFS[0]} is as it was: {DRIVER}")
        equal((driver_of(VFS[0]), override_of(VFS[0])), (DRIVER, DRIVER))


@test
def what_cannot_be_bound():
    must(UNSUITABLE, "bind", PF, says="is not a VF")
    must(UNSUITABLE, "unbind", PF, says="is not a VF")
    must(FAILED, "bind", VFS[0], "--driver", "no_such_driver", says="is it installed")
    must(USAGE, "bind", VFS[0], "--driver", "../igb", says="is no name of a driver")
    must(USAGE, "bind", VFS[0], "--driver", "", says="is no name of a driver")
    equal((driver_of(VFS[0]), override_of(VFS[0])), (DRIVER, DRIVER))


@test
def sysfs_read_only():
    run = subprocess.run(["unshare", "-m", "sh", "-c",
                          f"mount -o remount,bind,ro /sys && {TOOL} unbind {VFS[0]}"],
                         capture_output=True)
    equal(run.returncode, FAILED, run)
    expect(b"mounted read-only" in run.stderr, run)
    equal((driver_of(VFS[0]), override_of(VFS[0])), (DRIVER, DRIVER))
