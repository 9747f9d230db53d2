/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consoles and channels, driven as a guest does, with socket pairs at their host side. */
#include "device/virtio-console.h"

#include <linux/virtio_console.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

enum {
    MAX_PORTS = 4,
    CONTROL_IN = 2,
    CONTROL_OUT = 3,
    IN_1 = 4, /* of port 1 */
    OUT_1 = 5,
    N_CONTROL = 16,
};

typedef struct {
    KilnChardev *chardev;
    int peer;
} Host;

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnVirtioDevice *device;
    Host hosts[8];
    unsigned n_hosts;
    KilnDriverBuffer control[N_CONTROL];
    int control_id[N_CONTROL];
    unsigned n_connects;
    gboolean connected;
    unsigned port; /* of the last that was connected or not */
} Console;

static Console console;

static Host *
new_host(void)
{
    Host *host = &console.hosts[console.n_hosts++];
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    options.kind = KILN_CHARDEV_UNIX;
    options.fd = pair[0];
    host->peer = pair[1];
    host->chardev = kiln_chardev_open(&options, NULL, NULL);
    ck_assert_ptr_nonnull(host->chardev);
    return host;
}

static void
guest_connected(void *opaque, unsigned number, gboolean connected)
{
    console.n_connects++;
    console.connected = connected;
    console.port = number;
}

static Host *
add_port(KilnVirtioDevice *device, unsigned number, const char *name)
{
    Host *host = new_host();
    KilnVirtioConsolePort port = { .number = number,
                                   .name = name,
                                   .console = name == NULL,
                                   .chardev = host->chardev,
                                   .guest_connected = guest_connected };
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_virtio_console_add_port(device, &port, &error));
    kiln_assert_no_error(error);
    return host;
}

static KilnVirtioDevice *
new_device(void)
{
    KilnVirtioConsoleOptions options = {
        .virtio = { .id = "virtio-serial0", .memory = console.memory, .packed = TRUE },
        .max_ports = MAX_PORTS
    };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = kiln_virtio_console_new(&options, &error);

    kiln_assert_no_error(error);
    return device;
}

static void
give_control_buffers(void)
{
    for (unsigned i = 0; i < N_CONTROL; i++) {
        console.control[i] = kiln_driver_alloc(console.driver, 256);
        console.control_id[i] =
            kiln_driver_add(console.driver, CONTROL_IN, NULL, 0, &console.control[i], 1);
        ck_assert_int_ge(console.control_id[i], 0);
    }
    kiln_driver_kick(console.driver, CONTROL_IN);
}

/* With a console at port 0 and an agent's channel at port 1. */
static void
console_open(uint64_t accept)
{
    console = (Console){ .board = kiln_board_new(), .memory = kiln_memory_new_plain(32 << 20) };
    console.device = new_device();
    add_port(console.device, 0, NULL);
    add_port(console.device, 1, "org.qemu.guest_agent.0");
    console.driver = kiln_driver_new(console.board, console.memory, console.device);
    kiln_driver_start(console.driver, accept);
    if (kiln_driver_features(console.driver) & KILN_DRIVER_BIT(VIRTIO_CONSOLE_F_MULTIPORT))
        give_control_buffers();
}

static void
console_close(void)
{
    kiln_driver_free(console.driver);
    for (unsigned i = 0; i < console.n_hosts; i++) {
        kiln_chardev_free(console.hosts[i].chardev);
        close(console.hosts[i].peer);
    }
    kiln_memory_free(console.memory);
    kiln_board_free(console.board);
}

static void
tell(uint32_t port, uint16_t event, uint16_t value)
{
    KilnDriverBuffer out = kiln_driver_alloc(console.driver, 8);

    kiln_le32_store(out.host, port);
    kiln_le16_store(out.host + 4, event);
    kiln_le16_store(out.host + 6, value);
    kiln_driver_request(console.driver, CONTROL_OUT, &out, 1, NULL, 0);
}

