/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest agent says, cut into lines and read as JSON objects.  A stranger says it: a line has
 * a greatest length and a greatest depth, and what is not a JSON object (RFC 8259) is told as such.
 *
 *   bytes -> feed -> up to the mark (0xFF, of guest-sync-delimited) all is dropped -> next: a line
 */
#ifndef KILN_AGENT_READER_H
#define KILN_AGENT_READER_H

#include <glib.h>
#include <json-glib/json-glib.h>

enum {
    KILN_AGENT_LINE_MAX = 8 * 1024 * 1024, /* bytes of one answer */
    KILN_AGENT_DEPTH_MAX = 32,             /* arrays and objects within each other */
    KILN_AGENT_MARK = 0xff,                /* never part of UTF-8 */
};

typedef struct KilnAgentReader KilnAgentReader;

/**
 * KilnAgentLine: one line that came
 * @text: (owned): without its end
 * @node: (owned) (nullable): the object that it is; NULL if it is none
 * @marked: whether the mark stood before it
 */
typedef struct {
    char *text;
    JsonNode *node;
    gboolean marked;
} KilnAgentLine;

void kiln_agent_line_clear(KilnAgentLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnAgentLine, kiln_agent_line_clear)

KilnAgentReader *kiln_agent_reader_new(void);
void kiln_agent_reader_free(KilnAgentReader *reader);
/* Forgets what came, as after a new connection. */
void kiln_agent_reader_reset(KilnAgentReader *reader);

/* Returns: FALSE if there is a line longer than KILN_AGENT_LINE_MAX: the reader is of no use then
 *   until it is reset. */
gboolean kiln_agent_reader_feed(KilnAgentReader *reader, const void *bytes, gsize n);

/* Returns: TRUE with the next whole line in @line, FALSE if there is none (yet). */
gboolean kiln_agent_reader_next(KilnAgentReader *reader, KilnAgentLine *line);

/**
 * kiln_agent_parse:
 * @text: JSON, in UTF-8 and of any source
 *
 * Returns: (transfer full) (nullable): the object that it is; NULL if it is none, or too deep.
 */
JsonNode *kiln_agent_parse(const char *text, gsize length);

#endif
