/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be counted, under the keys of libvirt's bulk statistics (virConnectGetAllDomainStats in
 * libvirt's API reference) and kiln's own.  Reads what threads publish; waits for nothing.
 */
#include "machine/statistics.h"

#include "machine/private.h"

#include "device/virtio-mem.h"

#include <sys/resource.h>
#include <unistd.h>

static void
add_u64(GVariantBuilder *builder, const char *key, guint64 value)
{
    g_variant_builder_add(builder, "{sv}", key, g_variant_new_uint64(value));
}

static guint64
microseconds(const struct timeval *time)
{
    return (guint64)time->tv_sec * G_USEC_PER_SEC + (guint64)time->tv_usec;
}

/* libvirt's numbers: virDomainState. */
static gint32
libvirt_state(KilnMachineState state)
{
    static const gint32 numbers[] = {
        [KILN_MACHINE_BUILT] = 0,    [KILN_MACHINE_RUNNING] = 1, [KILN_MACHINE_PAUSED] = 3,
        [KILN_MACHINE_SHUTDOWN] = 4, [KILN_MACHINE_SHUTOFF] = 5, [KILN_MACHINE_CRASHED] = 6,
    };

    return numbers[state];
}

static void
add_cpu(GVariantBuilder *builder, KilnMachine *machine)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    add_u64(builder, "cpu.user", microseconds(&used.ru_utime) * 1000);
    add_u64(builder, "cpu.system", microseconds(&used.ru_stime) * 1000);
    add_u64(builder, "cpu.time",
            (microseconds(&used.ru_utime) + microseconds(&used.ru_stime)) * 1000);
}

static void
add_vcpus(GVariantBuilder *builder, KilnMachine *machine)
{
    guint n = kiln_vcpu_group_count(machine->vcpus);
    guint64 exits[KILN_VCPU_N_EXITS] = { 0 };
    guint64 total = 0;

    g_variant_builder_add(builder, "{sv}", "vcpu.current", g_variant_new_uint32(n));
    g_variant_builder_add(builder, "{sv}", "vcpu.maximum", g_variant_new_uint32(n));
    for (guint i = 0; i < n; i++) {
        KilnVcpu *vcpu = kiln_vcpu_group_get(machine->vcpus, i);
        g_autofree char *state = g_strdup_printf("vcpu.%u.state", i);
        g_autofree char *time = g_strdup_printf("vcpu.%u.time", i);

        g_variant_builder_add(builder, "{sv}", state,
                              g_variant_new_int32(1)); /* VIR_VCPU_RUNNING */
        add_u64(builder, time, kiln_vcpu_group_time(machine->vcpus, i));
        for (guint kind = 0; kind < KILN_VCPU_N_EXITS; kind++)
            exits[kind] += kiln_vcpu_exits(vcpu, kind);
    }
    for (guint kind = 0; kind < KILN_VCPU_N_EXITS; kind++) {
        g_autofree char *key = g_strdup_printf("exits.%s", kiln_vcpu_exit_name(kind));

        add_u64(builder, key, exits[kind]);
        total += exits[kind];
    }
    add_u64(builder, "exits.total", total);
}

static void
add_ports(GVariantBuilder *builder, KilnMachine *machine)
{
    for (guint i = 0; i < machine->ports->len; i++) {
        const KilnMachinePort *port = &g_array_index(machine->ports, KilnMachinePort, i);
        g_autofree char *written = g_strdup_printf("%s.tx.bytes", port->alias);
        g_autofree char *received = g_strdup_printf("%s.rx.bytes", port->alias);
        g_autofree char *dropped = g_strdup_printf("%s.tx.dropped", port->alias);
        KilnChardevStats stats;

        kiln_chardev_get_stats(port->chardev, &stats);
        add_u64(builder, written, stats.written);
        add_u64(builder, received, stats.received);
        add_u64(builder, dropped, stats.dropped);
    }
}

/* In KiB, as the balloon's. */
static void
add_memory_devices(GVariantBuilder *builder, KilnMachine *machine)
{
    for (guint i = 0; i < machine->memory_devices->len; i++) {
        const KilnMachineMemoryDevice *device = g_ptr_array_index(machine->memory_devices, i);
        const char *alias = device->memory->info.alias;
        g_autofree char *requested = g_strdup_printf("%s.requested", alias);
        g_autofree char *current = g_strdup_printf("%s.current", alias);

        if (device->mem == NULL)
            continue;
        add_u64(builder, requested, kiln_virtio_mem_requested(device->mem) / 1024);
        add_u64(builder, current, kiln_virtio_mem_plugged(device->mem) / 1024);
    }
}

static void
add_io_thread(guint id, pid_t thread, gpointer builder)
{
    g_autofree char *name = g_strdup_printf("iothread.%u", id);

    g_variant_builder_add(builder, "{su}", name, (guint32)thread);
}

GVariant *
kiln_machine_threads(KilnMachine *machine)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{su}"));
    g_variant_builder_add(&builder, "{su}", "emulator", (guint32)getpid());
    for (guint i = 0; i < kiln_vcpu_group_count(machine->vcpus); i++) {
        g_autofree char *name = g_strdup_printf("vcpu.%u", i);

        g_variant_builder_add(&builder, "{su}", name,
                              (guint32)kiln_vcpu_group_thread(machine->vcpus, i));
    }
    kiln_io_threads_foreach(machine->threads, add_io_thread, &builder);
    return g_variant_builder_end(&builder);
}

GVariant *
kiln_machine_statistics(KilnMachine *machine)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "state.state",
                          g_variant_new_int32(libvirt_state(machine->state)));
    g_variant_builder_add(&builder, "{sv}", "state.reason",
                          g_variant_new_string(kiln_machine_reason_name(machine->reason)));
    add_cpu(&builder, machine);
    add_vcpus(&builder, machine);
    add_ports(&builder, machine);
    add_memory_devices(&builder, machine);
    kiln_machine_add_device_statistics(&builder, machine);
    return g_variant_builder_end(&builder);
}
