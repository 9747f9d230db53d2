/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define KVM_PATH "/dev/kvm"

struct KilnKvm {
    KilnFd fd; /* (owned) */
};

/* What Kiln cannot do without.  All are in Linux 4.12 and later on machines with VT-x or SVM. */
static const struct {
    guint number;
    const char *name;
    const char *purpose;
} needed[] = {
    { KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "guest memory" },
    { KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", "real mode" },
    { KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP", "the interrupt controllers" },
    { KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING", "message-signalled interrupts" },
    { KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI", "message-signalled interrupts" },
    { KVM_CAP_PIT2, "KVM_CAP_PIT2", "the interval timer" },
    { KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "interrupts of virtio devices" },
    { KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD", "doorbells of virtio devices" },
    { KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", "the CPU model" },
    { KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE", "several vCPUs" },
    { KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS", "reset" },
    { KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS", "reset" },
    { KVM_CAP_XSAVE, "KVM_CAP_XSAVE", "reset" },
    { KVM_CAP_XCRS, "KVM_CAP_XCRS", "reset" },
    { KVM_CAP_ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK", "the paravirtual clock" },
    { KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "pausing (it came with Linux 4.12)" },
};

int
kiln_kvm_capability(const KilnKvm *kvm, guint capability)
{
    int value = ioctl(kvm->fd, KVM_CHECK_EXTENSION, (unsigned long)capability);

    return MAX(value, 0);
}

static gboolean
check(const KilnKvm *kvm, GError **error)
{
    int version = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);

    if (version < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "%s: the descriptor is not KVM's: %s",
                              KVM_PATH, g_strerror(errno));
    if (version != KVM_API_VERSION)
        return kiln_error_set(error, KILN_ERROR_KVM,
                              "%s: its API has version %d and Kiln needs version %d", KVM_PATH,
                              version, KVM_API_VERSION);
    for (gsize i = 0; i < G_N_ELEMENTS(needed); i++)
        if (kiln_kvm_capability(kvm, needed[i].number) == 0)
            return kiln_error_set(
                error, KILN_ERROR_KVM,
                "%s: this kernel's KVM lacks %s, needed for %s: use a newer kernel", KVM_PATH,
                needed[i].name, needed[i].purpose);
    return TRUE;
}

KilnKvm *
kiln_kvm_new(KilnFd fd, GError **error)
{
    g_autoptr(KilnKvm) kvm = g_new0(KilnKvm, 1);

    kvm->fd = fd;
    return check(kvm, error) ? g_steal_pointer(&kvm) : NULL;
}

/* #syscalls openat: here alone the plain call, for its errno says what the user has to do. */
KilnKvm *
kiln_kvm_open(GError **error)
{
    int fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        return kiln_kvm_new(fd, error);
    switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        kiln_error_set(
            error, KILN_ERROR_KVM,
            "%s: %s: load the module kvm_intel or kvm_amd, and see that virtualisation is "
            "enabled in the firmware's settings",
            KVM_PATH, g_strerror(errno));
        break;
    case EACCES:
    case EPERM:
        kiln_error_set(error, KILN_ERROR_KVM,
                       "%s: %s: the user must be in the group that may write it, usually 'kvm' "
                       "(usermod -aG kvm USER, then log in again)",
                       KVM_PATH, g_strerror(errno));
        break;
    default:
        kiln_error_set(error, KILN_ERROR_KVM, "%s: cannot open: %s", KVM_PATH, g_strerror(errno));
    }
    return NULL;
}

void
kiln_kvm_free(KilnKvm *kvm)
{
    if (kvm == NULL)
        return;
    kiln_fd_clear(&kvm->fd);
    g_free(kvm);
}

int
kiln_kvm_fd(const KilnKvm *kvm)
{
    return kvm->fd;
}

guint
kiln_kvm_max_vcpus(const KilnKvm *kvm)
{
    guint max = (guint)kiln_kvm_capability(kvm, KVM_CAP_MAX_VCPUS);

    return max > 0 ? max : 4; /* Documentation/virt/kvm/api.rst, "4.7 KVM_CREATE_VCPU" */
}

guint
kiln_kvm_max_vcpu_id(const KilnKvm *kvm)
{
    guint max = (guint)kiln_kvm_capability(kvm, KVM_CAP_MAX_VCPU_ID);

    return max > 0 ? max : kiln_kvm_max_vcpus(kvm);
}

/* AMX is in the supported CPUID only of a process that has asked for room for its state.
 * #syscalls arch_prctl */
static void
ask_for_amx(void)
{
    enum { ARCH_REQ_XCOMP_GUEST_PERM = 0x1025, XFEATURE_XTILEDATA = 18 };

    (void)syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM, XFEATURE_XTILEDATA);
}

/* KVM leaves this bit to us, since it depends on the in-kernel LAPIC. */
static void
add_tsc_deadline(const KilnKvm *kvm, struct kvm_cpuid2 *cpuid)
{
    if (kiln_kvm_capability(kvm, KVM_CAP_TSC_DEADLINE_TIMER) == 0)
        return;
    for (guint i = 0; i < cpuid->nent; i++)
        if (cpuid->entries[i].function == 1)
            cpuid->entries[i].ecx |= 1u << 24;
}

struct kvm_cpuid2 *
kiln_kvm_supported_cpuid(const KilnKvm *kvm, GError **error)
{
    ask_for_amx();
    /* 100 entries are plenty today; KVM says E2BIG where they are not. */
    for (guint n = 100; n <= 1600; n *= 2) {
        g_autofree struct kvm_cpuid2 *cpuid =
            g_malloc0(sizeof *cpuid + n * sizeof cpuid->entries[0]);

        cpuid->nent = n;
        if (ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0) {
            add_tsc_deadline(kvm, cpuid);
            return g_steal_pointer(&cpuid);
        }
        if (errno != E2BIG)
            break;
    }
    kiln_error_set(error, KILN_ERROR_KVM, "%s: cannot tell what CPUID it supports: %s", KVM_PATH,
                   g_strerror(errno));
    return NULL;
}

uint64_t
kiln_kvm_arch_capabilities(const KilnKvm *kvm)
{
    enum { MSR_ARCH_CAPABILITIES = 0x10a };
    g_autofree struct kvm_msrs *batch = g_malloc0(sizeof *batch + sizeof batch->entries[0]);

    batch->nmsrs = 1;
    batch->entries[0].index = MSR_ARCH_CAPABILITIES;
    return ioctl(kvm->fd, KVM_GET_MSRS, batch) == 1 ? batch->entries[0].data : 0;
}
