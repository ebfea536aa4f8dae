# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU that runs the guest: the source, or the destination."""

import glob
import os
import re

import trace
from child import Child
from progress import Trouble, quote
from qmp import Qmp

MACHINE = "pc-q35-10.0"


def kernel_image():
    path = os.environ.get("VFMIG_GUEST_KERNEL",
                          f"/boot/vmlinuz-{os.uname().release}")
    if not os.path.exists(path):
        found = glob.glob("/boot/vmlinuz-*")
        raise Trouble(f"no guest kernel {path} (there is: {found}); "
                      "VFMIG_GUEST_KERNEL can name another")
    return path


class Guest(Child):
    """One QEMU: the source, or the destination that waits to be filled."""

    def __init__(self, name, directory, memory, initrd, nic_args, incoming):
        self.serial = os.path.join(directory, f"{name}-serial.log")
        self.qmp_path = os.path.join(directory, f"{name}.qmp")
        self.trace_path = os.path.join(directory, f"{name}-trace.log")
        self.short_name = name
        self.qmp = None
        argv = ["qemu-system-x86_64", "-name", name,
                "-machine", f"{MACHINE},accel=kvm", "-cpu", "host",
                "-smp", "1", "-m", str(memory),
                "-no-user-config", "-nodefaults", "-no-reboot",
                "-display", "none", "-serial", f"file:{self.serial}",
                "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
                "-kernel", kernel_image(), "-initrd", initrd,
                "-append", "console=ttyS0 quiet panic=-1"]
        if incoming:
            argv += ["-incoming", "defer"]
        argv += trace.qemu_args(self.trace_path)
        super().__init__(f"QEMU ({name})", argv + nic_args,
                         os.path.join(directory, f"{name}-qemu.log"))

    def connect(self, progress, transcript):
        def answers():
            self.must_live()
            try:
                return Qmp(self.short_name, self.qmp_path, transcript,
                           progress)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
        self.qmp = progress.wait(f"{self.name} to answer", answers, 60,
                                 [self.log])

    def console(self):
        try:
            with open(self.serial, errors="replace") as serial:
                return serial.read()
        except FileNotFoundError:
            return ""

    def complaint(self):
        """QEMU's first error about its card, or None."""
        with open(self.log, errors="replace") as log:
            for line in log:
                if "Failed setting device state" in line:
                    return line.strip()
        return None

    def must_say(self, progress, text, what, timeout):
        """Wait until the guest has written text to its console."""
        def said():
            alive = self.alive()
            console = self.console()
            failed = re.search(r"^guest: failed (.*)", console, re.MULTILINE)
            if failed:
                raise Trouble(f"the guest gave up: {failed.group(1)}\n"
                              f"  {quote(self.serial)}")
            if text not in console and not alive:
                self.must_live()
            return text in console
        progress.wait(what, said, timeout, [self.serial, self.log])
