/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-scsi.h: the device, its units, start and stop. */
#include "device/virtio-scsi.h"

#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "device/virtio-scsi-private.h"
#include "loop/source.h"

enum {
    DEFAULT_QUEUE_SIZE = 256,
    MIN_QUEUE_SIZE = 4,
    NOT_DATA = 2, /* descriptors of a request: header and response */
    MAX_SECTORS = 65535,
    CMD_PER_LUN = 128,
    CDB_SIZE = 32, /* §5.6.4: after a reset */
    SENSE_SIZE = 96,
    MAX_UNITS_STATE = 16 << 20,
};

#define FEATURE(bit)       (UINT64_C(1) << (bit))
#define CONFIG_AT(member)  (offsetof(struct virtio_scsi_config, member))
#define SET32(hba, m, val) kiln_le32_store((hba)->virtio.config + CONFIG_AT(m), (uint32_t)(val))
#define GET32(hba, m)      kiln_le32_load((hba)->virtio.config + CONFIG_AT(m))

/* ---- Units ---- */

KilnScsiUnit *
hba_find(VirtioScsi *hba, const uint8_t *bytes, gboolean *has_target)
{
    enum { METHOD = 0xc0, FLAT = 0x40 };
    unsigned lun = (bytes[2] & ~(unsigned)METHOD) << 8 | bytes[3];

    *has_target = FALSE;
    if (bytes[0] != 1 || (bytes[2] != 0 && (bytes[2] & METHOD) != FLAT))
        return NULL;
    for (unsigned i = 0; i < hba->slots->len; i++) {
        const HbaSlot *slot = g_ptr_array_index(hba->slots, i);

        if (slot->target != bytes[1])
            continue;
        *has_target = TRUE;
        if (slot->lun == lun)
            return slot->unit;
    }
    return NULL;
}

static void
slot_free(gpointer data)
{
    HbaSlot *slot = data;

    kiln_scsi_unit_free(slot->unit);
    g_free(slot);
}

static void
on_attention(void *opaque, uint8_t asc, uint8_t ascq)
{
    const HbaSlot *slot = opaque;

    if (slot->hba->told_changes)
        hba_event(slot->hba, slot, VIRTIO_SCSI_T_PARAM_CHANGE, asc | (uint32_t)ascq << 8);
}

gboolean
kiln_virtio_scsi_add(KilnVirtioDevice *device, unsigned target, unsigned lun, KilnScsiUnit *unit,
                     GError **error)
{
    VirtioScsi *hba = (VirtioScsi *)device;
    g_autoptr(KilnScsiUnit) owned = unit;
    HbaSlot *slot;

    if (target >= KILN_VIRTIO_SCSI_TARGETS || lun >= KILN_VIRTIO_SCSI_LUNS)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "target %u, unit %u: there are 256 targets with 16384 units", target,
                              lun);
    for (unsigned i = 0; i < hba->slots->len; i++) {
        slot = g_ptr_array_index(hba->slots, i);
        if (slot->target == target && slot->lun == lun)
            return kiln_error_set(error, KILN_ERROR_EXISTS, "target %u, unit %u is taken", target,
                                  lun);
    }
    slot = g_new0(HbaSlot, 1);
    *slot = (HbaSlot){ g_steal_pointer(&owned), hba, (uint8_t)target, (uint16_t)lun };
    g_ptr_array_add(hba->slots, slot);
    kiln_scsi_unit_set_attention(unit, on_attention, slot);
    if (hba->told_plugs)
        hba_event(hba, slot, VIRTIO_SCSI_T_TRANSPORT_RESET, VIRTIO_SCSI_EVT_RESET_RESCAN);
    return TRUE;
}

void
kiln_virtio_scsi_remove(KilnVirtioDevice *device, KilnScsiUnit *unit)
{
    VirtioScsi *hba = (VirtioScsi *)device;

    for (unsigned i = 0; i < hba->slots->len; i++) {
        const HbaSlot *slot = g_ptr_array_index(hba->slots, i);

        if (slot->unit != unit)
            continue;
        if (hba->told_plugs)
            hba_event(hba, slot, VIRTIO_SCSI_T_TRANSPORT_RESET, VIRTIO_SCSI_EVT_RESET_REMOVED);
        g_ptr_array_remove_index(hba->slots, i);
        return;
    }
}

/* ---- One turn of the loop: all that completed in it is flushed as one ---- */

typedef struct {
    GSource source;
    VirtioScsi *hba; /* (not owned) */
} TurnSource;

