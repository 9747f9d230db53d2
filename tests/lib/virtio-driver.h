/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fake guest driver in plain memory, for the test of any virtio device: it finds the PCI function
 * through configuration space and capabilities, negotiates, lays split or packed rings into guest
 * RAM, adds chains of buffers, kicks, runs the device's GMainContext until they are used, and sees
 * the interrupts.
 *
 *     g_autoptr(KilnBoard) board = kiln_board_new();
 *     g_autoptr(KilnMemory) memory = kiln_memory_new_plain(16 << 20);
 *     KilnVirtioDevice *rng = kiln_virtio_rng_new(…memory…);
 *     g_autoptr(KilnDriver) driver = kiln_driver_new(board, memory, rng);
 *     KilnDriverBuffer in = kiln_driver_alloc(driver, 64);
 *
 *     kiln_driver_start(driver, KILN_DRIVER_SPLIT);
 *     ck_assert_uint_eq(kiln_driver_request(driver, 0, NULL, 0, &in, 1), 64);
 *
 * (declare the driver last: it is freed first.)  What the test itself does wrong, and a wait that
 * lasts for KILN_DRIVER_PATIENCE_S, abort.
 */
#ifndef KILN_TEST_VIRTIO_DRIVER_H
#define KILN_TEST_VIRTIO_DRIVER_H

#include <glib.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "memory/memory.h"
#include "tests/lib/kiln-board.h"
#include "virtio/pci.h"

enum { KILN_DRIVER_PATIENCE_S = 30 };

/* Feature masks for kiln_driver_start(): whatever is offered, with split or with packed rings; and
 * the plainest driver that there can be. */
#define KILN_DRIVER_BIT(feature) (UINT64_C(1) << (feature))
#define KILN_DRIVER_PACKED       UINT64_MAX
#define KILN_DRIVER_SPLIT        (UINT64_MAX & ~KILN_DRIVER_BIT(VIRTIO_F_RING_PACKED))
#define KILN_DRIVER_PLAIN        KILN_DRIVER_BIT(VIRTIO_F_VERSION_1)

typedef struct KilnDriver KilnDriver;

/* A piece of guest RAM. */
typedef struct {
    KilnGpa gpa;
    uint8_t *host;
    uint32_t length; /* bytes */
} KilnDriverBuffer;

/**
 * kiln_driver_new:
 * @memory: guest RAM, of which the driver takes what it needs from 1 MiB up
 * @virtio: (transfer full): gets a PCI function in a free slot of @board's root bus
 *
 * Finds the function's structures, maps its BARs, sets up MSI-X (a vector a queue and one for
 * configuration).  The device is as after power-on.
 */
KilnDriver *kiln_driver_new(KilnBoard *board, KilnMemory *memory, KilnVirtioDevice *virtio);

/* As above with options for the function; NULL is the default. */
KilnDriver *kiln_driver_new_full(KilnBoard *board, KilnMemory *memory, KilnVirtioDevice *virtio,
                                 const KilnVirtioPciOptions *options);

/* (nullable): with the function and the device, which are quiesced first. */
void kiln_driver_free(KilnDriver *driver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnDriver, kiln_driver_free)

KilnPciDevice *kiln_driver_pci(KilnDriver *driver);
KilnVirtioDevice *kiln_driver_virtio(KilnDriver *driver);

/* -- set-up ------------------------------------------------------------------------------------ */

/* Before start: MSI-X is left alone, interrupts come by the pin. */
void kiln_driver_use_intx(KilnDriver *driver);

/* Before start: what @queue's size shall be; without it what the device offers. */
void kiln_driver_set_queue_size(KilnDriver *driver, unsigned queue, uint16_t size);

/**
 * kiln_driver_start:
 * @accept: which features to accept of those that are offered
 *
 * reset -> ACKNOWLEDGE -> DRIVER -> features -> FEATURES_OK -> every queue set up -> DRIVER_OK, and
 * runs the device until it has started.  Packed rings, event indexes and indirect tables are used
 * if they were negotiated.
 */
void kiln_driver_start(KilnDriver *driver, uint64_t accept);

/* The steps of start, one by one, for tests that stop half-way. */
void kiln_driver_reset(KilnDriver *driver);                          /* waits until it is done */
uint64_t kiln_driver_offered(KilnDriver *driver);                    /* device features */
gboolean kiln_driver_negotiate(KilnDriver *driver, uint64_t accept); /* FEATURES_OK stays set? */
void kiln_driver_setup_queue(KilnDriver *driver, unsigned queue);    /* and enables it */
void kiln_driver_set_status(KilnDriver *driver, uint8_t bits);       /* adds @bits */
uint8_t kiln_driver_status(KilnDriver *driver);
uint64_t kiln_driver_features(KilnDriver *driver); /* negotiated */
unsigned kiln_driver_n_queues(KilnDriver *driver);

/* Resets one queue (VIRTIO_F_RING_RESET), waits until that is done; set it up anew afterwards. */
void kiln_driver_reset_queue(KilnDriver *driver, unsigned queue);

