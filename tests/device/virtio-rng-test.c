/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entropy device, driven as a guest does, over files, the kernel's generator and a daemon. */
#include "device/virtio-rng.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnChardev *chardev;
    int peer;
    KilnDriver *driver;
} Rng;

static KilnVirtioDevice *
new_device(Rng *rng, KilnVirtioRngOptions options)
{
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device;

    options.virtio.id = "rng0";
    options.virtio.memory = rng->memory;
    options.virtio.packed = TRUE;
    options.clock = rng->board->clock;
    device = kiln_virtio_rng_new(&options, &error);
    kiln_assert_no_error(error);
    return device;
}

static void
rng_open(Rng *rng, KilnVirtioRngOptions options, uint64_t accept)
{
    rng->board = kiln_board_new();
    rng->memory = kiln_memory_new_plain(16 << 20);
    rng->driver = kiln_driver_new(rng->board, rng->memory, new_device(rng, options));
    kiln_driver_start(rng->driver, accept);
}

static void
rng_close(Rng *rng)
{
    kiln_driver_free(rng->driver);
    kiln_memory_free(rng->memory);
    kiln_board_free(rng->board);
}

/* A file with @text, open. */
static int
file_with(const char *text)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "source", NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
    return open(path, O_RDONLY | O_CLOEXEC);
}

static gboolean
all_zero(const KilnDriverBuffer *buffer)
{
    for (uint32_t i = 0; i < buffer->length; i++)
        if (buffer->host[i] != 0)
            return FALSE;
    return TRUE;
}

static const uint64_t drivers[] = { KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED, KILN_DRIVER_PLAIN };

START_TEST(buffers_are_filled)
{
    Rng rng;
    KilnVirtioRngOptions options = { .backend = KILN_VIRTIO_RNG_BUILTIN, .fd = -1 };

    rng_open(&rng, options, drivers[_i]);
    for (unsigned i = 0; i < 100; i++) {
        KilnDriverBuffer in[2] = { kiln_driver_alloc(rng.driver, 64),
                                   kiln_driver_alloc(rng.driver, 36) };

        ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, NULL, 0, in, 2), 100);
        ck_assert(!all_zero(&in[0]) && !all_zero(&in[1]));
        kiln_driver_free_buffers(rng.driver);
    }
    ck_assert_uint_eq(kiln_virtio_rng_given(kiln_driver_virtio(rng.driver)), 10000);
    ck_assert(!kiln_driver_broken(rng.driver));
    rng_close(&rng);
}
END_TEST

START_TEST(a_full_ring_is_served_in_turns)
{
    Rng rng;
    KilnVirtioRngOptions options = { .backend = KILN_VIRTIO_RNG_BUILTIN, .fd = -1 };
    unsigned n = 0;

    rng_open(&rng, options, KILN_DRIVER_SPLIT);

    KilnDriverBuffer in = kiln_driver_alloc(rng.driver, 16);

    while (kiln_driver_add(rng.driver, 0, NULL, 0, &in, 1) >= 0)
        n++;
    kiln_driver_kick(rng.driver, 0);
    ck_assert_uint_ge(n, 64);
    for (unsigned i = 0; i < n; i++)
        kiln_driver_wait_used(rng.driver, 0, NULL, NULL);
    rng_close(&rng);
}
END_TEST

START_TEST(a_buffer_of_no_bytes_and_a_huge_one)
{
    Rng rng;
    KilnVirtioRngOptions options = { .backend = KILN_VIRTIO_RNG_RANDOM,
                                     .fd = -1,
                                     .path = "/dev/urandom" };

    rng_open(&rng, options, KILN_DRIVER_SPLIT);

    KilnDriverBuffer out = kiln_driver_alloc(rng.driver, 16);
    KilnDriverBuffer in = kiln_driver_alloc(rng.driver, 1 << 20);

    ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, &out, 1, NULL, 0), 0);
    ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, NULL, 0, &in, 1), KILN_VIRTIO_RNG_CHUNK);
    rng_close(&rng);
}
END_TEST

