/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A character device's host side: bytes between a front end in the guest (a UART, a virtio port)
 * and a backend on the host (terminal, pty, file, socket), a log file that gets a copy of the
 * output, and at most one attached console.
 *
 *                                     +--> backend      stdio, pty, file, pipe, unix, tcp, null
 *   front end --kiln_chardev_write--> ring --> log      <log file='...'>
 *   front end <--receive()----------- |    +--> console kiln_chardev_attach()
 *                  backend, console --+
 *
 * Output goes into one ring that each of the three reads at its own speed.  A reader that takes
 * nothing for KILN_CHARDEV_STALL_MS while the ring is full is left behind: it loses the oldest
 * bytes, and the guest runs on (unless the front end is patient).  Where nobody listens (a pty that
 * nobody has open, a socket without a client) output is dropped at once.
 *
 * Threads: kiln_chardev_write() and kiln_chardev_resume_input() may be called from any thread, also
 * with the front end's lock held, and never block.  All else is called on the thread that runs the
 * chardev's GMainContext, and there the front end's callbacks come, with no lock of ours held.
 */
#ifndef KILN_CHARDEV_CHARDEV_H
#define KILN_CHARDEV_CHARDEV_H

#include <glib.h>
#include <stdint.h>

enum {
    KILN_CHARDEV_RING_BYTES = 16384, /* output that a slow reader may be behind */
    KILN_CHARDEV_STALL_MS = 250,     /* how long a stuck reader can hold the guest's output back */
};

typedef struct KilnChardev KilnChardev;

typedef enum {
    KILN_CHARDEV_NULL,  /* drops output, gives no input */
    KILN_CHARDEV_STDIO, /* the terminal in raw mode (or what else stands at the descriptors) */
    KILN_CHARDEV_PTY,   /* a new pseudo-terminal */
    KILN_CHARDEV_FILE,  /* output only */
    KILN_CHARDEV_PIPE,  /* the FIFOs PATH.in and PATH.out, or the one FIFO PATH */
    KILN_CHARDEV_UNIX,  /* a unix stream socket */
    KILN_CHARDEV_TCP,   /* a TCP socket, raw or telnet */
} KilnChardevKind;

/**
 * KilnChardevOptions:
 * @kind: of the backend
 * @id: what messages call it, such as "serial0"
 * @path: file, pipe, unix: where
 * @append: file: keep what is there; else it is truncated
 * @host: tcp: name or address; listening on NULL or "" is on every address
 * @service: tcp: port number or name
 * @listen: unix, tcp: be the server, of one client at a time; else connect
 * @telnet: tcp: speak the telnet protocol (RFC 854); else bytes go as they are
 * @reconnect_seconds: unix, tcp, not @listen: try again that long after the connection failed or
 *   ended; 0: a failure to connect is an error of kiln_chardev_open(), and an end is final
 * @fd: (transfer full): file, pipe: the open file; unix, tcp: the listening (@listen) or connected
 *   socket; stdio: input.  -1: opened by @path, @host or standard input.
 * @fd_out: (transfer full): pipe, stdio: output; -1: opened by @path, or standard output
 * @log_path: (nullable): file that gets a copy of all output
 * @log_append: keep what is in it
 * @log_fd: (transfer full): the open log file, or -1
 *
 * Initialise with KILN_CHARDEV_OPTIONS_INIT.  Strings are copied.
 */
typedef struct {
    KilnChardevKind kind;
    const char *id;
    const char *path;
    gboolean append;
    const char *host;
    const char *service;
    gboolean listen;
    gboolean telnet;
    guint reconnect_seconds;
    int fd;
    int fd_out;
    const char *log_path;
    gboolean log_append;
    int log_fd;
} KilnChardevOptions;

#define KILN_CHARDEV_OPTIONS_INIT                                                                  \
    {                                                                                              \
        .id = "chardev", .fd = -1, .fd_out = -1, .log_fd = -1                                      \
    }

typedef enum {
    KILN_CHARDEV_OPENED, /* somebody listens now: backend or console */
    KILN_CHARDEV_CLOSED, /* nobody does any more */
    KILN_CHARDEV_BREAK,  /* the peer sent a break (telnet BRK) */
} KilnChardevEvent;

