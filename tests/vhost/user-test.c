/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vhost-user front end against a back end in a thread, good and bad. */
#include "vhost/user.h"

#include "base/error.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/vhost-user-peer.h"

#include <dirent.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BIT(n) (1ull << (n))

enum { FEATURES = 0xff00 };

static const uint64_t all_protocol = 0x1ffff;

static unsigned n_failed;
static unsigned n_connected;
static unsigned n_changes;

static void
failed(void *opaque, const char *why)
{
    ck_assert_str_ne(why, "");
    n_failed++;
}

static void
connected(void *opaque)
{
    n_connected++;
}

static void
changed(void *opaque)
{
    n_changes++;
}

static const KilnVhostUserOptions options = {
    .id = "dev0",
    .socket = -1,
    .listener = -1,
    .answer_ms = 2000,
    .n_queues = 2,
    .failed = failed,
    .connected = connected,
    .config_changed = changed,
};

static Peer peer;

static void
setup(void)
{
    peer = (Peer){ .features = FEATURES | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(26),
                   .protocol = all_protocol,
                   .n_queues = PEER_QUEUES };
}

static KilnVhost *
open_front(GError **error)
{
    KilnVhostUserOptions mine = options;

    mine.socket = peer_start(&peer);
    return kiln_vhost_user_new(&mine, error);
}

static void
run_until(const unsigned *count, unsigned wanted)
{
    while (*count < wanted)
        g_main_context_iteration(NULL, TRUE);
}

/* Every op, for the good case and to meet a fault in any of them. */
static gboolean
use_all(KilnVhost *vhost, int memory, GError **error)
{
    static uint8_t place[4096];
    KilnVhostRegion region = { .gpa = 0x1000, .size = 4096, .host = place, .fd = memory };
    KilnVhostRing ring = { .size = 8, .desc = place, .avail = place + 128, .used = place + 256 };
    g_auto(KilnFd) event = eventfd(0, EFD_CLOEXEC);
    uint32_t base = 0;
    uint32_t data = 0;

    return vhost->ops->set_features(vhost, 0x100, error) &&
           vhost->ops->set_memory(vhost, &region, 1, error) &&
           vhost->ops->set_ring(vhost, 1, &ring, 7, error) &&
           vhost->ops->set_call(vhost, 1, event, error) &&
           vhost->ops->set_kick(vhost, 1, event, error) &&
           vhost->ops->enable(vhost, 1, TRUE, error) &&
           vhost->ops->get_config(vhost, 4, &data, sizeof data, error) &&
           vhost->ops->set_config(vhost, 8, &data, sizeof data, error) &&
           kiln_vhost_user_set_mtu(vhost, 9000, error) &&
           vhost->ops->enable(vhost, 1, FALSE, error) &&
           vhost->ops->get_base(vhost, 1, &base, error) && kiln_vhost_user_reset(vhost, error);
}

START_TEST(a_good_peer)
{
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) memory = memfd_create("test", MFD_CLOEXEC);
    g_autoptr(KilnVhost) vhost = NULL;
    uint64_t features = 0;
    uint32_t base = 0;
    struct stat there;

    memcpy(peer.config + 4, "abcd", 4);
    peer.stopped_at = 40;
    vhost = open_front(&error);
    kiln_assert_no_error(error);
    ck_assert(vhost->ops->features(vhost, &features, &error));
    ck_assert_uint_eq(features, FEATURES);
    ck_assert(use_all(vhost, memory, &error));
    kiln_assert_no_error(error);
    ck_assert(vhost->ops->get_base(vhost, 1, &base, &error));
    ck_assert_uint_eq(base, 41);
    ck_assert_uint_eq(kiln_vhost_user_n_queues(vhost), PEER_QUEUES);
    ck_assert(kiln_vhost_user_alive(vhost));
    ck_assert(fstat(memory, &there) == 0);
    kiln_vhost_free(g_steal_pointer(&vhost));
    peer_join(&peer);
    ck_assert(peer.owned);
    ck_assert_uint_eq(peer.acked, 0x100 | BIT(VHOST_USER_F_PROTOCOL_FEATURES));
    ck_assert_uint_eq(peer.acked_protocol, 0x2239);
    ck_assert_uint_eq(peer.n_regions, 1);
    ck_assert_uint_eq(peer.inodes[0], there.st_ino);
    ck_assert_uint_eq(peer.regions[0].gpa, 0x1000);
    ck_assert_uint_eq(peer.queues[1].size, 8);
    ck_assert_uint_eq(peer.queues[1].base, 7);
    ck_assert_uint_eq(peer.queues[1].address.avail_user_addr - peer.regions[0].address, 128);
    ck_assert(!peer.queues[1].enabled);
    ck_assert_uint_eq(peer.mtu, 9000);
    ck_assert_uint_eq(peer.n_resets, 1);
    ck_assert_mem_eq(peer.config + 8, "abcd", 4);
    ck_assert_uint_eq(n_failed, 0);
}
END_TEST

