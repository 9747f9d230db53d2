/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's firmware configuration device (QEMU 7.2 docs/specs/fw_cfg.rst): numbered items that
 * firmware selects and reads, byte by byte from a port or by DMA, and a directory of those that
 * have names ("files").
 *
 *   select (port 0x510, or a DMA command) -> item -> its bytes: given, or made now -> port 0x511,
 *   or a copy into guest memory
 *
 * Nothing can be written.  Items are added before the guest runs.
 */
#ifndef KILN_DEVICE_FW_CFG_H
#define KILN_DEVICE_FW_CFG_H

#include "bus/device.h"
#include "bus/space.h"
#include "memory/memory.h"

enum {
    KILN_FW_CFG_PORT = 0x510,
    KILN_FW_CFG_DMA_PORT = 0x514,
    KILN_FW_CFG_MAX_NAME = 55, /* bytes of a file's name */
};

/* Keys that have a fixed meaning: QEMU 7.2 include/standard-headers/linux/qemu_fw_cfg.h and
 * include/hw/nvram/fw_cfg.h.  Numbers are little-endian; their width is given. */
enum {
    KILN_FW_CFG_SIGNATURE = 0x00, /* the device's own, as is the next one */
    KILN_FW_CFG_ID = 0x01,
    KILN_FW_CFG_UUID = 0x02,      /* 16 bytes */
    KILN_FW_CFG_RAM_SIZE = 0x03,  /* 64 bits */
    KILN_FW_CFG_NOGRAPHIC = 0x04, /* 16 bits: not 0: there is no screen */
    KILN_FW_CFG_NB_CPUS = 0x05,   /* 16 bits: vCPUs that are there at boot */
    KILN_FW_CFG_KERNEL_ADDR = 0x07,
    KILN_FW_CFG_KERNEL_SIZE = 0x08,
    KILN_FW_CFG_INITRD_ADDR = 0x0a,
    KILN_FW_CFG_INITRD_SIZE = 0x0b,
    KILN_FW_CFG_BOOT_MENU = 0x0e, /* 16 bits: not 0: a boot menu is shown */
    KILN_FW_CFG_MAX_CPUS = 0x0f,  /* 16 bits: highest APIC id + 1 */
    KILN_FW_CFG_KERNEL_DATA = 0x11,
    KILN_FW_CFG_INITRD_DATA = 0x12,
    KILN_FW_CFG_CMDLINE_ADDR = 0x13,
    KILN_FW_CFG_CMDLINE_SIZE = 0x14,
    KILN_FW_CFG_CMDLINE_DATA = 0x15,
    KILN_FW_CFG_SETUP_ADDR = 0x16,
    KILN_FW_CFG_SETUP_SIZE = 0x17,
    KILN_FW_CFG_SETUP_DATA = 0x18,
    KILN_FW_CFG_FILE_DIR = 0x19, /* the device's own */
    KILN_FW_CFG_FILE_FIRST = 0x20,
    KILN_FW_CFG_IRQ0_OVERRIDE = 0x8002, /* 32 bits: IRQ 0 arrives at the IOAPIC's pin 2 */
};

typedef struct KilnFwCfg KilnFwCfg;

/**
 * KilnFwCfgOptions:
 * @io: gets both ranges of ports
 * @memory: what DMA reaches; outlives the device
 */
typedef struct {
    KilnSpace *io;
    KilnMemory *memory;
} KilnFwCfgOptions;

/**
 * KilnFwCfgMake:
 *
 * Makes the bytes of an item when it is first selected after a reset.  vCPU thread, device's lock
 * held: it must not touch another device.
 *
 * Returns: (transfer full) (nullable): cut, or filled up with zeroes, to the size that the item was
 *   added with; NULL counts as none
 */
typedef GBytes *(*KilnFwCfgMake)(void *opaque);

/* Returns: (transfer full): with no items but its own; NULL with @error set. */
KilnFwCfg *kiln_fw_cfg_new(const KilnFwCfgOptions *options, GError **error);
KilnDevice *kiln_fw_cfg_device(KilnFwCfg *fw_cfg);

/**
 * kiln_fw_cfg_add:
 * @key: none of the device's own, below KILN_FW_CFG_FILE_FIRST or with bit 15 set; not added before
 * @data: (transfer full)
 */
void kiln_fw_cfg_add(KilnFwCfg *fw_cfg, uint16_t key, GBytes *data);
void kiln_fw_cfg_add_16(KilnFwCfg *fw_cfg, uint16_t key, uint16_t value);
void kiln_fw_cfg_add_32(KilnFwCfg *fw_cfg, uint16_t key, uint32_t value);
void kiln_fw_cfg_add_64(KilnFwCfg *fw_cfg, uint16_t key, uint64_t value);

/* As kiln_fw_cfg_add(), of @size bytes that @make gives. */
void kiln_fw_cfg_add_made(KilnFwCfg *fw_cfg, uint16_t key, uint32_t size, KilnFwCfgMake make,
                          void *opaque);

/**
 * kiln_fw_cfg_add_file:
 * @name: "etc/…", "opt/…", "bootorder"; copied
 * @data: (transfer full)
 *
 * Files have keys in the order of their names, whatever the order in which they are added.
 *
 * Returns: FALSE with @error set if the name is too long, empty or taken, or if there are too many.
 */
gboolean kiln_fw_cfg_add_file(KilnFwCfg *fw_cfg, const char *name, GBytes *data, GError **error);

/* As kiln_fw_cfg_add_file(), of @size bytes that @make gives. */
gboolean kiln_fw_cfg_add_made_file(KilnFwCfg *fw_cfg, const char *name, uint32_t size,
                                   KilnFwCfgMake make, void *opaque, GError **error);

#endif
