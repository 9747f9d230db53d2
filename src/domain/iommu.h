/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <iommu>: the guest's own I/O memory management unit. */
#ifndef KILN_DOMAIN_IOMMU_H
#define KILN_DOMAIN_IOMMU_H

#include "domain/address.h"
#include "domain/family.h"

typedef enum {
    KILN_IOMMU_MODEL_ABSENT,
    KILN_IOMMU_MODEL_INTEL,
    KILN_IOMMU_MODEL_VIRTIO,
    KILN_N_IOMMU_MODEL
} KilnIommuModel;

extern const char *const kiln_iommu_model_names[KILN_N_IOMMU_MODEL];

typedef struct {
    KilnXmlPlace place;
    KilnIommuModel model;
    KilnSwitch intremap; /* interrupt remapping */
    KilnSwitch caching_mode;
    KilnSwitch eim; /* x2APIC destinations */
    KilnSwitch iotlb;
    KilnUint aw_bits; /* width of a bus address */
    KilnDeviceInfo info;
} KilnIommu;

KILN_FAMILY_DECLARE(KilnIommu, iommu)

#endif
