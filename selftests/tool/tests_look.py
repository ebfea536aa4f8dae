# SPDX-License-Identifier: GPL-2.0-only
"""list, info and check, which change nothing."""

import os
import subprocess
import tempfile
import time

from ktap import equal, expect, test
from machine import *  # noqa: F403

COMMANDS = ("list", "bind", "unbind", "info", "save", "load", "move", "decode", "faults",
            "check")


def rows():
    return {row["device"]: row for row in as_json("list")}


@test
def command_line():
    must(USAGE, says="Usage: vfmig")
    must(USAGE, "lsit", says='no command "lsit"')
    must(USAGE, "--jsno", "list", says="no option --jsno")
    must(USAGE, "list", "--jsno", says="unrecognized option")
    must(USAGE, "list", "x", says="takes 0 arguments")
    must(USAGE, "info", says="takes 1 argument")
    must(USAGE, "move", VFS[0], says="takes 2 arguments")
    must(USAGE, "move", *VFS[:2], "x", says="one argument too many")
    must(USAGE, "decode", "--diff", "x", says="decode --diff two")
    for name in COMMANDS:
        expect(f"vfmig {name}" in must(DONE, name, "--help").decode(), name, "--help")
        expect(name in must(DONE, "--help").decode(), "--help lacks", name)
    expect(must(DONE, "--version").startswith(b"vfmig "), "--version")


@test
def no_such_device():
    state = fresh()
    for name in ("info", "bind", "unbind", "save", "load", "move", "faults", "check"):
        more = VFS[1:2] if name == "move" else ["--suite", "/bin/true"] if name == "check" else []
        data = {"stdin": open("/dev/null")} if name != "load" else {"input": state, "stdin": None}
        must(UNSUITABLE, name, "0000:7f:1f.7", *more, says="there is no PCI device 0000:7f:1f.7",
             **data)
        must(USAGE, name, "fish", *more, says='"fish" is no PCI address', **data)
    for name in (f"{VFS[0]}x", "0000:01:10", "1:2:3:4.5", "", "0000:01:10.0 "):
        must(USAGE, "info", name, says="is no PCI address")


def fresh():
    """The state of a VF that nobody has used."""
    return must(DONE, "save", VFS[0])


@test
def list_shows_all():
    text = must(DONE, "list").decode()
    for bdf in (PF, *VFS):
        expect(bdf in text, "list lacks", bdf)
    found = rows()
    pf, vf = found[PF], found[VFS[0]]
    equal((pf["kind"], pf["driver"], pf["netdev"], pf["vfs"]), ("PF", "igb", NETDEV, len(VFS)))
    expect("82576" in pf["name"], "the PF is", pf["name"])
    equal((vf["kind"], vf["pf"], vf["driver"]), ("VF", PF, DRIVER))
    equal((vf["migratable"], vf["why"]), ("yes", "STOP_COPY P2P PRE_COPY"))
    group = os.path.basename(os.readlink(f"{DEVICES}/{VFS[0]}/iommu_group"))
    equal(vf["iommu_group"], int(group))
    equal((pf["migratable"], vf["holders"]), ("no", []))


@test
def list_says_why_not():
    must(DONE, "unbind", VFS[0])
    vf = rows()[VFS[0]]
    equal((vf["driver"], vf["migratable"]), (None, "no"))
    expect(f"vfmig bind {VFS[0]}" in vf["why"], vf["why"])
    must(DONE, "bind", VFS[0], "--driver", "vfio-pci")
    vf = rows()[VFS[0]]
    equal((vf["driver"], vf["migratable"]), ("vfio-pci", "no"))
    expect("vfio-pci cannot" in vf["why"], vf["why"])


@test
def holder_is_named():
    name = get("/proc/self/comm")
    # Not what root's terminal is to be told
    put("/proc/self/comm", "py\x1b[31m\xe9")
    try:
        hold_and_look({"pid": os.getpid(), "command": "py?[31m??"})
    finally:
        put("/proc/self/comm", name)


