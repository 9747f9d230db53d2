/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fake-guest.h. */
#include "tests/driver/fake-guest.h"

#include "base/statistics.h"
#include "error/vir-error.h"
#include "tests/driver/fake-call.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

struct KilnGuestList {
    GPtrArray *guests; /* (owned) of KilnGuest (owned) */
    GString *calls;
    char *arguments; /* (nullable) */
    GError *failure;
    int next_id;
    KilnGuestObserver observer;
    gpointer observer_data;
};

struct KilnGuest {
    KilnGuestList *list;
    char *name;
    guint8 uuid[16];
    int id;
    int state;
    int reason;
    gboolean autostart;
    KilnDomain *config; /* (nullable) */
    KilnDomain *live;   /* (nullable) */
    GArray *statistics; /* (nullable) (owned) of KilnStatistic */
    char *cgroup;       /* (nullable) (owned) */
    gboolean untold;
};

KilnGuest *
kiln_guest_ref(KilnGuest *guest)
{
    return guest;
}

void
kiln_guest_unref(G_GNUC_UNUSED KilnGuest *guest)
{
}

const char *
kiln_guest_name(const KilnGuest *guest)
{
    return guest->name;
}

const guint8 *
kiln_guest_uuid(const KilnGuest *guest)
{
    return guest->uuid;
}

int
kiln_guest_id(const KilnGuest *guest)
{
    return guest->id;
}

gboolean
kiln_guest_is_active(const KilnGuest *guest)
{
    return guest->live != NULL;
}

gboolean
kiln_guest_is_persistent(const KilnGuest *guest)
{
    return guest->config != NULL;
}

gboolean
kiln_guest_is_updated(G_GNUC_UNUSED const KilnGuest *guest)
{
    return FALSE;
}

gboolean
kiln_guest_autostart(const KilnGuest *guest)
{
    return guest->autostart;
}

int
kiln_guest_state(const KilnGuest *guest, int *reason)
{
    if (reason != NULL)
        *reason = guest->reason;
    return guest->state;
}

guint64
kiln_guest_cpu_time(const KilnGuest *guest)
{
    return guest->live != NULL ? 123456789 : 0;
}

KilnDomain *
kiln_guest_definition(KilnGuest *guest, GError **error)
{
    if (guest->config != NULL)
        return kiln_domain_copy(guest->config);
    kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "transient");
    return NULL;
}

const KilnDomain *
kiln_guest_live(KilnGuest *guest)
{
    return guest->live;
}

GArray *
kiln_guest_statistics(KilnGuest *guest)
{
    KilnStatistic balloon = { .name = "balloon.current",
                              .type = KILN_STATISTIC_ULLONG,
                              .value.count = 65536 };
    GArray *statistics;

    if (guest->live == NULL)
        return NULL;
    if (guest->statistics != NULL)
        return g_array_copy(guest->statistics);
    statistics = g_array_new(FALSE, FALSE, sizeof balloon);
    return g_array_append_val(statistics, balloon);
}

void
fake_guest_publish(KilnGuest *guest, const KilnStatistic *entries, guint n)
{
    guest->statistics = g_array_new(FALSE, FALSE, sizeof *entries);
    g_array_append_vals(guest->statistics, entries, n);
}

void
fake_guest_set_cgroup(KilnGuest *guest, const char *path)
{
    guest->cgroup = g_strdup(path);
}

void
fake_guest_set_told(KilnGuest *guest, gboolean told)
{
    guest->untold = !told;
}

gboolean
kiln_guest_has_told(const KilnGuest *guest)
{
    return !guest->untold;
}

const char *
kiln_guest_cgroup(const KilnGuest *guest)
{
    return guest->cgroup;
}

/* This very process and thread. */
pid_t
kiln_guest_pid(const KilnGuest *guest)
{
    return guest->live != NULL ? getpid() : 0;
}

pid_t
kiln_guest_thread(KilnGuest *guest, G_GNUC_UNUSED const char *name)
{
    return kiln_guest_pid(guest);
}

