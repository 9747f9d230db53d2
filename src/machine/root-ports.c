/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <controller type='pci' model='pcie-root-port'>: the bus behind it has the number of its index. */
#include "machine/devices.h"

#include "device/root-port.h"
#include "machine/functions.h"
#include "machine/private.h"

static gboolean
build_port(KilnMachine *machine, const KilnController *controller, GError **error)
{
    KilnRootPortOptions options = {
        .id = controller->info.alias,
        .number = (uint8_t)controller->index.value,
        .hotplug = controller->pci_target.hotplug != KILN_SWITCH_OFF,
    };
    KilnPciDevice *port = kiln_root_port_new(&options, error);

    if (port == NULL)
        return FALSE;
    if (!kiln_machine_add_function(machine, port, &controller->info, error))
        return FALSE;
    g_hash_table_insert(machine->root_ports, GUINT_TO_POINTER((guint)controller->index.value),
                        port);
    return TRUE;
}

gboolean
kiln_machine_build_root_ports(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(machine->domain->controllers, i);

        if (controller->type == KILN_CONTROLLER_TYPE_PCI &&
            controller->pci_model == KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT_PORT &&
            !build_port(machine, controller, error)) {
            g_prefix_error(error, "PCI controller %u: ", (guint)controller->index.value);
            return FALSE;
        }
    }
    return TRUE;
}
