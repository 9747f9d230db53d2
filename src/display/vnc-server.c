/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module vnc.so: who may connect where, and how often the picture is looked at.  See vnc.h. */
#include "display/vnc-private.h"

#include "base/error.h"
#include "base/unix-socket.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FAST_MS = 33,   /* between two looks while something happens */
    SLOWER_MS = 33, /* more of it after each that saw nothing */
    SLOW_MS = 330,
    BACKLOG = 16,
    REST_MS = 100, /* without a free descriptor */
};

/* ---- clients -----------------------------------------------------------------------------------
 */

void
kiln_vnc_tell(KilnVncClient *client, KilnVncEvent event)
{
    if (client->vnc->event != NULL)
        client->vnc->event(client->vnc->data, event, &client->peer);
}

static guint
count_in(const KilnVnc *vnc)
{
    guint n = 0;

    for (guint i = 0; i < vnc->clients->len; i++) {
        const KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

        n += client->state == KILN_VNC_CLIENT_NORMAL;
    }
    return n;
}

static void
remove_client(KilnVnc *vnc, guint i)
{
    KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

    kiln_vnc_tell(client, KILN_VNC_DISCONNECTED);
    g_ptr_array_remove_index(vnc->clients, i);
    kiln_vnc_client_free(client);
}

static gboolean
reap(gpointer data)
{
    KilnVnc *vnc = data;

    vnc->reaper = 0;
    for (guint i = vnc->clients->len; i-- > 0;) {
        const KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

        if (client->doomed)
            remove_client(vnc, i);
    }
    if (count_in(vnc) == 0)
        kiln_vnc_screen_end(vnc);
    return G_SOURCE_REMOVE;
}

void
kiln_vnc_client_doom(KilnVncClient *client, const char *reason)
{
    if (client->doomed)
        return;
    client->doomed = TRUE;
    if (reason != NULL && client->state != KILN_VNC_CLIENT_NORMAL)
        kiln_log_guest(&client->vnc->limit, "VNC client '%s': %s", client->peer.node, reason);
    if (client->vnc->reaper == 0)
        client->vnc->reaper = g_idle_add_full(G_PRIORITY_DEFAULT, reap, client->vnc, NULL);
}

/* ---- the picture -------------------------------------------------------------------------------
 */

static void arm(KilnVnc *vnc, guint interval_ms);

static void
check_client(KilnVncClient *client)
{
    gint64 now = g_get_monotonic_time();
    gint64 stuck = kiln_vnc_stream_stuck_since(client->stream);

    if (client->doomed)
        return;
    if (client->state != KILN_VNC_CLIENT_NORMAL && now > client->deadline_us)
        kiln_vnc_client_doom(client, "it takes too long to log in");
    if (stuck != 0 && now - stuck > (gint64)KILN_VNC_STUCK_SECONDS * G_USEC_PER_SEC)
        kiln_vnc_client_doom(client, "it takes nothing");
    kiln_vnc_input_tell(client);
    kiln_vnc_client_update(client);
}

static gboolean
look(gpointer data)
{
    KilnVnc *vnc = data;
    gboolean changed = vnc->screen != NULL && kiln_vnc_screen_refresh(vnc);

    vnc->timer = 0;
    for (guint i = 0; i < vnc->clients->len; i++)
        check_client(g_ptr_array_index(vnc->clients, i));
    if (vnc->clients->len > 0)
        arm(vnc, changed ? FAST_MS : MIN(vnc->interval_ms + SLOWER_MS, SLOW_MS));
    return G_SOURCE_REMOVE;
}

static void
arm(KilnVnc *vnc, guint interval_ms)
{
    if (vnc->timer != 0)
        g_source_remove(vnc->timer);
    vnc->interval_ms = interval_ms;
    vnc->timer = g_timeout_add(interval_ms, look, vnc);
}

void
kiln_vnc_hurry(KilnVnc *vnc)
{
    if (vnc->timer == 0 || vnc->interval_ms > FAST_MS)
        arm(vnc, FAST_MS);
}

static void
on_inputs_changed(void *data)
{
    KilnVnc *vnc = data;

    for (guint i = 0; i < vnc->clients->len; i++)
        kiln_vnc_input_tell(g_ptr_array_index(vnc->clients, i));
}

