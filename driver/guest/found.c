/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See found.h. */
#include "guest/found.h"

#include "base/log.h"
#include "control/paths.h"
#include "guest/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT ".xml"
#define CLAIM    ".pid"
#define HALF     ".xml.new"

static char *
path_of(const char *runtime_dir, const char *name, const char *suffix)
{
    g_autofree char *file = kiln_store_file_name(name, suffix, NULL);

    return file != NULL ? g_build_filename(runtime_dir, file, NULL) : NULL;
}

/* Returns: (transfer full) (nullable): whose file it is. */
static char *
name_of(const char *file, const char *suffix)
{
    g_autofree char *socket = NULL;

    if (!g_str_has_suffix(file, suffix))
        return NULL;
    socket = g_strdup_printf("%.*s.sock", (int)(strlen(file) - strlen(suffix)), file);
    return kiln_control_guest_of(socket);
}

void
kiln_found_names(const char *runtime_dir, KilnFoundName found, gpointer data)
{
    g_autoptr(GHashTable) documents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GDir) dir = g_dir_open(runtime_dir, 0, NULL);
    GHashTableIter iter;
    gpointer name;
    gpointer has;
    const char *file;

    while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
        char *of_document = name_of(file, DOCUMENT);
        char *of_claim = name_of(file, CLAIM);

        if (g_str_has_suffix(file, HALF)) {
            g_autofree char *path = g_build_filename(runtime_dir, file, NULL);

            (void)unlink(path);
        }
        if (of_document != NULL)
            (void)g_hash_table_replace(documents, of_document, GINT_TO_POINTER(TRUE));
        if (of_claim != NULL && !g_hash_table_contains(documents, of_claim))
            (void)g_hash_table_insert(documents, g_steal_pointer(&of_claim),
                                      GINT_TO_POINTER(FALSE));
        g_free(of_claim);
    }
    g_hash_table_iter_init(&iter, documents);
    while (g_hash_table_iter_next(&iter, &name, &has))
        found(name, GPOINTER_TO_INT(has), data);
}

/* The number may be another process's by now: the lock of the claim is only held by the one that
 * wrote it.  It is looked at only then, since who looks keeps a starting guest from it. */
static gboolean
is_held(int claim)
{
    if (flock(claim, LOCK_SH | LOCK_NB) < 0)
        return TRUE;
    (void)flock(claim, LOCK_UN);
    return FALSE;
}

/* Whether the descriptor at @link is @claim.  Its name is looked at first: to ask for more may wait
 * for a server of files that is gone. */
static gboolean
is_claim(const char *link, const char *file, const struct stat *claim)
{
    char target[PATH_MAX];
    ssize_t length = readlink(link, target, sizeof target - 1);
    const char *base;
    struct stat status;

    if (length <= 0)
        return FALSE;
    target[length] = '\0';
    base = strrchr(target, '/');
    return base != NULL && strcmp(base + 1, file) == 0 && stat(link, &status) == 0 &&
           status.st_dev == claim->st_dev && status.st_ino == claim->st_ino;
}

/* A guest may have taken over its process, which can write any number into its claim and have us
 * kill whose it is.  The process that is meant has the claim open.  Of processes that may not be
 * looked into (a user's own, which are not dumpable) it is believed: we may do no more to others
 * than they. */
static gboolean
has_open(pid_t pid, int claim, const char *path)
{
    g_autofree char *directory = g_strdup_printf("/proc/%d/fd", (int)pid);
    g_autofree char *file = g_path_get_basename(path);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(directory, 0, &error);
    struct stat status;
    gboolean found = FALSE;
    const char *name;

    if (pid == getpid() || fstat(claim, &status) < 0)
        return FALSE;
    if (dir == NULL)
        return g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES);
    while (!found && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *link = g_build_filename(directory, name, NULL);

        found = is_claim(link, file, &status);
    }
    if (!found)
        kiln_log(KILN_LOG_WARNING, "'%s' names process %d, which does not have it open", path,
                 (int)pid);
    return found;
}

pid_t
kiln_found_process(const char *runtime_dir, const char *name, KilnFd *pidfd)
{
    g_autofree char *path = path_of(runtime_dir, name, CLAIM);
    g_auto(KilnFd) claim = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    g_auto(KilnFd) process = -1;
    char text[32] = "";
    gint64 pid;

    if (claim < 0 || kiln_read_full(claim, text, sizeof text - 1, 0) <= 0)
        return 0;
    pid = g_ascii_strtoll(text, NULL, 10);
    if (pid <= 0 || pid > G_MAXINT)
        return 0;
    process = pidfd_open((pid_t)pid, 0);
    if (process < 0 || !is_held(claim) || !has_open((pid_t)pid, claim, path))
        return 0;
    *pidfd = kiln_fd_steal(&process);
    return (pid_t)pid;
}

gboolean
kiln_found_document(const char *runtime_dir, const char *name, KilnHead *head)
{
    g_autofree char *path = path_of(runtime_dir, name, DOCUMENT);
    g_autofree char *text = NULL;
    gsize length;

    if (path == NULL || !g_file_get_contents(path, &text, &length, NULL) ||
        !kiln_head_read(text, length, head, NULL))
        return FALSE;
    if (strcmp(head->name, name) == 0 && head->id > 0)
        return TRUE;
    kiln_head_clear(head);
    return FALSE;
}
