/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools and volumes, as the files that make up storage see them. */
#ifndef KILN_RELAY_STORAGE_PRIVATE_H
#define KILN_RELAY_STORAGE_PRIVATE_H

#include "relay/storage.h"

enum {
    KILN_STORAGE_POOLS_MAX = 1024,
    KILN_STORAGE_VOLUMES_MAX = 16384, /* that one pool shows, as the protocol bounds it */
};

typedef struct {
    char *name; /* (owned) */
    guint8 uuid[16];
    char *path; /* (owned): absolute, without a / at its end */
    gboolean active;
    gboolean persistent;
    gboolean autostart;
} KilnPool;

struct KilnStorage {
    char *directory;  /* (owned) */
    char *file;       /* (owned): where the pools are kept */
    GPtrArray *pools; /* (owned) (element-type KilnPool) */
};

/* A document of a pool or a volume, as far as it is known here; (owned) (nullable) all. */
typedef struct {
    char *type;
    char *name;
    char *uuid;
    char *path;     /* of target */
    char *format;   /* of target */
    char *backing;  /* of backingStore */
    char *capacity; /* with its unit, if it has one: */
    char *capacity_unit;
    char *allocation;
    char *allocation_unit;
} KilnStorageXml;

typedef enum {
    KILN_VOLUME_RAW,
    KILN_VOLUME_QCOW2,
    KILN_VOLUME_UNKNOWN, /* qcow2 that names other files: whoever uses it has to say what it is */
} KilnVolumeFormat;

typedef struct {
    KilnVolumeFormat format;
    guint64 capacity;   /* bytes that its guest sees */
    guint64 allocation; /* bytes that it takes */
    guint64 physical;   /* bytes of the file */
    guint32 mode;
    guint32 uid;
    guint32 gid;
} KilnVolumeInfo;

/* ---- storage-pool.c ---- */

void kiln_pool_free(KilnPool *pool);
/* @of: borrowed; FALSE with @error set. */
gboolean kiln_storage_load(KilnStorage *storage, GError **error);
gboolean kiln_storage_save(KilnStorage *storage, GError **error);
KilnPool *kiln_storage_pool_by_name(KilnStorage *storage, const char *name, GError **error);
KilnPool *kiln_storage_pool_by_uuid(KilnStorage *storage, const guint8 *uuid, GError **error);
/* The active pool in whose directory @path is, with the file's name in @name (within @path). */
KilnPool *kiln_storage_pool_of_path(KilnStorage *storage, const char *path, const char **name,
                                    GError **error);
/* Of a document: a new pool, or the one of that name and uuid. */
KilnPool *kiln_storage_define(KilnStorage *storage, const char *xml, GError **error);
gboolean kiln_pool_info(const KilnPool *pool, guint64 *capacity, guint64 *allocation,
                        guint64 *available, GError **error);

/* ---- storage-volume.c ---- */

/* Names of the files in an active pool, sorted; (transfer full). */
GPtrArray *kiln_pool_volumes(const KilnPool *pool, GError **error);
gboolean kiln_volume_info(const KilnPool *pool, const char *name, KilnVolumeInfo *info,
                          GError **error);
/* Of a document; its name: (transfer full). */
char *kiln_volume_create(const KilnPool *pool, const char *xml, GError **error);
/* The same, with the content of @from_name in @from, in its format; at least as long as that is. */
char *kiln_volume_clone(const KilnPool *pool, const char *xml, const KilnPool *from,
                        const char *from_name, GError **error);
/* The file behind @from is copied to @path, which is not there yet. */
gboolean kiln_volume_copy(int from, const char *path, GError **error);
gboolean kiln_volume_delete(const KilnPool *pool, const char *name, GError **error);
gboolean kiln_volume_resize(const KilnPool *pool, const char *name, guint64 capacity,
                            gboolean shrink, GError **error);

/* ---- storage-xml.c ---- */

void kiln_storage_xml_clear(KilnStorageXml *xml);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnStorageXml, kiln_storage_xml_clear)
/* @root: "pool" or "volume" */
gboolean kiln_storage_xml_parse(const char *text, const char *root, KilnStorageXml *xml,
                                GError **error);
/* Bytes; FALSE with @error set if it is no size. */
gboolean kiln_storage_xml_size(const char *number, const char *unit, guint64 *bytes,
                               GError **error);
char *kiln_pool_xml(const KilnPool *pool);
char *kiln_volume_xml(const KilnPool *pool, const char *name, const KilnVolumeInfo *info);

#endif