/**
 * KilnChardevFrontend:
 * @can_receive: (nullable): how many bytes @receive would take now; NULL takes no input ever. After
 *   it said 0, call kiln_chardev_resume_input() when there is room again.
 * @receive: (nullable): takes @length bytes, no more than @can_receive said just before
 * @event: (nullable): something else happened
 * @writable: (nullable): there is room again after kiln_chardev_write() took less than all; called
 *   once for each time that it did, or once for several
 *
 * @patient: the guest's sender waits without harm, as a program that writes to a channel does: no
 *   reader is left behind, however slow, and nothing is lost while somebody listens
 *
 * What the guest's device gives to its chardev; all are called on the chardev's own thread.
 */
typedef struct {
    gsize (*can_receive)(void *context);
    void (*receive)(void *context, const uint8_t *data, gsize length);
    void (*event)(void *context, KilnChardevEvent event);
    void (*writable)(void *context);
    gboolean patient;
} KilnChardevFrontend;

/**
 * kiln_chardev_open:
 * @options: what to open; its descriptors are taken over, also on failure
 * @context: (nullable): the main context that drives it; NULL is the default one
 *
 * Opens files, sockets and terminal now, before the sandbox closes.  Nothing is read before there
 * is a front end or a console.
 *
 * Returns: (transfer full): the device, or NULL with @error set, and then nothing is left behind.
 */
KilnChardev *kiln_chardev_open(const KilnChardevOptions *options, GMainContext *context,
                               GError **error);

/**
 * kiln_chardev_free:
 *
 * Writes what is still in the ring, waiting at most KILN_CHARDEV_STALL_MS for readers that are
 * slow; restores the terminal; removes the socket that it made.  No other thread may use @chardev
 * any more.
 */
void kiln_chardev_free(KilnChardev *chardev);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnChardev, kiln_chardev_free)

/**
 * kiln_chardev_set_frontend:
 * @frontend: (nullable): the callbacks, which live as long as @chardev; NULL takes them away, and
 *   none is called after this returns
 * @context: passed to each
 *
 * If somebody listens already, KILN_CHARDEV_OPENED follows from the main context.
 */
void kiln_chardev_set_frontend(KilnChardev *chardev, const KilnChardevFrontend *frontend,
                               void *context);

/**
 * kiln_chardev_write:
 * @data: output of the guest, @length bytes
 *
 * Never blocks.  Any thread.
 *
 * Returns: how many bytes were taken (and perhaps dropped, where nobody listens); if fewer than
 *   @length, the front end's writable() follows when there is room.
 */
gsize kiln_chardev_write(KilnChardev *chardev, const uint8_t *data, gsize length);

/**
 * kiln_chardev_resume_input:
 *
 * The front end can receive again: asks it can_receive() soon, from the main context.  Any thread.
 */
void kiln_chardev_resume_input(KilnChardev *chardev);

/**
 * kiln_chardev_attach:
 * @fd: (transfer full): a connected stream socket; closed also on failure
 * @force: send an attached console away; else that one is an error of code KILN_ERROR_EXISTS
 *
 * Gives @fd the guest's output from now on, and its bytes to the guest, beside the backend.  It is
 * let go when its peer closes.
 *
 * Returns: TRUE, or FALSE with @error set.
 */
gboolean kiln_chardev_attach(KilnChardev *chardev, int fd, gboolean force, GError **error);

/**
 * kiln_chardev_path:
 * Returns: (nullable): the path of the pty's terminal side, such as "/dev/pts/3"; NULL for other
 * kinds.
 */
const char *kiln_chardev_path(const KilnChardev *chardev);

/**
 * KilnChardevStats: bytes since the device was opened
 * @written: taken from the guest
 * @received: given to the guest
 * @dropped: of @written, lost by a reader that was too slow or because nobody listened
 */
typedef struct {
    uint64_t written;
    uint64_t received;
    uint64_t dropped;
} KilnChardevStats;

/* Any thread. */
void kiln_chardev_get_stats(KilnChardev *chardev, KilnChardevStats *stats);

#endif
