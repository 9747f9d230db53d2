/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SMBIOS structures, type by type in the order of their numbers (DMTF DSP0134 3.6.0 §7).  Each is
 * begun, filled field by field, its strings collected as they are named, and ended: strings follow
 * the fields, and a second NUL ends it (§6.1.3).
 */
#include "acpi/smbios.h"

#include "base/error.h"
#include "base/le.h"

#include <stdio.h>
#include <string.h>

#define GIB G_GUINT64_CONSTANT(0x40000000)
#define KIB 1024u

enum {
    MAX_STRING_BYTES = 1024, /* of one: far above what libvirt's own tools take */
    MAX_STRINGS = 255,       /* a reference to one is a byte */
    HANDLE_MEMORY_ARRAY = 0x1000,
    HANDLE_CHASSIS = 0x0300,
    NO_HANDLE = 0xffff,
    NOT_PROVIDED_HANDLE = 0xfffe,
    UNKNOWN = 2, /* in most of the enumerations; 1 is "other" */
    OTHER = 1,
};

typedef struct {
    KilnSmbios *smbios; /* borrowed */
    GPtrArray *strings; /* (owned): of the open structure, borrowed strings */
    guint start;        /* of the open structure */
} Builder;

static void
put_bytes(Builder *builder, const void *data, gsize length)
{
    g_byte_array_append(builder->smbios->structures, data, (guint)length);
}

static void
put8(Builder *builder, guint value)
{
    uint8_t byte = (uint8_t)value;

    put_bytes(builder, &byte, 1);
}

static void
put16(Builder *builder, guint value)
{
    uint8_t bytes[2];

    kiln_le16_store(bytes, (uint16_t)value);
    put_bytes(builder, bytes, sizeof bytes);
}

static void
put32(Builder *builder, uint32_t value)
{
    uint8_t bytes[4];

    kiln_le32_store(bytes, value);
    put_bytes(builder, bytes, sizeof bytes);
}

static void
put64(Builder *builder, uint64_t value)
{
    uint8_t bytes[8];

    kiln_le64_store(bytes, value);
    put_bytes(builder, bytes, sizeof bytes);
}

static void
begin(Builder *builder, guint type, guint handle)
{
    builder->start = builder->smbios->structures->len;
    g_ptr_array_set_size(builder->strings, 0);
    put8(builder, type);
    put8(builder, 0); /* length: end() */
    put16(builder, handle);
}

/* A reference to @text: its place among the structure's strings from 1 on, 0 if it is absent. */
static void
put_string(Builder *builder, const char *text)
{
    if (text == NULL || *text == '\0') {
        put8(builder, 0);
        return;
    }
    g_ptr_array_add(builder->strings, (gpointer)text);
    put8(builder, builder->strings->len);
}

static void
end(Builder *builder)
{
    GByteArray *bytes = builder->smbios->structures;

    bytes->data[builder->start + 1] = (uint8_t)(bytes->len - builder->start);
    for (guint i = 0; i < builder->strings->len; i++) {
        const char *text = g_ptr_array_index(builder->strings, i);

        put_bytes(builder, text, strlen(text) + 1);
    }
    if (builder->strings->len == 0)
        put8(builder, 0);
    put8(builder, 0);
    builder->smbios->n_structures++;
    builder->smbios->largest = MAX(builder->smbios->largest, bytes->len - builder->start);
}

static const char *
or_default(const char *text, const char *otherwise)
{
    return text != NULL && *text != '\0' ? text : otherwise;
}

/* "4.2" -> 4 and 2; absent: 255 and 255, which say that there is none. */
static gboolean
parse_release(const char *release, guint8 *major, guint8 *minor, GError **error)
{
    gchar **parts;
    guint64 numbers[2] = { UINT8_MAX, UINT8_MAX };
    gboolean good = TRUE;

    if (release != NULL && *release != '\0') {
        parts = g_strsplit(release, ".", 3);
        good = g_strv_length(parts) == 2;
        for (guint i = 0; good && i < 2; i++)
            good = g_ascii_string_to_unsigned(parts[i], 10, 0, UINT8_MAX, &numbers[i], NULL);
        g_strfreev(parts);
    }
    if (!good)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "BIOS release '%s' is not two numbers up to 255 with a point between",
                              release);
    *major = (guint8)numbers[0];
    *minor = (guint8)numbers[1];
    return TRUE;
}

