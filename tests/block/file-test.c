/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files as disks: random requests against a copy in memory, with and without O_DIRECT; the ends of
 * files; what cannot be opened; locks. */
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "block/block.h"
#include "block/file-part.h"
#include "block/file.h"

enum {
    LENGTH = 1024 * 1024,
    N_REQUESTS = 400,
    N_DEPTH = 16,
};

typedef struct {
    KilnBlockRequest base; /* first */
    struct iovec iov[3];
    gboolean done;
    int result;
} Request;

typedef struct {
    char *dir;  /* (owned) */
    char *path; /* (owned) */
    GMainContext *context;
    KilnUring *uring;
} Place;

static Place
new_place(uint64_t length)
{
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) fd = -1;
    Place place = { .dir = kiln_test_dir(), .context = g_main_context_new() };

    place.path = g_build_filename(place.dir, "disk.img", NULL);
    place.uring = kiln_uring_open(place.context, 64, KILN_URING_AUTO, &error);
    kiln_assert_no_error(error);
    fd = kiln_open(place.path, O_RDWR | O_CREAT, 0600, &error);
    kiln_assert_no_error(error);
    ck_assert_int_eq(ftruncate(fd, (off_t)length), 0);
    return place;
}

static void
free_place(Place *place)
{
    kiln_uring_free(place->uring);
    g_main_context_unref(place->context);
    g_free(place->dir);
    g_free(place->path);
}

static KilnBlockFileOptions
options_of(const Place *place)
{
    return (KilnBlockFileOptions){
        .path = place->path,
        .fd = -1,
        .uring = place->uring,
        .context = place->context,
        .lock = TRUE,
        .discard = TRUE,
    };
}

static KilnBlock *
open_file(const KilnBlockFileOptions *options)
{
    g_autoptr(GError) error = NULL;
    KilnBlock *block = kiln_block_file_open(options, &error);

    kiln_assert_no_error(error);
    return block;
}

static void
note(KilnBlockRequest *base, int result)
{
    Request *request = (Request *)base;

    ck_assert(!request->done);
    request->done = TRUE;
    request->result = result;
}

static int
run(const Place *place, KilnBlock *block, Request *request)
{
    request->done = FALSE;
    request->base.done = note;
    request->base.iov = request->iov;
    if (request->base.scratch == NULL)
        request->base.scratch = aligned_alloc(16, kiln_block_request_size(block));
    kiln_block_submit(block, &request->base);
    while (!request->done)
        g_main_context_iteration(place->context, TRUE);
    return request->result;
}

static int
simple(const Place *place, KilnBlock *block, KilnBlockOp op, uint64_t offset, void *data,
       uint64_t length, unsigned flags)
{
    Request request = {
        .base = { .op = op, .offset = offset, .length = length, .n_iov = 1, .flags = flags },
        .iov = { { data, length } },
    };
    int result = run(place, block, &request);

    free(request.base.scratch);
    return result;
}

/* Splits the request's bytes over up to three buffers, at any byte. */
static void
split(GRand *rand, Request *request, char *data)
{
    uint64_t left = request->base.length;
    unsigned n = 0;

    while (left > 0) {
        uint64_t some = n == 2 ? left : (uint64_t)g_rand_int_range(rand, 1, (int)left + 1);

        request->iov[n].iov_base = data;
        request->iov[n++].iov_len = some;
        data += some;
        left -= some;
    }
    request->base.n_iov = n;
}

static const struct {
    gboolean direct;
    uint32_t offset_align; /* pretended; 0: the host's */
} modes[] = { { FALSE, 0 }, { TRUE, 0 }, { TRUE, 4096 } };