/* The next message is this one.  Returns: what follows its header. */
static const char *
expect(uint32_t port, uint16_t event, uint16_t value)
{
    static char rest[256];
    int id;
    uint32_t length;

    kiln_driver_wait_used(console.driver, CONTROL_IN, &id, &length);
    for (unsigned i = 0; i < N_CONTROL; i++) {
        KilnDriverBuffer *buffer = &console.control[i];

        if (console.control_id[i] != id)
            continue;
        ck_assert_uint_eq(kiln_le32_load(buffer->host), port);
        ck_assert_uint_eq(kiln_le16_load(buffer->host + 4), event);
        ck_assert_uint_eq(kiln_le16_load(buffer->host + 6), value);
        memset(rest, 0, sizeof rest);
        memcpy(rest, buffer->host + 8, length - 8);
        console.control_id[i] = kiln_driver_add(console.driver, CONTROL_IN, NULL, 0, buffer, 1);
        return rest;
    }
    ck_abort_msg("a buffer that was not given");
}

static void
expect_silence(void)
{
    kiln_driver_settle(console.driver);
    ck_assert(!kiln_driver_take_used(console.driver, CONTROL_IN, NULL, NULL));
}

/* The talk at the start, as Linux has it. */
static void
set_up_ports(void)
{
    tell(UINT32_MAX, VIRTIO_CONSOLE_DEVICE_READY, 1);
    expect(0, VIRTIO_CONSOLE_PORT_ADD, 1);
    expect(1, VIRTIO_CONSOLE_PORT_ADD, 1);
    tell(0, VIRTIO_CONSOLE_PORT_READY, 1);
    expect(0, VIRTIO_CONSOLE_CONSOLE_PORT, 1);
    expect(0, VIRTIO_CONSOLE_PORT_OPEN, 1);
    tell(1, VIRTIO_CONSOLE_PORT_READY, 1);
    ck_assert_str_eq(expect(1, VIRTIO_CONSOLE_PORT_NAME, 1), "org.qemu.guest_agent.0");
    expect(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    expect_silence();
}

static void
send_text(unsigned queue, const char *text)
{
    KilnDriverBuffer out = kiln_driver_alloc_data(console.driver, text, (uint32_t)strlen(text));

    kiln_driver_request(console.driver, queue, &out, 1, NULL, 0);
}

static void
expect_text(Host *host, const char *text)
{
    char seen[256] = "";
    size_t n = 0;

    while (n < strlen(text)) {
        ssize_t got = recv(host->peer, seen + n, sizeof seen - 1 - n, MSG_DONTWAIT);

        if (got > 0)
            n += (size_t)got;
        else
            kiln_driver_settle(console.driver);
    }
    ck_assert_str_eq(seen, text);
}

static const uint64_t drivers[] = { KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED };

START_TEST(ports_are_announced_and_carry_bytes)
{
    uint32_t length;

    console_open(drivers[_i]);
    ck_assert_uint_eq(kiln_driver_config(console.driver, 4, 4), MAX_PORTS);
    set_up_ports();
    ck_assert_uint_eq(console.n_connects, 0);
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    ck_assert(console.connected && console.port == 1);
    ck_assert(kiln_virtio_console_guest_connected(console.device, 1));
    send_text(1, "login: ");
    expect_text(&console.hosts[0], "login: ");
    send_text(OUT_1, "{\"return\": {}}");
    expect_text(&console.hosts[1], "{\"return\": {}}");

    KilnDriverBuffer in = kiln_driver_alloc(console.driver, 64);

    kiln_driver_add(console.driver, IN_1, NULL, 0, &in, 1);
    kiln_driver_kick(console.driver, IN_1);
    ck_assert_int_eq(send(console.hosts[1].peer, "ping", 4, 0), 4);
    kiln_driver_wait_used(console.driver, IN_1, NULL, &length);
    ck_assert_uint_eq(length, 4);
    ck_assert_mem_eq(in.host, "ping", 4);
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
    ck_assert(!console.connected);
    ck_assert(!kiln_driver_broken(console.driver));
    console_close();
}
END_TEST

START_TEST(input_waits_for_the_guest)
{
    static char text[100000], seen[sizeof text];
    uint32_t got = 0, length;
    size_t sent = 0;

    console_open(KILN_DRIVER_SPLIT);
    set_up_ports();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);

    KilnDriverBuffer in = kiln_driver_alloc(console.driver, 100);

    kiln_driver_add(console.driver, IN_1, NULL, 0, &in, 1);
    kiln_driver_kick(console.driver, IN_1);
    sent = (size_t)send(console.hosts[1].peer, text, 1000, 0);
    kiln_driver_settle(console.driver);
    ck_assert(!kiln_driver_take_used(console.driver, IN_1, NULL, NULL)); /* it is not open */
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    while (got < sizeof text) {
        ssize_t more = send(console.hosts[1].peer, text + sent, sizeof text - sent, MSG_DONTWAIT);

        sent += more > 0 ? (size_t)more : 0;
        kiln_driver_wait_used(console.driver, IN_1, NULL, &length);
        memcpy(seen + got, in.host, length);
        got += length;
        kiln_driver_add(console.driver, IN_1, NULL, 0, &in, 1);
        kiln_driver_kick(console.driver, IN_1);
    }
    ck_assert_mem_eq(seen, text, sizeof text);
    console_close();
}
END_TEST

