/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values after reset: SDM vol. 3A, table "IA-32 and Intel 64 Processor States Following Power-up,
 * Reset, or INIT", ed. 081; of the LAPIC: "Local APIC State After Power-Up or Reset". */
#include "kvm/vcpu-start.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/le.h"
#include "kvm/msr.h"
#include "memory/layout.h"

enum {
    CR0_PE = 1 << 0,
    CR0_ET = 1 << 4,
    CR0_NW = 1 << 29,
    CR0_CD = 1 << 30,
    CR4_PAE = 1 << 5,
    EFER_LME = 1 << 8,
    EFER_LMA = 1 << 10,
    APIC_BASE_BSP = 1 << 8,
    APIC_BASE_ENABLED = 1 << 11,
    RFLAGS_ALWAYS = 1 << 1,
    SELECTOR_CODE = 0x10, /* Linux boot protocol 2.15: __BOOT_CS, __BOOT_DS */
    SELECTOR_DATA = 0x18,
    /* Segment types: SDM vol. 3A, "Code- and Data-Segment Descriptor Types", ed. 081 */
    TYPE_DATA = 3,  /* writable, accessed */
    TYPE_CODE = 11, /* readable, accessed */
    TYPE_LDT = 2,
    TYPE_TSS = 11, /* 32-bit or 64-bit, busy */
};

#define CR0_PG ((uint64_t)1 << 31)

static gboolean
fail(KilnVcpu *vcpu, const char *what, GError **error)
{
    return kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: KVM refuses its %s: %s",
                          kiln_vcpu_index(vcpu), what, g_strerror(errno));
}

/* A flat segment of 4 GiB, or of 64 KiB in real mode. */
static struct kvm_segment
segment(uint16_t selector, uint8_t type, gboolean flat)
{
    return (struct kvm_segment){
        .selector = selector,
        .limit = flat ? 0xffffffff : 0xffff,
        .type = type,
        .present = 1,
        .s = 1,
        .db = flat,
        .g = flat,
    };
}

static struct kvm_segment
system_segment(uint8_t type)
{
    return (struct kvm_segment){ .limit = 0xffff, .type = type, .present = 1 };
}

static void
set_data_segments(struct kvm_sregs *sregs, struct kvm_segment data)
{
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
}

static void
sregs_power_on(struct kvm_sregs *sregs, gboolean bsp)
{
    *sregs = (struct kvm_sregs){
        .cs = segment(0xf000, TYPE_CODE, FALSE),
        .tr = system_segment(TYPE_TSS),
        .ldt = system_segment(TYPE_LDT),
        .gdt = { .limit = 0xffff },
        .idt = { .limit = 0xffff },
        .cr0 = CR0_CD | CR0_NW | CR0_ET,
        .apic_base = KILN_LAYOUT_LAPIC | APIC_BASE_ENABLED | (bsp ? APIC_BASE_BSP : 0),
    };
    sregs->cs.base = 0xffff0000;
    set_data_segments(sregs, segment(0, TYPE_DATA, FALSE));
}

static void
sregs_protected(struct kvm_sregs *sregs, const KilnVcpuStart *start)
{
    sregs->cs = segment(SELECTOR_CODE, TYPE_CODE, TRUE);
    set_data_segments(sregs, segment(SELECTOR_DATA, TYPE_DATA, TRUE));
    sregs->gdt.base = start->gdt;
    sregs->gdt.limit = start->gdt_limit;
    sregs->idt.base = 0;
    sregs->idt.limit = 0;
    sregs->cr0 = CR0_PE | CR0_ET;
}

static void
sregs_long(struct kvm_sregs *sregs, const KilnVcpuStart *start)
{
    sregs_protected(sregs, start);
    sregs->cs.l = 1;
    sregs->cs.db = 0;
    sregs->cr3 = start->cr3;
    sregs->cr4 = CR4_PAE;
    sregs->cr0 |= CR0_PG;
    sregs->efer = EFER_LME | EFER_LMA;
}

static gboolean
set_regs(KilnVcpu *vcpu, const KilnVcpuStart *start, uint32_t signature, GError **error)
{
    struct kvm_regs regs = {
        .rax = start->rax,
        .rbx = start->rbx,
        .rcx = start->rcx,
        .rdx = start->rdx,
        .rsi = start->rsi,
        .rdi = start->rdi,
        .rbp = start->rbp,
        .rsp = start->rsp,
        .rip = start->rip,
        .rflags = RFLAGS_ALWAYS,
    };

    if (start->mode == KILN_VCPU_START_RESET || start->mode == KILN_VCPU_START_WAIT)
        regs = (struct kvm_regs){ .rip = 0xfff0, .rdx = signature, .rflags = RFLAGS_ALWAYS };
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_REGS, &regs) < 0)
        return fail(vcpu, "registers", error);
    return TRUE;
}

