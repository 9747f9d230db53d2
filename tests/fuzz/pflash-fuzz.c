/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A writable bank of flash under any sequence of accesses, resets, saving and loading.  The input
 * is a list of 4-byte steps: what to do (with the size of the access in the upper bits), offset
 * (two bytes), data.  Whatever the guest does, the file has what the array shows in the end.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/le.h"
#include "device/pflash.h"
#include "tests/lib/kiln-board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 4, MAX_STEPS = 4096, SIZE = 2 * KILN_PFLASH_BLOCK };
#define END UINT64_C(0xfff00000)

typedef struct {
    KilnBoard *board;
    KilnDevice *device;
    uint8_t *slot; /* (nullable) */
    gboolean no_slots;
} Machine;

static int
add_slot(void *opaque, uint64_t address, uint64_t length, void *host, gboolean read_only)
{
    Machine *machine = opaque;

    if (machine->slot != NULL || address != END - SIZE || length != SIZE || !read_only)
        g_error("a slot that cannot be");
    if (machine->no_slots)
        return -1;
    machine->slot = host;
    return 0;
}

static void
remove_slot(void *opaque, int slot)
{
    Machine *machine = opaque;

    if (machine->slot == NULL || slot != 0)
        g_error("a slot is removed that is not there");
    machine->slot = NULL;
}

static const KilnSlotOps slot_ops = { .add = add_slot, .remove = remove_slot };

static void
resave(Machine *machine)
{
    KilnStateEntry entry = kiln_device_state(machine->device);
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);

    kiln_device_reset(machine->device);
    if (!kiln_state_load(saved->data, saved->len, &entry, 1, NULL))
        g_error("flash does not load what it has saved");
}

static void
step(Machine *machine, const uint8_t *bytes)
{
    uint64_t address = END - SIZE + kiln_le16_load(bytes + 1) % SIZE;
    uint64_t data = bytes[3] * UINT64_C(0x0101010101010101);
    unsigned size = 1u << (bytes[0] >> 6);

    switch (bytes[0] & 0x3f) {
    case 0: kiln_device_reset(machine->device); break;
    case 1: resave(machine); break;
    case 2: machine->no_slots = bytes[3] & 1; break;
    default:
        if (bytes[0] & 1)
            kiln_space_write(machine->board->memory, address, &data, size);
        else if (machine->slot == NULL)
            kiln_space_read(machine->board->memory, address, &data, size);
        break;
    }
}

static void
compare(Machine *machine, int fd)
{
    uint8_t file[SIZE];

    kiln_device_reset(machine->device);
    if (pread(fd, file, SIZE, 0) != SIZE)
        g_error("the file is not what it was");
    for (unsigned i = 0; i < SIZE; i++) {
        uint8_t byte = 0;

        kiln_space_read(machine->board->memory, END - SIZE + i, &byte, 1);
        if (byte != file[i])
            g_error("byte %u of the file is not that of the flash", i);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Machine machine = { .board = kiln_board_new() };
    int fd = memfd_create("flash", MFD_CLOEXEC);
    KilnPflashOptions options = { .id = "pflash1",
                                  .memory = machine.board->memory,
                                  .end = END,
                                  .slots = { &slot_ops, &machine },
                                  .path = "memory" };

    if (fd < 0 || ftruncate(fd, SIZE) != 0)
        g_error("no memory for flash");
    options.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    machine.device = kiln_pflash_new(&options, NULL);
    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES)
        step(&machine, data + i);
    compare(&machine, fd);
    kiln_device_free(machine.device);
    kiln_board_free(machine.board);
    close(fd);
    return 0;
}
