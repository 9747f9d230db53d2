# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian systems whose lives are not quiet: paused, reset and rebooted at work, rooted in a folder of
the host, watched by a watchdog, and left by the programs that serve them."""
import base64
import os
import re
import signal
import subprocess
import time

import system
import vmm
from system import System, does, on_host, powers_off, starts
from systems import AGENT, CONSOLE, RNG, address, cable, carrier, image_is_clean, interface, iperf_server

SHARE = """
    <filesystem type='mount' accessmode='passthrough'>
      <driver type='virtiofs'/>
      <source dir='@DIR@/@NAME@'/>
      <target dir='shared'/>
    </filesystem>"""


class WithFolder(System):
    """Shares a folder with a file in it."""

    def prepare(self, directory):
        super().prepare(directory)
        folder = f"{directory}/share-{self.name}"
        os.makedirs(folder)
        with open(f"{folder}/from-the-host", "w", encoding="ascii") as file:
            file.write("hello from the host\n")
        subprocess.run(["chown", "-R", f"{vmm.USER}:{vmm.USER}", folder], check=True)


def mounts_share(running):
    return does("mkdir -p /mnt/s && mount -t virtiofs shared /mnt/s && cat /mnt/s/from-the-host",
                r"hello from the host")(running)


def both(*steps):
    """One step of several: the first complaint counts."""

    def step(running):
        for one in steps:
            complaint = one(running)
            if complaint is not None:
                return complaint
        return None

    return step


def log_says(pattern, patience=120):
    """What kiln says on its standard error matches."""

    def step(running):
        end = time.monotonic() + patience
        while True:
            with open(running.errors.name, encoding="utf-8", errors="replace") as file:
                text = file.read()
            if re.search(pattern, text) is not None:
                return None
            if time.monotonic() > end:
                return f"kiln says nothing like '{pattern}': {text[-2000:]}"
            time.sleep(0.5)

    return step


def is_running(running):
    output = running.kiln("status")
    return None if "running" in output else f"status says {output.strip()}"


# --- a guest at work

LOAD = (
    "(while fio --name=load --filename=/root/load --size=24m --rw=randrw --bs=4k --ioengine=libaio --iodepth=8 "
    "--direct=1 --verify=crc32c --verify_fatal=1 --time_based --runtime=20 --minimal >/tmp/fio.log 2>&1; do "
    "echo round >>/tmp/fio.rounds; done; echo failed >/tmp/fio.failed) & "
    "rm -rf /mnt/s/copy; (while cp -r /usr/lib/python3.11/json /mnt/s/copy && diff -r /usr/lib/python3.11/json /mnt/s/copy && rm -r /mnt/s/copy; "
    "do :; done; echo failed >/tmp/share.failed) & "
    "(while :; do iperf3 -c 10.42.0.1 -P 4 -t 60 -f m; sleep 1; done >/tmp/iperf.log 2>&1) & true"
)
# More than a journal or a neighbour's question makes, however long that takes on a busy machine.
WORKS_ON = (
    "disk() { awk '{ print $5 }' /sys/block/vda/stat; }; net() { cat /sys/class/net/e*/statistics/tx_packets; }; "
    "a=$(disk); t=$(net); SECONDS=0; while b=$(disk); u=$(net); "
    "[ $b -le $((a + 50)) -o $u -le $((t + 50)) ] && [ $SECONDS -lt 180 ]; do sleep 1; done; "
    "echo disk $a $b net $t $u after $SECONDS s, in flight $(cat /sys/block/vda/inflight); tail -n 3 /tmp/fio.log; "
    "! ls /tmp/*.failed && [ $b -gt $((a + 50)) ] && [ $u -gt $((t + 50)) ]"
)
COMPLAINTS = r"i/o error|blk_update_request|buffer i/o|blocked for more than|watchdog: bug|ext4-fs error|is not a head"
LOGS_NOTHING = f"! dmesg | grep -iE '{COMPLAINTS}'"


def works(running):
    """Starts the load: disk, folder, and network to a server on the host."""
    if getattr(running, "server", None) is not None:
        running.server.kill()
        running.server.wait()
    running.server = iperf_server()
    return both(mounts_share, address(1, "10.42.0.21/24"), does(LOAD), does(WORKS_ON), does(LOGS_NOTHING))(running)


def stands_still(running):
    """Three seconds in which the disk's image does not change."""
    running.kiln("pause")
    image = running.guest.image(running.directory)
    before = os.stat(image)
    running.drain()
    time.sleep(3)
    after = os.stat(image)
    output = running.kiln("status")
    running.kiln("resume")
    if "paused" not in output:
        return f"status says {output.strip()}"
    return None if before.st_mtime_ns == after.st_mtime_ns else "the disk is written to while the guest is paused"


