/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The request queues of virtio-scsi: virtio 1.2 §5.6.6.1. */
#include "device/virtio-scsi-private.h"

#include <string.h>

#include "base/be.h"
#include "base/intmath.h"

enum {
    REQUEST_HEADER = offsetof(struct virtio_scsi_cmd_req, cdb),
    RESPONSE_HEADER = offsetof(struct virtio_scsi_cmd_resp, sense),
    REQUEST_ALIGNMENT = 64,
};

/* ---- The pool ---- */

void
hba_queue_init(HbaQueue *queue, VirtioScsi *hba, unsigned index)
{
    KilnVirtqueue *virtqueue = kiln_virtio_device_queue(&hba->virtio, index);

    queue->hba = hba;
    queue->virtqueue = virtqueue;
    queue->index = index;
    queue->n_requests = kiln_virtqueue_size(virtqueue);
    queue->max_iov = (uint16_t)(queue->n_requests + HBA_SPARE_IOV);
    queue->stride = kiln_align_up(sizeof(HbaRequest) + queue->max_iov * sizeof(struct iovec),
                                  REQUEST_ALIGNMENT);
    queue->pool = g_malloc0(queue->n_requests * queue->stride);
}

void
hba_queue_clear(HbaQueue *queue)
{
    g_clear_pointer(&queue->pool, g_free);
}

/* Returns: (nullable): a free request, its virtqueue element ready for a pop. */
static HbaRequest *
request_take(HbaQueue *queue)
{
    HbaRequest *request = queue->free;

    if (request != NULL) {
        queue->free = request->next;
        return request;
    }
    if (queue->n_touched == queue->n_requests)
        return NULL;
    request = (HbaRequest *)(queue->pool + queue->n_touched++ * queue->stride);
    request->queue = queue;
    request->element.iov = (struct iovec *)(request + 1);
    request->element.max_iov = queue->max_iov;
    return request;
}

static void
request_release(HbaRequest *request)
{
    request->next = request->queue->free;
    request->queue->free = request;
}

static void
link_under_way(HbaRequest *request)
{
    HbaQueue *queue = request->queue;

    request->previous = NULL;
    request->next = queue->under_way;
    if (request->next != NULL)
        request->next->previous = request;
    queue->under_way = request;
    queue->in_flight++;
    queue->hba->in_flight++;
}

static void
unlink_under_way(HbaRequest *request)
{
    HbaQueue *queue = request->queue;

    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        queue->under_way = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    queue->in_flight--;
    queue->hba->in_flight--;
}

/* ---- The end of a request ---- */

static void
restore_buffers(HbaRequest *request)
{
    if (request->cut != NULL)
        *request->cut = request->uncut;
    request->cut = NULL;
}

/* Whoever answers for a unit fills in a command as the unit would. */
static void
respond(HbaRequest *request, uint8_t response)
{
    HbaQueue *queue = request->queue;
    const KilnScsiCommand *command = &request->command;
    uint32_t sense_size = queue->hba->sense_size;
    uint8_t bytes[RESPONSE_HEADER + HBA_MAX_SENSE] = { 0 };
    struct virtio_scsi_cmd_resp head = { .response = response };
    uint32_t written = RESPONSE_HEADER + sense_size;

    if (response == VIRTIO_SCSI_S_OK) {
        uint32_t sense = MIN(command->sense_length, sense_size);

        head.sense_len = GUINT32_TO_LE(sense);
        head.resid = GUINT32_TO_LE(command->residual);
        head.status = command->status;
        memcpy(bytes + RESPONSE_HEADER, command->sense, sense);
        if (command->direction == KILN_SCSI_DATA_IN)
            written += command->length - command->residual;
    }
    memcpy(bytes, &head, RESPONSE_HEADER);
    restore_buffers(request); /* data may be in the response's buffer, behind it */
    kiln_virtqueue_copy_in(&request->element, 0, bytes, RESPONSE_HEADER + sense_size);
    kiln_virtqueue_push(queue->virtqueue, &request->element, written);
    request_release(request);
    queue->unflushed = queue->hba->unflushed = TRUE;
}

/* The virtqueue wants them in the order of their pops. */
static void
request_keep(HbaRequest *request)
{
    HbaRequest **place = &request->queue->kept;

    while (*place != NULL && (*place)->number < request->number)
        place = &(*place)->next;
    request->next = *place;
    *place = request;
}

static void
command_done(KilnScsiCommand *command)
{
    HbaRequest *request = (HbaRequest *)((uint8_t *)command - offsetof(HbaRequest, command));
    HbaQueue *queue = request->queue;

    unlink_under_way(request);
    if (request->awaited)
        queue->hba->n_awaited--;
    request->awaited = FALSE;
    if (command->outcome == KILN_SCSI_RETRY)
        request_keep(request);
    else if (command->outcome == KILN_SCSI_OVERRUN)
        respond(request, VIRTIO_SCSI_S_OVERRUN);
    else if (command->outcome == KILN_SCSI_ABORTED)
        respond(request, request->end);
    else
        respond(request, VIRTIO_SCSI_S_OK);
    hba_request_done(queue);
}

