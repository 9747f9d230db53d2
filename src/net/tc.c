/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tc.h.  tc(8)'s "kbps" are KiB a second, its "kb" KiB. */
#include "net/tc.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/process.h"

enum { PATIENCE_MS = 10000 };

/* Runs tc with the words of @format. */
static gboolean G_GNUC_PRINTF(2, 3) run(GError **error, const char *format, ...)
{
    g_autofree char *line = NULL;
    g_auto(GStrv) argv = NULL;
    va_list arguments;

    va_start(arguments, format);
    line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    argv = g_strsplit(line, " ", -1);
    return kiln_process_run((const char *const *)argv, PATIENCE_MS, error);
}

/* What the tap sends is what the guest receives. */
static gboolean
limit_receive(const char *interface, const KilnNetdevLimit *limit, GError **error)
{
    g_autoptr(GString) rate = g_string_new(NULL);

    g_string_printf(rate, "rate %" PRIu64 "kbps", limit->average);
    if (limit->peak != 0)
        g_string_append_printf(rate, " ceil %" PRIu64 "kbps", limit->peak);
    if (limit->burst != 0)
        g_string_append_printf(rate, " burst %" PRIu64 "kb", limit->burst);
    if (!run(error, "tc qdisc replace dev %s root handle 1: htb default 1", interface) ||
        !run(error, "tc class add dev %s parent 1: classid 1:1 htb %s", interface, rate->str))
        return FALSE;
    /* which is only for fairness among the guest's connections */
    (void)run(NULL, "tc qdisc add dev %s parent 1:1 handle 2: sfq perturb 10", interface);
    return TRUE;
}

static gboolean
limit_send(const char *interface, const KilnNetdevLimit *limit, GError **error)
{
    uint64_t burst = limit->burst != 0 ? limit->burst : limit->average;

    return run(error, "tc qdisc replace dev %s ingress", interface) &&
           run(error,
               "tc filter add dev %s parent ffff: protocol all u32 match u32 0 0 police rate "
               "%" PRIu64 "kbps burst %" PRIu64 "kb mtu 64kb drop flowid :1",
               interface, limit->average, burst);
}

gboolean
kiln_tc_limit(const char *interface, const KilnNetdevLimit *receive, const KilnNetdevLimit *send,
              GError **error)
{
    if ((receive == NULL || receive->average == 0 || limit_receive(interface, receive, error)) &&
        (send == NULL || send->average == 0 || limit_send(interface, send, error)))
        return TRUE;
    (void)run(NULL, "tc qdisc del dev %s root", interface); /* no half of it stays */
    (void)run(NULL, "tc qdisc del dev %s ingress", interface);
    return FALSE; /* error was set by what failed */
}
