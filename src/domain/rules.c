/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See rules.h.  The table first by section of the document; the conditions that it names above it.
 */
#include "domain/rules.h"

#include <string.h>

static const char *
attribute_of(const KilnXmlNode *node, const char *name)
{
    for (guint i = 0; i < node->attributes->len; i++) {
        const KilnXmlAttribute *attribute = g_ptr_array_index(node->attributes, i);

        if (attribute->ns == NULL && strcmp(attribute->name, name) == 0)
            return attribute->value;
    }
    return NULL;
}

/* ---- Conditions ------------------------------------------------------------------------------ */

static const char *
current_memory(const KilnDomain *domain, const KilnXmlNode *node)
{
    return domain->memory.current.value < domain->memory.size.value
               ? "less than <memory> needs a memory balloon, which is not available in this version"
               : NULL;
}

static const char *
current_vcpus(const KilnDomain *domain, const KilnXmlNode *node)
{
    return domain->vcpus.current.value < domain->vcpus.count.value
               ? "vCPUs cannot be plugged in later in this version, so all must be there at start"
               : NULL;
}

static const char *
listed_vcpu(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(attribute_of(node, "enabled"), "no") == 0
               ? "vCPUs cannot be plugged in later in this version, so all must be there at start"
               : NULL;
}

static const char *
has_kernel(const KilnDomain *domain, const KilnXmlNode *node)
{
    return domain->os.kernel == NULL
               ? "a guest without <kernel> is booted by firmware, which is not available in this "
                 "version"
               : NULL;
}

static const char *
hugepage_size(const KilnDomain *domain, const KilnXmlNode *node)
{
    guint64 bytes;
    const char *size = attribute_of(node, "size");

    if (size != NULL && kiln_size_parse(size, attribute_of(node, "unit"), &bytes) &&
        (bytes == 2 << 20 || bytes == 1 << 30))
        return NULL;
    return "x86 has huge pages of 2 MiB and 1 GiB";
}

static const char *
isa_serial_address(const KilnDomain *domain, const KilnXmlNode *node)
{
    static const struct {
        const char *iobase;
        guint64 irq;
    } ports[] = { { "0x3f8", 4 }, { "0x2f8", 3 }, { "0x3e8", 4 }, { "0x2e8", 3 } };
    const char *iobase = attribute_of(node, "iobase");
    const char *irq = attribute_of(node, "irq");

    if (iobase == NULL && irq == NULL)
        return NULL;
    for (guint i = 0; iobase != NULL && i < G_N_ELEMENTS(ports); i++) {
        if (g_ascii_strcasecmp(iobase, ports[i].iobase) == 0 &&
            (irq == NULL || g_ascii_strtoull(irq, NULL, 0) == ports[i].irq))
            return NULL;
    }
    return "serial ports are at 0x3f8 and 0x3e8 with irq 4, 0x2f8 and 0x2e8 with irq 3";
}

static const char *
panic_address(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *iobase = attribute_of(node, "iobase");

    return iobase != NULL && g_ascii_strcasecmp(iobase, "0x505") != 0 ? "pvpanic is at 0x505"
                                                                      : NULL;
}

/* A channel gets a path of its own, a serial port does not. */
static const char *
socket_path(const KilnDomain *domain, const KilnXmlNode *node)
{
    if (g_strcmp0(attribute_of(node, "type"), "unix") != 0)
        return NULL;
    for (guint i = 0; i < node->children->len; i++) {
        const KilnXmlNode *child = g_ptr_array_index(node->children, i);
        const char *path = child->ns == NULL && strcmp(child->name, "source") == 0
                               ? attribute_of(child, "path")
                               : NULL;

        if (path != NULL && *path != '\0')
            return NULL;
    }
    return "type 'unix' needs <source path=>";
}

/* libvirt's rule too: the tables have one UUID. */
static const char *
sysinfo_uuid(const KilnDomain *domain, const KilnXmlNode *node)
{
    g_autofree char *value = g_strstrip(g_strdup(node->text));

    if (strcmp(node->parent->name, "system") != 0 ||
        g_strcmp0(attribute_of(node, "name"), "uuid") != 0 ||
        (domain->uuid != NULL && g_ascii_strcasecmp(value, domain->uuid) == 0))
        return NULL;
    return "the system's UUID is that of the domain: give the same in <uuid>";
}