def hold_and_look(holder):
    with opened(VFS[0]):
        before = counters(VFS[0])
        equal(rows()[VFS[0]]["holders"], [holder])
        equal(rows()[VFS[1]]["holders"], [])
        info = as_json("info", VFS[0])
        equal((info["holders"], info["state"]), ([holder], "RUNNING"))
        expect(f"(pid {os.getpid()})" in must(DONE, "info", VFS[0]).decode(), "info")
        for args in (("save", VFS[0]), ("move", *VFS[:2]), ("move", VFS[1], VFS[0]),
                     ("unbind", VFS[0]), ("bind", VFS[0], "--driver", "vfio-pci"),
                     ("check", VFS[0], "--suite", "/bin/true")):
            must(IN_USE, *args, says=f"{VFS[0]} is in use by {holder['command']} (pid {holder['pid']})")
        must(IN_USE, "load", VFS[0], input=fresh_of(VFS[1]), stdin=None, says="is in use by")
        equal(counters(VFS[0]), before, "looking has left a trace:")


def fresh_of(bdf):
    return must(DONE, "save", bdf)


@test
def info_counts():
    before, arcs_before = counters(VFS[0]), arcs(VFS[0])
    must(DONE, "move", *VFS[:2])
    info = as_json("info", VFS[0])
    equal(info["opens"], int(before["opens"]) + 1, "opens")
    equal((info["state"], info["migration"], info["stream_version"], info["stream_device"]),
          ("closed", "STOP_COPY P2P PRE_COPY", "1.0", "8086:10ca"))
    done = {(arc["from"], arc["to"]): arc for arc in info["arcs"]}
    equal(len(done), 15, "arcs")
    for pair in (("RUNNING", "PRE_COPY"), ("PRE_COPY", "PRE_COPY_P2P"),
                 ("PRE_COPY_P2P", "STOP_COPY")):
        equal(done[pair]["done"], arcs_before[pair][0] + 1, pair)
    for pair, arc in done.items():
        times = arc["done"] + arc["failed"]
        equal(sum(arc["buckets"]), times, pair, "times in the histogram")
        expect(arc["max_ns"] <= arc["total_ns"] <= times * arc["max_ns"], pair, arc)
        high = max((i for i, n in enumerate(arc["buckets"]) if n), default=None)
        if high is not None:
            expect((1 << high if high else 0) <= arc["max_ns"] / 1000 < 2 << high, pair, arc)
    equal(info["transitions"], sum(arc["done"] for arc in info["arcs"]))
    expect("PRE_COPY_P2P -> STOP_COPY" in must(DONE, "info", VFS[0]).decode(), "info")


@test
def resets_and_errors_are_counted():
    before = counters(VFS[0])
    with opened(VFS[0]):
        put(f"{DEVICES}/{VFS[0]}/reset", "1")
        pretend_error(VFS[0], "nonfatal")
        pretend_error(VFS[0], "frozen")
        now = as_json("info", VFS[0])
        equal((now["state"], now["blocked"]), ("ERROR", "yes"))
        for handler in ("slot_reset", "resume"):
            pretend_error(VFS[0], handler)
    now = as_json("info", VFS[0])
    for name in ("opens", "resets", "errors_nonfatal", "errors_fatal", "lost"):
        equal(now[name], int(before[name]) + 1, name)
    equal((now["state"], now["blocked"]), ("closed", "no"))
    untouched()


@test
def trace_events():
    trace = "/sys/kernel/tracing/instances/vfmig-tool"
    os.mkdir(trace)
    try:
        put(f"{trace}/events/vfio_pci_mig/enable", "1")
        must(DONE, "move", *VFS[:2])
        put(f"{trace}/events/vfio_pci_mig/enable", "0")
        lines = get(f"{trace}/trace")
    finally:
        os.rmdir(trace)
    expect(f"vfio_mig_arc: {VFS[1]} from=RESUMING to=STOP error=0 ns=" in lines, lines)
    expect(f"vfio_mig_reset: {VFS[0]} deferred=0" in lines, lines)


@test
def info_of_another_driver():
    must(DONE, "bind", VFS[0], "--driver", "vfio-pci")
    must(UNSUITABLE, "info", VFS[0], says="cannot be migrated")
    with opened(VFS[0]):
        must(IN_USE, "info", VFS[0], says="only debugfs tells of a device in use")
    must(UNSUITABLE, "info", PF, says="is not a VFIO driver")


@test
def without_root():
    with unprivileged() as nobody:
        row = next(row for row in as_json("list", **nobody) if row["device"] == VFS[0])
        equal((row["migratable"], row["why"]), ("unknown", "only root can read debugfs"))
        must(FAILED, "info", VFS[0], says="only root may", **nobody)
        must(FAILED, "move", *VFS[:2], says="only root may", **nobody)
        must(FAILED, "unbind", VFS[0], says="only root may", **nobody)
        equal(override_of(VFS[0]), DRIVER)
    equal(driver_of(VFS[0]), DRIVER)


