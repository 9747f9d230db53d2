/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk without a guest: requests in plain memory drive a real chain on a file of the host, and
 * their speed is held against fio's io_uring engine on the same file, in turns.
 *
 *   harness FILE [SECONDS] [ROUNDS]     FILE is written over, 1 GiB long if it is new
 *
 * Prints a line a case: operations a second of the file as a raw disk, of fio, and of a qcow2 image
 * of the same length beside it (FILE.qcow2, all of it allocated; made by qemu-img), the medians of
 * all rounds, raw / fio and qcow2 / raw, and how many allocations there were in the measured time,
 * which have to be none; then the CPU time of one operation of the three.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "block/open.h"
#include "loop/thread.h"
#include "loop/timer.h"

enum {
    MAX_DEPTH = 128,
    MAX_ROUNDS = 16,
    PAGE = 4096,
    WARM_UP = 256, /* requests */
};

static const uint64_t file_length = 1 << 30;

typedef struct {
    const char *name;
    const char *fio_rw; /* fio's word for it */
    KilnBlockOp op;
    gboolean sequential;
    unsigned depth;
    uint32_t size; /* bytes */
} Case;

static const Case cases[] = {
    { "4k random read", "randread", KILN_BLOCK_READ, FALSE, 1, 4096 },
    { "4k random read", "randread", KILN_BLOCK_READ, FALSE, 32, 4096 },
    { "4k random read", "randread", KILN_BLOCK_READ, FALSE, 128, 4096 },
    { "4k random write", "randwrite", KILN_BLOCK_WRITE, FALSE, 1, 4096 },
    { "4k random write", "randwrite", KILN_BLOCK_WRITE, FALSE, 32, 4096 },
    { "4k random write", "randwrite", KILN_BLOCK_WRITE, FALSE, 128, 4096 },
    { "1M sequential read", "read", KILN_BLOCK_READ, TRUE, 8, 1 << 20 },
    { "1M sequential write", "write", KILN_BLOCK_WRITE, TRUE, 8, 1 << 20 },
};

typedef struct Run Run;

typedef struct {
    KilnBlockRequest base; /* first */
    struct iovec iov;
    Run *run;
} Request;

struct Run {
    const Case *what;
    KilnBlock *disk;
    Request requests[MAX_DEPTH];
    unsigned in_flight;
    uint64_t position; /* of the next, if sequential */
    uint64_t seed;
    uint64_t end_ns;
    uint64_t n_done;
    int failed;          /* -errno of a request, or 0 */
    guint64 allocations; /* before what is measured */
};

/* Every allocation of the program passes here. */
static guint64 n_allocations;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *old, size_t size);

