/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The qcow2 layer over a file in memory; what QEMU thinks of it is qcow2-qemu-test.py's. */
#include "base/fd.h"
#include "block/qcow2-format.h"
#include "block/qcow2-private.h"
#include "block/qcow2.h"
#include "tests/block/fd-child.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

enum { CLUSTER = 65536, DISK = 64 << 20, SECTOR = 512 };

/* The least image: header, refcount table, one refcount block, L1 table: a cluster each. */
static int
new_image(void)
{
    int fd = fd_child_memory();
    g_autofree uint8_t *image = g_malloc0(4 * CLUSTER);

    kiln_be32_store(image + QCOW2_AT_MAGIC, QCOW2_MAGIC);
    kiln_be32_store(image + QCOW2_AT_VERSION, 3);
    kiln_be32_store(image + QCOW2_AT_CLUSTER_BITS, 16);
    kiln_be64_store(image + QCOW2_AT_SIZE, DISK);
    kiln_be32_store(image + QCOW2_AT_L1_SIZE, 1);
    kiln_be64_store(image + QCOW2_AT_L1_OFFSET, 3 * CLUSTER);
    kiln_be64_store(image + QCOW2_AT_REFTABLE_OFFSET, CLUSTER);
    kiln_be32_store(image + QCOW2_AT_REFTABLE_CLUSTERS, 1);
    kiln_be32_store(image + QCOW2_AT_REFCOUNT_ORDER, 4);
    kiln_be32_store(image + QCOW2_AT_HEADER_LENGTH, QCOW2_V3_HEADER);
    kiln_be64_store(image + CLUSTER, 2 * CLUSTER);
    for (unsigned i = 0; i < 4; i++)
        kiln_be16_store(image + 2 * CLUSTER + 2 * (size_t)i, 1);
    ck_assert_int_eq(kiln_write_full(fd, image, 4 * CLUSTER, 0), 0);
    return fd;
}

static KilnBlock *
open_fd(int fd, guint32 seed, FdChild **child)
{
    g_autoptr(GError) error = NULL;
    KilnQcow2Options options = { .path = "test" };
    FdChild *file = fd_child_new(fcntl(fd, F_DUPFD_CLOEXEC, 0), FALSE, seed);
    KilnBlock *block;

    options.child = &file->block;
    block = kiln_qcow2_open(&options, &error);
    kiln_assert_no_error(error);
    if (child != NULL)
        *child = file;
    return block;
}

static int
fill(KilnBlock *block, uint64_t offset, uint64_t length, int byte)
{
    g_autofree uint8_t *data = g_malloc(length);

    memset(data, byte, length);
    return fd_child_await(block, KILN_BLOCK_WRITE, 0, offset, data, length);
}

static void
assert_all(KilnBlock *block, uint64_t offset, uint64_t length, int byte)
{
    g_autofree uint8_t *data = g_malloc(length);

    memset(data, 0xee, length);
    ck_assert_int_eq(fd_child_await(block, KILN_BLOCK_READ, 0, offset, data, length), 0);
    for (uint64_t i = 0; i < length; i++)
        if (data[i] != byte)
            ck_abort_msg("byte %d is %d, not %d", (int)i, data[i], byte);
}

START_TEST(unwritten_is_zero)
{
    g_auto(KilnFd) fd = new_image();
    KilnBlock *block = open_fd(fd, 0, NULL);

    ck_assert_uint_eq(block->length, DISK);
    assert_all(block, 0, CLUSTER, 0);
    assert_all(block, DISK - SECTOR, SECTOR, 0);
    kiln_block_free(block);
}
END_TEST

START_TEST(written_is_there_when_opened_again)
{
    g_auto(KilnFd) fd = new_image();
    KilnBlock *block = open_fd(fd, 0, NULL);

    ck_assert_int_eq(fill(block, 3 * CLUSTER + SECTOR, 2 * CLUSTER, 7), 0);
    ck_assert_int_eq(fill(block, DISK - SECTOR, SECTOR, 8), 0);
    kiln_block_free(block);
    block = open_fd(fd, 0, NULL);
    assert_all(block, 3 * CLUSTER, SECTOR, 0);
    assert_all(block, 3 * CLUSTER + SECTOR, 2 * CLUSTER, 7);
    assert_all(block, 5 * CLUSTER + SECTOR, CLUSTER - SECTOR, 0);
    assert_all(block, DISK - SECTOR, SECTOR, 8);
    kiln_block_free(block);
}
END_TEST

