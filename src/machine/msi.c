/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See msi.h.  A wire that is connected is a GSI of KVM's routing table with an irqfd:
 *
 *   connect -> a GSI each -> one commit, if any of them is new to KVM -> irqfds
 *   disconnect -> irqfds away; the GSIs stay in the table, for the same messages to come back
 *
 * A guest masks a vector and unmasks it again far more often than it changes its message: then KVM
 * has the route still, and nothing but the irqfd changes.
 */
#include "machine/msi.h"

#include <sys/eventfd.h>

#include "base/lock.h"
#include "base/log.h"
#include "kvm/irq.h"

/* A GSI that was allocated, for ever. */
typedef struct {
    int gsi;
    KilnMsiMessage message; /* what KVM sends for it, if @routed */
    gboolean routed;
    gboolean fresh; /* routed by the connect that is under way, not committed yet */
    GList link;     /* of the queue @idle, while no wire has it */
} Route;

struct KilnMachineMsi {
    KilnVm *vm;
    gboolean any_length; /* KVM takes doorbells for writes of any length */

    KilnMutex lock;         /* of all below; a leaf */
    KilnIrqRoutes *gsis;    /* (owned) */
    GPtrArray *routes;      /* (owned) of Route, by GSI */
    GQueue idle;            /* of Route: no wire has them, longest first */
    GHashTable *by_message; /* (owned): of the idle ones that are routed, one for each message */
    guint n_commits;
};

/* ---- routes ------------------------------------------------------------------------------------
 * All with the lock held.
 */

static guint
hash_message(gconstpointer key)
{
    const KilnMsiMessage *message = key;

    return (guint)(message->address >> 12) * 31 + message->data;
}

static gboolean
equal_messages(gconstpointer a, gconstpointer b)
{
    const KilnMsiMessage *one = a, *other = b;

    return one->address == other->address && one->data == other->data;
}

static void
make_idle(KilnMachineMsi *msi, Route *route)
{
    g_queue_push_tail_link(&msi->idle, &route->link);
    if (route->routed)
        g_hash_table_replace(msi->by_message, &route->message, route);
}

static void
make_busy(KilnMachineMsi *msi, Route *route)
{
    g_queue_unlink(&msi->idle, &route->link);
    if (g_hash_table_lookup(msi->by_message, &route->message) == route)
        g_hash_table_remove(msi->by_message, &route->message);
}

static Route *
new_route(KilnMachineMsi *msi)
{
    int gsi = kiln_irq_allocate(msi->gsis);
    Route *route;

    if (gsi < 0)
        return NULL;
    route = g_new0(Route, 1);
    route->gsi = gsi;
    route->link.data = route;
    g_assert((guint)gsi == KILN_IRQ_N_PINS + msi->routes->len); /* none was given back */
    g_ptr_array_add(msi->routes, route);
    return route;
}

/* A route that sends @message, after a commit if it is fresh; NULL if KVM's table is full. */
static Route *
take_route(KilnMachineMsi *msi, const KilnMsiMessage *message)
{
    Route *route = g_hash_table_lookup(msi->by_message, message);
    gboolean known = route != NULL;

    if (route == NULL)
        route = g_queue_peek_head(&msi->idle);
    if (route != NULL)
        make_busy(msi, route);
    else
        route = new_route(msi);
    if (route == NULL || known)
        return route;
    kiln_irq_set_msi(msi->gsis, route->gsi, message->address, message->data);
    route->message = *message;
    route->routed = TRUE;
    route->fresh = TRUE;
    return route;
}

static void
give_back(KilnMachineMsi *msi, KilnMsiWire *wire)
{
    Route *route = g_ptr_array_index(msi->routes, (guint)(wire->route - KILN_IRQ_N_PINS));

    wire->route = -1;
    make_idle(msi, route);
}

static gboolean
commit(KilnMachineMsi *msi, GError **error)
{
    msi->n_commits++;
    return kiln_irq_commit(msi->gsis, error);
}

/* ---- wires -------------------------------------------------------------------------------------
 */

static void
warn(const GError *error)
{
    static KilnRatelimit limit;

    kiln_log_guest(&limit, "an interrupt of a device is not connected: %s", error->message);
}

/*
 * What was written before is taken out first and put in again: KVM would notice it, but leave it
 * there, as if it were pending still once the vector is masked.
 */
static gboolean
add_irqfd(KilnMachineMsi *msi, const KilnMsiWire *wire, GError **error)
{
    eventfd_t count;
    gboolean pending = eventfd_read(wire->fd, &count) == 0;
    gboolean added = kiln_irqfd_add(msi->vm, (guint)wire->route, wire->fd, -1, error);

    if (pending)
        (void)eventfd_write(wire->fd, 1);
    return added;
}

