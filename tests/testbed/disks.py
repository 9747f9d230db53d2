# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of every kind in a Debian system, and what becomes of their images on the host."""
import hashlib
import os
import re
import subprocess
import time

import system
import vmm
from system import System, does, on_host, powers_off, starts
from systems import disk_blocks, fio_verifies, image_is_clean, tree_copies, trim_gives_back

SMALL = "/mnt/small"
MIB = 1 << 20


def disk(name, source, driver="name='qemu' type='raw'", kind="file", more=""):
    """A <disk> with its serial."""
    return f"""
    <disk type='{kind}' device='disk'>
      <driver {driver}/>
      {source}
      <target dev='{name}' bus='virtio'/>{more}
      <serial>disk-{name}</serial>
    </disk>"""


def file(name):
    return f"<source file='@DIR@/{name}'/>"


class Disks(System):
    """With images that are made before it starts, and programs of the host that serve some."""

    images = ()  # name, options of qemu-img create
    servers = ()  # commands

    def prepare(self, directory):
        super().prepare(directory)
        for name, *options in self.images:
            system.run("qemu-img", "create", "-q", *options[:-1], os.path.join(directory, name), options[-1])
        self.running = []
        for socket, *command in self.servers:
            words = [word.replace("@DIR@", directory) for word in command]
            self.running.append(vmm.as_user(words, stdin=subprocess.DEVNULL))
            deadline = time.monotonic() + 60
            while not os.path.exists(f"{directory}/{socket}"):
                if time.monotonic() > deadline:
                    raise vmm.Failure(f"{command[0]} makes no socket")
                time.sleep(0.2)

    def stop_servers(self):
        for process in self.running:
            process.terminate()
            process.wait(60)


# --- every kind of disk

KINDS = {
    "vdb": "raw, O_DIRECT, 4 queues, an I/O thread",
    "vdc": "qcow2, O_DIRECT",
    "vdd": "qcow2 on a compressed image, packed ring",
    "vde": "NBD",
    "vdf": "vhost-user",
    "vdg": "block device",
    "vdi": "raw, limited",
}
SIZES = {"vdb": 160, "vdc": 160, "vdd": 64, "vde": 64, "vdf": 64, "vdg": 64, "vdh": 16, "vdi": 64}
# Where the host finds what each disk holds.
HELD_BY = {"vdb": ("raw", "b.raw"), "vdc": ("qcow2", "c.qcow2"), "vdd": ("qcow2", "d.qcow2"), "vde": ("raw", "e.raw"),
           "vdf": ("raw", "f.raw"), "vdg": ("raw", "/dev/kiln-loop"), "vdh": ("raw", "h.raw"), "vdi": ("raw", "i.raw")}

DEVICES = (
    disk("vdb", file("b.raw"), "name='qemu' type='raw' cache='none' discard='unmap' iothread='1' queues='4'")
    + disk("vdc", file("c.qcow2"), "name='qemu' type='qcow2' cache='none' discard='unmap'")
    + disk("vdd", file("d.qcow2"), "name='qemu' type='qcow2' packed='on'")
    + disk("vde", "<source protocol='nbd'><host transport='unix' socket='@DIR@/nbd.sock'/></source>", kind="network")
    + """
    <disk type='vhostuser' device='disk'>
      <driver name='qemu' type='raw'/>
      <source type='unix' path='@DIR@/vhost.sock'/>
      <target dev='vdf' bus='virtio'/>
    </disk>"""
    + disk("vdg", "<source dev='/dev/kiln-loop'/>", "name='qemu' type='raw' cache='none'", kind="block")
    + disk("vdh", file("h.raw"), more="<readonly/>")
    + disk("vdi", file("i.raw"),
           more="<iotune><total_bytes_sec>2097152</total_bytes_sec><read_iops_sec>50</read_iops_sec></iotune>"))

SHARED_MEMORY = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><iothreads>1</iothreads>"


