/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration space, BARs, pins, and both of the host's ways to them. */
#include "bus/pci-bus.h"

#include <string.h>

#include "state/reader.h"
#include "state/writer.h"
#include "tests/lib/kiln-test.h"

typedef struct {
    KilnPciDevice pci;
    uint64_t last_offset;
    unsigned n_config_writes;
} Card;

typedef struct {
    KilnSpace *io;
    KilnSpace *memory;
    KilnPciHost *host;
    int level[32][4]; /* sum of what the router was told */
} Board;

static uint64_t
card_read(void *opaque, uint64_t offset, unsigned size)
{
    ((Card *)opaque)->last_offset = offset;
    return 0x5a;
}

static const KilnRegionOps card_bar = { .read = card_read, .max_access = 8 };

static void
card_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    ((Card *)pci)->n_config_writes++;
}

static const KilnPciOps card_pci_ops = { .config_written = card_written };

static void
card_reset(KilnDevice *device)
{
    kiln_pci_device_reset((KilnPciDevice *)device);
}

static void
card_free(KilnDevice *device)
{
    Card *card = (Card *)device;

    kiln_pci_bus_remove(&card->pci);
    kiln_pci_device_clear(&card->pci);
    g_free(card);
}

static const KilnStateField card_fields[] = {
    KILN_STATE_STRUCT(Card, pci, 1, &kiln_pci_state),
    KILN_STATE_END,
};
static const KilnStateDescription card_state = {
    .name = "card", .version = 1, .min_version = 1, .fields = card_fields
};
static const KilnDeviceOps card_ops = {
    .name = "card", .reset = card_reset, .free = card_free, .state = &card_state
};

static Card *
card_new(const char *id, uint8_t header, gboolean express)
{
    Card *card = g_new0(Card, 1);
    KilnPciIdentity identity = { .vendor = 0x1af4,
                                 .device = 0x1041,
                                 .revision = 1,
                                 .class_code = 0x020000,
                                 .header_type = header,
                                 .subsystem_vendor = 0x1af4,
                                 .subsystem = 0x1100,
                                 .pin = 1,
                                 .express = express };

    kiln_pci_device_init(&card->pci, &card_ops, &card_pci_ops, id, &identity);
    return card;
}

static void
intx(void *opaque, unsigned slot, unsigned pin, gboolean level)
{
    ((Board *)opaque)->level[slot][pin] += level ? 1 : -1;
}

static void
board_init(Board *board)
{
    KilnPciHostOptions options = { 0 };

    memset(board, 0, sizeof *board);
    options.io = board->io = kiln_space_new("I/O port", 0x10000);
    options.memory = board->memory = kiln_space_new("memory", 0);
    options.intx = intx;
    options.intx_opaque = board;
    board->host = kiln_pci_host_new(&options, NULL);
    kiln_pci_host_set_ecam(board->host, 0xe0000000, 256 << 20);
}

static void
board_clear(Board *board)
{
    kiln_pci_host_free(board->host);
    kiln_space_free(board->memory);
    kiln_space_free(board->io);
}

static uint64_t
get(KilnSpace *space, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    kiln_space_read(space, address, &value, size);
    return value;
}

static void
put(KilnSpace *space, uint64_t address, uint64_t value, unsigned size)
{
    kiln_space_write(space, address, &value, size);
}

static uint64_t
ecam(unsigned bus, unsigned slot, unsigned function, unsigned reg)
{
    return 0xe0000000 + (bus << 20 | slot << 15 | function << 12 | reg);
}

