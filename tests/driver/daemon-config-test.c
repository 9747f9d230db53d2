/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include "daemon/config.h"
#include "daemon/paths.h"

static KilnDaemonConfig config;

static void
set_up(void)
{
    kiln_daemon_config_init(&config);
}

static void
tear_down(void)
{
    kiln_daemon_config_clear(&config);
}

START_TEST(every_key_is_read)
{
    static const char text[] = "# a comment\n"
                               "\n"
                               "unix_sock_group = \"staff\"\n"
                               "  unix_sock_rw_perms=\"0770\"  \n"
                               "unix_sock_ro_perms = '0755'\n"
                               "unix_sock_dir = \"/somewhere\"\n"
                               "auth_unix_ro = \"none\"\n"
                               "auth_unix_rw = \"polkit\"\n"
                               "max_clients = 17\n"
                               "max_anonymous_clients = 3\n"
                               "max_client_requests = 9\n"
                               "keepalive_interval = 0\n"
                               "keepalive_count = 2\n"
                               "log_level = 1\n"
                               "user = \"nobody\"\n"
                               "group = \"nogroup\"\n"
                               "of_a_newer_daemon = 1\n";
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_daemon_config_parse(&config, text, "test.conf", &error));
    kiln_assert_no_error(error);
    ck_assert_str_eq(config.socket_group, "staff");
    ck_assert_uint_eq(config.socket_rw_perms, 0770);
    ck_assert_uint_eq(config.socket_ro_perms, 0755);
    ck_assert_str_eq(config.socket_dir, "/somewhere");
    ck_assert_str_eq(config.auth_ro, "none");
    ck_assert_str_eq(config.auth_rw, "polkit");
    ck_assert_uint_eq(config.limits.max_clients, 17);
    ck_assert_uint_eq(config.limits.max_anonymous_clients, 3);
    ck_assert_uint_eq(config.limits.max_client_requests, 9);
    ck_assert_uint_eq(config.limits.keepalive_interval, 0);
    ck_assert_uint_eq(config.limits.keepalive_count, 2);
    ck_assert_uint_eq(config.log_level, 1);
    ck_assert_str_eq(config.user, "nobody");
    ck_assert_str_eq(config.group, "nogroup");
}
END_TEST

START_TEST(faults_name_file_and_line)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        { "\nmax_clients 5\n", "test.conf:2: 'max_clients 5' is not 'key = value'" },
        { "max_clients = many", "test.conf:1: 'many' is no number for 'max_clients'" },
        { "max_clients = 0", "'0' is no number" },
        { "max_clients = 99999999999999999999", "is no number" },
        { "unix_sock_rw_perms = \"0888\"", "'\"0888\"' is no number" },
        { "unix_sock_rw_perms = \"07777\"", "is no number" },
        { "user = nobody", "the value of 'user' is not in quotes" },
        { "user = \"no\"body\"", "not in quotes" },
        { "user = \"", "not in quotes" },
        { "auth_unix_rw = \"sasl\"", "\"none\" or \"polkit\", not 'sasl'" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert(!kiln_daemon_config_parse(&config, cases[i].text, "test.conf", &error));
        kiln_assert_error_has(error, cases[i].reason);
    }
}
END_TEST

START_TEST(a_file_may_be_missing_unless_it_was_asked_for)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "none.conf", NULL);
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_daemon_config_read(&config, path, FALSE, &error));
    kiln_assert_no_error(error);
    ck_assert_str_eq(config.user, "libvirt-kiln");
    ck_assert(!kiln_daemon_config_read(&config, path, TRUE, &error));
    kiln_assert_error_has(error, "none.conf");
    g_clear_error(&error);
    ck_assert(!kiln_daemon_config_read(&config, dir, FALSE, &error));
    ck_assert(error != NULL);
}
END_TEST

/* Where libvirt's own daemons have them, so that its tools find the same. */
START_TEST(folders_are_libvirts)
{
    g_auto(KilnDaemonPaths) host = { 0 };
    g_auto(KilnDaemonPaths) session = { 0 };
    g_autofree char *images = g_build_filename(g_get_user_data_dir(), "libvirt", "images", NULL);

    kiln_daemon_paths_init(&host, FALSE);
    kiln_daemon_paths_init(&session, TRUE);
    ck_assert_str_eq(host.socket_dir, "/run/libvirt");
    ck_assert(g_str_has_suffix(host.images, "/lib/libvirt/images"));
    ck_assert(g_str_has_suffix(host.definitions, "/libvirt/kiln"));
    ck_assert_str_eq(session.images, images);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("daemon-config");
    TCase *tcase = kiln_test_case(suite, "config");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, every_key_is_read);
    tcase_add_test(tcase, faults_name_file_and_line);
    tcase_add_test(tcase, a_file_may_be_missing_unless_it_was_asked_for);
    tcase_add_test(tcase, folders_are_libvirts);
    return suite;
}

KILN_TEST_MAIN(make_suite)
