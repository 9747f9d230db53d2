/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command -> queue -> connect -> 0xFF guest-sync-delimited -> its number comes back behind a 0xFF
 * -> the command itself -> the next line is its answer
 *
 * Whatever an agent still had to say to an earlier command stands before the 0xFF, and is dropped
 * there (QEMU guest agent protocol reference, guest-sync-delimited).
 */
#include "agent/agent.h"

#include "agent/reader.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "error/vir-error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* IDLE -> SYNCING (the mark and a number are sent; lines are dropped until it comes back) -> ASKED
 * (the command is sent; the next line is its answer) -> IDLE. */
typedef enum {
    AGENT_IDLE,
    AGENT_SYNCING,
    AGENT_ASKED,
} AgentState;

typedef struct {
    KilnAgent *agent;
    char *name;    /* (owned) */
    char *line;    /* (owned): as it is sent */
    int timeout_s; /* as kiln_agent_command() */
    gboolean silent;
    guint waiting; /* source: it has waited too long */
    KilnAgentAnswer answered;
    void (*answered_text)(const char *line, const GError *error, gpointer data);
    gpointer data;
} AgentCommand;

struct KilnAgent {
    guint references; /* the owner's, and one for each callback under way */
    gboolean freed;
    char *path;              /* (owned) */
    KilnAgentReader *reader; /* (owned) */
    KilnFd fd;               /* -1: not connected */
    guint readable;          /* sources; 0: none */
    guint writable;
    guint timer;
    guint starting;
    GByteArray *output; /* (owned): to be sent, from `sent` on */
    gsize sent;
    GQueue commands; /* of AgentCommand (owned); the first is under way unless AGENT_IDLE */
    AgentState state;
    gint64 number; /* of the last sync */
};

static void start_soon(KilnAgent *agent);

static void
clear_source(guint *id)
{
    if (*id != 0)
        g_source_remove(*id);
    *id = 0;
}

static void
command_free(AgentCommand *command)
{
    clear_source(&command->waiting);
    g_free(command->name);
    g_free(command->line);
    g_free(command);
}

static void
disconnect_agent(KilnAgent *agent)
{
    clear_source(&agent->readable);
    clear_source(&agent->writable);
    kiln_fd_clear(&agent->fd);
    kiln_agent_reader_reset(agent->reader);
    g_byte_array_set_size(agent->output, 0);
    agent->sent = 0;
}

static void
release(KilnAgent *agent)
{
    if (--agent->references > 0)
        return;
    kiln_agent_reader_free(agent->reader);
    g_byte_array_unref(agent->output);
    g_free(agent->path);
    g_free(agent);
}

/* Tells how a command ended, which may free the agent: callers hold a reference. */
static void
tell(AgentCommand *command, JsonNode *answer, const char *text, const GError *error)
{
    if (command->answered_text != NULL)
        command->answered_text(text, error, command->data);
    else if (command->answered != NULL)
        command->answered(answer, error, command->data);
    command_free(command);
}

/* Ends the command that is under way. */
static void
finish(KilnAgent *agent, JsonNode *answer, const char *text, const GError *error)
{
    AgentCommand *command = g_queue_pop_head(&agent->commands);

    clear_source(&agent->timer);
    agent->state = AGENT_IDLE;
    if (command != NULL)
        tell(command, answer, text, error);
    if (!agent->freed)
        start_soon(agent);
}

static void
fail(KilnAgent *agent, int code, const char *what)
{
    g_autoptr(GError) error = NULL;

    kiln_vir_error_set(&error, code, "%s", what);
    finish(agent, NULL, NULL, error);
}

/* The connection is gone, or not fit to be used any more. */
static void
lose(KilnAgent *agent, const char *what)
{
    const AgentCommand *command = g_queue_peek_head(&agent->commands);

    disconnect_agent(agent);
    if (agent->state == AGENT_IDLE || command == NULL)
        return;
    if (agent->state == AGENT_ASKED && command->silent)
        finish(agent, NULL, NULL, NULL); /* the guest has gone, as it was asked to */
    else
        fail(agent, VIR_ERR_AGENT_UNRESPONSIVE, what);
}

/* ---- Sending ---- */

