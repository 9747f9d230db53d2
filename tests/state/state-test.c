/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saved state: the round trip, older versions, and what strangers may send. */
#include "tests/lib/kiln-test.h"

#include <string.h>

#include "base/le.h"
#include "state/format.h"
#include "state/reader.h"
#include "state/writer.h"
#include "tests/lib/state-sample.h"

/* Where members are in the stream of one filled sample, see state/format.h. */
enum {
    HEAD = KILN_STATE_MAGIC_LENGTH + 4,
    SECTION_HEAD = 1 + 1 + 6 + 4 + 4 + 4,
    PAYLOAD = HEAD + SECTION_HEAD,
    AT_INSTANCE = HEAD + 8,
    AT_VERSION = HEAD + 12,
    AT_LENGTH = HEAD + 16,
    AT_ADDED = PAYLOAD,
    AT_INDEX = AT_ADDED + 8,
    AT_DIVISOR = AT_INDEX + 1,
    AT_CONTROL = AT_DIVISOR + 2,
    AT_TICKS = AT_CONTROL + 4,
    AT_OFFSET = AT_TICKS + 8,
    AT_BUSY = AT_OFFSET + 4,
    AT_MASKED = AT_BUSY + 1,
    AT_CMOS = AT_MASKED + 1,
    AT_LINES = AT_CMOS + 16,
    AT_ONLY = AT_LINES + 16,
    AT_QUEUES = AT_ONLY + 7,
    AT_BLOB = AT_QUEUES + 14,
    AT_END = AT_BLOB + 4 + 5,
};

static GByteArray *
save_sample(Sample *sample)
{
    const KilnStateEntry entry = { &sample_state, 0, sample };

    return kiln_state_save(&entry, 1);
}

static gboolean
load_sample(const uint8_t *data, size_t length, Sample *sample, GError **error)
{
    const KilnStateEntry entry = { &sample_state, 0, sample };

    return kiln_state_load(data, length, &entry, 1, error);
}

static void
seal(uint8_t *data, size_t length)
{
    kiln_le32_store(data + length - 4, kiln_state_checksum(data, length - 4));
}

START_TEST(save_load_save_is_equal)
{
    g_autoptr(GError) error = NULL;
    Sample sample, loaded = { .blob = g_memdup2("older", 5), .blob_length = 5 };
    GByteArray *first, *second;

    sample_fill(&sample);
    first = save_sample(&sample);
    ck_assert_uint_eq(sample.saves, 1);
    ck_assert_uint_eq(first->len, AT_END + 1 + 4);
    ck_assert(load_sample(first->data, first->len, &loaded, &error));
    kiln_assert_no_error(error);
    ck_assert_uint_eq(loaded.derived, 0x7f + 0x1234);
    ck_assert_int_eq(loaded.offset, -5);
    ck_assert_int_eq(loaded.masked, TRUE);
    ck_assert_uint_eq(loaded.queues[1].level, 2);
    ck_assert_uint_eq(loaded.ticks, G_GUINT64_CONSTANT(0x8877665544332211));
    ck_assert_mem_eq(loaded.cmos, sample.cmos, sizeof sample.cmos);
    second = save_sample(&loaded);
    ck_assert_uint_eq(second->len, first->len);
    ck_assert_mem_eq(second->data, first->data, first->len);
    g_byte_array_unref(first);
    g_byte_array_unref(second);
    sample_clear(&sample);
    sample_clear(&loaded);
}
END_TEST

START_TEST(empty_buffer_frees_the_old_one)
{
    g_autoptr(GError) error = NULL;
    Sample empty = { 0 }, loaded;
    GByteArray *stream = save_sample(&empty);

    sample_fill(&loaded);
    ck_assert(load_sample(stream->data, stream->len, &loaded, &error));
    ck_assert_ptr_null(loaded.blob);
    ck_assert_uint_eq(loaded.blob_length, 0);
    g_byte_array_unref(stream);
}
END_TEST

