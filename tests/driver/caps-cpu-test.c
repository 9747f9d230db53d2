/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <cpu> documents: compared with a host, and what several have in common. */
#include "caps/cpu-definition.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "caps/caps.h"
#include "error/vir-error.h"
#include "tests/driver/fake-host.h"
#include "tests/lib/kiln-test.h"

/* What is between <@name...> and </@name>, with both; the first one. */
static char *
cut(const char *xml, const char *begin, const char *end)
{
    const char *from = strstr(xml, begin), *to = from != NULL ? strstr(from, end) : NULL;

    ck_assert_ptr_nonnull(to);
    return g_strndup(from, (gsize)(to - from) + strlen(end));
}

static int
compare(const char *xml, gboolean hypervisor, const char *reason)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnCpuDefinition) cpu = kiln_cpu_definition_parse(xml, FALSE, &error);
    g_autofree char *message = NULL;
    int result;

    kiln_assert_no_error(error);
    result = kiln_cpu_compare(cpu, hypervisor, &message, &error);
    kiln_assert_no_error(error);
    ck_assert_int_eq(message != NULL, result == VIR_CPU_COMPARE_INCOMPATIBLE);
    if (reason != NULL) {
        ck_assert_ptr_nonnull(message);
        ck_assert_msg(strstr(message, reason) != NULL, "'%s' lacks '%s'", message, reason);
    }
    return result;
}

#define MODEL(name) "<cpu mode='custom'><model>" name "</model></cpu>"

START_TEST(the_hosts_own_is_identical)
{
    g_autofree char *xml = NULL, *cpu = NULL;

    kiln_fake_host("small");
    xml = kiln_caps_format("/usr/bin/kiln", NULL);
    cpu = cut(xml, "<cpu>", "</cpu>");
    ck_assert_int_eq(compare(cpu, FALSE, NULL), VIR_CPU_COMPARE_IDENTICAL);
}
END_TEST

START_TEST(less_is_a_superset_and_more_is_incompatible)
{
    kiln_fake_host("small"); /* a Skylake-Server */
    ck_assert_int_eq(compare(MODEL("Haswell"), FALSE, NULL), VIR_CPU_COMPARE_SUPERSET);
    ck_assert_int_eq(compare(MODEL("SapphireRapids"), FALSE, "required features: "),
                     VIR_CPU_COMPARE_INCOMPATIBLE);
    ck_assert_int_eq(compare("<cpu match='strict'><model>Haswell</model></cpu>", FALSE, "strictly"),
                     VIR_CPU_COMPARE_INCOMPATIBLE);
    ck_assert_int_eq(
        compare("<cpu><model>Haswell</model><feature policy='forbid' name='aes'/></cpu>", FALSE,
                "forbidden features: aes"),
        VIR_CPU_COMPARE_INCOMPATIBLE);
    ck_assert_int_eq(
        compare("<cpu><model>Haswell</model><vendor>AMD</vendor></cpu>", FALSE, "vendor AMD"),
        VIR_CPU_COMPARE_INCOMPATIBLE);
    ck_assert_int_eq(compare("<cpu><model>SapphireRapids</model><feature policy='optional' "
                             "name='amx-tile'/></cpu>",
                             FALSE, "amx-int8"),
                     VIR_CPU_COMPARE_INCOMPATIBLE);
}
END_TEST

START_TEST(the_hypervisors_answer_is_that_of_a_start)
{
    kiln_fake_host("small");
    ck_assert_int_eq(compare(MODEL("Haswell"), TRUE, NULL), VIR_CPU_COMPARE_SUPERSET);
    ck_assert_int_eq(compare(MODEL("SapphireRapids"), TRUE, "does not provide"),
                     VIR_CPU_COMPARE_INCOMPATIBLE);
    ck_assert_int_eq(compare("<cpu mode='host-passthrough'/>", TRUE, NULL),
                     VIR_CPU_COMPARE_IDENTICAL);
}
END_TEST

