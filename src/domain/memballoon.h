/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <memballoon>: the device through which a guest gives memory back. */
#ifndef KILN_DOMAIN_MEMBALLOON_H
#define KILN_DOMAIN_MEMBALLOON_H

#include "domain/address.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_MEMBALLOON_MODEL_ABSENT,
    KILN_MEMBALLOON_MODEL_VIRTIO,
    KILN_MEMBALLOON_MODEL_VIRTIO_TRANSITIONAL,
    KILN_MEMBALLOON_MODEL_VIRTIO_NON_TRANSITIONAL,
    KILN_MEMBALLOON_MODEL_NONE,
    KILN_N_MEMBALLOON_MODEL
} KilnMemballoonModel;

extern const char *const kiln_memballoon_model_names[KILN_N_MEMBALLOON_MODEL];

typedef struct {
    KilnXmlPlace place;
    KilnMemballoonModel model;
    KilnSwitch autodeflate; /* gives memory back to a guest that runs out of it */
    KilnSwitch free_page_reporting;
    KilnUint stats_period_s; /* how often the guest reports; 0 is never */
    KilnVirtioDriver virtio;
    KilnDeviceInfo info;
} KilnMemballoon;

KILN_FAMILY_DECLARE(KilnMemballoon, memballoon)

#endif
