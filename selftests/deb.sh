#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# deb.sh: whether the modules and the tool of the packages work, as Documentation/install.rst says. "lab deb --try" runs it
# in a virtual machine whose VFs have no driver, with what was installed in the share.

set -eu

read -ra vfs <<<"$VFMIG_VFS"
tar -C / -xf /share/installed.tar
[[ $(modinfo -F filename igb_vfio_pci) == */updates/dkms/* ]]
while IFS= read -r -d '' command; do
	[[ $command == vfmig\ * ]] || continue
	echo "host# $command"
	bash -c "$command" </dev/null
done < <(python3 selftests/e2e/page.py selftests/pages/install.rst host)
[ "$(basename "$(readlink "/sys/bus/pci/devices/${vfs[0]}/driver")")" = igb_vfio_pci ]
vfmig bind "${vfs[1]}"
vfmig move "${vfs[0]}" "${vfs[1]}"
for vf in "${vfs[0]}" "${vfs[1]}"; do
	vfmig unbind "$vf"
done
modprobe -r igb_vfio_pci
[ ! -e /sys/module/vfio_pci_mig ]
echo 'the packages work'
