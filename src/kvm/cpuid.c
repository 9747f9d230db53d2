/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host's features -> wanted features -> leaves: kept, changed, left out -> limits */
#include "kvm/cpuid.h"

#include <string.h>

#include "base/error.h"
#include "kvm/cpu-features.h"
#include "kvm/cpu-models.h"
#include "kvm/cpuid-leaves.h"

struct KilnCpuid {
    KilnCpuidTable *table;
    KilnCpuFeatureSet features; /* of the guest */
    KilnCpuTopology topology;
    const KilnCpuModel *model; /* (nullable) */
    uint64_t arch_capabilities;
    gboolean set_arch_capabilities;
};

/* What a named model has in libvirt's map and QEMU leaves out under KVM unless it is asked for. */
static const KilnCpuFeatureId not_by_model[] = { KILN_CPU_MONITOR, KILN_CPU_ACPI, KILN_CPU_SVM,
                                                 KILN_CPU_VMX };

static const KilnCpuFeatureId pmu_features[] = { KILN_CPU_PDCM, KILN_CPU_PERFCTR_CORE,
                                                 KILN_CPU_PERFCTR_NB };

#define SVM_LEAF  0x8000000au
#define KVM_LEAF  0x40000001u
#define KVM_FIRST 0x40000000u

static void
drop(KilnCpuFeatureSet *set, const KilnCpuFeatureId *ids, gsize n)
{
    for (gsize i = 0; i < n; i++)
        kiln_cpu_set_put(set, ids[i], FALSE);
}

static void
drop_leaf(KilnCpuFeatureSet *set, uint32_t leaf)
{
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_feature(i)->msr == 0 && kiln_cpu_feature(i)->leaf == leaf)
            kiln_cpu_set_put(set, i, FALSE);
}

static guint
count(const KilnCpuFeatureSet *set)
{
    guint n = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(set->words); i++)
        n += (guint)__builtin_popcountll(set->words[i]);
    return n;
}

static KilnCpuFeatureSet
minus(const KilnCpuFeatureSet *a, const KilnCpuFeatureSet *b)
{
    KilnCpuFeatureSet result;

    for (gsize i = 0; i < G_N_ELEMENTS(a->words); i++)
        result.words[i] = a->words[i] & ~b->words[i];
    return result;
}

static KilnCpuFeatureSet
both(const KilnCpuFeatureSet *a, const KilnCpuFeatureSet *b)
{
    KilnCpuFeatureSet result;

    for (gsize i = 0; i < G_N_ELEMENTS(a->words); i++)
        result.words[i] = a->words[i] | b->words[i];
    return result;
}

/* "a, b, c" */
static char *
names(const KilnCpuFeatureSet *set)
{
    GString *text = g_string_new("");

    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_set_has(set, i))
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "",
                                   kiln_cpu_feature(i)->name);
    return g_string_free(text, FALSE);
}

static void
model_features(const KilnCpuModel *model, KilnCpuFeatureSet *set)
{
    kiln_cpu_model_features(model, set);
    drop(set, not_by_model, G_N_ELEMENTS(not_by_model));
    drop_leaf(set, SVM_LEAF);
}

static gboolean
signature_fits(const KilnCpuModel *model, guint family, guint number)
{
    if (model->family != family)
        return FALSE;
    for (const uint8_t *also = model->also_models; also != NULL && *also != 0; also++)
        if (*also == number)
            return TRUE;
    return model->model == number;
}

/* The nearest model of the host's vendor: first by signature, then by how much has to be taken
 * away, which counts more, and added. */
