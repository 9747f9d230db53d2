/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See device.h and transport.h: the register side, and set-up.  The I/O side is device-io.c. */
#include "virtio/device-private.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/intmath.h"

#define BIT(feature) (UINT64_C(1) << (feature))

enum {
    DEFAULT_QUEUE_SIZE = 256,
    /* What a driver may set; DEVICE_NEEDS_RESET is the device's. */
    DRIVER_STATUS = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                    VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK |
                    VIRTIO_CONFIG_S_FAILED,
};

static uint64_t
core_features(const KilnVirtioOptions *options)
{
    uint64_t features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_RESET);

    if (!options->no_event_idx)
        features |= BIT(VIRTIO_RING_F_EVENT_IDX);
    if (!options->no_indirect)
        features |= BIT(VIRTIO_RING_F_INDIRECT_DESC);
    if (options->packed)
        features |= BIT(VIRTIO_F_RING_PACKED);
    if (options->in_order)
        features |= BIT(VIRTIO_F_IN_ORDER);
    return features;
}

void
kiln_virtio_device_init(KilnVirtioDevice *device, const KilnVirtioOps *ops,
                        const KilnVirtioOptions *options)
{
    uint16_t size = options->queue_size != 0 ? options->queue_size : DEFAULT_QUEUE_SIZE;
    KilnVirtioCore *core = g_new0(KilnVirtioCore, 1);

    device->ops = ops;
    device->id = g_strdup(options->id);
    device->memory = options->memory;
    device->context = options->context != NULL ? g_main_context_ref(options->context) : NULL;
    device->n_queues = options->n_queues;
    device->config_size = options->config_size;
    device->config = g_malloc0(MAX(options->config_size, 1));
    device->core = core;
    core->device = device;

    kiln_mutex_init(&core->own_lock);
    kiln_cond_init(&core->changed);
    core->lock = &core->own_lock;
    core->offered = options->features | core_features(options);
    core->shared = g_array_new(FALSE, FALSE, sizeof(KilnVirtioSharedMemory));
    core->queues = g_new0(KilnVirtioQueue, options->n_queues);
    for (unsigned i = 0; i < options->n_queues; i++) {
        core->queues[i].device = device;
        core->queues[i].kick.fd = -1;
        core->queues[i].queue = kiln_virtqueue_new(options->memory, i, size);
        kiln_virtio_device_set_queue_size(device, i, size);
    }
}

void
kiln_virtio_device_clear(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;

    g_assert(core->phase == KILN_VIRTIO_IDLE && core->n_posted == 0);
    for (unsigned i = 0; i < device->n_queues; i++) {
        kiln_source_free(core->queues[i].source);
        kiln_event_clear(&core->queues[i].kick);
        kiln_virtqueue_free(core->queues[i].queue);
    }
    g_free(core->queues);
    g_array_unref(core->shared);
    kiln_cond_clear(&core->changed);
    kiln_mutex_clear(&core->own_lock);
    g_free(core);
    device->core = NULL;
    g_clear_pointer(&device->context, g_main_context_unref);
    g_clear_pointer(&device->config, g_free);
    g_clear_pointer(&device->id, g_free);
}

static void
interrupt_by_transport(void *opaque, unsigned queue)
{
    KilnVirtioTransport *transport = opaque;

    transport->ops->interrupt(transport, queue);
}

gboolean
kiln_virtio_device_attach(KilnVirtioDevice *device, KilnVirtioTransport *transport, GError **error)
{
    for (unsigned i = 0; i < device->n_queues; i++) {
        if (!kiln_event_open(&device->core->queues[i].kick, error)) {
            g_prefix_error(error, "'%s': ", device->id);
            return FALSE;
        }
    }
    for (unsigned i = 0; i < device->n_queues; i++) {
        device->core->queues[i].queue->call = interrupt_by_transport;
        device->core->queues[i].queue->call_opaque = transport;
    }
    device->core->transport = transport;
    device->core->lock = transport->lock;
    return TRUE;
}

