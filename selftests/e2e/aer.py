# SPDX-License-Identifier: GPL-2.0-only
"""PCI errors that the kernel's aer_inject makes up."""

import re
import struct

from nic import load_modules
from progress import Trouble

NONFATAL = 1 << 14		# completion timeout, as the root port has it
FATAL = 1 << 18			# malformed TLP


def inject(bdf, uncorrectable):
    domain, bus, device, function = (
        int(part, 16) for part in re.split("[:.]", bdf))
    # struct aer_error_inj of the kernel; correctable errors and header: none
    error = struct.pack("BBBxII4II", bus, device, function, uncorrectable, 0,
                        0, 0, 0, 0, domain)
    load_modules("aer_inject")
    try:
        with open("/dev/aer_inject", "wb", buffering=0) as file:
            file.write(error)
    except OSError as err:
        raise Trouble(f"aer_inject: {err}") from err