static const KilnCpuModel *
nearest_model(struct kvm_cpuid2 *supported, const KilnCpuFeatureSet *host, gboolean signature_only)
{
    struct kvm_cpuid_entry2 *vendor = kiln_cpuid_entry(supported, 0, 0);
    struct kvm_cpuid_entry2 *leaf1 = kiln_cpuid_entry(supported, 1, 0);
    guint n, best_score = G_MAXUINT;
    const KilnCpuModel *models = kiln_cpu_models(&n), *best = NULL;
    uint32_t eax = leaf1 != NULL ? leaf1->eax : 0;
    guint family = (eax >> 8 & 15) + ((eax >> 8 & 15) == 15 ? eax >> 20 & 255 : 0);
    guint number = (eax >> 4 & 15) | (eax >> 16 & 15) << 4;
    char id[12] = "";

    if (vendor != NULL) {
        memcpy(id, &vendor->ebx, 4);
        memcpy(id + 4, &vendor->edx, 4);
        memcpy(id + 8, &vendor->ecx, 4);
    }
    for (guint i = 0; i < n; i++) {
        gboolean fits = signature_fits(&models[i], family, number);
        KilnCpuFeatureSet set, lost, extra;
        guint score;

        if (models[i].family == 0 || memcmp(models[i].vendor, id, sizeof id) != 0 ||
            (signature_only && !fits))
            continue;
        model_features(&models[i], &set);
        lost = minus(&set, host);
        extra = minus(host, &set);
        score = (fits ? 0 : 100000) + count(&lost) * 4 + count(&extra);
        if (score < best_score) {
            best_score = score;
            best = &models[i];
        }
    }
    return best;
}

static gboolean
choose_model(KilnCpuid *cpuid, struct kvm_cpuid2 *supported, const KilnCpuFeatureSet *host,
             const KilnCpuOptions *options, GError **error)
{
    switch (options->mode) {
    case KILN_CPU_HOST_PASSTHROUGH:
    case KILN_CPU_MAXIMUM: return TRUE;
    case KILN_CPU_HOST_MODEL:
        cpuid->model = nearest_model(supported, host, options->no_fallback);
        if (cpuid->model == NULL && !options->no_fallback)
            cpuid->model = kiln_cpu_model_find("kvm64"); /* of no vendor: any host's */
        if (cpuid->model == NULL)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "no named CPU model fits this host's CPU, and fallback is "
                                  "forbidden");
        return TRUE;
    case KILN_CPU_CUSTOM: break;
    }
    if (options->model == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "custom CPU: no model is named");
    cpuid->model = kiln_cpu_model_find(options->model);
    if (cpuid->model == NULL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "CPU model '%s' is not known",
                              options->model);
    return TRUE;
}

/* What the mode gives before any feature is chosen; @missing: what the model has and KVM has not.
 */
static gboolean
base_features(KilnCpuid *cpuid, const KilnCpuFeatureSet *host, const KilnCpuOptions *options,
              KilnCpuFeatureSet *missing, GError **error)
{
    KilnCpuFeatureSet kvm = *host, extra, offered = *host;

    memset(missing, 0, sizeof *missing);
    if (!options->not_migratable)
        kiln_cpu_set_put(&offered, KILN_CPU_INVTSC, FALSE);
    if (!options->pmu)
        drop(&offered, pmu_features, G_N_ELEMENTS(pmu_features));
    cpuid->features = offered;
    if (options->mode != KILN_CPU_CUSTOM)
        return TRUE;

    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_feature(i)->msr != 0 || kiln_cpu_feature(i)->leaf != KVM_LEAF)
            kiln_cpu_set_put(&kvm, i, FALSE);
    model_features(cpuid->model, &cpuid->features);
    if (!options->pmu)
        drop(&cpuid->features, pmu_features, G_N_ELEMENTS(pmu_features));
    *missing = minus(&cpuid->features, host);
    cpuid->features = minus(&cpuid->features, missing);
    if (options->match == KILN_CPU_MATCH_MINIMUM)
        cpuid->features = both(&cpuid->features, &offered);
    cpuid->features = both(&cpuid->features, &kvm);
    if (kiln_cpu_set_has(host, KILN_CPU_X2APIC)) /* as QEMU does: KVM has it for every model */
        kiln_cpu_set_put(&cpuid->features, KILN_CPU_X2APIC, TRUE);
    extra = minus(&offered, &cpuid->features);
    kiln_cpu_set_put(&extra, KILN_CPU_HT, FALSE);
    kiln_cpu_set_put(&extra, KILN_CPU_CMP_LEGACY, FALSE);
    kiln_cpu_set_put(&extra, KILN_CPU_HYPERVISOR, FALSE);
    drop(&extra, not_by_model, G_N_ELEMENTS(not_by_model));
    drop_leaf(&extra, SVM_LEAF);
    for (guint i = 0; i < options->n_features; i++) {
        int id = kiln_cpu_feature_find(options->features[i].name);

        if (id >= 0) /* it is chosen, one way or the other */
            kiln_cpu_set_put(&extra, id, FALSE);
    }
    if (options->match == KILN_CPU_MATCH_STRICT && count(&extra) > 0) {
        g_autofree char *text = names(&extra);

        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "match='strict': the host's CPU has more than model '%s': %s",
                              options->model, text);
    }
    return TRUE;
}

