/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system device with a back end in a thread of the test, and so the hand-over of queues
 * (virtio/vhost.h): rings, bases, kicks and interrupts go between driver and back end.
 */
#include "device/virtio-fs.h"

#include "tests/lib/kiln-test.h"
#include "tests/lib/vhost-user-peer.h"
#include "tests/lib/virtio-driver.h"
#include "virtio/vhost.h"

#include <errno.h>
#include <grp.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIT(n) (1ull << (n))

enum { RAM = 64 << 20, QUEUES = 2, SOMEBODY = 54321 };

static const uint64_t peer_features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                                      BIT(VIRTIO_RING_F_EVENT_IDX) |
                                      BIT(VHOST_USER_F_PROTOCOL_FEATURES);

static KilnBoard *board;
static KilnMemory *memory;
static KilnDriver *driver;
static Peer peer;
static Peer second;

static void
setup(void)
{
    KilnMemoryOptions options = { .size = RAM, .backing = KILN_MEMORY_MEMFD };
    g_autoptr(GError) error = NULL;

    board = kiln_board_new();
    memory = kiln_memory_new(&options, &error);
    kiln_assert_no_error(error);
    peer = (Peer){ .features = peer_features,
                   .protocol = 1 << 3 | 1 << 5,
                   .n_queues = PEER_QUEUES,
                   .stopped_at = 0 };
    second = peer;
}

static void
teardown(void)
{
    kiln_driver_free(driver);
    kiln_memory_free(memory);
    kiln_board_free(board);
}

static KilnVirtioDevice *
new_device(Peer *whose, gboolean packed)
{
    KilnVirtioFsOptions options = {
        .virtio = { .id = "fs0", .memory = memory, .packed = packed },
        .tag = "host",
        .socket = peer_start(whose),
    };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = kiln_virtio_fs_new(&options, &error);

    kiln_assert_no_error(error);
    return device;
}

/* Where the peer was told that @host is, in the region that it maps. */
static uint64_t
address_of(const uint8_t *host)
{
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(memory, &n);

    return peer.regions[0].address + (uint64_t)(host - (const uint8_t *)regions[0].host);
}

static gboolean
readable(int fd)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };

    return poll(&poller, 1, 0) > 0;
}

/* Reads an eventfd. */
static uint64_t
take(int fd)
{
    uint64_t count = 0;

    return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

static void
set(int fd)
{
    uint64_t one = 1;

    ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
}

START_TEST(configuration)
{
    driver = kiln_driver_new(board, memory, new_device(&peer, FALSE));
    ck_assert_uint_eq(kiln_driver_config(driver, 0, 4), 0x74736f68); /* "host" */
    ck_assert_uint_eq(kiln_driver_config(driver, 4, 4), 0);
    ck_assert_uint_eq(kiln_driver_config(driver, 36, 4), 1);
    ck_assert_uint_eq(kiln_driver_n_queues(driver), QUEUES);
    /* what the back end lacks is not offered */
    ck_assert_uint_eq(kiln_driver_offered(driver) & ~peer_features, 0);
    ck_assert_uint_eq(kiln_virtio_fs_pid(kiln_driver_virtio(driver)), 0);
    teardown();
    peer_join(&peer);
}
END_TEST

START_TEST(queues_are_handed_over)
{
    const KilnDriverRing *ring;
    guint n_regions;
    const KilnMemoryRegion *regions = kiln_memory_regions(memory, &n_regions);
    struct stat ram;

    driver = kiln_driver_new(board, memory, new_device(&peer, FALSE));
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    ck_assert(!kiln_driver_broken(driver));
    ck_assert_uint_eq(peer.acked, peer_features);
    ck_assert_uint_eq(peer.n_regions, n_regions);
    ck_assert(fstat(regions[0].fd, &ram) == 0);
    ck_assert_uint_eq(peer.inodes[0], ram.st_ino);
    ck_assert_uint_eq(peer.regions[0].size, regions[0].size);
    for (unsigned i = 0; i < QUEUES; i++) {
        ring = kiln_driver_ring(driver, i);
        ck_assert(peer.queues[i].enabled);
        ck_assert_uint_eq(peer.queues[i].size, ring->size);
        ck_assert_uint_eq(peer.queues[i].base, 0);
        ck_assert_uint_eq(peer.queues[i].address.desc_user_addr, address_of(ring->desc.host));
        ck_assert_uint_eq(peer.queues[i].address.avail_user_addr, address_of(ring->driver.host));
        ck_assert_uint_eq(peer.queues[i].address.used_user_addr, address_of(ring->device.host));
        ck_assert(readable(peer.queues[i].kick)); /* what lies there already is found */
        (void)take(peer.queues[i].kick);
    }
    kiln_driver_kick_always(driver, 1);
    kiln_driver_settle(driver);
    ck_assert(readable(peer.queues[1].kick)); /* nobody here has read it */
    ck_assert(!readable(peer.queues[0].kick));
    (void)kiln_driver_interrupts(driver, 1);
    set(peer.queues[1].call);
    ck_assert_uint_eq(kiln_driver_interrupts(driver, 1), 1);
    ck_assert_uint_eq(kiln_driver_interrupts(driver, 0), 0);
    teardown();
    peer_join(&peer);
}
END_TEST

/* Without MSI-X the back end's eventfd is read here, and the pin is raised. */
START_TEST(interrupts_by_the_pin)
{
    driver = kiln_driver_new(board, memory, new_device(&peer, FALSE));
    kiln_driver_use_intx(driver);
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_interrupts(driver, 1), 0);
    set(peer.queues[1].call);
    kiln_driver_settle(driver);
    ck_assert_uint_ge(kiln_driver_interrupts(driver, 1), 1);
    teardown();
    peer_join(&peer);
}
END_TEST

