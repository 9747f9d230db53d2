/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FACS (ACPI 6.5 §5.2.10) and FADT (ACPI 6.5 §5.2.9, table 5.9), field by field. */
#include "acpi/fadt.h"

#include "base/le.h"

#include <string.h>

enum {
    FACS_LENGTH = 64,
    FACS_VERSION = 2,
    FADT_REVISION = 6,
    FADT_MINOR = 5,
};

/* Offsets from PMBASE and lengths in bytes: Intel ICH9 datasheet 316972-004 §13.8.3. */
enum {
    PM1_EVENT = 0x00,
    PM1_EVENT_BYTES = 4,
    PM1_CONTROL = 0x04,
    PM1_CONTROL_BYTES = 2,
    PM_TIMER = 0x08,
    PM_TIMER_BYTES = 4,
    GPE0 = 0x20,
    GPE0_BYTES = 16,
};

/* ACPI 6.5 table 5.10, fixed feature flags; a fixed power button is there as bit 4 is not set. */
enum {
    FLAG_WBINVD = 1 << 0,
    FLAG_PROC_C1 = 1 << 2,
    FLAG_NO_FIXED_SLEEP_BUTTON = 1 << 5,
    FLAG_NO_FIXED_RTC_WAKE = 1 << 6,
    FLAG_RESET_REGISTER = 1 << 10,
    FLAG_USE_PLATFORM_CLOCK = 1 << 15,
    FLAG_APIC_CLUSTER = 1 << 18,
};

/* ACPI 6.5 table 5.11, IA-PC boot architecture flags. */
enum {
    BOOT_LEGACY_DEVICES = 1 << 0,
    BOOT_8042 = 1 << 1,
    BOOT_NO_VGA = 1 << 2,
    BOOT_NO_CMOS_RTC = 1 << 5,
};

enum {
    RESET_PORT = 0xcf9,
    RESET_VALUE = 6, /* full reset of the processor: ICH9 datasheet 316972-004 §13.7.5 */
    CMOS_CENTURY = 0x32,
    NO_C2 = 0x0fff, /* latencies above 100 and 1000 us: the state is not there */
    NO_C3 = 0x0fff,
    FLAT_LOGICAL_CPUS = 8, /* the flat logical mode of the APIC addresses no more */
};

uint32_t
kiln_acpi_add_facs(KilnAcpiBlob *blob)
{
    uint32_t offset = kiln_acpi_align(blob, KILN_ACPI_ALIGN);
    uint8_t facs[FACS_LENGTH] = { 'F', 'A', 'C', 'S' };

    kiln_le32_store(facs + 4, sizeof facs);
    facs[32] = FACS_VERSION;
    kiln_acpi_put_bytes(blob, facs, sizeof facs); /* it has no sum */
    return offset;
}

static uint32_t
feature_flags(const KilnAcpiOptions *options)
{
    uint32_t flags = FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_FIXED_SLEEP_BUTTON |
                     FLAG_NO_FIXED_RTC_WAKE | FLAG_RESET_REGISTER | FLAG_USE_PLATFORM_CLOCK;

    if (options->n_cpus > FLAT_LOGICAL_CPUS)
        flags |= FLAG_APIC_CLUSTER;
    return flags;
}

static uint16_t
boot_flags(const KilnAcpiOptions *options)
{
    uint16_t flags = BOOT_NO_VGA;

    if (options->coms != 0 || options->i8042_keyboard)
        flags |= BOOT_LEGACY_DEVICES;
    if (options->i8042_keyboard)
        flags |= BOOT_8042;
    if (!options->rtc)
        flags |= BOOT_NO_CMOS_RTC;
    return flags;
}

