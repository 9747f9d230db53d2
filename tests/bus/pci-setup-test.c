/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a system finds that starts without firmware, looked at as it would look. */
#include "bus/pci-setup.h"

#include <string.h>

#include "device/root-port.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-card.h"
#include "tests/lib/kiln-test.h"

enum { N_PORTS = 4, MAX_CARDS = 8 };

#define LOW      UINT64_C(0x80000000)
#define LOW_SIZE UINT64_C(0x60000000)
#define HIGH     UINT64_C(0x140000000)

typedef struct {
    KilnBoard *board;
    KilnPciDevice *ports[N_PORTS]; /* 00:02.0, .1, .2 and 00:03.0 */
    KilnCard *cards[MAX_CARDS];
    unsigned n_cards;
    KilnPciSetupOptions options;
} System;

static void
system_open(System *system)
{
    static const char *const ids[N_PORTS] = { "pci.1", "pci.2", "pci.3", "pci.4" };

    memset(system, 0, sizeof *system);
    system->board = kiln_board_new();
    for (unsigned i = 0; i < N_PORTS; i++) {
        KilnRootPortOptions port = { .id = ids[i], .number = (uint8_t)(i + 1), .hotplug = i != 3 };

        system->ports[i] = kiln_root_port_new(&port, NULL);
        ck_assert(kiln_pci_bus_add(kiln_pci_host_root(system->board->host), system->ports[i],
                                   i == 3 ? KILN_PCI_DEVFN(3, 0) : KILN_PCI_DEVFN(2, i), NULL));
    }
    system->options.io = (KilnPciWindow){ 0x1000, 0xf000 };
    system->options.low = (KilnPciWindow){ LOW, LOW_SIZE };
    system->options.high = (KilnPciWindow){ HIGH, UINT64_C(1) << 36 };
    system->options.decode = TRUE;
    for (unsigned slot = 0; slot < KILN_PCI_N_SLOTS; slot++)
        for (unsigned pin = 0; pin < KILN_PCI_N_PINS; pin++)
            system->options.lines[slot][pin] = (uint8_t)(100 + slot * 4 + pin);
}

static void
system_close(System *system)
{
    while (system->n_cards > 0)
        kiln_device_free(&system->cards[--system->n_cards]->pci.device);
    for (unsigned i = N_PORTS; i > 0; i--)
        kiln_device_free(&system->ports[i - 1]->device);
    kiln_board_free(system->board);
}

/* A card with a virtio function's BARs: MSI-X in BAR 1, and 64 bits of 16 KiB. */
static KilnCard *
add_card(System *system, KilnPciBus *bus, uint8_t devfn)
{
    KilnCard *card = kiln_card_new("card", 3);

    kiln_card_add_bar(card, 4, KILN_PCI_BAR_MEMORY_64, TRUE, 0x4000);
    ck_assert(kiln_pci_bus_add(bus, &card->pci, devfn, NULL));
    system->cards[system->n_cards++] = card;
    return card;
}

static uint64_t
bar(const KilnPciDevice *pci, unsigned index)
{
    return pci->bars[index].region.decoded;
}

static KilnPciWindow
window(const KilnPciDevice *port, unsigned kind)
{
    return port->windows[kind];
}

/* No two BARs and no two windows on one bus overlap, all are aligned and in the host's windows. */
static void
check_bus(const System *system, KilnPciBus *bus)
{
    KilnPciWindow seen[64];
    unsigned n = 0;

    for (unsigned devfn = 0; devfn < 256; devfn++) {
        KilnPciDevice *pci = kiln_pci_bus_at(bus, (uint8_t)devfn);

        if (pci == NULL)
            continue;
        for (unsigned i = 0; i < KILN_PCI_N_BARS; i++) {
            if (pci->bars[i].kind == KILN_PCI_BAR_NONE || pci->bars[i].kind == KILN_PCI_BAR_IO)
                continue;
            ck_assert_uint_ne(bar(pci, i), KILN_SPACE_UNMAPPED);
            ck_assert_uint_eq(bar(pci, i) % pci->bars[i].region.length, 0);
            seen[n++] = (KilnPciWindow){ bar(pci, i), pci->bars[i].region.length };
        }
        if (pci->secondary == NULL)
            continue;
        check_bus(system, pci->secondary);
        for (unsigned kind = KILN_PCI_WINDOW_MEMORY; kind < KILN_PCI_N_WINDOWS; kind++)
            if (pci->windows[kind].length > 0)
                seen[n++] = pci->windows[kind];
    }
    for (unsigned i = 0; i < n; i++) {
        const KilnPciWindow *host =
            seen[i].base < HIGH ? &system->options.low : &system->options.high;

        ck_assert_uint_ge(seen[i].base, host->base);
        ck_assert_uint_le(seen[i].base + seen[i].length, host->base + host->length);
        for (unsigned j = 0; j < i; j++)
            ck_assert(seen[i].base + seen[i].length <= seen[j].base ||
                      seen[j].base + seen[j].length <= seen[i].base);
    }
}