/* Far more than every buffer on the way holds, with a migration in the midst. */
START_TEST(output_waits_for_the_host_and_nothing_is_lost)
{
    enum { CHUNK = 64 * 1024, TOTAL = 40 * CHUNK };
    unsigned sent = 0, seen = 0;
    KilnDriverBuffer out[2];

    console_open(KILN_DRIVER_SPLIT);
    set_up_ports();
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    out[0] = kiln_driver_alloc(console.driver, CHUNK / 2);
    out[1] = kiln_driver_alloc(console.driver, CHUNK / 2);
    for (unsigned i = 0; i < CHUNK / 2; i++)
        out[0].host[i] = out[1].host[i] = (uint8_t)(i % 251);
    for (; sent < 20; sent++)
        kiln_driver_add(console.driver, OUT_1, out, 2, NULL, 0);
    kiln_driver_kick(console.driver, OUT_1);
    kiln_driver_settle(console.driver);
    ck_assert_uint_gt(kiln_driver_in_flight(console.driver, OUT_1), 10); /* it does wait */
    while (sent < 40 || seen < TOTAL) {
        uint8_t data[4096];
        ssize_t n = recv(console.hosts[1].peer, data, sizeof data, MSG_DONTWAIT);

        for (ssize_t i = 0; i < n; i++, seen++)
            ck_assert_uint_eq(data[i], seen % (CHUNK / 2) % 251);
        if (n <= 0)
            kiln_driver_settle(console.driver);
        while (kiln_driver_take_used(console.driver, OUT_1, NULL, NULL))
            ;
        if (sent < 40 && kiln_driver_add(console.driver, OUT_1, out, 2, NULL, 0) >= 0)
            sent++;
        kiln_driver_kick(console.driver, OUT_1);
    }
    ck_assert_uint_eq(seen, TOTAL);
    console_close();
}
END_TEST

