/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host says of a file or block device: its length, and what direct I/O must keep to. */
#ifndef KILN_BLOCK_FILE_PROBE_H
#define KILN_BLOCK_FILE_PROBE_H

#include <glib.h>
#include <stdint.h>

typedef struct {
    gboolean is_device;
    gboolean rotational;
    uint64_t length;        /* bytes */
    uint32_t offset_align;  /* bytes: of offsets and lengths; 1 without O_DIRECT */
    uint32_t memory_align;  /* bytes: of buffers; 1 without O_DIRECT */
    uint32_t physical_size; /* bytes: best size of a write */
    uint32_t discard_size;  /* bytes: granularity of what can be given back */
} KilnFileProbe;

/**
 * kiln_file_probe:
 * @fd: open
 * @path: for messages
 * @direct: @fd has O_DIRECT
 * @probe: (out)
 *
 * Returns: FALSE with @error set: neither a regular file nor a block device, or no O_DIRECT there.
 */
gboolean kiln_file_probe(int fd, const char *path, gboolean direct, KilnFileProbe *probe,
                         GError **error);

#endif
