/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flash, driven as OVMF's driver does, and by random operations against a model of its contents. */
#include "device/pflash.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { BLOCK = KILN_PFLASH_BLOCK, BLOCKS = 6, SIZE = BLOCK * BLOCKS };
#define END  UINT64_C(0xffc84000) /* as OVMF_VARS_4M.fd */
#define BASE (END - SIZE)
#define TOP  UINT64_C(0x100000000)

typedef struct {
    KilnBoard *board;
    KilnDevice *device;
    char *path; /* (owned) */
    uint64_t base;

    /* The slot. */
    uint64_t slot_at, slot_length;
    const uint8_t *slot_host; /* (nullable): none */
    gboolean no_slots;
    unsigned n_slots;
} Bank;

static int
add_slot(void *opaque, uint64_t address, uint64_t length, void *host, gboolean read_only)
{
    Bank *bank = opaque;

    ck_assert_ptr_null(bank->slot_host);
    ck_assert(read_only);
    if (bank->no_slots)
        return -1;
    bank->slot_at = address;
    bank->slot_length = length;
    bank->slot_host = host;
    bank->n_slots++;
    return 5;
}

static void
remove_slot(void *opaque, int slot)
{
    Bank *bank = opaque;

    ck_assert_int_eq(slot, 5);
    ck_assert_ptr_nonnull(bank->slot_host);
    bank->slot_host = NULL;
}

static const KilnSlotOps slot_ops = { .add = add_slot, .remove = remove_slot };

static void
bank_attach(Bank *bank, uint64_t end, gboolean read_only, GError **error)
{
    KilnPflashOptions options = {
        .id = "pflash1",
        .instance = 1,
        .memory = bank->board->memory,
        .end = end,
        .slots = { &slot_ops, bank },
        .fd = open(bank->path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC),
        .path = bank->path,
        .read_only = read_only,
    };

    ck_assert_int_ge(options.fd, 0);
    bank->base = end - SIZE;
    bank->device = kiln_pflash_new(&options, error);
}

static void
bank_file(Bank *bank, gsize size)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *data = g_malloc(size);

    for (gsize i = 0; i < size; i++)
        data[i] = (char)(i * 7 + i / BLOCK);
    *bank = (Bank){ .board = kiln_board_new(), .path = g_build_filename(dir, "VARS.fd", NULL) };
    ck_assert(g_file_set_contents(bank->path, data, (gssize)size, NULL));
}

static void
bank_open(Bank *bank, uint64_t end, gboolean read_only)
{
    GError *error = NULL;

    bank_file(bank, SIZE);
    bank_attach(bank, end, read_only, &error);
    kiln_assert_no_error(error);
}

static void
bank_close(Bank *bank)
{
    kiln_device_free(bank->device);
    ck_assert_ptr_null(bank->slot_host);
    kiln_board_free(bank->board);
    g_free(bank->path);
}

/* As the guest sees it: memory where there is a slot, else by the device. */
static uint64_t
get(Bank *bank, uint64_t offset, unsigned size)
{
    uint64_t data = 0;

    if (bank->slot_host == NULL)
        return kiln_board_read(bank->board, bank->base + offset, size);
    ck_assert_uint_eq(bank->slot_at, bank->base);
    ck_assert_uint_eq(bank->slot_length, SIZE);
    memcpy(&data, bank->slot_host + offset, size);
    return data;
}

static void
put(Bank *bank, uint64_t offset, uint8_t data)
{
    kiln_board_write(bank->board, bank->base + offset, data, 1);
}

static uint8_t
original(uint64_t offset)
{
    return (uint8_t)(offset * 7 + offset / BLOCK);
}

static uint8_t
in_file(Bank *bank, uint64_t offset)
{
    g_autofree char *data = NULL;
    gsize length;

    ck_assert(g_file_get_contents(bank->path, &data, &length, NULL));
    ck_assert_uint_eq(length, SIZE);
    return (uint8_t)data[offset];
}

