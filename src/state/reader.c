/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See reader.h.  open: frame -> index of sections; check, load: section -> fields; finish. */
#include "state/reader.h"

#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "state/fields.h"
#include "state/format.h"

typedef struct {
    char *name; /* (owned): valid by kiln_state_name_is_valid() */
    uint32_t instance;
    uint32_t version;
    KilnStateCursor fields;
    gboolean used; /* somebody asked for it */
} Section;

struct KilnStateReader {
    GPtrArray *sections; /* (owned): Section, in the stream's order */
    GHashTable *index;   /* (owned): a set of the same, not owned */
};

static void
section_free(gpointer data)
{
    Section *section = data;

    g_free(section->name);
    g_free(section);
}

static guint
section_hash(gconstpointer data)
{
    const Section *section = data;

    return g_str_hash(section->name) ^ section->instance;
}

static gboolean
section_equal(gconstpointer a, gconstpointer b)
{
    const Section *one = a;
    const Section *other = b;

    return one->instance == other->instance && g_str_equal(one->name, other->name);
}

/* What a section is called in messages: "section 'rtc'" or "section 'uart' instance 2". */
static void
prefix_section(GError **error, const char *name, uint32_t instance)
{
    if (instance == 0)
        g_prefix_error(error, "section '%s' ", name);
    else
        g_prefix_error(error, "section '%s' instance %u ", name, instance);
}

static gboolean
read_name(KilnStateCursor *cursor, char **name, GError **error)
{
    const uint8_t *bytes;
    uint64_t length;

    if (!kiln_state_take_number(cursor, 1, &length) || !kiln_state_take(cursor, length, &bytes))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "saved state: ends inside the name of a section");
    if (!kiln_state_name_is_valid((const char *)bytes, length))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "saved state: a section's name of %u bytes is not valid",
                              (guint)length);
    *name = g_strndup((const char *)bytes, length);
    return TRUE;
}

/* Takes one section, behind its mark, into the index. */
static gboolean
read_section(KilnStateReader *reader, KilnStateCursor *cursor, GError **error)
{
    Section *section = g_new0(Section, 1);
    const uint8_t *bytes;
    uint32_t length;

    g_ptr_array_add(reader->sections, section);
    if (!read_name(cursor, &section->name, error))
        return FALSE;
    if (!kiln_state_take_u32(cursor, &section->instance) ||
        !kiln_state_take_u32(cursor, &section->version) || !kiln_state_take_u32(cursor, &length))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "saved state: ends inside the head of section '%s'", section->name);
    if (!kiln_state_take(cursor, length, &bytes))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "saved state: section '%s' says it has %u bytes, of which %zu are "
                              "there",
                              section->name, length, cursor->left);
    section->fields = (KilnStateCursor){ .next = bytes, .left = length };
    if (!g_hash_table_add(reader->index, section))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "saved state: section '%s' instance %u is there twice", section->name,
                              section->instance);
    return TRUE;
}

static gboolean
read_head(KilnStateCursor *cursor, GError **error)
{
    const uint8_t *magic;
    uint32_t version;

    if (!kiln_state_take(cursor, KILN_STATE_MAGIC_LENGTH, &magic) ||
        memcmp(magic, KILN_STATE_MAGIC, KILN_STATE_MAGIC_LENGTH) != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "saved state: does not begin with '%s'",
                              KILN_STATE_MAGIC);
    if (!kiln_state_take_u32(cursor, &version))
        return kiln_error_set(error, KILN_ERROR_INVALID, "saved state: has no format version");
    if (version != KILN_STATE_FORMAT_VERSION)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "saved state: format version %u is not %d, the only one known",
                              version, KILN_STATE_FORMAT_VERSION);
    return TRUE;
}

