# SPDX-License-Identifier: GPL-2.0-only
"""The guest's userspace: an initrd of busybox, the NIC's driver and ours."""

import gzip
import lzma
import os
import re
import shutil
import subprocess

from guest import kernel_release
from network import (ADDRESS, GROUP, HOST_ADDRESS, MAC, MTU, OTHER_GROUP,
                     OTHER_VLAN_ADDRESS, PORT, VLAN, VLAN_ADDRESS)
from progress import Trouble

LOG_MARK = "vfmig: traffic starts"

BASE = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null

give_up()
{
	echo "guest: failed $1"
	dmesg -r | tail -n 20 | sed 's/^/guest: failed log /'
	poweroff -f
}

wait_until()
{
	what=$1
	shift
	n=0
	until "$@" 2>/dev/null; do
		n=$((n + 1))
		[ $n -lt 200 ] || give_up "$what"
		usleep 100000
	done
}

for module in /modules/*.ko; do
	[ ! -e $module ] || insmod $module || give_up "insmod $module"
done
"""

# The kernel drives the card.
LINUX = rf"""
# One fact a line: when, what, value.
report()
{{
	echo "guest: $1 boot_id $(cat /proc/sys/kernel/random/boot_id)"
	echo "guest: $1 uptime $(cut -d' ' -f1 /proc/uptime)"
	cd /sys/class/net/eth0
	# A serial line is slow: zeros are not worth it.
	grep -v '^0$' carrier_changes queues/tx-*/tx_timeout statistics/* |
		sed "s|^|guest: $1 counter/|; s|:\([0-9]*\)$| \1|"
	cd /
	grep eth0 /proc/interrupts | sed "s|^ *|guest: $1 interrupt |"
}}

set_card_up()
{{
	wait_until "no network interface" [ -e /sys/class/net/eth0 ]
	ip link set eth0 address {MAC}
	ip link set eth0 mtu {MTU}
	ip addr add {ADDRESS}/24 dev eth0
	ip link set eth0 up
	ip link add link eth0 name vlan type vlan id {VLAN}
	ip addr add {VLAN_ADDRESS}/24 dev vlan
	ip link set vlan up
	wait_until "no link" grep -q 1 /sys/class/net/eth0/carrier
	tap -j {GROUP} eth0 {ADDRESS} {VLAN_ADDRESS} {OTHER_VLAN_ADDRESS} \
		{GROUP} {OTHER_GROUP} > /tap.out &
	tap=$!
}}

ip link set lo up
echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_broadcasts
set_card_up
"""


# Where the kernel is, and the guest's wall clock.
LOCATE = r"""
grep -E ' (_text|wall_clock)$' /proc/kallsyms | sed 's/^/guest: symbol /'
sed -n 's/^ *\(.*\) : Kernel code$/guest: code \1/p' /proc/iomem
"""


def talk(peer_args, locate=False):
    """A guest that talks to this host until that says its last word."""
    return LINUX + (LOCATE if locate else "") + rf"""
echo "guest: driver $(readlink /sys/class/net/eth0/device/driver)"
echo "{LOG_MARK}" > /dev/kmsg
report before
peer -i 3600000 {" ".join(peer_args)} {HOST_ADDRESS} {PORT}
echo "guest: after peer_status $?"
report after
kill $tap
wait $tap
sed 's|^tap: |guest: after tap/|' /tap.out
dmesg -r | sed -n '/{LOG_MARK}/,$p' | sed '1d; s/^/guest: after log /'
echo "guest: end"
poweroff -f
"""


# A guest that reads its card's registers all the time, and does as it is told.
OBEY = LINUX + r"""
reload()
{
	card=$(readlink -f /sys/class/net/eth0/device)
	driver=$(readlink -f $card/driver)
	kill $tap
	echo ${card##*/} > $driver/unbind
	wait_until "the card does not go" [ ! -e /sys/class/net/eth0 ]
	echo ${card##*/} > $driver/bind
	set_card_up
}

resource=$(readlink -f /sys/class/net/eth0/device)/resource0
registers $resource &
echo "guest: up"
while read -r word where; do
	case $word in
	reload)	reload && echo "guest: reloaded" ;;
	stray)	stray $resource $where && echo "guest: strayed" ;;
	esac
done
give_up "nobody at the console"
"""


def cpio_entry(name, mode, data, inode):
    """One file of a "newc" archive, which is what the kernel unpacks."""
    path = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0]
    entry = b"070701" + b"".join(b"%08x" % field for field in fields) + path
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(entry) % 4)


def cpio(files):
    """files: (name, mode, data) in the order in which they are to appear."""
    entries = [cpio_entry(name, mode, data, number + 1)
               for number, (name, mode, data) in enumerate(files)]
    entries.append(cpio_entry("TRAILER!!!", 0, b"", 0))
    return b"".join(entries)


def read_binary(path):
    with open(path, "rb") as file:
        return file.read()


def unpack_module(path):
    data = read_binary(path)
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc", path], check=True,
                              stdout=subprocess.PIPE).stdout
    return data


def module_files(module, release):
    """The files to load for a module, in order; none if it is built in."""
    result = subprocess.run(["modprobe", "--show-depends", "--ignore-install",
                             "--set-version", release, module],
                            capture_output=True, text=True)
    if result.returncode and os.path.exists(f"/sys/module/{module}"):
        # There is no file of it, and yet it is there: it is built in.
        return []
    if result.returncode:
        raise Trouble(f"no module {module} for the guest's kernel: "
                      f"{result.stderr.strip()}")
    return re.findall(r"^insmod (\S+)", result.stdout, re.MULTILINE)


def parents(paths):
    """The directories of all those, each after the one that it is in."""
    found = set()
    for path in paths:
        while path := os.path.dirname(path):
            found.add(path)
    return sorted(found)


def build_initrd(path, modules, programs, task, others=()):
    """busybox, kernel modules, our programs, and BASE, which ends in task.

    others: files of this host that the guest has in the same place.
    """
    busybox = shutil.which("busybox")
    if not busybox:
        raise Trouble("no busybox to put into the guest")
    others = {name.lstrip("/"): name for name in others}
    files = [(name, 0o040755, b"") for name in
             ("bin", "proc", "sys", "dev", "modules", *parents(others))]
    files += [("init", 0o100755, (BASE + task).encode()),
              ("bin/busybox", 0o100755, read_binary(busybox))]
    files += [(f"bin/{os.path.basename(program)}", 0o100755,
               read_binary(program)) for program in programs]
    files += [(name, 0o100755, read_binary(source))
              for name, source in others.items()]
    number = 0
    for module in modules:
        for file in module_files(module, kernel_release()):
            files.append((f"modules/{number:02}.ko", 0o100644,
                          unpack_module(file)))
            number += 1
    with open(path, "wb") as file:
        file.write(cpio(files))


FACTS = {"boot_id": r"[0-9a-f-]{36}", "uptime": r"\d+\.\d+",
         "peer_status": r"\d+", "counter": r"\d+", "tap": r"\d+",
         "testpmd": r"\d+ \S+ \d+"}


def guest_facts(console, when):
    """What INIT's report() printed: {what: value}, and the kernel log.

    The kernel may write into the middle of a line: only what is whole counts.
    """
    facts, log = {}, []
    for what, value in re.findall(rf"^guest: {when} (\S+) ?(.*?)\r?\n",
                                  console, re.MULTILINE):
        pattern = FACTS.get(what.split("/")[0])
        if what == "log":
            log.append(value)
        elif pattern and re.fullmatch(pattern, value):
            facts[what] = value
    return facts, log
