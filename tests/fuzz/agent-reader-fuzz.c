/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest agent may say: bytes in chunks, the first byte says how long these are.  What the
 * reader gives out is an object that can be written again, or said to be none.
 */
#include "agent/reader.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
drain(KilnAgentReader *reader)
{
    for (;;) {
        g_auto(KilnAgentLine) line = { NULL };

        if (!kiln_agent_reader_next(reader, &line))
            return;
        if (strchr(line.text, '\n') != NULL)
            abort();
        if (line.node != NULL) {
            g_autofree char *text = json_to_string(line.node, FALSE);

            if (text == NULL)
                abort();
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KilnAgentReader *reader;
    size_t chunk;

    if (size < 1)
        return 0;
    reader = kiln_agent_reader_new();
    chunk = (size_t)data[0] + 1;
    for (size_t at = 1; at < size; at += chunk) {
        if (!kiln_agent_reader_feed(reader, data + at, MIN(chunk, size - at)))
            break;
        drain(reader);
    }
    kiln_agent_reader_free(reader);
    return 0;
}
