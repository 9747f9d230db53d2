/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-vsock.h. */
#include "device/virtio-vsock.h"

#include "base/error.h"
#include "base/le.h"
#include "base/log.h"
#include "device/virtio-vsock-broker.h"
#include "device/virtio-vsock-connection.h"
#include "device/virtio-vsock-event.h"
#include "device/virtio-vsock-host.h"

#include <unistd.h>

enum {
    HEADER = sizeof(struct virtio_vsock_hdr),
    QUEUE_SIZE = 128,          /* if not told otherwise */
    TURN = 128,                /* packets before others of the loop have their turn */
    MAX_RESETS = 64,           /* that are owed to the guest; then it is not listened to */
    FIRST_HOST_PORT = 1 << 30, /* of calls from the host, as with Firecracker */
    LAST_HOST_PORT = G_MAXINT32,
};

typedef struct {
    uint32_t host_port;
    uint32_t guest_port;
} Ports;

typedef struct {
    KilnVirtioDevice virtio;
    KilnVsockEnd end;
    KilnVsockHost *host;     /* (owned) (nullable) */
    KilnVsockBroker *broker; /* (owned) (nullable) */
    KilnFd (*connect)(void *opaque, uint32_t port);
    void *opaque;
    GHashTable *connections;  /* (owned): by their ports, which are in one number */
    GHashTable *waiting;      /* (owned): by tag, those that wait for the broker */
    GQueue ready;             /* connections that have something for the guest, in turn */
    Ports resets[MAX_RESETS]; /* answers to packets of no connection */
    unsigned n_resets;
    uint32_t next_tag;
    uint32_t next_port;
    gboolean moved;     /* the driver is to be told that its connections are gone */
    struct iovec *iov;  /* (owned): of an element */
    struct iovec *room; /* (owned): of its part for data */
    uint16_t max_iov;
    KilnRatelimit limit;
} Vsock;

static void
kick_again(Vsock *vsock, unsigned queue)
{
    uint64_t one = 1;
    ssize_t written = write(kiln_virtio_device_kick_fd(&vsock->virtio, queue), &one, sizeof one);

    (void)written; /* an eventfd that is full is set */
}

/* -- connections ------------------------------------------------------------------------------- */

static gint64
key_of(uint32_t host_port, uint32_t guest_port)
{
    return (gint64)((uint64_t)host_port << 32 | guest_port);
}

static KilnVsockConnection *
find(Vsock *vsock, uint32_t host_port, uint32_t guest_port)
{
    gint64 key = key_of(host_port, guest_port);

    return g_hash_table_lookup(vsock->connections, &key);
}

static void
add(Vsock *vsock, KilnVsockConnection *c)
{
    gint64 *key = g_new(gint64, 1);

    *key = key_of(c->host_port, c->guest_port);
    c->tag = vsock->next_tag++;
    g_hash_table_insert(vsock->connections, key, c);
}

static void
forget(Vsock *vsock, KilnVsockConnection *c)
{
    gint64 key = key_of(c->host_port, c->guest_port);

    if (c->queued)
        g_queue_unlink(&vsock->ready, &c->link);
    g_hash_table_remove(vsock->waiting, GUINT_TO_POINTER(c->tag));
    g_hash_table_remove(vsock->connections, &key); /* frees it */
}

/* Queues @c if it has something to give; one that has ended without a last word goes. */
static void
settle(Vsock *vsock, KilnVsockConnection *c)
{
    if (c->state == KILN_VSOCK_ENDED && c->pending == 0) {
        forget(vsock, c);
    } else if (!c->queued && kiln_vsock_connection_ready(c)) {
        c->queued = TRUE;
        g_queue_push_tail_link(&vsock->ready, &c->link);
    }
}

static void
owe_reset(Vsock *vsock, const KilnVsockHeader *header)
{
    if (header->op != VIRTIO_VSOCK_OP_RST && vsock->n_resets < MAX_RESETS)
        vsock->resets[vsock->n_resets++] = (Ports){ header->dst_port, header->src_port };
}

static void pump(Vsock *vsock);

static void
connection_ready(void *opaque, KilnVsockConnection *c)
{
    Vsock *vsock = opaque;

    settle(vsock, c);
    pump(vsock);
}

static void
broker_answered(void *opaque, uint32_t port, uint32_t tag, KilnFd socket)
{
    Vsock *vsock = opaque;
    KilnVsockConnection *c = g_hash_table_lookup(vsock->waiting, GUINT_TO_POINTER(tag));

    if (c == NULL) {
        kiln_fd_clear(&socket); /* the guest did not wait */
        return;
    }
    g_hash_table_remove(vsock->waiting, GUINT_TO_POINTER(tag));
    kiln_vsock_connection_attach(c, socket);
    connection_ready(vsock, c);
}

