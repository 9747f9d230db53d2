/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-gpu.h.  Sections are those of virtio 1.2. */
#include "device/virtio-gpu.h"

#include <string.h>

#include "base/le.h"
#include "device/virtio-gpu-private.h"
#include "device/virtio-turn.h"

enum {
    CONFIG_EVENTS_READ = 0, /* §5.7.4 */
    CONFIG_EVENTS_CLEAR = 4,
    CONFIG_HEADS = 8,
    CONFIG_BYTES = 16,
    HEADER_BYTES = sizeof(struct virtio_gpu_ctrl_hdr),
    MAX_COMMAND = sizeof(struct virtio_gpu_transfer_to_host_2d), /* without a backing's entries */
    MAX_ANSWER = sizeof(struct virtio_gpu_resp_edid),
    DEFAULT_WIDTH = 1280,
    DEFAULT_HEIGHT = 800,
    TURN_BYTES = 16 << 20, /* of pixels that are transferred before others have their turn */
};

typedef struct {
    const KilnVirtqElement *element;
    uint8_t bytes[MAX_COMMAND]; /* what of it came; the rest is zero */
    size_t length;
    uint8_t answer[MAX_ANSWER];
    size_t answer_length; /* with the header */
    uint64_t copied;      /* bytes of pixels */
} Command;

