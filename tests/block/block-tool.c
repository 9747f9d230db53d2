/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drives a chain of image files from a test script.  Usage:
 *
 *   block-tool [-f raw|qcow2] [-r] [-n] [-c CACHE] [-s SNAPSHOT] [-a SEED] IMAGE COMMAND...
 *
 *   -r read-only; -n discards keep clusters; -a requests to the file are done in any order
 *
 *   info                        "length N" and "clusters ..." on standard output
 *   read OFFSET LENGTH BYTE     fails unless all are BYTE
 *   write OFFSET LENGTH BYTE    (zero|unmap|discard) OFFSET LENGTH      flush      resize LENGTH
 *   dump FILE                   all of the disk as a raw file
 *   random SEED COUNT DEPTH MODEL   requests that do not overlap, DEPTH at once; MODEL is a raw
 *                               file with the disk's content, which is kept up with it
 *   crash SEED COUNT LOG        random requests, with all that the file is told in order: LOG has a
 *                               line for each event, LOG.data the bytes of the writes
 *                                 submit N KIND OFFSET LENGTH / ack N      of a guest's request N
 *                                 write OFFSET LENGTH / discard OFFSET LENGTH / flush      below
 *                               each 512 bytes that request N writes begin with N, 8 bytes, LE
 */
#include "tests/block/fd-child.h"

#include "base/error.h"
#include "base/fd.h"
#include "block/qcow2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    const char *format;
    gboolean read_only;
    gboolean no_unref;
    uint64_t cache;
    const char *snapshot;
    guint32 seed;
    char *directory; /* (owned): of the image */
    FdChild *top;
    GArray *log; /* (owned) (nullable) */
    const char *log_path;
} Tool;

static KilnBlock *open_image(Tool *tool, const char *path, const char *format, gboolean read_only,
                             unsigned depth, FdChild **file, GError **error);

static KilnBlock *
open_backing(const char *name, const char *format, unsigned depth, gpointer data, GError **error)
{
    Tool *tool = data;
    g_autofree char *path =
        g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(tool->directory, name, NULL);

    return open_image(tool, path, format, TRUE, depth, NULL, error);
}

static KilnBlock *
open_data(const char *name, const char *format, unsigned depth, gpointer data, GError **error)
{
    Tool *tool = data;
    g_autofree char *path =
        g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(tool->directory, name, NULL);

    return open_image(tool, path, "raw", tool->read_only, depth, NULL, error);
}

static KilnBlock *
open_image(Tool *tool, const char *path, const char *format, gboolean read_only, unsigned depth,
           FdChild **file, GError **error)
{
    KilnFd fd = kiln_open(path, read_only ? O_RDONLY : O_RDWR, 0, error);
    KilnQcow2Options options = {
        .path = path,
        .open_backing = open_backing,
        .open_data = open_data,
        .opener_data = tool,
        .depth = depth,
        .read_only = read_only,
        .cache_bytes = tool->cache,
        .discard_no_unref = tool->no_unref,
        .snapshot = depth == 0 ? tool->snapshot : NULL,
    };
    FdChild *child;

    if (fd < 0)
        return NULL;
    child = fd_child_new(fd, read_only, tool->seed);
    if (file != NULL)
        *file = child;
    if (strcmp(format, "raw") == 0) {

        return &child->block;
    }
    options.child = &child->block;
    return kiln_qcow2_open(&options, error);
}

static uint64_t
number(char **argument)
{
    guint64 value = 0;

    if (*argument == NULL || !g_ascii_string_to_unsigned(*argument, 10, 0, INT64_MAX, &value, NULL))
        g_error("a number is missing");
    return value;
}

enum { STEP = 1 << 20 };

static int
do_read(KilnBlock *block, uint64_t offset, uint64_t length, int byte, int to)
{
    g_autofree uint8_t *data = g_malloc(STEP);

    while (length > 0) {
        uint64_t take = MIN(length, (uint64_t)STEP);
        int result = fd_child_await(block, KILN_BLOCK_READ, 0, offset, data, take);

        if (result < 0)
            return result;
        for (uint64_t i = 0; i < take && to < 0; i++)
            if (data[i] != byte) {
                printf("byte %" G_GUINT64_FORMAT " is %u, not %d\n", offset + i, data[i], byte);
                return -EBADMSG;
            }
        if (to >= 0 && kiln_write_full(to, data, take, (off_t)offset) < 0)
            return -EIO;
        offset += take;
        length -= take;
    }
    return 0;
}

static int
do_write(KilnBlock *block, uint64_t offset, uint64_t length, int byte)
{
    g_autofree uint8_t *data = g_malloc(length);

    memset(data, byte, length);
    return fd_child_await(block, KILN_BLOCK_WRITE, 0, offset, data, length);
}

