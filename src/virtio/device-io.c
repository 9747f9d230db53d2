/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The I/O side of a virtio device: starting and stopping in the thread of its context.
 *
 *   register side, lock held: update() -> phase, kiln_call_later() -> io_start, io_stop: no lock
 *   held while the device's ops run -> phase, update() again: what was wanted meanwhile
 */
#include "virtio/device-private.h"

#include "loop/call.h"

/* -- kicks ------------------------------------------------------------------------------------- */

static bool
is_broken(const KilnVirtioDevice *device)
{
    return __atomic_load_n(&device->core->broken, __ATOMIC_RELAXED) != 0;
}

static void
deliver(KilnVirtioQueue *queue)
{
    KilnVirtioDevice *device = queue->device;

    if (device->core->running && queue->queue->started && !is_broken(device))
        device->ops->kick(device, queue->queue->index);
}

static void
kicked(gpointer data)
{
    deliver(data);
}

/* Kicks of a started queue are read, by us or by whom they were given to; one is due at once, for
 * what lies in the queue already. */
static void
open_queue(KilnVirtioQueue *queue)
{
    if (queue->taken) {
        kiln_event_set(&queue->kick);
        return;
    }
    if (queue->source == NULL) {
        queue->source = kiln_event_source_new(&queue->kick, queue->device->context, kicked, queue);
        /* Else GLib wakes itself up before and after each dispatch: four system calls. */
        g_source_set_can_recurse(queue->source, TRUE);
    }
    deliver(queue);
}

static void
close_queue(KilnVirtioQueue *queue)
{
    g_clear_pointer(&queue->source, kiln_source_free);
}

gboolean
kiln_virtio_device_poll(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;
    gboolean found = FALSE;

    if (!core->running || is_broken(device))
        return FALSE;
    for (unsigned i = 0; i < device->n_queues; i++) {
        KilnVirtioQueue *queue = &core->queues[i];

        if (!queue->taken && kiln_virtqueue_has_work(queue->queue)) {
            device->ops->kick(device, i);
            found = TRUE;
        }
    }
    return found;
}

void
kiln_virtio_device_take_kicks(KilnVirtioDevice *device, unsigned index, gboolean taken)
{
    KilnVirtioQueue *queue = &device->core->queues[index];

    if (queue->taken == taken)
        return;
    queue->taken = taken;
    if (taken)
        close_queue(queue);
    else if (device->core->opened && queue->queue->started)
        open_queue(queue);
}

gboolean
kiln_virtio_device_running(const KilnVirtioDevice *device)
{
    return device->core->running;
}

static void
io_call_changed(gpointer data)
{
    KilnVirtioQueue *queue = data;
    KilnVirtioDevice *device = queue->device;
    KilnVirtioCore *core = device->core;

    kiln_mutex_lock(core->lock);
    queue->call_posted = false;
    kiln_mutex_unlock(core->lock);
    if (core->running && queue->queue->started)
        device->ops->call_changed(device, queue->queue->index);

    KILN_LOCK_SCOPE(core->lock);

    core->n_posted--;
    kiln_cond_broadcast(&core->changed);
}

void
kiln_virtio_device_set_call(KilnVirtioDevice *device, unsigned index, int fd)
{
    KilnVirtioCore *core = device->core;
    KilnVirtioQueue *queue = &core->queues[index];

    if (__atomic_exchange_n(&queue->queue->call_fd, fd, __ATOMIC_RELAXED) == fd)
        return;
    /* An idle device asks when it starts. */
    if (device->ops->call_changed == NULL || queue->call_posted || core->phase == KILN_VIRTIO_IDLE)
        return;
    queue->call_posted = true;
    core->n_posted++;
    kiln_call_later(device->context, io_call_changed, queue);
}

/* -- one queue --------------------------------------------------------------------------------- */

