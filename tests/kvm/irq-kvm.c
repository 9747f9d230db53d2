/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupt lines, irqfds, doorbells, INIT and SIPI: on a real /dev/kvm. */
#include "tests/kvm/guest.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "kvm/irq.h"
#include "tests/kvm/irq-guest.h"

static uint64_t
take(int fd)
{
    uint64_t value = 0;

    return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

static void
raise_line(Guest *guest, uint32_t value)
{
    (void)value;
    kiln_vm_set_irq_line(guest->vm, IRQ_GUEST_PIN, TRUE);
    kiln_vm_set_irq_line(guest->vm, IRQ_GUEST_PIN, FALSE);
}

START_TEST(line_wakes_halted)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest->call = raise_line;
    irq_guest_run(guest, 0);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
}
END_TEST

/* A machine reset: controllers and vCPU are as at first, and it all works once more. */
START_TEST(again_after_reset)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(GError) error = NULL;

    guest->call = raise_line;
    for (int i = 0; i < 3; i++) {
        irq_guest_run(guest, 0);
        ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
        guest->result = 0;
        ck_assert(kiln_vm_reset(guest->vm, &error));
    }
}
END_TEST

static int event, resample;

static void
write_event(Guest *guest, uint32_t value)
{
    uint64_t one = 1;

    (void)guest;
    (void)value;
    ck_assert_int_eq(write(event, &one, sizeof one), sizeof one);
}

START_TEST(irqfd_edge)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(GError) error = NULL;

    event = eventfd(0, EFD_CLOEXEC);
    ck_assert(kiln_irqfd_add(guest->vm, IRQ_GUEST_PIN, event, -1, &error));
    guest->call = write_event;
    irq_guest_run(guest, 0);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
    ck_assert(kiln_irqfd_remove(guest->vm, IRQ_GUEST_PIN, event, &error));
    ck_assert(!kiln_irqfd_add(guest->vm, IRQ_GUEST_PIN, -1, -1, &error));
    kiln_assert_error_has(error, "eventfd for interrupt 5");
}
END_TEST

START_TEST(irqfd_level_resamples)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(GError) error = NULL;

    event = eventfd(0, EFD_CLOEXEC);
    resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ck_assert(kiln_irqfd_add(guest->vm, IRQ_GUEST_PIN, event, resample, &error));
    guest->call = write_event;
    irq_guest_run(guest, IRQ_GUEST_LEVEL);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
    ck_assert_uint_eq(take(resample), 1);
}
END_TEST

START_TEST(irqfd_message)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnIrqRoutes) routes = kiln_irq_routes_new(guest->vm);
    int other = kiln_irq_allocate(routes);
    int gsi = kiln_irq_allocate(routes);

    ck_assert_int_eq(other, KILN_IRQ_N_PINS);
    ck_assert_int_eq(gsi, KILN_IRQ_N_PINS + 1);
    kiln_irq_release(routes, other);
    kiln_irq_set_msi(routes, gsi, 0xfee00000, IRQ_GUEST_VECTOR);
    ck_assert(kiln_irq_commit(routes, &error));
    ck_assert(kiln_irq_commit(routes, &error)); /* nothing to do */
    event = eventfd(0, EFD_CLOEXEC);
    ck_assert(kiln_irqfd_add(guest->vm, (guint)gsi, event, -1, &error));
    guest->call = write_event;
    irq_guest_run(guest, IRQ_GUEST_MASKED);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
    ck_assert_int_eq(kiln_irq_allocate(routes), other); /* and the pins still work */
    guest->call = raise_line;
    irq_guest_run(guest, 0);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
}
END_TEST

static void
send_message(Guest *guest, uint32_t value)
{
    (void)value;
    ck_assert(kiln_vm_signal_msi(guest->vm, 0xfee00000, IRQ_GUEST_VECTOR));
}

START_TEST(message_from_user_space)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);

    guest->call = send_message;
    irq_guest_run(guest, IRQ_GUEST_MASKED);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
}
END_TEST

GUEST_ASM(doorbells, "mov $0x600, %dx\n mov $7, %eax\n out %eax, %dx\n out %eax, %dx\n"
                     "mov $8, %eax\n out %eax, %dx\n mov $0xd0000000, %ebx\n movl $1, (%rbx)\n"
                     "movw $1, (%rbx)\n mov $3, %eax\n" GUEST_DONE);

