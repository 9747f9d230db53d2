/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading the definitions (see store.h): three system calls a file, and of its text the first lines
 * and the last one are looked at.
 */
#include "base/error.h"
#include "base/log.h"
#include "guest/store-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { USUAL_BYTES = 32768 }; /* a definition is smaller, most often */

typedef struct {
    KilnStore *store;
    KilnStoreFound found;
    gpointer data;
    GHashTable *links; /* of file names */
    char *buffer;
} Load;

/* Calls @visit for each entry.  The descriptor that is read to its end is one of its own. */
static void
visit_directory(int directory, void (*visit)(const char *file, gpointer data), gpointer data)
{
    g_auto(KilnFd) fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (entries == NULL)
        return;
    (void)kiln_fd_steal(&fd);
    while ((entry = readdir(entries)) != NULL)
        visit(entry->d_name, data);
    (void)closedir(entries);
}

static void
add_file(const char *file, gpointer data)
{
    if (strcmp(file, ".") != 0 && strcmp(file, "..") != 0)
        g_ptr_array_add(data, g_strdup(file));
}

static int
compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *
files_of(int directory)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);

    visit_directory(directory, add_file, files);
    g_ptr_array_sort(files, compare);
    return files;
}

/* Is @file a definition's? */
static gboolean
is_definition(const char *file)
{
    return file[0] != '.' && g_str_has_suffix(file, KILN_STORE_SUFFIX);
}

/* First all renames, which have files of their own among the temporary ones.  Returns: whether
 * anything was done. */
static gboolean
recover(KilnStore *store, GPtrArray *files)
{
    gboolean done = FALSE;

    for (guint i = 0; i < files->len; i++) {
        const char *file = g_ptr_array_index(files, i);
        g_autoptr(GError) error = NULL;

        if (!g_str_has_prefix(file, KILN_STORE_RENAME))
            continue;
        done = TRUE;
        if (!kiln_store_finish_rename(store, file, &error))
            kiln_log(KILN_LOG_ERROR, "%s", error->message);
    }
    for (guint i = 0; i < files->len; i++) {
        const char *file = g_ptr_array_index(files, i);

        if (g_str_has_prefix(file, KILN_STORE_NEW))
            (void)unlinkat(store->fd, file, 0);
    }
    return done;
}

static void
add_link_target(const char *file, gpointer data)
{
    Load *load = data;

    if (!is_definition(file))
        return;
    if (faccessat(load->store->links, file, F_OK, 0) == 0)
        (void)g_hash_table_add(load->links, g_strdup(file));
    else if (faccessat(load->store->fd, file, F_OK, 0) < 0 && errno == ENOENT)
        (void)unlinkat(load->store->links, file, 0); /* its definition is gone */
}

static gboolean
take(const Load *load, const char *file, const char *text, gsize length, GError **error)
{
    g_auto(KilnHead) head = { 0 };
    g_autofree char *right = NULL;

    if (!kiln_head_is_whole(text, length))
        return kiln_error_set(error, KILN_ERROR_INVALID, "it does not end with </domain>");
    if (!kiln_head_read(text, length, &head, error))
        return FALSE;
    right = kiln_store_file_name(head.name, KILN_STORE_SUFFIX, error);
    if (right == NULL)
        return FALSE;
    if (strcmp(right, file) != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "it defines '%s', so it must be named '%s'", head.name, right);
    return load->found(&head, g_hash_table_contains(load->links, file), load->data, error);
}

static gboolean
load_file(const Load *load, const char *file, GError **error)
{
    g_auto(KilnFd) fd = openat(load->store->fd, file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t length;

    if (fd < 0)
        return kiln_error_set_errno(error, errno, "cannot open it");
    do {
        length = read(fd, load->buffer, USUAL_BYTES);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return kiln_error_set_errno(error, errno, "cannot read it");
    if (length == USUAL_BYTES) {
        g_autoptr(GString) text = kiln_store_slurp(load->store, file, error);

        return text != NULL && take(load, file, text->str, text->len, error);
    }
    return take(load, file, load->buffer, (gsize)length, error);
}

void
kiln_store_load(KilnStore *store, KilnStoreFound found, gpointer data)
{
    g_autoptr(GPtrArray) files = files_of(store->fd);
    g_autoptr(GHashTable) links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *buffer = g_malloc(USUAL_BYTES);
    Load load = { store, found, data, links, buffer };

    if (recover(store, files)) {
        g_ptr_array_unref(files);
        files = files_of(store->fd);
    }
    visit_directory(store->links, add_link_target, &load);
    for (guint i = 0; i < files->len; i++) {
        const char *file = g_ptr_array_index(files, i);
        g_autoptr(GError) error = NULL;

        if (is_definition(file) && !load_file(&load, file, &error))
            kiln_log(KILN_LOG_ERROR, "definition '%s/%s' is left alone: %s", store->directory, file,
                     error->message);
    }
}