/* Whether what @queue left in the ring for lack of free requests can go on. */
static gboolean
goes_on(const HbaQueue *queue)
{
    return queue->starved && queue->free != NULL && !queue->stopping && !queue->hba->stopping;
}

static gboolean
turn_is_due(const VirtioScsi *hba)
{
    for (unsigned i = 0; i < hba->n_queues; i++)
        if (goes_on(&hba->queues[i]))
            return TRUE;
    return FALSE;
}

static void
flush_all(VirtioScsi *hba)
{
    hba->unflushed = FALSE;
    for (unsigned i = 0; i < hba->n_queues; i++)
        hba_queue_flush(&hba->queues[i]);
}

/* Comes before the loop sleeps, when every completion that was there has been dispatched. */
static gboolean
turn_prepare(GSource *base, int *timeout)
{
    VirtioScsi *hba = ((TurnSource *)base)->hba;

    *timeout = -1;
    if (!hba->unflushed)
        return FALSE;
    flush_all(hba);
    return turn_is_due(hba);
}

static gboolean
turn_check(GSource *base)
{
    return turn_is_due(((TurnSource *)base)->hba);
}

static gboolean
turn_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    VirtioScsi *hba = ((TurnSource *)base)->hba;

    for (unsigned i = 0; i < hba->n_queues; i++)
        if (goes_on(&hba->queues[i]))
            hba_queue_process(&hba->queues[i]);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs turn_funcs = {
    .prepare = turn_prepare,
    .check = turn_check,
    .dispatch = turn_dispatch,
};

static GSource *
turn_new(VirtioScsi *hba)
{
    GSource *source = g_source_new(&turn_funcs, sizeof(TurnSource));

    ((TurnSource *)source)->hba = hba;
    g_source_set_priority(source, G_PRIORITY_HIGH);
    g_source_attach(source, hba->virtio.context);
    return source;
}

/* ---- Looking, when the driver need not kick ---- */

static gboolean
look(gpointer data)
{
    VirtioScsi *hba = data;
    uint64_t before = hba->n_popped;

    (void)kiln_virtio_device_poll(&hba->virtio);
    return hba->n_popped != before;
}

static void
begin_look(gpointer data)
{
    VirtioScsi *hba = data;

    hba->looking = TRUE;
    for (unsigned i = 0; i < hba->n_queues; i++)
        kiln_virtqueue_suppress(hba->queues[i].virtqueue);
}

/* A queue that cannot go on asks for kicks when it can. */
static gboolean
end_look(gpointer data)
{
    VirtioScsi *hba = data;

    hba->looking = FALSE;
    for (unsigned i = 0; i < hba->n_queues; i++)
        if (!hba->queues[i].starved)
            (void)kiln_virtqueue_set_notify(hba->queues[i].virtqueue, TRUE);
    return look(hba);
}

/* ---- Start and stop ---- */

static gboolean
hba_start(KilnVirtioDevice *device, GError **error)
{
    VirtioScsi *hba = (VirtioScsi *)device;

    kiln_virtio_device_lock(device);
    hba->cdb_size = GET32(hba, cdb_size);
    hba->sense_size = GET32(hba, sense_size);
    kiln_virtio_device_unlock(device);
    hba->told_plugs = kiln_virtio_device_has_feature(device, VIRTIO_SCSI_F_HOTPLUG);
    hba->told_changes = kiln_virtio_device_has_feature(device, VIRTIO_SCSI_F_CHANGE);
    hba->running = TRUE;
    hba->turn = turn_new(hba);
    if (hba->uring != NULL) {
        KilnPoller poller = { look, begin_look, end_look, hba };

        kiln_uring_add_poller(hba->uring, &poller);
    }
    return TRUE;
}

static void
finish_stop(VirtioScsi *hba)
{
    hba->stopping = FALSE;
    hba->running = FALSE;
    for (unsigned i = 0; i < hba->n_queues; i++) {
        hba_queue_flush(&hba->queues[i]);
        hba_queue_return_kept(&hba->queues[i]);
    }
    kiln_source_free(g_steal_pointer(&hba->turn));
    if (hba->uring != NULL)
        kiln_uring_remove_poller(hba->uring, hba);
    hba->looking = FALSE;
    kiln_virtio_device_stopped(&hba->virtio);
}

static void
finish_queue_stop(HbaQueue *queue)
{
    queue->stopping = FALSE;
    hba_queue_flush(queue);
    hba_queue_return_kept(queue);
    kiln_virtio_device_queue_stopped(&queue->hba->virtio, queue->index);
}

