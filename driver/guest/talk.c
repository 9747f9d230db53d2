/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See talk.h. */
#include "guest/talk.h"

struct KilnTalk {
    KilnRun *run;
};

KilnTalk *
kiln_talk_new(KilnRun *run)
{
    KilnTalk *talk = g_new0(KilnTalk, 1);

    talk->run = run;
    return talk;
}

void
kiln_talk_free(KilnTalk *talk)
{
    g_free(talk);
}

void
kiln_talk_call(KilnTalk *talk, const char *method, GVariant *arguments, GUnixFDList *fds,
               int timeout_ms, KilnGuestAnswer answered, gpointer data)
{
}

GArray *
kiln_talk_statistics(KilnTalk *talk)
{
    return NULL;
}

pid_t
kiln_talk_thread(const KilnTalk *talk, const char *name)
{
    return 0;
}
