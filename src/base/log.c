/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See log.h. */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 1024,
    LIMIT_BURST = 10,
    LIMIT_INTERVAL_US = 5 * G_USEC_PER_SEC,
};

static const char *const level_names[] = {
    [KILN_LOG_ERROR] = "error",
    [KILN_LOG_WARNING] = "warning",
    [KILN_LOG_INFO] = "info",
    [KILN_LOG_DEBUG] = "debug",
};

static int most_verbose = KILN_LOG_WARNING; /* (atomic) */

void
kiln_log_set_level(KilnLogLevel level)
{
    g_atomic_int_set(&most_verbose, (int)level);
}

G_GNUC_PRINTF(2, 0)
static void
write_line(KilnLogLevel level, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm utc;
    size_t at;
    int length;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    at = strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S", &utc);
    at += (size_t)snprintf(line + at, sizeof line - at, ".%03ldZ kiln: %s: ", now.tv_nsec / 1000000,
                           level_names[level]);
    length = vsnprintf(line + at, sizeof line - at - 1, format, args);
    if (length < 0)
        return;
    for (char *c = line + at; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    at = strlen(line);
    line[at++] = '\n';
    (void)!write(STDERR_FILENO, line, at); /* nowhere to say that the log is full */
}

void
kiln_log(KilnLogLevel level, const char *format, ...)
{
    va_list args;

    if ((int)level > g_atomic_int_get(&most_verbose))
        return;
    va_start(args, format);
    write_line(level, format, args);
    va_end(args);
}

/* Whether a line may pass now, and how many were dropped before it. */
static gboolean
limit_passes(KilnRatelimit *limit, guint *held_back)
{
    gint64 now = g_get_monotonic_time();

    if (now >= __atomic_load_n(&limit->next_us, __ATOMIC_RELAXED)) { /* a new interval */
        __atomic_store_n(&limit->next_us, now + LIMIT_INTERVAL_US, __ATOMIC_RELAXED);
        __atomic_store_n(&limit->passed, 1, __ATOMIC_RELAXED);
        *held_back = __atomic_exchange_n(&limit->held_back, 0, __ATOMIC_RELAXED);
        return TRUE;
    }
    if (__atomic_add_fetch(&limit->passed, 1, __ATOMIC_RELAXED) <= LIMIT_BURST)
        return TRUE;
    __atomic_add_fetch(&limit->held_back, 1, __ATOMIC_RELAXED);
    return FALSE;
}

/* FALSE: a write would wait for whoever reads the log, and perhaps for ever. */
static gboolean
takes_a_line(void)
{
    struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

    return poll(&out, 1, 0) != 0;
}

void
kiln_log_guest(KilnRatelimit *limit, const char *format, ...)
{
    guint held_back = 0;
    va_list args;

    if (!limit_passes(limit, &held_back) || !takes_a_line())
        return;
    va_start(args, format);
    write_line(KILN_LOG_WARNING, format, args);
    va_end(args);
    if (held_back > 0)
        kiln_log(KILN_LOG_WARNING, "%u more lines like the last one were left out", held_back);
}
