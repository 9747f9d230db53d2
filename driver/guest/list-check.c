/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See list-check.h. */
#include "guest/list-check.h"

#include "base/log.h"
#include "guest/guest-private.h"

/* A twentieth of the main thread's time, and of a call's delay a millisecond. */
enum { PAUSE_MS = 20, TURN_US = 1000 };

struct KilnIdleCheck {
    KilnGuestList *list;
    GPtrArray *names; /* still to be looked at */
    guint source;
};

static void
check_one(KilnIdleCheck *check)
{
    g_autofree char *name = g_ptr_array_steal_index_fast(check->names, check->names->len - 1);
    KilnGuest *guest = kiln_guest_list_find(check->list, name);
    g_autoptr(GError) error = NULL;

    if (guest == NULL || !guest->persistent || guest->busy)
        return; /* gone, or about to be another one */
    if (!kiln_store_check(check->list->store, name, &error))
        kiln_log(KILN_LOG_ERROR, "the definition of '%s' is broken: %s", name, error->message);
}

static gboolean
on_turn(gpointer data)
{
    KilnIdleCheck *check = data;
    gint64 end = g_get_monotonic_time() + TURN_US;

    while (check->names->len > 0 && g_get_monotonic_time() < end)
        check_one(check);
    if (check->names->len > 0)
        return G_SOURCE_CONTINUE;
    g_clear_pointer(&check->names, g_ptr_array_unref);
    check->source = 0;
    return G_SOURCE_REMOVE;
}

static void
add_name(KilnGuest *guest, gpointer names)
{
    g_ptr_array_add(names, g_strdup(guest->name));
}

KilnIdleCheck *
kiln_list_check_begin(KilnGuestList *list)
{
    KilnIdleCheck *check = g_new0(KilnIdleCheck, 1);

    check->list = list;
    check->names = g_ptr_array_new_with_free_func(g_free);
    kiln_guest_list_foreach(list, add_name, check->names);
    check->source = g_timeout_add_full(G_PRIORITY_LOW, PAUSE_MS, on_turn, check, NULL);
    return check;
}

void
kiln_list_check_end(KilnIdleCheck *check)
{
    if (check == NULL)
        return;
    if (check->source != 0)
        (void)g_source_remove(check->source);
    g_clear_pointer(&check->names, g_ptr_array_unref);
    g_free(check);
}
