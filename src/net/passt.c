/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See passt.h; its command line is passt(1)'s of 2023. */
#include "net/passt.h"

#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "net/stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum {
    CHILD_SOCKET = 3,
    SOCKET_BYTES = 1 << 20, /* of frames under way, each way */
    START_MS = 5000,        /* in which passt has said something */
    FAIL_MS = 20,           /* after which it has ended if that was what is wrong */
};

typedef struct {
    KilnNetdev *netdev; /* (unowned) */
    KilnProcess *process;
} Passt;

/* [ADDRESS][%DEV]/PORTS, PORTS: [~]N[-M][:TO[-TO']],… or "all" */
static char *
forward_argument(const KilnPasstForward *forward)
{
    GString *text = g_string_new(forward->address);

    if (forward->dev != NULL)
        g_string_append_printf(text, "%%%s", forward->dev);
    if (text->len > 0)
        g_string_append_c(text, '/');
    if (forward->n_ranges == 0)
        g_string_append(text, "all");
    for (unsigned i = 0; i < forward->n_ranges; i++) {
        const KilnPasstRange *range = &forward->ranges[i];

        g_string_append_printf(text, "%s%s%u", i > 0 ? "," : "", range->exclude ? "~" : "",
                               range->start);
        if (range->end > range->start)
            g_string_append_printf(text, "-%u", range->end);
        if (range->to != 0)
            g_string_append_printf(text, ":%u", range->to);
        if (range->to != 0 && range->end > range->start)
            g_string_append_printf(text, "-%u", range->to + (range->end - range->start));
    }
    return g_string_free(text, FALSE);
}

char **
kiln_passt_arguments(const KilnPasstOptions *options, int fd)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autofree char *number = g_strdup_printf("%d", fd);
    g_autofree char *prefix = g_strdup_printf("%u", options->prefix);
    g_autofree char *mtu = g_strdup_printf("%u", options->mtu);

    g_strv_builder_add_many(builder, options->program != NULL ? options->program : "passt",
                            "--foreground", "--fd", number, NULL);
    if (options->log_file != NULL)
        g_strv_builder_add_many(builder, "--log-file", options->log_file, NULL);
    else
        g_strv_builder_add(builder, "--stderr");
    if (options->dev != NULL)
        g_strv_builder_add_many(builder, "--interface", options->dev, NULL);
    for (unsigned i = 0; options->addresses != NULL && options->addresses[i] != NULL; i++)
        g_strv_builder_add_many(builder, "--address", options->addresses[i], NULL);
    if (options->prefix != 0)
        g_strv_builder_add_many(builder, "--netmask", prefix, NULL);
    if (options->mtu != 0)
        g_strv_builder_add_many(builder, "--mtu", mtu, NULL);
    for (unsigned i = 0; i < options->n_forwards; i++) {
        g_autofree char *ports = forward_argument(&options->forwards[i]);

        g_strv_builder_add_many(builder, options->forwards[i].udp ? "--udp-ports" : "--tcp-ports",
                                ports, NULL);
    }
    return g_strv_builder_end(builder);
}

static void
passt_ended(KilnProcess *process, int status, gpointer data)
{
    Passt *passt = data;
    g_autofree char *how = kiln_process_describe(process, status);

    kiln_log(KILN_LOG_WARNING, "interface '%s': passt %s; its link is down", passt->netdev->id,
             how);
    kiln_netdev_set_carrier(passt->netdev, FALSE);
}

static void
passt_free(gpointer data)
{
    Passt *passt = data;

    kiln_process_free(passt->process); /* its socket is closed, so it is ending already */
    g_free(passt);
}

static void
enlarge(int socket)
{
    const int bytes = SOCKET_BYTES;

    (void)setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/* A passt that does not like its arguments or its host says so and ends at once. */
static gboolean
has_started(KilnProcess *process, const KilnPasstOptions *options, GError **error)
{
    g_autofree char *how = NULL;
    int status;

    if (options->log_file == NULL)
        kiln_process_wait_line(process, START_MS);
    if (!kiln_process_wait(process, FAIL_MS, &status))
        return TRUE;
    how = kiln_process_describe(process, status);
    return kiln_error_set(error, KILN_ERROR_FAILED, "passt %s", how);
}

static KilnProcess *
passt_spawn(const KilnPasstOptions *options, Passt *passt, int socket, GError **error)
{
    g_auto(GStrv) argv = kiln_passt_arguments(options, CHILD_SOCKET);
    g_autofree char *name = g_strdup_printf("passt (%s)", options->id);
    KilnProcessFd given = { socket, CHILD_SOCKET };
    KilnProcessOptions process = {
        .name = name,
        .argv = (const char *const *)argv,
        .fds = &given,
        .n_fds = 1,
        .ended = passt_ended,
        .data = passt,
    };

    return kiln_process_spawn(&process, error);
}

KilnNetdev *
kiln_passt_open(const KilnPasstOptions *options, GError **error)
{
    g_autoptr(KilnNetdev) netdev = NULL;
    g_auto(KilnFd) theirs = -1;
    Passt *passt;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        kiln_error_set_errno(error, errno, "interface '%s': cannot make sockets", options->id);
        return NULL;
    }
    theirs = pair[1];
    enlarge(pair[0]);
    enlarge(pair[1]);
    netdev = kiln_stream_netdev_new(options->id, pair[0]);
    passt = g_new0(Passt, 1);
    passt->netdev = netdev;
    kiln_stream_netdev_own(netdev, passt, passt_free);
    passt->process = passt_spawn(options, passt, theirs, error);
    kiln_fd_clear(&theirs);
    if (passt->process == NULL || !has_started(passt->process, options, error)) {
        g_prefix_error(error, "interface '%s': ", options->id);
        return NULL;
    }
    return g_steal_pointer(&netdev);
}
