/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that sets up IDT, LAPIC and pin 5 of the IOAPIC, writes a value to KERNEL_GS_BASE, calls
 * the test (port 0xf5), halts, and ends with the vector from its interrupt handler, plus R15, which
 * is 0, plus the value of KERNEL_GS_BASE, which is 0 too unless the test wants otherwise.
 */
#ifndef KILN_TEST_KVM_IRQ_GUEST_H
#define KILN_TEST_KVM_IRQ_GUEST_H

#include "tests/kvm/guest.h"

enum {
    IRQ_GUEST_PIN = 5,
    IRQ_GUEST_VECTOR = 0x30,
    IRQ_GUEST_LEVEL = 1 << 15, /* IOAPIC redirection: level-triggered, masked */
    IRQ_GUEST_MASKED = 1 << 16,
};

/* Loads it and starts it: @redirection is or'ed to the pin's; @r15 and @gs_base go to the result.
 */
void irq_guest_start(Guest *guest, uint32_t redirection, uint32_t r15, uint32_t gs_base);

/* The same with zeroes, and runs it to its end. */
void irq_guest_run(Guest *guest, uint32_t redirection);

#endif
