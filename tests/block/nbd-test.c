/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NBD disks against a server of the test's own, that keeps its word or does not. */
#include "block/nbd.h"

#include <errno.h>
#include <string.h>

#include "block/nbd-limits.h"
#include "loop/thread.h"
#include "tests/block/nbd-server.h"
#include "tests/block/run.h"
#include "tests/lib/kiln-test.h"

static KilnBlock *
open_at(NbdServer *server, GError **error)
{
    KilnBlockNbdOptions options = { .socket = nbd_server_path(server), .export_name = "disk" };

    return kiln_block_nbd_open(&options, error);
}

static const NbdServerPlan honest[] = {
    { .size = RUN_DISK_BYTES, .flags = NBD_SERVER_ALL },
    { .size = RUN_DISK_BYTES, .flags = NBD_SERVER_FLUSH },
    { .size = RUN_DISK_BYTES, .flags = 0 },
    { .size = RUN_DISK_BYTES,
      .flags = NBD_SERVER_ALL,
      .minimum = 512,
      .preferred = 4096,
      .maximum = 32 * MIB },
    { .size = RUN_DISK_BYTES,
      .flags = NBD_SERVER_FLUSH | NBD_SERVER_FUA,
      .minimum = 4096,
      .preferred = 4096,
      .maximum = 64 * KIB },
};

START_TEST(the_disk_holds_what_was_written)
{
    const NbdServerPlan *plan = &honest[_i];
    g_autoptr(NbdServer) server = nbd_server_new(plan);
    g_autoptr(GError) error = NULL;
    KilnBlock *block = open_at(server, &error);
    const NbdServerSeen *seen = nbd_server_seen(server);

    kiln_assert_no_error(error);
    ck_assert_uint_eq(block->length, RUN_DISK_BYTES);
    ck_assert_uint_eq(block->block_size, MAX(plan->minimum, 1));
    run_check(block, MAX(plan->minimum, 512), (unsigned)_i);
    run_free(block);
    nbd_server_join(server);
    ck_assert_uint_eq(seen->disconnects, 1);
    ck_assert_uint_le(seen->longest, plan->maximum == 64 * KIB ? 64 * KIB : MIB);
    ck_assert(!!(plan->flags & NBD_SERVER_FUA) == (seen->fua > 0));
    ck_assert(!!(plan->flags & NBD_SERVER_ZEROES) == (seen->zeroes > 0));
    ck_assert(!!(plan->flags & NBD_SERVER_FLUSH) == (seen->flushes > 0));
}
END_TEST

START_TEST(zeroes_keep_their_space_unless_they_need_not)
{
    NbdServerPlan plan = { .size = MIB, .flags = NBD_SERVER_ALL };
    g_autoptr(NbdServer) server = nbd_server_new(&plan);
    g_autoptr(GError) error = NULL;
    KilnBlock *block = open_at(server, &error);
    Io io;

    kiln_assert_no_error(error);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_WRITE_ZEROES, 0, NULL, 4096), 0);
    ck_assert_uint_eq(nbd_server_seen(server)->no_hole, 1);
    io_begin(&io, block, KILN_BLOCK_WRITE_ZEROES, 0, 4096);
    io.request.flags = KILN_BLOCK_MAY_UNMAP;
    io_submit(block, &io);
    ck_assert_int_eq(io_wait(&io), 0);
    io_clear(&io);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_DISCARD, 4096, NULL, 8192), 0);
    run_free(block);
    nbd_server_join(server);
    ck_assert_uint_eq(nbd_server_seen(server)->zeroes, 2);
    ck_assert_uint_eq(nbd_server_seen(server)->no_hole, 1);
    ck_assert_uint_eq(nbd_server_seen(server)->trims, 1);
}
END_TEST

/* ---- Servers that fail ---- */

static const struct {
    uint32_t wire;
    int error;
} errors[] = {
    { 28, ENOSPC },
    { 5, EIO },
    { 1, EPERM },
    { 0xfffffff0, EINVAL }, /* no number of the protocol */
};