void
kiln_virtio_device_add_features(KilnVirtioDevice *device, uint64_t features)
{
    device->core->offered |= features;
}

void
kiln_virtio_device_remove_features(KilnVirtioDevice *device, uint64_t features)
{
    device->core->offered &= ~features;
}

void
kiln_virtio_device_set_queue_size(KilnVirtioDevice *device, unsigned queue, uint16_t size)
{
    KilnVirtqueue *which = device->core->queues[queue].queue;

    g_assert(size > 0 && size <= KILN_VIRTQUEUE_MAX_SIZE && kiln_is_power_of_2(size));
    which->max_size = size;
    kiln_virtqueue_reset_regs(which);
}

void
kiln_virtio_device_add_shared_memory(KilnVirtioDevice *device, const KilnVirtioSharedMemory *shared)
{
    g_assert(shared->length >= 4096 && kiln_is_power_of_2(shared->length));
    g_array_append_val(device->core->shared, *shared);
}

const KilnVirtioSharedMemory *
kiln_virtio_device_shared_memory(const KilnVirtioDevice *device, unsigned i)
{
    GArray *shared = device->core->shared;

    return i < shared->len ? &g_array_index(shared, KilnVirtioSharedMemory, i) : NULL;
}

KilnVirtqueue *
kiln_virtio_device_queue(KilnVirtioDevice *device, unsigned queue)
{
    g_assert(queue < device->n_queues);
    return device->core->queues[queue].queue;
}

gboolean
kiln_virtio_device_has_feature(const KilnVirtioDevice *device, unsigned bit)
{
    return (device->core->negotiated >> bit & 1) != 0;
}

void
kiln_virtio_device_lock(KilnVirtioDevice *device)
{
    kiln_mutex_lock(device->core->lock);
}

void
kiln_virtio_device_unlock(KilnVirtioDevice *device)
{
    kiln_mutex_unlock(device->core->lock);
}

/* -- status ------------------------------------------------------------------------------------ */

static gboolean
check_features(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;
    const char *fault =
        kiln_virtio_features_fault(device->ops->id, core->offered, core->driver_features);

    if (fault == NULL)
        return TRUE;
    kiln_log_guest(&core->limit, "%s: the driver accepts features that do not go together: %s",
                   device->id, fault);
    return FALSE;
}

