/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both TPM interfaces as a driver uses them, over a stand-in for swtpm and over swtpm itself. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "device/tpm-crb.h"
#include "device/tpm-swtpm.h"
#include "device/tpm-tis.h"
#include "device/tpm-wire.h"
#include "tests/lib/fake-swtpm.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum {
    ACCESS = 0x00,
    STS = 0x18,
    FIFO = 0x24,
    STS_EXPECT = 0x08,
    STS_AVAIL = 0x10,
    STS_GO = 0x20,
    STS_READY = 0x40,
    STS_VALID = 0x80,
    LOC_CTRL = 0x08,
    LOC_STS = 0x0c,
    CTRL_REQ = 0x40,
    CTRL_STS = 0x44,
    CTRL_CANCEL = 0x48,
    CTRL_START = 0x4c,
    DATA = 0x80,
};

typedef struct {
    KilnBoard *board;
    KilnFakeSwtpm *fake;
    KilnProcess *process;
    KilnTpmEmulator *emulator;
    KilnDevice *device;
} Tpm;

static KilnDevice *
front_end(Tpm *tpm, gboolean crb)
{
    KilnTpmTisOptions tis = { .memory = tpm->board->memory, .emulator = tpm->emulator };
    KilnTpmCrbOptions crb_options = { .memory = tpm->board->memory, .emulator = tpm->emulator };
    KilnDevice *device = crb ? kiln_tpm_crb_new(&crb_options, NULL) : kiln_tpm_tis_new(&tis, NULL);

    ck_assert_ptr_nonnull(device);
    return device;
}

