/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MCH and the LPC bridge: what they place, and where interrupt pins go. */
#include "device/ich9-lpc.h"
#include "device/mch.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { LPC = 31, RCBA_BASE = 0xfed1c000 };

typedef struct {
    KilnBoard *board;
    KilnIch9Pm *pm;
    KilnDevice *lpc;
    KilnDevice *mch;
    KilnIrqOr isa[KILN_ICH9_N_ISA_IRQS];
} Chipset;

static void
chipset_open(Chipset *chipset, uint16_t pm_base, gboolean no_reboot)
{
    KilnBoard *board = chipset->board = kiln_board_new();
    KilnIch9PmOptions pm = { .io = board->io,
                             .clock = board->clock,
                             .sci = kiln_board_irq(board, 9),
                             .power_off = kiln_board_power_off,
                             .reset = kiln_board_reset,
                             .opaque = board };
    KilnMchOptions mch = { .host = board->host, .ecam_base = 0xe0000000 };
    KilnIch9LpcOptions lpc = { .host = board->host,
                               .pm_base = pm_base,
                               .no_reboot = no_reboot,
                               .gsi = kiln_board_gsi,
                               .gsi_opaque = board,
                               .reset = kiln_board_reset,
                               .reset_opaque = board };

    for (unsigned irq = 0; irq < KILN_ICH9_N_ISA_IRQS; irq++) {
        kiln_irq_or_init(&chipset->isa[irq], kiln_board_irq(board, irq));
        lpc.isa[irq] = kiln_irq_or_source(&chipset->isa[irq]);
    }
    chipset->pm = lpc.pm = kiln_ich9_pm_new(&pm, NULL);
    chipset->mch = kiln_mch_new(&mch, NULL);
    chipset->lpc = kiln_ich9_lpc_new(&lpc, NULL);
    ck_assert(chipset->pm != NULL && chipset->mch != NULL && chipset->lpc != NULL);
}

static void
chipset_close(Chipset *chipset)
{
    kiln_device_free(chipset->lpc);
    kiln_device_free(chipset->mch);
    kiln_device_free(kiln_ich9_pm_device(chipset->pm));
    for (unsigned irq = 0; irq < KILN_ICH9_N_ISA_IRQS; irq++)
        kiln_irq_or_clear(&chipset->isa[irq]);
    kiln_board_free(chipset->board);
}

START_TEST(both_are_found_where_q35_has_them)
{
    Chipset chipset;

    chipset_open(&chipset, 0x600, FALSE);
    ck_assert_uint_eq(kiln_board_read(chipset.board, 0xe0000000, 4), 0x29c08086);
    ck_assert_uint_eq(kiln_board_config(chipset.board, 0, 8, 4), 0x06000000);
    ck_assert_uint_eq(kiln_board_config(chipset.board, LPC, 0, 4), 0x29188086);
    ck_assert_uint_eq(kiln_board_config(chipset.board, LPC, 8, 4), 0x06010002);
    ck_assert_uint_eq(kiln_board_config(chipset.board, LPC, 0xe, 1), 0x80);
    ck_assert_uint_eq(kiln_board_config(chipset.board, LPC, 0x40, 4), 0x601);
    chipset_close(&chipset);
}
END_TEST

START_TEST(mch_5_1_pciexbar_moves_ecam_through_itself)
{
    Chipset chipset;
    KilnBoard *board;

    chipset_open(&chipset, 0x600, FALSE);
    board = chipset.board;
    kiln_board_write(board, 0xe0000060, 0xb0000003, 8); /* 128 MiB there */
    ck_assert_uint_eq(kiln_board_read(board, 0xe0000000, 4), 0xffffffff);
    ck_assert_uint_eq(kiln_board_read(board, 0xb0000000, 4), 0x29c08086);
    ck_assert_uint_eq(kiln_board_read(board, 0xb0000000 + (128 << 20), 4), 0xffffffff);
    kiln_board_set_config(board, 0, 0x60, 0xb0000007, 4); /* a reserved length */
    ck_assert_uint_eq(kiln_board_read(board, 0xb0000000, 4), 0xffffffff);
    kiln_board_set_config(board, 0, 0x64, 0xf, 4);
    kiln_board_set_config(board, 0, 0x60, 0xf0000001, 4); /* below 2^36 and no higher */
    ck_assert_uint_eq(kiln_board_read(board, 0xff0000000, 4), 0x29c08086);
    kiln_board_set_config(board, 0, 0x60, 0, 4);
    ck_assert_uint_eq(kiln_board_read(board, 0xff0000000, 4), 0xffffffff);
    kiln_device_reset(chipset.mch);
    ck_assert_uint_eq(kiln_board_read(board, 0xe0000000, 4), 0x29c08086);
    chipset_close(&chipset);
}
END_TEST

