/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MSI-X as a driver uses it, and as one that means harm does. */
#include "bus/msix.h"

#include <string.h>

#include "bus/pci-bus.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-card.h"
#include "tests/lib/kiln-test.h"

enum { SLOT = 4, BAR = 1, BASE = 0xc0000000, N_VECTORS = 70, PENDING = 0x800, CONTROL = 0x42 };

static KilnCard *
card_new(KilnBoard *board, unsigned n_vectors)
{
    KilnCard *card = kiln_card_new("card", n_vectors);

    ck_assert_ptr_nonnull(card->msix);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board->host), &card->pci, KILN_PCI_DEVFN(SLOT, 0),
                               NULL));
    kiln_board_set_config(board, SLOT, PCI_BASE_ADDRESS_1, BASE, 4);
    kiln_board_set_config(board, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    return card;
}

static void
set_control(KilnBoard *board, uint16_t bits)
{
    kiln_board_set_config(board, SLOT, CONTROL, bits, 2);
}

static void
set_entry(KilnBoard *board, unsigned vector, uint64_t address, uint32_t data, uint32_t mask)
{
    uint64_t at = BASE + 16 * vector;

    kiln_board_write(board, at, (uint32_t)address, 4);
    kiln_board_write(board, at + 4, address >> 32, 4);
    kiln_board_write(board, at + 8, data, 4);
    kiln_board_write(board, at + 12, mask, 4);
}

START_TEST(pci30_6_8_2_capability_tells_table_and_pending_bits)
{
    static const struct {
        unsigned n_vectors;
        uint32_t pending;
    } cases[] = { { 1, 0x800 }, { 128, 0x800 }, { 129, 0x1000 }, { 2048, 0x8000 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KilnBoard) board = kiln_board_new();
        KilnCard *card = card_new(board, cases[i].n_vectors);

        ck_assert_uint_eq(kiln_board_config(board, SLOT, 0x40, 4),
                          (cases[i].n_vectors - 1) << 16 | PCI_CAP_ID_MSIX);
        ck_assert_uint_eq(kiln_board_config(board, SLOT, 0x44, 4), BAR);
        ck_assert_uint_eq(kiln_board_config(board, SLOT, 0x48, 4), cases[i].pending | BAR);
        ck_assert_uint_eq(card->pci.bars[BAR].region.length, 2 * cases[i].pending);
        set_control(board, 0xffff); /* of which only two bits can be written */
        ck_assert_uint_eq(kiln_board_config(board, SLOT, CONTROL, 2),
                          0xc000 | (cases[i].n_vectors - 1));
        ck_assert_uint_eq(kiln_msix_n_vectors(card->msix), cases[i].n_vectors);
        ck_assert_int_eq(kiln_msix_fd(card->msix, cases[i].n_vectors), -1);
        kiln_msix_notify(card->msix, cases[i].n_vectors);
        kiln_device_free(&card->pci.device);
    }
}
END_TEST

