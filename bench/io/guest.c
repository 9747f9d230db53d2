/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that does nothing but drive virtio rings at full speed, at user level (guest.S), polling.
 * It takes lines from COM1 and answers each with one line of NAME=NUMBER, times in nanoseconds:
 *
 *   r|w DEPTH SECTORS MILLISECONDS   random reads or writes of the disk
 *   t BYTES MILLISECONDS             sends frames
 *   x MILLISECONDS                   receives frames
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include "bench/io/guest-virtio.h"

enum {
    COM1 = 0x3f8,
    LINE_STATUS = 5,
    PM_TIMER = 0x608,
    PM_TIMER_HZ = 3579545,
    PM_TIMER_BITS = 0xffffff,
    MAX_DEPTH = 128,
    MAX_SECTORS = 256, /* a request */
    FRAME_BYTES = 2048,
    HEADER_BYTES = 12, /* struct virtio_net_hdr_v1 */
    LINE_BYTES = 80,
    N_BUCKETS = 64 * 8,
};

#define BIT(n) (1ull << (n))

/* One request of the disk; its three descriptors are an indirect table. */
typedef struct {
    struct vring_desc table[3];
    struct virtio_blk_outhdr header;
    uint64_t begun;
    uint8_t status;
} __attribute__((aligned(128))) Request;

typedef struct {
    uint64_t begin, end, last; /* time stamps; @last is of the last completion */
    uint64_t n, failed;
    uint32_t buckets[N_BUCKETS];
} Tally;

static _Alignas(4096) uint8_t ring_memory[4][16384];
static _Alignas(4096) uint8_t data[MAX_DEPTH][MAX_SECTORS * 512];
static _Alignas(4096) uint8_t frames[2][GUEST_RING_SIZE][FRAME_BYTES];
static Request requests[MAX_DEPTH];
static Tally tally;
static GuestDevice disk, net;
static GuestQueue disk_queue, receive_queue, send_queue;
static bool have_disk, have_net;
static uint64_t tsc_hz, disk_sectors, seed = 88172645463325252;

void guest_main(void);
void *memset(void *to, int byte, unsigned long length);
void *memcpy(void *to, const void *from, unsigned long length);

/* The compiler may call these. */
void *
memset(void *to, int byte, unsigned long length)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(length) : "a"(byte) : "memory");
    return to;
}

void *
memcpy(void *to, const void *from, unsigned long length)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(length)::"memory");
    return to;
}

static uint64_t
rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static uint64_t
to_ns(uint64_t ticks)
{
    return ticks / tsc_hz * 1000000000 + ticks % tsc_hz * 1000000000 / tsc_hz;
}

/* -- the serial port --------------------------------------------------------------------------- */

static void
put(const char *text)
{
    for (; *text != '\0'; text++) {
        while ((guest_in8(COM1 + LINE_STATUS) & 0x20) == 0)
            ;
        guest_out8(COM1, (uint8_t)*text);
    }
}

static void
put_number(const char *name, uint64_t value)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(" ");
    put(name);
    put("=");
    put(at);
}

static void
get_line(char line[LINE_BYTES])
{
    unsigned n = 0;

    for (;;) {
        uint8_t byte;

        while ((guest_in8(COM1 + LINE_STATUS) & 1) == 0)
            ;
        byte = guest_in8(COM1);
        if (byte == '\n' || byte == '\r' || n == LINE_BYTES - 1)
            break;
        line[n++] = (char)byte;
    }
    line[n] = '\0';
}

static uint64_t
next_number(char **at)
{
    uint64_t value = 0;

    while (**at == ' ')
        (*at)++;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (uint64_t)(**at - '0');
    return value;
}

/* -- time -------------------------------------------------------------------------------------- */

