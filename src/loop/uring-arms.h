/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other descriptors of a context, watched by its ring, so that one system call submits, sleeps
 * and wakes: poll(2) and what it costs a descriptor each time is not needed.  Each is watched once;
 * one that was ready is watched anew before the next sleep, which finds it ready again if it still
 * is, as poll(2) would.
 */
#ifndef KILN_LOOP_URING_ARMS_H
#define KILN_LOOP_URING_ARMS_H

#include <glib.h>
#include <liburing.h>
#include <stdint.h>

enum { KILN_URING_MAX_ARMS = 128 };

typedef struct {
    int fd;
    unsigned events;
    unsigned ready;    /* as poll(2)'s revents, not told yet */
    uint32_t sequence; /* of the watch: the completion of an older one means nothing */
    gboolean armed;
} KilnUringArm;

typedef struct {
    unsigned n;
    guint generation; /* of kiln_source_generation() */
    KilnUringArm arms[KILN_URING_MAX_ARMS];
} KilnUringArms;

/* Completions with this bit in their user_data are not a pointer but of an arm. */
#define KILN_URING_ARM_BIT G_GUINT64_CONSTANT(1)

/**
 * kiln_uring_arms_update:
 * @fds, @n: what GLib wants watched, at most KILN_URING_MAX_ARMS; that of @ring itself is left out
 *
 * Queues what is needed for all of them to be watched.
 */
void kiln_uring_arms_update(KilnUringArms *arms, struct io_uring *ring, const GPollFD *fds,
                            guint n);

/* A completion with KILN_URING_ARM_BIT. */
void kiln_uring_arms_complete(KilnUringArms *arms, uint64_t user_data, int result);

/* Whether any is ready. */
gboolean kiln_uring_arms_any(const KilnUringArms *arms);

/* Tells GLib.  Returns: how many are ready. */
int kiln_uring_arms_collect(KilnUringArms *arms, GPollFD *fds, guint n);

#endif
