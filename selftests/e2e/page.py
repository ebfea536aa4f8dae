# SPDX-License-Identifier: GPL-2.0-only
"""The README and the pages of Documentation, for what does as they tell.

Commands are in blocks of "console", behind a prompt, or of "sh", where each line is
one. A prompt may begin with the name of a host. An indented block of the README is of
"console" if it begins with a prompt.
"""

import os
import re
import sys
from dataclasses import dataclass

HERE = os.path.dirname(os.path.realpath(__file__))
PAGES = os.path.join(HERE, "..", "pages")

RST_BLOCK = re.compile(r"( *)(?:\.\. (?:code-block|code|sourcecode|parsed-literal)::"
                       r" *(\S*)|(?!\.\. ).*::)$")
FENCE = re.compile(r"( *)(```+|~~~+) *(\S*)")
PROMPT = re.compile(r"(\w*)([#$]) (.*)")


@dataclass
class Block:
    line: int			# its number, from 1
    language: str
    text: str


@dataclass
class Command:
    host: str			# "" for the one that the page is about
    prompt: str
    text: str


def read(name):
    with open(os.path.join(PAGES, f"{name}.rst")) as page:
        return page.read()


def indent(line):
    return len(line) - len(line.lstrip())


def indented(lines, first, more_than):
    """The end of what is indented by more than that."""
    end = first
    while end < len(lines) and (not lines[end].strip() or
                                indent(lines[end]) > more_than):
        end += 1
    return end


def rst_blocks(lines):
    at = 0
    while at < len(lines):
        found, at = RST_BLOCK.match(lines[at]), at + 1
        if found:
            end = indented(lines, at, len(found[1]))
            yield Block(at, found[2] or "", "\n".join(lines[at:end]))
            at = end


def markdown_blocks(lines):
    at = 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence:
            end = at + 1
            while end < len(lines) and lines[end].strip() != fence[2]:
                end += 1
            yield Block(at + 1, fence[3], "\n".join(lines[at + 1:end]))
            at = end + 1
        elif lines[at].startswith("    ") and not (at and lines[at - 1].strip()):
            end = indented(lines, at, 3)
            yield Block(at + 1, "console" if PROMPT.match(lines[at].strip()) else "",
                        "\n".join(lines[at:end]))
            at = end
        else:
            at += 1


def all_blocks(text, markdown=False):
    """Whatever is not to be set as prose."""
    return list((markdown_blocks if markdown else rst_blocks)(text.splitlines()))


def blocks(text, language):
    """The text of the code blocks in that language."""
    return [block.text for block in all_blocks(text) if block.language == language]


def console_commands(text):
    """What has no prompt is what a command prints."""
    found, goes_on = [], False
    for line in map(str.strip, text.splitlines()):
        prompt = PROMPT.fullmatch(line)
        if goes_on or (found and line.startswith("> ")):
            found[-1].text += "\n" + line.removeprefix("> ")
        elif prompt:
            found.append(Command(*prompt.groups()))
        goes_on = line.endswith("\\")
    return found


def block_commands(block):
    if block.language == "console":
        return console_commands(block.text)
    if block.language == "sh":
        lines = block.text.replace("\\\n", " ").splitlines()
        return [Command("", "$", line.strip()) for line in lines if line.strip()]
    return []


def commands(text):
    """(host, command), of those that a host is named for, in order."""
    return [(command.host, command.text) for block in all_blocks(text)
            for command in block_commands(block) if command.host]


def main(path, host):
    """Print the commands of that host in that page, each with a NUL after it."""
    with open(path) as page:
        for name, command in commands(page.read()):
            if name == host:
                print(command, end="\0")


if __name__ == "__main__":
    main(*sys.argv[1:])
