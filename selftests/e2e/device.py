# SPDX-License-Identifier: GPL-2.0-only
"""What a VFIO device says about its own migration."""

import contextlib
import errno
import fcntl
import os
import struct

from progress import Trouble

VFIO_SET_IOMMU = 0x3b66
VFIO_GROUP_SET_CONTAINER = 0x3b68
VFIO_GROUP_GET_DEVICE_FD = 0x3b6a
VFIO_DEVICE_FEATURE = 0x3b75
VFIO_TYPE1v2_IOMMU = 3
FEATURE_GET, FEATURE_PROBE, FEATURE_SET = 1 << 16, 1 << 18, 1 << 17
FEATURE_MIGRATION = 1
FEATURE_MIG_DEVICE_STATE = 2
FEATURE_DMA_LOGGING_START = 6
MIGRATION_FLAGS = {1: "STOP_COPY", 2: "P2P", 4: "PRE_COPY"}
STATE_RUNNING = 2

DEVICES = "/sys/bus/pci/devices"


def driver_of(bdf):
    link = f"{DEVICES}/{bdf}/driver"
    return os.path.basename(os.readlink(link)) if os.path.exists(link) else None


def put(path, text):
    """Into a file of sysfs."""
    with open(path, "w") as file:
        file.write(text)


def hand_over(bdf, override):
    """To the driver that has to be asked for, or else to whoever takes it.

    A device that has that driver already is bound anew.
    """
    put(f"{DEVICES}/{bdf}/driver_override", override or "\n")
    if driver_of(bdf):
        put(f"{DEVICES}/{bdf}/driver/unbind", bdf)
    put("/sys/bus/pci/drivers_probe", bdf)


def group_of(bdf):
    return os.path.basename(os.readlink(f"{DEVICES}/{bdf}/iommu_group"))


@contextlib.contextmanager
def opened(bdf):
    """The device's fd, through its group. Opening it resets the device."""
    with contextlib.ExitStack() as stack:
        def open_fd(path):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            return fd

        container_fd = open_fd("/dev/vfio/vfio")
        group_fd = open_fd(f"/dev/vfio/{group_of(bdf)}")
        fcntl.ioctl(group_fd, VFIO_GROUP_SET_CONTAINER,
                    struct.pack("i", container_fd))
        fcntl.ioctl(container_fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)
        # A bytearray: for bytes, ioctl() hides what the kernel returned.
        device_fd = fcntl.ioctl(group_fd, VFIO_GROUP_GET_DEVICE_FD,
                                bytearray(bdf.encode() + b"\0"))
        stack.callback(os.close, device_fd)
        yield device_fd


def get_feature(fd, feature, size):
    """The feature's data, or None where the device does not have it."""
    buffer = bytearray(struct.pack("II", 8 + size, FEATURE_GET | feature)
                       + bytes(size))
    try:
        fcntl.ioctl(fd, VFIO_DEVICE_FEATURE, buffer)
    except OSError as err:
        if err.errno == errno.ENOTTY:
            return None
        raise
    return bytes(buffer[8:])


def has_feature(fd, feature, direction):
    request = struct.pack("II", 8, FEATURE_PROBE | direction | feature)
    try:
        fcntl.ioctl(fd, VFIO_DEVICE_FEATURE, request)
    except OSError:
        return False
    return True


class Abilities:
    """What one device offers to a migration."""

    def __init__(self, bdf):
        try:
            with opened(bdf) as fd:
                flags = get_feature(fd, FEATURE_MIGRATION, 8)
                self.dma_log = has_feature(fd, FEATURE_DMA_LOGGING_START,
                                           FEATURE_SET)
        except OSError as err:
            raise Trouble(f"{bdf} (driver {driver_of(bdf)}) cannot be opened "
                          f"through VFIO: {err}") from err
        flags = struct.unpack("Q", flags)[0] if flags else 0
        self.flags = [name for bit, name in MIGRATION_FLAGS.items()
                      if flags & bit]

    def describe(self):
        return (" | ".join(self.flags) or "no migration") + (
            ", a log of the device's DMA" if self.dma_log else
            ", no log of the device's DMA")


def complaint_about(bdf, driver):
    """What is wrong with a device after the scenario, or None."""
    if driver_of(bdf) != driver:
        return f"{bdf} lost its driver {driver}"
    with open(f"{DEVICES}/{bdf}/config", "rb") as config:
        # The ID alone would not tell: a VF's config space has none.
        if not config.read(64).strip(b"\xff"):
            return f"{bdf} does not answer"
    try:
        with opened(bdf) as fd:
            state = get_feature(fd, FEATURE_MIG_DEVICE_STATE, 8)
    except OSError as err:
        return f"{bdf} cannot be opened again: {err}"
    if state is None:
        return f"{bdf} no longer knows its migration state"
    if struct.unpack("Ii", state)[0] != STATE_RUNNING:
        return f"{bdf} is in migration state {struct.unpack('Ii', state)[0]}"
    return None
