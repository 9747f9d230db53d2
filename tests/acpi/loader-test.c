/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table loader's commands, run as firmware runs them, give what kiln_acpi_place() gives. */
#include "acpi/loader.h"

#include <string.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"

enum { COMMAND = 128, NAME = 56, TABLES_AT = 0x7fe0000, MAX_TABLES = 1 << 16 };

/* Firmware: two files and where it put them. */
typedef struct {
    uint8_t tables[MAX_TABLES];
    uint8_t rsdp[KILN_ACPI_RSDP_LENGTH];
    gboolean tables_allocated;
    gboolean rsdp_allocated;
} Firmware;

static KilnAcpiTables *
build(void)
{
    static const KilnAcpiCpu cpus[] = { { 0, KILN_ACPI_NO_NODE }, { 1, KILN_ACPI_NO_NODE } };
    static const KilnAcpiRange window = { 0x80000000, 0x60000000 };
    KilnAcpiOptions options;

    kiln_acpi_options_init(&options);
    options.cpus = cpus;
    options.n_cpus = G_N_ELEMENTS(cpus);
    options.pci_windows = &window;
    options.n_pci_windows = 1;
    return kiln_acpi_build(&options);
}

static uint8_t *
file(Firmware *firmware, const uint8_t *name)
{
    ck_assert_ptr_nonnull(memchr(name, '\0', NAME));
    if (g_str_equal((const char *)name, "etc/acpi/rsdp")) {
        ck_assert(firmware->rsdp_allocated);
        return firmware->rsdp;
    }
    ck_assert_str_eq((const char *)name, "etc/acpi/tables");
    ck_assert(firmware->tables_allocated);
    return firmware->tables;
}

static void
allocate(Firmware *firmware, const uint8_t *at)
{
    gboolean rsdp = g_str_equal((const char *)at, "etc/acpi/rsdp");

    *(rsdp ? &firmware->rsdp_allocated : &firmware->tables_allocated) = TRUE;
    ck_assert_uint_eq(kiln_le32_load(at + NAME), rsdp ? 16 : KILN_ACPI_ALIGN);
    ck_assert_uint_eq(at[NAME + 4], rsdp ? 2 : 1);
}

static void
add_pointer(Firmware *firmware, const uint8_t *at)
{
    uint8_t *to = file(firmware, at) + kiln_le32_load(at + 2 * NAME);

    ck_assert_ptr_eq(file(firmware, at + NAME), firmware->tables);
    if (at[2 * NAME + 4] == 4) {
        kiln_le32_store(to, kiln_le32_load(to) + TABLES_AT);
    } else {
        ck_assert_uint_eq(at[2 * NAME + 4], 8);
        kiln_le64_store(to, kiln_le64_load(to) + TABLES_AT);
    }
}

static void
add_checksum(Firmware *firmware, const uint8_t *at)
{
    uint8_t *bytes = file(firmware, at);
    uint32_t start = kiln_le32_load(at + NAME + 4);
    uint8_t sum = 0;

    for (uint32_t i = 0; i < kiln_le32_load(at + NAME + 8); i++)
        sum = (uint8_t)(sum + bytes[start + i]);
    bytes[kiln_le32_load(at + NAME)] = (uint8_t)(bytes[kiln_le32_load(at + NAME)] - sum);
}

static void
run(Firmware *firmware, const GByteArray *script)
{
    ck_assert_uint_eq(script->len % COMMAND, 0);
    for (guint i = 0; i < script->len; i += COMMAND) {
        const uint8_t *at = script->data + i;

        switch (kiln_le32_load(at)) {
        case 1: allocate(firmware, at + 4); break;
        case 2: add_pointer(firmware, at + 4); break;
        case 3: add_checksum(firmware, at + 4); break;
        default: ck_abort_msg("no such command"); break;
        }
    }
}

START_TEST(gives_what_placing_gives)
{
    g_autoptr(KilnAcpiTables) tables = build();
    g_autoptr(GByteArray) script = kiln_acpi_loader(tables);
    g_autofree Firmware *firmware = g_new0(Firmware, 1);

    ck_assert_uint_le(tables->tables->len, MAX_TABLES);
    memcpy(firmware->tables, tables->tables->data, tables->tables->len);
    memcpy(firmware->rsdp, tables->rsdp, sizeof tables->rsdp);
    run(firmware, script);
    kiln_acpi_place(tables, TABLES_AT);
    ck_assert_mem_eq(firmware->tables, tables->tables->data, tables->tables->len);
    ck_assert_mem_eq(firmware->rsdp, tables->rsdp, sizeof tables->rsdp);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("loader");
    TCase *tcase = kiln_test_case(suite, "loader");

    tcase_add_test(tcase, gives_what_placing_gives);
    return suite;
}

KILN_TEST_MAIN(make_suite)
