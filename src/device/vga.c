/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vga.h. */
#include "device/vga.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "device/bochs.h"
#include "device/vga-window.h"

enum {
    CLASS_DISPLAY_VGA = 0x030000,
    PORTS_END_MONO = 0x3bc, /* from here on a parallel port's */
    PORTS_BOTH = 0x3c0,
    PORT_DISPI_INDEX = 0x1ce,
    PORT_DISPI_DATA = 0x1cf,
    MIN_ROM = 4096, /* a page: it becomes the guest's */
};

typedef struct {
    KilnBochs bochs; /* its lock guards all */
    KilnVgaRegisters registers;
    KilnSpace *io;
    KilnSpace *space;
    KilnRegion mono_ports;
    KilnRegion ports;
    KilnRegion dispi_index;
    KilnRegion dispi_data;
    KilnRegion window;
    KilnSlots slots;
    uint8_t *rom; /* (owned) (nullable): mapped */
    uint32_t rom_bytes;
    int rom_slot; /* -1: none */
} Vga;

/* ---- ports -------------------------------------------------------------------------------------
 */

static uint64_t
mono_read(void *opaque, uint64_t offset, unsigned size)
{
    return kiln_vga_registers_read(&((Vga *)opaque)->registers,
                                   (unsigned)(KILN_VGA_PORTS + offset));
}

static void
mono_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    kiln_vga_registers_write(&((Vga *)opaque)->registers, (unsigned)(KILN_VGA_PORTS + offset),
                             (uint8_t)data);
}

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
    return kiln_vga_registers_read(&((Vga *)opaque)->registers, (unsigned)(PORTS_BOTH + offset));
}

static void
port_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    kiln_vga_registers_write(&((Vga *)opaque)->registers, (unsigned)(PORTS_BOTH + offset),
                             (uint8_t)data);
}

/* A word at an odd port next to one at an even port: what comes as bytes is the index. */
static uint64_t
index_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Vga *)opaque)->bochs.dispi.index;
}

static void
index_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    ((Vga *)opaque)->bochs.dispi.index = (uint8_t)data;
}

static uint64_t
data_read(void *opaque, uint64_t offset, unsigned size)
{
    const KilnBochs *bochs = opaque;

    return size == 2 ? kiln_dispi_read(&bochs->dispi, bochs->memory.size) : 0;
}

static void
data_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    if (size == 2)
        kiln_bochs_set_dispi(opaque, (uint16_t)data);
}

static const KilnRegionOps mono_ops = { .read = mono_read, .write = mono_write, .max_access = 1 };
static const KilnRegionOps port_ops = { .read = port_read, .write = port_write, .max_access = 1 };
static const KilnRegionOps index_ops = { .read = index_read,
                                         .write = index_write,
                                         .max_access = 1 };
static const KilnRegionOps data_ops = { .read = data_read, .write = data_write, .max_access = 2 };

/* ---- the window and the ROM --------------------------------------------------------------------
 */

static KilnVgaMemory
planes(const Vga *vga)
{
    const KilnDispi *dispi = &vga->bochs.dispi;
    const KilnVideoMemory *memory = &vga->bochs.memory;

    return (KilnVgaMemory){
        .bytes = memory->bytes,
        .size = memory->size,
        .bank = kiln_dispi_bank(dispi, memory->size),
        .chained = kiln_dispi_enabled(dispi) && dispi->registers[KILN_DISPI_BPP] != 4,
    };
}

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
    Vga *vga = opaque;
    KilnVgaMemory memory = planes(vga);
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)kiln_vga_window_read(&vga->registers, &memory, (uint32_t)offset + i)
                 << 8 * i;
    return value;
}

static void
window_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Vga *vga = opaque;
    KilnVgaMemory memory = planes(vga);

    for (unsigned i = 0; i < size; i++)
        kiln_vga_window_write(&vga->registers, &memory, (uint32_t)offset + i,
                              (uint8_t)(data >> 8 * i));
}

static uint64_t
rom_read(void *opaque, uint64_t offset, unsigned size)
{
    const Vga *vga = opaque;
    uint64_t value = 0;

    if (offset + size <= vga->rom_bytes)
        memcpy(&value, vga->rom + offset, size);
    return GUINT64_FROM_LE(value);
}

static void
remove_rom_slot(Vga *vga)
{
    if (vga->rom_slot >= 0)
        vga->slots.ops->remove(vga->slots.opaque, vga->rom_slot);
    vga->rom_slot = -1;
}

static void
rom_mapped(void *opaque, uint64_t base)
{
    Vga *vga = opaque;

    remove_rom_slot(vga);
    if (base != KILN_SPACE_UNMAPPED && vga->slots.ops != NULL)
        vga->rom_slot =
            vga->slots.ops->add(vga->slots.opaque, base, vga->rom_bytes, vga->rom, TRUE);
}

static const KilnRegionOps window_ops = { .read = window_read,
                                          .write = window_write,
                                          .max_access = 8 };
static const KilnRegionOps rom_ops = { .read = rom_read, .mapped = rom_mapped, .max_access = 8 };

/* ---- the picture -------------------------------------------------------------------------------
 */

