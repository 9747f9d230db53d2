/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fake-swtpm.h. */
#include "tests/lib/fake-swtpm.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/tpm-emulator.h"
#include "device/tpm-wire.h"

enum { N_BLOBS = 3 };

struct KilnFakeSwtpm {
    KilnFakeSwtpmKind kind;
    pthread_t thread;
    int control;
    int data;
    gboolean waiting; /* a command waits to be cancelled */
    uint8_t buffer[KILN_TPM_BUFFER];
    uint32_t length;
    GByteArray *blobs[N_BLOBS];
    atomic_uint inits, commands, locality, shutdowns;
};

static gboolean
get(int fd, void *data, size_t length)
{
    return recv(fd, data, length, MSG_WAITALL) == (ssize_t)length;
}

static void
put(int fd, const void *data, size_t length)
{
    if (length > 0 && send(fd, data, length, MSG_NOSIGNAL) < 0)
        return;
}

static void
put_words(KilnFakeSwtpm *fake, unsigned n, const uint32_t *words)
{
    uint8_t bytes[16];

    for (unsigned i = 0; i < n; i++)
        kiln_tpm_put32(bytes + 4 * i, words[i]);
    put(fake->control, bytes, 4 * n);
}

static void
result(KilnFakeSwtpm *fake, uint32_t code)
{
    put_words(fake, 1, &code);
}

/* The command comes with a descriptor if it is SET_DATAFD. */
static gboolean
get_command(KilnFakeSwtpm *fake, uint32_t *command)
{
    uint8_t bytes[4];
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { .iov_base = bytes, .iov_len = sizeof bytes };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *header;

    if (recvmsg(fake->control, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof bytes)
        return FALSE;
    header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fake->data, CMSG_DATA(header), sizeof fake->data);
    *command = kiln_tpm_get32(bytes);
    return TRUE;
}

static void
get_blob(KilnFakeSwtpm *fake)
{
    uint8_t request[12];
    GByteArray *blob;

    if (!get(fake->control, request, sizeof request))
        return;
    blob = fake->blobs[kiln_tpm_get32(request + 4) - 1];

    uint32_t size = fake->kind == KILN_FAKE_SWTPM_HUGE_BLOB ? UINT32_MAX : blob->len;
    uint32_t words[] = { 0, 2, size, size };

    put_words(fake, G_N_ELEMENTS(words), words);
    put(fake->control, blob->data, blob->len);
}

static void
set_blob(KilnFakeSwtpm *fake)
{
    uint8_t request[12];
    GByteArray *blob;

    if (!get(fake->control, request, sizeof request))
        return;
    blob = fake->blobs[kiln_tpm_get32(request + 4) - 1];
    g_byte_array_set_size(blob, kiln_tpm_get32(request + 8));
    get(fake->control, blob->data, blob->len);
    result(fake, 0);
}

static void
answer(KilnFakeSwtpm *fake)
{
    kiln_tpm_put16(fake->buffer, 0x8001);
    kiln_tpm_put32(fake->buffer + 2, fake->kind == KILN_FAKE_SWTPM_HUGE   ? UINT32_MAX
                                     : fake->kind == KILN_FAKE_SWTPM_TINY ? 3
                                                                          : fake->length);
    kiln_tpm_put32(fake->buffer + 6, 0);
    put(fake->data, fake->buffer, fake->length);
}

