/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <cpu><numa>: the guest's NUMA cells; <numatune>: which nodes of the host they are given from. */
#ifndef KILN_DOMAIN_NUMA_H
#define KILN_DOMAIN_NUMA_H

#include "base/bitmap.h"
#include "domain/fields.h"
#include "domain/memory.h"

typedef struct {
    KilnUint id;
    KilnUint value; /* 10 is "local" (ACPI 6.5 §5.2.17) */
} KilnNumaSibling;

typedef enum {
    KILN_NUMA_ASSOCIATIVITY_ABSENT,
    KILN_NUMA_ASSOCIATIVITY_NONE,
    KILN_NUMA_ASSOCIATIVITY_DIRECT,
    KILN_NUMA_ASSOCIATIVITY_FULL,
} KilnNumaAssociativity;

typedef enum {
    KILN_NUMA_CACHE_ABSENT,
    KILN_NUMA_CACHE_NONE,
    KILN_NUMA_CACHE_WRITEBACK,
    KILN_NUMA_CACHE_WRITETHROUGH,
} KilnNumaCachePolicy;

typedef struct {
    KilnUint level;
    KilnNumaAssociativity associativity;
    KilnNumaCachePolicy policy;
    KilnUint size;   /* in @size_unit */
    char *size_unit; /* (owned) (nullable) */
    KilnUint line;   /* in @line_unit */
    char *line_unit; /* (owned) (nullable) */
} KilnNumaCache;

typedef struct {
    KilnUint id;      /* absent is its place in the list */
    KilnBitmap *cpus; /* (owned) (nullable) */
    KilnUint memory;  /* bytes */
    KilnMemoryMode access;
    KilnSwitch discard;
    GPtrArray *distances; /* (owned) of KilnNumaSibling */
    GPtrArray *caches;    /* (owned) of KilnNumaCache */
} KilnNumaCell;

typedef enum {
    KILN_NUMA_LINK_ABSENT,
    KILN_NUMA_LINK_ACCESS,
    KILN_NUMA_LINK_READ,
    KILN_NUMA_LINK_WRITE,
} KilnNumaLinkType;

/* <latency> (in ns) or <bandwidth> (in @unit a second) */
typedef struct {
    KilnUint initiator;
    KilnUint target;
    KilnUint cache;
    KilnNumaLinkType type;
    KilnUint value;
    char *unit; /* (owned) (nullable) */
} KilnNumaLink;

typedef struct {
    GPtrArray *cells;      /* (owned) of KilnNumaCell, by id */
    GPtrArray *latencies;  /* (owned) of KilnNumaLink */
    GPtrArray *bandwidths; /* (owned) of KilnNumaLink */
} KilnNuma;

typedef enum {
    KILN_NUMATUNE_ABSENT, /* strict */
    KILN_NUMATUNE_STRICT,
    KILN_NUMATUNE_PREFERRED,
    KILN_NUMATUNE_INTERLEAVE,
    KILN_NUMATUNE_RESTRICTIVE,
} KilnNumatuneMode;

typedef struct {
    KilnUint cell;
    KilnNumatuneMode mode;
    KilnBitmap *nodeset; /* (owned) (nullable) of the host */
} KilnNumatuneCell;

typedef struct {
    KilnNumatuneMode mode;
    int placement;       /* KilnPlacement */
    KilnBitmap *nodeset; /* (owned) (nullable) */
    GPtrArray *cells;    /* (owned) of KilnNumatuneCell */
} KilnNumatune;

extern const KilnStruct kiln_numa_struct;
extern const KilnStruct kiln_numatune_struct;

/**
 * kiln_numa_distance:
 * @from, @to: indices of cells
 *
 * Returns: the distance as SLIT has it (ACPI 6.5 §5.2.17): what the cell of @from says, else what
 *   that of @to says of the way back, else 10 for itself and 20 for another.
 */
guint kiln_numa_distance(const KilnNuma *numa, guint from, guint to);

#endif