static void
hba_stop(KilnVirtioDevice *device)
{
    VirtioScsi *hba = (VirtioScsi *)device;

    hba->stopping = TRUE;
    if (hba->in_flight == 0)
        finish_stop(hba);
}

/* A function that waits for commands goes on without its queue: it is not answered. */
static void
hba_queue_stop(KilnVirtioDevice *device, unsigned index)
{
    VirtioScsi *hba = (VirtioScsi *)device;
    HbaQueue *queue;

    if (index < HBA_REQUEST) {
        if (index == HBA_CONTROL && hba->managing) {
            hba->managing = FALSE;
            kiln_virtqueue_unpop(kiln_virtio_device_queue(device, index), &hba->control);
        }
        kiln_virtio_device_queue_stopped(device, index);
        return;
    }
    queue = &hba->queues[index - HBA_REQUEST];
    queue->stopping = TRUE;
    if (queue->in_flight == 0)
        finish_queue_stop(queue);
}

void
hba_request_done(HbaQueue *queue)
{
    VirtioScsi *hba = queue->hba;

    if (hba->managing && hba->n_awaited == 0) {
        hba_control_finish(hba);
        hba_control_process(hba);
    }
    if (queue->in_flight > 0 || queue->processing)
        return;
    /* Nothing else is to come that could share the interrupt. */
    hba_queue_flush(queue);
    if (queue->stopping)
        finish_queue_stop(queue);
    if (hba->stopping && hba->in_flight == 0)
        finish_stop(hba);
}

static void
hba_kick(KilnVirtioDevice *device, unsigned index)
{
    VirtioScsi *hba = (VirtioScsi *)device;

    if (index == HBA_CONTROL)
        hba_control_process(hba);
    else if (index == HBA_EVENT)
        hba_events_process(hba);
    else
        hba_queue_process(&hba->queues[index - HBA_REQUEST]);
}

/* ---- Configuration space (virtio 1.2 §5.6.4) ---- */

/* Two fields can be written, whole: how long CDBs and sense data are. */
static void
hba_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    VirtioScsi *hba = (VirtioScsi *)device;
    uint32_t value;

    if (length != sizeof value)
        return;
    value = kiln_le32_load(data);
    if (offset == CONFIG_AT(sense_size) && value <= HBA_MAX_SENSE)
        SET32(hba, sense_size, value);
    else if (offset == CONFIG_AT(cdb_size) && value > 0 && value <= HBA_MAX_CDB)
        SET32(hba, cdb_size, value);
}

static void
hba_reset(KilnVirtioDevice *device)
{
    VirtioScsi *hba = (VirtioScsi *)device;

    SET32(hba, sense_size, SENSE_SIZE);
    SET32(hba, cdb_size, CDB_SIZE);
    hba->n_events = 0;
    hba->events_missed = FALSE;
    hba->managing = FALSE;
    hba->told_plugs = hba->told_changes = FALSE;
    for (unsigned i = 0; i < hba->slots->len; i++)
        kiln_scsi_unit_reset(((HbaSlot *)g_ptr_array_index(hba->slots, i))->unit, FALSE);
}

static void
set_config(VirtioScsi *hba, const KilnVirtioScsiOptions *options)
{
    SET32(hba, num_queues, hba->n_queues);
    SET32(hba, seg_max, options->virtio.queue_size - NOT_DATA);
    SET32(hba, max_sectors, options->max_sectors != 0 ? options->max_sectors : MAX_SECTORS);
    SET32(hba, cmd_per_lun, options->cmd_per_lun != 0 ? options->cmd_per_lun : CMD_PER_LUN);
    SET32(hba, event_info_size, sizeof(struct virtio_scsi_event));
    SET32(hba, sense_size, SENSE_SIZE);
    SET32(hba, cdb_size, CDB_SIZE);
    kiln_le16_store(hba->virtio.config + CONFIG_AT(max_target), KILN_VIRTIO_SCSI_TARGETS - 1);
    SET32(hba, max_lun, KILN_VIRTIO_SCSI_LUNS - 1);
}

/* ---- State ---- */

static KilnStateEntry *
unit_entries(const VirtioScsi *hba)
{
    KilnStateEntry *entries = g_new0(KilnStateEntry, hba->slots->len + 1);

    for (unsigned i = 0; i < hba->slots->len; i++) {
        const HbaSlot *slot = g_ptr_array_index(hba->slots, i);

        entries[i] = (KilnStateEntry){ &kiln_scsi_unit_state,
                                       (uint32_t)slot->target << 16 | slot->lun, slot->unit };
    }
    return entries;
}

