# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest with a Debian system of its own: its document, its disk, and commands that are run in it."""
import dataclasses
import os
import re
import subprocess
import time
import uuid
from xml.sax.saxutils import escape, quoteattr

import vmm

GUESTS = "/payload/guests"
SYSTEM = f"{GUESTS}/system.raw"
# With everything emulated a whole system takes about half a minute to start.
PATIENCE = 600


@dataclasses.dataclass
class System:
    """A guest with a system.  @devices is libvirt XML of its <devices>; @disk how the system's disk is
    made: "qcow2" is an overlay of the image, "raw" a copy of it, None leaves it to @devices."""

    name: str
    devices: str = ""
    disk: str = "qcow2"
    driver: str = ""
    vcpus: int = 1
    memory: int = 512
    head: str = ""
    cmdline: str = ""
    root: str = "root=/dev/vda"
    on_poweroff: str = "destroy"
    on_reboot: str = "restart"
    on_crash: str = "destroy"

    def __post_init__(self):
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_URL, "kiln-testbed:" + self.name))

    def image(self, directory):
        return f"{directory}/{self.name}.{self.disk}"

    def prepare(self, directory):
        """Makes what the guest needs, as the user who runs it."""
        if self.disk == "qcow2":
            run("qemu-img", "create", "-q", "-f", "qcow2", "-b", SYSTEM, "-F", "raw", self.image(directory))
        elif self.disk == "raw":
            run("cp", "--sparse=always", SYSTEM, self.image(directory))

    def clean_up(self, directory):
        """Undoes what prepare() did to the host; the process has ended."""

    def document(self, directory):
        disk = ""
        if self.disk is not None:
            disk = f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='{self.disk}' discard='unmap' {self.driver}/>
      <source file={quoteattr(self.image(directory))}/>
      <target dev='vda' bus='virtio'/>
    </disk>"""
        words = f"{self.root} console=ttyS0,115200 quiet systemd.unit=kiln-test.target {self.cmdline}"
        return f"""<domain type='kvm'>
  <name>{escape(self.name)}</name>
  <uuid>{self.uuid}</uuid>
  <memory unit='MiB'>{self.memory}</memory>
  <vcpu>{self.vcpus}</vcpu>
  {self.head}
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{GUESTS}/cloud-bzImage</kernel>
    <initrd>{GUESTS}/system-initrd</initrd>
    <cmdline>{escape(words.strip())}</cmdline>
  </os>
  <cpu mode='host-passthrough'/>
  <on_poweroff>{self.on_poweroff}</on_poweroff>
  <on_reboot>{self.on_reboot}</on_reboot>
  <on_crash>{self.on_crash}</on_crash>
  <devices>{disk}
    <serial type='stdio'><target port='0'/></serial>
    <panic model='isa'/>
    {self.devices.replace("@DIR@", directory)}
  </devices>
</domain>
"""


def run(*command, check=True, patience=300):
    """Runs a command on the host (L1) as the unprivileged user; returns its status and output."""
    process = vmm.as_user(list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=patience)
    text = output.decode(errors="replace")
    if check and process.returncode != 0:
        raise vmm.Failure(f"{' '.join(command)}: status {process.returncode}: {text.strip()}")
    return process.returncode, text


class Kiln(vmm.Kiln):
    """A system under kiln."""

    def command(self):
        path = f"{self.directory}/{self.guest.name}.xml"
        self.guest.prepare(self.directory)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.guest.document(self.directory))
        os.chown(path, vmm.USER, vmm.USER)
        return ["kiln", "run", path]

    def __exit__(self, kind, error, trace):
        super().__exit__(kind, error, trace)
        self.guest.clean_up(self.directory)

    def kiln(self, *words):
        """kiln ctl NAME WORDS...: its output."""
        status, output = self.cli("ctl", self.guest.name, *words)
        if status != 0:
            raise vmm.Failure(f"kiln ctl {' '.join(words)}: status {status}: {output.strip()}")
        return output

    def up(self):
        """Waits until the system is up; returns what systemd says of it."""
        match = self.expect(r"KILN-SYSTEM-READY ([a-z-]+) ([a-z-]+)\r?\n", PATIENCE)
        return match.group(1).decode(), match.group(2).decode()

    def shell(self, command, patience=PATIENCE):
        """Runs a line of shell in the guest, as root; returns its status and output."""
        self.drain()
        self.send(command)
        match = self.expect(r"(.*?)KILN-STATUS (\d+)\r?\n", patience)
        return int(match.group(2)), match.group(1).decode(errors="replace").replace("\r", "")


def starts(running):
    state, target = running.up()
    if state == "starting":  # the target is there, a job that it does not wait for is not
        state = running.shell("systemctl is-system-running --wait || true")[1].strip()
    return None if (state, target) == ("running", "active") else f"systemd says {state}, multi-user.target is {target}"


def does(command, pattern=None, patience=PATIENCE):
    """A step: the line of shell succeeds in the guest, and its output matches @pattern."""

    def step(running):
        status, output = running.shell(command, patience)
        if status != 0:
            return f"'{command}': status {status}: {output[-2000:]}"
        if pattern is not None and re.search(pattern, output, re.MULTILINE) is None:
            return f"'{command}' says nothing like '{pattern}': {output[-2000:]}"
        return None

    return step


def in_time(step, patience=120):
    """A step: @step, as often as it takes until it has no complaint.  For what comes about by itself,
    when nobody can say how soon on a machine that others use too."""

    def again(running):
        end = time.monotonic() + patience
        while (complaint := step(running)) is not None and time.monotonic() < end:
            time.sleep(0.5)
        return complaint

    return again


def settles(value, good, patience=120):
    """Waits until good(value()), as long as the value still changes from time to time.  Returns the last one."""
    last = value()
    end = time.monotonic() + patience
    while not good(last) and time.monotonic() < end:
        time.sleep(1)
        if (now := value()) != last:
            last, end = now, time.monotonic() + patience
    return last


def on_host(*command, pattern=None):
    """A step: the command succeeds on the host; @DIR@ is the guest's directory."""

    def step(running):
        words = [word.replace("@DIR@", running.directory) for word in command]
        status, output = run(*words, check=False)
        if status != 0:
            return f"{' '.join(words)}: status {status}: {output[-2000:]}"
        if pattern is not None and re.search(pattern, output, re.MULTILINE) is None:
            return f"{' '.join(words)} says nothing like '{pattern}': {output[-2000:]}"
        return None

    return step


def powers_off(running):
    running.send("systemctl poweroff")
    status = running.exit_status()
    return None if status == 0 else f"exit status {status}"
