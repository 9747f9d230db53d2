/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See virtio-balloon.h.
 *
 * Which queue reports free pages: by virtio 1.2 §5.5.2 it is number 4, also when 3 (free page
 * hints, not offered here) is not there; drivers of Linux up to 6.10 take the next number that is
 * left, so 3, or 2 without statistics.  All of these are reporting queues here.
 */
#include "device/virtio-balloon.h"

#include <inttypes.h>
#include <linux/virtio_balloon.h>

#include "base/le.h"
#include "base/log.h"
#include "device/virtio-turn.h"
#include "loop/event.h"
#include "memory/discard.h"

enum {
    QUEUE_INFLATE,
    QUEUE_DEFLATE,
    QUEUE_STATS,
    QUEUE_REPORTING_LINUX,
    QUEUE_REPORTING,
    N_QUEUES,
    QUEUE_SIZE = 128,
    PAGE_SHIFT = VIRTIO_BALLOON_PFN_SHIFT,
    PFN_BYTES = 4,
    PFNS_AT_ONCE = 256,   /* what Linux sends in one buffer */
    MAX_PFNS = 64 * 1024, /* in one buffer: no driver sends so many */
    STAT_BYTES = 10,      /* struct virtio_balloon_stat */
    MAX_STATS = 64,       /* in one buffer */
    CONFIG_BYTES = 16,
    CONFIG_ACTUAL = 4,
    CONFIG_POISON = 12,
};

typedef struct {
    KilnVirtioDevice device;
    KilnClock *clock;
    KilnClockTimer timer;
    uint64_t ram_bytes;
    gboolean keep_pages;
    KilnRatelimit log_limit;
    void (*changed)(void *opaque, uint64_t bytes);
    void *opaque;
    KilnEvent actual_event; /* the driver wrote "actual" */
    GSource *actual_source;
    KilnClockTimer tell_timer; /* armed while a change waits to be told */
    uint64_t may_tell_ns;      /* when the next one may be */
    KilnVirtioBalloonStats stats;
    KilnVirtqElement stats_element; /* kept until the next statistics are wanted */
    gboolean stats_held;
    struct iovec iov[QUEUE_SIZE];

    /* Saved; guarded by the device lock. */
    uint32_t num_pages; /* that the balloon is to have */
    uint32_t actual;    /* that it has, as the driver says */
    uint32_t poison;
    uint32_t stats_period_s;
} Balloon;

static gboolean
has_feature(const Balloon *balloon, unsigned bit)
{
    return kiln_virtio_device_has_feature(&balloon->device, bit);
}

/* What the register side writes. */
static uint32_t
locked(const Balloon *balloon, const uint32_t *member)
{
    KilnVirtioDevice *device = (KilnVirtioDevice *)&balloon->device;
    uint32_t value;

    kiln_virtio_device_lock(device);
    value = *member;
    kiln_virtio_device_unlock(device);
    return value;
}

static int
pop(Balloon *balloon, unsigned number, KilnVirtqElement *element, struct iovec *iov)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&balloon->device, number);
    int popped;

    element->iov = iov;
    element->max_iov = QUEUE_SIZE;
    popped = kiln_virtqueue_pop(queue, element);
    if (popped < 0)
        kiln_virtio_device_broken(&balloon->device, "bad descriptors in queue %u", number);
    return MAX(popped, 0);
}

/* ---- Inflating and deflating ---- */

static void
give_back(Balloon *balloon, KilnGpa gpa, uint64_t bytes)
{
    if (balloon->keep_pages)
        return;
    if (kiln_memory_discard(balloon->device.memory, gpa, bytes))
        balloon->stats.returned_bytes += bytes;
    else
        kiln_log_guest(&balloon->log_limit, "%s: the page 0x%" PRIx64 " is not in the guest's RAM",
                       balloon->device.id, gpa);
}

/* Gives back a run of pages; page by page where it is not in one piece of RAM. */
static void
give_back_run(Balloon *balloon, uint64_t first, uint64_t end)
{
    KilnGpa gpa = first << PAGE_SHIFT;
    uint64_t bytes = (end - first) << PAGE_SHIFT;

    if (first == end)
        return;
    if (kiln_memory_map(balloon->device.memory, gpa, bytes) != NULL) {
        give_back(balloon, gpa, bytes);
        return;
    }
    for (uint64_t pfn = first; pfn < end; pfn++)
        give_back(balloon, pfn << PAGE_SHIFT, UINT64_C(1) << PAGE_SHIFT);
}

