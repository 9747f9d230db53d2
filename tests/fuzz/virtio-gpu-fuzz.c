/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The GPU device under any sequence of commands, resets, migrations and viewers' wishes.  Steps of
 * STEP_BYTES:
 *
 *   byte 0     what to do; from FIRST_COMMAND on the type of a command
 *   byte 1     a resource
 *   byte 2     a format, or a head
 *   byte 3     how many entries a backing has, or how much of a command is left out
 *   4 to 11    x, y, width, height, 16 bits each
 *   12 to 15   offset
 *
 * What a head shows is read to its last pixel after every step.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "base/le.h"
#include "device/virtio-gpu.h"
#include "tests/lib/virtio-driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STEP_BYTES = 16,
    MAX_STEPS = 256,
    MAX_MIGRATIONS = 6,
    MAX_ENTRIES = 8,
    N_HEADS = 2,
    RAM = 16 << 20,
    LIMIT = 4 << 20,
    FIRST_COMMAND = 16,
};

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnVirtioDevice *device;
    unsigned n_migrations;
    uint32_t seen;
} Guest;

static KilnVirtioDevice *
new_device(Guest *guest)
{
    KilnVirtioGpuOptions options = {
        .virtio = { .id = "gpu", .memory = guest->memory, .packed = TRUE },
        .n_heads = N_HEADS,
        .memory = LIMIT,
    };

    return kiln_virtio_gpu_new(&options);
}

static void
look(Guest *guest)
{
    for (guint head = 0; head < N_HEADS; head++) {
        KilnSurface *surface = kiln_virtio_gpu_surface(guest->device, head);
        KilnSurfaceImage image;

        kiln_surface_refresh(surface);
        image = kiln_surface_image(surface);
        for (guint y = 0; image.pixels != NULL && y < image.height; y++) {
            guest->seen += image.pixels[y * image.stride / 4];
            guest->seen += image.pixels[y * image.stride / 4 + image.width - 1];
        }
    }
}

static unsigned
lay_out(const uint8_t *step, uint8_t *command)
{
    static const uint32_t types[] = {
        VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
        VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        VIRTIO_GPU_CMD_RESOURCE_UNREF,
        VIRTIO_GPU_CMD_SET_SCANOUT,
        VIRTIO_GPU_CMD_RESOURCE_FLUSH,
        VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
        VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
        VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
        VIRTIO_GPU_CMD_GET_EDID,
        VIRTIO_GPU_CMD_UPDATE_CURSOR,
        VIRTIO_GPU_CMD_MOVE_CURSOR,
        VIRTIO_GPU_CMD_SUBMIT_3D,
    };
    uint32_t type = types[step[0] % G_N_ELEMENTS(types)];
    uint32_t words[12] = { 0 };
    unsigned n = 6;

    for (unsigned i = 0; i < 4; i++)
        words[i] = kiln_le16_load(step + 4 + 2 * i);
    words[4] = step[1];
    switch (type) {
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
        words[3] = words[1];
        words[2] = words[0];
        words[1] = step[2];
        words[0] = step[1];
        n = 4;
        break;
    case VIRTIO_GPU_CMD_RESOURCE_UNREF:
    case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING: words[0] = step[1]; break;
    case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
        words[0] = step[1];
        words[1] = step[3];
        n = 2;
        break;
    case VIRTIO_GPU_CMD_SET_SCANOUT:
        words[4] = step[2];
        words[5] = step[1];
        break;
    case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
        words[4] = kiln_le32_load(step + 12);
        words[6] = step[1];
        n = 8;
        break;
    case VIRTIO_GPU_CMD_UPDATE_CURSOR:
    case VIRTIO_GPU_CMD_MOVE_CURSOR: n = 8; break;
    default: break;
    }
    kiln_le32_store(command, type);
    command[4] = step[2] & 1;
    for (unsigned i = 0; i < n; i++)
        kiln_le32_store(command + 24 + 4 * i, words[i]);
    return 24 + 4 * n;
}

static void
send_command(Guest *guest, const uint8_t *step)
{
    uint8_t command[128 + 16 * MAX_ENTRIES] = { 0 };
    unsigned length = lay_out(step, command);
    unsigned queue = (kiln_le32_load(command) & 0xff00) == 0x300 && !(step[3] & 0x80);
    KilnDriverBuffer out, in = kiln_driver_alloc(guest->driver, 1100);

    if (kiln_le32_load(command) == VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING) {
        for (unsigned i = 0; i < step[3] % (MAX_ENTRIES + 1); i++, length += 16) {
            kiln_le64_store(command + length, kiln_le32_load(step + 12) + i * UINT64_C(0x3001));
            kiln_le32_store(command + length + 8, kiln_le16_load(step + 4) * (i + 1));
        }
    } else if (step[3] & 0x40) {
        length -= step[3] & 0x1f;
    }
    out = kiln_driver_alloc_data(guest->driver, command, length);
    kiln_driver_add(guest->driver, queue, &out, 1, &in, queue == 0 ? 1 : 0);
    kiln_driver_kick_always(guest->driver, queue);
    kiln_driver_settle(guest->driver);
}

static void
step(Guest *guest, const uint8_t *bytes)
{
    KilnSurfaceHint hint = { kiln_le16_load(bytes + 4), kiln_le16_load(bytes + 6),
                             kiln_le16_load(bytes + 8), kiln_le16_load(bytes + 10) };

    switch (bytes[0]) {
    case 0:
        kiln_driver_reset(guest->driver);
        kiln_driver_start(guest->driver, bytes[1] & 1 ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
        break;
    case 1:
        if (guest->n_migrations++ < MAX_MIGRATIONS) {
            guest->device = new_device(guest);
            kiln_driver_migrate(guest->driver, guest->device);
        }
        break;
    case 2:
        kiln_surface_hint(kiln_virtio_gpu_surface(guest->device, bytes[1] % N_HEADS), &hint);
        break;
    default:
        if (bytes[0] >= FIRST_COMMAND)
            send_command(guest, bytes);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Guest guest = { .board = kiln_board_new(), .memory = kiln_memory_new_plain(RAM) };

    guest.device = new_device(&guest);
    guest.driver = kiln_driver_new(guest.board, guest.memory, guest.device);
    kiln_driver_start(guest.driver, KILN_DRIVER_SPLIT);
    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES) {
        step(&guest, data + i);
        look(&guest);
    }
    kiln_driver_free(guest.driver);
    kiln_memory_free(guest.memory);
    kiln_board_free(guest.board);
    return 0;
}
