/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the table of rules (rules.h): devices but disks, interfaces and character devices; and
 * those that there are not. */
#include "domain/rules-tables.h"

#include <string.h>

/* ---- Conditions ------------------------------------------------------------------------------ */

static const char *
panic_address(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *iobase = kiln_rule_attribute(node, "iobase");

    return iobase != NULL && g_ascii_strcasecmp(iobase, "0x505") != 0 ? "pvpanic is at 0x505"
                                                                      : NULL;
}

/* @node is a <filesystem>. */
static const char *
filesystem(const KilnDomain *domain, const KilnXmlNode *node)
{
    for (guint i = 0; i < node->children->len; i++) {
        const KilnXmlNode *child = g_ptr_array_index(node->children, i);

        if (child->ns == NULL && strcmp(child->name, "driver") == 0)
            return NULL; /* its row looks at it */
    }
    return "folders are shared by virtiofs; say <driver type='virtiofs'/>";
}

/* @node is a <hostdev>'s <source>. */
static const char *
host_function(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(kiln_rule_attribute(node->parent, "type"), "pci") == 0
               ? NULL
               : "of the host's devices PCI functions can be passed in";
}

/* @node is a filesystem's <driver>. */
static const char *
filesystem_queue(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *text = kiln_rule_attribute(node, "queue");
    guint64 size = text != NULL ? g_ascii_strtoull(text, NULL, 10) : 1024;

    return size >= 2 && size <= 1024 && (size & (size - 1)) == 0
               ? NULL
               : "a queue has a power of 2 of descriptors, 2 to 1024";
}

static const KilnMemoryDevice *
memory_of(const KilnDomain *domain, const KilnXmlNode *node)
{
    for (guint i = 0; i < domain->memories->len; i++) {
        const KilnMemoryDevice *memory = g_ptr_array_index(domain->memories, i);

        if (memory->place.line == node->place.line && memory->place.column == node->place.column)
            return memory;
    }
    return NULL;
}

static gboolean
fits_max_memory(const KilnDomain *domain)
{
    guint64 bytes = kiln_domain_devices_memory(domain);
    guint64 cells = 0;

    for (guint i = 0; i < domain->cpu.numa.cells->len; i++) {
        const KilnNumaCell *cell = g_ptr_array_index(domain->cpu.numa.cells, i);

        if (!g_uint64_checked_add(&cells, cells, cell->memory.value))
            return FALSE;
    }
    if (domain->cpu.numa.cells->len == 0) /* the devices are part of <memory> */
        bytes = MAX(bytes, domain->memory.size.value);
    else if (!g_uint64_checked_add(&bytes, bytes, cells))
        return FALSE;
    return bytes <= domain->memory.max_size.value;
}

static const char *
plugged_memory(const KilnDomain *domain, const KilnMemoryDevice *memory)
{
    if (domain->memory.backing.locked)
        return "memory that is plugged in cannot be locked: it stands against <locked/>";
    if (memory->block.set && memory->block.value < KILN_MEMORY_DEVICE_BLOCK)
        return "blocks of virtio-mem are 2 MiB at least";
    if (memory->block.set && memory->size.value % memory->block.value != 0)
        return "<size> must be a multiple of <block>";
    if (memory->requested.value % KILN_MEMORY_DEVICE_BLOCK != 0)
        return "<requested> must be a multiple of 2 MiB";
    return NULL;
}

/* @node is a <memory> device. */
static const char *
memory_device(const KilnDomain *domain, const KilnXmlNode *node)
{
    const KilnMemoryDevice *memory = memory_of(domain, node);
    gboolean pmem;

    if (memory == NULL || (memory->model != KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM &&
                           memory->model != KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM))
        return NULL; /* the row of its model refuses it */
    pmem = memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM;
    if (!domain->memory.max_size.set)
        return "memory devices need <maxMemory>";
    if (!fits_max_memory(domain))
        return "the guest's memory with all its devices is more than <maxMemory>";
    if (domain->hostdevs->len > 0)
        return "memory devices and <hostdev> together are not available in this version: all "
               "memory "
               "is pinned for devices of the host";
    if (memory->size.value == 0 || memory->size.value % KILN_MEMORY_DEVICE_BLOCK != 0)
        return "<size> must be a multiple of 2 MiB";
    if (pmem && memory->node.set)
        return "virtio-pmem is of no NUMA node";
    if (memory->node.value >= MAX(domain->cpu.numa.cells->len, 1))
        return "there is no such NUMA <node>";
    return pmem ? NULL : plugged_memory(domain, memory);
}

