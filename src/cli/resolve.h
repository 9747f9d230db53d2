/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition leaves to the host: its firmware; and to libvirt: networks and volumes. */
#ifndef KILN_CLI_RESOLVE_H
#define KILN_CLI_RESOLVE_H

#include "domain/domain.h"

/**
 * kiln_cli_resolve:
 * @domain: assigned
 *
 * Says in the live definition which firmware <os firmware='efi'> is, which bridge or interface each
 * <interface type='network'> is plugged into, and which file or device each <disk type='volume'>
 * is.  Asks libvirt only if there is one; the environment variable KILN_LIBVIRT_URI names another
 * libvirt than the system's.
 *
 * Returns: FALSE with @error set, naming the device.
 */
gboolean kiln_cli_resolve(KilnDomain *domain, GError **error);

#endif
