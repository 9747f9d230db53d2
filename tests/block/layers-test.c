/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers that change no format: limits, slices, zeroes, faults; and how chains are put together. */
#include "tests/block/fd-child.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "block/bucket.h"
#include "block/fault.h"
#include "block/open.h"
#include "block/slice.h"
#include "block/throttle.h"
#include "block/zeroes.h"
#include "loop/timer.h"

enum { LENGTH = 65536, N_REQUESTS = 12 };

#define SECOND_NS G_GUINT64_CONSTANT(1000000000)

typedef struct {
    KilnBlockRequest base; /* first */
    struct iovec iov;
    char *data; /* (owned) */
    GString *log;
    char name;
    int result;
    gboolean done;
} Request;

static void
note(KilnBlockRequest *base, int result)
{
    Request *request = (Request *)base;

    request->result = result;
    request->done = TRUE;
    if (request->log != NULL)
        g_string_append_c(request->log, request->name);
}

static Request *
submit(KilnBlock *block, KilnBlockOp op, uint64_t offset, uint64_t length, GString *log, char name)
{
    Request *request = g_new0(Request, 1);

    request->data = g_malloc0(length + 1);
    request->iov = (struct iovec){ request->data, length };
    request->log = log;
    request->name = name;
    request->base = (KilnBlockRequest){
        .op = op,
        .offset = offset,
        .length = length,
        .iov = &request->iov,
        .n_iov = 1,
        .done = note,
        .scratch = aligned_alloc(16, kiln_block_request_size(block) + 16),
    };
    kiln_block_submit(block, &request->base);
    return request;
}

static int
finish(Request *request)
{
    int result;

    while (!request->done)
        g_main_context_iteration(NULL, TRUE);
    result = request->result;
    free(request->base.scratch);
    g_free(request->data);
    g_free(request);
    return result;
}

static FdChild *
new_child(void)
{
    int fd = fd_child_memory();

    ck_assert_int_eq(ftruncate(fd, LENGTH), 0);
    return fd_child_new(fd, FALSE, 0);
}

static const KilnThrottleLimits ten_writes = {
    .buckets[KILN_THROTTLE_IOPS_WRITE] = { .average = 10 },
};

START_TEST(a_bucket_leaks_at_its_rate)
{
    KilnBuckets buckets = { .limits = ten_writes };
    unsigned n = 0;

    for (uint64_t now = 0; now < 10 * SECOND_NS; now += SECOND_NS / 1000) {
        kiln_buckets_leak(&buckets, now);
        ck_assert_uint_eq(kiln_buckets_wait(&buckets, FALSE), 0);
        while (kiln_buckets_wait(&buckets, TRUE) == 0) {
            kiln_buckets_add(&buckets, TRUE, 4096);
            n++;
        }
    }
    ck_assert_uint_ge(n, 100);
    ck_assert_uint_le(n, 102);
}
END_TEST

START_TEST(a_burst_has_its_rate_and_its_length)
{
    KilnBuckets buckets = {
        .limits.buckets[KILN_THROTTLE_BYTES_TOTAL] = { .average = 1000, .max = 5000, .length = 4 },
    };
    uint64_t sums[20] = { 0 };

    for (uint64_t ms = 0; ms < 20000; ms++) {
        kiln_buckets_leak(&buckets, ms * 1000000);
        while (kiln_buckets_wait(&buckets, ms % 2 == 0) == 0) {
            kiln_buckets_add(&buckets, ms % 2 == 0, 10);
            sums[ms / 1000] += 10;
        }
    }
    for (unsigned i = 0; i < 4; i++) { /* 20000 units, of which 1000 leak a second */
        ck_assert_uint_ge(sums[i], 4900);
        ck_assert_uint_le(sums[i], 5600);
    }
    for (unsigned i = 6; i < 20; i++) {
        ck_assert_uint_ge(sums[i], 980);
        ck_assert_uint_le(sums[i], 1020);
    }
}
END_TEST

START_TEST(a_large_request_counts_as_several)
{
    KilnBuckets buckets = { .limits = ten_writes };

    buckets.limits.iops_size = 4096;
    kiln_buckets_add(&buckets, TRUE, 40960);
    ck_assert_uint_eq(kiln_buckets_wait(&buckets, TRUE), 9 * SECOND_NS / 10);
    ck_assert_uint_eq(kiln_buckets_wait(&buckets, FALSE), 0);
}
END_TEST

