/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fw_cfg as firmware uses it, by ports and by DMA, and the debug console. */
#include "device/fw-cfg.h"

#include <glib/gstdio.h>

#include "base/be.h"
#include "base/le.h"
#include "device/debugcon.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum {
    RAM_BYTES = 1 << 20,
    COMMAND = 0x1000, /* where the driver puts its DMA commands */
    BUFFER = 0x2000,
    DMA_ERROR = 1,
    DMA_READ = 2,
    DMA_SKIP = 4,
    DMA_SELECT = 8,
    DMA_WRITE = 16,
    N_ENTRIES = 8,
};

typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    KilnFwCfg *fw_cfg;
    unsigned n_made;
} Fixture;

static void
open_it(Fixture *fixture)
{
    KilnFwCfgOptions options = { 0 };

    *fixture = (Fixture){ .board = kiln_board_new(), .ram = kiln_memory_new_plain(RAM_BYTES) };
    options = (KilnFwCfgOptions){ .io = fixture->board->io, .memory = fixture->ram };
    fixture->fw_cfg = kiln_fw_cfg_new(&options, NULL);
    ck_assert_ptr_nonnull(fixture->fw_cfg);
}

static void
close_it(Fixture *fixture)
{
    kiln_device_free(kiln_fw_cfg_device(fixture->fw_cfg));
    kiln_memory_free(fixture->ram);
    kiln_board_free(fixture->board);
}

/* ---- The driver --------------------------------------------------------------------------------
 */

static void
choose(Fixture *fixture, uint16_t key)
{
    kiln_board_out(fixture->board, KILN_FW_CFG_PORT, key, 2);
}

static uint8_t
next(Fixture *fixture)
{
    return (uint8_t)kiln_board_in(fixture->board, KILN_FW_CFG_PORT + 1, 1);
}

static void
read_ports(Fixture *fixture, uint16_t key, uint8_t *to, unsigned n)
{
    choose(fixture, key);
    for (unsigned i = 0; i < n; i++)
        to[i] = next(fixture);
}

/* Returns: the control field when the device has done. */
static uint32_t
dma(Fixture *fixture, uint32_t control, uint64_t address, uint32_t length)
{
    uint8_t command[16];

    kiln_be32_store(command, control);
    kiln_be32_store(command + 4, length);
    kiln_be64_store(command + 8, address);
    ck_assert(kiln_memory_write(fixture->ram, COMMAND, command, sizeof command));
    kiln_board_out(fixture->board, KILN_FW_CFG_DMA_PORT, 0, 4);
    kiln_board_out(fixture->board, KILN_FW_CFG_DMA_PORT + 4, GUINT32_SWAP_LE_BE(COMMAND), 4);
    ck_assert(kiln_memory_read(fixture->ram, COMMAND, command, sizeof command));
    return kiln_be32_load(command);
}

/* The key of the file @name as the directory has it, and its size; 0: there is none. */
static uint16_t
find_file(Fixture *fixture, const char *name, uint32_t *size)
{
    uint8_t directory[4 + N_ENTRIES * 64];
    uint32_t n;

    read_ports(fixture, KILN_FW_CFG_FILE_DIR, directory, sizeof directory);
    n = kiln_be32_load(directory);
    ck_assert_uint_le(n, N_ENTRIES);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *entry = directory + 4 + i * 64;

        if (g_str_equal((const char *)entry + 8, name)) {
            *size = kiln_be32_load(entry);
            return kiln_be16_load(entry + 4);
        }
    }
    return 0;
}

static GBytes *
make(void *opaque)
{
    Fixture *fixture = opaque;
    g_autofree char *text = g_strdup_printf("made %u", ++fixture->n_made);

    return g_bytes_new(text, strlen(text));
}

static GBytes *
text(const char *string)
{
    return g_bytes_new_static(string, strlen(string));
}

/* ---- Tests -------------------------------------------------------------------------------------
 */