/* Pages come one by one; those that are neighbours go back as one. */
static void
inflate_pages(Balloon *balloon, const uint8_t *pfns, size_t n)
{
    uint64_t first = 0, end = 0; /* the run */

    for (size_t i = 0; i < n; i++) {
        uint64_t pfn = kiln_le32_load(pfns + i * PFN_BYTES);

        if (first < end && pfn == end) {
            end++;
        } else if (first < end && pfn + 1 == first) {
            first--;
        } else {
            give_back_run(balloon, first, end);
            first = pfn;
            end = pfn + 1;
        }
    }
    give_back_run(balloon, first, end);
}

static void
inflate(Balloon *balloon, const KilnVirtqElement *element)
{
    uint8_t pfns[PFNS_AT_ONCE * PFN_BYTES];
    size_t offset = 0, length;

    if (element->out_bytes > MAX_PFNS * PFN_BYTES) {
        kiln_virtio_device_broken(&balloon->device, "%u bytes of page numbers at once",
                                  element->out_bytes);
        return;
    }
    while ((length = kiln_virtqueue_copy_out(element, offset, pfns, sizeof pfns)) >= PFN_BYTES) {
        inflate_pages(balloon, pfns, length / PFN_BYTES);
        offset += length;
    }
}

/* ---- Free pages ---- */

static void
reported(Balloon *balloon, const KilnVirtqElement *element)
{
    /* Pages that the driver has filled with a pattern must come back with it: §5.5.6.7. */
    gboolean keep = balloon->keep_pages || (has_feature(balloon, VIRTIO_BALLOON_F_PAGE_POISON) &&
                                            locked(balloon, &balloon->poison) != 0);

    for (unsigned i = 0; i < element->n_in && !keep; i++) {
        const struct iovec *piece = &element->iov[element->n_out + i];

        if (kiln_memory_discard_host(balloon->device.memory, piece->iov_base, piece->iov_len))
            balloon->stats.returned_bytes += piece->iov_len;
    }
}

/* ---- Statistics ---- */

static void
read_stats(Balloon *balloon, const KilnVirtqElement *element)
{
    uint8_t bytes[STAT_BYTES];
    size_t offset = 0;

    for (unsigned i = 0; i < MAX_STATS && kiln_virtqueue_copy_out(element, offset, bytes,
                                                                  sizeof bytes) == sizeof bytes;
         i++, offset += STAT_BYTES) {
        uint16_t tag = kiln_le16_load(bytes);

        if (tag >= KILN_VIRTIO_BALLOON_N_STATS)
            continue;
        balloon->stats.values[tag] = kiln_le64_load(bytes + 2);
        balloon->stats.valid |= 1u << tag;
    }
    if (offset > 0)
        balloon->stats.updated_us = g_get_real_time();
}

static void
arm_stats(Balloon *balloon)
{
    if (balloon->stats_period_s > 0)
        kiln_clock_timer_arm(&balloon->timer, kiln_clock_now(balloon->clock) +
                                                  balloon->stats_period_s * KILN_NS_PER_SECOND);
    else
        kiln_clock_timer_cancel(&balloon->timer);
}

/* Gives the driver its buffer back: it answers with new statistics in it. */
static void
ask_for_stats(void *opaque)
{
    Balloon *balloon = opaque;
    KilnVirtqueue *queue = kiln_virtio_device_queue(&balloon->device, QUEUE_STATS);

    if (!kiln_virtio_device_running(&balloon->device) || balloon->stats_period_s == 0)
        return;
    if (balloon->stats_held) {
        balloon->stats_held = FALSE;
        kiln_virtqueue_push(queue, &balloon->stats_element, 0);
        kiln_virtqueue_flush(queue);
    }
    arm_stats(balloon);
}

static void
take_stats(Balloon *balloon)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&balloon->device, QUEUE_STATS);
    KilnVirtqElement element;

    for (unsigned turns = 0;
         turns < KILN_VIRTIO_TURN && pop(balloon, QUEUE_STATS, &element, balloon->iov); turns++) {
        read_stats(balloon, &element);
        if (balloon->stats_held) { /* a driver has one buffer; of more the older goes back */
            kiln_virtqueue_push(queue, &balloon->stats_element, 0);
            kiln_virtqueue_flush(queue);
        }
        balloon->stats_element = element;
        balloon->stats_held = TRUE;
    }
}

/* ---- The device ---- */

static gboolean
is_stats(const Balloon *balloon, unsigned queue)
{
    return queue == QUEUE_STATS && has_feature(balloon, VIRTIO_BALLOON_F_STATS_VQ);
}

