/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See bitmap.h. */
#include "base/bitmap.h"

#include "base/error.h"

#include <string.h>

enum { WORD_BITS = 64 };

struct KilnBitmap {
    GArray *words; /* (owned) guint64 each; bits past its end are clear */
};

KilnBitmap *
kiln_bitmap_new(void)
{
    KilnBitmap *bitmap = g_new0(KilnBitmap, 1);

    bitmap->words = g_array_new(FALSE, TRUE, sizeof(guint64));
    return bitmap;
}

void
kiln_bitmap_free(KilnBitmap *bitmap)
{
    if (bitmap == NULL)
        return;
    g_array_free(bitmap->words, TRUE);
    g_free(bitmap);
}

KilnBitmap *
kiln_bitmap_copy(const KilnBitmap *bitmap)
{
    KilnBitmap *copy;

    if (bitmap == NULL)
        return NULL;
    copy = kiln_bitmap_new();
    g_array_append_vals(copy->words, bitmap->words->data, bitmap->words->len);
    return copy;
}

static guint64
word_at(const KilnBitmap *bitmap, guint index)
{
    return index < bitmap->words->len ? g_array_index(bitmap->words, guint64, index) : 0;
}

void
kiln_bitmap_set(KilnBitmap *bitmap, guint bit)
{
    g_return_if_fail(bit < KILN_BITMAP_MAX_BITS);
    if (bit / WORD_BITS >= bitmap->words->len)
        g_array_set_size(bitmap->words, bit / WORD_BITS + 1);
    g_array_index(bitmap->words, guint64, bit / WORD_BITS) |= G_GUINT64_CONSTANT(1)
                                                              << bit % WORD_BITS;
}

void
kiln_bitmap_unset(KilnBitmap *bitmap, guint bit)
{
    if (bit / WORD_BITS < bitmap->words->len)
        g_array_index(bitmap->words, guint64, bit / WORD_BITS) &=
            ~(G_GUINT64_CONSTANT(1) << bit % WORD_BITS);
}

gboolean
kiln_bitmap_get(const KilnBitmap *bitmap, guint bit)
{
    return (word_at(bitmap, bit / WORD_BITS) >> bit % WORD_BITS) & 1;
}

guint
kiln_bitmap_count(const KilnBitmap *bitmap)
{
    guint count = 0;

    for (guint i = 0; i < bitmap->words->len; i++)
        count += (guint)__builtin_popcountll(word_at(bitmap, i));
    return count;
}

gboolean
kiln_bitmap_equal(const KilnBitmap *a, const KilnBitmap *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    for (guint i = 0; i < MAX(a->words->len, b->words->len); i++) {
        if (word_at(a, i) != word_at(b, i))
            return FALSE;
    }
    return TRUE;
}

int
kiln_bitmap_next(const KilnBitmap *bitmap, guint from)
{
    for (guint i = from / WORD_BITS; i < bitmap->words->len; i++) {
        guint64 word = word_at(bitmap, i);

        if (i == from / WORD_BITS)
            word &= ~G_GUINT64_CONSTANT(0) << from % WORD_BITS;
        if (word != 0)
            return (int)(i * WORD_BITS) + __builtin_ctzll(word);
    }
    return -1;
}

/* Takes a number off the front of *text. */
static gboolean
take_number(const char **text, guint *number)
{
    guint value = 0;

    if (!g_ascii_isdigit(**text))
        return FALSE;
    for (; g_ascii_isdigit(**text); (*text)++) {
        value = value * 10 + (guint)(**text - '0');
        if (value >= KILN_BITMAP_MAX_BITS)
            return FALSE;
    }
    *number = value;
    return TRUE;
}

/* Takes one "N", "N-M" or "^N" off the front of *text and applies it. */
static gboolean
take_item(const char **text, KilnBitmap *bitmap)
{
    gboolean without = **text == '^';
    guint first;
    guint last;

    if (without)
        (*text)++;
    if (!take_number(text, &first))
        return FALSE;
    last = first;
    if (**text == '-' && !without) {
        (*text)++;
        if (!take_number(text, &last) || last < first)
            return FALSE;
    }
    for (guint bit = first; bit <= last; bit++) {
        if (without)
            kiln_bitmap_unset(bitmap, bit);
        else
            kiln_bitmap_set(bitmap, bit);
    }
    return TRUE;
}

static void
skip_space(const char **text)
{
    *text += strspn(*text, " \t\r\n");
}

KilnBitmap *
kiln_bitmap_parse(const char *text, GError **error)
{
    g_autoptr(KilnBitmap) bitmap = kiln_bitmap_new();
    const char *at = text;
    gboolean more = TRUE;

    while (more) {
        skip_space(&at);
        if (!take_item(&at, bitmap)) {
            kiln_error_set(error, KILN_ERROR_INVALID,
                           "'%s' is not a set of numbers such as '0-3,^2,8', each below %d", text,
                           KILN_BITMAP_MAX_BITS);
            return NULL;
        }
        skip_space(&at);
        more = *at == ',';
        if (more)
            at++;
    }
    if (*at != '\0' || kiln_bitmap_count(bitmap) == 0) {
        kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is not a set of numbers, or is empty",
                       text);
        return NULL;
    }
    return g_steal_pointer(&bitmap);
}

char *
kiln_bitmap_format(const KilnBitmap *bitmap)
{
    GString *text = g_string_new(NULL);
    int first = kiln_bitmap_next(bitmap, 0);

    while (first >= 0) {
        int last = first;

        while (kiln_bitmap_get(bitmap, (guint)last + 1))
            last++;
        g_string_append_printf(text, "%s%d", text->len > 0 ? "," : "", first);
        if (last > first)
            g_string_append_printf(text, "-%d", last);
        first = kiln_bitmap_next(bitmap, (guint)last + 1);
    }
    return g_string_free(text, FALSE);
}
