/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The RTC's calendar: seconds since 1970 to and from clock registers, and when the next alarm is.
 */
#ifndef KILN_DEVICE_RTC_TIME_H
#define KILN_DEVICE_RTC_TIME_H

#include <glib.h>
#include <stdint.h>

enum {
    KILN_RTC_SECONDS = 0x00,
    KILN_RTC_SECONDS_ALARM = 0x01,
    KILN_RTC_MINUTES = 0x02,
    KILN_RTC_MINUTES_ALARM = 0x03,
    KILN_RTC_HOURS = 0x04,
    KILN_RTC_HOURS_ALARM = 0x05,
    KILN_RTC_WEEKDAY = 0x06, /* 1 is Sunday */
    KILN_RTC_DAY = 0x07,
    KILN_RTC_MONTH = 0x08,
    KILN_RTC_YEAR = 0x09, /* of the century */
    KILN_RTC_REG_A = 0x0a,
    KILN_RTC_REG_B = 0x0b,
    KILN_RTC_REG_C = 0x0c,
    KILN_RTC_REG_D = 0x0d,
    KILN_RTC_CENTURY = 0x32,

    KILN_RTC_B_24_HOURS = 1 << 1,
    KILN_RTC_B_BINARY = 1 << 2,
};

#define KILN_RTC_LEAST_SECONDS INT64_C(-62167219200) /* 0000-01-01 00:00:00 */
#define KILN_RTC_MOST_SECONDS  INT64_C(253402300799) /* 9999-12-31 23:59:59 */

/**
 * kiln_rtc_time_store:
 * @cmos: 128 bytes: the clock's registers and the century are written
 * @seconds: since 1970-01-01 00:00:00; clamped to the years 0 to 9999
 * @format: register B, of which the 24-hour and binary bits count
 */
void kiln_rtc_time_store(uint8_t *cmos, int64_t seconds, uint8_t format);

/**
 * kiln_rtc_time_load:
 * @cmos: 128 bytes that a guest wrote: any values
 *
 * Returns: the seconds that the registers mean; what is out of its range is carried into the next
 *   larger unit.
 */
int64_t kiln_rtc_time_load(const uint8_t *cmos, uint8_t format);

/**
 * kiln_rtc_time_next_alarm:
 * @after: seconds since 1970
 *
 * Returns: the first second past @after at which the alarm registers match, or INT64_MAX if they
 *   never do.  Alarm bytes from 0xc0 on match everything (MC146818A, "Alarm").
 */
int64_t kiln_rtc_time_next_alarm(const uint8_t *cmos, int64_t after, uint8_t format);

#endif
