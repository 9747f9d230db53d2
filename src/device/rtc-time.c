/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See rtc-time.h.  The calendar is the proleptic Gregorian one. */
#include "device/rtc-time.h"

enum {
    SECONDS_PER_DAY = 86400,
    DAYS_PER_ERA = 146097, /* 400 years */
    EPOCH_DAYS = 719468,   /* from 0000-03-01 to 1970-01-01 */
    ALARM_ANY = 0xc0,
    HOURS_PM = 0x80,
};

static uint8_t
encode(unsigned value, uint8_t format)
{
    return (uint8_t)(format & KILN_RTC_B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned
decode(uint8_t byte, uint8_t format)
{
    return format & KILN_RTC_B_BINARY ? byte : (byte >> 4) * 10U + (byte & 0xf);
}

static uint8_t
encode_hours(unsigned hours, uint8_t format)
{
    if (format & KILN_RTC_B_24_HOURS)
        return encode(hours, format);
    return (uint8_t)(encode(hours % 12 == 0 ? 12 : hours % 12, format) |
                     (hours >= 12 ? HOURS_PM : 0));
}

static unsigned
decode_hours(uint8_t byte, uint8_t format)
{
    if (format & KILN_RTC_B_24_HOURS)
        return decode(byte, format);
    return decode(byte & 0x7f, format) % 12 + (byte & HOURS_PM ? 12 : 0);
}

/* Days from 1970-01-01; years begin in March, so that the leap day is the last one. */
static int64_t
days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;

    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_PER_ERA + day_of_era - EPOCH_DAYS;
}

static void
date_from_days(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    days += EPOCH_DAYS;

    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    unsigned day_of_era = (unsigned)(days - era * DAYS_PER_ERA);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (unsigned)(era * 400 + year_of_era + (*month <= 2));
}

void
kiln_rtc_time_store(uint8_t *cmos, int64_t seconds, uint8_t format)
{
    unsigned year, month, day;

    seconds = CLAMP(seconds, KILN_RTC_LEAST_SECONDS, KILN_RTC_MOST_SECONDS);

    int64_t days = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
    unsigned second = (unsigned)(seconds - days * SECONDS_PER_DAY);

    date_from_days(days, &year, &month, &day);
    cmos[KILN_RTC_SECONDS] = encode(second % 60, format);
    cmos[KILN_RTC_MINUTES] = encode(second / 60 % 60, format);
    cmos[KILN_RTC_HOURS] = encode_hours(second / 3600, format);
    cmos[KILN_RTC_WEEKDAY] = encode((unsigned)(((days + 4) % 7 + 7) % 7) + 1, format);
    cmos[KILN_RTC_DAY] = encode(day, format);
    cmos[KILN_RTC_MONTH] = encode(month, format);
    cmos[KILN_RTC_YEAR] = encode(year % 100, format);
    cmos[KILN_RTC_CENTURY] = encode(year / 100, format);
}

int64_t
kiln_rtc_time_load(const uint8_t *cmos, uint8_t format)
{
    unsigned month = decode(cmos[KILN_RTC_MONTH], format);
    unsigned year =
        decode(cmos[KILN_RTC_CENTURY], format) * 100 + decode(cmos[KILN_RTC_YEAR], format);
    unsigned day = decode(cmos[KILN_RTC_DAY], format);

    month = CLAMP(month, 1, 12);
    day = MAX(day, 1);

    int64_t seconds = days_from_date(year, month, day) * SECONDS_PER_DAY +
                      decode_hours(cmos[KILN_RTC_HOURS], format) * INT64_C(3600) +
                      decode(cmos[KILN_RTC_MINUTES], format) * INT64_C(60) +
                      decode(cmos[KILN_RTC_SECONDS], format);

    return CLAMP(seconds, KILN_RTC_LEAST_SECONDS, KILN_RTC_MOST_SECONDS);
}

/* Whether @byte of the alarm matches a @value; the caller decodes hours. */
static gboolean
matches(uint8_t byte, unsigned decoded, unsigned value)
{
    return byte >= ALARM_ANY || decoded == value;
}

int64_t
kiln_rtc_time_next_alarm(const uint8_t *cmos, int64_t after, uint8_t format)
{
    uint8_t hour_byte = cmos[KILN_RTC_HOURS_ALARM];
    uint8_t minute_byte = cmos[KILN_RTC_MINUTES_ALARM];
    uint8_t second_byte = cmos[KILN_RTC_SECONDS_ALARM];
    unsigned hour = decode_hours(hour_byte, format);
    unsigned minute = decode(minute_byte, format);
    unsigned second = decode(second_byte, format);
    int64_t at = after + 1;

    /* At most to the next day: 24 hours, 60 minutes and 60 seconds are looked at. */
    for (unsigned i = 0; i < 24 + 60 + 60 + 3; i++) {
        unsigned of_day = (unsigned)((at % SECONDS_PER_DAY + SECONDS_PER_DAY) % SECONDS_PER_DAY);

        if (!matches(hour_byte, hour, of_day / 3600))
            at += 3600 - of_day % 3600;
        else if (!matches(minute_byte, minute, of_day / 60 % 60))
            at += 60 - of_day % 60;
        else if (!matches(second_byte, second, of_day % 60))
            at++;
        else
            return at;
    }
    return INT64_MAX;
}