def is_reset(running):
    running.kiln("reset")
    return starts(running)


def reboots(running):
    running.drain()
    running.send("systemctl reboot")
    return starts(running)


SET_CHANNELS = (
    "python3 -c 'import array, fcntl, socket, struct, sys; "
    "c = array.array(\"I\", [0x3d, 0, 0, 0, 0, 0, 0, 0, 8]); s = socket.socket(); "
    "fcntl.ioctl(s, 0x8946, struct.pack(\"16sQ16x\", sys.argv[1].encode(), c.buffer_info()[0]))' "
)  # ETHTOOL_SCHANNELS of SIOCETHTOOL: combined_count 8


def stops_server(running):
    running.server.kill()
    running.server.wait()


def restless():
    guest = WithFolder("restless", """
    <interface type='ethernet'>
      <target dev='tapmq' managed='no'/>
      <model type='virtio'/>
      <driver name='qemu' queues='8'/>
    </interface>
    <memballoon model='virtio' autodeflate='on' freePageReporting='on'/>
    """ + SHARE.replace("@NAME@", "share-restless") + RNG + AGENT.replace("/agent", "/restless-agent")
                       + CONSOLE.replace("/console'", "/restless-console'"),
                       driver="packed='on' queues='4' cache='none' io='io_uring'", vcpus=4, memory=768)
    name = f"d={interface(1)}; "
    return "a restless server", guest, [
        ("starts", starts),
        ("has a packed ring on each of its disk's queues",
         does("cut -c 35 /sys/block/vda/device/features; ls /sys/block/vda/mq | wc -l", r"^1\n4$")),
        ("has a queue of its interface on each processor",
         does(name + "ls /sys/class/net/$d/queues | grep -c rx; ls /sys/class/net/$d/queues | grep -c tx", r"^4\n4$")),
        ("works", works),
        ("stands still", stands_still),
        ("works on", does(WORKS_ON)),
        ("has no complaint", does(LOGS_NOTHING)),
        ("takes eight queues while it works",
         does(name + SET_CHANNELS + "$d && ls /sys/class/net/$d/queues | grep -c rx", r"^8$")),
        ("works on with them", does(WORKS_ON)),
        ("sees its cable pulled and plugged in", cable),
        ("works on with it", does(WORKS_ON)),
        ("is reset at work, and starts again", is_reset),
        ("works again", works),
        ("reboots at work", reboots),
        ("works after that", works),
        ("reboots once more", reboots),
        ("reads what it wrote", does("fio --name=load --filename=/root/load --size=24m --rw=randrw --bs=4k --ioengine=libaio "
                                     "--iodepth=8 --direct=1 --verify=crc32c --verify_fatal=1 --minimal >/tmp/fio.log 2>&1 "
                                     "|| { tail -c 1500 /tmp/fio.log; false; }")),
        ("has no complaint then", does(LOGS_NOTHING)),
        ("powers off", powers_off),
        ("leaves a clean image", image_is_clean("restless.qcow2")),
        ("lets its server go", stops_server),
    ]


# --- a root on the host

class Rooted(System):
    """Its root file system is a folder of the host: a mounted copy of the system, whose root is the
    user that runs kiln, and whose other users are that user's subordinate ids."""

    def prepare(self, directory):
        tree = f"{directory}/tree"
        os.makedirs(tree)
        subprocess.run(["cp", "--sparse=always", system.SYSTEM, f"{directory}/tree.raw"], check=True)
        subprocess.run(["mount", "-o", "loop", f"{directory}/tree.raw", tree], check=True)
        with open("/etc/subuid", encoding="ascii") as file:
            first = int(re.search(r"^tester:(\d+):", file.read(), re.MULTILINE).group(1))

        def shifted(identity):
            return vmm.USER if identity == 0 else first + identity - 1

        for path, folders, files in os.walk(tree):
            for name in [".", *files, *(name for name in folders if os.path.islink(f"{path}/{name}"))]:
                file = f"{path}/{name}"
                status = os.lstat(file)
                os.lchown(file, shifted(status.st_uid), shifted(status.st_gid))
                if status.st_mode & 0o6000 and not os.path.islink(file):
                    os.chmod(file, status.st_mode & 0o7777)

    def clean_up(self, directory):
        subprocess.run(["umount", f"{directory}/tree"], check=False)


