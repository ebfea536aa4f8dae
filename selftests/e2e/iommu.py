# SPDX-License-Identifier: GPL-2.0-only
"""How a QEMU has its device: through the group, or by its own file and an iommufd."""

import contextlib
import os

from device import DEVICES, group_of

GROUP, IOMMUFD = "group", "iommufd"
WAYS = (GROUP, IOMMUFD)


def usual_way():
    """What a VMM does today, where the kernel lets it."""
    return IOMMUFD if os.path.exists("/dev/iommu") else GROUP


def qemu_args(way, device):
    """device: the option of QEMU, as far as it does not depend on the way."""
    if way == IOMMUFD:
        return ["-object", "iommufd,id=iommufd",
                "-device", f"{device},iommufd=iommufd"]
    return ["-device", device]


def device_file(way, bdf):
    """What /proc/PID/fd says of the file that is the device."""
    if way == IOMMUFD:
        name, = os.listdir(f"{DEVICES}/{bdf}/vfio-dev")
        return f"/dev/vfio/devices/{name}"
    return "anon_inode:[vfio-device]"


def due_files(way, bdf):
    """What a process has open that has the device in this way and no other."""
    if way == IOMMUFD:
        return ["/dev/iommu", device_file(way, bdf)]
    return [f"/dev/vfio/{group_of(bdf)}", "/dev/vfio/vfio"]


def open_files(pid):
    """The files of VFIO and the iommufds that a process has open."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return sorted(path for path in found
                  if path == "/dev/iommu" or path.startswith("/dev/vfio/"))
