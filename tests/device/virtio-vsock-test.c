/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket device over unix sockets, between a fake guest driver and programs of the host. */
#include "device/virtio-vsock.h"

#include "base/unix-socket.h"
#include "device/virtio-vsock-connection.h"
#include "device/virtio-vsock-event.h"
#include "device/virtio-vsock-host.h"
#include "device/virtio-vsock-kernel.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CID = 42,
    GUEST = 1000, /* ports */
    HOST = 52,
    RX_BUFFERS = 16,
    RX_SIZE = 4096,
    HEADER = sizeof(struct virtio_vsock_hdr),
    BOTH = VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND,
};

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnDriverBuffer rx[256]; /* by id */
    KilnDriverBuffer tx;
    KilnFd host; /* the far end of the last connection of the guest */
    unsigned n_connects;
    uint32_t last_port;
    uint32_t buf_alloc; /* that the guest tells */
    uint32_t fwd_cnt;
} Guest;

static Guest guest;

static KilnFd
connect_pair(void *opaque, uint32_t port)
{
    int pair[2];

    guest.n_connects++;
    guest.last_port = port;
    if (port != HOST)
        return -1;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    kiln_fd_clear(&guest.host);
    guest.host = pair[1];
    return pair[0];
}

static KilnVirtioDevice *
new_device(const char *path, gboolean broker)
{
    KilnVirtioVsockOptions options = {
        .virtio = { .id = "vsock0", .memory = guest.memory },
        .cid = CID,
        .path = path,
        .connect = broker ? NULL : connect_pair,
    };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = kiln_virtio_vsock_new(&options, &error);

    kiln_assert_no_error(error);
    return device;
}

static void
give_rx_of(uint32_t size)
{
    KilnDriverBuffer buffer = kiln_driver_alloc(guest.driver, size);
    int id = kiln_driver_add(guest.driver, KILN_VSOCK_QUEUE_RX, NULL, 0, &buffer, 1);

    ck_assert_int_ge(id, 0);
    ck_assert_int_lt(id, (int)G_N_ELEMENTS(guest.rx));
    guest.rx[id] = buffer;
}

static void
give_rx(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        give_rx_of(RX_SIZE);
    kiln_driver_kick(guest.driver, KILN_VSOCK_QUEUE_RX);
}

static void
guest_open(KilnVirtioDevice *device, uint64_t features)
{
    guest.driver = kiln_driver_new(guest.board, guest.memory, device);
    kiln_driver_start(guest.driver, features);
    guest.tx = kiln_driver_alloc(guest.driver, HEADER + KILN_VSOCK_PACKET);
    guest.buf_alloc = 1 << 20;
}

static void
setup_bare(void)
{
    guest = (Guest){ .host = -1 };
    guest.board = kiln_board_new();
    guest.memory = kiln_memory_new_plain(64 << 20);
}

static void
setup(void)
{
    setup_bare();
    guest_open(new_device(NULL, FALSE), KILN_DRIVER_SPLIT);
    give_rx(RX_BUFFERS);
}

static void
teardown(void)
{
    kiln_driver_free(guest.driver);
    kiln_memory_free(guest.memory);
    kiln_board_free(guest.board);
    kiln_fd_clear(&guest.host);
}

static KilnVsockHeader
header_of(uint16_t op, uint32_t host_port, uint32_t guest_port)
{
    return (KilnVsockHeader){
        .src_cid = CID,
        .dst_cid = KILN_VSOCK_HOST_CID,
        .src_port = guest_port,
        .dst_port = host_port,
        .type = VIRTIO_VSOCK_TYPE_STREAM,
        .op = op,
        .buf_alloc = guest.buf_alloc,
        .fwd_cnt = guest.fwd_cnt,
    };
}

/* Sends a packet and waits until the device has taken it. */
static void
send_packet(KilnVsockHeader header, const void *data, uint32_t length)
{
    KilnDriverBuffer out = guest.tx;

    header.len = length;
    kiln_vsock_header_store(&header, (struct virtio_vsock_hdr *)guest.tx.host);
    if (length > 0)
        memcpy(guest.tx.host + HEADER, data, length);
    out.length = HEADER + length;
    ck_assert_uint_eq(kiln_driver_request(guest.driver, KILN_VSOCK_QUEUE_TX, &out, 1, NULL, 0), 0);
}

