# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boots the virtual machine, follows it to its end, and judges its kernel log.

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
  --cpus N                  how many processors it has, 1 or 2 (default: 2)
  --append ARGUMENTS        more of them for the kernel

COMMAND finds in its environment:
  VFMIG_PF, VFMIG_PF_NETDEV   the PCI address and the network interface of the physical function
  VFMIG_VFS                   the PCI addresses of the virtual functions
  VFMIG_SLOT                  those of two more PFs, which share a slot, and have no cable and no driver
  VFMIG_SHARE                 where the shared directory is, if there is one
  VFMIG_KERNEL                the kernel's release
  VFMIG_GUEST_KERNEL          a kernel to boot in guests
  VFMIG_PATIENCE              how many times longer things take on the debug kernel; unset on the others
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
	cpus=2
	append=
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
		--kernel | --vfs | --mac | --driver | --share | --timeout | --cpus | --append)
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
		--append)	append=$2 ;;
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

# Each run has a directory of its own, which the virtual machine can write to. Only so many are kept.
make_run_dir()
{
	local old

	run_name=$(date +%Y%m%d-%H%M%S)-$$
	run_dir=$build_dir/runs/$run_name
	make_dirs "$run_dir"
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
	} >"$run_dir/job"
}

# The payload is copied, since somebody may build the next one while this machine runs, or is doing so right now.
prepare_run()
{
	make_run_dir
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

# Sets $qemu. The root port runs at the lowest speed because it then does not report whether its link is up: QEMU's model
# never reports that after a secondary bus reset. An ioh3420 would do too, but has no ACS: all functions share a group.
# Without its nextfn property the first function of the slot hides the second. On a busy host the kernel may count too few
# interrupts while it tests the timer, and panics.
qemu_command()
{
	local run=/vfmig-src/build/lab/runs/$run_name machine=q35 cpu=max image=/boot/vmlinuz-$release

	! is_own_kernel "$kernel" || image=/lib/modules/$release/vmlinuz
	[ "$kernel" != debug ] || append="kmemleak.verbose=1 kasan_multi_shot no_hash_pointers $append"
	if [ "$accel" = kvm ]; then
		machine+=,kernel-irqchip=split
		cpu=host
	else
		accel=tcg,thread=multi,tb-size=1024
	fi
	qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
		-machine "$machine" -accel "$accel" -cpu "$cpu" -smp "$cpus" -m "${VFMIG_MEM:-6G}"
		-kernel "$image" -initrd "$run/initrd"
		-append "console=ttyS0 panic=-1 no_timer_check log_buf_len=16M net.ifnames=0 intel_iommu=on iommu.passthrough=0${append:+ $append}"
		-serial "file:$run/console.log"
		-device "intel-iommu,intremap=on,caching-mode=on"
		-virtfs "$(share_option hostroot /hostroot readonly=on)"
		-virtfs "$(share_option run "$run")"
		-netdev "user,id=n0"
		-device "pcie-root-port,id=rp0,slot=1,chassis=1,x-speed=2_5,x-width=1"
		-device "igb,bus=rp0,netdev=n0,mac=52:54:00:12:34:56"
		-device "pcie-root-port,id=rps,slot=16,chassis=16,addr=0x10,x-speed=2_5,x-width=1"
		-device "igb,bus=rps,addr=0.0,multifunction=on,x-pcie-ari-nextfn-1=on"
		-device "igb,bus=rps,addr=0.1"
		-device virtio-serial-pci)
	if [ -n "$share" ]; then
		qemu+=(-virtfs "$(share_option share /share)")
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

start_vm()
{
	mkfifo "$run_dir/stdout.fifo" "$run_dir/stderr.fifo"
	tee "$run_dir/stdout.log" <"$run_dir/stdout.fifo" | (cd "$run_dir" && hold_counts) &
	readers=($!)
	tee "$run_dir/stderr.log" <"$run_dir/stderr.fifo" >&2 &
	readers+=($!)
	"${namespace[@]}" -- "$lab_dir/enter" "$root" "${kernel_args[@]}" "${share_args[@]}" -- "${qemu[@]}" \
		>"$run_dir/qemu.log" 2>&1 </dev/null &
	vm=$!
	trap 'abort_run 130' INT
	trap 'abort_run 143' TERM HUP
}

# The namespace dies with the process that made it, and everything in there with the namespace.
kill_vm()
{
	kill -KILL "$vm" 2>/dev/null || true
}

abort_run()
{
	trap '' INT TERM HUP
	kill_vm
	finish_output
	clean_run_dir
	say "killed the virtual machine; its logs are in $run_dir"
	exit "$1"
}

follow_vm()
{
	local started=$SECONDS ready=

	timed_out=
	while kill -0 "$vm" 2>/dev/null; do
		if [ -z "$ready" ] && [ -s "$run_dir/ready" ]; then
			ready=1
			say "$release booted in $((SECONDS - started)) s"
		fi
		if [ $((SECONDS - started)) -ge "$timeout" ]; then
			timed_out=1
			kill_vm
			break
		fi
		pause 0.5
	done
	wait "$vm" 2>/dev/null || true
	trap - INT TERM HUP
}

# A machine that died before it opened its pipes has left their readers waiting.
finish_output()
{
	true 3<>"$run_dir/stdout.fifo"
	true 3<>"$run_dir/stderr.fifo"
	wait "${readers[@]}" 2>/dev/null || true
	rm -f "$run_dir"/std*.fifo
}

# Why there is no exit status of the command, if there is none.
cause_of_death()
{
	if [ -n "$timed_out" ]; then
		echo "killed the virtual machine after $timeout s; --timeout gives it longer"
	elif [ -s "$run_dir/failure" ]; then
		cat "$run_dir/failure"
	else
		echo 'the virtual machine died'
	fi
}

# find_trouble LOG: what the kernel complained about, with the lines around it.
find_trouble()
{
	grep -vE "$harmless_trouble" "$1" | grep -E -B 3 -A 30 "$kernel_trouble" >"$run_dir/trouble"
}

# Sets $verdict to the exit status of the run.
judge_run()
{
	local log=$run_dir/dmesg

	[ -s "$log" ] || log=$run_dir/console.log
	[ -e "$log" ] || touch "$log"
	verdict=1
	if [ -s "$run_dir/status" ]; then
		verdict=$(cat "$run_dir/status")
	else
		say "error: $(cause_of_death)"
	fi
	if find_trouble "$log"; then
		say 'error: the kernel complained:'
		head -n 120 "$run_dir/trouble" >&2
		[ "$verdict" -ne 0 ] || verdict=1
	elif [ ! -s "$run_dir/status" ]; then
		say 'the log ends:'
		tail -n 20 "$log" "$run_dir/qemu.log" >&2
	fi
	if [ "$verdict" -ne 0 ]; then
		say "exit status $verdict; all logs are in $run_dir"
	fi
}

# A kernel that has complained counts as a test that has failed.
show_counts()
{
	local failure=0

	[ ! -s "$run_dir/trouble" ] || failure=1
	[ ! -s "$run_dir/counts" ] || awk -v failure="$failure" '{ $3 += failure } 1' "$run_dir/counts"
}

prepare()
{
	require_namespace
	use_root
	build_payload "$kernel"
	prepare_run
	qemu_command
	share_args=()
	[ -z "$share" ] || share_args=(--share "$share")
}

clean_run_dir()
{
	rm -rf "$run_dir/payload" "$run_dir/initrd"
	give_back
	if [ -n "$share" ] && [ "$EUID" -eq 0 ]; then
		chown -hR --from=0 --reference="$share" "$share"
	fi
}

cmd_run()
{
	local started

	parse_run_options "$@"
	[ ${#command[@]} -gt 0 ] || die "run needs '-- COMMAND'; see 'lab run --help'."
	prepare
	started=$SECONDS
	start_vm
	follow_vm
	finish_output
	judge_run
	clean_run_dir
	say "the virtual machine ran for $((SECONDS - started)) s"
	show_counts
	exit "$verdict"
}

cmd_shell()
{
	parse_run_options "$@"
	[ ${#command[@]} -eq 0 ] || die "shell takes no command; use 'lab run'."
	{ [ -t 0 ] && [ -t 1 ]; } || die 'shell needs a terminal.'
	prepare
	say "booting $release; the console is in $run_dir/console.log"
	timed_out=
	"${namespace[@]}" -- "$lab_dir/enter" "$root" "${kernel_args[@]}" "${share_args[@]}" -- "${qemu[@]}" || true
	judge_run
	clean_run_dir
	exit "$verdict"
}
