/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module: compressed clusters of type 1, zstd (qcow2.txt, "compression_type"). */
#include "block/qcow2-unzip.h"

#include <zstd.h>

/* A frame, followed by anything: so as a stream, which stops at the frame's end. */
static gboolean
unzip(const void *from, size_t n_from, void *to, size_t n_to)
{
    ZSTD_inBuffer in = { .src = from, .size = n_from };
    ZSTD_outBuffer out = { .dst = to, .size = n_to };
    ZSTD_DCtx *context = ZSTD_createDCtx();
    size_t before;

    if (context == NULL)
        return FALSE;
    do {
        size_t result;

        before = in.pos + out.pos;
        result = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(result))
            break;
    } while (out.pos < out.size && in.pos + out.pos > before);
    ZSTD_freeDCtx(context);
    return out.pos == out.size;
}

const Qcow2Unzip kiln_qcow2_unzip = { .unzip = unzip };
