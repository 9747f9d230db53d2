/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls of storage, each a row; answers are filled with memory that xdr_free() gives back. */
#include "relay/storage.h"

#include "error/vir-error.h"
#include "relay/storage-private.h"
#include "rpc/frame.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>

/* A call without arguments or without an answer has NULL for them. */
typedef gboolean (*StorageHandler)(KilnStorage *storage, gpointer args, gpointer ret,
                                   GError **error);

typedef struct {
    int number;
    xdrproc_t args;
    gsize args_size;
    xdrproc_t ret;
    gsize ret_size;
    StorageHandler handle;
} StorageRow;

/* ---- Parts of answers ---- */

static void
fill_pool(remote_nonnull_storage_pool *to, const KilnPool *pool)
{
    to->name = g_strdup(pool->name);
    memcpy(to->uuid, pool->uuid, sizeof to->uuid);
}

static void
fill_volume(remote_nonnull_storage_vol *to, const KilnPool *pool, const char *name)
{
    to->pool = g_strdup(pool->name);
    to->name = g_strdup(name);
    to->key = g_build_filename(pool->path, name, NULL);
}

static KilnPool *
find_pool(KilnStorage *storage, const remote_nonnull_storage_pool *about, GError **error)
{
    return kiln_storage_pool_by_uuid(storage, (const guint8 *)about->uuid, error);
}

/* Of a volume's pool; FALSE if there is no such file. */
static KilnPool *
find_volume(KilnStorage *storage, const remote_nonnull_storage_vol *about, KilnVolumeInfo *info,
            GError **error)
{
    KilnPool *pool = kiln_storage_pool_by_name(storage, about->pool, error);

    return pool != NULL && kiln_volume_info(pool, about->name, info, error) ? pool : NULL;
}

/* ---- Pools ---- */

static void
list_names(KilnStorage *storage, gboolean active, int most, remote_storage_names_ret *ret)
{
    ret->names.names_val = g_new0(char *, storage->pools->len);
    for (guint i = 0; i < storage->pools->len && (int)ret->names.names_len < most; i++) {
        const KilnPool *pool = g_ptr_array_index(storage->pools, i);

        if (pool->active == active)
            ret->names.names_val[ret->names.names_len++] = g_strdup(pool->name);
    }
}

static int
count(KilnStorage *storage, gboolean active)
{
    int n = 0;

    for (guint i = 0; i < storage->pools->len; i++)
        n += ((const KilnPool *)g_ptr_array_index(storage->pools, i))->active == active;
    return n;
}

static gboolean
on_num_of_pools(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    (void)args;
    (void)error;
    ((remote_storage_number_ret *)ret)->num = count(storage, TRUE);
    return TRUE;
}

static gboolean
on_num_of_defined(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    (void)args;
    (void)error;
    ((remote_storage_number_ret *)ret)->num = count(storage, FALSE);
    return TRUE;
}

static gboolean
on_list_pools(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    (void)error;
    list_names(storage, TRUE, ((remote_storage_names_args *)args)->maxnames, ret);
    return TRUE;
}

static gboolean
on_list_defined(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    (void)error;
    list_names(storage, FALSE, ((remote_storage_names_args *)args)->maxnames, ret);
    return TRUE;
}

/* Flags come in pairs: neither of one, or both, is no wish. */
static gboolean
is_wished(guint flags, guint yes, guint no, gboolean is)
{
    return (flags & (yes | no)) == 0 || (flags & (is ? yes : no)) != 0;
}

static gboolean
is_listed(const KilnPool *pool, guint flags)
{
    guint types = flags & ~(guint)(VIR_CONNECT_LIST_STORAGE_POOLS_DIR - 1);

    return (types == 0 || (types & VIR_CONNECT_LIST_STORAGE_POOLS_DIR) != 0) &&
           is_wished(flags, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
                     VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, pool->active) &&
           is_wished(flags, VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT,
                     VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT, pool->persistent) &&
           is_wished(flags, VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART,
                     VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART, pool->autostart);
}

static gboolean
on_list_all_pools(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_connect_list_all_storage_pools_args *wish = args;
    remote_connect_list_all_storage_pools_ret *list = ret;

    (void)error;
    list->pools.pools_val = g_new0(remote_nonnull_storage_pool, storage->pools->len);
    for (guint i = 0; i < storage->pools->len; i++) {
        const KilnPool *pool = g_ptr_array_index(storage->pools, i);

        if (!is_listed(pool, wish->flags))
            continue;
        list->ret++;
        if (wish->need_results != 0)
            fill_pool(&list->pools.pools_val[list->pools.pools_len++], pool);
    }
    return TRUE;
}

