# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "lab check": builds with all warnings on both kernels, and the style of the sources.

# passes LOG CHECK...: a check that has anything to say has failed.
passes()
{
	as_owner tools/lab/check "${@:2}" && [ ! -s "$1" ]
}

# run_check WHAT CHECK...
run_check()
{
	local what=$1 log=$build_dir/check.log
	shift

	if ! stage "$what" "$log" passes "$log" "$@"; then
		cat "$log"
		say "$what: FAILED"
		failed_checks+=("$what")
	fi
}

cmd_check()
{
	local kernel release

	[ $# -eq 0 ] || die "check takes no arguments; see 'lab --help'."
	require_namespace
	use_root
	make_dirs "$build_dir"
	failed_checks=()
	for kernel in 6.12 backports; do
		release=$(kernel_release "$kernel")
		run_check "W=1 and sparse, $release" modules "$release"
	done
	run_check 'refusal of an older kernel' oldest "$release"
	run_check checkpatch checkpatch
	run_check shellcheck shellcheck
	run_check 'corpora of the fuzzer' fuzz
	run_check 'vfmig decode, sanitized' decode
	run_check 'man page' man
	run_check 'pages' pages
	give_back
	if [ ${#failed_checks[@]} -gt 0 ]; then
		die "${#failed_checks[@]} of 9 checks failed."
	fi
	say 'all checks passed'
}
