/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A driver of an AHCI controller in plain memory, with disks in memory behind its ports. */
#ifndef KILN_TEST_AHCI_DRIVER_H
#define KILN_TEST_AHCI_DRIVER_H

#include "device/ahci.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/memory-block.h"

enum {
    AHCI_SLOT = 0x1f, /* on the bus; function 2 */
    AHCI_BASE = 0xfe000000,
    AHCI_RAM_BYTES = 16 << 20,

    /* In RAM, of each port: its command list, its received FISes, its command tables. */
    AHCI_LISTS = 0x10000,
    AHCI_FISES = 0x20000,
    AHCI_TABLES = 0x100000,
    AHCI_TABLE_BYTES = 0x4000, /* 1000 PRDs */
    AHCI_DATA = 0x400000,      /* the tests' own from here on */

    /* Registers. */
    AHCI_CAP = 0,
    AHCI_GHC = 4,
    AHCI_IS = 8,
    AHCI_PI = 0xc,
    AHCI_PXCLB = 0x00,
    AHCI_PXFB = 0x08,
    AHCI_PXIS = 0x10,
    AHCI_PXIE = 0x14,
    AHCI_PXCMD = 0x18,
    AHCI_PXTFD = 0x20,
    AHCI_PXSIG = 0x24,
    AHCI_PXSSTS = 0x28,
    AHCI_PXSCTL = 0x2c,
    AHCI_PXSERR = 0x30,
    AHCI_PXSACT = 0x34,
    AHCI_PXCI = 0x38,
};

typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    KilnPciDevice *pci;
    KilnAtaDrive *drives[KILN_AHCI_N_PORTS];
    MemoryBlock *blocks[KILN_AHCI_N_PORTS];
} AhciDriver;

/* A piece of a command's data in guest memory. */
typedef struct {
    KilnGpa gpa;
    uint32_t bytes;
} AhciPrd;

/* A command as its FIS has it. */
typedef struct {
    uint8_t command, device;
    uint16_t features, count;
    uint64_t lba;
    gboolean write;
    gboolean packet;
    uint8_t cdb[12];
} AhciCommand;

/* A board with a controller, its BAR placed, a bus master; no drives yet. */
void ahci_driver_open(AhciDriver *driver);

/* The same, of a machine that does not run yet. */
void ahci_driver_open_paused(AhciDriver *driver);

void ahci_driver_close(AhciDriver *driver);

/* As firmware does after a reset of the machine: places the BAR, makes it a bus master. */
void ahci_driver_place(AhciDriver *driver);

/* Attaches a disk of @bytes as @options say, whose chain is made here. */
void ahci_driver_add_disk(AhciDriver *driver, unsigned port, uint64_t bytes,
                          const KilnAtaOptions *options);

/* Attaches a CD-ROM drive with a medium of @bytes, or an empty one with 0. */
void ahci_driver_add_cdrom(AhciDriver *driver, unsigned port, uint64_t bytes);

/* Gives the port its lists and starts it. */
void ahci_driver_start(AhciDriver *driver, unsigned port);

uint32_t ahci_read(AhciDriver *driver, unsigned offset);
void ahci_write(AhciDriver *driver, unsigned offset, uint32_t value);
uint32_t ahci_port_read(AhciDriver *driver, unsigned port, unsigned offset);
void ahci_port_write(AhciDriver *driver, unsigned port, unsigned offset, uint32_t value);

/* Lets the drives' thread, which is this one, do what there is to do. */
void ahci_settle_loop(void);

/* Puts a command into @slot, without issuing it. */
void ahci_put(AhciDriver *driver, unsigned port, unsigned slot, const AhciCommand *command,
              const AhciPrd *prds, unsigned n_prds);

/* Issues what is in the slots of @mask; @queued ones through PxSACT too. */
void ahci_issue(AhciDriver *driver, unsigned port, uint32_t mask, gboolean queued);

/* Puts and issues a command in slot 0, which is not queued, and lets it be done.  Returns: PxTFD.
 */
uint32_t ahci_run(AhciDriver *driver, unsigned port, const AhciCommand *command,
                  const AhciPrd *prds, unsigned n_prds);

/* After an error: stops the port and starts it again. */
void ahci_recover(AhciDriver *driver, unsigned port);

#endif
