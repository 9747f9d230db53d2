/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/reader.h"

#include <string.h>

struct KilnAgentReader {
    GByteArray *bytes; /* (owned): not given out yet */
    gsize scanned;     /* of them: no end of a line there */
    gboolean marked;   /* the mark stood before the first of them */
};

void
kiln_agent_line_clear(KilnAgentLine *line)
{
    g_clear_pointer(&line->text, g_free);
    g_clear_pointer(&line->node, json_node_unref);
}

KilnAgentReader *
kiln_agent_reader_new(void)
{
    KilnAgentReader *reader = g_new0(KilnAgentReader, 1);

    reader->bytes = g_byte_array_new();
    return reader;
}

void
kiln_agent_reader_free(KilnAgentReader *reader)
{
    if (reader == NULL)
        return;
    g_byte_array_unref(reader->bytes);
    g_free(reader);
}

void
kiln_agent_reader_reset(KilnAgentReader *reader)
{
    g_byte_array_unref(reader->bytes); /* gives its memory back too */
    reader->bytes = g_byte_array_new();
    reader->scanned = 0;
    reader->marked = FALSE;
}

gboolean
kiln_agent_reader_feed(KilnAgentReader *reader, const void *bytes, gsize n)
{
    const guint8 *mark = n > 0 ? memrchr(bytes, KILN_AGENT_MARK, n) : NULL;

    if (mark != NULL) {
        gsize before = (gsize)(mark + 1 - (const guint8 *)bytes);

        kiln_agent_reader_reset(reader);
        reader->marked = TRUE;
        bytes = mark + 1;
        n -= before;
    }
    if (n > (gsize)KILN_AGENT_LINE_MAX * 2 ||
        (reader->scanned >= KILN_AGENT_LINE_MAX && memchr(bytes, '\n', n) == NULL))
        return FALSE;
    if (n > 0)
        g_byte_array_append(reader->bytes, bytes, (guint)n);
    return TRUE;
}

/* The characters of JSON outside of its strings, RFC 8259 §2 and §3: json-glib takes more
 * (comments, other quotes), whose insides a count of the depth would not know. */
static gboolean
is_plain(char c)
{
    return strchr(" \t\r\n{}[]:,+-.", c) != NULL || g_ascii_isdigit(c) || g_ascii_islower(c) ||
           c == 'E';
}

/* json-glib goes one call deeper for each level, so that they are counted before. */
static gboolean
is_shallow(const char *text, gsize length)
{
    gboolean quoted = FALSE;
    guint depth = 0;

    for (gsize i = 0; i < length; i++) {
        char c = text[i];

        if (c == '\0')
            return FALSE;
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = FALSE;
        } else if (c == '"') {
            quoted = TRUE;
        } else if (!is_plain(c)) {
            return FALSE;
        } else if (c == '{' || c == '[') {
            if (++depth > KILN_AGENT_DEPTH_MAX)
                return FALSE;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return !quoted;
}

JsonNode *
kiln_agent_parse(const char *text, gsize length)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonNode *root;

    if (length > KILN_AGENT_LINE_MAX || !is_shallow(text, length) ||
        !g_utf8_validate(text, (gssize)length, NULL))
        return NULL;
    parser = json_parser_new_immutable();
    if (!json_parser_load_from_data(parser, text, (gssize)length, NULL))
        return NULL;
    root = json_parser_get_root(parser);
    return root != NULL && JSON_NODE_HOLDS_OBJECT(root) ? json_parser_steal_root(parser) : NULL;
}

gboolean
kiln_agent_reader_next(KilnAgentReader *reader, KilnAgentLine *line)
{
    const guint8 *end = NULL;
    gsize length;

    if (reader->bytes->len > reader->scanned)
        end = memchr(reader->bytes->data + reader->scanned, '\n',
                     reader->bytes->len - reader->scanned);
    if (end == NULL) {
        reader->scanned = reader->bytes->len;
        return FALSE;
    }
    length = (gsize)(end - reader->bytes->data);
    line->node = kiln_agent_parse((const char *)reader->bytes->data, length);
    line->text = g_strndup((const char *)reader->bytes->data, length);
    line->marked = reader->marked;
    g_byte_array_remove_range(reader->bytes, 0, (guint)length + 1);
    reader->scanned = 0;
    reader->marked = FALSE;
    return TRUE;
}
