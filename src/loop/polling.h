/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a thread looks for work before it sleeps: waking up costs more than what comes soon is
 * waited for.  The time adapts, as QEMU's iothread does with poll-max-ns, poll-grow, poll-shrink
 * (<poll> of an <iothread>): it grows while waits end within the maximum, and shrinks when they do
 * not.  With one usable processor whoever makes the work could not run meanwhile: no looking.
 */
#ifndef KILN_LOOP_POLLING_H
#define KILN_LOOP_POLLING_H

#include <glib.h>
#include <stdint.h>

enum {
    KILN_MAX_POLLERS = 64,
    KILN_POLL_MAX_NS = 32768, /* unless it is said otherwise */
};

/**
 * KilnPoller:
 * @poll: does what there is to do; whether there was anything.  Short
 * @begin: (nullable): no notifications are needed from now on
 * @end: (nullable): they are again; whether anything came before that
 */
typedef struct {
    gboolean (*poll)(gpointer data);
    void (*begin)(gpointer data);
    gboolean (*end)(gpointer data);
    gpointer data;
} KilnPoller;

typedef struct {
    uint64_t max_ns; /* 0: never */
    unsigned grow;   /* factor; 0 is 2 */
    unsigned shrink; /* divisor; 0: to nothing */
    uint64_t ns;     /* now */
    int processors;  /* that the thread may run on; 0: not asked yet */
    unsigned n;
    KilnPoller pollers[KILN_MAX_POLLERS];
} KilnPolling;

/* Whether the thread is to look at all before it sleeps. */
gboolean kiln_polling_wanted(KilnPolling *polling);

/**
 * kiln_polling_run:
 * @ready: whether something else has come that ends the wait
 *
 * Returns: whether there was or is something to do; else the thread sleeps.
 */
gboolean kiln_polling_run(KilnPolling *polling, gboolean (*ready)(gpointer data), gpointer data);

/* The thread has waited for @waited_ns in all, looking and sleeping. */
void kiln_polling_adjust(KilnPolling *polling, uint64_t waited_ns);

/* There is room for KILN_MAX_POLLERS; more are left out. */
void kiln_polling_add(KilnPolling *polling, const KilnPoller *poller);
void kiln_polling_remove(KilnPolling *polling, gpointer data);

#endif
