/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kinds of backends, and what they and the chardev do for each other.  A backend decides who is
 * connected and when; the bytes are the stream's business.
 */
#ifndef KILN_CHARDEV_BACKEND_H
#define KILN_CHARDEV_BACKEND_H

#include "chardev/chardev.h"
#include "chardev/stream.h"

/**
 * KilnBackendOps:
 * @open: opens what @options name; their descriptors, where it uses them, are taken out of
 * @options. May connect at once.  Returns: (transfer full): its own data, or NULL with @error set
 * @disconnected: (nullable): the peer is gone: wait for the next one.  Called once when it hangs up
 *   with input left that the guest has no room for, and when the stream has ended
 * @knock: (nullable): (locked): the guest writes, and nobody is connected: look whether that is
 *   still so, from any thread.  Returns: whether somebody is there now; @connect_now follows
 * @connect_now: after @knock, on the main thread
 * @path: (nullable): what kiln_chardev_path() says
 * @free: called after the stream is gone
 */
typedef struct {
    void *(*open)(KilnChardev *chardev, KilnChardevOptions *options, GError **error);
    void (*disconnected)(void *backend);
    gboolean (*knock)(void *backend);
    void (*connect_now)(void *backend);
    const char *(*path)(const void *backend);
    void (*free)(void *backend);
} KilnBackendOps;

extern const KilnBackendOps kiln_backend_stdio;
extern const KilnBackendOps kiln_backend_pty;
extern const KilnBackendOps kiln_backend_file;
extern const KilnBackendOps kiln_backend_pipe;
extern const KilnBackendOps kiln_backend_socket; /* unix and tcp */

/**
 * kiln_chardev_connect:
 * @stream: (transfer full): its descriptors
 *
 * Somebody is connected to the backend now.  A peer that was there before is dropped.
 */
void kiln_chardev_connect(KilnChardev *chardev, const KilnStreamOptions *stream);

/* As above, for output to a regular file: @fd is taken over; @name is for messages. */
void kiln_chardev_connect_file(KilnChardev *chardev, int fd, const char *name);

/* Whether the connected peer still is one: not hung up with input left over. */
gboolean kiln_chardev_is_connected(KilnChardev *chardev);

GMainContext *kiln_chardev_context(KilnChardev *chardev);

#endif
