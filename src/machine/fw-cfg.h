/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What firmware is told of the machine: the items of fw_cfg. */
#ifndef KILN_MACHINE_FW_CFG_H
#define KILN_MACHINE_FW_CFG_H

#include "device/fw-cfg.h"
#include "machine/machine.h"

/**
 * kiln_machine_build_fw_cfg:
 *
 * Adds the device with all its items to the board, which is complete but for it.
 */
gboolean kiln_machine_build_fw_cfg(KilnMachine *machine, GError **error);

/* fw-cfg-boot.c: boot order, menu, timeouts; and what of that the RTC's memory has. */
gboolean kiln_machine_add_boot_items(KilnMachine *machine, KilnFwCfg *fw_cfg, GError **error);

/* The ROM by which SeaBIOS starts a <kernel>. */
#define KILN_MACHINE_LINUXBOOT "genroms/linuxboot_dma.bin"

/* fw-cfg-kernel.c: <kernel>, <initrd> and <cmdline> for firmware to start; nothing without them. */
gboolean kiln_machine_add_kernel_items(KilnMachine *machine, KilnFwCfg *fw_cfg, GError **error);

/**
 * kiln_machine_boot_order:
 *
 * Returns: (transfer full): Open Firmware paths of the devices to boot from, as QEMU writes them, a
 *   line each, and "HALT" at the end, as libvirt asks of it (-boot strict=on); empty if the
 *   definition names none that is there.
 */
GString *kiln_machine_boot_order(const KilnDomain *domain);

#endif
