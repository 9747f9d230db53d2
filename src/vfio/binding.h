/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which driver of the host has a PCI function: sysfs. */
#ifndef KILN_VFIO_BINDING_H
#define KILN_VFIO_BINDING_H

#include "vfio/host.h"

typedef struct KilnVfioBinding KilnVfioBinding;

/**
 * kiln_vfio_binding_new:
 * @name: of the function: "0000:03:00.0"
 * @managed: a function that another driver has is taken from it and given to vfio-pci, which takes
 *   root; else it must be vfio-pci's already
 *
 * All that is needed to give it back is opened here, so that it works from within the sandbox.
 *
 * Returns: (transfer full): NULL with @error set, which says what to do.
 */
KilnVfioBinding *kiln_vfio_binding_new(const KilnVfioHost *host, const char *name, gboolean managed,
                                       GError **error);

/* Gives the function back to the driver that had it, if it was taken from one; nobody has it open
 * any more.  (nullable) */
void kiln_vfio_binding_free(KilnVfioBinding *binding);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVfioBinding, kiln_vfio_binding_free)

/* Its IOMMU group's number. */
guint kiln_vfio_binding_group(const KilnVfioBinding *binding);

/**
 * kiln_vfio_group_others:
 *
 * Returns: (transfer full) (nullable): "0000:03:00.1 (driver 'snd_hda_intel')" and so on: functions
 *   of @group that drivers of the host have; NULL if there are none.
 */
char *kiln_vfio_group_others(const KilnVfioHost *host, guint group);

#endif
