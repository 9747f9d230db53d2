/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vCPU: created by anyone, run by one thread, kicked out of the guest by any.
 *
 *   KVM_RUN -> exit -> op of KilnVcpuOps -> KVM_RUN …
 *
 * Kicking loses no wake-up and needs no signal mask tricks.  kick: `kicked` = 1, then
 * `immediate_exit` = 1 in the page shared with KVM, then a signal to the thread.  If the thread is
 * in KVM_RUN the signal ends it; if it is about to call, KVM sees immediate_exit, finishes the I/O
 * instruction under way and returns.  The thread clears immediate_exit, then takes `kicked`: a kick
 * in between is either taken now (and a later KVM_RUN returns once for nothing) or sets
 * immediate_exit after it was cleared.  So at KILN_VCPU_KICKED no instruction is half done, and the
 * state can be saved.
 */
#ifndef KILN_KVM_VCPU_H
#define KILN_KVM_VCPU_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "kvm/vm.h"

/**
 * KilnVcpuResult:
 * @KILN_VCPU_CONTINUE: an exit was handled; run again
 * @KILN_VCPU_KICKED: kiln_vcpu_kick() was called since the last time this was returned
 * @KILN_VCPU_RESET: triple fault, or the guest asked the kernel side for a reset
 * @KILN_VCPU_SHUTDOWN: the guest asked the kernel side for power-off
 * @KILN_VCPU_CRASHED: the guest reported a crash to the kernel side
 * @KILN_VCPU_ERROR: the vCPU cannot go on; the error says why
 */
typedef enum {
    KILN_VCPU_CONTINUE,
    KILN_VCPU_KICKED,
    KILN_VCPU_RESET,
    KILN_VCPU_SHUTDOWN,
    KILN_VCPU_CRASHED,
    KILN_VCPU_ERROR,
} KilnVcpuResult;

/**
 * KilnVcpuOps:
 *
 * Called on the vCPU's thread for each access that no memory slot and no ioeventfd takes.  @size is
 * 1, 2 or 4 bytes for ports, 1 to 8 (any) for memory; values are little-endian numbers.  String
 * I/O calls once an element.  All are mandatory.
 */
typedef struct {
    uint32_t (*pio_read)(void *opaque, uint16_t port, guint size);
    void (*pio_write)(void *opaque, uint16_t port, guint size, uint32_t value);
    uint64_t (*mmio_read)(void *opaque, KilnGpa gpa, guint size);
    void (*mmio_write)(void *opaque, KilnGpa gpa, guint size, uint64_t value);
} KilnVcpuOps;

/* What a vCPU came out of the guest for, counted since it was created. */
typedef enum {
    KILN_VCPU_EXIT_PIO,
    KILN_VCPU_EXIT_MMIO,
    KILN_VCPU_EXIT_INTERRUPTED, /* signals and kicks */
    KILN_VCPU_EXIT_EOI,
    KILN_VCPU_EXIT_HALT,
    KILN_VCPU_EXIT_SYSTEM, /* system events, triple faults */
    KILN_VCPU_EXIT_OTHER,
    KILN_VCPU_N_EXITS,
} KilnVcpuExit;

typedef struct {
    guint index;                    /* the vCPU's number in the guest, for messages */
    uint32_t apic_id;               /* kiln_topology_apic_id(); KVM's vCPU id */
    const struct kvm_cpuid2 *cpuid; /* (nullable): kiln_cpuid_for_vcpu(); copied */
    gboolean set_arch_capabilities; /* kiln_cpuid_arch_capabilities() */
    uint64_t arch_capabilities;
    uint32_t tsc_khz; /* the guest's TSC frequency; 0: the host's */
    const KilnVcpuOps *ops;
    void *opaque; /* for @ops */
} KilnVcpuOptions;

/**
 * KilnVcpuMode:
 * @KILN_VCPU_START_RESET: the reset vector, in real mode (SDM vol. 3A, "Processor State After
 *   Reset", ed. 081); registers of KilnVcpuStart are ignored
 * @KILN_VCPU_START_WAIT: as that, but waits for INIT and SIPI: every vCPU but the first
 * @KILN_VCPU_START_PROTECTED32: 32-bit protected mode, flat segments, no paging: PVH, multiboot
 * @KILN_VCPU_START_LONG64: 64-bit mode on the page tables at @cr3: Linux boot protocol
 */
