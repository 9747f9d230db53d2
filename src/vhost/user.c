/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See user.h. */
#include "vhost/user.h"

#include "base/error.h"
#include "base/log.h"
#include "loop/fd-source.h"
#include "vhost/user-link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    WAIT_MS = 30000,
    STOP_PATIENCE = 6, /* times the usual: a queue that stops first finishes what was begun */
};

#define BIT(n) (1ull << (n))

static const uint64_t known_protocol =
    BIT(KILN_VHOST_USER_PROTOCOL_MQ) | BIT(KILN_VHOST_USER_PROTOCOL_REPLY_ACK) |
    BIT(KILN_VHOST_USER_PROTOCOL_NET_MTU) | BIT(KILN_VHOST_USER_PROTOCOL_BACKEND_REQ) |
    BIT(KILN_VHOST_USER_PROTOCOL_CONFIG) | BIT(KILN_VHOST_USER_PROTOCOL_RESET_DEVICE);

typedef struct {
    KilnVhost vhost;
    KilnVhostUserOptions options;
    char *id; /* (owned) */

    KilnVhostUserLink link;
    GSource *watch; /* (owned) (nullable): the link's socket */
    KilnFd listener;
    GSource *accept; /* (owned) (nullable): @listener */

    uint64_t features; /* offered by the peer */
    unsigned n_queues; /* that the peer has */
} User;

gboolean
kiln_vhost_user_has_protocol(const KilnVhost *vhost, unsigned bit)
{
    return (((const User *)vhost)->link.protocol & BIT(bit)) != 0;
}

static gboolean
user_features(KilnVhost *vhost, uint64_t *features, GError **error)
{
    User *user = (User *)vhost;

    *features = user->features & ~(BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VHOST_F_LOG_ALL));
    return TRUE;
}

static gboolean
user_set_features(KilnVhost *vhost, uint64_t features, GError **error)
{
    User *user = (User *)vhost;

    if (features & ~user->features)
        return kiln_error_set(error, KILN_ERROR_FAILED,
                              "%s: vhost-user: the peer lacks features 0x%" G_GINT64_MODIFIER
                              "x that the guest uses",
                              user->id, (guint64)(features & ~user->features));
    features |= user->features & BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    return kiln_vhost_user_link_tell_u64(&user->link, VHOST_USER_SET_FEATURES, features, error);
}

static gboolean
user_set_memory(KilnVhost *vhost, const KilnVhostRegion *regions, unsigned n_regions,
                GError **error)
{
    User *user = (User *)vhost;
    KilnVhostUserMessage message = { .request = VHOST_USER_SET_MEM_TABLE };
    int fds[KILN_VHOST_USER_MAX_REGIONS];

    if (n_regions > KILN_VHOST_USER_MAX_REGIONS)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "%s: vhost-user: memory in %u pieces is more than the %d that a peer "
                              "can be told of",
                              user->id, n_regions, KILN_VHOST_USER_MAX_REGIONS);
    for (unsigned i = 0; i < n_regions; i++) {
        if (regions[i].fd < 0)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "%s: vhost-user: the guest's memory is not shared", user->id);
        fds[i] = regions[i].fd;
        message.payload.memory.regions[i] = (KilnVhostUserRegion){
            .gpa = regions[i].gpa,
            .size = regions[i].size,
            .address = (uintptr_t)regions[i].host,
            .offset = regions[i].fd_offset,
        };
    }
    message.payload.memory.n_regions = n_regions;
    message.size = (uint32_t)(2 * sizeof(uint32_t) + n_regions * sizeof(KilnVhostUserRegion));
    return kiln_vhost_user_link_tell(&user->link, &message, fds, n_regions, error);
}

static gboolean
tell_state(User *user, uint32_t request, unsigned queue, uint32_t value, GError **error)
{
    KilnVhostUserMessage message = { .request = request, .size = sizeof(struct vhost_vring_state) };

    message.payload.state = (struct vhost_vring_state){ .index = queue, .num = value };
    return kiln_vhost_user_link_tell(&user->link, &message, NULL, 0, error);
}

static gboolean
tell_fd(User *user, uint32_t request, unsigned queue, int fd, GError **error)
{
    KilnVhostUserMessage message = { .request = request, .size = sizeof(uint64_t) };

    message.payload.u64 = queue | (fd < 0 ? VHOST_USER_VRING_NO_FD : 0u);
    return kiln_vhost_user_link_tell(&user->link, &message, &fd, fd < 0 ? 0 : 1, error);
}

