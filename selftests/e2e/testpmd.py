# SPDX-License-Identifier: GPL-2.0-only
"""A guest whose card belongs to DPDK's testpmd, which answers pings."""

import glob
import re
import shutil
import subprocess

from network import GROUP, JUMBO, MAC, VLAN
from progress import Trouble

PROGRAM = "dpdk-testpmd"
PLUGINS = "/usr/lib/*/dpdk/pmds-*/librte_{}.so.*.*"
WANTED = ("net_e1000", "mempool_ring")
# A VF has no INTx, and this kernel's VFIO needs an IOMMU: uio does without.
MODULES = ("uio_pci_generic",)
HUGE_PAGES = 12			# of 2 MiB
IP_HEADER, ETHERNET, VLAN_TAG = 20, 18, 4
LARGEST_FRAME = IP_HEADER + JUMBO + ETHERNET + VLAN_TAG
UP = "guest: up"
PROMPT = "testpmd> "
START_SECONDS = 60
PATIENCE = 20			# seconds for any command
COUNTERS = ("RX-packets", "RX-bytes", "TX-packets", "TX-bytes")
EAL = (f"--in-memory --no-telemetry --iova-mode=pa -m {2 * HUGE_PAGES} "
       "--lcores 0@0,1@0")
PORT = ("--forward-mode=icmpecho --no-lsc-interrupt "
        "--enable-hw-vlan-filter --total-num-mbufs=2048 --mbuf-size=4096 "
        f"--max-pkt-len={LARGEST_FRAME}")

TASK = rf"""
report()
{{
	echo "guest: $1 boot_id $(cat /proc/sys/kernel/random/boot_id)"
	echo "guest: $1 uptime $(cut -d' ' -f1 /proc/uptime)"
	echo "guest: $1 testpmd $(cut -d' ' -f1,2,22 /proc/$(pidof {PROGRAM})/stat)"
	dmesg -r -c | sed "s/^/guest: $1 log /"
	echo "guest: $1 end"
}}

# DPDK loads no plugin from below a directory that anyone may write to.
chmod 755 /
mkdir -p /dev/hugepages /var/run
mount -t hugetlbfs hugetlbfs /dev/hugepages
echo {HUGE_PAGES} > /proc/sys/vm/nr_hugepages
echo 8086 10ca > /sys/bus/pci/drivers/uio_pci_generic/new_id
wait_until "uio_pci_generic does not take the card" [ -e /dev/uio0 ]
mkfifo /commands
exec 3<> /commands
{{
	/usr/bin/{PROGRAM} {EAL} -- -i {PORT} < /commands
	give_up "testpmd ended with status $?"
}} &
dmesg -c > /dev/null
echo "{UP}"
while read -r line; do
	case $line in
	report*) $line ;;
	*) echo "$line" >&3 ;;
	esac
done
give_up "nobody at the console"
"""


def libraries(path):
    """All the libraries that a program or a library is linked to."""
    result = subprocess.run(["ldd", path], capture_output=True, text=True)
    if result.returncode or "not found" in result.stdout:
        raise Trouble(f"ldd {path}: {result.stdout}{result.stderr}".strip())
    return re.findall(r"(/\S+) \(0x", result.stdout)


def program_files():
    """testpmd, the driver of the card, and what they are linked to."""
    program = shutil.which(PROGRAM)
    plugins = [path for name in WANTED
               for path in glob.glob(PLUGINS.format(name))]
    if not program or len(plugins) < len(WANTED):
        raise Trouble(f"no {PROGRAM}, or not its {' and '.join(WANTED)}: "
                      "Debian has them in dpdk-dev and librte-*")
    files = {program, *plugins}
    for path in (program, *plugins):
        files.update(libraries(path))
    return sorted(files)


def ethernet_group(address):
    """The Ethernet address of a multicast group."""
    parts = [int(part) for part in address.split(".")]
    return "01:00:5e:%02x:%02x:%02x" % (parts[1] & 0x7f, *parts[2:])


class Testpmd:
    """A testpmd that does as it is told. Its guest may move."""

    def __init__(self, guest, progress):
        self.guest = guest
        self.progress = progress
        guest.must_say(progress, PROMPT, "testpmd to start", START_SECONDS)

    def type_line(self, line, answered):
        """What the guest says to that, once answered(what) is true."""
        mark = len(self.guest.console())
        self.guest.type_line(line)

        def done():
            self.guest.must_be_well()
            words = self.guest.console()[mark:]
            return words if answered(words) else None

        return self.progress.wait(f"an answer to \"{line}\"", done, PATIENCE,
                                  [self.guest.serial])

    def tell(self, *commands):
        """Have it carry these out, one after the other; its last words."""
        for command in commands:
            words = self.type_line(command, lambda words: PROMPT in words)
        return words

    def set_up(self):
        """Before a start of the port its answers have an address of old."""
        self.tell("port stop 0", f"mac_addr set 0 {MAC}", "port start 0",
                  # As it starts, which gets it every group's packets.
                  "set promisc 0 off", "start")
        self.join(GROUP, VLAN)

    def join(self, group, vid):
        self.tell(f"mcast_addr add 0 {ethernet_group(group)}",
                  f"rx_vlan add {vid} 0",
                  # igb leaves tags alone if the last VLAN is 0.
                  "rx_vlan add 0 0")

    def stats(self):
        """The port's counters, which are those of the card."""
        words = self.tell("show port stats 0")
        found = {name: re.search(rf"\b{name}: +(\d+)", words)
                 for name in COUNTERS}
        if None in found.values():
            raise Trouble(f"testpmd gives no statistics: {words}")
        return {name: int(match.group(1)) for name, match in found.items()}

    def report(self, when):
        """Have the guest tell of itself, as guest_facts() reads it."""
        self.type_line(f"report {when}",
                       lambda words: f"guest: {when} end" in words)