/* Type 0, BIOS information, §7.1. */
static gboolean
add_bios(Builder *builder, const KilnSmbiosOptions *options, GError **error)
{
    enum {
        NO_CHARACTERISTICS = 1 << 3,
        EXTENSION_1_ACPI = 1 << 0,
        EXTENSION_2_TARGETED_CONTENT = 1 << 2,
        EXTENSION_2_UEFI = 1 << 3,
        EXTENSION_2_VIRTUAL_MACHINE = 1 << 4,
    };
    guint8 major = 0;
    guint8 minor = 0;

    if (!parse_release(options->bios_release, &major, &minor, error))
        return FALSE;
    begin(builder, 0, 0);
    put_string(builder, or_default(options->bios_vendor, "Kiln"));
    put_string(builder, or_default(options->bios_version, "1.0"));
    put16(builder, 0xe800); /* start segment of the run-time part: the usual value */
    put_string(builder, or_default(options->bios_date, "01/01/2025"));
    put8(builder, 0); /* ROM size: 64 KiB */
    put64(builder, NO_CHARACTERISTICS);
    put8(builder, EXTENSION_1_ACPI);
    put8(builder, EXTENSION_2_TARGETED_CONTENT | EXTENSION_2_VIRTUAL_MACHINE |
                      (options->uefi ? EXTENSION_2_UEFI : 0));
    put8(builder, major);
    put8(builder, minor);
    put8(builder, UINT8_MAX); /* embedded controller: none */
    put8(builder, UINT8_MAX);
    end(builder);
    return TRUE;
}

/* Type 1, system information, §7.2; the UUID's first three fields are little-endian (§7.2.1). */
static void
add_system(Builder *builder, const KilnSmbiosOptions *options)
{
    static const guint8 order[KILN_SMBIOS_UUID_LENGTH] = { 3, 2, 1,  0,  5,  4,  7,  6,
                                                           8, 9, 10, 11, 12, 13, 14, 15 };
    enum { WAKE_UP_POWER_SWITCH = 6 };

    begin(builder, 1, 0x0100);
    put_string(builder, or_default(options->system_manufacturer, "Kiln"));
    put_string(builder, or_default(options->system_product, "Kiln Virtual Machine"));
    put_string(builder, or_default(options->system_version, "pc-q35-kiln-1.0"));
    put_string(builder, options->system_serial);
    for (guint i = 0; i < G_N_ELEMENTS(order); i++)
        put8(builder, options->system_uuid[order[i]]);
    put8(builder, WAKE_UP_POWER_SWITCH);
    put_string(builder, options->system_sku);
    put_string(builder, options->system_family);
    end(builder);
}

/* Type 2, baseboard information, §7.3. */
static void
add_base_board(Builder *builder, const KilnSmbiosBaseBoard *board, guint n)
{
    enum { FEATURE_HOSTING = 1 << 0, TYPE_MOTHERBOARD = 0x0a };

    begin(builder, 2, 0x0200 + n);
    put_string(builder, board->manufacturer);
    put_string(builder, board->product);
    put_string(builder, board->version);
    put_string(builder, board->serial);
    put_string(builder, board->asset);
    put8(builder, FEATURE_HOSTING);
    put_string(builder, board->location);
    put16(builder, HANDLE_CHASSIS);
    put8(builder, TYPE_MOTHERBOARD);
    put8(builder, 0); /* contained objects */
    end(builder);
}