static void
send_op(uint16_t op, uint32_t host_port, uint32_t guest_port)
{
    send_packet(header_of(op, host_port, guest_port), NULL, 0);
}

/* Returns: whether there is a packet for the guest, after all has settled. */
static gboolean
try_receive(KilnVsockHeader *header, uint8_t *data, gboolean refill)
{
    uint32_t length;
    int id;

    kiln_driver_settle(guest.driver);
    if (!kiln_driver_take_used(guest.driver, KILN_VSOCK_QUEUE_RX, &id, &length))
        return FALSE;
    kiln_vsock_header_load(header, (const struct virtio_vsock_hdr *)guest.rx[id].host);
    ck_assert_uint_eq(length, HEADER + header->len);
    ck_assert_uint_eq(header->dst_cid, CID);
    ck_assert_uint_eq(header->src_cid, KILN_VSOCK_HOST_CID);
    ck_assert_uint_eq(header->type, VIRTIO_VSOCK_TYPE_STREAM);
    if (data != NULL)
        memcpy(data, guest.rx[id].host + HEADER, header->len);
    if (refill) {
        KilnDriverBuffer again = guest.rx[id];
        int next = kiln_driver_add(guest.driver, KILN_VSOCK_QUEUE_RX, NULL, 0, &again, 1);

        guest.rx[next] = again;
        kiln_driver_kick(guest.driver, KILN_VSOCK_QUEUE_RX);
    }
    return TRUE;
}

static KilnVsockHeader
expect(uint16_t op)
{
    KilnVsockHeader header = { 0 };

    ck_assert(try_receive(&header, NULL, TRUE));
    ck_assert_uint_eq(header.op, op);
    return header;
}

static void
expect_data(const char *text)
{
    KilnVsockHeader header = { 0 };
    uint8_t data[RX_SIZE];

    ck_assert(try_receive(&header, data, TRUE));
    ck_assert_uint_eq(header.op, VIRTIO_VSOCK_OP_RW);
    ck_assert_uint_eq(header.len, strlen(text));
    ck_assert_mem_eq(data, text, header.len);
}

static void
expect_nothing(void)
{
    KilnVsockHeader header = { 0 };

    ck_assert(!try_receive(&header, NULL, TRUE));
}

static void
open_connection(uint32_t guest_port)
{
    KilnVsockHeader header;

    send_op(VIRTIO_VSOCK_OP_REQUEST, HOST, guest_port);
    header = expect(VIRTIO_VSOCK_OP_RESPONSE);
    ck_assert_uint_eq(header.src_port, HOST);
    ck_assert_uint_eq(header.dst_port, guest_port);
    ck_assert_uint_eq(header.buf_alloc, KILN_VSOCK_BUFFER);
}

/* The guest has no buffers for what comes. */
static void
use_up_rx(void)
{
    KilnVsockHeader header = { 0 };

    for (unsigned i = 0; i < RX_BUFFERS; i++) {
        send_op(VIRTIO_VSOCK_OP_RW, HOST, i);
        ck_assert(try_receive(&header, NULL, FALSE));
    }
}

static unsigned
n_connections(void)
{
    return kiln_virtio_vsock_n_connections(kiln_driver_virtio(guest.driver));
}

static void
host_reads(int fd, const char *text)
{
    char data[64] = { 0 };

    kiln_driver_settle(guest.driver);
    ck_assert_int_eq(recv(fd, data, sizeof data, MSG_DONTWAIT), (ssize_t)strlen(text));
    ck_assert_mem_eq(data, text, strlen(text));
}

START_TEST(configuration)
{
    ck_assert_uint_eq(kiln_driver_config(guest.driver, 0, 4), CID);
    ck_assert_uint_eq(kiln_driver_config(guest.driver, 4, 4), 0);
    ck_assert_uint_eq(kiln_virtio_vsock_cid(kiln_driver_virtio(guest.driver)), CID);
}
END_TEST