START_TEST(buses_bars_and_windows)
{
    System system;
    KilnCard *behind, *second, *root;
    KilnPciHost *host;

    system_open(&system);
    host = system.board->host;
    root = add_card(&system, kiln_pci_host_root(host), KILN_PCI_DEVFN(1, 0));
    behind = add_card(&system, kiln_root_port_bus(system.ports[1]), 0);
    second = add_card(&system, kiln_root_port_bus(system.ports[1]), 3);
    add_card(&system, kiln_root_port_bus(system.ports[3]), 0);
    ck_assert(kiln_pci_setup(host, &system.options, NULL));
    check_bus(&system, kiln_pci_host_root(host));

    /* each port's bus is found by its number, in the order of addresses */
    for (unsigned i = 0; i < N_PORTS; i++)
        ck_assert_uint_eq(kiln_pci_device_config_read(system.ports[i], PCI_PRIMARY_BUS, 4),
                          (i + 1) << 16 | (i + 1) << 8);
    ck_assert_uint_eq(kiln_pci_host_config_read(host, 2 << 20, 4), 0x10411af4);
    ck_assert_uint_eq(kiln_pci_host_config_read(host, 4 << 20, 4), 0x10411af4);

    /* 64-bit ones are above 4 GiB, the others below; all of them answer */
    ck_assert_uint_ge(bar(&root->pci, 4), HIGH);
    ck_assert_uint_ge(bar(&behind->pci, 4), HIGH);
    ck_assert_uint_lt(bar(&behind->pci, 1), UINT64_C(1) << 32);
    ck_assert_uint_eq(kiln_board_read(system.board, bar(&second->pci, 4), 4), 0x5a5a5a5a);
    ck_assert_uint_eq(kiln_pci_device_config_read(&second->pci, PCI_COMMAND, 2),
                      PCI_COMMAND_MEMORY);
    ck_assert_uint_eq(kiln_pci_device_config_read(system.ports[0], PCI_COMMAND, 2), 7);

    /* what is in a slot from the start has power */
    ck_assert(system.ports[1]->config[0x40 + PCI_EXP_SLTSTA] & PCI_EXP_SLTSTA_PDS);
    ck_assert(!(system.ports[1]->config[0x40 + PCI_EXP_SLTCTL + 1] & PCI_EXP_SLTCTL_PCC >> 8));
    ck_assert(system.ports[0]->config[0x40 + PCI_EXP_SLTCTL + 1] & PCI_EXP_SLTCTL_PCC >> 8);

    /* an empty slot has room, one that nothing can come to has none */
    ck_assert_uint_eq(window(system.ports[0], KILN_PCI_WINDOW_MEMORY).length, 2 << 20);
    ck_assert_uint_eq(window(system.ports[0], KILN_PCI_WINDOW_PREFETCHABLE).length, 32 << 20);
    ck_assert_uint_eq(window(system.ports[3], KILN_PCI_WINDOW_MEMORY).length, 1 << 20);
    ck_assert_uint_eq(window(system.ports[3], KILN_PCI_WINDOW_PREFETCHABLE).length, 1 << 20);
    ck_assert_uint_eq(window(system.ports[3], KILN_PCI_WINDOW_IO).length, 0);

    /* pins: at the root as they are, behind a port as the port's slot has them */
    ck_assert_uint_eq(root->pci.config[PCI_INTERRUPT_LINE], 100 + 1 * 4);
    ck_assert_uint_eq(behind->pci.config[PCI_INTERRUPT_LINE], 100 + 2 * 4);
    ck_assert_uint_eq(system.ports[3]->config[PCI_INTERRUPT_LINE], 100 + 3 * 4);
    system_close(&system);
}
END_TEST

START_TEST(pci12_9_1_lines_are_swizzled)
{
    System system;
    KilnCard *card;

    system_open(&system);
    card = add_card(&system, kiln_root_port_bus(system.ports[0]), KILN_PCI_DEVFN(3, 0));
    ck_assert(kiln_pci_setup(system.board->host, &system.options, NULL));
    ck_assert_uint_eq(card->pci.config[PCI_INTERRUPT_LINE], 100 + 2 * 4 + 3);
    system_close(&system);
}
END_TEST