static void
tpm_open_at(Tpm *tpm, int fd, gboolean crb)
{
    KilnTpmEmulatorOptions options = { .id = "tpm0", .control_fd = fd, .tpm2 = TRUE };
    g_autoptr(GError) error = NULL;

    tpm->emulator = kiln_tpm_emulator_open(&options, &error);
    kiln_assert_no_error(error);
    tpm->board = kiln_board_new();
    tpm->device = front_end(tpm, crb);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
tpm_open(Tpm *tpm, KilnFakeSwtpmKind kind, gboolean crb)
{
    int fd;

    *tpm = (Tpm){ 0 };
    tpm->fake = kiln_fake_swtpm_new(kind, &fd);
    tpm_open_at(tpm, fd, crb);
}

static void
tpm_close(Tpm *tpm)
{
    kiln_device_free(tpm->device);
    kiln_tpm_emulator_free(tpm->emulator);
    if (tpm->fake != NULL)
        kiln_fake_swtpm_free(tpm->fake);
    kiln_process_free(tpm->process);
    kiln_board_free(tpm->board);
}

static uint32_t
get(Tpm *tpm, unsigned reg, unsigned size)
{
    return (uint32_t)kiln_board_read(tpm->board, KILN_TPM_BASE + reg, size);
}

static void
put(Tpm *tpm, unsigned reg, uint32_t value, unsigned size)
{
    kiln_board_write(tpm->board, KILN_TPM_BASE + reg, value, size);
}

/* Waits for what the TPM's thread does. */
static void
wait_for(Tpm *tpm, unsigned reg, uint32_t mask, uint32_t value)
{
    while ((get(tpm, reg, 4) & mask) != value)
        g_thread_yield();
}

static void
tis_send(Tpm *tpm, unsigned locality, const uint8_t *command, unsigned length)
{
    unsigned page = locality << 12;

    put(tpm, page + STS, STS_READY, 1);
    ck_assert_uint_ne(get(tpm, page + STS, 1) & STS_READY, 0);
    for (unsigned i = 0; i < length; i++) {
        if (i > 0)
            ck_assert_uint_ne(get(tpm, page + STS, 1) & STS_EXPECT, 0);
        ck_assert_uint_gt(get(tpm, page + STS, 4) >> 8 & 0xffff, 0);
        put(tpm, page + FIFO, command[i], 1);
    }
    ck_assert_uint_eq(get(tpm, page + STS, 1) & (STS_EXPECT | STS_VALID), STS_VALID);
    put(tpm, page + STS, STS_GO, 1);
}

/* Returns: the response's length. */
static unsigned
tis_receive(Tpm *tpm, unsigned locality, uint8_t *response)
{
    unsigned page = locality << 12, length = 0;

    wait_for(tpm, page + STS, STS_AVAIL | STS_VALID, STS_AVAIL | STS_VALID);
    while (get(tpm, page + STS, 1) & STS_AVAIL)
        response[length++] = (uint8_t)get(tpm, page + FIFO, 1);
    return length;
}

static unsigned
crb_run(Tpm *tpm, const uint8_t *command, unsigned length, uint8_t *response)
{
    unsigned size;

    for (unsigned i = 0; i < length; i++)
        put(tpm, DATA + i, command[i], 1);
    put(tpm, CTRL_START, 1, 4);
    wait_for(tpm, CTRL_START, 1, 0);
    for (unsigned i = 0; i < KILN_TPM_HEADER; i++)
        response[i] = (uint8_t)get(tpm, DATA + i, 1);
    size = kiln_tpm_get32(response + 2);
    ck_assert_uint_le(size, 3968);
    for (unsigned i = KILN_TPM_HEADER; i < size; i++)
        response[i] = (uint8_t)get(tpm, DATA + i, 1);
    return size;
}

static void
crb_take(Tpm *tpm)
{
    put(tpm, LOC_CTRL, 1, 4);
    ck_assert_uint_eq(get(tpm, LOC_STS, 4), 1);
    put(tpm, CTRL_REQ, 1, 4);
    ck_assert_uint_eq(get(tpm, CTRL_STS, 4) & 2, 0);
}

/* A command of 14 bytes. */
static const uint8_t some[] = { 0x80, 0x01, 0, 0, 0, 14, 0, 0, 1, 0x7b, 'a', 'b', 'c', 'd' };

START_TEST(tis_command_and_response)
{
    Tpm tpm;
    uint8_t response[KILN_TPM_BUFFER];

    tpm_open(&tpm, KILN_FAKE_SWTPM_GOOD, FALSE);
    ck_assert_uint_eq(get(&tpm, STS, 4), UINT32_MAX); /* nobody has it */
    ck_assert_uint_eq(get(&tpm, ACCESS, 1), 0x81);
    put(&tpm, ACCESS, 2, 1);
    ck_assert_uint_eq(get(&tpm, ACCESS, 1), 0xa1);
    ck_assert_uint_eq(get(&tpm, 0xf00, 4), 0x00011014);
    for (unsigned i = 0; i < 3; i++) {
        memset(response, 0, sizeof response);
        tis_send(&tpm, 0, some, sizeof some);
        ck_assert_uint_eq(tis_receive(&tpm, 0, response), sizeof some);
        ck_assert_mem_eq(response + 10, "abcd", 4);
        ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0);
    }
    put(&tpm, STS, 2, 1); /* response retry */
    ck_assert_uint_eq(tis_receive(&tpm, 0, response), sizeof some);
    put(&tpm, STS, STS_READY, 1);
    ck_assert_uint_eq(get(&tpm, FIFO, 1), 0xff);
    ck_assert_uint_eq(kiln_fake_swtpm_commands(tpm.fake), 3);
    ck_assert_uint_eq(kiln_fake_swtpm_inits(tpm.fake), 1);
    tpm_close(&tpm);
}
END_TEST

