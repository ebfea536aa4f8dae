# SPDX-License-Identifier: GPL-2.0-only
"""What this host's PF does for its virtual functions, as its administrator sees it."""

import json
import os
import subprocess

from device import DEVICES
from nic import from_environment, ip
from progress import Trouble

NO_ADDRESS = "00:00:00:00:00:00"


def ask(*words):
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode:
        raise Trouble(f"{' '.join(words)}: {result.stderr.strip()}")
    return result.stdout


def number_of(bdf):
    """A virtual function's, among those of its PF."""
    pf = os.path.realpath(f"{DEVICES}/{bdf}/physfn")
    for name in os.listdir(pf):
        if (name.startswith("virtfn") and
                os.path.basename(os.readlink(f"{pf}/{name}")) == bdf):
            return int(name.removeprefix("virtfn"))
    raise Trouble(f"{bdf} is no virtual function")


class Port:
    """The port of the card, and what its switch is told."""

    def __init__(self):
        self.netdev = from_environment("VFMIG_PF_NETDEV",
                                       "which interface is the PF's")

    def address_of(self, bdf):
        """The MAC address that igb has for a function."""
        link, = json.loads(ask("ip", "-json", "link", "show", self.netdev))
        number = number_of(bdf)
        address, = (vf["address"] for vf in link["vfinfo_list"]
                    if vf["vf"] == number)
        return address

    def forget_address_of(self, bdf):
        """What is sent to the address that a function had goes out again."""
        ip("link", "set", self.netdev, "vf", str(number_of(bdf)), "mac",
           NO_ADDRESS)

    def received(self):
        """How many packets have come in, by the card's own count."""
        for line in ask("ethtool", "-S", self.netdev).splitlines():
            name, _, value = line.strip().partition(": ")
            if name == "rx_packets":
                return int(value)
        raise Trouble(f"{self.netdev} does not count packets")
