/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of guest.c to 64-bit user level: entered by PVH (Xen's x86/HVM direct boot ABI) in 32-bit
 * protected mode, it maps the first 4 GiB one to one, and leaves privilege level 0 for level 3, where
 * any KVM runs the code natively.  MMIO works there as before; ports by the TSS's bitmap (IOPL 3 is not
 * kept by every KVM).
 */
        .section .note.pvh, "a", @note
        .long   4, 4, 18
        .asciz  "Xen"
        .long   start

#define CODE64  0x08
#define DATA    0x10
#define DATA3   0x1b
#define CODE3   0x23
#define TSS     0x28
#define IO_BITMAP 0x68                  /* all ports are allowed */
#define EFER    0xc0000080
#define LARGE   0x87                    /* present, writable, for users, 2 MiB */
#define TABLE   0x07

        .text
        .code32
        .globl  start
start:
        cld
        movl    $stack_top, %esp
        movl    $(pdpt + TABLE), pml4
        movl    $(pd + TABLE), %eax
        movl    $pdpt, %edi
1:      movl    %eax, (%edi)
        addl    $4096, %eax
        addl    $8, %edi
        cmpl    $(pdpt + 32), %edi
        jb      1b
        movl    $LARGE, %eax
        movl    $pd, %edi
2:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        jnc     2b

        movl    $tss, %eax              /* its base, into the descriptor */
        movw    %ax, gdt + TSS + 2
        shrl    $16, %eax
        movb    %al, gdt + TSS + 4
        movb    %ah, gdt + TSS + 7
        movw    $IO_BITMAP, tss + 0x66
        movb    $0xff, tss + IO_BITMAP + 8192

        movl    %cr4, %eax
        orl     $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $EFER, %ecx
        rdmsr
        orl     $0x100, %eax            /* LME */
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax       /* PG, PE */
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $CODE64, $long_mode

        .code64
long_mode:
        movl    $DATA, %eax
        movl    %eax, %ss
        movl    $DATA3, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    $TSS, %eax
        ltr     %ax
        pushq   $DATA3
        pushq   $stack_top - 8          /* as after a call */
        pushq   $2                      /* RFLAGS */
        pushq   $CODE3
        pushq   $guest_main
        iretq

        .data
        .align  16
gdt:
        .quad   0
        .quad   0x00af9b000000ffff      /* code, 64 bits */
        .quad   0x00cf93000000ffff      /* data */
        .quad   0x00cff3000000ffff      /* data, level 3 */
        .quad   0x00affb000000ffff      /* code, 64 bits, level 3 */
        .quad   0x0000890000002068, 0   /* TSS, with all of its bitmap */
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .quad   gdt

        .bss
        .align  4096
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   4 * 4096
tss:    .skip   4 * 4096
        .skip   65536
stack_top:
        .section .note.GNU-stack, "", @progbits