static gboolean
answer_pool(const KilnPool *pool, gpointer ret)
{
    if (pool != NULL)
        fill_pool(&((remote_storage_pool_ret *)ret)->pool, pool);
    return pool != NULL;
}

static gboolean
on_pool_by_name(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const char *name = ((remote_storage_text_args *)args)->text;

    return answer_pool(kiln_storage_pool_by_name(storage, name, error), ret);
}

static gboolean
on_pool_by_uuid(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_pool_lookup_by_uuid_args *wish = args;

    return answer_pool(kiln_storage_pool_by_uuid(storage, (const guint8 *)wish->uuid, error), ret);
}

static gboolean
on_pool_by_volume(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const char *name = ((remote_storage_vol_args *)args)->vol.pool;

    return answer_pool(kiln_storage_pool_by_name(storage, name, error), ret);
}

static gboolean
on_pool_by_path(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const char *path = ((remote_storage_text_args *)args)->text;
    g_autofree char *within = g_build_filename(path, "x", NULL);
    const char *name = NULL;
    const KilnPool *pool = kiln_storage_pool_of_path(storage, within, &name, NULL);

    if (pool == NULL)
        return kiln_vir_error_set(error, VIR_ERR_NO_STORAGE_POOL,
                                  "no storage pool with matching target path '%s'", path);
    return answer_pool(pool, ret);
}

static gboolean
start_pool(KilnPool *pool, GError **error)
{
    if (pool->active)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "storage pool '%s' is already active", pool->name);
    if (!g_file_test(pool->path, G_FILE_TEST_IS_DIR))
        return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot open path '%s': %s",
                                  pool->path, g_strerror(ENOTDIR));
    pool->active = TRUE;
    return TRUE;
}

static gboolean
on_pool_define(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    KilnPool *pool =
        kiln_storage_define(storage, ((remote_storage_text_flags_args *)args)->text, error);

    if (pool == NULL)
        return FALSE;
    pool->persistent = TRUE;
    return kiln_storage_save(storage, error) && answer_pool(pool, ret);
}

static gboolean
on_pool_create_xml(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    KilnPool *pool =
        kiln_storage_define(storage, ((remote_storage_text_flags_args *)args)->text, error);

    if (pool == NULL)
        return FALSE;
    if (start_pool(pool, error))
        return answer_pool(pool, ret);
    if (!pool->persistent && !pool->active)
        g_ptr_array_remove(storage->pools, pool);
    return FALSE;
}

static gboolean
on_pool_build(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const KilnPool *pool =
        find_pool(storage, &((remote_storage_pool_flags_args *)args)->pool, error);

    (void)ret;
    if (pool == NULL)
        return FALSE;
    if (g_mkdir_with_parents(pool->path, 0711) == 0)
        return TRUE;
    return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot create path '%s': %s",
                              pool->path, g_strerror(errno));
}

static gboolean
on_pool_create(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    KilnPool *pool = find_pool(storage, &((remote_storage_pool_flags_args *)args)->pool, error);

    (void)ret;
    return pool != NULL && start_pool(pool, error);
}

static KilnPool *
active_pool(KilnStorage *storage, const remote_nonnull_storage_pool *about, GError **error)
{
    KilnPool *pool = find_pool(storage, about, error);

    if (pool != NULL && !pool->active) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is not active",
                           pool->name);
        return NULL;
    }
    return pool;
}

static gboolean
on_pool_destroy(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    KilnPool *pool = active_pool(storage, &((remote_storage_pool_args *)args)->pool, error);

    (void)ret;
    if (pool == NULL)
        return FALSE;
    pool->active = FALSE;
    if (!pool->persistent)
        g_ptr_array_remove(storage->pools, pool);
    return TRUE;
}

static gboolean
on_pool_undefine(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    KilnPool *pool = find_pool(storage, &((remote_storage_pool_args *)args)->pool, error);

    (void)ret;
    if (pool == NULL)
        return FALSE;
    if (pool->active)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "storage pool '%s' is still active", pool->name);
    g_ptr_array_remove(storage->pools, pool);
    return kiln_storage_save(storage, error);
}

