/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition leaves to libvirt: its networks and storage volumes. */
#ifndef KILN_CLI_RESOLVE_H
#define KILN_CLI_RESOLVE_H

#include "domain/domain.h"

/**
 * kiln_cli_resolve:
 * @domain: assigned
 *
 * Says in the live definition which bridge or interface each <interface type='network'> is plugged
 * into, and which file or device each <disk type='volume'> is.  Asks libvirt only if there is one;
 * the environment variable KILN_LIBVIRT_URI names another libvirt than the system's.
 *
 * Returns: FALSE with @error set, naming the device.
 */
gboolean kiln_cli_resolve(KilnDomain *domain, GError **error);

#endif