START_TEST(the_guest_calls)
{
    open_connection(GUEST);
    send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), "question", 8);
    host_reads(guest.host, "question");
    ck_assert_int_eq(write(guest.host, "answer", 6), 6);
    expect_data("answer");
    ck_assert_uint_eq(n_connections(), 1);
    /* virtio 1.2 §5.10.6.5: the guest closes, the host answers by a reset */
    {
        KilnVsockHeader header = header_of(VIRTIO_VSOCK_OP_SHUTDOWN, HOST, GUEST);

        header.flags = BOTH;
        send_packet(header, NULL, 0);
    }
    (void)expect(VIRTIO_VSOCK_OP_RST);
    ck_assert_uint_eq(n_connections(), 0);
    host_reads(guest.host, ""); /* the end */
}
END_TEST

START_TEST(nobody_answers_the_guest)
{
    KilnVsockHeader header;

    send_op(VIRTIO_VSOCK_OP_REQUEST, HOST + 1, GUEST);
    header = expect(VIRTIO_VSOCK_OP_RST);
    ck_assert_uint_eq(header.src_port, HOST + 1);
    ck_assert_uint_eq(header.dst_port, GUEST);
    ck_assert_uint_eq(guest.last_port, HOST + 1);
    ck_assert_uint_eq(n_connections(), 0);
}
END_TEST

/* What is for nobody: answered by a reset, but a reset never is. */
START_TEST(packets_of_no_connection)
{
    KilnVsockHeader header = header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST);

    send_op(VIRTIO_VSOCK_OP_RW, HOST, GUEST);
    (void)expect(VIRTIO_VSOCK_OP_RST);
    send_op(VIRTIO_VSOCK_OP_RESPONSE, HOST, GUEST);
    (void)expect(VIRTIO_VSOCK_OP_RST);
    send_op(99, HOST, GUEST);
    (void)expect(VIRTIO_VSOCK_OP_RST);
    send_op(VIRTIO_VSOCK_OP_RST, HOST, GUEST);
    header.op = VIRTIO_VSOCK_OP_REQUEST;
    header.src_cid = CID + 1; /* not this guest */
    send_packet(header, NULL, 0);
    expect_nothing();
    header.src_cid = CID;
    header.dst_cid = 7; /* not the host */
    send_packet(header, NULL, 0);
    (void)expect(VIRTIO_VSOCK_OP_RST);
    header.dst_cid = KILN_VSOCK_HOST_CID;
    header.type = VIRTIO_VSOCK_TYPE_SEQPACKET; /* was not offered */
    send_packet(header, NULL, 0);
    (void)expect(VIRTIO_VSOCK_OP_RST);
    ck_assert_uint_eq(guest.n_connects, 0);
}
END_TEST

/* Out of turn: the connection ends. */
START_TEST(packets_out_of_turn)
{
    static const uint16_t ops[] = { VIRTIO_VSOCK_OP_INVALID, VIRTIO_VSOCK_OP_REQUEST,
                                    VIRTIO_VSOCK_OP_RESPONSE, 1000 };

    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        open_connection(GUEST);
        send_op(ops[i], HOST, GUEST);
        (void)expect(VIRTIO_VSOCK_OP_RST);
        ck_assert_uint_eq(n_connections(), 0);
    }
    open_connection(GUEST);
    send_op(VIRTIO_VSOCK_OP_RST, HOST, GUEST);
    expect_nothing();
    ck_assert_uint_eq(n_connections(), 0);
    host_reads(guest.host, "");
}
END_TEST

START_TEST(the_host_closes)
{
    KilnVsockHeader header;

    open_connection(GUEST);
    ck_assert_int_eq(write(guest.host, "last", 4), 4);
    ck_assert_int_eq(shutdown(guest.host, SHUT_WR), 0);
    expect_data("last");
    header = expect(VIRTIO_VSOCK_OP_SHUTDOWN);
    ck_assert_uint_eq(header.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
    send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), "more", 4);
    host_reads(guest.host, "more");
    expect_nothing();
    kiln_fd_clear(&guest.host);
    header = expect(VIRTIO_VSOCK_OP_SHUTDOWN);
    ck_assert_uint_eq(header.flags, BOTH);
    expect_nothing();
    send_op(VIRTIO_VSOCK_OP_RST, HOST, GUEST);
    ck_assert_uint_eq(n_connections(), 0);
}
END_TEST

