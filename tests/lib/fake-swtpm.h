/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stand-in for swtpm in a thread: answers its control commands, and TPM commands by their own
 * bytes (tag 0x8001, the command's size, code 0, then what followed the command's header).  It can
 * be told to misbehave.
 */
#ifndef KILN_TEST_FAKE_SWTPM_H
#define KILN_TEST_FAKE_SWTPM_H

#include <glib.h>
#include <stdint.h>

typedef struct KilnFakeSwtpm KilnFakeSwtpm;

typedef enum {
    KILN_FAKE_SWTPM_GOOD,
    KILN_FAKE_SWTPM_OLD,       /* has none of the capabilities */
    KILN_FAKE_SWTPM_DIES,      /* at the first TPM command */
    KILN_FAKE_SWTPM_HUGE,      /* says that its response has 4 GiB */
    KILN_FAKE_SWTPM_TINY,      /* says that its response has 3 bytes */
    KILN_FAKE_SWTPM_HUGE_BLOB, /* its state has 4 GiB */
    KILN_FAKE_SWTPM_WAITS,     /* answers a TPM command when it is cancelled */
    KILN_FAKE_SWTPM_REFUSES,   /* INIT fails */
} KilnFakeSwtpmKind;

/* @control_fd: (out): what swtpm's user has; the caller's. */
KilnFakeSwtpm *kiln_fake_swtpm_new(KilnFakeSwtpmKind kind, int *control_fd);

/* After its user has hung up. */
void kiln_fake_swtpm_free(KilnFakeSwtpm *fake);

/* How often each happened; after or while it runs. */
unsigned kiln_fake_swtpm_inits(KilnFakeSwtpm *fake);
unsigned kiln_fake_swtpm_commands(KilnFakeSwtpm *fake);
unsigned kiln_fake_swtpm_locality(KilnFakeSwtpm *fake); /* the last that was set */
unsigned kiln_fake_swtpm_shutdowns(KilnFakeSwtpm *fake);

#endif
