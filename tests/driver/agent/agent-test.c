/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/agent.h"

#include "agent/reader.h"
#include "error/vir-error.h"
#include "tests/lib/fake-agent.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

/* How commands ended, in their order. */
typedef struct {
    GMainLoop *loop;
    guint wanted; /* the loop ends after so many */
    guint n;
    GString *said; /* of each: its answer, or its error's text */
    int code;      /* of the last */
    KilnAgent *to_free;
} Ends;

static void
note(Ends *ends, const char *text, const GError *error)
{
    g_string_append_printf(ends->said, "%s;", error != NULL ? error->message : text);
    ends->code = error != NULL ? error->code : 0;
    if (error != NULL)
        ck_assert_uint_eq(error->domain, KILN_VIR_ERROR);
    if (ends->to_free != NULL)
        kiln_agent_free(g_steal_pointer(&ends->to_free));
    if (++ends->n >= ends->wanted)
        g_main_loop_quit(ends->loop);
}

static void
on_answer(JsonNode *answer, const GError *error, gpointer data)
{
    g_autofree char *text = answer != NULL ? json_to_string(answer, FALSE) : g_strdup("nothing");

    note(data, text, error);
}

static void
on_text(const char *line, const GError *error, gpointer data)
{
    note(data, line, error);
}

static char *dir;
static char *path;
static FakeAgent *fake;
static KilnAgent *agent;
static Ends ends;

static void
set_up(void)
{
    dir = kiln_test_dir();
    path = g_build_filename(dir, "agent", NULL);
    fake = fake_agent_new(path);
    agent = kiln_agent_new(path);
    ends = (Ends){ .loop = g_main_loop_new(NULL, FALSE), .wanted = 1, .said = g_string_new(NULL) };
}

static void
tear_down(void)
{
    kiln_agent_free(agent);
    fake_agent_free(fake);
    g_main_loop_unref(ends.loop);
    g_string_free(ends.said, TRUE);
    g_free(path);
    g_free(dir);
}

/* The answers of the next @n commands, each followed by ";". */
static const char *
run(guint n)
{
    ends.n = 0;
    ends.wanted = n;
    g_string_truncate(ends.said, 0);
    g_main_loop_run(ends.loop);
    return ends.said->str;
}

START_TEST(commands_are_answered_in_their_order)
{
    JsonObject *arguments = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_object_set_string_member(arguments, "mode", "list");
    json_node_take_object(node, arguments);
    fake_agent_answer(fake, "guest-ping", "{\"return\": {}}\n");
    fake_agent_answer(fake, "guest-get-time", "{\"return\": 12}\n");
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    kiln_agent_command(agent, "guest-get-time", node, -2, on_answer, &ends);
    ck_assert_uint_eq(ends.n, 0);
    ck_assert_str_eq(run(2), "{};12;");
    ck_assert_str_eq(fake_agent_last(fake),
                     "{\"execute\":\"guest-get-time\",\"arguments\":{\"mode\":\"list\"}}");
    ck_assert_uint_eq(fake_agent_connections(fake), 1);
}
END_TEST

START_TEST(an_error_has_the_agents_words)
{
    fake_agent_answer(fake, "guest-fsfreeze-freeze",
                      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"disk is busy\"}}\n");
    kiln_agent_command(agent, "guest-fsfreeze-freeze", NULL, -1, on_answer, &ends);
    ck_assert_str_eq(run(1),
                     "unable to execute QEMU agent command 'guest-fsfreeze-freeze': disk is busy;");
    ck_assert_int_eq(ends.code, VIR_ERR_INTERNAL_ERROR);
    kiln_agent_command(agent, "guest-nothing", NULL, -1, on_answer, &ends);
    run(1);
    ck_assert_int_eq(ends.code, VIR_ERR_OPERATION_UNSUPPORTED);
}
END_TEST

START_TEST(a_late_answer_belongs_to_nobody)
{
    fake_agent_answer(fake, "guest-slow", "");
    fake_agent_answer(fake, "guest-ping", "{\"return\": \"pong\"}\n");
    kiln_agent_command(agent, "guest-slow", NULL, 0, on_answer, &ends);
    run(1);
    ck_assert_int_eq(ends.code, VIR_ERR_AGENT_UNRESPONSIVE);
    /* It comes before the answer to the next sync, with a line cut in two. */
    fake_agent_chatter(fake, "{\"return\": \"late\"}\n{\"return\": \"la", TRUE);
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    ck_assert_str_eq(run(1), "\"pong\";");
}
END_TEST

