/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest -> its channel org.qemu.guest_agent.0 -> the agent, kept while the guest runs.  The calls
 * here ask one thing, or none.
 */
#include "ops/agent.h"

#include "agent/json.h"
#include "ops/tables.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <string.h>

typedef struct {
    KilnGuest *guest; /* (owned) */
    int id;           /* of the run that it belongs to */
    KilnAgent *agent; /* (owned) (nullable): with the first command */
    int timeout_s;    /* DOMAIN_AGENT_SET_RESPONSE_TIMEOUT */
} GuestAgent;

static GHashTable *agents; /* KilnGuest -> GuestAgent (owned) */

static void
guest_agent_free(gpointer data)
{
    GuestAgent *of = data;

    kiln_agent_free(of->agent);
    kiln_guest_unref(of->guest);
    g_free(of);
}

void
kiln_ops_agent_stopped(KilnGuest *guest)
{
    gpointer of = NULL;

    /* Out of the table first: the ends of commands may ask again. */
    if (agents != NULL && g_hash_table_steal_extended(agents, guest, NULL, &of))
        guest_agent_free(of);
}

static GuestAgent *
agent_of(KilnGuest *guest)
{
    GuestAgent *of = agents != NULL ? g_hash_table_lookup(agents, guest) : NULL;

    if (of != NULL && of->id == kiln_guest_id(guest))
        return of;
    kiln_ops_agent_stopped(guest);
    if (agents == NULL)
        agents = g_hash_table_new_full(NULL, NULL, NULL, guest_agent_free);
    of = g_new0(GuestAgent, 1);
    of->guest = kiln_guest_ref(guest);
    of->id = kiln_guest_id(guest);
    of->timeout_s = KILN_OPS_AGENT_BLOCK;
    g_hash_table_insert(agents, guest, of);
    return of;
}

/* Returns: (nullable): where the process listens for the agent's client. */
static const char *
socket_path(KilnGuest *guest)
{
    const KilnDomain *live = kiln_guest_live(guest);

    for (guint i = 0; live != NULL && i < live->channels->len; i++) {
        const KilnChannel *channel = g_ptr_array_index(live->channels, i);

        if (channel->target.type == KILN_CHANNEL_TARGET_VIRTIO &&
            g_strcmp0(channel->target.name, "org.qemu.guest_agent.0") == 0 &&
            channel->source.type == KILN_CHAR_TYPE_UNIX &&
            channel->source.endpoint.mode != KILN_CHAR_MODE_CONNECT)
            return channel->source.endpoint.path;
    }
    return NULL;
}

static GuestAgent *
ready_agent(KilnGuest *guest, GError **error)
{
    const char *path = NULL;
    GuestAgent *of;
    int reason = 0;

    if (!kiln_guest_is_active(guest)) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return NULL;
    }
    if (kiln_guest_state(guest, &reason) != VIR_DOMAIN_RUNNING) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return NULL;
    }
    path = socket_path(guest);
    if (path == NULL) {
        kiln_vir_error_set(error, VIR_ERR_ARGUMENT_UNSUPPORTED,
                           "QEMU guest agent is not configured");
        return NULL;
    }
    of = agent_of(guest);
    if (of->agent == NULL)
        of->agent = kiln_agent_new(path);
    return of;
}

static JsonNode *
node_of(JsonObject *object)
{
    JsonNode *node;

    if (object == NULL)
        return NULL;
    node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, object);
    return node;
}

gboolean
kiln_ops_agent_ask_guest(KilnGuest *guest, const char *command, JsonObject *arguments,
                         KilnAgentAnswer answered, gpointer data, GError **error)
{
    const GuestAgent *of = ready_agent(guest, error);

    if (of == NULL) {
        if (arguments != NULL)
            json_object_unref(arguments);
        return FALSE;
    }
    kiln_agent_command(of->agent, command, node_of(arguments), of->timeout_s, answered, data);
    return TRUE;
}

gboolean
kiln_ops_agent_ask(KilnCall *call, const remote_nonnull_domain *about, const char *command,
                   JsonObject *arguments, KilnAgentAnswer answered, gpointer data)
{
    KilnGuest *guest = kiln_ops_guest(call, about);
    g_autoptr(GError) error = NULL;

    if (guest == NULL) {
        if (arguments != NULL)
            json_object_unref(arguments);
        return FALSE;
    }
    if (kiln_ops_agent_ask_guest(guest, command, arguments, answered, data, &error))
        return TRUE;
    kiln_call_fail_error(call, error);
    return FALSE;
}

/* ---- Ends of calls ---- */

