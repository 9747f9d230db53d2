/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See chardev.h. */
#include "chardev/chardev.h"

#include "base/error.h"
#include "base/fd.h"
#include "chardev/backend.h"
#include "chardev/ring.h"
#include "chardev/sink.h"
#include "chardev/stream.h"
#include "chardev/terminal.h"
#include "loop/event.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { DIRECT_INTERVAL_US = 1000, LINGER_MS = 1 };

struct KilnChardev {
    char *id;
    const KilnBackendOps *ops; /* (nullable): NULL is the null device */
    void *backend;             /* (owned) */
    GMainContext *context;     /* (owned) */
    KilnStreamHost host;
    KilnEvent wake_event;
    GSource *wake_source;

    KilnMutex lock; /* the ring and what is marked "locked" */
    KilnRing ring;
    KilnRingReader backend_reader; /* locked */
    KilnRingReader console_reader; /* locked */
    KilnStream *stream;            /* locked to change; of the backend, while it is connected */
    KilnStream *console;           /* locked to change */
    KilnSink *file;                /* the backend, where it is a regular file */
    KilnSink *log;
    gboolean woken;         /* locked: on_wake() is on its way */
    gboolean lingering;     /* locked: the main thread looks again soon, without being told */
    gboolean knocked;       /* locked: the backend wants @connect_now */
    gboolean short_write;   /* locked: the front end waits for writable() */
    gboolean resume;        /* locked: the front end has room for input */
    gboolean patient;       /* locked: the front end waits for readers however long it takes */
    gint64 last_direct_us;  /* locked */
    KilnChardevStats stats; /* locked; drops of the ring are added when asked for */

    /* Of the main thread. */
    const KilnChardevFrontend *frontend;
    void *frontend_context;
    gboolean told_open; /* what the front end was told last */
    GSource *stall;     /* (nullable): looks after a full ring */
    GSource *linger;    /* (nullable): looks for more output */
    uint64_t seen_end;  /* of the ring, when it was looked at last */
};

/* ---- The ring's side: any thread ---- */

static void
wake_locked(KilnChardev *chardev)
{
    if (chardev->woken)
        return;
    chardev->woken = TRUE;
    kiln_event_set(&chardev->wake_event);
}

/* The first bytes after a pause go out at once, so that a prompt is not late; a stream of them is
 * left to the main thread, which looks again each LINGER_MS while they come, so that neither makes
 * system calls for each. */
static void
send_locked(KilnChardev *chardev)
{
    gint64 now = g_get_monotonic_time();

    if (!chardev->woken && chardev->stream != NULL && chardev->log == NULL &&
        chardev->console == NULL && now - chardev->last_direct_us > DIRECT_INTERVAL_US) {
        chardev->last_direct_us = now;
        kiln_stream_pump(chardev->stream);
    } else if (!chardev->lingering) {
        wake_locked(chardev);
    }
}

gsize
kiln_chardev_write(KilnChardev *chardev, const uint8_t *data, gsize length)
{
    KILN_LOCK_SCOPE(&chardev->lock);
    gsize taken;

    if (!chardev->backend_reader.joined && chardev->ops != NULL && chardev->ops->knock != NULL &&
        chardev->ops->knock(chardev->backend)) {
        kiln_ring_join(&chardev->ring, &chardev->backend_reader);
        chardev->knocked = TRUE;
    }
    if (!kiln_ring_has_readers(&chardev->ring)) {
        chardev->stats.written += length;
        chardev->stats.dropped += length;
        return length;
    }
    taken = MIN(length, kiln_ring_space(&chardev->ring));
    kiln_ring_append(&chardev->ring, data, taken);
    chardev->stats.written += taken;
    if (taken < length) {
        chardev->short_write = TRUE;
        wake_locked(chardev);
    } else {
        send_locked(chardev);
    }
    return taken;
}

void
kiln_chardev_resume_input(KilnChardev *chardev)
{
    KILN_LOCK_SCOPE(&chardev->lock);

    chardev->resume = TRUE;
    wake_locked(chardev);
}

void
kiln_chardev_get_stats(KilnChardev *chardev, KilnChardevStats *stats)
{
    KILN_LOCK_SCOPE(&chardev->lock);

    *stats = chardev->stats;
    stats->dropped += chardev->ring.lost;
}

/* ---- The front end's side: main thread, not locked ---- */

static void
tell_open(KilnChardev *chardev)
{
    gboolean open = chardev->ops == NULL || chardev->stream != NULL || chardev->file != NULL ||
                    chardev->console != NULL;

    if (open == chardev->told_open || chardev->frontend == NULL)
        return;
    chardev->told_open = open;
    if (chardev->frontend->event != NULL)
        chardev->frontend->event(chardev->frontend_context,
                                 open ? KILN_CHARDEV_OPENED : KILN_CHARDEV_CLOSED);
}