START_TEST(an_error_fails_one_request)
{
    NbdServerPlan plan = {
        .size = MIB, .flags = NBD_SERVER_ALL, .error_at = 2, .error = errors[_i].wire
    };
    g_autoptr(NbdServer) server = nbd_server_new(&plan);
    g_autoptr(GError) error = NULL;
    KilnBlock *block = open_at(server, &error);
    uint8_t bytes[512] = { 7 };

    kiln_assert_no_error(error);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_WRITE, 0, bytes, sizeof bytes), 0);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_WRITE, 0, bytes, sizeof bytes), -errors[_i].error);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_READ, 0, bytes, sizeof bytes), 0);
    ck_assert_uint_eq(bytes[0], 7);
    run_free(block);
}
END_TEST

static const NbdServerCrime crimes[] = {
    NBD_SERVER_HANGS_UP,     NBD_SERVER_CUTS_HEADER, NBD_SERVER_CUTS_DATA,
    NBD_SERVER_WRONG_COOKIE, NBD_SERVER_WRONG_MAGIC, NBD_SERVER_NEVER_ANSWERS,
};

/* All that was under way fails, more of it than there are buffers for, and all that comes later. */
START_TEST(a_lost_connection_fails_every_request)
{
    NbdServerPlan plan = {
        .size = RUN_DISK_BYTES, .flags = NBD_SERVER_ALL, .crime = crimes[_i], .crime_at = 3
    };
    g_autoptr(NbdServer) server = nbd_server_new(&plan);
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    KilnBlockNbdOptions options = { .socket = nbd_server_path(server), .silence_ms = 30 };
    KilnBlock *block = kiln_block_nbd_open(&options, &error);
    Io ios[48];
    unsigned n_failed = 0;

    kiln_assert_no_error(error);
    for (unsigned i = 0; i < G_N_ELEMENTS(ios); i++) {
        io_begin(&ios[i], block, i % 4 == 3 ? KILN_BLOCK_WRITE : KILN_BLOCK_READ, 0, 64 * KIB);
        io_split(&ios[i], rand);
        io_submit(block, &ios[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(ios); i++) {
        int result = io_wait(&ios[i]);

        ck_assert(result == 0 || result == -ENOTCONN);
        n_failed += result != 0;
        io_clear(&ios[i]);
    }
    ck_assert_uint_ge(n_failed, crimes[_i] == NBD_SERVER_NEVER_ANSWERS ? 1 : G_N_ELEMENTS(ios) - 2);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_FLUSH, 0, NULL, 0), -ENOTCONN);
    run_free(block);
}
END_TEST

static const struct {
    NbdServerPlan plan;
    const char *message;
} unusable[] = {
    { { .size = MIB, .crime = NBD_SERVER_NO_GREETING }, "has not answered in 40 ms" },
    { { .size = MIB, .crime = NBD_SERVER_CUT_GREETING }, "NBD export" },
    { { .size = MIB, .crime = NBD_SERVER_BAD_GREETING }, "magic" },
    { { .size = MIB, .crime = NBD_SERVER_NO_EXPORT }, "NBD export" },
    { { .size = MIB, .flags = NBD_SERVER_READ_ONLY }, "the server has it read-only" },
    { { .size = UINT64_MAX }, "how large" },
    { { .size = MIB, .minimum = 3, .preferred = 4096, .maximum = MIB }, "NBD export" },
    { { .size = MIB, .minimum = 1 << 30, .preferred = 1 << 30, .maximum = 1 << 30 }, "NBD export" },
    { { .size = MIB, .minimum = 512, .preferred = 4096, .maximum = 1 }, "NBD export" },
};

START_TEST(an_unusable_server_is_an_error)
{
    g_autoptr(NbdServer) server = nbd_server_new(&unusable[_i].plan);
    g_autoptr(GError) error = NULL;
    KilnBlockNbdOptions options = { .socket = nbd_server_path(server),
                                    .export_name = "disk",
                                    .connect_ms = 40 };

    if (unusable[_i].plan.crime != NBD_SERVER_NO_GREETING)
        options.connect_ms = 0;

    KilnBlock *block = kiln_block_nbd_open(&options, &error);

    /* libnbd leaves out sizes that cannot be: then the defaults hold. */
    if (block != NULL && unusable[_i].plan.minimum != 0) {
        ck_assert_uint_eq(block->block_size, 1);
        run_free(block);
        return;
    }
    ck_assert_ptr_null(block);
    kiln_assert_error_has(error, unusable[_i].message);
    kiln_assert_error_has(error, "NBD export 'disk' at '");
}
END_TEST