/* What QemuFlashDetected() of OVMF does: RAM and ROM answer otherwise. */
START_TEST(ovmf_detects_flash)
{
    Bank bank;
    uint8_t before;

    bank_open(&bank, END, FALSE);
    before = (uint8_t)get(&bank, 0x10, 1);
    ck_assert_uint_eq(before, original(0x10));
    put(&bank, 0x10, 0x50);
    ck_assert_uint_eq(get(&bank, 0x10, 1), before);
    put(&bank, 0x10, 0x70);
    ck_assert_uint_eq(get(&bank, 0x10, 1), 0);
    put(&bank, 0x10, 0xff);
    ck_assert_uint_eq(get(&bank, 0x10, 1), before);
    bank_close(&bank);
}
END_TEST

/* QemuFlashWrite(): each byte is a command and a byte; QemuFlashEraseBlock(). */
START_TEST(ovmf_writes_and_erases)
{
    static const char text[] = "a variable";
    Bank bank;

    bank_open(&bank, END, FALSE);
    put(&bank, BLOCK, 0x20);
    ck_assert_uint_eq(in_file(&bank, BLOCK + 1),
                      original(BLOCK + 1)); /* not before it is confirmed */
    put(&bank, BLOCK, 0xd0);
    ck_assert_uint_eq(in_file(&bank, BLOCK - 1), original(BLOCK - 1));
    for (unsigned i = 0; i < BLOCK; i++)
        ck_assert_uint_eq(i % 512 == 0 ? in_file(&bank, BLOCK + i) : 0xff, 0xff);
    ck_assert_uint_eq(in_file(&bank, 2 * BLOCK), original(2 * BLOCK));
    for (unsigned i = 0; i < sizeof text; i++) {
        put(&bank, BLOCK + 100 + i, 0x10);
        put(&bank, BLOCK + 100 + i, (uint8_t)text[i]);
        /* The guest goes on, so it is in the file whoever is killed now. */
        ck_assert_uint_eq(in_file(&bank, BLOCK + 100 + i), (uint8_t)text[i]);
    }
    ck_assert_uint_eq(get(&bank, 0, 1), 0x80);
    put(&bank, BLOCK + 100, 0xff);
    for (unsigned i = 0; i < sizeof text; i++)
        ck_assert_uint_eq(get(&bank, BLOCK + 100 + i, 1), (uint8_t)text[i]);
    ck_assert_uint_eq(get(&bank, BLOCK + 99, 1), 0xff);
    bank_close(&bank);
}
END_TEST

/* Slots are not changed for each burst of writes, and come back where there is much to read. */
START_TEST(reads_are_memory_again_after_a_while)
{
    Bank bank;

    bank_open(&bank, END, FALSE);
    ck_assert_ptr_nonnull(bank.slot_host);
    for (unsigned i = 0; i < 20; i++) {
        put(&bank, i, 0x40);
        ck_assert_ptr_null(bank.slot_host);
        put(&bank, i, (uint8_t)i);
        put(&bank, i, 0xff);
        ck_assert_uint_eq(get(&bank, i, 1), i);
    }
    ck_assert_uint_eq(bank.n_slots, 1);
    for (unsigned i = 0; i < KILN_PFLASH_SETTLE_READS; i++)
        ck_assert_uint_eq(get(&bank, 100 + i, 1), original(100 + i));
    ck_assert_ptr_nonnull(bank.slot_host);
    ck_assert_uint_eq(bank.n_slots, 2);
    bank_close(&bank);
}
END_TEST

/* Without slots (a host that refuses) all is read by the device. */
START_TEST(works_without_slots)
{
    Bank bank;

    bank_file(&bank, SIZE);
    bank.no_slots = TRUE;
    bank_attach(&bank, END, FALSE, NULL);
    for (unsigned i = 0; i < 3 * KILN_PFLASH_SETTLE_READS; i++)
        ck_assert_uint_eq(get(&bank, i, 1), original(i));
    bank_close(&bank);
}
END_TEST

START_TEST(code_cannot_be_changed)
{
    Bank bank;

    bank_open(&bank, TOP, TRUE);
    put(&bank, 0, 0x10);
    put(&bank, 0, 0xaa);
    ck_assert_uint_eq(get(&bank, 0, 1), 0x80 | 0x10);
    put(&bank, 0, 0x20);
    put(&bank, 0, 0xd0);
    ck_assert_uint_eq(get(&bank, 0, 1), 0x80 | 0x10 | 0x20);
    put(&bank, 0, 0xff);
    ck_assert_ptr_nonnull(bank.slot_host); /* at once: it is being run */
    for (unsigned i = 0; i < SIZE; i += 100)
        ck_assert_uint_eq(get(&bank, i, 1), original(i));
    ck_assert_uint_eq(in_file(&bank, 0), original(0));
    bank_close(&bank);
}
END_TEST

