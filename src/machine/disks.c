/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <disk> becomes a chain of block layers (block/open.h) and a virtio-blk device in front of it; or,
 * with type 'vhostuser', a device whose queues are the back end's.  Disks of other buses are built
 * with their controllers.
 */
#include "machine/disks.h"

#include "base/error.h"
#include "base/unix-socket.h"
#include "block/nbd.h"
#include "block/open.h"
#include "device/vhost-user-blk.h"
#include "device/virtio-blk.h"
#include "machine/devices.h"
#include "machine/functions.h"
#include "machine/private.h"

#include <string.h>

/* ---- Errors while the guest runs ---------------------------------------------------------------
 */

static const char *
action_name(KilnIoErrorPolicy action)
{
    switch (action) {
    case KILN_IO_ERROR_IGNORE: return "none";
    case KILN_IO_ERROR_STOP: return "pause";
    default: return "report";
    }
}

/* In the disk's thread. */
void
kiln_machine_disk_error(void *opaque, gboolean is_read, int error, KilnIoErrorPolicy action)
{
    const KilnMachineDisk *disk = opaque;
    KilnMachine *machine = disk->machine;

    kiln_mutex_lock(&machine->lock);
    if (machine->n_io_errors < KILN_MACHINE_MAX_IO_ERRORS)
        machine->io_errors[machine->n_io_errors++] =
            (KilnMachineIoError){ disk->disk->info.alias, is_read, error, action_name(action) };
    kiln_mutex_unlock(&machine->lock);
    kiln_machine_request(machine, KILN_REQUEST_IO_ERROR_TOLD);
    if (action == KILN_IO_ERROR_STOP)
        kiln_machine_request(machine, KILN_REQUEST_IO_ERROR);
}

static KilnIoErrorPolicy
policy(KilnDiskErrorPolicy from, KilnIoErrorPolicy absent)
{
    switch (from) {
    case KILN_DISK_ERROR_POLICY_STOP: return KILN_IO_ERROR_STOP;
    case KILN_DISK_ERROR_POLICY_REPORT: return KILN_IO_ERROR_REPORT;
    case KILN_DISK_ERROR_POLICY_IGNORE: return KILN_IO_ERROR_IGNORE;
    case KILN_DISK_ERROR_POLICY_ENOSPACE: return KILN_IO_ERROR_ENOSPACE;
    default: return absent;
    }
}

/* ---- Where the bytes are -----------------------------------------------------------------------
 */

static const char *
format_name(KilnDiskFormat format)
{
    return format != KILN_DISK_FORMAT_ABSENT ? kiln_disk_format_names[format] : NULL;
}

static KilnBlock *
open_nbd(const KilnDiskSource *source, const KilnBlockOptions *chain, GError **error)
{
    const KilnDiskNetwork *network = &source->network;
    const KilnDiskHost *host =
        network->hosts->len > 0 ? g_ptr_array_index(network->hosts, 0) : NULL;
    KilnBlockNbdOptions options = {
        .export_name = network->name,
        .tls = network->tls == KILN_SWITCH_ON,
        .read_only = chain->read_only,
        .no_flush = chain->cache == KILN_BLOCK_CACHE_UNSAFE,
        .context = chain->context,
    };

    if (host == NULL) {
        kiln_error_set(error, KILN_ERROR_INVALID, "an NBD disk needs <host>");
        return NULL;
    }
    options.socket = host->socket;
    options.host = host->name != NULL ? host->name : "localhost";
    options.port = host->port.set ? (uint16_t)host->port.value : 0;
    return kiln_block_nbd_open(&options, error);
}

/* Fills in where @source is.  FALSE with @error set. */
static gboolean
take_source(const KilnDiskSource *source, KilnBlockOptions *options, GError **error)
{
    if (source->slices->len > 0) {
        const KilnDiskSlice *slice = g_ptr_array_index(source->slices, 0);

        options->slice_offset = slice->offset.value;
        options->slice_length = slice->size.value;
    }
    options->fd = -1;
    switch (source->type) {
    case KILN_DISK_TYPE_BLOCK:
        options->path = source->dev;
        options->block_device = TRUE;
        break;
    case KILN_DISK_TYPE_NETWORK:
        options->path = source->network.name != NULL ? source->network.name : "nbd";
        options->end = open_nbd(source, options, error);
        return options->end != NULL;
    case KILN_DISK_TYPE_VOLUME: /* resolved before */
        options->path = source->dev != NULL ? source->dev : source->file;
        options->block_device = source->dev != NULL;
        break;
    default: options->path = source->file; break;
    }
    return options->path != NULL || kiln_error_set(error, KILN_ERROR_INVALID, "needs a <source>");
}

