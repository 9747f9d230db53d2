#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole program on /dev/kvm with a guest of a few instructions (guest.S): `make check-kvm`.

Every case writes a document, runs `kiln run` on it, and looks at what a user would: the guest's output,
what kiln says, its exit status, and what it leaves behind.
"""
import os
import pathlib
import pty
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = pathlib.Path(os.environ.get("KILN_BUILDDIR", ".")).resolve()
KILN = str(BUILD / "kiln")
GUEST = str(BUILD / "tests/machine/guest.elf")
MULTIBOOT_GUEST = str(BUILD / "tests/machine/guest-multiboot.elf")
DEADLINE = 60  # seconds; no case waits for time, only for output
PATIENT_LISTS = 20

POWEROFF, FAILED, DOCUMENT, CRASHED, DESTROYED = 0, 1, 3, 4, 5

XML = """<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{vcpus}</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{kernel}</kernel>{initrd}
    <cmdline>{cmdline}</cmdline></os>
  <features><acpi/><apic/></features>
  <on_poweroff>{on_poweroff}</on_poweroff><on_reboot>{on_reboot}</on_reboot>
  <on_crash>{on_crash}</on_crash>
  <devices>{serial}<panic model='isa'/><memballoon model='none'/></devices>
</domain>
"""


class Case:
    """A scratch directory with a runtime directory of its own, and the guests run in it."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="kiln-test-")
        self.path = pathlib.Path(self.dir.name)
        self.runtime = self.path / "run"
        self.runtime.mkdir(mode=0o700)
        self.env = dict(os.environ, XDG_RUNTIME_DIR=str(self.runtime), LC_ALL="C",
                        KILN_RUNTIME_DIR=str(self.runtime / "libvirt/kiln"))
        self.children = []

    def document(self, name="guest", cmdline="p", memory=64, vcpus=1, kernel=GUEST, initrd="",
                 on_poweroff="destroy", on_reboot="restart", on_crash="destroy",
                 serial="<serial type='stdio'><target port='0'/></serial>"):
        path = self.path / f"{name}.xml"
        path.write_text(XML.format(**{k: v for k, v in locals().items() if k != "self"}))
        return str(path)

    def run(self, document, *options, stdin=""):
        """Runs a guest to its end."""
        return subprocess.run([KILN, "run", *options, document], input=stdin, text=True,
                              capture_output=True, env=self.env, timeout=DEADLINE, check=False)

    def start(self, document, *options):
        child = subprocess.Popen([KILN, "run", *options, document], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        self.children.append(child)
        return child

    def kiln(self, *arguments):
        return subprocess.run([KILN, *arguments], text=True, capture_output=True, env=self.env,
                              timeout=DEADLINE, check=False)

    def left_behind(self):
        """Sockets and files in the runtime directory, lock files apart."""
        return [str(p) for p in self.runtime.rglob("*") if p.is_socket()]

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        self.dir.cleanup()


def read_until(child, wanted, descriptor=None):
    """What the guest printed until @wanted was among it."""
    got = b""
    end = time.monotonic() + DEADLINE
    source = descriptor if descriptor is not None else child.stdout.fileno()
    while wanted not in got:
        ready, _, _ = select.select([source], [], [], max(0, end - time.monotonic()))
        assert ready, f"waited for {wanted!r}, have {got!r}"
        chunk = os.read(source, 65536)
        assert chunk, f"ended before {wanted!r}, after {got!r}; it said {child.stderr.read()!r}"
        got += chunk
    return got


def finish(child):
    out, err = child.communicate(timeout=DEADLINE)
    return child.returncode, out, err.decode()


def same(got, wanted, what=""):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


# ---- Life and end -------------------------------------------------------------------------------

def power_off(case):
    done = case.run(case.document(cmdline="..p"))
    same((done.returncode, done.stdout, done.stderr), (POWEROFF, "1..", ""), "power-off")
    same(case.left_behind(), [], "left behind")


def reset_by(letter):
    def test(case):
        done = case.run(case.document(cmdline=f"3{letter} p"))
        same((done.returncode, done.stdout), (POWEROFF, "123"), "three boots")
    test.__name__ = f"reset_by_{letter}"
    return test


def reset_reaches_the_pci_host(case):
    done = case.run(case.document(cmdline="ff3c p"))
    same((done.returncode, done.stdout), (POWEROFF, "1F2F3F"), "set once a boot, and never before")


def on_reboot_destroy(case):
    done = case.run(case.document(cmdline="c", on_reboot="destroy"))
    same(done.stdout, "1", "one boot")
    assert done.returncode in (POWEROFF, DESTROYED), done.returncode


def on_poweroff_restart(case):
    child = case.start(case.document(cmdline="3p l", on_poweroff="restart"))
    read_until(child, b"123.")
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    same(finish(child)[0], DESTROYED, "status")


def panic_destroy(case):
    done = case.run(case.document(cmdline="x"))
    same((done.returncode, done.stdout), (CRASHED, "1"), "panic")
    assert "panic" in done.stderr or "crash" in done.stderr, done.stderr


def crash_kernel_loaded(case):
    child = case.start(case.document(cmdline="nep"))
    read_until(child, b"1")
    end = time.monotonic() + DEADLINE
    while "running" not in case.kiln("ctl", "guest", "status").stdout:
        assert time.monotonic() < end
    out, err = child.communicate(b"q", timeout=DEADLINE)
    same(child.returncode, POWEROFF, "it goes on")
    same(err.decode().count("panicked"), 1, f"said once, however often the guest says it: {err}")


def panic_restart(case):
    done = case.run(case.document(cmdline="3x p", on_crash="restart"))
    same((done.returncode, done.stdout), (POWEROFF, "123"), "panic, restarted")


def panic_preserve(case):
    child = case.start(case.document(cmdline="x", on_crash="preserve"))
    read_until(child, b"1")
    end = time.monotonic() + DEADLINE
    while "crashed" not in (status := case.kiln("ctl", "guest", "status").stdout):
        assert time.monotonic() < end, status
    assert case.kiln("ctl", "guest", "resume").returncode != 0, "a crashed guest was resumed"
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    same(finish(child)[0], DESTROYED, "status")


def sigterm(case):
    child = case.start(case.document(cmdline="l"))
    read_until(child, b"..")
    child.send_signal(signal.SIGTERM)
    status, _, _ = finish(child)
    same(status, DESTROYED, "status")
    same(case.left_behind(), [], "left behind")


# ---- Control ------------------------------------------------------------------------------------

def pause_and_resume(case):
    child = case.start(case.document(cmdline="l"))
    read_until(child, b"...")
    same(case.kiln("ctl", "guest", "pause").returncode, 0, "pause")
    assert "paused" in case.kiln("ctl", "guest", "status").stdout
    # Whatever is still in the pipe was written before; then there must be nothing more.
    while select.select([child.stdout], [], [], 0.5)[0]:
        os.read(child.stdout.fileno(), 65536)
    assert not select.select([child.stdout], [], [], 1)[0], "a paused guest wrote"
    same(case.kiln("ctl", "guest", "resume").returncode, 0, "resume")
    read_until(child, b"...")
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    finish(child)


def power_button(case):
    child = case.start(case.document(cmdline="bp"))
    read_until(child, b"W")
    same(case.kiln("ctl", "guest", "shutdown").returncode, 0, "shutdown")
    status, out, _ = finish(child)
    same((status, out[-1:]), (POWEROFF, b"B"), "power button")


def reboot_by_user(case):
    child = case.start(case.document(cmdline="3bp l"))
    read_until(child, b"1W")
    same(case.kiln("ctl", "guest", "reboot").returncode, 0, "reboot")
    read_until(child, b"2W")
    same(case.kiln("ctl", "guest", "reset").returncode, 0, "reset")
    read_until(child, b"3..")
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    finish(child)


def list_and_statistics(case):
    child = case.start(case.document(cmdline="l", vcpus=2))
    read_until(child, b"..")
    for _ in range(PATIENT_LISTS):  # on a busy machine the guest may answer later than a list waits
        listed = case.kiln("list").stdout
        if "no answer" not in listed:
            break
    assert "guest" in listed and str(child.pid) in listed and "running" in listed, listed
    stats = case.kiln("ctl", "guest", "stats").stdout
    for key in ("state.state", "cpu.time", "vcpu.1.time", "exits.pio", "balloon.maximum"):
        assert key in stats, stats
    assert "<name>guest</name>" in case.kiln("ctl", "guest", "xml").stdout
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    finish(child)
    assert "guest" not in case.kiln("list").stdout


def statistics_of_devices(case):
    """libvirt's keys of disks, interfaces, memory and I/O threads, each in its unit."""
    image = case.path / "disk.img"
    with open(image, "wb") as file:
        file.truncate(3 << 20)
    document = pathlib.Path(case.document(
        cmdline="l", serial=f"""<serial type='stdio'/>
        <disk type='file' device='disk'><driver type='raw' iothread='1'/><source file='{image}'/>
          <target dev='vdx' bus='virtio'/></disk>
        <interface type='null'><mac address='52:54:00:00:00:01'/><model type='virtio'/>
        </interface>"""))
    document.write_text(document.read_text().replace("<vcpu>", "<iothreads>2</iothreads><vcpu>", 1)
                        .replace("<memballoon model='none'/>", "<memballoon model='virtio'/>"))
    child = case.start(str(document))
    read_until(child, b"..")
    stats = case.kiln("ctl", "guest", "stats").stdout
    for wanted in ("block.count 1", "block.0.name vdx", f"block.0.path {image}",
                   f"block.0.capacity {3 << 20}", f"block.0.physical {3 << 20}",
                   "block.0.allocation 0", "block.0.rd.reqs 0", "block.0.wr.bytes 0",
                   "block.0.fl.times 0", "net.count 1", "net.0.name net0", "net.0.rx.bytes 0",
                   "net.0.tx.drop 0", f"balloon.current {64 << 10}",
                   f"balloon.maximum {64 << 10}", "iothread.count 2"):
        assert wanted.replace(" ", "=", 1) in stats.splitlines(), (wanted, stats)
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    finish(child)


def many_queues(case):
    """More descriptors than a process may have to begin with: queues and interrupts are some each."""
    disks = ""
    for letter in "ab":
        image = case.path / f"{letter}.img"
        with open(image, "wb") as file:
            file.truncate(1 << 20)
        disks += (f"<disk type='file' device='disk'><driver type='raw' queues='400'/>"
                  f"<source file='{image}'/><target dev='vd{letter}' bus='virtio'/></disk>")
    document = case.document(cmdline="p", serial="<serial type='stdio'/>" + disks)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        return f"the limit of open files is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        done = case.run(document)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    same((done.returncode, done.stderr), (POWEROFF, ""), "two disks of 400 queues")


def serial_input(case):
    done = case.run(case.document(cmdline="ep"), stdin="hello, worldq")
    same((done.returncode, done.stdout), (POWEROFF, "1hello, world"), "echo")


def console_command(case):
    child = case.start(case.document(cmdline="ep", serial="<serial type='pty'/>"))
    end = time.monotonic() + DEADLINE
    while "running" not in case.kiln("list").stdout:
        assert time.monotonic() < end and child.poll() is None, child.communicate()
    main, terminal = pty.openpty()
    console = subprocess.Popen([KILN, "console", "guest"], stdin=terminal, stdout=terminal,
                               stderr=subprocess.PIPE, env=case.env)
    case.children.append(console)
    before = subprocess.run(["stty", "-g"], stdin=terminal, capture_output=True, check=True).stdout
    os.write(main, b"typed")
    read_until(console, b"typed", main)
    os.write(main, b"\x1d")  # Ctrl-]
    console.communicate(timeout=DEADLINE)
    same(console.returncode, 0, "console's status")
    after = subprocess.run(["stty", "-g"], stdin=terminal, capture_output=True, check=True).stdout
    assert b"-icanon" not in after and before is not None, "the terminal is left raw"
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    finish(child)
    os.close(main)
    os.close(terminal)


def memory_above_4g(case):
    done = case.run(case.document(cmdline="p", memory=5120, vcpus=4))
    same((done.returncode, done.stdout), (POWEROFF, "1"), "5 GiB")


def many_vcpus(case):
    done = case.run(case.document(cmdline="p", vcpus=64))
    same((done.returncode, done.stdout), (POWEROFF, "1"), "64 vCPUs")


def multiboot(case):
    done = case.run(case.document(cmdline="..3c p", kernel=MULTIBOOT_GUEST))
    same((done.returncode, done.stdout), (POWEROFF, "1..2..3.."), "multiboot")


def large_initrd(case):
    initrd = case.path / "initrd"
    with open(initrd, "wb") as file:
        file.truncate(3 << 29)
    done = case.run(case.document(memory=6144, initrd=f"<initrd>{initrd}</initrd>"))
    same((done.returncode, done.stdout), (POWEROFF, "1"), "1.5 GiB of initrd")


# ---- Serial ports -------------------------------------------------------------------------------

def serial_file_and_log(case):
    serial = (f"<serial type='file'><source path='{case.path}/out' append='on'/>"
              f"<log file='{case.path}/log' append='off'/></serial>")
    (case.path / "out").write_text("before ")
    done = case.run(case.document(cmdline="..p", serial=serial))
    same((done.returncode, done.stdout), (POWEROFF, ""), "status")
    same((case.path / "out").read_text(), "before 1..", "file")
    same((case.path / "log").read_text(), "1..", "log")


def talk_over(case, serial, connect):
    """A client of the guest's serial port types and is answered."""
    child = case.start(case.document(cmdline="ep", serial=serial))
    end = time.monotonic() + DEADLINE
    while True:
        try:
            peer = connect()
            break
        except OSError:
            assert time.monotonic() < end and child.poll() is None, child.communicate()
    peer.settimeout(DEADLINE)
    peer.sendall(b"over there")
    got = b""
    while b"over there" not in got:
        chunk = peer.recv(4096)
        assert chunk, got
        got += chunk
    peer.sendall(b"q")
    same(finish(child)[0], POWEROFF, "status")
    peer.close()


def serial_unix(case):
    path = str(case.path / "serial.sock")

    def connect():
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        return peer
    talk_over(case, f"<serial type='unix'><source mode='bind' path='{path}'/></serial>", connect)
    assert not os.path.exists(path), "the socket is left behind"


def serial_tcp(case):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    talk_over(case, f"<serial type='tcp'><source mode='bind' host='127.0.0.1' service='{port}'/>"
              "<protocol type='raw'/></serial>",
              lambda: socket.create_connection(("127.0.0.1", port)))


# ---- Bad input ----------------------------------------------------------------------------------

def one_line(done, *wanted):
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT), done
    for text in wanted:
        assert text in done.stderr, f"{text!r} is not in {done.stderr!r}"
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines


