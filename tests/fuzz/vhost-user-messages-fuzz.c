/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a vhost-user back end sends: as answers to everything that is asked of it, and on its own
 * channel.
 */
#include "vhost/user.h"

#include "base/log.h"
#include "vhost/user-backend.h"
#include "vhost/user-message.h"

#include <sys/mman.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 8192 }; /* what a socket surely takes at once */

static unsigned n_changes;

static void
failed(void *opaque, const char *why)
{
    ++*(unsigned *)opaque;
}

static void
changed(void *opaque)
{
    n_changes++;
}

static void
use(KilnVhost *vhost, int memory)
{
    static uint8_t place[4096];
    KilnVhostRegion region = { .size = 4096, .host = place, .fd = memory };
    KilnVhostRing ring = { .size = 8, .desc = place, .avail = place + 128, .used = place + 256 };
    uint32_t base = 0;
    uint8_t config[60];
    uint64_t features = 0;

    if (!vhost->ops->features(vhost, &features, NULL) ||
        !vhost->ops->set_features(vhost, features, NULL) ||
        !vhost->ops->set_memory(vhost, &region, 1, NULL))
        return;
    for (unsigned queue = 0; queue < 2; queue++)
        (void)(vhost->ops->set_ring(vhost, queue, &ring, 0, NULL) &&
               vhost->ops->set_call(vhost, queue, -1, NULL) &&
               vhost->ops->enable(vhost, queue, TRUE, NULL));
    (void)vhost->ops->get_config(vhost, 0, config, sizeof config, NULL);
    (void)vhost->ops->set_config(vhost, 4, config, 4, NULL);
    (void)vhost->ops->get_base(vhost, 1, &base, NULL);
    (void)kiln_vhost_user_reset(vhost, NULL);
}

static void
feed_front(const uint8_t *data, size_t size, int memory)
{
    g_autoptr(KilnVhost) vhost = NULL;
    unsigned n_failed = 0;
    int pair[2];
    KilnVhostUserOptions options = {
        .id = "fuzz",
        .n_queues = 2,
        .answer_ms = 100,
        .failed = failed,
        .opaque = &n_failed,
    };

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        g_error("socketpair");
    options.socket = pair[0];
    options.listener = -1;
    if (size > 0 && send(pair[1], data, size, MSG_DONTWAIT) != (ssize_t)size)
        g_error("send");
    (void)shutdown(pair[1], SHUT_WR);
    vhost = kiln_vhost_user_new(&options, NULL);
    if (vhost != NULL) {
        use(vhost, memory);
        while (kiln_vhost_user_alive(vhost) || n_failed == 0)
            g_main_context_iteration(NULL, TRUE); /* the end of the stream is seen */
        if (n_failed != 1)
            g_error("its end was told %u times", n_failed);
    }
    kiln_fd_clear(&pair[1]);
}

static void
feed_channel(const uint8_t *data, size_t size)
{
    KilnFd peer = -1;
    KilnVhostUserBackend *backend = kiln_vhost_user_backend_new(NULL, changed, NULL, &peer, NULL);

    if (size > 0 && send(peer, data, size, MSG_DONTWAIT) != (ssize_t)size)
        g_error("send");
    (void)shutdown(peer, SHUT_WR);
    while (kiln_vhost_user_backend_fd(backend) >= 0)
        g_main_context_iteration(NULL, TRUE);
    kiln_vhost_user_backend_free(backend);
    kiln_fd_clear(&peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static KilnFd memory = -1;

    if (size > LARGEST)
        return -1;
    if (memory < 0)
        memory = memfd_create("fuzz", MFD_CLOEXEC);
    kiln_log_set_level(KILN_LOG_ERROR);
    feed_front(data, size, memory);
    feed_channel(data, size);
    return 0;
}
