# SPDX-License-Identifier: LGPL-2.1-or-later
"""What virsh 9.0 is asked of the host and of a definition, and what it is to say.

A stop is a command and what comes of it: a text is all that is printed, with runs of blanks as one; a
compiled pattern is found in it; no() is an error with that text, of a command that fails.
@DIR@ is a directory that the daemon's guests may use.
"""
import re

NAME = "tour"
UUID = "7c9e2f5e-5f0a-4b11-9c68-0b4f0c0a1f00"
MAC = "52:54:00:00:70:01"
OTHER_MAC = "52:54:00:00:70:02"


class No(str):
    """The reason of a refusal."""


no = No
INACTIVE = no("Requested operation is not valid: domain is not running")
NO_SAVING = no("Operation not supported: guests cannot be saved yet")
NO_MIGRATION = no("Operation not supported: guests cannot be migrated yet")
NO_JOBS = no("Operation not supported: there are no block jobs yet")
NO_QEMU = no("this function is not supported by the connection driver: kiln guests have nothing of the QEMU driver's own")
NO_LIMITS = no("not available in this version")
NO_NATIVE = no("Operation not supported: libvirt's XML is kiln's own format: there is none to convert")


def has(pattern):
    return re.compile(pattern, re.MULTILINE)


# --- documents, by the name that the stops call them by

DOCUMENTS = {
    "tour": f"""<domain type='kvm'>
  <name>{NAME}</name>
  <uuid>{UUID}</uuid>
  <memory unit='MiB'>512</memory>
  <vcpu>2</vcpu>
  <iothreads>1</iothreads>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>@KERNEL@</kernel>
    <initrd>@INITRD@</initrd>
    <cmdline>console=ttyS0,115200 quiet kiln.test=console</cmdline>
  </os>
  <cpu mode='host-passthrough'/>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/>
      <source file='@DIR@/system.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' iothread='1'/>
      <source file='@DIR@/data.raw'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <interface type='bridge'>
      <mac address='{MAC}'/>
      <source bridge='br0'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <input type='keyboard' bus='virtio'/>
    <watchdog model='i6300esb' action='reset'/>
    <memballoon model='virtio'><stats period='2'/></memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <panic model='isa'/>
  </devices>
</domain>
""",
    "bad": "<domain type='kvm'>\n  <name>bad</name>\n  <memory>65536</memory>\n  <os><type>hvm</type></os>\n"
           "  <nonsense/>\n</domain>\n",
    "later": f"<domain type='kvm'>\n  <name>{NAME}</name>\n  <memory>65536</memory>\n"
             "  <os><type>hvm</type><kernel>/k</kernel></os>\n  <numatune><memory mode='strict'/></numatune>\n</domain>\n",
    "link": f"<interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/><model type='virtio'/>"
            "<link state='down'/></interface>\n",
    "disk": "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='@DIR@/spare.raw'/>"
            "<target dev='vdc' bus='virtio'/></disk>\n",
    "cpu": "<cpu><arch>x86_64</arch><model>qemu64</model></cpu>\n",
    "alien": "<cpu><arch>x86_64</arch><model>Alien</model></cpu>\n",
}

# --- the host

