/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vcpu-group.h. */
#include "machine/vcpu-group.h"

#include "base/error.h"
#include "base/le.h"
#include "base/lock.h"
#include "machine/pin.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

enum { VCPU_STACK_BYTES = 256 * 1024 }; /* touched lazily; the deepest path is a device op */

typedef enum { MODE_PARK, MODE_RUN, MODE_STOP } Mode;

typedef struct {
    KilnVcpuGroup *all;
    KilnVcpu *vcpu; /* (owned) */
    pthread_t thread;
    gboolean has_thread;
    gint id; /* (atomic): of the thread, the kernel's */
} Runner;

struct KilnVcpuGroup {
    Runner *runners; /* (owned) */
    guint n;
    guint n_threads;
    KilnSpace *io;
    KilnSpace *mmio;
    void (*ended)(void *opaque, KilnVcpuResult result, GError *error);
    void *opaque;
    gboolean (*thread_started)(GError **error);
    KilnBitmap **pins; /* (owned) (nullable) n entries, each nullable */

    KilnMutex lock;
    KilnCond changed;
    Mode mode;      /* (atomic) written under @lock */
    guint n_parked; /* under @lock: threads at the barrier or ended */
};

/* ---- Accesses ----------------------------------------------------------------------------------
 */

static uint32_t
pio_read(void *opaque, uint16_t port, guint size)
{
    const KilnVcpuGroup *vcpus = opaque;
    uint8_t data[4] = { 0 };

    kiln_space_read(vcpus->io, port, data, size);
    return kiln_le32_load(data);
}

static void
pio_write(void *opaque, uint16_t port, guint size, uint32_t value)
{
    const KilnVcpuGroup *vcpus = opaque;
    uint8_t data[4];

    kiln_le32_store(data, value);
    kiln_space_write(vcpus->io, port, data, size);
}

/* KVM may report an access of any length up to 8; the bus takes powers of two, so others are split
 * into bytes. */
static uint64_t
mmio_read(void *opaque, KilnGpa gpa, guint size)
{
    const KilnVcpuGroup *vcpus = opaque;
    uint8_t data[8] = { 0 };

    if ((size & (size - 1)) == 0) {
        kiln_space_read(vcpus->mmio, gpa, data, size);
    } else {
        for (guint i = 0; i < size; i++)
            kiln_space_read(vcpus->mmio, gpa + i, data + i, 1);
    }
    return kiln_le64_load(data);
}

static void
mmio_write(void *opaque, KilnGpa gpa, guint size, uint64_t value)
{
    const KilnVcpuGroup *vcpus = opaque;
    uint8_t data[8];

    kiln_le64_store(data, value);
    if ((size & (size - 1)) == 0) {
        kiln_space_write(vcpus->mmio, gpa, data, size);
    } else {
        for (guint i = 0; i < size; i++)
            kiln_space_write(vcpus->mmio, gpa + i, data + i, 1);
    }
}

static const KilnVcpuOps vcpu_ops = {
    .pio_read = pio_read,
    .pio_write = pio_write,
    .mmio_read = mmio_read,
    .mmio_write = mmio_write,
};

/* ---- Threads -----------------------------------------------------------------------------------
 */

static Mode
mode_now(const KilnVcpuGroup *vcpus)
{
    return __atomic_load_n(&vcpus->mode, __ATOMIC_ACQUIRE);
}

/* Waits at the barrier while it is closed.  Returns FALSE when the thread is to end. */
static gboolean
pass_barrier(KilnVcpuGroup *vcpus)
{
    KILN_LOCK_SCOPE(&vcpus->lock);

    if (vcpus->mode == MODE_PARK) {
        vcpus->n_parked++;
        kiln_cond_broadcast(&vcpus->changed);
        while (vcpus->mode == MODE_PARK)
            kiln_cond_wait(&vcpus->changed, &vcpus->lock);
        vcpus->n_parked--;
    }
    return vcpus->mode == MODE_RUN;
}

static void
report_end(KilnVcpuGroup *vcpus, KilnVcpuResult result, GError *error)
{
    kiln_vcpu_group_halt(vcpus);
    vcpus->ended(vcpus->opaque, result, error);
}

/*
 * Runs until this vCPU is to park.  It leaves at a kick only: between an exit and the next KVM_RUN
 * an I/O instruction is half done, and KVM would finish it on top of a state that was loaded or
 * reset meanwhile.
 */
