/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables of several boards: walked as an operating system walks them, and taken through iasl: each
 * is disassembled and compiled again without a warning, and the bytes must come back.
 */
#include "tests/lib/kiln-test.h"

#include <string.h>
#include <sys/wait.h>

#include "acpi/tables.h"
#include "base/le.h"

enum { PLACED_AT = 0xe0000, MAX_CPUS = 300, N_GOLDEN_BOARDS = 3 };

typedef struct {
    const char *name;
    guint n_cpus;
    guint first_apic_id;
    guint coms;
    int console;
    guint n_nodes;
    gboolean all; /* every option that adds something */
    KilnAcpiTpm tpm;
    gboolean modules; /* memory may be plugged in */
} Board;

static const Board boards[] = {
    { .name = "least", .n_cpus = 1, .console = KILN_ACPI_NO_COM },
    { .name = "usual", .n_cpus = 2, .coms = 1, .console = 0 },
    { .name = "full", .n_cpus = 8, .coms = 0xf, .console = 1, .n_nodes = 2, .all = TRUE },
    { .name = "x2apic",
      .n_cpus = MAX_CPUS,
      .first_apic_id = 8,
      .console = KILN_ACPI_NO_COM,
      .n_nodes = 2 },
    { .name = "tpm-crb", .n_cpus = 1, .console = KILN_ACPI_NO_COM, .tpm = KILN_ACPI_TPM_CRB },
    { .name = "tpm-tis", .n_cpus = 1, .console = KILN_ACPI_NO_COM, .tpm = KILN_ACPI_TPM_TIS_2_0 },
    { .name = "tpm-1.2", .n_cpus = 1, .console = KILN_ACPI_NO_COM, .tpm = KILN_ACPI_TPM_TIS_1_2 },
    { .name = "modules", .n_cpus = 1, .console = KILN_ACPI_NO_COM, .n_nodes = 2, .modules = TRUE },
};

static KilnAcpiTables *
build(const Board *board)
{
    static const KilnAcpiRange windows[] = { { 0x80000000, 0x60000000 },
                                             { 0xf0000000, 0xec00000 },
                                             { 0x8000000000, 0x8000000000 } };
    static const KilnAcpiMemory memory[] = {
        { { 0, 0x80000000 }, 0 },
        { { 0x100000000, 0x40000000 }, 0 },
        { { 0x140000000, 0xc0000000 }, 1 },
        { { 0x200000000, 0x20000000 }, 1, TRUE }, /* of the board that has them */
    };
    static const uint8_t distances[] = { 10, 21, 21, 10 };
    KilnAcpiCpu cpus[MAX_CPUS];
    KilnAcpiOptions options;

    for (guint i = 0; i < board->n_cpus; i++)
        cpus[i] =
            (KilnAcpiCpu){ .apic_id = board->first_apic_id + i,
                           .node = board->n_nodes > 0 ? i % board->n_nodes : KILN_ACPI_NO_NODE };
    kiln_acpi_options_init(&options);
    options.cpus = cpus;
    options.n_cpus = board->n_cpus;
    options.pci_windows = windows;
    options.n_pci_windows = G_N_ELEMENTS(windows);
    options.coms = board->coms;
    options.console_com = board->console;
    options.pvpanic = options.hpet = options.i8042_keyboard = options.i8042_mouse = board->all;
    options.tpm = board->tpm;
    options.pit_gsi = board->all ? 2 : 0;
    options.n_nodes = board->n_nodes;
    options.memory = memory;
    options.n_memory = G_N_ELEMENTS(memory) - (board->modules ? 0 : 1);
    options.distances = board->all ? distances : NULL;
    return kiln_acpi_build(&options);
}

static uint8_t
sum(const uint8_t *data, gsize length)
{
    uint8_t total = 0;

    for (gsize i = 0; i < length; i++)
        total = (uint8_t)(total + data[i]);
    return total;
}

