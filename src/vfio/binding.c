/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See binding.h.  A function comes to vfio-pci as by libvirt and driverctl:
 *
 *   driver_override = "vfio-pci" -> driver/unbind -> drivers_probe
 *
 * and back by the same steps with an empty override.
 */
#include "vfio/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#define VFIO_PCI "vfio-pci"

struct KilnVfioBinding {
    char *name; /* (owned) */
    guint group;
    gboolean taken;  /* from the host's driver: to be given back */
    KilnFd override; /* (owned): of sysfs, written at the end; -1 unless @taken */
    KilnFd unbind;   /* (owned): vfio-pci's */
    KilnFd probe;    /* (owned) */
};

/* The last part of where a link of sysfs leads; NULL if there is no such link. */
static char *
link_name(const char *path)
{
    g_autofree char *target = g_file_read_link(path, NULL);

    return target != NULL ? g_path_get_basename(target) : NULL;
}

static char *
function_path(const KilnVfioHost *host, const char *name, const char *file)
{
    return g_strdup_printf("%s/sys/bus/pci/devices/%s/%s", host->root, name, file);
}

static char *
driver_of(const KilnVfioHost *host, const char *name)
{
    g_autofree char *path = function_path(host, name, "driver");

    return link_name(path);
}

/* vfio-pci, and those drivers of single devices that are built on it ("mlx5_vfio_pci"). */
static gboolean
is_vfio(const char *driver)
{
    return driver != NULL && strstr(driver, "vfio") != NULL;
}

static gboolean
find_group(KilnVfioBinding *binding, const KilnVfioHost *host, GError **error)
{
    g_autofree char *directory = function_path(host, binding->name, "");
    g_autofree char *path = function_path(host, binding->name, "iommu_group");
    g_autofree char *group = link_name(path);
    guint64 number;

    if (!g_file_test(directory, G_FILE_TEST_IS_DIR))
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the host has no PCI function '%s'",
                              binding->name);
    if (group == NULL || !g_ascii_string_to_unsigned(group, 10, 0, G_MAXUINT, &number, NULL))
        return kiln_error_set(
            error, KILN_ERROR_UNSUPPORTED,
            "the host's PCI function '%s' has no IOMMU group: the host's IOMMU is off; turn VT-d "
            "or AMD-Vi on in the firmware's set-up, and boot with 'intel_iommu=on' on Intel's "
            "machines",
            binding->name);
    binding->group = (guint)number;
    return TRUE;
}

static gboolean
put(int fd, const char *text, const char *path, GError **error)
{
    int result = kiln_write_full(fd, text, strlen(text), -1);

    if (result < 0)
        return kiln_error_set_errno(error, -result, "cannot write '%s' to '%s'", text, path);
    return TRUE;
}

/* Opens @path, and writes @text to it unless that is NULL. */
static gboolean
open_and_put(KilnFd *fd, const char *path, const char *text, GError **error)
{
    *fd = kiln_open(path, O_WRONLY, 0, error);
    return *fd >= 0 && (text == NULL || put(*fd, text, path, error));
}

static gboolean
rebind(KilnVfioBinding *binding, const KilnVfioHost *host, const char *driver, GError **error)
{
    g_autofree char *override = function_path(host, binding->name, "driver_override");
    g_autofree char *old = function_path(host, binding->name, "driver/unbind");
    g_autofree char *probe = g_strdup_printf("%s/sys/bus/pci/drivers_probe", host->root);
    g_autofree char *unbind =
        g_strdup_printf("%s/sys/bus/pci/drivers/" VFIO_PCI "/unbind", host->root);
    g_auto(KilnFd) old_unbind = -1;

    if (!g_file_test(unbind, G_FILE_TEST_EXISTS))
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              "the host's driver vfio-pci is not loaded: 'modprobe vfio-pci'");
    if (!open_and_put(&binding->unbind, unbind, NULL, error) ||
        !open_and_put(&binding->override, override, VFIO_PCI "\n", error))
        return FALSE;
    binding->taken = TRUE;
    return (driver == NULL || open_and_put(&old_unbind, old, binding->name, error)) &&
           open_and_put(&binding->probe, probe, binding->name, error);
}

