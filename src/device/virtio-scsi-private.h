/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of virtio-scsi share: the device, its request queues (virtio-scsi-request.c),
 * control and events (virtio-scsi-control.c).
 */
#ifndef KILN_DEVICE_VIRTIO_SCSI_PRIVATE_H
#define KILN_DEVICE_VIRTIO_SCSI_PRIVATE_H

#include "device/virtio-scsi.h"

#include <linux/virtio_scsi.h>

enum {
    HBA_CONTROL = 0, /* queues, §5.6.2 */
    HBA_EVENT = 1,
    HBA_REQUEST = 2,
    HBA_LUN_BYTES = 8,
    HBA_MAX_CDB = 256, /* bytes that a driver may choose for the field; no CDB is so long */
    HBA_MAX_SENSE = 256,
    HBA_MAX_EVENTS = 32, /* that wait for buffers */
    HBA_SPARE_IOV = 2,   /* a buffer that crosses a border of RAM regions takes one more */
};

typedef struct VirtioScsi VirtioScsi;
typedef struct HbaQueue HbaQueue;
typedef struct HbaRequest HbaRequest;

/* Where a unit is. */
typedef struct {
    KilnScsiUnit *unit; /* (owned) */
    VirtioScsi *hba;
    uint8_t target;
    uint16_t lun;
} HbaSlot;

struct HbaRequest {
    KilnScsiCommand command;
    HbaQueue *queue;
    HbaRequest *next, *previous; /* (nullable): among the free, the kept, or those under way */
    KilnVirtqElement element;
    KilnScsiUnit *unit; /* of the command */
    uint64_t tag;
    uint64_t number;          /* in the order of all pops */
    struct iovec *cut, uncut; /* (nullable): a buffer that was cut, and as it was */
    uint8_t end;              /* VIRTIO_SCSI_S_…: why it is aborted, if it is */
    gboolean awaited;         /* by the task management function under way */
    /* then the iovec array */
};

struct HbaQueue {
    VirtioScsi *hba;
    KilnVirtqueue *virtqueue;
    unsigned index;
    uint8_t *pool; /* (owned): @n_requests of @stride bytes, each touched when first needed */
    size_t stride; /* bytes */
    uint16_t max_iov;
    unsigned n_requests;
    unsigned n_touched;    /* of the pool, from its begin */
    HbaRequest *free;      /* (nullable): last in, first out */
    HbaRequest *kept;      /* (nullable): failed, for the next start, in the order of their pops */
    HbaRequest *under_way; /* (nullable) */
    unsigned in_flight;    /* of those */
    gboolean processing;   /* popping: what completes meanwhile is flushed at its end */
    gboolean unflushed;    /* pushed since the last flush */
    gboolean starved;      /* the driver has more under way than its ring has room for */
    gboolean stopping;     /* this queue is being reset */
};

typedef struct {
    uint32_t event, reason;
    uint8_t target;
    uint16_t lun;
} HbaEvent;

struct VirtioScsi {
    KilnVirtioDevice virtio;
    KilnUring *uring; /* (not owned) (nullable): that looks into the queues */
    gboolean looking;
    GPtrArray *slots; /* (owned) of HbaSlot (owned) */
    HbaQueue *queues; /* (owned): @n_queues, of requests */
    unsigned n_queues;
    unsigned in_flight; /* of all queues */
    gboolean unflushed; /* any queue is, or was */
    gboolean stopping;
    gboolean running;
    gboolean told_changes; /* HOTPLUG, CHANGE were negotiated */
    gboolean told_plugs;
    uint64_t n_popped;
    GSource *turn;                 /* (owned) (nullable): while started */
    uint32_t cdb_size, sense_size; /* bytes: what the driver chose, since it started */

    /* The task management function that waits for commands to end. */
    gboolean managing;
    unsigned n_awaited;
    KilnVirtqElement control; /* its @iov (owned) */

    HbaEvent events[HBA_MAX_EVENTS];
    unsigned n_events;
    gboolean events_missed;
    KilnVirtqElement event; /* its @iov (owned) */

    uint8_t *units_state; /* (owned) (nullable): of all units, while saved or loaded */
    uint32_t units_state_bytes;
};

/* ---- virtio-scsi.c ---- */

/**
 * hba_find:
 * @lun: of a request (virtio 1.2 §5.6.6.1)
 * @has_target: set to whether the target has any unit at all
 *
 * Returns: (nullable): the unit.
 */
KilnScsiUnit *hba_find(VirtioScsi *hba, const uint8_t *lun, gboolean *has_target);

/* A command is done: whether a stop, or a task management function, is complete with that. */
void hba_request_done(HbaQueue *queue);

/* ---- virtio-scsi-request.c ---- */

void hba_queue_init(HbaQueue *queue, VirtioScsi *hba, unsigned index);
void hba_queue_clear(HbaQueue *queue);
void hba_queue_process(HbaQueue *queue);
void hba_queue_flush(HbaQueue *queue);
void hba_queue_return_kept(HbaQueue *queue);

/* Ends a request that is kept. */
void hba_request_abort_kept(HbaRequest *request, uint8_t response);

/* ---- virtio-scsi-control.c ---- */

void hba_control_init(VirtioScsi *hba);
void hba_control_clear(VirtioScsi *hba);
void hba_control_process(VirtioScsi *hba);

/* Nothing that the function under way waited for is left. */
void hba_control_finish(VirtioScsi *hba);

/* Tells the driver, now or when it has given buffers. */
void hba_event(VirtioScsi *hba, const HbaSlot *slot, uint32_t event, uint32_t reason);
void hba_events_process(VirtioScsi *hba);

#endif
