/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPUID leaves that are more than feature bits: identity, topology, caches, XSAVE. */
#ifndef KILN_KVM_CPUID_LEAVES_H
#define KILN_KVM_CPUID_LEAVES_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "kvm/cpu-features.h"
#include "kvm/cpu-models.h"
#include "kvm/topology.h"

enum { KILN_CPUID_MAX_ENTRIES = 256 };

/* A table that entries can be added to: one of kiln_cpuid_table_new(). */
typedef struct kvm_cpuid2 KilnCpuidTable;

/* An empty table with room for KILN_CPUID_MAX_ENTRIES; freed with g_free(). */
KilnCpuidTable *kiln_cpuid_table_new(void);

/* The entry of leaf and subleaf, added with zeroes if there is none; NULL if the table is full. */
struct kvm_cpuid_entry2 *kiln_cpuid_table_add(KilnCpuidTable *table, uint32_t leaf,
                                              uint32_t subleaf);

/* Takes out every entry of @leaf. */
void kiln_cpuid_table_remove(KilnCpuidTable *table, uint32_t leaf);

/* Whether the table's vendor is AMD or Hygon. */
gboolean kiln_cpuid_table_is_amd(KilnCpuidTable *table);

/* Vendor (12 characters), signature and brand of @model; what a model leaves open stays the host's.
 */
void kiln_cpuid_set_model(KilnCpuidTable *table, const KilnCpuModel *model);
void kiln_cpuid_set_vendor(KilnCpuidTable *table, const char *vendor);

/* Leaves 1, 4, 0xb, 0x1f, 0x80000008, 0x8000001d, 0x8000001e as far as all vCPUs have them alike.
 */
void kiln_cpuid_set_topology(KilnCpuidTable *table, const KilnCpuTopology *topology);

/* What differs from vCPU to vCPU. */
void kiln_cpuid_set_apic_id(KilnCpuidTable *table, const KilnCpuTopology *topology,
                            uint32_t apic_id);

/* Caches of a common size, or none; kiln_cpuid_set_topology() comes after and says who shares them.
 */
void kiln_cpuid_set_caches(KilnCpuidTable *table, gboolean any);

/* Leaf 0xd for the components that @features need; @strict leaves out those it does not know. */
void kiln_cpuid_set_xsave(KilnCpuidTable *table, const KilnCpuFeatureSet *features,
                          gboolean strict);

/* Leaf 0, 0x80000000 and 0x40000000 say what the highest leaf of their range is. */
void kiln_cpuid_set_limits(KilnCpuidTable *table);

#endif
