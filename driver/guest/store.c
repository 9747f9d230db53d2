/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See store.h. */
#include "guest/store.h"

#include "base/error.h"
#include "base/log.h"
#include "control/paths.h"
#include "domain/xml.h"
#include "guest/store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRIVATE_FILE = 0600, PRIVATE_DIRECTORY = 0700, CHUNK_BYTES = 16384 };

/* ---- The folder ---- */

static KilnFd
open_directory(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, PRIVATE_DIRECTORY) < 0) {
        kiln_error_set_errno(error, errno, "cannot make the directory '%s'", path);
        return -1;
    }
    return kiln_open(path, O_RDONLY | O_DIRECTORY, 0, error);
}

KilnStore *
kiln_store_open(const char *directory, GError **error)
{
    g_autoptr(KilnStore) store = g_new0(KilnStore, 1);
    g_autofree char *links = g_build_filename(directory, "autostart", NULL);

    store->directory = g_strdup(directory);
    store->fd = store->links = -1;
    store->fd = open_directory(directory, error);
    if (store->fd < 0)
        return NULL;
    store->links = open_directory(links, error);
    return store->links < 0 ? NULL : g_steal_pointer(&store);
}

void
kiln_store_close(KilnStore *store)
{
    if (store == NULL)
        return;
    kiln_fd_clear(&store->fd);
    kiln_fd_clear(&store->links);
    g_free(store->directory);
    g_free(store);
}

/* ---- Names ---- */

char *
kiln_store_file_name(const char *name, const char *suffix, GError **error)
{
    g_autofree char *path = NULL;

    if (strchr(name, '/') != NULL) {
        kiln_error_set(error, KILN_ERROR_INVALID, "name '%s' cannot contain '/'", name);
        return NULL;
    }
    path = kiln_control_path(name, suffix, error);
    return path != NULL ? g_path_get_basename(path) : NULL;
}

gboolean
kiln_store_check_name(const char *name, GError **error)
{
    g_autofree char *file = kiln_store_file_name(name, ".sock", error);

    return file != NULL;
}

/* ---- Files ---- */

static gboolean
sync_directory(KilnStore *store, int fd, GError **error)
{
    return fsync(fd) == 0 ||
           kiln_error_set_errno(error, errno, "cannot sync the directory '%s'", store->directory);
}

/* Writes and syncs a new file, whose name is told only when it is whole. */
static char *
write_new(KilnStore *store, const char *text, GError **error)
{
    g_autofree char *file = g_strdup_printf(KILN_STORE_NEW "%d-%u", (int)getpid(),
                                            (guint)g_atomic_int_add((gint *)&store->counter, 1));
    g_auto(KilnFd) fd = openat(store->fd, file,
                               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, PRIVATE_FILE);
    int written = fd < 0 ? -errno : kiln_write_full(fd, text, strlen(text), -1);

    if (written == 0 && fsync(fd) < 0)
        written = -errno;
    if (written == 0)
        return g_steal_pointer(&file);
    kiln_error_set_errno(error, -written, "cannot write a file in '%s'", store->directory);
    (void)unlinkat(store->fd, file, 0);
    return NULL;
}

/* The new file becomes @to. */
static gboolean
place(KilnStore *store, const char *from, const char *to, GError **error)
{
    if (renameat(store->fd, from, store->fd, to) < 0) {
        kiln_error_set_errno(error, errno, "cannot write '%s/%s'", store->directory, to);
        (void)unlinkat(store->fd, from, 0);
        return FALSE;
    }
    return sync_directory(store, store->fd, error);
}

gboolean
kiln_store_write(KilnStore *store, const char *name, const char *text, GError **error)
{
    g_autofree char *file = kiln_store_file_name(name, KILN_STORE_SUFFIX, error);
    g_autofree char *fresh = file != NULL ? write_new(store, text, error) : NULL;

    return fresh != NULL && place(store, fresh, file, error);
}

static gboolean
remove_link(KilnStore *store, const char *file, GError **error)
{
    if (unlinkat(store->links, file, 0) == 0)
        return sync_directory(store, store->links, error);
    return errno == ENOENT || kiln_error_set_errno(error, errno, "cannot remove '%s/autostart/%s'",
                                                   store->directory, file);
}

gboolean
kiln_store_remove(KilnStore *store, const char *name, GError **error)
{
    g_autofree char *file = kiln_store_file_name(name, KILN_STORE_SUFFIX, error);
    g_autoptr(GError) failure = NULL;

    if (file == NULL)
        return FALSE;
    if (unlinkat(store->fd, file, 0) < 0 && errno != ENOENT)
        return kiln_error_set_errno(error, errno, "cannot remove '%s/%s'", store->directory, file);
    if (!sync_directory(store, store->fd, error))
        return FALSE;
    if (!remove_link(store, file,
                     &failure)) /* it is gone all the same, and the link says nothing */
        kiln_log(KILN_LOG_WARNING, "%s", failure->message);
    return TRUE;
}

/* ---- Autostart ---- */

static gboolean
add_link(KilnStore *store, const char *file, GError **error)
{
    g_autofree char *target = g_build_filename(store->directory, file, NULL);

    if (symlinkat(target, store->links, file) < 0 && errno != EEXIST)
        return kiln_error_set_errno(error, errno, "cannot make the link '%s/autostart/%s'",
                                    store->directory, file);
    return sync_directory(store, store->links, error);
}

gboolean
kiln_store_set_autostart(KilnStore *store, const char *name, gboolean autostart, GError **error)
{
    g_autofree char *file = kiln_store_file_name(name, KILN_STORE_SUFFIX, error);

    if (file == NULL)
        return FALSE;
    return autostart ? add_link(store, file, error) : remove_link(store, file, error);
}

