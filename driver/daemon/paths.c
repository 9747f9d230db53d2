/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/paths.h"

#include "base/error.h"
#include "control/paths.h"

#include <errno.h>
#include <string.h>

static char *
below(const char *base, const char *rest)
{
    return g_build_filename(base, "libvirt", rest, NULL);
}

void
kiln_daemon_paths_init(KilnDaemonPaths *paths, gboolean session)
{
    const char *config = session ? g_get_user_config_dir() : KILN_SYSCONF_DIR;
    const char *runtime = session ? g_get_user_runtime_dir() : KILN_RUN_DIR;

    paths->config_file = below(config, "virtkilnd.conf");
    paths->guest_config = session ? NULL : below(config, "kiln.conf");
    paths->definitions = below(config, "kiln");
    paths->socket_dir = below(runtime, NULL);
    paths->runtime = g_getenv("KILN_RUNTIME_DIR") != NULL ? g_strdup(kiln_control_directory())
                                                          : below(runtime, "kiln");
    paths->logs = session ? below(g_get_user_cache_dir(), "kiln/log")
                          : below(KILN_LOCALSTATE_DIR "/log", "kiln");
    paths->state = session ? g_strdup(g_get_user_data_dir()) : g_strdup(KILN_LOCALSTATE_DIR "/lib");
    paths->images = below(paths->state, "images");
    paths->pid_file = session ? below(runtime, "virtkilnd.pid")
                              : g_build_filename(runtime, "virtkilnd.pid", NULL);
}

void
kiln_daemon_paths_clear(KilnDaemonPaths *paths)
{
    g_free(paths->config_file);
    g_free(paths->guest_config);
    g_free(paths->socket_dir);
    g_free(paths->definitions);
    g_free(paths->runtime);
    g_free(paths->logs);
    g_free(paths->state);
    g_free(paths->images);
    g_free(paths->pid_file);
    memset(paths, 0, sizeof *paths);
}

static gboolean
make(const char *path, int mode, GError **error)
{
    return g_mkdir_with_parents(path, mode) == 0 ||
           kiln_error_set_errno(error, errno, "cannot make the directory '%s'", path);
}

gboolean
kiln_daemon_paths_make(const KilnDaemonPaths *paths, gboolean session, GError **error)
{
    g_autofree char *autostart = g_build_filename(paths->definitions, "autostart", NULL);

    /* Users have to pass through the sockets' folder of the system. */
    return make(paths->socket_dir, session ? 0700 : 0755, error) &&
           make(paths->definitions, 0700, error) && make(autostart, 0700, error) &&
           make(paths->runtime, session ? 0700 : 0711, error) && make(paths->logs, 0700, error);
}

char *
kiln_daemon_find_program(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self != NULL ? g_path_get_dirname(self) : NULL;
    char *beside = dir != NULL ? g_build_filename(dir, "kiln", NULL) : NULL;

    if (beside != NULL && g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE))
        return beside;
    g_free(beside);
    return g_strdup(KILN_BIN_DIR "/kiln");
}