/* A layer that looks at what comes from above. */
typedef struct {
    KilnBlock block;
    const struct iovec *iov;
    unsigned n_iov;
    unsigned n_requests;
} Spy;

static void
spy_submit(KilnBlock *block, KilnBlockRequest *request)
{
    Spy *spy = (Spy *)block;

    spy->iov = request->iov;
    spy->n_iov = request->n_iov;
    spy->n_requests++;
    block->child->ops->submit(block->child, request);
}

static void
spy_free(KilnBlock *block)
{
}

static const KilnBlockOps spy_ops = { .name = "spy", .submit = spy_submit, .free = spy_free };

static void
count_done(KilnBlockRequest *request, int result)
{
    ck_assert_int_eq(result, 0);
}

START_TEST(allocated_goes_straight_to_the_child)
{
    g_auto(KilnFd) fd = new_image();
    FdChild *file = fd_child_new(fcntl(fd, F_DUPFD_CLOEXEC, 0), FALSE, 0);
    Spy spy = { .block = file->block };
    KilnQcow2Options options = { .path = "test", .child = &spy.block };
    KilnBlock *block;
    struct iovec iov[3];
    static uint8_t data[4 * CLUSTER];
    KilnBlockRequest request = {
        .length = sizeof data, .iov = iov, .n_iov = 3, .done = count_done
    };
    g_autofree void *scratch = NULL;
    size_t before;

    spy.block.ops = &spy_ops;
    spy.block.child = &file->block;
    block = kiln_qcow2_open(&options, NULL);
    ck_assert_ptr_nonnull(block);
    ck_assert_int_eq(fill(block, 0, sizeof data, 1), 0);
    request.scratch = scratch = g_malloc0(block->request_size);
    for (unsigned i = 0; i < 3; i++)
        iov[i] = (struct iovec){ .iov_base = data + i * CLUSTER,
                                 .iov_len = i < 2 ? CLUSTER : 2 * CLUSTER };
    before = mallinfo2().uordblks;
    for (unsigned i = 0; i < 100; i++) {
        spy.n_requests = 0;
        request.op = i % 2 == 0 ? KILN_BLOCK_READ : KILN_BLOCK_WRITE;
        block->ops->submit(block, &request);
        ck_assert_uint_eq(spy.n_requests, 1);
        ck_assert_ptr_eq(spy.iov, iov);
        ck_assert_uint_eq(spy.n_iov, 3);
    }
    ck_assert_uint_eq(mallinfo2().uordblks, before);
    kiln_block_free(block);
}
END_TEST

/* Requests that are under way together. */
typedef struct {
    KilnBlockRequest request;
    struct iovec iov;
    uint8_t *data; /* (owned) */
    gboolean done;
    int result;
} Job;

static void
job_done(KilnBlockRequest *request, int result)
{
    ((Job *)request)->done = TRUE;
    ((Job *)request)->result = result;
}

static Job *
submit(KilnBlock *block, KilnBlockOp op, uint64_t offset, uint64_t length, int byte)
{
    Job *job = g_new0(Job, 1);

    job->data = g_malloc(length + 1);
    memset(job->data, byte, length);
    job->iov = (struct iovec){ .iov_base = job->data, .iov_len = length };
    job->request = (KilnBlockRequest){
        .op = op,
        .offset = offset,
        .length = length,
        .iov = &job->iov,
        .n_iov = op == KILN_BLOCK_READ || op == KILN_BLOCK_WRITE ? 1 : 0,
        .done = job_done,
        .scratch = g_malloc(block->request_size),
    };
    block->ops->submit(block, &job->request);
    return job;
}

static int
finish(Job *job)
{
    int result;

    while (!job->done)
        g_main_context_iteration(NULL, TRUE);
    result = job->result;
    g_free(job->request.scratch);
    g_free(job->data);
    g_free(job);
    return result;
}

