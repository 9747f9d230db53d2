/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See null.h. */
#include "net/null.h"

static int
null_send(KilnNetdev *netdev G_GNUC_UNUSED, unsigned queue G_GNUC_UNUSED,
          const KilnNetPacket *packets G_GNUC_UNUSED, unsigned n)
{
    return (int)n;
}

static int
null_receive(KilnNetdev *netdev G_GNUC_UNUSED, unsigned queue G_GNUC_UNUSED,
             KilnNetPacket *packets G_GNUC_UNUSED, unsigned n G_GNUC_UNUSED)
{
    return 0;
}

static void
null_free(KilnNetdev *netdev)
{
    g_free(netdev);
}

static const KilnNetdevOps null_ops = {
    .name = "null",
    .send = null_send,
    .receive = null_receive,
    .free = null_free,
};

KilnNetdev *
kiln_null_netdev_new(const char *id, unsigned n_queues)
{
    KilnNetdev *netdev = g_new0(KilnNetdev, 1);

    kiln_netdev_init(netdev, &null_ops, id, n_queues);
    return netdev;
}