/* ---- Renaming: file, new file, new text's file, "1" for autostart; one a line ---- */

static gboolean
is_file_name(const char *text)
{
    return *text != '\0' && strchr(text, '/') == NULL && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

static gboolean
do_rename(KilnStore *store, char **lines, GError **error)
{
    gboolean done = faccessat(store->fd, lines[1], F_OK, 0) == 0;

    if (renameat(store->fd, lines[2], store->fd, lines[1]) < 0 && (errno != ENOENT || !done))
        return kiln_error_set_errno(error, errno, "cannot write '%s/%s'", store->directory,
                                    lines[1]);
    if (strcmp(lines[3], "1") == 0 && !add_link(store, lines[1], error))
        return FALSE;
    if (unlinkat(store->fd, lines[0], 0) < 0 && errno != ENOENT)
        return kiln_error_set_errno(error, errno, "cannot remove '%s/%s'", store->directory,
                                    lines[0]);
    return remove_link(store, lines[0], error) && sync_directory(store, store->fd, error);
}

gboolean
kiln_store_finish_rename(KilnStore *store, const char *journal, GError **error)
{
    g_autoptr(GString) text = kiln_store_slurp(store, journal, error);
    g_auto(GStrv) lines = NULL;

    if (text == NULL)
        return FALSE;
    lines = g_strsplit(text->str, "\n", -1);
    if (g_strv_length(lines) != 5 || !is_file_name(lines[0]) || !is_file_name(lines[1]) ||
        !is_file_name(lines[2]))
        return kiln_error_set(error, KILN_ERROR_INVALID, "file '%s/%s' is not what a rename leaves",
                              store->directory, journal);
    if (!do_rename(store, lines, error))
        return FALSE;
    (void)unlinkat(store->fd, journal, 0); /* if it comes back, it does nothing */
    return sync_directory(store, store->fd, error);
}

gboolean
kiln_store_rename(KilnStore *store, const char *name, const char *new_name, const char *text,
                  GError **error)
{
    g_autofree char *from = kiln_store_file_name(name, KILN_STORE_SUFFIX, error);
    g_autofree char *to =
        from != NULL ? kiln_store_file_name(new_name, KILN_STORE_SUFFIX, error) : NULL;
    g_autofree char *fresh = to != NULL ? write_new(store, text, error) : NULL;
    g_autofree char *plan = NULL;
    g_autofree char *plan_file = NULL;
    g_autofree char *journal = NULL;

    if (fresh == NULL)
        return FALSE;
    plan = g_strdup_printf("%s\n%s\n%s\n%d\n", from, to, fresh,
                           faccessat(store->links, from, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    plan_file = write_new(store, plan, error);
    if (plan_file == NULL) {
        (void)unlinkat(store->fd, fresh, 0);
        return FALSE;
    }
    journal = g_strconcat(KILN_STORE_RENAME, plan_file + strlen(KILN_STORE_NEW), NULL);
    if (place(store, plan_file, journal, error))
        return kiln_store_finish_rename(store, journal, error);
    (void)unlinkat(store->fd, fresh, 0);
    return FALSE;
}

/* ---- Reading ---- */

GString *
kiln_store_slurp(KilnStore *store, const char *file, GError **error)
{
    g_auto(KilnFd) fd = openat(store->fd, file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g_autoptr(GString) text = g_string_new(NULL);
    ssize_t got;

    if (fd < 0) {
        kiln_error_set_errno(error, errno, "cannot open '%s/%s'", store->directory, file);
        return NULL;
    }
    do {
        gsize before = text->len;

        g_string_set_size(text, before + CHUNK_BYTES);
        got = kiln_read_full(fd, text->str + before, CHUNK_BYTES, -1);
        g_string_set_size(text, before + (got > 0 ? (gsize)got : 0));
    } while (got == CHUNK_BYTES && text->len <= KILN_XML_MAX_BYTES);
    if (got < 0) {
        kiln_error_set_errno(error, (int)-got, "cannot read '%s/%s'", store->directory, file);
        return NULL;
    }
    return g_steal_pointer(&text);
}

KilnDomain *
kiln_store_read(KilnStore *store, const char *name, const guint8 *uuid, GError **error)
{
    g_autofree char *file = kiln_store_file_name(name, KILN_STORE_SUFFIX, error);
    g_autoptr(GString) text = file != NULL ? kiln_store_slurp(store, file, error) : NULL;
    g_autoptr(KilnFaults) faults = NULL;
    g_autoptr(KilnDomain) domain = NULL;
    guint8 found[KILN_UUID_BYTES];

    if (text == NULL)
        return NULL;
    faults = kiln_faults_new();
    domain = kiln_domain_define(text->str, text->len, faults);
    if (domain == NULL) {
        (void)kiln_faults_to_error(faults, file, error);
        return NULL;
    }
    if (strcmp(domain->name, name) != 0 ||
        !kiln_uuid_parse(domain->uuid, strlen(domain->uuid), found) ||
        memcmp(found, uuid, KILN_UUID_BYTES) != 0) {
        kiln_error_set(error, KILN_ERROR_INVALID, "file '%s/%s' now defines another domain, '%s'",
                       store->directory, file, domain->name);
        return NULL;
    }
    return g_steal_pointer(&domain);
}

gboolean
kiln_store_check(KilnStore *store, const char *name, GError **error)
{
    g_autofree char *file = kiln_store_file_name(name, KILN_STORE_SUFFIX, error);
    g_autoptr(GString) text = file != NULL ? kiln_store_slurp(store, file, error) : NULL;
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain =
        text != NULL ? kiln_domain_parse(text->str, text->len, faults) : NULL;

    if (text != NULL && domain == NULL)
        (void)kiln_faults_to_error(faults, file, error);
    return domain != NULL;
}
