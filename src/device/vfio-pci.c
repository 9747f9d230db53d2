/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See vfio-pci.h.
 *
 *   registers  BAR placed -> what is mapped of it becomes memory of the guest
 *              the pages with the MSI-X table and pending bits, and what cannot be mapped -> here
 *   interrupts the device -> VFIO -> eventfd of a vector -> KVM; the guest's table and masks are
 *              bus/msix.h's, the device's own table is the host's business
 *   DMA        guest-physical addresses, through the IOMMU (vfio/container.h)
 *
 * The device decodes memory and ports all the time, whatever the guest's command register says:
 * whether the guest reaches them is decided here, by its BARs.
 */
#include "device/vfio-pci.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/intmath.h"
#include "base/le.h"
#include "base/log.h"
#include "bus/msi.h"
#include "bus/msix.h"
#include "bus/pci-bus.h"
#include "device/vfio-capabilities.h"

enum {
    PAGE = 4096,
    MAX_MSI = 32,
    OFF = -1, /* of an interrupt index: none is on */
    GUESTS_COMMAND = PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR,
    HOSTS_COMMAND = PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE,
};

typedef struct VfioPci VfioPci;

typedef struct {
    VfioPci *function;
    guint index;
    GArray *areas; /* (owned) (nullable) of KilnVfioArea: what the guest reaches by itself */
    GArray *slots; /* (owned) (nullable) of int: while it is placed */
} Bar;

/* Where in a BAR the MSI-X table is, or its pending bits. */
typedef struct {
    guint bar;
    uint64_t offset;
    uint64_t length;
} Place;

struct VfioPci {
    KilnPciDevice pci;
    KilnVfioDevice *device; /* (owned) */
    KilnSlots slots;
    KilnVfioLayout layout;
    Bar bars[KILN_PCI_N_BARS];
    KilnMsix *msix; /* (owned) (nullable) */
    Place table;
    Place pending;
    KilnMsiWire msi[MAX_MSI]; /* (owned) descriptors */
    guint n_msi;              /* how many it has */
    int irqs;                 /* VFIO_PCI_MSI(X)_IRQ_INDEX that is on, or OFF */
    guint n_irqs;             /* how many of them */
};

static VfioPci *
from_pci(KilnPciDevice *pci)
{
    return (VfioPci *)pci;
}

/* ---- registers ---------------------------------------------------------------------------------
 */

static gboolean
is_in(const Place *place, const Bar *bar, uint64_t offset)
{
    return place->length > 0 && place->bar == bar->index && offset >= place->offset &&
           offset - place->offset < place->length;
}

/* 8 bytes are two registers; of a register that is read in part the part is cut out. */
static uint64_t
read_msix(const VfioPci *function, const Place *place, uint64_t offset, unsigned size)
{
    uint32_t (*get)(const KilnMsix *, uint64_t) =
        place == &function->table ? kiln_msix_table_read : kiln_msix_pending_read;
    uint64_t at = offset - place->offset;
    uint64_t value = get(function->msix, at & ~UINT64_C(3)) >> (8 * (at & 3));

    return size == 8 ? value | (uint64_t)get(function->msix, (at & ~UINT64_C(3)) + 4) << 32 : value;
}

static uint64_t
bar_read(void *opaque, uint64_t offset, unsigned size)
{
    const Bar *bar = opaque;
    VfioPci *function = bar->function;
    uint8_t data[8];

    if (is_in(&function->table, bar, offset))
        return read_msix(function, &function->table, offset, size);
    if (is_in(&function->pending, bar, offset))
        return read_msix(function, &function->pending, offset, size);
    memset(data, 0xff, sizeof data);
    if (function->device->ops->read(function->device, bar->index, offset, data, size) < 0)
        memset(data, 0xff, sizeof data);
    return kiln_le64_load(data);
}

static void
bar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const Bar *bar = opaque;
    VfioPci *function = bar->function;
    uint8_t data[8];

    if (is_in(&function->table, bar, offset)) {
        uint64_t at = offset - function->table.offset;

        if (size < 4 || at % 4 != 0)
            return;
        kiln_msix_table_write(function->msix, at, (uint32_t)value);
        if (size == 8)
            kiln_msix_table_write(function->msix, at + 4, (uint32_t)(value >> 32));
        return;
    }
    if (is_in(&function->pending, bar, offset))
        return;
    kiln_le64_store(data, value);
    (void)function->device->ops->write(function->device, bar->index, offset, data, size);
}

