/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vhost-user-peer.h. */
#include "tests/lib/vhost-user-peer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads one message with its descriptors.  Returns: FALSE at the end of the conversation. */
static gboolean
hear(int socket, KilnVhostUserMessage *message, int *fds, unsigned *n_fds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(VHOST_USER_MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = { .iov_base = message, .iov_len = VHOST_USER_HEADER };
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    struct cmsghdr *c;

    *n_fds = 0;
    if (recvmsg(socket, &header, MSG_WAITALL | MSG_CMSG_CLOEXEC) != VHOST_USER_HEADER)
        return FALSE;
    c = CMSG_FIRSTHDR(&header);
    if (c != NULL) {
        *n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
    }
    g_assert(message->size <= VHOST_USER_MAX_PAYLOAD);
    return message->size == 0 || recv(socket, message->payload.bytes, message->size, MSG_WAITALL) ==
                                     (ssize_t)message->size;
}

static void
say(Peer *peer, const KilnVhostUserMessage *message, size_t payload, gboolean with_fds)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = { .align = { .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS,
                             .cmsg_len = CMSG_LEN(2 * sizeof(int)) } };
    struct iovec iov[2] = {
        { .iov_base = (void *)message, .iov_len = VHOST_USER_HEADER },
        { .iov_base = (void *)message->payload.bytes, .iov_len = payload },
    };
    struct msghdr header = { .msg_iov = iov, .msg_iovlen = 2 };
    int fds[2] = { peer->socket, peer->socket };

    if (with_fds) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
        memcpy(CMSG_DATA(&control.align), fds, sizeof fds);
    }
    (void)sendmsg(peer->socket, &header, MSG_NOSIGNAL);
}

/* Says that its configuration has changed, and waits until it is answered. */
static void
talk_back(Peer *peer)
{
    KilnVhostUserMessage message = { .request = VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                                     .flags = VHOST_USER_VERSION | VHOST_USER_NEED_REPLY };
    int fds[VHOST_USER_MAX_FDS];
    unsigned n_fds;

    peer->channel_answer = 99;
    (void)send(peer->channel, &message, VHOST_USER_HEADER, MSG_NOSIGNAL);
    if (hear(peer->channel, &message, fds, &n_fds))
        peer->channel_answer = message.payload.u64;
}

/* Returns: FALSE if the conversation is over. */
static gboolean
answer(Peer *peer, KilnVhostUserMessage *message)
{
    gboolean faulty = peer->fault != PEER_GOOD && message->request == peer->fault_at;
    PeerFault fault = faulty ? peer->fault : PEER_GOOD;
    size_t length = message->size;

    message->flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
    if (fault == PEER_WRONG_REQUEST)
        message->request++;
    if (fault == PEER_WRONG_SIZE)
        length = message->size -= 4;
    if (fault == PEER_HUGE_SIZE)
        message->size = 0x7fffffff;
    if (fault == PEER_WRONG_VERSION)
        message->flags = VHOST_USER_REPLY;
    if (fault == PEER_NO_REPLY_FLAG)
        message->flags = VHOST_USER_VERSION;
    if (fault == PEER_SHORT)
        length /= 2;
    if (fault == PEER_REFUSES)
        message->payload.u64 = 1;
    if (fault == PEER_SILENT)
        return TRUE;
    if (fault == PEER_TALKS_BACK)
        talk_back(peer);
    if (fault != PEER_HANGS_UP)
        say(peer, message, length, fault == PEER_SENDS_FDS);
    return fault != PEER_HANGS_UP && fault != PEER_SHORT;
}

static void
take_fd(KilnFd *slot, int *fds, unsigned n_fds)
{
    kiln_fd_clear(slot);
    if (n_fds > 0) {
        *slot = fds[0];
        fds[0] = -1;
    }
}

static void
take_memory(Peer *peer, const KilnVhostUserMessage *message, const int *fds, unsigned n_fds)
{
    peer->n_regions = message->payload.memory.n_regions;
    g_assert(peer->n_regions == n_fds);
    memcpy(peer->regions, message->payload.memory.regions, sizeof peer->regions);
    for (unsigned i = 0; i < n_fds; i++) {
        struct stat there;

        g_assert(fstat(fds[i], &there) == 0);
        peer->inodes[i] = there.st_ino;
    }
}

