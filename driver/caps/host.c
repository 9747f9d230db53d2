/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps/host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

static char *host_root; /* (nullable): "" */

void
kiln_host_set_root(const char *root)
{
    g_free(host_root);
    host_root = g_strdup(root);
    kiln_host_topology_forget();
}

static char *
path_of(const char *format, va_list arguments)
{
    g_autofree char *rest = g_strdup_vprintf(format, arguments);

    return g_strconcat(host_root != NULL ? host_root : "", rest, NULL);
}

char *
kiln_host_path(const char *format, ...)
{
    va_list arguments;
    char *path;

    va_start(arguments, format);
    path = path_of(format, arguments);
    va_end(arguments);
    return path;
}

static char *
read_file(const char *path)
{
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : NULL;
}

char *
kiln_host_read(const char *format, ...)
{
    g_autofree char *path = NULL;
    va_list arguments;

    va_start(arguments, format);
    path = path_of(format, arguments);
    va_end(arguments);
    return read_file(path);
}

gboolean
kiln_host_read_number(guint64 *value, const char *format, ...)
{
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    char *end;
    va_list arguments;

    va_start(arguments, format);
    path = path_of(format, arguments);
    va_end(arguments);
    text = read_file(path);
    if (text == NULL || !g_ascii_isdigit(*text))
        return FALSE;
    *value = g_ascii_strtoull(text, &end, 10);
    return *end == '\0';
}

gboolean
kiln_host_write(const char *text, GError **error, const char *format, ...)
{
    g_autofree char *path = NULL;
    g_auto(KilnFd) fd = -1;
    gsize length = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    path = path_of(format, arguments);
    va_end(arguments);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return kiln_error_set_errno(error, errno, "cannot open '%s' for writing", path);
    if (write(fd, text, length) != (ssize_t)length)
        return kiln_error_set_errno(error, errno, "cannot write '%s' to '%s'", text, path);
    return TRUE;
}

guint
kiln_host_mhz(void)
{
    g_autofree char *text = kiln_host_read("/proc/cpuinfo");
    const char *line = text != NULL ? strstr(text, "cpu MHz") : NULL;
    const char *colon = line != NULL ? strchr(line, ':') : NULL;

    return colon != NULL ? (guint)g_ascii_strtoull(colon + 1, NULL, 10) : 0;
}

guint64
kiln_host_memory_kib(void)
{
    g_autofree char *text = kiln_host_read("/proc/meminfo");
    const char *line = text != NULL ? strstr(text, "MemTotal:") : NULL;

    return line != NULL ? g_ascii_strtoull(line + strlen("MemTotal:"), NULL, 10) : 0;
}

gboolean
kiln_host_can_suspend(const char *how)
{
    g_autofree char *text = kiln_host_read("/sys/power/state");
    g_auto(GStrv) words = g_strsplit(text != NULL ? text : "", " ", -1);

    return g_strv_contains((const char *const *)words, how);
}

gboolean
kiln_host_has_iommu(void)
{
    g_autofree char *path = kiln_host_path("/sys/kernel/iommu_groups");
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

    return dir != NULL && g_dir_read_name(dir) != NULL;
}
