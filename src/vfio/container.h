/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VFIO container: the IOMMU's view of guest memory, that all functions given to a guest share.
 * Guest-physical addresses are the devices' addresses.
 */
#ifndef KILN_VFIO_CONTAINER_H
#define KILN_VFIO_CONTAINER_H

#include "memory/memory.h"
#include "vfio/host.h"

typedef struct KilnVfioContainer KilnVfioContainer;

/**
 * kiln_vfio_container_new:
 * @memory: outlives the container; all of it is mapped, and with that pinned, once a group is there
 *
 * Returns: (transfer full): NULL with @error set: the host has no VFIO, or the user may not.
 */
KilnVfioContainer *kiln_vfio_container_new(const KilnVfioHost *host, KilnMemory *memory,
                                           GError **error);

/* Each device has a reference, the last one closes it. */
KilnVfioContainer *kiln_vfio_container_ref(KilnVfioContainer *container);
void kiln_vfio_container_unref(KilnVfioContainer *container);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVfioContainer, kiln_vfio_container_unref)

const KilnVfioHost *kiln_vfio_container_host(const KilnVfioContainer *container);

/**
 * kiln_vfio_container_group:
 * @number: of an IOMMU group; opened and attached if it is not yet
 *
 * Returns: (transfer none): its descriptor, -1 with @error set.
 */
int kiln_vfio_container_group(KilnVfioContainer *container, guint number, GError **error);

#endif