START_TEST(signature_and_id)
{
    Fixture fixture;
    uint8_t bytes[8];

    open_it(&fixture);
    read_ports(&fixture, KILN_FW_CFG_SIGNATURE, bytes, 6);
    ck_assert_mem_eq(bytes, "QEMU\0\0", 6);
    read_ports(&fixture, KILN_FW_CFG_ID, bytes, 4);
    ck_assert_uint_eq(kiln_le32_load(bytes), 3);
    ck_assert_uint_eq(kiln_board_in(fixture.board, KILN_FW_CFG_DMA_PORT, 4),
                      GUINT32_SWAP_LE_BE(0x51454d55));
    ck_assert_uint_eq(kiln_board_in(fixture.board, KILN_FW_CFG_DMA_PORT + 4, 4),
                      GUINT32_SWAP_LE_BE(0x20434647));
    read_ports(&fixture, 0x7777, bytes, 4); /* no such item */
    ck_assert_mem_eq(bytes, "\0\0\0\0", 4);
    close_it(&fixture);
}
END_TEST

START_TEST(numbers_and_the_write_bit)
{
    Fixture fixture;
    uint8_t bytes[9];

    open_it(&fixture);
    kiln_fw_cfg_add_16(fixture.fw_cfg, KILN_FW_CFG_NB_CPUS, 0x1234);
    kiln_fw_cfg_add_32(fixture.fw_cfg, KILN_FW_CFG_IRQ0_OVERRIDE, 1);
    kiln_fw_cfg_add_64(fixture.fw_cfg, KILN_FW_CFG_RAM_SIZE, G_GUINT64_CONSTANT(0x123456789a));
    read_ports(&fixture, KILN_FW_CFG_NB_CPUS, bytes, 3);
    ck_assert_mem_eq(bytes, "\x34\x12\0", 3);
    read_ports(&fixture, KILN_FW_CFG_RAM_SIZE | 0x4000, bytes, 9);
    ck_assert_mem_eq(bytes, "\x9a\x78\x56\x34\x12\0\0\0\0", 9);
    read_ports(&fixture, KILN_FW_CFG_IRQ0_OVERRIDE, bytes, 4);
    ck_assert_mem_eq(bytes, "\1\0\0\0", 4);
    kiln_board_out(fixture.board, KILN_FW_CFG_PORT, 0x99, 1); /* half a selector, a data write */
    kiln_board_out(fixture.board, KILN_FW_CFG_PORT + 1, 0x99, 1);
    ck_assert_uint_eq(next(&fixture), 0);
    close_it(&fixture);
}
END_TEST

START_TEST(files_are_in_the_order_of_their_names)
{
    Fixture fixture;
    uint8_t bytes[8];
    uint32_t size = 0;

    open_it(&fixture);
    ck_assert_uint_eq(find_file(&fixture, "etc/e820", &size), 0);
    ck_assert(kiln_fw_cfg_add_file(fixture.fw_cfg, "opt/x", text("xyz"), NULL));
    ck_assert(kiln_fw_cfg_add_file(fixture.fw_cfg, "bootorder", text("/disk"), NULL));
    ck_assert(kiln_fw_cfg_add_made_file(fixture.fw_cfg, "etc/e820", 8, make, &fixture, NULL));
    ck_assert_uint_eq(find_file(&fixture, "bootorder", &size), 0x20);
    ck_assert_uint_eq(size, 5);
    ck_assert_uint_eq(find_file(&fixture, "etc/e820", &size), 0x21);
    ck_assert_uint_eq(size, 8);
    ck_assert_uint_eq(find_file(&fixture, "opt/x", &size), 0x22);
    ck_assert_uint_eq(size, 3);
    read_ports(&fixture, 0x22, bytes, 4);
    ck_assert_mem_eq(bytes, "xyz\0", 4);
    close_it(&fixture);
}
END_TEST

