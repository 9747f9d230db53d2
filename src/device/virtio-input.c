/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-input.h. */
#include "device/virtio-input.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/le.h"
#include "base/log.h"
#include "device/virtio-input-host.h"
#include "device/virtio-turn.h"
#include "loop/fd-source.h"

enum {
    QUEUE_EVENTS, /* virtio 1.2 §5.8.2 */
    QUEUE_STATUS,
    N_QUEUES,
    QUEUE_SIZE = 64,
    EVENT_BYTES = 8, /* struct virtio_input_event */
    MAX_IOV = 8,     /* an event is one buffer; a driver may cut it up */
    HOST_EVENTS = 64,
    CONFIG_SELECT = 0,
    CONFIG_SUBSELECT = 1,
    CONFIG_SIZE = 2,
    CONFIG_ANSWER = 8,
    CONFIG_BYTES = CONFIG_ANSWER + KILN_INPUT_BITMAP_BYTES,
};

typedef struct {
    KilnVirtioDevice device;
    KilnInputIdentity identity;
    KilnFd fd;      /* of the host's evdev */
    GSource *watch; /* (owned) (nullable) of it */
    void (*light)(void *opaque, uint16_t led, gboolean on);
    void *opaque;
    KilnRatelimit log_limit;
    struct iovec iov[MAX_IOV];

    /* Saved.  Events by their number modulo the ring's size: sent < whole groups < the group being
     * made. */
    uint8_t ring[KILN_VIRTIO_INPUT_RING * EVENT_BYTES];
    uint32_t sent;
    uint32_t whole;
    uint32_t end;
    gboolean overflow; /* the group being made did not fit */

    uint8_t select, subselect; /* guarded by the device lock */
} Input;

static int
pop(Input *input, unsigned number, KilnVirtqElement *element)
{
    int popped;

    element->iov = input->iov;
    element->max_iov = MAX_IOV;
    popped = kiln_virtqueue_pop(kiln_virtio_device_queue(&input->device, number), element);
    if (popped < 0)
        kiln_virtio_device_broken(&input->device, "bad descriptors in queue %u", number);
    return MAX(popped, 0);
}

/* ---- Events ---- */

static uint8_t *
place(Input *input, uint32_t number)
{
    return input->ring + number % KILN_VIRTIO_INPUT_RING * EVENT_BYTES;
}

static void
deliver(Input *input)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&input->device, QUEUE_EVENTS);
    KilnVirtqElement element;

    if (!kiln_virtqueue_started(queue))
        return;
    while (input->sent != input->whole && pop(input, QUEUE_EVENTS, &element)) {
        const uint8_t *event = place(input, input->sent);

        if (element.in_bytes < EVENT_BYTES) {
            kiln_virtio_device_broken(&input->device, "an event buffer of %u bytes",
                                      element.in_bytes);
            break;
        }
        kiln_virtqueue_copy_in(&element, 0, event, EVENT_BYTES);
        kiln_virtqueue_push(queue, &element, EVENT_BYTES);
        input->sent++;
    }
    kiln_virtqueue_flush(queue);
}

static void
add(Input *input, uint16_t type, uint16_t code, uint32_t value)
{
    uint8_t *event = place(input, input->end);

    if (input->end - input->sent == KILN_VIRTIO_INPUT_RING) {
        input->overflow = TRUE;
        return;
    }
    kiln_le16_store(event, type);
    kiln_le16_store(event + 2, code);
    kiln_le32_store(event + 4, value);
    input->end++;
}

static void
add_known(Input *input, uint16_t type, uint16_t code, uint32_t value)
{
    if (kiln_input_identity_has(&input->identity, type, code))
        add(input, type, code, value);
}

static gboolean
end_group(Input *input)
{
    gboolean dropped;

    add(input, EV_SYN, SYN_REPORT, 0);
    dropped = input->overflow || !kiln_virtio_device_running(&input->device);
    if (dropped)
        input->end = input->whole;
    input->whole = input->end;
    input->overflow = FALSE;
    if (!dropped)
        deliver(input);
    return !dropped;
}

