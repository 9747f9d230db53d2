/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SDM vol. 2A, "CPUID", ed. 081; AMD APM vol. 3, appendix E, rev. 3.36. */
#include "kvm/cpuid-leaves.h"

#include <stdio.h>
#include <string.h>

#include "base/le.h"

enum {
    LEAF_CACHE_DESCRIPTORS = 2,
    LEAF_CACHES = 4,
    LEAF_TOPOLOGY = 0xb,
    LEAF_XSAVE = 0xd,
    LEAF_TOPOLOGY_V2 = 0x1f,
    LEVEL_THREAD = 1, /* leaves 0xb and 0x1f, ECX 15:8 */
    LEVEL_CORE = 2,
    LEVEL_DIE = 5,
};

#define LEAF_KVM          0x40000000u
#define LEAF_EXTENDED     0x80000000u
#define LEAF_BRAND        0x80000002u
#define LEAF_AMD_L1       0x80000005u
#define LEAF_AMD_L2       0x80000006u
#define LEAF_SIZES        0x80000008u
#define LEAF_AMD_CACHES   0x8000001du
#define LEAF_AMD_TOPOLOGY 0x8000001eu

KilnCpuidTable *
kiln_cpuid_table_new(void)
{
    KilnCpuidTable *table;

    return g_malloc0(sizeof *table + KILN_CPUID_MAX_ENTRIES * sizeof table->entries[0]);
}

struct kvm_cpuid_entry2 *
kiln_cpuid_table_add(KilnCpuidTable *table, uint32_t leaf, uint32_t subleaf)
{
    static const uint32_t indexed[] = { LEAF_CACHES,      7,    LEAF_TOPOLOGY,  LEAF_XSAVE,
                                        LEAF_TOPOLOGY_V2, 0x1d, LEAF_AMD_CACHES };
    struct kvm_cpuid_entry2 *entry = kiln_cpuid_entry(table, leaf, subleaf);

    if (entry != NULL || table->nent >= KILN_CPUID_MAX_ENTRIES)
        return entry;
    entry = &table->entries[table->nent++];
    *entry = (struct kvm_cpuid_entry2){ .function = leaf, .index = subleaf };
    for (gsize i = 0; i < G_N_ELEMENTS(indexed); i++)
        if (indexed[i] == leaf)
            entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    return entry;
}

void
kiln_cpuid_table_remove(KilnCpuidTable *table, uint32_t leaf)
{
    guint kept = 0;

    for (guint i = 0; i < table->nent; i++)
        if (table->entries[i].function != leaf)
            table->entries[kept++] = table->entries[i];
    table->nent = kept;
}

gboolean
kiln_cpuid_table_is_amd(KilnCpuidTable *table)
{
    const struct kvm_cpuid_entry2 *entry = kiln_cpuid_entry(table, 0, 0);

    /* "AuthenticAMD" and "HygonGenuine" by their first four letters */
    return entry != NULL && (entry->ebx == 0x68747541 || entry->ebx == 0x6f677948);
}

void
kiln_cpuid_set_vendor(KilnCpuidTable *table, const char *vendor)
{
    static const uint32_t leaves[] = { 0, LEAF_EXTENDED };

    for (gsize i = 0; i < G_N_ELEMENTS(leaves); i++) {
        struct kvm_cpuid_entry2 *entry = kiln_cpuid_table_add(table, leaves[i], 0);

        if (entry == NULL)
            return;
        entry->ebx = kiln_le32_load(vendor);
        entry->edx = kiln_le32_load(vendor + 4);
        entry->ecx = kiln_le32_load(vendor + 8);
    }
}

/* Families from 15 up and models from 16 up go on in the extended fields. */
static uint32_t
signature(guint family, guint model, guint stepping)
{
    guint extended = family > 15 ? family - 15 : 0;

    return extended << 20 | (model >> 4) << 16 | MIN(family, 15) << 8 | (model & 15) << 4 |
           stepping;
}

static void
set_brand(KilnCpuidTable *table, const char *name)
{
    char brand[48] = "";

    (void)snprintf(brand, sizeof brand, "Kiln virtual CPU (%s)", name);
    for (guint i = 0; i < 3; i++) {
        struct kvm_cpuid_entry2 *entry = kiln_cpuid_table_add(table, LEAF_BRAND + i, 0);

        if (entry == NULL)
            return;
        entry->eax = kiln_le32_load(brand + 16 * i);
        entry->ebx = kiln_le32_load(brand + 16 * i + 4);
        entry->ecx = kiln_le32_load(brand + 16 * i + 8);
        entry->edx = kiln_le32_load(brand + 16 * i + 12);
    }
}

