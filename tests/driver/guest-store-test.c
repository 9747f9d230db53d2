/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions on disk: what is loaded and what is left alone; and a writer that is killed. */
#include "guest/store.h"
#include "tests/driver/guest-fixture.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static GString *loaded; /* "NAME" or "NAME*" with autostart, each with a space behind it */

static gboolean
on_found(KilnHead *head, gboolean autostart, gpointer data, GError **error)
{
    g_string_append_printf(loaded, "%s%s ", head->name, autostart ? "*" : "");
    return TRUE;
}

static const char *
load(const char *dir)
{
    g_autoptr(KilnStore) store = kiln_store_open(dir, NULL);

    if (loaded == NULL)
        loaded = g_string_new(NULL);
    g_string_truncate(loaded, 0);
    kiln_store_load(store, on_found, NULL);
    return loaded->str;
}

static void
put(const char *dir, const char *file, const char *text)
{
    g_autofree char *path = g_build_filename(dir, file, NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static void
put_domain(const char *dir, const char *file, const char *name, guint uuid)
{
    g_autofree char *text = fixture_xml(name, uuid, "");

    put(dir, file, text);
}

START_TEST(what_is_broken_is_left_alone)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *text = fixture_xml("half", 5, "");
    g_autofree char *link = g_build_filename(dir, "autostart", "one.xml", NULL);
    g_autofree char *folder = g_build_filename(dir, "folder.xml", NULL);

    (void)load(dir);
    put_domain(dir, "one.xml", "one", 1);
    put_domain(dir, "other.xml", "name", 2);
    put_domain(dir, "%2edot.xml", ".dot", 3);
    put(dir, "hand.xml",
        "<?xml version='1.0'?>\n<!-- by hand --><domain type='kvm'><uuid>"
        "00000000-0000-0000-0000-000000000004</uuid><name>h&#97;nd</name><memory>65536</memory>"
        "<os><type>hvm</type></os></domain>");
    put(dir, "nouuid.xml",
        "<domain type='kvm'><name>nouuid</name><memory>65536</memory><os><type>hvm</type></os>"
        "</domain>");
    text[strlen(text) / 2] = '\0';
    put(dir, "half.xml", text);
    put(dir, "empty.xml", "");
    put(dir, "one.xml.bak", "x");
    put(dir, ".new-1-2", "x");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(symlink("/nowhere.xml", link), 0);
    ck_assert_str_eq(load(dir), ".dot hand one ");
    ck_assert(!fixture_has_file(dir, ".new-1-2"));
    ck_assert(fixture_has_file(dir, "half.xml"));
}
END_TEST

START_TEST(names_are_files)
{
    g_autofree char *dir = kiln_test_dir();
    g_autoptr(KilnStore) store = kiln_store_open(dir, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = fixture_xml("50% off", 1, "");
    g_autofree char *file = kiln_store_file_name("50% off", ".xml", NULL);

    ck_assert_str_eq(file, "50%25 off.xml");
    ck_assert(kiln_store_write(store, "50% off", text, &error));
    ck_assert(kiln_store_set_autostart(store, "50% off", TRUE, &error));
    ck_assert_str_eq(load(dir), "50% off* ");
    ck_assert(!kiln_store_check_name("a/b", &error));
    kiln_assert_error_has(error, "'/'");
}
END_TEST

START_TEST(what_is_written_is_read)
{
    g_autofree char *dir = kiln_test_dir();
    g_autoptr(KilnStore) store = kiln_store_open(dir, NULL);
    g_autoptr(KilnDomain) domain = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = fixture_xml("web", 1, "");
    g_autofree char *renamed = fixture_xml("net", 1, "");
    g_auto(KilnHead) head = { 0 };

    ck_assert(kiln_head_read_canonical(text, strlen(text), &head));
    ck_assert(kiln_store_write(store, "web", text, &error));
    domain = kiln_store_read(store, "web", head.uuid, &error);
    kiln_assert_no_error(error);
    ck_assert_str_eq(domain->name, "web");
    ck_assert(kiln_store_set_autostart(store, "web", TRUE, &error));
    ck_assert(kiln_store_rename(store, "web", "net", renamed, &error));
    ck_assert_str_eq(load(dir), "net* ");
    head.uuid[3]++;
    ck_assert(kiln_store_read(store, "net", head.uuid, &error) == NULL);
    kiln_assert_error_has(error, "another domain");
    g_clear_error(&error);
    ck_assert(kiln_store_remove(store, "net", &error));
    ck_assert_str_eq(load(dir), "");
    ck_assert(!fixture_has_file(dir, "autostart/net.xml"));
}
END_TEST

/* ---- Killed ---- */

/* Endlessly: a is defined and undefined, b changes, c is renamed to d and back.  What it did last,
 * it tells: the pipe holds the number of steps that were answered. */
static void G_GNUC_NORETURN
write_for_ever(const char *dir, int pipe)
{
    g_autoptr(KilnStore) store = kiln_store_open(dir, NULL);

    for (guint step = 0;; step++) {
        g_autofree char *a = fixture_xml("a", 1, "");
        g_autofree char *title = g_strdup_printf("%u", step);
        g_autofree char *b = fixture_xml("b", 2, title);
        g_autofree char *c = fixture_xml(step % 2 == 0 ? "d" : "c", 3, "");

        if (!(step % 2 == 0 ? kiln_store_write(store, "a", a, NULL)
                            : kiln_store_remove(store, "a", NULL)) ||
            !kiln_store_write(store, "b", b, NULL) ||
            !kiln_store_rename(store, step % 2 == 0 ? "c" : "d", step % 2 == 0 ? "d" : "c", c,
                               NULL) ||
            write(pipe, "x", 1) != 1)
            _exit(1);
    }
}

static guint
count_steps(int fd)
{
    char bytes[4096];
    guint steps = 0;
    ssize_t length;

    while ((length = read(fd, bytes, sizeof bytes)) > 0)
        steps += (guint)length;
    return steps;
}

static guint
title_of_b(KilnStore *store)
{
    g_autofree char *text = fixture_xml("b", 2, "");
    g_auto(KilnHead) head = { 0 };
    g_autoptr(KilnDomain) domain = NULL;

    ck_assert(kiln_head_read_canonical(text, strlen(text), &head));
    domain = kiln_store_read(store, "b", head.uuid, NULL);
    ck_assert_ptr_nonnull(domain);
    return (guint)g_ascii_strtoull(domain->title, NULL, 10);
}

static void
one_kill(const char *dir, guint microseconds)
{
    g_autoptr(KilnStore) store = NULL;
    int ends[2];
    const char *found;
    pid_t child;
    guint steps;
    guint b;

    put_domain(dir, "b.xml", "b", 2);
    put_domain(dir, "c.xml", "c", 3);
    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0)
        write_for_ever(dir, ends[1]);
    (void)close(ends[1]);
    g_usleep(microseconds);
    (void)kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    steps = count_steps(ends[0]);
    (void)close(ends[0]);

    /* Each is exactly before or after, and no less than was answered. */
    found = load(dir);
    store = kiln_store_open(dir, NULL);
    if (steps > 0) {
        b = title_of_b(store);
        ck_assert_uint_ge(b, steps - 1);
        ck_assert_uint_le(b, steps);
    }
    ck_assert_msg(g_str_equal(found, "a b c ") || g_str_equal(found, "b c ") ||
                      g_str_equal(found, "a b d ") || g_str_equal(found, "b d "),
                  "after %u steps: '%s'", steps, found);
    found = load(dir); /* and it stays so */
    for (const char *name = "acd"; *name != '\0'; name++) {
        char text[2] = { *name, '\0' };

        ck_assert(kiln_store_remove(store, text, NULL));
    }
}

/* KILN_TEST_KILLS says how often, for who has more time. */
START_TEST(killed_writers_leave_before_or_after)
{
    const char *wanted = g_getenv("KILN_TEST_KILLS");
    guint kills = wanted != NULL ? (guint)g_ascii_strtoull(wanted, NULL, 10) : 200;
    g_autofree char *dir = kiln_test_dir();
    g_autoptr(GRand) random = g_rand_new();

    for (guint i = 0; i < kills; i++)
        one_kill(dir, (guint)g_rand_int_range(random, 0, 2000));
}
END_TEST

static Suite *
store_suite(void)
{
    Suite *suite = suite_create("guest store");
    TCase *test_case = kiln_test_case(suite, "store");

    if (g_file_test("/dev/shm", G_FILE_TEST_IS_DIR)) /* a disk's syncs take their time */
        (void)g_setenv("TMPDIR", "/dev/shm", TRUE);
    tcase_add_test(test_case, what_is_broken_is_left_alone);
    tcase_add_test(test_case, names_are_files);
    tcase_add_test(test_case, what_is_written_is_read);
    tcase_add_test(test_case, killed_writers_leave_before_or_after);
    return suite;
}

KILN_TEST_MAIN(store_suite)
