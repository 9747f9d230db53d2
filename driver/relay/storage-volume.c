/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a pool's directory. */
#include "relay/storage-private.h"

#include "base/be.h"
#include "base/fd.h"
#include "error/vir-error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of the directory itself, that can be named in a document. */
static gboolean
is_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
        !g_utf8_validate(name, -1, NULL))
        return FALSE;
    for (const char *at = name; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at))
            return FALSE;
    }
    return TRUE;
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
kiln_pool_volumes(const KilnPool *pool, GError **error)
{
    g_autoptr(GDir) dir = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) wrong = NULL;
    const char *name;

    if (!pool->active) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is not active",
                           pool->name);
        return NULL;
    }
    dir = g_dir_open(pool->path, 0, &wrong);
    if (dir == NULL) {
        kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot open path '%s': %s", pool->path,
                           wrong->message);
        return NULL;
    }
    while ((name = g_dir_read_name(dir)) != NULL && names->len < KILN_STORAGE_VOLUMES_MAX) {
        g_autofree char *path = g_build_filename(pool->path, name, NULL);
        struct stat is;

        if (is_name(name) && stat(path, &is) == 0 && S_ISREG(is.st_mode))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    return g_steal_pointer(&names);
}

/* Nothing but a file is opened: a pipe or a device might not return. */
static KilnFd
open_volume(const KilnPool *pool, const char *name, int flags, struct stat *is, GError **error)
{
    g_autofree char *path = g_build_filename(pool->path, name, NULL);
    g_auto(KilnFd) fd = -1;

    if (is_name(name))
        fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, is) == 0 && S_ISREG(is->st_mode))
        return kiln_fd_steal(&fd);
    if (fd < 0 && is_name(name) && errno != ENOENT)
        kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot open volume '%s': %s", path,
                           g_strerror(errno));
    else
        kiln_vir_error_set(error, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'",
                           name);
    return -1;
}

/* QEMU's docs/interop/qcow2.txt (8.0): magic, version, offset of a backing file's name, at 24 the
 * size; in version 3 at 72 the incompatible features, bit 2: the data are in another file.  A guest
 * with a raw disk can write such a header, so that one with other files' names is not believed. */
static void
look_for_qcow2(int fd, KilnVolumeInfo *info)
{
    guint8 header[80] = { 0 };
    ssize_t n = pread(fd, header, sizeof header, 0);
    guint32 version = kiln_be32_load(header + 4);

    if (n < 72 || memcmp(header, "QFI\xfb", 4) != 0 || (version != 2 && version != 3))
        return;
    info->capacity = MIN(kiln_be64_load(header + 24), (guint64)G_MAXINT64);
    if (kiln_be64_load(header + 8) != 0 ||
        (version == 3 && (n < 80 || (kiln_be64_load(header + 72) & 4) != 0)))
        info->format = KILN_VOLUME_UNKNOWN;
    else
        info->format = KILN_VOLUME_QCOW2;
}

gboolean
kiln_volume_info(const KilnPool *pool, const char *name, KilnVolumeInfo *info, GError **error)
{
    struct stat is = { 0 };
    g_auto(KilnFd) fd = -1;

    if (!pool->active)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "storage pool '%s' is not active", pool->name);
    fd = open_volume(pool, name, O_RDONLY, &is, error);
    if (fd < 0)
        return FALSE;
    *info = (KilnVolumeInfo){
        .format = KILN_VOLUME_RAW,
        .capacity = (guint64)is.st_size,
        .allocation = (guint64)is.st_blocks * 512,
        .physical = (guint64)is.st_size,
        .mode = is.st_mode,
        .uid = is.st_uid,
        .gid = is.st_gid,
    };
    look_for_qcow2(fd, info);
    return TRUE;
}

static gboolean
make_raw(const char *path, guint64 capacity, guint64 allocation, GError **error)
{
    g_auto(KilnFd) fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = 0;

    if (fd < 0)
        return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot create path '%s': %s", path,
                                  g_strerror(errno));
    if (ftruncate(fd, (off_t)capacity) < 0)
        result = errno;
    else if (MIN(allocation, capacity) > 0)
        result = posix_fallocate(fd, 0, (off_t)MIN(allocation, capacity));
    if (result == 0 || result == EOPNOTSUPP)
        return TRUE;
    unlink(path);
    return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR,
                              "cannot allocate %" G_GUINT64_FORMAT " bytes in file '%s': %s",
                              capacity, path, g_strerror(result));
}

/* Who knows the format makes it: qemu-img, where it is installed. */
static gboolean
make_qcow2(const char *path, guint64 capacity, GError **error)
{
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, capacity);
    g_autofree char *program = g_find_program_in_path("qemu-img");
    g_autofree char *said = NULL;
    g_autoptr(GError) wrong = NULL;
    const char *argv[] = { program, "create", "-q", "-f", "qcow2", "--", path, size, NULL };
    g_auto(KilnFd) fd = -1;
    int status = 0;

    if (program == NULL)
        return kiln_vir_error_set(
            error, VIR_ERR_CONFIG_UNSUPPORTED,
            "volumes of format 'qcow2' need qemu-img, which is not installed");
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot create path '%s': %s", path,
                                  g_strerror(errno));
    if (g_spawn_sync("/", (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said,
                     &status, &wrong) &&
        g_spawn_check_wait_status(status, &wrong))
        return TRUE;
    unlink(path);
    return kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED, "qemu-img: %.500s",
                              said != NULL && said[0] != '\0' ? g_strstrip(said) : wrong->message);
}