void
hba_request_abort_kept(HbaRequest *request, uint8_t response)
{
    HbaRequest **place = &request->queue->kept;

    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
    respond(request, response);
}

/* ---- A target answers for units that it does not have (SPC-4 §6.33, SAM-5 §4.7) ---- */

enum { OPCODE_REQUEST_SENSE = 0x03, OPCODE_INQUIRY = 0x12, OPCODE_REPORT_LUNS = 0xa0 };

static void
put_no_unit_sense(uint8_t *sense)
{
    memset(sense, 0, KILN_SCSI_SENSE_BYTES);
    sense[0] = 0x70;
    sense[2] = 0x05; /* ILLEGAL REQUEST, LOGICAL UNIT NOT SUPPORTED */
    sense[7] = KILN_SCSI_SENSE_BYTES - 8;
    sense[12] = 0x25;
}

static void
target_reply(HbaRequest *request, const void *data, size_t length)
{
    KilnScsiCommand *command = &request->command;
    size_t left = command->direction == KILN_SCSI_DATA_IN ? MIN(length, command->length) : 0;
    const uint8_t *from = data;

    command->residual = command->length - (uint32_t)left;
    for (unsigned i = 0; left > 0; i++) {
        size_t part = MIN(left, command->iov[i].iov_len);

        memcpy(command->iov[i].iov_base, from, part);
        from += part;
        left -= part;
    }
    respond(request, VIRTIO_SCSI_S_OK);
}

static void
report_luns(HbaRequest *request, uint8_t target)
{
    enum { HEADER = 8, FLAT = 0x40 };
    g_autoptr(GByteArray) list = g_byte_array_new();
    const GPtrArray *slots = request->queue->hba->slots;
    uint32_t allocated = kiln_be32_load(request->command.cdb + 6);

    g_byte_array_set_size(list, HEADER);
    memset(list->data, 0, HEADER);
    for (unsigned i = 0; i < slots->len; i++) {
        const HbaSlot *slot = g_ptr_array_index(slots, i);
        uint8_t entry[HBA_LUN_BYTES] = { (uint8_t)(slot->lun >> 8), (uint8_t)slot->lun };

        if (slot->target != target)
            continue;
        if (slot->lun > G_MAXUINT8)
            entry[0] |= FLAT;
        g_byte_array_append(list, entry, sizeof entry);
    }
    kiln_be32_store(list->data, list->len - HEADER);
    target_reply(request, list->data, MIN(list->len, allocated));
}

static void
target_execute(HbaRequest *request, uint8_t target)
{
    enum { INQUIRY_BYTES = 36, NOT_CAPABLE = 0x7f, SPC_3 = 5 };
    KilnScsiCommand *command = &request->command;
    uint8_t inquiry[INQUIRY_BYTES] = { NOT_CAPABLE, 0, SPC_3, 2, INQUIRY_BYTES - 5 };
    uint8_t sense[KILN_SCSI_SENSE_BYTES];

    command->status = KILN_SCSI_GOOD;
    command->sense_length = 0;
    put_no_unit_sense(sense);
    if (command->cdb[0] == OPCODE_REPORT_LUNS) {
        report_luns(request, target);
    } else if (command->cdb[0] == OPCODE_INQUIRY && !(command->cdb[1] & 1)) {
        target_reply(request, inquiry, MIN(INQUIRY_BYTES, kiln_be16_load(command->cdb + 3)));
    } else if (command->cdb[0] == OPCODE_REQUEST_SENSE) {
        target_reply(request, sense, MIN(sizeof sense, command->cdb[4]));
    } else {
        command->status = KILN_SCSI_CHECK_CONDITION;
        command->sense_length = sizeof sense;
        memcpy(command->sense, sense, sizeof sense);
        command->residual = command->length;
        respond(request, VIRTIO_SCSI_S_OK);
    }
}

/* ---- The begin of a request ---- */

/* The buffers of one direction, behind the first @skip bytes of it. */
static void
set_buffers(HbaRequest *request, struct iovec *iov, unsigned n, size_t skip)
{
    for (; n > 0 && skip >= iov->iov_len; n--)
        skip -= iov++->iov_len;
    if (skip > 0) {
        request->cut = iov;
        request->uncut = *iov;
        iov->iov_base = (uint8_t *)iov->iov_base + skip;
        iov->iov_len -= skip;
    }
    request->command.iov = iov;
    request->command.n_iov = n;
}

