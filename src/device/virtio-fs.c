/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-fs.h. */
#include "device/virtio-fs.h"

#include "base/error.h"
#include "base/le.h"
#include "base/log.h"
#include "device/virtio-turn.h"
#include "vhost/user.h"
#include "virtio/vhost.h"

#include <errno.h>
#include <linux/fuse.h>
#include <linux/virtio_fs.h>

enum {
    FS_QUEUE_HIPRIO,  /* virtio 1.2 §5.11.2; without VIRTIO_FS_F_NOTIFICATION requests follow */
    FS_QUEUE_REQUEST, /* the first of them */
    FS_END_PATIENCE_MS = 500, /* in which a virtiofsd that does not serve says why */
};

typedef struct {
    KilnVirtioDevice virtio;
    KilnProcess *daemon; /* (owned) (nullable) */
    KilnVhost *vhost;    /* (owned) */
    char tag[KILN_VIRTIO_FS_TAG];
    gboolean left_alone; /* virtiofsd died while it had the queues: what it had stays there */
    gboolean taking_over;
} Fs;

/* ---- Without virtiofsd -------------------------------------------------------------------------
 */

/*
 * Requests are then answered here: ENOTCONN, as a FUSE file system gives whose server is gone.
 * Without an answer the guest's programs would wait for ever.  Those do that virtiofsd had when it
 * died: in which order it answers is not known, so neither is which are left, and to answer one
 * twice would write to memory that the guest has put to another use.
 */

/* Has the queues begin behind what virtiofsd had.  A packed ring does not say where that is. */
static void
leave_alone(Fs *fs)
{
    fs->left_alone = FALSE;
    for (unsigned i = 0; i < fs->virtio.n_queues; i++) {
        KilnVirtqueue *queue = kiln_virtio_device_queue(&fs->virtio, i);
        KilnVirtqueueRing ring;

        if (!kiln_virtqueue_started(queue))
            continue;
        kiln_virtqueue_ring(queue, &ring);
        if (kiln_virtio_device_has_feature(&fs->virtio, VIRTIO_F_RING_PACKED) ||
            !kiln_virtqueue_set_base(queue, kiln_le16_load((const uint8_t *)ring.driver + 2)))
            kiln_virtio_device_broken(&fs->virtio, "queue %u is lost with virtiofsd", i);
    }
}

/* Returns: how many bytes were written; a request that wants no answer has no room for one. */
static uint32_t
refuse(const KilnVirtqElement *element)
{
    struct fuse_in_header in = { 0 };
    struct fuse_out_header out = { .len = sizeof out, .error = -ENOTCONN };

    if (element->in_bytes < sizeof out ||
        kiln_virtqueue_copy_out(element, 0, &in, sizeof in) < sizeof in)
        return 0;
    out.unique = in.unique;
    return (uint32_t)kiln_virtqueue_copy_in(element, 0, &out, sizeof out);
}

static void
refuse_all(Fs *fs, unsigned number)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&fs->virtio, number);
    struct iovec iov[KILN_VIRTQUEUE_MAX_SIZE];
    KilnVirtqElement element = { .iov = iov, .max_iov = G_N_ELEMENTS(iov) };
    unsigned turns = 0;
    int popped = 0;

    while (turns < KILN_VIRTIO_TURN && (popped = kiln_virtqueue_pop(queue, &element)) > 0) {
        kiln_virtqueue_push(queue, &element, refuse(&element));
        turns++;
    }
    kiln_virtqueue_flush(queue);
    if (popped < 0)
        kiln_virtio_device_broken(&fs->virtio, "bad descriptors in queue %u", number);
    else if (popped > 0)
        kiln_virtio_another_turn(&fs->virtio, number);
}

static void
take_over(Fs *fs)
{
    KilnVirtioDevice *device = &fs->virtio;

    fs->taking_over = TRUE; /* kicks come while the queues do not stand where they shall */
    kiln_virtio_vhost_stop(device, fs->vhost, 0, device->n_queues);
    leave_alone(fs);
    fs->taking_over = FALSE;
    for (unsigned i = 0; i < device->n_queues; i++)
        if (kiln_virtqueue_started(kiln_virtio_device_queue(device, i)))
            kiln_virtio_another_turn(device, i);
}

