/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See list.h. */
#include "guest/list.h"

#include "base/log.h"
#include "control/paths.h"
#include "error/vir-error.h"
#include "guest/adopt.h"
#include "guest/cgroup.h"
#include "guest/guest-private.h"
#include "guest/list-check.h"
#include "guest/worker.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* ---- Tables ---- */

static guint
uuid_hash(gconstpointer key)
{
    guint32 words[KILN_UUID_BYTES / 4];

    memcpy(words, key, sizeof words);
    return words[0] ^ words[1] * 0x9e3779b1U ^ words[2] * 0x85ebca6bU ^ words[3] * 0xc2b2ae35U;
}

static gboolean
uuid_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, KILN_UUID_BYTES) == 0;
}

KilnGuest *
kiln_guest_list_find(KilnGuestList *list, const char *name)
{
    return g_hash_table_lookup(list->by_name, name);
}

KilnGuest *
kiln_guest_list_find_uuid(KilnGuestList *list, const guint8 *uuid)
{
    return g_hash_table_lookup(list->by_uuid, uuid);
}

static KilnGuest *
if_shown(KilnGuest *guest)
{
    return guest != NULL && guest->shown ? guest : NULL;
}

KilnGuest *
kiln_guest_list_by_name(KilnGuestList *list, const char *name)
{
    return if_shown(kiln_guest_list_find(list, name));
}

KilnGuest *
kiln_guest_list_by_uuid(KilnGuestList *list, const guint8 *uuid)
{
    return if_shown(kiln_guest_list_find_uuid(list, uuid));
}

KilnGuest *
kiln_guest_list_by_id(KilnGuestList *list, int id)
{
    return if_shown(g_hash_table_lookup(list->by_id, GINT_TO_POINTER(id)));
}

guint
kiln_guest_list_count(const KilnGuestList *list, guint *active)
{
    if (active != NULL)
        *active = g_hash_table_size(list->by_id);
    return list->n_shown;
}

void
kiln_guest_list_foreach(KilnGuestList *list, void (*visit)(KilnGuest *guest, gpointer data),
                        gpointer data)
{
    GHashTableIter iter;
    gpointer guest;

    g_hash_table_iter_init(&iter, list->by_name);
    while (g_hash_table_iter_next(&iter, NULL, &guest))
        if (((KilnGuest *)guest)->shown)
            visit(guest, data);
}

/* ---- Members ---- */

static KilnGuest *
add(KilnGuestList *list, char *name, const guint8 *uuid)
{
    KilnGuest *guest = g_new0(KilnGuest, 1);

    guest->references = 1;
    guest->list = list;
    guest->name = name;
    memcpy(guest->uuid, uuid, KILN_UUID_BYTES);
    guest->off_reason = VIR_DOMAIN_SHUTOFF_UNKNOWN;
    g_queue_init(&guest->jobs);
    (void)g_hash_table_insert(list->by_name, guest->name, guest);
    (void)g_hash_table_insert(list->by_uuid, guest->uuid, guest);
    return guest;
}

KilnGuest *
kiln_guest_list_reserve(KilnGuestList *list, const char *name, const guint8 *uuid, GError **error)
{
    KilnGuest *of_name = kiln_guest_list_find(list, name);
    KilnGuest *of_uuid = kiln_guest_list_find_uuid(list, uuid);
    g_autofree char *text = NULL;

    if (of_name == NULL && g_hash_table_contains(list->held, name)) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                           "domain '%s' already exists: another one is being renamed so", name);
        return NULL;
    }
    if (of_name == of_uuid)
        return of_name != NULL ? of_name : add(list, g_strdup(name), uuid);
    text = kiln_uuid_format(of_uuid != NULL ? uuid : of_name->uuid);
    if (of_uuid != NULL)
        kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                           "domain '%s' is already defined with uuid %s", of_uuid->name, text);
    else
        kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                           "domain '%s' already exists with uuid %s", of_name->name, text);
    return NULL;
}

static void
show(KilnGuest *guest, gboolean shown)
{
    if (guest->shown == shown)
        return;
    guest->shown = shown;
    if (shown)
        guest->list->n_shown++;
    else
        guest->list->n_shown--;
}

