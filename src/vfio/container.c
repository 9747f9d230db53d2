/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See container.h.
 *
 *   open group -> viable? -> into the container -> (the first) type 1 IOMMU -> map guest RAM
 */
#include "vfio/container.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/fd.h"
#include "vfio/binding.h"

typedef struct {
    guint number;
    KilnFd fd;
} Group;

struct KilnVfioContainer {
    gint references;
    const KilnVfioHost *host;
    KilnMemory *memory;
    KilnFd fd;        /* (owned) */
    GArray *groups;   /* (owned) of Group */
    gboolean has_ram; /* guest memory is mapped */
};

static void
clear_group(gpointer group)
{
    kiln_fd_clear(&((Group *)group)->fd);
}

/* ---- guest memory ------------------------------------------------------------------------------
 */

/* As libvirt does: guest RAM and 1 GiB for what else is pinned.  Where that is not allowed the
 * kernel says later whether it is needed: not by those who have CAP_IPC_LOCK. */
static void
raise_limit(uint64_t bytes)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    if (limit.rlim_cur < bytes) {
        limit.rlim_cur = bytes;
        if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < bytes) {
            struct rlimit wanted = { .rlim_cur = bytes, .rlim_max = bytes };

            if (setrlimit(RLIMIT_MEMLOCK, &wanted) == 0)
                return;
            limit.rlim_cur = limit.rlim_max;
        }
        (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    }
}

/* Bytes of all regions: memory that can be plugged is mapped whole, too. */
static uint64_t
mapped_size(const KilnVfioContainer *container)
{
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(container->memory, &n);
    uint64_t size = 0;

    for (guint i = 0; i < n; i++)
        size += regions[i].size;
    return size;
}

static gboolean
explain_map(const KilnVfioContainer *container, const KilnMemoryRegion *region, int errnum,
            GError **error)
{
    enum { MIB = 1024 * 1024, EXTRA = 64 }; /* EXTRA: what else a process locks, in MiB */
    struct rlimit limit = { 0 };
    uint64_t size = mapped_size(container);

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    if (errnum == ENOMEM && limit.rlim_cur != RLIM_INFINITY)
        return kiln_error_set(
            error, KILN_ERROR_SYSTEM,
            "cannot pin the guest's %" G_GUINT64_FORMAT " MiB of memory for a device of the host: "
            "the limit of locked memory is %" G_GUINT64_FORMAT
            " KiB; raise it to %" G_GUINT64_FORMAT
            " MiB or more: 'ulimit -l', LimitMEMLOCK= of a systemd service, memlock in "
            "/etc/security/limits.conf",
            size / MIB, (uint64_t)limit.rlim_cur / 1024, size / MIB + EXTRA);
    return kiln_error_set_errno(error, errnum,
                                "cannot map %" G_GUINT64_FORMAT
                                " bytes of guest memory at 0x%" PRIx64 " for devices of the host",
                                region->size, region->gpa);
}

static gboolean
map_memory(KilnVfioContainer *container, GError **error)
{
    enum { BESIDES = 1 << 30 };
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(container->memory, &n);

    raise_limit(mapped_size(container) + BESIDES);
    for (guint i = 0; i < n; i++) {
        struct vfio_iommu_type1_dma_map map = {
            .argsz = sizeof map,
            .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
            .vaddr = (uintptr_t)regions[i].host,
            .iova = regions[i].gpa,
            .size = regions[i].size,
        };

        if (container->host->ioctl(container->fd, VFIO_IOMMU_MAP_DMA, &map) < 0)
            return explain_map(container, &regions[i], errno, error);
    }
    container->has_ram = TRUE;
    return TRUE;
}

/* ---- groups ------------------------------------------------------------------------------------
 */

static gboolean
check_viable(const KilnVfioContainer *container, guint number, int fd, GError **error)
{
    struct vfio_group_status status = { .argsz = sizeof status };
    g_autofree char *others = NULL;

    if (container->host->ioctl(fd, VFIO_GROUP_GET_STATUS, &status) < 0)
        return kiln_error_set_errno(error, errno, "cannot ask for the state of IOMMU group %u",
                                    number);
    if (status.flags & VFIO_GROUP_FLAGS_VIABLE)
        return TRUE;
    others = kiln_vfio_group_others(container->host, number);
    return kiln_error_set(error, KILN_ERROR_STATE,
                          "functions of IOMMU group %u can only be given away together, and the "
                          "host uses %s: bind these to vfio-pci too",
                          number, others != NULL ? others : "some of them");
}

