/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The small paravirtual devices under any sequence of buffers, broken rings, configuration
 * accesses, resets, migrations and wishes of the host.  The first byte chooses the device; then
 * come steps of STEP_BYTES:
 *
 *   byte 0     what to do
 *   byte 1     queue, or offset
 *   byte 2     number of buffers, out in the lower half and in in the upper; or size of an access
 *   byte 3     length of each buffer, in units of 3 bytes
 *   4 to 15    data: what the buffers begin with, over and over
 */
#include <linux/input-event-codes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/le.h"
#include "device/virtio-balloon.h"
#include "device/virtio-console.h"
#include "device/virtio-input.h"
#include "device/virtio-mem.h"
#include "device/virtio-pmem.h"
#include "device/virtio-rng.h"
#include "tests/lib/virtio-driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STEP_BYTES = 16,
    MAX_STEPS = 256,
    MAX_MIGRATIONS = 8,
    MAX_BUFFERS = 3,
    RAM = 32 << 20,
    MEM_BYTES = 16 << 20,
    N_PORTS = 3,
};

typedef enum { RNG, RNG_EGD, BALLOON, CONSOLE, INPUT, MEM, PMEM, N_KINDS } Kind;

typedef struct {
    Kind kind;
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnVirtioDevice *device;
    GPtrArray *chardevs;
    uint8_t *mem;
    unsigned n_migrations;
} Guest;

static KilnChardev *
null_chardev(Guest *guest)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    KilnChardev *chardev;

    options.kind = KILN_CHARDEV_NULL;
    chardev = kiln_chardev_open(&options, NULL, NULL);
    g_ptr_array_add(guest->chardevs, chardev);
    return chardev;
}

static KilnVirtioDevice *
new_console(Guest *guest, const KilnVirtioOptions *virtio)
{
    KilnVirtioConsoleOptions options = { .virtio = *virtio, .max_ports = N_PORTS };
    KilnVirtioDevice *device = kiln_virtio_console_new(&options, NULL);

    for (unsigned i = 0; i < 2; i++) {
        KilnVirtioConsolePort port = { .number = i,
                                       .name = i == 1 ? "channel" : NULL,
                                       .console = i == 0,
                                       .chardev = null_chardev(guest) };

        kiln_virtio_console_add_port(device, &port, NULL);
    }
    return device;
}

static KilnVirtioDevice *
new_device(Guest *guest)
{
    KilnVirtioOptions virtio = { .id = "fuzzed", .memory = guest->memory, .packed = TRUE };
    KilnVirtioRngOptions rng = { .virtio = virtio,
                                 .fd = -1,
                                 .rate_bytes = 1000,
                                 .rate_period_ms = 1000,
                                 .clock = guest->board->clock };
    KilnVirtioBalloonOptions balloon = { .virtio = virtio,
                                         .clock = guest->board->clock,
                                         .stats_period_s = 1,
                                         .free_page_reporting = TRUE };
    KilnVirtioInputOptions input = { .virtio = virtio, .kind = KILN_VIRTIO_INPUT_TABLET };
    KilnVirtioMemOptions mem = { .virtio = virtio,
                                 .gpa = UINT64_C(1) << 32,
                                 .host = guest->mem,
                                 .fd = -1,
                                 .size = MEM_BYTES,
                                 .requested = MEM_BYTES / 2 };
    KilnVirtioPmemOptions pmem = { .virtio = virtio, .gpa = UINT64_C(1) << 32, .fd = -1 };

    switch (guest->kind) {
    case RNG_EGD:
        rng.backend = KILN_VIRTIO_RNG_EGD;
        rng.chardev = null_chardev(guest);
        return kiln_virtio_rng_new(&rng, NULL);
    case BALLOON: return kiln_virtio_balloon_new(&balloon, NULL);
    case CONSOLE: return new_console(guest, &virtio);
    case INPUT: return kiln_virtio_input_new(&input, NULL);
    case MEM: return kiln_virtio_mem_new(&mem, NULL);
    case PMEM: return kiln_virtio_pmem_new(&pmem, NULL);
    default: return kiln_virtio_rng_new(&rng, NULL);
    }
}

static void
guest_open(Guest *guest, Kind kind)
{
    *guest = (Guest){ .kind = kind,
                      .board = kiln_board_new(),
                      .memory = kiln_memory_new_plain(RAM),
                      .chardevs = g_ptr_array_new() };
    guest->mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    guest->device = new_device(guest);
    guest->driver = kiln_driver_new(guest->board, guest->memory, guest->device);
    kiln_driver_start(guest->driver, KILN_DRIVER_SPLIT);
}

static void
guest_close(Guest *guest)
{
    kiln_driver_free(guest->driver);
    for (guint i = 0; i < guest->chardevs->len; i++)
        kiln_chardev_free(guest->chardevs->pdata[i]);
    g_ptr_array_unref(guest->chardevs);
    munmap(guest->mem, MEM_BYTES);
    kiln_memory_free(guest->memory);
    kiln_board_free(guest->board);
}

