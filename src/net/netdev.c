/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See netdev.h. */
#include "net/netdev.h"

#include "base/error.h"
#include "base/lock.h"
#include "loop/fd-source.h"
#include "loop/timer.h"
#include "net/pcap.h"
#include "net/shaper.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { RECEIVE, SEND, N_WAYS };

/* Of a queue pair.  The counters have one writer, the queue's thread. */
typedef struct {
    KilnNetdev *netdev;
    unsigned index;
    GIOCondition wanted;   /* by the device */
    GIOCondition paused;   /* by a limit, until @pause_source fires */
    gboolean dead;         /* the backend is: it is asked no more */
    GSource *fd_source;    /* (nullable) */
    GSource *pause_source; /* (nullable) */
    KilnNetdevReadyFunc ready;
    gpointer data;
    KilnNetdevStatistics count; /* (atomic) */
} __attribute__((aligned(64))) Queue;

/* The files of /sys/class/net/NAME/statistics, in the order of KilnNetdevStatistics: the host's
 * interface sends what the guest receives. */
static const char *const outside_names[] = {
    "tx_bytes", "tx_packets", "tx_errors", "tx_dropped",
    "rx_bytes", "rx_packets", "rx_errors", "rx_dropped",
};
G_STATIC_ASSERT(sizeof(KilnNetdevStatistics) == G_N_ELEMENTS(outside_names) * sizeof(uint64_t));

struct KilnNetdevCore {
    Queue *queues;        /* (owned) */
    gint admin_up;        /* (atomic) */
    gint carrier;         /* (atomic) */
    GSource *link_source; /* tells @link_func, in the main thread */
    gboolean link_told;   /* what it was told last */
    KilnNetdevLinkFunc link_func;
    gpointer link_data;
    KilnPcap *pcap;       /* (owned) (nullable) */
    gint limited[N_WAYS]; /* (atomic) */
    KilnMutex lock;       /* of the shapers, which all queues share */
    KilnShaper shapers[N_WAYS];
    KilnFd outside[G_N_ELEMENTS(outside_names)]; /* (owned); -1: counted here */
};

static inline void
add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* ---- link ---- */