/* Files are looked at whenever they are asked for. */
static gboolean
on_pool_refresh(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    (void)ret;
    return active_pool(storage, &((remote_storage_pool_flags_args *)args)->pool, error) != NULL;
}

static gboolean
on_pool_info(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const KilnPool *pool = find_pool(storage, &((remote_storage_pool_args *)args)->pool, error);
    remote_storage_pool_get_info_ret *info = ret;
    guint64 capacity = 0;
    guint64 allocation = 0;
    guint64 available = 0;

    if (pool == NULL ||
        (pool->active && !kiln_pool_info(pool, &capacity, &allocation, &available, error)))
        return FALSE;
    info->state = pool->active ? VIR_STORAGE_POOL_RUNNING : VIR_STORAGE_POOL_INACTIVE;
    info->capacity = capacity;
    info->allocation = allocation;
    info->available = available;
    return TRUE;
}

static gboolean
on_pool_xml(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const KilnPool *pool =
        find_pool(storage, &((remote_storage_pool_flags_args *)args)->pool, error);

    if (pool != NULL)
        ((remote_storage_text_ret *)ret)->text = kiln_pool_xml(pool);
    return pool != NULL;
}

static gboolean
on_pool_autostart(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const KilnPool *pool = find_pool(storage, &((remote_storage_pool_args *)args)->pool, error);

    if (pool != NULL)
        ((remote_storage_number_ret *)ret)->num = pool->autostart;
    return pool != NULL;
}

static gboolean
on_pool_set_autostart(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_pool_set_autostart_args *wish = args;
    KilnPool *pool = find_pool(storage, &wish->pool, error);

    (void)ret;
    if (pool == NULL)
        return FALSE;
    if (!pool->persistent)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "pool has no config file");
    pool->autostart = wish->autostart != 0;
    return kiln_storage_save(storage, error);
}

static gboolean
on_pool_is_active(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const KilnPool *pool = find_pool(storage, &((remote_storage_pool_args *)args)->pool, error);

    if (pool != NULL)
        ((remote_storage_number_ret *)ret)->num = pool->active;
    return pool != NULL;
}

static gboolean
on_pool_is_persistent(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const KilnPool *pool = find_pool(storage, &((remote_storage_pool_args *)args)->pool, error);

    if (pool != NULL)
        ((remote_storage_number_ret *)ret)->num = pool->persistent;
    return pool != NULL;
}

/* ---- Volumes ---- */

static gboolean
on_num_of_volumes(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const KilnPool *pool = find_pool(storage, &((remote_storage_pool_args *)args)->pool, error);
    g_autoptr(GPtrArray) names = pool != NULL ? kiln_pool_volumes(pool, error) : NULL;

    if (names != NULL)
        ((remote_storage_number_ret *)ret)->num = (int)names->len;
    return names != NULL;
}

static gboolean
on_list_volumes(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_pool_list_volumes_args *wish = args;
    remote_storage_names_ret *list = ret;
    const KilnPool *pool = find_pool(storage, &wish->pool, error);
    g_autoptr(GPtrArray) names = pool != NULL ? kiln_pool_volumes(pool, error) : NULL;

    if (names == NULL)
        return FALSE;
    list->names.names_val = g_new0(char *, names->len);
    for (guint i = 0; i < names->len && (int)i < wish->maxnames; i++)
        list->names.names_val[list->names.names_len++] = g_strdup(g_ptr_array_index(names, i));
    return TRUE;
}

static gboolean
on_list_all_volumes(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_pool_list_all_volumes_args *wish = args;
    remote_storage_pool_list_all_volumes_ret *list = ret;
    const KilnPool *pool = find_pool(storage, &wish->pool, error);
    g_autoptr(GPtrArray) names = pool != NULL ? kiln_pool_volumes(pool, error) : NULL;

    if (names == NULL)
        return FALSE;
    list->ret = names->len;
    if (wish->need_results == 0)
        return TRUE;
    list->vols.vols_val = g_new0(remote_nonnull_storage_vol, names->len);
    for (guint i = 0; i < names->len; i++)
        fill_volume(&list->vols.vols_val[list->vols.vols_len++], pool, g_ptr_array_index(names, i));
    return TRUE;
}

