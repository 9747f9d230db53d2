/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of rules: the man page kiln-domain(5) lists it as it is, and none of its rows is dead.
 * KILN_TEST_REGENERATE=1 writes the man page's rows anew.
 */
#include "domain/rules.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

#define BEGIN ".\\\" BEGIN RULES\n"
#define END   ".\\\" END RULES\n"

/* Text of a man page: a backslash starts an escape. */
static char *
escape(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "\\", -1);

    return g_strjoinv("\\e", parts);
}

static char *
rows(void)
{
    static const char *const verdicts[] = { "Yes", "Kept", "\\&No" };
    GString *text = g_string_new(".Bl -tag -width Ds\n");
    guint n_rules;
    const KilnDomainRule *rules = kiln_domain_rules(&n_rules);

    for (guint i = 0; i < n_rules; i++) {
        g_autofree char *note = rules[i].note != NULL ? escape(rules[i].note) : NULL;

        g_string_append_printf(text, ".It Li %s\n.Em %s", rules[i].pattern,
                               verdicts[rules[i].verdict]);
        if (rules[i].values != NULL)
            g_string_append_printf(text, " :\n.Li %s", rules[i].values);
        g_string_append(text, "\n");
        if (note != NULL)
            g_string_append_printf(text, "(%s)\n", note);
        if (rules[i].check != NULL)
            g_string_append(text, "(with conditions, which faults name)\n");
    }
    g_string_append(text, ".El\n");
    return g_string_free(text, FALSE);
}

START_TEST(man_page_lists_the_table)
{
    g_autofree char *path = kiln_test_source("man/kiln-domain.5");
    g_autofree char *wanted = rows(), *page = NULL, *anew = NULL;
    char *begin, *end;

    ck_assert(g_file_get_contents(path, &page, NULL, NULL));
    begin = strstr(page, BEGIN);
    end = strstr(page, END);
    ck_assert(begin != NULL && end != NULL && begin < end);
    begin += strlen(BEGIN);
    anew = g_strdup_printf("%.*s%s%s", (int)(begin - page), page, wanted, end);
    if (g_getenv("KILN_TEST_REGENERATE") != NULL)
        ck_assert(g_file_set_contents(path, anew, -1, NULL));
    else
        ck_assert_msg(strcmp(page, anew) == 0,
                      "man/kiln-domain.5 lacks changes of src/domain/rules.c: run this test with "
                      "KILN_TEST_REGENERATE=1");
}
END_TEST

/* A row after one with the same pattern would never be looked at. */
START_TEST(patterns_are_unique)
{
    guint n_rules;
    const KilnDomainRule *rules = kiln_domain_rules(&n_rules);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < n_rules; i++) {
        ck_assert_msg(g_hash_table_add(seen, (char *)rules[i].pattern), "%s stands twice",
                      rules[i].pattern);
        ck_assert_msg(g_str_has_prefix(rules[i].pattern, "domain"), "%s", rules[i].pattern);
        ck_assert_msg(rules[i].verdict != KILN_RULE_REFUSED || rules[i].note != NULL,
                      "%s is refused without a reason", rules[i].pattern);
    }
}
END_TEST

/* The row that @text's innermost first element, or its attribute, is held against. */
START_TEST(first_row_that_fits)
{
    static const struct {
        const char *text, *attribute, *pattern;
    } cases[] = {
        { "<domain/>", NULL, "domain" },
        { "<domain><cpu mode='x'/></domain>", "mode", "domain/cpu@mode" },
        { "<domain><metadata><a><b c='1'/></a></metadata></domain>", "c", "domain/metadata/**" },
        { "<domain><metadata/></domain>", NULL, "domain/metadata/**" },
        { "<domain><clock><timer name='hpet' present='no'/></clock></domain>", "present",
          "domain/clock/timer[name=hpet]@present" },
        { "<domain><devices><controller type='pci'/></devices></domain>", NULL,
          "domain/devices/controller[type=pci]" },
        { "<domain><devices><controller type='ccid'/></devices></domain>", NULL,
          "domain/devices/controller" },
        { "<domain><features><gic/></features></domain>", NULL, "domain/features/*" },
        { "<domain><pm><suspend-to-mem enabled='no'/></pm></domain>", "enabled",
          "domain/pm/*@enabled" },
        { "<domain><cp/></domain>", NULL, NULL },
        { "<domain><cpux/></domain>", NULL, NULL },
        { "<domain><cpu><domain/></cpu></domain>", NULL, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KilnFaults) faults = kiln_faults_new();
        g_autoptr(KilnXmlNode) root = kiln_xml_parse(cases[i].text, strlen(cases[i].text), faults);
        const KilnXmlNode *node = root;
        const KilnDomainRule *rule;

        while (node->children->len > 0)
            node = g_ptr_array_index(node->children, 0);
        rule = kiln_domain_rules_find(node, cases[i].attribute);
        ck_assert_msg(g_strcmp0(rule != NULL ? rule->pattern : NULL, cases[i].pattern) == 0,
                      "%s: '%s'", cases[i].text, rule != NULL ? rule->pattern : "(none)");
    }
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("rules");
    TCase *tcase = kiln_test_case(suite, "rules");

    tcase_add_test(tcase, man_page_lists_the_table);
    tcase_add_test(tcase, patterns_are_unique);
    tcase_add_test(tcase, first_row_that_fits);
    return suite;
}

KILN_TEST_MAIN(make_suite)
