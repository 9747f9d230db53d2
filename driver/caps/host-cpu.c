/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps/host-cpu.h"

#include <cpuid.h>
#include <string.h>

#include "base/error.h"
#include "kvm/kvm.h"

static struct kvm_cpuid2 *test_own, *test_supported; /* (owned) (nullable) */
static guint test_max_vcpus;
static gboolean testing;
static KilnHostCpuid *own;       /* (owned) (nullable) */
static KilnHostKvm *host_of_kvm; /* (owned) (nullable) */

/* ---- Identity -------------------------------------------------------------------------------- */

const char *
kiln_cpu_vendor_name(const char *id)
{
    static const struct {
        const char *id, *name;
    } vendors[] = { { "GenuineIntel", "Intel" },
                    { "AuthenticAMD", "AMD" },
                    { "HygonGenuine", "Hygon" } };

    for (gsize i = 0; i < G_N_ELEMENTS(vendors); i++)
        if (strncmp(vendors[i].id, id, 12) == 0)
            return vendors[i].name;
    return NULL;
}

static gboolean
is_allowed(const KilnCpuModel *model, const char *vendor, const char *const *allowed)
{
    if (allowed != NULL && !g_strv_contains(allowed, model->name))
        return FALSE;
    return model->vendor == NULL || g_strcmp0(kiln_cpu_vendor_name(model->vendor), vendor) == 0;
}

static gboolean
has_signature(const KilnCpuModel *model, guint family, guint number)
{
    if (family == 0 || model->family != family)
        return FALSE;
    for (const uint8_t *also = model->also_models; also != NULL && *also != 0; also++)
        if (*also == number)
            return TRUE;
    return model->model == number;
}

/* How many of @features @model has; -1 if it has others too. */
static int
covers(const KilnCpuModel *model, const KilnCpuFeatureSet *features)
{
    KilnCpuFeatureSet set;
    int n = 0;

    kiln_cpu_model_features(model, &set);
    for (gsize i = 0; i < G_N_ELEMENTS(set.words); i++) {
        if ((set.words[i] & ~features->words[i]) != 0)
            return -1;
        n += __builtin_popcountll(set.words[i]);
    }
    return n;
}

const KilnCpuModel *
kiln_cpu_nearest(const char *vendor, guint family, guint number, const KilnCpuFeatureSet *features,
                 const char *const *allowed)
{
    enum { SIGNATURE = KILN_CPU_N_FEATURES };
    guint n;
    const KilnCpuModel *models = kiln_cpu_models(&n), *best = NULL;
    int best_score = -1;

    for (guint i = 0; i < n; i++) {
        int score = is_allowed(&models[i], vendor, allowed) ? covers(&models[i], features) : -1;

        if (score < 0)
            continue;
        /* Models of a vendor stand above those of none, which are of emulators. */
        score += models[i].vendor != NULL ? SIGNATURE : 0;
        score += has_signature(&models[i], family, number) ? SIGNATURE : 0;
        if (score >= best_score) {
            best_score = score;
            best = &models[i];
        }
    }
    return best;
}

/* AMD64 APM vol. 3 "Fn0000_0001_EAX", SDM vol. 2A "CPUID", ed. 081 */
static void
read_signature(KilnHostCpuid *host, uint32_t eax)
{
    guint family = eax >> 8 & 15;

    host->family = family + (family == 15 ? eax >> 20 & 255 : 0);
    host->model = (eax >> 4 & 15) | (family == 6 || family == 15 ? (eax >> 16 & 15) << 4 : 0);
    host->stepping = eax & 15;
}

static void
identify(KilnHostCpuid *host, struct kvm_cpuid2 *table, uint64_t arch_capabilities)
{
    const struct kvm_cpuid_entry2 *vendor = kiln_cpuid_entry(table, 0, 0);
    const struct kvm_cpuid_entry2 *leaf1 = kiln_cpuid_entry(table, 1, 0);
    const struct kvm_cpuid_entry2 *sizes = kiln_cpuid_entry(table, 0x80000008, 0);
    char id[13] = "";

    if (vendor != NULL) {
        memcpy(id, &vendor->ebx, 4);
        memcpy(id + 4, &vendor->edx, 4);
        memcpy(id + 8, &vendor->ecx, 4);
    }
    host->vendor = kiln_cpu_vendor_name(id);
    read_signature(host, leaf1 != NULL ? leaf1->eax : 0);
    host->phys_bits = sizes != NULL ? sizes->eax & 0xff : 0;
    kiln_cpu_features_of(table, arch_capabilities, &host->features);
    host->nearest =
        kiln_cpu_nearest(host->vendor, host->family, host->model, &host->features, NULL);
}

/* ---- What the CPU says ----------------------------------------------------------------------- */

