/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All vCPUs of a guest and their threads.
 *
 * A thread is in one of two places: in KVM_RUN and the bus, or parked at the barrier.  The mode
 * says where it is to be:
 *
 *   PARK   wait at the barrier          (from the start, and after halt or park)
 *   RUN    run the guest                (run)
 *   STOP   leave, the thread ends       (stop)
 *
 * No vCPU ever blocks in a device, so parking takes no longer than one access.
 */
#ifndef KILN_MACHINE_VCPU_GROUP_H
#define KILN_MACHINE_VCPU_GROUP_H

#include "base/bitmap.h"
#include "bus/space.h"
#include "kvm/cpuid.h"
#include "kvm/vcpu.h"

typedef struct KilnVcpuGroup KilnVcpuGroup;

/**
 * KilnVcpuGroupOptions:
 * @ended: a vCPU left the guest for good: reset, power-off, crash or failure (@error set; transfer
 *   full).  Called on its thread, after all vCPUs were told to park.
 * @thread_started: (nullable): called on each new thread before it runs the guest
 * @pins: (nullable): per vCPU, the host CPUs that it may use; an entry may be NULL
 */
typedef struct {
    KilnVm *vm;
    guint n_vcpus;
    KilnCpuTopology topology;
    KilnCpuid *cpuid; /* borrowed during kiln_vcpu_group_new() only */
    KilnSpace *io;
    KilnSpace *mmio;
    void (*ended)(void *opaque, KilnVcpuResult result, GError *error);
    void *opaque;
    gboolean (*thread_started)(GError **error);
    uint32_t tsc_khz; /* 0: the host's */
    KilnBitmap *const *pins;
} KilnVcpuGroupOptions;

/**
 * kiln_vcpu_group_new:
 *
 * Creates the vCPUs, with no thread yet.
 *
 * Returns: (transfer full): NULL with @error set.
 */
KilnVcpuGroup *kiln_vcpu_group_new(const KilnVcpuGroupOptions *options, GError **error);

/* Stops the threads first.  @vcpus may be NULL. */
void kiln_vcpu_group_free(KilnVcpuGroup *vcpus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVcpuGroup, kiln_vcpu_group_free)

/**
 * kiln_vcpu_group_reset:
 * @boot: how the first vCPU begins; the others wait for INIT and SIPI
 *
 * While all are parked or have no thread yet.
 */
gboolean kiln_vcpu_group_reset(KilnVcpuGroup *vcpus, const KilnVcpuStart *boot, GError **error);

/**
 * kiln_vcpu_group_start:
 *
 * Starts the threads, which park as soon as they get there.  Once.  One that cannot be set up says
 * so by @ended.
 */
gboolean kiln_vcpu_group_start(KilnVcpuGroup *vcpus, GError **error);

/* Lets all run.  Main thread. */
void kiln_vcpu_group_run(KilnVcpuGroup *vcpus);

/* Tells all to park and does not wait for it.  Any thread, with a device's lock held too. */
void kiln_vcpu_group_halt(KilnVcpuGroup *vcpus);

/* Tells all to park and returns when they are.  Main thread, no device lock held. */
void kiln_vcpu_group_park(KilnVcpuGroup *vcpus);

/* Gives all, which are parked, an NMI. */
gboolean kiln_vcpu_group_nmi(KilnVcpuGroup *vcpus, GError **error);

/* Tells all, which are parked, that time stood still for them. */
void kiln_vcpu_group_was_paused(KilnVcpuGroup *vcpus);

/* Ends and joins the threads.  Main thread, no device lock held. */
void kiln_vcpu_group_stop(KilnVcpuGroup *vcpus);

guint kiln_vcpu_group_count(const KilnVcpuGroup *vcpus);
/* The vCPU @index, below the count; owned by the group. */
KilnVcpu *kiln_vcpu_group_get(KilnVcpuGroup *vcpus, guint index);

/* The kernel's id of a vCPU's thread; 0 if it has not begun. */
pid_t kiln_vcpu_group_thread(const KilnVcpuGroup *vcpus, guint index);

/* CPU time of the vCPU's thread in ns, 0 while it has none.  Main thread. */
uint64_t kiln_vcpu_group_time(KilnVcpuGroup *vcpus, guint index);

#endif
