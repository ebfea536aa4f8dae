#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Packets per second of a guest, by what its virtual functions are bound to.

One guest has three: one on plain vfio-pci, one on igb_vfio_pci without a log of
its DMA, so that the registers of its receive queues are mapped, and one with the
log. They take turns. The log is started in QEMU's place, on a duplicate of its
file: QEMU would have the guest's processor log its writes as well.
"""

import argparse
import contextlib
import ctypes
import fcntl
import os
import statistics
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

from device import (FEATURE_DMA_LOGGING_START, FEATURE_SET,
                    VFIO_DEVICE_FEATURE, has_feature)
from guest import Guest
from initrd import build_initrd
from nic import HostAddress, ip
from progress import Progress, Trouble

FLOOD = os.path.join(HERE, "flood")
DRIVERS = "/sys/bus/pci/drivers"
LOG_PARAMETER = "/sys/module/igb_vfio_pci/parameters/dma_log"
FEATURE_DMA_LOGGING_STOP = 7
LOGGED = 4 << 30		# more than the guest has
PAGE = 4096
PIDFD_GETFD = 438
BOOT_SECONDS = 120
MEMORY = 256

PLAIN, MAPPED, OFFERED, ON = ("vfio-pci", "receive queues mapped",
                              "log offered", "log on")
CARD = {PLAIN: 0, MAPPED: 1, OFFERED: 2, ON: 2}
GOALS = {("tx", OFFERED): 0.98, ("tx", ON): 0.98, ("rx", OFFERED): 0.95,
         ("rx", ON): 0.90}

GUEST = r"""
count()
{
	cat /sys/class/net/eth$1/statistics/$2_packets
}

rise()
{
	ip link set eth$1 up
	wait_until "no link" grep -q 1 /sys/class/net/eth$1/carrier
}

for n in 0 1 2; do
	wait_until "no network interface" [ -e /sys/class/net/eth$n ]
	ip link set eth$n address 02:76:66:00:01:0$n
	ip addr add 10.76.$n.2/24 dev eth$n
	rise $n
done
echo "guest: up"
while read -r word n seconds; do
	before=$(count $n $word)
	case $word in
	rx)	sleep $seconds ;;
	tx)	flood 10.76.$n.1 $seconds ;;
	up)	ip link set eth$n down; rise $n ;;
	esac
	echo "guest: done $word $n $(($(count $n $word) - before))."
