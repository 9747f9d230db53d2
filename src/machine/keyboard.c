/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys that a user sends without a display (virDomainSendKey); see machine.h. */
#include "base/error.h"
#include "device/virtio-input.h"
#include "machine/private.h"

#include <linux/input-event-codes.h>
#include <linux/virtio_ids.h>
#include <string.h>

enum { MAX_HOLD_MS = 60000 };

static void
press(KilnMachineHeldKeys *held, gboolean down)
{
    for (guint i = 0; i < held->n; i++)
        kiln_virtio_input_key(held->keyboard, held->keys[i], down);
    (void)kiln_virtio_input_sync(held->keyboard);
}

static gboolean
let_go(gpointer data)
{
    KilnMachineHeldKeys *held = data;

    held->source = 0;
    press(held, FALSE);
    return G_SOURCE_REMOVE;
}

/* A mouse has keys too: a keyboard is what has letters. */
static KilnVirtioDevice *
find_keyboard(const KilnMachine *machine)
{
    for (guint i = 0; i < machine->virtios->len; i++) {
        KilnVirtioDevice *device = g_ptr_array_index(machine->virtios, i);

        if (device->ops->id == VIRTIO_ID_INPUT && kiln_virtio_input_has(device, EV_KEY, KEY_A))
            return device;
    }
    return NULL;
}

gboolean
kiln_machine_send_keys(KilnMachine *machine, const guint16 *keys, guint n, guint hold_ms,
                       GError **error)
{
    KilnMachineHeldKeys *held = &machine->held;
    KilnVirtioDevice *keyboard = find_keyboard(machine);

    if (machine->state != KILN_MACHINE_RUNNING)
        return kiln_error_set(error, KILN_ERROR_STATE, "the guest is %s",
                              kiln_machine_state_name(machine->state));
    if (keyboard == NULL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "the guest has no keyboard: its definition lacks <input "
                              "type='keyboard' bus='virtio'/>");
    if (n == 0 || n > KILN_MACHINE_MAX_KEYS || hold_ms > MAX_HOLD_MS)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "1 to %d keys can be held for %d ms at most", KILN_MACHINE_MAX_KEYS,
                              MAX_HOLD_MS);
    for (guint i = 0; i < n; i++) {
        if (!kiln_virtio_input_has(keyboard, EV_KEY, keys[i]))
            return kiln_error_set(error, KILN_ERROR_INVALID, "the keyboard has no key %u", keys[i]);
    }
    if (held->source != 0) { /* the ones before */
        g_source_remove(held->source);
        (void)let_go(held);
    }
    held->keyboard = keyboard;
    held->n = n;
    memcpy(held->keys, keys, n * sizeof *keys);
    press(held, TRUE);
    held->source = g_timeout_add(hold_ms, let_go, held);
    return TRUE;
}
