/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See reclaim.h.  All atomics are sequentially consistent.  A reader publishes an address and then
 * looks again whether that is still the newest object; a writer replaces the newest object and then
 * looks at what is published.  So either the reader sees that it came too late, or the writer sees
 * the reader.
 *
 * Records are never freed, but those of ended threads are used again, so that there are as many as
 * threads were alive at one time.
 */
#include "bus/reclaim.h"

#include <pthread.h>
#include <stdbool.h>

typedef struct HazardRecord {
    struct HazardRecord *next; /* constant once the record is in the list */
    atomic_bool used;          /* belongs to a living thread */
    unsigned depth;            /* (owning thread) */
    _Atomic(const void *) held[KILN_HAZARD_DEPTH];
} __attribute__((aligned(64))) HazardRecord;

static _Atomic(HazardRecord *) records;
static _Thread_local HazardRecord *own_record;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* only for its destructor */

static void
thread_ended(void *record)
{
    atomic_store(&((HazardRecord *)record)->used, false);
}

static void
make_key(void)
{
    int failed = pthread_key_create(&key, thread_ended);

    g_assert(failed == 0);
}

static HazardRecord *
claim_record(void)
{
    HazardRecord *record;

    for (record = atomic_load(&records); record != NULL; record = record->next) {
        bool expected = false;

        if (atomic_compare_exchange_strong(&record->used, &expected, true))
            break;
    }
    if (record == NULL) {
        record = g_aligned_alloc0(1, sizeof *record, 64);
        atomic_init(&record->used, true);
        record->next = atomic_load(&records);
        while (!atomic_compare_exchange_weak(&records, &record->next, record))
            ;
    }
    record->depth = 0;
    pthread_once(&key_once, make_key);
    pthread_setspecific(key, record);
    own_record = record;
    return record;
}

const void *
kiln_hazard_enter(_Atomic(void *) *current)
{
    HazardRecord *record = own_record != NULL ? own_record : claim_record();

    if (record->depth == KILN_HAZARD_DEPTH)
        return NULL;

    void *object = atomic_load(current);

    for (;;) {
        atomic_store(&record->held[record->depth], object);

        void *newest = atomic_load(current);

        if (newest == object)
            break;
        object = newest;
    }
    record->depth++;
    return object;
}

void
kiln_hazard_leave(void)
{
    HazardRecord *record = own_record;

    g_assert(record != NULL && record->depth > 0);
    record->depth--;
    atomic_store(&record->held[record->depth], NULL);
}

gboolean
kiln_hazard_is_held(const void *object)
{
    for (HazardRecord *record = atomic_load(&records); record != NULL; record = record->next)
        for (unsigned i = 0; i < KILN_HAZARD_DEPTH; i++)
            if (atomic_load(&record->held[i]) == object)
                return TRUE;
    return FALSE;
}

gboolean
kiln_hazard_inside(void)
{
    return own_record != NULL && own_record->depth > 0;
}
