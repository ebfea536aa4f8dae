# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU that runs the guest: the source, or the destination."""

import glob
import os
import socket

import trace
from child import Child
from console import Console
from progress import PATIENCE, Trouble
from qmp import Qmp

MACHINE = "pc-q35-10.0"
TYPING_SECONDS = 10 * PATIENCE	# that the guest may take to read a line


def kernel_image():
    path = os.environ.get("VFMIG_GUEST_KERNEL",
                          f"/boot/vmlinuz-{os.uname().release}")
    if not os.path.exists(path):
        found = glob.glob("/boot/vmlinuz-*")
        raise Trouble(f"no guest kernel {path} (there is: {found}); "
                      "VFMIG_GUEST_KERNEL can name another")
    return path


def kernel_release():
    """The guest's, by the name of its image."""
    name = os.path.basename(kernel_image())
    if name.startswith("vmlinuz-"):
        return name.removeprefix("vmlinuz-")
    return os.uname().release


class Guest(Child, Console):
    """One QEMU: the source, or the destination that waits to be filled."""

    def __init__(self, name, directory, memory, initrd, nic_args,
                 incoming=False, reboots=False, waits=False, qmp=None):
        """reboots: whether a reset is a reset, and not the end of it.

        waits: whether it does not run before it is told to.
        qmp: (host, port), to be asked from another host.
        """
        self._choose_names(name, directory, memory)
        self.qmp_address = qmp or os.path.join(directory, f"{name}.qmp")
        listen = "tcp:{}:{}".format(*qmp) if qmp else f"unix:{self.qmp_address}"
        argv = ["qemu-system-x86_64", "-name", name,
                "-machine", f"{MACHINE},accel=kvm", "-cpu", "host",
                "-smp", "1", "-m", str(memory),
                "-no-user-config", "-nodefaults", "-display", "none",
                "-action", "reboot=" + ("reset" if reboots else "shutdown"),
                "-chardev", f"socket,id=console,path={self.console_path},"
                            f"server=on,wait=off,logfile={self.serial}",
                "-serial", "chardev:console",
                "-qmp", f"{listen},server=on,wait=off",
                "-kernel", kernel_image(), "-initrd", initrd,
                "-append", "console=ttyS0 quiet panic=-1 "
                           "iomem=relaxed"]
        if incoming:
            argv += ["-incoming", "defer"]
        if waits:
            argv += ["-S"]
        argv += trace.qemu_args(self.trace_path)
        super().__init__(self.name, argv + nic_args, self.log)

    def _choose_names(self, name, directory, memory):
        self.name = f"QEMU ({name})"
        self.short_name = name
        self.memory = memory
        self.serial = os.path.join(directory, f"{name}-serial.log")
        self.console_path = os.path.join(directory, f"{name}.console")
        self.trace_path = os.path.join(directory, f"{name}-trace.log")
        self.log = os.path.join(directory, f"{name}-qemu.log")
        self.qmp = None

    def connect(self, progress, transcript):
        def answers():
            self.must_live()
            try:
                return Qmp(self.short_name, self.qmp_address, transcript,
                           progress)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
        self.qmp = progress.wait(f"{self.name} to answer", answers, 60,
                                 [self.log])

    def type_line(self, line):
        """Say something to the guest's userspace."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as console:
            console.settimeout(TYPING_SECONDS)
            console.connect(self.console_path)
            console.sendall(line.encode() + b"\n")
            # A serial port is slow, and QEMU drops what it has not yet read
            # when we hang up: let it be the one to do so.
            console.shutdown(socket.SHUT_WR)
            while console.recv(4096):
                pass

    def events_named(self, name):
        return self.qmp.events_named(name)

    def status(self):
        return self.qmp.command("query-status")["status"]

    def registers(self):
        """Of the processor, in QEMU's words."""
        return self.qmp.command("human-monitor-command",
                                {"command-line": "info registers"})

    def words(self):
        """All that QEMU has said on its standard error."""
        with open(self.log, errors="replace") as log:
            return log.read()

    def complaint(self):
        """QEMU's first error about its card, or None."""
        for line in self.words().splitlines():
            if "Failed setting device state" in line:
                return line.strip()
        return None