static gboolean
flush(KilnAgent *agent)
{
    while (agent->sent < agent->output->len) {
        ssize_t n = send(agent->fd, agent->output->data + agent->sent,
                         agent->output->len - agent->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return TRUE;
        if (n <= 0)
            return FALSE;
        agent->sent += (gsize)n;
    }
    g_byte_array_set_size(agent->output, 0);
    agent->sent = 0;
    return TRUE;
}

static gboolean
on_writable(gint fd, GIOCondition condition, gpointer data)
{
    KilnAgent *agent = data;

    (void)fd;
    (void)condition;
    if (flush(agent)) {
        if (agent->output->len > 0)
            return G_SOURCE_CONTINUE;
        agent->writable = 0;
        return G_SOURCE_REMOVE;
    }
    agent->writable = 0;
    agent->references++;
    lose(agent, "Guest agent disappeared while executing command");
    release(agent);
    return G_SOURCE_REMOVE;
}

/* What cannot be sent now is sent later, and a lost connection is seen by the reader. */
static void
send_soon(KilnAgent *agent, const char *text, gsize length)
{
    g_byte_array_append(agent->output, (const guint8 *)text, (guint)length);
    if (agent->writable == 0)
        agent->writable = g_unix_fd_add(agent->fd, G_IO_OUT, on_writable, agent);
}

static gboolean
on_timeout(gpointer data)
{
    KilnAgent *agent = data;
    const AgentCommand *command = g_queue_peek_head(&agent->commands);

    agent->timer = 0;
    agent->references++;
    if (agent->state == AGENT_ASKED && command->silent) {
        finish(agent, NULL, NULL, NULL);
    } else {
        /* What it says later belongs to nobody; a half-sent command may stay half. */
        if (agent->output->len > 0)
            disconnect_agent(agent);
        fail(agent, VIR_ERR_AGENT_UNRESPONSIVE, "Guest agent not available for now");
    }
    release(agent);
    return G_SOURCE_REMOVE;
}

static void
set_timer(KilnAgent *agent, guint ms)
{
    clear_source(&agent->timer);
    agent->timer = g_timeout_add(ms, on_timeout, agent);
}

static guint
milliseconds(int timeout_s)
{
    if (timeout_s == 0)
        return 50;
    return timeout_s < 0 ? KILN_AGENT_SYNC_MS : (guint)MIN(timeout_s, G_MAXINT / 1000) * 1000;
}

static void
begin_sync(KilnAgent *agent, const AgentCommand *command)
{
    g_autofree char *line = NULL;

    agent->number++;
    line = g_strdup_printf(
        "%c{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%" G_GINT64_FORMAT "}}\n",
        KILN_AGENT_MARK, agent->number);
    agent->state = AGENT_SYNCING;
    send_soon(agent, line, strlen(line));
    set_timer(agent, MIN(milliseconds(command->timeout_s), (guint)KILN_AGENT_SYNC_MS));
}

static void
ask(KilnAgent *agent)
{
    const AgentCommand *command = g_queue_peek_head(&agent->commands);

    agent->state = AGENT_ASKED;
    send_soon(agent, command->line, strlen(command->line));
    clear_source(&agent->timer);
    if (command->silent)
        set_timer(agent, KILN_AGENT_SILENCE_MS);
    else if (command->timeout_s != -2)
        set_timer(agent, milliseconds(command->timeout_s));
}

/* ---- What the agent says ---- */

static const char *
member_text(JsonObject *object, const char *name)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, name) : NULL;

    return node != NULL && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : NULL;
}

/* The agent's own text, which anybody may have written, is bounded. */
static void
fail_as_told(KilnAgent *agent, JsonNode *told)
{
    const AgentCommand *command = g_queue_peek_head(&agent->commands);
    JsonObject *object =
        told != NULL && JSON_NODE_HOLDS_OBJECT(told) ? json_node_get_object(told) : NULL;
    const char *class = member_text(object, "class");
    const char *description = member_text(object, "desc");
    g_autofree char *text = NULL;
    gboolean unknown =
        g_strcmp0(class, "CommandNotFound") == 0 || g_strcmp0(class, "CommandDisabled") == 0;

    if (description == NULL)
        description = class != NULL ? class : "unknown QEMU command error";
    text = g_strdup_printf("unable to execute QEMU agent command '%.64s': %.1024s", command->name,
                           description);
    if (!g_utf8_validate(text, -1, NULL)) { /* cut within a character */
        char *whole = g_utf8_make_valid(text, -1);

        g_free(text);
        text = whole;
    }
    fail(agent, unknown ? VIR_ERR_OPERATION_UNSUPPORTED : VIR_ERR_INTERNAL_ERROR, text);
}