/* The table at guest address @gpa, whole and with a right sum. */
static const uint8_t *
table_at(const KilnAcpiTables *tables, uint64_t gpa, const char *signature)
{
    const uint8_t *table;
    uint32_t length;

    ck_assert(gpa >= PLACED_AT && gpa - PLACED_AT + 36 <= tables->tables->len);
    table = tables->tables->data + (gpa - PLACED_AT);
    length = kiln_le32_load(table + 4);
    ck_assert(gpa - PLACED_AT + length <= tables->tables->len);
    if (signature != NULL)
        ck_assert_mem_eq(table, signature, 4);
    if (memcmp(table, "FACS", 4) != 0)
        ck_assert_msg(sum(table, length) == 0, "sum of %.4s", (const char *)table);
    return table;
}

/* Calls @visit for DSDT and every table of the XSDT. */
static void
walk(const KilnAcpiTables *tables, void (*visit)(const uint8_t *table, void *opaque), void *opaque)
{
    const uint8_t *rsdp = tables->rsdp;
    const uint8_t *xsdt;
    uint32_t n;

    ck_assert_mem_eq(rsdp, "RSD PTR ", 8);
    ck_assert_uint_eq(sum(rsdp, 20), 0);
    ck_assert_uint_eq(sum(rsdp, 36), 0);
    xsdt = table_at(tables, kiln_le64_load(rsdp + 24), "XSDT");
    n = (kiln_le32_load(xsdt + 4) - 36) / 8;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *table = table_at(tables, kiln_le64_load(xsdt + 36 + 8 * i), NULL);

        visit(table, opaque);
        if (memcmp(table, "FACP", 4) == 0) {
            uint64_t facs = kiln_le32_load(table + 36);

            ck_assert_uint_eq(kiln_le32_load(table + 4), 276);
            ck_assert_uint_eq(facs % 64, 0);
            table_at(tables, facs, "FACS");
            ck_assert_uint_eq(kiln_le32_load(table + 40), kiln_le64_load(table + 140));
            visit(table_at(tables, kiln_le32_load(table + 40), "DSDT"), opaque);
        }
    }
}

static void
collect(const uint8_t *table, void *opaque)
{
    g_string_append_len(opaque, (const char *)table, 4);
    g_string_append_c(opaque, ' ');
}

START_TEST(an_operating_system_finds_every_table)
{
    static const char *const wanted[] = {
        "FACP DSDT APIC MCFG WAET ",
        "FACP DSDT APIC MCFG WAET SPCR ",
        "FACP DSDT APIC MCFG WAET SPCR HPET SRAT SLIT ",
        "FACP DSDT APIC MCFG WAET SRAT ",
        "FACP DSDT APIC MCFG WAET TPM2 ",
        "FACP DSDT APIC MCFG WAET TPM2 ",
        "FACP DSDT APIC MCFG WAET ",
        "FACP DSDT APIC MCFG WAET SRAT ",
    };
    g_autoptr(KilnAcpiTables) tables = build(&boards[_i]);
    g_autoptr(GString) found = g_string_new(NULL);

    kiln_acpi_place(tables, PLACED_AT);
    walk(tables, collect, found);
    ck_assert_str_eq(found->str, wanted[_i]);
}
END_TEST

START_TEST(same_options_same_bytes)
{
    g_autoptr(KilnAcpiTables) a = build(&boards[_i]);
    g_autoptr(KilnAcpiTables) b = build(&boards[_i]);

    ck_assert_uint_eq(a->tables->len, b->tables->len);
    ck_assert_mem_eq(a->tables->data, b->tables->data, a->tables->len);
    ck_assert_mem_eq(a->rsdp, b->rsdp, sizeof a->rsdp);
}
END_TEST

static void
find_madt(const uint8_t *table, void *opaque)
{
    if (memcmp(table, "APIC", 4) == 0)
        *(const uint8_t **)opaque = table;
}

/* ACPI 6.5 §5.2.12.12: ids of 255 and more take the x2APIC form, lower ones must not. */
/* Lines of sixteen bytes in hexadecimal. */
static char *
hex(const uint8_t *data, gsize length)
{
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < length; i++)
        g_string_append_printf(text, "%02x%c", data[i],
                               i % 16 == 15 || i + 1 == length ? '\n' : ' ');
    return g_string_free(text, FALSE);
}

