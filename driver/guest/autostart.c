/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting by itself, once in the host's life: a file in the runtime directory, which a reboot
 * empties, says that it was done.  It is written when all were begun and have ended or run, so that
 * a daemon that died in between goes on; who runs already is left alone.
 */
#include "base/error.h"
#include "base/log.h"
#include "guest/guest-private.h"
#include "guest/spawn.h"

#include <unistd.h>

#define MARKER ".autostarted"

enum { AT_ONCE = 8 };

typedef struct {
    KilnGuestList *list;
    GPtrArray *guests; /* still to be started; references */
    guint under_way;
    gboolean starting; /* in next(): who fails at once is not followed from there */
} Autostart;

static void
collect(KilnGuest *guest, gpointer guests)
{
    if (guest->autostart && guest->run == NULL)
        g_ptr_array_add(guests, kiln_guest_ref(guest));
}

static void
finish(Autostart *autostart)
{
    g_autofree char *marker = g_build_filename(autostart->list->runtime_dir, MARKER, NULL);
    g_autoptr(GError) error = NULL;

    if (!kiln_spawn_write_document(marker, "", &error))
        kiln_log(KILN_LOG_WARNING, "%s", error->message);
    g_ptr_array_unref(autostart->guests);
    g_free(autostart);
}

static void next(Autostart *autostart);

static void
on_started(KilnGuest *guest, const GError *error, gpointer data)
{
    Autostart *autostart = data;

    autostart->under_way--;
    if (error != NULL)
        kiln_log(KILN_LOG_ERROR, "guest '%s' did not start by itself: %s", guest->name,
                 error->message);
    if (!autostart->starting)
        next(autostart);
}

static void
next(Autostart *autostart)
{
    autostart->starting = TRUE;
    while (autostart->guests->len > 0 && autostart->under_way < AT_ONCE) {
        g_autoptr(KilnGuest) guest =
            kiln_guest_ref(g_ptr_array_index(autostart->guests, autostart->guests->len - 1));

        g_ptr_array_set_size(autostart->guests, (int)autostart->guests->len - 1);
        autostart->under_way++;
        kiln_guest_start(guest, 0, on_started, autostart);
    }
    autostart->starting = FALSE;
    if (autostart->guests->len == 0 && autostart->under_way == 0)
        finish(autostart);
}

void
kiln_guest_list_autostart(KilnGuestList *list)
{
    g_autofree char *marker = g_build_filename(list->runtime_dir, MARKER, NULL);
    Autostart *autostart;

    if (access(marker, F_OK) == 0)
        return;
    autostart = g_new0(Autostart, 1);
    autostart->list = list;
    autostart->guests = g_ptr_array_new_with_free_func((GDestroyNotify)kiln_guest_unref);
    kiln_guest_list_foreach(list, collect, autostart->guests);
    next(autostart);
}
