/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See echo.h. */
#include "tests/virtio/echo.h"

#include <string.h>

#include "base/error.h"

void
echo_answer(Echo *echo, KilnVirtqueue *queue, const KilnVirtqElement *element)
{
    uint8_t bytes[512];
    size_t done = 0, piece;

    do {
        piece = kiln_virtqueue_copy_out(element, done, bytes, sizeof bytes);
        piece = kiln_virtqueue_copy_in(element, done, bytes, piece);
        done += piece;
    } while (piece == sizeof bytes);
    kiln_virtqueue_push(queue, element, (uint32_t)done);
    echo->n_answered++;
}

static void
end_stop(Echo *echo)
{
    if (echo->n_held > 0)
        return;
    if (echo->queue_stopping) {
        echo->queue_stopping = FALSE;
        kiln_virtio_device_queue_stopped(&echo->virtio, echo->stopping_queue);
    }
    if (echo->stopping) {
        echo->stopping = FALSE;
        kiln_virtio_device_stopped(&echo->virtio);
    }
}

void
echo_release(Echo *echo, unsigned n)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&echo->virtio, echo->held_queue);

    g_assert(n < echo->n_held);
    echo->held[n].element.iov = echo->held[n].iov;
    echo_answer(echo, queue, &echo->held[n].element);
    kiln_virtqueue_flush(queue);
    echo->n_held--;
    memmove(&echo->held[n], &echo->held[n + 1], (echo->n_held - n) * sizeof *echo->held);
    end_stop(echo);
}

void
echo_release_all(Echo *echo)
{
    while (echo->n_held > 0)
        echo_release(echo, 0);
}

static gboolean
echo_start(KilnVirtioDevice *device, GError **error)
{
    Echo *echo = (Echo *)device;

    echo->n_starts++;
    if (echo->takes_kicks) {
        kiln_virtio_device_take_kicks(device, 0, TRUE);
        kiln_virtio_device_take_kicks(device, 0, FALSE);
        g_assert(echo->n_kicks == 0); /* not before the start is over */
    }
    if (echo->refuse_start)
        return kiln_error_set(error, KILN_ERROR_FAILED, "no");
    return TRUE;
}

static void
keep_held(Echo *echo)
{
    for (unsigned i = 0; i < echo->n_held; i++) {
        echo->held[i].element.iov = echo->held[i].iov;
        kiln_virtqueue_keep(kiln_virtio_device_queue(&echo->virtio, echo->held_queue),
                            &echo->held[i].element);
    }
    echo->n_held = 0;
}

static void
echo_stop(KilnVirtioDevice *device)
{
    Echo *echo = (Echo *)device;

    echo->n_stops++;
    echo->stopping = TRUE;
    if (echo->keep_on_stop)
        keep_held(echo);
    else if (!echo->slow_stop)
        echo_release_all(echo);
    if (echo->stopping)
        end_stop(echo);
}

static void
echo_queue_stop(KilnVirtioDevice *device, unsigned queue)
{
    Echo *echo = (Echo *)device;

    echo->n_queue_stops++;
    echo->queue_stopping = TRUE;
    echo->stopping_queue = queue;
    if (!echo->slow_stop && echo->held_queue == queue)
        echo_release_all(echo);
    if (echo->queue_stopping && (echo->held_queue != queue || echo->n_held == 0)) {
        echo->queue_stopping = FALSE;
        kiln_virtio_device_queue_stopped(device, queue);
    }
}

static void
echo_queue_start(KilnVirtioDevice *device, unsigned queue)
{
    ((Echo *)device)->n_queue_starts++;
}

static void
echo_call_changed(KilnVirtioDevice *device, unsigned queue)
{
    ((Echo *)device)->n_call_changes++;
}

static void
hold(Echo *echo, unsigned queue, const KilnVirtqElement *element)
{
    EchoRequest *request = &echo->held[echo->n_held++];

    g_assert(echo->n_held <= ECHO_MAX_HELD);
    echo->held_queue = queue;
    request->element = *element;
    memcpy(request->iov, element->iov, (element->n_out + element->n_in) * sizeof *element->iov);
}

static void
echo_kick(KilnVirtioDevice *device, unsigned index)
{
    Echo *echo = (Echo *)device;
    KilnVirtqueue *queue = kiln_virtio_device_queue(device, index);
    struct iovec iov[ECHO_MAX_IOV];
    KilnVirtqElement element = { .iov = iov, .max_iov = ECHO_MAX_IOV };
    int result;

    echo->n_kicks++;
    if (echo->lazy)
        return;
    while ((result = kiln_virtqueue_pop(queue, &element)) > 0) {
        if (echo->hold)
            hold(echo, index, &element);
        else
            echo_answer(echo, queue, &element);
    }
    if (result < 0)
        kiln_virtio_device_broken(device, "queue %u is broken", index);
    kiln_virtqueue_flush(queue);
}

static void
echo_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    memcpy(device->config + offset, data, length);
}

static void
echo_reset(KilnVirtioDevice *device)
{
    Echo *echo = (Echo *)device;

    echo->n_resets++;
    echo->n_answered = 0;
}

static void
echo_free(KilnVirtioDevice *device)
{
    Echo *echo = (Echo *)device;

    kiln_virtio_device_clear(device);
    g_free(echo->held);
    g_free(echo);
}

static const KilnStateField echo_fields[] = {
    KILN_STATE(Echo, n_answered, 1),
    KILN_STATE_END,
};

static const KilnStateDescription echo_state = {
    .name = "echo", .version = 1, .min_version = 1, .fields = echo_fields
};

static const KilnVirtioOps echo_ops = {
    .name = "virtio-echo",
    .id = ECHO_ID,
    .start = echo_start,
    .stop = echo_stop,
    .kick = echo_kick,
    .queue_stop = echo_queue_stop,
    .queue_start = echo_queue_start,
    .call_changed = echo_call_changed,
    .config_write = echo_config_write,
    .reset = echo_reset,
    .free = echo_free,
    .state = &echo_state,
};

Echo *
echo_new(const KilnVirtioOptions *options)
{
    Echo *echo = g_new0(Echo, 1);
    KilnVirtioOptions ours = *options;

    ours.config_size = ECHO_CONFIG_SIZE;
    ours.features |= UINT64_C(1) << ECHO_FEATURE;
    if (ours.id == NULL)
        ours.id = "echo0";
    if (ours.n_queues == 0)
        ours.n_queues = 2;
    kiln_virtio_device_init(&echo->virtio, &echo_ops, &ours);
    for (unsigned i = 0; i < ECHO_CONFIG_SIZE; i++)
        echo->virtio.config[i] = (uint8_t)(i + 1);
    echo->held = g_new0(EchoRequest, ECHO_MAX_HELD);
    return echo;
}
