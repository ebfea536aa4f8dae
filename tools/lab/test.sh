# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the selftests in several virtual machines at once. Most of a test's time is spent asleep, above all in the 100 ms of
# every function level reset. A machine each, since one with two cards would not do: see Documentation/lab.rst.

test_usage()
{
	cat <<'END'
usage: lab test [--kernel 6.12|backports|debug|iommufd]... [--vms N] [--timeout S] [NAME]...

Runs the named selftests, or all of them, in N virtual machines at a time (default: 3, or as many as there is memory for; 2
with the debug kernel, which leaves the processors no time to spare). Each
takes the next program when it has ended one. The output of a program is shown when it has ended; where there is only one
program, on one kernel, as it comes. The last line counts the results.

With several kernels all is run on each of them. With none, all is run on 6.12, and on backports too what depends most on
the kernel, or what is named. What boots guests is run by the first machine.
END
}

# What a machine that only runs selftests makes use of
test_mem_gib=3

# Sets $vms.
count_vms()
{
	local free

	free=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
	vms=$((free / test_mem_gib))
	vms=$((vms < 1 ? 1 : vms > 3 ? 3 : vms))
	[[ " ${kernels[*]} " != *' debug '* ]] || [ "$vms" -lt 2 ] || vms=2
}

parse_test_options()
{
	kernels=()
	vms=
	timeout=3600
	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help)
			test_usage
			exit 0
			;;
		--kernel | --vms | --timeout)
			[ $# -gt 1 ] || die "$1 needs a value; see 'lab test --help'."
			;;
		-*)
			die "'$1' is not an option; see 'lab test --help'."
			;;
		*)
			break
			;;
		esac
		case $1 in
		--kernel)	add_kernel "$2" ;;
		--vms)		vms=$2 ;;
		--timeout)	timeout=$2 ;;
		esac
		shift 2
	done
	choose_tests "$@"
	[ -n "$vms" ] || count_vms
	[[ $vms =~ ^[1-9]$ ]] || die "--vms takes 1 to 9, not '$vms'."
}

add_kernel()
{
	check_kernel_name "$1"
	[[ " ${kernels[*]} " != *" $1 "* ]] || die "the kernel $1 is named twice."
	kernels+=("$1")
}

