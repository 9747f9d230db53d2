/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See device.h: the kernel's functions. */
#include "vfio/device.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

enum { PAGE = 4096, MAX_INFO_BYTES = 65536 };

typedef struct {
    KilnVfioDevice base;
    KilnVfioContainer *container; /* (owned reference) */
    KilnVfioBinding *binding;     /* (owned) */
    KilnFd fd;                    /* (owned) */
} Device;

static int
call(const Device *device, unsigned long request, void *argument)
{
    return kiln_vfio_container_host(device->container)->ioctl(device->fd, request, argument);
}

/* ---- regions -----------------------------------------------------------------------------------
 */

static gboolean
inside(const KilnVfioDevice *base, guint region, uint64_t offset, unsigned size)
{
    return region < KILN_VFIO_N_REGIONS && offset <= base->regions[region].size &&
           size <= base->regions[region].size - offset;
}

static int
device_read(KilnVfioDevice *base, guint region, uint64_t offset, void *data, unsigned size)
{
    const Device *device = (const Device *)base;
    ssize_t result;

    if (!inside(base, region, offset, size))
        return -EINVAL;
    result =
        kiln_read_full(device->fd, data, size, (off_t)(base->regions[region].fd_offset + offset));
    return result < 0 ? (int)result : (size_t)result < size ? -EIO : 0;
}

static int
device_write(KilnVfioDevice *base, guint region, uint64_t offset, const void *data, unsigned size)
{
    const Device *device = (const Device *)base;

    if (!inside(base, region, offset, size))
        return -EINVAL;
    return kiln_write_full(device->fd, data, size,
                           (off_t)(base->regions[region].fd_offset + offset));
}

/* Maps what of @offset and @length is whole pages; what cannot be mapped is read and written. */
static void
map_area(Device *device, KilnVfioRegion *region, uint64_t offset, uint64_t length)
{
    KilnVfioArea area = { .offset = offset, .length = length - length % PAGE };

    if (offset % PAGE != 0 || area.length == 0 || offset > region->size ||
        area.length > region->size - offset)
        return;
    area.host = mmap(NULL, area.length, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd,
                     (off_t)(region->fd_offset + offset));
    if (area.host != MAP_FAILED)
        g_array_append_val(region->areas, area);
}

/* The areas that the kernel lets us map, where it does not allow all of the region.  FALSE if it
 * says nothing of that kind. */
static gboolean
map_sparse(Device *device, KilnVfioRegion *region, const struct vfio_region_info *info)
{
    const uint8_t *bytes = (const uint8_t *)info;
    uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

    for (guint n = 0; at >= sizeof *info && at <= info->argsz - 8 && n < 64; n++) {
        struct vfio_region_info_cap_sparse_mmap sparse;
        struct vfio_region_sparse_mmap_area area;

        memcpy(&sparse.header, bytes + at, sizeof sparse.header);
        if (sparse.header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP &&
            at + sizeof sparse <= info->argsz) {
            memcpy(&sparse, bytes + at, sizeof sparse);
            at += (uint32_t)sizeof sparse;
            for (guint i = 0; i < sparse.nr_areas && at + sizeof area <= info->argsz; i++) {
                memcpy(&area, bytes + at, sizeof area);
                map_area(device, region, area.offset, area.size);
                at += (uint32_t)sizeof area;
            }
            return TRUE;
        }
        at = sparse.header.next;
    }
    return FALSE;
}

static gboolean
open_region(Device *device, guint index, GError **error)
{
    KilnVfioRegion *region = &device->base.regions[index];
    struct vfio_region_info asked = { .argsz = sizeof asked, .index = index };
    g_autofree struct vfio_region_info *info = NULL;
    uint32_t size;

    if (call(device, VFIO_DEVICE_GET_REGION_INFO, &asked) < 0)
        return errno == EINVAL /* of a ROM that is none */
                   ? TRUE
                   : kiln_error_set_errno(error, errno, "cannot ask for region %u", index);
    size = CLAMP(asked.argsz, (uint32_t)sizeof asked, (uint32_t)MAX_INFO_BYTES);
    info = g_malloc0(size);
    info->argsz = size;
    info->index = index;
    if (call(device, VFIO_DEVICE_GET_REGION_INFO, info) < 0)
        return kiln_error_set_errno(error, errno, "cannot ask for region %u", index);
    info->argsz = size;
    region->size = info->size;
    region->fd_offset = info->offset;
    if (index <= VFIO_PCI_BAR5_REGION_INDEX && (info->flags & VFIO_REGION_INFO_FLAG_MMAP) &&
        !map_sparse(device, region, info))
        map_area(device, region, 0, region->size);
    return TRUE;
}

/* ---- interrupts, reset -------------------------------------------------------------------------
 */