START_TEST(tis_localities)
{
    Tpm tpm;
    uint8_t response[KILN_TPM_BUFFER];

    tpm_open(&tpm, KILN_FAKE_SWTPM_GOOD, FALSE);
    put(&tpm, ACCESS, 2, 1);
    put(&tpm, 0x2000 + ACCESS, 2, 1); /* waits */
    ck_assert_uint_eq(get(&tpm, 0x2000 + ACCESS, 1), 0x83);
    ck_assert_uint_eq(get(&tpm, ACCESS, 1), 0xa5);
    put(&tpm, 0x2000 + STS, STS_READY, 1); /* not yet its own */
    ck_assert_uint_eq(get(&tpm, 0x2000 + STS, 4), UINT32_MAX);
    put(&tpm, ACCESS, 0x20, 1);
    ck_assert_uint_eq(get(&tpm, 0x2000 + ACCESS, 1), 0xa1);
    tis_send(&tpm, 2, some, sizeof some);
    ck_assert_uint_eq(tis_receive(&tpm, 2, response), sizeof some);
    ck_assert_uint_eq(kiln_fake_swtpm_locality(tpm.fake), 2);
    put(&tpm, ACCESS, 8, 1); /* a lower one cannot seize */
    ck_assert_uint_eq(get(&tpm, ACCESS, 1) & 0x20, 0);
    put(&tpm, 0x3000 + ACCESS, 8, 1);
    ck_assert_uint_eq(get(&tpm, 0x3000 + ACCESS, 1) & 0x20, 0x20);
    ck_assert_uint_eq(get(&tpm, 0x2000 + ACCESS, 1), 0x91);
    put(&tpm, 0x2000 + ACCESS, 0x10, 1);
    ck_assert_uint_eq(get(&tpm, 0x2000 + ACCESS, 1), 0x81);
    put(&tpm, 0x4000 + ACCESS, 8, 1); /* the chipset's */
    ck_assert_uint_eq(get(&tpm, 0x4000 + ACCESS, 1) & 0x20, 0);
    tpm_close(&tpm);
}
END_TEST

START_TEST(tis_too_much_and_too_little)
{
    Tpm tpm;
    uint8_t response[KILN_TPM_BUFFER];
    static const uint8_t huge[] = { 0x80, 0x01, 0xff, 0xff, 0xff, 0xff };

    tpm_open(&tpm, KILN_FAKE_SWTPM_GOOD, FALSE);
    put(&tpm, ACCESS, 2, 1);
    put(&tpm, STS, STS_READY, 1);
    for (unsigned i = 0; i < 5000; i++)
        put(&tpm, FIFO, i < sizeof huge ? huge[i] : 0, i < sizeof huge ? 1 : 4);
    put(&tpm, STS, STS_GO, 1);
    ck_assert_uint_eq(tis_receive(&tpm, 0, response), KILN_TPM_HEADER);
    ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0x101);
    put(&tpm, STS, STS_READY, 1);
    put(&tpm, FIFO, 0x80, 1);
    put(&tpm, STS, STS_GO, 1); /* not all is there: ignored */
    ck_assert_uint_ne(get(&tpm, STS, 1) & STS_EXPECT, 0);
    ck_assert_uint_eq(kiln_fake_swtpm_commands(tpm.fake), 0);
    ck_assert(!kiln_tpm_emulator_failed(tpm.emulator));
    tpm_close(&tpm);
}
END_TEST

START_TEST(a_long_command_is_cancelled_or_abandoned)
{
    Tpm tpm;
    uint8_t response[KILN_TPM_BUFFER];

    tpm_open(&tpm, KILN_FAKE_SWTPM_WAITS, FALSE);
    put(&tpm, ACCESS, 2, 1);
    tis_send(&tpm, 0, some, sizeof some);
    while (kiln_fake_swtpm_commands(tpm.fake) == 0)
        g_thread_yield();
    ck_assert_uint_eq(get(&tpm, STS, 1) & (STS_AVAIL | STS_VALID), 0);
    put(&tpm, STS, 1 << 24, 4);
    ck_assert_uint_eq(tis_receive(&tpm, 0, response), sizeof some);

    tis_send(&tpm, 0, some, sizeof some);
    put(&tpm, STS, STS_READY, 1); /* abandoned: at once ready for the next */
    tis_send(&tpm, 0, some, sizeof some);
    while (kiln_fake_swtpm_commands(tpm.fake) < 2)
        g_thread_yield();
    do
        put(&tpm, STS, 1 << 24, 4);
    while (!(get(&tpm, STS, 1) & STS_AVAIL));
    ck_assert_uint_eq(tis_receive(&tpm, 0, response), sizeof some);
    tis_send(&tpm, 0, some, sizeof some);
    kiln_device_reset(tpm.device); /* with one under way */
    ck_assert_uint_eq(get(&tpm, ACCESS, 1), 0x81);
    ck_assert(kiln_tpm_emulator_settle(tpm.emulator));
    ck_assert_uint_eq(kiln_fake_swtpm_inits(tpm.fake), 2);
    tpm_close(&tpm);
}
END_TEST

