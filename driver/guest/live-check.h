/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest's process says of its definition, held against what was known of it.  A process that
 * its guest has taken over may say anything, and the daemon, which is root, opens files and
 * sockets by that.
 */
#ifndef KILN_GUEST_LIVE_CHECK_H
#define KILN_GUEST_LIVE_CHECK_H

#include "domain/domain.h"

/**
 * kiln_live_check:
 * @known: (nullable): what it was started with, or said before; NULL: nothing is known
 * @told: what it says now
 * @runtime_dir: where sockets are that a document places nowhere
 *
 * Returns: TRUE if @told names no file or socket of the host that @known does not; else FALSE with
 *   @error set, naming it.
 */
gboolean kiln_live_check(const KilnDomain *known, const KilnDomain *told, const char *runtime_dir,
                         GError **error);

#endif