/* What guests were given so far: a change of these bytes is one that every guest sees.  With
 * KILN_TEST_REGENERATE in the environment the files are written anew. */
START_TEST(golden_bytes)
{
    const Board *board = &boards[_i];
    g_autoptr(KilnAcpiTables) tables = build(board);
    g_autofree char *relative = g_strdup_printf("tests/acpi/golden/%s.hex", board->name);
    g_autofree char *path = kiln_test_source(relative);
    g_autofree char *wanted = NULL;
    g_autofree char *got = NULL;

    kiln_acpi_place(tables, PLACED_AT);
    got = hex(tables->tables->data, tables->tables->len);
    if (g_getenv("KILN_TEST_REGENERATE") != NULL)
        ck_assert(g_file_set_contents(path, got, -1, NULL));
    ck_assert_msg(g_file_get_contents(path, &wanted, NULL, NULL), "cannot read '%s'", path);
    ck_assert_msg(strcmp(got, wanted) == 0, "board '%s' has other bytes than '%s'", board->name,
                  relative);
}
END_TEST

START_TEST(spec_5_2_12_12_processor_entries)
{
    const Board *board = &boards[3];
    g_autoptr(KilnAcpiTables) tables = build(board);
    const uint8_t *madt = NULL;
    const uint8_t *at;
    guint n[11] = { 0 };

    kiln_acpi_place(tables, PLACED_AT);
    walk(tables, find_madt, &madt);
    ck_assert_ptr_nonnull(madt);
    for (at = madt + 44; at < madt + kiln_le32_load(madt + 4); at += at[1]) {
        ck_assert(at[0] < G_N_ELEMENTS(n) && at[1] >= 2);
        if (at[0] == 0) {
            ck_assert_uint_eq(at[2], n[0]);
            ck_assert_uint_eq(at[3], board->first_apic_id + n[0]);
        } else if (at[0] == 9) {
            ck_assert_uint_eq(kiln_le32_load(at + 12), n[0] + n[9]);
            ck_assert_uint_eq(kiln_le32_load(at + 4), board->first_apic_id + n[0] + n[9]);
            ck_assert_uint_ge(kiln_le32_load(at + 4), 255);
        }
        n[at[0]]++;
    }
    ck_assert_ptr_eq(at, madt + kiln_le32_load(madt + 4));
    ck_assert_uint_eq(n[0], 247);
    ck_assert_uint_eq(n[9], MAX_CPUS - 247);
    ck_assert_uint_eq(n[1], 1);
    ck_assert_uint_eq(n[2], 1); /* the SCI alone: the PIT's pin is its own */
    ck_assert_uint_eq(n[4], 1);
    ck_assert_uint_eq(n[10], 1);
}
END_TEST

static void
find_srat(const uint8_t *table, void *opaque)
{
    if (memcmp(table, "SRAT", 4) == 0)
        *(const uint8_t **)opaque = table;
}

/* ACPI 6.5 table 5.60: of memory, bit 0 is "enabled" and bit 1 "hot pluggable". */
START_TEST(spec_5_2_16_2_hot_pluggable_memory)
{
    static const struct {
        uint64_t base, length;
        uint32_t node, flags;
    } wanted[] = { { 0, 0x80000000, 0, 1 },
                   { 0x100000000, 0x40000000, 0, 1 },
                   { 0x140000000, 0xc0000000, 1, 1 },
                   { 0x200000000, 0x20000000, 1, 3 } };
    g_autoptr(KilnAcpiTables) tables = build(&boards[G_N_ELEMENTS(boards) - 1]);
    const uint8_t *srat = NULL;
    guint n = 0;

    kiln_acpi_place(tables, PLACED_AT);
    walk(tables, find_srat, &srat);
    ck_assert_ptr_nonnull(srat);
    for (const uint8_t *at = srat + 48; at < srat + kiln_le32_load(srat + 4); at += at[1]) {
        ck_assert_uint_ge(at[1], 2);
        if (at[0] != 1)
            continue;
        ck_assert_uint_lt(n, G_N_ELEMENTS(wanted));
        ck_assert_uint_eq(kiln_le32_load(at + 2), wanted[n].node);
        ck_assert_uint_eq(kiln_le64_load(at + 8), wanted[n].base);
        ck_assert_uint_eq(kiln_le64_load(at + 16), wanted[n].length);
        ck_assert_uint_eq(kiln_le32_load(at + 28), wanted[n].flags);
        n++;
    }
    ck_assert_uint_eq(n, G_N_ELEMENTS(wanted));
}
END_TEST

