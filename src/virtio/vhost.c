/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vhost.h. */
#include "virtio/vhost.h"

#include "base/error.h"
#include "base/log.h"
#include "loop/event.h"

/* One of the device's queues, while the peer has it. */
typedef struct {
    KilnVirtioDevice *device;
    unsigned index;  /* the device's */
    gboolean given;  /* the peer was told of it; else the driver does not use it */
    KilnEvent relay; /* what the peer interrupts by if the driver gave no eventfd for that */
    GSource *source; /* (owned) (nullable): of @relay */
} Handed;

/* Behind KilnVhost.handed. */
typedef struct {
    unsigned first;
    unsigned n_queues;
    Handed queues[];
} Handover;

static void
relay_interrupt(gpointer data)
{
    Handed *handed = data;

    kiln_virtio_device_interrupt(handed->device, handed->index);
}

/* Returns: by what the peer is to interrupt, or -1 with @error set. */
static int
choose_call(Handed *handed, GError **error)
{
    int fd = kiln_virtio_device_call_fd(handed->device, handed->index);

    if (fd >= 0)
        return fd;
    if (handed->relay.fd < 0) {
        if (!kiln_event_open(&handed->relay, error))
            return -1;
        handed->source =
            kiln_event_source_new(&handed->relay, handed->device->context, relay_interrupt, handed);
    }
    return handed->relay.fd;
}

static Handover *
handover_new(KilnVirtioDevice *device, unsigned first, unsigned n_queues)
{
    Handover *handover = g_malloc0(sizeof *handover + n_queues * sizeof handover->queues[0]);

    handover->first = first;
    handover->n_queues = n_queues;
    for (unsigned i = 0; i < n_queues; i++)
        handover->queues[i] =
            (Handed){ .device = device, .index = first + i, .relay = KILN_EVENT_NONE };
    return handover;
}

static void
handover_free(Handover *handover)
{
    for (unsigned i = 0; i < handover->n_queues; i++) {
        kiln_source_free(handover->queues[i].source);
        kiln_event_clear(&handover->queues[i].relay);
    }
    g_free(handover);
}

static gboolean
tell_memory(KilnMemory *memory, KilnVhost *vhost, GError **error)
{
    guint n_regions = 0;
    const KilnMemoryRegion *regions = kiln_memory_regions(memory, &n_regions);
    g_autofree KilnVhostRegion *told = g_new0(KilnVhostRegion, n_regions);

    for (guint i = 0; i < n_regions; i++)
        told[i] = (KilnVhostRegion){
            .gpa = regions[i].gpa,
            .size = regions[i].size,
            .host = regions[i].host,
            .fd = regions[i].fd,
            .fd_offset = regions[i].fd_offset,
        };
    return vhost->ops->set_memory(vhost, told, n_regions, error);
}

static gboolean
give(KilnVhost *vhost, Handed *handed, unsigned number, GError **error)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(handed->device, handed->index);
    int kick = kiln_virtio_device_kick_fd(handed->device, handed->index);
    KilnVirtqueueRing ring;
    KilnVhostRing told;
    int call;

    call = choose_call(handed, error);
    if (call < 0)
        return FALSE;
    kiln_virtqueue_ring(queue, &ring);
    told = (KilnVhostRing){
        .size = ring.size, .desc = ring.desc, .avail = ring.driver, .used = ring.device
    };
    handed->given = TRUE;
    kiln_virtio_device_take_kicks(handed->device, handed->index, TRUE);
    return vhost->ops->set_ring(vhost, number, &told, kiln_virtqueue_base(queue), error) &&
           vhost->ops->set_call(vhost, number, call, error) &&
           vhost->ops->set_kick(vhost, number, kick, error);
}

static gboolean
give_all(KilnVirtioDevice *device, KilnVhost *vhost, uint64_t features, GError **error)
{
    Handover *handover = vhost->handed;

    if (!vhost->ops->set_features(vhost, features, error) ||
        !tell_memory(device->memory, vhost, error))
        return FALSE;
    for (unsigned i = 0; i < handover->n_queues; i++) {
        Handed *handed = &handover->queues[i];

        if (kiln_virtqueue_started(kiln_virtio_device_queue(device, handed->index)) &&
            !give(vhost, handed, i, error))
            return FALSE;
    }
    for (unsigned i = 0; i < handover->n_queues; i++)
        if (handover->queues[i].given && !vhost->ops->enable(vhost, i, TRUE, error))
            return FALSE;
    return TRUE;
}

