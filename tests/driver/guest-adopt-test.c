/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What survives the daemon, and what others start; and a daemon that is killed at any instant. */
#include "base/fd.h"
#include "tests/driver/guest-fixture.h"
#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static Fixture f;

static void
set_up(void)
{
    fixture_open(&f);
}

static void
tear_down(void)
{
    fixture_close(&f);
}

/* It stays the file that is locked. */
static void
write_in_place(const char *path, const char *text)
{
    g_auto(KilnFd) fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    ck_assert_int_eq(kiln_write_full(fd, text, strlen(text), 0), 0);
}

START_TEST(what_runs_is_adopted)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "");
    pid_t pid;
    int reason;

    ck_assert(fixture_start(&f, web, 0));
    ck_assert_ptr_nonnull(fixture_create(&f, "transient", 2, ""));
    ck_assert_ptr_nonnull(fixture_define(&f, "off", 3, ""));
    pid = kiln_guest_pid(web);
    fixture_restart(&f);
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 3);
    web = kiln_guest_list_by_id(f.list, 1);
    ck_assert_ptr_nonnull(web);
    ck_assert_int_eq(kiln_guest_pid(web), pid);
    ck_assert(kiln_guest_is_persistent(web));
    ck_assert(!kiln_guest_is_persistent(kiln_guest_list_by_name(f.list, "transient")));
    ck_assert_str_eq(kiln_guest_live(web)->name, "web");
    ck_assert(fixture_call(&f, web, "Pause", NULL, KILN_GUEST_CALL_MS));
    fixture_until(kiln_guest_state(web, &reason) == VIR_DOMAIN_PAUSED);
    ck_assert(fixture_start(&f, kiln_guest_list_by_name(f.list, "off"), 0));
    ck_assert_int_eq(kiln_guest_id(kiln_guest_list_by_name(f.list, "off")), 3);
    ck_assert(fixture_destroy(&f, web));
}
END_TEST

START_TEST(a_stopped_one_is_adopted)
{
    KilnGuest *web = fixture_create(&f, "web", 1, "");

    (void)kill(kiln_guest_pid(web), SIGSTOP);
    fixture_restart(&f);
    web = kiln_guest_list_by_name(f.list, "web");
    ck_assert(kiln_guest_is_active(web));
    ck_assert_int_eq(kiln_guest_id(web), 1);
    ck_assert(fixture_destroy(&f, web));
}
END_TEST

/* What a guest that took over its process would have killed. */
START_TEST(a_claim_on_another_process_is_not_believed)
{
    KilnGuest *web = fixture_create(&f, "web", 1, "");
    g_autofree char *path = g_build_filename(f.runtime, "web.pid", NULL);
    g_autofree char *own = g_strdup_printf("%d\n", (int)kiln_guest_pid(web));
    pid_t victims[] = { getpid(), fork() };

    if (victims[1] == 0) {
        (void)alarm(20);
        (void)pause();
        _exit(0);
    }
    for (guint i = 0; i < G_N_ELEMENTS(victims); i++) {
        g_autofree char *text = g_strdup_printf("%d\n", (int)victims[i]);

        write_in_place(path, text);
        fixture_restart(&f);
        ck_assert_msg(kiln_guest_list_by_name(f.list, "web") == NULL, "process %s was taken", text);
    }
    write_in_place(path, own);
    fixture_restart(&f);
    ck_assert(kiln_guest_is_active(kiln_guest_list_by_name(f.list, "web")));
    (void)kill(victims[1], SIGKILL);
}
END_TEST

START_TEST(the_daemon_ends_while_one_starts)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "forever");

    kiln_guest_start(web, 0, fixture_done, &f);
    fixture_restart(&f);
    fixture_until(fixture_has_file(f.runtime, "web.sock"));
    fixture_restart(&f);
    web = kiln_guest_list_by_name(f.list, "web");
    ck_assert(kiln_guest_is_active(web)); /* it claimed its name: it is one that runs */
}
END_TEST