static int
pop(Gpu *gpu, unsigned number, KilnVirtqElement *element)
{
    int popped;

    element->iov = gpu->iov;
    element->max_iov = KILN_VIRTQUEUE_MAX_SIZE;
    popped = kiln_virtqueue_pop(kiln_virtio_device_queue(&gpu->device, number), element);
    if (popped < 0)
        kiln_virtio_device_broken(&gpu->device, "bad descriptors in queue %u", number);
    return MAX(popped, 0);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static uint32_t
word(const Command *command, size_t offset)
{
    return kiln_le32_load(command->bytes + offset);
}

static struct virtio_gpu_rect
rectangle(const Command *command)
{
    return (struct virtio_gpu_rect){
        word(command, HEADER_BYTES),
        word(command, HEADER_BYTES + 4),
        word(command, HEADER_BYTES + 8),
        word(command, HEADER_BYTES + 12),
    };
}

static KilnEdidOptions
size_of(const GpuHead *head)
{
    KilnEdidOptions size = head->prefers;

    if (size.width == 0 || size.height == 0) {
        size.width = DEFAULT_WIDTH;
        size.height = DEFAULT_HEIGHT;
    }
    return size;
}

/* §5.7.6.8, VIRTIO_GPU_CMD_GET_DISPLAY_INFO */
static uint32_t
display_info(const Gpu *gpu, Command *command)
{
    uint8_t *to = command->answer + HEADER_BYTES;

    for (guint i = 0; i < gpu->n_heads; i++) {
        KilnEdidOptions size = size_of(&gpu->heads[i]);

        if (gpu->heads[i].on) {
            kiln_le32_store(to + 8, size.width);
            kiln_le32_store(to + 12, size.height);
            kiln_le32_store(to + 16, 1);
        }
        to += sizeof(struct virtio_gpu_display_one);
    }
    command->answer_length = sizeof(struct virtio_gpu_resp_display_info);
    return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

static uint32_t
edid(const Gpu *gpu, Command *command)
{
    uint32_t head = word(command, HEADER_BYTES);
    KilnEdidOptions size;

    if (head >= gpu->n_heads)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    size = size_of(&gpu->heads[head]);
    kiln_le32_store(command->answer + HEADER_BYTES, KILN_EDID_BYTES);
    kiln_edid_make(&size, command->answer + offsetof(struct virtio_gpu_resp_edid, edid));
    command->answer_length = sizeof(struct virtio_gpu_resp_edid);
    return VIRTIO_GPU_RESP_OK_EDID;
}

static uint32_t
transfer(Gpu *gpu, Command *command)
{
    const size_t offset = offsetof(struct virtio_gpu_transfer_to_host_2d, offset);
    struct virtio_gpu_rect rect = rectangle(command);

    return kiln_gpu_transfer(gpu, word(command, offset + 8), &rect,
                             kiln_le64_load(command->bytes + offset), &command->copied);
}

/* Returns: a VIRTIO_GPU_RESP_…; the answer behind its header is written. */
static uint32_t
run(Gpu *gpu, Command *command)
{
    const size_t after_rect = HEADER_BYTES + sizeof(struct virtio_gpu_rect);
    uint32_t first = word(command, HEADER_BYTES), second = word(command, HEADER_BYTES + 4);
    struct virtio_gpu_rect rect = rectangle(command);

    switch (word(command, 0)) {
    case VIRTIO_GPU_CMD_GET_DISPLAY_INFO: return display_info(gpu, command);
    case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
        return kiln_gpu_create(gpu, first, second, word(command, HEADER_BYTES + 8),
                               word(command, HEADER_BYTES + 12));
    case VIRTIO_GPU_CMD_RESOURCE_UNREF: return kiln_gpu_unref(gpu, first);
    case VIRTIO_GPU_CMD_SET_SCANOUT:
        return kiln_gpu_set_scanout(gpu, word(command, after_rect), word(command, after_rect + 4),
                                    &rect);
    case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
        return kiln_gpu_flush(gpu, word(command, after_rect), &rect);
    case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D: return transfer(gpu, command);
    case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
        return kiln_gpu_attach(gpu, first, command->element, HEADER_BYTES + 8, second,
                               &command->copied);
    case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING: return kiln_gpu_detach(gpu, first);
    case VIRTIO_GPU_CMD_GET_EDID: return edid(gpu, command);
    default: return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
}

/* §5.7.6.7: a fence comes back once its command is done, as all are when they are answered. */
static void
answer(Gpu *gpu, Command *command, uint32_t response)
{
    uint32_t flags = word(command, 4) & VIRTIO_GPU_FLAG_FENCE;
    size_t written;

    kiln_le32_store(command->answer, response);
    if (flags != 0) {
        kiln_le32_store(command->answer + 4, flags);
        memcpy(command->answer + 8, command->bytes + 8, HEADER_BYTES - 8);
    }
    written = kiln_virtqueue_copy_in(command->element, 0, command->answer, command->answer_length);
    kiln_virtqueue_push(kiln_virtio_device_queue(&gpu->device, GPU_QUEUE_CONTROL), command->element,
                        (uint32_t)written);
}

static void
take_commands(Gpu *gpu)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&gpu->device, GPU_QUEUE_CONTROL);
    KilnVirtqElement element;
    unsigned turns = 0;
    uint64_t copied = 0;

    while (turns < KILN_VIRTIO_TURN && copied < TURN_BYTES &&
           pop(gpu, GPU_QUEUE_CONTROL, &element)) {
        Command command = { .element = &element, .answer_length = HEADER_BYTES };
        uint32_t response = VIRTIO_GPU_RESP_ERR_UNSPEC;

        command.length = kiln_virtqueue_copy_out(&element, 0, command.bytes, sizeof command.bytes);
        if (command.length >= HEADER_BYTES)
            response = run(gpu, &command);
        if (response >= VIRTIO_GPU_RESP_ERR_UNSPEC)
            kiln_log_guest(&gpu->log_limit, "%s: the command 0x%x cannot be done (0x%x)",
                           gpu->device.id, word(&command, 0), response);
        answer(gpu, &command, response);
        copied += command.copied;
        turns++;
    }
    kiln_virtqueue_flush(queue);
    if (turns == KILN_VIRTIO_TURN || copied >= TURN_BYTES)
        kiln_virtio_another_turn(&gpu->device, GPU_QUEUE_CONTROL);
}

static void
take_cursors(Gpu *gpu)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&gpu->device, GPU_QUEUE_CURSOR);
    KilnVirtqElement element;
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN && pop(gpu, GPU_QUEUE_CURSOR, &element); turns++) {
        kiln_gpu_cursor(gpu, &element);
        kiln_virtqueue_push(queue, &element, 0);
    }
    kiln_virtqueue_flush(queue);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(&gpu->device, GPU_QUEUE_CURSOR);
}

/* ---- viewers -----------------------------------------------------------------------------------
 */

static void
refresh(void *device)
{
    kiln_gpu_forget(((GpuHead *)device)->gpu);
}

