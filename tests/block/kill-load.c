/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A write load that waits to be killed: random writes, zeroes, discards and flushes by a fake
 * driver through a virtio disk to an image on this host.  kill-test.py runs it, and judges what is
 * left.
 *
 *   kill-load IMAGE CACHE RUN LOG
 *
 * What the driver has asked for and what it was told goes to LOG, in order, an Event each: a
 * request before it is made available, its end after it was seen.  Every sector is written with 64
 * times the number `request << 16 | sector`, where no request has another's number in any RUN.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/open.h"
#include "device/virtio-blk.h"
#include "tests/lib/virtio-driver.h"

enum {
    SECTOR = 512,
    MAX_SECTORS = 256,
    DEPTH = 16,
    RAM_BYTES = 16 << 20,
    DONE = 0x100, /* in Event.type */
};

typedef struct {
    uint32_t type; /* VIRTIO_BLK_T_…, with DONE when it was done */
    uint32_t n_sectors;
    uint64_t request;
    uint64_t sector;
} Event;

typedef struct {
    Event event;
    int id; /* of the chain under way, or -1 */
    KilnDriverBuffer header;
    KilnDriverBuffer data;
    KilnDriverBuffer segment;
    KilnDriverBuffer status;
} Slot;

typedef struct {
    KilnDriver *driver;
    GRand *rand;
    int log;
    uint64_t n_sectors; /* of the disk */
    uint64_t request;   /* the last one's number */
    Slot slots[DEPTH];
} Load;

static void
fail(const char *what)
{
    fprintf(stderr, "kill-load: %s\n", what);
    exit(1);
}

static void
say(const Load *load, const Event *event)
{
    if (write(load->log, event, sizeof *event) != (ssize_t)sizeof *event)
        fail("cannot write the log");
}

/* The order of requests at one place is known, since two of them are never under way there. */
static gboolean
is_busy(const Load *load, const Event *event)
{
    for (unsigned i = 0; i < DEPTH; i++) {
        const Event *other = &load->slots[i].event;

        if (load->slots[i].id >= 0 && event->sector < other->sector + other->n_sectors &&
            other->sector < event->sector + event->n_sectors)
            return TRUE;
    }
    return FALSE;
}

static void
choose(Load *load, Event *event)
{
    gint32 what = g_rand_int_range(load->rand, 0, 100);
    gint32 most = g_rand_int_range(load->rand, 0, 4) == 0 ? MAX_SECTORS : 16;

    *event = (Event){ .request = ++load->request };
    if (what < 6) {
        event->type = VIRTIO_BLK_T_FLUSH;
        return;
    }
    event->type = what < 80   ? VIRTIO_BLK_T_OUT
                  : what < 90 ? VIRTIO_BLK_T_WRITE_ZEROES
                              : VIRTIO_BLK_T_DISCARD;
    do {
        event->n_sectors = (uint32_t)g_rand_int_range(load->rand, 1, most + 1);
        event->sector =
            (uint64_t)g_rand_int_range(load->rand, 0, (gint32)(load->n_sectors - event->n_sectors));
        if (what % 2 == 0) { /* whole clusters of some sizes, too */
            event->sector &= ~(uint64_t)127;
            event->n_sectors = MAX(event->n_sectors & ~(uint32_t)127, 8);
        }
    } while (is_busy(load, event));
}

static void
stamp(const Slot *slot)
{
    uint64_t *to = (uint64_t *)(void *)slot->data.host;

    for (uint64_t i = 0; i < slot->event.n_sectors; i++) {
        for (unsigned word = 0; word < SECTOR / 8; word++)
            *to++ = GUINT64_TO_LE(slot->event.request << 16 | (slot->event.sector + i));
    }
}

