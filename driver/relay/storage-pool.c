/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pools, and the file that keeps their definitions: a GLib key file, a group a pool. */
#include "relay/storage-private.h"

#include "error/vir-error.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

void
kiln_pool_free(KilnPool *pool)
{
    if (pool == NULL)
        return;
    g_free(pool->name);
    g_free(pool->path);
    g_free(pool);
}

/* "xxxxxxxx-xxxx-…" and without dashes alike. */
static gboolean
parse_uuid(const char *text, guint8 *uuid)
{
    guint digits = 0;

    for (const char *at = text; *at != '\0'; at++) {
        int digit = g_ascii_xdigit_value(*at);

        if (*at == '-')
            continue;
        if (digit < 0 || digits == 32)
            return FALSE;
        uuid[digits / 2] = (guint8)(uuid[digits / 2] << 4 | digit);
        digits++;
    }
    return digits == 32;
}

/* The same directory has the same one each time, without it being written anywhere. */
static void
make_uuid(const char *path, guint8 *uuid)
{
    g_autofree char *text = g_compute_checksum_for_string(G_CHECKSUM_SHA256, path, -1);

    text[32] = '\0';
    parse_uuid(text, uuid);
    uuid[6] = (guint8)((uuid[6] & 0x0f) | 0x80); /* RFC 9562 §5.8: custom */
    uuid[8] = (guint8)((uuid[8] & 0x3f) | 0x80);
}

static char *
format_uuid(const guint8 *uuid)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < 16; i++)
        g_string_append_printf(text, "%02x", uuid[i]);
    return g_string_free(text, FALSE);
}

static gboolean
is_directory(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

static char *
clean_path(const char *path)
{
    char *clean = g_strdup(path);

    for (gsize length = strlen(clean); length > 1 && clean[length - 1] == '/'; length--)
        clean[length - 1] = '\0';
    return clean;
}

static void
add_default(KilnStorage *storage)
{
    KilnPool *pool = g_new0(KilnPool, 1);

    pool->name = g_strdup("default");
    pool->path = clean_path(storage->directory);
    make_uuid(pool->path, pool->uuid);
    pool->persistent = TRUE;
    pool->autostart = TRUE;
    pool->active = is_directory(pool->path);
    g_ptr_array_add(storage->pools, pool);
}

/* Returns: (transfer full) (nullable) */
static KilnPool *
load_pool(GKeyFile *file, const char *name)
{
    KilnPool *pool = g_new0(KilnPool, 1);
    g_autofree char *uuid = g_key_file_get_string(file, name, "uuid", NULL);

    pool->name = g_strdup(name);
    pool->path = g_key_file_get_string(file, name, "path", NULL);
    pool->persistent = TRUE;
    pool->autostart = g_key_file_get_boolean(file, name, "autostart", NULL);
    if (uuid == NULL || !parse_uuid(uuid, pool->uuid) || pool->path == NULL ||
        pool->path[0] != '/') {
        kiln_pool_free(pool);
        return NULL;
    }
    pool->active = pool->autostart && is_directory(pool->path);
    return pool;
}

gboolean
kiln_storage_load(KilnStorage *storage, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) wrong = NULL;
    g_auto(GStrv) groups = NULL;

    if (!g_key_file_load_from_file(file, storage->file, G_KEY_FILE_NONE, &wrong)) {
        add_default(storage);
        return g_error_matches(wrong, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
               kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, "cannot read '%s': %s",
                                  storage->file, wrong->message);
    }
    groups = g_key_file_get_groups(file, NULL);
    for (guint i = 0; groups[i] != NULL && i < KILN_STORAGE_POOLS_MAX; i++) {
        KilnPool *pool = load_pool(file, groups[i]);

        if (pool != NULL)
            g_ptr_array_add(storage->pools, pool);
    }
    return TRUE;
}

gboolean
kiln_storage_save(KilnStorage *storage, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *data = NULL;
    g_autoptr(GError) wrong = NULL;
    gsize length = 0;

    for (guint i = 0; i < storage->pools->len; i++) {
        const KilnPool *pool = g_ptr_array_index(storage->pools, i);
        g_autofree char *uuid = format_uuid(pool->uuid);

        if (!pool->persistent)
            continue;
        g_key_file_set_string(file, pool->name, "uuid", uuid);
        g_key_file_set_string(file, pool->name, "path", pool->path);
        g_key_file_set_boolean(file, pool->name, "autostart", pool->autostart);
    }
    data = g_key_file_to_data(file, &length, NULL);
    g_mkdir_with_parents(storage->directory, 0711);
    if (g_file_set_contents_full(storage->file, data, (gssize)length,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                 &wrong))
        return TRUE;
    return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot keep the storage pools: %s",
                              wrong->message);
}

static KilnPool *
by_name(KilnStorage *storage, const char *name)
{
    for (guint i = 0; i < storage->pools->len; i++) {
        KilnPool *pool = g_ptr_array_index(storage->pools, i);

        if (strcmp(pool->name, name) == 0)
            return pool;
    }
    return NULL;
}