class Every(Disks):
    images = (
        ("b.raw", "-f", "raw", "160M"),
        ("c.qcow2", "-f", "qcow2", "-o", "preallocation=off", "160M"),
        ("e.raw", "-f", "raw", "64M"),
        ("f.raw", "-f", "raw", "64M"),
        ("i.raw", "-f", "raw", "64M"),
    )
    servers = (
        ("nbd.sock", "qemu-nbd", "-t", "-f", "raw", "--discard=unmap", "-k", "@DIR@/nbd.sock", "@DIR@/e.raw"),
        ("vhost.sock", "qemu-storage-daemon", "--blockdev", "file,node-name=f,filename=@DIR@/f.raw,discard=unmap",
         "--export", "vhost-user-blk,id=x,node-name=f,writable=on,addr.type=unix,addr.path=@DIR@/vhost.sock"),
    )

    def prepare(self, directory):
        # Half of it compresses well, the other half hardly; and a read-only disk.
        text = b"".join(b"line %d of what compresses well\n" % i for i in range(60000))
        with open("/usr/bin/qemu-system-x86_64", "rb") as binary:
            text = (text[:MIB] + binary.read(3 * MIB)) * 2
        for name, content in (("base.raw", text + bytes(56 * MIB)), ("h.raw", text + bytes(8 * MIB))):
            with open(f"{directory}/{name}", "wb") as image:
                image.write(content)
            os.chown(f"{directory}/{name}", vmm.USER, vmm.USER)
        self.base = hashlib.sha256(text).hexdigest()
        system.run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", f"{directory}/base.raw",
                   f"{directory}/base.qcow2")
        system.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{directory}/base.qcow2", "-F", "qcow2",
                   f"{directory}/d.qcow2")
        super().prepare(directory)


def are_there(running):
    """Sizes, serials, flags as the guest's lsblk has them."""
    status, output = running.shell("lsblk -dbno NAME,SIZE,RO,SERIAL")
    seen = {}
    for line in output.splitlines():
        words = line.split()
        if words and words[0].startswith("vd"):
            seen[words[0]] = tuple(words[1:])
    wanted = {name: (str(size * MIB), "1" if name == "vdh" else "0", f"disk-{name}") for name, size in SIZES.items()}
    # Its serial is the back end's to tell.
    wrong = [f"{name}: {seen.get(name)}, not {want}" for name, want in wanted.items()
             if (seen.get(name, ())[:2] if name == "vdf" else seen.get(name)) != (want[:2] if name == "vdf" else want)]
    return "; ".join(wrong) + "\n" + output if status != 0 or wrong else None


def reads_base(device):
    def step(running):
        return does(f"head -c 8M /dev/{device} | sha256sum", running.guest.base)(running)

    return step


def takes_seconds(command, least):
    """dd says how long it took.  How much longer than @least is the machine's business."""

    def step(running):
        status, output = running.shell(f"LC_ALL=C {command} 2>&1")
        match = re.search(r"copied, ([0-9.]+) s", output)
        if status != 0 or match is None:
            return f"{command}: status {status}: {output}"
        seconds = float(match.group(1))
        return None if least <= seconds else f"{command} took {seconds} s, less than {least}"

    return step


def grows(device, mib):
    def step(running):
        running.kiln("resize", device, f"{mib}MiB")
        return does(
            f"for i in $(seq 60); do [ $(blockdev --getsize64 /dev/{device}) = {mib * MIB} ] && break; sleep 1; done; "
            f"blockdev --getsize64 /dev/{device}; head -c 2M /usr/bin/python3.11 >/tmp/end && "
            f"dd if=/tmp/end of=/dev/{device} bs=1M seek={mib - 2} oflag=direct 2>&1 && "
            f"dd if=/dev/{device} bs=1M skip={mib - 2} iflag=direct 2>/dev/null | cmp - /tmp/end", rf"^{mib * MIB}$")(running)

    return step


def image_has(name, mib):
    def step(running):
        status, output = system.run("qemu-img", "info", "-U", "--output=json", f"{running.directory}/{name}")
        return None if f'"virtual-size": {mib * MIB}' in output else f"status {status}: {output}"

    return step


def is_in_use(running):
    """Neither a second kiln nor QEMU's tools get at an image of the guest."""
    other = System("thief", disk=None, devices=disk("vda", file("c.qcow2"), "name='qemu' type='qcow2'"))
    status, output = run_document(running.directory, other)
    if status == 0 or "in use" not in output or str(running.process.pid) not in output:
        return f"a second kiln: status {status}: {output}"
    for name, kind in (("c.qcow2", "qcow2"), ("b.raw", "raw")):
        status, output = system.run("qemu-io", "-f", kind, "-c", "write 0 4k", f"{running.directory}/{name}", check=False)
        if status == 0 or "lock" not in output:
            return f"qemu-io, {name}: status {status}: {output}"
    return None


