/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln validate tells all faults with their places. */
#include "tests/cli/program.h"

#include "tests/lib/kiln-test.h"

#include <string.h>

static const char good[] = "<domain type='kvm'>\n"
                           "  <name>good</name>\n"
                           "  <memory unit='MiB'>128</memory>\n"
                           "  <vcpu>1</vcpu>\n"
                           "  <os>\n"
                           "    <type arch='x86_64' machine='q35'>hvm</type>\n"
                           "    <kernel>/boot/vmlinuz</kernel>\n"
                           "  </os>\n"
                           "  <devices>\n"
                           "    <serial type='stdio'/>\n"
                           "  </devices>\n"
                           "</domain>\n";

/* Returns: (transfer full): a file with @text. */
static char *
write_document(const char *name, const char *text)
{
    g_autofree char *dir = kiln_test_dir();
    char *path = g_build_filename(dir, name, NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
    return path;
}

START_TEST(a_good_definition_is_silent)
{
    g_autofree char *path = write_document("good.xml", good);
    g_autofree char *line = g_strdup_printf("validate %s", path);
    const char *out;
    const char *err;
    int status = program_run(line, &out, &err);

    ck_assert_str_eq(err, "");
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(an_example_is_good)
{
    g_autofree char *path = kiln_test_source("examples/server.xml");
    g_autofree char *line = g_strdup_printf("validate %s", path);
    const char *out;
    const char *err;
    int status = program_run(line, &out, &err);

    ck_assert_str_eq(err, "");
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(every_fault_is_told_with_its_place)
{
    g_autofree char *path = write_document("bad.xml", "<domain type='kvm'>\n"
                                                      "  <name>bad</name>\n"
                                                      "  <memory>131072</memory>\n"
                                                      "  <bogus/>\n"
                                                      "  <vcpu>many</vcpu>\n"
                                                      "  <os><type>hvm</type></os>\n"
                                                      "</domain>\n");
    g_autofree char *missing = g_strconcat(path, ".none", NULL);
    g_autofree char *line = g_strdup_printf("validate %s %s", missing, path);
    g_autofree char *bogus = g_strdup_printf("%s:4:3: domain/bogus: ", path);
    g_autofree char *vcpu = g_strdup_printf("%s:5:3: domain/vcpu: ", path);
    g_autofree char *unread = g_strdup_printf("kiln: cannot open '%s': ", missing);
    const char *err;

    ck_assert_int_eq(program_run(line, NULL, &err), 1);
    ck_assert_msg(strstr(err, bogus) != NULL, "'%s' lacks '%s'", err, bogus);
    ck_assert_msg(strstr(err, vcpu) != NULL, "'%s' lacks '%s'", err, vcpu);
    ck_assert_msg(strstr(err, unread) != NULL, "'%s' lacks '%s'", err, unread);
}
END_TEST

START_TEST(what_cannot_be_honoured_is_a_fault)
{
    g_autofree char *asks = g_strdup(good);
    g_autofree char *path = NULL;
    g_autofree char *line = NULL;
    g_autofree char *place = NULL;
    const char *err;
    char *at = strstr(asks, "<serial type='stdio'/>");

    memcpy(at, "<sound model='ich6' />", strlen("<sound model='ich6' />"));
    path = write_document("asks.xml", asks);
    line = g_strdup_printf("validate %s", path);
    place = g_strdup_printf("%s:10:5: domain/devices/sound", path);
    ck_assert_int_eq(program_run(line, NULL, &err), 1);
    ck_assert_msg(g_str_has_prefix(err, place), "'%s' does not begin with '%s'", err, place);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("validate");
    TCase *tcase = kiln_test_case(suite, "validate");

    tcase_add_test(tcase, a_good_definition_is_silent);
    tcase_add_test(tcase, an_example_is_good);
    tcase_add_test(tcase, every_fault_is_told_with_its_place);
    tcase_add_test(tcase, what_cannot_be_honoured_is_a_fault);
    return suite;
}

KILN_TEST_MAIN(make_suite)
