/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtiofsd.h. */
#include "device/virtiofsd.h"

#include "base/error.h"
#include "base/unix-socket.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTENER = 3 };

/* Mounts $1 read-only onto itself, which only the mount namespace that unshare made sees, and goes
 * on as the rest. */
static const char mount_readonly[] = "mount --bind -- \"$1\" \"$1\" && "
                                     "mount -o remount,bind,ro -- \"$1\" && shift && exec \"$@\"";

static void
add(GPtrArray *argv, const char *word)
{
    g_ptr_array_add(argv, g_strdup(word));
}

static void
add_switch(GPtrArray *argv, KilnVirtiofsdSwitch value, const char *name)
{
    if (value == KILN_VIRTIOFSD_DEFAULT)
        return;
    add(argv, "-o");
    g_ptr_array_add(argv, g_strconcat(value == KILN_VIRTIOFSD_ON ? "" : "no_", name, NULL));
}

static void
add_value(GPtrArray *argv, const char *name, const char *value)
{
    if (value == NULL)
        return;
    add(argv, "-o");
    g_ptr_array_add(argv, g_strconcat(name, "=", value, NULL));
}

/* Commas separate options of one -o. */
static char *
escape_commas(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, ",", -1);

    return g_strjoinv("\\,", parts);
}

static void
add_namespaces(GPtrArray *argv, const KilnVirtiofsdOptions *options, gboolean unprivileged,
               gboolean ranges)
{
    if (!unprivileged && !options->readonly)
        return;
    add(argv, "unshare");
    if (unprivileged)
        add(argv, "--map-root-user"); /* implies --user */
    if (unprivileged && ranges)
        add(argv, "--map-auto");
    if (options->readonly)
        add(argv, "--mount");
    add(argv, "--");
    if (options->readonly) {
        add(argv, "/bin/sh");
        add(argv, "-c");
        add(argv, mount_readonly);
        add(argv, "virtiofsd");
        add(argv, options->source);
    }
}

char **
kiln_virtiofsd_argv(const KilnVirtiofsdOptions *options, const char *program, gboolean unprivileged,
                    gboolean ranges)
{
    GPtrArray *argv = g_ptr_array_new();
    g_autofree char *source = escape_commas(options->source);

    add_namespaces(argv, options, unprivileged, ranges);
    add(argv, program);
    g_ptr_array_add(argv, g_strdup_printf("--fd=%d", LISTENER));
    add(argv, "-f"); /* both kinds take it */
    add_value(argv, "source", source);
    add_value(argv, "log_level", "warn");
    add_value(argv, "cache", options->cache);
    add_value(argv, "sandbox", options->sandbox);
    add_switch(argv, options->xattr, "xattr");
    add_switch(argv, options->posix_lock, "posix_lock");
    add_switch(argv, options->flock, "flock");
    if (options->thread_pool != NULL)
        g_ptr_array_add(argv, g_strdup_printf("--thread-pool-size=%d", *options->thread_pool));
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

/* Whether a line of @path, a table of subordinate ids, is of this user. */
static gboolean
has_range(const char *path, const char *user)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    g_autofree char *by_name = g_strdup_printf("%s:", user);
    g_autofree char *by_id = g_strdup_printf("%u:", (unsigned)geteuid());

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return FALSE;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++)
        if (g_str_has_prefix(lines[i], by_name) || g_str_has_prefix(lines[i], by_id))
            return TRUE;
    return FALSE;
}

static gboolean
has_ranges(void)
{
    g_autofree char *newuidmap = kiln_process_find("newuidmap", NULL);
    g_autofree char *newgidmap = kiln_process_find("newgidmap", NULL);
    const struct passwd *user = newuidmap != NULL ? getpwuid(geteuid()) : NULL;

    return newgidmap != NULL && user != NULL && has_range("/etc/subuid", user->pw_name) &&
           has_range("/etc/subgid", user->pw_name);
}

static gboolean
check_source(const char *source, GError **error)
{
    struct stat there;

    if (stat(source, &there) < 0)
        return kiln_error_set_errno(error, errno, "shared folder '%s'", source);
    if (!S_ISDIR(there.st_mode))
        return kiln_error_set(error, KILN_ERROR_INVALID, "shared folder '%s': it is no folder",
                              source);
    return TRUE;
}

/* A listener and a connection to it.  Its name is in a folder that nobody else may look into, and
 * only for a moment: who connects gets at @source. */
static gboolean
open_sockets(KilnFd *listener, KilnFd *socket, GError **error)
{
    g_autofree char *folder = g_dir_make_tmp("kiln-virtiofsd-XXXXXX", error);
    g_autofree char *path = NULL;

    if (folder == NULL)
        return FALSE;
    path = g_build_filename(folder, "socket", NULL);
    *listener = kiln_unix_listen(path, 1, error);
    if (*listener >= 0)
        *socket = kiln_unix_connect(path, error);
    (void)unlink(path);
    (void)rmdir(folder);
    return *listener >= 0 && *socket >= 0;
}

KilnProcess *
kiln_virtiofsd_spawn(const KilnVirtiofsdOptions *options, KilnFd *socket, GError **error)
{
    gboolean unprivileged = geteuid() != 0;
    g_autofree char *program = NULL;
    g_auto(GStrv) argv = NULL;
    g_auto(KilnFd) listener = -1;
    g_auto(KilnFd) connected = -1;
    KilnProcess *process;
    KilnProcessFd fd;
    KilnProcessOptions spawn = {
        .name = options->name,
        .fds = &fd,
        .n_fds = 1,
        .context = options->context,
        .ended = options->ended,
        .data = options->data,
    };

    program = kiln_process_find(options->program != NULL ? options->program : "virtiofsd", error);
    if (program == NULL || !check_source(options->source, error) ||
        !open_sockets(&listener, &connected, error))
        return NULL;
    argv = kiln_virtiofsd_argv(options, program, unprivileged, unprivileged && has_ranges());
    spawn.argv = (const char *const *)argv;
    fd = (KilnProcessFd){ .fd = listener, .number = LISTENER };
    process = kiln_process_spawn(&spawn, error);
    if (process != NULL)
        *socket = kiln_fd_steal(&connected);
    return process;
}
