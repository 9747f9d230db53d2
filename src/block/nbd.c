/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See nbd.h. */
#include "block/nbd.h"

#include "base/module.h"
#include "block/nbd-module.h"

KilnBlock *
kiln_block_nbd_open(const KilnBlockNbdOptions *options, GError **error)
{
    const KilnNbdModule *module =
        kiln_module_load(KILN_NBD_MODULE_FILE, KILN_NBD_MODULE_SYMBOL, error);

    return module != NULL ? module->open(options, error) : NULL;
}
