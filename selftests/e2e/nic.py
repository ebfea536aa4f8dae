# SPDX-License-Identifier: GPL-2.0-only
"""What the guest's network card is, and where it meets the host."""

import os
import subprocess

import iommu
from claim import Claim
from device import Abilities, complaint_about, driver_of
from network import HOST_ADDRESS, MAC, MTU
from progress import Trouble

OPENED = "each QEMU has its device open as it was told, and in no other way"


def ip(*words, check=True):
    result = subprocess.run(["ip", *words], capture_output=True, text=True)
    if check and result.returncode:
        raise Trouble(f"ip {' '.join(words)}: {result.stderr.strip()}")


def load_modules(*names):
    """What is built in has no module: that it is missing will show."""
    subprocess.run(["modprobe", "-aq", *names], check=False)


class HostAddress:
    """Our address on an interface, for as long as the scenario lasts."""

    def __init__(self, netdev, address):
        self.netdev = netdev
        self.address = f"{address}/24"
        with open(f"/sys/class/net/{netdev}/mtu") as mtu:
            self.mtu = mtu.read().strip()
        ip("link", "set", netdev, "mtu", str(MTU), "up")
        ip("address", "replace", self.address, "dev", netdev)

    def remove(self):
        ip("address", "del", self.address, "dev", self.netdev, check=False)
        ip("link", "set", self.netdev, "mtu", self.mtu, check=False)


class VfNic:
    """A virtual function for each end, and the PF's interface as our side."""

    guest_modules = ["8021q", "igbvf"]
    journey = "from one virtual function to the other"
    log = True			# a log of its DMA is used where there is one

    def __init__(self, progress, ways):
        """ways: how each end opens its function; None is the usual way."""
        try:
            self.netdev = os.environ["VFMIG_PF_NETDEV"]
            self.vfs = os.environ["VFMIG_VFS"].split()[:2]
        except KeyError as err:
            raise Trouble(f"{err.args[0]} is not set: it and VFMIG_VFS say "
                          "which devices to use") from err
        if len(self.vfs) < 2:
            raise Trouble("VFMIG_VFS must name two virtual functions, one "
                          "for the source and one for the destination")
        self.drivers = [driver_of(vf) for vf in self.vfs]
        self.abilities = [Abilities(vf) for vf in self.vfs]
        for vf, driver, can in zip(self.vfs, self.drivers, self.abilities):
            progress.say(f"{vf} is bound to {driver}: {can.describe()}")
            if "STOP_COPY" not in can.flags:
                raise Trouble(f"{vf} is bound to {driver}, which cannot "
                              "migrate it; bind it to igb_vfio_pci")
        self.offers = self.abilities[0].describe()
        self.precopy = all("PRE_COPY" in can.flags for can in self.abilities)
        self.ways = [way or iommu.usual_way() for way in ways]
        self.found = [[], []]		# what the QEMUs of each end had open
        self.address = HostAddress(self.netdev, HOST_ADDRESS)

    def has_log(self, end):
        """Whether a QEMU gets more than "everything" from a log of the DMA.

        With an iommufd it makes a page table of its own, and what address
        space that belongs to no driver can tell.
        """
        return (self.log and self.abilities[end].dma_log and
                self.ways[end] == iommu.GROUP)

    def qemu_args(self, end):
        """end: 0 for the source, 1 for the destination."""
        device = (f"vfio-pci,id=nic,host={self.vfs[end]},rombar=0,"
                  "enable-migration=on,migration-events=on")
        if not self.has_log(end):
            # Without a log, VFIO reports all of the guest's memory as dirty
            # all the time: the migration would never find an end. Let the
            # device's share be sent only once the guest stands still.
            device += ",x-pre-copy-dirty-page-tracking=off"
        return iommu.qemu_args(self.ways[end], device)

    def look(self, end, pid):
        """Note which files a QEMU, which has its device by now, has open."""
        self.found[end].append(iommu.open_files(pid))

    def described_ways(self):
        return " -> ".join(self.ways)

    def opened(self):
        right = [all(files == iommu.due_files(way, vf) for files in found)
                 for way, vf, found in zip(self.ways, self.vfs, self.found)]
        return Claim(OPENED, all(right) if all(self.found) else None,
                     self.described_ways() + ": " + "; ".join(
                         ", ".join(files) or "none" for found in self.found
                         for files in found))

    def complaints(self):
        found = [complaint_about(vf, driver)
                 for vf, driver in zip(self.vfs, self.drivers)]
        return [complaint for complaint in found if complaint]

    def remove(self):
        self.address.remove()


class VirtioNic:
    """The control: an emulated card that QEMU is known to migrate."""

    guest_modules = ["8021q", "virtio_net"]
    journey = "from one QEMU to the other"
    offers = None
    precopy = False
    bridge = "vfmigbr0"
    taps = ("vfmigtap0", "vfmigtap1")

    def __init__(self, progress, _ways):
        progress.say("the card is an emulated virtio-net, as a control")
        load_modules("tun", "bridge")
        try:
            ip("link", "add", self.bridge, "type", "bridge")
            for tap in self.taps:
                ip("tuntap", "add", tap, "mode", "tap")
                ip("link", "set", tap, "master", self.bridge, "up")
                ip("link", "set", tap, "mtu", str(MTU))
            self.netdev = self.bridge
            self.address = HostAddress(self.bridge, HOST_ADDRESS)
        except Trouble:
            self.remove()
            raise

    def qemu_args(self, end):
        return ["-netdev", f"tap,id=net,ifname={self.taps[end]},script=no,"
                           "downscript=no",
                "-device", f"virtio-net-pci,id=nic,netdev=net,mac={MAC},"
                           "romfile="]

    def look(self, _end, _pid):
        """There is no device of VFIO's."""

    def described_ways(self):
        return None

    def complaints(self):
        return []

    def remove(self):
        for link in (*self.taps, self.bridge):
            ip("link", "del", link, check=False)
