/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See scsi-private.h: a task's buffers, its way through the chain, and its end. */
#include "device/scsi-private.h"

#include <string.h>

#include "base/intmath.h"
#include "loop/timer.h"

enum { SCRATCH_ALIGNMENT = 16 };

/* ---- The pool ---- */

static ScsiTask *
task_new(KilnScsiUnit *unit)
{
    size_t own = kiln_align_up(sizeof(ScsiTask), SCRATCH_ALIGNMENT);
    size_t scratch = unit->chain != NULL ? kiln_block_request_size(unit->chain) : 0;
    ScsiTask *task = g_malloc0(own + scratch);

    task->unit = unit;
    task->block.scratch = (uint8_t *)task + own;
    return task;
}

ScsiTask *
scsi_task_take(KilnScsiUnit *unit, KilnScsiCommand *command)
{
    ScsiTask *task = unit->free;

    if (task != NULL)
        unit->free = task->next;
    else
        task = task_new(unit);
    task->command = command;
    command->task = task;
    task->counter = NULL;
    task->bytes = 0;
    task->transferred = 0;
    task->cancelled = FALSE;
    task->cut = NULL;
    task->step = NULL;
    task->submitting = FALSE;
    task->block.flags = 0;
    task->block.iov = NULL;
    task->block.n_iov = 0;
    task->previous = NULL;
    task->next = unit->under_way;
    if (task->next != NULL)
        task->next->previous = task;
    unit->under_way = task;
    unit->in_flight++;
    return task;
}

static void
task_release(ScsiTask *task)
{
    KilnScsiUnit *unit = task->unit;

    if (task->cut != NULL)
        *task->cut = task->uncut;
    g_clear_pointer(&task->segments, g_free);
    g_clear_pointer(&task->pattern, g_free);
    if (task->previous != NULL)
        task->previous->next = task->next;
    else
        unit->under_way = task->next;
    if (task->next != NULL)
        task->next->previous = task->previous;
    task->command = NULL;
    task->next = unit->free;
    unit->free = task;
    unit->in_flight--;
}

void
scsi_tasks_free(KilnScsiUnit *unit)
{
    ScsiTask *task = unit->free;

    unit->free = NULL;
    while (task != NULL) {
        ScsiTask *next = task->next;

        g_free(task);
        task = next;
    }
}

/* ---- Buffers ---- */

uint32_t
scsi_gather(const ScsiTask *task, void *to, uint32_t length)
{
    const KilnScsiCommand *command = task->command;
    uint32_t copied = 0;

    for (unsigned i = 0; i < command->n_iov && copied < length; i++) {
        size_t part = MIN(command->iov[i].iov_len, length - copied);

        if (part > 0)
            memcpy((uint8_t *)to + copied, command->iov[i].iov_base, part);
        copied += (uint32_t)part;
    }
    return copied;
}

static uint32_t
scatter(const ScsiTask *task, const void *from, uint32_t length)
{
    const KilnScsiCommand *command = task->command;
    uint32_t copied = 0;

    for (unsigned i = 0; i < command->n_iov && copied < length; i++) {
        size_t part = MIN(command->iov[i].iov_len, length - copied);

        if (part > 0)
            memcpy(command->iov[i].iov_base, (const uint8_t *)from + copied, part);
        copied += (uint32_t)part;
    }
    return copied;
}

void
scsi_use_buffers(ScsiTask *task, uint32_t length)
{
    struct iovec *iov = task->command->iov;
    unsigned n = 0;

    task->transferred = length;
    for (; length > 0; n++) {
        if (iov[n].iov_len > length) {
            task->cut = &iov[n];
            task->uncut = iov[n];
            iov[n].iov_len = length;
        }
        length -= (uint32_t)iov[n].iov_len;
    }
    task->block.iov = iov;
    task->block.n_iov = n;
}

/* ---- Ends ---- */

void
scsi_put_sense(uint8_t *bytes, ScsiSense sense)
{
    memset(bytes, 0, KILN_SCSI_SENSE_BYTES);
    bytes[0] = 0x70; /* current error, fixed format */
    bytes[2] = sense.key;
    bytes[7] = KILN_SCSI_SENSE_BYTES - 8;
    bytes[12] = sense.asc;
    bytes[13] = sense.ascq;
}

void
scsi_finish(ScsiTask *task, KilnScsiOutcome outcome)
{
    KilnScsiCommand *command = task->command;

    command->outcome = outcome;
    command->residual = command->length - task->transferred;
    command->task = NULL;
    task_release(task);
    command->done(command);
}

