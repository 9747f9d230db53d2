/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See functions.h. */
#include "machine/functions.h"

#include <linux/virtio_ids.h>

#include "base/error.h"
#include "device/ahci.h"
#include "device/root-port.h"
#include "machine/private.h"
#include "virtio/pci.h"

/* ---- Places ------------------------------------------------------------------------------------
 */

static KilnPciBus *
bus_of(const KilnMachine *machine, guint number)
{
    KilnPciDevice *port;

    if (number == 0)
        return kiln_pci_host_root(machine->pci);
    port = g_hash_table_lookup(machine->root_ports, GUINT_TO_POINTER(number));
    return port != NULL ? kiln_root_port_bus(port) : NULL;
}

gboolean
kiln_machine_is_express(const KilnDeviceInfo *info)
{
    return info->address.pci.bus != 0;
}

gboolean
kiln_machine_add_function(KilnMachine *machine, KilnPciDevice *pci, const KilnDeviceInfo *info,
                          GError **error)
{
    const KilnPciAddress *at = &info->address.pci;
    KilnPciBus *bus = bus_of(machine, at->bus);
    uint8_t devfn = KILN_PCI_DEVFN(at->slot, at->function);

    if (info->address.type != KILN_ADDRESS_PCI || bus == NULL) {
        kiln_device_free(&pci->device);
        return kiln_error_set(error, KILN_ERROR_INVALID, "there is no PCI bus %u", at->bus);
    }
    pci->device.instance =
        (uint32_t)at->bus << 8 | devfn; /* by its place it is told in saved state */
    if (!kiln_pci_bus_add(bus, pci, devfn, error)) {
        kiln_device_free(&pci->device);
        return FALSE;
    }
    (void)kiln_machine_add_device(machine, &pci->device);
    return TRUE;
}

/* ---- Virtio ------------------------------------------------------------------------------------
 */

gboolean
kiln_machine_add_virtio(KilnMachine *machine, KilnVirtioDevice *virtio, const KilnDeviceInfo *info,
                        const KilnVirtioDriver *driver, guint n_vectors, GError **error)
{
    KilnVirtioPciOptions options = {
        .doorbells = kiln_machine_msi_doorbells(machine->msi),
        .n_vectors = n_vectors,
        .page_per_vq = driver != NULL && driver->page_per_vq == KILN_SWITCH_ON,
        .express = kiln_machine_is_express(info),
    };
    KilnPciDevice *pci;

    pci = kiln_virtio_pci_new(virtio, &options, error);
    if (pci == NULL)
        return FALSE;
    if (virtio->ops->id == VIRTIO_ID_NET && !kiln_machine_add_net_rom(machine, pci, info, error)) {
        kiln_device_free(&pci->device);
        return FALSE;
    }
    if (!kiln_machine_add_function(machine, pci, info, error))
        return FALSE;
    g_ptr_array_add(machine->virtios, virtio);
    return TRUE;
}

gint64
kiln_machine_quiesce_end(void)
{
    enum { PATIENCE_S = 10 };

    return g_get_monotonic_time() + PATIENCE_S * (gint64)G_USEC_PER_SEC;
}

const char *
kiln_machine_quiesce(KilnMachine *machine)
{
    gint64 end = kiln_machine_quiesce_end();
    const char *unquiet = NULL;

    for (guint i = 0; i < machine->virtios->len; i++)
        kiln_virtio_device_quiesce_begin(g_ptr_array_index(machine->virtios, i));
    for (guint i = 0; i < machine->ahcis->len; i++)
        kiln_ahci_quiesce_begin(g_ptr_array_index(machine->ahcis, i));
    for (guint i = 0; i < machine->virtios->len; i++) {
        KilnVirtioDevice *virtio = g_ptr_array_index(machine->virtios, i);

        if (!kiln_virtio_device_quiesce_until(virtio, end) && unquiet == NULL)
            unquiet = virtio->id;
    }
    for (guint i = 0; i < machine->ahcis->len; i++) {
        KilnPciDevice *ahci = g_ptr_array_index(machine->ahcis, i);

        if (!kiln_ahci_quiesce_until(ahci, end) && unquiet == NULL)
            unquiet = ahci->device.id;
    }
    return unquiet;
}

void
kiln_machine_unquiesce(KilnMachine *machine)
{
    for (guint i = 0; i < machine->virtios->len; i++)
        kiln_virtio_device_resume(g_ptr_array_index(machine->virtios, i));
    for (guint i = 0; i < machine->ahcis->len; i++)
        kiln_ahci_resume(g_ptr_array_index(machine->ahcis, i));
}