static const char *
serial_port(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *port = attribute_of(node, "port");

    return port != NULL && (strlen(port) != 1 || *port < '0' || *port > '3')
               ? "there are four serial ports, 0 to 3"
               : NULL;
}

/* @node is a <source>. */
static const char *
appended_file(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(attribute_of(node->parent, "type"), "file") != 0
               ? "only a file is appended to; this port's host side is none"
               : NULL;
}

/* @node is a <protocol>. */
static const char *
tcp_protocol(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(attribute_of(node, "type"), "raw") != 0 &&
                   g_strcmp0(attribute_of(node->parent, "type"), "tcp") != 0
               ? "only TCP has a protocol to choose"
               : NULL;
}

static const char *
first_console(const KilnDomain *domain, const KilnXmlNode *node)
{
    for (guint i = 0; i < node->parent->children->len; i++) {
        const KilnXmlNode *other = g_ptr_array_index(node->parent->children, i);

        if (other == node)
            break;
        if (other->ns == NULL && strcmp(other->name, node->name) == 0)
            return "only the first console can stand for a serial port";
    }
    return NULL;
}

/* ---- The table ------------------------------------------------------------------------------- */

#define YES(pattern_, ...)                                                                         \
    {                                                                                              \
        .pattern = (pattern_), .verdict = KILN_RULE_HONOURED, __VA_ARGS__                          \
    }
#define KEPT(pattern_, note_, ...)                                                                 \
    {                                                                                              \
        .pattern = (pattern_), .verdict = KILN_RULE_KEPT, .note = (note_), __VA_ARGS__             \
    }
#define NO(pattern_, note_)                                                                        \
    {                                                                                              \
        .pattern = (pattern_), .verdict = KILN_RULE_REFUSED, .note = (note_)                       \
    }

#define ALIASES       "names of the user's own (ua-) are kept, others are made anew"
#define NEEDS_CGROUPS "cgroups are set up by the daemon, which is not available in this version"

