/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * docs/libvirt-calls.md lists every procedure of libvirt's protocol and what the daemon's tables
 * say of it.  KILN_TEST_REGENERATE=1 writes it anew.
 */
#include "ops/driver.h"
#include "relay/relay.h"
#include "rpc/authenticate.h"
#include "rpc/connection.h"
#include "rpc/events.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

enum {
    N_PROCEDURES = 443, /* of libvirt 9.0 */
    MAX_NUMBER = 600,   /* later ones are there as far as they are known */
};

static const char intro[] =
    "# libvirt's calls\n"
    "\n"
    "Every procedure of libvirt's remote protocol, 443 of them in libvirt 9.0, and whether "
    "`virtkilnd` has it.  Made from "
    "the\n"
    "daemon's own tables by `tests/docs/calls-test` with `KILN_TEST_REGENERATE=1`.\n"
    "\n"
    "- **yes**: done by kiln; what of it depends on the guest is told by the call's own errors.\n"
    "- **refused**: answered with `VIR_ERR_OPERATION_UNSUPPORTED` and the reason.\n"
    "- **not yet**: answered with `VIR_ERR_NO_SUPPORT`.\n"
    "- **relayed**: passed to the stock daemon that has networks, storage, node devices, "
    "interfaces,\n"
    "  secrets or network filters, where there is one.\n"
    "- **event**: a message from the daemon, not a call.\n"
    "- **not applicable**: no client of a kiln connection calls it, for the reason given.\n"
    "\n"
    "Read-only connections may use what has *ro*.\n"
    "\n";

/* ---- The protocol ---------------------------------------------------------------------------- */

/* Names by number, from the enum of protocol.x. */
static GPtrArray *
read_names(void)
{
    g_autofree char *path = kiln_test_source("driver/rpc/protocol.x");
    g_autofree char *text = NULL;
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    const char *at;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    g_ptr_array_set_size(names, MAX_NUMBER + 1);
    for (at = strstr(text, "REMOTE_PROC_"); at != NULL; at = strstr(at, "REMOTE_PROC_")) {
        gsize length;

        at += strlen("REMOTE_PROC_");
        length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (g_str_has_prefix(at + length, " = ")) {
            guint64 number = g_ascii_strtoull(at + length + 3, NULL, 10);

            ck_assert_uint_le(number, MAX_NUMBER);
            names->pdata[number] = g_strndup(at, length);
        }
    }
    return names;
}

/* ---- The tables ------------------------------------------------------------------------------ */

/* A row of a number, or NULL; a second one is our own mistake. */
static const KilnProcedure *
find_in(const KilnProcedureTable *table, int number, const KilnProcedure *found)
{
    for (guint i = 0; i < table->n_rows; i++) {
        if (table->rows[i].number != number)
            continue;
        ck_assert_msg(found == NULL, "two rows for %s", table->rows[i].name);
        found = &table->rows[i];
    }
    return found;
}

static const KilnProcedure *
find(int number, gboolean *relayed)
{
    const KilnProcedure *found = NULL;

    for (guint i = 0; kiln_ops_tables[i] != NULL; i++)
        found = find_in(kiln_ops_tables[i], number, found);
    found = find_in(&kiln_auth_table, number, found);
    found = find_in(&kiln_connection_table, number, found);
    found = find_in(&kiln_events_table, number, found);
    *relayed = found == NULL;
    return find_in(&kiln_relay_table, number, found);
}

