/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registers in BAR 4 (virtio 1.2 §4.1.4): common configuration, ISR, the device type's
 * configuration, notifications; and the window to all BARs in configuration space.  Drivers access
 * a field with its own width (§4.1.3.1); anything else reads as zero and is not written.
 */
#include "virtio/pci-private.h"

#include <linux/virtio_pci.h>

#include "base/intmath.h"
#include "base/le.h"

/* -- common configuration, virtio 1.2 §4.1.4.3 --------------------------------------------------
 */

static uint32_t
feature_word(uint64_t features, uint32_t select)
{
    return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static uint32_t
read_queue(const KilnVirtioPci *function, unsigned offset)
{
    unsigned queue = function->queue_select;

    if (queue >= function->virtio->n_queues)
        return offset == VIRTIO_PCI_COMMON_Q_MSIX ? KILN_MSIX_NO_VECTOR : 0;

    const KilnVirtqueueRegs *regs = kiln_virtio_device_queue_regs(function->virtio, queue);

    switch (offset) {
    case VIRTIO_PCI_COMMON_Q_SIZE: return regs->size;
    case VIRTIO_PCI_COMMON_Q_MSIX: return regs->vector;
    case VIRTIO_PCI_COMMON_Q_ENABLE: return regs->enabled;
    case VIRTIO_PCI_COMMON_Q_NOFF: return queue;
    case VIRTIO_PCI_COMMON_Q_DESCLO: return (uint32_t)regs->desc;
    case VIRTIO_PCI_COMMON_Q_DESCHI: return (uint32_t)(regs->desc >> 32);
    case VIRTIO_PCI_COMMON_Q_AVAILLO: return (uint32_t)regs->driver;
    case VIRTIO_PCI_COMMON_Q_AVAILHI: return (uint32_t)(regs->driver >> 32);
    case VIRTIO_PCI_COMMON_Q_USEDLO: return (uint32_t)regs->device;
    case VIRTIO_PCI_COMMON_Q_USEDHI: return (uint32_t)(regs->device >> 32);
    case VIRTIO_PCI_COMMON_Q_NDATA: return queue;
    case VIRTIO_PCI_COMMON_Q_RESET:
        return (uint32_t)kiln_virtio_device_queue_resetting(function->virtio, queue);
    default: return 0;
    }
}

static uint32_t
read_common(const KilnVirtioPci *function, unsigned offset)
{
    const KilnVirtioDevice *virtio = function->virtio;

    switch (offset) {
    case VIRTIO_PCI_COMMON_DFSELECT: return function->device_select;
    case VIRTIO_PCI_COMMON_DF:
        return feature_word(kiln_virtio_device_offered(virtio), function->device_select);
    case VIRTIO_PCI_COMMON_GFSELECT: return function->driver_select;
    case VIRTIO_PCI_COMMON_GF:
        return feature_word(kiln_virtio_device_driver_features(virtio), function->driver_select);
    case VIRTIO_PCI_COMMON_MSIX: return function->config_vector;
    case VIRTIO_PCI_COMMON_NUMQ: return virtio->n_queues;
    case VIRTIO_PCI_COMMON_STATUS: return kiln_virtio_device_status(virtio);
    case VIRTIO_PCI_COMMON_CFGGENERATION: return kiln_virtio_device_generation(virtio);
    case VIRTIO_PCI_COMMON_Q_SELECT: return function->queue_select;
    default: return read_queue(function, offset);
    }
}

/* Bytes of the field at @offset; 0 if none begins there. */
static unsigned
common_width(unsigned offset)
{
    switch (offset) {
    case VIRTIO_PCI_COMMON_STATUS:
    case VIRTIO_PCI_COMMON_CFGGENERATION: return 1;
    case VIRTIO_PCI_COMMON_MSIX:
    case VIRTIO_PCI_COMMON_NUMQ:
    case VIRTIO_PCI_COMMON_Q_SELECT:
    case VIRTIO_PCI_COMMON_Q_SIZE:
    case VIRTIO_PCI_COMMON_Q_MSIX:
    case VIRTIO_PCI_COMMON_Q_ENABLE:
    case VIRTIO_PCI_COMMON_Q_NOFF:
    case VIRTIO_PCI_COMMON_Q_NDATA:
    case VIRTIO_PCI_COMMON_Q_RESET: return 2;
    case VIRTIO_PCI_COMMON_DFSELECT:
    case VIRTIO_PCI_COMMON_DF:
    case VIRTIO_PCI_COMMON_GFSELECT:
    case VIRTIO_PCI_COMMON_GF:
    case VIRTIO_PCI_COMMON_Q_DESCLO:
    case VIRTIO_PCI_COMMON_Q_DESCHI:
    case VIRTIO_PCI_COMMON_Q_AVAILLO:
    case VIRTIO_PCI_COMMON_Q_AVAILHI:
    case VIRTIO_PCI_COMMON_Q_USEDLO:
    case VIRTIO_PCI_COMMON_Q_USEDHI: return 4;
    default: return 0;
    }
}

static void
write_driver_features(KilnVirtioPci *function, uint32_t word)
{
    uint64_t features = kiln_virtio_device_driver_features(function->virtio);
    unsigned shift = 32 * function->driver_select;

    if (function->driver_select >= 2)
        return;
    features &= ~((uint64_t)UINT32_MAX << shift);
    kiln_virtio_device_set_driver_features(function->virtio, features | (uint64_t)word << shift);
}

/* A vector that is not there reads back as none: virtio 1.2 §4.1.5.1.2. */
static uint16_t
check_vector(const KilnVirtioPci *function, uint32_t vector)
{
    return vector < kiln_msix_n_vectors(function->msix) ? (uint16_t)vector : KILN_MSIX_NO_VECTOR;
}

static void
set_low(uint64_t *address, uint32_t word)
{
    *address = (*address & ~(uint64_t)UINT32_MAX) | word;
}

static void
set_high(uint64_t *address, uint32_t word)
{
    *address = (*address & UINT32_MAX) | (uint64_t)word << 32;
}

static void
write_queue(KilnVirtioPci *function, unsigned offset, uint32_t value)
{
    KilnVirtioDevice *virtio = function->virtio;
    unsigned queue = function->queue_select;

    if (queue >= virtio->n_queues)
        return;

    KilnVirtqueueRegs regs = *kiln_virtio_device_queue_regs(virtio, queue);

    switch (offset) {
    case VIRTIO_PCI_COMMON_Q_MSIX:
        kiln_virtio_device_set_queue_vector(virtio, queue, check_vector(function, value));
        kiln_virtio_pci_update_call(function, queue);
        return;
    case VIRTIO_PCI_COMMON_Q_ENABLE: /* 0 is forbidden: virtio 1.2 §4.1.4.3.2 */
        if (value == 1)
            kiln_virtio_device_enable_queue(virtio, queue);
        return;
    case VIRTIO_PCI_COMMON_Q_RESET:
        if (value == 1) {
            kiln_virtio_device_reset_queue(virtio, queue);
            kiln_virtio_pci_update_call(function, queue);
        }
        return;
    case VIRTIO_PCI_COMMON_Q_SIZE: regs.size = (uint16_t)value; break;
    case VIRTIO_PCI_COMMON_Q_DESCLO: set_low(&regs.desc, value); break;
    case VIRTIO_PCI_COMMON_Q_DESCHI: set_high(&regs.desc, value); break;
    case VIRTIO_PCI_COMMON_Q_AVAILLO: set_low(&regs.driver, value); break;
    case VIRTIO_PCI_COMMON_Q_AVAILHI: set_high(&regs.driver, value); break;
    case VIRTIO_PCI_COMMON_Q_USEDLO: set_low(&regs.device, value); break;
    case VIRTIO_PCI_COMMON_Q_USEDHI: set_high(&regs.device, value); break;
    default: return;
    }
    kiln_virtio_device_set_queue_regs(virtio, queue, &regs);
}

static void
write_common(KilnVirtioPci *function, unsigned offset, uint32_t value)
{
    switch (offset) {
    case VIRTIO_PCI_COMMON_DFSELECT: function->device_select = value; break;
    case VIRTIO_PCI_COMMON_GFSELECT: function->driver_select = value; break;
    case VIRTIO_PCI_COMMON_GF: write_driver_features(function, value); break;
    case VIRTIO_PCI_COMMON_MSIX: function->config_vector = check_vector(function, value); break;
    case VIRTIO_PCI_COMMON_STATUS:
        kiln_virtio_device_set_status(function->virtio, (uint8_t)value);
        break;
    case VIRTIO_PCI_COMMON_Q_SELECT: function->queue_select = (uint16_t)value; break;
    default: write_queue(function, offset, value); break;
    }
}

/* -- BAR 4 ------------------------------------------------------------------------------------- */

/* Reading acknowledges (virtio 1.2 §4.1.4.5). */
static uint8_t
read_isr(KilnVirtioPci *function)
{
    uint8_t isr = function->isr;

    function->isr = 0;
    kiln_pci_device_set_intx(&function->pci, FALSE);
    return isr;
}

static uint64_t
regs_read(void *opaque, uint64_t offset, unsigned size)
{
    KilnVirtioPci *function = opaque;
    uint8_t bytes[8] = { 0 };

    if (offset < KILN_VIRTIO_PCI_ISR)
        return common_width((unsigned)offset) == size ? read_common(function, (unsigned)offset) : 0;
    if (offset < KILN_VIRTIO_PCI_CONFIG)
        return offset == KILN_VIRTIO_PCI_ISR ? read_isr(function) : 0;
    if (offset >= KILN_VIRTIO_PCI_NOTIFY)
        return 0;
    kiln_virtio_device_config_read(function->virtio, (unsigned)offset - KILN_VIRTIO_PCI_CONFIG,
                                   bytes, size);
    return kiln_le64_load(bytes);
}

static void
regs_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    KilnVirtioPci *function = opaque;
    uint8_t bytes[8];

    if (offset < KILN_VIRTIO_PCI_ISR) {
        if (common_width((unsigned)offset) == size)
            write_common(function, (unsigned)offset, (uint32_t)data);
    } else if (offset >= KILN_VIRTIO_PCI_NOTIFY) {
        /* Whatever is written: without NOTIFICATION_DATA it is the queue's number, and so is the
         * place (virtio 1.2 §4.1.4.4). */
        kiln_virtio_device_kick(function->virtio, (unsigned)((offset - KILN_VIRTIO_PCI_NOTIFY) /
                                                             function->notify_multiplier));
    } else if (offset >= KILN_VIRTIO_PCI_CONFIG) {
        kiln_le64_store(bytes, data);
        kiln_virtio_device_config_write(function->virtio, (unsigned)offset - KILN_VIRTIO_PCI_CONFIG,
                                        bytes, size);
    }
}

