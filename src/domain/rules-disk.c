/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the table of rules (rules.h): disks. */
#include "domain/rules-tables.h"

#include <string.h>

/* ---- Conditions ------------------------------------------------------------------------------ */

/* @node is a <disk>. */
static const char *
disk_format(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *type = kiln_rule_attribute(node, "type");

    if (g_strcmp0(type, "raw") == 0 || g_strcmp0(type, "qcow2") == 0 || type == NULL)
        return NULL;
    return "images are raw or qcow2";
}

/* What this process does with a disk's data is not done for a back end, which has them. */
static const char *
has_data(const KilnDomain *domain, const KilnXmlNode *node)
{
    while (node != NULL && strcmp(node->name, "disk") != 0)
        node = node->parent;
    return node != NULL && g_strcmp0(kiln_rule_attribute(node, "type"), "vhostuser") == 0
               ? "the back end of a disk of type 'vhostuser' decides on it"
               : NULL;
}

static const KilnXmlNode *
disk_of(const KilnXmlNode *node)
{
    while (node != NULL && strcmp(node->name, "disk") != 0)
        node = node->parent;
    return node;
}

/* The bus that is said, or that a name with @prefix (nullable) means. */
static gboolean
on_bus(const KilnXmlNode *node, const char *wanted, const char *prefix)
{
    const KilnXmlNode *disk = disk_of(node);
    const KilnXmlNode *target = disk != NULL ? kiln_rule_child(disk, "target") : NULL;
    const char *bus = target != NULL ? kiln_rule_attribute(target, "bus") : NULL;
    const char *dev = target != NULL ? kiln_rule_attribute(target, "dev") : NULL;

    if (bus != NULL)
        return strcmp(bus, wanted) == 0;
    return dev != NULL && prefix != NULL && g_str_has_prefix(dev, prefix);
}

/* What virtio disks do not have. */
static const char *
of_drives(const KilnDomain *domain, const KilnXmlNode *node)
{
    return on_bus(node, "virtio", "vd") ? "that is of SCSI and SATA disks" : NULL;
}

/* What only virtio disks have. */
static const char *
of_virtio(const KilnDomain *domain, const KilnXmlNode *node)
{
    return on_bus(node, "virtio", "vd") ? NULL : "that is of virtio disks";
}

static const char *
of_scsi(const KilnDomain *domain, const KilnXmlNode *node)
{
    return on_bus(node, "scsi", "sd") ? NULL : "that is of SCSI disks";
}

/* @node is an <address>. */
static const char *
disk_address(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *type = kiln_rule_attribute(node, "type");
    gboolean on_pci = on_bus(node, "virtio", "vd");

    if (type == NULL || strcmp(type, on_pci ? "pci" : "drive") == 0)
        return NULL;
    return on_pci ? "a virtio disk is a PCI device" : "it is a drive of a controller";
}

/* A SCSI disk has none of its own. */
static const char *
driver_iothread(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *reason = has_data(domain, node);

    return reason != NULL               ? reason
           : on_bus(node, "scsi", "sd") ? "a SCSI disk's thread is its controller's"
           : on_bus(node, "sata", NULL) ? "a SATA disk has none of its own, as in libvirt"
                                        : NULL;
}

/* An ATA disk has no way to tell that it is. */
static const char *
readonly(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *device = kiln_rule_attribute(disk_of(node), "device");

    return on_bus(node, "sata", NULL) && g_strcmp0(device, "cdrom") != 0
               ? "a SATA disk cannot be read-only"
               : has_data(domain, node);
}

/* @driver is a SATA disk's: what only virtio disks have. */
static const char *
virtio_options(const KilnXmlNode *driver)
{
    static const char *const names[] = { "queues", "queue_size", "ioeventfd",  "iommu",
                                         "ats",    "packed",     "page_per_vq" };

    for (guint i = 0; on_bus(driver, "sata", NULL) && i < G_N_ELEMENTS(names); i++)
        if (kiln_rule_attribute(driver, names[i]) != NULL)
            return "a SATA disk has no virtqueues";
    return NULL;
}

/* @node is a <driver>. */
static const char *
queues(const KilnDomain *domain, const KilnXmlNode *node)
{
    enum { MAX_QUEUES = 1024 };
    const char *text = kiln_rule_attribute(node, "queues");

    return text == NULL || g_ascii_strtoull(text, NULL, 10) <= MAX_QUEUES
               ? NULL
               : "a disk has 1024 queues at most";
}

/* @node is a <driver>. */
static const char *
disk_iothread(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *text = kiln_rule_attribute(node, "iothread");
    guint64 number;

    if (text == NULL)
        return NULL;
    number = g_ascii_strtoull(text, NULL, 10);
    return kiln_iothreads_has(&domain->iothreads, number) ? NULL
                                                          : "there is no <iothread> of that number";
}

