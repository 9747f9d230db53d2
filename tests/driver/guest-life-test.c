/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains: defined, looked up, started, destroyed; what is told of it, and what is refused. */
#include "error/vir-error.h"
#include "tests/driver/guest-fixture.h"
#include "tests/lib/kiln-test.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

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

START_TEST(define_and_undefine)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "");
    guint active;
    int reason;

    ck_assert_ptr_nonnull(web);
    ck_assert(kiln_guest_list_by_name(f.list, "web") == web);
    ck_assert(kiln_guest_list_by_uuid(f.list, kiln_guest_uuid(web)) == web);
    ck_assert_uint_eq(kiln_guest_list_count(f.list, &active), 1);
    ck_assert_uint_eq(active, 0);
    ck_assert_int_eq(kiln_guest_state(web, &reason), VIR_DOMAIN_SHUTOFF);
    ck_assert(fixture_told(&f, "web 0/0;"));
    ck_assert(fixture_define(&f, "web", 1, "new") == web);
    ck_assert(fixture_told(&f, "web 0/1;"));
    fixture_restart(&f);
    web = kiln_guest_list_by_name(f.list, "web");
    ck_assert_ptr_nonnull(web);
    kiln_guest_undefine(web, fixture_done, &f);
    fixture_wait(&f);
    kiln_assert_no_error(f.error);
    ck_assert(fixture_told(&f, "web 1/0;"));
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 0);
    fixture_restart(&f);
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 0);
}
END_TEST

START_TEST(names_and_uuids_do_not_clash)
{
    ck_assert_ptr_nonnull(fixture_define(&f, "web", 1, ""));
    ck_assert_ptr_null(fixture_define(&f, "web", 2, ""));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_FAILED);
    kiln_assert_error_has(f.error, "already exists with uuid");
    ck_assert_ptr_null(fixture_define(&f, "net", 1, ""));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_FAILED);
    kiln_assert_error_has(f.error, "'web' is already defined");
}
END_TEST

static gboolean
set_title(KilnDomain *domain, gpointer data, GError **error)
{
    g_free(domain->title);
    domain->title = g_strdup(data);
    return TRUE;
}

START_TEST(changes_are_made_one_after_the_other)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "");
    g_autoptr(KilnDomain) domain = NULL;

    kiln_guest_edit(web, set_title, (gpointer) "first", fixture_done, &f);
    kiln_guest_edit(web, set_title, (gpointer) "second", fixture_done, &f);
    kiln_guest_set_autostart(web, TRUE, fixture_done, &f);
    kiln_guest_rename(web, "net", fixture_done, &f);
    for (guint i = 0; i < 4; i++)
        fixture_wait(&f);
    domain = kiln_guest_definition(web, &f.error);
    kiln_assert_no_error(f.error);
    ck_assert_str_eq(domain->title, "second");
    ck_assert_str_eq(domain->name, "net");
    ck_assert(fixture_told(&f, "web 1/1;net 0/2;"));
    fixture_restart(&f);
    web = kiln_guest_list_by_name(f.list, "net");
    ck_assert(kiln_guest_autostart(web));
    ck_assert_ptr_null(kiln_guest_list_by_name(f.list, "web"));
}
END_TEST

START_TEST(start_and_destroy)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "");
    int reason;

    ck_assert(fixture_start(&f, web, 0));
    ck_assert_int_eq(kiln_guest_state(web, &reason), VIR_DOMAIN_RUNNING);
    ck_assert_int_eq(reason, VIR_DOMAIN_RUNNING_BOOTED);
    ck_assert_int_eq(kiln_guest_id(web), 1);
    ck_assert(kiln_guest_list_by_id(f.list, 1) == web);
    ck_assert_int_gt(kiln_guest_pid(web), 0);
    ck_assert(kiln_guest_cpu_time(web) > 0);
    ck_assert(fixture_told(&f, "web 2/0;"));
    ck_assert(!fixture_start(&f, web, 0));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_INVALID);
    ck_assert(fixture_has_file(f.runtime, "web.xml"));
    ck_assert(fixture_destroy(&f, web));
    ck_assert_int_eq(kiln_guest_state(web, &reason), VIR_DOMAIN_SHUTOFF);
    ck_assert_int_eq(reason, VIR_DOMAIN_SHUTOFF_DESTROYED);
    ck_assert(fixture_told(&f, "web 5/1;"));
    ck_assert(!fixture_has_file(f.runtime, "web.xml"));
    ck_assert(!fixture_has_file(f.runtime, "web.pid"));
    ck_assert(fixture_start(&f, web, VIR_DOMAIN_START_PAUSED));
    ck_assert_int_eq(kiln_guest_id(web), 2);
    ck_assert_int_eq(kiln_guest_state(web, &reason), VIR_DOMAIN_PAUSED);
    ck_assert(fixture_told(&f, "web 2/0;web 3/0;"));
}
END_TEST

START_TEST(a_transient_domain_goes_with_its_process)
{
    KilnGuest *web = fixture_create(&f, "web", 1, "");

    ck_assert_ptr_nonnull(web);
    ck_assert(!kiln_guest_is_persistent(web));
    ck_assert_ptr_null(fixture_create(&f, "web", 1, ""));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_INVALID);
    ck_assert(fixture_define(&f, "web", 1, "") == web); /* as virt-install does */
    ck_assert(kiln_guest_is_persistent(web));
    kiln_guest_undefine(web, fixture_done, &f);
    fixture_wait(&f);
    ck_assert(kiln_guest_list_by_name(f.list, "web") == web);
    ck_assert(fixture_destroy(&f, web));
    ck_assert_ptr_null(kiln_guest_list_by_name(f.list, "web"));
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 0);
}
END_TEST

