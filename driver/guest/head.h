/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who a document is about, without the work of parsing it: at the daemon's start thousands of
 * definitions are read, and all that is wanted of each is its name and uuid.
 */
#ifndef KILN_GUEST_HEAD_H
#define KILN_GUEST_HEAD_H

#include <glib.h>

enum { KILN_UUID_BYTES = 16 };

/* @id: of what runs; -1 if the document has none. */
typedef struct {
    char *name; /* (owned) */
    guint8 uuid[KILN_UUID_BYTES];
    int id;
} KilnHead;

void kiln_head_clear(KilnHead *head);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnHead, kiln_head_clear)

/**
 * kiln_head_read:
 * @text: of a file: @length bytes of anything
 * @head: (out): set if it is a definition
 *
 * A document that begins as kiln_domain_format() begins one, and ends with </domain>, is taken at
 * its word; any other one is parsed.
 *
 * Returns: FALSE with @error set, if it is no definition or has no uuid.
 */
gboolean kiln_head_read(const char *text, gsize length, KilnHead *head, GError **error);

/* The first half of kiln_head_read(): FALSE, and no error, if the document begins otherwise. */
gboolean kiln_head_read_canonical(const char *text, gsize length, KilnHead *head);

/* Whether @text ends as a document does: FALSE for one that was cut off. */
gboolean kiln_head_is_whole(const char *text, gsize length);

/* Both spellings, with dashes and without.  Returns: whether @text is a uuid. */
gboolean kiln_uuid_parse(const char *text, gsize length, guint8 uuid[KILN_UUID_BYTES]);

/* Returns: (transfer full): lower case, with dashes. */
char *kiln_uuid_format(const guint8 uuid[KILN_UUID_BYTES]);

#endif
