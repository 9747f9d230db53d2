/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/cpu-features.h"

#include <string.h>

#define CPUID_ROW(id, text, leaf_, subleaf_, reg_, bit_)                                           \
    [KILN_CPU_##id] = {                                                                            \
        .name = text,                                                                              \
        .leaf = leaf_,                                                                             \
        .subleaf = subleaf_,                                                                       \
        .reg = KILN_CPUID_##reg_,                                                                  \
        .bit = bit_,                                                                               \
    },
#define MSR_ROW(id, text, msr_, bit_) [KILN_CPU_##id] = { .name = text, .msr = msr_, .bit = bit_ },

static const KilnCpuFeature features[KILN_CPU_N_FEATURES] = { KILN_CPU_FEATURES(CPUID_ROW,
                                                                                MSR_ROW) };

/* Where QEMU or Linux use another word. */
static const struct {
    const char *name;
    KilnCpuFeatureId id;
} aliases[] = {
    { "sse3", KILN_CPU_PNI },
    { "pclmulqdq", KILN_CPU_PCLMULDQ },
    { "cqm", KILN_CPU_CMT },
    { "xd", KILN_CPU_NX },
    { "ffxsr", KILN_CPU_FXSR_OPT },
    { "i64", KILN_CPU_LM },
    { "avx512-vbmi", KILN_CPU_AVX512VBMI },
    { "avx512-vbmi2", KILN_CPU_AVX512VBMI2 },
    { "avx512-vnni", KILN_CPU_AVX512VNNI },
    { "avx512-bitalg", KILN_CPU_AVX512BITALG },
};

const KilnCpuFeature *
kiln_cpu_feature(KilnCpuFeatureId id)
{
    return &features[id];
}

static char
plain(char c)
{
    return c == '_' || c == '.' ? '-' : c;
}

static gboolean
same_name(const char *a, const char *b)
{
    while (*a != '\0' && plain(*a) == plain(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

int
kiln_cpu_feature_find(const char *name)
{
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (same_name(features[i].name, name))
            return i;
    for (gsize i = 0; i < G_N_ELEMENTS(aliases); i++)
        if (same_name(aliases[i].name, name))
            return (int)aliases[i].id;
    return -1;
}

/* Whether @entry of the leaf is the one for @subleaf. */
static gboolean
entry_is(const struct kvm_cpuid_entry2 *entry, uint32_t leaf, uint32_t subleaf)
{
    gboolean indexed = (entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0;

    return entry->function == leaf && (!indexed || entry->index == subleaf);
}

struct kvm_cpuid_entry2 *
kiln_cpuid_entry(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t subleaf)
{
    for (guint i = 0; i < cpuid->nent; i++)
        if (entry_is(&cpuid->entries[i], leaf, subleaf))
            return &cpuid->entries[i];
    return NULL;
}

uint32_t *
kiln_cpuid_register(struct kvm_cpuid_entry2 *entry, KilnCpuidRegister reg)
{
    switch (reg) {
    case KILN_CPUID_EAX: return &entry->eax;
    case KILN_CPUID_EBX: return &entry->ebx;
    case KILN_CPUID_ECX: return &entry->ecx;
    case KILN_CPUID_EDX: break;
    }
    return &entry->edx;
}

/* The table is sorted by leaf, so that each entry is looked for once. */
void
kiln_cpu_features_of(const struct kvm_cpuid2 *cpuid, uint64_t arch_capabilities,
                     KilnCpuFeatureSet *set)
{
    const KilnCpuFeature *last = NULL;
    struct kvm_cpuid_entry2 found = { 0 };

    memset(set, 0, sizeof *set);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++) {
        const KilnCpuFeature *feature = &features[i];

        if (feature->msr != 0) {
            kiln_cpu_set_put(set, i,
                             feature->msr == KILN_CPU_MSR_ARCH_CAPABILITIES &&
                                 (arch_capabilities >> feature->bit & 1) != 0);
            continue;
        }
        if (last == NULL || last->leaf != feature->leaf || last->subleaf != feature->subleaf) {
            found = (struct kvm_cpuid_entry2){ 0 };
            for (guint n = 0; n < cpuid->nent; n++)
                if (entry_is(&cpuid->entries[n], feature->leaf, feature->subleaf))
                    found = cpuid->entries[n];
        }
        last = feature;
        kiln_cpu_set_put(set, i, (*kiln_cpuid_register(&found, feature->reg) >> feature->bit & 1));
    }
}
