/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU models: their names, comparing them with the host's, what several hosts have in common. */
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "caps/cpu-definition.h"
#include "caps/machines.h"

static const char *
text_of(const remote_string text)
{
    return text != NULL ? *text : NULL;
}

static void
on_model_names(KilnCall *call, gconstpointer data)
{
    const remote_connect_get_cpu_model_names_args *args = data;
    guint n;
    const KilnCpuModel *models = kiln_cpu_models(&n);
    g_autofree char **names = g_new(char *, n);
    remote_connect_get_cpu_model_names_ret ret = { .ret = (int)n };

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (strcmp(args->arch, "x86_64") != 0 && strcmp(args->arch, "i686") != 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "no guests of architecture '%s' run here",
                       args->arch);
        return;
    }
    for (guint i = 0; i < n; i++)
        names[i] = (char *)models[i].name;
    if (args->need_results) {
        ret.models.models_val = names;
        ret.models.models_len = n;
    }
    kiln_call_reply(call, &ret);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static void
compare(KilnCall *call, const char *xml, guint flags, gboolean hypervisor)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnCpuDefinition) cpu = NULL;
    g_autofree char *message = NULL;
    remote_connect_compare_cpu_ret ret; /* both answers are a number */

    G_STATIC_ASSERT(sizeof ret == sizeof(remote_connect_compare_hypervisor_cpu_ret));
    cpu =
        kiln_cpu_definition_parse(xml, (flags & VIR_CONNECT_COMPARE_CPU_VALIDATE_XML) != 0, &error);
    ret.result =
        cpu != NULL ? kiln_cpu_compare(cpu, hypervisor, &message, &error) : VIR_CPU_COMPARE_ERROR;
    if (ret.result == VIR_CPU_COMPARE_ERROR)
        kiln_call_fail_error(call, error);
    else if (ret.result == VIR_CPU_COMPARE_INCOMPATIBLE &&
             (flags & VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE) != 0)
        kiln_call_fail(call, VIR_ERR_CPU_INCOMPATIBLE, "%s", message);
    else
        kiln_call_reply(call, &ret);
}

enum {
    COMPARE_FLAGS =
        VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE | VIR_CONNECT_COMPARE_CPU_VALIDATE_XML,
    BASELINE_FLAGS = VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES | VIR_CONNECT_BASELINE_CPU_MIGRATABLE,
};

static void
on_compare(KilnCall *call, gconstpointer data)
{
    const remote_connect_compare_cpu_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, COMPARE_FLAGS))
        compare(call, args->xml, args->flags, FALSE);
}

static gboolean
check_target(KilnCall *call, const remote_string emulator, const remote_string arch,
             const remote_string machine, const remote_string virttype)
{
    g_autoptr(GError) error = NULL;

    if (kiln_caps_check_target(kiln_ops_driver(call)->program, text_of(emulator), text_of(arch),
                               text_of(machine), text_of(virttype), NULL, &error))
        return TRUE;
    kiln_call_fail_error(call, error);
    return FALSE;
}

static void
on_compare_hypervisor(KilnCall *call, gconstpointer data)
{
    const remote_connect_compare_hypervisor_cpu_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, COMPARE_FLAGS) &&
        check_target(call, args->emulator, args->arch, args->machine, args->virttype))
        compare(call, args->xmlCPU, args->flags, TRUE);
}

/* ---- What several have in common ------------------------------------------------------------- */

static void
baseline(KilnCall *call, char *const *documents, guint n, guint flags, gboolean hypervisor)
{
    g_autoptr(GError) error = NULL;
    remote_connect_baseline_cpu_ret ret; /* both answers are a document */

    G_STATIC_ASSERT(sizeof ret == sizeof(remote_connect_baseline_hypervisor_cpu_ret));
    ret.cpu = kiln_cpu_baseline(documents, n, hypervisor, flags, &error);
    if (ret.cpu == NULL)
        kiln_call_fail_error(call, error);
    else
        kiln_call_reply(call, &ret);
    g_free(ret.cpu);
}

static void
on_baseline(KilnCall *call, gconstpointer data)
{
    const remote_connect_baseline_cpu_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, BASELINE_FLAGS))
        baseline(call, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len, args->flags, FALSE);
}

static void
on_baseline_hypervisor(KilnCall *call, gconstpointer data)
{
    const remote_connect_baseline_hypervisor_cpu_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, BASELINE_FLAGS) &&
        check_target(call, args->emulator, args->arch, args->machine, args->virttype))
        baseline(call, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len, args->flags, TRUE);
}

static const KilnProcedure rows[] = {
    KILN_PROC(CONNECT_GET_CPU_MODEL_NAMES, connect_get_cpu_model_names, KILN_ACCESS_READ,
              on_model_names),
    KILN_PROC(CONNECT_COMPARE_CPU, connect_compare_cpu, KILN_ACCESS_READ, on_compare),
    KILN_PROC(CONNECT_COMPARE_HYPERVISOR_CPU, connect_compare_hypervisor_cpu, KILN_ACCESS_WRITE,
              on_compare_hypervisor),
    KILN_PROC(CONNECT_BASELINE_CPU, connect_baseline_cpu, KILN_ACCESS_READ, on_baseline),
    KILN_PROC(CONNECT_BASELINE_HYPERVISOR_CPU, connect_baseline_hypervisor_cpu, KILN_ACCESS_WRITE,
              on_baseline_hypervisor),
};

const KilnProcedureTable kiln_ops_host_cpu = { rows, G_N_ELEMENTS(rows) };