@test
def debugfs_not_mounted():
    run = subprocess.run(["unshare", "-m", "sh", "-c",
                          f"umount -l /sys/kernel/debug; {TOOL} --json list; {TOOL} info {VFS[0]}"],
                         capture_output=True, check=True)
    expect(b"debugfs is not mounted" in run.stdout, run)
    expect(b"RUNNING" in run.stdout, "info asks the device itself:", run)


def suite(directory, text):
    path = os.path.join(directory, "suite")
    put(path, f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)
    return path


@test
def check_judges():
    with tempfile.TemporaryDirectory() as d:
        real = os.path.join(HERE, "..", "conformance", "conformance")
        some = suite(d, f'exec {real} "$@" -V cdev -t claims -t probe -t get_state')
        verdict = as_json("check", VFS[0], "--peer", VFS[1], "--suite", some, "--verbose",
                          says="1..3")
        equal((verdict["verdict"], verdict["passed"]), ("conforms", 3))
        good = suite(d, "echo 1..3; echo ok 1 a; echo ok 2 b '# SKIP no'; echo ok 3 c")
        verdict = as_json("check", VFS[0], "--suite", good)
        equal((verdict["verdict"], verdict["passed"], verdict["skipped"]), ("conforms", 2, 1))
        bad = suite(d, "echo 1..2; echo ok 1 a; echo not ok 2 wrong; exit 1")
        verdict = as_json("check", VFS[0], "--suite", bad, status=FAILED, says="")
        equal((verdict["verdict"], verdict["failures"]), ("does not conform", ["wrong"]))
        for text in ("echo 1..2; echo ok 1 a", "echo 1..1; echo ok 1 a; kill -9 $$", "exit 0",
                     "echo 1..1; echo ok 1 a; exit 3"):
            must(FAILED, "check", VFS[0], "--suite", suite(d, text), says="there is no verdict")
        skips = suite(d, "echo 1..1; echo ok 1 a '# SKIP no'; exit 4")
        must(FAILED, "check", VFS[0], "--suite", skips, says="skipped all")
    must(FAILED, "check", VFS[0], "--suite", "/nowhere", says="is not installed as /nowhere")


@test
def check_that_is_stopped():
    with tempfile.TemporaryDirectory() as d:
        endless = suite(d, f"echo 1..1; echo $$ >{d}/pid; sleep 1000; echo ok 1 a")
        run = subprocess.Popen([TOOL, "check", VFS[0], "--suite", endless], stderr=subprocess.PIPE)
        while not os.path.exists(f"{d}/pid") or not get(f"{d}/pid"):
            time.sleep(0.05)
        run.terminate()
        said = run.communicate(timeout=20 * PATIENCE)[1].decode()
        equal(run.returncode, 143, said)
        expect("there is no verdict" in said, said)
        expect(not os.path.exists(f"/proc/{get(f'{d}/pid')}"), "the suite lives on")
    untouched()


@test
def reading_waits_for_no_arc():
    from tests_transfer import loading_into_silence
    with link_down(), loading_into_silence(VFS[0]):
        start = time.monotonic()
        state = counters(VFS[0])["state"]
        took = time.monotonic() - start
    equal(state, "RESUMING")
    expect(took < 0.3 * PATIENCE, "it took", took, "s")


def completions(line):
    script = ('source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _vfmig; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    path = os.path.join(os.path.dirname(TOOL), "../share/bash-completion/completions/vfmig")
    run = subprocess.run(["bash", "-c", script, "bash", path, line], capture_output=True,
                         check=True)
    expect(not run.stderr, line, run.stderr)
    return run.stdout.decode().split()


@test
def completion():
    """What the shell offers is what the tool takes."""
    equal(completions("vfmig --json l"), ["list", "load"])
    equal(set(completions("vfmig ")) - {"--json", "--help", "--version"}, set(COMMANDS))
    for name in COMMANDS:
        for option in completions(f"vfmig {name} --"):
            expect(option in must(DONE, name, "--help").decode(), name, "has no", option)
    # Bash takes a colon for the end of a word.
    equal([VFS[0].rsplit(":", 1)[0] + ":" + rest for rest in completions(f"vfmig move {VFS[0]}")],
          [VFS[0]])
    expect(set(VFS) <= set(completions("vfmig info ")), "VFs")
    equal(completions("vfmig bind --driver igb"), ["igb_vfio_pci"])
    equal(completions(f"vfmig decode {HERE}/vfm"), [f"{HERE}/vfmig.py"])