/* What the host may want of the device. */
static void
wish(Guest *guest, const uint8_t *bytes)
{
    uint64_t value = kiln_le64_load(bytes + 4);
    KilnVirtioConsolePort port = { .number = bytes[1] % (N_PORTS + 1) };

    switch (guest->kind) {
    case BALLOON:
        kiln_virtio_balloon_set_target(guest->device, value);
        kiln_virtio_balloon_set_stats_period(guest->device, bytes[2]);
        break;
    case CONSOLE:
        if (bytes[2] % 3 == 0) {
            kiln_virtio_console_remove_port(guest->device, port.number, NULL);
        } else if (bytes[2] % 3 == 1) {
            port.chardev = null_chardev(guest);
            kiln_virtio_console_add_port(guest->device, &port, NULL);
        } else {
            kiln_virtio_console_resize(guest->device, port.number, bytes[4], bytes[5]);
        }
        break;
    case INPUT:
        kiln_virtio_input_abs(guest->device, bytes[4] & 1, (int32_t)value);
        kiln_virtio_input_key(guest->device, BTN_LEFT, bytes[5] & 1);
        kiln_virtio_input_sync(guest->device);
        break;
    case MEM: kiln_virtio_mem_set_requested(guest->device, value % (2 * MEM_BYTES), NULL); break;
    default: break;
    }
}

static void
add(Guest *guest, const uint8_t *bytes)
{
    unsigned queue = bytes[1] % kiln_driver_n_queues(guest->driver);
    unsigned n_out = (bytes[2] & 0xf) % (MAX_BUFFERS + 1),
             n_in = (bytes[2] >> 4) % (MAX_BUFFERS + 1);
    KilnDriverBuffer buffers[2 * MAX_BUFFERS];
    uint32_t length = 1 + bytes[3] * 3u;

    if (n_out + n_in == 0)
        return;
    for (unsigned i = 0; i < n_out + n_in; i++) {
        buffers[i] = kiln_driver_alloc(guest->driver, length);
        for (uint32_t k = 0; k < length; k++)
            buffers[i].host[k] = bytes[4 + k % 12];
    }
    kiln_driver_add(guest->driver, queue, buffers, n_out, buffers + n_out, n_in);
}

/* Breaks a ring: 8 bytes somewhere in one of its parts. */
static void
scribble(Guest *guest, const uint8_t *bytes)
{
    const KilnDriverRing *ring =
        kiln_driver_ring(guest->driver, bytes[1] % kiln_driver_n_queues(guest->driver));
    const KilnDriverBuffer *parts[] = { &ring->desc, &ring->driver, &ring->device };
    const KilnDriverBuffer *part = parts[bytes[2] % G_N_ELEMENTS(parts)];

    if (part->length > 8)
        memcpy(part->host + (bytes[3] * 2u) % (part->length - 8), bytes + 4, 8);
}

static void
migrate(Guest *guest)
{
    if (guest->kind == CONSOLE || guest->n_migrations++ >= MAX_MIGRATIONS)
        return; /* the ports that were added would have to be added again */
    guest->device = new_device(guest);
    kiln_driver_migrate(guest->driver, guest->device);
}

static void
step(Guest *guest, const uint8_t *bytes)
{
    static const uint64_t accepts[] = { KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED, KILN_DRIVER_PLAIN };
    KilnDriver *driver = guest->driver;
    unsigned queue = bytes[1] % kiln_driver_n_queues(driver);
    unsigned size = 1u << (bytes[2] & 3);

    switch (bytes[0] % 12) {
    case 0:
        kiln_driver_reset(driver);
        kiln_driver_start(driver, accepts[bytes[1] % G_N_ELEMENTS(accepts)]);
        break;
    case 1: kiln_driver_settle(driver); break;
    case 2: kiln_clock_advance(guest->board->clock, kiln_le32_load(bytes + 4)); break;
    case 3: kiln_driver_set_config(driver, bytes[1], kiln_le64_load(bytes + 4), size); break;
    case 4: kiln_driver_config(driver, bytes[1], size); break;
    case 5: scribble(guest, bytes); break;
    case 6: wish(guest, bytes); break;
    case 7: migrate(guest); break;
    case 8: kiln_driver_kick_always(driver, queue); break;
    default:
        add(guest, bytes);
        if (bytes[0] & 0x80)
            kiln_driver_kick_always(driver, queue);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Guest guest;

    if (size == 0)
        return 0;
    guest_open(&guest, data[0] % N_KINDS);
    for (size_t i = 1; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES)
        step(&guest, data + i);
    kiln_driver_settle(guest.driver);
    guest_close(&guest);
    return 0;
}
