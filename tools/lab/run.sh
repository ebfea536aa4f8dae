# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boots the virtual machine, or two, follows it to its end, and judges its kernel log.

# A kernel log with any of these in it fails the run, whatever the command said.
kernel_trouble='WARNING:|BUG:|Oops|general protection fault|Unable to handle kernel|Kernel panic|Call Trace'
kernel_trouble+='|possible (circular|recursive) locking|possible irq lock inversion|inconsistent lock state'
kernel_trouble+='|suspicious RCU usage|held lock freed|blocked for more than|detected stalls|self-detected stall'
kernel_trouble+='|KASAN:|UBSAN:|KCSAN:|kmemleak: (unreferenced object|.*suspected)|refcount_t:'
kernel_trouble+='|ODEBUG:|kmemleak: .*disabled|INFO: trying to register non-static key|DEBUG_LOCKS_WARN_ON'
# The processor's own weaknesses, which the kernel remarks on at boot.
harmless_trouble='WARNING: Unprivileged eBPF'

keep_runs=20

run_usage()
{
	cat <<'END'
usage: lab run [OPTION]... -- COMMAND...
       lab shell [OPTION]...

Boots a virtual machine with an emulated Intel 82576 and an IOMMU, loads the modules, makes virtual functions, binds
them, and runs COMMAND as root in /vfmig, a copy of what "lab modules" has built: modules/, selftests/, tools/vfmig/.
Standard output and error are those of COMMAND, and so is the exit status, unless the kernel log has a warning in it:
that fails the run. The log, and all output, is kept in a directory under build/lab/runs.

  --kernel NAME             the kernel to boot: 6.12 (default), backports, debug, or iommufd
  --vfs N                   how many virtual functions to make, 0 to 7 (default: 2)
  --mac VF=ADDRESS          sets the address of a virtual function as its administrator; may be repeated
  --driver NAME             what the virtual functions are bound to: igb_vfio_pci (default), vfio-pci, or none
  --share DIR               a directory of the host that COMMAND can write to
  --timeout SECONDS         how long the machine may run; not for "shell" (default: 900)
  --kvm                     uses KVM, which has to support nested virtualization
  --cpus N                  how many processors it has, 1 or 2 (default: 1, and a kernel that switches between threads
                            wherever it can)
  --threads HOW             with 2 of them and TCG: single (default) has them take turns, and guests do not boot; multi
                            lets them run at the same time, and what one does to a device may get lost
  --append ARGUMENTS        more of them for the kernel
  --hosts N                 how many such machines, 1 or 2 (default: 1). With 2 the ports of the two PFs are connected,
                            there is another network for what is the hosts' own business, and each runs COMMAND; every
                            line of output says where it comes from, and the run fails if either machine fails

COMMAND finds in its environment:
  VFMIG_PF, VFMIG_PF_NETDEV   the PCI address and the network interface of the physical function
  VFMIG_VFS                   the PCI addresses of the virtual functions
  VFMIG_SLOT                  those of two more PFs, which share a slot, and have no cable and no driver
  VFMIG_SHARE                 where the shared directory is, if there is one
  VFMIG_KERNEL                the kernel's release
  VFMIG_LAB                   set: the machine is the lab's, and may be ended
  VFMIG_GUEST_KERNEL          a kernel to boot in guests
  VFMIG_PATIENCE              how many times longer things take on the debug kernel; unset on the others
  VFMIG_HOST, VFMIG_HOSTS     with two machines: 1 or 2, and the addresses of both on their own network
END
}

is_number()
{
	[[ $1 =~ ^[0-9]{1,6}$ ]]
}

parse_run_options()
{
	kernel=6.12
	vfs=2
	macs=()
	driver=igb_vfio_pci
	share=
	timeout=900
	cpus=1
	threads=single
	append=
	hosts=1
	accel=${VFMIG_ACCEL:-tcg}
	command=()

	while [ $# -gt 0 ]; do
		case $1 in
		--)
			shift
			command=("$@")
			break
			;;
		--kvm)
			accel=kvm
			shift
			continue
			;;
		-h | --help)
			run_usage
			exit 0
			;;
		--kernel | --vfs | --mac | --driver | --share | --timeout | --cpus | --threads | --append | --hosts)
			[ $# -gt 1 ] || die "$1 needs a value; see 'lab run --help'."
			;;
		*)
			die "'$1' is not an option; see 'lab run --help'."
			;;
		esac
		case $1 in
		--kernel)	kernel=$2 ;;
		--vfs)		vfs=$2 ;;
		--mac)		macs+=("$2") ;;
		--driver)	driver=$2 ;;
		--share)	share=$2 ;;
		--timeout)	timeout=$2 ;;
		--cpus)		cpus=$2 ;;
		--threads)	threads=$2 ;;
		--append)	append=$2 ;;
		--hosts)	hosts=$2 ;;
		esac
		shift 2
	done
	check_run_options
}

