/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PCI function for tests, with MSI-X and whatever BARs a test adds; each byte of them reads 0x5a.
 */
#ifndef KILN_TEST_CARD_H
#define KILN_TEST_CARD_H

#include "bus/msix.h"

typedef struct {
    KilnPciDevice pci;
    KilnMsix *msix;    /* (owned) (nullable) */
    unsigned n_resets; /* as many as it was told */
} KilnCard;

/**
 * kiln_card_new:
 * @n_vectors: of MSI-X, in BAR 1; 0 for none
 *
 * Returns: (transfer full): on no bus yet; freed with kiln_device_free().
 */
KilnCard *kiln_card_new(const char *id, unsigned n_vectors);

/* Adds a BAR before the card is on a bus. */
void kiln_card_add_bar(KilnCard *card, unsigned index, KilnPciBarKind kind, gboolean prefetchable,
                       uint64_t size);

#endif