static gboolean
answer_volume(const KilnPool *pool, const char *name, gpointer ret, GError **error)
{
    KilnVolumeInfo info;

    if (pool == NULL || !kiln_volume_info(pool, name, &info, error))
        return FALSE;
    fill_volume(&((remote_storage_vol_ret *)ret)->vol, pool, name);
    return TRUE;
}

static gboolean
on_volume_by_name(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_vol_lookup_by_name_args *wish = args;

    return answer_volume(find_pool(storage, &wish->pool, error), wish->name, ret, error);
}

/* A key is a path. */
static gboolean
on_volume_by_path(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const char *path = ((remote_storage_text_args *)args)->text;
    const char *name = NULL;
    const KilnPool *pool = kiln_storage_pool_of_path(storage, path, &name, error);

    return answer_volume(pool, name, ret, error);
}

static gboolean
on_volume_create(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_vol_create_xml_args *wish = args;
    const KilnPool *pool = find_pool(storage, &wish->pool, error);
    g_autofree char *name = pool != NULL ? kiln_volume_create(pool, wish->xml, error) : NULL;

    return name != NULL && answer_volume(pool, name, ret, error);
}

static gboolean
on_volume_clone(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_vol_create_xml_from_args *wish = args;
    const KilnPool *pool = find_pool(storage, &wish->pool, error);
    const KilnPool *from =
        pool != NULL ? kiln_storage_pool_by_name(storage, wish->clonevol.pool, error) : NULL;
    g_autofree char *name =
        from != NULL ? kiln_volume_clone(pool, wish->xml, from, wish->clonevol.name, error) : NULL;

    return name != NULL && answer_volume(pool, name, ret, error);
}

static gboolean
on_volume_delete(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_nonnull_storage_vol *about = &((remote_storage_vol_flags_args *)args)->vol;
    const KilnPool *pool = kiln_storage_pool_by_name(storage, about->pool, error);

    (void)ret;
    return pool != NULL && kiln_volume_delete(pool, about->name, error);
}

static gboolean
on_volume_resize(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_vol_resize_args *wish = args;
    const KilnPool *pool = kiln_storage_pool_by_name(storage, wish->vol.pool, error);

    (void)ret;
    if (pool == NULL)
        return FALSE;
    if ((wish->flags & ~(guint)VIR_STORAGE_VOL_RESIZE_SHRINK) != 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_UNSUPPORTED,
                                  "these flags need libvirt's storage driver");
    return kiln_volume_resize(pool, wish->vol.name, wish->capacity,
                              (wish->flags & VIR_STORAGE_VOL_RESIZE_SHRINK) != 0, error);
}

static gboolean
answer_info(KilnStorage *storage, const remote_nonnull_storage_vol *about, gboolean physical,
            remote_storage_vol_get_info_ret *ret, GError **error)
{
    KilnVolumeInfo info = { 0 };

    if (find_volume(storage, about, &info, error) == NULL)
        return FALSE;
    ret->type = VIR_STORAGE_VOL_FILE;
    ret->capacity = info.capacity;
    ret->allocation = physical ? info.physical : info.allocation;
    return TRUE;
}

static gboolean
on_volume_info(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    return answer_info(storage, &((remote_storage_vol_args *)args)->vol, FALSE, ret, error);
}

static gboolean
on_volume_info_flags(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_storage_vol_flags_args *wish = args;

    return answer_info(storage, &wish->vol, (wish->flags & VIR_STORAGE_VOL_GET_PHYSICAL) != 0, ret,
                       error);
}

static gboolean
on_volume_xml(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_nonnull_storage_vol *about = &((remote_storage_vol_flags_args *)args)->vol;
    KilnVolumeInfo info = { 0 };
    const KilnPool *pool = find_volume(storage, about, &info, error);

    if (pool != NULL)
        ((remote_storage_text_ret *)ret)->text = kiln_volume_xml(pool, about->name, &info);
    return pool != NULL;
}

static gboolean
on_volume_path(KilnStorage *storage, gpointer args, gpointer ret, GError **error)
{
    const remote_nonnull_storage_vol *about = &((remote_storage_vol_args *)args)->vol;
    KilnVolumeInfo info = { 0 };
    const KilnPool *pool = find_volume(storage, about, &info, error);

    if (pool != NULL)
        ((remote_storage_text_ret *)ret)->text = g_build_filename(pool->path, about->name, NULL);
    return pool != NULL;
}

/* ---- The table ---- */

