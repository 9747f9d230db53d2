/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the guest's threads run on the host: <cputune>, <blkiotune>, <iothreads>. */
#ifndef KILN_DOMAIN_TUNE_H
#define KILN_DOMAIN_TUNE_H

#include "base/bitmap.h"
#include "domain/fields.h"

typedef enum {
    KILN_SCHEDULER_ABSENT,
    KILN_SCHEDULER_BATCH,
    KILN_SCHEDULER_IDLE,
    KILN_SCHEDULER_FIFO,
    KILN_SCHEDULER_RR,
} KilnScheduler;

/* <vcpupin> or <iothreadpin> */
typedef struct {
    KilnUint thread;    /* vCPU from 0, I/O thread from 1 */
    KilnBitmap *cpuset; /* (owned) host CPUs */
} KilnPin;

/* <vcpusched>, <iothreadsched> */
typedef struct {
    KilnBitmap *threads; /* (owned) (nullable) all when absent */
    KilnScheduler scheduler;
    KilnUint priority;
} KilnSched;

/* <cputune>; periods and quotas in microseconds */
typedef struct {
    KilnUint shares;
    KilnUint period, global_period, emulator_period, iothread_period;
    KilnInt quota, global_quota, emulator_quota, iothread_quota;
    GPtrArray *vcpu_pins;       /* (owned) of KilnPin */
    KilnBitmap *emulator_pin;   /* (owned) (nullable) */
    GPtrArray *iothread_pins;   /* (owned) of KilnPin */
    GPtrArray *vcpu_scheds;     /* (owned) of KilnSched */
    GPtrArray *iothread_scheds; /* (owned) of KilnSched */
    KilnScheduler emulator_sched;
    KilnUint emulator_priority;
    GPtrArray *others; /* (owned) (nullable) of KilnXmlNode: cachetune, memorytune, as they were */
} KilnCputune;

typedef struct {
    char *path; /* (owned) of the host's block device */
    KilnUint weight;
    KilnUint read_bytes_sec, write_bytes_sec, read_iops_sec, write_iops_sec;
} KilnBlkioDevice;

typedef struct {
    KilnUint weight;
    GPtrArray *devices; /* (owned) of KilnBlkioDevice */
} KilnBlkiotune;

typedef struct {
    KilnUint id; /* from 1 */
    KilnUint pool_min, pool_max;
} KilnIothread;

typedef struct {
    KilnUint count;
    GPtrArray *list; /* (owned) of KilnIothread */
    KilnUint default_pool_min, default_pool_max;
} KilnIothreads;

/* Items of the lists above, which are taken out of them by hand; NULL is nothing. */
void kiln_iothread_free(KilnIothread *thread);
void kiln_pin_free(KilnPin *pin);
void kiln_blkio_device_free(KilnBlkioDevice *device);

extern const KilnStruct kiln_cputune_struct;
extern const KilnStruct kiln_blkiotune_struct;
extern const KilnStruct kiln_iothreads_struct;

/**
 * kiln_iothreads_has:
 *
 * Returns: whether there is an I/O thread @id: one that <iothreadids> names, or one of those that
 *   <iothreads> counts besides, which get the lowest numbers that are free, as in libvirt.
 */
gboolean kiln_iothreads_has(const KilnIothreads *threads, guint64 id);

#endif
