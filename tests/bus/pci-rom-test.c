/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Expansion ROMs as firmware finds them. */
#include "bus/pci-rom.h"

#include <string.h>

#include "base/le.h"
#include "bus/pci-bus.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { IMAGE = 3 * 512, DATA = 0x40, SLOT = 3, AT = 0xe1000000u };

typedef struct {
    KilnPciDevice pci;
} Card;

static void
card_reset(KilnDevice *device)
{
    kiln_pci_device_reset((KilnPciDevice *)device);
}

static void
card_free(KilnDevice *device)
{
    kiln_pci_bus_remove((KilnPciDevice *)device);
    kiln_pci_device_clear((KilnPciDevice *)device);
    g_free(device);
}

static const KilnDeviceOps card_ops = { .name = "card", .reset = card_reset, .free = card_free };

static Card *
card_new(void)
{
    static const KilnPciIdentity identity = { .vendor = 0x1af4,
                                              .device = 0x1041,
                                              .class_code = 0x020000 };
    Card *card = g_new0(Card, 1);

    kiln_pci_device_init(&card->pci, &card_ops, NULL, "card", &identity);
    return card;
}

static uint8_t
sum(const uint8_t *bytes, gsize n)
{
    uint8_t total = 0;

    for (gsize i = 0; i < n; i++)
        total = (uint8_t)(total + bytes[i]);
    return total;
}

static void
make_image(uint8_t image[IMAGE])
{
    for (guint i = 0; i < IMAGE; i++)
        image[i] = (uint8_t)(i * 7);
    kiln_le16_store(image, 0xaa55);
    image[2] = IMAGE / 512;
    kiln_le16_store(image + 0x18, DATA);
    memcpy(image + DATA, "PCIR", 4);
    kiln_le16_store(image + DATA + 4, 0x1af4);
    kiln_le16_store(image + DATA + 6, 0x1000);
    image[DATA + 0x14] = 0;
    image[6] = 0;
    image[6] = (uint8_t)-sum(image, IMAGE);
}

/* ---- a machine that notes its slots ------------------------------------------------------------
 */

typedef struct {
    uint64_t address;
    uint64_t length;
    const uint8_t *host;
    int n;
} Slots;

static int
slot_add(void *opaque, uint64_t address, uint64_t length, void *host, gboolean read_only)
{
    Slots *slots = opaque;

    ck_assert(read_only);
    slots->address = address;
    slots->length = length;
    slots->host = host;
    slots->n++;
    return 5;
}

static void
slot_remove(void *opaque, int slot)
{
    ck_assert_int_eq(slot, 5);
    ((Slots *)opaque)->n--;
}

static const KilnSlotOps slot_ops = { slot_add, slot_remove };

/* ---- tests -------------------------------------------------------------------------------------
 */

START_TEST(is_found_sized_and_read)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    Card *card = card_new();
    KilnSlots none = { 0 };
    uint8_t image[IMAGE];
    uint8_t seen[IMAGE];

    make_image(image);
    ck_assert(kiln_pci_device_add_rom(&card->pci, image, IMAGE, &none, NULL));
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board->host), &card->pci, KILN_PCI_DEVFN(SLOT, 0),
                               NULL));
    kiln_board_set_config(board, SLOT, PCI_ROM_ADDRESS, 0xfffff800, 4);
    ck_assert_uint_eq(kiln_board_config(board, SLOT, PCI_ROM_ADDRESS, 4), 0xfffff000);
    kiln_board_set_config(board, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    kiln_board_set_config(board, SLOT, PCI_ROM_ADDRESS, AT | PCI_ROM_ADDRESS_ENABLE, 4);
    for (guint i = 0; i < IMAGE; i++)
        seen[i] = (uint8_t)kiln_board_read(board, AT + i, 1);
    ck_assert_uint_eq(kiln_le16_load(seen + DATA + 6), 0x1041);
    ck_assert_uint_eq(sum(seen, IMAGE), 0);
    ck_assert_uint_eq(kiln_board_read(board, AT + IMAGE, 4), 0);
    kiln_board_set_config(board, SLOT, PCI_ROM_ADDRESS, AT, 4);
    ck_assert_uint_eq(kiln_board_read(board, AT, 2), 0xffff);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(is_a_slot_while_it_is_decoded)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    Card *card = card_new();
    Slots slots = { 0 };
    KilnSlots machine = { &slot_ops, &slots };
    uint8_t image[IMAGE];

    make_image(image);
    ck_assert(kiln_pci_device_add_rom(&card->pci, image, IMAGE, &machine, NULL));
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board->host), &card->pci, KILN_PCI_DEVFN(SLOT, 0),
                               NULL));
    ck_assert_int_eq(slots.n, 0);
    kiln_board_set_config(board, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    kiln_board_set_config(board, SLOT, PCI_ROM_ADDRESS, AT | PCI_ROM_ADDRESS_ENABLE, 4);
    ck_assert_int_eq(slots.n, 1);
    ck_assert_uint_eq(slots.address, AT);
    ck_assert_uint_eq(slots.length, 4096);
    ck_assert_mem_eq(slots.host + 8, image + 8, 16);
    kiln_device_reset(&card->pci.device);
    ck_assert_int_eq(slots.n, 0);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(what_is_none_is_refused)
{
    Card *card = card_new();
    KilnSlots none = { 0 };
    uint8_t image[IMAGE];

    make_image(image);
    ck_assert(!kiln_pci_device_add_rom(&card->pci, image, 0x10, &none, NULL));
    kiln_le16_store(image + 0x18, IMAGE - 8); /* the data structure is cut off */
    ck_assert(!kiln_pci_device_add_rom(&card->pci, image, IMAGE, &none, NULL));
    make_image(image);
    image[DATA] = 'X';
    ck_assert(!kiln_pci_device_add_rom(&card->pci, image, IMAGE, &none, NULL));
    make_image(image);
    image[0] = 0;
    ck_assert(!kiln_pci_device_add_rom(&card->pci, image, IMAGE, &none, NULL));
    kiln_device_free(&card->pci.device);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("pci-rom");
    TCase *tcase = kiln_test_case(suite, "pci-rom");

    tcase_add_test(tcase, is_found_sized_and_read);
    tcase_add_test(tcase, is_a_slot_while_it_is_decoded);
    tcase_add_test(tcase, what_is_none_is_refused);
    return suite;
}

KILN_TEST_MAIN(make_suite)