START_TEST(unmasked_vectors_send_their_message)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);
    const KilnMsiMessage *message;

    set_entry(board, 3, 0xfee01000, 0x4041, 0);
    ck_assert_ptr_null(kiln_board_message(board, kiln_msix_fd(card->msix, 3))); /* not enabled */
    ck_assert(!kiln_msix_enabled(card->msix));
    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    ck_assert(kiln_msix_enabled(card->msix));
    message = kiln_board_message(board, kiln_msix_fd(card->msix, 3));
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(message->address, 0xfee01000);
    ck_assert_uint_eq(message->data, 0x4041);
    ck_assert_uint_eq(board->wires->len, 1);
    kiln_msix_notify(card->msix, 3);
    kiln_msix_notify(card->msix, 3);
    ck_assert_uint_eq(kiln_board_messages(board, 0x4041), 2);
    ck_assert_uint_eq(kiln_board_messages(board, 0x4041), 0);

    kiln_board_write(board, BASE + 3 * 16 + 8, 0x4042, 4); /* while unmasked: takes it */
    kiln_msix_notify(card->msix, 3);
    ck_assert_uint_eq(kiln_board_messages(board, 0x4042), 1);
    set_control(board, 0);
    ck_assert_uint_eq(board->wires->len, 0);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(pci30_6_8_3_4_masking_keeps_and_unmasking_delivers)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);

    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    set_entry(board, 69, 0xfee00000, 7, 0);
    kiln_msix_notify(card->msix, 69); /* sent: does not come again */
    kiln_board_write(board, BASE + 69 * 16 + 12, 1, 4);
    ck_assert_uint_eq(kiln_board_messages(board, 7), 1);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING + 8, 4), 0);
    kiln_msix_notify(card->msix, 69);
    kiln_msix_notify(card->msix, 69);
    ck_assert_uint_eq(kiln_board_messages(board, 7), 0);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING, 8), 0);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING + 8, 8), 1 << 5);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING + 8, 8), 1 << 5); /* reading keeps */
    kiln_board_write(board, BASE + PENDING + 8, 0, 8);                        /* read-only */
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING + 8, 1), 1 << 5);
    kiln_board_write(board, BASE + 69 * 16 + 12, 0, 4);
    ck_assert_uint_ge(kiln_board_messages(board, 7), 1);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING + 8, 4), 0);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(pci30_6_8_2_3_function_mask_is_one_call)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);
    unsigned before;

    set_control(board, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    for (unsigned i = 0; i < N_VECTORS; i++)
        set_entry(board, i, 0xfee00000, 100 + i, i % 2);
    ck_assert_uint_eq(board->n_msi_calls, 0);
    kiln_msix_notify(card->msix, 10);
    kiln_msix_notify(card->msix, 11);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING, 4), 3 << 10);
    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    ck_assert_uint_eq(board->n_msi_calls, 1);
    ck_assert_uint_eq(board->wires->len, N_VECTORS / 2);
    ck_assert_uint_eq(kiln_board_messages(board, 110), 1);
    ck_assert_uint_eq(kiln_board_messages(board, 111), 0);
    before = board->n_msi_calls;
    set_control(board, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    ck_assert_uint_eq(board->n_msi_calls, before + 1);
    ck_assert_uint_eq(board->wires->len, 0);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(masked_entries_are_written_without_a_call)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);
    unsigned before;

    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    for (unsigned i = 0; i < 20; i++)
        set_entry(board, 5, 0xfee00000 + 4096 * i, i, 1);
    ck_assert_uint_eq(board->n_msi_calls, 0);
    set_entry(board, 5, 0xfee00000, 9, 0);
    before = board->n_msi_calls;
    set_entry(board, 5, 0xfee00000, 9, 0); /* nothing new */
    ck_assert_uint_eq(before, 1);
    ck_assert_uint_eq(board->n_msi_calls, before);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(what_came_while_off_is_lost)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);

    set_entry(board, 0, 0xfee00000, 9, 0);
    kiln_msix_notify(card->msix, 0);
    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    ck_assert_uint_eq(kiln_board_messages(board, 9), 0);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(reset_masks_and_forgets)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);

    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    set_entry(board, 0, 0xfee00000, 9, 0);
    kiln_msix_notify(card->msix, 1);
    kiln_device_reset(&card->pci.device);
    ck_assert_uint_eq(board->wires->len, 0);
    ck_assert(!kiln_msix_enabled(card->msix));
    kiln_board_set_config(board, SLOT, PCI_BASE_ADDRESS_1, BASE, 4);
    kiln_board_set_config(board, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    ck_assert_uint_eq(kiln_board_read(board, BASE, 8), 0);
    ck_assert_uint_eq(kiln_board_read(board, BASE + 8, 8), UINT64_C(1) << 32);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING, 8), 0);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(accesses_of_every_size_and_place)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);

    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    kiln_board_write(board, BASE, 0x1122334455667788, 8);
    ck_assert_uint_eq(kiln_board_read(board, BASE, 8), 0x1122334455667788);
    ck_assert_uint_eq(kiln_board_read(board, BASE + 1, 1), 0x77);
    ck_assert_uint_eq(kiln_board_read(board, BASE + 2, 4), 0x33445566);
    kiln_board_write(board, BASE, 0xff, 1); /* narrower than the table takes */
    kiln_board_write(board, BASE + 2, 0xffff, 2);
    ck_assert_uint_eq(kiln_board_read(board, BASE, 4), 0x55667788);
    kiln_board_write(board, BASE + 8, UINT64_MAX, 8);
    ck_assert_uint_eq(kiln_board_read(board, BASE + 8, 8), 0x1ffffffff); /* reserved bits */
    kiln_board_write(board, BASE, 0xffffffff, 4);
    ck_assert_uint_eq(kiln_board_read(board, BASE, 4), 0xfffffffc);
    for (unsigned size = 1; size <= 8; size *= 2)
        for (uint64_t at = 0; at < 0x1000; at += at % 7 + 1) {
            kiln_board_read(board, BASE + at, size);
            kiln_board_write(board, BASE + at, at * UINT64_C(0x9e3779b97f4a7c15), size);
        }
    ck_assert_uint_eq(kiln_board_read(board, BASE + N_VECTORS * 16, 8), 0); /* nothing there */
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING + 16, 8), 0);
    ck_assert_uint_eq(kiln_board_read(board, BASE + 0xffc, 8), 0xffffffff00000000);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(a_full_host_is_asked_again)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS);

    board->msi_full = TRUE;
    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    set_entry(board, 0, 0xfee00000, 9, 0);
    kiln_msix_notify(card->msix, 0);
    ck_assert_uint_eq(board->wires->len, 0);
    ck_assert_uint_eq(kiln_board_read(board, BASE + PENDING, 4), 1);
    board->msi_full = FALSE;
    kiln_board_write(board, BASE + 12, 1, 4);
    kiln_board_write(board, BASE + 12, 0, 4);
    ck_assert_uint_eq(kiln_board_messages(board, 9), 1);
    kiln_device_free(&card->pci.device);
}
END_TEST

