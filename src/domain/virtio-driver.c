/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/virtio-driver.h"

const char *const kiln_virtio_model_names[KILN_N_VIRTIO_MODEL] = {
    [KILN_VIRTIO_MODEL_VIRTIO] = "virtio",
    [KILN_VIRTIO_MODEL_VIRTIO_TRANSITIONAL] = "virtio-transitional",
    [KILN_VIRTIO_MODEL_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
};

static const KilnField virtio_options_fields[] = {
    KILN_FIELD_SWITCH(KilnVirtioDriver, iommu, "@iommu", ONOFF),
    KILN_FIELD_SWITCH(KilnVirtioDriver, ats, "@ats", ONOFF),
    KILN_FIELD_SWITCH(KilnVirtioDriver, packed, "@packed", ONOFF),
    KILN_FIELD_SWITCH(KilnVirtioDriver, page_per_vq, "@page_per_vq", ONOFF),
    KILN_FIELD_END,
};

const KilnStruct kiln_virtio_driver_struct = {
    .size = sizeof(KilnVirtioDriver),
    .fields = virtio_options_fields,
};