START_TEST(an_agent_that_is_not_in_step_is_unresponsive)
{
    /* A sync's answer has the mark, and our number: neither of these has both. */
    fake_agent_chatter(
        fake, "{\"return\": 1}\n\xff{\"return\": 7}\n\xff[]\n\xff{\"return\": \"x\"}\n\xff\n",
        FALSE);
    fake_agent_answer(fake, "guest-ping", "{\"return\": {}}\n");
    kiln_agent_command(agent, "guest-ping", NULL, 0, on_answer, &ends);
    run(1);
    ck_assert_int_eq(ends.code, VIR_ERR_AGENT_UNRESPONSIVE);
    ck_assert_ptr_null(fake_agent_last(fake));
}
END_TEST

START_TEST(hostile_answers_end_the_command)
{
    static const char *const answers[] = {
        "\n",
        "[]\n",
        "null\n",
        "{\"return\"\n",
        "{\"retrun\": {}}\n",
        "{\"error\": 3}\n",
        "{\"error\": {\"class\": [], \"desc\": {}}}\n",
        "{\"return\": /* \" */ [[[[]]]]}\n",
        "{\"return\": '\\''}\n",
        "\xc3\x28\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        fake_agent_answer(fake, "guest-ping", answers[i]);
        kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
        run(1);
        ck_assert_msg(ends.code == VIR_ERR_INTERNAL_ERROR, "'%s' gave %s", answers[i],
                      ends.said->str);
    }
}
END_TEST

START_TEST(a_long_error_is_cut_between_characters)
{
    g_autoptr(GString) answer = g_string_new("{\"error\": {\"desc\": \"x");

    for (guint i = 0; i < 4000; i++)
        g_string_append(answer, "\xc3\xa4");
    g_string_append(answer, "\"}}\n");
    fake_agent_answer(fake, "guest-ping", answer->str);
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    run(1);
    ck_assert_uint_lt(ends.said->len, 1200);
    ck_assert(g_utf8_validate(ends.said->str, -1, NULL));
}
END_TEST

START_TEST(a_lost_connection_fails_and_comes_back)
{
    fake_agent_answer(fake, "guest-gone", NULL);
    fake_agent_answer(fake, "guest-ping", "{\"return\": {}}\n");
    kiln_agent_command(agent, "guest-gone", NULL, -2, on_answer, &ends);
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    ck_assert_str_eq(run(2), "Guest agent disappeared while executing command;{};");
    ck_assert_uint_eq(fake_agent_connections(fake), 2);
}
END_TEST

START_TEST(nobody_listens)
{
    fake_agent_free(g_steal_pointer(&fake));
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    run(1);
    ck_assert_int_eq(ends.code, VIR_ERR_AGENT_UNRESPONSIVE);
    ck_assert_ptr_nonnull(strstr(ends.said->str, "not connected"));
}
END_TEST

START_TEST(a_silent_command_ends_with_the_connection)
{
    fake_agent_answer(fake, "guest-shutdown", NULL);
    kiln_agent_command_silent(agent, "guest-shutdown", NULL, on_answer, &ends);
    ck_assert_str_eq(run(1), "nothing;");
    fake_agent_answer(fake, "guest-shutdown", "{\"error\": {\"desc\": \"no\"}}\n");
    kiln_agent_command_silent(agent, "guest-shutdown", NULL, on_answer, &ends);
    run(1);
    ck_assert_int_eq(ends.code, VIR_ERR_INTERNAL_ERROR);
}
END_TEST

/* The time of all commands that wait for others is over. */
static void
end_waits(void)
{
    enum { IDS = 1000, FAR_US = KILN_AGENT_QUEUE_MS * 1000 / 2 };

    for (guint id = 1; id < IDS; id++) {
        GSource *source = g_main_context_find_source_by_id(NULL, id);

        if (source != NULL && g_source_get_ready_time(source) > g_get_monotonic_time() + FAR_US)
            g_source_set_ready_time(source, 0);
    }
}

static void
on_answer_in_time(JsonNode *answer, const GError *error, gpointer data)
{
    end_waits();
    on_answer(answer, error, data);
}

START_TEST(who_waits_too_long_is_told_for_whom)
{
    kiln_agent_command(agent, "guest-ping", NULL, -2, on_answer, &ends);
    kiln_agent_command(agent, "guest-info", NULL, -1, on_answer, &ends);
    end_waits();
    ck_assert_str_eq(run(1), "cannot acquire state change lock: the guest agent is busy with "
                             "'guest-ping';");
}
END_TEST