/* Why nobody calls it. */
static const char *
reason_of(const char *name)
{
    static const struct {
        const char *prefix, *why;
    } rows[] = {
        { "CONNECT_DOMAIN_EVENT_REGISTER",
          "of libvirt before 1.2.1; clients register by callback" },
        { "CONNECT_DOMAIN_EVENT_DEREGISTER",
          "of libvirt before 1.2.1; clients register by callback" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (g_str_has_prefix(name, rows[i].prefix))
            return rows[i].why;
    return NULL;
}

static gboolean
is_event(const char *name)
{
    return strstr(name, "_EVENT_") != NULL && strstr(name, "REGISTER") == NULL;
}

static char *
state_of(const char *name, int number)
{
    gboolean relayed;
    const KilnProcedure *row = find(number, &relayed);
    const char *access =
        row != NULL && row->access != KILN_ACCESS_WRITE && row->raw == NULL ? "ro" : "";

    if (row != NULL)
        ck_assert_str_eq(row->name, name);
    if (row != NULL && row->reason != NULL)
        return g_strdup_printf("refused | %s | %s", access, row->reason);
    if (row != NULL)
        return g_strdup_printf("%s | %s |", relayed ? "relayed" : "yes", access);
    if (is_event(name))
        return g_strdup("event | |");
    if (reason_of(name) != NULL)
        return g_strdup_printf("not applicable | | %s", reason_of(name));
    return g_strdup("not yet | |");
}

static char *
make_page(void)
{
    g_autoptr(GPtrArray) names = read_names();
    GString *page = g_string_new(intro);

    g_string_append(page, "| number | call | state | access | reason |\n|---:|---|---|---|---|\n");
    for (guint i = 1; i <= MAX_NUMBER; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *state = NULL;

        ck_assert_msg(name != NULL || i > N_PROCEDURES, "protocol.x has no procedure %u", i);
        if (name == NULL)
            continue;
        state = state_of(name, (int)i);
        g_string_append_printf(page, "| %u | %s | %s%s\n", i, name, state,
                               g_str_has_suffix(state, "|") ? "" : " |");
    }
    return g_string_free(page, FALSE);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

START_TEST(page_lists_the_tables)
{
    g_autofree char *path = kiln_test_source("docs/libvirt-calls.md");
    g_autofree char *wanted = make_page(), *page = NULL;

    if (g_getenv("KILN_TEST_REGENERATE") != NULL)
        ck_assert(g_file_set_contents(path, wanted, -1, NULL));
    ck_assert_msg(g_file_get_contents(path, &page, NULL, NULL), "%s is not there", path);
    ck_assert_msg(
        strcmp(page, wanted) == 0,
        "docs/libvirt-calls.md is not what the tables say: run tests/docs/calls-test with "
        "KILN_TEST_REGENERATE=1");
}
END_TEST

/* libvirt's rule: what its public calls refuse on read-only connections (virCheckReadOnlyGoto). */
START_TEST(writers_are_libvirts)
{
    static const char writers[] =
        "8-13 26-35 39-42 48 49 53-55 58 61-63 75-83 90 93 94 103 104 108 109 118-120 123-125 "
        "131-136 142 144-146 148 160 161 164-166 174 180-182 184 185 192 193 196 197 199 201 204 "
        "205 207-211 213-222 225 226 231-237 239 240 242 245 249-252 254 256 258-261 264 266 267 "
        "277 279 288 290 291 294-296 300-310 334-338 342 343 345 347 349 350 352 355-358 364 366 "
        "371 372 384 386 389 390 392-396 399 400 402 406 408 410 411 417 418 420 421 424 425 "
        "427-434 437 439-443";
    g_auto(GStrv) ranges = g_strsplit(writers, " ", -1);
    GString *wrong = g_string_new(NULL);

    for (char **range = ranges; *range != NULL; range++) {
        const char *dash = strchr(*range, '-');
        int first = (int)g_ascii_strtoull(*range, NULL, 10);
        int last = dash != NULL ? (int)g_ascii_strtoull(dash + 1, NULL, 10) : first;

        for (int number = first; number <= last; number++) {
            gboolean relayed;
            const KilnProcedure *row = find(number, &relayed);

            /* What is relayed is refused upstream, where the connection is read-only too. */
            if (row != NULL && !relayed && row->raw == NULL && row->access != KILN_ACCESS_WRITE)
                g_string_append_printf(wrong, " %s", row->name);
        }
    }
    ck_assert_msg(wrong->len == 0, "read-only connections may not:%s", wrong->str);
    g_string_free(wrong, TRUE);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("docs/calls");
    TCase *all = kiln_test_case(suite, "calls");

    tcase_add_test(all, page_lists_the_tables);
    tcase_add_test(all, writers_are_libvirts);
    return suite;
}

KILN_TEST_MAIN(make_suite)