def remembers_sums(running):
    """The guest's own checksums of its disks."""
    running.sums = {}
    status, output = running.shell(
        "sync; for d in " + " ".join(HELD_BY) + "; do blockdev --flushbufs /dev/$d; echo \"SUM $d $(sha256sum </dev/$d)\"; done",
        patience=900)
    for match in re.finditer(r"^SUM (\S+) ([0-9a-f]{64})", output, re.MULTILINE):
        running.sums[match.group(1)] = match.group(2)
    return None if status == 0 and running.sums.keys() == HELD_BY.keys() else f"status {status}: {output}"


def holds(device):
    """The image holds what the guest saw on its disk."""
    kind, name = HELD_BY[device]

    def step(running):
        path = os.path.join(running.directory, name)
        if kind != "raw":
            system.run("qemu-img", "convert", "-f", kind, "-O", "raw", path, f"{path}.converted")
            path = f"{path}.converted"
        found = hashlib.sha256()
        with open(path, "rb") as content:
            while some := content.read(MIB):
                found.update(some)
        if kind != "raw":
            os.unlink(path)
        wanted = running.sums.get(device)
        return None if found.hexdigest() == wanted else f"{name}: {found.hexdigest()}, the guest saw {wanted}"

    return step


def servers_end(running):
    running.guest.stop_servers()


# --- a host whose disk is full

class Full(Disks):
    images = (
        (f"{SMALL}/b.raw", "-f", "raw", "64M"),
        (f"{SMALL}/c.qcow2", "-f", "qcow2", "64M"),
        (f"{SMALL}/d.raw", "-f", "raw", "64M"),
    )


FULL_DEVICES = (
    disk("vdb", f"<source file='{SMALL}/b.raw'/>", "name='qemu' type='raw' error_policy='enospace' discard='unmap'")
    + disk("vdc", f"<source file='{SMALL}/c.qcow2'/>", "name='qemu' type='qcow2' error_policy='stop' discard='unmap'")
    + disk("vdd", f"<source file='{SMALL}/d.raw'/>", "name='qemu' type='raw' error_policy='report' discard='unmap'"))


def leaves_room(mib):
    """All but @mib of the small file system is taken by something else."""

    def step(_):
        filler = f"{SMALL}/filler"
        if os.path.exists(filler):
            os.unlink(filler)
        stat = os.statvfs(SMALL)
        with open(filler, "wb") as file_:
            os.posix_fallocate(file_.fileno(), 0, stat.f_bfree * stat.f_frsize - mib * MIB)

    return step


def pauses_and_goes_on(device):
    """A write that finds no room stops the guest; with room it is done, and nothing was lost."""

    def step(running):
        running.drain()
        running.send(f"dd if=/root/pattern of=/dev/{device} bs=256k oflag=direct 2>&1")
        deadline = time.monotonic() + 120
        while "paused (io-error)" not in (said := running.kiln("status")):
            if time.monotonic() > deadline:
                return f"the guest is {said.strip()}: {running.console[running.seen:][-500:]}"
            time.sleep(0.5)
        # Without room the same again.
        running.kiln("resume")
        deadline = time.monotonic() + 120
        while "paused (io-error)" not in (said := running.kiln("status")):
            if time.monotonic() > deadline:
                return f"resumed without room, the guest is {said.strip()}"
            time.sleep(0.5)
        os.unlink(f"{SMALL}/filler")
        running.kiln("resume")
        status = int(running.expect(r"KILN-STATUS (\d+)\r?\n").group(1))
        if status != 0:
            return f"dd: status {status}: {running.console[-500:]}"
        if "running" not in (said := running.kiln("status")):
            return f"the guest is {said.strip()}"
        return does(f"dd if=/dev/{device} bs=1M count=12 iflag=direct 2>/dev/null | cmp - /root/pattern && echo same", "same")(running)

    return step


def is_emptied(device, name):
    """What is discarded comes back to the host, of qcow2 within a second or so."""

    def step(running):
        complaint = does(f"blkdiscard /dev/{device}")(running)
        end = time.monotonic() + 120
        while complaint is None and (left := disk_blocks(f"{SMALL}/{name}")) > 2 * MIB:
            if time.monotonic() > end:
                return f"{name} still has {left} bytes"
            time.sleep(0.5)
        return complaint

    return step


def reports(running):
    status, output = running.shell("dd if=/root/pattern of=/dev/vdd bs=256k oflag=direct 2>&1")
    if status == 0 or re.search("No space left|Input/output error", output) is None:
        return f"dd: status {status}: {output}"
    said = running.kiln("status")
    return None if "running" in said else f"the guest is {said.strip()}"


# --- images that cannot be used

