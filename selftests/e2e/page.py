# SPDX-License-Identifier: GPL-2.0-only
"""The pages of Documentation, for scenarios that do what a page tells."""

import os
import re

HERE = os.path.dirname(os.path.realpath(__file__))
PAGES = os.path.join(HERE, "..", "pages")


def read(name):
    with open(os.path.join(PAGES, f"{name}.rst")) as page:
        return page.read()


def blocks(text, language):
    """The code blocks in that language."""
    return re.findall(rf"^\.\. code-block:: {language}\n((?:\n| .*\n)*)", text,
                      re.MULTILINE)


def commands(text):
    """(host, command): the lines that begin with "host# ", in order."""
    return [pair for block in blocks(text, "console") for pair in
            re.findall(r"^ +(\w+)# (.+)$", block, re.MULTILINE)]