static void
hba_pre_save(void *object)
{
    VirtioScsi *hba = object;
    g_autofree KilnStateEntry *entries = unit_entries(hba);
    GByteArray *stream = kiln_state_save(entries, hba->slots->len);

    hba->cdb_size = GET32(hba, cdb_size);
    hba->sense_size = GET32(hba, sense_size);
    hba->events_missed |= hba->n_events > 0;
    hba->units_state_bytes = stream->len;
    g_free(hba->units_state);
    hba->units_state = g_byte_array_free(stream, FALSE);
}

static gboolean
hba_post_load(void *object, GError **error)
{
    VirtioScsi *hba = object;
    g_autofree KilnStateEntry *entries = unit_entries(hba);

    SET32(hba, cdb_size, hba->cdb_size);
    SET32(hba, sense_size, hba->sense_size);
    return kiln_state_load(hba->units_state, hba->units_state_bytes, entries, hba->slots->len,
                           error);
}

static const KilnStateField hba_fields[] = {
    KILN_STATE_RANGE(VirtioScsi, cdb_size, 1, 1, HBA_MAX_CDB),
    KILN_STATE_RANGE(VirtioScsi, sense_size, 1, 0, HBA_MAX_SENSE),
    KILN_STATE_FLAG(VirtioScsi, events_missed, 1),
    KILN_STATE_BUFFER(VirtioScsi, units_state, units_state_bytes, 1, MAX_UNITS_STATE),
    KILN_STATE_END,
};

/* Requests that wait for the machine to go on are in the state of their queues. */
static const KilnStateDescription hba_state = {
    .name = "virtio-scsi",
    .version = 1,
    .min_version = 1,
    .fields = hba_fields,
    .pre_save = hba_pre_save,
    .post_load = hba_post_load,
};

/* ---- The device ---- */

static void
hba_free(KilnVirtioDevice *device)
{
    VirtioScsi *hba = (VirtioScsi *)device;

    for (unsigned i = 0; i < hba->n_queues; i++)
        hba_queue_clear(&hba->queues[i]);
    g_free(hba->queues);
    hba_control_clear(hba);
    g_ptr_array_unref(hba->slots);
    g_free(hba->units_state);
    kiln_virtio_device_clear(device);
    g_free(hba);
}

static const KilnVirtioOps hba_ops = {
    .name = "virtio-scsi",
    .id = VIRTIO_ID_SCSI,
    .start = hba_start,
    .stop = hba_stop,
    .kick = hba_kick,
    .queue_stop = hba_queue_stop,
    .config_write = hba_config_write,
    .reset = hba_reset,
    .free = hba_free,
    .state = &hba_state,
};

KilnVirtioDevice *
kiln_virtio_scsi_new(const KilnVirtioScsiOptions *given, GError **error)
{
    KilnVirtioScsiOptions options = *given;
    KilnVirtioOptions *virtio = &options.virtio;
    VirtioScsi *hba;

    virtio->n_queues = MAX(1, virtio->n_queues);
    if (virtio->queue_size == 0)
        virtio->queue_size = DEFAULT_QUEUE_SIZE;
    if (virtio->queue_size < MIN_QUEUE_SIZE || virtio->queue_size > KILN_VIRTQUEUE_MAX_SIZE ||
        virtio->n_queues > KILN_VIRTIO_SCSI_MAX_QUEUES) {
        kiln_error_set(error, KILN_ERROR_INVALID,
                       "%u queues of %u are not 1 to %d of %d to %d descriptors", virtio->n_queues,
                       virtio->queue_size, KILN_VIRTIO_SCSI_MAX_QUEUES, MIN_QUEUE_SIZE,
                       KILN_VIRTQUEUE_MAX_SIZE);
        return NULL;
    }
    hba = g_new0(VirtioScsi, 1);
    hba->n_queues = virtio->n_queues;
    hba->uring = options.uring;
    hba->slots = g_ptr_array_new_with_free_func(slot_free);
    virtio->n_queues += HBA_REQUEST;
    virtio->features = FEATURE(VIRTIO_SCSI_F_HOTPLUG) | FEATURE(VIRTIO_SCSI_F_CHANGE);
    virtio->config_size = sizeof(struct virtio_scsi_config);
    kiln_virtio_device_init(&hba->virtio, &hba_ops, virtio);
    set_config(hba, &options);
    hba->queues = g_new0(HbaQueue, hba->n_queues);
    for (unsigned i = 0; i < hba->n_queues; i++)
        hba_queue_init(&hba->queues[i], hba, HBA_REQUEST + i);
    hba_control_init(hba);
    return &hba->virtio;
}
