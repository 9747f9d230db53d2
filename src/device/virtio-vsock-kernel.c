/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-vsock-kernel.h. */
#include "device/virtio-vsock-kernel.h"

#include "base/error.h"
#include "base/le.h"
#include "device/virtio-vsock-event.h"
#include "device/virtio-vsock.h"
#include "vhost/kernel.h"
#include "virtio/vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <sys/ioctl.h>

enum {
    QUEUE_SIZE = 128,                        /* if not told otherwise */
    N_VHOST_QUEUES = KILN_VSOCK_QUEUE_EVENT, /* rx and tx are the kernel's */
    MAX_TRIES = 65536,                       /* CIDs that are tried for a free one */
};

typedef struct {
    KilnVirtioDevice virtio;
    KilnVhost *vhost; /* (owned) */
    gboolean moved;   /* the driver is to be told that its connections are gone */
} Vsock;

static gboolean
set_running(int fd, int running, GError **error)
{
    if (ioctl(fd, VHOST_VSOCK_SET_RUNNING, &running) == 0)
        return TRUE;
    return kiln_error_set_errno(error, errno, "vhost-vsock: VHOST_VSOCK_SET_RUNNING");
}

/* It runs as a whole, when the last queue is there. */
static gboolean
vsock_enable(void *opaque, int fd, unsigned queue, gboolean enabled, GError **error)
{
    if (enabled)
        return queue < KILN_VSOCK_QUEUE_TX || set_running(fd, 1, error);
    return queue > KILN_VSOCK_QUEUE_RX || set_running(fd, 0, error);
}

static void
vsock_failed(void *opaque, const char *why)
{
    kiln_virtio_device_broken(opaque, "%s", why);
}

static gboolean
vsock_start(KilnVirtioDevice *device, GError **error)
{
    Vsock *vsock = (Vsock *)device;

    return kiln_virtio_vhost_start(device, vsock->vhost, 0, N_VHOST_QUEUES,
                                   kiln_virtio_vhost_features(device, vsock->vhost), error);
}

static void
vsock_stop(KilnVirtioDevice *device)
{
    kiln_virtio_vhost_stop(device, ((Vsock *)device)->vhost, 0, N_VHOST_QUEUES);
    kiln_virtio_device_stopped(device);
}

static void
vsock_kick(KilnVirtioDevice *device, unsigned queue)
{
    Vsock *vsock = (Vsock *)device;

    if (queue == KILN_VSOCK_QUEUE_EVENT && vsock->moved)
        vsock->moved = !kiln_vsock_tell_moved(device);
}

static void
vsock_call_changed(KilnVirtioDevice *device, unsigned queue)
{
    kiln_virtio_vhost_call_changed(device, ((Vsock *)device)->vhost, queue);
}

static void
vsock_reset(KilnVirtioDevice *device)
{
    ((Vsock *)device)->moved = FALSE;
}

static void
vsock_free(KilnVirtioDevice *device)
{
    Vsock *vsock = (Vsock *)device;

    kiln_vhost_free(vsock->vhost);
    kiln_virtio_device_clear(device);
    g_free(vsock);
}

/* Connections stay behind. */
static gboolean
vsock_post_load(void *object, GError **error)
{
    ((Vsock *)object)->moved = TRUE;
    return TRUE;
}

static const KilnStateField vsock_fields[] = {
    KILN_STATE_END, /* the same as of the other kind: a guest may change between them */
};

static const KilnStateDescription vsock_state = {
    .name = "virtio-vsock",
    .version = 1,
    .min_version = 1,
    .fields = vsock_fields,
    .post_load = vsock_post_load,
};

static const KilnVirtioOps vsock_ops = {
    .name = "virtio-vsock",
    .id = VIRTIO_ID_VSOCK,
    .start = vsock_start,
    .stop = vsock_stop,
    .kick = vsock_kick,
    .call_changed = vsock_call_changed,
    .reset = vsock_reset,
    .free = vsock_free,
    .state = &vsock_state,
};

/* Returns: the CID that the guest has now, 0 with @error set. */
static uint64_t
choose_cid(int fd, uint64_t wanted, GError **error)
{
    uint64_t first = wanted != 0 ? wanted : KILN_VSOCK_FIRST_CID;
    uint64_t tries = wanted != 0 ? 1 : MAX_TRIES;
    int errnum = 0;

    for (uint64_t cid = first; cid < first + tries; cid++) {
        if (ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid) == 0)
            return cid;
        errnum = errno;
        if (errnum != EADDRINUSE)
            break;
    }
    if (errnum == EADDRINUSE && wanted != 0)
        kiln_error_set(error, KILN_ERROR_EXISTS,
                       "vhost-vsock: another guest has the CID %" G_GUINT64_FORMAT,
                       (guint64)wanted);
    else
        kiln_error_set_errno(error, errnum, "vhost-vsock: cannot set the guest's CID");
    return 0;
}

static gboolean
open_vhost(Vsock *vsock, const KilnVirtioVsockKernelOptions *options, GError **error)
{
    KilnVhostKernelOptions kernel = {
        .name = "vhost-vsock",
        .n_queues = N_VHOST_QUEUES,
        .enable = vsock_enable,
        .failed = vsock_failed,
        .opaque = vsock,
    };
    uint64_t features = 0;
    uint64_t cid;

    vsock->vhost = kiln_vhost_kernel_new(options->vhost, &kernel, error);
    if (vsock->vhost == NULL || !vsock->vhost->ops->features(vsock->vhost, &features, error))
        return FALSE;
    cid = choose_cid(kiln_vhost_kernel_fd(vsock->vhost), options->cid, error);
    if (cid == 0)
        return FALSE;
    kiln_le64_store(vsock->virtio.config, cid);
    kiln_virtio_device_add_features(&vsock->virtio, features & 1ull << VIRTIO_VSOCK_F_SEQPACKET);
    kiln_virtio_device_remove_features(&vsock->virtio, ~features);
    return TRUE;
}

KilnVirtioDevice *
kiln_virtio_vsock_kernel_new(const KilnVirtioVsockKernelOptions *options, GError **error)
{
    Vsock *vsock = g_new0(Vsock, 1);
    KilnVirtioOptions virtio = options->virtio;

    virtio.context = NULL;
    virtio.n_queues = KILN_VSOCK_N_QUEUES;
    virtio.queue_size = virtio.queue_size != 0 ? virtio.queue_size : QUEUE_SIZE;
    virtio.features = 0;
    virtio.config_size = sizeof(struct virtio_vsock_config);
    kiln_virtio_device_init(&vsock->virtio, &vsock_ops, &virtio);
    if (!open_vhost(vsock, options, error)) {
        vsock_free(&vsock->virtio);
        return NULL;
    }
    return &vsock->virtio;
}

uint64_t
kiln_virtio_vsock_cid(const KilnVirtioDevice *device)
{
    return kiln_le64_load(device->config);
}
