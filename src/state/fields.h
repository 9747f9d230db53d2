/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One section's fields from the bytes of a stream. */
#ifndef KILN_STATE_FIELDS_H
#define KILN_STATE_FIELDS_H

#include "state/cursor.h"
#include "state/state.h"

/**
 * kiln_state_fields_read:
 * @cursor: at the first field
 * @version: of the description that wrote them
 * @object: (nullable): where they are stored; NULL only checks them.  Only bytes that passed with
 *   NULL are given again with an object.
 *
 * Returns: TRUE with @cursor behind the last field, or FALSE with @error set: a fragment that
 * begins with "field 'NAME': " or "version ".
 */
gboolean kiln_state_fields_read(KilnStateCursor *cursor, const KilnStateDescription *description,
                                uint32_t version, void *object, GError **error);

#endif