gboolean
kiln_guest_affects(KilnGuest *guest, unsigned flags, gboolean *live, gboolean *config,
                   GError **error)
{
    if ((flags & ~(VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG)) != 0)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "flags");
    *live = flags == 0 ? guest->live != NULL : (flags & VIR_DOMAIN_AFFECT_LIVE) != 0;
    *config = flags == 0 ? guest->live == NULL : (flags & VIR_DOMAIN_AFFECT_CONFIG) != 0;
    if (*live && guest->live == NULL)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "domain is not running");
    if (*config && guest->config == NULL)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "transient");
    return TRUE;
}

/* ---- Changes ---- */

static gboolean
fails(KilnGuestList *list, KilnGuest *guest, KilnGuestDone done, gpointer data)
{
    g_autoptr(GError) failure = g_steal_pointer(&list->failure);

    if (failure == NULL)
        return FALSE;
    done(guest, failure, data);
    return TRUE;
}

void
kiln_guest_edit(KilnGuest *guest, KilnGuestEdit edit, gpointer edit_data, KilnGuestDone done,
                gpointer data)
{
    g_autoptr(KilnDomain) domain = kiln_domain_copy(guest->config);
    g_autoptr(GError) error = NULL;

    if (fails(guest->list, guest, done, data))
        return;
    if (edit(domain, edit_data, &error)) {
        kiln_domain_free(guest->config);
        guest->config = kiln_domain_copy(domain); /* as it is read again */
    }
    done(guest, error, data);
}

void
kiln_guest_undefine(KilnGuest *guest, KilnGuestDone done, gpointer data)
{
    if (fails(guest->list, guest, done, data))
        return;
    g_clear_pointer(&guest->config, kiln_domain_free);
    if (guest->live == NULL)
        g_ptr_array_remove(guest->list->guests, guest);
    done(guest, NULL, data);
}

void
kiln_guest_rename(KilnGuest *guest, const char *name, KilnGuestDone done, gpointer data)
{
    g_free(guest->name);
    guest->name = g_strdup(name);
    done(guest, NULL, data);
}

void
kiln_guest_set_autostart(KilnGuest *guest, gboolean autostart, KilnGuestDone done, gpointer data)
{
    guest->autostart = autostart;
    done(guest, NULL, data);
}

void
fake_guest_set_state(KilnGuest *guest, int state, int reason)
{
    guest->state = state;
    guest->reason = reason;
}

static void
run(KilnGuest *guest, const KilnDomain *domain, unsigned flags)
{
    guest->live = kiln_domain_copy(domain);
    guest->id = ++guest->list->next_id;
    guest->live->id = (KilnInt){ TRUE, guest->id };
    fake_guest_set_state(
        guest, flags & VIR_DOMAIN_START_PAUSED ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING, 1);
}

void
kiln_guest_start(KilnGuest *guest, unsigned flags, KilnGuestDone done, gpointer data)
{
    if (fails(guest->list, guest, done, data))
        return;
    run(guest, guest->config, flags);
    done(guest, NULL, data);
}