static gboolean
choose_feature(KilnCpuid *cpuid, const KilnCpuFeatureSet *host, const KilnCpuFeatureChoice *choice,
               KilnCpuFeatureSet *missing, GError **error)
{
    int id = kiln_cpu_feature_find(choice->name);
    gboolean has;

    if (id < 0)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "CPU feature '%s' is not known",
                              choice->name);
    has = kiln_cpu_set_has(host, id);
    kiln_cpu_set_put(missing, id, FALSE); /* the definition's word stands above the model's */
    switch (choice->policy) {
    case KILN_CPU_FORCE: kiln_cpu_set_put(&cpuid->features, id, TRUE); return TRUE;
    case KILN_CPU_REQUIRE:
        kiln_cpu_set_put(&cpuid->features, id, TRUE);
        kiln_cpu_set_put(missing, id, !has);
        return TRUE;
    case KILN_CPU_OPTIONAL: kiln_cpu_set_put(&cpuid->features, id, has); return TRUE;
    case KILN_CPU_FORBID:
        if (has)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "CPU feature '%s' is forbidden and the host's CPU has it",
                                  choice->name);
        break;
    case KILN_CPU_DISABLE: break;
    }
    kiln_cpu_set_put(&cpuid->features, id, FALSE);
    return TRUE;
}

static gboolean
choose_features(KilnCpuid *cpuid, const KilnCpuFeatureSet *host, const KilnCpuOptions *options,
                GError **error)
{
    KilnCpuFeatureSet missing;

    if (!base_features(cpuid, host, options, &missing, error))
        return FALSE;
    if (options->check == KILN_CPU_CHECK_NONE)
        memset(&missing, 0, sizeof missing);
    for (guint i = 0; i < options->n_features; i++)
        if (!choose_feature(cpuid, host, &options->features[i], &missing, error))
            return FALSE;
    if (count(&missing) > 0) {
        g_autofree char *text = names(&missing);

        if (options->mode == KILN_CPU_CUSTOM)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "CPU model '%s': the host's CPU or KVM does not provide: %s",
                                  options->model, text);
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "CPU features that the host's CPU or KVM does not provide: %s", text);
    }
    kiln_cpu_set_put(&cpuid->features, KILN_CPU_HYPERVISOR, TRUE);
    if (options->no_kvmclock) {
        kiln_cpu_set_put(&cpuid->features, KILN_CPU_KVMCLOCK, FALSE);
        kiln_cpu_set_put(&cpuid->features, KILN_CPU_KVMCLOCK_STABLE_BIT, FALSE);
    }
    return TRUE;
}

/* Leaves that a named model has nothing to say in, unless one of its features needs them. */
static gboolean
model_keeps_leaf(const KilnCpuFeatureSet *set, uint32_t leaf)
{
    switch (leaf) {
    case 0xf:
    case 0x10: return kiln_cpu_set_has(set, KILN_CPU_CMT);
    case 0x12: return kiln_cpu_set_has(set, KILN_CPU_SGX);
    case 0x14: return kiln_cpu_set_has(set, KILN_CPU_INTEL_PT);
    case 0x1d:
    case 0x1e: return kiln_cpu_set_has(set, KILN_CPU_AMX_TILE);
    case SVM_LEAF: return kiln_cpu_set_has(set, KILN_CPU_SVM);
    case 3: /* serial number, thermal, frequencies, hybrid CPUs, PMU details, encryption */
    case 9:
    case 0xc:
    case 0x15:
    case 0x16:
    case 0x17:
    case 0x18:
    case 0x19:
    case 0x1a:
    case 0x1b:
    case 0x1c:
    case 0x20:
    case 0x23:
    case 0x24:
    case 0x8000001f:
    case 0x80000022: return FALSE;
    default: return TRUE;
    }
}

