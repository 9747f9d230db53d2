/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Screens: pictures of them, and connections to their servers that need no address. */
#include "base/fd.h"
#include "ops/driver.h"
#include "ops/tables.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <sys/socket.h>

enum { LET_IN = 1 }; /* flag of OpenGraphics, org.kiln.VM1 */

/* ---- Pictures ---- */

static void
pictured(G_GNUC_UNUSED KilnGuest *guest, GVariant *answer, GUnixFDList *fds, const GError *error,
         gpointer call)
{
    char *mime = (char *)"image/x-portable-pixmap";
    const remote_domain_screenshot_ret ret = { .mime = &mime };
    gint32 handle = -1;
    int fd = -1;

    if (error != NULL) {
        kiln_call_fail_error(call, error);
        return;
    }
    if (fds != NULL && g_variant_is_of_type(answer, G_VARIANT_TYPE("(h)")))
        g_variant_get(answer, "(h)", &handle);
    if (handle >= 0 && handle < g_unix_fd_list_get_length(fds))
        fd = g_unix_fd_list_get(fds, handle, NULL);
    if (fd < 0)
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "the guest's process gave no picture");
    else
        kiln_call_reply_stream(call, &ret, fd);
}

static void
on_screenshot(KilnCall *call, gconstpointer data)
{
    const remote_domain_screenshot_args *args = data;
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest != NULL)
        kiln_guest_call(guest, "Screenshot", g_variant_new("(u)", args->screen), NULL,
                        KILN_GUEST_CALL_MS, pictured, call);
}

/* ---- Connections ---- */

/* Hands @fd to the guest's process.  Returns: FALSE with the call failed. */
static gboolean
hand_in(KilnCall *call, const remote_nonnull_domain *dom, guint index, guint flags, int fd,
        KilnGuestAnswer answered, gpointer data)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    KilnGuest *guest = kiln_ops_active_guest(call, dom);
    guint32 let_in = (flags & VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH) != 0 ? LET_IN : 0;
    int handle;

    if (guest == NULL)
        return FALSE;
    handle = g_unix_fd_list_append(fds, fd, NULL);
    if (handle < 0) {
        kiln_call_fail(call, VIR_ERR_SYSTEM_ERROR, "cannot hand over a descriptor");
        return FALSE;
    }
    kiln_guest_call(guest, "OpenGraphics", g_variant_new("(uuh)", index, let_in, handle), fds,
                    KILN_GUEST_CALL_MS, answered, data);
    return TRUE;
}

static void
on_open_graphics(KilnCall *call, gconstpointer data)
{
    const remote_domain_open_graphics_args *args = data;
    g_auto(KilnFd) fd = -1;

    if (!kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH))
        return;
    fd = kiln_call_steal_fd(call, 0);
    if (fd < 0)
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "no descriptor came with the call");
    else
        (void)hand_in(call, &args->dom, args->idx, args->flags, fd, kiln_ops_answered, call);
}

/* A socket whose other end the guest's process gets. */
typedef struct {
    KilnCall *call;
    KilnFd fd; /* (owned): the client's end */
} Opening;

static void
opening_free(Opening *opening)
{
    kiln_fd_clear(&opening->fd);
    g_free(opening);
}

static void
opened(G_GNUC_UNUSED KilnGuest *guest, G_GNUC_UNUSED GVariant *answer,
       G_GNUC_UNUSED GUnixFDList *fds, const GError *error, gpointer data)
{
    Opening *opening = data;

    if (error != NULL)
        kiln_call_fail_error(opening->call, error);
    else
        kiln_call_reply_fds(opening->call, NULL, &opening->fd, 1);
    opening_free(opening);
}

static void
on_open_graphics_fd(KilnCall *call, gconstpointer data)
{
    const remote_domain_open_graphics_fd_args *args = data;
    g_auto(KilnFd) theirs = -1;
    Opening *opening;
    int ends[2];

    if (!kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH))
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        kiln_call_fail(call, VIR_ERR_SYSTEM_ERROR, "cannot make a socket: %s", g_strerror(errno));
        return;
    }
    theirs = ends[1];
    opening = g_new0(Opening, 1);
    opening->call = call;
    opening->fd = ends[0];
    if (!hand_in(call, &args->dom, args->idx, args->flags, theirs, opened, opening))
        opening_free(opening);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_SCREENSHOT, domain_screenshot, KILN_ACCESS_WRITE, on_screenshot),
    KILN_PROC_ARGS(DOMAIN_OPEN_GRAPHICS, domain_open_graphics, KILN_ACCESS_WRITE, on_open_graphics),
    KILN_PROC_ARGS(DOMAIN_OPEN_GRAPHICS_FD, domain_open_graphics_fd, KILN_ACCESS_WRITE,
                   on_open_graphics_fd),
};
const KilnProcedureTable kiln_ops_graphics = { rows, G_N_ELEMENTS(rows) };
