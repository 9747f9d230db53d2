/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pcap.h. */
#include "net/pcap.h"

#include "base/fd.h"
#include "base/lock.h"
#include "loop/event.h"
#include "loop/thread.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

enum {
    RING_BYTES = 1 << 20, /* a power of 2 */
    SNAP_LENGTH = 262144,
    LINKTYPE_ETHERNET = 1,
};

/* pcap-savefile(5): in the byte order of the host that wrote it */
typedef struct {
    uint32_t magic; /* of files with nanoseconds */
    uint16_t major;
    uint16_t minor;
    uint32_t reserved[2];
    uint32_t snap_length;
    uint32_t link_type;
} PcapFileHeader;

typedef struct {
    uint32_t seconds;
    uint32_t nanoseconds;
    uint32_t captured; /* bytes that follow */
    uint32_t length;   /* bytes of the packet */
} PcapRecordHeader;

struct KilnPcap {
    KilnFd fd;
    KilnLoopThread *thread;
    KilnEvent event; /* there is something to write */
    GSource *source;
    KilnMutex lock;
    uint8_t *ring;
    uint64_t begin;   /* locked: the oldest byte that is not written */
    uint64_t end;     /* locked */
    uint64_t lost;    /* locked */
    gboolean started; /* locked: the thread is, or cannot be */
    gboolean woken;   /* locked */
    gboolean failed;  /* locked: the disk is full or gone */
};

static void
write_out(KilnPcap *pcap)
{
    for (;;) {
        uint64_t from;
        uint64_t bytes;
        gboolean good;

        kiln_mutex_lock(&pcap->lock);
        pcap->woken = FALSE;
        from = pcap->begin % RING_BYTES;
        bytes = MIN(pcap->end - pcap->begin, RING_BYTES - from);
        kiln_mutex_unlock(&pcap->lock);
        if (bytes == 0)
            return;
        good = kiln_write_full(pcap->fd, pcap->ring + from, bytes, -1) == 0;
        kiln_mutex_lock(&pcap->lock);
        pcap->begin += bytes;
        pcap->failed = pcap->failed || !good;
        kiln_mutex_unlock(&pcap->lock);
    }
}

static void
on_event(gpointer data)
{
    write_out(data);
}

KilnPcap *
kiln_pcap_open(const char *path, GError **error)
{
    static const PcapFileHeader header = {
        .magic = 0xa1b23c4d,
        .major = 2,
        .minor = 4,
        .snap_length = SNAP_LENGTH,
        .link_type = LINKTYPE_ETHERNET,
    };
    g_auto(KilnFd) fd = kiln_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, error);
    g_auto(KilnEvent) event = KILN_EVENT_NONE;
    KilnPcap *pcap;

    if (fd < 0 || !kiln_event_open(&event, error))
        return NULL;
    pcap = g_new0(KilnPcap, 1);
    pcap->fd = kiln_fd_steal(&fd);
    pcap->event = event;
    event.fd = -1;
    pcap->thread = kiln_loop_thread_new("pcap");
    pcap->source =
        kiln_event_source_new(&pcap->event, kiln_loop_thread_context(pcap->thread), on_event, pcap);
    kiln_mutex_init(&pcap->lock);
    pcap->ring = g_malloc(RING_BYTES);
    memcpy(pcap->ring, &header, sizeof header);
    pcap->end = sizeof header;
    return pcap;
}

void
kiln_pcap_free(KilnPcap *pcap)
{
    if (pcap == NULL)
        return;
    kiln_loop_thread_stop(pcap->thread);
    write_out(pcap);
    kiln_source_free(pcap->source);
    kiln_loop_thread_free(pcap->thread);
    kiln_event_clear(&pcap->event);
    kiln_fd_clear(&pcap->fd);
    kiln_mutex_clear(&pcap->lock);
    g_free(pcap->ring);
    g_free(pcap);
}

static void
put(KilnPcap *pcap, const void *data, size_t length)
{
    size_t at = pcap->end % RING_BYTES;
    size_t first = MIN(length, RING_BYTES - at);

    memcpy(pcap->ring + at, data, first);
    memcpy(pcap->ring, (const uint8_t *)data + first, length - first);
    pcap->end += length;
}

static void
put_frame(KilnPcap *pcap, const struct iovec *iov, unsigned n_iov, size_t skip, size_t length)
{
    for (unsigned i = 0; i < n_iov && length > 0; i++) {
        size_t passed = MIN(skip, iov[i].iov_len);
        size_t part = MIN(iov[i].iov_len - passed, length);

        put(pcap, (const uint8_t *)iov[i].iov_base + passed, part);
        skip -= passed;
        length -= part;
    }
}

static size_t
iov_bytes(const struct iovec *iov, unsigned n_iov)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < n_iov; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

void
kiln_pcap_append(KilnPcap *pcap, const struct iovec *iov, unsigned n_iov, uint32_t skip,
                 uint32_t length)
{
    size_t room = iov_bytes(iov, n_iov);
    PcapRecordHeader record = { 0 };
    struct timespec now;
    gboolean wake;

    length = (uint32_t)MIN(length, room);
    if (length <= skip)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    record.seconds = (uint32_t)now.tv_sec;
    record.nanoseconds = (uint32_t)now.tv_nsec;
    record.length = length - skip;
    record.captured = MIN(record.length, SNAP_LENGTH);
    kiln_mutex_lock(&pcap->lock);
    if (!pcap->started) {
        pcap->started = TRUE;
        pcap->failed = !kiln_loop_thread_start(pcap->thread, NULL);
    }
    if (pcap->failed || pcap->end - pcap->begin + sizeof record + record.captured > RING_BYTES) {
        pcap->lost++;
        kiln_mutex_unlock(&pcap->lock);
        return;
    }
    put(pcap, &record, sizeof record);
    put_frame(pcap, iov, n_iov, skip, record.captured);
    wake = !pcap->woken;
    pcap->woken = TRUE;
    kiln_mutex_unlock(&pcap->lock);
    if (wake)
        kiln_event_set(&pcap->event);
}

uint64_t
kiln_pcap_lost(KilnPcap *pcap)
{
    KILN_LOCK_SCOPE(&pcap->lock);

    return pcap->lost;
}
