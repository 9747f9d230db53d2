# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest of the testbed is, and the libvirt domain document that says so."""
import dataclasses
import uuid
from xml.sax.saxutils import escape

GUESTS = "/payload/guests"

# What <sysinfo> says, and under which of dmidecode's names it is found again.
SYSINFO = {
    "system": {
        "manufacturer": ("Manufacturer", "Testbed & Sons"),
        "product": ("Product Name", "Guest under test"),
        "version": ("Version", "1.0"),
        "serial": ("Serial Number", "KILN-0001"),
        "family": ("Family", "Virtual"),
    },
}


@dataclasses.dataclass
class Guest:
    """One guest.  memory is in MiB; topology is sockets, cores a socket, threads a core."""

    name: str
    kernel: str = "cloud-bzImage"
    vcpus: int = 1
    memory: int = 256
    topology: tuple = None
    cmdline: str = "console=ttyS0,115200 quiet kiln.test=console"
    on_poweroff: str = "destroy"
    on_reboot: str = "restart"
    on_crash: str = "destroy"

    def __post_init__(self):
        if self.topology is None:
            self.topology = (1, self.vcpus, 1)
        sockets, cores, threads = self.topology
        assert sockets * cores * threads == self.vcpus
        if self.vcpus > 2:
            # So many take turns on the testbed's one processor that on a busy machine some stand
            # still for longer than their kernel believes.  A guest that really hangs meets its deadline.
            self.cmdline = "nosoftlockup rcupdate.rcu_cpu_stall_suppress=1 " + self.cmdline
        # The same in every run, so that logs can be compared.
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_URL, "kiln-testbed:" + self.name))

    @property
    def kernel_path(self):
        return f"{GUESTS}/{self.kernel}"

    @property
    def initrd_path(self):
        return f"{GUESTS}/{self.kernel.split('-')[0]}-initrd"


def document(guest):
    """The domain XML of @guest, in libvirt's own language."""
    sockets, cores, threads = guest.topology
    sysinfo = "".join(
        f"\n      <entry name='{name}'>{escape(value)}</entry>"
        for name, (_, value) in SYSINFO["system"].items()
    )
    return f"""<domain type='kvm'>
  <name>{escape(guest.name)}</name>
  <uuid>{guest.uuid}</uuid>
  <memory unit='MiB'>{guest.memory}</memory>
  <vcpu>{guest.vcpus}</vcpu>
  <sysinfo type='smbios'>
    <system>{sysinfo}
      <entry name='uuid'>{guest.uuid}</entry>
    </system>
  </sysinfo>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{guest.kernel_path}</kernel>
    <initrd>{guest.initrd_path}</initrd>
    <cmdline>{escape(guest.cmdline)}</cmdline>
    <smbios mode='sysinfo'/>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-passthrough'>
    <topology sockets='{sockets}' dies='1' cores='{cores}' threads='{threads}'/>
  </cpu>
  <on_poweroff>{guest.on_poweroff}</on_poweroff>
  <on_reboot>{guest.on_reboot}</on_reboot>
  <on_crash>{guest.on_crash}</on_crash>
  <devices>
    <serial type='stdio'>
      <target port='0'/>
    </serial>
    <panic model='isa'/>
  </devices>
</domain>
"""
