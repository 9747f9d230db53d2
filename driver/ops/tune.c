/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tune.h. */
#include "ops/tune.h"

#include "domain/edit.h"

/* One change under way; what it points at are the call's arguments. */
typedef struct {
    KilnCall *call;
    const KilnTuning *tuning;
    const char *device;
    const remote_typed_param *values;
    guint n;
} Tune;

static gboolean
edit(KilnDomain *domain, gpointer data, GError **error)
{
    const Tune *tune = data;

    kiln_domain_changed(domain);
    return tune->tuning->config(domain, tune->device, tune->values, tune->n, error);
}

static void
edited(KilnGuest *guest, const GError *error, gpointer data)
{
    Tune *tune = data;

    kiln_ops_done(guest, error, tune->call);
    g_free(tune);
}

static void
tell(KilnCall *call, const KilnGuest *guest, const char *before, const remote_typed_param *values,
     guint n)
{
    g_auto(KilnParams) params = { .values = NULL };

    for (guint i = 0; i < n; i++) {
        g_autofree char *field = g_strconcat(before, values[i].field, NULL);

        if (values[i].value.type == VIR_TYPED_PARAM_ULLONG)
            kiln_params_add_ullong(&params, field, values[i].value.remote_typed_param_value_u.ul);
        else if (values[i].value.type == VIR_TYPED_PARAM_LLONG)
            kiln_params_add_llong(&params, field, values[i].value.remote_typed_param_value_u.l);
    }
    kiln_ops_tell_tuned(call, guest, &params);
}

void
kiln_ops_tune(KilnCall *call, const remote_nonnull_domain *dom, unsigned flags,
              const KilnTuning *tuning, const char *device, const remote_typed_param *values,
              guint n)
{
    g_autoptr(GError) error = NULL;
    KilnGuest *guest = kiln_ops_guest(call, dom);
    gboolean config;
    gboolean live;
    Tune *tune;

    if (guest == NULL || !kiln_ops_check_flags(call, flags, KILN_TUNE_FLAGS))
        return;
    if (!kiln_params_check(values, n, tuning->rules, &error)) {
        kiln_call_fail_error(call, error);
        return;
    }
    if (!kiln_ops_affects(call, guest, flags, &live, &config))
        return;
    if (live && tuning->live == NULL) {
        kiln_ops_refuse_live(call, tuning->what);
        return;
    }
    if (live && !tuning->live(guest, values, n, &error)) {
        kiln_call_fail_error(call, error);
        return;
    }
    if (live && tuning->tunable != NULL)
        tell(call, guest, tuning->tunable, values, n);
    if (!config) {
        kiln_call_reply(call, NULL);
        return;
    }
    tune = g_new(Tune, 1);
    *tune = (Tune){ call, tuning, device, values, n };
    kiln_guest_edit(guest, edit, tune, edited, tune);
}

void
kiln_ops_take(const remote_typed_param *values, guint n, const char *field, KilnUint *number)
{
    guint64 value;

    if (kiln_params_get_unsigned(values, n, field, &value))
        *number = (KilnUint){ TRUE, value };
}

guint
kiln_ops_limit(const KilnParams *params, int wanted)
{
    return wanted <= 0 ? params->n : MIN(params->n, (guint)wanted);
}
