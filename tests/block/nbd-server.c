/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See nbd-server.h. */
#include "tests/block/nbd-server.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix-socket.h"
#include "tests/lib/kiln-test.h"

/* doc/proto.md, "Newstyle negotiation" and "Transmission phase". */
#define NBDMAGIC     UINT64_C(0x4e42444d41474943)
#define IHAVEOPT     UINT64_C(0x49484156454f5054)
#define OPTION_REPLY UINT64_C(0x0003e889045565a9)

enum {
    FIXED_NEWSTYLE = 1,
    OPT_ABORT = 2,
    OPT_GO = 7,
    REP_ACK = 1,
    REP_INFO = 3,
    INFO_EXPORT = 0,
    INFO_BLOCK_SIZE = 3,
    HAS_FLAGS = 1,
    REQUEST_BYTES = 28,
    REPLY_BYTES = 16,
    CMD_READ = 0,
    CMD_WRITE = 1,
    CMD_DISC = 2,
    CMD_FLUSH = 3,
    CMD_TRIM = 4,
    CMD_WRITE_ZEROES = 6,
    FLAG_FUA = 1,
    FLAG_NO_HOLE = 2,
    MAX_BACKING = 64 << 20,
};

static const uint32_t rep_err_unsup = 0x80000001;
static const uint32_t rep_err_unknown = 0x80000006;
static const uint32_t request_magic = 0x25609513;
static const uint32_t reply_magic = 0x67446698;

struct NbdServer {
    NbdServerPlan plan;
    NbdServerSeen seen;
    char *dir, *path;
    KilnFd listening;
    KilnFd fd;
    pthread_t thread;
    gboolean joined;
    uint8_t *disk;
    unsigned n_requests;
};

static gboolean
take(NbdServer *server, void *data, size_t length)
{
    return kiln_read_full(server->fd, data, length, -1) == (ssize_t)length;
}

static gboolean
give(NbdServer *server, const void *data, size_t length)
{
    const uint8_t *bytes = data;

    while (length > 0) {
        ssize_t sent = send(server->fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return FALSE;
        bytes += sent;
        length -= (size_t)sent;
    }
    return TRUE;
}

static void
put(GByteArray *bytes, uint64_t value, unsigned size)
{
    for (unsigned i = size; i-- > 0;) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        g_byte_array_append(bytes, &byte, 1);
    }
}

static uint64_t
get(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static gboolean
reply_option(NbdServer *server, uint32_t option, uint32_t type, const GByteArray *payload)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    put(bytes, OPTION_REPLY, 8);
    put(bytes, option, 4);
    put(bytes, type, 4);
    put(bytes, payload != NULL ? payload->len : 0, 4);
    if (payload != NULL)
        g_byte_array_append(bytes, payload->data, payload->len);
    return give(server, bytes->data, bytes->len);
}

static gboolean
answer_go(NbdServer *server)
{
    const NbdServerPlan *plan = &server->plan;
    g_autoptr(GByteArray) export = g_byte_array_new();
    g_autoptr(GByteArray) sizes = g_byte_array_new();

    if (plan->crime == NBD_SERVER_NO_EXPORT)
        return reply_option(server, OPT_GO, rep_err_unknown, NULL);
    put(export, INFO_EXPORT, 2);
    put(export, plan->size, 8);
    put(export, HAS_FLAGS | plan->flags, 2);
    put(sizes, INFO_BLOCK_SIZE, 2);
    put(sizes, plan->minimum, 4);
    put(sizes, plan->preferred, 4);
    put(sizes, plan->maximum, 4);
    if (!reply_option(server, OPT_GO, REP_INFO, export))
        return FALSE;
    if ((plan->minimum | plan->preferred | plan->maximum) != 0 &&
        !reply_option(server, OPT_GO, REP_INFO, sizes))
        return FALSE;
    return reply_option(server, OPT_GO, REP_ACK, NULL);
}

/* Returns: whether the client got as far as the transmission phase. */
static gboolean
negotiate(NbdServer *server)
{
    NbdServerCrime crime = server->plan.crime;
    g_autoptr(GByteArray) greeting = g_byte_array_new();
    uint8_t bytes[4096];

    put(greeting, crime == NBD_SERVER_BAD_GREETING ? NBDMAGIC + 1 : NBDMAGIC, 8);
    put(greeting, IHAVEOPT, 8);
    put(greeting, FIXED_NEWSTYLE, 2);
    if (crime == NBD_SERVER_NO_GREETING)
        return FALSE;
    if (!give(server, greeting->data, crime == NBD_SERVER_CUT_GREETING ? 11 : greeting->len) ||
        crime == NBD_SERVER_CUT_GREETING || !take(server, bytes, 4))
        return FALSE;
    while (take(server, bytes, 16)) {
        uint32_t option = (uint32_t)get(bytes + 8, 4);
        uint64_t length = get(bytes + 12, 4);

        if (get(bytes, 8) != IHAVEOPT || length > sizeof bytes || !take(server, bytes, length))
            return FALSE;
        if (option == OPT_ABORT)
            return FALSE;
        if (option == OPT_GO && (!answer_go(server) || crime == NBD_SERVER_NO_EXPORT))
            return FALSE;
        if (option == OPT_GO)
            return TRUE;
        if (!reply_option(server, option, rep_err_unsup, NULL))
            return FALSE;
    }
    return FALSE;
}