/* At once, with data that the guest has not had: it gets that first. */
START_TEST(the_host_closes_at_once)
{
    KilnVsockHeader header = { 0 };
    uint8_t data[RX_SIZE];
    gboolean had_data = FALSE;

    open_connection(GUEST);
    ck_assert_int_eq(write(guest.host, "last", 4), 4);
    kiln_fd_clear(&guest.host);
    send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), "lost", 4);
    /* that it does not read may come first, that it does not write may not */
    while (try_receive(&header, data, TRUE) && header.flags != BOTH) {
        had_data = had_data || header.op == VIRTIO_VSOCK_OP_RW;
        ck_assert(header.op == VIRTIO_VSOCK_OP_RW || header.flags == VIRTIO_VSOCK_SHUTDOWN_RCV);
    }
    ck_assert(had_data);
    ck_assert_mem_eq(data, "last", 4);
    ck_assert_uint_eq(header.op, VIRTIO_VSOCK_OP_SHUTDOWN);
    expect_nothing();
}
END_TEST

START_TEST(the_guest_closes_one_way)
{
    KilnVsockHeader header = header_of(VIRTIO_VSOCK_OP_SHUTDOWN, HOST, GUEST);

    open_connection(GUEST);
    header.flags = VIRTIO_VSOCK_SHUTDOWN_SEND;
    send_packet(header, NULL, 0);
    host_reads(guest.host, "");
    ck_assert_int_eq(write(guest.host, "still", 5), 5);
    expect_data("still");
    send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), "x", 1); /* said that it would not */
    (void)expect(VIRTIO_VSOCK_OP_RST);
}
END_TEST

/* virtio 1.2 §5.10.6.3: never more than the guest has room for. */
START_TEST(credit_of_the_guest)
{
    uint8_t data[1000];
    KilnVsockHeader header = { 0 };

    memset(data, 'x', sizeof data);
    guest.buf_alloc = 100;
    open_connection(GUEST);
    ck_assert_int_eq(write(guest.host, data, sizeof data), sizeof data);
    header = expect(VIRTIO_VSOCK_OP_RW);
    ck_assert_uint_eq(header.len, 100);
    (void)expect(VIRTIO_VSOCK_OP_CREDIT_REQUEST);
    expect_nothing();
    guest.fwd_cnt = 60;
    send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, HOST, GUEST);
    header = expect(VIRTIO_VSOCK_OP_RW);
    ck_assert_uint_eq(header.len, 60);
    (void)expect(VIRTIO_VSOCK_OP_CREDIT_REQUEST);
    guest.fwd_cnt = 5000; /* more than there was: nonsense, and no credit */
    guest.buf_alloc = 0;
    send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, HOST, GUEST);
    expect_nothing();
    guest.buf_alloc = G_MAXUINT32;
    guest.fwd_cnt = 160;
    send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, HOST, GUEST);
    header = expect(VIRTIO_VSOCK_OP_RW);
    ck_assert_uint_eq(header.len, 840);
    send_op(VIRTIO_VSOCK_OP_CREDIT_REQUEST, HOST, GUEST);
    (void)expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}
END_TEST

/* A host that does not read: what it was told there is room for is kept, not a byte more; then all
 * of it comes in order. */