/* One after the other: any request, then the file holds what the model holds. */
START_TEST(random_requests_match_a_model)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    g_autofree char *model = g_malloc0(LENGTH), *data = g_malloc(LENGTH), *file = NULL;
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)_i);
    Request request = { 0 };
    KilnBlock *block;
    gsize length;

    options.direct = modes[_i].direct;
    block = open_file(&options);
    if (modes[_i].offset_align != 0)
        ((KilnFile *)block)->probe.offset_align = modes[_i].offset_align;
    for (unsigned i = 0; i < N_REQUESTS; i++) {
        uint64_t sectors = (uint64_t)g_rand_int_range(rand, 1, i % 16 == 0 ? 600 : 40);
        uint64_t offset = 512 * (uint64_t)g_rand_int_range(rand, 0, LENGTH / 512 - (int)sectors);
        uint64_t bytes = 512 * sectors;

        request.base.op = (KilnBlockOp)g_rand_int_range(rand, 0, 5);
        request.base.flags = (unsigned)g_rand_int_range(rand, 0, 4);
        request.base.offset = offset;
        request.base.length = request.base.op == KILN_BLOCK_FLUSH ? 0 : bytes;
        if (request.base.op == KILN_BLOCK_DISCARD)
            memset(model + offset, 0, bytes); /* a file's discarded bytes are zero */
        if (request.base.op == KILN_BLOCK_WRITE_ZEROES)
            memset(model + offset, 0, bytes);
        split(rand, &request, data);
        if (request.base.op == KILN_BLOCK_WRITE) {
            memset(data, (int)(1 + i % 255), bytes);
            memcpy(model + offset, data, bytes);
        }
        ck_assert_int_eq(run(&place, block, &request), 0);
        if (request.base.op == KILN_BLOCK_READ)
            ck_assert_mem_eq(data, model + offset, bytes);
    }
    kiln_block_free(block);
    free(request.base.scratch);
    ck_assert(g_file_get_contents(place.path, &file, &length, NULL));
    ck_assert_uint_eq(length, LENGTH);
    ck_assert_mem_eq(file, model, LENGTH);
    free_place(&place);
}
END_TEST

/* Neighbouring sectors of one large block, written at once: none is lost. */
START_TEST(parts_of_a_block_are_written_at_once)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    g_autofree char *data = g_malloc(512 * 64), *file = NULL;
    Request requests[64] = { 0 };
    KilnBlock *block;
    gsize length;

    options.direct = TRUE;
    block = open_file(&options);
    ((KilnFile *)block)->probe.offset_align = 4096;
    for (unsigned i = 0; i < 64; i++) {
        memset(data + 512 * i, (int)(i + 1), 512);
        requests[i].iov[0] = (struct iovec){ data + 512 * i, 512 };
        requests[i].base = (KilnBlockRequest){
            .op = KILN_BLOCK_WRITE,
            .offset = 512 * i,
            .length = 512,
            .iov = requests[i].iov,
            .n_iov = 1,
            .done = note,
            .scratch = aligned_alloc(16, kiln_block_request_size(block)),
        };
        kiln_block_submit(block, &requests[i].base);
    }
    for (unsigned i = 0; i < 64; i++) {
        while (!requests[i].done)
            g_main_context_iteration(place.context, TRUE);
        ck_assert_int_eq(requests[i].result, 0);
        free(requests[i].base.scratch);
    }
    kiln_block_free(block);
    ck_assert(g_file_get_contents(place.path, &file, &length, NULL));
    ck_assert_mem_eq(file, data, 512 * 64);
    free_place(&place);
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    char data[1024] = { 0 };
    KilnBlock *block;

    options.read_only = TRUE;
    block = open_file(&options);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_WRITE, 0, data, 512, 0), -EROFS);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_READ, 1, data, 512, 0), -EINVAL);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_READ, LENGTH, data, 512, 0), -EIO);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_READ, UINT64_MAX - 511, data, 1024, 0), -EIO);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_READ, LENGTH - 512, data, 512, 0), 0);
    kiln_block_free(block);
    free_place(&place);
}
END_TEST

START_TEST(after_the_end_there_are_zeroes)
{
    Place place = new_place(5000); /* in the middle of a sector, and of a page */
    KilnBlockFileOptions options = options_of(&place);
    g_autofree char *data = g_malloc(8192);
    KilnBlock *block;

    options.direct = _i != 0;
    block = open_file(&options);
    ck_assert_uint_eq(block->length, 5120);
    memset(data, 'x', 8192);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_READ, 4096, data, 1024, 0), 0);
    for (unsigned i = 0; i < 1024; i++)
        ck_assert_int_eq(data[i], 0);
    ck_assert_int_eq(truncate(place.path, 1000), 0); /* somebody else's doing */
    memset(data, 'x', 8192);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_READ, 0, data, 5120, 0), 0);
    for (unsigned i = 0; i < 5120; i++)
        ck_assert_int_eq(data[i], 0);
    kiln_block_free(block);
    free_place(&place);
}
END_TEST

START_TEST(discards_give_space_back)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    g_autofree char *data = g_malloc(LENGTH);
    struct stat before, after;
    KilnBlock *block;

    options.discard = _i != 2;
    block = open_file(&options);
    memset(data, 1, LENGTH);
    ck_assert_int_eq(simple(&place, block, KILN_BLOCK_WRITE, 0, data, LENGTH, KILN_BLOCK_FUA), 0);
    ck_assert_int_eq(stat(place.path, &before), 0);
    ck_assert_int_eq(simple(&place, block, _i == 1 ? KILN_BLOCK_WRITE_ZEROES : KILN_BLOCK_DISCARD,
                            0, NULL, LENGTH / 2, KILN_BLOCK_MAY_UNMAP),
                     0);
    ck_assert_int_eq(stat(place.path, &after), 0);
    if (options.discard)
        ck_assert_int_lt(after.st_blocks, before.st_blocks);
    else
        ck_assert_int_eq(after.st_blocks, before.st_blocks);
    kiln_block_free(block);
    free_place(&place);
}
END_TEST

