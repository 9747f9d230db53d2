/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See uring-pool.h.  push -> worker: system call -> done list, eventfd -> take */
#include "loop/uring-pool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/lock.h"
#include "loop/event.h"

enum { MAX_WORKERS = 16 }; /* a disk's queue is kept full by as many */

typedef struct {
    KilnUringOp *first; /* (nullable) */
    KilnUringOp **last;
} List;

struct KilnUringPool {
    KilnEvent event; /* (owned): set when @done gets its first */
    KilnMutex mutex; /* of all below */
    KilnCond work;   /* @todo has something, or @quit */
    List todo;
    List done;
    unsigned idle; /* workers that wait */
    unsigned n_todo;
    gboolean quit;
    unsigned n_workers;
    pthread_t workers[MAX_WORKERS];
};

static void
list_add(List *list, KilnUringOp *op)
{
    op->next = NULL;
    *list->last = op;
    list->last = &op->next;
}

static KilnUringOp *
list_take(List *list)
{
    KilnUringOp *op = list->first;

    list->first = op->next;
    if (list->first == NULL)
        list->last = &list->first;
    return op;
}

static ssize_t
transfer(const KilnUringOp *op)
{
    gboolean vector = op->opcode == IORING_OP_READV || op->opcode == IORING_OP_WRITEV;
    struct iovec one = { (void *)op->buffer, op->length };
    const struct iovec *iov = vector ? op->buffer : &one;
    int n_iov = vector ? (int)op->length : 1;

    /* An offset of -1 is the current position, which a socket has none of. */
    if (op->opcode == IORING_OP_READ || op->opcode == IORING_OP_READV)
        return preadv2(op->fd, iov, n_iov, (off_t)op->offset, op->flags);
    return pwritev2(op->fd, iov, n_iov, (off_t)op->offset, op->flags);
}

static int
perform(const KilnUringOp *op)
{
    ssize_t result;

    do {
        switch (op->opcode) {
        case IORING_OP_READ:
        case IORING_OP_READV:
        case IORING_OP_WRITE:
        case IORING_OP_WRITEV: result = transfer(op); break;
        case IORING_OP_FSYNC: result = fdatasync(op->fd); break;
        case IORING_OP_FALLOCATE:
            result = fallocate(op->fd, op->flags, (off_t)op->offset, (off_t)op->length);
            break;
        default: return -ENOTSUP;
        }
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : (int)result;
}

static void *
worker(void *data)
{
    KilnUringPool *pool = data;

    pthread_setname_np(pthread_self(), "kiln-io");
    kiln_mutex_lock(&pool->mutex);
    while (!pool->quit) {
        KilnUringOp *op;
        gboolean first;

        if (pool->todo.first == NULL) {
            pool->idle++;
            kiln_cond_wait(&pool->work, &pool->mutex);
            pool->idle--;
            continue;
        }
        op = list_take(&pool->todo);
        pool->n_todo--;
        kiln_mutex_unlock(&pool->mutex);
        op->result = perform(op);
        kiln_mutex_lock(&pool->mutex);
        first = pool->done.first == NULL;
        list_add(&pool->done, op);
        if (first)
            kiln_event_set(&pool->event);
    }
    kiln_mutex_unlock(&pool->mutex);
    return NULL;
}

KilnUringPool *
kiln_uring_pool_open(GError **error)
{
    KilnEvent event = KILN_EVENT_NONE;
    KilnUringPool *pool;

    if (!kiln_event_open(&event, error))
        return NULL;
    pool = g_new0(KilnUringPool, 1);
    pool->event = event;
    pool->todo.last = &pool->todo.first;
    pool->done.last = &pool->done.first;
    kiln_mutex_init(&pool->mutex);
    kiln_cond_init(&pool->work);
    return pool;
}

void
kiln_uring_pool_free(KilnUringPool *pool)
{
    kiln_mutex_lock(&pool->mutex);
    pool->quit = TRUE;
    kiln_cond_broadcast(&pool->work);
    kiln_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i], NULL);
    kiln_cond_clear(&pool->work);
    kiln_mutex_clear(&pool->mutex);
    kiln_event_clear(&pool->event);
    g_free(pool);
}

int
kiln_uring_pool_fd(const KilnUringPool *pool)
{
    return pool->event.fd;
}

/* Mutex held.  All signals are blocked in a worker. */
static gboolean
start_worker(KilnUringPool *pool)
{
    sigset_t all, old;
    int failed;

    if (pool->n_workers == MAX_WORKERS)
        return pool->n_workers > 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&pool->workers[pool->n_workers], NULL, worker, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed == 0)
        pool->n_workers++;
    return pool->n_workers > 0;
}

void
kiln_uring_pool_push(KilnUringPool *pool, KilnUringOp *op)
{
    gboolean have;

    kiln_mutex_lock(&pool->mutex);
    have = pool->n_todo < pool->idle || start_worker(pool);
    if (have) {
        list_add(&pool->todo, op);
        pool->n_todo++;
        pthread_cond_signal(&pool->work);
    }
    kiln_mutex_unlock(&pool->mutex);
    if (have)
        return;
    op->result = perform(op); /* no thread can be had: do it here */
    kiln_mutex_lock(&pool->mutex);
    list_add(&pool->done, op);
    kiln_mutex_unlock(&pool->mutex);
    kiln_event_set(&pool->event);
}

gboolean
kiln_uring_pool_ready(KilnUringPool *pool)
{
    KILN_LOCK_SCOPE(&pool->mutex);

    return pool->done.first != NULL;
}

KilnUringOp *
kiln_uring_pool_take(KilnUringPool *pool)
{
    KilnUringOp *first;

    (void)kiln_event_test_and_clear(&pool->event);
    kiln_mutex_lock(&pool->mutex);
    first = pool->done.first;
    pool->done.first = NULL;
    pool->done.last = &pool->done.first;
    kiln_mutex_unlock(&pool->mutex);
    return first;
}
