# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stock libvirtd beside virtkilnd, for networks and storage; and virt-install, virt-xml and virt-clone,
which use both.  One machine, one life: each step goes on from the one before."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time

import driver
from driver import PATIENCE, URI, Wrong, becomes, good, refused, says
from document import GUESTS

TOP = "/var/tmp/kiln-tools"
TANK = f"{TOP}/tank"
DEFAULT_NETWORK = "/usr/share/libvirt/networks/default.xml"
BRIDGE = "virbr0"
LOG = "/var/tmp/libvirtd.log"
LIBVIRT_USERS = ["libvirt-qemu", "libvirt-dnsmasq"]  # as the packages of the whole system make them
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover",
           "net_failover", "virtio_net", "virtio_blk", "button", "evdev"]
BOOT = "console=ttyS0,115200 quiet"
# The guest asks for an address and does what is typed; its power button ends it.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
dmesg -n 1
for module in /modules/*.ko; do insmod $module; done
(dd if=/dev/input/event0 bs=24 count=1 >/dev/null 2>&1 && poweroff -f) &
ip link set eth0 up
udhcpc -i eth0 -s /dhcp -t 30 -T 2 -n -q >/dev/null 2>&1 &
while read -r line; do eval "$line"; done
"""
DHCP = """#!/bin/busybox sh
[ "$1" != bound ] || ip addr add "$ip/$mask" dev "$interface"
"""
DOCUMENT = """<domain type='kvm'>
  <name>of-default</name>
  <memory unit='MiB'>160</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <kernel>%(kernel)s</kernel><initrd>%(initrd)s</initrd><cmdline>%(boot)s</cmdline></os>
  <features><acpi/></features>
  <devices>
    <disk type='volume'><driver type='qcow2'/><source pool='tank' volume='first.qcow2'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='network'><source network='default'/><model type='virtio'/></interface>
    <console type='pty'/>
  </devices>
</domain>
"""
# A client that lives through the death of libvirtd: prints a line of JSON a step, and waits for one between them.
WATCHER = """
import json, sys, threading, time
import libvirt
libvirt.registerErrorHandler(lambda *ignored: None, None)
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True:
        libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
told = []
connection = libvirt.open("%s")
connection.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE,
                                   lambda connection, network, event, detail, data: told.append(event), None)
network = connection.networkLookupByName("default")
pool = connection.storagePoolLookupByName("tank")
stream = connection.newStream(0)
pool.storageVolLookupByName("large.raw").download(stream, 0, 0, 0)
stream.recv(1000)
print(json.dumps(network.bridgeName()), flush=True)
sys.stdin.readline()
errors = []
try:
    while stream.recv(65536):
        pass
except libvirt.libvirtError as error:
    errors.append(error.get_error_code())
try:
    network.isActive() == 1
except libvirt.libvirtError as error:
    errors.append(error.get_error_code())
print(json.dumps([errors, connection.lookupByName("of-default").isActive()]), flush=True)
sys.stdin.readline()
network.setAutostart(True)
end = time.monotonic() + 60
connection.networkDefineXML("<network><name>other</name></network>").undefine()
while len(told) < 2 and time.monotonic() < end:
    time.sleep(0.2)
print(json.dumps([network.isActive() == 1, told]), flush=True)
""" % URI


def run(*command, patience=5 * PATIENCE, check=True, data=None):
    """Returns the output of a command that has to succeed."""
    try:
        done = subprocess.run(command, input=data, stdin=None if data else subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise Wrong(f"{' '.join(command)} took over {patience} s: {error.output}") from None
    output = done.stdout.decode(errors="replace")
    if check and done.returncode != 0:
        raise Wrong(f"{' '.join(command)}: status {done.returncode}: {output.strip()}")
    return output


def console(name, pattern, send, patience=3 * PATIENCE):
    """Reads the guest's console, by a stream, until it says @pattern; what is sent is sent again now and then."""
    program = f"""
import libvirt, re
connection = libvirt.open("{URI}")
stream = connection.newStream(0)
connection.lookupByName("{name}").openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
stream.send({(send + chr(10)).encode()!r})
seen = b""
while not re.search({pattern.encode()!r}, seen):
    seen += stream.recv(4096)
    print(seen[-300:], flush=True)
"""
    end = time.monotonic() + patience
    while True:
        done = subprocess.run(["timeout", "40", "python3", "-c", program], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > end:
            raise Wrong(f"no '{pattern}' on the console of {name}: {done.stdout[-600:]}{done.stderr}")


class Libvirtd:
    """The stock daemon, without guests of its own."""

    def __init__(self):
        self.process = None

    def start(self):
        with open(LOG, "ab") as log:
            self.process = subprocess.Popen(["libvirtd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        end = time.monotonic() + PATIENCE
        while driver.virsh("net-list", uri="network:///system?socket=/run/libvirt/libvirt-sock")[0] != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                with open(LOG, encoding="utf-8", errors="replace") as file:
                    raise Wrong(f"libvirtd does not answer: {file.read()[-2000:]}")
            time.sleep(0.2)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)


class Installs:
    """The scenario: steps in their order; the first that fails ends it."""

    kiln_only = True
    cost = 12
    name = "virt-install beside libvirtd"

    def __init__(self):
        self.daemon = driver.Daemon()
        self.libvirtd = Libvirtd()
        self.watcher = None
        self.kernel = None
        self.initrd = f"{TOP}/initrd"
        self.tree = f"{TOP}/tree/dists/bookworm/main/installer-amd64"

    # --- what the guests are made of

    def make_guest(self):
        """A small guest with network, of this machine's own kernel."""
        release = os.uname().release
        self.kernel = f"{TOP}/vmlinuz"
        shutil.copy(f"/boot/vmlinuz-{release}", self.kernel)
        tree = f"{TOP}/initrd.d"
        os.makedirs(f"{tree}/bin")
        os.makedirs(f"{tree}/modules")
        shutil.copy("/bin/busybox", f"{tree}/bin/busybox")
        for number, module in enumerate(MODULES):
            for path in glob.glob(f"/lib/modules/{release}/kernel/**/{module}.ko", recursive=True):
                shutil.copy(path, f"{tree}/modules/{10 + number}.ko")
        for name, text in (("init", INIT), ("dhcp", DHCP)):
            with open(f"{tree}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(f"{tree}/{name}", 0o755)
        run("sh", "-c", f"cd {tree} && find . | busybox cpio -o -H newc >{self.initrd} 2>/dev/null")
        os.chmod(self.kernel, 0o644)

    def make_tree(self):
        """A Debian tree, with what the suite's guests boot in the place of the installer."""
        images = f"{self.tree}/current/images"
        os.makedirs(f"{images}/netboot/debian-installer/amd64")
        shutil.copy(f"{GUESTS}/cloud-bzImage", f"{images}/netboot/debian-installer/amd64/linux")
        shutil.copy(f"{GUESTS}/cloud-initrd", f"{images}/netboot/debian-installer/amd64/initrd.gz")
        with open(f"{images}/MANIFEST", "w", encoding="utf-8") as file:
            file.write("netboot/debian-installer/amd64/linux -- kernel of the Debian installer\n")

    # --- steps

    def answers_alone(self):
        driver.make_user()
        for user in LIBVIRT_USERS:
            if subprocess.run(["id", user], check=False, capture_output=True).returncode != 0:
                subprocess.run(["useradd", "-r", user], check=True)
        # virt-install puts the kernels of trees there; it is of the same packages.
        os.makedirs("/var/lib/libvirt/boot", exist_ok=True)
        shutil.rmtree(TOP, ignore_errors=True)
        os.makedirs(TOP)
        self.make_guest()
        self.make_tree()
        self.daemon.start()
        refused("no daemon with the network driver runs", "net-start", "default")

    def relays_networks(self):
        self.libvirtd.start()
        if "default" not in good("net-list", "--all"):
            good("net-define", DEFAULT_NETWORK)
        good("net-start", "default")
        says(r"default +active", "net-list")
        says(r"Bridge: +virbr0", "net-info", "default")
        run("ip", "link", "show", BRIDGE)

    def relays_storage(self):
        good("pool-define-as", "tank", "dir", "--target", TANK)
        good("pool-build", "tank")
        good("pool-start", "tank")
        good("vol-create-as", "tank", "first.qcow2", "64M", "--format", "qcow2")
        says(r"first.qcow2 +/var/tmp/kiln-tools/tank/first.qcow2", "vol-list", "tank")
        with open(f"{TOP}/given", "wb") as file:
            file.write(os.urandom(4 << 20))
        good("vol-create-as", "tank", "large.raw", str(4 << 20), "--format", "raw")
        good("vol-upload", "large.raw", f"{TOP}/given", "--pool", "tank")
        good("vol-download", "large.raw", f"{TOP}/back", "--pool", "tank")
        run("cmp", f"{TOP}/given", f"{TOP}/back")

    def resolves(self):
        path = f"{TOP}/of-default.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(DOCUMENT % {"kernel": self.kernel, "initrd": self.initrd, "boot": BOOT})
        good("define", path)
        good("start", "of-default")
        says(r"^ *vda +first.qcow2", "domblklist", "of-default")
        tap = says(r"^ *(\S+) +network +default +virtio", "domiflist", "of-default").group(1)
        if BRIDGE not in run("ip", "link", "show", tap):
            raise Wrong(f"{tap} is no port of {BRIDGE}")

    def is_reached(self):
        """The guest has an address of the network's, and its lease is told."""
        console("of-default", r"1 packets received", send="ping -c 1 -W 5 192.168.122.1")
        says(r"ipv4 +192\.168\.122\.\d+/24", "domifaddr", "of-default", "--source", "lease")
        says(r"ipv4 +192\.168\.122\.\d+", "net-dhcp-leases", "default")

    def outlives_libvirtd(self):
        self.watcher = subprocess.Popen(["python3", "-c", WATCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.hears(BRIDGE)
        self.libvirtd.kill()
        errors, active = self.asks()
        if len(errors) != 2 or not active:
            raise Wrong(f"errors {errors}, the guest is {'' if active else 'not '}there")
        says(r"of-default +running", "list")

    def finds_it_again(self):
        """The client of before calls again, and hears what it registered for."""
        self.libvirtd.start()
        active, told = self.asks()
        if not active or len(told) < 2:
            raise Wrong(f"the network is {'' if active else 'not '}active, events {told}")
        self.watcher.wait(PATIENCE)
        console("of-default", r"still 2", send="echo still $((1 + 1))")

    def hears(self, wanted=None):
        line = self.watcher.stdout.readline()
        try:
            said = json.loads(line)
        except ValueError:
            raise Wrong(f"the client says {line}{self.watcher.stdout.read()}") from None
        if wanted is not None and said != wanted:
            raise Wrong(f"the client says {said}, not {wanted}")
        return said

    def asks(self):
        self.watcher.stdin.write("\n")
        self.watcher.stdin.flush()
        return self.hears()

    def ends_of_default(self):
        good("shutdown", "of-default")
        becomes(r"shut off", "domstate", "of-default")
        good("undefine", "of-default")

    def install(self, name, *more):
        return run("virt-install", "--connect", URI, "--name", name, "--osinfo", "linux2022", "--memory", "160",
                   "--vcpus", "1", "--graphics", "none", "--noautoconsole", "--network", "network=default,model=virtio",
                   "--boot", f"kernel={self.kernel},initrd={self.initrd},kernel_args={BOOT}", *more)

    def imports(self):
        good("vol-create-as", "tank", "imported.raw", "64M", "--format", "raw")
        self.install("imported", "--import", "--disk", "vol=tank/imported.raw,bus=virtio")
        says(r"imported +running", "list")
        says(r"Persistent: +yes", "dominfo", "imported")
        console("imported", r"131072", send="cat /sys/block/vda/size")

    def edits(self):
        def xml(*words):
            run("virt-xml", "--connect", URI, "imported", *words)

        xml("--edit", "--vcpus", "2")
        xml("--add-device", "--disk", "pool=tank,size=0.02,format=qcow2,target.dev=vdb,target.bus=virtio")
        text = good("dumpxml", "--inactive", "imported")
        for wanted in (">2</vcpu>", "dev='vdb' bus='virtio'"):
            if wanted not in text:
                raise Wrong(f"no {wanted} in {text}")
        xml("--remove-device", "--disk", "target=vdb")
        if "vdb" in good("dumpxml", "--inactive", "imported"):
            raise Wrong("the disk is still there")

    def clones(self):
        good("destroy", "imported")
        run("virt-clone", "--connect", URI, "--original", "imported", "--name", "copy", "--auto-clone")
        good("pool-refresh", "tank")
        says(r"copy.raw", "vol-list", "tank")

        def unique(name):
            text = good("dumpxml", name)
            return [re.search(pattern, text).group(1) for pattern in
                    (r"<uuid>(.*)</uuid>", r"mac address='(.*)'", r"<source file='(.*)'")]

        if any(one == other for one, other in zip(unique("imported"), unique("copy"))):
            raise Wrong(f"not all is another's: {unique('copy')}")
        good("start", "copy")
        says(r"CPU\(s\): +2", "dominfo", "copy")
        good("destroy", "copy")
        for name in ("copy", "imported"):
            good("undefine", name, "--remove-all-storage")
        good("pool-refresh", "tank")
        if re.search(r"copy|imported\.raw", good("vol-list", "tank")):
            raise Wrong("storage is left")

    def installs(self):
        """The installer powers off, which ends the installation; then the system itself is started."""
        said = self.install("installed", "--location", self.tree, "--extra-args", f"{BOOT} kiln.test=poweroff",
                            "--disk", "pool=tank,size=0.02,bus=virtio", "--wait", "5")
        if "Restarting guest" not in said:
            raise Wrong(said)
        says(r"installed +running", "list")
        console("installed", r"here 2", send="echo here $((1 + 1))")

    def installs_by_names(self):
        """Kernel and initrd are named; the guest is transient, and gone with its end."""
        place = "current/images/netboot/debian-installer/amd64"
        self.install("named", "--location", f"{self.tree},kernel={place}/linux,initrd={place}/initrd.gz",
                     "--extra-args", f"{BOOT} kiln.test=console", "--disk", "none", "--transient")
        says(r"Persistent: +no", "dominfo", "named")
        console("named", r"KILN-ECHO by name", send="echo by name")
        good("destroy", "named")
        refused("failed to get domain", "domstate", "named")
        left = glob.glob("/var/lib/libvirt/boot/virtinst-*")
        if left:
            raise Wrong(f"left: {left}")

    def ends(self):
        good("destroy", "installed")
        good("undefine", "installed", "--remove-all-storage")
        good("net-destroy", "default")
        good("pool-destroy", "tank")
        good("pool-undefine", "tank")
        if good("list", "--all").strip():
            raise Wrong("guests are left")
        self.libvirtd.kill()
        self.daemon.kill(signal.SIGTERM)

    STEPS = [
        ("without a libvirtd says so", answers_alone),
        ("relays calls of networks to libvirtd", relays_networks),
        ("relays calls and streams of storage", relays_storage),
        ("starts a guest on a network and a volume", resolves),
        ("guest has an address of the network", is_reached),
        ("libvirtd dies, calls and streams fail, the guest lives", outlives_libvirtd),
        ("libvirtd is back, the same client goes on", finds_it_again),
        ("guest is shut down", ends_of_default),
        ("virt-install --import", imports),
        ("virt-xml", edits),
        ("virt-clone", clones),
        ("virt-install --location of a tree", installs),
        ("virt-install --location with kernel and initrd named", installs_by_names),
        ("cleans up", ends),
    ]

    def run(self, tap, machine, directory):
        begin = time.monotonic()
        failed = None
        for name, step in self.STEPS:
            details = "not reached" if failed else None
            start = time.monotonic()
            if failed is None:
                try:
                    step(self)
                except Exception as error:  # a fault of this suite is a failure too
                    details = failed = f"{type(error).__name__}: {error}\n{self.daemon.said()}"
            tap.line(details is None, f"{self.name}: {name}", details)
            tap.note(f"{time.monotonic() - start:.1f} s")
        for process in (self.watcher, self.daemon.process, self.libvirtd.process):
            if process is not None and process.poll() is None:
                process.kill()
        subprocess.run(["pkill", "-9", "-f", "kiln run.*/run/libvirt/kiln"], check=False)
        subprocess.run(["pkill", "-9", "-f", "dnsmasq.*default.conf"], check=False)
        left = glob.glob("/etc/libvirt/kiln/*.xml")
        shutil.rmtree(TOP, ignore_errors=True)
        tap.line(not left or failed is not None, f"{self.name}: leaves nothing behind", ", ".join(left))
        tap.note(f"{self.name}: {time.monotonic() - begin:.1f} s")
