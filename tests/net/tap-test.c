/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real taps, in a user and network namespace of our own, where the host gives us one. */
#include "tests/lib/kiln-test.h"
#include "tests/net/namespace.h"

#include "base/error.h"
#include "base/fd.h"
#include "net/bridge-helper.h"
#include "net/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

static KilnFd
listen_on(const char *name)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)kiln_interface_index(name) };
    KilnFd fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

START_TEST(a_tap_carries_frames_both_ways)
{
    const KilnTapOptions options = { .id = "net0", .mac = mac, .mtu = 4000 };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnNetdev) netdev = kiln_tap_open(&options, &error);
    g_auto(KilnFd) host = -1;
    uint8_t packet[KILN_NETDEV_HEADER + 100] = { 0 };
    uint8_t other[4096];
    uint8_t seen[6];
    struct iovec iov = { packet, sizeof packet };
    struct iovec room = { other, sizeof other };
    KilnNetPacket out = { &iov, 1, sizeof packet };
    KilnNetPacket in = { &room, 1, 0 };
    KilnNetdevStatistics count;
    ssize_t n;

    kiln_assert_no_error(error);
    ck_assert_str_eq(netdev->host_name, "vnet0");
    ck_assert_uint_eq(netdev->mtu, 4000);
    ck_assert_uint_eq(kiln_interface_mtu("vnet0"), 4000);
    ck_assert_uint_ne(netdev->offloads & KILN_NETDEV_TSO4, 0);
    ck_assert(kiln_interface_get_mac("vnet0", seen, &error));
    ck_assert_uint_eq(seen[0], 0xfe);
    ck_assert_mem_eq(seen + 1, mac + 1, 5);
    host = listen_on("vnet0");
    memset(packet + KILN_NETDEV_HEADER, 0xff, 6);
    memcpy(packet + KILN_NETDEV_HEADER + 6, mac, 6);
    packet[KILN_NETDEV_HEADER + 12] = 0x88; /* an EtherType for local experiments */
    packet[KILN_NETDEV_HEADER + 13] = 0xb5;
    packet[KILN_NETDEV_HEADER + 99] = 0x77;
    ck_assert_int_eq(kiln_netdev_send(netdev, 0, &out, 1), 1);
    do { /* the kernel says a word or two itself: router solicitations and the like */
        n = recv(host, other, sizeof other, 0);
        ck_assert_int_gt(n, 0);
    } while (n != 100 || other[99] != 0x77);
    ck_assert_int_eq(send(host, packet + KILN_NETDEV_HEADER, 100, 0), 100);
    do {
        ck_assert_int_eq(kiln_netdev_receive(netdev, 0, &in, 1), 1);
    } while (in.length != sizeof packet || other[sizeof packet - 1] != 0x77);
    ck_assert_mem_eq(other + KILN_NETDEV_HEADER, packet + KILN_NETDEV_HEADER, 100);
    ck_assert(kiln_netdev_count_outside(netdev, &error));
    kiln_netdev_statistics(netdev, &count);
    ck_assert_uint_ge(count.tx_packets, 1);
    ck_assert_uint_ge(count.rx_bytes, 100);
}
END_TEST

START_TEST(a_batch_goes_both_ways_in_its_order)
{
    enum { N = 8, LENGTH = KILN_NETDEV_HEADER + 60 };
    const KilnTapOptions options = { .id = "net0" };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnNetdev) netdev = kiln_tap_open(&options, &error);
    g_auto(KilnFd) host = -1;
    static uint8_t bytes[N][2048];
    struct iovec iov[N];
    KilnNetPacket packets[N];
    uint8_t other[2048];
    unsigned seen = 0;

    kiln_assert_no_error(error);
    host = listen_on(netdev->host_name);
    for (unsigned i = 0; i < N; i++) {
        memset(bytes[i], 0, sizeof bytes[i]);
        memset(bytes[i] + KILN_NETDEV_HEADER, 0xff, 6);
        memcpy(bytes[i] + KILN_NETDEV_HEADER + 6, mac, 6);
        bytes[i][KILN_NETDEV_HEADER + 12] = 0x88;
        bytes[i][KILN_NETDEV_HEADER + 13] = 0xb5;
        bytes[i][LENGTH - 1] = (uint8_t)(i + 1);
        iov[i] = (struct iovec){ bytes[i], LENGTH };
        packets[i] = (KilnNetPacket){ &iov[i], 1, LENGTH };
    }
    ck_assert_int_eq(kiln_netdev_send(netdev, 0, packets, N), N);
    while (seen < N) {
        ck_assert_int_gt(recv(host, other, sizeof other, 0), 0);
        if (other[12] == 0x88 && other[13] == 0xb5)
            ck_assert_uint_eq(other[59], ++seen);
    }
    for (unsigned i = 0; i < N; i++) {
        ck_assert_int_eq(send(host, bytes[i] + KILN_NETDEV_HEADER, 60, 0), 60);
        iov[i].iov_len = sizeof bytes[i];
    }
    for (seen = 0; seen < N;) { /* the kernel says a word or two itself */
        int n = kiln_netdev_receive(netdev, 0, packets, N);

        ck_assert_int_gt(n, 0);
        for (unsigned i = 0; i < (unsigned)n; i++)
            if (packets[i].length == LENGTH && bytes[i][KILN_NETDEV_HEADER + 12] == 0x88)
                ck_assert_uint_eq(bytes[i][LENGTH - 1], ++seen);
    }
}
END_TEST