static void
drop_events(Input *input)
{
    input->sent = input->whole = input->end = 0;
    input->overflow = FALSE;
}

/* ---- The host's evdev ---- */

static gboolean
host_ready(int fd, GIOCondition ready, gpointer data)
{
    Input *input = data;
    struct input_event events[HOST_EVENTS];
    ssize_t length = read(fd, events, sizeof events);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (length <= 0) {
        kiln_log(KILN_LOG_WARNING, "%s: the input device of the host is gone", input->device.id);
        return G_SOURCE_REMOVE;
    }
    for (size_t i = 0; i < (size_t)length / sizeof events[0]; i++) {
        const struct input_event *event = &events[i];

        if (event->type == EV_SYN && event->code == SYN_REPORT)
            end_group(input);
        else if (event->type == EV_SYN)
            add(input, event->type, event->code, (uint32_t)event->value);
        else
            add_known(input, event->type, event->code, (uint32_t)event->value);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
open_host(Input *input, const KilnVirtioInputOptions *options, GError **error)
{
    int flags;

    if (input->fd < 0)
        input->fd = kiln_open(options->path, O_RDWR | O_NONBLOCK | O_NOCTTY, 0, error);
    if (input->fd < 0 || !kiln_input_identity_host(&input->identity, input->fd, error))
        return FALSE;
    flags = fcntl(input->fd, F_GETFL);
    if (flags < 0 || fcntl(input->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return kiln_error_set_errno(error, errno, "cannot make it non-blocking");
    if (ioctl(input->fd, EVIOCGRAB, 1) < 0)
        return kiln_error_set_errno(error, errno, "cannot grab it");
    input->watch = kiln_fd_source_new(NULL, input->fd, G_IO_IN, host_ready, input);
    return TRUE;
}

/* ---- Lights ---- */

static void
status(Input *input, uint16_t type, uint16_t code, uint32_t value)
{
    if (type != EV_LED || !kiln_input_identity_has(&input->identity, type, code))
        return;
    if (input->light != NULL)
        input->light(input->opaque, code, value != 0);
    if (input->fd >= 0) {
        struct input_event events[] = { { .type = EV_LED, .code = code, .value = value != 0 },
                                        { .type = EV_SYN, .code = SYN_REPORT } };
        ssize_t written = write(input->fd, events, sizeof events);

        (void)written; /* a light that stays dark is no loss */
    }
}

static void
take_status(Input *input)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&input->device, QUEUE_STATUS);
    KilnVirtqElement element;
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN && pop(input, QUEUE_STATUS, &element); turns++) {
        uint8_t event[EVENT_BYTES];

        if (kiln_virtqueue_copy_out(&element, 0, event, sizeof event) == sizeof event)
            status(input, kiln_le16_load(event), kiln_le16_load(event + 2),
                   kiln_le32_load(event + 4));
        kiln_virtqueue_push(queue, &element, 0);
    }
    kiln_virtqueue_flush(queue);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(&input->device, QUEUE_STATUS);
}

/* ---- The device ---- */

static void
input_kick(KilnVirtioDevice *device, unsigned queue)
{
    Input *input = (Input *)device;

    if (queue == QUEUE_EVENTS)
        deliver(input);
    else
        take_status(input);
}

static void
input_config_read(KilnVirtioDevice *device)
{
    Input *input = (Input *)device;
    uint8_t *config = device->config;

    config[CONFIG_SELECT] = input->select;
    config[CONFIG_SUBSELECT] = input->subselect;
    config[CONFIG_SIZE] = kiln_input_identity_config(&input->identity, input->select,
                                                     input->subselect, config + CONFIG_ANSWER);
}

static void
input_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    Input *input = (Input *)device;
    const uint8_t *bytes = data;

    for (unsigned i = 0; i < length; i++) {
        if (offset + i == CONFIG_SELECT)
            input->select = bytes[i];
        else if (offset + i == CONFIG_SUBSELECT)
            input->subselect = bytes[i];
    }
}

static void
input_reset(KilnVirtioDevice *device)
{
    Input *input = (Input *)device;

    input->select = input->subselect = 0;
    drop_events(input);
}

