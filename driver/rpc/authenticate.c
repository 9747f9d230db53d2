/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/authenticate.h"

#include "rpc/call.h"
#include "rpc/client-private.h"
#include "rpc/peer.h"

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

static void
on_polkit(KilnCall *call, gconstpointer args)
{
    kiln_call_fail(call, VIR_ERR_AUTH_UNAVAILABLE, "polkit is not there");
}

static const KilnProcedure rows[] = {
    KILN_PROC_RET(AUTH_LIST, auth_list, KILN_ACCESS_ANYBODY, on_list),
    KILN_PROC_RET(AUTH_SASL_INIT, auth_sasl_init, KILN_ACCESS_ANYBODY, on_sasl),
    KILN_PROC(AUTH_SASL_START, auth_sasl_start, KILN_ACCESS_ANYBODY, on_sasl),
    KILN_PROC(AUTH_SASL_STEP, auth_sasl_step, KILN_ACCESS_ANYBODY, on_sasl),
    KILN_PROC_RET(AUTH_POLKIT, auth_polkit, KILN_ACCESS_ANYBODY, on_polkit),
};

const KilnProcedureTable kiln_auth_table = { rows, G_N_ELEMENTS(rows) };
