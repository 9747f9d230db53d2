/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/vcpu-state.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"

enum {
    MSR_TSC_DEADLINE = 0x6e0, /* taken only when the LAPIC's timer is in that mode */
    TSC_TOLERANCE_PPM = 250,  /* what KVM itself takes for the same frequency */
};

static const KilnStateField segment_fields[] = {
    KILN_STATE(struct kvm_segment, base, 1),
    KILN_STATE(struct kvm_segment, limit, 1),
    KILN_STATE(struct kvm_segment, selector, 1),
    KILN_STATE_RANGE(struct kvm_segment, type, 1, 0, 15),
    KILN_STATE_RANGE(struct kvm_segment, present, 1, 0, 1),
    KILN_STATE_RANGE(struct kvm_segment, dpl, 1, 0, 3),
    KILN_STATE_RANGE(struct kvm_segment, db, 1, 0, 1),
    KILN_STATE_RANGE(struct kvm_segment, s, 1, 0, 1),
    KILN_STATE_RANGE(struct kvm_segment, l, 1, 0, 1),
    KILN_STATE_RANGE(struct kvm_segment, g, 1, 0, 1),
    KILN_STATE_RANGE(struct kvm_segment, avl, 1, 0, 1),
    KILN_STATE_RANGE(struct kvm_segment, unusable, 1, 0, 1),
    KILN_STATE_END,
};
static const KilnStateDescription segment_state = {
    .name = "segment",
    .version = 1,
    .min_version = 1,
    .fields = segment_fields,
};

static const KilnStateField dtable_fields[] = {
    KILN_STATE(struct kvm_dtable, base, 1),
    KILN_STATE(struct kvm_dtable, limit, 1),
    KILN_STATE_END,
};
static const KilnStateDescription dtable_state = {
    .name = "dtable",
    .version = 1,
    .min_version = 1,
    .fields = dtable_fields,
};

static const KilnStateField regs_fields[] = {
    KILN_STATE(struct kvm_regs, rax, 1),
    KILN_STATE(struct kvm_regs, rbx, 1),
    KILN_STATE(struct kvm_regs, rcx, 1),
    KILN_STATE(struct kvm_regs, rdx, 1),
    KILN_STATE(struct kvm_regs, rsi, 1),
    KILN_STATE(struct kvm_regs, rdi, 1),
    KILN_STATE(struct kvm_regs, rsp, 1),
    KILN_STATE(struct kvm_regs, rbp, 1),
    KILN_STATE(struct kvm_regs, r8, 1),
    KILN_STATE(struct kvm_regs, r9, 1),
    KILN_STATE(struct kvm_regs, r10, 1),
    KILN_STATE(struct kvm_regs, r11, 1),
    KILN_STATE(struct kvm_regs, r12, 1),
    KILN_STATE(struct kvm_regs, r13, 1),
    KILN_STATE(struct kvm_regs, r14, 1),
    KILN_STATE(struct kvm_regs, r15, 1),
    KILN_STATE(struct kvm_regs, rip, 1),
    KILN_STATE(struct kvm_regs, rflags, 1),
    KILN_STATE_END,
};
static const KilnStateDescription regs_state = {
    .name = "regs",
    .version = 1,
    .min_version = 1,
    .fields = regs_fields,
};

#define SEGMENT(member) KILN_STATE_STRUCT(struct kvm_sregs, member, 1, &segment_state)
#define DTABLE(member)  KILN_STATE_STRUCT(struct kvm_sregs, member, 1, &dtable_state)
static const KilnStateField sregs_fields[] = {
    SEGMENT(cs),
    SEGMENT(ds),
    SEGMENT(es),
    SEGMENT(fs),
    SEGMENT(gs),
    SEGMENT(ss),
    SEGMENT(tr),
    SEGMENT(ldt),
    DTABLE(gdt),
    DTABLE(idt),
    KILN_STATE(struct kvm_sregs, cr0, 1),
    KILN_STATE(struct kvm_sregs, cr2, 1),
    KILN_STATE(struct kvm_sregs, cr3, 1),
    KILN_STATE(struct kvm_sregs, cr4, 1),
    KILN_STATE_RANGE(struct kvm_sregs, cr8, 1, 0, 15),
    KILN_STATE(struct kvm_sregs, efer, 1),
    KILN_STATE(struct kvm_sregs, apic_base, 1),
    KILN_STATE_ARRAY(struct kvm_sregs, interrupt_bitmap, 1),
    KILN_STATE_END,
};
static const KilnStateDescription sregs_state = {
    .name = "sregs",
    .version = 1,
    .min_version = 1,
    .fields = sregs_fields,
};

