/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PCI function: configuration space with masks, base address registers that follow the command
 * register into the bus spaces, capabilities, and the INTx pin.
 *
 *   config write -> masks (write, write-1-to-clear) -> BARs re-placed, INTx re-evaluated ->
 * device's own op
 *
 * PCI Local Bus 3.0 chapter 6; PCI-to-PCI Bridge 1.2 chapter 3 for type 1 headers; PCI Express Base
 * 5.0 chapter 7 for the 4096-byte space.  Register numbers and bits are those of linux/pci_regs.h.
 */
#ifndef KILN_BUS_PCI_H
#define KILN_BUS_PCI_H

#include <linux/pci_regs.h>
#include <stdint.h>

#include "bus/device.h"
#include "bus/space.h"

enum {
    KILN_PCI_N_BARS = 6,
    KILN_PCI_ROM = 6, /* the slot of the expansion ROM in KilnPciDevice.bars */
    KILN_PCI_N_PINS = 4,
};

#define KILN_PCI_DEVFN(slot, function) ((uint8_t)((slot) << 3 | (function)))
#define KILN_PCI_SLOT(devfn)           ((devfn) >> 3)
#define KILN_PCI_FUNCTION(devfn)       ((devfn)&7)

typedef struct KilnPciBus KilnPciBus;
typedef struct KilnPciDevice KilnPciDevice;
typedef struct KilnPciRom KilnPciRom;

/**
 * KilnPciOps:
 * @config_written: (nullable): the guest wrote @size bytes at @offset of the configuration space,
 *   which holds the masked result already; the BARs have been placed.  Device lock held
 * @config_read: (nullable): the guest is about to read; for registers that change by themselves.
 *   Device lock held
 */
typedef struct {
    void (*config_written)(KilnPciDevice *pci, unsigned offset, unsigned size);
    void (*config_read)(KilnPciDevice *pci, unsigned offset, unsigned size);
} KilnPciOps;

typedef enum {
    KILN_PCI_BAR_NONE, /* no register: reads as zero */
    KILN_PCI_BAR_IO,
    KILN_PCI_BAR_MEMORY_32,
    KILN_PCI_BAR_MEMORY_64, /* takes the next register too */
    KILN_PCI_BAR_ROM,
} KilnPciBarKind;

typedef struct {
    KilnPciBarKind kind;
    gboolean prefetchable;
    KilnRegion region; /* its length is the BAR's size: a power of 2 */
    uint64_t wanted;   /* (placement lock): where the function itself decodes it */
} KilnPciBar;

/* What a bridge lets through to its secondary side. */
enum {
    KILN_PCI_WINDOW_IO,
    KILN_PCI_WINDOW_MEMORY,
    KILN_PCI_WINDOW_PREFETCHABLE,
    KILN_PCI_N_WINDOWS
};

typedef struct {
    uint64_t base;
    uint64_t length; /* 0: closed */
} KilnPciWindow;

/* What a function is; all of it read-only to the guest. */
typedef struct {
    uint16_t vendor;
    uint16_t device;
    uint8_t revision;
    uint32_t class_code; /* 24 bits: base class, subclass, interface */
    uint8_t header_type; /* PCI_HEADER_TYPE_NORMAL or _BRIDGE; bit 7 is the caller's to set */
    uint16_t subsystem_vendor;
    uint16_t subsystem;
    uint8_t pin;      /* 1 to 4 for INTA to INTD, 0 for none */
    gboolean express; /* 4096 bytes of configuration space, else 256 */
} KilnPciIdentity;

struct KilnPciDevice {
    KilnDevice device;
    const KilnPciOps *ops; /* (nullable) */
    KilnPciBus *bus;       /* (nullable): set while on a bus */
    uint8_t devfn;         /* valid while on a bus */
    KilnPciBus *secondary; /* (nullable): behind a type 1 header, once kiln_pci_bus_new() */
    uint16_t config_size;  /* 256 or 4096 */
    uint8_t *config;       /* (owned) (lock): @config_size bytes, as the guest reads them */
    uint8_t *write_mask;   /* (owned): bits that a guest's write replaces */
    uint8_t *w1c_mask;     /* (owned): bits that a guest clears by writing ones */
    uint8_t *reset_config; /* (owned) (nullable): @config as it was when kiln_pci_device_ready() */
    KilnPciBar bars[KILN_PCI_N_BARS + 1];
    KilnPciRom *rom;                           /* (owned) (nullable): pci-rom.h */
    KilnPciWindow windows[KILN_PCI_N_WINDOWS]; /* (placement lock): as they are now, of a bridge */
    uint8_t last_capability;                   /* offset of the list's last entry, 0 while empty */
    uint16_t capability_end;                   /* first byte that no capability has taken yet */
    uint16_t last_extended;                    /* same for the list from 0x100 */
    uint16_t extended_end;
    uint8_t intx_level;  /* (lock): what the device wants its pin to be */
    uint8_t intx_routed; /* (lock): what the bus was told last; derived, not saved */
    uint8_t *saved;      /* (owned) (nullable): @config on its way to or from saved state */
    uint32_t saved_size;
};

