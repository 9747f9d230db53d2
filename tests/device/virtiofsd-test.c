/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How virtiofsd is started: its command line, what can be wrong, and the real one if it is here. */
#include "device/virtiofsd.h"

#include "base/error.h"
#include "tests/lib/kiln-test.h"
#include "vhost/user.h"

#include <grp.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOMEBODY = 54321 }; /* a user who is not root */

static void
assert_argv(const KilnVirtiofsdOptions *options, gboolean unprivileged, gboolean ranges,
            const char *wanted)
{
    g_auto(GStrv) argv = kiln_virtiofsd_argv(options, "/d", unprivileged, ranges);
    g_autofree char *joined = g_strjoinv("|", argv);

    ck_assert_str_eq(joined, wanted);
}

START_TEST(command_lines)
{
    int four = 4;
    KilnVirtiofsdOptions plain = { .source = "/a,b" };
    KilnVirtiofsdOptions all = {
        .source = "/s",
        .xattr = KILN_VIRTIOFSD_ON,
        .posix_lock = KILN_VIRTIOFSD_OFF,
        .flock = KILN_VIRTIOFSD_ON,
        .cache = "always",
        .sandbox = "chroot",
        .thread_pool = &four,
    };
    KilnVirtiofsdOptions readonly = { .source = "/s", .readonly = TRUE };
    g_auto(GStrv) argv = NULL;

    assert_argv(&plain, FALSE, FALSE, "/d|--fd=3|-f|-o|source=/a\\,b|-o|log_level=warn");
    assert_argv(&plain, TRUE, FALSE,
                "unshare|--map-root-user|--|/d|--fd=3|-f|-o|source=/a\\,b|-o|log_level=warn");
    assert_argv(&plain, TRUE, TRUE,
                "unshare|--map-root-user|--map-auto|--|/d|--fd=3|-f|-o|source=/a\\,b|-o|"
                "log_level=warn");
    assert_argv(&all, FALSE, FALSE,
                "/d|--fd=3|-f|-o|source=/s|-o|log_level=warn|-o|cache=always|-o|sandbox=chroot|-o|"
                "xattr|-o|no_posix_lock|-o|flock|--thread-pool-size=4");
    argv = kiln_virtiofsd_argv(&readonly, "/d", FALSE, FALSE);
    ck_assert_str_eq(argv[0], "unshare");
    ck_assert_str_eq(argv[1], "--mount");
    ck_assert_str_eq(argv[3], "/bin/sh");
    ck_assert_str_eq(argv[7], "/s");
    ck_assert_str_eq(argv[8], "/d");
}
END_TEST

START_TEST(what_is_not_there)
{
    g_autofree char *folder = kiln_test_dir();
    g_autofree char *file = g_build_filename(folder, "file", NULL);
    g_autofree char *missing = g_build_filename(folder, "missing", NULL);
    KilnVirtiofsdOptions options = { .name = "test", .program = "/bin/true", .source = missing };
    KilnFd socket = -1;
    g_autoptr(GError) error = NULL;

    ck_assert(g_file_set_contents(file, "", 0, NULL));
    ck_assert(kiln_virtiofsd_spawn(&options, &socket, &error) == NULL);
    kiln_assert_error_has(error, "missing");
    g_clear_error(&error);
    options.source = file;
    ck_assert(kiln_virtiofsd_spawn(&options, &socket, &error) == NULL);
    kiln_assert_error_has(error, "it is no folder");
    g_clear_error(&error);
    options.source = folder;
    options.program = "/nonexistent/virtiofsd";
    ck_assert(kiln_virtiofsd_spawn(&options, &socket, &error) == NULL);
    kiln_assert_error_has(error, "/nonexistent/virtiofsd");
    ck_assert_int_eq(socket, -1);
}
END_TEST