START_TEST(older_version_keeps_the_reset_value)
{
    g_autoptr(GError) error = NULL;
    Sample old, loaded = { .added = 4711 };
    KilnStateEntry entry = { &sample_state_v1, 0, &old };
    GByteArray *stream;

    sample_fill(&old);
    stream = kiln_state_save(&entry, 1);
    ck_assert(load_sample(stream->data, stream->len, &loaded, &error));
    kiln_assert_no_error(error);
    ck_assert_uint_eq(loaded.added, 4711);
    ck_assert_uint_eq(loaded.divisor, 0x1234);
    ck_assert_mem_eq(loaded.blob, "bytes", 5);
    g_byte_array_unref(stream);
    sample_clear(&old);
    sample_clear(&loaded);
}
END_TEST

/* One change to the stream of a filled sample, and what must be said of it. */
static const struct {
    guint at;
    guint size;
    uint64_t value;
    const char *message;
} lies[] = {
    { 0, 1, 'k', "does not begin with 'KILNSTAT'" },
    { KILN_STATE_MAGIC_LENGTH, 4, 2, "format version 2 is not 1" },
    { HEAD, 1, 'X', "byte 0x58 where a section" },
    { HEAD + 1, 1, 0, "name of 0 bytes is not valid" },
    { HEAD + 1, 1, 255, "inside the name of a section" },
    { HEAD + 2, 1, '\n', "name of 6 bytes is not valid" },
    { HEAD + 2, 1, 'z', "section 'sample' is missing" },
    { AT_INSTANCE, 4, 1, "section 'sample' is missing" },
    { AT_VERSION, 4, 0, "section 'sample' version 0 is too old, the oldest that can be read is 1" },
    { AT_VERSION, 4, 3, "section 'sample' version 3 is too new, this kiln reads up to 2" },
    { AT_VERSION, 4, 0xffffffff, "section 'sample' version 4294967295 is too new" },
    { AT_LENGTH, 4, 0xffffffff, "section 'sample' says it has 4294967295 bytes" },
    { AT_INDEX, 1, 200, "section 'sample' field 'index': 200 is above 127" },
    { AT_CONTROL, 4, 3, "section 'sample' field 'control': 0x3 is odd" },
    { AT_OFFSET, 4, 6, "field 'offset': 6 is above 5" },
    { AT_OFFSET, 4, 0x80000000, "field 'offset': -2147483648 is below -5" },
    { AT_BUSY, 1, 2, "field 'busy': 2 is no flag" },
    { AT_MASKED, 1, 255, "field 'masked': 255 is no flag" },
    { AT_LINES + 12, 4, 10, "field 'lines': 10 is above 9" },
    { AT_ONLY, 4, 2, "field 'only': version 2 is too new" },
    { AT_ONLY + 6, 1, 4, "field 'only': field 'level': 4 is above 3" },
    { AT_QUEUES + 13, 1, 4, "field 'queues': element 1: field 'level': 4 is above 3" },
    { AT_BLOB, 4, 65, "field 'blob': 65 bytes are above 64" },
    { AT_BLOB, 4, 6, "field 'blob': only 5 bytes of the section are left" },
    { AT_BLOB, 4, 4, "section 'sample' has 1 bytes more than its fields need" },
};

START_TEST(lie_is_named)
{
    g_autoptr(GError) error = NULL;
    Sample sample, untouched, target;
    GByteArray *stream;

    sample_fill(&sample);
    stream = save_sample(&sample);
    memset(&target, 0x5a, sizeof target);
    memcpy(&untouched, &target, sizeof target);
    for (guint i = 0; i < lies[_i].size; i++)
        stream->data[lies[_i].at + i] = (uint8_t)(lies[_i].value >> (8 * i));
    seal(stream->data, stream->len);
    ck_assert(!load_sample(stream->data, stream->len, &target, &error));
    kiln_assert_error_has(error, lies[_i].message);
    ck_assert_mem_eq(&target, &untouched, sizeof target);
    g_byte_array_unref(stream);
    sample_clear(&sample);
}
END_TEST

START_TEST(every_truncation_is_an_error)
{
    Sample sample, target = { 0 };
    GByteArray *stream;

    sample_fill(&sample);
    stream = save_sample(&sample);
    for (guint length = 0; length < stream->len; length++) {
        g_autoptr(GError) error = NULL;
        /* An allocation of just that size, so that a sanitizer sees the first byte too far. */
        g_autofree uint8_t *cut = g_memdup2(stream->data, length);

        ck_assert(!load_sample(cut, length, &target, &error));
        ck_assert_ptr_nonnull(error);
        if (length >= HEAD + 9) {
            g_clear_error(&error);
            cut[length - 5] = KILN_STATE_MARK_END;
            seal(cut, length);
            ck_assert(!load_sample(cut, length, &target, &error));
            ck_assert_ptr_nonnull(error);
        }
    }
    g_byte_array_unref(stream);
    sample_clear(&sample);
}
END_TEST

