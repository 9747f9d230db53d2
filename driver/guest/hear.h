/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest's process says, in libvirt's words: states, reasons, events. */
#ifndef KILN_GUEST_HEAR_H
#define KILN_GUEST_HEAR_H

#include "guest/run.h"

/* @state, @reason: org.kiln.VM1's.  The first ones of an adopted process are no news. */
void kiln_hear_state(KilnRun *run, const char *state, const char *reason);

/* A signal of org.kiln.VM1; one that is not known, or not of its type, is nothing. */
void kiln_hear_signal(KilnRun *run, const char *name, GVariant *arguments);

#endif