/* ---- connections -------------------------------------------------------------------------------
 */

/* One more than there may be: who has not logged in yet makes room. */
static gboolean
make_room(KilnVnc *vnc)
{
    if (vnc->clients->len < KILN_VNC_MAX_CLIENTS)
        return TRUE;
    for (guint i = 0; i < vnc->clients->len; i++) {
        const KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

        if (client->state != KILN_VNC_CLIENT_NORMAL && !client->doomed) {
            remove_client(vnc, i);
            return TRUE;
        }
    }
    return FALSE;
}

static void
add_client(KilnVnc *vnc, int fd, gboolean let_in)
{
    KilnVncClient *client;

    if (!make_room(vnc)) {
        kiln_log_guest(&vnc->limit, "VNC: %d clients are enough", KILN_VNC_MAX_CLIENTS);
        kiln_fd_clear(&fd);
        return;
    }
    client = kiln_vnc_client_new(vnc, fd, let_in);
    g_ptr_array_add(vnc->clients, client);
    kiln_vnc_tell(client, KILN_VNC_CONNECTED);
    kiln_vnc_hurry(vnc);
}

static gboolean
on_accept(int fd, GIOCondition ready, gpointer data)
{
    KilnVncListener *listener = data;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)ready;
    if (client >= 0)
        add_client(listener->vnc, client, FALSE);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        kiln_fd_source_rest(listener->source, G_IO_IN, REST_MS);
    return G_SOURCE_CONTINUE;
}

static void
listener_free(gpointer data)
{
    KilnVncListener *listener = data;

    kiln_source_free(listener->source);
    kiln_fd_clear(&listener->fd);
    if (listener->path != NULL)
        (void)unlink(listener->path);
    g_free(listener->path);
    g_free(listener);
}

static void
add_listener(KilnVnc *vnc, int fd, const char *path)
{
    KilnVncListener *listener = g_new0(KilnVncListener, 1);

    listener->vnc = vnc;
    listener->fd = fd;
    listener->path = g_strdup(path);
    listener->source = kiln_fd_source_new(NULL, fd, G_IO_IN, on_accept, listener);
    g_ptr_array_add(vnc->listeners, listener);
}

/* Returns: a descriptor, or -1 with errno set. */
static int
listen_at(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    int saved;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    kiln_fd_clear(&fd);
    errno = saved;
    return -1;
}

/* Every address that the name has, at one port.  Returns: 0 or an errno. */
static int
listen_at_port(KilnVnc *vnc, const struct addrinfo *addresses, guint port)
{
    guint before = vnc->listeners->len;
    int error = EADDRNOTAVAIL;

    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        int fd;

        if (address->ai_family == AF_INET)
            ((struct sockaddr_in *)address->ai_addr)->sin_port = htons((uint16_t)port);
        else if (address->ai_family == AF_INET6)
            ((struct sockaddr_in6 *)address->ai_addr)->sin6_port = htons((uint16_t)port);
        else
            continue;
        fd = listen_at(address);
        if (fd >= 0) {
            add_listener(vnc, fd, NULL);
            return 0; /* "localhost" is its first address, as elsewhere */
        }
        error = errno;
        if (error == EADDRINUSE)
            break;
    }
    g_ptr_array_set_size(vnc->listeners, (gint)before);
    return error;
}

static guint
vnc_listen_tcp(KilnVnc *vnc, const char *address, guint first, guint last, GError **error)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    const char *name = address != NULL && address[0] != '\0' ? address : "0.0.0.0";
    struct addrinfo *addresses = NULL;
    int result = getaddrinfo(name, NULL, &hints, &addresses);
    int failure = EINVAL;

    if (result != 0) {
        (void)kiln_error_set(error, KILN_ERROR_INVALID, "VNC: cannot listen on '%s': %s", name,
                             gai_strerror(result));
        return 0;
    }
    for (guint port = first; port <= last && port <= KILN_VNC_LAST_PORT; port++) {
        failure = listen_at_port(vnc, addresses, port);
        if (failure == 0) {
            freeaddrinfo(addresses);
            return port;
        }
        if (failure != EADDRINUSE)
            break;
    }
    freeaddrinfo(addresses);
    if (first == last)
        (void)kiln_error_set_errno(error, failure, "VNC: cannot listen on '%s' port %u", name,
                                   first);
    else
        (void)kiln_error_set_errno(error, failure, "VNC: cannot listen on '%s' at any port from %u",
                                   name, first);
    return 0;
}

