# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory that is plugged in and out while the guest runs, and a file of the host that is memory."""
import os
import re

import system
from system import System, does, on_host, powers_off, settles, starts
from systems import resident

BOOT, PLUGGABLE, FILE = 256, 512, 64  # MiB
PATIENCE = 120

# <memory> counts its devices, as libvirt's does.
HEAD = f"<maxMemory slots='4' unit='MiB'>{BOOT + PLUGGABLE + FILE}</maxMemory>"

DEVICES = f"""
    <memory model='virtio-mem'>
      <target>
        <size unit='MiB'>{PLUGGABLE}</size>
        <block unit='MiB'>2</block>
        <requested unit='MiB'>128</requested>
      </target>
    </memory>
    <memory model='virtio-pmem' access='shared'>
      <source><path>@DIR@/pmem.raw</path></source>
      <target><size unit='MiB'>{FILE}</size></target>
    </memory>"""

# Debian's udev rules leave what is plugged in to the kernel, and its kernel leaves it to udev.  What
# was plugged in before the kernel is told is offline.
ONLINE = ("echo online_movable >/sys/devices/system/memory/auto_online_blocks; "
          "modprobe -a virtio_mem virtio_pmem nd_pmem; udevadm settle; "
          "for s in /sys/devices/system/memory/memory*/state; do "
          "[ $(cat $s) = online ] || echo online_movable >$s; done")


class Plugged(System):
    """With a file for its persistent memory."""

    def prepare(self, directory):
        super().prepare(directory)
        system.run("truncate", "-s", f"{FILE}M", f"{directory}/pmem.raw")
        system.run("/sbin/mkfs.ext4", "-q", "-F", f"{directory}/pmem.raw")


def statistic(running, key):
    match = re.search(rf"^{re.escape(key)}=(\d+)$", running.kiln("stats"), re.MULTILINE)
    return int(match.group(1)) if match else None


def has(mebibytes):
    """A step: the device gives so much, and in time Linux has all of it."""

    def step(running):
        wanted = (mebibytes * 1024, BOOT + mebibytes)
        seen = settles(lambda: (statistic(running, "virtiomem0.current"), total_of(running)), lambda now: now == wanted, PATIENCE)
        if seen == wanted:
            return None
        _, log = running.shell("grep MemTotal /proc/meminfo; lsmem; dmesg | tail -n 20")
        return f"{seen[0]} KiB are plugged in, Linux has {seen[1]} MiB, not {BOOT + mebibytes}\n{log}"

    return step


def total_of(running):
    """MiB of memory that Linux has in use, by whole memory blocks."""
    _, output = running.shell("cd /sys/devices/system/memory && cat block_size_bytes && "
                              "cat memory*/state 2>/dev/null | grep -cx online; cd")
    size, count = output.split()[-2:]
    return int(size, 16) * int(count) >> 20


def asks_for(mebibytes):
    def step(running):
        running.kiln("memory-device", "virtiomem0", f"{mebibytes}MiB")
        return None

    return step


def is_refused(size, reason):
    def step(running):
        status, output = running.cli("ctl", running.guest.name, "memory-device", "virtiomem0", size)
        return None if status != 0 and re.search(reason, output) else f"status {status}: {output}"

    return step


def gives_back(running):
    """The guest touches what it has been given; what it is asked for again leaves the host's memory too."""
    complaint = does("mount -o remount,size=600M /dev/shm && dd if=/dev/zero of=/dev/shm/fill bs=1M count=500 2>&1")(running)
    if complaint is not None:
        return complaint
    full = resident(running)
    complaint = does("rm /dev/shm/fill")(running)
    if complaint is not None:
        return complaint
    running.kiln("memory-device", "virtiomem0", "0")
    complaint = has(0)(running)
    left = resident(running)
    if complaint is None and left > full - 300 * 1024:
        complaint = f"the guest's process had {full} KiB, and has {left} KiB with nothing plugged in"
    return complaint


def xml_says(pattern):
    def step(running):
        text = running.kiln("xml")
        return None if re.search(pattern, text) else f"nothing like '{pattern}' in {text}"

    return step


def reboots(running):
    running.kiln("reset")
    return starts(running)


def systems():
    """(name, guest, steps) of each."""
    yield "memory devices", Plugged("memory", DEVICES, memory=BOOT + PLUGGABLE + FILE, head=HEAD), [
        ("starts", starts),
        ("onlines what is plugged in", does(ONLINE)),
        ("has the memory that is requested", has(128)),
        ("gets more", asks_for(512)),
        ("has all of it", has(512)),
        ("definition says so", xml_says(r"<current unit='KiB'>524288</current>")),
        ("more than there is", is_refused("514MiB", "requested size")),
        ("half a block", is_refused("1MiB", "requested size")),
        ("gives all of it back", gives_back),
        ("definition says that too", xml_says(r"<current unit='KiB'>0</current>")),
        ("takes some again", asks_for(256)),
        ("has some again", has(256)),
        ("finds a file as memory", does("mkdir -p /mnt/p && mount /dev/pmem0 /mnt/p && df -m /mnt/p")),
        ("writes into it", does("dd if=/dev/urandom of=/mnt/p/data bs=1M count=20 2>&1 && sha256sum </mnt/p/data "
                                ">/mnt/p/sum && sync -f /mnt/p/data && umount /mnt/p && sync && cat /dev/null")),
        ("host's file system is clean", on_host("/sbin/e2fsck", "-f", "-n", "@DIR@/pmem.raw")),
        ("host finds what was written", data_on_host),
        ("starts again", reboots),
        ("onlines it again", does(ONLINE)),
        ("has what was requested", has(256)),
        ("file is as it was", does("mkdir -p /mnt/p && mount /dev/pmem0 /mnt/p && sha256sum </mnt/p/data | "
                                   "cmp - /mnt/p/sum")),
        ("powers off, status 0", powers_off),
    ]


def data_on_host(running):
    path = f"{running.directory}/pmem.raw"
    _, wanted = system.run("/sbin/debugfs", "-R", "cat /sum", path)
    copy = f"{running.directory}/pmem.data"
    system.run("/sbin/debugfs", "-R", f"dump /data {copy}", path)
    if not os.path.exists(copy):
        return "there is no file 'data'"
    _, got = system.run("sha256sum", copy)
    return None if got.split()[0] in wanted else f"the guest wrote {wanted}, the host reads {got}"
