/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Start, stop and what is between. */
#include "ops/lifecycle.h"

#include "ops/agent.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>

/* ---- Start ---- */

gboolean
kiln_ops_check_start_flags(KilnCall *call, unsigned flags, unsigned also)
{
    /* No image is ever saved: there is none to be passed by or forced away. */
    static const unsigned known = VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY |
                                  VIR_DOMAIN_START_BYPASS_CACHE | VIR_DOMAIN_START_FORCE_BOOT |
                                  VIR_DOMAIN_START_RESET_NVRAM;

    return kiln_ops_check_flags(call, flags, known | also);
}

unsigned
kiln_ops_start_flags(unsigned flags)
{
    return flags & (VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_RESET_NVRAM);
}

KilnOpsStart *
kiln_ops_start_new(KilnCall *call, unsigned flags)
{
    KilnOpsStart *start = g_new(KilnOpsStart, 1);

    *start = (KilnOpsStart){ call, flags };
    return start;
}

static void
start_done(KilnGuest *guest, const GError *error, gpointer data)
{
    KilnOpsStart *start = data;

    if (error == NULL)
        kiln_ops_started(start, guest);
    kiln_ops_done(guest, error, start->call);
    g_free(start);
}

static void
start_with_flags_done(KilnGuest *guest, const GError *error, gpointer data)
{
    KilnOpsStart *start = data;
    remote_domain_create_with_flags_ret ret = { 0 };

    if (error == NULL) {
        kiln_ops_started(start, guest);
        kiln_ops_fill_domain(&ret.dom, guest);
        kiln_call_reply(start->call, &ret);
    } else {
        kiln_call_fail_error(start->call, error);
    }
    g_free(start);
}

static void
start(KilnCall *call, const remote_nonnull_domain *about, unsigned flags, KilnGuestDone done)
{
    KilnGuest *guest = kiln_ops_guest(call, about);

    if (guest == NULL)
        return;
    if (kiln_guest_is_active(guest))
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "domain is already running");
    else
        kiln_guest_start(guest, kiln_ops_start_flags(flags), done, kiln_ops_start_new(call, flags));
}

static void
on_create(KilnCall *call, gconstpointer data)
{
    const remote_domain_create_args *args = data;

    start(call, &args->dom, 0, start_done);
}

static void
on_create_with_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_create_with_flags_args *args = data;

    if (kiln_ops_check_start_flags(call, args->flags, 0))
        start(call, &args->dom, args->flags, start_with_flags_done);
}

/* ---- Asking the guest ---- */

static void
tell(KilnCall *call, const remote_nonnull_domain *about, const char *method)
{
    KilnGuest *guest = kiln_ops_active_guest(call, about);

    if (guest != NULL)
        kiln_guest_call(guest, method, NULL, NULL, KILN_GUEST_CALL_MS, kiln_ops_answered, call);
}

static void
on_shutdown(KilnCall *call, gconstpointer data)
{
    const remote_domain_shutdown_args *args = data;

    tell(call, &args->dom, "Shutdown");
}

/* By ACPI unless the agent alone is to be asked. */
static void
tell_by(KilnCall *call, const remote_nonnull_domain *about, unsigned flags, unsigned acpi,
        unsigned agent, gboolean reboot)
{
    if (!kiln_ops_check_flags(call, flags, acpi | agent))
        return;
    if (flags == agent)
        kiln_ops_agent_shutdown(call, about, reboot);
    else
        tell(call, about, reboot ? "Reboot" : "Shutdown");
}

static void
on_shutdown_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_shutdown_flags_args *args = data;

    tell_by(call, &args->dom, args->flags, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
            VIR_DOMAIN_SHUTDOWN_GUEST_AGENT, FALSE);
}

static void
on_reboot(KilnCall *call, gconstpointer data)
{
    const remote_domain_reboot_args *args = data;

    tell_by(call, &args->dom, args->flags, VIR_DOMAIN_REBOOT_ACPI_POWER_BTN,
            VIR_DOMAIN_REBOOT_GUEST_AGENT, TRUE);
}