static void
bar_mapped(void *opaque, uint64_t base)
{
    static KilnRatelimit limit;
    const Bar *bar = opaque;
    const KilnSlots *slots = &bar->function->slots;

    if (slots->ops == NULL || bar->areas == NULL)
        return;
    for (guint i = 0; i < bar->slots->len; i++)
        slots->ops->remove(slots->opaque, g_array_index(bar->slots, int, i));
    g_array_set_size(bar->slots, 0);
    if (base == KILN_SPACE_UNMAPPED)
        return;
    for (guint i = 0; i < bar->areas->len; i++) {
        const KilnVfioArea *area = &g_array_index(bar->areas, KilnVfioArea, i);
        int slot =
            slots->ops->add(slots->opaque, base + area->offset, area->length, area->host, FALSE);

        if (slot >= 0)
            g_array_append_val(bar->slots, slot);
        else
            kiln_log_guest(&limit, "registers of '%s' are slow: they have no place in memory",
                           bar->function->pci.device.id);
    }
}

static const KilnRegionOps bar_ops = {
    .read = bar_read, .write = bar_write, .mapped = bar_mapped, .min_access = 1, .max_access = 8
};
static const KilnRegionOps port_ops = {
    .read = bar_read, .write = bar_write, .min_access = 1, .max_access = 4
};

/* ---- interrupts --------------------------------------------------------------------------------
 */

static guint
n_msi_enabled(const VfioPci *function)
{
    uint16_t flags;

    if (function->layout.msi == 0)
        return 0;
    flags = kiln_le16_load(function->pci.config + function->layout.msi + PCI_MSI_FLAGS);
    if (!(flags & PCI_MSI_FLAGS_ENABLE))
        return 0;
    return MIN(1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4), function->n_msi);
}

/* The message of vector @n of @count: PCI Local Bus 3.0 §6.8.1.6, the lowest bits tell it. */
static KilnMsiMessage
msi_message(const VfioPci *function, guint n, guint count)
{
    const uint8_t *at = function->pci.config + function->layout.msi;
    gboolean wide = (kiln_le16_load(at + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_64BIT) != 0;
    uint32_t data = kiln_le16_load(at + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32));

    return (KilnMsiMessage){
        .address = kiln_le32_load(at + PCI_MSI_ADDRESS_LO) |
                   (wide ? (uint64_t)kiln_le32_load(at + PCI_MSI_ADDRESS_HI) << 32 : 0),
        .data = (data & ~(count - 1)) | n,
    };
}

static void
disconnect_msi(VfioPci *function)
{
    KilnMsi msi;

    if (function->n_msi == 0 || function->pci.bus == NULL)
        return;
    msi = *kiln_pci_host_msi(kiln_pci_bus_host(function->pci.bus));
    for (guint i = 0; i < function->n_msi; i++) {
        KilnMsiWire *wire = &function->msi[i];

        if (wire->route >= 0)
            msi.ops->disconnect(msi.opaque, &wire, 1);
        wire->route = -1;
    }
}

/* The wires follow the capability, which the guest has written. */
static void
connect_msi(VfioPci *function)
{
    guint count = n_msi_enabled(function);
    KilnMsiWire *wires[MAX_MSI];
    KilnMsi msi;

    disconnect_msi(function);
    if (count == 0 || function->pci.bus == NULL)
        return;
    msi = *kiln_pci_host_msi(kiln_pci_bus_host(function->pci.bus));
    for (guint i = 0; i < count; i++) {
        function->msi[i].message = msi_message(function, i, count);
        wires[i] = &function->msi[i];
    }
    if (msi.ops != NULL)
        msi.ops->connect(msi.opaque, wires, count);
}

static void
turn_off(VfioPci *function)
{
    if (function->irqs != OFF)
        (void)function->device->ops->set_irqs(function->device, (guint)function->irqs, NULL, 0);
    function->irqs = OFF;
    function->n_irqs = 0;
}

