/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-rng.h. */
#include "device/virtio-rng.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "device/virtio-turn.h"
#include "loop/fd-source.h"

enum {
    QUEUE_REQUESTS, /* virtio 1.2 §5.4.2 */
    N_QUEUES,
    QUEUE_SIZE = 64,
    DRY_MS = 20,      /* a source that poll(2) calls ready has nothing: ask again then */
    BROKEN_MS = 1000, /* a source fails */
    EGD_BLOCKING = 2, /* read entropy, blocking: the answer is the bytes alone */
    EGD_REQUEST = 2,  /* bytes: command and length */
    NS_PER_MS = 1000000,
};

typedef struct {
    KilnVirtioDevice device;
    KilnVirtioRngBackend backend;
    KilnFd fd;
    GSource *watch;       /* (owned) (nullable) of @fd, while a buffer waits for it */
    KilnChardev *chardev; /* of EGD */
    uint32_t rate_bytes;
    uint64_t period_ns;
    KilnClock *clock;
    KilnClockTimer timer;
    KilnRatelimit log_limit;
    struct iovec iov[QUEUE_SIZE];

    /* EGD: the one buffer that is being filled. */
    KilnVirtqElement element;
    gboolean held;     /* @element is popped */
    uint32_t wanted;   /* bytes that it is to get */
    uint32_t filled;   /* bytes that it has */
    uint32_t expected; /* bytes that the daemon was asked for and has not sent */
    uint8_t request[EGD_REQUEST];
    uint8_t request_left; /* bytes of @request that the chardev had no room for */
    gboolean open;        /* the daemon is there */

    /* Saved. */
    uint64_t given;
    uint64_t period_end_ns; /* guest time */
    uint32_t budget;        /* bytes left until then */
} Rng;

/* Bytes that may be given now; 0 arms the timer for when it is more. */
static uint32_t
allowance(Rng *rng)
{
    if (rng->rate_bytes == 0)
        return KILN_VIRTIO_RNG_CHUNK;

    uint64_t now = kiln_clock_now(rng->clock);

    if (now >= rng->period_end_ns) {
        rng->budget = rng->rate_bytes;
        rng->period_end_ns = now + rng->period_ns;
    }
    if (rng->budget == 0)
        kiln_clock_timer_arm(&rng->timer, rng->period_end_ns);
    return MIN(rng->budget, (uint32_t)KILN_VIRTIO_RNG_CHUNK);
}

static void
spend(Rng *rng, uint32_t bytes)
{
    rng->given += bytes;
    rng->budget -= MIN(rng->budget, bytes);
}

/* 1: @element is the next; 0: there is none. */
static int
pop(Rng *rng)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&rng->device, QUEUE_REQUESTS);
    int popped;

    rng->element.iov = rng->iov;
    rng->element.max_iov = QUEUE_SIZE;
    popped = kiln_virtqueue_pop(queue, &rng->element);
    if (popped < 0)
        kiln_virtio_device_broken(&rng->device, "bad descriptors in the request queue");
    return MAX(popped, 0);
}

/* ---- The kernel and files ---- */

static ssize_t
source_read(Rng *rng, void *to, size_t length)
{
    ssize_t n;

    do
        n = rng->fd < 0 ? getrandom(to, length, 0) : read(rng->fd, to, length);
    while (n < 0 && errno == EINTR);
    if (n == 0 && length > 0) {
        errno = ENODATA;
        return -1;
    }
    return n;
}

static gboolean source_ready(int fd, GIOCondition ready, gpointer data);

/* What poll(2) says of /dev/hwrng is that it is ready, always: so there is a pause first. */
static void
wait_for_source(Rng *rng, int errnum)
{
    gboolean dry = errnum == EAGAIN;

    if (!dry)
        kiln_log_guest(&rng->log_limit, "%s: cannot read random bytes: %s", rng->device.id,
                       g_strerror(errnum));
    if (rng->watch == NULL)
        rng->watch = kiln_fd_source_new(rng->device.context, rng->fd, 0, source_ready, rng);
    kiln_fd_source_rest(rng->watch, G_IO_IN, dry ? DRY_MS : BROKEN_MS);
}

/* Fills at most @limit bytes of the element.  Returns: how many, or -errno if there were none. */
static ssize_t
fill(Rng *rng, uint32_t limit)
{
    const struct iovec *in = rng->element.iov + rng->element.n_out;
    uint32_t filled = 0;

    for (unsigned i = 0; i < rng->element.n_in && filled < limit; i++) {
        size_t length = MIN(in[i].iov_len, limit - filled);
        ssize_t n = length > 0 ? source_read(rng, in[i].iov_base, length) : 0;

        if (n < 0 && filled == 0)
            return -errno;
        if (n < 0)
            break;
        filled += (uint32_t)n;
        if ((size_t)n < length)
            break;
    }
    return filled;
}

