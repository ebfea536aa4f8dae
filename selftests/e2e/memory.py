# SPDX-License-Identifier: GPL-2.0-only
"""All of a guest's memory, as QEMU has it while the guest does not run.

There is one thing that KVM writes when a QEMU only gives it the registers of a
processor: the guest's wall clock, which has to be another one then.
"""

import re

PAGE = 4096
CHUNK = 256 * PAGE
WALL_CLOCK_SIZE = 12		# of struct pvclock_wall_clock


def save(guest, path):
    """Leaves it in a file; the file's name."""
    guest.qmp.command("pmemsave", {"val": 0, "size": guest.memory << 20,
                                   "filename": path})
    return path


def wall_clocks(console):
    """Where they are, by what the guest has said of its kernel."""
    symbols = re.findall(r"^guest: symbol (\w+) \w (\w+)", console, re.MULTILINE)
    text = [int(at, 16) for at, name in symbols if name == "_text"]
    code = re.findall(r"^guest: code (\w+)-", console, re.MULTILINE)
    if not text or not code:
        return []
    return [int(at, 16) - text[0] + int(code[0], 16)
            for at, name in symbols if name == "wall_clock"]


class Compared:
    """What has come of a comparison."""

    def __init__(self):
        self.pages = 0
        self.empty = 0
        self.different = 0
        self.first = None		# where they differ first, and last in that page

    def add(self, one, other):
        if one == other == bytes(PAGE):
            self.empty += 1
        elif one != other:
            self.different += 1
            self.first = self.first or self.span(one, other)
        self.pages += 1

    def span(self, one, other):
        differ = [at for at in range(PAGE) if one[at] != other[at]]
        return self.pages * PAGE + differ[0], self.pages * PAGE + differ[-1]

    def __str__(self):
        text = f"{self.different} of {self.pages} pages differ, {self.empty} are empty"
        if self.first:
            text += "; the first is that with {:#x} to {:#x}".format(*self.first)
        return text


def blank(chunk, begin, addresses):
    """A chunk of memory that begins there, without the wall clocks in it."""
    chunk = bytearray(chunk)
    for at in addresses:
        if begin <= at < begin + len(chunk):
            chunk[at - begin:at - begin + WALL_CLOCK_SIZE] = bytes(WALL_CLOCK_SIZE)
    return bytes(chunk)


def compare(path, other_path, clocks):
    compared = Compared()
    with open(path, "rb") as file, open(other_path, "rb") as other_file:
        while chunk := blank(file.read(CHUNK), compared.pages * PAGE, clocks):
            other = blank(other_file.read(CHUNK), compared.pages * PAGE, clocks)
            for at in range(0, len(chunk), PAGE):
                compared.add(chunk[at:at + PAGE], other[at:at + PAGE])
    return compared
