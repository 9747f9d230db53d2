/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains in memory: stands in for driver/guest in tests of handlers.  All is done at once. */
#ifndef KILN_FAKE_GUEST_H
#define KILN_FAKE_GUEST_H

#include "base/statistics.h"
#include "guest/list.h"

KilnGuestList *fake_list_new(void);
/* What the next change or start fails with, once: (transfer full). */
void fake_list_fail(KilnGuestList *list, GError *error);
/* The methods that were called since the last look, with spaces between: (transfer full). */
char *fake_list_calls(KilnGuestList *list);
/* As if the guest's process said it; a state is one of virDomainState. */
void fake_guest_set_state(KilnGuest *guest, int state, int reason);

/* Those of the last call, as text: (nullable). */
const char *fake_list_arguments(const KilnGuestList *list);
/* What its process publishes from now on. */
void fake_guest_publish(KilnGuest *guest, const KilnStatistic *entries, guint n);
void fake_guest_set_told(KilnGuest *guest, gboolean told);
void fake_guest_set_cgroup(KilnGuest *guest, const char *path);

#endif
