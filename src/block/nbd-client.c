/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module nbd.so: an NBD disk over libnbd.  See nbd.h.
 *
 * A request is done in pieces, one after the other; those of different requests are under way
 * together.  libnbd takes one buffer a command: a piece that lies in one of the request's buffers
 * is sent from there, others go through a buffer of ours.  libnbd calls back with its lock held, so
 * its callbacks only put a part into a list, and drain() goes on with it afterwards.
 */
#include <errno.h>
#include <libnbd.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/log.h"
#include "block/nbd-connect.h"
#include "block/nbd-limits.h"
#include "block/nbd-module.h"
#include "loop/call.h"
#include "loop/fd-source.h"
#include "loop/timer.h"

enum {
    MAX_BUFFERS = 32,         /* of pieces that are under way */
    KEPT_BUFFERS = 4,         /* that are not given back when nobody uses them */
    WORTH_SENDING = 64 << 10, /* bytes in one place: as fast as more of them after a copy */
    ZEROES_BYTES = 64 << 10,
    DEFAULT_SILENCE_MS = 60000,
    NS_PER_MS = 1000000,
    SECTOR_BYTES = 512,
};

typedef struct Client Client;
typedef struct Part Part;

/* Of a request, in its scratch. */
struct Part {
    Client *client;
    KilnBlockRequest *request;
    Part *next;       /* (nullable): in one of the two lists */
    uint64_t at;      /* bytes of the request that are done */
    uint32_t piece;   /* bytes under way */
    unsigned i_iov;   /* where @at is … */
    size_t in_iov;    /* … and bytes into that buffer */
    uint8_t *bounce;  /* (owned) (nullable): of the piece */
    int error;        /* of the piece: 0 or an errno */
    gboolean listed;  /* the callback came */
    gboolean syncing; /* all is written, a flush is under way for FUA */
};

typedef struct {
    Part *first, **end;
} PartList;

struct Client {
    KilnBlock block;
    char *name;
    struct nbd_handle *handle;
    KilnNbdLimits limits;
    gboolean can_flush, can_fua, can_trim, can_zero;
    gboolean no_flush;
    GSource *source;
    GIOCondition condition; /* of @source */
    KilnTimer *timer;
    gboolean timer_armed;
    uint64_t silence_ns;
    uint64_t heard_ns; /* when the server last sent something, or began to owe an answer */
    unsigned in_flight;
    gboolean lost;
    gboolean draining;
    PartList done;    /* pieces that libnbd is through with */
    PartList waiting; /* for a buffer */
    uint8_t *buffers[KEPT_BUFFERS];
    unsigned n_kept, n_used;
    uint8_t *zeroes; /* (owned) (nullable): for a server that cannot write zeroes */
};

