# SPDX-License-Identifier: GPL-2.0-only
"""Commands that take a clone, and hours: looked at, and not run.

What make would run is asked of make, whether the lab takes its options of the lab,
whether there is such a test of run_tests.sh.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess

from ktap import Failed, equal, expect

LAB = "tools/lab/lab"
USAGE_ERROR = 2			# as argparse has it

# For each line, a command of the lab's: what it does before it boots anything. It says what
# the command to run there is, or what is wrong. One process for all: to start one takes long.
CLERK = r"""
shopt -s extglob nullglob
lab_dir=$PWD/tools/lab
for part in common kernel modules run test; do
	. "$lab_dir/$part.sh"
done

answer()
{
	local command=()
	declare -A tests

	set -eu
	eval "set -- $1"
	shift
	case $1 in
	run | shell)	parse_run_options "${@:2}" ;;
	test)		parse_test_options "${@:2}" ;;
	*)		command=("$@") ;;
	esac
	[ ${#command[@]} -eq 0 ] || printf '%q ' "${command[@]}"
}

while IFS= read -r line; do
	(answer "$line") 2>&1
	printf '\n%s\n' "$?"
done
"""


def belongs_here(command):
    return re.match(rf"(sudo )?(make|{LAB})( |$)", command)


class Clone:
    def __init__(self, directory, payload):
        """payload: where there is all that the lab builds for its machines."""
        self.directory = directory
        self.payload = payload
        self.clerk = subprocess.Popen(["bash", "-c", CLERK], cwd=directory, text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self):
        self.clerk.communicate()

    def path(self, name):
        return os.path.join(self.directory, name)

    @functools.cache
    def call(self, *argv):
        return subprocess.run(argv, cwd=self.directory, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL)

    def must(self, *argv):
        done = self.call(*argv)
        equal(done.returncode, 0, *argv, "ends with what", done.stderr)
        return done.stdout

    def look(self, command):
        """What the machine would run, where it is clear what that is."""
        command = command.removeprefix("sudo ")
        if command.startswith(LAB):
            return self.look_at_lab(command)
        self.look_at_make(*shlex.split(command))
        return []

    @functools.cache
    def look_at_make(self, *command):
        words = command[1:]
        place = words[words.index("-C") + 1] if "-C" in words else "."
        with open(self.path(f"{place}/Makefile")) as file:
            makefile = file.read()
        for name in (word.split("=")[0] for word in words if "=" in word):
            used = rf"\$\({name}\)|\$\((if|or|filter)\b[^\n]*\b{name}\b|\bif(n?def) {name}\b"
            expect(re.search(used, makefile), f"{place}/Makefile has no use for {name}")
        # It would run what is told of $(MAKE) all the same.
        recipe = self.must(*command, "-n", "MAKE=:")
        for line in recipe.replace("\\\n", "").splitlines():
            if line.startswith(LAB):
                self.look_at_lab(line)

    def ask_clerk(self, line):
        print(line, file=self.clerk.stdin, flush=True)
        told = ""
        while not re.search(r"^\d+\n\Z", told, re.MULTILINE):
            more = self.clerk.stdout.readline()
            expect(more, "the lab has nothing to say to", line)
            told += more
        told, status = told.rstrip("\n").rsplit("\n", 1)
        equal(status, "0", line, "ends with what", told)
        return shlex.split(told)

    @functools.cache
    def look_at_lab(self, line):
        """The command that the machine would run."""
        words, what = self.ask_clerk(line), line.split()[1]
        usage = self.must(LAB, "--help")
        expect(re.search(rf"^\w*:? +lab {what}\b", usage, re.MULTILINE), f"no 'lab {what}'")
        if what == "run":
            self.look_at_program(words, self.payload)
            return words
        if what == "exec":
            words = words[1:]
            self.look_at_program(words[words[0] == "--":], self.directory)
        elif what not in ("shell", "test"):
            # All of their arguments are options.
            for word in words[1:]:
                expect(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", usage),
                       f"'lab {what}' has no {word}")
        return []

    def look_at_program(self, words, place):
        """In a machine, or in the lab's root."""
        program, *arguments = words
        if program == "sh":
            self.must("sh", "-n", *arguments)
            return
        if program == "python3":
            program, *arguments = arguments
        expect(shutil.which(os.path.join(place, program) if "/" in program else program),
               "no program", program)
        if program.endswith("run_tests.sh"):
            self.look_at_tests(arguments)
        elif program.endswith(".py") and "/e2e/" in program:
            self.look_at_scenario(program, *arguments)

    def look_at_tests(self, names):
        if names[:1] == ["--device"]:
            sample = f"selftests/conformance/{names[1]}.sh"
            expect(os.path.exists(self.path(sample)), "no", sample)
            names = names[2:]
            equal(names, ["conformance"], "what is run on", sample)
        self.must("selftests/run_tests.sh", "--list", *names)

    @functools.cache
    def look_at_scenario(self, program, *arguments):
        """What has no device reads its options, and says that it has none."""
        bare = {name: value for name, value in os.environ.items()
                if not name.startswith("VFMIG_")}
        done = subprocess.run(["python3", program, *arguments], cwd=self.payload, env=bare,
                              text=True, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode == USAGE_ERROR or "cannot run: " not in done.stdout + done.stderr:
            raise Failed(f"{program} ends with {done.returncode}: {done.stdout}{done.stderr}")
