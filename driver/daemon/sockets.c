/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/sockets.h"

#include "base/error.h"
#include "base/log.h"
#include "base/unix-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <grp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PASSED_FD = 3, BACKLOG = 4096, LISTEN_MS = 3000, LISTEN_STEP_MS = 20 };

#define POLKIT_SERVICE "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
#define DEFAULT_GROUP  "libvirt"

static char *made[2]; /* (owned) (nullable): paths to be removed at the end */

/* ---- Who may ---- */

static KilnAuth
auth_of(const char *configured, gboolean session)
{
    if (session)
        return KILN_AUTH_NONE; /* the folder is the user's alone */
    if (configured != NULL)
        return strcmp(configured, "polkit") == 0 ? KILN_AUTH_POLKIT : KILN_AUTH_NONE;
    return g_file_test(POLKIT_SERVICE, G_FILE_TEST_EXISTS) ? KILN_AUTH_POLKIT : KILN_AUTH_NONE;
}

/* With polkit everybody may connect, and is asked; without it, the socket's mode decides. */
static mode_t
mode_of(const KilnDaemonConfig *config, gboolean read_only, KilnAuth auth)
{
    guint configured = read_only ? config->socket_ro_perms : config->socket_rw_perms;

    if (configured != 0)
        return configured;
    return read_only || auth == KILN_AUTH_POLKIT ? 0777 : 0770;
}

static gboolean
give_to_group(const KilnDaemonConfig *config, const char *path, GError **error)
{
    const char *name = config->socket_group != NULL ? config->socket_group : DEFAULT_GROUP;
    const struct group *group = getgrnam(name);

    if (group == NULL && config->socket_group != NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              "unix_sock_group: there is no group '%s'", name);
    return group == NULL || chown(path, (uid_t)-1, group->gr_gid) == 0 ||
           kiln_error_set_errno(error, errno, "cannot give '%s' to group '%s'", path, name);
}

/* ---- Sockets of our own ---- */

/* As kiln_unix_listen.  Waits a little for another listener to go: it may be a child of a daemon
 * that was killed, on its way to become a guest (we have the daemon's lock). */
static int
listen_patiently(const char *path, GError **error)
{
    for (int waited = 0;; waited += LISTEN_STEP_MS) {
        g_autoptr(GError) reason = NULL;
        int fd = kiln_unix_listen(path, BACKLOG, &reason);

        if (fd >= 0)
            return fd;
        if (waited >= LISTEN_MS || !g_error_matches(reason, KILN_ERROR, KILN_ERROR_EXISTS)) {
            g_propagate_error(error, g_steal_pointer(&reason));
            return -1;
        }
        g_usleep(LISTEN_STEP_MS * 1000);
    }
}

static gboolean
make(KilnServer *server, const KilnDaemonConfig *config, const char *directory, gboolean read_only,
     gboolean session, GError **error)
{
    KilnAuth auth = auth_of(read_only ? config->auth_ro : config->auth_rw, session);
    g_autofree char *path =
        g_build_filename(directory, read_only ? "virtkilnd-sock-ro" : "virtkilnd-sock", NULL);
    mode_t before = umask(0077); /* nobody connects before it is his */
    g_auto(KilnFd) fd = listen_patiently(path, error);

    (void)umask(before);
    if (fd < 0)
        return FALSE;
    made[read_only] = g_strdup(path);
    if (!session && !give_to_group(config, path, error))
        return FALSE;
    if (chmod(path, session ? 0700 : mode_of(config, read_only, auth)) != 0)
        return kiln_error_set_errno(error, errno, "cannot set the mode of '%s'", path);
    kiln_server_listen(server, kiln_fd_steal(&fd), read_only, auth);
    return TRUE;
}

void
kiln_daemon_unlisten(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(made); i++) {
        if (made[i] != NULL)
            (void)unlink(made[i]);
        g_clear_pointer(&made[i], g_free);
    }
}

/* ---- systemd's ---- */

/* How many descriptors systemd hands over; the variables are for us, not for guests. */
static guint
n_passed(void)
{
    const char *pid = g_getenv("LISTEN_PID");
    const char *fds = g_getenv("LISTEN_FDS");
    gboolean ours = pid != NULL && g_ascii_strtoll(pid, NULL, 10) == getpid();
    guint n = ours && fds != NULL ? (guint)MIN(g_ascii_strtoull(fds, NULL, 10), 16) : 0;

    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return n;
}

static gboolean
is_read_only(int fd)
{
    struct sockaddr_un address = { 0 };
    socklen_t length = sizeof address - 1;

    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
           g_str_has_suffix(address.sun_path, "-ro");
}

static gboolean
take_passed(KilnServer *server, const KilnDaemonConfig *config, guint n, gboolean session,
            GError **error)
{
    for (guint i = 0; i < n; i++) {
        int fd = FIRST_PASSED_FD + (int)i;
        int listens = 0;
        socklen_t length = sizeof listens;
        gboolean read_only = is_read_only(fd);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || !listens)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "descriptor %d, from systemd, is no listening socket", fd);
        if (!g_unix_set_fd_nonblocking(fd, TRUE, error))
            return FALSE;
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        kiln_server_listen(server, fd, read_only,
                           auth_of(read_only ? config->auth_ro : config->auth_rw, session));
    }
    return TRUE;
}

gboolean
kiln_daemon_listen(KilnServer *server, const KilnDaemonConfig *config, const char *directory,
                   gboolean session, GError **error)
{
    guint passed = n_passed();

    if (passed > 0)
        return take_passed(server, config, passed, session, error);
    return make(server, config, directory, FALSE, session, error) &&
           (session || make(server, config, directory, TRUE, session, error));
}

void
kiln_daemon_notify(const char *state)
{
    static char *path; /* (owned) (nullable): taken from the environment, which guests inherit */
    static gboolean taken;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_auto(KilnFd) fd = -1;
    gsize length;

    if (!taken)
        path = g_strdup(g_getenv("NOTIFY_SOCKET"));
    taken = TRUE;
    g_unsetenv("NOTIFY_SOCKET");
    if (path == NULL || (path[0] != '/' && path[0] != '@'))
        return;
    length = strlen(path);
    if (length >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        kiln_log(KILN_LOG_WARNING, "cannot notify systemd: %s", g_strerror(errno));
}
