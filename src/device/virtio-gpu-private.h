/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the GPU device share. */
#ifndef KILN_DEVICE_VIRTIO_GPU_PRIVATE_H
#define KILN_DEVICE_VIRTIO_GPU_PRIVATE_H

#include <linux/virtio_gpu.h>

#include "base/log.h"
#include "device/virtio-gpu.h"

enum {
    GPU_QUEUE_CONTROL, /* §5.7.2 */
    GPU_QUEUE_CURSOR,
    GPU_N_QUEUES,
    GPU_QUEUE_SIZE = 256,
    GPU_MAX_ENTRIES = 16384,  /* of a backing */
    GPU_ENTRY_COST = 256,     /* bytes of pixels that are copied as fast as one is looked up */
    GPU_RESOURCE_COST = 4096, /* bytes that one costs besides its pixels */
    GPU_CURSOR_SIDE = 64,     /* §5.7.6.10: cursors are 64x64 */
    GPU_MAX_SAVED = 1 << 30,  /* bytes */
};

/* A piece of guest memory. */
typedef struct {
    KilnGpa gpa;
    uint8_t *host;
    uint32_t length;
} GpuEntry;

typedef struct {
    uint32_t id;
    uint32_t format;
    uint32_t width, height; /* pixels, 1 to KILN_SURFACE_MAX_SIDE */
    uint32_t *pixels;       /* (owned): ARGB8888 of the host */
    GpuEntry *entries;      /* (owned) (nullable): the backing */
    uint32_t n_entries;
} GpuResource;

typedef struct Gpu Gpu;

typedef struct {
    Gpu *gpu;
    KilnSurface *surface; /* (owned) */
    KilnEdidOptions prefers;
    gboolean on; /* as the viewer has it */

    /* Saved. */
    uint32_t resource;           /* id; 0: nothing is shown */
    struct virtio_gpu_rect rect; /* of the resource; host's order */
} GpuHead;

struct Gpu {
    KilnVirtioDevice device;
    GpuHead heads[KILN_VIRTIO_GPU_MAX_HEADS];
    guint n_heads;
    uint64_t max_memory; /* bytes */
    KilnRatelimit log_limit;
    struct iovec *iov;     /* (owned) */
    GHashTable *resources; /* (owned): id -> GpuResource */
    uint64_t used_memory;  /* bytes that they cost */
    gint stale;            /* (atomic): a reset came; resources are freed when it is the main
                            * thread's turn */
    uint32_t events;       /* (lock) events_read */
    uint8_t *saved;        /* (owned) (nullable): resources on their way to and from a stream */
    uint32_t n_saved;
};

/* ---- virtio-gpu-resource.c ---- */

/* The driver's commands of these names; each returns a VIRTIO_GPU_RESP_… */
uint32_t kiln_gpu_create(Gpu *gpu, uint32_t id, uint32_t format, uint32_t width, uint32_t height);
uint32_t kiln_gpu_unref(Gpu *gpu, uint32_t id);
/* @n: entries, of which @element has as many as it has from @offset on. */
/* @copied: (out): what it cost, as bytes of pixels; untouched if nothing */
uint32_t kiln_gpu_attach(Gpu *gpu, uint32_t id, const KilnVirtqElement *element, size_t offset,
                         uint32_t n, uint64_t *copied);
uint32_t kiln_gpu_detach(Gpu *gpu, uint32_t id);
/* @copied: (out): bytes of pixels. */
uint32_t kiln_gpu_transfer(Gpu *gpu, uint32_t id, const struct virtio_gpu_rect *rect,
                           uint64_t offset, uint64_t *copied);

/* Returns: (nullable). */
GpuResource *kiln_gpu_find(Gpu *gpu, uint32_t id);
/* Whether all of @rect is there. */
gboolean kiln_gpu_inside(const GpuResource *resource, const struct virtio_gpu_rect *rect);
void kiln_gpu_resource_free(gpointer resource);

/* ---- virtio-gpu-heads.c ---- */

/* The driver's commands of these names; each returns a VIRTIO_GPU_RESP_… */
uint32_t kiln_gpu_set_scanout(Gpu *gpu, uint32_t head, uint32_t id,
                              const struct virtio_gpu_rect *rect);
uint32_t kiln_gpu_flush(Gpu *gpu, uint32_t id, const struct virtio_gpu_rect *rect);
/* A command of the cursor's queue. */
void kiln_gpu_cursor(Gpu *gpu, const KilnVirtqElement *element);
/* Nothing shows @id any more. */
void kiln_gpu_hide(Gpu *gpu, uint32_t id);
/* Shows what the head's members say. */
void kiln_gpu_show(Gpu *gpu, GpuHead *head);
/* After a reset: no resource is left.  Main thread. */
void kiln_gpu_forget(Gpu *gpu);

/* ---- virtio-gpu-state.c ---- */

extern const KilnStateDescription kiln_gpu_state;

#endif
