/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See kernel.h. */
#include "vhost/kernel.h"

#include "base/error.h"
#include "loop/event.h"

#include <errno.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>

typedef struct {
    KilnVhost vhost;
    KilnVhostKernelOptions options;
    KilnFd fd;
    KilnEvent err;   /* the kernel sets it when it finds a ring broken */
    GSource *source; /* (owned) (nullable) */
} Kernel;

static gboolean
ask(Kernel *kernel, unsigned long request, const char *name, void *argument, GError **error)
{
    if (ioctl(kernel->fd, request, argument) >= 0)
        return TRUE;
    return kiln_error_set_errno(error, errno, "%s: %s", kernel->options.name, name);
}

/* The request's name is in the message. */
#define ASK(kernel, request, argument, error) ask(kernel, request, #request, argument, error)

static gboolean
kernel_features(KilnVhost *vhost, uint64_t *features, GError **error)
{
    uint64_t offered = 0;

    if (!ASK((Kernel *)vhost, VHOST_GET_FEATURES, &offered, error))
        return FALSE;
    *features = offered & ~(1ull << VHOST_F_LOG_ALL);
    return TRUE;
}

static gboolean
kernel_set_features(KilnVhost *vhost, uint64_t features, GError **error)
{
    return ASK((Kernel *)vhost, VHOST_SET_FEATURES, &features, error);
}

static gboolean
kernel_set_memory(KilnVhost *vhost, const KilnVhostRegion *regions, unsigned n_regions,
                  GError **error)
{
    gsize size = sizeof(struct vhost_memory) + n_regions * sizeof(struct vhost_memory_region);
    g_autofree struct vhost_memory *table = g_malloc0(size);

    table->nregions = n_regions;
    for (unsigned i = 0; i < n_regions; i++)
        table->regions[i] = (struct vhost_memory_region){
            .guest_phys_addr = regions[i].gpa,
            .memory_size = regions[i].size,
            .userspace_addr = (uintptr_t)regions[i].host,
        };
    return ASK((Kernel *)vhost, VHOST_SET_MEM_TABLE, table, error);
}

static gboolean
kernel_set_ring(KilnVhost *vhost, unsigned queue, const KilnVhostRing *ring, uint32_t base,
                GError **error)
{
    Kernel *kernel = (Kernel *)vhost;
    struct vhost_vring_state size = { .index = queue, .num = ring->size };
    struct vhost_vring_state start = { .index = queue, .num = base };
    struct vhost_vring_file err = { .index = queue, .fd = kernel->err.fd };
    struct vhost_vring_addr places = {
        .index = queue,
        .desc_user_addr = (uintptr_t)ring->desc,
        .avail_user_addr = (uintptr_t)ring->avail,
        .used_user_addr = (uintptr_t)ring->used,
    };

    return ASK(kernel, VHOST_SET_VRING_NUM, &size, error) &&
           ASK(kernel, VHOST_SET_VRING_BASE, &start, error) &&
           ASK(kernel, VHOST_SET_VRING_ADDR, &places, error) &&
           ASK(kernel, VHOST_SET_VRING_ERR, &err, error);
}

static gboolean
kernel_set_kick(KilnVhost *vhost, unsigned queue, int kick_fd, GError **error)
{
    struct vhost_vring_file file = { .index = queue, .fd = kick_fd };

    return ASK((Kernel *)vhost, VHOST_SET_VRING_KICK, &file, error);
}

static gboolean
kernel_set_call(KilnVhost *vhost, unsigned queue, int call_fd, GError **error)
{
    struct vhost_vring_file file = { .index = queue, .fd = call_fd };

    return ASK((Kernel *)vhost, VHOST_SET_VRING_CALL, &file, error);
}

static gboolean
kernel_enable(KilnVhost *vhost, unsigned queue, gboolean enabled, GError **error)
{
    Kernel *kernel = (Kernel *)vhost;

    return kernel->options.enable(kernel->options.opaque, kernel->fd, queue, enabled, error);
}

/* The queue was disabled before, which is what stops it; the kick is taken away so that it can be
 * read here again. */
static gboolean
kernel_get_base(KilnVhost *vhost, unsigned queue, uint32_t *base, GError **error)
{
    struct vhost_vring_state state = { .index = queue };

    if (!ASK((Kernel *)vhost, VHOST_GET_VRING_BASE, &state, error))
        return FALSE;
    *base = state.num;
    return kernel_set_kick(vhost, queue, VHOST_FILE_UNBIND, error) &&
           kernel_set_call(vhost, queue, VHOST_FILE_UNBIND, error);
}

static void
kernel_free(KilnVhost *vhost)
{
    Kernel *kernel = (Kernel *)vhost;

    kiln_source_free(kernel->source);
    kiln_fd_clear(&kernel->fd);
    kiln_event_clear(&kernel->err);
    g_free(kernel);
}

static const KilnVhostOps kernel_ops = {
    .name = "vhost",
    .features = kernel_features,
    .set_features = kernel_set_features,
    .set_memory = kernel_set_memory,
    .set_ring = kernel_set_ring,
    .set_kick = kernel_set_kick,
    .set_call = kernel_set_call,
    .enable = kernel_enable,
    .get_base = kernel_get_base,
    .free = kernel_free,
};

static void
ring_broken(gpointer data)
{
    Kernel *kernel = data;

    if (kernel->options.failed != NULL)
        kernel->options.failed(kernel->options.opaque, "the kernel found a ring broken");
}

static gboolean
choose_backend_features(Kernel *kernel, GError **error)
{
    uint64_t offered = 0;

    if (kernel->options.backend_features == 0)
        return TRUE;
    if (ioctl(kernel->fd, VHOST_GET_BACKEND_FEATURES, &offered) < 0)
        return TRUE; /* an older kernel has none */
    offered &= kernel->options.backend_features;
    return ASK(kernel, VHOST_SET_BACKEND_FEATURES, &offered, error);
}

KilnVhost *
kiln_vhost_kernel_new(KilnFd fd, const KilnVhostKernelOptions *options, GError **error)
{
    Kernel *kernel = g_new0(Kernel, 1);
    g_autoptr(KilnVhost) made = &kernel->vhost;

    kiln_vhost_init(&kernel->vhost, &kernel_ops);
    kernel->options = *options;
    kernel->fd = fd;
    kernel->err = (KilnEvent)KILN_EVENT_NONE;
    if (!ASK(kernel, VHOST_SET_OWNER, NULL, error) || !choose_backend_features(kernel, error) ||
        !kiln_event_open(&kernel->err, error))
        return NULL;
    kernel->source = kiln_event_source_new(&kernel->err, options->context, ring_broken, kernel);
    return g_steal_pointer(&made);
}

int
kiln_vhost_kernel_fd(const KilnVhost *vhost)
{
    return ((const Kernel *)vhost)->fd;
}