static gsize
host_room(void *opaque)
{
    KilnChardev *chardev = opaque;

    if (chardev->frontend == NULL || chardev->frontend->can_receive == NULL)
        return 0;
    return chardev->frontend->can_receive(chardev->frontend_context);
}

static void
host_input(void *opaque, const uint8_t *data, gsize length)
{
    KilnChardev *chardev = opaque;

    kiln_mutex_lock(&chardev->lock);
    chardev->stats.received += length;
    kiln_mutex_unlock(&chardev->lock);
    chardev->frontend->receive(chardev->frontend_context, data, length);
}

static void
host_telnet_break(void *opaque)
{
    KilnChardev *chardev = opaque;

    if (chardev->frontend != NULL && chardev->frontend->event != NULL)
        chardev->frontend->event(chardev->frontend_context, KILN_CHARDEV_BREAK);
}

/* Takes @stream out of its place; the caller frees it. */
static void
forget_stream(KilnChardev *chardev, KilnStream *stream)
{
    KILN_LOCK_SCOPE(&chardev->lock);

    if (stream == chardev->stream)
        chardev->stream = NULL;
    if (stream == chardev->console)
        chardev->console = NULL;
}

static void
host_ended(void *opaque, KilnStream *stream)
{
    KilnChardev *chardev = opaque;
    gboolean of_backend = stream == chardev->stream;

    forget_stream(chardev, stream);
    kiln_stream_free(stream);
    if (of_backend && chardev->ops->disconnected != NULL)
        chardev->ops->disconnected(chardev->backend);
    kiln_mutex_lock(&chardev->lock);
    wake_locked(chardev); /* there may be space now that it is gone */
    kiln_mutex_unlock(&chardev->lock);
    tell_open(chardev);
}

/* What the peer left is there for a guest that reads on, unless somebody new comes. */
static void
host_hung_up(void *opaque, KilnStream *stream)
{
    KilnChardev *chardev = opaque;

    if (stream == chardev->stream && chardev->ops->disconnected != NULL)
        chardev->ops->disconnected(chardev->backend);
}

static void
host_leave(void *opaque, KilnStream *stream)
{
    kiln_terminal_restore();
    host_ended(opaque, stream);
    kiln_terminal_left();
}

static void
host_output_failed(void *opaque, KilnStream *stream)
{
    wake_locked(opaque); /* the ring may have space now */
}

static void
host_output_went_on(void *opaque)
{
    KilnChardev *chardev = opaque;

    if (chardev->short_write)
        wake_locked(chardev);
}

/* ---- Main thread ---- */

static gboolean
on_stall(gpointer data)
{
    KilnChardev *chardev = data;
    KILN_LOCK_SCOPE(&chardev->lock);

    g_clear_pointer(&chardev->stall, kiln_source_free);
    wake_locked(chardev);
    return G_SOURCE_REMOVE;
}

static void
watch_stall(KilnChardev *chardev)
{
    if (chardev->stall != NULL)
        return;
    chardev->stall = g_timeout_source_new(KILN_CHARDEV_STALL_MS);
    g_source_set_callback(chardev->stall, on_stall, chardev, NULL);
    g_source_attach(chardev->stall, chardev->context);
}

/* Returns: whether the front end waits for space that is there now. */
static gboolean
offer_space_locked(KilnChardev *chardev)
{
    if (!chardev->short_write)
        return FALSE;
    if (kiln_ring_space(&chardev->ring) == 0 && chardev->patient)
        return FALSE; /* whoever takes something wakes us */
    if (kiln_ring_space(&chardev->ring) == 0 &&
        !kiln_ring_give_up(&chardev->ring, g_get_monotonic_time())) {
        watch_stall(chardev);
        return FALSE;
    }
    chardev->short_write = FALSE;
    return TRUE;
}

static void on_wake(gpointer data);

static gboolean
on_linger(gpointer data)
{
    KilnChardev *chardev = data;

    kiln_mutex_lock(&chardev->lock);
    chardev->lingering = FALSE;
    kiln_mutex_unlock(&chardev->lock);
    g_clear_pointer(&chardev->linger, kiln_source_free);
    on_wake(chardev);
    return G_SOURCE_REMOVE;
}

/* After output more of it is likely.  Locked. */
static void
linger_locked(KilnChardev *chardev)
{
    if (chardev->linger != NULL || chardev->seen_end == chardev->ring.end)
        return;
    chardev->seen_end = chardev->ring.end;
    chardev->lingering = TRUE;
    chardev->linger = g_timeout_source_new(LINGER_MS);
    g_source_set_callback(chardev->linger, on_linger, chardev, NULL);
    g_source_attach(chardev->linger, chardev->context);
}

