# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the selftests in several virtual machines at once. Most of a test's time is spent asleep, above all in the 100 ms of
# every function level reset. A machine each, since one with two cards would not do: see Documentation/lab.rst.

test_usage()
{
	cat <<'END'
usage: lab test [--kernel 6.12|backports|debug] [--vms N] [--timeout S] [NAME]...

Runs the named selftests, or all of them, in N virtual machines (default: 3, or as many as there is memory for; 1 with the
debug kernel, which leaves a processor no time to spare). Each
takes the next program when it has ended one. The output of a program is shown when it has ended; where there is only one
program, or one machine, as it comes. The last line counts the results.
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
}

parse_test_options()
{
	kernel=6.12
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
		--kernel)	kernel=$2 ;;
		--vms)		vms=$2 ;;
		--timeout)	timeout=$2 ;;
		esac
		shift 2
	done
	check_kernel_name "$kernel"
	[ -n "$vms" ] || [ "$kernel" != debug ] || vms=1
	[ -n "$vms" ] || count_vms
	[[ $vms =~ ^[1-9]$ ]] || die "--vms takes 1 to 9, not '$vms'."
	tests=("$@")
	[ $# -gt 0 ] || read -ra tests < <("$top/selftests/run_tests.sh" --list)
}

start_vms()
{
	local i

	queue=$build_dir/test-$$
	make_dirs "$queue"
	trap 'stop_vms; exit 130' INT
	trap 'stop_vms; exit 143' TERM HUP
	for ((i = 1; i <= vms; i++)); do
		VFMIG_MEM=${VFMIG_MEM:-${test_mem_gib}G} "$lab_dir/lab" run --kernel "$kernel" --timeout "$timeout" \
			--share "$queue" -- ./selftests/run_tests.sh --queue /share "${tests[@]}" >"$queue/vm.$i" 2>&1 &
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

any_vm_runs()
{
	kill -0 "${pids[@]}" 2>/dev/null
}

# Shows what has ended, and now and then what has not.
follow_tests()
{
	local started=$SECONDS spoke=$SECONDS name running last=
	declare -A shown

	while [ -z "$last" ]; do
		any_vm_runs || last=1
		running=
		for name in "${tests[@]}"; do
			if [ -n "${shown[$name]-}" ]; then
				continue
			elif [ -e "$queue/$name.status" ] || { [ -n "$last" ] && [ -e "$queue/$name.log" ]; }; then
				cat "$queue/$name.log"
				shown[$name]=1
				spoke=$SECONDS
			elif [ -e "$queue/$name.log" ]; then
				running+=" $name"
			fi
		done
		if [ $((SECONDS - spoke)) -ge 5 ]; then
			say "$((SECONDS - started)) s: ${running:-booting}"
			spoke=$SECONDS
		fi
		pause 0.5
	done
}

# Sets $verdict to the worst exit status of all, and shows what a machine had to complain about.
judge_vms()
{
	local i rc

	verdict=0
	for i in "${!pids[@]}"; do
		rc=0
		wait "${pids[i]}" || rc=$?
		if [ "$rc" -ne 0 ]; then
			verdict=$rc
			cat "$queue/vm.$((i + 1))" >&2
		fi
	done
}

cmd_test()
{
	local tests vms kernel timeout queue pids=() verdict started=$SECONDS

	parse_test_options "$@"
	if [ ${#tests[@]} -eq 1 ] || [ "$vms" -eq 1 ]; then
		cmd_run --kernel "$kernel" --timeout "$timeout" -- ./selftests/run_tests.sh "${tests[@]}"
	fi
	[ "$vms" -le ${#tests[@]} ] || vms=${#tests[@]}
	require_namespace
	use_root
	build_payload "$kernel"
	say "${#tests[@]} programs, in $vms virtual machines"
	start_vms
	follow_tests
	trap - INT TERM HUP
	judge_vms
	say "the virtual machines ran for $((SECONDS - started)) s"
	"$top/selftests/run_tests.sh" --sum "$queue" "${tests[@]}" || verdict=1
	rm -rf "$queue"
	exit "$verdict"
}