START_TEST(no_hypervisor_is_an_error)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnCpuDefinition) cpu = NULL;
    g_autofree char *message = NULL;

    kiln_fake_host("bare");
    cpu = kiln_cpu_definition_parse(MODEL("Haswell"), FALSE, NULL);
    ck_assert_int_eq(kiln_cpu_compare(cpu, TRUE, &message, &error), VIR_CPU_COMPARE_ERROR);
    kiln_assert_error_has(error, "/dev/kvm");
}
END_TEST

START_TEST(documents_that_are_none)
{
    static const struct {
        const char *xml;
        int code;
        gboolean strict;
    } rows[] = {
        { "", VIR_ERR_XML_ERROR, FALSE },
        { "<cpu", VIR_ERR_XML_ERROR, FALSE },
        { "<domain/>", VIR_ERR_XML_ERROR, FALSE },
        { "<cpu/>", VIR_ERR_XML_ERROR, FALSE },
        { "<cpu mode='best'/>", VIR_ERR_XML_ERROR, FALSE },
        { MODEL("Nonsense"), VIR_ERR_INTERNAL_ERROR, FALSE },
        { "<cpu><arch>aarch64</arch><model>Haswell</model></cpu>", VIR_ERR_CONFIG_UNSUPPORTED,
          FALSE },
        { "<cpu><model>Haswell</model><feature/></cpu>", VIR_ERR_XML_ERROR, FALSE },
        { "<cpu><model>Haswell</model><feature name='x87'/></cpu>", VIR_ERR_INTERNAL_ERROR, FALSE },
        { "<cpu><model>Haswell</model><feature name='aes'/><feature name='aes'/></cpu>",
          VIR_ERR_XML_ERROR, FALSE },
        { "<cpu><model>Haswell</model><nonsense/></cpu>", VIR_ERR_XML_INVALID_SCHEMA, TRUE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(KilnCpuDefinition) cpu =
            kiln_cpu_definition_parse(rows[i].xml, rows[i].strict, &error);

        ck_assert_msg(cpu == NULL, "%s", rows[i].xml);
        ck_assert_msg(g_error_matches(error, KILN_VIR_ERROR, rows[i].code), "%s: %s", rows[i].xml,
                      error->message);
    }
}
END_TEST

/* ---- Baseline -------------------------------------------------------------------------------- */

static char *
baseline(const char *a, const char *b, gboolean hypervisor, guint flags)
{
    char *const documents[] = { (char *)a, (char *)b };
    g_autoptr(GError) error = NULL;
    char *xml = kiln_cpu_baseline(documents, b != NULL ? 2 : 1, hypervisor, flags, &error);

    kiln_assert_no_error(error);
    return xml;
}

START_TEST(one_model_is_its_own_baseline)
{
    g_autofree char *xml = NULL;

    kiln_fake_host("small");
    xml = baseline(MODEL("Westmere"), NULL, FALSE, 0);
    ck_assert_str_eq(xml, "<cpu mode='custom' match='exact'>\n"
                          "  <model fallback='forbid'>Westmere</model>\n</cpu>\n");
}
END_TEST

START_TEST(what_two_have_in_common_runs_on_both)
{
    g_autofree char *xml = NULL, *expanded = NULL, *migratable = NULL;

    kiln_fake_host("small");
    xml = baseline("<cpu><arch>x86_64</arch><model>Haswell</model><vendor>Intel</vendor>"
                   "<feature name='invtsc'/></cpu>",
                   "<cpu><arch>x86_64</arch><model>Westmere</model><vendor>Intel</vendor>"
                   "<feature name='invtsc'/></cpu>",
                   FALSE, 0);
    ck_assert_ptr_nonnull(strstr(xml, "<vendor>Intel</vendor>"));
    ck_assert_ptr_nonnull(strstr(xml, "name='invtsc'"));
    ck_assert_ptr_null(strstr(xml, "name='avx'"));
    ck_assert_int_eq(compare(xml, FALSE, NULL), VIR_CPU_COMPARE_SUPERSET);
    kiln_fake_cpu("Westmere", TRUE);
    ck_assert_int_ne(compare(xml, FALSE, NULL), VIR_CPU_COMPARE_INCOMPATIBLE);

    expanded = baseline(xml, NULL, FALSE, VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
    ck_assert_ptr_nonnull(strstr(expanded, "<feature policy='require' name='sse4.2'/>"));
    migratable = baseline(xml, NULL, FALSE, VIR_CONNECT_BASELINE_CPU_MIGRATABLE);
    ck_assert_ptr_null(strstr(migratable, "invtsc"));
}
END_TEST

/* As virt-install does to see whether host-model has what mitigates: domain capabilities' mode is
 * made a <cpu>. */
START_TEST(host_model_can_be_expanded)
{
    g_autofree char *caps = NULL, *mode = NULL, *inner = NULL, *cpu = NULL, *xml = NULL;
    char *end;

    kiln_fake_host("small");
    caps = kiln_caps_domain("/usr/bin/kiln", NULL, NULL, NULL, NULL, NULL);
    mode = cut(caps, "<mode name='host-model' supported='yes'>", "</mode>");
    end = strstr(mode, "</mode>");
    *end = '\0';
    inner = g_strdup(strchr(mode, '>') + 1);
    cpu = g_strdup_printf("<cpu>%s<arch>x86_64</arch></cpu>", inner);
    xml = baseline(cpu, NULL, TRUE, VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES);
    ck_assert_ptr_nonnull(strstr(xml, "<model fallback='forbid'>"));
    ck_assert_int_ne(compare(cpu, TRUE, NULL), VIR_CPU_COMPARE_INCOMPATIBLE);
    ck_assert_int_ne(compare(xml, TRUE, NULL), VIR_CPU_COMPARE_INCOMPATIBLE);
}
END_TEST

START_TEST(baselines_that_are_none)
{
    static const struct {
        const char *a, *b;
        int code;
    } rows[] = {
        { MODEL("Haswell"), MODEL("EPYC"), VIR_ERR_OPERATION_FAILED },
        { "<cpu mode='host-passthrough'/>", MODEL("EPYC"), VIR_ERR_INVALID_ARG },
        { "<cpu><model>EPYC</model><vendor>Intel</vendor></cpu>", MODEL("Haswell"),
          VIR_ERR_OPERATION_FAILED },
        { MODEL("Haswell"), "nonsense", VIR_ERR_XML_ERROR },
    };

    kiln_fake_host("small");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        char *const documents[] = { (char *)rows[i].a, (char *)rows[i].b };
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(kiln_cpu_baseline(documents, 2, FALSE, 0, &error));
        ck_assert_int_eq(error->code, rows[i].code);
    }
    {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(kiln_cpu_baseline(NULL, 0, FALSE, 0, &error));
        ck_assert_int_eq(error->code, VIR_ERR_INVALID_ARG);
    }
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("driver/caps-cpu");
    TCase *all = kiln_test_case(suite, "cpu");

    tcase_add_test(all, the_hosts_own_is_identical);
    tcase_add_test(all, less_is_a_superset_and_more_is_incompatible);
    tcase_add_test(all, the_hypervisors_answer_is_that_of_a_start);
    tcase_add_test(all, no_hypervisor_is_an_error);
    tcase_add_test(all, documents_that_are_none);
    tcase_add_test(all, one_model_is_its_own_baseline);
    tcase_add_test(all, what_two_have_in_common_runs_on_both);
    tcase_add_test(all, host_model_can_be_expanded);
    tcase_add_test(all, baselines_that_are_none);
    return suite;
}

KILN_TEST_MAIN(make_suite)