static gboolean
keeps_leaf(const KilnCpuid *cpuid, const KilnCpuOptions *options, uint32_t leaf)
{
    if ((leaf & 0xffffff00) == KVM_FIRST)
        return !options->kvm_hidden;
    if (!options->pmu && (leaf == 0xa || leaf == 0x80000022 || leaf == 0x23))
        return FALSE;
    if (leaf == SVM_LEAF)
        return kiln_cpu_set_has(&cpuid->features, KILN_CPU_SVM);
    return cpuid->model == NULL || model_keeps_leaf(&cpuid->features, leaf);
}

/* Registers that hold nothing but features: of a named model, bits that have no name are off. */
static void
clear_feature_registers(KilnCpuid *cpuid)
{
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++) {
        const KilnCpuFeature *feature = kiln_cpu_feature(i);
        struct kvm_cpuid_entry2 *entry;

        if (feature->msr != 0 || feature->leaf == 0x12 || feature->leaf == KVM_LEAF)
            continue;
        entry = kiln_cpuid_entry(cpuid->table, feature->leaf, feature->subleaf);
        if (entry != NULL)
            *kiln_cpuid_register(entry, feature->reg) = 0;
    }
}

/* Of AMD's CPUs those with threads have TOPOEXT, and a guest that does not find it takes threads
 * for cores.  It stands for leaves that are Kiln's own work, so the host's CPU need not have it. */
static void
choose_topoext(KilnCpuid *cpuid, const KilnCpuOptions *options)
{
    if (!kiln_cpuid_table_is_amd(cpuid->table) || options->topology.threads <= 1)
        return;
    for (guint i = 0; i < options->n_features; i++)
        if (kiln_cpu_feature_find(options->features[i].name) == KILN_CPU_TOPOEXT)
            return; /* the definition's word stands */
    kiln_cpu_set_put(&cpuid->features, KILN_CPU_TOPOEXT, TRUE);
}

static void
write_features(KilnCpuid *cpuid)
{
    struct kvm_cpuid_entry2 *leaf1, *extended;

    for (int i = 0; i < KILN_CPU_N_FEATURES; i++) {
        const KilnCpuFeature *feature = kiln_cpu_feature(i);
        gboolean on = kiln_cpu_set_has(&cpuid->features, i);
        struct kvm_cpuid_entry2 *entry;
        uint32_t *value;

        if (feature->msr != 0)
            continue;
        entry = on ? kiln_cpuid_table_add(cpuid->table, feature->leaf, feature->subleaf)
                   : kiln_cpuid_entry(cpuid->table, feature->leaf, feature->subleaf);
        if (entry == NULL)
            continue;
        value = kiln_cpuid_register(entry, feature->reg);
        *value = on ? *value | 1u << feature->bit : *value & ~(1u << feature->bit);
    }
    /* AMD repeats some bits of leaf 1 (APM vol. 3, "Fn8000_0001_EDX"). */
    leaf1 = kiln_cpuid_entry(cpuid->table, 1, 0);
    extended = kiln_cpuid_entry(cpuid->table, 0x80000001, 0);
    if (leaf1 != NULL && extended != NULL) {
        extended->edx &= ~0x0183f3ffu;
        if (kiln_cpuid_table_is_amd(cpuid->table))
            extended->edx |= leaf1->edx & 0x0183f3ff;
    }
}

