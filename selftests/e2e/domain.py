# SPDX-License-Identifier: GPL-2.0-only
"""A guest that libvirt runs."""

import os
import xml.etree.ElementTree as ET

from console import Console
from progress import Trouble, tail

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
ARGUMENTS = "console=ttyS0 quiet panic=-1 iomem=relaxed"
SERIAL = "var/log/libvirt/qemu/guest-serial.log"


def without_disk(text, memory, kernel, initrd):
    """That domain, with a kernel in the disk's place, and what it says in a file."""
    ET.register_namespace("qemu", QEMU)
    domain = ET.fromstring(text)
    domain.find("memory").text, domain.find("vcpu").text = str(memory), "1"
    domain.find("memory").set("unit", "MiB")
    system, devices = domain.find("os"), domain.find("devices")
    for name, value in (("kernel", kernel), ("initrd", initrd),
                        ("cmdline", ARGUMENTS)):
        ET.SubElement(system, name).text = value
    for disk in devices.findall("disk"):
        devices.remove(disk)
    for serial in devices.findall("serial"):
        serial.set("type", "file")
        ET.SubElement(serial, "source", path=f"/{SERIAL}")
    return ET.tostring(domain, encoding="unicode")


class Domain(Console):
    """It as seen from one host: while it is there, it lives."""

    def __init__(self, name, host):
        self.name = f"the guest ({host.short_name})"
        self.serial = host.path(SERIAL)
        self.log = host.path(f"var/log/libvirt/qemu/{name}.log")
        self.pid_file = host.path(f"run/libvirt/qemu/{name}.pid")

    def alive(self):
        return os.path.exists(self.pid_file)

    def must_live(self):
        if not self.alive():
            raise Trouble(f"{self.name} has ended: {tail(self.log, 1).strip()}")
        return True