/* The kernel takes the io_uring of a process that was killed apart in its own time. */
START_TEST(a_tap_is_had_again_when_its_owner_was_killed)
{
    const KilnTapOptions options = { .id = "net0", .name = "again0" };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnNetdev) netdev = NULL;
    int pipes[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        netdev = kiln_tap_open(&options, NULL);
        byte = netdev != NULL;
        (void)!write(pipes[1], &byte, 1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    netdev = kiln_tap_open(&options, &error);
    kiln_assert_no_error(error);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}
END_TEST

START_TEST(queues_are_enabled_and_disabled)
{
    const KilnTapOptions options = { .id = "net0", .name = "many%d", .n_queues = 8 };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnNetdev) netdev = kiln_tap_open(&options, &error);

    kiln_assert_no_error(error);
    ck_assert_str_eq(netdev->host_name, "many0");
    ck_assert_uint_eq(netdev->n_queues, 8);
    for (unsigned round = 0; round < 3; round++) {
        kiln_netdev_enable(netdev, 1);
        kiln_netdev_enable(netdev, 8);
        kiln_netdev_enable(netdev, 3);
    }
    kiln_netdev_set_offloads(netdev, KILN_NETDEV_CSUM | KILN_NETDEV_TSO4);
}
END_TEST

START_TEST(a_bridge_gets_a_port_and_gives_its_mtu)
{
    KilnTapOptions options = { .id = "net0", .bridge = "br0", .mac = mac };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnNetdev) netdev = NULL;
    g_autofree char *port = NULL;

    ck_assert_ptr_null(kiln_tap_open(&options, &error));
    kiln_assert_error_has(error, "interface 'net0': bridge 'br0' does not exist");
    g_clear_error(&error);
    options.bridge = "lo";
    ck_assert_ptr_null(kiln_tap_open(&options, &error));
    kiln_assert_error_has(error, "interface 'net0': interface 'lo' is not a bridge");
    g_clear_error(&error);
    options.bridge = "br0";
    if (system("ip link add br0 mtu 1400 type bridge 2>/dev/null") != 0)
        return; /* a kernel without bridges: what was asserted so far has been */
    options.isolated = TRUE;
    netdev = kiln_tap_open(&options, &error);
    kiln_assert_no_error(error);
    ck_assert_uint_eq(netdev->mtu, 1400);
    port = g_strdup_printf("/sys/class/net/br0/brif/%s", netdev->host_name);
    ck_assert_int_eq(access(port, F_OK), 0);
}
END_TEST

START_TEST(a_macvtap_lives_as_long_as_its_backend)
{
    KilnMacvtapOptions options = {
        .id = "net0", .lower = "low0", .mode = KILN_MACVTAP_BRIDGE, .mac = mac
    };
    g_autoptr(GError) error = NULL;
    KilnNetdev *netdev;

    ck_assert_ptr_null(kiln_macvtap_open(&options, &error));
    kiln_assert_error_has(error, "host interface 'low0' does not exist");
    g_clear_error(&error);
    if (system("ip tuntap add dev low0 mode tap && ip link set low0 up") != 0)
        return;
    netdev = kiln_macvtap_open(&options, &error);
    if (netdev == NULL) { /* no macvtap in this kernel, or no device nodes for us to make */
        ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_UNSUPPORTED) ||
                  g_error_matches(error, KILN_ERROR, KILN_ERROR_PERMISSION));
        return;
    }
    ck_assert_str_eq(netdev->host_name, "macvtap0");
    ck_assert_uint_ne(kiln_interface_index("macvtap0"), 0);
    kiln_netdev_free(netdev);
    ck_assert_uint_eq(kiln_interface_index("macvtap0"), 0);
}
END_TEST