static int
dump(KilnBlock *block, const char *path)
{
    g_auto(KilnFd) fd = kiln_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, NULL);

    if (fd < 0 || ftruncate(fd, (off_t)block->length) < 0)
        return -EIO;
    return do_read(block, 0, block->length, 0, fd);
}

/* Random requests, as many at once as wanted. */
enum { EVENT_SUBMIT = 100, EVENT_ACK };

typedef struct Job Job;
typedef struct {
    KilnBlock *block;
    GRand *rand;
    uint8_t *model;
    uint64_t left;
    unsigned running;
    GPtrArray *jobs;
    gboolean failed;
    GArray *log; /* (nullable): events go there, and data says who wrote it */
    uint64_t n;  /* requests so far */
} Random;

struct Job {
    KilnBlockRequest request;
    Random *random;
    uint8_t *data;
    struct iovec iov[4];
    gboolean busy;
    gboolean reread; /* of a range that was discarded */
    uint64_t n;
};

enum { MAX_LENGTH = 1 << 20, UNIT = 512 };

static gboolean
overlaps(Random *random, uint64_t offset, uint64_t length)
{
    for (guint i = 0; i < random->jobs->len; i++) {
        Job *job = g_ptr_array_index(random->jobs, i);

        if (job->busy && job->request.op != KILN_BLOCK_FLUSH &&
            offset < job->request.offset + job->request.length &&
            job->request.offset < offset + length)
            return TRUE;
    }
    return FALSE;
}

static void fill(Random *random);

static void
split(Job *job)
{
    uint64_t at = 0;
    unsigned n = 0;

    while (at < job->request.length) {
        uint64_t take = job->request.length - at;

        if (n < G_N_ELEMENTS(job->iov) - 1 && take > UNIT)
            take = (uint64_t)g_rand_int_range(job->random->rand, 1, (gint32)take);
        job->iov[n++] = (struct iovec){ .iov_base = job->data + at, .iov_len = take };
        at += take;
    }
    job->request.iov = job->iov;
    job->request.n_iov = n;
}

static void
add_event(Random *random, int what, const Job *job)
{
    FdLogEntry entry = { .op = (KilnBlockOp)what, .offset = job->n, .length = job->request.op };

    g_array_append_val(random->log, entry);
    if (what == EVENT_SUBMIT) {
        entry = (FdLogEntry){ .op = (KilnBlockOp)what,
                              .offset = job->request.offset,
                              .length = job->request.length };
        g_array_append_val(random->log, entry);
    }
}

static void
job_done(KilnBlockRequest *request, int result)
{
    Job *job = (Job *)request;
    Random *random = job->random;

    if (random->log != NULL && !job->reread)
        add_event(random, EVENT_ACK, job);
    if (result < 0) {
        printf("operation %d at %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT ": %s\n", request->op,
               request->offset, request->length, g_strerror(-result));
        random->failed = TRUE;
    } else if (request->op == KILN_BLOCK_WRITE) {
        memcpy(random->model + request->offset, job->data, request->length);
    } else if (request->op == KILN_BLOCK_WRITE_ZEROES) {
        memset(random->model + request->offset, 0, request->length);
    } else if (job->reread) {
        memcpy(random->model + request->offset, job->data, request->length);
    } else if (request->op == KILN_BLOCK_READ) {
        uint64_t i = 0;

        while (i < request->length && random->model[request->offset + i] == job->data[i])
            i++;
        if (i < request->length) {
            printf("read at %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT ": byte %" G_GUINT64_FORMAT
                   " is %u, not %u\n",
                   request->offset, request->length, request->offset + i, job->data[i],
                   random->model[request->offset + i]);
            random->failed = TRUE;
        }
    } else if (request->op == KILN_BLOCK_DISCARD) {
        request->op = KILN_BLOCK_READ;
        job->reread = TRUE;
        split(job);
        random->block->ops->submit(random->block, request);
        return;
    }
    job->busy = FALSE;
    job->reread = FALSE;
    random->running--;
}

