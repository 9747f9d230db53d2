/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vhost.h. */
#include "vhost/vhost.h"

void
kiln_vhost_init(KilnVhost *vhost, const KilnVhostOps *ops)
{
    vhost->ops = ops;
}

void
kiln_vhost_free(KilnVhost *vhost)
{
    if (vhost != NULL)
        vhost->ops->free(vhost);
}
