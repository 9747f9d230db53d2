/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest for tests of the whole machine, small enough for any KVM: entered by PVH (Xen's
 * x86/HVM direct boot ABI) or, with MULTIBOOT defined, by multiboot 1, in 32-bit protected mode, it counts its boots in RAM, which a reset
 * leaves alone, prints the count on COM1, and does what its command line says, one letter after the
 * other:
 *
 *   p  power off: SLP_TYP 7 and SLP_EN into PM1_CNT (ICH9 §13.8.3.3)
 *   c  reset by port 0xcf9      k  by the keyboard controller      a  by port 0x92
 *   t  reset by a triple fault  x  pvpanic: panicked               3  go on from the third boot only
 *   e  print what is typed, until 'q'                              h  halt
 *   b  wait for the power button (PM1_STS bit 8), print "B"        .  print a dot
 *   n  pvpanic: crash kernel loaded, a thousand times
 *   f  print "F" if the PCI address latch (0xcf8) is not as after power-on, and set it
 *   l  print "." for ever                                          i  an instruction that is none
 */
#define COM1     0x3f8
#define PM_BASE  0x600
#define COUNTER  0x900000

#ifdef MULTIBOOT
/* Multiboot 0.6.96 §3.1: magic, flags, checksum; its command line begins with the kernel's name. */
        .section .multiboot, "a"
        .align  4
        .long   0x1badb002, 0, -0x1badb002
#else
        .section .note.pvh, "a", @note
        .long   4, 4, 18
        .asciz  "Xen"
        .long   start
#endif

        .text
        .code32
        .globl  start
start:
#ifdef MULTIBOOT
        cmpl    $0x2badb002, %eax
        jne     halt
        movl    16(%ebx), %esi          /* multiboot information: cmdline */
skip_name:
        lodsb
        cmpb    $0, %al
        je      halt
        cmpb    $' ', %al
        jne     skip_name
#else
        movl    24(%ebx), %esi          /* hvm_start_info: cmdline_paddr */
#endif
        movl    $stack_top, %esp
        incl    COUNTER
        movb    $'0', %al
        addb    COUNTER, %al
        call    put
next:
        lodsb
        cmpb    $0, %al
        je      halt
        cmpb    $'3', %al
        jne     1f
        cmpl    $3, COUNTER
        jb      next
        /* From the third boot on: skip what stands before the next blank. */
2:      lodsb
        cmpb    $0, %al
        je      halt
        cmpb    $' ', %al
        jne     2b
        jmp     next
1:      cmpb    $'f', %al
        je      latch
        cmpb    $'p', %al
        je      power_off
        cmpb    $'c', %al
        je      reset_cf9
        cmpb    $'k', %al
        je      reset_i8042
        cmpb    $'a', %al
        je      reset_port92
        cmpb    $'t', %al
        je      triple_fault
        cmpb    $'x', %al
        je      panic
        cmpb    $'n', %al
        je      crash_loaded
        cmpb    $'e', %al
        je      echo
        cmpb    $'b', %al
        je      button
        cmpb    $'l', %al
        je      forever
        cmpb    $'h', %al
        je      halt
        cmpb    $'i', %al
        je      invalid
        cmpb    $'.', %al
        jne     next
        call    put
        jmp     next

latch:
        movw    $0xcf8, %dx
        inl     %dx, %eax
        cmpl    $0, %eax
        je      1f
        movb    $'F', %al
        call    put
        movw    $0xcf8, %dx
1:      movl    $0x80000000, %eax
        outl    %eax, %dx
        jmp     next

power_off:
        movw    $PM_BASE + 4, %dx
        movw    $0x3c00, %ax
        outw    %ax, %dx
        jmp     halt
reset_cf9:
        movw    $0xcf9, %dx
        movb    $6, %al
        outb    %al, %dx
        jmp     halt
reset_i8042:
        movb    $0xfe, %al
        outb    %al, $0x64
        jmp     halt
reset_port92:
        movb    $1, %al
        outb    %al, $0x92
        jmp     halt
triple_fault:
        lidt    no_idt
        ud2
panic:
        movw    $0x505, %dx
        movb    $1, %al
        outb    %al, %dx
        jmp     halt
crash_loaded:
        movw    $0x505, %dx
        movb    $2, %al
        movl    $1000, %ecx
1:      outb    %al, %dx
        loop    1b
        jmp     next
invalid:
        ud2
echo:
        movw    $COM1 + 5, %dx
1:      inb     %dx, %al
        testb   $1, %al
        jz      1b
        movw    $COM1, %dx
        inb     %dx, %al
        cmpb    $'q', %al
        je      next
        call    put
        jmp     echo
button:
        movb    $'W', %al
        call    put
        movw    $PM_BASE, %dx
1:      inw     %dx, %ax
        testw   $0x100, %ax
        jz      1b
        outw    %ax, %dx
        movb    $'B', %al
        call    put
        jmp     next
forever:
        movb    $'.', %al
        call    put
        movl    $20000, %ecx
1:      loop    1b
        jmp     forever
halt:
        cli
        hlt
        jmp     halt

put:
        pushl   %eax
        movw    $COM1 + 5, %dx
1:      inb     %dx, %al
        testb   $0x20, %al              /* THRE */
        jz      1b
        popl    %eax
        movw    $COM1, %dx
        outb    %al, %dx
        ret

        .align  4
no_idt: .word   0
        .long   0

        .bss
        .align  16
        .skip   4096
stack_top:

        .section .note.GNU-stack, "", @progbits