START_TEST(every_bit_flip_is_found_by_the_checksum)
{
    Sample sample, target = { 0 };
    GByteArray *stream;

    sample_fill(&sample);
    stream = save_sample(&sample);
    for (guint bit = 0; bit < 8 * stream->len; bit++) {
        g_autoptr(GError) error = NULL;

        stream->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert(!load_sample(stream->data, stream->len, &target, &error));
        ck_assert_ptr_nonnull(error);
        stream->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    g_byte_array_unref(stream);
    sample_clear(&sample);
}
END_TEST

/* What passes the checks is what is then saved: nothing that was not in the stream comes in. */
START_TEST(every_sealed_bit_flip_is_refused_or_loads_as_written)
{
    guint loaded_streams = 0;
    Sample sample;
    GByteArray *stream;

    sample_fill(&sample);
    stream = save_sample(&sample);
    for (guint bit = 0; bit < 8 * (stream->len - 4); bit++) {
        g_autoptr(GError) error = NULL;
        Sample target = { 0 };

        stream->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        seal(stream->data, stream->len);
        if (load_sample(stream->data, stream->len, &target, &error)) {
            GByteArray *again = save_sample(&target);

            ck_assert_uint_eq(again->len, stream->len);
            ck_assert_mem_eq(again->data, stream->data, stream->len);
            g_byte_array_unref(again);
            loaded_streams++;
        } else {
            ck_assert_ptr_nonnull(error);
        }
        sample_clear(&target);
        stream->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ck_assert_uint_gt(loaded_streams, 100);
    g_byte_array_unref(stream);
    sample_clear(&sample);
}
END_TEST

START_TEST(post_load_names_the_section)
{
    g_autoptr(GError) error = NULL;
    Sample sample, target = { 0 };
    GByteArray *stream;

    sample_fill(&sample);
    sample.divisor = 0;
    stream = save_sample(&sample);
    ck_assert(!load_sample(stream->data, stream->len, &target, &error));
    kiln_assert_error_has(error, "section 'sample' is busy with a divisor of 0");
    g_byte_array_unref(stream);
    sample_clear(&sample);
    sample_clear(&target);
}
END_TEST

START_TEST(instances_are_told_apart)
{
    g_autoptr(GError) error = NULL;
    Sample a = { .index = 1 }, b = { .index = 2 }, to_a = { 0 }, to_b = { 0 };
    const KilnStateEntry from[] = { { &sample_state, 0, &a }, { &sample_state, 7, &b } };
    const KilnStateEntry to[] = { { &sample_state, 7, &to_b }, { &sample_state, 0, &to_a } };
    GByteArray *stream = kiln_state_save(from, G_N_ELEMENTS(from));

    ck_assert(kiln_state_load(stream->data, stream->len, to, G_N_ELEMENTS(to), &error));
    ck_assert_uint_eq(to_a.index, 1);
    ck_assert_uint_eq(to_b.index, 2);

    ck_assert(!kiln_state_load(stream->data, stream->len, to + 1, 1, &error));
    kiln_assert_error_has(error, "section 'sample' instance 7 belongs to nothing in this machine");
    g_byte_array_unref(stream);
}
END_TEST

START_TEST(section_twice_is_refused)
{
    g_autoptr(GError) error = NULL;
    Sample a = { 0 }, target = { 0 };
    const KilnStateEntry from[] = { { &sample_state, 0, &a }, { &sample_state, 1, &a } };
    GByteArray *stream = kiln_state_save(from, G_N_ELEMENTS(from));
    guint section_length = (stream->len - HEAD - 5) / 2;

    memcpy(stream->data + HEAD + section_length, stream->data + HEAD, section_length);
    seal(stream->data, stream->len);
    ck_assert(!load_sample(stream->data, stream->len, &target, &error));
    kiln_assert_error_has(error, "section 'sample' instance 0 is there twice");
    g_byte_array_unref(stream);
}
END_TEST

START_TEST(bytes_after_the_end_are_refused)
{
    g_autoptr(GError) error = NULL;
    Sample target = { 0 };
    GByteArray *stream = save_sample(&target);

    g_byte_array_append(stream, (const uint8_t *)"x", 1);
    ck_assert(!load_sample(stream->data, stream->len, &target, &error));
    kiln_assert_error_has(error, "1 bytes follow the end");
    g_byte_array_unref(stream);
}
END_TEST

START_TEST(checksum_is_the_usual_crc32)
{
    ck_assert_uint_eq(kiln_state_checksum((const uint8_t *)"123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(kiln_state_checksum((const uint8_t *)"", 0), 0);
}
END_TEST

typedef struct {
    uint16_t level; /* 0 to 9 */
    guint loads;
} Part;

typedef struct {
    uint8_t before;
    Part *part;
    uint8_t after;
} Whole;

static gboolean
part_post_load(void *object, GError **error)
{
    ((Part *)object)->loads++;
    return TRUE;
}

static const KilnStateField part_fields[] = {
    KILN_STATE_RANGE(Part, level, 1, 0, 9),
    KILN_STATE_END,
};
static const KilnStateDescription part_state = { .name = "part",
                                                 .version = 1,
                                                 .min_version = 1,
                                                 .fields = part_fields,
                                                 .post_load = part_post_load };
static const KilnStateField whole_fields[] = {
    KILN_STATE(Whole, before, 1),
    KILN_STATE_POINTER(Whole, part, 1, &part_state),
    KILN_STATE(Whole, after, 1),
    KILN_STATE_END,
};
static const KilnStateDescription whole_state = {
    .name = "whole", .version = 1, .min_version = 1, .fields = whole_fields
};

START_TEST(a_part_behind_a_pointer_is_saved_in_place)
{
    Part part = { .level = 7 }, loaded_part = { 0 };
    Whole whole = { 1, &part, 2 }, loaded = { 0, &loaded_part, 0 };
    KilnStateEntry entry = { &whole_state, 0, &whole };
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);
    g_autoptr(GByteArray) bad = NULL;
    g_autoptr(GError) error = NULL;

    entry.object = &loaded;
    ck_assert(kiln_state_load(saved->data, saved->len, &entry, 1, &error));
    ck_assert_uint_eq(loaded.before, 1);
    ck_assert_ptr_eq(loaded.part, &loaded_part);
    ck_assert_uint_eq(loaded_part.level, 7);
    ck_assert_uint_eq(loaded_part.loads, 1);
    ck_assert_uint_eq(loaded.after, 2);

    part.level = 10;
    entry.object = &whole;
    bad = kiln_state_save(&entry, 1);
    entry.object = &loaded;
    ck_assert(!kiln_state_load(bad->data, bad->len, &entry, 1, &error));
    kiln_assert_error_has(error, "field 'part': field 'level': 10 is above 9");
    ck_assert_uint_eq(loaded_part.level, 7);
}
END_TEST

static Suite *
state_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = kiln_test_case(suite, "state");

    tcase_add_test(tcase, save_load_save_is_equal);
    tcase_add_test(tcase, empty_buffer_frees_the_old_one);
    tcase_add_test(tcase, older_version_keeps_the_reset_value);
    tcase_add_loop_test(tcase, lie_is_named, 0, G_N_ELEMENTS(lies));
    tcase_add_test(tcase, every_truncation_is_an_error);
    tcase_add_test(tcase, every_bit_flip_is_found_by_the_checksum);
    tcase_add_test(tcase, every_sealed_bit_flip_is_refused_or_loads_as_written);
    tcase_add_test(tcase, post_load_names_the_section);
    tcase_add_test(tcase, instances_are_told_apart);
    tcase_add_test(tcase, section_twice_is_refused);
    tcase_add_test(tcase, bytes_after_the_end_are_refused);
    tcase_add_test(tcase, checksum_is_the_usual_crc32);
    tcase_add_test(tcase, a_part_behind_a_pointer_is_saved_in_place);
    return suite;
}

KILN_TEST_MAIN(state_suite)
