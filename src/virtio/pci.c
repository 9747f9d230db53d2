/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pci.h: the function, its capabilities, doorbells and interrupts.  Registers: pci-regs.c. */
#include "virtio/pci-private.h"

#include <linux/virtio_pci.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"
#include "bus/pci-bus.h"
#include "bus/pci-express.h"

enum {
    VENDOR = 0x1af4,      /* virtio 1.2 §4.1.2 */
    DEVICE_BASE = 0x1040, /* + the device type: §4.1.2.1 */
    REVISION = 1,         /* not transitional: §4.1.2.1 */
    SUBSYSTEM = 0x1100,   /* as QEMU's, which Windows' drivers are signed for; at least 0x40 */
    COMMON_BYTES = 64,    /* with queue_notify_data and queue_reset */
    PM_D3HOT = 3,
};

/* -- doorbells --------------------------------------------------------------------------------- */

/* bells held. */
static void
remove_bells(KilnVirtioPci *function)
{
    const KilnDoorbells *doorbells = &function->options.doorbells;

    for (unsigned i = 0; i < function->virtio->n_queues; i++) {
        if (!function->bells_added[i])
            continue;
        doorbells->ops->remove(doorbells->opaque,
                               function->bells_added_at + i * function->notify_multiplier,
                               kiln_virtio_device_kick_fd(function->virtio, i));
        function->bells_added[i] = FALSE;
    }
}

/* bells held.  While there is no driver there are none: firmware moves BARs often, and to add or
 * remove one makes the host wait for a grace period. */
static void
update_bells(KilnVirtioPci *function)
{
    const KilnDoorbells *doorbells = &function->options.doorbells;
    uint64_t at = function->bells_base + KILN_VIRTIO_PCI_NOTIFY;
    gboolean wanted = function->bells_wanted && function->bells_base != KILN_SPACE_UNMAPPED;

    if (doorbells->ops == NULL)
        return;
    if (!wanted || at != function->bells_added_at)
        remove_bells(function);
    if (!wanted)
        return;
    function->bells_added_at = at;
    for (unsigned i = 0; i < function->virtio->n_queues; i++)
        if (!function->bells_added[i])
            function->bells_added[i] =
                doorbells->ops->add(doorbells->opaque, at + i * function->notify_multiplier,
                                    kiln_virtio_device_kick_fd(function->virtio, i));
}

void
kiln_virtio_pci_mapped(void *opaque, uint64_t base)
{
    KilnVirtioPci *function = opaque;
    KILN_LOCK_SCOPE(&function->bells);

    function->bells_base = base;
    update_bells(function);
}

/* -- shared memory ----------------------------------------------------------------------------- */

/* The region that has the byte at @offset of the BAR, and where it begins there. */
static const KilnVirtioSharedMemory *
shared_at(const KilnVirtioPci *function, uint64_t offset, uint64_t *begin)
{
    const KilnVirtioSharedMemory *shared;

    *begin = 0;
    for (unsigned i = 0;; i++) {
        shared = kiln_virtio_device_shared_memory(function->virtio, i);
        if (shared == NULL)
            return NULL;
        *begin = kiln_align_up(*begin, shared->length);
        if (offset >= *begin && offset - *begin < shared->length)
            return shared;
        *begin += shared->length;
    }
}

static void *
shared_byte(const KilnVirtioPci *function, uint64_t offset, unsigned size)
{
    uint64_t begin;
    const KilnVirtioSharedMemory *shared = shared_at(function, offset, &begin);

    if (shared == NULL || !kiln_range_inside(offset - begin, size, shared->length))
        return NULL;
    return (uint8_t *)shared->host + (offset - begin);
}

static uint64_t
shared_read(void *opaque, uint64_t offset, unsigned size)
{
    const void *from = shared_byte(opaque, offset, size);
    uint8_t bytes[8] = { 0 };

    if (from != NULL)
        memcpy(bytes, from, size);
    return kiln_le64_load(bytes);
}

static void
shared_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    void *to = shared_byte(opaque, offset, size);
    uint8_t bytes[8];

    kiln_le64_store(bytes, data);
    if (to != NULL)
        memcpy(to, bytes, size);
}

