/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What devices count, under the keys of libvirt's bulk statistics (virConnectGetAllDomainStats):
 * block.*, net.*, balloon.*, iothread.*.  What cannot be known has no key, as there.
 */
#include "machine/statistics.h"

#include "block/block.h"
#include "device/virtio-balloon.h"
#include "device/virtio-blk.h"
#include "device/virtio-net.h"
#include "domain/domain.h"
#include "machine/private.h"

#include <linux/virtio_balloon.h>
#include <sys/stat.h>

enum { KIB = 1024, STAT_BLOCK_BYTES = 512 };

/* @group.@index.@name */
static void
add(GVariantBuilder *builder, const char *group, guint index, const char *name, GVariant *value)
{
    g_autofree char *key = g_strdup_printf("%s.%u.%s", group, index, name);

    g_variant_builder_add(builder, "{sv}", key, value);
}

static void
add_u64(GVariantBuilder *builder, const char *group, guint index, const char *name, uint64_t value)
{
    add(builder, group, index, name, g_variant_new_uint64(value));
}

static void
add_text(GVariantBuilder *builder, const char *group, guint index, const char *name,
         const char *value)
{
    if (value != NULL)
        add(builder, group, index, name, g_variant_new_string(value));
}

static void
add_count(GVariantBuilder *builder, const char *key, guint count)
{
    g_variant_builder_add(builder, "{sv}", key, g_variant_new_uint32(count));
}

/* ---- Disks ----------------------------------------------------------------------------------- */

static const char *
path_of(const KilnDiskSource *source)
{
    switch (source->type) {
    case KILN_DISK_TYPE_BLOCK: return source->dev;
    case KILN_DISK_TYPE_FILE: return source->file;
    default: return NULL; /* nothing on this host */
    }
}

static void
add_counter(GVariantBuilder *builder, guint index, const char *what, const KilnDiskCounter *counter,
            gboolean has_bytes)
{
    g_autofree char *requests = g_strconcat(what, ".reqs", NULL);
    g_autofree char *bytes = g_strconcat(what, ".bytes", NULL);
    g_autofree char *times = g_strconcat(what, ".times", NULL);

    add_u64(builder, "block", index, requests, counter->requests);
    if (has_bytes)
        add_u64(builder, "block", index, bytes, counter->bytes);
    add_u64(builder, "block", index, times, counter->time_ns);
}

/* The image itself: what it takes up, and how long it is. */
static void
add_image(GVariantBuilder *builder, guint index, const char *path, uint64_t capacity)
{
    struct stat about;

    if (path == NULL || stat(path, &about) != 0)
        return;
    if (S_ISREG(about.st_mode)) {
        add_u64(builder, "block", index, "allocation",
                (uint64_t)about.st_blocks * STAT_BLOCK_BYTES);
        add_u64(builder, "block", index, "physical", (uint64_t)about.st_size);
    } else if (S_ISBLK(about.st_mode)) {
        add_u64(builder, "block", index, "allocation", capacity);
        add_u64(builder, "block", index, "physical", capacity);
    }
}

static void
add_disk(GVariantBuilder *builder, guint index, const KilnMachineDisk *disk)
{
    const KilnDiskSource *source = &disk->disk->source;
    const KilnBlock *chain;
    KilnDiskStatistics count;

    add_text(builder, "block", index, "name", disk->disk->target_dev);
    add_text(builder, "block", index, "path", path_of(source));
    if (source->type == KILN_DISK_TYPE_VHOSTUSER)
        return; /* its requests are not seen here */
    if (disk->unit != NULL)
        kiln_scsi_unit_statistics(disk->unit, &count);
    else if (disk->drive != NULL)
        kiln_ata_statistics(disk->drive->disk, &count);
    else
        kiln_virtio_blk_statistics(disk->device, &count);
    add_counter(builder, index, "rd", &count.read, TRUE);
    add_counter(builder, index, "wr", &count.write, TRUE);
    add_counter(builder, index, "fl", &count.flush, FALSE);
    add_counter(builder, index, "discard", &count.discard, TRUE);
    add_u64(builder, "block", index, "errors",
            count.read.errors + count.write.errors + count.flush.errors + count.discard.errors);
    chain = disk->unit != NULL    ? kiln_scsi_unit_chain(disk->unit)
            : disk->drive != NULL ? kiln_ata_chain(disk->drive->disk)
                                  : kiln_virtio_blk_chain(disk->device);
    if (chain == NULL) /* an empty drive */
        return;
    add_u64(builder, "block", index, "capacity", chain->length);
    add_image(builder, index, path_of(source), chain->length);
}