/* ---- The device --------------------------------------------------------------------------------
 */

static gboolean
fs_start(KilnVirtioDevice *device, GError **error)
{
    Fs *fs = (Fs *)device;

    if (!kiln_vhost_user_alive(fs->vhost)) {
        if (fs->left_alone)
            leave_alone(fs);
        return TRUE;
    }
    return kiln_virtio_vhost_start(device, fs->vhost, 0, device->n_queues,
                                   kiln_virtio_vhost_features(device, fs->vhost), error);
}

static void
fs_stop(KilnVirtioDevice *device)
{
    Fs *fs = (Fs *)device;

    if (fs->vhost->handed != NULL) {
        kiln_virtio_vhost_stop(device, fs->vhost, 0, device->n_queues);
        fs->left_alone = !kiln_vhost_user_alive(fs->vhost);
    }
    kiln_virtio_device_stopped(device);
}

/* While virtiofsd is there it reads the kicks. */
static void
fs_kick(KilnVirtioDevice *device, unsigned queue)
{
    Fs *fs = (Fs *)device;

    if (fs->vhost->handed == NULL && !fs->taking_over)
        refuse_all(fs, queue);
}

static void
fs_reset(KilnVirtioDevice *device)
{
    ((Fs *)device)->left_alone = FALSE;
}

static void
fs_call_changed(KilnVirtioDevice *device, unsigned queue)
{
    kiln_virtio_vhost_call_changed(device, ((Fs *)device)->vhost, queue);
}

static void
fs_free(KilnVirtioDevice *device)
{
    Fs *fs = (Fs *)device;

    kiln_vhost_free(fs->vhost);
    kiln_process_free(fs->daemon);
    kiln_virtio_device_clear(device);
    g_free(fs);
}

static void
fs_failed(void *opaque, const char *why)
{
    Fs *fs = opaque;

    kiln_log(KILN_LOG_ERROR, "%s: virtiofsd is lost: %s; '%.*s' cannot be used any more",
             fs->virtio.id, why, KILN_VIRTIO_FS_TAG, fs->tag);
    if (kiln_virtio_device_running(&fs->virtio))
        take_over(fs);
}

static void
fs_daemon_ended(KilnProcess *process, int status, gpointer data)
{
    const Fs *fs = data;
    g_autofree char *how = kiln_process_describe(process, status);

    kiln_log(KILN_LOG_ERROR, "%s: virtiofsd %s", fs->virtio.id, how);
}

static gboolean
fs_post_load(void *object, GError **error)
{
    const Fs *fs = object;

    /* What was saved of another folder must not go on with this one. */
    if (memcmp(fs->tag, fs->virtio.config, sizeof fs->tag) != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the state is of '%.*s', the device shows '%.*s'", KILN_VIRTIO_FS_TAG,
                              fs->tag, KILN_VIRTIO_FS_TAG, (const char *)fs->virtio.config);
    return TRUE;
}

static const KilnStateField fs_fields[] = {
    KILN_STATE_BYTES(Fs, tag, 1),
    KILN_STATE_END,
};

static const KilnStateDescription fs_state = {
    .name = "virtio-fs",
    .version = 1,
    .min_version = 1,
    .fields = fs_fields,
    .post_load = fs_post_load,
};

static const KilnVirtioOps fs_ops = {
    .name = "virtio-fs",
    .id = VIRTIO_ID_FS,
    .start = fs_start,
    .stop = fs_stop,
    .kick = fs_kick,
    .call_changed = fs_call_changed,
    .reset = fs_reset,
    .free = fs_free,
    .state = &fs_state,
};

static gboolean
check_options(const KilnVirtioFsOptions *options, GError **error)
{
    const char *id = options->virtio.id;
    guint n_regions = 0;
    const KilnMemoryRegion *regions = kiln_memory_regions(options->virtio.memory, &n_regions);

    if (options->tag[0] == '\0' || strlen(options->tag) > KILN_VIRTIO_FS_TAG)
        return kiln_error_set(error, KILN_ERROR_INVALID, "%s: the tag '%s' has not 1 to %d bytes",
                              id, options->tag, KILN_VIRTIO_FS_TAG);
    if (options->n_requests > KILN_VIRTIO_FS_QUEUES)
        return kiln_error_set(error, KILN_ERROR_INVALID, "%s: %u request queues are more than %d",
                              id, options->n_requests, KILN_VIRTIO_FS_QUEUES);
    for (guint i = 0; i < n_regions; i++)
        if (regions[i].fd < 0)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "%s: virtiofsd needs the guest's memory to be shared", id);
    return TRUE;
}

