/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest stops in one VM and goes on in another; CPUID as it was given: on a real /dev/kvm. */
#include "tests/kvm/guest.h"

#include <string.h>

#include "kvm/cpuid.h"
#include "kvm/vcpu-state.h"
#include "kvm/vm-state.h"
#include "tests/kvm/irq-guest.h"

static void
stop(Guest *guest, uint32_t value)
{
    (void)value;
    kiln_vcpu_kick(guest->vcpus[0]);
}

/* A guest that has set up its interrupts and is about to halt. */
static Guest *
stopped_guest(void)
{
    Guest *guest = guest_new(2, 16 << 20, NULL);

    guest->call = stop;
    irq_guest_start(guest, 0, 0x100000, 0x7000000);
    guest_run(guest);
    kiln_assert_no_error(guest->error);
    ck_assert_int_eq(guest->last, KILN_VCPU_KICKED);
    return guest;
}

typedef struct {
    KilnVcpuState *vcpus[2];
    KilnVmState vm;
} Saved;

static void
saved_init(Saved *saved)
{
    memset(saved, 0, sizeof *saved);
    saved->vcpus[0] = kiln_vcpu_state_new();
    saved->vcpus[1] = kiln_vcpu_state_new();
}

static void
saved_clear(Saved *saved)
{
    kiln_vcpu_state_free(saved->vcpus[0]);
    kiln_vcpu_state_free(saved->vcpus[1]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Saved, saved_clear)

static void
save(Guest *guest, Saved *saved)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 2; i++) {
        kiln_vcpu_save(guest->vcpus[i], saved->vcpus[i], &error);
        kiln_assert_no_error(error);
    }
    kiln_vm_save(guest->vm, &saved->vm, &error);
    kiln_assert_no_error(error);
}

static void
load(Guest *guest, const Saved *saved)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 2; i++) {
        kiln_vcpu_load(guest->vcpus[i], saved->vcpus[i], &error);
        kiln_assert_no_error(error);
    }
    kiln_vm_load(guest->vm, &saved->vm, &error);
    kiln_assert_no_error(error);
}

static void
entries(Saved *saved, KilnStateEntry *list)
{
    list[0] = (KilnStateEntry){ .description = &kiln_vcpu_state, .object = saved->vcpus[0] };
    list[1] = (KilnStateEntry){ .description = &kiln_vcpu_state,
                                .instance = 1,
                                .object = saved->vcpus[1] };
    list[2] = (KilnStateEntry){ .description = &kiln_vm_state, .object = &saved->vm };
}

static uint64_t
msr(const KilnVcpuState *state, uint32_t index)
{
    for (guint i = 0; i < state->n_msrs; i++)
        if (state->msr_indices[i] == index)
            return state->msr_values[i];
    ck_abort_msg("MSR 0x%x was not saved", index);
    return 0;
}

START_TEST(goes_on_elsewhere)
{
    g_autoptr(Guest) from = stopped_guest();
    g_autoptr(Guest) to = guest_new(2, 16 << 20, NULL);
    g_auto(Saved) saved, loaded, again;
    g_autoptr(GByteArray) stream = NULL;
    g_autoptr(GError) error = NULL;
    KilnStateEntry list[3];

    saved_init(&saved);
    saved_init(&loaded);
    saved_init(&again);
    save(from, &saved);
    entries(&saved, list);
    stream = kiln_state_save(list, 3);
    entries(&loaded, list);
    kiln_state_load(stream->data, stream->len, list, 3, &error);
    kiln_assert_no_error(error);

    memcpy(kiln_memory_map(to->memory, 0, 16 << 20), kiln_memory_map(from->memory, 0, 16 << 20),
           16 << 20);
    load(to, &loaded);
    save(to, &again);
    ck_assert_mem_eq(&again.vcpus[0]->regs, &saved.vcpus[0]->regs, sizeof saved.vcpus[0]->regs);
    ck_assert_mem_eq(&again.vcpus[0]->sregs, &saved.vcpus[0]->sregs, sizeof saved.vcpus[0]->sregs);
    ck_assert_uint_eq(again.vcpus[1]->mp_state, KVM_MP_STATE_UNINITIALIZED);
    ck_assert_uint_eq(msr(again.vcpus[0], 0xc0000102), 0x7000000);
    /* Before Linux 6.7 KVM takes a TSC less than a second away from the new VM's own for an attempt
     * to synchronise the two, and keeps its own. */
    ck_assert_uint_ge(msr(again.vcpus[0], 0x10) +
                          saved.vcpus[0]->tsc_khz * G_GUINT64_CONSTANT(1000),
                      msr(saved.vcpus[0], 0x10));
    ck_assert_mem_eq(again.vm.ioapic_redirection, saved.vm.ioapic_redirection,
                     sizeof saved.vm.ioapic_redirection);
    ck_assert_uint_eq(again.vm.ioapic_redirection[IRQ_GUEST_PIN] & 0xff, IRQ_GUEST_VECTOR);
    ck_assert_uint_ge(again.vm.clock, saved.vm.clock);

    /* IDT, LAPIC, IOAPIC, registers and MSRs are all there: the interrupt arrives. */
    kiln_vm_set_irq_line(to->vm, IRQ_GUEST_PIN, TRUE);
    guest_run(to);
    kiln_assert_no_error(to->error);
    ck_assert(to->done);
    ck_assert_uint_eq(to->result, 0x7100030);

    /* and the source goes on too */
    kiln_vm_set_irq_line(from->vm, IRQ_GUEST_PIN, TRUE);
    guest_run(from);
    ck_assert_uint_eq(from->result, 0x7100030);
}
END_TEST

