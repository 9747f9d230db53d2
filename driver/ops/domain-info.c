/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of a domain without asking its process. */
#include "base/statistics.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/usage.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* ---- State ---- */

static void
on_get_state(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_state_args *args = data;
    remote_domain_get_state_ret ret = { 0 };
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL)
        return;
    ret.state = kiln_guest_state(guest, &ret.reason);
    kiln_call_reply(call, &ret);
}

/* In KiB: what the balloon has left of @domain's memory, if that is published. */
static guint64
current_memory(KilnGuest *guest, const KilnDomain *domain)
{
    g_autoptr(GArray) statistics = kiln_guest_statistics(guest);

    for (guint i = 0; statistics != NULL && i < statistics->len; i++) {
        const KilnStatistic *entry = &g_array_index(statistics, KilnStatistic, i);

        if (strcmp(entry->name, "balloon.current") == 0 && entry->type == KILN_STATISTIC_ULLONG)
            return entry->value.count;
    }
    return (domain->memory.current.set ? domain->memory.current : domain->memory.size).value / 1024;
}

static void
on_get_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_info_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    remote_domain_get_info_ret ret = { 0 };
    g_autoptr(KilnDomain) owned = NULL;
    const KilnDomain *domain;

    if (guest == NULL)
        return;
    domain = kiln_ops_document(call, guest, FALSE, &owned);
    if (domain == NULL)
        return;
    ret.state = (unsigned char)kiln_guest_state(guest, NULL);
    ret.maxMem = domain->memory.size.value / 1024;
    ret.memory = current_memory(guest, domain);
    ret.nrVirtCpu = (unsigned short)kiln_ops_vcpus(domain);
    ret.cpuTime = kiln_guest_cpu_time(guest);
    kiln_call_reply(call, &ret);
}

static void
on_is_active(KilnCall *call, gconstpointer data)
{
    const remote_domain_is_active_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    remote_domain_is_active_ret ret;

    if (guest == NULL)
        return;
    ret.active = kiln_guest_is_active(guest);
    kiln_call_reply(call, &ret);
}

static void
on_is_persistent(KilnCall *call, gconstpointer data)
{
    const remote_domain_is_persistent_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    remote_domain_is_persistent_ret ret;

    if (guest == NULL)
        return;
    ret.persistent = kiln_guest_is_persistent(guest);
    kiln_call_reply(call, &ret);
}

static void
on_is_updated(KilnCall *call, gconstpointer data)
{
    const remote_domain_is_updated_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    remote_domain_is_updated_ret ret;

    if (guest == NULL)
        return;
    ret.updated = kiln_guest_is_updated(guest);
    kiln_call_reply(call, &ret);
}

/* ---- Its definition's numbers ---- */

static void
on_get_os_type(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_os_type_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    remote_domain_get_os_type_ret ret = { (char *)"hvm" }; /* there is no other */

    if (guest != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_get_max_memory(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_max_memory_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    remote_domain_get_max_memory_ret ret;
    g_autoptr(KilnDomain) owned = NULL;
    const KilnDomain *domain;

    if (guest == NULL)
        return;
    domain = kiln_ops_document(call, guest, FALSE, &owned);
    if (domain == NULL)
        return;
    ret.memory = domain->memory.size.value / 1024;
    kiln_call_reply(call, &ret);
}

static void
on_get_max_vcpus(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_max_vcpus_args *args = data;
    KilnGuest *guest = kiln_ops_active_guest(call, &args->dom);
    remote_domain_get_max_vcpus_ret ret;
    g_autoptr(KilnDomain) owned = NULL;
    const KilnDomain *domain;

    if (guest == NULL)
        return;
    domain = kiln_ops_document(call, guest, FALSE, &owned);
    if (domain == NULL)
        return;
    ret.num = (int)kiln_ops_max_vcpus(domain);
    kiln_call_reply(call, &ret);
}

/* ---- Autostart ---- */

static void
on_get_autostart(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_autostart_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    remote_domain_get_autostart_ret ret;

    if (guest == NULL)
        return;
    ret.autostart = kiln_guest_autostart(guest);
    kiln_call_reply(call, &ret);
}

static void
on_set_autostart(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_autostart_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);

    if (guest == NULL)
        return;
    if (!kiln_guest_is_persistent(guest))
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID,
                       "cannot set autostart for transient domain");
    else
        kiln_guest_set_autostart(guest, args->autostart != 0, kiln_ops_done, call);
}

/* ---- What is under way: nothing, ever ---- */