done
"""


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def bind(vf, driver):
    """To a driver; a VF that has it already is bound anew."""
    device = f"/sys/bus/pci/devices/{vf}"
    if os.path.exists(f"{device}/driver"):
        write(f"{device}/driver/unbind", vf)
    write(f"{device}/driver_override", driver)
    write(f"{DRIVERS}/{driver}/bind", vf)


class Log:
    """The log of a device that a process has open, on a duplicate of its fd."""

    def __init__(self, pid):
        self.fd = self._find(pid)

    @staticmethod
    def _find(pid):
        libc = ctypes.CDLL(None, use_errno=True)
        pidfd = os.pidfd_open(pid)
        for name in os.listdir(f"/proc/{pid}/fd"):
            link = os.readlink(f"/proc/{pid}/fd/{name}")
            if "vfio-device" not in link:
                continue
            fd = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
            if fd >= 0 and has_feature(fd, FEATURE_DMA_LOGGING_START,
                                       FEATURE_SET):
                return fd
        raise Trouble("no device of QEMU's offers a log of its DMA")

    def start(self):
        ranges = ctypes.create_string_buffer(struct.pack("QQ", 0, LOGGED))
        control = struct.pack("QIIQ", PAGE, 1, 0, ctypes.addressof(ranges))
        fcntl.ioctl(self.fd, VFIO_DEVICE_FEATURE, struct.pack(
            "II", 8 + len(control),
            FEATURE_SET | FEATURE_DMA_LOGGING_START) + control)

    def stop(self):
        fcntl.ioctl(self.fd, VFIO_DEVICE_FEATURE, struct.pack(
            "II", 8, FEATURE_SET | FEATURE_DMA_LOGGING_STOP))


class Packets:
    """The guest, and what it is asked."""

    def __init__(self, options, directory, stack):
        self.seconds = options.seconds
        self.progress = Progress("# ")
        self.directory = directory
        self.said = {}
        self.vfs = os.environ["VFMIG_VFS"].split()
        self._bind(stack)
        for number in range(3):
            address = HostAddress(os.environ["VFMIG_PF_NETDEV"],
                                  f"10.76.{number}.1")
            stack.callback(address.remove)
        self.guest = self._start(stack)
        self.log = Log(self.guest.process.pid)

    def _bind(self, stack):
        write(LOG_PARAMETER, "N")
        stack.callback(write, LOG_PARAMETER, "Y")
        bind(self.vfs[CARD[MAPPED]], "igb_vfio_pci")
        write(LOG_PARAMETER, "Y")
        bind(self.vfs[CARD[OFFERED]], "igb_vfio_pci")
        bind(self.vfs[CARD[PLAIN]], "vfio-pci")

    def _start(self, stack):
        initrd = os.path.join(self.directory, "guest.initrd")
        build_initrd(initrd, ["igbvf"], [FLOOD], GUEST)
        cards = []
        for number, vf in enumerate(self.vfs):
            cards += ["-device", f"vfio-pci,host={vf},rombar=0,"
                                 f"addr={4 + number:#x}"]
        guest = Guest("guest", self.directory, MEMORY, initrd, cards)
        stack.callback(guest.kill)
        guest.must_say(self.progress, "guest: up", "the guest to boot",
                       BOOT_SECONDS)
        return guest

    def ask(self, word, number):
        """What the guest's counter has risen by."""
        prefix = f"guest: done {word} {number} "
        key = (word, number)
        self.said[key] = self.said.get(key, 0) + 1
        self.guest.type_line(f"{word} {number} {self.seconds}")
        self.guest.must_say(self.progress, prefix, prefix, 60,
                            self.said[key])
        last = self.guest.console().rsplit(prefix, 1)[1]
        return int(last.split(".", 1)[0])

    def rate(self, word, number):
        if word == "tx":
            return self.ask(word, number) / self.seconds
        with subprocess.Popen([FLOOD, f"10.76.{number}.2",
                               str(self.seconds + 2)]) as flood:
            packets = self.ask(word, number)
            flood.kill()
        return packets / self.seconds

    def round(self, rates):
        for how, number in CARD.items():
            if how == ON:
                self.log.start()
                # Its rings are read when they are empty: the log is not the
                # process's whose memory it is.
                self.ask("up", number)
            for word in ("rx", "tx"):
                rates[word, how].append(self.rate(word, number))
            if how == ON:
                self.log.stop()


def tell(rates, rounds):
    medians = {key: statistics.median(values)
               for key, values in rates.items()}
    print(f"\npackets per second in the guest: medians of {rounds} rounds")
    for (word, how), median in medians.items():
        ratio = median / medians[word, PLAIN]
        line = f"{word} {how:24}{median:9.0f}{ratio:7.3f}"
        goal = GOALS.get((word, how))
        if goal:
            line += (f"  goal: at least {goal:.2f}: "
                     + ("met" if ratio >= goal else "MISSED"))
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    rates = {(word, how): [] for word in ("rx", "tx") for how in CARD}
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="vfmig-bench-"))
        packets = Packets(options, directory, stack)
        for number in range(options.rounds):
            packets.round(rates)
            print(f"# round {number + 1}: " + ", ".join(
                f"{word} {how} {values[-1]:.0f}"
                for (word, how), values in rates.items()), flush=True)
    tell(rates, options.rounds)


if __name__ == "__main__":
    main()
