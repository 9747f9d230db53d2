/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/irq.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/lock.h"

enum { N_PIC_PINS = 16, N_FIXED = N_PIC_PINS + KILN_IRQ_N_PINS };

/* A GSI of the table, from KILN_IRQ_N_PINS up. */
typedef struct {
    gboolean allocated;
    gboolean routed;
    uint64_t address;
    uint32_t data;
} Message;

struct KilnIrqRoutes {
    KilnVm *vm;
    KilnMutex lock;   /* of all that follows */
    GArray *messages; /* (owned) of Message */
    guint max;        /* messages that KVM's table has room for */
    gboolean changed; /* since the last commit */
};

KilnIrqRoutes *
kiln_irq_routes_new(KilnVm *vm)
{
    KilnIrqRoutes *routes = g_new0(KilnIrqRoutes, 1);

    routes->vm = vm;
    kiln_mutex_init(&routes->lock);
    routes->messages = g_array_new(FALSE, TRUE, sizeof(Message));
    routes->max =
        (guint)MAX(kiln_kvm_capability(kiln_vm_kvm(vm), KVM_CAP_IRQ_ROUTING) - N_FIXED, 0);
    return routes;
}

void
kiln_irq_routes_free(KilnIrqRoutes *routes)
{
    if (routes == NULL)
        return;
    g_array_unref(routes->messages);
    kiln_mutex_clear(&routes->lock);
    g_free(routes);
}

static Message *
message(KilnIrqRoutes *routes, int gsi)
{
    guint index = (guint)gsi - KILN_IRQ_N_PINS;

    return gsi >= KILN_IRQ_N_PINS && index < routes->messages->len
               ? &g_array_index(routes->messages, Message, index)
               : NULL;
}

int
kiln_irq_allocate(KilnIrqRoutes *routes)
{
    KILN_LOCK_SCOPE(&routes->lock);
    GArray *messages = routes->messages;
    guint index = 0;

    while (index < messages->len && g_array_index(messages, Message, index).allocated)
        index++;
    if (index >= routes->max)
        return -1;
    if (index == messages->len)
        g_array_set_size(messages, index + 1);
    g_array_index(messages, Message, index) = (Message){ .allocated = TRUE };
    return (int)index + KILN_IRQ_N_PINS;
}

void
kiln_irq_release(KilnIrqRoutes *routes, int gsi)
{
    KILN_LOCK_SCOPE(&routes->lock);
    Message *m = message(routes, gsi);

    g_return_if_fail(m != NULL && m->allocated);
    routes->changed |= m->routed;
    *m = (Message){ .allocated = FALSE };
}

void
kiln_irq_set_msi(KilnIrqRoutes *routes, int gsi, uint64_t address, uint32_t data)
{
    KILN_LOCK_SCOPE(&routes->lock);
    Message *m = message(routes, gsi);

    g_return_if_fail(m != NULL && m->allocated);
    if (m->routed && m->address == address && m->data == data)
        return;
    m->routed = TRUE;
    m->address = address;
    m->data = data;
    routes->changed = TRUE;
}

static void
add_pin(struct kvm_irq_routing *table, guint gsi, uint32_t chip, uint32_t pin)
{
    table->entries[table->nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_IRQCHIP,
        .u.irqchip = { .irqchip = chip, .pin = pin },
    };
}

static void
add_message(struct kvm_irq_routing *table, guint gsi, const Message *m)
{
    table->entries[table->nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_MSI,
        .u.msi = { .address_lo = (uint32_t)m->address,
                   .address_hi = (uint32_t)(m->address >> 32),
                   .data = m->data },
    };
}

gboolean
kiln_irq_commit(KilnIrqRoutes *routes, GError **error)
{
    KILN_LOCK_SCOPE(&routes->lock);
    guint n_messages = routes->messages->len;
    g_autofree struct kvm_irq_routing *table = NULL;

    if (!routes->changed)
        return TRUE;
    table = g_malloc0(sizeof *table + (N_FIXED + n_messages) * sizeof table->entries[0]);
    for (guint pin = 0; pin < N_PIC_PINS; pin++)
        add_pin(table, pin, pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, pin % 8);
    for (guint pin = 0; pin < KILN_IRQ_N_PINS; pin++)
        add_pin(table, pin, KVM_IRQCHIP_IOAPIC, pin);
    for (guint i = 0; i < n_messages; i++) {
        const Message *m = &g_array_index(routes->messages, Message, i);

        if (m->routed)
            add_message(table, i + KILN_IRQ_N_PINS, m);
    }
    if (ioctl(kiln_vm_fd(routes->vm), KVM_SET_GSI_ROUTING, table) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot route %u interrupts: %s",
                              table->nr, g_strerror(errno));
    routes->changed = FALSE;
    return TRUE;
}

static gboolean
irqfd(KilnVm *vm, struct kvm_irqfd *request, const char *what, GError **error)
{
    if (ioctl(kiln_vm_fd(vm), KVM_IRQFD, request) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM,
                              "KVM: cannot %s an eventfd for interrupt %u: %s", what, request->gsi,
                              g_strerror(errno));
    return TRUE;
}

gboolean
kiln_irqfd_add(KilnVm *vm, guint gsi, int fd, int resample_fd, GError **error)
{
    struct kvm_irqfd request = { .fd = (uint32_t)fd, .gsi = gsi };

    if (resample_fd >= 0) {
        request.flags = KVM_IRQFD_FLAG_RESAMPLE;
        request.resamplefd = (uint32_t)resample_fd;
    }
    return irqfd(vm, &request, "add", error);
}

gboolean
kiln_irqfd_remove(KilnVm *vm, guint gsi, int fd, GError **error)
{
    struct kvm_irqfd request = {
        .fd = (uint32_t)fd,
        .gsi = gsi,
        .flags = KVM_IRQFD_FLAG_DEASSIGN,
    };

    return irqfd(vm, &request, "remove", error);
}

static gboolean
ioeventfd(KilnVm *vm, const KilnIoEvent *event, int fd, uint32_t flags, const char *what,
          GError **error)
{
    struct kvm_ioeventfd request = {
        .datamatch = event->value,
        .addr = event->address,
        .len = event->length,
        .fd = fd,
        .flags = flags | (event->pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
                 (event->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
    };

    if (ioctl(kiln_vm_fd(vm), KVM_IOEVENTFD, &request) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM,
                              "KVM: cannot %s a doorbell at %s 0x%" G_GINT64_MODIFIER "x: %s", what,
                              event->pio ? "port" : "address", event->address, g_strerror(errno));
    return TRUE;
}

gboolean
kiln_ioeventfd_add(KilnVm *vm, const KilnIoEvent *event, int fd, GError **error)
{
    return ioeventfd(vm, event, fd, 0, "add", error);
}

gboolean
kiln_ioeventfd_remove(KilnVm *vm, const KilnIoEvent *event, int fd, GError **error)
{
    return ioeventfd(vm, event, fd, KVM_IOEVENTFD_FLAG_DEASSIGN, "remove", error);
}
