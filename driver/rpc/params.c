/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See params.h. */
#include "rpc/params.h"

#include "error/vir-error.h"

#include <string.h>

/* Indexed by VIR_TYPED_PARAM_*. */
static const char *const type_names[] = { "unknown", "int",    "uint",    "llong",
                                          "ullong",  "double", "boolean", "string" };

void
kiln_params_init(KilnParams *params)
{
    *params = (KilnParams){ .values = NULL };
}

void
kiln_params_clear(KilnParams *params)
{
    for (guint i = 0; i < params->n; i++) {
        if (params->names == NULL)
            g_free(params->values[i].field);
        if (params->values[i].value.type == VIR_TYPED_PARAM_STRING)
            g_free(params->values[i].value.remote_typed_param_value_u.s);
    }
    g_free(params->values);
    kiln_params_init(params);
}

/* Returns: the place of a new value. */
static remote_typed_param_value *
add(KilnParams *params, const char *field, int type)
{
    remote_typed_param *param;

    if (params->n == params->allocated) {
        params->allocated = params->allocated == 0 ? 16 : 2 * params->allocated;
        params->values = g_renew(remote_typed_param, params->values, params->allocated);
    }
    param = &params->values[params->n++];
    param->field =
        params->names != NULL ? g_string_chunk_insert(params->names, field) : g_strdup(field);
    param->value.type = type;
    return &param->value;
}

void
kiln_params_add_int(KilnParams *params, const char *field, gint32 value)
{
    add(params, field, VIR_TYPED_PARAM_INT)->remote_typed_param_value_u.i = value;
}

void
kiln_params_add_uint(KilnParams *params, const char *field, guint32 value)
{
    add(params, field, VIR_TYPED_PARAM_UINT)->remote_typed_param_value_u.ui = value;
}

void
kiln_params_add_llong(KilnParams *params, const char *field, gint64 value)
{
    add(params, field, VIR_TYPED_PARAM_LLONG)->remote_typed_param_value_u.l = value;
}

void
kiln_params_add_ullong(KilnParams *params, const char *field, guint64 value)
{
    add(params, field, VIR_TYPED_PARAM_ULLONG)->remote_typed_param_value_u.ul = value;
}

void
kiln_params_add_double(KilnParams *params, const char *field, double value)
{
    add(params, field, VIR_TYPED_PARAM_DOUBLE)->remote_typed_param_value_u.d = value;
}

void
kiln_params_add_boolean(KilnParams *params, const char *field, gboolean value)
{
    add(params, field, VIR_TYPED_PARAM_BOOLEAN)->remote_typed_param_value_u.b = value;
}

void
kiln_params_add_string(KilnParams *params, const char *field, const char *value)
{
    add(params, field, VIR_TYPED_PARAM_STRING)->remote_typed_param_value_u.s =
        g_strdup(value != NULL ? value : "");
}

static const char *
type_name(int type)
{
    return type > 0 && (guint)type < G_N_ELEMENTS(type_names) ? type_names[type] : type_names[0];
}

static const KilnParamRule *
rule_of(const KilnParamRule *rules, const char *field)
{
    for (const KilnParamRule *rule = rules; rule->field != NULL; rule++)
        if (strcmp(rule->field, field) == 0)
            return rule;
    return NULL;
}

gboolean
kiln_params_check(const remote_typed_param *values, guint n, const KilnParamRule *rules,
                  GError **error)
{
    for (guint i = 0; i < n; i++) {
        const remote_typed_param *value = &values[i];
        const KilnParamRule *rule = rule_of(rules, value->field);

        if (rule == NULL)
            return kiln_vir_error_set(error, VIR_ERR_ARGUMENT_UNSUPPORTED,
                                      "parameter '%s' not supported", value->field);
        if (value->value.type != rule->type)
            return kiln_vir_error_set(
                error, VIR_ERR_INVALID_ARG, "invalid type '%s' for parameter '%s', expected '%s'",
                type_name(value->value.type), value->field, type_name(rule->type));
        if (!rule->several && kiln_params_find(values, i, value->field) != NULL)
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                      "parameter '%s' occurs multiple times", value->field);
    }
    return TRUE;
}

const remote_typed_param *
kiln_params_find(const remote_typed_param *values, guint n, const char *field)
{
    for (guint i = 0; i < n; i++)
        if (strcmp(values[i].field, field) == 0)
            return &values[i];
    return NULL;
}

static gboolean
not_negative(gint64 value, guint64 *result)
{
    if (value < 0)
        return FALSE;
    *result = (guint64)value;
    return TRUE;
}

gboolean
kiln_params_get_unsigned(const remote_typed_param *values, guint n, const char *field,
                         guint64 *value)
{
    const remote_typed_param *param = kiln_params_find(values, n, field);

    if (param == NULL)
        return FALSE;
    switch (param->value.type) {
    case VIR_TYPED_PARAM_INT: return not_negative(param->value.remote_typed_param_value_u.i, value);
    case VIR_TYPED_PARAM_LLONG:
        return not_negative(param->value.remote_typed_param_value_u.l, value);
    case VIR_TYPED_PARAM_UINT: *value = param->value.remote_typed_param_value_u.ui; return TRUE;
    case VIR_TYPED_PARAM_ULLONG: *value = param->value.remote_typed_param_value_u.ul; return TRUE;
    default: return FALSE;
    }
}
