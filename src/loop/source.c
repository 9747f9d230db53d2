/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See source.h. */
#include "loop/source.h"

void
kiln_source_free(GSource *source)
{
    if (source == NULL)
        return;
    g_source_destroy(source);
    g_source_unref(source);
}
