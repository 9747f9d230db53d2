/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vhost-user-blk.h. */
#include "device/vhost-user-blk.h"

#include <linux/virtio_blk.h>
#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "base/log.h"
#include "vhost/user.h"
#include "virtio/vhost.h"

enum {
    CONFIG_BYTES = offsetof(struct virtio_blk_config, max_secure_erase_sectors),
    DEFAULT_QUEUE_SIZE = 256,
    NOT_DATA = 2, /* descriptors of a request: header and status */
};

#define FEATURE(bit)      (UINT64_C(1) << (bit))
#define CONFIG_AT(member) (offsetof(struct virtio_blk_config, member))

/* What is shown if the back end has it. */
static const uint64_t known_features =
    FEATURE(VIRTIO_BLK_F_SIZE_MAX) | FEATURE(VIRTIO_BLK_F_SEG_MAX) |
    FEATURE(VIRTIO_BLK_F_GEOMETRY) | FEATURE(VIRTIO_BLK_F_RO) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
    FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_TOPOLOGY) | FEATURE(VIRTIO_BLK_F_DISCARD) |
    FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);

typedef struct {
    KilnVirtioDevice virtio;
    KilnVhost *vhost; /* (owned) */
    uint64_t sectors; /* (device lock) */
    uint16_t queue_size;
} UserBlk;

/* ---- Configuration space: the back end's, and what this side knows better ---- */

/* Returns: FALSE with @error set, and nothing is changed. */
static gboolean
take_config(UserBlk *blk, GError **error)
{
    uint8_t config[CONFIG_BYTES];
    uint32_t most_segments = blk->queue_size - NOT_DATA;

    if (!blk->vhost->ops->get_config(blk->vhost, 0, config, sizeof config, error))
        return FALSE;
    kiln_le16_store(config + CONFIG_AT(num_queues), (uint16_t)blk->virtio.n_queues);
    if (kiln_le32_load(config + CONFIG_AT(seg_max)) > most_segments)
        kiln_le32_store(config + CONFIG_AT(seg_max), most_segments);
    memcpy(blk->virtio.config, config, sizeof config);
    blk->sectors = kiln_le64_load(config + CONFIG_AT(capacity));
    return TRUE;
}

/* The lock is not held while the back end is waited for, which vCPUs would wait for too. */
static void
user_config_changed(void *opaque)
{
    UserBlk *blk = opaque;
    g_autoptr(GError) problem = NULL;
    uint8_t capacity[sizeof(uint64_t)];

    if (!blk->vhost->ops->get_config(blk->vhost, CONFIG_AT(capacity), capacity, sizeof capacity,
                                     &problem)) {
        kiln_log(KILN_LOG_WARNING, "%s: %s", blk->virtio.id, problem->message);
        return;
    }
    kiln_virtio_device_lock(&blk->virtio);
    memcpy(blk->virtio.config + CONFIG_AT(capacity), capacity, sizeof capacity);
    blk->sectors = kiln_le64_load(capacity);
    kiln_virtio_device_unlock(&blk->virtio);
    kiln_virtio_device_config_changed(&blk->virtio);
}

/* ---- The queues ---- */

static gboolean
user_start(KilnVirtioDevice *device, GError **error)
{
    UserBlk *blk = (UserBlk *)device;

    if (!kiln_vhost_user_alive(blk->vhost))
        return kiln_error_set(error, KILN_ERROR_STATE, "%s: the back end is gone", device->id);
    return kiln_virtio_vhost_start(device, blk->vhost, 0, device->n_queues,
                                   kiln_virtio_vhost_features(device, blk->vhost), error);
}

static void
user_stop(KilnVirtioDevice *device)
{
    kiln_virtio_vhost_stop(device, ((UserBlk *)device)->vhost, 0, device->n_queues);
    kiln_virtio_device_stopped(device);
}

/* The back end reads the kicks. */
static void
user_kick(KilnVirtioDevice *device, unsigned queue)
{
}

static void
user_call_changed(KilnVirtioDevice *device, unsigned queue)
{
    kiln_virtio_vhost_call_changed(device, ((UserBlk *)device)->vhost, queue);
}