START_TEST(scripts_are_run_before_and_after)
{
    g_autofree char *directory = kiln_test_dir();
    g_autofree char *script = g_build_filename(directory, "script", NULL);
    g_autofree char *down = g_build_filename(directory, "down", NULL);
    g_autofree char *said = g_build_filename(directory, "said", NULL);
    g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"$0 $1\" >>%s\n", said);
    g_autofree char *found = NULL;
    g_autofree char *wanted = g_strdup_printf("%s vnet0\n%s vnet0\n", script, down);
    KilnTapOptions options = { .id = "net0", .script = script, .down_script = down };
    g_autoptr(GError) error = NULL;
    KilnNetdev *netdev;

    ck_assert(g_file_set_contents(script, text, -1, NULL));
    ck_assert(g_file_set_contents(down, text, -1, NULL));
    ck_assert_int_eq(chmod(script, 0700) + chmod(down, 0700), 0);
    netdev = kiln_tap_open(&options, &error);
    kiln_assert_no_error(error);
    kiln_netdev_free(netdev);
    ck_assert(g_file_get_contents(said, &found, NULL, NULL));
    ck_assert_str_eq(found, wanted);
    options.script = "/nonexistent/script";
    ck_assert_ptr_null(kiln_tap_open(&options, &error));
    kiln_assert_error_has(error, "/nonexistent/script");
}
END_TEST

START_TEST(a_helper_passes_a_tap_over_a_socket)
{
    g_autofree char *directory = kiln_test_dir();
    g_autofree char *helper = g_build_filename(directory, "helper", NULL);
    const char script[] =
        "#!/usr/bin/env python3\n"
        "import array, fcntl, os, socket, struct, sys\n"
        "if sys.argv[1:] != ['--use-vnet', '--br=br7', '--fd=3']:\n"
        "    sys.exit('access denied by acl file')\n"
        "tap = os.open('/dev/net/tun', os.O_RDWR)\n"
        "fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH22x', b'tap%d', 0x5002))\n"
        "s = socket.socket(fileno=3)\n"
        "s.sendmsg([b'\\0'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [tap]))])\n";
    g_autoptr(GError) error = NULL;
    int fds[1];
    KilnTapOptions options = { .id = "net0", .fds = fds };
    g_autoptr(KilnNetdev) netdev = NULL;

    ck_assert(g_file_set_contents(helper, script, -1, NULL));
    ck_assert_int_eq(chmod(helper, 0700), 0);
    ck_assert_int_eq(kiln_bridge_helper_open(helper, "br8", &error), -1);
    kiln_assert_error_has(error, "access denied by acl file");
    kiln_assert_error_has(error, "allow br8");
    g_clear_error(&error);
    fds[0] = kiln_bridge_helper_open(helper, "br7", &error);
    kiln_assert_no_error(error);
    netdev = kiln_tap_open(&options, &error);
    kiln_assert_no_error(error);
    ck_assert_str_eq(netdev->host_name, "tap0");
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    KilnTapOptions options = { .id = "net0", .name = "has space" };
    KilnTapOptions no_driver = { .id = "net0", .device = "/nonexistent/tun" };
    KilnTapOptions no_tap = { .id = "net0", .name = "lo", .existing = TRUE };
    g_auto(KilnFd) file = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[1];
    KilnTapOptions given = { .id = "net0", .fds = fds };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_tap_open(&options, &error));
    kiln_assert_error_has(error, "has space");
    g_clear_error(&error);
    ck_assert_ptr_null(kiln_tap_open(&no_driver, &error));
    kiln_assert_error_has(error, "modprobe tun");
    g_clear_error(&error);
    ck_assert_ptr_null(kiln_tap_open(&no_tap, &error));
    kiln_assert_error_has(error, "'lo'");
    g_clear_error(&error);
    fds[0] = kiln_fd_steal(&file);
    ck_assert_ptr_null(kiln_tap_open(&given, &error));
    kiln_assert_error_has(error, "is no tap");
}
END_TEST

static Suite *
tap_suite(void)
{
    Suite *suite = suite_create("net/tap");
    TCase *test = kiln_test_case(suite, "tap");

    tcase_add_test(test, a_tap_carries_frames_both_ways);
    tcase_add_test(test, a_batch_goes_both_ways_in_its_order);
    tcase_add_test(test, a_tap_is_had_again_when_its_owner_was_killed);
    tcase_add_test(test, queues_are_enabled_and_disabled);
    tcase_add_test(test, a_bridge_gets_a_port_and_gives_its_mtu);
    tcase_add_test(test, a_macvtap_lives_as_long_as_its_backend);
    tcase_add_test(test, scripts_are_run_before_and_after);
    tcase_add_test(test, a_helper_passes_a_tap_over_a_socket);
    tcase_add_test(test, what_is_wrong_is_named);
    return suite;
}

int
main(void)
{
    const char *reason = kiln_test_enter_namespace();

    return reason != NULL ? kiln_test_skip_all(reason) : kiln_test_main(tap_suite());
}