/* A program of the host calls. */
static void
host_called(void *opaque, uint32_t port, KilnFd socket)
{
    Vsock *vsock = opaque;
    KilnVsockConnection *c;

    if (!kiln_virtio_device_running(&vsock->virtio) ||
        g_hash_table_size(vsock->connections) >= KILN_VSOCK_MAX_CONNECTIONS) {
        kiln_fd_clear(&socket);
        return;
    }
    do
        vsock->next_port =
            vsock->next_port < LAST_HOST_PORT ? vsock->next_port + 1 : FIRST_HOST_PORT;
    while (find(vsock, vsock->next_port, port) != NULL);
    c = kiln_vsock_connection_new_of_host(&vsock->end, vsock->next_port, port, socket);
    add(vsock, c);
    connection_ready(vsock, c);
}

/* -- from the guest ---------------------------------------------------------------------------- */

static void
guest_called(Vsock *vsock, const KilnVsockHeader *header)
{
    KilnVsockConnection *c;

    if (g_hash_table_size(vsock->connections) >= KILN_VSOCK_MAX_CONNECTIONS ||
        (vsock->connect == NULL && vsock->broker == NULL)) {
        owe_reset(vsock, header);
        return;
    }
    c = kiln_vsock_connection_new_of_guest(&vsock->end, header);
    add(vsock, c);
    if (vsock->connect != NULL) {
        kiln_vsock_connection_attach(c, vsock->connect(vsock->opaque, header->dst_port));
    } else if (kiln_vsock_broker_connect(vsock->broker, header->dst_port, c->tag)) {
        g_hash_table_insert(vsock->waiting, GUINT_TO_POINTER(c->tag), c);
    } else {
        kiln_vsock_connection_attach(c, -1);
    }
    settle(vsock, c);
}

static void
receive(Vsock *vsock, const KilnVsockHeader *header, const KilnVirtqElement *element)
{
    KilnVsockConnection *c;

    /* virtio 1.2 §5.10.6.4.2: what is not from the guest to the host is refused */
    if (header->src_cid != vsock->end.cid || header->dst_cid != KILN_VSOCK_HOST_CID ||
        header->type != VIRTIO_VSOCK_TYPE_STREAM) {
        if (header->src_cid == vsock->end.cid)
            owe_reset(vsock, header);
        return;
    }
    c = find(vsock, header->dst_port, header->src_port);
    if (c != NULL) {
        kiln_vsock_connection_receive(c, header, element, HEADER);
        settle(vsock, c);
    } else if (header->op == VIRTIO_VSOCK_OP_REQUEST) {
        guest_called(vsock, header);
    } else {
        owe_reset(vsock, header);
    }
}

/* Returns: FALSE if the driver broke the rules. */
static gboolean
transmit_one(Vsock *vsock, KilnVirtqueue *tx, const KilnVirtqElement *element)
{
    struct virtio_vsock_hdr raw;
    KilnVsockHeader header;

    if (kiln_virtqueue_copy_out(element, 0, &raw, HEADER) != HEADER) {
        kiln_virtio_device_broken(&vsock->virtio, "a packet of %u bytes has no header",
                                  element->out_bytes);
        return FALSE;
    }
    kiln_vsock_header_load(&header, &raw);
    if (header.len > element->out_bytes - HEADER) {
        kiln_virtio_device_broken(&vsock->virtio, "a packet of %u bytes says that it has %u",
                                  element->out_bytes, header.len);
        return FALSE;
    }
    receive(vsock, &header, element);
    kiln_virtqueue_push(tx, element, 0);
    return TRUE;
}

/* Takes what the guest sends, unless it is owed too many answers. */
static void
transmit(Vsock *vsock)
{
    KilnVirtqueue *tx = kiln_virtio_device_queue(&vsock->virtio, KILN_VSOCK_QUEUE_TX);
    KilnVirtqElement element = { .iov = vsock->iov, .max_iov = vsock->max_iov };
    int got = 0;

    for (unsigned i = 0; vsock->n_resets < MAX_RESETS; i++) {
        if (i == TURN) {
            kick_again(vsock, KILN_VSOCK_QUEUE_TX);
            break;
        }
        got = kiln_virtqueue_pop(tx, &element);
        if (got == 0 && !kiln_virtqueue_set_notify(tx, TRUE))
            break;
        if (got < 0 || (got > 0 && !transmit_one(vsock, tx, &element)))
            break;
    }
    if (got == -EPROTO)
        kiln_virtio_device_broken(&vsock->virtio, "the queue of packets to send is broken");
    kiln_virtqueue_flush(tx);
}

