/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VGA and a bochs-display under any sequence of accesses, drawing, resets, saving and loading.
 * The input is a list of 8-byte steps:
 *
 *   byte 0  what to do; bits 6 and 7 are the size of an access, bit 5 is set for a write
 *   byte 1  which window
 *   2, 3    offset into it, little-endian, modulo its length
 *   4 to 7  data
 */
#include <stdint.h>
#include <string.h>

#include "base/le.h"
#include "device/bochs-display.h"
#include "device/vga.h"
#include "tests/lib/kiln-board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, MAX_STEPS = 2048, MAX_DRAWN = 24, MEMORY = 1 << 20 };

#define FRAMES     UINT64_C(0xe0000000)
#define REGISTERS  UINT64_C(0xe8000000)
#define FRAMES2    UINT64_C(0xf0000000)
#define REGISTERS2 UINT64_C(0xf8000000)

static const struct {
    gboolean ports;
    uint64_t base;
    uint32_t length;
} windows[] = {
    { TRUE, 0x3b0, 0x30 },       { TRUE, 0x1ce, 3 },          { FALSE, 0xa0000, 0x20000 },
    { FALSE, REGISTERS, 4096 },  { FALSE, FRAMES, 0x10000 },  { FALSE, FRAMES + MEMORY - 64, 64 },
    { FALSE, REGISTERS2, 4096 }, { FALSE, FRAMES2, 0x10000 },
};

typedef struct {
    KilnBoard *board;
    KilnPciDevice *vga;
    KilnPciDevice *bochs;
    unsigned n_drawn;
} Machine;

static void
place(Machine *machine)
{
    kiln_board_set_config(machine->board, 1, PCI_BASE_ADDRESS_0, FRAMES, 4);
    kiln_board_set_config(machine->board, 1, PCI_BASE_ADDRESS_2, REGISTERS, 4);
    kiln_board_set_config(machine->board, 2, PCI_BASE_ADDRESS_0, FRAMES2, 4);
    kiln_board_set_config(machine->board, 2, PCI_BASE_ADDRESS_2, REGISTERS2, 4);
    for (unsigned slot = 1; slot <= 2; slot++)
        kiln_board_set_config(machine->board, slot, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

static void
machine_open(Machine *machine)
{
    KilnBoard *board = kiln_board_new();
    KilnVgaOptions vga = { .id = "vga", .io = board->io, .space = board->memory, .memory = MEMORY };
    KilnBochsDisplayOptions bochs = { .id = "bochs", .memory = MEMORY };
    KilnPciBus *root = kiln_pci_host_root(board->host);

    *machine = (Machine){ .board = board };
    machine->vga = kiln_vga_new(&vga, NULL);
    machine->bochs = kiln_bochs_display_new(&bochs, NULL);
    kiln_pci_bus_add(root, machine->vga, KILN_PCI_DEVFN(1, 0), NULL);
    kiln_pci_bus_add(root, machine->bochs, KILN_PCI_DEVFN(2, 0), NULL);
    place(machine);
}

/* What a device is in, it can be saved in and brought back to. */
static void
resave(KilnDevice *device)
{
    KilnStateEntry entry = kiln_device_state(device);
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);

    kiln_device_reset(device);
    if (!kiln_state_load(saved->data, saved->len, &entry, 1, NULL))
        g_error("the device '%s' does not load what it has saved", device->id);

    g_autoptr(GByteArray) again = kiln_state_save(&entry, 1);

    if (again->len != saved->len || memcmp(again->data, saved->data, saved->len) != 0)
        g_error("the device '%s' saves something else after loading", device->id);
}

static void
draw(Machine *machine, KilnSurface *surface)
{
    if (machine->n_drawn++ < MAX_DRAWN)
        kiln_surface_refresh(surface);
}

static void
access_window(Machine *machine, const uint8_t *bytes)
{
    unsigned which = bytes[1] % G_N_ELEMENTS(windows);
    uint64_t address =
        windows[which].base + (kiln_le16_load(bytes + 2) * (uint64_t)3) % windows[which].length;
    uint64_t data = kiln_le32_load(bytes + 4) * UINT64_C(0x100000001);
    unsigned size = 1u << (bytes[0] >> 6);
    KilnSpace *space = windows[which].ports ? machine->board->io : machine->board->memory;

    if (bytes[0] & 0x20)
        kiln_space_write(space, address, &data, size);
    else
        kiln_space_read(space, address, &data, size);
}

static void
step(Machine *machine, const uint8_t *bytes)
{
    KilnPciDevice *pci = bytes[1] & 1 ? machine->bochs : machine->vga;
    KilnSurfaceHint hint = { kiln_le16_load(bytes + 4), kiln_le16_load(bytes + 6),
                             kiln_le16_load(bytes + 2), bytes[1] };

    switch (bytes[0] & 0x1f) {
    case 0:
        kiln_device_reset(&pci->device);
        place(machine);
        break;
    case 1:
        if (machine->n_drawn++ < MAX_DRAWN)
            resave(&pci->device);
        break;
    case 2: draw(machine, kiln_vga_surface(machine->vga)); break;
    case 3: draw(machine, kiln_bochs_display_surface(machine->bochs)); break;
    case 4: kiln_surface_hint(kiln_vga_surface(machine->vga), &hint); break;
    default: access_window(machine, bytes); break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Machine machine;

    machine_open(&machine);
    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES)
        step(&machine, data + i);
    kiln_surface_refresh(kiln_vga_surface(machine.vga));
    kiln_surface_refresh(kiln_bochs_display_surface(machine.bochs));
    kiln_device_free(&machine.vga->device);
    kiln_device_free(&machine.bochs->device);
    kiln_board_free(machine.board);
    return 0;
}
