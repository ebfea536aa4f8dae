# SPDX-License-Identifier: GPL-2.0-only
"""Tests that are functions, and their results as KTAP."""

import time
import traceback

tests = []


class Failed(Exception):
    """What a test finds wrong."""


class Skipped(Exception):
    """Why a test cannot be made here."""


def test(function):
    tests.append(function)
    return function


def expect(holds, *what):
    if not holds:
        raise Failed(" ".join(str(one) for one in what))


def equal(is_, want, *what):
    expect(is_ == want, *what, f"is {is_!r}, {want!r} was due")


def one_result(number, function, clean_up):
    start = time.monotonic()
    try:
        function()
        line = f"ok {number} {function.__name__}"
    except Skipped as why:
        line = f"ok {number} {function.__name__} # SKIP {why}"
    except Exception:  # whatever it is, the other tests can still be made
        for text in traceback.format_exc().splitlines():
            print("#", text)
        line = f"not ok {number} {function.__name__}"
    clean_up()
    print(f"# {function.__name__} took {time.monotonic() - start:.1f} s")
    print(line, flush=True)
    return not line.startswith("not")


def run(names, clean_up):
    """The exit status. clean_up() is called after each test."""
    chosen = [one for one in tests if not names or one.__name__ in names]
    print(f"KTAP version 1\n1..{len(chosen)}", flush=True)
    results = [one_result(number, one, clean_up)
               for number, one in enumerate(chosen, 1)]
    return 0 if all(results) else 1
