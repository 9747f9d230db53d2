/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SMBIOS structures read back by a parser of their own, and by dmidecode where it is installed. */
#include "tests/lib/kiln-test.h"

#include <string.h>
#include <sys/wait.h>

#include "acpi/smbios.h"
#include "base/le.h"

#define GIB G_GUINT64_CONSTANT(0x40000000)

static const KilnSmbiosRange small_memory[] = { { 0, 128 << 20 } };
static const KilnSmbiosBaseBoard boards[] = {
    { .manufacturer = "Board & Co", .product = "B1", .serial = "s/n 1", .location = "here" },
    { .manufacturer = "Second" },
};
static const char *const oem[] = { "one", "io.systemd.credential:x=y", "three", NULL };

static KilnSmbiosOptions
plain(void)
{
    return (KilnSmbiosOptions){ .sockets = 1,
                                .cores_per_socket = 1,
                                .threads_per_socket = 1,
                                .memory = small_memory,
                                .n_memory = G_N_ELEMENTS(small_memory) };
}

static KilnSmbiosOptions
full(void)
{
    static const KilnSmbiosRange memory[] = { { 0, 2 * GIB }, { 4 * GIB, 38 * GIB } };

    return (KilnSmbiosOptions){
        .bios_vendor = "Vendor",
        .bios_version = "V9",
        .bios_date = "02/03/2024",
        .bios_release = "4.2",
        .system_manufacturer = "Maker",
        .system_product = "Thing",
        .system_version = "7",
        .system_serial = "S-1",
        .system_sku = "SKU9",
        .system_family = "Fam",
        .system_uuid = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                         0xcc, 0xdd, 0xee, 0xff },
        .base_boards = boards,
        .n_base_boards = G_N_ELEMENTS(boards),
        .chassis_manufacturer = "Case",
        .chassis_serial = "C1",
        .chassis_asset = "A1",
        .chassis_sku = "CS",
        .oem_strings = oem,
        .sockets = 2,
        .cores_per_socket = 4,
        .threads_per_socket = 8,
        .cpuid_eax = 0x000306a9,
        .cpuid_edx = 0x178bfbff,
        .cpu_version = "EPYC",
        .memory = memory,
        .n_memory = G_N_ELEMENTS(memory),
    };
}

static KilnSmbios *
build(const KilnSmbiosOptions *options)
{
    g_autoptr(GError) error = NULL;
    KilnSmbios *smbios = kiln_smbios_build(options, &error);

    kiln_assert_no_error(error);
    ck_assert_ptr_nonnull(smbios);
    return smbios;
}

/* The @n-th structure of @type, or NULL; checks the chain on its way. */
static const uint8_t *
find(const KilnSmbios *smbios, guint type, guint n)
{
    const uint8_t *at = smbios->structures->data;
    const uint8_t *end = at + smbios->structures->len;
    const uint8_t *found = NULL;
    guint seen = 0;
    guint total = 0;

    while (at < end) {
        const uint8_t *next = at + at[1];

        ck_assert(at[1] >= 4 && next + 2 <= end);
        while (next + 2 <= end && (next[0] != 0 || next[1] != 0))
            next++;
        next += 2;
        ck_assert(next <= end);
        ck_assert((guint)(next - at) <= smbios->largest);
        if (at[0] == type && seen++ == n)
            found = at;
        if (at[0] == 127)
            ck_assert_ptr_eq(next, end);
        total++;
        at = next;
    }
    ck_assert_uint_eq(total, smbios->n_structures);
    return found;
}

static const char *
string_of(const uint8_t *structure, guint reference)
{
    const char *at = (const char *)structure + structure[1];

    if (reference == 0)
        return "";
    for (; reference > 1; reference--)
        at += strlen(at) + 1;
    return at;
}

