/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schemas/kiln-domain.rng is the table of rules as RELAX NG: the elements and attributes that kiln
 * takes, and their values where only some are taken.  Conditions between them are the validator's.
 * KILN_TEST_REGENERATE=1 writes the schema anew.
 */
#include "domain/rules.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

typedef struct Element Element;
struct Element {
    char *name;          /* (owned) "*" is any other one */
    GPtrArray *children; /* (owned) of Element */
    GHashTable
        *values;       /* (owned) attribute ("." is the text) -> values, "" for any; (owned) both */
    gboolean anything; /* "**" */
};

static void
element_free(gpointer data)
{
    Element *element = data;

    g_free(element->name);
    g_ptr_array_unref(element->children);
    g_hash_table_unref(element->values);
    g_free(element);
}

static Element *
element_in(GPtrArray *list, const char *name)
{
    Element *element;

    for (guint i = 0; i < list->len; i++) {
        element = g_ptr_array_index(list, i);
        if (strcmp(element->name, name) == 0)
            return element;
    }
    element = g_new0(Element, 1);
    element->name = g_strdup(name);
    element->children = g_ptr_array_new_with_free_func(element_free);
    element->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_ptr_array_add(list, element);
    return element;
}

/* Values of two rows for one attribute are taken of both, since selectors are left out here. */
static void
add_values(Element *element, const char *name, const char *values)
{
    const char *before = g_hash_table_lookup(element->values, name);

    if (before == NULL)
        g_hash_table_insert(element->values, g_strdup(name), g_strdup(values ? values : ""));
    else if (*before == '\0' || values == NULL)
        g_hash_table_insert(element->values, g_strdup(name), g_strdup(""));
    else
        g_hash_table_insert(element->values, g_strdup(name), g_strjoin(" ", before, values, NULL));
}

static void
add_rule(GPtrArray *roots, const KilnDomainRule *rule)
{
    g_autoptr(GRegex) selector = g_regex_new("\\[[^]]*\\]", 0, 0, NULL);
    g_autofree char *pattern = g_regex_replace(selector, rule->pattern, -1, 0, "", 0, NULL);
    g_auto(GStrv) halves = g_strsplit(pattern, "@", 2);
    g_auto(GStrv) steps = g_strsplit(halves[0], "/", -1);
    GPtrArray *list = roots;
    Element *element = NULL;

    if (rule->verdict == KILN_RULE_REFUSED)
        return;
    for (char **step = steps; *step != NULL; step++) {
        if (strcmp(*step, "**") == 0) {
            element->anything = TRUE;
            return;
        }
        element = element_in(list, *step);
        list = element->children;
    }
    if (halves[1] != NULL)
        add_values(element, halves[1], rule->values);
    else if (rule->values != NULL)
        add_values(element, ".", rule->values);
}

static void
write_value(KilnXmlWriter *writer, const char *values)
{
    g_auto(GStrv) words = g_strsplit(values, " ", -1);

    if (*values == '\0') {
        kiln_xml_start(writer, "text");
        kiln_xml_end(writer);
        return;
    }
    kiln_xml_start(writer, "choice");
    for (char **word = words; *word != NULL; word++) {
        if (!g_str_has_suffix(*word, "*")) {
            kiln_xml_text_element(writer, "value", *word);
            continue;
        }
        (*word)[strlen(*word) - 1] = '\0';
        kiln_xml_start(writer, "data");
        kiln_xml_attribute(writer, "type", "string");
        kiln_xml_start(writer, "param");
        kiln_xml_attribute(writer, "name", "pattern");
        kiln_xml_text(writer, *word);
        kiln_xml_text(writer, ".*");
        kiln_xml_end(writer);
        kiln_xml_end(writer);
    }
    kiln_xml_end(writer);
}

/* Any name of no namespace, or of any, but for those that have a row. */
static void
write_any_name(KilnXmlWriter *writer, GList *names)
{
    kiln_xml_start(writer, "nsName");
    kiln_xml_attribute(writer, "ns", "");
    if (names != NULL && (names->next != NULL || strcmp(names->data, "*") != 0)) {
        kiln_xml_start(writer, "except");
        for (GList *name = names; name != NULL; name = name->next) {
            if (strcmp(name->data, "*") != 0 && strcmp(name->data, ".") != 0)
                kiln_xml_text_element(writer, "name", name->data);
        }
        kiln_xml_end(writer);
    }
    kiln_xml_end(writer);
}

