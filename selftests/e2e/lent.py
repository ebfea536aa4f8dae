# SPDX-License-Identifier: GPL-2.0-only
"""The VFs as those of a host that knows of no migration: igbvf has them."""

import contextlib
import os
import subprocess

from device import driver_of, hand_over
from nic import VfNic, load_modules
from progress import Trouble

FORMER = "igbvf"
LOADED = "/sys/module/igb_vfio_pci"


def unload(module):
    return subprocess.run(["rmmod", module], capture_output=True,
                          text=True).stderr.strip()


class LentNic(VfNic):
    """Those that find them changed afterwards would have a complaint."""

    tree = None			# of modules, to get the driver back from

    def lend(self, tree):
        self.tree = tree
        load_modules("8021q", FORMER)
        for vf in self.vfs:
            hand_over(vf, None)
            if driver_of(vf) != FORMER:
                raise Trouble(f"{FORMER} does not take {vf}")
        problem = unload("igb_vfio_pci")
        if os.path.exists(LOADED):
            raise Trouble(f"igb_vfio_pci cannot be unloaded: {problem}")
        # Other modules may need it.
        unload("vfio_pci_mig")

    def take_back(self):
        if self.tree:
            self.tree.load("igb_vfio_pci")
            self.tree = None
            for vf, driver in zip(self.vfs, self.drivers):
                hand_over(vf, driver)

    def complaints(self):
        try:
            self.take_back()
        except (OSError, Trouble) as err:
            return [f"no way back to their driver: {err}"]
        return super().complaints()

    def remove(self):
        with contextlib.suppress(OSError, Trouble):
            self.take_back()
        super().remove()
