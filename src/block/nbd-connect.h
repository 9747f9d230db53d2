/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making the connection of an NBD disk.  Part of the module nbd.so. */
#ifndef KILN_BLOCK_NBD_CONNECT_H
#define KILN_BLOCK_NBD_CONNECT_H

#include <libnbd.h>

#include "block/nbd.h"

/**
 * kiln_nbd_name:
 * Returns: (transfer full): the export and its server, for messages.
 */
char *kiln_nbd_name(const KilnBlockNbdOptions *options);

/**
 * kiln_nbd_reason:
 * Returns: (transfer full): why the last call of libnbd in this thread failed, fit to be shown:
 * parts of it may come from the server.
 */
char *kiln_nbd_reason(void);

/**
 * kiln_nbd_connect:
 *
 * Waits until the server has agreed to everything, or for @options' connect_ms.
 *
 * Returns: (transfer full): a handle that is ready for commands, for nbd_close(); NULL with @error
 *   set.
 */
struct nbd_handle *kiln_nbd_connect(const KilnBlockNbdOptions *options, GError **error);

#endif
