/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps/host-pci.h"

#include <stdio.h>
#include <string.h>

#include "caps/host.h"
#include "error/vir-error.h"

#define DEVICES "/sys/bus/pci/devices"
#define VFIO    "vfio-pci"

static gboolean
is_there(const char *format, const char *address)
{
    g_autofree char *rest = g_strdup_printf("%s/%s/%s", DEVICES, address, format);
    g_autofree char *path = kiln_host_path("%s", rest);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

char *
kiln_host_pci_address(const char *device, GError **error)
{
    guint domain, bus, slot, function;
    char end;
    g_autofree char *address = NULL;

    if (sscanf(device, "pci_%4x_%2x_%2x_%1x%c", &domain, &bus, &slot, &function, &end) != 4 ||
        slot > 31 || function > 7) {
        (void)kiln_vir_error_set(error, VIR_ERR_NO_NODE_DEVICE,
                                 "no PCI device with matching name '%s'", device);
        return NULL;
    }
    address = g_strdup_printf("%04x:%02x:%02x.%x", domain, bus, slot, function);
    if (!is_there("", address)) {
        (void)kiln_vir_error_set(error, VIR_ERR_NO_NODE_DEVICE,
                                 "no node device with matching name '%s'", device);
        return NULL;
    }
    return g_steal_pointer(&address);
}

/* (transfer full) (nullable): the driver's name */
static char *
driver_of(const char *address)
{
    g_autofree char *path = kiln_host_path("%s/%s/driver", DEVICES, address);
    g_autofree char *target = g_file_read_link(path, NULL);

    return target != NULL ? g_path_get_basename(target) : NULL;
}

/* vfio-pci, and those drivers of single devices that are built on it ("mlx5_vfio_pci"). */
static gboolean
is_vfio(const char *driver)
{
    return driver != NULL && strstr(driver, "vfio") != NULL;
}

/* Lets go of @address and offers it to the drivers again, of which @override is the only one. */
static gboolean
rebind(const char *address, const char *override, GError **error)
{
    g_autofree char *driver = driver_of(address);

    return kiln_host_write(override, error, "%s/%s/driver_override", DEVICES, address) &&
           (driver == NULL ||
            kiln_host_write(address, error, "%s/%s/driver/unbind", DEVICES, address)) &&
           kiln_host_write(address, error, "/sys/bus/pci/drivers_probe");
}

gboolean
kiln_host_pci_detach(const char *address, GError **error)
{
    g_autofree char *before = driver_of(address);
    g_autofree char *path = kiln_host_path("/sys/bus/pci/drivers/%s", VFIO);
    g_autofree char *after = NULL;

    if (is_vfio(before))
        return TRUE;
    if (!is_there("iommu_group", address))
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                                  "PCI device %s is in no IOMMU group: the host's IOMMU is off",
                                  address);
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                                  "the kernel's module %s is not loaded", VFIO);
    if (!rebind(address, VFIO, error))
        return FALSE;
    after = driver_of(address);
    return is_vfio(after) || kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                                                "PCI device %s was not taken by %s", address, VFIO);
}

gboolean
kiln_host_pci_reattach(const char *address, GError **error)
{
    g_autofree char *driver = driver_of(address);

    return !is_vfio(driver) || rebind(address, "\n", error);
}

gboolean
kiln_host_pci_reset(const char *address, GError **error)
{
    g_autofree char *driver = driver_of(address);

    if (driver != NULL && !is_vfio(driver))
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "PCI device %s is in use by the host's driver '%s'", address,
                                  driver);
    if (!is_there("reset", address))
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_UNSUPPORTED,
                                  "PCI device %s cannot be reset alone", address);
    return kiln_host_write("1", error, "%s/%s/reset", DEVICES, address);
}