void
kiln_cpuid_set_model(KilnCpuidTable *table, const KilnCpuModel *model)
{
    struct kvm_cpuid_entry2 *leaf1 = kiln_cpuid_table_add(table, 1, 0);

    if (model->vendor != NULL)
        kiln_cpuid_set_vendor(table, model->vendor);
    if (model->family != 0 && leaf1 != NULL)
        leaf1->eax = signature(model->family, model->model, model->stepping);
    set_brand(table, model->name);
}

/* A cache: its subleaf, and who shares it is filled in by share_cache(). */
static void
add_cache(KilnCpuidTable *table, uint32_t leaf, guint subleaf, guint type, guint level, guint ways,
          guint sets)
{
    enum { SELF_INITIALISING = 1 << 8, LINE = 64 };
    struct kvm_cpuid_entry2 *entry = kiln_cpuid_table_add(table, leaf, subleaf);

    if (entry == NULL)
        return;
    entry->eax = type | level << 5 | SELF_INITIALISING;
    entry->ebx = (LINE - 1) | (ways - 1) << 22;
    entry->ecx = sets - 1;
    entry->edx = 0;
}

/* L1 2 x 32 KiB, L2 1 MiB for a core; L3 16 MiB for a die. */
static void
add_caches(KilnCpuidTable *table, uint32_t leaf)
{
    enum { DATA = 1, INSTRUCTION = 2, UNIFIED = 3 };

    kiln_cpuid_table_remove(table, leaf);
    add_cache(table, leaf, 0, DATA, 1, 8, 64);
    add_cache(table, leaf, 1, INSTRUCTION, 1, 8, 64);
    add_cache(table, leaf, 2, UNIFIED, 2, 16, 1024);
    add_cache(table, leaf, 3, UNIFIED, 3, 16, 16384);
    (void)kiln_cpuid_table_add(table, leaf, 4); /* the end: type 0 */
}

static void
set_registers(KilnCpuidTable *table, uint32_t leaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
              uint32_t edx)
{
    struct kvm_cpuid_entry2 *entry = kiln_cpuid_table_add(table, leaf, 0);

    if (entry == NULL)
        return;
    entry->eax = eax;
    entry->ebx = ebx;
    entry->ecx = ecx;
    entry->edx = edx;
}

void
kiln_cpuid_set_caches(KilnCpuidTable *table, gboolean any)
{
    gboolean amd = kiln_cpuid_table_is_amd(table);

    kiln_cpuid_table_remove(table, LEAF_CACHE_DESCRIPTORS);
    kiln_cpuid_table_remove(table, LEAF_CACHES);
    kiln_cpuid_table_remove(table, LEAF_AMD_CACHES);
    kiln_cpuid_table_remove(table, LEAF_AMD_L1);
    kiln_cpuid_table_remove(table, LEAF_AMD_L2);
    if (!any)
        return;
    if (amd) {
        /* KiB, ways, lines a tag, bytes a line; L3 in units of 512 KiB; 8 is the code of 16 ways */
        uint32_t l1 = 32u << 24 | 8 << 16 | 1 << 8 | 64;

        set_registers(table, LEAF_AMD_L1, 0, 0, l1, l1);
        set_registers(table, LEAF_AMD_L2, 0, 0, 1024u << 16 | 8 << 12 | 1 << 8 | 64,
                      32u << 18 | 8 << 12 | 1 << 8 | 64);
        add_caches(table, LEAF_AMD_CACHES);
    } else {
        set_registers(table, LEAF_CACHE_DESCRIPTORS, 0x00ff01, 0, 0, 0); /* 0xff: see leaf 4 */
        add_caches(table, LEAF_CACHES);
    }
}

/* How many APIC ids share a cache: L1 and L2 those of a core, L3 those of a die. */
static void
share_caches(KilnCpuidTable *table, uint32_t leaf, const KilnCpuTopology *topology)
{
    guint core = 1u << kiln_topology_core_shift(topology);
    guint die = 1u << kiln_topology_die_shift(topology);
    guint cores = 1u << (kiln_topology_socket_shift(topology) - kiln_topology_core_shift(topology));

    for (guint i = 0; i < table->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];
        guint level = entry->eax >> 5 & 7;

        if (entry->function != leaf || (entry->eax & 31) == 0)
            continue;
        entry->eax &= 0x3fff;
        entry->eax |= (MIN(level >= 3 ? die : core, 4096) - 1) << 14;
        if (leaf == LEAF_CACHES)
            entry->eax |= (MIN(cores, 64) - 1) << 26;
    }
}

