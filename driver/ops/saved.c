/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Saved images, snapshots and checkpoints: there are none, which programs that list domains ask of
 * each.  What would make one is refused (refused.c).
 */
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>

static void
on_has_managed_save_image(KilnCall *call, gconstpointer data)
{
    const remote_domain_has_managed_save_image_args *args = data;
    remote_domain_has_managed_save_image_ret ret = { 0 };

    if (kiln_ops_check_flags(call, args->flags, 0) && kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

/* ---- Snapshots ---- */

enum {
    SNAPSHOT_LIST_FLAGS = VIR_DOMAIN_SNAPSHOT_LIST_ROOTS | VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS |
                          VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL | VIR_DOMAIN_SNAPSHOT_LIST_LEAVES |
                          VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES | VIR_DOMAIN_SNAPSHOT_LIST_METADATA |
                          VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA | VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE |
                          VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE | VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY |
                          VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL | VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL,
};

static void
on_snapshot_num(KilnCall *call, gconstpointer data)
{
    const remote_domain_snapshot_num_args *args = data;
    remote_domain_snapshot_num_ret ret = { 0 };

    if (kiln_ops_check_flags(call, args->flags, SNAPSHOT_LIST_FLAGS) &&
        kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_snapshot_list_names(KilnCall *call, gconstpointer data)
{
    const remote_domain_snapshot_list_names_args *args = data;
    remote_domain_snapshot_list_names_ret ret = { 0 };

    if (kiln_ops_check_flags(call, args->flags, SNAPSHOT_LIST_FLAGS) &&
        kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_list_all_snapshots(KilnCall *call, gconstpointer data)
{
    const remote_domain_list_all_snapshots_args *args = data;
    remote_domain_list_all_snapshots_ret ret = { 0 };

    if (kiln_ops_check_flags(call, args->flags, SNAPSHOT_LIST_FLAGS) &&
        kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_has_current_snapshot(KilnCall *call, gconstpointer data)
{
    const remote_domain_has_current_snapshot_args *args = data;
    remote_domain_has_current_snapshot_ret ret = { 0 };

    if (kiln_ops_check_flags(call, args->flags, 0) && kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_snapshot_current(KilnCall *call, gconstpointer data)
{
    const remote_domain_snapshot_current_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, 0) && kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN_SNAPSHOT,
                       "the domain does not have a current snapshot");
}

static void
on_snapshot_lookup(KilnCall *call, gconstpointer data)
{
    const remote_domain_snapshot_lookup_by_name_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, 0) && kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN_SNAPSHOT,
                       "no domain snapshot with matching name '%s'", args->name);
}

/* All calls about a snapshot begin with which one. */
static void
on_snapshot(KilnCall *call, gconstpointer data)
{
    const remote_nonnull_domain_snapshot *snapshot = data;

    if (kiln_ops_guest(call, &snapshot->dom) != NULL)
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN_SNAPSHOT,
                       "no domain snapshot with matching name '%s'", snapshot->name);
}

/* ---- Checkpoints ---- */

enum {
    CHECKPOINT_LIST_FLAGS =
        VIR_DOMAIN_CHECKPOINT_LIST_ROOTS | VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS |
        VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL | VIR_DOMAIN_CHECKPOINT_LIST_LEAVES |
        VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES,
};

static void
on_list_all_checkpoints(KilnCall *call, gconstpointer data)
{
    const remote_domain_list_all_checkpoints_args *args = data;
    remote_domain_list_all_checkpoints_ret ret = { 0 };

    if (kiln_ops_check_flags(call, args->flags, CHECKPOINT_LIST_FLAGS) &&
        kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

static void
on_checkpoint_lookup(KilnCall *call, gconstpointer data)
{
    const remote_domain_checkpoint_lookup_by_name_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, 0) && kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN_CHECKPOINT,
                       "no domain checkpoint with matching name '%s'", args->name);
}

static void
on_checkpoint(KilnCall *call, gconstpointer data)
{
    const remote_nonnull_domain_checkpoint *checkpoint = data;

    if (kiln_ops_guest(call, &checkpoint->dom) != NULL)
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN_CHECKPOINT,
                       "no domain checkpoint with matching name '%s'", checkpoint->name);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_HAS_MANAGED_SAVE_IMAGE, domain_has_managed_save_image, KILN_ACCESS_READ,
              on_has_managed_save_image),
    KILN_PROC(DOMAIN_SNAPSHOT_NUM, domain_snapshot_num, KILN_ACCESS_READ, on_snapshot_num),
    KILN_PROC(DOMAIN_SNAPSHOT_LIST_NAMES, domain_snapshot_list_names, KILN_ACCESS_READ,
              on_snapshot_list_names),
    KILN_PROC(DOMAIN_LIST_ALL_SNAPSHOTS, domain_list_all_snapshots, KILN_ACCESS_READ,
              on_list_all_snapshots),
    KILN_PROC(DOMAIN_HAS_CURRENT_SNAPSHOT, domain_has_current_snapshot, KILN_ACCESS_READ,
              on_has_current_snapshot),
    KILN_PROC(DOMAIN_SNAPSHOT_CURRENT, domain_snapshot_current, KILN_ACCESS_READ,
              on_snapshot_current),
    KILN_PROC(DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, domain_snapshot_lookup_by_name, KILN_ACCESS_READ,
              on_snapshot_lookup),
    KILN_PROC(DOMAIN_SNAPSHOT_GET_XML_DESC, domain_snapshot_get_xml_desc, KILN_ACCESS_READ,
              on_snapshot),
    KILN_PROC(DOMAIN_SNAPSHOT_GET_PARENT, domain_snapshot_get_parent, KILN_ACCESS_READ,
              on_snapshot),
    KILN_PROC(DOMAIN_SNAPSHOT_NUM_CHILDREN, domain_snapshot_num_children, KILN_ACCESS_READ,
              on_snapshot),
    KILN_PROC(DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES, domain_snapshot_list_children_names,
              KILN_ACCESS_READ, on_snapshot),
    KILN_PROC(DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN, domain_snapshot_list_all_children,
              KILN_ACCESS_READ, on_snapshot),
    KILN_PROC(DOMAIN_SNAPSHOT_IS_CURRENT, domain_snapshot_is_current, KILN_ACCESS_READ,
              on_snapshot),
    KILN_PROC(DOMAIN_SNAPSHOT_HAS_METADATA, domain_snapshot_has_metadata, KILN_ACCESS_READ,
              on_snapshot),
    KILN_PROC_ARGS(DOMAIN_REVERT_TO_SNAPSHOT, domain_revert_to_snapshot, KILN_ACCESS_WRITE,
                   on_snapshot),
    KILN_PROC_ARGS(DOMAIN_SNAPSHOT_DELETE, domain_snapshot_delete, KILN_ACCESS_WRITE, on_snapshot),
    KILN_PROC(DOMAIN_LIST_ALL_CHECKPOINTS, domain_list_all_checkpoints, KILN_ACCESS_READ,
              on_list_all_checkpoints),
    KILN_PROC(DOMAIN_CHECKPOINT_LOOKUP_BY_NAME, domain_checkpoint_lookup_by_name, KILN_ACCESS_READ,
              on_checkpoint_lookup),
    KILN_PROC(DOMAIN_CHECKPOINT_GET_XML_DESC, domain_checkpoint_get_xml_desc, KILN_ACCESS_READ,
              on_checkpoint),
    KILN_PROC(DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN, domain_checkpoint_list_all_children,
              KILN_ACCESS_READ, on_checkpoint),
    KILN_PROC(DOMAIN_CHECKPOINT_GET_PARENT, domain_checkpoint_get_parent, KILN_ACCESS_READ,
              on_checkpoint),
    KILN_PROC_ARGS(DOMAIN_CHECKPOINT_DELETE, domain_checkpoint_delete, KILN_ACCESS_WRITE,
                   on_checkpoint),
};

const KilnProcedureTable kiln_ops_saved = { rows, G_N_ELEMENTS(rows) };
