/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See writer.h; the format is in format.h.  new -> add … -> finish. */
#include "state/writer.h"

#include <string.h>

#include "base/le.h"
#include "state/format.h"

struct KilnStateWriter {
    GByteArray *stream; /* (owned) */
    GHashTable *seen;   /* (owned): "name instance" of each section, to find our own mistakes */
};

static void
put_u8(GByteArray *stream, uint8_t value)
{
    g_byte_array_append(stream, &value, 1);
}

static void
put_u32(GByteArray *stream, uint32_t value)
{
    uint8_t bytes[4];

    kiln_le32_store(bytes, value);
    g_byte_array_append(stream, bytes, sizeof bytes);
}

/* Host and stream are both little-endian; the copy of the low bytes is the value. */
static uint64_t
load_unsigned(const uint8_t *from, size_t size)
{
    uint8_t bytes[8] = { 0 };

    g_assert(size <= sizeof bytes);
    memcpy(bytes, from, size);
    return kiln_le64_load(bytes);
}

static void
put_buffer(GByteArray *stream, const KilnStateField *field, const uint8_t *object)
{
    uint64_t length = load_unsigned(object + field->count_offset, field->size);
    const uint8_t *data;

    memcpy(&data, object + field->offset, sizeof data);
    g_assert(length <= field->max && length <= UINT32_MAX);
    put_u32(stream, (uint32_t)length);
    if (length > 0)
        g_byte_array_append(stream, data, (guint)length);
}

static void put_fields(GByteArray *stream, const KilnStateDescription *description, void *object);

static void
put_field(GByteArray *stream, const KilnStateField *field, uint8_t *object)
{
    uint8_t *member = object + field->offset;

    switch (field->kind) {
    case KILN_STATE_KIND_UNSIGNED:
    case KILN_STATE_KIND_SIGNED:
    case KILN_STATE_KIND_BYTES:
        g_byte_array_append(stream, member, (guint)(field->size * field->count));
        break;
    case KILN_STATE_KIND_FLAG:
        for (size_t i = 0; i < field->count; i++)
            put_u8(stream, load_unsigned(member + i * field->size, field->size) != 0);
        break;
    case KILN_STATE_KIND_STRUCT:
        for (size_t i = 0; i < field->count; i++) {
            put_u32(stream, field->nested->version);
            put_fields(stream, field->nested, member + i * field->size);
        }
        break;
    case KILN_STATE_KIND_POINTER: {
        void *pointer;

        memcpy(&pointer, member, sizeof pointer);
        put_u32(stream, field->nested->version);
        put_fields(stream, field->nested, pointer);
        break;
    }
    case KILN_STATE_KIND_BUFFER: put_buffer(stream, field, object); break;
    case KILN_STATE_KIND_END: break;
    }
}

static void
put_fields(GByteArray *stream, const KilnStateDescription *description, void *object)
{
    if (description->pre_save != NULL)
        description->pre_save(object);
    for (const KilnStateField *field = description->fields; field->kind != KILN_STATE_KIND_END;
         field++) {
        g_assert(field->since >= 1 && field->since <= description->version);
        put_field(stream, field, object);
    }
}

KilnStateWriter *
kiln_state_writer_new(void)
{
    KilnStateWriter *writer = g_new0(KilnStateWriter, 1);

    writer->stream = g_byte_array_new();
    writer->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_byte_array_append(writer->stream, (const uint8_t *)KILN_STATE_MAGIC, KILN_STATE_MAGIC_LENGTH);
    put_u32(writer->stream, KILN_STATE_FORMAT_VERSION);
    return writer;
}

void
kiln_state_writer_free(KilnStateWriter *writer)
{
    if (writer == NULL)
        return;
    if (writer->stream != NULL)
        g_byte_array_unref(writer->stream);
    g_hash_table_unref(writer->seen);
    g_free(writer);
}

void
kiln_state_writer_add(KilnStateWriter *writer, const KilnStateDescription *description,
                      uint32_t instance, void *object)
{
    GByteArray *stream = writer->stream;
    size_t name_length = strlen(description->name);
    guint length_at;

    g_assert(kiln_state_name_is_valid(description->name, name_length));
    g_assert(description->min_version >= 1 && description->min_version <= description->version);
    if (!g_hash_table_add(writer->seen, g_strdup_printf("%s %u", description->name, instance)))
        g_error("state of '%s' instance %u is saved twice", description->name, instance);

    put_u8(stream, KILN_STATE_MARK_SECTION);
    put_u8(stream, (uint8_t)name_length);
    g_byte_array_append(stream, (const uint8_t *)description->name, (guint)name_length);
    put_u32(stream, instance);
    put_u32(stream, description->version);
    length_at = stream->len;
    put_u32(stream, 0);
    put_fields(stream, description, object);
    kiln_le32_store(stream->data + length_at, stream->len - length_at - 4);
}

GByteArray *
kiln_state_writer_finish(KilnStateWriter *writer)
{
    GByteArray *stream = g_steal_pointer(&writer->stream);

    put_u8(stream, KILN_STATE_MARK_END);
    put_u32(stream, kiln_state_checksum(stream->data, stream->len));
    kiln_state_writer_free(writer);
    return stream;
}