# Sets $tests, the names that go with each of $kernels.
choose_tests()
{
	local names kernel

	names=$("$top/selftests/run_tests.sh" --list "$@") || exit
	for kernel in "${kernels[@]}"; do
		tests[$kernel]=$names
	done
	if [ ${#kernels[@]} -eq 0 ]; then
		kernels=(6.12 backports)
		tests[6.12]=$names
		tests[backports]=$names
		[ $# -gt 0 ] || tests[backports]=$("$top/selftests/run_tests.sh" --list-kernel)
	fi
}

start_vms()
{
	local i

	queue=$build_dir/test-$$
	for kernel in "${kernels[@]}"; do
		make_dirs "$queue/$kernel"
		echo "${tests[$kernel]}" >"$queue/$kernel/names"
	done
	trap 'stop_vms; exit 130' INT
	trap 'stop_vms; exit 143' TERM HUP
	for ((i = 1; i <= vms; i++)); do
		run_vms "$i" &
		pids+=($!)
	done
}

stop_vms()
{
	trap '' INT TERM HUP
	kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$queue"
}

boots_guest()
{
	[[ " $("$top/selftests/run_tests.sh" --list-guest) " == *" $1 "* ]]
}

# Sets $options to those of a machine for the program: see "What to know about the machine" in Documentation/lab.rst.
choose_machine()
{
	if boots_guest "$1"; then
		options=()
	else
		options=(--cpus 2)
	fi
}

# guests or others: the programs with $kernel that boot guests, or do not
guests()
{
	local name

	for name in ${tests[$kernel]}; do
		! boots_guest "$name" || echo "$name"
	done
}

others()
{
	local name

	for name in ${tests[$kernel]}; do
		boots_guest "$name" || echo "$name"
	done
}

# Whether a program of those waits for a machine with $kernel.
any_waits()
{
	local name

	for name; do
		[ -e "$queue/$kernel/$name.taken" ] || return 0
	done
	return 1
}

# run_all N guests|others: the Nth machine, with $kernel. One may leave programs that do not go with what it has run.
run_all()
{
	local names options

	mapfile -t names < <("$2")
	while any_waits "${names[@]}"; do
		choose_machine "${names[0]}"
		run_vm "$queue/$kernel/vm.$1.$2" || { rc=$?; break; }
	done
}

# run_vms N: the Nth machine, with one kernel after the other. The last begins with the last kernel, for programs of all
# kernels to run at the same time; and the first with guests.
run_vms()
{
	local order=("${kernels[@]}") kernel child rc=0

	if [ "$1" -eq "$vms" ]; then
		order=("${kernels[-1]}" "${kernels[@]:0:${#kernels[@]}-1}")
	fi
	# shellcheck disable=SC2154 # assigned where it is trapped
	trap 'kill "$child" 2>/dev/null; wait "$child"; exit 143' TERM
	trap '' INT HUP
	if [ "$1" -eq 1 ]; then
		for kernel in "${kernels[@]}"; do
			run_all 1 guests
		done
	fi
	for kernel in "${order[@]}"; do
		run_all "$1" others
	done
	exit "$rc"
}

# run_vm LOG: for $names with $kernel; sets $child
run_vm()
{
	local log=$1 rc=0

	VFMIG_MEM=${VFMIG_MEM:-${test_mem_gib}G} "$lab_dir/lab" run --kernel "$kernel" "${options[@]}" --timeout "$timeout" \
		--share "$queue/$kernel" -- ./selftests/run_tests.sh --queue /share "${names[@]}" >"$log" 2>&1 &
	child=$!
	wait "$child" || rc=$?
	[ "$rc" -eq 0 ] || mv "$log" "$log.bad"
	return "$rc"
}

any_vm_runs()
{
	kill -0 "${pids[@]}" 2>/dev/null
}

# Shows what has ended, and now and then what has not.
follow_tests()
{
	local started=$SECONDS spoke=$SECONDS running last=
	declare -A shown

	while [ -z "$last" ]; do
		any_vm_runs || last=1
		running=
		for kernel in "${kernels[@]}"; do
			show_ended
		done
		if [ $((SECONDS - spoke)) -ge 5 ]; then
			say "$((SECONDS - started)) s: ${running:-booting}"
			spoke=$SECONDS
		fi
		pause 0.5
	done
}

show_ended()
{
	local name base now=

	for name in ${tests[$kernel]}; do
		base=$queue/$kernel/$name
		if [ -n "${shown[$base]-}" ]; then
			continue
		elif [ -e "$base.status" ] || { [ -n "$last" ] && [ -e "$base.log" ]; }; then
			cat "$base.log"
			shown[$base]=1
			spoke=$SECONDS
		elif [ -e "$base.log" ]; then
			now+=" $name"
		fi
	done
	[ -z "$now" ] || running+=" $kernel:$now"
}

# Sets $verdict to the worst exit status of all, and shows what a machine had to complain about.
judge_vms()
{
	local pid rc

	verdict=0
	for pid in "${pids[@]}"; do
		rc=0
		wait "$pid" || rc=$?
		[ "$rc" -eq 0 ] || verdict=$rc
	done
	for bad in "$queue"/*/vm.*.bad; do
		cat "$bad" >&2
	done
}

cmd_test()
{
	local vms kernels kernel timeout queue bad n options programs=0 pids=() verdict started=$SECONDS
	declare -A tests

	parse_test_options "$@"
	if [ ${#kernels[@]} -eq 1 ]; then
		kernel=${kernels[0]}
		if [[ ${tests[$kernel]} != *' '* ]]; then
			choose_machine "${tests[$kernel]}"
			cmd_run --kernel "$kernel" "${options[@]}" --timeout "$timeout" -- \
				./selftests/run_tests.sh "${tests[$kernel]}"
		fi
	fi
	require_namespace
	use_root
	for kernel in "${kernels[@]}"; do
		build_payload "$kernel"
		n=$(wc -w <<<"${tests[$kernel]}")
		say "$kernel: $n programs"
		programs=$((programs + n))
	done
	[ "$vms" -le "$programs" ] || vms=$programs
	start_vms
	follow_tests
	trap - INT TERM HUP
	judge_vms
	say "the virtual machines ran for $((SECONDS - started)) s"
	"$top/selftests/run_tests.sh" --sum "${kernels[@]/#/$queue/}" || verdict=1
	rm -rf "$queue"
	exit "$verdict"
}
