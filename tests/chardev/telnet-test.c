/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chardev/telnet.h"

#include "tests/lib/kiln-test.h"

#include <string.h>

/* Decodes @length bytes of @from in pieces of @piece; returns what is left as a string. */
static char *
decode(const char *from, gsize length, gsize piece, guint *breaks)
{
    KilnTelnet telnet = { 0 };
    g_autoptr(GString) left = g_string_new(NULL);

    for (gsize at = 0; at < length; at += piece) {
        uint8_t data[64];
        gsize some = MIN(piece, length - at);

        memcpy(data, from + at, some);
        some = kiln_telnet_decode(&telnet, data, some, breaks);
        g_string_append_len(left, (const char *)data, (gssize)some);
    }
    return g_string_free(g_steal_pointer(&left), FALSE);
}

START_TEST(rfc854_commands_are_taken_out)
{
    static const char input[] = "a\xff\xfd\x01"                             /* DO ECHO */
                                "b\xff\xf3"                                 /* BRK */
                                "c\xff\xfa\x1f\x00\x50\xff\xff\xf0\xff\xf0" /* SB NAWS ... IAC SE */
                                "d\xff\xf1"                                 /* NOP */
                                "\xff\xff"                                  /* 255 */
                                "\r\0e\r\nf";

    for (gsize piece = 1; piece < 40; piece++) {
        guint breaks = 0;
        g_autofree char *left = decode(input, sizeof input - 1, piece, &breaks);

        ck_assert_str_eq(left, "abcd\xff\re\r\nf");
        ck_assert_uint_eq(breaks, 1);
    }
}
END_TEST

START_TEST(rfc854_255_is_doubled)
{
    uint8_t to[8];
    gsize length = kiln_telnet_encode((const uint8_t *)"a\xff\xff", 3, to);

    ck_assert_uint_eq(length, 5);
    ck_assert_mem_eq(to, "a\xff\xff\xff\xff", 5);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("telnet");
    TCase *tcase = kiln_test_case(suite, "telnet");

    tcase_add_test(tcase, rfc854_commands_are_taken_out);
    tcase_add_test(tcase, rfc854_255_is_doubled);
    return suite;
}

KILN_TEST_MAIN(make_suite)