/* ACPI 6.5 §4.8.2.1: a counter of 24 bits, read for a tenth of a second. */
static void
calibrate(void)
{
    uint32_t from = guest_in32(PM_TIMER), passed;
    uint64_t begin = rdtsc();

    do
        passed = (guest_in32(PM_TIMER) - from) & PM_TIMER_BITS;
    while (passed < PM_TIMER_HZ / 10);
    tsc_hz = (rdtsc() - begin) * PM_TIMER_HZ / passed;
}

/* Eight buckets for each power of two. */
static void
note(uint64_t ticks)
{
    unsigned log = 63 - (unsigned)__builtin_clzll(ticks | 8);

    tally.buckets[log * 8 + ((ticks >> (log - 3)) & 7)]++;
}

static uint64_t
percentile(unsigned percent)
{
    uint64_t wanted = tally.n * percent / 100, sum = 0;

    for (unsigned i = 24; i < N_BUCKETS; i++) {
        sum += tally.buckets[i];
        if (sum > wanted)
            return to_ns((8ull + i % 8) << (i / 8 - 3));
    }
    return 0;
}

static void
begin(uint64_t milliseconds)
{
    memset(&tally, 0, sizeof tally);
    tally.begin = tally.last = rdtsc();
    tally.end = tally.begin + tsc_hz * milliseconds / 1000;
}

static void
report(uint64_t kicks)
{
    put("RESULT");
    put_number("n", tally.n);
    put_number("ns", to_ns(tally.last - tally.begin));
    put_number("kicks", kicks);
    put_number("failed", tally.failed);
    put_number("p50", percentile(50));
    put_number("p99", percentile(99));
    put("\n");
}

/* -- the disk ---------------------------------------------------------------------------------- */

static bool
open_disk(void)
{
    if (!guest_device_open(&disk, VIRTIO_ID_BLOCK,
                           BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) |
                               BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_BLK_F_FLUSH)) ||
        !guest_queue_open(&disk, &disk_queue, 0, ring_memory[0]))
        return false;
    guest_device_start(&disk);
    disk_sectors = ((volatile uint32_t *)disk.config)[0] |
                   (uint64_t)((volatile uint32_t *)disk.config)[1] << 32;
    return true;
}

static void
start(unsigned i, uint32_t type, uint32_t sectors)
{
    Request *request = &requests[i];
    const uint16_t in = type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    request->header = (struct virtio_blk_outhdr){
        .type = type,
        .sector = seed % (disk_sectors / sectors) * sectors,
    };
    request->status = 0xff;
    request->table[0] = (struct vring_desc){ (uintptr_t)&request->header, sizeof request->header,
                                             VRING_DESC_F_NEXT, 1 };
    request->table[1] = (struct vring_desc){ (uintptr_t)data[i], sectors * 512,
                                             (uint16_t)(VRING_DESC_F_NEXT | in), 2 };
    request->table[2] =
        (struct vring_desc){ (uintptr_t)&request->status, 1, VRING_DESC_F_WRITE, 0 };
    disk_queue.desc[i] = (struct vring_desc){ (uintptr_t)request->table, sizeof request->table,
                                              VRING_DESC_F_INDIRECT, 0 };
    request->begun = rdtsc();
    guest_queue_add(&disk_queue, (uint16_t)i);
}

/* What is done is begun anew at once, until the time is over. */
static void
run_disk(uint32_t type, char *arguments)
{
    unsigned depth = (unsigned)next_number(&arguments);
    uint32_t sectors = (uint32_t)next_number(&arguments);
    uint64_t kicks = disk_queue.n_kicks;
    unsigned under_way = 0;

    depth = depth < 1 ? 1 : depth > MAX_DEPTH ? MAX_DEPTH : depth;
    sectors = sectors < 1 ? 1 : sectors > MAX_SECTORS ? MAX_SECTORS : sectors;
    begin(next_number(&arguments));
    for (; under_way < depth; under_way++)
        start(under_way, type, sectors);
    guest_queue_kick(&disk_queue);
    while (under_way > 0) {
        uint32_t head, length;

        while (guest_queue_take(&disk_queue, &head, &length)) {
            tally.last = rdtsc();
            tally.n++;
            tally.failed += requests[head].status != VIRTIO_BLK_S_OK;
            note(tally.last - requests[head].begun);
            if (tally.last < tally.end)
                start(head, type, sectors);
            else
                under_way--;
        }
        guest_queue_kick(&disk_queue);
        __builtin_ia32_pause();
    }
    report(disk_queue.n_kicks - kicks);
}

