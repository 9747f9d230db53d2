/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/vcpu-error.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"

/* Where the guest is, for the end of a message; "" if KVM does not say. */
static char *
describe_place(KilnVcpu *vcpu)
{
    struct kvm_regs regs;
    struct kvm_sregs sregs;

    if (ioctl(kiln_vcpu_fd(vcpu), KVM_GET_REGS, &regs) < 0 ||
        ioctl(kiln_vcpu_fd(vcpu), KVM_GET_SREGS, &sregs) < 0)
        return g_strdup("");
    return g_strdup_printf(" at cs:rip 0x%x:0x%llx (rflags 0x%llx, cr0 0x%llx, cr2 0x%llx, "
                           "cr3 0x%llx, cr4 0x%llx, efer 0x%llx)",
                           sregs.cs.selector, regs.rip, regs.rflags, sregs.cr0, sregs.cr2,
                           sregs.cr3, sregs.cr4, sregs.efer);
}

static void
append_bytes(GString *text, const uint8_t *bytes, guint n)
{
    for (guint i = 0; i < n; i++)
        g_string_append_printf(text, "%s%02x", i == 0 ? "" : " ", bytes[i]);
}

/* ", instruction 'f3 0f b8 …'", where KVM reports its bytes. */
static char *
describe_instruction(const struct kvm_run *run)
{
    GString *text = g_string_new("");
    guint n;

    if (run->emulation_failure.suberror == KVM_INTERNAL_ERROR_EMULATION &&
        run->emulation_failure.ndata >= 1 &&
        (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) != 0) {
        n = MIN(run->emulation_failure.insn_size, sizeof run->emulation_failure.insn_bytes);
        g_string_append(text, ", instruction '");
        append_bytes(text, run->emulation_failure.insn_bytes, n);
        g_string_append_c(text, '\'');
    }
    return g_string_free(text, FALSE);
}

static const char *
suberror_name(uint32_t suberror)
{
    switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION: return "an instruction that KVM cannot emulate";
    case KVM_INTERNAL_ERROR_SIMUL_EX: return "simultaneous exceptions";
    case KVM_INTERNAL_ERROR_DELIVERY_EV: return "an exit while an event was delivered";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON: return "an exit that KVM does not know";
    default: return "unknown";
    }
}

static void
internal_error(KilnVcpu *vcpu, const struct kvm_run *run, const char *place, GError **error)
{
    g_autofree char *instruction = describe_instruction(run);

    kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: KVM internal error, suberror %u: %s%s%s",
                   kiln_vcpu_index(vcpu), run->internal.suberror,
                   suberror_name(run->internal.suberror), instruction, place);
}

void
kiln_vcpu_exit_error(KilnVcpu *vcpu, const struct kvm_run *run, GError **error)
{
    g_autofree char *place = describe_place(vcpu);
    guint index = kiln_vcpu_index(vcpu);

    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR: internal_error(vcpu, run, place, error); break;
    case KVM_EXIT_FAIL_ENTRY:
        kiln_error_set(error, KILN_ERROR_KVM,
                       "vCPU %u: the CPU refuses to enter the guest, hardware reason 0x%llx, on "
                       "host CPU %u%s",
                       index, run->fail_entry.hardware_entry_failure_reason, run->fail_entry.cpu,
                       place);
        break;
    case KVM_EXIT_UNKNOWN:
        kiln_error_set(error, KILN_ERROR_KVM,
                       "vCPU %u: the guest exited for an unknown hardware reason 0x%llx%s", index,
                       run->hw.hardware_exit_reason, place);
        break;
    default:
        kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: unexpected exit reason %u%s", index,
                       run->exit_reason, place);
    }
}

void
kiln_vcpu_run_error(KilnVcpu *vcpu, int errnum, GError **error)
{
    g_autofree char *place = describe_place(vcpu);

    if (errnum == EFAULT)
        kiln_error_set(error, KILN_ERROR_KVM,
                       "vCPU %u: the host could not give it a page of guest memory%s",
                       kiln_vcpu_index(vcpu), place);
    else /* g_strerror() may open files to convert its text, which a vCPU thread may not */
        kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: KVM cannot run it: %s%s",
                       kiln_vcpu_index(vcpu), strerrordesc_np(errnum), place);
}