START_TEST(what_died_meanwhile_is_told)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "");
    KilnGuest *gone;
    pid_t pids[2];

    ck_assert(fixture_start(&f, web, 0));
    gone = fixture_create(&f, "gone", 2, "");
    pids[0] = kiln_guest_pid(web);
    pids[1] = kiln_guest_pid(gone);
    kiln_guest_list_free(g_steal_pointer(&f.list));
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    fixture_restart(&f);
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 1);
    fixture_until(fixture_told(&f, "web 5/5;"));
    while (fixture_has_file(f.runtime, "gone.xml") || fixture_has_file(f.runtime, "web.pid"))
        g_main_context_iteration(NULL, TRUE);
    ck_assert(!fixture_has_file(f.runtime, "web.sock"));
}
END_TEST

/* Not a child of ours. */
static void
run_beside(const char *name, guint uuid)
{
    g_autofree char *path = g_build_filename(f.dir, "beside.xml", NULL);
    g_autofree char *text = fixture_xml(name, uuid, "");
    char *argv[] = { f.program, (char *)"run", path, NULL };
    g_auto(GStrv) environment =
        g_environ_setenv(g_get_environ(), "KILN_RUNTIME_DIR", f.runtime, TRUE);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
    ck_assert(g_spawn_async(NULL, argv, environment, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL));
}

START_TEST(what_others_start_appears)
{
    KilnGuest *web;

    run_beside("web", 1);
    fixture_until(kiln_guest_list_by_name(f.list, "web") != NULL);
    web = kiln_guest_list_by_name(f.list, "web");
    ck_assert(fixture_told(&f, "web 2/0;"));
    ck_assert(!kiln_guest_is_persistent(web));
    ck_assert(fixture_define(&f, "web", 1, "") == web);
    fixture_restart(&f);
    web = kiln_guest_list_by_id(f.list, 1);
    ck_assert_ptr_nonnull(web);
    kiln_guest_call(web, "Play", g_variant_new("(s)", "poweroff"), NULL, -1, fixture_answered, &f);
    fixture_until(!kiln_guest_is_active(web));
    ck_assert_msg(fixture_told(&f, "web 6/1;web 5/0;"), "%s", f.news->str);
    ck_assert(kiln_guest_list_by_name(f.list, "web") == web);
}
END_TEST

START_TEST(another_ones_name_is_not_taken)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "");

    run_beside("web", 2);
    while (!fixture_has_file(f.runtime, "web.xml"))
        g_main_context_iteration(NULL, TRUE);
    ck_assert(!kiln_guest_is_active(web));
    ck_assert(!fixture_start(&f, web, 0));
    kiln_assert_error_has(f.error, "it runs already");
}
END_TEST

START_TEST(autostart_is_once)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "");

    ck_assert_ptr_nonnull(fixture_define(&f, "off", 2, ""));
    ck_assert_ptr_nonnull(fixture_define(&f, "broken", 3, "fail"));
    kiln_guest_set_autostart(web, TRUE, fixture_done, &f);
    fixture_wait(&f);
    kiln_guest_set_autostart(kiln_guest_list_by_name(f.list, "broken"), TRUE, fixture_done, &f);
    fixture_wait(&f);
    kiln_guest_list_autostart(f.list);
    while (!fixture_has_file(f.runtime, ".autostarted"))
        g_main_context_iteration(NULL, TRUE);
    ck_assert(kiln_guest_is_active(web));
    ck_assert(!kiln_guest_is_active(kiln_guest_list_by_name(f.list, "off")));
    ck_assert(fixture_destroy(&f, web));
    fixture_restart(&f);
    kiln_guest_list_autostart(f.list);
    ck_assert(!kiln_guest_is_active(kiln_guest_list_by_name(f.list, "web")));
}
END_TEST

/* ---- Killed ---- */