START_TEST(tells_what_it_is)
{
    Bank bank;

    bank_open(&bank, END, FALSE);
    put(&bank, 0x55, 0x98);
    ck_assert_uint_eq(get(&bank, 0x10, 1), 'Q');
    ck_assert_uint_eq(get(&bank, 0x11, 2), 'R' | 'Y' << 8);
    ck_assert_uint_eq(get(&bank, 0x13, 2), 1);  /* Intel's set */
    ck_assert_uint_eq(get(&bank, 0x27, 1), 15); /* 24 KiB are below 2^15 bytes */
    ck_assert_uint_eq(get(&bank, 0x2c, 1), 1);
    ck_assert_uint_eq(get(&bank, 0x2d, 2), BLOCKS - 1);
    ck_assert_uint_eq(get(&bank, 0x2f, 2) * 256, BLOCK);
    ck_assert_uint_eq(get(&bank, 0xfd, 4), 0); /* beyond the table, and over its end */
    ck_assert_uint_eq(get(&bank, SIZE - 1, 1), 0);
    put(&bank, 0, 0x90);
    ck_assert_uint_eq(get(&bank, 0, 1), 0x89);
    put(&bank, 0, 0xf0); /* AMD's reset */
    ck_assert_uint_eq(get(&bank, 0, 1), original(0));
    bank_close(&bank);
}
END_TEST

static void
put_buffer(Bank *bank, uint64_t offset, const uint8_t *data, unsigned length)
{
    put(bank, offset, 0xe8);
    put(bank, offset, (uint8_t)(length - 1));
    for (unsigned i = 0; i < length; i++)
        put(bank, offset + i, data[i]);
    put(bank, offset, 0xd0);
}

START_TEST(nonsense_changes_nothing)
{
    static const uint8_t twice[] = { 1, 2 };
    Bank bank;

    bank_open(&bank, END, FALSE);
    put(&bank, 0, 0x20);
    put(&bank, 0, 0x20); /* no confirmation */
    ck_assert_uint_eq(get(&bank, 0, 1), 0x80 | 0x30);
    put(&bank, 0, 0x50);
    put(&bank, 0, 0x20);
    put(&bank, 0, 0xff); /* thought better of it */
    ck_assert_uint_eq(get(&bank, 0, 1), original(0));
    put(&bank, 0, 0xe8); /* a byte before the buffer's first one */
    put(&bank, 0, 1);
    put(&bank, 8, 1);
    put(&bank, 7, 1);
    put(&bank, 8, 0xd0);
    ck_assert_uint_eq(get(&bank, 0, 1) & 0x30, 0x30);
    put(&bank, 0, 0x50);
    put_buffer(&bank, SIZE - 1, twice, 1); /* the last byte may be written */
    ck_assert_uint_eq(get(&bank, 0, 1), 0x80);
    kiln_board_write(bank.board, bank.base + SIZE - 1, 0xe8, 1);
    put(&bank, SIZE - 1, 1);
    put(&bank, SIZE - 1, 9);
    put(&bank, 0, 9); /* one that is not of the range */
    put(&bank, SIZE - 1, 0xd0);
    ck_assert_uint_eq(get(&bank, 0, 1) & 0x30, 0x30);
    put(&bank, 0, 0xff);
    ck_assert_uint_eq(get(&bank, SIZE - 1, 1), 1);
    for (unsigned i = 0; i < SIZE - 1; i += 61)
        ck_assert_uint_eq(get(&bank, i, 1), original(i));
    put(&bank, 0, 0x60);
    put(&bank, 0, 0xd0);
    ck_assert_uint_eq(get(&bank, 0, 1), 0x80 | 0x30); /* set until they are cleared */
    bank_close(&bank);
}
END_TEST

/* ---- random operations -------------------------------------------------------------------------
 */