static void
run_iasl(const char *dir, const char *const *arguments, const char *what)
{
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    g_autoptr(GError) error = NULL;
    int status = 0;

    g_spawn_sync(dir, (char **)arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status,
                 &error);
    kiln_assert_no_error(error);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: %s%s", what, out, err);
    if (strstr(out, "Compilation") != NULL)
        ck_assert_msg(strstr(out, "0 Errors, 0 Warnings, 0 Remarks") != NULL, "%s: %s%s", what, out,
                      err);
    ck_assert_msg(strstr(err, "arning") == NULL && strstr(err, "rror") == NULL, "%s: %s%s", what,
                  out, err);
}

/* What iasl writes itself: the sum, and its own name and version as the creator's. */
static void
blank_creator(uint8_t *table)
{
    table[9] = 0;
    memset(table + 28, 0, 8);
}

static void
round_trip(const uint8_t *table, void *opaque)
{
    const char *dir = opaque;
    const char *iasl = g_getenv("IASL");
    const char *const disassemble[] = { iasl, "-p", "first", "-d", "first.aml", NULL };
    const char *const compile[] = { iasl, "-oa", "-p", "second", "first.dsl", NULL };
    g_autofree char *first = g_build_filename(dir, "first.aml", NULL);
    g_autofree char *second = g_build_filename(dir, "second.aml", NULL);
    g_autofree char *name = g_strndup((const char *)table, 4);
    g_autofree uint8_t *before = NULL;
    g_autofree char *after = NULL;
    gsize length = kiln_le32_load(table + 4);
    gsize new_length = 0;

    ck_assert(g_file_set_contents(first, (const char *)table, (gssize)length, NULL));
    run_iasl(dir, disassemble, name);
    run_iasl(dir, compile, name);
    ck_assert(g_file_get_contents(second, &after, &new_length, NULL));
    ck_assert_uint_eq(length, new_length);
    before = g_memdup2(table, length);
    blank_creator(before);
    blank_creator((uint8_t *)after);
    for (gsize i = 0; i < length; i++)
        ck_assert_msg(before[i] == (uint8_t)after[i], "%s: byte 0x%zx is 0x%02x, iasl makes 0x%02x",
                      name, i, before[i], (uint8_t)after[i]);
}

START_TEST(iasl_gives_the_same_bytes_back)
{
    g_autoptr(KilnAcpiTables) tables = build(&boards[_i]);
    g_autofree char *dir = kiln_test_dir();

    kiln_acpi_place(tables, PLACED_AT);
    walk(tables, round_trip, dir);
}
END_TEST

static Suite *
tables_suite(void)
{
    Suite *suite = suite_create("acpi/tables");
    TCase *tcase = kiln_test_case(suite, "tables");
    const char *iasl = g_getenv("IASL");

    tcase_add_loop_test(tcase, an_operating_system_finds_every_table, 0, G_N_ELEMENTS(boards));
    tcase_add_loop_test(tcase, same_options_same_bytes, 0, G_N_ELEMENTS(boards));
    tcase_add_loop_test(tcase, golden_bytes, 0, N_GOLDEN_BOARDS);
    tcase_add_loop_test(tcase, golden_bytes, N_GOLDEN_BOARDS + 1, G_N_ELEMENTS(boards));
    tcase_add_test(tcase, spec_5_2_12_12_processor_entries);
    tcase_add_test(tcase, spec_5_2_16_2_hot_pluggable_memory);
    if (iasl != NULL && *iasl != '\0')
        tcase_add_loop_test(tcase, iasl_gives_the_same_bytes_back, 0, G_N_ELEMENTS(boards));
    else
        g_printerr("# iasl round trip left out: iasl is not installed (acpica-tools)\n");
    return suite;
}

KILN_TEST_MAIN(tables_suite)
