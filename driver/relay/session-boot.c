/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first calls on a connection upstream:
 *
 *   AUTH_LIST (obligatory) -> [AUTH_POLKIT] -> CONNECT_OPEN of the driver's own URI -> [identity]
 */
#include "relay/session-private.h"
#include "rpc/frame.h"
#include "rpc/params.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

enum { OPEN_READ_ONLY = 1 }; /* of CONNECT_OPEN's flags */

static void
ask(KilnSession *session, int procedure, xdrproc_t codec, gconstpointer args)
{
    session->step = procedure;
    kiln_session_ask(session, procedure, codec, args);
}

void
kiln_session_boot(KilnSession *session)
{
    ask(session, REMOTE_PROC_AUTH_LIST, NULL, NULL);
}

static void
open_connection(KilnSession *session)
{
    char *uri = (char *)session->options.uri;
    remote_connect_open_args args = {
        .name = &uri,
        .flags = kiln_client_is_read_only(session->client) ? OPEN_READ_ONLY : 0,
    };

    ask(session, REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &args);
}

static void
identify(KilnSession *session)
{
    const KilnIdentity *identity = kiln_client_identity(session->client);
    remote_connect_set_identity_args args = { { 0 } };
    g_auto(KilnParams) params = { NULL };

    kiln_params_init(&params);
    if (identity->user != NULL)
        kiln_params_add_string(&params, VIR_CONNECT_IDENTITY_USER_NAME, identity->user);
    kiln_params_add_ullong(&params, VIR_CONNECT_IDENTITY_UNIX_USER_ID, identity->uid);
    if (identity->group != NULL)
        kiln_params_add_string(&params, VIR_CONNECT_IDENTITY_GROUP_NAME, identity->group);
    kiln_params_add_ullong(&params, VIR_CONNECT_IDENTITY_UNIX_GROUP_ID, identity->gid);
    if (identity->pid > 0) {
        kiln_params_add_llong(&params, VIR_CONNECT_IDENTITY_PROCESS_ID, identity->pid);
        kiln_params_add_ullong(&params, VIR_CONNECT_IDENTITY_PROCESS_TIME, identity->process_start);
    }
    args.params.params_len = params.n;
    args.params.params_val = params.values;
    ask(session, REMOTE_PROC_CONNECT_SET_IDENTITY, (xdrproc_t)xdr_remote_connect_set_identity_args,
        &args);
}

static void
on_auth_list(KilnSession *session, const KilnPacket *answer)
{
    remote_auth_list_ret ret = { { 0 } };
    gboolean good = kiln_frame_decode(answer, (xdrproc_t)xdr_remote_auth_list_ret, &ret) &&
                    ret.types.types_len > 0;
    remote_auth_type type = good ? ret.types.types_val[0] : REMOTE_AUTH_SASL;

    xdr_free((xdrproc_t)xdr_remote_auth_list_ret, (char *)&ret);
    if (type == REMOTE_AUTH_NONE)
        open_connection(session);
    else if (type == REMOTE_AUTH_POLKIT)
        ask(session, REMOTE_PROC_AUTH_POLKIT, NULL, NULL);
    else
        kiln_session_boot_failed(session, VIR_ERR_AUTH_FAILED,
                                 "it asks for an authentication that cannot be passed on");
}

static void
on_auth_polkit(KilnSession *session, const KilnPacket *answer)
{
    remote_auth_polkit_ret ret = { 0 };
    gboolean good =
        kiln_frame_decode(answer, (xdrproc_t)xdr_remote_auth_polkit_ret, &ret) && ret.complete != 0;

    xdr_free((xdrproc_t)xdr_remote_auth_polkit_ret, (char *)&ret);
    if (good)
        open_connection(session);
    else
        kiln_session_boot_failed(session, VIR_ERR_AUTH_FAILED, "it refused the authentication");
}

/* In its own words, bounded. */
static void
fail_as_told(KilnSession *session, const KilnPacket *answer)
{
    remote_error told = { 0 };
    int code = VIR_ERR_RPC;
    g_autofree char *why = NULL;

    if (kiln_frame_decode(answer, (xdrproc_t)xdr_remote_error, &told)) {
        code = told.code;
        if (told.message != NULL && *told.message != NULL)
            why = g_strdup_printf("%.1000s", *told.message);
    }
    xdr_free((xdrproc_t)xdr_remote_error, (char *)&told);
    kiln_session_boot_failed(session, code, why != NULL ? why : "it gave an error");
}

void
kiln_session_boot_packet(KilnSession *session, KilnPacket *packet)
{
    if (packet->type != KILN_FRAME_REPLY || packet->serial != session->serial)
        return;
    if (session->step == REMOTE_PROC_CONNECT_SET_IDENTITY) {
        kiln_session_booted(session); /* one that is too old to be told goes without */
    } else if (packet->status != KILN_FRAME_OK) {
        fail_as_told(session, packet);
    } else if (session->step == REMOTE_PROC_AUTH_LIST) {
        on_auth_list(session, packet);
    } else if (session->step == REMOTE_PROC_AUTH_POLKIT) {
        on_auth_polkit(session, packet);
    } else if (session->step == REMOTE_PROC_CONNECT_OPEN && session->options.identify) {
        identify(session);
    } else {
        kiln_session_booted(session);
    }
}
