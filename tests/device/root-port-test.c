/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A root port as a hot-plug driver uses it: coming, going, being pulled out, resets, state. */
#include "device/root-port.h"

#include <string.h>

#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-card.h"
#include "tests/lib/kiln-test.h"

enum { SLOT = 2, EXPRESS = 0x40, MSIX = 0x7c, NUMBER = 5, PORT_BAR = 0xc0000000, DATA = 0x4023 };

typedef struct {
    KilnBoard *board;
    KilnPciDevice *port;
    KilnCard *card; /* (nullable) */
    unsigned n_ejected;
} Slot;

static void
ejected(void *opaque, KilnPciDevice *port)
{
    Slot *slot = opaque;

    ck_assert_ptr_eq(port, slot->port);
    slot->n_ejected++;
}

static void
insert(Slot *slot)
{
    slot->card = kiln_card_new("card", 2);
    kiln_card_add_bar(slot->card, 0, KILN_PCI_BAR_MEMORY_32, FALSE, 0x1000);
    ck_assert(kiln_pci_bus_add(kiln_root_port_bus(slot->port), &slot->card->pci, 0, NULL));
}

static void
pull_out(Slot *slot)
{
    kiln_pci_bus_remove(&slot->card->pci);
    kiln_pci_host_synchronize(slot->board->host);
    kiln_device_free(&slot->card->pci.device);
    slot->card = NULL;
    kiln_root_port_unplugged(slot->port);
}

static uint32_t
get(const Slot *slot, unsigned reg, unsigned size)
{
    return kiln_board_config(slot->board, SLOT, reg, size);
}

static void
set(const Slot *slot, unsigned reg, uint32_t value, unsigned size)
{
    kiln_board_set_config(slot->board, SLOT, reg, value, size);
}

static unsigned
status(const Slot *slot)
{
    return get(slot, EXPRESS + PCI_EXP_SLTSTA, 2);
}

static gboolean
link_active(const Slot *slot)
{
    return (get(slot, EXPRESS + PCI_EXP_LNKSTA, 2) & PCI_EXP_LNKSTA_DLLLA) != 0;
}

static void
set_slot(const Slot *slot, uint32_t bits)
{
    set(slot, EXPRESS + PCI_EXP_SLTCTL,
        PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_DLLSCE | bits, 2);
}

/* Bus numbers, a window, MSI-X with one message: as firmware and driver do. */
static void
set_up(const Slot *slot)
{
    set(slot, PCI_PRIMARY_BUS, 0x00010100, 4);
    set(slot, PCI_MEMORY_BASE, 0xc010c010, 4);
    set(slot, PCI_BASE_ADDRESS_0, PORT_BAR, 4);
    set(slot, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    kiln_board_write(slot->board, PORT_BAR, 0xfee00000, 4);
    kiln_board_write(slot->board, PORT_BAR + 8, DATA, 4);
    kiln_board_write(slot->board, PORT_BAR + 12, 0, 4);
    set(slot, MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
}

static void
slot_open(Slot *slot, gboolean hotplug, gboolean full)
{
    KilnRootPortOptions options = {
        .id = "pci.5", .number = NUMBER, .hotplug = hotplug, .ejected = ejected, .opaque = slot
    };

    memset(slot, 0, sizeof *slot);
    slot->board = kiln_board_new();
    slot->port = kiln_root_port_new(&options, NULL);
    ck_assert_ptr_nonnull(slot->port);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(slot->board->host), slot->port,
                               KILN_PCI_DEVFN(SLOT, 0), NULL));
    if (full) {
        insert(slot);
        ck_assert(kiln_root_port_plug(slot->port, FALSE, NULL));
    }
    set_up(slot);
}

static void
slot_close(Slot *slot)
{
    if (slot->card != NULL)
        kiln_device_free(&slot->card->pci.device);
    kiln_device_free(&slot->port->device);
    kiln_board_free(slot->board);
}