static void
on_answer(KilnAgent *agent, const KilnAgentLine *line)
{
    JsonObject *object;

    if (line->node == NULL) {
        fail(agent, VIR_ERR_INTERNAL_ERROR, "the guest agent's answer is not a JSON object");
        return;
    }
    object = json_node_get_object(line->node);
    if (json_object_has_member(object, "error"))
        fail_as_told(agent, json_object_get_member(object, "error"));
    else if (json_object_has_member(object, "return"))
        finish(agent, json_object_get_member(object, "return"), line->text, NULL);
    else
        fail(agent, VIR_ERR_INTERNAL_ERROR,
             "the guest agent's answer has neither 'return' nor 'error'");
}

static gboolean
is_our_number(const KilnAgent *agent, const KilnAgentLine *line)
{
    JsonNode *node = line->node != NULL && line->marked
                         ? json_object_get_member(json_node_get_object(line->node), "return")
                         : NULL;

    return node != NULL && json_node_get_value_type(node) == G_TYPE_INT64 &&
           json_node_get_int(node) == agent->number;
}

static void
on_line(KilnAgent *agent, const KilnAgentLine *line)
{
    switch (agent->state) {
    case AGENT_IDLE: break; /* late, or uncalled for */
    case AGENT_SYNCING:
        if (is_our_number(agent, line))
            ask(agent);
        break;
    case AGENT_ASKED: on_answer(agent, line); break;
    }
}

static void
on_bytes(KilnAgent *agent, const void *bytes, gsize n)
{
    if (!kiln_agent_reader_feed(agent->reader, bytes, n)) {
        lose(agent, "the guest agent's answer is too long");
        return;
    }
    while (!agent->freed) {
        g_auto(KilnAgentLine) line = { NULL };

        if (!kiln_agent_reader_next(agent->reader, &line))
            return;
        on_line(agent, &line);
    }
}

/* A chunk a turn, so that an agent that never stops talking stops nobody else. */
static gboolean
on_readable(gint fd, GIOCondition condition, gpointer data)
{
    KilnAgent *agent = data;
    guint8 bytes[64 * 1024];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    gboolean stays;

    (void)condition;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    agent->references++;
    if (n <= 0)
        lose(agent, "Guest agent disappeared while executing command");
    else
        on_bytes(agent, bytes, (gsize)n);
    stays = agent->fd >= 0;
    release(agent);
    return stays;
}

/* ---- One command after the other ---- */

static gboolean
connect_agent(KilnAgent *agent, GError **error)
{
    agent->fd = kiln_unix_connect(agent->path, error);
    if (agent->fd < 0)
        return FALSE;
    agent->readable = g_unix_fd_add(agent->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, agent);
    return TRUE;
}

static gboolean
on_start(gpointer data)
{
    KilnAgent *agent = data;
    AgentCommand *command = g_queue_peek_head(&agent->commands);
    g_autoptr(GError) error = NULL;

    agent->starting = 0;
    if (command == NULL || agent->state != AGENT_IDLE)
        return G_SOURCE_REMOVE;
    agent->references++;
    clear_source(&command->waiting);
    if (agent->fd < 0 && !connect_agent(agent, &error)) {
        g_autofree char *what =
            g_strdup_printf("QEMU guest agent is not connected: %s", error->message);

        fail(agent, VIR_ERR_AGENT_UNRESPONSIVE, what);
    } else {
        begin_sync(agent, command);
    }
    release(agent);
    return G_SOURCE_REMOVE;
}

static void
start_soon(KilnAgent *agent)
{
    if (agent->starting == 0 && !g_queue_is_empty(&agent->commands))
        agent->starting = g_idle_add(on_start, agent);
}

