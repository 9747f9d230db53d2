/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's CPU as libvirt names it: vendor, nearest model, features; and what of that KVM gives
 * to guests.  Asked for once, by CPUID and /dev/kvm.  Main thread.
 */
#ifndef KILN_CAPS_HOST_CPU_H
#define KILN_CAPS_HOST_CPU_H

#include <glib.h>

#include "kvm/cpu-features.h"
#include "kvm/cpu-models.h"
#include "kvm/cpuid.h"

typedef struct {
    const char *vendor; /* (nullable) "Intel", "AMD", "Hygon" */
    guint family, model, stepping;
    guint phys_bits; /* 0: not told */
    KilnCpuFeatureSet features;
    const KilnCpuModel *nearest; /* with no feature that is not there, the most of them */
} KilnHostCpuid;

/* What KVM gives to guests on this host. */
typedef struct {
    guint max_vcpus;
    uint64_t arch_capabilities;
    struct kvm_cpuid2 *supported; /* (owned) */
    KilnHostCpuid identity;
    gboolean *usable; /* (owned), by the index of kiln_cpu_models() */
} KilnHostKvm;

/**
 * kiln_host_cpuid:
 * Returns: (transfer none): what the CPU itself says.
 */
const KilnHostCpuid *kiln_host_cpuid(void);

/**
 * kiln_host_kvm:
 *
 * Returns: (transfer none): NULL with @error set (KILN_ERROR_KVM) if guests cannot run here; asked
 *   again at the next call then.
 */
const KilnHostKvm *kiln_host_kvm(GError **error);

/* Of a test: what CPUID and KVM say; NULL for @supported is a host without /dev/kvm, NULL for @own
 * the machine itself. */
void kiln_host_cpu_set(const struct kvm_cpuid2 *own, const struct kvm_cpuid2 *supported,
                       guint max_vcpus);

/* libvirt's name of the vendor with CPUID's 12 characters @id; NULL if it has none. */
const char *kiln_cpu_vendor_name(const char *id);

/**
 * kiln_cpu_nearest:
 * @vendor: (nullable): libvirt's name
 * @family, @number: of the signature; 0 if it is not known
 * @allowed: (nullable): ends in NULL: the only models to choose from
 *
 * Returns: (nullable): the model that has no feature outside @features, has most of them, and
 *   the signature, if possible.
 */
const KilnCpuModel *kiln_cpu_nearest(const char *vendor, guint family, guint number,
                                     const KilnCpuFeatureSet *features, const char *const *allowed);

#endif
