/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole documents.  golden/NAME.xml is parsed, completed and formatted into golden/out/NAME.xml,
 * and faults/NAME.xml has the faults of faults/NAME.txt.  KILN_TEST_REGENERATE=1 writes the
 * expected files anew, for a look at what has changed.  What is in examples/ has no faults.
 */
#include "domain/domain.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

static char *
read_text(const char *path, gsize *length)
{
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    if (!g_file_get_contents(path, &text, length, &error) &&
        !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        ck_abort_msg("%s", error->message);
    return text;
}

/* @text is what the file at @path has to hold. */
static void
check_expected(const char *path, const char *text)
{
    g_autofree char *expected = NULL;

    if (g_getenv("KILN_TEST_REGENERATE") != NULL) {
        ck_assert(g_file_set_contents(path, text, -1, NULL));
        return;
    }
    expected = read_text(path, NULL);
    ck_assert_msg(expected != NULL, "%s is missing", path);
    ck_assert_msg(strcmp(expected, text) == 0, "%s: differs; got\n%s", path, text);
}

static char *
list_faults(const KilnFaults *faults)
{
    GString *list = g_string_new(NULL);

    for (guint i = 0; i < kiln_faults_count(faults); i++) {
        const KilnFault *fault = kiln_faults_get(faults, i);

        g_string_append_printf(list, "%u:%u: %s%s: %s\n", fault->place.line, fault->place.column,
                               fault->kind == KILN_FAULT_UNSUPPORTED ? "[unsupported] " : "",
                               fault->path, fault->message);
    }
    return g_string_free(list, FALSE);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **
list_documents(const char *directory)
{
    g_autofree char *path = kiln_test_source(directory);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    GPtrArray *names = g_ptr_array_new();
    const char *name;

    g_assert(dir != NULL); /* of the source tree */
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_suffix(name, ".xml"))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

static KilnDomain *
parse_clean(const char *name, const char *text, gsize length)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    KilnDomain *domain = kiln_domain_parse(text, length, faults);
    g_autofree char *list = list_faults(faults);

    ck_assert_msg(domain != NULL, "%s: %s", name, list);
    return domain;
}

static void
assign_clean(const char *name, KilnDomain *domain)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    gboolean done = kiln_domain_assign(domain, faults);
    g_autofree char *list = list_faults(faults);

    ck_assert_msg(done, "%s: %s", name, list);
}

static char **golden_names, **fault_names, **example_names;

START_TEST(golden_document)
{
    const char *name = golden_names[_i];
    g_autofree char *in = g_build_filename("tests/domain/golden", name, NULL);
    g_autofree char *out = g_build_filename("tests/domain/golden/out", name, NULL);
    g_autofree char *in_path = kiln_test_source(in), *out_path = kiln_test_source(out);
    gsize length = 0;
    g_autofree char *text = read_text(in_path, &length);
    g_autoptr(KilnDomain) domain = parse_clean(name, text, length);
    g_autoptr(KilnDomain) copy = kiln_domain_copy(domain);
    g_autoptr(KilnDomain) again = NULL;
    g_autofree char *formatted = NULL;

    ck_assert_msg(kiln_domain_equal(domain, copy), "%s: a copy is not equal", name);
    assign_clean(name, domain);
    formatted = kiln_domain_format(domain, KILN_FORMAT_SECURE | KILN_FORMAT_INACTIVE);
    check_expected(out_path, formatted);

    /* What is assigned once stays. */
    again = parse_clean(name, formatted, strlen(formatted));
    assign_clean(name, again);
    g_clear_pointer(&copy, kiln_domain_free);
    copy = parse_clean(name, formatted, strlen(formatted));
    ck_assert_msg(kiln_domain_equal(again, copy), "%s: assigning twice changes it", name);
}
END_TEST

