# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The debugging kernel, which Debian does not have: finds or makes it.

kernel_needs_mb=4096

# What `enter` is told of the debugging kernel, once it is in use
kernel_args=()

# package_version NAME: of a package in the root
package_version()
{
	awk -v name="$1" '$1 == "Package:" { found = $2 == name } found && $1 == "Version:" { print $2 }' \
		"$root/var/lib/dpkg/status"
}

debug_kernel_hash()
{
	{
		cat "$lab_dir/debug.config" "$lab_dir/mkkernel"
		package_version linux-source-6.12
		package_version "$(readlink "$root/usr/bin/gcc")"
		echo "$EUID"
	} | sha256sum | cut -c1-12
}

objects_built()
{
	printf '%d objects built' "$(grep -c -E '^  (AS|CC|HOSTCC) ' "$1")"
}

build_debug_kernel()
{
	local log=$debug_kernel.log

	remove_tree "$debug_kernel.tmp"
	check_disk_space 'debugging kernel' "$kernel_needs_mb"
	mkdir "$debug_kernel.tmp"
	say "building the debugging kernel (log: $log)"
	if ! measure=objects_built stage 'building the debugging kernel' "$log" \
			in_namespace "$lab_dir/enter" "$root" --new-kernel "$debug_kernel.tmp" -- tools/lab/mkkernel; then
		remove_tree "$debug_kernel.tmp"
		explain_kernel_failure "$log"
	fi
	mv "$debug_kernel.tmp" "$debug_kernel"
}

explain_kernel_failure()
{
	local log=$1 why

	why=$(sed -n 's/^mkkernel: //p' "$log" | tail -n 1)
	if grep -qi 'No space left on device' "$log"; then
		why="the disk of $cache_dir is full; make room or set VFMIG_CACHE to a directory that has it"
	elif [ -z "$why" ]; then
		tail -n 20 "$log" >&2
		why='the debugging kernel could not be built'
	fi
	die "$why (log: $log)."
}

use_debug_kernel()
{
	debug_kernel=$cache_dir/kernel-$(debug_kernel_hash)
	use_cached "$debug_kernel" 'debugging kernel' build_debug_kernel
	kernel_args=(--kernel "$debug_kernel")
}
