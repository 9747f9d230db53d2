/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virtio-net whose packets a vhost-user back end carries: a test's thread plays that. */
#include "tests/lib/kiln-test.h"
#include "tests/lib/vhost-user-peer.h"
#include "tests/lib/virtio-driver.h"

#include "device/virtio-net.h"
#include "net/null.h"

#include <linux/virtio_net.h>
#include <string.h>

enum { RAM = 16 << 20 };

static Peer peer;

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
} Net;

static void
net_open(Net *net)
{
    KilnMemoryOptions ram = { .size = RAM, .backing = KILN_MEMORY_MEMFD };
    const KilnVhostUserOptions user = { .socket = peer_start(&peer), .listener = -1 };
    KilnVirtioNetOptions options = {
        .id = "net0",
        .n_pairs = 2,
        .mtu = 1400,
        .mac = { 0x52, 0x54, 0, 1, 2, 3 },
        .netdev = kiln_null_netdev_new("net0", 2),
        .vhost_user = &user,
    };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device;

    net->board = kiln_board_new();
    net->memory = kiln_memory_new(&ram, &error);
    kiln_assert_no_error(error);
    options.memory = net->memory;
    device = kiln_virtio_net_new(&options, &error);
    kiln_assert_no_error(error);
    net->driver = kiln_driver_new(net->board, net->memory, device);
}

static void
net_close(Net *net)
{
    kiln_driver_free(net->driver);
    kiln_memory_free(net->memory);
    kiln_board_free(net->board);
}

static void
setup(void)
{
    peer = (Peer){
        .features = KILN_DRIVER_BIT(VIRTIO_F_VERSION_1) |
                    KILN_DRIVER_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                    KILN_DRIVER_BIT(VIRTIO_NET_F_MRG_RXBUF) | KILN_DRIVER_BIT(VIRTIO_NET_F_CSUM) |
                    KILN_DRIVER_BIT(VIRTIO_NET_F_HOST_TSO4) |
                    KILN_DRIVER_BIT(VHOST_USER_F_PROTOCOL_FEATURES),
        .protocol = 1 << KILN_VHOST_USER_PROTOCOL_MQ | 1 << KILN_VHOST_USER_PROTOCOL_REPLY_ACK |
                    1 << KILN_VHOST_USER_PROTOCOL_NET_MTU,
        .n_queues = PEER_QUEUES,
    };
}

static gboolean
link_is_down(gpointer data)
{
    return kiln_driver_config(data, 6, 2) == 0;
}

START_TEST(queues_are_handed_over_and_the_rest_is_ours)
{
    const uint8_t commands[2][4] = { { VIRTIO_NET_CTRL_MQ, 0, 2, 0 },
                                     { VIRTIO_NET_CTRL_MQ, 0, 1, 0 } };
    uint64_t offered;
    Net net;

    setup();
    net_open(&net);
    offered = kiln_driver_offered(net.driver);
    ck_assert_uint_ne(offered & KILN_DRIVER_BIT(VIRTIO_NET_F_HOST_TSO4), 0);
    ck_assert_uint_eq(offered & KILN_DRIVER_BIT(VIRTIO_NET_F_GUEST_TSO4), 0);
    ck_assert_uint_eq(offered & KILN_DRIVER_BIT(VIRTIO_RING_F_EVENT_IDX), 0);
    ck_assert_uint_eq(peer.mtu, 1400);
    kiln_driver_start(net.driver, KILN_DRIVER_SPLIT);
    ck_assert(!kiln_driver_broken(net.driver));
    ck_assert(peer.queues[0].enabled && peer.queues[1].enabled);
    ck_assert_int_ge(peer.queues[1].kick, 0);
    ck_assert(!peer.queues[2].enabled);
    for (unsigned i = 0; i < 2; i++) { /* the control queue answers, and the peer hears of it */
        KilnDriverBuffer out = kiln_driver_alloc_data(net.driver, commands[i], 4);
        KilnDriverBuffer in = kiln_driver_alloc(net.driver, 1);

        in.host[0] = 0xee;
        ck_assert_uint_eq(kiln_driver_request(net.driver, 4, &out, 1, &in, 1), 1);
        ck_assert_uint_eq(in.host[0], 0);
        ck_assert_int_eq(peer.queues[3].enabled, i == 0);
    }
    kiln_virtio_net_set_link(kiln_driver_virtio(net.driver), FALSE);
    kiln_driver_run_until(net.driver, link_is_down, net.driver);
    kiln_driver_settle(net.driver);
    ck_assert(!peer.queues[0].enabled);
    net_close(&net);
    peer_join(&peer);
}
END_TEST

START_TEST(a_peer_that_dies_takes_the_link_down)
{
    Net net;

    setup();
    net_open(&net);
    kiln_driver_start(net.driver, KILN_DRIVER_SPLIT);
    peer_leave(&peer);
    peer_join(&peer);
    kiln_driver_run_until(net.driver, link_is_down, net.driver);
    ck_assert(!kiln_driver_broken(net.driver));
    net_close(&net);
}
END_TEST

static Suite *
vhost_suite(void)
{
    Suite *suite = suite_create("device/virtio-net-vhost");
    TCase *test = kiln_test_case(suite, "vhost-user");

    tcase_add_test(test, queues_are_handed_over_and_the_rest_is_ours);
    tcase_add_test(test, a_peer_that_dies_takes_the_link_down);
    return suite;
}

KILN_TEST_MAIN(vhost_suite)
