/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into the testbed's QEMU.  QEMU's emulation of SVM (7.2, and newer ones) ends with a
 * failed assertion when a guest of L1 writes CR8 while KVM waits to give it an interrupt, which
 * UEFI firmware does at the end of each interrupt: target/i386's helper_write_crN() calls
 * cpu_interrupt() without QEMU's big lock.  What it sets there is set already, since the interrupt
 * is pending: so the function that checks for the lock returns at once, as if it had been called
 * for nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

enum { RBX = 3, RBP = 6, R12 = 12, R13, R14, R15 }; /* System V ABI for AMD64, figure 3.36 */

typedef struct {
    int depth; /* of the frame that is looked at */
    uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
} Frame;

/* 0: this file's function, 1: the one with the assertion, 2: its caller. */
static _Unwind_Reason_Code
visit(struct _Unwind_Context *context, void *data)
{
    Frame *frame = data;

    if (frame->depth++ < 2)
        return _URC_NO_REASON;
    frame->rbx = _Unwind_GetGR(context, RBX);
    frame->rbp = _Unwind_GetGR(context, RBP);
    frame->r12 = _Unwind_GetGR(context, R12);
    frame->r13 = _Unwind_GetGR(context, R13);
    frame->r14 = _Unwind_GetGR(context, R14);
    frame->r15 = _Unwind_GetGR(context, R15);
    frame->rsp = _Unwind_GetCFA(context);
    frame->rip = _Unwind_GetIP(context);
    return _URC_END_OF_STACK;
}

void g_assertion_message_expr(const char *domain, const char *file, int line, const char *function,
                              const char *expression);

/* In place of GLib's. */
void
g_assertion_message_expr(const char *domain, const char *file, int line, const char *function,
                         const char *expression)
{
    Frame frame = { 0 };

    if (function != NULL && strcmp(function, "tcg_handle_interrupt") == 0) {
        (void)_Unwind_Backtrace(visit, &frame);
        __asm__ volatile("mov %0, %%rax\n\t"
                         "mov 8(%%rax), %%rbx\n\t"
                         "mov 16(%%rax), %%rbp\n\t"
                         "mov 24(%%rax), %%r12\n\t"
                         "mov 32(%%rax), %%r13\n\t"
                         "mov 40(%%rax), %%r14\n\t"
                         "mov 48(%%rax), %%r15\n\t"
                         "mov 56(%%rax), %%rsp\n\t"
                         "jmp *64(%%rax)"
                         :
                         : "r"(&frame)
                         : "memory");
        __builtin_unreachable();
    }
    fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, expression);
    abort();
}