static void
turn_on(VfioPci *function, int index, guint n)
{
    static KilnRatelimit limit;
    g_autofree int *fds = g_new(int, n);
    int result;

    for (guint i = 0; i < n; i++)
        fds[i] = index == VFIO_PCI_MSIX_IRQ_INDEX ? kiln_msix_fd(function->msix, i)
                                                  : function->msi[i].fd;
    result = function->device->ops->set_irqs(function->device, (guint)index, fds, n);
    if (result > 0 && (guint)result < n) {
        kiln_log_guest(&limit, "'%s' gets %d of its %u interrupts: the host has no more",
                       function->pci.device.id, result, n);
        result =
            function->device->ops->set_irqs(function->device, (guint)index, fds, (guint)result);
    }
    if (result < 0)
        kiln_log_guest(&limit, "the interrupts of '%s' cannot be turned on: %s",
                       function->pci.device.id, g_strerror(-result));
    function->irqs = index;
    function->n_irqs = n;
}

/* VFIO has one kind of interrupts turned on at a time, as PCI has. */
static void
update_irqs(VfioPci *function)
{
    gboolean msix = function->msix != NULL && kiln_msix_enabled(function->msix);
    guint n = msix ? kiln_msix_n_vectors(function->msix) : n_msi_enabled(function);
    int index = n == 0 ? OFF : msix ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;

    if (index == function->irqs && n == function->n_irqs)
        return;
    turn_off(function);
    if (index != OFF)
        turn_on(function, index, n);
}

/* ---- configuration space -----------------------------------------------------------------------
 */

/* Reads what the function has now of the passed bytes among the @size at @offset. */
static void
refresh(VfioPci *function, unsigned offset, unsigned size)
{
    uint8_t *config = function->pci.config;

    for (unsigned i = offset; i < offset + size && i < PCI_CFG_SPACE_SIZE; i++) {
        if (function->layout.passed[i] &&
            function->device->ops->read(function->device, VFIO_PCI_CONFIG_REGION_INDEX, i,
                                        &config[i], 1) < 0)
            config[i] = 0xff;
    }
    /* Not the host's: whether there is a list, and a line that the guest does not have. */
    if (offset <= PCI_STATUS && offset + size > PCI_STATUS)
        config[PCI_STATUS] =
            (uint8_t)((config[PCI_STATUS] & ~(PCI_STATUS_CAP_LIST | PCI_STATUS_INTERRUPT)) |
                      (function->pci.last_capability != 0 ? PCI_STATUS_CAP_LIST : 0));
}

static void
config_read(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    refresh(from_pci(pci), offset, size);
}

/* A register at a time, since a reset is begun by a write to one. */
static void
write_passed(VfioPci *function, unsigned offset, unsigned size)
{
    unsigned end = MIN(offset + size, (unsigned)PCI_CFG_SPACE_SIZE);

    for (unsigned i = offset, n; i < end; i += n) {
        for (n = 0; i + n < end && n < 4 && function->layout.passed[i + n]; n++)
            continue;
        if (n > 0)
            (void)function->device->ops->write(function->device, VFIO_PCI_CONFIG_REGION_INDEX, i,
                                               function->pci.config + i, n);
        else
            n = 1;
    }
}

static void
write_command(VfioPci *function)
{
    uint16_t command = kiln_le16_load(function->pci.config + PCI_COMMAND) & GUESTS_COMMAND;
    uint8_t data[2];

    kiln_le16_store(data, command | HOSTS_COMMAND);
    (void)function->device->ops->write(function->device, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
                                       data, sizeof data);
}

static gboolean
touches(unsigned offset, unsigned size, unsigned first, unsigned length)
{
    return offset < first + length && offset + size > first;
}

static void
config_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    enum { MSI_BYTES = 14 };
    VfioPci *function = from_pci(pci);

    write_passed(function, offset, size);
    refresh(function, offset, size);
    if (touches(offset, size, PCI_COMMAND, 2))
        write_command(function);
    if (function->layout.msi != 0 && touches(offset, size, function->layout.msi, MSI_BYTES))
        connect_msi(function);
    if (function->msix != NULL)
        kiln_msix_written(function->msix, offset, size);
    update_irqs(function);
}

static const KilnPciOps pci_ops = { .config_written = config_written, .config_read = config_read };

/* ---- life --------------------------------------------------------------------------------------
 */

static void
function_reset(KilnDevice *base)
{
    static KilnRatelimit limit;
    VfioPci *function = (VfioPci *)base;
    int result = 0;

    disconnect_msi(function);
    kiln_pci_device_reset(&function->pci);
    if (function->msix != NULL)
        kiln_msix_reset(function->msix);
    turn_off(function);
    write_command(function); /* no DMA from here on, also of what cannot be reset */
    if (function->device->resets)
        result = function->device->ops->reset(function->device);
    if (result < 0)
        kiln_log_guest(&limit, "'%s' is not reset: %s", function->pci.device.id,
                       g_strerror(-result));
    write_command(function);
}