START_TEST(pci30_3_2_2_3_2_both_ways_see_the_same)
{
    Board board;
    Card *card;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    ck_assert(
        kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, KILN_PCI_DEVFN(3, 0), NULL));
    put(board.io, 0xcf8, 0x80001800, 4);
    ck_assert_uint_eq(get(board.io, 0xcf8, 4), 0x80001800);
    ck_assert_uint_eq(get(board.io, 0xcfc, 4), 0x10411af4);
    ck_assert_uint_eq(get(board.io, 0xcfe, 2), 0x1041);
    ck_assert_uint_eq(get(board.io, 0xcfd, 1), 0x1a);
    ck_assert_uint_eq(get(board.memory, ecam(0, 3, 0, 0), 4), 0x10411af4);
    ck_assert_uint_eq(get(board.memory, ecam(0, 3, 0, 0), 8), 0x0000000010411af4);
    ck_assert_uint_eq(get(board.memory, ecam(0, 3, 0, PCI_CLASS_DEVICE), 2), 0x0200);

    /* the latch takes dwords only, and its reserved bits are zero */
    put(board.io, 0xcfb, 0x01, 1);
    ck_assert_uint_eq(get(board.io, 0xcf8, 4), 0x80001800);
    put(board.io, 0xcf8, 0xffffffff, 4);
    ck_assert_uint_eq(get(board.io, 0xcf8, 4), 0x80fffffc);
    /* disabled, data is not claimed */
    put(board.io, 0xcf8, 0x00001800, 4);
    ck_assert_uint_eq(get(board.io, 0xcfc, 4), 0xffffffff);
    kiln_device_free(&card->pci.device);
    board_clear(&board);
}
END_TEST

START_TEST(pci30_6_1_absent_functions_read_as_ones)
{
    Board board;
    Card *card;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, 0, NULL));
    ck_assert_uint_eq(get(board.memory, ecam(0, 31, 7, 0), 4), 0xffffffff);
    ck_assert_uint_eq(get(board.memory, ecam(255, 0, 0, 0), 4), 0xffffffff);
    /* nor has a conventional function anything from 256 on */
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, 0x100), 4), 0xffffffff);
    put(board.memory, ecam(0, 0, 0, 0x100), 0, 4);
    put(board.memory, ecam(0, 31, 7, 0), 0, 4);
    kiln_device_free(&card->pci.device);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, 0), 4), 0xffffffff);
    board_clear(&board);
}
END_TEST

START_TEST(address_taken_names_both)
{
    Board board;
    g_autoptr(GError) error = NULL;
    Card *a, *b;

    board_init(&board);
    a = card_new("net0", PCI_HEADER_TYPE_NORMAL, FALSE);
    b = card_new("disk0", PCI_HEADER_TYPE_NORMAL, FALSE);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &a->pci, 8, NULL));
    ck_assert(!kiln_pci_bus_add(kiln_pci_host_root(board.host), &b->pci, 8, &error));
    kiln_assert_error_has(error, "PCI address 01.0 of 'disk0' has 'net0'");
    kiln_device_free(&a->pci.device);
    kiln_device_free(&b->pci.device);
    board_clear(&board);
}
END_TEST

START_TEST(pci30_6_2_5_1_bars_tell_their_size_and_follow_the_command)
{
    Board board;
    Card *card;
    uint64_t config;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    kiln_pci_device_add_bar(&card->pci, 0, KILN_PCI_BAR_IO, FALSE, 0x20, &card_bar, card);
    kiln_pci_device_add_bar(&card->pci, 1, KILN_PCI_BAR_MEMORY_32, FALSE, 0x1000, &card_bar, card);
    kiln_pci_device_add_bar(&card->pci, 4, KILN_PCI_BAR_MEMORY_64, TRUE, UINT64_C(1) << 33,
                            &card_bar, card);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, 0, NULL));
    config = ecam(0, 0, 0, 0);
    for (unsigned reg = PCI_BASE_ADDRESS_0; reg <= PCI_BASE_ADDRESS_5; reg += 4)
        put(board.memory, config + reg, 0xffffffff, 4);
    ck_assert_uint_eq(get(board.memory, config + PCI_BASE_ADDRESS_0, 4), 0xffffffe1);
    ck_assert_uint_eq(get(board.memory, config + PCI_BASE_ADDRESS_1, 4), 0xfffff000);
    ck_assert_uint_eq(get(board.memory, config + PCI_BASE_ADDRESS_2, 4), 0);
    ck_assert_uint_eq(get(board.memory, config + PCI_BASE_ADDRESS_4, 8), 0xfffffffe0000000c);

    put(board.memory, config + PCI_BASE_ADDRESS_0, 0xc001, 4);
    put(board.memory, config + PCI_BASE_ADDRESS_1, 0xc0000000, 4);
    put(board.memory, config + PCI_BASE_ADDRESS_4, 0x800000000, 8);
    ck_assert_uint_eq(get(board.io, 0xc010, 1), 0xff);
    put(board.memory, config + PCI_COMMAND, PCI_COMMAND_IO, 2);
    ck_assert_uint_eq(get(board.io, 0xc010, 1), 0x5a);
    ck_assert_uint_eq(get(board.memory, 0xc0000ffc, 4), 0xffffffff);
    put(board.memory, config + PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    ck_assert_uint_eq(get(board.io, 0xc010, 1), 0xff);
    ck_assert_uint_eq(get(board.memory, 0xc0000ffc, 4), 0x5a);
    ck_assert_uint_eq(get(board.memory, 0x9ffffffff, 1), 0x5a);
    ck_assert_uint_eq(card->last_offset, 0x1ffffffff);
    put(board.memory, config + PCI_BASE_ADDRESS_1, 0xd0000000, 4); /* while decoded */
    ck_assert_uint_eq(get(board.memory, 0xc0000000, 4), 0xffffffff);
    ck_assert_uint_eq(get(board.memory, 0xd0000000, 4), 0x5a);
    put(board.memory, config + PCI_BASE_ADDRESS_1, 0xffffffff, 4); /* sized while decoded */
    ck_assert_uint_eq(get(board.memory, 0xfffff000, 4), 0xffffffff);

    kiln_device_reset(&card->pci.device);
    ck_assert_uint_eq(get(board.memory, 0x9ffffffff, 1), 0xff);
    ck_assert_uint_eq(get(board.memory, config + PCI_BASE_ADDRESS_4, 8), 0xc);
    kiln_device_free(&card->pci.device);
    board_clear(&board);
}
END_TEST