/* Returns: connected to virtiofsd, or -1 with @error set. */
static KilnFd
find_daemon(Fs *fs, const KilnVirtioFsOptions *options, GError **error)
{
    KilnVirtiofsdOptions daemon;
    g_autofree char *name = g_strdup_printf("virtiofsd (%s)", options->virtio.id);
    KilnFd socket = -1;

    if (options->daemon == NULL)
        return options->socket;
    daemon = *options->daemon;
    daemon.name = name;
    daemon.context = options->virtio.context;
    daemon.ended = fs_daemon_ended;
    daemon.data = fs;
    fs->daemon = kiln_virtiofsd_spawn(&daemon, &socket, error);
    return socket;
}

/* A virtiofsd that ended instead of answering has said why. */
static void
add_reason(Fs *fs, GError **error)
{
    g_autofree char *how = NULL;
    int status = 0;

    if (fs->daemon == NULL || !kiln_process_wait(fs->daemon, FS_END_PATIENCE_MS, &status))
        return;
    how = kiln_process_describe(fs->daemon, status);
    g_clear_error(error);
    kiln_error_set(error, KILN_ERROR_FAILED, "%s: virtiofsd %s", fs->virtio.id, how);
}

static gboolean
meet_daemon(Fs *fs, const KilnVirtioFsOptions *options, GError **error)
{
    KilnVhostUserOptions user = {
        .id = options->virtio.id,
        .socket = -1,
        .listener = -1,
        .n_queues = fs->virtio.n_queues,
        .context = options->virtio.context,
        .failed = fs_failed,
        .opaque = fs,
    };
    g_autoptr(GError) problem = NULL;
    uint64_t features = 0;

    user.socket = find_daemon(fs, options, error);
    if (user.socket < 0)
        return FALSE;
    fs->vhost = kiln_vhost_user_new(&user, &problem);
    if (fs->vhost == NULL) {
        add_reason(fs, &problem);
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!fs->vhost->ops->features(fs->vhost, &features, error))
        return FALSE;
    if (!(features & (1ull << VIRTIO_F_VERSION_1)))
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "%s: this virtiofsd knows no virtio 1",
                              fs->virtio.id);
    kiln_virtio_device_remove_features(&fs->virtio, ~features);
    return TRUE;
}

KilnVirtioDevice *
kiln_virtio_fs_new(const KilnVirtioFsOptions *options, GError **error)
{
    KilnVirtioOptions virtio = options->virtio;
    unsigned n_requests = MAX(options->n_requests, 1);
    struct virtio_fs_config *config;
    Fs *fs;

    if (!check_options(options, error)) {
        KilnFd socket = options->daemon == NULL ? options->socket : -1;

        kiln_fd_clear(&socket);
        return NULL;
    }
    fs = g_new0(Fs, 1);
    virtio.n_queues = FS_QUEUE_REQUEST + n_requests;
    virtio.features = 0;
    virtio.config_size = sizeof *config;
    kiln_virtio_device_init(&fs->virtio, &fs_ops, &virtio);
    memcpy(fs->tag, options->tag, strlen(options->tag));
    config = (struct virtio_fs_config *)fs->virtio.config;
    memcpy(config->tag, fs->tag, sizeof config->tag);
    kiln_le32_store(&config->num_request_queues, n_requests);
    if (!meet_daemon(fs, options, error)) {
        fs_free(&fs->virtio);
        return NULL;
    }
    return &fs->virtio;
}

pid_t
kiln_virtio_fs_pid(const KilnVirtioDevice *device)
{
    const Fs *fs = (const Fs *)device;

    return fs->daemon != NULL ? kiln_process_pid(fs->daemon) : 0;
}
