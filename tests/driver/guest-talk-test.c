/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The conversation with a process: calls, their time, states, events, statistics, its end. */
#include "base/error.h"
#include "base/statistics.h"
#include "error/vir-error.h"
#include "tests/driver/guest-fixture.h"
#include "tests/lib/kiln-test.h"

#include <signal.h>
#include <string.h>

enum { SHORT_MS = 100 };

static Fixture f;
static KilnGuest *web;

static void
set_up(void)
{
    fixture_open(&f);
    web = fixture_create(&f, "web", 1, "");
    ck_assert_ptr_nonnull(web);
}

static void
tear_down(void)
{
    fixture_close(&f);
}

static void
play(const char *what)
{
    ck_assert(fixture_call(&f, web, "Play", g_variant_new("(s)", what), KILN_GUEST_CALL_MS));
}

START_TEST(calls_and_states)
{
    int reason;

    ck_assert(fixture_call(&f, web, "Pause", NULL, KILN_GUEST_CALL_MS));
    fixture_until(kiln_guest_state(web, &reason) == VIR_DOMAIN_PAUSED);
    ck_assert_int_eq(reason, VIR_DOMAIN_PAUSED_USER);
    ck_assert(fixture_told(&f, "web 3/0;"));
    ck_assert(!fixture_call(&f, web, "Pause", NULL, KILN_GUEST_CALL_MS));
    ck_assert(g_error_matches(f.error, KILN_ERROR, KILN_ERROR_STATE));
    ck_assert_str_eq(f.error->message, "the guest is paused");
    ck_assert(fixture_call(&f, web, "Resume", NULL, KILN_GUEST_CALL_MS));
    fixture_until(kiln_guest_state(web, &reason) == VIR_DOMAIN_RUNNING);
    ck_assert_int_eq(reason, VIR_DOMAIN_RUNNING_UNPAUSED);
    ck_assert(fixture_told(&f, "web 4/0;"));
    ck_assert(!fixture_call(&f, web, "Nothing", NULL, KILN_GUEST_CALL_MS));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_UNSUPPORTED);
}
END_TEST

START_TEST(events)
{
    play("panic");
    play("reboot");
    play("memory");
    play("io-error");
    play("watchdog");
    play("pause");
    fixture_until(fixture_told(&f, "web 3/2;"));
    ck_assert(fixture_told(&f, "web 8/0;web #1 0"));
    ck_assert(fixture_told(&f, "web #13 0 - - - 65536;"));
    ck_assert(fixture_told(&f, "web #4 1  virtio-disk0"));
    ck_assert(fixture_told(&f, "web #6 1  virtio-disk0"));
    ck_assert(fixture_told(&f, "web #3 0"));
}
END_TEST

START_TEST(who_started_it_finds_what_it_tells_of_itself)
{
    KilnGuest *telling = fixture_create(&f, "telling", 2, "telling");

    ck_assert_ptr_nonnull(telling);
    ck_assert_str_eq(kiln_guest_live(telling)->title, "told");
}
END_TEST

/* Who does not talk is started all the same; the end of the process answers too. */
START_TEST(one_that_tells_nothing_is_started)
{
    ck_assert_ptr_nonnull(fixture_create(&f, "silent", 2, "silent"));
    kiln_guest_list_create(f.list, fixture_domain("brief", 3, "brief"), 0, fixture_made, &f);
    fixture_wait(&f);
    ck_assert_ptr_null(f.error);
    fixture_until(fixture_told(&f, "brief 5/"));
}
END_TEST

START_TEST(the_live_definition)
{
    const KilnDomain *live = kiln_guest_live(web);

    ck_assert_int_eq(live->id.value, kiln_guest_id(web));
    fixture_until(kiln_guest_has_told(web));
    play("xml");
    fixture_until(kiln_guest_live(web)->title != NULL &&
                  strcmp(kiln_guest_live(web)->title, "changed") == 0);
    live = kiln_guest_live(web);
    ck_assert_str_eq(((KilnMemballoon *)live->memballoons->pdata[0])->info.alias, "balloon0");
    fixture_until(kiln_guest_thread(web, "vcpu.0") == kiln_guest_pid(web));
    ck_assert_int_eq(kiln_guest_thread(web, "emulator"), kiln_guest_pid(web));
    ck_assert_int_eq(kiln_guest_thread(web, "vcpu.1"), 0);
    ck_assert_int_eq(kiln_guest_thread(web, "vcpu.7"), 0); /* it is another one's */
    ck_assert_int_eq(kiln_guest_thread(web, "vcpu.8"), 0);
    fixture_until(kiln_guest_statistics(web) != NULL);
}
END_TEST