#define EVENT(member) KILN_STATE(struct kvm_vcpu_events, member, 1)
static const KilnStateField events_fields[] = {
    EVENT(exception.injected),
    EVENT(exception.nr),
    EVENT(exception.has_error_code),
    EVENT(exception.pending),
    EVENT(exception.error_code),
    EVENT(interrupt.injected),
    EVENT(interrupt.nr),
    EVENT(interrupt.soft),
    EVENT(interrupt.shadow),
    EVENT(nmi.injected),
    EVENT(nmi.pending),
    EVENT(nmi.masked),
    EVENT(sipi_vector),
    EVENT(flags),
    EVENT(smi.smm),
    EVENT(smi.pending),
    EVENT(smi.smm_inside_nmi),
    EVENT(smi.latched_init),
    KILN_STATE_END,
};
static const KilnStateDescription events_state = {
    .name = "events",
    .version = 1,
    .min_version = 1,
    .fields = events_fields,
};

static const KilnStateField debugregs_fields[] = {
    KILN_STATE_ARRAY(struct kvm_debugregs, db, 1),
    KILN_STATE(struct kvm_debugregs, dr6, 1),
    KILN_STATE(struct kvm_debugregs, dr7, 1),
    KILN_STATE_END,
};
static const KilnStateDescription debugregs_state = {
    .name = "debugregs",
    .version = 1,
    .min_version = 1,
    .fields = debugregs_fields,
};

static const KilnStateField vcpu_fields[] = {
    KILN_STATE_STRUCT(KilnVcpuState, regs, 1, &regs_state),
    KILN_STATE_STRUCT(KilnVcpuState, sregs, 1, &sregs_state),
    KILN_STATE_STRUCT(KilnVcpuState, events, 1, &events_state),
    KILN_STATE_STRUCT(KilnVcpuState, debugregs, 1, &debugregs_state),
    KILN_STATE_BYTES(KilnVcpuState, lapic.regs, 1),
    KILN_STATE(KilnVcpuState, xcr0, 1),
    KILN_STATE_RANGE(KilnVcpuState, mp_state, 1, KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_AP_RESET_HOLD),
    KILN_STATE(KilnVcpuState, tsc_khz, 1),
    KILN_STATE_BUFFER(KilnVcpuState, xsave, xsave_size, 1, KILN_VCPU_XSAVE_MAX),
    KILN_STATE_RANGE(KilnVcpuState, n_msrs, 1, 0, KILN_MSR_MAX),
    KILN_STATE_ARRAY(KilnVcpuState, msr_indices, 1),
    KILN_STATE_ARRAY(KilnVcpuState, msr_values, 1),
    KILN_STATE_END,
};
const KilnStateDescription kiln_vcpu_state = {
    .name = "vcpu",
    .version = 1,
    .min_version = 1,
    .fields = vcpu_fields,
};

KilnVcpuState *
kiln_vcpu_state_new(void)
{
    return g_new0(KilnVcpuState, 1);
}

void
kiln_vcpu_state_free(KilnVcpuState *state)
{
    if (state == NULL)
        return;
    g_free(state->xsave);
    g_free(state);
}

/* One ioctl on the vCPU; @what is named if it fails. */
static gboolean
call(KilnVcpu *vcpu, unsigned long request, void *argument, const char *what, GError **error)
{
    if (ioctl(kiln_vcpu_fd(vcpu), request, argument) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: KVM refuses %s: %s",
                              kiln_vcpu_index(vcpu), what, g_strerror(errno));
    return TRUE;
}

