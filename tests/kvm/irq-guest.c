/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kvm/irq-guest.h"

enum { PARAMETERS = 0x6000, IDT = 0x7000 };

/* EDI is the pin's redirection; the handler does not return, so that no IRET is needed. */
GUEST_ASM(irq_code,
          "lidt irq_guest_idtr(%rip)\n"
          "mov $0xff, %al\n out %al, $0x21\n out %al, $0xa1\n" /* the PICs have pin 5 too */
          "mov 0x6000, %edi\n mov 0x6004, %r15d\n"
          "mov $0xc0000102, %ecx\n mov 0x6008, %eax\n xor %edx, %edx\n wrmsr\n"
          "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%rbx)\n"
          "mov $0xfec00000, %ebx\n"
          "movl $0x1b, (%rbx)\n movl $0, 0x10(%rbx)\n"
          "movl $0x1a, (%rbx)\n mov %edi, 0x10(%rbx)\n"
          "mov $0xf5, %dx\n out %eax, %dx\n"
          "1: sti\n hlt\n jmp 1b\n"
          "irq_guest_idtr: .word 0xfff\n .quad 0x7000\n"
          "irq_guest_handler:\n"
          "mov $0xfee00000, %ebx\n movl $0, 0xb0(%rbx)\n"
          "mov $0xc0000102, %ecx\n rdmsr\n"
          "add %r15d, %eax\n add $0x30, %eax\n" GUEST_DONE);
extern const char irq_guest_handler[];

void
irq_guest_start(Guest *guest, uint32_t redirection, uint32_t r15, uint32_t gs_base)
{
    uint64_t handler = GUEST_CODE + (uint64_t)(irq_guest_handler - irq_code_start);
    uint64_t gate[2] = {
        (handler & 0xffff) | 0x10 << 16 | G_GUINT64_CONSTANT(0x8e00) << 32 |
            (handler >> 16 & 0xffff) << 48,
        handler >> 32,
    };
    uint32_t parameters[3] = { redirection | IRQ_GUEST_VECTOR, r15, gs_base };

    ck_assert(kiln_memory_write(guest->memory, IDT + 16 * IRQ_GUEST_VECTOR, gate, sizeof gate));
    ck_assert(kiln_memory_write(guest->memory, PARAMETERS, parameters, sizeof parameters));
    guest_load(guest, irq_code_start, irq_code_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
}

void
irq_guest_run(Guest *guest, uint32_t redirection)
{
    irq_guest_start(guest, redirection, 0, 0);
    guest_run(guest);
    kiln_assert_no_error(guest->error);
    ck_assert(guest->done);
}
