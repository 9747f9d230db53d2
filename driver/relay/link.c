/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "relay/link.h"

#include "base/be.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "loop/fd-source.h"
#include "rpc/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_CHUNK = 256 * 1024, /* bytes of one turn of the loop */
};

struct KilnLink {
    guint references; /* the owner's, and one for each turn under way */
    gboolean freed;
    KilnFd fd;
    GSource *source;       /* (owned) */
    guint again;           /* source: what was read before a pause is dealt with */
    KilnLinkEvents events; /* of the owner */
    gpointer data;
    GByteArray *input; /* (owned): not dealt with yet */
    gboolean paused;
    GQueue output; /* of GBytes (owned) */
    gsize sent;    /* of the first of them */
    gsize queued;  /* bytes of all, with those sent of the first */
};

static void
release(KilnLink *link)
{
    if (--link->references > 0)
        return;
    g_byte_array_unref(link->input);
    g_free(link);
}

void
kiln_link_free(KilnLink *link)
{
    if (link == NULL || link->freed)
        return;
    link->freed = TRUE;
    if (link->again != 0)
        g_source_remove(link->again);
    if (link->source != NULL)
        kiln_source_free(g_steal_pointer(&link->source));
    kiln_fd_clear(&link->fd);
    g_queue_clear_full(&link->output, (GDestroyNotify)g_bytes_unref);
    release(link);
}

static void
lose(KilnLink *link, const char *why)
{
    if (link->freed || link->source == NULL)
        return;
    kiln_source_free(g_steal_pointer(&link->source));
    kiln_fd_clear(&link->fd);
    link->events.lost(why, link->data);
}

static void
update(KilnLink *link)
{
    GIOCondition wanted =
        (link->paused ? 0 : G_IO_IN) | (g_queue_is_empty(&link->output) ? 0 : G_IO_OUT);

    if (link->source != NULL)
        kiln_fd_source_set_condition(link->source, wanted);
}

/* ---- Out ---- */