/* A pause takes the queues back with where the peer stood, and hands them over again from there. */
START_TEST(where_queues_stand)
{
    gboolean packed = _i == 1;
    uint32_t base = packed ? 0x80058005 : 7;

    if (packed)
        peer.features |= BIT(VIRTIO_F_RING_PACKED);
    peer.stopped_at = base;
    driver = kiln_driver_new(board, memory, new_device(&peer, packed));
    kiln_driver_start(driver, packed ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(peer.queues[0].base, packed ? 0x80008000 : 0);
    kiln_virtio_device_quiesce(kiln_driver_virtio(driver));
    ck_assert(!peer.queues[0].enabled);
    ck_assert_int_eq(peer.queues[0].kick, -1);
    kiln_virtio_device_resume(kiln_driver_virtio(driver));
    kiln_driver_settle(driver);
    ck_assert(!kiln_driver_broken(driver));
    ck_assert(peer.queues[0].enabled);
    ck_assert_uint_eq(peer.queues[0].base, base);
    ck_assert_uint_eq(peer.queues[1].base, base + 1);
    second.features = peer.features;
    kiln_driver_migrate(driver, new_device(&second, packed)); /* save, load, save: the same bytes */
    kiln_driver_settle(driver);
    ck_assert_uint_eq(second.queues[0].base, base);
    ck_assert_uint_eq(second.queues[1].base, base + 1);
    peer_join(&peer);
    kiln_driver_reset(driver);
    kiln_driver_start(driver, packed ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(second.queues[1].base, packed ? 0x80008000 : 0);
    teardown();
    peer_join(&second);
}
END_TEST

/* A base that cannot be: a split queue goes on from its used index, a packed one cannot. */
START_TEST(a_base_that_cannot_be)
{
    gboolean packed = _i == 1;

    if (packed)
        peer.features |= BIT(VIRTIO_F_RING_PACKED);
    peer.stopped_at = packed ? 0x7fff7fff : 0x12340007;
    driver = kiln_driver_new(board, memory, new_device(&peer, packed));
    kiln_driver_start(driver, packed ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
    kiln_virtio_device_quiesce(kiln_driver_virtio(driver));
    kiln_virtio_device_resume(kiln_driver_virtio(driver));
    ck_assert_int_eq(kiln_driver_broken(driver), packed);
    teardown();
    peer_join(&peer);
}
END_TEST

/* A request that wants an answer, and one that wants none. */
static void
add_requests(void)
{
    struct fuse_in_header in = { .len = sizeof in, .opcode = FUSE_STATFS, .unique = 0x1234567890 };
    KilnDriverBuffer sent = kiln_driver_alloc_data(driver, &in, sizeof in);
    KilnDriverBuffer got = kiln_driver_alloc(driver, 96);

    ck_assert_int_ge(kiln_driver_add(driver, 1, &sent, 1, &got, 1), 0);
    kiln_driver_kick_always(driver, 1);
    in.opcode = FUSE_FORGET;
    sent = kiln_driver_alloc_data(driver, &in, sizeof in);
    ck_assert_int_ge(kiln_driver_add(driver, 0, &sent, 1, NULL, 0), 0);
    kiln_driver_kick_always(driver, 0);
}

static void
assert_answered(void)
{
    struct fuse_in_header in = { .len = sizeof in, .opcode = FUSE_STATFS, .unique = 0x1234567890 };
    KilnDriverBuffer sent = kiln_driver_alloc_data(driver, &in, sizeof in);
    KilnDriverBuffer got = kiln_driver_alloc(driver, 96);
    struct fuse_out_header out;

    ck_assert_uint_eq(kiln_driver_request(driver, 1, &sent, 1, &got, 1), sizeof out);
    memcpy(&out, got.host, sizeof out);
    ck_assert_uint_eq(out.len, sizeof out);
    ck_assert_int_eq(out.error, -ENOTCONN);
    ck_assert_uint_eq(out.unique, in.unique);
    in.opcode = FUSE_FORGET;
    sent = kiln_driver_alloc_data(driver, &in, sizeof in);
    ck_assert_uint_eq(kiln_driver_request(driver, 0, &sent, 1, NULL, 0), 0);
    ck_assert(!kiln_driver_broken(driver));
}

/* Its requests are answered from then on, but for what it had when it died: all of that or some may
 * be answered already. */
START_TEST(a_peer_that_dies)
{
    gboolean paused = _i == 1; /* while it is noticed */

    driver = kiln_driver_new(board, memory, new_device(&peer, FALSE));
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    add_requests();
    kiln_driver_settle(driver);
    peer_leave(&peer);
    peer_join(&peer);
    if (paused) {
        kiln_virtio_device_quiesce(kiln_driver_virtio(driver));
        kiln_virtio_device_resume(kiln_driver_virtio(driver));
    }
    kiln_driver_settle(driver);
    for (unsigned i = 0; i < QUEUES; i++)
        ck_assert(!kiln_driver_take_used(driver, i, NULL, NULL));
    /* the driver may try again, and finds the same, with nothing left out */
    kiln_driver_reset(driver);
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    for (unsigned i = 0; i < 200; i++)
        assert_answered();
    kiln_virtio_device_quiesce(kiln_driver_virtio(driver));
    add_requests();
    kiln_virtio_device_resume(kiln_driver_virtio(driver));
    for (unsigned i = 0; i < QUEUES; i++)
        kiln_driver_wait_used(driver, i, NULL, NULL);
    teardown();
}
END_TEST

/* Behind what it had the queues go on; a packed ring does not say where that is. */
START_TEST(a_peer_that_dies_idle)
{
    gboolean packed = _i == 1;

    if (packed)
        peer.features |= BIT(VIRTIO_F_RING_PACKED);
    driver = kiln_driver_new(board, memory, new_device(&peer, packed));
    kiln_driver_start(driver, packed ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
    peer_leave(&peer);
    peer_join(&peer);
    kiln_driver_settle(driver);
    ck_assert_int_eq(kiln_driver_broken(driver), packed);
    if (packed) {
        kiln_driver_reset(driver);
        kiln_driver_start(driver, KILN_DRIVER_PACKED);
    }
    assert_answered();
    teardown();
}
END_TEST

START_TEST(bad_requests_without_a_peer)
{
    KilnDriverBuffer got;
    uint8_t few[8] = { 0 };
    KilnDriverBuffer sent;

    driver = kiln_driver_new(board, memory, new_device(&peer, FALSE));
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    peer_leave(&peer);
    peer_join(&peer);
    kiln_driver_settle(driver);
    got = kiln_driver_alloc(driver, 96);
    sent = kiln_driver_alloc_data(driver, few, sizeof few);
    ck_assert_uint_eq(kiln_driver_request(driver, 1, &sent, 1, &got, 1), 0); /* no header */
    ck_assert_uint_eq(kiln_driver_request(driver, 1, NULL, 0, &got, 1), 0);
    got.gpa = 1ull << 50;
    ck_assert_int_ge(kiln_driver_add(driver, 1, &sent, 1, &got, 1), 0);
    kiln_driver_kick_always(driver, 1);
    ck_assert(kiln_driver_broken(driver));
    teardown();
}
END_TEST

/* Refused at any step of the hand-over: the device is broken, and can be reset. */
START_TEST(a_peer_that_refuses)
{
    static const uint32_t requests[] = {
        VHOST_USER_SET_FEATURES,     VHOST_USER_SET_MEM_TABLE,  VHOST_USER_SET_VRING_NUM,
        VHOST_USER_SET_VRING_ADDR,   VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_KICK,
        VHOST_USER_SET_VRING_ENABLE,
    };

    peer.fault = PEER_REFUSES;
    peer.fault_at = requests[_i];
    driver = kiln_driver_new(board, memory, new_device(&peer, FALSE));
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    ck_assert(kiln_driver_broken(driver));
    peer.fault = PEER_GOOD;
    kiln_driver_reset(driver);
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    ck_assert(!kiln_driver_broken(driver));
    teardown();
    peer_join(&peer);
}
END_TEST

static void
assert_refused(KilnVirtioFsOptions *options, const char *why)
{
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_virtio_fs_new(options, &error) == NULL);
    kiln_assert_error_has(error, why);
}

START_TEST(options_that_cannot_be)
{
    g_autoptr(KilnMemory) plain = kiln_memory_new_plain(1 << 20);
    g_autofree char *folder = kiln_test_dir();
    KilnVirtiofsdOptions daemon = { .program = "/bin/false", .source = folder };
    KilnVirtioFsOptions options = {
        .virtio = { .id = "fs0", .memory = memory },
        .tag = "",
        .daemon = &daemon,
        .socket = -1,
    };

    assert_refused(&options, "has not 1 to 36 bytes");
    options.tag = "1234567890123456789012345678901234567";
    assert_refused(&options, "has not 1 to 36 bytes");
    options.tag = "123456789012345678901234567890123456";
    assert_refused(&options, "fs0: virtiofsd ended with status 1");
    options.virtio.memory = plain;
    assert_refused(&options, "memory to be shared");
    options.virtio.memory = memory;
    options.daemon = NULL;
    peer.features = BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    options.socket = peer_start(&peer);
    assert_refused(&options, "knows no virtio 1");
    peer_join(&peer);
    kiln_memory_free(memory);
    kiln_board_free(board);
}
END_TEST

/* -- with the real virtiofsd ------------------------------------------------------------------- */

static uint64_t n_requests;

/* One FUSE request with its @length bytes of @argument; the answer's go to @answer.  Returns: how
 * many, or -errno as virtiofsd says. */
static int
ask(uint32_t opcode, uint64_t node, const void *argument, uint32_t length, void *answer,
    uint32_t room)
{
    struct fuse_in_header in = {
        .len = (uint32_t)sizeof in + length,
        .opcode = opcode,
        .unique = ++n_requests,
        .nodeid = node,
        .uid = 0,
    };
    struct fuse_out_header out;
    KilnDriverBuffer sent[2] = { kiln_driver_alloc_data(driver, &in, sizeof in),
                                 kiln_driver_alloc_data(driver, argument, length) };
    KilnDriverBuffer got[2] = { kiln_driver_alloc(driver, sizeof out),
                                kiln_driver_alloc(driver, MAX(room, 1)) };
    uint32_t used = kiln_driver_request(driver, 1, sent, 2, got, 2);

    ck_assert_uint_ge(used, sizeof out);
    memcpy(&out, got[0].host, sizeof out);
    ck_assert_uint_eq(out.unique, in.unique);
    ck_assert_uint_eq(out.len, used);
    if (out.error != 0)
        return out.error;
    ck_assert_uint_le(used - sizeof out, room);
    memcpy(answer, got[1].host, used - sizeof out);
    return (int)(used - sizeof out);
}

static void
begin_session(void)
{
    struct fuse_init_in init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = 4096 };
    struct fuse_init_out answer = { 0 };

    /* what a kernel of FUSE 7.31 sends: the older, shorter form */
    ck_assert_int_gt(ask(FUSE_INIT, 0, &init, 16, &answer, sizeof answer), 0);
    ck_assert_uint_eq(answer.major, FUSE_KERNEL_VERSION);
}

static uint64_t
look_up(const char *name)
{
    struct fuse_entry_out entry = { 0 };

    ck_assert_int_eq(
        ask(FUSE_LOOKUP, FUSE_ROOT_ID, name, (uint32_t)strlen(name) + 1, &entry, sizeof entry),
        sizeof entry);
    ck_assert_uint_ne(entry.nodeid, 0);
    return entry.nodeid;
}

/* Returns: (transfer full): a new folder, of somebody who is not root if that is asked for. */
static char *
as_whom(gboolean somebody)
{
    if (somebody && geteuid() == 0) {
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setgid(SOMEBODY), 0);
        ck_assert_int_eq(setuid(SOMEBODY), 0);
    }
    return g_dir_make_tmp("kiln-test-XXXXXX", NULL);
}

/* The driver reads a file of the host and makes one, through rings that virtiofsd works on. */
START_TEST(the_real_one_serves_files)
{
    gboolean readonly = _i == 1;
    g_autofree char *folder = as_whom(_i == 2);
    g_autofree char *file = g_build_filename(folder, "file", NULL);
    g_autofree char *made = g_build_filename(folder, "made", NULL);
    KilnVirtiofsdOptions daemon = { .source = folder, .readonly = readonly };
    KilnVirtioFsOptions options = {
        .virtio = { .id = "fs0", .memory = memory },
        .tag = "host",
        .daemon = &daemon,
        .socket = -1,
    };
    struct fuse_open_in open_in = { .flags = 0 };
    struct fuse_open_out open_out = { 0 };
    struct fuse_read_in read_in = { .size = 64 };
    struct {
        struct fuse_mknod_in in;
        char name[5];
    } mknod_in = { .in = { .mode = S_IFREG | 0644 }, .name = "made" };
    uint8_t data[256] = { 0 };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device;
    uint64_t node;
    int result;

    ck_assert(g_file_set_contents(file, "the host's", -1, NULL));
    device = kiln_virtio_fs_new(&options, &error);
    kiln_assert_no_error(error);
    ck_assert_int_gt(kiln_virtio_fs_pid(device), 0);
    driver = kiln_driver_new(board, memory, device);
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    ck_assert(!kiln_driver_broken(driver));
    begin_session();
    node = look_up("file");
    ck_assert_int_gt(ask(FUSE_OPEN, node, &open_in, sizeof open_in, &open_out, sizeof open_out), 0);
    read_in.fh = open_out.fh;
    ck_assert_int_eq(ask(FUSE_READ, node, &read_in, sizeof read_in, data, sizeof data), 10);
    ck_assert_mem_eq(data, "the host's", 10);
    result = ask(FUSE_MKNOD, FUSE_ROOT_ID, &mknod_in, sizeof mknod_in.in + 5, data, sizeof data);
    if (readonly)
        ck_assert_int_eq(result, -EROFS);
    else
        ck_assert_int_gt(result, 0);
    ck_assert_int_eq(g_file_test(made, G_FILE_TEST_EXISTS), !readonly);

    kiln_virtio_device_quiesce(device); /* a pause: virtiofsd goes on where it stood */
    kiln_virtio_device_resume(device);
    ck_assert_int_eq(ask(FUSE_READ, node, &read_in, sizeof read_in, data, sizeof data), 10);

    kiln_driver_reset(driver); /* the guest boots anew */
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    ck_assert(!kiln_driver_broken(driver));
    begin_session();
    node = look_up("file");
    ck_assert_int_gt(ask(FUSE_OPEN, node, &open_in, sizeof open_in, &open_out, sizeof open_out), 0);
    read_in.fh = open_out.fh;
    ck_assert_int_eq(ask(FUSE_READ, node, &read_in, sizeof read_in, data, sizeof data), 10);

    /* with its children: the one that serves is in a namespace of its own */
    ck_assert_int_eq(kill(-kiln_virtio_fs_pid(device), SIGKILL), 0);
    while (kill(kiln_virtio_fs_pid(device), 0) == 0)
        g_main_context_iteration(NULL, TRUE);
    teardown();
    (void)unlink(file);
    (void)unlink(made);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* May make the namespaces that virtiofsd makes. */
static gboolean
namespaces_allowed(void)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0)
        _exit((geteuid() == 0 || unshare(CLONE_NEWUSER) == 0) && unshare(CLONE_NEWNS) == 0 ? 0 : 1);
    return waitpid(child, &status, 0) == child && status == 0;
}

static void
add_real_tests(TCase *tests)
{
    g_autofree char *program = kiln_process_find("virtiofsd", NULL);

    if (program != NULL && namespaces_allowed())
        tcase_add_loop_test(tests, the_real_one_serves_files, 0, 3);
    else
        printf("# the real virtiofsd is not tested: %s\n",
               program == NULL ? "it is not installed" : "namespaces are not allowed");
}

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-fs");
    TCase *tests = kiln_test_case(suite, "device");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, configuration);
    tcase_add_test(tests, queues_are_handed_over);
    tcase_add_test(tests, interrupts_by_the_pin);
    tcase_add_loop_test(tests, where_queues_stand, 0, 2);
    tcase_add_loop_test(tests, a_base_that_cannot_be, 0, 2);
    tcase_add_loop_test(tests, a_peer_that_dies, 0, 2);
    tcase_add_loop_test(tests, a_peer_that_dies_idle, 0, 2);
    tcase_add_test(tests, bad_requests_without_a_peer);
    tcase_add_loop_test(tests, a_peer_that_refuses, 0, 7);
    tcase_add_test(tests, options_that_cannot_be);
    add_real_tests(tests);
    return suite;
}

KILN_TEST_MAIN(make_suite)
