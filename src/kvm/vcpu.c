/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/vcpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/lock.h"
#include "kvm/cpu-features.h"
#include "kvm/msr.h"
#include "kvm/vcpu-error.h"
#include "kvm/vcpu-start.h"

struct KilnVcpu {
    KilnVm *vm;
    KilnFd fd;           /* (owned) */
    struct kvm_run *run; /* (owned) mapping of @run_size bytes, shared with KVM */
    size_t run_size;
    guint index;
    uint32_t apic_id;
    const KilnVcpuOps *ops;
    void *opaque;
    gboolean used;    /* it has been started once, so that a start has things to clear */
    uint32_t cpuid_1; /* CPUID 1 EAX, which is in EDX after reset */

    KilnMutex lock; /* of @thread and @attached: nobody signals a thread that has ended */
    pthread_t thread;
    gboolean attached;
    int kicked; /* (atomic) see the comment of vcpu.h */

    uint64_t exits[KILN_VCPU_N_EXITS]; /* (atomic) written by the vCPU's thread */
};

static const char *const exit_names[KILN_VCPU_N_EXITS] = {
    [KILN_VCPU_EXIT_PIO] = "pio",
    [KILN_VCPU_EXIT_MMIO] = "mmio",
    [KILN_VCPU_EXIT_INTERRUPTED] = "interrupted",
    [KILN_VCPU_EXIT_EOI] = "eoi",
    [KILN_VCPU_EXIT_HALT] = "halt",
    [KILN_VCPU_EXIT_SYSTEM] = "system",
    [KILN_VCPU_EXIT_OTHER] = "other",
};

int
kiln_vcpu_kick_signal(void)
{
    return SIGRTMIN;
}

/* Its delivery is all that is wanted: it ends KVM_RUN. */
static void
on_kick(int number)
{
    (void)number;
}

static void
install_handler(void)
{
    struct sigaction action = { .sa_handler = on_kick };

    sigemptyset(&action.sa_mask);
    sigaction(kiln_vcpu_kick_signal(), &action, NULL);
}

static gboolean
set_cpuid(KilnVcpu *vcpu, const struct kvm_cpuid2 *cpuid, GError **error)
{
    if (cpuid == NULL)
        return TRUE;
    for (guint i = 0; i < cpuid->nent; i++)
        if (cpuid->entries[i].function == 1)
            vcpu->cpuid_1 = cpuid->entries[i].eax;
    if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: KVM refuses its CPUID: %s",
                              vcpu->index, g_strerror(errno));
    return TRUE;
}

static gboolean
set_arch_capabilities(KilnVcpu *vcpu, const KilnVcpuOptions *options, GError **error)
{
    struct kvm_msr_entry entry = {
        .index = KILN_CPU_MSR_ARCH_CAPABILITIES,
        .data = options->arch_capabilities,
    };

    if (!options->set_arch_capabilities || kiln_msr_write(vcpu->fd, &entry, 1, TRUE, error))
        return TRUE;
    g_prefix_error(error, "vCPU %u: ", vcpu->index);
    return FALSE;
}

/* Another frequency than the host's is there only where the processor can scale its TSC. */
static gboolean
set_tsc_khz(KilnVcpu *vcpu, uint32_t khz, GError **error)
{
    if (khz == 0 || ioctl(vcpu->fd, KVM_SET_TSC_KHZ, (unsigned long)khz) == 0)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_KVM,
                          "vCPU %u: KVM cannot give it a TSC of %u kHz on a host with %d kHz: %s",
                          vcpu->index, khz, ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0), g_strerror(errno));
}

