/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The smallest guest: entered by PVH in 32-bit protected mode (Xen's start-of-day ABI,
 * XEN_ELFNOTE_PHYS32_ENTRY = 18), it writes one byte to COM1 and halts.
 */
        .section .note.pvh, "a", @note
        .long   4, 4, 18
        .asciz  "Xen"
        .long   start

        .text
        .code32
        .globl  start
start:
        movw    $0x3f8, %dx
        movb    $'K', %al
        outb    %al, %dx
        movb    $'\n', %al
        outb    %al, %dx
1:      cli
        hlt
        jmp     1b

        .section .note.GNU-stack, "", @progbits