START_TEST(what_the_document_says_is_in_the_structures)
{
    KilnSmbiosOptions options = full();
    g_autoptr(KilnSmbios) smbios = build(&options);
    static const uint8_t uuid[] = { 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
    const uint8_t *at = find(smbios, 0, 0);

    ck_assert_str_eq(string_of(at, at[4]), "Vendor");
    ck_assert_str_eq(string_of(at, at[8]), "02/03/2024");
    ck_assert_uint_eq(at[20], 4);
    ck_assert_uint_eq(at[21], 2);
    at = find(smbios, 1, 0);
    ck_assert_str_eq(string_of(at, at[7]), "S-1");
    ck_assert_mem_eq(at + 8, uuid, sizeof uuid);
    ck_assert_str_eq(string_of(at, at[26]), "Fam");
    at = find(smbios, 2, 1);
    ck_assert_str_eq(string_of(at, at[4]), "Second");
    ck_assert_uint_eq(at[5], 0);
    at = find(smbios, 11, 0);
    ck_assert_uint_eq(at[4], 3);
    ck_assert_str_eq(string_of(at, 2), oem[1]);
    at = find(smbios, 4, 1);
    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq(at[0x23], 4);
    ck_assert_uint_eq(at[0x25], 8);
    ck_assert_ptr_null(find(smbios, 4, 2));
}
END_TEST

START_TEST(memory_adds_up)
{
    static const uint64_t sizes[] = { 128 << 20, 16 * GIB, 40 * GIB, 20480 * GIB + (1 << 20) };
    KilnSmbiosOptions options = plain();
    KilnSmbiosRange range = { .length = sizes[_i] };
    g_autoptr(KilnSmbios) smbios = NULL;
    const uint8_t *at;
    uint64_t mib = 0;

    options.memory = &range;
    smbios = build(&options);
    for (guint n = 0; (at = find(smbios, 17, n)) != NULL; n++) {
        guint size = kiln_le16_load(at + 12);

        mib += size == 0x7fff ? kiln_le32_load(at + 28) : size;
    }
    ck_assert_uint_eq(mib, sizes[_i] >> 20);
    at = find(smbios, 16, 0);
    if (kiln_le32_load(at + 7) == 0x80000000)
        ck_assert_uint_eq(kiln_le64_load(at + 15), sizes[_i]);
    else
        ck_assert_uint_eq((uint64_t)kiln_le32_load(at + 7) * 1024, sizes[_i]);
    at = find(smbios, 19, 0);
    if (kiln_le32_load(at + 8) == UINT32_MAX)
        ck_assert_uint_eq(kiln_le64_load(at + 23), sizes[_i] - 1);
    else
        ck_assert_uint_eq(((uint64_t)kiln_le32_load(at + 8) + 1) * 1024, sizes[_i]);
}
END_TEST

START_TEST(no_base_board_unless_asked_for)
{
    KilnSmbiosOptions options = plain();
    g_autoptr(KilnSmbios) smbios = build(&options);

    ck_assert_ptr_null(find(smbios, 2, 0));
    ck_assert_ptr_null(find(smbios, 11, 0));
    ck_assert_ptr_nonnull(find(smbios, 127, 0));
}
END_TEST

START_TEST(bad_options_are_refused)
{
    static const char *const releases[] = { "1", "1.2.3", "1.", "a.b", "256.0", "-1.0" };
    g_autofree char *long_text = g_strnfill(5000, 'x');
    g_autoptr(GPtrArray) many = g_ptr_array_new();
    KilnSmbiosOptions options;

    for (gsize i = 0; i < G_N_ELEMENTS(releases); i++) {
        g_autoptr(GError) error = NULL;

        options = plain();
        options.bios_release = releases[i];
        ck_assert_ptr_null(kiln_smbios_build(&options, &error));
        kiln_assert_error_has(error, releases[i]);
    }
    {
        g_autoptr(GError) error = NULL;

        options = plain();
        options.system_serial = long_text;
        ck_assert_ptr_null(kiln_smbios_build(&options, &error));
        kiln_assert_error_has(error, "system serial");
    }
    {
        g_autoptr(GError) error = NULL;

        for (guint i = 0; i < 256; i++)
            g_ptr_array_add(many, (gpointer) "x");
        g_ptr_array_add(many, NULL);
        options = plain();
        options.oem_strings = (const char *const *)many->pdata;
        ck_assert_ptr_null(kiln_smbios_build(&options, &error));
        kiln_assert_error_has(error, "OEM strings");
    }
}
END_TEST

static uint8_t
sum(const uint8_t *data, gsize length)
{
    uint8_t total = 0;

    for (gsize i = 0; i < length; i++)
        total = (uint8_t)(total + data[i]);
    return total;
}

START_TEST(image_has_both_entry_points)
{
    KilnSmbiosOptions options = full();
    g_autoptr(KilnSmbios) smbios = build(&options);
    g_autoptr(GByteArray) image = kiln_smbios_image(smbios, 0xf0000);
    const uint8_t *at = image->data;

    ck_assert_mem_eq(at, "_SM3_", 5);
    ck_assert_uint_eq(sum(at, 24), 0);
    ck_assert_uint_eq(kiln_le64_load(at + 16), 0xf0040);
    ck_assert_mem_eq(at + 32, "_SM_", 4);
    ck_assert_uint_eq(sum(at + 32, 31), 0);
    ck_assert_mem_eq(at + 48, "_DMI_", 5);
    ck_assert_uint_eq(sum(at + 48, 15), 0);
    ck_assert_uint_eq(kiln_le32_load(at + 32 + 24), 0xf0040);
    ck_assert_mem_eq(at + 64, smbios->structures->data, smbios->structures->len);
}
END_TEST

START_TEST(too_large_for_the_32_bit_entry_point)
{
    g_autofree char *big = g_strnfill(70000, 'x');
    const char *const strings[] = { big, NULL };
    KilnSmbiosOptions options = plain();
    g_autoptr(KilnSmbios) smbios = NULL;
    uint8_t anchor[KILN_SMBIOS_ANCHOR_32_LENGTH];

    options.oem_strings = strings;
    smbios = build(&options);
    ck_assert(!kiln_smbios_anchor_32(smbios, 0xf0000, anchor));
}
END_TEST

START_TEST(dmidecode_agrees)
{
    static const char *const wanted[] = {
        "Vendor: Vendor",
        "BIOS Revision: 4.2",
        "UUID: 00112233-4455-6677-8899-aabbccddeeff",
        "SKU Number: SKU9",
        "Location In Chassis: here",
        "Asset Tag: A1",
        "Version: EPYC",
        "Thread Count: 8",
        "String 2: io.systemd.credential:x=y",
        "Maximum Capacity: 40 GB",
        "Size: 8 GB",
        "Range Size: 38 GB",
        "System is a virtual machine",
        "Type: RAM",
    };
    KilnSmbiosOptions options = full();
    g_autoptr(KilnSmbios) smbios = build(&options);
    g_autoptr(GByteArray) dump = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "dump", NULL);
    g_autofree char *program = g_strdup(g_getenv("KILN_TEST_DMIDECODE"));
    char *arguments[] = { program, (char *)"--from-dump", path, NULL };
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    int status = 0;

    /* As dmidecode writes them: the entry point, and the structures 32 bytes into the file. */
    g_byte_array_set_size(dump, 32);
    memset(dump->data, 0, 32);
    kiln_smbios_anchor_64(smbios, 32, dump->data);
    g_byte_array_append(dump, smbios->structures->data, smbios->structures->len);
    ck_assert(g_file_set_contents(path, (const char *)dump->data, dump->len, NULL));
    g_spawn_sync(NULL, arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status, &error);
    kiln_assert_no_error(error);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s%s", out, err);
    ck_assert_str_eq(err, "");
    for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++)
        ck_assert_msg(strstr(out, wanted[i]) != NULL, "no '%s' in:\n%s", wanted[i], out);
    ck_assert_ptr_null(strstr(out, "OUT OF SPEC"));
    ck_assert_ptr_null(strstr(out, "TRUNCATED"));
    ck_assert_ptr_null(strstr(out, "truncated"));
}
END_TEST

static Suite *
smbios_suite(void)
{
    Suite *suite = suite_create("acpi/smbios");
    TCase *tcase = kiln_test_case(suite, "smbios");
    g_autofree char *program = g_find_program_in_path("dmidecode");

    if (program == NULL && g_file_test("/usr/sbin/dmidecode", G_FILE_TEST_IS_EXECUTABLE))
        program = g_strdup("/usr/sbin/dmidecode");
    tcase_add_test(tcase, what_the_document_says_is_in_the_structures);
    tcase_add_loop_test(tcase, memory_adds_up, 0, 4);
    tcase_add_test(tcase, no_base_board_unless_asked_for);
    tcase_add_test(tcase, bad_options_are_refused);
    tcase_add_test(tcase, image_has_both_entry_points);
    tcase_add_test(tcase, too_large_for_the_32_bit_entry_point);
    if (program != NULL) {
        g_setenv("KILN_TEST_DMIDECODE", program, TRUE);
        tcase_add_test(tcase, dmidecode_agrees);
    } else {
        g_printerr("# dmidecode's opinion left out: it is not installed\n");
    }
    return suite;
}

KILN_TEST_MAIN(smbios_suite)