const KilnRegionOps kiln_virtio_pci_regs_ops = {
    .read = regs_read,
    .write = regs_write,
    .mapped = kiln_virtio_pci_mapped,
    .min_access = 1,
    .max_access = 4,
};

/* -- PCI configuration access ------------------------------------------------------------------ */

typedef struct {
    const KilnRegion *region;
    uint32_t offset;
    uint32_t length;
    uint8_t *data;
} Access;

/* What the capability's fields stand for; FALSE if for nothing (virtio 1.2 §4.1.4.9). */
static gboolean
cfg_access(KilnVirtioPci *function, Access *access)
{
    uint8_t *capability = function->pci.config + function->cfg_capability;
    uint8_t bar = capability[VIRTIO_PCI_CAP_BAR];

    access->offset = kiln_le32_load(capability + VIRTIO_PCI_CAP_OFFSET);
    access->length = kiln_le32_load(capability + VIRTIO_PCI_CAP_LENGTH);
    access->data = capability + sizeof(struct virtio_pci_cap);
    if (bar >= KILN_PCI_N_BARS || function->pci.bars[bar].kind == KILN_PCI_BAR_NONE)
        return FALSE;
    access->region = &function->pci.bars[bar].region;
    if (access->length != 1 && access->length != 2 && access->length != 4)
        return FALSE;
    return access->offset % access->length == 0 &&
           access->length >= access->region->ops->min_access &&
           kiln_range_inside(access->offset, access->length, access->region->length);
}

void
kiln_virtio_pci_cfg_read(KilnVirtioPci *function)
{
    Access access;
    uint8_t bytes[8];

    if (!cfg_access(function, &access) || access.region->ops->read == NULL)
        return;
    kiln_le64_store(bytes,
                    access.region->ops->read(access.region->opaque, access.offset, access.length));
    memcpy(access.data, bytes, access.length);
}

void
kiln_virtio_pci_cfg_write(KilnVirtioPci *function)
{
    Access access;
    uint8_t bytes[8] = { 0 };

    if (!cfg_access(function, &access) || access.region->ops->write == NULL)
        return;
    memcpy(bytes, access.data, access.length);
    access.region->ops->write(access.region->opaque, access.offset, kiln_le64_load(bytes),
                              access.length);
}
