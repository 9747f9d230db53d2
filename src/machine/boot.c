/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands in guest memory when the first vCPU starts by direct boot, which needs no firmware
 * (firmware.c):
 *
 *   PCI functions set up -> tables (ACPI and SMBIOS in 0xe0000-0xfffff, where guests look) ->
 *   kernel, initrd, command line (boot room) -> registers of the first vCPU
 *
 * It is done anew at each reset, since the guest may have written over any of it.
 */
#include "machine/pci.h"
#include "machine/private.h"

#include "acpi/smbios.h"
#include "acpi/tables.h"
#include "base/error.h"
#include "base/intmath.h"
#include "boot/boot.h"
#include "domain/domain.h"
#include "machine/tables.h"
#include "memory/layout.h"

#include <fcntl.h>

enum {
    RSDP_GPA = KILN_LAYOUT_BIOS_AREA,      /* a scan finds it there: ACPI 6.5 §5.2.5.1 */
    SMBIOS_GPA = 0xf0000,                  /* likewise: DMTF DSP0134 3.6.0 §5.2 */
    ACPI_GPA = RSDP_GPA + KILN_ACPI_ALIGN, /* the RSDP is shorter than that */
    ACPI_PAGES_ALIGN = 64 * 1024,
    N_RESERVED = 2,
};

gboolean
kiln_machine_open_boot(KilnMachine *machine, GError **error)
{
    const KilnOs *os = &machine->domain->os;

    if (kiln_machine_has_firmware(machine) && !kiln_machine_open_firmware(machine, error))
        return FALSE;
    if (os->kernel == NULL)
        return TRUE;
    machine->kernel_fd = kiln_open(os->kernel, O_RDONLY, 0, error);
    if (machine->kernel_fd < 0) {
        g_prefix_error(error, "kernel: ");
        return FALSE;
    }
    if (os->initrd == NULL)
        return TRUE;
    machine->initrd_fd = kiln_open(os->initrd, O_RDONLY, 0, error);
    if (machine->initrd_fd < 0) {
        g_prefix_error(error, "initrd: ");
        return FALSE;
    }
    return TRUE;
}

/*
 * Where the ACPI tables go: beside the RSDP, in the area that is reserved anyway, since each
 * further 2 MiB of RAM that is touched costs the host a huge page to clear.  Those of very many
 * vCPUs do not fit there: they go below the end of low RAM.
 */
static gboolean
place_acpi(const KilnMachine *machine, guint length, KilnBootRange *range, GError **error)
{
    uint64_t low = kiln_layout_low_ram(kiln_memory_size(machine->memory));
    uint64_t size = kiln_align_up(length, ACPI_PAGES_ALIGN);

    if (length <= SMBIOS_GPA - ACPI_GPA) {
        *range = (KilnBootRange){ ACPI_GPA, length, KILN_BOOT_RESERVED };
        return TRUE;
    }
    if (low < 2 * size)
        return kiln_error_set(
            error, KILN_ERROR_INVALID,
            "memory: %" G_GUINT64_FORMAT " bytes leave no room for %u of ACPI tables", low, length);
    *range = (KilnBootRange){ low - size, size, KILN_BOOT_ACPI };
    return TRUE;
}

/* Writes the ACPI tables into @range. */
static gboolean
write_acpi(KilnMachine *machine, KilnBootRange *range, GError **error)
{
    g_autoptr(KilnAcpiTables) tables = kiln_machine_acpi_tables(machine);

    if (!place_acpi(machine, tables->tables->len, range, error))
        return FALSE;
    kiln_acpi_place(tables, range->gpa);
    if (!kiln_memory_write(machine->memory, range->gpa, tables->tables->data,
                           tables->tables->len) ||
        !kiln_memory_write(machine->memory, RSDP_GPA, tables->rsdp, sizeof tables->rsdp))
        return kiln_error_set(error, KILN_ERROR_INVALID, "memory: too little for ACPI tables");
    return TRUE;
}

static gboolean
write_smbios(KilnMachine *machine, GError **error)
{
    g_autoptr(KilnSmbios) smbios = kiln_machine_smbios(machine, error);
    g_autoptr(GByteArray) image = NULL;

    if (smbios == NULL)
        return FALSE;
    image = kiln_smbios_image(smbios, SMBIOS_GPA);
    if (image->len > KILN_LAYOUT_BIOS_AREA_END - SMBIOS_GPA)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "sysinfo: %u bytes of SMBIOS data do not fit into 64 KiB",
                              image->len);
    if (!kiln_memory_write(machine->memory, SMBIOS_GPA, image->data, image->len))
        return kiln_error_set(error, KILN_ERROR_INVALID, "memory: less than 1 MiB");
    return TRUE;
}

static KilnVcpuStart
vcpu_start(const KilnBootEntry *entry)
{
    return (KilnVcpuStart){
        .mode =
            entry->mode == KILN_BOOT_LONG64 ? KILN_VCPU_START_LONG64 : KILN_VCPU_START_PROTECTED32,
        .rip = entry->rip,
        .rax = entry->rax,
        .rbx = entry->rbx,
        .rsi = entry->rsi,
        .cr3 = entry->cr3,
        .gdt = entry->gdt,
        .gdt_limit = entry->gdt_limit,
        .mtrr_default = KILN_VCPU_MTRR_WRITE_BACK,
    };
}

gboolean
kiln_machine_load_boot(KilnMachine *machine, GError **error)
{
    const KilnOs *os = &machine->domain->os;
    KilnBootRange reserved[N_RESERVED] = {
        [0] = { KILN_LAYOUT_BIOS_AREA, KILN_LAYOUT_BIOS_AREA_END - KILN_LAYOUT_BIOS_AREA,
                KILN_BOOT_RESERVED },
    };
    KilnBootOptions options = {
        .kernel_fd = machine->kernel_fd,
        .kernel_name = os->kernel,
        .initrd_fd = machine->initrd_fd,
        .initrd_name = os->initrd,
        .cmdline = os->cmdline,
        .rsdp = RSDP_GPA,
        .reserved = reserved,
        .n_reserved = N_RESERVED,
        .memory_is_zero = !machine->running_before,
    };
    KilnBootEntry entry;
    KilnVcpuStart start;

    if (kiln_machine_has_firmware(machine))
        return kiln_machine_load_firmware(machine, error);
    if (!kiln_machine_setup_pci(machine, error) || !write_acpi(machine, &reserved[1], error) ||
        !write_smbios(machine, error) || !kiln_boot_load(machine->memory, &options, &entry, error))
        return FALSE;
    start = vcpu_start(&entry);
    return kiln_vcpu_group_reset(machine->vcpus, &start, error);
}
