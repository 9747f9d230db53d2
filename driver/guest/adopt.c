/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See adopt.h. */
#include "guest/adopt.h"

#include "base/error.h"
#include "guest/guest-private.h"

#include <errno.h>

struct KilnAdoption {
    KilnGuestList *list;
};

KilnAdoption *
kiln_adoption_begin(KilnGuestList *list, GError **error)
{
    KilnAdoption *adoption;

    if (g_mkdir_with_parents(list->runtime_dir, 0700) < 0 ||
        g_mkdir_with_parents(list->log_dir, 0700) < 0) {
        kiln_error_set_errno(error, errno, "cannot make the directory '%s' or '%s'",
                             list->runtime_dir, list->log_dir);
        return NULL;
    }
    adoption = g_new0(KilnAdoption, 1);
    adoption->list = list;
    return adoption;
}

void
kiln_adoption_end(KilnAdoption *adoption)
{
    g_free(adoption);
}

void
kiln_guest_list_autostart(KilnGuestList *list)
{
}