static void
balloon_kick(KilnVirtioDevice *device, unsigned number)
{
    Balloon *balloon = (Balloon *)device;
    KilnVirtqueue *queue = kiln_virtio_device_queue(device, number);
    KilnVirtqElement element;
    unsigned turns = 0;

    if (is_stats(balloon, number)) {
        take_stats(balloon);
        return;
    }
    for (; turns < KILN_VIRTIO_TURN && pop(balloon, number, &element, balloon->iov); turns++) {
        if (number == QUEUE_INFLATE)
            inflate(balloon, &element);
        else if (number >= QUEUE_STATS && has_feature(balloon, VIRTIO_BALLOON_F_REPORTING))
            reported(balloon, &element);
        kiln_virtqueue_push(queue, &element, 0);
    }
    kiln_virtqueue_flush(queue);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(device, number);
}

static gboolean
balloon_start(KilnVirtioDevice *device, GError **error)
{
    arm_stats((Balloon *)device);
    return TRUE;
}

static void
take_back_stats(Balloon *balloon)
{
    if (balloon->stats_held)
        kiln_virtqueue_unpop(kiln_virtio_device_queue(&balloon->device, QUEUE_STATS),
                             &balloon->stats_element);
    balloon->stats_held = FALSE;
}

static void
balloon_stop(KilnVirtioDevice *device)
{
    Balloon *balloon = (Balloon *)device;

    kiln_clock_timer_cancel(&balloon->timer);
    take_back_stats(balloon);
    kiln_virtio_device_stopped(device);
}

static void
balloon_queue_stop(KilnVirtioDevice *device, unsigned queue)
{
    if (queue == QUEUE_STATS)
        take_back_stats((Balloon *)device);
    kiln_virtio_device_queue_stopped(device, queue);
}

static void
balloon_config_read(KilnVirtioDevice *device)
{
    Balloon *balloon = (Balloon *)device;

    kiln_le32_store(device->config, balloon->num_pages);
    kiln_le32_store(device->config + CONFIG_ACTUAL, balloon->actual);
    kiln_le32_store(device->config + CONFIG_POISON, balloon->poison);
}

static void
balloon_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    Balloon *balloon = (Balloon *)device;

    if (length != 4)
        return; /* fields of 32 bits are written as such: virtio 1.2 §4.1.3.1 */
    if (offset == CONFIG_ACTUAL) {
        balloon->actual = kiln_le32_load(data);
        kiln_event_set(&balloon->actual_event);
    } else if (offset == CONFIG_POISON) {
        balloon->poison = kiln_le32_load(data);
    }
}

static void
balloon_reset(KilnVirtioDevice *device)
{
    Balloon *balloon = (Balloon *)device;

    balloon->poison = 0;
    balloon->stats.valid = 0;
    balloon->stats.updated_us = 0;
    if (balloon->actual != 0)
        kiln_event_set(&balloon->actual_event);
    balloon->actual = 0; /* a driver that begins anew has all pages */
}

static void
tell_change(void *opaque)
{
    Balloon *balloon = opaque;

    balloon->may_tell_ns = kiln_clock_now(balloon->clock) + KILN_NS_PER_SECOND;
    if (balloon->changed != NULL)
        balloon->changed(balloon->opaque, kiln_virtio_balloon_actual(&balloon->device));
}

/* Once a second at most: each costs messages to clients, and a driver may write it all the time. */
static void
on_actual(gpointer data)
{
    Balloon *balloon = data;

    if (kiln_clock_now(balloon->clock) >= balloon->may_tell_ns)
        tell_change(balloon);
    else
        kiln_clock_timer_arm(&balloon->tell_timer, balloon->may_tell_ns);
}

static void
balloon_free(KilnVirtioDevice *device)
{
    Balloon *balloon = (Balloon *)device;

    kiln_clock_timer_clear(&balloon->timer);
    kiln_clock_timer_clear(&balloon->tell_timer);
    kiln_source_free(balloon->actual_source);
    kiln_event_clear(&balloon->actual_event);
    kiln_virtio_device_clear(device);
    g_free(balloon);
}

static const KilnStateField balloon_fields[] = {
    KILN_STATE(Balloon, num_pages, 1),
    KILN_STATE(Balloon, actual, 1),
    KILN_STATE(Balloon, poison, 1),
    KILN_STATE(Balloon, stats_period_s, 1),
    KILN_STATE_END,
};

static const KilnStateDescription balloon_state = {
    .name = "virtio-balloon", .version = 1, .min_version = 1, .fields = balloon_fields
};

