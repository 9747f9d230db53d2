# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's system on a disk with a boot loader, booted by SeaBIOS: MBR and core image of GRUB before
the first partition, kernel and initrd in it."""
import dataclasses
import os
import re
import struct
import subprocess
import time

import system
import vmm
from system import GUESTS, SYSTEM, System, does, powers_off, starts

SECTOR = 512
START = 2048  # of the partition, in sectors
GRUB = "/usr/lib/grub/i386-pc"
MODULES = "biosdisk part_msdos ext2 linux serial terminal normal boot configfile echo".split()
WORDS = "root=/dev/vda1 console=ttyS0,115200 quiet systemd.unit=kiln-test.target"
BOOT_PATIENCE = 300


def make_disk(path, root=WORDS):
    """A disk with the system, GRUB and a partition table, at @path."""
    part = path + ".part"
    core = path + ".core"
    config = path + ".cfg"
    subprocess.run(["cp", "--sparse=always", SYSTEM, part], check=True)
    vmlinuz = re.search(
        r"vmlinuz-\S+", subprocess.run(["debugfs", "-R", "ls /boot", part], check=True, capture_output=True, text=True).stdout
    )[0]
    with open(config, "w", encoding="ascii") as file:
        file.write(
            "serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n"
            "echo KILN-GRUB\n"
            f"linux /boot/{vmlinuz} {root}\ninitrd /boot/kiln-initrd\nboot\n"
        )
    commands = f"mkdir /boot/grub\nwrite {config} /boot/grub/grub.cfg\nwrite {GUESTS}/system-initrd /boot/kiln-initrd\n"
    subprocess.run(["debugfs", "-w", "-f", "-", part], input=commands.encode(), check=True, capture_output=True)
    subprocess.run(
        ["grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)/boot/grub", *MODULES], check=True
    )
    size = os.path.getsize(part)
    with open(f"{GRUB}/boot.img", "rb") as file:
        boot = bytearray(file.read(440).ljust(SECTOR, b"\0"))
    # One partition, active, of type Linux; cylinders, heads and sectors are of no interest.
    boot[446:462] = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", START, size // SECTOR)
    boot[510:512] = b"\x55\xaa"
    with open(core, "rb") as file:
        loader = file.read()
    assert len(loader) <= (START - 1) * SECTOR
    with open(path, "wb") as disk:
        disk.write(boot + loader)
        disk.truncate(START * SECTOR + size)
    subprocess.run(
        ["dd", f"if={part}", f"of={path}", "bs=1M", f"seek={START * SECTOR >> 20}", "conv=notrunc,sparse", "status=none"],
        check=True,
    )
    for name in (part, core, config):
        os.unlink(name)
    os.chown(path, vmm.USER, vmm.USER)


@dataclasses.dataclass
class Bios(System):
    """A system that firmware boots.  @os is what else is in its <os>."""

    os: str = ""
    bus: str = "virtio"

    def image(self, directory):
        return f"{directory}/{self.name}.disk"

    def prepare(self, directory):
        make_disk(self.image(directory))

    def document(self, directory):
        text = super().document(directory)
        text = re.sub(r"<kernel>.*</cmdline>", self.os, text, flags=re.DOTALL)
        log = f"<serial type='file'><source path='{directory}/debug.log'/><target type='isa-debug'><model name='isa-debugcon'/></target></serial>"
        return text.replace("type='qcow2'", "type='raw'").replace("<panic", log + "<panic")


def reaches_grub(running):
    running.expect(r"KILN-GRUB", BOOT_PATIENCE)
    running.note = f"boot loader after {time.monotonic() - running.started:.1f} s"


def has_tables(running):
    """What firmware handed over: where ECAM is, SMBIOS, the memory map."""
    return does("ls /sys/firmware/dmi/tables/DMI && ls /sys/firmware/acpi/tables/MCFG && grep -q 'PCI ECAM\\|PCI MMCONFIG' /proc/iomem")(
        running
    )


def reboots(running):
    running.send("systemctl reboot")
    running.expect(r"KILN-GRUB", BOOT_PATIENCE)
    return starts(running)


def systems():
    steps = [
        ("SeaBIOS finds the boot loader", reaches_grub),
        ("the system is up", starts),
        ("it has the tables of firmware", has_tables),
        ("it says nothing worse than under QEMU", does("! dmesg --level=emerg,alert,crit | grep .")),
        ("it reboots by firmware again", reboots),
        ("it powers off", powers_off),
    ]
    order = "<boot dev='cdrom'/><boot dev='hd'/><bootmenu enable='yes' timeout='100'/>"
    return [
        ("SeaBIOS and GRUB", Bios("seabios", vcpus=2), steps),
        ("SeaBIOS with RAM above 4 GiB, and a boot menu", Bios("seabios-high", memory=3072, os=order), steps[:2] + steps[-1:]),
    ]
