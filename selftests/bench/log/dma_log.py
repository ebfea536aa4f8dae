# SPDX-License-Identifier: GPL-2.0-only
"""The log of a device's DMA, by its ioctls."""

import ctypes
import fcntl
import struct

from device import (FEATURE_DMA_LOGGING_START, FEATURE_GET, FEATURE_SET,
                    VFIO_DEVICE_FEATURE, has_feature)

FEATURE_DMA_LOGGING_STOP = 7
FEATURE_DMA_LOGGING_REPORT = 8
PAGE = 4096


def offers_log(fd):
    return has_feature(fd, FEATURE_DMA_LOGGING_START, FEATURE_SET)


def call(fd, flags, data=b""):
    fcntl.ioctl(fd, VFIO_DEVICE_FEATURE,
                struct.pack("II", 8 + len(data), flags) + data)


class DmaLog:
    """Of the first so many bytes of the device's address space."""

    def __init__(self, fd, size):
        self.fd = fd
        self.size = size
        self.pages = size // PAGE

    def start(self):
        ranges = ctypes.create_string_buffer(struct.pack("QQ", 0, self.size))
        call(self.fd, FEATURE_SET | FEATURE_DMA_LOGGING_START,
             struct.pack("QIIQ", PAGE, 1, 0, ctypes.addressof(ranges)))

    def stop(self):
        call(self.fd, FEATURE_SET | FEATURE_DMA_LOGGING_STOP)

    def report(self):
        """How many pages count as written since the report before."""
        bitmap = ctypes.create_string_buffer(self.pages // 8)
        call(self.fd, FEATURE_GET | FEATURE_DMA_LOGGING_REPORT,
             struct.pack("QQQQ", 0, self.size, PAGE, ctypes.addressof(bitmap)))
        return int.from_bytes(bitmap.raw, "little").bit_count()
