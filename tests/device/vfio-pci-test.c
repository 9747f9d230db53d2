/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A function of the host in a guest: what its driver finds, and what reaches the device. */
#include "device/vfio-pci.h"

#include <string.h>
#include <sys/eventfd.h>

#include "base/le.h"
#include "bus/pci-bus.h"
#include "tests/lib/fake-vfio.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { SLOT = 4, PORTS = 0x6000, MESSAGE = 0x4021 };

#define BASE UINT64_C(0x140000000)

typedef struct {
    KilnBoard *board;
    FakeVfio *fake;
    KilnPciDevice *pci;
    gboolean freed;
} Fixture;

static uint32_t
config(const Fixture *at, unsigned reg, unsigned size)
{
    return kiln_board_config(at->board, SLOT, reg, size);
}

static void
set_config(const Fixture *at, unsigned reg, uint32_t value, unsigned size)
{
    kiln_board_set_config(at->board, SLOT, reg, value, size);
}

static void
open_with(Fixture *at, FakeVfio *fake)
{
    KilnVfioPciOptions options = { .id = "hostdev0", .slots = fake_vfio_slots(fake) };
    GError *error = NULL;

    at->board = kiln_board_new();
    at->fake = fake;
    at->freed = FALSE;
    fake->freed = &at->freed;
    at->pci = kiln_vfio_pci_new(&fake->base, &options, &error);
    kiln_assert_no_error(error);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(at->board->host), at->pci,
                               KILN_PCI_DEVFN(SLOT, 0), NULL));
    kiln_device_reset(&at->pci->device);
    set_config(at, PCI_BASE_ADDRESS_0, (uint32_t)BASE, 4);
    set_config(at, PCI_BASE_ADDRESS_1, BASE >> 32, 4);
    set_config(at, PCI_BASE_ADDRESS_4, PORTS, 4);
    set_config(at, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
}

static void
open_it(Fixture *at)
{
    open_with(at, fake_vfio_new());
}

static void
close_it(Fixture *at)
{
    kiln_device_free(&at->pci->device);
    ck_assert(at->freed);
    kiln_board_free(at->board);
}

