/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a packet between guest and host: virtio 1.2 §5.10.6. */
#ifndef KILN_DEVICE_VIRTIO_VSOCK_PACKET_H
#define KILN_DEVICE_VIRTIO_VSOCK_PACKET_H

#include <linux/virtio_vsock.h>
#include <stdint.h>

enum { KILN_VSOCK_HOST_CID = 2 }; /* virtio 1.2 §5.10.4 */

/* A packet's header, read once, in the host's byte order; same members as virtio_vsock_hdr. */
typedef struct {
    uint64_t src_cid;
    uint64_t dst_cid;
    uint32_t src_port;
    uint32_t dst_port;
    uint32_t len;
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    uint32_t buf_alloc;
    uint32_t fwd_cnt;
} KilnVsockHeader;

/* Between that and the packet's own form. */
void kiln_vsock_header_load(KilnVsockHeader *header, const struct virtio_vsock_hdr *from);
void kiln_vsock_header_store(const KilnVsockHeader *header, struct virtio_vsock_hdr *to);

#endif