static const KilnDomainRule rules[] = {
    YES("domain"),
    YES("domain@type", .values = "kvm", .note = "only KVM runs guests"),
    KEPT("domain@id", "given to each run anew"),
    YES("domain/name"),
    YES("domain/uuid"),
    NO("domain/genid", "the VM generation ID device is not available in this version"),
    NO("domain/hwuuid", "the UUID that the guest sees is that of the domain"),
    YES("domain/title"),
    YES("domain/description"),
    KEPT("domain/metadata/**", "belongs to other programs"),

    /* Memory */
    YES("domain/memory"),
    YES("domain/memory@unit"),
    YES("domain/memory@dumpCore"),
    YES("domain/currentMemory", .check = current_memory),
    YES("domain/currentMemory@unit"),
    NO("domain/maxMemory", "memory cannot be plugged in in this version"),
    YES("domain/memoryBacking"),
    YES("domain/memoryBacking/hugepages"),
    YES("domain/memoryBacking/hugepages/page", .check = hugepage_size),
    YES("domain/memoryBacking/hugepages/page@*"),
    YES("domain/memoryBacking/nosharepages"),
    YES("domain/memoryBacking/locked"),
    YES("domain/memoryBacking/source"),
    YES("domain/memoryBacking/source@type", .values = "memfd anonymous",
        .note = "memory in files of a directory is not available in this version"),
    YES("domain/memoryBacking/access"),
    YES("domain/memoryBacking/access@mode"),
    YES("domain/memoryBacking/allocation"),
    YES("domain/memoryBacking/allocation@mode"),
    KEPT("domain/memoryBacking/allocation@threads", "allocation is as parallel as it pays"),
    KEPT("domain/memoryBacking/discard", "a guest's memory has no file that outlives it"),
    NO("domain/memtune", NEEDS_CGROUPS),
    NO("domain/numatune",
       "binding memory to NUMA nodes of the host is not available in this version"),

    /* Threads */
    YES("domain/vcpu"),
    YES("domain/vcpu@placement", .values = "static", .note = "numad is not asked for advice"),
    YES("domain/vcpu@cpuset", .note = "the host CPUs of every thread that no pin names"),
    YES("domain/vcpu@current", .check = current_vcpus),
    YES("domain/vcpus"),
    YES("domain/vcpus/vcpu", .check = listed_vcpu),
    YES("domain/vcpus/vcpu@*"),
    KEPT("domain/iothreads", "no device of this version does I/O in a thread of its own"),
    KEPT("domain/iothreadids/**", "no device of this version does I/O in a thread of its own"),
    KEPT("domain/defaultiothread/**", "no device of this version uses a thread pool"),
    YES("domain/cputune"),
    YES("domain/cputune/vcpupin"),
    YES("domain/cputune/vcpupin@*"),
    YES("domain/cputune/emulatorpin"),
    YES("domain/cputune/emulatorpin@cpuset"),
    KEPT("domain/cputune/iothreadpin/**",
         "no device of this version does I/O in a thread of its own"),
    NO("domain/cputune/vcpusched", "schedulers of threads cannot be chosen in this version"),
    NO("domain/cputune/iothreadsched", "schedulers of threads cannot be chosen in this version"),
    NO("domain/cputune/emulatorsched", "schedulers of threads cannot be chosen in this version"),
    NO("domain/cputune/cachetune", "cache allocation (resctrl) is not available in this version"),
    NO("domain/cputune/memorytune",
       "bandwidth allocation (resctrl) is not available in this version"),
    NO("domain/cputune/*", NEEDS_CGROUPS),
    NO("domain/blkiotune", NEEDS_CGROUPS),
    NO("domain/resource", NEEDS_CGROUPS),

    /* Boot */
    YES("domain/os", .check = has_kernel),
    NO("domain/os@firmware", "firmware is not available in this version; give a <kernel>"),
    YES("domain/os/type", .values = "hvm", .note = "guests are fully virtualised"),
    YES("domain/os/type@arch", .values = "x86_64", .note = "only x86_64 guests run"),
    YES("domain/os/type@machine", .values = "q35 pc-q35-*", .note = "the one machine is q35"),
    NO("domain/os/firmware", "firmware is not available in this version; give a <kernel>"),
    NO("domain/os/loader", "firmware is not available in this version; give a <kernel>"),
    NO("domain/os/nvram", "firmware is not available in this version; give a <kernel>"),
    YES("domain/os/kernel", .note = "a bzImage, an ELF file with a PVH note, or multiboot 1"),
    YES("domain/os/initrd"),
    YES("domain/os/cmdline"),
    NO("domain/os/dtb", "x86 guests have no device tree"),
    NO("domain/os/shim", "a shim needs firmware, which is not available in this version"),
    NO("domain/os/acpi", "further ACPI tables are not available in this version"),
    KEPT("domain/os/boot/**", "the guest boots its <kernel>"),
    KEPT("domain/os/bootmenu/**", "the guest boots its <kernel>, so there is no menu"),
    KEPT("domain/os/bios/**", "the guest boots its <kernel>, so there is no BIOS"),
    YES("domain/os/smbios"),
    YES("domain/os/smbios@mode", .values = "emulate sysinfo",
        .note = "the host's own SMBIOS tables need root to read"),
    YES("domain/sysinfo"),
    YES("domain/sysinfo@type", .values = "smbios",
        .note = "the fw_cfg device is not available in this version"),
    YES("domain/sysinfo/*"),
    YES("domain/sysinfo/*/entry", .check = sysinfo_uuid),
    YES("domain/sysinfo/*/entry@name"),

    /* Features */
    YES("domain/features"),
    KEPT("domain/features/acpi", "there is always ACPI"),
    KEPT("domain/features/apic", "there is always an APIC"),
    YES("domain/features/apic@eoi", .values = "on", .note = "KVM's own default"),
    KEPT("domain/features/pae", "there is always PAE"),
    KEPT("domain/features/hap", "KVM uses nested paging where the host has it"),
    YES("domain/features/hap@state", .values = "on",
        .note = "nested paging is turned off for the whole host, not for a guest"),
    YES("domain/features/kvm"),
    YES("domain/features/kvm/hidden"),
    YES("domain/features/kvm/hidden@state"),
    NO("domain/features/kvm/*", "this KVM hint is not available in this version"),
    YES("domain/features/pmu"),
    YES("domain/features/pmu@state"),
    YES("domain/features/vmport"),
    YES("domain/features/vmport@state", .values = "off", .note = "VMware's I/O port is not there"),
    YES("domain/features/smm"),
    YES("domain/features/smm@state", .values = "off",
        .note = "system management mode is of use to firmware only"),
    YES("domain/features/ioapic"),
    YES("domain/features/ioapic@driver", .values = "kvm", .note = "the I/O APIC is KVM's"),
    YES("domain/features/vmcoreinfo"),
    YES("domain/features/vmcoreinfo@state", .values = "off",
        .note = "the fw_cfg device is not available in this version"),
    NO("domain/features/hyperv", "Hyper-V enlightenments are not available in this version"),
    NO("domain/features/viridian", "Hyper-V enlightenments are not available in this version"),
    NO("domain/features/pvspinlock", "paravirtual spinlocks are up to KVM"),
    NO("domain/features/msrs", "unknown MSRs always fault"),
    NO("domain/features/*", "no feature of an x86 guest under KVM"),

    /* CPU */
    YES("domain/cpu"),
    YES("domain/cpu@mode"),
    YES("domain/cpu@match"),
    YES("domain/cpu@check"),
    YES("domain/cpu@migratable"),
    YES("domain/cpu/model", .note = "a model of libvirt's"),
    YES("domain/cpu/model@fallback"),
    YES("domain/cpu/model@vendor_id"),
    YES("domain/cpu/vendor"),
    YES("domain/cpu/feature"),
    YES("domain/cpu/feature@*"),
    YES("domain/cpu/topology"),
    YES("domain/cpu/topology@*"),
    YES("domain/cpu/cache"),
    YES("domain/cpu/cache@mode"),
    NO("domain/cpu/cache@level", "caches are described as a whole, not one level"),
    YES("domain/cpu/maxphysaddr"),
    YES("domain/cpu/maxphysaddr@mode"),
    YES("domain/cpu/maxphysaddr@bits"),
    NO("domain/cpu/maxphysaddr@limit", "give the number of bits itself"),
    YES("domain/cpu/numa"),
    YES("domain/cpu/numa/cell"),
    KEPT("domain/cpu/numa/cell@discard", "a guest's memory has no file that outlives it"),
    YES("domain/cpu/numa/cell@*"),
    YES("domain/cpu/numa/cell/distances"),
    YES("domain/cpu/numa/cell/distances/sibling"),
    YES("domain/cpu/numa/cell/distances/sibling@*"),
    NO("domain/cpu/numa/cell/cache", "the ACPI table HMAT is not available in this version"),
    NO("domain/cpu/numa/interconnects", "the ACPI table HMAT is not available in this version"),

    /* Time */
    YES("domain/clock"),
    YES("domain/clock@offset", .values = "utc localtime variable absolute timezone"),
    YES("domain/clock@adjustment"),
    YES("domain/clock@basis"),
    YES("domain/clock@start"),
    YES("domain/clock@timezone"),
    YES("domain/clock/timer"),
    YES("domain/clock/timer@name", .values = "kvmclock tsc rtc pit hpet hypervclock",
        .note = "there is no such timer in an x86 guest under KVM"),
    YES("domain/clock/timer[name=kvmclock]@present"),
    YES("domain/clock/timer[name=tsc]@present", .values = "yes",
        .note = "the TSC cannot be hidden"),
    YES("domain/clock/timer[name=tsc]@frequency"),
    YES("domain/clock/timer[name=tsc]@mode", .values = "auto native",
        .note = "KVM scales the TSC, it does not emulate it"),
    YES("domain/clock/timer[name=rtc]@present", .values = "yes", .note = "there is always an RTC"),
    YES("domain/clock/timer[name=rtc]@track", .values = "guest",
        .note = "the RTC runs on from where the guest set it"),
    KEPT("domain/clock/timer[name=rtc]@tickpolicy",
         "ticks that the guest missed come late or never"),
    KEPT("domain/clock/timer[name=rtc]/catchup/**",
         "ticks that the guest missed come late or never"),
    YES("domain/clock/timer[name=pit]@present", .values = "yes", .note = "there is always a PIT"),
    YES("domain/clock/timer[name=pit]@tickpolicy", .values = "delay",
        .note = "KVM's PIT delivers missed ticks late"),
    YES("domain/clock/timer[name=hpet]@present", .values = "no",
        .note = "the HPET is not available in this version"),
    YES("domain/clock/timer[name=hypervclock]@present", .values = "no",
        .note = "Hyper-V enlightenments are not available in this version"),

    /* Lifecycle */
    YES("domain/on_poweroff", .values = "destroy restart preserve",
        .note = "a guest cannot be renamed"),
    YES("domain/on_reboot", .values = "destroy restart preserve",
        .note = "a guest cannot be renamed"),
    YES("domain/on_crash", .values = "destroy restart preserve",
        .note = "dumps of guest memory are not available in this version"),
    KEPT("domain/on_lockfailure", "no device of this version takes locks"),
    YES("domain/pm"),
    YES("domain/pm/*"),
    YES("domain/pm/*@enabled", .values = "no", .note = "guests cannot sleep in this version"),
    NO("domain/perf", "performance events are not available in this version"),
    NO("domain/idmap", "containers are not virtual machines"),
    NO("domain/keywrap", "key wrapping is of s390"),
    NO("domain/launchSecurity", "memory encryption is not available in this version"),
    NO("domain/bootloader", "boot loaders on the host are Xen's"),
    NO("domain/bootloader_args", "boot loaders on the host are Xen's"),
    KEPT("domain/seclabel/**", "labels are set by the daemon, not by kiln run"),

    /* Devices */
    YES("domain/devices"),
    KEPT("domain/devices/emulator", "the guest runs in kiln"),
    KEPT("domain/devices/serial/alias/**", ALIASES),
    KEPT("domain/devices/panic/alias/**", ALIASES),
    KEPT("domain/devices/controller[type=pci]/alias/**", ALIASES),
    KEPT("domain/devices/memballoon[model=none]/alias/**", ALIASES),
    KEPT("domain/devices/video/alias/**", ALIASES),

    YES("domain/devices/serial"),
    YES("domain/devices/serial@type", .check = socket_path,
        .values = "null stdio pty file pipe unix tcp",
        .note = "this kind of host side is not available in this version"),
    YES("domain/devices/serial/source"),
    KEPT("domain/devices/serial/source/seclabel/**",
         "labels are set by the daemon, not by kiln run"),
    YES("domain/devices/serial/source@tls", .values = "no",
        .note = "TLS is not available in this version"),
    YES("domain/devices/serial/source@append", .check = appended_file),
    YES("domain/devices/serial/source@*"),
    NO("domain/devices/serial/source/reconnect", "reconnecting is not available in this version"),
    YES("domain/devices/serial/protocol"),
    YES("domain/devices/serial/protocol@type", .values = "raw telnet", .check = tcp_protocol,
        .note = "TLS is not available in this version"),
    YES("domain/devices/serial/log"),
    YES("domain/devices/serial/log@*"),
    YES("domain/devices/serial/target", .check = serial_port),
    YES("domain/devices/serial/target@type", .values = "isa-serial",
        .note = "serial ports on PCI and USB are not available in this version"),
    YES("domain/devices/serial/target@port"),
    YES("domain/devices/serial/target/model"),
    YES("domain/devices/serial/target/model@name", .values = "isa-serial",
        .note = "the serial ports are 16550A of ISA"),
    YES("domain/devices/serial/address", .check = isa_serial_address),
    YES("domain/devices/serial/address@type", .values = "isa", .note = "serial ports are on ISA"),
    YES("domain/devices/serial/address@*"),
    KEPT("domain/devices/serial@tty", "a pty is made anew for each run"),

    YES("domain/devices/console", .check = first_console),
    YES("domain/devices/console@type", .check = socket_path,
        .values = "null stdio pty file pipe unix tcp",
        .note = "this kind of host side is not available in this version"),
    KEPT("domain/devices/console@tty", "a pty is made anew for each run"),
    YES("domain/devices/console/target"),
    YES("domain/devices/console/target@type", .values = "serial",
        .note = "the virtio console is not available in this version"),
    YES("domain/devices/console/target@port", .values = "0",
        .note = "a console stands for the first serial port"),
    YES("domain/devices/console/source@tls", .values = "no",
        .note = "TLS is not available in this version"),
    NO("domain/devices/console/source/reconnect", "reconnecting is not available in this version"),
    YES("domain/devices/console/source@append", .check = appended_file),
    YES("domain/devices/console/protocol@type", .values = "raw telnet", .check = tcp_protocol,
        .note = "TLS is not available in this version"),
    YES("domain/devices/console/**", .note = "as of <serial>"),

    YES("domain/devices/panic"),
    YES("domain/devices/panic@model", .values = "isa",
        .note = "Hyper-V enlightenments are not available in this version"),
    YES("domain/devices/panic/address", .check = panic_address),
    YES("domain/devices/panic/address@type", .values = "isa", .note = "pvpanic is on ISA"),
    YES("domain/devices/panic/address@*"),

    YES("domain/devices/controller[type=pci]"),
    YES("domain/devices/controller[type=pci]@type"),
    YES("domain/devices/controller[type=pci]@index", .values = "0",
        .note = "PCIe root ports and bridges are not available in this version"),
    YES("domain/devices/controller[type=pci]@model", .values = "pcie-root",
        .note = "PCIe root ports and bridges are not available in this version"),
    NO("domain/devices/controller[type=pci]/*", "the PCIe root has no settings in this version"),
    YES("domain/devices/controller[type=usb]@model", .values = "none",
        .note = "USB is not available in this version"),
    YES("domain/devices/controller[model=none]"),
    YES("domain/devices/controller[model=none]@*"),
    NO("domain/devices/controller[type=usb]", "USB is not available in this version"),
    NO("domain/devices/controller[type=scsi]",
       "SCSI controllers are not available in this version"),
    NO("domain/devices/controller[type=virtio-serial]",
       "virtio consoles are not available in this version"),
    NO("domain/devices/controller",
       "SATA, IDE, floppy and card controllers are not available in this version"),

    YES("domain/devices/memballoon[model=none]"),
    YES("domain/devices/memballoon[model=none]@model"),
    NO("domain/devices/memballoon",
       "virtio memory balloons are not available in this version; say model='none'"),
    YES("domain/devices/video/model[type=none]"),
    YES("domain/devices/video/model[type=none]@type"),
    YES("domain/devices/video"),
    NO("domain/devices/video/*",
       "video adapters are not available in this version; say model type='none'"),
    KEPT("domain/devices/audio[type=none]", "no sound device uses it"),
    KEPT("domain/devices/audio[type=none]@*", NULL),
    NO("domain/devices/audio", "sound is not available in this version"),
    NO("domain/devices/disk", "virtio-blk disks are not available in this version"),
    NO("domain/devices/filesystem", "virtiofs folders are not available in this version"),
    NO("domain/devices/interface", "virtio-net interfaces are not available in this version"),
    NO("domain/devices/channel", "virtio-serial channels are not available in this version"),
    NO("domain/devices/tpm", "TPMs are not available in this version"),
    NO("domain/devices/input", "keyboards, mice and tablets are not available in this version"),
    NO("domain/devices/graphics", "VNC and other displays are not available in this version"),
    NO("domain/devices/hostdev", "devices of the host cannot be passed in in this version"),
    NO("domain/devices/watchdog", "watchdogs are not available in this version"),
    NO("domain/devices/rng", "virtio-rng is not available in this version"),
    NO("domain/devices/shmem", "ivshmem is not available in this version"),
    NO("domain/devices/memory", "memory modules are not available in this version"),
    NO("domain/devices/iommu", "an IOMMU for the guest is not available in this version"),
    NO("domain/devices/vsock", "vsock is not available in this version"),
    NO("domain/devices/sound", "sound is not available in this version"),
    NO("domain/devices/smartcard", "smart cards are not available in this version"),
    NO("domain/devices/parallel", "parallel ports are not available in this version"),
    NO("domain/devices/redirdev", "USB is not available in this version"),
    NO("domain/devices/redirfilter", "USB is not available in this version"),
    NO("domain/devices/hub", "USB is not available in this version"),
    NO("domain/devices/lease", "lock managers are not available in this version"),
    NO("domain/devices/nvram", "this device is of POWER"),
    NO("domain/devices/crypto", "virtio-crypto is not available in this version"),
    NO("domain/devices/pstore", "pstore is not available in this version"),
};