/* An interrupt that is pending in the IOAPIC or the LAPIC is not lost on the way. */
START_TEST(pending_interrupt_travels)
{
    g_autoptr(Guest) from = stopped_guest();
    g_autoptr(Guest) to = guest_new(2, 16 << 20, NULL);
    g_auto(Saved) saved;

    saved_init(&saved);
    kiln_vm_set_irq_line(from->vm, IRQ_GUEST_PIN, TRUE);
    save(from, &saved);
    memcpy(kiln_memory_map(to->memory, 0, 16 << 20), kiln_memory_map(from->memory, 0, 16 << 20),
           16 << 20);
    load(to, &saved);
    guest_run(to);
    kiln_assert_no_error(to->error);
    ck_assert_uint_eq(to->result, 0x7100030);
}
END_TEST

START_TEST(refuses_nonsense)
{
    g_autoptr(Guest) guest = stopped_guest();
    g_auto(Saved) saved;
    g_autoptr(GError) error = NULL;
    KilnVcpuState *state;

    saved_init(&saved);
    save(guest, &saved);
    state = saved.vcpus[0];
    state->msr_indices[0] = 0x1badbad;
    state->msr_values[0] = 1;
    ck_assert(!kiln_vcpu_load(guest->vcpus[0], state, &error));
    kiln_assert_error_has(error, "vCPU 0: KVM: refuses 0x1 in MSR 0x1badbad");
    g_clear_error(&error);
    state->msr_values[0] = 0;
    ck_assert(kiln_vcpu_load(guest->vcpus[0], state, &error));
    state->xsave = g_realloc(state->xsave, KILN_VCPU_XSAVE_MAX);
    memset(state->xsave, 0xff, KILN_VCPU_XSAVE_MAX);
    state->xsave_size = KILN_VCPU_XSAVE_MAX;
    ck_assert(!kiln_vcpu_load(guest->vcpus[0], state, &error));
    kiln_assert_error_has(error, "FPU state is larger");
    g_clear_error(&error);
    state->xsave_size = 0;
    state->sregs.cr0 = 0x80000000; /* paging without protection */
    ck_assert(!kiln_vcpu_load(guest->vcpus[0], state, &error));
    kiln_assert_error_has(error, "its special registers");
}
END_TEST

GUEST_ASM(identify, "mov $0x80000002, %eax\n cpuid\n mov %eax, 0x20000\n mov $1, %eax\n cpuid\n"
                    "mov %ebx, %eax\n shr $16, %eax\n mov %edx, 0x20004\n" GUEST_DONE);

START_TEST(cpuid_as_given)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnKvm) kvm = kiln_kvm_open(&error);
    g_autofree struct kvm_cpuid2 *supported = kiln_kvm_supported_cpuid(kvm, &error);
    KilnCpuOptions options = {
        .mode = KILN_CPU_HOST_MODEL,
        .topology = { .sockets = 1, .dies = 1, .cores = 3, .threads = 2 },
    };
    g_autoptr(KilnCpuid) cpuid = kiln_cpuid_new(supported, &options, &error);
    g_autoptr(Guest) guest = NULL;
    char brand[5] = "";
    uint32_t features;

    kiln_assert_no_error(error);
    guest = guest_new(1, 16 << 20, kiln_cpuid_for_vcpu(cpuid, 0));
    guest_run_code(guest, identify, KILN_VCPU_START_LONG64);
    ck_assert_uint_eq(guest->result, 8); /* APIC ids of a socket; this one's id is 0 */
    ck_assert(kiln_memory_read(guest->memory, 0x20000, brand, 4));
    ck_assert_str_eq(brand, "Kiln");
    ck_assert(kiln_memory_read(guest->memory, 0x20004, &features, 4));
    ck_assert_uint_eq(features >> 9 & 1, 1);  /* KVM has this one follow the APIC base */
    ck_assert_uint_eq(features >> 28 & 1, 1); /* several CPUs in a package */
}
END_TEST

static Suite *
state_suite(void)
{
    Suite *suite = suite_create("kvm/state");
    TCase *tcase = kiln_test_case(suite, "state");

    tcase_add_test(tcase, goes_on_elsewhere);
    tcase_add_test(tcase, pending_interrupt_travels);
    tcase_add_test(tcase, refuses_nonsense);
    tcase_add_test(tcase, cpuid_as_given);
    return suite;
}

GUEST_TEST_MAIN(state_suite)