KilnVcpu *
kiln_vcpu_new(KilnVm *vm, const KilnVcpuOptions *options, GError **error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    g_autoptr(KilnVcpu) vcpu = g_new0(KilnVcpu, 1);
    int size = ioctl(kiln_kvm_fd(kiln_vm_kvm(vm)), KVM_GET_VCPU_MMAP_SIZE, 0);
    void *run;

    pthread_once(&once, install_handler);
    kiln_mutex_init(&vcpu->lock);
    vcpu->vm = vm;
    vcpu->index = options->index;
    vcpu->apic_id = options->apic_id;
    vcpu->ops = options->ops;
    vcpu->opaque = options->opaque;
    vcpu->fd = ioctl(kiln_vm_fd(vm), KVM_CREATE_VCPU, (unsigned long)options->apic_id);
    if (vcpu->fd < 0) {
        kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: KVM cannot create it with APIC id %u: %s",
                       vcpu->index, vcpu->apic_id, g_strerror(errno));
        return NULL;
    }
    run = size > 0 ? mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0)
                   : MAP_FAILED;
    if (run == MAP_FAILED) {
        kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: cannot map KVM's page: %s", vcpu->index,
                       g_strerror(errno));
        return NULL;
    }
    vcpu->run = run;
    vcpu->run_size = (size_t)size;
    if (!set_cpuid(vcpu, options->cpuid, error) || !set_arch_capabilities(vcpu, options, error) ||
        !kiln_msr_power_on(vcpu->fd, error) || !set_tsc_khz(vcpu, options->tsc_khz, error))
        return NULL;
    return g_steal_pointer(&vcpu);
}

void
kiln_vcpu_free(KilnVcpu *vcpu)
{
    if (vcpu == NULL)
        return;
    if (vcpu->run != NULL)
        munmap(vcpu->run, vcpu->run_size);
    kiln_fd_clear(&vcpu->fd);
    kiln_mutex_clear(&vcpu->lock);
    g_free(vcpu);
}

guint
kiln_vcpu_index(const KilnVcpu *vcpu)
{
    return vcpu->index;
}

uint32_t
kiln_vcpu_apic_id(const KilnVcpu *vcpu)
{
    return vcpu->apic_id;
}

int
kiln_vcpu_fd(const KilnVcpu *vcpu)
{
    return vcpu->fd;
}

KilnVm *
kiln_vcpu_vm(const KilnVcpu *vcpu)
{
    return vcpu->vm;
}

gboolean
kiln_vcpu_start(KilnVcpu *vcpu, const KilnVcpuStart *start, GError **error)
{
    gboolean used = vcpu->used;

    vcpu->used = TRUE; /* also if what follows fails half-way */
    return (!used || kiln_vcpu_power_on(vcpu, error)) &&
           kiln_vcpu_set_start(vcpu, start, vcpu->cpuid_1, error);
}

void
kiln_vcpu_set_used(KilnVcpu *vcpu)
{
    vcpu->used = TRUE;
}

void
kiln_vcpu_attach(KilnVcpu *vcpu)
{
    sigset_t kick;

    sigemptyset(&kick);
    sigaddset(&kick, kiln_vcpu_kick_signal());
    pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
    KILN_LOCK_SCOPE(&vcpu->lock);
    vcpu->thread = pthread_self();
    vcpu->attached = TRUE;
}

void
kiln_vcpu_detach(KilnVcpu *vcpu)
{
    KILN_LOCK_SCOPE(&vcpu->lock);
    vcpu->attached = FALSE;
}

void
kiln_vcpu_kick(KilnVcpu *vcpu)
{
    __atomic_store_n(&vcpu->kicked, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    KILN_LOCK_SCOPE(&vcpu->lock);
    if (vcpu->attached && !pthread_equal(vcpu->thread, pthread_self()))
        pthread_kill(vcpu->thread, kiln_vcpu_kick_signal());
}

/* KVM came back because of a signal or immediate_exit; the order here is the one in vcpu.h. */
static KilnVcpuResult
interrupted(KilnVcpu *vcpu)
{
    __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    return __atomic_exchange_n(&vcpu->kicked, 0, __ATOMIC_SEQ_CST) ? KILN_VCPU_KICKED
                                                                   : KILN_VCPU_CONTINUE;
}

static void
count(KilnVcpu *vcpu, KilnVcpuExit kind)
{
    __atomic_store_n(&vcpu->exits[kind], vcpu->exits[kind] + 1, __ATOMIC_RELAXED);
}

/* @size and @count are KVM's, and the data is within the mapping: KVM is trusted, the guest only
 * chose the port and the values. */
static void
handle_pio(KilnVcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    uint16_t port = run->io.port;
    guint size = MIN(run->io.size, 4);

    for (uint32_t n = run->io.count; n > 0; n--, data += size) {
        uint32_t value = 0;

        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, size);
            vcpu->ops->pio_write(vcpu->opaque, port, size, value);
        } else {
            value = vcpu->ops->pio_read(vcpu->opaque, port, size);
            memcpy(data, &value, size);
        }
    }
}