/* Each change would be asked about, without an end, of a process that does not answer. */
START_TEST(what_changes_often_is_asked_for_now_and_then)
{
    play("burst");
    play("pause");
    fixture_until(fixture_told(&f, "web 3/2;"));
    play("asked"); /* it comes after all that was asked for before */
    fixture_until(fixture_told(&f, "web #13"));
    ck_assert(fixture_told(&f, "web #13 0 - - - 1;"));
}
END_TEST

/* Of a call that is not waited for while others are. */
typedef struct {
    guint over;
    gboolean failed;
} Aside;

static void
on_aside(KilnGuest *guest, GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    Aside *aside = data;

    aside->over++;
    aside->failed = error != NULL;
}

START_TEST(a_stopped_process_delays_its_own_calls)
{
    KilnGuest *other = fixture_create(&f, "other", 2, "");
    KilnGuest *silent = fixture_create(&f, "silent", 3, "silent");
    Aside aside = { 0 };

    ck_assert(other != NULL && silent != NULL);
    ck_assert(fixture_call(&f, web, "Pause", NULL, KILN_GUEST_CALL_MS));
    (void)kill(kiln_guest_pid(web), SIGSTOP);
    kiln_guest_call(web, "Resume", NULL, NULL, -1, on_aside, &aside);
    ck_assert(fixture_call(&f, other, "Pause", NULL, KILN_GUEST_CALL_MS));
    ck_assert_uint_eq(aside.over, 0);
    ck_assert(!fixture_call(&f, web, "Reset", NULL, SHORT_MS));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_TIMEOUT);
    ck_assert(!fixture_call(&f, silent, "Pause", NULL, SHORT_MS));
    ck_assert_int_eq(kiln_vir_error_code(f.error), VIR_ERR_OPERATION_TIMEOUT);
    ck_assert_uint_eq(aside.over, 0);
    (void)kill(kiln_guest_pid(web), SIGCONT);
    fixture_until(aside.over > 0);
    ck_assert(!aside.failed);
    ck_assert(fixture_call(&f, web, "Pause", NULL, KILN_GUEST_CALL_MS));
}
END_TEST

START_TEST(what_is_asked_of_a_dead_one_ends)
{
    (void)kill(kiln_guest_pid(web), SIGSTOP);
    kiln_guest_call(web, "Pause", NULL, NULL, KILN_GUEST_CALL_MS, fixture_answered, &f);
    (void)kill(kiln_guest_pid(web), SIGKILL);
    fixture_wait(&f);
    ck_assert(f.error != NULL);
    fixture_until(fixture_told(&f, "web 5/1;"));
    ck_assert_uint_eq(kiln_guest_list_count(f.list, NULL), 0);
}
END_TEST

static void
ends(const char *how, int reason, const char *news)
{
    KilnGuest *guest = fixture_define(&f, "web", 1, "");
    int found;

    kiln_guest_call(guest, "Play", g_variant_new("(s)", how), NULL, -1, fixture_answered, &f);
    fixture_until(!kiln_guest_is_active(guest));
    ck_assert_int_eq(kiln_guest_state(guest, &found), VIR_DOMAIN_SHUTOFF);
    ck_assert_int_eq(found, reason);
    ck_assert_msg(fixture_told(&f, news), "'%s' lacks '%s'", f.news->str, news);
}

START_TEST(power_off)
{
    ends("poweroff", VIR_DOMAIN_SHUTOFF_SHUTDOWN, "web 6/1;web 5/0;");
}
END_TEST

START_TEST(crash)
{
    ends("crash", VIR_DOMAIN_SHUTOFF_CRASHED, "web 5/2;");
}
END_TEST

START_TEST(fault_of_the_process)
{
    ends("abort", VIR_DOMAIN_SHUTOFF_CRASHED, "web 5/5;");
}
END_TEST

static Suite *
talk_suite(void)
{
    Suite *suite = suite_create("guest talk");
    TCase *test_case = kiln_test_case(suite, "talk");

    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_add_test(test_case, calls_and_states);
    tcase_add_test(test_case, events);
    tcase_add_test(test_case, who_started_it_finds_what_it_tells_of_itself);
    tcase_add_test(test_case, one_that_tells_nothing_is_started);
    tcase_add_test(test_case, the_live_definition);
    tcase_add_test(test_case, what_changes_often_is_asked_for_now_and_then);
    tcase_add_test(test_case, a_stopped_process_delays_its_own_calls);
    tcase_add_test(test_case, what_is_asked_of_a_dead_one_ends);
    tcase_add_test(test_case, power_off);
    tcase_add_test(test_case, crash);
    tcase_add_test(test_case, fault_of_the_process);
    return suite;
}

KILN_TEST_MAIN(talk_suite)
