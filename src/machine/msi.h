/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the buses' eventfds are to KVM: messages are irqfds, doorbells are ioeventfds. */
#ifndef KILN_MACHINE_MSI_H
#define KILN_MACHINE_MSI_H

#include "bus/doorbell.h"
#include "bus/msi.h"
#include "kvm/vm.h"

typedef struct KilnMachineMsi KilnMachineMsi;

/**
 * kiln_machine_msi_new:
 * @vm: must outlive it
 *
 * Asks KVM for what it can do, so that vCPU threads need not.
 *
 * Returns: (transfer full): never NULL; whatever it is used for may come from any thread.
 */
KilnMachineMsi *kiln_machine_msi_new(KilnVm *vm);

/* (nullable); all functions are disconnected. */
void kiln_machine_msi_free(KilnMachineMsi *msi);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnMachineMsi, kiln_machine_msi_free)

/* For the options of the PCI host. */
KilnMsi kiln_machine_msi_wires(KilnMachineMsi *msi);

/* For the options of devices that have queues. */
KilnDoorbells kiln_machine_msi_doorbells(KilnMachineMsi *msi);

/* How often KVM was given a routing table: each waits for a grace period of the host. */
guint kiln_machine_msi_commits(KilnMachineMsi *msi);

#endif
