# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's system on a GPT disk with an EFI system partition, booted by OVMF and GRUB."""
import binascii
import dataclasses
import os
import re
import struct
import subprocess
import time
import uuid

import system
import vmm
from system import GUESTS, SYSTEM, System, does, powers_off, starts

SECTOR = 512
MIB = 1 << 20
ESP_MIB = 64
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
MODULES = "part_gpt ext2 fat linux serial terminal normal boot configfile echo search".split()
WORDS = "root=/dev/vda2 console=ttyS0,115200 quiet systemd.unit=kiln-test.target"
CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
BOOT_PATIENCE = 480
TEMPLATE = "/usr/share/OVMF/OVMF_VARS_4M.fd"


def call(*command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}, **more)


def make_esp(path, vmlinuz, words):
    """A file system with GRUB as what is booted when nobody says otherwise (UEFI 2.10 §3.5.1.1)."""
    loader, config = path + ".efi", path + ".cfg"
    with open(config, "w", encoding="ascii") as file:
        file.write(
            "serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n"
            f"echo KILN-GRUB\nlinux (hd0,gpt2)/boot/{vmlinuz} {words}\n"
            "initrd (hd0,gpt1)/initrd\nboot\n"
        )
    call("grub-mkimage", "-O", "x86_64-efi", "-o", loader, "-p", "/EFI/BOOT", *MODULES)
    with open(path, "wb") as file:
        file.truncate(ESP_MIB * MIB)
    call("mkfs.vfat", path)
    call("mmd", "-i", path, "::EFI", "::EFI/BOOT")
    call("mcopy", "-i", path, loader, "::EFI/BOOT/BOOTX64.EFI")
    call("mcopy", "-i", path, config, "::EFI/BOOT/grub.cfg")
    call("mcopy", "-i", path, f"{GUESTS}/system-initrd", "::initrd")
    os.unlink(loader)
    os.unlink(config)


def gpt(sectors, partitions):
    """Protective MBR with the first table, and the second table (UEFI 2.10 §5.3), of a disk of @sectors:
    partitions are (type, first sector, last sector)."""
    entries = b"".join(
        kind.bytes_le + uuid.uuid4().bytes_le + struct.pack("<QQQ72s", first, last, 0, b"")
        for kind, first, last in partitions
    ).ljust(128 * 128, b"\0")
    disk = uuid.uuid4().bytes_le

    def header(own, other, table):
        def pack(crc):
            return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, own, other, 34, sectors - 34,
                               disk, table, 128, 128, binascii.crc32(entries))

        return pack(binascii.crc32(pack(0))).ljust(SECTOR, b"\0")

    mbr = bytearray(SECTOR)
    mbr[446:462] = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))
    mbr[510:512] = b"\x55\xaa"
    return bytes(mbr) + header(1, sectors - 1, 2) + entries, entries + header(sectors - 1, 1, sectors - 33)