#define ARGS(layout) (xdrproc_t) xdr_remote_##layout, sizeof(remote_##layout)
#define NONE         NULL, 0

static const StorageRow rows[] = {
    { REMOTE_PROC_CONNECT_NUM_OF_STORAGE_POOLS, NONE, ARGS(storage_number_ret), on_num_of_pools },
    { REMOTE_PROC_CONNECT_LIST_STORAGE_POOLS, ARGS(storage_names_args), ARGS(storage_names_ret),
      on_list_pools },
    { REMOTE_PROC_CONNECT_NUM_OF_DEFINED_STORAGE_POOLS, NONE, ARGS(storage_number_ret),
      on_num_of_defined },
    { REMOTE_PROC_CONNECT_LIST_DEFINED_STORAGE_POOLS, ARGS(storage_names_args),
      ARGS(storage_names_ret), on_list_defined },
    { REMOTE_PROC_STORAGE_POOL_CREATE_XML, ARGS(storage_text_flags_args), ARGS(storage_pool_ret),
      on_pool_create_xml },
    { REMOTE_PROC_STORAGE_POOL_DEFINE_XML, ARGS(storage_text_flags_args), ARGS(storage_pool_ret),
      on_pool_define },
    { REMOTE_PROC_STORAGE_POOL_CREATE, ARGS(storage_pool_flags_args), NONE, on_pool_create },
    { REMOTE_PROC_STORAGE_POOL_BUILD, ARGS(storage_pool_flags_args), NONE, on_pool_build },
    { REMOTE_PROC_STORAGE_POOL_DESTROY, ARGS(storage_pool_args), NONE, on_pool_destroy },
    { REMOTE_PROC_STORAGE_POOL_UNDEFINE, ARGS(storage_pool_args), NONE, on_pool_undefine },
    { REMOTE_PROC_STORAGE_POOL_REFRESH, ARGS(storage_pool_flags_args), NONE, on_pool_refresh },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, ARGS(storage_text_args), ARGS(storage_pool_ret),
      on_pool_by_name },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_UUID, ARGS(storage_pool_lookup_by_uuid_args),
      ARGS(storage_pool_ret), on_pool_by_uuid },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_VOLUME, ARGS(storage_vol_args), ARGS(storage_pool_ret),
      on_pool_by_volume },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_TARGET_PATH, ARGS(storage_text_args),
      ARGS(storage_pool_ret), on_pool_by_path },
    { REMOTE_PROC_STORAGE_POOL_GET_INFO, ARGS(storage_pool_args), ARGS(storage_pool_get_info_ret),
      on_pool_info },
    { REMOTE_PROC_STORAGE_POOL_GET_XML_DESC, ARGS(storage_pool_flags_args), ARGS(storage_text_ret),
      on_pool_xml },
    { REMOTE_PROC_STORAGE_POOL_GET_AUTOSTART, ARGS(storage_pool_args), ARGS(storage_number_ret),
      on_pool_autostart },
    { REMOTE_PROC_STORAGE_POOL_SET_AUTOSTART, ARGS(storage_pool_set_autostart_args), NONE,
      on_pool_set_autostart },
    { REMOTE_PROC_STORAGE_POOL_IS_ACTIVE, ARGS(storage_pool_args), ARGS(storage_number_ret),
      on_pool_is_active },
    { REMOTE_PROC_STORAGE_POOL_IS_PERSISTENT, ARGS(storage_pool_args), ARGS(storage_number_ret),
      on_pool_is_persistent },
    { REMOTE_PROC_CONNECT_LIST_ALL_STORAGE_POOLS, ARGS(connect_list_all_storage_pools_args),
      ARGS(connect_list_all_storage_pools_ret), on_list_all_pools },
    { REMOTE_PROC_STORAGE_POOL_NUM_OF_VOLUMES, ARGS(storage_pool_args), ARGS(storage_number_ret),
      on_num_of_volumes },
    { REMOTE_PROC_STORAGE_POOL_LIST_VOLUMES, ARGS(storage_pool_list_volumes_args),
      ARGS(storage_names_ret), on_list_volumes },
    { REMOTE_PROC_STORAGE_POOL_LIST_ALL_VOLUMES, ARGS(storage_pool_list_all_volumes_args),
      ARGS(storage_pool_list_all_volumes_ret), on_list_all_volumes },
    { REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_NAME, ARGS(storage_vol_lookup_by_name_args),
      ARGS(storage_vol_ret), on_volume_by_name },
    { REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_KEY, ARGS(storage_text_args), ARGS(storage_vol_ret),
      on_volume_by_path },
    { REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_PATH, ARGS(storage_text_args), ARGS(storage_vol_ret),
      on_volume_by_path },
    { REMOTE_PROC_STORAGE_VOL_CREATE_XML, ARGS(storage_vol_create_xml_args), ARGS(storage_vol_ret),
      on_volume_create },
    { REMOTE_PROC_STORAGE_VOL_CREATE_XML_FROM, ARGS(storage_vol_create_xml_from_args),
      ARGS(storage_vol_ret), on_volume_clone },
    { REMOTE_PROC_STORAGE_VOL_DELETE, ARGS(storage_vol_flags_args), NONE, on_volume_delete },
    { REMOTE_PROC_STORAGE_VOL_RESIZE, ARGS(storage_vol_resize_args), NONE, on_volume_resize },
    { REMOTE_PROC_STORAGE_VOL_GET_INFO, ARGS(storage_vol_args), ARGS(storage_vol_get_info_ret),
      on_volume_info },
    { REMOTE_PROC_STORAGE_VOL_GET_INFO_FLAGS, ARGS(storage_vol_flags_args),
      ARGS(storage_vol_get_info_ret), on_volume_info_flags },
    { REMOTE_PROC_STORAGE_VOL_GET_XML_DESC, ARGS(storage_vol_flags_args), ARGS(storage_text_ret),
      on_volume_xml },
    { REMOTE_PROC_STORAGE_VOL_GET_PATH, ARGS(storage_vol_args), ARGS(storage_text_ret),
      on_volume_path },
};