static void
shared_mapped(void *opaque, uint64_t base)
{
    KilnVirtioPci *function = opaque;
    KILN_LOCK_SCOPE(&function->bells);
    const KilnVirtioWindowOps *window = function->options.window;
    const KilnVirtioSharedMemory *shared;
    uint64_t begin = 0;

    for (unsigned i = 0; window != NULL; i++, begin += shared->length) {
        shared = kiln_virtio_device_shared_memory(function->virtio, i);
        if (shared == NULL)
            break;
        begin = kiln_align_up(begin, shared->length);
        if (function->window_at != KILN_SPACE_UNMAPPED)
            window->remove(function->options.window_opaque, function->window_at + begin,
                           shared->length);
        if (base != KILN_SPACE_UNMAPPED)
            (void)window->add(function->options.window_opaque, base + begin, shared->length,
                              shared->host);
    }
    function->window_at = base;
}

static const KilnRegionOps shared_ops = {
    .read = shared_read,
    .write = shared_write,
    .mapped = shared_mapped,
    .min_access = 1,
    .max_access = 8,
};

/* -- interrupts -------------------------------------------------------------------------------- */

void
kiln_virtio_pci_update_call(KilnVirtioPci *function, unsigned queue)
{
    uint16_t vector = kiln_virtio_device_queue_regs(function->virtio, queue)->vector;
    int fd = KILN_VIRTIO_CALL_TRANSPORT;

    if (kiln_msix_enabled(function->msix))
        fd = vector == KILN_MSIX_NO_VECTOR ? KILN_VIRTIO_CALL_NONE
                                           : kiln_msix_fd(function->msix, vector);
    kiln_virtio_device_set_call(function->virtio, queue, fd);
}

static void
update_calls(KilnVirtioPci *function)
{
    for (unsigned i = 0; i < function->virtio->n_queues; i++)
        kiln_virtio_pci_update_call(function, i);
}

static KilnVirtioPci *
function_of(KilnVirtioTransport *transport)
{
    return (KilnVirtioPci *)(void *)((uint8_t *)transport - offsetof(KilnVirtioPci, transport));
}

/* Lock held. */
static void
raise_pin(KilnVirtioPci *function, uint8_t isr)
{
    function->isr |= isr;
    kiln_pci_device_set_intx(&function->pci, TRUE);
}

/* The queue's eventfd is not for this: the pin, unless MSI-X was switched on meanwhile. */
static void
interrupt_queue(KilnVirtioTransport *transport, unsigned queue)
{
    KilnVirtioPci *function = function_of(transport);
    KILN_LOCK_SCOPE(transport->lock);

    if (!kiln_msix_enabled(function->msix))
        raise_pin(function, 1);
    else
        kiln_msix_notify(function->msix,
                         kiln_virtio_device_queue_regs(function->virtio, queue)->vector);
}

static void
interrupt_config(KilnVirtioTransport *transport)
{
    KilnVirtioPci *function = function_of(transport);

    if (!kiln_msix_enabled(function->msix))
        raise_pin(function, VIRTIO_PCI_ISR_CONFIG);
    else
        kiln_msix_notify(function->msix, function->config_vector);
}

static void
driver_ok(KilnVirtioTransport *transport, gboolean on)
{
    KilnVirtioPci *function = function_of(transport);
    KILN_LOCK_SCOPE(&function->bells);

    function->bells_wanted = on;
    update_bells(function);
}

static void
transport_reset(KilnVirtioTransport *transport)
{
    KilnVirtioPci *function = function_of(transport);

    function->config_vector = KILN_MSIX_NO_VECTOR;
    function->device_select = function->driver_select = 0;
    function->queue_select = 0;
    function->isr = 0;
    kiln_pci_device_set_intx(&function->pci, FALSE);
    update_calls(function);
}

static const KilnVirtioTransportOps transport_ops = {
    .interrupt = interrupt_queue,
    .interrupt_config = interrupt_config,
    .driver_ok = driver_ok,
    .reset = transport_reset,
};

/* -- configuration space ----------------------------------------------------------------------- */

static gboolean
touches(unsigned offset, unsigned size, unsigned first, unsigned length)
{
    return offset < first + length && offset + size > first;
}

static void
config_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    KilnVirtioPci *function = (KilnVirtioPci *)pci;
    gboolean enabled = kiln_msix_enabled(function->msix);

    kiln_msix_written(function->msix, offset, size);
    update_calls(function);
    /* Interrupts come one way or the other (virtio 1.2 §4.1.4.5). */
    if (enabled && function->isr != 0) {
        function->isr = 0;
        kiln_pci_device_set_intx(pci, FALSE);
    }
    if (touches(offset, size, function->cfg_capability + sizeof(struct virtio_pci_cap), 4))
        kiln_virtio_pci_cfg_write(function);
}

