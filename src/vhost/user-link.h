/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conversation with one vhost-user back end: requests, their answers within a bounded time, and
 * giving it up at the first thing that cannot be.
 */
#ifndef KILN_VHOST_USER_LINK_H
#define KILN_VHOST_USER_LINK_H

#include "vhost/user-backend.h"
#include "vhost/user-message.h"

typedef struct {
    const char *id; /* (not owned): for messages */
    unsigned answer_ms;
    KilnFd socket;                 /* (owned): of the peer; -1: there is none */
    gboolean lost;                 /* @socket is shut down, which whoever watches it will see */
    char *why;                     /* (owned) (nullable): it was lost */
    uint64_t protocol;             /* acknowledged features */
    KilnVhostUserReader reader;    /* has the last answer */
    KilnVhostUserBackend *backend; /* (owned) (nullable): the other channel, served in between */
} KilnVhostUserLink;

/* Hangs up and forgets what was acknowledged; @why stays. */
void kiln_vhost_user_link_close(KilnVhostUserLink *link);

/**
 * kiln_vhost_user_link_lose:
 *
 * Gives the peer up: its socket is shut down, and every request fails from now on.
 *
 * Returns: FALSE, with @error set.
 */
gboolean kiln_vhost_user_link_lose(KilnVhostUserLink *link, GError **error, const char *why);

/**
 * kiln_vhost_user_link_ask:
 * @message: whose answer is a message of the same request with a payload of @size bytes
 * @patience: how many times the usual time the answer may take
 *
 * Returns: (transfer none): the answer, until the next request; NULL with @error set.
 */
const KilnVhostUserMessage *kiln_vhost_user_link_ask(KilnVhostUserLink *link,
                                                     KilnVhostUserMessage *message, uint32_t size,
                                                     unsigned patience, GError **error);

/**
 * kiln_vhost_user_link_tell:
 * @message: a request that has no answer of its own
 * @fds: (array length=n_fds): borrowed
 *
 * With REPLY_ACK the peer says whether it could do it.
 */
gboolean kiln_vhost_user_link_tell(KilnVhostUserLink *link, KilnVhostUserMessage *message,
                                   const int *fds, unsigned n_fds, GError **error);

/* The same of requests that are one number, and of those that are answered by one. */
gboolean kiln_vhost_user_link_tell_u64(KilnVhostUserLink *link, uint32_t request, uint64_t value,
                                       GError **error);
gboolean kiln_vhost_user_link_ask_u64(KilnVhostUserLink *link, uint32_t request, uint64_t *value,
                                      GError **error);

#endif