/* A driver only adds bits (virtio 1.2 §2.1.1). */
static void
add_status(KilnVirtioDevice *device, uint8_t bits)
{
    KilnVirtioCore *core = device->core;
    uint8_t added = bits & DRIVER_STATUS & (uint8_t)~core->status;

    if ((added & VIRTIO_CONFIG_S_FEATURES_OK) && !check_features(device))
        added &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
    if (added & VIRTIO_CONFIG_S_FEATURES_OK)
        core->negotiated = core->driver_features;
    core->status |= added;
    if ((added & VIRTIO_CONFIG_S_DRIVER_OK) && !(core->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
        kiln_log_guest(&core->limit, "%s: the driver is there before its features are", device->id);
        core->status &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
        added &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
    }
    if (added & VIRTIO_CONFIG_S_DRIVER_OK) {
        if (core->transport != NULL)
            core->transport->ops->driver_ok(core->transport, TRUE);
        kiln_virtio_core_update(device);
    }
}

/* The registers are those of a new driver from now on; what the I/O side uses is its own. */
static void
begin_reset(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;

    core->driver_features = 0;
    for (unsigned i = 0; i < device->n_queues; i++)
        kiln_virtqueue_reset_regs(core->queues[i].queue);
    if (core->transport != NULL) {
        core->transport->ops->driver_ok(core->transport, FALSE);
        core->transport->ops->reset(core->transport);
    }
    core->wanted_status = 0;
    core->reset_pending = true;
    kiln_virtio_core_update(device);
}

void
kiln_virtio_core_finish_reset(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;
    uint8_t wanted = core->wanted_status;

    for (unsigned i = 0; i < device->n_queues; i++) {
        kiln_virtqueue_reset(core->queues[i].queue);
        core->queues[i].reset_wanted = false;
    }
    core->negotiated = 0;
    core->status = 0;
    core->wanted_status = 0;
    core->reset_pending = false;
    __atomic_store_n(&core->broken, 0, __ATOMIC_RELAXED);
    if (device->ops->reset != NULL)
        device->ops->reset(device);
    if (wanted != 0)
        add_status(device, wanted);
}

void
kiln_virtio_device_set_status(KilnVirtioDevice *device, uint8_t status)
{
    if (status == 0)
        begin_reset(device);
    else if (device->core->reset_pending)
        device->core->wanted_status |= status;
    else
        add_status(device, status);
}

uint8_t
kiln_virtio_device_status(const KilnVirtioDevice *device)
{
    return device->core->status;
}

void
kiln_virtio_device_broken(KilnVirtioDevice *device, const char *format, ...)
{
    KilnVirtioCore *core = device->core;
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    kiln_log_guest(&core->limit, "%s: %s", device->id, message);

    KILN_LOCK_SCOPE(core->lock);

    if (core->status & VIRTIO_CONFIG_S_NEEDS_RESET)
        return;
    core->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    __atomic_store_n(&core->broken, 1, __ATOMIC_RELAXED);
    /* virtio 1.2 §2.1.2: a notification is due once the driver is there. */
    if ((core->status & VIRTIO_CONFIG_S_DRIVER_OK) && core->transport != NULL)
        core->transport->ops->interrupt_config(core->transport);
}

/* -- registers --------------------------------------------------------------------------------- */

uint64_t
kiln_virtio_device_offered(const KilnVirtioDevice *device)
{
    return device->core->offered;
}

uint64_t
kiln_virtio_device_driver_features(const KilnVirtioDevice *device)
{
    return device->core->driver_features;
}

void
kiln_virtio_device_set_driver_features(KilnVirtioDevice *device, uint64_t features)
{
    KilnVirtioCore *core = device->core;
    uint8_t status = core->reset_pending ? core->wanted_status : core->status;

    if (!(status & VIRTIO_CONFIG_S_FEATURES_OK))
        core->driver_features = features;
}

uint8_t
kiln_virtio_device_generation(const KilnVirtioDevice *device)
{
    return device->core->generation;
}

const KilnVirtqueueRegs *
kiln_virtio_device_queue_regs(const KilnVirtioDevice *device, unsigned queue)
{
    return &device->core->queues[queue].queue->regs;
}

void
kiln_virtio_device_set_queue_regs(KilnVirtioDevice *device, unsigned queue,
                                  const KilnVirtqueueRegs *regs)
{
    KilnVirtqueueRegs *ours = &device->core->queues[queue].queue->regs;

    if (ours->enabled)
        return;
    ours->size = regs->size;
    ours->desc = regs->desc;
    ours->driver = regs->driver;
    ours->device = regs->device;
}

void
kiln_virtio_device_set_queue_vector(KilnVirtioDevice *device, unsigned queue, uint16_t vector)
{
    device->core->queues[queue].queue->regs.vector = vector;
}

void
kiln_virtio_device_enable_queue(KilnVirtioDevice *device, unsigned queue)
{
    KilnVirtioQueue *which = &device->core->queues[queue];

    which->queue->regs.enabled = true;
    kiln_virtio_core_update_queue(which);
}

void
kiln_virtio_device_reset_queue(KilnVirtioDevice *device, unsigned queue)
{
    KilnVirtioQueue *which = &device->core->queues[queue];

    if (!kiln_virtio_device_has_feature(device, VIRTIO_F_RING_RESET))
        return;
    kiln_virtqueue_reset_regs(which->queue);
    which->reset_wanted = true;
    kiln_virtio_core_update_queue(which);
}

gboolean
kiln_virtio_device_queue_resetting(const KilnVirtioDevice *device, unsigned queue)
{
    return device->core->queues[queue].reset_wanted;
}

void
kiln_virtio_device_config_read(KilnVirtioDevice *device, unsigned offset, void *data,
                               unsigned length)
{
    memset(data, 0, length);
    if (device->ops->config_read != NULL)
        device->ops->config_read(device);
    if (offset < device->config_size)
        memcpy(data, device->config + offset, MIN(length, device->config_size - offset));
}

void
kiln_virtio_device_config_write(KilnVirtioDevice *device, unsigned offset, const void *data,
                                unsigned length)
{
    if (device->ops->config_write != NULL && !device->core->reset_pending &&
        kiln_range_inside(offset, length, device->config_size))
        device->ops->config_write(device, offset, data, length);
}

void
kiln_virtio_device_kick(KilnVirtioDevice *device, unsigned queue)
{
    if (queue < device->n_queues)
        kiln_event_set(&device->core->queues[queue].kick);
}

void
kiln_virtio_device_config_changed(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;
    KILN_LOCK_SCOPE(core->lock);

    core->generation++;
    if ((core->status & VIRTIO_CONFIG_S_DRIVER_OK) && !core->reset_pending &&
        core->transport != NULL)
        core->transport->ops->interrupt_config(core->transport);
}

int
kiln_virtio_device_kick_fd(KilnVirtioDevice *device, unsigned queue)
{
    return device->core->queues[queue].kick.fd;
}

int
kiln_virtio_device_call_fd(KilnVirtioDevice *device, unsigned queue)
{
    int fd = __atomic_load_n(&device->core->queues[queue].queue->call_fd, __ATOMIC_RELAXED);

    return fd >= 0 ? fd : -1;
}

void
kiln_virtio_device_interrupt(KilnVirtioDevice *device, unsigned queue)
{
    kiln_virtqueue_interrupt(device->core->queues[queue].queue);
}

/* -- state ------------------------------------------------------------------------------------- */

static gboolean
core_post_load(void *object, GError **error)
{
    KilnVirtioCore *core = object;
    KilnVirtioDevice *device = core->device;
    const char *fault;

    if (core->status & VIRTIO_CONFIG_S_FEATURES_OK) {
        fault = kiln_virtio_features_fault(device->ops->id, core->offered, core->negotiated);
        if (fault != NULL)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "'%s': it has the features '%#" PRIx64
                                  "', of which it can have '%#" PRIx64 "' (%s)",
                                  device->id, core->negotiated, core->offered, fault);
    } else if (core->negotiated != 0 || (core->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s': a driver that has not negotiated",
                              device->id);
    }
    __atomic_store_n(&core->broken, !!(core->status & VIRTIO_CONFIG_S_NEEDS_RESET),
                     __ATOMIC_RELAXED);
    if ((core->status & VIRTIO_CONFIG_S_DRIVER_OK) && core->transport != NULL)
        core->transport->ops->driver_ok(core->transport, TRUE);
    return TRUE;
}

static gboolean
check_status(uint64_t value, GError **error)
{
    if (value & ~(uint64_t)(DRIVER_STATUS | VIRTIO_CONFIG_S_NEEDS_RESET))
        return kiln_error_set(error, KILN_ERROR_INVALID, "no such status");
    return TRUE;
}

static const KilnStateField core_fields[] = {
    KILN_STATE_CHECKED(KilnVirtioCore, status, 1, check_status),
    KILN_STATE(KilnVirtioCore, generation, 1),
    KILN_STATE(KilnVirtioCore, driver_features, 1),
    KILN_STATE(KilnVirtioCore, negotiated, 1),
    KILN_STATE_END,
};

const KilnStateDescription kiln_virtio_core_state = {
    .name = "virtio",
    .version = 1,
    .min_version = 1,
    .fields = core_fields,
    .post_load = core_post_load,
};

KilnVirtioCore *
kiln_virtio_device_core(KilnVirtioDevice *device)
{
    return device->core;
}
