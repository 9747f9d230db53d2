/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the table of rules (rules.h): all of a document but its <devices>. */
#include "domain/rules-tables.h"

#include <string.h>

/* ---- Conditions ------------------------------------------------------------------------------ */

static const char *
current_memory(const KilnDomain *domain, const KilnXmlNode *node)
{
    const KilnMemballoon *balloon =
        domain->memballoons->len > 0 ? g_ptr_array_index(domain->memballoons, 0) : NULL;

    return domain->memory.current.value < kiln_domain_boot_memory(domain) &&
                   (balloon == NULL || balloon->model == KILN_MEMBALLOON_MODEL_NONE)
               ? "less than <memory> needs <memballoon model='virtio'/>"
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
    return g_strcmp0(kiln_rule_attribute(node, "enabled"), "no") == 0
               ? "vCPUs cannot be plugged in later in this version, so all must be there at start"
               : NULL;
}

static gboolean
has_flash(const KilnOs *os)
{
    return os->firmware == KILN_FIRMWARE_EFI || os->loader_type == KILN_LOADER_PFLASH;
}

static const char *
no_kernel(const KilnDomain *domain, const KilnXmlNode *node)
{
    return domain->os.kernel != NULL && has_flash(&domain->os)
               ? "UEFI firmware does not start a <kernel> in this version"
               : NULL;
}

static const char *
efi_loader(const KilnDomain *domain, const KilnXmlNode *node)
{
    const KilnOs *os = &domain->os;

    if (os->firmware == KILN_FIRMWARE_EFI && os->loader_type == KILN_LOADER_ROM)
        return "UEFI firmware is in flash: say type='pflash'";
    if (os->loader_type == KILN_LOADER_PFLASH && os->loader == NULL &&
        os->firmware != KILN_FIRMWARE_EFI)
        return "give the path of an image, or <os firmware='efi'>";
    return no_kernel(domain, node);
}

static const char *
stateless(const KilnDomain *domain, const KilnXmlNode *node)
{
    return domain->os.loader_stateless == KILN_SWITCH_OFF && !has_flash(&domain->os)
               ? "a BIOS keeps nothing"
               : NULL;
}

static const char *
nvram(const KilnDomain *domain, const KilnXmlNode *node)
{
    if (!has_flash(&domain->os))
        return "a BIOS has no variables: they are of UEFI firmware in flash";
    if (domain->os.loader_stateless == KILN_SWITCH_ON)
        return "<loader stateless='yes'> keeps no variables";
    return domain->os.loader_readonly == KILN_SWITCH_OFF
               ? "with <loader readonly='no'> the variables are in its own image"
               : NULL;
}

/* The names that OVMF and SeaBIOS give to what is theirs to read are kiln's to fill. */
static const char *
fwcfg_entry(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *name = kiln_rule_attribute(node, "name");

    if (domain->os.kernel != NULL && domain->os.loader == NULL &&
        domain->os.firmware == KILN_FIRMWARE_ABSENT)
        return "fw_cfg is for guests that boot by firmware: this one boots its <kernel> without";
    return name == NULL || !g_str_has_prefix(name, "opt/")
               ? "names of fw_cfg files of one's own begin with opt/"
               : NULL;
}

static const char *
hugepage_size(const KilnDomain *domain, const KilnXmlNode *node)
{
    guint64 bytes;
    const char *size = kiln_rule_attribute(node, "size");

    if (size != NULL && kiln_size_parse(size, kiln_rule_attribute(node, "unit"), &bytes) &&
        (bytes == 2 << 20 || bytes == 1 << 30))
        return NULL;
    return "x86 has huge pages of 2 MiB and 1 GiB";
}

/* libvirt's rule too: the tables have one UUID. */
static const char *
sysinfo_uuid(const KilnDomain *domain, const KilnXmlNode *node)
{
    g_autofree char *value = g_strstrip(g_strdup(node->text));

    if (strcmp(node->parent->name, "system") != 0 ||
        g_strcmp0(kiln_rule_attribute(node, "name"), "uuid") != 0 ||
        (domain->uuid != NULL && g_ascii_strcasecmp(value, domain->uuid) == 0))
        return NULL;
    return "the system's UUID is that of the domain: give the same in <uuid>";
}

