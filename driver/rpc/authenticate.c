/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/authenticate.h"

#include "rpc/call.h"
#include "rpc/client-private.h"
#include "rpc/peer.h"
#include "rpc/polkit.h"

#include <unistd.h>

/* By the socket's peer: whom it speaks for does not matter before it is let in. */
static gboolean
passes_unasked(const KilnClient *client)
{
    const KilnServer *server = client->server;

    if (client->auth == KILN_AUTH_NONE || client->user->uid == 0 || client->user->uid == geteuid())
        return TRUE;
    return server->has_group && kiln_peer_has_group(client->fd, server->group);
}

static void
on_list(KilnCall *call, gconstpointer args)
{
    KilnClient *client = kiln_call_client(call);
    remote_auth_type type = REMOTE_AUTH_POLKIT;
    remote_auth_list_ret ret = { .types = { 1, &type } };

    if (client->authenticated || passes_unasked(client)) {
        kiln_client_set_authenticated(client);
        type = REMOTE_AUTH_NONE;
    }
    kiln_call_reply(call, &ret);
}

static void
on_sasl(KilnCall *call, gconstpointer args)
{
    kiln_call_fail(call, VIR_ERR_AUTH_FAILED, "SASL is not offered");
}

/* ---- polkit ---- */

typedef struct {
    KilnCall *call;
    KilnServer *server; /* whose count it is in, while the client is there */
    KilnUser *user;
    GCancellable *cancellable; /* (owned) */
    guint closer;
} Asked;

static void
forget_count(Asked *asked)
{
    asked->server->n_polkit--;
    asked->user->n_polkit--;
    asked->server = NULL;
}

/* The question is withdrawn; the call ends when that has been heard. */
static void
on_client_closed(KilnClient *client, gpointer data)
{
    Asked *asked = data;

    asked->closer = 0;
    forget_count(asked);
    g_cancellable_cancel(asked->cancellable);
}

static void
end_question(Asked *asked)
{
    KilnClient *client = kiln_call_client(asked->call);

    client->polkit = FALSE;
    if (asked->closer != 0) {
        kiln_client_off_close(client, asked->closer);
        forget_count(asked);
    }
    g_object_unref(asked->cancellable);
    g_free(asked);
}

/* Where there is no polkit, reading is for everybody, as its default policy for libvirt says. */
static void
on_result(KilnPolkitResult result, const GError *error, gpointer data)
{
    Asked *asked = data;
    KilnCall *call = asked->call;
    KilnClient *client = kiln_call_client(call);
    const remote_auth_polkit_ret ret = { .complete = 1 };

    end_question(asked);
    if (result == KILN_POLKIT_YES || (result == KILN_POLKIT_ABSENT && client->socket_read_only)) {
        kiln_client_set_authenticated(client);
        kiln_call_reply(call, &ret);
    } else {
        kiln_call_fail_error(call, error);
    }
}

static gboolean
may_ask(KilnCall *call)
{
    KilnClient *client = kiln_call_client(call);
    guint max = client->server->limits.max_anonymous_clients;

    if (client->auth != KILN_AUTH_POLKIT || client->polkit)
        kiln_call_fail(call, VIR_ERR_AUTH_FAILED, "polkit is not what is asked for");
    else if (client->identity.process_start == 0)
        kiln_call_fail(call, VIR_ERR_AUTH_FAILED, "it is not known when process %d began",
                       client->identity.pid);
    else if (client->server->n_polkit >= max || client->user->n_polkit >= MAX(max / 2, 1))
        kiln_call_fail(call, VIR_ERR_AUTH_FAILED, "too many clients are authenticating");
    else
        return TRUE;
    return FALSE;
}

static void
on_polkit(KilnCall *call, gconstpointer args)
{
    KilnClient *client = kiln_call_client(call);
    Asked *asked = NULL;

    if (!may_ask(call))
        return;
    asked = g_new0(Asked, 1);
    asked->call = call;
    asked->server = client->server;
    asked->user = client->user;
    asked->cancellable = g_cancellable_new();
    asked->closer = kiln_client_on_close(client, on_client_closed, asked);
    asked->server->n_polkit++;
    asked->user->n_polkit++;
    client->polkit = TRUE;
    kiln_polkit_check(client->socket_read_only ? "org.libvirt.unix.monitor"
                                               : "org.libvirt.unix.manage",
                      &client->identity, asked->cancellable, on_result, asked);
}

static const KilnProcedure rows[] = {
    KILN_PROC_RET(AUTH_LIST, auth_list, KILN_ACCESS_ANYBODY, on_list),
    KILN_PROC_RET(AUTH_SASL_INIT, auth_sasl_init, KILN_ACCESS_ANYBODY, on_sasl),
    KILN_PROC(AUTH_SASL_START, auth_sasl_start, KILN_ACCESS_ANYBODY, on_sasl),
    KILN_PROC(AUTH_SASL_STEP, auth_sasl_step, KILN_ACCESS_ANYBODY, on_sasl),
    KILN_PROC_RET(AUTH_POLKIT, auth_polkit, KILN_ACCESS_ANYBODY, on_polkit),
};

const KilnProcedureTable kiln_auth_table = { rows, G_N_ELEMENTS(rows) };
