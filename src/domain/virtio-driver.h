/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every virtio device may be told about its transport (attributes of <driver>), and which
 * generation of the transport it has (attribute model), once for all families.
 */
#ifndef KILN_DOMAIN_VIRTIO_OPTIONS_H
#define KILN_DOMAIN_VIRTIO_OPTIONS_H

#include "domain/fields.h"

typedef enum {
    KILN_VIRTIO_MODEL_ABSENT,
    KILN_VIRTIO_MODEL_VIRTIO,
    KILN_VIRTIO_MODEL_VIRTIO_TRANSITIONAL,
    KILN_VIRTIO_MODEL_VIRTIO_NON_TRANSITIONAL,
    KILN_N_VIRTIO_MODEL
} KilnVirtioModel;

extern const char *const kiln_virtio_model_names[KILN_N_VIRTIO_MODEL];

/* Attributes of a <driver> element; embedded. */
typedef struct {
    KilnSwitch iommu;       /* VIRTIO_F_ACCESS_PLATFORM */
    KilnSwitch ats;         /* address translation services */
    KilnSwitch packed;      /* packed rings are offered */
    KilnSwitch page_per_vq; /* each notification address in a page of its own */
} KilnVirtioDriver;

extern const KilnStruct kiln_virtio_driver_struct;

#endif
