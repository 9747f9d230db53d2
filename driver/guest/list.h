/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All domains of the daemon: what /etc/libvirt/kiln defines and what runs, found again after a
 * restart of the daemon by the sockets of the processes.  Main thread.
 */
#ifndef KILN_GUEST_LIST_H
#define KILN_GUEST_LIST_H

#include "guest/guest.h"

/**
 * KilnGuestListOptions:
 * @config_dir: definitions, NAME.xml, and autostart/
 * @runtime_dir: sockets and what runs
 * @log_dir: NAME.log
 * @program: path of kiln
 * @user, @group: whom guests run as; -1: as the daemon (session)
 * @groups, @n_groups: supplementary ones (kvm)
 * @cgroups: whether each guest gets a cgroup (system)
 */
typedef struct {
    const char *config_dir;
    const char *runtime_dir;
    const char *log_dir;
    const char *program;
    uid_t user;
    gid_t group;
    const gid_t *groups;
    gsize n_groups;
    gboolean cgroups;
} KilnGuestListOptions;

/**
 * KilnGuestNews: something happened to a domain
 * @event_id: VIR_DOMAIN_EVENT_ID_*; the other fields are those which that event has
 * @type, @detail: of VIR_DOMAIN_EVENT_ID_LIFECYCLE; of others, the number that the event carries
 * @texts: (nullable): strings of the event, in its order (device alias, source, reason)
 * @numbers: numbers of the event, in its order (memory in KiB, offset in seconds)
 */
typedef struct {
    int event_id;
    int type;
    int detail;
    const char *texts[6];
    gint64 numbers[4];
} KilnGuestNews;

typedef void (*KilnGuestObserver)(KilnGuest *guest, const KilnGuestNews *news, gpointer data);

/**
 * kiln_guest_list_new:
 *
 * Loads the definitions: name and uuid of each; what is broken is logged and left alone.  Finds
 * what runs, and keeps watching for guests that others start (kiln run).
 */
KilnGuestList *kiln_guest_list_new(const KilnGuestListOptions *options, GError **error);

/* Guests run on. */
void kiln_guest_list_free(KilnGuestList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnGuestList, kiln_guest_list_free)

void kiln_guest_list_observe(KilnGuestList *list, KilnGuestObserver observer, gpointer data);

/* Tells the observers; for what is known elsewhere than in this room (metadata, devices). */
void kiln_guest_tell(KilnGuest *guest, const KilnGuestNews *news);

/* Starts what is to be started by itself, once in the host's life. */
void kiln_guest_list_autostart(KilnGuestList *list);

/* Returns: (transfer none) (nullable). */
KilnGuest *kiln_guest_list_by_name(KilnGuestList *list, const char *name);
KilnGuest *kiln_guest_list_by_uuid(KilnGuestList *list, const guint8 *uuid);
KilnGuest *kiln_guest_list_by_id(KilnGuestList *list, int id);

/* How many there are; how many run. */
guint kiln_guest_list_count(const KilnGuestList *list, guint *active);
/* @visit may not add or remove. */
void kiln_guest_list_foreach(KilnGuestList *list, void (*visit)(KilnGuest *guest, gpointer data),
                             gpointer data);

/**
 * KilnGuestMade:
 * @guest: (nullable): it is in the list; NULL if @error is set
 */
typedef void (*KilnGuestMade)(KilnGuest *guest, const GError *error, gpointer data);

/**
 * kiln_guest_list_define:
 * @domain: (transfer full): validated and assigned
 *
 * Adds a definition or replaces that of the same name and uuid; what runs meanwhile runs on as it
 * is. VIR_ERR_OPERATION_FAILED if name and uuid belong to different domains.
 */
void kiln_guest_list_define(KilnGuestList *list, KilnDomain *domain, KilnGuestMade made,
                            gpointer data);

/**
 * kiln_guest_list_create:
 * @domain: (transfer full): validated and assigned
 *
 * A transient domain, or a defined one started with another definition: as kiln_guest_start().
 */
void kiln_guest_list_create(KilnGuestList *list, KilnDomain *domain, unsigned flags,
                            KilnGuestMade made, gpointer data);

#endif