static void
serve_from_source(Rng *rng)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&rng->device, QUEUE_REQUESTS);
    uint32_t limit = 0;
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN && (limit = allowance(rng)) > 0 && pop(rng); turns++) {
        ssize_t n = fill(rng, limit);

        if (n < 0) {
            kiln_virtqueue_unpop(queue, &rng->element);
            wait_for_source(rng, (int)-n);
            break;
        }
        spend(rng, (uint32_t)n);
        kiln_virtqueue_push(queue, &rng->element, (uint32_t)n);
    }
    kiln_virtqueue_flush(queue);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(&rng->device, QUEUE_REQUESTS);
}

/* ---- The daemon: the protocol of egd.pl, of which QEMU's rng-egd uses this one command ---- */

static void
egd_send(Rng *rng)
{
    const uint8_t *from = rng->request + EGD_REQUEST - rng->request_left;

    rng->request_left -= (uint8_t)kiln_chardev_write(rng->chardev, from, rng->request_left);
}

static void
egd_ask(Rng *rng)
{
    uint32_t missing = rng->wanted - rng->filled;

    if (!rng->open || rng->request_left > 0 || missing <= rng->expected)
        return;
    missing = MIN(missing - rng->expected, (uint32_t)KILN_VIRTIO_RNG_EGD_MAX);
    rng->expected += missing;
    rng->request[0] = EGD_BLOCKING;
    rng->request[1] = (uint8_t)missing;
    rng->request_left = EGD_REQUEST;
    egd_send(rng);
}

static void
serve_from_daemon(Rng *rng)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&rng->device, QUEUE_REQUESTS);
    uint32_t limit;

    while (!rng->held && (limit = allowance(rng)) > 0 && pop(rng)) {
        rng->wanted = MIN(MIN(rng->element.in_bytes, limit), (uint32_t)KILN_VIRTIO_RNG_EGD_MAX);
        rng->filled = 0;
        rng->held = rng->wanted > 0;
        if (!rng->held)
            kiln_virtqueue_push(queue, &rng->element, 0);
    }
    kiln_virtqueue_flush(queue);
    if (!rng->held)
        return;
    egd_ask(rng);
    if (rng->expected > 0) /* of a request whose buffer was taken back: they wait outside */
        kiln_chardev_resume_input(rng->chardev);
}

static gsize
egd_can_receive(void *context)
{
    Rng *rng = context;

    return rng->held ? MIN(rng->expected, rng->wanted - rng->filled) : 0;
}

static void
egd_receive(void *context, const uint8_t *data, gsize length)
{
    Rng *rng = context;
    KilnVirtqueue *queue = kiln_virtio_device_queue(&rng->device, QUEUE_REQUESTS);

    kiln_virtqueue_copy_in(&rng->element, rng->filled, data, length);
    rng->filled += (uint32_t)length;
    rng->expected -= (uint32_t)length;
    if (rng->filled < rng->wanted)
        return;
    rng->held = FALSE;
    spend(rng, rng->filled);
    kiln_virtqueue_push(queue, &rng->element, rng->filled);
    kiln_virtqueue_flush(queue);
    serve_from_daemon(rng);
}

static void
egd_event(void *context, KilnChardevEvent event)
{
    Rng *rng = context;

    if (event == KILN_CHARDEV_BREAK)
        return;
    rng->open = event == KILN_CHARDEV_OPENED;
    rng->expected = 0; /* a daemon that is new or gone owes nothing */
    rng->request_left = 0;
    if (rng->held)
        egd_ask(rng);
}

static void
egd_writable(void *context)
{
    Rng *rng = context;

    if (rng->request_left > 0)
        egd_send(rng);
    if (rng->held)
        egd_ask(rng);
}

static const KilnChardevFrontend egd_frontend = { .can_receive = egd_can_receive,
                                                  .receive = egd_receive,
                                                  .event = egd_event,
                                                  .writable = egd_writable };

/* ---- The device ---- */

static void
serve(Rng *rng)
{
    if (!kiln_virtio_device_running(&rng->device))
        return;
    if (rng->backend == KILN_VIRTIO_RNG_EGD)
        serve_from_daemon(rng);
    else
        serve_from_source(rng);
}

static gboolean
source_ready(int fd, GIOCondition ready, gpointer data)
{
    Rng *rng = data;

    kiln_fd_source_set_condition(rng->watch, 0);
    serve(rng);
    return G_SOURCE_CONTINUE;
}

static void
period_over(void *opaque)
{
    serve(opaque);
}