/* Leaf 5 tells of MONITOR, leaf 6 of temperatures and power but for ARAT. */
static void
limit_power_leaves(KilnCpuid *cpuid)
{
    struct kvm_cpuid_entry2 *monitor = kiln_cpuid_entry(cpuid->table, 5, 0);
    struct kvm_cpuid_entry2 *power = kiln_cpuid_entry(cpuid->table, 6, 0);

    if (monitor != NULL && !kiln_cpu_set_has(&cpuid->features, KILN_CPU_MONITOR))
        monitor->eax = monitor->ebx = monitor->ecx = monitor->edx = 0;
    if (power != NULL) {
        power->eax &= 1u << 2;
        power->ebx = power->ecx = power->edx = 0;
    }
}

static void
write_caches(KilnCpuid *cpuid, const KilnCpuOptions *options)
{
    KilnCpuCache cache = options->cache;

    if (cache == KILN_CPU_CACHE_DEFAULT)
        cache = cpuid->model == NULL ? KILN_CPU_CACHE_PASSTHROUGH : KILN_CPU_CACHE_EMULATE;
    /* With TOPOEXT a guest looks for its caches in that leaf and in no other. */
    if (cache == KILN_CPU_CACHE_PASSTHROUGH &&
        kiln_cpu_set_has(&cpuid->features, KILN_CPU_TOPOEXT) &&
        kiln_cpuid_entry(cpuid->table, 0x8000001d, 0) == NULL)
        cache = KILN_CPU_CACHE_EMULATE;
    if (cache != KILN_CPU_CACHE_PASSTHROUGH)
        kiln_cpuid_set_caches(cpuid->table, cache == KILN_CPU_CACHE_EMULATE);
}

static gboolean
write_identity(KilnCpuid *cpuid, const KilnCpuOptions *options, GError **error)
{
    struct kvm_cpuid_entry2 *sizes;
    guint host_bits;

    if (cpuid->model != NULL)
        kiln_cpuid_set_model(cpuid->table, cpuid->model);
    if (options->vendor_id != NULL) {
        if (strlen(options->vendor_id) != 12)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "CPU vendor_id '%s' does not have 12 characters",
                                  options->vendor_id);
        kiln_cpuid_set_vendor(cpuid->table, options->vendor_id);
    }
    sizes = kiln_cpuid_entry(cpuid->table, 0x80000008, 0);
    if (options->phys_bits == 0 || sizes == NULL)
        return TRUE;
    host_bits = sizes->eax & 0xff;
    if (options->phys_bits < 32 || options->phys_bits > host_bits)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "maxphysaddr bits '%u': the host allows 32 to %u", options->phys_bits,
                              host_bits);
    sizes->eax = (sizes->eax & ~0xffu) | options->phys_bits;
    return TRUE;
}

static gboolean
check_vendor(struct kvm_cpuid2 *supported, const KilnCpuOptions *options, GError **error)
{
    static const struct {
        const char *name;
        uint32_t ebx;
    } vendors[] = { { "Intel", 0x756e6547 }, { "AMD", 0x68747541 }, { "Hygon", 0x6f677948 } };
    const struct kvm_cpuid_entry2 *entry = kiln_cpuid_entry(supported, 0, 0);

    if (options->vendor == NULL)
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(vendors); i++)
        if (strcmp(vendors[i].name, options->vendor) == 0 && entry != NULL &&
            entry->ebx == vendors[i].ebx)
            return TRUE;
    return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                          "the host's CPU is not of the vendor '%s' that the guest's must be",
                          options->vendor);
}

/* KVM's default for MSR 0x10a is the host's value: only a difference needs to be set. */
static void
write_arch_capabilities(KilnCpuid *cpuid, uint64_t host)
{
    uint64_t value = cpuid->model == NULL ? host : 0;

    for (int i = 0; i < KILN_CPU_N_FEATURES; i++) {
        const KilnCpuFeature *feature = kiln_cpu_feature(i);
        uint64_t bit = G_GUINT64_CONSTANT(1) << feature->bit;

        if (feature->msr == KILN_CPU_MSR_ARCH_CAPABILITIES)
            value = kiln_cpu_set_has(&cpuid->features, i) ? value | bit : value & ~bit;
    }
    cpuid->arch_capabilities = value;
    cpuid->set_arch_capabilities =
        kiln_cpu_set_has(&cpuid->features, KILN_CPU_ARCH_CAPABILITIES) && value != host;
}

