/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a qcow2 file, read and checked. */
#ifndef KILN_BLOCK_QCOW2_HEADER_H
#define KILN_BLOCK_QCOW2_HEADER_H

#include "block/qcow2-format.h"

/* What the header says, after it was checked against the rules that need nothing but itself. */
typedef struct {
    unsigned version; /* 2 or 3 */
    unsigned cluster_bits;
    uint64_t size; /* bytes of the disk */
    uint32_t n_l1; /* entries */
    uint64_t l1_offset;
    uint64_t reftable_offset;
    uint32_t reftable_clusters;
    uint32_t n_snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible;
    uint64_t compatible;
    uint64_t autoclear;
    unsigned refcount_order;
    uint32_t length;           /* bytes of the header */
    unsigned compression_type; /* 0 zlib, 1 zstd */
    char *backing_name;        /* (owned) (nullable) */
    char *backing_format;      /* (owned) (nullable): NULL: not recorded */
    char *data_file;           /* (owned) (nullable) */
} KilnQcow2Header;

/* Bytes of the file's beginning in which the header, its extensions and the backing name are. */
enum { KILN_QCOW2_HEADER_MAX = 1 << QCOW2_MAX_CLUSTER_BITS };

/**
 * kiln_qcow2_header_cluster_bits:
 * @data: the first 72 bytes
 *
 * Returns: from a header whose magic, version and cluster size are as they should be; 0 with @error
 *   set if they are not.
 */
unsigned kiln_qcow2_header_cluster_bits(const uint8_t *data, GError **error);

/**
 * kiln_qcow2_header_parse:
 * @header: (out caller-allocates): to be cleared also after an error
 * @data: the first cluster, or as much of it as there is
 * @length: bytes, 72 or more
 *
 * Returns: FALSE with @error set: not qcow2, or one that this kiln cannot read; an unknown feature
 *   is named as the image's own table names it.
 */
gboolean kiln_qcow2_header_parse(KilnQcow2Header *header, const uint8_t *data, size_t length,
                                 GError **error);

/* Frees what @header owns. */
void kiln_qcow2_header_clear(KilnQcow2Header *header);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnQcow2Header, kiln_qcow2_header_clear)

#endif
