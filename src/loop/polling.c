/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See polling.h. */
#include "loop/polling.h"

#include <sched.h>

#include "loop/timer.h"

enum {
    FIRST_NS = 4000, /* where growing begins */
    DEFAULT_GROW = 2,
};

static int
count_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 2;
}

gboolean
kiln_polling_wanted(KilnPolling *polling)
{
    if (polling->max_ns == 0)
        return FALSE;
    if (polling->processors == 0)
        polling->processors = count_processors();
    return polling->processors > 1;
}

static gboolean
poll_all(const KilnPolling *polling)
{
    gboolean found = FALSE;

    for (unsigned i = 0; i < polling->n; i++)
        found |= polling->pollers[i].poll(polling->pollers[i].data);
    return found;
}

gboolean
kiln_polling_run(KilnPolling *polling, gboolean (*ready)(gpointer data), gpointer data)
{
    uint64_t end_ns = kiln_clock_ns() + polling->ns;
    gboolean found = FALSE;

    if (polling->ns == 0)
        return FALSE;
    for (unsigned i = 0; i < polling->n; i++)
        if (polling->pollers[i].begin != NULL)
            polling->pollers[i].begin(polling->pollers[i].data);
    while (!found && kiln_clock_ns() < end_ns) {
        __builtin_ia32_pause();
        found = poll_all(polling) || ready(data);
    }
    for (unsigned i = 0; i < polling->n; i++)
        if (polling->pollers[i].end != NULL)
            found |= polling->pollers[i].end(polling->pollers[i].data);
    return found;
}

void
kiln_polling_adjust(KilnPolling *polling, uint64_t waited_ns)
{
    uint64_t grow = polling->grow != 0 ? polling->grow : DEFAULT_GROW;

    if (waited_ns <= polling->ns)
        return; /* just right */
    if (waited_ns > polling->max_ns)
        polling->ns = polling->shrink != 0 ? polling->ns / polling->shrink : 0;
    else
        polling->ns = MIN(polling->ns == 0 ? FIRST_NS : polling->ns * grow, polling->max_ns);
}

void
kiln_polling_add(KilnPolling *polling, const KilnPoller *poller)
{
    if (polling->n < KILN_MAX_POLLERS)
        polling->pollers[polling->n++] = *poller;
}

void
kiln_polling_remove(KilnPolling *polling, gpointer data)
{
    unsigned n = 0;

    for (unsigned i = 0; i < polling->n; i++)
        if (polling->pollers[i].data != data)
            polling->pollers[n++] = polling->pollers[i];
    polling->n = n;
}
