/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to any bytes as a qcow2 image.  Input: number of requests, then for each one 5 bytes
 * (operation and flags, offset / 512 in two bytes, length / 512 in two), then the image.
 */
#include "base/le.h"
#include "block/qcow2.h"
#include "tests/block/mem-child.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUEST = 5, MAX_LENGTH = 128 << 10, MAX_REQUESTS = 64 };

static uint8_t buffer[MAX_LENGTH];

static void
request(KilnBlock *block, const uint8_t *bytes)
{
    KilnBlockOp op = (KilnBlockOp)(bytes[0] % 5);
    unsigned flags = bytes[0] >> 4 & 3;
    uint64_t offset = (uint64_t)kiln_le16_load(bytes + 1) * 512;
    uint64_t length = (uint64_t)(kiln_le16_load(bytes + 3) % (MAX_LENGTH / 512) + 1) * 512;
    gboolean has_data = op == KILN_BLOCK_READ || op == KILN_BLOCK_WRITE;

    /* From the disk's end, too. */
    if ((bytes[0] & 0x80) != 0)
        offset = block->length - MIN(block->length, offset + length);
    if (op == KILN_BLOCK_FLUSH)
        offset = length = 0;
    if (offset >= block->length && op != KILN_BLOCK_FLUSH)
        return;
    length = MIN(length, block->length - offset);
    mem_child_request(block, op, flags, offset, has_data ? buffer : NULL, length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KilnQcow2Options options = { .path = "fuzz", .cache_bytes = 65536 };
    size_t n = size > 0 ? data[0] % MAX_REQUESTS : 0;
    KilnBlock *block;

    if (size < 1 + n * REQUEST || size > 65536)
        return 0;
    options.child = mem_child_new(data + 1 + n * REQUEST, size - 1 - n * REQUEST, FALSE);
    options.discard_no_unref = (data[0] & 0x40) != 0;
    options.keep_space = (data[0] & 0x80) != 0;
    block = kiln_qcow2_open(&options, NULL);
    if (block == NULL)
        return 0;
    for (size_t i = 0; i < n; i++)
        request(block, data + 1 + i * REQUEST);
    kiln_block_free(block);
    return 0;
}
