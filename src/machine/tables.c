/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tables.h. */
#include "machine/tables.h"

#include "base/error.h"
#include "device/ich9-pm.h"
#include "domain/domain.h"
#include "machine/devices.h"
#include "machine/pci.h"
#include "machine/private.h"
#include "memory/layout.h"

enum {
    N_SLOTS = 32,
    N_PINS = 4,
    BITS_PER_HEX_DIGIT = 4,
};

/* ---- ACPI --------------------------------------------------------------------------------------
 */

static void
pci_gsis(KilnAcpiOptions *options)
{
    for (guint slot = 0; slot < N_SLOTS; slot++)
        for (guint pin = 0; pin < N_PINS; pin++)
            options->pci_gsi[slot][pin] = (uint8_t)kiln_machine_pci_gsi(slot, pin);
}

static guint
pci_windows(const KilnMachine *machine, KilnAcpiRange ranges[KILN_MACHINE_MAX_PCI_WINDOWS])
{
    KilnPciWindow windows[KILN_MACHINE_MAX_PCI_WINDOWS];
    guint n = kiln_machine_pci_windows(machine, windows);

    for (guint i = 0; i < n; i++)
        ranges[i] = (KilnAcpiRange){ windows[i].base, windows[i].length };
    return n;
}

/* The NUMA cell that a vCPU is in. */
static uint32_t
node_of_vcpu(const KilnDomain *domain, guint vcpu)
{
    for (guint i = 0; i < domain->cpu.numa.cells->len; i++) {
        const KilnNumaCell *cell = g_ptr_array_index(domain->cpu.numa.cells, i);

        if (cell->cpus != NULL && kiln_bitmap_get(cell->cpus, vcpu))
            return i;
    }
    return domain->cpu.numa.cells->len > 0 ? 0 : KILN_ACPI_NO_NODE;
}

/* RAM and the places of memory devices.  Linux takes the highest address from here that there can
 * ever be memory at, and the nodes of what is plugged in. */
static void
numa_memory(const KilnMachine *machine, KilnAcpiMemory *memory)
{
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(machine->memory, &n);

    for (guint i = 0; i < n; i++)
        memory[i] = (KilnAcpiMemory){
            .range = { regions[i].gpa, regions[i].size },
            .node = regions[i].cell,
            .hot_pluggable = regions[i].kind != KILN_MEMORY_RAM,
        };
}

static KilnAcpiTpm
tpm_kind(const KilnTpm *tpm)
{
    if (tpm->model == KILN_TPM_MODEL_TPM_CRB)
        return KILN_ACPI_TPM_CRB;
    return tpm->backend.version == KILN_TPM_VERSION_1_2 ? KILN_ACPI_TPM_TIS_1_2
                                                        : KILN_ACPI_TPM_TIS_2_0;
}

