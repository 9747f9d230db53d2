/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See features.h. */
#include "domain/features.h"

#include "domain/kept.h"

#include <string.h>

static const char *const hyperv_names[] = { NULL, "custom", "passthrough" };
static const char *const ioapic_names[] = { NULL, "qemu", "kvm" };
static const char *const msrs_names[] = { NULL, "ignore", "fault" };

static const KilnField hyperv_fields[] = {
    KILN_FIELD_ENUM(KilnHyperv, mode, "@mode", hyperv_names),
    KILN_FIELD_SWITCH(KilnHyperv, relaxed, "relaxed@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, vapic, "vapic@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, spinlocks, "spinlocks@state", ONOFF),
    KILN_FIELD_UINT(KilnHyperv, spinlock_retries, "spinlocks@retries", 0xfff, G_MAXUINT32),
    KILN_FIELD_SWITCH(KilnHyperv, vpindex, "vpindex@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, runtime, "runtime@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, synic, "synic@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, stimer, "stimer@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, stimer_direct, "stimer/direct@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, reset, "reset@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, vendor, "vendor_id@state", ONOFF),
    KILN_FIELD_STRING(KilnHyperv, vendor_id, "vendor_id@value"),
    KILN_FIELD_SWITCH(KilnHyperv, frequencies, "frequencies@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, reenlightenment, "reenlightenment@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, tlbflush, "tlbflush@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, ipi, "ipi@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, evmcs, "evmcs@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, avic, "avic@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, emsr_bitmap, "emsr_bitmap@state", ONOFF),
    KILN_FIELD_SWITCH(KilnHyperv, xmm_input, "xmm_input@state", ONOFF),
    KILN_FIELD_END,
};

static void
hyperv_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnHyperv *hyperv = object;

    if (hyperv->vendor_id != NULL &&
        (strlen(hyperv->vendor_id) > 12 || strchr(hyperv->vendor_id, ',') != NULL))
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "vendor_id", faults),
                       "value", "must be at most 12 characters without a comma");
}

static const KilnStruct hyperv_struct = { sizeof(KilnHyperv), hyperv_fields, hyperv_check };

static const KilnField kvm_fields[] = {
    KILN_FIELD_SWITCH(KilnKvmFeatures, hidden, "hidden@state", ONOFF),
    KILN_FIELD_SWITCH(KilnKvmFeatures, hint_dedicated, "hint-dedicated@state", ONOFF),
    KILN_FIELD_SWITCH(KilnKvmFeatures, poll_control, "poll-control@state", ONOFF),
    KILN_FIELD_SWITCH(KilnKvmFeatures, pv_ipi, "pv-ipi@state", ONOFF),
    KILN_FIELD_SWITCH(KilnKvmFeatures, dirty_ring, "dirty-ring@state", ONOFF),
    KILN_FIELD_UINT(KilnKvmFeatures, dirty_ring_size, "dirty-ring@size", 1024, 65536),
    KILN_FIELD_END,
};
static const KilnStruct kvm_struct = { sizeof(KilnKvmFeatures), kvm_fields, NULL };

static const char *const other_names[] = {
    "capabilities", "gic", "hpt", "htm", "nested-hv", "ccf-assist",     "cfpc", "sbbc",
    "ibs",          "tcg", "xen", "ras", "ps2",       "async-teardown", NULL,
};

static void
others_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    kiln_kept_take(member, node, other_names);
}

static const KilnFieldOps others_ops = {
    .parse = others_parse,
    .present = kiln_kept_present,
    .format = kiln_kept_format,
    .clear = kiln_kept_clear,
};

static const KilnField features_fields[] = {
    KILN_FIELD_PRESENT(KilnFeatures, acpi, "acpi"),
    KILN_FIELD_PRESENT(KilnFeatures, apic, "apic"),
    KILN_FIELD_SWITCH(KilnFeatures, apic_eoi, "apic@eoi", ONOFF),
    KILN_FIELD_PRESENT(KilnFeatures, pae, "pae"),
    KILN_FIELD_PRESENT(KilnFeatures, hap_present, "hap"),
    KILN_FIELD_SWITCH(KilnFeatures, hap, "hap@state", ONOFF),
    KILN_FIELD_PRESENT(KilnFeatures, viridian, "viridian"),
    KILN_FIELD_PRESENT(KilnFeatures, privnet, "privnet"),
    KILN_FIELD_PRESENT(KilnFeatures, hyperv_present, "hyperv"),
    KILN_FIELD_EMBED(KilnFeatures, hyperv, "hyperv", &hyperv_struct),
    KILN_FIELD_EMBED(KilnFeatures, kvm, "kvm", &kvm_struct),
    KILN_FIELD_PRESENT(KilnFeatures, pvspinlock_present, "pvspinlock"),
    KILN_FIELD_SWITCH(KilnFeatures, pvspinlock, "pvspinlock@state", ONOFF),
    KILN_FIELD_PRESENT(KilnFeatures, pmu_present, "pmu"),
    KILN_FIELD_SWITCH(KilnFeatures, pmu, "pmu@state", ONOFF),
    KILN_FIELD_PRESENT(KilnFeatures, vmport_present, "vmport"),
    KILN_FIELD_SWITCH(KilnFeatures, vmport, "vmport@state", ONOFF),
    KILN_FIELD_PRESENT(KilnFeatures, smm_present, "smm"),
    KILN_FIELD_SWITCH(KilnFeatures, smm, "smm@state", ONOFF),
    KILN_FIELD_SIZE(KilnFeatures, smm_tseg, "smm/tseg"),
    KILN_FIELD_ENUM(KilnFeatures, ioapic, "ioapic@driver", ioapic_names),
    KILN_FIELD_PRESENT(KilnFeatures, vmcoreinfo_present, "vmcoreinfo"),
    KILN_FIELD_SWITCH(KilnFeatures, vmcoreinfo, "vmcoreinfo@state", ONOFF),
    KILN_FIELD_ENUM(KilnFeatures, unknown_msrs, "msrs@unknown", msrs_names),
    KILN_FIELD_CUSTOM(KilnFeatures, others, "", &others_ops),
    KILN_FIELD_END,
};
const KilnStruct kiln_features_struct = { sizeof(KilnFeatures), features_fields, NULL };