START_TEST(a_buffer_half_sent_goes_on_elsewhere)
{
    enum { TOTAL = 1 << 20 };
    unsigned seen = 0, wanted = 0;
    KilnVirtioDevice *next;
    Host *from, *to;
    KilnDriverBuffer out;

    console_open(KILN_DRIVER_SPLIT);
    set_up_ports();
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    out = kiln_driver_alloc(console.driver, TOTAL);
    for (unsigned i = 0; i < TOTAL; i++)
        out.host[i] = (uint8_t)(i % 251);
    kiln_driver_add(console.driver, OUT_1, &out, 1, NULL, 0);
    kiln_driver_kick(console.driver, OUT_1);
    kiln_driver_settle(console.driver);
    ck_assert_uint_eq(kiln_driver_in_flight(console.driver, OUT_1), 1);

    from = &console.hosts[1];
    next = new_device();
    add_port(next, 0, NULL);
    to = add_port(next, 1, "org.qemu.guest_agent.0");
    kiln_driver_migrate(console.driver, next);
    console.device = next;
    kiln_driver_settle(console.driver);
    ck_assert(kiln_virtio_console_guest_connected(next, 1));
    for (unsigned from_old = 1; seen < TOTAL;) {
        uint8_t data[4096];
        ssize_t n = recv((from_old ? from : to)->peer, data, sizeof data, MSG_DONTWAIT);

        for (ssize_t i = 0; i < n; i++, seen++)
            ck_assert_uint_eq(data[i], seen % 251);
        if (n > 0)
            continue;
        kiln_driver_settle(console.driver);
        if (from_old && wanted++ > 100)
            from_old = 0; /* the old side has sent what it had taken */
    }
    kiln_driver_wait_used(console.driver, OUT_1, NULL, NULL);
    console_close();
}
END_TEST