static void
config_read(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    KilnVirtioPci *function = (KilnVirtioPci *)pci;

    if (touches(offset, size, function->cfg_capability + sizeof(struct virtio_pci_cap), 4))
        kiln_virtio_pci_cfg_read(function);
}

static const KilnPciOps pci_ops = {
    .config_written = config_written,
    .config_read = config_read,
};

/* Adds a vendor capability that says where a structure is (virtio 1.2 §4.1.4). */
static uint8_t
add_structure(KilnVirtioPci *function, uint8_t type, uint8_t bytes, uint32_t offset,
              uint32_t length)
{
    uint8_t at = kiln_pci_device_add_capability(&function->pci, PCI_CAP_ID_VNDR, bytes);
    uint8_t *capability = function->pci.config + at;

    capability[VIRTIO_PCI_CAP_LEN] = bytes;
    capability[VIRTIO_PCI_CAP_CFG_TYPE] = type;
    capability[VIRTIO_PCI_CAP_BAR] = type == VIRTIO_PCI_CAP_PCI_CFG ? 0 : KILN_VIRTIO_PCI_BAR_REGS;
    kiln_le32_store(capability + VIRTIO_PCI_CAP_OFFSET, offset);
    kiln_le32_store(capability + VIRTIO_PCI_CAP_LENGTH, length);
    return at;
}

static void
add_structures(KilnVirtioPci *function)
{
    uint32_t n_queues = function->virtio->n_queues;
    uint32_t config_size = (uint32_t)kiln_align_up(function->virtio->config_size, 4);
    uint8_t at;

    add_structure(function, VIRTIO_PCI_CAP_COMMON_CFG, 16, KILN_VIRTIO_PCI_COMMON, COMMON_BYTES);
    add_structure(function, VIRTIO_PCI_CAP_ISR_CFG, 16, KILN_VIRTIO_PCI_ISR, 4);
    if (config_size > 0)
        add_structure(function, VIRTIO_PCI_CAP_DEVICE_CFG, 16, KILN_VIRTIO_PCI_CONFIG, config_size);
    at = add_structure(function, VIRTIO_PCI_CAP_NOTIFY_CFG, 20, KILN_VIRTIO_PCI_NOTIFY,
                       n_queues * function->notify_multiplier);
    kiln_le32_store(function->pci.config + at + VIRTIO_PCI_NOTIFY_CAP_MULT,
                    function->notify_multiplier);

    at = add_structure(function, VIRTIO_PCI_CAP_PCI_CFG, 20, 0, 0);
    function->cfg_capability = at;
    function->pci.write_mask[at + VIRTIO_PCI_CAP_BAR] = 0xff;
    memset(function->pci.write_mask + at + VIRTIO_PCI_CAP_OFFSET, 0xff, 12); /* length, data too */
}

static void
add_shared(KilnVirtioPci *function)
{
    const KilnVirtioSharedMemory *shared;
    uint64_t end = 0, size = 4096;

    for (unsigned i = 0;; i++, end += shared->length) {
        shared = kiln_virtio_device_shared_memory(function->virtio, i);
        if (shared == NULL)
            break;
        end = kiln_align_up(end, shared->length);

        uint8_t at = add_structure(function, VIRTIO_PCI_CAP_SHARED_MEMORY_CFG, 24, (uint32_t)end,
                                   (uint32_t)shared->length);
        uint8_t *capability = function->pci.config + at;

        capability[VIRTIO_PCI_CAP_BAR] = KILN_VIRTIO_PCI_BAR_SHARED;
        capability[VIRTIO_PCI_CAP_BAR + 1] = shared->id;
        kiln_le32_store(capability + 16, (uint32_t)(end >> 32));
        kiln_le32_store(capability + 20, (uint32_t)(shared->length >> 32));
    }
    while (size < end)
        size *= 2;
    if (end > 0)
        kiln_pci_device_add_bar(&function->pci, KILN_VIRTIO_PCI_BAR_SHARED, KILN_PCI_BAR_MEMORY_64,
                                TRUE, size, &shared_ops, function);
}

/* PCI Express functions have power management (PCI Express Base 5.0 §7.5.2): states to be set, of
 * which none changes anything. */