static const char *
disk_driver(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *reason = disk_format(domain, node);

    if (reason == NULL)
        reason = virtio_options(node);
    return reason != NULL ? reason : disk_iothread(domain, node);
}

static const char *
queue_size(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *text = kiln_rule_attribute(node, "queue_size");
    guint64 size = text != NULL ? g_ascii_strtoull(text, NULL, 10) : 256;

    return size >= 2 && size <= 1024 && (size & (size - 1)) == 0
               ? NULL
               : "a queue has a power of 2 of descriptors, 2 to 1024";
}

static gboolean
limit_set(const KilnXmlNode *iotune, const char *name)
{
    for (guint i = 0; i < iotune->children->len; i++) {
        const KilnXmlNode *child = g_ptr_array_index(iotune->children, i);

        if (child->ns == NULL && strcmp(child->name, name) == 0)
            return g_ascii_strtoull(child->text, NULL, 10) > 0;
    }
    return FALSE;
}

/* A burst without the limit that it is above would be no limit at all. */
static const char *
iotune_bursts(const KilnXmlNode *node)
{
    static const char *const limits[] = { "total_bytes_sec", "read_bytes_sec", "write_bytes_sec",
                                          "total_iops_sec",  "read_iops_sec",  "write_iops_sec" };
    gboolean iops = FALSE;

    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *max = g_strconcat(limits[i], "_max", NULL);
        g_autofree char *length = g_strconcat(limits[i], "_max_length", NULL);

        if (limit_set(node, max) && !limit_set(node, limits[i]))
            return "a limit of bursts (_max) needs the limit that it is above";
        if (limit_set(node, length) && !limit_set(node, max))
            return "a length of bursts (_max_length) needs their limit (_max)";
        iops |= strstr(limits[i], "iops") != NULL && limit_set(node, limits[i]);
    }
    return limit_set(node, "size_iops_sec") && !iops
               ? "a size of requests (size_iops_sec) needs a limit of them"
               : NULL;
}

/* libvirt's rules, or QEMU's. */
static const char *
iotune(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *reason = has_data(domain, node);
    static const char *const kinds[] = { "bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max" };

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *total = g_strdup_printf("total_%s", kinds[i]);
        g_autofree char *reads = g_strdup_printf("read_%s", kinds[i]);
        g_autofree char *writes = g_strdup_printf("write_%s", kinds[i]);

        if (limit_set(node, total) && (limit_set(node, reads) || limit_set(node, writes)))
            return "a limit for all requests excludes those for reads and writes";
    }
    return reason != NULL ? reason : iotune_bursts(node);
}

/* @node is a <target>. */
static const char *
disk_target(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *bus = kiln_rule_attribute(node, "bus");
    const char *dev = kiln_rule_attribute(node, "dev");

    if (bus != NULL || dev == NULL || g_str_has_prefix(dev, "vd") || g_str_has_prefix(dev, "sd"))
        return NULL;
    return "a name that does not begin with vd or sd means another bus; say bus=";
}

static const char *
block_size(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *names[] = { "logical_block_size", "physical_block_size" };
    const char *reason = has_data(domain, node);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *text = kiln_rule_attribute(node, names[i]);
        guint64 size = text != NULL ? g_ascii_strtoull(text, NULL, 10) : 512;

        if (size < 512 || size > 2 << 20 || (size & (size - 1)) != 0)
            return "block sizes are powers of 2 from 512 bytes to 2 MiB";
    }
    return reason;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

#define DISK "domain/devices/disk"
#define IMAGE(path)                                                                                \
    YES(path "/source"), KEPT(path "/source/seclabel/**", LABELS),                                 \
        KEPT(path "/source@index", "made anew for each run"),                                      \
        YES(path "/source@startupPolicy", .values = "mandatory",                                   \
            .note = "a disk that is missing is always an error"),                                  \
        YES(path "/source@protocol", .values = "nbd",                                              \
            .note = "of network disks there is NBD in this version"),                              \
        YES(path "/source@file"), YES(path "/source@dev"), YES(path "/source@name"),               \
        YES(path "/source@tls"),                                                                   \
        NO(path "/source@tlsHostname", "the certificate must have the name of <host>"),            \
        YES(path "/source/host"),                                                                  \
        YES(path "/source/host@transport", .values = "tcp unix",                                   \
            .note = "RDMA is not available in this version"),                                      \
        YES(path "/source/host@*"), YES(path "/source/slices"), YES(path "/source/slices/slice"),  \
        YES(path "/source/slices/slice@*"),                                                        \
        NO(path "/source/reservations",                                                            \
           "persistent reservations are not available in this version"),                           \
        NO(path "/source/encryption", "encrypted images are not available in this version"),       \
        NO(path "/source/auth", "NBD has no authentication but TLS")

