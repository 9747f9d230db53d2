/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conversation with a guest's process: begun when it runs, after its start has been answered.
 * What it says becomes the run's state, its live definition, and news.
 */
#ifndef KILN_GUEST_TALK_H
#define KILN_GUEST_TALK_H

#include "guest/run.h"

/* Connects by and by. */
KilnTalk *kiln_talk_new(KilnRun *run);
/* (nullable) */
void kiln_talk_free(KilnTalk *talk);

/* As kiln_guest_call(). */
void kiln_talk_call(KilnTalk *talk, const char *method, GVariant *arguments, GUnixFDList *fds,
                    int timeout_ms, KilnGuestAnswer answered, gpointer data);

/* As kiln_guest_has_told(). */
gboolean kiln_talk_has_told(const KilnTalk *talk);

/* As kiln_guest_statistics(). */
GArray *kiln_talk_statistics(KilnTalk *talk);

/* As kiln_guest_thread(). */
pid_t kiln_talk_thread(const KilnTalk *talk, const char *name);

#endif
