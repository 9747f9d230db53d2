/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See polling.h. */
#include "loop/polling.h"

#include <sched.h>

#include "loop/timer.h"

enum {
    FIRST_NS = 4000, /* where growing begins */
    DEFAULT_GROW = 2,
    /* Where somebody waits for one operation, each microsecond counts: to wake up is part of the
     * wait, and takes less if the thread has looked for its first part, since the processor does
     * not sleep as deep.  With several, whoever does them may need the processor. */
    PATIENCE = 2,
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
kiln_polling_look(KilnPolling *polling)
{
    return polling->begun && poll_all(polling);
}

gboolean
kiln_polling_end(KilnPolling *polling)
{
    gboolean found = FALSE;

    if (!polling->begun)
        return FALSE;
    polling->begun = FALSE;
    for (unsigned i = 0; i < polling->n; i++)
        if (polling->pollers[i].end != NULL)
            found |= polling->pollers[i].end(polling->pollers[i].data);
    return found;
}

static void
begin(const KilnPoller *poller)
{
    if (poller->begin != NULL)
        poller->begin(poller->data);
}

void
kiln_polling_begin(KilnPolling *polling, KilnPollingWait wait)
{
    if (polling->ns[wait] == 0)
        return;
    for (unsigned i = 0; i < polling->n && !polling->begun; i++)
        begin(&polling->pollers[i]);
    polling->begun = TRUE;
}

gboolean
kiln_polling_run(KilnPolling *polling, KilnPollingWait wait, gboolean (*ready)(gpointer data),
                 gpointer data)
{
    uint64_t end_ns;

    if (polling->ns[wait] == 0)
        return kiln_polling_end(polling);
    end_ns = kiln_clock_ns() + polling->ns[wait];
    kiln_polling_begin(polling, wait);
    do {
        if (poll_all(polling) || ready(data))
            return TRUE;
        __builtin_ia32_pause();
    } while (kiln_clock_ns() < end_ns);
    return kiln_polling_end(polling);
}

void
kiln_polling_adjust(KilnPolling *polling, KilnPollingWait wait, uint64_t waited_ns)
{
    uint64_t grow = polling->grow != 0 ? polling->grow : DEFAULT_GROW;
    uint64_t *ns = &polling->ns[wait];

    if (waited_ns <= *ns)
        return; /* just right */
    if (waited_ns > polling->max_ns * (wait == KILN_POLLING_ONE ? PATIENCE : 1))
        *ns = polling->shrink != 0 ? *ns / polling->shrink : 0;
    else
        *ns = MIN(*ns == 0 ? FIRST_NS : *ns * grow, polling->max_ns);
}

void
kiln_polling_set(KilnPolling *polling, uint64_t max_ns, unsigned grow, unsigned shrink)
{
    polling->max_ns = max_ns;
    polling->grow = grow;
    polling->shrink = shrink;
    for (unsigned i = 0; i < G_N_ELEMENTS(polling->ns); i++)
        polling->ns[i] = MIN(polling->ns[i], max_ns);
}

void
kiln_polling_add(KilnPolling *polling, const KilnPoller *poller)
{
    if (polling->n == KILN_MAX_POLLERS)
        return;
    polling->pollers[polling->n++] = *poller;
    if (polling->begun)
        begin(poller);
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
