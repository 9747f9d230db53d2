/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-pmem.h. */
#include "device/virtio-pmem.h"

#include <errno.h>
#include <linux/virtio_pmem.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/le.h"
#include "base/log.h"
#include "loop/event.h"
#include "loop/thread.h"

enum {
    QUEUE_REQUESTS, /* virtio 1.2 §5.19.2 */
    N_QUEUES,
    QUEUE_SIZE = 64,
    MAX_IOV = 4,        /* a request is two buffers */
    REQUEST_BYTES = 4,  /* struct virtio_pmem_req */
    RESPONSE_BYTES = 4, /* struct virtio_pmem_resp */
    CONFIG_BYTES = 16,  /* struct virtio_pmem_config */
    FAILED = 1,         /* any but 0: §5.19.6.1 */
};

typedef struct {
    KilnVirtqElement element;
    struct iovec iov[MAX_IOV];
} Request;

typedef struct {
    KilnVirtioDevice device;
    KilnFd fd;
    KilnRatelimit log_limit;

    /* Of the main thread: requests in the order in which they came; the first @n_flushing are being
     * flushed, the others wait for the next turn. */
    Request requests[QUEUE_SIZE];
    unsigned first;
    unsigned n_flushing;
    unsigned n_requests;
    gboolean stopping;       /* the device */
    gboolean queue_stopping; /* its queue */

    KilnLoopThread *thread; /* (owned) */
    KilnEvent work;         /* main -> thread */
    KilnEvent done;         /* thread -> main */
    GSource *work_source, *done_source;
    atomic_int result; /* 0 or errno of the last fsync */
} Pmem;

static Request *
request_at(Pmem *pmem, unsigned n)
{
    return &pmem->requests[(pmem->first + n) % QUEUE_SIZE];
}

static void
on_work(gpointer data)
{
    Pmem *pmem = data;
    int failed;

    do
        failed = fsync(pmem->fd);
    while (failed != 0 && errno == EINTR);
    atomic_store(&pmem->result, failed != 0 ? errno : 0);
    kiln_event_set(&pmem->done);
}

static void
answer(Pmem *pmem, const KilnVirtqElement *element, uint32_t result)
{
    uint8_t response[RESPONSE_BYTES];
    size_t written;

    kiln_le32_store(response, result);
    written = kiln_virtqueue_copy_in(element, 0, response, sizeof response);
    kiln_virtqueue_push(kiln_virtio_device_queue(&pmem->device, QUEUE_REQUESTS), element,
                        (uint32_t)written);
}

static void
begin_flush(Pmem *pmem)
{
    if (pmem->n_flushing > 0 || pmem->n_requests == 0)
        return;
    pmem->n_flushing = pmem->n_requests;
    kiln_event_set(&pmem->work);
}

static void
end_stop(Pmem *pmem)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&pmem->device, QUEUE_REQUESTS);

    while (pmem->n_requests > 0) /* those that were not begun come again */
        kiln_virtqueue_unpop(queue, &request_at(pmem, --pmem->n_requests)->element);
    if (pmem->queue_stopping)
        kiln_virtio_device_queue_stopped(&pmem->device, QUEUE_REQUESTS);
    if (pmem->stopping)
        kiln_virtio_device_stopped(&pmem->device);
    pmem->stopping = pmem->queue_stopping = FALSE;
}

static void
on_done(gpointer data)
{
    Pmem *pmem = data;
    int result = atomic_load(&pmem->result);

    if (result != 0)
        kiln_log_guest(&pmem->log_limit, "%s: cannot flush the file: %s", pmem->device.id,
                       g_strerror(result));
    for (; pmem->n_flushing > 0; pmem->n_flushing--, pmem->n_requests--) {
        answer(pmem, &request_at(pmem, 0)->element, result != 0 ? FAILED : 0);
        pmem->first = (pmem->first + 1) % QUEUE_SIZE;
    }
    kiln_virtqueue_flush(kiln_virtio_device_queue(&pmem->device, QUEUE_REQUESTS));
    if (pmem->stopping || pmem->queue_stopping)
        end_stop(pmem);
    else
        begin_flush(pmem);
}