static const StorageRow *
find_row(int procedure)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].number == procedure)
            return &rows[i];
    }
    return NULL;
}

gboolean
kiln_storage_serves(int procedure)
{
    return find_row(procedure) != NULL;
}

static GBytes *
encode_error(const KilnPacket *header, int code, const char *particular)
{
    g_autofree char *text = kiln_vir_error_text(code, particular);

    return kiln_frame_encode_error(header, code, kiln_frame_error_domain(code), text);
}

static GBytes *
run_row(KilnStorage *storage, const StorageRow *row, gpointer args, const KilnPacket *header)
{
    g_autofree gpointer ret = g_malloc0(row->ret_size + 1);
    g_autoptr(GError) error = NULL;
    GBytes *answer;

    if (row->handle(storage, args, row->ret != NULL ? ret : NULL, &error))
        answer = kiln_frame_encode(header, 0, row->ret, ret);
    else
        answer = encode_error(header, kiln_vir_error_code(error), error->message);
    if (row->ret != NULL)
        xdr_free(row->ret, ret);
    return answer != NULL ? answer : encode_error(header, VIR_ERR_RPC, "the answer is too large");
}

GBytes *
kiln_storage_answer(KilnStorage *storage, const KilnPacket *packet)
{
    const StorageRow *row = find_row(packet->procedure);
    g_autofree gpointer args = g_malloc0((row != NULL ? row->args_size : 0) + 1);
    KilnPacket header = *packet;
    GBytes *answer;

    header.type = KILN_FRAME_REPLY;
    header.status = KILN_FRAME_OK;
    if (row == NULL)
        return encode_error(&header, VIR_ERR_NO_SUPPORT, "no daemon has the storage driver");
    if (kiln_frame_decode(packet, row->args, args))
        answer = run_row(storage, row, args, &header);
    else
        answer = encode_error(&header, VIR_ERR_RPC, "Unable to decode message payload");
    if (row->args != NULL)
        xdr_free(row->args, args);
    return answer;
}

KilnStorage *
kiln_storage_new(const char *directory)
{
    KilnStorage *storage = g_new0(KilnStorage, 1);

    storage->directory = g_strdup(directory);
    storage->file = g_build_filename(directory, ".kiln-pools", NULL);
    storage->pools = g_ptr_array_new_with_free_func((GDestroyNotify)kiln_pool_free);
    kiln_storage_load(storage, NULL);
    return storage;
}

void
kiln_storage_free(KilnStorage *storage)
{
    if (storage == NULL)
        return;
    g_ptr_array_unref(storage->pools);
    g_free(storage->directory);
    g_free(storage->file);
    g_free(storage);
}