START_TEST(mch_5_1_pam_and_smram_keep_what_is_written)
{
    Chipset chipset;

    chipset_open(&chipset, 0x600, FALSE);
    kiln_board_set_config(chipset.board, 0, 0x90, 0xffffffff, 4);
    kiln_board_set_config(chipset.board, 0, 0x94, 0xffffffff, 4);
    ck_assert_uint_eq(kiln_board_config(chipset.board, 0, 0x90, 4), 0x33333330);
    ck_assert_uint_eq(kiln_board_config(chipset.board, 0, 0x94, 4), 0x00333333);
    ck_assert_uint_eq(kiln_board_config(chipset.board, 0, 0x9d, 1), 0x02);
    kiln_board_set_config(chipset.board, 0, 0x9d, 0x48, 1);
    ck_assert_uint_eq(kiln_board_config(chipset.board, 0, 0x9d, 1), 0x4a);
    chipset_close(&chipset);
}
END_TEST

START_TEST(mch_refuses_a_bad_ecam_base)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnMchOptions options = { .host = board->host, .ecam_base = 0xe8000000 };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_mch_new(&options, &error));
    kiln_assert_error_has(error, "0xe8000000");
}
END_TEST

START_TEST(ich9_13_1_pmbase_places_the_registers)
{
    Chipset chipset;
    KilnBoard *board;

    chipset_open(&chipset, 0, FALSE);
    board = chipset.board;
    ck_assert_uint_eq(kiln_board_in(board, 0x604, 2), 0xffff);
    kiln_board_set_config(board, LPC, 0x40, 0x601, 4);
    ck_assert_uint_eq(kiln_board_in(board, 0x604, 2), 0xffff);
    kiln_board_set_config(board, LPC, 0x44, 0x80, 1); /* as firmware does, in this order */
    ck_assert_uint_eq(kiln_board_in(board, 0x604, 2), 0);
    kiln_board_set_config(board, LPC, 0x40, 0xb001, 4);
    ck_assert_uint_eq(kiln_board_in(board, 0x604, 2), 0xffff);
    ck_assert_uint_eq(kiln_board_in(board, 0xb004, 2), 0);
    kiln_device_reset(chipset.lpc);
    ck_assert_uint_eq(kiln_board_in(board, 0xb004, 2), 0xffff);
    chipset_close(&chipset);
}
END_TEST

START_TEST(ich9_10_1_pins_go_to_pirqs_and_gsis)
{
    Chipset chipset;
    KilnBoard *board;
    KilnPciIdentity identity = { .vendor = 1, .device = 1, .pin = 1 };
    KilnPciDevice cards[3] = { 0 };
    static const KilnDeviceOps ops = { .name = "card" };
    static const uint8_t slots[] = { 3, 7, 29 };

    chipset_open(&chipset, 0x600, FALSE);
    board = chipset.board;
    for (unsigned i = 0; i < 3; i++) {
        kiln_pci_device_init(&cards[i], &ops, NULL, "card", &identity);
        ck_assert(kiln_pci_bus_add(kiln_pci_host_root(board->host), &cards[i],
                                   KILN_PCI_DEVFN(slots[i], 0), NULL));
    }
    kiln_pci_device_set_intx(&cards[0], TRUE);
    ck_assert(board->gsi[16 + 4 + 3]);
    kiln_pci_device_set_intx(&cards[1], TRUE); /* shares PIRQH */
    kiln_pci_device_set_intx(&cards[0], FALSE);
    ck_assert(board->gsi[23]);
    ck_assert_uint_eq(board->rises[23], 1);
    kiln_board_set_config(board, LPC, 0x6b, 0x0b, 1); /* PIRQH to irq 11 while it is up */
    ck_assert(board->gsi[11]);
    kiln_board_set_config(board, LPC, 0x6b, 0x08, 1); /* which nothing can be routed to */
    ck_assert(!board->gsi[11]);
    ck_assert(!board->gsi[8]);
    kiln_pci_device_set_intx(&cards[1], FALSE);
    ck_assert(!board->gsi[23]);

    kiln_pci_device_set_intx(&cards[2], TRUE); /* slot 29: as D29IR says */
    ck_assert(board->gsi[16]);
    kiln_board_set_config(board, LPC, 0xf0, RCBA_BASE | 1, 4);
    ck_assert_uint_eq(kiln_board_read(board, RCBA_BASE + 0x3144, 2), 0x3210);
    kiln_board_write(board, RCBA_BASE + 0x3144, 0x3217, 2);
    ck_assert(!board->gsi[16]);
    ck_assert(board->gsi[23]);
    for (unsigned i = 0; i < 3; i++) {
        kiln_pci_bus_remove(&cards[i]);
        kiln_pci_device_clear(&cards[i]);
    }
    ck_assert(!board->gsi[23]);
    chipset_close(&chipset);
}
END_TEST

