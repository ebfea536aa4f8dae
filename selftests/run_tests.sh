#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run_tests.sh [--device mtty] [NAME...]: runs the named selftests, or all of them, and sums up.
# run_tests.sh --list [NAME...]: the names of all, or those given, if they are names.
# run_tests.sh --list-kernel: of those that depend most on the kernel.
# run_tests.sh --list-guest: of those that boot a guest.
# run_tests.sh --queue DIR NAME...: runs those that no other machine with that directory has taken.
# run_tests.sh --sum DIR...: sums up what has been left there by the programs in DIR/names; DIR is named after the kernel.
#
# With --device mtty the conformance suite is run on the kernel's sample driver instead.
#
# A queue gets NAME.log, the output of a program, and then NAME.status, its exit status.
#
# Runs as root on a machine whose VFs are bound to the driver under test. The
# environment names them: VFMIG_PF, VFMIG_PF_NETDEV, VFMIG_VFS.

set -u

here=$(dirname "$(realpath "$0")")
# The longest first: so none is left over when others are done
tests=(conformance fail_nth mishaps mutants dpdk reset migrate transfer aer stream recovery hot_reset shuttle fault_domain fault_vtd
	fault_ring fsm vfmig hammer docs precopy traffic gate lock_order datapath data_fd dma_log kunit)
# Only run by name: it takes long
by_name=(libvirt)
# What is told apart by kernels: the compatibility header, vfio-pci's core, the uAPI, and QEMU's use of it
kernel_tests=(conformance migrate hot_reset fault_vtd fault_ring precopy fsm gate data_fd)
guest_tests=(mishaps dpdk migrate libvirt)
passed=0
failed=0
skipped=0
bad=()
skips=()

say()
{
	printf '%s\n' "$*"
}

# Sets $command to what runs a test, $limit to the seconds that it may take, and $remark if there is one to make.
find_test()
{
	limit=600
	remark=
	command=("$here/$1")
	case $1 in
	conformance)
		command=("$here/conformance/conformance" --device "${devices[0]-}")
		[ ${#devices[@]} -lt 2 ] || command+=(--peer "${devices[1]}")
		# Only a driver of this project is held to keep the machine up.
		[ -n "$sample" ] || command+=(--hostile)
		find_cdev
		;;
	fail_nth)
		command=("$here/fail_nth/fail_nth")
		find_cdev
		;;
	aer | data_fd | datapath | fault_ring | fault_vtd | fsm | gate | precopy | recovery | stream | traffic | transfer)
		find_cdev
		;;
	fault_domain)
		find_cdev
		repeat FAULT_DOMAIN_OPENINGS 1000
		;;
	dma_log)
		find_log
		;;
	mutants)
		find_cdev
		repeat MUTANTS_COUNT 100000
		;;
	reset)
		find_cdev
		repeat RESET_ROUNDS 10000
		;;
	shuttle)
		find_cdev
		repeat SHUTTLE_MIGRATIONS 1000
		;;
	migrate)
		limit=1800
		command=(python3 "$here/e2e/migrate.py" --ktap --before 5 --after 5)
		# Where there is a log of the device's DMA, the guest's memory shows whether it has missed anything.
		[ ! -e /dev/iommu ] || command+=(--source group --compare)
		;;
	mishaps)
		command=(python3 "$here/e2e/mishaps.py" --ktap)
		;;
	vfmig)
		command=(python3 "$here/tool/vfmig.py")
		;;
	docs)
		command=(python3 "$here/docs.py")
		;;
	dpdk)
		command=(python3 "$here/e2e/dpdk.py" --ktap)
		;;
	libvirt)
		command=(python3 "$here/e2e/libvirt.py" --ktap)
		;;
	hammer)
		command=("$here/hammer/hammer" --seconds $((8 * ${VFMIG_PATIENCE:-1})))
		;;
	lock_order)
		command=(python3 "$here/lock_order.py")
		;;
	kunit)
		command=("$here/kunit/run.sh")
		;;
	esac
	limit=$((limit * ${VFMIG_PATIENCE:-1}))
}

# The tests of files of a device's own need an iommufd. They are a variant of others.
find_cdev()
{
	[ ! -e /dev/iommu ] || return 0
	command+=(-V cdev)
	remark='1..0 # SKIP cdev: the kernel has no iommufd'
}

# VFIO cannot report a DMA log in a kernel without what iommufd has for it.
find_log()
{
	[ -e /dev/iommu ] || command=(echo '1..0 # SKIP no DMA log: the kernel has no iommufd')
}

# Where all is slower, there is less of what is only repeated; and of that each variant does its half.
repeat()
{
	local count=$2

	[ -z "${VFMIG_PATIENCE-}" ] || count=$((count / 10))
	[ ! -e /dev/iommu ] || count=$((count / 2))
	[ "$count" -ne "$2" ] || return 0
	export "$1=${!1:-$count}"
	remark+=${remark:+$'\n'}"# $1=${!1}"
}

# On a kernel that looks for leaks. It takes nothing for one that is younger than five seconds, or that it has not seen
# unchanged before.
report_leaks()
{
	local kmemleak=/sys/kernel/debug/kmemleak

	[ -e "$kmemleak" ] || return 0
	sleep 6
	{ echo scan >"$kmemleak" && echo scan >"$kmemleak"; } || say "not ok kmemleak is off"
	[ -n "$(head -c 1 "$kmemleak")" ] || return 0
	sed 's/^/# /' "$kmemleak"
	say "not ok memory has leaked"
	echo clear >"$kmemleak"
}

known()
{
	local name

	for name in "${tests[@]}" "${by_name[@]}"; do
		[ "$name" != "$1" ] || return 0
	done
	return 1
}