static void
function_free(KilnDevice *base)
{
    VfioPci *function = (VfioPci *)base;

    disconnect_msi(function);
    kiln_pci_bus_remove(&function->pci);
    if (function->device != NULL)
        turn_off(function);
    kiln_msix_free(function->msix);
    for (guint i = 0; i < function->n_msi; i++)
        kiln_fd_clear(&function->msi[i].fd);
    for (guint i = 0; i < KILN_PCI_N_BARS; i++) {
        g_clear_pointer(&function->bars[i].areas, g_array_unref);
        g_clear_pointer(&function->bars[i].slots, g_array_unref);
    }
    kiln_vfio_device_free(function->device);
    kiln_pci_device_clear(&function->pci);
    g_free(function);
}

static const KilnDeviceOps function_ops = {
    .name = "vfio-pci",
    .reset = function_reset,
    .free = function_free,
    .unsaved = "it is a device of the host",
};

/* ---- set-up ------------------------------------------------------------------------------------
 */

/* Appends @area but for the pages of @holes from @n on. */
static void
cut(const Bar *bar, KilnVfioArea area, const Place *const *holes, guint n)
{
    for (; n > 0; holes++, n--) {
        const Place *hole = *holes;
        uint64_t first = hole->offset & ~(uint64_t)(PAGE - 1);
        uint64_t end = kiln_align_up(hole->offset + hole->length, PAGE);
        uint64_t area_end = area.offset + area.length;

        if (hole->length == 0 || hole->bar != bar->index || first >= area_end || end <= area.offset)
            continue;
        if (first > area.offset) {
            KilnVfioArea before = area;

            before.length = first - area.offset;
            cut(bar, before, holes + 1, n - 1);
        }
        if (end >= area_end)
            return;
        area.host = (uint8_t *)area.host + (end - area.offset);
        area.offset = end;
        area.length = area_end - end;
    }
    g_array_append_val(bar->areas, area);
}

static void
add_areas(VfioPci *function, Bar *bar)
{
    const GArray *areas = function->device->regions[bar->index].areas;
    const Place *const holes[] = { &function->table, &function->pending };

    bar->areas = g_array_new(FALSE, FALSE, sizeof(KilnVfioArea));
    bar->slots = g_array_new(FALSE, FALSE, sizeof(int));
    for (guint i = 0; i < areas->len; i++)
        cut(bar, g_array_index(areas, KilnVfioArea, i), holes, G_N_ELEMENTS(holes));
}

static gboolean
add_bars(VfioPci *function, const uint8_t *config, GError **error)
{
    for (guint i = 0; i < KILN_PCI_N_BARS; i++) {
        uint32_t value = kiln_le32_load(config + PCI_BASE_ADDRESS_0 + 4 * (size_t)i);
        uint64_t size = function->device->regions[i].size;
        gboolean io = (value & PCI_BASE_ADDRESS_SPACE_IO) != 0;
        gboolean wide =
            (value & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 && !io;
        Bar *bar = &function->bars[i];

        if (size == 0)
            continue;
        if (!kiln_is_power_of_2(size) || size < (io ? 4 : 16) ||
            (wide ? i + 1 == KILN_PCI_N_BARS : size > UINT32_MAX))
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "its BAR %u of %" G_GUINT64_FORMAT " bytes is none", i, size);
        bar->function = function;
        bar->index = i;
        if (!io)
            add_areas(function, bar);
        kiln_pci_device_add_bar(&function->pci, i,
                                io     ? KILN_PCI_BAR_IO
                                : wide ? KILN_PCI_BAR_MEMORY_64
                                       : KILN_PCI_BAR_MEMORY_32,
                                !io && (value & PCI_BASE_ADDRESS_MEM_PREFETCH), size,
                                io ? &port_ops : &bar_ops, bar);
        if (wide)
            i++; /* the upper half of the register */
    }
    return TRUE;
}

