/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Consoles and channels as streams.
 *
 *   console: the guest's process gives a socket; channel: its unix socket, as for anybody
 */
#include "base/fd.h"
#include "ops/driver.h"
#include "ops/tables.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { OPEN_FORCED = 1 }; /* flag of OpenConsole, org.kiln.VM1 */

static void
console_opened(G_GNUC_UNUSED KilnGuest *guest, GVariant *answer, GUnixFDList *fds,
               const GError *error, gpointer call)
{
    g_autoptr(GError) failed = NULL;
    gint32 handle = -1;
    int fd;

    if (error != NULL) {
        kiln_call_fail_error(call, error);
        return;
    }
    if (fds != NULL && g_variant_is_of_type(answer, G_VARIANT_TYPE("(h)")))
        g_variant_get(answer, "(h)", &handle);
    fd = handle >= 0 && handle < g_unix_fd_list_get_length(fds)
             ? g_unix_fd_list_get(fds, handle, &failed)
             : -1;
    if (fd < 0)
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "the guest's process gave no console");
    else
        kiln_call_reply_stream(call, NULL, fd);
}

/* The console that stands for no name: a virtio one if it is the first; else the first serial port,
 * which is "" to the process. */
static const char *
first_console(const KilnDomain *domain)
{
    const KilnConsole *console;

    if (domain == NULL || domain->consoles->len == 0)
        return "";
    console = g_ptr_array_index(domain->consoles, 0);
    return console->target == KILN_CONSOLE_TARGET_VIRTIO && console->info.alias != NULL
               ? console->info.alias
               : "";
}

static void
on_open_console(KilnCall *call, gconstpointer data)
{
    const remote_domain_open_console_args *args = data;
    KilnGuest *guest;
    const char *name;
    guint32 flags;

    if (!kiln_ops_check_flags(call, args->flags,
                              VIR_DOMAIN_CONSOLE_SAFE | VIR_DOMAIN_CONSOLE_FORCE))
        return;
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    name = args->dev_name != NULL ? *args->dev_name : first_console(kiln_guest_live(guest));
    flags = (args->flags & VIR_DOMAIN_CONSOLE_FORCE) != 0 ? OPEN_FORCED : 0;
    kiln_guest_call(guest, "OpenConsole", g_variant_new("(su)", name, flags), NULL,
                    KILN_GUEST_CALL_MS, console_opened, call);
}

/* ---- Channels ---- */

static const KilnChannel *
find_channel(const KilnDomain *domain, const char *name)
{
    for (guint i = 0; domain != NULL && i < domain->channels->len; i++) {
        const KilnChannel *channel = g_ptr_array_index(domain->channels, i);

        if (name == NULL || g_strcmp0(channel->target.name, name) == 0 ||
            g_strcmp0(channel->info.alias, name) == 0)
            return channel;
    }
    return NULL;
}

/* Nobody is waited for: a socket on which nobody accepts refuses when its queue is full. */
static int
connect_channel(const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_auto(KilnFd) fd = -1;

    if (strlen(path) >= sizeof address.sun_path) {
        kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "'%s' is too long for a socket", path);
        return -1;
    }
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot connect to '%s': %s", path,
                           g_strerror(errno));
        return -1;
    }
    return kiln_fd_steal(&fd);
}

static void
on_open_channel(KilnCall *call, gconstpointer data)
{
    const remote_domain_open_channel_args *args = data;
    const char *name = args->name != NULL ? *args->name : NULL;
    g_autoptr(GError) error = NULL;
    const KilnChannel *channel;
    KilnGuest *guest;
    int fd;

    if (!kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_CHANNEL_FORCE))
        return;
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    channel = find_channel(kiln_guest_live(guest), name);
    if (channel == NULL) {
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "cannot find channel %s",
                       name != NULL ? name : "(null)");
        return;
    }
    if (channel->source.type != KILN_CHAR_TYPE_UNIX || channel->source.endpoint.path == NULL ||
        channel->source.endpoint.mode == KILN_CHAR_MODE_CONNECT) {
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "channel %s is not behind a unix socket that its guest listens on",
                       name != NULL ? name : channel->target.name);
        return;
    }
    fd = connect_channel(channel->source.endpoint.path, &error);
    if (fd < 0)
        kiln_call_fail_error(call, error);
    else
        kiln_call_reply_stream(call, NULL, fd);
}

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(DOMAIN_OPEN_CONSOLE, domain_open_console, KILN_ACCESS_WRITE, on_open_console),
    KILN_PROC_ARGS(DOMAIN_OPEN_CHANNEL, domain_open_channel, KILN_ACCESS_WRITE, on_open_channel),
};
const KilnProcedureTable kiln_ops_console = { rows, G_N_ELEMENTS(rows) };
