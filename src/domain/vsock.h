/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vsock>: sockets between guest and host (virtio 1.2 §5.10). */
#ifndef KILN_DOMAIN_VSOCK_H
#define KILN_DOMAIN_VSOCK_H

#include "domain/address.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef struct {
    KilnXmlPlace place;
    KilnVirtioModel model;
    KilnSwitch cid_auto; /* the host chooses a context id at each start */
    KilnUint cid;        /* the guest's context id; 0 to 2 are reserved */
    KilnVirtioDriver virtio;
    KilnDeviceInfo info;
} KilnVsock;

KILN_FAMILY_DECLARE(KilnVsock, vsock)

#endif