/* 0: KVM does not know. */
static int
tsc_khz(KilnVcpu *vcpu)
{
    int khz = ioctl(kiln_vcpu_fd(vcpu), KVM_GET_TSC_KHZ, 0);

    return MAX(khz, 0);
}

/* Bytes that KVM's XSAVE ioctls of this process take. */
static gsize
xsave_size(KilnVcpu *vcpu)
{
    int size = kiln_kvm_capability(kiln_vm_kvm(kiln_vcpu_vm(vcpu)), KVM_CAP_XSAVE2);

    return MAX((gsize)size, sizeof(struct kvm_xsave));
}

static gboolean
save_xsave(KilnVcpu *vcpu, KilnVcpuState *state, GError **error)
{
    gsize size = xsave_size(vcpu);
    struct kvm_xcrs xcrs = { .nr_xcrs = 0 };

    g_free(state->xsave);
    state->xsave = g_malloc0(size);
    state->xsave_size = (uint32_t)size;
    state->xcr0 = 0;
    if (!call(vcpu, size > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, state->xsave,
              "to read its FPU state", error))
        return FALSE;
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_GET_XCRS, &xcrs) == 0)
        for (guint i = 0; i < MIN(xcrs.nr_xcrs, KVM_MAX_XCRS); i++)
            if (xcrs.xcrs[i].xcr == 0)
                state->xcr0 = xcrs.xcrs[i].value;
    return TRUE;
}

static gboolean
save_msrs(KilnVcpu *vcpu, KilnVcpuState *state, GError **error)
{
    g_autofree struct kvm_msr_entry *entries = g_new0(struct kvm_msr_entry, KILN_MSR_MAX);
    int n = kiln_msr_list(kiln_vm_kvm(kiln_vcpu_vm(vcpu)), state->msr_indices, error);

    if (n < 0)
        return FALSE;
    for (int i = 0; i < n; i++)
        entries[i].index = state->msr_indices[i];
    n = kiln_msr_read(kiln_vcpu_fd(vcpu), entries, (guint)n, error);
    if (n < 0)
        return FALSE;
    memset(state->msr_indices, 0, sizeof state->msr_indices);
    memset(state->msr_values, 0, sizeof state->msr_values);
    for (int i = 0; i < n; i++) {
        state->msr_indices[i] = entries[i].index;
        state->msr_values[i] = entries[i].data;
    }
    state->n_msrs = (uint32_t)n;
    return TRUE;
}

/* A guest that runs guests of its own has state in KVM that is not read here. */
static gboolean
refuse_nested(KilnVcpu *vcpu, const KilnVcpuState *state, GError **error)
{
    enum { CR4_VMXE = 1 << 13, EFER_SVME = 1 << 12 };

    if ((state->sregs.cr4 & CR4_VMXE) == 0 && (state->sregs.efer & EFER_SVME) == 0)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                          "vCPU %u: the guest uses nested virtualisation, whose state cannot be "
                          "saved",
                          kiln_vcpu_index(vcpu));
}

gboolean
kiln_vcpu_save(KilnVcpu *vcpu, KilnVcpuState *state, GError **error)
{
    struct kvm_mp_state mp = { .mp_state = 0 };

    /* MP state first: reading it makes KVM take an INIT or SIPI that is under way. */
    if (!call(vcpu, KVM_GET_MP_STATE, &mp, "to read its MP state", error) ||
        !call(vcpu, KVM_GET_REGS, &state->regs, "to read its registers", error) ||
        !call(vcpu, KVM_GET_SREGS, &state->sregs, "to read its special registers", error) ||
        !call(vcpu, KVM_GET_DEBUGREGS, &state->debugregs, "to read its debug registers", error) ||
        !call(vcpu, KVM_GET_LAPIC, &state->lapic, "to read its LAPIC", error) ||
        !call(vcpu, KVM_GET_VCPU_EVENTS, &state->events, "to read its events", error))
        return FALSE;
    state->mp_state = mp.mp_state;
    state->tsc_khz = (uint32_t)tsc_khz(vcpu);
    return refuse_nested(vcpu, state, error) && save_xsave(vcpu, state, error) &&
           save_msrs(vcpu, state, error);
}

