/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of one domain, one after the other.  Each holds a reference to its domain. */
#include "guest/guest-private.h"

typedef struct {
    KilnGuestJob run;
    gpointer data;
} Job;

static void
next(KilnGuest *guest)
{
    Job *job = g_queue_pop_head(&guest->jobs);

    if (job == NULL)
        return;
    guest->busy = TRUE;
    job->run(guest, job->data);
    g_free(job);
}

void
kiln_guest_job(KilnGuest *guest, KilnGuestJob run, gpointer data)
{
    Job *job = g_new(Job, 1);

    *job = (Job){ run, data };
    (void)kiln_guest_ref(guest);
    g_queue_push_tail(&guest->jobs, job);
    if (!guest->busy)
        next(guest);
}

void
kiln_guest_job_end(KilnGuest *guest)
{
    guest->busy = FALSE;
    next(guest);
    if (!guest->busy)
        kiln_guest_settle(guest);
    kiln_guest_unref(guest);
}