START_TEST(limits_that_make_no_sense)
{
    static const KilnThrottleLimits bad[] = {
        { .buckets = { { .average = 1 }, { .average = 1 } } },
        { .buckets[KILN_THROTTLE_IOPS_READ] = { .max = 5 } },
        { .buckets[KILN_THROTTLE_IOPS_READ] = { .average = 5, .max = 4 } },
        { .buckets[KILN_THROTTLE_IOPS_READ] = { .average = 5, .length = 4 } },
        { .buckets[KILN_THROTTLE_IOPS_READ] = { .average = UINT64_MAX } },
        { .iops_size = 512 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert(!kiln_throttle_limits_check(&bad[i], &error));
        ck_assert_ptr_nonnull(error);
    }
    ck_assert(kiln_throttle_limits_check(&ten_writes, NULL));
}
END_TEST

/* Two disks of a group: one has asked for much before the other asks. */
START_TEST(members_take_turns)
{
    static const KilnThrottleLimits limits = {
        .buckets[KILN_THROTTLE_IOPS_TOTAL] = { .average = 2000 },
    };
    g_autoptr(KilnThrottleGroup) group = kiln_throttle_group_new(&limits);
    g_autoptr(GString) log = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    KilnBlock *disks[2];
    GPtrArray *requests = g_ptr_array_new();
    Request *fill[300];
    unsigned n_a = 0;

    for (unsigned i = 0; i < 2; i++) {
        disks[i] = kiln_throttle_open(&new_child()->block, group, &error);
        kiln_assert_no_error(error);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(fill); i++) /* a tenth of a second is free: 200 */
        fill[i] = submit(disks[0], KILN_BLOCK_READ, 0, 512, NULL, 0);
    for (unsigned i = 0; i < N_REQUESTS; i++)
        g_ptr_array_add(requests, submit(disks[0], KILN_BLOCK_READ, 0, 512, log, 'a'));
    for (unsigned i = 0; i < N_REQUESTS; i++)
        g_ptr_array_add(requests, submit(disks[1], KILN_BLOCK_READ, 0, 512, log, 'b'));
    ck_assert_uint_eq(log->len, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(fill); i++)
        ck_assert_int_eq(finish(fill[i]), 0);
    for (unsigned i = 0; i < requests->len; i++)
        ck_assert_int_eq(finish(g_ptr_array_index(requests, i)), 0);
    /* The second one need not wait for all that the first has asked for. */
    for (unsigned i = 0; i < N_REQUESTS; i++)
        n_a += log->str[i] == 'a';
    ck_assert_uint_eq(n_a, 0);
    kiln_block_free(disks[0]);
    kiln_block_free(disks[1]);
    g_ptr_array_unref(requests);
}
END_TEST

START_TEST(who_waits_goes_on_when_limits_end)
{
    static const KilnThrottleLimits slow = {
        .buckets[KILN_THROTTLE_IOPS_TOTAL] = { .average = 1, .max = 1, .length = 1 },
    };
    static const KilnThrottleLimits none = { 0 };
    g_autoptr(KilnThrottleGroup) group = kiln_throttle_group_new(&slow);
    KilnBlock *disk = kiln_throttle_open(&new_child()->block, group, NULL);
    Request *requests[8];

    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++)
        requests[i] = submit(disk, KILN_BLOCK_READ, 0, 512, NULL, 0);
    ck_assert(!requests[7]->done);
    kiln_throttle_group_set(group, &none);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++)
        ck_assert_int_eq(finish(requests[i]), 0);
    requests[0] = submit(disk, KILN_BLOCK_READ, 0, 512, NULL, 0);
    ck_assert(requests[0]->done);
    ck_assert_int_eq(finish(requests[0]), 0);
    kiln_block_free(disk);
}
END_TEST

START_TEST(a_slice_is_a_disk_of_its_own)
{
    FdChild *child = new_child();
    g_autoptr(GError) error = NULL;
    KilnBlock *disk;
    char data[1024] = "here", back[1024];

    disk = kiln_slice_open(&child->block, 4096, 8192, &error);
    kiln_assert_no_error(error);
    ck_assert_uint_eq(disk->length, 8192);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_WRITE, 0, 1024, data, 1024), 0);
    ck_assert_int_eq(pread(child->fd, back, 1024, 4096 + 1024), 1024);
    ck_assert_mem_eq(back, data, 1024);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_READ, 0, 8192 - 512, data, 1024), -EIO);
    kiln_block_free(disk);
    disk = kiln_slice_open(&new_child()->block, 4096, LENGTH, &error);
    ck_assert_ptr_null(disk);
    kiln_assert_error_has(error, "is not a part of");
}
END_TEST

