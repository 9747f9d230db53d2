/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-mem.h. */
#include "device/virtio-mem.h"

#include <linux/virtio_mem.h>
#include <string.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"
#include "base/log.h"
#include "device/virtio-turn.h"
#include "memory/discard.h"

enum {
    QUEUE_REQUESTS, /* virtio 1.2 §5.15.2 */
    N_QUEUES,
    QUEUE_SIZE = 64,
    REQUEST_BYTES = 24, /* struct virtio_mem_req: type, 6 bytes unused, address, number, unused */
    REQUEST_ADDRESS = 8,
    REQUEST_BLOCKS = 16,
    RESPONSE_BYTES = 10, /* struct virtio_mem_resp: type, 6 bytes unused, state */
    RESPONSE_STATE = 8,
    CONFIG_BYTES = 56, /* struct virtio_mem_config */
    CONFIG_NODE = 8,
    CONFIG_GPA = 16,
    CONFIG_SIZE = 24,
    CONFIG_USABLE = 32,
    CONFIG_PLUGGED = 40,
    CONFIG_REQUESTED = 48,
};

typedef struct {
    KilnVirtioDevice device;
    KilnGpa gpa;
    uint8_t *host;
    int fd; /* not owned */
    uint64_t fd_offset;
    uint64_t size;
    uint64_t block_size;
    gboolean keep_pages;
    void (*changed)(void *opaque, uint64_t bytes);
    void *opaque;
    struct iovec iov[QUEUE_SIZE];

    /* Saved. */
    uint8_t *bitmap; /* (owned): a bit a block: plugged */
    uint32_t bitmap_bytes;
    uint64_t plugged;   /* bytes; guarded by the device lock, as the next */
    uint64_t requested; /* bytes */
} Mem;

static gboolean
is_plugged(const Mem *mem, uint64_t block)
{
    return mem->bitmap[block / 8] >> block % 8 & 1;
}

static void
set_plugged(Mem *mem, uint64_t block, gboolean plugged)
{
    uint8_t bit = (uint8_t)(1u << block % 8);

    if (plugged)
        mem->bitmap[block / 8] |= bit;
    else
        mem->bitmap[block / 8] &= (uint8_t)~bit;
}

/* How many of the @n blocks from @first on are plugged. */
static uint64_t
count_plugged(const Mem *mem, uint64_t first, uint64_t n)
{
    uint64_t count = 0;

    for (uint64_t block = first; block < first + n; block++)
        count += is_plugged(mem, block);
    return count;
}

static gboolean
give_back(Mem *mem, uint64_t offset, uint64_t length)
{
    if (!mem->keep_pages)
        return kiln_memory_discard_range(mem->host + offset, length, mem->fd,
                                         mem->fd_offset + offset) == 0;
    memset(mem->host + offset, 0, length);
    return TRUE;
}

static void
set_plugged_bytes(Mem *mem, uint64_t plugged)
{
    if (plugged == mem->plugged)
        return;
    kiln_virtio_device_lock(&mem->device);
    mem->plugged = plugged;
    kiln_virtio_device_unlock(&mem->device);
    if (mem->changed != NULL)
        mem->changed(mem->opaque, plugged);
}

static uint16_t
plug(Mem *mem, uint64_t first, uint64_t n)
{
    uint64_t bytes = n * mem->block_size;

    if (count_plugged(mem, first, n) != 0)
        return VIRTIO_MEM_RESP_ERROR;
    if (mem->plugged + bytes > mem->requested)
        return VIRTIO_MEM_RESP_NACK;
    /* A guest that wrote into them before: §5.15.6.3 leaves what is in them open, but it is ours.
     */
    for (uint64_t block = first; block < first + n; block++)
        set_plugged(mem, block, TRUE);
    set_plugged_bytes(mem, mem->plugged + bytes);
    return VIRTIO_MEM_RESP_ACK;
}

static uint16_t
unplug(Mem *mem, uint64_t first, uint64_t n)
{
    uint64_t bytes = n * mem->block_size;

    if (count_plugged(mem, first, n) != n)
        return VIRTIO_MEM_RESP_ERROR;
    if (!give_back(mem, first * mem->block_size, bytes))
        return VIRTIO_MEM_RESP_BUSY;
    for (uint64_t block = first; block < first + n; block++)
        set_plugged(mem, block, FALSE);
    set_plugged_bytes(mem, mem->plugged - bytes);
    return VIRTIO_MEM_RESP_ACK;
}

static uint16_t
unplug_all(Mem *mem)
{
    if (mem->plugged > 0 && !give_back(mem, 0, mem->size))
        return VIRTIO_MEM_RESP_BUSY;
    memset(mem->bitmap, 0, mem->bitmap_bytes);
    set_plugged_bytes(mem, 0);
    return VIRTIO_MEM_RESP_ACK;
}

