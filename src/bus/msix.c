/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See msix.h.  The table is what the guest reads; wires are what the host was told:
 *
 *   table, enable or mask bit written -> wanted()? -> the wires that change, in one call
 */
#include "bus/msix.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/le.h"
#include "bus/pci-bus.h"

enum {
    CAPABILITY_BYTES = 12,
    CONTROL_WRITABLE = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL,
    VECTORS_PER_READ = 32,  /* of pending bits: 4 bytes */
    SMALLEST_HALF = 0x800,  /* of the BAR: one for the table, one for the pending bits */
    ADDRESS_LOW_BITS = 0x3, /* read as zero: PCI Local Bus 3.0 §6.8.2.4 */
};

struct KilnMsix {
    KilnPciDevice *pci; /* its lock guards all but the eventfds' counts */
    uint8_t capability; /* offset */
    unsigned n_vectors;
    uint32_t pending_offset;   /* in the BAR */
    uint8_t *table;            /* (owned): PCI_MSIX_ENTRY_SIZE bytes a vector, as the guest reads */
    KilnMsiWire *wires;        /* (owned): one a vector; routed while connected */
    KilnMsiWire **changed;     /* (owned): room for those that one call connects */
    KilnMsi msi;               /* where the wires lead; copied from the host with the first */
    gboolean was_enabled;      /* when the control word was last looked at */
    uint8_t *saved_table;      /* (owned) (nullable): on its way to or from saved state */
    uint8_t *saved_pending;    /* (owned) (nullable): same, a bit a vector */
    uint32_t saved_table_size; /* bytes */
    uint32_t saved_pending_size;
};

static uint16_t
control(const KilnMsix *msix)
{
    return kiln_le16_load(msix->pci->config + msix->capability + PCI_MSIX_FLAGS);
}

static uint8_t *
entry(const KilnMsix *msix, unsigned vector)
{
    return msix->table + (size_t)vector * PCI_MSIX_ENTRY_SIZE;
}

static KilnMsiMessage
message(const KilnMsix *msix, unsigned vector)
{
    const uint8_t *at = entry(msix, vector);

    return (KilnMsiMessage){ .address = kiln_le64_load(at + PCI_MSIX_ENTRY_LOWER_ADDR),
                             .data = kiln_le32_load(at + PCI_MSIX_ENTRY_DATA) };
}