START_TEST(fault_list)
{
    const char *name = fault_names[_i];
    g_autofree char *in = g_build_filename("tests/domain/faults", name, NULL);
    g_autofree char *path = kiln_test_source(in);
    g_autofree char *expected = g_strndup(path, strlen(path) - strlen(".xml"));
    g_autofree char *expected_path = g_strconcat(expected, ".txt", NULL);
    gsize length = 0;
    g_autofree char *text = read_text(path, &length);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_parse(text, length, faults);
    g_autofree char *list = NULL;

    if (domain != NULL)
        ck_assert(!kiln_domain_validate(domain, faults));
    list = list_faults(faults);
    check_expected(expected_path, list);
}
END_TEST

/* What the first and the third document ask for is run; so is what assigning makes of them. */
START_TEST(honoured)
{
    static const char *const names[] = { "minimal", "console-brings-serial", "everything-honoured",
                                         "memory-devices" };
    g_autofree char *in = g_strdup_printf("tests/domain/golden/%s.xml", names[_i]);
    g_autofree char *path = kiln_test_source(in);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDomain) domain = kiln_domain_load(path, faults, &error);
    g_autoptr(KilnDomain) assigned = NULL;
    g_autofree char *list = NULL;

    kiln_assert_no_error(error);
    (void)kiln_domain_validate(domain, faults);
    assign_clean(names[_i], domain);
    assigned = kiln_domain_copy(domain);
    (void)kiln_domain_validate(assigned, faults);
    list = list_faults(faults);
    ck_assert_str_eq(list, "");
}
END_TEST

/* What examples/ shows is run, and what is written of it is taken again as it is. */
START_TEST(example)
{
    const char *name = example_names[_i];
    g_autofree char *in = g_build_filename("examples", name, NULL);
    g_autofree char *path = kiln_test_source(in);
    gsize length = 0;
    g_autofree char *text = read_text(path, &length);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_define(text, length, faults);
    g_autofree char *formatted = NULL;
    g_autofree char *list = NULL;
    g_autoptr(KilnDomain) again = NULL;

    if (domain != NULL) {
        formatted = kiln_domain_format(domain, KILN_FORMAT_SECURE | KILN_FORMAT_INACTIVE);
        again = kiln_domain_define(formatted, strlen(formatted), faults);
    }
    list = list_faults(faults);
    ck_assert_msg(again != NULL, "%s: %s", name, list);
    ck_assert_msg(kiln_domain_equal(domain, again), "%s: defining it again changes it", name);
}
END_TEST

/* <memory> counts memory devices, as libvirt's does; with NUMA cells it is made from both. */
START_TEST(boot_memory_is_without_devices)
{
    static const char text[] =
        "<domain type='kvm'><name>x</name><memory>786432</memory><maxMemory slots='1'>786432"
        "</maxMemory><os><type>hvm</type><kernel>/k</kernel></os><devices>"
        "<memory model='virtio-mem'><target><size>524288</size><requested>0</requested></target>"
        "</memory></devices></domain>";
    g_autofree char *path = kiln_test_source("tests/domain/golden/memory-devices.xml");
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) plain = kiln_domain_define(text, strlen(text), faults);
    g_autoptr(KilnDomain) cells = kiln_domain_load(path, faults, NULL);

    ck_assert_ptr_nonnull(plain);
    ck_assert_uint_eq(kiln_domain_boot_memory(plain), 256 << 20);
    assign_clean("memory-devices", cells);
    ck_assert_uint_eq(kiln_domain_boot_memory(cells), G_GUINT64_CONSTANT(2) << 30);
    ck_assert_uint_eq(cells->memory.size.value, G_GUINT64_CONSTANT(8) << 30);
}
END_TEST

START_TEST(load_says_what_is_wrong)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *missing = g_build_filename(dir, "missing.xml", NULL);
    g_autofree char *bad = kiln_test_source("tests/domain/faults/values.xml");
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_domain_load(missing, faults, &error));
    kiln_assert_error_has(error, "missing.xml");
    g_clear_error(&error);
    ck_assert_ptr_null(kiln_domain_load(dir, faults, &error));
    kiln_assert_error_has(error, "is a directory");
    g_clear_error(&error);
    ck_assert_uint_eq(kiln_faults_count(faults), 0);
    ck_assert_ptr_null(kiln_domain_load(bad, faults, &error));
    kiln_assert_error_has(error, "values.xml:1:1: domain: text");
    kiln_assert_error_has(error, "more)");
}
END_TEST

