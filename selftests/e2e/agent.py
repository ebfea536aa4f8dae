# SPDX-License-Identifier: GPL-2.0-only
"""What the host of the destination does for the scenario, which plays on the other.

Each request is the name of a method of the agent's that begins with "do_", and
its arguments; the answer is what the method returns, or why it could not.
"""

import base64
import os
import socket
import time

from guest import Guest
from kernel_log import KernelLog
from link import PORT, QMP_PORT, Link
from nic import Function, own_functions
from port import Port
from progress import PATIENCE, Trouble

CALL_SECONDS = 120		# how long the other host may take to call
CHUNK = 1 << 20


def tail_of(path, offset):
    """What has been added to a file, of which so much is known."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return base64.b64encode(file.read(CHUNK)).decode()
    except FileNotFoundError:
        return ""


class Agent:
    """Serves one scenario."""

    def __init__(self, progress, directory, stack, address):
        self.progress = progress
        self.directory = directory
        self.stack = stack
        self.address = address
        self.kernel_log = KernelLog()
        self.function = self.guest = self.files = None
        self.port = Port()
        self.released = False

    def path(self, name):
        return os.path.join(self.directory, os.path.basename(name))

    def do_function(self, way):
        self.function = Function(*own_functions(1), way)
        return {name: getattr(self.function, name) for name in
                ("bdf", "driver", "way", "offers", "flags", "dma_log")}

    def do_put(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(base64.b64decode(data))

    def do_start(self, name, memory, initrd, log):
        """A QEMU that waits to be filled."""
        self.progress.say(f"starting the {name}, which waits")
        self.guest = Guest(name, self.directory, memory, self.path(initrd),
                           self.function.qemu_args(log), incoming=True,
                           qmp=(self.address, QMP_PORT))
        self.stack.callback(self.guest.kill)
        self.files = {"serial": self.guest.serial, "log": self.guest.log,
                      "trace": self.guest.trace_path}

    def do_look(self):
        self.function.look(self.guest)
        return {"files": self.function.found[-1],
                "opened": self.function.opened()}

    def do_news(self, known):
        """known: how much of which of the guest's files."""
        # First: what it writes at its end is not to be missed.
        status = self.guest.exit_status()
        return {"status": status,
                "files": {name: tail_of(self.files[name], offset)
                          for name, offset in known.items()}}

    def do_kernel_log(self, known):
        return self.kernel_log.read()[known:]

    def do_clock(self):
        return time.time()

    def do_port(self):
        return {"address": self.port.address_of(self.function.bdf),
                "received": self.port.received()}

    def do_kill(self):
        return self.guest.kill()

    def do_complaint(self):
        return self.function.complaint()

    def do_release(self):
        self.progress.say("the scenario is over")
        self.released = True

    def answer(self, what, arguments):
        try:
            return {"answer": getattr(self, f"do_{what}")(**arguments)}
        except (Trouble, OSError) as err:
            self.progress.say(f"TROUBLE: {err}")
            return {"trouble": str(err)}

    def _be_called(self, server):
        server.settimeout(CALL_SECONDS * PATIENCE)
        try:
            return server.accept()
        except TimeoutError as err:
            raise Trouble(f"nobody has called for {CALL_SECONDS * PATIENCE} "
                          "s: see what the other host says") from err

    def serve(self):
        with socket.create_server((self.address, PORT)) as server:
            self.progress.say("waiting for the other host")
            sock, (caller, _) = self._be_called(server)
        self.progress.say(f"the other host, {caller}, has called")
        link = Link("the other host", sock)
        self.stack.callback(link.close)
        while not self.released:
            link.send(self.answer(*link.receive()))