void
kiln_guest_destroy(KilnGuest *guest, gboolean graceful, KilnGuestDone done, gpointer data)
{
    const KilnGuestNews news = { .event_id = VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                 .type = VIR_DOMAIN_EVENT_STOPPED,
                                 .detail = VIR_DOMAIN_EVENT_STOPPED_DESTROYED };

    g_string_append(guest->list->calls, graceful ? "destroy-gracefully " : "destroy ");
    g_clear_pointer(&guest->live, kiln_domain_free);
    guest->id = -1;
    fake_guest_set_state(guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    kiln_guest_tell(guest, &news);
    if (guest->config == NULL)
        g_ptr_array_remove(guest->list->guests, guest);
    done(guest, NULL, data);
}

void
kiln_guest_call(KilnGuest *guest, const char *method, GVariant *arguments,
                G_GNUC_UNUSED GUnixFDList *fds, G_GNUC_UNUSED int timeout_ms,
                KilnGuestAnswer answered, gpointer data)
{
    g_autoptr(GError) failure = g_steal_pointer(&guest->list->failure);

    g_string_append_printf(guest->list->calls, "%s ", method);
    g_free(guest->list->arguments);
    guest->list->arguments = arguments != NULL ? g_variant_print(arguments, FALSE) : NULL;
    if (arguments != NULL)
        g_variant_unref(g_variant_ref_sink(arguments));
    answered(guest, NULL, NULL, failure, data);
}

/* ---- The list ---- */

KilnGuestList *
fake_list_new(void)
{
    KilnGuestList *list = g_new0(KilnGuestList, 1);

    list->guests = g_ptr_array_new();
    list->calls = g_string_new(NULL);
    return list;
}

void
fake_list_fail(KilnGuestList *list, GError *error)
{
    list->failure = error;
}

char *
fake_list_calls(KilnGuestList *list)
{
    char *calls = g_strchomp(g_strdup(list->calls->str));

    g_string_truncate(list->calls, 0);
    return calls;
}

const char *
fake_list_arguments(const KilnGuestList *list)
{
    return list->arguments;
}

void
kiln_guest_list_observe(KilnGuestList *list, KilnGuestObserver observer, gpointer data)
{
    list->observer = observer;
    list->observer_data = data;
}

void
kiln_guest_tell(KilnGuest *guest, const KilnGuestNews *news)
{
    if (guest->list->observer != NULL)
        guest->list->observer(guest, news, guest->list->observer_data);
}

KilnGuest *
kiln_guest_list_by_name(KilnGuestList *list, const char *name)
{
    for (guint i = 0; i < list->guests->len; i++) {
        KilnGuest *guest = g_ptr_array_index(list->guests, i);

        if (strcmp(guest->name, name) == 0)
            return guest;
    }
    return NULL;
}

KilnGuest *
kiln_guest_list_by_uuid(KilnGuestList *list, const guint8 *uuid)
{
    for (guint i = 0; i < list->guests->len; i++) {
        KilnGuest *guest = g_ptr_array_index(list->guests, i);

        if (memcmp(guest->uuid, uuid, sizeof guest->uuid) == 0)
            return guest;
    }
    return NULL;
}

KilnGuest *
kiln_guest_list_by_id(KilnGuestList *list, int id)
{
    for (guint i = 0; i < list->guests->len; i++) {
        KilnGuest *guest = g_ptr_array_index(list->guests, i);

        if (guest->id == id)
            return guest;
    }
    return NULL;
}

guint
kiln_guest_list_count(const KilnGuestList *list, guint *active)
{
    *active = 0;
    for (guint i = 0; i < list->guests->len; i++)
        *active += kiln_guest_is_active(g_ptr_array_index(list->guests, i));
    return list->guests->len;
}

void
kiln_guest_list_foreach(KilnGuestList *list, void (*visit)(KilnGuest *guest, gpointer data),
                        gpointer data)
{
    for (guint i = 0; i < list->guests->len; i++)
        visit(g_ptr_array_index(list->guests, i), data);
}

static KilnGuest *
find_or_add(KilnGuestList *list, const KilnDomain *domain)
{
    KilnGuest *guest = kiln_guest_list_by_name(list, domain->name);
    g_autofree char *digits = g_strdup(domain->uuid);
    char *to = digits;

    if (guest != NULL)
        return guest;
    guest = fake_keep(g_new0(KilnGuest, 1));
    guest->list = list;
    guest->name = g_strdup(domain->name);
    guest->id = -1;
    guest->state = VIR_DOMAIN_SHUTOFF;
    for (const char *from = domain->uuid; *from != '\0'; from++)
        if (*from != '-')
            *to++ = *from;
    for (guint i = 0; i < 16; i++)
        guest->uuid[i] = (guint8)(g_ascii_xdigit_value(digits[2 * i]) << 4 |
                                  g_ascii_xdigit_value(digits[2 * i + 1]));
    g_ptr_array_add(list->guests, guest);
    return guest;
}

void
kiln_guest_list_define(KilnGuestList *list, KilnDomain *domain, KilnGuestMade made, gpointer data)
{
    KilnGuest *guest;

    if (fails(list, NULL, made, data)) {
        kiln_domain_free(domain);
        return;
    }
    guest = find_or_add(list, domain);
    kiln_domain_free(guest->config);
    guest->config = domain;
    made(guest, NULL, data);
}

void
kiln_guest_list_create(KilnGuestList *list, KilnDomain *domain, unsigned flags, KilnGuestMade made,
                       gpointer data)
{
    KilnGuest *guest;

    if (fails(list, NULL, made, data)) {
        kiln_domain_free(domain);
        return;
    }
    guest = find_or_add(list, domain);
    run(guest, domain, flags);
    kiln_domain_free(domain);
    made(guest, NULL, data);
}
