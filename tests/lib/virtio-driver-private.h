/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What virtio-driver.c and virtio-driver-ring.c share. */
#ifndef KILN_TEST_VIRTIO_DRIVER_PRIVATE_H
#define KILN_TEST_VIRTIO_DRIVER_PRIVATE_H

#include <inttypes.h>
#include <stdbool.h>

#include "tests/lib/virtio-driver.h"

/* A chain that was made available. */
typedef struct {
    gboolean busy;
    uint16_t n_slots;       /* descriptors in the ring */
    KilnDriverBuffer table; /* indirect; kept for the next one: length 0 is none */
} DriverChain;

typedef struct {
    uint16_t wanted_size;
    gboolean packed;
    KilnDriverRing ring;
    uint64_t doorbell;
    DriverChain *chains; /* (owned): by id: a split ring's head, or a packed one's buffer id */
    uint16_t *next;      /* (owned): split: free and linked descriptors */
    uint16_t free;       /* split: the first free descriptor; packed: the first free id */
    uint16_t n_free;     /* descriptors */
    unsigned in_flight;
    uint16_t avail;  /* split: index; packed: slot */
    uint16_t used;   /* same */
    bool avail_wrap; /* packed */
    bool used_wrap;
    uint16_t unkicked;   /* entries (packed: slots) since the device was last asked */
    gboolean interrupts; /* wanted */
} DriverQueue;

typedef struct {
    uint8_t id;
    uint64_t gpa;
    uint64_t length;
} DriverShared;

struct KilnDriver {
    KilnBoard *board;
    KilnMemory *memory;
    KilnVirtioPciOptions options;
    KilnPciDevice *pci;
    KilnVirtioDevice *virtio;
    unsigned slot;
    uint64_t bars[KILN_PCI_N_BARS];
    uint64_t structures[9]; /* addresses, by VIRTIO_PCI_CAP_… */
    uint32_t notify_multiplier;
    DriverShared shared[4];
    unsigned n_shared;
    unsigned msix; /* offset of the capability */
    unsigned n_vectors;
    gboolean intx;
    unsigned isr_queue, isr_config; /* read and not asked for yet */
    unsigned n_queues;
    DriverQueue *queues; /* (owned) */
    uint64_t features;   /* negotiated */
    gboolean indirect;   /* use tables */
    unsigned n_kicks;
    KilnGpa next_gpa, end_gpa, buffers_gpa;
};

/* Lays out the rings of a queue that is not set up, or anew. */
void kiln_driver_queue_init(KilnDriver *driver, unsigned queue, uint16_t size);
void kiln_driver_queue_clear(DriverQueue *queue);

/* Indirect tables are made anew; nothing is in flight. */
void kiln_driver_queue_forget_tables(DriverQueue *queue);

#endif