KilnAcpiTables *
kiln_machine_acpi_tables(KilnMachine *machine)
{
    const KilnDomain *domain = machine->domain;
    guint n_vcpus = kiln_vcpu_group_count(machine->vcpus);
    guint n_nodes = domain->cpu.numa.cells->len;
    gboolean one_node = n_nodes == 0 && domain->memories->len > 0; /* for SRAT to be there */
    guint n_regions;
    g_autofree KilnAcpiMemory *memory = NULL;
    g_autofree KilnAcpiCpu *cpus = g_new0(KilnAcpiCpu, n_vcpus);
    g_autofree uint8_t *distances = g_new0(uint8_t, n_nodes * n_nodes + 1);
    KilnAcpiRange windows[KILN_MACHINE_MAX_PCI_WINDOWS];
    KilnAcpiOptions options;

    kiln_acpi_options_init(&options);
    kiln_memory_regions(machine->memory, &n_regions);
    memory = g_new0(KilnAcpiMemory, n_regions);
    numa_memory(machine, memory);
    for (guint i = 0; i < n_vcpus; i++)
        cpus[i] = (KilnAcpiCpu){ kiln_topology_apic_id(&machine->topology, i),
                                 one_node ? 0 : node_of_vcpu(domain, i) };
    for (guint i = 0; i < n_nodes * n_nodes; i++)
        distances[i] = (uint8_t)kiln_numa_distance(&domain->cpu.numa, i / n_nodes, i % n_nodes);
    pci_gsis(&options);
    options.cpus = cpus;
    options.n_cpus = n_vcpus;
    options.ecam_base = kiln_machine_ecam(machine);
    options.pci_windows = windows;
    options.n_pci_windows = pci_windows(machine, windows);
    options.s5_sleep_type = KILN_ICH9_SLP_TYP_S5;
    options.coms = kiln_machine_com_ports(machine);
    options.console_com = options.coms & 1 ? 0 : KILN_ACPI_NO_COM;
    if (domain->tpms->len > 0)
        options.tpm = tpm_kind(g_ptr_array_index(domain->tpms, 0));
    options.i8042_keyboard = kiln_machine_has_ps2(machine, KILN_INPUT_TYPE_KEYBOARD);
    options.i8042_mouse = kiln_machine_has_ps2(machine, KILN_INPUT_TYPE_MOUSE);
    options.hpet = kiln_machine_has_hpet(machine);
    options.pvpanic = domain->panics->len > 0;
    options.n_nodes = one_node ? 1 : n_nodes;
    options.memory = memory;
    options.n_memory = n_regions;
    options.distances = n_nodes > 0 ? distances : NULL;
    return kiln_acpi_build(&options);
}

/* ---- SMBIOS ------------------------------------------------------------------------------------
 */

static void
uuid_bytes(const char *text, uint8_t uuid[KILN_SMBIOS_UUID_LENGTH])
{
    guint digits = 0;

    for (; *text != '\0' && digits < 2 * KILN_SMBIOS_UUID_LENGTH; text++) {
        int digit = g_ascii_xdigit_value(*text);

        if (digit < 0)
            continue;
        uuid[digits / 2] = (uint8_t)(uuid[digits / 2] << BITS_PER_HEX_DIGIT | digit);
        digits++;
    }
}

void
kiln_machine_uuid(const KilnMachine *machine, uint8_t uuid[KILN_SMBIOS_UUID_LENGTH])
{
    uuid_bytes(machine->domain->uuid, uuid);
}

/* The <sysinfo type='smbios'> that <smbios mode='sysinfo'/> asks for, or NULL. */
static const KilnSysinfo *
smbios_sysinfo(const KilnDomain *domain)
{
    if (domain->os.smbios != KILN_SMBIOS_SYSINFO)
        return NULL;
    for (guint i = 0; i < domain->sysinfo->len; i++) {
        const KilnSysinfo *sysinfo = g_ptr_array_index(domain->sysinfo, i);

        if (sysinfo->type == KILN_SYSINFO_SMBIOS)
            return sysinfo;
    }
    return NULL;
}

static void
smbios_names(KilnSmbiosOptions *options, const KilnSysinfo *sysinfo)
{
    options->bios_vendor = kiln_sysinfo_value(sysinfo->bios, "vendor");
    options->bios_version = kiln_sysinfo_value(sysinfo->bios, "version");
    options->bios_date = kiln_sysinfo_value(sysinfo->bios, "date");
    options->bios_release = kiln_sysinfo_value(sysinfo->bios, "release");
    options->system_manufacturer = kiln_sysinfo_value(sysinfo->system, "manufacturer");
    options->system_product = kiln_sysinfo_value(sysinfo->system, "product");
    options->system_version = kiln_sysinfo_value(sysinfo->system, "version");
    options->system_serial = kiln_sysinfo_value(sysinfo->system, "serial");
    options->system_sku = kiln_sysinfo_value(sysinfo->system, "sku");
    options->system_family = kiln_sysinfo_value(sysinfo->system, "family");
    options->chassis_manufacturer = kiln_sysinfo_value(sysinfo->chassis, "manufacturer");
    options->chassis_version = kiln_sysinfo_value(sysinfo->chassis, "version");
    options->chassis_serial = kiln_sysinfo_value(sysinfo->chassis, "serial");
    options->chassis_asset = kiln_sysinfo_value(sysinfo->chassis, "asset");
    options->chassis_sku = kiln_sysinfo_value(sysinfo->chassis, "sku");
}

