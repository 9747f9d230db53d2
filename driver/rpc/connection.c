/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/connection.h"

#include "rpc/call.h"
#include "rpc/client-private.h"
#include "rpc/peer.h"

#include <unistd.h>

/* Of CONNECT_OPEN's flags; the others (64 for user, session, ...) say nothing here. */
enum { OPEN_READ_ONLY = 1 };

static void
on_open(KilnCall *call, gconstpointer data)
{
    const remote_connect_open_args *args = data;
    g_autoptr(GError) error = NULL;

    if (kiln_client_open(kiln_call_client(call), args->name != NULL ? *args->name : NULL,
                         (args->flags & OPEN_READ_ONLY) != 0, &error))
        kiln_call_reply(call, NULL);
    else
        kiln_call_fail_error(call, error);
}

static void
on_close(KilnCall *call, gconstpointer args)
{
    KilnClient *client = kiln_client_ref(kiln_call_client(call));

    kiln_call_reply(call, NULL);
    kiln_client_close_later(client);
    kiln_client_unref(client);
}

static void
on_register_close(KilnCall *call, gconstpointer args)
{
    KilnClient *client = kiln_call_client(call);

    if (client->tells_close) {
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "a close callback is already registered");
        return;
    }
    client->tells_close = TRUE;
    kiln_call_reply(call, NULL);
}

static void
on_unregister_close(KilnCall *call, gconstpointer args)
{
    KilnClient *client = kiln_call_client(call);

    if (!client->tells_close) {
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "a close callback was not registered");
        return;
    }
    client->tells_close = FALSE;
    kiln_call_reply(call, NULL);
}

void
kiln_connection_tell_close(KilnClient *client)
{
    const remote_connect_event_connection_closed_msg message = {
        .reason = VIR_CONNECT_CLOSE_REASON_EOF,
    };

    if (client->tells_close)
        kiln_client_send_message(client, REMOTE_PROC_CONNECT_EVENT_CONNECTION_CLOSED,
                                 (xdrproc_t)xdr_remote_connect_event_connection_closed_msg,
                                 &message);
}

/* ---- Identity ---- */

static gboolean
take_string(const remote_typed_param *param, char **to)
{
    if (param->value.type != VIR_TYPED_PARAM_STRING)
        return FALSE;
    g_free(*to);
    *to = g_strdup(param->value.remote_typed_param_value_u.s);
    return TRUE;
}

static gboolean
take_number(const remote_typed_param *param, guint64 max, guint64 *to)
{
    if (param->value.type == VIR_TYPED_PARAM_ULLONG)
        *to = param->value.remote_typed_param_value_u.ul;
    else if (param->value.type == VIR_TYPED_PARAM_LLONG)
        *to = param->value.remote_typed_param_value_u.l;
    else
        return FALSE;
    return *to <= max;
}

/* Names are those of libvirt's virIdentity. */
static gboolean
take_param(KilnIdentity *identity, const remote_typed_param *param, GError **error)
{
    guint64 number = 0;
    gboolean good = TRUE;

    if (strcmp(param->field, VIR_CONNECT_IDENTITY_USER_NAME) == 0) {
        good = take_string(param, &identity->user);
    } else if (strcmp(param->field, VIR_CONNECT_IDENTITY_GROUP_NAME) == 0) {
        good = take_string(param, &identity->group);
    } else if (strcmp(param->field, VIR_CONNECT_IDENTITY_UNIX_USER_ID) == 0) {
        good = take_number(param, (uid_t)-2, &number);
        identity->uid = number;
    } else if (strcmp(param->field, VIR_CONNECT_IDENTITY_UNIX_GROUP_ID) == 0) {
        good = take_number(param, (gid_t)-2, &number);
        identity->gid = number;
    } else if (strcmp(param->field, VIR_CONNECT_IDENTITY_PROCESS_ID) == 0) {
        good = take_number(param, G_MAXINT32, &number);
        identity->pid = number;
    } else if (strcmp(param->field, VIR_CONNECT_IDENTITY_PROCESS_TIME) == 0) {
        good = take_number(param, G_MAXUINT64, &number);
        identity->process_start = number;
    } else if (strcmp(param->field, VIR_CONNECT_IDENTITY_SASL_USER_NAME) != 0 &&
               strcmp(param->field, VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME) != 0 &&
               strcmp(param->field, VIR_CONNECT_IDENTITY_SELINUX_CONTEXT) != 0 &&
               strcmp(param->field, "system.token") != 0) {
        return kiln_vir_error_set(error, VIR_ERR_ARGUMENT_UNSUPPORTED,
                                  "parameter '%s' not supported", param->field);
    }
    return good || kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                      "parameter '%s' has a wrong value", param->field);
}

static void
on_set_identity(KilnCall *call, gconstpointer data)
{
    const remote_connect_set_identity_args *args = data;
    KilnClient *client = kiln_call_client(call);
    KilnIdentity identity = { .uid = client->identity.uid, .gid = client->identity.gid };
    g_autoptr(GError) error = NULL;
    gboolean good = TRUE;

    if (client->user->uid != 0 && client->user->uid != geteuid()) {
        kiln_call_fail(call, VIR_ERR_OPERATION_DENIED, "only root speaks for others");
        return;
    }
    if (args->flags != 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x)", args->flags);
        return;
    }
    for (guint i = 0; good && i < args->params.params_len; i++)
        good = take_param(&identity, &args->params.params_val[i], &error);
    if (good)
        kiln_client_set_identity(client, &identity);
    g_free(identity.user);
    g_free(identity.group);
    if (good)
        kiln_call_reply(call, NULL);
    else
        kiln_call_fail_error(call, error);
}

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(CONNECT_OPEN, connect_open, KILN_ACCESS_CONNECT, on_open),
    KILN_PROC_PLAIN(CONNECT_CLOSE, KILN_ACCESS_CONNECT, on_close),
    KILN_PROC_PLAIN(CONNECT_REGISTER_CLOSE_CALLBACK, KILN_ACCESS_READ, on_register_close),
    KILN_PROC_PLAIN(CONNECT_UNREGISTER_CLOSE_CALLBACK, KILN_ACCESS_READ, on_unregister_close),
    KILN_PROC_ARGS(CONNECT_SET_IDENTITY, connect_set_identity, KILN_ACCESS_READ, on_set_identity),
};

const KilnProcedureTable kiln_connection_table = { rows, G_N_ELEMENTS(rows) };