def missing_kernel(case):
    done = case.run(case.document(kernel="/nonexistent/vmlinuz"))
    one_line(done, "/nonexistent/vmlinuz", "No such file")
    same(case.left_behind(), [], "left behind")


def not_a_kernel(case):
    junk = case.path / "junk"
    junk.write_bytes(b"this is no kernel" * 100)
    one_line(case.run(case.document(kernel=str(junk))), str(junk))


def unknown_time_zone(case):
    document = pathlib.Path(case.document())
    text = document.read_text()
    document.write_text(text.replace("<on_poweroff>", "<clock offset='timezone' "
                                     "timezone='Atlantis/Capital'/><on_poweroff>", 1))
    one_line(case.run(str(document)), "Atlantis/Capital")


def too_many_oem_strings(case):
    document = pathlib.Path(case.document())
    text = document.read_text().replace("</os>", "<smbios mode='sysinfo'/></os><sysinfo type="
                                        "'smbios'><oemStrings>" + "<entry>x</entry>" * 256
                                        + "</oemStrings></sysinfo>", 1)
    document.write_text(text)
    one_line(case.run(str(document)), "256 OEM strings")


def too_many_vcpus(case):
    one_line(case.run(case.document(vcpus=4000)), "vCPUs")


def too_much_memory(case):
    one_line(case.run(case.document(memory=1 << 40)), "memory")


