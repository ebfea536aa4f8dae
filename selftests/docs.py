# SPDX-License-Identifier: GPL-2.0-only
"""Follows the README and the pages, as a reader would.

Each command in a block has to succeed. What is typed in a clone, and takes a host or
hours, is looked at: whether there is such a target, option, test. What another test
takes from the page is left to that. A block of commands that is not marked as one is
a failure: nobody would run it.
"""

import collections
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "tool"), str(HERE / "doc")]

import clone  # noqa: E402 (it is next door)
import ktap  # noqa: E402
import machine  # noqa: E402
import page  # noqa: E402 (in e2e, as machine has it)
from lent import LOADED, unload  # noqa: E402
from module_tree import ModuleTree  # noqa: E402
from monitors import Monitors  # noqa: E402

PAYLOAD = HERE.parent
TOOLS = str(Path(machine.TOOL).parent)
NUMVFS = f"/sys/bus/pci/devices/{machine.PF}/sriov_numvfs"
README = "README.md"
ADDRESSES = ["0000:01:00.0", "eth0", "0000:01:10.0", "0000:01:10.2"]
# The languages of blocks
COMMANDS = ("console", "sh")
TEXT = ("", "text", "none")
OTHERS = (*TEXT, "c", "xml")
SKIPPED = 4			# what a test ends with that cannot run here

# What is behind the prompt of a host is run by the test that has that host.
HOSTS = {("libvirt", "source"): "libvirt", ("libvirt", "destination"): "libvirt",
         ("install", "host"): "deb"}
# Commands that another test runs, in surroundings of its own
ELSEWHERE = {"./fault_consumer 3": "fault_ring"}
# No machine of the lab has the firmware for it.
NOWHERE = ("mokutil --import /var/lib/dkms/mok.pub", "mokutil --list-enrolled")
# What the test conformance runs in whole
SOME = "-V cdev -t claims"
SHORTER = {"selftests/conformance/conformance": SOME, "vfmig check": '--suite "$SOME"'}
# What a reader's machine has, and this one need not
PROGRAMS = ("apt", "apt-get", "dkms", "git", "lab", "mokutil", "sudo", "systemctl")


def say(text):
    for line in text.splitlines():
        print(f"# {line}")


def is_command(line):
    """Whether it looks like one."""
    line = line.strip()
    if line.startswith("$ "):
        return True
    words = re.sub(r"^(\w*# +)?((sudo|env|\w+=\S*) +)*", "", line).split()
    if not words or not re.fullmatch(r"[\w./-]*\w", words[0]):
        return False
    return (words[0] in PROGRAMS or words[0].startswith(("./", "tools/", "selftests/")) or
            any(shutil.which(words[0], path=path) for path in (os.environ["PATH"], TOOLS)))


def blocks_of(path):
    return page.all_blocks(path.read_text(), path.suffix == ".md")


def shorter(command):
    return " ".join([command, *(more for words, more in SHORTER.items()
                                if command.startswith(f"{words} "))])


class Surroundings:
    """Where a reader is: in a clone, or on a machine with VFs."""

    def __init__(self, directory, its_clone):
        self.directory = directory
        self.clone = its_clone
        self.program("sudo", 'exec "$@"')
        self.program("some", f'exec {PAYLOAD}/selftests/conformance/conformance "$@" {SOME}')
        self.environment = {**os.environ, "SOME": self.path("some"), "PATH": ":".join(
            [directory, TOOLS, os.environ["PATH"]])}

    def path(self, name):
        return os.path.join(self.directory, name)

    def program(self, name, text):
        machine.put(self.path(name), f"#!/bin/sh\n{text}\n")
        os.chmod(self.path(name), 0o755)

    def run(self, command, place=PAYLOAD, good=(0,)):
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=place,
                              env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=120 * machine.PATIENCE)
        said = done.stdout.decode(errors="replace")
        for line in said.splitlines()[:12]:
            say(f"  {line}")
        ktap.expect(done.returncode in good, command, "ends with", done.returncode, said)

    @contextlib.contextmanager
    def bare_machine(self):
        """It has no VFs and no driver for them, but modprobe would find it."""
        tree = ModuleTree(self.path("tree"))
        count = machine.get(NUMVFS)
        self.environment["MODPROBE_OPTIONS"] = f"-d {tree.root}"
        try:
            machine.put(NUMVFS, "0")
            unload(machine.DRIVER)
            unload("vfio_pci_mig")
            ktap.expect(not os.path.exists(LOADED), machine.DRIVER, "cannot be unloaded")
            yield
        finally:
            del self.environment["MODPROBE_OPTIONS"]
            tree.load(machine.DRIVER)
            if machine.get(NUMVFS) != count:
                machine.put(NUMVFS, "0")
                machine.put(NUMVFS, count)


