# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU Machine Protocol over a socket, with a transcript."""

import json
import socket
import time

from progress import PATIENCE, SILENCE, Trouble

COMMAND_SECONDS = 60 * PATIENCE


class Qmp:
    def __init__(self, name, address, transcript, progress):
        """address: a path, or (host, port)."""
        self.name = name
        self.progress = progress
        self.transcript = transcript
        self.events = []
        self.buffer = b""
        self.sock = socket.socket(socket.AF_UNIX if isinstance(address, str)
                                  else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(COMMAND_SECONDS)
        self.sock.connect(address)
        self._must_read("its greeting")
        self.command("qmp_capabilities")

    def _note(self, direction, text):
        self.transcript.write(
            f"{time.time():.6f} {self.name} {direction} {text}\n")
        self.transcript.flush()

    def _read_message(self, seconds):
        """The next message, or None if none comes in that time."""
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            self.sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return None
            except OSError as err:
                raise Trouble(f"QEMU ({self.name}) dropped its QMP "
                              f"connection: {err.strerror}") from err
            if not data:
                raise Trouble(f"QEMU ({self.name}) closed its QMP connection")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        text = line.decode().strip()
        self._note("<", text)
        return json.loads(text)

    def _must_read(self, what):
        """The next message, which has to come."""
        begin = time.monotonic()
        while (waited := time.monotonic() - begin) < COMMAND_SECONDS:
            message = self._read_message(SILENCE)
            if message is not None:
                return message
            self.progress.say(f"still waiting for QEMU ({self.name}) and "
                              f"{what} ({waited + SILENCE:.0f} s)")
        raise Trouble(f"waited {COMMAND_SECONDS} s in vain for QEMU "
                      f"({self.name}) and {what}")

    def command(self, name, arguments=None):
        """Run a command; what it returns. Events met on the way are kept."""
        request = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        text = json.dumps(request)
        self._note(">", text)
        try:
            self.sock.sendall(text.encode() + b"\n")
        except OSError as err:
            raise Trouble(f"QEMU ({self.name}) takes no command "
                          f"({name}): {err.strerror}") from err
        while True:
            message = self._must_read(f"its answer to {name}")
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise Trouble(f"QEMU ({self.name}) refused {name}: "
                              f"{message['error']['desc']}")
            elif "return" in message:
                return message["return"]

    def collect_events(self):
        """Fetch the events that have come, without waiting for more."""
        while (message := self._read_message(0)) is not None:
            if "event" in message:
                self.events.append(message)

    def events_named(self, name):
        """The events of that name, in order: (wall clock, data)."""
        return [(event["timestamp"]["seconds"] +
                 event["timestamp"]["microseconds"] / 1e6,
                 event.get("data"))
                for event in self.events if event["event"] == name]