/* A daemon: defines, starts, destroys, undefines, until it is killed.  A process that one before it
 * began may claim a name late, so that starting may fail. */
static void G_GNUC_NORETURN
be_a_daemon(void)
{
    fixture_restart(&f);
    for (;;) {
        KilnGuest *a = fixture_define(&f, "a", 1, "");
        KilnGuest *b = fixture_create(&f, "b", 2, "");

        if (a == NULL)
            _exit(1);
        (void)fixture_start(&f, a, 0);
        kiln_guest_undefine(a, fixture_done, &f);
        fixture_wait(&f);
        if (f.error != NULL)
            _exit(2);
        if (b != NULL)
            (void)fixture_destroy(&f, b);
        fixture_sweep(&f);
    }
}

static void
check_one(KilnGuest *guest, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (kiln_guest_is_active(guest))
        ck_assert_int_eq(kill(kiln_guest_pid(guest), 0), 0);
    else
        ck_assert(kiln_guest_is_persistent(guest));
    if (kiln_guest_is_persistent(guest))
        kiln_domain_free(kiln_guest_definition(guest, &error));
    kiln_assert_no_error(error);
}

static gboolean
set_flag(gpointer flag)
{
    *(gboolean *)flag = TRUE;
    return G_SOURCE_REMOVE;
}

/* Whatever it died of, each domain is exactly before or after, and can be used. */
static void G_GNUC_NORETURN
be_the_next(void)
{
    gboolean settled = FALSE;
    const KilnGuest *a;

    fixture_restart(&f);
    kiln_guest_list_foreach(f.list, check_one, NULL);
    (void)g_timeout_add(5, set_flag, &settled); /* for a process that had not claimed its name */
    fixture_until(settled);
    kiln_guest_list_foreach(f.list, check_one, NULL);
    fixture_sweep(&f);
    if (kiln_guest_list_by_name(f.list, "a") != NULL) {
        kiln_guest_undefine(kiln_guest_list_by_name(f.list, "a"), fixture_done, &f);
        fixture_wait(&f);
    }
    a = kiln_guest_list_by_name(f.list, "a");
    ck_assert(a == NULL || !kiln_guest_is_persistent(a));
    kiln_guest_list_free(f.list);
    _exit(0);
}

/* Each daemon is a process of its own: this one has no thread, and nothing to do but count. */
static void
one_kill(guint microseconds)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        be_a_daemon();
    g_usleep(microseconds);
    (void)kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
    child = fork();
    if (child == 0)
        be_the_next();
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(a_killed_daemon_loses_nothing)
{
    g_autoptr(GRand) random = g_rand_new();
    const char *wanted = g_getenv("KILN_TEST_KILLS");
    guint kills = wanted != NULL ? (guint)g_ascii_strtoull(wanted, NULL, 10) : 8;

    for (guint i = 0; i < kills; i++)
        one_kill((guint)g_rand_int_range(random, 0, 120000));
}
END_TEST

static Suite *
adopt_suite(void)
{
    Suite *suite = suite_create("guest adopt");
    TCase *test_case = kiln_test_case(suite, "adopt");

    if (g_file_test("/dev/shm", G_FILE_TEST_IS_DIR)) /* a disk's syncs take their time */
        (void)g_setenv("TMPDIR", "/dev/shm", TRUE);
    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_add_test(test_case, what_runs_is_adopted);
    tcase_add_test(test_case, a_stopped_one_is_adopted);
    tcase_add_test(test_case, a_claim_on_another_process_is_not_believed);
    tcase_add_test(test_case, the_daemon_ends_while_one_starts);
    tcase_add_test(test_case, what_died_meanwhile_is_told);
    tcase_add_test(test_case, what_others_start_appears);
    tcase_add_test(test_case, another_ones_name_is_not_taken);
    tcase_add_test(test_case, autostart_is_once);
    tcase_add_test(test_case, a_killed_daemon_loses_nothing);
    return suite;
}

KILN_TEST_MAIN(adopt_suite)