static void
fail_malformed(KilnCall *call, const char *what)
{
    kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "malformed return value of the guest agent: %s",
                   what);
}

/* For commands that give nothing. */
static void
on_done(JsonNode *answer, const GError *error, gpointer data)
{
    (void)answer;
    if (error != NULL)
        kiln_call_fail_error(data, error);
    else
        kiln_call_reply(data, NULL);
}

void
kiln_ops_agent_shutdown(KilnCall *call, const remote_nonnull_domain *about, gboolean reboot)
{
    KilnGuest *guest = kiln_ops_guest(call, about);
    g_autoptr(GError) error = NULL;
    const GuestAgent *of = guest != NULL ? ready_agent(guest, &error) : NULL;
    JsonObject *arguments;

    if (of == NULL) {
        if (error != NULL)
            kiln_call_fail_error(call, error);
        return;
    }
    arguments = json_object_new();
    json_object_set_string_member(arguments, "mode", reboot ? "reboot" : "powerdown");
    kiln_agent_command_silent(of->agent, "guest-shutdown", node_of(arguments), on_done, call);
}

/* ---- Host name, time ---- */

static void
on_hostname_answer(JsonNode *answer, const GError *error, gpointer data)
{
    const char *name = kiln_json_text(kiln_json_object(answer), "host-name");
    remote_domain_get_hostname_ret ret = { (char *)name };

    if (error != NULL)
        kiln_call_fail_error(data, error);
    else if (name == NULL)
        fail_malformed(data, "'host-name'");
    else
        kiln_call_reply(data, &ret);
}

static void
on_get_hostname(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_hostname_args *args = data;

    if (!kiln_ops_check_flags(call, args->flags,
                              VIR_DOMAIN_GET_HOSTNAME_LEASE | VIR_DOMAIN_GET_HOSTNAME_AGENT))
        return;
    if (args->flags == VIR_DOMAIN_GET_HOSTNAME_LEASE)
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "host names are asked of the guest agent, not of leases");
    else
        kiln_ops_agent_ask(call, &args->dom, "guest-get-host-name", NULL, on_hostname_answer, call);
}

static void
on_time_answer(JsonNode *answer, const GError *error, gpointer data)
{
    remote_domain_get_time_ret ret = { 0 };
    gint64 ns;

    if (error != NULL) {
        kiln_call_fail_error(data, error);
        return;
    }
    if (answer == NULL || json_node_get_value_type(answer) != G_TYPE_INT64) {
        fail_malformed(data, "the time");
        return;
    }
    ns = json_node_get_int(answer);
    ret.seconds = ns / G_GINT64_CONSTANT(1000000000);
    ret.nseconds = (u_int)(ns >= 0 ? ns % G_GINT64_CONSTANT(1000000000) : 0);
    kiln_call_reply(data, &ret);
}

static void
on_get_time(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_time_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, 0))
        kiln_ops_agent_ask(call, &args->dom, "guest-get-time", NULL, on_time_answer, call);
}

static void
on_set_time(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_time_args *args = data;
    JsonObject *arguments = NULL;

    if (!kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_TIME_SYNC))
        return;
    if ((args->flags & VIR_DOMAIN_TIME_SYNC) == 0) {
        if (args->seconds < 0 || args->seconds >= G_MAXINT64 / G_GINT64_CONSTANT(1000000000) ||
            args->nseconds >= 1000000000) {
            kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                           "Time '%" G_GINT64_FORMAT "' is too big for guest agent",
                           (gint64)args->seconds);
            return;
        }
        arguments = json_object_new();
        json_object_set_int_member(arguments, "time",
                                   args->seconds * G_GINT64_CONSTANT(1000000000) + args->nseconds);
    }
    kiln_ops_agent_ask(call, &args->dom, "guest-set-time", arguments, on_done, call);
}

/* ---- File systems ---- */

static void
on_fstrim(KilnCall *call, gconstpointer data)
{
    const remote_domain_fstrim_args *args = data;
    JsonObject *arguments;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->mountPoint != NULL) {
        kiln_call_fail(call, VIR_ERR_ARGUMENT_UNSUPPORTED,
                       "Specifying mount point is not supported for now");
        return;
    }
    arguments = json_object_new();
    json_object_set_int_member(arguments, "minimum", (gint64)MIN(args->minimum, G_MAXINT64));
    kiln_ops_agent_ask(call, &args->dom, "guest-fstrim", arguments, on_done, call);
}