const KilnDomainRule *
kiln_domain_rules(guint *n_rules)
{
    *n_rules = G_N_ELEMENTS(rules);
    return rules;
}

/* ---- Matching -------------------------------------------------------------------------------- */

enum { MAX_STEP = 64 };

/* Whether one step, "name", "*" or "name[attribute=value]", fits @node. */
static gboolean
step_fits(const char *step, gsize length, const KilnXmlNode *node)
{
    gsize name = strcspn(step, "[/@");
    const char *equals, *value;
    char attribute[MAX_STEP];

    name = MIN(name, length);
    if (node->ns != NULL)
        return FALSE;
    if (!(name == 1 && *step == '*') &&
        (strlen(node->name) != name || strncmp(step, node->name, name) != 0))
        return FALSE;
    if (name == length)
        return TRUE;
    equals = memchr(step, '=', length);
    g_assert(equals != NULL && equals - step < MAX_STEP); /* our own table */
    memcpy(attribute, step + name + 1, (gsize)(equals - step) - name - 1);
    attribute[(gsize)(equals - step) - name - 1] = '\0';
    value = attribute_of(node, attribute);
    equals++;
    length -= (gsize)(equals - step) + 1; /* without the "]" */
    return value != NULL && strlen(value) == length && strncmp(equals, value, length) == 0;
}

