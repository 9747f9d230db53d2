/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/topology.h"

/* Bits that tell @count things apart. */
static guint
width(guint count)
{
    return count <= 1 ? 0 : 32 - (guint)__builtin_clz(count - 1);
}

guint
kiln_topology_cpus(const KilnCpuTopology *topology)
{
    return topology->sockets * topology->dies * topology->cores * topology->threads;
}

guint
kiln_topology_core_shift(const KilnCpuTopology *topology)
{
    return width(topology->threads);
}

guint
kiln_topology_die_shift(const KilnCpuTopology *topology)
{
    return kiln_topology_core_shift(topology) + width(topology->cores);
}

guint
kiln_topology_socket_shift(const KilnCpuTopology *topology)
{
    return kiln_topology_die_shift(topology) + width(topology->dies);
}

uint32_t
kiln_topology_apic_id(const KilnCpuTopology *topology, guint index)
{
    guint thread = index % topology->threads;
    guint core = index / topology->threads % topology->cores;
    guint die = index / (topology->threads * topology->cores) % topology->dies;
    guint socket = index / (topology->threads * topology->cores * topology->dies);

    return thread | core << kiln_topology_core_shift(topology) |
           die << kiln_topology_die_shift(topology) |
           socket << kiln_topology_socket_shift(topology);
}
