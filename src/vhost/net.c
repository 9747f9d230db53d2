/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See net.h. */
#include "vhost/net.h"

#include <errno.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "vhost/kernel.h"

enum { N_QUEUES = 2 };

/* A queue runs as long as it has a socket to run on. */
static gboolean
net_enable(void *opaque, int fd, unsigned queue, gboolean enabled, GError **error)
{
    const KilnVhostNet *net = opaque;
    struct vhost_vring_file backend = { .index = queue, .fd = enabled ? net->tap : -1 };

    if (ioctl(fd, VHOST_NET_SET_BACKEND, &backend) < 0)
        return kiln_error_set_errno(error, errno, "vhost-net: cannot %s queue %u",
                                    enabled ? "start" : "stop", queue);
    return TRUE;
}

static void
net_failed(void *opaque, const char *why)
{
    const KilnVhostNet *net = opaque;

    if (net->failed != NULL)
        net->failed(net->opaque, why);
}

KilnVhost *
kiln_vhost_net_new(KilnFd fd, const KilnVhostNet *net, GMainContext *context, GError **error)
{
    KilnVhostKernelOptions options = {
        .name = "vhost-net",
        .n_queues = N_QUEUES,
        .enable = net_enable,
        .context = context,
        .failed = net_failed,
        .opaque = (void *)net, /* given back to the two above, which do not write to it */
    };

    return kiln_vhost_kernel_new(fd, &options, error);
}