static KilnPool *
by_uuid(KilnStorage *storage, const guint8 *uuid)
{
    for (guint i = 0; i < storage->pools->len; i++) {
        KilnPool *pool = g_ptr_array_index(storage->pools, i);

        if (memcmp(pool->uuid, uuid, sizeof pool->uuid) == 0)
            return pool;
    }
    return NULL;
}

KilnPool *
kiln_storage_pool_by_name(KilnStorage *storage, const char *name, GError **error)
{
    KilnPool *pool = by_name(storage, name);

    if (pool == NULL)
        kiln_vir_error_set(error, VIR_ERR_NO_STORAGE_POOL,
                           "no storage pool with matching name '%s'", name);
    return pool;
}

KilnPool *
kiln_storage_pool_by_uuid(KilnStorage *storage, const guint8 *uuid, GError **error)
{
    KilnPool *pool = by_uuid(storage, uuid);

    if (pool == NULL) {
        g_autofree char *text = format_uuid(uuid);

        kiln_vir_error_set(error, VIR_ERR_NO_STORAGE_POOL,
                           "no storage pool with matching uuid '%s'", text);
    }
    return pool;
}

KilnPool *
kiln_storage_pool_of_path(KilnStorage *storage, const char *path, const char **name, GError **error)
{
    const char *slash = strrchr(path, '/');

    for (guint i = 0; slash != NULL && i < storage->pools->len; i++) {
        KilnPool *pool = g_ptr_array_index(storage->pools, i);
        gsize length = strlen(pool->path);

        if (!pool->active || length != (gsize)(slash - path) ||
            strncmp(pool->path, path, length) != 0)
            continue;
        *name = slash + 1;
        return pool;
    }
    kiln_vir_error_set(error, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching path '%s'",
                       path);
    return NULL;
}

static gboolean
check_document(const KilnStorageXml *xml, GError **error)
{
    if (xml->type == NULL || strcmp(xml->type, "dir") != 0)
        return kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                                  "storage pools of type '%s' need libvirt's storage driver, which "
                                  "does not run on this host",
                                  xml->type != NULL ? xml->type : "");
    /* Names are groups of the key file. */
    if (xml->name == NULL || xml->name[0] == '\0' || strpbrk(xml->name, "/[]\n\r") != NULL ||
        !g_utf8_validate(xml->name, -1, NULL))
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "storage pool name '%s' is not valid",
                                  xml->name != NULL ? xml->name : "");
    if (xml->path == NULL || xml->path[0] != '/')
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR,
                                  "missing or relative target path of the storage pool");
    return TRUE;
}

KilnPool *
kiln_storage_define(KilnStorage *storage, const char *xml, GError **error)
{
    g_auto(KilnStorageXml) document = { NULL };
    g_autofree char *path = NULL;
    guint8 uuid[16] = { 0 };
    KilnPool *pool;
    KilnPool *other;

    if (!kiln_storage_xml_parse(xml, "pool", &document, error) || !check_document(&document, error))
        return NULL;
    path = clean_path(document.path);
    pool = by_name(storage, document.name);
    if (document.uuid != NULL && !parse_uuid(document.uuid, uuid)) {
        kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "malformed uuid element");
        return NULL;
    }
    if (document.uuid == NULL) {
        g_autofree char *key = g_strdup_printf("%s %s", document.name, path);

        if (pool != NULL)
            memcpy(uuid, pool->uuid, sizeof uuid);
        else
            make_uuid(key, uuid);
    }
    other = by_uuid(storage, uuid);
    if (pool != other) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                           "pool '%s' already exists with another uuid",
                           pool != NULL ? pool->name : other->name);
        return NULL;
    }
    if (pool == NULL && storage->pools->len >= KILN_STORAGE_POOLS_MAX) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED, "there are too many storage pools");
        return NULL;
    }
    for (guint i = 0; i < storage->pools->len; i++) {
        other = g_ptr_array_index(storage->pools, i);
        if (other != pool && strcmp(other->path, path) == 0) {
            kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                               "Storage source conflict with pool: '%s'", other->name);
            return NULL;
        }
    }
    if (pool == NULL) {
        pool = g_new0(KilnPool, 1);
        pool->name = g_steal_pointer(&document.name);
        memcpy(pool->uuid, uuid, sizeof pool->uuid);
        g_ptr_array_add(storage->pools, pool);
    }
    g_free(pool->path);
    pool->path = g_steal_pointer(&path);
    return pool;
}

gboolean
kiln_pool_info(const KilnPool *pool, guint64 *capacity, guint64 *allocation, guint64 *available,
               GError **error)
{
    struct statvfs is;

    if (statvfs(pool->path, &is) < 0)
        return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot statvfs path '%s': %s",
                                  pool->path, g_strerror(errno));
    *capacity = (guint64)is.f_frsize * is.f_blocks;
    *available = (guint64)is.f_frsize * is.f_bavail;
    *allocation = *capacity - MIN(*capacity, (guint64)is.f_frsize * is.f_bfree);
    return TRUE;
}
