/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vsock.h"

static void
check_vsock(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnVsock *vsock = object;

    if (vsock->cid_auto == KILN_SWITCH_OFF && !vsock->cid.set)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "a context id that is not automatic needs 'address'");
}

static const KilnField vsock_fields[] = {
    KILN_FIELD_CUSTOM(KilnVsock, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnVsock, model, "@model", kiln_virtio_model_names),
    KILN_FIELD_SWITCH(KilnVsock, cid_auto, "cid@auto", YESNO),
    KILN_FIELD_UINT(KilnVsock, cid, "cid@address", 3, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnVsock, virtio, "driver", &kiln_virtio_driver_struct),
    KILN_FIELD_EMBED(KilnVsock, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_vsock_struct = {
    .size = sizeof(KilnVsock),
    .fields = vsock_fields,
    .check = check_vsock,
};

KILN_FAMILY_DEFINE(KilnVsock, vsock, "vsock")