check_run_options()
{
	local mac

	check_kernel_name "$kernel"
	{ is_number "$vfs" && [ "$vfs" -le 7 ]; } || die "--vfs takes 0 to 7, not '$vfs'."
	{ is_number "$timeout" && [ "$timeout" -gt 0 ]; } || die "--timeout takes a number of seconds, not '$timeout'."
	[[ $cpus == [12] ]] || die "--cpus takes 1 or 2, not '$cpus'."
	[[ $threads == @(multi|single) ]] || die "--threads takes multi or single, not '$threads'."
	[[ $hosts == [12] ]] || die "--hosts takes 1 or 2, not '$hosts'."
	for mac in "${macs[@]}"; do
		{ [[ $mac =~ ^[0-6]=([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$ ]] && [ "${mac%%=*}" -lt "$vfs" ]; } ||
			die "--mac takes VF=ADDRESS for one of the $vfs virtual functions, not '$mac'."
	done
	case $driver in
	igb_vfio_pci | vfio-pci | none) ;;
	*) die "--driver takes igb_vfio_pci, vfio-pci or none, not '$driver'." ;;
	esac
	case $accel in
	tcg) ;;
	kvm) [ -w /dev/kvm ] || die 'this user cannot open /dev/kvm; leave KVM out, or see to its permissions.' ;;
	*) die "VFMIG_ACCEL is tcg or kvm, not '$accel'." ;;
	esac
	if [ -n "$share" ]; then
		mkdir -p "$share" || die "the directory '$share' cannot be made."
		share=$(realpath "$share")
	fi
}

# each_host COMMAND...: once for each machine, with its number in $host and its directory in $run_dir
each_host()
{
	for host in $(seq "$hosts"); do
		run_name=$whole_run
		[ "$hosts" -eq 1 ] || run_name+=/host$host
		run_dir=$build_dir/runs/$run_name
		"$@"
	done
}

# What is said of one machine
say_of_host()
{
	if [ "$hosts" -gt 1 ]; then
		say "host $host: $*"
	else
		say "$*"
	fi
}

# Each run has a directory of its own, which the virtual machine can write to; one in it for each machine if there are two.
# Only so many are kept.
make_run_dir()
{
	local old

	whole_run=$(date +%Y%m%d-%H%M%S)-$$
	make_dirs "$build_dir/runs/$whole_run"
	mapfile -t old < <(find "$build_dir/runs" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n "+$((keep_runs + 1))")
	rm -rf -- "${old[@]}"
}

write_job()
{
	local window='24 80' guest

	[ ! -t 0 ] || window=$(stty size)
	# The lab's own kernels would be of no use in a guest.
	guest=$kernel
	! is_own_kernel "$kernel" || guest=6.12
	guest=/boot/vmlinuz-$(kernel_release "$guest")
	cp "$lab_dir/l1-init" "$run_dir/"
	{
		printf 'command=(%s)\n' "${command[*]@Q}"
		printf 'macs=(%s)\n' "${macs[*]@Q}"
		printf '%s=%q\n' driver "$driver" vfs "$vfs" share "$share" guest "$guest" window "$window" TERM "${TERM:-dumb}"
		[ "$hosts" -eq 1 ] || printf '%s=%q\n' host "$host" hosts "$hosts"
	} >"$run_dir/job"
}

# The payload is copied, since somebody may build the next one while this machine runs, or is doing so right now.
prepare_run()
{
	make_dirs "$run_dir"
	write_job
	flock "$kernel_dir/lock" cp -a "$kernel_dir/payload" "$run_dir/payload" ||
		die 'another lab has failed to build the modules meanwhile; run the command again.'
	as_owner tools/lab/mkinitrd "$release" "build/lab/runs/$run_name/initrd" 2>"$run_dir/initrd.log" ||
		die "the initrd cannot be made (log: $run_dir/initrd.log)."
}

# share_option TAG PATH [OPTION]
share_option()
{
	echo "local,path=$2,mount_tag=$1,security_model=none,multidevs=remap${3:+,$3}"
}

# cable ID NAME: connects both machines, whichever is there first.
cable()
{
	local end=server=on

	[ "$host" -eq 1 ] || end=server=off,reconnect-ms=500
	echo "stream,id=$1,$end,addr.type=unix,addr.path=/vfmig-src/build/lab/runs/$whole_run/$2.socket"
}