static gboolean
open_irqs(Device *device, guint index, GError **error)
{
    struct vfio_irq_info info = { .argsz = sizeof info, .index = index };

    if (call(device, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
        return kiln_error_set_errno(error, errno, "cannot ask for interrupts %u", index);
    if (info.flags & VFIO_IRQ_INFO_EVENTFD)
        device->base.n_irqs[index] = info.count;
    return TRUE;
}

static int
device_set_irqs(KilnVfioDevice *base, guint index, const int *fds, guint n)
{
    const Device *device = (const Device *)base;
    size_t size = sizeof(struct vfio_irq_set) + n * sizeof fds[0];
    g_autofree struct vfio_irq_set *set = g_malloc0(size);
    int result;

    *set = (struct vfio_irq_set){
        .argsz = (uint32_t)size,
        .flags = VFIO_IRQ_SET_ACTION_TRIGGER |
                 (n > 0 ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE),
        .index = index,
        .count = n,
    };
    if (n > 0)
        memcpy(set->data, fds, n * sizeof fds[0]);
    result = call(device, VFIO_DEVICE_SET_IRQS, set);
    return result < 0 ? -errno : result;
}

static int
device_reset(KilnVfioDevice *base)
{
    return call((const Device *)base, VFIO_DEVICE_RESET, NULL) < 0 ? -errno : 0;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static void
device_free(KilnVfioDevice *base)
{
    Device *device = (Device *)base;

    for (guint i = 0; i < KILN_VFIO_N_REGIONS; i++) {
        for (guint j = 0; j < base->regions[i].areas->len; j++) {
            const KilnVfioArea *area = &g_array_index(base->regions[i].areas, KilnVfioArea, j);

            munmap(area->host, area->length);
        }
    }
    kiln_fd_clear(&device->fd);
    kiln_vfio_container_unref(device->container);
    kiln_vfio_binding_free(device->binding); /* the kernel waits until nobody has it open */
    kiln_vfio_device_clear(base);
    g_free(device);
}

static const KilnVfioOps device_ops = {
    .read = device_read,
    .write = device_write,
    .set_irqs = device_set_irqs,
    .reset = device_reset,
    .free = device_free,
};

static gboolean
get_device(Device *device, GError **error)
{
    struct vfio_device_info info = { .argsz = sizeof info };
    int group = kiln_vfio_container_group(device->container,
                                          kiln_vfio_binding_group(device->binding), error);

    if (group < 0)
        return FALSE;
    device->fd = kiln_vfio_container_host(device->container)
                     ->ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device->base.name);
    if (device->fd < 0)
        return kiln_error_set_errno(error, errno, "cannot open it");
    if (call(device, VFIO_DEVICE_GET_INFO, &info) < 0)
        return kiln_error_set_errno(error, errno, "cannot ask what it is");
    if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.num_regions < KILN_VFIO_N_REGIONS ||
        info.num_irqs <= VFIO_PCI_MSIX_IRQ_INDEX)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "VFIO says that it is no PCI function");
    device->base.resets = (info.flags & VFIO_DEVICE_FLAGS_RESET) != 0;
    for (guint i = 0; i < KILN_VFIO_N_REGIONS; i++)
        if (!open_region(device, i, error))
            return FALSE;
    for (guint i = 0; i <= VFIO_PCI_MSIX_IRQ_INDEX; i++)
        if (!open_irqs(device, i, error))
            return FALSE;
    return TRUE;
}

KilnVfioDevice *
kiln_vfio_device_open(KilnVfioContainer *container, KilnVfioBinding *binding, const char *name,
                      GError **error)
{
    g_autoptr(KilnVfioDevice) base = (KilnVfioDevice *)g_new0(Device, 1);
    Device *device = (Device *)base;

    kiln_vfio_device_init(base, &device_ops, name);
    device->container = kiln_vfio_container_ref(container);
    device->binding = binding;
    device->fd = -1;
    if (!get_device(device, error)) {
        g_prefix_error(error, "the host's PCI function '%s': ", name);
        return NULL;
    }
    return g_steal_pointer(&base);
}

void
kiln_vfio_device_init(KilnVfioDevice *device, const KilnVfioOps *ops, const char *name)
{
    device->ops = ops;
    device->name = g_strdup(name);
    for (guint i = 0; i < KILN_VFIO_N_REGIONS; i++)
        device->regions[i].areas = g_array_new(FALSE, FALSE, sizeof(KilnVfioArea));
}

void
kiln_vfio_device_clear(KilnVfioDevice *device)
{
    for (guint i = 0; i < KILN_VFIO_N_REGIONS; i++)
        g_clear_pointer(&device->regions[i].areas, g_array_unref);
    g_clear_pointer(&device->name, g_free);
}

void
kiln_vfio_device_free(KilnVfioDevice *device)
{
    if (device != NULL)
        device->ops->free(device);
}