START_TEST(pcie50_7_5_3_what_it_is)
{
    Slot slot;

    slot_open(&slot, TRUE, FALSE);
    ck_assert_uint_eq(get(&slot, 0, 4), 0x000c1b36);
    ck_assert_uint_eq(get(&slot, PCI_CLASS_REVISION, 4), 0x06040000);
    ck_assert_uint_eq(get(&slot, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_BRIDGE);
    ck_assert_uint_eq(get(&slot, PCI_CAPABILITY_LIST, 1), EXPRESS);
    ck_assert_uint_eq(get(&slot, EXPRESS, 4), 0x01420000 | MSIX << 8 | PCI_CAP_ID_EXP);
    ck_assert_uint_eq(get(&slot, MSIX, 2), PCI_CAP_ID_MSIX);
    ck_assert_uint_eq(get(&slot, EXPRESS + PCI_EXP_SLTCAP, 4),
                      NUMBER << 19 | PCI_EXP_SLTCAP_NCCS | PCI_EXP_SLTCAP_HPC | PCI_EXP_SLTCAP_PIP |
                          PCI_EXP_SLTCAP_AIP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_ABP);
    ck_assert(get(&slot, EXPRESS + PCI_EXP_LNKCAP, 4) & PCI_EXP_LNKCAP_DLLLARC);
    set(&slot, PCI_IO_BASE, 0xf0e0, 2); /* no I/O window */
    ck_assert_uint_eq(get(&slot, PCI_IO_BASE, 2), 0);
    set(&slot, EXPRESS + PCI_EXP_SLTCAP, 0, 4); /* read-only */
    ck_assert(get(&slot, EXPRESS + PCI_EXP_SLTCAP, 4) & PCI_EXP_SLTCAP_HPC);
    slot_close(&slot);
}
END_TEST

START_TEST(a_slot_that_is_full_from_the_start)
{
    Slot slot;

    slot_open(&slot, TRUE, TRUE);
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDS);
    ck_assert(link_active(&slot));
    ck_assert_uint_eq(get(&slot, EXPRESS + PCI_EXP_SLTCTL, 2),
                      PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PWR_IND_ON);
    kiln_device_reset(&slot.port->device);
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDS);
    ck_assert_uint_eq(kiln_board_messages(slot.board, DATA), 0);
    slot_close(&slot);
    slot_open(&slot, TRUE, FALSE);
    ck_assert_uint_eq(status(&slot), 0);
    ck_assert(!link_active(&slot));
    ck_assert_uint_eq(get(&slot, EXPRESS + PCI_EXP_SLTCTL, 2), PCI_EXP_SLTCTL_ATTN_IND_OFF |
                                                                   PCI_EXP_SLTCTL_PWR_IND_OFF |
                                                                   PCI_EXP_SLTCTL_PWR_OFF);
    slot_close(&slot);
}
END_TEST

START_TEST(pcie50_6_7_plugging_in)
{
    Slot slot;

    slot_open(&slot, TRUE, FALSE);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF);
    insert(&slot);
    ck_assert(kiln_root_port_plug(slot.port, TRUE, NULL));
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_ABP);
    ck_assert_uint_eq(kiln_board_messages(slot.board, DATA), 1);
    ck_assert(!link_active(&slot)); /* it has no power yet */
    set(&slot, EXPRESS + PCI_EXP_SLTSTA, status(&slot), 2);
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDS);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_BLINK);
    ck_assert(link_active(&slot));
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_DLLSC);
    ck_assert_uint_eq(kiln_board_messages(slot.board, DATA), 1);
    set(&slot, EXPRESS + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_DLLSC, 2);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_ON);
    ck_assert_uint_eq(kiln_pci_host_config_read(slot.board->host, 1 << 20, 4), 0x10411af4);
    kiln_pci_host_config_write(slot.board->host, 1 << 20 | PCI_BASE_ADDRESS_0, 0xc0100000, 4);
    kiln_pci_host_config_write(slot.board->host, 1 << 20 | PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    ck_assert_uint_eq(kiln_board_read(slot.board, 0xc0100000, 4), 0x5a5a5a5a);
    ck_assert_uint_eq(kiln_board_messages(slot.board, DATA), 0);
    ck_assert_uint_eq(slot.n_ejected, 0);
    slot_close(&slot);
}
END_TEST

START_TEST(pcie50_6_7_taking_out)
{
    Slot slot;
    g_autoptr(GError) error = NULL;

    slot_open(&slot, TRUE, TRUE);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_ON);
    ck_assert(kiln_root_port_unplug_request(slot.port, NULL));
    ck_assert_uint_eq(kiln_board_messages(slot.board, DATA), 1);
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_ABP);
    set(&slot, EXPRESS + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_ABP, 2);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_BLINK);
    /* a second press would take the first one back */
    ck_assert(!kiln_root_port_unplug_request(slot.port, &error));
    kiln_assert_error_has(error, "at work on the PCI port 'pci.5'");
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_BLINK | PCI_EXP_SLTCTL_PWR_OFF);
    ck_assert(!link_active(&slot));
    ck_assert_uint_eq(slot.card->n_resets, 1); /* it has lost its power */
    ck_assert_uint_eq(slot.n_ejected, 0);
    set(&slot, EXPRESS + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_DLLSC, 2);
    ck_assert_uint_eq(kiln_board_messages(slot.board, DATA), 1);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF);
    ck_assert_uint_eq(slot.n_ejected, 1);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF); /* said once */
    ck_assert_uint_eq(slot.n_ejected, 1);
    ck_assert(kiln_root_port_unplug_request(slot.port, NULL)); /* it is off: nobody to ask */
    ck_assert_uint_eq(slot.n_ejected, 2);
    pull_out(&slot);
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDC);
    g_clear_error(&error);
    ck_assert(!kiln_root_port_unplug_request(slot.port, &error));
    kiln_assert_error_has(error, "nothing in the PCI port 'pci.5'");
    slot_close(&slot);
}
END_TEST

