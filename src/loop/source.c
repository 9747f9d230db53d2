/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See source.h. */
#include "loop/source.h"

void
kiln_source_attach(GSource *source, GMainContext *context)
{
    g_source_set_can_recurse(source, TRUE);
    g_source_attach(source, context);
}

static guint generation; /* (atomic) */

guint
kiln_source_generation(void)
{
    return (guint)g_atomic_int_get(&generation);
}

void
kiln_source_free(GSource *source)
{
    if (source == NULL)
        return;
    g_atomic_int_inc(&generation);
    g_source_destroy(source);
    g_source_unref(source);
}
