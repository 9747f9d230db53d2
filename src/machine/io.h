/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's I/O threads: those of <iothreads>, and one more for disks and interfaces that name
 * none.  A thread and its io_uring are made when the first device asks for them, and started with
 * the guest.
 */
#ifndef KILN_MACHINE_IO_H
#define KILN_MACHINE_IO_H

#include "domain/domain.h"
#include "loop/uring.h"

enum { KILN_IO_SHARED = 0 }; /* the number of the one for devices that name none */

typedef struct KilnIoThreads KilnIoThreads;

/**
 * kiln_io_threads_new:
 * @domain: (transfer none): says who may run where; must outlive it
 */
KilnIoThreads *kiln_io_threads_new(const KilnDomain *domain);

/* (nullable): stops them first; nothing of a device is attached to any. */
void kiln_io_threads_free(KilnIoThreads *threads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnIoThreads, kiln_io_threads_free)

/**
 * kiln_io_threads_get:
 * @id: the number of an <iothread>, or KILN_IO_SHARED
 * @engine: what is to do the work; AUTO and NATIVE share a ring
 * @context: (out) (transfer none): its context
 * @uring: (out) (transfer none): its ring
 */
gboolean kiln_io_threads_get(KilnIoThreads *threads, guint id, KilnUringEngine engine,
                             GMainContext **context, KilnUring **uring, GError **error);

/* Starts and pins those that were asked for. */
gboolean kiln_io_threads_start(KilnIoThreads *threads, GError **error);

/* Calls @visit with the number and the kernel's id of each that runs. */
void kiln_io_threads_foreach(KilnIoThreads *threads,
                             void (*visit)(guint id, pid_t thread, gpointer data), gpointer data);

/* Ends them: no device is started any more. */
void kiln_io_threads_stop(KilnIoThreads *threads);

#endif