/* -- buffers ----------------------------------------------------------------------------------- */

/* @length bytes of guest RAM, zeroed and aligned to 64 bytes (to 4096 from there on). */
KilnDriverBuffer kiln_driver_alloc(KilnDriver *driver, uint32_t length);

/* The same with a copy of @data in it. */
KilnDriverBuffer kiln_driver_alloc_data(KilnDriver *driver, const void *data, uint32_t length);

/* Gives up all that was allocated since the driver was started; nothing is in flight. */
void kiln_driver_free_buffers(KilnDriver *driver);

/**
 * kiln_driver_add:
 *
 * Makes a chain available: an indirect table if those were negotiated and there are several
 * buffers, else linked descriptors.
 *
 * Returns: its id, 0 or more; -1 if the ring has no room.
 */
int kiln_driver_add(KilnDriver *driver, unsigned queue, const KilnDriverBuffer *out, unsigned n_out,
                    const KilnDriverBuffer *in, unsigned n_in);

/* For the next adds of all queues: whether to use indirect tables (if negotiated). */
void kiln_driver_set_indirect(KilnDriver *driver, gboolean indirect);

/* Notifies the device if it wants to be (kick), or in any case. */
void kiln_driver_kick(KilnDriver *driver, unsigned queue);
void kiln_driver_kick_always(KilnDriver *driver, unsigned queue);

/* How often kiln_driver_kick() found that the device wants it. */
unsigned kiln_driver_kicks(KilnDriver *driver);

/**
 * kiln_driver_take_used:
 * @id, @length: (out) (optional): of the element that was used
 *
 * Returns: FALSE at once if there is none.
 */
gboolean kiln_driver_take_used(KilnDriver *driver, unsigned queue, int *id, uint32_t *length);

/* The same, running the device until there is one. */
void kiln_driver_wait_used(KilnDriver *driver, unsigned queue, int *id, uint32_t *length);

/* add, kick, wait_used: of one chain while no other is under way.  Returns: the used length. */
uint32_t kiln_driver_request(KilnDriver *driver, unsigned queue, const KilnDriverBuffer *out,
                             unsigned n_out, const KilnDriverBuffer *in, unsigned n_in);

/* Chains that were added and not used yet. */
unsigned kiln_driver_in_flight(KilnDriver *driver, unsigned queue);

/* Whether the device shall interrupt for @queue; it does after set-up. */
void kiln_driver_set_interrupts(KilnDriver *driver, unsigned queue, gboolean wanted);

/* -- events ------------------------------------------------------------------------------------ */

/* Interrupts since the last call: of a queue's vector, and of the configuration's.  With the pin
 * these read (and so clear) the ISR. */
unsigned kiln_driver_interrupts(KilnDriver *driver, unsigned queue);
unsigned kiln_driver_config_interrupts(KilnDriver *driver);

/* Runs the device's context (and the main one) until it has nothing to do just now.  Of a device
 * with a thread of its own: until that has gone through its loop. */
void kiln_driver_settle(KilnDriver *driver);

/* Runs them until @condition gives TRUE. */
void kiln_driver_run_until(KilnDriver *driver, gboolean (*condition)(gpointer data), gpointer data);

/* Whether the device says DEVICE_NEEDS_RESET; settles first. */
gboolean kiln_driver_broken(KilnDriver *driver);

/* -- configuration space of the device type -----------------------------------------------------
 */

uint64_t kiln_driver_config(KilnDriver *driver, unsigned offset, unsigned size);
void kiln_driver_set_config(KilnDriver *driver, unsigned offset, uint64_t value, unsigned size);
uint8_t kiln_driver_config_generation(KilnDriver *driver);

/* -- below ------------------------------------------------------------------------------------- */

/* Registers of the common configuration structure (VIRTIO_PCI_COMMON_… is @offset). */
uint64_t kiln_driver_common(KilnDriver *driver, unsigned offset, unsigned size);
void kiln_driver_set_common(KilnDriver *driver, unsigned offset, uint64_t value, unsigned size);

/* Where a shared memory region is in guest-physical memory; 0 if there is none of that id. */
KilnGpa kiln_driver_shared_memory(KilnDriver *driver, uint8_t id, uint64_t *length);

/* The three parts of a ring, for drivers that break the rules on purpose. */
typedef struct {
    uint16_t size;
    KilnDriverBuffer desc;
    KilnDriverBuffer driver; /* available ring, or driver event suppression */
    KilnDriverBuffer device; /* used ring, or device event suppression */
} KilnDriverRing;

const KilnDriverRing *kiln_driver_ring(KilnDriver *driver, unsigned queue);

/**
 * kiln_driver_migrate:
 * @virtio: (transfer full): a new device of the same kind
 *
 * Quiesces and saves the device, puts @virtio in its place, loads it, saves it again (both streams
 * must be the same) and resumes it; the driver goes on with it.  The old one is freed.
 */
void kiln_driver_migrate(KilnDriver *driver, KilnVirtioDevice *virtio);

#endif
