# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "lab deb": the Debian packages, and a trial of them.

deb_usage()
{
	cat <<'END'
usage: lab deb [--try]

Builds the packages igb-vfio-pci-dkms and vfmig, and leaves them in build/deb.

With --try it also builds packages and modules a second time, in another directory, and compares; installs them in a copy
of the root, where DKMS builds the modules for 6.12 and backports; boots a virtual machine with each of the two kernels and
what was installed; and removes the packages again, and looks for what is left of them.
END
}

same_bytes()
{
	local file other

	for file in "$1"/$3; do
		other=$2/${file##*/}
		cmp "$file" "$other" || return 1
	done
}

build_deb()
{
	as_owner tools/lab/mkdeb "build/lab/$1"
}

# Where they are built must not show.
compare_builds()
{
	local release=$1 what kos

	build_deb deb/another/place
	same_bytes "$build_dir/deb" "$build_dir/deb/another/place" '*.deb'
	for what in one/place quite/another/place; do
		as_owner tools/lab/mkdeb --modules "$release" "build/lab/deb/$what"
	done
	kos=$(cd "$build_dir/deb/one/place" && find drivers -name '*.ko')
	[ -n "$kos" ]
	for what in $kos; do
		cmp "$build_dir/deb/one/place/$what" "$build_dir/deb/quite/another/place/$what"
	done
}

try_in_vm()
{
	local kernel

	for kernel in 6.12 backports; do
		"$lab_dir/lab" run --kernel "$kernel" --driver none --timeout 600 --share "$build_dir/deb/share" -- \
			./selftests/deb.sh
	done
}

# Each step fails by itself: its log says why.
try_deb()
{
	local dir=$build_dir/deb release

	release=$(kernel_release 6.12)
	stage 'building packages and modules elsewhere, and comparing' "$dir/compare.log" \
		compare_builds "$release" || die "two builds differ, or one failed (log: $dir/compare.log)."
	mkdir -p "$dir/scratch" "$dir/share"
	stage 'installing the packages in a copy of the root, and removing them' "$dir/install.log" \
		in_root --scratch "$dir/scratch" -- tools/lab/try-deb ||
		{
			tail -n 20 "$dir/install.log" >&2
			die "the packages cannot be installed or removed (log: $dir/install.log)."
		}
	remove_tree "$dir/scratch"
	try_in_vm
	say 'the packages are good'
}

cmd_deb()
{
	local try=

	case ${1-} in
	'') ;;
	--try) try=1 ;;
	*)
		deb_usage
		[[ $1 == @(-h|--help) ]] || exit 2
		exit
		;;
	esac
	require_namespace
	use_root
	make_dirs "$build_dir/deb" "$top/build/deb"
	stage 'building the packages' "$build_dir/deb.log" build_deb deb || {
		tail -n 20 "$build_dir/deb.log" >&2
		die "the packages cannot be built (log: $build_dir/deb.log)."
	}
	rm -f "$top"/build/deb/*.deb
	cp "$build_dir"/deb/*.deb "$top/build/deb/"
	give_back
	say "the packages are in $top/build/deb"
	[ -z "$try" ] || try_deb
}