START_TEST(identity_and_capabilities_are_the_device_s)
{
    static const uint8_t list[] = { FAKE_VFIO_PM, FAKE_VFIO_MSI, FAKE_VFIO_MSIX, FAKE_VFIO_EXPRESS,
                                    FAKE_VFIO_VENDOR };
    Fixture at;
    unsigned cap;

    open_it(&at);
    ck_assert_uint_eq(config(&at, PCI_VENDOR_ID, 4), 0x00101b36);
    ck_assert_uint_eq(config(&at, PCI_CLASS_REVISION, 4), 0x01080202);
    ck_assert_uint_eq(config(&at, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
    ck_assert_uint_eq(config(&at, PCI_HEADER_TYPE, 1), 0); /* alone here */
    ck_assert_uint_eq(config(&at, PCI_INTERRUPT_PIN, 1), 0);
    ck_assert(config(&at, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
    cap = config(&at, PCI_CAPABILITY_LIST, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(list); i++) { /* without the vital product data */
        ck_assert_uint_eq(cap, list[i]);
        cap = config(&at, cap + 1, 1);
    }
    ck_assert_uint_eq(cap, 0);
    ck_assert_uint_eq(config(&at, FAKE_VFIO_VPD, 4), 0);
    /* On the root bus: integrated, without a link. */
    ck_assert_uint_eq(config(&at, FAKE_VFIO_EXPRESS + PCI_EXP_FLAGS, 2),
                      PCI_EXP_TYPE_RC_END << 4 | 2);
    ck_assert_uint_eq(config(&at, FAKE_VFIO_EXPRESS + PCI_EXP_LNKCAP, 4), 0);
    ck_assert_uint_eq(at.pci->config[0x100], 0);
    close_it(&at);
}
END_TEST

START_TEST(behind_a_root_port_it_keeps_its_link_and_serial_number)
{
    FakeVfio *fake = fake_vfio_new();
    KilnVfioPciOptions options = { .id = "hostdev0", .express = TRUE };
    KilnPciDevice *pci = kiln_vfio_pci_new(&fake->base, &options, NULL);

    ck_assert_ptr_nonnull(pci);
    ck_assert_uint_eq(kiln_le16_load(pci->config + FAKE_VFIO_EXPRESS + PCI_EXP_FLAGS),
                      PCI_EXP_TYPE_ENDPOINT << 4 | 2);
    ck_assert_uint_eq(kiln_le32_load(pci->config + FAKE_VFIO_EXPRESS + PCI_EXP_LNKCAP), 0x43);
    ck_assert_uint_eq(kiln_le32_load(pci->config + 0x100), PCI_EXT_CAP_ID_DSN | 1 << 16);
    ck_assert_uint_eq(kiln_le64_load(pci->config + 0x104), UINT64_C(0x1122334455667788));
    kiln_device_free(&pci->device);
}
END_TEST

START_TEST(registers_are_memory_of_the_guest_but_for_those_of_msix)
{
    Fixture at;
    void *host;

    open_it(&at);
    ck_assert_uint_eq(fake_vfio_reached(at.fake, BASE, &host), 0x2000);
    ck_assert_ptr_eq(host, at.fake->bar);
    ck_assert_uint_eq(fake_vfio_reached(at.fake, BASE + 0x2000, NULL), 0); /* the table's page */
    ck_assert_uint_eq(fake_vfio_reached(at.fake, BASE + 0x3000, &host), 0x1000);
    ck_assert_ptr_eq(host, at.fake->bar + 0x3000);
    ck_assert_uint_eq(fake_vfio_reached(at.fake, BASE + 0x4000, NULL), 0); /* pending bits */
    ck_assert_uint_eq(fake_vfio_reached(at.fake, BASE + 0x5000, NULL), 0x3000);
    /* Moved, and turned off. */
    set_config(&at, PCI_BASE_ADDRESS_1, 2, 4);
    ck_assert_uint_eq(fake_vfio_reached(at.fake, BASE, NULL), 0);
    ck_assert_uint_eq(fake_vfio_reached(at.fake, UINT64_C(0x240000000), NULL), 0x2000);
    set_config(&at, PCI_COMMAND, 0, 2);
    for (unsigned i = 0; i < G_N_ELEMENTS(at.fake->slots); i++)
        ck_assert_uint_eq(at.fake->slots[i].length, 0);
    close_it(&at);
}
END_TEST

START_TEST(trapped_registers_and_ports_reach_the_device)
{
    Fixture at;

    open_it(&at);
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t value = UINT64_C(0x8877665544332211) >> (64 - 8 * size);

        kiln_board_write(at.board, BASE + 0x2010, value, size);
        ck_assert_int_eq(memcmp(at.fake->bar + 0x2010, &value, size), 0);
        ck_assert_uint_eq(kiln_board_read(at.board, BASE + 0x2010, size), value);
    }
    kiln_board_out(at.board, PORTS + 4, 0xbeef, 2);
    ck_assert_uint_eq(kiln_le16_load(at.fake->io + 4), 0xbeef);
    ck_assert_uint_eq(kiln_board_in(at.board, PORTS + 4, 2), 0xbeef);
    close_it(&at);
}
END_TEST

START_TEST(without_slots_all_registers_are_reached)
{
    FakeVfio *fake = fake_vfio_new();
    Fixture at;

    fake->no_slots = TRUE;
    open_with(&at, fake);
    kiln_board_write(at.board, BASE + 0x14, 0x460001, 4);
    ck_assert_uint_eq(kiln_le32_load(at.fake->bar + 0x14), 0x460001);
    close_it(&at);
}
END_TEST

START_TEST(msix_vectors_come_from_the_device_by_the_guest_s_table)
{
    Fixture at;
    uint64_t entry = BASE + FAKE_VFIO_TABLE + 16 * 3;

    open_it(&at);
    ck_assert_int_eq(at.fake->irqs, -1);
    kiln_board_write(at.board, entry, 0xfee00000, 8);
    kiln_board_write(at.board, entry + 8, MESSAGE, 8); /* data, and unmasked */
    set_config(&at, FAKE_VFIO_MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
    ck_assert_int_eq(at.fake->irqs, VFIO_PCI_MSIX_IRQ_INDEX);
    ck_assert_uint_eq(at.fake->n_irqs, FAKE_VFIO_N_VECTORS);
    eventfd_write(at.fake->fds[3], 1);
    eventfd_write(at.fake->fds[4], 1); /* masked */
    ck_assert_uint_eq(kiln_board_messages(at.board, MESSAGE), 1);
    ck_assert_uint_eq(kiln_board_read(at.board, BASE + FAKE_VFIO_PENDING, 8), 1 << 4);
    ck_assert_uint_eq(kiln_board_read(at.board, BASE + FAKE_VFIO_PENDING, 1), 1 << 4);
    ck_assert_uint_eq(kiln_board_read(at.board, entry + 8, 4), MESSAGE);
    /* The device's own table is the host's. */
    ck_assert_uint_eq(kiln_le32_load(at.fake->bar + FAKE_VFIO_TABLE + 16 * 3 + 8), 0);
    set_config(&at, FAKE_VFIO_MSIX + PCI_MSIX_FLAGS, 0, 2);
    ck_assert_int_eq(at.fake->irqs, -1);
    close_it(&at);
}
END_TEST

START_TEST(a_host_short_of_interrupts_gives_what_it_has)
{
    FakeVfio *fake = fake_vfio_new();
    Fixture at;

    fake->room = 5;
    open_with(&at, fake);
    set_config(&at, FAKE_VFIO_MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
    ck_assert_uint_eq(at.fake->n_irqs, 5);
    close_it(&at);
}
END_TEST

START_TEST(pci30_6_8_1_6_msi_messages_differ_in_their_lowest_bits)
{
    Fixture at;

    open_it(&at);
    ck_assert_uint_eq(config(&at, FAKE_VFIO_MSI + PCI_MSI_FLAGS, 2),
                      PCI_MSI_FLAGS_64BIT | 2 << 1); /* no masking */
    set_config(&at, FAKE_VFIO_MSI + PCI_MSI_ADDRESS_LO, 0xfee01000, 4);
    set_config(&at, FAKE_VFIO_MSI + PCI_MSI_DATA_64, MESSAGE, 2);
    set_config(&at, FAKE_VFIO_MSI + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | 1 << 4, 2); /* two */
    ck_assert_int_eq(at.fake->irqs, VFIO_PCI_MSI_IRQ_INDEX);
    ck_assert_uint_eq(at.fake->n_irqs, 2);
    ck_assert_uint_eq(kiln_board_message(at.board, at.fake->fds[0])->data, MESSAGE - 1);
    ck_assert_uint_eq(kiln_board_message(at.board, at.fake->fds[1])->data, MESSAGE);
    /* A new message while it is on, as for another processor. */
    set_config(&at, FAKE_VFIO_MSI + PCI_MSI_ADDRESS_LO, 0xfee02000, 4);
    ck_assert_uint_eq(kiln_board_message(at.board, at.fake->fds[1])->address, 0xfee02000);
    /* MSI-X instead. */
    set_config(&at, FAKE_VFIO_MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
    ck_assert_int_eq(at.fake->irqs, VFIO_PCI_MSIX_IRQ_INDEX);
    set_config(&at, FAKE_VFIO_MSIX + PCI_MSIX_FLAGS, 0, 2);
    set_config(&at, FAKE_VFIO_MSI + PCI_MSI_FLAGS, 0, 2);
    ck_assert_int_eq(at.fake->irqs, -1);
    ck_assert_uint_eq(at.board->wires->len, 0);
    close_it(&at);
}
END_TEST

START_TEST(the_device_always_decodes_and_masters_the_bus_when_the_guest_says)
{
    Fixture at;

    open_it(&at);
    ck_assert_uint_eq(kiln_le16_load(at.fake->config + PCI_COMMAND),
                      PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER |
                          PCI_COMMAND_INTX_DISABLE);
    set_config(&at, PCI_COMMAND, 0, 2);
    ck_assert_uint_eq(kiln_le16_load(at.fake->config + PCI_COMMAND),
                      PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE);
    ck_assert_uint_eq(config(&at, PCI_COMMAND, 2), 0);
    close_it(&at);
}
END_TEST

START_TEST(what_is_passed_goes_to_the_device_and_nothing_else)
{
    uint8_t before[4096];
    Fixture at;

    open_it(&at);
    memcpy(before, at.fake->config, sizeof before);
    for (unsigned reg = 0; reg < 256; reg++) {
        gboolean passed =
            reg == PCI_STATUS + 1 ||
            (reg >= FAKE_VFIO_EXPRESS + PCI_EXP_DEVCTL &&
             reg < FAKE_VFIO_EXPRESS + PCI_EXP_DEVCTL + 4) ||
            (reg >= FAKE_VFIO_EXPRESS + PCI_EXP_DEVCTL2 &&
             reg < FAKE_VFIO_EXPRESS + PCI_EXP_DEVCTL2 + 2) ||
            (reg >= FAKE_VFIO_VENDOR + 3 && reg < FAKE_VFIO_VENDOR + FAKE_VFIO_VENDOR_BYTES);

        if (reg <= PCI_STATUS) /* the command register, and bits that are this side's own */
            continue;
        set_config(&at, reg, 0x5a, 1);
        ck_assert_msg(at.fake->config[reg] == (passed ? 0x5a : before[reg]), "register 0x%x", reg);
    }
    at.fake->config[FAKE_VFIO_VENDOR + 4] = 0x77; /* it changes by itself */
    ck_assert_uint_eq(config(&at, FAKE_VFIO_VENDOR + 4, 1), 0x77);
    close_it(&at);
}
END_TEST

START_TEST(a_reset_reaches_the_device_with_its_interrupts_off)
{
    Fixture at;
    unsigned before;

    open_it(&at);
    set_config(&at, FAKE_VFIO_MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
    before = at.fake->n_resets;
    kiln_device_reset(&at.pci->device);
    ck_assert_uint_eq(at.fake->n_resets, before + 1);
    ck_assert_int_eq(at.fake->irqs, -1);
    ck_assert_uint_eq(fake_vfio_reached(at.fake, BASE, NULL), 0);
    ck_assert_uint_eq(kiln_le16_load(at.fake->config + PCI_COMMAND) & PCI_COMMAND_MASTER, 0);
    ck_assert_ptr_nonnull(at.pci->device.ops->unsaved);
    close_it(&at);
}
END_TEST

static void
expect_refused(FakeVfio *fake, const char *text)
{
    KilnVfioPciOptions options = { .id = "hostdev0" };
    g_autoptr(GError) error = NULL;
    gboolean freed = FALSE;

    fake->freed = &freed;
    ck_assert_ptr_null(kiln_vfio_pci_new(&fake->base, &options, &error));
    kiln_assert_error_has(error, text);
    kiln_assert_error_has(error, "0000:03:00.0");
    ck_assert(freed);
}

START_TEST(what_cannot_be_given_is_refused)
{
    FakeVfio *fake = fake_vfio_new();

    fake->config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
    expect_refused(fake, "bridge");
    fake = fake_vfio_new();
    fake->config[PCI_CAPABILITY_LIST] = FAKE_VFIO_EXPRESS;
    expect_refused(fake, "neither MSI nor MSI-X");
    fake = fake_vfio_new();
    kiln_le32_store(fake->config + FAKE_VFIO_MSIX + PCI_MSIX_TABLE, FAKE_VFIO_BAR_BYTES - 16);
    expect_refused(fake, "MSI-X");
    fake = fake_vfio_new();
    kiln_le32_store(fake->config + FAKE_VFIO_MSIX + PCI_MSIX_PBA, 2);
    expect_refused(fake, "MSI-X");
    fake = fake_vfio_new();
    fake->base.regions[VFIO_PCI_CONFIG_REGION_INDEX].size = 0;
    expect_refused(fake, "configuration space");
    fake = fake_vfio_new();
    fake->base.regions[0].size = 0x7000;
    expect_refused(fake, "BAR 0");
}
END_TEST

START_TEST(a_looping_list_of_capabilities_ends)
{
    FakeVfio *fake = fake_vfio_new();
    Fixture at;

    fake->config[FAKE_VFIO_VENDOR + 1] = FAKE_VFIO_PM;
    open_with(&at, fake);
    ck_assert_uint_eq(config(&at, FAKE_VFIO_VENDOR + 1, 1), 0);
    close_it(&at);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("vfio-pci");
    TCase *tcase = kiln_test_case(suite, "all");

    tcase_add_test(tcase, identity_and_capabilities_are_the_device_s);
    tcase_add_test(tcase, behind_a_root_port_it_keeps_its_link_and_serial_number);
    tcase_add_test(tcase, registers_are_memory_of_the_guest_but_for_those_of_msix);
    tcase_add_test(tcase, trapped_registers_and_ports_reach_the_device);
    tcase_add_test(tcase, without_slots_all_registers_are_reached);
    tcase_add_test(tcase, msix_vectors_come_from_the_device_by_the_guest_s_table);
    tcase_add_test(tcase, a_host_short_of_interrupts_gives_what_it_has);
    tcase_add_test(tcase, pci30_6_8_1_6_msi_messages_differ_in_their_lowest_bits);
    tcase_add_test(tcase, the_device_always_decodes_and_masters_the_bus_when_the_guest_says);
    tcase_add_test(tcase, what_is_passed_goes_to_the_device_and_nothing_else);
    tcase_add_test(tcase, a_reset_reaches_the_device_with_its_interrupts_off);
    tcase_add_test(tcase, what_cannot_be_given_is_refused);
    tcase_add_test(tcase, a_looping_list_of_capabilities_ends);
    return suite;
}

KILN_TEST_MAIN(make_suite)