static gboolean
on_waited(gpointer data)
{
    AgentCommand *command = data;
    KilnAgent *agent = command->agent;
    g_autoptr(GError) error = NULL;

    command->waiting = 0;
    if (g_queue_peek_head(&agent->commands) == command) /* its turn came at this very moment */
        return G_SOURCE_REMOVE;
    agent->references++;
    g_queue_remove(&agent->commands, command);
    kiln_vir_error_set(&error, VIR_ERR_OPERATION_TIMEOUT,
                       "cannot acquire state change lock: the guest agent is busy with '%s'",
                       ((const AgentCommand *)g_queue_peek_head(&agent->commands))->name);
    tell(command, NULL, NULL, error);
    release(agent);
    return G_SOURCE_REMOVE;
}

static AgentCommand *
add_command(KilnAgent *agent, const char *name, char *line, int timeout_s, gpointer data)
{
    AgentCommand *command = g_new0(AgentCommand, 1);

    command->agent = agent;
    command->name = g_strdup(name);
    command->line = line;
    command->timeout_s = timeout_s;
    command->data = data;
    if (!g_queue_is_empty(&agent->commands))
        command->waiting = g_timeout_add(KILN_AGENT_QUEUE_MS, on_waited, command);
    g_queue_push_tail(&agent->commands, command);
    if (agent->state == AGENT_IDLE)
        start_soon(agent);
    return command;
}

/* Returns: (transfer full): a line for the agent. */
static char *
format_command(const char *name, JsonNode *arguments)
{
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    g_autofree char *text = NULL;

    json_object_set_string_member(object, "execute", name);
    if (arguments != NULL)
        json_object_set_member(object, "arguments", arguments);
    json_node_take_object(root, object);
    text = json_to_string(root, FALSE);
    return g_strconcat(text, "\n", NULL);
}

void
kiln_agent_command(KilnAgent *agent, const char *command, JsonNode *arguments, int timeout_s,
                   KilnAgentAnswer answered, gpointer data)
{
    add_command(agent, command, format_command(command, arguments), timeout_s, data)->answered =
        answered;
}

void
kiln_agent_command_silent(KilnAgent *agent, const char *command, JsonNode *arguments,
                          KilnAgentAnswer answered, gpointer data)
{
    AgentCommand *added = add_command(agent, command, format_command(command, arguments), -1, data);

    added->answered = answered;
    added->silent = TRUE;
}

/* A user's text is formatted anew: one line, and nothing but one command. */
void
kiln_agent_command_text(KilnAgent *agent, const char *text, int timeout_s,
                        void (*answered)(const char *line, const GError *error, gpointer data),
                        gpointer data)
{
    g_autoptr(JsonNode) root = kiln_agent_parse(text, strlen(text));
    const char *name = root != NULL ? member_text(json_node_get_object(root), "execute") : NULL;
    g_autofree char *whole = NULL;

    if (root == NULL) {
        g_autoptr(GError) error = NULL;

        kiln_vir_error_set(&error, VIR_ERR_INTERNAL_ERROR, "cannot parse json: not an object");
        answered(NULL, error, data);
        return;
    }
    whole = json_to_string(root, FALSE);
    add_command(agent, name != NULL ? name : "<unknown>", g_strconcat(whole, "\n", NULL), timeout_s,
                data)
        ->answered_text = answered;
}

KilnAgent *
kiln_agent_new(const char *path)
{
    KilnAgent *agent = g_new0(KilnAgent, 1);

    agent->references = 1;
    agent->path = g_strdup(path);
    agent->reader = kiln_agent_reader_new();
    agent->fd = -1;
    agent->output = g_byte_array_new();
    agent->number = g_get_monotonic_time(); /* as nobody guesses who answered an earlier daemon */
    g_queue_init(&agent->commands);
    return agent;
}

void
kiln_agent_free(KilnAgent *agent)
{
    AgentCommand *command;
    g_autoptr(GError) error = NULL;

    if (agent == NULL)
        return;
    agent->freed = TRUE;
    clear_source(&agent->starting);
    clear_source(&agent->timer);
    disconnect_agent(agent);
    kiln_vir_error_set(&error, VIR_ERR_AGENT_UNRESPONSIVE,
                       "Guest agent disappeared while executing command");
    while ((command = g_queue_pop_head(&agent->commands)) != NULL) {
        gboolean gone = agent->state == AGENT_ASKED && command->silent;

        agent->state = AGENT_IDLE;
        tell(command, NULL, NULL, gone ? NULL : error);
    }
    release(agent);
}
