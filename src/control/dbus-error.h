/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KilnErrorCode as D-Bus error names, in the server and in clients.  Of modules only: needs GIO. */
#ifndef KILN_CONTROL_DBUS_ERROR_H
#define KILN_CONTROL_DBUS_ERROR_H

/**
 * kiln_dbus_error_register:
 *
 * From now on KILN_ERROR goes over D-Bus as org.kiln.Error.* and comes back as it was.
 */
void kiln_dbus_error_register(void);

#endif