/* -- to the guest ------------------------------------------------------------------------------ */

/* The part of @element's device-writable buffers after a header.  Returns: pieces. */
static unsigned
room_for_data(Vsock *vsock, const KilnVirtqElement *element)
{
    const struct iovec *in = element->iov + element->n_out;
    size_t skip = HEADER;
    unsigned n = 0;

    for (unsigned i = 0; i < element->n_in; i++) {
        size_t skipped = MIN(skip, in[i].iov_len);

        skip -= skipped;
        if (in[i].iov_len > skipped)
            vsock->room[n++] = (struct iovec){ .iov_base = (uint8_t *)in[i].iov_base + skipped,
                                               .iov_len = in[i].iov_len - skipped };
    }
    return n;
}

/* Returns: FALSE if nobody had anything after all. */
static gboolean
fill(Vsock *vsock, const KilnVirtqElement *element, KilnVsockHeader *header)
{
    unsigned n = room_for_data(vsock, element);

    if (vsock->n_resets > 0) {
        const Ports *ports = &vsock->resets[--vsock->n_resets];

        *header = (KilnVsockHeader){
            .src_cid = KILN_VSOCK_HOST_CID,
            .dst_cid = vsock->end.cid,
            .src_port = ports->host_port,
            .dst_port = ports->guest_port,
            .type = VIRTIO_VSOCK_TYPE_STREAM,
            .op = VIRTIO_VSOCK_OP_RST,
        };
        return TRUE;
    }
    while (vsock->ready.length > 0) {
        KilnVsockConnection *c = g_queue_pop_head_link(&vsock->ready)->data;
        gboolean given;

        c->queued = FALSE;
        given = kiln_vsock_connection_give(c, vsock->room, n, header);
        settle(vsock, c); /* at the end, so that each has its turn */
        if (given)
            return TRUE;
    }
    return FALSE;
}

/* Returns: 1 if a packet was given, 0 if there is none or no room, -1 if the queue is broken. */
static int
give_one(Vsock *vsock, KilnVirtqueue *rx)
{
    KilnVirtqElement element = { .iov = vsock->iov, .max_iov = vsock->max_iov };
    struct virtio_vsock_hdr raw;
    KilnVsockHeader header;
    int got = kiln_virtqueue_pop(rx, &element);

    if (got == 0 && kiln_virtqueue_set_notify(rx, TRUE))
        got = kiln_virtqueue_pop(rx, &element);
    if (got <= 0) {
        if (got == -EPROTO)
            kiln_virtio_device_broken(&vsock->virtio, "the queue of received packets is broken");
        return got < 0 ? -1 : 0;
    }
    if (element.in_bytes < HEADER) {
        kiln_virtio_device_broken(&vsock->virtio, "a buffer of %u bytes has no room for a header",
                                  element.in_bytes);
        return -1;
    }
    if (!fill(vsock, &element, &header)) {
        kiln_virtqueue_unpop(rx, &element);
        return 0;
    }
    kiln_vsock_header_store(&header, &raw);
    (void)kiln_virtqueue_copy_in(&element, 0, &raw, HEADER);
    kiln_virtqueue_push(rx, &element, HEADER + header.len);
    return 1;
}

static void
give_all(Vsock *vsock)
{
    KilnVirtqueue *rx = kiln_virtio_device_queue(&vsock->virtio, KILN_VSOCK_QUEUE_RX);

    for (unsigned i = 0; vsock->n_resets > 0 || vsock->ready.length > 0; i++) {
        if (i == TURN) {
            kick_again(vsock, KILN_VSOCK_QUEUE_RX);
            break;
        }
        if (give_one(vsock, rx) <= 0)
            break;
    }
    kiln_virtqueue_flush(rx);
}

/* Gives the guest what there is for it, and listens to it again if it was not listened to. */
static void
pump(Vsock *vsock)
{
    gboolean deaf = vsock->n_resets == MAX_RESETS;

    if (!kiln_virtio_device_running(&vsock->virtio) ||
        !kiln_virtqueue_started(kiln_virtio_device_queue(&vsock->virtio, KILN_VSOCK_QUEUE_RX)))
        return;
    give_all(vsock);
    if (deaf && vsock->n_resets < MAX_RESETS)
        kick_again(vsock, KILN_VSOCK_QUEUE_TX);
}

/* -- the device -------------------------------------------------------------------------------- */

