# SPDX-License-Identifier: GPL-2.0-only
"""A scenario as a program: its options, its surroundings, its results."""

import argparse
import contextlib
import os
import shutil
import signal
import tempfile

from progress import Progress, Stopped

SKIP = 4			# the exit status of a test that cannot run here
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENVIRONMENT = """environment: VFMIG_PF_NETDEV, the PF's interface; VFMIG_VFS,
two VFs that are bound to their migration driver; VFMIG_PROGRAMS (a directory) and
VFMIG_GUEST_KERNEL, to name others than usual"""


def new_parser(description):
    parser = argparse.ArgumentParser(
        description=description, epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", metavar="DIR",
                        help="leave the logs and the report in DIR")
    parser.add_argument("--ktap", action="store_true",
                        help="print the results as KTAP")
    return parser


def cannot_run(needs_vfs):
    """Why this machine is not the place, or None."""
    if os.geteuid():
        return "needs root"
    if not os.path.exists("/dev/kvm"):
        return "needs /dev/kvm for the guests"
    if needs_vfs and "VFMIG_VFS" not in os.environ:
        return "needs two virtual functions, in VFMIG_VFS"
    if not shutil.which("qemu-system-x86_64"):
        return "needs qemu-system-x86_64"
    return None


def stop_on_signal(number, _frame):
    # One is enough: what is left to do is to clean up.
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(f"stopped by signal {signal.Signals(number).name}")


def leave_files(directory, report):
    os.makedirs(report, exist_ok=True)
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if os.path.isfile(path) and not name.endswith(".initrd"):
            shutil.copy(path, report)


def publish(outcome, options, directory, progress):
    """Print the outcome, and leave the report where it was asked for."""
    text = outcome.text()
    if options.report:
        with open(os.path.join(directory, "report.txt"), "w") as file:
            file.write(text + "\n")
        leave_files(directory, options.report)
        progress.say(f"the logs and the report are in {options.report}")
    elif outcome.trouble:
        progress.say("--report DIR would keep the logs")
    print(outcome.ktap() if options.ktap else "\n" + text)


@contextlib.contextmanager
def workplace():
    """(a directory, a stack for what has to be undone), until a signal comes."""
    for number in STOP_SIGNALS:
        signal.signal(number, stop_on_signal)
    with contextlib.ExitStack() as stack:
        # On tmpfs, whatever the report's directory is: QEMU's sockets and
        # logs must not depend on a shared mount.
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="vfmig-e2e-"))
        yield directory, stack


def run(options, plan, tell, needs_vfs=True, missing=None):
    """The exit status. tell(progress, directory, stack) gives an Outcome.

    missing: what else this machine lacks, if it does.
    """
    if options.ktap:
        print("KTAP version 1")
    reason = cannot_run(needs_vfs) or missing
    if reason:
        print(f"1..0 # SKIP {reason}" if options.ktap else
              f"cannot run: {reason}")
        return SKIP
    if options.ktap:
        print(f"1..{plan}")
    progress = Progress("# " if options.ktap else "")
    with workplace() as (directory, stack):
        outcome = tell(progress, directory, stack)
        publish(outcome, options, directory, progress)
        return 0 if outcome.passed() else 1
