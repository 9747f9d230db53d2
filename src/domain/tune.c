/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tune.h. */
#include "domain/tune.h"

#include "domain/cpu.h"
#include "domain/kept.h"

static const char *const scheduler_names[] = { NULL, "batch", "idle", "fifo", "rr" };
static const char *const other_names[] = { "cachetune", "memorytune", NULL };

enum { MAX_PERIOD_US = 1000000, MIN_PERIOD_US = 1000 };

static const KilnField vcpu_pin_fields[] = {
    KILN_FIELD_UINT(KilnPin, thread, "@vcpu", 0, KILN_MAX_VCPUS - 1, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_BITMAP(KilnPin, cpuset, "@cpuset", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct vcpu_pin_struct = { sizeof(KilnPin), vcpu_pin_fields, NULL };

static const KilnField iothread_pin_fields[] = {
    KILN_FIELD_UINT(KilnPin, thread, "@iothread", 1, G_MAXUINT32, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_BITMAP(KilnPin, cpuset, "@cpuset", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct iothread_pin_struct = { sizeof(KilnPin), iothread_pin_fields, NULL };

static const KilnField vcpu_sched_fields[] = {
    KILN_FIELD_BITMAP(KilnSched, threads, "@vcpus"),
    KILN_FIELD_ENUM(KilnSched, scheduler, "@scheduler", scheduler_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnSched, priority, "@priority", 0, 99),
    KILN_FIELD_END,
};
static const KilnStruct vcpu_sched_struct = { sizeof(KilnSched), vcpu_sched_fields, NULL };

static const KilnField iothread_sched_fields[] = {
    KILN_FIELD_BITMAP(KilnSched, threads, "@iothreads"),
    KILN_FIELD_ENUM(KilnSched, scheduler, "@scheduler", scheduler_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnSched, priority, "@priority", 0, 99),
    KILN_FIELD_END,
};
static const KilnStruct iothread_sched_struct = { sizeof(KilnSched), iothread_sched_fields, NULL };

static void
others_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    kiln_kept_take(member, node, other_names);
}

static const KilnFieldOps others_ops = {
    .parse = others_parse,
    .present = kiln_kept_present,
    .format = kiln_kept_format,
    .clear = kiln_kept_clear,
};

static const KilnField cputune_fields[] = {
    KILN_FIELD_UINT(KilnCputune, shares, "shares", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnCputune, period, "period", MIN_PERIOD_US, MAX_PERIOD_US),
    KILN_FIELD_INT(KilnCputune, quota, "quota"),
    KILN_FIELD_UINT(KilnCputune, global_period, "global_period", MIN_PERIOD_US, MAX_PERIOD_US),
    KILN_FIELD_INT(KilnCputune, global_quota, "global_quota"),
    KILN_FIELD_UINT(KilnCputune, emulator_period, "emulator_period", MIN_PERIOD_US, MAX_PERIOD_US),
    KILN_FIELD_INT(KilnCputune, emulator_quota, "emulator_quota"),
    KILN_FIELD_UINT(KilnCputune, iothread_period, "iothread_period", MIN_PERIOD_US, MAX_PERIOD_US),
    KILN_FIELD_INT(KilnCputune, iothread_quota, "iothread_quota"),
    KILN_FIELD_LIST(KilnCputune, vcpu_pins, "vcpupin", &vcpu_pin_struct),
    KILN_FIELD_BITMAP(KilnCputune, emulator_pin, "emulatorpin@cpuset",
                      .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_LIST(KilnCputune, iothread_pins, "iothreadpin", &iothread_pin_struct),
    KILN_FIELD_LIST(KilnCputune, vcpu_scheds, "vcpusched", &vcpu_sched_struct),
    KILN_FIELD_LIST(KilnCputune, iothread_scheds, "iothreadsched", &iothread_sched_struct),
    KILN_FIELD_ENUM(KilnCputune, emulator_sched, "emulatorsched@scheduler", scheduler_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnCputune, emulator_priority, "emulatorsched@priority", 0, 99),
    KILN_FIELD_CUSTOM(KilnCputune, others, "", &others_ops),
    KILN_FIELD_END,
};
const KilnStruct kiln_cputune_struct = { sizeof(KilnCputune), cputune_fields, NULL };

static const KilnField device_fields[] = {
    KILN_FIELD_STRING(KilnBlkioDevice, path, "path", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnBlkioDevice, weight, "weight", 0, 1000),
    KILN_FIELD_UINT(KilnBlkioDevice, read_iops_sec, "read_iops_sec", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnBlkioDevice, write_iops_sec, "write_iops_sec", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnBlkioDevice, read_bytes_sec, "read_bytes_sec", 0, G_MAXUINT64),
    KILN_FIELD_UINT(KilnBlkioDevice, write_bytes_sec, "write_bytes_sec", 0, G_MAXUINT64),
    KILN_FIELD_END,
};
static const KilnStruct device_struct = { sizeof(KilnBlkioDevice), device_fields, NULL };

static const KilnField blkiotune_fields[] = {
    KILN_FIELD_UINT(KilnBlkiotune, weight, "weight", 10, 1000),
    KILN_FIELD_LIST(KilnBlkiotune, devices, "device", &device_struct),
    KILN_FIELD_END,
};
const KilnStruct kiln_blkiotune_struct = { sizeof(KilnBlkiotune), blkiotune_fields, NULL };

static const KilnField iothread_fields[] = {
    KILN_FIELD_UINT(KilnIothread, id, "@id", 1, G_MAXUINT32, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnIothread, pool_min, "@thread_pool_min", 0, G_MAXINT32),
    KILN_FIELD_UINT(KilnIothread, pool_max, "@thread_pool_max", 0, G_MAXINT32),
    KILN_FIELD_END,
};
static const KilnStruct iothread_struct = { sizeof(KilnIothread), iothread_fields, NULL };

static const KilnField iothreads_fields[] = {
    KILN_FIELD_UINT(KilnIothreads, count, "iothreads", 0, 1024),
    KILN_FIELD_LIST(KilnIothreads, list, "iothreadids/iothread", &iothread_struct),
    KILN_FIELD_UINT(KilnIothreads, default_pool_min, "defaultiothread@thread_pool_min", 0,
                    G_MAXINT32),
    KILN_FIELD_UINT(KilnIothreads, default_pool_max, "defaultiothread@thread_pool_max", 0,
                    G_MAXINT32),
    KILN_FIELD_END,
};
const KilnStruct kiln_iothreads_struct = { sizeof(KilnIothreads), iothreads_fields, NULL };

void
kiln_iothread_free(KilnIothread *thread)
{
    kiln_struct_free(&iothread_struct, thread);
}

void
kiln_pin_free(KilnPin *pin)
{
    kiln_struct_free(&iothread_pin_struct, pin); /* both kinds of pins own the same */
}

void
kiln_blkio_device_free(KilnBlkioDevice *device)
{
    kiln_struct_free(&device_struct, device);
}

gboolean
kiln_iothreads_has(const KilnIothreads *threads, guint64 id)
{
    guint n_named = threads->list->len;
    guint64 others = threads->count.value > n_named ? threads->count.value - n_named : 0;
    guint64 below = 0; /* named ones, whose numbers the others do not get */

    for (guint i = 0; i < n_named; i++) {
        const KilnIothread *thread = g_ptr_array_index(threads->list, i);

        if (thread->id.value == id)
            return TRUE;
        below += thread->id.value < id;
    }
    return id > below && id - below <= others;
}
