/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random chains through queues of every kind, against a model: what is popped is what was added, in
 * order; what is used is what was pushed, in order; nobody waits for a notification that does not
 * come; a save and load at any moment changes nothing.
 */
#include <string.h>

#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"
#include "tests/virtio/echo.h"

enum { STEPS = 6000, MAX_PARTS = 6, MAX_CHAINS = 64, BUFFERS = 256, BUFFER_BYTES = 512 };

/* A chain on its way. */
typedef struct {
    int id;
    unsigned n_out, n_in;
    KilnDriverBuffer parts[2 * MAX_PARTS];
    uint32_t written;
    EchoRequest request; /* once popped */
} Chain;

/* Chains in a row; those that were taken out of it are freed. */
typedef struct {
    Chain *chains[MAX_CHAINS];
    unsigned n;
} Row;

typedef struct {
    GRand *random;
    KilnBoard *board;
    KilnMemory *memory;
    Echo *echo;
    KilnDriver *driver;
    KilnDriverBuffer buffers[BUFFERS];
    Row added;  /* not popped yet */
    Row popped; /* not pushed yet */
    Row pushed; /* not seen by the driver yet; the first @n_flushed could be */
    unsigned n_flushed;
    bool notify;  /* the device wants kicks */
    bool dry;     /* and found nothing, so it waits for one */
    bool waiting; /* the driver found nothing, so it waits for an interrupt */
} Model;

static unsigned
below(Model *model, unsigned n)
{
    return (unsigned)g_rand_int_range(model->random, 0, (gint32)n);
}

static void
row_add(Row *row, Chain *chain)
{
    g_assert(row->n < MAX_CHAINS);
    row->chains[row->n++] = chain;
}

static Chain *
row_take(Row *row, unsigned i)
{
    Chain *chain = row->chains[i];

    row->n--;
    memmove(&row->chains[i], &row->chains[i + 1], (row->n - i) * sizeof row->chains[0]);
    return chain;
}

static Echo *
lazy_echo(Model *model)
{
    KilnVirtioOptions options = {
        .memory = model->memory, .packed = TRUE, .n_queues = 1, .queue_size = 64
    };
    Echo *echo = echo_new(&options);

    echo->lazy = TRUE;
    return echo;
}

static KilnVirtqueue *
queue_of(Model *model)
{
    return kiln_virtio_device_queue(&model->echo->virtio, 0);
}

static void
model_init(Model *model, uint64_t features, uint16_t size, guint32 seed)
{
    model->random = g_rand_new_with_seed(seed);
    model->board = kiln_board_new();
    model->memory = kiln_memory_new_plain(16 << 20);
    model->echo = lazy_echo(model);
    model->driver = kiln_driver_new(model->board, model->memory, &model->echo->virtio);
    kiln_driver_set_queue_size(model->driver, 0, size);
    for (unsigned i = 0; i < BUFFERS; i++)
        model->buffers[i] = kiln_driver_alloc(model->driver, BUFFER_BYTES);
    kiln_driver_start(model->driver, features);
    model->notify = true;
}

static void
row_clear(Row *row)
{
    while (row->n > 0)
        g_free(row_take(row, 0));
}

static void
model_clear(Model *model)
{
    while (model->popped.n > 0) {
        Chain *chain = row_take(&model->popped, 0);

        kiln_virtqueue_push(queue_of(model), &chain->request.element, 0);
        g_free(chain);
    }
    row_clear(&model->added);
    row_clear(&model->pushed);
    kiln_driver_free(model->driver);
    kiln_memory_free(model->memory);
    kiln_board_free(model->board);
    g_rand_free(model->random);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Model, model_clear)

/* -- steps ------------------------------------------------------------------------------------- */

static void
add(Model *model)
{
    Chain *chain = g_new0(Chain, 1);
    unsigned kicks = kiln_driver_kicks(model->driver), n;

    chain->n_out = below(model, MAX_PARTS);
    chain->n_in = below(model, MAX_PARTS);
    n = MAX(chain->n_out + chain->n_in, 1);
    chain->n_in = n - chain->n_out;
    for (unsigned i = 0; i < n; i++) {
        chain->parts[i] = model->buffers[below(model, BUFFERS)];
        chain->parts[i].length = 1 + below(model, BUFFER_BYTES);
    }
    kiln_driver_set_indirect(model->driver, below(model, 2) == 0);
    chain->id = kiln_driver_add(model->driver, 0, chain->parts, chain->n_out,
                                chain->parts + chain->n_out, chain->n_in);
    if (chain->id < 0) {
        g_free(chain);
        return;
    }
    row_add(&model->added, chain);
    kiln_driver_kick(model->driver, 0);
    /* A device that waits for a kick gets one. */
    if (model->dry)
        ck_assert_uint_eq(kiln_driver_kicks(model->driver), kicks + 1);
    model->dry = false;
}

static void
check_popped(Model *model, const Chain *chain, const KilnVirtqElement *element)
{
    uint32_t out = 0, in = 0;

    ck_assert_uint_eq(element->n_out, chain->n_out);
    ck_assert_uint_eq(element->n_in, chain->n_in);
    for (unsigned i = 0; i < chain->n_out + chain->n_in; i++) {
        ck_assert_ptr_eq(element->iov[i].iov_base, chain->parts[i].host);
        ck_assert_uint_eq(element->iov[i].iov_len, chain->parts[i].length);
        *(i < chain->n_out ? &out : &in) += chain->parts[i].length;
    }
    ck_assert_uint_eq(element->out_bytes, out);
    ck_assert_uint_eq(element->in_bytes, in);
}

