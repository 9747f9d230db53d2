/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU features by libvirt's and QEMU's names, and the CPUID bit that each is. */
#ifndef KILN_KVM_CPU_FEATURES_H
#define KILN_KVM_CPU_FEATURES_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

typedef enum { KILN_CPUID_EAX, KILN_CPUID_EBX, KILN_CPUID_ECX, KILN_CPUID_EDX } KilnCpuidRegister;

typedef struct {
    const char *name;  /* libvirt's */
    const char *alias; /* (nullable): QEMU's, where it differs */
    uint32_t leaf;
    uint32_t subleaf;
    uint8_t reg; /* a KilnCpuidRegister */
    uint8_t bit;
} KilnCpuFeature;

/**
 * kiln_cpu_features:
 * @n_features: (out): how many
 *
 * Returns: (transfer none): the table, sorted by leaf, register and bit.
 */
const KilnCpuFeature *kiln_cpu_features(guint *n_features);

/* The feature called @name by libvirt or QEMU, or NULL. */
const KilnCpuFeature *kiln_cpu_feature_find(const char *name);

/* Whether a leaf of @cpuid has @feature; FALSE if it has no such leaf. */
gboolean kiln_cpu_feature_in(const KilnCpuFeature *feature, const struct kvm_cpuid2 *cpuid);

/* The entry of a leaf, for subleaf 0 also if the leaf has no subleaves; NULL if there is none. */
struct kvm_cpuid_entry2 *kiln_cpuid_entry(struct kvm_cpuid2 *cpuid, uint32_t leaf,
                                          uint32_t subleaf);

/* The register of @entry that @reg names. */
uint32_t *kiln_cpuid_register(struct kvm_cpuid_entry2 *entry, KilnCpuidRegister reg);

#endif
