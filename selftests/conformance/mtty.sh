#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mtty.sh: makes two devices of the kernel's sample driver mtty, and prints their UUIDs. They stay until the machine is
# restarted.
#
# Runs as root. The module is the lab's, or one that the kernel was built with.

set -eu

modules=$(dirname "$(realpath "$0")")/../../modules
type=/sys/class/mtty/mtty/mdev_supported_types/mtty-2
uuids=(6d747479-0000-4000-8000-000000000001 6d747479-0000-4000-8000-000000000002)

fail()
{
	echo "mtty.sh: $*" >&2
	exit 1
}

load()
{
	if [ -e "$modules/mtty.ko" ]; then
		modprobe -a mdev vfio_iommu_type1
		insmod "$modules/mtty.ko"
	elif [ -d "$modules" ]; then
		fail "the lab's mtty.c is of Linux 6.12, and kernel $(uname -r) does not find the regions of its devices"
	else
		modprobe -a vfio_iommu_type1 mtty
	fi
}

[ -e "$type" ] || load || fail 'mtty cannot be loaded'
[ -e "$type" ] || fail "there is no $type"
for uuid in "${uuids[@]}"; do
	[ -e "/sys/bus/mdev/devices/$uuid" ] || echo "$uuid" >"$type/create"
	[ -e "/sys/bus/mdev/devices/$uuid/iommu_group" ] || fail "mtty makes no VFIO group for its device"
done
# udev may take its time
for _ in {1..50}; do
	[ ! -e "/dev/vfio/$(basename "$(readlink "/sys/bus/mdev/devices/${uuids[1]}/iommu_group")")" ] || break
	sleep 0.1
done
echo "${uuids[*]}"
