/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's name. */
#include "ops/driver.h"
#include "ops/tables.h"

#include <string.h>

static void
renamed(G_GNUC_UNUSED KilnGuest *guest, const GError *error, gpointer data)
{
    KilnCall *call = data;
    remote_domain_rename_ret ret = { 0 };

    if (error != NULL)
        kiln_call_fail_error(call, error);
    else
        kiln_call_reply(call, &ret);
}

static gboolean
check_new_name(KilnCall *call, const KilnGuest *guest, const char *name)
{
    if (name == NULL || *name == '\0')
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "new name of a domain must not be empty");
    else if (strpbrk(name, "/\n") != NULL)
        kiln_call_fail(call, VIR_ERR_XML_ERROR, "name %s cannot contain '%s'", name,
                       strchr(name, '/') != NULL ? "/" : "\\n");
    else if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !g_utf8_validate(name, -1, NULL))
        kiln_call_fail(call, VIR_ERR_XML_ERROR, "a domain cannot be named so");
    else if (kiln_guest_list_by_name(kiln_ops_driver(call)->guests, name) != NULL)
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "domain with name '%s' already exists",
                       name);
    else if (kiln_guest_is_active(guest))
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "cannot rename active domain");
    else if (!kiln_guest_is_persistent(guest))
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "cannot rename a transient domain");
    else
        return TRUE;
    return FALSE;
}

static void
on_rename(KilnCall *call, gconstpointer data)
{
    const remote_domain_rename_args *args = data;
    const char *name = args->new_name != NULL ? *args->new_name : NULL;
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    guest = kiln_ops_guest(call, &args->dom);
    if (guest != NULL && check_new_name(call, guest, name))
        kiln_guest_rename(guest, name, renamed, call);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_RENAME, domain_rename, KILN_ACCESS_WRITE, on_rename),
};

const KilnProcedureTable kiln_ops_domain_config = { rows, G_N_ELEMENTS(rows) };