START_TEST(a_pirq_and_an_isa_device_share_an_interrupt)
{
    Chipset chipset;
    KilnPciIdentity identity = { .vendor = 1, .device = 1, .pin = 1 };
    static const KilnDeviceOps ops = { .name = "card" };
    KilnPciDevice card = { 0 };
    KilnIrq serial;

    chipset_open(&chipset, 0x600, FALSE);
    serial = kiln_irq_or_source(&chipset.isa[11]);
    kiln_pci_device_init(&card, &ops, NULL, "card", &identity);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(chipset.board->host), &card, KILN_PCI_DEVFN(3, 0),
                               NULL));
    kiln_board_set_config(chipset.board, LPC, 0x6b, 0x0b, 1); /* PIRQH to irq 11 */
    kiln_irq_set(&serial, TRUE);
    kiln_pci_device_set_intx(&card, TRUE);
    kiln_irq_set(&serial, FALSE);
    ck_assert(chipset.board->gsi[11]);
    kiln_irq_set(&serial, TRUE);
    kiln_pci_device_set_intx(&card, FALSE);
    ck_assert(chipset.board->gsi[11]);
    kiln_irq_set(&serial, FALSE);
    ck_assert(!chipset.board->gsi[11]);
    ck_assert_uint_eq(chipset.board->rises[11], 1);
    kiln_pci_bus_remove(&card);
    kiln_pci_device_clear(&card);
    chipset_close(&chipset);
}
END_TEST

START_TEST(ich9_13_7_5_reset_control_inside_the_pci_ports)
{
    Chipset chipset;
    KilnBoard *board;

    chipset_open(&chipset, 0x600, FALSE);
    board = chipset.board;
    kiln_board_out(board, 0xcf8, 0x80000000, 4);
    kiln_board_out(board, 0xcf9, 0x02, 1);
    ck_assert_uint_eq(kiln_board_in(board, 0xcf9, 1), 0x02);
    ck_assert_uint_eq(kiln_board_in(board, 0xcf8, 4), 0x80000000); /* not touched by it */
    ck_assert_uint_eq(board->n_resets, 0);
    kiln_board_out(board, 0xcf9, 0x06, 1);
    ck_assert_uint_eq(board->n_resets, 1);
    ck_assert_uint_eq(board->reset_cause, KILN_RESET_PORT_CF9);
    chipset_close(&chipset);
}
END_TEST

START_TEST(ich9_10_1_75_no_reboot_strap_wins)
{
    Chipset chipset;

    for (gboolean strap = FALSE; strap <= TRUE; strap++) {
        chipset_open(&chipset, 0x600, strap);
        kiln_board_set_config(chipset.board, LPC, 0xf0, RCBA_BASE | 1, 4);
        kiln_board_write(chipset.board, RCBA_BASE + 0x3410, 0, 4);
        ck_assert_uint_eq(kiln_board_read(chipset.board, RCBA_BASE + 0x3410, 4), strap ? 0x20 : 0);
        kiln_board_out(chipset.board, 0x660, 1, 2);
        kiln_clock_advance(chipset.board->clock, 100 * KILN_NS_PER_SECOND);
        ck_assert_uint_eq(chipset.board->n_resets, strap ? 0 : 1);
        ck_assert_uint_eq(kiln_board_read(chipset.board, RCBA_BASE + 0x3ffc, 4), 0);
        chipset_close(&chipset);
    }
}
END_TEST

START_TEST(save_load_save)
{
    Chipset chipset, other;

    chipset_open(&chipset, 0x600, FALSE);
    chipset_open(&other, 0x600, FALSE);
    kiln_board_set_config(chipset.board, LPC, 0xf0, RCBA_BASE | 1, 4);
    kiln_board_write(chipset.board, RCBA_BASE + 0x3140, 0x0123, 2);
    kiln_board_set_config(chipset.board, LPC, 0x40, 0xb001, 4);
    kiln_board_set_config(chipset.board, LPC, 0x60, 0x0a, 1);
    kiln_board_set_config(chipset.board, 0, 0x60, 0xb0000001, 4);
    kiln_board_set_config(chipset.board, 0, 0x92, 0x33, 1);
    ck_assert(kiln_board_resave(chipset.lpc, other.lpc));
    ck_assert(kiln_board_resave(chipset.mch, other.mch));
    ck_assert_uint_eq(kiln_board_read(other.board, RCBA_BASE + 0x3140, 2), 0x0123);
    ck_assert_uint_eq(kiln_board_in(other.board, 0xb004, 2), 0);
    ck_assert_uint_eq(kiln_board_read(other.board, 0xb0000092, 1), 0x33);
    chipset_close(&chipset);
    chipset_close(&other);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("chipset");
    TCase *tcase = kiln_test_case(suite, "chipset");

    tcase_add_test(tcase, both_are_found_where_q35_has_them);
    tcase_add_test(tcase, mch_5_1_pciexbar_moves_ecam_through_itself);
    tcase_add_test(tcase, mch_5_1_pam_and_smram_keep_what_is_written);
    tcase_add_test(tcase, mch_refuses_a_bad_ecam_base);
    tcase_add_test(tcase, ich9_13_1_pmbase_places_the_registers);
    tcase_add_test(tcase, ich9_10_1_pins_go_to_pirqs_and_gsis);
    tcase_add_test(tcase, a_pirq_and_an_isa_device_share_an_interrupt);
    tcase_add_test(tcase, ich9_13_7_5_reset_control_inside_the_pci_ports);
    tcase_add_test(tcase, ich9_10_1_75_no_reboot_strap_wins);
    tcase_add_test(tcase, save_load_save);
    return suite;
}

KILN_TEST_MAIN(make_suite)
