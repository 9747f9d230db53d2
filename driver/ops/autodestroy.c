/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that run no longer than the client stays that started them. */
#include "ops/lifecycle.h"

#include "ops/agent.h"

#include <libvirt/libvirt.h>

typedef struct {
    KilnGuest *guest;   /* (owned) */
    KilnClient *client; /* (owned) */
    guint on_close;
} Bond;

static GHashTable *bonds; /* of KilnGuest (borrowed) to Bond (owned) */

static void
bond_free(gpointer data)
{
    Bond *bond = data;

    if (bond->on_close != 0)
        kiln_client_off_close(bond->client, bond->on_close);
    kiln_client_unref(bond->client);
    kiln_guest_unref(bond->guest);
    g_free(bond);
}

static void
ignore(G_GNUC_UNUSED KilnGuest *guest, G_GNUC_UNUSED const GError *error,
       G_GNUC_UNUSED gpointer data)
{
}

static void
client_left(G_GNUC_UNUSED KilnClient *client, gpointer data)
{
    Bond *bond = data;
    g_autoptr(KilnGuest) guest = kiln_guest_ref(bond->guest);

    bond->on_close = 0;
    g_hash_table_remove(bonds, guest);
    if (kiln_guest_is_active(guest))
        kiln_guest_destroy(guest, FALSE, ignore, NULL);
}

void
kiln_ops_started(const KilnOpsStart *start, KilnGuest *guest)
{
    KilnClient *client = kiln_call_client(start->call);
    Bond *bond;

    if ((start->flags & VIR_DOMAIN_START_AUTODESTROY) == 0)
        return;
    if (kiln_client_is_closed(client)) {
        kiln_guest_destroy(guest, FALSE, ignore, NULL);
        return;
    }
    if (bonds == NULL)
        bonds = g_hash_table_new_full(NULL, NULL, NULL, bond_free);
    bond = g_new0(Bond, 1);
    bond->guest = kiln_guest_ref(guest);
    bond->client = kiln_client_ref(client);
    bond->on_close = kiln_client_on_close(client, client_left, bond);
    g_hash_table_replace(bonds, guest, bond);
}

void
kiln_ops_stopped(KilnGuest *guest)
{
    kiln_ops_agent_stopped(guest);
    if (bonds != NULL)
        g_hash_table_remove(bonds, guest);
}
