/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fields.h.  take from the cursor -> range and check -> store. */
#include "state/fields.h"

#include <string.h>

#include "base/error.h"

/* Error: the stream ended inside the field. */
static gboolean
cut_short(size_t left, GError **error)
{
    return kiln_error_set(error, KILN_ERROR_INVALID, "only %zu bytes of the section are left",
                          left);
}

static uint64_t
sign_extend(uint64_t value, size_t size)
{
    guint unused_bits = 64 - 8 * (guint)size;

    return (uint64_t)((int64_t)(value << unused_bits) >> unused_bits);
}

static gboolean
in_range(const KilnStateField *field, uint64_t value, GError **error)
{
    if (field->kind == KILN_STATE_KIND_SIGNED) {
        int64_t number = (int64_t)value;

        if (number < (int64_t)field->min)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "%" G_GINT64_FORMAT " is below %" G_GINT64_FORMAT, (gint64)number,
                                  (gint64)field->min);
        if (number > (int64_t)field->max)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "%" G_GINT64_FORMAT " is above %" G_GINT64_FORMAT, (gint64)number,
                                  (gint64)field->max);
        return TRUE;
    }
    if (value < field->min)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%" G_GUINT64_FORMAT " is below %" G_GUINT64_FORMAT, value,
                              field->min);
    if (value > field->max)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%" G_GUINT64_FORMAT " is above %" G_GUINT64_FORMAT, value,
                              field->max);
    return TRUE;
}

/* Integers and flags, one or an array. */
static gboolean
read_numbers(KilnStateCursor *cursor, const KilnStateField *field, uint8_t *object, GError **error)
{
    size_t size = field->kind == KILN_STATE_KIND_FLAG ? 1 : field->size;

    for (size_t i = 0; i < field->count; i++) {
        uint64_t value;

        if (!kiln_state_take_number(cursor, size, &value))
            return cut_short(cursor->left, error);
        if (field->kind == KILN_STATE_KIND_FLAG && value > 1)
            return kiln_error_set(error, KILN_ERROR_INVALID, "%" G_GUINT64_FORMAT " is no flag",
                                  value);
        if (field->kind == KILN_STATE_KIND_SIGNED)
            value = sign_extend(value, size);
        if ((field->ranged && !in_range(field, value, error)) ||
            (field->check != NULL && !field->check(value, error)))
            return FALSE;
        if (object != NULL) /* host and value are little-endian: the low bytes come first */
            memcpy(object + field->offset + i * field->size, &value, field->size);
    }
    return TRUE;
}

static gboolean
read_bytes(KilnStateCursor *cursor, const KilnStateField *field, uint8_t *object, GError **error)
{
    const uint8_t *bytes;

    if (!kiln_state_take(cursor, field->count, &bytes))
        return cut_short(cursor->left, error);
    if (object != NULL)
        memcpy(object + field->offset, bytes, field->count);
    return TRUE;
}

static void
store_buffer(const KilnStateField *field, uint8_t *object, const uint8_t *bytes, uint32_t length)
{
    uint8_t *buffer = length > 0 ? g_memdup2(bytes, length) : NULL;
    uint64_t count = length;
    uint8_t *old;

    memcpy(&old, object + field->offset, sizeof old);
    g_free(old);
    memcpy(object + field->offset, &buffer, sizeof buffer);
    memcpy(object + field->count_offset, &count, field->size);
}

static gboolean
read_buffer(KilnStateCursor *cursor, const KilnStateField *field, uint8_t *object, GError **error)
{
    const uint8_t *bytes;
    uint32_t length;

    if (!kiln_state_take_u32(cursor, &length))
        return cut_short(cursor->left, error);
    if (length > field->max)
        return kiln_error_set(error, KILN_ERROR_INVALID, "%u bytes are above %" G_GUINT64_FORMAT,
                              length, field->max);
    if (!kiln_state_take(cursor, length, &bytes))
        return cut_short(cursor->left, error);
    if (object != NULL)
        store_buffer(field, object, bytes, length);
    return TRUE;
}

static gboolean
read_structs(KilnStateCursor *cursor, const KilnStateField *field, uint8_t *object, GError **error)
{
    for (size_t i = 0; i < field->count; i++) {
        uint8_t *element = object != NULL ? object + field->offset + i * field->size : NULL;
        uint32_t version;

        if (element != NULL && field->kind == KILN_STATE_KIND_POINTER) {
            void *part;

            memcpy(&part, element, sizeof part);
            element = part;
        }
        if (!kiln_state_take_u32(cursor, &version))
            return cut_short(cursor->left, error);
        if (!kiln_state_fields_read(cursor, field->nested, version, element, error)) {
            if (field->count > 1)
                g_prefix_error(error, "element %zu: ", i);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
read_field(KilnStateCursor *cursor, const KilnStateField *field, uint8_t *object, GError **error)
{
    switch (field->kind) {
    case KILN_STATE_KIND_UNSIGNED:
    case KILN_STATE_KIND_SIGNED:
    case KILN_STATE_KIND_FLAG: return read_numbers(cursor, field, object, error);
    case KILN_STATE_KIND_BYTES: return read_bytes(cursor, field, object, error);
    case KILN_STATE_KIND_STRUCT:
    case KILN_STATE_KIND_POINTER: return read_structs(cursor, field, object, error);
    case KILN_STATE_KIND_BUFFER: return read_buffer(cursor, field, object, error);
    case KILN_STATE_KIND_END: break;
    }
    return TRUE;
}

gboolean
kiln_state_fields_read(KilnStateCursor *cursor, const KilnStateDescription *description,
                       uint32_t version, void *object, GError **error)
{
    if (version < description->min_version)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "version %u is too old, the oldest that can be read is %u", version,
                              description->min_version);
    if (version > description->version)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "version %u is too new, this kiln reads up to %u", version,
                              description->version);
    for (const KilnStateField *field = description->fields; field->kind != KILN_STATE_KIND_END;
         field++) {
        if (field->since <= version && !read_field(cursor, field, object, error)) {
            g_prefix_error(error, "field '%s': ", field->name);
            return FALSE;
        }
    }
    return object == NULL || description->post_load == NULL ||
           description->post_load(object, error);
}
