/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What device.c (register side) and device-io.c (I/O side) share. */
#ifndef KILN_VIRTIO_DEVICE_PRIVATE_H
#define KILN_VIRTIO_DEVICE_PRIVATE_H

#include "base/log.h"
#include "loop/event.h"
#include "virtio/queue-private.h"
#include "virtio/transport.h"

/**
 * KilnVirtioPhase:
 * @KILN_VIRTIO_IDLE: the I/O side does nothing; the queues may be reset, saved and loaded.  To
 *   STARTING when the device is wanted to run
 * @KILN_VIRTIO_STARTING: io_start is posted to the context, or runs.  To RUNNING, or back
 * @KILN_VIRTIO_RUNNING: ops.start has been called and kicks flow.  To STOPPING when the device is
 *   not wanted to run any more
 * @KILN_VIRTIO_STOPPING: io_stop is posted, runs, or what is in flight ends.  To IDLE by
 *   kiln_virtio_device_stopped()
 *
 * The device is wanted to run while the driver has set DRIVER_OK, has not begun a reset, and nobody
 * holds the device quiesced.  Only update() in device-io.c begins a step.
 */
typedef enum {
    KILN_VIRTIO_IDLE,
    KILN_VIRTIO_STARTING,
    KILN_VIRTIO_RUNNING,
    KILN_VIRTIO_STOPPING,
} KilnVirtioPhase;

typedef struct {
    KilnVirtioDevice *device;
    KilnVirtqueue *queue; /* (owned): regs by the lock, the rest the I/O side's while RUNNING */
    KilnEvent kick;
    KilnVirtqueueRegs active; /* I/O side: as of the start */
    GSource *source;          /* (owned) (nullable) I/O side: reads @kick */
    bool taken;               /* I/O side: somebody else reads @kick */
    bool on;                  /* (lock): started with the device, or since */
    bool posted;              /* (lock): a step of this queue is in the context's hands */
    bool call_posted;         /* (lock): ops.call_changed is */
    bool stopping;            /* (lock): ops.queue_stop was called and has not ended */
    bool reset_wanted;        /* (lock): the driver resets this queue */
} KilnVirtioQueue;

/* Locks: the transport's device lock is "(lock)". */
struct KilnVirtioCore {
    KilnVirtioDevice *device;       /* whose core it is */
    KilnVirtioTransport *transport; /* (nullable) until attached */
    KilnMutex own_lock;             /* in the transport's place until then */
    KilnMutex *lock;
    KilnCond changed;        /* with (lock): @phase or @n_posted */
    KilnVirtioQueue *queues; /* (owned): n_queues */
    GArray *shared;          /* (owned): of KilnVirtioSharedMemory */
    KilnRatelimit limit;
    uint64_t offered;         /* constant once attached */
    uint64_t driver_features; /* (lock): as the driver writes them */
    uint64_t negotiated;      /* (lock), changes only while IDLE */
    uint8_t status;           /* (lock): what the driver reads */
    uint8_t wanted_status;    /* (lock): written while a reset is under way */
    uint8_t generation;       /* (lock): of the configuration space */
    bool reset_pending;       /* (lock) */
    bool quiesced;            /* (lock) */
    KilnVirtioPhase phase;    /* (lock) */
    unsigned n_posted;        /* (lock): calls in the context's hands */
    int broken;               /* (atomic): DEVICE_NEEDS_RESET */
    bool running;             /* I/O side: between start and stop */
    bool opened;              /* I/O side: ops.start has returned and kicks flow */
    bool start_failed;        /* I/O side: ops.start was not, or in vain */
};

/* device.c, lock held: begins or ends what @phase and the rest ask for. */
void kiln_virtio_core_finish_reset(KilnVirtioDevice *device);

/* device-io.c, lock held: begins the step that is due, if any. */
void kiln_virtio_core_update(KilnVirtioDevice *device);

/* The same for one queue; also when the device begins to run. */
void kiln_virtio_core_update_queue(KilnVirtioQueue *queue);

/* features.c: why the driver may not have @accepted of @offered; NULL if it may. */
const char *kiln_virtio_features_fault(unsigned id, uint64_t offered, uint64_t accepted);

#endif
