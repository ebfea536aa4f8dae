# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# bash completion for vfmig(8)

# PCI addresses of the VFs that there are
_vfmig_vfs()
{
	local dir

	for dir in /sys/bus/pci/devices/*/physfn; do
		[ ! -e "$dir" ] || basename "${dir%/physfn}"
	done
}

_vfmig_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Colons are where bash breaks words: what stands before the last one is on the line already.
_vfmig_reply()
{
	local typed=$1 words=$2 before i

	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$typed")
	[[ $COMP_WORDBREAKS == *:* && $typed == *:* ]] || return 0
	before=${typed%"${typed##*:}"}
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"$before"}
	done
}

# Sets $typed to the word under the cursor, colons and all, and $command to what stands first.
_vfmig_words()
{
	local line=${COMP_LINE:0:COMP_POINT} word

	typed=${line##*[[:space:]]}
	previous=
	command=
	for word in ${line%"$typed"}; do
		[ "$previous" = '' ] || [[ $word == -* ]] || [ -n "$command" ] || command=$word
		previous=$word
	done
}

_vfmig()
{
	local typed previous command options='--json --help'

	_vfmig_words
	case $previous in
	--suite)
		_vfmig_files "$typed"
		return
		;;
	--driver)
		_vfmig_reply "$typed" 'igb_vfio_pci vfio-pci'
		return
		;;
	esac
	case $command in
	'')
		_vfmig_reply "$typed" 'list bind unbind info save load move decode faults check --json --help --version'
		return
		;;
	bind)		options+=' --driver' ;;
	save | load | move) options+=' --verbose' ;;
	faults)		options+=' --follow' ;;
	check)		options+=' --verbose --peer --suite' ;;
	decode)		options+=' --diff' ;;
	esac
	if [[ $typed == -* ]]; then
		_vfmig_reply "$typed" "$options"
	elif [ "$command" = decode ]; then
		_vfmig_files "$typed"
	elif [ "$command" != list ]; then
		_vfmig_reply "$typed" "$(_vfmig_vfs)"
	fi
}

complete -F _vfmig vfmig