START_TEST(a_slow_host)
{
    static uint8_t packet[16384];
    g_autoptr(GByteArray) sent = g_byte_array_new();
    g_autoptr(GByteArray) got = g_byte_array_new();
    uint32_t forwarded = 0;
    KilnVsockHeader header = { 0 };
    uint32_t first = 0;

    open_connection(GUEST);
    for (;;) {
        send_op(VIRTIO_VSOCK_OP_CREDIT_REQUEST, HOST, GUEST);
        while (try_receive(&header, NULL, TRUE))
            forwarded = header.fwd_cnt;
        ck_assert_uint_le(sent->len - forwarded, KILN_VSOCK_BUFFER);
        if (KILN_VSOCK_BUFFER - (sent->len - forwarded) < sizeof packet)
            break;
        for (unsigned i = 0; i < sizeof packet; i++)
            packet[i] = (uint8_t)g_random_int();
        send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), packet, sizeof packet);
        g_byte_array_append(sent, packet, sizeof packet);
    }
    ck_assert_uint_gt(sent->len, KILN_VSOCK_BUFFER);
    first = forwarded;
    while (got->len < sent->len) {
        ssize_t n = recv(guest.host, packet, sizeof packet, MSG_DONTWAIT);

        if (n > 0)
            g_byte_array_append(got, packet, (guint)n);
        kiln_driver_settle(guest.driver);
    }
    ck_assert_mem_eq(got->data, sent->data, sent->len);
    while (try_receive(&header, NULL, TRUE)) {
        ck_assert_uint_eq(header.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
        forwarded = header.fwd_cnt;
    }
    ck_assert_uint_gt(forwarded, first); /* it was told unasked */
    ck_assert_uint_eq(n_connections(), 1);
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
    static uint8_t packet[KILN_VSOCK_PACKET];
    KilnVsockHeader header = { 0 };
    unsigned n = 0;

    open_connection(GUEST);
    do {
        send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), packet, sizeof packet);
        ck_assert_uint_lt(n++, 100);
    } while (!try_receive(&header, NULL, TRUE) || header.op != VIRTIO_VSOCK_OP_RST);
    ck_assert_uint_eq(n_connections(), 0);
}
END_TEST

/* Data that waits for a slow host when the guest closes: all of it arrives before the end does. */
START_TEST(closed_with_data_on_its_way)
{
    static uint8_t packet[16384];
    KilnVsockHeader header = header_of(VIRTIO_VSOCK_OP_SHUTDOWN, HOST, GUEST);
    int small = 4096;
    size_t total = 0;
    ssize_t n;

    open_connection(GUEST);
    ck_assert_int_eq(setsockopt(guest.host, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (unsigned i = 0; i < KILN_VSOCK_BUFFER / sizeof packet; i++)
        send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), packet, sizeof packet);
    header.flags = BOTH;
    send_packet(header, NULL, 0);
    for (;;) {
        kiln_driver_settle(guest.driver);
        n = recv(guest.host, packet, sizeof packet, MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n > 0)
            total += (size_t)n;
    }
    ck_assert_uint_eq(total, KILN_VSOCK_BUFFER);
    while (try_receive(&header, NULL, TRUE) && header.op != VIRTIO_VSOCK_OP_RST)
        ;
    ck_assert_uint_eq(header.op, VIRTIO_VSOCK_OP_RST);
}
END_TEST

/* Two streams that both have much to say: packet by packet, one after the other. */
START_TEST(streams_take_turns)
{
    static uint8_t much[65536];
    KilnFd other = -1;
    KilnVsockHeader header = { 0 };
    uint32_t last = 0;

    open_connection(GUEST);
    other = kiln_fd_steal(&guest.host);
    open_connection(GUEST + 1);
    use_up_rx();
    ck_assert_int_gt(write(other, much, sizeof much), 32768);
    ck_assert_int_gt(write(guest.host, much, sizeof much), 32768);
    kiln_driver_settle(guest.driver);
    give_rx(8);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert(try_receive(&header, NULL, FALSE));
        ck_assert_uint_ne(header.dst_port, last);
        last = header.dst_port;
    }
    kiln_fd_clear(&other);
}
END_TEST