HOST = [
    ("uri", has(r"^kiln:///\w+")),
    ("version --daemon", "Compiled against library: libvirt 9.0.0\nUsing library: libvirt 9.0.0\nUsing API: KILN 9.0.0\n"
                         "Running hypervisor: KILN @VERSION@\nRunning against daemon: 9.0.0"),
    ("hostname", "@HOSTNAME@"),
    ("nodeinfo", has(r"\ACPU model: x86_64\nCPU\(s\): @CPUS@\nCPU frequency: \d+ MHz\nCPU socket\(s\): \d+\n"
                     r"Core\(s\) per socket: \d+\nThread\(s\) per core: \d+\nNUMA cell\(s\): 1\nMemory size: @MEMORY@ KiB\Z")),
    ("nodecpumap", has(r"\ACPUs present: @CPUS@\nCPUs online: @CPUS@\nCPU map: y+\Z")),
    ("nodecpustats", has(r"\Auser: \d+\nsystem: \d+\nidle: \d+\niowait: \d+\Z")),
    ("nodecpustats 0", has(r"\Auser: \d+\nsystem: \d+\nidle: \d+\niowait: \d+\Z")),
    ("nodecpustats 7777", no("invalid argument: Invalid cpuNum: there is no CPU 7777 online")),
    ("nodememstats", has(r"\Atotal : @MEMORY@ KiB\nfree : \d+ KiB\nbuffers: \d+ KiB\ncached : \d+ KiB\Z")),
    ("nodememstats 0", has(r"\Atotal : \d+ KiB\nfree : \d+ KiB\Z")),
    ("nodememstats 7", no("invalid argument: cellNum must be less than or equal to 0")),
    ("freecell", has(r"\ATotal: \d+ KiB\Z")),
    ("freecell 0", has(r"\A0: \d+ KiB\Z")),
    ("freecell 9", no("start cell 9 out of range (0-0)")),
    ("freepages --all", has(r"\ANode 0:\n4KiB: \d+")),
    ("freepages 0 4K", has(r"\A4KiB: \d+\Z")),
    ("freepages 0 12K", no("operation failed: page size of 12 KiB or NUMA node 0 not available")),
    ("allocpages 2M 0 --add", ""),
    ("allocpages 2M 2 --cellno 7", no("start cell 7 out of range (0-0)")),
    ("maxvcpus", "1024"),
    ("maxvcpus kvm", "1024"),
    ("maxvcpus xen", no("invalid argument: unknown type 'xen'")),
    ("sysinfo", has(r"\A<sysinfo type='smbios'")),
    ("node-memory-tune", has(r"\AShared memory:")),
    ("nodesevinfo", no("Operation not supported: memory encryption is not available in this version")),
    ("nodesuspend mem 60", no("Operation not supported: the host is put to sleep by its own tools, not by kiln")),
    ("capabilities", has(r"<domain type='kvm'/?>")),
    ("domcapabilities", has(r"<domain>kvm</domain>")),
    ("domcapabilities --machine isapc", no("invalid argument: the machine 'isapc' is not supported by emulator")),
    ("domcapabilities --virttype xen", no("invalid argument: the accel 'xen' is not supported by")),
    ("domcapabilities --arch riscv64", no("doesn't match given architecture 'riscv64'")),
    ("cpu-models x86_64", has(r"\A486\n[\s\S]*^EPYC$")),
    ("cpu-models riscv64", no("invalid argument: no guests of architecture 'riscv64' run here")),
    ("cpu-compare @DIR@/host.xml", "CPU described in @DIR@/host.xml is identical to host CPU"),
    ("cpu-compare @DIR@/alien.xml", no("Unknown CPU model Alien")),
    ("hypervisor-cpu-compare @DIR@/alien.xml", no("Unknown CPU model Alien")),
    ("hypervisor-cpu-compare @DIR@/cpu.xml", has(r"CPU described in @DIR@/cpu.xml")),
    ("cpu-baseline @DIR@/alien.xml", no("Unknown CPU model Alien")),
    ("cpu-baseline @DIR@/cpu.xml", has(r"<model fallback='\w+'>\w+")),
    ("hypervisor-cpu-baseline @DIR@/cpu.xml", has(r"<model fallback='\w+'>\w+")),
]

# --- a definition, which does not run