static gboolean
flush(KilnLink *link)
{
    while (!g_queue_is_empty(&link->output)) {
        gsize length = 0;
        const guint8 *bytes = g_bytes_get_data(g_queue_peek_head(&link->output), &length);
        ssize_t n =
            send(link->fd, bytes + link->sent, length - link->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return TRUE;
        if (n < 0)
            return FALSE;
        link->sent += (gsize)n;
        if (link->sent < length)
            continue;
        g_bytes_unref(g_queue_pop_head(&link->output));
        link->queued -= length;
        link->sent = 0;
    }
    return TRUE;
}

/* A failure shows when the source runs: nothing is called from here. */
void
kiln_link_send(KilnLink *link, GBytes *packet)
{
    if (link->source == NULL)
        return;
    g_queue_push_tail(&link->output, g_bytes_ref(packet));
    link->queued += g_bytes_get_size(packet);
    flush(link);
    update(link);
}

gboolean
kiln_link_is_congested(const KilnLink *link)
{
    return link->queued - link->sent >= KILN_LINK_CONGESTED;
}

/* ---- In ---- */

static void
answer_ping(KilnLink *link, const KilnPacket *ping)
{
    KilnPacket header = {
        .program = KILN_PROGRAM_KEEPALIVE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = KILN_KEEPALIVE_PONG,
        .type = KILN_FRAME_MESSAGE,
    };
    g_autoptr(GBytes) pong = NULL;

    if (ping->procedure != KILN_KEEPALIVE_PING || kiln_link_is_congested(link))
        return;
    pong = kiln_frame_encode(&header, 0, NULL, NULL);
    kiln_link_send(link, pong);
}

/* What only a client says, or what carries descriptors, is no answer to anything that is relayed.
 */
static gboolean
may_be(const KilnPacket *packet)
{
    if (packet->program != KILN_PROGRAM_REMOTE || packet->version != KILN_PROGRAM_VERSION)
        return FALSE;
    switch (packet->type) {
    case KILN_FRAME_REPLY:
    case KILN_FRAME_MESSAGE: return packet->status <= KILN_FRAME_ERROR;
    case KILN_FRAME_STREAM:
    case KILN_FRAME_STREAM_HOLE: return packet->status <= KILN_FRAME_CONTINUE;
    default: return FALSE;
    }
}

static void
take_packet(KilnLink *link, GBytes *bytes)
{
    KilnPacket *packet = kiln_frame_parse(bytes);

    if (packet == NULL) {
        lose(link, "it sent a packet of a wrong length");
        return;
    }
    if (packet->program == KILN_PROGRAM_KEEPALIVE)
        answer_ping(link, packet);
    else if (may_be(packet))
        link->events.packet(packet, link->data);
    else
        lose(link, "it sent a packet that is no answer");
    kiln_packet_free(packet);
}

static void
take_packets(KilnLink *link)
{
    gsize at = 0;

    while (link->source != NULL && !link->paused) {
        gsize rest = link->input->len - at;
        gsize length = 0;

        if (rest < KILN_FRAME_LENGTH_SIZE)
            break;
        length = kiln_frame_length(link->input->data + at, KILN_FRAME_MAX);
        if (length == 0) {
            lose(link, "it sent a packet of an impossible length");
            break;
        }
        if (rest < length)
            break;
        at += length;
        take_packet(link, g_bytes_new(link->input->data + at - length, length));
    }
    if (at > 0)
        g_byte_array_remove_range(link->input, 0, (guint)at);
}

static void
on_input(KilnLink *link)
{
    g_autofree guint8 *chunk = g_malloc(READ_CHUNK);
    ssize_t n = recv(link->fd, chunk, READ_CHUNK, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose(link, n == 0 ? "it closed the connection" : g_strerror(errno));
        return;
    }
    g_byte_array_append(link->input, chunk, (guint)n);
    take_packets(link);
}

static void
on_output(KilnLink *link)
{
    gboolean was_congested = kiln_link_is_congested(link);

    if (!flush(link))
        lose(link, g_strerror(errno));
    else if (was_congested && !kiln_link_is_congested(link))
        link->events.drained(link->data);
}

static gboolean
on_ready(int fd, GIOCondition ready, gpointer data)
{
    KilnLink *link = data;

    (void)fd;
    link->references++;
    if ((ready & G_IO_OUT) != 0)
        on_output(link);
    /* What it said before it went is heard first. */
    if (link->source != NULL && !link->paused)
        on_input(link);
    else if (link->source != NULL && (ready & (G_IO_HUP | G_IO_ERR)) != 0)
        lose(link, "it closed the connection");
    if (link->source != NULL)
        update(link);
    release(link);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_again(gpointer data)
{
    KilnLink *link = data;

    link->again = 0;
    link->references++;
    take_packets(link);
    update(link);
    release(link);
    return G_SOURCE_REMOVE;
}

void
kiln_link_pause(KilnLink *link, gboolean pause)
{
    if (link->paused == pause)
        return;
    link->paused = pause;
    if (!pause && link->again == 0 && link->input->len > 0)
        link->again = g_idle_add(on_again, link);
    update(link);
}

KilnLink *
kiln_link_new(int fd, const KilnLinkEvents *events, gpointer data)
{
    KilnLink *link = g_new0(KilnLink, 1);

    link->references = 1;
    link->fd = fd;
    link->events = *events;
    link->data = data;
    link->input = g_byte_array_new();
    g_queue_init(&link->output);
    link->source = kiln_fd_source_new(NULL, fd, G_IO_IN, on_ready, link);
    return link;
}

KilnLink *
kiln_link_open(const char *path, const KilnLinkEvents *events, gpointer data, GError **error)
{
    g_auto(KilnFd) fd = kiln_unix_connect(path, error);
    struct ucred peer = { 0 };
    socklen_t size = sizeof peer;

    if (fd < 0)
        return NULL;
    /* A name that leads back here would have each call make another one. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid()) {
        kiln_error_set(error, KILN_ERROR_NOT_FOUND, "socket '%s' leads back to this daemon", path);
        return NULL;
    }
    return kiln_link_new(kiln_fd_steal(&fd), events, data);
}
