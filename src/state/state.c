/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See state.h: a whole machine's state at once. */
#include "state/state.h"

#include "state/reader.h"
#include "state/writer.h"

GByteArray *
kiln_state_save(const KilnStateEntry *entries, size_t n_entries)
{
    KilnStateWriter *writer = kiln_state_writer_new();

    for (size_t i = 0; i < n_entries; i++)
        kiln_state_writer_add(writer, entries[i].description, entries[i].instance,
                              entries[i].object);
    return kiln_state_writer_finish(writer);
}

gboolean
kiln_state_load(const uint8_t *data, size_t length, const KilnStateEntry *entries, size_t n_entries,
                GError **error)
{
    g_autoptr(KilnStateReader) reader = kiln_state_reader_open(data, length, error);

    if (reader == NULL)
        return FALSE;
    for (size_t i = 0; i < n_entries; i++) {
        if (!kiln_state_reader_check(reader, entries[i].description, entries[i].instance, error))
            return FALSE;
    }
    if (!kiln_state_reader_finish(reader, error))
        return FALSE;
    for (size_t i = 0; i < n_entries; i++) {
        if (!kiln_state_reader_load(reader, entries[i].description, entries[i].instance,
                                    entries[i].object, error))
            return FALSE;
    }
    return TRUE;
}
