/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions behind a port while vCPUs move the port's windows and their BARs, mask vectors, and
 * reset the bus, devices interrupt, and the slot's card comes and goes.  For ThreadSanitizer.
 */
#include "bus/pci-bus.h"

#include <pthread.h>
#include <stdatomic.h>

#include "device/root-port.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-card.h"
#include "tests/lib/kiln-test.h"

enum { N_ROUNDS = 300, N_VECTORS = 4, N_THREADS = 3 };

#define ECAM UINT64_C(0xe0000000)
#define PORT (ECAM + (2 << 15))
#define CARD (ECAM + (1 << 20))
#define BAR  UINT64_C(0xc0000000)

typedef struct {
    KilnBoard *board;
    KilnPciDevice *port;
    KilnCard *other; /* stays */
    atomic_bool stop;
} Stress;

/* The board's own list of wires is for one thread. */
static void
no_connect(void *opaque, KilnMsiWire *const *wires, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        wires[i]->route = 1;
}

static void
no_disconnect(void *opaque, KilnMsiWire *const *wires, unsigned n)
{
}

static const KilnMsiOps no_ops = { .connect = no_connect, .disconnect = no_disconnect };

static void
put(Stress *stress, uint64_t address, uint32_t value, unsigned size)
{
    kiln_board_write(stress->board, address, value, size);
}

static void
open_window(Stress *stress)
{
    put(stress, PORT + PCI_PRIMARY_BUS, 0x00010100, 4);
    put(stress, PORT + PCI_MEMORY_BASE, 0xc000c000, 4);
    put(stress, PORT + PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

static void
place_card(Stress *stress)
{
    put(stress, CARD + PCI_BASE_ADDRESS_1, BAR, 4);
    put(stress, CARD + PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

static void *
move_windows(void *opaque)
{
    Stress *stress = opaque;

    for (unsigned i = 0; !atomic_load(&stress->stop); i++) {
        put(stress, PORT + PCI_MEMORY_BASE, i % 2 ? 0xc000c000 : 0xd000d000, 4);
        put(stress, PORT + PCI_COMMAND, i % 3 ? PCI_COMMAND_MEMORY : 0, 2);
        if (i % 16 == 0)
            put(stress, PORT + PCI_BRIDGE_CONTROL, i % 32 ? PCI_BRIDGE_CTL_BUS_RESET : 0, 2);
        if (i % 8 == 0)
            open_window(stress);
    }
    return NULL;
}

static void *
move_bars(void *opaque)
{
    Stress *stress = opaque;

    for (unsigned i = 0; !atomic_load(&stress->stop); i++) {
        place_card(stress);
        put(stress, CARD + 0x42, i % 2 ? PCI_MSIX_FLAGS_ENABLE : 0, 2);
        put(stress, BAR + 16 * (i % N_VECTORS) + 12, i / 2 % 2, 4);
        kiln_board_read(stress->board, BAR + 0x800, 8);
        put(stress, CARD + PCI_BASE_ADDRESS_1, 0xd0000000, 4);
    }
    return NULL;
}

static void *
interrupt(void *opaque)
{
    Stress *stress = opaque;

    for (unsigned i = 0; !atomic_load(&stress->stop); i++)
        kiln_msix_notify(stress->other->msix, i % N_VECTORS);
    return NULL;
}

static KilnCard *
insert(Stress *stress, uint8_t devfn)
{
    KilnCard *card = kiln_card_new("card", N_VECTORS);

    ck_assert(kiln_pci_bus_add(kiln_root_port_bus(stress->port), &card->pci, devfn, NULL));
    return card;
}

static void
pull_out(Stress *stress, KilnCard *card)
{
    kiln_pci_bus_remove(&card->pci);
    kiln_pci_host_synchronize(stress->board->host);
    kiln_device_free(&card->pci.device);
    kiln_root_port_unplugged(stress->port);
}

START_TEST(cards_come_and_go_while_vcpus_configure)
{
    static void *(*const run[N_THREADS])(void *) = { move_windows, move_bars, interrupt };
    Stress stress = { .board = kiln_board_new() };
    KilnPciHostOptions host = { .io = stress.board->io,
                                .memory = stress.board->memory,
                                .msi = { &no_ops, NULL } };
    KilnRootPortOptions port = { .id = "port", .number = 1, .hotplug = TRUE };
    pthread_t threads[N_THREADS];
    KilnCard *card;

    kiln_pci_host_free(stress.board->host);
    stress.board->host = kiln_pci_host_new(&host, NULL);
    kiln_pci_host_set_ecam(stress.board->host, ECAM, 256 << 20);
    stress.port = kiln_root_port_new(&port, NULL);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(stress.board->host), stress.port,
                               KILN_PCI_DEVFN(2, 0), NULL));
    stress.other = insert(&stress, KILN_PCI_DEVFN(0, 1));
    open_window(&stress);
    for (unsigned i = 0; i < N_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run[i], &stress), 0);
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        card = insert(&stress, 0);
        kiln_root_port_plug(stress.port, TRUE, NULL);
        kiln_root_port_unplug_request(stress.port, NULL);
        pull_out(&stress, card);
    }
    atomic_store(&stress.stop, TRUE);
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);

    card = insert(&stress, 0);
    open_window(&stress);
    place_card(&stress);
    put(&stress, BAR, 0x12345678, 4);
    ck_assert_uint_eq(kiln_board_read(stress.board, BAR, 4), 0x12345678);
    put(&stress, PORT + PCI_COMMAND, 0, 2);
    ck_assert_uint_eq(kiln_board_read(stress.board, BAR, 4), 0xffffffff);
    pull_out(&stress, card);
    kiln_device_free(&stress.other->pci.device);
    kiln_device_free(&stress.port->device);
    kiln_board_free(stress.board);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("pci-stress");
    TCase *tcase = kiln_test_case(suite, "pci-stress");

    tcase_add_test(tcase, cards_come_and_go_while_vcpus_configure);
    return suite;
}

KILN_TEST_MAIN(make_suite)