/* (element-type KilnSmbiosBaseBoard) (transfer full): strings are borrowed. */
static GArray *
smbios_boards(const KilnSysinfo *sysinfo)
{
    GArray *boards = g_array_new(FALSE, FALSE, sizeof(KilnSmbiosBaseBoard));

    for (guint i = 0; sysinfo != NULL && i < sysinfo->boards->len; i++) {
        const KilnSysinfoBoard *entry = g_ptr_array_index(sysinfo->boards, i);
        KilnSmbiosBaseBoard board = {
            .manufacturer = kiln_sysinfo_value(entry->entries, "manufacturer"),
            .product = kiln_sysinfo_value(entry->entries, "product"),
            .version = kiln_sysinfo_value(entry->entries, "version"),
            .serial = kiln_sysinfo_value(entry->entries, "serial"),
            .asset = kiln_sysinfo_value(entry->entries, "asset"),
            .location = kiln_sysinfo_value(entry->entries, "location"),
        };

        g_array_append_val(boards, board);
    }
    return boards;
}

/* (transfer container): NULL-terminated, strings are borrowed. */
static GPtrArray *
smbios_oem_strings(const KilnSysinfo *sysinfo)
{
    GPtrArray *strings = g_ptr_array_new();

    for (guint i = 0; sysinfo != NULL && i < sysinfo->oem_strings->len; i++) {
        const KilnSysinfoEntry *entry = g_ptr_array_index(sysinfo->oem_strings, i);

        g_ptr_array_add(strings, entry->value != NULL ? entry->value : (gpointer) "");
    }
    g_ptr_array_add(strings, NULL);
    return strings;
}

/* CPUID leaf 1 of the first vCPU is what type 4 structures have as the processor's id. */
static void
smbios_processor(KilnMachine *machine, KilnSmbiosOptions *options)
{
    const struct kvm_cpuid2 *cpuid = kiln_cpuid_for_vcpu(machine->cpuid, 0);

    options->sockets = machine->topology.sockets;
    options->cores_per_socket = machine->topology.dies * machine->topology.cores;
    options->threads_per_socket = options->cores_per_socket * machine->topology.threads;
    for (guint i = 0; i < cpuid->nent; i++) {
        if (cpuid->entries[i].function == 1) {
            options->cpuid_eax = cpuid->entries[i].eax;
            options->cpuid_edx = cpuid->entries[i].edx;
        }
    }
}

KilnSmbios *
kiln_machine_smbios(KilnMachine *machine, GError **error)
{
    const KilnDomain *domain = machine->domain;
    const KilnSysinfo *sysinfo = smbios_sysinfo(domain);
    g_autoptr(GArray) boards = smbios_boards(sysinfo);
    g_autoptr(GPtrArray) oem_strings = smbios_oem_strings(sysinfo);
    guint n_regions;
    const KilnMemoryRegion *regions = kiln_memory_ram(machine->memory, &n_regions);
    g_autofree KilnSmbiosRange *memory = g_new0(KilnSmbiosRange, n_regions);
    KilnSmbiosOptions options = {
        .base_boards = (const KilnSmbiosBaseBoard *)(const void *)boards->data,
        .n_base_boards = boards->len,
        .oem_strings = (const char *const *)oem_strings->pdata,
        .memory = memory,
        .n_memory = n_regions,
    };
    KilnSmbios *smbios;

    if (oem_strings->len - 1 > UINT8_MAX) {
        kiln_error_set(error, KILN_ERROR_INVALID, "sysinfo: %u OEM strings are more than %d",
                       oem_strings->len - 1, UINT8_MAX);
        return NULL;
    }
    for (guint i = 0; i < n_regions; i++)
        memory[i] = (KilnSmbiosRange){ regions[i].gpa, regions[i].size };
    if (sysinfo != NULL)
        smbios_names(&options, sysinfo);
    uuid_bytes(domain->uuid, options.system_uuid);
    smbios_processor(machine, &options);
    smbios = kiln_smbios_build(&options, error);
    if (smbios == NULL)
        g_prefix_error(error, "sysinfo: ");
    return smbios;
}
