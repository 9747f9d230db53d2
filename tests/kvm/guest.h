/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tiny guests on a real /dev/kvm: a VM with identity page tables, code written in the test's own
 * assembler, and a few ports.
 *
 *   0xe9  out: the byte is appended to Guest.out
 *   0xf4  out: the guest is done, with this value in Guest.result
 *   0xf5  out: a function of the test is called (Guest.call)
 *   0xf6  in: counts 1, 2, 3 …
 */
#ifndef KILN_TEST_KVM_GUEST_H
#define KILN_TEST_KVM_GUEST_H

#include "tests/lib/kiln-test.h"

#include <pthread.h>

#include "kvm/kvm.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "memory/memory.h"

enum {
    GUEST_MAX_VCPUS = 8,
    GUEST_CODE = 0x10000, /* where code is loaded and starts */
    GUEST_STACK = 0x9000,
    GUEST_TABLES = 0x100000, /* page tables: identity, 8 GiB */
    GUEST_GDT = 0x8000,
    GUEST_DATA = 0x20000, /* for the guest's own use */
};

#define GUEST_MMIO 0xd0000000u /* no RAM there */

typedef struct Guest Guest;

struct Guest {
    KilnKvm *kvm;
    KilnMemory *memory;
    KilnVm *vm;
    KilnVcpu *vcpus[GUEST_MAX_VCPUS];
    guint n_vcpus;
    pthread_t threads[GUEST_MAX_VCPUS];

    pthread_mutex_t lock; /* of what the ports change */
    GString *out;
    gboolean done;
    uint32_t result;
    uint32_t counter;
    guint mmio_size; /* of the last access */
    uint64_t mmio_gpa;
    uint64_t mmio_value; /* what was written last, or is to be read */
    void (*call)(Guest *guest, uint32_t value);
    KilnVcpuResult last; /* what the last run of guest_run() returned */
    GError *error;       /* of KILN_VCPU_ERROR */
};

/* Assembler from @name_start up to @name_end, which are declared. */
#define GUEST_ASM(name, text)                                                                      \
    extern const char name##_start[], name##_end[];                                                \
    __asm__(".pushsection .rodata\n" #name "_start:\n" text "\n" #name "_end:\n.popsection\n"      \
            ".code64\n")

/* What 64-bit guests end with. */
#define GUEST_DONE "mov $0xf4, %dx\n out %eax, %dx\n 1: hlt\n jmp 1b\n"

/* A guest of @n_vcpus with @ram bytes; every vCPU sees what KVM supports unless @cpuid is given. */
Guest *guest_new(guint n_vcpus, uint64_t ram, const struct kvm_cpuid2 *cpuid);
void guest_free(Guest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_free)

/* Copies code to GUEST_CODE. */
void guest_load(Guest *guest, const char *start, const char *end);

/* vCPU 0 starts at GUEST_CODE in @mode, the others wait for their SIPI. */
void guest_start(Guest *guest, KilnVcpuMode mode);

/* Runs vCPU 0 on this thread until the guest is done or the vCPU has no CONTINUE to say. */
void guest_run(Guest *guest);

/* Loads @name, starts it in @mode, runs it, and expects it to be done. */
#define guest_run_code(guest, name, mode)                                                          \
    do {                                                                                           \
        guest_load(guest, name##_start, name##_end);                                               \
        guest_start(guest, mode);                                                                  \
        guest_run(guest);                                                                          \
        kiln_assert_no_error((guest)->error);                                                      \
        ck_assert((guest)->done);                                                                  \
    } while (0)

/* Every vCPU but the first on a thread of its own; guest_free() stops them if nobody else did. */
void guest_start_threads(Guest *guest);
void guest_stop_threads(Guest *guest);

/* main() of a program of such tests: skipped, with the reason, where /dev/kvm cannot be used. */
int guest_main(Suite *(*make_suite)(void));

#define GUEST_TEST_MAIN(make_suite)                                                                \
    int main(void)                                                                                 \
    {                                                                                              \
        return guest_main(make_suite);                                                             \
    }

#endif