START_TEST(nobody_there_is_an_error)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "none", NULL);
    KilnBlockNbdOptions options = { .socket = path };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_block_nbd_open(&options, &error));
    kiln_assert_error_has(error, path);
}
END_TEST

START_TEST(tls_is_not_given_up)
{
    NbdServerPlan plan = { .size = MIB };
    g_autoptr(NbdServer) server = nbd_server_new(&plan);
    KilnBlockNbdOptions options = { .socket = nbd_server_path(server), .tls = TRUE };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_block_nbd_open(&options, &error));
    kiln_assert_error_has(error, "NBD export");
}
END_TEST

/* The chain's context is another thread's: closed from here while that runs. */
START_TEST(a_chain_of_an_io_thread_is_closed_from_the_main_one)
{
    NbdServerPlan plan = { .size = MIB, .flags = NBD_SERVER_ALL };
    g_autoptr(NbdServer) server = nbd_server_new(&plan);
    g_autoptr(KilnLoopThread) thread = kiln_loop_thread_new("io");
    KilnBlockNbdOptions options = { .socket = nbd_server_path(server),
                                    .context = kiln_loop_thread_context(thread) };
    g_autoptr(GError) error = NULL;
    KilnBlock *block = kiln_block_nbd_open(&options, &error);

    kiln_assert_no_error(error);
    ck_assert(kiln_loop_thread_start(thread, &error));
    run_free(block);
    nbd_server_join(server);
    ck_assert_uint_eq(nbd_server_seen(server)->disconnects, 1);
}
END_TEST

/* ---- What a server may claim ---- */

START_TEST(claims_are_checked)
{
    KilnNbdClaims fine = { .size = 1000, .minimum = 512, .preferred = 4096, .maximum = 100000 };
    KilnNbdClaims bad[] = { fine, fine, fine, fine, fine, fine };
    KilnNbdLimits limits;

    ck_assert(kiln_nbd_limits(&fine, &limits, NULL));
    ck_assert_uint_eq(limits.piece, 100000 / 512 * 512);
    ck_assert(kiln_nbd_limits(&(KilnNbdClaims){ .size = INT64_MAX }, &limits, NULL));
    ck_assert_uint_eq(limits.minimum, 1);
    ck_assert_uint_eq(limits.preferred, 4096);
    ck_assert_uint_eq(limits.piece, KILN_NBD_MAX_PIECE);
    bad[0].size = -1;
    bad[1].minimum = 3;
    bad[2].minimum = 1 << 17;
    bad[3].preferred = 256;
    bad[4].preferred = INT64_C(1) << 40;
    bad[5].maximum = 511;
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert(!kiln_nbd_limits(&bad[i], &limits, &error));
        kiln_assert_error_has(error, "the server");
    }
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("nbd");
    TCase *tcase = kiln_test_case(suite, "nbd");

    tcase_add_test(tcase, claims_are_checked);
    tcase_add_loop_test(tcase, the_disk_holds_what_was_written, 0, G_N_ELEMENTS(honest));
    tcase_add_test(tcase, zeroes_keep_their_space_unless_they_need_not);
    tcase_add_loop_test(tcase, an_error_fails_one_request, 0, G_N_ELEMENTS(errors));
    tcase_add_loop_test(tcase, a_lost_connection_fails_every_request, 0, G_N_ELEMENTS(crimes));
    tcase_add_loop_test(tcase, an_unusable_server_is_an_error, 0, G_N_ELEMENTS(unusable));
    tcase_add_test(tcase, nobody_there_is_an_error);
    tcase_add_test(tcase, tls_is_not_given_up);
    tcase_add_test(tcase, a_chain_of_an_io_thread_is_closed_from_the_main_one);
    return suite;
}

int
main(void)
{
    /* The module is beside the program, which the tests are not. */
    g_setenv("KILN_MODULE_DIR", g_getenv("KILN_BUILDDIR") != NULL ? g_getenv("KILN_BUILDDIR") : ".",
             TRUE);
    return kiln_test_main(make_suite());
}