def rooted():
    guest = Rooted("rooted", SHARE.replace("@NAME@", "tree") + RNG, disk=None, root="rootfstype=virtiofs root=shared")
    return "a root on virtiofs", guest, [
        ("starts", starts),
        ("has no failed unit", does("systemctl --failed --no-legend", r"\A\s*\Z")),
        ("has its root there", does("findmnt -no FSTYPE,SOURCE / && [ ! -e /dev/vda ]", r"virtiofs\s+shared")),
        ("has files of several users", does("stat -c %U /etc/passwd /var/mail; stat -c %G /etc/shadow /var/mail; su -s /bin/sh "
                                            "nobody -c 'touch /tmp/mine && rm /tmp/mine; touch /var/tmp/mine' && stat -c %U /var/tmp/mine",
                                            r"^root\nroot\nshadow\nmail\nnobody$")),
        ("writes a tree", does("cp -a /usr/lib/python3.11 /root/copy && diff -r /usr/lib/python3.11 /root/copy && "
                               "rm -r /root/copy && echo over >/root/over && sync", patience=900)),
        ("is read by the host", on_host("cat", "@DIR@/tree/root/over", pattern="over")),
        ("reboots", reboots),
        ("reads what it wrote", does("cat /root/over", r"^over$")),
        ("powers off", powers_off),
    ]


# --- a guarded guest

# A few of TPM2_GetRandom's bytes: TPM 2.0 part 3 §16.1.
TPM_RANDOM = (
    "python3 -c 'import os; f = os.open(\"/dev/tpmrm0\", os.O_RDWR); "
    "os.write(f, bytes.fromhex(\"80010000000c0000017b0010\")); a = os.read(f, 100); "
    "print(\"random\", len(a), a[6:10].hex(), len(set(a[12:])) > 4)'"
)

# Debian's cloud kernel has no driver for the watchdog: its registers are written from user space.
# Both stages run 1024 ticks of about a millisecond.
WATCHDOG = """
import ctypes, glob, mmap, os, struct
d = [p for p in glob.glob("/sys/bus/pci/devices/*") if open(p + "/device").read() == "0x25ab\\n"][0]
c = os.open(d + "/config", os.O_RDWR)
os.pwrite(c, struct.pack("<H", 2), 4)
bar = int(open(d + "/resource").readline().split()[0], 16)
b = mmap.mmap(os.open("/dev/mem", os.O_RDWR | os.O_SYNC), 4096, offset=bar & ~4095)
def put(o, v, kind=ctypes.c_uint32):
    for at, value, width in ((12, 0x80, ctypes.c_uint16), (12, 0x86, ctypes.c_uint16), (o, v, kind)):
        width.from_buffer(b, (bar & 4095) + at).value = value
put(12, 0x200, ctypes.c_uint16)
put(0, 1024)
put(4, 1024)
os.pwrite(c, struct.pack("<H", 3), 0x60)
os.pwrite(c, bytes([2]), 0x68)
"""


def watchdog_bites(running):
    running.drain()
    program = base64.b64encode(WATCHDOG.encode()).decode()
    running.send(f"echo {program} | base64 -d | python3")
    state, target = running.up()  # a TPM that does not answer may fail a unit
    return None if target == "active" else f"multi-user.target is {target}, systemd says {state}"


def kills(pattern):
    """The helper whose name that is, of this guest, is killed."""

    def step(running):
        _, output = system.run("pgrep", "-s", str(running.process.pid), pattern, check=False)
        if not output.split():
            return f"there is no {pattern}"
        for pid in output.split():
            os.kill(int(pid), signal.SIGKILL)
        return None

    return step


