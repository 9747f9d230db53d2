/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control and event queues of virtio-scsi: virtio 1.2 §5.6.6.2, §5.6.6.3.  One task management
 * function is under way at a time: it is answered when the last command that it ends has been.
 */
#include "device/virtio-scsi-private.h"

#include <string.h>

enum { CONTROL_IOV = 16 }; /* more than any driver makes of 24 bytes and of 1 */

void
hba_control_init(VirtioScsi *hba)
{
    unsigned size =
        kiln_virtqueue_size(kiln_virtio_device_queue(&hba->virtio, HBA_CONTROL)) + HBA_SPARE_IOV;

    hba->control.max_iov = hba->event.max_iov = (uint16_t)MAX(size, CONTROL_IOV);
    hba->control.iov = g_new0(struct iovec, hba->control.max_iov);
    hba->event.iov = g_new0(struct iovec, hba->event.max_iov);
}

void
hba_control_clear(VirtioScsi *hba)
{
    g_free(hba->control.iov);
    g_free(hba->event.iov);
}

static void
push(VirtioScsi *hba, unsigned index, const KilnVirtqElement *element, const void *data,
     size_t length)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&hba->virtio, index);

    kiln_virtqueue_copy_in(element, 0, data, length);
    kiln_virtqueue_push(queue, element, (uint32_t)length);
    kiln_virtqueue_flush(queue);
}

static void
answer(VirtioScsi *hba, uint8_t response)
{
    push(hba, HBA_CONTROL, &hba->control, &response, sizeof response);
}

/* ---- Task management ---- */

/* Which commands a function is about. */
typedef struct {
    VirtioScsi *hba;
    const KilnScsiUnit *unit; /* (nullable): NULL: of @target */
    unsigned target;
    gboolean by_tag;
    uint64_t tag;
    gboolean query; /* only count */
    uint8_t end;    /* VIRTIO_SCSI_S_… that they end with */
    unsigned found;
} Management;

static gboolean
unit_in_target(const VirtioScsi *hba, const KilnScsiUnit *unit, unsigned target)
{
    for (unsigned i = 0; i < hba->slots->len; i++) {
        const HbaSlot *slot = g_ptr_array_index(hba->slots, i);

        if (slot->unit == unit)
            return slot->target == target;
    }
    return FALSE;
}

static gboolean
is_about(const Management *management, const HbaRequest *request)
{
    if (management->by_tag && request->tag != management->tag)
        return FALSE;
    return management->unit != NULL
               ? request->unit == management->unit
               : unit_in_target(management->hba, request->unit, management->target);
}

static void
manage_queue(Management *management, HbaQueue *queue)
{
    HbaRequest *request, *next;

    for (request = queue->under_way; request != NULL; request = request->next) {
        if (!is_about(management, request))
            continue;
        management->found++;
        if (management->query)
            continue;
        request->end = management->end;
        if (!request->awaited) {
            request->awaited = TRUE;
            management->hba->n_awaited++;
            kiln_scsi_unit_cancel(request->unit, &request->command);
        }
    }
    for (request = queue->kept; request != NULL; request = next) {
        next = request->next;
        if (!is_about(management, request))
            continue;
        management->found++;
        if (!management->query)
            hba_request_abort_kept(request, management->end);
    }
}

static void
manage(Management *management)
{
    VirtioScsi *hba = management->hba;

    for (unsigned i = 0; i < hba->n_queues; i++)
        manage_queue(management, &hba->queues[i]);
}

/* Its commands end, then it is as new. */
static void
reset_unit(Management *management, KilnScsiUnit *unit)
{
    management->unit = unit;
    management->end = VIRTIO_SCSI_S_RESET;
    manage(management);
    kiln_scsi_unit_reset(unit, TRUE);
}

static void
reset_target(Management *management)
{
    GPtrArray *slots = management->hba->slots;

    for (unsigned i = 0; i < slots->len; i++) {
        HbaSlot *slot = g_ptr_array_index(slots, i);

        if (slot->target == management->target)
            reset_unit(management, slot->unit);
    }
}

/* Returns: the response, if no command need be waited for. */
static uint8_t
perform(VirtioScsi *hba, const struct virtio_scsi_ctrl_tmf_req *function)
{
    uint32_t subtype = GUINT32_FROM_LE(function->subtype);
    gboolean has_target;
    KilnScsiUnit *unit = hba_find(hba, function->lun, &has_target);
    Management management = {
        .hba = hba,
        .unit = unit,
        .target = function->lun[1],
        .tag = function->tag,
        .end = VIRTIO_SCSI_S_ABORTED,
        .by_tag =
            subtype == VIRTIO_SCSI_T_TMF_ABORT_TASK || subtype == VIRTIO_SCSI_T_TMF_QUERY_TASK,
        .query =
            subtype == VIRTIO_SCSI_T_TMF_QUERY_TASK || subtype == VIRTIO_SCSI_T_TMF_QUERY_TASK_SET,
    };

    if (!has_target)
        return VIRTIO_SCSI_S_BAD_TARGET;
    if (subtype == VIRTIO_SCSI_T_TMF_I_T_NEXUS_RESET) {
        reset_target(&management);
        return VIRTIO_SCSI_S_OK;
    }
    if (unit == NULL)
        return VIRTIO_SCSI_S_INCORRECT_LUN;
    switch (subtype) {
    case VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET:
        reset_unit(&management, unit);
        return VIRTIO_SCSI_S_OK;
    case VIRTIO_SCSI_T_TMF_ABORT_TASK:
    case VIRTIO_SCSI_T_TMF_ABORT_TASK_SET:
    case VIRTIO_SCSI_T_TMF_CLEAR_TASK_SET: manage(&management); return VIRTIO_SCSI_S_OK;
    case VIRTIO_SCSI_T_TMF_QUERY_TASK:
    case VIRTIO_SCSI_T_TMF_QUERY_TASK_SET:
        manage(&management);
        return management.found > 0 ? VIRTIO_SCSI_S_FUNCTION_SUCCEEDED : VIRTIO_SCSI_S_OK;
    default: return VIRTIO_SCSI_S_FUNCTION_REJECTED;
    }
}

