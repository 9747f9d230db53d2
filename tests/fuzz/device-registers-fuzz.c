/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every device of the board under any sequence of port, memory and configuration accesses, resets,
 * passing time, and saving and loading.  The input is a list of 8-byte steps:
 *
 *   byte 0  what to do and, in the upper bits, the size of the access
 *   byte 1  which window of the board
 *   2, 3    offset into it, little-endian, modulo its length
 *   4 to 7  data
 */
#include <stdint.h>

#include "base/le.h"
#include "device/hpet.h"
#include "device/i8042.h"
#include "device/ich9-lpc.h"
#include "device/mch.h"
#include "device/port92.h"
#include "device/pvpanic.h"
#include "device/rtc.h"
#include "device/serial.h"
#include "tests/lib/kiln-board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, MAX_STEPS = 4096, MAX_DEVICES = 16 };

typedef struct {
    gboolean memory;
    uint64_t base;
    uint32_t length;
} Window;

static const Window windows[] = {
    { FALSE, 0x60, 8 },          { FALSE, 0x70, 4 },
    { FALSE, 0x92, 1 },          { FALSE, 0xb2, 2 },
    { FALSE, 0x3f8, 8 },         { FALSE, 0x505, 1 },
    { FALSE, 0x600, 128 },       { FALSE, 0xcf8, 8 },
    { FALSE, 0, 0x10000 },       { TRUE, 0xe0000000, 0x1000 },
    { TRUE, 0xe00f8000, 256 },   { TRUE, 0xfed1c000, 0x4000 },
    { TRUE, 0xfed1f100, 0x400 }, { TRUE, 0xb0000000, 0x10000 },
    { TRUE, 0xfed00000, 0x170 }, { TRUE, UINT64_MAX - 15, 16 },
};

typedef struct {
    KilnBoard *board;
    KilnDevice *devices[MAX_DEVICES];
    unsigned n_devices;
    KilnChardev *chardev;
    KilnInputs *inputs;
} Machine;

static void
add(Machine *machine, KilnDevice *device)
{
    g_assert(device != NULL && machine->n_devices < MAX_DEVICES);
    machine->devices[machine->n_devices++] = device;
}

static void
machine_open(Machine *machine)
{
    KilnBoard *board = machine->board = kiln_board_new();

    machine->inputs = kiln_inputs_new();
    KilnIch9PmOptions pm = { .io = board->io,
                             .clock = board->clock,
                             .sci = kiln_board_irq(board, 9),
                             .acpi_at_reset = TRUE,
                             .power_off = kiln_board_power_off,
                             .reset = kiln_board_reset,
                             .opaque = board };
    KilnIch9Pm *ich9_pm = kiln_ich9_pm_new(&pm, NULL);
    KilnMchOptions mch = { .host = board->host, .ecam_base = 0xe0000000 };
    KilnIch9LpcOptions lpc = { .host = board->host,
                               .pm = ich9_pm,
                               .pm_base = 0x600,
                               .gsi = kiln_board_gsi,
                               .gsi_opaque = board,
                               .reset = kiln_board_reset,
                               .reset_opaque = board };
    for (unsigned irq = 0; irq < KILN_ICH9_N_ISA_IRQS; irq++)
        lpc.isa[irq] = kiln_board_irq(board, irq);

    KilnRtcOptions rtc = { .io = board->io,
                           .clock = board->clock,
                           .irq = kiln_board_irq(board, 8),
                           .seconds = 1700000000,
                           .changed = kiln_board_rtc_changed,
                           .opaque = board };
    KilnI8042Options i8042 = { .io = board->io,
                               .keyboard_irq = kiln_board_irq(board, 1),
                               .aux_irq = kiln_board_irq(board, 12),
                               .reset = kiln_board_reset,
                               .reset_opaque = board,
                               .keyboard = machine->inputs,
                               .mouse = machine->inputs,
                               .clock = board->clock };
    KilnHpetOptions hpet = { .space = board->memory,
                             .base = 0xfed00000,
                             .clock = board->clock,
                             .irq0 = kiln_board_irq(board, 0),
                             .irq2 = kiln_board_irq(board, 2),
                             .irq8 = kiln_board_irq(board, 8) };
    KilnPort92Options port92 = { .io = board->io,
                                 .reset = kiln_board_reset,
                                 .reset_opaque = board };
    KilnPvpanicOptions pvpanic = { .io = board->io, .event = kiln_board_panic, .opaque = board };
    KilnChardevOptions null = KILN_CHARDEV_OPTIONS_INIT;

    null.kind = KILN_CHARDEV_NULL;
    machine->chardev = kiln_chardev_open(&null, NULL, NULL);

    KilnSerialOptions serial = {
        .io = board->io, .base = 0x3f8, .irq = kiln_board_irq(board, 4), .chardev = machine->chardev
    };

    machine->n_devices = 0;
    add(machine, kiln_ich9_pm_device(ich9_pm));
    add(machine, kiln_mch_new(&mch, NULL));
    add(machine, kiln_ich9_lpc_new(&lpc, NULL));
    add(machine, kiln_rtc_new(&rtc, NULL));
    add(machine, kiln_i8042_new(&i8042, NULL));
    add(machine, kiln_port92_new(&port92, NULL));
    add(machine, kiln_pvpanic_new(&pvpanic, NULL));
    add(machine, kiln_serial_new(&serial, NULL));
    add(machine, kiln_hpet_new(&hpet, NULL));
}

