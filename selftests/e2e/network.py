# SPDX-License-Identifier: GPL-2.0-only
"""Who is who on the wire: what the guest and this host have to agree upon."""

MAC = "02:76:66:6d:69:67"	# the guest's
PORT = 7411
MTU = 2000			# of both
JUMBO = 1900			# bytes after the header of an IP packet

ADDRESS, HOST_ADDRESS = "192.0.2.2", "192.0.2.1"

# The guest is in the first VLAN. This host is in both.
VLAN, VLAN_ADDRESS, HOST_VLAN_ADDRESS = 7, "198.51.100.2", "198.51.100.1"
OTHER_VLAN, OTHER_VLAN_ADDRESS, HOST_OTHER_VLAN_ADDRESS = (
    9, "203.0.113.2", "203.0.113.1")

# The guest has joined the first group. The card's hashes of the two differ. To
# testpmd no address is a group's but those that begin with 224.
GROUP, OTHER_GROUP = "224.192.7.7", "224.192.9.9"