static void
write_frequency(KilnCpuid *cpuid, const KilnCpuOptions *options)
{
    enum { BUS_KHZ = 1000000 }; /* KVM's LAPIC timer counts nanoseconds */
    struct kvm_cpuid_entry2 *entry;

    if (options->tsc_khz == 0 || options->kvm_hidden)
        return;
    entry = kiln_cpuid_table_add(cpuid->table, KVM_FIRST + 0x10, 0);
    if (entry == NULL)
        return;
    entry->eax = options->tsc_khz;
    entry->ebx = options->bus_khz != 0 ? options->bus_khz : BUS_KHZ;
}

KilnCpuid *
kiln_cpuid_new(const struct kvm_cpuid2 *supported, const KilnCpuOptions *options, GError **error)
{
    g_autoptr(KilnCpuid) cpuid = g_new0(KilnCpuid, 1);
    KilnCpuidTable *copy = kiln_cpuid_table_new();
    KilnCpuFeatureSet host;

    cpuid->table = copy;
    cpuid->topology = options->topology;
    for (guint i = 0; i < MIN(supported->nent, KILN_CPUID_MAX_ENTRIES / 2); i++)
        copy->entries[copy->nent++] = supported->entries[i];
    kiln_cpu_features_of(copy, options->arch_capabilities, &host);
    kiln_cpu_set_put(&host, KILN_CPU_HYPERVISOR, TRUE);
    if (!check_vendor(copy, options, error) || !choose_model(cpuid, copy, &host, options, error) ||
        !choose_features(cpuid, &host, options, error))
        return NULL;

    for (guint i = copy->nent; i-- > 0;)
        if (i < copy->nent && !keeps_leaf(cpuid, options, copy->entries[i].function))
            kiln_cpuid_table_remove(cpuid->table, copy->entries[i].function);
    if (options->kvm_hidden)
        drop_leaf(&cpuid->features, KVM_LEAF);
    if (cpuid->model != NULL)
        clear_feature_registers(cpuid);
    if (!write_identity(cpuid, options, error))
        return NULL;
    choose_topoext(cpuid, options);
    write_features(cpuid);
    limit_power_leaves(cpuid);
    write_caches(cpuid, options);
    kiln_cpuid_set_topology(cpuid->table, &cpuid->topology);
    kiln_cpuid_set_xsave(cpuid->table, &cpuid->features, cpuid->model != NULL);
    write_arch_capabilities(cpuid, options->arch_capabilities);
    write_frequency(cpuid, options);
    kiln_cpuid_set_limits(cpuid->table);
    return g_steal_pointer(&cpuid);
}

void
kiln_cpuid_free(KilnCpuid *cpuid)
{
    if (cpuid == NULL)
        return;
    g_free(cpuid->table);
    g_free(cpuid);
}

const struct kvm_cpuid2 *
kiln_cpuid_for_vcpu(KilnCpuid *cpuid, guint index)
{
    kiln_cpuid_set_apic_id(cpuid->table, &cpuid->topology,
                           kiln_topology_apic_id(&cpuid->topology, index));
    return cpuid->table;
}

guint
kiln_cpuid_phys_bits(const KilnCpuid *cpuid)
{
    for (guint i = 0; i < cpuid->table->nent; i++)
        if (cpuid->table->entries[i].function == 0x80000008)
            return cpuid->table->entries[i].eax & 0xff;
    return 36; /* SDM vol. 2A: what a CPU with PAE and without that leaf has */
}

gboolean
kiln_cpuid_arch_capabilities(const KilnCpuid *cpuid, uint64_t *value)
{
    *value = cpuid->arch_capabilities;
    return cpuid->set_arch_capabilities;
}

gboolean
kiln_cpuid_has(const KilnCpuid *cpuid, const char *name)
{
    int id = kiln_cpu_feature_find(name);

    return id >= 0 && kiln_cpu_set_has(&cpuid->features, id);
}

const char *
kiln_cpuid_model(const KilnCpuid *cpuid)
{
    return cpuid->model != NULL ? cpuid->model->name : NULL;
}
