/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entry modes, exits, kicks, errors, resets: on a real /dev/kvm. */
#include "tests/kvm/guest.h"

#include <string.h>
#include <sys/ioctl.h>

#include "kvm/msr.h"

GUEST_ASM(entry64, "mov %rsi, %rax\n shl $16, %rax\n or %rbx, %rax\n" GUEST_DONE);

START_TEST(enters_64_bit)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest_run_code(guest, entry64, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(guest->result, 0x12345678);
}
END_TEST

GUEST_ASM(entry32,
          ".code32\n mov %cr0, %eax\n test $1, %eax\n jz 2f\n test $0x80000000, %eax\n"
          "jnz 2f\n mov %esi, %eax\n shl $16, %eax\n or %ebx, %eax\n push %eax\n pop %eax\n"
          "2: mov $0xf4, %dx\n out %eax, %dx\n 1: hlt\n jmp 1b\n");

START_TEST(enters_32_bit)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest_run_code(guest, entry32, KILN_VCPU_START_PROTECTED32);
    ck_assert_uint_eq(guest->result, 0x12345678);
}
END_TEST

GUEST_ASM(reset16, ".code16\n mov %cs, %ax\n mov $0xf4, %dx\n out %eax, %dx\n 1: hlt\n jmp 1b\n");

/* The last 16 bytes below 4 GiB are a read-only slot, as flash is. */
START_TEST(enters_reset_vector)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(KilnMemory) rom = kiln_memory_new_plain(4096);
    g_autoptr(GError) error = NULL;
    int slot;

    kiln_memory_write(rom, 4080, reset16_start, (uint64_t)(reset16_end - reset16_start));
    slot = kiln_vm_add_slot(guest->vm, 0xfffff000, 4096, kiln_memory_map(rom, 0, 4096),
                            KVM_MEM_READONLY, &error);
    kiln_assert_no_error(error);
    guest_start(guest, KILN_VCPU_START_RESET);
    guest_run(guest);
    ck_assert(guest->done);
    ck_assert_uint_eq(guest->result & 0xffff, 0xf000);
    ck_assert(kiln_vm_remove_slot(guest->vm, slot, &error));
    ck_assert_int_eq(
        kiln_vm_add_slot(guest->vm, 0xfffff000, 4096, kiln_memory_map(rom, 0, 4096), 0, &error),
        slot);
}
END_TEST

GUEST_ASM(string_io, "lea text(%rip), %rsi\n mov $13, %ecx\n mov $0xe9, %dx\n rep outsb\n"
                     "mov $0x20000, %edi\n mov $3, %ecx\n mov $0xf6, %dx\n rep insl\n"
                     "mov 0x20008, %eax\n" GUEST_DONE "text: .ascii \"Hello, guest!\"\n");

START_TEST(string_ports)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    uint32_t got[3];

    guest_run_code(guest, string_io, KILN_VCPU_START_LONG64);
    ck_assert_str_eq(guest->out->str, "Hello, guest!");
    ck_assert(kiln_memory_read(guest->memory, 0x20000, got, sizeof got));
    ck_assert_uint_eq(got[0], 1);
    ck_assert_uint_eq(got[1], 2);
    ck_assert_uint_eq(got[2], 3);
    ck_assert_uint_ge(kiln_vcpu_exits(guest->vcpus[0], KILN_VCPU_EXIT_PIO), 3);
}
END_TEST

GUEST_ASM(mmio8, "mov $0xd0000010, %ebx\n movabs $0x1122334455667788, %rax\n mov %rax, (%rbx)\n"
                 "mov (%rbx), %rax\n add $1, %rax\n movw %ax, 4(%rbx)\n mov 2(%rbx), %al\n"
                 "movzx %al, %eax\n" GUEST_DONE);

START_TEST(mmio)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest_run_code(guest, mmio8, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(guest->result, 0x89);
    ck_assert_uint_eq(guest->mmio_value, 0x7789);
    ck_assert_uint_eq(guest->mmio_gpa, 0xd0000012);
    ck_assert_uint_eq(guest->mmio_size, 1);
    ck_assert_uint_eq(kiln_vcpu_exits(guest->vcpus[0], KILN_VCPU_EXIT_MMIO), 4);
}
END_TEST

GUEST_ASM(high, "movabs $0x100001000, %rbx\n mov $0xcafe, %eax\n mov %eax, (%rbx)\n"
                "mov 4(%rbx), %eax\n" GUEST_DONE);