/* Type 3, system enclosure, §7.4. */
static void
add_chassis(Builder *builder, const KilnSmbiosOptions *options)
{
    enum { TYPE_OTHER = 1, STATE_SAFE = 3 };

    begin(builder, 3, HANDLE_CHASSIS);
    put_string(builder, or_default(options->chassis_manufacturer, "Kiln"));
    put8(builder, TYPE_OTHER);
    put_string(builder, or_default(options->chassis_version, "pc-q35-kiln-1.0"));
    put_string(builder, options->chassis_serial);
    put_string(builder, options->chassis_asset);
    put8(builder, STATE_SAFE); /* boot-up, power supply, thermal */
    put8(builder, STATE_SAFE);
    put8(builder, STATE_SAFE);
    put8(builder, UNKNOWN); /* security */
    put32(builder, 0);
    put8(builder, 0); /* height */
    put8(builder, 0); /* power cords */
    put8(builder, 0); /* contained elements */
    put8(builder, 0); /* bytes of each */
    put_string(builder, options->chassis_sku);
    end(builder);
}

/* Type 4, processor information, §7.5. */
static void
add_processor(Builder *builder, const KilnSmbiosOptions *options, guint socket, const char *name)
{
    enum {
        TYPE_CPU = 3,
        FAMILY_OTHER = 1,
        STATUS_ENABLED_POPULATED = 0x41,
        VOLTAGE_UNKNOWN = 0,
        CHARACTERISTIC_64_BIT = 1 << 2,
        CHARACTERISTIC_MULTI_CORE = 1 << 3,
    };
    guint cores = options->cores_per_socket;
    guint threads = options->threads_per_socket;

    begin(builder, 4, 0x0400 + socket);
    put_string(builder, name);
    put8(builder, TYPE_CPU);
    put8(builder, FAMILY_OTHER);
    put_string(builder, or_default(options->cpu_manufacturer, "Kiln"));
    put32(builder, options->cpuid_eax);
    put32(builder, options->cpuid_edx);
    put_string(builder, or_default(options->cpu_version, "pc-q35-kiln-1.0"));
    put8(builder, VOLTAGE_UNKNOWN);
    put16(builder, 0); /* external clock, MHz: unknown; then highest and current speed */
    put16(builder, 0);
    put16(builder, 0);
    put8(builder, STATUS_ENABLED_POPULATED);
    put8(builder, OTHER);      /* upgrade */
    put16(builder, NO_HANDLE); /* caches */
    put16(builder, NO_HANDLE);
    put16(builder, NO_HANDLE);
    put8(builder, 0); /* serial, asset tag, part number */
    put8(builder, 0);
    put8(builder, 0);
    put8(builder, MIN(cores, UINT8_MAX)); /* 255: see the 16-bit fields below */
    put8(builder, MIN(cores, UINT8_MAX));
    put8(builder, MIN(threads, UINT8_MAX));
    put16(builder, CHARACTERISTIC_64_BIT | (cores > 1 ? CHARACTERISTIC_MULTI_CORE : 0));
    put16(builder, FAMILY_OTHER);
    put16(builder, MIN(cores, UINT16_MAX - 1));
    put16(builder, MIN(cores, UINT16_MAX - 1));
    put16(builder, MIN(threads, UINT16_MAX - 1));
    end(builder);
}

/* Type 11, OEM strings, §7.12: what cloud-init and systemd look for. */
static void
add_oem_strings(Builder *builder, const char *const *strings)
{
    guint n = 0;

    begin(builder, 11, 0x0b00);
    put8(builder, 0);
    for (; strings[n] != NULL; n++)
        g_ptr_array_add(builder->strings, (gpointer)or_default(strings[n], " "));
    builder->smbios->structures->data[builder->start + 4] = (uint8_t)n;
    end(builder);
}

static uint64_t
memory_bytes(const KilnSmbiosOptions *options)
{
    uint64_t total = 0;

    for (guint i = 0; i < options->n_memory; i++)
        total += options->memory[i].length;
    return total;
}