static void
refresh(void *device)
{
    Vga *vga = device;
    KilnMutex *lock = &vga->bochs.pci.device.lock;
    KilnVgaRegisters registers;
    KilnDispi dispi;
    KilnVgaMode mode;

    kiln_mutex_lock(lock);
    registers = vga->registers;
    dispi = vga->bochs.dispi;
    kiln_mutex_unlock(lock);
    kiln_vga_mode(&registers, &dispi, vga->bochs.memory.size, &mode);
    kiln_video_memory_refresh(&vga->bochs.memory, &mode, vga->bochs.surface);
}

static const KilnSurfaceDevice surface_ops = { .refresh = refresh, .hint = kiln_bochs_hint };

KilnSurface *
kiln_vga_surface(KilnPciDevice *pci)
{
    return ((Vga *)pci)->bochs.surface;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static void
vga_reset(KilnDevice *device)
{
    Vga *vga = (Vga *)device;

    kiln_bochs_reset(&vga->bochs);
    kiln_vga_registers_reset(&vga->registers);
}

static void
vga_free(KilnDevice *device)
{
    Vga *vga = (Vga *)device;

    kiln_space_remove(vga->io, &vga->mono_ports);
    kiln_space_remove(vga->io, &vga->ports);
    kiln_space_remove(vga->io, &vga->dispi_index);
    kiln_space_remove(vga->io, &vga->dispi_data);
    kiln_space_remove(vga->space, &vga->window);
    kiln_bochs_clear(&vga->bochs);
    remove_rom_slot(vga);
    if (vga->rom != NULL)
        munmap(vga->rom, vga->rom_bytes);
    g_free(vga);
}

static const KilnStateField fields[] = {
    KILN_STATE_STRUCT(Vga, bochs.pci, 1, &kiln_pci_state),
    KILN_STATE_STRUCT(Vga, bochs.dispi, 1, &kiln_dispi_state),
    KILN_STATE_STRUCT(Vga, registers, 1, &kiln_vga_registers_state),
    KILN_STATE_STRUCT(Vga, bochs.memory, 1, &kiln_video_memory_state),
    KILN_STATE_END,
};

static const KilnStateDescription state = {
    .name = "vga", .version = 1, .min_version = 1, .fields = fields
};

static const KilnDeviceOps ops = {
    .name = "vga", .reset = vga_reset, .free = vga_free, .state = &state
};

static gboolean
add_rom(Vga *vga, const KilnVgaOptions *options, GError **error)
{
    uint32_t size = MIN_ROM;
    void *rom;

    if (options->rom_bytes == 0)
        return TRUE;
    if (options->rom_bytes > KILN_VGA_MAX_ROM)
        return kiln_error_set(error, KILN_ERROR_INVALID, "a VGA BIOS of %zu bytes",
                              options->rom_bytes);
    while (size < options->rom_bytes)
        size *= 2;
    rom = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (rom == MAP_FAILED)
        return kiln_error_set_errno(error, errno, "no room for the VGA BIOS");
    vga->rom = rom;
    vga->rom_bytes = size;
    memcpy(vga->rom, options->rom, options->rom_bytes);
    kiln_pci_device_add_bar(&vga->bochs.pci, KILN_PCI_ROM, KILN_PCI_BAR_ROM, FALSE, size, &rom_ops,
                            vga);
    return TRUE;
}

static gboolean
add_legacy(Vga *vga, GError **error)
{
    KilnDevice *device = &vga->bochs.pci.device;

    kiln_region_init(&vga->mono_ports, device, &mono_ops, PORTS_END_MONO - KILN_VGA_PORTS);
    kiln_region_init(&vga->ports, device, &port_ops, KILN_VGA_PORTS_END - PORTS_BOTH);
    kiln_region_init(&vga->dispi_index, device, &index_ops, 1);
    kiln_region_init(&vga->dispi_data, device, &data_ops, 2);
    kiln_region_init(&vga->window, device, &window_ops, KILN_VGA_WINDOW_BYTES);
    return kiln_space_add(vga->io, &vga->mono_ports, KILN_VGA_PORTS, error) &&
           kiln_space_add(vga->io, &vga->ports, PORTS_BOTH, error) &&
           kiln_space_add(vga->io, &vga->dispi_index, PORT_DISPI_INDEX, error) &&
           kiln_space_add(vga->io, &vga->dispi_data, PORT_DISPI_DATA, error) &&
           kiln_space_add(vga->space, &vga->window, KILN_VGA_WINDOW, error);
}

KilnPciDevice *
kiln_vga_new(const KilnVgaOptions *options, GError **error)
{
    Vga *vga = g_new0(Vga, 1);
    KilnBochsOptions base = {
        .id = options->id,
        .slots = options->slots,
        .memory = options->memory,
        .prefers = options->prefers,
        .class_code = CLASS_DISPLAY_VGA,
        .vga = &vga->registers,
    };

    vga->io = options->io;
    vga->slots = options->slots;
    vga->rom_slot = -1;
    vga->space = options->space;
    kiln_vga_registers_reset(&vga->registers);
    if (!kiln_bochs_init(&vga->bochs, &ops, &surface_ops, &base, error) ||
        !add_rom(vga, options, error) || !add_legacy(vga, error)) {
        vga_free(&vga->bochs.pci.device);
        return NULL;
    }
    return &vga->bochs.pci;
}
