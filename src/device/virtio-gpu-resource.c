/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resources: pixels of the host, pages of the guest, and the way from these to those. */
#include <string.h>

#include "base/intmath.h"
#include "base/le.h"
#include "device/virtio-gpu-private.h"

enum { BYTES_A_PIXEL = 4 };

GpuResource *
kiln_gpu_find(Gpu *gpu, uint32_t id)
{
    return g_hash_table_lookup(gpu->resources, GUINT_TO_POINTER(id));
}

void
kiln_gpu_resource_free(gpointer data)
{
    GpuResource *resource = data;

    g_free(resource->pixels);
    g_free(resource->entries);
    g_free(resource);
}

gboolean
kiln_gpu_inside(const GpuResource *resource, const struct virtio_gpu_rect *rect)
{
    return kiln_range_inside(rect->x, rect->width, resource->width) &&
           kiln_range_inside(rect->y, rect->height, resource->height);
}

/* Takes @bytes of what the driver may use. */
static gboolean
charge(Gpu *gpu, uint64_t bytes)
{
    if (bytes > gpu->max_memory - gpu->used_memory)
        return FALSE;
    gpu->used_memory += bytes;
    return TRUE;
}

static uint64_t
cost(const GpuResource *resource)
{
    return (uint64_t)resource->width * resource->height * BYTES_A_PIXEL + GPU_RESOURCE_COST;
}

/* Which byte of a pixel in guest memory is blue, green, red, alpha. */
static gboolean
format_known(uint32_t format)
{
    switch (format) {
    case VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM:
    case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
    case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
    case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
    case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
    case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM:
    case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
    case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM: return TRUE;
    default: return FALSE;
    }
}

/* From the order of bytes in memory, which the format's name has, to 0xaarrggbb. */
static void
convert(uint32_t format, uint32_t *pixels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t value = GUINT32_FROM_LE(pixels[i]);

        switch (format) {
        case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
        case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM: value = GUINT32_SWAP_LE_BE(value); break;
        case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
        case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM: value = value >> 8 | value << 24; break;
        case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
        case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
            value = (value & 0xff00ff00) | (value >> 16 & 0xff) | (value & 0xff) << 16;
            break;
        default: break;
        }
        pixels[i] = value;
    }
}

uint32_t
kiln_gpu_create(Gpu *gpu, uint32_t id, uint32_t format, uint32_t width, uint32_t height)
{
    GpuResource made = { .id = id, .format = format, .width = width, .height = height };

    if (id == 0 || kiln_gpu_find(gpu, id) != NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!format_known(format) || width == 0 || height == 0 || width > KILN_SURFACE_MAX_SIDE ||
        height > KILN_SURFACE_MAX_SIDE)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (!charge(gpu, cost(&made)))
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    made.pixels = g_try_malloc0((size_t)width * height * BYTES_A_PIXEL);
    if (made.pixels == NULL) {
        gpu->used_memory -= cost(&made);
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    g_hash_table_insert(gpu->resources, GUINT_TO_POINTER(id), g_memdup2(&made, sizeof made));
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static void
drop_backing(Gpu *gpu, GpuResource *resource)
{
    gpu->used_memory -= resource->n_entries * sizeof *resource->entries;
    g_clear_pointer(&resource->entries, g_free);
    resource->n_entries = 0;
}

uint32_t
kiln_gpu_unref(Gpu *gpu, uint32_t id)
{
    GpuResource *resource = kiln_gpu_find(gpu, id);

    if (resource == NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    kiln_gpu_hide(gpu, id);
    drop_backing(gpu, resource);
    gpu->used_memory -= cost(resource);
    g_hash_table_remove(gpu->resources, GUINT_TO_POINTER(id));
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- backings ----------------------------------------------------------------------------------
 */

static gboolean
read_entry(const Gpu *gpu, const uint8_t *bytes, GpuEntry *entry)
{
    entry->gpa = kiln_le64_load(bytes);
    entry->length = kiln_le32_load(bytes + 8);
    if (entry->length == 0)
        return FALSE;
    entry->host = kiln_memory_map(gpu->device.memory, entry->gpa, entry->length);
    return entry->host != NULL;
}

uint32_t
kiln_gpu_attach(Gpu *gpu, uint32_t id, const KilnVirtqElement *element, size_t offset, uint32_t n,
                uint64_t *copied)
{
    const size_t size = sizeof(struct virtio_gpu_mem_entry);
    GpuResource *resource = kiln_gpu_find(gpu, id);
    g_autofree GpuEntry *entries = NULL;
    g_autofree uint8_t *bytes = NULL;

    if (resource == NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->entries != NULL || n == 0 || n > GPU_MAX_ENTRIES)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    /* at once: each copy walks the chain from its begin */
    bytes = g_malloc(n * size);
    if (kiln_virtqueue_copy_out(element, offset, bytes, n * size) != n * size)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (!charge(gpu, n * sizeof *entries))
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    *copied = n * (uint64_t)GPU_ENTRY_COST;
    entries = g_new(GpuEntry, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!read_entry(gpu, bytes + i * size, &entries[i])) {
            gpu->used_memory -= n * sizeof *entries;
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        }
    }
    resource->entries = g_steal_pointer(&entries);
    resource->n_entries = n;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t
kiln_gpu_detach(Gpu *gpu, uint32_t id)
{
    GpuResource *resource = kiln_gpu_find(gpu, id);

    if (resource == NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->entries == NULL)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    drop_backing(gpu, resource);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- transfers ---------------------------------------------------------------------------------
 */

/* A place in a backing, which only moves on. */
typedef struct {
    const GpuResource *resource;
    uint32_t entry;
    uint64_t before; /* bytes of the entries before that */
} Place;

/* Copies @length bytes from @offset, which is not before an earlier one.  FALSE: it ends there. */
static gboolean
copy(Place *place, uint64_t offset, uint8_t *to, size_t length)
{
    while (length > 0) {
        const GpuEntry *entry;
        uint64_t inside;
        size_t piece;

        if (place->entry == place->resource->n_entries)
            return FALSE;
        entry = &place->resource->entries[place->entry];
        inside = offset - place->before;
        if (inside >= entry->length) {
            place->before += entry->length;
            place->entry++;
            continue;
        }
        piece = MIN(length, entry->length - inside);
        memcpy(to, entry->host + inside, piece);
        to += piece;
        offset += piece;
        length -= piece;
    }
    return TRUE;
}

/* Line n of the rectangle is at @offset + n lines of the resource (§5.7.6.8). */
uint32_t
kiln_gpu_transfer(Gpu *gpu, uint32_t id, const struct virtio_gpu_rect *rect, uint64_t offset,
                  uint64_t *copied)
{
    GpuResource *resource = kiln_gpu_find(gpu, id);
    uint64_t stride, end;
    Place place = { .resource = resource };

    *copied = 0;
    if (resource == NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    stride = (uint64_t)resource->width * BYTES_A_PIXEL;
    if (!kiln_gpu_inside(resource, rect) || !kiln_add_u64(offset, stride * rect->height, &end))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (resource->entries == NULL)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    for (uint32_t line = 0; line < rect->height; line++) {
        uint32_t *to = resource->pixels + (size_t)(rect->y + line) * resource->width + rect->x;

        if (!copy(&place, offset + line * stride, (uint8_t *)to,
                  (size_t)rect->width * BYTES_A_PIXEL))
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        convert(resource->format, to, rect->width);
        *copied += (uint64_t)rect->width * BYTES_A_PIXEL;
    }
    return VIRTIO_GPU_RESP_OK_NODATA;
}
