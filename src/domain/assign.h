/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of kiln_domain_assign() that have files of their own. */
#ifndef KILN_DOMAIN_ASSIGN_H
#define KILN_DOMAIN_ASSIGN_H

#include "domain/domain.h"

/**
 * kiln_assign_controllers:
 *
 * Numbers the controllers of each type, and adds the PCIe root.
 */
void kiln_assign_controllers(KilnDomain *domain, KilnFaults *faults);

/**
 * kiln_assign_pci:
 *
 * Gives a slot to every PCI device that has none, each behind a root port of its own, as libvirt
 * does for q35; root ports are added as needed, eight to a slot of the root bus from 00:02 on.
 */
void kiln_assign_pci(KilnDomain *domain, KilnFaults *faults);

#endif
