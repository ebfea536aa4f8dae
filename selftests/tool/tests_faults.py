# SPDX-License-Identifier: GPL-2.0-only
"""faults, and what info counts of them. They are reported by pretend_fault.ko."""

import json
import os
import select
import signal
import subprocess
import time

from ktap import Failed, Skipped, equal, expect, test
from machine import *  # noqa: F403

IOVA = 0xdead0000
PAGE = 0x1000
LOG = 64        # faults that the driver remembers
RING = 1024     # faults that the owner's ring holds


def report(bdf, count=1, write=1):
    if not os.path.exists("/sys/module/pretend_fault"):
        module = f"{MODULES}/pretend_fault.ko"
        if not os.path.exists(module):
            raise Skipped("pretend_fault.ko is not to be had")
        subprocess.run(["insmod", module], check=True)
    put("/sys/module/pretend_fault/parameters/report", f"{bdf} {IOVA:#x} {write} {count}")


def counts(bdf):
    info = as_json("info", bdf)
    return [info[name] for name in ("faults_told", "faults_dropped", "faults_unheard")]


def more(before, told=0, dropped=0, unheard=0):
    return [had + n for had, n in zip(before, (told, dropped, unheard))]


def epoch(bdf):
    return as_json("info", bdf)["epoch"]


@test
def faults_of_a_fresh_device():
    fresh_binding(VFS[0])
    equal(as_json("faults", VFS[0]), [])
    equal(must(DONE, "faults", VFS[0]), b"There have been no faults.\n")
    equal(counts(VFS[0]), [0, 0, 0])


def fresh_binding(bdf):
    put(f"{DEVICES}/{bdf}/driver/unbind", bdf)
    put("/sys/bus/pci/drivers_probe", bdf)


@test
def faults_of_a_closed_device():
    before, other = counts(VFS[0]), counts(VFS[1])
    start = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    report(VFS[0], 2)
    report(VFS[0], write=0)
    equal(counts(VFS[0]), more(before, unheard=3))
    equal(counts(VFS[1]), other, "of the other VF")
    last = as_json("faults", VFS[0])[-3:]
    equal([one["iova"] for one in last], [hex(IOVA), hex(IOVA + PAGE), hex(IOVA)])
    equal([one["access"] for one in last], ["write", "write", "read"])
    equal({one["fate"] for one in last}, {"unheard"})
    equal([one["number"] - last[0]["number"] for one in last], [0, 1, 2])
    equal(last[0]["number"], sum(before))
    for one in last:
        equal((one["source"], one["reason"], one["pasid"], one["overflow"], one["epoch"]),
              ("driver", None, None, False, epoch(VFS[0])))
        expect(start <= one["time_ns"] <= time.clock_gettime_ns(time.CLOCK_BOOTTIME), one)
    text = must(DONE, "faults", VFS[0]).decode().splitlines()[-2:]
    expect(f"write of {IOVA + PAGE:#x}, epoch {epoch(VFS[0])}: nobody had the device open"
           in text[0], text)
    expect(f"read of {IOVA:#x}," in text[1], text)


@test
def faults_of_a_device_in_use():
    """Its owner does not take them, as QEMU does not, until the ring is full."""
    before, was = counts(VFS[0]), epoch(VFS[0])
    with opened(VFS[0]):
        expect(epoch(VFS[0]) > was, "opening begins no epoch")
        was = epoch(VFS[0])
        report(VFS[0], RING)
        equal(counts(VFS[0]), more(before, told=RING))
        equal({one["fate"] for one in as_json("faults", VFS[0])}, {"told"})
        report(VFS[0], 3)
        equal(counts(VFS[0]), more(before, told=RING, dropped=3))
        log = as_json("faults", VFS[0])
        equal(len(log), LOG)
        equal([one["fate"] for one in log], ["told"] * (LOG - 3) + ["dropped"] * 3)
        equal([one["number"] for one in log],
              list(range(sum(before) + RING + 3 - LOG, sum(before) + RING + 3)))
        expect("dropped, the owner's ring is full"
               in must(DONE, "faults", VFS[0]).decode().splitlines()[-1], "the last line")
        equal(epoch(VFS[0]), was)
        put(f"{DEVICES}/{VFS[0]}/reset", "1")
        equal(epoch(VFS[0]), was + 1, "the epoch after a reset")
        report(VFS[0])
        equal([one["epoch"] for one in as_json("faults", VFS[0])[-2:]], [was, was + 1])
    report(VFS[0])
    equal(as_json("faults", VFS[0])[-1]["fate"], "unheard")
    untouched()


class Follower:
    """faults --follow, line by line"""

    def __init__(self, *options):
        self.run = subprocess.Popen([TOOL, "faults", "-f", *options, VFS[0]],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, bufsize=0)

    def line(self):
        if not select.select([self.run.stdout], [], [], 10 * PATIENCE)[0]:
            self.run.kill()
            raise Failed("no fault is shown")
        text = b""
        while not text.endswith(b"\n"):
            text += self.run.stdout.read(1) or b"\n"
        return text.decode()

    def end(self, status, says=""):
        try:
            _, said = self.run.communicate(timeout=10 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.run.kill()
            raise Failed("it does not end")
        equal(self.run.returncode, status, said.decode())
        expect(says in said.decode(), said.decode(), f"lacks {says!r}")


@test
def following():
    fresh_binding(VFS[0])
    report(VFS[0])
    with opened(VFS[0]):
        follower = Follower("--json")
        equal(json.loads(follower.line())["fate"], "unheard")
        for number in (1, 2):
            report(VFS[0])
            fault = json.loads(follower.line())
            equal((fault["number"], fault["fate"]), (number, "told"))
        # It must not look in the middle.
        follower.run.send_signal(signal.SIGSTOP)
        report(VFS[0], LOG + 36)
        follower.run.send_signal(signal.SIGCONT)
        equal(json.loads(follower.line())["number"], 3 + 36)
        for _ in range(LOG - 1):
            fault = json.loads(follower.line())
        equal(fault["number"], 3 + 36 + LOG - 1)
        follower.run.send_signal(signal.SIGINT)
        follower.end(128 + signal.SIGINT, "36 faults came too fast to be shown")


@test
def following_ends():
    fresh_binding(VFS[0])
    report(VFS[0])
    follower = Follower()
    expect(f"write of {IOVA:#x}" in follower.line(), "the first line")
    fresh_binding(VFS[0])
    follower.end(UNSUITABLE, f"{VFS[0]} has gone, or has been taken from its driver")
    report(VFS[0])
    follower = Follower()
    follower.line()
    follower.run.stdout.close()
    follower.run.stdout = None
    follower.end(NOT_WRITTEN, "nobody reads the output any more")


@test
def faults_that_cannot_be_had():
    must(UNSUITABLE, "faults", PF, says="its driver is not of vfio_pci_mig")
    must(DONE, "bind", VFS[0], "--driver", "vfio-pci")
    must(UNSUITABLE, "faults", VFS[0], says="its driver is not of vfio_pci_mig")
    must(DONE, "bind", VFS[0])
    with unprivileged() as nobody:
        must(FAILED, "faults", VFS[0], says="only root can read debugfs", **nobody)
    report(VFS[0])
    with open("/dev/full", "wb") as full:
        must(NOT_WRITTEN, "faults", VFS[0], says="could not be written", stdout=full)
