/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PCI function of the host, given to the guest by VFIO: <hostdev>. */
#ifndef KILN_DEVICE_VFIO_PCI_H
#define KILN_DEVICE_VFIO_PCI_H

#include "bus/pci.h"
#include "bus/slots.h"
#include "vfio/device.h"

/**
 * KilnVfioPciOptions:
 * @id: as of every device
 * @slots: where what is mapped of its registers goes; with none every access comes through here
 * @express: it is behind a root port
 */
typedef struct {
    const char *id;
    KilnSlots slots;
    gboolean express;
} KilnVfioPciOptions;

/**
 * kiln_vfio_pci_new:
 * @device: (transfer full): freed on error too
 *
 * A reset of the function is one of the host's device.  It interrupts by MSI-X and MSI, not by a
 * line, and it has no ROM.  Its state is the host's device's: it cannot be saved.
 *
 * Returns: (transfer full): NULL with @error set: a bridge, a function that has only a line.
 */
KilnPciDevice *kiln_vfio_pci_new(KilnVfioDevice *device, const KilnVfioPciOptions *options,
                                 GError **error);

#endif
