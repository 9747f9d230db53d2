/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module schema.so on kiln's own schema. */
#include "schema/schema.h"

#include "base/module.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

static const KilnSchemaModule *
load(void)
{
    g_autoptr(GError) error = NULL;
    const KilnSchemaModule *module;

    g_setenv("KILN_MODULE_DIR", g_getenv("KILN_BUILDDIR"), TRUE);
    module = kiln_module_load(KILN_SCHEMA_MODULE, KILN_SCHEMA_SYMBOL, &error);
    kiln_assert_no_error(error);
    return module;
}

static void
check(const char *text, guint line, const char *says)
{
    g_autofree char *schema = kiln_test_source("schemas/kiln-domain.rng");
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;
    gboolean found = says == NULL;

    ck_assert(load()->validate(text, strlen(text), schema, faults, &error));
    kiln_assert_no_error(error);
    ck_assert(says != NULL || kiln_faults_count(faults) == 0);
    for (guint i = 0; i < kiln_faults_count(faults) && !found; i++) {
        const KilnFault *fault = kiln_faults_get(faults, i);

        found = fault->place.line == line && strstr(fault->message, says) != NULL;
    }
    ck_assert_msg(found, "no fault in line %u has '%s'", line, says);
}

START_TEST(valid_and_not)
{
    check("<domain type='kvm'><name>x</name></domain>", 0, NULL);
    check("<domain type='kvm'>\n<name>x</name>\n<teapot/>\n</domain>", 3, "teapot");
    check("<domain type='kvm'", 0, "not well-formed");
    check("<!DOCTYPE domain [<!ENTITY a 'b'>]><domain type='kvm'/>", 0, "document type");
}
END_TEST

START_TEST(schema_that_is_none)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "x.rng", NULL);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;

    ck_assert(!load()->validate("<a/>", 4, path, faults, &error));
    kiln_assert_error_has(error, "x.rng");
    g_clear_error(&error);
    ck_assert(g_file_set_contents(path, "<a/>", -1, NULL));
    ck_assert(!load()->validate("<a/>", 4, path, faults, &error));
    kiln_assert_error_has(error, "x.rng");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("schema");
    TCase *tcase = kiln_test_case(suite, "module");

    tcase_add_test(tcase, valid_and_not);
    tcase_add_test(tcase, schema_that_is_none);
    return suite;
}

KILN_TEST_MAIN(make_suite)