START_TEST(bad_names_are_refused)
{
    Fixture fixture;
    g_autofree char *longest = g_strnfill(KILN_FW_CFG_MAX_NAME, 'a');
    g_autofree char *longer = g_strnfill(KILN_FW_CFG_MAX_NAME + 1, 'a');
    g_autoptr(GError) error = NULL;
    uint32_t size;

    open_it(&fixture);
    ck_assert(kiln_fw_cfg_add_file(fixture.fw_cfg, longest, text("1"), NULL));
    ck_assert_uint_eq(find_file(&fixture, longest, &size), 0x20);
    ck_assert(!kiln_fw_cfg_add_file(fixture.fw_cfg, longer, text("1"), NULL));
    ck_assert(!kiln_fw_cfg_add_file(fixture.fw_cfg, "", text("1"), NULL));
    ck_assert(!kiln_fw_cfg_add_file(fixture.fw_cfg, longest, text("2"), &error));
    ck_assert_ptr_nonnull(strstr(error->message, "is there already"));
    close_it(&fixture);
}
END_TEST

START_TEST(items_are_made_when_read_and_anew_after_a_reset)
{
    Fixture fixture;
    uint8_t bytes[10];

    open_it(&fixture);
    kiln_fw_cfg_add_made(fixture.fw_cfg, KILN_FW_CFG_CMDLINE_DATA, 8, make, &fixture);
    ck_assert_uint_eq(fixture.n_made, 0);
    read_ports(&fixture, KILN_FW_CFG_CMDLINE_DATA, bytes, 10);
    ck_assert_mem_eq(bytes, "made 1\0\0\0\0", 10);
    read_ports(&fixture, KILN_FW_CFG_CMDLINE_DATA, bytes, 6);
    ck_assert_mem_eq(bytes, "made 1", 6);
    kiln_device_reset(kiln_fw_cfg_device(fixture.fw_cfg));
    read_ports(&fixture, KILN_FW_CFG_CMDLINE_DATA, bytes, 6);
    ck_assert_mem_eq(bytes, "made 2", 6);
    close_it(&fixture);
}
END_TEST

START_TEST(dma_reads_skips_and_fills_with_zeroes)
{
    Fixture fixture;
    uint8_t bytes[8];

    open_it(&fixture);
    ck_assert(kiln_fw_cfg_add_file(fixture.fw_cfg, "a", text("0123456789"), NULL));
    ck_assert(kiln_memory_write(fixture.ram, BUFFER, "????????", 8));
    ck_assert_uint_eq(dma(&fixture, 0x20 << 16 | DMA_SELECT | DMA_READ, BUFFER, 4), 0);
    ck_assert(kiln_memory_read(fixture.ram, BUFFER, bytes, 5));
    ck_assert_mem_eq(bytes, "0123?", 5);
    ck_assert_uint_eq(dma(&fixture, DMA_SKIP, 0, 2), 0);
    ck_assert_uint_eq(next(&fixture), '6');
    ck_assert_uint_eq(dma(&fixture, DMA_READ, BUFFER, 6), 0);
    ck_assert(kiln_memory_read(fixture.ram, BUFFER, bytes, 8));
    ck_assert_mem_eq(bytes, "789\0\0\0??", 8);
    ck_assert_uint_eq(dma(&fixture, 0x20 << 16 | DMA_SELECT, 0, 0), 0);
    ck_assert_uint_eq(dma(&fixture, DMA_SKIP, 0, UINT32_MAX), 0);
    ck_assert_uint_eq(dma(&fixture, DMA_READ, BUFFER, 1), 0);
    ck_assert_uint_eq(dma(&fixture, 0x6666u << 16 | DMA_SELECT | DMA_READ, BUFFER, 8), 0);
    ck_assert(kiln_memory_read(fixture.ram, BUFFER, bytes, 8));
    ck_assert_mem_eq(bytes, "\0\0\0\0\0\0\0\0", 8);
    close_it(&fixture);
}
END_TEST

START_TEST(dma_of_a_made_item_that_is_shorter_than_told)
{
    Fixture fixture;
    uint8_t bytes[10];

    open_it(&fixture);
    kiln_fw_cfg_add_made(fixture.fw_cfg, KILN_FW_CFG_CMDLINE_DATA, 8, make, &fixture);
    ck_assert(kiln_memory_write(fixture.ram, BUFFER, "??????????", 10));
    ck_assert_uint_eq(
        dma(&fixture, KILN_FW_CFG_CMDLINE_DATA << 16 | DMA_SELECT | DMA_READ, BUFFER, 7), 0);
    ck_assert(kiln_memory_read(fixture.ram, BUFFER, bytes, 8));
    ck_assert_mem_eq(bytes, "made 1\0?", 8);
    close_it(&fixture);
}
END_TEST