DEFINITION = [
    ("list --all", ""),
    (f"domstate {NAME}", no(f"failed to get domain '{NAME}'")),
    ("define @DIR@/bad.xml", no("line 5, column 3: domain/nonsense: this element is not known here")),
    ("define @DIR@/later.xml", no("domain/numatune: binding memory to NUMA nodes of the host is not available in this version")),
    ("define --validate @DIR@/tour.xml", ""),
    ("list", ""),
    ("list --all", f"- {NAME} shut off"),
    ("list --all --uuid", UUID),
    ("list --inactive --persistent --no-autostart --name", NAME),
    ("list --transient --all --name", ""),
    (f"domid {NAME}", "-"),
    (f"domname {UUID}", NAME),
    (f"domuuid {NAME}", UUID),
    (f"domstate {NAME} --reason", "shut off (unknown)"),
    (f"autostart {NAME}", ""),
    ("list --all --autostart --name", NAME),
    (f"dominfo {NAME}", f"Id: -\nName: {NAME}\nUUID: {UUID}\nOS Type: hvm\nState: shut off\nCPU(s): 2\nMax memory: 524288 KiB\n"
                        "Used memory: 524288 KiB\nPersistent: yes\nAutostart: enable\nManaged save: no"),
    (f"autostart {NAME} --disable", ""),
    ("list --all --autostart --name", ""),
    (f"desc {NAME} --title A_tour", ""),
    (f"desc {NAME} --title", "A_tour"),
    ("list --all --title", f"- {NAME} shut off A_tour"),
    (f"desc {NAME} --config 'a guest to be looked at'", ""),
    (f"desc {NAME}", "a guest to be looked at"),
    (f"metadata {NAME} http://example.org/tour --key t --set '<stop n=\"1\"/>'", ""),
    (f"metadata {NAME} http://example.org/tour", "<stop n='1'/>"),
    (f"metadata {NAME} http://example.org/tour --remove", ""),
    (f"metadata {NAME} http://example.org/tour", no("metadata not found: Requested metadata element is not present")),
    (f"set-lifecycle-action {NAME} reboot destroy", ""),
    (f"dumpxml {NAME} --xpath /domain/on_reboot", "<on_reboot>destroy</on_reboot>"),
    (f"set-lifecycle-action {NAME} reboot restart", ""),
    (f"set-lifecycle-action {NAME} crash coredump-destroy", no("dumps of guest memory are not available in this version")),
    (f"domrename {NAME} other", ""),
    ("list --all --name", "other"),
    (f"domrename other {NAME}", ""),
    (f"domrename {NAME} {NAME}", no(f"domain with name '{NAME}' already exists")),
    (f"dumpxml {NAME} --security-info --migratable --xpath /domain/title", "<title>A_tour</title>"),
    (f"dumpxml {NAME} --inactive --xpath /domain/memory", "<memory unit=\"KiB\">524288</memory>"),
    (f"edit {NAME}", ""),

    # vCPUs and threads
    (f"vcpucount {NAME}", "maximum config 2\ncurrent config 2"),
    (f"vcpucount {NAME} --maximum --live", INACTIVE),
    (f"vcpuinfo {NAME}", has(r"\AVCPU: 0\nCPU: N/A\nState: N/A\nCPU time N/A\nCPU Affinity: y+\n+VCPU: 1\n")),
    (f"setvcpus {NAME} 8 --config", no("requested vcpus is greater than max allowable vcpus for the persistent domain: 8 > 2")),
    (f"setvcpus {NAME} 1 --config", no("vCPUs cannot be plugged in later in this version")),
    (f"setvcpus {NAME} 1 --live", INACTIVE),
    (f"setvcpus {NAME} 3 --config --maximum", ""),
    (f"vcpucount {NAME} --maximum --config", "3"),
    (f"setvcpus {NAME} 2 --config --maximum", ""),
    (f"setvcpu {NAME} 1 --disable --config", no("vCPUs cannot be plugged in later in this version")),
    (f"guestvcpus {NAME}", INACTIVE),
    (f"vcpupin {NAME} 0 0 --config", ""),
    (f"vcpupin {NAME} --vcpu 0 --config", "0 0"),
    (f"vcpupin {NAME} 9 0 --config", no("vcpu 9 is out of range")),
    (f"vcpupin {NAME} 0 0 --live", INACTIVE),
    (f"emulatorpin {NAME} 0 --config", ""),
    (f"emulatorpin {NAME} --config", "0"),
    (f"iothreadinfo {NAME}", has(r"\A1 0")),
    (f"iothreadpin {NAME} 1 0 --config", ""),
    (f"iothreadinfo {NAME}", "1 0"),
    (f"iothreadadd {NAME} 2 --config", ""),
    (f"iothreadset {NAME} 2 --poll-max-ns 1000 --live", no("kiln's I/O threads do not poll")),
    (f"iothreaddel {NAME} 2 --config", ""),
    (f"iothreaddel {NAME} 2 --config", no("invalid argument: cannot find IOThread '2' in iothreadids list")),
    (f"cpu-stats {NAME}", INACTIVE),
    (f"schedinfo {NAME} --config", has(r"\AScheduler : posix\ncpu_shares : 0\nvcpu_period : 0\nvcpu_quota : 0\n")),
    (f"schedinfo {NAME} --set cpu_shares=2048 --config", NO_LIMITS),
    (f"schedinfo {NAME} --set nonsense=1 --config", no("invalid scheduler option: nonsense")),

    # memory
    (f"setmem {NAME} 256M --config", ""),
    (f"setmem {NAME} 1G --config", no("invalid argument: cannot set memory higher than max memory")),
    (f"setmem {NAME} 512M --config", ""),
    (f"setmem {NAME} 256M --live", INACTIVE),
    (f"setmaxmem {NAME} 640M --config", ""),
    (f"dumpxml {NAME} --xpath /domain/memory", "<memory unit=\"KiB\">655360</memory>"),
    (f"setmaxmem {NAME} 512M --config", ""),
    (f"dommemstat {NAME}", INACTIVE),
    (f"dommemstat {NAME} --period 5 --config", ""),
    (f"dumpxml {NAME} --xpath //memballoon/stats", "<stats period=\"5\"/>"),
    (f"memtune {NAME} --config", "hard_limit : unlimited\nsoft_limit : unlimited\nswap_hard_limit: unlimited"),
    (f"memtune {NAME} --hard-limit 2G --config", NO_LIMITS),
    (f"numatune {NAME} --config", "numa_mode : strict\nnuma_nodeset :"),
    (f"numatune {NAME} --nodeset 0 --mode strict --config", no("binding memory to NUMA nodes of the host is not available")),
    (f"update-memory-device {NAME} --requested-size 1G", no("no memory device found")),

    # disks
    (f"domblklist {NAME}", "vda @DIR@/system.qcow2\nvdb @DIR@/data.raw"),
    (f"domblklist {NAME} --details", "file disk vda @DIR@/system.qcow2\nfile disk vdb @DIR@/data.raw"),
    (f"domblkinfo {NAME} vdb", has(r"\ACapacity: 67108864\nAllocation: \d+\nPhysical: 67108864\Z")),
    (f"domblkinfo {NAME} vda", no("the daemon reads no images")),
    (f"domblkinfo {NAME} vdz", no("invalid argument: invalid path vdz not assigned to domain")),
    (f"domblkstat {NAME} vda", INACTIVE),
    (f"domblkerror {NAME}", INACTIVE),
    (f"blockresize {NAME} vdb 128M", INACTIVE),
    (f"blkiotune {NAME} --config", has(r"\Aweight : 0\n")),
    (f"blkiotune {NAME} --weight 200 --config", NO_LIMITS),
    (f"blkdeviotune {NAME} vdb --total-iops-sec 100 --config", ""),
    (f"blkdeviotune {NAME} vdb --config", has(r"^total_iops_sec : 100$")),
    (f"blkdeviotune {NAME} vdb --total-iops-sec 0 --config", ""),
    (f"blkdeviotune {NAME} vdz", no("disk 'vdz' was not found in the domain config")),
    (f"attach-disk {NAME} @DIR@/spare.raw vdc --config --serial spare", ""),
    (f"attach-disk {NAME} @DIR@/spare.raw vdc --config", no("target vdc already exists")),
    (f"attach-disk {NAME} @DIR@/spare.raw vdc --live", INACTIVE),
    (f"detach-disk {NAME} vdc --config", ""),
    (f"detach-disk {NAME} vdc --config", no("No disk found whose source path or target is vdc")),
    (f"attach-device {NAME} @DIR@/disk.xml --config", ""),
    (f"detach-device {NAME} @DIR@/disk.xml --config", ""),
    (f"detach-device-alias {NAME} ua-none --config", no("device not found: no device found with alias 'ua-none'")),
    (f"change-media {NAME} vda @DIR@/spare.raw --config", no("No disk found whose source path or target is vda")),

    # interfaces
    (f"domiflist {NAME}", f"- bridge br0 virtio {MAC}"),
    (f"domif-getlink {NAME} {MAC}", f"{MAC} up"),
    (f"domif-setlink {NAME} {MAC} down --config", ""),
    (f"domif-getlink {NAME} {MAC} --config", f"{MAC} down"),
    (f"domif-setlink {NAME} {MAC} up --config", ""),
    (f"update-device {NAME} @DIR@/link.xml --config", ""),
    (f"dumpxml {NAME} --xpath //interface/link", "<link state=\"down\"/>"),
    (f"domif-setlink {NAME} {MAC} up --config", ""),
    (f"attach-interface {NAME} bridge br0 --model virtio --mac {OTHER_MAC} --config", ""),
    (f"domiflist {NAME}", f"- bridge br0 virtio {MAC}\n- bridge br0 virtio {OTHER_MAC}"),
    (f"detach-interface {NAME} bridge --mac {OTHER_MAC} --config", ""),
    (f"detach-interface {NAME} bridge --mac {OTHER_MAC} --config", no(f"No interface with MAC address {OTHER_MAC} was found")),
    (f"domiftune {NAME} {MAC} --config", has(r"\Ainbound.average: 0\n")),
    (f"domifstat {NAME} {MAC}", INACTIVE),
    (f"domifaddr {NAME}", INACTIVE),

    # what is told of many
    (f"domstats {NAME} --state --balloon --vcpu", f"Domain: '{NAME}'\nstate.state=5\nstate.reason=0\nballoon.current=524288\n"
                                                  "balloon.maximum=524288\nvcpu.current=2\nvcpu.maximum=2"),
    ("domstats --list-active", ""),
    ("domstats --list-inactive --state", f"Domain: '{NAME}'\nstate.state=5\nstate.reason=0"),
    ("event --list", has(r"\Alifecycle\nreboot\nrtc-change\nwatchdog\n[\s\S]*^memory-device-size-change\Z")),

    # what only a running guest can do
    *((command, INACTIVE) for command in (
        f"domcontrol {NAME}", f"domjobinfo {NAME}", f"domjobabort {NAME}", f"domtime {NAME}", f"domhostname {NAME}",
        f"shutdown {NAME}", f"reboot {NAME}", f"reset {NAME}", f"suspend {NAME}", f"resume {NAME}", f"destroy {NAME}",
        f"inject-nmi {NAME}", f"send-key {NAME} KEY_ENTER", f"domfsfreeze {NAME}", f"domfsthaw {NAME}",
        f"domfsinfo {NAME}", f"domfstrim {NAME}", f"get-user-sshkeys {NAME} root", f"set-user-sshkeys {NAME} root --reset",
        f"set-user-password {NAME} root x", f"qemu-agent-command {NAME} '{{\"execute\":\"guest-ping\"}}'",
        f"guest-agent-timeout {NAME} --timeout 5", f"guestinfo {NAME}", f"blockjob {NAME} vda")),
    (f"domdisplay {NAME}", no("Domain is not running")),
    (f"vncdisplay {NAME}", no("Domain is not running")),
    (f"console {NAME}", no("The domain is not running")),
    (f"ttyconsole {NAME}", ""),
]

