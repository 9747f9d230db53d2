/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <memory>: memory that is plugged in by virtio-mem, and files that are memory by virtio-pmem.
 *
 *   definition -> kiln_machine_memory_modules() -> regions of KilnMemory, slots of KVM, SRAT
 *              -> kiln_machine_build_memory_devices() -> the devices in front of them
 */
#include "machine/devices.h"

#include "base/error.h"
#include "base/log.h"
#include "block/lock.h"
#include "device/virtio-mem.h"
#include "device/virtio-pmem.h"
#include "machine/functions.h"
#include "machine/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* ---- Regions -----------------------------------------------------------------------------------
 */

static gboolean
is_private(const KilnMemoryDevice *memory)
{
    return memory->access == KILN_MEMORY_DEVICE_ACCESS_PRIVATE;
}

/* Locked as an image that is written to, or is not to change. */
static gboolean
check_file(int fd, const KilnMemoryDevice *memory, GError **error)
{
    const char *path = memory->source_path;
    unsigned does = KILN_LOCK_CONSISTENT_READ | (is_private(memory) ? 0 : KILN_LOCK_WRITE);
    struct stat about;

    if (fstat(fd, &about) < 0)
        return kiln_error_set_errno(error, errno, "cannot look at '%s'", path);
    if (!S_ISREG(about.st_mode))
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is not a regular file", path);
    if ((guint64)about.st_size < memory->size.value)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "'%s' has %" G_GUINT64_FORMAT " KiB, and <size> says %" //
                              G_GUINT64_FORMAT,
                              path, (guint64)about.st_size / 1024, memory->size.value / 1024);
    return kiln_file_lock(fd, path, does, KILN_LOCK_CONSISTENT_READ, error);
}

static KilnFd
open_file(const KilnMemoryDevice *memory, GError **error)
{
    g_auto(KilnFd) fd =
        kiln_open(memory->source_path, is_private(memory) ? O_RDONLY : O_RDWR, 0, error);

    if (fd < 0 || !check_file(fd, memory, error))
        return -1;
    return kiln_fd_steal(&fd);
}

static gboolean
add_module(const KilnMemoryDevice *memory, GArray *modules, GError **error)
{
    KilnMemoryModule module = {
        .kind = KILN_MEMORY_PLUGGABLE,
        .size = memory->size.value,
        .align = memory->block.value,
        .cell = (guint)memory->node.value,
        .fd = -1,
    };

    if (memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM) {
        module.kind = KILN_MEMORY_PERSISTENT;
        module.private = is_private(memory);
        module.fd = open_file(memory, error);
        if (module.fd < 0)
            return FALSE;
    }
    g_array_append_val(modules, module);
    return TRUE;
}

static void
clear_module(gpointer module)
{
    kiln_fd_clear(&((KilnMemoryModule *)module)->fd);
}

GArray *
kiln_machine_memory_modules(const KilnDomain *domain, GError **error)
{
    g_autoptr(GArray) modules = g_array_new(FALSE, FALSE, sizeof(KilnMemoryModule));

    g_array_set_clear_func(modules, clear_module);
    for (guint i = 0; i < domain->memories->len; i++) {
        const KilnMemoryDevice *memory = g_ptr_array_index(domain->memories, i);

        if (!add_module(memory, modules, error)) {
            g_prefix_error(error, "%s: ", memory->info.alias);
            return NULL;
        }
    }
    return g_steal_pointer(&modules);
}

/* ---- Devices -----------------------------------------------------------------------------------
 */

/* Main thread. */
static void
plugged_changed(void *opaque, uint64_t bytes)
{
    const KilnMachineMemoryDevice *device = opaque;

    device->memory->current = (KilnUint){ .set = TRUE, .value = bytes };
    kiln_machine_emit(device->machine, KILN_EVENT_BALLOON);
}

static KilnVirtioDevice *
make_mem(KilnMachineMemoryDevice *device, const KilnMemoryRegion *region, GError **error)
{
    const KilnMemoryDevice *memory = device->memory;
    KilnVirtioMemOptions options = {
        .virtio = kiln_machine_virtio_options(device->machine, &memory->info, NULL),
        .gpa = region->gpa,
        .host = region->host,
        .fd = region->fd,
        .fd_offset = region->fd_offset,
        .size = region->size,
        .block_size = memory->block.value,
        .requested = memory->requested.value,
        .node = (int)region->cell,
        /* Devices of the host have all of it mapped, whether it is plugged or not. */
        .keep_pages = device->machine->domain->hostdevs->len > 0,
        .changed = plugged_changed,
        .opaque = device,
    };

    device->memory->current = (KilnUint){ .set = TRUE };
    return kiln_virtio_mem_new(&options, error);
}

