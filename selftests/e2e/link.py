# SPDX-License-Identifier: GPL-2.0-only
"""Messages between two hosts: JSON, one a line, over TCP.

Whoever can reach the port can run what the agent runs, as root: this is for the
lab, whose hosts have a network of their own.
"""

import json
import os
import socket

from progress import Trouble

PORT, QMP_PORT, MIGRATION_PORT = 7421, 7422, 7423
# A host that has died does not hang up.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 10),
             (socket.TCP_KEEPCNT, 6))


def hosts():
    """(which of the hosts this is, the addresses of all); from 0."""
    try:
        return (int(os.environ["VFMIG_HOST"]) - 1,
                os.environ["VFMIG_HOSTS"].split())
    except KeyError as err:
        raise Trouble(f"{err.args[0]} is not set: it and VFMIG_HOSTS tell the "
                      "hosts apart") from err


class Link:
    """One end of the connection."""

    def __init__(self, name, sock):
        """name: of the other end."""
        self.name = name
        self.sock = sock
        self.buffer = b""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, seconds)

    def send(self, message):
        try:
            self.sock.sendall(json.dumps(message).encode() + b"\n")
        except OSError as err:
            raise Trouble(f"{self.name} takes no message: {err}") from err

    def receive(self, seconds=None):
        """The next message, which has to come, in that time if one is given."""
        self.sock.settimeout(seconds)
        while b"\n" not in self.buffer:
            try:
                data = self.sock.recv(1 << 20)
            except TimeoutError as err:
                raise Trouble(f"{self.name} has not answered for "
                              f"{seconds:.0f} s") from err
            except OSError as err:
                raise Trouble(f"{self.name} is gone: {err.strerror}") from err
            if not data:
                raise Trouble(f"{self.name} has hung up")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def close(self):
        self.sock.close()
