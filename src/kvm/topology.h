/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sockets, dies, cores, threads, and the APIC ids that encode them.
 *
 * An APIC id is fields of bits, [socket | die | core | thread], each as wide as its count needs
 * (Intel SDM vol. 3A, "Hierarchical Mapping of CPUs", ed. 081), so that counts that are no powers
 * of two leave holes.  CPUID, MADT and SRAT all take their ids from here.
 */
#ifndef KILN_KVM_TOPOLOGY_H
#define KILN_KVM_TOPOLOGY_H

#include <glib.h>
#include <stdint.h>

/* Each count is at least 1.  vCPU indices run over threads first, then cores, dies, sockets. */
typedef struct {
    guint sockets;
    guint dies;    /* in a socket */
    guint cores;   /* in a die */
    guint threads; /* in a core */
} KilnCpuTopology;

/* The number of logical CPUs that @topology has room for. */
guint kiln_topology_cpus(const KilnCpuTopology *topology);

/* The APIC id of the vCPU @index, which may be past kiln_topology_cpus(): it is in a further
 * socket. */
uint32_t kiln_topology_apic_id(const KilnCpuTopology *topology, guint index);

/* How many low bits of an APIC id tell apart threads of a core, cores of a die, dies of a socket:
 * a right shift by these gives the id of the core, the die and the socket. */
guint kiln_topology_core_shift(const KilnCpuTopology *topology);
guint kiln_topology_die_shift(const KilnCpuTopology *topology);
guint kiln_topology_socket_shift(const KilnCpuTopology *topology);

#endif
