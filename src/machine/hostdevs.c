/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <hostdev>: functions of the host, by VFIO.  One container has all of a guest's. */
#include "machine/devices.h"

#include "base/error.h"
#include "device/vfio-pci.h"
#include "machine/functions.h"
#include "machine/private.h"
#include "machine/slots.h"

/* ---- building ----------------------------------------------------------------------------------
 */

static char *
name_of(const KilnHostdev *hostdev)
{
    const KilnPciAddress *at = &hostdev->pci;

    return g_strdup_printf("%04x:%02x:%02x.%x", at->domain, at->bus, at->slot, at->function);
}

/* @binding: (transfer full) */
static gboolean
build_hostdev(KilnMachine *machine, KilnVfioContainer *container, KilnVfioBinding *binding,
              const KilnHostdev *hostdev, GError **error)
{
    KilnVfioPciOptions options = {
        .id = hostdev->info.alias,
        .slots = kiln_machine_slots(machine),
        .express = kiln_machine_is_express(&hostdev->info),
    };
    g_autofree char *name = name_of(hostdev);
    KilnVfioDevice *device = kiln_vfio_device_open(container, binding, name, error);
    KilnPciDevice *pci = device != NULL ? kiln_vfio_pci_new(device, &options, error) : NULL;

    return pci != NULL && kiln_machine_add_function(machine, pci, &hostdev->info, error);
}

static void
free_binding(gpointer binding)
{
    kiln_vfio_binding_free(binding); /* (nullable) */
}

/* Functions of one group come to VFIO together, so all are bound before the first is opened. */
gboolean
kiln_machine_build_hostdevs(KilnMachine *machine, GError **error)
{
    const GPtrArray *hostdevs = machine->domain->hostdevs;
    g_autoptr(GPtrArray) bindings = g_ptr_array_new_with_free_func(free_binding);
    g_autoptr(KilnVfioContainer) container = NULL;

    if (hostdevs->len == 0)
        return TRUE;
    for (guint i = 0; i < hostdevs->len; i++) {
        const KilnHostdev *hostdev = g_ptr_array_index(hostdevs, i);
        g_autofree char *name = name_of(hostdev);
        KilnVfioBinding *binding =
            kiln_vfio_binding_new(&kiln_vfio_host, name, hostdev->managed == KILN_SWITCH_ON, error);

        if (binding == NULL) {
            g_prefix_error(error, "%s: ", hostdev->info.alias);
            return FALSE;
        }
        g_ptr_array_add(bindings, binding);
    }
    container = kiln_vfio_container_new(&kiln_vfio_host, machine->memory, error);
    if (container == NULL)
        return FALSE;
    for (guint i = 0; i < hostdevs->len; i++) {
        const KilnHostdev *hostdev = g_ptr_array_index(hostdevs, i);
        KilnVfioBinding *binding = g_steal_pointer(&g_ptr_array_index(bindings, i));

        if (!build_hostdev(machine, container, binding, hostdev, error)) {
            g_prefix_error(error, "%s: ", hostdev->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}