/* An old one: no protocol features, no acknowledgements. */
START_TEST(a_plain_peer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnVhost) vhost = NULL;
    uint32_t data;

    peer.features = FEATURES;
    vhost = open_front(&error);
    kiln_assert_no_error(error);
    ck_assert(vhost->ops->set_features(vhost, 0x100, &error));
    ck_assert(vhost->ops->enable(vhost, 0, TRUE, &error));
    ck_assert(kiln_vhost_user_reset(vhost, &error));
    ck_assert(!vhost->ops->get_config(vhost, 0, &data, 4, &error));
    kiln_assert_error_has(error, "no configuration space");
    kiln_vhost_free(g_steal_pointer(&vhost));
    peer_join(&peer);
    ck_assert_uint_eq(peer.acked, 0x100);
    ck_assert_uint_eq(peer.n_requests, 3); /* GET_FEATURES, SET_OWNER, SET_FEATURES */
}
END_TEST

START_TEST(what_the_peer_lacks)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnVhost) vhost = NULL;
    KilnVhostUserOptions mine = options;
    KilnVhostRegion region = { .size = 4096, .fd = -1 };

    peer.n_queues = 1;
    ck_assert(open_front(&error) == NULL);
    kiln_assert_error_has(error, "1 queues of the 2");
    peer_join(&peer);
    g_clear_error(&error);

    setup();
    peer.protocol = BIT(KILN_VHOST_USER_PROTOCOL_REPLY_ACK);
    mine.socket = peer_start(&peer);
    mine.need_protocol = BIT(KILN_VHOST_USER_PROTOCOL_CONFIG);
    ck_assert(kiln_vhost_user_new(&mine, &error) == NULL);
    kiln_assert_error_has(error, "lacks protocol features 0x200");
    peer_join(&peer);
    g_clear_error(&error);

    setup();
    vhost = open_front(&error);
    ck_assert(!vhost->ops->set_features(vhost, 0x10000, &error));
    kiln_assert_error_has(error, "lacks features 0x10000");
    g_clear_error(&error);
    ck_assert(!vhost->ops->set_memory(vhost, &region, 1, &error));
    kiln_assert_error_has(error, "not shared");
    ck_assert(kiln_vhost_user_alive(vhost));
    kiln_vhost_free(g_steal_pointer(&vhost));
    peer_join(&peer);
}
END_TEST

static const uint32_t answered[] = {
    VHOST_USER_GET_FEATURES,   VHOST_USER_GET_PROTOCOL_FEATURES,
    VHOST_USER_GET_QUEUE_NUM,  VHOST_USER_SET_BACKEND_REQ_FD,
    VHOST_USER_SET_OWNER,      VHOST_USER_SET_FEATURES,
    VHOST_USER_SET_MEM_TABLE,  VHOST_USER_SET_VRING_NUM,
    VHOST_USER_SET_VRING_BASE, VHOST_USER_SET_VRING_ADDR,
    VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_KICK,
    VHOST_USER_GET_CONFIG,     VHOST_USER_SET_CONFIG,
    VHOST_USER_NET_SET_MTU,    VHOST_USER_SET_VRING_ENABLE,
    VHOST_USER_GET_VRING_BASE, VHOST_USER_RESET_DEVICE,
};