/* The 32-bit block addresses and all up to the flags: offsets 36 to 115. */
static void
put_legacy_half(KilnAcpiBlob *blob, const KilnAcpiOptions *options, uint32_t facs, uint32_t dsdt)
{
    kiln_acpi_put_pointer(blob, 4, facs);
    kiln_acpi_put_pointer(blob, 4, dsdt);
    kiln_acpi_put8(blob, 0); /* reserved */
    kiln_acpi_put8(blob, 0); /* preferred profile: unspecified */
    kiln_acpi_put16(blob, options->sci_irq);
    kiln_acpi_put32(blob, options->smi_cmd);
    kiln_acpi_put8(blob, options->smi_cmd != 0 ? options->acpi_enable : 0);
    kiln_acpi_put8(blob, options->smi_cmd != 0 ? options->acpi_disable : 0);
    kiln_acpi_put8(blob, 0); /* S4BIOS_REQ */
    kiln_acpi_put8(blob, 0); /* PSTATE_CNT */
    kiln_acpi_put32(blob, options->pm_base + PM1_EVENT);
    kiln_acpi_put32(blob, 0); /* PM1b event */
    kiln_acpi_put32(blob, options->pm_base + PM1_CONTROL);
    kiln_acpi_put32(blob, 0); /* PM1b control */
    kiln_acpi_put32(blob, 0); /* PM2 control */
    kiln_acpi_put32(blob, options->pm_base + PM_TIMER);
    kiln_acpi_put32(blob, options->pm_base + GPE0);
    kiln_acpi_put32(blob, 0); /* GPE1 */
    kiln_acpi_put8(blob, PM1_EVENT_BYTES);
    kiln_acpi_put8(blob, PM1_CONTROL_BYTES);
    kiln_acpi_put8(blob, 0); /* PM2_CNT_LEN */
    kiln_acpi_put8(blob, PM_TIMER_BYTES);
    kiln_acpi_put8(blob, GPE0_BYTES);
    kiln_acpi_put8(blob, 0); /* GPE1_BLK_LEN */
    kiln_acpi_put8(blob, 0); /* GPE1_BASE */
    kiln_acpi_put8(blob, 0); /* CST_CNT */
    kiln_acpi_put16(blob, NO_C2);
    kiln_acpi_put16(blob, NO_C3);
    kiln_acpi_put16(blob, 0); /* FLUSH_SIZE: WBINVD works */
    kiln_acpi_put16(blob, 0); /* FLUSH_STRIDE */
    kiln_acpi_put8(blob, 0);  /* DUTY_OFFSET */
    kiln_acpi_put8(blob, 0);  /* DUTY_WIDTH */
    kiln_acpi_put8(blob, 0);  /* DAY_ALRM */
    kiln_acpi_put8(blob, 0);  /* MON_ALRM */
    kiln_acpi_put8(blob, options->rtc ? CMOS_CENTURY : 0);
    kiln_acpi_put16(blob, boot_flags(options));
    kiln_acpi_put8(blob, 0); /* reserved */
    kiln_acpi_put32(blob, feature_flags(options));
}

static void
put_io_block(KilnAcpiBlob *blob, uint64_t port, uint8_t bytes, uint8_t access)
{
    kiln_acpi_put_gas(blob, KILN_ACPI_GAS_IO, (uint8_t)(bytes * 8), access, port);
}

void
kiln_acpi_add_fadt(KilnAcpiBlob *blob, const KilnAcpiOptions *options, uint32_t facs, uint32_t dsdt)
{
    static const char hypervisor[8] = { 'K', 'I', 'L', 'N' };

    kiln_acpi_begin(blob, "FACP", FADT_REVISION);
    put_legacy_half(blob, options, facs, dsdt);
    kiln_acpi_put_gas(blob, KILN_ACPI_GAS_IO, 8, KILN_ACPI_ACCESS_BYTE, RESET_PORT);
    kiln_acpi_put8(blob, RESET_VALUE);
    kiln_acpi_put16(blob, 0); /* ARM_BOOT_ARCH */
    kiln_acpi_put8(blob, FADT_MINOR);
    kiln_acpi_put64(blob, 0); /* X_FIRMWARE_CTRL: 0, as the 32-bit one is in use */
    kiln_acpi_put_pointer(blob, 8, dsdt);
    put_io_block(blob, options->pm_base + PM1_EVENT, PM1_EVENT_BYTES, KILN_ACPI_ACCESS_WORD);
    put_io_block(blob, 0, 0, 0); /* PM1b event */
    put_io_block(blob, options->pm_base + PM1_CONTROL, PM1_CONTROL_BYTES, KILN_ACPI_ACCESS_WORD);
    put_io_block(blob, 0, 0, 0); /* PM1b control */
    put_io_block(blob, 0, 0, 0); /* PM2 control */
    put_io_block(blob, options->pm_base + PM_TIMER, PM_TIMER_BYTES, KILN_ACPI_ACCESS_DWORD);
    put_io_block(blob, options->pm_base + GPE0, GPE0_BYTES, KILN_ACPI_ACCESS_BYTE);
    put_io_block(blob, 0, 0, 0); /* GPE1 */
    put_io_block(blob, 0, 0, 0); /* sleep control: of hardware-reduced boards */
    put_io_block(blob, 0, 0, 0); /* sleep status */
    kiln_acpi_put_bytes(blob, hypervisor, sizeof hypervisor);
    kiln_acpi_end(blob, TRUE);
}
