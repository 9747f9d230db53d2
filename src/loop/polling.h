/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a thread looks for work before it sleeps: waking up costs more than what comes soon is
 * waited for.  The time adapts, as QEMU's iothread does with poll-max-ns, poll-grow, poll-shrink
 * (<poll> of an <iothread>): it grows while waits end within the maximum, and shrinks when they do
 * not.  It does so apart for waits with no, one and more operations under way: a disk may take
 * longer than can be looked for, while the guest's next request comes at once.  With one usable
 * processor whoever makes the work could not run meanwhile: no looking.
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
 * @end: (nullable): they are again; does what came before that, as @poll
 *
 * From begin to end @poll is called at least once in each turn of the loop, and end before the
 * thread sleeps: a look that found something is followed by the next without notifications between.
 */
typedef struct {
    gboolean (*poll)(gpointer data);
    void (*begin)(gpointer data);
    gboolean (*end)(gpointer data);
    gpointer data;
} KilnPoller;

typedef enum {
    KILN_POLLING_IDLE, /* for somebody who makes work */
    KILN_POLLING_ONE,  /* for the end of an operation, too */
    KILN_POLLING_MANY, /* … of any of several */
    KILN_POLLING_N_WAITS,
} KilnPollingWait;

typedef struct {
    uint64_t max_ns;                   /* 0: never */
    unsigned grow;                     /* factor; 0 is 2 */
    unsigned shrink;                   /* divisor; 0: to nothing */
    uint64_t ns[KILN_POLLING_N_WAITS]; /* now */
    int processors;                    /* that the thread may run on; 0: not asked yet */
    gboolean begun;                    /* the pollers have, and have not ended */
    unsigned n;
    KilnPoller pollers[KILN_MAX_POLLERS];
} KilnPolling;

/* Whether the thread is to look at all before it sleeps. */
gboolean kiln_polling_wanted(KilnPolling *polling);

/* Begins the pollers now if a wait of that kind would: before what the thread does until then lets
 * somebody make work. */
void kiln_polling_begin(KilnPolling *polling, KilnPollingWait wait);

/**
 * kiln_polling_run:
 * @ready: whether something else has come that ends the wait
 *
 * Returns: whether there was or is something to do; else the pollers have ended and the thread
 *   sleeps.
 */
gboolean kiln_polling_run(KilnPolling *polling, KilnPollingWait wait,
                          gboolean (*ready)(gpointer data), gpointer data);

/* One look of a turn that does not sleep.  Returns: whether there was something to do. */
gboolean kiln_polling_look(KilnPolling *polling);

/* Ends the pollers: the thread may sleep.  Returns: TRUE if it may not, since there was something.
 */
gboolean kiln_polling_end(KilnPolling *polling);

/* The thread has waited for @waited_ns in all, looking and sleeping. */
void kiln_polling_adjust(KilnPolling *polling, KilnPollingWait wait, uint64_t waited_ns);

/* How long the thread looks at most; times that are longer now are cut. */
void kiln_polling_set(KilnPolling *polling, uint64_t max_ns, unsigned grow, unsigned shrink);

/* There is room for KILN_MAX_POLLERS; more are left out. */
void kiln_polling_add(KilnPolling *polling, const KilnPoller *poller);
void kiln_polling_remove(KilnPolling *polling, gpointer data);

#endif