static void
on_wake(gpointer data)
{
    KilnChardev *chardev = data;
    gboolean writable;
    gboolean resume;
    gboolean knocked;

    kiln_mutex_lock(&chardev->lock);
    chardev->woken = FALSE;
    if (chardev->stream != NULL)
        kiln_stream_pump(chardev->stream);
    if (chardev->console != NULL)
        kiln_stream_pump(chardev->console);
    writable = offer_space_locked(chardev);
    resume = chardev->resume;
    knocked = chardev->knocked;
    chardev->resume = chardev->knocked = FALSE;
    linger_locked(chardev);
    kiln_mutex_unlock(&chardev->lock);

    if (chardev->log != NULL)
        kiln_sink_wake(chardev->log);
    if (chardev->file != NULL)
        kiln_sink_wake(chardev->file);
    if (knocked)
        chardev->ops->connect_now(chardev->backend);
    if (resume && chardev->stream != NULL)
        kiln_stream_resume(chardev->stream);
    if (resume && chardev->console != NULL)
        kiln_stream_resume(chardev->console);
    if (writable && chardev->frontend != NULL && chardev->frontend->writable != NULL)
        chardev->frontend->writable(chardev->frontend_context);
    tell_open(chardev);
}

void
kiln_chardev_set_frontend(KilnChardev *chardev, const KilnChardevFrontend *frontend, void *context)
{
    chardev->frontend = frontend;
    chardev->frontend_context = context;
    chardev->told_open = FALSE;
    kiln_mutex_lock(&chardev->lock);
    chardev->patient = frontend != NULL && frontend->patient;
    kiln_mutex_unlock(&chardev->lock);
    kiln_chardev_resume_input(chardev);
}

gboolean
kiln_chardev_attach(KilnChardev *chardev, int fd, gboolean force, GError **error)
{
    KilnStreamOptions options = { .in = fd, .out = fd, .socket = TRUE };
    KilnStream *stream = chardev->console;

    if (stream != NULL && !kiln_stream_hung_up(stream) && !force) {
        kiln_fd_clear(&fd);
        return kiln_error_set(error, KILN_ERROR_EXISTS,
                              "the console '%s' is in use by somebody else", chardev->id);
    }
    if (stream != NULL) {
        forget_stream(chardev, stream);
        kiln_stream_free(stream);
    }
    stream = kiln_stream_new(&chardev->host, &chardev->console_reader, &options);
    kiln_mutex_lock(&chardev->lock);
    chardev->console = stream;
    kiln_mutex_unlock(&chardev->lock);
    tell_open(chardev);
    return TRUE;
}

const char *
kiln_chardev_path(const KilnChardev *chardev)
{
    if (chardev->ops == NULL || chardev->ops->path == NULL)
        return NULL;
    return chardev->ops->path(chardev->backend);
}

/* ---- For backends ---- */

void
kiln_chardev_connect(KilnChardev *chardev, const KilnStreamOptions *options)
{
    KilnStream *stream = chardev->stream;

    if (stream != NULL) {
        forget_stream(chardev, stream);
        kiln_stream_free(stream);
    }
    stream = kiln_stream_new(&chardev->host, &chardev->backend_reader, options);
    kiln_mutex_lock(&chardev->lock);
    chardev->stream = stream;
    kiln_mutex_unlock(&chardev->lock);
    tell_open(chardev);
}

/* From the thread of a sink. */
static void
sink_written(void *opaque)
{
    KilnChardev *chardev = opaque;
    KILN_LOCK_SCOPE(&chardev->lock);

    if (chardev->short_write)
        wake_locked(chardev);
}

void
kiln_chardev_connect_file(KilnChardev *chardev, int fd, const char *name)
{
    chardev->file = kiln_sink_new(fd, name, &chardev->lock, &chardev->ring, sink_written, chardev);
}

gboolean
kiln_chardev_is_connected(KilnChardev *chardev)
{
    return chardev->stream != NULL && !kiln_stream_hung_up(chardev->stream);
}

GMainContext *
kiln_chardev_context(KilnChardev *chardev)
{
    return chardev->context;
}

/* ---- Life ---- */

static gboolean
open_log(KilnChardev *chardev, KilnChardevOptions *options, GError **error)
{
    g_auto(KilnFd) fd = kiln_fd_steal(&options->log_fd);

    if (fd < 0 && options->log_path == NULL)
        return TRUE;
    if (fd < 0)
        fd = kiln_open(options->log_path,
                       O_WRONLY | O_CREAT | O_NOCTTY | (options->log_append ? O_APPEND : O_TRUNC),
                       0600, error);
    if (fd < 0)
        return FALSE;
    chardev->log = kiln_sink_new(kiln_fd_steal(&fd),
                                 options->log_path != NULL ? options->log_path : chardev->id,
                                 &chardev->lock, &chardev->ring, sink_written, chardev);
    return TRUE;
}

