/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in a qcow2 file: QEMU's docs/interop/qcow2.txt.  All numbers are big-endian. */
#ifndef KILN_BLOCK_QCOW2_FORMAT_H
#define KILN_BLOCK_QCOW2_FORMAT_H

#include <glib.h>
#include <stdint.h>

#include "base/be.h"

enum {
    QCOW2_MAGIC = 0x514649fb, /* "QFI\xfb" */
    QCOW2_V2_HEADER = 72,     /* bytes */
    QCOW2_V3_HEADER = 104,
    QCOW2_MIN_CLUSTER_BITS = 9,
    QCOW2_MAX_CLUSTER_BITS = 21, /* as QEMU */
    QCOW2_MIN_SUBCLUSTERED_BITS = 14,
    QCOW2_SUBCLUSTERS = 32, /* of a cluster, with extended L2 entries */
};

/* Limits of QEMU's, which are limits of what an image can make us do, too. */
enum {
    QCOW2_MAX_L1_BYTES = 32 << 20,
    QCOW2_MAX_REFTABLE_BYTES = 8 << 20,
    QCOW2_MAX_SNAPSHOTS = 65536,
    QCOW2_MAX_SNAPSHOT_EXTRA = 1024, /* bytes */
    QCOW2_MAX_BACKING_NAME = 1023,
};

/* Offsets of the header's fields. */
enum {
    QCOW2_AT_MAGIC = 0,
    QCOW2_AT_VERSION = 4,
    QCOW2_AT_BACKING_OFFSET = 8,
    QCOW2_AT_BACKING_SIZE = 16,
    QCOW2_AT_CLUSTER_BITS = 20,
    QCOW2_AT_SIZE = 24,
    QCOW2_AT_CRYPT_METHOD = 32,
    QCOW2_AT_L1_SIZE = 36,
    QCOW2_AT_L1_OFFSET = 40,
    QCOW2_AT_REFTABLE_OFFSET = 48,
    QCOW2_AT_REFTABLE_CLUSTERS = 56,
    QCOW2_AT_N_SNAPSHOTS = 60,
    QCOW2_AT_SNAPSHOTS_OFFSET = 64,
    QCOW2_AT_INCOMPATIBLE = 72,
    QCOW2_AT_COMPATIBLE = 80,
    QCOW2_AT_AUTOCLEAR = 88,
    QCOW2_AT_REFCOUNT_ORDER = 96,
    QCOW2_AT_HEADER_LENGTH = 100,
    QCOW2_AT_COMPRESSION_TYPE = 104,
};

#define QCOW2_INCOMPATIBLE_DIRTY       (1ull << 0)
#define QCOW2_INCOMPATIBLE_CORRUPT     (1ull << 1)
#define QCOW2_INCOMPATIBLE_DATA_FILE   (1ull << 2)
#define QCOW2_INCOMPATIBLE_COMPRESSION (1ull << 3)
#define QCOW2_INCOMPATIBLE_EXTENDED_L2 (1ull << 4)
#define QCOW2_INCOMPATIBLE_KNOWN       0x1full

#define QCOW2_AUTOCLEAR_RAW_DATA (1ull << 1)

/* Types of header extensions. */
#define QCOW2_EXTENSION_END            0x00000000u
#define QCOW2_EXTENSION_BACKING_FORMAT 0xe2792acau
#define QCOW2_EXTENSION_FEATURES       0x6803f857u
#define QCOW2_EXTENSION_DATA_FILE      0x44415441u

/* Entries of L1, L2 and refcount tables. */
#define QCOW2_COPIED            (1ull << 63) /* refcount is one: may be written in place */
#define QCOW2_COMPRESSED        (1ull << 62)
#define QCOW2_ZERO              (1ull << 0) /* version 3, standard L2 entries */
#define QCOW2_OFFSET_MASK       0x00fffffffffffe00ull
#define QCOW2_L1_RESERVED       0x7f000000000001ffull
#define QCOW2_L2_RESERVED       0x3f000000000001feull /* without QCOW2_ZERO */
#define QCOW2_REFTABLE_RESERVED 0x00000000000001ffull

#endif