START_TEST(writes_to_one_new_cluster_wait_for_each_other)
{
    g_auto(KilnFd) fd = new_image();
    KilnBlock *block = open_fd(fd, (guint32)_i + 1, NULL);
    Job *jobs[100];

    for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++)
        jobs[i] = submit(block, KILN_BLOCK_WRITE, (uint64_t)i * 2 * SECTOR, 2 * SECTOR, (int)i + 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++)
        ck_assert_int_eq(finish(jobs[i]), 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++)
        assert_all(block, (uint64_t)i * 2 * SECTOR, 2 * SECTOR, (int)i + 1);
    kiln_block_free(block);
    ck_assert_int_lt((int)lseek(fd, 0, SEEK_END), 8 * CLUSTER);
}
END_TEST

/* A child that holds requests back. */
static uint64_t
host_of(KilnBlock *block, uint64_t offset)
{
    Qcow2Run run;

    ck_assert_int_eq(qcow2_map_peek((Qcow2 *)block, offset, SECTOR, &run), 0);
    ck_assert_int_eq(run.kind, QCOW2_DATA);
    return run.host;
}

static void
spin(void)
{
    for (unsigned i = 0; i < 1000 && g_main_context_iteration(NULL, FALSE); i++)
        continue;
}

START_TEST(a_cluster_is_not_used_again_while_it_is_being_read)
{
    g_auto(KilnFd) fd = new_image();
    FdChild *file;
    KilnBlock *block = open_fd(fd, 1, &file);
    KilnBlockRequest *held;
    Job *reader;
    uint64_t host;

    ck_assert_int_eq(fill(block, 0, CLUSTER, 1), 0);
    host = host_of(block, 0);
    reader = submit(block, KILN_BLOCK_READ, 0, CLUSTER, 0);
    held = g_queue_pop_tail(&file->pending);
    ck_assert_ptr_nonnull(held);
    ck_assert_int_eq(fd_child_await(block, KILN_BLOCK_DISCARD, 0, 0, NULL, CLUSTER), 0);
    ck_assert_int_eq(fd_child_await(block, KILN_BLOCK_FLUSH, 0, 0, NULL, 0), 0);
    qcow2_reclaim_now((Qcow2 *)block);
    spin();
    ck_assert_int_eq(fill(block, CLUSTER, CLUSTER, 2), 0);
    ck_assert_uint_ne(host_of(block, CLUSTER), host);
    g_queue_push_tail(&file->pending, held);
    ck_assert_int_eq(finish(reader), 0);
    qcow2_reclaim_now((Qcow2 *)block);
    spin();
    ck_assert_int_eq(fill(block, 2 * CLUSTER, CLUSTER, 3), 0);
    ck_assert_uint_eq(host_of(block, 2 * CLUSTER), host);
    kiln_block_free(block);
}
END_TEST

START_TEST(a_discarded_cluster_is_used_again_only_after_a_flush)
{
    g_auto(KilnFd) fd = new_image();
    FdChild *file;
    KilnBlock *block = open_fd(fd, 0, &file);
    uint64_t host;

    ck_assert_int_eq(fill(block, 0, CLUSTER, 1), 0);
    ck_assert_int_eq(fd_child_await(block, KILN_BLOCK_FLUSH, 0, 0, NULL, 0), 0);
    host = host_of(block, 0);
    ck_assert_int_eq(fd_child_await(block, KILN_BLOCK_DISCARD, 0, 0, NULL, CLUSTER), 0);
    ck_assert_int_eq(fill(block, CLUSTER, CLUSTER, 2), 0);
    ck_assert_uint_ne(host_of(block, CLUSTER), host);
    kiln_block_free(block);
}
END_TEST

