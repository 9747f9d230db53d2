/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device that exists for tests of the room state: one field of every kind, and two versions. */
#ifndef KILN_TEST_STATE_SAMPLE_H
#define KILN_TEST_STATE_SAMPLE_H

#include "state/state.h"

typedef struct {
    uint16_t address;
    uint8_t level; /* 0 to 3 */
} SampleQueue;

typedef struct {
    uint8_t index; /* 0 to 127 */
    uint16_t divisor;
    uint32_t control; /* even */
    uint64_t ticks;
    int32_t offset; /* -5 to 5 */
    bool busy;
    gboolean masked;
    uint8_t cmos[16];
    uint32_t lines[4]; /* each 0 to 9 */
    SampleQueue only;
    SampleQueue queues[2];
    uint8_t *blob; /* (owned) (nullable) */
    uint32_t blob_length;
    uint64_t added; /* since version 2 */
    guint derived;  /* not saved: index + divisor */
    guint saves;    /* times that pre_save ran */
} Sample;

enum { SAMPLE_MAX_BLOB = 64 };

/* As written today, and as it was before @added came. */
extern const KilnStateDescription sample_state;
extern const KilnStateDescription sample_state_v1;

/* A sample in which each member has a value of its own. */
void sample_fill(Sample *sample);
void sample_clear(Sample *sample);

#endif
