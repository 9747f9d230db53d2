/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wires and doorbells of the buses, on a real /dev/kvm. */
#include "tests/kvm/guest.h"

#include <string.h>
#include <sys/eventfd.h>

#include "machine/msi.h"
#include "tests/kvm/irq-guest.h"

static KilnMsi msi;
static KilnMsiWire *the_wire;

static KilnMsiWire
wire_new(uint32_t data)
{
    return (KilnMsiWire){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                          .message = { .address = 0xfee00000, .data = data },
                          .route = -1 };
}

static uint64_t
take(int fd)
{
    eventfd_t value;

    return eventfd_read(fd, &value) == 0 ? value : 0;
}

static void
notify(Guest *guest, uint32_t value)
{
    ck_assert_int_eq(eventfd_write(the_wire->fd, 1), 0);
}

static void
unmask(Guest *guest, uint32_t value)
{
    msi.ops->connect(msi.opaque, &the_wire, 1);
    ck_assert_int_ge(the_wire->route, 0);
}

START_TEST(a_connected_eventfd_interrupts)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(KilnMachineMsi) machine = kiln_machine_msi_new(guest->vm);
    KilnMsiWire wire = wire_new(IRQ_GUEST_VECTOR);

    msi = kiln_machine_msi_wires(machine);
    the_wire = &wire;
    unmask(guest, 0);
    guest->call = notify;
    irq_guest_run(guest, IRQ_GUEST_MASKED);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
    ck_assert_uint_eq(take(wire.fd), 0);
    msi.ops->disconnect(msi.opaque, &the_wire, 1);
    ck_assert_int_eq(eventfd_write(wire.fd, 1), 0);
    ck_assert_uint_eq(take(wire.fd), 1); /* stays in it */
}
END_TEST

START_TEST(what_came_while_masked_is_sent_and_gone)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(KilnMachineMsi) machine = kiln_machine_msi_new(guest->vm);
    KilnMsiWire wire = wire_new(IRQ_GUEST_VECTOR);

    msi = kiln_machine_msi_wires(machine);
    the_wire = &wire;
    ck_assert_int_eq(eventfd_write(wire.fd, 3), 0);
    guest->call = unmask;
    irq_guest_run(guest, IRQ_GUEST_MASKED);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
    msi.ops->disconnect(msi.opaque, &the_wire, 1);
    ck_assert_uint_eq(take(wire.fd), 0);
}
END_TEST

START_TEST(unmasking_with_the_same_message_is_no_new_table)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(KilnMachineMsi) machine = kiln_machine_msi_new(guest->vm);
    KilnMsiWire wires[100], *list[G_N_ELEMENTS(wires)];
    KilnMsiWire last = wire_new(IRQ_GUEST_VECTOR);

    msi = kiln_machine_msi_wires(machine);
    for (unsigned i = 0; i < G_N_ELEMENTS(wires); i++) {
        wires[i] = wire_new(0x40 + i);
        list[i] = &wires[i];
    }
    msi.ops->connect(msi.opaque, list, G_N_ELEMENTS(list));
    ck_assert_uint_eq(kiln_machine_msi_commits(machine), 1); /* for all of them */
    for (unsigned i = 0; i < G_N_ELEMENTS(wires); i++) {
        ck_assert_int_ge(wires[i].route, 0);
        msi.ops->disconnect(msi.opaque, &list[i], 1);
        ck_assert_int_eq(wires[i].route, -1);
        msi.ops->connect(msi.opaque, &list[i], 1);
    }
    msi.ops->disconnect(msi.opaque, list, G_N_ELEMENTS(list));
    msi.ops->connect(msi.opaque, list, G_N_ELEMENTS(list));
    ck_assert_uint_eq(kiln_machine_msi_commits(machine), 1);
    msi.ops->disconnect(msi.opaque, list, G_N_ELEMENTS(list));
    /* a GSI that was used before sends what it is told now */
    the_wire = &last;
    unmask(guest, 0);
    ck_assert_uint_eq(kiln_machine_msi_commits(machine), 2);
    ck_assert_int_lt(last.route, 24 + 100);
    guest->call = notify;
    irq_guest_run(guest, IRQ_GUEST_MASKED);
    ck_assert_uint_eq(guest->result, IRQ_GUEST_VECTOR);
}
END_TEST

START_TEST(a_full_table_is_said)
{
    enum { MANY = 4200 };
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(KilnMachineMsi) machine = kiln_machine_msi_new(guest->vm);
    g_autofree KilnMsiWire *wires = g_new0(KilnMsiWire, MANY);
    g_autofree KilnMsiWire **list = g_new0(KilnMsiWire *, MANY);
    unsigned connected = 0;

    msi = kiln_machine_msi_wires(machine);
    for (unsigned i = 0; i < MANY; i++) {
        /* no eventfd: only the routes are asked for here, the irqfds are refused */
        wires[i] = (KilnMsiWire){ .fd = -1, .message = { 0xfee00000, i }, .route = -1 };
        list[i] = &wires[i];
    }
    msi.ops->connect(msi.opaque, list, MANY);
    for (unsigned i = 0; i < MANY; i++)
        connected += wires[i].route >= 0;
    ck_assert_uint_eq(connected, 0);
    ck_assert_uint_eq(kiln_machine_msi_commits(machine), 1);
    wires[0].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    msi.ops->connect(msi.opaque, list, 1); /* all were given back */
    ck_assert_int_ge(wires[0].route, 0);
}
END_TEST

GUEST_ASM(doorbells, "mov $0xd0000000, %ebx\n movl $1, (%rbx)\n movw $1, (%rbx)\n"
                     "movw $1, 4(%rbx)\n mov $3, %eax\n" GUEST_DONE);

START_TEST(doorbells_ring_for_writes_of_any_length)
{
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(KilnMachineMsi) machine = kiln_machine_msi_new(guest->vm);
    KilnDoorbells bells = kiln_machine_msi_doorbells(machine);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    ck_assert(bells.ops->add(bells.opaque, GUEST_MMIO, fd));
    ck_assert(!bells.ops->add(bells.opaque, GUEST_MMIO, fd)); /* it is taken */
    guest_run_code(guest, doorbells, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(take(fd), 2);
    ck_assert_uint_eq(kiln_vcpu_exits(guest->vcpus[0], KILN_VCPU_EXIT_MMIO), 1);
    bells.ops->remove(bells.opaque, GUEST_MMIO, fd);
    guest_run_code(guest, doorbells, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(take(fd), 0);
    ck_assert_uint_eq(kiln_vcpu_exits(guest->vcpus[0], KILN_VCPU_EXIT_MMIO), 4);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("msi");
    TCase *tcase = kiln_test_case(suite, "msi");

    tcase_add_test(tcase, a_connected_eventfd_interrupts);
    tcase_add_test(tcase, what_came_while_masked_is_sent_and_gone);
    tcase_add_test(tcase, unmasking_with_the_same_message_is_no_new_table);
    tcase_add_test(tcase, a_full_table_is_said);
    tcase_add_test(tcase, doorbells_ring_for_writes_of_any_length);
    return suite;
}

GUEST_TEST_MAIN(make_suite)