/* With no buffers for the answers the guest is not listened to for ever; nothing is lost. */
START_TEST(answers_that_wait)
{
    enum { FLOOD = 100 };
    KilnVsockHeader header = { 0 };
    unsigned taken = 0;
    int id;

    use_up_rx();
    for (unsigned i = 0; i < FLOOD; i++) {
        KilnDriverBuffer out = kiln_driver_alloc(guest.driver, HEADER);

        header = header_of(VIRTIO_VSOCK_OP_RW, HOST, i);
        kiln_vsock_header_store(&header, (struct virtio_vsock_hdr *)out.host);
        ck_assert_int_ge(kiln_driver_add(guest.driver, KILN_VSOCK_QUEUE_TX, &out, 1, NULL, 0), 0);
    }
    kiln_driver_kick(guest.driver, KILN_VSOCK_QUEUE_TX);
    kiln_driver_settle(guest.driver);
    while (kiln_driver_take_used(guest.driver, KILN_VSOCK_QUEUE_TX, &id, NULL))
        taken++;
    ck_assert_uint_eq(taken, 64);
    give_rx(RX_BUFFERS);
    for (unsigned i = 0; i < FLOOD; i++)
        (void)expect(VIRTIO_VSOCK_OP_RST);
    while (kiln_driver_take_used(guest.driver, KILN_VSOCK_QUEUE_TX, &id, NULL))
        taken++;
    ck_assert_uint_eq(taken, FLOOD);
    expect_nothing();
}
END_TEST

START_TEST(too_many_connections)
{
    g_autoptr(GArray) hosts = g_array_new(FALSE, FALSE, sizeof(KilnFd));

    for (uint32_t i = 0; i < KILN_VSOCK_MAX_CONNECTIONS; i++) {
        KilnFd host;

        if (i == 100) /* descriptors of the test process are few; one host socket is enough */
            break;
        open_connection(GUEST + i);
        host = kiln_fd_steal(&guest.host);
        g_array_append_val(hosts, host);
    }
    ck_assert_uint_eq(n_connections(), hosts->len);
    kiln_driver_reset(guest.driver);
    ck_assert_uint_eq(n_connections(), 0);
    for (guint i = 0; i < hosts->len; i++) {
        host_reads(g_array_index(hosts, KilnFd, i), "");
        kiln_fd_clear(&g_array_index(hosts, KilnFd, i));
    }
}
END_TEST

/* What breaks the rules of packets breaks the device, and nothing else. */
START_TEST(a_driver_that_breaks_the_rules)
{
    KilnVsockHeader header = header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST);
    KilnDriverBuffer out = guest.tx;

    if (_i == 0) {
        out.length = HEADER - 1; /* no header */
        kiln_driver_add(guest.driver, KILN_VSOCK_QUEUE_TX, &out, 1, NULL, 0);
    } else if (_i == 1) {
        header.len = 5;
        kiln_vsock_header_store(&header, (struct virtio_vsock_hdr *)guest.tx.host);
        out.length = HEADER + 4; /* less than it says */
        kiln_driver_add(guest.driver, KILN_VSOCK_QUEUE_TX, &out, 1, NULL, 0);
    } else {
        use_up_rx();
        give_rx_of(HEADER - 1); /* no room for a header */
        kiln_vsock_header_store(&header, (struct virtio_vsock_hdr *)guest.tx.host);
        out.length = HEADER;
        kiln_driver_add(guest.driver, KILN_VSOCK_QUEUE_TX, &out, 1, NULL, 0);
    }
    ck_assert(!kiln_driver_broken(guest.driver));
    kiln_driver_kick_always(guest.driver, KILN_VSOCK_QUEUE_TX);
    ck_assert(kiln_driver_broken(guest.driver));
    kiln_driver_start(guest.driver, KILN_DRIVER_SPLIT);
    ck_assert(!kiln_driver_broken(guest.driver));
}
END_TEST

/* Connections do not move with the guest: its driver is told. */
START_TEST(another_process_goes_on)
{
    KilnDriverBuffer event = kiln_driver_alloc(guest.driver, 4);
    uint32_t length = 0;

    memset(event.host, 0xff, 4);
    open_connection(GUEST);
    ck_assert_int_ge(kiln_driver_add(guest.driver, KILN_VSOCK_QUEUE_EVENT, NULL, 0, &event, 1), 0);
    kiln_driver_kick(guest.driver, KILN_VSOCK_QUEUE_EVENT);
    kiln_driver_settle(guest.driver);
    ck_assert(!kiln_driver_take_used(guest.driver, KILN_VSOCK_QUEUE_EVENT, NULL, NULL));
    kiln_driver_migrate(guest.driver, new_device(NULL, FALSE));
    kiln_driver_wait_used(guest.driver, KILN_VSOCK_QUEUE_EVENT, NULL, &length);
    ck_assert_uint_eq(length, 4);
    ck_assert_mem_eq(event.host, "\0\0\0\0", 4);
    ck_assert_uint_eq(n_connections(), 0);
    open_connection(GUEST);
}
END_TEST