static void
list_init(PartList *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void
list_add(PartList *list, Part *part)
{
    part->next = NULL;
    *list->end = part;
    list->end = &part->next;
}

/* Returns: (nullable): the first. */
static Part *
list_take(PartList *list)
{
    Part *part = list->first;

    if (part == NULL)
        return NULL;
    list->first = part->next;
    if (list->first == NULL)
        list->end = &list->first;
    return part;
}

/* ---- Buffers ---- */

static uint8_t *
buffer_take(Client *client)
{
    if (client->n_used == MAX_BUFFERS)
        return NULL;
    client->n_used++;
    /* Zeroed: a server that lies about what it has sent shall not show the guest our heap. */
    return client->n_kept > 0 ? client->buffers[--client->n_kept] : g_malloc0(client->limits.piece);
}

static void
buffer_give(Client *client, uint8_t *buffer)
{
    client->n_used--;
    if (client->n_kept < KEPT_BUFFERS)
        client->buffers[client->n_kept++] = buffer;
    else
        g_free(buffer);
}

/* Copies @length bytes between the buffers at @at and @bytes, and moves @at on: @bytes NULL only
 * moves. */
static void
walk(Part *part, uint8_t *bytes, size_t length, gboolean gather)
{
    while (length > 0) {
        const struct iovec *iov = &part->request->iov[part->i_iov];
        size_t here = MIN(length, iov->iov_len - part->in_iov);
        uint8_t *place = (uint8_t *)iov->iov_base + part->in_iov;

        if (bytes != NULL) {
            memcpy(gather ? bytes : place, gather ? place : bytes, here);
            bytes += here;
        }
        length -= here;
        part->in_iov += here;
        if (part->in_iov == iov->iov_len) {
            part->i_iov++;
            part->in_iov = 0;
        }
    }
}

/* ---- Losing the connection ---- */

/* Right after a call that may have found the server gone, while its reason is known. */
static void
notice_loss(Client *client)
{
    gboolean dead = nbd_aio_is_dead(client->handle) == 1;
    g_autofree char *reason = NULL;

    if (client->lost || (!dead && nbd_aio_is_closed(client->handle) != 1))
        return;
    client->lost = TRUE;
    reason = dead ? kiln_nbd_reason() : g_strdup("the server hung up");
    kiln_log(KILN_LOG_ERROR, "%s: the connection is lost: %s", client->name, reason);
}

/* ---- Commands ---- */

static int
on_completed(void *data, int *error)
{
    Part *part = data;

    part->error = *error;
    part->listed = TRUE;
    list_add(&part->client->done, part);
    return 1;
}

/* @cookie: what the nbd_aio function has returned.  A command that was not taken is done. */
static void
issued(Part *part, int64_t cookie)
{
    int error = cookie < 0 ? nbd_get_errno() : 0;

    notice_loss(part->client);
    if (cookie < 0 && !part->listed)
        on_completed(part, &(int){ error != 0 ? error : EIO });
}

static nbd_completion_callback
completion(Part *part)
{
    part->listed = FALSE;
    return (nbd_completion_callback){ .callback = on_completed, .user_data = part };
}

/* Puts the next piece into one buffer.  Returns: (nullable): NULL if there is none just now. */
static uint8_t *
choose_buffer(Part *part, uint64_t left)
{
    Client *client = part->client;
    const struct iovec *iov = &part->request->iov[part->i_iov];
    uint64_t most = MIN(left, client->limits.piece);
    size_t here;
    Part cursor;

    while (iov->iov_len == part->in_iov) {
        iov = &part->request->iov[++part->i_iov];
        part->in_iov = 0;
    }
    here = kiln_align_down(MIN(iov->iov_len - part->in_iov, most), client->limits.minimum);
    if (here == most || here >= WORTH_SENDING) {
        part->piece = (uint32_t)here;
        return (uint8_t *)iov->iov_base + part->in_iov;
    }
    part->bounce = buffer_take(client);
    part->piece = (uint32_t)most;
    if (part->bounce != NULL && part->request->op == KILN_BLOCK_WRITE) {
        cursor = *part;
        walk(&cursor, part->bounce, most, TRUE);
    }
    return part->bounce;
}

static void
send_flush(Part *part)
{
    part->piece = 0;
    issued(part, nbd_aio_flush(part->client->handle, completion(part), 0));
}

static void
send_data(Part *part, uint64_t left)
{
    Client *client = part->client;
    uint64_t offset = part->request->offset + part->at;
    uint8_t *bytes = choose_buffer(part, left);
    gboolean fua = part->request->flags & KILN_BLOCK_FUA && client->can_fua;

    if (bytes == NULL)
        list_add(&client->waiting, part);
    else if (part->request->op == KILN_BLOCK_READ)
        issued(part,
               nbd_aio_pread(client->handle, bytes, part->piece, offset, completion(part), 0));
    else
        issued(part, nbd_aio_pwrite(client->handle, bytes, part->piece, offset, completion(part),
                                    fua ? LIBNBD_CMD_FLAG_FUA : 0));
}

static void
send_zeroes(Part *part, uint64_t left)
{
    Client *client = part->client;
    uint64_t offset = part->request->offset + part->at;
    uint32_t flags =
        part->request->flags & KILN_BLOCK_FUA && client->can_fua ? LIBNBD_CMD_FLAG_FUA : 0;

    if (client->can_zero) {
        if (!(part->request->flags & KILN_BLOCK_MAY_UNMAP))
            flags |= LIBNBD_CMD_FLAG_NO_HOLE;
        part->piece = (uint32_t)MIN(left, client->limits.range);
        issued(part, nbd_aio_zero(client->handle, part->piece, offset, completion(part), flags));
        return;
    }
    if (client->zeroes == NULL)
        client->zeroes = g_malloc0(ZEROES_BYTES);
    part->piece = (uint32_t)MIN(left, MIN(ZEROES_BYTES, client->limits.piece));
    issued(part, nbd_aio_pwrite(client->handle, client->zeroes, part->piece, offset,
                                completion(part), flags));
}

static void
send_trim(Part *part, uint64_t left)
{
    Client *client = part->client;

    part->piece = (uint32_t)MIN(left, client->limits.range);
    issued(part, nbd_aio_trim(client->handle, part->piece, part->request->offset + part->at,
                              completion(part), 0));
}

/* Sends the next piece, of which there is one. */
static void
send_next(Part *part)
{
    uint64_t left = part->request->length - part->at;

    if (part->client->lost)
        on_completed(part, &(int){ ENOTCONN });
    else if (part->request->op == KILN_BLOCK_FLUSH || part->syncing)
        send_flush(part);
    else if (part->request->op == KILN_BLOCK_WRITE_ZEROES)
        send_zeroes(part, left);
    else if (part->request->op == KILN_BLOCK_DISCARD)
        send_trim(part, left);
    else
        send_data(part, left);
}

/* ---- The end of pieces ---- */

static void
finish(Part *part, int result)
{
    part->client->in_flight--;
    part->request->done(part->request, result);
}

/* A server without FUA is asked to flush after the last piece. */
static gboolean
must_sync(const Part *part)
{
    const Client *client = part->client;

    return part->request->flags & KILN_BLOCK_FUA && !client->can_fua && client->can_flush &&
           !client->no_flush && !part->syncing && part->request->op != KILN_BLOCK_FLUSH;
}

static void
piece_done(Part *part)
{
    KilnBlockRequest *request = part->request;

    if (request->op == KILN_BLOCK_READ || request->op == KILN_BLOCK_WRITE) {
        if (part->error == 0)
            walk(part, request->op == KILN_BLOCK_READ ? part->bounce : NULL, part->piece, FALSE);
        if (part->bounce != NULL)
            buffer_give(part->client, g_steal_pointer(&part->bounce));
    }
    part->at += part->piece;
    if (part->error != 0) {
        finish(part, part->client->lost ? -ENOTCONN : -part->error);
    } else if (part->at < request->length) {
        send_next(part);
    } else if (must_sync(part)) {
        part->syncing = TRUE;
        send_next(part);
    } else {
        finish(part, 0);
    }
}

/* Goes on with all that can; every call into libnbd is followed by one. */
static void
drain(Client *client)
{
    if (client->draining)
        return;
    client->draining = TRUE;
    for (;;) {
        Part *part = list_take(&client->done);

        if (part != NULL) {
            piece_done(part);
            continue;
        }
        if (client->n_used == MAX_BUFFERS)
            break;
        part = list_take(&client->waiting);
        if (part == NULL)
            break;
        send_next(part);
    }
    client->draining = FALSE;
}

/* ---- The connection ---- */

/* What the socket is watched for. */
static void
watch(Client *client)
{
    unsigned direction = nbd_aio_get_direction(client->handle);
    GIOCondition condition = 0;

    notice_loss(client);
    if (!client->lost)
        condition = (direction & LIBNBD_AIO_DIRECTION_READ ? G_IO_IN : 0) |
                    (direction & LIBNBD_AIO_DIRECTION_WRITE ? G_IO_OUT : 0);
    if (condition == client->condition)
        return;
    client->condition = condition;
    kiln_fd_source_set_condition(client->source, condition);
}

static void
go_on(Client *client)
{
    /* What is drained may bring about new pieces, and their loss. */
    do {
        drain(client);
        watch(client);
    } while (client->done.first != NULL);
}

static gboolean
on_ready(int fd, GIOCondition ready, gpointer data)
{
    Client *client = data;
    unsigned direction = nbd_aio_get_direction(client->handle);

    client->heard_ns = kiln_clock_ns();
    if (direction & LIBNBD_AIO_DIRECTION_READ && ready & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        nbd_aio_notify_read(client->handle);
    else if (direction & LIBNBD_AIO_DIRECTION_WRITE && ready & (G_IO_OUT | G_IO_HUP | G_IO_ERR))
        nbd_aio_notify_write(client->handle);
    notice_loss(client);
    go_on(client);
    return G_SOURCE_CONTINUE;
}

static void
on_timer(gpointer data)
{
    Client *client = data;

    client->timer_armed = FALSE;
    if (client->in_flight == 0 || client->lost)
        return;
    if (kiln_clock_ns() - client->heard_ns < client->silence_ns) {
        client->timer_armed = TRUE;
        kiln_timer_arm(client->timer, client->heard_ns + client->silence_ns);
        return;
    }
    kiln_log(KILN_LOG_ERROR, "%s: the server has been silent for %" G_GUINT64_FORMAT " ms",
             client->name, client->silence_ns / NS_PER_MS);
    /* libnbd gives up, and all that is under way, when its socket ends. */
    shutdown(nbd_aio_get_fd(client->handle), SHUT_RDWR);
}

static void
client_submit(KilnBlock *block, KilnBlockRequest *request)
{
    Client *client = (Client *)block;
    Part *part = request->scratch;

    if ((request->op == KILN_BLOCK_FLUSH && (!client->can_flush || client->no_flush)) ||
        (request->op == KILN_BLOCK_DISCARD && !client->can_trim) ||
        (request->op != KILN_BLOCK_FLUSH && request->length == 0)) {
        request->done(request, client->lost ? -ENOTCONN : 0);
        return;
    }
    *part = (Part){ .client = client, .request = request };
    if (client->in_flight++ == 0)
        client->heard_ns = kiln_clock_ns();
    if (!client->timer_armed) {
        client->timer_armed = TRUE;
        kiln_timer_arm(client->timer, client->heard_ns + client->silence_ns);
    }
    send_next(part);
    if (!client->draining)
        go_on(client);
}

/* ---- Open and close ---- */

static void
forget_context(gpointer data)
{
    Client *client = data;

    kiln_source_free(g_steal_pointer(&client->source));
    kiln_timer_free(g_steal_pointer(&client->timer));
}

/* In the thread that runs the context, or here if nobody does. */
static void
leave_context(Client *client)
{
    GMainContext *context =
        client->block.context != NULL ? client->block.context : g_main_context_default();

    if (g_main_context_acquire(context)) {
        forget_context(client);
        g_main_context_release(context);
    } else {
        kiln_call_wait(context, forget_context, client);
    }
}

static void
client_free(KilnBlock *block)
{
    Client *client = (Client *)block;

    leave_context(client);
    if (client->handle != NULL) {
        /* Told in so many words, the server need not take it for an accident. */
        if (!client->lost)
            nbd_aio_disconnect(client->handle, 0);
        nbd_close(client->handle);
    }
    while (client->n_kept > 0)
        g_free(client->buffers[--client->n_kept]);
    g_free(client->zeroes);
    g_free(client->name);
    g_free(client);
}

static const KilnBlockOps client_ops = {
    .name = "nbd",
    .submit = client_submit,
    .free = client_free,
};

static gboolean
ask_export(Client *client, const KilnBlockNbdOptions *options, GError **error)
{
    struct nbd_handle *handle = client->handle;
    KilnNbdClaims claims = {
        .size = nbd_get_size(handle),
        .minimum = nbd_get_block_size(handle, LIBNBD_SIZE_MINIMUM),
        .preferred = nbd_get_block_size(handle, LIBNBD_SIZE_PREFERRED),
        .maximum = nbd_get_block_size(handle, LIBNBD_SIZE_MAXIMUM),
    };

    if (!kiln_nbd_limits(&claims, &client->limits, error))
        return FALSE;
    if (!options->read_only && nbd_is_read_only(handle) != 0)
        return kiln_error_set(error, KILN_ERROR_PERMISSION, "the server has it read-only");
    client->can_flush = nbd_can_flush(handle) == 1;
    client->can_fua = nbd_can_fua(handle) == 1;
    client->can_trim = nbd_can_trim(handle) == 1;
    client->can_zero = nbd_can_zero(handle) == 1;
    client->block.rotational = nbd_is_rotational(handle) == 1;
    return TRUE;
}

static void
describe(Client *client, const KilnBlockNbdOptions *options)
{
    KilnBlock *block = &client->block;

    block->context = options->context;
    block->length = client->limits.size;
    block->alignment = 1;
    block->block_size = client->limits.minimum;
    block->physical_size = client->limits.preferred;
    block->discard_granularity = client->can_trim ? MAX(client->limits.minimum, SECTOR_BYTES) : 0;
    block->read_only = options->read_only;
    block->request_size = kiln_align_up(sizeof(Part), 16);
}

static gboolean
client_open_into(Client *client, const KilnBlockNbdOptions *options, GError **error)
{
    client->timer = kiln_timer_open(options->context, on_timer, client, error);
    if (client->timer == NULL)
        return FALSE;
    client->handle = kiln_nbd_connect(options, error);
    if (client->handle == NULL || !ask_export(client, options, error))
        return FALSE;
    describe(client, options);
    client->source =
        kiln_fd_source_new(options->context, nbd_aio_get_fd(client->handle), 0, on_ready, client);
    watch(client);
    return TRUE;
}

static KilnBlock *
client_open(const KilnBlockNbdOptions *options, GError **error)
{
    Client *client = g_new0(Client, 1);
    unsigned silence_ms = options->silence_ms != 0 ? options->silence_ms : DEFAULT_SILENCE_MS;

    client->block.ops = &client_ops;
    client->block.context = options->context;
    client->name = kiln_nbd_name(options);
    client->no_flush = options->no_flush;
    client->silence_ns = (uint64_t)silence_ms * NS_PER_MS;
    list_init(&client->done);
    list_init(&client->waiting);
    if (!client_open_into(client, options, error)) {
        g_prefix_error(error, "%s: ", client->name);
        client_free(&client->block);
        return NULL;
    }
    return &client->block;
}

const KilnNbdModule kiln_nbd_module = { .open = client_open };