static uint16_t
block_state(const Mem *mem, uint64_t first, uint64_t n)
{
    uint64_t plugged = count_plugged(mem, first, n);

    if (plugged == n)
        return VIRTIO_MEM_STATE_PLUGGED;
    return plugged == 0 ? VIRTIO_MEM_STATE_UNPLUGGED : VIRTIO_MEM_STATE_MIXED;
}

/* Returns: the type of the response; @state is set by a request for it. */
static uint16_t
request(Mem *mem, const uint8_t *bytes, uint16_t *state)
{
    uint16_t type = kiln_le16_load(bytes);
    uint64_t offset = kiln_le64_load(bytes + REQUEST_ADDRESS) - mem->gpa; /* may wrap: too large */
    uint64_t n = kiln_le16_load(bytes + REQUEST_BLOCKS);
    uint64_t first = offset / mem->block_size;

    if (type == VIRTIO_MEM_REQ_UNPLUG_ALL)
        return unplug_all(mem);
    if (n == 0 || offset % mem->block_size != 0 ||
        !kiln_range_inside(offset, n * mem->block_size, mem->size))
        return VIRTIO_MEM_RESP_ERROR;
    switch (type) {
    case VIRTIO_MEM_REQ_PLUG: return plug(mem, first, n);
    case VIRTIO_MEM_REQ_UNPLUG: return unplug(mem, first, n);
    case VIRTIO_MEM_REQ_STATE: *state = block_state(mem, first, n); return VIRTIO_MEM_RESP_ACK;
    default: return VIRTIO_MEM_RESP_ERROR;
    }
}

static gboolean
pop(Mem *mem, KilnVirtqElement *element)
{
    int popped;

    element->iov = mem->iov;
    element->max_iov = QUEUE_SIZE;
    popped = kiln_virtqueue_pop(kiln_virtio_device_queue(&mem->device, QUEUE_REQUESTS), element);
    if (popped < 0)
        kiln_virtio_device_broken(&mem->device, "bad descriptors in the request queue");
    return popped > 0;
}

static void
mem_kick(KilnVirtioDevice *device, unsigned number)
{
    Mem *mem = (Mem *)device;
    KilnVirtqueue *queue = kiln_virtio_device_queue(device, number);
    KilnVirtqElement element;
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN && pop(mem, &element); turns++) {
        uint8_t bytes[REQUEST_BYTES], response[RESPONSE_BYTES] = { 0 };
        uint16_t state = 0;
        size_t written;

        if (kiln_virtqueue_copy_out(&element, 0, bytes, sizeof bytes) < sizeof bytes ||
            element.in_bytes < RESPONSE_BYTES) {
            kiln_virtio_device_broken(device, "a request of %u and %u bytes", element.out_bytes,
                                      element.in_bytes);
            return;
        }
        kiln_le16_store(response, request(mem, bytes, &state));
        kiln_le16_store(response + RESPONSE_STATE, state);
        written = kiln_virtqueue_copy_in(&element, 0, response, sizeof response);
        kiln_virtqueue_push(queue, &element, (uint32_t)written);
    }
    kiln_virtqueue_flush(queue);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(device, number);
}

static void
mem_config_read(KilnVirtioDevice *device)
{
    Mem *mem = (Mem *)device;

    kiln_le64_store(device->config + CONFIG_PLUGGED, mem->plugged);
    kiln_le64_store(device->config + CONFIG_REQUESTED, mem->requested);
}

/* A reset of the device leaves its blocks plugged (§5.15.5.2: the driver may be a new kernel that
 * finds its old memory); a reset of the machine does not, as the machine gives all RAM back then.
 */
static void
mem_free(KilnVirtioDevice *device)
{
    Mem *mem = (Mem *)device;

    g_free(mem->bitmap);
    kiln_virtio_device_clear(device);
    g_free(mem);
}

static gboolean
mem_post_load(void *object, GError **error)
{
    Mem *mem = object;
    uint64_t n_blocks = mem->size / mem->block_size;
    uint64_t plugged;

    if (mem->bitmap_bytes != (n_blocks + 7) / 8)
        return kiln_error_set(error, KILN_ERROR_INVALID, "the memory had another size");
    if (n_blocks % 8 != 0)
        mem->bitmap[mem->bitmap_bytes - 1] &= (uint8_t)((1u << n_blocks % 8) - 1);
    plugged = count_plugged(mem, 0, n_blocks) * mem->block_size;
    if (plugged != mem->plugged || mem->requested > mem->size ||
        mem->requested % mem->block_size != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "its sizes contradict each other");
    return TRUE;
}

static const KilnStateField mem_fields[] = {
    KILN_STATE_BUFFER(Mem, bitmap, bitmap_bytes, 1, KILN_VIRTIO_MEM_MAX_BLOCKS / 8),
    KILN_STATE(Mem, plugged, 1),
    KILN_STATE(Mem, requested, 1),
    KILN_STATE_END,
};