/**
 * kiln_pci_device_init:
 * @pci: embedded in the caller's struct
 * @ops: static; its reset calls kiln_pci_device_reset() first, its state table has the member @pci
 *   as KILN_STATE_STRUCT(…, &kiln_pci_state)
 * @pci_ops: (nullable): static
 *
 * Masks are set up for the header's standard registers.
 */
void kiln_pci_device_init(KilnPciDevice *pci, const KilnDeviceOps *ops, const KilnPciOps *pci_ops,
                          const char *id, const KilnPciIdentity *identity);
void kiln_pci_device_clear(KilnPciDevice *pci);

/* Whether it has a type 1 header. */
gboolean kiln_pci_device_is_bridge(const KilnPciDevice *pci);

/* Where the register of BAR @index is in the configuration space. */
unsigned kiln_pci_device_bar_offset(const KilnPciDevice *pci, unsigned index);

/**
 * kiln_pci_device_add_bar:
 * @index: of the register, 0 to 5 (0 and 1 with a type 1 header), or KILN_PCI_ROM
 * @size: bytes, a power of 2, at least 4 for I/O, 16 for memory, 2048 for the ROM
 * @ops: with @opaque called under the device's lock
 *
 * At set-up, before the function is on a bus.
 */
void kiln_pci_device_add_bar(KilnPciDevice *pci, unsigned index, KilnPciBarKind kind,
                             gboolean prefetchable, uint64_t size, const KilnRegionOps *ops,
                             void *opaque);

/**
 * kiln_pci_device_add_capability:
 * @id: PCI_CAP_ID_…
 * @size: bytes with the two of the list's own header
 *
 * Appends to the list, which Linux and others walk in this order.  At set-up.
 *
 * Returns: its offset in the configuration space; bytes after the header are zero and read-only.
 */
uint8_t kiln_pci_device_add_capability(KilnPciDevice *pci, uint8_t id, uint8_t size);

/**
 * kiln_pci_device_add_extended:
 * @id: PCI_EXT_CAP_ID_…
 * @size: bytes with the four of its header
 *
 * As kiln_pci_device_add_capability(), in the list at 0x100 of an express function.
 */
uint16_t kiln_pci_device_add_extended(KilnPciDevice *pci, uint16_t id, uint8_t version,
                                      uint16_t size);

/* Called by a function's own reset, under its lock: configuration space as at set-up, BARs
 * unmapped, pin low. */
void kiln_pci_device_reset(KilnPciDevice *pci);

/**
 * kiln_pci_device_set_intx:
 * @level: what the device wants
 *
 * Sets the status bit, and the pin unless the command register disables it.  Device lock held.
 */
void kiln_pci_device_set_intx(KilnPciDevice *pci, gboolean level);

/**
 * kiln_pci_device_update:
 *
 * Re-reads command register and BARs and places the regions; for a device that changed them by
 * itself, and after loading.  Device lock held.
 */
void kiln_pci_device_update(KilnPciDevice *pci);

/**
 * kiln_pci_device_config_read:
 * @offset: below 4096
 * @size: 1, 2 or 4, aligned or not; bytes beyond the space read as ones
 *
 * As the guest reads it; takes the device's lock.
 */
uint32_t kiln_pci_device_config_read(KilnPciDevice *pci, unsigned offset, unsigned size);
void kiln_pci_device_config_write(KilnPciDevice *pci, unsigned offset, uint32_t data,
                                  unsigned size);

/*
 * Saved state of the function's base, for KILN_STATE_STRUCT in a device's own table.  Only bits
 * that the guest can change are taken from a stream; BARs and pin follow them.
 */
extern const KilnStateDescription kiln_pci_state;

#endif
