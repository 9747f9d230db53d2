/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What CPUID tells the guest: the definition's <cpu> on top of what KVM supports.
 *
 *   supported + options -> kiln_cpuid_new() -> per vCPU kiln_cpuid_for_vcpu() -> KVM_SET_CPUID2
 */
#ifndef KILN_KVM_CPUID_H
#define KILN_KVM_CPUID_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "kvm/topology.h"

/**
 * KilnCpuMode: libvirt's <cpu mode=…>
 * @KILN_CPU_HOST_PASSTHROUGH: the host's own identity and all that KVM can give
 * @KILN_CPU_HOST_MODEL: the nearest named model, plus and less features until it fits the host
 * @KILN_CPU_MAXIMUM: all that KVM can give
 * @KILN_CPU_CUSTOM: a named model
 */
typedef enum {
    KILN_CPU_HOST_PASSTHROUGH,
    KILN_CPU_HOST_MODEL,
    KILN_CPU_MAXIMUM,
    KILN_CPU_CUSTOM,
} KilnCpuMode;

/**
 * KilnCpuPolicy: libvirt's <feature policy=…>
 * @KILN_CPU_FORCE: on, whether or not KVM supports it
 * @KILN_CPU_REQUIRE: on; an error if KVM does not support it
 * @KILN_CPU_OPTIONAL: on if KVM supports it
 * @KILN_CPU_DISABLE: off
 * @KILN_CPU_FORBID: off; an error if the host has it
 */
typedef enum {
    KILN_CPU_FORCE,
    KILN_CPU_REQUIRE,
    KILN_CPU_OPTIONAL,
    KILN_CPU_DISABLE,
    KILN_CPU_FORBID,
} KilnCpuPolicy;

/**
 * KilnCpuCheck: libvirt's <cpu check=…>, what to do about a named model's own features that the
 *   host lacks; features named in the definition follow their policy whatever this is
 * @KILN_CPU_CHECK_FULL: an error
 * @KILN_CPU_CHECK_PARTIAL: an error too, since Kiln knows beforehand what the guest will get
 * @KILN_CPU_CHECK_NONE: left out
 */
typedef enum {
    KILN_CPU_CHECK_PARTIAL,
    KILN_CPU_CHECK_FULL,
    KILN_CPU_CHECK_NONE,
} KilnCpuCheck;

/**
 * KilnCpuMatch: libvirt's <cpu match=…>
 * @KILN_CPU_MATCH_EXACT: the model's features
 * @KILN_CPU_MATCH_MINIMUM: the model's features and all others of the host
 * @KILN_CPU_MATCH_STRICT: an error if the host has more than the model
 */
typedef enum {
    KILN_CPU_MATCH_EXACT,
    KILN_CPU_MATCH_MINIMUM,
    KILN_CPU_MATCH_STRICT,
} KilnCpuMatch;

/**
 * KilnCpuCache: libvirt's <cache mode=…>
 * @KILN_CPU_CACHE_DEFAULT: passthrough with the host's identity, else emulated
 * @KILN_CPU_CACHE_PASSTHROUGH: the host's cache leaves, shared as the topology has it
 * @KILN_CPU_CACHE_EMULATE: caches of a common size
 * @KILN_CPU_CACHE_DISABLE: none are described
 */
typedef enum {
    KILN_CPU_CACHE_DEFAULT,
    KILN_CPU_CACHE_PASSTHROUGH,
    KILN_CPU_CACHE_EMULATE,
    KILN_CPU_CACHE_DISABLE,
} KilnCpuCache;

typedef struct {
    const char *name;
    KilnCpuPolicy policy;
} KilnCpuFeatureChoice;

/**
 * KilnCpuOptions:
 *
 * All zero is host-passthrough; @topology must be filled in.
 */
typedef struct {
    KilnCpuMode mode;
    const char *model;     /* (nullable): of KILN_CPU_CUSTOM */
    gboolean no_fallback;  /* <model fallback='forbid'>: no nearest model if host-model
                              finds none by the host's signature */
    const char *vendor;    /* (nullable) <vendor>: an error unless the host's is this */
    const char *vendor_id; /* (nullable) <model vendor_id=…>: 12 characters */
    const KilnCpuFeatureChoice *features;
    guint n_features;
    KilnCpuCheck check;
    KilnCpuMatch match;
    KilnCpuCache cache;
    guint phys_bits;            /* <maxphysaddr bits=…>; 0: the host's */
    gboolean pmu;               /* <features><pmu state='on'> */
    gboolean kvm_hidden;        /* <kvm><hidden state='on'> */
    gboolean not_migratable;    /* <cpu migratable='off'>: what ties to this host, as invtsc */
    uint64_t arch_capabilities; /* the host's: kiln_kvm_arch_capabilities() */
    gboolean no_kvmclock;       /* <timer name='kvmclock' present='no'> */
    uint32_t tsc_khz;           /* the guest's TSC, for leaf 0x40000010; 0: not told */
    uint32_t bus_khz;           /* the LAPIC timer's clock in kHz; 0: 1 GHz, KVM's own */
    KilnCpuTopology topology;
} KilnCpuOptions;

typedef struct KilnCpuid KilnCpuid;

/**
 * kiln_cpuid_new:
 * @supported: kiln_kvm_supported_cpuid()
 *
 * Returns: (transfer full): what is common to all vCPUs; NULL with @error set, naming the model or
 *   the features that the host cannot give.
 */
KilnCpuid *kiln_cpuid_new(const struct kvm_cpuid2 *supported, const KilnCpuOptions *options,
                          GError **error);
void kiln_cpuid_free(KilnCpuid *cpuid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnCpuid, kiln_cpuid_free)

/**
 * kiln_cpuid_for_vcpu:
 * @index: the vCPU's number
 *
 * Returns: (transfer none): for kiln_vcpu_new(), valid until the next call with @cpuid.
 */
const struct kvm_cpuid2 *kiln_cpuid_for_vcpu(KilnCpuid *cpuid, guint index);

/* Width of the guest's physical addresses in bits. */
guint kiln_cpuid_phys_bits(const KilnCpuid *cpuid);

/**
 * kiln_cpuid_arch_capabilities:
 * @value: (out): what MSR 0x10a is to have
 *
 * Returns: whether the guest has that MSR and its value is not KVM's own default.
 */
gboolean kiln_cpuid_arch_capabilities(const KilnCpuid *cpuid, uint64_t *value);

/* Whether the guest sees the feature @name; FALSE for a name that is not known. */
gboolean kiln_cpuid_has(const KilnCpuid *cpuid, const char *name);

/**
 * kiln_cpuid_model:
 *
 * Returns: (nullable): the named model that host-model or custom came down to.
 */
const char *kiln_cpuid_model(const KilnCpuid *cpuid);

#endif