# A test that hangs in the kernel cannot be killed, and keeps what it has open:
# so it writes to a file, and nobody waits for that file to be closed.
run_bounded()
{
	local log=$1 pid

	(cd "$here" && exec timeout -k 10 "$limit" "${command[@]}") >>"$log" 2>&1 &
	pid=$!
	[ -n "$queue" ] || tail -n +1 -f --pid="$pid" "$log"
	wait "$pid"
}

# A program that does not end is killed. Where that is of no use the machine is stuck, and perhaps starts no program any more:
# what it waits for is put into its log, and one of the lab's is ended.
watch_over()
{
	read -r -t $((limit + 120)) -u "$never" || true
	# It may have been interrupted.
	kill -0 $$ 2>/dev/null || return
	say "run_tests.sh: $1 has not ended after $((limit + 120)) s" >/dev/kmsg
	echo w >/proc/sysrq-trigger
	echo l >/proc/sysrq-trigger
	read -r -t 5 -u "$never" || true
	[ -z "${VFMIG_LAB-}" ] || echo b >/proc/sysrq-trigger
}

fail()
{
	failed=$((failed + $1))
	bad+=("$2")
}

count_results()
{
	local name=$1 status=$2 log=$3 before=$failed line

	name=${label:+$label: }$name
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

# Leaves $work/NAME.log and $work/NAME.status.
run_test()
{
	local name=$1 start=$SECONDS status watcher

	find_test "$name"
	echo "# ==== $name${VFMIG_KERNEL:+, Linux $VFMIG_KERNEL}" >"$work/$name.log"
	watch_over "$name" &
	watcher=$!
	run_bounded "$work/$name.log"
	status=$?
	{
		[ -z "$remark" ] || say "$remark"
		report_leaks
	} | tee -a "$work/$name.log"
	kill "$watcher"
	wait "$watcher" 2>/dev/null
	echo "# ==== $name took $((SECONDS - start)) s" >>"$work/$name.log"
	[ -n "$queue" ] || tail -n 1 "$work/$name.log"
	echo "$status" >"$work/$name.part"
	mv "$work/$name.part" "$work/$name.status"
}

# Whether this machine may run a program after those that it has run. One that has seen a fatal error and a hot reset has
# lockdep report a circle, see Documentation/lab.rst.
suits()
{
	local rival=

	[ -e /proc/lockdep ] || return 0
	case $1 in
	hot_reset)	rival=fatal_error ;;
	aer | fail_nth | lock_order | mishaps | recovery)
			rival=hot_reset ;;
	esac
	[ -z "$rival" ] || [[ " $seen " != *" $rival "* ]] || return 1
	case $rival in
	fatal_error)	seen+=' hot_reset' ;;
	hot_reset)	seen+=' fatal_error' ;;
	esac
}

# What does not suit is left to another machine.
run_queue()
{
	local name seen=

	for name in "${tests[@]}"; do
		if [ ! -e "$work/$name.taken" ] && suits "$name" && mkdir "$work/$name.taken" 2>/dev/null; then
			run_test "$name"
		fi
	done
}

count_all()
{
	local name

	for name in "${tests[@]}"; do
		if [ -e "$work/$name.status" ]; then
			count_results "$name" "$(cat "$work/$name.status")" "$work/$name.log"
		else
			fail 1 "${label:+$label: }$name: has not ended"
		fi
	done
}

# A machine can fail though all of its programs have passed.
count_machines()
{
	local log

	for log in "$work"/vm.*.bad; do
		[ ! -e "$log" ] || fail 1 "$label: $(sed -n 's/^lab: error: //p' "$log" | head -n 1)"
	done
}

# Sums up what has been left in $work, or in the directories.
sum_up()
{
	local label

	if [ $# -eq 0 ]; then
		count_all
	fi
	for work in "$@"; do
		label=${work##*/}
		read -ra tests <"$work/names"
		count_all
		count_machines
	done
	say
	list skipped "${skips[@]}"
	list failed "${bad[@]}"
	say "$passed passed, $failed failed, $skipped skipped"
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

# Never has anything to be read: for waiting without a process
exec {never}<> <(:)

sample=
list=
queue=
work=
names=${VFMIG_VFS-}
case ${1-} in
--list)
	list=1
	shift
	;;
--list-kernel)
	echo "${kernel_tests[@]}"
	exit
	;;
--list-guest)
	echo "${guest_tests[@]}"
	exit
	;;
--device)
	sample=${2-}
	shift $(($# > 1 ? 2 : 1))
	if [ "$sample" != mtty ] || [ "$*" != conformance ]; then
		say "run_tests.sh: --device takes mtty, and runs conformance alone" >&2
		exit 2
	fi
	names=$("$here/conformance/mtty.sh") || exit 1
	;;
--sum)
	shift
	sum_up "$@"
	[ "$failed" -eq 0 ]
	exit
	;;
--queue)
	queue=1
	work=${2-}
	if [ ! -d "$work" ]; then
		say "run_tests.sh: $1 takes a directory" >&2
		exit 2
	fi
	shift 2
	;;
esac
read -ra devices <<<"$names"

for name in "$@"; do
	if ! known "$name"; then
		say "run_tests.sh: no test $name; there are: ${tests[*]} ${by_name[*]}" >&2
		exit 2
	fi
done
if [ -n "$(printf '%s\n' "$@" | sort | uniq -d)" ]; then
	say 'run_tests.sh: a test is named twice' >&2
	exit 2
fi
[ $# -eq 0 ] || tests=("$@")

if [ -n "$list" ]; then
	echo "${tests[@]}"
	exit
fi
if [ -n "$queue" ]; then
	run_queue
	exit
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for name in "${tests[@]}"; do
	run_test "$name"
done
sum_up
[ "$failed" -eq 0 ]
