/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All that a vCPU is made of, out of KVM and into it again, as a table of fields.
 *
 *   stopped vCPU -> kiln_vcpu_save() -> stream -> fresh VM -> kiln_vcpu_load() of every vCPU
 *     -> kiln_vm_load() -> run
 */
#ifndef KILN_KVM_VCPU_STATE_H
#define KILN_KVM_VCPU_STATE_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "kvm/msr.h"
#include "kvm/vcpu.h"
#include "state/state.h"

enum { KILN_VCPU_XSAVE_MAX = 64 * 1024 }; /* bytes; AMX takes it to 11 KiB */

typedef struct {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debugregs;
    struct kvm_lapic_state lapic;
    uint64_t xcr0;       /* 0: the guest has no XSAVE */
    uint32_t mp_state;   /* KVM_MP_STATE_ */
    uint32_t tsc_khz;    /* 0: unknown */
    uint8_t *xsave;      /* (owned) */
    uint32_t xsave_size; /* bytes */
    uint32_t n_msrs;
    uint32_t msr_indices[KILN_MSR_MAX];
    uint64_t msr_values[KILN_MSR_MAX];
} KilnVcpuState;

extern const KilnStateDescription kiln_vcpu_state;

KilnVcpuState *kiln_vcpu_state_new(void);
void kiln_vcpu_state_free(KilnVcpuState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVcpuState, kiln_vcpu_state_free)

/**
 * kiln_vcpu_save:
 *
 * Fills @state.  While @vcpu does not run and no instruction is half done: its last
 * kiln_vcpu_run() returned KILN_VCPU_KICKED, or it never ran.
 */
gboolean kiln_vcpu_save(KilnVcpu *vcpu, KilnVcpuState *state, GError **error);

/**
 * kiln_vcpu_load:
 *
 * Puts @state into @vcpu, whose CPUID is set already and is that of the vCPU that was saved.
 *
 * Returns: FALSE with @error set, if KVM refuses something: a stream from a stranger, or from a
 *   host whose CPU or kernel can do more.
 */
gboolean kiln_vcpu_load(KilnVcpu *vcpu, const KilnVcpuState *state, GError **error);

#endif