START_TEST(read_only_and_write_1_to_clear_bits)
{
    Board board;
    Card *card;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, 0, NULL));
    card->pci.config[PCI_STATUS + 1] = PCI_STATUS_REC_MASTER_ABORT >> 8;
    put(board.memory, ecam(0, 0, 0, 0), 0, 4);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, 0), 4), 0x10411af4);
    put(board.memory, ecam(0, 0, 0, PCI_COMMAND), 0x0000ffff, 4);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, PCI_COMMAND), 4), 0x20000547);
    put(board.memory, ecam(0, 0, 0, PCI_STATUS), 0xffff, 2);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, PCI_COMMAND), 4), 0x00000547);
    ck_assert_uint_eq(card->n_config_writes, 3);
    kiln_device_free(&card->pci.device);
    board_clear(&board);
}
END_TEST

START_TEST(capability_lists_are_linked_in_order)
{
    Board board;
    Card *card;
    uint8_t first, second;
    uint16_t serial, acs;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, TRUE);
    first = kiln_pci_device_add_capability(&card->pci, PCI_CAP_ID_VNDR, 0x11);
    second = kiln_pci_device_add_capability(&card->pci, PCI_CAP_ID_MSIX, 12);
    serial = kiln_pci_device_add_extended(&card->pci, PCI_EXT_CAP_ID_DSN, 1, 12);
    acs = kiln_pci_device_add_extended(&card->pci, PCI_EXT_CAP_ID_ACS, 1, 8);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, 0, NULL));
    ck_assert_uint_eq(first, 0x40);
    ck_assert_uint_eq(second, 0x54);
    ck_assert_uint_eq(serial, 0x100);
    ck_assert_uint_eq(acs, 0x10c);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, PCI_STATUS), 2), PCI_STATUS_CAP_LIST);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, PCI_CAPABILITY_LIST), 1), first);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, first), 2), second << 8 | PCI_CAP_ID_VNDR);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, second), 2), PCI_CAP_ID_MSIX);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, 0x100), 4), 0x10c10003);
    ck_assert_uint_eq(get(board.memory, ecam(0, 0, 0, 0x10c), 4), 0x0001000d);
    kiln_device_free(&card->pci.device);
    board_clear(&board);
}
END_TEST