static KilnVirtqueueMode
mode_of(const KilnVirtioDevice *device)
{
    return (KilnVirtqueueMode){
        .packed = kiln_virtio_device_has_feature(device, VIRTIO_F_RING_PACKED),
        .event_idx = kiln_virtio_device_has_feature(device, VIRTIO_RING_F_EVENT_IDX),
        .indirect = kiln_virtio_device_has_feature(device, VIRTIO_RING_F_INDIRECT_DESC),
    };
}

/* No lock held; @queue->active is what the driver set up. */
static gboolean
start_queue(KilnVirtioQueue *queue)
{
    KilnVirtioDevice *device = queue->device;
    KilnVirtqueueMode mode = mode_of(device);
    g_autoptr(GError) error = NULL;

    if (kiln_virtqueue_start(queue->queue, &queue->active, &mode, &error))
        return TRUE;
    kiln_virtio_device_broken(device, "%s", error->message);
    return FALSE;
}

/* The register side's part of a queue's reset: it is off. */
static void
finish_queue_reset(KilnVirtioQueue *queue)
{
    kiln_virtqueue_reset(queue->queue);
    queue->reset_wanted = false;
}

static void
io_queue_start(gpointer data)
{
    KilnVirtioQueue *queue = data;
    KilnVirtioDevice *device = queue->device;
    KilnVirtioCore *core = device->core;
    bool wanted, on = false;

    kiln_mutex_lock(core->lock);
    wanted = core->phase == KILN_VIRTIO_RUNNING && queue->queue->regs.enabled &&
             !queue->reset_wanted && !queue->on;
    queue->active = queue->queue->regs;
    queue->on = queue->on || wanted;
    kiln_mutex_unlock(core->lock);

    if (wanted && core->running && !core->start_failed) {
        on = start_queue(queue);
        if (on && device->ops->queue_start != NULL)
            device->ops->queue_start(device, queue->queue->index);
        if (on && queue->queue->started)
            open_queue(queue);
    }

    KILN_LOCK_SCOPE(core->lock);

    queue->posted = false;
    core->n_posted--;
    kiln_virtio_core_update_queue(queue);
    kiln_cond_broadcast(&core->changed);
}

void
kiln_virtio_device_queue_stopped(KilnVirtioDevice *device, unsigned index)
{
    KilnVirtioCore *core = device->core;
    KilnVirtioQueue *queue = &core->queues[index];

    kiln_mutex_lock(core->lock);

    bool stopping = queue->stopping;

    queue->stopping = false;
    kiln_mutex_unlock(core->lock);
    if (!stopping)
        return; /* the whole device has stopped meanwhile */
    kiln_virtqueue_stop(queue->queue);

    KILN_LOCK_SCOPE(core->lock);

    queue->on = false;
    kiln_virtio_core_update_queue(queue);
}

static void
io_queue_stop(gpointer data)
{
    KilnVirtioQueue *queue = data;
    KilnVirtioDevice *device = queue->device;
    KilnVirtioCore *core = device->core;
    bool stop;

    kiln_mutex_lock(core->lock);
    queue->posted = false;
    core->n_posted--;
    stop = core->phase == KILN_VIRTIO_RUNNING && queue->on;
    queue->stopping = stop;
    kiln_virtio_core_update_queue(queue);
    kiln_cond_broadcast(&core->changed);
    kiln_mutex_unlock(core->lock);
    if (!stop)
        return;
    close_queue(queue);
    if (device->ops->queue_stop != NULL && queue->queue->started && !core->start_failed)
        device->ops->queue_stop(device, queue->queue->index);
    else
        kiln_virtio_device_queue_stopped(device, queue->queue->index);
}

static void
post_queue(KilnVirtioQueue *queue, KilnCallFunc func)
{
    queue->posted = true;
    queue->device->core->n_posted++;
    kiln_call_later(queue->device->context, func, queue);
}

