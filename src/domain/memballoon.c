/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/memballoon.h"

const char *const kiln_memballoon_model_names[KILN_N_MEMBALLOON_MODEL] = {
    [KILN_MEMBALLOON_MODEL_VIRTIO] = "virtio",
    [KILN_MEMBALLOON_MODEL_VIRTIO_TRANSITIONAL] = "virtio-transitional",
    [KILN_MEMBALLOON_MODEL_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
    [KILN_MEMBALLOON_MODEL_NONE] = "none",
};

static const KilnField memballoon_fields[] = {
    KILN_FIELD_CUSTOM(KilnMemballoon, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnMemballoon, model, "@model", kiln_memballoon_model_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnMemballoon, autodeflate, "@autodeflate", ONOFF),
    KILN_FIELD_SWITCH(KilnMemballoon, free_page_reporting, "@freePageReporting", ONOFF),
    KILN_FIELD_UINT(KilnMemballoon, stats_period_s, "stats@period", 0, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnMemballoon, virtio, "driver", &kiln_virtio_driver_struct),
    KILN_FIELD_EMBED(KilnMemballoon, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_memballoon_struct = {
    .size = sizeof(KilnMemballoon),
    .fields = memballoon_fields,
};

KILN_FAMILY_DEFINE(KilnMemballoon, memballoon, "memballoon")