/* What is behind the end mark. */
static gboolean
read_end(KilnStateCursor *cursor, const uint8_t *data, GError **error)
{
    uint32_t computed = kiln_state_checksum(data, (size_t)(cursor->next - data));
    uint32_t checksum;

    if (!kiln_state_take_u32(cursor, &checksum))
        return kiln_error_set(error, KILN_ERROR_INVALID, "saved state: ends inside the checksum");
    if (checksum != computed)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "saved state: checksum is 0x%08x but the bytes give 0x%08x", checksum,
                              computed);
    if (cursor->left > 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "saved state: %zu bytes follow the end",
                              cursor->left);
    return TRUE;
}

static gboolean
read_frame(KilnStateReader *reader, const uint8_t *data, size_t length, GError **error)
{
    KilnStateCursor cursor = { .next = data, .left = length };
    uint64_t mark;

    if (!read_head(&cursor, error))
        return FALSE;
    while (kiln_state_take_number(&cursor, 1, &mark)) {
        if (mark == KILN_STATE_MARK_END)
            return read_end(&cursor, data, error);
        if (mark != KILN_STATE_MARK_SECTION)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "saved state: byte 0x%02x where a section or the end should be",
                                  (guint)mark);
        if (!read_section(reader, &cursor, error))
            return FALSE;
    }
    return kiln_error_set(error, KILN_ERROR_INVALID, "saved state: has no end mark");
}

KilnStateReader *
kiln_state_reader_open(const uint8_t *data, size_t length, GError **error)
{
    g_autoptr(KilnStateReader) reader = g_new0(KilnStateReader, 1);

    reader->sections = g_ptr_array_new_with_free_func(section_free);
    reader->index = g_hash_table_new(section_hash, section_equal);
    if (!read_frame(reader, data, length, error))
        return NULL;
    return g_steal_pointer(&reader);
}

void
kiln_state_reader_free(KilnStateReader *reader)
{
    if (reader == NULL)
        return;
    g_hash_table_unref(reader->index);
    g_ptr_array_unref(reader->sections);
    g_free(reader);
}

/* Reads the fields of one section, into @object unless it is NULL. */
static gboolean
read_fields(Section *section, const KilnStateDescription *description, void *object, GError **error)
{
    KilnStateCursor cursor = section->fields;

    if (!kiln_state_fields_read(&cursor, description, section->version, object, error))
        return FALSE;
    if (cursor.left > 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "has %zu bytes more than its fields need",
                              cursor.left);
    return TRUE;
}

static Section *
find(KilnStateReader *reader, const KilnStateDescription *description, uint32_t instance,
     GError **error)
{
    const Section wanted = { .name = (char *)description->name, .instance = instance };
    Section *section = g_hash_table_lookup(reader->index, &wanted);

    if (section == NULL)
        kiln_error_set(error, KILN_ERROR_INVALID, "is missing");
    else
        section->used = TRUE;
    return section;
}

gboolean
kiln_state_reader_check(KilnStateReader *reader, const KilnStateDescription *description,
                        uint32_t instance, GError **error)
{
    Section *section = find(reader, description, instance, error);

    if (section == NULL || !read_fields(section, description, NULL, error)) {
        prefix_section(error, description->name, instance);
        return FALSE;
    }
    return TRUE;
}

gboolean
kiln_state_reader_load(KilnStateReader *reader, const KilnStateDescription *description,
                       uint32_t instance, void *object, GError **error)
{
    Section *section;

    if (!kiln_state_reader_check(reader, description, instance, error))
        return FALSE;
    section = find(reader, description, instance, error);
    if (section == NULL || !read_fields(section, description, object, error)) {
        prefix_section(error, description->name, instance);
        return FALSE;
    }
    return TRUE;
}

gboolean
kiln_state_reader_finish(KilnStateReader *reader, GError **error)
{
    for (guint i = 0; i < reader->sections->len; i++) {
        const Section *section = g_ptr_array_index(reader->sections, i);

        if (!section->used) {
            kiln_error_set(error, KILN_ERROR_INVALID, "belongs to nothing in this machine");
            prefix_section(error, section->name, section->instance);
            return FALSE;
        }
    }
    return TRUE;
}