static gboolean
tell_link(gpointer data)
{
    KilnNetdev *netdev = data;
    KilnNetdevCore *core = netdev->core;
    gboolean up = kiln_netdev_link(netdev);

    g_source_set_ready_time(core->link_source, -1);
    if (up != core->link_told) {
        core->link_told = up;
        if (core->link_func != NULL)
            core->link_func(up, core->link_data);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
call_callback(GSource *source G_GNUC_UNUSED, GSourceFunc callback, gpointer data)
{
    return callback(data);
}

/* A source that is only ever ready at its ready time. */
static GSource *
time_source_new(GMainContext *context, GSourceFunc func, gpointer data)
{
    static GSourceFuncs funcs = { .dispatch = call_callback };
    GSource *source = g_source_new(&funcs, sizeof(GSource));

    g_source_set_ready_time(source, -1);
    g_source_set_callback(source, func, data, NULL);
    g_source_attach(source, context);
    return source;
}

gboolean
kiln_netdev_link(const KilnNetdev *netdev)
{
    return g_atomic_int_get(&netdev->core->admin_up) && g_atomic_int_get(&netdev->core->carrier);
}

void
kiln_netdev_set_carrier(KilnNetdev *netdev, gboolean up)
{
    g_atomic_int_set(&netdev->core->carrier, up);
    g_source_set_ready_time(netdev->core->link_source, 0);
}

void
kiln_netdev_set_link(KilnNetdev *netdev, gboolean up)
{
    g_atomic_int_set(&netdev->core->admin_up, up);
    g_source_set_ready_time(netdev->core->link_source, 0);
}

void
kiln_netdev_set_link_func(KilnNetdev *netdev, KilnNetdevLinkFunc func, gpointer data)
{
    netdev->core->link_func = func;
    netdev->core->link_data = data;
    netdev->core->link_told = kiln_netdev_link(netdev);
}

/* ---- making, freeing ---- */

void
kiln_netdev_init(KilnNetdev *netdev, const KilnNetdevOps *ops, const char *id, unsigned n_queues)
{
    KilnNetdevCore *core = g_new0(KilnNetdevCore, 1);

    g_return_if_fail(n_queues >= 1 && n_queues <= KILN_NETDEV_MAX_QUEUES);
    netdev->ops = ops;
    netdev->id = g_strdup(id);
    netdev->n_queues = n_queues;
    netdev->core = core;
    core->queues = g_aligned_alloc0(n_queues, sizeof(Queue), 64);
    for (unsigned i = 0; i < n_queues; i++) {
        core->queues[i].netdev = netdev;
        core->queues[i].index = i;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(outside_names); i++)
        core->outside[i] = -1;
    core->admin_up = core->carrier = core->link_told = TRUE;
    core->link_source = time_source_new(NULL, tell_link, netdev);
    kiln_mutex_init(&core->lock);
}

static void
core_free(KilnNetdevCore *core)
{
    kiln_source_free(core->link_source);
    kiln_pcap_free(core->pcap);
    kiln_mutex_clear(&core->lock);
    for (unsigned i = 0; i < G_N_ELEMENTS(outside_names); i++)
        kiln_fd_clear(&core->outside[i]);
    g_aligned_free(core->queues);
    g_free(core);
}

void
kiln_netdev_free(KilnNetdev *netdev)
{
    if (netdev == NULL)
        return;
    for (unsigned i = 0; i < netdev->n_queues; i++)
        kiln_netdev_detach(netdev, i);
    core_free(netdev->core);
    g_free(netdev->id);
    g_free(netdev->host_name);
    netdev->ops->free(netdev);
}

/* ---- readiness ---- */

static void
queue_watch(Queue *queue)
{
    if (queue->fd_source != NULL)
        kiln_fd_source_set_condition(queue->fd_source,
                                     queue->dead ? 0 : queue->wanted & ~queue->paused);
}

static gboolean
queue_ready(int fd G_GNUC_UNUSED, GIOCondition ready, gpointer data)
{
    Queue *queue = data;

    if ((ready & (G_IO_HUP | G_IO_ERR)) != 0)
        ready |= queue->wanted; /* the backend will tell by its return value */
    queue->ready(queue->index, ready & (G_IO_IN | G_IO_OUT), queue->data);
    return G_SOURCE_CONTINUE;
}

static gboolean
pause_ends(gpointer data)
{
    Queue *queue = data;
    GIOCondition ready = queue->wanted & queue->paused;

    g_source_set_ready_time(queue->pause_source, -1);
    queue->paused = 0;
    queue_watch(queue);
    if (ready != 0)
        queue->ready(queue->index, ready, queue->data);
    return G_SOURCE_CONTINUE;
}

void
kiln_netdev_attach(KilnNetdev *netdev, unsigned index, GMainContext *context,
                   KilnNetdevReadyFunc ready, gpointer data)
{
    Queue *queue = &netdev->core->queues[index];
    int fd = netdev->ops->fd != NULL ? netdev->ops->fd(netdev, index) : -1;

    kiln_netdev_detach(netdev, index);
    queue->ready = ready;
    queue->data = data;
    queue->wanted = queue->paused = 0;
    if (fd >= 0)
        queue->fd_source = kiln_fd_source_new(context, fd, 0, queue_ready, queue);
    queue->pause_source = time_source_new(context, pause_ends, queue);
}

void
kiln_netdev_detach(KilnNetdev *netdev, unsigned index)
{
    Queue *queue = &netdev->core->queues[index];

    kiln_source_free(g_steal_pointer(&queue->fd_source));
    kiln_source_free(g_steal_pointer(&queue->pause_source));
    queue->wanted = 0;
}

void
kiln_netdev_want(KilnNetdev *netdev, unsigned index, GIOCondition condition)
{
    Queue *queue = &netdev->core->queues[index];

    if (queue->wanted == condition)
        return;
    queue->wanted = condition;
    queue_watch(queue);
}

/* ---- limits ---- */

void
kiln_netdev_set_limits(KilnNetdev *netdev, const KilnNetdevLimit *receive,
                       const KilnNetdevLimit *send)
{
    KilnNetdevCore *core = netdev->core;
    uint64_t now = kiln_clock_ns();
    KILN_LOCK_SCOPE(&core->lock);

    kiln_shaper_init(&core->shapers[RECEIVE], receive, now);
    kiln_shaper_init(&core->shapers[SEND], send, now);
    for (unsigned way = 0; way < N_WAYS; way++)
        g_atomic_int_set(&core->limited[way], kiln_shaper_limits(&core->shapers[way]));
}

static void
queue_pause(Queue *queue, unsigned way, uint64_t wait_ns)
{
    gint64 until = g_get_monotonic_time() + (gint64)(wait_ns / 1000) + 1;
    gint64 before = g_source_get_ready_time(queue->pause_source);

    queue->paused |= way == RECEIVE ? G_IO_IN : G_IO_OUT;
    g_source_set_ready_time(queue->pause_source, before < 0 ? until : MIN(before, until));
    queue_watch(queue);
}

/* Whether a packet may go; if not the queue pauses until one may. */
static gboolean
limit_allows(KilnNetdevCore *core, Queue *queue, unsigned way)
{
    uint64_t wait_ns;

    if (!g_atomic_int_get(&core->limited[way]))
        return TRUE;
    kiln_mutex_lock(&core->lock);
    wait_ns = kiln_shaper_wait_ns(&core->shapers[way], kiln_clock_ns());
    kiln_mutex_unlock(&core->lock);
    if (wait_ns != 0 && queue->pause_source != NULL)
        queue_pause(queue, way, wait_ns);
    return wait_ns == 0;
}

static void
limit_take(KilnNetdevCore *core, unsigned way, uint64_t bytes)
{
    if (!g_atomic_int_get(&core->limited[way]))
        return;
    kiln_mutex_lock(&core->lock);
    kiln_shaper_take(&core->shapers[way], bytes);
    kiln_mutex_unlock(&core->lock);
}

/* ---- packets ---- */

static uint64_t
packets_passed(KilnNetdevCore *core, const KilnNetPacket *packets, unsigned n)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < n; i++) {
        bytes += packets[i].length - MIN(packets[i].length, KILN_NETDEV_HEADER);
        if (core->pcap != NULL)
            kiln_pcap_append(core->pcap, packets[i].iov, packets[i].n_iov, KILN_NETDEV_HEADER,
                             packets[i].length);
    }
    return bytes;
}

