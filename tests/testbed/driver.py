# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtkilnd as the system's driver, and stock virsh as its user.  Root starts it, guests run as
libvirt-kiln, and a plain user tries what he may not."""
import os
import re
import signal
import subprocess
import time

import vmm
from document import Guest, document

URI = "kiln:///system"
SERVICE_USER = "libvirt-kiln"
LOG = "/var/tmp/virtkilnd.log"
PATIENCE = 120  # seconds, for what the testbed's processor is slow at


class Wrong(Exception):
    """Something was otherwise than it should be."""


def virsh(*arguments, uri=URI, user=None, patience=PATIENCE, readonly=False):
    """Returns status and output of one command."""
    command = ["virsh", "-q", *(["-r"] if readonly else []), "-c", uri, *arguments]
    more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = vmm.as_user(command, user=user, **more) if user else subprocess.Popen(command, **more)
    try:
        output, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Wrong(f"virsh {' '.join(arguments)} took over {patience} s") from None
    return process.returncode, output.decode(errors="replace")


def good(*arguments, **more):
    status, output = virsh(*arguments, **more)
    if status != 0:
        raise Wrong(f"virsh {' '.join(arguments)}: status {status}: {output.strip()}")
    return output


def refused(pattern, *arguments, **more):
    status, output = virsh(*arguments, **more)
    if status == 0 or not re.search(pattern, output, re.IGNORECASE):
        raise Wrong(f"virsh {' '.join(arguments)}: status {status}, wanted '{pattern}': {output.strip()}")


def says(pattern, *arguments, **more):
    output = good(*arguments, **more)
    match = re.search(pattern, output, re.MULTILINE)
    if match is None:
        raise Wrong(f"virsh {' '.join(arguments)}: wanted '{pattern}': {output.strip()}")
    return match


def becomes(pattern, *arguments, patience=PATIENCE):
    """Asks again until the answer is as it should be."""
    end = time.monotonic() + patience
    while True:
        output = good(*arguments)
        if re.search(pattern, output):
            return
        if time.monotonic() > end:
            raise Wrong(f"virsh {' '.join(arguments)}: no '{pattern}' in {patience} s: {output.strip()}")
        time.sleep(0.5)


def make_user():
    """The user as whom guests run, as the package makes it."""
    if subprocess.run(["id", SERVICE_USER], check=False, capture_output=True).returncode != 0:
        subprocess.run(["useradd", "-r", "-G", "kvm", SERVICE_USER], check=True)


def definitions():
    """The names of the files of definitions that there are."""
    where = "/etc/libvirt/kiln"
    return sorted(name for name in (os.listdir(where) if os.path.isdir(where) else []) if name.endswith(".xml"))


class Daemon:
    """The process of virtkilnd."""

    def __init__(self):
        self.process = None

    def start(self):
        with open(LOG, "ab") as log:
            self.process = subprocess.Popen(["virtkilnd", "-v"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        end = time.monotonic() + PATIENCE
        while virsh("uri")[0] != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                raise Wrong(f"virtkilnd does not answer: {self.said()}")
            time.sleep(0.2)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    @staticmethod
    def said():
        with open(LOG, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]


class Driver:
    """The scenario: steps in their order; the first that fails ends it."""

    kiln_only = True
    cost = 8
    name = "virtkilnd"

    def __init__(self):
        self.guest = Guest("of-virtkilnd", "cloud-bzImage", 1, 256)
        self.daemon = Daemon()
        self.events = None
        self.directory = None

    # --- steps

    def answers(self):
        make_user()
        self.daemon.start()
        says(r"Running hypervisor: KILN", "version")

    def knows_the_host(self):
        says(r"CPU\(s\): +1$", "nodeinfo")
        says(r"<domain type='kvm'/?>", "capabilities")
        says(r"<domain>kvm</domain>", "domcapabilities")

    def defines(self):
        text = document(self.guest).replace("<serial type='stdio'>", "<serial type='pty'>")
        path = f"{self.directory}/driver.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        good("define", path)
        says(r"^ *- +of-virtkilnd +shut off$", "list", "--all")
        if not os.path.exists("/etc/libvirt/kiln/of-virtkilnd.xml"):
            raise Wrong("no definition in /etc/libvirt/kiln")

    def refuses_with_place_and_reason(self):
        path = f"{self.directory}/bad.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(document(Guest("bad")).replace("<panic model='isa'/>", "<sound model='ich9'/>"))
        refused(r"sound", "define", path)

    def watches(self):
        if self.events is not None:
            self.events.kill()
            self.events.wait()
        with open(f"{self.directory}/events", "wb") as file:
            self.events = subprocess.Popen(["virsh", "-c", URI, "event", "--all", "--loop"], stdin=subprocess.DEVNULL,
                                           stdout=file, stderr=file, start_new_session=True)
        time.sleep(1)

    def starts(self):
        good("start", "of-virtkilnd")
        says(r"running \(booted\)", "domstate", "of-virtkilnd", "--reason")
        self.pid = int(subprocess.run(["pgrep", "-f", "kiln run.*of-virtkilnd"], capture_output=True, text=True,
                                      check=True).stdout.split()[0])

    def runs_as_nobody_special(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        wanted = subprocess.run(["id", "-u", SERVICE_USER], capture_output=True, text=True, check=True).stdout.strip()
        if set(status["Uid"].split()) != {wanted} or int(status["CapEff"], 16) != 0 or int(status["CapBnd"], 16) != 0:
            raise Wrong(f"Uid {status['Uid']}, CapEff {status['CapEff']}, CapBnd {status['CapBnd']}")

    def has_a_console(self):
        """By libvirt-python: a stream, read until the guest's first process says that it is there."""
        program = f"""
import libvirt, sys
connection = libvirt.open("{URI}")
stream = connection.newStream(0)
connection.lookupByName("of-virtkilnd").openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
stream.send(b"echo over the stream\\n")
seen = b""
while b"KILN-ECHO over the stream" not in seen:
    seen += stream.recv(4096)
stream.finish()
"""
        end = time.monotonic() + PATIENCE
        while True:
            # Until init reads the port, what is written to it is lost: asked again.
            done = subprocess.run(["timeout", "20", "python3", "-c", program], capture_output=True, text=True,
                                  check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > end:
                raise Wrong(f"{done.stdout}{done.stderr}")

    def counts(self):
        output = good("domstats", "of-virtkilnd")
        for key in ("state.state=1", "cpu.time=", "vcpu.current=1", "vcpu.0.time=", "balloon.maximum=262144"):
            if key not in output:
                raise Wrong(f"domstats lacks {key}: {output}")
        says(r"^\d+$", "domid", "of-virtkilnd")

    def stands_still_and_goes_on(self):
        good("suspend", "of-virtkilnd")
        says(r"paused \(user\)", "domstate", "of-virtkilnd", "--reason")
        good("resume", "of-virtkilnd")
        says(r"running", "domstate", "of-virtkilnd")

    def is_adopted_after_a_kill(self):
        number = good("domid", "of-virtkilnd").strip()
        self.daemon.kill()
        os.kill(self.pid, 0)
        self.daemon.start()
        if good("domid", "of-virtkilnd").strip() != number:
            raise Wrong(f"its id was {number} before")
        says(r"running", "domstate", "of-virtkilnd")
        self.watches()
        self.has_a_console()

    def does_not_wait_for_one_that_is_stopped(self):
        os.kill(self.pid, signal.SIGSTOP)
        try:
            start = time.monotonic()
            says(r"of-virtkilnd +running", "list")
            good("domstats", "of-virtkilnd")
            if time.monotonic() - start > 10:
                raise Wrong("others waited for it")
            refused(r"timed out|did not answer", "suspend", "of-virtkilnd")
        finally:
            os.kill(self.pid, signal.SIGCONT)
        becomes(r"running|paused", "domstate", "of-virtkilnd")
        virsh("resume", "of-virtkilnd")

    def lets_readers_read(self):
        says(r"of-virtkilnd", "list", readonly=True, user=vmm.USER)
        refused(r"read.?only|forbidden|denied", "destroy", "of-virtkilnd", readonly=True, user=vmm.USER)

    def turns_others_away(self):
        refused(r"permission|authentication|denied|polkit", "list", user=vmm.USER)

    def is_shut_down(self):
        good("shutdown", "of-virtkilnd")
        becomes(r"shut off", "domstate", "of-virtkilnd")
        says(r"shut off \(shutdown\)", "domstate", "of-virtkilnd", "--reason")

    def told_it_all(self):
        with open(f"{self.directory}/events", encoding="utf-8") as file:
            told = file.read()
        if not re.search(r"'lifecycle' for domain 'of-virtkilnd': Stopped Shutdown", told):
            raise Wrong(f"no event of the shutdown: {told}")

    def makes_transient_ones(self):
        good("undefine", "of-virtkilnd")
        good("create", f"{self.directory}/driver.xml")
        says(r"Persistent: +no", "dominfo", "of-virtkilnd")
        good("define", f"{self.directory}/driver.xml")
        says(r"Persistent: +yes", "dominfo", "of-virtkilnd")
        good("destroy", "of-virtkilnd")
        says(r"shut off \(destroyed\)", "domstate", "of-virtkilnd", "--reason")
        good("undefine", "of-virtkilnd")
        if good("list", "--all").strip():
            raise Wrong("something is left")

    def stops(self):
        self.events.kill()
        self.daemon.kill(signal.SIGTERM)
        left = [name for name in os.listdir("/run/libvirt") if name.startswith("virtkilnd-sock")]
        if left:
            raise Wrong(f"left in /run/libvirt: {left}")

    STEPS = [
        ("answers virsh", answers),
        ("knows the host", knows_the_host),
        ("takes a definition", defines),
        ("refuses another with the reason", refuses_with_place_and_reason),
        ("is watched", watches),
        ("starts the guest", starts),
        ("guest is nobody special", runs_as_nobody_special),
        ("guest's console is a stream", has_a_console),
        ("counts", counts),
        ("guest stands still and goes on", stands_still_and_goes_on),
        ("killed, finds the guest again", is_adopted_after_a_kill),
        ("waits for no guest that is stopped", does_not_wait_for_one_that_is_stopped),
        ("lets readers read", lets_readers_read),
        ("turns others away", turns_others_away),
        ("guest is shut down", is_shut_down),
        ("tells events", told_it_all),
        ("makes transient guests, and keeps them", makes_transient_ones),
        ("stops", stops),
    ]

    def run(self, tap, machine, directory):
        self.directory = directory
        failed = None
        for name, step in self.STEPS:
            details = "not reached" if failed else None
            if failed is None:
                try:
                    step(self)
                except Exception as error:  # a fault of this suite is a failure too
                    details = failed = f"{type(error).__name__}: {error}\n{self.daemon.said()}"
            tap.line(details is None, f"{self.name}: {name}", details)
        for process in (self.events, self.daemon.process):
            if process is not None and process.poll() is None:
                process.kill()
        subprocess.run(["pkill", "-9", "-f", "kiln run.*of-virtkilnd"], check=False)
        tap.line(not definitions() or failed is not None, f"{self.name}: leaves nothing behind", ", ".join(definitions()))