START_TEST(pci30_6_2_2_intx_disable_and_status)
{
    Board board;
    Card *card;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    ck_assert(
        kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, KILN_PCI_DEVFN(5, 0), NULL));
    kiln_pci_device_set_intx(&card->pci, TRUE);
    kiln_pci_device_set_intx(&card->pci, TRUE);
    ck_assert_int_eq(board.level[5][0], 1);
    put(board.memory, ecam(0, 5, 0, PCI_COMMAND), PCI_COMMAND_INTX_DISABLE, 2);
    ck_assert_int_eq(board.level[5][0], 0);
    ck_assert_uint_eq(get(board.memory, ecam(0, 5, 0, PCI_STATUS), 2), PCI_STATUS_INTERRUPT);
    put(board.memory, ecam(0, 5, 0, PCI_COMMAND), 0, 2);
    ck_assert_int_eq(board.level[5][0], 1);
    kiln_device_free(&card->pci.device); /* unplugged with its pin up */
    ck_assert_int_eq(board.level[5][0], 0);
    board_clear(&board);
}
END_TEST

START_TEST(bridge12_9_1_functions_behind_bridges)
{
    Board board;
    Card *bridge, *inner, *card;
    KilnPciBus *bus1, *bus2;

    board_init(&board);
    bridge = card_new("root-port", PCI_HEADER_TYPE_BRIDGE, TRUE);
    inner = card_new("bridge", PCI_HEADER_TYPE_BRIDGE, TRUE);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, TRUE);
    bus1 = kiln_pci_bus_new(&bridge->pci);
    bus2 = kiln_pci_bus_new(&inner->pci);
    ck_assert(
        kiln_pci_bus_add(kiln_pci_host_root(board.host), &bridge->pci, KILN_PCI_DEVFN(2, 0), NULL));
    ck_assert(kiln_pci_bus_add(bus1, &inner->pci, KILN_PCI_DEVFN(1, 0), NULL));
    ck_assert(kiln_pci_bus_add(bus2, &card->pci, KILN_PCI_DEVFN(3, 0), NULL));

    ck_assert_uint_eq(get(board.memory, ecam(1, 1, 0, 0), 4), 0xffffffff); /* no numbers yet */
    put(board.memory, ecam(0, 2, 0, PCI_PRIMARY_BUS), 0x00070500, 4);
    ck_assert_uint_eq(get(board.memory, ecam(5, 1, 0, 0), 4), 0x10411af4);
    ck_assert_uint_eq(get(board.memory, ecam(6, 3, 0, 0), 4), 0xffffffff);
    put(board.memory, ecam(5, 1, 0, PCI_PRIMARY_BUS), 0x00070605, 4);
    ck_assert_uint_eq(get(board.memory, ecam(6, 3, 0, 0), 4), 0x10411af4);
    put(board.memory, ecam(0, 2, 0, PCI_SUBORDINATE_BUS), 5, 1); /* out of the window */
    ck_assert_uint_eq(get(board.memory, ecam(6, 3, 0, 0), 4), 0xffffffff);
    /* a loop in the numbers is only a wrong answer */
    put(board.memory, ecam(0, 2, 0, PCI_PRIMARY_BUS), 0x00ff0101, 4);
    put(board.memory, ecam(1, 1, 0, PCI_PRIMARY_BUS), 0x00ff0101, 4);
    get(board.memory, ecam(9, 0, 0, 0), 4);

    kiln_pci_device_set_intx(&card->pci, TRUE);
    ck_assert_int_eq(board.level[2][(0 + 3 + 1) % 4], 1);
    kiln_device_free(&card->pci.device);
    ck_assert_int_eq(board.level[2][0], 0);
    kiln_pci_bus_free(bus2);
    kiln_device_free(&inner->pci.device);
    kiln_pci_bus_free(bus1);
    kiln_device_free(&bridge->pci.device);
    board_clear(&board);
}
END_TEST

static void
set_window(Board *board, unsigned bus, unsigned slot, unsigned reg, uint64_t base, uint64_t last)
{
    put(board->memory, ecam(bus, slot, 0, reg), (last >> 16 & 0xfff0) << 16 | (base >> 16 & 0xfff0),
        4);
    if (reg != PCI_PREF_MEMORY_BASE)
        return;
    put(board->memory, ecam(bus, slot, 0, PCI_PREF_BASE_UPPER32), base >> 32, 4);
    put(board->memory, ecam(bus, slot, 0, PCI_PREF_LIMIT_UPPER32), last >> 32, 4);
}

