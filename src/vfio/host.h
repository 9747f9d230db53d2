/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where VFIO is: the kernel's, or what a test puts in its place.
 *
 *   binding.h    sysfs: which driver has a function, giving it to vfio-pci and back
 *   container.h  an IOMMU's address space that guest RAM is mapped into, and the groups in it
 *   device.h     a function: its regions and its interrupts
 *
 * Numbers and structures are those of linux/vfio.h.
 */
#ifndef KILN_VFIO_HOST_H
#define KILN_VFIO_HOST_H

#include <glib.h>

/**
 * KilnVfioHost:
 * @root: put before /sys and /dev: "" but in tests
 * @ioctl: ioctl(2), of containers, groups and devices
 */
typedef struct {
    const char *root;
    int (*ioctl)(int fd, unsigned long request, void *argument);
} KilnVfioHost;

extern const KilnVfioHost kiln_vfio_host;

#endif
