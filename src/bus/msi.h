/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where messages (MSI-X) go: what the machine gives to its PCI host, so that a function's vectors
 * become eventfds whose writing interrupts the guest.  Without KVM (tests) the eventfds are read by
 * whoever wants to see them.
 */
#ifndef KILN_BUS_MSI_H
#define KILN_BUS_MSI_H

#include <glib.h>
#include <stdint.h>

/* What a function writes, where: PCI Local Bus 3.0 §6.8.2.3 and .4. */
typedef struct {
    uint64_t address;
    uint32_t data;
} KilnMsiMessage;

/**
 * KilnMsiOps:
 * @connect: each write to @fd, an eventfd, sends @message from now on; one that was written to
 *   before sends it at once.  Returns a route's number, or -1 if the host can take no more
 * @disconnect: takes that back; what is written to @fd from now on stays in it
 *
 * Any thread, also a vCPU's with the function's lock held.
 */
typedef struct {
    int (*connect)(void *opaque, const KilnMsiMessage *message, int fd);
    void (*disconnect)(void *opaque, int route, int fd);
} KilnMsiOps;

/* Copied by value; all zeroes leads nowhere. */
typedef struct {
    const KilnMsiOps *ops; /* (nullable) */
    void *opaque;
} KilnMsi;

#endif
