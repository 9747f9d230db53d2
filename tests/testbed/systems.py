# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole Debian systems with the devices that a server has, and what they do with them."""
import glob
import json
import os
import re
import socket
import subprocess
import threading
import time

import system
import vmm
from system import System, does, in_time, on_host, powers_off, settles, starts

AGENT = """
    <channel type='unix'>
      <source mode='bind' path='@DIR@/agent'/>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>"""

CONSOLE = """
    <console type='pty'><target type='serial' port='0'/></console>
    <console type='unix'>
      <source mode='bind' path='@DIR@/console'/>
      <target type='virtio'/>
    </console>"""

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"


def data_disk(name, kind="raw", size="256M", driver="discard='unmap'", more=""):
    return f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='{kind}' {driver}/>
      <source file='@DIR@/data-{name}.{kind}'/>
      <target dev='{name}' bus='virtio'/>
      <serial>data-{name}</serial>{more}
    </disk>"""


class Server(System):
    """With data disks, which are made before it starts."""

    data = ()

    def prepare(self, directory):
        super().prepare(directory)
        for name, kind, size in self.data:
            system.run("qemu-img", "create", "-q", "-f", kind, f"{directory}/data-{name}.{kind}", size)
        os.makedirs(f"{directory}/share", exist_ok=True)
        with open(f"{directory}/share/from-the-host", "w", encoding="ascii") as file:
            file.write("hello from the host\n")
        subprocess.run(["chown", "-R", f"{vmm.USER}:{vmm.USER}", f"{directory}/share"], check=True)


# --- steps

def agent_answers(running):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(240)
        connection.connect(getattr(running, "agent", f"{running.directory}/agent"))
        file = connection.makefile("rw")
        for request, wanted in (({"execute": "guest-ping"}, {}), ({"execute": "guest-get-host-name"}, None)):
            file.write(json.dumps(request) + "\n")
            file.flush()
            answer = json.loads(file.readline())
            if "return" not in answer or (wanted is not None and answer["return"] != wanted):
                return f"the agent answers {answer} to {request}"
    return None if answer["return"]["host-name"] == "guest" else f"the agent says {answer}"


def console_answers(running):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(240)
        connection.connect(f"{running.directory}/console")
        connection.sendall(b"echo over $((6 * 7)) hvc\n")
        text = b""
        while b"KILN-STATUS 0" not in text:
            some = connection.recv(4096)
            if not some:
                return f"the console ended: {text}"
            text += some
    return None if b"over 42 hvc" in text else f"the console says {text}"


def host_listens(family, address, serve):
    """Runs @serve(connection) on the host for one connection, in a thread."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.settimeout(240)
    listener.bind(address)
    listener.listen()

    def work():
        try:
            connection, _ = listener.accept()
            with connection:
                serve(connection)
        except OSError:
            pass
        listener.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


VSOCK_GUEST = (
    "python3 -c 'import socket; s = socket.socket(40, 1); s.connect((2, 7000)); s.sendall(bytes(100000)); "
    "s.shutdown(1); print(\"echoed\", sum(len(b) for b in iter(lambda: s.recv(65536), b\"\")))'"
)


def vsock_echoes(running):
    def echo(connection):
        while some := connection.recv(65536):
            connection.sendall(some)

    thread = host_listens(socket.AF_VSOCK, (socket.VMADDR_CID_ANY, 7000), echo)
    complaint = does(VSOCK_GUEST, r"^echoed 100000$")(running)
    thread.join(10)
    return complaint


def host_file_says(name, wanted):
    def step(running):
        with open(f"{running.directory}/{name}", encoding="utf-8") as file:
            text = file.read()
        return None if wanted in text else f"{name} says '{text}'"

    return step


