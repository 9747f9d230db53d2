/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /dev/kvm: opened or taken over, its version and capabilities checked against one table.
 */
#ifndef KILN_KVM_KVM_H
#define KILN_KVM_KVM_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "base/fd.h"

typedef struct KilnKvm KilnKvm;

/**
 * kiln_kvm_open:
 *
 * Opens /dev/kvm and checks that it has what Kiln needs.
 *
 * Returns: (transfer full): NULL with @error (KILN_ERROR_KVM) set, which names what is missing and
 *   what to do.
 */
KilnKvm *kiln_kvm_open(GError **error);

/**
 * kiln_kvm_new:
 * @fd: (transfer full): an open /dev/kvm, closed also on failure
 *
 * Returns: (transfer full): as kiln_kvm_open().
 */
KilnKvm *kiln_kvm_new(KilnFd fd, GError **error);
void kiln_kvm_free(KilnKvm *kvm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnKvm, kiln_kvm_free)

int kiln_kvm_fd(const KilnKvm *kvm);

/* The value of KVM_CHECK_EXTENSION for the KVM_CAP_ number @capability, 0 if it is not there. */
int kiln_kvm_capability(const KilnKvm *kvm, guint capability);

/* The most vCPUs that a VM can have, and one above the highest APIC id. */
guint kiln_kvm_max_vcpus(const KilnKvm *kvm);
guint kiln_kvm_max_vcpu_id(const KilnKvm *kvm);

/**
 * kiln_kvm_supported_cpuid:
 *
 * Returns: (transfer full): what KVM_GET_SUPPORTED_CPUID says, to be freed with g_free(); NULL with
 *   @error set.
 */
struct kvm_cpuid2 *kiln_kvm_supported_cpuid(const KilnKvm *kvm, GError **error);

/**
 * kiln_kvm_arch_capabilities:
 *
 * Returns: the value of MSR IA32_ARCH_CAPABILITIES (0x10a) that KVM can give to a guest, 0 if none.
 */
uint64_t kiln_kvm_arch_capabilities(const KilnKvm *kvm);

#endif
