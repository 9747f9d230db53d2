# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a guest as an unprivileged user and talks to its console: under kiln, or, to know what is the
testbed's doing and not kiln's, under Debian's QEMU."""
import json
import os
import re
import select
import socket
import subprocess
import time

import document

USER = 1000
RUNTIME = f"/run/user/{USER}"
# A guest's boot takes about 10 seconds with nothing else going on, 40 with 8 processors.
PATIENCE = 480


class Hang(Exception):
    """The guest did not say in time what was waited for."""


class Failure(Exception):
    """Something was otherwise than it should be."""


def as_user(command, user=USER, **more):
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/home/tester",
        "XDG_RUNTIME_DIR": RUNTIME,
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.Popen(
        command, user=user, group=user, extra_groups=[], env=environment, start_new_session=True, **more
    )


class Running:
    """A guest's process and its console."""

    def __init__(self, guest, directory):
        self.guest = guest
        self.directory = directory
        self.console = b""
        self.seen = 0
        self.started = time.monotonic()
        self.errors = open(f"{directory}/{guest.name}.stderr", "w+b")
        self.process = as_user(
            self.command(),
            user=getattr(self.guest, "user", USER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=directory,
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Whatever happened, the process is gone afterwards."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.final_log = self.log() if error is not None else ""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()
        self.errors.close()

    def _read(self, timeout):
        """More of the console; False at its end or when the time is up."""
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, timeout))
        if not ready:
            return False
        some = os.read(self.process.stdout.fileno(), 65536)
        self.console += some
        return bool(some)

    def expect(self, pattern, patience=PATIENCE):
        """Waits until the console says @pattern, after what was waited for before; returns the match."""
        deadline = time.monotonic() + patience
        expression = re.compile(pattern.encode(), re.MULTILINE | re.DOTALL)
        while True:
            match = expression.search(self.console, self.seen)
            if match is not None:
                self.seen = match.end()
                return match
            if not self._read(deadline - time.monotonic()):
                if self.process.poll() is not None or time.monotonic() < deadline:
                    ended = self.process.wait()
                    raise Failure(f"the guest's process ended ({ended}) before its console said '{pattern}'")
                raise Hang(f"nothing like '{pattern}' on the console for {patience} s")

    def silent_for(self, seconds):
        """Whether the console says nothing for that long."""
        before = len(self.console)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self._read(end - time.monotonic()):
                break
        return len(self.console) == before

    def drain(self):
        while self._read(0.3):
            pass
        self.seen = len(self.console)

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def ready(self):
        """Waits for the guest's first process; returns its count of processors."""
        return int(self.expect(r"KILN-INIT-READY (\d+)\r?\n").group(1))

    def exit_status(self, patience=PATIENCE):
        """Waits for the process to end by itself, reading the console on."""
        deadline = time.monotonic() + patience
        while self._read(deadline - time.monotonic()):
            pass
        try:
            return self.process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Hang(f"the process had not ended {patience} s later") from None

    def log(self):
        """The ends of the console and of what the process said of itself, for a failure's report."""
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace")
        console = self.console.decode(errors="replace").replace("\r", "")
        # An archive on the console is of no use to a reader.
        console = re.sub(r"(KILN-FACTS-BEGIN\n).*?(KILN-FACTS-END|\Z)", r"\1...\n\2", console, flags=re.DOTALL)
        # A system call that the sandbox forbids kills without a word but the kernel's.
        kernel = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
        audit = "\n".join(line for line in kernel.splitlines() if "audit" in line or "segfault" in line)
        return f"console:\n{console[-6000:]}\nstandard error:\n{said[-3000:]}\nkernel:\n{audit[-1000:]}"


class Kiln(Running):
    name = "kiln"

    def command(self):
        path = f"{self.directory}/{self.guest.name}.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(document.document(self.guest))
        return ["kiln", "run", path]

    @staticmethod
    def cli(*arguments, patience=120):
        """Runs `kiln ARGUMENTS...` and returns its status and its output."""
        with as_user(
            ["kiln", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            try:
                output, _ = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Hang(f"kiln {' '.join(arguments)} took over {patience} s") from None
            return process.returncode, output.decode(errors="replace")

    def control(self, verb):
        status, output = self.cli("ctl", self.guest.name, verb)
        if status != 0:
            raise Failure(f"kiln ctl {self.guest.name} {verb}: status {status}: {output.strip()}")
        return output


class Qemu(Running):
    name = "qemu"

    def command(self):
        guest = self.guest
        sockets, cores, threads = guest.topology
        smbios = ",".join(
            f"{name}={value.replace(',', ',,')}" for name, (_, value) in document.SYSINFO["system"].items()
        )
        self.socket = f"{self.directory}/{guest.name}.qmp"
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
        command += ["-accel", "kvm", "-cpu", "host", "-M", "q35", "-m", str(guest.memory)]
        command += ["-smp", f"{guest.vcpus},sockets={sockets},cores={cores},threads={threads}"]
        command += ["-uuid", guest.uuid, "-smbios", f"type=1,{smbios}"]
        command += ["-kernel", guest.kernel_path, "-initrd", guest.initrd_path, "-append", guest.cmdline]
        command += ["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
        command += ["-device", "pvpanic", "-qmp", f"unix:{self.socket},server=on,wait=off"]
        if guest.on_reboot == "destroy":
            command.append("-no-reboot")
        return command

    def control(self, verb):
        names = {"pause": "stop", "resume": "cont", "shutdown": "system_powerdown", "status": "query-status",
                 "reset": "system_reset", "kill": "quit"}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket)
            file = connection.makefile("rw")
            file.readline()
            for command in ("qmp_capabilities", names[verb]):
                file.write(json.dumps({"execute": command}) + "\n")
                file.flush()
                while "event" in (answer := json.loads(file.readline())):
                    pass
            return json.dumps(answer)


VMMS = {vmm.name: vmm for vmm in (Kiln, Qemu)}
