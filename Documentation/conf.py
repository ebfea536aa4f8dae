# SPDX-License-Identifier: GPL-2.0-only
"""How Sphinx makes the pages: "make docs" runs it in the lab's root."""

import os
import sys

# Where the kernel's reader of kernel-doc is
kernel = os.environ.get("VFMIG_KERNEL_TOOLS", "/usr/share/vfmig-kernel")
sys.path.insert(0, f"{kernel}/Documentation/sphinx")

project = "vfmig"
copyright = "the vfmig authors"
extensions = ["kerneldoc"]
kerneldoc_bin = f"{kernel}/scripts/kernel-doc"
kerneldoc_srctree = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
primary_domain = "c"
highlight_language = "none"
# What is no C to Sphinx
c_id_attributes = ["__user"]
html_theme = "alabaster"
html_show_copyright = False
html_copy_source = False