static gboolean
vnc_listen_unix(KilnVnc *vnc, const char *path, GError **error)
{
    int fd = kiln_unix_listen(path, BACKLOG, error);

    if (fd < 0) {
        g_prefix_error(error, "VNC: ");
        return FALSE;
    }
    add_listener(vnc, fd, path);
    return TRUE;
}

/* ---- the rest of the table ---------------------------------------------------------------------
 */

static void
vnc_set_password(KilnVnc *vnc, const char *password, gint64 valid_to)
{
    g_free(vnc->password);
    vnc->password = g_strdup(password);
    vnc->valid_to = valid_to;
    for (guint i = 0; i < vnc->clients->len; i++) {
        KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

        if (client->state != KILN_VNC_CLIENT_NORMAL && !client->let_in)
            kiln_vnc_client_doom(client, "the password has changed");
    }
}

static void
vnc_set_surface(KilnVnc *vnc, KilnSurface *surface)
{
    if (vnc->surface == surface)
        return;
    while (vnc->clients->len > 0 && vnc->screen != NULL)
        remove_client(vnc, vnc->clients->len - 1);
    kiln_vnc_screen_end(vnc);
    vnc->surface = surface;
}

static void
vnc_close(KilnVnc *vnc)
{
    if (vnc == NULL)
        return;
    g_clear_pointer(&vnc->listeners, g_ptr_array_unref);
    while (vnc->clients->len > 0)
        remove_client(vnc, vnc->clients->len - 1);
    kiln_vnc_screen_end(vnc);
    if (vnc->reaper != 0)
        g_source_remove(vnc->reaper);
    if (vnc->timer != 0)
        g_source_remove(vnc->timer);
    kiln_inputs_watch(vnc->inputs, NULL, NULL);
    g_ptr_array_unref(vnc->clients);
    if (vnc->credentials != NULL)
        gnutls_certificate_free_credentials(vnc->credentials);
    g_free(vnc->password);
    g_free(vnc->name);
    g_free(vnc);
}

static KilnVnc *
vnc_open(const KilnVncOptions *options, GError **error)
{
    gnutls_certificate_credentials_t credentials = NULL;
    KilnVnc *vnc;

    if (options->password != NULL && options->password[0] != '\0' &&
        !kiln_vnc_can_check_password()) {
        (void)kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                             "VNC: no password can be checked: there is no DES");
        return NULL;
    }
    if (options->tls_dir != NULL) {
        credentials = kiln_vnc_tls_load(options->tls_dir, options->tls_verify, error);
        if (credentials == NULL) {
            g_prefix_error(error, "VNC: ");
            return NULL;
        }
    }
    vnc = g_new0(KilnVnc, 1);
    vnc->name = g_strdup(options->name);
    vnc->inputs = options->inputs;
    vnc->surface = options->surface;
    vnc->sharing = options->sharing;
    vnc->credentials = credentials;
    vnc->tls_verify = options->tls_verify;
    vnc->event = options->event;
    vnc->power = options->power;
    vnc->data = options->data;
    vnc->listeners = g_ptr_array_new_with_free_func(listener_free);
    vnc->clients = g_ptr_array_new();
    vnc->interval_ms = SLOW_MS;
    vnc_set_password(vnc, options->password, options->valid_to);
    kiln_inputs_watch(vnc->inputs, on_inputs_changed, vnc);
    return vnc;
}

const KilnVncModule kiln_vnc_module = {
    .open = vnc_open,
    .listen_tcp = vnc_listen_tcp,
    .listen_unix = vnc_listen_unix,
    .add_client = add_client,
    .set_password = vnc_set_password,
    .set_surface = vnc_set_surface,
    .n_clients = count_in,
    .close = vnc_close,
};
