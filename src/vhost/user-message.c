/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See user-message.h. */
#include "vhost/user-message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static void
close_descriptors(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        gsize n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (gsize i = 0; i < n; i++) {
            KilnFd fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            kiln_fd_clear(&fd);
        }
    }
}

/* Returns: bytes read, 0 when there are none now, or -errno. */
static int
read_some(int fd, void *data, size_t length)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(VHOST_USER_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = data, .iov_len = length };
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t n;

    do
        n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    close_descriptors(&message);
    return n == 0 ? -ECONNRESET : (int)n;
}

/* The part of @message that byte @got of the stream is in, and how many bytes it still lacks. */
static void *
next_part(KilnVhostUserMessage *message, uint32_t got, uint32_t *missing)
{
    if (got < VHOST_USER_HEADER) {
        *missing = VHOST_USER_HEADER - got;
        return (uint8_t *)message + got;
    }
    *missing = message->size - (got - VHOST_USER_HEADER);
    return message->payload.bytes + (got - VHOST_USER_HEADER);
}

int
kiln_vhost_user_read(KilnVhostUserReader *reader, int fd)
{
    KilnVhostUserMessage *message = &reader->message;

    if (reader->got >= VHOST_USER_HEADER && reader->got == VHOST_USER_HEADER + message->size)
        reader->got = 0; /* the caller has had that one */
    for (;;) {
        uint32_t missing;
        void *to = next_part(message, reader->got, &missing);
        int n = read_some(fd, to, missing);

        if (n <= 0)
            return n;
        reader->got += (uint32_t)n;
        if (reader->got < VHOST_USER_HEADER)
            continue;
        if (message->size > VHOST_USER_MAX_PAYLOAD ||
            (message->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION)
            return -EPROTO;
        if (reader->got == VHOST_USER_HEADER + message->size)
            return 1;
    }
}

static int
wait_writable(int fd, gint64 deadline_us)
{
    gint64 left = deadline_us - g_get_monotonic_time();
    struct pollfd poller = { .fd = fd, .events = POLLOUT };
    int n;

    if (left <= 0)
        return -ETIMEDOUT;
    n = poll(&poller, 1, (int)MIN((left + 999) / 1000, G_MAXINT));
    if (n < 0 && errno != EINTR)
        return -errno;
    return 0;
}

int
kiln_vhost_user_write(int fd, KilnVhostUserMessage *message, const int *fds, unsigned n_fds,
                      gint64 deadline_us)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(VHOST_USER_MAX_FDS * sizeof(int))];
    } control = { 0 };
    uint32_t sent = 0;

    g_assert(n_fds <= VHOST_USER_MAX_FDS && message->size <= VHOST_USER_MAX_PAYLOAD);
    message->flags = (message->flags & ~(uint32_t)VHOST_USER_VERSION_MASK) | VHOST_USER_VERSION;
    while (sent < VHOST_USER_HEADER + message->size) {
        uint32_t missing;
        void *from = next_part(message, sent, &missing);
        struct iovec iov[2] = {
            { .iov_base = from, .iov_len = missing },
            { .iov_base = message->payload.bytes, .iov_len = message->size },
        };
        struct msghdr header = { .msg_iov = iov, .msg_iovlen = sent < VHOST_USER_HEADER ? 2 : 1 };
        ssize_t n;

        if (sent == 0 && n_fds > 0) {
            header.msg_control = &control;
            header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
            control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                              .cmsg_type = SCM_RIGHTS,
                                              .cmsg_len = CMSG_LEN(n_fds * sizeof(int)) };
            memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), fds, n_fds * sizeof(int));
        }
        n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent += (uint32_t)n;
        else if (n < 0 && errno == EAGAIN) {
            int waited = wait_writable(fd, deadline_us);

            if (waited < 0)
                return waited;
        } else if (n < 0 && errno != EINTR)
            return -errno;
    }
    return 0;
}

gboolean
kiln_vhost_user_answers(const KilnVhostUserMessage *answer, uint32_t request, uint32_t size)
{
    return answer->request == request && answer->size == size &&
           (answer->flags & ~(uint32_t)VHOST_USER_NEED_REPLY) ==
               (VHOST_USER_VERSION | VHOST_USER_REPLY);
}
