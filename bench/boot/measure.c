/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one VMM with one guest and prints, as one JSON object, what happened when.
 *
 *   measure --ram BYTES [--marker TEXT] [--off TEXT] [--sample] [--kill] -- VMM [ARG...]
 *
 * The guest's serial port is the VMM's standard output.  Times are in microseconds from just before
 * the VMM's exec, on CLOCK_MONOTONIC: the first byte, the line with --marker, and from the line
 * with
 * --off until the process is gone.  --sample reads the VMM's smaps when the marker is seen, leaving
 * out guest RAM: any mapping that belongs to a VMA of a quarter of --ram or more.  --kill ends the
 * VMM with SIGKILL after the last thing that was asked for.
 */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 1 << 20, DEADLINE_SECONDS = 300, MAX_MAPPINGS = 4096 };

typedef struct {
    uint64_t ram;
    const char *marker;
    const char *off;
    bool sample;
    bool kill_after;
    char **vmm;
} Options;

typedef struct {
    int64_t first_byte_us, marker_us, off_us, gone_us; /* -1: not seen */
    unsigned long rss_kb, pss_kb, private_dirty_kb, threads;
    int status;
    struct rusage usage;
} Result;

static int64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool
parse(int argc, char **argv, Options *options)
{
    int i;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--ram") == 0 && i + 1 < argc)
            options->ram = g_ascii_strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--marker") == 0 && i + 1 < argc)
            options->marker = argv[++i];
        else if (strcmp(argv[i], "--off") == 0 && i + 1 < argc)
            options->off = argv[++i];
        else if (strcmp(argv[i], "--sample") == 0)
            options->sample = true;
        else if (strcmp(argv[i], "--kill") == 0)
            options->kill_after = true;
        else
            return false;
    }
    options->vmm = argv + i + 1;
    return i < argc - 1 && options->ram > 0;
}

/* The number behind @key at the start of @line, 0 if it is another line. */
static unsigned long
number_of(const char *line, const char *key)
{
    return g_str_has_prefix(line, key) ? g_ascii_strtoull(line + strlen(key), NULL, 10) : 0;
}

/* One mapping of /proc/PID/smaps. */
typedef struct {
    uint64_t from, to;
    unsigned long rss_kb, pss_kb, private_dirty_kb;
} Mapping;

/* Whether @line begins a mapping ("FROM-TO ..."), and then which. */
static bool
is_mapping(const char *line, Mapping *mapping)
{
    char *dash;

    *mapping = (Mapping){ .from = g_ascii_strtoull(line, &dash, 16) };
    if (dash == line || *dash != '-')
        return false;
    mapping->to = g_ascii_strtoull(dash + 1, NULL, 16);
    return true;
}

/* Guest RAM is any mapping of a quarter of it or more, and the 2 MiB right before one: low memory
 * may be a mapping of its own, by other advice on huge pages. */
static bool
is_guest_ram(const Mapping *mappings, size_t i, size_t n, uint64_t ram)
{
    uint64_t size = mappings[i].to - mappings[i].from;

    return size >= ram / 4 ||
           (size == 2 << 20 && i + 1 < n && mappings[i + 1].from == mappings[i].to &&
            mappings[i + 1].to - mappings[i + 1].from >= ram / 4);
}

/* Adds up /proc/PID/smaps without guest RAM. */
static void
sample(pid_t pid, const Options *options, Result *result)
{
    char path[64];
    char line[512];
    Mapping next;
    Mapping mappings[MAX_MAPPINGS];
    size_t n = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (is_mapping(line, &next) && n < MAX_MAPPINGS)
            mappings[n++] = next;
        if (n == 0)
            continue;
        mappings[n - 1].rss_kb += number_of(line, "Rss:");
        mappings[n - 1].pss_kb += number_of(line, "Pss:");
        mappings[n - 1].private_dirty_kb += number_of(line, "Private_Dirty:");
    }
    for (size_t i = 0; i < n; i++) {
        if (is_guest_ram(mappings, i, n, options->ram))
            continue;
        result->rss_kb += mappings[i].rss_kb;
        result->pss_kb += mappings[i].pss_kb;
        result->private_dirty_kb += mappings[i].private_dirty_kb;
    }
    if (file != NULL)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        result->threads += number_of(line, "Threads:");
    if (file != NULL)
        fclose(file);
}

/* Reads the guest's output until all that was asked for is seen, or the VMM closes it. */
static void
watch(int fd, pid_t pid, int64_t start, const Options *options, Result *result)
{
    char *output = calloc(1, OUTPUT_BYTES + 1);
    size_t length = 0;
    struct pollfd poller = { .fd = fd, .events = POLLIN };

    while (output != NULL && poll(&poller, 1, DEADLINE_SECONDS * 1000) > 0 &&
           length < OUTPUT_BYTES) {
        ssize_t n = read(fd, output + length, OUTPUT_BYTES - length);
        int64_t at = now_us() - start;

        if (n <= 0)
            break;
        if (length == 0)
            result->first_byte_us = at;
        length += (size_t)n;
        if (options->marker != NULL && result->marker_us < 0 &&
            strstr(output, options->marker) != NULL) {
            result->marker_us = at;
            if (options->sample)
                sample(pid, options, result);
        }
        if (options->off != NULL && result->off_us < 0 && strstr(output, options->off) != NULL)
            result->off_us = at;
        if (options->kill_after && (options->marker == NULL || result->marker_us >= 0))
            kill(pid, SIGKILL);
    }
    if (options->off == NULL || result->off_us < 0)
        kill(pid, SIGKILL);
    if (options->marker != NULL && result->marker_us < 0)
        fprintf(stderr, "measure: marker not seen; output was:\n%s\n", output);
    free(output);
}

int
main(int argc, char **argv)
{
    Options options = { 0 };
    Result result = { -1, -1, -1, -1, 0, 0, 0, 0, 0, { { 0 } } };
    int out[2];
    int64_t start;
    pid_t pid;

    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: measure --ram BYTES [--marker TEXT] [--off TEXT] [--sample] "
                        "[--kill] -- VMM [ARG...]\n");
        return 2;
    }
    if (pipe(out) < 0)
        return 1;
    start = now_us();
    pid = vfork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execvp(options.vmm[0], options.vmm);
        _exit(127);
    }
    close(out[1]);
    if (pid < 0)
        return 1;
    watch(out[0], pid, start, &options, &result);
    while (wait4(pid, &result.status, 0, &result.usage) < 0 && errno == EINTR)
        ;
    result.gone_us = now_us() - start;
    printf("{\"first_byte_us\": %lld, \"marker_us\": %lld, \"off_us\": %lld, \"gone_us\": %lld, "
           "\"rss_kb\": %lu, \"pss_kb\": %lu, \"private_dirty_kb\": %lu, \"threads\": %lu, "
           "\"user_us\": %lld, \"system_us\": %lld, \"status\": %d}\n",
           (long long)result.first_byte_us, (long long)result.marker_us, (long long)result.off_us,
           (long long)result.gone_us, result.rss_kb, result.pss_kb, result.private_dirty_kb,
           result.threads,
           (long long)result.usage.ru_utime.tv_sec * 1000000 + result.usage.ru_utime.tv_usec,
           (long long)result.usage.ru_stime.tv_sec * 1000000 + result.usage.ru_stime.tv_usec,
           result.status);
    return 0;
}