static gboolean
reply(NbdServer *server, const uint8_t *cookie, uint32_t error, const uint8_t *data,
      uint32_t length)
{
    NbdServerCrime crime =
        server->n_requests == server->plan.crime_at ? server->plan.crime : NBD_SERVER_HONEST;
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    put(bytes, crime == NBD_SERVER_WRONG_MAGIC ? 0x12345678 : reply_magic, 4);
    put(bytes, error, 4);
    put(bytes, crime == NBD_SERVER_WRONG_COOKIE ? ~get(cookie, 8) : get(cookie, 8), 8);
    if (crime == NBD_SERVER_HANGS_UP)
        return FALSE;
    if (crime == NBD_SERVER_CUTS_HEADER)
        return give(server, bytes->data, REPLY_BYTES / 2) && FALSE;
    if (crime == NBD_SERVER_NEVER_ANSWERS)
        return TRUE;
    if (!give(server, bytes->data, bytes->len))
        return FALSE;
    if (crime == NBD_SERVER_CUTS_DATA)
        return give(server, data, length / 2) && FALSE;
    return error != 0 || give(server, data, length);
}

static gboolean
do_command(NbdServer *server, unsigned command, uint64_t offset, uint32_t length,
           const uint8_t *cookie, uint32_t error)
{
    NbdServerSeen *seen = &server->seen;
    const uint8_t *data = NULL;
    uint32_t given = 0;

    switch (command) {
    case CMD_READ:
        seen->reads++;
        seen->longest = MAX(seen->longest, length);
        data = server->disk + offset;
        given = length;
        break;
    case CMD_WRITE:
        seen->writes++;
        seen->longest = MAX(seen->longest, length);
        if (!take(server, server->disk + offset, length))
            return FALSE;
        break;
    case CMD_FLUSH: seen->flushes++; break;
    case CMD_TRIM:
        seen->trims++;
        memset(server->disk + offset, 0, length);
        break;
    case CMD_WRITE_ZEROES:
        seen->zeroes++;
        memset(server->disk + offset, 0, length);
        break;
    default: return FALSE;
    }
    return reply(server, cookie, error, data, given);
}

static gboolean
serve_request(NbdServer *server)
{
    const NbdServerPlan *plan = &server->plan;
    uint8_t bytes[REQUEST_BYTES];
    unsigned flags;
    unsigned command;
    uint64_t offset;
    uint32_t length;

    if (!take(server, bytes, sizeof bytes) || get(bytes, 4) != request_magic)
        return FALSE;
    flags = (unsigned)get(bytes + 4, 2);
    command = (unsigned)get(bytes + 6, 2);
    offset = get(bytes + 16, 8);
    length = (uint32_t)get(bytes + 24, 4);
    if (command == CMD_DISC) {
        server->seen.disconnects++;
        return FALSE;
    }
    server->n_requests++;
    server->seen.fua += (flags & FLAG_FUA) != 0;
    server->seen.no_hole += (flags & FLAG_NO_HOLE) != 0;
    if (offset > plan->size || length > plan->size - offset || plan->size > MAX_BACKING)
        return FALSE;
    return do_command(server, command, offset, length, bytes + 8,
                      server->n_requests == plan->error_at ? plan->error : 0);
}

static void *
run(void *data)
{
    NbdServer *server = data;
    uint8_t rest[4096];

    server->fd = accept4(server->listening, NULL, NULL, SOCK_CLOEXEC);
    if (server->fd < 0)
        return NULL;
    if (negotiate(server))
        while (serve_request(server))
            continue;
    /* A silent one waits for the client to lose patience. */
    if (server->plan.crime == NBD_SERVER_NO_GREETING)
        while (read(server->fd, rest, sizeof rest) > 0)
            continue;
    kiln_fd_clear(&server->fd);
    return NULL;
}

NbdServer *
nbd_server_new(const NbdServerPlan *plan)
{
    NbdServer *server = g_new0(NbdServer, 1);
    g_autoptr(GError) error = NULL;

    server->plan = *plan;
    server->fd = -1;
    server->dir = kiln_test_dir();
    server->path = g_build_filename(server->dir, "nbd", NULL);
    server->disk = g_malloc0(CLAMP(plan->size, 1, MAX_BACKING));
    server->listening = kiln_unix_listen(server->path, 1, &error);
    kiln_assert_no_error(error);
    /* The thread may wait in accept(). */
    ck_assert_int_eq(fcntl(server->listening, F_SETFL, 0), 0);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

const char *
nbd_server_path(NbdServer *server)
{
    return server->path;
}

void
nbd_server_join(NbdServer *server)
{
    if (!server->joined)
        pthread_join(server->thread, NULL);
    server->joined = TRUE;
}

const NbdServerSeen *
nbd_server_seen(NbdServer *server)
{
    return &server->seen;
}

void
nbd_server_free(NbdServer *server)
{
    shutdown(server->listening, SHUT_RDWR); /* a server that nobody came to */
    nbd_server_join(server);
    kiln_fd_clear(&server->listening);
    g_free(server->disk);
    g_free(server->path);
    g_free(server->dir);
    g_free(server);
}
