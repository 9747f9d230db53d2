/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys that a user sends without a display (virDomainSendKey); see machine.h. */
#include "base/error.h"
#include "machine/private.h"

#include <string.h>

enum { MAX_HOLD_MS = 60000 };

/* FALSE: the keyboard does not have a key; those before it were pressed. */
static gboolean
press(KilnMachineHeldKeys *held, gboolean down)
{
    guint i = 0;

    while (i < held->n && kiln_inputs_key(held->inputs, held->keys[i], down))
        i++;
    kiln_inputs_sync(held->inputs);
    return i == held->n;
}

static gboolean
let_go(gpointer data)
{
    KilnMachineHeldKeys *held = data;

    held->source = 0;
    (void)press(held, FALSE);
    return G_SOURCE_REMOVE;
}

gboolean
kiln_machine_send_keys(KilnMachine *machine, const guint16 *keys, guint n, guint hold_ms,
                       GError **error)
{
    KilnMachineHeldKeys *held = &machine->held;

    if (machine->state != KILN_MACHINE_RUNNING)
        return kiln_error_set(error, KILN_ERROR_STATE, "the guest is %s",
                              kiln_machine_state_name(machine->state));
    if (machine->inputs == NULL || !kiln_inputs_has_keyboard(machine->inputs))
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "the guest has no keyboard: its definition lacks <input "
                              "type='keyboard' bus='virtio'/>");
    if (n == 0 || n > KILN_MACHINE_MAX_KEYS || hold_ms > MAX_HOLD_MS)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "1 to %d keys can be held for %d ms at most", KILN_MACHINE_MAX_KEYS,
                              MAX_HOLD_MS);
    if (held->source != 0) { /* the ones before */
        g_source_remove(held->source);
        (void)let_go(held);
    }
    held->inputs = machine->inputs;
    held->n = n;
    memcpy(held->keys, keys, n * sizeof *keys);
    if (!press(held, TRUE)) {
        (void)press(held, FALSE);
        return kiln_error_set(error, KILN_ERROR_INVALID, "the keyboard has no such key");
    }
    held->source = g_timeout_add(hold_ms, let_go, held);
    return TRUE;
}
