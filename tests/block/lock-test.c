/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks of images, against QEMU's own tools. */
#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "block/lock.h"

enum {
    READS = KILN_LOCK_CONSISTENT_READ,
    WRITES = KILN_LOCK_CONSISTENT_READ | KILN_LOCK_WRITE,
    LETS = KILN_LOCK_CONSISTENT_READ | KILN_LOCK_WRITE_UNCHANGED,
};

typedef struct {
    char *dir;  /* (owned) */
    char *path; /* (owned) */
    KilnFd fd;  /* (owned) */
} Image;

static KilnFd
open_image(const char *path)
{
    g_autoptr(GError) error = NULL;
    KilnFd fd = kiln_open(path, O_RDWR | O_CREAT, 0600, &error);

    kiln_assert_no_error(error);
    return fd;
}

static Image
new_image(void)
{
    Image image = { .dir = kiln_test_dir() };

    image.path = g_build_filename(image.dir, "disk.img", NULL);
    image.fd = open_image(image.path);
    ck_assert_int_eq(ftruncate(image.fd, 65536), 0);
    return image;
}

static void
free_image(Image *image)
{
    kiln_fd_clear(&image->fd);
    g_free(image->path);
    g_free(image->dir);
}

static void
lock(Image *image, unsigned does)
{
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_file_lock(image->fd, image->path, does, LETS, &error));
}

static gboolean
runs(const char *const *argv)
{
    int status = -1;

    ck_assert(
        g_spawn_sync(NULL, (char **)argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                     NULL, NULL, NULL, NULL, &status, NULL));
    return status == 0;
}

/* qemu-img convert reads its source and lets nobody write to it. */
static gboolean
qemu_reads(const Image *image)
{
    g_autofree char *copy = g_build_filename(image->dir, "copy", NULL);
    const char *const argv[] = { "qemu-img", "convert",   "-O", "raw", "-f",
                                 "raw",      image->path, copy, NULL };

    return runs(argv);
}

static gboolean
qemu_writes(const Image *image)
{
    const char *const argv[] = { "qemu-io", "-f", "raw", "-c", "write 0 512", image->path, NULL };

    return runs(argv);
}

START_TEST(what_kiln_writes_qemu_leaves_alone)
{
    Image image = new_image();

    lock(&image, WRITES);
    ck_assert(!qemu_reads(&image));
    ck_assert(!qemu_writes(&image));
    kiln_fd_clear(&image.fd);
    ck_assert(qemu_reads(&image));
    ck_assert(qemu_writes(&image));
    free_image(&image);
}
END_TEST

START_TEST(what_kiln_reads_qemu_may_read)
{
    Image image = new_image();

    lock(&image, READS);
    ck_assert(qemu_reads(&image));
    ck_assert(!qemu_writes(&image));
    free_image(&image);
}
END_TEST

START_TEST(qemu_is_named_as_the_holder)
{
    Image image = new_image();
    g_autofree char *held = g_steal_pointer(&image.path);
    const char *argv[] = { "qemu-io", "-f", "raw", held, NULL };
    g_autoptr(GError) error = NULL;
    char prompt[8];
    GPid pid;
    int in, out;

    ck_assert(g_spawn_async_with_pipes(NULL, (char **)argv, NULL,
                                       G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                       &pid, &in, &out, NULL, NULL));
    ck_assert_int_gt(read(out, prompt, sizeof prompt), 0); /* it has the file open now */
    ck_assert(!kiln_file_lock(image.fd, held, WRITES, LETS, &error));
    kiln_assert_error_has(error, "(qemu-io)");
    close(in);
    close(out);
    free_image(&image);
}
END_TEST

/* A process that has the image open, and locks it if it is to, until the end of @until. */
static pid_t
start_process(const Image *image, gboolean locks, int until)
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        Image own = { .path = image->path, .fd = open_image(image->path) };

        if (locks)
            lock(&own, WRITES);
        (void)!write(ready[1], &byte, 1);
        (void)!read(until, &byte, 1);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

START_TEST(a_kiln_is_named_and_no_bystander)
{
    Image image = new_image();
    g_autoptr(GError) error = NULL;
    g_autofree char *name = NULL;
    int until[2];
    pid_t holder;

    kiln_fd_clear(&image.fd);
    ck_assert_int_eq(pipe(until), 0);
    start_process(&image, FALSE, until[0]);
    holder = start_process(&image, TRUE, until[0]);
    start_process(&image, FALSE, until[0]);
    image.fd = open_image(image.path);
    ck_assert(!kiln_file_lock(image.fd, image.path, WRITES, LETS, &error));
    name = g_strdup_printf("process %d (", (int)holder);
    kiln_assert_error_has(error, name);
    ck_assert_int_eq(write(until[1], "abc", 3), 3);
    free_image(&image);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("lock");
    TCase *qemu = kiln_test_case(suite, "qemu");

    tcase_add_test(qemu, what_kiln_writes_qemu_leaves_alone);
    tcase_add_test(qemu, what_kiln_reads_qemu_may_read);
    tcase_add_test(qemu, qemu_is_named_as_the_holder);
    tcase_add_test(kiln_test_case(suite, "kiln"), a_kiln_is_named_and_no_bystander);
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
