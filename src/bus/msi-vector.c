/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See msi-vector.h. */
#include "bus/msi-vector.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/le.h"
#include "bus/pci-bus.h"

enum {
    CAPABILITY_BYTES = 14,
    NO_ROUTE = -1,
};

gboolean
kiln_msi_vector_init(KilnMsiVector *vector, KilnPciDevice *pci, GError **error)
{
    uint8_t at;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return kiln_error_set_errno(error, errno, "'%s': cannot make an eventfd", pci->device.id);
    at = kiln_pci_device_add_capability(pci, PCI_CAP_ID_MSI, CAPABILITY_BYTES);
    kiln_le16_store(pci->config + at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT);
    kiln_le16_store(pci->write_mask + at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
    kiln_le32_store(pci->write_mask + at + PCI_MSI_ADDRESS_LO, ~UINT32_C(3));
    kiln_le32_store(pci->write_mask + at + PCI_MSI_ADDRESS_HI, ~UINT32_C(0));
    kiln_le16_store(pci->write_mask + at + PCI_MSI_DATA_64, 0xffff);
    *vector =
        (KilnMsiVector){ .pci = pci, .wire = { .fd = fd, .route = NO_ROUTE }, .capability = at };
    return TRUE;
}

static void
disconnect(KilnMsiVector *vector)
{
    KilnMsiWire *wire = &vector->wire;

    if (wire->route < 0)
        return;
    vector->msi.ops->disconnect(vector->msi.opaque, &wire, 1);
    wire->route = NO_ROUTE;
}

void
kiln_msi_vector_clear(KilnMsiVector *vector)
{
    if (vector->pci == NULL)
        return;
    disconnect(vector);
    kiln_fd_clear(&vector->wire.fd);
    vector->pci = NULL;
}

gboolean
kiln_msi_vector_enabled(const KilnMsiVector *vector)
{
    const uint8_t *flags = vector->pci->config + vector->capability + PCI_MSI_FLAGS;

    return (kiln_le16_load(flags) & PCI_MSI_FLAGS_ENABLE) != 0;
}

void
kiln_msi_vector_update(KilnMsiVector *vector)
{
    const uint8_t *at = vector->pci->config + vector->capability;
    KilnMsiWire *wire = &vector->wire;
    KilnMsiMessage message = {
        .address = kiln_le64_load(at + PCI_MSI_ADDRESS_LO),
        .data = kiln_le16_load(at + PCI_MSI_DATA_64),
    };
    gboolean same = wire->message.address == message.address && wire->message.data == message.data;

    if (kiln_msi_vector_enabled(vector) && wire->route >= 0 && same)
        return;
    disconnect(vector);
    if (!kiln_msi_vector_enabled(vector))
        return;
    if (vector->msi.ops == NULL && vector->pci->bus != NULL)
        vector->msi = *kiln_pci_host_msi(kiln_pci_bus_host(vector->pci->bus));
    wire->message = message;
    if (vector->msi.ops != NULL)
        vector->msi.ops->connect(vector->msi.opaque, &wire, 1);
}

void
kiln_msi_vector_notify(KilnMsiVector *vector)
{
    uint64_t one = 1;

    if (vector->wire.route >= 0) {
        ssize_t written = write(vector->wire.fd, &one, sizeof one);

        (void)written; /* an eventfd that is full is set */
    }
}