static void
on_get_control_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_control_info_args *args = data;
    remote_domain_get_control_info_ret ret = { .state = VIR_DOMAIN_CONTROL_OK };

    if (kiln_ops_check_flags(call, args->flags, 0) &&
        kiln_ops_active_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_get_job_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_job_info_args *args = data;
    remote_domain_get_job_info_ret ret = { .type = VIR_DOMAIN_JOB_NONE };

    if (kiln_ops_active_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_get_job_stats(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_job_stats_args *args = data;
    remote_domain_get_job_stats_ret ret = { .type = VIR_DOMAIN_JOB_NONE };
    gboolean completed = (args->flags & VIR_DOMAIN_JOB_STATS_COMPLETED) != 0;

    if (!kiln_ops_check_flags(call, args->flags,
                              VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED))
        return;
    if ((completed ? kiln_ops_guest : kiln_ops_active_guest)(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_get_block_job_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_block_job_info_args *args = data;
    remote_domain_get_block_job_info_ret ret = { .found = 0 };

    if (kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES) &&
        kiln_ops_active_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
abort_job(KilnCall *call, const remote_nonnull_domain *about)
{
    if (kiln_ops_active_guest(call, about) != NULL)
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "no job is active on the domain");
}

static void
on_abort_job(KilnCall *call, gconstpointer data)
{
    const remote_domain_abort_job_args *args = data;

    abort_job(call, &args->dom);
}

static void
on_abort_job_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_abort_job_flags_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_ABORT_JOB_POSTCOPY))
        abort_job(call, &args->dom);
}

static void
on_get_messages(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_messages_args *args = data;
    remote_domain_get_messages_ret ret = { 0 };

    if (kiln_ops_check_flags(call, args->flags,
                             VIR_DOMAIN_MESSAGE_DEPRECATION | VIR_DOMAIN_MESSAGE_TAINTING) &&
        kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

/* ---- Security drivers: none ---- */

static void
on_get_security_label(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_security_label_args *args = data;
    char none[] = "";
    remote_domain_get_security_label_ret ret = { { 1, none }, FALSE };

    if (kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_get_security_label_list(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_security_label_list_args *args = data;
    remote_domain_get_security_label_list_ret ret = { 0 };

    if (kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_get_security_model(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    char none[] = "";
    remote_node_get_security_model_ret ret = { { 1, none }, { 1, none } };

    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_STATE, domain_get_state, KILN_ACCESS_READ, on_get_state),
    KILN_PROC(DOMAIN_GET_INFO, domain_get_info, KILN_ACCESS_READ, on_get_info),
    KILN_PROC(DOMAIN_IS_ACTIVE, domain_is_active, KILN_ACCESS_READ, on_is_active),
    KILN_PROC(DOMAIN_IS_PERSISTENT, domain_is_persistent, KILN_ACCESS_READ, on_is_persistent),
    KILN_PROC(DOMAIN_IS_UPDATED, domain_is_updated, KILN_ACCESS_READ, on_is_updated),
    KILN_PROC(DOMAIN_GET_OS_TYPE, domain_get_os_type, KILN_ACCESS_READ, on_get_os_type),
    KILN_PROC(DOMAIN_GET_MAX_MEMORY, domain_get_max_memory, KILN_ACCESS_READ, on_get_max_memory),
    KILN_PROC(DOMAIN_GET_MAX_VCPUS, domain_get_max_vcpus, KILN_ACCESS_READ, on_get_max_vcpus),
    KILN_PROC(DOMAIN_GET_AUTOSTART, domain_get_autostart, KILN_ACCESS_READ, on_get_autostart),
    KILN_PROC_ARGS(DOMAIN_SET_AUTOSTART, domain_set_autostart, KILN_ACCESS_WRITE, on_set_autostart),
    KILN_PROC(DOMAIN_GET_CONTROL_INFO, domain_get_control_info, KILN_ACCESS_READ,
              on_get_control_info),
    KILN_PROC(DOMAIN_GET_JOB_INFO, domain_get_job_info, KILN_ACCESS_READ, on_get_job_info),
    KILN_PROC(DOMAIN_GET_JOB_STATS, domain_get_job_stats, KILN_ACCESS_READ, on_get_job_stats),
    KILN_PROC(DOMAIN_GET_BLOCK_JOB_INFO, domain_get_block_job_info, KILN_ACCESS_READ,
              on_get_block_job_info),
    KILN_PROC_ARGS(DOMAIN_ABORT_JOB, domain_abort_job, KILN_ACCESS_WRITE, on_abort_job),
    KILN_PROC_ARGS(DOMAIN_ABORT_JOB_FLAGS, domain_abort_job_flags, KILN_ACCESS_WRITE,
                   on_abort_job_flags),
    KILN_PROC(DOMAIN_GET_MESSAGES, domain_get_messages, KILN_ACCESS_READ, on_get_messages),
    KILN_PROC(DOMAIN_GET_SECURITY_LABEL, domain_get_security_label, KILN_ACCESS_READ,
              on_get_security_label),
    KILN_PROC(DOMAIN_GET_SECURITY_LABEL_LIST, domain_get_security_label_list, KILN_ACCESS_READ,
              on_get_security_label_list),
    KILN_PROC_RET(NODE_GET_SECURITY_MODEL, node_get_security_model, KILN_ACCESS_READ,
                  on_get_security_model),
};

const KilnProcedureTable kiln_ops_domain_info = { rows, G_N_ELEMENTS(rows) };
