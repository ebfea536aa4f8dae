# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernels that the root has, and what is built for each.

# kernel_release NAME
kernel_release()
{
	local dir

	for dir in "$root"/lib/modules/*; do
		case ${dir##*/} in
		*-debug) ! is_own_kernel "$1" || echo "$(basename "$dir" debug)$1" ;;
		6.12.*)	[ "$1" != 6.12 ] || echo "${dir##*/}" ;;
		*)	[ "$1" != backports ] || echo "${dir##*/}" ;;
		esac
	done
}

check_kernel_name()
{
	case $1 in
	6.12 | backports | debug | iommufd) ;;
	*) die "'$1' is not a kernel of the lab; --kernel takes 6.12, backports, debug or iommufd." ;;
	esac
}

# Sets $release and $kernel_dir. Two builds for one kernel take turns.
build_payload()
{
	release=$(kernel_release "$1")
	[ -n "$release" ] || die "the root has no kernel '$1'; run 'lab clean' and 'lab build'."
	! is_own_kernel "$1" || use_own_kernel "$1"
	kernel_dir=$build_dir/$release
	make_dirs "$kernel_dir"
	(
		flock 8
		stage "building the modules for $release" "$kernel_dir/build.log" \
			as_owner tools/lab/mkpayload "$release"
	) 8>"$kernel_dir/lock" || {
		tail -n 40 "$kernel_dir/build.log" >&2
		die "the modules do not build for $release (log: $kernel_dir/build.log)."
	}
	# What a compiler warns of should not need a look into a log.
	grep -E 'warning:|WARNING:' "$kernel_dir/build.log" >&2 || true
}

cmd_modules()
{
	local kernel=6.12

	while [ $# -gt 0 ]; do
		case $1 in
		--kernel)
			[ $# -gt 1 ] || die '--kernel needs a value.'
			kernel=$2
			shift 2
			;;
		*)
			die "modules does not know '$1'; see 'lab --help'."
			;;
		esac
	done
	check_kernel_name "$kernel"
	require_namespace
	use_root
	build_payload "$kernel"
	say "built in $kernel_dir"
}