START_TEST(bridge12_4_windows_filter_what_is_behind)
{
    Board board;
    Card *bridge, *inner, *card;
    KilnPciBus *bus1, *bus2;

    board_init(&board);
    bridge = card_new("root-port", PCI_HEADER_TYPE_BRIDGE, TRUE);
    inner = card_new("bridge", PCI_HEADER_TYPE_BRIDGE, TRUE);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, TRUE);
    kiln_pci_device_add_bar(&card->pci, 0, KILN_PCI_BAR_IO, FALSE, 0x20, &card_bar, card);
    kiln_pci_device_add_bar(&card->pci, 1, KILN_PCI_BAR_MEMORY_32, FALSE, 0x1000, &card_bar, card);
    kiln_pci_device_add_bar(&card->pci, 4, KILN_PCI_BAR_MEMORY_64, TRUE, 0x200000, &card_bar, card);
    bus1 = kiln_pci_bus_new(&bridge->pci);
    bus2 = kiln_pci_bus_new(&inner->pci);
    ck_assert(
        kiln_pci_bus_add(kiln_pci_host_root(board.host), &bridge->pci, KILN_PCI_DEVFN(2, 0), NULL));
    ck_assert(kiln_pci_bus_add(bus1, &inner->pci, KILN_PCI_DEVFN(0, 0), NULL));
    ck_assert(kiln_pci_bus_add(bus2, &card->pci, KILN_PCI_DEVFN(0, 0), NULL));
    put(board.memory, ecam(0, 2, 0, PCI_PRIMARY_BUS), 0x00020100, 4);
    put(board.memory, ecam(1, 0, 0, PCI_PRIMARY_BUS), 0x00020201, 4);
    put(board.memory, ecam(2, 0, 0, PCI_BASE_ADDRESS_0), 0xc000, 4);
    put(board.memory, ecam(2, 0, 0, PCI_BASE_ADDRESS_1), 0xc00ff000, 4);
    put(board.memory, ecam(2, 0, 0, PCI_BASE_ADDRESS_4), 0x800000000, 8);
    put(board.memory, ecam(2, 0, 0, PCI_COMMAND), 7, 2);

    /* after reset the windows are [0, 1 MiB), and not enabled */
    ck_assert_uint_eq(get(board.memory, 0xc00ff000, 4), 0xffffffff);
    set_window(&board, 0, 2, PCI_MEMORY_BASE, 0xc0000000, 0xc00fffff);
    set_window(&board, 1, 0, PCI_MEMORY_BASE, 0xc0000000, 0xc00fffff);
    put(board.memory, ecam(1, 0, 0, PCI_COMMAND), 7, 2);
    ck_assert_uint_eq(get(board.memory, 0xc00ff000, 4), 0xffffffff); /* the outer one is not */
    put(board.memory, ecam(0, 2, 0, PCI_COMMAND), 7, 2);
    ck_assert_uint_eq(get(board.memory, 0xc00ff000, 4), 0x5a);
    set_window(&board, 0, 2, PCI_MEMORY_BASE, 0xc0100000, 0xc01fffff); /* moves away */
    ck_assert_uint_eq(get(board.memory, 0xc00ff000, 4), 0xffffffff);
    set_window(&board, 0, 2, PCI_MEMORY_BASE, 0xc0100000, 0xc00fffff); /* closed */
    ck_assert_uint_eq(get(board.memory, 0xc00ff000, 4), 0xffffffff);
    set_window(&board, 0, 2, PCI_MEMORY_BASE, 0xbff00000, 0xc01fffff);
    ck_assert_uint_eq(get(board.memory, 0xc00ff000, 4), 0x5a);

    /* a BAR may be in either of the memory windows, and all of it is in one */
    ck_assert_uint_eq(get(board.memory, 0x800000000, 1), 0xff);
    set_window(&board, 1, 0, PCI_PREF_MEMORY_BASE, 0x800000000, 0x8000fffff);
    set_window(&board, 0, 2, PCI_PREF_MEMORY_BASE, 0x800000000, 0x8ffffffff);
    ck_assert_uint_eq(get(board.memory, 0x800000000, 1), 0xff);
    set_window(&board, 1, 0, PCI_PREF_MEMORY_BASE, 0x800000000, 0x8001fffff);
    ck_assert_uint_eq(get(board.memory, 0x8001fffff, 1), 0x5a);
    put(board.memory, ecam(2, 0, 0, PCI_BASE_ADDRESS_1), 0x800000000, 4);
    ck_assert_uint_eq(get(board.memory, 0xc00ff000, 1), 0xff);

    ck_assert_uint_eq(get(board.io, 0xc000, 1), 0xff);
    put(board.memory, ecam(0, 2, 0, PCI_IO_BASE), 0xc0c0, 2);
    put(board.memory, ecam(1, 0, 0, PCI_IO_BASE), 0xd0b0, 2);
    ck_assert_uint_eq(get(board.io, 0xc000, 1), 0x5a);
    put(board.memory, ecam(0, 2, 0, PCI_COMMAND), 6, 2);
    ck_assert_uint_eq(get(board.io, 0xc000, 1), 0xff);
    ck_assert_uint_eq(get(board.memory, 0x800000000, 1), 0x5a);
    kiln_device_reset(&bridge->pci.device);
    ck_assert_uint_eq(get(board.memory, 0x800000000, 1), 0xff);

    kiln_device_free(&card->pci.device);
    kiln_pci_bus_free(bus2);
    kiln_device_free(&inner->pci.device);
    kiln_pci_bus_free(bus1);
    kiln_device_free(&bridge->pci.device);
    board_clear(&board);
}
END_TEST