/* What the backend returned; when it is dead its cable is cut. */
static int
note_death(KilnNetdev *netdev, Queue *queue, int result)
{
    if (G_UNLIKELY(result < 0) && !queue->dead) {
        queue->dead = TRUE;
        queue_watch(queue);
        kiln_netdev_set_carrier(netdev, FALSE);
    }
    return result;
}

static int
send_some(KilnNetdev *netdev, Queue *queue, const KilnNetPacket *packets, unsigned n)
{
    KilnNetdevCore *core = netdev->core;
    uint64_t bytes;
    int sent = note_death(netdev, queue, netdev->ops->send(netdev, queue->index, packets, n));

    if (sent <= 0)
        return sent;
    bytes = packets_passed(core, packets, (unsigned)sent);
    limit_take(core, SEND, bytes);
    add(&queue->count.tx_bytes, bytes);
    add(&queue->count.tx_packets, (unsigned)sent);
    return sent;
}

int
kiln_netdev_send(KilnNetdev *netdev, unsigned index, const KilnNetPacket *packets, unsigned n)
{
    KilnNetdevCore *core = netdev->core;
    Queue *queue = &core->queues[index];
    unsigned done = 0;

    if (G_UNLIKELY(!kiln_netdev_link(netdev))) {
        add(&queue->count.tx_dropped, n);
        return (int)n;
    }
    if (!g_atomic_int_get(&core->limited[SEND]))
        return send_some(netdev, queue, packets, n);
    while (done < n && limit_allows(core, queue, SEND)) {
        int sent = send_some(netdev, queue, packets + done, 1);

        if (sent <= 0)
            return done > 0 ? (int)done : sent;
        done++;
    }
    return (int)done;
}