static void
hint(void *device, const KilnSurfaceHint *wanted)
{
    GpuHead *head = device;
    KilnVirtioDevice *virtio = &head->gpu->device;
    KilnEdidOptions prefers = { wanted->width, wanted->height, wanted->width_mm,
                                wanted->height_mm };

    if (head->on && memcmp(&prefers, &head->prefers, sizeof prefers) == 0)
        return;
    head->prefers = prefers;
    head->on = TRUE;
    kiln_virtio_device_lock(virtio);
    head->gpu->events |= VIRTIO_GPU_EVENT_DISPLAY;
    kiln_virtio_device_unlock(virtio);
    kiln_virtio_device_config_changed(virtio);
}

static const KilnSurfaceDevice surface_ops = { .refresh = refresh, .hint = hint };

KilnSurface *
kiln_virtio_gpu_surface(KilnVirtioDevice *device, guint head)
{
    return ((Gpu *)device)->heads[head].surface;
}

/* ---- the device --------------------------------------------------------------------------------
 */

static gboolean
gpu_start(KilnVirtioDevice *device, GError **error)
{
    kiln_gpu_forget((Gpu *)device);
    return TRUE;
}

static void
gpu_kick(KilnVirtioDevice *device, unsigned queue)
{
    if (queue == GPU_QUEUE_CONTROL)
        take_commands((Gpu *)device);
    else
        take_cursors((Gpu *)device);
}

static void
gpu_config_read(KilnVirtioDevice *device)
{
    const Gpu *gpu = (Gpu *)device;

    kiln_le32_store(device->config + CONFIG_EVENTS_READ, gpu->events);
    kiln_le32_store(device->config + CONFIG_EVENTS_CLEAR, 0);
    kiln_le32_store(device->config + CONFIG_HEADS, gpu->n_heads);
}

static void
gpu_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    if (offset == CONFIG_EVENTS_CLEAR && length == 4)
        ((Gpu *)device)->events &= ~kiln_le32_load(data);
}

/* Perhaps in a vCPU's thread, where no surface can be touched. */
static void
gpu_reset(KilnVirtioDevice *device)
{
    Gpu *gpu = (Gpu *)device;

    gpu->events = 0;
    g_atomic_int_set(&gpu->stale, TRUE);
}

static void
gpu_free(KilnVirtioDevice *device)
{
    Gpu *gpu = (Gpu *)device;

    for (guint i = 0; i < gpu->n_heads; i++)
        kiln_surface_free(gpu->heads[i].surface);
    g_hash_table_unref(gpu->resources);
    g_free(gpu->iov);
    g_free(gpu->saved);
    kiln_virtio_device_clear(device);
    g_free(gpu);
}

static const KilnVirtioOps gpu_ops = {
    .name = "virtio-gpu",
    .id = VIRTIO_ID_GPU,
    .start = gpu_start,
    .kick = gpu_kick,
    .config_read = gpu_config_read,
    .config_write = gpu_config_write,
    .reset = gpu_reset,
    .free = gpu_free,
    .state = &kiln_gpu_state,
};

KilnVirtioDevice *
kiln_virtio_gpu_new(const KilnVirtioGpuOptions *options)
{
    Gpu *gpu = g_new0(Gpu, 1);
    KilnVirtioOptions virtio = options->virtio;

    virtio.context = NULL;
    virtio.n_queues = GPU_N_QUEUES;
    virtio.queue_size = GPU_QUEUE_SIZE;
    virtio.features = UINT64_C(1) << VIRTIO_GPU_F_EDID;
    virtio.config_size = CONFIG_BYTES;
    kiln_virtio_device_init(&gpu->device, &gpu_ops, &virtio);
    gpu->resources = g_hash_table_new_full(NULL, NULL, NULL, kiln_gpu_resource_free);
    gpu->iov = g_new(struct iovec, KILN_VIRTQUEUE_MAX_SIZE);
    gpu->max_memory = KILN_VIRTIO_GPU_MAX_MEMORY;
    if (options->memory != 0)
        gpu->max_memory = MIN(options->memory, gpu->max_memory);
    gpu->n_heads = CLAMP(options->n_heads, 1, KILN_VIRTIO_GPU_MAX_HEADS);
    for (guint i = 0; i < gpu->n_heads; i++) {
        gpu->heads[i].gpu = gpu;
        gpu->heads[i].surface = kiln_surface_new(gpu->device.id, i, &surface_ops, &gpu->heads[i]);
    }
    gpu->heads[0].on = TRUE;
    if (options->prefers != NULL)
        gpu->heads[0].prefers = *options->prefers;
    return &gpu->device;
}