def same_name_twice(case):
    document = case.document(cmdline="l")
    child = case.start(document)
    read_until(child, b"..")
    one_line(case.run(document), "guest", str(child.pid))
    assert child.poll() is None, "the first one was disturbed"
    same(case.kiln("ctl", "guest", "status").returncode, 0, "the first one can still be reached")
    same(case.kiln("ctl", "guest", "kill").returncode, 0, "kill")
    finish(child)


def after_a_kill(case):
    document = case.document(cmdline="l")
    child = case.start(document)
    read_until(child, b"..")
    child.kill()
    finish(child)
    assert "guest" not in case.kiln("list").stdout, "a dead guest is listed"
    done = case.run(case.document(cmdline="p"))
    same((done.returncode, done.stdout), (POWEROFF, "1"), "the name can be used again")


def another_user(case):
    """Who is neither the same user nor root is turned away, whatever the modes of the files say."""
    if os.geteuid() != 0:
        return "needs root, to become somebody else"
    child = case.start(case.document(cmdline="l"))
    read_until(child, b"..")
    for path in [case.path, *case.path.rglob("*")]:
        path.chmod(0o777)
    done = subprocess.run([KILN, "ctl", "guest", "status"], text=True, capture_output=True,
                          env=case.env, timeout=DEADLINE, check=False, user=65534, group=65534,
                          extra_groups=[])
    assert done.returncode != 0 and "running" not in done.stdout, done
    same(case.kiln("ctl", "guest", "status").returncode, 0, "the owner is let in")
    return None


