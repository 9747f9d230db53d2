/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Model-specific registers of a vCPU: which are saved, and what a reset puts into them. */
#ifndef KILN_KVM_MSR_H
#define KILN_KVM_MSR_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "kvm/kvm.h"

enum { KILN_MSR_MAX = 384 }; /* more than KVM_GET_MSR_INDEX_LIST gives: 6.18 has some 170 */

/**
 * kiln_msr_list:
 * @indices: (out caller-allocates): KILN_MSR_MAX of them
 *
 * Returns: how many MSRs KVM lets be read and written, less those that are no state of the guest;
 *   -1 with @error set.
 */
int kiln_msr_list(const KilnKvm *kvm, uint32_t *indices, GError **error);

/**
 * kiln_msr_read:
 * @entries: .index is set; .data becomes the value
 *
 * An MSR that this vCPU does not have (its CPUID does not say so) is taken out of @entries.
 *
 * Returns: how many are left; -1 with @error set.
 */
int kiln_msr_read(int vcpu_fd, struct kvm_msr_entry *entries, guint n, GError **error);

/**
 * kiln_msr_write:
 *
 * An MSR that cannot be written is an error if @strict and its value is not 0.
 */
gboolean kiln_msr_write(int vcpu_fd, const struct kvm_msr_entry *entries, guint n, gboolean strict,
                        GError **error);

/* Puts into the MSRs of a new vCPU what a CPU has after power-on, where KVM has something else. */
gboolean kiln_msr_power_on(int vcpu_fd, GError **error);

/* Sets IA32_MTRR_DEF_TYPE: memory type, and whether there are MTRRs (SDM vol. 3A, "MTRRs"). */
gboolean kiln_msr_set_memory_type(int vcpu_fd, uint64_t mtrr_default, GError **error);

/* Puts into the MSRs that guests set what they have after reset; the TSC goes on counting. */
gboolean kiln_msr_reset(int vcpu_fd, GError **error);

#endif