START_TEST(pci30_6_2_1_functions_that_share_a_slot_say_so)
{
    Board board;
    Card *zero, *two, *other;

    board_init(&board);
    zero = card_new("zero", PCI_HEADER_TYPE_NORMAL, FALSE);
    two = card_new("two", PCI_HEADER_TYPE_BRIDGE, FALSE);
    other = card_new("other", PCI_HEADER_TYPE_NORMAL, FALSE);
    ck_assert(
        kiln_pci_bus_add(kiln_pci_host_root(board.host), &zero->pci, KILN_PCI_DEVFN(3, 0), NULL));
    ck_assert(
        kiln_pci_bus_add(kiln_pci_host_root(board.host), &other->pci, KILN_PCI_DEVFN(4, 0), NULL));
    ck_assert_uint_eq(get(board.memory, ecam(0, 3, 0, PCI_HEADER_TYPE), 1), 0);
    ck_assert(
        kiln_pci_bus_add(kiln_pci_host_root(board.host), &two->pci, KILN_PCI_DEVFN(3, 2), NULL));
    ck_assert_uint_eq(get(board.memory, ecam(0, 3, 0, PCI_HEADER_TYPE), 1), 0x80);
    ck_assert_uint_eq(get(board.memory, ecam(0, 3, 2, PCI_HEADER_TYPE), 1), 0x81);
    ck_assert_uint_eq(get(board.memory, ecam(0, 4, 0, PCI_HEADER_TYPE), 1), 0);
    kiln_device_reset(&zero->pci.device);
    ck_assert_uint_eq(get(board.memory, ecam(0, 3, 0, PCI_HEADER_TYPE), 1), 0x80);
    kiln_device_free(&zero->pci.device);
    kiln_device_free(&two->pci.device);
    kiln_device_free(&other->pci.device);
    board_clear(&board);
}
END_TEST

static GByteArray *
save(KilnDevice *device)
{
    KilnStateEntry entry = kiln_device_state(device);

    return kiln_state_save(&entry, 1);
}

START_TEST(save_load_save)
{
    Board board, other;
    Card *card, *twin;
    g_autoptr(GByteArray) first = NULL;
    g_autoptr(GByteArray) second = NULL;
    g_autoptr(GError) error = NULL;
    KilnStateEntry entry;

    board_init(&board);
    board_init(&other);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    twin = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    kiln_pci_device_add_bar(&card->pci, 1, KILN_PCI_BAR_MEMORY_32, FALSE, 0x1000, &card_bar, card);
    kiln_pci_device_add_bar(&twin->pci, 1, KILN_PCI_BAR_MEMORY_32, FALSE, 0x1000, &card_bar, twin);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, 8, NULL));
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(other.host), &twin->pci, 8, NULL));
    put(board.memory, ecam(0, 1, 0, PCI_BASE_ADDRESS_1), 0xc0000000, 4);
    put(board.memory, ecam(0, 1, 0, PCI_COMMAND), PCI_COMMAND_MEMORY, 2);
    kiln_pci_device_set_intx(&card->pci, TRUE);
    first = save(&card->pci.device);

    entry = kiln_device_state(&twin->pci.device);
    ck_assert(kiln_state_load(first->data, first->len, &entry, 1, &error));
    kiln_assert_no_error(error);
    ck_assert_uint_eq(get(other.memory, 0xc0000000, 1), 0x5a);
    ck_assert_int_eq(other.level[1][0], 1);
    second = save(&twin->pci.device);
    ck_assert_uint_eq(first->len, second->len);
    ck_assert_mem_eq(first->data, second->data, first->len);
    kiln_device_free(&card->pci.device);
    kiln_device_free(&twin->pci.device);
    board_clear(&board);
    board_clear(&other);
}
END_TEST

