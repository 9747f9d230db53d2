/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile driver and a hostile cable: the input is a list of steps, each an opcode and what it
 * needs: chains of any shape on any queue, control commands, resets, and bytes from the other end
 * of a stream socket.
 */
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "device/virtio-net.h"
#include "net/stream.h"
#include "tests/lib/virtio-driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BUFFERS = 6, MAX_STEPS = 200, MEMORY = 8 << 20 };

typedef struct {
    const uint8_t *data;
    size_t size;
    KilnDriver *driver;
    KilnFd peer;
    uint32_t allocated; /* bytes of guest memory */
} Fuzz;

static uint8_t
next(Fuzz *fuzz)
{
    if (fuzz->size == 0)
        return 0;
    fuzz->size--;
    return *fuzz->data++;
}

/* A buffer with up to 255 bytes of the input at its front. */
static KilnDriverBuffer
next_buffer(Fuzz *fuzz)
{
    static const uint32_t lengths[] = { 1, 2, 10, 12, 14, 26, 64, 200, 1514, 2048, 9000, 65562 };
    uint32_t length = lengths[next(fuzz) % G_N_ELEMENTS(lengths)];
    size_t wanted = next(fuzz); /* MIN() would read it twice */
    size_t given = MIN(MIN(wanted, length), fuzz->size);
    KilnDriverBuffer buffer = kiln_driver_alloc(fuzz->driver, length);

    memcpy(buffer.host, fuzz->data, given);
    fuzz->data += given;
    fuzz->size -= given;
    fuzz->allocated += MAX(length, 4096);
    return buffer;
}

static void
step_chain(Fuzz *fuzz)
{
    KilnDriverBuffer buffers[2 * MAX_BUFFERS];
    unsigned queue = next(fuzz) % kiln_driver_n_queues(fuzz->driver);
    uint8_t shape = next(fuzz);
    unsigned n_out = (shape & 15) % MAX_BUFFERS;
    unsigned n_in = (shape >> 4) % MAX_BUFFERS;

    if (n_out + n_in == 0)
        n_in = 1;
    for (unsigned i = 0; i < n_out + n_in; i++)
        buffers[i] = next_buffer(fuzz);
    (void)kiln_driver_add(fuzz->driver, queue, buffers, n_out, buffers + n_out, n_in);
    kiln_driver_kick_always(fuzz->driver, queue);
}

static void
step_cable(Fuzz *fuzz)
{
    size_t wanted = next(fuzz);
    size_t length = MIN(wanted, fuzz->size);

    (void)!send(fuzz->peer, fuzz->data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    fuzz->data += length;
    fuzz->size -= length;
}

static void
step_drain(Fuzz *fuzz)
{
    uint8_t bytes[4096];

    kiln_driver_settle(fuzz->driver);
    while (recv(fuzz->peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    for (unsigned queue = 0; queue < kiln_driver_n_queues(fuzz->driver); queue++)
        while (kiln_driver_take_used(fuzz->driver, queue, NULL, NULL))
            continue;
}

static void
run(Fuzz *fuzz)
{
    uint64_t accept = next(fuzz) & 1 ? KILN_DRIVER_SPLIT : KILN_DRIVER_PACKED;

    if (next(fuzz) & 1)
        accept &= ~KILN_DRIVER_BIT(VIRTIO_NET_F_MRG_RXBUF);
    kiln_driver_start(fuzz->driver, accept);
    for (unsigned i = 0; i < MAX_STEPS && fuzz->size > 0 && fuzz->allocated < MEMORY / 2; i++) {
        switch (next(fuzz) % 6) {
        case 0:
        case 1: step_chain(fuzz); break;
        case 2: step_cable(fuzz); break;
        case 3: step_drain(fuzz); break;
        case 4: kiln_virtio_net_set_link(kiln_driver_virtio(fuzz->driver), next(fuzz) & 1); break;
        default:
            kiln_driver_settle(fuzz->driver);
            if (kiln_driver_broken(fuzz->driver))
                return;
            break;
        }
    }
    step_drain(fuzz);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Fuzz fuzz = { .data = data, .size = size };
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(MEMORY);
    KilnVirtioNetOptions options = { .id = "net0", .memory = memory, .packed = TRUE };
    int pair[2];

    if (size < 3 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 0;
    options.netdev = kiln_stream_netdev_new("net0", pair[0]);
    fuzz.peer = pair[1];
    fuzz.driver = kiln_driver_new(board, memory, kiln_virtio_net_new(&options, NULL));
    run(&fuzz);
    kiln_driver_free(fuzz.driver);
    kiln_fd_clear(&fuzz.peer);
    return 0;
}