/* Type 16, physical memory array, §7.17. */
static void
add_memory_array(Builder *builder, uint64_t total, guint n_devices)
{
    enum {
        LOCATION_OTHER = 1,
        USE_SYSTEM_MEMORY = 3,
        CORRECTION_MULTI_BIT = 6,
    };
    const uint64_t extended_from = G_GUINT64_CONSTANT(0x80000000) * KIB; /* 2 TiB */

    begin(builder, 16, HANDLE_MEMORY_ARRAY);
    put8(builder, LOCATION_OTHER);
    put8(builder, USE_SYSTEM_MEMORY);
    put8(builder, CORRECTION_MULTI_BIT);
    put32(builder, total < extended_from ? (uint32_t)(total / KIB) : 0x80000000u);
    put16(builder, NOT_PROVIDED_HANDLE); /* error information */
    put16(builder, n_devices);
    put64(builder, total < extended_from ? 0 : total);
    end(builder);
}

/* Type 17, memory device, §7.18; its size in MiB, or KiB if it is no whole number of them. */
static void
add_memory_device(Builder *builder, guint n, uint64_t bytes, const char *locator)
{
    enum {
        FORM_DIMM = 9,
        TYPE_RAM = 7,
        DETAIL_OTHER = 1 << 1,
        SIZE_IN_KIB = 0x8000,
        SIZE_IS_EXTENDED = 0x7fff
    };
    uint64_t mib = bytes >> 20;

    begin(builder, 17, 0x1100 + n);
    put16(builder, HANDLE_MEMORY_ARRAY);
    put16(builder, NOT_PROVIDED_HANDLE);
    put16(builder, NO_HANDLE); /* total and data width: unknown */
    put16(builder, NO_HANDLE);
    if (mib == 0)
        put16(builder, SIZE_IN_KIB | (guint)(bytes / KIB));
    else
        put16(builder, (guint)MIN(mib, SIZE_IS_EXTENDED));
    put8(builder, FORM_DIMM);
    put8(builder, 0); /* device set: none */
    put_string(builder, locator);
    put8(builder, 0); /* bank */
    put8(builder, TYPE_RAM);
    put16(builder, DETAIL_OTHER);
    put16(builder, 0); /* speed */
    put_string(builder, "Kiln");
    put8(builder, 0); /* serial, asset tag, part number */
    put8(builder, 0);
    put8(builder, 0);
    put8(builder, 0); /* rank */
    put32(builder, mib >= SIZE_IS_EXTENDED ? (uint32_t)mib : 0);
    put16(builder, 0); /* configured speed */
    put16(builder, 0); /* voltages */
    put16(builder, 0);
    put16(builder, 0);
    end(builder);
}

/* Type 19, memory array mapped address, §7.20. */
static void
add_mapped_range(Builder *builder, guint n, const KilnSmbiosRange *range, guint n_devices)
{
    uint64_t last = range->base + range->length - 1;
    gboolean extended = last / KIB >= UINT32_MAX;

    begin(builder, 19, 0x1300 + n);
    put32(builder, extended ? UINT32_MAX : (uint32_t)(range->base / KIB));
    put32(builder, extended ? UINT32_MAX : (uint32_t)(last / KIB));
    put16(builder, HANDLE_MEMORY_ARRAY);
    put8(builder, MIN(n_devices, UINT8_MAX)); /* partition width */
    put64(builder, extended ? range->base : 0);
    put64(builder, extended ? last : 0);
    end(builder);
}