void
scsi_good(ScsiTask *task)
{
    task->command->status = KILN_SCSI_GOOD;
    scsi_finish(task, KILN_SCSI_DONE);
}

void
scsi_check(ScsiTask *task, ScsiSense sense)
{
    KilnScsiCommand *command = task->command;

    task->transferred = 0;
    command->status = KILN_SCSI_CHECK_CONDITION;
    command->sense_length = KILN_SCSI_SENSE_BYTES;
    scsi_put_sense(command->sense, sense);
    task->unit->kept = sense;
    scsi_finish(task, KILN_SCSI_DONE);
}

void
scsi_reply(ScsiTask *task, uint32_t length, uint64_t allocated)
{
    task->transferred = scatter(task, task->unit->reply, (uint32_t)MIN(length, allocated));
    scsi_good(task);
}

/* ---- Through the chain ---- */

static ScsiSense
sense_of(int error)
{
    switch (error) {
    case ENOSPC: return SENSE_NO_SPACE;
    case EROFS: return SENSE_WRITE_PROTECTED;
    case ENOMEDIUM: return SENSE_NO_MEDIUM;
    case EINVAL: return SENSE_INVALID_FIELD;
    default: return SENSE_IO;
    }
}

static void
succeed(ScsiTask *task)
{
    KilnDiskCounter *counter = task->counter;

    if (counter != NULL) {
        kiln_disk_count(&counter->requests, 1);
        kiln_disk_count(&counter->bytes, task->bytes);
        kiln_disk_count(&counter->time_ns, kiln_clock_ns() - task->start_ns);
    }
    scsi_good(task);
}

/* Returns: FALSE if that was the end of the task. */
static gboolean
survive(ScsiTask *task, int error)
{
    KilnScsiUnit *unit = task->unit;
    gboolean is_read = task->block.op == KILN_BLOCK_READ;
    KilnIoErrorPolicy action =
        kiln_io_error_action(is_read ? unit->read_policy : unit->write_policy, error);

    kiln_disk_count(&task->counter->errors, 1);
    if (unit->io_error != NULL)
        unit->io_error(unit->opaque, is_read, error, action);
    if (task->cancelled || action == KILN_IO_ERROR_IGNORE)
        return TRUE;
    task->transferred = 0;
    if (action == KILN_IO_ERROR_STOP)
        scsi_finish(task, KILN_SCSI_RETRY);
    else
        scsi_check(task, sense_of(error));
    return FALSE;
}

/* Sees to the chain's result.  Returns: whether there is another one already. */
static gboolean
advance(ScsiTask *task)
{
    if (task->result < 0 && !survive(task, -task->result))
        return FALSE;
    if (task->cancelled) {
        task->transferred = 0;
        scsi_finish(task, KILN_SCSI_ABORTED);
        return FALSE;
    }
    task->submitting = TRUE;
    task->returned = FALSE;
    if (task->step == NULL || !task->step(task)) {
        succeed(task);
        return FALSE;
    }
    task->submitting = FALSE;
    return task->returned;
}

/* Not by recursion: a chain may be done with each of many steps at once. */
static void
go_on(ScsiTask *task)
{
    while (advance(task))
        ;
}

void
scsi_take_steps(ScsiTask *task)
{
    task->result = 0;
    go_on(task);
}

static void
block_done(KilnBlockRequest *block, int result)
{
    ScsiTask *task = (ScsiTask *)((uint8_t *)block - offsetof(ScsiTask, block));

    task->result = result;
    if (task->submitting)
        task->returned = TRUE;
    else
        go_on(task);
}

static KilnDiskCounter *
counter_of(KilnScsiUnit *unit, KilnBlockOp op)
{
    switch (op) {
    case KILN_BLOCK_READ: return &unit->statistics.read;
    case KILN_BLOCK_WRITE: return &unit->statistics.write;
    case KILN_BLOCK_FLUSH: return &unit->statistics.flush;
    default: return &unit->statistics.discard;
    }
}

void
scsi_submit(ScsiTask *task, uint64_t offset, uint64_t length)
{
    if (task->counter == NULL) {
        task->counter = counter_of(task->unit, task->block.op);
        task->start_ns = kiln_clock_ns();
    }
    task->bytes += length;
    task->block.offset = offset;
    task->block.length = length;
    task->block.done = block_done;
    kiln_block_submit(task->unit->chain, &task->block);
}
