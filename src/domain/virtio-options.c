/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/virtio-options.h"

const char *const kiln_virtio_model_names[KILN_N_VIRTIO_MODEL] = {
    [KILN_VIRTIO_MODEL_VIRTIO] = "virtio",
    [KILN_VIRTIO_MODEL_VIRTIO_TRANSITIONAL] = "virtio-transitional",
    [KILN_VIRTIO_MODEL_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
};

static const KilnField virtio_options_fields[] = {
    KILN_FIELD_SWITCH(KilnVirtioOptions, iommu, "@iommu", ONOFF),
    KILN_FIELD_SWITCH(KilnVirtioOptions, ats, "@ats", ONOFF),
    KILN_FIELD_SWITCH(KilnVirtioOptions, packed, "@packed", ONOFF),
    KILN_FIELD_SWITCH(KilnVirtioOptions, page_per_vq, "@page_per_vq", ONOFF),
    KILN_FIELD_END,
};

const KilnStruct kiln_virtio_options_struct = {
    .size = sizeof(KilnVirtioOptions),
    .fields = virtio_options_fields,
};