/* Returns: FALSE if there are buffers in both directions, which no command here has. */
static gboolean
take_buffers(HbaRequest *request)
{
    const VirtioScsi *hba = request->queue->hba;
    KilnScsiCommand *command = &request->command;
    KilnVirtqElement *element = &request->element;
    uint32_t out = element->out_bytes - (REQUEST_HEADER + hba->cdb_size);
    uint32_t in = element->in_bytes - (RESPONSE_HEADER + hba->sense_size);

    request->cut = NULL;
    command->iov = NULL;
    command->n_iov = 0;
    command->length = MAX(out, in);
    command->residual = command->length;
    command->direction = KILN_SCSI_NO_DATA;
    if (out > 0) {
        command->direction = KILN_SCSI_DATA_OUT;
        set_buffers(request, element->iov, element->n_out, REQUEST_HEADER + hba->cdb_size);
    } else if (in > 0) {
        command->direction = KILN_SCSI_DATA_IN;
        set_buffers(request, element->iov + element->n_out, element->n_in,
                    RESPONSE_HEADER + hba->sense_size);
    }
    return out == 0 || in == 0;
}

/* What the CDB asks for must fit into the buffers (§5.6.6.1). */
static gboolean
fits(const HbaRequest *request)
{
    const KilnScsiCommand *command = &request->command;
    KilnScsiDirection direction;
    uint64_t length = kiln_scsi_unit_expect(request->unit, command->cdb, &direction);

    return length == 0 || (direction == command->direction && length <= command->length);
}

static void
request_execute(HbaRequest *request, const uint8_t *lun)
{
    VirtioScsi *hba = request->queue->hba;
    gboolean has_target;

    request->unit = hba_find(hba, lun, &has_target);
    if (!take_buffers(request))
        respond(request, VIRTIO_SCSI_S_FAILURE);
    else if (!has_target)
        respond(request, VIRTIO_SCSI_S_BAD_TARGET);
    else if (request->unit == NULL || request->command.cdb[0] == OPCODE_REPORT_LUNS)
        target_execute(request, lun[1]);
    else if (!fits(request))
        respond(request, VIRTIO_SCSI_S_OVERRUN);
    else {
        link_under_way(request);
        request->command.done = command_done;
        kiln_scsi_unit_submit(request->unit, &request->command);
    }
}

/* Returns: FALSE if the chain is none that a driver may make. */
static gboolean
request_start(HbaRequest *request)
{
    VirtioScsi *hba = request->queue->hba;
    uint32_t header_bytes = REQUEST_HEADER + hba->cdb_size;
    uint8_t header[REQUEST_HEADER + HBA_MAX_CDB];
    struct virtio_scsi_cmd_req fields;

    if (request->element.in_bytes < RESPONSE_HEADER + hba->sense_size ||
        kiln_virtqueue_copy_out(&request->element, 0, header, header_bytes) != header_bytes)
        return FALSE;
    memcpy(&fields, header, REQUEST_HEADER);
    memset(request->command.cdb, 0, KILN_SCSI_CDB_BYTES);
    memcpy(request->command.cdb, header + REQUEST_HEADER, MIN(hba->cdb_size, KILN_SCSI_CDB_BYTES));
    request->tag = fields.tag;
    request->number = hba->n_popped++;
    request->end = VIRTIO_SCSI_S_ABORTED;
    request->awaited = FALSE;
    request_execute(request, fields.lun);
    return TRUE;
}

/* Pops until there is nothing.  Returns: FALSE if that is for another reason. */
static gboolean
pop_all(HbaQueue *queue)
{
    KilnVirtioDevice *device = &queue->hba->virtio;

    for (;;) {
        HbaRequest *request = request_take(queue);
        int popped;

        queue->starved = request == NULL;
        if (request == NULL)
            return FALSE;
        popped = kiln_virtqueue_pop(queue->virtqueue, &request->element);
        if (popped > 0 && request_start(request))
            continue;
        if (popped > 0) {
            kiln_virtqueue_unpop(queue->virtqueue, &request->element);
            kiln_virtio_device_broken(device, "queue %u: a request without header or response",
                                      queue->index);
        } else if (popped < 0) {
            kiln_virtio_device_broken(device, "queue %u: its ring is not valid", queue->index);
        }
        request_release(request);
        return popped == 0;
    }
}

void
hba_queue_process(HbaQueue *queue)
{
    if (queue->processing || queue->stopping || queue->hba->stopping)
        return;
    queue->processing = TRUE;
    do
        kiln_virtqueue_set_notify(queue->virtqueue, FALSE);
    while (pop_all(queue) && !queue->hba->looking &&
           kiln_virtqueue_set_notify(queue->virtqueue, TRUE));
    queue->processing = FALSE;
    if (queue->in_flight == 0)
        hba_queue_flush(queue);
}

void
hba_queue_flush(HbaQueue *queue)
{
    if (!queue->unflushed)
        return;
    queue->unflushed = FALSE;
    kiln_virtqueue_flush(queue->virtqueue);
}

void
hba_queue_return_kept(HbaQueue *queue)
{
    HbaRequest *request = queue->kept;

    queue->kept = NULL;
    while (request != NULL) {
        HbaRequest *next = request->next;

        restore_buffers(request);
        kiln_virtqueue_keep(queue->virtqueue, &request->element);
        request_release(request);
        request = next;
    }
}