# --- what there is not yet, or never: refused with the reason, and the guest is none the worse

REFUSED = [
    (f"save {NAME} @DIR@/saved", NO_SAVING),
    ("restore @DIR@/saved", NO_SAVING),
    ("save-image-dumpxml @DIR@/saved", NO_SAVING),
    ("save-image-define @DIR@/saved @DIR@/tour.xml", NO_SAVING),
    ("save-image-edit @DIR@/saved", NO_SAVING),
    (f"managedsave {NAME}", NO_SAVING),
    (f"managedsave-dumpxml {NAME}", NO_SAVING),
    (f"managedsave-define {NAME} @DIR@/tour.xml", NO_SAVING),
    (f"managedsave-edit {NAME}", NO_SAVING),
    (f"managedsave-remove {NAME}", ""),
    (f"dump {NAME} @DIR@/core", no("Operation not supported: a guest's memory cannot be dumped yet")),
    (f"migrate {NAME} qemu+tcp://127.0.0.1:1/system", no("unable to connect to server at '127.0.0.1:1': Connection refused")),
    (f"migrate-setmaxdowntime {NAME} 10", NO_MIGRATION),
    (f"migrate-getmaxdowntime {NAME}", NO_MIGRATION),
    (f"migrate-compcache {NAME}", NO_MIGRATION),
    (f"migrate-setspeed {NAME} 10", NO_MIGRATION),
    (f"migrate-getspeed {NAME}", NO_MIGRATION),
    (f"migrate-postcopy {NAME}", NO_MIGRATION),
    (f"domdirtyrate-calc {NAME} --seconds 1", NO_MIGRATION),
    (f"blockcommit {NAME} vda", NO_JOBS),
    (f"blockcopy {NAME} vda @DIR@/copy", NO_JOBS),
    (f"blockjob {NAME} vda --abort", NO_JOBS),
    (f"blockpull {NAME} vda", NO_JOBS),
    (f"domblkthreshold {NAME} vda 1M", no("Operation not supported: kiln does not watch how far an image has grown")),
    (f"dom-fd-associate {NAME} --name x --pass-fds 0", no("kiln gives no descriptors of a client's to a guest")),
    (f"domlaunchsecinfo {NAME}", no("guests are not encrypted: there is no launch security")),
    (f"domsetlaunchsecstate {NAME} --secrethdr /etc/hostname --secret /etc/hostname",
     no("guests are not encrypted: there is no launch security")),
    (f"dompmsuspend {NAME} mem", no("Operation not supported: guests have no sleep states yet")),
    (f"dompmwakeup {NAME}", no("Operation not supported: guests have no sleep states yet")),
    (f"send-process-signal {NAME} 1 term", no("Operation not supported: a process inside a guest is that guest's own affair")),
    (f"perf {NAME}", no("Operation not supported: there are no perf events of guests")),
    (f"perf {NAME} --enable cmt", no("Operation not supported: there are no perf events of guests")),
    ("domxml-from-native qemu-argv @DIR@/tour.xml", NO_NATIVE),
    ("domxml-to-native qemu-argv @DIR@/tour.xml", NO_NATIVE),
    ("qemu-attach 1", NO_QEMU),
    (f"qemu-monitor-command {NAME} info", NO_QEMU),
    (f"qemu-monitor-event {NAME} --timeout 1", NO_QEMU),
    (f"screenshot {NAME} @DIR@/screen", no(f"could not take a screenshot of {NAME}")),
    (f"send-key {NAME} KEY_NONSENSE", no("invalid keycode: 'KEY_NONSENSE'")),
    (f"snapshot-create {NAME}", no("Operation not supported: there are no snapshots yet")),
    (f"snapshot-list {NAME} --name", ""),
    (f"checkpoint-list {NAME} --name", ""),
    (f"backup-begin {NAME}", no("Operation not supported: there are no backup jobs yet")),
]

# --- when it does not run any more

END = [
    (f"undefine {NAME} --managed-save --snapshots-metadata --checkpoints-metadata --nvram", ""),
    (f"undefine {NAME}", no(f"failed to get domain '{NAME}'")),
    ("list --all", ""),
]
