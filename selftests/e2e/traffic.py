# SPDX-License-Identifier: GPL-2.0-only
"""The traffic that watches the migration: pings, and numbered TCP records."""

import itertools
import os
import re
import select
import socket
import struct
import threading
import time

from child import Child
from progress import PATIENCE

SO_TIMESTAMPNS = 35
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
ICMP_ECHO, ICMP_ECHO_REPLY = 8, 0
PING_EVERY = 0.1
PING_SIZE, PING_HEADERS = 56, 16
PEER_STATE_MS = 200
PEER_COUNTS = ("record", "sent", "received", "lost", "stale", "corrupt",
               "retransmits", "far_received")
# Of both: records a second, each of which may cost a guest that receives it a way to QEMU and back, and how long a silence,
# in seconds, is the end
PEER_ARGS = ("-r", str(200 // PATIENCE), "-t", str(40 * PATIENCE))
PEER_LINE = (r"^peer: (state|done|broken) ("
             + "".join(rf"{name}=\d+ " for name in PEER_COUNTS)
             + r"far_uptime=[\d.]+ far_uptime_fell=\d far_boots=\d+ "
             r"far_boot_id=\S+)\r?\n")


def checksum(data):
    """The Internet checksum of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Ping:
    """One echo request, and what became of it. Wall clock, in seconds."""

    def __init__(self, sent):
        self.sent = sent
        self.received = None

    @property
    def rtt(self):
        return None if self.received is None else self.received - self.sent


class Pinger(threading.Thread):
    """Pings an address at a steady pace and remembers every ping."""

    numbers = itertools.count(os.getpid())

    def __init__(self, address, every=PING_EVERY, netdev=None, size=PING_SIZE):
        """size: of the whole ICMP message.

        netdev: what answers have to come in through. A group needs to know.
        """
        super().__init__(daemon=True)
        self.address = address
        self.every = every
        self.fill = bytes(size - PING_HEADERS)
        self.ident16 = next(self.numbers) & 0xffff
        self.pings = []
        self.duplicates = 0
        self.stopping = threading.Event()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                  socket.IPPROTO_ICMP)
        # The kernel's time of arrival: our own delays must not count.
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        # What does not fit into one frame must not get there in two.
        self.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                             IP_PMTUDISC_DO)
        if netdev:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                 netdev.encode())
        self.sock.setblocking(False)

    def run(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            left = due - time.monotonic()
            if left <= 0:
                self._send()
                due = max(due + self.every, time.monotonic())
                continue
            if select.select([self.sock], [], [], left)[0]:
                self._receive()
        # Replies that are late by a second still count.
        end = time.monotonic() + 1
        while (left := end - time.monotonic()) > 0:
            if select.select([self.sock], [], [], left)[0]:
                self._receive()
        self.sock.close()

    def _send(self):
        body = struct.pack("!HHQ", self.ident16, len(self.pings) & 0xffff,
                           len(self.pings)) + self.fill
        head = struct.pack("!BB", ICMP_ECHO, 0)
        packet = head + struct.pack(
            "!H", checksum(head + b"\0\0" + body)) + body
        self.pings.append(Ping(time.time()))
        try:
            self.sock.sendto(packet, (self.address, 0))
        except OSError:
            # Nobody answers ARP while the guest stands still: a lost ping.
            pass

    def _receive(self):
        try:
            data, control, _, _ = self.sock.recvmsg(4096, 128)
        except OSError:
            return
        header = (data[0] & 0xf) * 4
        if len(data) < header + 16 or data[header] != ICMP_ECHO_REPLY:
            return
        ident, _, number = struct.unpack_from("!HHQ", data, header + 4)
        if ident != self.ident16 or number >= len(self.pings):
            return
        ping = self.pings[number]
        if ping.received is not None:
            self.duplicates += 1
            return
        ping.received = time.time()
        for level, kind, value in control:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", value[:16])
                ping.received = seconds + nanoseconds / 1e9


def stop_pingers(pingers):
    """End the pinging, of all at once."""
    for pinger in pingers:
        pinger.stopping.set()
    for pinger in pingers:
        if pinger.is_alive():
            pinger.join()


def longest_gap(pings, since, until):
    """The longest time without a reply: (begin, end)."""
    times = sorted(ping.received for ping in pings
                   if ping.received is not None)
    times = [since] + [t for t in times if since < t < until] + [until]
    return max(zip(times, times[1:]), key=lambda pair: pair[1] - pair[0])


def parse_peer(text):
    """The last line of counts that peer printed: (word, {name: value})."""
    lines = re.findall(PEER_LINE, text, re.MULTILINE)
    if not lines:
        return None, {}
    word, rest = lines[-1]
    counts = dict(pair.split("=", 1) for pair in rest.split())
    return word, {name: int(value) if value.isdigit() else value
                  for name, value in counts.items()}


class Peer(Child):
    """Our end of the TCP connection."""

    def __init__(self, program, address, port, log, rate=None):
        """rate: records to send in a second."""
        args = ["-r", str(rate)] if rate else []
        super().__init__("the TCP peer", [program, "-l", *PEER_ARGS, *args,
                                          "-i", str(PEER_STATE_MS), address,
                                          str(port)], log)

    def output(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def connected(self):
        return self.must_live() and "peer: connected" in self.output()

    def counts(self):
        self.must_live()
        return parse_peer(self.output())[1]

    def flowed(self, before, records):
        """Both directions have carried that many records more?"""
        counts = self.counts()
        return all(counts[name] >= before[name] + records
                   for name in ("received", "far_received"))

    def finish(self):
        """Ask for the orderly end; finished() tells when it is reached."""
        if self.alive():
            self.process.terminate()

    def finished(self):
        return not self.alive()