static gboolean
user_set_ring(KilnVhost *vhost, unsigned queue, const KilnVhostRing *ring, uint32_t base,
              GError **error)
{
    User *user = (User *)vhost;
    KilnVhostUserMessage places = { .request = VHOST_USER_SET_VRING_ADDR,
                                    .size = sizeof(struct vhost_vring_addr) };

    places.payload.address = (struct vhost_vring_addr){
        .index = queue,
        .desc_user_addr = (uintptr_t)ring->desc,
        .avail_user_addr = (uintptr_t)ring->avail,
        .used_user_addr = (uintptr_t)ring->used,
    };
    return tell_state(user, VHOST_USER_SET_VRING_NUM, queue, ring->size, error) &&
           tell_state(user, VHOST_USER_SET_VRING_BASE, queue, base, error) &&
           kiln_vhost_user_link_tell(&user->link, &places, NULL, 0, error);
}

static gboolean
user_set_kick(KilnVhost *vhost, unsigned queue, int kick_fd, GError **error)
{
    return tell_fd((User *)vhost, VHOST_USER_SET_VRING_KICK, queue, kick_fd, error);
}

static gboolean
user_set_call(KilnVhost *vhost, unsigned queue, int call_fd, GError **error)
{
    return tell_fd((User *)vhost, VHOST_USER_SET_VRING_CALL, queue, call_fd, error);
}

