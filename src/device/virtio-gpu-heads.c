/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads: what of which resource they show, and their cursors. */
#include <string.h>

#include "base/le.h"
#include "device/virtio-gpu-private.h"

void
kiln_gpu_show(Gpu *gpu, GpuHead *head)
{
    const GpuResource *resource = head->resource != 0 ? kiln_gpu_find(gpu, head->resource) : NULL;
    KilnSurfaceImage image = kiln_surface_image(head->surface);

    if (resource == NULL) {
        image.pixels = NULL;
        image.stride = image.width * sizeof(uint32_t);
    } else {
        image = (KilnSurfaceImage){
            .pixels = resource->pixels + (size_t)head->rect.y * resource->width + head->rect.x,
            .width = head->rect.width,
            .height = head->rect.height,
            .stride = resource->width * sizeof(uint32_t),
        };
    }
    kiln_surface_show(head->surface, &image);
}

uint32_t
kiln_gpu_set_scanout(Gpu *gpu, uint32_t number, uint32_t id, const struct virtio_gpu_rect *rect)
{
    GpuHead *head;
    const GpuResource *resource = kiln_gpu_find(gpu, id);

    if (number >= gpu->n_heads)
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    head = &gpu->heads[number];
    if (id == 0) {
        head->resource = 0;
        kiln_gpu_show(gpu, head);
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    if (resource == NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (rect->width == 0 || rect->height == 0 || !kiln_gpu_inside(resource, rect))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    head->resource = id;
    head->rect = *rect;
    kiln_gpu_show(gpu, head);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* The part of @rect, of a resource, that @head shows. */
static void
flush_head(const GpuHead *head, const struct virtio_gpu_rect *rect)
{
    const struct virtio_gpu_rect *shown = &head->rect;
    uint32_t left = MAX(rect->x, shown->x), top = MAX(rect->y, shown->y);
    uint32_t right = MIN(rect->x + rect->width, shown->x + shown->width);
    uint32_t bottom = MIN(rect->y + rect->height, shown->y + shown->height);

    if (left < right && top < bottom)
        kiln_surface_update(head->surface, left - shown->x, top - shown->y, right - left,
                            bottom - top);
}

uint32_t
kiln_gpu_flush(Gpu *gpu, uint32_t id, const struct virtio_gpu_rect *rect)
{
    const GpuResource *resource = kiln_gpu_find(gpu, id);

    if (resource == NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!kiln_gpu_inside(resource, rect))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    for (guint i = 0; i < gpu->n_heads; i++) {
        if (gpu->heads[i].resource == id)
            flush_head(&gpu->heads[i], rect);
    }
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void
kiln_gpu_hide(Gpu *gpu, uint32_t id)
{
    for (guint i = 0; i < gpu->n_heads; i++) {
        if (gpu->heads[i].resource != id)
            continue;
        gpu->heads[i].resource = 0;
        kiln_gpu_show(gpu, &gpu->heads[i]);
    }
}

void
kiln_gpu_forget(Gpu *gpu)
{
    if (!g_atomic_int_compare_and_exchange(&gpu->stale, TRUE, FALSE))
        return;
    for (guint i = 0; i < gpu->n_heads; i++) {
        gpu->heads[i].resource = 0;
        kiln_gpu_show(gpu, &gpu->heads[i]);
        kiln_surface_set_cursor(gpu->heads[i].surface, NULL);
    }
    g_hash_table_remove_all(gpu->resources);
    gpu->used_memory = 0;
}

/* ---- the cursor --------------------------------------------------------------------------------
 */

static void
set_shape(Gpu *gpu, KilnSurface *surface, uint32_t id, uint32_t hot_x, uint32_t hot_y)
{
    const GpuResource *resource = kiln_gpu_find(gpu, id);
    KilnSurfaceCursor cursor = {
        .width = GPU_CURSOR_SIDE,
        .height = GPU_CURSOR_SIDE,
        .hot_x = MIN(hot_x, GPU_CURSOR_SIDE - 1),
        .hot_y = MIN(hot_y, GPU_CURSOR_SIDE - 1),
    };

    if (resource == NULL || resource->width != GPU_CURSOR_SIDE ||
        resource->height != GPU_CURSOR_SIDE)
        return;
    cursor.pixels = resource->pixels;
    kiln_surface_set_cursor(surface, &cursor);
}

void
kiln_gpu_cursor(Gpu *gpu, const KilnVirtqElement *element)
{
    uint8_t bytes[sizeof(struct virtio_gpu_update_cursor)];
    const uint8_t *at = bytes + offsetof(struct virtio_gpu_update_cursor, pos);
    uint32_t type, head, id;

    if (kiln_virtqueue_copy_out(element, 0, bytes, sizeof bytes) != sizeof bytes)
        return;
    type = kiln_le32_load(bytes);
    head = kiln_le32_load(at);
    id = kiln_le32_load(bytes + offsetof(struct virtio_gpu_update_cursor, resource_id));
    if (head >= gpu->n_heads)
        return;
    if (type == VIRTIO_GPU_CMD_UPDATE_CURSOR && id != 0)
        set_shape(gpu, gpu->heads[head].surface, id,
                  kiln_le32_load(bytes + offsetof(struct virtio_gpu_update_cursor, hot_x)),
                  kiln_le32_load(bytes + offsetof(struct virtio_gpu_update_cursor, hot_y)));
    if (type == VIRTIO_GPU_CMD_UPDATE_CURSOR || type == VIRTIO_GPU_CMD_MOVE_CURSOR)
        kiln_surface_move_cursor(gpu->heads[head].surface, (int)kiln_le32_load(at + 4),
                                 (int)kiln_le32_load(at + 8),
                                 type == VIRTIO_GPU_CMD_MOVE_CURSOR || id != 0);
}