static void
write_attributes(KilnXmlWriter *writer, const Element *element)
{
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(element->values), (GCompareFunc)strcmp);

    for (GList *name = names; name != NULL; name = name->next) {
        gboolean any = strcmp(name->data, "*") == 0;

        if (strcmp(name->data, ".") == 0)
            continue;
        kiln_xml_start(writer, any ? "zeroOrMore" : "optional");
        kiln_xml_start(writer, "attribute");
        if (any)
            write_any_name(writer, names);
        else
            kiln_xml_attribute(writer, "name", name->data);
        write_value(writer, g_hash_table_lookup(element->values, name->data));
        kiln_xml_end(writer);
        kiln_xml_end(writer);
    }
}

static void
write_reference(KilnXmlWriter *writer, const char *name)
{
    kiln_xml_start(writer, "ref");
    kiln_xml_attribute(writer, "name", name);
    kiln_xml_end(writer);
}

static void write_element(KilnXmlWriter *writer, const Element *element, const GPtrArray *siblings);

static void
write_content(KilnXmlWriter *writer, const Element *element, gboolean root)
{
    const char *text = g_hash_table_lookup(element->values, ".");

    if (element->anything) {
        write_reference(writer, "anything");
        return;
    }
    write_attributes(writer, element);
    if (text != NULL) {
        write_value(writer, text);
        return;
    }
    kiln_xml_start(writer, "interleave");
    kiln_xml_start(writer, "text");
    kiln_xml_end(writer);
    for (guint i = 0; i < element->children->len; i++) {
        kiln_xml_start(writer, "zeroOrMore");
        write_element(writer, g_ptr_array_index(element->children, i), element->children);
        kiln_xml_end(writer);
    }
    if (root)
        write_reference(writer, "foreign");
    kiln_xml_end(writer);
}

static void
write_element(KilnXmlWriter *writer, const Element *element, const GPtrArray *siblings)
{
    g_autoptr(GList) names = NULL;

    kiln_xml_start(writer, "element");
    if (strcmp(element->name, "*") != 0) {
        kiln_xml_attribute(writer, "name", element->name);
    } else {
        for (guint i = 0; i < siblings->len; i++)
            names = g_list_append(names, ((Element *)g_ptr_array_index(siblings, i))->name);
        write_any_name(writer, names);
    }
    write_content(writer, element, strcmp(element->name, "domain") == 0);
    kiln_xml_end(writer);
}

static const char head[] =
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    "<!-- Made from src/domain/rules.c by tests/domain/schema-test: what kiln takes of libvirt's\n"
    "     domain XML.  Additions of kiln's own are in the namespace urn:kiln:domain:1.0. -->\n"
    "<grammar xmlns='http://relaxng.org/ns/structure/1.0'\n"
    "         datatypeLibrary='http://www.w3.org/2001/XMLSchema-datatypes'>\n";
static const char tail[] =
    "<define name='foreign'>\n"
    "  <zeroOrMore>\n"
    "    <element><anyName><except><nsName ns=''/></except></anyName><ref name='anything'/>"
    "</element>\n"
    "  </zeroOrMore>\n"
    "</define>\n"
    "<define name='anything'>\n"
    "  <zeroOrMore>\n"
    "    <choice>\n"
    "      <attribute><anyName/></attribute>\n"
    "      <text/>\n"
    "      <element><anyName/><ref name='anything'/></element>\n"
    "    </choice>\n"
    "  </zeroOrMore>\n"
    "</define>\n"
    "</grammar>\n";

static char *
make_schema(void)
{
    g_autoptr(GPtrArray) roots = g_ptr_array_new_with_free_func(element_free);
    g_autoptr(KilnXmlWriter) writer = kiln_xml_writer_new();
    g_autofree char *body = NULL;
    guint n_rules;
    const KilnDomainRule *rules = kiln_domain_rules(&n_rules);

    for (guint i = 0; i < n_rules; i++)
        add_rule(roots, &rules[i]);
    kiln_xml_start(writer, "start");
    write_element(writer, g_ptr_array_index(roots, 0), roots);
    kiln_xml_end(writer);
    body = kiln_xml_writer_finish(writer);
    return g_strconcat(head, body, tail, NULL);
}

START_TEST(schema_is_the_table)
{
    g_autofree char *path = kiln_test_source("schemas/kiln-domain.rng");
    g_autofree char *wanted = make_schema(), *text = NULL;

    if (g_getenv("KILN_TEST_REGENERATE") != NULL)
        ck_assert(g_file_set_contents(path, wanted, -1, NULL));
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_msg(strcmp(text, wanted) == 0,
                  "schemas/kiln-domain.rng lacks changes of src/domain/rules.c: run this test with "
                  "KILN_TEST_REGENERATE=1");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("schema");

    tcase_add_test(kiln_test_case(suite, "schema"), schema_is_the_table);
    return suite;
}

KILN_TEST_MAIN(make_suite)
