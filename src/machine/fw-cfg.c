/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fw-cfg.h.  Names and layouts: QEMU 7.2 docs/specs/fw_cfg.rst, hw/i386/fw_cfg.c. */
#include "machine/fw-cfg.h"

#include "acpi/loader.h"
#include "base/error.h"
#include "base/le.h"
#include "device/rtc.h"
#include "domain/domain.h"
#include "machine/private.h"
#include "machine/tables.h"
#include "memory/layout.h"

enum {
    E820_ENTRY = 20, /* address (8), length (8), type (4) */
    E820_RAM = 1,
    E820_RESERVED = 2,
    KVM_PAGES = 4 * 4096, /* its identity map and TSS */
    CMOS_CPUS = 0x5f,     /* vCPUs - 1 */
    TABLES_ALIGN = 4096,
    TABLES_SPARE = 512, /* by how much windows and ECAM can change their length */
};

/* ---- ACPI --------------------------------------------------------------------------------------
 */

static GBytes *
take_array(GByteArray *array)
{
    return g_byte_array_free_to_bytes(array);
}

static GBytes *
make_acpi_tables(void *machine)
{
    g_autoptr(KilnAcpiTables) tables = kiln_machine_acpi_tables(machine);

    return g_bytes_new(tables->tables->data, tables->tables->len);
}

static GBytes *
make_acpi_rsdp(void *machine)
{
    g_autoptr(KilnAcpiTables) tables = kiln_machine_acpi_tables(machine);

    return g_bytes_new(tables->rsdp, sizeof tables->rsdp);
}

static GBytes *
make_acpi_loader(void *machine)
{
    g_autoptr(KilnAcpiTables) tables = kiln_machine_acpi_tables(machine);

    return take_array(kiln_acpi_loader(tables));
}

/* The tables say where ECAM is, and firmware decides on that: they are made when it loads them,
 * when its choice is made.  Their size, which it knows before, has room for any. */
static gboolean
add_acpi(KilnMachine *machine, KilnFwCfg *fw_cfg, GError **error)
{
    g_autoptr(KilnAcpiTables) tables = kiln_machine_acpi_tables(machine);
    g_autoptr(GByteArray) loader = kiln_acpi_loader(tables);
    uint32_t size = (tables->tables->len + TABLES_SPARE + TABLES_ALIGN - 1) / TABLES_ALIGN;

    return kiln_fw_cfg_add_made_file(fw_cfg, KILN_ACPI_TABLES_NAME, size * TABLES_ALIGN,
                                     make_acpi_tables, machine, error) &&
           kiln_fw_cfg_add_made_file(fw_cfg, KILN_ACPI_RSDP_NAME, KILN_ACPI_RSDP_LENGTH,
                                     make_acpi_rsdp, machine, error) &&
           kiln_fw_cfg_add_made_file(fw_cfg, KILN_ACPI_LOADER_NAME, loader->len, make_acpi_loader,
                                     machine, error);
}

/* ---- SMBIOS ------------------------------------------------------------------------------------
 */

static gboolean
add_smbios(KilnMachine *machine, KilnFwCfg *fw_cfg, GError **error)
{
    uint8_t anchor_32[KILN_SMBIOS_ANCHOR_32_LENGTH];
    uint8_t anchor_64[KILN_SMBIOS_ANCHOR_64_LENGTH];
    GBytes *anchor;
    g_autoptr(KilnSmbios) smbios = kiln_machine_smbios(machine, error);

    if (smbios == NULL)
        return FALSE;
    if (kiln_smbios_anchor_32(smbios, 0, anchor_32)) {
        anchor = g_bytes_new(anchor_32, sizeof anchor_32);
    } else {
        kiln_smbios_anchor_64(smbios, 0, anchor_64);
        anchor = g_bytes_new(anchor_64, sizeof anchor_64);
    }
    return kiln_fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-anchor", anchor, error) &&
           kiln_fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-tables",
                                g_bytes_new(smbios->structures->data, smbios->structures->len),
                                error);
}

/* ---- Memory ------------------------------------------------------------------------------------
 */

static void
add_range(GByteArray *map, uint64_t base, uint64_t length, uint32_t type)
{
    uint8_t entry[E820_ENTRY];

    kiln_le64_store(entry, base);
    kiln_le64_store(entry + 8, length);
    kiln_le32_store(entry + 16, type);
    g_byte_array_append(map, entry, sizeof entry);
}

