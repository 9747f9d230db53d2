/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/msr.h"

#include <asm/kvm_para.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"

/* Numbers: SDM vol. 4, table "IA-32 Architectural MSRs", ed. 081; AMD64 APM vol. 2, appendix A. */
enum {
    MSR_TSC = 0x10,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_SPEC_CTRL = 0x48,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_STATUS = 0x17a,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_XFD = 0x1c4,
    MSR_MTRR_PHYS_FIRST = 0x200, /* 8 pairs of base and mask */
    MSR_MTRR_FIX_64K = 0x250,
    MSR_MTRR_FIX_16K = 0x258, /* two */
    MSR_MTRR_FIX_4K = 0x268,  /* eight */
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_PERF_FIXED_CTRL = 0x38d,
    MSR_PERF_GLOBAL_CTRL = 0x38f,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_XSS = 0xda0,
};

/* Bits of MSR_MISC_ENABLE: SDM vol. 4, table 2-2.  BTS and PEBS are KVM's to leave out. */
enum { MISC_FAST_STRINGS = 1 << 0, MISC_NO_BTS = 1 << 11, MISC_NO_PEBS = 1 << 12 };

/* What a CPU has after power-on and KVM has not.  Without fast strings Linux does without "rep
 * movsb" on Intel CPUs. */
static const struct kvm_msr_entry power_on_values[] = {
    { .index = MSR_MISC_ENABLE, .data = MISC_FAST_STRINGS | MISC_NO_BTS | MISC_NO_PEBS },
};

static const struct kvm_msr_entry reset_values[] = {
    { .index = MSR_FEATURE_CONTROL }, /* at 0 KVM leaves VMX operation: before CR4 */
    /* vCPUs that are set to 0 one after the other have one clock.  On AMD's processors a triple
     * fault leaves the TSC's offset at 0, while kvmclock counts with the old one until it is told,
     * and the guest waits for its next tick for ever. */
    { .index = MSR_TSC },
    { .index = MSR_SPEC_CTRL },
    { .index = MSR_SYSENTER_CS },
    { .index = MSR_SYSENTER_ESP },
    { .index = MSR_SYSENTER_EIP },
    { .index = MSR_MCG_STATUS },
    { .index = MSR_XFD },
    { .index = MSR_MTRR_FIX_64K },
    { .index = MSR_MTRR_FIX_16K },
    { .index = MSR_MTRR_FIX_16K + 1 },
    { .index = MSR_MTRR_DEF_TYPE },
    { .index = MSR_PAT, .data = G_GUINT64_CONSTANT(0x0007040600070406) },
    { .index = MSR_PERF_FIXED_CTRL },
    { .index = MSR_PERF_GLOBAL_CTRL },
    { .index = MSR_TSC_DEADLINE },
    { .index = MSR_XSS },
    { .index = 0xc0000081 }, /* STAR */
    { .index = 0xc0000082 }, /* LSTAR */
    { .index = 0xc0000083 }, /* CSTAR */
    { .index = 0xc0000084 }, /* FMASK */
    { .index = 0xc0000102 }, /* KERNEL_GS_BASE */
    { .index = 0xc0000103 }, /* TSC_AUX */
    /* Where KVM writes into guest memory on its own: it must stop before that holds something else.
     */
    { .index = MSR_KVM_SYSTEM_TIME },
    { .index = MSR_KVM_WALL_CLOCK },
    { .index = MSR_KVM_SYSTEM_TIME_NEW },
    { .index = MSR_KVM_WALL_CLOCK_NEW },
    { .index = MSR_KVM_ASYNC_PF_EN },
    { .index = MSR_KVM_ASYNC_PF_INT },
    { .index = MSR_KVM_STEAL_TIME },
    { .index = MSR_KVM_PV_EOI_EN },
    { .index = MSR_KVM_POLL_CONTROL, .data = 1 },
};

/* What is in KVM's list but describes the host, or is set by CPUID and the TSC's frequency. */
static gboolean
is_state(uint32_t index)
{
    static const uint32_t others[] = {
        0x8b,       /* microcode revision */
        0xce,       /* PLATFORM_INFO */
        0xcf,       /* CORE_CAPABILITIES */
        0x10a,      /* ARCH_CAPABILITIES */
        0x345,      /* PERF_CAPABILITIES */
        0xc0010015, /* HWCR */
        0xc0010140, /* OSVW */
        0xc0010141,
        MSR_KVM_WALL_CLOCK, /* reading is harmless; writing makes KVM write the time again */
        MSR_KVM_WALL_CLOCK_NEW,
    };

    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        if (index == others[i])
            return FALSE;
    return !(index >= 0x40000000 && index <= 0x400001ff) && /* Hyper-V: not offered to the guest */
           !(index >= 0x480 && index <= 0x493);             /* VMX capabilities */
}

