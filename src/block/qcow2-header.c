/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See qcow2-header.h; QEMU's docs/interop/qcow2.txt, "Header" and "Header extensions". */
#include "block/qcow2-header.h"

#include "base/error.h"
#include "base/intmath.h"

enum {
    FEATURE_ENTRY = 48, /* bytes: type, bit, name */
    FEATURE_NAME = 46,
    EXTENSION_HEAD = 8, /* bytes: type, length */
};

/* The part of the first cluster in which header extensions may be. */
typedef struct {
    const uint8_t *data;
    size_t length;
} Area;

unsigned
kiln_qcow2_header_cluster_bits(const uint8_t *data, GError **error)
{
    uint32_t version = kiln_be32_load(data + QCOW2_AT_VERSION);
    uint32_t bits = kiln_be32_load(data + QCOW2_AT_CLUSTER_BITS);

    if (kiln_be32_load(data + QCOW2_AT_MAGIC) != QCOW2_MAGIC)
        return kiln_error_set(error, KILN_ERROR_INVALID, "it is not a qcow2 image");
    if (version != 2 && version != 3)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "qcow2 version '%u' is not known",
                              version);
    if (bits < QCOW2_MIN_CLUSTER_BITS || bits > QCOW2_MAX_CLUSTER_BITS)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "clusters of 2^%u bytes: only 512 bytes to 2 MiB are supported",
                              bits);
    return bits;
}

/* A copy of @length bytes as text, ended at the first NUL. */
static char *
text_of(const uint8_t *data, size_t length)
{
    return g_strndup((const char *)data, length);
}

/* The name that the image's feature table gives incompatible feature @bit, or NULL. */
static char *
feature_name(const Area *table, unsigned bit)
{
    for (size_t at = 0; table->length - at >= FEATURE_ENTRY; at += FEATURE_ENTRY) {
        const uint8_t *entry = table->data + at;

        if (entry[0] == 0 && entry[1] == bit)
            return text_of(entry + 2, FEATURE_NAME);
    }
    return NULL;
}

static gboolean
check_features(const KilnQcow2Header *header, const Area *table, GError **error)
{
    uint64_t unknown = header->incompatible & ~QCOW2_INCOMPATIBLE_KNOWN;
    g_autofree char *name = NULL;
    g_autofree char *shown = NULL;
    unsigned bit;

    if (unknown == 0)
        return TRUE;
    bit = (unsigned)__builtin_ctzll(unknown);
    name = feature_name(table, bit);
    shown = name != NULL ? g_utf8_make_valid(name, -1) : NULL;
    return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                          "it needs feature %u ('%s'), which is not supported", bit,
                          shown != NULL ? shown : "without a name");
}

/* Takes what is known of the extensions; @features is set to the feature table. */
static gboolean
parse_extensions(KilnQcow2Header *header, const Area *area, Area *features, GError **error)
{
    size_t at = 0;

    while (area->length - at >= EXTENSION_HEAD) {
        uint32_t type = kiln_be32_load(area->data + at);
        uint32_t length = kiln_be32_load(area->data + at + 4);
        const uint8_t *data = area->data + at + EXTENSION_HEAD;

        if (type == QCOW2_EXTENSION_END)
            return TRUE;
        if (length > area->length - at - EXTENSION_HEAD)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "a header extension of %u bytes runs out of its cluster", length);
        if (type == QCOW2_EXTENSION_BACKING_FORMAT && header->backing_format == NULL)
            header->backing_format = text_of(data, length);
        if (type == QCOW2_EXTENSION_DATA_FILE && header->data_file == NULL)
            header->data_file = text_of(data, length);
        if (type == QCOW2_EXTENSION_FEATURES)
            *features = (Area){ .data = data, .length = length };
        at = MIN(area->length, at + EXTENSION_HEAD + (size_t)kiln_align_up(length, 8));
    }
    return TRUE;
}

static gboolean
parse_backing(KilnQcow2Header *header, const uint8_t *data, size_t length, size_t *extensions_end,
              GError **error)
{
    uint64_t offset = kiln_be64_load(data + QCOW2_AT_BACKING_OFFSET);
    uint32_t size = kiln_be32_load(data + QCOW2_AT_BACKING_SIZE);

    *extensions_end = length;
    if (offset == 0)
        return TRUE;
    if (size > QCOW2_MAX_BACKING_NAME || !kiln_range_inside(offset, size, length) ||
        offset < header->length)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the name of its backing image is not inside the header's cluster");
    *extensions_end = (size_t)offset;
    if (size != 0)
        header->backing_name = text_of(data + offset, size);
    return TRUE;
}

/* The fields that version 3 added. */
static gboolean
parse_v3(KilnQcow2Header *header, const uint8_t *data, size_t length, GError **error)
{
    header->refcount_order = 4;
    header->length = QCOW2_V2_HEADER;
    if (header->version == 2)
        return TRUE;
    if (length < QCOW2_V3_HEADER)
        return kiln_error_set(error, KILN_ERROR_INVALID, "the file ends inside its header");
    header->incompatible = kiln_be64_load(data + QCOW2_AT_INCOMPATIBLE);
    header->compatible = kiln_be64_load(data + QCOW2_AT_COMPATIBLE);
    header->autoclear = kiln_be64_load(data + QCOW2_AT_AUTOCLEAR);
    header->refcount_order = kiln_be32_load(data + QCOW2_AT_REFCOUNT_ORDER);
    header->length = kiln_be32_load(data + QCOW2_AT_HEADER_LENGTH);
    if (header->length < QCOW2_V3_HEADER || header->length % 8 != 0 || header->length > length)
        return kiln_error_set(error, KILN_ERROR_INVALID, "its header cannot have %u bytes",
                              header->length);
    if (header->refcount_order > 6)
        return kiln_error_set(error, KILN_ERROR_INVALID, "refcounts of 2^%u bits are not possible",
                              header->refcount_order);
    if (header->length > QCOW2_AT_COMPRESSION_TYPE)
        header->compression_type = data[QCOW2_AT_COMPRESSION_TYPE];
    return TRUE;
}