START_TEST(a_turn_that_comes_at_the_last_moment_is_taken)
{
    fake_agent_answer(fake, "guest-ping", "{\"return\": 1}\n");
    fake_agent_answer(fake, "guest-info", "{\"return\": 2}\n");
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer_in_time, &ends);
    kiln_agent_command(agent, "guest-info", NULL, -1, on_answer, &ends);
    ck_assert_str_eq(run(2), "1;2;");
}
END_TEST

START_TEST(text_is_one_command_of_one_line)
{
    fake_agent_answer(fake, "guest-ping", "{\"return\": {}}\n");
    kiln_agent_command_text(agent, "{\n \"execute\" : \"guest-ping\"\n}", -1, on_text, &ends);
    ck_assert_str_eq(run(1), "{\"return\": {}};");
    ck_assert_str_eq(fake_agent_last(fake), "{\"execute\":\"guest-ping\"}");
    ends.wanted = 10;
    kiln_agent_command_text(agent, "guest-ping", -1, on_text, &ends);
    ck_assert_int_eq(ends.code, VIR_ERR_INTERNAL_ERROR);
}
END_TEST

START_TEST(freeing_ends_what_is_under_way)
{
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    kiln_agent_free(g_steal_pointer(&agent));
    ck_assert_uint_eq(ends.n, 2);
    ck_assert_int_eq(ends.code, VIR_ERR_AGENT_UNRESPONSIVE);
}
END_TEST

START_TEST(an_answer_may_free_the_agent)
{
    fake_agent_answer(fake, "guest-ping", "{\"return\": {}}\n{\"return\": {}}\n");
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    kiln_agent_command(agent, "guest-ping", NULL, -1, on_answer, &ends);
    ends.to_free = g_steal_pointer(&agent);
    ck_assert_str_eq(run(2), "{};Guest agent disappeared while executing command;");
}
END_TEST

START_TEST(depth_and_length_are_bounded)
{
    g_autofree char *open = g_strnfill(KILN_AGENT_DEPTH_MAX - 1, '[');
    g_autofree char *close = g_strnfill(KILN_AGENT_DEPTH_MAX - 1, ']');
    g_autofree char *fits = g_strdup_printf("{\"a\":%s%s}", open, close);
    g_autofree char *too_deep = g_strdup_printf("{\"a\":[%s%s]}", open, close);
    g_autofree char *chunk = g_strnfill(1024 * 1024, 'x');
    KilnAgentReader *reader = kiln_agent_reader_new();
    g_autoptr(JsonNode) node = kiln_agent_parse(fits, strlen(fits));
    guint fed = 0;

    ck_assert_ptr_nonnull(node);
    ck_assert_ptr_null(kiln_agent_parse(too_deep, strlen(too_deep)));
    while (fed < 100 && kiln_agent_reader_feed(reader, chunk, 1024 * 1024)) {
        KilnAgentLine line;

        ck_assert(!kiln_agent_reader_next(reader, &line));
        fed++;
    }
    ck_assert_uint_eq(fed, KILN_AGENT_LINE_MAX / (1024 * 1024));
    kiln_agent_reader_free(reader);
}
END_TEST

static Suite *
agent_suite(void)
{
    Suite *suite = suite_create("agent");
    TCase *tcase = kiln_test_case(suite, "agent");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, commands_are_answered_in_their_order);
    tcase_add_test(tcase, an_error_has_the_agents_words);
    tcase_add_test(tcase, a_late_answer_belongs_to_nobody);
    tcase_add_test(tcase, an_agent_that_is_not_in_step_is_unresponsive);
    tcase_add_test(tcase, hostile_answers_end_the_command);
    tcase_add_test(tcase, a_long_error_is_cut_between_characters);
    tcase_add_test(tcase, a_lost_connection_fails_and_comes_back);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, a_silent_command_ends_with_the_connection);
    tcase_add_test(tcase, who_waits_too_long_is_told_for_whom);
    tcase_add_test(tcase, a_turn_that_comes_at_the_last_moment_is_taken);
    tcase_add_test(tcase, text_is_one_command_of_one_line);
    tcase_add_test(tcase, freeing_ends_what_is_under_way);
    tcase_add_test(tcase, an_answer_may_free_the_agent);
    tcase_add_test(tcase, depth_and_length_are_bounded);
    return suite;
}

KILN_TEST_MAIN(agent_suite)
