/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See uring.h.  The kernel's side: io_uring_setup(2), io_uring_enter(2), io_uring_register(2).
 *
 * In a context of its own thread, the ring is also what the thread sleeps in (GPollFunc), and
 * watches the context's other descriptors; the default context, where others have sources too,
 * sleeps in poll(2).
 */
#include "loop/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "loop/source.h"
#include "loop/timer.h"
#include "loop/uring-arms.h"
#include "loop/uring-pool.h"

enum {
    MAX_FILES = 64,    /* slots of registered files */
    MAX_FILE_FD = 512, /* descriptors above are not registered */
    REAP_BATCH = 64,   /* completions that are taken out of the ring together */
    /* More do not wait for the turn's end: a disk that gets all at once is done with all at once,
     * and idle in between (measured: 20% at depth 32). */
    SUBMIT_BATCH = 8,
    RETRY_MS = 1,       /* the kernel was out of memory */
    MAX_RING_FD = 1024, /* rings with a higher descriptor sleep in poll(2) */
};

struct KilnUring {
    struct io_uring ring;
    GSource *source;       /* (owned) */
    GMainContext *context; /* (owned) (nullable): that sleeps in the ring */
    KilnUringPool *pool;   /* (owned) (nullable): instead of the ring */
    unsigned room;         /* completions that the ring has room for */
    unsigned in_flight;    /* in the ring, queued or submitted; with what is in @done */
    KilnUringOp *done;     /* (nullable): not told yet */
    KilnUringOp **done_last;
    gboolean sleeps; /* the context's thread sleeps in the ring */
    KilnUringArms arms;
    KilnPolling polling;
    unsigned waiting;           /* in the list below */
    KilnUringOp *first;         /* (nullable): no room in the ring yet */
    KilnUringOp **last;         /* where the next one is linked to */
    gboolean have_files;        /* the table is registered */
    int files[MAX_FILES];       /* descriptor of each slot, or -1 */
    uint8_t slots[MAX_FILE_FD]; /* 1 + slot of a descriptor, or 0 */
};

typedef struct {
    GSource source;
    KilnUring *uring; /* not owned: it owns the source */
} UringSource;

/* Newest first; what the kernel does not know ends in EINVAL. */
static const unsigned setup_flags[] = {
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, /* 5.19 */
    0, /* Linux 5.10 */
};

/* What a process that a guest has taken over may have done by the ring: what it may do without. */
static const uint8_t allowed_ops[] = {
    IORING_OP_READ,  IORING_OP_WRITE,     IORING_OP_READV,    IORING_OP_WRITEV,
    IORING_OP_FSYNC, IORING_OP_FALLOCATE, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
};

static int
restrict_ring(struct io_uring *ring)
{
    struct io_uring_restriction rules[G_N_ELEMENTS(allowed_ops) + 2] = { 0 };
    unsigned n = 0;

    for (; n < G_N_ELEMENTS(allowed_ops); n++) {
        rules[n].opcode = IORING_RESTRICTION_SQE_OP;
        rules[n].sqe_op = allowed_ops[n];
    }
    rules[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[n++].sqe_flags = IOSQE_FIXED_FILE;
    rules[n].opcode = IORING_RESTRICTION_REGISTER_OP;
    rules[n++].register_op = IORING_REGISTER_FILES_UPDATE;
    return io_uring_register_restrictions(ring, rules, n);
}

static gboolean
set_up_error(int errnum, GError **error)
{
    if (errnum == EPERM)
        return kiln_error_set(
            error, KILN_ERROR_PERMISSION,
            "cannot use io_uring: the host's setting kernel.io_uring_disabled, or "
            "a filter of system calls, forbids it");
    if (errnum == ENOSYS)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "cannot use io_uring: the host's kernel lacks it, or a filter of "
                              "system calls forbids it");
    if (errnum == ENOMEM)
        return kiln_error_set(error, KILN_ERROR_SYSTEM,
                              "cannot use io_uring: out of memory, or of RLIMIT_MEMLOCK");
    return kiln_error_set_errno(error, errnum, "cannot use io_uring");
}

