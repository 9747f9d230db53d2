/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guest receives (virtio 1.2 §5.1.6.3, §5.1.6.4).  Receive buffers are popped ahead and
 * held ready; the backend writes packets right into them:
 *
 *   small packets: as many at once as have come lately, one chain each, and behind it a scratch for
 *     what is too much for the chain: that is copied into further chains
 *   after a packet that was too much: one at a time, into as many chains as the largest could need
 *
 * Chains that were not used stay ready.  When the device stops they are kept for the next start.  A
 * packet for which the driver has too few chains waits where it was received, and those that came
 * with it wait behind it.
 */
#include "device/virtio-net-private.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
    MIN_FRAME = KILN_NETDEV_HEADER + 14, /* bytes */
    MIN_BATCH = 4,
    BIG_MEMORY = 16,  /* packets until large ones are forgotten */
    ROUNDS = 16,      /* batches before others have their turn */
    NUM_BUFFERS = 10, /* offset in the header, virtio 1.2 §5.1.6 */
};

static gboolean
receiver_open(NetPair *pair)
{
    NetReceiver *receiver = g_new(NetReceiver, 1);
    void *scratch = mmap(NULL, (size_t)NET_SLOTS * NET_SCRATCH, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (scratch == MAP_FAILED) {
        g_free(receiver);
        return FALSE;
    }
    (void)madvise(scratch, (size_t)NET_SLOTS * NET_SCRATCH, MADV_NOHUGEPAGE); /* seldom used */
    receiver->scratch = scratch;
    receiver->n_ready = 0;
    receiver->pending = receiver->n_got = 0;
    receiver->n_unused = NET_CHAINS;
    for (unsigned i = 0; i < NET_CHAINS; i++)
        receiver->unused[i] = &receiver->chains[NET_CHAINS - 1 - i];
    pair->receiver = receiver;
    return TRUE;
}

void
kiln_virtio_net_pair_clear(NetPair *pair)
{
    if (pair->receiver != NULL)
        (void)munmap(pair->receiver->scratch, (size_t)NET_SLOTS * NET_SCRATCH);
    g_clear_pointer(&pair->receiver, g_free);
    g_clear_pointer(&pair->sender, g_free);
}

void
kiln_virtio_net_release(NetPair *pair)
{
    NetReceiver *receiver = pair->receiver;

    if (receiver == NULL)
        return;
    for (; receiver->pending < receiver->n_got; receiver->pending++)
        kiln_netdev_count_drop(pair->net->netdev, pair->index);
    for (unsigned i = 0; i < receiver->n_ready; i++) {
        kiln_virtqueue_keep(pair->rx, &receiver->ready[i]->element);
        receiver->unused[receiver->n_unused++] = receiver->ready[i];
    }
    receiver->n_ready = 0;
}

/* Has @n chains ready, if the driver gave so many.  Returns FALSE if it broke the rules. */
static gboolean
fill(NetPair *pair, unsigned n)
{
    NetReceiver *receiver = pair->receiver;

    while (receiver->n_ready < MIN(n, NET_CHAINS)) {
        NetChain *chain = receiver->unused[receiver->n_unused - 1];
        int popped;

        chain->element.iov = chain->iov;
        chain->element.max_iov = NET_CHAIN_IOV;
        popped = kiln_virtqueue_pop(pair->rx, &chain->element);
        if (popped == 0)
            break;
        if (popped < 0 || chain->element.n_out != 0 ||
            chain->element.in_bytes < KILN_NETDEV_HEADER) {
            pair->broken = TRUE;
            kiln_virtio_device_broken(&pair->net->base, "receive queue %u: a bad chain",
                                      pair->index);
            return FALSE;
        }
        receiver->n_unused--;
        receiver->ready[receiver->n_ready++] = chain;
    }
    return TRUE;
}

static struct iovec
scratch_of(NetReceiver *receiver, unsigned slot)
{
    return (struct iovec){ receiver->scratch + (size_t)slot * NET_SCRATCH, NET_SCRATCH };
}

/* A chain each. */
static unsigned
prepare_small(NetReceiver *receiver, unsigned n)
{
    n = MIN(n, receiver->n_ready);
    for (unsigned i = 0; i < n; i++) {
        KilnVirtqElement *element = &receiver->ready[i]->element;

        element->iov[element->n_in] = scratch_of(receiver, i);
        receiver->slots[i] = (NetSlot){ i, 1, element->in_bytes };
        receiver->packets[i] = (KilnNetPacket){ element->iov, element->n_in + 1U, 0 };
    }
    return n;
}

/* One packet, into as many chains as it could need. */
static unsigned
prepare_big(NetReceiver *receiver)
{
    NetSlot *slot = &receiver->slots[0];
    unsigned n_iov = 0;

    *slot = (NetSlot){ 0 };
    while (slot->n < receiver->n_ready && slot->room < KILN_NETDEV_MAX_PACKET) {
        const KilnVirtqElement *element = &receiver->ready[slot->n]->element;

        if (n_iov + element->n_in >= G_N_ELEMENTS(receiver->big_iov))
            break;
        memcpy(receiver->big_iov + n_iov, element->iov, element->n_in * sizeof(struct iovec));
        n_iov += element->n_in;
        slot->room += element->in_bytes;
        slot->n++;
    }
    receiver->big_iov[n_iov++] = scratch_of(receiver, 0);
    receiver->packets[0] = (KilnNetPacket){ receiver->big_iov, n_iov, 0 };
    return slot->n > 0;
}

/* As many slots as can be had; 0: the driver has given no buffers; -EPROTO. */
static int
prepare(NetPair *pair)
{
    NetReceiver *receiver = pair->receiver;
    unsigned wanted = pair->batch;

    if (pair->big > 0 && pair->net->mergeable)
        wanted = NET_CHAINS;
    if (!fill(pair, wanted))
        return -EPROTO;
    if (wanted == NET_CHAINS)
        return (int)prepare_big(receiver);
    return (int)prepare_small(receiver, wanted);
}

/* ---- what was received ---- */

static size_t
gather(const struct iovec *iov, unsigned n_iov, size_t offset, uint8_t *data, size_t length)
{
    size_t done = 0;

    for (unsigned i = 0; i < n_iov && done < length; i++) {
        size_t skipped = MIN(offset, iov[i].iov_len);
        size_t part = MIN(iov[i].iov_len - skipped, length - done);

        memcpy(data + done, (const uint8_t *)iov[i].iov_base + skipped, part);
        offset -= skipped;
        done += part;
    }
    return done;
}

static gboolean
is_wanted(const NetPair *pair, const KilnNetPacket *packet)
{
    uint8_t frame[KILN_NET_FILTER_HEADER] = { 0 };

    if (packet->length < MIN_FRAME)
        return FALSE;
    if (pair->net->filter.promiscuous)
        return TRUE;
    gather(packet->iov, packet->n_iov, KILN_NETDEV_HEADER, frame,
           MIN(packet->length - KILN_NETDEV_HEADER, sizeof frame));
    return kiln_net_filter_accepts(&pair->net->filter, frame);
}

/* Whether more chains can come at all: the driver has some that are not here, and here is room. */
static gboolean
may_have_more(const NetPair *pair)
{
    const NetReceiver *receiver = pair->receiver;
    unsigned taken = 0;

    for (unsigned i = 0; i < receiver->n_ready; i++)
        if (receiver->ready[i] != NULL)
            taken += receiver->ready[i]->element.n_slots;
    return receiver->n_ready < NET_CHAINS && taken < kiln_virtqueue_size(pair->rx);
}

/* How many chains from @extra on the @length bytes of an overflow fill; 0: there are not enough. */
static unsigned
overflow_chains(NetPair *pair, unsigned extra, uint32_t length)
{
    NetReceiver *receiver = pair->receiver;
    uint64_t room = 0;

    for (unsigned n = 0; extra + n < NET_CHAINS; n++) {
        if (extra + n >= receiver->n_ready &&
            (!fill(pair, extra + n + 1) || extra + n >= receiver->n_ready))
            return 0;
        room += receiver->ready[extra + n]->element.in_bytes;
        if (room >= length)
            return n + 1;
    }
    return 0;
}

/* Pushes a chain with @length bytes in it, or as many as it has room for. */
static uint32_t
push_chain(NetPair *pair, unsigned index, uint32_t length)
{
    NetReceiver *receiver = pair->receiver;
    NetChain *chain = receiver->ready[index];
    uint32_t part = MIN(length, chain->element.in_bytes);

    kiln_virtqueue_push(pair->rx, &chain->element, part);
    receiver->unused[receiver->n_unused++] = chain;
    receiver->ready[index] = NULL;
    return part;
}

/* What of the header is the device's business: how many chains there are, and no flags for a driver
 * that would not understand them. */
static void
finish_header(const NetPair *pair, unsigned first, unsigned n_chains)
{
    const KilnVirtqElement *element = &pair->receiver->ready[first]->element;
    uint8_t number[2] = { (uint8_t)n_chains, (uint8_t)(n_chains >> 8) };
    uint8_t none = 0;

    kiln_virtqueue_copy_in(element, NUM_BUFFERS, number, sizeof number);
    if (!pair->net->keep_flags)
        kiln_virtqueue_copy_in(element, 0, &none, sizeof none);
}

/*
 * Gives one packet to the driver.  @extra is the first ready chain that no slot has, and moves on
 * with what an overflow takes.  The chains of a packet are pushed one after another.
 *
 * Returns: FALSE if it has to wait for more chains.
 */
static gboolean
deliver(NetPair *pair, unsigned slot_index, unsigned *extra)
{
    NetReceiver *receiver = pair->receiver;
    const NetSlot *slot = &receiver->slots[slot_index];
    uint32_t left = receiver->packets[slot_index].length;
    uint32_t overflow = left > slot->room ? left - slot->room : 0;
    const uint8_t *scratch = scratch_of(receiver, slot_index).iov_base;
    unsigned n_extra = 0;
    unsigned n = 0;

    if (G_UNLIKELY(overflow > 0)) {
        n_extra = pair->net->mergeable ? overflow_chains(pair, *extra, overflow) : 0;
        pair->big = BIG_MEMORY;
        if (n_extra == 0 && pair->net->mergeable && may_have_more(pair))
            return FALSE;
        if (n_extra == 0) {
            kiln_netdev_count_drop(pair->net->netdev, pair->index);
            return TRUE;
        }
    }
    for (uint32_t room = 0; room < MIN(left, slot->room); n++)
        room += receiver->ready[slot->first + n]->element.in_bytes;
    finish_header(pair, slot->first, n + n_extra);
    for (unsigned i = 0; i < n; i++)
        left -= push_chain(pair, slot->first + i, left);
    for (unsigned i = 0; i < n_extra; i++) {
        kiln_virtqueue_copy_in(&receiver->ready[*extra]->element, 0, scratch, left);
        scratch += MIN(left, receiver->ready[*extra]->element.in_bytes);
        left -= push_chain(pair, (*extra)++, left);
    }
    if (n + n_extra > 1)
        pair->big = BIG_MEMORY;
    else if (pair->big > 0)
        pair->big--;
    return TRUE;
}

/* Chains that were used leave gaps; slots that wait have theirs somewhere else then. */
static void
close_gaps(NetReceiver *receiver)
{
    unsigned slot = receiver->pending;
    unsigned n = 0;

    for (unsigned i = 0; i < receiver->n_ready; i++) {
        while (slot < receiver->n_got && receiver->slots[slot].first == i)
            receiver->slots[slot++].first = n;
        if (receiver->ready[i] != NULL)
            receiver->ready[n++] = receiver->ready[i];
    }
    receiver->n_ready = n;
}

/* Delivers what was received, in its order.  Returns whether all of it was. */
static gboolean
deliver_all(NetPair *pair)
{
    NetReceiver *receiver = pair->receiver;
    unsigned extra =
        receiver->slots[receiver->n_got - 1].first + receiver->slots[receiver->n_got - 1].n;

    for (; receiver->pending < receiver->n_got; receiver->pending++)
        if (is_wanted(pair, &receiver->packets[receiver->pending]) &&
            !deliver(pair, receiver->pending, &extra))
            break;
    close_gaps(receiver);
    return receiver->pending == receiver->n_got;
}

/* The driver has given no buffers.  Returns whether some have come meanwhile. */
static gboolean
starve(NetPair *pair)
{
    kiln_virtqueue_flush(pair->rx);
    pair->starved = !kiln_virtqueue_set_notify(pair->rx, TRUE);
    if (!pair->starved)
        (void)kiln_virtqueue_set_notify(pair->rx, FALSE);
    return !pair->starved;
}

/* One batch.  Returns whether there may be more. */
static gboolean
receive_batch(NetPair *pair)
{
    NetReceiver *receiver = pair->receiver;
    int n_slots;
    int got;

    if (receiver->pending < receiver->n_got)
        return !pair->broken && (deliver_all(pair) || starve(pair));
    n_slots = prepare(pair);
    if (n_slots < 0)
        return FALSE;
    if (n_slots == 0)
        return starve(pair);
    got = kiln_netdev_receive(pair->net->netdev, pair->index, receiver->packets, (unsigned)n_slots);
    if (got <= 0)
        return FALSE;
    receiver->pending = 0;
    receiver->n_got = (unsigned)got;
    if (!deliver_all(pair))
        return starve(pair);
    kiln_virtqueue_flush(pair->rx); /* the driver works on these, and gives buffers, meanwhile */
    if (got == n_slots)
        pair->batch = MIN(pair->batch * 2, NET_SLOTS);
    else
        pair->batch = MAX((unsigned)got, MIN_BATCH);
    return got == n_slots;
}

void
kiln_virtio_net_receive(NetPair *pair)
{
    unsigned round = 0;

    if (pair->receiver == NULL && !receiver_open(pair)) {
        pair->broken = TRUE;
        kiln_virtio_device_broken(&pair->net->base, "out of memory");
        return;
    }
    if (pair->batch == 0)
        pair->batch = MIN_BATCH;
    if (pair->starved) {
        pair->starved = FALSE;
        (void)kiln_virtqueue_set_notify(pair->rx, FALSE);
    }
    while (round < ROUNDS && receive_batch(pair))
        round++;
    kiln_virtqueue_flush(pair->rx);
    if (round == ROUNDS) /* a backend may hold packets that poll(2) does not know of */
        kiln_virtio_net_again(pair->net, pair->rx);
}
