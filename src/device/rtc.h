/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real-time clock and its 128 bytes of CMOS memory, ports 0x70 and 0x71 (Motorola MC146818A
 * datasheet; ICH9 datasheet, 316972-004, §13.6): time of day, alarm, periodic and update-ended
 * interrupts on irq 8.  Bytes past 0x0e are what PC firmware expects there: memory sizes, century.
 *
 * The time is guest time from a base: paused guests lose time of day unless the machine sets it
 * anew.
 */
#ifndef KILN_DEVICE_RTC_H
#define KILN_DEVICE_RTC_H

#include "bus/device.h"
#include "bus/irq.h"
#include "bus/space.h"
#include "device/clock.h"

/**
 * KilnRtcOptions:
 * @irq: level, GSI 8
 * @seconds: the time of day to start from, as seconds since 1970-01-01 00:00:00 of the zone that
 * the guest sees: the host's UTC or local time plus what the definition adds
 * @memory_below_4g, @memory_above_4g: bytes of guest RAM on either side
 * @changed: (nullable): the guest set the clock: it is ahead of what it would have been from
 *   @seconds on by that many seconds now, in all.  Lock held
 */
typedef struct {
    KilnSpace *io;
    KilnClock *clock;
    KilnIrq irq;
    int64_t seconds;
    uint64_t memory_below_4g;
    uint64_t memory_above_4g;
    void (*changed)(void *opaque, int64_t offset_seconds);
    void *opaque;
} KilnRtcOptions;

/* Returns: (transfer full): mapped; NULL with @error set. */
KilnDevice *kiln_rtc_new(const KilnRtcOptions *options, GError **error);

/**
 * kiln_rtc_set_seconds:
 * @seconds: the time of day, as of KilnRtcOptions
 *
 * Sets the clock, as after a long pause; by what the guest had set it ahead it still is.  Any
 * thread, lock not held.
 */
void kiln_rtc_set_seconds(KilnDevice *rtc, int64_t seconds);

/* A byte of CMOS memory from 0x0e to 0x7f, as the machine wants the firmware to find it. */
void kiln_rtc_set_cmos(KilnDevice *rtc, uint8_t index, uint8_t value);

#endif