static void
add_level(KilnCpuidTable *table, uint32_t leaf, guint subleaf, guint type, guint shift, guint cpus)
{
    struct kvm_cpuid_entry2 *entry = kiln_cpuid_table_add(table, leaf, subleaf);

    if (entry == NULL)
        return;
    entry->eax = shift;
    entry->ebx = cpus & 0xffff;
    entry->ecx = subleaf | type << 8;
}

static void
set_levels(KilnCpuidTable *table, const KilnCpuTopology *topology)
{
    guint threads = topology->threads;
    guint die = threads * topology->cores, socket = die * topology->dies;

    kiln_cpuid_table_remove(table, LEAF_TOPOLOGY);
    kiln_cpuid_table_remove(table, LEAF_TOPOLOGY_V2);
    add_level(table, LEAF_TOPOLOGY, 0, LEVEL_THREAD, kiln_topology_core_shift(topology), threads);
    add_level(table, LEAF_TOPOLOGY, 1, LEVEL_CORE, kiln_topology_socket_shift(topology), socket);
    add_level(table, LEAF_TOPOLOGY, 2, 0, 0, 0);
    if (topology->dies <= 1)
        return;
    add_level(table, LEAF_TOPOLOGY_V2, 0, LEVEL_THREAD, kiln_topology_core_shift(topology),
              threads);
    add_level(table, LEAF_TOPOLOGY_V2, 1, LEVEL_CORE, kiln_topology_die_shift(topology), die);
    add_level(table, LEAF_TOPOLOGY_V2, 2, LEVEL_DIE, kiln_topology_socket_shift(topology), socket);
    add_level(table, LEAF_TOPOLOGY_V2, 3, 0, 0, 0);
}

static void
set_bit(uint32_t *value, guint bit, gboolean on)
{
    *value = on ? *value | 1u << bit : *value & ~(1u << bit);
}

void
kiln_cpuid_set_topology(KilnCpuidTable *table, const KilnCpuTopology *topology)
{
    enum { HTT = 28, CMP_LEGACY = 1, TOPOEXT = 22 };
    guint shift = kiln_topology_socket_shift(topology);
    guint socket = topology->dies * topology->cores * topology->threads;
    gboolean amd = kiln_cpuid_table_is_amd(table);
    struct kvm_cpuid_entry2 *leaf1;
    struct kvm_cpuid_entry2 *amd1;
    struct kvm_cpuid_entry2 *sizes;

    set_levels(table, topology); /* removal moves entries, so they are looked for afterwards */
    leaf1 = kiln_cpuid_entry(table, 1, 0);
    amd1 = kiln_cpuid_entry(table, LEAF_EXTENDED + 1, 0);
    if (leaf1 != NULL) {
        leaf1->ebx = (leaf1->ebx & 0xff00ffff) | MIN(1u << shift, 255) << 16;
        set_bit(&leaf1->edx, HTT, socket > 1);
    }
    if (amd1 != NULL) {
        set_bit(&amd1->ecx, CMP_LEGACY, amd && socket > 1);
        if (!amd || (amd1->ecx >> TOPOEXT & 1) == 0) {
            kiln_cpuid_table_remove(table, LEAF_AMD_CACHES);
            kiln_cpuid_table_remove(table, LEAF_AMD_TOPOLOGY);
        } else {
            set_registers(table, LEAF_AMD_TOPOLOGY, 0, 0, 0, 0);
        }
    }
    sizes = kiln_cpuid_entry(table, LEAF_SIZES, 0); /* again */
    if (sizes != NULL)
        sizes->ecx = amd ? MIN(socket - 1, 255) | MIN(shift, 15) << 12 : 0;
    share_caches(table, LEAF_CACHES, topology);
    share_caches(table, LEAF_AMD_CACHES, topology);
}

