/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupts and doorbells without a system call: the GSI routing table, irqfds, ioeventfds.
 *
 * GSIs 0-23 are the pins of PICs and IOAPIC, as KVM routes them from the start.  Those from 24 up
 * are messages (MSI), allocated here.  GSI n is pin n of the IOAPIC, GSI 0 of the PIT too: unlike
 * on a PC, IRQ 0 is not moved to pin 2, and the MADT has no override that says so.  KVM takes the
 * routing table whole and waits for a grace period each time, so changes are collected and sent by
 * one kiln_irq_commit().
 *
 * allocate -> set -> commit -> irqfd … -> (mask: remove irqfd, unmask: set, commit, irqfd) -> free
 */
#ifndef KILN_KVM_IRQ_H
#define KILN_KVM_IRQ_H

#include <glib.h>
#include <stdint.h>

#include "kvm/vm.h"

enum { KILN_IRQ_N_PINS = 24 };

typedef struct KilnIrqRoutes KilnIrqRoutes;

/**
 * kiln_irq_routes_new:
 * @vm: must outlive the table
 *
 * Asks KVM how many there may be, since vCPU threads cannot.  All other functions on a table may be
 * called from any thread.
 */
KilnIrqRoutes *kiln_irq_routes_new(KilnVm *vm);
void kiln_irq_routes_free(KilnIrqRoutes *routes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnIrqRoutes, kiln_irq_routes_free)

/**
 * kiln_irq_allocate:
 * Returns: a GSI for a message, not routed yet, or -1 if KVM's table is full.
 */
int kiln_irq_allocate(KilnIrqRoutes *routes);
void kiln_irq_release(KilnIrqRoutes *routes, int gsi);

/* What the GSI sends from the next commit on. */
void kiln_irq_set_msi(KilnIrqRoutes *routes, int gsi, uint64_t address, uint32_t data);

/* Gives KVM the table if it has changed. */
gboolean kiln_irq_commit(KilnIrqRoutes *routes, GError **error);

/**
 * kiln_irqfd_add:
 * @fd: an eventfd: each write to it raises @gsi
 * @resample_fd: an eventfd that KVM signals when the guest has acknowledged a level-triggered pin,
 *   or -1 for an edge
 */
gboolean kiln_irqfd_add(KilnVm *vm, guint gsi, int fd, int resample_fd, GError **error);
gboolean kiln_irqfd_remove(KilnVm *vm, guint gsi, int fd, GError **error);

/**
 * KilnIoEvent:
 *
 * A guest write that signals an eventfd instead of leaving to user space.
 */
typedef struct {
    gboolean pio; /* a port, else an address */
    uint64_t address;
    guint length;   /* bytes of the access: 1, 2, 4, 8; 0 for any */
    gboolean match; /* only writes of @value */
    uint64_t value;
} KilnIoEvent;

/* A guest's write that @event tells of adds 1 to the eventfd @fd, with no exit.  Any thread. */
gboolean kiln_ioeventfd_add(KilnVm *vm, const KilnIoEvent *event, int fd, GError **error);
gboolean kiln_ioeventfd_remove(KilnVm *vm, const KilnIoEvent *event, int fd, GError **error);

#endif
