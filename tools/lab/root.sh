# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The cached root: finds or makes it, and runs commands in it.

root_needs_mb=4096

# The user is part of the name: a root made in a user namespace has other owners than one made by root.
root_hash()
{
	{ cat "$lab_dir/mkroot"; echo "$EUID"; } | sha256sum | cut -c1-12
}

install_host_packages()
{
	local package missing=()

	have mmdebstrap || missing+=(mmdebstrap)
	[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
	[ ${#missing[@]} -gt 0 ] || return 0

	package=${missing[*]}
	have apt-get || die "the host lacks $package, and has no apt-get to install it with; install it by hand."
	[ "$EUID" -eq 0 ] || die "the host lacks $package: 'apt-get install $package' as root, or use sudo."
	stage "installing $package on the host" "$cache_dir/host.log" apt_install "${missing[@]}" ||
		die "the host's apt cannot install $package; see to its package sources (log: $cache_dir/host.log)."
}

apt_install()
{
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	apt-get install --yes --no-install-recommends "$@"
}

# The host's apt knows which mirror of Debian is near. A machine can have any number of third-party sources, and Debian's
# own security archive: what counts is the main archive of the host's own release.
host_mirror()
{
	# shellcheck disable=SC2016
	local codename format='$(REPO_URI)|$(COMPONENT)|$(CODENAME)|$(RELEASE)|$(ORIGIN)|$(LABEL)'

	have apt-get || return 0
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# Origin and label come from the release file, which is not there before the first "apt-get update".
	apt-get indextargets --format "$format" 2>/dev/null | awk -F'|' -v codename="$codename" '
		$2 == "main" && ($3 == codename || $4 == codename) &&
			(($5 == "Debian" && $6 == "Debian") || $5 !~ /^[A-Za-z]/) { print $1; exit }'
}

find_mirror()
{
	local mirror=${VFMIG_MIRROR:-$(host_mirror)}

	case $mirror in
	'')
		die "the host's apt names no mirror of Debian; set VFMIG_MIRROR to the URL of one."
		;;
	mirror+file:*)
		# A list of mirrors, one to a line, which exists on this host only.
		mirror=${mirror#mirror+file:}
		mirror=$(sed -n 's/^[[:space:]]*\([a-z]\+:[^[:space:]]*\).*/\1/p' "/${mirror##+(/)}" | head -n 1)
		;;
	cdrom:*)
		die "the host's apt installs from a CD; set VFMIG_MIRROR to the URL of a mirror of Debian."
		;;
	esac
	echo "${mirror%/}"
}

# check_disk_space WHAT MB
check_disk_space()
{
	local free

	free=$(df --output=avail -BM "$cache_dir" | tail -n 1 | tr -dc 0-9)
	[ "$free" -ge "$2" ] ||
		die "$cache_dir has $free MB left and the $1 needs $2 MB; make room or set VFMIG_CACHE to a directory that has it."
}

# Names the cause of a failed build in one sentence, from what mmdebstrap and apt said.
explain_build_failure()
{
	local log=$1 mirror=$2 why

	if grep -qi 'No space left on device' "$log"; then
		why="the disk of $cache_dir is full; make room or set VFMIG_CACHE to a directory that has it"
	elif grep -qE 'NO_PUBKEY|EXPKEYSIG|is not signed|Missing key|keyring' "$log"; then
		why="the host's debian-archive-keyring does not know Debian 13's keys; upgrade that package"
	elif grep -qE 'Could not resolve|Could not connect|Connection (refused|timed out)|Failed to fetch|does not have a Release file' "$log"; then
		why="the mirror $mirror does not answer or is not complete; check the network or set VFMIG_MIRROR to another"
	elif grep -qE 'Unable to locate package|has no installation candidate' "$log"; then
		why="the mirror $mirror lacks a package; set VFMIG_MIRROR to another"
	else
		why='the root could not be built'
	fi
	die "$why (log: $log)."
}

# remove_tree DIR: as the namespace's root, since the files in it may belong to any of its IDs.
remove_tree()
{
	if [ -e "$1" ]; then
		in_namespace rm -rf --one-file-system -- "$1"
	fi
}

# remove_cached [KEEP]...: removes all roots and kernels but KEEP, and what interrupted builds have left. Each has a lock that
# is held while it is made or used.
remove_cached()
{
	local dir

	for dir in "$cache_dir"/{root,kernel}-*/; do
		dir=${dir%/}
		if [[ " $* " != *" $dir "* ]] && [ -O "$dir" ]; then
			(
				flock --nonblock 8 || exit 0
				say "removing $dir"
				remove_tree "$dir"
			) 8>"${dir%.tmp}.lock"
		fi
	done
}

build_root()
{
	local mirror log=$root.log

	require_namespace
	install_host_packages
	mirror=$(find_mirror)
	remove_tree "$root.tmp"
	check_disk_space root "$root_needs_mb"
	say "building the Debian 13 root from $mirror (log: $log)"
	if ! stage 'building the root' "$log" in_namespace "$lab_dir/mkroot" "$root.tmp" "$mirror"; then
		remove_tree "$root.tmp"
		explain_build_failure "$log" "$mirror"
	fi
	mv "$root.tmp" "$root"
}

open_cache()
{
	mkdir -p "$cache_dir" 2>/dev/null || die "$cache_dir cannot be made; set VFMIG_CACHE to a directory that you can write to."
	cache_dir=$(realpath "$cache_dir")
}

# use_cached DIR WHAT BUILD: has BUILD make what is not there, and leaves it locked for as long as this process and what it
# starts run, so that no other lab removes it meanwhile.
use_cached()
{
	local dir=$1 what=$2 build=$3 lock

	exec {lock}>"$dir.lock"
	if [ ! -d "$dir" ]; then
		flock --nonblock "$lock" ||
			stage "waiting for another lab that builds the $what" /dev/null flock "$lock"
		# It may have come into being while this one waited.
		[ -d "$dir" ] || "$build"
	fi
	flock --shared "$lock"
	[ -d "$dir" ] || die "the $what has gone while this lab waited for it; run the command again."
}

use_root()
{
	open_cache
	root=$cache_dir/root-$(root_hash)
	use_cached "$root" root build_root
}

cmd_build()
{
	local started=$SECONDS kernels

	use_root
	mapfile -t kernels < <(own_kernel_dirs)
	remove_cached "$root" "${kernels[@]}"
	say "the root is $root ($(in_namespace du -sm "$root" | cut -f1) MB, ready after $((SECONDS - started)) s)"
}

# in_root [OPTION]... -- COMMAND...: the options are those of `enter`.
in_root()
{
	in_namespace "$lab_dir/enter" "$root" "${kernel_args[@]}" "$@"
}

# as_owner COMMAND...: what writes to the clone runs as the clone's owner.
as_owner()
{
	local owner=()

	if [ "$EUID" -eq 0 ]; then
		owner=(--owner "$(stat -c %u:%g "$top")")
	fi
	in_root "${owner[@]}" -- "$@"
}

cmd_exec()
{
	[ "${1-}" != -- ] || shift
	[ $# -gt 0 ] || die "exec needs a command; see 'lab --help'."
	require_namespace
	use_root
	as_owner "$@"
}