static void
rng_kick(KilnVirtioDevice *device, unsigned queue)
{
    serve((Rng *)device);
}

static void
rng_stop(KilnVirtioDevice *device)
{
    Rng *rng = (Rng *)device;

    kiln_clock_timer_cancel(&rng->timer);
    if (rng->watch != NULL)
        kiln_fd_source_set_condition(rng->watch, 0);
    if (rng->held) /* what it was given already is guest memory that the driver has not seen */
        kiln_virtqueue_unpop(kiln_virtio_device_queue(device, QUEUE_REQUESTS), &rng->element);
    rng->held = FALSE;
    kiln_virtio_device_stopped(device);
}

static void
rng_queue_stop(KilnVirtioDevice *device, unsigned queue)
{
    Rng *rng = (Rng *)device;

    if (rng->held)
        kiln_virtqueue_unpop(kiln_virtio_device_queue(device, queue), &rng->element);
    rng->held = FALSE;
    kiln_virtio_device_queue_stopped(device, queue);
}

static void
rng_free(KilnVirtioDevice *device)
{
    Rng *rng = (Rng *)device;

    if (rng->chardev != NULL)
        kiln_chardev_set_frontend(rng->chardev, NULL, NULL);
    if (rng->clock != NULL)
        kiln_clock_timer_clear(&rng->timer);
    kiln_source_free(rng->watch);
    kiln_fd_clear(&rng->fd);
    kiln_virtio_device_clear(device);
    g_free(rng);
}

static gboolean
rng_post_load(void *object, GError **error)
{
    Rng *rng = object;
    uint64_t latest = kiln_clock_now(rng->clock) + rng->period_ns;

    rng->budget = MIN(rng->budget, rng->rate_bytes);
    rng->period_end_ns = MIN(rng->period_end_ns, latest);
    return TRUE;
}

static const KilnStateField rng_fields[] = {
    KILN_STATE(Rng, given, 1),
    KILN_STATE(Rng, period_end_ns, 1),
    KILN_STATE(Rng, budget, 1),
    KILN_STATE_END,
};

static const KilnStateDescription rng_state = { .name = "virtio-rng",
                                                .version = 1,
                                                .min_version = 1,
                                                .fields = rng_fields,
                                                .post_load = rng_post_load };

static const KilnVirtioOps rng_ops = {
    .name = "virtio-rng",
    .id = VIRTIO_ID_RNG,
    .stop = rng_stop,
    .kick = rng_kick,
    .queue_stop = rng_queue_stop,
    .free = rng_free,
    .state = &rng_state,
};

/* #syscalls getrandom: the default; a file that is something else is opened here, not later. */
static gboolean
open_source(Rng *rng, const KilnVirtioRngOptions *options, GError **error)
{
    int flags;

    if (options->backend != KILN_VIRTIO_RNG_RANDOM)
        return TRUE;
    if (rng->fd < 0 && options->path != NULL && strcmp(options->path, "/dev/urandom") != 0)
        rng->fd = kiln_open(options->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, error);
    else if (rng->fd < 0)
        return TRUE;
    if (rng->fd < 0)
        return FALSE;
    flags = fcntl(rng->fd, F_GETFL);
    if (flags < 0 || fcntl(rng->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return kiln_error_set_errno(error, errno, "cannot make the source non-blocking");
    return TRUE;
}

KilnVirtioDevice *
kiln_virtio_rng_new(const KilnVirtioRngOptions *options, GError **error)
{
    Rng *rng = g_new0(Rng, 1);
    KilnVirtioOptions virtio = options->virtio;

    virtio.context = NULL;
    virtio.n_queues = N_QUEUES;
    virtio.queue_size = QUEUE_SIZE;
    virtio.features = 0;
    virtio.config_size = 0;
    kiln_virtio_device_init(&rng->device, &rng_ops, &virtio);
    rng->backend = options->backend;
    rng->fd = options->fd;
    rng->rate_bytes = options->rate_bytes;
    rng->period_ns = (uint64_t)MAX(options->rate_period_ms, 1) * NS_PER_MS;
    rng->clock = options->clock;
    kiln_clock_timer_init(&rng->timer, rng->clock, period_over, rng);
    if (!open_source(rng, options, error)) {
        g_prefix_error(error, "random source of '%s': ", rng->device.id);
        rng_free(&rng->device);
        return NULL;
    }
    if (rng->backend == KILN_VIRTIO_RNG_EGD) {
        rng->chardev = options->chardev;
        kiln_chardev_set_frontend(rng->chardev, &egd_frontend, rng);
    }
    return &rng->device;
}

uint64_t
kiln_virtio_rng_given(const KilnVirtioDevice *device)
{
    return ((const Rng *)device)->given;
}
