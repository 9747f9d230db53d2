/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <features>: parts of the machine that can be there or not, and what KVM shows of itself. */
#ifndef KILN_DOMAIN_FEATURES_H
#define KILN_DOMAIN_FEATURES_H

#include "domain/fields.h"

typedef enum {
    KILN_HYPERV_MODE_ABSENT, /* custom */
    KILN_HYPERV_MODE_CUSTOM,
    KILN_HYPERV_MODE_PASSTHROUGH,
} KilnHypervMode;

typedef struct {
    KilnHypervMode mode;
    KilnSwitch relaxed, vapic, spinlocks, vpindex, runtime, synic, stimer, stimer_direct, reset;
    KilnSwitch vendor, frequencies, reenlightenment, tlbflush, ipi, evmcs, avic, emsr_bitmap;
    KilnSwitch xmm_input;
    KilnUint spinlock_retries;
    char *vendor_id; /* (owned) (nullable) at most 12 characters */
} KilnHyperv;

typedef struct {
    KilnSwitch hidden; /* on: no KVM signature in CPUID */
    KilnSwitch hint_dedicated;
    KilnSwitch poll_control;
    KilnSwitch pv_ipi;
    KilnSwitch dirty_ring;
    KilnUint dirty_ring_size;
} KilnKvmFeatures;

typedef enum {
    KILN_IOAPIC_ABSENT, /* kvm */
    KILN_IOAPIC_QEMU,
    KILN_IOAPIC_KVM,
} KilnIoapicDriver;

typedef enum {
    KILN_MSRS_ABSENT, /* fault */
    KILN_MSRS_IGNORE,
    KILN_MSRS_FAULT,
} KilnUnknownMsrs;

typedef struct {
    gboolean acpi;
    gboolean apic;
    KilnSwitch apic_eoi;
    gboolean pae;
    gboolean hap_present;
    KilnSwitch hap;
    gboolean viridian;
    gboolean privnet;
    gboolean hyperv_present;
    KilnHyperv hyperv;
    KilnKvmFeatures kvm;
    gboolean pvspinlock_present;
    KilnSwitch pvspinlock;
    gboolean pmu_present; /* <pmu/> is on */
    KilnSwitch pmu;
    gboolean vmport_present;
    KilnSwitch vmport;
    gboolean smm_present;
    KilnSwitch smm;
    KilnUint smm_tseg; /* bytes */
    KilnIoapicDriver ioapic;
    gboolean vmcoreinfo_present;
    KilnSwitch vmcoreinfo;
    KilnUnknownMsrs unknown_msrs;
    GPtrArray *others; /* (owned) (nullable) of KilnXmlNode: of other architectures, as they were */
} KilnFeatures;

extern const KilnStruct kiln_features_struct;

#endif