void
kiln_virtio_core_update_queue(KilnVirtioQueue *queue)
{
    KilnVirtioCore *core = queue->device->core;

    if (queue->posted || queue->stopping)
        return;
    if (core->phase == KILN_VIRTIO_IDLE && queue->reset_wanted)
        finish_queue_reset(queue);
    if (core->phase != KILN_VIRTIO_RUNNING)
        return;
    if (queue->reset_wanted && queue->on)
        post_queue(queue, io_queue_stop);
    else if (queue->reset_wanted)
        finish_queue_reset(queue);
    if (!queue->on && queue->queue->regs.enabled && !queue->posted)
        post_queue(queue, io_queue_start);
}

/* -- the device -------------------------------------------------------------------------------- */

static bool
is_wanted(const KilnVirtioCore *core)
{
    return (core->status & VIRTIO_CONFIG_S_DRIVER_OK) && !core->reset_pending && !core->quiesced;
}

/* Lock held: which queues the driver has set up. */
static void
take_queues(KilnVirtioDevice *device)
{
    for (unsigned i = 0; i < device->n_queues; i++) {
        KilnVirtioQueue *queue = &device->core->queues[i];

        if (queue->reset_wanted)
            finish_queue_reset(queue);
        queue->active = queue->queue->regs;
        queue->on = queue->active.enabled;
    }
}

static gboolean
start_device(KilnVirtioDevice *device)
{
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < device->n_queues; i++) {
        KilnVirtioQueue *queue = &device->core->queues[i];

        if (queue->active.enabled && !start_queue(queue))
            return FALSE;
    }
    if (device->ops->start == NULL || device->ops->start(device, &error))
        return TRUE;
    kiln_virtio_device_broken(device, "%s", error != NULL ? error->message : "cannot start");
    return FALSE;
}

static void
stop_queues(KilnVirtioDevice *device)
{
    for (unsigned i = 0; i < device->n_queues; i++)
        kiln_virtqueue_stop(device->core->queues[i].queue);
}

static void
open_queues(KilnVirtioDevice *device)
{
    device->core->opened = true;
    for (unsigned i = 0; i < device->n_queues; i++) {
        KilnVirtioQueue *queue = &device->core->queues[i];

        if (queue->queue->started)
            open_queue(queue);
    }
}

static void
io_start(gpointer data)
{
    KilnVirtioDevice *device = data;
    KilnVirtioCore *core = device->core;
    bool wanted;

    kiln_mutex_lock(core->lock);
    wanted = is_wanted(core);
    if (wanted)
        take_queues(device);
    kiln_mutex_unlock(core->lock);

    core->running = wanted;
    core->start_failed = wanted && !start_device(device);
    if (core->start_failed) {
        core->running = false;
        stop_queues(device);
    }
    if (core->running)
        open_queues(device);

    KILN_LOCK_SCOPE(core->lock);

    core->n_posted--;
    core->phase = wanted ? KILN_VIRTIO_RUNNING : KILN_VIRTIO_IDLE;
    kiln_virtio_core_update(device);
    for (unsigned i = 0; i < device->n_queues; i++)
        kiln_virtio_core_update_queue(&core->queues[i]);
    kiln_cond_broadcast(&core->changed);
}

static void
io_stop(gpointer data)
{
    KilnVirtioDevice *device = data;
    KilnVirtioCore *core = device->core;

    core->running = core->opened = false;
    for (unsigned i = 0; i < device->n_queues; i++)
        close_queue(&core->queues[i]);
    kiln_mutex_lock(core->lock);
    core->n_posted--;
    kiln_mutex_unlock(core->lock);
    if (device->ops->stop != NULL && !core->start_failed)
        device->ops->stop(device);
    else
        kiln_virtio_device_stopped(device);
}

void
kiln_virtio_device_stopped(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;

    stop_queues(device);

    KILN_LOCK_SCOPE(core->lock);

    g_return_if_fail(core->phase == KILN_VIRTIO_STOPPING);
    if (!core->reset_pending && !is_broken(device))
        for (unsigned i = 0; i < device->n_queues; i++)
            g_warn_if_fail(core->queues[i].queue->in_flight == 0); /* the driver would wait */
    core->phase = KILN_VIRTIO_IDLE;
    for (unsigned i = 0; i < device->n_queues; i++) {
        core->queues[i].on = false;
        core->queues[i].stopping = false;
        kiln_virtio_core_update_queue(&core->queues[i]);
    }
    kiln_virtio_core_update(device);
    kiln_cond_broadcast(&core->changed);
}

