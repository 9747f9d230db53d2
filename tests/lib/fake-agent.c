/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/fake-agent.h"

#include "base/fd.h"
#include "base/unix-socket.h"

#include <check.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

struct FakeAgent {
    KilnFd listener;
    KilnFd client;
    guint accepting;
    guint reading;
    GString *line;
    GHashTable *answers; /* command -> answer */
    char *chatter;
    gboolean answers_sync;
    char *last;
    guint connections;
};

static void
hang_up(FakeAgent *agent)
{
    if (agent->reading != 0)
        g_source_remove(agent->reading);
    agent->reading = 0;
    kiln_fd_clear(&agent->client);
}

static void
say(FakeAgent *agent, const char *text)
{
    ck_assert_int_eq(send(agent->client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void
on_sync(FakeAgent *agent, const char *line)
{
    const char *id = strstr(line, "\"id\":");
    g_autofree char *answer = NULL;

    ck_assert_ptr_nonnull(id);
    if (agent->chatter != NULL)
        say(agent, agent->chatter);
    if (!agent->answers_sync)
        return;
    answer = g_strdup_printf("\xff{\"return\": %" G_GINT64_FORMAT "}\n",
                             g_ascii_strtoll(id + strlen("\"id\":"), NULL, 10));
    say(agent, answer);
}

static void
on_line(FakeAgent *agent, const char *line)
{
    const char *mark = strrchr(line, '\xff');
    GHashTableIter iter;
    gpointer command;
    gpointer answer;

    if (mark != NULL)
        line = mark + 1;
    if (strstr(line, "\"guest-sync-delimited\"") != NULL) {
        on_sync(agent, line);
        return;
    }
    g_free(agent->last);
    agent->last = g_strdup(line);
    g_hash_table_iter_init(&iter, agent->answers);
    while (g_hash_table_iter_next(&iter, &command, &answer)) {
        g_autofree char *quoted = g_strdup_printf("\"%s\"", (const char *)command);

        if (strstr(line, quoted) == NULL)
            continue;
        if (answer == NULL)
            hang_up(agent);
        else
            say(agent, answer);
        return;
    }
    say(agent, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command has not been "
               "found\"}}\n");
}

static gboolean
on_readable(gint fd, GIOCondition condition, gpointer data)
{
    FakeAgent *agent = data;
    char bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);

    (void)condition;
    if (n <= 0) {
        agent->reading = 0;
        kiln_fd_clear(&agent->client);
        return G_SOURCE_REMOVE;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            g_string_append_c(agent->line, bytes[i]);
            continue;
        }
        on_line(agent, agent->line->str);
        g_string_truncate(agent->line, 0);
    }
    return agent->client >= 0;
}

static gboolean
on_connection(gint fd, GIOCondition condition, gpointer data)
{
    FakeAgent *agent = data;

    (void)condition;
    hang_up(agent);
    g_string_truncate(agent->line, 0);
    agent->client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(agent->client, 0);
    agent->connections++;
    agent->reading = g_unix_fd_add(agent->client, G_IO_IN | G_IO_HUP, on_readable, agent);
    return G_SOURCE_CONTINUE;
}

FakeAgent *
fake_agent_new(const char *path)
{
    FakeAgent *agent = g_new0(FakeAgent, 1);
    GError *error = NULL;

    agent->client = -1;
    agent->answers_sync = TRUE;
    agent->line = g_string_new(NULL);
    agent->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    agent->listener = kiln_unix_listen(path, 8, &error);
    ck_assert_msg(error == NULL, "listen");
    agent->accepting = g_unix_fd_add(agent->listener, G_IO_IN, on_connection, agent);
    return agent;
}

void
fake_agent_free(FakeAgent *agent)
{
    if (agent == NULL)
        return;
    hang_up(agent);
    g_source_remove(agent->accepting);
    kiln_fd_clear(&agent->listener);
    g_string_free(agent->line, TRUE);
    g_hash_table_unref(agent->answers);
    g_free(agent->chatter);
    g_free(agent->last);
    g_free(agent);
}

void
fake_agent_answer(FakeAgent *agent, const char *command, const char *answer)
{
    g_hash_table_insert(agent->answers, g_strdup(command), g_strdup(answer));
}

void
fake_agent_chatter(FakeAgent *agent, const char *chatter, gboolean answers_sync)
{
    g_free(agent->chatter);
    agent->chatter = g_strdup(chatter);
    agent->answers_sync = answers_sync;
}

const char *
fake_agent_last(const FakeAgent *agent)
{
    return agent->last;
}

guint
fake_agent_connections(const FakeAgent *agent)
{
    return agent->connections;
}
