/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encodings against the bytes that ACPI 6.5 §20.2 gives for them. */
#include "tests/lib/kiln-test.h"

#include <string.h>

#include "acpi/aml.h"
#include "acpi/resources.h"

static void
expect(const KilnAml *aml, const char *bytes, gsize length)
{
    const GByteArray *got = kiln_aml_bytes(aml);

    ck_assert_uint_eq(got->len, length);
    ck_assert_mem_eq(got->data, bytes, length);
}
#define EXPECT(aml, literal) expect(aml, literal, sizeof(literal) - 1)

START_TEST(integers_are_minimal)
{
    static const struct {
        uint64_t value;
        const char *bytes;
        gsize length;
    } cases[] = {
        { 0, "\x00", 1 },
        { 1, "\x01", 1 },
        { 2, "\x0a\x02", 2 },
        { 255, "\x0a\xff", 2 },
        { 256, "\x0b\x00\x01", 3 },
        { 0xffff, "\x0b\xff\xff", 3 },
        { 0x10000, "\x0c\x00\x00\x01\x00", 5 },
        { 0xffffffff, "\x0c\xff\xff\xff\xff", 5 },
        { 0x100000000, "\x0e\x00\x00\x00\x00\x01\x00\x00\x00", 9 },
        { UINT64_MAX, "\xff", 1 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(KilnAml) aml = { 0 };

        kiln_aml_init(&aml);
        kiln_aml_integer(&aml, cases[i].value);
        expect(&aml, cases[i].bytes, cases[i].length);
    }
}
END_TEST

START_TEST(paths)
{
    g_auto(KilnAml) aml = { 0 };

    kiln_aml_init(&aml);
    kiln_aml_path(&aml, "\\");
    kiln_aml_path(&aml, "X");
    kiln_aml_path(&aml, "^^PCI0");
    kiln_aml_path(&aml, "\\_SB.PCI0");
    kiln_aml_path(&aml, "A.B.C");
    EXPECT(&aml, "\\\0X___^^PCI0\\._SB_PCI0/\3A___B___C___");
}
END_TEST

START_TEST(eisa_id_and_uuid)
{
    g_auto(KilnAml) aml = { 0 };

    kiln_aml_init(&aml);
    kiln_aml_eisa_id(&aml, "PNP0A08");
    kiln_aml_uuid(&aml, "33db4d5b-1ff7-401c-9657-7441c03dd766");
    EXPECT(&aml, "\x0c\x41\xd0\x0a\x08\x11\x13\x0a\x10"
                 "\x5b\x4d\xdb\x33\xf7\x1f\x1c\x40\x96\x57\x74\x41\xc0\x3d\xd7\x66");
}
END_TEST

/* ACPI 6.5 §20.2.4: the length counts its own bytes, so each boundary is one step early. */
START_TEST(spec_20_2_4_pkg_length_at_every_boundary)
{
    static const struct {
        gsize contents; /* bytes in the scope after its 4-byte name */
        const char *length;
        gsize length_bytes;
    } cases[] = {
        { 0, "\x05", 1 },
        { 0x3f - 5, "\x3f", 1 },
        { 0x40 - 5, "\x41\x04", 2 },
        { 0xfff - 6, "\x4f\xff", 2 },
        { 0x1000 - 6, "\x81\x00\x01", 3 },
        { 0xfffff - 7, "\x8f\xff\xff", 3 },
        { 0x100000 - 7, "\xc1\x00\x00\x01", 4 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(KilnAml) aml = { 0 };
        const GByteArray *bytes;
        const guint8 *at;

        kiln_aml_init(&aml);
        kiln_aml_begin_scope(&aml, "ABCD");
        for (gsize n = 0; n < cases[i].contents; n++)
            kiln_aml_integer(&aml, n % 2);
        kiln_aml_end(&aml);
        bytes = kiln_aml_bytes(&aml);
        at = bytes->data;
        ck_assert_uint_eq(bytes->len, 1 + cases[i].length_bytes + 4 + cases[i].contents);
        ck_assert_uint_eq(*at++, 0x10);
        ck_assert_mem_eq(at, cases[i].length, cases[i].length_bytes);
        at += cases[i].length_bytes;
        ck_assert_mem_eq(at, "ABCD", 4);
        for (gsize n = 0; n < cases[i].contents; n++)
            ck_assert_uint_eq(at[4 + n], n % 2);
    }
}
END_TEST

START_TEST(field_widths_do_not_count_themselves)
{
    g_auto(KilnAml) aml = { 0 };

    kiln_aml_init(&aml);
    kiln_aml_begin_field(&aml, "REGN", KILN_AML_ACCESS_DWORD);
    kiln_aml_field_unit(&aml, "A", 0x3f);
    kiln_aml_field_unit(&aml, "B", 0x40);
    kiln_aml_field_skip(&aml, 0x1000);
    kiln_aml_end(&aml);
    EXPECT(&aml, "\x5b\x81\x15REGN\x03"
                 "A___\x3f"
                 "B___\x40\x04\x00\x80\x00\x01");
}
END_TEST

START_TEST(nested_method)
{
    g_auto(KilnAml) aml = { 0 };

    kiln_aml_init(&aml);
    kiln_aml_begin_method(&aml, "_DSM", 4, TRUE);
    kiln_aml_begin_if(&aml);
    kiln_aml_op(&aml, KILN_AML_LEQUAL);
    kiln_aml_arg(&aml, 2);
    kiln_aml_integer(&aml, 0);
    kiln_aml_op(&aml, KILN_AML_RETURN);
    kiln_aml_string(&aml, "y");
    kiln_aml_end(&aml);
    kiln_aml_begin_else(&aml);
    kiln_aml_op(&aml, KILN_AML_NOTIFY);
    kiln_aml_path(&aml, "PCI0");
    kiln_aml_local(&aml, 7);
    kiln_aml_end(&aml);
    kiln_aml_end(&aml);
    EXPECT(&aml, "\x14\x17_DSM\x0c"
                 "\xa0\x08\x93\x6a\x00\xa4\x0dy\x00"
                 "\xa1\x07\x86PCI0\x67");
}
END_TEST

START_TEST(resources)
{
    g_auto(KilnAml) aml = { 0 };

    kiln_aml_init(&aml);
    kiln_aml_begin_resources(&aml);
    kiln_aml_res_io(&aml, 0x3f8, 8);
    kiln_aml_res_irq(&aml, 4);
    kiln_aml_res_memory32_fixed(&aml, FALSE, 0xfed00000, 0x400);
    kiln_aml_res_interrupt(&aml, 20, TRUE, FALSE, TRUE);
    kiln_aml_end(&aml);
    EXPECT(&aml, "\x11\x25\x0a\x22"
                 "\x47\x01\xf8\x03\xf8\x03\x01\x08"
                 "\x22\x10\x00"
                 "\x86\x09\x00\x00\x00\x00\xd0\xfe\x00\x04\x00\x00"
                 "\x89\x06\x00\x09\x01\x14\x00\x00\x00"
                 "\x79\x00");
}
END_TEST

START_TEST(windows_take_the_width_they_need)
{
    static const struct {
        uint64_t base;
        uint64_t length;
        guint8 tag;
    } cases[] = {
        { 0xc0000000, 0x20000000, 0x87 },
        { 0xc0000000, 0x40000000, 0x87 },
        { 0xc0000000, 0x40000001, 0x8a },
        { 0x100000000, 1, 0x8a },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(KilnAml) aml = { 0 };

        kiln_aml_init(&aml);
        kiln_aml_res_memory_window(&aml, cases[i].base, cases[i].length, TRUE);
        ck_assert_uint_eq(kiln_aml_bytes(&aml)->data[0], cases[i].tag);
    }
}
END_TEST

static Suite *
aml_suite(void)
{
    Suite *suite = suite_create("acpi/aml");
    TCase *tcase = kiln_test_case(suite, "aml");

    tcase_add_test(tcase, integers_are_minimal);
    tcase_add_test(tcase, paths);
    tcase_add_test(tcase, eisa_id_and_uuid);
    tcase_add_test(tcase, spec_20_2_4_pkg_length_at_every_boundary);
    tcase_add_test(tcase, field_widths_do_not_count_themselves);
    tcase_add_test(tcase, nested_method);
    tcase_add_test(tcase, resources);
    tcase_add_test(tcase, windows_take_the_width_they_need);
    return suite;
}

KILN_TEST_MAIN(aml_suite)