def run_document(directory, guest, patience=240):
    """`kiln run` of a guest that does not start; its status and what it says."""
    path = f"{directory}/{guest.name}.xml"
    with open(path, "w", encoding="utf-8") as file_:
        file_.write(guest.document(directory))
    os.chown(path, vmm.USER, vmm.USER)
    return system.run("kiln", "run", path, check=False, patience=patience)


class NoStart:
    """A disk with which a guest does not start, and says why."""

    kiln_only = True
    cost = 0

    def __init__(self, name, kind, image, reason, prepare=()):
        self.name = f"a disk that cannot be: {name}"
        self.kind = kind
        self.image = image
        self.reason = reason
        self.commands = prepare

    def run(self, tap, machine, directory):
        guest = System("no-start", disk=None,
                       devices=disk("vda", file(self.image), f"name='qemu' type='{self.kind}'"))
        holder = None
        try:
            for command in self.commands:
                system.run(*[word.replace("@DIR@", directory) for word in command])
            if self.reason == "in use":
                holder = vmm.as_user(["qemu-io", "-f", self.kind, f"{directory}/{self.image}"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
                holder.stdin.write(b"read 0 512\n")
                holder.stdin.flush()
                holder.stdout.readline()
            status, output = run_document(directory, guest)
            good = status != 0 and re.search(self.reason, output) is not None and "vda" in output
            if holder is not None:
                good = good and str(holder.pid) in output
            complaint = None if good else f"status {status}: {output}"
        except (subprocess.TimeoutExpired, vmm.Failure, OSError) as error:
            complaint = f"{type(error).__name__}: {error}"
        if holder is not None:
            holder.kill()
            holder.communicate()
        tap.line(complaint is None, f"{self.name}: is an error at the start", complaint)
        tap.line(True, f"{self.name}: leaves nothing behind")


def create(*words):
    return ("qemu-img", "create", "-q", *words)


def no_starts():
    yield NoStart("missing", "raw", "nowhere.raw", "No such file")
    yield NoStart("a directory", "raw", "dir", "directory", [("mkdir", "@DIR@/dir")])
    yield NoStart("raw called qcow2", "qcow2", "r.raw", "qcow2", [create("-f", "raw", "@DIR@/r.raw", "1M")])
    yield NoStart("a loop of backing files", "qcow2", "l1.qcow2", "loop|itself|deep|chain", [
        create("-f", "qcow2", "@DIR@/l1.qcow2", "1M"),
        create("-f", "qcow2", "-b", "@DIR@/l1.qcow2", "-F", "qcow2", "@DIR@/l2.qcow2"),
        ("qemu-img", "rebase", "-u", "-b", "@DIR@/l2.qcow2", "-F", "qcow2", "@DIR@/l1.qcow2"),
    ])
    yield NoStart("its backing file is missing", "qcow2", "o.qcow2", r"gone\.raw.*No such file", [
        create("-u", "-f", "qcow2", "-b", "@DIR@/gone.raw", "-F", "raw", "@DIR@/o.qcow2", "1M")])
    yield NoStart("qemu-io has it", "qcow2", "q.qcow2", "in use", [create("-f", "qcow2", "@DIR@/q.qcow2", "1M")])


# --- killed under load

LOAD = ("fio --name=l --filename=/dev/vdb --rw=randwrite --bsrange=4k-64k --size=60m --ioengine=libaio --iodepth=16 "
        "--direct=1 --fsync=50 --time_based --runtime=600 --minimal")


class Killed:
    """A guest whose kiln is killed while it writes, and that starts again with the same disk."""

    name = "a guest killed under load"
    kiln_only = True
    TIMES = 5
    cost = 3 * TIMES

    def once(self, directory, turn):
        """Returns what is wrong, or None."""
        guest = System("killed", disk="qcow2", devices=disk("vdb", file("k.qcow2"), "name='qemu' type='qcow2' cache='none'"))
        with system.Kiln(guest, directory) as running:
            complaint = starts(running)
            if complaint is None and turn > 0:
                complaint = does("dd if=/dev/vdb bs=1M skip=64 count=4 2>/dev/null | sha256sum", self.sum)(running)
            if complaint is not None:
                return f"{complaint}\n{running.log()}"
            status, output = running.shell("head -c 4M /dev/urandom >/tmp/p && dd if=/tmp/p of=/dev/vdb bs=1M seek=64 "
                                           "conv=fsync 2>/dev/null && sha256sum </tmp/p")
            match = re.search(r"[0-9a-f]{64}", output)
            if status != 0 or match is None:
                return f"writing: status {status}: {output}"
            self.sum = match.group(0)
            running.send(LOAD)
            time.sleep(4 + 1.3 * turn)
            running.process.kill()
            running.process.wait()
        deadline = time.monotonic() + 120
        while True:  # an io_uring lets go of its files after its process
            status, output = system.run("qemu-img", "check", f"{directory}/k.qcow2", check=False)
            if "lock" not in output or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return None if status in (0, 3) else f"qemu-img check: status {status}: {output}"

    def run(self, tap, machine, directory):
        path = f"{directory}/k.qcow2"
        system.run("qemu-img", "create", "-q", "-f", "qcow2", path, "72M")
        for turn in range(self.TIMES):
            try:
                complaint = self.once(directory, turn)
            except (vmm.Hang, vmm.Failure, OSError, subprocess.TimeoutExpired) as error:
                complaint = f"{type(error).__name__}: {error}"
            tap.line(complaint is None, f"{self.name}: time {turn + 1}: leaks at most, and what was flushed is there", complaint)
        try:
            system.run("qemu-img", "check", "-q", "-r", "leaks", path)
            system.run("qemu-img", "check", "-q", path)
            complaint = None
        except vmm.Failure as error:
            complaint = str(error)
        tap.line(complaint is None, f"{self.name}: the image is mended", complaint)
        os.unlink(path)
        tap.line(True, f"{self.name}: leaves nothing behind")


def disks():
    """Yields name, guest, steps."""
    every = Every("disks", DEVICES, memory=512, vcpus=2, head=SHARED_MEMORY)
    yield "every kind of disk", every, [
        ("starts", starts),
        ("has disks with their sizes and serials", are_there),
        ("has the queues that were asked for", does("ls /sys/block/vdb/mq | wc -l", r"^2$")),
        ("reads what its compressed backing image holds", reads_base("vdd")),
        ("reads its read-only disk", reads_base("vdh")),
        ("cannot write its read-only disk",
         does("! dd if=/dev/zero of=/dev/vdh bs=4k count=1 oflag=direct 2>&1 && blockdev --getro /dev/vdh", r"^1$")),
        *[(f"verifies with fio: {what}", fio_verifies(f"/dev/{name}", "4m" if name == "vdi" else "16m"))
          for name, what in KINDS.items()],
        ("is as slow as asked: bytes",
         takes_seconds("dd if=/dev/zero of=/dev/vdi bs=256k count=32 oflag=direct", 3.0)),
        ("is as slow as asked: operations",
         takes_seconds("dd if=/dev/vdi of=/dev/null bs=4k count=200 iflag=direct", 3.0)),
        ("cannot be had by others", is_in_use),
        ("gives space back to the host: raw", trim_gives_back("/dev/vdb", "b.raw")),
        ("gives space back to the host: qcow2", trim_gives_back("/dev/vdc", "c.qcow2")),
        ("copies a tree: qcow2", tree_copies("/dev/vdc")),
        ("grows while it runs: raw", grows("vdb", 192)),
        ("grows while it runs: qcow2", grows("vdc", 200)),
        ("the image has grown", image_has("c.qcow2", 200)),
        ("sums its disks up", remembers_sums),
        ("powers off", powers_off),
        ("host's servers end", servers_end),
        *[(f"the image is clean: {name}", image_is_clean(name)) for name in ("disks.qcow2", "c.qcow2", "d.qcow2")],
        *[(f"the image holds what the guest wrote: {name}", holds(name)) for name in HELD_BY],
    ]
    yield "a full host disk", Full("full", FULL_DEVICES), [
        ("starts", starts),
        ("makes a pattern", does("head -c 12M /dev/urandom >/root/pattern")),
        ("room gets scarce", leaves_room(4)),
        ("raw, enospace: pauses, and goes on with room", pauses_and_goes_on("vdb")),
        ("gives it back", is_emptied("vdb", "b.raw")),
        ("room gets scarce once more", leaves_room(4)),
        ("qcow2, stop: pauses, and goes on with room", pauses_and_goes_on("vdc")),
        ("gives this back", is_emptied("vdc", "c.qcow2")),
        ("room gets scarce at last", leaves_room(4)),
        ("raw, report: the guest is told", reports),
        ("powers off", powers_off),
        ("the image is clean", on_host("qemu-img", "check", "-q", f"{SMALL}/c.qcow2")),
        ("the images go", on_host("rm", "-f", f"{SMALL}/b.raw", f"{SMALL}/c.qcow2", f"{SMALL}/d.raw")),
    ]