/*
 * What the definition says of the images below, as options that point at each other.  One that says
 * nothing at all ends the chain; no <backingStore> leaves it to the image.  The structs are kept in
 * @below.
 */
static gboolean
take_backing(const KilnDiskBacking *backing, KilnBlockOptions *options, GPtrArray *below,
             GError **error)
{
    KilnBlockOptions *image;

    if (backing == NULL)
        return TRUE;
    options->backing_given = TRUE;
    if (backing->source.type == KILN_DISK_TYPE_ABSENT)
        return TRUE;
    image = g_new0(KilnBlockOptions, 1);
    g_ptr_array_add(below, image);
    image->format = format_name(backing->format);
    image->read_only = TRUE;
    image->cache = options->cache;
    image->uring = options->uring;
    image->context = options->context;
    image->metadata_cache = backing->metadata_cache_max.set ? backing->metadata_cache_max.value : 0;
    options->backing = image;
    return take_source(&backing->source, image, error) &&
           take_backing(backing->backing, image, below, error);
}

/* ---- Limits ------------------------------------------------------------------------------------
 */

static void
take_bucket(KilnThrottleLimits *limits, KilnThrottleBucket bucket, KilnUint average, KilnUint max,
            KilnUint length)
{
    limits->buckets[bucket].average = average.set ? average.value : 0;
    limits->buckets[bucket].max = max.set ? max.value : 0;
    limits->buckets[bucket].length = length.set ? length.value : max.set && max.value > 0;
}

static KilnThrottleLimits
limits_of(const KilnDiskIotune *tune)
{
    KilnThrottleLimits limits;

    memset(&limits, 0, sizeof limits); /* they are compared, so padding counts */
    limits.iops_size = tune->size_iops_sec.set ? tune->size_iops_sec.value : 0;
    take_bucket(&limits, KILN_THROTTLE_BYTES_TOTAL, tune->total_bytes_sec,
                tune->total_bytes_sec_max, tune->total_bytes_sec_max_length);
    take_bucket(&limits, KILN_THROTTLE_BYTES_READ, tune->read_bytes_sec, tune->read_bytes_sec_max,
                tune->read_bytes_sec_max_length);
    take_bucket(&limits, KILN_THROTTLE_BYTES_WRITE, tune->write_bytes_sec,
                tune->write_bytes_sec_max, tune->write_bytes_sec_max_length);
    take_bucket(&limits, KILN_THROTTLE_IOPS_TOTAL, tune->total_iops_sec, tune->total_iops_sec_max,
                tune->total_iops_sec_max_length);
    take_bucket(&limits, KILN_THROTTLE_IOPS_READ, tune->read_iops_sec, tune->read_iops_sec_max,
                tune->read_iops_sec_max_length);
    take_bucket(&limits, KILN_THROTTLE_IOPS_WRITE, tune->write_iops_sec, tune->write_iops_sec_max,
                tune->write_iops_sec_max_length);
    return limits;
}

static gboolean
any_limit(const KilnThrottleLimits *limits)
{
    for (guint i = 0; i < KILN_THROTTLE_N_BUCKETS; i++) {
        if (limits->buckets[i].average > 0)
            return TRUE;
    }
    return FALSE;
}

/* Disks whose <group_name> is the same share the limits of the first. */
static gboolean
take_limits(KilnMachine *machine, const KilnDiskIotune *tune, KilnBlockOptions *options,
            GError **error)
{
    KilnThrottleLimits limits = limits_of(tune);
    KilnThrottleGroup *group = NULL;

    if (tune->group_name != NULL)
        group = g_hash_table_lookup(machine->throttles, tune->group_name);
    if (group != NULL && any_limit(&limits)) {
        KilnThrottleLimits shared;

        kiln_throttle_group_get(group, &shared);
        if (memcmp(&shared, &limits, sizeof limits) != 0)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "iotune: another disk of the group '%s' has other limits",
                                  tune->group_name);
    }
    if (group == NULL && any_limit(&limits)) {
        g_autofree char *name =
            tune->group_name != NULL
                ? g_strdup(tune->group_name)
                : g_strdup_printf("\n%u", g_hash_table_size(machine->throttles));

        if (!kiln_throttle_limits_check(&limits, error))
            return FALSE;
        group = kiln_throttle_group_new(&limits);
        g_hash_table_insert(machine->throttles, g_steal_pointer(&name), group);
    }
    options->throttle = group;
    return TRUE;
}

