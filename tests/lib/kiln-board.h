/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A board for device tests on plain memory: spaces, a clock that only moves by hand, a PCI host,
 * interrupt lines and callbacks that note what they were told.
 */
#ifndef KILN_TEST_BOARD_H
#define KILN_TEST_BOARD_H

#include "bus/irq.h"
#include "bus/msi.h"
#include "bus/pci-bus.h"
#include "device/clock.h"
#include "device/reset.h"

enum { KILN_BOARD_N_GSIS = 24 };

typedef struct {
    KilnSpace *io;
    KilnSpace *memory;
    KilnClock *clock;
    KilnPciHost *host;
    gboolean gsi[KILN_BOARD_N_GSIS];   /* levels */
    unsigned rises[KILN_BOARD_N_GSIS]; /* how often each went up */
    unsigned n_gsi_calls;              /* how often any was told a level */
    GArray *wires;        /* (owned) of KilnMsiWire: eventfds that messages are connected to */
    GHashTable *messages; /* (owned): data of a message -> how many came before now */
    unsigned n_msi_calls; /* how often wires were connected or disconnected */
    gboolean msi_full;    /* the host takes no more */
    unsigned n_resets;
    KilnResetCause reset_cause; /* of the last one */
    unsigned n_power_offs;
    unsigned n_sleeps;
    unsigned panics; /* events that were reported */
    int64_t rtc_offset;
    unsigned n_rtc_changes;
} KilnBoard;

/* Returns: (transfer full): a board with no device but the PCI host. */
KilnBoard *kiln_board_new(void);
void kiln_board_free(KilnBoard *board);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnBoard, kiln_board_free)

/* Callbacks and a line for the options of devices; the opaque is the board. */
KilnIrq kiln_board_irq(KilnBoard *board, unsigned gsi);
void kiln_board_gsi(void *board, unsigned n, gboolean level);
void kiln_board_reset(void *board, KilnResetCause cause);
void kiln_board_power_off(void *board);
void kiln_board_sleep(void *board);
void kiln_board_panic(void *board, unsigned events);
void kiln_board_rtc_changed(void *board, int64_t offset_seconds);

/* The message that the eventfd @fd is connected to, or NULL. */
const KilnMsiMessage *kiln_board_message(KilnBoard *board, int fd);

/* How many messages with @data have come since this was last called. */
unsigned kiln_board_messages(KilnBoard *board, uint32_t data);

/* Accesses as a guest makes them; configuration space of bus 0 through the host. */
uint64_t kiln_board_in(KilnBoard *board, uint16_t port, unsigned size);
void kiln_board_out(KilnBoard *board, uint16_t port, uint64_t data, unsigned size);
uint64_t kiln_board_read(KilnBoard *board, uint64_t address, unsigned size);
void kiln_board_write(KilnBoard *board, uint64_t address, uint64_t data, unsigned size);
uint32_t kiln_board_config(KilnBoard *board, unsigned slot, unsigned reg, unsigned size);
void kiln_board_set_config(KilnBoard *board, unsigned slot, unsigned reg, uint32_t data,
                           unsigned size);

/**
 * kiln_board_resave:
 * @from: saved
 * @to: a device of the same kind, loaded with it and saved in its turn
 *
 * Returns: whether both streams are the same.
 */
gboolean kiln_board_resave(KilnDevice *from, KilnDevice *to);

#endif