void
kiln_cpuid_set_apic_id(KilnCpuidTable *table, const KilnCpuTopology *topology, uint32_t apic_id)
{
    guint core_shift = kiln_topology_core_shift(topology);
    guint die_shift = kiln_topology_die_shift(topology);
    guint socket_shift = kiln_topology_socket_shift(topology);
    uint32_t in_socket = apic_id & ((1u << socket_shift) - 1);

    for (guint i = 0; i < table->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];

        switch (entry->function) {
        case 1: entry->ebx = (entry->ebx & 0x00ffffff) | apic_id << 24; break;
        case LEAF_TOPOLOGY:
        case LEAF_TOPOLOGY_V2: entry->edx = apic_id; break;
        case LEAF_AMD_TOPOLOGY: /* core id and threads a core; node id and nodes a socket */
            entry->eax = apic_id;
            entry->ebx = (in_socket >> core_shift & 0xff) | (topology->threads - 1) << 8;
            entry->ecx = (apic_id >> die_shift & 0xff) | (MIN(topology->dies, 8) - 1) << 8;
            break;
        default: break;
        }
    }
}

/* Components of XCR0 and the feature that brings each: SDM vol. 1, "XSAVE-Supported Features". */
static const struct {
    uint64_t components;
    KilnCpuFeatureId feature;
} xcr0_features[] = {
    { 1 << 2, KILN_CPU_AVX }, { 3 << 3, KILN_CPU_MPX },       { 7 << 5, KILN_CPU_AVX512F },
    { 1 << 9, KILN_CPU_PKU }, { 3 << 17, KILN_CPU_AMX_TILE },
};

static uint64_t
wanted_components(const KilnCpuFeatureSet *features, uint64_t host, gboolean strict)
{
    uint64_t wanted = strict ? 3 : host; /* x87 and SSE always */

    for (gsize i = 0; i < G_N_ELEMENTS(xcr0_features); i++)
        wanted = kiln_cpu_set_has(features, xcr0_features[i].feature)
                     ? wanted | xcr0_features[i].components
                     : wanted & ~xcr0_features[i].components;
    return wanted & host;
}

/* Supervisor components that KVM knows: CET (11, 12) and processor trace (8). */
static uint32_t
wanted_supervisor(const KilnCpuFeatureSet *features, uint32_t host)
{
    if (!kiln_cpu_set_has(features, KILN_CPU_XSAVES))
        return 0;
    if (!kiln_cpu_set_has(features, KILN_CPU_INTEL_PT))
        host &= ~(1u << 8);
    return host;
}

void
kiln_cpuid_set_xsave(KilnCpuidTable *table, const KilnCpuFeatureSet *features, gboolean strict)
{
    enum { LEGACY = 576 }; /* bytes of x87, SSE and the header */
    struct kvm_cpuid_entry2 *base = kiln_cpuid_entry(table, LEAF_XSAVE, 0);
    struct kvm_cpuid_entry2 *more = kiln_cpuid_entry(table, LEAF_XSAVE, 1);
    uint64_t user, all;
    uint32_t size = LEGACY;
    guint kept = 0;

    if (base == NULL || !kiln_cpu_set_has(features, KILN_CPU_XSAVE)) {
        kiln_cpuid_table_remove(table, LEAF_XSAVE);
        return;
    }
    user = wanted_components(features, (uint64_t)base->edx << 32 | base->eax, strict);
    base->eax = (uint32_t)user;
    base->edx = (uint32_t)(user >> 32);
    all = user;
    if (more != NULL) {
        more->ecx = wanted_supervisor(features, more->ecx);
        all |= more->ecx;
    }
    for (guint i = 0; i < table->nent; i++) {
        const struct kvm_cpuid_entry2 *entry = &table->entries[i];

        if (entry->function == LEAF_XSAVE && entry->index >= 2) {
            if (entry->index > 63 || (all >> entry->index & 1) == 0)
                continue;
            if ((user >> entry->index & 1) != 0)
                size = MAX(size, entry->eax + entry->ebx);
        }
        table->entries[kept++] = *entry;
    }
    table->nent = kept;
    base = kiln_cpuid_entry(table, LEAF_XSAVE, 0);
    base->ebx = base->ecx = size; /* KVM follows XCR0 with EBX as the guest runs */
}

void
kiln_cpuid_set_limits(KilnCpuidTable *table)
{
    static const uint32_t ranges[] = { 0, LEAF_KVM, LEAF_EXTENDED };

    for (gsize i = 0; i < G_N_ELEMENTS(ranges); i++) {
        struct kvm_cpuid_entry2 *first = kiln_cpuid_entry(table, ranges[i], 0);
        uint32_t highest = ranges[i];

        for (guint n = 0; n < table->nent; n++)
            if ((table->entries[n].function & 0xf0000000) == ranges[i])
                highest = MAX(highest, table->entries[n].function);
        if (first != NULL)
            first->eax = highest;
    }
}