static void
user_failed(void *opaque, const char *why)
{
    UserBlk *blk = opaque;

    kiln_virtio_device_broken(&blk->virtio, "the back end is lost: %s", why);
}

static void
user_free(KilnVirtioDevice *device)
{
    kiln_vhost_free(((UserBlk *)device)->vhost);
    kiln_virtio_device_clear(device);
    g_free(device);
}

static gboolean
user_post_load(void *object, GError **error)
{
    const UserBlk *blk = object;
    uint64_t shown = kiln_le64_load(blk->virtio.config + CONFIG_AT(capacity));

    /* What was saved of another disk must not go on with this one. */
    if (blk->sectors != shown)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the state is of a disk of %" G_GUINT64_FORMAT
                              " sectors, the back end has %" G_GUINT64_FORMAT,
                              blk->sectors, shown);
    return TRUE;
}

static const KilnStateField user_fields[] = {
    KILN_STATE(UserBlk, sectors, 1),
    KILN_STATE_END,
};

static const KilnStateDescription user_state = {
    .name = "vhost-user-blk",
    .version = 1,
    .min_version = 1,
    .fields = user_fields,
    .post_load = user_post_load,
};

static const KilnVirtioOps user_ops = {
    .name = "vhost-user-blk",
    .id = VIRTIO_ID_BLOCK,
    .start = user_start,
    .stop = user_stop,
    .kick = user_kick,
    .call_changed = user_call_changed,
    .free = user_free,
    .state = &user_state,
};

/* ---- Set-up ---- */

static gboolean
check_memory(const KilnVirtioOptions *options, GError **error)
{
    guint n_regions = 0;
    const KilnMemoryRegion *regions = kiln_memory_regions(options->memory, &n_regions);

    for (guint i = 0; i < n_regions; i++)
        if (regions[i].fd < 0)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "%s: a vhost-user disk needs the guest's memory to be shared",
                                  options->id);
    return TRUE;
}

/* @socket: (transfer full). */
static gboolean
meet(UserBlk *blk, KilnFd socket, GError **error)
{
    KilnVhostUserOptions user = {
        .id = blk->virtio.id,
        .socket = socket,
        .listener = -1,
        .n_queues = blk->virtio.n_queues,
        .need_protocol = FEATURE(KILN_VHOST_USER_PROTOCOL_CONFIG),
        .context = blk->virtio.context,
        .failed = user_failed,
        .config_changed = user_config_changed,
        .opaque = blk,
    };
    uint64_t features = 0;

    blk->vhost = kiln_vhost_user_new(&user, error);
    if (blk->vhost == NULL || !blk->vhost->ops->features(blk->vhost, &features, error))
        return FALSE;
    if (!(features & FEATURE(VIRTIO_F_VERSION_1)))
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "%s: the back end knows no virtio 1",
                              blk->virtio.id);
    if (blk->virtio.n_queues > 1 && !(features & FEATURE(VIRTIO_BLK_F_MQ)))
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "%s: the back end has one queue",
                              blk->virtio.id);
    kiln_virtio_device_remove_features(&blk->virtio, ~features);
    return take_config(blk, error);
}

KilnVirtioDevice *
kiln_vhost_user_blk_new(const KilnVhostUserBlkOptions *options, GError **error)
{
    KilnVirtioOptions virtio = options->virtio;
    g_auto(KilnFd) socket = options->socket;
    UserBlk *blk;

    if (!check_memory(&virtio, error))
        return NULL;
    virtio.n_queues = MAX(1, virtio.n_queues);
    if (virtio.queue_size == 0)
        virtio.queue_size = DEFAULT_QUEUE_SIZE;
    virtio.features = known_features;
    if (virtio.n_queues > 1)
        virtio.features |= FEATURE(VIRTIO_BLK_F_MQ);
    virtio.config_size = CONFIG_BYTES;
    blk = g_new0(UserBlk, 1);
    blk->queue_size = virtio.queue_size;
    kiln_virtio_device_init(&blk->virtio, &user_ops, &virtio);
    if (!meet(blk, kiln_fd_steal(&socket), error)) {
        user_free(&blk->virtio);
        return NULL;
    }
    return &blk->virtio;
}