START_TEST(the_host_side_opens_and_closes)
{
    console_open(KILN_DRIVER_SPLIT);
    set_up_ports();
    shutdown(console.hosts[1].peer, SHUT_RDWR);
    expect(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
    expect_silence();
    shutdown(console.hosts[0].peer, SHUT_RDWR); /* a console stays open */
    expect_silence();
    console_close();
}
END_TEST

START_TEST(ports_come_and_go)
{
    Host *host;
    g_autoptr(GError) error = NULL;
    KilnVirtioConsolePort wrong = { .number = MAX_PORTS };

    console_open(KILN_DRIVER_SPLIT);
    set_up_ports();
    host = add_port(console.device, 3, "com.example.0");
    expect(3, VIRTIO_CONSOLE_PORT_ADD, 1);
    expect_silence();
    tell(3, VIRTIO_CONSOLE_PORT_READY, 1);
    ck_assert_str_eq(expect(3, VIRTIO_CONSOLE_PORT_NAME, 1), "com.example.0");
    expect(3, VIRTIO_CONSOLE_PORT_OPEN, 1);
    tell(3, VIRTIO_CONSOLE_PORT_OPEN, 1);
    send_text(9, "hello");
    expect_text(host, "hello");

    ck_assert(kiln_virtio_console_remove_port(console.device, 3, NULL));
    ck_assert(!kiln_virtio_console_guest_connected(console.device, 3));
    expect(3, VIRTIO_CONSOLE_PORT_REMOVE, 1);
    send_text(9, "into the void"); /* still given back */
    tell(3, VIRTIO_CONSOLE_PORT_OPEN, 0);
    expect_silence();
    ck_assert(!kiln_virtio_console_remove_port(console.device, 3, &error));
    kiln_assert_error_has(error, "there is no port 3");
    g_clear_error(&error);

    /* Removed and there again, before the driver takes the messages. */
    ck_assert(kiln_virtio_console_remove_port(console.device, 1, NULL));
    add_port(console.device, 1, "other");
    expect(1, VIRTIO_CONSOLE_PORT_REMOVE, 1);
    expect(1, VIRTIO_CONSOLE_PORT_ADD, 1);
    ck_assert(!kiln_virtio_console_add_port(console.device, &wrong, &error));
    kiln_assert_error_has(error, "port 4 of a device with 4 ports");
    wrong.number = 0;
    ck_assert(!kiln_virtio_console_add_port(console.device, &wrong, NULL));
    console_close();
}
END_TEST

START_TEST(a_driver_begins_anew)
{
    console_open(KILN_DRIVER_SPLIT);
    set_up_ports();
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    kiln_driver_reset(console.driver);
    kiln_driver_settle(console.driver);
    ck_assert_uint_eq(console.n_connects, 2);
    ck_assert(!console.connected);
    kiln_driver_start(console.driver, KILN_DRIVER_SPLIT);
    give_control_buffers();
    set_up_ports();
    console_close();
}
END_TEST

START_TEST(a_driver_that_knows_one_port)
{
    uint32_t length;

    console_open(KILN_DRIVER_PLAIN);
    send_text(1, "plain");
    expect_text(&console.hosts[0], "plain");

    KilnDriverBuffer in = kiln_driver_alloc(console.driver, 64);

    kiln_driver_add(console.driver, 0, NULL, 0, &in, 1);
    kiln_driver_kick(console.driver, 0);
    ck_assert_int_eq(send(console.hosts[0].peer, "ls\n", 3, 0), 3);
    kiln_driver_wait_used(console.driver, 0, NULL, &length);
    ck_assert_uint_eq(length, 3);
    console_close();
}
END_TEST

START_TEST(sizes_and_emergency_writes)
{
    const char *size;

    console_open(KILN_DRIVER_SPLIT);
    set_up_ports();
    kiln_driver_config_interrupts(console.driver);
    kiln_virtio_console_resize(console.device, 0, 132, 43);
    size = expect(0, VIRTIO_CONSOLE_RESIZE, 1);
    ck_assert_uint_eq(kiln_le16_load(size), 43);
    ck_assert_uint_eq(kiln_le16_load(size + 2), 132);
    ck_assert_uint_eq(kiln_driver_config(console.driver, 0, 2), 132);
    ck_assert_uint_eq(kiln_driver_config(console.driver, 2, 2), 43);
    ck_assert_uint_eq(kiln_driver_config_interrupts(console.driver), 1);
    kiln_virtio_console_resize(console.device, 1, 80, 25); /* a channel has no size */
    expect_silence();
    for (const char *p = "panic"; *p != '\0'; p++)
        kiln_driver_set_config(console.driver, 8, (uint8_t)*p, 4);
    expect_text(&console.hosts[0], "panic");
    console_close();
}
END_TEST

START_TEST(nonsense_is_survived)
{
    static const uint32_t ports[] = { 0, 1, 2, 3, 4, 1000, UINT32_MAX };

    console_open(KILN_DRIVER_SPLIT);
    for (unsigned event = 0; event < 12; event++)
        for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++)
            for (uint16_t value = 0; value < 3; value++)
                tell(ports[i], (uint16_t)event, value);
    ck_assert(!kiln_driver_broken(console.driver));

    KilnDriverBuffer small = kiln_driver_alloc(console.driver, 3);

    kiln_driver_request(console.driver, CONTROL_OUT, &small, 1, NULL, 0);
    kiln_driver_request(console.driver, 7, &small, 1, NULL, 0); /* of no port */
    ck_assert(!kiln_driver_broken(console.driver));
    kiln_driver_reset(console.driver);
    kiln_driver_start(console.driver, KILN_DRIVER_SPLIT);
    small = kiln_driver_alloc(console.driver, 3);
    kiln_driver_add(console.driver, CONTROL_IN, NULL, 0, &small, 1);
    kiln_driver_kick(console.driver, CONTROL_IN);
    tell(UINT32_MAX, VIRTIO_CONSOLE_DEVICE_READY, 1);
    ck_assert(kiln_driver_broken(console.driver));
    console_close();
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-console");
    TCase *tcase = kiln_test_case(suite, "console");

    tcase_add_loop_test(tcase, ports_are_announced_and_carry_bytes, 0, G_N_ELEMENTS(drivers));
    tcase_add_test(tcase, input_waits_for_the_guest);
    tcase_add_test(tcase, output_waits_for_the_host_and_nothing_is_lost);
    tcase_add_test(tcase, a_buffer_half_sent_goes_on_elsewhere);
    tcase_add_test(tcase, the_host_side_opens_and_closes);
    tcase_add_test(tcase, ports_come_and_go);
    tcase_add_test(tcase, a_driver_begins_anew);
    tcase_add_test(tcase, a_driver_that_knows_one_port);
    tcase_add_test(tcase, sizes_and_emergency_writes);
    tcase_add_test(tcase, nonsense_is_survived);
    return suite;
}

KILN_TEST_MAIN(make_suite)