START_TEST(dma_errors)
{
    Fixture fixture;

    open_it(&fixture);
    ck_assert_uint_eq(dma(&fixture, DMA_SELECT | DMA_READ, RAM_BYTES - 2, 4), DMA_ERROR);
    ck_assert_uint_eq(dma(&fixture, 0x7000u << 16 | DMA_SELECT | DMA_READ, UINT64_MAX - 8, 4096),
                      DMA_ERROR);
    ck_assert_uint_eq(dma(&fixture, DMA_WRITE, BUFFER, 4), DMA_ERROR);
    /* A command that is no memory: nothing happens. */
    kiln_board_out(fixture.board, KILN_FW_CFG_DMA_PORT, UINT32_MAX, 4);
    kiln_board_out(fixture.board, KILN_FW_CFG_DMA_PORT + 4, UINT32_MAX, 4);
    ck_assert_uint_eq(dma(&fixture, DMA_SELECT, 0, 0), 0);
    close_it(&fixture);
}
END_TEST

START_TEST(saves_and_loads)
{
    Fixture a, b;

    open_it(&a);
    open_it(&b);
    ck_assert(kiln_fw_cfg_add_made_file(a.fw_cfg, "f", 8, make, &a, NULL));
    ck_assert(kiln_fw_cfg_add_made_file(b.fw_cfg, "f", 8, make, &b, NULL));
    choose(&a, 0x20);
    ck_assert_uint_eq(next(&a), 'm');
    kiln_board_out(a.board, KILN_FW_CFG_DMA_PORT, 0x11223344, 4);
    ck_assert(kiln_board_resave(kiln_fw_cfg_device(a.fw_cfg), kiln_fw_cfg_device(b.fw_cfg)));
    ck_assert_uint_eq(next(&b), 'a');
    ck_assert_uint_eq(b.n_made, 1);
    close_it(&a);
    close_it(&b);
}
END_TEST

START_TEST(debugcon_writes_to_its_file)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autofree char *path = NULL;
    g_autofree char *content = NULL;
    int fd = g_file_open_tmp("debugcon-XXXXXX", &path, NULL);
    KilnChardevOptions file = KILN_CHARDEV_OPTIONS_INIT;
    KilnDebugconOptions options = { .io = board->io };
    KilnDevice *debugcon;

    ck_assert_int_ge(fd, 0);
    file.kind = KILN_CHARDEV_FILE;
    file.fd = fd;
    options.chardev = kiln_chardev_open(&file, NULL, NULL);
    ck_assert_ptr_nonnull(options.chardev);
    debugcon = kiln_debugcon_new(&options, NULL);
    ck_assert_uint_eq(kiln_board_in(board, 0x402, 1), 0xe9);
    kiln_board_out(board, 0x402, 'o', 1);
    kiln_board_out(board, 0x402, 'k', 1);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    kiln_device_free(debugcon);
    kiln_chardev_free(options.chardev);
    ck_assert(g_file_get_contents(path, &content, NULL, NULL));
    ck_assert_str_eq(content, "ok");
    g_unlink(path);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("fw-cfg");
    TCase *tcase = kiln_test_case(suite, "fw-cfg");

    tcase_add_test(tcase, signature_and_id);
    tcase_add_test(tcase, numbers_and_the_write_bit);
    tcase_add_test(tcase, files_are_in_the_order_of_their_names);
    tcase_add_test(tcase, bad_names_are_refused);
    tcase_add_test(tcase, items_are_made_when_read_and_anew_after_a_reset);
    tcase_add_test(tcase, dma_reads_skips_and_fills_with_zeroes);
    tcase_add_test(tcase, dma_of_a_made_item_that_is_shorter_than_told);
    tcase_add_test(tcase, dma_errors);
    tcase_add_test(tcase, saves_and_loads);
    tcase_add_test(tcase, debugcon_writes_to_its_file);
    return suite;
}

KILN_TEST_MAIN(make_suite)