static guint
depth_of(const KilnXmlNode *node)
{
    guint depth = 0;

    for (; node->parent != NULL; node = node->parent)
        depth++;
    return depth;
}

static const KilnXmlNode *
ancestor_at(const KilnXmlNode *node, guint depth, guint wanted)
{
    for (; depth > wanted; depth--)
        node = node->parent;
    return node;
}

static gboolean
pattern_fits(const char *pattern, const KilnXmlNode *node, const char *attribute)
{
    guint depth = depth_of(node), at = 0;

    for (;;) {
        gsize length = strcspn(pattern, "/@");

        if (strcmp(pattern, "**") == 0)
            return TRUE;
        if (at > depth || !step_fits(pattern, length, ancestor_at(node, depth, at)))
            return FALSE;
        pattern += length;
        if (*pattern != '/')
            break;
        pattern++;
        at++;
        if (at > depth && strcmp(pattern, "**") == 0)
            return TRUE; /* the element itself */
    }
    if (at != depth)
        return FALSE;
    if (*pattern == '\0' || attribute == NULL)
        return *pattern == '\0' && attribute == NULL;
    return strcmp(pattern, "@*") == 0 || strcmp(pattern + 1, attribute) == 0;
}

static void
append_path(GString *path, const KilnXmlNode *node)
{
    if (node->parent != NULL) {
        append_path(path, node->parent);
        g_string_append_c(path, '/');
    }
    g_string_append(path, node->name);
}

/* Whether @pattern may fit what is at @path: it does not differ before its first wildcard or
 * condition.  Most patterns have neither, so this settles most of them. */
static gboolean
may_fit(const char *pattern, const char *path)
{
    while (*pattern != '\0' && *pattern == *path) {
        pattern++;
        path++;
    }
    return *pattern == *path || *pattern == '*' || *pattern == '[' || strcmp(pattern, "/**") == 0;
}

const KilnDomainRule *
kiln_domain_rules_find(const KilnXmlNode *node, const char *attribute)
{
    g_autoptr(GString) path = g_string_sized_new(64);

    append_path(path, node);
    if (attribute != NULL)
        g_string_append_printf(path, "@%s", attribute);
    for (guint i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (may_fit(rules[i].pattern, path->str) && pattern_fits(rules[i].pattern, node, attribute))
            return &rules[i];
    }
    return NULL;
}