START_TEST(crb_command_and_response)
{
    Tpm tpm;
    uint8_t response[KILN_TPM_BUFFER];
    uint8_t bad[sizeof some];

    tpm_open(&tpm, KILN_FAKE_SWTPM_GOOD, TRUE);
    ck_assert_uint_eq(get(&tpm, 0x00, 4), 0x81);
    ck_assert_uint_eq(get(&tpm, 0x30, 1) & 0xf, 1);
    ck_assert_uint_eq(get(&tpm, 0x58, 4), 3968);
    ck_assert_uint_eq(get(&tpm, 0x5c, 4), 0xfed40080);
    ck_assert_uint_eq(get(&tpm, 0x68, 4), 0xfed40080);
    put(&tpm, CTRL_START, 1, 4); /* nobody has it: ignored */
    ck_assert_uint_eq(get(&tpm, CTRL_START, 4), 0);
    crb_take(&tpm);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(crb_run(&tpm, some, sizeof some, response), sizeof some);
        ck_assert_mem_eq(response + 10, "abcd", 4);
    }
    memcpy(bad, some, sizeof bad);
    bad[2] = 0xff; /* longer than the buffer */
    ck_assert_uint_eq(crb_run(&tpm, bad, sizeof bad, response), KILN_TPM_HEADER);
    ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0x101);
    put(&tpm, CTRL_REQ, 2, 4);
    ck_assert_uint_eq(get(&tpm, CTRL_STS, 4), 2);
    tpm_close(&tpm);
}
END_TEST

static const KilnFakeSwtpmKind failures[] = { KILN_FAKE_SWTPM_DIES, KILN_FAKE_SWTPM_HUGE,
                                              KILN_FAKE_SWTPM_TINY, KILN_FAKE_SWTPM_REFUSES };

START_TEST(swtpm_fails_and_the_guest_goes_on)
{
    Tpm tpm;
    uint8_t response[KILN_TPM_BUFFER];

    tpm_open(&tpm, failures[_i], TRUE);
    crb_take(&tpm);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(crb_run(&tpm, some, sizeof some, response), KILN_TPM_HEADER);
        ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0x101);
    }
    ck_assert_uint_eq(get(&tpm, CTRL_STS, 4), 1);
    kiln_device_reset(tpm.device);
    ck_assert_uint_eq(get(&tpm, CTRL_STS, 4), 3);
    tpm_close(&tpm);
}
END_TEST

START_TEST(old_swtpm_is_refused)
{
    KilnTpmEmulatorOptions options = { .id = "tpm0", .tpm2 = TRUE };
    KilnFakeSwtpm *fake = kiln_fake_swtpm_new(KILN_FAKE_SWTPM_OLD, &options.control_fd);
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_tpm_emulator_open(&options, &error));
    kiln_assert_error_has(error, "tpm0: swtpm lacks capabilities");
    kiln_fake_swtpm_free(fake);
}
END_TEST

START_TEST(state_goes_to_another_swtpm)
{
    Tpm from, to;
    uint8_t response[KILN_TPM_BUFFER];

    tpm_open(&from, KILN_FAKE_SWTPM_GOOD, _i);
    tpm_open(&to, KILN_FAKE_SWTPM_GOOD, _i);
    if (_i) {
        crb_take(&from);
        crb_run(&from, some, sizeof some, response);
        put(&from, CTRL_START, 1, 4); /* one may be under way */
    } else {
        put(&from, ACCESS, 2, 1);
        tis_send(&from, 0, some, sizeof some);
    }
    ck_assert(kiln_board_resave(from.device, to.device));
    if (_i)
        ck_assert_uint_eq(crb_run(&to, some, sizeof some, response), sizeof some);
    else
        ck_assert_uint_eq(tis_receive(&to, 0, response), sizeof some);
    tpm_close(&from);
    tpm_close(&to);
}
END_TEST

