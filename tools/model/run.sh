#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh: has spin search all of the model's states, and then those of the broken models, each of which has to fail.
# run.sh trail BREAK: shows, step by step, how a broken model fails.
#
# "make model" runs it in the lab's root. The searches are exhaustive: they keep whole states, not hashes of them.

set -eu -o pipefail

model=$(dirname "$(realpath "$0")")/reset.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Which processes run against each other, besides one SET_STATE. One scene with all of them would be too much for a
# machine of 4 GB.
declare -A scenes=(
	[states]='-DALL_STATES -DGETS=1 -DIOS=0 -DUSES=0 -DRESETS=2 -DFAILS=1'
	[guest]='-DGETS=1 -DIOS=0 -DUSES=2 -DRESETS=1'
	[data_fd]='-DGETS=0 -DIOS=1 -DUSES=0 -DRESETS=1 -DFAILS=1 -DMMAPS=1'
	[transfer]='-DGETS=0 -DIOS=2 -DUSES=0 -DRESETS=1'
	[other]='-DGETS=1 -DIOS=0 -DUSES=1 -DRESETS=0 -DOTHERS=1'
	[both]='-DGETS=0 -DIOS=0 -DUSES=0 -DRESETS=1 -DOTHERS=1'
	[close]='-DGETS=0 -DIOS=1 -DUSES=0 -DRESETS=0 -DOTHERS=1 -DCLOSES=1 -DFAILS=1'
)
order=(states guest data_fd transfer other both close)

# BREAK|the scene that it shows in|the property that has to catch it|how it comes about
breaks=(
	'UNLOCK_BEFORE_FLAG|states|no reset is lost|unlock() finds no flag and lets the flag_lock go; reset_done() sets the flag and does not get the mutex; unlock() unlocks'
	'FLAG_UNLOCKED|states|no reset is lost|reset_done() sets the flag without the flag_lock; its trylock fails; the holder had seen no flag, and unlocks'
	'FLAG_AFTER_TRYLOCK|states|no reset is lost|the trylock of reset_done() fails; the holder sees no flag and unlocks; then the flag is set'
	'WAIT_FOR_MUTEX|states|deadlock|reset_done() waits for the mutex with memory_lock held for write; the holder waits in run_arc() for memory_lock'
	'ARC_IGNORES_FLAG|states|an arc begins with no reset pending|a reset comes between two arcs of one SET_STATE; the next one works on a device in another state'
	'FLAG_BEFORE_TRAP_LOCK|other|an arc begins with no reset pending|run_arc() looks for the flag and then waits for trap_lock; meanwhile a reset by sysfs is over'
	'DEVICE_DEFERRED|guest|a reset that is over has opened the gate|a reset finds the mutex taken and leaves all to the holder; the reset returns and the guest is still shut out'
	'DEVICE_DEFERRED -DGATE_NOT_JUDGED|guest|what the guest set up after a reset stays|as before; the guest sets its device up again, and then the holder resets what the driver knows of it, and stops it'
	'GATE_CLOSED_LATE|guest|the gate is closed before the device stops|arc_stop() stops the device while the guest has its registers mapped'
	'FILES_MARKED_LATE|data_fd|after a reset an older data_fd is dead|a reset leaves the files to the holder of the mutex; it returns, and a read still gets the old state'
	'FILES_FORGOTTEN_ALIVE|data_fd|after a reset an older data_fd is dead|kill_files() takes the file from the device before it is dead; a reset comes, finds none, and returns'
	'FILES_FORGOTTEN_UNLOCKED|data_fd|a file that is gone is not touched|reset_done() has looked up the file; kill_files() drops it, the user closes it; reset_done() marks it dead'
	'KILL_TAKES_IO_LOCK|data_fd|deadlock|kill_files() waits, with memory_lock held for write, for a read that faults on the BAR and waits for memory_lock'
	'DEAD_NOT_LOOKED_AT|data_fd|the memory of a dead file is not used|a read goes on after kill_file() has freed the stream'
	'CLOSE_KEEPS_FILES|close|closing the device kills its data_fds|the device is closed, and the data_fd lives on into the next session'
	'CLOSE_GATE_FIRST|close|the gate of a closed device is closed|close_migratable() closes the gate, a reset by sysfs opens it, and then the device is closed'
)