START_TEST(above_4g)
{
    g_autoptr(Guest) guest = guest_new(1, G_GUINT64_CONSTANT(3) << 30, NULL);
    uint32_t value = 77;

    ck_assert(kiln_memory_write(guest->memory, 0x100001004, &value, 4));
    guest_run_code(guest, high, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(guest->result, 77);
    ck_assert(kiln_memory_read(guest->memory, 0x100001000, &value, 4));
    ck_assert_uint_eq(value, 0xcafe);
}
END_TEST

/* An IDT of no entries: the first exception has no handler, nor has the double fault. */
GUEST_ASM(triple, "ud2\n");

START_TEST(triple_fault_resets)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest_load(guest, triple_start, triple_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
    guest_run(guest);
    ck_assert_int_eq(guest->last, KILN_VCPU_RESET);

    /* and the vCPU can be started again, in another mode */
    guest_run_code(guest, entry32, KILN_VCPU_START_PROTECTED32);
    ck_assert_uint_eq(guest->result, 0x12345678);
    guest_run_code(guest, entry64, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(guest->result, 0x12345678);
}
END_TEST

/* 0: this vCPU has no such MSR. */
static uint64_t
read_msr(KilnVcpu *vcpu, uint32_t index)
{
    struct kvm_msr_entry entry = { .index = index };
    g_autoptr(GError) error = NULL;
    int n = kiln_msr_read(kiln_vcpu_fd(vcpu), &entry, 1, &error);

    kiln_assert_no_error(error);
    return n == 1 ? entry.data : 0;
}

static void
write_msr(KilnVcpu *vcpu, uint32_t index, uint64_t value)
{
    struct kvm_msr_entry entry = { .index = index, .data = value };
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_msr_write(kiln_vcpu_fd(vcpu), &entry, 1, TRUE, &error));
    kiln_assert_no_error(error);
}

/* Fast strings are on from the first start on, and the memory type is what the start says. */
START_TEST(msrs_at_start)
{
    enum { MISC_ENABLE = 0x1a0, MTRR_DEFAULT = 0x2ff };
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    KilnVcpu *vcpu = guest->vcpus[0];
    KilnVcpuStart start = { .mode = KILN_VCPU_START_RESET,
                            .mtrr_default = KILN_VCPU_MTRR_WRITE_BACK };

    ck_assert_uint_eq(read_msr(vcpu, MISC_ENABLE) & 1, 1);
    ck_assert(kiln_vcpu_start(vcpu, &start, &guest->error));
    ck_assert_uint_eq(read_msr(vcpu, MTRR_DEFAULT), 0x806);
    write_msr(vcpu, MISC_ENABLE, read_msr(vcpu, MISC_ENABLE) & ~UINT64_C(1));
    start.mtrr_default = 0;
    ck_assert(kiln_vcpu_start(vcpu, &start, &guest->error));
    ck_assert_uint_eq(read_msr(vcpu, MISC_ENABLE) & 1, 1);
    ck_assert_uint_eq(read_msr(vcpu, MTRR_DEFAULT), 0);
    start.mode = KILN_VCPU_START_WAIT;
    start.mtrr_default = KILN_VCPU_MTRR_WRITE_BACK;
    ck_assert(kiln_vcpu_start(vcpu, &start, &guest->error));
    ck_assert_uint_eq(read_msr(vcpu, MTRR_DEFAULT), 0x806);
}
END_TEST

GUEST_ASM(spin, "mov $0xf5, %dx\n out %eax, %dx\n 1: jmp 1b\n");

static void *
kicker(void *data)
{
    kiln_vcpu_kick(data);
    return NULL;
}

static void
kick_from_thread(Guest *guest, uint32_t value)
{
    pthread_t thread;

    (void)value;
    ck_assert_int_eq(pthread_create(&thread, NULL, kicker, guest->vcpus[0]), 0);
    pthread_detach(thread);
}

START_TEST(kick_running)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest->call = kick_from_thread;
    guest_load(guest, spin_start, spin_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
    guest_run(guest);
    ck_assert_int_eq(guest->last, KILN_VCPU_KICKED);
}
END_TEST

/* The instruction whose op kicks is finished before the kick is reported. */
GUEST_ASM(kick_self,
          "mov $0xf5, %dx\n mov $7, %eax\n out %eax, %dx\n after: mov $9, %eax\n" GUEST_DONE);

static void
kick_now(Guest *guest, uint32_t value)
{
    (void)value;
    kiln_vcpu_kick(guest->vcpus[0]);
}

START_TEST(kick_own_and_settled)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    struct kvm_regs regs;

    guest->call = kick_now;
    guest_load(guest, kick_self_start, kick_self_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
    guest_run(guest);
    ck_assert_int_eq(guest->last, KILN_VCPU_KICKED);
    ck_assert_int_eq(ioctl(kiln_vcpu_fd(guest->vcpus[0]), KVM_GET_REGS, &regs), 0);
    ck_assert_uint_eq(regs.rip, GUEST_CODE + 10); /* mov dx: 4, mov eax: 5, out: 1 */
    guest_run(guest);
    ck_assert(guest->done);
    ck_assert_uint_eq(guest->result, 9);
}
END_TEST

START_TEST(kick_before_run)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest_load(guest, entry64_start, entry64_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
    kiln_vcpu_kick(guest->vcpus[0]);
    kiln_vcpu_kick(guest->vcpus[0]);
    guest_run(guest);
    ck_assert_int_eq(guest->last, KILN_VCPU_KICKED);
    ck_assert(!guest->done);
    guest_run(guest); /* once is enough */
    ck_assert(guest->done);
}
END_TEST

/* Many kicks from another thread against a guest that leaves all the time: none is lost. */
static gint64 kicks_left;

static void *
many_kicks(void *data)
{
    Guest *guest = data;

    for (int i = 0; i < 200; i++) {
        gint64 before = __atomic_load_n(&kicks_left, __ATOMIC_SEQ_CST);

        kiln_vcpu_kick(guest->vcpus[0]);
        while (__atomic_load_n(&kicks_left, __ATOMIC_SEQ_CST) == before)
            sched_yield(); /* a lost kick hangs here, and the test's deadline ends it */
    }
    return NULL;
}

GUEST_ASM(busy, "mov $0xf6, %dx\n 1: in %dx, %eax\n jmp 1b\n");

START_TEST(kicks_are_not_lost)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    pthread_t thread;

    guest_load(guest, busy_start, busy_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
    kicks_left = 200;
    ck_assert_int_eq(pthread_create(&thread, NULL, many_kicks, guest), 0);
    while (kicks_left > 0) {
        guest_run(guest);
        ck_assert_int_eq(guest->last, KILN_VCPU_KICKED);
        __atomic_sub_fetch(&kicks_left, 1, __ATOMIC_SEQ_CST);
    }
    pthread_join(thread, NULL);
}
END_TEST

/* An instruction that the emulator of a KVM without hardware virtualisation does not know; hardware
 * runs it. */
GUEST_ASM(emulated, "mov $0xff, %ebx\n popcnt %ebx, %eax\n" GUEST_DONE);

START_TEST(error_names_the_instruction)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest_load(guest, emulated_start, emulated_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
    guest_run(guest);
    if (guest->last != KILN_VCPU_ERROR) {
        ck_assert(guest->done);
        ck_assert_uint_eq(guest->result, 8);
        return;
    }
    kiln_assert_error_has(guest->error, "vCPU 0: KVM internal error, suberror 1");
    kiln_assert_error_has(guest->error, "f3 0f b8 c3");
    kiln_assert_error_has(guest->error, "0x10:0x10005");
}
END_TEST

static Suite *
vcpu_suite(void)
{
    Suite *suite = suite_create("kvm/vcpu");
    TCase *tcase = kiln_test_case(suite, "vcpu");

    tcase_add_test(tcase, enters_64_bit);
    tcase_add_test(tcase, enters_32_bit);
    tcase_add_test(tcase, enters_reset_vector);
    tcase_add_test(tcase, string_ports);
    tcase_add_test(tcase, mmio);
    tcase_add_test(tcase, above_4g);
    tcase_add_test(tcase, triple_fault_resets);
    tcase_add_test(tcase, msrs_at_start);
    tcase_add_test(tcase, kick_running);
    tcase_add_test(tcase, kick_own_and_settled);
    tcase_add_test(tcase, kick_before_run);
    tcase_add_test(tcase, kicks_are_not_lost);
    tcase_add_test(tcase, error_names_the_instruction);
    return suite;
}

GUEST_TEST_MAIN(vcpu_suite)