static void
connect_wires(void *opaque, KilnMsiWire *const *wires, unsigned n)
{
    KilnMachineMsi *msi = opaque;
    KILN_LOCK_SCOPE(&msi->lock);
    g_autoptr(GError) error = NULL;
    gboolean any_fresh = FALSE, committed = TRUE;

    for (unsigned i = 0; i < n; i++) {
        Route *route = take_route(msi, &wires[i]->message);

        wires[i]->route = route != NULL ? route->gsi : -1;
        any_fresh |= route != NULL && route->fresh;
    }
    if (any_fresh)
        committed = commit(msi, &error);
    for (unsigned i = 0; i < n; i++) {
        if (wires[i]->route < 0)
            continue;

        Route *route = g_ptr_array_index(msi->routes, (guint)wires[i]->route - KILN_IRQ_N_PINS);
        gboolean usable = committed || !route->fresh;

        route->routed = usable; /* else it is given to KVM once more before it is used */
        route->fresh = FALSE;
        if (!usable || !add_irqfd(msi, wires[i], error == NULL ? &error : NULL))
            give_back(msi, wires[i]);
    }
    if (error != NULL)
        warn(error);
}

static void
disconnect_wires(void *opaque, KilnMsiWire *const *wires, unsigned n)
{
    KilnMachineMsi *msi = opaque;
    KILN_LOCK_SCOPE(&msi->lock);

    for (unsigned i = 0; i < n; i++) {
        g_autoptr(GError) error = NULL;

        if (!kiln_irqfd_remove(msi->vm, (guint)wires[i]->route, wires[i]->fd, &error))
            warn(error);
        give_back(msi, wires[i]);
    }
}

static const KilnMsiOps msi_ops = { .connect = connect_wires, .disconnect = disconnect_wires };

KilnMsi
kiln_machine_msi_wires(KilnMachineMsi *msi)
{
    return (KilnMsi){ &msi_ops, msi };
}

/* ---- doorbells ---------------------------------------------------------------------------------
 */

/* Lengths of writes that ring: any, else those that drivers use (virtio 1.2 §4.1.5.2). */
static guint
doorbell_lengths(const KilnMachineMsi *msi, guint lengths[2])
{
    if (msi->any_length) {
        lengths[0] = 0;
        return 1;
    }
    lengths[0] = 2;
    lengths[1] = 4;
    return 2;
}

static void
remove_doorbell(void *opaque, uint64_t address, int fd)
{
    const KilnMachineMsi *msi = opaque;
    guint lengths[2];
    guint n = doorbell_lengths(msi, lengths);

    for (guint i = 0; i < n; i++) {
        KilnIoEvent event = { .address = address, .length = lengths[i] };

        kiln_ioeventfd_remove(msi->vm, &event, fd, NULL);
    }
}

static gboolean
add_doorbell(void *opaque, uint64_t address, int fd)
{
    const KilnMachineMsi *msi = opaque;
    guint lengths[2];
    guint n = doorbell_lengths(msi, lengths);

    for (guint i = 0; i < n; i++) {
        KilnIoEvent event = { .address = address, .length = lengths[i] };

        if (kiln_ioeventfd_add(msi->vm, &event, fd, NULL))
            continue;
        if (i > 0) {
            event.length = lengths[0];
            kiln_ioeventfd_remove(msi->vm, &event, fd, NULL);
        }
        return FALSE;
    }
    return TRUE;
}

static const KilnDoorbellOps doorbell_ops = { .add = add_doorbell, .remove = remove_doorbell };

KilnDoorbells
kiln_machine_msi_doorbells(KilnMachineMsi *msi)
{
    return (KilnDoorbells){ &doorbell_ops, msi };
}

/* ---- life --------------------------------------------------------------------------------------
 */

KilnMachineMsi *
kiln_machine_msi_new(KilnVm *vm)
{
    KilnMachineMsi *msi = g_new0(KilnMachineMsi, 1);

    msi->vm = vm;
    msi->any_length = kiln_kvm_capability(kiln_vm_kvm(vm), KVM_CAP_IOEVENTFD_ANY_LENGTH) > 0;
    kiln_mutex_init(&msi->lock);
    msi->gsis = kiln_irq_routes_new(vm);
    msi->routes = g_ptr_array_new_with_free_func(g_free);
    g_queue_init(&msi->idle);
    msi->by_message = g_hash_table_new(hash_message, equal_messages);
    return msi;
}

void
kiln_machine_msi_free(KilnMachineMsi *msi)
{
    if (msi == NULL)
        return;
    g_hash_table_unref(msi->by_message);
    g_ptr_array_unref(msi->routes);
    kiln_irq_routes_free(msi->gsis);
    kiln_mutex_clear(&msi->lock);
    g_free(msi);
}

guint
kiln_machine_msi_commits(KilnMachineMsi *msi)
{
    KILN_LOCK_SCOPE(&msi->lock);

    return msi->n_commits;
}
