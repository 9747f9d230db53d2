/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <clock> and its timers. */
#ifndef KILN_DOMAIN_CLOCK_H
#define KILN_DOMAIN_CLOCK_H

#include "domain/fields.h"

typedef enum {
    KILN_CLOCK_ABSENT, /* utc */
    KILN_CLOCK_UTC,
    KILN_CLOCK_LOCALTIME,
    KILN_CLOCK_TIMEZONE,
    KILN_CLOCK_VARIABLE,
    KILN_CLOCK_ABSOLUTE,
} KilnClockOffset;

typedef enum {
    KILN_CLOCK_BASIS_ABSENT, /* utc */
    KILN_CLOCK_BASIS_UTC,
    KILN_CLOCK_BASIS_LOCALTIME,
} KilnClockBasis;

typedef enum {
    KILN_TIMER_ABSENT,
    KILN_TIMER_PLATFORM,
    KILN_TIMER_PIT,
    KILN_TIMER_RTC,
    KILN_TIMER_HPET,
    KILN_TIMER_TSC,
    KILN_TIMER_KVMCLOCK,
    KILN_TIMER_HYPERVCLOCK,
    KILN_TIMER_ARMVTIMER,
} KilnTimerName;

typedef enum {
    KILN_TICK_ABSENT,
    KILN_TICK_DELAY,
    KILN_TICK_CATCHUP,
    KILN_TICK_MERGE,
    KILN_TICK_DISCARD,
} KilnTickPolicy;

typedef enum {
    KILN_TRACK_ABSENT,
    KILN_TRACK_BOOT,
    KILN_TRACK_GUEST,
    KILN_TRACK_WALL,
    KILN_TRACK_REALTIME,
} KilnTimerTrack;

typedef enum {
    KILN_TSC_ABSENT, /* auto */
    KILN_TSC_AUTO,
    KILN_TSC_NATIVE,
    KILN_TSC_EMULATE,
    KILN_TSC_PARAVIRT,
    KILN_TSC_SMPSAFE,
} KilnTscMode;

typedef struct {
    KilnTimerName name;
    KilnSwitch present;
    KilnTickPolicy tickpolicy;
    KilnTimerTrack track;
    KilnUint frequency_hz; /* of the TSC */
    KilnTscMode mode;
    KilnUint catchup_threshold, catchup_slew, catchup_limit;
} KilnDomainTimer;

typedef struct {
    KilnClockOffset offset;
    gboolean adjustment_reset; /* utc, localtime: adjustment='reset' */
    KilnInt adjustment_s;
    KilnClockBasis basis;
    char *timezone;    /* (owned) (nullable) */
    KilnUint start_s;  /* absolute: seconds since 1970 UTC */
    GPtrArray *timers; /* (owned) of KilnDomainTimer, each name once */
} KilnDomainClock;

extern const KilnStruct kiln_clock_struct;

/**
 * kiln_clock_timer:
 * Returns: (nullable): the timer called @name, owned by @clock.
 */
const KilnDomainTimer *kiln_clock_timer(const KilnDomainClock *clock, KilnTimerName name);

#endif
