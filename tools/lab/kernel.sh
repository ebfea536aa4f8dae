# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The lab's own kernels, which Debian does not have: finds or makes them. Each has a configuration of its name.

own_kernels=(debug iommufd)
kernel_needs_mb=4096

# What `enter` is told of the one that is in use
kernel_args=()

is_own_kernel()
{
	[[ " ${own_kernels[*]} " == *" $1 "* ]]
}

# package_version NAME: of a package in the root
package_version()
{
	awk -v name="$1" '$1 == "Package:" { found = $2 == name } found && $1 == "Version:" { print $2 }' \
		"$root/var/lib/dpkg/status"
}

own_kernel_hash()
{
	{
		cat "$lab_dir/kernel.config" "$lab_dir/$1.config" "$lab_dir/mkkernel"
		package_version linux-source-6.12
		package_version "$(readlink "$root/usr/bin/gcc")"
		echo "$EUID"
	} | sha256sum | cut -c1-12
}

# Where each of them is, if it has been made
own_kernel_dirs()
{
	local name

	for name in "${own_kernels[@]}"; do
		echo "$cache_dir/kernel-$(own_kernel_hash "$name")"
	done
}

objects_built()
{
	printf '%d objects built' "$(grep -c -E '^  (AS|CC|HOSTCC) ' "$1")"
}

build_own_kernel()
{
	local log=$own_kernel.log

	remove_tree "$own_kernel.tmp"
	check_disk_space "kernel $own_name" "$kernel_needs_mb"
	mkdir "$own_kernel.tmp"
	say "building the kernel $own_name (log: $log)"
	if ! measure=objects_built stage "building the kernel $own_name" "$log" \
			in_namespace "$lab_dir/enter" "$root" --release "$release" --new-kernel "$own_kernel.tmp" -- \
			tools/lab/mkkernel "$own_name"; then
		remove_tree "$own_kernel.tmp"
		explain_kernel_failure "$log"
	fi
	mv "$own_kernel.tmp" "$own_kernel"
}

explain_kernel_failure()
{
	local log=$1 why

	why=$(sed -n 's/^mkkernel: //p' "$log" | tail -n 1)
	if grep -qi 'No space left on device' "$log"; then
		why="the disk of $cache_dir is full; make room or set VFMIG_CACHE to a directory that has it"
	elif [ -z "$why" ]; then
		tail -n 20 "$log" >&2
		why="the kernel $own_name could not be built"
	fi
	die "$why (log: $log)."
}

# use_own_kernel NAME: with its $release
use_own_kernel()
{
	own_name=$1
	own_kernel=$cache_dir/kernel-$(own_kernel_hash "$1")
	use_cached "$own_kernel" "kernel $1" build_own_kernel
	kernel_args=(--release "$release" --kernel "$own_kernel")
}
