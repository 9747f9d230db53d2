/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The region, in the host's byte order, for processes of one host:
 *
 *   head | entries (fixed size, half of the region) | texts, each with its zero (the other half)
 */
#include "base/statistics.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAGIC = 0x4b535431, /* "KST1" */
    HEAD_BYTES = 64,
    TEXTS_AT = KILN_STATISTICS_BYTES / 2,
    TEXT_BYTES = KILN_STATISTICS_BYTES - TEXTS_AT,
    READ_TRIES = 8,
    SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL,
};

typedef struct {
    uint32_t magic;
    _Atomic uint32_t generation; /* odd while it is written */
    uint32_t n_entries;
    uint32_t text_bytes;
    int64_t published_us;
} Head;

typedef struct {
    char name[KILN_STATISTIC_NAME_MAX];
    uint32_t type;
    uint32_t text; /* of a string: where it is among the texts */
    uint64_t bits;
} Entry;

enum { MAX_ENTRIES = (TEXTS_AT - HEAD_BYTES) / sizeof(Entry) };

G_STATIC_ASSERT(sizeof(Head) <= HEAD_BYTES);

struct KilnStatisticsPublisher {
    KilnFd fd;
    guint8 *region;
};

struct KilnStatisticsReader {
    guint8 *region;
    Entry *copies;   /* (owned): MAX_ENTRIES, made with the first read that needs them */
    char *texts;     /* (owned) */
    GArray *checked; /* (owned) of KilnStatistic */
};

static Head *
head_of(guint8 *region)
{
    return (Head *)(gpointer)region;
}

static Entry *
entries_of(guint8 *region)
{
    return (Entry *)(gpointer)(region + HEAD_BYTES);
}

static guint8 *
map(int fd, int protection, GError **error)
{
    void *region = mmap(NULL, KILN_STATISTICS_BYTES, protection, MAP_SHARED, fd, 0);

    if (region != MAP_FAILED)
        return region;
    kiln_error_set_errno(error, errno, "cannot map statistics");
    return NULL;
}

/* ---- Publishing ---- */

KilnStatisticsPublisher *
kiln_statistics_publisher_new(GError **error)
{
    KilnStatisticsPublisher *publisher = g_new0(KilnStatisticsPublisher, 1);

    publisher->fd = memfd_create("kiln-statistics", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (publisher->fd < 0 || ftruncate(publisher->fd, KILN_STATISTICS_BYTES) != 0) {
        kiln_error_set_errno(error, errno, "cannot make memory for statistics");
        kiln_statistics_publisher_free(publisher);
        return NULL;
    }
    publisher->region = map(publisher->fd, PROT_READ | PROT_WRITE, error);
    if (publisher->region == NULL) {
        kiln_statistics_publisher_free(publisher);
        return NULL;
    }
    if (fcntl(publisher->fd, F_ADD_SEALS, SEALS) != 0) { /* of others' mappings, not of this one */
        kiln_error_set_errno(error, errno, "cannot seal memory for statistics");
        kiln_statistics_publisher_free(publisher);
        return NULL;
    }
    head_of(publisher->region)->magic = MAGIC;
    return publisher;
}

void
kiln_statistics_publisher_free(KilnStatisticsPublisher *publisher)
{
    if (publisher == NULL)
        return;
    if (publisher->region != NULL)
        (void)munmap(publisher->region, KILN_STATISTICS_BYTES);
    kiln_fd_clear(&publisher->fd);
    g_free(publisher);
}

int
kiln_statistics_publisher_fd(const KilnStatisticsPublisher *publisher)
{
    return publisher->fd;
}

/* Returns: whether @value is of a kind that can be told, and there is room for it. */
static gboolean
fill(Entry *entry, const char *name, GVariant *value, char *texts, guint32 *text_bytes)
{
    const char *text;
    gsize length;
    double real;

    memset(entry, 0, sizeof *entry);
    if (g_strlcpy(entry->name, name, sizeof entry->name) >= sizeof entry->name)
        return FALSE;
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_INT32:
        entry->type = KILN_STATISTIC_INT;
        entry->bits = (uint64_t)g_variant_get_int32(value);
        return TRUE;
    case G_VARIANT_CLASS_UINT32:
        entry->type = KILN_STATISTIC_UINT;
        entry->bits = g_variant_get_uint32(value);
        return TRUE;
    case G_VARIANT_CLASS_INT64:
        entry->type = KILN_STATISTIC_LLONG;
        entry->bits = (uint64_t)g_variant_get_int64(value);
        return TRUE;
    case G_VARIANT_CLASS_UINT64:
        entry->type = KILN_STATISTIC_ULLONG;
        entry->bits = g_variant_get_uint64(value);
        return TRUE;
    case G_VARIANT_CLASS_BOOLEAN:
        entry->type = KILN_STATISTIC_BOOLEAN;
        entry->bits = g_variant_get_boolean(value) ? 1 : 0;
        return TRUE;
    case G_VARIANT_CLASS_DOUBLE:
        entry->type = KILN_STATISTIC_DOUBLE;
        real = g_variant_get_double(value);
        memcpy(&entry->bits, &real, sizeof real);
        return TRUE;
    case G_VARIANT_CLASS_STRING:
        text = g_variant_get_string(value, &length);
        if (length >= (gsize)TEXT_BYTES - *text_bytes)
            return FALSE;
        entry->type = KILN_STATISTIC_STRING;
        entry->text = *text_bytes;
        memcpy(texts + *text_bytes, text, length + 1);
        *text_bytes += (guint32)length + 1;
        return TRUE;
    default: return FALSE;
    }
}

