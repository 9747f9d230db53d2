/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module: compressed clusters of type 0, raw deflate streams (qcow2.txt, "compression_type"). */
#include "block/qcow2-unzip.h"

#include <limits.h>
#include <zlib.h>

static gboolean
unzip(const void *from, size_t n_from, void *to, size_t n_to)
{
    z_stream stream = {
        .next_in = (Bytef *)from,
        .avail_in = (uInt)MIN(n_from, UINT_MAX),
        .next_out = to,
        .avail_out = (uInt)MIN(n_to, UINT_MAX),
    };
    int result;

    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return FALSE;
    result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    /* The stream's end may lie behind what fills the cluster. */
    return (result == Z_STREAM_END || result == Z_BUF_ERROR) && stream.avail_out == 0;
}

const Qcow2Unzip kiln_qcow2_unzip = { .unzip = unzip };
