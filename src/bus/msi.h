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
 * KilnMsiWire:
 * @fd: an eventfd, not blocking
 * @message: what each write to it sends while it is connected
 * @route: the host's number for the connection, -1 while there is none
 */
typedef struct {
    int fd;
    KilnMsiMessage message;
    int route;
} KilnMsiWire;

/**
 * KilnMsiOps:
 * @connect: each write to the eventfds of @wires sends their messages from now on; one that was
 *   written to before sends it at once.  Sets their routes; those that the host can take no more
 *   keep -1.  Many at a time, since each call may wait for the host's routing table
 * @disconnect: takes that back; what is written to the eventfds from now on stays in them
 *
 * Any thread, also a vCPU's with the function's lock held.
 */
typedef struct {
    void (*connect)(void *opaque, KilnMsiWire *const *wires, unsigned n);
    void (*disconnect)(void *opaque, KilnMsiWire *const *wires, unsigned n);
} KilnMsiOps;

/* Copied by value; all zeroes leads nowhere. */
typedef struct {
    const KilnMsiOps *ops; /* (nullable) */
    void *opaque;
} KilnMsi;

#endif