static void
add_power_management(KilnPciDevice *pci)
{
    uint8_t at = kiln_pci_device_add_capability(pci, PCI_CAP_ID_PM, PCI_PM_SIZEOF);

    kiln_le16_store(pci->config + at + PCI_PM_PMC, 3); /* version */
    kiln_le16_store(pci->config + at + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
    kiln_le16_store(pci->write_mask + at + PCI_PM_CTRL, PM_D3HOT);
}

static void
add_registers(KilnVirtioPci *function)
{
    uint64_t length =
        KILN_VIRTIO_PCI_NOTIFY + (uint64_t)function->virtio->n_queues * function->notify_multiplier;
    uint64_t size = 4 * KILN_VIRTIO_PCI_PAGE;

    while (size < length)
        size *= 2;
    kiln_pci_device_add_bar(&function->pci, KILN_VIRTIO_PCI_BAR_REGS, KILN_PCI_BAR_MEMORY_64, TRUE,
                            size, &kiln_virtio_pci_regs_ops, function);
}

/* -- the function ------------------------------------------------------------------------------ */

static void
pci_reset(KilnDevice *device)
{
    KilnVirtioPci *function = (KilnVirtioPci *)device;

    kiln_virtio_device_set_status(function->virtio, 0);
    kiln_pci_device_reset(&function->pci);
    kiln_msix_reset(function->msix);
    update_calls(function);
}

static void
pci_free(KilnDevice *device)
{
    KilnVirtioPci *function = (KilnVirtioPci *)device;

    kiln_pci_bus_remove(&function->pci);
    kiln_virtio_device_quiesce(function->virtio);
    function->virtio->ops->free(function->virtio);
    kiln_msix_free(function->msix);
    kiln_mutex_clear(&function->bells);
    g_free(function->bells_added);
    g_free(function->fields);
    kiln_pci_device_clear(&function->pci);
    g_free(function);
}

static gboolean
pci_post_load(void *object, GError **error)
{
    KilnVirtioPci *function = object;

    for (unsigned i = 0; i < function->virtio->n_queues; i++) {
        uint16_t vector = kiln_virtio_device_queue_regs(function->virtio, i)->vector;

        if (vector != KILN_MSIX_NO_VECTOR && vector >= kiln_msix_n_vectors(function->msix))
            return kiln_error_set(error, KILN_ERROR_INVALID, "'%s': no vector has the number %u",
                                  function->virtio->id, vector);
    }
    kiln_msix_update(function->msix);
    update_calls(function);
    return TRUE;
}

static gboolean
check_config_vector(uint64_t value, GError **error)
{
    if (value >= KILN_MSIX_MAX_VECTORS && value != KILN_MSIX_NO_VECTOR)
        return kiln_error_set(error, KILN_ERROR_INVALID, "no vector has this number");
    return TRUE;
}

static const KilnStateField function_fields[] = {
    KILN_STATE_STRUCT(KilnVirtioPci, pci, 1, &kiln_pci_state),
    KILN_STATE_POINTER(KilnVirtioPci, msix, 1, &kiln_msix_state),
    KILN_STATE_RANGE(KilnVirtioPci, isr, 1, 0, 3),
    KILN_STATE(KilnVirtioPci, device_select, 1),
    KILN_STATE(KilnVirtioPci, driver_select, 1),
    KILN_STATE(KilnVirtioPci, queue_select, 1),
    KILN_STATE_CHECKED(KilnVirtioPci, config_vector, 1, check_config_vector),
    KILN_STATE_POINTER(KilnVirtioPci, core, 1, &kiln_virtio_core_state),
};

/* The table of this function: as many queues as the device has, and the device's own state. */
static void
describe_state(KilnVirtioPci *function)
{
    const KilnStateField queue =
        KILN_STATE_POINTER(KilnVirtioPci, queues[0], 1, &kiln_virtqueue_state);
    const KilnStateField device = KILN_STATE_POINTER(KilnVirtioPci, virtio, 1, NULL);
    const KilnStateField end = KILN_STATE_END;
    GArray *fields = g_array_new(FALSE, FALSE, sizeof(KilnStateField));
    unsigned n_queues = function->virtio->n_queues;

    g_array_append_vals(fields, function_fields, G_N_ELEMENTS(function_fields));
    for (unsigned i = 0; i < n_queues; i++) {
        g_array_append_val(fields, queue);
        g_array_index(fields, KilnStateField, fields->len - 1).offset += i * sizeof(void *);
    }
    if (function->virtio->ops->state != NULL) {
        g_array_append_val(fields, device);
        g_array_index(fields, KilnStateField, fields->len - 1).nested =
            function->virtio->ops->state;
    }
    g_array_append_val(fields, end);
    function->fields = (KilnStateField *)(void *)g_array_free(fields, FALSE);
    function->state = (KilnStateDescription){
        .name = function->virtio->ops->name,
        .version = 1,
        .min_version = 1,
        .fields = function->fields,
        .post_load = pci_post_load,
    };
}

/* What lspci calls it, as QEMU's functions say. */
static uint32_t
class_code(unsigned id)
{
    switch (id) {
    case VIRTIO_ID_NET: return 0x020000;   /* Ethernet controller */
    case VIRTIO_ID_BLOCK:                  /* SCSI storage controller */
    case VIRTIO_ID_SCSI: return 0x010000;  /* same */
    case VIRTIO_ID_FS: return 0x018000;    /* mass storage controller */
    case VIRTIO_ID_CONSOLE:                /* communication controller */
    case VIRTIO_ID_VSOCK: return 0x078000; /* same */
    case VIRTIO_ID_GPU: return 0x038000;   /* display controller */
    case VIRTIO_ID_INPUT: return 0x098000; /* input device controller */
    case VIRTIO_ID_IOMMU: return 0x080600; /* IOMMU */
    default: return 0x00ff00;              /* unclassified: rng, balloon, mem, pmem */
    }
}

static void
init_function(KilnVirtioPci *function)
{
    KilnVirtioDevice *virtio = function->virtio;
    uint32_t class = function->options.class_code;
    KilnPciIdentity identity = {
        .vendor = VENDOR,
        .device = (uint16_t)(DEVICE_BASE + virtio->ops->id),
        .revision = REVISION,
        .class_code = class != 0 ? class : class_code(virtio->ops->id),
        .header_type = PCI_HEADER_TYPE_NORMAL,
        .subsystem_vendor = VENDOR,
        .subsystem = SUBSYSTEM,
        .pin = 1,
        .express = TRUE,
    };

    describe_state(function);
    function->ops = (KilnDeviceOps){
        .name = virtio->ops->name,
        .reset = pci_reset,
        .free = pci_free,
        .state = &function->state,
    };
    kiln_pci_device_init(&function->pci, &function->ops, &pci_ops, virtio->id, &identity);
    function->pci.device.instance = function->options.instance;
    function->transport.ops = &transport_ops;
    function->transport.lock = &function->pci.device.lock;
}

KilnPciDevice *
kiln_virtio_pci_new(KilnVirtioDevice *virtio, const KilnVirtioPciOptions *options, GError **error)
{
    unsigned n = virtio->n_queues;
    KilnVirtioPci *function = g_malloc0(sizeof(KilnVirtioPci) + n * sizeof(KilnVirtqueue *));
    unsigned n_vectors = options->n_vectors != 0 ? options->n_vectors : n + 1;

    function->virtio = virtio;
    function->options = *options;
    function->core = kiln_virtio_device_core(virtio);
    for (unsigned i = 0; i < n; i++)
        function->queues[i] = kiln_virtio_device_queue(virtio, i);
    function->notify_multiplier = options->page_per_vq ? KILN_VIRTIO_PCI_PAGE : 4;
    function->config_vector = KILN_MSIX_NO_VECTOR;
    function->bells_base = function->window_at = KILN_SPACE_UNMAPPED;
    function->bells_added = g_new0(gboolean, n);
    kiln_mutex_init(&function->bells);
    init_function(function);

    add_power_management(&function->pci);
    kiln_pci_device_add_express(&function->pci,
                                options->express ? PCI_EXP_TYPE_ENDPOINT : PCI_EXP_TYPE_RC_END);
    function->msix = kiln_msix_new(&function->pci, KILN_VIRTIO_PCI_BAR_MSIX,
                                   MIN(n_vectors, KILN_MSIX_MAX_VECTORS), error);
    if (function->msix == NULL || !kiln_virtio_device_attach(virtio, &function->transport, error)) {
        pci_free(&function->pci.device);
        return NULL;
    }
    add_structures(function);
    add_shared(function);
    add_registers(function);
    update_calls(function);
    return &function->pci;
}

KilnVirtioDevice *
kiln_virtio_pci_device(KilnPciDevice *pci)
{
    return ((KilnVirtioPci *)pci)->virtio;
}
