/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The register space of a virtio function, with a device behind it: any sequence of accesses to its
 * configuration space, its BARs and guest RAM, with runs of the device, resets, stops, and saving
 * and loading in between.  The input: byte 0 is how the driver sets the device up first (0 not at
 * all), then steps of 8 bytes:
 *
 *   byte 0  what to do and, in the upper bits, the size of the access
 *   byte 1  which window
 *   2, 3    offset into it, little-endian, modulo its length
 *   4 to 7  data
 */
#include <stdint.h>

#include "base/le.h"
#include "base/log.h"
#include "tests/lib/virtio-driver-private.h"
#include "tests/virtio/echo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, MAX_STEPS = 2000, RAM_BYTES = 2 << 20, RINGS_AT = 1 << 20 };

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    Echo *echo;
    KilnDriver *driver;
} Fuzz;

static void
open_device(Fuzz *fuzz, uint8_t how)
{
    static const uint64_t modes[] = { KILN_DRIVER_PLAIN, KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED };
    KilnVirtioOptions options = { .packed = TRUE, .queue_size = 16 };

    fuzz->board = kiln_board_new();
    fuzz->memory = kiln_memory_new_plain(RAM_BYTES);
    options.memory = fuzz->memory;
    fuzz->echo = echo_new(&options);
    fuzz->driver = kiln_driver_new(fuzz->board, fuzz->memory, &fuzz->echo->virtio);
    if (how % 4 != 0)
        kiln_driver_start(fuzz->driver, modes[how % 4 - 1]);
}

static void
close_device(Fuzz *fuzz)
{
    kiln_driver_free(fuzz->driver);
    kiln_memory_free(fuzz->memory);
    kiln_board_free(fuzz->board);
}

static void
resave(Fuzz *fuzz)
{
    KilnDevice *device = &fuzz->driver->pci->device;
    KilnStateEntry entry = kiln_device_state(device);
    g_autoptr(GByteArray) saved = NULL;

    kiln_virtio_device_quiesce(&fuzz->echo->virtio);
    saved = kiln_state_save(&entry, 1);
    kiln_device_reset(device);
    if (!kiln_state_load(saved->data, saved->len, &entry, 1, NULL))
        g_error("the device does not load what it has saved");
    kiln_virtio_device_resume(&fuzz->echo->virtio);
}

static void
access_memory(Fuzz *fuzz, uint64_t address, const uint8_t *bytes, unsigned size)
{
    uint64_t data = kiln_le32_load(bytes + 4) * UINT64_C(0x100000001);

    if (bytes[0] & 1)
        kiln_space_write(fuzz->board->memory, address, &data, size);
    else
        kiln_space_read(fuzz->board->memory, address, &data, size);
}

static void
reach(Fuzz *fuzz, const uint8_t *bytes)
{
    uint16_t offset = kiln_le16_load(bytes + 2);
    unsigned size = 1u << (bytes[0] >> 6), window = bytes[1] % 10;

    if (window == 0 && (bytes[0] & 1))
        kiln_board_set_config(fuzz->board, fuzz->driver->slot, offset % 4096,
                              kiln_le32_load(bytes + 4), MIN(size, 4));
    else if (window == 0)
        (void)kiln_board_config(fuzz->board, fuzz->driver->slot, offset % 4096, MIN(size, 4));
    else if (window == 1)
        access_memory(fuzz, fuzz->driver->bars[1] + offset % 0x1000, bytes, size);
    else if (window == 2)
        access_memory(fuzz, fuzz->driver->bars[4] + offset % 0x4000, bytes, size);
    else if (window < 6)
        access_memory(fuzz, fuzz->driver->bars[4] + offset % 64, bytes, size);
    else
        memcpy(kiln_memory_map(fuzz->memory, RINGS_AT + offset % 0x8000, 8), bytes + 4, 4);
}

static void
step(Fuzz *fuzz, const uint8_t *bytes)
{
    switch (bytes[0] & 0x3f) {
    case 0: kiln_device_reset(&fuzz->driver->pci->device); break;
    case 1: resave(fuzz); break;
    case 2: kiln_virtio_device_quiesce(&fuzz->echo->virtio); break;
    case 3: kiln_virtio_device_resume(&fuzz->echo->virtio); break;
    case 4: kiln_virtio_device_config_changed(&fuzz->echo->virtio); break;
    case 5: (void)kiln_virtio_device_poll(&fuzz->echo->virtio); break;
    case 6:
    case 7: kiln_driver_settle(fuzz->driver); break;
    default: reach(fuzz, bytes); break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Fuzz fuzz;

    kiln_log_set_level(KILN_LOG_ERROR);
    if (size < 1)
        return 0;
    open_device(&fuzz, data[0]);
    for (size_t i = 1, n = 0; i + STEP_BYTES <= size && n < MAX_STEPS; i += STEP_BYTES, n++)
        step(&fuzz, data + i);
    close_device(&fuzz);
    return 0;
}
