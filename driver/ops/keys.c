/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and the interrupt button: what a person does at a machine that needs no screen. */
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>

enum {
    LAST_COMMON_KEY = 0x53, /* up to here Linux's numbers are those of the first scan code set */
    DEFAULT_HOLD_MS = 100,  /* as libvirt's QEMU driver */
    MAX_KEY = G_MAXUINT16,
};

/* Returns: whether @code of @set has a number in Linux's set that is known here. */
static gboolean
translate(unsigned set, unsigned code, guint16 *key)
{
    gboolean same = set == VIR_KEYCODE_SET_LINUX && code <= MAX_KEY;
    gboolean scan = (set == VIR_KEYCODE_SET_XT || set == VIR_KEYCODE_SET_ATSET1 ||
                     set == VIR_KEYCODE_SET_XT_KBD || set == VIR_KEYCODE_SET_QNUM) &&
                    code <= LAST_COMMON_KEY;

    *key = (guint16)code;
    return code > 0 && (same || scan);
}

static void
on_send_key(KilnCall *call, gconstpointer data)
{
    const remote_domain_send_key_args *args = data;
    guint16 keys[VIR_DOMAIN_SEND_KEY_MAX_KEYS];
    guint n = args->keycodes.keycodes_len;
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (n == 0 || n > VIR_DOMAIN_SEND_KEY_MAX_KEYS) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "%u keys were given; 1 to %d can be sent", n,
                       VIR_DOMAIN_SEND_KEY_MAX_KEYS);
        return;
    }
    for (guint i = 0; i < n; i++) {
        if (!translate(args->codeset, args->keycodes.keycodes_val[i], &keys[i])) {
            kiln_call_fail(call, VIR_ERR_ARGUMENT_UNSUPPORTED,
                           "key code %u of code set %u is not known; the code set 'linux' has all",
                           args->keycodes.keycodes_val[i], args->codeset);
            return;
        }
    }
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    kiln_guest_call(
        guest, "SendKeys",
        g_variant_new("(@aqu)",
                      g_variant_new_fixed_array(G_VARIANT_TYPE_UINT16, keys, n, sizeof keys[0]),
                      args->holdtime != 0 ? args->holdtime : DEFAULT_HOLD_MS),
        NULL, KILN_GUEST_CALL_MS, kiln_ops_answered, call);
}

static void
on_inject_nmi(KilnCall *call, gconstpointer data)
{
    const remote_domain_inject_nmi_args *args = data;
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest != NULL)
        kiln_guest_call(guest, "InjectNmi", NULL, NULL, KILN_GUEST_CALL_MS, kiln_ops_answered,
                        call);
}

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(DOMAIN_SEND_KEY, domain_send_key, KILN_ACCESS_WRITE, on_send_key),
    KILN_PROC_ARGS(DOMAIN_INJECT_NMI, domain_inject_nmi, KILN_ACCESS_WRITE, on_inject_nmi),
};
const KilnProcedureTable kiln_ops_keys = { rows, G_N_ELEMENTS(rows) };
