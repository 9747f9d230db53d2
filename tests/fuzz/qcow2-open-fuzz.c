/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening any bytes as a qcow2 image, in every way: read-only, a snapshot, to be written. */
#include "block/qcow2.h"
#include "tests/block/mem-child.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BACKINGS = 3, PIECE = 4096 };

/* What was begun on the same bytes: an image that is its own backing image, for a while. */
typedef struct {
    const uint8_t *data;
    size_t size;
} Bytes;

static KilnBlock *
open_backing(const char *name, const char *format, unsigned depth, gpointer opener_data,
             GError **error)
{
    Bytes *bytes = opener_data;
    KilnQcow2Options options = {
        .path = name,
        .open_backing = depth < MAX_BACKINGS ? open_backing : NULL,
        .opener_data = bytes,
        .depth = depth,
        .read_only = TRUE,
    };

    options.child = mem_child_new(bytes->data, bytes->size, TRUE);
    return strcmp(format, "qcow2") == 0 ? kiln_qcow2_open(&options, error) : options.child;
}

static void
look(KilnBlock *block, gboolean write)
{
    static uint8_t buffer[PIECE];
    uint64_t length = block->length;

    for (uint64_t at = 0; at < MIN(length, (uint64_t)1 << 18); at += PIECE)
        mem_child_request(block, KILN_BLOCK_READ, 0, at, buffer, MIN((uint64_t)PIECE, length - at));
    if (length >= PIECE)
        mem_child_request(block, KILN_BLOCK_READ, 0, length - PIECE, buffer, PIECE);
    if (!write || length < PIECE)
        return;
    mem_child_request(block, KILN_BLOCK_WRITE, 0, 512, buffer, 1024);
    mem_child_request(block, KILN_BLOCK_WRITE, KILN_BLOCK_FUA, length - 512, buffer, 512);
    block->ops->resize(block, length + (1 << 16), NULL);
    mem_child_request(block, KILN_BLOCK_DISCARD, 0, 0, NULL, MIN(length, (uint64_t)1 << 18));
}

static void
try(const uint8_t *data, size_t size, gboolean read_only, const char *snapshot)
{
    Bytes bytes = { .data = data, .size = size };
    KilnQcow2Options options = {
        .path = "fuzz",
        .child = mem_child_new(data, size, read_only),
        .open_backing = open_backing,
        .opener_data = &bytes,
        .read_only = read_only,
        .cache_bytes = 65536,
        .snapshot = snapshot,
    };
    g_autoptr(GError) error = NULL;
    KilnBlock *block = kiln_qcow2_open(&options, &error);

    if ((block == NULL) != (error != NULL))
        g_error("an error without failure, or a failure without error");
    if (block != NULL)
        look(block, !read_only);
    kiln_block_free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    try(data, size, TRUE, NULL);
    try(data, size, TRUE, "s");
    try(data, size, FALSE, NULL);
    return 0;
}
