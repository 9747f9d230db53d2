/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vcpu>, <cpu> and <cputune> of the definition become CPUID and vCPUs. */
#include "machine/private.h"

#include "base/error.h"
#include "domain/domain.h"

static KilnCpuMode
cpu_mode(const KilnDomain *domain)
{
    switch (domain->cpu.mode) {
    case KILN_DOMAIN_CPU_MODE_CUSTOM: return KILN_CPU_CUSTOM;
    case KILN_DOMAIN_CPU_MODE_HOST_MODEL: return KILN_CPU_HOST_MODEL;
    case KILN_DOMAIN_CPU_MODE_HOST_PASSTHROUGH: return KILN_CPU_HOST_PASSTHROUGH;
    case KILN_DOMAIN_CPU_MODE_MAXIMUM: return KILN_CPU_MAXIMUM;
    case KILN_DOMAIN_CPU_MODE_ABSENT: break;
    }
    return domain->cpu.model != NULL ? KILN_CPU_CUSTOM : KILN_CPU_HOST_PASSTHROUGH;
}

static KilnCpuCheck
cpu_check(KilnDomainCpuCheck check)
{
    switch (check) {
    case KILN_DOMAIN_CPU_CHECK_NONE: return KILN_CPU_CHECK_NONE;
    case KILN_DOMAIN_CPU_CHECK_FULL: return KILN_CPU_CHECK_FULL;
    default: return KILN_CPU_CHECK_PARTIAL;
    }
}

static KilnCpuMatch
cpu_match(KilnDomainCpuMatch match)
{
    switch (match) {
    case KILN_DOMAIN_CPU_MATCH_MINIMUM: return KILN_CPU_MATCH_MINIMUM;
    case KILN_DOMAIN_CPU_MATCH_STRICT: return KILN_CPU_MATCH_STRICT;
    default: return KILN_CPU_MATCH_EXACT;
    }
}

static KilnCpuCache
cpu_cache(KilnDomainCpuCacheMode cache)
{
    switch (cache) {
    case KILN_DOMAIN_CPU_CACHE_EMULATE: return KILN_CPU_CACHE_EMULATE;
    case KILN_DOMAIN_CPU_CACHE_PASSTHROUGH: return KILN_CPU_CACHE_PASSTHROUGH;
    case KILN_DOMAIN_CPU_CACHE_DISABLE: return KILN_CPU_CACHE_DISABLE;
    default: return KILN_CPU_CACHE_DEFAULT;
    }
}

static KilnCpuPolicy
cpu_policy(KilnDomainCpuFeaturePolicy policy)
{
    switch (policy) {
    case KILN_DOMAIN_CPU_FEATURE_FORCE: return KILN_CPU_FORCE;
    case KILN_DOMAIN_CPU_FEATURE_OPTIONAL: return KILN_CPU_OPTIONAL;
    case KILN_DOMAIN_CPU_FEATURE_DISABLE: return KILN_CPU_DISABLE;
    case KILN_DOMAIN_CPU_FEATURE_FORBID: return KILN_CPU_FORBID;
    default: return KILN_CPU_REQUIRE;
    }
}

static guint
count_or(KilnUint number, guint otherwise)
{
    return number.set ? (guint)number.value : otherwise;
}

/* The counts of <topology>; without it each vCPU is a socket. */
static KilnCpuTopology
cpu_topology(const KilnDomain *domain, guint n_vcpus)
{
    const KilnDomainCpuTopology *topology = &domain->cpu.topology;

    if (!topology->sockets.set && !topology->cores.set && !topology->threads.set)
        return (KilnCpuTopology){ .sockets = n_vcpus, .dies = 1, .cores = 1, .threads = 1 };
    return (KilnCpuTopology){
        .sockets = count_or(topology->sockets, 1),
        .dies = count_or(topology->dies, 1),
        .cores = count_or(topology->cores, 1),
        .threads = count_or(topology->threads, 1),
    };
}

guint
kiln_machine_n_vcpus(const KilnMachine *machine)
{
    return count_or(machine->domain->vcpus.count, 1);
}

/* (element-type KilnCpuFeatureChoice) (transfer full): names are borrowed from the definition.  A
 * guest that shall be migratable is not told that its TSC never changes its pace, whatever its
 * features say. */
