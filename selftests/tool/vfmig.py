# SPDX-License-Identifier: GPL-2.0-only
"""The tool: each command, each complaint, each exit status."""

import sys

import ktap
import machine
import tests_decode  # noqa: F401 (registers its tests)
import tests_drivers  # noqa: F401
import tests_faults  # noqa: F401
import tests_look  # noqa: F401
import tests_transfer  # noqa: F401

SKIP = 4


def main():
    if len(machine.VFS) < 2 or machine.driver_of(machine.VFS[0]) != machine.DRIVER:
        print(f"KTAP version 1\n1..0 # SKIP needs two VFs that {machine.DRIVER} has")
        return SKIP
    return ktap.run(sys.argv[1:], machine.rebind_all)


sys.exit(main())
