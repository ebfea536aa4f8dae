#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run_tests.sh [--device mtty] [NAME...]: runs the named selftests, or all of them, and sums up.
#
# With --device mtty the conformance suite is run on the kernel's sample driver instead.
#
# Runs as root on a machine whose VFs are bound to the driver under test. The
# environment names them: VFMIG_PF, VFMIG_PF_NETDEV, VFMIG_VFS.

set -u

here=$(dirname "$(realpath "$0")")
tests=(datapath fsm data_fd gate precopy transfer stream mutants reset aer traffic soak conformance migrate)
passed=0
failed=0
skipped=0
bad=()
skips=()

say()
{
	printf '%s\n' "$*"
}

# Sets $command to what runs a test, $limit to the seconds that it may take.
find_test()
{
	limit=600
	command=("$here/$1")
	case $1 in
	conformance)
		command=("$here/conformance/conformance" --device "${devices[0]-}")
		[ ${#devices[@]} -lt 2 ] || command+=(--peer "${devices[1]}")
		# Only a driver of this project is held to keep the machine up.
		[ -n "$sample" ] || command+=(--hostile)
		;;
	migrate)
		limit=1800
		command=(python3 "$here/e2e/migrate.py" --ktap)
		;;
	esac
}

known()
{
	local name

	for name in "${tests[@]}"; do
		[ "$name" != "$1" ] || return 0
	done
	return 1
}

# A test that hangs in the kernel cannot be killed, and keeps what it has open:
# so it writes to a file, and nobody waits for that file to be closed.
run_bounded()
{
	local log=$1 pid

	(cd "$here" && exec timeout -k 10 "$limit" "${command[@]}") >"$log" 2>&1 &
	pid=$!
	tail -n +1 -f --pid="$pid" "$log"
	wait "$pid"
}

fail()
{
	failed=$((failed + $1))
	bad+=("$2")
}

count_results()
{
	local name=$1 status=$2 log=$3 before=$failed line

	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP'* | '1..0 # SKIP'*)
			skipped=$((skipped + 1))
			skips+=("$name: ${line#ok }")
			;;
		'ok '*)
			passed=$((passed + 1))
			;;
		'not ok '*)
			fail 1 "$name: ${line#not ok }"
			;;
		esac
	done <"$log"
	check_plan "$name" "$status" "$log"

	# 4 says that all was skipped; a failure that no line tells of is a death.
	if [ "$status" -ne 0 ] && [ "$status" -ne 4 ] && [ "$failed" -eq "$before" ]; then
		fail 1 "$name: died with status $status"
	fi
}

# Each test that was announced and not reported has failed.
check_plan()
{
	local name=$1 status=$2 log=$3 plan results

	plan=$(sed -n 's/^1\.\.\([0-9][0-9]*\).*/\1/p' "$log" | head -n 1)
	results=$(grep -c -E '^(not )?ok ' "$log")
	if [ -z "$plan" ]; then
		fail 1 "$name: ended with status $status and announced no tests"
	elif [ "$results" -lt "$plan" ]; then
		fail $((plan - results)) \
			"$name: ended with status $status, $((plan - results)) of $plan tests did not report"
	fi
}

run_test()
{
	local name=$1 log status start=$SECONDS

	log=$(mktemp) || exit 1
	find_test "$name"
	say "# ==== $name"
	run_bounded "$log"
	status=$?
	say "# ==== $name took $((SECONDS - start)) s"
	count_results "$name" "$status" "$log"
	rm -f "$log"
}

list()
{
	local title=$1 line
	shift

	[ $# -gt 0 ] || return 0
	say "$title:"
	for line in "$@"; do
		say "  $line"
	done
}

sample=
if [ "${1-}" = --device ]; then
	sample=${2-}
	shift $(($# > 1 ? 2 : 1))
	if [ "$sample" != mtty ] || [ "$*" != conformance ]; then
		say "run_tests.sh: --device takes mtty, and runs conformance alone" >&2
		exit 2
	fi
	devices=$("$here/conformance/mtty.sh") || exit 1
else
	devices=${VFMIG_VFS-}
fi
read -ra devices <<<"$devices"

for name in "$@"; do
	if ! known "$name"; then
		say "run_tests.sh: no test $name; there are: ${tests[*]}" >&2
		exit 2
	fi
done
[ $# -eq 0 ] || tests=("$@")

for name in "${tests[@]}"; do
	run_test "$name"
done

say
list skipped "${skips[@]}"
list failed "${bad[@]}"
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