int
kiln_netdev_receive(KilnNetdev *netdev, unsigned index, KilnNetPacket *packets, unsigned n)
{
    KilnNetdevCore *core = netdev->core;
    Queue *queue = &core->queues[index];
    uint64_t bytes;
    int got;

    if (!limit_allows(core, queue, RECEIVE))
        return 0;
    got = note_death(netdev, queue, netdev->ops->receive(netdev, index, packets, n));
    if (got <= 0)
        return got;
    if (G_UNLIKELY(!kiln_netdev_link(netdev))) {
        add(&queue->count.rx_dropped, (unsigned)got);
        return 0;
    }
    bytes = packets_passed(core, packets, (unsigned)got);
    limit_take(core, RECEIVE, bytes);
    add(&queue->count.rx_bytes, bytes);
    add(&queue->count.rx_packets, (unsigned)got);
    return got;
}

void
kiln_netdev_count_drop(KilnNetdev *netdev, unsigned queue)
{
    add(&netdev->core->queues[queue].count.rx_dropped, 1);
}

void
kiln_netdev_count_tx_error(KilnNetdev *netdev, unsigned queue)
{
    add(&netdev->core->queues[queue].count.tx_errors, 1);
}

/* ---- the rest ---- */

void
kiln_netdev_set_offloads(KilnNetdev *netdev, unsigned offloads)
{
    if (netdev->ops->set_offloads != NULL)
        netdev->ops->set_offloads(netdev, offloads & netdev->offloads);
}

void
kiln_netdev_enable(KilnNetdev *netdev, unsigned n_queues)
{
    if (netdev->ops->enable != NULL)
        netdev->ops->enable(netdev, MIN(n_queues, netdev->n_queues));
}

void
kiln_netdev_set_mac(KilnNetdev *netdev, const uint8_t mac[6])
{
    if (netdev->ops->set_mac != NULL)
        netdev->ops->set_mac(netdev, mac);
}

gboolean
kiln_netdev_capture(KilnNetdev *netdev, const char *path, GError **error)
{
    KilnPcap *pcap = kiln_pcap_open(path, error);

    if (pcap == NULL) {
        g_prefix_error(error, "interface '%s': ", netdev->id);
        return FALSE;
    }
    kiln_pcap_free(netdev->core->pcap);
    netdev->core->pcap = pcap;
    return TRUE;
}

gboolean
kiln_netdev_needs_user_space(const KilnNetdev *netdev)
{
    return netdev->core->pcap != NULL || g_atomic_int_get(&netdev->core->limited[RECEIVE]) ||
           g_atomic_int_get(&netdev->core->limited[SEND]);
}

gboolean
kiln_netdev_count_outside(KilnNetdev *netdev, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(outside_names); i++) {
        g_autofree char *path =
            g_strdup_printf("/sys/class/net/%s/statistics/%s", netdev->host_name, outside_names[i]);

        kiln_fd_clear(&netdev->core->outside[i]);
        netdev->core->outside[i] = kiln_open(path, O_RDONLY, 0, error);
        if (netdev->core->outside[i] < 0)
            return FALSE;
    }
    return TRUE;
}

static uint64_t
read_counter(int fd)
{
    char text[32] = "";

    if (pread(fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    return g_ascii_strtoull(text, NULL, 10);
}

void
kiln_netdev_statistics(const KilnNetdev *netdev, KilnNetdevStatistics *statistics)
{
    const KilnNetdevCore *core = netdev->core;
    uint64_t sums[G_N_ELEMENTS(outside_names)] = { 0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sums); i++) {
        if (core->outside[i] >= 0) {
            sums[i] = read_counter(core->outside[i]);
            continue;
        }
        for (unsigned queue = 0; queue < netdev->n_queues; queue++) {
            const uint64_t *counters = (const uint64_t *)&core->queues[queue].count;

            sums[i] += __atomic_load_n(&counters[i], __ATOMIC_RELAXED);
        }
    }
    memcpy(statistics, sums, sizeof sums);
}