void *
malloc(size_t size)
{
    __atomic_fetch_add(&n_allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    __atomic_fetch_add(&n_allocations, 1, __ATOMIC_RELAXED);
    return __libc_calloc(n, size);
}

void *
realloc(void *old, size_t size)
{
    __atomic_fetch_add(&n_allocations, 1, __ATOMIC_RELAXED);
    return __libc_realloc(old, size);
}

static uint64_t
next_offset(Run *run)
{
    uint64_t blocks = run->disk->length / run->what->size, block;

    if (run->what->sequential) {
        block = run->position++ % blocks;
    } else { /* xorshift64 */
        run->seed ^= run->seed << 13;
        run->seed ^= run->seed >> 7;
        run->seed ^= run->seed << 17;
        block = run->seed % blocks;
    }
    return block * run->what->size;
}

static void
start(Request *request)
{
    Run *run = request->run;

    request->base.offset = next_offset(run);
    run->in_flight++;
    kiln_block_submit(run->disk, &request->base);
}

static void
done(KilnBlockRequest *base, int result)
{
    Request *request = (Request *)base;
    Run *run = request->run;

    run->in_flight--;
    run->n_done++;
    if (result < 0)
        run->failed = result;
    if (run->n_done == WARM_UP) /* GLib's arrays have the size that they need */
        run->allocations = n_allocations;
    if (run->failed == 0 && ((run->n_done & 15) != 0 || kiln_clock_ns() < run->end_ns))
        start(request);
    else
        run->end_ns = 0;
}

/* This thread's processor time: what others do on the machine counts for less. */
static uint64_t
cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Operations a second; @allocations of that time, @cpu_us of each operation. */
static double
measure(const Case *what, const char *path, gboolean qcow2, unsigned seconds, guint64 *allocations,
        double *cpu_us)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    g_autoptr(GError) error = NULL;
    KilnUring *uring = kiln_uring_open(context, 256, KILN_URING_NATIVE, &error);
    Run *run = g_new0(Run, 1);
    uint64_t begin_ns, took_ns, begin_cpu_ns;
    char *memory;
    double rate;

    if (uring != NULL) {
        kiln_uring_set_polling(uring, KILN_POLL_MAX_NS, 0, 0); /* as a machine's threads */
        run->disk = kiln_block_open_chain(&(KilnBlockOptions){ .format = qcow2 ? "qcow2" : "raw",
                                                               .path = path,
                                                               .fd = -1,
                                                               .cache = KILN_BLOCK_CACHE_NONE,
                                                               .uring = uring,
                                                               .context = context },
                                          &error);
    }
    if (run->disk == NULL) {
        fprintf(stderr, "harness: %s\n", error->message);
        exit(1);
    }
    memory = aligned_alloc(PAGE, (size_t)what->depth * what->size);
    memset(memory, 1, (size_t)what->depth * what->size);
    run->what = what;
    run->seed = 88172645463325252;
    for (unsigned i = 0; i < what->depth; i++) {
        Request *request = &run->requests[i];

        request->run = run;
        request->iov = (struct iovec){ memory + (size_t)i * what->size, what->size };
        request->base = (KilnBlockRequest){
            .op = what->op,
            .length = what->size,
            .iov = &request->iov,
            .n_iov = 1,
            .done = done,
            .scratch = aligned_alloc(16, kiln_block_request_size(run->disk)),
        };
    }
    g_main_context_iteration(context, FALSE); /* its arrays are made */
    begin_ns = kiln_clock_ns();
    begin_cpu_ns = cpu_ns();
    run->end_ns = begin_ns + (uint64_t)seconds * 1000000000;
    for (unsigned i = 0; i < what->depth; i++)
        start(&run->requests[i]);
    while (run->in_flight > 0)
        g_main_context_iteration(context, TRUE);
    *allocations = run->n_done > WARM_UP ? n_allocations - run->allocations : 0;
    took_ns = kiln_clock_ns() - begin_ns;
    *cpu_us = (double)(cpu_ns() - begin_cpu_ns) / 1000 / (double)run->n_done;
    if (run->failed != 0) {
        fprintf(stderr, "harness: a request failed: %s\n", g_strerror(-run->failed));
        exit(1);
    }
    rate = (double)run->n_done * 1e9 / (double)took_ns;
    for (unsigned i = 0; i < what->depth; i++)
        free(run->requests[i].base.scratch);
    free(memory);
    kiln_block_free(run->disk);
    kiln_uring_free(uring);
    g_free(run);
    return rate;
}

/* Field 8 (reads) or 49 (writes) of fio's terse format, version 3: operations a second.  Fields 88
 * and 89 are the percents of a processor. */
static double
measure_fio(const Case *what, const char *path, unsigned seconds, double *cpu_us)
{
    double rate;

    g_autofree char *command = g_strdup_printf(
        "fio --name=a --filename='%s' --rw=%s --bs=%u --iodepth=%u --runtime=%u --time_based "
        "--direct=1 --ioengine=io_uring --size=%" G_GUINT64_FORMAT
        " --randrepeat=0 --norandommap --output-format=terse --terse-version=3",
        path, what->fio_rw, what->size, what->depth, seconds, file_length);
    g_autofree char *out = NULL;
    g_auto(GStrv) fields = NULL;
    g_autoptr(GError) error = NULL;

    if (!g_spawn_command_line_sync(command, &out, NULL, NULL, &error))
        return 0;
    fields = g_strsplit(out, ";", -1);
    if (g_strv_length(fields) < 50)
        return 0;
    rate = g_ascii_strtod(fields[what->op == KILN_BLOCK_READ ? 7 : 48], NULL);
    if (g_strv_length(fields) > 88 && rate > 0)
        *cpu_us =
            (g_ascii_strtod(fields[87], NULL) + g_ascii_strtod(fields[88], NULL)) * 10000 / rate;
    return rate;
}

