/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The back end's own channel (VHOST_USER_PROTOCOL_F_BACKEND_REQ): by it the peer tells that the
 * configuration space has changed.  Everything else is answered with a refusal, if an answer is
 * asked for.
 */
#ifndef KILN_VHOST_USER_BACKEND_H
#define KILN_VHOST_USER_BACKEND_H

#include <glib.h>

#include "base/fd.h"

typedef struct KilnVhostUserBackend KilnVhostUserBackend;

/**
 * kiln_vhost_user_backend_new:
 * @context: (nullable): where the channel is read
 * @config_changed: called from the context's loop, never from kiln_vhost_user_backend_serve()
 * @peer: (out) (transfer full): the peer's end
 */
KilnVhostUserBackend *kiln_vhost_user_backend_new(GMainContext *context,
                                                  void (*config_changed)(void *opaque),
                                                  void *opaque, KilnFd *peer, GError **error);

/* (nullable) */
void kiln_vhost_user_backend_free(KilnVhostUserBackend *backend);

/* To be polled while an answer on the other channel is waited for; -1 when the peer has closed or
 * abused it. */
int kiln_vhost_user_backend_fd(const KilnVhostUserBackend *backend);

/* Deals with what has come, without waiting for more. */
void kiln_vhost_user_backend_serve(KilnVhostUserBackend *backend);

#endif