static const KilnDomainRule rules[] = {
    YES(DISK),
    YES(DISK "@type", .values = "file block network vhostuser volume",
        .note = "directories and NVMe functions cannot be disks"),
    YES(DISK "@device", .values = "disk cdrom",
        .note = "SCSI LUNs and floppies are not available in this version"),
    YES(DISK "@model", VIRTIO_MODEL),
    YES(DISK "@rawio", .values = "no", .note = "SCSI commands are of SCSI disks"),
    KEPT(DISK "@sgio", "SCSI commands are of SCSI disks"),
    KEPT(DISK "@snapshot", "what a later snapshot does with the disk"),
    IMAGE(DISK),
    YES(DISK "/source@type", .values = "unix", .note = "vhost-user is spoken over unix sockets"),
    YES(DISK "/source@path"),
    YES(DISK "/source@pool", .note = "libvirt is asked where the volume is"),
    YES(DISK "/source@volume"),
    NO(DISK "/source@mode", "iSCSI pools are used by their devices of the host"),
    NO(DISK "/source/reconnect", "a back end that went away is not waited for in this version"),
    YES(DISK "/driver", .check = disk_driver),
    KEPT(DISK "/driver@name", "the driver is kiln's"),
    YES(DISK "/driver@type", .note = "raw or qcow2; without it an image is raw, see DISK IMAGES"),
    YES(DISK "/driver@cache", .check = has_data),
    YES(DISK "/driver@error_policy", .check = has_data),
    YES(DISK "/driver@rerror_policy", .check = has_data),
    YES(DISK "/driver@io", .check = has_data, .note = "native is done by io_uring too"),
    YES(DISK "/driver@ioeventfd", .values = "on", .note = "doorbells are always eventfds"),
    YES(DISK "/driver@event_idx", .check = of_virtio),
    YES(DISK "/driver@copy_on_read", .values = "off",
        .note = "copying on read is not available in this version"),
    YES(DISK "/driver@discard", .check = has_data),
    YES(DISK "/driver@iothread", .check = driver_iothread),
    YES(DISK "/driver@detect_zeroes", .check = has_data),
    YES(DISK "/driver@queues", .check = queues),
    YES(DISK "/driver@queue_size", .check = queue_size),
    VIRTIO_DRIVER(DISK "/driver"),
    YES(DISK "/driver/metadata_cache", .check = has_data),
    YES(DISK "/driver/metadata_cache/max_size"),
    YES(DISK "/driver/metadata_cache/max_size@unit"),
    YES(DISK "/target", .check = disk_target),
    YES(DISK "/target@dev"),
    YES(DISK "/target@bus", .values = "virtio scsi sata",
        .note = "IDE, USB and floppy disks are not available in this version"),
    YES(DISK "/target@tray", .values = "closed", .note = "a guest starts with its trays closed"),
    YES(DISK "/target@removable", .check = of_scsi),
    YES(DISK "/target@rotation_rate", .check = of_drives),
    YES(DISK "/backingStore", .check = has_data),
    YES(DISK "/backingStore@type", .values = "file block network",
        .note = "storage volumes are resolved by virtkilnd"),
    KEPT(DISK "/backingStore@index", "made anew for each run"),
    YES(DISK "/backingStore/format"),
    YES(DISK "/backingStore/format@type", .values = "raw qcow2", .note = "images are raw or qcow2"),
    YES(DISK "/backingStore/format/metadata_cache"),
    YES(DISK "/backingStore/format/metadata_cache/max_size"),
    YES(DISK "/backingStore/format/metadata_cache/max_size@unit"),
    IMAGE(DISK "/backingStore"),
    KEPT(DISK "/backingStore/backingStore/**", "as of <backingStore>"),
    NO(DISK "/mirror", "said of a running guest; copies are not available in this version"),
    YES(DISK "/iotune", .check = iotune),
    YES(DISK "/iotune/*"),
    YES(DISK "/readonly", .check = readonly),
    YES(DISK "/shareable", .check = has_data),
    NO(DISK "/transient", "disks that forget are not available in this version"),
    YES(DISK "/serial", .check = has_data),
    YES(DISK "/wwn", .check = of_drives),
    YES(DISK "/vendor", .check = of_scsi),
    YES(DISK "/product", .check = of_scsi),
    NO(DISK "/encryption", "encrypted images are not available in this version"),
    NO(DISK "/auth", "NBD has no authentication but TLS"),
    YES(DISK "/geometry", .check = has_data),
    KEPT(DISK "/geometry@trans", "translation is up to a BIOS"),
    YES(DISK "/geometry@*"),
    YES(DISK "/blockio", .check = block_size),
    YES(DISK "/blockio@*"),
    YES(DISK "/address", .check = disk_address),
    YES(DISK "/address@type", .values = "pci drive",
        .note = "virtio disks are PCI devices, others are drives of a controller"),
    YES(DISK "/address@*"),
    DEVICE(DISK),
};

const KilnRuleTable kiln_rules_disk = KILN_RULE_TABLE(rules);
