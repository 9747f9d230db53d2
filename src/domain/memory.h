/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory the guest has, and what the host gives it from. */
#ifndef KILN_DOMAIN_MEMORY_H
#define KILN_DOMAIN_MEMORY_H

#include "base/bitmap.h"
#include "domain/fields.h"

typedef enum {
    KILN_MEMORY_SOURCE_ABSENT, /* memfd, so that it can be shared with helpers */
    KILN_MEMORY_SOURCE_ANONYMOUS,
    KILN_MEMORY_SOURCE_FILE,
    KILN_MEMORY_SOURCE_MEMFD,
} KilnMemorySource;

typedef enum {
    KILN_MEMORY_MODE_ABSENT, /* private, except where a NUMA cell says otherwise */
    KILN_MEMORY_MODE_SHARED,
    KILN_MEMORY_MODE_PRIVATE,
} KilnMemoryMode;

typedef enum {
    KILN_ALLOCATION_ABSENT, /* on demand */
    KILN_ALLOCATION_IMMEDIATE,
    KILN_ALLOCATION_ONDEMAND,
} KilnAllocation;

typedef struct {
    KilnUint size; /* bytes */
    KilnBitmap
        *nodeset; /* (owned) (nullable) guest NUMA cells; NULL is those that no other page names */
} KilnHugepage;

/* <memoryBacking> */
typedef struct {
    gboolean hugepages;    /* the host's default size where @pages is empty */
    GPtrArray *pages;      /* (owned) of KilnHugepage */
    gboolean nosharepages; /* no merging of equal pages (KSM) */
    gboolean locked;       /* never swapped */
    KilnMemorySource source;
    KilnMemoryMode access;
    KilnAllocation allocation;
    KilnUint allocation_threads;
    gboolean discard; /* contents may be thrown away when the guest ends */
} KilnDomainMemoryBacking;

/* <memtune>: limits in bytes */
typedef struct {
    KilnUint hard_limit;
    KilnUint soft_limit;
    KilnUint swap_hard_limit;
    KilnUint min_guarantee;
} KilnMemtune;

typedef struct {
    KilnUint max_size;    /* bytes, with all that may be plugged in */
    KilnUint max_slots;   /* for memory modules */
    KilnUint size;        /* bytes at start */
    KilnSwitch dump_core; /* whether guest memory goes into a core dump of the process */
    KilnUint current;     /* bytes; absent is @size */
    KilnMemtune tune;
    KilnDomainMemoryBacking backing;
} KilnMemoryConfig;

extern const KilnStruct kiln_memory_config_struct;

#endif