void
kiln_guest_settle(KilnGuest *guest)
{
    KilnGuestList *list = guest->list;

    show(guest, guest->persistent || kiln_guest_is_active(guest));
    if (guest->shown || guest->busy || guest->run != NULL || guest->jobs.length > 0 ||
        g_hash_table_lookup(list->by_name, guest->name) != guest)
        return;
    (void)g_hash_table_remove(list->by_uuid, guest->uuid);
    (void)g_hash_table_remove(list->by_name, guest->name);
    kiln_guest_unref(guest);
}

gboolean
kiln_guest_list_hold_name(KilnGuestList *list, const char *name)
{
    return kiln_guest_list_find(list, name) == NULL && g_hash_table_add(list->held, g_strdup(name));
}

void
kiln_guest_list_release_name(KilnGuestList *list, const char *name)
{
    (void)g_hash_table_remove(list->held, name);
}

void
kiln_guest_list_renamed(KilnGuest *guest, const char *name)
{
    (void)g_hash_table_remove(guest->list->by_name, guest->name);
    g_free(guest->name);
    guest->name = g_strdup(name);
    (void)g_hash_table_insert(guest->list->by_name, guest->name, guest);
}

void
kiln_guest_list_activated(KilnGuest *guest, gboolean active, int id)
{
    GHashTable *by_id = guest->list->by_id;

    if (active)
        (void)g_hash_table_insert(by_id, GINT_TO_POINTER(id), guest);
    else if (g_hash_table_lookup(by_id, GINT_TO_POINTER(id)) == guest)
        (void)g_hash_table_remove(by_id, GINT_TO_POINTER(id));
}

/* ---- Life ---- */

static gboolean
on_found(KilnHead *head, gboolean autostart, gpointer data, GError **error)
{
    KilnGuestList *list = data;
    KilnGuest *guest = kiln_guest_list_find_uuid(list, head->uuid);

    if (guest != NULL)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED, "its uuid is that of '%s'",
                                  guest->name);
    guest = add(list, g_steal_pointer(&head->name), head->uuid);
    guest->persistent = TRUE;
    guest->autostart = autostart;
    show(guest, TRUE);
    return TRUE;
}

static void
take_options(KilnGuestList *list, const KilnGuestListOptions *options)
{
    list->runtime_dir = g_strdup(options->runtime_dir);
    list->log_dir = g_strdup(options->log_dir);
    list->program = g_strdup(options->program);
    list->user = options->user;
    list->group = options->group;
    list->groups = g_memdup2(options->groups, options->n_groups * sizeof *options->groups);
    list->n_groups = options->n_groups;
    list->cgroups = options->cgroups ? kiln_cgroups_open() : NULL;
}

KilnGuestList *
kiln_guest_list_new(const KilnGuestListOptions *options, GError **error)
{
    g_autoptr(KilnGuestList) list = g_new0(KilnGuestList, 1);

    take_options(list, options);
    list->next_id = 1;
    list->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    list->by_uuid = g_hash_table_new(uuid_hash, uuid_equal);
    list->by_id = g_hash_table_new(NULL, NULL);
    list->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    list->store = kiln_store_open(options->config_dir, error);
    if (list->store == NULL)
        return NULL;
    kiln_store_load(list->store, on_found, list);
    list->check = kiln_list_check_begin(list);
    list->adoption = kiln_adoption_begin(list, error);
    return list->adoption == NULL ? NULL : g_steal_pointer(&list);
}

static void
give_up(gpointer key, gpointer value, gpointer data)
{
    KilnGuest *guest = value;

    kiln_run_free(g_steal_pointer(&guest->run));
    guest->list = NULL;
    kiln_guest_unref(guest);
}

void
kiln_guest_list_free(KilnGuestList *list)
{
    if (list == NULL)
        return;
    list->closing = TRUE;
    kiln_worker_drain();
    kiln_adoption_end(list->adoption);
    kiln_list_check_end(list->check);
    g_hash_table_foreach(list->by_name, give_up, NULL);
    g_hash_table_unref(list->by_name);
    g_hash_table_unref(list->by_uuid);
    g_hash_table_unref(list->by_id);
    g_hash_table_unref(list->held);
    g_clear_pointer(&list->observers, g_array_unref);
    kiln_cgroups_close(list->cgroups);
    kiln_store_close(list->store);
    g_free(list->runtime_dir);
    g_free(list->log_dir);
    g_free(list->program);
    g_free(list->groups);
    g_free(list);
}