START_TEST(a_process_that_fails_says_why)
{
    ck_assert_ptr_null(fixture_create(&f, "web", 1, "fail"));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_CONFIG_UNSUPPORTED);
    kiln_assert_error_has(f.error, "element 'x' is not offered");
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 0);
    ck_assert(!fixture_has_file(f.runtime, "web.xml"));
    ck_assert_ptr_null(fixture_create(&f, "web", 1, "die"));
    kiln_assert_error_has(f.error, "status 1");
    ck_assert_str_eq(f.news->str, "");
    ck_assert_ptr_nonnull(fixture_create(&f, "web", 2, ""));
}
END_TEST

START_TEST(no_program)
{
    g_autofree char *program = f.program;

    f.program = g_strdup("/nowhere/kiln");
    fixture_restart(&f);
    ck_assert_ptr_null(fixture_create(&f, "web", 1, ""));
    kiln_assert_error_has(f.error, "cannot execute '/nowhere/kiln': No such file");
}
END_TEST

START_TEST(destroyed_while_it_starts)
{
    KilnGuest *web = fixture_define(&f, "web", 1, "forever");

    kiln_guest_start(web, 0, fixture_done, &f);
    kiln_guest_destroy(web, FALSE, fixture_done, &f);
    fixture_wait(&f);
    fixture_wait(&f);
    kiln_assert_error_has(f.error, "destroyed while it started");
    ck_assert(!kiln_guest_is_active(web));
}
END_TEST

START_TEST(what_does_not_end_is_killed)
{
    KilnGuest *web = fixture_create(&f, "web", 1, "stubborn");
    KilnGuest *stopped = fixture_create(&f, "stopped", 2, "");

    ck_assert_ptr_nonnull(web);
    ck_assert(fixture_destroy(&f, web));
    (void)kill(kiln_guest_pid(stopped), SIGSTOP);
    ck_assert(fixture_destroy(&f, stopped));
}
END_TEST

START_TEST(undefine_of_a_transient_one)
{
    KilnGuest *web = fixture_create(&f, "web", 1, "");

    kiln_guest_undefine(web, fixture_done, &f);
    fixture_wait(&f);
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_INVALID);
    kiln_guest_rename(web, "x", fixture_done, &f);
    fixture_wait(&f);
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_INVALID);
    kiln_guest_set_autostart(web, TRUE, fixture_done, &f);
    fixture_wait(&f);
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_INVALID);
}
END_TEST

/* Nothing can be written: what was there is there, and all goes on. */
START_TEST(a_full_disk)
{
    const struct rlimit none = { 0, RLIM_INFINITY };
    struct rlimit before;
    KilnGuest *web = fixture_define(&f, "web", 1, "before");
    g_autoptr(KilnDomain) domain = NULL;

    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_ptr_null(fixture_define(&f, "web", 1, "after"));
    ck_assert_ptr_null(fixture_define(&f, "new", 2, ""));
    ck_assert(!fixture_start(&f, web, 0));
    kiln_guest_rename(web, "other", fixture_done, &f);
    fixture_wait(&f);
    ck_assert(f.error != NULL);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    domain = kiln_guest_definition(web, &f.error);
    ck_assert_str_eq(domain->title, "before");
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 1);
    fixture_restart(&f);
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 1);
    ck_assert(fixture_start(&f, kiln_guest_list_by_name(f.list, "web"), 0));
}
END_TEST

/* Hundreds at once: each is answered, and each is there. */
START_TEST(many_at_once)
{
    enum { MANY = 200 };

    for (guint i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("g%u", i);

        kiln_guest_list_define(f.list, fixture_domain(name, i, ""), fixture_made, &f);
    }
    for (guint i = 0; i < MANY; i++)
        fixture_wait(&f);
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), MANY);
    fixture_restart(&f);
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), MANY);
}
END_TEST

static Suite *
life_suite(void)
{
    Suite *suite = suite_create("guest life");
    TCase *test_case = kiln_test_case(suite, "life");

    if (g_file_test("/dev/shm", G_FILE_TEST_IS_DIR)) /* a disk's syncs take their time */
        (void)g_setenv("TMPDIR", "/dev/shm", TRUE);
    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_add_test(test_case, define_and_undefine);
    tcase_add_test(test_case, names_and_uuids_do_not_clash);
    tcase_add_test(test_case, changes_are_made_one_after_the_other);
    tcase_add_test(test_case, start_and_destroy);
    tcase_add_test(test_case, a_transient_domain_goes_with_its_process);
    tcase_add_test(test_case, a_process_that_fails_says_why);
    tcase_add_test(test_case, no_program);
    tcase_add_test(test_case, destroyed_while_it_starts);
    tcase_add_test(test_case, what_does_not_end_is_killed);
    tcase_add_test(test_case, undefine_of_a_transient_one);
    tcase_add_test(test_case, a_full_disk);
    tcase_add_test(test_case, many_at_once);
    return suite;
}

KILN_TEST_MAIN(life_suite)
