/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM: memory slots, in-kernel interrupt controllers (PIC, IOAPIC, LAPIC) and PIT, the clock.
 *
 * Start-up: CREATE_VM -> memory slots -> TSS and identity pages -> IRQCHIP -> PIT2.  The slots come
 * before the interrupt controllers: on one 6.18 kernel the other order cost 7.5 ms.
 */
#ifndef KILN_KVM_VM_H
#define KILN_KVM_VM_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "kvm/kvm.h"
#include "memory/memory.h"

typedef struct KilnVm KilnVm;

typedef struct {
    guint n_vcpus;        /* the most that the VM will have; 0 counts as 1 */
    uint32_t max_apic_id; /* the highest APIC id of those */
    KilnGpa hole;         /* addresses of RAM that the guest does not have there, page aligned */
    uint64_t hole_size;   /* 0: none */
} KilnVmOptions;

/**
 * kiln_vm_new:
 * @kvm: must outlive the VM
 * @memory: (nullable): its regions become slots; must outlive the VM
 *
 * Returns: (transfer full): NULL with @error set; more vCPUs than KVM allows is an error that says
 *   how many it allows.
 */
KilnVm *kiln_vm_new(KilnKvm *kvm, KilnMemory *memory, const KilnVmOptions *options, GError **error);

/* All vCPUs of @vm are freed before it. */
void kiln_vm_free(KilnVm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVm, kiln_vm_free)

int kiln_vm_fd(const KilnVm *vm);
KilnKvm *kiln_vm_kvm(const KilnVm *vm);

/**
 * kiln_vm_add_slot:
 * @host: (transfer none): page aligned; stays mapped while the slot is there
 * @flags: KVM_MEM_READONLY for flash and ROMs, else 0
 *
 * Adds memory that is not guest RAM: flash, ROMs, a device's own memory.  Any thread.
 *
 * Returns: the slot's number, or -1 with @error set.
 */
int kiln_vm_add_slot(KilnVm *vm, KilnGpa gpa, uint64_t size, void *host, uint32_t flags,
                     GError **error);
gboolean kiln_vm_remove_slot(KilnVm *vm, int slot, GError **error);

/**
 * kiln_vm_reset:
 *
 * PICs, IOAPIC and PIT are as after power-on.  No vCPU runs meanwhile.
 */
gboolean kiln_vm_reset(KilnVm *vm, GError **error);

/**
 * kiln_vm_set_hpet_legacy:
 * @on: the HPET has the interval timer's line: the timer counts, and interrupts no more
 *
 * Any thread.
 */
void kiln_vm_set_hpet_legacy(KilnVm *vm, gboolean on);

/**
 * kiln_vm_set_irq_line:
 * @gsi: 0-23, a pin of the IOAPIC (0-15 of the PICs also)
 * @level: TRUE for high
 *
 * Any thread.
 */
void kiln_vm_set_irq_line(KilnVm *vm, guint gsi, gboolean level);

/**
 * kiln_vm_signal_msi:
 *
 * Sends one message-signalled interrupt, as if written by a device.  Any thread.
 *
 * Returns: TRUE if a LAPIC took it.
 */
gboolean kiln_vm_signal_msi(KilnVm *vm, uint64_t address, uint32_t data);

/**
 * kiln_vm_get_clock:
 * @nanoseconds: (out): kvmclock's time, from the VM's creation
 *
 * For a stable value no vCPU runs meanwhile.
 */
gboolean kiln_vm_get_clock(KilnVm *vm, uint64_t *nanoseconds, GError **error);
gboolean kiln_vm_set_clock(KilnVm *vm, uint64_t nanoseconds, GError **error);

#endif