static GArray *
feature_choices(const KilnDomain *domain)
{
    GArray *choices = g_array_new(FALSE, FALSE, sizeof(KilnCpuFeatureChoice));

    for (guint i = 0; i < domain->cpu.features->len; i++) {
        const KilnDomainCpuFeature *feature = g_ptr_array_index(domain->cpu.features, i);
        KilnCpuFeatureChoice choice = { feature->name, cpu_policy(feature->policy) };

        g_array_append_val(choices, choice);
    }
    if (domain->cpu.migratable == KILN_SWITCH_ON) {
        KilnCpuFeatureChoice no_invtsc = { "invtsc", KILN_CPU_DISABLE };

        g_array_append_val(choices, no_invtsc);
    }
    return choices;
}

/* <timer name='tsc' frequency=...>, 0 for the host's. */
static uint32_t
tsc_khz(const KilnDomain *domain)
{
    const KilnDomainTimer *tsc = kiln_clock_timer(&domain->clock, KILN_TIMER_TSC);

    return tsc != NULL && tsc->frequency_hz.set ? (uint32_t)(tsc->frequency_hz.value / 1000) : 0;
}

gboolean
kiln_machine_build_cpuid(KilnMachine *machine, GError **error)
{
    const KilnDomain *domain = machine->domain;
    const KilnDomainTimer *kvmclock = kiln_clock_timer(&domain->clock, KILN_TIMER_KVMCLOCK);
    g_autoptr(GArray) features = feature_choices(domain);
    g_autofree struct kvm_cpuid2 *supported = kiln_kvm_supported_cpuid(machine->kvm, error);
    KilnCpuOptions options = {
        .mode = cpu_mode(domain),
        .model = domain->cpu.model,
        .not_migratable = domain->cpu.migratable == KILN_SWITCH_OFF,
        .no_fallback = domain->cpu.fallback == KILN_DOMAIN_CPU_FALLBACK_FORBID,
        .vendor = domain->cpu.vendor,
        .vendor_id = domain->cpu.vendor_id,
        .features = (const KilnCpuFeatureChoice *)(const void *)features->data,
        .n_features = features->len,
        .check = cpu_check(domain->cpu.check),
        .match = cpu_match(domain->cpu.match),
        .cache = cpu_cache(domain->cpu.cache),
        .phys_bits = count_or(domain->cpu.address_bits, 0),
        .pmu = domain->features.pmu_present && domain->features.pmu != KILN_SWITCH_OFF,
        .kvm_hidden = domain->features.kvm.hidden == KILN_SWITCH_ON,
        .no_kvmclock = kvmclock != NULL && kvmclock->present == KILN_SWITCH_OFF,
        .tsc_khz = tsc_khz(domain),
        .arch_capabilities = kiln_kvm_arch_capabilities(machine->kvm),
        .topology = machine->topology,
    };

    if (supported == NULL)
        return FALSE;
    machine->cpuid = kiln_cpuid_new(supported, &options, error);
    if (machine->cpuid == NULL)
        g_prefix_error(error, "cpu: ");
    return machine->cpuid != NULL;
}

void
kiln_machine_choose_topology(KilnMachine *machine)
{
    machine->topology = cpu_topology(machine->domain, kiln_machine_n_vcpus(machine));
}

/* The host CPUs of each vCPU: its <vcpupin>, else what <vcpu cpuset=...> says for all. */
static KilnBitmap **
vcpu_pins(const KilnDomain *domain, guint n_vcpus)
{
    KilnBitmap **pins = g_new0(KilnBitmap *, n_vcpus);

    for (guint i = 0; i < n_vcpus; i++)
        pins[i] = domain->vcpus.cpuset;
    for (guint i = 0; i < domain->cputune.vcpu_pins->len; i++) {
        const KilnPin *pin = g_ptr_array_index(domain->cputune.vcpu_pins, i);

        if (pin->thread.value < n_vcpus)
            pins[pin->thread.value] = pin->cpuset;
    }
    return pins;
}

gboolean
kiln_machine_build_vcpus(KilnMachine *machine, GError **error)
{
    guint n_vcpus = kiln_machine_n_vcpus(machine);
    g_autofree KilnBitmap **pins = vcpu_pins(machine->domain, n_vcpus);
    KilnVcpuGroupOptions options = {
        .vm = machine->vm,
        .n_vcpus = n_vcpus,
        .topology = machine->topology,
        .cpuid = machine->cpuid,
        .io = machine->io,
        .mmio = machine->mmio,
        .ended = kiln_machine_vcpu_ended,
        .opaque = machine,
        .thread_started = machine->options.thread_started,
        .tsc_khz = tsc_khz(machine->domain),
        .pins = pins,
    };

    machine->vcpus = kiln_vcpu_group_new(&options, error);
    return machine->vcpus != NULL;
}