static gboolean
set_up(KilnUring *uring, unsigned entries, GError **error)
{
    int result = -EINVAL;

    for (gsize i = 0; i < G_N_ELEMENTS(setup_flags) && result == -EINVAL; i++) {
        struct io_uring_params params = {
            .flags = setup_flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP,
        };

        result = io_uring_queue_init_params(entries, &uring->ring, &params);
        if (result == 0)
            uring->room = params.sq_entries;
    }
    if (result < 0)
        return set_up_error(-result, error);
    uring->have_files = io_uring_register_files(&uring->ring, uring->files, MAX_FILES) >= 0;
    result = restrict_ring(&uring->ring);
    if (result >= 0)
        result = io_uring_enable_rings(&uring->ring);
    if (result < 0) {
        io_uring_queue_exit(&uring->ring);
        return kiln_error_set_errno(error, -result, "cannot restrict the io_uring");
    }
    return TRUE;
}

static void
fill(KilnUring *uring, KilnUringOp *op)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    unsigned slot = (unsigned)op->fd < MAX_FILE_FD ? uring->slots[op->fd] : 0;

    io_uring_prep_rw(op->opcode, sqe, op->fd, op->buffer, (unsigned)op->length, op->offset);
    if (op->opcode == IORING_OP_FALLOCATE) {
        sqe->addr = op->length;
        sqe->len = (unsigned)op->flags;
    } else if (op->opcode == IORING_OP_POLL_ADD) {
        sqe->poll32_events = (unsigned)op->flags;
    } else {
        sqe->rw_flags = op->flags; /* in a union with fsync_flags */
    }
    if (slot != 0) {
        sqe->fd = (int)slot - 1;
        sqe->flags = IOSQE_FIXED_FILE;
    }
    io_uring_sqe_set_data(sqe, op);
    uring->in_flight++;
}

/* What waited, into the ring.  One op has one completion, so the completion queue cannot overflow,
 * and @room is not more than the submission queue has. */
static void
fill_from_list(KilnUring *uring)
{
    while (uring->first != NULL && uring->in_flight < uring->room &&
           io_uring_sq_space_left(&uring->ring) > 0) {
        KilnUringOp *op = uring->first;

        uring->first = op->next;
        if (uring->first == NULL)
            uring->last = &uring->first;
        uring->waiting--;
        fill(uring, op);
    }
}

static void
start(KilnUring *uring, KilnUringOp *op)
{
    if (uring->pool != NULL) {
        uring->in_flight++;
        kiln_uring_pool_push(uring->pool, op);
        return;
    }
    if (uring->first == NULL && uring->in_flight < uring->room &&
        io_uring_sq_space_left(&uring->ring) > 0) {
        fill(uring, op);
        if (io_uring_sq_ready(&uring->ring) >= SUBMIT_BATCH)
            (void)io_uring_submit(&uring->ring); /* what it leaves is submitted before the sleep */
        return;
    }
    op->next = NULL;
    *uring->last = op;
    uring->last = &op->next;
    uring->waiting++;
}

void
kiln_uring_submit(KilnUring *uring)
{
    if (uring->pool != NULL)
        return;
    while (io_uring_sq_ready(&uring->ring) > 0) {
        int submitted = io_uring_submit(&uring->ring);

        if (submitted <= 0 && submitted != -EINTR)
            return; /* EAGAIN, EBUSY: the source comes back to it */
        fill_from_list(uring);
    }
}

/* Takes what there is out of the ring. */
static void
drain(KilnUring *uring)
{
    struct io_uring_cqe *cqes[REAP_BATCH];
    unsigned n;

    while ((n = io_uring_peek_batch_cqe(&uring->ring, cqes, REAP_BATCH)) > 0) {
        for (unsigned i = 0; i < n; i++) {
            KilnUringOp *op = io_uring_cqe_get_data(cqes[i]);

            if ((cqes[i]->user_data & KILN_URING_ARM_BIT) != 0) {
                kiln_uring_arms_complete(&uring->arms, cqes[i]->user_data, cqes[i]->res);
                continue;
            }
            op->result = cqes[i]->res;
            op->next = NULL;
            *uring->done_last = op;
            uring->done_last = &op->next;
        }
        io_uring_cq_advance(&uring->ring, n);
    }
}

