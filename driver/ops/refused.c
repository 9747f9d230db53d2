/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the VMM cannot do yet, or never will: each call with its reason. */
#include "ops/tables.h"

static const char no_save[] = "guests cannot be saved yet";
static const char no_snapshots[] = "there are no snapshots yet";
static const char no_checkpoints[] = "there are no checkpoints yet";
static const char no_backup[] = "there are no backup jobs yet";
static const char no_migration[] = "guests cannot be migrated yet";
static const char no_dump[] = "a guest's memory cannot be dumped yet";
static const char no_jobs[] = "there are no block jobs yet";
static const char no_perf[] = "there are no perf events of guests";
static const char no_secrets[] = "guests are not encrypted: there is no launch security";
static const char no_signals[] = "a process inside a guest is that guest's own affair";
static const char no_files[] = "kiln gives no descriptors of a client's to a guest";

#define REFUSED(UPPER, why) KILN_PROC_REFUSED(UPPER, KILN_ACCESS_WRITE, why)

static const KilnProcedure rows[] = {
    REFUSED(DOMAIN_SAVE, no_save),
    REFUSED(DOMAIN_SAVE_FLAGS, no_save),
    REFUSED(DOMAIN_SAVE_PARAMS, no_save),
    REFUSED(DOMAIN_RESTORE, no_save),
    REFUSED(DOMAIN_RESTORE_FLAGS, no_save),
    REFUSED(DOMAIN_RESTORE_PARAMS, no_save),
    REFUSED(DOMAIN_SAVE_IMAGE_GET_XML_DESC, no_save),
    REFUSED(DOMAIN_SAVE_IMAGE_DEFINE_XML, no_save),
    REFUSED(DOMAIN_MANAGED_SAVE, no_save),
    REFUSED(DOMAIN_MANAGED_SAVE_REMOVE, no_save),
    KILN_PROC_REFUSED(DOMAIN_MANAGED_SAVE_GET_XML_DESC, KILN_ACCESS_READ, no_save),
    REFUSED(DOMAIN_MANAGED_SAVE_DEFINE_XML, no_save),

    REFUSED(DOMAIN_SNAPSHOT_CREATE_XML, no_snapshots),
    REFUSED(DOMAIN_CHECKPOINT_CREATE_XML, no_checkpoints),
    REFUSED(DOMAIN_BACKUP_BEGIN, no_backup),
    KILN_PROC_REFUSED(DOMAIN_BACKUP_GET_XML_DESC, KILN_ACCESS_READ, no_backup),

    REFUSED(DOMAIN_MIGRATE_PREPARE, no_migration),
    REFUSED(DOMAIN_MIGRATE_PERFORM, no_migration),
    REFUSED(DOMAIN_MIGRATE_FINISH, no_migration),
    REFUSED(DOMAIN_MIGRATE_PREPARE2, no_migration),
    REFUSED(DOMAIN_MIGRATE_FINISH2, no_migration),
    REFUSED(DOMAIN_MIGRATE_PREPARE_TUNNEL, no_migration),
    REFUSED(DOMAIN_MIGRATE_BEGIN3, no_migration),
    REFUSED(DOMAIN_MIGRATE_PREPARE3, no_migration),
    REFUSED(DOMAIN_MIGRATE_PREPARE_TUNNEL3, no_migration),
    REFUSED(DOMAIN_MIGRATE_PERFORM3, no_migration),
    REFUSED(DOMAIN_MIGRATE_FINISH3, no_migration),
    REFUSED(DOMAIN_MIGRATE_CONFIRM3, no_migration),
    REFUSED(DOMAIN_MIGRATE_BEGIN3_PARAMS, no_migration),
    REFUSED(DOMAIN_MIGRATE_PREPARE3_PARAMS, no_migration),
    REFUSED(DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, no_migration),
    REFUSED(DOMAIN_MIGRATE_PERFORM3_PARAMS, no_migration),
    REFUSED(DOMAIN_MIGRATE_FINISH3_PARAMS, no_migration),
    REFUSED(DOMAIN_MIGRATE_CONFIRM3_PARAMS, no_migration),
    REFUSED(DOMAIN_MIGRATE_SET_MAX_DOWNTIME, no_migration),
    KILN_PROC_REFUSED(DOMAIN_MIGRATE_GET_MAX_DOWNTIME, KILN_ACCESS_READ, no_migration),
    REFUSED(DOMAIN_MIGRATE_SET_MAX_SPEED, no_migration),
    REFUSED(DOMAIN_MIGRATE_GET_MAX_SPEED, no_migration),
    KILN_PROC_REFUSED(DOMAIN_MIGRATE_GET_COMPRESSION_CACHE, KILN_ACCESS_READ, no_migration),
    REFUSED(DOMAIN_MIGRATE_SET_COMPRESSION_CACHE, no_migration),
    REFUSED(DOMAIN_MIGRATE_START_POST_COPY, no_migration),
    REFUSED(DOMAIN_START_DIRTY_RATE_CALC, no_migration),

    REFUSED(DOMAIN_CORE_DUMP, no_dump),
    REFUSED(DOMAIN_CORE_DUMP_WITH_FORMAT, no_dump),

    REFUSED(DOMAIN_BLOCK_JOB_ABORT, no_jobs),
    REFUSED(DOMAIN_BLOCK_JOB_SET_SPEED, no_jobs),
    REFUSED(DOMAIN_BLOCK_PULL, no_jobs),
    REFUSED(DOMAIN_BLOCK_REBASE, no_jobs),
    REFUSED(DOMAIN_BLOCK_COMMIT, no_jobs),
    REFUSED(DOMAIN_BLOCK_COPY, no_jobs),

    KILN_PROC_REFUSED(DOMAIN_GET_PERF_EVENTS, KILN_ACCESS_READ, no_perf),
    REFUSED(DOMAIN_SET_PERF_EVENTS, no_perf),
    REFUSED(DOMAIN_GET_LAUNCH_SECURITY_INFO, no_secrets),
    REFUSED(DOMAIN_SET_LAUNCH_SECURITY_STATE, no_secrets),

    REFUSED(DOMAIN_SEND_PROCESS_SIGNAL, no_signals),
    REFUSED(DOMAIN_FD_ASSOCIATE, no_files),
};

const KilnProcedureTable kiln_ops_refused = { rows, G_N_ELEMENTS(rows) };