/* -- the network ------------------------------------------------------------------------------- */

static bool
open_net(void)
{
    if (!guest_device_open(&net, VIRTIO_ID_NET,
                           BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX)) ||
        !guest_queue_open(&net, &receive_queue, 0, ring_memory[1]) ||
        !guest_queue_open(&net, &send_queue, 1, ring_memory[2]))
        return false;
    for (unsigned i = 0; i < receive_queue.size; i++) {
        receive_queue.desc[i] =
            (struct vring_desc){ (uintptr_t)frames[0][i], FRAME_BYTES, VRING_DESC_F_WRITE, 0 };
        guest_queue_add(&receive_queue, (uint16_t)i);
    }
    guest_device_start(&net);
    guest_queue_kick(&receive_queue);
    return true;
}

static void
run_send(char *arguments)
{
    uint32_t length = (uint32_t)next_number(&arguments), head, ignored;
    uint64_t kicks = send_queue.n_kicks;
    unsigned under_way = send_queue.size;

    begin(next_number(&arguments));
    for (unsigned i = 0; i < send_queue.size; i++) {
        uint8_t *frame = frames[1][i];

        memset(frame, 0, HEADER_BYTES);
        memset(frame + HEADER_BYTES, 0xff, 6);
        memset(frame + HEADER_BYTES + 6, 0x52, 6);
        frame[HEADER_BYTES + 12] = 0x88; /* IEEE 802 local experimental */
        frame[HEADER_BYTES + 13] = 0xb5;
        send_queue.desc[i] = (struct vring_desc){ (uintptr_t)frame, HEADER_BYTES + length, 0, 0 };
        guest_queue_add(&send_queue, (uint16_t)i);
    }
    guest_queue_kick(&send_queue);
    while (under_way > 0) {
        while (guest_queue_take(&send_queue, &head, &ignored)) {
            tally.n++;
            if (tally.last < tally.end)
                guest_queue_add(&send_queue, (uint16_t)head);
            else
                under_way--;
        }
        tally.last = rdtsc();
        guest_queue_kick(&send_queue);
        __builtin_ia32_pause();
    }
    report(send_queue.n_kicks - kicks);
}

static void
run_receive(char *arguments)
{
    uint64_t kicks = receive_queue.n_kicks;
    uint32_t head, ignored;

    begin(next_number(&arguments));
    while (tally.last < tally.end) {
        while (guest_queue_take(&receive_queue, &head, &ignored)) {
            tally.n++;
            guest_queue_add(&receive_queue, (uint16_t)head);
        }
        tally.last = rdtsc();
        guest_queue_kick(&receive_queue);
        __builtin_ia32_pause();
    }
    report(receive_queue.n_kicks - kicks);
}

void
guest_main(void)
{
    char line[LINE_BYTES];

    calibrate();
    have_disk = open_disk();
    have_net = open_net();
    put("READY");
    put_number("disk", have_disk ? disk_sectors : 0);
    put_number("net", have_net);
    put_number("tsc_hz", tsc_hz);
    put("\n");
    for (;;) {
        get_line(line);
        if (have_disk && (line[0] == 'r' || line[0] == 'w'))
            run_disk(line[0] == 'r' ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, line + 1);
        else if (have_net && line[0] == 't')
            run_send(line + 1);
        else if (have_net && line[0] == 'x')
            run_receive(line + 1);
        else if (line[0] != '\0')
            put("RESULT failed=1\n");
    }
}