class Follower:
    """Goes through one page."""

    def __init__(self, path, surroundings):
        self.name = path.stem
        self.blocks = blocks_of(path)
        self.surroundings = surroundings
        self.clone = surroundings.clone
        self.monitors = Monitors(surroundings.directory)

    def follow(self):
        try:
            for block in self.blocks:
                say(f"{self.name}, line {block.line}")
                self.follow_block(block)
        finally:
            self.monitors.quit()

    def follow_block(self, block):
        commands = page.block_commands(block)
        if block.language in COMMANDS:
            ktap.expect(commands, "a block of commands without one")
            for command in commands:
                say(f"{command.host}{command.prompt} {command.text}")
                self.follow_command(command)
        elif block.language == "hmp":
            for line in block.text.splitlines():
                say(f"(qemu) {line}")
                self.monitors.type(line)
        else:
            ktap.expect(block.language in OTHERS, f"'{block.language}' is not for commands, "
                        "which are in blocks of 'console' or 'sh'; is it for anything else?")
            for line in block.text.splitlines() if block.language in TEXT else []:
                ktap.expect(not is_command(line), "a command in a block that is not of "
                            "'console' or 'sh':", line.strip())

    def follow_command(self, command):
        text = command.text
        if command.host:
            test = HOSTS.get((self.name, command.host))
            ktap.expect(test, f"no test has a host '{command.host}' for the page {self.name}")
            self.clone.look(f"make test T={test}")
        elif text in ELSEWHERE:
            self.clone.look(f"make test T={ELSEWHERE[text]}")
        elif text in NOWHERE:
            say("  (is not run)")
        elif clone.belongs_here(text):
            for part in text.split(" && "):
                self.look(part)
        elif text.startswith("python3 selftests/e2e/"):
            self.clone.look_at_program(shlex.split(text), str(PAYLOAD))
        elif text.startswith("qemu-system-"):
            self.monitors.start(text)
        else:
            self.surroundings.run(shorter(text), PAYLOAD if command.prompt == "#" else
                                  self.clone.directory)

    def look(self, command):
        """What the lab would run in a machine and is short can be run in this one."""
        words = self.clone.look(command)
        if words and not words[0].endswith("run_tests.sh"):
            command = shlex.join(words)
            say(f"  # {command}")
            self.surroundings.run(command, good=(0, SKIPPED))


def add_test(name, function, its_clone):
    def test():
        with tempfile.TemporaryDirectory(prefix="vfmig-docs-") as directory:
            function(Surroundings(directory, its_clone))
    test.__name__ = name.replace("-", "_")
    ktap.test(test)


def follower(path):
    def follow(surroundings):
        with contextlib.ExitStack() as stack:
            if path.name == README:
                stack.enter_context(surroundings.bare_machine())
            Follower(path, surroundings).follow()
    return follow


def gathered(commands):
    """Commands of make's as few: goals and tests that go with the same variables."""
    goals, tests = collections.defaultdict(set), collections.defaultdict(set)
    for words in map(str.split, commands):
        rest = words[words.index("make") + 1:]
        key = tuple(rest if "-C" in rest else (word for word in rest if "=" in word and
                                               not word.startswith("T=")))
        goals[key] |= {word for word in rest if "=" not in word and "-C" not in rest}
        tests[key] |= {word[2:] for word in rest if word.startswith("T=")}
    for key in goals:
        chosen = [f"T={' '.join(sorted(tests[key]))}"] if tests[key] else []
        yield shlex.join(["make", *sorted(goals[key]), *key, *chosen])


def look_at_prose(paths):
    """What make is asked for in the middle of a sentence."""
    def look(surroundings):
        found = [words for path in paths
                 for words in re.findall(r"`((?:sudo )?make(?:\s[^`]*)?)`", path.read_text())]
        ktap.expect(found, "no page speaks of make")
        for command in gathered(found):
            say(command)
            surroundings.clone.look(command)
    return look


def clean_up():
    machine.link_up()
    machine.rebind_all()


def main():
    # The addresses of the pages are those of the lab's machine.
    if [machine.PF, machine.NETDEV, *machine.VFS[:2]] != ADDRESSES:
        print("KTAP version 1\n1..0 # SKIP this machine has other addresses than the pages")
        return 4
    with contextlib.ExitStack() as stack:
        sources = stack.enter_context(tempfile.TemporaryDirectory(prefix="vfmig-clone-"))
        subprocess.run(["tar", "-xf", PAYLOAD / "clone.tar", "-C", sources], check=True)
        # The program of theirs for which stream.rst has a command
        machine.put(f"{sources}/YOUR.c", "int main(void) { return 0; }\n")
        its_clone = clone.Clone(sources, str(PAYLOAD))
        stack.callback(its_clone.close)
        paths = [Path(sources, README), *sorted(Path(sources, "Documentation").glob("*.rst"))]
        for path in paths:
            if blocks_of(path):
                add_test(path.stem, follower(path), its_clone)
        add_test("make_in_prose", look_at_prose(paths), its_clone)
        return ktap.run(sys.argv[1:], clean_up)


sys.exit(main())
