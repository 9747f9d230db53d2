/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SMBIOS structures (DMTF DSP0134 3.6.0): what dmidecode shows, from <sysinfo type='smbios'> and
 * from the machine's own processors and memory.
 *
 *   options -> build -> structures + entry points, or one image for a guest address
 */
#ifndef KILN_ACPI_SMBIOS_H
#define KILN_ACPI_SMBIOS_H

#include <glib.h>
#include <stdint.h>

enum {
    KILN_SMBIOS_ANCHOR_64_LENGTH = 24, /* "_SM3_", DSP0134 3.6.0 §5.2.2 */
    KILN_SMBIOS_ANCHOR_32_LENGTH = 31, /* "_SM_", DSP0134 3.6.0 §5.2.1 */
    KILN_SMBIOS_UUID_LENGTH = 16,
};

/* Strings are (nullable): absent; an empty one counts as absent. */
typedef struct {
    const char *manufacturer;
    const char *product;
    const char *version;
    const char *serial;
    const char *asset;
    const char *location;
} KilnSmbiosBaseBoard;

typedef struct {
    uint64_t base;
    uint64_t length; /* bytes, more than 0 */
} KilnSmbiosRange;

/**
 * KilnSmbiosOptions:
 *
 * Zeroes are a good start: names that are absent become kiln's own where an operating system looks
 * for one (manufacturer, product, version of system, chassis and processor).
 */
typedef struct {
    const char *bios_vendor;
    const char *bios_version;
    const char *bios_date;    /* "mm/dd/yyyy" */
    const char *bios_release; /* "MAJOR.MINOR", each 0 to 255 */
    gboolean uefi;            /* the firmware is UEFI */

    const char *system_manufacturer;
    const char *system_product;
    const char *system_version;
    const char *system_serial;
    const char *system_sku;
    const char *system_family;
    uint8_t system_uuid[KILN_SMBIOS_UUID_LENGTH]; /* in the order of its text form */

    const KilnSmbiosBaseBoard *base_boards;
    guint n_base_boards; /* 0 makes no type 2 structure */

    const char *chassis_manufacturer;
    const char *chassis_version;
    const char *chassis_serial;
    const char *chassis_asset;
    const char *chassis_sku;

    const char *const *oem_strings; /* NULL-terminated, or NULL */

    guint sockets;            /* 1 or more; each is a type 4 structure */
    guint cores_per_socket;   /* 1 or more */
    guint threads_per_socket; /* all threads of all cores of a socket */
    uint32_t cpuid_eax;       /* CPUID leaf 1: the processor id */
    uint32_t cpuid_edx;
    const char *cpu_manufacturer;
    const char *cpu_version;

    const KilnSmbiosRange *memory; /* RAM as the guest sees it; its sum makes the memory devices */
    guint n_memory;
} KilnSmbiosOptions;

typedef struct {
    GByteArray *structures; /* (owned): fw_cfg "etc/smbios/smbios-tables" */
    guint n_structures;
    guint largest; /* bytes of the largest one, with its strings */
} KilnSmbios;

/**
 * kiln_smbios_build:
 *
 * Returns: (transfer full): the structures, or NULL with @error set if a string is too long, there
 *   are too many OEM strings, or the BIOS release is not two numbers.
 */
KilnSmbios *kiln_smbios_build(const KilnSmbiosOptions *options, GError **error);
void kiln_smbios_free(KilnSmbios *smbios);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnSmbios, kiln_smbios_free)

/* Writes the 64-bit (3.x) entry point for structures at @gpa. */
void kiln_smbios_anchor_64(const KilnSmbios *smbios, uint64_t gpa,
                           uint8_t anchor[KILN_SMBIOS_ANCHOR_64_LENGTH]);

/**
 * kiln_smbios_anchor_32:
 *
 * Writes the 32-bit (2.8) entry point for structures at @gpa.
 *
 * Returns: FALSE if they are too many or too large for it, or lie above 4 GiB.
 */
gboolean kiln_smbios_anchor_32(const KilnSmbios *smbios, uint64_t gpa,
                               uint8_t anchor[KILN_SMBIOS_ANCHOR_32_LENGTH]);

/**
 * kiln_smbios_image:
 * @gpa: a 16-byte boundary in 0xf0000-0xfffff, where guests look
 *
 * Returns: (transfer full): entry points and structures as they are to be copied to @gpa.  Long OEM
 *   strings can make it larger than the space there, which is for the caller to see: entry points
 *   alone may then go there, and the structures anywhere.
 */
GByteArray *kiln_smbios_image(const KilnSmbios *smbios, uint64_t gpa);

#endif