/* Returns: whether the request has an answer of its own, which is in @message then. */
static gboolean
obey(Peer *peer, KilnVhostUserMessage *message, int *fds, unsigned n_fds)
{
    PeerQueue *queue = &peer->queues[message->payload.state.index % PEER_QUEUES];
    PeerQueue *fd_queue = &peer->queues[(message->payload.u64 & 0xff) % PEER_QUEUES];
    uint32_t value = message->payload.state.num;

    switch (message->request) {
    case VHOST_USER_GET_FEATURES:
        message->payload.u64 = peer->features;
        message->size = 8;
        return TRUE;
    case VHOST_USER_GET_PROTOCOL_FEATURES:
        message->payload.u64 = peer->protocol;
        message->size = 8;
        return TRUE;
    case VHOST_USER_GET_QUEUE_NUM:
        message->payload.u64 = peer->n_queues;
        message->size = 8;
        return TRUE;
    case VHOST_USER_GET_VRING_BASE:
        message->payload.state.num = peer->stopped_at + message->payload.state.index;
        kiln_fd_clear(&queue->kick);
        return TRUE;
    case VHOST_USER_GET_CONFIG:
        memcpy(message->payload.config.data, peer->config + message->payload.config.header.offset,
               message->payload.config.header.size);
        return TRUE;
    case VHOST_USER_SET_CONFIG:
        memcpy(peer->config + message->payload.config.header.offset, message->payload.config.data,
               message->payload.config.header.size);
        break;
    case VHOST_USER_SET_OWNER: peer->owned = TRUE; break;
    case VHOST_USER_SET_FEATURES: peer->acked = message->payload.u64; break;
    case VHOST_USER_SET_PROTOCOL_FEATURES: peer->acked_protocol = message->payload.u64; break;
    case VHOST_USER_SET_BACKEND_REQ_FD: take_fd(&peer->channel, fds, n_fds); break;
    case VHOST_USER_SET_MEM_TABLE: take_memory(peer, message, fds, n_fds); break;
    case VHOST_USER_SET_VRING_NUM: queue->size = (uint16_t)value; break;
    case VHOST_USER_SET_VRING_BASE: queue->base = value; break;
    case VHOST_USER_SET_VRING_ADDR: queue->address = message->payload.address; break;
    case VHOST_USER_SET_VRING_ENABLE: queue->enabled = value != 0; break;
    case VHOST_USER_SET_VRING_KICK: take_fd(&fd_queue->kick, fds, n_fds); break;
    case VHOST_USER_SET_VRING_CALL:
        take_fd(&fd_queue->call, fds, n_fds);
        fd_queue->n_calls_set++;
        break;
    case VHOST_USER_NET_SET_MTU: peer->mtu = (unsigned)message->payload.u64; break;
    case VHOST_USER_RESET_DEVICE: peer->n_resets++; break;
    default: break;
    }
    return FALSE;
}

static void *
converse(void *data)
{
    Peer *peer = data;
    KilnVhostUserMessage message = { 0 };
    int fds[VHOST_USER_MAX_FDS];
    unsigned n_fds;
    gboolean going = TRUE;

    while (going && hear(peer->socket, &message, fds, &n_fds)) {
        gboolean answered = obey(peer, &message, fds, n_fds);

        peer->n_requests++;
        for (unsigned i = 0; i < n_fds; i++)
            kiln_fd_clear(&fds[i]);
        if (!answered && (message.flags & VHOST_USER_NEED_REPLY)) {
            message.payload.u64 = 0;
            message.size = 8;
            answered = TRUE;
        }
        if (answered)
            going = answer(peer, &message);
    }
    (void)shutdown(peer->socket, SHUT_RDWR);
    return NULL;
}

void
peer_start_on(Peer *peer, KilnFd socket)
{
    int failed;

    peer->socket = socket;
    peer->channel = -1;
    for (unsigned i = 0; i < PEER_QUEUES; i++)
        peer->queues[i] = (PeerQueue){ .kick = -1, .call = -1 };
    failed = pthread_create(&peer->thread, NULL, converse, peer);
    g_assert(failed == 0);
}

KilnFd
peer_start(Peer *peer)
{
    int pair[2];
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);

    g_assert(failed == 0);
    peer_start_on(peer, pair[1]);
    return pair[0];
}

void
peer_leave(Peer *peer)
{
    (void)shutdown(peer->socket, SHUT_RDWR);
}

void
peer_join(Peer *peer)
{
    pthread_join(peer->thread, NULL);
    kiln_fd_clear(&peer->socket);
    kiln_fd_clear(&peer->channel);
    for (unsigned i = 0; i < PEER_QUEUES; i++) {
        kiln_fd_clear(&peer->queues[i].kick);
        kiln_fd_clear(&peer->queues[i].call);
    }
}
