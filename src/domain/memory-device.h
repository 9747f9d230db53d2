/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <memory>: memory modules that are plugged in besides the guest's main memory. */
#ifndef KILN_DOMAIN_MEMORY_DEVICE_H
#define KILN_DOMAIN_MEMORY_DEVICE_H

#include "base/bitmap.h"
#include "domain/address.h"
#include "domain/family.h"

typedef enum {
    KILN_MEMORY_DEVICE_MODEL_ABSENT,
    KILN_MEMORY_DEVICE_MODEL_DIMM,
    KILN_MEMORY_DEVICE_MODEL_NVDIMM,
    KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM,
    KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM,
    KILN_MEMORY_DEVICE_MODEL_SGX_EPC,
    KILN_N_MEMORY_DEVICE_MODEL
} KilnMemoryDeviceModel;

extern const char *const kiln_memory_device_model_names[KILN_N_MEMORY_DEVICE_MODEL];

typedef enum {
    KILN_MEMORY_DEVICE_ACCESS_ABSENT,
    KILN_MEMORY_DEVICE_ACCESS_SHARED,
    KILN_MEMORY_DEVICE_ACCESS_PRIVATE,
    KILN_N_MEMORY_DEVICE_ACCESS
} KilnMemoryDeviceAccess;

extern const char *const kiln_memory_device_access_names[KILN_N_MEMORY_DEVICE_ACCESS];

/* Bytes: the size of virtio-mem's blocks if none is said, and the least: that of transparent huge
 * pages on x86. */
enum { KILN_MEMORY_DEVICE_BLOCK = 2 << 20 };

typedef struct {
    KilnXmlPlace place;
    KilnMemoryDeviceModel model;
    KilnMemoryDeviceAccess access;
    KilnSwitch discard;
    char *uuid;                  /* (owned) (nullable) of the module's label area */
    KilnUint source_pagesize;    /* bytes */
    KilnBitmap *source_nodemask; /* (owned) (nullable) host NUMA nodes */
    char *source_path;           /* (owned) (nullable) */
    KilnUint source_alignsize;   /* bytes */
    gboolean source_pmem;        /* the file is on persistent memory */
    KilnUint size;               /* bytes */
    KilnUint node;               /* guest NUMA node */
    KilnUint block;              /* bytes */
    KilnUint requested;          /* bytes */
    KilnUint current;            /* bytes */
    KilnUint label_size;         /* bytes */
    gboolean readonly;
    KilnDeviceInfo info;
} KilnMemoryDevice;

KILN_FAMILY_DECLARE(KilnMemoryDevice, memory_device)

#endif
