# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What every part of the lab needs: messages, progress, and the namespace that it runs things in.

top=$(realpath "$lab_dir/../..")
build_dir=$top/build/lab
# A user's path need not have what only root of a namespace can use.
PATH=$PATH:/usr/sbin:/sbin

cache_dir=${VFMIG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vfmig}

# All of the lab's own messages go to stderr: stdout belongs to the command that the lab runs.
say()
{
	printf 'lab: %s\n' "$*" >&2
}

die()
{
	printf 'lab: error: %s\n' "$*" >&2
	exit 1
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# pause SECONDS: like sleep, without a process that could outlive this one and keep its output open.
exec {never}<> <(:)
pause()
{
	read -r -t "$1" -u "$never" || true
}

# One line that is rewritten in place on a terminal, and a line now and then anywhere else. $measure, if set, says how far
# the work is by its log.
show_progress()
{
	local what=$1 pid=$2 log=$3 started=$SECONDS every=5 line

	if [ -t 2 ]; then
		every=1
	fi
	while pause "$every" && kill -0 "$pid" 2>/dev/null; do
		line="$what: $((SECONDS - started)) s${measure:+, $("$measure" "$log")}"
		if [ -t 2 ]; then
			printf '\rlab: %s ' "$line" >&2
		else
			say "$line"
		fi
	done
}

# stage WHAT LOG COMMAND...: runs COMMAND with its output in LOG, shows that it is alive, and says how long it took.
stage()
{
	local what=$1 log=$2 started=$SECONDS rc=0 self=$BASHPID watcher
	shift 2

	show_progress "$what" "$self" "$log" &
	watcher=$!
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	kill "$watcher" 2>/dev/null
	wait "$watcher" 2>/dev/null || true
	if [ -t 2 ]; then
		printf '\r\033[K' >&2
	fi
	if [ "$rc" -eq 0 ]; then
		say "$what: done in $((SECONDS - started)) s"
	fi
	return "$rc"
}

# Without root, a user namespace makes the user its root and lends it a range of IDs for everybody else. That is how
# unshare can make and enter a root file system whose files belong to many users.
# Everything in the namespace dies with unshare, and that with the lab.
namespace=(setpriv --pdeathsig KILL -- unshare --mount --pid --fork --kill-child)
if [ "$EUID" -ne 0 ]; then
	namespace+=(--map-root-user --map-auto)
fi

in_namespace()
{
	"${namespace[@]}" -- "$@"
}

has_id_range()
{
	grep -q -e "^$(id -un):" -e "^$EUID:" "$1" 2>/dev/null
}

require_namespace()
{
	if [ "$EUID" -eq 0 ]; then
		in_namespace true 2>/dev/null ||
			die 'this machine does not let root make a mount namespace; run the lab outside of the container.'
		return
	fi
	have newuidmap || die "without root the lab needs newuidmap: 'apt-get install uidmap', or use sudo."
	{ has_id_range /etc/subuid && has_id_range /etc/subgid; } ||
		die "without root the lab needs a range of IDs: 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)' as root, or use sudo."
	in_namespace true 2>/dev/null ||
		die 'this machine does not let users make namespaces (see user_namespaces(7)); use sudo.'
}

# As root on a clone that belongs to somebody else (sudo), what the lab writes there has to end up theirs.
make_dirs()
{
	mkdir -p "$@"
	give_back
}

give_back()
{
	if [ "$EUID" -eq 0 ] && [ -d "$top/build" ]; then
		give_to "$top" "$top/build"
	fi
}

# give_to WHOM DIR: what belongs to root in there, to the owner of WHOM. Another lab or machine may remove files meanwhile.
give_to()
{
	chown -hR --from=0 --reference="$1" "$2" 2>/dev/null || true
}