/* Freezing and thawing give how many; both answers have one int. */
static void
on_count_answer(JsonNode *answer, const GError *error, gpointer data)
{
    remote_domain_fsfreeze_ret ret = { 0 };

    if (error != NULL) {
        kiln_call_fail_error(data, error);
        return;
    }
    if (answer == NULL || json_node_get_value_type(answer) != G_TYPE_INT64) {
        fail_malformed(data, "the number of file systems");
        return;
    }
    ret.filesystems = (int)CLAMP(json_node_get_int(answer), 0, G_MAXINT);
    kiln_call_reply(data, &ret);
}

static JsonArray *
array_of(char *const *texts, guint n)
{
    JsonArray *array = json_array_new();

    for (guint i = 0; i < n; i++)
        json_array_add_string_element(array, texts[i]);
    return array;
}

static void
on_fsfreeze(KilnCall *call, gconstpointer data)
{
    const remote_domain_fsfreeze_args *args = data;
    JsonObject *arguments = NULL;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->mountpoints.mountpoints_len > 0) {
        arguments = json_object_new();
        json_object_set_array_member(
            arguments, "mountpoints",
            array_of(args->mountpoints.mountpoints_val, args->mountpoints.mountpoints_len));
    }
    kiln_ops_agent_ask(call, &args->dom,
                       arguments != NULL ? "guest-fsfreeze-freeze-list" : "guest-fsfreeze-freeze",
                       arguments, on_count_answer, call);
}

static void
on_fsthaw(KilnCall *call, gconstpointer data)
{
    const remote_domain_fsthaw_args *args = data;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->mountpoints.mountpoints_len > 0)
        kiln_call_fail(call, VIR_ERR_ARGUMENT_UNSUPPORTED,
                       "specifying mountpoints is not supported");
    else
        kiln_ops_agent_ask(call, &args->dom, "guest-fsfreeze-thaw", NULL, on_count_answer, call);
}

/* ---- Users ---- */

static void
on_set_user_password(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_user_password_args *args = data;
    g_autofree char *password = NULL;
    JsonObject *arguments;

    if (!kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_PASSWORD_ENCRYPTED))
        return;
    if (args->user == NULL || args->password == NULL) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "user and password must not be NULL");
        return;
    }
    password = g_base64_encode((const guchar *)*args->password, strlen(*args->password));
    arguments = json_object_new();
    json_object_set_boolean_member(arguments, "crypted",
                                   (args->flags & VIR_DOMAIN_PASSWORD_ENCRYPTED) != 0);
    json_object_set_string_member(arguments, "username", *args->user);
    json_object_set_string_member(arguments, "password", password);
    kiln_ops_agent_ask(call, &args->dom, "guest-set-user-password", arguments, on_done, call);
}

static void
on_keys_answer(JsonNode *answer, const GError *error, gpointer data)
{
    JsonArray *keys = kiln_json_list(kiln_json_object(answer), "keys");
    guint n = kiln_json_length(keys);
    remote_domain_authorized_ssh_keys_get_ret ret = { { 0 } };
    g_autofree char **texts = NULL;

    if (error != NULL) {
        kiln_call_fail_error(data, error);
        return;
    }
    if (keys == NULL || n > REMOTE_DOMAIN_AUTHORIZED_SSH_KEYS_MAX) {
        fail_malformed(data, "'keys'");
        return;
    }
    texts = g_new0(char *, n + 1);
    for (guint i = 0; i < n; i++) {
        texts[i] = (char *)kiln_json_text_at(keys, i);
        if (texts[i] == NULL) {
            fail_malformed(data, "a key");
            return;
        }
    }
    ret.keys.keys_len = n;
    ret.keys.keys_val = texts;
    kiln_call_reply(data, &ret);
}

static void
on_ssh_keys_get(KilnCall *call, gconstpointer data)
{
    const remote_domain_authorized_ssh_keys_get_args *args = data;
    JsonObject *arguments;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    arguments = json_object_new();
    json_object_set_string_member(arguments, "username", args->user);
    kiln_ops_agent_ask(call, &args->dom, "guest-ssh-get-authorized-keys", arguments, on_keys_answer,
                       call);
}

