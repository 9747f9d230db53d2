/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of definitions: each is a job of its domain, on the main thread but for the writing, and
 * is answered when it is on stable storage (store.h).
 */
#include "base/error.h"
#include "error/vir-error.h"
#include "guest/guest-private.h"
#include "guest/worker.h"

#include <libvirt/libvirt.h>
#include <string.h>

typedef struct Change Change;

/* @prepare: main thread, when it is the change's turn: FALSE with @error set if it cannot be.
 * @write: in a worker.  @apply: main thread, when it is written. */
typedef struct {
    gboolean (*prepare)(Change *change, GError **error);
    gboolean (*write)(Change *change, KilnStore *store, GError **error);
    void (*apply)(Change *change);
} ChangeOps;

struct Change {
    const ChangeOps *ops;
    KilnGuest *guest;
    char *name;     /* (owned) of @guest, for the worker */
    char *new_name; /* (owned) (nullable) */
    gboolean held;  /* @new_name is */
    char *text;     /* (owned) (nullable) */
    gboolean autostart;
    KilnGuestEdit edit;
    gpointer edit_data;
    KilnGuestDone done; /* one of these */
    KilnGuestMade made;
    gpointer data;
};

static void
finish(Change *change, const GError *error)
{
    KilnGuest *guest = change->guest;

    if (change->held)
        kiln_guest_list_release_name(guest->list, change->new_name);
    if (change->done != NULL)
        change->done(guest, error, change->data);
    else
        change->made(error == NULL ? guest : NULL, error, change->data);
    g_free(change->name);
    g_free(change->new_name);
    g_free(change->text);
    g_free(change);
    kiln_guest_job_end(guest);
}

static gboolean
write_change(gpointer work, GError **error)
{
    Change *change = work;

    return change->ops->write(change, change->guest->list->store, error);
}

static void
on_written(gpointer work, const GError *error)
{
    Change *change = work;

    if (error == NULL) {
        change->ops->apply(change);
        kiln_guest_settle(change->guest);
    }
    finish(change, error);
}

static void
begin(KilnGuest *guest, gpointer data)
{
    Change *change = data;
    g_autoptr(GError) error = NULL;

    change->name = g_strdup(guest->name);
    if (change->ops->prepare(change, &error))
        kiln_worker_run(write_change, on_written, change);
    else
        finish(change, error);
}

static Change *
change_new(const ChangeOps *ops, KilnGuest *guest, KilnGuestDone done, gpointer data)
{
    Change *change = g_new0(Change, 1);

    change->ops = ops;
    change->guest = guest;
    change->done = done;
    change->data = data;
    return change;
}

static char *
text_of(const KilnDomain *domain)
{
    return kiln_domain_format(domain, KILN_FORMAT_SECURE | KILN_FORMAT_INACTIVE);
}

/* ---- Define ---- */

static gboolean
prepare_define(Change *change, GError **error)
{
    return TRUE;
}

static gboolean
write_text(Change *change, KilnStore *store, GError **error)
{
    return kiln_store_write(store, change->name, change->text, error);
}

static void
apply_text(Change *change)
{
    KilnGuest *guest = change->guest;
    gboolean added = !guest->persistent;

    guest->persistent = TRUE;
    guest->updated = kiln_guest_is_active(guest);
    kiln_guest_settle(guest); /* who is told of it finds it */
    kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_DEFINED,
                              added ? VIR_DOMAIN_EVENT_DEFINED_ADDED
                                    : VIR_DOMAIN_EVENT_DEFINED_UPDATED);
}

void
kiln_guest_list_define(KilnGuestList *list, KilnDomain *domain, KilnGuestMade made, gpointer data)
{
    static const ChangeOps ops = { prepare_define, write_text, apply_text };
    g_autoptr(KilnDomain) owned = domain;
    g_autoptr(GError) error = NULL;
    guint8 uuid[KILN_UUID_BYTES];
    KilnGuest *guest = NULL;
    Change *change;

    if (!kiln_uuid_parse(owned->uuid, strlen(owned->uuid), uuid))
        kiln_vir_error_set(&error, VIR_ERR_XML_ERROR, "malformed uuid");
    else if (kiln_store_check_name(owned->name, &error))
        guest = kiln_guest_list_reserve(list, owned->name, uuid, &error);
    if (guest == NULL) {
        made(NULL, error, data);
        return;
    }
    change = change_new(&ops, guest, NULL, data);
    change->made = made;
    change->text = text_of(owned);
    kiln_guest_job(guest, begin, change);
}

/* ---- Edit ---- */

