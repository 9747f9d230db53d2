/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes at all as the shared memory of another process's statistics. */
#include "base/fd.h"
#include "base/statistics.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const guint8 *data, gsize length);

/* The input has the head, the first entries and the first texts. */
enum { TEXTS_AT = KILN_STATISTICS_BYTES / 2, HALF = 1024 };

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize length)
{
    g_auto(KilnFd) fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    gsize front = MIN(length, HALF);
    KilnStatisticsReader *reader;
    const KilnStatistic *entries;
    gsize sum = 0;

    if (fd < 0 || ftruncate(fd, KILN_STATISTICS_BYTES) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        return 0;
    (void)kiln_write_full(fd, data, front, 0);
    (void)kiln_write_full(fd, data + front, MIN(length - front, HALF), TEXTS_AT);
    reader = kiln_statistics_reader_new(fd, NULL);
    if (reader == NULL)
        return 0;
    for (guint i = 0, n = kiln_statistics_read(reader, &entries, NULL); i < n; i++) {
        sum += strlen(entries[i].name);
        if (entries[i].type == KILN_STATISTIC_STRING)
            sum += strlen(entries[i].value.text);
    }
    kiln_statistics_reader_free(reader);
    return sum == G_MAXSIZE;
}