static unsigned
open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(directory) != NULL)
        n++;
    closedir(directory);
    return n;
}

/* Every fault at every request: an error, the owner is told once, and no descriptor stays. */
START_TEST(a_bad_peer)
{
    PeerFault fault = (PeerFault)(PEER_GOOD + 1 + _i);
    g_auto(KilnFd) memory = -1;
    unsigned before;

    g_main_context_iteration(NULL, FALSE); /* GLib opens what it needs */
    before = open_descriptors();
    memory = memfd_create("test", MFD_CLOEXEC);

    for (unsigned i = 0; i < G_N_ELEMENTS(answered); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(KilnVhost) vhost = NULL;
        gboolean survives = fault == PEER_SENDS_FDS || fault == PEER_TALKS_BACK;
        gboolean good;
        KilnVhostUserOptions mine = options;

        setup();
        peer.fault = fault;
        peer.fault_at = answered[i];
        n_failed = 0;
        if (fault == PEER_SILENT)
            mine.answer_ms = 20;
        mine.socket = peer_start(&peer);
        if (fault == PEER_TALKS_BACK && i < 4) { /* has no channel yet */
            peer.fault = PEER_GOOD;
        }
        vhost = kiln_vhost_user_new(&mine, &error);
        good = vhost != NULL && use_all(vhost, memory, &error);
        if (fault == PEER_REFUSES)
            survives = good; /* what is no acknowledgement has a meaning of its own */
        ck_assert_int_eq(good, survives);
        if (good)
            kiln_assert_no_error(error);
        else
            kiln_assert_error_has(error, "dev0: vhost-user: ");
        if (vhost != NULL && fault != PEER_REFUSES && !survives) {
            ck_assert(!kiln_vhost_user_alive(vhost));
            run_until(&n_failed, 1);
            g_clear_error(&error);
            ck_assert(!vhost->ops->set_features(vhost, 0, &error));
            kiln_assert_error_has(error, "there is no peer");
        }
        kiln_vhost_free(g_steal_pointer(&vhost));
        while (g_main_context_iteration(NULL, FALSE))
            ;
        ck_assert_uint_le(n_failed, 1);
        peer_join(&peer);
        if (fault == PEER_TALKS_BACK && i >= 4)
            ck_assert_uint_eq(peer.channel_answer, 0);
    }
    kiln_fd_clear(&memory);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(a_peer_that_leaves)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnVhost) vhost = open_front(&error);

    kiln_assert_no_error(error);
    peer_leave(&peer);
    run_until(&n_failed, 1);
    ck_assert(!kiln_vhost_user_alive(vhost));
    kiln_vhost_free(g_steal_pointer(&vhost));
    peer_join(&peer);
}
END_TEST

START_TEST(a_peer_that_speaks_unasked)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnVhost) vhost = open_front(&error);
    KilnVhostUserMessage message = { .request = 1, .flags = 5, .size = 8 };

    kiln_assert_no_error(error);
    ck_assert_int_eq(send(peer.socket, &message, VHOST_USER_HEADER, MSG_NOSIGNAL),
                     VHOST_USER_HEADER);
    run_until(&n_failed, 1);
    ck_assert(!kiln_vhost_user_alive(vhost));
    kiln_vhost_free(g_steal_pointer(&vhost));
    peer_join(&peer);
}
END_TEST