/* RAM as modules of 16 GiB, or more if they would be too many, and the last one smaller. */
static void
add_memory(Builder *builder, const KilnSmbiosOptions *options)
{
    enum { MAX_DEVICES = 0x200 }; /* so that handles of types 17 and 19 stay apart */
    uint64_t total = memory_bytes(options);
    uint64_t left = total;
    uint64_t device_bytes = MAX(16, (total / GIB + MAX_DEVICES) / MAX_DEVICES) * GIB;
    guint n_devices = (guint)((total + device_bytes - 1) / device_bytes);

    add_memory_array(builder, total, n_devices);
    for (guint n = 0; n < n_devices; n++) {
        g_autofree char *locator = g_strdup_printf("DIMM %u", n);

        add_memory_device(builder, n, MIN(left, device_bytes), locator);
        left -= MIN(left, device_bytes);
    }
    for (guint n = 0; n < options->n_memory; n++)
        add_mapped_range(builder, n, &options->memory[n], n_devices);
}

/* Type 32, system boot information, §7.33, and type 127, the end. */
static void
add_end(Builder *builder)
{
    begin(builder, 32, 0x2000);
    for (guint i = 0; i < 6; i++)
        put8(builder, 0);
    put8(builder, 0); /* no errors detected */
    end(builder);
    begin(builder, 127, 0x7f00);
    end(builder);
}

static gboolean
check_string(const char *what, const char *text, GError **error)
{
    if (text == NULL || strlen(text) <= MAX_STRING_BYTES)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_INVALID, "SMBIOS %s is longer than %d bytes", what,
                          MAX_STRING_BYTES);
}

static gboolean
check_strings(const KilnSmbiosOptions *options, GError **error)
{
    const struct {
        const char *what;
        const char *text;
    } strings[] = {
        { "BIOS vendor", options->bios_vendor },
        { "BIOS version", options->bios_version },
        { "BIOS date", options->bios_date },
        { "system manufacturer", options->system_manufacturer },
        { "system product", options->system_product },
        { "system version", options->system_version },
        { "system serial", options->system_serial },
        { "system SKU", options->system_sku },
        { "system family", options->system_family },
        { "chassis manufacturer", options->chassis_manufacturer },
        { "chassis version", options->chassis_version },
        { "chassis serial", options->chassis_serial },
        { "chassis asset tag", options->chassis_asset },
        { "chassis SKU", options->chassis_sku },
        { "processor manufacturer", options->cpu_manufacturer },
        { "processor version", options->cpu_version },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++) {
        if (!check_string(strings[i].what, strings[i].text, error))
            return FALSE;
    }
    for (guint i = 0; i < options->n_base_boards; i++) {
        const KilnSmbiosBaseBoard *board = &options->base_boards[i];
        const char *const texts[] = { board->manufacturer, board->product, board->version,
                                      board->serial,       board->asset,   board->location };

        for (gsize n = 0; n < G_N_ELEMENTS(texts); n++) {
            if (!check_string("base board string", texts[n], error))
                return FALSE;
        }
    }
    for (guint i = 0; options->oem_strings != NULL && options->oem_strings[i] != NULL; i++) {
        if (i == MAX_STRINGS)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "there are more than %d SMBIOS OEM strings", MAX_STRINGS);
    }
    return TRUE;
}

KilnSmbios *
kiln_smbios_build(const KilnSmbiosOptions *options, GError **error)
{
    g_autoptr(KilnSmbios) smbios = g_new0(KilnSmbios, 1);
    g_autoptr(GPtrArray) strings = g_ptr_array_new();
    Builder builder = { .smbios = smbios, .strings = strings };

    smbios->structures = g_byte_array_new();
    if (!check_strings(options, error) || !add_bios(&builder, options, error))
        return NULL;
    add_system(&builder, options);
    for (guint i = 0; i < options->n_base_boards; i++)
        add_base_board(&builder, &options->base_boards[i], i);
    add_chassis(&builder, options);
    for (guint i = 0; i < options->sockets; i++) {
        g_autofree char *name = g_strdup_printf("CPU %u", i);

        add_processor(&builder, options, i, name);
    }
    if (options->oem_strings != NULL && options->oem_strings[0] != NULL)
        add_oem_strings(&builder, options->oem_strings);
    add_memory(&builder, options);
    add_end(&builder);
    return g_steal_pointer(&smbios);
}

