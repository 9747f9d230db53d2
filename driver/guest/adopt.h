/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What runs and was not started by this daemon: found in the runtime directory at its start, and
 * seen to appear there later (kiln run).
 *
 *   NAME.pid names a process that lives -> it is adopted: with NAME.xml beside it at once, as the
 *   domain that this says; else when it has told who it is
 *   NAME.xml without a process          -> a little later, if there still is none, it is removed
 */
#ifndef KILN_GUEST_ADOPT_H
#define KILN_GUEST_ADOPT_H

#include "guest/list.h"

typedef struct KilnAdoption KilnAdoption;

/* Returns: (transfer full): NULL with @error set if there can be no runtime directory. */
KilnAdoption *kiln_adoption_begin(KilnGuestList *list, GError **error);
/* (nullable) */
void kiln_adoption_end(KilnAdoption *adoption);

#endif