static gboolean
find_place(const VfioPci *function, uint32_t value, uint64_t length, Place *place, GError **error)
{
    *place = (Place){ .bar = value & PCI_MSIX_TABLE_BIR,
                      .offset = value & PCI_MSIX_TABLE_OFFSET,
                      .length = length };
    if (place->bar < KILN_PCI_N_BARS &&
        place->offset <= function->device->regions[place->bar].size &&
        length <= function->device->regions[place->bar].size - place->offset)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                          "its MSI-X capability points to no registers of it");
}

static gboolean
add_msix(VfioPci *function, GError **error)
{
    const uint8_t *at = function->pci.config + function->layout.msix;
    guint n;

    if (function->layout.msix == 0)
        return TRUE;
    n = (kiln_le16_load(at + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1u;
    if (!find_place(function, kiln_le32_load(at + PCI_MSIX_TABLE), n * PCI_MSIX_ENTRY_SIZE,
                    &function->table, error) ||
        !find_place(function, kiln_le32_load(at + PCI_MSIX_PBA), (n + 63) / 64 * 8,
                    &function->pending, error))
        return FALSE;
    function->msix = kiln_msix_new_in(&function->pci, function->layout.msix, n, error);
    return function->msix != NULL;
}

static gboolean
add_msi(VfioPci *function, GError **error)
{
    uint16_t flags;

    if (function->layout.msi == 0)
        return TRUE;
    flags = kiln_le16_load(function->pci.config + function->layout.msi + PCI_MSI_FLAGS);
    /* More than 32 are none: PCI Local Bus 3.0 §6.8.1.3. */
    function->n_msi = MIN(1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1), (guint)MAX_MSI);
    for (guint i = 0; i < function->n_msi; i++)
        function->msi[i].fd = -1;
    for (guint i = 0; i < function->n_msi; i++) {
        function->msi[i].route = -1;
        function->msi[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (function->msi[i].fd < 0)
            return kiln_error_set_errno(error, errno, "cannot make an eventfd");
    }
    return TRUE;
}

static gboolean
set_up(VfioPci *function, const uint8_t *config, gsize size, gboolean express, GError **error)
{
    kiln_vfio_copy_capabilities(&function->pci, config, size, express, &function->layout);
    if (config[PCI_INTERRUPT_PIN] != 0 && function->layout.msi == 0 && function->layout.msix == 0)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "it has neither MSI nor MSI-X, and interrupts by a line (INTx) are "
                              "not given to guests");
    if (!add_msix(function, error) || !add_msi(function, error) ||
        !add_bars(function, config, error))
        return FALSE;
    write_command(function);
    return TRUE;
}

static gboolean
read_config(KilnVfioDevice *device, uint8_t *config, gsize size, GError **error)
{
    int result = -EINVAL;

    if (size >= PCI_CFG_SPACE_SIZE)
        result = device->ops->read(device, VFIO_PCI_CONFIG_REGION_INDEX, 0, config, (unsigned)size);
    if (result < 0)
        return kiln_error_set_errno(error, -result, "cannot read its configuration space");
    if ((config[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "it is a bridge, which cannot be given to a guest");
    return TRUE;
}

KilnPciDevice *
kiln_vfio_pci_new(KilnVfioDevice *device, const KilnVfioPciOptions *options, GError **error)
{
    g_autoptr(KilnVfioDevice) owned = device;
    gsize size =
        MIN(device->regions[VFIO_PCI_CONFIG_REGION_INDEX].size, (uint64_t)PCI_CFG_SPACE_EXP_SIZE);
    uint8_t config[PCI_CFG_SPACE_EXP_SIZE];
    KilnPciIdentity identity;
    VfioPci *function;

    size = size >= PCI_CFG_SPACE_EXP_SIZE ? PCI_CFG_SPACE_EXP_SIZE
                                          : MIN(size, (gsize)PCI_CFG_SPACE_SIZE);
    if (!read_config(device, config, size, error)) {
        g_prefix_error(error, "the host's PCI function '%s': ", device->name);
        return NULL;
    }
    identity = kiln_vfio_identity(config, size);
    function = g_new0(VfioPci, 1);
    kiln_pci_device_init(&function->pci, &function_ops, &pci_ops, options->id, &identity);
    function->device = g_steal_pointer(&owned);
    function->slots = options->slots;
    function->irqs = OFF;
    if (set_up(function, config, size, options->express, error))
        return &function->pci;
    g_prefix_error(error, "the host's PCI function '%s': ", device->name);
    kiln_device_free(&function->pci.device);
    return NULL;
}
