/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state reader over any bytes.  An input is tried as it is, then with its checksum put right,
 * so that a fuzzer need not guess one.  What loads must save to the same bytes and load again.
 */
#include <glib.h>
#include <string.h>

#include "base/le.h"
#include "state/format.h"
#include "state/state.h"
#include "tests/lib/state-sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
load(const uint8_t *data, size_t size)
{
    Sample one = { 0 }, other = { 0 };
    const KilnStateEntry entries[] = { { &sample_state, 0, &one },
                                       { &sample_state_v1, 1, &other } };
    guint n_entries = 1;
    g_autoptr(GError) error = NULL;

    if (!kiln_state_load(data, size, entries, n_entries, &error)) {
        g_assert(error != NULL);
        g_clear_error(&error);
        n_entries = 2;
    }
    if (n_entries == 1 || kiln_state_load(data, size, entries, n_entries, &error)) {
        GByteArray *first = kiln_state_save(entries, n_entries);
        GByteArray *second;

        g_assert(kiln_state_load(first->data, first->len, entries, n_entries, NULL));
        second = kiln_state_save(entries, n_entries);
        g_assert(first->len == second->len && memcmp(first->data, second->data, first->len) == 0);
        g_byte_array_unref(first);
        g_byte_array_unref(second);
    }
    sample_clear(&one);
    sample_clear(&other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    load(data, size);
    if (size >= KILN_STATE_CHECKSUM_LENGTH) {
        g_autofree uint8_t *sealed = g_memdup2(data, size);

        kiln_le32_store(sealed + size - KILN_STATE_CHECKSUM_LENGTH,
                        kiln_state_checksum(sealed, size - KILN_STATE_CHECKSUM_LENGTH));
        load(sealed, size);
    }
    return 0;
}