static gboolean
uring_prepare(GSource *base, gint *timeout_ms)
{
    KilnUring *uring = ((UringSource *)base)->uring;

    *timeout_ms = -1;
    if (uring->pool != NULL)
        return uring->done != NULL;
    if (!uring->sleeps) {
        kiln_uring_submit(uring);
        if (io_uring_sq_ready(&uring->ring) > 0)
            *timeout_ms = RETRY_MS;
    }
    drain(uring);
    return uring->done != NULL;
}

static gboolean
uring_check(GSource *base)
{
    KilnUring *uring = ((UringSource *)base)->uring;

    if (uring->pool != NULL)
        return uring->done != NULL || kiln_uring_pool_ready(uring->pool);
    drain(uring);
    return uring->done != NULL;
}

/* Behind what is left of an earlier turn. */
static void
take_from_pool(KilnUring *uring)
{
    *uring->done_last = kiln_uring_pool_take(uring->pool);
    while (*uring->done_last != NULL)
        uring->done_last = &(*uring->done_last)->next;
}

/* What is done meanwhile is for the next turn of the loop, so that other sources have theirs. */
static gboolean
uring_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    KilnUring *uring = ((UringSource *)base)->uring;
    unsigned n = 0;

    if (uring->pool != NULL)
        take_from_pool(uring);
    for (const KilnUringOp *op = uring->done; op != NULL; op = op->next)
        n++;
    /* One at a time, since a callback may run the loop until another operation is done. */
    for (; n > 0 && uring->done != NULL; n--) {
        KilnUringOp *op = uring->done;

        uring->done = op->next;
        if (uring->done == NULL)
            uring->done_last = &uring->done;
        uring->in_flight--;
        op->done(op, op->result);
    }
    if (uring->pool == NULL)
        fill_from_list(uring);
    return G_SOURCE_CONTINUE;
}

/* Submits, and waits for one completion if @timeout_ms is not 0.  Without a wait, the kernel is
 * entered only if there is something to tell it or to be told. */
static void
enter(KilnUring *uring, int timeout_ms)
{
    struct __kernel_timespec time = {
        .tv_sec = timeout_ms / 1000,
        .tv_nsec = timeout_ms % 1000 * 1000000LL,
    };
    struct io_uring_cqe *cqe;
    int result;

    if (timeout_ms < 0)
        result = io_uring_submit_and_wait(&uring->ring, 1);
    else if (timeout_ms > 0)
        result = io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1, &time, NULL);
    else
        result = io_uring_submit(&uring->ring);
    if ((result == -EAGAIN || result == -EBUSY) && timeout_ms != 0)
        (void)poll(NULL, 0, RETRY_MS); /* the kernel is out of memory */
}

