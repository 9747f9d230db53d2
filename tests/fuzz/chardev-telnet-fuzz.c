/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a telnet client sends, in one read or in many: the guest gets the same bytes and breaks. The
 * first byte of the input is the length of the reads.
 */
#include "chardev/telnet.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns: (transfer full): what the guest gets of @data in reads of @step bytes. */
static GByteArray *
decode(const uint8_t *data, size_t size, size_t step, guint *breaks)
{
    GByteArray *all = g_byte_array_new();
    KilnTelnet telnet = { 0 };

    for (size_t at = 0; at < size; at += step) {
        gsize length = MIN(step, size - at);
        g_autofree uint8_t *chunk = g_malloc(length);
        gsize left;

        memcpy(chunk, data + at, length);
        left = kiln_telnet_decode(&telnet, chunk, length, breaks);
        if (left > length)
            g_error("%" G_GSIZE_FORMAT " bytes out of %" G_GSIZE_FORMAT, left, length);
        g_byte_array_append(all, chunk, (guint)left);
    }
    return all;
}

/* What is encoded comes back: only a carriage return and a NUL after it are more than data. */
static void
check_round_trip(const GByteArray *bytes)
{
    g_autofree uint8_t *encoded = g_malloc(2 * (gsize)bytes->len + 1);
    gsize length = kiln_telnet_encode(bytes->data, bytes->len, encoded);
    g_autoptr(GByteArray) again = NULL;
    guint breaks = 0;

    if (length > 2 * (gsize)bytes->len)
        g_error("%u bytes became %" G_GSIZE_FORMAT, bytes->len, length);
    again = decode(encoded, length, MAX(length, 1), &breaks);
    if (breaks > 0)
        g_error("data became a break");
    if (memchr(bytes->data, '\r', bytes->len) == NULL &&
        (again->len != bytes->len || memcmp(again->data, bytes->data, bytes->len) != 0))
        g_error("data did not come back");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GByteArray) whole = NULL;
    g_autoptr(GByteArray) pieces = NULL;
    guint breaks = 0;
    guint breaks_of_pieces = 0;

    if (size < 2 || size > 65536)
        return 0;
    whole = decode(data + 1, size - 1, size - 1, &breaks);
    pieces = decode(data + 1, size - 1, 1 + (size_t)data[0], &breaks_of_pieces);
    if (whole->len != pieces->len || breaks != breaks_of_pieces ||
        (whole->len > 0 && memcmp(whole->data, pieces->data, whole->len) != 0))
        g_error("the length of the reads makes a difference");
    if (whole->len > 0)
        check_round_trip(whole);
    return 0;
}
