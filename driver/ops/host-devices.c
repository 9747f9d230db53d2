/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI functions of the host: given to VFIO for guests, given back, reset.  All else about node
 * devices is relayed. */
#include "ops/driver.h"
#include "ops/host-work.h"
#include "ops/tables.h"

#include <string.h>

#include "caps/host-pci.h"
#include "domain/domain.h"

typedef struct {
    const char *address;
    const char *user; /* (nullable) the guest that has it */
} Use;

static void
look_for_use(KilnGuest *guest, gpointer data)
{
    Use *use = data;
    const KilnDomain *domain = kiln_guest_is_active(guest) ? kiln_guest_live(guest) : NULL;

    for (guint i = 0; domain != NULL && i < domain->hostdevs->len; i++) {
        const KilnHostdev *device = g_ptr_array_index(domain->hostdevs, i);
        g_autofree char *address =
            g_strdup_printf("%04x:%02x:%02x.%x", device->pci.domain, device->pci.bus,
                            device->pci.slot, device->pci.function);

        if (device->type == KILN_HOSTDEV_TYPE_PCI && strcmp(address, use->address) == 0)
            use->user = kiln_guest_name(guest);
    }
}

static gboolean
detach(gpointer data, GError **error)
{
    return kiln_host_pci_detach(data, error);
}

static gboolean
reattach(gpointer data, GError **error)
{
    return kiln_host_pci_reattach(data, error);
}

static gboolean
reset(gpointer data, GError **error)
{
    return kiln_host_pci_reset(data, error);
}

/* Unbinding waits until the driver has let go, so that it is done elsewhere. */
static void
work_on(KilnCall *call, const char *device, gboolean (*work)(gpointer data, GError **error))
{
    g_autoptr(GError) error = NULL;
    g_autofree char *address = kiln_host_pci_address(device, &error);
    Use use = { .address = address };

    if (address == NULL) {
        kiln_call_fail_error(call, error);
        return;
    }
    kiln_guest_list_foreach(kiln_ops_driver(call)->guests, look_for_use, &use);
    if (use.user != NULL)
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID, "PCI device %s is in use by domain '%s'",
                       address, use.user);
    else
        kiln_ops_host_work(call, g_steal_pointer(&address), g_free, work, NULL);
}

static void
on_dettach(KilnCall *call, gconstpointer data)
{
    const remote_node_device_dettach_args *args = data;

    work_on(call, args->name, detach);
}

static void
on_detach_flags(KilnCall *call, gconstpointer data)
{
    const remote_node_device_detach_flags_args *args = data;
    const char *driver = args->driverName != NULL ? *args->driverName : NULL;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (driver != NULL && strcmp(driver, "vfio") != 0)
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "unknown driver name '%s': the host's driver is vfio", driver);
    else
        work_on(call, args->name, detach);
}

static void
on_reattach(KilnCall *call, gconstpointer data)
{
    const remote_node_device_re_attach_args *args = data;

    work_on(call, args->name, reattach);
}

static void
on_reset(KilnCall *call, gconstpointer data)
{
    const remote_node_device_reset_args *args = data;

    work_on(call, args->name, reset);
}

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(NODE_DEVICE_DETTACH, node_device_dettach, KILN_ACCESS_WRITE, on_dettach),
    KILN_PROC_ARGS(NODE_DEVICE_DETACH_FLAGS, node_device_detach_flags, KILN_ACCESS_WRITE,
                   on_detach_flags),
    KILN_PROC_ARGS(NODE_DEVICE_RE_ATTACH, node_device_re_attach, KILN_ACCESS_WRITE, on_reattach),
    KILN_PROC_ARGS(NODE_DEVICE_RESET, node_device_reset, KILN_ACCESS_WRITE, on_reset),
};

const KilnProcedureTable kiln_ops_host_devices = { rows, G_N_ELEMENTS(rows) };