START_TEST(zeroes_are_not_written)
{
    FdChild *child = new_child();
    KilnBlock *disk = kiln_zeroes_open(&child->block, TRUE);
    char data[1024] = { 0 };

    fd_child_record(child);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_WRITE, 0, 0, data, 1024), 0);
    data[1023] = 1;
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_WRITE, 0, 0, data, 1024), 0);
    ck_assert_int_ge(child->log->len, 1);
    ck_assert_int_eq(g_array_index(child->log, FdLogEntry, child->log->len - 1).op,
                     KILN_BLOCK_WRITE);
    for (unsigned i = 0; i < 64; i++) { /* wherever the one byte is */
        char bytes[64] = { 0 };

        ck_assert(kiln_is_zero(bytes, sizeof bytes));
        bytes[i] = 1;
        ck_assert(!kiln_is_zero(bytes, sizeof bytes));
        ck_assert(kiln_is_zero(bytes, i));
    }
    kiln_block_free(disk);
}
END_TEST

START_TEST(faults_come_when_they_should)
{
    KilnFault fault = {
        .kind = KILN_FAULT_FAIL,
        .ops = 1U << KILN_BLOCK_WRITE,
        .skip = 1,
        .count = 1,
        .result = -ENOSPC,
    };
    KilnBlock *disk = kiln_fault_open(&new_child()->block, &fault, NULL);
    char data[512] = { 0 };
    Request *held;

    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_WRITE, 0, 0, data, 512), 0);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_READ, 0, 0, data, 512), 0);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_WRITE, 0, 0, data, 512), -ENOSPC);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_WRITE, 0, 0, data, 512), 0);
    kiln_fault_set(disk, &(KilnFault){ .kind = KILN_FAULT_HOLD });
    held = submit(disk, KILN_BLOCK_READ, 0, 512, NULL, 0);
    ck_assert_uint_eq(kiln_fault_n_held(disk), 1);
    ck_assert(!held->done);
    kiln_fault_release(disk);
    ck_assert_int_eq(finish(held), 0);
    kiln_fault_set(disk, &(KilnFault){ .kind = KILN_FAULT_DELAY, .delay_ns = 1000 });
    held = submit(disk, KILN_BLOCK_READ, 0, 512, NULL, 0);
    ck_assert(!held->done);
    ck_assert_int_eq(finish(held), 0);
    kiln_block_free(disk);
}
END_TEST

typedef struct {
    char *dir; /* (owned) */
    KilnUring *uring;
} Place;

static Place
new_place(void)
{
    g_autoptr(GError) error = NULL;
    Place place = { .dir = kiln_test_dir() };

    place.uring = kiln_uring_open(NULL, 32, KILN_URING_AUTO, &error);
    kiln_assert_no_error(error);
    return place;
}

static void
free_place(Place *place)
{
    kiln_uring_free(place->uring);
    g_free(place->dir);
}

static void
run_tool(const Place *place, const char *const *argv)
{
    g_autofree char *out = NULL;
    int status = -1;

    ck_assert(g_spawn_sync(place->dir, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
                           NULL, &status, NULL));
    ck_assert_int_eq(status, 0);
}

static KilnBlock *
open_chain(const Place *place, const KilnBlockOptions *base, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(place->dir, name, NULL);
    KilnBlockOptions options = *base;

    options.path = path;
    options.fd = -1;
    options.uring = place->uring;
    return kiln_block_open_chain(&options, error);
}

START_TEST(an_image_is_raw_unless_it_is_said)
{
    Place place = new_place();
    g_autofree char *path = g_build_filename(place.dir, "disk", NULL);
    g_autoptr(GError) error = NULL;
    char header[512] = "QFI\xfb";
    KilnBlock *disk;

    ck_assert(g_file_set_contents(path, header, sizeof header, NULL));
    disk = open_chain(&place, &(KilnBlockOptions){ 0 }, "disk", &error);
    kiln_assert_no_error(error);
    ck_assert_uint_eq(disk->length, 512);
    kiln_block_free(disk);
    disk = open_chain(&place, &(KilnBlockOptions){ .format = "qcow2" }, "disk", &error);
    ck_assert_ptr_null(disk);
    kiln_assert_error_has(error, path);
    g_clear_error(&error);
    disk = open_chain(&place, &(KilnBlockOptions){ .format = "vmdk" }, "disk", &error);
    ck_assert_ptr_null(disk);
    kiln_assert_error_has(error, "'vmdk' is not supported");
    free_place(&place);
}
END_TEST