START_TEST(a_state_without_end_is_a_failure)
{
    Tpm tpm;
    KilnStateEntry entry;
    g_autoptr(GByteArray) saved = NULL;

    tpm_open(&tpm, KILN_FAKE_SWTPM_HUGE_BLOB, TRUE);
    ck_assert(kiln_tpm_emulator_settle(tpm.emulator));
    entry = kiln_device_state(tpm.device);
    saved = kiln_state_save(&entry, 1);
    ck_assert(kiln_tpm_emulator_failed(tpm.emulator));
    tpm_close(&tpm);
}
END_TEST

START_TEST(a_real_swtpm)
{
    Tpm tpm = { 0 };
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *state = g_build_filename(dir, "tpm", "2.0", NULL);
    KilnSwtpmOptions options = {
        .name = "swtpm (tpm0)", .state_dir = state, .tpm2 = TRUE, .plain = TRUE
    };
    g_autoptr(GError) error = NULL;
    uint8_t response[KILN_TPM_BUFFER];
    static const uint8_t startup[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0 };
    static const uint8_t random[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0, 16 };
    int fd = -1;

    tpm.process = kiln_swtpm_start(&options, &fd, &error);
    kiln_assert_no_error(error);
    tpm_open_at(&tpm, fd, TRUE);
    crb_take(&tpm);
    ck_assert_uint_eq(crb_run(&tpm, startup, sizeof startup, response), 10);
    ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0);
    ck_assert_uint_eq(crb_run(&tpm, random, sizeof random, response), 10 + 2 + 16);
    ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0);
    /* It is started, so a second time is an error; a machine's reset makes it right again. */
    ck_assert_uint_eq(crb_run(&tpm, startup, sizeof startup, response), 10);
    ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0x100);
    kiln_device_reset(tpm.device);
    crb_take(&tpm);
    ck_assert_uint_eq(crb_run(&tpm, startup, sizeof startup, response), 10);
    ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0);

    /* Saved and loaded, it is still started. */
    KilnStateEntry entry = kiln_device_state(tpm.device);
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);

    kiln_device_reset(tpm.device);
    ck_assert(kiln_state_load(saved->data, saved->len, &entry, 1, &error));
    crb_take(&tpm);
    ck_assert_uint_eq(crb_run(&tpm, random, sizeof random, response), 10 + 2 + 16);
    ck_assert_uint_eq(kiln_tpm_get32(response + 6), 0);
    ck_assert(!kiln_tpm_emulator_failed(tpm.emulator));
    tpm_close(&tpm);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("tpm");
    TCase *tcase = kiln_test_case(suite, "tpm");
    g_autofree char *program = kiln_process_find("swtpm", NULL);

    tcase_add_test(tcase, tis_command_and_response);
    tcase_add_test(tcase, tis_localities);
    tcase_add_test(tcase, tis_too_much_and_too_little);
    tcase_add_test(tcase, a_long_command_is_cancelled_or_abandoned);
    tcase_add_test(tcase, crb_command_and_response);
    tcase_add_loop_test(tcase, swtpm_fails_and_the_guest_goes_on, 0, G_N_ELEMENTS(failures));
    tcase_add_test(tcase, old_swtpm_is_refused);
    tcase_add_loop_test(tcase, state_goes_to_another_swtpm, 0, 2);
    tcase_add_test(tcase, a_state_without_end_is_a_failure);
    if (program != NULL)
        tcase_add_test(tcase, a_real_swtpm);
    return suite;
}

KILN_TEST_MAIN(make_suite)
