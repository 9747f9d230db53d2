/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decompression, in a module for each type: a plain guest's process has neither zlib nor zstd. */
#ifndef KILN_BLOCK_QCOW2_UNZIP_H
#define KILN_BLOCK_QCOW2_UNZIP_H

#include <glib.h>

typedef struct {
    /* Returns: TRUE if all of @to was filled. */
    gboolean (*unzip)(const void *from, size_t n_from, void *to, size_t n_to);
} Qcow2Unzip;

/* What a module exports. */
extern const Qcow2Unzip kiln_qcow2_unzip;

#endif