START_TEST(loading_takes_only_what_a_guest_could_have_written)
{
    Board board;
    Card *card, *express;
    g_autoptr(GByteArray) bad = NULL;
    g_autoptr(GByteArray) longer = NULL;
    g_autoptr(GError) error = NULL;
    KilnStateEntry entry;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    express = card_new("express", PCI_HEADER_TYPE_NORMAL, TRUE);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, 8, NULL));
    card->pci.config[PCI_VENDOR_ID] = 0x99;
    card->pci.config[PCI_INTERRUPT_PIN] = 200;
    card->pci.config[PCI_INTERRUPT_LINE] = 11;
    bad = save(&card->pci.device);
    kiln_device_reset(&card->pci.device);
    entry = kiln_device_state(&card->pci.device);
    ck_assert(kiln_state_load(bad->data, bad->len, &entry, 1, &error));
    ck_assert_uint_eq(card->pci.config[PCI_VENDOR_ID], 0xf4);
    ck_assert_uint_eq(card->pci.config[PCI_INTERRUPT_PIN], 1);
    ck_assert_uint_eq(card->pci.config[PCI_INTERRUPT_LINE], 11);

    longer = save(&express->pci.device);
    ck_assert(!kiln_state_load(longer->data, longer->len, &entry, 1, &error));
    kiln_assert_error_has(error, "4096 bytes of configuration space, not 256");
    kiln_device_reset(&card->pci.device);
    kiln_device_free(&card->pci.device);
    kiln_device_free(&express->pci.device);
    board_clear(&board);
}
END_TEST

START_TEST(ecam_moves)
{
    Board board;
    Card *card;

    board_init(&board);
    card = card_new("card", PCI_HEADER_TYPE_NORMAL, FALSE);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board.host), &card->pci, 0, NULL));
    kiln_pci_host_set_ecam(board.host, 0xb0000000, 64 << 20);
    ck_assert_uint_eq(get(board.memory, 0xe0000000, 4), 0xffffffff);
    ck_assert_uint_eq(get(board.memory, 0xb0000000, 4), 0x10411af4);
    kiln_pci_host_set_ecam(board.host, KILN_SPACE_UNMAPPED, 0);
    ck_assert_uint_eq(get(board.memory, 0xb0000000, 4), 0xffffffff);
    kiln_device_free(&card->pci.device);
    board_clear(&board);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("pci");
    TCase *tcase = kiln_test_case(suite, "pci");

    tcase_add_test(tcase, pci30_3_2_2_3_2_both_ways_see_the_same);
    tcase_add_test(tcase, pci30_6_1_absent_functions_read_as_ones);
    tcase_add_test(tcase, address_taken_names_both);
    tcase_add_test(tcase, pci30_6_2_5_1_bars_tell_their_size_and_follow_the_command);
    tcase_add_test(tcase, read_only_and_write_1_to_clear_bits);
    tcase_add_test(tcase, capability_lists_are_linked_in_order);
    tcase_add_test(tcase, pci30_6_2_2_intx_disable_and_status);
    tcase_add_test(tcase, bridge12_9_1_functions_behind_bridges);
    tcase_add_test(tcase, bridge12_4_windows_filter_what_is_behind);
    tcase_add_test(tcase, pci30_6_2_1_functions_that_share_a_slot_say_so);
    tcase_add_test(tcase, save_load_save);
    tcase_add_test(tcase, loading_takes_only_what_a_guest_could_have_written);
    tcase_add_test(tcase, ecam_moves);
    return suite;
}

KILN_TEST_MAIN(make_suite)