static void
on_ssh_keys_set(KilnCall *call, gconstpointer data)
{
    const remote_domain_authorized_ssh_keys_set_args *args = data;
    const unsigned append = VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND;
    const unsigned remove = VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE;
    JsonObject *arguments;

    if (!kiln_ops_check_flags(call, args->flags, append | remove) ||
        !kiln_ops_exclusive_flags(call, args->flags, append,
                                  "VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND", remove,
                                  "VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE"))
        return;
    if (args->keys.keys_len == 0 && (args->flags & (append | remove)) != 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "keys must not be empty");
        return;
    }
    arguments = json_object_new();
    json_object_set_string_member(arguments, "username", args->user);
    json_object_set_array_member(arguments, "keys",
                                 array_of(args->keys.keys_val, args->keys.keys_len));
    if ((args->flags & remove) == 0)
        json_object_set_boolean_member(arguments, "reset", (args->flags & append) == 0);
    kiln_ops_agent_ask(call, &args->dom,
                       (args->flags & remove) != 0 ? "guest-ssh-remove-authorized-keys"
                                                   : "guest-ssh-add-authorized-keys",
                       arguments, on_done, call);
}

/* ---- The agent itself ---- */

static void
on_set_timeout(KilnCall *call, gconstpointer data)
{
    const remote_domain_agent_set_response_timeout_args *args = data;
    remote_domain_agent_set_response_timeout_ret ret = { 0 };
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->timeout < VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "guest agent timeout '%d' is less than the minimum '%d'", args->timeout,
                       VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK);
        return;
    }
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    agent_of(guest)->timeout_s = args->timeout;
    kiln_call_reply(call, &ret);
}

static void
on_text_answer(const char *line, const GError *error, gpointer data)
{
    remote_string text = (char **)&line;
    qemu_domain_agent_command_ret ret = { text };

    if (error != NULL)
        kiln_call_fail_error(data, error);
    else
        kiln_call_reply(data, &ret);
}

static void
on_agent_command(KilnCall *call, gconstpointer data)
{
    const qemu_domain_agent_command_args *args = data;
    KilnGuest *guest;
    const GuestAgent *of;
    g_autoptr(GError) error = NULL;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->timeout < VIR_DOMAIN_QEMU_AGENT_COMMAND_MIN) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "guest agent timeout '%d' is less than the minimum '%d'", args->timeout,
                       VIR_DOMAIN_QEMU_AGENT_COMMAND_MIN);
        return;
    }
    guest = kiln_ops_guest(call, &args->dom);
    of = guest != NULL ? ready_agent(guest, &error) : NULL;
    if (of != NULL)
        kiln_agent_command_text(of->agent, args->cmd, args->timeout, on_text_answer, call);
    else if (error != NULL)
        kiln_call_fail_error(call, error);
}

#define WRITE KILN_ACCESS_WRITE

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_HOSTNAME, domain_get_hostname, WRITE, on_get_hostname),
    KILN_PROC(DOMAIN_GET_TIME, domain_get_time, WRITE, on_get_time),
    KILN_PROC_ARGS(DOMAIN_SET_TIME, domain_set_time, WRITE, on_set_time),
    KILN_PROC_ARGS(DOMAIN_FSTRIM, domain_fstrim, WRITE, on_fstrim),
    KILN_PROC(DOMAIN_FSFREEZE, domain_fsfreeze, WRITE, on_fsfreeze),
    KILN_PROC(DOMAIN_FSTHAW, domain_fsthaw, WRITE, on_fsthaw),
    KILN_PROC_ARGS(DOMAIN_SET_USER_PASSWORD, domain_set_user_password, WRITE, on_set_user_password),
    KILN_PROC(DOMAIN_AUTHORIZED_SSH_KEYS_GET, domain_authorized_ssh_keys_get, WRITE,
              on_ssh_keys_get),
    KILN_PROC_ARGS(DOMAIN_AUTHORIZED_SSH_KEYS_SET, domain_authorized_ssh_keys_set, WRITE,
                   on_ssh_keys_set),
    KILN_PROC(DOMAIN_AGENT_SET_RESPONSE_TIMEOUT, domain_agent_set_response_timeout, WRITE,
              on_set_timeout),
};

const KilnProcedureTable kiln_ops_agent = { rows, G_N_ELEMENTS(rows) };

static const KilnProcedure qemu_rows[] = {
    {
        .number = QEMU_PROC_DOMAIN_AGENT_COMMAND,
        .name = "DOMAIN_AGENT_COMMAND",
        .access = KILN_ACCESS_WRITE,
        .args = (xdrproc_t)xdr_qemu_domain_agent_command_args,
        .args_size = sizeof(qemu_domain_agent_command_args),
        .ret = (xdrproc_t)xdr_qemu_domain_agent_command_ret,
        .ret_size = sizeof(qemu_domain_agent_command_ret),
        .handle = on_agent_command,
    },
};

const KilnProcedureTable kiln_ops_qemu = { qemu_rows, G_N_ELEMENTS(qemu_rows) };