/* @node is a <source>. */
static const char *
memory_source(const KilnDomain *domain, const KilnXmlNode *node)
{
    gboolean shared = domain->filesystems->len > 0;

    for (guint i = 0; i < domain->disks->len; i++)
        shared |= ((const KilnDisk *)g_ptr_array_index(domain->disks, i))->source.type ==
                  KILN_DISK_TYPE_VHOSTUSER;
    for (guint i = 0; i < domain->interfaces->len; i++)
        shared |= ((const KilnNet *)g_ptr_array_index(domain->interfaces, i))->type ==
                  KILN_NET_TYPE_VHOSTUSER;
    return shared && g_strcmp0(kiln_rule_attribute(node, "type"), "anonymous") == 0
               ? "another process works on the memory (<filesystem>, type 'vhostuser'): say memfd"
               : NULL;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

#define BY_FIRMWARE   "without effect on a guest that boots its <kernel> without firmware"
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
    YES("domain/maxMemory", .note = "bounds <memory> and all memory devices together"),
    YES("domain/maxMemory@*"),
    YES("domain/memoryBacking"),
    YES("domain/memoryBacking/hugepages"),
    YES("domain/memoryBacking/hugepages/page", .check = hugepage_size),
    YES("domain/memoryBacking/hugepages/page@*"),
    YES("domain/memoryBacking/nosharepages"),
    YES("domain/memoryBacking/locked"),
    YES("domain/memoryBacking/source"),
    YES("domain/memoryBacking/source@type", .check = memory_source, .values = "memfd anonymous",
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
    YES("domain/iothreads"),
    YES("domain/iothreadids"),
    YES("domain/iothreadids/iothread"),
    YES("domain/iothreadids/iothread@id"),
    KEPT("domain/iothreadids/iothread@*", "I/O is asynchronous; there is no pool of threads"),
    KEPT("domain/defaultiothread/**", "I/O is asynchronous; there is no pool of threads"),
    YES("domain/cputune"),
    YES("domain/cputune/vcpupin"),
    YES("domain/cputune/vcpupin@*"),
    YES("domain/cputune/emulatorpin"),
    YES("domain/cputune/emulatorpin@cpuset"),
    YES("domain/cputune/iothreadpin"),
    YES("domain/cputune/iothreadpin@*"),
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
    YES("domain/os",
        .note =
            "a guest without <kernel> boots by SeaBIOS, unless UEFI firmware is asked for; with "
            "a <kernel> and firmware='bios' SeaBIOS starts it"),
    YES("domain/os@firmware", .check = no_kernel, .values = "bios efi",
        .note = "efi is the first that the host's descriptors (/usr/share/qemu/firmware) tell of "
                "and that needs no system management mode"),
    YES("domain/os/type", .values = "hvm", .note = "guests are fully virtualised"),
    YES("domain/os/type@arch", .values = "x86_64", .note = "only x86_64 guests run"),
    YES("domain/os/type@machine", .values = "q35 pc-q35-*", .note = "the one machine is q35"),
    YES("domain/os/firmware"),
    YES("domain/os/firmware/feature"),
    YES("domain/os/firmware/feature@name", .values = "secure-boot enrolled-keys",
        .note = "builds that need system management mode cannot be had in this version"),
    YES("domain/os/firmware/feature@enabled"),
    YES("domain/os/loader", .check = efi_loader,
        .note = "the image of a BIOS, or (pflash) of UEFI firmware"),
    YES("domain/os/loader@type", .values = "rom pflash"),
    YES("domain/os/loader@readonly", .note = "yes, unless no is said of flash"),
    YES("domain/os/loader@secure", .values = "no",
        .note = "it takes system management mode, which is not available in this version"),
    YES("domain/os/loader@stateless", .check = stateless),
    YES("domain/os/loader@format", .values = "raw",
        .note = "flash of another format is not available in this version"),
    YES("domain/os/nvram", .check = nvram,
        .note = "made of its template when it is not there yet; by default "
                "/var/lib/libvirt/kiln/nvram/NAME_VARS.fd, of users' guests "
                "~/.config/libvirt/kiln/nvram/NAME_VARS.fd"),
    YES("domain/os/nvram@template", .note = "by default that of the firmware's descriptor"),
    YES("domain/os/nvram@format", .values = "raw",
        .note = "flash of another format is not available in this version: qemu-img convert -O "
                "raw makes a raw one"),
    NO("domain/os/nvram@type", "give the path of a file as the text of <nvram>"),
    NO("domain/os/nvram/source", "give the path of a file as the text of <nvram>"),
    YES("domain/os/kernel", .note = "a bzImage, an ELF file with a PVH note, or multiboot 1"),
    YES("domain/os/initrd"),
    YES("domain/os/cmdline"),
    NO("domain/os/dtb", "x86 guests have no device tree"),
    NO("domain/os/shim", "a shim needs firmware, which is not available in this version"),
    NO("domain/os/acpi", "further ACPI tables are not available in this version"),
    YES("domain/os/boot", .note = BY_FIRMWARE),
    YES("domain/os/boot@dev"),
    YES("domain/os/bootmenu", .note = BY_FIRMWARE),
    YES("domain/os/bootmenu@*"),
    YES("domain/os/bios", .note = BY_FIRMWARE),
    YES("domain/os/bios@*"),
    YES("domain/os/smbios"),
    YES("domain/os/smbios@mode", .values = "emulate sysinfo",
        .note = "the host's own SMBIOS tables need root to read"),
    YES("domain/sysinfo"),
    YES("domain/sysinfo@type", .values = "smbios fwcfg",
        .note = "there are no tables of other kinds"),
    YES("domain/sysinfo[type=fwcfg]/entry", .check = fwcfg_entry),
    YES("domain/sysinfo[type=fwcfg]/entry@*"),
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
        .note = "notes of a crash for the host's tools are not available in this version"),
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
    YES("domain/clock/timer[name=hpet]@present",
        .note = "there is one only for who asks: KVM's clock and the LAPIC's timer are better"),
    YES("domain/clock/timer[name=hypervclock]@present", .values = "no",
        .note = "Hyper-V enlightenments are not available in this version"),

    /* Lifecycle */
    YES("domain/on_poweroff", .values = "destroy restart preserve",
        .note = "a guest cannot be renamed"),
    YES("domain/on_reboot", .values = "destroy restart preserve",
        .note = "a guest cannot be renamed"),
    YES("domain/on_crash", .values = "destroy restart preserve",
        .note = "dumps of guest memory are not available in this version"),
    KEPT("domain/on_lockfailure",
         "there are no lock managers; an image in use is an error at start"),
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
};

const KilnRuleTable kiln_rules_guest = KILN_RULE_TABLE(rules);
