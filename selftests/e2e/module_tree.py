# SPDX-License-Identifier: GPL-2.0-only
"""What modprobe finds on a host that has the modules installed.

A tree of their own and of what they need: an index of all the kernel's modules is
long work for an emulated machine.
"""

import os
import re
import shutil
import subprocess

from initrd import module_files
from progress import Trouble

HERE = os.path.dirname(os.path.realpath(__file__))
MODULES = os.path.join(HERE, "..", "..", "modules")
OURS = ("vfio_pci_mig", "igb_vfio_pci")
GENERIC = "vfio-pci"		# what a host has without them


def run(*argv):
    result = subprocess.run(argv, capture_output=True, text=True)
    if result.returncode:
        raise Trouble(f"{' '.join(argv)}: {result.stderr.strip()}")
    return result.stdout


def needed(files, release):
    """The kernel's own modules that those files depend on."""
    names = {GENERIC}
    for file in files:
        names |= set(re.findall(r"[^,\s]+", run("modinfo", "-F", "depends",
                                                file)))
    return {path for name in names - set(OURS)
            for path in module_files(name, release)}


class ModuleTree:
    def __init__(self, root):
        self.root = root
        release = os.uname().release
        self.path = os.path.join(root, "lib/modules", release)
        kernel = f"/lib/modules/{release}"
        ours = [os.path.join(MODULES, f"{name}.ko") for name in OURS]
        for file in ours:
            if not os.path.exists(file):
                raise Trouble(f"no module {file}")
            self.add(file, "updates")
        for file in needed(ours, release):
            self.add(file, os.path.dirname(os.path.relpath(file, kernel)))
        for name in ("modules.order", "modules.builtin",
                     "modules.builtin.modinfo"):
            if os.path.exists(f"{kernel}/{name}"):
                self.add(f"{kernel}/{name}", "")
        run("depmod", "-b", root, release)

    def add(self, file, place):
        place = os.path.join(self.path, place)
        os.makedirs(place, exist_ok=True)
        shutil.copy(file, place)

    def load(self, name):
        run("modprobe", "-d", self.root, name)