static const KilnBackendOps *
ops_of(KilnChardevKind kind)
{
    switch (kind) {
    case KILN_CHARDEV_NULL: return NULL;
    case KILN_CHARDEV_STDIO: return &kiln_backend_stdio;
    case KILN_CHARDEV_PTY: return &kiln_backend_pty;
    case KILN_CHARDEV_FILE: return &kiln_backend_file;
    case KILN_CHARDEV_PIPE: return &kiln_backend_pipe;
    case KILN_CHARDEV_UNIX:
    case KILN_CHARDEV_TCP: return &kiln_backend_socket;
    }
    g_return_val_if_reached(NULL);
}

static gboolean
open_all(KilnChardev *chardev, KilnChardevOptions *options, GError **error)
{
    const KilnBackendOps *ops = ops_of(options->kind);

    if (!kiln_event_open(&chardev->wake_event, error))
        return FALSE;
    chardev->wake_source =
        kiln_event_source_new(&chardev->wake_event, chardev->context, on_wake, chardev);
    if (!open_log(chardev, options, error))
        return FALSE;
    if (ops == NULL)
        return TRUE;
    chardev->backend = ops->open(chardev, options, error);
    if (chardev->backend == NULL)
        return FALSE;
    chardev->ops = ops;
    return TRUE;
}

KilnChardev *
kiln_chardev_open(const KilnChardevOptions *given, GMainContext *context, GError **error)
{
    KilnChardevOptions options = *given;
    g_autoptr(KilnChardev) chardev = g_new0(KilnChardev, 1);
    gboolean opened;

    chardev->id = g_strdup(options.id);
    chardev->context = g_main_context_ref(context != NULL ? context : g_main_context_default());
    chardev->wake_event.fd = -1;
    kiln_mutex_init(&chardev->lock);
    chardev->host = (KilnStreamHost){
        .context = chardev->context,
        .lock = &chardev->lock,
        .ring = &chardev->ring,
        .opaque = chardev,
        .room = host_room,
        .input = host_input,
        .telnet_break = host_telnet_break,
        .leave = host_leave,
        .ended = host_ended,
        .hung_up = host_hung_up,
        .output_failed = host_output_failed,
        .output_went_on = host_output_went_on,
    };
    opened = open_all(chardev, &options, error);
    kiln_fd_clear(&options.fd);
    kiln_fd_clear(&options.fd_out);
    kiln_fd_clear(&options.log_fd);
    if (!opened) {
        g_prefix_error(error, "%s: ", chardev->id);
        return NULL;
    }
    return g_steal_pointer(&chardev);
}

/* Sends what @stream's peer takes until @deadline_us. */
static void
drain(KilnChardev *chardev, KilnStream *stream, const KilnRingReader *reader, gint64 deadline_us)
{
    struct pollfd out = { .fd = kiln_stream_out_fd(stream), .events = POLLOUT };

    while (TRUE) {
        gint64 left_us = deadline_us - g_get_monotonic_time();
        gboolean empty;

        kiln_mutex_lock(&chardev->lock);
        kiln_stream_pump(stream);
        empty = !reader->joined || reader->next == chardev->ring.end;
        kiln_mutex_unlock(&chardev->lock);
        if (empty || left_us <= 0)
            return;
        (void)poll(&out, 1, (int)(left_us / 1000) + 1);
    }
}

void
kiln_chardev_free(KilnChardev *chardev)
{
    gint64 deadline_us = g_get_monotonic_time() + KILN_CHARDEV_STALL_MS * 1000;

    if (chardev == NULL)
        return;
    if (chardev->stream != NULL)
        drain(chardev, chardev->stream, &chardev->backend_reader, deadline_us);
    if (chardev->console != NULL)
        drain(chardev, chardev->console, &chardev->console_reader, deadline_us);
    kiln_stream_free(chardev->stream);
    kiln_stream_free(chardev->console);
    kiln_sink_free(chardev->file);
    kiln_sink_free(chardev->log);
    if (chardev->ops != NULL && chardev->ops->free != NULL)
        chardev->ops->free(chardev->backend);
    kiln_source_free(chardev->stall);
    kiln_source_free(chardev->linger);
    kiln_source_free(chardev->wake_source);
    kiln_event_clear(&chardev->wake_event);
    kiln_ring_clear(&chardev->ring);
    kiln_mutex_clear(&chardev->lock);
    g_main_context_unref(chardev->context);
    g_free(chardev->id);
    g_free(chardev);
}