static gboolean
add_memory_map(KilnMachine *machine, KilnFwCfg *fw_cfg, GError **error)
{
    uint64_t ram = kiln_memory_size(machine->memory);
    uint64_t end = kiln_layout_pci64_start(ram, kiln_memory_modules_span(machine->memory));
    g_autoptr(GByteArray) map = g_byte_array_new();
    uint8_t end_bytes[8];

    add_range(map, KILN_LAYOUT_KVM_IDENTITY, KVM_PAGES, E820_RESERVED);
    add_range(map, 0, kiln_layout_low_ram(ram), E820_RAM);
    if (kiln_layout_high_ram(ram) > 0)
        add_range(map, KILN_LAYOUT_4G, kiln_layout_high_ram(ram), E820_RAM);
    kiln_le64_store(end_bytes, end);
    kiln_fw_cfg_add_64(fw_cfg, KILN_FW_CFG_RAM_SIZE, ram);
    return kiln_fw_cfg_add_file(fw_cfg, "etc/e820", take_array(g_steal_pointer(&map)), error) &&
           /* From here on firmware may place 64-bit BARs. */
           kiln_fw_cfg_add_file(fw_cfg, "etc/reserved-memory-end",
                                g_bytes_new(end_bytes, sizeof end_bytes), error);
}

/* ---- The rest ----------------------------------------------------------------------------------
 */

static void
add_cpus(KilnMachine *machine, KilnFwCfg *fw_cfg)
{
    guint n = kiln_machine_n_vcpus(machine);
    guint last_id = kiln_topology_apic_id(&machine->topology, n - 1);

    kiln_fw_cfg_add_16(fw_cfg, KILN_FW_CFG_NB_CPUS, (uint16_t)n);
    kiln_fw_cfg_add_16(fw_cfg, KILN_FW_CFG_MAX_CPUS, (uint16_t)(last_id + 1));
    kiln_rtc_set_cmos(machine->rtc, CMOS_CPUS, (uint8_t)MIN(n - 1, UINT8_MAX));
}

/* Which sleep states there are, and the value of SLP_TYP of each: no S3, no S4 (bit 7). */
static gboolean
add_system_states(KilnFwCfg *fw_cfg, GError **error)
{
    static const uint8_t states[] = { 0x80 | KILN_ICH9_SLP_TYP_S0, 0, 0, 1, 2,
                                      0x80 | KILN_ICH9_SLP_TYP_S0 };

    return kiln_fw_cfg_add_file(fw_cfg, "etc/system-states",
                                g_bytes_new_static(states, sizeof states), error);
}

/* <sysinfo type='fwcfg'>. */
static gboolean
add_entry(KilnFwCfg *fw_cfg, const KilnSysinfoEntry *entry, GError **error)
{
    g_autoptr(GError) cause = NULL;
    gchar *content = NULL;
    gsize length = 0;

    if (entry->file == NULL)
        content = g_strdup(entry->value != NULL ? entry->value : "");
    else if (!g_file_get_contents(entry->file, &content, &length, &cause))
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "sysinfo: %s", cause->message);
    if (entry->file == NULL)
        length = strlen(content);
    if (!kiln_fw_cfg_add_file(fw_cfg, entry->name, g_bytes_new_take(content, length), error)) {
        g_prefix_error(error, "sysinfo: ");
        return FALSE;
    }
    return TRUE;
}

static gboolean
add_entries(const KilnDomain *domain, KilnFwCfg *fw_cfg, GError **error)
{
    for (guint i = 0; i < domain->sysinfo->len; i++) {
        const KilnSysinfo *sysinfo = g_ptr_array_index(domain->sysinfo, i);

        if (sysinfo->type != KILN_SYSINFO_FWCFG)
            continue;
        for (guint j = 0; j < sysinfo->fwcfg->len; j++) {
            if (!add_entry(fw_cfg, g_ptr_array_index(sysinfo->fwcfg, j), error))
                return FALSE;
        }
    }
    return TRUE;
}

gboolean
kiln_machine_build_fw_cfg(KilnMachine *machine, GError **error)
{
    KilnFwCfgOptions options = { .io = machine->io, .memory = machine->memory };
    KilnFwCfg *fw_cfg = kiln_fw_cfg_new(&options, error);
    uint8_t uuid[KILN_SMBIOS_UUID_LENGTH];

    if (fw_cfg == NULL)
        return FALSE;
    kiln_machine_add_device(machine, kiln_fw_cfg_device(fw_cfg));
    kiln_machine_uuid(machine, uuid);
    kiln_fw_cfg_add(fw_cfg, KILN_FW_CFG_UUID, g_bytes_new(uuid, sizeof uuid));
    kiln_fw_cfg_add_16(fw_cfg, KILN_FW_CFG_NOGRAPHIC, 0);
    add_cpus(machine, fw_cfg);
    return add_acpi(machine, fw_cfg, error) && add_smbios(machine, fw_cfg, error) &&
           add_memory_map(machine, fw_cfg, error) && add_system_states(fw_cfg, error) &&
           add_entries(machine->domain, fw_cfg, error) &&
           kiln_machine_add_kernel_items(machine, fw_cfg, error) &&
           kiln_machine_add_boot_items(machine, fw_cfg, error);
}
