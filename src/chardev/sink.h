/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring's bytes into a regular file.  Writing to a file may wait for a disk, so a thread does
 * it, which is started with the first byte.
 */
#ifndef KILN_CHARDEV_SINK_H
#define KILN_CHARDEV_SINK_H

#include "base/lock.h"
#include "chardev/ring.h"

typedef struct KilnSink KilnSink;

/**
 * kiln_sink_new:
 * @fd: (transfer full): the open file
 * @name: of the file, for messages
 * @lock: guards @ring
 * @written: called from the sink's thread, without @lock, when there is room in the ring again
 *
 * Returns: (transfer full): the sink, joined to @ring.
 */
KilnSink *kiln_sink_new(int fd, const char *name, KilnMutex *lock, KilnRing *ring,
                        void (*written)(void *opaque), void *opaque);

/* @sink: (nullable).  Writes the rest, leaves the ring, closes the file.  @lock is not held. */
void kiln_sink_free(KilnSink *sink);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnSink, kiln_sink_free)

/* There is something to write.  Called on the main thread, @lock not held. */
void kiln_sink_wake(KilnSink *sink);

#endif