/* @node is a child of a <filesystem>: settings of the virtiofsd that kiln starts. */
static const char *
fs_daemon(const KilnDomain *domain, const KilnXmlNode *node)
{
    const KilnXmlNode *source = kiln_rule_child(node->parent, "source");

    return source != NULL && kiln_rule_attribute(source, "socket") != NULL
               ? "a virtiofsd that runs already, at <source socket=>, decides on it"
               : NULL;
}

/* @node is a <controller type='virtio-serial'>. */
static const char *
serial_ports(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *text = kiln_rule_attribute(node, "ports");
    guint64 n = text != NULL ? g_ascii_strtoull(text, NULL, 10) : 1;

    return n >= 1 && n <= 128 ? NULL : "there are 1 to 128 ports";
}

/* @node is the <driver> of a SCSI controller. */
static const char *
scsi_iothread(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *text = kiln_rule_attribute(node, "iothread");

    return text == NULL || kiln_iothreads_has(&domain->iothreads, g_ascii_strtoull(text, NULL, 10))
               ? NULL
               : "there is no <iothread> of that number";
}

static const char *
scsi_queues(const KilnDomain *domain, const KilnXmlNode *node)
{
    enum { MAX_QUEUES = 1024 };
    const char *text = kiln_rule_attribute(node, "queues");

    return text == NULL || g_ascii_strtoull(text, NULL, 10) <= MAX_QUEUES
               ? NULL
               : "a controller has 1024 queues of requests at most";
}

/* @node is an <input>. */
static const char *
input_bus(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *type = kiln_rule_attribute(node, "type");
    const char *bus = kiln_rule_attribute(node, "bus");

    return g_strcmp0(bus, "ps2") == 0 && g_strcmp0(type, "keyboard") != 0 &&
                   g_strcmp0(type, "mouse") != 0
               ? "on the PS/2 bus there are a keyboard and a mouse"
               : NULL;
}