static const KilnStateDescription mem_state = { .name = "virtio-mem",
                                                .version = 1,
                                                .min_version = 1,
                                                .fields = mem_fields,
                                                .post_load = mem_post_load };

static const KilnVirtioOps mem_ops = {
    .name = "virtio-mem",
    .id = VIRTIO_ID_MEM,
    .kick = mem_kick,
    .config_read = mem_config_read,
    .free = mem_free,
    .state = &mem_state,
};

static gboolean
check_sizes(const KilnVirtioMemOptions *options, uint64_t block_size, GError **error)
{
    const char *id = options->virtio.id;

    if (!kiln_is_power_of_2(block_size) || block_size < KILN_VIRTIO_MEM_MIN_BLOCK_SIZE)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%s: blocks of %" G_GUINT64_FORMAT " bytes", id, block_size);
    if (options->size == 0 || options->size % block_size != 0 || options->gpa % block_size != 0 ||
        options->size / block_size > KILN_VIRTIO_MEM_MAX_BLOCKS)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%s: %" G_GUINT64_FORMAT
                              " bytes are no multiple of %" G_GUINT64_FORMAT
                              " KiB, or too many of them",
                              id, options->size, block_size / 1024);
    if (options->requested > options->size || options->requested % block_size != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%s: a requested size of %" G_GUINT64_FORMAT " bytes", id,
                              options->requested);
    return TRUE;
}

static void
fill_config(Mem *mem, int node)
{
    uint8_t *config = mem->device.config;

    kiln_le64_store(config, mem->block_size);
    kiln_le16_store(config + CONFIG_NODE, (uint16_t)MAX(node, 0));
    kiln_le64_store(config + CONFIG_GPA, mem->gpa);
    kiln_le64_store(config + CONFIG_SIZE, mem->size);
    kiln_le64_store(config + CONFIG_USABLE, mem->size);
}

KilnVirtioDevice *
kiln_virtio_mem_new(const KilnVirtioMemOptions *options, GError **error)
{
    uint64_t block_size =
        options->block_size != 0 ? options->block_size : KILN_VIRTIO_MEM_BLOCK_SIZE;
    KilnVirtioOptions virtio = options->virtio;
    Mem *mem;

    if (!check_sizes(options, block_size, error))
        return NULL;
    virtio.context = NULL;
    virtio.n_queues = N_QUEUES;
    virtio.queue_size = QUEUE_SIZE;
    virtio.features = UINT64_C(1) << VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE;
    if (options->node != KILN_VIRTIO_MEM_NO_NODE)
        virtio.features |= UINT64_C(1) << VIRTIO_MEM_F_ACPI_PXM;
    virtio.config_size = CONFIG_BYTES;
    mem = g_new0(Mem, 1);
    kiln_virtio_device_init(&mem->device, &mem_ops, &virtio);
    mem->gpa = options->gpa;
    mem->host = options->host;
    mem->fd = options->fd;
    mem->fd_offset = options->fd_offset;
    mem->size = options->size;
    mem->block_size = block_size;
    mem->keep_pages = options->keep_pages;
    mem->changed = options->changed;
    mem->opaque = options->opaque;
    mem->bitmap_bytes = (uint32_t)((options->size / block_size + 7) / 8);
    mem->bitmap = g_malloc0(mem->bitmap_bytes);
    mem->requested = options->requested;
    fill_config(mem, options->node);
    return &mem->device;
}

gboolean
kiln_virtio_mem_set_requested(KilnVirtioDevice *device, uint64_t bytes, GError **error)
{
    Mem *mem = (Mem *)device;

    if (bytes > mem->size || bytes % mem->block_size != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%s: a requested size of %" G_GUINT64_FORMAT
                              " bytes is more than %" G_GUINT64_FORMAT
                              ", or no multiple of %" G_GUINT64_FORMAT " KiB",
                              device->id, bytes, mem->size, mem->block_size / 1024);
    kiln_virtio_device_lock(device);
    mem->requested = bytes;
    kiln_virtio_device_unlock(device);
    kiln_virtio_device_config_changed(device);
    return TRUE;
}

uint64_t
kiln_virtio_mem_requested(const KilnVirtioDevice *device)
{
    return ((const Mem *)device)->requested;
}

uint64_t
kiln_virtio_mem_plugged(const KilnVirtioDevice *device)
{
    return ((const Mem *)device)->plugged;
}

gboolean
kiln_virtio_mem_is_plugged(const KilnVirtioDevice *device, uint64_t offset)
{
    const Mem *mem = (const Mem *)device;

    return offset < mem->size && is_plugged(mem, offset / mem->block_size);
}

void
kiln_virtio_mem_system_reset(KilnVirtioDevice *device)
{
    Mem *mem = (Mem *)device;

    if (unplug_all(mem) != VIRTIO_MEM_RESP_ACK)
        kiln_log(KILN_LOG_WARNING, "%s: the host does not take its memory back", device->id);
}