def resident(running):
    """KiB of memory that the guest's process has."""
    with open(f"/proc/{running.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"^VmRSS:\s+(\d+)", file.read(), re.MULTILINE).group(1))


def balloon(running, wanted):
    """KiB that the guest has when it has @wanted, or when nothing changes any more."""

    def size():
        return int(re.search(r"^balloon.current=(\d+)$", running.kiln("stats"), re.MULTILINE).group(1))

    return settles(size, lambda now: now == wanted)


def balloon_gives_back(running):
    """The guest touches its memory and lets go; the balloon's pages go back to the host, and return."""
    status, output = running.shell("dd if=/dev/zero of=/dev/shm/fill bs=1M count=180 2>&1; rm /dev/shm/fill")
    before = resident(running)
    running.kiln("memory", "320MiB")
    after = settles(lambda: resident(running), lambda now: now <= before - 120 * 1024)
    if after > before - 120 * 1024:
        return f"resident memory went from {before} to {after} KiB only: {output}"
    status, output = running.shell("awk '/MemTotal/ { print $2 }' /proc/meminfo")
    running.kiln("memory", f"{running.guest.memory}MiB")
    if (size := balloon(running, running.guest.memory * 1024)) != running.guest.memory * 1024:
        return f"the guest did not take its memory again, it has {size} KiB"
    return does("dd if=/dev/zero of=/dev/shm/fill bs=1M count=180 && rm /dev/shm/fill")(running)


def disk_blocks(path):
    return os.stat(path).st_blocks * 512


def trim_gives_back(device, file):
    """A file system on @device is filled and emptied; after fstrim the host's file has shrunk."""

    def step(running):
        path = f"{running.directory}/{file}"
        complaint = does(f"mkfs.ext4 -q -F {device} && mkdir -p /mnt/t && mount {device} /mnt/t && "
                         "dd if=/dev/urandom of=/mnt/t/fill bs=1M count=96 conv=fsync 2>&1")(running)
        if complaint is not None:
            return complaint
        full = disk_blocks(path)
        complaint = does("rm /mnt/t/fill && sync && fstrim -v /mnt/t && umount /mnt/t")(running)
        if complaint is not None:
            return complaint
        # qcow2 gives a cluster back when nothing in the file refers to it any more, within a second.
        end = time.monotonic() + 60
        while (left := disk_blocks(path)) >= full - (80 << 20) and time.monotonic() < end:
            time.sleep(1)
        return None if left < full - (80 << 20) else f"{file} had {full} bytes on the host, and has {left} now"

    return step


def fio_verifies(device, size="48m", more=""):
    return does(
        f"fio --name=v --filename={device} --rw=randrw --bsrange=4k-128k --size={size} --ioengine=libaio --iodepth=32 "
        f"--direct=1 --verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=7 --minimal {more} >/tmp/fio 2>&1 "
        "|| { tail -c 1500 /tmp/fio; false; }", patience=900)


def tree_copies(device):
    """A tree of thousands of files, copied, and read back after the caches are dropped."""
    return does(
        f"mkfs.ext4 -q -F {device} && mkdir -p /mnt/d && mount {device} /mnt/d && cp -a /usr/lib/python3.11 /usr/share /mnt/d/ && "
        "sync && echo 3 >/proc/sys/vm/drop_caches && cd /mnt/d && "
        "a=$(find python3.11 share -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum) && "
        "b=$(cd /usr/lib && find python3.11 -type f -print0 | sort -z | xargs -0 sha256sum; cd /usr && "
        "find share -type f -print0 | sort -z | xargs -0 sha256sum) && b=$(echo \"$b\" | sha256sum) && cd / && "
        "umount /mnt/d && echo \"$a\" && [ \"$a\" = \"$b\" ]", patience=900)


def image_is_clean(file):
    return on_host("qemu-img", "check", "-q", f"@DIR@/{file}")


def iperf_server(*options):
    """A server on the host, when it listens."""
    process = vmm.as_user(["iperf3", "-s", "-p", "5201", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    # Asked of the kernel: a connection would be the one that it waits for.
    while subprocess.run(["ss", "-Hltn", "sport = :5201"], capture_output=True, check=True).stdout == b"":
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            raise vmm.Failure("iperf3 does not listen")
        time.sleep(0.1)
    return process


def iperf_both_ways(server, minimum=1):
    """iperf3 from the guest to a server on the host, and back."""

    def step(running):
        for way in ("", "-R "):
            with iperf_server("-1") as one:
                complaint = does(f"iperf3 -c {server} {way}-t 3 -f m 2>&1", r"receiver")(running)
                one.kill()
            if complaint is not None:
                return complaint
        return None

    return step


def interface(device):
    """What the guest calls the interface in that PCI slot's order: eth0, eth1 by kernel order."""
    return f"$(ls -d /sys/class/net/e* | sort | sed -n {device}p | xargs basename)"


class Example(System):
    """examples/server.xml as it is, but for where its files are, how much memory it has, and its serial
    port, by which it is talked to."""

    def prepare(self, directory):
        super().prepare(directory)
        os.makedirs(f"{directory}/shared", exist_ok=True)
        subprocess.run(["chown", f"{vmm.USER}:{vmm.USER}", f"{directory}/shared"], check=True)

    def document(self, directory):
        with open("/payload/examples/server.xml", encoding="utf-8") as file:
            text = file.read()
        for old, new in (
            ("/srv/guests/server/vmlinuz", f"{system.GUESTS}/cloud-bzImage"),
            ("/srv/guests/server/initrd.img", f"{system.GUESTS}/system-initrd"),
            ("/srv/guests/server/server.qcow2", self.image(directory)),
            ("/srv/guests/server/shared", f"{directory}/shared"),
            ("<serial type='pty'>", "<serial type='stdio'>"),
            ("/srv/guests/server/serial.log", f"{directory}/serial.log"),
            ("console=hvc0", "console=hvc0 console=ttyS0,115200 quiet systemd.unit=kiln-test.target"),
        ):
            assert old in text, f"examples/server.xml has no '{old}' any more"
            text = text.replace(old, new)
        return text


def forwarded_port_answers(running):
    """What the host sends to its port 2222 comes to port 22 of the guest."""
    complaint = does("mkdir -p /run/systemd/network && printf '[Match]\\nName=e*\\n[Network]\\nDHCP=yes\\n' "
                     ">/run/systemd/network/e.network && systemctl restart systemd-networkd && for i in $(seq 60); do "
                     "ip -4 -br addr | grep -q 192.0.2. && break; sleep 1; done; ip -4 -br addr", r"192\.0\.2\.2/")(running)
    if complaint is not None:
        return complaint
    running.shell("(timeout 300 python3 -c 'import socket; c, _ = socket.create_server((\"\", 22)).accept(); "
                  "c.sendall(c.recv(100).upper())' >/dev/null 2>&1 &); "
                  "for i in $(seq 60); do ss -Hltn sport = :22 | grep -q . && break; sleep 1; done")
    with socket.create_connection(("127.0.0.1", 2222), 60) as connection:
        connection.settimeout(240)
        connection.sendall(b"knock")
        answer = connection.recv(100)
    return None if answer == b"KNOCK" else f"the guest's port answers {answer}"


def balloon_is_inflated(running):
    """<currentMemory> is what the guest has once its driver has inflated the balloon."""
    size = balloon(running, 1048576)
    return None if size == 1048576 else f"the guest has {size} KiB"


def agent_in_its_place(running):
    """The agent's socket is where kiln(1) says."""
    running.agent = f"{vmm.RUNTIME}/libvirt/kiln/channel/server.org.qemu.guest_agent.0"
    return agent_answers(running)


def shares(running):
    complaint = does("mkdir -p /mnt/s && mount -t virtiofs shared /mnt/s && echo from the guest >/mnt/s/note && sync")(running)
    return complaint or host_file_says("shared/note", "from the guest")(running)


# --- scenarios

SERVER_DEVICES = (
    data_disk("vdb", "raw", driver="cache='none' io='io_uring' discard='unmap' iothread='1' queues='2'")
    + """
    <interface type='bridge'>
      <source bridge='br0'/>
      <model type='virtio'/>
    </interface>
    <interface type='user'><backend type='passt'/><model type='virtio'/></interface>
    <interface type='ethernet'>
      <target dev='tap0' managed='no'/>
      <model type='virtio'/>
      <driver name='qemu'/>
    </interface>
    <memballoon model='virtio' autodeflate='on' freePageReporting='on'><stats period='2'/></memballoon>
    <vsock model='virtio'><cid auto='yes'/></vsock>
    <filesystem type='mount' accessmode='passthrough'>
      <driver type='virtiofs'/>
      <source dir='@DIR@/share'/>
      <target dir='shared'/>
    </filesystem>
    <input type='keyboard' bus='virtio'/>
    <watchdog model='i6300esb' action='reset'/>"""
    + RNG + AGENT + CONSOLE)


def address(index, text):
    """Gives the guest's @index-th interface an address."""
    up = does(f"d={interface(index)}; ip addr replace {text} dev $d && ip link set $d up")
    carries = in_time(does(f"ip -br addr show {interface(index)}", rf"\sUP\s+.*{re.escape(text)}"))
    return lambda running: up(running) or carries(running)


def systems():
    """Yields name, guest, steps."""
    server = Server("server", SERVER_DEVICES, memory=512, vcpus=2, head="<iothreads>1</iothreads>")
    server.data = [("vdb", "raw", "256M")]
    yield "examples/server.xml", Example("server"), [
        ("starts", starts),
        ("has the memory that it is to begin with", balloon_is_inflated),
        ("is reached by its forwarded port", forwarded_port_answers),
        ("answers by its agent", agent_in_its_place),
        ("talks over vsock", vsock_echoes),
        ("shares a folder", shares),
        ("has its watchdog", does("lspci -n", r"8086:25ab")),
        ("powers off", powers_off),
        ("leaves a clean image", image_is_clean("server.qcow2")),
    ]
    yield "a server", server, [
        ("starts", starts),
        ("has no failed unit", does("systemctl --failed --no-legend", r"\A\s*\Z")),
        ("has its functions", does("lspci -n", r"1af4:1042")),
        ("draws entropy", does("cat /sys/class/misc/hw_random/rng_current && dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c",
                               r"virtio_rng[\s\S]*^256$")),
        ("knows its disk's serial", does("cat /sys/block/vdb/serial", r"^data-vdb$")),
        ("has the queues that were asked for", does("ls /sys/block/vdb/mq | wc -l", r"^2$")),
        ("verifies with fio", fio_verifies("/dev/vdb")),
        ("copies a tree", tree_copies("/dev/vdb")),
        ("gives space back to the host", trim_gives_back("/dev/vdb", "data-vdb.raw")),
        ("answers by its agent", agent_answers),
        ("answers on its virtio console", console_answers),
        ("talks over vsock", vsock_echoes),
        ("reads the host's folder", does("mkdir -p /mnt/s && mount -t virtiofs shared /mnt/s && cat /mnt/s/from-the-host",
                                         r"hello from the host")),
        ("writes to the host's folder", does("echo hello from the guest >/mnt/s/from-the-guest && sync")),
        ("is read by the host", host_file_says("share/from-the-guest", "hello from the guest")),
        ("copies a tree into the folder", does("cp -a /usr/lib/python3.11/json /mnt/s/ && diff -r /usr/lib/python3.11/json /mnt/s/json")),
        ("is on the bridge", address(1, "10.42.0.11/24")),
        ("pings the host with large frames", does("ping -c 3 -s 8000 10.42.0.1", r" 0% packet loss")),
        ("moves data both ways over the bridge", iperf_both_ways("10.42.0.1")),
        ("moves data both ways over a tap in user space",
         lambda running: address(3, "10.42.0.13/24")(running) or does(f"ip link set {interface(1)} down")(running)
         or iperf_both_ways("10.42.0.1")(running) or does(f"ip link set {interface(1)} up")(running)),
        ("gives memory back and takes it again", balloon_gives_back),
        ("sees its cable pulled and plugged in", cable),
        ("powers off", powers_off),
    ]


def cable(running):
    running.kiln("link", "net0", "down")
    complaint = carrier(0)(running)
    running.kiln("link", "net0", "up")
    return complaint or carrier(1)(running)


def carrier(wanted):
    """A step: the first interface's link is up, or down."""
    return in_time(does(f"cat /sys/class/net/{interface(1)}/carrier", rf"^{wanted}$"))
