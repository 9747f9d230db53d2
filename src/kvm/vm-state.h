/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What KVM keeps for a VM as a whole: PICs, IOAPIC, PIT and the clock, as a table of fields. */
#ifndef KILN_KVM_VM_STATE_H
#define KILN_KVM_VM_STATE_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "kvm/vm.h"
#include "state/state.h"

typedef struct {
    struct kvm_pic_state pic[2]; /* master, slave */
    uint64_t ioapic_base;
    uint32_t ioapic_select;
    uint32_t ioapic_id;
    uint32_t ioapic_irr;
    uint64_t ioapic_redirection[KVM_IOAPIC_NUM_PINS];
    struct kvm_pit_state2 pit;
    uint64_t clock; /* nanoseconds of kvmclock */
} KilnVmState;

extern const KilnStateDescription kiln_vm_state;

/* Fills @state, while no vCPU runs. */
gboolean kiln_vm_save(KilnVm *vm, KilnVmState *state, GError **error);

/* Puts @state into @vm, after every vCPU was loaded: a pending interrupt goes to their LAPICs. */
gboolean kiln_vm_load(KilnVm *vm, const KilnVmState *state, GError **error);

#endif