/* The kernel has something to put into the ring when it is entered. */
static gboolean
has_task_work(const KilnUring *uring)
{
    return (__atomic_load_n(uring->ring.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN) != 0;
}

static gboolean
has_completions(gpointer data)
{
    const KilnUring *uring = data;

    return io_uring_cq_ready(&uring->ring) > 0 || has_task_work(uring);
}

/* Looks for a while, then sleeps.  Not all that is queued is submitted if there is something to do.
 */
static void
wait(KilnUring *uring, int timeout_ms)
{
    KilnPollingWait kind = MIN(uring->in_flight, KILN_POLLING_MANY);
    uint64_t begin_ns;

    if (!kiln_polling_wanted(&uring->polling)) {
        enter(uring, kiln_polling_end(&uring->polling) ? 0 : timeout_ms);
        return;
    }
    begin_ns = kiln_clock_ns();
    if (uring->polling.ns[kind] > 0)
        kiln_uring_submit(uring);
    if (!kiln_polling_run(&uring->polling, kind, has_completions, uring))
        enter(uring, timeout_ms);
    else if (has_task_work(uring))
        (void)io_uring_get_events(&uring->ring);
    kiln_polling_adjust(&uring->polling, kind, kiln_clock_ns() - begin_ns);
    /* When the guest hears of what is done, it shall not have to kick for its next request. */
    if (io_uring_cq_ready(&uring->ring) >= uring->in_flight)
        kiln_polling_begin(&uring->polling, KILN_POLLING_IDLE);
}

static KilnUring *rings[MAX_RING_FD]; /* (atomic): by descriptor, those that sleep */

static KilnUring *
ring_among(const GPollFD *fds, guint n)
{
    for (guint i = 0; i < n; i++) {
        KilnUring *uring = fds[i].fd >= 0 && fds[i].fd < MAX_RING_FD
                               ? g_atomic_pointer_get(&rings[fds[i].fd])
                               : NULL;

        if (uring != NULL)
            return uring;
    }
    return NULL;
}

/* A context's GPollFunc: it has no other argument to find the ring by. */
static gint
sleep_in_ring(GPollFD *fds, guint n, gint timeout_ms)
{
    KilnUring *uring = ring_among(fds, n);
    gboolean pending;

    if (uring == NULL)
        return g_poll(fds, n, timeout_ms);
    if (n > KILN_URING_MAX_ARMS) {
        if (kiln_polling_end(&uring->polling))
            timeout_ms = 0;
        kiln_uring_submit(uring);
        return g_poll(fds, n, timeout_ms);
    }
    fill_from_list(uring);
    kiln_uring_arms_update(&uring->arms, &uring->ring, fds, n);
    drain(uring);
    pending = kiln_polling_look(&uring->polling);
    pending |= uring->done != NULL || kiln_uring_arms_any(&uring->arms);
    if (!pending && timeout_ms != 0)
        wait(uring, timeout_ms);
    else
        enter(uring, 0);
    drain(uring);
    return kiln_uring_arms_collect(&uring->arms, fds, n);
}

static GSourceFuncs uring_funcs = {
    .prepare = uring_prepare,
    .check = uring_check,
    .dispatch = uring_dispatch,
};

/* Linux 5.11 waits with a timeout.  A second ring of a context is watched by the first. */
static gboolean
can_sleep(const KilnUring *uring, GMainContext *context)
{
    if (uring->pool != NULL || context == NULL || context == g_main_context_default() ||
        uring->ring.ring_fd >= MAX_RING_FD || (uring->ring.features & IORING_FEAT_EXT_ARG) == 0)
        return FALSE;
    for (unsigned i = 0; i < MAX_RING_FD; i++) {
        const KilnUring *other = g_atomic_pointer_get(&rings[i]);

        if (other != NULL && other->context == context)
            return FALSE;
    }
    return TRUE;
}

static void
attach(KilnUring *uring, GMainContext *context, int fd)
{
    uring->source = g_source_new(&uring_funcs, sizeof(UringSource));
    ((UringSource *)uring->source)->uring = uring;
    g_source_add_unix_fd(uring->source, fd, G_IO_IN);
    kiln_source_attach(uring->source, context);
    if (can_sleep(uring, context)) {
        uring->sleeps = TRUE;
        uring->context = g_main_context_ref(context);
        g_atomic_pointer_set(&rings[fd], uring);
        g_main_context_set_poll_func(context, sleep_in_ring);
    }
}

KilnUring *
kiln_uring_open(GMainContext *context, unsigned entries, KilnUringEngine engine, GError **error)
{
    g_autoptr(GError) forbidden = NULL;
    KilnUring *uring = g_new0(KilnUring, 1);

    uring->last = &uring->first;
    uring->done_last = &uring->done;
    for (unsigned i = 0; i < MAX_FILES; i++)
        uring->files[i] = -1;
    if (engine != KILN_URING_THREADS && set_up(uring, entries, &forbidden)) {
        attach(uring, context, uring->ring.ring_fd);
        return uring;
    }
    if (engine == KILN_URING_NATIVE) {
        g_propagate_error(error, g_steal_pointer(&forbidden));
        g_free(uring);
        return NULL;
    }
    uring->pool = kiln_uring_pool_open(error);
    if (uring->pool == NULL) {
        g_free(uring);
        return NULL;
    }
    attach(uring, context, kiln_uring_pool_fd(uring->pool));
    return uring;
}

void
kiln_uring_free(KilnUring *uring)
{
    if (uring == NULL)
        return;
    g_assert(uring->in_flight + uring->waiting == 0);
    if (uring->sleeps) {
        g_atomic_pointer_set(&rings[uring->ring.ring_fd], NULL);
        g_main_context_unref(uring->context);
    }
    kiln_source_free(uring->source);
    if (uring->pool != NULL)
        kiln_uring_pool_free(uring->pool);
    else
        io_uring_queue_exit(&uring->ring);
    g_free(uring);
}

/* One buffer needs no array to be copied in by the kernel. */
static void
start_vector(KilnUring *uring, KilnUringOp *op, gboolean write, const struct iovec *iov,
             unsigned n_iov)
{
    if (n_iov == 1 && iov->iov_len <= INT32_MAX) {
        op->opcode = write ? IORING_OP_WRITE : IORING_OP_READ;
        op->buffer = iov->iov_base;
        op->length = iov->iov_len;
    } else {
        op->opcode = write ? IORING_OP_WRITEV : IORING_OP_READV;
        op->buffer = iov;
        op->length = n_iov;
    }
    start(uring, op);
}

void
kiln_uring_readv(KilnUring *uring, KilnUringOp *op, int fd, const struct iovec *iov, unsigned n_iov,
                 uint64_t offset)
{
    op->fd = fd;
    op->offset = offset;
    op->flags = 0;
    start_vector(uring, op, FALSE, iov, n_iov);
}

void
kiln_uring_writev(KilnUring *uring, KilnUringOp *op, int fd, const struct iovec *iov,
                  unsigned n_iov, uint64_t offset, int flags)
{
    op->fd = fd;
    op->offset = offset;
    op->flags = flags;
    start_vector(uring, op, TRUE, iov, n_iov);
}

static void
start_plain(KilnUring *uring, KilnUringOp *op, uint8_t opcode, int fd, int flags)
{
    op->opcode = opcode;
    op->fd = fd;
    op->flags = flags;
    op->buffer = NULL;
    start(uring, op);
}

void
kiln_uring_fdatasync(KilnUring *uring, KilnUringOp *op, int fd)
{
    op->offset = 0;
    op->length = 0;
    start_plain(uring, op, IORING_OP_FSYNC, fd, IORING_FSYNC_DATASYNC);
}

void
kiln_uring_fallocate(KilnUring *uring, KilnUringOp *op, int fd, int mode, uint64_t offset,
                     uint64_t length)
{
    op->offset = offset;
    op->length = length;
    start_plain(uring, op, IORING_OP_FALLOCATE, fd, mode);
}

void
kiln_uring_poll(KilnUring *uring, KilnUringOp *op, int fd, short events)
{
    op->offset = 0;
    op->length = 0;
    start_plain(uring, op, IORING_OP_POLL_ADD, fd, events);
}

void
kiln_uring_cancel(KilnUring *uring, KilnUringOp *op, KilnUringOp *target)
{
    op->offset = 0;
    op->length = 0;
    op->opcode = IORING_OP_ASYNC_CANCEL;
    op->fd = -1;
    op->flags = 0;
    op->buffer = target;
    start(uring, op);
}

void
kiln_uring_add_file(KilnUring *uring, int fd)
{
    if (!uring->have_files || fd < 0 || fd >= MAX_FILE_FD)
        return;
    for (unsigned i = 0; i < MAX_FILES; i++) {
        if (uring->files[i] < 0) {
            if (io_uring_register_files_update(&uring->ring, i, &fd, 1) == 1) {
                uring->files[i] = fd;
                uring->slots[fd] = (uint8_t)(i + 1);
            }
            return;
        }
    }
}

void
kiln_uring_remove_file(KilnUring *uring, int fd)
{
    unsigned slot = fd >= 0 && fd < MAX_FILE_FD ? uring->slots[fd] : 0;
    int none = -1;

    if (slot == 0)
        return;
    (void)io_uring_register_files_update(&uring->ring, slot - 1, &none, 1);
    uring->files[slot - 1] = -1;
    uring->slots[fd] = 0;
}

unsigned
kiln_uring_in_flight(const KilnUring *uring)
{
    return uring->in_flight + uring->waiting;
}

gboolean
kiln_uring_is_native(const KilnUring *uring)
{
    return uring->pool == NULL;
}

void
kiln_uring_set_polling(KilnUring *uring, uint64_t max_ns, unsigned grow, unsigned shrink)
{
    kiln_polling_set(&uring->polling, max_ns, grow, shrink);
}

void
kiln_uring_add_poller(KilnUring *uring, const KilnPoller *poller)
{
    kiln_polling_add(&uring->polling, poller);
}

void
kiln_uring_remove_poller(KilnUring *uring, gpointer data)
{
    kiln_polling_remove(&uring->polling, data);
}
