/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's typed parameters: {field, type, value}.  A list is built for an answer, or read from
 * arguments, which are a stranger's.
 */
#ifndef KILN_RPC_PARAMS_H
#define KILN_RPC_PARAMS_H

#include "rpc/protocol.h"

#include <glib.h>

/* A list for an answer; `values` and `n` go into its struct and stay this list's. */
typedef struct {
    remote_typed_param *values; /* (owned) */
    guint n;
    guint allocated;     /* private */
    GStringChunk *names; /* (nullable): borrowed: fields' names are put there, for many lists in one
                          * answer; else each is the list's own */
} KilnParams;

void kiln_params_init(KilnParams *params);
void kiln_params_clear(KilnParams *params);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnParams, kiln_params_clear)

void kiln_params_add_int(KilnParams *params, const char *field, gint32 value);
void kiln_params_add_uint(KilnParams *params, const char *field, guint32 value);
void kiln_params_add_llong(KilnParams *params, const char *field, gint64 value);
void kiln_params_add_ullong(KilnParams *params, const char *field, guint64 value);
void kiln_params_add_double(KilnParams *params, const char *field, double value);
void kiln_params_add_boolean(KilnParams *params, const char *field, gboolean value);
/* NULL is "". */
void kiln_params_add_string(KilnParams *params, const char *field, const char *value);

/* What a call takes: names and types, ended by a NULL; `several`: may be there more than once. */
typedef struct {
    const char *field;
    int type; /* VIR_TYPED_PARAM_* */
    gboolean several;
} KilnParamRule;

/**
 * kiln_params_check:
 *
 * Returns: TRUE if every one of @values has a rule and its type, and is there once; else FALSE with
 *   @error a KILN_VIR_ERROR, as libvirt's virTypedParamsValidate.
 */
gboolean kiln_params_check(const remote_typed_param *values, guint n, const KilnParamRule *rules,
                           GError **error);

/* Returns: (transfer none) (nullable): the first of that name. */
const remote_typed_param *kiln_params_find(const remote_typed_param *values, guint n,
                                           const char *field);

/* Returns: whether there is such a number, whatever its integer type; negative ones are not. */
gboolean kiln_params_get_unsigned(const remote_typed_param *values, guint n, const char *field,
                                  guint64 *value);

#endif
