# SPDX-License-Identifier: GPL-2.0-only
"""save, load and move: what they move, and what may come in between."""

import contextlib
import os
import pty
import random
import signal
import subprocess
import tempfile
import time

import stream
from ktap import equal, expect, test
from machine import *  # noqa: F403

MAC = bytes.fromhex("525400abcdef")


def saved():
    return must(DONE, "save", VFS[0])


def load(status, data, says="", bdf=None):
    return must(status, "load", bdf or VFS[0], says=says, input=data, stdin=None)


def talked():
    """The state of a VF whose guest has talked to its PF."""
    return stream.with_pf(saved(), stream.PF_READY | stream.PF_MAC, MAC)


@contextlib.contextmanager
def loading_into_silence(bdf):
    """The tool at work in a load, for the second that a PF may take to answer."""
    data = talked()
    link_down_is = get(f"/sys/class/net/{NETDEV}/operstate")
    expect(link_down_is == "down", "the PF is", link_down_is)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        run = subprocess.Popen([TOOL, "load", bdf], stdin=file, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        end = time.monotonic() + 10 * PATIENCE
        while counters(bdf)["state"] != "RESUMING":
            expect(time.monotonic() < end and run.poll() is None, "it does not get there",
                   run.poll())
        time.sleep(0.1)
        try:
            yield run
        finally:
            run.kill()
            run.wait()


@test
def what_is_saved_can_be_loaded():
    data = saved()
    text = load(DONE, data).decode()
    expect("loaded" in text and "tell the PF" in text, text)
    load(DONE, data, bdf=VFS[1])
    load(DONE, talked(), bdf=VFS[1])


@test
def reports_of_work():
    run = vfmig("--json", "save", VFS[0])
    phases = [one["phase"] for one in json.loads(run.stderr)["phases"]]
    equal(phases, ["open", "stop", "save", "start"])
    size = {one["phase"]: one.get("bytes") for one in json.loads(run.stderr)["phases"]}
    equal(size["save"], len(run.stdout))
    tree = json.loads(load_json(run.stdout))
    equal(tree["result"], "loaded: the device takes this state")
    tree = as_json("move", *VFS[:2])
    names = [one["phase"] for one in tree["phases"]]
    expect(names.index("destination: tell the PF") < names.index("source: stop"), names)
    expect(all(one["ns"] > 0 for one in tree["phases"]), tree)
    given = {one["phase"]: one.get("bytes", 0) for one in tree["phases"]}
    equal(given["source: save the initial part"] + given["source: save"], len(run.stdout))
    text = must(DONE, "move", "--verbose", *VFS[:2], says="destination: load...").decode()
    expect(text.endswith("moved\n"), text)


def load_json(data):
    return must(DONE, "--json", "load", VFS[0], input=data, stdin=None)


@test
def no_terminal():
    ours, theirs = pty.openpty()
    before = counters(VFS[0])
    must(USAGE, "save", VFS[0], stdout=theirs, says="not written to a terminal")
    must(USAGE, "load", VFS[0], stdin=theirs, says="not from a terminal")
    os.close(theirs)
    os.close(ours)
    equal(counters(VFS[0]), before)


@test
def full_disk():
    with tempfile.TemporaryDirectory() as d, tiny_disk(d):
        with open(f"{d}/state", "wb") as file:
            must(NOT_WRITTEN, "save", VFS[0], stdout=file, says="No space left on device")
    with open("/dev/full", "wb") as file:
        must(NOT_WRITTEN, "save", VFS[0], stdout=file, says="is not whole")
        must(NOT_WRITTEN, "list", stdout=file, says="could not be written")
        must(NOT_WRITTEN, "--json", "info", VFS[0], stdout=file, says="could not be written")
        must(NOT_WRITTEN, "move", *VFS[:2], stdout=file, says="could not be written")
    untouched()


@test
def closed_output():
    for args in (["save", VFS[0]], ["list"], ["info", VFS[0]], ["--json", "list"],
                 ["--help"], ["--version"]):
        run = subprocess.run(["sh", "-c", '"$@" >&-', "sh", TOOL, *args], capture_output=True)
        equal(run.returncode, NOT_WRITTEN, args, run.stderr)
        expect(b"written" in run.stderr, args, run.stderr)
        reader, writer = os.pipe()
        os.close(reader)
        must(NOT_WRITTEN, *args, stdout=writer, says="written")
        os.close(writer)
    run = subprocess.run(["sh", "-c", '"$@" <&-', "sh", TOOL, "load", VFS[0]],
                         capture_output=True)
    expect(run.returncode in (FAILED, BAD_STREAM), run)
    untouched()


@test
def damaged_states():
    before = counters(VFS[0])
    good = saved()
    equal(int(counters(VFS[0])["opens"]), int(before["opens"]) + 1)
    before = counters(VFS[0])
    # The judge is that of decode, which is shown all of them.
    for what, says, data in list(stream.damaged(good))[::5]:
        run = vfmig("load", VFS[0], input=data, stdin=None)
        said = run.stderr.decode()
        equal(run.returncode, BAD_STREAM, what, said)
        expect("no device has been touched" in said and says in said, what, said)
    equal(counters(VFS[0]), before, "a device has been touched:")
    load(DONE, good)


@test
def pf_that_does_not_play_along():
    with link_down():
        load(FAILED, talked(), says="is the PF's interface up?")
        load(FAILED, talked(), says=f"the kernel says of {VFS[0]}: migration: RESUMING -> load")
    number = [os.path.basename(os.readlink(f"{DEVICES}/{PF}/virtfn{i}"))
              for i in range(len(VFS))].index(VFS[0])
    link = ["ip", "link", "set", NETDEV, "vf", str(number), "mac"]
    subprocess.run([*link, "52:54:00:00:00:99"], check=True)
    try:
        load(FAILED, talked(), says="refuses the MAC address")
    finally:
        subprocess.run([*link, "00:00:00:00:00:00"], check=True)
    load(DONE, talked())
    untouched()


@test
def devices_that_cannot():
    must(USAGE, "move", VFS[0], VFS[0], says="cannot be moved to itself")
    must(UNSUITABLE, "save", PF, says="bound to igb, which is not a VFIO driver")
    must(DONE, "unbind", VFS[1])
    must(UNSUITABLE, "move", *VFS[:2], says=f"{VFS[1]} has no driver")
    must(DONE, "bind", VFS[1], "--driver", "vfio-pci")
    must(UNSUITABLE, "move", *VFS[:2], says=f"{VFS[1]} cannot be migrated")
    must(DONE, "bind", VFS[1])
    untouched()


@test
def device_that_vanishes():
    with link_down(), loading_into_silence(VFS[0]) as run:
        pretend_error(VFS[0], "frozen")
        said = run.communicate(timeout=30 * PATIENCE)[1].decode()
        equal(run.returncode, FAILED, said)
        expect(f"{VFS[0]} did not take the state" in said, said)
    must(FAILED, "save", VFS[0], says="while a PCI error of it is being recovered")
    for handler in ("slot_reset", "resume"):
        pretend_error(VFS[0], handler)
    untouched()


@test
def reset_by_somebody_else():
    with link_down(), loading_into_silence(VFS[0]) as run:
        with open(f"{DEVICES}/{VFS[0]}/reset", "w") as file:
            file.write("1")
        said = run.communicate(timeout=30 * PATIENCE)[1].decode()
        equal(run.returncode, FAILED, said)
        expect("vfmig: " in said, said)
    untouched()


@test
def unbound_meanwhile():
    """It waits for the tool, and then the device has no driver."""
    with link_down(), loading_into_silence(VFS[0]) as run:
        put(f"{DEVICES}/{VFS[0]}/driver/unbind", VFS[0])
        run.communicate(timeout=30 * PATIENCE)
        equal(run.returncode, FAILED)
    must(UNSUITABLE, "save", VFS[0], says="has no driver")
    must(DONE, "bind", VFS[0])
    untouched()


def signalled(number, after):
    run = subprocess.Popen([TOOL, "move", *VFS[:2]], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(after)
    run.send_signal(number)
    return run.communicate(timeout=30 * PATIENCE)[1].decode(), run.returncode


@test
def stopped_at_any_time():
    start = time.monotonic()
    must(DONE, "move", *VFS[:2])
    took = time.monotonic() - start
    noise = random.Random(1)
    ends = set()
    for number in (signal.SIGINT, signal.SIGTERM) * 5:
        said, status = signalled(number, noise.uniform(0, took))
        # Before it looks after signals, the default: nothing has been opened.
        expect(status in (DONE, 128 + number, -number), signal.Signals(number).name, status, said)
        if status == 128 + number:
            expect("stopped by a signal" in said, said)
        ends.add(status)
        for bdf in VFS[:2]:
            equal(counters(bdf)["state"], "closed")
    expect({130, 143} & ends, "no signal has stopped it", ends)
    untouched()


@test
def killed_at_any_time():
    noise = random.Random(2)
    for _ in range(4):
        signalled(signal.SIGKILL, noise.uniform(0, 0.5 * PATIENCE))
        for bdf in VFS[:2]:
            equal(counters(bdf)["state"], "closed")
    with link_down(), loading_into_silence(VFS[0]) as run:
        run.kill()
        run.wait()
        equal(counters(VFS[0])["state"], "closed")
    untouched()
