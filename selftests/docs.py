# SPDX-License-Identifier: GPL-2.0-only
"""Runs the commands of the pages, as a reader would type them.

They are the lines of "code-block:: console" that begin with "# ". Each has to succeed.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "tool"))

import ktap  # noqa: E402 (it is next door)
import machine  # noqa: E402
from page import PAGES, blocks  # noqa: E402 (in e2e, as machine has it)


def commands(page):
    for block in blocks(page.read_text(), "console"):
        for line in block.splitlines():
            if line.strip().startswith("# "):
                yield line.strip()[2:]


def run_page(page):
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(machine.TOOL).parent}:{environment['PATH']}"
    for command in commands(page):
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=HERE.parent,
                              env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=120 * machine.PATIENCE)
        print(f"# {command}")
        for line in done.stdout.decode(errors="replace").splitlines()[:12]:
            print(f"#   {line}")
        ktap.equal(done.returncode, 0, command, "ends with what", done.stdout.decode())


def add_test(page):
    def test():
        run_page(page)
    test.__name__ = page.stem
    ktap.test(test)


def main():
    # The addresses of the pages are those of the lab's machine.
    if machine.VFS[:2] != ["0000:01:10.0", "0000:01:10.2"]:
        print("KTAP version 1\n1..0 # SKIP the VFs have other addresses than those of the pages")
        return 4
    for page in sorted(Path(PAGES).glob("*.rst")):
        if any(commands(page)):
            add_test(page)
    return ktap.run(sys.argv[1:], machine.rebind_all)


sys.exit(main())