gboolean
kiln_vcpu_set_start(KilnVcpu *vcpu, const KilnVcpuStart *start, uint32_t signature, GError **error)
{
    struct kvm_sregs sregs;

    if (start->mtrr_default != 0 &&
        !kiln_msr_set_memory_type(kiln_vcpu_fd(vcpu), start->mtrr_default, error))
        return FALSE;
    switch (start->mode) {
    case KILN_VCPU_START_WAIT: /* KVM's SIPI sets the registers */ return TRUE;
    case KILN_VCPU_START_RESET: return set_regs(vcpu, start, signature, error);
    case KILN_VCPU_START_PROTECTED32:
    case KILN_VCPU_START_LONG64: break;
    }
    sregs_power_on(&sregs, TRUE);
    if (start->mode == KILN_VCPU_START_LONG64)
        sregs_long(&sregs, start);
    else
        sregs_protected(&sregs, start);
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_SREGS, &sregs) < 0)
        return fail(vcpu, "special registers", error);
    return set_regs(vcpu, start, signature, error);
}

/* The LAPIC with every vector masked; the version register is KVM's. */
static gboolean
reset_lapic(KilnVcpu *vcpu, gboolean bsp, GError **error)
{
    enum {
        LAPIC_ID = 0x20,
        LAPIC_VERSION = 0x30,
        LAPIC_DFR = 0xe0,
        LAPIC_SVR = 0xf0,
        LVT_FIRST = 0x320,
        LVT_LAST = 0x370
    };
    enum { LVT_LINT0 = 0x350, LVT_CMCI = 0x2f0, MASKED = 1 << 16, MODE_EXTINT = 7 << 8 };
    struct kvm_lapic_state now, lapic = { 0 };

    if (ioctl(kiln_vcpu_fd(vcpu), KVM_GET_LAPIC, &now) < 0)
        return fail(vcpu, "LAPIC", error);
    memcpy(lapic.regs + LAPIC_VERSION, now.regs + LAPIC_VERSION, 4);
    kiln_le32_store(lapic.regs + LAPIC_ID, kiln_vcpu_apic_id(vcpu) << 24);
    kiln_le32_store(lapic.regs + LAPIC_DFR, 0xffffffff);
    kiln_le32_store(lapic.regs + LAPIC_SVR, 0xff);
    kiln_le32_store(lapic.regs + LVT_CMCI, MASKED);
    for (guint reg = LVT_FIRST; reg <= LVT_LAST; reg += 0x10)
        kiln_le32_store(lapic.regs + reg, MASKED);
    if (bsp) /* virtual wire mode, as firmware leaves it: kernels without an IOAPIC rely on it */
        kiln_le32_store(lapic.regs + LVT_LINT0, MODE_EXTINT);
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_LAPIC, &lapic) < 0)
        return fail(vcpu, "LAPIC", error);
    return TRUE;
}

/* XSAVE's header without any bit tells KVM that all components are in their initial state. */
static gboolean
reset_fpu(KilnVcpu *vcpu, GError **error)
{
    enum { MXCSR = 24, MXCSR_RESET = 0x1f80, FCW_RESET = 0x37f };
    KilnVm *vm = kiln_vcpu_vm(vcpu);
    int size = kiln_kvm_capability(kiln_vm_kvm(vm), KVM_CAP_XSAVE2);
    g_autofree struct kvm_xsave *xsave = g_malloc0(MAX((gsize)size, sizeof *xsave));
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = 1 } } };

    kiln_le16_store((char *)xsave, FCW_RESET);
    kiln_le32_store((char *)xsave + MXCSR, MXCSR_RESET);
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_XSAVE, xsave) < 0)
        return fail(vcpu, "FPU state", error);
    /* EINVAL: the guest has no XSAVE, hence no XCR0. */
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_XCRS, &xcrs) < 0 && errno != EINVAL)
        return fail(vcpu, "XCR0", error);
    return TRUE;
}

static gboolean
reset_events(KilnVcpu *vcpu, gboolean bsp, GError **error)
{
    struct kvm_vcpu_events events = {
        .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
                 KVM_VCPUEVENT_VALID_SHADOW,
    };
    struct kvm_debugregs debug = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
    struct kvm_mp_state mp = {
        .mp_state = bsp ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED,
    };

    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_VCPU_EVENTS, &events) < 0)
        return fail(vcpu, "events", error);
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_DEBUGREGS, &debug) < 0)
        return fail(vcpu, "debug registers", error);
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_MP_STATE, &mp) < 0)
        return fail(vcpu, "MP state", error);
    return TRUE;
}

gboolean
kiln_vcpu_power_on(KilnVcpu *vcpu, GError **error)
{
    gboolean bsp = kiln_vcpu_apic_id(vcpu) == 0;
    struct kvm_sregs sregs;
    struct kvm_mp_state mp;

    /* MSRs first: CR4 cannot be cleared in VMX operation, which MSR 0x3a ends. */
    if (!kiln_msr_reset(kiln_vcpu_fd(vcpu), error))
        return FALSE;
    /* Only read so that KVM takes an INIT or SIPI that is under way, which else would come later.
     */
    (void)ioctl(kiln_vcpu_fd(vcpu), KVM_GET_MP_STATE, &mp);
    sregs_power_on(&sregs, bsp);
    if (ioctl(kiln_vcpu_fd(vcpu), KVM_SET_SREGS, &sregs) < 0)
        return fail(vcpu, "special registers", error);
    return reset_lapic(vcpu, bsp, error) && reset_fpu(vcpu, error) &&
           reset_events(vcpu, bsp, error);
}
