/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Saved state of the GPU device: resources, one behind the other in a buffer, and what heads show.
 *
 *   resource: id, format, width, height, number of entries (u32 each)
 *             entries: address (u64), length (u32)     pixels: u32 each
 *
 * all little-endian.  A stream may come from anybody: it is read with the checks that the driver's
 * own commands get.  What the cursor looks like is not saved: the driver sets it with its next
 * move.
 */
#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "device/virtio-gpu-private.h"

enum {
    HEAD_BYTES = 20,
    ENTRY_BYTES = 12,
};

/* ---- saving ------------------------------------------------------------------------------------
 */

static void
add32(GByteArray *to, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    g_byte_array_append(to, (const guint8 *)&value, sizeof value);
}

static void
save_resource(const GpuResource *resource, GByteArray *to)
{
    add32(to, resource->id);
    add32(to, resource->format);
    add32(to, resource->width);
    add32(to, resource->height);
    add32(to, resource->n_entries);
    for (uint32_t i = 0; i < resource->n_entries; i++) {
        add32(to, (uint32_t)resource->entries[i].gpa);
        add32(to, (uint32_t)(resource->entries[i].gpa >> 32));
        add32(to, resource->entries[i].length);
    }
    for (size_t i = 0; i < (size_t)resource->width * resource->height; i++)
        add32(to, resource->pixels[i]);
}

static gint
by_id(gconstpointer one, gconstpointer other)
{
    uint32_t a = ((const GpuResource *)one)->id, b = ((const GpuResource *)other)->id;

    return a < b ? -1 : a > b;
}

static void
pre_save(void *object)
{
    Gpu *gpu = object;
    GByteArray *bytes = g_byte_array_new();
    GList *sorted;

    kiln_gpu_forget(gpu);
    sorted = g_list_sort(g_hash_table_get_values(gpu->resources), by_id);
    for (const GList *i = sorted; i != NULL; i = i->next)
        save_resource(i->data, bytes);
    g_list_free(sorted);
    g_free(gpu->saved);
    gpu->n_saved = bytes->len;
    gpu->saved = g_byte_array_free(bytes, FALSE);
}

/* ---- loading -----------------------------------------------------------------------------------
 */

typedef struct {
    const uint8_t *at;
    size_t left;
} Cursor;

/* Returns: (nullable): the next @length bytes. */
static const uint8_t *
take(Cursor *cursor, size_t length)
{
    const uint8_t *bytes = cursor->at;

    if (length > cursor->left)
        return NULL;
    cursor->at += length;
    cursor->left -= length;
    return bytes;
}

static gboolean
load_entries(Gpu *gpu, GpuResource *resource, uint32_t n, Cursor *cursor)
{
    if (n > GPU_MAX_ENTRIES || gpu->max_memory - gpu->used_memory < n * sizeof(GpuEntry))
        return FALSE;
    if (n == 0)
        return TRUE;
    gpu->used_memory += n * sizeof(GpuEntry);
    resource->entries = g_new0(GpuEntry, n);
    resource->n_entries = n;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *bytes = take(cursor, ENTRY_BYTES);
        GpuEntry *entry = &resource->entries[i];

        if (bytes == NULL)
            return FALSE;
        entry->gpa = kiln_le64_load(bytes);
        entry->length = kiln_le32_load(bytes + 8);
        if (entry->length != 0)
            entry->host = kiln_memory_map(gpu->device.memory, entry->gpa, entry->length);
        if (entry->host == NULL)
            return FALSE;
    }
    return TRUE;
}

static gboolean
load_resource(Gpu *gpu, Cursor *cursor)
{
    const uint8_t *head = take(cursor, HEAD_BYTES);
    GpuResource *resource;
    size_t n;
    const uint8_t *pixels;

    if (head == NULL || kiln_gpu_create(gpu, kiln_le32_load(head), kiln_le32_load(head + 4),
                                        kiln_le32_load(head + 8),
                                        kiln_le32_load(head + 12)) != VIRTIO_GPU_RESP_OK_NODATA)
        return FALSE;
    resource = kiln_gpu_find(gpu, kiln_le32_load(head));
    n = (size_t)resource->width * resource->height;
    if (!load_entries(gpu, resource, kiln_le32_load(head + 16), cursor))
        return FALSE;
    pixels = take(cursor, n * sizeof(uint32_t));
    for (size_t i = 0; pixels != NULL && i < n; i++)
        resource->pixels[i] = kiln_le32_load(pixels + i * sizeof(uint32_t));
    return pixels != NULL;
}

static gboolean
check_heads(Gpu *gpu)
{
    for (guint i = 0; i < KILN_VIRTIO_GPU_MAX_HEADS; i++) {
        const GpuHead *head = &gpu->heads[i];
        const GpuResource *resource = kiln_gpu_find(gpu, head->resource);

        if (head->resource == 0)
            continue;
        if (i >= gpu->n_heads || resource == NULL || head->rect.width == 0 ||
            head->rect.height == 0 || !kiln_gpu_inside(resource, &head->rect))
            return FALSE;
    }
    return TRUE;
}

static gboolean
post_load(void *object, GError **error)
{
    Gpu *gpu = object;
    Cursor cursor = { gpu->saved, gpu->n_saved };

    for (guint i = 0; i < gpu->n_heads; i++) { /* before what they show is freed */
        uint32_t shown = gpu->heads[i].resource;

        gpu->heads[i].resource = 0;
        kiln_gpu_show(gpu, &gpu->heads[i]);
        gpu->heads[i].resource = shown;
    }
    g_hash_table_remove_all(gpu->resources);
    gpu->used_memory = 0;
    g_atomic_int_set(&gpu->stale, FALSE);
    while (cursor.left > 0) {
        if (!load_resource(gpu, &cursor))
            return kiln_error_set(error, KILN_ERROR_INVALID, "its resources make no sense");
    }
    g_clear_pointer(&gpu->saved, g_free);
    gpu->n_saved = 0;
    if (!check_heads(gpu)) {
        for (guint i = 0; i < KILN_VIRTIO_GPU_MAX_HEADS; i++)
            gpu->heads[i].resource = 0;
        return kiln_error_set(error, KILN_ERROR_INVALID, "a head shows what is not there");
    }
    for (guint i = 0; i < gpu->n_heads; i++)
        kiln_gpu_show(gpu, &gpu->heads[i]);
    return TRUE;
}

static const KilnStateField head_fields[] = {
    KILN_STATE(GpuHead, resource, 1),    KILN_STATE(GpuHead, rect.x, 1),
    KILN_STATE(GpuHead, rect.y, 1),      KILN_STATE(GpuHead, rect.width, 1),
    KILN_STATE(GpuHead, rect.height, 1), KILN_STATE_END,
};

static const KilnStateDescription head_state = {
    .name = "virtio-gpu-head", .version = 1, .min_version = 1, .fields = head_fields
};

static const KilnStateField fields[] = {
    KILN_STATE(Gpu, events, 1),
    KILN_STATE_BUFFER(Gpu, saved, n_saved, 1, GPU_MAX_SAVED),
    KILN_STATE_STRUCT_ARRAY(Gpu, heads, 1, &head_state),
    KILN_STATE_END,
};

const KilnStateDescription kiln_gpu_state = { .name = "virtio-gpu",
                                              .version = 1,
                                              .min_version = 1,
                                              .fields = fields,
                                              .pre_save = pre_save,
                                              .post_load = post_load };
