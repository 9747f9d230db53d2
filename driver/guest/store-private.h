/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between store.c, which changes the folder, and store-load.c, which reads it. */
#ifndef KILN_GUEST_STORE_PRIVATE_H
#define KILN_GUEST_STORE_PRIVATE_H

#include "base/fd.h"
#include "guest/store.h"

#define KILN_STORE_SUFFIX ".xml"
#define KILN_STORE_NEW    ".new-"
#define KILN_STORE_RENAME ".rename-"

struct KilnStore {
    char *directory; /* (owned) */
    KilnFd fd;       /* of it */
    KilnFd links;    /* of its autostart */
    guint counter;   /* (atomic) of temporary files */
};

/* Does what @journal, a file's name, says, and removes it. */
gboolean kiln_store_finish_rename(KilnStore *store, const char *journal, GError **error);

/* Returns: (transfer full) (nullable): what is in @file, up to what a document may have. */
GString *kiln_store_slurp(KilnStore *store, const char *file, GError **error);

#endif