START_TEST(being_pulled_out)
{
    Slot slot;

    slot_open(&slot, TRUE, TRUE);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_ON);
    pull_out(&slot);
    ck_assert_uint_eq(status(&slot), PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
    ck_assert_uint_eq(kiln_board_messages(slot.board, DATA), 1);
    ck_assert(!link_active(&slot));
    slot_close(&slot);
}
END_TEST

START_TEST(a_port_without_hotplug)
{
    Slot slot;
    g_autoptr(GError) error = NULL;

    slot_open(&slot, FALSE, TRUE);
    ck_assert_uint_eq(get(&slot, EXPRESS + PCI_EXP_SLTCAP, 4), NUMBER << 19);
    ck_assert(link_active(&slot));
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF);
    ck_assert_uint_eq(get(&slot, EXPRESS + PCI_EXP_SLTCTL, 2), 0);
    ck_assert_uint_eq(slot.n_ejected, 0);
    ck_assert(!kiln_root_port_unplug_request(slot.port, &error));
    kiln_assert_error_has(error, "'pci.5' has no hotplug");
    slot_close(&slot);
}
END_TEST

START_TEST(pcie50_6_7_3_4_a_pin_where_there_are_no_messages)
{
    Slot slot;

    slot_open(&slot, TRUE, TRUE);
    set(&slot, MSIX + PCI_MSIX_FLAGS, 0, 2);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_ON);
    ck_assert(kiln_root_port_unplug_request(slot.port, NULL));
    ck_assert(get(&slot, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    set(&slot, EXPRESS + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_ABP, 2);
    ck_assert(!(get(&slot, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
    set(&slot, EXPRESS + PCI_EXP_SLTCTL, PCI_EXP_SLTCTL_ABPE, 2); /* no HPIE */
    ck_assert(kiln_root_port_unplug_request(slot.port, NULL));
    ck_assert(!(get(&slot, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
    slot_close(&slot);
}
END_TEST

START_TEST(bridge12_3_2_5_18_secondary_bus_reset)
{
    Slot slot;

    slot_open(&slot, TRUE, TRUE);
    set(&slot, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET, 2);
    ck_assert_uint_eq(slot.card->n_resets, 1);
    set(&slot, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET | PCI_BRIDGE_CTL_SERR, 2);
    ck_assert_uint_eq(slot.card->n_resets, 1);
    set(&slot, PCI_BRIDGE_CONTROL, 0, 2);
    set(&slot, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET, 2);
    ck_assert_uint_eq(slot.card->n_resets, 2);
    slot_close(&slot);
}
END_TEST

START_TEST(pcie50_7_5_3_7_link_disable)
{
    Slot slot;

    slot_open(&slot, TRUE, TRUE);
    set(&slot, EXPRESS + PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD, 2);
    ck_assert(!link_active(&slot));
    ck_assert(status(&slot) & PCI_EXP_SLTSTA_DLLSC);
    set(&slot, EXPRESS + PCI_EXP_LNKCTL, 0, 2);
    ck_assert(link_active(&slot));
    slot_close(&slot);
}
END_TEST

START_TEST(save_load_save)
{
    Slot slot, other;

    slot_open(&slot, TRUE, TRUE);
    slot_open(&other, TRUE, TRUE);
    set_slot(&slot, PCI_EXP_SLTCTL_PWR_IND_BLINK);
    set(&slot, MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
    set(&slot, EXPRESS + PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD, 2); /* an event that is pending */
    ck_assert(kiln_board_resave(&slot.port->device, &other.port->device));
    ck_assert_uint_eq(status(&other), status(&slot));
    ck_assert(!link_active(&other));
    ck_assert_uint_eq(kiln_board_read(other.board, PORT_BAR + 0x800, 4), 1);
    set(&other, MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
    ck_assert_uint_eq(kiln_board_messages(other.board, DATA), 1);
    slot_close(&slot);
    slot_close(&other);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("root-port");
    TCase *tcase = kiln_test_case(suite, "root-port");

    tcase_add_test(tcase, pcie50_7_5_3_what_it_is);
    tcase_add_test(tcase, a_slot_that_is_full_from_the_start);
    tcase_add_test(tcase, pcie50_6_7_plugging_in);
    tcase_add_test(tcase, pcie50_6_7_taking_out);
    tcase_add_test(tcase, being_pulled_out);
    tcase_add_test(tcase, a_port_without_hotplug);
    tcase_add_test(tcase, pcie50_6_7_3_4_a_pin_where_there_are_no_messages);
    tcase_add_test(tcase, bridge12_3_2_5_18_secondary_bus_reset);
    tcase_add_test(tcase, pcie50_7_5_3_7_link_disable);
    tcase_add_test(tcase, save_load_save);
    return suite;
}

KILN_TEST_MAIN(make_suite)