static void
input_free(KilnVirtioDevice *device)
{
    Input *input = (Input *)device;

    kiln_source_free(input->watch);
    kiln_fd_clear(&input->fd);
    kiln_virtio_device_clear(device);
    g_free(input);
}

static gboolean
input_post_load(void *object, GError **error)
{
    Input *input = object;

    if (input->end - input->sent > KILN_VIRTIO_INPUT_RING ||
        input->whole - input->sent > input->end - input->sent)
        return kiln_error_set(error, KILN_ERROR_INVALID, "more events wait than there is room for");
    return TRUE;
}

static const KilnStateField input_fields[] = {
    KILN_STATE_BYTES(Input, ring, 1),    KILN_STATE(Input, sent, 1),
    KILN_STATE(Input, whole, 1),         KILN_STATE(Input, end, 1),
    KILN_STATE_FLAG(Input, overflow, 1), KILN_STATE(Input, select, 1),
    KILN_STATE(Input, subselect, 1),     KILN_STATE_END,
};

static const KilnStateDescription input_state = { .name = "virtio-input",
                                                  .version = 1,
                                                  .min_version = 1,
                                                  .fields = input_fields,
                                                  .post_load = input_post_load };

static const KilnVirtioOps input_ops = {
    .name = "virtio-input",
    .id = VIRTIO_ID_INPUT,
    .kick = input_kick,
    .config_read = input_config_read,
    .config_write = input_config_write,
    .reset = input_reset,
    .free = input_free,
    .state = &input_state,
};

static gboolean
identify(Input *input, const KilnVirtioInputOptions *options, GError **error)
{
    switch (options->kind) {
    case KILN_VIRTIO_INPUT_KEYBOARD: kiln_input_identity_keyboard(&input->identity); break;
    case KILN_VIRTIO_INPUT_MOUSE: kiln_input_identity_mouse(&input->identity); break;
    case KILN_VIRTIO_INPUT_TABLET: kiln_input_identity_tablet(&input->identity); break;
    case KILN_VIRTIO_INPUT_HOST:
        if (!open_host(input, options, error)) {
            g_prefix_error(error, "input device '%s': ",
                           options->path != NULL ? options->path : options->virtio.id);
            return FALSE;
        }
        break;
    }
    if (options->serial != NULL)
        g_strlcpy(input->identity.serial, options->serial, sizeof input->identity.serial);
    return TRUE;
}

KilnVirtioDevice *
kiln_virtio_input_new(const KilnVirtioInputOptions *options, GError **error)
{
    Input *input = g_new0(Input, 1);
    KilnVirtioOptions virtio = options->virtio;

    virtio.context = NULL;
    virtio.n_queues = N_QUEUES;
    virtio.queue_size = QUEUE_SIZE;
    virtio.features = 0;
    virtio.config_size = CONFIG_BYTES;
    kiln_virtio_device_init(&input->device, &input_ops, &virtio);
    input->fd = options->kind == KILN_VIRTIO_INPUT_HOST ? options->fd : -1;
    input->light = options->light;
    input->opaque = options->opaque;
    if (!identify(input, options, error)) {
        input_free(&input->device);
        return NULL;
    }
    return &input->device;
}

gboolean
kiln_virtio_input_has(const KilnVirtioDevice *device, uint16_t type, uint16_t code)
{
    return kiln_input_identity_has(&((const Input *)device)->identity, type, code);
}

void
kiln_virtio_input_key(KilnVirtioDevice *device, uint16_t code, gboolean down)
{
    add_known((Input *)device, EV_KEY, code, down);
}

void
kiln_virtio_input_rel(KilnVirtioDevice *device, uint16_t code, int32_t distance)
{
    add_known((Input *)device, EV_REL, code, (uint32_t)distance);
}

void
kiln_virtio_input_abs(KilnVirtioDevice *device, uint16_t code, int32_t position)
{
    add_known((Input *)device, EV_ABS, code, (uint32_t)position);
}

gboolean
kiln_virtio_input_sync(KilnVirtioDevice *device)
{
    return end_group((Input *)device);
}