static gboolean
check_document(const KilnPool *pool, const KilnStorageXml *xml, GError **error)
{
    if (xml->name == NULL || !is_name(xml->name))
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR,
                                  "volume name '%s' is not that of a file in a directory",
                                  xml->name != NULL ? xml->name : "");
    if (xml->type != NULL && strcmp(xml->type, "file") != 0)
        return kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                                  "volumes of type '%s' need libvirt's storage driver", xml->type);
    if (xml->backing != NULL)
        return kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                                  "volumes with a backing store need libvirt's storage driver");
    if (!pool->active)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "storage pool '%s' is not active", pool->name);
    return TRUE;
}

/* Returns: (transfer full): where the volume of @document is to be, which is not there yet. */
static char *
new_path(const KilnPool *pool, const KilnStorageXml *document, GError **error)
{
    g_autofree char *path = g_build_filename(pool->path, document->name, NULL);

    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&path);
    kiln_vir_error_set(error, VIR_ERR_STORAGE_VOL_EXIST, "'%s'", document->name);
    return NULL;
}

char *
kiln_volume_create(const KilnPool *pool, const char *xml, GError **error)
{
    g_auto(KilnStorageXml) document = { NULL };
    g_autofree char *path = NULL;
    guint64 capacity = 0;
    guint64 allocation = 0;
    gboolean made;

    if (!kiln_storage_xml_parse(xml, "volume", &document, error) ||
        !check_document(pool, &document, error) ||
        !kiln_storage_xml_size(document.capacity, document.capacity_unit, &capacity, error))
        return NULL;
    allocation = capacity; /* as libvirt has it where nothing else is said */
    if (document.allocation != NULL &&
        !kiln_storage_xml_size(document.allocation, document.allocation_unit, &allocation, error))
        return NULL;
    path = new_path(pool, &document, error);
    if (path == NULL)
        return NULL;
    if (document.format == NULL || strcmp(document.format, "raw") == 0)
        made = make_raw(path, capacity, allocation, error);
    else if (strcmp(document.format, "qcow2") == 0)
        made = make_qcow2(path, capacity, error);
    else
        made = kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                                  "volumes of format '%s' need libvirt's storage driver",
                                  document.format);
    return made ? g_steal_pointer(&document.name) : NULL;
}

static gboolean
same_format(const KilnStorageXml *document, KilnVolumeFormat format, GError **error)
{
    static const char *const names[] = { [KILN_VOLUME_RAW] = "raw", [KILN_VOLUME_QCOW2] = "qcow2" };

    if (format == KILN_VOLUME_UNKNOWN)
        return kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                                  "a volume that names other files needs libvirt's storage driver");
    return document->format == NULL || strcmp(document->format, names[format]) == 0 ||
           kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                              "a copy of format '%s' of a volume of format '%s' needs libvirt's "
                              "storage driver",
                              document->format, names[format]);
}

char *
kiln_volume_clone(const KilnPool *pool, const char *xml, const KilnPool *from,
                  const char *from_name, GError **error)
{
    g_auto(KilnStorageXml) document = { NULL };
    g_autofree char *path = NULL;
    g_auto(KilnFd) fd = -1;
    guint64 capacity = 0;
    KilnVolumeInfo info;
    struct stat is = { 0 };

    if (!kiln_storage_xml_parse(xml, "volume", &document, error) ||
        !check_document(pool, &document, error) ||
        (document.capacity != NULL &&
         !kiln_storage_xml_size(document.capacity, document.capacity_unit, &capacity, error)) ||
        !kiln_volume_info(from, from_name, &info, error) ||
        !same_format(&document, info.format, error))
        return NULL;
    path = new_path(pool, &document, error);
    fd = path != NULL ? open_volume(from, from_name, O_RDONLY, &is, error) : -1;
    if (fd < 0 || !kiln_volume_copy(fd, path, error))
        return NULL;
    if (info.format == KILN_VOLUME_RAW && capacity > info.capacity &&
        !kiln_volume_resize(pool, document.name, capacity, FALSE, error)) {
        unlink(path);
        return NULL;
    }
    return g_steal_pointer(&document.name);
}

gboolean
kiln_volume_delete(const KilnPool *pool, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(pool->path, name, NULL);
    KilnVolumeInfo info;

    if (!kiln_volume_info(pool, name, &info, error))
        return FALSE;
    if (unlink(path) == 0)
        return TRUE;
    return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot unlink file '%s': %s", path,
                              g_strerror(errno));
}

gboolean
kiln_volume_resize(const KilnPool *pool, const char *name, guint64 capacity, gboolean shrink,
                   GError **error)
{
    struct stat is = { 0 };
    KilnVolumeInfo info;
    g_auto(KilnFd) fd = -1;

    if (!kiln_volume_info(pool, name, &info, error))
        return FALSE;
    if (info.format != KILN_VOLUME_RAW)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_UNSUPPORTED,
                                  "only raw volumes are resized without libvirt's storage driver");
    if (capacity > G_MAXINT64 || (capacity < info.capacity && !shrink))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "Can't shrink capacity below current capacity unless shrink flag "
                                  "explicitly specified");
    fd = open_volume(pool, name, O_WRONLY, &is, error);
    if (fd < 0)
        return FALSE;
    if (ftruncate(fd, (off_t)capacity) == 0)
        return TRUE;
    return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot resize volume '%s': %s", name,
                              g_strerror(errno));
}
