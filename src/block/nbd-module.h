/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the program and the module nbd.so, which has libnbd, know of each other. */
#ifndef KILN_BLOCK_NBD_MODULE_H
#define KILN_BLOCK_NBD_MODULE_H

#include "block/nbd.h"

#define KILN_NBD_MODULE_FILE   "nbd.so"
#define KILN_NBD_MODULE_SYMBOL "kiln_nbd_module"

/* @open: as kiln_block_nbd_open(). */
typedef struct {
    KilnBlock *(*open)(const KilnBlockNbdOptions *options, GError **error);
} KilnNbdModule;

extern const KilnNbdModule kiln_nbd_module;

#endif
