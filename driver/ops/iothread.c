/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* I/O threads come and go with the definition; a process that runs keeps those that it has. */
#include "ops/iothread.h"

#include "domain/edit.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/usage.h"
#include "rpc/params.h"

#include <libvirt/libvirt.h>

enum { AFFECT = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, MAX_IOTHREADS = 1024 };

static int
compare_ids(gconstpointer a, gconstpointer b)
{
    guint first = *(const guint *)a;
    guint second = *(const guint *)b;

    return first < second ? -1 : first > second;
}

static gboolean
is_named(const KilnIothreads *threads, guint id)
{
    for (guint i = 0; i < threads->list->len; i++)
        if (((const KilnIothread *)g_ptr_array_index(threads->list, i))->id.value == id)
            return TRUE;
    return FALSE;
}

GArray *
kiln_ops_iothread_ids(const KilnIothreads *threads)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint));
    guint n = (guint)MIN(MAX(threads->count.value, threads->list->len), MAX_IOTHREADS);

    for (guint i = 0; i < threads->list->len; i++) {
        guint id = (guint)((const KilnIothread *)g_ptr_array_index(threads->list, i))->id.value;

        g_array_append_val(ids, id);
    }
    for (guint id = 1; ids->len < n; id++)
        if (!is_named(threads, id))
            g_array_append_val(ids, id);
    g_array_sort(ids, compare_ids);
    return ids;
}

/* From now on every one has its name, so that adding and removing changes no other's. */
static void
name_all(KilnIothreads *threads)
{
    g_autoptr(GArray) ids = kiln_ops_iothread_ids(threads);

    for (guint i = 0; i < ids->len; i++) {
        guint id = g_array_index(ids, guint, i);
        KilnIothread *thread;

        if (is_named(threads, id))
            continue;
        thread = g_new0(KilnIothread, 1);
        thread->id = (KilnUint){ TRUE, id };
        g_ptr_array_add(threads->list, thread);
    }
    threads->count = (KilnUint){ threads->list->len > 0, threads->list->len };
}

static gboolean
edit_add(KilnDomain *domain, gpointer data, GError **error)
{
    const remote_domain_add_iothread_args *args = data;
    KilnIothreads *threads = &domain->iothreads;
    KilnIothread *thread;

    if (kiln_iothreads_has(threads, args->iothread_id))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "an IOThread is already using iothread_id '%u'",
                                  args->iothread_id);
    name_all(threads);
    thread = g_new0(KilnIothread, 1);
    thread->id = (KilnUint){ TRUE, args->iothread_id };
    g_ptr_array_add(threads->list, thread);
    threads->count = (KilnUint){ TRUE, threads->list->len };
    kiln_domain_changed(domain);
    return TRUE;
}

/* FALSE with @error set if a device wants that thread. */
static gboolean
is_unused(const KilnDomain *domain, guint id, GError **error)
{
    for (guint i = 0; i < domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (disk->driver.iothread.set && disk->driver.iothread.value == id)
            return kiln_vir_error_set(
                error, VIR_ERR_INVALID_ARG,
                "cannot remove IOThread %u since it is being used by disk '%s'", id,
                disk->target_dev);
    }
    for (guint i = 0; i < domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(domain->controllers, i);

        if (controller->driver.iothread.set && controller->driver.iothread.value == id)
            return kiln_vir_error_set(
                error, VIR_ERR_INVALID_ARG,
                "cannot remove IOThread '%u' since it is being used by controller", id);
    }
    return TRUE;
}

static gboolean
edit_del(KilnDomain *domain, gpointer data, GError **error)
{
    const remote_domain_del_iothread_args *args = data;
    KilnIothreads *threads = &domain->iothreads;
    GPtrArray *pins = domain->cputune.iothread_pins;

    if (!kiln_iothreads_has(threads, args->iothread_id))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "cannot find IOThread '%u' in iothreadids list",
                                  args->iothread_id);
    if (!is_unused(domain, args->iothread_id, error))
        return FALSE;
    name_all(threads);
    for (guint i = threads->list->len; i-- > 0;)
        if (((const KilnIothread *)g_ptr_array_index(threads->list, i))->id.value ==
            args->iothread_id)
            kiln_iothread_free(g_ptr_array_remove_index(threads->list, i));
    for (guint i = pins->len; i-- > 0;)
        if (((const KilnPin *)g_ptr_array_index(pins, i))->thread.value == args->iothread_id)
            kiln_pin_free(g_ptr_array_remove_index(pins, i));
    threads->count = (KilnUint){ threads->list->len > 0, threads->list->len };
    kiln_domain_changed(domain);
    return TRUE;
}