static void
run_guest(Runner *runner)
{
    KilnVcpuGroup *vcpus = runner->all;

    while (pass_barrier(vcpus)) {
        KilnVcpuResult result;

        do {
            g_autoptr(GError) error = NULL;

            result = kiln_vcpu_run(runner->vcpu, &error);
            if (result != KILN_VCPU_CONTINUE && result != KILN_VCPU_KICKED)
                report_end(vcpus, result, g_steal_pointer(&error));
        } while (result == KILN_VCPU_CONTINUE ||
                 (result == KILN_VCPU_KICKED && mode_now(vcpus) == MODE_RUN));
    }
}

/* As tools know it from QEMU.  By the thread itself: another one would need to write below /proc,
 * which the sandbox forbids. */
static void
name_thread(const Runner *runner)
{
    g_autofree char *name = g_strdup_printf("CPU %u/KVM", kiln_vcpu_index(runner->vcpu));

    pthread_setname_np(pthread_self(), name);
}

static void *
vcpu_thread(void *data)
{
    Runner *runner = data;
    KilnVcpuGroup *vcpus = runner->all;
    g_autoptr(GError) error = NULL;

    name_thread(runner);
    g_atomic_int_set(&runner->id, gettid());
    kiln_vcpu_attach(runner->vcpu);
    if (vcpus->thread_started != NULL && !vcpus->thread_started(&error)) {
        report_end(vcpus, KILN_VCPU_ERROR, g_steal_pointer(&error));
        while (pass_barrier(vcpus))
            report_end(vcpus, KILN_VCPU_ERROR,
                       g_error_new_literal(KILN_ERROR, KILN_ERROR_STATE,
                                           "a vCPU thread could not be set up"));
    } else {
        run_guest(runner);
    }
    kiln_vcpu_detach(runner->vcpu);
    {
        KILN_LOCK_SCOPE(&vcpus->lock);
        vcpus->n_parked++;
        kiln_cond_broadcast(&vcpus->changed);
    }
    return NULL;
}

static gboolean
start_thread(KilnVcpuGroup *vcpus, guint index, GError **error)
{
    Runner *runner = &vcpus->runners[index];
    g_autofree char *whose = NULL;
    pthread_attr_t attributes;
    int failed;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, VCPU_STACK_BYTES);
    failed = pthread_create(&runner->thread, &attributes, vcpu_thread, runner);
    pthread_attr_destroy(&attributes);
    if (failed != 0)
        return kiln_error_set_errno(error, failed, "cannot start the thread of vCPU %u", index);
    runner->has_thread = TRUE;
    vcpus->n_threads++;
    if (vcpus->pins == NULL || vcpus->pins[index] == NULL)
        return TRUE;
    whose = g_strdup_printf("vCPU %u", index);
    return kiln_pin_thread(runner->thread, vcpus->pins[index], whose, error);
}