/* The driver's kick for what lies in a queue already may have been read here. */
static void
kick_all(Handover *handover)
{
    for (unsigned i = 0; i < handover->n_queues; i++) {
        const Handed *handed = &handover->queues[i];
        KilnEvent kick = { .fd = kiln_virtio_device_kick_fd(handed->device, handed->index) };

        if (handed->given)
            kiln_event_set(&kick);
    }
}

/* Sets where @queue stands, as the peer says if it is there and says what can be. */
static void
take_back(KilnVhost *vhost, Handed *handed, unsigned number, gboolean *alive)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(handed->device, handed->index);
    g_autoptr(GError) problem = NULL;
    uint32_t base = 0;
    gboolean told = *alive && vhost->ops->get_base(vhost, number, &base, &problem);

    if (*alive && !told)
        kiln_log(KILN_LOG_WARNING, "%s: queue %u: %s", handed->device->id, handed->index,
                 problem->message);
    *alive = told;
    if (!(told && kiln_virtqueue_set_base(queue, base)) && !kiln_virtqueue_recover_base(queue))
        kiln_virtio_device_broken(handed->device, "where queue %u stands is lost with its peer",
                                  handed->index);
    kiln_virtio_device_take_kicks(handed->device, handed->index, FALSE);
}

uint64_t
kiln_virtio_vhost_features(const KilnVirtioDevice *device, KilnVhost *vhost)
{
    uint64_t offered = 0;
    uint64_t both = 0;

    if (!vhost->ops->features(vhost, &offered, NULL))
        return 0;
    for (unsigned bit = 0; bit < 64; bit++)
        if ((offered & (1ull << bit)) && kiln_virtio_device_has_feature(device, bit))
            both |= 1ull << bit;
    return both;
}

gboolean
kiln_virtio_vhost_start(KilnVirtioDevice *device, KilnVhost *vhost, unsigned first,
                        unsigned n_queues, uint64_t features, GError **error)
{
    uint64_t offered = 0;

    g_return_val_if_fail(vhost->handed == NULL && first + n_queues <= device->n_queues, FALSE);
    if (!vhost->ops->features(vhost, &offered, error))
        return FALSE;
    if (features & ~offered)
        return kiln_error_set(error, KILN_ERROR_FAILED,
                              "%s: %s lacks features 0x%" G_GINT64_MODIFIER "x that the guest uses",
                              device->id, vhost->ops->name, (guint64)(features & ~offered));
    vhost->handed = handover_new(device, first, n_queues);
    if (!give_all(device, vhost, features, error)) {
        kiln_virtio_vhost_stop(device, vhost, first, n_queues);
        return FALSE;
    }
    kick_all(vhost->handed);
    return TRUE;
}

void
kiln_virtio_vhost_stop(KilnVirtioDevice *device, KilnVhost *vhost, unsigned first,
                       unsigned n_queues)
{
    Handover *handover = vhost->handed;
    gboolean alive = TRUE;

    if (handover == NULL)
        return; /* was never started */
    g_return_if_fail(handover->first == first && handover->n_queues == n_queues);
    for (unsigned i = 0; i < n_queues; i++)
        if (handover->queues[i].given)
            (void)vhost->ops->enable(vhost, i, FALSE, NULL); /* get_base stops it in any case */
    for (unsigned i = 0; i < n_queues; i++)
        if (handover->queues[i].given)
            take_back(vhost, &handover->queues[i], i, &alive);
    vhost->handed = NULL;
    handover_free(handover);
}

void
kiln_virtio_vhost_call_changed(KilnVirtioDevice *device, KilnVhost *vhost, unsigned queue)
{
    Handover *handover = vhost->handed;
    g_autoptr(GError) problem = NULL;
    unsigned number;
    Handed *handed;
    int call;

    if (handover == NULL || queue < handover->first ||
        queue - handover->first >= handover->n_queues)
        return;
    number = queue - handover->first;
    handed = &handover->queues[number];
    if (!handed->given)
        return;
    call = choose_call(handed, &problem);
    if (call < 0 || !vhost->ops->set_call(vhost, number, call, &problem))
        kiln_log(KILN_LOG_WARNING, "%s: queue %u: %s", device->id, queue, problem->message);
}