static void
start(Load *load, Slot *slot)
{
    KilnDriverBuffer out[2] = { slot->header };
    unsigned n_out = 1;
    struct virtio_blk_outhdr header = { 0 };

    choose(load, &slot->event);
    header.type = GUINT32_TO_LE(slot->event.type);
    if (slot->event.type == VIRTIO_BLK_T_OUT) {
        header.sector = GUINT64_TO_LE(slot->event.sector);
        stamp(slot);
        out[n_out] = slot->data;
        out[n_out++].length = slot->event.n_sectors * SECTOR;
    } else if (slot->event.type != VIRTIO_BLK_T_FLUSH) {
        struct virtio_blk_discard_write_zeroes segment = {
            .sector = GUINT64_TO_LE(slot->event.sector),
            .num_sectors = GUINT32_TO_LE(slot->event.n_sectors),
            .flags = GUINT32_TO_LE(slot->event.type == VIRTIO_BLK_T_WRITE_ZEROES &&
                                           slot->event.request % 2 == 0
                                       ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
                                       : 0),
        };

        memcpy(slot->segment.host, &segment, sizeof segment);
        out[n_out++] = slot->segment;
    }
    memcpy(slot->header.host, &header, sizeof header);
    slot->status.host[0] = 0xff;
    say(load, &slot->event);
    slot->id = kiln_driver_add(load->driver, 0, out, n_out, &slot->status, 1);
    if (slot->id < 0)
        fail("the ring is full");
}

static void
finish(Load *load, int id)
{
    for (unsigned i = 0; i < DEPTH; i++) {
        Slot *slot = &load->slots[i];

        if (slot->id != id)
            continue;
        if (slot->status.host[0] != VIRTIO_BLK_S_OK)
            fail("a request failed");
        slot->event.type |= DONE;
        say(load, &slot->event);
        slot->id = -1;
        return;
    }
    fail("nobody asked for what was done");
}

static void
run(Load *load)
{
    int id;

    for (;;) {
        for (unsigned i = 0; i < DEPTH; i++) {
            if (load->slots[i].id < 0)
                start(load, &load->slots[i]);
        }
        kiln_driver_kick(load->driver, 0);
        kiln_driver_wait_used(load->driver, 0, &id, NULL);
        do
            finish(load, id);
        while (kiln_driver_take_used(load->driver, 0, &id, NULL));
    }
}

static void
make_slots(Load *load)
{
    for (unsigned i = 0; i < DEPTH; i++)
        load->slots[i] = (Slot){
            .id = -1,
            .header = kiln_driver_alloc(load->driver, sizeof(struct virtio_blk_outhdr)),
            .data = kiln_driver_alloc(load->driver, MAX_SECTORS * SECTOR),
            .segment =
                kiln_driver_alloc(load->driver, sizeof(struct virtio_blk_discard_write_zeroes)),
            .status = kiln_driver_alloc(load->driver, 1),
        };
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    KilnBoard *board = kiln_board_new();
    KilnVirtioBlkOptions options = { .virtio = { .id = "disk" },
                                     .write_back = TRUE,
                                     .discard = TRUE };
    KilnBlockOptions chain = { .format = "qcow2", .fd = -1, .discard = TRUE };
    KilnVirtioDevice *blk;
    Load load = { 0 };

    if (argc != 5)
        fail("usage: kill-load IMAGE CACHE RUN LOG");
    chain.path = argv[1];
    chain.cache = strcmp(argv[2], "none") == 0     ? KILN_BLOCK_CACHE_NONE
                  : strcmp(argv[2], "unsafe") == 0 ? KILN_BLOCK_CACHE_UNSAFE
                                                   : KILN_BLOCK_CACHE_WRITEBACK;
    load.request = g_ascii_strtoull(argv[3], NULL, 10) << 24;
    load.log = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    chain.uring = kiln_uring_open(NULL, 64, KILN_URING_AUTO, &error);
    if (load.log < 0 || chain.uring == NULL)
        fail(error != NULL ? error->message : "no log");
    options.chain = kiln_block_open_chain(&chain, &error);
    if (options.chain == NULL)
        fail(error->message);
    load.n_sectors = options.chain->length / SECTOR;
    options.virtio.memory = kiln_memory_new_plain(RAM_BYTES);
    blk = kiln_virtio_blk_new(&options, &error);
    if (blk == NULL)
        fail(error->message);
    load.driver = kiln_driver_new(board, options.virtio.memory, blk);
    kiln_driver_start(load.driver, KILN_DRIVER_SPLIT);
    load.rand = g_rand_new_with_seed((guint32)(load.request >> 24));
    make_slots(&load);
    run(&load);
}