START_TEST(bytes_come_from_the_file)
{
    Rng rng;
    KilnVirtioRngOptions options = { .backend = KILN_VIRTIO_RNG_RANDOM,
                                     .fd = file_with("0123456789") };

    rng_open(&rng, options, KILN_DRIVER_SPLIT);

    KilnDriverBuffer in = kiln_driver_alloc(rng.driver, 4);

    ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, NULL, 0, &in, 1), 4);
    ck_assert_mem_eq(in.host, "0123", 4);
    ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, NULL, 0, &in, 1), 4);
    ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, NULL, 0, &in, 1), 2);
    ck_assert_mem_eq(in.host, "89", 2);
    /* It ends: requests wait, nothing breaks. */
    kiln_driver_add(rng.driver, 0, NULL, 0, &in, 1);
    kiln_driver_kick(rng.driver, 0);
    kiln_driver_settle(rng.driver);
    ck_assert(!kiln_driver_take_used(rng.driver, 0, NULL, NULL));
    ck_assert(!kiln_driver_broken(rng.driver));
    kiln_driver_reset(rng.driver);
    rng_close(&rng);
}
END_TEST

START_TEST(a_dry_source_is_waited_for)
{
    Rng rng;
    int pipe_fds[2];
    int id;
    uint32_t length;

    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);

    KilnVirtioRngOptions options = { .backend = KILN_VIRTIO_RNG_RANDOM, .fd = pipe_fds[0] };

    rng_open(&rng, options, KILN_DRIVER_SPLIT);

    KilnDriverBuffer in = kiln_driver_alloc(rng.driver, 8);

    kiln_driver_add(rng.driver, 0, NULL, 0, &in, 1);
    kiln_driver_kick(rng.driver, 0);
    kiln_driver_settle(rng.driver);
    ck_assert(!kiln_driver_take_used(rng.driver, 0, NULL, NULL));
    ck_assert_int_eq(write(pipe_fds[1], "abcd", 4), 4);
    kiln_driver_wait_used(rng.driver, 0, &id, &length);
    ck_assert_uint_eq(length, 4);
    ck_assert_mem_eq(in.host, "abcd", 4);
    rng_close(&rng);
    close(pipe_fds[1]);
}
END_TEST

START_TEST(the_rate_is_kept)
{
    Rng rng;
    KilnVirtioRngOptions options = {
        .backend = KILN_VIRTIO_RNG_BUILTIN, .fd = -1, .rate_bytes = 100, .rate_period_ms = 1000
    };
    uint32_t length;

    rng_open(&rng, options, KILN_DRIVER_SPLIT);

    KilnDriverBuffer in = kiln_driver_alloc(rng.driver, 64);

    ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, NULL, 0, &in, 1), 64);
    ck_assert_uint_eq(kiln_driver_request(rng.driver, 0, NULL, 0, &in, 1), 36);
    kiln_driver_add(rng.driver, 0, NULL, 0, &in, 1);
    kiln_driver_kick(rng.driver, 0);
    kiln_driver_settle(rng.driver);
    kiln_clock_advance(rng.board->clock, KILN_NS_PER_SECOND - 1);
    kiln_driver_settle(rng.driver);
    ck_assert(!kiln_driver_take_used(rng.driver, 0, NULL, NULL));

    /* What is left of the period goes along. */
    kiln_driver_migrate(rng.driver, new_device(&rng, options));
    kiln_driver_settle(rng.driver);
    ck_assert(!kiln_driver_take_used(rng.driver, 0, NULL, NULL));
    kiln_clock_advance(rng.board->clock, 1);
    kiln_driver_wait_used(rng.driver, 0, NULL, &length);
    ck_assert_uint_eq(length, 64);
    ck_assert_uint_eq(kiln_virtio_rng_given(kiln_driver_virtio(rng.driver)), 164);
    rng_close(&rng);
}
END_TEST

static void
open_daemon(Rng *rng, KilnVirtioRngOptions *options)
{
    KilnChardevOptions chardev = KILN_CHARDEV_OPTIONS_INIT;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    chardev.kind = KILN_CHARDEV_UNIX;
    chardev.fd = pair[0];
    rng->peer = pair[1];
    rng->chardev = kiln_chardev_open(&chardev, NULL, NULL);
    *options =
        (KilnVirtioRngOptions){ .backend = KILN_VIRTIO_RNG_EGD, .fd = -1, .chardev = rng->chardev };
}