static void
handle_mmio(KilnVcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    guint size = MIN(run->mmio.len, sizeof run->mmio.data);
    uint64_t value = 0;

    if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, size);
        vcpu->ops->mmio_write(vcpu->opaque, run->mmio.phys_addr, size, value);
    } else {
        value = vcpu->ops->mmio_read(vcpu->opaque, run->mmio.phys_addr, size);
        memcpy(run->mmio.data, &value, size);
    }
}

static KilnVcpuResult
handle_system_event(KilnVcpu *vcpu, GError **error)
{
    switch (vcpu->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN: return KILN_VCPU_SHUTDOWN;
    case KVM_SYSTEM_EVENT_RESET: return KILN_VCPU_RESET;
    case KVM_SYSTEM_EVENT_CRASH: return KILN_VCPU_CRASHED;
    default:
        kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: KVM reports system event '%u'", vcpu->index,
                       vcpu->run->system_event.type);
        return KILN_VCPU_ERROR;
    }
}

static KilnVcpuResult
handle_exit(KilnVcpu *vcpu, GError **error)
{
    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_IO:
        count(vcpu, KILN_VCPU_EXIT_PIO);
        handle_pio(vcpu);
        return KILN_VCPU_CONTINUE;
    case KVM_EXIT_MMIO:
        count(vcpu, KILN_VCPU_EXIT_MMIO);
        handle_mmio(vcpu);
        return KILN_VCPU_CONTINUE;
    case KVM_EXIT_INTR: count(vcpu, KILN_VCPU_EXIT_INTERRUPTED); return interrupted(vcpu);
    case KVM_EXIT_IOAPIC_EOI: count(vcpu, KILN_VCPU_EXIT_EOI); return KILN_VCPU_CONTINUE;
    case KVM_EXIT_HLT: count(vcpu, KILN_VCPU_EXIT_HALT); return KILN_VCPU_CONTINUE;
    case KVM_EXIT_SHUTDOWN: /* triple fault */
        count(vcpu, KILN_VCPU_EXIT_SYSTEM);
        return KILN_VCPU_RESET;
    case KVM_EXIT_SYSTEM_EVENT:
        count(vcpu, KILN_VCPU_EXIT_SYSTEM);
        return handle_system_event(vcpu, error);
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR: count(vcpu, KILN_VCPU_EXIT_OTHER); return KILN_VCPU_CONTINUE;
    default:
        count(vcpu, KILN_VCPU_EXIT_OTHER);
        kiln_vcpu_exit_error(vcpu, vcpu->run, error);
        return KILN_VCPU_ERROR;
    }
}

KilnVcpuResult
kiln_vcpu_run(KilnVcpu *vcpu, GError **error)
{
    int errnum;

    if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
        return handle_exit(vcpu, error);
    errnum = errno;
    if (errnum == EINTR) {
        count(vcpu, KILN_VCPU_EXIT_INTERRUPTED);
        return interrupted(vcpu);
    }
    if (errnum == EAGAIN) { /* a vCPU that waits for its SIPI was woken by something else */
        count(vcpu, KILN_VCPU_EXIT_OTHER);
        return KILN_VCPU_CONTINUE;
    }
    count(vcpu, KILN_VCPU_EXIT_OTHER);
    kiln_vcpu_run_error(vcpu, errnum, error);
    return KILN_VCPU_ERROR;
}

void
kiln_vcpu_was_paused(KilnVcpu *vcpu)
{
    /* EINVAL: the guest does not use kvmclock. */
    (void)ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

gboolean
kiln_vcpu_nmi(KilnVcpu *vcpu, GError **error)
{
    if (ioctl(vcpu->fd, KVM_NMI, 0) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "vCPU %u: cannot inject an NMI: %s",
                              vcpu->index, g_strerror(errno));
    return TRUE;
}

uint64_t
kiln_vcpu_exits(const KilnVcpu *vcpu, KilnVcpuExit kind)
{
    return __atomic_load_n(&vcpu->exits[kind], __ATOMIC_RELAXED);
}

const char *
kiln_vcpu_exit_name(KilnVcpuExit kind)
{
    return exit_names[kind];
}
