/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every decoder of arguments that protocol.x describes.  The first two bytes of the input choose
 * one, the rest is what it decodes; what could be decoded is the same after being encoded.
 */
#include "rpc/frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name;
    xdrproc_t codec;
    size_t size;
} codecs[] = {
#define CODEC(lower) { #lower, (xdrproc_t)xdr_##lower, sizeof(lower) },
#include "fuzz/rpc-args-table.h"
#undef CODEC
};

/* Returns: (transfer full) (nullable): what it is encoded as; NULL if it cannot be decoded. */
static GBytes *
again(size_t which, const uint8_t *data, size_t size)
{
    const KilnPacket header = { .program = KILN_PROGRAM_REMOTE, .version = KILN_PROGRAM_VERSION };
    g_autoptr(GBytes) bytes = kiln_frame_encode_raw(&header, data, size);
    KilnPacket *packet = kiln_frame_parse(g_bytes_ref(bytes));
    g_autofree void *value = g_malloc0(codecs[which].size);
    GBytes *encoded = NULL;

    if (kiln_frame_decode(packet, codecs[which].codec, value)) {
        encoded = kiln_frame_encode(&header, 0, codecs[which].codec, value);
        if (encoded == NULL)
            g_error("%s: cannot be encoded", codecs[which].name);
    }
    xdr_free(codecs[which].codec, value);
    kiln_packet_free(packet);
    return encoded;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) first = NULL;
    g_autoptr(GBytes) second = NULL;
    const uint8_t *payload = NULL;
    gsize length = 0;
    size_t which = 0;

    if (size < 2)
        return 0;
    which = (data[0] << 8 | data[1]) % G_N_ELEMENTS(codecs);
    first = again(which, data + 2, size - 2);
    if (first == NULL)
        return 0;
    payload = g_bytes_get_data(first, &length);
    second = again(which, payload + KILN_FRAME_HEADER_SIZE, length - KILN_FRAME_HEADER_SIZE);
    if (second == NULL || !g_bytes_equal(first, second))
        g_error("%s: is another when decoded again", codecs[which].name);
    return 0;
}
