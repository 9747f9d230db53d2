/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See user-link.h. */
#include "vhost/user-link.h"

#include "base/error.h"
#include "vhost/user.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { ANSWER_MS = 5000 };

void
kiln_vhost_user_link_close(KilnVhostUserLink *link)
{
    kiln_vhost_user_backend_free(g_steal_pointer(&link->backend));
    kiln_fd_clear(&link->socket);
    link->reader.got = 0;
    link->lost = FALSE;
    link->protocol = 0;
}

gboolean
kiln_vhost_user_link_lose(KilnVhostUserLink *link, GError **error, const char *why)
{
    if (!link->lost) {
        link->lost = TRUE;
        g_free(link->why);
        link->why = g_strdup(why);
        if (link->socket >= 0)
            (void)shutdown(link->socket, SHUT_RDWR);
    }
    return kiln_error_set(error, KILN_ERROR_FAILED, "%s: vhost-user: %s", link->id, why);
}

static gboolean
lose_errno(KilnVhostUserLink *link, GError **error, int errnum)
{
    if (errnum == ECONNRESET || errnum == EPIPE)
        return kiln_vhost_user_link_lose(link, error, "the peer hung up");
    if (errnum == EPROTO)
        return kiln_vhost_user_link_lose(link, error, "the peer sent what is no message");
    if (errnum == ETIMEDOUT)
        return kiln_vhost_user_link_lose(link, error, "the peer does not answer");
    return kiln_vhost_user_link_lose(link, error, g_strerror(errnum));
}

static gint64
deadline_after(const KilnVhostUserLink *link, unsigned patience)
{
    gint64 milliseconds = link->answer_ms != 0 ? link->answer_ms : ANSWER_MS;

    return g_get_monotonic_time() + milliseconds * patience * 1000;
}

static gboolean
send_message(KilnVhostUserLink *link, KilnVhostUserMessage *message, const int *fds, unsigned n_fds,
             GError **error)
{
    int result;

    if (link->socket < 0 || link->lost)
        return kiln_error_set(error, KILN_ERROR_STATE, "%s: vhost-user: there is no peer",
                              link->id);
    result = kiln_vhost_user_write(link->socket, message, fds, n_fds, deadline_after(link, 1));
    return result == 0 ? TRUE : lose_errno(link, error, -result);
}

/* Returns: 0 when something is to be read, or -errno.  Meanwhile the other channel is served: a
 * peer may wait there for an answer before it gives one here. */
static int
wait_readable(KilnVhostUserLink *link, gint64 deadline_us)
{
    struct pollfd pollers[2];

    do {
        gint64 left = deadline_us - g_get_monotonic_time();
        int n;

        pollers[0] = (struct pollfd){ .fd = link->socket, .events = POLLIN };
        pollers[1] =
            (struct pollfd){ .fd = link->backend != NULL ? kiln_vhost_user_backend_fd(link->backend)
                                                         : -1,
                             .events = POLLIN };
        if (left <= 0)
            return -ETIMEDOUT;
        n = poll(pollers, 2, (int)MIN((left + 999) / 1000, G_MAXINT));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && pollers[1].revents != 0)
            kiln_vhost_user_backend_serve(link->backend);
    } while (pollers[0].revents == 0);
    return 0;
}

/* Waits for the answer to @request, which is in link->reader.message then. */
static gboolean
receive_answer(KilnVhostUserLink *link, uint32_t request, uint32_t size, unsigned patience,
               GError **error)
{
    gint64 deadline = deadline_after(link, patience);
    int got;

    while ((got = kiln_vhost_user_read(&link->reader, link->socket)) == 0) {
        got = wait_readable(link, deadline);
        if (got < 0)
            break;
    }
    if (got < 0)
        return lose_errno(link, error, -got);
    if (!kiln_vhost_user_answers(&link->reader.message, request, size))
        return kiln_vhost_user_link_lose(link, error, "the peer answered what was not asked");
    return TRUE;
}

const KilnVhostUserMessage *
kiln_vhost_user_link_ask(KilnVhostUserLink *link, KilnVhostUserMessage *message, uint32_t size,
                         unsigned patience, GError **error)
{
    if (!send_message(link, message, NULL, 0, error) ||
        !receive_answer(link, message->request, size, patience, error))
        return NULL;
    return &link->reader.message;
}

gboolean
kiln_vhost_user_link_tell(KilnVhostUserLink *link, KilnVhostUserMessage *message, const int *fds,
                          unsigned n_fds, GError **error)
{
    gboolean acknowledged = (link->protocol & 1ull << KILN_VHOST_USER_PROTOCOL_REPLY_ACK) != 0;

    message->flags = acknowledged ? VHOST_USER_NEED_REPLY : 0;
    if (!send_message(link, message, fds, n_fds, error))
        return FALSE;
    if (!acknowledged)
        return TRUE;
    if (!receive_answer(link, message->request, sizeof(uint64_t), 1, error))
        return FALSE;
    if (link->reader.message.payload.u64 != 0)
        return kiln_error_set(error, KILN_ERROR_FAILED, "%s: vhost-user: request %u was refused",
                              link->id, message->request);
    return TRUE;
}

gboolean
kiln_vhost_user_link_tell_u64(KilnVhostUserLink *link, uint32_t request, uint64_t value,
                              GError **error)
{
    KilnVhostUserMessage message = { .request = request, .size = sizeof value };

    message.payload.u64 = value;
    return kiln_vhost_user_link_tell(link, &message, NULL, 0, error);
}

gboolean
kiln_vhost_user_link_ask_u64(KilnVhostUserLink *link, uint32_t request, uint64_t *value,
                             GError **error)
{
    KilnVhostUserMessage message = { .request = request };
    const KilnVhostUserMessage *answer =
        kiln_vhost_user_link_ask(link, &message, sizeof *value, 1, error);

    if (answer == NULL)
        return FALSE;
    *value = answer->payload.u64;
    return TRUE;
}