static gboolean
bind_function(KilnVfioBinding *binding, const KilnVfioHost *host, gboolean managed, GError **error)
{
    g_autofree char *driver = driver_of(host, binding->name);

    if (is_vfio(driver))
        return TRUE;
    if (managed) {
        g_autoptr(GError) reason = NULL;
        g_autofree char *now = NULL;

        if (rebind(binding, host, driver, &reason)) {
            now = driver_of(host, binding->name);
            if (is_vfio(now))
                return TRUE;
            g_set_error(&reason, KILN_ERROR, KILN_ERROR_FAILED, "vfio-pci does not take it");
        }
        return kiln_error_set(
            error, reason->code, "cannot take the host's PCI function '%s' from %s%s%s: %s%s",
            binding->name, driver != NULL ? "its driver '" : "no driver",
            driver != NULL ? driver : "", driver != NULL ? "'" : "", reason->message,
            reason->code == KILN_ERROR_PERMISSION
                ? "; managed='yes' takes root: have it bound to vfio-pci before "
                  "the guest starts, as by 'driverctl set-override'"
                : "");
    }
    return kiln_error_set(
        error, KILN_ERROR_STATE,
        "the host's PCI function '%s' has %s%s%s, not vfio-pci: bind it, as by 'driverctl "
        "set-override %s vfio-pci', or have it done at the guest's start with managed='yes'",
        binding->name, driver != NULL ? "the driver '" : "no driver", driver != NULL ? driver : "",
        driver != NULL ? "'" : "", binding->name);
}

KilnVfioBinding *
kiln_vfio_binding_new(const KilnVfioHost *host, const char *name, gboolean managed, GError **error)
{
    g_autoptr(KilnVfioBinding) binding = g_new0(KilnVfioBinding, 1);

    binding->name = g_strdup(name);
    binding->override = binding->unbind = binding->probe = -1;
    if (!find_group(binding, host, error) || !bind_function(binding, host, managed, error))
        return NULL;
    return g_steal_pointer(&binding);
}

static void
give_back(KilnVfioBinding *binding)
{
    g_autoptr(GError) error = NULL;

    if (!put(binding->override, "\n", "driver_override", &error) ||
        (binding->unbind >= 0 && !put(binding->unbind, binding->name, "unbind", &error)) ||
        (binding->probe >= 0 && !put(binding->probe, binding->name, "drivers_probe", &error)))
        kiln_log(KILN_LOG_WARNING, "the PCI function '%s' is not given back to the host: %s",
                 binding->name, error->message);
}

void
kiln_vfio_binding_free(KilnVfioBinding *binding)
{
    if (binding == NULL)
        return;
    if (binding->taken)
        give_back(binding);
    kiln_fd_clear(&binding->override);
    kiln_fd_clear(&binding->unbind);
    kiln_fd_clear(&binding->probe);
    g_free(binding->name);
    g_free(binding);
}

guint
kiln_vfio_binding_group(const KilnVfioBinding *binding)
{
    return binding->group;
}

char *
kiln_vfio_group_others(const KilnVfioHost *host, guint group)
{
    g_autofree char *path =
        g_strdup_printf("%s/sys/kernel/iommu_groups/%u/devices", host->root, group);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    g_autoptr(GString) others = g_string_new(NULL);
    const char *name;

    if (directory == NULL)
        return NULL;
    while ((name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *driver = driver_of(host, name);

        /* Bridges keep theirs: they do no DMA of their own. */
        if (driver != NULL && !is_vfio(driver) && strcmp(driver, "pcieport") != 0)
            g_string_append_printf(others, "%s%s (driver '%s')", others->len > 0 ? ", " : "", name,
                                   driver);
    }
    return others->len > 0 ? g_string_free(g_steal_pointer(&others), FALSE) : NULL;
}
