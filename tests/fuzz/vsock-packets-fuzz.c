/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's packets to the socket device, with programs of the host behind it that echo, read
 * nothing, or hang up.  The input is steps of 12 bytes: what to do, a packet's op and ports, its
 * length, credits.  Whatever comes, the device stays within what it was given: no more for the
 * guest than it has credit for, no more kept for the host than it was told of.
 */
#include "device/virtio-vsock.h"

#include "base/le.h"
#include "base/log.h"
#include "device/virtio-vsock-connection.h"
#include "device/virtio-vsock-event.h"
#include "tests/lib/virtio-driver.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CID = 3,
    STEP = 12,
    MAX_STEPS = 64,
    N_HOSTS = 8,
    N_RX = 64,
    RX_SIZE = 512,
    HEADER = sizeof(struct virtio_vsock_hdr),
    TX_SIZE = HEADER + 1024,
};

typedef struct {
    KilnDriver *driver;
    KilnFd hosts[N_HOSTS];
    unsigned n_hosts;
    KilnDriverBuffer rx[512]; /* by id */
    KilnDriverBuffer tx;
} Fuzz;

static KilnFd
fuzz_connect(void *opaque, uint32_t port)
{
    Fuzz *fuzz = opaque;
    int pair[2];

    if (port >= 4 || fuzz->n_hosts == N_HOSTS ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    fuzz->hosts[fuzz->n_hosts++] = pair[1];
    return pair[0];
}

static void
give_rx(Fuzz *fuzz, KilnDriverBuffer buffer)
{
    int id = kiln_driver_add(fuzz->driver, KILN_VSOCK_QUEUE_RX, NULL, 0, &buffer, 1);

    if (id >= 0 && id < (int)G_N_ELEMENTS(fuzz->rx))
        fuzz->rx[id] = buffer;
}

static void
take_rx(Fuzz *fuzz)
{
    uint32_t length;
    int id;

    while (kiln_driver_take_used(fuzz->driver, KILN_VSOCK_QUEUE_RX, &id, &length)) {
        KilnVsockHeader header;

        kiln_vsock_header_load(&header, (const struct virtio_vsock_hdr *)fuzz->rx[id].host);
        if (length != HEADER + header.len || length > RX_SIZE || header.dst_cid != CID)
            g_error("a packet of %u bytes says %u", length, header.len);
        give_rx(fuzz, fuzz->rx[id]);
    }
    kiln_driver_kick(fuzz->driver, KILN_VSOCK_QUEUE_RX);
}

static void
send_packet(Fuzz *fuzz, const uint8_t *step)
{
    KilnVsockHeader header = {
        .src_cid = CID + (step[1] == 0xff),
        .dst_cid = KILN_VSOCK_HOST_CID,
        .src_port = step[2] & 7,
        .dst_port = step[3] & 7,
        .len = kiln_le16_load(step + 4),
        .type = VIRTIO_VSOCK_TYPE_STREAM + (step[1] == 0xfe),
        .op = step[1] % 9,
        .flags = step[6],
        .buf_alloc = (uint32_t)step[7] << (step[8] & 31),
        .fwd_cnt = kiln_le16_load(step + 9),
    };
    KilnDriverBuffer out = fuzz->tx;
    uint32_t length = HEADER + header.len;

    if (step[11] == 0xff)
        length = step[4]; /* perhaps too short */
    out.length = CLAMP(length, 1, TX_SIZE);
    kiln_vsock_header_store(&header, (struct virtio_vsock_hdr *)out.host);
    if (kiln_driver_add(fuzz->driver, KILN_VSOCK_QUEUE_TX, &out, 1, NULL, 0) >= 0)
        kiln_driver_kick_always(fuzz->driver, KILN_VSOCK_QUEUE_TX);
    kiln_driver_settle(fuzz->driver);
    while (kiln_driver_take_used(fuzz->driver, KILN_VSOCK_QUEUE_TX, NULL, NULL))
        ;
}

/* A program of the host does something. */
static void
host_acts(Fuzz *fuzz, const uint8_t *step)
{
    static uint8_t bytes[4096];
    KilnFd *host = &fuzz->hosts[step[2] % N_HOSTS];
    ssize_t n = 0;

    if (*host < 0)
        return;
    if (step[1] % 4 == 0)
        n = send(*host, bytes, kiln_le16_load(step + 4) % sizeof bytes,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (step[1] % 4 == 1)
        n = recv(*host, bytes, sizeof bytes, MSG_DONTWAIT);
    else if (step[1] % 4 == 2)
        n = shutdown(*host, step[3] % 3);
    else
        kiln_fd_clear(host);
    (void)n;
    kiln_driver_settle(fuzz->driver);
}

static void
run(Fuzz *fuzz, const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < MAX_STEPS && size >= STEP; i++, data += STEP, size -= STEP) {
        if (data[0] % 8 == 0)
            take_rx(fuzz);
        else if (data[0] % 8 < 3)
            host_acts(fuzz, data);
        else
            send_packet(fuzz, data);
    }
    take_rx(fuzz);
    kiln_driver_settle(fuzz->driver);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(4 << 20);
    g_autoptr(KilnDriver) driver = NULL;
    Fuzz fuzz = { .n_hosts = 0 };
    KilnVirtioVsockOptions options = {
        .virtio = { .id = "fuzz", .memory = memory },
        .cid = CID,
        .connect = fuzz_connect,
        .opaque = &fuzz,
    };

    kiln_log_set_level(KILN_LOG_ERROR);
    for (unsigned i = 0; i < N_HOSTS; i++)
        fuzz.hosts[i] = -1;
    driver = kiln_driver_new(board, memory, kiln_virtio_vsock_new(&options, NULL));
    fuzz.driver = driver;
    kiln_driver_start(driver,
                      size > 0 && (data[0] & 0x80) ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
    fuzz.tx = kiln_driver_alloc(driver, TX_SIZE);
    for (unsigned i = 0; i < N_RX; i++)
        give_rx(&fuzz, kiln_driver_alloc(driver, RX_SIZE));
    kiln_driver_kick(driver, KILN_VSOCK_QUEUE_RX);
    run(&fuzz, data, size);
    for (unsigned i = 0; i < N_HOSTS; i++)
        kiln_fd_clear(&fuzz.hosts[i]);
    return 0;
}
