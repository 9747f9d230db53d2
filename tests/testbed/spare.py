# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that are given a disk of the host's: the NVMe disk of a testbed with --spare."""
import os
import resource
import subprocess
import time

import system
import vmm
from system import System, does, in_time, powers_off, starts

NAME = "0000:00:10.0"
FUNCTION = f"/sys/bus/pci/devices/{NAME}"
MOUNT = "/mnt/spare"


def hostdev(managed):
    return f"""
    <hostdev mode='subsystem' type='pci' managed='{managed}'>
      <driver name='vfio'/>
      <source><address domain='0x0000' bus='0x00' slot='0x10' function='0x0'/></source>
    </hostdev>"""


def driver():
    return os.path.basename(os.readlink(f"{FUNCTION}/driver")) if os.path.exists(f"{FUNCTION}/driver") else None


def bind(name):
    """Gives the disk to the host's driver @name, unless that has it."""
    if driver() == name:
        return
    with open(f"{FUNCTION}/driver_override", "w", encoding="ascii") as file:
        file.write(f"{name}\n")
    if driver() is not None:
        with open(f"{FUNCTION}/driver/unbind", "w", encoding="ascii") as file:
            file.write(NAME)
    with open("/sys/bus/pci/drivers_probe", "w", encoding="ascii") as file:
        file.write(NAME)
    if driver() != name:
        raise vmm.Failure(f"{NAME} has the driver {driver()}, not {name}")


def group():
    return "/dev/vfio/" + os.path.basename(os.readlink(f"{FUNCTION}/iommu_group"))


class Spare(System):
    """The disk is vfio-pci's before the guest starts, and the user's."""

    def prepare(self, directory):
        super().prepare(directory)
        subprocess.run(["modprobe", "vfio-pci"], check=True)
        bind("vfio-pci")
        os.chown(group(), vmm.USER, vmm.USER)
        # What a service manager or limits.conf gives: all of guest memory is pinned.
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Managed(System):
    """Kiln takes it from the host's driver, as root."""

    user = 0

    def prepare(self, directory):
        super().prepare(directory)
        subprocess.run(["modprobe", "vfio-pci"], check=True)
        bind("nvme")


def refused(*words, prepare, command=()):
    """A step: another guest with the disk is refused with all of @words, and the host's state is as before."""

    def step(running):
        guest = Spare("second", hostdev("no"), memory=256, disk=None)
        guest.prepare(running.directory)
        path = f"{running.directory}/second.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(guest.document(running.directory))
        prepare()
        status, output = system.run(*command, "kiln", "run", path, check=False)
        missing = [word for word in words if word not in output]
        return None if status != 0 and not missing else f"status {status}, without {missing}: {output[-1500:]}"

    return step


def interrupts(running):
    """Those of the disk come as messages, by a vector a queue."""
    return does("grep -E 'nvme0q[01]' /proc/interrupts && awk '/nvme0q/ { n += $2 } END { exit n < 100 }' /proc/interrupts",
                r"MSI.*nvme0q1")(running)


def reads_back(running):
    """The host has the disk again, and on it what the guest wrote."""
    bind("nvme")
    deadline = time.monotonic() + 60
    while not (disks := [name for name in os.listdir("/sys/block")
                         if NAME in os.path.realpath(f"/sys/block/{name}")]) and time.monotonic() < deadline:
        time.sleep(0.2)
    if not disks:
        return "the host has no disk"
    device = f"/dev/{disks[0]}"
    check = subprocess.run(["e2fsck", "-fn", device], capture_output=True, text=True, check=False)
    if check.returncode != 0:
        return f"e2fsck says {check.returncode}: {check.stdout[-1000:]}"
    os.makedirs(MOUNT, exist_ok=True)
    subprocess.run(["mount", "-o", "ro", device, MOUNT], check=True)
    with open(f"{MOUNT}/from-the-guest", encoding="ascii") as file:
        text = file.read()
    subprocess.run(["umount", MOUNT], check=True)
    return None if text == "hello from the guest\n" else f"the disk says '{text}'"


MOUNTS = does(f"mkdir -p {MOUNT} && mount /dev/nvme0n1 {MOUNT} && cat {MOUNT}/label", r"^a disk of the host")
WRITES = does(f"echo hello from the guest >{MOUNT}/from-the-guest && sync")
FIO = does(
    f"fio --name=v --filename={MOUNT}/fio --rw=randrw --bsrange=4k-64k --size=24m --ioengine=libaio --iodepth=16 --direct=1 "
    f"--verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=7 --minimal >/tmp/fio 2>&1 || {{ tail -c 1500 /tmp/fio; false; }}; "
    f"rm {MOUNT}/fio", patience=900)


def reboots(running):
    running.send("systemctl reboot")
    return starts(running)


def pauses(running):
    """Its DMA goes on while vCPUs stand still, and it is used afterwards."""
    running.control("pause")
    running.control("resume")
    return does(f"sync; cat {MOUNT}/label", r"^a disk of the host")(running)


def belongs_to(name):
    def step(_running):
        return None if driver() == name else f"{NAME} has the driver {driver()}, not {name}"

    return step


def scenarios():
    """Yields name, guest, steps."""
    yield "a disk of the host", Spare("spare", hostdev("no"), memory=384), [
        ("starts", starts),
        ("has the function", does("lspci -n", r"0108: 1b36:0010")),
        ("reads what the host wrote", MOUNTS),
        ("verifies with fio", FIO),
        ("gets interrupts", interrupts),
        ("writes", WRITES),
        ("is paused and goes on", pauses),
        ("is not given twice", refused("IOMMU group", "one guest can have it at a time", prepare=lambda: None)),
        ("reboots", reboots),
        ("reads it again", MOUNTS),
        ("unbinds and binds the driver", does(
            f"umount {MOUNT} && f=$(basename $(readlink -f /sys/class/nvme/nvme0/device)) && "
            "echo $f >/sys/bus/pci/drivers/nvme/unbind && echo $f >/sys/bus/pci/drivers/nvme/bind")),
        ("has it again", in_time(does(f"mount /dev/nvme0n1 {MOUNT}"))),
        ("powers off", powers_off),
        ("gives it back", reads_back),
        ("is refused while the host uses it", refused("has the driver 'nvme', not vfio-pci", prepare=lambda: bind("nvme"))),
        ("is refused without access", refused("Permission denied", "chown USER /dev/vfio/",
                                              prepare=lambda: os.chown(group(), 0, 0))),
        ("is refused with little memory to lock", refused(
            "limit of locked memory is 8192 KiB", "raise it to", prepare=lambda: None,
            command=("prlimit", "--memlock=8388608:8388608"))),
    ]
    yield "a disk that is managed", Managed("managed", hostdev("yes"), memory=384), [
        ("starts", starts),
        ("took it from its driver", belongs_to("vfio-pci")),
        ("reads what the host wrote", MOUNTS),
        ("verifies with fio", FIO),
        ("writes", WRITES),
        ("powers off", powers_off),
        ("gave it back", belongs_to("nvme")),
        ("leaves it whole", reads_back),
    ]
