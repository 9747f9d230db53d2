/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PCI function's driver: given to vfio-pci, and back.  By sysfs (the kernel's
 * Documentation/ABI/testing/sysfs-bus-pci), which waits until the old driver has let go. */
#ifndef KILN_CAPS_HOST_PCI_H
#define KILN_CAPS_HOST_PCI_H

#include <glib.h>

/**
 * kiln_host_pci_address:
 * @device: as libvirt names it, "pci_0000_03_00_0"
 *
 * Returns: (transfer full): "0000:03:00.0"; NULL with @error, a KILN_VIR_ERROR, set if it is no PCI
 *   function of this host.
 */
char *kiln_host_pci_address(const char *device, GError **error);

/* To vfio-pci; nothing is to do if it has it.  Any thread. */
gboolean kiln_host_pci_detach(const char *address, GError **error);

/* To the driver that the host has for it.  Nobody uses it.  Any thread. */
gboolean kiln_host_pci_reattach(const char *address, GError **error);

/* Nobody uses it, nor has the host a driver on it.  Any thread. */
gboolean kiln_host_pci_reset(const char *address, GError **error);

#endif
