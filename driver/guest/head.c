/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See head.h. */
#include "guest/head.h"

#include "base/error.h"
#include "domain/domain.h"

#include <string.h>

/* A place in text, never past its end. */
typedef struct {
    const char *at;
    const char *end;
} Cursor;

void
kiln_head_clear(KilnHead *head)
{
    g_clear_pointer(&head->name, g_free);
}

gboolean
kiln_uuid_parse(const char *text, gsize length, guint8 uuid[KILN_UUID_BYTES])
{
    guint digits = 0;

    for (gsize i = 0; i < length; i++) {
        int value = g_ascii_xdigit_value(text[i]);

        if (text[i] == '-' && length == 36 && (i == 8 || i == 13 || i == 18 || i == 23))
            continue;
        if (value < 0 || digits == 2 * KILN_UUID_BYTES)
            return FALSE;
        uuid[digits / 2] = (guint8)(digits % 2 == 0 ? value << 4 : uuid[digits / 2] | value);
        digits++;
    }
    return digits == 2 * KILN_UUID_BYTES;
}

char *
kiln_uuid_format(const guint8 uuid[KILN_UUID_BYTES])
{
    GString *text = g_string_sized_new(40);

    for (guint i = 0; i < KILN_UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            g_string_append_c(text, '-');
        g_string_append_printf(text, "%02x", uuid[i]);
    }
    return g_string_free(text, FALSE);
}

static gboolean
skip(Cursor *cursor, const char *literal)
{
    gsize length = strlen(literal);

    if ((gsize)(cursor->end - cursor->at) < length || memcmp(cursor->at, literal, length) != 0)
        return FALSE;
    cursor->at += length;
    return TRUE;
}

/* Text up to @stop, which is skipped.  Returns: (nullable): where it begins. */
static const char *
until(Cursor *cursor, char stop, gsize *length)
{
    const char *begin = cursor->at;
    const char *found = memchr(begin, stop, (gsize)(cursor->end - begin));

    if (found == NULL)
        return NULL;
    *length = (gsize)(found - begin);
    cursor->at = found + 1;
    return begin;
}

/* " id='N'": absent is right too. */
static gboolean
read_id(Cursor *cursor, int *id)
{
    gsize length;
    const char *text;
    int value = 0;

    *id = -1;
    if (!skip(cursor, " id='"))
        return TRUE;
    text = until(cursor, '\'', &length);
    if (text == NULL || length == 0 || length > 9)
        return FALSE;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isdigit(text[i]))
            return FALSE;
        value = value * 10 + (text[i] - '0');
    }
    *id = value;
    return TRUE;
}

/* Whether the parser would find the same text. */
static gboolean
is_plain(const char *name, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if ((guchar)name[i] < 0x20 || name[i] == '&' || name[i] == '>')
            return FALSE;
    return length > 0 && name[0] != ' ' && name[length - 1] != ' ' &&
           g_utf8_validate(name, (gssize)length, NULL);
}

gboolean
kiln_head_read_canonical(const char *text, gsize length, KilnHead *head)
{
    Cursor cursor = { text, text + length };
    guint8 uuid[KILN_UUID_BYTES];
    const char *name;
    gsize name_length;
    int id;

    if (!skip(&cursor, "<domain type='kvm'") || !read_id(&cursor, &id) ||
        !skip(&cursor, ">\n  <name>"))
        return FALSE;
    name = until(&cursor, '<', &name_length);
    if (name == NULL || !is_plain(name, name_length) || !skip(&cursor, "/name>\n  <uuid>") ||
        cursor.end - cursor.at < 36 || !kiln_uuid_parse(cursor.at, 36, uuid))
        return FALSE;
    cursor.at += 36;
    if (!skip(&cursor, "</uuid>\n") ||
        !kiln_head_is_whole(cursor.at, (gsize)(cursor.end - cursor.at)))
        return FALSE;
    head->name = g_strndup(name, name_length);
    memcpy(head->uuid, uuid, sizeof uuid);
    head->id = id;
    return TRUE;
}

gboolean
kiln_head_is_whole(const char *text, gsize length)
{
    static const char ending[] = "</domain>";

    while (length > 0 && g_ascii_isspace(text[length - 1]))
        length--;
    return length >= strlen(ending) &&
           memcmp(text + length - strlen(ending), ending, strlen(ending)) == 0;
}

gboolean
kiln_head_read(const char *text, gsize length, KilnHead *head, GError **error)
{
    g_autoptr(KilnFaults) faults = NULL;
    g_autoptr(KilnDomain) domain = NULL;

    if (kiln_head_read_canonical(text, length, head))
        return TRUE;
    faults = kiln_faults_new();
    domain = kiln_domain_parse(text, length, faults);
    if (domain == NULL) {
        (void)kiln_faults_to_error(faults, "the document", error);
        return FALSE;
    }
    if (domain->uuid == NULL || domain->name == NULL ||
        !kiln_uuid_parse(domain->uuid, strlen(domain->uuid), head->uuid))
        return kiln_error_set(error, KILN_ERROR_INVALID, "the document has no <uuid>");
    head->name = g_strdup(domain->name);
    head->id = domain->id.set && domain->id.value >= 0 && domain->id.value < G_MAXINT
                   ? (int)domain->id.value
                   : -1;
    return TRUE;
}
