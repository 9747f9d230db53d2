/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket of a guest, and the claim to its name.  It costs a descriptor and no more
 * until somebody connects.
 *
 *   NAME.pid   locked (flock) for as long as the guest lives; holds its process id
 *   NAME.sock  where clients connect
 *
 * Who holds the lock owns both; what a dead guest left behind is replaced.
 */
#ifndef KILN_CONTROL_LISTENER_H
#define KILN_CONTROL_LISTENER_H

#include "control/module.h"

enum { KILN_CONTROL_MAX_CLIENTS = 32 };

typedef struct KilnListener KilnListener;

/**
 * kiln_listener_open:
 * @name: of the guest
 *
 * Claims the name and makes the socket; clients have to wait until kiln_listener_serve().
 *
 * Returns: (transfer full): the listener, or NULL with @error set: KILN_ERROR_EXISTS, naming its
 *   process, if a guest of that name runs.
 */
KilnListener *kiln_listener_open(const char *name, GError **error);

/**
 * kiln_listener_serve:
 * @guest: whom clients control; lives as long as the listener, and so do its strings
 *
 * From now on, main loop running, clients that are the same user or root are served, at most
 * KILN_CONTROL_MAX_CLIENTS at a time.
 */
void kiln_listener_serve(KilnListener *listener, const KilnControlGuest *guest);

/* Tells clients the last news, and removes socket and claim. */
void kiln_listener_free(KilnListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnListener, kiln_listener_free)

#endif