static gboolean
check_compression(const KilnQcow2Header *header, GError **error)
{
    gboolean other = (header->incompatible & QCOW2_INCOMPATIBLE_COMPRESSION) != 0;

    if (header->compression_type > 1)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "compression type %u is not supported",
                              header->compression_type);
    if (other != (header->compression_type != 0))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "its compression type and its features contradict each other");
    return TRUE;
}

/* A table of @length bytes: at a cluster's beginning, not in the header, its end no overflow. */
static gboolean
check_table(const KilnQcow2Header *header, const char *what, uint64_t offset, uint64_t length,
            uint64_t most, GError **error)
{
    uint64_t cluster = 1ull << header->cluster_bits;

    if (length > most)
        return kiln_error_set(error, KILN_ERROR_INVALID, "its %s is too large", what);
    if (offset % cluster != 0 || !kiln_range_inside(offset, length, INT64_MAX) ||
        (length != 0 && offset == 0))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "its %s cannot be at offset %" G_GUINT64_FORMAT, what, offset);
    return TRUE;
}

/* Clusters that one L1 entry stands for, as a shift of bytes. */
static unsigned
l1_shift(const KilnQcow2Header *header)
{
    gboolean extended = (header->incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2) != 0;

    return header->cluster_bits + header->cluster_bits - (extended ? 4 : 3);
}

static gboolean
check_tables(const KilnQcow2Header *header, GError **error)
{
    unsigned shift = l1_shift(header);
    uint64_t needed;

    if ((header->incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2) != 0 &&
        header->cluster_bits < QCOW2_MIN_SUBCLUSTERED_BITS)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "extended L2 entries need clusters of 16 KiB or more");
    if (header->size > INT64_MAX - (1ull << QCOW2_MAX_CLUSTER_BITS))
        return kiln_error_set(error, KILN_ERROR_INVALID, "its disk is too large");
    needed = (header->size >> shift) + ((header->size & ((1ull << shift) - 1)) != 0 ? 1 : 0);
    if (header->n_l1 < needed)
        return kiln_error_set(error, KILN_ERROR_INVALID, "its L1 table is too small for its size");
    return check_table(header, "L1 table", header->l1_offset, (uint64_t)header->n_l1 * 8,
                       QCOW2_MAX_L1_BYTES, error) &&
           check_table(header, "refcount table", header->reftable_offset,
                       (uint64_t)header->reftable_clusters << header->cluster_bits,
                       QCOW2_MAX_REFTABLE_BYTES, error) &&
           check_table(header, "snapshot table", header->snapshots_offset,
                       header->n_snapshots != 0 ? 1 : 0, 1, error);
}

static gboolean
check_header(const KilnQcow2Header *header, uint32_t crypt_method, GError **error)
{
    if (crypt_method != 0)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "it is encrypted (method %u), which is not supported", crypt_method);
    if (header->reftable_clusters == 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "it has no refcount table");
    if (header->n_snapshots > QCOW2_MAX_SNAPSHOTS)
        return kiln_error_set(error, KILN_ERROR_INVALID, "it cannot have %u snapshots",
                              header->n_snapshots);
    return check_compression(header, error) && check_tables(header, error);
}

gboolean
kiln_qcow2_header_parse(KilnQcow2Header *header, const uint8_t *data, size_t length, GError **error)
{
    Area extensions;
    Area features = { 0 };
    size_t end;

    *header = (KilnQcow2Header){ 0 };
    header->cluster_bits = kiln_qcow2_header_cluster_bits(data, error);
    if (header->cluster_bits == 0)
        return FALSE;
    length = MIN(length, (size_t)1 << header->cluster_bits);
    header->version = kiln_be32_load(data + QCOW2_AT_VERSION);
    header->size = kiln_be64_load(data + QCOW2_AT_SIZE);
    header->n_l1 = kiln_be32_load(data + QCOW2_AT_L1_SIZE);
    header->l1_offset = kiln_be64_load(data + QCOW2_AT_L1_OFFSET);
    header->reftable_offset = kiln_be64_load(data + QCOW2_AT_REFTABLE_OFFSET);
    header->reftable_clusters = kiln_be32_load(data + QCOW2_AT_REFTABLE_CLUSTERS);
    header->n_snapshots = kiln_be32_load(data + QCOW2_AT_N_SNAPSHOTS);
    header->snapshots_offset = kiln_be64_load(data + QCOW2_AT_SNAPSHOTS_OFFSET);
    if (!parse_v3(header, data, length, error) || !parse_backing(header, data, length, &end, error))
        return FALSE;
    extensions = (Area){ .data = data + header->length, .length = end - header->length };
    return parse_extensions(header, &extensions, &features, error) &&
           check_features(header, &features, error) &&
           check_header(header, kiln_be32_load(data + QCOW2_AT_CRYPT_METHOD), error);
}

void
kiln_qcow2_header_clear(KilnQcow2Header *header)
{
    g_clear_pointer(&header->backing_name, g_free);
    g_clear_pointer(&header->backing_format, g_free);
    g_clear_pointer(&header->data_file, g_free);
}