void
kiln_smbios_free(KilnSmbios *smbios)
{
    if (smbios == NULL)
        return;
    g_clear_pointer(&smbios->structures, g_byte_array_unref);
    g_free(smbios);
}

static uint8_t
negated_sum(const uint8_t *data, gsize length)
{
    uint8_t sum = 0;

    for (gsize i = 0; i < length; i++)
        sum = (uint8_t)(sum + data[i]);
    return (uint8_t)-sum;
}

void
kiln_smbios_anchor_64(const KilnSmbios *smbios, uint64_t gpa,
                      uint8_t anchor[KILN_SMBIOS_ANCHOR_64_LENGTH])
{
    const uint8_t start[] = {
        '_', 'S', 'M', '3', '_', 0, KILN_SMBIOS_ANCHOR_64_LENGTH, 3, 6, 0, 1
    };

    memset(anchor, 0, KILN_SMBIOS_ANCHOR_64_LENGTH);
    memcpy(anchor, start, sizeof start); /* sum, length, version 3.6.0, revision of this entry */
    kiln_le32_store(anchor + 12, smbios->structures->len);
    kiln_le64_store(anchor + 16, gpa);
    anchor[5] = negated_sum(anchor, KILN_SMBIOS_ANCHOR_64_LENGTH);
}

gboolean
kiln_smbios_anchor_32(const KilnSmbios *smbios, uint64_t gpa,
                      uint8_t anchor[KILN_SMBIOS_ANCHOR_32_LENGTH])
{
    enum { INTERMEDIATE = 16, INTERMEDIATE_LENGTH = 15 };
    const uint8_t start[] = { '_', 'S', 'M', '_', 0, KILN_SMBIOS_ANCHOR_32_LENGTH, 2, 8 };
    guint length = smbios->structures->len;

    if (length > UINT16_MAX || smbios->n_structures > UINT16_MAX || smbios->largest > UINT16_MAX ||
        gpa > UINT32_MAX - length)
        return FALSE;
    memset(anchor, 0, KILN_SMBIOS_ANCHOR_32_LENGTH);
    memcpy(anchor, start, sizeof start);
    kiln_le16_store(anchor + 8, (uint16_t)smbios->largest);
    memcpy(anchor + INTERMEDIATE, "_DMI_", 5);
    kiln_le16_store(anchor + 22, (uint16_t)length);
    kiln_le32_store(anchor + 24, (uint32_t)gpa);
    kiln_le16_store(anchor + 28, (uint16_t)smbios->n_structures);
    anchor[30] = 0x28; /* version 2.8 */
    anchor[INTERMEDIATE + 5] = negated_sum(anchor + INTERMEDIATE, INTERMEDIATE_LENGTH);
    anchor[4] = negated_sum(anchor, KILN_SMBIOS_ANCHOR_32_LENGTH);
    return TRUE;
}

GByteArray *
kiln_smbios_image(const KilnSmbios *smbios, uint64_t gpa)
{
    enum { ANCHOR_64_AT = 0, ANCHOR_32_AT = 32, STRUCTURES_AT = 64 };
    g_autoptr(GByteArray) image = g_byte_array_new();
    uint8_t anchor_64[KILN_SMBIOS_ANCHOR_64_LENGTH];
    uint8_t anchor_32[KILN_SMBIOS_ANCHOR_32_LENGTH];

    g_byte_array_set_size(image, STRUCTURES_AT);
    memset(image->data, 0, STRUCTURES_AT);
    kiln_smbios_anchor_64(smbios, gpa + STRUCTURES_AT, anchor_64);
    memcpy(image->data + ANCHOR_64_AT, anchor_64, sizeof anchor_64);
    if (kiln_smbios_anchor_32(smbios, gpa + STRUCTURES_AT, anchor_32))
        memcpy(image->data + ANCHOR_32_AT, anchor_32, sizeof anchor_32);
    g_byte_array_append(image, smbios->structures->data, smbios->structures->len);
    return g_steal_pointer(&image);
}