static void
operate(Bank *bank, uint8_t *model, GRand *random)
{
    unsigned at = (unsigned)g_rand_int_range(random, 0, SIZE);
    uint8_t data[KILN_PFLASH_BUFFER];
    unsigned length;

    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)g_rand_int(random);
    switch (g_rand_int_range(random, 0, 5)) {
    case 0:
        put(bank, at, 0x20);
        put(bank, at, 0xd0);
        memset(model + at / BLOCK * BLOCK, 0xff, BLOCK);
        break;
    case 1:
        put(bank, at, 0x10);
        put(bank, at, data[0]);
        model[at] = data[0];
        break;
    case 2:
        at = MIN(at, SIZE - 4) / 4 * 4; /* a wider access stores all of its bytes */
        put(bank, at, 0x40);
        kiln_board_write(bank->board, bank->base + at, data[0] * UINT32_C(0x01020304), 4);
        for (unsigned i = 0; i < 4; i++)
            model[at + i] = (uint8_t)(data[0] * UINT32_C(0x01020304) >> (8 * i));
        break;
    case 3:
        length = MIN((unsigned)g_rand_int_range(random, 1, KILN_PFLASH_BUFFER + 1), SIZE - at);
        put_buffer(bank, at, data, length);
        memcpy(model + at, data, length);
        break;
    default: kiln_device_reset(bank->device); return;
    }
    ck_assert_uint_eq(get(bank, at, 1), 0x80);
    if (g_rand_boolean(random))
        put(bank, at, 0xff);
}

START_TEST(random_operations_do_what_the_model_does)
{
    g_autoptr(GRand) random = g_rand_new_with_seed((guint32)_i);
    g_autofree char *contents = NULL;
    uint8_t model[SIZE];
    Bank bank;

    bank_open(&bank, END, FALSE);
    for (unsigned i = 0; i < SIZE; i++)
        model[i] = original(i);
    for (unsigned i = 0; i < 300; i++)
        operate(&bank, model, random);
    put(&bank, 0, 0xff);
    for (unsigned i = 0; i < SIZE; i++)
        ck_assert_uint_eq(get(&bank, i, 1), model[i]);
    ck_assert(g_file_get_contents(bank.path, &contents, NULL, NULL));
    ck_assert_mem_eq(contents, model, SIZE);

    kiln_device_free(bank.device); /* and after a restart */
    bank_attach(&bank, END, FALSE, NULL);
    for (unsigned i = 0; i < SIZE; i++)
        ck_assert_uint_eq(get(&bank, i, 1), model[i]);
    bank_close(&bank);
}
END_TEST

/* ---- files -------------------------------------------------------------------------------------
 */

START_TEST(images_of_no_size_are_refused)
{
    static const gsize sizes[] = { 0, 1, BLOCK - 1, BLOCK + 512 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        Bank bank;

        bank_file(&bank, sizes[i]);
        bank_attach(&bank, END, FALSE, &error);
        kiln_assert_error_has(error, "multiple of 4096");
        kiln_assert_error_has(error, bank.path);
        ck_assert_ptr_null(bank.device);
        bank_close(&bank);
    }
}
END_TEST

/* What is below belongs to KVM and the interrupt controllers. */
START_TEST(flash_stays_in_its_16_mib)
{
    g_autoptr(GError) error = NULL;
    Bank bank;

    bank_file(&bank, SIZE);
    bank_attach(&bank, TOP - (16 << 20) + SIZE - BLOCK, TRUE, &error);
    kiln_assert_error_has(error, "at most 16777216");
    kiln_assert_error_has(error, bank.path);
    ck_assert_ptr_null(bank.device);
    g_clear_error(&error);
    bank_attach(&bank, TOP - (16 << 20) + SIZE, TRUE, &error);
    kiln_assert_no_error(error);
    bank_close(&bank);
}
END_TEST

/* The host's disk does not take it: the guest is told, and what was lost comes with the next. */
START_TEST(a_full_disk_is_an_error_of_the_flash)
{
    struct rlimit limit;
    struct rlimit none = { 0 };
    Bank bank;

    bank_open(&bank, END, FALSE);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    none.rlim_max = limit.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    put(&bank, 1, 0x10);
    put(&bank, 1, original(1) ^ 1);
    ck_assert_uint_eq(get(&bank, 0, 1), 0x80 | 0x10);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_uint_eq(in_file(&bank, 1), original(1));
    put(&bank, 9, 0x10);
    put(&bank, 9, original(9) ^ 1);
    ck_assert_uint_eq(in_file(&bank, 1), original(1) ^ 1);
    ck_assert_uint_eq(in_file(&bank, 9), original(9) ^ 1);
    bank_close(&bank);
}
END_TEST