static void
post(KilnVirtioDevice *device, KilnVirtioPhase phase, KilnCallFunc func)
{
    device->core->phase = phase;
    device->core->n_posted++;
    kiln_call_later(device->context, func, device);
}

void
kiln_virtio_core_update(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;

    if (core->phase == KILN_VIRTIO_IDLE && core->reset_pending)
        kiln_virtio_core_finish_reset(device); /* may come here again */
    if (core->phase == KILN_VIRTIO_IDLE && is_wanted(core))
        post(device, KILN_VIRTIO_STARTING, io_start);
    else if (core->phase == KILN_VIRTIO_RUNNING && !is_wanted(core))
        post(device, KILN_VIRTIO_STOPPING, io_stop);
}

static void
nothing(gpointer data)
{
}

/* Who told us that it has stopped may still be on its way out of a callback. */
static void
let_callbacks_end(KilnVirtioDevice *device)
{
    GMainContext *context = device->context;

    if (context == NULL)
        context = g_main_context_default();
    if (g_main_context_acquire(context))
        g_main_context_release(context);
    else
        kiln_call_wait(context, nothing, NULL);
}

static gboolean
wake(gpointer data)
{
    return G_SOURCE_REMOVE;
}

/* One round of @context's work, until @end_us at the latest. */
static void
iterate(GMainContext *context, gint64 end_us)
{
    gint64 left_ms = MAX(end_us - g_get_monotonic_time(), 0) / 1000 + 1;
    g_autoptr(GSource) timeout = g_timeout_source_new((guint)MIN(left_ms, G_MAXINT));

    g_source_set_callback(timeout, wake, NULL, NULL);
    g_source_attach(timeout, context);
    (void)g_main_context_iteration(context, TRUE);
    g_source_destroy(timeout);
}

/* Lets the context's work go on: ours to run, or somebody else's to wait for.  Lock held. */
static void
wait_for_context(KilnVirtioDevice *device, gint64 end_us)
{
    KilnVirtioCore *core = device->core;
    GMainContext *context = device->context;

    if (context == NULL)
        context = g_main_context_default();
    if (!g_main_context_acquire(context)) {
        kiln_cond_wait_until(&core->changed, core->lock, end_us);
        return;
    }
    kiln_mutex_unlock(core->lock);
    iterate(context, end_us);
    g_main_context_release(context);
    kiln_mutex_lock(core->lock);
}

void
kiln_virtio_device_quiesce_begin(KilnVirtioDevice *device)
{
    KILN_LOCK_SCOPE(device->core->lock);

    device->core->quiesced = true;
    kiln_virtio_core_update(device);
}

gboolean
kiln_virtio_device_quiesce_until(KilnVirtioDevice *device, gint64 end_us)
{
    KilnVirtioCore *core = device->core;
    gboolean done;

    kiln_virtio_device_quiesce_begin(device);
    kiln_mutex_lock(core->lock);
    while (!(done = core->phase == KILN_VIRTIO_IDLE && core->n_posted == 0) &&
           g_get_monotonic_time() < end_us)
        wait_for_context(device, end_us);
    kiln_mutex_unlock(core->lock);
    if (done)
        let_callbacks_end(device);
    return done;
}

void
kiln_virtio_device_quiesce(KilnVirtioDevice *device)
{
    const gint64 an_hour = 3600 * (gint64)G_USEC_PER_SEC;

    while (!kiln_virtio_device_quiesce_until(device, g_get_monotonic_time() + an_hour))
        continue;
}

void
kiln_virtio_device_resume(KilnVirtioDevice *device)
{
    KilnVirtioCore *core = device->core;
    KILN_LOCK_SCOPE(core->lock);

    core->quiesced = false;
    kiln_virtio_core_update(device);
}
