/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owning a GSource: what the sources of this room are handled by. */
#ifndef KILN_LOOP_SOURCE_H
#define KILN_LOOP_SOURCE_H

#include <glib.h>

/**
 * kiln_source_attach:
 * @context: (nullable): NULL is the default context
 *
 * As g_source_attach(), for a source whose callback may be called again if it runs the loop itself.
 * GLib takes the descriptors of any other one out of the poll for each call, and wakes itself up
 * twice for that: three system calls, and a turn of the loop that finds nothing.
 */
void kiln_source_attach(GSource *source, GMainContext *context);

/**
 * kiln_source_free:
 * @source: (nullable) (transfer full): taken out of its context and given up
 *
 * When called in the thread that runs the context, or when nobody runs it, the source's callback is
 * not called again after the return.
 */
void kiln_source_free(GSource *source);

/**
 * kiln_source_generation:
 * Returns: a number that changes with each kiln_source_free(): what was known of a descriptor's
 *   number before may be about another file now.  Any thread.
 */
guint kiln_source_generation(void);

#endif