static void
machine_close(Machine *machine)
{
    while (machine->n_devices > 0)
        kiln_device_free(machine->devices[--machine->n_devices]);
    kiln_chardev_free(machine->chardev);
    kiln_inputs_free(machine->inputs);
    kiln_board_free(machine->board);
}

/* What a device is in, it can be saved in and brought back to. */
static void
resave(KilnDevice *device)
{
    if (device->ops->state == NULL)
        return;

    KilnStateEntry entry = kiln_device_state(device);
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);

    kiln_device_reset(device);
    if (!kiln_state_load(saved->data, saved->len, &entry, 1, NULL))
        g_error("the device '%s' does not load what it has saved", device->id);
}

static void
step(Machine *machine, const uint8_t *bytes)
{
    const Window *window = &windows[bytes[1] % G_N_ELEMENTS(windows)];
    uint64_t address = window->base + kiln_le16_load(bytes + 2) % window->length;
    KilnSpace *space = window->memory ? machine->board->memory : machine->board->io;
    uint64_t data = kiln_le32_load(bytes + 4) * UINT64_C(0x100000001);
    unsigned size = 1u << (bytes[0] >> 6);
    KilnDevice *device = machine->devices[bytes[1] % machine->n_devices];

    switch (bytes[0] & 0x3f) {
    case 0: kiln_device_reset(device); break;
    case 1: resave(device); break;
    case 2: kiln_clock_advance(machine->board->clock, data & 0xfffffff); break;
    case 3: kiln_clock_advance(machine->board->clock, (data & 0xff) * KILN_NS_PER_SECOND); break;
    case 4: kiln_ich9_pm_power_button((KilnIch9Pm *)machine->devices[0]); break;
    case 5: kiln_ich9_pm_gpe((KilnIch9Pm *)machine->devices[0], bytes[4] % 64); break;
    case 6: kiln_inputs_key(machine->inputs, kiln_le16_load(bytes + 2), bytes[4] & 1); break;
    case 7:
        kiln_inputs_move_by(machine->inputs, (int)kiln_le32_load(bytes + 4), (int8_t)bytes[2]);
        kiln_inputs_button(machine->inputs, 0x110 + bytes[3] % 5, bytes[4] & 1);
        kiln_inputs_wheel(machine->inputs, (int8_t)bytes[2], 0);
        kiln_inputs_sync(machine->inputs);
        break;
    default:
        if (bytes[0] & 1)
            kiln_space_write(space, address, &data, size);
        else
            kiln_space_read(space, address, &data, size);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Machine machine;

    machine_open(&machine);
    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES)
        step(&machine, data + i);
    machine_close(&machine);
    return 0;
}