/* Its commands are answered before it is. */
static void
flush_requests(VirtioScsi *hba)
{
    for (unsigned i = 0; i < hba->n_queues; i++)
        hba_queue_flush(&hba->queues[i]);
}

void
hba_control_finish(VirtioScsi *hba)
{
    hba->managing = FALSE;
    flush_requests(hba);
    answer(hba, VIRTIO_SCSI_S_OK);
}

static void
start_function(VirtioScsi *hba, const struct virtio_scsi_ctrl_tmf_req *function)
{
    uint8_t response = perform(hba, function);

    if (hba->n_awaited > 0) {
        hba->managing = TRUE;
        return;
    }
    flush_requests(hba);
    answer(hba, response);
}

/* Nothing is notified asynchronously but by events. */
static void
answer_notification(VirtioScsi *hba)
{
    struct virtio_scsi_ctrl_an_resp response = { .response = VIRTIO_SCSI_S_OK };

    push(hba, HBA_CONTROL, &hba->control, &response, sizeof response);
}

/* Returns: FALSE if the chain is none that a driver may make. */
static gboolean
control_start(VirtioScsi *hba)
{
    struct virtio_scsi_ctrl_tmf_req function = { 0 };
    size_t length = kiln_virtqueue_copy_out(&hba->control, 0, &function, sizeof function);
    uint32_t type = GUINT32_FROM_LE(function.type);

    if (length < sizeof function.type || hba->control.in_bytes == 0)
        return FALSE;
    if (type == VIRTIO_SCSI_T_TMF) {
        if (length < sizeof function)
            return FALSE;
        start_function(hba, &function);
        return TRUE;
    }
    if (type != VIRTIO_SCSI_T_AN_QUERY && type != VIRTIO_SCSI_T_AN_SUBSCRIBE) {
        answer(hba, VIRTIO_SCSI_S_FAILURE);
        return TRUE;
    }
    if (length < sizeof(struct virtio_scsi_ctrl_an_req) ||
        hba->control.in_bytes < sizeof(struct virtio_scsi_ctrl_an_resp))
        return FALSE;
    answer_notification(hba);
    return TRUE;
}

void
hba_control_process(VirtioScsi *hba)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&hba->virtio, HBA_CONTROL);

    while (!hba->managing && !hba->stopping) {
        int popped = kiln_virtqueue_pop(queue, &hba->control);

        if (popped > 0 && control_start(hba))
            continue;
        if (popped > 0)
            kiln_virtqueue_unpop(queue, &hba->control);
        if (popped != 0)
            kiln_virtio_device_broken(&hba->virtio, "the control queue is not valid");
        return;
    }
}

/* ---- Events ---- */

static void
put_event(struct virtio_scsi_event *to, const HbaEvent *event)
{
    *to = (struct virtio_scsi_event){
        .event = GUINT32_TO_LE(event->event),
        .reason = GUINT32_TO_LE(event->reason),
    };
    if (event->event == VIRTIO_SCSI_T_NO_EVENT)
        return;
    to->lun[0] = 1;
    to->lun[1] = event->target;
    to->lun[2] = (uint8_t)(event->lun >> 8 | (event->lun > G_MAXUINT8 ? 0x40 : 0));
    to->lun[3] = (uint8_t)event->lun;
}

/* Returns: FALSE if the driver has given no buffer. */
static gboolean
send_event(VirtioScsi *hba, const HbaEvent *event)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&hba->virtio, HBA_EVENT);
    struct virtio_scsi_event bytes;
    int popped = kiln_virtqueue_pop(queue, &hba->event);

    if (popped == 0)
        return FALSE;
    if (popped < 0 || hba->event.in_bytes < sizeof bytes) {
        if (popped > 0)
            kiln_virtqueue_unpop(queue, &hba->event);
        kiln_virtio_device_broken(&hba->virtio, "the event queue is not valid");
        return FALSE;
    }
    put_event(&bytes, event);
    if (hba->events_missed)
        bytes.event |= GUINT32_TO_LE(VIRTIO_SCSI_T_EVENTS_MISSED);
    hba->events_missed = FALSE;
    push(hba, HBA_EVENT, &hba->event, &bytes, sizeof bytes);
    return TRUE;
}

void
hba_events_process(VirtioScsi *hba)
{
    static const HbaEvent none = { VIRTIO_SCSI_T_NO_EVENT, 0, 0, 0 };
    unsigned n = 0;

    if (!hba->running || hba->stopping)
        return;
    while (n < hba->n_events && send_event(hba, &hba->events[n]))
        n++;
    memmove(hba->events, hba->events + n, (hba->n_events - n) * sizeof hba->events[0]);
    hba->n_events -= n;
    if (hba->events_missed)
        (void)send_event(hba, &none);
}

void
hba_event(VirtioScsi *hba, const HbaSlot *slot, uint32_t event, uint32_t reason)
{
    if (hba->n_events == HBA_MAX_EVENTS)
        hba->events_missed = TRUE;
    else
        hba->events[hba->n_events++] = (HbaEvent){ event, reason, slot->target, slot->lun };
    hba_events_process(hba);
}
