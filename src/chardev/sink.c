/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See sink.h. */
#include "chardev/sink.h"

#include "base/fd.h"
#include "base/log.h"
#include "loop/call.h"
#include "loop/thread.h"

#include <string.h>

enum { CHUNK_BYTES = 4096 };

struct KilnSink {
    KilnFd fd;
    char *name;
    KilnMutex *lock;
    KilnRing *ring;
    KilnRingReader reader; /* locked */
    gboolean woken;        /* locked: write_out() is on its way */
    gboolean failed; /* of the one thread that writes: the last write failed, and was logged */
    KilnLoopThread *thread;
    void (*written)(void *opaque);
    void *opaque;
};

/* Returns: how many bytes were copied to @chunk and taken out of the ring. */
static gsize
take_chunk(KilnSink *sink, uint8_t *chunk)
{
    KILN_LOCK_SCOPE(sink->lock);
    const uint8_t *data;
    gsize length = MIN(kiln_ring_peek(sink->ring, &sink->reader, &data), CHUNK_BYTES);

    if (length > 0) {
        memcpy(chunk, data, length);
        kiln_ring_take(sink->ring, &sink->reader, length);
    } else {
        sink->woken = FALSE;
    }
    return length;
}

static void
write_out(gpointer data)
{
    KilnSink *sink = data;
    uint8_t chunk[CHUNK_BYTES];
    gsize length;

    while ((length = take_chunk(sink, chunk)) > 0) {
        int failed = kiln_write_full(sink->fd, chunk, length, -1);

        if (failed < 0 && !sink->failed)
            kiln_log(KILN_LOG_WARNING, "cannot write to '%s': %s: output is lost", sink->name,
                     g_strerror(-failed));
        sink->failed = failed < 0;
        if (sink->written != NULL)
            sink->written(sink->opaque);
    }
}

void
kiln_sink_wake(KilnSink *sink)
{
    g_autoptr(GError) error = NULL;
    const uint8_t *data;

    kiln_mutex_lock(sink->lock);
    if (sink->woken || kiln_ring_peek(sink->ring, &sink->reader, &data) == 0) {
        kiln_mutex_unlock(sink->lock);
        return;
    }
    sink->woken = TRUE;
    kiln_mutex_unlock(sink->lock);
    if (!kiln_loop_thread_start(sink->thread, &error)) {
        write_out(sink); /* better late than lost */
        return;
    }
    kiln_call_later(kiln_loop_thread_context(sink->thread), write_out, sink);
}

KilnSink *
kiln_sink_new(int fd, const char *name, KilnMutex *lock, KilnRing *ring,
              void (*written)(void *opaque), void *opaque)
{
    KilnSink *sink = g_new0(KilnSink, 1);

    sink->fd = fd;
    sink->name = g_strdup(name);
    sink->lock = lock;
    sink->ring = ring;
    sink->written = written;
    sink->opaque = opaque;
    sink->thread = kiln_loop_thread_new("chardev-file");
    kiln_mutex_lock(lock);
    kiln_ring_join(ring, &sink->reader);
    kiln_mutex_unlock(lock);
    return sink;
}

void
kiln_sink_free(KilnSink *sink)
{
    if (sink == NULL)
        return;
    kiln_loop_thread_free(sink->thread);
    sink->written = NULL;
    write_out(sink);
    kiln_mutex_lock(sink->lock);
    kiln_ring_leave(sink->ring, &sink->reader);
    kiln_mutex_unlock(sink->lock);
    kiln_fd_clear(&sink->fd);
    g_free(sink->name);
    g_free(sink);
}