# Sets $qemu. The root port runs at the lowest speed because it then does not report whether its link is up: QEMU's model
# never reports that after a secondary bus reset. An ioh3420 would do too, but has no ACS: all functions share a group.
# Without its nextfn property the first function of the slot hides the second. On a busy host the kernel may count too few
# interrupts while it tests the timer, and panics.
qemu_command()
{
	local run=/vfmig-src/build/lab/runs/$run_name machine=q35 cpu=max image=/boot/vmlinuz-$release memory=6G port=user,id=n0
	local arguments=$append

	if [ "$hosts" -gt 1 ]; then
		memory=3G
		port=$(cable n0 wire)
	fi
	[ "$cpus" -eq 2 ] || arguments="preempt=full $arguments"
	! is_own_kernel "$kernel" || image=/lib/modules/$release/vmlinuz
	[ "$kernel" != debug ] || arguments="kmemleak.verbose=1 kasan_multi_shot no_hash_pointers $arguments"
	if [ "$accel" = kvm ]; then
		machine+=,kernel-irqchip=split
		cpu=host
	else
		accel=tcg,thread=$threads,tb-size=1024
	fi
	qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
		-machine "$machine" -accel "$accel" -cpu "$cpu" -smp "$cpus" -m "${VFMIG_MEM:-$memory}"
		-kernel "$image" -initrd "$run/initrd"
		-append "console=ttyS0 panic=-1 no_timer_check log_buf_len=16M net.ifnames=0 intel_iommu=on iommu.passthrough=0${arguments:+ $arguments}"
		-serial "file:$run/console.log"
		-device "intel-iommu,intremap=on,eim=on,caching-mode=on"
		-virtfs "$(share_option hostroot /hostroot readonly=on)"
		-virtfs "$(share_option run "$run")"
		-netdev "$port"
		-device "pcie-root-port,id=rp0,slot=1,chassis=1,x-speed=2_5,x-width=1"
		-device "igb,bus=rp0,netdev=n0,mac=52:54:00:12:34:5$((5 + host))"
		-device "pcie-root-port,id=rps,slot=16,chassis=16,addr=0x10,x-speed=2_5,x-width=1"
		-device "igb,bus=rps,addr=0.0,multifunction=on,x-pcie-ari-nextfn-1=on"
		-device "igb,bus=rps,addr=0.1"
		-device virtio-serial-pci)
	if [ -n "$share" ]; then
		qemu+=(-virtfs "$(share_option share /share)")
	fi
	if [ "$hosts" -gt 1 ]; then
		qemu+=(-netdev "$(cable n1 own)" -device "virtio-net-pci,netdev=n1,mac=52:54:00:12:35:0$host,romfile=")
	fi
	if [ ${#command[@]} -eq 0 ]; then
		qemu+=(-chardev "stdio,id=tty,signal=off" -device "virtconsole,chardev=tty")
	else
		qemu+=(-chardev "file,id=out,path=$run/stdout.fifo" -device "virtserialport,chardev=out,name=stdout"
			-chardev "file,id=err,path=$run/stderr.fifo" -device "virtserialport,chardev=err,name=stderr")
	fi
}

# A count of test results is kept back until the run has been judged: it is the last line of all.
hold_counts()
{
	sed -u -E -e "/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped\$/{w $run_dir/counts" -e 'd}'
}

# Where there are two machines, each line of output says which it comes from.
mark_lines()
{
	if [ "$hosts" -gt 1 ]; then
		sed -u "s/^/host $host: /"
	else
		cat
	fi
}

start_vm()
{
	qemu_command
	mkfifo "$run_dir/stdout.fifo" "$run_dir/stderr.fifo"
	tee "$run_dir/stdout.log" <"$run_dir/stdout.fifo" | (cd "$run_dir" && hold_counts) | mark_lines &
	readers+=($!)
	tee "$run_dir/stderr.log" <"$run_dir/stderr.fifo" | mark_lines >&2 &
	readers+=($!)
	"${namespace[@]}" -- "$lab_dir/enter" "$root" "${kernel_args[@]}" "${share_args[@]}" -- "${qemu[@]}" \
		>"$run_dir/qemu.log" 2>&1 </dev/null &
	machines[host]=$!
	trap 'abort_run 130' INT
	trap 'abort_run 143' TERM HUP
}

# The namespace dies with the process that made it, and everything in there with the namespace.
kill_vms()
{
	kill -KILL "${machines[@]}" 2>/dev/null || true
}

abort_run()
{
	trap '' INT TERM HUP
	kill_vms
	finish_output
	clean_run
	say "killed the virtual machine; its logs are in $build_dir/runs/$whole_run"
	exit "$1"
}

# Sets $running if it runs, and $dead if it ended without a word: whoever works with it would wait in vain.
look_at_vm()
{
	if kill -0 "${machines[host]}" 2>/dev/null; then
		running=1
	elif [ ! -s "$run_dir/status" ]; then
		dead=$host
	fi
	if [ -z "${booted[host]-}" ] && [ -s "$run_dir/ready" ]; then
		booted[host]=1
		say_of_host "$release booted in $((SECONDS - started)) s"
	fi
}

follow_vms()
{
	local started=$SECONDS running=1 booted=()

	timed_out=
	dead=
	while [ -n "$running" ] && [ -z "$dead$timed_out" ]; do
		pause 0.5
		running=
		each_host look_at_vm
		[ $((SECONDS - started)) -lt "$timeout" ] || timed_out=$running
	done
	[ -z "$running" ] || kill_vms
	wait "${machines[@]}" 2>/dev/null || true
	trap - INT TERM HUP
}

# A machine that died before it opened its pipes has left their readers waiting.
release_readers()
{
	true 3<>"$run_dir/stdout.fifo"
	true 3<>"$run_dir/stderr.fifo"
}

finish_output()
{
	each_host release_readers
	wait "${readers[@]}" 2>/dev/null || true
}

# Why there is no exit status of the command, if there is none.
cause_of_death()
{
	if [ -n "$timed_out" ]; then
		echo "killed the virtual machine after $timeout s; --timeout gives it longer"
	elif [ -s "$run_dir/failure" ]; then
		cat "$run_dir/failure"
	elif [ "${dead:-$host}" -ne "$host" ]; then
		echo "killed the virtual machine, since that of host $dead had ended"
	else
		echo 'the virtual machine died'
	fi
}

# find_trouble LOG: what the kernel complained about, with the lines around it.
find_trouble()
{
	grep -vE "$harmless_trouble" "$1" | grep -E -B 3 -A 30 "$kernel_trouble" >"$run_dir/trouble"
}

# Sets $verdict, the exit status of the run, unless the machine before has failed already.
judge_vm()
{
	local log=$run_dir/dmesg status=1

	[ -s "$log" ] || log=$run_dir/console.log
	[ -e "$log" ] || touch "$log"
	if [ -s "$run_dir/status" ]; then
		status=$(cat "$run_dir/status")
	else
		say_of_host "error: $(cause_of_death)"
	fi
	if find_trouble "$log"; then
		say_of_host 'error: the kernel complained:'
		head -n 120 "$run_dir/trouble" >&2
		[ "$status" -ne 0 ] || status=1
	elif [ ! -s "$run_dir/status" ]; then
		say_of_host 'the log ends:'
		tail -n 20 "$log" "$run_dir/qemu.log" >&2
	fi
	if [ "$status" -ne 0 ]; then
		say_of_host "exit status $status; all logs are in $run_dir"
	fi
	[ "$verdict" -ne 0 ] || verdict=$status
}

judge_run()
{
	verdict=0
	each_host judge_vm
}

# A kernel that has complained counts as a test that has failed.
show_counts()
{
	local failure=0

	[ ! -s "$run_dir/trouble" ] || failure=1
	[ ! -s "$run_dir/counts" ] || awk -v failure="$failure" '{ $3 += failure } 1' "$run_dir/counts" | mark_lines
}

prepare()
{
	require_namespace
	use_root
	build_payload "$kernel"
	make_run_dir
	each_host prepare_run
	share_args=()
	[ -z "$share" ] || share_args=(--share "$share")
}

clean_run_dir()
{
	rm -rf "$run_dir/payload" "$run_dir/initrd" "$run_dir"/std*.fifo
}

clean_run()
{
	each_host clean_run_dir
	rm -f "$build_dir/runs/$whole_run"/*.socket
	give_back
	if [ -n "$share" ] && [ "$EUID" -eq 0 ]; then
		give_to "$share" "$share"
	fi
}

cmd_run()
{
	local started readers=() machines=()

	parse_run_options "$@"
	[ ${#command[@]} -gt 0 ] || die "run needs '-- COMMAND'; see 'lab run --help'."
	prepare
	started=$SECONDS
	each_host start_vm
	follow_vms
	finish_output
	judge_run
	clean_run
	say "the virtual machine ran for $((SECONDS - started)) s"
	each_host show_counts
	exit "$verdict"
}

cmd_shell()
{
	parse_run_options "$@"
	[ ${#command[@]} -eq 0 ] || die "shell takes no command; use 'lab run'."
	[ "$hosts" -eq 1 ] || die "shell has one machine; use 'lab run'."
	{ [ -t 0 ] && [ -t 1 ]; } || die 'shell needs a terminal.'
	prepare
	each_host qemu_command
	say "booting $release; the console is in $run_dir/console.log"
	timed_out=
	dead=
	"${namespace[@]}" -- "$lab_dir/enter" "$root" "${kernel_args[@]}" "${share_args[@]}" -- "${qemu[@]}" || true
	judge_run
	clean_run
	exit "$verdict"
}