/* ---- The disk ----------------------------------------------------------------------------------
 */

static KilnBlockCache
cache_mode(KilnDiskCache cache)
{
    switch (cache) {
    case KILN_DISK_CACHE_NONE: return KILN_BLOCK_CACHE_NONE;
    case KILN_DISK_CACHE_WRITETHROUGH: return KILN_BLOCK_CACHE_WRITETHROUGH;
    case KILN_DISK_CACHE_DIRECTSYNC: return KILN_BLOCK_CACHE_DIRECTSYNC;
    case KILN_DISK_CACHE_UNSAFE: return KILN_BLOCK_CACHE_UNSAFE;
    default: return KILN_BLOCK_CACHE_WRITEBACK;
    }
}

static KilnBlockDetectZeroes
detect_zeroes(KilnDiskDetectZeroes from)
{
    switch (from) {
    case KILN_DISK_DETECT_ZEROES_ON: return KILN_BLOCK_DETECT_ZEROES_ON;
    case KILN_DISK_DETECT_ZEROES_UNMAP: return KILN_BLOCK_DETECT_ZEROES_UNMAP;
    default: return KILN_BLOCK_DETECT_ZEROES_OFF;
    }
}

static KilnUringEngine
engine(KilnDiskIo io)
{
    switch (io) {
    case KILN_DISK_IO_THREADS: return KILN_URING_THREADS;
    case KILN_DISK_IO_NATIVE:
    case KILN_DISK_IO_IO_URING: return KILN_URING_NATIVE;
    default: return KILN_URING_AUTO;
    }
}

gboolean
kiln_machine_disk_is_empty(const KilnDisk *disk)
{
    const KilnDiskSource *source = &disk->source;

    return disk->device == KILN_DISK_DEVICE_CDROM && source->file == NULL && source->dev == NULL &&
           source->type != KILN_DISK_TYPE_NETWORK;
}

guint
kiln_machine_disk_iothread(const KilnDisk *disk)
{
    return disk->driver.iothread.set ? (guint)disk->driver.iothread.value : KILN_IO_SHARED;
}

gboolean
kiln_machine_disk_write_back(const KilnDisk *disk)
{
    return disk->driver.cache != KILN_DISK_CACHE_WRITETHROUGH &&
           disk->driver.cache != KILN_DISK_CACHE_DIRECTSYNC;
}

void
kiln_machine_disk_policies(const KilnDisk *disk, KilnIoErrorPolicy *reads,
                           KilnIoErrorPolicy *writes)
{
    *writes = policy(disk->driver.error_policy, KILN_IO_ERROR_ENOSPACE);
    *reads = policy(disk->driver.rerror_policy,
                    *writes == KILN_IO_ERROR_ENOSPACE ? KILN_IO_ERROR_REPORT : *writes);
}

KilnBlock *
kiln_machine_open_chain(KilnMachine *machine, const KilnDisk *disk, guint iothread,
                        GMainContext **context, KilnUring **uring, GError **error)
{
    const KilnDiskDriver *driver = &disk->driver;
    g_autoptr(GPtrArray) below = g_ptr_array_new_with_free_func(g_free);
    KilnBlockOptions options = {
        .format = format_name(driver->type),
        .fd = -1,
        .read_only = disk->readonly,
        .shared = disk->shareable,
        .cache = cache_mode(driver->cache),
        .discard = driver->discard == KILN_DISK_DISCARD_UNMAP,
        .detect_zeroes = detect_zeroes(driver->detect_zeroes),
        .metadata_cache = driver->metadata_cache_max.set ? driver->metadata_cache_max.value : 0,
    };

    if (!kiln_io_threads_get(machine->threads, iothread, engine(driver->io), context,
                             &options.uring, error))
        return NULL;
    options.context = *context;
    if (uring != NULL)
        *uring = options.uring;
    if (!take_limits(machine, &disk->iotune, &options, error) ||
        !take_backing(disk->backing, &options, below, error) ||
        !take_source(&disk->source, &options, error))
        return NULL;
    return kiln_block_open_chain(&options, error);
}

/* With the ring of the drive's device, which is there: none can be made any more. */
KilnBlock *
kiln_machine_open_medium(const KilnMachineDisk *entry, int fd, const char *path, const char *format,
                         GError **error)
{
    KilnMachine *machine = entry->machine;
    g_auto(KilnFd) owned = fd;
    KilnBlockOptions options = {
        .format = format,
        .path = path,
        .read_only = TRUE,
        .cache = cache_mode(entry->disk->driver.cache),
    };

    if (!kiln_io_threads_get(machine->threads, entry->iothread, KILN_URING_AUTO, &options.context,
                             &options.uring, error) ||
        !take_limits(machine, &entry->disk->iotune, &options, error))
        return NULL;
    options.fd = kiln_fd_steal(&owned);
    return kiln_block_open_chain(&options, error);
}

