/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The definitions on disk, as libvirt's other drivers keep theirs:
 *
 *   NAME.xml                         a definition; control/paths.h says how a name is escaped
 *   autostart/NAME.xml -> NAME.xml   symbolic link: start it with the host
 *   .new-*                           being written; nobody's after a crash, and removed
 *   .rename-*                        what a rename still has to do; done again after a crash
 *
 * What survives what: each function that changes something returns when the change is on stable
 * storage.  At whatever instant the process is killed, or the host's power fails, the next load
 * finds each definition as it was before or as it is after:
 *
 *   write:     temporary file, fsync, rename over NAME.xml (the change), fsync of the folder
 *   remove:    unlink of NAME.xml (the change), fsync of the folder, then the link, which says
 *              nothing without the file that it points at
 *   rename:    the new text in a temporary file, then .rename-* (the change), then its steps, each
 * of which may be done twice autostart: the link itself
 *
 * Functions that change something wait for the disk: for worker threads.  Changes of one name must
 * not overlap; its owner queues them.
 */
#ifndef KILN_GUEST_STORE_H
#define KILN_GUEST_STORE_H

#include "domain/domain.h"
#include "guest/head.h"

typedef struct KilnStore KilnStore;

/* @directory and its autostart are made if they are missing. */
KilnStore *kiln_store_open(const char *directory, GError **error);
void kiln_store_close(KilnStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnStore, kiln_store_close)

/**
 * KilnStoreFound:
 * @head: its name may be taken (set to NULL)
 *
 * Returns: FALSE with @error set if it cannot be taken: a uuid twice.
 */
typedef gboolean (*KilnStoreFound)(KilnHead *head, gboolean autostart, gpointer data,
                                   GError **error);

/**
 * kiln_store_load:
 *
 * Finishes what a crash interrupted, then calls @found for each definition, in the order of their
 * file names.  A file that is broken, half-written, or not named for what it holds is logged and
 * left alone.
 */
void kiln_store_load(KilnStore *store, KilnStoreFound found, gpointer data);

/**
 * kiln_store_read:
 * @uuid: that it must have
 *
 * Returns: (transfer full): the definition, validated and assigned, or NULL with @error set.
 */
KilnDomain *kiln_store_read(KilnStore *store, const char *name, const guint8 *uuid, GError **error);

/* Returns: whether the definition can be read and parsed; for what loading did not look at. */
gboolean kiln_store_check(KilnStore *store, const char *name, GError **error);

/* Whether @name can be a file's: KILN_ERROR_INVALID if it is too long or has a '/'. */
gboolean kiln_store_check_name(const char *name, GError **error);

/* Returns: (transfer full): the name of the file for @name with @suffix; NULL with @error set. */
char *kiln_store_file_name(const char *name, const char *suffix, GError **error);

gboolean kiln_store_write(KilnStore *store, const char *name, const char *text, GError **error);
gboolean kiln_store_remove(KilnStore *store, const char *name, GError **error);
/* @text: the definition under its new name */
gboolean kiln_store_rename(KilnStore *store, const char *name, const char *new_name,
                           const char *text, GError **error);
gboolean kiln_store_set_autostart(KilnStore *store, const char *name, gboolean autostart,
                                  GError **error);

#endif