/* Without protocol features a ring works from its kick on. */
static gboolean
user_enable(KilnVhost *vhost, unsigned queue, gboolean enabled, GError **error)
{
    User *user = (User *)vhost;

    if (!(user->features & BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
        return TRUE;
    return tell_state(user, VHOST_USER_SET_VRING_ENABLE, queue, enabled ? 1 : 0, error);
}

static gboolean
user_get_base(KilnVhost *vhost, unsigned queue, uint32_t *base, GError **error)
{
    User *user = (User *)vhost;
    KilnVhostUserMessage message = { .request = VHOST_USER_GET_VRING_BASE,
                                     .size = sizeof(struct vhost_vring_state) };
    const KilnVhostUserMessage *answer;

    message.payload.state.index = queue;
    answer = kiln_vhost_user_link_ask(&user->link, &message, sizeof(struct vhost_vring_state),
                                      STOP_PATIENCE, error);
    if (answer == NULL)
        return FALSE;
    if (answer->payload.state.index != queue)
        return kiln_vhost_user_link_lose(&user->link, error,
                                         "the peer told where another queue stands");
    *base = answer->payload.state.num;
    return TRUE;
}

static gboolean
check_config(User *user, unsigned offset, unsigned length, GError **error)
{
    g_return_val_if_fail(offset <= KILN_VHOST_USER_MAX_CONFIG &&
                             length <= KILN_VHOST_USER_MAX_CONFIG - offset,
                         FALSE);
    if (!kiln_vhost_user_has_protocol(&user->vhost, KILN_VHOST_USER_PROTOCOL_CONFIG))
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "%s: vhost-user: the peer has no configuration space", user->id);
    return TRUE;
}

static gboolean
user_get_config(KilnVhost *vhost, unsigned offset, void *data, unsigned length, GError **error)
{
    User *user = (User *)vhost;
    KilnVhostUserMessage message = { .request = VHOST_USER_GET_CONFIG,
                                     .size = (uint32_t)sizeof(KilnVhostUserConfig) + length };
    const KilnVhostUserMessage *answer;

    if (!check_config(user, offset, length, error))
        return FALSE;
    message.payload.config.header = (KilnVhostUserConfig){ .offset = offset, .size = length };
    answer = kiln_vhost_user_link_ask(&user->link, &message, message.size, 1, error);
    if (answer == NULL)
        return FALSE;
    if (answer->payload.config.header.offset != offset ||
        answer->payload.config.header.size != length)
        return kiln_vhost_user_link_lose(&user->link, error,
                                         "the peer told another part of its configuration space");
    memcpy(data, answer->payload.config.data, length);
    return TRUE;
}

static gboolean
user_set_config(KilnVhost *vhost, unsigned offset, const void *data, unsigned length,
                GError **error)
{
    User *user = (User *)vhost;
    KilnVhostUserMessage message = { .request = VHOST_USER_SET_CONFIG,
                                     .size = (uint32_t)sizeof(KilnVhostUserConfig) + length };

    if (!check_config(user, offset, length, error))
        return FALSE;
    message.payload.config.header = (KilnVhostUserConfig){ .offset = offset, .size = length };
    memcpy(message.payload.config.data, data, length);
    return kiln_vhost_user_link_tell(&user->link, &message, NULL, 0, error);
}

/* Forgets the peer. */
static void
hang_up(User *user)
{
    kiln_source_free(g_steal_pointer(&user->watch));
    kiln_vhost_user_link_close(&user->link);
}

static void
user_free(KilnVhost *vhost)
{
    User *user = (User *)vhost;

    hang_up(user);
    kiln_source_free(user->accept);
    kiln_fd_clear(&user->listener);
    g_free(user->link.why);
    g_free(user->id);
    g_free(user);
}

static const KilnVhostOps user_ops = {
    .name = "vhost-user",
    .features = user_features,
    .set_features = user_set_features,
    .set_memory = user_set_memory,
    .set_ring = user_set_ring,
    .set_kick = user_set_kick,
    .set_call = user_set_call,
    .enable = user_enable,
    .get_base = user_get_base,
    .get_config = user_get_config,
    .set_config = user_set_config,
    .free = user_free,
};

static void
config_changed(void *opaque)
{
    User *user = opaque;

    if (user->options.config_changed != NULL)
        user->options.config_changed(user->options.opaque);
}

/* Outside of an op nothing comes on the socket but its end. */
static gboolean
socket_ready(int fd, GIOCondition ready, gpointer data)
{
    User *user = data;
    g_autofree char *why = NULL;

    if (!user->link.lost) {
        int got = kiln_vhost_user_read(&user->link.reader, fd);

        (void)kiln_vhost_user_link_lose(
            &user->link, NULL, got == -ECONNRESET ? "the peer hung up" : "the peer spoke unasked");
    }
    why = g_steal_pointer(&user->link.why);
    hang_up(user);
    if (user->accept != NULL)
        kiln_fd_source_set_condition(user->accept, G_IO_IN);
    if (user->options.failed != NULL)
        user->options.failed(user->options.opaque, why);
    return G_SOURCE_REMOVE;
}

static gboolean
open_backend_channel(User *user, GError **error)
{
    KilnVhostUserMessage message = { .request = VHOST_USER_SET_BACKEND_REQ_FD };
    g_auto(KilnFd) peer = -1;

    user->link.backend =
        kiln_vhost_user_backend_new(user->options.context, config_changed, user, &peer, error);
    return user->link.backend != NULL &&
           kiln_vhost_user_link_tell(&user->link, &message, &peer, 1, error);
}

static gboolean
negotiate_protocol(User *user, GError **error)
{
    uint64_t offered = 0;
    uint64_t n_queues = 0;

    if (!(user->features & BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
        return TRUE;
    if (!kiln_vhost_user_link_ask_u64(&user->link, VHOST_USER_GET_PROTOCOL_FEATURES, &offered,
                                      error))
        return FALSE;
    offered &= known_protocol;
    if (!kiln_vhost_user_link_tell_u64(&user->link, VHOST_USER_SET_PROTOCOL_FEATURES, offered,
                                       error))
        return FALSE;
    user->link.protocol = offered; /* from the next message on */
    if (offered & BIT(KILN_VHOST_USER_PROTOCOL_MQ)) {
        if (!kiln_vhost_user_link_ask_u64(&user->link, VHOST_USER_GET_QUEUE_NUM, &n_queues, error))
            return FALSE;
        user->n_queues = (unsigned)MIN(n_queues, G_MAXUINT);
    }
    return !(offered & BIT(KILN_VHOST_USER_PROTOCOL_BACKEND_REQ)) ||
           open_backend_channel(user, error);
}

/* The beginning of every conversation. */
static gboolean
greet(User *user, GError **error)
{
    KilnVhostUserMessage owner = { .request = VHOST_USER_SET_OWNER };

    user->n_queues = G_MAXUINT;
    if (!kiln_vhost_user_link_ask_u64(&user->link, VHOST_USER_GET_FEATURES, &user->features,
                                      error) ||
        !negotiate_protocol(user, error))
        return FALSE;
    if (user->options.need_protocol & ~user->link.protocol)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "%s: vhost-user: the peer lacks protocol features "
                              "0x%" G_GINT64_MODIFIER "x",
                              user->id,
                              (guint64)(user->options.need_protocol & ~user->link.protocol));
    if (user->n_queues < user->options.n_queues)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "%s: vhost-user: the peer has %u queues of the %u that are wanted",
                              user->id, user->n_queues, user->options.n_queues);
    return kiln_vhost_user_link_tell(&user->link, &owner, NULL, 0, error);
}

/* Takes a peer; on failure there is none. */
static gboolean
meet(User *user, KilnFd socket, GError **error)
{
    user->link.socket = socket;
    if (!greet(user, error)) {
        hang_up(user);
        return FALSE;
    }
    user->watch = kiln_fd_source_new(user->options.context, socket, G_IO_IN, socket_ready, user);
    return TRUE;
}

static gboolean
listener_ready(int fd, GIOCondition ready, gpointer data)
{
    User *user = data;
    g_autoptr(GError) problem = NULL;
    KilnFd socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (socket < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED)
            kiln_fd_source_rest(user->accept, G_IO_IN, 1000);
        return G_SOURCE_CONTINUE;
    }
    if (!meet(user, socket, &problem)) {
        kiln_log(KILN_LOG_WARNING, "%s", problem->message);
        return G_SOURCE_CONTINUE;
    }
    kiln_fd_source_set_condition(user->accept, 0);
    kiln_log(KILN_LOG_INFO, "%s: vhost-user: another peer has come", user->id);
    if (user->options.connected != NULL)
        user->options.connected(user->options.opaque);
    return G_SOURCE_CONTINUE;
}