static void
on_reset(KilnCall *call, gconstpointer data)
{
    const remote_domain_reset_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, 0))
        tell(call, &args->dom, "Reset");
}

static void
on_suspend(KilnCall *call, gconstpointer data)
{
    const remote_domain_suspend_args *args = data;
    KilnGuest *guest = kiln_ops_active_guest(call, &args->dom);

    if (guest == NULL)
        return;
    if (kiln_guest_state(guest, NULL) == VIR_DOMAIN_PAUSED)
        kiln_call_reply(call, NULL);
    else
        kiln_guest_call(guest, "Pause", NULL, NULL, KILN_GUEST_CALL_MS, kiln_ops_answered, call);
}

static void
on_resume(KilnCall *call, gconstpointer data)
{
    const remote_domain_resume_args *args = data;
    KilnGuest *guest = kiln_ops_active_guest(call, &args->dom);

    if (guest == NULL)
        return;
    if (kiln_guest_state(guest, NULL) == VIR_DOMAIN_RUNNING)
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "domain is already running");
    else
        kiln_guest_call(guest, "Resume", NULL, NULL, KILN_GUEST_CALL_MS, kiln_ops_answered, call);
}

/* ---- Destroy ---- */

static void
destroy(KilnCall *call, const remote_nonnull_domain *about, gboolean graceful)
{
    KilnGuest *guest = kiln_ops_active_guest(call, about);

    if (guest != NULL)
        kiln_guest_destroy(guest, graceful, kiln_ops_done, call);
}

static void
on_destroy(KilnCall *call, gconstpointer data)
{
    const remote_domain_destroy_args *args = data;

    destroy(call, &args->dom, FALSE);
}

static void
on_destroy_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_destroy_flags_args *args = data;

    if (!kiln_ops_check_flags(call, args->flags,
                              VIR_DOMAIN_DESTROY_GRACEFUL | VIR_DOMAIN_DESTROY_REMOVE_LOGS))
        return;
    if ((args->flags & VIR_DOMAIN_DESTROY_REMOVE_LOGS) != 0)
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "the log is kept: its last lines say why a guest ended");
    else
        destroy(call, &args->dom, (args->flags & VIR_DOMAIN_DESTROY_GRACEFUL) != 0);
}

static const char no_sleep[] = "guests have no sleep states yet";

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(DOMAIN_CREATE, domain_create, KILN_ACCESS_WRITE, on_create),
    KILN_PROC(DOMAIN_CREATE_WITH_FLAGS, domain_create_with_flags, KILN_ACCESS_WRITE,
              on_create_with_flags),
    KILN_PROC_ARGS(DOMAIN_SHUTDOWN, domain_shutdown, KILN_ACCESS_WRITE, on_shutdown),
    KILN_PROC_ARGS(DOMAIN_SHUTDOWN_FLAGS, domain_shutdown_flags, KILN_ACCESS_WRITE,
                   on_shutdown_flags),
    KILN_PROC_ARGS(DOMAIN_REBOOT, domain_reboot, KILN_ACCESS_WRITE, on_reboot),
    KILN_PROC_ARGS(DOMAIN_RESET, domain_reset, KILN_ACCESS_WRITE, on_reset),
    KILN_PROC_ARGS(DOMAIN_SUSPEND, domain_suspend, KILN_ACCESS_WRITE, on_suspend),
    KILN_PROC_ARGS(DOMAIN_RESUME, domain_resume, KILN_ACCESS_WRITE, on_resume),
    KILN_PROC_ARGS(DOMAIN_DESTROY, domain_destroy, KILN_ACCESS_WRITE, on_destroy),
    KILN_PROC_ARGS(DOMAIN_DESTROY_FLAGS, domain_destroy_flags, KILN_ACCESS_WRITE, on_destroy_flags),
    KILN_PROC_REFUSED(DOMAIN_PM_SUSPEND_FOR_DURATION, KILN_ACCESS_WRITE, no_sleep),
    KILN_PROC_REFUSED(DOMAIN_PM_WAKEUP, KILN_ACCESS_WRITE, no_sleep),
};

const KilnProcedureTable kiln_ops_lifecycle = { rows, G_N_ELEMENTS(rows) };
