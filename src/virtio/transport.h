/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between a virtio device and its transport (pci.c): what a register access means, and how the
 * driver is told.  "Lock" is the transport's device lock, with which every function here is called
 * unless it says otherwise.
 */
#ifndef KILN_VIRTIO_TRANSPORT_H
#define KILN_VIRTIO_TRANSPORT_H

#include "base/lock.h"
#include "virtio/device.h"

/* How to interrupt if there is no eventfd to write to: kiln_virtio_device_set_call(). */
enum {
    KILN_VIRTIO_CALL_NONE = -1,      /* the driver wants no interrupt */
    KILN_VIRTIO_CALL_TRANSPORT = -2, /* ops.interrupt */
};

/**
 * KilnVirtioTransportOps:
 * @interrupt: a queue has used buffers and KILN_VIRTIO_CALL_TRANSPORT.  I/O side, lock not held
 * @interrupt_config: configuration or status changed
 * @driver_ok: the driver has set DRIVER_OK (kicks are to be expected), or begins a reset
 * @reset: the driver begins a reset: vectors and the like as after power-on
 */
typedef struct {
    void (*interrupt)(KilnVirtioTransport *transport, unsigned queue);
    void (*interrupt_config)(KilnVirtioTransport *transport);
    void (*driver_ok)(KilnVirtioTransport *transport, gboolean on);
    void (*reset)(KilnVirtioTransport *transport);
} KilnVirtioTransportOps;

/* Embedded in the transport. */
struct KilnVirtioTransport {
    const KilnVirtioTransportOps *ops;
    KilnMutex *lock; /* the device lock, as long as the device lives */
};

/**
 * kiln_virtio_device_attach:
 *
 * Shows @device by @transport; opens the queues' eventfds.  At set-up, no lock held.
 *
 * Returns: FALSE with @error set: the host has no eventfds left.
 */
gboolean kiln_virtio_device_attach(KilnVirtioDevice *device, KilnVirtioTransport *transport,
                                   GError **error);

/* -- registers: lock held ---------------------------------------------------------------------- */

uint64_t kiln_virtio_device_offered(const KilnVirtioDevice *device);
uint64_t kiln_virtio_device_driver_features(const KilnVirtioDevice *device);
uint8_t kiln_virtio_device_status(const KilnVirtioDevice *device);
uint8_t kiln_virtio_device_generation(const KilnVirtioDevice *device);

/* What the driver accepts; once FEATURES_OK is set it changes nothing (virtio 1.2 §3.1.1). */
void kiln_virtio_device_set_driver_features(KilnVirtioDevice *device, uint64_t features);

/**
 * kiln_virtio_device_set_status:
 * @status: as the driver wrote it: 0 is a reset, which ends when the I/O side has stopped; until
 *   then the old status is read, and what is written is remembered
 */
void kiln_virtio_device_set_status(KilnVirtioDevice *device, uint8_t status);

/* A queue's registers, for the driver to read, and changed by it.  Index below n_queues. */
typedef struct {
    uint16_t size; /* descriptors */
    bool enabled;
    KilnGpa desc;
    KilnGpa driver;  /* available ring, or driver event suppression */
    KilnGpa device;  /* used ring, or device event suppression */
    uint16_t vector; /* of MSI-X; the transport's own to check and to use */
} KilnVirtqueueRegs;

/* What the driver has written so far.  Borrowed. */
const KilnVirtqueueRegs *kiln_virtio_device_queue_regs(const KilnVirtioDevice *device,
                                                       unsigned queue);

/* Takes size and addresses (not the vector); nothing if the queue is enabled (virtio 1.2
 * §4.1.4.3.2). */
void kiln_virtio_device_set_queue_regs(KilnVirtioDevice *device, unsigned queue,
                                       const KilnVirtqueueRegs *regs);
void kiln_virtio_device_set_queue_vector(KilnVirtioDevice *device, unsigned queue, uint16_t vector);
void kiln_virtio_device_enable_queue(KilnVirtioDevice *device, unsigned queue);

/* Queue reset, virtio 1.2 §2.6.1: begun by the driver; whether it is still under way. */
void kiln_virtio_device_reset_queue(KilnVirtioDevice *device, unsigned queue);
gboolean kiln_virtio_device_queue_resetting(const KilnVirtioDevice *device, unsigned queue);

/* Configuration space: bytes beyond its end read as zero and are not written. */
void kiln_virtio_device_config_read(KilnVirtioDevice *device, unsigned offset, void *data,
                                    unsigned length);
void kiln_virtio_device_config_write(KilnVirtioDevice *device, unsigned offset, const void *data,
                                     unsigned length);

/* The driver's kick came as a register write. */
void kiln_virtio_device_kick(KilnVirtioDevice *device, unsigned queue);

/* -- others ------------------------------------------------------------------------------------ */

/* How @queue interrupts from now on: an eventfd, or one of KILN_VIRTIO_CALL_….  Lock held; tells
 * the device (ops.call_changed). */
void kiln_virtio_device_set_call(KilnVirtioDevice *device, unsigned queue, int fd);

/* The shared memory regions; NULL beyond the last. */
const KilnVirtioSharedMemory *kiln_virtio_device_shared_memory(const KilnVirtioDevice *device,
                                                               unsigned i);

/* What is saved of a quiesced device besides its own state: objects for KILN_STATE_POINTER. */
KilnVirtioCore *kiln_virtio_device_core(KilnVirtioDevice *device);
extern const KilnStateDescription kiln_virtio_core_state;
extern const KilnStateDescription kiln_virtqueue_state; /* of kiln_virtio_device_queue() */

#endif