/* A change of I/O threads, of the definition only. */
static void
change(KilnCall *call, const remote_nonnull_domain *dom, guint id, unsigned flags,
       KilnGuestEdit edit, gconstpointer args)
{
    KilnGuest *guest = kiln_ops_guest(call, dom);
    gboolean config;
    gboolean live;

    if (guest == NULL || !kiln_ops_check_flags(call, flags, AFFECT))
        return;
    if (id == 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "invalid value of 0 for iothread_id");
        return;
    }
    if (!kiln_ops_affects(call, guest, flags, &live, &config))
        return;
    if (live)
        kiln_ops_refuse_live(call, "changing the I/O threads");
    else
        kiln_ops_edit(call, guest, edit, args);
}

static void
on_add_iothread(KilnCall *call, gconstpointer data)
{
    const remote_domain_add_iothread_args *args = data;

    change(call, &args->dom, args->iothread_id, args->flags, edit_add, args);
}

static void
on_del_iothread(KilnCall *call, gconstpointer data)
{
    const remote_domain_del_iothread_args *args = data;

    change(call, &args->dom, args->iothread_id, args->flags, edit_del, args);
}

static const KilnParamRule thread_rules[] = {
    { VIR_DOMAIN_IOTHREAD_POLL_MAX_NS, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_IOTHREAD_POLL_GROW, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_IOTHREAD_POLL_SHRINK, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_IOTHREAD_THREAD_POOL_MIN, VIR_TYPED_PARAM_INT, FALSE },
    { VIR_DOMAIN_IOTHREAD_THREAD_POOL_MAX, VIR_TYPED_PARAM_INT, FALSE },
    { NULL, 0, FALSE },
};

/* Of one number: -1 is as if it were not said. */
static void
take_pool(const remote_typed_param *values, guint n, const char *field, KilnUint *pool)
{
    const remote_typed_param *param = kiln_params_find(values, n, field);
    int value = param != NULL ? param->value.remote_typed_param_value_u.i : -1;

    if (param != NULL)
        *pool = (KilnUint){ value >= 0, value >= 0 ? (guint64)value : 0 };
}

static gboolean
edit_params(KilnDomain *domain, gpointer data, GError **error)
{
    const remote_domain_set_iothread_params_args *args = data;
    const remote_typed_param *values = args->params.params_val;
    guint n = args->params.params_len;

    if (!kiln_iothreads_has(&domain->iothreads, args->iothread_id))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "cannot find IOThread '%u' in iothreadids list",
                                  args->iothread_id);
    name_all(&domain->iothreads);
    for (guint i = 0; i < domain->iothreads.list->len; i++) {
        KilnIothread *thread = g_ptr_array_index(domain->iothreads.list, i);

        if (thread->id.value != args->iothread_id)
            continue;
        take_pool(values, n, VIR_DOMAIN_IOTHREAD_THREAD_POOL_MIN, &thread->pool_min);
        take_pool(values, n, VIR_DOMAIN_IOTHREAD_THREAD_POOL_MAX, &thread->pool_max);
    }
    kiln_domain_changed(domain);
    return TRUE;
}

static void
on_set_iothread_params(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_iothread_params_args *args = data;
    g_autoptr(GError) error = NULL;

    if (!kiln_params_check(args->params.params_val, args->params.params_len, thread_rules,
                           &error)) {
        kiln_call_fail_error(call, error);
        return;
    }
    if (kiln_params_find(args->params.params_val, args->params.params_len,
                         VIR_DOMAIN_IOTHREAD_POLL_MAX_NS) != NULL ||
        kiln_params_find(args->params.params_val, args->params.params_len,
                         VIR_DOMAIN_IOTHREAD_POLL_GROW) != NULL ||
        kiln_params_find(args->params.params_val, args->params.params_len,
                         VIR_DOMAIN_IOTHREAD_POLL_SHRINK) != NULL) {
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "kiln's I/O threads do not poll: poll_max_ns, poll_grow and poll_shrink "
                       "have no meaning");
        return;
    }
    change(call, &args->dom, args->iothread_id, args->flags, edit_params, args);
}

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(DOMAIN_ADD_IOTHREAD, domain_add_iothread, KILN_ACCESS_WRITE, on_add_iothread),
    KILN_PROC_ARGS(DOMAIN_DEL_IOTHREAD, domain_del_iothread, KILN_ACCESS_WRITE, on_del_iothread),
    KILN_PROC_ARGS(DOMAIN_SET_IOTHREAD_PARAMS, domain_set_iothread_params, KILN_ACCESS_WRITE,
                   on_set_iothread_params),
};
const KilnProcedureTable kiln_ops_iothread = { rows, G_N_ELEMENTS(rows) };
