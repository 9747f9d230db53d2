/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process's log: one line an event on standard error (which the daemon points at the guest's
 * log file), with time and level.  Library rooms return errors and do not log them; what is logged
 * is what nobody waits for: a guest's mistakes, a helper's death, a change of state.
 */
#ifndef KILN_BASE_LOG_H
#define KILN_BASE_LOG_H

#include <glib.h>

typedef enum {
    KILN_LOG_ERROR,
    KILN_LOG_WARNING,
    KILN_LOG_INFO,
    KILN_LOG_DEBUG,
} KilnLogLevel;

/**
 * KilnRatelimit:
 *
 * Lets through 10 lines in 5 seconds, and says how many were held back: a guest cannot fill the
 * host's disk with its mistakes.  Initialise with zeroes.  Any thread.
 */
typedef struct {
    gint64 next_us;  /* (atomic) monotonic end of the interval */
    guint passed;    /* (atomic) lines in this interval */
    guint held_back; /* (atomic) lines dropped since the last one that passed */
} KilnRatelimit;

/**
 * kiln_log_set_level:
 * @level: the most verbose level that is written; the start value is @KILN_LOG_WARNING
 *
 * Any thread.
 */
void kiln_log_set_level(KilnLogLevel level);

/**
 * kiln_log:
 * @level: how grave
 * @format: printf format of one line, without its newline
 *
 * Control characters of the message are written as '?', since parts of it may come from a guest.
 * Any thread; each line is one write.
 */
void kiln_log(KilnLogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

/**
 * kiln_log_guest:
 * @limit: this place's limiter
 * @format: printf format of one line
 *
 * A warning about what a guest, stream or peer did.  Any thread; waits for nobody: when the log
 * takes nothing, the line is left out.
 */
void kiln_log_guest(KilnRatelimit *limit, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