static const KilnVirtioOps balloon_ops = {
    .name = "virtio-balloon",
    .id = VIRTIO_ID_BALLOON,
    .start = balloon_start,
    .stop = balloon_stop,
    .kick = balloon_kick,
    .queue_stop = balloon_queue_stop,
    .config_read = balloon_config_read,
    .config_write = balloon_config_write,
    .reset = balloon_reset,
    .free = balloon_free,
    .state = &balloon_state,
};

static uint64_t
offered(const KilnVirtioBalloonOptions *options)
{
    uint64_t features = UINT64_C(1) << VIRTIO_BALLOON_F_STATS_VQ;

    if (options->deflate_on_oom)
        features |= UINT64_C(1) << VIRTIO_BALLOON_F_DEFLATE_ON_OOM;
    if (options->free_page_reporting) /* Linux reports nothing where it cannot tell of poison */
        features |= UINT64_C(1) << VIRTIO_BALLOON_F_REPORTING | UINT64_C(1)
                                                                    << VIRTIO_BALLOON_F_PAGE_POISON;
    return features;
}

static uint32_t
pages_for(const Balloon *balloon, uint64_t target)
{
    uint64_t pages = (balloon->ram_bytes - MIN(target, balloon->ram_bytes)) >> PAGE_SHIFT;

    return (uint32_t)MIN(pages, UINT32_MAX);
}

KilnVirtioDevice *
kiln_virtio_balloon_new(const KilnVirtioBalloonOptions *options, GError **error)
{
    KilnVirtioOptions virtio = options->virtio;
    KilnEvent event = KILN_EVENT_NONE;
    Balloon *balloon;

    if (!kiln_event_open(&event, error))
        return NULL;
    virtio.context = NULL;
    virtio.n_queues = N_QUEUES;
    virtio.queue_size = QUEUE_SIZE;
    virtio.features = offered(options);
    virtio.config_size = CONFIG_BYTES;
    balloon = g_new0(Balloon, 1);
    kiln_virtio_device_init(&balloon->device, &balloon_ops, &virtio);
    balloon->clock = options->clock;
    kiln_clock_timer_init(&balloon->timer, balloon->clock, ask_for_stats, balloon);
    kiln_clock_timer_init(&balloon->tell_timer, balloon->clock, tell_change, balloon);
    balloon->ram_bytes = kiln_memory_size(virtio.memory);
    balloon->keep_pages = options->keep_pages;
    balloon->changed = options->changed;
    balloon->opaque = options->opaque;
    balloon->actual_event = event;
    balloon->actual_source =
        kiln_event_source_new(&balloon->actual_event, NULL, on_actual, balloon);
    balloon->num_pages = options->target != 0 ? pages_for(balloon, options->target) : 0;
    balloon->stats_period_s = options->stats_period_s;
    return &balloon->device;
}

void
kiln_virtio_balloon_set_target(KilnVirtioDevice *device, uint64_t bytes)
{
    Balloon *balloon = (Balloon *)device;

    kiln_virtio_device_lock(device);
    balloon->num_pages = pages_for(balloon, bytes);
    kiln_virtio_device_unlock(device);
    kiln_virtio_device_config_changed(device);
}

/* RAM without @pages, of which there cannot be more than RAM has. */
static uint64_t
without(const Balloon *balloon, uint32_t pages)
{
    return balloon->ram_bytes - MIN((uint64_t)pages << PAGE_SHIFT, balloon->ram_bytes);
}

uint64_t
kiln_virtio_balloon_target(const KilnVirtioDevice *device)
{
    const Balloon *balloon = (const Balloon *)device;

    return without(balloon, balloon->num_pages);
}

uint64_t
kiln_virtio_balloon_actual(const KilnVirtioDevice *device)
{
    const Balloon *balloon = (const Balloon *)device;

    return without(balloon, locked(balloon, &balloon->actual));
}

void
kiln_virtio_balloon_set_stats_period(KilnVirtioDevice *device, unsigned seconds)
{
    Balloon *balloon = (Balloon *)device;

    balloon->stats_period_s = seconds;
    if (seconds > 0)
        ask_for_stats(balloon);
    else
        kiln_clock_timer_cancel(&balloon->timer);
}

unsigned
kiln_virtio_balloon_stats_period(const KilnVirtioDevice *device)
{
    return ((const Balloon *)device)->stats_period_s;
}

void
kiln_virtio_balloon_get_stats(const KilnVirtioDevice *device, KilnVirtioBalloonStats *stats)
{
    *stats = ((const Balloon *)device)->stats;
}

void
kiln_virtio_balloon_set_keep_pages(KilnVirtioDevice *device, gboolean keep)
{
    ((Balloon *)device)->keep_pages = keep;
}