# build NAME OPTION...: makes the checker of one model
build()
{
	local dir=$work/$1
	shift

	mkdir -p "$dir"
	cp "$model" "$dir"
	cd "$dir"
	spin -a "$@" reset.pml >spin.log || { cat spin.log >&2; exit 2; }
	# Optimizing what spin has made takes longer than it saves.
	gcc -w -DSAFETY -DCOLLAPSE -DMEMLIM=3500 -DVECTORSZ=512 -o pan pan.c
}

# search: leaves what it found in $found, and its measures in $states, $depth and $seconds
search()
{
	local log

	# -b: a search that is cut off is an error, too.
	log=$(./pan -b -m20000 -w24) || true
	states=$(awk '/states, stored/ { print $1 }' <<<"$log")
	depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' <<<"$log")
	seconds=$(awk '/elapsed time/ { print $4 }' <<<"$log")
	if [ -e reset.pml.trail ]; then
		found=$(name_error "$@")
	elif grep -q 'errors: 0' <<<"$log" && ! grep -q 'Search not completed' <<<"$log"; then
		found=
	else
		found="the search was not completed: $(grep -m 1 -E '^pan|error' <<<"$log")"
	fi
}

# The comment behind an assertion says what it stands for. Where no assertion has failed, processes wait for each other.
name_error()
{
	local line

	line=$(spin -t "$@" reset.pml | sed -n '/Error: assertion/s/^spin: \(reset.pml\)*:*\([0-9]*\), Error: assertion violated.*/\2/p;T;q')
	if [ -z "$line" ]; then
		echo deadlock
	else
		sed -n "${line}s:^.*/\* \(.*\) \*/.*:\1:p" reset.pml
	fi
}

check_scenes()
{
	local name options

	for name in "${order[@]}"; do
		read -ra options <<<"${scenes[$name]}"
		build "$name" "${options[@]}"
		search "${options[@]}"
		if [ -n "$found" ]; then
			printf '%-10s FAILED: %s\n' "$name" "$found"
			failed=$((failed + 1))
		else
			printf '%-10s holds: %s states, depth %s, %s s\n' "$name" "$states" "$depth" "$seconds"
		fi
	done
}

check_breaks()
{
	local name scene property story options

	for line in "${breaks[@]}"; do
		IFS='|' read -r name scene property story <<<"$line"
		read -ra options <<<"-DBREAK_$name ${scenes[$scene]}"
		build break "${options[@]}"
		rm -f reset.pml.trail
		search "${options[@]}"
		if [ "$found" = "$property" ]; then
			printf '%s\n    caught: %s\n    %s\n' "$name" "$found" "$story"
			caught=$((caught + 1))
		else
			printf '%s\n    NOT CAUGHT by "%s": %s\n' "$name" "$property" "${found:-nothing failed}"
		fi
	done
}

show_trail()
{
	local name scene options

	for line in "${breaks[@]}"; do
		IFS='|' read -r name scene _ <<<"$line"
		if [ "$name" = "$1" ]; then
			read -ra options <<<"-DBREAK_$name ${scenes[$scene]}"
			build break "${options[@]}"
			search "${options[@]}"
			# Through the program text, once more, with a line for each step
			spin -t -p "${options[@]}" reset.pml
			return
		fi
	done
	echo "there is no break '$1'" >&2
	exit 2
}

if [ "${1-}" = trail ]; then
	show_trail "${*:2}"
	exit
fi

failed=0
caught=0
echo 'The model, with the processes of each scene:'
check_scenes
echo
echo 'The broken models:'
check_breaks
echo
echo "model: $((${#order[@]} - failed)) of ${#order[@]} scenes hold, $caught of ${#breaks[@]} breaks caught"
[ "$failed" -eq 0 ] && [ "$caught" -eq ${#breaks[@]} ]
