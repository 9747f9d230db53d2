/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes with units, and what tables do with paths, absence and faults. */
#include "domain/fields.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

START_TEST(sizes)
{
    static const struct {
        const char *text, *unit;
        guint64 bytes; /* 0: refused */
    } cases[] = {
        { "1", NULL, 1024 },
        { "1", "KiB", 1024 },
        { "1", "k", 1024 },
        { "1", "KB", 1024 },
        { "2", "KB", 2048 },
        { "1024", "b", 1024 },
        { "1025", "bytes", 2048 },
        { "3", "M", 3 << 20 },
        { "1", "GB", 1000000512 },
        { "1", "T", 1ull << 40 },
        { "7", "E", 7ull << 60 },
        { "8", "E", 0 },
        { "18446744073709551615", "b", 0 },
        { "-1", NULL, 0 },
        { "1.5", "G", 0 },
        { "", NULL, 0 },
        { "1", "", 0 },
        { "1", "KiBs", 0 },
        { "1", "parsec", 0 },
        { " 1", NULL, 0 },
        { "0x10", NULL, 0 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint64 bytes = 0;
        gboolean right = kiln_size_parse(cases[i].text, cases[i].unit, &bytes);

        ck_assert_msg(right == (cases[i].bytes != 0) && bytes == cases[i].bytes,
                      "'%s' '%s' gives %" G_GUINT64_FORMAT, cases[i].text,
                      cases[i].unit != NULL ? cases[i].unit : "(none)", bytes);
    }
}
END_TEST

typedef struct {
    KilnUint number;
    char *text;
} Item;

typedef struct {
    KilnUint count;
    KilnUint base;
    KilnSwitch state;
    gboolean there;
    char *deep;
    KilnUint deep_size;
    GPtrArray *items;
} Thing;

static const KilnField item_fields[] = {
    KILN_FIELD_UINT(Item, number, "@number", 1, 9, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(Item, text, "."),
    KILN_FIELD_END,
};
static const KilnStruct item_struct = { .size = sizeof(Item), .fields = item_fields };

static const KilnField thing_fields[] = {
    KILN_FIELD_UINT(Thing, count, "@count", 0, G_MAXUINT64),
    KILN_FIELD_HEX(Thing, base, "@base", 0xffff, 4),
    KILN_FIELD_PRESENT(Thing, there, "there"),
    KILN_FIELD_SWITCH(Thing, state, "there@state", ONOFF),
    KILN_FIELD_STRING(Thing, deep, "a/b@deep"),
    KILN_FIELD_SIZE(Thing, deep_size, "a/b/c"),
    KILN_FIELD_LIST(Thing, items, "a/items/item", &item_struct),
    KILN_FIELD_END,
};
static const KilnStruct thing_struct = { .size = sizeof(Thing), .fields = thing_fields };

/* Parses @text as a Thing and gives what it is written as, or the first fault's path. */
static char *
round_trip(const char *text)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnXmlNode) node = kiln_xml_parse(text, strlen(text), faults);
    g_autoptr(KilnXmlWriter) writer = kiln_xml_writer_new();
    Thing *thing;
    char *out;

    ck_assert_ptr_nonnull(node);
    node->taken = TRUE;
    thing = kiln_struct_parse(&thing_struct, node, faults);
    kiln_xml_report_leftovers(node, faults);
    kiln_xml_start(writer, "thing");
    kiln_struct_format(&thing_struct, thing, writer, 0);
    kiln_xml_end(writer);
    out = kiln_xml_writer_finish(writer);
    kiln_struct_free(&thing_struct, thing);
    if (kiln_faults_count(faults) > 0) {
        g_free(out);
        out = g_strdup(kiln_faults_get(faults, 0)->path);
    }
    return out;
}

START_TEST(written_as_read)
{
    g_autofree char *out =
        round_trip("<thing base='0x3f' count='18446744073709551615'>"
                   "<a><items><item number='2'>x</item><item number='1'/></items>"
                   "<b deep=\"'&lt;&#9;\"><c unit='MiB'>1</c></b></a>"
                   "<there state='off'/></thing>");

    ck_assert_str_eq(out, "<thing count='18446744073709551615' base='0x003f'>\n"
                          "  <there state='off'/>\n"
                          "  <a>\n"
                          "    <b deep='&apos;&lt;&#9;'>\n"
                          "      <c unit='KiB'>1024</c>\n"
                          "    </b>\n"
                          "    <items>\n"
                          "      <item number='2'>x</item>\n"
                          "      <item number='1'></item>\n"
                          "    </items>\n"
                          "  </a>\n"
                          "</thing>\n");
}
END_TEST

START_TEST(faults_have_paths)
{
    static const char *const cases[][2] = {
        { "<thing count='-1'/>", "thing@count" },
        { "<thing count='1x'/>", "thing@count" },
        { "<thing count='18446744073709551616'/>", "thing@count" },
        { "<thing base='0x10000'/>", "thing@base" },
        { "<thing color='red'/>", "thing@color" },
        { "<thing><there state='maybe'/></thing>", "thing/there@state" },
        { "<thing><there/><there/></thing>", "thing/there[2]" },
        { "<thing><a><items><item number='1'/><item/></items></a></thing>",
          "thing/a/items/item[2]@number" },
        { "<thing><a><items><item number='10'/></items></a></thing>", "thing/a/items/item@number" },
        { "<thing>text</thing>", "thing" },
        { "<thing><x:there xmlns:x='urn:x'/></thing>", "thing/x:there" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *out = round_trip(cases[i][0]);

        ck_assert_str_eq(out, cases[i][1]);
    }
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("fields");
    TCase *tcase = kiln_test_case(suite, "fields");

    tcase_add_test(tcase, sizes);
    tcase_add_test(tcase, written_as_read);
    tcase_add_test(tcase, faults_have_paths);
    return suite;
}

KILN_TEST_MAIN(make_suite)