gboolean
kiln_vcpu_group_start(KilnVcpuGroup *vcpus, GError **error)
{
    sigset_t all;
    sigset_t before;
    gboolean started = TRUE;

    /* vCPU threads get no signal but the kick, which kiln_vcpu_attach() lets through. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (guint i = 0; i < vcpus->n && started; i++)
        started = start_thread(vcpus, i, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* ---- Modes -------------------------------------------------------------------------------------
 */

static void
set_mode(KilnVcpuGroup *vcpus, Mode mode)
{
    KILN_LOCK_SCOPE(&vcpus->lock);

    if (vcpus->mode != MODE_STOP) /* there is no way back from it */
        __atomic_store_n(&vcpus->mode, mode, __ATOMIC_RELEASE);
    kiln_cond_broadcast(&vcpus->changed);
}

static void
kick_all(KilnVcpuGroup *vcpus)
{
    for (guint i = 0; i < vcpus->n; i++)
        kiln_vcpu_kick(vcpus->runners[i].vcpu);
}

void
kiln_vcpu_group_run(KilnVcpuGroup *vcpus)
{
    set_mode(vcpus, MODE_RUN);
}

void
kiln_vcpu_group_halt(KilnVcpuGroup *vcpus)
{
    set_mode(vcpus, MODE_PARK);
    kick_all(vcpus);
}

static void
wait_for_all(KilnVcpuGroup *vcpus)
{
    KILN_LOCK_SCOPE(&vcpus->lock);

    while (vcpus->n_parked < vcpus->n_threads)
        kiln_cond_wait(&vcpus->changed, &vcpus->lock);
}

void
kiln_vcpu_group_park(KilnVcpuGroup *vcpus)
{
    kiln_vcpu_group_halt(vcpus);
    wait_for_all(vcpus);
}

gboolean
kiln_vcpu_group_nmi(KilnVcpuGroup *vcpus, GError **error)
{
    for (guint i = 0; i < vcpus->n; i++) {
        if (!kiln_vcpu_nmi(vcpus->runners[i].vcpu, error))
            return FALSE;
    }
    return TRUE;
}

void
kiln_vcpu_group_was_paused(KilnVcpuGroup *vcpus)
{
    for (guint i = 0; i < vcpus->n; i++)
        kiln_vcpu_was_paused(vcpus->runners[i].vcpu);
}

void
kiln_vcpu_group_stop(KilnVcpuGroup *vcpus)
{
    set_mode(vcpus, MODE_STOP);
    kick_all(vcpus);
    for (guint i = 0; i < vcpus->n; i++) {
        if (vcpus->runners[i].has_thread)
            pthread_join(vcpus->runners[i].thread, NULL);
        vcpus->runners[i].has_thread = FALSE;
    }
    vcpus->n_threads = 0;
}

/* ---- Making and asking -------------------------------------------------------------------------
 */

KilnVcpuGroup *
kiln_vcpu_group_new(const KilnVcpuGroupOptions *options, GError **error)
{
    g_autoptr(KilnVcpuGroup) vcpus = g_new0(KilnVcpuGroup, 1);

    kiln_mutex_init(&vcpus->lock);
    kiln_cond_init(&vcpus->changed);
    vcpus->runners = g_new0(Runner, options->n_vcpus);
    vcpus->io = options->io;
    vcpus->mmio = options->mmio;
    vcpus->ended = options->ended;
    vcpus->opaque = options->opaque;
    vcpus->thread_started = options->thread_started;
    if (options->pins != NULL)
        vcpus->pins = g_new0(KilnBitmap *, options->n_vcpus);
    for (guint i = 0; i < options->n_vcpus; i++) {
        KilnVcpuOptions one = {
            .index = i,
            .apic_id = kiln_topology_apic_id(&options->topology, i),
            .cpuid = kiln_cpuid_for_vcpu(options->cpuid, i),
            .tsc_khz = options->tsc_khz,
            .ops = &vcpu_ops,
            .opaque = vcpus,
        };

        one.set_arch_capabilities =
            kiln_cpuid_arch_capabilities(options->cpuid, &one.arch_capabilities);
        vcpus->runners[i].all = vcpus;
        vcpus->runners[i].vcpu = kiln_vcpu_new(options->vm, &one, error);
        if (vcpus->runners[i].vcpu == NULL)
            return NULL;
        vcpus->n++;
        if (vcpus->pins != NULL) /* as options->pins is: NOLINTNEXTLINE(clang-analyzer-core.*) */
            vcpus->pins[i] = kiln_bitmap_copy(options->pins[i]);
    }
    return g_steal_pointer(&vcpus);
}

void
kiln_vcpu_group_free(KilnVcpuGroup *vcpus)
{
    if (vcpus == NULL)
        return;
    kiln_vcpu_group_stop(vcpus);
    for (guint i = 0; i < vcpus->n; i++) {
        kiln_vcpu_free(vcpus->runners[i].vcpu);
        if (vcpus->pins != NULL)
            kiln_bitmap_free(vcpus->pins[i]);
    }
    g_free(vcpus->pins);
    g_free(vcpus->runners);
    kiln_cond_clear(&vcpus->changed);
    kiln_mutex_clear(&vcpus->lock);
    g_free(vcpus);
}

gboolean
kiln_vcpu_group_reset(KilnVcpuGroup *vcpus, const KilnVcpuStart *boot, GError **error)
{
    const KilnVcpuStart wait = { .mode = KILN_VCPU_START_WAIT, .mtrr_default = boot->mtrr_default };

    for (guint i = 0; i < vcpus->n; i++) {
        if (!kiln_vcpu_start(vcpus->runners[i].vcpu, i == 0 ? boot : &wait, error))
            return FALSE;
    }
    return TRUE;
}

pid_t
kiln_vcpu_group_thread(const KilnVcpuGroup *vcpus, guint index)
{
    return g_atomic_int_get(&vcpus->runners[index].id);
}

guint
kiln_vcpu_group_count(const KilnVcpuGroup *vcpus)
{
    return vcpus->n;
}

KilnVcpu *
kiln_vcpu_group_get(KilnVcpuGroup *vcpus, guint index)
{
    return vcpus->runners[index].vcpu;
}

uint64_t
kiln_vcpu_group_time(KilnVcpuGroup *vcpus, guint index)
{
    const Runner *runner = &vcpus->runners[index];
    struct timespec used;
    clockid_t clock;

    if (!runner->has_thread || pthread_getcpuclockid(runner->thread, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}