static KilnVirtioDevice *
make_pmem(KilnMachineMemoryDevice *device, const KilnMemoryRegion *region, GError **error)
{
    KilnVirtioPmemOptions options = {
        .virtio = kiln_machine_virtio_options(device->machine, &device->memory->info, NULL),
        .gpa = region->gpa,
        .size = region->size,
        .fd = -1,
    };

    if (region->fd >= 0) {
        options.fd = fcntl(region->fd, F_DUPFD_CLOEXEC, 0);
        if (options.fd < 0) {
            kiln_error_set_errno(error, errno, "cannot keep '%s' open",
                                 device->memory->source_path);
            return NULL;
        }
    }
    return kiln_virtio_pmem_new(&options, error);
}

static gboolean
check_address(const KilnMachine *machine, const KilnMemoryRegion *region, GError **error)
{
    guint bits = kiln_cpuid_phys_bits(machine->cpuid);

    if (bits >= 64 || region->gpa + region->size <= UINT64_C(1) << bits)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_INVALID,
                          "it would end at 0x%" G_GINT64_MODIFIER
                          "x, and the guest's CPUs have addresses of %u bits",
                          region->gpa + region->size, bits);
}

static gboolean
build(KilnMachineMemoryDevice *device, guint index, GError **error)
{
    KilnMachine *machine = device->machine;
    const KilnMemoryRegion *region = kiln_memory_module(machine->memory, index);
    gboolean mem = device->memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM;
    KilnVirtioDevice *virtio;

    if (!check_address(machine, region, error))
        return FALSE;
    virtio = mem ? make_mem(device, region, error) : make_pmem(device, region, error);
    if (virtio == NULL ||
        !kiln_machine_add_virtio(machine, virtio, &device->memory->info, NULL, 0, error))
        return FALSE;
    device->mem = mem ? virtio : NULL;
    return TRUE;
}

gboolean
kiln_machine_build_memory_devices(KilnMachine *machine, GError **error)
{
    const KilnDomain *domain = machine->domain;

    for (guint i = 0; i < domain->memories->len; i++) {
        KilnMachineMemoryDevice *device = g_new0(KilnMachineMemoryDevice, 1);

        device->machine = machine;
        device->memory = g_ptr_array_index(domain->memories, i);
        g_ptr_array_add(machine->memory_devices, device);
        if (!build(device, i, error)) {
            g_prefix_error(error, "%s: ", device->memory->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- While the guest runs ----------------------------------------------------------------------
 */

static KilnMachineMemoryDevice *
find(const KilnMachine *machine, const char *alias)
{
    for (guint i = 0; i < machine->memory_devices->len; i++) {
        KilnMachineMemoryDevice *device = g_ptr_array_index(machine->memory_devices, i);

        if (g_strcmp0(device->memory->info.alias, alias) == 0)
            return device;
    }
    return NULL;
}

gboolean
kiln_machine_request_memory(KilnMachine *machine, const char *alias, uint64_t bytes, GError **error)
{
    KilnMachineMemoryDevice *device = find(machine, alias);

    if (device == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no memory device '%s'",
                              alias);
    if (device->mem == NULL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "%s: the size of persistent memory is that of its file", alias);
    if (!kiln_virtio_mem_set_requested(device->mem, bytes, error))
        return FALSE;
    device->memory->requested = (KilnUint){ .set = TRUE, .value = bytes };
    return TRUE;
}

uint64_t
kiln_machine_plugged_memory(const KilnMachine *machine)
{
    uint64_t bytes = 0;

    for (guint i = 0; i < machine->memory_devices->len; i++) {
        const KilnMachineMemoryDevice *device = g_ptr_array_index(machine->memory_devices, i);

        if (device->mem != NULL)
            bytes += kiln_virtio_mem_plugged(device->mem);
    }
    return bytes;
}

void
kiln_machine_reset_memory_devices(KilnMachine *machine)
{
    for (guint i = 0; i < machine->memory_devices->len; i++) {
        const KilnMachineMemoryDevice *device = g_ptr_array_index(machine->memory_devices, i);

        if (device->mem != NULL)
            kiln_virtio_mem_system_reset(device->mem);
    }
}