/* -- the host's sockets ------------------------------------------------------------------------ */

static KilnFd
call_guest(const char *path, const char *line)
{
    g_autoptr(GError) error = NULL;
    KilnFd fd = kiln_unix_connect(path, &error);

    kiln_assert_no_error(error);
    ck_assert_int_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    return fd;
}

START_TEST(the_host_calls)
{
    g_autofree char *folder = kiln_test_dir();
    g_autofree char *path = g_build_filename(folder, "vsock", NULL);
    g_auto(KilnFd) host = -1;
    g_auto(KilnFd) refused = -1;
    KilnVsockHeader header;

    setup_bare();
    guest_open(new_device(path, FALSE), _i == 0 ? KILN_DRIVER_SPLIT : KILN_DRIVER_PACKED);
    give_rx(RX_BUFFERS);
    host = call_guest(path, "CONNECT 1024\nearly");
    header = expect(VIRTIO_VSOCK_OP_REQUEST);
    ck_assert_uint_eq(header.dst_port, 1024);
    ck_assert_uint_ge(header.src_port, 1 << 30);
    expect_nothing();
    send_op(VIRTIO_VSOCK_OP_RESPONSE, header.src_port, 1024);
    {
        g_autofree char *line = g_strdup_printf("OK %u\n", header.src_port);

        host_reads(host, line);
    }
    expect_data("early");
    send_packet(header_of(VIRTIO_VSOCK_OP_RW, header.src_port, 1024), "reply", 5);
    host_reads(host, "reply");

    refused = call_guest(path, "CONNECT 1025\n");
    header = expect(VIRTIO_VSOCK_OP_REQUEST);
    send_op(VIRTIO_VSOCK_OP_RST, header.src_port, 1025);
    host_reads(refused, "");
    kiln_fd_clear(&refused);

    refused = call_guest(path, "CONNECT 1026\n"); /* who does not wait */
    header = expect(VIRTIO_VSOCK_OP_REQUEST);
    kiln_fd_clear(&refused);
    (void)expect(VIRTIO_VSOCK_OP_RST);
    ck_assert_uint_eq(n_connections(), 1);
    teardown();
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(callers_who_say_nonsense)
{
    static const char *const lines[] = {
        "HELLO\n",
        "CONNECT\n",
        "CONNECT \n",
        "CONNECT -1\n",
        "CONNECT 4294967295\n",
        "CONNECT 99999999999999999999\n",
        "CONNECT 10x\n",
        "CONNECT 1                        \n",
        "\n",
    };
    g_autofree char *folder = kiln_test_dir();
    g_autofree char *path = g_build_filename(folder, "vsock", NULL);
    KilnFd silent[KILN_VSOCK_MAX_CALLERS + 1];
    uint32_t port = 0;

    setup_bare();
    guest_open(new_device(path, FALSE), KILN_DRIVER_SPLIT);
    give_rx(RX_BUFFERS);
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(KilnFd) host = call_guest(path, lines[i]);
        struct pollfd poller = { .fd = host, .events = POLLIN };

        while (poll(&poller, 1, 0) == 0)
            kiln_driver_settle(guest.driver);
        ck_assert(poller.revents & POLLHUP);
    }
    expect_nothing();
    for (unsigned i = 0; i < G_N_ELEMENTS(silent); i++) {
        silent[i] = call_guest(path, "");
        kiln_driver_settle(guest.driver);
    }
    host_reads(silent[0], ""); /* the oldest made way */
    ck_assert_int_eq(write(silent[1], "CONNECT 7\n", 10), 10);
    (void)expect(VIRTIO_VSOCK_OP_REQUEST);
    for (unsigned i = 0; i < G_N_ELEMENTS(silent); i++)
        kiln_fd_clear(&silent[i]);
    teardown();
    ck_assert(kiln_vsock_parse_connect("CONNECT 80\r\n", 12, &port));
    ck_assert_uint_eq(port, 80);
    ck_assert(kiln_vsock_parse_connect("CONNECT 4294967294\n", 19, &port));
    ck_assert_uint_eq(port, 4294967294u);
}
END_TEST

