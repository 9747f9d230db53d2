# SPDX-License-Identifier: LGPL-2.1-or-later
"""SCSI disks and a CD-ROM drive in a Debian system, on a virtio-scsi adapter."""
import os

import system
import vmm
from disks import Disks
from system import does, in_time, powers_off, starts
from systems import fio_verifies, image_is_clean, trim_gives_back

BLOCK = 2048
TEXT = b"hello from the disc\n"


def both(value, size):
    """A number in both byte orders (ECMA-119 7.2.3, 7.3.3)."""
    return value.to_bytes(size, "little") + value.to_bytes(size, "big")


def record(name, block, length, folder):
    """A directory record (ECMA-119 9.1)."""
    body = (b"\0" + both(block, 4) + both(length, 4) + bytes([126, 1, 1, 0, 0, 0, 0]) + bytes([2 if folder else 0])
            + b"\0\0" + both(1, 2) + bytes([len(name)]) + name)
    body += b"\0" * ((len(body) + 1) % 2)
    return bytes([len(body) + 1]) + body


def iso(label, text):
    """A disc with one file, HELLO.TXT (ECMA-119)."""
    root = record(b"\0", 20, BLOCK, True)
    folder = root + record(b"\1", 20, BLOCK, True) + record(b"HELLO.TXT;1", 21, len(text), False)
    tables = [bytes([1, 0]) + (20).to_bytes(4, order) + (1).to_bytes(2, order) + b"\0\0" for order in ("little", "big")]
    first = (b"\1CD001\1\0" + b" " * 32 + label.ljust(32) + bytes(8) + both(300, 4) + bytes(32) + both(1, 2) + both(1, 2)
             + both(BLOCK, 2) + both(10, 4) + (18).to_bytes(4, "little") + bytes(4) + (19).to_bytes(4, "big") + bytes(4)
             + root + b" " * 623 + (b"0" * 16 + b"\0") * 4 + b"\1\0")
    blocks = [bytes(BLOCK)] * 16 + [first, b"\xffCD001\1", *tables, folder, text]
    return b"".join(block.ljust(BLOCK, b"\0") for block in blocks).ljust(300 * BLOCK, b"\0")


class Scsi(Disks):
    images = (("a.raw", "-f", "raw", "160M"), ("b.qcow2", "-f", "qcow2", "160M"))

    def prepare(self, directory):
        super().prepare(directory)
        for name, label, text in (("one.iso", b"ONE", TEXT), ("two.iso", b"TWO", b"the other disc\n")):
            with open(f"{directory}/{name}", "wb") as image:
                image.write(iso(label, text))
            os.chown(f"{directory}/{name}", vmm.USER, vmm.USER)


DEVICES = """
    <controller type='scsi' index='0' model='virtio-scsi'><driver queues='2' iothread='1'/></controller>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none' discard='unmap'/>
      <source file='@DIR@/a.raw'/>
      <target dev='sda' bus='scsi' rotation_rate='1'/>
      <serial>first</serial>
      <wwn>5000c50015ea71ac</wwn>
      <vendor>TESTBED</vendor>
      <product>DISK OF TESTS</product>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='@DIR@/b.qcow2'/>
      <target dev='sdb' bus='scsi'/>
      <address type='drive' controller='0' bus='0' target='3' unit='5'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='@DIR@/one.iso'/>
      <target dev='sdc' bus='scsi'/>
    </disk>"""

DISK = "/dev/disk/by-id/wwn-0x5000c50015ea71ac"
OTHER = "$(ls -d /sys/bus/scsi/devices/0:0:3:5/block/* | sed 's,.*/,/dev/,')"
# <linux/cdrom.h>: CDROM_LOCKDOOR (udev has locked the tray), CDROMEJECT, CDROMCLOSETRAY,
# CDROM_DRIVE_STATUS.  Linux hands CDROMEJECT to the drive also while a disc is mounted.
UNLOCK, EJECT, CLOSE = "0x5329, 0", "0x5309", "0x5319"
TRAY = ("python3 -c \"import fcntl, os; d = os.open('/dev/sr0', os.O_RDONLY | os.O_NONBLOCK); "
        "{}print('status', fcntl.ioctl(d, 0x5326, 0x7fffffff))\"")


def tray(*requests):
    return TRAY.format("".join(f"fcntl.ioctl(d, {request}); " for request in requests))


def on_ctl(action, drive, *files):
    """A step: a guest that has locked the tray is asked to open it, and does after a while."""

    def step(running):
        status, output = running.cli("ctl", running.guest.name, action, drive,
                                     *(f"{running.directory}/{file}" for file in files))
        return None if status == 0 else f"status {status}: {output}"

    return in_time(step)


def scsi():
    """Yields name, guest, steps."""
    guest = Scsi("scsi", DEVICES, memory=512, vcpus=2, head="<iothreads>1</iothreads>")
    yield "SCSI disks and a CD-ROM drive", guest, [
        ("starts", starts),
        ("has them where they are said to be",
         does("ls -d /sys/bus/scsi/devices/*:*:*:*; dmesg | grep -i scsi; "
              "[ -e /sys/bus/scsi/devices/0:0:0:0 ] && [ -e /sys/bus/scsi/devices/0:0:3:5 ] && [ -e /dev/sr0 ]")),
        ("knows who they are", does("cat /sys/bus/scsi/devices/0:0:0:0/vendor /sys/bus/scsi/devices/0:0:0:0/model",
                                    r"TESTBED\s+DISK OF TESTS")),
        ("has names for them", does(f"udevadm settle; ls -l /dev/disk/by-id; [ -b {DISK} ]")),
        ("knows that it does not turn", does("cat /sys/bus/scsi/devices/0:0:0:0/block/*/queue/rotational", r"^0$")),
        ("has the queues that were asked for", does("ls /sys/bus/scsi/devices/0:0:0:0/block/*/mq | wc -l", r"^2$")),
        ("reads the disc", does("mkdir -p /mnt/cd && mount -t iso9660 -o ro /dev/sr0 /mnt/cd && "
                                "cat /mnt/cd/hello.txt && lsblk -o LABEL /dev/sr0", r"hello from the disc")),
        ("cannot eject it while it is mounted", does(tray(EJECT), r"status 4")),
        ("ejects it", does(f"umount /mnt/cd && {tray(UNLOCK, EJECT)}", r"status 2")),
        ("closes the tray", does(tray(CLOSE), r"status 4")),
        ("reads the disc once more", does("mount -t iso9660 -o ro /dev/sr0 /mnt/cd && cat /mnt/cd/hello.txt && "
                                          "umount /mnt/cd", r"hello from the disc")),
        ("gets another disc", on_ctl("insert", "sdc", "two.iso")),
        ("reads the other disc", in_time(does("mount -t iso9660 -o ro /dev/sr0 /mnt/cd && cat /mnt/cd/hello.txt && "
                                              "umount /mnt/cd", r"the other disc"))),
        ("is without a disc", on_ctl("eject", "sdc")),
        ("sees that", in_time(does(tray(), r"status 1"))),
        ("verifies with fio: raw", fio_verifies(DISK, "32m")),
        ("verifies with fio: qcow2", fio_verifies(OTHER, "32m")),
        ("gives space back to the host: raw", trim_gives_back(DISK, "a.raw")),
        ("is unplugged and found again",
         does("echo 1 >/sys/bus/scsi/devices/0:0:0:0/delete && echo '- - -' >/sys/class/scsi_host/host0/scan && "
              f"udevadm settle && [ -b {DISK} ]")),
        ("powers off", powers_off),
        ("the image is clean", image_is_clean("b.qcow2")),
    ]
