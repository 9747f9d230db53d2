/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of a SCSI unit share.  A command finds its row in the table (scsi-command.c), its
 * handler ends in one of scsi_good(), scsi_check(), scsi_reply(), or in a way through the chain
 * (scsi-task.c) that does.
 */
#ifndef KILN_DEVICE_SCSI_PRIVATE_H
#define KILN_DEVICE_SCSI_PRIVATE_H

#include "device/scsi.h"

#include "base/be.h"

typedef struct KilnScsiTask ScsiTask;

/* Sense key, additional sense code and qualifier (SPC-4 §4.5.6, annex F.2). */
typedef struct {
    uint8_t key, asc, ascq;
} ScsiSense;

enum {
    SCSI_NO_SENSE = 0x0,
    SCSI_NOT_READY = 0x2,
    SCSI_ILLEGAL_REQUEST = 0x5,
    SCSI_UNIT_ATTENTION = 0x6,
    SCSI_DATA_PROTECT = 0x7,
    SCSI_ABORTED_COMMAND = 0xb,
};

#define SENSE_NONE               ((ScsiSense){ SCSI_NO_SENSE, 0x00, 0x00 })
#define SENSE_NO_MEDIUM          ((ScsiSense){ SCSI_NOT_READY, 0x3a, 0x01 })
#define SENSE_TRAY_OPEN          ((ScsiSense){ SCSI_NOT_READY, 0x3a, 0x02 })
#define SENSE_EMPTY_LOCKED       ((ScsiSense){ SCSI_NOT_READY, 0x53, 0x02 })
#define SENSE_PARAMETER_LENGTH   ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x1a, 0x00 })
#define SENSE_INVALID_OPCODE     ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x20, 0x00 })
#define SENSE_LBA_RANGE          ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x21, 0x00 })
#define SENSE_INVALID_FIELD      ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x24, 0x00 })
#define SENSE_INVALID_PARAMETER  ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x26, 0x00 })
#define SENSE_INCOMPATIBLE       ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x30, 0x00 })
#define SENSE_SAVING_UNSUPPORTED ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x39, 0x00 })
#define SENSE_REMOVAL_PREVENTED  ((ScsiSense){ SCSI_ILLEGAL_REQUEST, 0x53, 0x02 })
#define SENSE_WRITE_PROTECTED    ((ScsiSense){ SCSI_DATA_PROTECT, 0x27, 0x00 })
#define SENSE_NO_SPACE           ((ScsiSense){ SCSI_DATA_PROTECT, 0x27, 0x07 })
#define SENSE_IO                 ((ScsiSense){ SCSI_ABORTED_COMMAND, 0x00, 0x06 })

/* Additional sense codes of unit attentions: << 8 | qualifier. */
enum {
    SCSI_UA_NONE = 0,
    SCSI_UA_MEDIUM_CHANGED = 0x2800,
    SCSI_UA_POWER_ON = 0x2901, /* power on, occurred */
    SCSI_UA_RESET = 0x2903,    /* bus device reset function occurred */
    SCSI_UA_MODE_CHANGED = 0x2a01,
    SCSI_UA_CAPACITY_CHANGED = 0x2a09,
    SCSI_UA_NO_MEDIUM = 0x3a00,
};

/* What GET EVENT STATUS NOTIFICATION has to tell of the medium (MMC-6 §6.6.2.6). */
enum {
    SCSI_MEDIA_NO_CHANGE = 0,
    SCSI_MEDIA_EJECT_REQUEST = 1,
    SCSI_MEDIA_NEW = 2,
    SCSI_MEDIA_REMOVAL = 3,
};

enum {
    SCSI_CD_BLOCK = 2048,
    SCSI_MAX_UNMAP_SEGMENTS = 255,
    SCSI_UNMAP_SEGMENT_BYTES = 16,
    SCSI_REPLY_BYTES = 2112, /* the longest is a DVD structure of 2052 */
};

/* What a chain may be asked for at once; more is done in steps. */
#define SCSI_MAX_STEP_BYTES (UINT64_C(1) << 30)

/* From submit to done.  In the unit's list while under way, else among the free ones. */
struct KilnScsiTask {
    KilnBlockRequest block;
    KilnScsiUnit *unit;
    KilnScsiCommand *command;
    ScsiTask *next, *previous; /* (nullable) */
    KilnDiskCounter *counter;  /* (nullable): of what goes through the chain */
    uint64_t start_ns;
    uint64_t bytes;           /* for statistics */
    uint32_t transferred;     /* bytes of the command's buffers, if all goes well */
    gboolean cancelled;       /* ends when the chain gives it back */
    struct iovec *cut, uncut; /* (nullable): a buffer that was cut, and as it was */
    /* (nullable): submits what comes next.  Returns: FALSE if there is nothing. */
    gboolean (*step)(ScsiTask *task);
    gboolean submitting; /* a step is: what comes back meanwhile is seen to after it … */
    gboolean returned;   /* … and this says that it did */
    int result;          /* of the chain */
    uint64_t at, left;   /* bytes: what a WRITE SAME has yet to do */
    unsigned n_segments, i_segment; /* UNMAP */
    uint8_t *segments;              /* (owned) (nullable): SCSI_MAX_UNMAP_SEGMENTS, as they came */
    uint8_t *pattern;               /* (owned) (nullable): of a WRITE SAME */
    struct iovec pattern_iov;
    /* then the layers' scratch */
};

