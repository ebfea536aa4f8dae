#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh: loads vfmig_kunit.ko, and reports the cases of its suites as the other tests report theirs.
#
# KUnit runs the suites while the module is being loaded, and what it has found is in the kernel log.

set -u

module=$(dirname "$(realpath "$0")")/../../modules/vfmig_kunit.ko
mark="vfmig: kunit $$"

# The log since the mark, without times.
new_log()
{
	dmesg | sed -n "/$mark/,\$p" | sed -e 1d -e 's/^\[[^]]*\] //'
}

# A suite's own lines are indented by four spaces, more than that has only the results of a case's parameters. A case that has
# not come to its end has been announced all the same.
results()
{
	awk '
		/^    # Subtest: / { suite = $3 }
		/^    1\.\.[0-9]+$/ { plan += substr($1, 4) }
		/^    (not )?ok [0-9]+ / {
			sub(/^    /, "")
			sub(/ok [0-9]+ /, "ok " ++nr " " suite ".")
			result[nr] = $0
		}
		!/^ *(KTAP version|1\.\.|# Subtest:|# module:|(not )?ok )/ { print "# " $0 }
		END {
			print "1.." plan + 0
			for (i = 1; i <= nr; i++)
				print result[i]
		}'
}

echo 'TAP version 13'
if [ ! -d /sys/module/kunit ] && ! modprobe -q kunit; then
	echo '1..0 # SKIP kunit: the kernel has no KUnit'
	exit 4
fi
echo "$mark" >/dev/kmsg
insmod "$module"
loaded=$?
output=$(new_log | results)
printf '%s\n' "$output"
[ "$loaded" -eq 0 ] && rmmod vfmig_kunit && ! grep -q '^not ok ' <<<"$output"
