/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The core of every virtio device (virtio 1.2 §2): status, features, configuration space, queues.
 * A device's own struct begins with a KilnVirtioDevice; a transport (virtio/pci.h) shows it to the
 * driver and owns it.
 *
 * Two threads meet here.  The *register side*: vCPU threads, under the transport's device lock.
 * The *I/O side*: the one thread that runs the device's GMainContext, where start, stop and kick
 * are called and where the queues live.  Between DRIVER_OK and the end of a stop the queues belong
 * to the I/O side alone, which takes no lock for them.
 *
 *   driver: DRIVER_OK -> (call to the context) -> ops.start, kicks flow
 *   driver: status = 0 -> (call to the context) -> ops.stop -> … in-flight work ends … ->
 *           kiln_virtio_device_stopped() -> status reads 0, ops.reset
 *
 * No vCPU waits: a driver that resets a device reads the old status until the device is done, as
 * virtio 1.2 §2.1.2 and §4.1.4.3.1 have it; what it writes meanwhile takes effect afterwards.
 * A machine that is paused, saved or reset stops its devices the same way and waits:
 * kiln_virtio_device_quiesce(), _resume().
 */
#ifndef KILN_VIRTIO_DEVICE_H
#define KILN_VIRTIO_DEVICE_H

#include <glib.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdint.h>

#include "memory/memory.h"
#include "state/state.h"
#include "virtio/queue.h"

typedef struct KilnVirtioDevice KilnVirtioDevice;
typedef struct KilnVirtioTransport KilnVirtioTransport; /* virtio/transport.h */
typedef struct KilnVirtioCore KilnVirtioCore;           /* device.c's own */

/* A region of memory that device and driver share (virtio 1.2 §2.10), filled in at set-up. */
typedef struct {
    uint8_t id;      /* shmid, of the device type's section */
    uint64_t length; /* bytes, a power of 2, at least 4096 */
    void *host;      /* (transfer none): mapped as long as the device lives */
} KilnVirtioSharedMemory;

/**
 * KilnVirtioOps:
 * @name: "virtio-rng": in messages and as the name of the saved section
 * @id: VIRTIO_ID_…
 * @start: (nullable): I/O side: the driver is ready, features are negotiated, enabled queues are
 *   started.  Each queue is kicked once afterwards, so what lies in it already is found.  FALSE
 *   with the error set: the device is broken
 * @stop: (nullable): I/O side: take nothing more from the queues; when nothing is in flight any
 *   more call kiln_virtio_device_stopped(), from here or later.  NULL: nothing is ever in flight
 *   between two calls
 * @kick: I/O side: the queue may have work.  Pops until there is none; set_notify as it likes
 * @queue_stop: (nullable): I/O side: as stop, of one queue (virtio 1.2 §2.6.1, queue reset); ends
 *   in kiln_virtio_device_queue_stopped().  NULL: nothing of a single queue is ever in flight
 * @queue_start: (nullable): I/O side: a queue that was reset has been enabled again
 * @call_changed: (nullable): I/O side, between start and stop: kiln_virtio_device_call_fd() of
 *   @queue gives something else now, since the driver chose another vector or switched MSI-X
 * @config_read: (nullable): register side, lock held: brings @config up to date
 * @config_write: (nullable): register side, lock held: the driver wrote @length bytes (1, 2, 4 or
 *   8, within the space), which are in @data and not yet in the configuration space; copy what is
 *   writable.  NULL: nothing is
 * @reset: (nullable): lock held, nothing is in flight: what the device keeps besides its queues is
 *   as after power-on
 * @free: frees the device; stopped, off its bus
 * @state: (nullable): of the device's own members; queues, status and features are saved for it
 */
typedef struct {
    const char *name;
    uint16_t id;
    gboolean (*start)(KilnVirtioDevice *device, GError **error);
    void (*stop)(KilnVirtioDevice *device);
    void (*kick)(KilnVirtioDevice *device, unsigned queue);
    void (*queue_stop)(KilnVirtioDevice *device, unsigned queue);
    void (*queue_start)(KilnVirtioDevice *device, unsigned queue);
    void (*call_changed)(KilnVirtioDevice *device, unsigned queue);
    void (*config_read)(KilnVirtioDevice *device);
    void (*config_write)(KilnVirtioDevice *device, unsigned offset, const void *data,
                         unsigned length);
    void (*reset)(KilnVirtioDevice *device);
    void (*free)(KilnVirtioDevice *device);
    const KilnStateDescription *state;
} KilnVirtioOps;

/**
 * KilnVirtioOptions:
 * @id: unique on the board, for messages: the alias, "virtio-disk0"; copied
 * @memory: guest RAM
 * @context: (nullable): of the device's I/O thread; NULL is the main one.  Referenced
 * @n_queues, @queue_size: how many, and how large each may be; @queue_size 0 is 256
 * @features: what the device type offers besides what the core adds (VERSION_1, ring features)
 * @packed: also offer packed rings (<driver packed='on'>)
 * @no_event_idx: do not offer event indexes (<driver event_idx='off'>)
 * @no_indirect: do not offer indirect descriptors
 * @in_order: the device pushes in the order in which it pops: offer VIRTIO_F_IN_ORDER
 * @config_size: bytes of the device type's configuration space; 0 is none
 */
typedef struct {
    const char *id;
    KilnMemory *memory;
    GMainContext *context;
    unsigned n_queues;
    uint16_t queue_size;
    uint64_t features;
    gboolean packed;
    gboolean no_event_idx;
    gboolean no_indirect;
    gboolean in_order;
    unsigned config_size;
} KilnVirtioOptions;

