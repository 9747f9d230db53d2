/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include "base/fd.h"
#include "base/statistics.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static GVariant *
sample(void)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "state.state", g_variant_new_int32(-1));
    g_variant_builder_add(&builder, "{sv}", "vcpu.current", g_variant_new_uint32(4000000000u));
    g_variant_builder_add(&builder, "{sv}", "cpu.time", g_variant_new_uint64(G_MAXUINT64));
    g_variant_builder_add(&builder, "{sv}", "skew", g_variant_new_int64(G_MININT64));
    g_variant_builder_add(&builder, "{sv}", "load", g_variant_new_double(0.25));
    g_variant_builder_add(&builder, "{sv}", "flag", g_variant_new_boolean(TRUE));
    g_variant_builder_add(&builder, "{sv}", "block.0.name", g_variant_new_string("vda"));
    g_variant_builder_add(&builder, "{sv}", "block.0.path", g_variant_new_string(""));
    return g_variant_ref_sink(g_variant_builder_end(&builder));
}

START_TEST(what_is_published_is_read)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) values = sample();
    KilnStatisticsPublisher *publisher = kiln_statistics_publisher_new(&error);
    KilnStatisticsReader *reader =
        kiln_statistics_reader_new(kiln_statistics_publisher_fd(publisher), &error);
    const KilnStatistic *entries;
    gint64 before = g_get_monotonic_time();
    gint64 when;

    kiln_assert_no_error(error);
    ck_assert_uint_eq(kiln_statistics_read(reader, &entries, NULL), 0);
    kiln_statistics_publish(publisher, values);
    ck_assert_uint_eq(kiln_statistics_read(reader, &entries, &when), 8);
    ck_assert_int_ge(when, before);
    ck_assert_str_eq(entries[0].name, "state.state");
    ck_assert_int_eq(entries[0].type, KILN_STATISTIC_INT);
    ck_assert_int_eq(entries[0].value.number, -1);
    ck_assert_uint_eq(entries[1].value.count, 4000000000u);
    ck_assert_uint_eq(entries[2].value.count, G_MAXUINT64);
    ck_assert_int_eq(entries[3].value.number, G_MININT64);
    ck_assert(entries[4].value.real == 0.25);
    ck_assert_int_eq(entries[5].value.number, 1);
    ck_assert_str_eq(entries[6].value.text, "vda");
    ck_assert_str_eq(entries[7].value.text, "");
    kiln_statistics_reader_free(reader);
    kiln_statistics_publisher_free(publisher);
}
END_TEST

START_TEST(nobody_else_may_write)
{
    g_autoptr(GError) error = NULL;
    KilnStatisticsPublisher *publisher = kiln_statistics_publisher_new(&error);
    int fd = kiln_statistics_publisher_fd(publisher);

    ck_assert_ptr_eq(mmap(NULL, KILN_STATISTICS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
                     MAP_FAILED);
    ck_assert_int_eq(write(fd, "x", 1), -1);
    kiln_statistics_publisher_free(publisher);
}
END_TEST

START_TEST(what_has_no_room_is_left_out)
{
    GVariantBuilder builder;
    g_autoptr(GVariant) values = NULL;
    g_autofree char *text = g_strnfill(KILN_STATISTICS_BYTES / 4, 'x');
    KilnStatisticsPublisher *publisher = kiln_statistics_publisher_new(NULL);
    KilnStatisticsReader *reader =
        kiln_statistics_reader_new(kiln_statistics_publisher_fd(publisher), NULL);
    const KilnStatistic *entries;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}",
                          "a.name.that.is.longer.than.any.name.that.libvirt.has.for.statistics",
                          g_variant_new_int32(1));
    g_variant_builder_add(&builder, "{sv}", "first", g_variant_new_string(text));
    g_variant_builder_add(&builder, "{sv}", "second", g_variant_new_string(text));
    for (guint i = 0; i < 10000; i++) {
        g_autofree char *name = g_strdup_printf("n.%u", i);

        g_variant_builder_add(&builder, "{sv}", name, g_variant_new_uint32(i));
    }
    values = g_variant_ref_sink(g_variant_builder_end(&builder));
    kiln_statistics_publish(publisher, values);
    ck_assert_uint_gt(kiln_statistics_read(reader, &entries, NULL), 1000);
    ck_assert_str_eq(entries[0].name, "first");
    ck_assert_uint_eq(strlen(entries[0].value.text), strlen(text));
    ck_assert_str_eq(entries[1].name, "n.0");
    kiln_statistics_reader_free(reader);
    kiln_statistics_publisher_free(publisher);
}
END_TEST

static gboolean
takes(int fd)
{
    g_autoptr(GError) error = NULL;
    KilnStatisticsReader *reader = kiln_statistics_reader_new(fd, &error);

    ck_assert((reader == NULL) == (error != NULL));
    kiln_statistics_reader_free(reader);
    return reader != NULL;
}

START_TEST(memory_that_can_shrink_is_refused)
{
    g_auto(KilnFd) fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    g_auto(KilnFd) other = dup(STDIN_FILENO);

    ck_assert_int_eq(ftruncate(fd, KILN_STATISTICS_BYTES), 0);
    ck_assert(!takes(fd));
    ck_assert(!takes(other));
    ck_assert(!takes(-1));
}
END_TEST

typedef struct {
    KilnStatisticsPublisher *publisher;
    gint stop;
} Writing;

/* Two numbers that are equal in every generation. */
static gpointer
write_for_a_while(gpointer data)
{
    Writing *writing = data;

    for (guint32 i = 0; g_atomic_int_get(&writing->stop) == 0; i++) {
        g_autoptr(GVariant) values =
            g_variant_ref_sink(g_variant_new_parsed("{'a': <%u>, 'b': <%u>}", i, i));

        kiln_statistics_publish(writing->publisher, values);
    }
    return NULL;
}

START_TEST(a_read_is_of_one_generation)
{
    Writing writing = { kiln_statistics_publisher_new(NULL), 0 };
    KilnStatisticsReader *reader =
        kiln_statistics_reader_new(kiln_statistics_publisher_fd(writing.publisher), NULL);
    GThread *thread = g_thread_new("writer", write_for_a_while, &writing);
    const KilnStatistic *entries;
    guint n_read = 0;

    for (guint i = 0; i < 20000; i++) {
        guint n = kiln_statistics_read(reader, &entries, NULL);

        ck_assert(n == 0 || n == 2);
        if (n == 2)
            ck_assert_uint_eq(entries[0].value.count, entries[1].value.count);
        n_read += n == 2;
    }
    g_atomic_int_set(&writing.stop, 1);
    g_thread_join(thread);
    ck_assert_uint_gt(n_read, 0);
    kiln_statistics_reader_free(reader);
    kiln_statistics_publisher_free(writing.publisher);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("statistics");
    TCase *tcase = kiln_test_case(suite, "region");

    tcase_add_test(tcase, what_is_published_is_read);
    tcase_add_test(tcase, nobody_else_may_write);
    tcase_add_test(tcase, what_has_no_room_is_left_out);
    tcase_add_test(tcase, memory_that_can_shrink_is_refused);
    tcase_add_test(tcase, a_read_is_of_one_generation);
    return suite;
}

KILN_TEST_MAIN(make_suite)