/* Whatever fails, once or from then on: no crash, what was written before is there. */
START_TEST(any_request_may_fail)
{
    for (gboolean once = FALSE; once <= TRUE; once++) {
        g_auto(KilnFd) fd = new_image();
        FdChild *file;
        KilnBlock *block = open_fd(fd, 0, &file);
        int results[4];

        ck_assert_int_eq(fill(block, 0, 3 * CLUSTER, 9), 0);
        ck_assert_int_eq(fd_child_await(block, KILN_BLOCK_FLUSH, 0, 0, NULL, 0), 0);
        file->fail_in = _i;
        file->fail_once = once;
        file->fail_with = once ? -ENOSPC : -EIO;
        results[0] = fill(block, 10 * CLUSTER + SECTOR, CLUSTER, 4);
        results[1] = fd_child_await(block, KILN_BLOCK_DISCARD, 0, 2 * CLUSTER, NULL, CLUSTER);
        results[2] = fd_child_await(block, KILN_BLOCK_FLUSH, 0, 0, NULL, 0);
        results[3] = fill(block, 20 * CLUSTER, SECTOR, 5);
        file->fail_in = -1;
        kiln_block_free(block);
        block = open_fd(fd, 0, NULL);
        assert_all(block, 0, 2 * CLUSTER, 9);
        if (results[0] == 0)
            assert_all(block, 10 * CLUSTER + SECTOR, CLUSTER, 4);
        if (results[3] == 0)
            assert_all(block, 20 * CLUSTER, SECTOR, 5);
        if (results[2] != 0)
            ck_assert_int_lt(results[2], 0);
        kiln_block_free(block);
    }
}
END_TEST

START_TEST(the_cache_stays_in_its_limit)
{
    g_auto(KilnFd) fd = new_image();
    KilnBlock *block = open_fd(fd, 0, NULL);
    const Qcow2 *q = (Qcow2 *)block;

    /* 64 MiB need 8 KiB of L2 tables, whatever the limit is. */
    for (uint64_t at = 0; at < DISK; at += 4 * CLUSTER)
        ck_assert_int_eq(fill(block, at, SECTOR, 1), 0);
    ck_assert_uint_le(q->l2_cache.n, 32);
    kiln_block_free(block);
}
END_TEST

static void
poke(int fd, uint64_t at, uint64_t value)
{
    uint8_t bytes[8];

    kiln_be64_store(bytes, value);
    ck_assert_int_eq(kiln_write_full(fd, bytes, sizeof bytes, (off_t)at), 0);
}

/* Images that lie: an error, and nothing of the tables is overwritten. */
START_TEST(a_table_is_not_written_as_data)
{
    static const uint64_t lies[] = { 0, CLUSTER, 2 * CLUSTER, 3 * CLUSTER, 4 * CLUSTER };
    g_auto(KilnFd) fd = new_image();
    KilnBlock *block = open_fd(fd, 0, NULL);
    uint64_t l2;

    ck_assert_int_eq(fill(block, 0, SECTOR, 1), 0);
    l2 = ((Qcow2 *)block)->l1[0] & QCOW2_OFFSET_MASK;
    ck_assert_uint_eq(l2, 4 * CLUSTER);
    kiln_block_free(block);
    poke(fd, l2, lies[_i] | QCOW2_COPIED);
    block = open_fd(fd, 0, NULL);
    if (lies[_i] != 0)
        ck_assert_int_eq(fill(block, 0, SECTOR, 2), -EIO);
    kiln_block_free(block);
}
END_TEST

START_TEST(a_counted_as_free_table_is_not_taken)
{
    g_auto(KilnFd) fd = new_image();
    KilnBlock *block;

    poke(fd, 2 * CLUSTER, 0); /* nothing is counted, so the header's cluster is free */
    block = open_fd(fd, 0, NULL);
    ck_assert_int_eq(fill(block, 0, SECTOR, 1), -EIO);
    kiln_block_free(block);
}
END_TEST

static Suite *
qcow2_suite(void)
{
    Suite *suite = suite_create("qcow2");
    TCase *plain = kiln_test_case(suite, "requests");
    TCase *lies = kiln_test_case(suite, "lies");

    tcase_add_test(plain, unwritten_is_zero);
    tcase_add_test(plain, written_is_there_when_opened_again);
    tcase_add_test(plain, allocated_goes_straight_to_the_child);
    tcase_add_loop_test(plain, writes_to_one_new_cluster_wait_for_each_other, 0, 3);
    tcase_add_test(plain, a_cluster_is_not_used_again_while_it_is_being_read);
    tcase_add_test(plain, a_discarded_cluster_is_used_again_only_after_a_flush);
    tcase_add_loop_test(plain, any_request_may_fail, 0, 40);
    tcase_add_test(plain, the_cache_stays_in_its_limit);
    tcase_add_loop_test(lies, a_table_is_not_written_as_data, 0, 5);
    tcase_add_test(lies, a_counted_as_free_table_is_not_taken);
    return suite;
}

KILN_TEST_MAIN(qcow2_suite)
