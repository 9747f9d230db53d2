/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guest sends (virtio 1.2 §5.1.6.2): batches of packets that the backend reads where the
 * driver put them, header and all.
 */
#include "device/virtio-net-private.h"

enum {
    MIN_PACKET = KILN_NETDEV_HEADER + 14, /* bytes: an Ethernet header */
    ROUNDS = 16,                          /* batches before others have their turn */
};

static void
broken(NetPair *pair)
{
    pair->broken = TRUE;
    kiln_virtio_device_broken(&pair->net->base, "transmit queue %u: a bad chain", pair->index);
}

/* Gives a packet back that is none. */
static void
refuse(NetPair *pair, const KilnVirtqElement *element)
{
    kiln_netdev_count_tx_error(pair->net->netdev, pair->index);
    kiln_virtqueue_push(pair->tx, element, 0);
}

static gboolean
is_packet(const KilnVirtqElement *element)
{
    return element->out_bytes >= MIN_PACKET && element->out_bytes <= KILN_NETDEV_MAX_PACKET &&
           element->n_out > 0;
}

/* Pops a batch.  Returns how many, or -EPROTO. */
static int
collect(NetPair *pair)
{
    NetSender *sender = pair->sender;
    unsigned size = kiln_virtqueue_size(pair->tx);
    unsigned used = 0;
    unsigned n = 0;

    while (n < NET_BATCH && NET_TX_IOV - used >= size) {
        KilnVirtqElement *element = &sender->elements[n];
        int popped;

        element->iov = sender->iov + used;
        element->max_iov = (uint16_t)size;
        popped = kiln_virtqueue_pop(pair->tx, element);
        if (popped < 0)
            return popped;
        if (popped == 0)
            break;
        if (G_UNLIKELY(!is_packet(element))) {
            if (n > 0) { /* those before may have to be taken back, in order */
                kiln_virtqueue_unpop(pair->tx, element);
                break;
            }
            refuse(pair, element);
            continue;
        }
        sender->packets[n] = (KilnNetPacket){ element->iov, element->n_out, element->out_bytes };
        used += element->n_out;
        n++;
    }
    return (int)n;
}

/* Sends @n packets.  Returns FALSE if the backend takes no more for now. */
static gboolean
send_batch(NetPair *pair, unsigned n)
{
    NetSender *sender = pair->sender;
    int sent = kiln_netdev_send(pair->net->netdev, pair->index, sender->packets, n);

    if (G_UNLIKELY(sent < 0)) { /* it is dead: what is sent is lost, as on a cable that is cut */
        for (unsigned i = 0; i < n; i++)
            kiln_netdev_count_tx_error(pair->net->netdev, pair->index);
        sent = (int)n;
    }
    for (unsigned i = 0; i < (unsigned)sent; i++)
        kiln_virtqueue_push(pair->tx, &sender->elements[i], 0);
    for (unsigned i = n; i > (unsigned)sent; i--)
        kiln_virtqueue_unpop(pair->tx, &sender->elements[i - 1]);
    kiln_virtqueue_flush(pair->tx);
    return (unsigned)sent == n;
}

void
kiln_virtio_net_send(NetPair *pair)
{
    if (pair->sender == NULL)
        pair->sender = g_new(NetSender, 1);
    pair->full = FALSE;
    (void)kiln_virtqueue_set_notify(pair->tx, FALSE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int n = collect(pair);

        if (n < 0) {
            broken(pair);
            return;
        }
        if (n > 0 && !send_batch(pair, (unsigned)n)) {
            pair->full = TRUE;
            break;
        }
        if (n == 0) {
            kiln_virtqueue_flush(pair->tx); /* what was refused */
            if (!kiln_virtqueue_set_notify(pair->tx, TRUE))
                break;
            (void)kiln_virtqueue_set_notify(pair->tx, FALSE);
        }
        if (round == ROUNDS - 1) /* the others' turn, then this one's again */
            kiln_virtio_net_again(pair->net, pair->tx);
    }
}
