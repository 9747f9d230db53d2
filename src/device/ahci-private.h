/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the AHCI controller share; see ahci.h.  Names are those of AHCI 1.3.1. */
#ifndef KILN_DEVICE_AHCI_PRIVATE_H
#define KILN_DEVICE_AHCI_PRIVATE_H

#include "bus/msi-vector.h"
#include "device/ahci.h"
#include "loop/event.h"

enum { AHCI_N_SLOTS = 32 };

/* PxCMD (§3.3.7). */
enum {
    PXCMD_ST = 1 << 0,
    PXCMD_SUD = 1 << 1,
    PXCMD_POD = 1 << 2,
    PXCMD_CLO = 1 << 3,
    PXCMD_FRE = 1 << 4,
    PXCMD_CCS_SHIFT = 8,
    PXCMD_CCS = 0x1f << PXCMD_CCS_SHIFT,
    PXCMD_FR = 1 << 14,
    PXCMD_CR = 1 << 15,
};

/* PxIS (§3.3.5). */
#define PXIS_DHRS (UINT32_C(1) << 0)  /* Register Device to Host FIS */
#define PXIS_PSS  (UINT32_C(1) << 1)  /* PIO Setup FIS */
#define PXIS_SDBS (UINT32_C(1) << 3)  /* Set Device Bits FIS */
#define PXIS_DPS  (UINT32_C(1) << 5)  /* a PRD that asks for it is done */
#define PXIS_PCS  (UINT32_C(1) << 6)  /* as PxSERR.DIAG.X says */
#define PXIS_OFS  (UINT32_C(1) << 24) /* more data than the PRDs take */
#define PXIS_IFS  (UINT32_C(1) << 27) /* a FIS that cannot be sent */
#define PXIS_HBFS (UINT32_C(1) << 29) /* a pointer that leads nowhere */
#define PXIS_TFES (UINT32_C(1) << 30) /* the drive says ERR */

#define PXSERR_DIAG_X (UINT32_C(1) << 26) /* a drive has come, or come back */

typedef struct AhciHba AhciHba;
typedef struct AhciPort AhciPort;

/* A command under way, or about to be; the drive's thread's. */
typedef struct {
    KilnAtaRequest ata;
    AhciPort *port;
    unsigned index;
    KilnGpa header;      /* of its command header */
    KilnGpa table;       /* of its command table */
    uint32_t n_prds;     /* entries of the PRDT … */
    uint32_t prd;        /* … the next that is needed … */
    uint32_t prd_offset; /* … and bytes into it */
    gboolean fault;      /* a PRD's buffer is no memory */
    gboolean prd_done;   /* one that asks for an interrupt was used */
    struct iovec *iov;   /* then the layers' scratch */
} AhciSlot;

/* All under the function's lock, but for what the drive's thread owns. */
struct AhciPort {
    AhciHba *hba;
    unsigned index;
    KilnAtaDrive *drive; /* (not owned) (nullable) */
    KilnEvent kick;      /* the drive's thread has something to look at */
    GSource *source;     /* (owned) (nullable): of @kick */
    uint8_t *pool;       /* (owned) (nullable): AHCI_N_SLOTS slots of @stride bytes */
    size_t stride;       /* bytes */

    uint64_t clb, fb; /* guest addresses of command list and received FISes */
    uint32_t is, ie, cmd, sig, sctl, serr, sact, ci;
    uint8_t status, error; /* PxTFD */
    uint32_t accepted;     /* slots of queued commands that are not in @ci any more */
    gboolean halted;       /* by an error: until PxCMD.ST is cleared */
    gboolean unsigned_;    /* the drive's signature has not been received yet */
    gboolean soft_reset;   /* SRST is set */

    uint32_t running; /* slots that the drive's thread has */
    uint32_t kept;    /* slots that failed and wait for the machine to go on */
    gboolean alone;   /* one of those is not queued: no other may be begun */
    gboolean stopping;
    gboolean resetting;
};

struct AhciHba {
    KilnPciDevice pci; /* its lock guards all */
    KilnMemory *memory;
    KilnMsiVector msi;
    AhciPort ports[KILN_AHCI_N_PORTS];
    uint32_t ghc, is;
    gboolean resetting;
    gboolean quiesced;
    KilnCond idle; /* a port has nothing under way any more */
};

/* ahci.c.  Lock held. */
void ahci_raise(AhciPort *port, uint32_t bits);
void ahci_settle(AhciPort *port);
uint32_t ahci_port_status(const AhciPort *port);

/* ahci-port.c. */
gboolean ahci_port_open(AhciPort *port, GError **error);
void ahci_port_close(AhciPort *port);
/* Lock held. */
void ahci_port_kick(AhciPort *port);
void ahci_port_receive_signature(AhciPort *port);

/* ahci-prdt.c: a KilnAtaFillFunc. */
int64_t ahci_fill(KilnAtaRequest *request, uint64_t wanted, uint32_t granule);
enum { AHCI_MAX_IOV = 258 }; /* 256 buffers of 2 bytes are a sector; two may cross a border */

#endif
