/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/iommu.h"

const char *const kiln_iommu_model_names[KILN_N_IOMMU_MODEL] = {
    [KILN_IOMMU_MODEL_INTEL] = "intel",
    [KILN_IOMMU_MODEL_VIRTIO] = "virtio",
};

static const KilnField iommu_fields[] = {
    KILN_FIELD_CUSTOM(KilnIommu, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnIommu, model, "@model", kiln_iommu_model_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnIommu, intremap, "driver@intremap", ONOFF),
    KILN_FIELD_SWITCH(KilnIommu, caching_mode, "driver@caching_mode", ONOFF),
    KILN_FIELD_SWITCH(KilnIommu, eim, "driver@eim", ONOFF),
    KILN_FIELD_SWITCH(KilnIommu, iotlb, "driver@iotlb", ONOFF),
    KILN_FIELD_UINT(KilnIommu, aw_bits, "driver@aw_bits", 0, 255),
    KILN_FIELD_EMBED(KilnIommu, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_iommu_struct = {
    .size = sizeof(KilnIommu),
    .fields = iommu_fields,
};

KILN_FAMILY_DEFINE(KilnIommu, iommu, "iommu")