def guarded():
    guest = WithFolder("guarded", """
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <watchdog model='i6300esb' action='reset'/>
    <interface type='user'><backend type='passt'/><model type='virtio'/></interface>
    """ + SHARE.replace("@NAME@", "share-guarded") + RNG, vcpus=2)
    tpm_answers = does(TPM_RANDOM, r"^random 28 00000000 True$")
    goes_on = both(is_running, does("dd if=/dev/urandom of=/root/some bs=64k count=16 conv=fsync 2>&1 && dd if=/dev/hwrng bs=64 count=1 | wc -c"))
    return "a guarded guest", guest, [
        ("starts", starts),
        ("has a TPM", does("cat /sys/class/tpm/tpm0/tpm_version_major; cat /sys/class/tpm/tpm0/pcr-sha256/0", r"^2\n[0-9A-F]{64}$")),
        ("draws random bytes from it", tpm_answers),
        ("mounts a folder", mounts_share),
        ("goes by passt", both(does(f"ip link set {interface(1)} up"), carrier(1))),
        ("loses passt", kills("passt")),
        ("says so", log_says(r"net0.*passt.*its link is down")),
        ("sees its link go down", carrier(0)),
        ("goes on without it", goes_on),
        ("loses virtiofsd", kills("virtiofsd")),
        ("says that", log_says(r"virtiofsd is lost")),
        ("gets errors from the folder", does("! timeout 120 cat /mnt/s/from-the-host 2>&1 && ! timeout 120 ls /mnt/s/other 2>&1",
                                             r"(not connected[\s\S]*){2}")),
        ("gets none elsewhere", goes_on),
        ("loses swtpm", kills("swtpm")),
        ("gets errors from its TPM", does(f"! {TPM_RANDOM} 2>&1")),
        ("says that too", log_says(r"the TPM has failed|swtpm .*(killed|ended)")),
        ("goes on with what is left", goes_on),
        ("is bitten by its watchdog, and starts again without them", watchdog_bites),
        ("gets errors from the folder", does("timeout 120 mount -t virtiofs shared /mnt/s; timeout 120 ls /mnt/s; s=$?; echo status $s; [ $s != 0 ] && [ $s != 124 ]")),
        ("has the rest", goes_on),
        ("powers off", powers_off),
    ]


def lives():
    """Yields name, guest, steps."""
    yield restless()
    yield rooted()
    yield guarded()


# --- guests that cannot start

def refusals():
    """Yields name, guest, what is done to the host first, the reason that kiln gives."""
    passt = "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>"
    tap = "<interface type='ethernet'><target dev='{}' managed='no'/><model type='virtio'/></interface>"
    bridge = "<interface type='bridge'><source bridge='{}'/><model type='virtio'/></interface>"
    folder = SHARE
    tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
    away = ["mv /usr/bin/{0} /usr/bin/{0}.away", "mv /usr/bin/{0}.away /usr/bin/{0}"]

    yield "passt missing", passt, [text.format("passt") for text in away], r"'net0': .*passt.*not installed"
    yield "bridge missing", bridge.format("nobridge"), None, r"'net0': .*nobridge.*does not exist"
    yield "bridge that is none", bridge.format("uplink"), None, r"'net0': .*'uplink' is not a bridge"
    yield "bridge not allowed", bridge.format("br1"), ["ip link add br1 type bridge", "ip link del br1"], r"'net0': .*br1"
    yield ("tap not allowed", tap.format("taproot"), ["ip tuntap add taproot mode tap user root", "ip link del taproot"],
           r"'net0': .*taproot.*")
    yield "tap missing", tap.format("notap"), None, r"'net0': .*notap.*"
    yield ("virtiofsd missing", folder.replace("@NAME@", "share"),
           ["mv /usr/lib/qemu/virtiofsd /usr/lib/qemu/away", "mv /usr/lib/qemu/away /usr/lib/qemu/virtiofsd"],
           r"'shared': .*virtiofsd.*not installed")
    yield "folder missing", folder.replace("@NAME@", "nofolder"), None, r"'shared': .*nofolder.*No such file"
    yield "swtpm missing", tpm, [text.format("swtpm") for text in away], r"tpm0: .*swtpm.*not installed"
    yield "disk missing", """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='@DIR@/nodisk.raw'/><target dev='vda' bus='virtio'/></disk>""", None, r"nodisk\.raw.*No such file"


def document(name, devices, directory):
    return System(name, devices, disk=None).document(directory)