START_TEST(passwords_are_written_only_when_asked_for)
{
    static const char text[] =
        "<domain type='kvm'><name>x</name><memory>1024</memory><os><type>hvm</type></os>"
        "<devices><graphics type='vnc' passwd='secret'/></devices></domain>";
    g_autoptr(KilnDomain) domain = parse_clean("graphics", text, strlen(text));
    g_autofree char *plain = kiln_domain_format(domain, 0);
    g_autofree char *secure = kiln_domain_format(domain, KILN_FORMAT_SECURE);

    ck_assert_ptr_null(strstr(plain, "secret"));
    ck_assert_ptr_nonnull(strstr(secure, "secret"));
}
END_TEST

/* What shows only when addresses are assigned. */
START_TEST(controllers_that_cannot_be)
{
    static const struct {
        const char *controllers;
        const char *reason;
    } cases[] = {
        { "<controller type='pci' index='1' model='pcie-root'/>", "that of 'pcie-root' is 0" },
        { "<controller type='pci' index='2' model='pcie-root-port'/>"
          "<controller type='pci' index='2' model='pcie-root-port'/>",
          "another controller of its type has the index 2" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("<domain type='kvm'><name>x</name><memory>131072</memory><vcpu>1</vcpu>"
                            "<os><type arch='x86_64' machine='q35'>hvm</type>"
                            "<kernel>/k</kernel></os><devices>%s</devices></domain>",
                            cases[i].controllers);
        g_autoptr(KilnDomain) domain = parse_clean("controllers", text, strlen(text));
        g_autoptr(KilnFaults) faults = kiln_faults_new();
        g_autofree char *list = NULL;

        ck_assert(!kiln_domain_assign(domain, faults));
        list = list_faults(faults);
        ck_assert_msg(strstr(list, cases[i].reason) != NULL, "%s", list);
    }
}
END_TEST

START_TEST(limits)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GString) text = g_string_new("<domain type='kvm'><metadata>");
    gsize length = KILN_XML_MAX_BYTES + 1;
    g_autofree char *huge = g_malloc0(length);

    ck_assert_ptr_null(kiln_domain_parse(huge, length, faults));
    ck_assert_ptr_nonnull(strstr(kiln_faults_get(faults, 0)->message, "16 MiB"));
    for (guint i = 0; i < KILN_XML_MAX_NODES; i++)
        g_string_append(text, "<a/>");
    ck_assert_ptr_null(kiln_domain_parse(text->str, text->len, faults));
    ck_assert_ptr_nonnull(strstr(kiln_faults_get(faults, 1)->message, "too many"));
    g_string_assign(text, "<domain type='kvm'>");
    for (guint i = 0; i < 1000; i++)
        g_string_append(text, "<nothing/>");
    g_string_append(text, "</domain>");
    ck_assert_ptr_null(kiln_domain_parse(text->str, text->len, faults));
    ck_assert_uint_eq(kiln_faults_count(faults), KILN_FAULTS_MAX);
    ck_assert(kiln_faults_overflowed(faults));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("domain");
    TCase *tcase = kiln_test_case(suite, "documents");

    golden_names = list_documents("tests/domain/golden");
    fault_names = list_documents("tests/domain/faults");
    example_names = list_documents("examples");
    tcase_add_loop_test(tcase, golden_document, 0, (int)g_strv_length(golden_names));
    tcase_add_loop_test(tcase, fault_list, 0, (int)g_strv_length(fault_names));
    tcase_add_loop_test(tcase, honoured, 0, 4);
    tcase_add_loop_test(tcase, example, 0, (int)g_strv_length(example_names));
    tcase_add_test(tcase, boot_memory_is_without_devices);
    tcase_add_test(tcase, load_says_what_is_wrong);
    tcase_add_test(tcase, passwords_are_written_only_when_asked_for);
    tcase_add_test(tcase, controllers_that_cannot_be);
    tcase_add_test(tcase, limits);
    return suite;
}

KILN_TEST_MAIN(make_suite)