START_TEST(resizes)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    g_autoptr(GError) error = NULL;
    KilnBlock *block = open_file(&options);
    struct stat info;

    ck_assert(kiln_block_resize(block, 2 * LENGTH, &error));
    ck_assert_uint_eq(block->length, 2 * LENGTH);
    ck_assert_int_eq(stat(place.path, &info), 0);
    ck_assert_int_eq(info.st_size, 2 * LENGTH);
    kiln_block_free(block);
    free_place(&place);
}
END_TEST

static void
refused(const KilnBlockFileOptions *options, const char *text)
{
    g_autoptr(GError) error = NULL;
    KilnBlock *block = kiln_block_file_open(options, &error);

    ck_assert_ptr_null(block);
    kiln_assert_error_has(error, text);
}

START_TEST(what_cannot_be_opened)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    g_autofree char *fifo = g_build_filename(place.dir, "fifo", NULL);
    g_autofree char *folder = g_build_filename(place.dir, "folder", NULL);

    options.block_device = TRUE;
    refused(&options, "is not a block device");
    options.block_device = FALSE;
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    options.path = fifo;
    refused(&options, "neither a file nor a block device");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    options.path = folder;
    refused(&options, "directory");
    options.read_only = TRUE;
    refused(&options, "it is a directory");
    options.path = "/nowhere/disk.img";
    refused(&options, "No such file");
    free_place(&place);
}
END_TEST

START_TEST(the_directory_that_forbids_it_is_named)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    g_autofree char *path = g_build_filename(place.dir, "closed", "disk.img", NULL);
    g_autofree char *folder = g_path_get_dirname(path);

    ck_assert_int_eq(mkdir(folder, 0), 0);
    options.path = path;
    if (geteuid() != 0)
        refused(&options, folder);
    ck_assert_int_eq(rmdir(folder), 0);
    free_place(&place);
}
END_TEST

/* An io_uring that is being torn down, or a process that was given the descriptor too, may have the
 * file open for a while. */
START_TEST(locks_end_with_the_disk)
{
    Place place = new_place(65536);
    KilnBlockFileOptions options = options_of(&place);
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) other = -1;
    KilnBlock *block;

    options.fd = kiln_open(place.path, O_RDWR, 0, &error);
    kiln_assert_no_error(error);
    other = dup(options.fd);
    block = open_file(&options);
    options.fd = -1;
    refused(&options, "is in use");
    kiln_block_free(block);
    kiln_block_free(open_file(&options));
    free_place(&place);
}
END_TEST

START_TEST(locks_between_kilns)
{
    Place place = new_place(LENGTH);
    KilnBlockFileOptions options = options_of(&place);
    KilnBlock *writer, *reader, *other;

    writer = open_file(&options);
    refused(&options, "is in use");
    options.read_only = TRUE;
    refused(&options, "is in use");
    kiln_block_free(writer);
    reader = open_file(&options);
    other = open_file(&options); /* readers do not mind each other */
    options.read_only = FALSE;
    refused(&options, "lets nobody else write to it");
    kiln_block_free(reader);
    kiln_block_free(other);
    options.shared = TRUE;
    writer = open_file(&options);
    other = open_file(&options);
    options.shared = FALSE;
    refused(&options, "may write to it");
    kiln_block_free(writer);
    kiln_block_free(other);
    free_place(&place);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("file");
    TCase *io = kiln_test_case(suite, "io");
    TCase *open = kiln_test_case(suite, "open");

    tcase_add_loop_test(io, random_requests_match_a_model, 0, G_N_ELEMENTS(modes));
    tcase_add_test(io, parts_of_a_block_are_written_at_once);
    tcase_add_test(io, what_is_wrong_is_refused);
    tcase_add_loop_test(io, after_the_end_there_are_zeroes, 0, 2);
    tcase_add_loop_test(io, discards_give_space_back, 0, 3);
    tcase_add_test(io, resizes);
    tcase_add_test(open, what_cannot_be_opened);
    tcase_add_test(open, the_directory_that_forbids_it_is_named);
    tcase_add_test(open, locks_end_with_the_disk);
    tcase_add_test(open, locks_between_kilns);
    return suite;
}

KILN_TEST_MAIN(make_suite)