/* What was edited is held against all rules again, as if it came from outside. */
static gboolean
take_edited(Change *change, const KilnDomain *edited, GError **error)
{
    g_autofree char *text = text_of(edited);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_define(text, strlen(text), faults);
    guint8 uuid[KILN_UUID_BYTES];

    if (domain == NULL)
        return kiln_faults_to_error(faults, change->name, error);
    if (strcmp(domain->name, change->name) != 0 ||
        !kiln_uuid_parse(domain->uuid, strlen(domain->uuid), uuid) ||
        memcmp(uuid, change->guest->uuid, KILN_UUID_BYTES) != 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "name and uuid of domain '%s' cannot be edited", change->name);
    change->text = text_of(domain);
    return TRUE;
}

static gboolean
prepare_edit(Change *change, GError **error)
{
    g_autoptr(KilnDomain) domain = kiln_guest_definition(change->guest, error);

    return domain != NULL && change->edit(domain, change->edit_data, error) &&
           take_edited(change, domain, error);
}

void
kiln_guest_edit(KilnGuest *guest, KilnGuestEdit edit, gpointer edit_data, KilnGuestDone done,
                gpointer data)
{
    static const ChangeOps ops = { prepare_edit, write_text, apply_text };
    Change *change = change_new(&ops, guest, done, data);

    change->edit = edit;
    change->edit_data = edit_data;
    kiln_guest_job(guest, begin, change);
}

/* ---- Undefine ---- */

static gboolean
prepare_undefine(Change *change, GError **error)
{
    return change->guest->persistent ||
           kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "cannot undefine transient domain");
}

static gboolean
write_undefine(Change *change, KilnStore *store, GError **error)
{
    return kiln_store_remove(store, change->name, error);
}

static void
apply_undefine(Change *change)
{
    KilnGuest *guest = change->guest;

    guest->persistent = FALSE;
    guest->autostart = FALSE;
    guest->updated = FALSE;
    kiln_guest_settle(guest);
    kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_UNDEFINED,
                              VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
}

void
kiln_guest_undefine(KilnGuest *guest, KilnGuestDone done, gpointer data)
{
    static const ChangeOps ops = { prepare_undefine, write_undefine, apply_undefine };

    kiln_guest_job(guest, begin, change_new(&ops, guest, done, data));
}

/* ---- Rename ---- */

static gboolean
may_rename(Change *change, GError **error)
{
    KilnGuest *guest = change->guest;

    if (!guest->persistent)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "cannot rename a transient domain");
    if (guest->run != NULL)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "cannot rename active domain");
    if (strcmp(change->new_name, guest->name) == 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "can't rename domain to itself");
    return kiln_store_check_name(change->new_name, error);
}

static gboolean
prepare_rename(Change *change, GError **error)
{
    g_autoptr(KilnDomain) domain = NULL;

    if (!may_rename(change, error))
        return FALSE;
    domain = kiln_guest_definition(change->guest, error);
    if (domain == NULL)
        return FALSE;
    if (!kiln_guest_list_hold_name(change->guest->list, change->new_name))
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "domain with name '%s' already exists", change->new_name);
    change->held = TRUE;
    g_free(domain->name);
    domain->name = g_strdup(change->new_name);
    change->text = text_of(domain);
    return TRUE;
}

static gboolean
write_rename(Change *change, KilnStore *store, GError **error)
{
    return kiln_store_rename(store, change->name, change->new_name, change->text, error);
}

static void
apply_rename(Change *change)
{
    KilnGuest *guest = change->guest;

    kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_UNDEFINED,
                              VIR_DOMAIN_EVENT_UNDEFINED_RENAMED);
    kiln_guest_list_renamed(guest, change->new_name);
    kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
}

void
kiln_guest_rename(KilnGuest *guest, const char *name, KilnGuestDone done, gpointer data)
{
    static const ChangeOps ops = { prepare_rename, write_rename, apply_rename };
    Change *change = change_new(&ops, guest, done, data);

    change->new_name = g_strdup(name);
    kiln_guest_job(guest, begin, change);
}

/* ---- Autostart ---- */

static gboolean
prepare_autostart(Change *change, GError **error)
{
    return change->guest->persistent ||
           kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                              "cannot set autostart for transient domain");
}

static gboolean
write_autostart(Change *change, KilnStore *store, GError **error)
{
    return kiln_store_set_autostart(store, change->name, change->autostart, error);
}

static void
apply_autostart(Change *change)
{
    change->guest->autostart = change->autostart;
}

void
kiln_guest_set_autostart(KilnGuest *guest, gboolean autostart, KilnGuestDone done, gpointer data)
{
    static const ChangeOps ops = { prepare_autostart, write_autostart, apply_autostart };
    Change *change = change_new(&ops, guest, done, data);

    change->autostart = autostart;
    kiln_guest_job(guest, begin, change);
}