static void
add_disks(GVariantBuilder *builder, const KilnMachine *machine)
{
    add_count(builder, "block.count", machine->disks->len);
    for (guint i = 0; i < machine->disks->len; i++)
        add_disk(builder, i, g_ptr_array_index(machine->disks, i));
}

/* ---- Interfaces ------------------------------------------------------------------------------ */

static void
add_net(GVariantBuilder *builder, guint index, const KilnMachineNet *net)
{
    KilnNetdevStatistics count;

    kiln_netdev_statistics(kiln_virtio_net_netdev(net->device), &count);
    add_text(builder, "net", index, "name",
             net->net->target_dev != NULL ? net->net->target_dev : net->net->info.alias);
    add_u64(builder, "net", index, "rx.bytes", count.rx_bytes);
    add_u64(builder, "net", index, "rx.pkts", count.rx_packets);
    add_u64(builder, "net", index, "rx.errs", count.rx_errors);
    add_u64(builder, "net", index, "rx.drop", count.rx_dropped);
    add_u64(builder, "net", index, "tx.bytes", count.tx_bytes);
    add_u64(builder, "net", index, "tx.pkts", count.tx_packets);
    add_u64(builder, "net", index, "tx.errs", count.tx_errors);
    add_u64(builder, "net", index, "tx.drop", count.tx_dropped);
}

static void
add_nets(GVariantBuilder *builder, const KilnMachine *machine)
{
    add_count(builder, "net.count", machine->nets->len);
    for (guint i = 0; i < machine->nets->len; i++)
        add_net(builder, i, &g_array_index(machine->nets, KilnMachineNet, i));
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* libvirt's words for what the guest tells, and its units. */
static const struct {
    guint tag;
    const char *key;
    guint divisor;
} guest_values[] = {
    { VIRTIO_BALLOON_S_SWAP_IN, "balloon.swap_in", KIB },
    { VIRTIO_BALLOON_S_SWAP_OUT, "balloon.swap_out", KIB },
    { VIRTIO_BALLOON_S_MAJFLT, "balloon.major_fault", 1 },
    { VIRTIO_BALLOON_S_MINFLT, "balloon.minor_fault", 1 },
    { VIRTIO_BALLOON_S_MEMFREE, "balloon.unused", KIB },
    { VIRTIO_BALLOON_S_MEMTOT, "balloon.available", KIB },
    { VIRTIO_BALLOON_S_AVAIL, "balloon.usable", KIB },
    { VIRTIO_BALLOON_S_CACHES, "balloon.disk_caches", KIB },
    { VIRTIO_BALLOON_S_HTLB_PGALLOC, "balloon.hugetlb_pgalloc", 1 },
    { VIRTIO_BALLOON_S_HTLB_PGFAIL, "balloon.hugetlb_pgfail", 1 },
};

static void
add_value(GVariantBuilder *builder, const char *key, uint64_t value)
{
    g_variant_builder_add(builder, "{sv}", key, g_variant_new_uint64(value));
}

static void
add_balloon(GVariantBuilder *builder, const KilnMachine *machine)
{
    KilnVirtioBalloonStats stats;

    add_value(builder, "balloon.current", kiln_machine_memory(machine) / KIB);
    add_value(builder, "balloon.maximum", kiln_memory_size(machine->memory) / KIB);
    if (machine->balloon == NULL)
        return;
    kiln_virtio_balloon_get_stats(machine->balloon, &stats);
    for (guint i = 0; i < G_N_ELEMENTS(guest_values); i++) {
        guint tag = guest_values[i].tag;

        if (stats.valid >> tag & 1)
            add_value(builder, guest_values[i].key, stats.values[tag] / guest_values[i].divisor);
    }
    if (stats.updated_us > 0)
        add_value(builder, "balloon.last-update", (uint64_t)stats.updated_us / G_USEC_PER_SEC);
    add_value(builder, "balloon.returned", stats.returned_bytes / KIB); /* kiln's own */
}

void
kiln_machine_add_device_statistics(GVariantBuilder *builder, KilnMachine *machine)
{
    add_balloon(builder, machine);
    add_nets(builder, machine);
    add_disks(builder, machine);
    add_count(builder, "iothread.count", (guint)machine->domain->iothreads.count.value);
}
