/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets into a file of libpcap's format (pcap-savefile(5)): append copies into a ring, a thread
 * of its own writes, so that a slow disk holds up nobody.  What does not fit into the ring
 * meanwhile is left out of the file, and counted.
 */
#ifndef KILN_NET_PCAP_H
#define KILN_NET_PCAP_H

#include <glib.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct KilnPcap KilnPcap;

/**
 * kiln_pcap_open:
 * @path: made, or emptied
 *
 * Returns: (transfer full): a file with its header, or NULL with @error set.
 */
KilnPcap *kiln_pcap_open(const char *path, GError **error);

/* (nullable): what was appended is written first. */
void kiln_pcap_free(KilnPcap *pcap);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnPcap, kiln_pcap_free)

/**
 * kiln_pcap_append:
 * @skip: bytes in front that are not of the frame
 * @length: bytes in all
 *
 * Any thread; waits for no disk.
 */
void kiln_pcap_append(KilnPcap *pcap, const struct iovec *iov, unsigned n_iov, uint32_t skip,
                      uint32_t length);

/* Packets that are not in the file.  Any thread. */
uint64_t kiln_pcap_lost(KilnPcap *pcap);

#endif
