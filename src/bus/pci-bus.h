/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI buses and the host's ways into configuration space: CONFIG_ADDRESS/CONFIG_DATA at 0xcf8 (PCI
 * Local Bus 3.0 §3.2.2.3.2) and the memory-mapped one, ECAM (PCI Express Base 5.0 §7.2.2).
 *
 *   0xcfc or ECAM access -> bus number -> table of functions -> function's lock -> pci.c
 *
 * The tables are read without a lock: a function that is taken off its bus is freed only after
 * kiln_pci_host_synchronize().
 */
#ifndef KILN_BUS_PCI_BUS_H
#define KILN_BUS_PCI_BUS_H

#include "bus/msi.h"
#include "bus/pci.h"

typedef struct KilnPciHost KilnPciHost;

/**
 * KilnPciIntxFn:
 * @slot: on the root bus; behind bridges, the root bus's own one
 * @pin: 0 to 3 for INTA to INTD, after the bridges' swizzle
 * @level: of this function's pin.  Each function tells only changes, so the receiver counts those
 *   that assert
 */
typedef void (*KilnPciIntxFn)(void *opaque, unsigned slot, unsigned pin, gboolean level);

/**
 * KilnPciHostOptions:
 * @io, @memory: where BARs are placed, and the windows into configuration space
 * @intx, @intx_opaque: (nullable): the router
 * @msi: where functions' messages go
 */
typedef struct {
    KilnSpace *io;
    KilnSpace *memory;
    KilnPciIntxFn intx;
    void *intx_opaque;
    KilnMsi msi;
} KilnPciHostOptions;

/**
 * kiln_pci_host_new:
 *
 * Claims ports 0xcf8-0xcff.
 *
 * Returns: (transfer full): a host with an empty root bus 0, or NULL with @error set.
 */
KilnPciHost *kiln_pci_host_new(const KilnPciHostOptions *options, GError **error);
void kiln_pci_host_free(KilnPciHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnPciHost, kiln_pci_host_free)

/* The host as a device: reset and state (the address latch).  Borrowed. */
KilnDevice *kiln_pci_host_device(KilnPciHost *host);
KilnPciBus *kiln_pci_host_root(KilnPciHost *host);
KilnSpace *kiln_pci_host_io(KilnPciHost *host);
KilnSpace *kiln_pci_host_memory(KilnPciHost *host);

/* Where messages of functions on @host go.  Borrowed. */
const KilnMsi *kiln_pci_host_msi(const KilnPciHost *host);

/* The lock that pci-decode.h tells of. */
KilnMutex *kiln_pci_host_placement(KilnPciHost *host);

/* Who gets the pins from now on; at set-up: the router is a function of this bus itself. */
void kiln_pci_host_set_intx(KilnPciHost *host, KilnPciIntxFn intx, void *opaque);

/**
 * kiln_pci_host_set_reset_port:
 * @region: (nullable): of one byte, in no space: answers at port 0xcf9, which lies inside the
 *   address latch but is reached by byte accesses, where the latch takes 32-bit ones only (ICH9
 *   datasheet 316972-004 §13.7.5)
 */
void kiln_pci_host_set_reset_port(KilnPciHost *host, const KilnRegion *region);

/**
 * kiln_pci_host_set_ecam:
 * @base: aligned to @length; KILN_SPACE_UNMAPPED takes the window away
 * @length: 1 MiB a bus, at most 256 MiB
 *
 * Any thread, also from inside a configuration access.
 */
void kiln_pci_host_set_ecam(KilnPciHost *host, uint64_t base, uint64_t length);

/* Where it was put last, KILN_SPACE_UNMAPPED for nowhere.  Any thread, with any lock held. */
uint64_t kiln_pci_host_ecam(const KilnPciHost *host);

/* Configuration accesses as ECAM does them: @address is bus << 20 | devfn << 12 | offset. */
uint32_t kiln_pci_host_config_read(KilnPciHost *host, uint32_t address, unsigned size);
void kiln_pci_host_config_write(KilnPciHost *host, uint32_t address, uint32_t data, unsigned size);

/* Waits until no access that began before is under way in either space; see space.h. */
void kiln_pci_host_synchronize(KilnPciHost *host);

/**
 * kiln_pci_bus_new:
 * @bridge: the function with a type 1 header whose secondary side this is; on a bus or about to be
 *
 * Accesses reach it by the bridge's bus number registers.
 *
 * Returns: (transfer full): free it before @bridge.
 */
KilnPciBus *kiln_pci_bus_new(KilnPciDevice *bridge);
void kiln_pci_bus_free(KilnPciBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnPciBus, kiln_pci_bus_free)

/**
 * kiln_pci_bus_add:
 * @pci: (transfer none): set up; its configuration space is from now on what a reset restores
 *
 * Functions that share a slot are marked so (bit 7 of the header type).
 *
 * Control thread.  Returns: FALSE with @error set, naming both, if @devfn is taken.
 */
gboolean kiln_pci_bus_add(KilnPciBus *bus, KilnPciDevice *pci, uint8_t devfn, GError **error);

/* Takes @pci off its bus (if on one): BARs unmapped, pin low.  Control thread, no lock held. */
void kiln_pci_bus_remove(KilnPciDevice *pci);

/* The function whose secondary side it is; NULL of the root bus.  Borrowed. */
KilnPciDevice *kiln_pci_bus_bridge(KilnPciBus *bus);

/* Of which host it is a part. */
KilnPciHost *kiln_pci_bus_host(KilnPciBus *bus);

/* @bridge's bus number registers changed: secondary and subordinate.  Any thread. */
void kiln_pci_bus_set_numbers(KilnPciBus *bus, uint8_t secondary, uint8_t subordinate);

/* The pin (0 to 3) of the function at @devfn changed: through the bridges to the router. */
void kiln_pci_bus_intx(KilnPciBus *bus, uint8_t devfn, unsigned pin, gboolean level);

/* Resets all functions on @bus and behind it, each with its lock taken: of devices, only bridges
 * above them may be locked.  Any thread that is inside an access, or the control thread. */
void kiln_pci_bus_reset(KilnPciBus *bus);

/* The function at @devfn, or NULL.  Borrowed. */
KilnPciDevice *kiln_pci_bus_at(KilnPciBus *bus, uint8_t devfn);

#endif
