/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cgroup.h. */
#include "ops/cgroup.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { FILE_BYTES = 64 * 1024 };

static char *
path_of(const KilnGuest *guest, const char *file)
{
    const char *group = kiln_guest_cgroup(guest);

    if (group == NULL)
        return NULL;
    return g_path_is_absolute(group) && g_file_test(group, G_FILE_TEST_IS_DIR)
               ? g_build_filename(group, file, NULL)
               : g_build_filename("/sys/fs/cgroup", group, file, NULL);
}

char *
kiln_cgroup_read(const KilnGuest *guest, const char *file)
{
    g_autofree char *path = path_of(guest, file);
    g_autofree char *text = NULL;
    g_auto(KilnFd) fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    gssize n;

    if (fd < 0)
        return NULL;
    text = g_malloc(FILE_BYTES);
    n = read(fd, text, FILE_BYTES - 1);
    if (n < 0)
        return NULL;
    text[n] = '\0';
    return g_strdup(g_strchomp(text));
}

gboolean
kiln_cgroup_write(const KilnGuest *guest, const char *file, const char *value, GError **error)
{
    g_autofree char *path = path_of(guest, file);
    g_auto(KilnFd) fd = path != NULL ? open(path, O_WRONLY | O_CLOEXEC) : -1;

    if (path == NULL)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "domain '%s' runs in no cgroup of its own",
                                  kiln_guest_name(guest));
    if (fd < 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "the cgroup of domain '%s' has no '%s' that can be written: %s",
                                  kiln_guest_name(guest), file, g_strerror(errno));
    if (write(fd, value, strlen(value)) < 0)
        return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot write '%s' to '%s': %s",
                                  value, path, g_strerror(errno));
    return TRUE;
}

gboolean
kiln_cgroup_read_number(const KilnGuest *guest, const char *file, guint64 unlimited, guint64 *value)
{
    g_autofree char *text = kiln_cgroup_read(guest, file);

    if (text == NULL)
        return FALSE;
    if (strcmp(text, "max") == 0) {
        *value = unlimited;
        return TRUE;
    }
    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, value, NULL);
}

char *
kiln_cgroup_device(const char *path, GError **error)
{
    struct stat about;

    if (stat(path, &about) != 0) {
        kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot look at '%s': %s", path,
                           g_strerror(errno));
        return NULL;
    }
    if (!S_ISBLK(about.st_mode)) {
        kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "'%s' is not a block device", path);
        return NULL;
    }
    return g_strdup_printf("%u:%u", major(about.st_rdev), minor(about.st_rdev));
}