static void
pop(Model *model)
{
    KilnVirtqElement element = { .max_iov = ECHO_MAX_IOV };
    struct iovec iov[ECHO_MAX_IOV];
    bool any = model->added.n > 0;
    Chain *chain;

    element.iov = iov;
    ck_assert(!!kiln_virtqueue_has_work(queue_of(model)) == any);
    ck_assert_int_eq(kiln_virtqueue_pop(queue_of(model), &element), any);
    model->dry = !any && model->notify;
    if (!any)
        return;
    check_popped(model, model->added.chains[0], &element);
    if (below(model, 8) == 0) {
        kiln_virtqueue_unpop(queue_of(model), &element);
        return;
    }
    chain = row_take(&model->added, 0);
    chain->request.element = element;
    memcpy(chain->request.iov, iov, sizeof iov);
    chain->request.element.iov = chain->request.iov;
    row_add(&model->popped, chain);
}

static void
push(Model *model)
{
    Chain *chain;

    if (model->popped.n == 0)
        return;
    chain = row_take(&model->popped, below(model, model->popped.n));
    chain->written = below(model, chain->request.element.in_bytes + 1);
    kiln_virtqueue_push(queue_of(model), &chain->request.element, chain->written);
    row_add(&model->pushed, chain);
}

static void
flush(Model *model)
{
    bool news = model->pushed.n > model->n_flushed;

    kiln_virtqueue_flush(queue_of(model));
    model->n_flushed = model->pushed.n;
    /* A driver that waits for an interrupt gets one. */
    if (model->waiting && news) {
        ck_assert_uint_ge(kiln_driver_interrupts(model->driver, 0), 1);
        model->waiting = false;
    }
}

static void
take(Model *model)
{
    uint32_t length;
    int id;
    Chain *chain;

    (void)kiln_driver_interrupts(model->driver, 0);
    if (!kiln_driver_take_used(model->driver, 0, &id, &length)) {
        ck_assert_uint_eq(model->n_flushed, 0);
        kiln_driver_set_interrupts(model->driver, 0, TRUE);
        model->waiting = true;
        return;
    }
    ck_assert_uint_gt(model->n_flushed, 0);
    model->waiting = false;
    chain = row_take(&model->pushed, 0);
    model->n_flushed--;
    ck_assert_int_eq(id, chain->id);
    ck_assert_uint_eq(length, chain->written);
    g_free(chain);
}

static void
set_notify(Model *model)
{
    gboolean wanted = below(model, 2) == 0;
    gboolean work = kiln_virtqueue_set_notify(queue_of(model), wanted);

    ck_assert(!!work == (wanted && model->added.n > 0));
    model->notify = wanted;
    model->dry = wanted && model->added.n == 0;
}

/* What is popped is kept and comes again, first; the rest of the queue's life goes on elsewhere. */
static void
migrate(Model *model)
{
    Row again = model->popped;

    flush(model);
    for (unsigned i = 0; i < model->popped.n; i++) {
        /* As they were popped: the model's row is in that order. */
        kiln_virtqueue_keep(queue_of(model), &model->popped.chains[i]->request.element);
    }
    model->popped.n = 0;
    for (unsigned i = 0; i < model->added.n; i++)
        row_add(&again, model->added.chains[i]);
    model->added = again;
    model->echo = lazy_echo(model);
    kiln_driver_migrate(model->driver, &model->echo->virtio);
    model->notify = true;
    model->dry = false;
}

static void
step(Model *model)
{
    switch (below(model, 40)) {
    case 0: set_notify(model); break;
    case 1:
        if (below(model, 8) == 0)
            migrate(model);
        break;
    case 2 ... 12: add(model); break;
    case 13 ... 22: pop(model); break;
    case 23 ... 29: push(model); break;
    case 30 ... 33: flush(model); break;
    default: take(model); break;
    }
}

typedef struct {
    const char *name;
    uint64_t features;
    uint16_t size;
} Kind;

#define EVENT_IDX KILN_DRIVER_BIT(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  KILN_DRIVER_BIT(VIRTIO_RING_F_INDIRECT_DESC)

static const Kind kinds[] = {
    { "split", KILN_DRIVER_SPLIT & ~EVENT_IDX, 32 },
    { "split, event index", KILN_DRIVER_SPLIT, 32 },
    { "split, event index, all of the size", KILN_DRIVER_SPLIT, 64 },
    { "split, tiny", KILN_DRIVER_SPLIT, 2 },
    { "split, no tables", KILN_DRIVER_SPLIT & ~INDIRECT, 16 },
    { "packed", KILN_DRIVER_PACKED & ~EVENT_IDX, 32 },
    { "packed, event index", KILN_DRIVER_PACKED, 32 },
    { "packed, odd size", KILN_DRIVER_PACKED, 23 },
    { "packed, tiny", KILN_DRIVER_PACKED, 2 },
    { "packed, one", KILN_DRIVER_PACKED, 1 },
    { "packed, no tables", KILN_DRIVER_PACKED & ~INDIRECT, 37 },
};

START_TEST(random_chains)
{
    g_auto(Model) model = { 0 };
    const Kind *kind = &kinds[_i];

    model_init(&model, kind->features, kind->size, 20261121 + (guint32)_i);
    for (unsigned i = 0; i < STEPS; i++)
        step(&model);
    ck_assert_msg(!kiln_driver_broken(model.driver), "%s", kind->name);
}
END_TEST

static Suite *
model_suite(void)
{
    Suite *suite = suite_create("virtio-model");
    TCase *tcase = kiln_test_case(suite, "chains");

    tcase_add_loop_test(tcase, random_chains, 0, G_N_ELEMENTS(kinds));
    return suite;
}

KILN_TEST_MAIN(model_suite)
