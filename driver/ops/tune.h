/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the calls have in common that get and set typed parameters of a domain. */
#ifndef KILN_OPS_TUNE_H
#define KILN_OPS_TUNE_H

#include "ops/usage.h"
#include "rpc/params.h"

#include <libvirt/libvirt.h>

/**
 * KilnTuning: one family of parameters
 * @rules: what may be set
 * @check: (nullable): what depends on more than a type
 * @live: (nullable): makes them so of what runs; NULL: can't be done
 * @config: makes them so in a definition
 * @what: for the refusal of what can't be done live
 * @tunable: (nullable): what goes before their names in the event of a live change
 */
typedef struct {
    const KilnParamRule *rules;
    gboolean (*live)(KilnGuest *guest, const remote_typed_param *values, guint n, GError **error);
    gboolean (*config)(KilnDomain *domain, const char *device, const remote_typed_param *values,
                       guint n, GError **error);
    const char *what;
    const char *tunable;
} KilnTuning;

/**
 * kiln_ops_tune:
 * @device: (nullable): disk or interface
 * @values, @n: of the arguments
 *
 * Checks, does it live, then in the definition, as @flags say.  Ends the call.
 */
void kiln_ops_tune(KilnCall *call, const remote_nonnull_domain *dom, unsigned flags,
                   const KilnTuning *tuning, const char *device, const remote_typed_param *values,
                   guint n);

/* VIR_DOMAIN_EVENT_ID_TUNABLE: what of a guest that runs was changed; names are
 * VIR_DOMAIN_TUNABLE_*. */
void kiln_ops_tell_tuned(KilnCall *call, const KilnGuest *guest, const KilnParams *params);

/* A number of @field as it was set, if it was. */
void kiln_ops_take(const remote_typed_param *values, guint n, const char *field, KilnUint *number);

/* Flags of all these calls. */
enum {
    KILN_TUNE_FLAGS = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
    KILN_TUNE_GET_FLAGS = KILN_TUNE_FLAGS | VIR_TYPED_PARAM_STRING_OKAY,
};

/* How many of @params go into an answer for @wanted: all if it wants to know how many there are. */
guint kiln_ops_limit(const KilnParams *params, int wanted);

#endif