static void
add_leaf(struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf)
{
    struct kvm_cpuid_entry2 *entry = &table->entries[table->nent];

    if (__get_cpuid_max(leaf & 0x80000000, NULL) < leaf)
        return;
    *entry = (struct kvm_cpuid_entry2){ .function = leaf,
                                        .index = subleaf,
                                        .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
    __cpuid_count(leaf, subleaf, entry->eax, entry->ebx, entry->ecx, entry->edx);
    table->nent++;
}

/* The leaves that have features, and those of the identity. */
static struct kvm_cpuid2 *
ask_cpu(void)
{
    enum { MAX_LEAVES = KILN_CPU_N_FEATURES + 4, KVM_LEAF = 0x40000001 };
    struct kvm_cpuid2 *table =
        g_malloc0(sizeof *table + MAX_LEAVES * sizeof(struct kvm_cpuid_entry2));

    add_leaf(table, 0, 0);
    add_leaf(table, 1, 0);
    add_leaf(table, 0x80000008, 0);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++) {
        const KilnCpuFeature *feature = kiln_cpu_feature(i);

        if (feature->msr == 0 && feature->leaf != KVM_LEAF &&
            kiln_cpuid_entry(table, feature->leaf, feature->subleaf) == NULL)
            add_leaf(table, feature->leaf, feature->subleaf);
    }
    return table;
}

const KilnHostCpuid *
kiln_host_cpuid(void)
{
    if (own == NULL) {
        g_autofree struct kvm_cpuid2 *table = test_own != NULL ? NULL : ask_cpu();

        own = g_new0(KilnHostCpuid, 1);
        identify(own, test_own != NULL ? test_own : table, 0);
    }
    return own;
}

/* ---- What KVM gives -------------------------------------------------------------------------- */

static gboolean
is_usable(const KilnHostKvm *kvm, const KilnCpuModel *model)
{
    const KilnCpuOptions options = { .mode = KILN_CPU_CUSTOM,
                                     .model = model->name,
                                     .arch_capabilities = kvm->arch_capabilities,
                                     .topology = { 1, 1, 1, 1 } };
    g_autoptr(KilnCpuid) cpuid = kiln_cpuid_new(kvm->supported, &options, NULL);

    return cpuid != NULL;
}

static KilnHostKvm *
kvm_new(struct kvm_cpuid2 *supported, guint max_vcpus, uint64_t arch_capabilities)
{
    KilnHostKvm *kvm = g_new0(KilnHostKvm, 1);
    guint n;
    const KilnCpuModel *models = kiln_cpu_models(&n);

    kvm->supported = supported;
    kvm->max_vcpus = max_vcpus;
    kvm->arch_capabilities = arch_capabilities;
    identify(&kvm->identity, supported, arch_capabilities);
    kvm->usable = g_new0(gboolean, n);
    for (guint i = 0; i < n; i++)
        kvm->usable[i] = is_usable(kvm, &models[i]);
    return kvm;
}

static void
kvm_free(KilnHostKvm *kvm)
{
    if (kvm == NULL)
        return;
    g_free(kvm->supported);
    g_free(kvm->usable);
    g_free(kvm);
}

static gpointer
copy_table(const struct kvm_cpuid2 *table)
{
    return table != NULL
               ? g_memdup2(table, sizeof *table + table->nent * sizeof(struct kvm_cpuid_entry2))
               : NULL;
}

const KilnHostKvm *
kiln_host_kvm(GError **error)
{
    g_autoptr(KilnKvm) kvm = NULL;
    struct kvm_cpuid2 *supported;

    if (host_of_kvm != NULL)
        return host_of_kvm;
    if (testing && test_supported != NULL)
        return host_of_kvm = kvm_new(copy_table(test_supported), test_max_vcpus, 0);
    if (testing) {
        g_set_error_literal(error, KILN_ERROR, KILN_ERROR_KVM, "cannot open '/dev/kvm'");
        return NULL;
    }
    kvm = kiln_kvm_open(error);
    supported = kvm != NULL ? kiln_kvm_supported_cpuid(kvm, error) : NULL;
    if (supported == NULL)
        return NULL;
    return host_of_kvm =
               kvm_new(supported, kiln_kvm_max_vcpus(kvm), kiln_kvm_arch_capabilities(kvm));
}

void
kiln_host_cpu_set(const struct kvm_cpuid2 *table, const struct kvm_cpuid2 *supported,
                  guint max_vcpus)
{
    g_free(test_own);
    g_free(test_supported);
    test_own = copy_table(table);
    test_supported = copy_table(supported);
    test_max_vcpus = max_vcpus;
    testing = table != NULL || supported != NULL;
    g_clear_pointer(&own, g_free);
    g_clear_pointer(&host_of_kvm, kvm_free);
}
