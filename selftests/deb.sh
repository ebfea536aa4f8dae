#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# deb.sh: whether the modules and the tool of the packages work. "lab deb --try" runs it in a virtual machine whose VFs have
# no driver, with what was installed in the share.

set -eu

read -ra vfs <<<"$VFMIG_VFS"
tar -C / -xf /share/installed.tar
modprobe igb_vfio_pci
[[ $(modinfo -F filename igb_vfio_pci) == */updates/dkms/* ]]
for vf in "${vfs[0]}" "${vfs[1]}"; do
	vfmig bind "$vf"
done
vfmig list
vfmig move "${vfs[0]}" "${vfs[1]}"
for vf in "${vfs[0]}" "${vfs[1]}"; do
	vfmig unbind "$vf"
done
modprobe -r igb_vfio_pci
[ ! -e /sys/module/vfio_pci_mig ]
echo 'the packages work'