static void
choose(Random *random, Job *job)
{
    uint64_t units = random->block->length / UNIT;
    guint32 what = (guint32)g_rand_int_range(random->rand, 0, 100);
    uint64_t most = g_rand_int_range(random->rand, 0, 4) == 0 ? MAX_LENGTH : 16384;
    uint64_t offset, length;

    do {
        offset = (uint64_t)(g_rand_double(random->rand) * (double)units) * UNIT;
        length = (uint64_t)g_rand_int_range(random->rand, 1, (gint32)(most / UNIT)) * UNIT;
        if (g_rand_int_range(random->rand, 0, 3) == 0) {
            offset &= ~(uint64_t)0xffff;
            length = (length + 0xffff) & ~(uint64_t)0xffff;
        }
        length = MIN(length, random->block->length - offset);
    } while (length == 0 || overlaps(random, offset, length));
    job->request.op = what < 35   ? KILN_BLOCK_READ
                      : what < 75 ? KILN_BLOCK_WRITE
                      : what < 85 ? KILN_BLOCK_WRITE_ZEROES
                      : what < 95 ? KILN_BLOCK_DISCARD
                                  : KILN_BLOCK_FLUSH;
    if (random->block->read_only)
        job->request.op = KILN_BLOCK_READ;
    job->request.flags = 0;
    if (job->request.op == KILN_BLOCK_WRITE_ZEROES && what % 2 == 0)
        job->request.flags = KILN_BLOCK_MAY_UNMAP;
    if (job->request.op == KILN_BLOCK_WRITE && what == 74)
        job->request.flags = KILN_BLOCK_FUA;
    job->request.offset = offset;
    job->request.length = length;
}

static void
start(Random *random, Job *job)
{
    choose(random, job);
    job->request.n_iov = 0;
    if (job->request.op == KILN_BLOCK_READ)
        memset(job->data, 0xee, job->request.length);
    for (uint64_t i = 0; job->request.op == KILN_BLOCK_WRITE && i < job->request.length; i += 4) {
        guint32 value = g_rand_int(random->rand);

        memcpy(job->data + i, &value, 4);
    }
    if (job->request.op == KILN_BLOCK_READ || job->request.op == KILN_BLOCK_WRITE)
        split(job);
    job->busy = TRUE;
    random->running++;
    random->left--;
    job->n = ++random->n;
    for (uint64_t i = 0;
         random->log != NULL && job->request.op == KILN_BLOCK_WRITE && i < job->request.length;
         i += UNIT)
        memcpy(job->data + i, &job->n, sizeof job->n);
    if (random->log != NULL)
        add_event(random, EVENT_SUBMIT, job);
    random->block->ops->submit(random->block, &job->request);
}

static void
fill(Random *random)
{
    for (guint i = 0; i < random->jobs->len && random->left > 0 && !random->failed; i++) {
        Job *job = g_ptr_array_index(random->jobs, i);

        if (!job->busy)
            start(random, job);
    }
}