static gboolean
control(KilnFakeSwtpm *fake)
{
    static const uint32_t sizes[] = { 0, 4096, 1024, 4096 };
    uint8_t request[4];
    uint32_t command;

    if (!get_command(fake, &command))
        return FALSE;
    switch (command) {
    case 1:
        put_words(fake, 2, (uint32_t[]){ 0, fake->kind == KILN_FAKE_SWTPM_OLD ? 0 : 0x7fff });
        break;
    case 2:
        get(fake->control, request, sizeof request);
        atomic_fetch_add(&fake->inits, 1);
        result(fake, fake->kind == KILN_FAKE_SWTPM_REFUSES ? 9 : 0);
        break;
    case 3:
        atomic_fetch_add(&fake->shutdowns, 1);
        result(fake, 0);
        return FALSE;
    case 4: put_words(fake, 2, (uint32_t[]){ 0, 0 }); break;
    case 5:
        get(fake->control, request, sizeof request);
        atomic_store(&fake->locality, request[0]);
        result(fake, 0);
        break;
    case 9:
        result(fake, 0);
        if (fake->waiting)
            answer(fake);
        fake->waiting = FALSE;
        break;
    case 11:
        get(fake->control, request, sizeof request);
        result(fake, 0);
        break;
    case 12: get_blob(fake); break;
    case 13: set_blob(fake); break;
    case 14: result(fake, 0); break;
    case 16: result(fake, 0); break;
    case 17:
        get(fake->control, request, sizeof request);
        put_words(fake, G_N_ELEMENTS(sizes), sizes);
        break;
    default: return FALSE;
    }
    return TRUE;
}

static gboolean
command(KilnFakeSwtpm *fake)
{
    ssize_t length = recv(fake->data, fake->buffer, sizeof fake->buffer, 0);

    if (length <= 0)
        return FALSE;
    atomic_fetch_add(&fake->commands, 1);
    fake->length = (uint32_t)length;
    if (fake->kind == KILN_FAKE_SWTPM_DIES)
        return FALSE;
    if (fake->kind == KILN_FAKE_SWTPM_WAITS)
        fake->waiting = TRUE;
    else
        answer(fake);
    return TRUE;
}

static void *
run(void *opaque)
{
    KilnFakeSwtpm *fake = opaque;
    gboolean alive = TRUE;

    while (alive) {
        struct pollfd fds[] = { { .fd = fake->control, .events = POLLIN },
                                { .fd = fake->data, .events = POLLIN } };

        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
            break;
        if (fds[0].revents != 0)
            alive = control(fake);
        else if (fds[1].revents != 0)
            alive = command(fake);
    }
    close(fake->control);
    if (fake->data >= 0)
        close(fake->data);
    return NULL;
}

KilnFakeSwtpm *
kiln_fake_swtpm_new(KilnFakeSwtpmKind kind, int *control_fd)
{
    KilnFakeSwtpm *fake = g_new0(KilnFakeSwtpm, 1);
    int pair[2];

    g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    fake->kind = kind;
    fake->control = pair[0];
    fake->data = -1;
    *control_fd = pair[1];
    for (unsigned i = 0; i < N_BLOBS; i++)
        fake->blobs[i] = g_byte_array_new();
    g_byte_array_append(fake->blobs[0], (const uint8_t *)"permanent", 9);
    g_byte_array_set_size(fake->blobs[1], 9000);
    memset(fake->blobs[1]->data, 'v', 9000);
    g_assert(pthread_create(&fake->thread, NULL, run, fake) == 0);
    return fake;
}

void
kiln_fake_swtpm_free(KilnFakeSwtpm *fake)
{
    pthread_join(fake->thread, NULL);
    for (unsigned i = 0; i < N_BLOBS; i++)
        g_byte_array_unref(fake->blobs[i]);
    g_free(fake);
}

unsigned
kiln_fake_swtpm_inits(KilnFakeSwtpm *fake)
{
    return atomic_load(&fake->inits);
}

unsigned
kiln_fake_swtpm_commands(KilnFakeSwtpm *fake)
{
    return atomic_load(&fake->commands);
}

unsigned
kiln_fake_swtpm_locality(KilnFakeSwtpm *fake)
{
    return atomic_load(&fake->locality);
}

unsigned
kiln_fake_swtpm_shutdowns(KilnFakeSwtpm *fake)
{
    return atomic_load(&fake->shutdowns);
}
