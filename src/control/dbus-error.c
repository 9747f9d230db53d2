/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See dbus-error.h. */
#include "control/dbus-error.h"

#include "base/error.h"

#include <gio/gio.h>

/* schemas/org.kiln.VM1.xml names them for clients in other languages. */
static const GDBusErrorEntry names[] = {
    { KILN_ERROR_FAILED, "org.kiln.Error.Failed" },
    { KILN_ERROR_SYSTEM, "org.kiln.Error.System" },
    { KILN_ERROR_XML, "org.kiln.Error.Xml" },
    { KILN_ERROR_UNSUPPORTED, "org.kiln.Error.Unsupported" },
    { KILN_ERROR_INVALID, "org.kiln.Error.Invalid" },
    { KILN_ERROR_NOT_FOUND, "org.kiln.Error.NotFound" },
    { KILN_ERROR_EXISTS, "org.kiln.Error.Exists" },
    { KILN_ERROR_PERMISSION, "org.kiln.Error.Permission" },
    { KILN_ERROR_STATE, "org.kiln.Error.State" },
    { KILN_ERROR_KVM, "org.kiln.Error.Kvm" },
};

G_STATIC_ASSERT(G_N_ELEMENTS(names) == KILN_ERROR_KVM + 1);

void
kiln_dbus_error_register(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        (void)g_dbus_error_register_error(KILN_ERROR, names[i].error_code,
                                          names[i].dbus_error_name);
}