START_TEST(write_through_and_slices_of_chains)
{
    Place place = new_place();
    g_autofree char *path = g_build_filename(place.dir, "disk", NULL);
    g_autoptr(KilnThrottleGroup) group = kiln_throttle_group_new(&ten_writes);
    g_autoptr(GError) error = NULL;
    g_autofree char *data = g_malloc0(LENGTH);
    KilnBlock *disk;
    char back[512];

    memset(data + 4096, 7, 4096);
    ck_assert(g_file_set_contents(path, data, LENGTH, NULL));
    disk = open_chain(&place,
                      &(KilnBlockOptions){ .cache = KILN_BLOCK_CACHE_DIRECTSYNC,
                                           .slice_offset = 4096,
                                           .slice_length = 4096,
                                           .discard = TRUE,
                                           .detect_zeroes = KILN_BLOCK_DETECT_ZEROES_UNMAP,
                                           .throttle = group },
                      "disk", &error);
    kiln_assert_no_error(error);
    ck_assert(disk->write_through);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_READ, 0, 0, back, 512), 0);
    ck_assert_mem_eq(back, data + 4096, 512);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_WRITE, 0, 512, data, 512), 0);
    ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_READ, 0, 512, back, 512), 0);
    ck_assert_mem_eq(back, data, 512);
    kiln_block_free(disk);
    free_place(&place);
}
END_TEST

START_TEST(backing_chains_recorded_and_given)
{
    static const char *const make[][8] = {
        { "qemu-img", "create", "-f", "raw", "base", "64K", NULL },
        { "qemu-io", "-f", "raw", "-c", "write -P 5 0 4K", "base", NULL },
        { "qemu-img", "create", "-f", "raw", "other", "64K", NULL },
        { "qemu-img", "create", "-fqcow2", "-bbase", "-Fraw", "top", NULL },
        { "qemu-img", "create", "-fqcow2", "loop", "64K", NULL },
        { "qemu-img", "rebase", "-u", "-bloop", "-Fqcow2", "-fqcow2", "loop", NULL },
    };
    Place place = new_place();
    g_autofree char *other = g_build_filename(place.dir, "other", NULL);
    KilnBlockOptions below = { .path = other, .fd = -1 };
    KilnBlockOptions options = { .format = "qcow2" };
    g_autoptr(GError) error = NULL;
    KilnBlock *disk;
    char back[512];

    for (unsigned i = 0; i < G_N_ELEMENTS(make); i++)
        run_tool(&place, make[i]);
    for (unsigned i = 0; i < 3; i++) { /* recorded, none, another one */
        options.backing_given = i > 0;
        options.backing = i == 2 ? &below : NULL;
        disk = open_chain(&place, &options, "top", &error);
        kiln_assert_no_error(error);
        ck_assert_int_eq(fd_child_await(disk, KILN_BLOCK_READ, 0, 0, back, 512), 0);
        ck_assert_int_eq(back[0], i == 0 ? 5 : 0);
        kiln_block_free(disk);
    }
    options.backing_given = FALSE;
    disk = open_chain(&place, &options, "loop", &error);
    ck_assert_ptr_null(disk);
    ck_assert_ptr_nonnull(error);
    free_place(&place);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("layers");
    TCase *limits = kiln_test_case(suite, "throttle");
    TCase *layers = kiln_test_case(suite, "layers");
    TCase *chains = kiln_test_case(suite, "open");

    tcase_add_test(limits, a_bucket_leaks_at_its_rate);
    tcase_add_test(limits, a_burst_has_its_rate_and_its_length);
    tcase_add_test(limits, a_large_request_counts_as_several);
    tcase_add_test(limits, limits_that_make_no_sense);
    tcase_add_test(limits, members_take_turns);
    tcase_add_test(limits, who_waits_goes_on_when_limits_end);
    tcase_add_test(layers, a_slice_is_a_disk_of_its_own);
    tcase_add_test(layers, zeroes_are_not_written);
    tcase_add_test(layers, faults_come_when_they_should);
    tcase_add_test(chains, an_image_is_raw_unless_it_is_said);
    tcase_add_test(chains, write_through_and_slices_of_chains);
    tcase_add_test(chains, backing_chains_recorded_and_given);
    return suite;
}

int
main(void)
{
    g_autofree char *io = g_find_program_in_path("qemu-io");
    g_autofree char *img = g_find_program_in_path("qemu-img");

    if (io == NULL || img == NULL)
        return kiln_test_skip_all("qemu-io and qemu-img (package qemu-utils) are not here");
    return kiln_test_main(make_suite());
}