/* Returns: whether it waits for the thread; else it has its answer. */
static gboolean
take(Pmem *pmem, Request *request)
{
    uint8_t type[REQUEST_BYTES];
    size_t length = kiln_virtqueue_copy_out(&request->element, 0, type, sizeof type);
    gboolean flush = length == sizeof type && kiln_le32_load(type) == VIRTIO_PMEM_REQ_TYPE_FLUSH;
    GError *error = NULL;

    if (flush && pmem->fd >= 0 && kiln_loop_thread_start(pmem->thread, &error))
        return TRUE;
    if (error != NULL)
        kiln_log_guest(&pmem->log_limit, "%s: %s", pmem->device.id, error->message);
    answer(pmem, &request->element, flush && error == NULL ? 0 : FAILED);
    g_clear_error(&error);
    return FALSE;
}

static void
pmem_kick(KilnVirtioDevice *device, unsigned number)
{
    Pmem *pmem = (Pmem *)device;
    KilnVirtqueue *queue = kiln_virtio_device_queue(device, number);

    if (pmem->stopping || pmem->queue_stopping)
        return;
    for (unsigned turns = 0; turns < QUEUE_SIZE && pmem->n_requests < QUEUE_SIZE; turns++) {
        Request *request = request_at(pmem, pmem->n_requests);
        int popped;

        request->element.iov = request->iov;
        request->element.max_iov = MAX_IOV;
        popped = kiln_virtqueue_pop(queue, &request->element);
        if (popped < 0)
            kiln_virtio_device_broken(device, "bad descriptors in the request queue");
        if (popped <= 0)
            break;
        pmem->n_requests += take(pmem, request);
    }
    kiln_virtqueue_flush(queue);
    begin_flush(pmem);
}

static void
pmem_stop(KilnVirtioDevice *device)
{
    Pmem *pmem = (Pmem *)device;

    pmem->stopping = TRUE;
    if (pmem->n_flushing == 0)
        end_stop(pmem);
}

static void
pmem_queue_stop(KilnVirtioDevice *device, unsigned queue)
{
    Pmem *pmem = (Pmem *)device;

    pmem->queue_stopping = TRUE;
    if (pmem->n_flushing == 0)
        end_stop(pmem);
}

static void
pmem_free(KilnVirtioDevice *device)
{
    Pmem *pmem = (Pmem *)device;

    kiln_loop_thread_free(pmem->thread);
    kiln_source_free(pmem->work_source);
    kiln_source_free(pmem->done_source);
    kiln_event_clear(&pmem->work);
    kiln_event_clear(&pmem->done);
    kiln_fd_clear(&pmem->fd);
    kiln_virtio_device_clear(device);
    g_free(pmem);
}

static const KilnVirtioOps pmem_ops = {
    .name = "virtio-pmem",
    .id = VIRTIO_ID_PMEM,
    .stop = pmem_stop,
    .kick = pmem_kick,
    .queue_stop = pmem_queue_stop,
    .free = pmem_free,
};

KilnVirtioDevice *
kiln_virtio_pmem_new(const KilnVirtioPmemOptions *options, GError **error)
{
    Pmem *pmem = g_new0(Pmem, 1);
    KilnVirtioOptions virtio = options->virtio;

    virtio.context = NULL;
    virtio.n_queues = N_QUEUES;
    virtio.queue_size = QUEUE_SIZE;
    virtio.features = 0;
    virtio.config_size = CONFIG_BYTES;
    kiln_virtio_device_init(&pmem->device, &pmem_ops, &virtio);
    kiln_le64_store(pmem->device.config, options->gpa);
    kiln_le64_store(pmem->device.config + 8, options->size);
    pmem->fd = options->fd;
    pmem->work.fd = pmem->done.fd = -1;
    if (!kiln_event_open(&pmem->work, error) || !kiln_event_open(&pmem->done, error)) {
        pmem_free(&pmem->device);
        return NULL;
    }
    pmem->thread = kiln_loop_thread_new(pmem->device.id);
    pmem->work_source =
        kiln_event_source_new(&pmem->work, kiln_loop_thread_context(pmem->thread), on_work, pmem);
    pmem->done_source = kiln_event_source_new(&pmem->done, NULL, on_done, pmem);
    return &pmem->device;
}
