/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The states in which a vCPU begins: after power-on, and at the entry points of boot protocols. */
#ifndef KILN_KVM_VCPU_START_H
#define KILN_KVM_VCPU_START_H

#include <glib.h>
#include <stdint.h>

#include "kvm/vcpu.h"

/**
 * kiln_vcpu_power_on:
 *
 * Clears what a vCPU has gathered since it was created, but for its registers, which
 * kiln_vcpu_set_start() sets: special registers, FPU, MSRs, LAPIC, pending events.
 */
gboolean kiln_vcpu_power_on(KilnVcpu *vcpu, GError **error);

/**
 * kiln_vcpu_set_start:
 * @signature: CPUID 1 EAX, for EDX at the reset vector
 *
 * Sets the registers of a vCPU whose state is that after power-on.
 */
gboolean kiln_vcpu_set_start(KilnVcpu *vcpu, const KilnVcpuStart *start, uint32_t signature,
                             GError **error);

#endif
