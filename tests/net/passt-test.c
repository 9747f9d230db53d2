/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real passt, in a network of our own: it answers for the gateway, and its death is told. */
#include "tests/lib/kiln-test.h"
#include "tests/net/namespace.h"

#include "base/process.h"
#include "net/passt.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { ARP = KILN_NETDEV_HEADER + 42 };

typedef struct {
    KilnNetdev *netdev;
    gboolean ready;
    int link;
} Wire;

static void
on_ready(unsigned queue G_GNUC_UNUSED, GIOCondition ready G_GNUC_UNUSED, gpointer data)
{
    ((Wire *)data)->ready = TRUE;
}

static void
on_link(gboolean up, gpointer data)
{
    ((Wire *)data)->link = up;
}

/* Waits for a frame with EtherType @type; fills @bytes with it. */
static void
wait_for(Wire *wire, uint16_t type, uint8_t *bytes, size_t room)
{
    for (;;) {
        struct iovec iov = { bytes, room };
        KilnNetPacket packet = { &iov, 1, 0 };
        int n = kiln_netdev_receive(wire->netdev, 0, &packet, 1);

        ck_assert_int_ge(n, 0);
        if (n == 1 && packet.length >= 26 && bytes[24] == type >> 8 && bytes[25] == (type & 0xff))
            return;
        if (n == 0)
            g_main_context_iteration(NULL, TRUE);
    }
}

START_TEST(passt_answers_and_its_end_cuts_the_cable)
{
    static const uint8_t request[ARP] = {
        [12] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0,    1,    2, 3, 0x08, 0x06, /* ARP
                                                                                              */
        0,           1,    8,    0,    6,    4,    0,    1,    0x52, 0x54, 0, 1, 2,    3,    192,
        0,           2,    15,   0,    0,    0,    0,    0,    0,    192,  0, 2, 1, /* who has */
    };
    const KilnPasstOptions options = { .id = "net0" };
    g_autoptr(GError) error = NULL;
    uint8_t bytes[2048];
    struct iovec iov = { (void *)request, sizeof request };
    KilnNetPacket packet = { &iov, 1, sizeof request };
    g_autoptr(KilnNetdev) netdev = kiln_passt_open(&options, &error);
    Wire wire = { .netdev = netdev, .link = TRUE };

    kiln_assert_no_error(error);
    kiln_netdev_set_link_func(netdev, on_link, &wire);
    kiln_netdev_attach(netdev, 0, NULL, on_ready, &wire);
    kiln_netdev_want(netdev, 0, G_IO_IN);
    ck_assert_int_eq(kiln_netdev_send(netdev, 0, &packet, 1), 1);
    wait_for(&wire, 0x0806, bytes, sizeof bytes);
    ck_assert_uint_eq(bytes[12 + 21], 2); /* a reply */
    ck_assert_mem_eq(bytes + 12 + 28, request + 12 + 38, 4);
    ck_assert_int_eq(system("kill $(pgrep -P $PPID -x 'passt|passt.avx2' | head -n 1) 2>/dev/null"),
                     0);
    while (wire.link)
        g_main_context_iteration(NULL, TRUE);
}
END_TEST

START_TEST(what_passt_does_not_like_is_an_error_in_its_words)
{
    static const KilnPasstRange ranges[] = { { 4000, 0, 22, FALSE } };
    static const KilnPasstForward forwards[] = {
        { FALSE, "203.0.113.99", NULL, ranges, 1 }, /* no address of this host */
    };
    const KilnPasstOptions options = { .id = "net0", .forwards = forwards, .n_forwards = 1 };
    enum { ATTEMPTS = 20 };
    g_autoptr(GError) error = NULL;
    KilnNetdev *netdev = kiln_passt_open(&options, &error);

    /* On a busy machine passt may be too late with it to be waited for. */
    for (unsigned i = 0; netdev != NULL && i < ATTEMPTS; i++) {
        kiln_netdev_free(netdev);
        netdev = kiln_passt_open(&options, &error);
    }
    ck_assert_ptr_null(netdev);
    kiln_assert_error_has(error, "interface 'net0': passt ended with status 1: ");
}
END_TEST

static Suite *
passt_suite(void)
{
    Suite *suite = suite_create("net/passt");
    TCase *test = kiln_test_case(suite, "passt");

    tcase_add_test(test, passt_answers_and_its_end_cuts_the_cable);
    tcase_add_test(test, what_passt_does_not_like_is_an_error_in_its_words);
    return suite;
}

/* Something that passt can take for the way out. */
static const char *
make_network(void)
{
    return system("ip link set lo up && ip tuntap add dev out0 mode tap && "
                  "ip address add 192.0.2.15/24 dev out0 && ip link set out0 up && "
                  "ip route add default via 192.0.2.1") == 0
               ? NULL
               : "no tap can be made (or there is no ip)";
}

int
main(void)
{
    g_autofree char *program = kiln_process_find("passt", NULL);
    const char *reason = program == NULL ? "passt is not installed" : kiln_test_enter_namespace();

    if (reason == NULL)
        reason = make_network();
    return reason != NULL ? kiln_test_skip_all(reason) : kiln_test_main(passt_suite());
}
