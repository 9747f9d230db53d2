/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For host.c alone: what was read of cells and CPUs. */
#ifndef KILN_CAPS_HOST_TOPOLOGY_H
#define KILN_CAPS_HOST_TOPOLOGY_H

/* What was read is forgotten. */
void kiln_host_topology_forget(void);

#endif
