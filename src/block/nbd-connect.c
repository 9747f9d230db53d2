/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See nbd-connect.h. */
#include "block/nbd-connect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/unix-socket.h"
#include "loop/timer.h"

enum { DEFAULT_PORT = 10809, DEFAULT_CONNECT_MS = 30000, NS_PER_MS = 1000000 };

char *
kiln_nbd_name(const KilnBlockNbdOptions *options)
{
    const char *name = options->export_name != NULL ? options->export_name : "";

    if (options->socket != NULL)
        return g_strdup_printf("NBD export '%s' at '%s'", name, options->socket);
    return g_strdup_printf("NBD export '%s' at '%s:%u'", name, options->host,
                           options->port != 0 ? options->port : DEFAULT_PORT);
}

char *
kiln_nbd_reason(void)
{
    const char *text = nbd_get_error();
    const char *colon = text != NULL ? strstr(text, ": ") : NULL;
    char *reason;

    if (text == NULL)
        return g_strdup("no reason given");
    /* "nbd_aio_connect_tcp: …": which function it was tells the user nothing. */
    if (colon != NULL && g_str_has_prefix(text, "nbd_") && memchr(text, ' ', colon - text) == NULL)
        text = colon + 2;
    reason = g_strdup(text);
    for (char *c = reason; *c != '\0'; c++)
        if (!g_ascii_isprint(*c))
            *c = '?';
    return reason;
}

static gboolean
fail(GError **error)
{
    g_autofree char *reason = kiln_nbd_reason();

    return kiln_error_set(error, KILN_ERROR_FAILED, "%s", reason);
}

static gboolean
set_tls(struct nbd_handle *handle, const KilnBlockNbdOptions *options, GError **error)
{
    if (!options->tls)
        return TRUE;
    if (nbd_supports_tls(handle) != 1)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "this libnbd is built without TLS");
    if (nbd_set_tls(handle, LIBNBD_TLS_REQUIRE) < 0 || nbd_set_tls_verify_peer(handle, true) < 0)
        return fail(error);
    if (options->tls_dir != NULL && nbd_set_tls_certificates(handle, options->tls_dir) < 0)
        return fail(error);
    if (options->tls_psk_file != NULL && nbd_set_tls_psk_file(handle, options->tls_psk_file) < 0)
        return fail(error);
    if (options->tls_user != NULL && nbd_set_tls_username(handle, options->tls_user) < 0)
        return fail(error);
    return TRUE;
}

/* A read that fails leaves the buffer as it was: those are the guest's own, or hold its own bytes.
 */
static gboolean
set_up(struct nbd_handle *handle, const KilnBlockNbdOptions *options, GError **error)
{
    if (options->export_name != NULL && nbd_set_export_name(handle, options->export_name) < 0)
        return fail(error);
    if (nbd_set_pread_initialize(handle, false) < 0)
        return fail(error);
    return set_tls(handle, options, error);
}

static gboolean
begin(struct nbd_handle *handle, const KilnBlockNbdOptions *options, GError **error)
{
    g_autofree char *port = NULL;
    KilnFd fd;

    if (options->socket == NULL) {
        port = g_strdup_printf("%u", options->port != 0 ? options->port : DEFAULT_PORT);
        return nbd_aio_connect_tcp(handle, options->host, port) >= 0 || fail(error);
    }
    fd = kiln_unix_connect(options->socket, error);
    if (fd < 0)
        return FALSE;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        kiln_error_set_errno(error, errno, "cannot set up the socket");
        kiln_fd_clear(&fd);
        return FALSE;
    }
    /* The descriptor is libnbd's from here on, also when it fails. */
    return nbd_aio_connect_socket(handle, fd) >= 0 || fail(error);
}

/* A server that says nothing, or a little now and then, does not hold up the start for ever. */
static gboolean
finish(struct nbd_handle *handle, unsigned connect_ms, GError **error)
{
    uint64_t end = kiln_clock_ns() + (uint64_t)connect_ms * NS_PER_MS;

    while (nbd_aio_is_connecting(handle) == 1) {
        uint64_t now = kiln_clock_ns();

        if (now >= end)
            return kiln_error_set_errno(error, ETIMEDOUT, "the server has not answered in %u ms",
                                        connect_ms);
        if (nbd_poll(handle, (int)((end - now) / NS_PER_MS) + 1) < 0 && nbd_get_errno() != EINTR)
            return fail(error);
    }
    if (nbd_aio_is_ready(handle) != 1)
        return kiln_error_set(error, KILN_ERROR_FAILED, "the server hung up");
    return TRUE;
}

struct nbd_handle *
kiln_nbd_connect(const KilnBlockNbdOptions *options, GError **error)
{
    unsigned connect_ms = options->connect_ms != 0 ? options->connect_ms : DEFAULT_CONNECT_MS;
    struct nbd_handle *handle = nbd_create();

    if (handle == NULL) {
        fail(error);
        return NULL;
    }
    if (!set_up(handle, options, error) || !begin(handle, options, error) ||
        !finish(handle, connect_ms, error)) {
        nbd_close(handle);
        return NULL;
    }
    return handle;
}
