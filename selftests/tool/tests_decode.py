# SPDX-License-Identifier: GPL-2.0-only
"""decode: what it says of a state, and of what is none."""

import os
import tempfile

import stream
from ktap import equal, expect, test
from machine import *  # noqa: F403

# Offsets in struct igb_vf_regs
VTEIMS, VTEITR_1, RXDCTL_0 = 0, 20, 40 + 24


def save_as(directory, name, data):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


@test
def decode_names_everything():
    data = must(DONE, "save", VFS[0])
    data = stream.with_pf(data, stream.PF_READY | stream.PF_MAC, bytes.fromhex("525400123456"))
    data = stream.with_reg(data, RXDCTL_0, 1 << 25 | 5 << 16 | 3 << 8 | 7)
    with tempfile.TemporaryDirectory() as d:
        path = save_as(d, "state", data)
        tree = as_json("decode", path)
        text = must(DONE, "decode", path).decode()
        again = must(DONE, "decode", "-", input=data, stdin=None).decode()
    equal(again, text)
    equal((tree["bytes"], tree["valid"], tree["header"]["device"]), (len(data), True, "8086:10ca"))
    records = stream.parse(data)[1]
    equal([(one["offset"], one["bytes"]) for one in tree["records"]],
          [(one.offset, len(one.payload)) for one in records])
    equal([one["type"] for one in tree["records"]],
          ["IDENTITY", "PF", "SEAL", "REGS", "MAILBOX", "COUNTERS", "SEAL", "END"])
    equal(tree["contents"]["PF"]["MAC address"], "52:54:00:12:34:56")
    equal(tree["contents"]["PF"]["largest frame"], None)
    reg = tree["contents"]["REGS"]["RXDCTL[0]"]
    equal(reg["value"], "0x02050307")
    equal(reg["fields"], {"PTHRESH": 7, "HTHRESH": 3, "WTHRESH": 5, "ENABLE": 1, "SWFLSH": 0})
    expect("RXDCTL[0]            0x02050307  PTHRESH=7 HTHRESH=3 WTHRESH=5 ENABLE=1\n" in text, text)


@test
def decode_says_what_is_wrong():
    good = must(DONE, "save", VFS[0])
    with tempfile.TemporaryDirectory() as d:
        for what, says, data in stream.damaged(good):
            path = save_as(d, "state", data)
            run = vfmig("--json", "decode", path)
            said = run.stderr.decode()
            equal(run.returncode, BAD_STREAM, what, said)
            expect(path in said and says in said, what, said)
            if len(data) <= 65536:
                equal(json.loads(run.stdout)["valid"], False, what)
        must(FAILED, "decode", f"{d}/none", says="No such file")
        must(FAILED, "decode", d, says="Is a directory")


@test
def decode_skips_what_it_may():
    header, records = stream.parse(must(DONE, "save", VFS[0]))
    records.insert(1, stream.Record(0, 0x7ffe, 0, b"of a newer minor version"))
    header[2] = 9
    data = stream.build(header, records)
    tree = json.loads(must(DONE, "--json", "decode", "-", input=data, stdin=None))
    equal((tree["header"]["version"], tree["records"][1]["type"], tree["records"][1]["known"]),
          ("1.9", "0x7ffe", False))
    must(DONE, "load", VFS[0], input=data, stdin=None)


@test
def differences():
    one = must(DONE, "save", VFS[0])
    other = stream.with_reg(one, VTEITR_1, 5 << 2)
    with tempfile.TemporaryDirectory() as d:
        a, b = save_as(d, "a", one), save_as(d, "b", other)
        bad = save_as(d, "bad", one[:-1])
        equal(as_json("decode", "--diff", a, a), [])
        equal(must(DONE, "decode", "--diff", a, a), b"")
        found = as_json("decode", "--diff", a, b, status=FAILED)
        equal([one["what"] for one in found], ["REGS VTEITR[1]"])
        equal((found[0]["a"]["fields"]["Interval"], found[0]["b"]["fields"]["Interval"]), (0, 5))
        text = must(FAILED, "decode", "--diff", a, b).decode()
        equal(text, "- REGS VTEITR[1]: 0x00000000\n"
                    "+ REGS VTEITR[1]: 0x00000014  Interval: 0 -> 5\n")
        must(BAD_STREAM, "decode", "--diff", a, bad, says="not whole")