START_TEST(save_load_save_with_pending_bits)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnBoard) other = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS), *twin = card_new(other, N_VECTORS);

    set_control(board, PCI_MSIX_FLAGS_ENABLE);
    set_entry(board, 0, 0x1fee00000, 50, 0);
    set_entry(board, 68, 0xfee00000, 51, 1);
    kiln_msix_notify(card->msix, 68);
    kiln_msix_notify(twin->msix, 1); /* older than what is loaded */
    ck_assert(kiln_board_resave(&card->pci.device, &twin->pci.device));
    ck_assert_uint_eq(kiln_board_read(other, BASE + PENDING, 8), 0);
    ck_assert_uint_eq(kiln_board_read(other, BASE + PENDING + 8, 8), 1 << 4);
    ck_assert_uint_eq(kiln_board_messages(other, 50), 0);
    ck_assert_uint_eq(kiln_board_message(other, kiln_msix_fd(twin->msix, 0))->address, 0x1fee00000);
    kiln_board_write(other, BASE + 68 * 16 + 12, 0, 4);
    ck_assert_uint_eq(kiln_board_messages(other, 51), 1);
    kiln_device_free(&card->pci.device);
    kiln_device_free(&twin->pci.device);
}
END_TEST

START_TEST(another_number_of_vectors_is_not_loaded)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnBoard) other = kiln_board_new();
    KilnCard *card = card_new(board, N_VECTORS), *twin = card_new(other, N_VECTORS + 1);
    KilnStateEntry entry = kiln_device_state(&card->pci.device);
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);
    g_autoptr(GError) error = NULL;

    entry = kiln_device_state(&twin->pci.device);
    ck_assert(!kiln_state_load(saved->data, saved->len, &entry, 1, &error));
    kiln_assert_error_has(error, "not those of 71 vectors");
    kiln_device_reset(&twin->pci.device);
    kiln_device_free(&card->pci.device);
    kiln_device_free(&twin->pci.device);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("msix");
    TCase *tcase = kiln_test_case(suite, "msix");

    tcase_add_test(tcase, pci30_6_8_2_capability_tells_table_and_pending_bits);
    tcase_add_test(tcase, unmasked_vectors_send_their_message);
    tcase_add_test(tcase, pci30_6_8_3_4_masking_keeps_and_unmasking_delivers);
    tcase_add_test(tcase, pci30_6_8_2_3_function_mask_is_one_call);
    tcase_add_test(tcase, masked_entries_are_written_without_a_call);
    tcase_add_test(tcase, what_came_while_off_is_lost);
    tcase_add_test(tcase, reset_masks_and_forgets);
    tcase_add_test(tcase, accesses_of_every_size_and_place);
    tcase_add_test(tcase, a_full_host_is_asked_again);
    tcase_add_test(tcase, save_load_save_with_pending_bits);
    tcase_add_test(tcase, another_number_of_vectors_is_not_loaded);
    return suite;
}

KILN_TEST_MAIN(make_suite)