static gboolean
wanted(const KilnMsix *msix, unsigned vector)
{
    uint32_t mask = kiln_le32_load(entry(msix, vector) + PCI_MSIX_ENTRY_VECTOR_CTRL);

    return (control(msix) & CONTROL_WRITABLE) == PCI_MSIX_FLAGS_ENABLE &&
           !(mask & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

/* What was written to the eventfd of @vector since it was last connected is forgotten. */
static void
drain(const KilnMsix *msix, unsigned vector)
{
    eventfd_t count;

    (void)eventfd_read(msix->wires[vector].fd, &count); /* EAGAIN: there was nothing */
}

/* ---- wires -------------------------------------------------------------------------------------
 */

static void
disconnect(KilnMsix *msix, unsigned first, unsigned n)
{
    unsigned n_changed = 0;

    for (unsigned i = first; i < first + n; i++)
        if (msix->wires[i].route >= 0)
            msix->changed[n_changed++] = &msix->wires[i];
    if (n_changed == 0)
        return;
    msix->msi.ops->disconnect(msix->msi.opaque, msix->changed, n_changed);
    for (unsigned i = 0; i < n_changed; i++)
        msix->changed[i]->route = -1;
}

/* Disconnects those of the @n vectors from @first on that the guest has masked, connects those that
 * it has unmasked. */
static void
update(KilnMsix *msix, unsigned first, unsigned n)
{
    unsigned n_changed = 0;

    for (unsigned i = first; i < first + n; i++)
        if (msix->wires[i].route >= 0 && !wanted(msix, i))
            msix->changed[n_changed++] = &msix->wires[i];
    if (n_changed > 0)
        msix->msi.ops->disconnect(msix->msi.opaque, msix->changed, n_changed);
    for (unsigned i = 0; i < n_changed; i++)
        msix->changed[i]->route = -1;
    if (msix->msi.ops == NULL && msix->pci->bus != NULL)
        msix->msi = *kiln_pci_host_msi(kiln_pci_bus_host(msix->pci->bus));
    if (msix->msi.ops == NULL)
        return;
    n_changed = 0;
    for (unsigned i = first; i < first + n; i++)
        if (msix->wires[i].route < 0 && wanted(msix, i)) {
            msix->wires[i].message = message(msix, i);
            msix->changed[n_changed++] = &msix->wires[i];
        }
    if (n_changed > 0)
        msix->msi.ops->connect(msix->msi.opaque, msix->changed, n_changed);
}

/* One bit for each of the @n (at most VECTORS_PER_READ) vectors from @first on. */
static uint32_t
pending(const KilnMsix *msix, unsigned first, unsigned n)
{
    struct pollfd fds[VECTORS_PER_READ];
    uint32_t bits = 0;

    /* What is in a connected eventfd is on its way: a negative number is not looked at. */
    for (unsigned i = 0; i < n; i++)
        fds[i] = (struct pollfd){
            .fd = msix->wires[first + i].route < 0 ? msix->wires[first + i].fd : -1,
            .events = POLLIN,
        };
    if (poll(fds, n, 0) <= 0)
        return 0;
    for (unsigned i = 0; i < n; i++)
        if (fds[i].revents & POLLIN)
            bits |= 1u << i;
    return bits;
}

/* ---- registers ---------------------------------------------------------------------------------
 */

uint32_t
kiln_msix_table_read(const KilnMsix *msix, uint64_t offset)
{
    return offset < (uint64_t)msix->n_vectors * PCI_MSIX_ENTRY_SIZE
               ? kiln_le32_load(msix->table + (offset & ~UINT64_C(3)))
               : 0;
}

uint32_t
kiln_msix_pending_read(const KilnMsix *msix, uint64_t offset)
{
    uint64_t first = offset / 4 * VECTORS_PER_READ;

    if (first >= msix->n_vectors)
        return 0;
    return pending(msix, (unsigned)first, MIN(msix->n_vectors - (unsigned)first, VECTORS_PER_READ));
}

void
kiln_msix_table_write(KilnMsix *msix, uint64_t offset, uint32_t value)
{
    unsigned vector = (unsigned)(offset / PCI_MSIX_ENTRY_SIZE);

    offset &= ~UINT64_C(3);
    if (offset >= (uint64_t)msix->n_vectors * PCI_MSIX_ENTRY_SIZE)
        return;
    switch (offset % PCI_MSIX_ENTRY_SIZE) {
    case PCI_MSIX_ENTRY_LOWER_ADDR: value &= ~(uint32_t)ADDRESS_LOW_BITS; break;
    case PCI_MSIX_ENTRY_VECTOR_CTRL: value &= PCI_MSIX_ENTRY_CTRL_MASKBIT; break;
    default: break;
    }
    if (kiln_le32_load(msix->table + offset) == value)
        return;
    kiln_le32_store(msix->table + offset, value);
    /* An unmasked entry that is changed is undefined (§6.8.2): here it takes the new message. */
    if (offset % PCI_MSIX_ENTRY_SIZE != PCI_MSIX_ENTRY_VECTOR_CTRL)
        disconnect(msix, vector, 1);
    update(msix, vector, 1);
}

static uint64_t
bar_read(void *opaque, uint64_t offset, unsigned size)
{
    const KilnMsix *msix = opaque;

    return offset < msix->pending_offset
               ? kiln_msix_table_read(msix, offset)
               : kiln_msix_pending_read(msix, offset - msix->pending_offset);
}

static void
bar_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    kiln_msix_table_write(opaque, offset, (uint32_t)data); /* pending bits are read-only */
}

static const KilnRegionOps bar_ops = {
    .read = bar_read, .write = bar_write, .min_access = 4, .max_access = 4
};

void
kiln_msix_written(KilnMsix *msix, unsigned offset, unsigned size)
{
    unsigned flags = msix->capability + PCI_MSIX_FLAGS;

    if (offset >= flags + 2 || offset + size <= flags)
        return;
    /* What was written to the eventfds before MSI-X was turned on had nowhere to go. */
    if (kiln_msix_enabled(msix) && !msix->was_enabled)
        for (unsigned i = 0; i < msix->n_vectors; i++)
            drain(msix, i);
    msix->was_enabled = kiln_msix_enabled(msix);
    update(msix, 0, msix->n_vectors);
}

void
kiln_msix_update(KilnMsix *msix)
{
    disconnect(msix, 0, msix->n_vectors);
    msix->was_enabled = kiln_msix_enabled(msix);
    update(msix, 0, msix->n_vectors);
}

void
kiln_msix_reset(KilnMsix *msix)
{
    uint8_t *flags = msix->pci->config + msix->capability + PCI_MSIX_FLAGS;

    disconnect(msix, 0, msix->n_vectors);
    kiln_le16_store(flags, (uint16_t)(msix->n_vectors - 1));
    msix->was_enabled = FALSE;
    memset(msix->table, 0, (size_t)msix->n_vectors * PCI_MSIX_ENTRY_SIZE);
    for (unsigned i = 0; i < msix->n_vectors; i++) {
        kiln_le32_store(entry(msix, i) + PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_ENTRY_CTRL_MASKBIT);
        drain(msix, i);
    }
}

/* ---- life --------------------------------------------------------------------------------------
 */

static gboolean
open_vectors(KilnMsix *msix, GError **error)
{
    for (unsigned i = 0; i < msix->n_vectors; i++) {
        msix->wires[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (msix->wires[i].fd < 0)
            return kiln_error_set_errno(error, errno, "'%s': cannot make eventfd %u of %u",
                                        msix->pci->device.id, i + 1, msix->n_vectors);
    }
    return TRUE;
}

static void
add_capability(KilnMsix *msix, unsigned bar)
{
    KilnPciDevice *pci = msix->pci;
    uint32_t half = SMALLEST_HALF;
    uint8_t at = kiln_pci_device_add_capability(pci, PCI_CAP_ID_MSIX, CAPABILITY_BYTES);

    while (half < msix->n_vectors * PCI_MSIX_ENTRY_SIZE)
        half *= 2;
    msix->capability = at;
    msix->pending_offset = half;
    kiln_le16_store(pci->config + at + PCI_MSIX_FLAGS, (uint16_t)(msix->n_vectors - 1));
    kiln_le16_store(pci->write_mask + at + PCI_MSIX_FLAGS, CONTROL_WRITABLE);
    kiln_le32_store(pci->config + at + PCI_MSIX_TABLE, bar);
    kiln_le32_store(pci->config + at + PCI_MSIX_PBA, half | bar);
    kiln_pci_device_add_bar(pci, bar, KILN_PCI_BAR_MEMORY_32, FALSE, 2 * (uint64_t)half, &bar_ops,
                            msix);
}

/* All but the capability. */
static KilnMsix *
new_table(KilnPciDevice *pci, unsigned n_vectors, GError **error)
{
    g_assert(n_vectors >= 1 && n_vectors <= KILN_MSIX_MAX_VECTORS);

    g_autoptr(KilnMsix) msix = g_new0(KilnMsix, 1);

    msix->pci = pci;
    msix->n_vectors = n_vectors;
    msix->table = g_malloc0_n(n_vectors, PCI_MSIX_ENTRY_SIZE);
    msix->wires = g_new0(KilnMsiWire, n_vectors);
    msix->changed = g_new0(KilnMsiWire *, n_vectors);
    for (unsigned i = 0; i < n_vectors; i++)
        msix->wires[i] = (KilnMsiWire){ .fd = -1, .route = -1 };
    return open_vectors(msix, error) ? g_steal_pointer(&msix) : NULL;
}

KilnMsix *
kiln_msix_new(KilnPciDevice *pci, unsigned bar, unsigned n_vectors, GError **error)
{
    KilnMsix *msix = new_table(pci, n_vectors, error);

    g_assert(bar < KILN_PCI_N_BARS);
    if (msix == NULL)
        return NULL;
    add_capability(msix, bar);
    kiln_msix_reset(msix);
    return msix;
}

KilnMsix *
kiln_msix_new_in(KilnPciDevice *pci, unsigned capability, unsigned n_vectors, GError **error)
{
    KilnMsix *msix = new_table(pci, n_vectors, error);

    if (msix == NULL)
        return NULL;
    msix->capability = (uint8_t)capability;
    kiln_le16_store(pci->write_mask + capability + PCI_MSIX_FLAGS, CONTROL_WRITABLE);
    kiln_msix_reset(msix);
    return msix;
}

void
kiln_msix_free(KilnMsix *msix)
{
    if (msix == NULL)
        return;
    disconnect(msix, 0, msix->n_vectors);
    for (unsigned i = 0; i < msix->n_vectors; i++)
        kiln_fd_clear(&msix->wires[i].fd);
    g_free(msix->saved_table);
    g_free(msix->saved_pending);
    g_free(msix->changed);
    g_free(msix->wires);
    g_free(msix->table);
    g_free(msix);
}

gboolean
kiln_msix_enabled(const KilnMsix *msix)
{
    return (control(msix) & PCI_MSIX_FLAGS_ENABLE) != 0;
}

unsigned
kiln_msix_n_vectors(const KilnMsix *msix)
{
    return msix->n_vectors;
}

int
kiln_msix_fd(const KilnMsix *msix, unsigned vector)
{
    return vector < msix->n_vectors ? msix->wires[vector].fd : -1;
}

void
kiln_msix_notify(KilnMsix *msix, unsigned vector)
{
    if (vector < msix->n_vectors)
        (void)eventfd_write(msix->wires[vector].fd, 1); /* EAGAIN: it is more than pending */
}

/* ---- state -------------------------------------------------------------------------------------
 */

static void
msix_pre_save(void *object)
{
    KilnMsix *msix = object;

    g_free(msix->saved_table);
    g_free(msix->saved_pending);
    msix->saved_table_size = msix->n_vectors * PCI_MSIX_ENTRY_SIZE;
    msix->saved_table = g_memdup2(msix->table, msix->saved_table_size);
    msix->saved_pending_size = (msix->n_vectors + 31) / 32 * 4;
    msix->saved_pending = g_malloc0(msix->saved_pending_size);
    for (unsigned first = 0; first < msix->n_vectors; first += VECTORS_PER_READ)
        kiln_le32_store(msix->saved_pending + first / 8,
                        pending(msix, first, MIN(msix->n_vectors - first, VECTORS_PER_READ)));
}

static gboolean
msix_post_load(void *object, GError **error)
{
    KilnMsix *msix = object;
    g_autofree uint8_t *table = g_steal_pointer(&msix->saved_table);
    g_autofree uint8_t *bits = g_steal_pointer(&msix->saved_pending);

    if (msix->saved_table_size != msix->n_vectors * PCI_MSIX_ENTRY_SIZE ||
        msix->saved_pending_size != (msix->n_vectors + 31) / 32 * 4)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "'%s': %u bytes of MSI-X table with %u of pending bits, not those of "
                              "%u vectors",
                              msix->pci->device.id, msix->saved_table_size,
                              msix->saved_pending_size, msix->n_vectors);
    disconnect(msix, 0, msix->n_vectors);
    memcpy(msix->table, table, msix->saved_table_size);
    for (unsigned i = 0; i < msix->n_vectors; i++) {
        uint8_t *at = entry(msix, i);

        at[PCI_MSIX_ENTRY_LOWER_ADDR] &= (uint8_t)~ADDRESS_LOW_BITS;
        kiln_le32_store(at + PCI_MSIX_ENTRY_VECTOR_CTRL,
                        at[PCI_MSIX_ENTRY_VECTOR_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
        drain(msix, i);
        if (bits[i / 8] >> (i % 8) & 1)
            kiln_msix_notify(msix, i);
    }
    return TRUE;
}

static const KilnStateField msix_fields[] = {
    KILN_STATE_BUFFER(KilnMsix, saved_table, saved_table_size, 1,
                      KILN_MSIX_MAX_VECTORS *PCI_MSIX_ENTRY_SIZE),
    KILN_STATE_BUFFER(KilnMsix, saved_pending, saved_pending_size, 1, KILN_MSIX_MAX_VECTORS / 8),
    KILN_STATE_END,
};

const KilnStateDescription kiln_msix_state = {
    .name = "msix",
    .version = 1,
    .min_version = 1,
    .fields = msix_fields,
    .pre_save = msix_pre_save,
    .post_load = msix_post_load,
};