/* Returns: the first peer that connects, or -1 with @error set. */
static KilnFd
wait_for_peer(User *user, GError **error)
{
    unsigned milliseconds = user->options.wait_ms != 0 ? user->options.wait_ms : WAIT_MS;
    struct pollfd poller = { .fd = user->listener, .events = POLLIN };
    KilnFd socket = -1;
    int n;

    do
        n = poll(&poller, 1, (int)milliseconds);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        socket = accept4(user->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (n == 0)
        kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                       "%s: vhost-user: nobody has connected within %u seconds", user->id,
                       milliseconds / 1000);
    else if (socket < 0)
        kiln_error_set_errno(error, errno, "%s: vhost-user: cannot accept a peer", user->id);
    return socket;
}

KilnVhost *
kiln_vhost_user_new(const KilnVhostUserOptions *options, GError **error)
{
    User *user = g_new0(User, 1);
    g_autoptr(KilnVhost) made = &user->vhost;
    KilnFd socket = options->socket;

    kiln_vhost_init(&user->vhost, &user_ops);
    user->options = *options;
    user->id = g_strdup(options->id);
    user->link =
        (KilnVhostUserLink){ .id = user->id, .answer_ms = options->answer_ms, .socket = -1 };
    user->listener = socket < 0 ? options->listener : -1;
    if (socket < 0)
        socket = wait_for_peer(user, error);
    if (socket < 0 || !meet(user, socket, error))
        return NULL;
    if (user->listener >= 0)
        user->accept =
            kiln_fd_source_new(options->context, user->listener, 0, listener_ready, user);
    return g_steal_pointer(&made);
}

gboolean
kiln_vhost_user_alive(const KilnVhost *vhost)
{
    const User *user = (const User *)vhost;

    return user->link.socket >= 0 && !user->link.lost;
}

unsigned
kiln_vhost_user_n_queues(const KilnVhost *vhost)
{
    return ((const User *)vhost)->n_queues;
}

gboolean
kiln_vhost_user_set_mtu(KilnVhost *vhost, uint16_t mtu, GError **error)
{
    User *user = (User *)vhost;

    return !kiln_vhost_user_has_protocol(vhost, KILN_VHOST_USER_PROTOCOL_NET_MTU) ||
           kiln_vhost_user_link_tell_u64(&user->link, VHOST_USER_NET_SET_MTU, mtu, error);
}

gboolean
kiln_vhost_user_reset(KilnVhost *vhost, GError **error)
{
    KilnVhostUserMessage message = { .request = VHOST_USER_RESET_DEVICE };

    return !kiln_vhost_user_has_protocol(vhost, KILN_VHOST_USER_PROTOCOL_RESET_DEVICE) ||
           kiln_vhost_user_link_tell(&((User *)vhost)->link, &message, NULL, 0, error);
}
