/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An AHCI controller with a disk and a CD-ROM drive whose driver writes what it likes into
 * registers, command lists, FISes and PRDs, while the host's disk fails now and then, and the
 * device is reset, saved and loaded.  The first byte of the input is the shape of the devices, what
 * follows are steps of 8 bytes:
 *
 *   byte 0  what to do
 *   byte 1  which port, slot, command
 *   2, 3    where, little-endian
 *   4 to 7  data
 */
#include "tests/lib/ahci-driver.h"

#include <errno.h>
#include <string.h>

#include "base/le.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, MAX_STEPS = 512, DISK_BYTES = 64 << 10, N_PORTS = 2, MAX_TURNS = 200 };

/* Drivers that issue without end must not keep the test. */
static void
turns(void)
{
    for (unsigned i = 0; i < MAX_TURNS && g_main_context_iteration(NULL, FALSE); i++)
        continue;
}

static void
complete_held(AhciDriver *driver)
{
    for (unsigned i = 0; i < N_PORTS; i++)
        while (driver->blocks[i]->mode == MEMORY_BLOCK_HELD && driver->blocks[i]->n_pending > 0)
            memory_block_complete(driver->blocks[i], 0);
}

/* A command of some sense, with a buffer or three. */
static void
put(AhciDriver *driver, const uint8_t *bytes)
{
    static const uint8_t usual[] = { 0x25, 0x35, 0x60, 0x61, 0xec, 0xa0, 0x06, 0x24,
                                     0x34, 0xea, 0xef, 0x2f, 0xa1, 0xc8, 0xb0, 0x40 };
    unsigned port = bytes[1] & 1;
    unsigned slot = bytes[1] >> 1 & 31;
    uint8_t command = bytes[2] & 0x80 ? bytes[3] : usual[bytes[2] & 15];
    AhciCommand fis = { .command = command,
                        .device = 0x40,
                        .features = bytes[4],
                        .count = bytes[5],
                        .lba = bytes[6],
                        .packet = command == 0xa0 };
    AhciPrd prds[3] = { { AHCI_DATA + bytes[7], 512 },
                        { AHCI_DATA + 0x1000, 2u * (bytes[4] + 1u) },
                        { AHCI_DATA + 0x2000, 1u << (bytes[5] & 20) } };

    if ((command & 0xfe) == 0x60) {
        fis.count = (uint16_t)(slot << 3);
        fis.features = bytes[5] & 7;
    }
    memcpy(fis.cdb, bytes + 3, 5);
    ahci_put(driver, port, slot, &fis, prds, bytes[7] & 3);
}

static void
scribble(AhciDriver *driver, const uint8_t *bytes, unsigned length)
{
    static const KilnGpa places[] = { AHCI_LISTS, AHCI_FISES, AHCI_TABLES, AHCI_DATA };
    KilnGpa at = places[bytes[1] & 3] + (bytes[1] >> 2 & 31) * 0x400 + kiln_le16_load(bytes + 2);

    kiln_memory_write(driver->ram, at, bytes + 4, length);
}

/* What the controller and its drives are in, they can be saved in and brought back to. */
static void
resave(AhciDriver *driver)
{
    complete_held(driver);
    if (!kiln_ahci_quiesce_until(driver->pci, 0))
        return;
    if (!kiln_board_resave(&driver->pci->device, &driver->pci->device))
        g_error("the controller saves something else after loading");
    for (unsigned i = 0; i < N_PORTS; i++)
        if (!kiln_board_resave(&driver->drives[i]->device, &driver->drives[i]->device))
            g_error("drive %u saves something else after loading", i);
    kiln_ahci_resume(driver->pci);
}

static void
step(AhciDriver *driver, const uint8_t *bytes)
{
    unsigned port = bytes[1] & 1;
    MemoryBlock *block = driver->blocks[port];
    uint32_t data = kiln_le32_load(bytes + 4);

    switch (bytes[0] % 14) {
    case 0:
    case 1: put(driver, bytes); break;
    case 2: ahci_issue(driver, port, data, bytes[2] & 1); break;
    case 3: scribble(driver, bytes, 4); break;
    case 4: scribble(driver, bytes, 1); break;
    case 5: ahci_port_write(driver, port, bytes[2] & 0x7c, data); break;
    case 6: ahci_write(driver, bytes[2] & 0xfc, data); break;
    case 7: turns(); break;
    case 8:
        if (block->mode == MEMORY_BLOCK_HELD && block->n_pending > 0)
            memory_block_complete(block, bytes[2] % block->n_pending);
        break;
    case 9: memory_block_fail(block, bytes[2] & 7, bytes[3], bytes[4] & 1 ? ENOSPC : EIO); break;
    case 10:
        complete_held(driver);
        turns();
        if (block->n_pending == 0)
            block->mode = (MemoryBlockMode)(bytes[2] % 3);
        break;
    case 11: ahci_driver_start(driver, port); break;
    case 12: ahci_recover(driver, port); break;
    default:
        if (bytes[2] & 1)
            resave(driver);
        (void)ahci_port_read(driver, port, bytes[3] & 0x7c);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AhciDriver driver;
    KilnAtaOptions options = { .write_back = TRUE };

    if (size < 1 + STEP_BYTES || size > 1 + MAX_STEPS * STEP_BYTES)
        return 0;
    options.discard = data[0] & 1;
    options.read_policy = data[0] & 2 ? KILN_IO_ERROR_STOP : KILN_IO_ERROR_REPORT;
    options.write_policy = data[0] & 4 ? KILN_IO_ERROR_ENOSPACE : KILN_IO_ERROR_IGNORE;
    options.logical_size = data[0] & 8 ? 4096 : 512;
    ahci_driver_open(&driver);
    ahci_driver_add_disk(&driver, 0, DISK_BYTES, &options);
    ahci_driver_add_cdrom(&driver, 1, DISK_BYTES);
    ahci_driver_start(&driver, 0);
    ahci_driver_start(&driver, 1);
    for (size_t at = 1; at + STEP_BYTES <= size; at += STEP_BYTES)
        step(&driver, data + at);
    kiln_ahci_quiesce_begin(driver.pci);
    complete_held(&driver);
    turns();
    for (unsigned i = 0; i < N_PORTS; i++)
        while (driver.blocks[i]->n_pending > 0)
            g_main_context_iteration(NULL, FALSE);
    ahci_driver_close(&driver);
    return 0;
}