static int
do_random(KilnBlock *block, guint32 seed, uint64_t count, uint64_t depth, const char *model,
          GArray *log)
{
    g_auto(KilnFd) fd = kiln_open(model, O_RDWR | O_CREAT, 0600, NULL);
    Random random = {
        .block = block, .left = count, .rand = g_rand_new_with_seed(seed), .log = log
    };
    int result;

    if (fd < 0 || ftruncate(fd, (off_t)block->length) < 0)
        return -EIO;
    random.model = mmap(NULL, block->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert(random.model != MAP_FAILED);
    random.jobs = g_ptr_array_new();
    for (uint64_t i = 0; i < depth; i++) {
        Job *job = g_new0(Job, 1);

        job->random = &random;
        job->data = g_malloc(MAX_LENGTH + 65536);
        job->request.scratch = g_malloc(block->request_size);
        job->request.done = job_done;
        g_ptr_array_add(random.jobs, job);
    }
    while ((random.left > 0 && !random.failed) || random.running > 0) {
        fill(&random);
        if (random.running > 0)
            g_main_context_iteration(NULL, TRUE);
    }
    for (guint i = 0; i < random.jobs->len; i++) {
        Job *job = g_ptr_array_index(random.jobs, i);

        g_free(job->data);
        g_free(job->request.scratch);
        g_free(job);
    }
    g_ptr_array_unref(random.jobs);
    g_rand_free(random.rand);
    result = munmap(random.model, block->length);
    return random.failed ? -EBADMSG : result;
}

static const char *
next(char ***arguments)
{
    const char *argument = **arguments;

    if (argument == NULL)
        g_error("an argument is missing");
    ++*arguments;
    return argument;
}

static void
print_event(const FdLogEntry *entry, FILE *to, FILE *data)
{
    switch ((int)entry->op) {
    case KILN_BLOCK_FLUSH: fprintf(to, "flush\n"); return;
    case KILN_BLOCK_WRITE: fwrite(entry->data, 1, entry->length, data); break;
    case EVENT_ACK: fprintf(to, "ack %" G_GUINT64_FORMAT "\n", entry->offset); return;
    case EVENT_SUBMIT:
        fprintf(to,
                "submit %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                " %" G_GUINT64_FORMAT "\n",
                entry->offset, entry->length, entry[1].offset, entry[1].length);
        return;
    default: break;
    }
    fprintf(to, "%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
            entry->op == KILN_BLOCK_WRITE ? "write" : "discard", entry->offset, entry->length);
}

/* The log goes on while the image is closed: it is written by main(). */
static int
do_crash(Tool *tool, KilnBlock *block, guint32 seed, uint64_t count, const char *path)
{
    g_autofree char *model = g_strconcat(path, ".model", NULL);

    tool->log_path = path;
    fd_child_record(tool->top);
    tool->log = g_array_ref(tool->top->log);
    return do_random(block, seed, count, 4, model, tool->log);
}

static void
write_log(Tool *tool)
{
    g_autofree char *path = g_strconcat(tool->log_path, ".data", NULL);
    FILE *to = fopen(tool->log_path, "we");
    FILE *data = fopen(path, "we");

    g_assert(to != NULL && data != NULL);
    for (guint i = 0; i < tool->log->len; i++) {
        const FdLogEntry *entry = &g_array_index(tool->log, FdLogEntry, i);

        print_event(entry, to, data);
        if ((int)entry->op == EVENT_SUBMIT)
            i++;
    }
    fclose(to);
    fclose(data);
    g_array_unref(tool->log);
}

static int
command(Tool *tool, KilnBlock *block, const char *name, char ***arguments)
{
    uint64_t first, second;

    if (strcmp(name, "info") == 0) {
        printf("length %" G_GUINT64_FORMAT "\n", block->length);
        return 0;
    }
    if (strcmp(name, "flush") == 0)
        return fd_child_await(block, KILN_BLOCK_FLUSH, 0, 0, NULL, 0);
    if (strcmp(name, "dump") == 0)
        return dump(block, next(arguments));
    first = number((*arguments)++);
    if (strcmp(name, "resize") == 0) {
        g_autoptr(GError) error = NULL;

        if (block->ops->resize(block, first, &error))
            return 0;
        printf("%s\n", error->message);
        return -EINVAL;
    }
    second = number((*arguments)++);
    if (strcmp(name, "random") == 0) {
        uint64_t depth = number((*arguments)++);

        return do_random(block, (guint32)first, second, depth, next(arguments), NULL);
    }
    if (strcmp(name, "crash") == 0)
        return do_crash(tool, block, (guint32)first, second, next(arguments));
    if (strcmp(name, "read") == 0)
        return do_read(block, first, second, (int)number((*arguments)++), -1);
    if (strcmp(name, "write") == 0)
        return do_write(block, first, second, (int)number((*arguments)++));
    if (strcmp(name, "zero") == 0)
        return fd_child_await(block, KILN_BLOCK_WRITE_ZEROES, 0, first, NULL, second);
    if (strcmp(name, "unmap") == 0)
        return fd_child_await(block, KILN_BLOCK_WRITE_ZEROES, KILN_BLOCK_MAY_UNMAP, first, NULL,
                              second);
    if (strcmp(name, "discard") == 0)
        return fd_child_await(block, KILN_BLOCK_DISCARD, 0, first, NULL, second);
    g_error("there is no command '%s'", name);
}

static char **
options(Tool *tool, char **arguments)
{
    while (*arguments != NULL && **arguments == '-') {
        const char *option = *arguments++;

        switch (option[1]) {
        case 'f': tool->format = next(&arguments); break;
        case 'r': tool->read_only = TRUE; break;
        case 'n': tool->no_unref = TRUE; break;
        case 'c': tool->cache = number(arguments++); break;
        case 's': tool->snapshot = next(&arguments); break;
        case 'a': tool->seed = (guint32)number(arguments++); break;
        default: g_error("there is no option '%s'", option);
        }
    }
    return arguments;
}

int
main(int argc, char **argv)
{
    Tool tool = { .format = "qcow2" };
    char **arguments = options(&tool, argv + 1);
    const char *path = next(&arguments);
    g_autoptr(GError) error = NULL;
    KilnBlock *block;
    int result = 0;

    tool.directory = g_path_get_dirname(path);
    block = open_image(&tool, path, tool.format, tool.read_only, 0, &tool.top, &error);
    if (block == NULL) {
        printf("%s\n", error->message);
        g_free(tool.directory);
        return 2;
    }
    while (*arguments != NULL && result == 0) {
        const char *name = next(&arguments);

        result = command(&tool, block, name, &arguments);
        if (result < 0)
            printf("%s: %s\n", name, g_strerror(-result));
    }
    kiln_block_free(block);
    if (tool.log != NULL)
        write_log(&tool);
    g_free(tool.directory);
    return result < 0 ? 1 : 0;
}