/* CONFIG_CHANGE is told from the loop, another request is refused, rubbish closes the channel. */
START_TEST(the_back_ends_channel)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnVhost) vhost = open_front(&error);
    KilnVhostUserMessage message = { .request = VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                                     .flags = VHOST_USER_VERSION };
    KilnVhostUserMessage other = { .request = 3,
                                   .flags = VHOST_USER_VERSION | VHOST_USER_NEED_REPLY };
    KilnVhostUserReader reader = { 0 };
    uint8_t rubbish[VHOST_USER_HEADER];
    char byte;
    int got;

    kiln_assert_no_error(error);
    ck_assert_int_ge(peer.channel, 0);
    ck_assert_int_gt(send(peer.channel, &message, VHOST_USER_HEADER, 0), 0);
    run_until(&n_changes, 1);
    ck_assert_int_gt(send(peer.channel, &other, VHOST_USER_HEADER, 0), 0);
    while ((got = kiln_vhost_user_read(&reader, peer.channel)) == 0)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_int_eq(got, 1);
    ck_assert(kiln_vhost_user_answers(&reader.message, 3, 8));
    ck_assert_uint_eq(reader.message.payload.u64, 1);
    memset(rubbish, 0xff, sizeof rubbish);
    ck_assert_int_gt(send(peer.channel, rubbish, sizeof rubbish, 0), 0);
    while (recv(peer.channel, &byte, 1, MSG_DONTWAIT) != 0)
        g_main_context_iteration(NULL, TRUE);
    ck_assert(kiln_vhost_user_alive(vhost));
    ck_assert(kiln_vhost_user_reset(vhost, &error));
    kiln_vhost_free(g_steal_pointer(&vhost));
    peer_join(&peer);
}
END_TEST

/* A listener, and a back end that connects to it. */
static KilnFd
abstract_listener(struct sockaddr_un *address, socklen_t *length)
{
    KilnFd listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    ck_assert_int_eq(bind(listener, (struct sockaddr *)address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(listener, 2), 0);
    *length = sizeof *address;
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)address, length), 0);
    return listener;
}

/* Joins @peer's conversation to a connection to @address. */
static KilnFd
connect_peer(const struct sockaddr_un *address, socklen_t length)
{
    KilnFd socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(socket_fd, (const struct sockaddr *)address, length), 0);
    return socket_fd;
}

START_TEST(a_server_takes_another_peer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnVhost) vhost = NULL;
    KilnVhostUserOptions mine = options;
    struct sockaddr_un address;
    socklen_t length;

    mine.listener = abstract_listener(&address, &length);
    peer_start_on(&peer, connect_peer(&address, length));
    vhost = kiln_vhost_user_new(&mine, &error);
    kiln_assert_no_error(error);
    peer_leave(&peer);
    run_until(&n_failed, 1);
    peer_join(&peer);
    ck_assert(!kiln_vhost_user_alive(vhost));

    setup();
    peer.fault = PEER_WRONG_SIZE; /* one that is no good */
    peer.fault_at = VHOST_USER_GET_FEATURES;
    peer_start_on(&peer, connect_peer(&address, length));
    g_main_context_iteration(NULL, TRUE);
    peer_join(&peer);
    ck_assert(!kiln_vhost_user_alive(vhost));

    setup();
    peer_start_on(&peer, connect_peer(&address, length));
    run_until(&n_connected, 1);
    ck_assert(kiln_vhost_user_alive(vhost));
    ck_assert(vhost->ops->set_features(vhost, 0x100, &error));
    kiln_vhost_free(g_steal_pointer(&vhost));
    peer_join(&peer);
    ck_assert_uint_eq(peer.acked & 0xffff, 0x100);
}
END_TEST

START_TEST(a_server_that_nobody_connects_to)
{
    g_autoptr(GError) error = NULL;
    KilnVhostUserOptions mine = options;
    struct sockaddr_un address;
    socklen_t length;

    mine.listener = abstract_listener(&address, &length);
    mine.wait_ms = 1;
    ck_assert(kiln_vhost_user_new(&mine, &error) == NULL);
    kiln_assert_error_has(error, "nobody has connected");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("vhost-user");
    TCase *tests = kiln_test_case(suite, "front end");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_good_peer);
    tcase_add_test(tests, a_plain_peer);
    tcase_add_test(tests, what_the_peer_lacks);
    tcase_add_loop_test(tests, a_bad_peer, 0, PEER_N_FAULTS - 1);
    tcase_add_test(tests, a_peer_that_leaves);
    tcase_add_test(tests, a_peer_that_speaks_unasked);
    tcase_add_test(tests, the_back_ends_channel);
    tcase_add_test(tests, a_server_takes_another_peer);
    tcase_add_test(tests, a_server_that_nobody_connects_to);
    return suite;
}

KILN_TEST_MAIN(make_suite)
