/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What several families of calls need of a definition, or of a change to it. */
#ifndef KILN_OPS_USAGE_H
#define KILN_OPS_USAGE_H

#include "base/statistics.h"
#include "ops/driver.h"

/* vCPUs that a guest starts with, and that it may have. */
guint kiln_ops_vcpus(const KilnDomain *domain);
guint kiln_ops_max_vcpus(const KilnDomain *domain);

/* Bytes of memory that a guest is to have by its balloon. */
guint64 kiln_ops_memory(const KilnDomain *domain);

/* KiB of the host's memory that process @pid takes up; 0 if that cannot be told. */
guint64 kiln_ops_rss(pid_t pid);

/* Returns: (nullable): the published value of that name in @entries (of kiln_guest_statistics). */
const KilnStatistic *kiln_ops_statistic(GArray *entries, const char *name);

/* The count of that name, 0 if there is none. */
guint64 kiln_ops_count(GArray *entries, const char *name);

/* How many things are published one by one, of which @name says the number: what the process says,
 * but no more than it published at all. */
guint kiln_ops_how_many(GArray *entries, const char *name);

/**
 * KilnOpsView: the definition that a call asks about
 * @domain: borrowed: what runs, or @owned
 */
typedef struct {
    const KilnDomain *domain;
    KilnDomain *owned; /* (owned) (nullable) */
    gboolean live;
} KilnOpsView;

/**
 * kiln_ops_view:
 * @flags: VIR_DOMAIN_AFFECT_*, others are ignored
 *
 * Returns: TRUE, or FALSE after ending the call: a domain that does not run has nothing live, a
 *   transient one no definition, and both together are VIR_ERR_INVALID_ARG.
 */
gboolean kiln_ops_view(KilnCall *call, KilnGuest *guest, unsigned flags, KilnOpsView *view);
void kiln_ops_view_clear(KilnOpsView *view);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnOpsView, kiln_ops_view_clear)

/**
 * kiln_ops_edit:
 * @edit: as of kiln_guest_edit(); the arguments of the call are there still
 *
 * Changes the definition and ends the call.
 */
void kiln_ops_edit(KilnCall *call, KilnGuest *guest, KilnGuestEdit edit, gconstpointer data);

/* As kiln_ops_edit() if @config, else ends the call: what there was to do is done. */
void kiln_ops_edit_if(gboolean config, KilnCall *call, KilnGuest *guest, KilnGuestEdit edit,
                      gconstpointer data);

/* Ends the call with VIR_ERR_OPERATION_UNSUPPORTED: @what can't be done to a guest that runs. */
void kiln_ops_refuse_live(KilnCall *call, const char *what);

#endif
