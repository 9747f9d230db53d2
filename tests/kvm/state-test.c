/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of vCPU and VM state: what is saved is what is loaded, without KVM. */
#include "tests/lib/kiln-test.h"

#include <string.h>

#include "kvm/vcpu-state.h"
#include "kvm/vm-state.h"

/* Every byte differs from its neighbours, but where a field has a range. */
static void
fill(KilnVcpuState *state)
{
    struct kvm_segment segment = {
        .base = 0x1122334455667788,
        .limit = 0xfffff,
        .selector = 0x18,
        .type = 11,
        .present = 1,
        .dpl = 3,
        .db = 1,
        .s = 1,
        .l = 1,
        .g = 1,
        .avl = 1,
        .unusable = 1,
    };

    for (gsize i = 0; i < sizeof *state; i++)
        ((uint8_t *)state)[i] = (uint8_t)(i * 7 + 1);
    state->sregs.cs = state->sregs.ds = state->sregs.es = state->sregs.fs = segment;
    state->sregs.gs = state->sregs.ss = state->sregs.tr = state->sregs.ldt = segment;
    state->sregs.cr8 = 15;
    state->mp_state = KVM_MP_STATE_HALTED;
    state->n_msrs = KILN_MSR_MAX;
    state->xsave_size = 4096;
    state->xsave = g_malloc(state->xsave_size);
    memset(state->xsave, 0x5a, state->xsave_size);
}

START_TEST(vcpu_round_trip)
{
    g_autoptr(KilnVcpuState) from = kiln_vcpu_state_new();
    g_autoptr(KilnVcpuState) to = kiln_vcpu_state_new();
    KilnStateEntry entry = { .description = &kiln_vcpu_state, .object = from };
    g_autoptr(GByteArray) first = NULL;
    g_autoptr(GByteArray) second = NULL;
    g_autoptr(GError) error = NULL;

    fill(from);
    first = kiln_state_save(&entry, 1);
    entry.object = to;
    ck_assert(kiln_state_load(first->data, first->len, &entry, 1, &error));
    second = kiln_state_save(&entry, 1);
    ck_assert_uint_eq(first->len, second->len);
    ck_assert_mem_eq(first->data, second->data, first->len);
    ck_assert_mem_eq(&from->regs, &to->regs, sizeof from->regs);
    ck_assert_mem_eq(&from->lapic, &to->lapic, sizeof from->lapic);
    ck_assert_mem_eq(from->msr_values, to->msr_values, sizeof from->msr_values);
    ck_assert_uint_eq(to->sregs.tr.base, from->sregs.tr.base);
    ck_assert_uint_eq(to->sregs.efer, from->sregs.efer);
    ck_assert_uint_eq(to->events.smi.latched_init, from->events.smi.latched_init);
}
END_TEST

START_TEST(vcpu_ranges)
{
    g_autoptr(KilnVcpuState) from = kiln_vcpu_state_new();
    g_autoptr(KilnVcpuState) to = kiln_vcpu_state_new();
    KilnStateEntry entry = { .description = &kiln_vcpu_state, .object = from };
    g_autoptr(GByteArray) stream = NULL;
    g_autoptr(GError) error = NULL;

    fill(from);
    from->n_msrs = KILN_MSR_MAX + 1;
    stream = kiln_state_save(&entry, 1);
    entry.object = to;
    ck_assert(!kiln_state_load(stream->data, stream->len, &entry, 1, &error));
    kiln_assert_error_has(error, "n_msrs");
    ck_assert_uint_eq(to->n_msrs, 0);
}
END_TEST

START_TEST(vm_round_trip)
{
    KilnVmState from, to = { .clock = 0 };
    KilnStateEntry entry = { .description = &kiln_vm_state, .object = &from };
    g_autoptr(GByteArray) first = NULL;
    g_autoptr(GByteArray) second = NULL;
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < sizeof from; i++)
        ((uint8_t *)&from)[i] = (uint8_t)(i * 11 + 3);
    for (guint i = 0; i < 2; i++) {
        from.pic[i].priority_add = 7;
        from.pic[i].init_state = 3;
    }
    for (guint i = 0; i < 3; i++)
        from.pit.channels[i].count = 0x10000;
    first = kiln_state_save(&entry, 1);
    entry.object = &to;
    kiln_state_load(first->data, first->len, &entry, 1, &error);
    kiln_assert_no_error(error);
    second = kiln_state_save(&entry, 1);
    ck_assert_uint_eq(first->len, second->len);
    ck_assert_mem_eq(first->data, second->data, first->len);
    ck_assert_mem_eq(from.ioapic_redirection, to.ioapic_redirection,
                     sizeof from.ioapic_redirection);
    ck_assert_uint_eq(from.clock, to.clock);
    ck_assert_uint_eq(from.pit.channels[2].mode, to.pit.channels[2].mode);
}
END_TEST

static Suite *
state_suite(void)
{
    Suite *suite = suite_create("kvm/state");
    TCase *tcase = kiln_test_case(suite, "tables");

    tcase_add_test(tcase, vcpu_round_trip);
    tcase_add_test(tcase, vcpu_ranges);
    tcase_add_test(tcase, vm_round_trip);
    return suite;
}

KILN_TEST_MAIN(state_suite)