static gboolean
used_something(gpointer data)
{
    return kiln_driver_take_used(guest.driver, KILN_VSOCK_QUEUE_RX, data, NULL);
}

/* The way to PATH_PORT goes through another process. */
START_TEST(the_guest_calls_by_the_broker)
{
    g_autofree char *folder = kiln_test_dir();
    g_autofree char *path = g_build_filename(folder, "vsock", NULL);
    g_autofree char *path_52 = g_strconcat(path, "_52", NULL);
    g_auto(KilnFd) listener = kiln_unix_listen(path_52, 4, NULL);
    g_auto(KilnFd) host = -1;
    KilnVsockHeader header;
    int id = 0;

    setup_bare();
    guest_open(new_device(path, TRUE), KILN_DRIVER_SPLIT);
    give_rx(RX_BUFFERS);
    send_op(VIRTIO_VSOCK_OP_REQUEST, HOST, GUEST);
    kiln_driver_run_until(guest.driver, used_something, &id);
    kiln_vsock_header_load(&header, (const struct virtio_vsock_hdr *)guest.rx[id].host);
    ck_assert_uint_eq(header.op, VIRTIO_VSOCK_OP_RESPONSE);
    host = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(host, 0);
    send_packet(header_of(VIRTIO_VSOCK_OP_RW, HOST, GUEST), "hello", 5);
    host_reads(host, "hello");
    send_op(VIRTIO_VSOCK_OP_REQUEST, HOST + 1, GUEST); /* nobody listens there */
    kiln_driver_run_until(guest.driver, used_something, &id);
    kiln_vsock_header_load(&header, (const struct virtio_vsock_hdr *)guest.rx[id].host);
    ck_assert_uint_eq(header.op, VIRTIO_VSOCK_OP_RST);
    ck_assert_uint_eq(header.src_port, HOST + 1);
    ck_assert_uint_eq(n_connections(), 1);
    teardown();
}
END_TEST

START_TEST(options_that_cannot_be)
{
    KilnVirtioVsockOptions options = { .virtio = { .id = "vsock0" }, .cid = 2 };
    g_autoptr(GError) error = NULL;

    setup_bare();
    options.virtio.memory = guest.memory;
    ck_assert(kiln_virtio_vsock_new(&options, &error) == NULL);
    kiln_assert_error_has(error, "cannot be a guest's CID");
    g_clear_error(&error);
    options.cid = 0;
    options.path = "/nonexistent/vsock";
    ck_assert(kiln_virtio_vsock_new(&options, &error) == NULL);
    kiln_assert_error_has(error, "/nonexistent/vsock");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-vsock");
    TCase *tests = kiln_test_case(suite, "packets");
    TCase *host = kiln_test_case(suite, "host");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, configuration);
    tcase_add_test(tests, the_guest_calls);
    tcase_add_test(tests, nobody_answers_the_guest);
    tcase_add_test(tests, packets_of_no_connection);
    tcase_add_test(tests, packets_out_of_turn);
    tcase_add_test(tests, the_host_closes);
    tcase_add_test(tests, the_host_closes_at_once);
    tcase_add_test(tests, the_guest_closes_one_way);
    tcase_add_test(tests, credit_of_the_guest);
    tcase_add_test(tests, a_slow_host);
    tcase_add_test(tests, more_than_there_is_room_for);
    tcase_add_test(tests, closed_with_data_on_its_way);
    tcase_add_test(tests, streams_take_turns);
    tcase_add_test(tests, answers_that_wait);
    tcase_add_test(tests, too_many_connections);
    tcase_add_loop_test(tests, a_driver_that_breaks_the_rules, 0, 3);
    tcase_add_test(tests, another_process_goes_on);
    tcase_add_loop_test(host, the_host_calls, 0, 2);
    tcase_add_test(host, callers_who_say_nonsense);
    tcase_add_test(host, the_guest_calls_by_the_broker);
    tcase_add_test(host, options_that_cannot_be);
    return suite;
}

KILN_TEST_MAIN(make_suite)