static int
compare(gconstpointer a, gconstpointer b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double
median(double *values, unsigned n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

/* Pages that the host's cache holds make the kernel do direct writes by its worker threads. */
static void
leave_cache(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    (void)fsync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* An image of the same length beside @path, nothing in it left to be allocated. */
static char *
make_qcow2(const char *path)
{
    g_autofree char *image = g_strconcat(path, ".qcow2", NULL);
    g_autofree char *command =
        g_strdup_printf("qemu-img convert -q -f raw -O qcow2 -S 0 '%s' '%s'", path, image);
    int status;

    if (!g_file_test(image, G_FILE_TEST_EXISTS) &&
        (!g_spawn_command_line_sync(command, NULL, NULL, &status, NULL) || status != 0))
        return NULL;
    return g_steal_pointer(&image);
}

static gboolean
fill_file(const char *path)
{
    g_autofree char *data = g_malloc(1 << 20);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    memset(data, 0x5a, 1 << 20);
    if (fd < 0)
        return FALSE;
    if (lseek(fd, 0, SEEK_END) < (off_t)file_length) {
        for (uint64_t at = 0; at < file_length; at += 1 << 20)
            if (pwrite(fd, data, 1 << 20, (off_t)at) != 1 << 20)
                return FALSE;
        fsync(fd);
    }
    close(fd);
    return TRUE;
}

/* One line of the table; whether anything was allocated.  The three take turns. */
static gboolean
run_case(const Case *what, const char *path, const char *image, unsigned seconds, unsigned rounds)
{
    double raw[MAX_ROUNDS], fio[MAX_ROUNDS], qcow2[MAX_ROUNDS] = { 0 }, a, b, c;
    double cpu[3][MAX_ROUNDS] = { 0 };
    guint64 allocations = 0;

    for (unsigned round = 0; round < rounds; round++) {
        guint64 some = 0;

        raw[round] = measure(what, path, FALSE, seconds, &some, &cpu[0][round]);
        allocations = MAX(allocations, some);
        fio[round] = measure_fio(what, path, seconds, &cpu[1][round]);
        if (image != NULL)
            qcow2[round] = measure(what, image, TRUE, seconds, &some, &cpu[2][round]);
        allocations = MAX(allocations, some);
    }
    a = median(raw, rounds);
    b = median(fio, rounds);
    c = median(qcow2, rounds);
    printf("%-20s %6u %12.0f %12.0f %12.0f %9.3f %10.3f %12" G_GUINT64_FORMAT "   %.1f %.1f %.1f\n",
           what->name, what->depth, a, b, c, b > 0 ? a / b : 0, a > 0 ? c / a : 0, allocations,
           median(cpu[0], rounds), median(cpu[1], rounds), median(cpu[2], rounds));
    fflush(stdout);
    return allocations > 0;
}

int
main(int argc, char **argv)
{
    unsigned seconds = argc > 2 ? (unsigned)g_ascii_strtoull(argv[2], NULL, 10) : 3;
    unsigned rounds = argc > 3 ? (unsigned)g_ascii_strtoull(argv[3], NULL, 10) : 5;
    g_autofree char *image = NULL;
    gboolean allocates = FALSE;

    if (argc < 2 || !fill_file(argv[1])) {
        fprintf(stderr, "usage: harness FILE [SECONDS] [ROUNDS]\n");
        return 2;
    }
    image = make_qcow2(argv[1]);
    if (image == NULL)
        fprintf(stderr, "harness: qemu-img makes no qcow2 image, so there is no measure of one\n");
    rounds = CLAMP(rounds, 1, MAX_ROUNDS);
    leave_cache(argv[1]);
    if (image != NULL)
        leave_cache(image);
    printf("%-20s %6s %12s %12s %12s %9s %10s %12s   %s\n", "case", "depth", "raw op/s", "fio op/s",
           "qcow2 op/s", "raw/fio", "qcow2/raw", "allocations", "CPU us each");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        allocates |= run_case(&cases[i], argv[1], image, seconds, rounds);
    if (allocates)
        printf("there were allocations\n");
    return allocates ? 1 : 0;
}
