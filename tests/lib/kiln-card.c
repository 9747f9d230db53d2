/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See kiln-card.h. */
#include "tests/lib/kiln-card.h"

#include "bus/pci-bus.h"

static uint64_t
card_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x5a5a5a5a5a5a5a5a;
}

static const KilnRegionOps bar_ops = { .read = card_read, .max_access = 8 };

static void
card_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    KilnCard *card = (KilnCard *)pci;

    if (card->msix != NULL)
        kiln_msix_written(card->msix, offset, size);
}

static const KilnPciOps card_pci_ops = { .config_written = card_written };

static void
card_reset(KilnDevice *device)
{
    KilnCard *card = (KilnCard *)device;

    kiln_pci_device_reset(&card->pci);
    if (card->msix != NULL)
        kiln_msix_reset(card->msix);
    card->n_resets++;
}

static void
card_free(KilnDevice *device)
{
    KilnCard *card = (KilnCard *)device;

    kiln_pci_bus_remove(&card->pci);
    kiln_msix_free(card->msix);
    kiln_pci_device_clear(&card->pci);
    g_free(card);
}

static gboolean
card_post_load(void *object, GError **error)
{
    KilnCard *card = object;

    if (card->msix != NULL)
        kiln_msix_update(card->msix);
    return TRUE;
}

static const KilnStateField plain_fields[] = {
    KILN_STATE_STRUCT(KilnCard, pci, 1, &kiln_pci_state),
    KILN_STATE_END,
};
static const KilnStateDescription plain_state = {
    .name = "card-plain", .version = 1, .min_version = 1, .fields = plain_fields
};
static const KilnDeviceOps plain_ops = {
    .name = "card-plain", .reset = card_reset, .free = card_free, .state = &plain_state
};

static const KilnStateField msix_fields[] = {
    KILN_STATE_STRUCT(KilnCard, pci, 1, &kiln_pci_state),
    KILN_STATE_POINTER(KilnCard, msix, 1, &kiln_msix_state),
    KILN_STATE_END,
};
static const KilnStateDescription msix_state = { .name = "card",
                                                 .version = 1,
                                                 .min_version = 1,
                                                 .fields = msix_fields,
                                                 .post_load = card_post_load };
static const KilnDeviceOps msix_ops = {
    .name = "card", .reset = card_reset, .free = card_free, .state = &msix_state
};

KilnCard *
kiln_card_new(const char *id, unsigned n_vectors)
{
    static const KilnPciIdentity identity = {
        .vendor = 0x1af4, .device = 0x1041, .class_code = 0x020000, .pin = 1, .express = TRUE
    };
    KilnCard *card = g_new0(KilnCard, 1);

    kiln_pci_device_init(&card->pci, n_vectors > 0 ? &msix_ops : &plain_ops, &card_pci_ops, id,
                         &identity);
    if (n_vectors > 0)
        card->msix = kiln_msix_new(&card->pci, 1, n_vectors, NULL);
    return card;
}

void
kiln_card_add_bar(KilnCard *card, unsigned index, KilnPciBarKind kind, gboolean prefetchable,
                  uint64_t size)
{
    kiln_pci_device_add_bar(&card->pci, index, kind, prefetchable, size, &bar_ops, card);
}