static void
vsock_kick(KilnVirtioDevice *device, unsigned queue)
{
    Vsock *vsock = (Vsock *)device;

    if (queue == KILN_VSOCK_QUEUE_TX)
        transmit(vsock);
    else if (queue == KILN_VSOCK_QUEUE_EVENT)
        vsock->moved = vsock->moved && !kiln_vsock_tell_moved(device);
    pump(vsock);
}

static void
vsock_reset(KilnVirtioDevice *device)
{
    Vsock *vsock = (Vsock *)device;

    g_hash_table_remove_all(vsock->waiting);
    g_queue_init(&vsock->ready); /* its links are in the connections */
    g_hash_table_remove_all(vsock->connections);
    vsock->n_resets = 0;
    vsock->moved = FALSE;
}

static void
vsock_free(KilnVirtioDevice *device)
{
    Vsock *vsock = (Vsock *)device;

    kiln_vsock_host_free(vsock->host);
    kiln_vsock_broker_free(vsock->broker);
    vsock_reset(device);
    g_hash_table_unref(vsock->waiting);
    g_hash_table_unref(vsock->connections);
    g_free(vsock->iov);
    g_free(vsock->room);
    kiln_virtio_device_clear(device);
    g_free(vsock);
}

/* Connections stay behind. */
static gboolean
vsock_post_load(void *object, GError **error)
{
    Vsock *vsock = object;

    vsock->moved = TRUE;
    return TRUE;
}

/* The CID is the definition's; a driver whose device has another one now asks for it anew. */
static const KilnStateField vsock_fields[] = {
    KILN_STATE_END,
};

static const KilnStateDescription vsock_state = {
    .name = "virtio-vsock",
    .version = 1,
    .min_version = 1,
    .fields = vsock_fields,
    .post_load = vsock_post_load,
};

static const KilnVirtioOps vsock_ops = {
    .name = "virtio-vsock",
    .id = VIRTIO_ID_VSOCK,
    .kick = vsock_kick,
    .reset = vsock_reset,
    .free = vsock_free,
    .state = &vsock_state,
};

static gboolean
open_host(Vsock *vsock, const KilnVirtioVsockOptions *options, GError **error)
{
    if (options->path == NULL)
        return TRUE;
    if (options->connect == NULL) {
        vsock->broker = kiln_vsock_broker_new(options->path, options->virtio.memory, NULL,
                                              broker_answered, vsock, error);
        if (vsock->broker == NULL)
            return FALSE;
    }
    vsock->host = kiln_vsock_host_new(options->path, NULL, host_called, vsock, error);
    return vsock->host != NULL;
}

static void
connection_free(gpointer connection)
{
    kiln_vsock_connection_free(connection);
}

KilnVirtioDevice *
kiln_virtio_vsock_new(const KilnVirtioVsockOptions *options, GError **error)
{
    Vsock *vsock = g_new0(Vsock, 1);
    KilnVirtioOptions virtio = options->virtio;
    uint64_t cid = options->cid != 0 ? options->cid : KILN_VSOCK_FIRST_CID;

    virtio.context = NULL;
    virtio.n_queues = KILN_VSOCK_N_QUEUES;
    virtio.queue_size = virtio.queue_size != 0 ? virtio.queue_size : QUEUE_SIZE;
    virtio.features = 0;
    virtio.config_size = sizeof(struct virtio_vsock_config);
    kiln_virtio_device_init(&vsock->virtio, &vsock_ops, &virtio);
    kiln_le64_store(vsock->virtio.config, cid);
    vsock->end = (KilnVsockEnd){ .cid = cid, .ready = connection_ready, .opaque = vsock };
    vsock->next_port = FIRST_HOST_PORT;
    vsock->connect = options->connect;
    vsock->opaque = options->opaque;
    vsock->connections =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, connection_free);
    vsock->waiting = g_hash_table_new(NULL, NULL);
    g_queue_init(&vsock->ready);
    vsock->max_iov = virtio.queue_size;
    vsock->iov = g_new(struct iovec, vsock->max_iov);
    vsock->room = g_new(struct iovec, vsock->max_iov);
    if (cid < KILN_VSOCK_FIRST_CID || cid >= G_MAXUINT32) {
        kiln_error_set(error, KILN_ERROR_INVALID,
                       "%s: %" G_GUINT64_FORMAT " cannot be a guest's CID", options->virtio.id,
                       (guint64)cid);
        vsock_free(&vsock->virtio);
        return NULL;
    }
    if (!open_host(vsock, options, error)) {
        vsock_free(&vsock->virtio);
        return NULL;
    }
    return &vsock->virtio;
}

unsigned
kiln_virtio_vsock_n_connections(const KilnVirtioDevice *device)
{
    return g_hash_table_size(((const Vsock *)device)->connections);
}
