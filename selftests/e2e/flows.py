# SPDX-License-Identifier: GPL-2.0-only
"""What the guest has asked the PF for, as pings that get through or do not.

The guest's driver tells the PF of a VLAN, of a multicast group and of larger
frames. What it has not asked for the card has to keep out.
"""

from network import (ADDRESS, GROUP, HOST_OTHER_VLAN_ADDRESS,
                     HOST_VLAN_ADDRESS, JUMBO, MAC, OTHER_GROUP, OTHER_VLAN,
                     OTHER_VLAN_ADDRESS, VLAN, VLAN_ADDRESS)
from nic import HostAddress, ip, load_modules
from progress import PATIENCE
from traffic import Pinger

EVERY = 0.25
# So large a share of the pings must be answered. Where all takes longer a
# guest may answer ARP too late, and some get lost until it is asked again.
ANSWERED = 0.9 if PATIENCE == 1 else 0.6
IP_HEADER = 20


class HostVlan:
    """This host's interface in a VLAN."""

    def __init__(self, netdev, vid, address):
        self.name = f"vfmigvlan{vid}"
        load_modules("8021q")
        ip("link", "add", "link", netdev, "name", self.name, "type", "vlan",
           "id", str(vid))
        self.address = HostAddress(self.name, address)

    def remove(self):
        ip("link", "del", self.name, check=False)


class Flow:
    """Pings to one destination."""

    def __init__(self, name, address, pinger):
        self.name = name
        self.address = address
        self.pinger = pinger

    def answered(self, since, until):
        """(answered, sent) of the pings that were sent meanwhile."""
        pings = [ping for ping in self.pinger.pings
                 if since <= ping.sent <= until]
        return sum(ping.rtt is not None for ping in pings), len(pings)


class Flows:
    """Those that the guest is to have, and those that it is not."""

    def __init__(self, netdev, keep):
        """keep(remove) sees to it that remove() is called in the end."""
        vlans = []
        for vid, address in ((VLAN, HOST_VLAN_ADDRESS),
                             (OTHER_VLAN, HOST_OTHER_VLAN_ADDRESS)):
            vlans.append(HostVlan(netdev, vid, address))
            keep(vlans[-1].remove)
        # Nobody there would answer ARP, and no packet would be sent.
        ip("neighbour", "replace", OTHER_VLAN_ADDRESS, "lladdr", MAC, "dev",
           vlans[1].name, "nud", "permanent")
        self.wanted = [
            Flow(f"VLAN {VLAN}", VLAN_ADDRESS,
                 Pinger(VLAN_ADDRESS, EVERY, vlans[0].name)),
            Flow(f"group {GROUP}", GROUP, Pinger(GROUP, EVERY, netdev)),
            Flow(f"packets of {IP_HEADER + JUMBO} bytes", ADDRESS,
                 Pinger(ADDRESS, EVERY, size=JUMBO))]
        self.unwanted = [
            Flow(f"VLAN {OTHER_VLAN}", OTHER_VLAN_ADDRESS,
                 Pinger(OTHER_VLAN_ADDRESS, EVERY, vlans[1].name)),
            Flow(f"group {OTHER_GROUP}", OTHER_GROUP,
                 Pinger(OTHER_GROUP, EVERY, netdev))]

    def pingers(self):
        return [flow.pinger for flow in self.wanted + self.unwanted]

    def through(self, since, until):
        """Whether what the guest is to have gets to it, and in words."""
        counts = [flow.answered(since, until) for flow in self.wanted]
        return (all(sent and answered >= ANSWERED * sent
                    for answered, sent in counts),
                ", ".join(f"{flow.name}: {answered} of {sent}"
                          for flow, (answered, sent)
                          in zip(self.wanted, counts)))