START_TEST(doorbells_do_not_exit)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(GError) error = NULL;
    KilnIoEvent port = { .pio = TRUE, .address = 0x600, .length = 4, .match = TRUE, .value = 7 };
    KilnIoEvent any = { .address = GUEST_MMIO };
    int at_port = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int at_address = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    ck_assert(kiln_ioeventfd_add(guest->vm, &port, at_port, &error));
    ck_assert(!kiln_ioeventfd_add(guest->vm, &port, at_address, &error)); /* it is taken */
    kiln_assert_error_has(error, "doorbell at port 0x600");
    g_clear_error(&error);
    ck_assert(kiln_ioeventfd_add(guest->vm, &any, at_address, &error));
    guest_run_code(guest, doorbells, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(take(at_port), 2);
    ck_assert_uint_eq(take(at_address), 2);
    ck_assert_uint_eq(kiln_vcpu_exits(guest->vcpus[0], KILN_VCPU_EXIT_PIO), 2); /* 8, and the end */
    ck_assert_uint_eq(kiln_vcpu_exits(guest->vcpus[0], KILN_VCPU_EXIT_MMIO), 0);

    ck_assert(kiln_ioeventfd_remove(guest->vm, &port, at_port, &error));
    ck_assert(kiln_ioeventfd_remove(guest->vm, &any, at_address, &error));
    guest_run_code(guest, doorbells, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(take(at_port), 0);
    ck_assert_uint_eq(kiln_vcpu_exits(guest->vcpus[0], KILN_VCPU_EXIT_MMIO), 2);
}
END_TEST

/* INIT and SIPI to all others, which count themselves in memory in real mode. */
GUEST_ASM(processors, "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%rbx)\n"
                      "movl $0xc4500, 0x300(%rbx)\n movl $0xc4620, 0x300(%rbx)\n"
                      "1: pause\n mov 0x3000, %eax\n cmp $7, %eax\n jne 1b\n" GUEST_DONE);
GUEST_ASM(application, ".code16\n xor %ax, %ax\n mov %ax, %ds\n lock incl 0x3000\n 1: hlt\n"
                       "jmp 1b\n");

/* Twice, with a reset between: those that ran wait for their SIPI again. */
START_TEST(eight_vcpus)
{
    g_autoptr(Guest) guest = guest_new(8, 16 << 20, NULL);
    g_autoptr(GError) error = NULL;
    uint32_t zero = 0;

    ck_assert(kiln_memory_write(guest->memory, GUEST_DATA, application_start,
                                (uint64_t)(application_end - application_start)));
    guest_load(guest, processors_start, processors_end);
    for (int i = 0; i < 2; i++) {
        ck_assert(kiln_memory_write(guest->memory, 0x3000, &zero, sizeof zero));
        guest_start(guest, KILN_VCPU_START_LONG64);
        guest_start_threads(guest);
        guest_run(guest);
        kiln_assert_no_error(guest->error);
        ck_assert_uint_eq(guest->result, 7);
        guest_stop_threads(guest);
        ck_assert(kiln_vm_reset(guest->vm, &error));
    }
}
END_TEST

START_TEST(too_many_vcpus)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnKvm) kvm = kiln_kvm_open(&error);
    KilnVmOptions many = { .n_vcpus = 1000000 };
    KilnVmOptions high = { .n_vcpus = 2, .max_apic_id = 0xffffff };
    g_autofree char *limit = g_strdup_printf("allows %u in a guest", kiln_kvm_max_vcpus(kvm));

    ck_assert_ptr_null(kiln_vm_new(kvm, NULL, &many, &error));
    kiln_assert_error_has(error, "1000000 vCPUs are asked for");
    kiln_assert_error_has(error, limit);
    g_clear_error(&error);
    ck_assert_ptr_null(kiln_vm_new(kvm, NULL, &high, &error));
    kiln_assert_error_has(error, "APIC id 16777215");
}
END_TEST

START_TEST(not_kvm)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_kvm_new(eventfd(0, EFD_CLOEXEC), &error));
    kiln_assert_error_has(error, "not KVM's");
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_KVM));
}
END_TEST

START_TEST(no_permission)
{
    g_autoptr(GError) error = NULL;

    if (setuid(65534) < 0 || access("/dev/kvm", R_OK | W_OK) == 0)
        return; /* nobody here lacks the permission */
    ck_assert_ptr_null(kiln_kvm_open(&error));
    kiln_assert_error_has(error, "/dev/kvm: Permission denied");
    kiln_assert_error_has(error, "group");
}
END_TEST

static Suite *
irq_suite(void)
{
    Suite *suite = suite_create("kvm/irq");
    TCase *tcase = kiln_test_case(suite, "irq");

    tcase_add_test(tcase, line_wakes_halted);
    tcase_add_test(tcase, again_after_reset);
    tcase_add_test(tcase, irqfd_edge);
    tcase_add_test(tcase, irqfd_level_resamples);
    tcase_add_test(tcase, irqfd_message);
    tcase_add_test(tcase, message_from_user_space);
    tcase_add_test(tcase, doorbells_do_not_exit);
    tcase_add_test(tcase, eight_vcpus);
    tcase_add_test(tcase, too_many_vcpus);
    tcase_add_test(tcase, not_kvm);
    tcase_add_test(tcase, no_permission);
    return suite;
}

GUEST_TEST_MAIN(irq_suite)
