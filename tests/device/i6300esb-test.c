/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 6300ESB's watchdog, driven as Linux's i6300esb does. */
#include "device/i6300esb.h"

#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { SLOT = 5, BASE = 0xfe000000, CONFIG = 0x60, LOCK = 0x68, RELOAD = BASE + 0xc };

#define SECOND KILN_NS_PER_SECOND

typedef struct {
    KilnBoard *board;
    KilnPciDevice *pci;
    unsigned n_expired;
} Dog;

static void
expired(void *opaque)
{
    ((Dog *)opaque)->n_expired++;
}

static void
dog_open(Dog *dog)
{
    *dog = (Dog){ .board = kiln_board_new() };

    KilnI6300esbOptions options = {
        .id = "watchdog0", .clock = dog->board->clock, .expired = expired, .opaque = dog
    };

    dog->pci = kiln_i6300esb_new(&options);
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(dog->board->host), dog->pci,
                               KILN_PCI_DEVFN(SLOT, 0), NULL));
    kiln_board_set_config(dog->board, SLOT, PCI_BASE_ADDRESS_0, BASE, 4);
    kiln_board_set_config(dog->board, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

static void
dog_close(Dog *dog)
{
    kiln_device_free(&dog->pci->device);
    kiln_board_free(dog->board);
}

static void
unlock(Dog *dog)
{
    kiln_board_write(dog->board, RELOAD, 0x80, 1);
    kiln_board_write(dog->board, RELOAD, 0x86, 1);
}

static void
keep_alive(Dog *dog)
{
    unlock(dog);
    kiln_board_write(dog->board, RELOAD, 0x100, 2);
}

/* As the driver does for a heartbeat in seconds: both stages have half of it. */
static void
set_heartbeat(Dog *dog, unsigned seconds)
{
    unlock(dog);
    kiln_board_write(dog->board, BASE, seconds << 9, 4);
    unlock(dog);
    kiln_board_write(dog->board, BASE + 4, seconds << 9, 4);
    keep_alive(dog);
}

static void
set_lock(Dog *dog, uint8_t bits)
{
    kiln_board_set_config(dog->board, SLOT, LOCK, bits, 1);
}

/* What the driver writes when it finds the device. */
static void
probe(Dog *dog)
{
    kiln_board_set_config(dog->board, SLOT, CONFIG, 0x0003, 2);
    set_lock(dog, 0);
    unlock(dog);
    kiln_board_write(dog->board, RELOAD, 0x300, 2);
}

START_TEST(what_it_is)
{
    Dog dog;

    dog_open(&dog);
    ck_assert_uint_eq(kiln_board_config(dog.board, SLOT, 0, 4), 0x25ab8086);
    ck_assert_uint_eq(kiln_board_config(dog.board, SLOT, PCI_CLASS_DEVICE, 2), 0x0880);
    kiln_board_set_config(dog.board, SLOT, CONFIG, 0xffff, 2);
    ck_assert_uint_eq(kiln_board_config(dog.board, SLOT, CONFIG, 2), 0x27);
    ck_assert_uint_eq(kiln_board_read(dog.board, BASE, 4), 0xfffff);
    dog_close(&dog);
}
END_TEST

START_TEST(a_guest_that_is_well_is_left_alone)
{
    Dog dog;

    dog_open(&dog);
    probe(&dog);
    set_heartbeat(&dog, 30);
    set_lock(&dog, 2);
    for (unsigned i = 0; i < 10; i++) {
        kiln_clock_advance(dog.board->clock, 29 * SECOND);
        keep_alive(&dog);
    }
    ck_assert_uint_eq(dog.n_expired, 0);
    set_lock(&dog, 0); /* closed in order */
    kiln_clock_advance(dog.board->clock, 1000 * SECOND);
    ck_assert_uint_eq(dog.n_expired, 0);
    dog_close(&dog);
}
END_TEST

START_TEST(two_stages_run_out)
{
    Dog dog;

    dog_open(&dog);
    probe(&dog);
    set_heartbeat(&dog, 30);
    set_lock(&dog, 2);
    kiln_clock_advance(dog.board->clock, 30 * SECOND);
    ck_assert_uint_eq(dog.n_expired, 0);
    kiln_clock_advance(dog.board->clock, SECOND);
    ck_assert_uint_eq(dog.n_expired, 1);
    ck_assert_uint_eq(kiln_board_read(dog.board, RELOAD, 2), 0x200);
    kiln_clock_advance(dog.board->clock, 1000 * SECOND); /* once */
    ck_assert_uint_eq(dog.n_expired, 1);
    keep_alive(&dog); /* a guest that nothing was done to is guarded again */
    kiln_clock_advance(dog.board->clock, 31 * SECOND);
    ck_assert_uint_eq(dog.n_expired, 2);

    /* after the reset that it asked for, the guest can see why */
    kiln_device_reset(&dog.pci->device);
    kiln_board_set_config(dog.board, SLOT, PCI_BASE_ADDRESS_0, BASE, 4);
    kiln_board_set_config(dog.board, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    kiln_clock_advance(dog.board->clock, 5000 * SECOND);
    ck_assert_uint_eq(dog.n_expired, 2);
    ck_assert_uint_eq(kiln_board_read(dog.board, RELOAD, 2), 0x200);
    probe(&dog);
    ck_assert_uint_eq(kiln_board_read(dog.board, RELOAD, 2), 0);
    dog_close(&dog);
}
END_TEST

START_TEST(without_the_key_nothing_is_written)
{
    Dog dog;

    dog_open(&dog);
    kiln_board_write(dog.board, BASE, 5, 4);
    kiln_board_write(dog.board, RELOAD, 0x86, 1); /* the wrong order */
    kiln_board_write(dog.board, RELOAD, 0x80, 1);
    kiln_board_write(dog.board, BASE, 5, 4);
    ck_assert_uint_eq(kiln_board_read(dog.board, BASE, 4), 0xfffff);
    unlock(&dog);
    kiln_board_write(dog.board, BASE, 0xfff00005, 4);
    kiln_board_write(dog.board, BASE + 4, 6, 4); /* the key is good for one */
    ck_assert_uint_eq(kiln_board_read(dog.board, BASE, 8), UINT64_C(0x000fffff00000005));
    unlock(&dog);
    kiln_board_write(dog.board, BASE, 7, 2); /* only whole */
    ck_assert_uint_eq(kiln_board_read(dog.board, BASE, 4), 5);
    dog_close(&dog);
}
END_TEST

START_TEST(locked_it_cannot_be_stopped)
{
    Dog dog;

    dog_open(&dog);
    probe(&dog);
    set_heartbeat(&dog, 2);
    set_lock(&dog, 3);
    set_lock(&dog, 0);
    ck_assert_uint_eq(kiln_board_config(dog.board, SLOT, LOCK, 1), 3);
    kiln_clock_advance(dog.board->clock, 3 * SECOND);
    ck_assert_uint_eq(dog.n_expired, 1);
    kiln_device_reset(&dog.pci->device);
    ck_assert_uint_eq(kiln_board_config(dog.board, SLOT, LOCK, 1), 0);
    dog_close(&dog);
}
END_TEST

START_TEST(modes)
{
    Dog dog;

    dog_open(&dog);
    kiln_board_set_config(dog.board, SLOT, CONFIG, 0, 2); /* with the interrupt of stage 1 */
    set_heartbeat(&dog, 2);
    set_lock(&dog, 6); /* free-running */
    kiln_clock_advance(dog.board->clock, SECOND + SECOND / 10);
    ck_assert_uint_eq(kiln_board_read(dog.board, BASE + 8, 4), 1);
    kiln_board_write(dog.board, BASE + 8, 1, 4);
    ck_assert_uint_eq(kiln_board_read(dog.board, BASE + 8, 4), 0);
    kiln_clock_advance(dog.board->clock, 9 * SECOND);
    ck_assert_uint_eq(dog.n_expired, 4);
    kiln_board_set_config(dog.board, SLOT, CONFIG, 0x20, 2); /* no output */
    kiln_clock_advance(dog.board->clock, 9 * SECOND);
    ck_assert_uint_eq(dog.n_expired, 4);

    kiln_board_set_config(dog.board, SLOT, CONFIG, 0x04, 2); /* 1 MHz, and as short as can be */
    set_heartbeat(&dog, 0);
    dog.n_expired = 0;
    kiln_clock_advance(dog.board->clock, SECOND / 10);
    ck_assert_uint_eq(dog.n_expired, 50); /* no more often than every other millisecond */
    dog_close(&dog);
}
END_TEST

START_TEST(save_load_save)
{
    Dog dog, other;

    dog_open(&dog);
    dog_open(&other);
    probe(&dog);
    set_heartbeat(&dog, 20);
    set_lock(&dog, 3);
    kiln_clock_advance(dog.board->clock, 15 * SECOND); /* in stage 2 */
    kiln_clock_advance(other.board->clock, 15 * SECOND);
    unlock(&dog);
    ck_assert(kiln_board_resave(&dog.pci->device, &other.pci->device));
    kiln_clock_advance(other.board->clock, 5 * SECOND);
    ck_assert_uint_eq(other.n_expired, 0);
    kiln_clock_advance(other.board->clock, SECOND);
    ck_assert_uint_eq(other.n_expired, 1);
    set_lock(&other, 0);
    ck_assert_uint_eq(kiln_board_config(other.board, SLOT, LOCK, 1), 3);
    dog_close(&dog);
    dog_close(&other);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("i6300esb");
    TCase *tcase = kiln_test_case(suite, "i6300esb");

    tcase_add_test(tcase, what_it_is);
    tcase_add_test(tcase, a_guest_that_is_well_is_left_alone);
    tcase_add_test(tcase, two_stages_run_out);
    tcase_add_test(tcase, without_the_key_nothing_is_written);
    tcase_add_test(tcase, locked_it_cannot_be_stopped);
    tcase_add_test(tcase, modes);
    tcase_add_test(tcase, save_load_save);
    return suite;
}

KILN_TEST_MAIN(make_suite)
