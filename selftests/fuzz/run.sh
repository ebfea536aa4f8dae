#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh replay          gives the corpora to what is fuzzed, under the address and the undefined behaviour sanitizer
# run.sh fuzz SECONDS    looks for more inputs, and for crashes, with libFuzzer
# run.sh merge           adds to the corpora what fuzzing has found that reaches further
#
# A corpus is a text file of one input a line, in base64. What is found is under build/fuzz.

set -eu -o pipefail

cd "$(dirname "$(realpath "$0")")/../.."
here=selftests/fuzz
out=build/fuzz
targets=(stream mailbox)
sanitize=(-g -O1 -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Idrivers/igb
	-Dfuzz_one=LLVMFuzzerTestOneInput -Dfuzz_mutate=LLVMFuzzerMutate -Dfuzz_mutate_custom=LLVMFuzzerCustomMutator
	-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined)

die()
{
	echo "run.sh: $*" >&2
	exit 1
}

# Sets $sources and $includes. The model of the device stands in for the kernel.
describe()
{
	sources=("$here/$1.c" drivers/mig/stream.c drivers/igb/vf_stream.c drivers/igb/pf_state.c)
	case $1 in
	stream)
		sources+=(selftests/lib/records.c)
		includes=(-Iselftests -Itools/lib -Iinclude/uapi -Iinclude)
		;;
	mailbox)
		sources+=("$here/model.c" drivers/igb/mailbox.c drivers/igb/pf_replay.c drivers/igb/vf_state.c)
		includes=(-I"$here/shim" -I"$here" -Iinclude)
		;;
	esac
}

# build COMPILER TARGET OUTPUT [MORE]...
build()
{
	local compiler=$1 target=$2 program=$3 sources includes
	shift 3

	describe "$target"
	"$compiler" "${sanitize[@]}" "${includes[@]}" "$@" "${sources[@]}" -lz -o "$program"
}

# unpack TARGET: the corpus as files, beside what has been found before
unpack()
{
	local dir=$out/$1.corpus line n=0

	mkdir -p "$dir"
	while IFS= read -r line; do
		base64 -d <<<"$line" >"$dir/$n"
		n=$((n + 1))
	done <"$here/$1.corpus"
}

replay()
{
	local target

	for target in "${targets[@]}"; do
		build gcc "$target" "$out/$target.replay" "$here/replay.c"
		unpack "$target"
		timeout 120 "$out/$target.replay" "$out/$target.corpus"/* 2>"$out/$target.log" ||
			{ tail -n 40 "$out/$target.log"; die "$target fails on an input of its corpus"; }
		echo "fuzz: $target: $(wc -l <"$here/$target.corpus") inputs"
	done
}

fuzz()
{
	local seconds=$1 target pids=() failed=

	for target in "${targets[@]}"; do
		echo "fuzz: building $target"
		build clang "$target" "$out/$target.fuzz" -fsanitize=fuzzer
		unpack "$target"
	done
	for target in "${targets[@]}"; do
		"$out/$target.fuzz" -max_total_time="$seconds" -timeout=20 -max_len=8192 -print_final_stats=1 \
			-artifact_prefix="$out/$target-" "$out/$target.corpus" >"$out/$target.log" 2>&1 &
		pids+=($!)
	done
	echo "fuzz: ${targets[*]}, for $seconds s"
	progress "$seconds"
	for target in "${targets[@]}"; do
		if ! wait "${pids[0]}"; then
			failed=1
			grep -v '^#' "$out/$target.log" | tail -n 60
		fi
		pids=("${pids[@]:1}")
		echo "fuzz: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log") inputs tried," \
			"$(find "$out/$target.corpus" -type f | wc -l) reach something of their own"
	done
	[ -z "$failed" ] || die "an input makes it fail; it is in $out"
	echo 'fuzz: nothing found'
}

progress()
{
	local end=$((SECONDS + $1))

	while [ "$SECONDS" -lt "$end" ] && [ -n "$(jobs -r)" ]; do
		sleep 5
		echo "fuzz: $((end > SECONDS ? end - SECONDS : 0)) s to go"
	done
}

merge()
{
	local target file

	for target in "${targets[@]}"; do
		build clang "$target" "$out/$target.fuzz" -fsanitize=fuzzer
		unpack "$target"
		rm -rf "$out/$target.merged"
		mkdir "$out/$target.merged"
		"$out/$target.fuzz" -merge=1 -max_len=2048 "$out/$target.merged" "$out/$target.corpus" >"$out/$target.log" 2>&1
		for file in "$out/$target.merged"/*; do
			base64 -w 0 "$file"
			echo
		done | LC_ALL=C sort >"$here/$target.corpus"
		echo "fuzz: $target: $(wc -l <"$here/$target.corpus") inputs"
	done
}

mkdir -p "$out"
case ${1-} in
replay)	replay ;;
fuzz)
	[[ ${2-} =~ ^[1-9][0-9]{0,5}$ ]] || die 'fuzz takes a number of seconds'
	fuzz "$2"
	;;
merge)	merge ;;
*)	die 'takes replay, fuzz SECONDS or merge' ;;
esac
