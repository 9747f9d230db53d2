/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One peer of a chardev that is connected now: a pair of descriptors, bytes from the ring to one
 * and from the other to the guest.  A backend has one while somebody listens, the console another.
 *
 * "locked" below is with the host's lock held, from any thread; all else is called in the thread of
 * the host's context.
 */
#ifndef KILN_CHARDEV_STREAM_H
#define KILN_CHARDEV_STREAM_H

#include "base/lock.h"
#include "chardev/ring.h"

typedef struct KilnStream KilnStream;

/**
 * KilnStreamHost: what a stream needs of its chardev
 * @room: how many bytes the guest takes now
 * @input: takes them
 * @telnet_break: the peer sent one
 * @leave: Ctrl-] was typed; the stream does nothing more and may be freed
 * @ended: the peer is gone; the stream does nothing more and may be freed
 * @hung_up: the peer is gone, and the guest has no room for what it left: as long as nobody takes
 *   the place, the guest may read that, and @ended follows
 * @output_failed: (locked): nothing can be sent any more; @ended follows if that ends the stream
 * @output_went_on: (locked): a peer that was slow has taken more: the ring may have space
 *
 * All but the last two are called without the lock.
 */
typedef struct {
    GMainContext *context;
    KilnMutex *lock;
    KilnRing *ring;
    void *opaque;
    gsize (*room)(void *opaque);
    void (*input)(void *opaque, const uint8_t *data, gsize length);
    void (*telnet_break)(void *opaque);
    void (*leave)(void *opaque, KilnStream *stream);
    void (*ended)(void *opaque, KilnStream *stream);
    void (*hung_up)(void *opaque, KilnStream *stream);
    void (*output_failed)(void *opaque, KilnStream *stream);
    void (*output_went_on)(void *opaque);
} KilnStreamHost;

/**
 * KilnStreamOptions:
 * @in: (transfer full): to read from, or -1
 * @out: (transfer full): to write to, non-blocking; may be the same as @in; or -1
 * @socket: @out is a socket
 * @telnet: speak telnet
 * @leave_key: Ctrl-] in the input is for us
 * @outlives_input: the end of the input is not the end of the stream
 */
typedef struct {
    int in;
    int out;
    gboolean socket;
    gboolean telnet;
    gboolean leave_key;
    gboolean outlives_input;
} KilnStreamOptions;

/**
 * kiln_stream_new:
 * @host: outlives the stream
 * @reader: the stream's place in the ring, joined here
 */
KilnStream *kiln_stream_new(const KilnStreamHost *host, KilnRingReader *reader,
                            const KilnStreamOptions *options);

/* @stream: (nullable).  Leaves the ring and closes the descriptors.  Not locked. */
void kiln_stream_free(KilnStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnStream, kiln_stream_free)

/* Sends what the peer takes now; the rest when it takes more.  Locked. */
void kiln_stream_pump(KilnStream *stream);

/* Looks at the input again after the guest had no room. */
void kiln_stream_resume(KilnStream *stream);

/* Whether the peer has hung up and only input is left that the guest has no room for. */
gboolean kiln_stream_hung_up(const KilnStream *stream);

/* The descriptor that output goes to, or -1. */
int kiln_stream_out_fd(const KilnStream *stream);

#endif
