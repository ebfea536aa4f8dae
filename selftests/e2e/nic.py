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


class Function:
    """The virtual function of one end."""

    def __init__(self, bdf, way):
        """way: how QEMU opens it; None is the usual way."""
        self.name = self.bdf = bdf
        self.driver = driver_of(bdf)
        can = Abilities(bdf)
        self.flags, self.dma_log = can.flags, can.dma_log
        self.offers = can.describe()
        self.way = way or iommu.usual_way()
        self.found = []			# what its QEMUs had open

    def has_log(self):
        """Whether a QEMU gets more than "everything" from a log of the DMA.

        With an iommufd it makes a page table of its own, and what address
        space that belongs to no driver can tell.
        """
        return self.dma_log and self.way == iommu.GROUP

    def qemu_args(self, log):
        device = (f"vfio-pci,id=nic,host={self.bdf},rombar=0,"
                  "enable-migration=on,migration-events=on")
        if not log:
            # Without a log, VFIO reports all of the guest's memory as dirty
            # all the time: the migration would never find an end. Let the
            # device's share be sent only once the guest stands still. If
            # there is a log, QEMU would still ask it then.
            device += (",x-pre-copy-dirty-page-tracking=off"
                       ",x-device-dirty-page-tracking=off")
        return iommu.qemu_args(self.way, device)

    def look(self, guest):
        """Note which files a QEMU, which has it by now, has open."""
        self.found.append(iommu.open_files(guest.process.pid))

    def opened(self):
        """Whether in its own way and no other; None if it was not seen."""
        if not self.found:
            return None
        due = iommu.due_files(self.way, self.bdf)
        return all(files == due for files in self.found)

    def complaint(self):
        return complaint_about(self.bdf, self.driver)


def from_environment(name, what):
    try:
        return os.environ[name]
    except KeyError as err:
        raise Trouble(f"{name} is not set: it says {what}") from err


def own_functions(count):
    """The addresses of that many of the functions that are ours to use."""
    vfs = from_environment("VFMIG_VFS", "which functions to use").split()
    if len(vfs) < count:
        raise Trouble(f"VFMIG_VFS must name {count} virtual functions, one "
                      "for each QEMU")
    return vfs[:count]


class VfNic:
    """A virtual function for each end, and the PF's interface as our side."""

    guest_modules = ["8021q", "igbvf"]
    journey = "from one virtual function to the other"
    log = True			# a log of its DMA is used where there is one

    def __init__(self, progress, ways):
        """ways: how each end opens its function; None is the usual way."""
        self.netdev = from_environment("VFMIG_PF_NETDEV",
                                       "which interface is the PF's")
        self.functions = self.find_functions(ways)
        for function in self.functions:
            bound = f"{function.name} is bound to {function.driver}"
            progress.say(f"{bound}: {function.offers}")
            if "STOP_COPY" not in function.flags:
                raise Trouble(f"{bound}, which cannot migrate it; bind it to "
                              "igb_vfio_pci")
        self.vfs = [function.bdf for function in self.functions]
        self.drivers = [function.driver for function in self.functions]
        self.ways = [function.way for function in self.functions]
        self.offers = self.functions[0].offers
        self.precopy = all("PRE_COPY" in function.flags
                           for function in self.functions)
        self.address = HostAddress(self.netdev, HOST_ADDRESS)

    def find_functions(self, ways):
        return [Function(bdf, way) for bdf, way in zip(own_functions(2), ways)]

    def has_log(self, end):
        """end: 0 for the source, 1 for the destination."""
        return self.log and self.functions[end].has_log()

    def qemu_args(self, end):
        return self.functions[end].qemu_args(self.has_log(end))

    def look(self, end, guest):
        self.functions[end].look(guest)

    def described_ways(self):
        return " -> ".join(self.ways)

    def opened(self):
        opened = [function.opened() for function in self.functions]
        return Claim(OPENED, None if None in opened else all(opened),
                     self.described_ways() + ": " + "; ".join(
                         ", ".join(files) or "none"
                         for function in self.functions
                         for files in function.found))

    def complaints(self):
        found = [function.complaint() for function in self.functions]
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

    def look(self, _end, _guest):
        """There is no device of VFIO's."""

    def described_ways(self):
        return None

    def complaints(self):
        return []

    def remove(self):
        for link in (*self.taps, self.bridge):
            ip("link", "del", link, check=False)