START_TEST(large_bars_come_first)
{
    System system;
    KilnCard *large, *small;

    system_open(&system);
    small = kiln_card_new("small", 0);
    kiln_card_add_bar(small, 0, KILN_PCI_BAR_MEMORY_32, FALSE, 0x1000);
    kiln_card_add_bar(small, 2, KILN_PCI_BAR_IO, FALSE, 0x40);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(system.board->host), &small->pci, 8, NULL));
    large = kiln_card_new("large", 0);
    kiln_card_add_bar(large, 0, KILN_PCI_BAR_MEMORY_32, FALSE, 0x10000000);
    kiln_card_add_bar(large, 2, KILN_PCI_BAR_MEMORY_64, TRUE, UINT64_C(0x200000000));
    ck_assert(kiln_pci_bus_add(kiln_root_port_bus(system.ports[2]), &large->pci, 0, NULL));
    system.cards[system.n_cards++] = small;
    system.cards[system.n_cards++] = large;
    ck_assert(kiln_pci_setup(system.board->host, &system.options, NULL));
    check_bus(&system, kiln_pci_host_root(system.board->host));
    ck_assert_uint_eq(bar(&large->pci, 0), LOW);
    ck_assert_uint_eq(bar(&large->pci, 2), UINT64_C(0x200000000)); /* the first that is aligned */
    ck_assert_uint_eq(bar(&small->pci, 2), 0x1000);
    ck_assert_uint_eq(kiln_pci_device_config_read(&small->pci, PCI_COMMAND, 2), 3);
    system_close(&system);
}
END_TEST

START_TEST(with_nothing_above_4_gib_all_is_below)
{
    System system;
    KilnCard *card;

    system_open(&system);
    system.options.high = (KilnPciWindow){ 0 };
    card = add_card(&system, kiln_root_port_bus(system.ports[0]), 0);
    ck_assert(kiln_pci_setup(system.board->host, &system.options, NULL));
    ck_assert_uint_lt(bar(&card->pci, 4), UINT64_C(1) << 32);
    ck_assert_uint_eq(window(system.ports[0], KILN_PCI_WINDOW_PREFETCHABLE).length, 0);
    system_close(&system);
}
END_TEST

START_TEST(a_window_that_is_too_small_is_named)
{
    System system;
    g_autoptr(GError) error = NULL;

    system_open(&system);
    system.options.low.length = 5 << 20;
    ck_assert(!kiln_pci_setup(system.board->host, &system.options, &error));
    kiln_assert_error_has(error, "'pci.3': no room for 2097152 bytes in the 32-bit memory window");
    system_close(&system);
}
END_TEST

START_TEST(drivers_may_be_left_to_decode)
{
    System system;
    KilnCard *card;

    system_open(&system);
    system.options.decode = FALSE;
    card = add_card(&system, kiln_root_port_bus(system.ports[0]), 0);
    ck_assert(kiln_pci_setup(system.board->host, &system.options, NULL));
    ck_assert_uint_eq(bar(&card->pci, 4), KILN_SPACE_UNMAPPED);
    kiln_pci_host_config_write(system.board->host, 1 << 20 | PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    ck_assert_uint_ge(bar(&card->pci, 4), HIGH);
    system_close(&system);
}
END_TEST

START_TEST(after_a_reset_all_is_as_before)
{
    System system;
    g_autofree uint8_t *before = NULL;

    system_open(&system);
    add_card(&system, kiln_root_port_bus(system.ports[0]), 0);
    ck_assert(kiln_pci_setup(system.board->host, &system.options, NULL));
    before = g_memdup2(system.cards[0]->pci.config, 4096);
    kiln_pci_host_config_write(system.board->host, 1 << 20 | PCI_BASE_ADDRESS_4, 0, 4);
    kiln_device_reset(&system.cards[0]->pci.device);
    for (unsigned i = 0; i < N_PORTS; i++)
        kiln_device_reset(&system.ports[i]->device);
    ck_assert(kiln_pci_setup(system.board->host, &system.options, NULL));
    ck_assert_mem_eq(before, system.cards[0]->pci.config, 4096);
    system_close(&system);
}
END_TEST

START_TEST(many_ports_fit)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnPciDevice *ports[200];
    KilnPciSetupOptions options = { .low = { LOW, LOW_SIZE }, .high = { HIGH, UINT64_C(1) << 35 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++) {
        g_autofree char *id = g_strdup_printf("pci.%u", i);
        KilnRootPortOptions port = { .id = id, .number = (uint8_t)i, .hotplug = TRUE };

        ports[i] = kiln_root_port_new(&port, NULL);
        ck_assert(
            kiln_pci_bus_add(kiln_pci_host_root(board->host), ports[i], (uint8_t)(i + 16), NULL));
    }
    ck_assert(kiln_pci_setup(board->host, &options, NULL));
    ck_assert_uint_eq(ports[199]->config[PCI_SECONDARY_BUS], 200);
    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++)
        kiln_device_free(&ports[i]->device);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("pci-setup");
    TCase *tcase = kiln_test_case(suite, "pci-setup");

    tcase_add_test(tcase, buses_bars_and_windows);
    tcase_add_test(tcase, pci12_9_1_lines_are_swizzled);
    tcase_add_test(tcase, large_bars_come_first);
    tcase_add_test(tcase, with_nothing_above_4_gib_all_is_below);
    tcase_add_test(tcase, a_window_that_is_too_small_is_named);
    tcase_add_test(tcase, drivers_may_be_left_to_decode);
    tcase_add_test(tcase, after_a_reset_all_is_as_before);
    tcase_add_test(tcase, many_ports_fit);
    return suite;
}

KILN_TEST_MAIN(make_suite)
