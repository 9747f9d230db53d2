/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See state-sample.h. */
#include "tests/lib/state-sample.h"

#include <string.h>

#include "base/error.h"

static gboolean
check_even(uint64_t value, GError **error)
{
    if (value % 2 != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "0x%" G_GINT64_MODIFIER "x is odd", value);
    return TRUE;
}

static void
pre_save(void *object)
{
    Sample *sample = object;

    sample->saves++;
}

static gboolean
post_load(void *object, GError **error)
{
    Sample *sample = object;

    if (sample->busy && sample->divisor == 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "is busy with a divisor of 0");
    sample->derived = (guint)sample->index + sample->divisor;
    return TRUE;
}

static const KilnStateField queue_fields[] = {
    KILN_STATE(SampleQueue, address, 1),
    KILN_STATE_RANGE(SampleQueue, level, 1, 0, 3),
    KILN_STATE_END,
};

static const KilnStateDescription queue_state = {
    .name = "sample-queue",
    .version = 1,
    .min_version = 1,
    .fields = queue_fields,
};

#define FIELDS_OF_VERSION_1                                                                        \
    KILN_STATE_RANGE(Sample, index, 1, 0, 127), KILN_STATE(Sample, divisor, 1),                    \
        KILN_STATE_CHECKED(Sample, control, 1, check_even), KILN_STATE(Sample, ticks, 1),          \
        KILN_STATE_RANGE(Sample, offset, 1, -5, 5), KILN_STATE(Sample, busy, 1),                   \
        KILN_STATE_FLAG(Sample, masked, 1), KILN_STATE_BYTES(Sample, cmos, 1),                     \
        KILN_STATE_ARRAY_RANGE(Sample, lines, 1, 0, 9),                                            \
        KILN_STATE_STRUCT(Sample, only, 1, &queue_state),                                          \
        KILN_STATE_STRUCT_ARRAY(Sample, queues, 1, &queue_state),                                  \
        KILN_STATE_BUFFER(Sample, blob, blob_length, 1, SAMPLE_MAX_BLOB)

static const KilnStateField fields[] = {
    KILN_STATE(Sample, added, 2),
    FIELDS_OF_VERSION_1,
    KILN_STATE_END,
};

static const KilnStateField fields_v1[] = {
    FIELDS_OF_VERSION_1,
    KILN_STATE_END,
};

const KilnStateDescription sample_state = {
    .name = "sample",
    .version = 2,
    .min_version = 1,
    .fields = fields,
    .pre_save = pre_save,
    .post_load = post_load,
};

const KilnStateDescription sample_state_v1 = {
    .name = "sample",
    .version = 1,
    .min_version = 1,
    .fields = fields_v1,
    .post_load = post_load,
};

void
sample_fill(Sample *sample)
{
    *sample = (Sample){
        .index = 0x7f,
        .divisor = 0x1234,
        .control = 0xfffffffe,
        .ticks = G_GUINT64_CONSTANT(0x8877665544332211),
        .offset = -5,
        .busy = true,
        .masked = TRUE,
        .lines = { 9, 8, 7, 6 },
        .only = { 0xabcd, 3 },
        .queues = { { 1, 1 }, { 2, 2 } },
        .blob_length = 5,
        .added = 77,
    };
    for (guint i = 0; i < sizeof sample->cmos; i++)
        sample->cmos[i] = (uint8_t)(0xf0 + i);
    sample->blob = g_memdup2("bytes", 5);
}

void
sample_clear(Sample *sample)
{
    g_free(sample->blob);
    memset(sample, 0, sizeof *sample);
}
