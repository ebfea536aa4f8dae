# SPDX-License-Identifier: GPL-2.0-only
"""A host with a libvirtd, as far as libvirt can tell: in namespaces of its own."""

import os
import subprocess
import uuid

from child import Child
from progress import PATIENCE, Trouble

PLACES = ("run", "etc/libvirt", "var/lib/libvirt", "var/log/libvirt")
LOGS = "var/log/libvirt/qemu"	# which libvirt takes for granted
SOCKET = "run/libvirt/libvirt-sock"
VIRSH_SECONDS = 120		# the first to ask waits for libvirt to ask QEMU

# A shell, since somebody has to collect the children of those that have ended.
# QEMU for another processor would only be started to be asked what it can do.
SETUP = """
set -e
hostname "$1"
for place in {places}; do
	mkdir -p "/$place"
	mount --bind "$2/$place" "/$place"
done
mount --bind "$2/hosts" /etc/hosts
mount --bind "$3" /var/cache/libvirt
mount --bind "$4" "/lib/modules/$(uname -r)"
[ ! -e /usr/bin/qemu-system-i386 ] ||
	mount --bind /dev/null /usr/bin/qemu-system-i386
libvirtd &
wait
"""

# Nobody is there to ask: no policykit, no journal, no user for QEMU.
LIBVIRTD_CONF = """
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{uuid}"
"""
QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
stdio_handler = "file"
"""


def domains(listed):
    """{name: state}, from what "virsh list" prints below a line."""
    lines = listed.partition("---\n")[2].splitlines()
    return {name: state for _, name, state in
            (line.split(None, 2) for line in lines if line.strip())}


class Host(Child):
    """Its processes end with it, the QEMUs among them."""

    def __init__(self, name, directory, cache, modules, known_hosts):
        """cache: of what libvirt knows of QEMU. modules: those of the kernel."""
        self.short_name = name
        self.directory = os.path.join(directory, name)
        self.workplace = directory
        for place in (*PLACES, LOGS):
            os.makedirs(self.path(place))
        os.makedirs(cache, exist_ok=True)
        self.write("hosts", "127.0.0.1 localhost\n" + "".join(
            f"127.0.0.1 {known}\n" for known in known_hosts))
        self.write("etc/libvirt/libvirtd.conf",
                   LIBVIRTD_CONF.format(uuid=uuid.uuid4()))
        self.write("etc/libvirt/qemu.conf", QEMU_CONF)
        super().__init__(
            f"libvirtd ({name})",
            ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child",
             "--mount-proc", "sh", "-c", SETUP.format(places=" ".join(PLACES)),
             "sh", name, self.directory, cache, modules],
            os.path.join(directory, f"{name}-libvirtd.log"))

    def path(self, name):
        """A file of the host, as seen from outside."""
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def uri(self):
        return f"qemu+unix:///system?socket={self.path(SOCKET)}"

    def environment(self):
        return {**os.environ, "LC_ALL": "C", "LIBVIRT_DEFAULT_URI": self.uri()}

    def wait(self, progress):
        """Until it listens. To who comes now it will answer in the end."""
        def listens():
            self.must_live()
            return os.path.exists(self.path(SOCKET))
        progress.wait(f"{self.name} to listen", listens, VIRSH_SECONDS,
                      [self.log])

    def run(self, command):
        """What it prints, typed by this host's administrator."""
        try:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                env=self.environment(), cwd=self.workplace,
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=VIRSH_SECONDS * PATIENCE)
        except subprocess.TimeoutExpired as err:
            raise Trouble(f"{self.short_name}# {command}: no end in "
                          f"{err.timeout} s") from err
        if done.returncode:
            raise Trouble(f"{self.short_name}# {command}: "
                          f"{done.stderr.strip()}")
        return done.stdout

    def begin(self, command, log):
        """The same, as a process of its own."""
        words = ["env", f"LIBVIRT_DEFAULT_URI={self.uri()}", "LC_ALL=C",
                 "sh", "-c", f"cd {self.workplace} && exec {command}"]
        return Child(f"{self.short_name}# {command}", words, log)

    def domains(self):
        return domains(self.run("virsh list --all"))