void
kiln_statistics_publish(KilnStatisticsPublisher *publisher, GVariant *values)
{
    Head *head = head_of(publisher->region);
    Entry *entries = entries_of(publisher->region);
    char *texts = (char *)publisher->region + TEXTS_AT;
    uint32_t generation = atomic_load_explicit(&head->generation, memory_order_relaxed);
    guint32 text_bytes = 0;
    guint n = 0;
    GVariantIter iter;
    const char *name;
    GVariant *value;

    /* What follows is not written before it. */
    (void)atomic_exchange_explicit(&head->generation, generation | 1, memory_order_acq_rel);
    g_variant_iter_init(&iter, values);
    while (n < MAX_ENTRIES && g_variant_iter_loop(&iter, "{&sv}", &name, &value)) {
        if (fill(&entries[n], name, value, texts, &text_bytes))
            n++;
    }
    head->n_entries = n;
    head->text_bytes = text_bytes;
    head->published_us = g_get_monotonic_time();
    atomic_store_explicit(&head->generation, (generation | 1) + 1, memory_order_release);
}

/* ---- Reading ---- */

KilnStatisticsReader *
kiln_statistics_reader_new(int fd, GError **error)
{
    KilnStatisticsReader *reader;
    struct stat status;
    guint8 *region;

    /* Without the seals whoever made it could cut it off below our feet. */
    if (fstat(fd, &status) != 0 || status.st_size != KILN_STATISTICS_BYTES ||
        (fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW)) {
        kiln_error_set(error, KILN_ERROR_INVALID, "statistics are not sealed memory of %d bytes",
                       KILN_STATISTICS_BYTES);
        return NULL;
    }
    region = map(fd, PROT_READ, error);
    if (region == NULL)
        return NULL;
    reader = g_new0(KilnStatisticsReader, 1);
    reader->region = region;
    reader->checked = g_array_new(FALSE, FALSE, sizeof(KilnStatistic));
    return reader;
}

void
kiln_statistics_reader_free(KilnStatisticsReader *reader)
{
    if (reader == NULL)
        return;
    (void)munmap(reader->region, KILN_STATISTICS_BYTES);
    g_array_unref(reader->checked);
    g_free(reader->copies);
    g_free(reader->texts);
    g_free(reader);
}

/* Returns: whether one copy was made with no writer in between. */
static gboolean
copy(KilnStatisticsReader *reader, Head *copied)
{
    Head *head = head_of(reader->region);
    uint32_t generation = atomic_load_explicit(&head->generation, memory_order_acquire);

    copied->magic = head->magic;
    copied->n_entries = *(volatile uint32_t *)&head->n_entries;
    copied->text_bytes = *(volatile uint32_t *)&head->text_bytes;
    copied->published_us = *(volatile int64_t *)&head->published_us;
    if ((generation & 1) != 0 || copied->magic != MAGIC || copied->n_entries > MAX_ENTRIES ||
        copied->text_bytes > TEXT_BYTES)
        return FALSE;
    g_free(reader->copies);
    g_free(reader->texts);
    reader->copies = g_memdup2(entries_of(reader->region), copied->n_entries * sizeof(Entry));
    reader->texts = g_malloc((gsize)copied->text_bytes + 1);
    memcpy(reader->texts, reader->region + TEXTS_AT, copied->text_bytes);
    reader->texts[copied->text_bytes] = '\0';
    /* The processor keeps reads in their order (Intel SDM vol. 3 §9.2.2); the compiler is told. */
    __asm__ volatile("" ::: "memory");
    return atomic_load_explicit(&head->generation, memory_order_acquire) == generation;
}

/* Adds what holds of one copied entry. */
static void
check(KilnStatisticsReader *reader, const Head *head, const Entry *entry)
{
    KilnStatistic checked = { .type = (KilnStatisticType)entry->type };

    if (entry->name[0] == '\0' || memchr(entry->name, '\0', sizeof entry->name) == NULL ||
        !g_utf8_validate(entry->name, -1, NULL))
        return;
    memcpy(checked.name, entry->name, sizeof checked.name);
    switch (checked.type) {
    case KILN_STATISTIC_INT:
    case KILN_STATISTIC_LLONG: checked.value.number = (int64_t)entry->bits; break;
    case KILN_STATISTIC_BOOLEAN: checked.value.number = entry->bits != 0; break;
    case KILN_STATISTIC_UINT:
    case KILN_STATISTIC_ULLONG: checked.value.count = entry->bits; break;
    case KILN_STATISTIC_DOUBLE: memcpy(&checked.value.real, &entry->bits, sizeof(double)); break;
    case KILN_STATISTIC_STRING:
        if (entry->text >= head->text_bytes ||
            !g_utf8_validate(reader->texts + entry->text, -1, NULL))
            return;
        checked.value.text = reader->texts + entry->text;
        break;
    default: return;
    }
    g_array_append_val(reader->checked, checked);
}

guint
kiln_statistics_read(KilnStatisticsReader *reader, const KilnStatistic **entries,
                     gint64 *published_us)
{
    Head head = { 0 };
    gboolean copied = FALSE;

    for (guint i = 0; i < READ_TRIES && !copied; i++)
        copied = copy(reader, &head);
    g_array_set_size(reader->checked, 0);
    for (guint i = 0; copied && i < head.n_entries; i++)
        check(reader, &head, &reader->copies[i]);
    *entries = &g_array_index(reader->checked, KilnStatistic, 0);
    if (published_us != NULL)
        *published_us = head.published_us;
    return reader->checked->len;
}
