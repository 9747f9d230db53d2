/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PCI function of the host by VFIO: its regions and its interrupts, numbered as linux/vfio.h does
 * (VFIO_PCI_BAR0_REGION_INDEX …, VFIO_PCI_MSI_IRQ_INDEX …).  Tests put ops of their own in.
 */
#ifndef KILN_VFIO_DEVICE_H
#define KILN_VFIO_DEVICE_H

#include <linux/vfio.h>
#include <stdint.h>

#include "vfio/binding.h"
#include "vfio/container.h"

enum { KILN_VFIO_N_REGIONS = VFIO_PCI_CONFIG_REGION_INDEX + 1 };

typedef struct KilnVfioDevice KilnVfioDevice;

/* A part of a region that is mapped into this process; page aligned. */
typedef struct {
    uint64_t offset; /* into the region */
    uint64_t length; /* bytes */
    void *host;
} KilnVfioArea;

typedef struct {
    uint64_t size; /* bytes; 0: it has no such region */
    GArray *areas; /* (owned) of KilnVfioArea, by rising offset, not overlapping */
    uint64_t fd_offset;
} KilnVfioRegion;

/**
 * KilnVfioOps:
 * @read: @size bytes at @offset of a region; -errno, or 0.  What is read of a region that is not
 *   there is an error
 * @write: the same
 * @set_irqs: from now on the eventfds @fds are written to when the device interrupts; @n 0 turns
 *   the interrupts of this @index off.  0, -errno, or more than 0 if the host has no more than so
 *   many: nothing was done then
 * @reset: -errno or 0
 *
 * Any thread, one at a time.
 */
typedef struct {
    int (*read)(KilnVfioDevice *device, guint region, uint64_t offset, void *data, unsigned size);
    int (*write)(KilnVfioDevice *device, guint region, uint64_t offset, const void *data,
                 unsigned size);
    int (*set_irqs)(KilnVfioDevice *device, guint index, const int *fds, guint n);
    int (*reset)(KilnVfioDevice *device);
    void (*free)(KilnVfioDevice *device);
} KilnVfioOps;

struct KilnVfioDevice {
    const KilnVfioOps *ops;
    char *name; /* (owned): "0000:03:00.0" */
    KilnVfioRegion regions[KILN_VFIO_N_REGIONS];
    guint n_irqs[VFIO_PCI_MSIX_IRQ_INDEX + 1];
    gboolean resets; /* it can be */
};

/**
 * kiln_vfio_device_open:
 * @binding: (transfer full): of the function; freed on error too
 *
 * Opens the function and maps what can be mapped.
 *
 * Returns: (transfer full): NULL with @error set.
 */
KilnVfioDevice *kiln_vfio_device_open(KilnVfioContainer *container, KilnVfioBinding *binding,
                                      const char *name, GError **error);

/* For implementations: sets the common part up, and frees it. */
void kiln_vfio_device_init(KilnVfioDevice *device, const KilnVfioOps *ops, const char *name);
void kiln_vfio_device_clear(KilnVfioDevice *device);

/* (nullable) */
void kiln_vfio_device_free(KilnVfioDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVfioDevice, kiln_vfio_device_free)

#endif
