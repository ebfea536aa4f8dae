# SPDX-License-Identifier: GPL-2.0-only
"""The host of the destination, as the host of the source has it."""

import base64
import contextlib
import os
import socket
import time

from guest import Guest
from link import PORT, QMP_PORT, Link
from nic import Function, VfNic, own_functions
from progress import PATIENCE, Trouble

HOST_SECONDS = 90		# that the other host may be later than this one
ANSWER_SECONDS = 60		# that it may take to answer
CLOCK_READINGS = 5


class FarHost:
    """Asks the agent there."""

    name = "host 2"

    def __init__(self, progress, address):
        self.address = address
        self.trouble = None		# why there is no more to be had from it
        self.log = []			# its kernel's

        def calls():
            with contextlib.suppress(OSError):
                return socket.create_connection((address, PORT), 5)
            return None

        self.link = Link(self.name, progress.wait(
            f"{self.name} ({address}) to answer", calls, HOST_SECONDS))

    def ask(self, what, **arguments):
        """What the agent's method of that name returns."""
        if self.trouble:
            raise Trouble(self.trouble)
        try:
            self.link.send((what, arguments))
            answer = self.link.receive(ANSWER_SECONDS * PATIENCE)
        except Trouble as err:
            self.trouble = str(err)
            raise
        if "trouble" in answer:
            raise Trouble(f"{self.name}: {answer['trouble']}")
        return answer["answer"]

    def put(self, path):
        """Give it a file; its name there."""
        name = os.path.basename(path)
        with open(path, "rb") as file:
            self.ask("put", name=name,
                     data=base64.b64encode(file.read()).decode())
        return name

    def clock_ahead(self):
        """By how many seconds its clock is ahead of ours."""
        readings = []
        for _ in range(CLOCK_READINGS):
            asked = time.time()
            there = self.ask("clock")
            took = time.time() - asked
            readings.append((took, there - asked - took / 2))
        return min(readings)[1]

    def kernel_log(self):
        """All of it so far, as far as it can be had."""
        with contextlib.suppress(Trouble):
            self.log += self.ask("kernel_log", known=len(self.log))
        return [line.replace("] ", f"] {self.name}: ", 1) for line in self.log]

    def release(self):
        with contextlib.suppress(Trouble):
            self.ask("release")
        self.link.close()


class BothLogs:
    """The kernel logs of both hosts."""

    def __init__(self, own, far):
        self.own = own
        self.far = far

    def read(self):
        return self.own.read() + self.far.kernel_log()


class FarFunction(Function):
    """The virtual function of the destination."""

    def __init__(self, far, way):
        self.far = far
        self.found = []
        self.is_opened = None
        for name, value in far.ask("function", way=way).items():
            setattr(self, name, value)
        self.name = f"{far.name}'s {self.bdf}"

    def look(self, _guest):
        seen = self.far.ask("look")
        self.found.append(seen["files"])
        self.is_opened = seen["opened"]

    def opened(self):
        return self.is_opened

    def complaint(self):
        try:
            complaint = self.far.ask("complaint")
        except Trouble as err:
            return str(err)
        return complaint and f"{self.far.name}: {complaint}"


class TwoHostNic(VfNic):
    """A virtual function of this host, and one of the other."""

    journey = "from one host to the other"

    def __init__(self, progress, ways, far):
        self.far = far
        super().__init__(progress, ways)

    def find_functions(self, ways):
        return [Function(*own_functions(1), ways[0]),
                FarFunction(self.far, ways[1])]


class FarGuest(Guest):
    """The destination. Its files are kept up with here, under the same names."""

    def __init__(self, far, name, directory, memory, initrd, log):
        """log: whether a log of the card's DMA is used."""
        self._choose_names(name, directory, memory)
        self.far = far
        self.qmp_address = (far.address, QMP_PORT)
        self.status_there = None
        self.ahead = None		# its host's clock, in seconds
        self.files = {"serial": self.serial, "log": self.log,
                      "trace": self.trace_path}
        for path in self.files.values():
            with open(path, "wb"):
                pass
        far.ask("start", name=name, memory=memory, initrd=initrd,
                log=log)

    def _catch_up(self):
        news = self.far.ask("news", known={
            name: os.path.getsize(path) for name, path in self.files.items()})
        for name, data in news["files"].items():
            with open(self.files[name], "ab") as file:
                file.write(base64.b64decode(data))
        self.status_there = news["status"]

    def exit_status(self):
        if self.status_there is None:
            self._catch_up()
        return self.status_there

    def console(self):
        with contextlib.suppress(Trouble):
            self._catch_up()
        return super().console()

    def words(self):
        with contextlib.suppress(Trouble):
            self._catch_up()
        return super().words()

    def events_named(self, name):
        """By this host's clock."""
        if self.ahead is None:
            with contextlib.suppress(Trouble):
                self.ahead = self.far.clock_ahead()
        return [(when - (self.ahead or 0), data)
                for when, data in super().events_named(name)]

    def kill(self):
        """Where there is no more to be had from its host, that is another's to say."""
        try:
            gone = self.far.ask("kill")
            self._catch_up()
        except Trouble:
            return True
        return gone