/* Reads one request of the daemon's protocol.  Returns: how many bytes it wants. */
static unsigned
daemon_request(Rng *rng)
{
    uint8_t request[2];
    ssize_t n;

    while ((n = recv(rng->peer, request, sizeof request, MSG_DONTWAIT)) < 0)
        kiln_driver_settle(rng->driver);
    ck_assert_int_eq(n, 2);
    ck_assert_uint_eq(request[0], 2);
    return request[1];
}

START_TEST(a_daemon_is_asked)
{
    Rng rng;
    KilnVirtioRngOptions options;
    uint32_t length;

    open_daemon(&rng, &options);
    rng_open(&rng, options, KILN_DRIVER_SPLIT);

    KilnDriverBuffer in = kiln_driver_alloc(rng.driver, 8);
    KilnDriverBuffer large = kiln_driver_alloc(rng.driver, 1000);

    kiln_driver_add(rng.driver, 0, NULL, 0, &in, 1);
    kiln_driver_add(rng.driver, 0, NULL, 0, &large, 1);
    kiln_driver_kick(rng.driver, 0);
    ck_assert_uint_eq(daemon_request(&rng), 8);
    ck_assert_int_eq(send(rng.peer, "01234", 5, 0), 5);
    kiln_driver_settle(rng.driver);
    ck_assert(!kiln_driver_take_used(rng.driver, 0, NULL, NULL));
    ck_assert_int_eq(send(rng.peer, "567", 3, 0), 3);
    kiln_driver_wait_used(rng.driver, 0, NULL, &length);
    ck_assert_uint_eq(length, 8);
    ck_assert_mem_eq(in.host, "01234567", 8);
    ck_assert_uint_eq(daemon_request(&rng), 255);

    /* The driver begins anew; what the daemon owes is the next buffer's. */
    kiln_driver_reset(rng.driver);
    kiln_driver_start(rng.driver, KILN_DRIVER_SPLIT);
    in = kiln_driver_alloc(rng.driver, 4);
    kiln_driver_add(rng.driver, 0, NULL, 0, &in, 1);
    kiln_driver_kick(rng.driver, 0);
    kiln_driver_settle(rng.driver);
    ck_assert_int_eq(send(rng.peer, "abcdefgh", 8, 0), 8);
    kiln_driver_wait_used(rng.driver, 0, NULL, &length);
    ck_assert_uint_eq(length, 4);
    ck_assert_mem_eq(in.host, "abcd", 4);
    rng_close(&rng);
    kiln_chardev_free(rng.chardev);
    close(rng.peer);
}
END_TEST

START_TEST(a_missing_file_is_an_error)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(1 << 20);
    g_autoptr(KilnClock) clock = kiln_clock_new_manual();
    g_autoptr(GError) error = NULL;
    KilnVirtioRngOptions options = { .virtio = { .id = "rng0", .memory = memory },
                                     .backend = KILN_VIRTIO_RNG_RANDOM,
                                     .fd = -1,
                                     .path = "/does/not/exist",
                                     .clock = clock };

    ck_assert_ptr_null(kiln_virtio_rng_new(&options, &error));
    kiln_assert_error_has(error, "random source of 'rng0': ");
    kiln_assert_error_has(error, "/does/not/exist");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-rng");
    TCase *tcase = kiln_test_case(suite, "rng");

    tcase_add_loop_test(tcase, buffers_are_filled, 0, G_N_ELEMENTS(drivers));
    tcase_add_test(tcase, a_full_ring_is_served_in_turns);
    tcase_add_test(tcase, a_buffer_of_no_bytes_and_a_huge_one);
    tcase_add_test(tcase, bytes_come_from_the_file);
    tcase_add_test(tcase, a_dry_source_is_waited_for);
    tcase_add_test(tcase, the_rate_is_kept);
    tcase_add_test(tcase, a_daemon_is_asked);
    tcase_add_test(tcase, a_missing_file_is_an_error);
    return suite;
}

KILN_TEST_MAIN(make_suite)