static KilnVirtioOptions
virtio_options(const KilnMachine *machine, const KilnDisk *disk)
{
    KilnVirtioOptions virtio =
        kiln_machine_virtio_options(machine, &disk->info, &disk->driver.virtio);

    virtio.n_queues = disk->driver.queues.set ? (unsigned)disk->driver.queues.value : 0;
    virtio.queue_size = disk->driver.queue_size.set ? (uint16_t)disk->driver.queue_size.value : 0;
    virtio.no_event_idx = disk->driver.event_idx == KILN_SWITCH_OFF;
    return virtio;
}

static KilnVirtioDevice *
make_blk(KilnMachineDisk *entry, GError **error)
{
    const KilnDisk *disk = entry->disk;
    KilnVirtioBlkOptions options = {
        .virtio = virtio_options(entry->machine, disk),
        .serial = disk->serial,
        .logical_size = (uint32_t)disk->logical_block_size.value,
        .physical_size = (uint32_t)disk->physical_block_size.value,
        .read_only = disk->readonly,
        .write_back = kiln_machine_disk_write_back(disk),
        .discard = disk->driver.discard == KILN_DISK_DISCARD_UNMAP,
        .io_error = kiln_machine_disk_error,
        .opaque = entry,
    };

    kiln_machine_disk_policies(disk, &options.read_policy, &options.write_policy);
    if (disk->geometry != NULL) {
        options.cylinders = (uint16_t)MIN(disk->geometry->cylinders.value, G_MAXUINT16);
        options.heads = (uint8_t)MIN(disk->geometry->heads.value, G_MAXUINT8);
        options.sectors = (uint8_t)MIN(disk->geometry->sectors.value, G_MAXUINT8);
    }
    options.chain = kiln_machine_open_chain(entry->machine, disk, kiln_machine_disk_iothread(disk),
                                            &options.virtio.context, &options.uring, error);
    return options.chain != NULL ? kiln_virtio_blk_new(&options, error) : NULL;
}

static KilnVirtioDevice *
make_vhost_user(KilnMachineDisk *entry, GError **error)
{
    KilnVhostUserBlkOptions options = { .virtio = virtio_options(entry->machine, entry->disk) };

    if (entry->disk->source.socket.path == NULL) {
        kiln_error_set(error, KILN_ERROR_INVALID, "type 'vhostuser' needs <source path=>");
        return NULL;
    }
    options.socket = kiln_unix_connect(entry->disk->source.socket.path, error);
    return options.socket >= 0 ? kiln_vhost_user_blk_new(&options, error) : NULL;
}

KilnMachineDisk *
kiln_machine_add_disk(KilnMachine *machine, const KilnDisk *disk)
{
    KilnMachineDisk *entry = g_new0(KilnMachineDisk, 1);

    entry->machine = machine;
    entry->disk = disk;
    g_ptr_array_add(machine->disks, entry);
    return entry;
}

static gboolean
build_disk(KilnMachine *machine, const KilnDisk *disk, GError **error)
{
    KilnMachineDisk *entry = kiln_machine_add_disk(machine, disk);

    entry->device = disk->source.type == KILN_DISK_TYPE_VHOSTUSER ? make_vhost_user(entry, error)
                                                                  : make_blk(entry, error);
    return entry->device != NULL && kiln_machine_add_virtio(machine, entry->device, &disk->info,
                                                            &disk->driver.virtio, 0, error);
}

static void
free_group(gpointer group)
{
    kiln_throttle_group_unref(group);
}

gboolean
kiln_machine_build_disks(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(machine->domain->disks, i);

        if (disk->bus == KILN_DISK_BUS_VIRTIO && !build_disk(machine, disk, error)) {
            g_prefix_error(error, "disk '%s': ", disk->target_dev);
            return FALSE;
        }
    }
    return TRUE;
}

void
kiln_machine_init_disks(KilnMachine *machine)
{
    machine->disks = g_ptr_array_new_with_free_func(g_free);
    machine->nets = g_array_new(FALSE, FALSE, sizeof(KilnMachineNet));
    machine->throttles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_group);
}

void
kiln_machine_free_disks(KilnMachine *machine)
{
    g_ptr_array_unref(machine->disks);
    g_array_unref(machine->nets);
    g_hash_table_unref(machine->throttles);
}