typedef enum {
    KILN_VCPU_START_RESET,
    KILN_VCPU_START_WAIT,
    KILN_VCPU_START_PROTECTED32,
    KILN_VCPU_START_LONG64,
} KilnVcpuMode;

/* How a vCPU begins.  CS is selector 0x10 and DS, ES, FS, GS, SS 0x18, of a GDT that the guest's
 * memory holds if the guest is to reload them. */
typedef struct {
    KilnVcpuMode mode;
    uint64_t rip;
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    KilnGpa cr3;        /* 4-level page tables, LONG64 only */
    KilnGpa gdt;        /* address and limit of the GDT; 0 and 0: none */
    uint16_t gdt_limit; /* bytes less 1 */
    uint64_t
        mtrr_default; /* IA32_MTRR_DEF_TYPE, in every mode: what firmware would leave; 0: off */
} KilnVcpuStart;

/* All memory is write-back and the MTRRs are in use, as firmware leaves it: else Linux before 6.2
 * does without the PAT, too. */
#define KILN_VCPU_MTRR_WRITE_BACK UINT64_C(0x806)

typedef struct KilnVcpu KilnVcpu;

/**
 * kiln_vcpu_new:
 * @vm: must outlive the vCPU
 *
 * Returns: (transfer full): a vCPU in the state after power-on, or NULL with @error set.
 */
KilnVcpu *kiln_vcpu_new(KilnVm *vm, const KilnVcpuOptions *options, GError **error);
void kiln_vcpu_free(KilnVcpu *vcpu);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVcpu, kiln_vcpu_free)

guint kiln_vcpu_index(const KilnVcpu *vcpu);
uint32_t kiln_vcpu_apic_id(const KilnVcpu *vcpu);
int kiln_vcpu_fd(const KilnVcpu *vcpu);
KilnVm *kiln_vcpu_vm(const KilnVcpu *vcpu);

/**
 * kiln_vcpu_start:
 *
 * Sets the registers for @start: at first and again after a reset.  All that a reset clears is
 * cleared: LAPIC, FPU, debug registers, pending events, MSRs that boot code relies on.  The vCPU's
 * thread, or any thread while none runs it.
 */
gboolean kiln_vcpu_start(KilnVcpu *vcpu, const KilnVcpuStart *start, GError **error);

/* State was put into @vcpu by other means: the next start has things to clear. */
void kiln_vcpu_set_used(KilnVcpu *vcpu);

/**
 * kiln_vcpu_attach:
 *
 * The calling thread is the one that runs @vcpu from now on: kicks are sent to it, and it lets the
 * kick signal through.  Detach before the thread ends.
 */
void kiln_vcpu_attach(KilnVcpu *vcpu);
void kiln_vcpu_detach(KilnVcpu *vcpu);

/**
 * kiln_vcpu_run:
 * @error: set at KILN_VCPU_ERROR only
 *
 * Lets the guest run until one exit is handled.  Attached thread only.
 */
KilnVcpuResult kiln_vcpu_run(KilnVcpu *vcpu, GError **error);

/**
 * kiln_vcpu_kick:
 *
 * Makes kiln_vcpu_run() return KILN_VCPU_KICKED soon, at once if it is not running.  Any thread;
 * also the vCPU's own, from an op.
 */
void kiln_vcpu_kick(KilnVcpu *vcpu);

/* The signal that kicks are made of: not to be blocked in vCPU threads, nor used for aught else. */
int kiln_vcpu_kick_signal(void);

/**
 * kiln_vcpu_was_paused:
 *
 * Tells a guest that uses kvmclock that it was stopped, so that its lockup detectors hold still.
 * While the vCPU does not run.
 */
void kiln_vcpu_was_paused(KilnVcpu *vcpu);

/* Injects a non-maskable interrupt.  Any thread. */
gboolean kiln_vcpu_nmi(KilnVcpu *vcpu, GError **error);

/* Exits of one kind so far.  Any thread; never blocks. */
uint64_t kiln_vcpu_exits(const KilnVcpu *vcpu, KilnVcpuExit kind);

/* The name of a kind of exit in statistics: "pio", "mmio", … */
const char *kiln_vcpu_exit_name(KilnVcpuExit kind);

#endif
