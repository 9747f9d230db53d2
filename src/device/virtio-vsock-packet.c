/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-vsock-packet.h. */
#include "device/virtio-vsock-packet.h"

#include "base/le.h"

void
kiln_vsock_header_load(KilnVsockHeader *header, const struct virtio_vsock_hdr *from)
{
    *header = (KilnVsockHeader){
        .src_cid = kiln_le64_load(&from->src_cid),
        .dst_cid = kiln_le64_load(&from->dst_cid),
        .src_port = kiln_le32_load(&from->src_port),
        .dst_port = kiln_le32_load(&from->dst_port),
        .len = kiln_le32_load(&from->len),
        .type = kiln_le16_load(&from->type),
        .op = kiln_le16_load(&from->op),
        .flags = kiln_le32_load(&from->flags),
        .buf_alloc = kiln_le32_load(&from->buf_alloc),
        .fwd_cnt = kiln_le32_load(&from->fwd_cnt),
    };
}

void
kiln_vsock_header_store(const KilnVsockHeader *header, struct virtio_vsock_hdr *to)
{
    kiln_le64_store(&to->src_cid, header->src_cid);
    kiln_le64_store(&to->dst_cid, header->dst_cid);
    kiln_le32_store(&to->src_port, header->src_port);
    kiln_le32_store(&to->dst_port, header->dst_port);
    kiln_le32_store(&to->len, header->len);
    kiln_le16_store(&to->type, header->type);
    kiln_le16_store(&to->op, header->op);
    kiln_le32_store(&to->flags, header->flags);
    kiln_le32_store(&to->buf_alloc, header->buf_alloc);
    kiln_le32_store(&to->fwd_cnt, header->fwd_cnt);
}