def make_disk(path, words=WORDS):
    """A disk with the system and what boots it, at @path."""
    esp, listing = path + ".esp", subprocess.run(
        ["debugfs", "-R", "ls /boot", SYSTEM], check=True, capture_output=True, text=True)
    make_esp(esp, re.search(r"vmlinuz-\S+", listing.stdout)[0], words)
    root = (1 + ESP_MIB) * MIB
    size = root + os.path.getsize(SYSTEM) + MIB
    first, second = gpt(size // SECTOR, [
        (ESP, MIB // SECTOR, root // SECTOR - 1),
        (LINUX, root // SECTOR, (size - MIB) // SECTOR - 1),
    ])
    with open(path, "wb") as disk:
        disk.write(first)
        disk.truncate(size)
        disk.seek(size - len(second))
        disk.write(second)
    for part, at in ((esp, 1), (SYSTEM, root // MIB)):
        call("dd", f"if={part}", f"of={path}", "bs=1M", f"seek={at}", "conv=notrunc,sparse", "status=none")
    os.unlink(esp)
    os.chown(path, vmm.USER, vmm.USER)


@dataclasses.dataclass
class Uefi(System):
    """A system that OVMF boots.  @os is what else is in its <os>, @attributes what <os> has."""

    attributes: str = "firmware='efi'"
    os: str = "<nvram>@DIR@/vars.fd</nvram>"

    def image(self, directory):
        return f"{directory}/{self.name}.raw"

    def prepare(self, directory):
        if not os.path.exists(self.image(directory)):  # it is started again
            make_disk(self.image(directory))

    def document(self, directory):
        text = super().document(directory)
        text = re.sub(r"<kernel>.*</cmdline>", self.os.replace("@DIR@", directory), text, flags=re.DOTALL)
        return text.replace("<os>", f"<os {self.attributes}>".replace(" >", ">")).replace("type='qcow2'", "type='raw'")


# --- steps

EFI = "/sys/firmware/efi/efivars"
# Not of the GUID of UEFI itself, whose names firmware knows all.
NAME = f"{EFI}/KilnTest-0b7c0d5e-6a0f-4e0c-9c57-3f1d8a2b9e64"


MOUNTED = f"{{ modprobe efivarfs 2>/dev/null; mountpoint -q {EFI} || mount -t efivarfs efivarfs {EFI}; }}"


def sets(value):
    """A variable: its attributes (non-volatile, at boot and at run time), and the value."""
    return does(
        f"{MOUNTED} && {{ chattr -i {NAME} 2>/dev/null; printf '\\007\\0\\0\\0{value}' > {NAME}; }} && cat {NAME} | tail -c +5",
        value,
    )


def has(value):
    return does(f"{MOUNTED} && cat {NAME} | tail -c +5", value)


def reaches_grub(running):
    running.expect("KILN-GRUB", BOOT_PATIENCE)
    running.note = f"boot loader after {time.monotonic() - running.started:.1f} s"


def reboots(running):
    running.send("systemctl reboot")
    running.expect("KILN-GRUB", BOOT_PATIENCE)
    return starts(running)


def again(running):
    """Another process for the same guest, with the same files."""
    running.process.stdin.close()
    running.process.stdout.close()
    running.errors.close()
    running.__init__(running.guest, running.directory)
    return starts(running)


def survives_a_kill(running):
    """Between two instructions: what the guest was told is done has to be there."""
    running.process.kill()
    running.process.wait()
    return again(running)


def has_its_own(running):
    """The template is left as it was, the guest's copy is not."""
    with open(f"{running.directory}/vars.fd", "rb") as own, open(TEMPLATE, "rb") as template:
        mine, shared = own.read(), template.read()
    if len(mine) != len(shared) or mine == shared:
        return "the variable store is not a copy that the guest has changed"
    return None if "kiln-kept".encode() in mine else "the variable is not in the store"


def systems():
    steps = [
        ("OVMF finds the boot loader", reaches_grub),
        ("the system is up", starts),
        ("it was booted by UEFI", does("test -d /sys/firmware/efi && ls /sys/firmware/dmi/tables/DMI /sys/firmware/acpi/tables/MCFG")),
        ("it sets a variable", sets("kiln-first")),
        ("it reboots by firmware again", reboots),
        ("the variable is there", has("kiln-first")),
        ("it sets another value", sets("kiln-kept")),
        ("it is killed, and starts again", survives_a_kill),
        ("the variable is there after the kill", has("kiln-kept")),
        ("it powers off", powers_off),
        ("its variables are in a store of its own", has_its_own),
        ("it starts again", again),
        ("the variable is there after the power-off", has("kiln-kept")),
        ("it powers off at last", powers_off),
    ]
    loader = f"<loader type='pflash' readonly='yes'>{CODE}</loader><nvram template='{TEMPLATE}'>@DIR@/vars.fd</nvram>"
    return [
        ("OVMF and GRUB", Uefi("ovmf", vcpus=2), steps),
        ("OVMF by its path", Uefi("ovmf-path", attributes="", os=loader), steps[:3] + steps[9:10]),
    ]
