/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See paths.h. */
#include "control/paths.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 255 }; /* of a file: NAME_MAX */

const char *
kiln_control_directory(void)
{
    static char *directory;
    const char *given = g_getenv("KILN_RUNTIME_DIR");

    if (directory != NULL)
        return directory;
    if (given != NULL && *given != '\0')
        directory = g_strdup(given);
    else if (geteuid() == 0)
        directory = g_strdup("/run/libvirt/kiln");
    else
        directory = g_build_filename(g_get_user_runtime_dir(), "libvirt", "kiln", NULL);
    return directory;
}

gboolean
kiln_control_make_directory(GError **error)
{
    const char *directory = kiln_control_directory();
    g_autofree char *parent = g_path_get_dirname(directory);
    struct stat status;

    /* Others look into the system's /run/libvirt; a user's own is nobody's business. */
    if (g_mkdir_with_parents(parent, geteuid() == 0 ? 0755 : 0700) < 0 ||
        (mkdir(directory, 0700) < 0 && errno != EEXIST))
        return kiln_error_set_errno(error, errno, "cannot make the directory '%s'", directory);
    if (stat(directory, &status) < 0)
        return kiln_error_set_errno(error, errno, "directory '%s'", directory);
    if (!S_ISDIR(status.st_mode))
        return kiln_error_set(error, KILN_ERROR_EXISTS, "'%s' is not a directory", directory);
    /* Root's is the daemon's, which started us (kiln run --user). */
    if ((status.st_uid != geteuid() && status.st_uid != 0) ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return kiln_error_set(
            error, KILN_ERROR_PERMISSION,
            "directory '%s' must belong to user %u and be writable by nobody else", directory,
            (guint)geteuid());
    return TRUE;
}

static gboolean
is_plain(const char *name, gsize at)
{
    guchar byte = (guchar)name[at];

    return byte >= 0x20 && byte != 0x7f && byte != '/' && byte != '%' && !(byte == '.' && at == 0);
}

char *
kiln_control_path(const char *name, const char *suffix, GError **error)
{
    g_autoptr(GString) file = g_string_new(NULL);

    for (gsize i = 0; name[i] != '\0'; i++) {
        if (is_plain(name, i))
            g_string_append_c(file, name[i]);
        else
            g_string_append_printf(file, "%%%02x", (guchar)name[i]);
    }
    if (file->len == 0 || file->len + strlen(suffix) > NAME_BYTES) {
        kiln_error_set(error, KILN_ERROR_INVALID, "the guest's name '%s' is %s", name,
                       file->len == 0 ? "empty" : "too long for a file's name");
        return NULL;
    }
    g_string_append(file, suffix);
    return g_build_filename(kiln_control_directory(), file->str, NULL);
}

char *
kiln_control_guest_of(const char *file)
{
    g_autoptr(GString) name = g_string_new(NULL);
    gsize length = strlen(file);

    if (!g_str_has_suffix(file, ".sock"))
        return NULL;
    length -= strlen(".sock");
    for (gsize i = 0; i < length; i++) {
        if (file[i] == '%' && i + 2 < length && g_ascii_isxdigit(file[i + 1]) &&
            g_ascii_isxdigit(file[i + 2])) {
            g_string_append_c(name, (char)(g_ascii_xdigit_value(file[i + 1]) * 16 +
                                           g_ascii_xdigit_value(file[i + 2])));
            i += 2;
        } else {
            g_string_append_c(name, file[i]);
        }
    }
    return name->len > 0 ? g_string_free(g_steal_pointer(&name), FALSE) : NULL;
}