def unreadable_kernel(case):
    if os.geteuid() == 0:
        return "root may read everything"
    kernel = case.path / "kernel"
    kernel.write_bytes(b"")
    kernel.chmod(0)
    one_line(case.run(case.document(kernel=str(kernel))), str(kernel), "may not read")
    return None


def serial_into_nowhere(case):
    serial = "<serial type='file'><source path='/nonexistent/dir/out'/></serial>"
    one_line(case.run(case.document(serial=serial)), "/nonexistent/dir/out")
    same(case.left_behind(), [], "left behind")


def no_such_guest(case):
    one_line(case.kiln("ctl", "nobody", "pause"), "nobody")


def all_faults_are_told(case):
    document = pathlib.Path(case.document())
    text = document.read_text().replace("<acpi/>", "<acpi/><nonsense/>")
    document.write_text(text.replace("'kvm'", "'xen'").replace(">64<", ">many<"))
    done = case.kiln("validate", str(document))
    assert done.returncode == 1, done
    for wanted in ("nonsense", "xen", "many"):
        assert wanted in done.stdout + done.stderr, (wanted, done)


CASES = [power_off, *[reset_by(letter) for letter in "ckat"], reset_reaches_the_pci_host, on_reboot_destroy,
         on_poweroff_restart, panic_destroy, crash_kernel_loaded, panic_restart,
         panic_preserve, sigterm,
         pause_and_resume, power_button, reboot_by_user, list_and_statistics,
         statistics_of_devices, many_queues, serial_input,
         console_command, memory_above_4g, many_vcpus, multiboot, large_initrd,
         serial_file_and_log, serial_unix, serial_tcp, another_user, unreadable_kernel,
         serial_into_nowhere, missing_kernel, not_a_kernel, unknown_time_zone,
         too_many_oem_strings,
         too_many_vcpus,
         too_much_memory, same_name_twice, after_a_kill, no_such_guest, all_faults_are_told]


def main():
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("1..0 # SKIP /dev/kvm cannot be opened here")
        return
    wanted = sys.argv[1:]
    print(f"1..{len(CASES)}", flush=True)
    for number, test in enumerate(CASES, 1):
        if wanted and test.__name__ not in wanted:
            continue
        case = Case()
        try:
            skipped = test(case)
            print(f"ok {number} - {test.__name__}" + (f" # SKIP {skipped}" if skipped else ""),
                  flush=True)
        except Exception:  # every failure is this case's, whatever it is
            print(f"not ok {number} - {test.__name__}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
        finally:
            case.close()


if __name__ == "__main__":
    main()
