/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts of files: trees of /sys and /proc as kernels show them, and CPUs by libvirt's names. */
#ifndef KILN_TESTS_DRIVER_FAKE_HOST_H
#define KILN_TESTS_DRIVER_FAKE_HOST_H

#include <glib.h>

/**
 * kiln_fake_host:
 * @name: "small": one cell of 4 cores, of which cpu3 is offline; "large": two cells of two cores
 *   with two threads each, huge pages, an IOMMU, KSM; "bare": a kernel without NUMA, of one CPU
 *
 * Makes the tree and the CPU, and lets the room caps look there.
 */
void kiln_fake_host(const char *name);

/* The same in @folder, which need not be there; for programs that are no test. */
void kiln_fake_host_at(const char *name, const char *folder);

/* Writes a file of that host's. */
void kiln_fake_host_write(const char *path, const char *text);

/**
 * kiln_fake_cpu:
 * @model: a named model, which is what the host's CPU has, and KVM gives, with what all hosts have
 * @kvm: FALSE: there is no /dev/kvm
 */
void kiln_fake_cpu(const char *model, gboolean kvm);

#endif
