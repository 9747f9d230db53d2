/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ahci-driver.h. */
#include "tests/lib/ahci-driver.h"

#include "base/le.h"

enum { SLOT_FUNCTION = 2, PXCMD_START = 0x11, HEADER_WRITE = 1 << 6, HEADER_PACKET = 1 << 5 };

static uint32_t
config_address(unsigned reg)
{
    return KILN_PCI_DEVFN(AHCI_SLOT, SLOT_FUNCTION) << 12 | reg;
}

void
ahci_driver_place(AhciDriver *driver)
{
    kiln_pci_host_config_write(driver->board->host, config_address(PCI_BASE_ADDRESS_5), AHCI_BASE,
                               4);
    kiln_pci_host_config_write(driver->board->host, config_address(PCI_COMMAND),
                               PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

void
ahci_driver_open_paused(AhciDriver *driver)
{
    KilnAhciOptions options = { .id = "sata0" };

    *driver = (AhciDriver){ .board = kiln_board_new() };
    driver->ram = kiln_memory_new_plain(AHCI_RAM_BYTES);
    options.memory = driver->ram;
    driver->pci = kiln_ahci_new(&options, NULL);
    g_assert(kiln_pci_bus_add(kiln_pci_host_root(driver->board->host), driver->pci,
                              KILN_PCI_DEVFN(AHCI_SLOT, SLOT_FUNCTION), NULL));
    ahci_driver_place(driver);
}

void
ahci_driver_open(AhciDriver *driver)
{
    ahci_driver_open_paused(driver);
    kiln_ahci_resume(driver->pci);
}

void
ahci_driver_close(AhciDriver *driver)
{
    kiln_device_free(&driver->pci->device);
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        if (driver->drives[i] != NULL)
            kiln_device_free(&driver->drives[i]->device);
    kiln_memory_free(driver->ram);
    kiln_board_free(driver->board);
}

void
ahci_driver_add_disk(AhciDriver *driver, unsigned port, uint64_t bytes,
                     const KilnAtaOptions *options)
{
    g_autofree char *id = g_strdup_printf("sata0-0-%u", port);
    KilnAtaOptions own = *options;

    driver->blocks[port] = memory_block_new(bytes, NULL);
    own.chain = &driver->blocks[port]->block;
    driver->drives[port] = kiln_ata_drive_new_disk(id, kiln_ata_new(&own, NULL));
    driver->drives[port]->device.instance = port;
    g_assert(kiln_ahci_attach(driver->pci, port, driver->drives[port], NULL));
}

void
ahci_driver_add_cdrom(AhciDriver *driver, unsigned port, uint64_t bytes)
{
    KilnScsiUnitOptions unit = { .kind = KILN_SCSI_CDROM, .atapi = TRUE };
    KilnAtaPacketOptions options = { .serial = "CD" };
    g_autofree char *id = g_strdup_printf("sata0-0-%u", port);

    if (bytes > 0) {
        driver->blocks[port] = memory_block_new(bytes, NULL);
        unit.chain = &driver->blocks[port]->block;
    }
    options.unit = kiln_scsi_unit_new(&unit, NULL);
    driver->drives[port] = kiln_ata_drive_new_packet(id, kiln_ata_packet_new(&options), NULL);
    driver->drives[port]->device.instance = port;
    g_assert(kiln_ahci_attach(driver->pci, port, driver->drives[port], NULL));
}

void
ahci_driver_start(AhciDriver *driver, unsigned port)
{
    ahci_port_write(driver, port, AHCI_PXCLB, AHCI_LISTS + port * 0x400);
    ahci_port_write(driver, port, AHCI_PXFB, AHCI_FISES + port * 0x100);
    ahci_port_write(driver, port, AHCI_PXSERR, ~UINT32_C(0));
    ahci_port_write(driver, port, AHCI_PXCMD, PXCMD_START & ~1);
    ahci_port_write(driver, port, AHCI_PXCMD, PXCMD_START);
}

uint32_t
ahci_read(AhciDriver *driver, unsigned offset)
{
    return (uint32_t)kiln_board_read(driver->board, AHCI_BASE + offset, 4);
}

void
ahci_write(AhciDriver *driver, unsigned offset, uint32_t value)
{
    kiln_board_write(driver->board, AHCI_BASE + offset, value, 4);
}

uint32_t
ahci_port_read(AhciDriver *driver, unsigned port, unsigned offset)
{
    return ahci_read(driver, 0x100 + port * 0x80 + offset);
}

void
ahci_port_write(AhciDriver *driver, unsigned port, unsigned offset, uint32_t value)
{
    ahci_write(driver, 0x100 + port * 0x80 + offset, value);
}

void
ahci_settle_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static KilnGpa
table_of(unsigned port, unsigned slot)
{
    return AHCI_TABLES + (port * 32 + slot) * AHCI_TABLE_BYTES;
}

void
ahci_put(AhciDriver *driver, unsigned port, unsigned slot, const AhciCommand *command,
         const AhciPrd *prds, unsigned n_prds)
{
    uint8_t header[32] = { 0 };
    uint8_t fis[20] = { 0x27, 0x80, command->command, (uint8_t)command->features };
    KilnGpa table = table_of(port, slot);

    kiln_le32_store(fis + 4, (uint32_t)command->lba & 0xffffff);
    fis[7] = command->device;
    kiln_le32_store(fis + 8, (uint32_t)(command->lba >> 24) & 0xffffff);
    fis[11] = (uint8_t)(command->features >> 8);
    kiln_le16_store(fis + 12, command->count);
    kiln_le32_store(header, n_prds << 16 | (command->write ? HEADER_WRITE : 0) |
                                (command->packet ? HEADER_PACKET : 0) | 5);
    kiln_le64_store(header + 8, table);
    kiln_memory_write(driver->ram, AHCI_LISTS + port * 0x400 + slot * 32, header, sizeof header);
    kiln_memory_write(driver->ram, table, fis, sizeof fis);
    kiln_memory_write(driver->ram, table + 0x40, command->cdb, sizeof command->cdb);
    for (unsigned i = 0; i < n_prds; i++) {
        uint8_t prd[16] = { 0 };

        kiln_le64_store(prd, prds[i].gpa);
        kiln_le32_store(prd + 12, prds[i].bytes - 1);
        kiln_memory_write(driver->ram, table + 0x80 + 16 * i, prd, sizeof prd);
    }
}

void
ahci_issue(AhciDriver *driver, unsigned port, uint32_t mask, gboolean queued)
{
    if (queued)
        ahci_port_write(driver, port, AHCI_PXSACT, mask);
    ahci_port_write(driver, port, AHCI_PXCI, mask);
}

uint32_t
ahci_run(AhciDriver *driver, unsigned port, const AhciCommand *command, const AhciPrd *prds,
         unsigned n_prds)
{
    ahci_put(driver, port, 0, command, prds, n_prds);
    ahci_port_write(driver, port, AHCI_PXIS, ~UINT32_C(0));
    ahci_issue(driver, port, 1, FALSE);
    ahci_settle_loop();
    return ahci_port_read(driver, port, AHCI_PXTFD);
}

void
ahci_recover(AhciDriver *driver, unsigned port)
{
    ahci_port_write(driver, port, AHCI_PXCMD, PXCMD_START & ~1);
    ahci_settle_loop();
    ahci_port_write(driver, port, AHCI_PXIS, ~UINT32_C(0));
    ahci_port_write(driver, port, AHCI_PXCMD, PXCMD_START);
}
