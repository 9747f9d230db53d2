/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a definition that are calls of their own: its name, and what becomes of the guest when
 * it ends. */
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* ---- Name ---- */

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

/* ---- Lifecycle actions ---- */

static const char *const event_names[] = { "poweroff", "reboot", "crash" };

static const struct {
    KilnLifecycleAction action;
    const char *name;
} actions[] = {
    [VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY] = { KILN_ACTION_DESTROY, "destroy" },
    [VIR_DOMAIN_LIFECYCLE_ACTION_RESTART] = { KILN_ACTION_RESTART, "restart" },
    [VIR_DOMAIN_LIFECYCLE_ACTION_RESTART_RENAME] = { KILN_ACTION_RENAME_RESTART, "rename-restart" },
    [VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE] = { KILN_ACTION_PRESERVE, "preserve" },
    [VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY] = { KILN_ACTION_COREDUMP_DESTROY,
                                                       "coredump-destroy" },
    [VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART] = { KILN_ACTION_COREDUMP_RESTART,
                                                       "coredump-restart" },
};

typedef struct {
    KilnCall *call;
    unsigned type;
    unsigned action;
} ActionChange;

static gboolean
set_action(KilnDomain *domain, gpointer data, G_GNUC_UNUSED GError **error)
{
    const ActionChange *change = data;
    KilnLifecycleAction *members[] = {
        [VIR_DOMAIN_LIFECYCLE_POWEROFF] = &domain->lifecycle.on_poweroff,
        [VIR_DOMAIN_LIFECYCLE_REBOOT] = &domain->lifecycle.on_reboot,
        [VIR_DOMAIN_LIFECYCLE_CRASH] = &domain->lifecycle.on_crash,
    };

    *members[change->type] = actions[change->action].action;
    return TRUE;
}

static void
action_set(KilnGuest *guest, const GError *error, gpointer data)
{
    g_autofree ActionChange *change = data;

    kiln_ops_done(guest, error, change->call);
}

static gboolean
check_action(KilnCall *call, unsigned type, unsigned action)
{
    if (type >= G_N_ELEMENTS(event_names) || action >= G_N_ELEMENTS(actions)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unknown lifecycle event %u or action %u", type,
                       action);
        return FALSE;
    }
    if (type == VIR_DOMAIN_LIFECYCLE_CRASH || action < VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY)
        return TRUE;
    kiln_call_fail(call, VIR_ERR_CONFIG_UNSUPPORTED,
                   "Lifecycle event '%s' doesn't support '%s' action", event_names[type],
                   actions[action].name);
    return FALSE;
}

static void
on_set_lifecycle_action(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_lifecycle_action_args *args = data;
    gboolean live, config;
    ActionChange *change;
    KilnGuest *guest;

    if (!check_action(call, args->type, args->action))
        return;
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL || !kiln_ops_affects(call, guest, args->flags, &live, &config))
        return;
    if (live) {
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "lifecycle actions of a running domain cannot be changed yet, its "
                       "definition's can (--config)");
        return;
    }
    change = g_new(ActionChange, 1);
    *change = (ActionChange){ call, args->type, args->action };
    kiln_guest_edit(guest, set_action, change, action_set, change);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_RENAME, domain_rename, KILN_ACCESS_WRITE, on_rename),
    KILN_PROC_ARGS(DOMAIN_SET_LIFECYCLE_ACTION, domain_set_lifecycle_action, KILN_ACCESS_WRITE,
                   on_set_lifecycle_action),
};

const KilnProcedureTable kiln_ops_domain_config = { rows, G_N_ELEMENTS(rows) };