struct KilnScsiUnit {
    KilnBlock *chain; /* (owned) (nullable) */
    KilnScsiKind kind;
    gboolean atapi;
    gboolean removable;
    gboolean forbid_writes; /* by the options */
    gboolean read_only;     /* by them, the kind or the medium */
    gboolean discard;
    gboolean initial_cache;
    uint32_t block_size;    /* bytes, logical */
    uint32_t physical_size; /* bytes */
    uint16_t rotation_rate;
    uint64_t wwn;
    char vendor[8], product[16], version[4]; /* filled with spaces, no NUL */
    char serial[37];
    char id[61];
    KilnIoErrorPolicy read_policy, write_policy;
    KilnIoErrorFunc io_error;        /* (nullable) */
    KilnScsiTrayFunc tray_moved;     /* (nullable) */
    void *opaque;                    /* of those two */
    KilnScsiAttentionFunc attention; /* (nullable) */
    void *attention_opaque;
    KilnDiskStatistics statistics; /* each member (atomic), one writer */

    uint64_t blocks;         /* (atomic): of the medium; 0 without */
    uint32_t unit_attention; /* SCSI_UA_…, one at a time */
    uint8_t media_event;     /* SCSI_MEDIA_… that nobody has asked for yet */
    gboolean tray_open;      /* (atomic) */
    gboolean tray_locked;    /* (atomic) */
    gboolean write_cache;
    ScsiSense kept; /* ATAPI: of the last command */

    ScsiTask *under_way; /* (owned) (nullable) */
    ScsiTask *free;      /* (owned) (nullable) */
    unsigned in_flight;  /* of @under_way */
    uint8_t reply[SCSI_REPLY_BYTES];
};

/* ---- scsi-command.c ---- */

/* Does what the CDB of @task asks for. */
void scsi_execute(ScsiTask *task);

/* Logical block address and number of blocks, by the CDB's group. */
void scsi_range(const uint8_t *cdb, uint64_t *lba, uint64_t *n_blocks);

/* ---- scsi-task.c ---- */

/* Ends: each calls the command's done, last. */
void scsi_good(ScsiTask *task);
void scsi_check(ScsiTask *task, ScsiSense sense);
void scsi_finish(ScsiTask *task, KilnScsiOutcome outcome);

/* Ends with the first @length bytes of the unit's reply, cut to @allocated and to the buffers. */
void scsi_reply(ScsiTask *task, uint32_t length, uint64_t allocated);

/* The first @length bytes of the command's buffers, copied once.  Returns: bytes there were. */
uint32_t scsi_gather(const ScsiTask *task, void *to, uint32_t length);

/* The first @length bytes of the buffers become those of the task's request; they are there. */
void scsi_use_buffers(ScsiTask *task, uint32_t length);

/* Submits the task's request, whose op, flags and buffers are set; counts it as one of that op. */
void scsi_submit(ScsiTask *task, uint64_t offset, uint64_t length);

/* Takes the steps of a task, from the first on. */
void scsi_take_steps(ScsiTask *task);

/* Fixed format.  @sense: KILN_SCSI_SENSE_BYTES. */
void scsi_put_sense(uint8_t *bytes, ScsiSense sense);

ScsiTask *scsi_task_take(KilnScsiUnit *unit, KilnScsiCommand *command);
void scsi_tasks_free(KilnScsiUnit *unit);

/* ---- scsi.c ---- */

/* Leaves a unit attention behind unless a weightier one is there. */
void scsi_attention(KilnScsiUnit *unit, unsigned code);
void scsi_move_tray(KilnScsiUnit *unit, gboolean open);
uint64_t scsi_blocks(const KilnScsiUnit *unit);
gboolean scsi_has_medium(const KilnScsiUnit *unit);

/* ---- Handlers; the unit's reply is all zeroes when they are called ---- */

typedef void ScsiHandler(ScsiTask *task);

ScsiHandler scsi_inquiry, scsi_mode_sense, scsi_mode_select; /* scsi-inquiry.c, scsi-mode.c */
ScsiHandler scsi_read, scsi_write, scsi_verify, scsi_seek;   /* scsi-block.c */
ScsiHandler scsi_flush, scsi_unmap, scsi_write_same;
ScsiHandler scsi_read_capacity_10, scsi_read_capacity_16;
ScsiHandler scsi_start_stop, scsi_prevent_removal; /* scsi-mmc.c */
ScsiHandler scsi_read_toc, scsi_get_configuration, scsi_get_event, scsi_read_disc_information;
ScsiHandler scsi_mechanism_status, scsi_read_cd, scsi_read_disc_structure;

/* The page of MMC-3 §E.3.3 that tells what the drive can.  Returns: bytes. */
unsigned scsi_cd_capabilities(const KilnScsiUnit *unit, uint8_t *page);

#endif