static gboolean
attach(KilnVfioContainer *container, guint number, int fd, GError **error)
{
    const KilnVfioHost *host = container->host;

    if (host->ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container->fd) < 0)
        return kiln_error_set_errno(error, errno, "cannot attach IOMMU group %u", number);
    if (container->has_ram)
        return TRUE;
    if (host->ioctl(container->fd, VFIO_CHECK_EXTENSION, GUINT_TO_POINTER(VFIO_TYPE1v2_IOMMU)) <= 0)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "the host's VFIO has no type 1 IOMMU: 'modprobe vfio_iommu_type1'");
    if (host->ioctl(container->fd, VFIO_SET_IOMMU, GUINT_TO_POINTER(VFIO_TYPE1v2_IOMMU)) < 0)
        return errno == EPERM
                   ? kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                    "the host's IOMMU does not remap interrupts, without which a "
                                    "guest's device could send any: where that is acceptable, load "
                                    "vfio_iommu_type1 with allow_unsafe_interrupts=1")
                   : kiln_error_set_errno(error, errno, "cannot set up an IOMMU for group %u",
                                          number);
    return map_memory(container, error);
}

/* Opens the group's device; @error says what is to be done where that fails. */
static KilnFd
open_group(const KilnVfioContainer *container, guint number, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/dev/vfio/%u", container->host->root, number);
    g_autoptr(GError) reason = NULL;
    KilnFd fd = kiln_open(path, O_RDWR, 0, &reason);

    if (fd >= 0)
        return fd;
    if (reason->code == KILN_ERROR_PERMISSION)
        (void)kiln_error_set(error, KILN_ERROR_PERMISSION,
                             "%s: whoever runs the guest must own it, as by 'chown USER %s' or a "
                             "udev rule",
                             reason->message, path);
    else
        g_propagate_prefixed_error(error, g_steal_pointer(&reason),
                                   "IOMMU group %u (one guest "
                                   "can have it at a time): ",
                                   number);
    return -1;
}

int
kiln_vfio_container_group(KilnVfioContainer *container, guint number, GError **error)
{
    g_auto(KilnFd) fd = -1;
    Group group = { .number = number };

    for (guint i = 0; i < container->groups->len; i++) {
        const Group *known = &g_array_index(container->groups, Group, i);

        if (known->number == number)
            return known->fd;
    }
    fd = open_group(container, number, error);
    if (fd < 0 || !check_viable(container, number, fd, error) ||
        !attach(container, number, fd, error))
        return -1;
    group.fd = kiln_fd_steal(&fd);
    g_array_append_val(container->groups, group);
    return group.fd;
}

/* ---- life --------------------------------------------------------------------------------------
 */

KilnVfioContainer *
kiln_vfio_container_new(const KilnVfioHost *host, KilnMemory *memory, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/dev/vfio/vfio", host->root);
    g_auto(KilnFd) fd = kiln_open(path, O_RDWR, 0, error);
    KilnVfioContainer *container;
    int version;

    if (fd < 0) {
        g_prefix_error(error, "the host's VFIO ('modprobe vfio-pci'): ");
        return NULL;
    }
    version = host->ioctl(fd, VFIO_GET_API_VERSION, NULL);
    if (version != VFIO_API_VERSION) {
        (void)kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                             "the host's VFIO has version %d, not %d", version, VFIO_API_VERSION);
        return NULL;
    }
    container = g_new0(KilnVfioContainer, 1);
    container->references = 1;
    container->host = host;
    container->memory = memory;
    container->fd = kiln_fd_steal(&fd);
    container->groups = g_array_new(FALSE, FALSE, sizeof(Group));
    g_array_set_clear_func(container->groups, clear_group);
    return container;
}

KilnVfioContainer *
kiln_vfio_container_ref(KilnVfioContainer *container)
{
    g_atomic_int_inc(&container->references);
    return container;
}

void
kiln_vfio_container_unref(KilnVfioContainer *container)
{
    if (container == NULL || !g_atomic_int_dec_and_test(&container->references))
        return;
    g_array_unref(container->groups);
    kiln_fd_clear(&container->fd); /* with it goes what is mapped */
    g_free(container);
}

const KilnVfioHost *
kiln_vfio_container_host(const KilnVfioContainer *container)
{
    return container->host;
}