static gboolean
load_tsc_khz(KilnVcpu *vcpu, const KilnVcpuState *state, GError **error)
{
    int now = tsc_khz(vcpu);
    uint64_t difference = (uint64_t)ABS((int64_t)state->tsc_khz - now);

    if (state->tsc_khz == 0 || difference * 1000000 <= (uint64_t)state->tsc_khz * TSC_TOLERANCE_PPM)
        return TRUE;
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_TSC_KHZ, (unsigned long)state->tsc_khz) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM,
                              "vCPU %u: its TSC runs at %u kHz, this host's at %d kHz, and this "
                              "CPU cannot scale it",
                              kiln_vcpu_index(vcpu), state->tsc_khz, now);
    return TRUE;
}

static gboolean
load_xsave(KilnVcpu *vcpu, const KilnVcpuState *state, GError **error)
{
    gsize size = xsave_size(vcpu);
    g_autofree uint8_t *buffer = g_malloc0(MAX(size, state->xsave_size));
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = state->xcr0 } } };

    if (state->xcr0 != 0 && !call(vcpu, KVM_SET_XCRS, &xcrs, "its XCR0", error))
        return FALSE;
    if (state->xsave_size == 0)
        return TRUE;
    memcpy(buffer, state->xsave, state->xsave_size);
    for (gsize i = size; i < state->xsave_size; i++)
        if (buffer[i] != 0)
            return kiln_error_set(error, KILN_ERROR_KVM,
                                  "vCPU %u: its FPU state is larger than this host's CPU has",
                                  kiln_vcpu_index(vcpu));
    return call(vcpu, KVM_SET_XSAVE, buffer, "its FPU state", error);
}

/* All but the timer's deadline, or that alone. */
static gboolean
load_msrs(KilnVcpu *vcpu, const KilnVcpuState *state, gboolean deadline, GError **error)
{
    g_autofree struct kvm_msr_entry *entries = g_new0(struct kvm_msr_entry, KILN_MSR_MAX);
    guint n = 0;

    for (guint i = 0; i < MIN(state->n_msrs, KILN_MSR_MAX); i++)
        if ((state->msr_indices[i] == MSR_TSC_DEADLINE) == (deadline != FALSE))
            entries[n++] = (struct kvm_msr_entry){ .index = state->msr_indices[i],
                                                   .data = state->msr_values[i] };
    if (kiln_msr_write(kiln_vcpu_fd(vcpu), entries, n, TRUE, error))
        return TRUE;
    g_prefix_error(error, "vCPU %u: ", kiln_vcpu_index(vcpu));
    return FALSE;
}

/* Each line needs those above it: the LAPIC its base, deadline and events the LAPIC. */
gboolean
kiln_vcpu_load(KilnVcpu *vcpu, const KilnVcpuState *state, GError **error)
{
    KilnVcpuState copy = *state; /* KVM's ioctls take pointers that are not const */
    struct kvm_mp_state mp = { .mp_state = state->mp_state };

    kiln_vcpu_set_used(vcpu);
    copy.events.flags &=
        KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;
    copy.debugregs.flags = 0;
    return load_tsc_khz(vcpu, state, error) &&
           call(vcpu, KVM_SET_SREGS, &copy.sregs, "its special registers", error) &&
           call(vcpu, KVM_SET_REGS, &copy.regs, "its registers", error) &&
           load_xsave(vcpu, state, error) && load_msrs(vcpu, state, FALSE, error) &&
           call(vcpu, KVM_SET_LAPIC, &copy.lapic, "its LAPIC", error) &&
           load_msrs(vcpu, state, TRUE, error) &&
           call(vcpu, KVM_SET_MP_STATE, &mp, "its MP state", error) &&
           call(vcpu, KVM_SET_VCPU_EVENTS, &copy.events, "its events", error) &&
           call(vcpu, KVM_SET_DEBUGREGS, &copy.debugregs, "its debug registers", error);
}
