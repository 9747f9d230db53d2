/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A SCSI logical unit: a disk (SPC-4, SBC-3) or a CD-ROM drive (MMC-6) on a chain of block layers.
 * The initiator port, virtio-scsi or ATAPI, is somebody else's:
 *
 *   CDB and buffers -> kiln_scsi_unit_submit() -> kiln_block_submit() … -> command->done
 *
 * A CDB, and what its buffers hold, is a stranger's: whatever it says ends in a status and sense
 * data.  The unit allocates for a command only while more are under way than ever were before, and
 * what UNMAP and WRITE SAME say while they are under way.
 *
 * Everything is called in the thread of the unit's context, the chain's too, unless said otherwise;
 * opening, closing and changing the medium is the main thread's, while nothing is under way.
 */
#ifndef KILN_DEVICE_SCSI_H
#define KILN_DEVICE_SCSI_H

#include <glib.h>
#include <stdint.h>
#include <sys/uio.h>

#include "block/block.h"
#include "device/disk-statistics.h"
#include "device/io-error.h"
#include "state/state.h"

enum {
    KILN_SCSI_CDB_BYTES = 32,   /* the longest that is understood */
    KILN_SCSI_SENSE_BYTES = 18, /* fixed format, SPC-4 §4.5.3 */
};

/* Status codes that a unit gives (SAM-5 §5.3.1). */
enum {
    KILN_SCSI_GOOD = 0x00,
    KILN_SCSI_CHECK_CONDITION = 0x02,
    KILN_SCSI_BUSY = 0x08,
    KILN_SCSI_RESERVATION_CONFLICT = 0x18,
};

typedef enum {
    KILN_SCSI_NO_DATA,
    KILN_SCSI_DATA_IN,  /* to the guest */
    KILN_SCSI_DATA_OUT, /* from the guest */
} KilnScsiDirection;

/**
 * KilnScsiOutcome:
 * @KILN_SCSI_DONE: the unit has answered: @status, and @sense with CHECK CONDITION
 * @KILN_SCSI_OVERRUN: the blocks that the CDB names are more than the buffers hold, or the buffers
 *   go the other way: nothing was done and there is no status
 * @KILN_SCSI_ABORTED: cancelled, or the unit was reset; there is no status
 * @KILN_SCSI_RETRY: it failed and the policy says STOP: the initiator keeps the command and submits
 *   it again, from its begin, when the machine goes on; there is no status
 */
typedef enum {
    KILN_SCSI_DONE,
    KILN_SCSI_OVERRUN,
    KILN_SCSI_ABORTED,
    KILN_SCSI_RETRY,
} KilnScsiOutcome;

typedef struct KilnScsiUnit KilnScsiUnit;
typedef struct KilnScsiCommand KilnScsiCommand;

/**
 * KilnScsiCommand:
 *
 * Embedded in the initiator's own request; it fills in the first half and leaves it alone until
 * @done, which may come before kiln_scsi_unit_submit() returns.  The unit may make one element of
 * @iov shorter meanwhile; it is as before at @done.
 */
struct KilnScsiCommand {
    uint8_t cdb[KILN_SCSI_CDB_BYTES]; /* zeroes behind what the guest gave */
    KilnScsiDirection direction;      /* of the buffers */
    struct iovec *iov;                /* guest memory: changes under the reader */
    unsigned n_iov;
    uint32_t length; /* bytes of them all */
    void (*done)(KilnScsiCommand *command);

    /* Answer. */
    KilnScsiOutcome outcome;
    uint8_t status;       /* KILN_SCSI_GOOD … */
    uint8_t sense_length; /* bytes; 0 unless CHECK CONDITION */
    uint8_t sense[KILN_SCSI_SENSE_BYTES];
    uint32_t residual; /* bytes of @length that were not read or written */

    /* The unit's own while it is under way. */
    struct KilnScsiTask *task;
};

typedef enum {
    KILN_SCSI_DISK,
    KILN_SCSI_CDROM,
} KilnScsiKind;

/**
 * KilnScsiTrayFunc:
 * @open: what the tray is now
 *
 * The guest has opened or closed the tray.  In the unit's thread; does not wait.
 */
typedef void (*KilnScsiTrayFunc)(void *opaque, gboolean open);

/**
 * KilnScsiAttentionFunc:
 *
 * There is a unit attention condition, or a media event, that the initiator has not asked for:
 * virtio-scsi has an event for it.  @asc, @ascq as in the sense data.  In any thread.
 */
typedef void (*KilnScsiAttentionFunc)(void *opaque, uint8_t asc, uint8_t ascq);

/**
 * KilnScsiUnitOptions:
 * @chain: (transfer full) (nullable): the medium; NULL: an empty drive, of a CD-ROM only
 * @context: (nullable): the chain's, and that of media to come
 * @kind: disk or CD-ROM
 * @atapi: the sense data of a failed command stay until the next one, for REQUEST SENSE; INQUIRY
 *   says that it is an ATAPI device
 * @vendor, @product, @version: (nullable): ASCII, at most 8, 16 and 4 bytes of them are shown;
 *   NULL: "KILN", "KILN HARDDISK" or "KILN CD-ROM", and a version
 * @serial: (nullable): at most 36 bytes are shown (VPD page 80h)
 * @id: (nullable): what identifies it where there is no @serial (VPD page 83h): "drive-scsi0-0-0-0"
 * @wwn: NAA identifier (VPD page 83h); 0 is none
 * @logical_size, @physical_size: bytes, powers of 2; 0 is what suits the chain, 2048 of a CD-ROM
 * @rotation_rate: as in VPD page B1h: 0 unknown, 1 not rotating, else rpm
 * @read_only: writes are refused, whatever the chain would take; a CD-ROM always is
 * @removable: the RMB bit; a CD-ROM always is
 * @write_back: starts with a volatile write cache; see virtio-blk.h
 * @discard: UNMAP and WRITE SAME with UNMAP reach the chain
 * @read_policy, @write_policy: on errors; flush, unmap and write same are writes
 * @io_error, @tray_moved, @attention: (nullable): each with @opaque
 */
