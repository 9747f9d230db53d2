/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The x86 physical address map: where RAM, PCI windows and the fixed devices are.
 *
 *   0          low RAM (the VGA hole at 0xa0000 is RAM here; tables tell the guest to leave it)
 *   low end    32-bit PCI window, up to ECAM
 *   0xe0000000 ECAM, 256 buses
 *   0xf0000000 32-bit PCI window again, up to the fixed devices
 *   0xfec00000 IOAPIC, HPET, LAPIC, KVM's own pages, flash below 4 GiB
 *   4 GiB      the rest of RAM
 *   above it   modules of memory devices, each from a GiB on
 *   above them 64-bit PCI window
 */
#ifndef KILN_MEMORY_LAYOUT_H
#define KILN_MEMORY_LAYOUT_H

#include <glib.h>
#include <stdint.h>

#define KILN_LAYOUT_4G G_GUINT64_CONSTANT(0x100000000)

#define KILN_LAYOUT_VGA_HOLE     G_GUINT64_CONSTANT(0xa0000)
#define KILN_LAYOUT_VGA_HOLE_END G_GUINT64_CONSTANT(0xc0000)
#define KILN_LAYOUT_BIOS_AREA                                                                      \
    G_GUINT64_CONSTANT(0xe0000) /* RSDP and SMBIOS are looked for here                             \
                                 */
#define KILN_LAYOUT_BIOS_AREA_END G_GUINT64_CONSTANT(0x100000)
#define KILN_LAYOUT_ECAM          G_GUINT64_CONSTANT(0xe0000000)
#define KILN_LAYOUT_ECAM_SIZE     G_GUINT64_CONSTANT(0x10000000)
#define KILN_LAYOUT_PCI32_TOP     G_GUINT64_CONSTANT(0xf0000000) /* the part above ECAM */
#define KILN_LAYOUT_PCI32_TOP_END G_GUINT64_CONSTANT(0xfec00000)
#define KILN_LAYOUT_IOAPIC        G_GUINT64_CONSTANT(0xfec00000)
#define KILN_LAYOUT_HPET          G_GUINT64_CONSTANT(0xfed00000)
#define KILN_LAYOUT_LAPIC         G_GUINT64_CONSTANT(0xfee00000)
#define KILN_LAYOUT_KVM_IDENTITY  G_GUINT64_CONSTANT(0xfeffc000) /* KVM's: 1 page, then 3 of TSS */
#define KILN_LAYOUT_KVM_TSS       G_GUINT64_CONSTANT(0xfeffd000)
#define KILN_LAYOUT_FLASH_END     KILN_LAYOUT_4G /* flash ends here */

/**
 * kiln_layout_low_ram:
 * @ram_size: bytes of RAM in all
 *
 * Returns: bytes of it that are at address 0; the others, if any, begin at 4 GiB.  All of it below
 *   2.75 GiB, else 2 GiB, as on QEMU's q35, so that the rest is aligned to 1 GiB pages.
 */
uint64_t kiln_layout_low_ram(uint64_t ram_size);

/**
 * kiln_layout_high_ram:
 *
 * Returns: bytes of RAM from 4 GiB up, 0 if it all fits below.
 */
uint64_t kiln_layout_high_ram(uint64_t ram_size);

/**
 * kiln_layout_pci32_start:
 *
 * Returns: the first address of the 32-bit PCI window, which ends at KILN_LAYOUT_ECAM.
 */
uint64_t kiln_layout_pci32_start(uint64_t ram_size);

/* Modules stand on borders of 1 GiB: Linux plugs memory in by blocks of up to 2 GiB, 128 MiB on
 * guests of less than 64 GiB, and keeps persistent memory and RAM out of one block. */
#define KILN_LAYOUT_MODULE_ALIGN G_GUINT64_CONSTANT(0x40000000)

/**
 * kiln_layout_modules_start:
 *
 * Returns: where the first module of a memory device may be: the first GiB above RAM, and not below
 *   4 GiB.
 */
uint64_t kiln_layout_modules_start(uint64_t ram_size);

/**
 * kiln_layout_pci64_start:
 * @modules_span: bytes that modules take from kiln_layout_modules_start() on
 *
 * Returns: the first address of the 64-bit PCI window: the first GiB above RAM and modules, and not
 *   below 4 GiB.
 */
uint64_t kiln_layout_pci64_start(uint64_t ram_size, uint64_t modules_span);

/**
 * kiln_layout_pci64_size:
 * @phys_bits: the width of the guest's physical addresses (CPUID 0x80000008)
 *
 * Returns: bytes of the 64-bit PCI window, 0 if the CPU can address nothing above what is below. At
 * most half of what can be addressed, so that what is hot-plugged later finds room.
 */
uint64_t kiln_layout_pci64_size(uint64_t ram_size, uint64_t modules_span, guint phys_bits);

#endif