/* One that ends at once: its socket is hung up, and what it said is known. */
START_TEST(one_that_ends_at_once)
{
    g_autofree char *folder = kiln_test_dir();
    g_autofree char *script = g_build_filename(folder, "virtiofsd", NULL);
    const char *text = "#!/bin/sh\necho 'no such thing' >&2\nexit 3\n";
    KilnVirtiofsdOptions options = { .name = "test", .program = "/bin/false", .source = folder };
    KilnVhostUserOptions user = { .id = "fs0", .socket = -1, .listener = -1, .n_queues = 2 };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnProcess) process = NULL;
    g_autofree char *how = NULL;
    int status = 0;

    ck_assert(g_file_set_contents_full(script, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    options.program = script;
    process = kiln_virtiofsd_spawn(&options, &user.socket, &error);
    kiln_assert_no_error(error);
    ck_assert(kiln_vhost_user_new(&user, &error) == NULL);
    kiln_assert_error_has(error, "hung up");
    ck_assert(kiln_process_wait(process, 5000, &status));
    how = kiln_process_describe(process, status);
    ck_assert(strstr(how, "status 3") != NULL || strstr(how, "no such thing") != NULL);
}
END_TEST

/* The real one speaks vhost-user with us, offers what is needed, and ends when we hang up. */
static void
serve(const KilnVirtiofsdOptions *options)
{
    KilnVhostUserOptions user = { .id = "fs0", .socket = -1, .listener = -1, .n_queues = 2 };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnProcess) process = kiln_virtiofsd_spawn(options, &user.socket, &error);
    g_autoptr(KilnVhost) vhost = NULL;
    uint64_t features = 0;
    int status = -1;

    kiln_assert_no_error(error);
    vhost = kiln_vhost_user_new(&user, &error);
    kiln_assert_no_error(error);
    ck_assert(vhost->ops->features(vhost, &features, &error));
    ck_assert_uint_eq(features >> VIRTIO_F_VERSION_1 & 1, 1);
    ck_assert(vhost->ops->set_features(vhost, 1ull << VIRTIO_F_VERSION_1, &error));
    kiln_assert_no_error(error);
    kiln_vhost_free(g_steal_pointer(&vhost));
    ck_assert(kiln_process_wait(process, 5000, &status));
    ck_assert_int_eq(status, 0);
}

/* May make user namespaces, as who is not root has to. */
static gboolean
namespaces_allowed(void)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        gboolean left = geteuid() != 0 ||
                        (setgroups(0, NULL) == 0 && setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0);

        _exit(left && unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

START_TEST(the_real_one)
{
    g_autofree char *folder = kiln_test_dir();
    KilnVirtiofsdOptions options = { .name = "test", .source = folder };

    serve(&options);
    options.sandbox = "chroot";
    options.cache = "none";
    options.xattr = KILN_VIRTIOFSD_ON;
    serve(&options);
}
END_TEST

START_TEST(the_real_one_read_only)
{
    g_autofree char *folder = kiln_test_dir();
    KilnVirtiofsdOptions options = { .name = "test", .source = folder, .readonly = TRUE };

    serve(&options);
}
END_TEST

START_TEST(the_real_one_without_root)
{
    g_autofree char *folder = NULL;
    KilnVirtiofsdOptions options = { .name = "test" };

    if (geteuid() == 0) {
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setgid(SOMEBODY), 0);
        ck_assert_int_eq(setuid(SOMEBODY), 0);
    }
    folder = g_dir_make_tmp("kiln-test-XXXXXX", NULL);
    options.source = folder;
    serve(&options);
    options.readonly = TRUE;
    serve(&options);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtiofsd");
    TCase *tests = kiln_test_case(suite, "start");
    g_autofree char *program = kiln_process_find("virtiofsd", NULL);

    tcase_add_test(tests, command_lines);
    tcase_add_test(tests, what_is_not_there);
    tcase_add_test(tests, one_that_ends_at_once);
    if (program == NULL || !namespaces_allowed()) {
        printf("# the real virtiofsd is not tested: %s\n",
               program == NULL ? "it is not installed" : "user namespaces are not allowed");
        return suite;
    }
    tcase_add_test(tests, the_real_one);
    tcase_add_test(tests, the_real_one_read_only);
    tcase_add_test(tests, the_real_one_without_root);
    return suite;
}

KILN_TEST_MAIN(make_suite)