typedef struct {
    KilnBlock *chain;
    GMainContext *context;
    KilnScsiKind kind;
    gboolean atapi;
    const char *vendor;
    const char *product;
    const char *version;
    const char *serial;
    const char *id;
    uint64_t wwn;
    uint32_t logical_size;
    uint32_t physical_size;
    uint16_t rotation_rate;
    gboolean read_only;
    gboolean removable;
    gboolean write_back;
    gboolean discard;
    KilnIoErrorPolicy read_policy;
    KilnIoErrorPolicy write_policy;
    KilnIoErrorFunc io_error;
    KilnScsiTrayFunc tray_moved;
    KilnScsiAttentionFunc attention;
    void *opaque;
} KilnScsiUnitOptions;

/**
 * kiln_scsi_unit_new:
 *
 * Returns: (transfer full): the unit, with a unit attention for its power-on; NULL with @error set
 *   (sizes that do not fit the chain) and the chain freed.  Main thread.
 */
KilnScsiUnit *kiln_scsi_unit_new(const KilnScsiUnitOptions *options, GError **error);

/* Nothing is under way.  Frees the chain.  Main thread. */
void kiln_scsi_unit_free(KilnScsiUnit *unit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnScsiUnit, kiln_scsi_unit_free)

/* Whom to tell, where the unit was made before its initiator.  At set-up. */
void kiln_scsi_unit_set_attention(KilnScsiUnit *unit, KilnScsiAttentionFunc attention,
                                  void *opaque);

/* Runs @command; how it went is in it at @done.  Any number may be under way. */
void kiln_scsi_unit_submit(KilnScsiUnit *unit, KilnScsiCommand *command);

/**
 * kiln_scsi_unit_expect:
 * @cdb: KILN_SCSI_CDB_BYTES, zeroes behind what the guest gave
 * @direction: set to which way its data go
 *
 * What a CDB asks for: its blocks, its allocation or its parameter list length.  For an initiator
 * that must know before it has the buffers (ATAPI by PIO) or refuses those that are too short
 * (virtio 1.2 §5.6.6.1).  Of what the unit does not know it is 0.
 *
 * Returns: bytes; more than 32 bits can say if the CDB is a fool's.
 */
uint64_t kiln_scsi_unit_expect(const KilnScsiUnit *unit, const uint8_t *cdb,
                               KilnScsiDirection *direction);

/**
 * kiln_scsi_unit_cancel:
 * @command: under way
 *
 * Its @done comes with ABORTED: now or, since the host's part of it cannot be called back, later.
 */
void kiln_scsi_unit_cancel(KilnScsiUnit *unit, KilnScsiCommand *command);

/**
 * kiln_scsi_unit_reset:
 * @attention: leave a unit attention behind (LOGICAL UNIT RESET, bus reset); FALSE: the board is
 *   reset, and all is as after power-on
 *
 * Cancels all that is under way; mode pages and the tray's lock are as after power-on.  The medium
 * stays, the tray stays where it is.
 */
void kiln_scsi_unit_reset(KilnScsiUnit *unit, gboolean attention);

/* Commands under way. */
unsigned kiln_scsi_unit_in_flight(const KilnScsiUnit *unit);

/* ---- The medium.  Main thread, nothing is under way ---- */

/**
 * kiln_scsi_unit_set_medium:
 * @chain: (transfer full) (nullable): NULL: the drive is empty afterwards
 * @force: also if the guest has locked the tray
 *
 * Of a CD-ROM: opens the tray, changes what lies in it and closes it.  The old chain is freed.  A
 * guest that has locked the tray is told that somebody wants to eject (GET EVENT STATUS
 * NOTIFICATION), and may open it.
 *
 * Returns: TRUE; FALSE with @error set (locked: KILN_ERROR_STATE; sizes), @chain freed and the
 *   medium as it was.
 */
gboolean kiln_scsi_unit_set_medium(KilnScsiUnit *unit, KilnBlock *chain, gboolean force,
                                   GError **error);

/* The chain has another length, which it got while nothing was under way: a unit attention. */
void kiln_scsi_unit_resized(KilnScsiUnit *unit);

/* ---- What is asked about it ---- */

/* (nullable): the medium, also while the tray is open.  Borrowed.  Main thread. */
KilnBlock *kiln_scsi_unit_chain(KilnScsiUnit *unit);

KilnScsiKind kiln_scsi_unit_kind(const KilnScsiUnit *unit);

/* Any thread. */
gboolean kiln_scsi_unit_tray_open(const KilnScsiUnit *unit);
gboolean kiln_scsi_unit_tray_locked(const KilnScsiUnit *unit);
void kiln_scsi_unit_statistics(KilnScsiUnit *unit, KilnDiskStatistics *statistics);

/* Of a KilnScsiUnit, for KILN_STATE_POINTER or an entry; nothing is under way. */
extern const KilnStateDescription kiln_scsi_unit_state;

#endif