int
kiln_msr_list(const KilnKvm *kvm, uint32_t *indices, GError **error)
{
    g_autofree struct kvm_msr_list *list =
        g_malloc0(sizeof *list + KILN_MSR_MAX * sizeof list->indices[0]);
    int n = 0;

    list->nmsrs = KILN_MSR_MAX;
    if (ioctl(kiln_kvm_fd(kvm), KVM_GET_MSR_INDEX_LIST, list) < 0) {
        kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot list MSRs: %s", g_strerror(errno));
        return -1;
    }
    for (guint i = 0; i < MIN(list->nmsrs, KILN_MSR_MAX); i++)
        if (is_state(list->indices[i]))
            indices[n++] = list->indices[i];
    return n;
}

static struct kvm_msrs *
batch_new(guint n)
{
    return g_malloc0(sizeof(struct kvm_msrs) + n * sizeof(struct kvm_msr_entry));
}

/* KVM stops at the first MSR that it will not read: that one is left out, and it goes on behind. */
int
kiln_msr_read(int vcpu_fd, struct kvm_msr_entry *entries, guint n, GError **error)
{
    g_autofree struct kvm_msrs *batch = batch_new(n);
    guint kept = 0;

    for (guint at = 0; at < n;) {
        int done;

        batch->nmsrs = n - at;
        memcpy(batch->entries, entries + at, (n - at) * sizeof *entries);
        done = ioctl(vcpu_fd, KVM_GET_MSRS, batch);
        if (done < 0) {
            kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot read MSRs: %s", g_strerror(errno));
            return -1;
        }
        memcpy(entries + kept, batch->entries, (guint)done * sizeof *entries);
        kept += (guint)done;
        at += (guint)done + 1;
    }
    return (int)kept;
}

gboolean
kiln_msr_write(int vcpu_fd, const struct kvm_msr_entry *entries, guint n, gboolean strict,
               GError **error)
{
    g_autofree struct kvm_msrs *batch = batch_new(n);

    for (guint at = 0; at < n;) {
        int done;

        batch->nmsrs = n - at;
        memcpy(batch->entries, entries + at, (n - at) * sizeof *entries);
        done = ioctl(vcpu_fd, KVM_SET_MSRS, batch);
        if (done < 0)
            return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot write MSRs: %s",
                                  g_strerror(errno));
        at += (guint)done;
        if (at < n && strict && entries[at].data != 0)
            return kiln_error_set(
                error, KILN_ERROR_KVM,
                "KVM: refuses 0x%llx in MSR 0x%x: this host's CPU or kernel lacks "
                "what the guest uses",
                entries[at].data, entries[at].index);
        at++;
    }
    return TRUE;
}

gboolean
kiln_msr_power_on(int vcpu_fd, GError **error)
{
    return kiln_msr_write(vcpu_fd, power_on_values, G_N_ELEMENTS(power_on_values), FALSE, error);
}

gboolean
kiln_msr_set_memory_type(int vcpu_fd, uint64_t mtrr_default, GError **error)
{
    struct kvm_msr_entry entry = { .index = MSR_MTRR_DEF_TYPE, .data = mtrr_default };

    return kiln_msr_write(vcpu_fd, &entry, 1, FALSE, error);
}

gboolean
kiln_msr_reset(int vcpu_fd, GError **error)
{
    struct kvm_msr_entry ranges[16 + 8];

    memset(ranges, 0, sizeof ranges);
    for (guint i = 0; i < 16; i++)
        ranges[i].index = MSR_MTRR_PHYS_FIRST + i;
    for (guint i = 0; i < 8; i++)
        ranges[16 + i].index = MSR_MTRR_FIX_4K + i;
    return kiln_msr_write(vcpu_fd, ranges, G_N_ELEMENTS(ranges), FALSE, error) &&
           kiln_msr_write(vcpu_fd, reset_values, G_N_ELEMENTS(reset_values), FALSE, error) &&
           kiln_msr_power_on(vcpu_fd, error);
}