struct KilnVirtioDevice {
    const KilnVirtioOps *ops;
    char *id; /* (owned) */
    KilnMemory *memory;
    GMainContext *context; /* (owned) (nullable): reference */
    unsigned n_queues;
    uint8_t *config;      /* (owned): little-endian, guarded by the transport's device lock */
    unsigned config_size; /* bytes */
    KilnVirtioCore *core; /* (owned) */
};

/* @device is embedded in the caller's struct, @ops static.  At set-up. */
void kiln_virtio_device_init(KilnVirtioDevice *device, const KilnVirtioOps *ops,
                             const KilnVirtioOptions *options);

/* Frees what init made: the last thing that ops.free does to the base. */
void kiln_virtio_device_clear(KilnVirtioDevice *device);

/* At set-up, before a transport shows the device. */
void kiln_virtio_device_add_features(KilnVirtioDevice *device, uint64_t features);
void kiln_virtio_device_remove_features(KilnVirtioDevice *device, uint64_t features);
void kiln_virtio_device_set_queue_size(KilnVirtioDevice *device, unsigned queue, uint16_t size);
void kiln_virtio_device_add_shared_memory(KilnVirtioDevice *device,
                                          const KilnVirtioSharedMemory *shared);

/* Any queue below n_queues.  Borrowed. */
KilnVirtqueue *kiln_virtio_device_queue(KilnVirtioDevice *device, unsigned queue);

/* What was negotiated; valid from start to the end of stop. */
gboolean kiln_virtio_device_has_feature(const KilnVirtioDevice *device, unsigned bit);

/* Ends a stop (or a queue's): nothing is in flight.  I/O side. */
void kiln_virtio_device_stopped(KilnVirtioDevice *device);
void kiln_virtio_device_queue_stopped(KilnVirtioDevice *device, unsigned queue);

/* Whether the driver has set DRIVER_OK and no stop is under way.  I/O side. */
gboolean kiln_virtio_device_running(const KilnVirtioDevice *device);

/**
 * kiln_virtio_device_broken:
 *
 * The driver broke the rules: DEVICE_NEEDS_RESET, a configuration interrupt, and a rate-limited log
 * line with @format.  Kicks are no longer delivered.  Any thread, no lock held.
 */
void kiln_virtio_device_broken(KilnVirtioDevice *device, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/**
 * kiln_virtio_device_lock / _unlock:
 *
 * The transport's device lock, for the I/O or main side to change what the register side reads:
 * @config and the like.
 */
void kiln_virtio_device_lock(KilnVirtioDevice *device);
void kiln_virtio_device_unlock(KilnVirtioDevice *device);

/* @config has changed (a disk's capacity, a link's state): generation, and an interrupt if the
 * driver is there.  Any thread, the lock not held. */
void kiln_virtio_device_config_changed(KilnVirtioDevice *device);

/**
 * kiln_virtio_device_quiesce:
 *
 * Stops the I/O side as a reset does, but keeps the device's state: afterwards nothing is in flight
 * and nothing runs, so it can be saved, loaded or reset.  Returns when that is so.  Main thread, no
 * lock held, vCPUs parked.  A context that the caller runs itself, as the main one, is iterated
 * until then: so not from a callback of a source that the device needs to come to its end.
 *
 * What the device still owes the driver when it stops must be pushed, unpopped or kept
 * (kiln_virtqueue_keep()).
 */
void kiln_virtio_device_quiesce(KilnVirtioDevice *device);

/* Begins that and does not wait: for several devices at once. */
void kiln_virtio_device_quiesce_begin(KilnVirtioDevice *device);

/**
 * kiln_virtio_device_quiesce_until:
 * @end_us: of g_get_monotonic_time()
 *
 * As kiln_virtio_device_quiesce() for a device that may never come to its end: a disk whose host
 * does not answer.
 *
 * Returns: FALSE if it does not stand still yet.  It stops once it can, if it is not resumed; until
 *   then it must not be saved, loaded or freed.
 */
gboolean kiln_virtio_device_quiesce_until(KilnVirtioDevice *device, gint64 end_us);

/* Starts the I/O side again if the driver is ready: after quiesce, or after a load. */
void kiln_virtio_device_resume(KilnVirtioDevice *device);

/**
 * kiln_virtio_device_poll:
 *
 * Looks into all queues, one read of guest memory each, and calls ops.kick for those that have
 * work: for a loop that polls before it sleeps.  I/O side.
 *
 * Returns: whether any had.
 */
gboolean kiln_virtio_device_poll(KilnVirtioDevice *device);

/**
 * kiln_virtio_device_kick_fd:
 * Returns: the eventfd that the driver's kicks of @queue add to: for handing to vhost.
 */
int kiln_virtio_device_kick_fd(KilnVirtioDevice *device, unsigned queue);

/* The eventfd that interrupts for @queue; -1: the driver chose no vector, or works without MSI-X
 * and kiln_virtio_device_interrupt() is the only way. */
int kiln_virtio_device_call_fd(KilnVirtioDevice *device, unsigned queue);

/* Interrupts for @queue: by its vector, or by the pin with the ISR set.  For whoever relays the
 * interrupts of a peer that has no eventfd to write to.  Any thread, no lock held. */
void kiln_virtio_device_interrupt(KilnVirtioDevice *device, unsigned queue);

/**
 * kiln_virtio_device_take_kicks:
 * @taken: the kicks of @queue are read by somebody else (vhost): the core stops reading the eventfd
 *
 * From ops.start (taken) and ops.stop (given back).
 */
void kiln_virtio_device_take_kicks(KilnVirtioDevice *device, unsigned queue, gboolean taken);

#endif