static guint64
number_of(const KilnXmlNode *node, const char *name)
{
    const char *text = kiln_rule_attribute(node, name);

    return text != NULL ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* The first <video> of the document, and the one that is told to be. */
static gboolean
is_first(const KilnXmlNode *video)
{
    for (guint i = 0; i < video->parent->children->len; i++) {
        const KilnXmlNode *other = g_ptr_array_index(video->parent->children, i);

        if (strcmp(other->name, video->name) == 0)
            return other == video;
    }
    return TRUE;
}

/* @node is the <model> of a <video>. */
static const char *
video_model(const KilnDomain *domain, const KilnXmlNode *node)
{
    enum { MAX_HEADS = 16, MAX_VRAM_KIB = 256 << 10 };
    const char *type = kiln_rule_attribute(node, "type");
    const char *primary = kiln_rule_attribute(node, "primary");
    guint64 heads = number_of(node, "heads");

    if (node->parent == NULL || node->parent->parent == NULL)
        return NULL; /* a device by itself */
    if (g_strcmp0(primary, "yes") == 0 && !is_first(node->parent))
        return "the first <video> is the primary one";
    if (g_strcmp0(type, "vga") == 0 && !is_first(node->parent))
        return "there is one VGA, and it is the first <video>";
    if (heads > MAX_HEADS)
        return "a virtio GPU has 1 to 16 heads";
    if (heads > 1 && g_strcmp0(type, "virtio") != 0)
        return "only a virtio GPU has several heads";
    return number_of(node, "vram") > MAX_VRAM_KIB ? "video memory is at most 262144 KiB" : NULL;
}

/* @node is a <graphics type='vnc'>. */
static const char *
one_vnc(const KilnDomain *domain, const KilnXmlNode *node)
{
    return domain->graphics->len > 1 ? "a guest has one VNC server" : NULL;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

#define RNG      "domain/devices/rng"
#define BALLOON  "domain/devices/memballoon"
#define VSOCK    "domain/devices/vsock"
#define FS       "domain/devices/filesystem"
#define INPUT    "domain/devices/input"
#define VIDEO    "domain/devices/video"
#define GRAPHICS "domain/devices/graphics"
#define WATCHDOG "domain/devices/watchdog"
#define MEMORY   "domain/devices/memory"
#define TPM      "domain/devices/tpm"
#define HOSTDEV  "domain/devices/hostdev"
#define PCI      "domain/devices/controller[type=pci]"
#define SERIAL   "domain/devices/controller[type=virtio-serial]"
#define SCSI     "domain/devices/controller[type=scsi]"

static const KilnDomainRule rules[] = {
    YES("domain/devices"),
    KEPT("domain/devices/emulator", "the guest runs in kiln"),
    KEPT("domain/devices/panic/alias/**", ALIASES),
    YES("domain/devices/panic"),
    YES("domain/devices/panic@model", .values = "isa",
        .note = "Hyper-V enlightenments are not available in this version"),
    YES("domain/devices/panic/address", .check = panic_address),
    YES("domain/devices/panic/address@type", .values = "isa", .note = "pvpanic is on ISA"),
    YES("domain/devices/panic/address@*"),

    YES(PCI),
    YES(PCI "@type"),
    YES(PCI "@index"),
    YES(PCI "@model", .values = "pcie-root pcie-root-port",
        .note = "switches and bridges to conventional PCI are not available in this version"),
    YES(PCI "/model"),
    YES(PCI "/model@name", .values = "pcie-root-port",
        .note = "root ports are QEMU's generic ones"),
    YES(PCI "/target"),
    YES(PCI "/target@chassis"),
    YES(PCI "/target@port"),
    YES(PCI "/target@hotplug"),
    NO(PCI "/target/node", "a PCI root of a NUMA node of its own is not available in this version"),
    YES(PCI "/address"),
    YES(PCI "/address@type", .values = "pci", .note = "it is a PCI device, and nothing else"),
    YES(PCI "/address@*"),
    KEPT(PCI "/alias/**", ALIASES),
    NO(PCI "/*", "the PCIe root has no settings in this version"),
    YES(SERIAL),
    YES(SERIAL "@type"),
    YES(SERIAL "@index"),
    YES(SERIAL "@model", VIRTIO_MODEL),
    YES(SERIAL "@ports", .check = serial_ports),
    YES(SERIAL "@vectors"),
    YES(SERIAL "/driver"),
    VIRTIO_DRIVER(SERIAL "/driver"),
    NO(SERIAL "/driver@iothread", "consoles are served by the main thread"),
    PCI_DEVICE(SERIAL),
    YES("domain/devices/controller[type=usb]@model", .values = "none",
        .note = "USB is not available in this version"),
    YES("domain/devices/controller[model=none]"),
    YES("domain/devices/controller[model=none]@*"),
    NO("domain/devices/controller[type=usb]", "USB is not available in this version"),
    YES(SCSI),
    YES(SCSI "@type"),
    YES(SCSI "@index"),
    YES(SCSI "@model", .values = "auto virtio-scsi virtio-non-transitional",
        .note = "auto is virtio-scsi; the adapters of old and of VMware are not there"),
    YES(SCSI "/driver", .check = scsi_iothread),
    YES(SCSI "/driver@queues", .check = scsi_queues),
    YES(SCSI "/driver@cmd_per_lun"),
    YES(SCSI "/driver@max_sectors"),
    YES(SCSI "/driver@ioeventfd", .values = "on", .note = "doorbells are always eventfds"),
    YES(SCSI "/driver@iothread", .note = "where all its disks are worked on"),
    VIRTIO_DRIVER(SCSI "/driver"),
    PCI_DEVICE(SCSI),
    YES("domain/devices/controller[type=sata]",
        .note = "the AHCI controller of an ICH9, at 00:1f.2 if it is the first"),
    YES("domain/devices/controller[type=sata]@ports", .values = "6", .note = "it has six"),
    YES("domain/devices/controller[type=sata]@type"),
    YES("domain/devices/controller[type=sata]@index"),
    PCI_DEVICE("domain/devices/controller[type=sata]"),
    NO("domain/devices/controller",
       "IDE, floppy and card controllers are not available in this version"),

    YES(RNG),
    YES(RNG "@model", VIRTIO_MODEL),
    YES(RNG "/backend", .note = "a file or device, the host's kernel, or a daemon that speaks EGD"),
    YES(RNG "/backend@model"),
    YES(RNG "/backend@type", .values = "unix tcp", .note = "EGD is spoken over a stream"),
    YES(RNG "/backend/source"),
    KEPT(RNG "/backend/source/seclabel/**", LABELS),
    YES(RNG "/backend/source@tls", .values = "no", .note = "TLS is not available in this version"),
    YES(RNG "/backend/source@*"),
    NO(RNG "/backend/source/reconnect", "reconnecting is not available in this version"),
    YES(RNG "/backend/protocol"),
    YES(RNG "/backend/protocol@type", .values = "raw", .note = "EGD is spoken as it is"),
    YES(RNG "/rate"),
    YES(RNG "/rate@*"),
    YES(RNG "/driver"),
    VIRTIO_DRIVER(RNG "/driver"),
    PCI_DEVICE(RNG),

    YES(BALLOON, .note = "a guest whose document has none has none"),
    YES(BALLOON "@model", .values = "none virtio virtio-non-transitional",
        .note = "the legacy interface of before virtio 1.0 is not there"),
    YES(BALLOON "@autodeflate"),
    YES(BALLOON "@freePageReporting"),
    YES(BALLOON "/stats"),
    YES(BALLOON "/stats@period"),
    YES(BALLOON "/driver"),
    VIRTIO_DRIVER(BALLOON "/driver"),
    PCI_DEVICE(BALLOON),

    YES(VSOCK),
    YES(VSOCK "@model", VIRTIO_MODEL),
    YES(VSOCK "/cid"),
    YES(VSOCK "/cid@*"),
    YES(VSOCK "/driver"),
    VIRTIO_DRIVER(VSOCK "/driver"),
    PCI_DEVICE(VSOCK),

    YES(FS, .check = filesystem),
    YES(FS "@type", .values = "mount", .note = "the others are of containers"),
    YES(FS "@model", VIRTIO_MODEL),
    YES(FS "@accessmode", .values = "passthrough", .note = "virtiofs passes access through"),
    NO(FS "@multidevs", "that is of 9p"),
    NO(FS "@fmode", "that is of 9p"),
    NO(FS "@dmode", "that is of 9p"),
    YES(FS "/driver"),
    YES(FS "/driver@type", .values = "virtiofs",
        .note = "folders are shared by virtiofs; 9p is not available"),
    NO(FS "/driver@format", "that is of containers"),
    NO(FS "/driver@wrpolicy", "that is of 9p"),
    YES(FS "/driver@queue", .check = filesystem_queue),
    VIRTIO_DRIVER(FS "/driver"),
    YES(FS "/binary", .check = fs_daemon),
    YES(FS "/binary@*"),
    YES(FS "/binary/cache"),
    YES(FS "/binary/cache@mode"),
    YES(FS "/binary/sandbox"),
    YES(FS "/binary/sandbox@mode"),
    YES(FS "/binary/lock"),
    YES(FS "/binary/lock@*"),
    YES(FS "/binary/thread_pool"),
    YES(FS "/binary/thread_pool@size"),
    YES(FS "/source"),
    YES(FS "/source@dir",
        .note =
            "for kiln that is not root, files have other owners than the guest's root only where "
            "there are newuidmap and a range of the user's in /etc/subuid and /etc/subgid"),
    YES(FS "/source@socket"),
    YES(FS "/target"),
    YES(FS "/target@dir", .note = "the tag by which the guest mounts it"),
    YES(FS "/readonly", .check = fs_daemon),
    NO(FS "/space_hard_limit", "that is of containers"),
    NO(FS "/space_soft_limit", "that is of containers"),
    PCI_DEVICE(FS),

    YES(INPUT),
    YES(INPUT "@type", .values = "tablet mouse keyboard passthrough",
        .note = "evdev devices of the host are given to a display, which is not available in this "
                "version"),
    YES(INPUT "@bus", .values = "virtio ps2", .check = input_bus,
        .note = "USB devices are not available in this version"),
    YES(INPUT "@model", VIRTIO_MODEL),
    YES(INPUT "/source"),
    YES(INPUT "/source@evdev"),
    YES(INPUT "/driver"),
    VIRTIO_DRIVER(INPUT "/driver"),
    PCI_DEVICE(INPUT),

    YES(WATCHDOG),
    YES(WATCHDOG "@model", .values = "i6300esb", .note = "the ISA watchdog is not available"),
    YES(WATCHDOG "@action", .values = "reset shutdown poweroff pause none inject-nmi",
        .note = "dumps of guest memory are not available in this version"),
    PCI_DEVICE(WATCHDOG),

    YES(MEMORY, .check = memory_device),
    YES(MEMORY "@model", .values = "virtio-mem virtio-pmem",
        .note = "ACPI memory modules are not available in this version"),
    YES(MEMORY "@access"),
    NO(MEMORY "@discard", "a guest's memory has no file that outlives it"),
    YES(MEMORY "/source"),
    NO(MEMORY "/source/pagesize", "huge pages of memory devices are not available in this version"),
    NO(MEMORY "/source/nodemask",
       "binding memory to NUMA nodes of the host is not available in this version"),
    YES(MEMORY "/source/path"),
    NO(MEMORY "/source/alignsize", "that is of ACPI memory modules"),
    NO(MEMORY "/source/pmem", "that is of ACPI memory modules"),
    YES(MEMORY "/target"),
    YES(MEMORY "/target/size"),
    YES(MEMORY "/target/size@unit"),
    YES(MEMORY "/target/node"),
    YES(MEMORY "/target/block"),
    YES(MEMORY "/target/block@unit"),
    YES(MEMORY "/target/requested"),
    YES(MEMORY "/target/requested@unit"),
    KEPT(MEMORY "/target/current", "said of a running guest"),
    KEPT(MEMORY "/target/current@unit", NULL),
    NO(MEMORY "/target/label", "that is of ACPI memory modules"),
    NO(MEMORY "/target/readonly", "that is of ACPI memory modules"),
    PCI_DEVICE(MEMORY),

    YES(TPM),
    YES(TPM "@model", .values = "tpm-tis tpm-crb", .note = "the others are of other machines"),
    YES(TPM "/backend"),
    YES(TPM "/backend@type", .values = "emulator external",
        .note = "the host's own TPM cannot be shared"),
    YES(TPM "/backend@version"),
    KEPT(TPM "/backend@persistent_state", "state is kept until it is removed by hand"),
    YES(TPM "/backend/source"),
    YES(TPM "/backend/source@type", .values = "unix",
        .note = "swtpm is spoken to over unix sockets"),
    YES(TPM "/backend/source@mode", .values = "connect", .note = "swtpm listens"),
    YES(TPM "/backend/source@path"),
    NO(TPM "/backend/encryption", "libvirt's secrets are read by virtkilnd, which is not available "
                                  "in this version"),
    NO(TPM "/backend/active_pcr_banks", "PCR banks cannot be chosen in this version"),
    KEPT(TPM "/alias/**", ALIASES),

    YES(HOSTDEV),
    YES(HOSTDEV "@mode", .values = "subsystem", .note = "the others are of containers"),
    YES(HOSTDEV "@type", .values = "pci",
        .note = "of the host's devices PCI functions can be passed in"),
    YES(HOSTDEV "@managed"),
    YES(HOSTDEV "/driver"),
    YES(HOSTDEV "/driver@name", .values = "vfio", .note = "the host's driver is VFIO"),
    YES(HOSTDEV "/source", .check = host_function),
    NO(HOSTDEV "/source@*", "that is of other types"),
    YES(HOSTDEV "/source/address"),
    YES(HOSTDEV "/source/address@*"),
    PCI_DEVICE(HOSTDEV),

    YES(VIDEO),
    YES(VIDEO "/model", .check = video_model),
    YES(VIDEO "/model@type", .values = "vga bochs virtio none",
        .note = "the others are not available in this version"),
    YES(VIDEO "/model@vram"),
    YES(VIDEO "/model@heads"),
    YES(VIDEO "/model@primary"),
    NO(VIDEO "/model@*", "that is of other models"),
    YES(VIDEO "/model/acceleration"),
    YES(VIDEO "/model/acceleration@accel3d", .values = "no",
        .note = "the host's GPU is not available to guests in this version"),
    YES(VIDEO "/model/acceleration@accel2d", .values = "no", .note = "that is of other models"),
    NO(VIDEO "/model/acceleration@rendernode",
       "the host's GPU is not available to guests in this version"),
    YES(VIDEO "/model/resolution"),
    YES(VIDEO "/model/resolution@*"),
    YES(VIDEO "/driver"),
    YES(VIDEO "/driver@name", .values = "qemu",
        .note = "vhost-user GPUs are not available in this version"),
    VIRTIO_DRIVER(VIDEO "/driver"),
    NO(VIDEO "/driver@vgaconf", "that is of bhyve"),
    PCI_DEVICE(VIDEO),
    KEPT("domain/devices/audio[type=none]", "no sound device uses it"),
    KEPT("domain/devices/audio[type=none]@*", NULL),
    NO("domain/devices/audio", "sound is not available in this version"),
    NO(GRAPHICS "[type=spice]", "SPICE is not available; say type='vnc'"),
    NO(GRAPHICS "[type=sdl]", "a guest's process opens no window; say type='vnc'"),
    YES(GRAPHICS, .check = one_vnc),
    YES(GRAPHICS "@type", .values = "vnc", .note = "other displays are not available"),
    YES(GRAPHICS "@port", .note = "-1 or none: the first free one from 5900"),
    YES(GRAPHICS "@autoport"),
    YES(GRAPHICS "@listen", .note = "127.0.0.1 if nothing is said"),
    YES(GRAPHICS "@socket"),
    YES(GRAPHICS "@keymap", .values = "en-us",
        .note = "other layouts are not available in this version; viewers that send scan codes "
                "need none"),
    YES(GRAPHICS "@passwd", .note = "its first 8 bytes count; an empty one lets nobody in"),
    YES(GRAPHICS "@passwdValidTo"),
    YES(GRAPHICS "@connected"),
    YES(GRAPHICS "@sharePolicy"),
    YES(GRAPHICS "@powerControl"),
    NO(GRAPHICS "@websocket", "WebSockets are not available in this version"),
    YES(GRAPHICS "/listen"),
    YES(GRAPHICS "/listen@type", .values = "address socket none",
        .note = "addresses of networks are not available in this version"),
    YES(GRAPHICS "/listen@address"),
    YES(GRAPHICS "/listen@socket", .note = "none: beside the control sockets"),
    KEPT(GRAPHICS "/audio", "no sound goes that way"),
    KEPT(GRAPHICS "/audio@*", NULL),
    NO("domain/devices/shmem", "ivshmem is not available in this version"),
    NO("domain/devices/iommu", "an IOMMU for the guest is not available in this version"),
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

const KilnRuleTable kiln_rules_devices = KILN_RULE_TABLE(rules);