/* The disk follows by itself: the main loop starts a thread, which an fsync'ed file does not show,
 * but its end does. */
START_TEST(syncs_behind_the_guest)
{
    Bank bank;

    bank_open(&bank, END, FALSE);
    put(&bank, 0, 0x10);
    put(&bank, 0, 1);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    put(&bank, 0, 0x10);
    put(&bank, 0, 2);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    bank_close(&bank);
}
END_TEST

/* ---- state -------------------------------------------------------------------------------------
 */

START_TEST(saved_in_the_middle_of_a_command)
{
    static const uint8_t before[][4] = {
        { 0xff },
        { 0x70 },
        { 0x90 },
        { 0x98 },
        { 0x10 },
        { 0x20 },
        { 0x60 },
        { 0xe8 },
        { 0xe8, 1 },
        { 0xe8, 1, 0x33 },
        { 0xe8, 1, 0x33, 0x44 },
    };
    Bank from, to;

    bank_open(&from, END, FALSE);
    bank_open(&to, END, FALSE);
    put(&from, BLOCK, 0x20);
    put(&from, BLOCK, 0xd0);
    for (unsigned i = 0; i < G_N_ELEMENTS(before); i++) {
        kiln_device_reset(from.device);
        kiln_device_reset(to.device);
        for (unsigned j = 0; j < 4 && (j == 0 || before[i][j] != 0); j++)
            put(&from, BLOCK + j, before[i][j]);
        ck_assert(kiln_board_resave(from.device, to.device));
        ck_assert_uint_eq(get(&from, 0, 4), get(&to, 0, 4));
    }
    put(&to, BLOCK, 0xd0); /* the last one is confirmed */
    put(&to, BLOCK, 0xff);
    ck_assert_uint_eq(get(&to, BLOCK + 2, 2), 0x4433);
    ck_assert_uint_eq(in_file(&to, BLOCK + 3), 0x44);
    ck_assert_uint_eq(in_file(&to, BLOCK + 4), 0xff); /* the variables came along */
    bank_close(&from);
    bank_close(&to);
}
END_TEST

START_TEST(state_of_other_flash_is_refused)
{
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) error = NULL;
    KilnStateEntry entry;
    Bank from, to;

    bank_open(&from, END, FALSE);
    bank_open(&to, END, TRUE);
    entry = kiln_device_state(from.device);
    saved = kiln_state_save(&entry, 1);
    entry = kiln_device_state(to.device);
    ck_assert(!kiln_state_load(saved->data, saved->len, &entry, 1, &error));
    kiln_assert_error_has(error, "bytes of flash");
    bank_close(&from);
    bank_close(&to);
}
END_TEST

static Suite *
pflash_suite(void)
{
    Suite *suite = suite_create("pflash");
    TCase *commands = kiln_test_case(suite, "commands");
    TCase *files = kiln_test_case(suite, "files");
    TCase *state = kiln_test_case(suite, "state");

    tcase_add_test(commands, ovmf_detects_flash);
    tcase_add_test(commands, ovmf_writes_and_erases);
    tcase_add_test(commands, reads_are_memory_again_after_a_while);
    tcase_add_test(commands, works_without_slots);
    tcase_add_test(commands, code_cannot_be_changed);
    tcase_add_test(commands, tells_what_it_is);
    tcase_add_test(commands, nonsense_changes_nothing);
    tcase_add_loop_test(commands, random_operations_do_what_the_model_does, 0, 4);
    tcase_add_test(files, images_of_no_size_are_refused);
    tcase_add_test(files, flash_stays_in_its_16_mib);
    tcase_add_test(files, a_full_disk_is_an_error_of_the_flash);
    tcase_add_test(files, syncs_behind_the_guest);
    tcase_add_test(state, saved_in_the_middle_of_a_command);
    tcase_add_test(state, state_of_other_flash_is_refused);
    return suite;
}

KILN_TEST_MAIN(pflash_suite)
