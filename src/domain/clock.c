/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See clock.h. */
#include "domain/clock.h"

#include <string.h>

static const char *const offset_names[] = { NULL,       "utc",      "localtime",
                                            "timezone", "variable", "absolute" };
static const char *const basis_names[] = { NULL, "utc", "localtime" };
static const char *const timer_names[] = { NULL,  "platform", "pit",         "rtc",      "hpet",
                                           "tsc", "kvmclock", "hypervclock", "armvtimer" };
static const char *const tick_names[] = { NULL, "delay", "catchup", "merge", "discard" };
static const char *const track_names[] = { NULL, "boot", "guest", "wall", "realtime" };
static const char *const tsc_names[] = { NULL, "auto", "native", "emulate", "paravirt", "smpsafe" };

static const KilnField timer_fields[] = {
    KILN_FIELD_ENUM(KilnDomainTimer, name, "@name", timer_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnDomainTimer, present, "@present", YESNO),
    KILN_FIELD_ENUM(KilnDomainTimer, tickpolicy, "@tickpolicy", tick_names),
    KILN_FIELD_ENUM(KilnDomainTimer, track, "@track", track_names),
    KILN_FIELD_UINT(KilnDomainTimer, frequency_hz, "@frequency", 0, G_MAXUINT64),
    KILN_FIELD_ENUM(KilnDomainTimer, mode, "@mode", tsc_names),
    KILN_FIELD_UINT(KilnDomainTimer, catchup_threshold, "catchup@threshold", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnDomainTimer, catchup_slew, "catchup@slew", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnDomainTimer, catchup_limit, "catchup@limit", 0, G_MAXUINT32),
    KILN_FIELD_END,
};
static const KilnStruct timer_struct = { sizeof(KilnDomainTimer), timer_fields, NULL };

/* adjustment='reset', or a number of seconds */
static void
adjustment_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDomainClock *clock = member;
    const char *text = kiln_xml_take_attribute(node, "adjustment");

    if (text == NULL)
        return;
    clock->adjustment_reset = strcmp(text, "reset") == 0;
    clock->adjustment_s.set =
        !clock->adjustment_reset && g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64,
                                                             &clock->adjustment_s.value, NULL);
    if (!clock->adjustment_reset && !clock->adjustment_s.set)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "adjustment",
                       "'%s' is neither a number of seconds nor 'reset'", text);
}

static gboolean
adjustment_present(const void *member)
{
    const KilnDomainClock *clock = member;

    return clock->adjustment_reset || clock->adjustment_s.set;
}

static void
adjustment_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags)
{
    const KilnDomainClock *clock = member;

    if (clock->adjustment_reset)
        kiln_xml_attribute(writer, "adjustment", "reset");
    else
        kiln_xml_attribute_printf(writer, "adjustment", "%" G_GINT64_FORMAT,
                                  clock->adjustment_s.value);
}

static const KilnFieldOps adjustment_ops = {
    .parse = adjustment_parse,
    .present = adjustment_present,
    .format = adjustment_format,
};

static const KilnField clock_fields[] = {
    KILN_FIELD_ENUM(KilnDomainClock, offset, "@offset", offset_names),
    { .path = "", .kind = KILN_KIND_CUSTOM, .offset = 0, .ops = &adjustment_ops },
    KILN_FIELD_ENUM(KilnDomainClock, basis, "@basis", basis_names),
    KILN_FIELD_STRING(KilnDomainClock, timezone, "@timezone"),
    KILN_FIELD_UINT(KilnDomainClock, start_s, "@start", 0, G_MAXUINT64),
    KILN_FIELD_LIST(KilnDomainClock, timers, "timer", &timer_struct),
    KILN_FIELD_END,
};

static void
clock_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnDomainClock *clock = object;
    guint seen = 0;

    if (clock->offset == KILN_CLOCK_TIMEZONE && clock->timezone == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "timezone", "this attribute is missing");
    if (clock->offset == KILN_CLOCK_ABSOLUTE && !clock->start_s.set)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "start", "this attribute is missing");
    for (guint i = 0; i < clock->timers->len; i++) {
        const KilnDomainTimer *timer = g_ptr_array_index(clock->timers, i);

        if (timer->name != KILN_TIMER_ABSENT && (seen & 1u << timer->name) != 0)
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                           "the timer '%s' is given more than once", timer_names[timer->name]);
        seen |= 1u << timer->name;
    }
}

const KilnStruct kiln_clock_struct = { sizeof(KilnDomainClock), clock_fields, clock_check };

const KilnDomainTimer *
kiln_clock_timer(const KilnDomainClock *clock, KilnTimerName name)
{
    for (guint i = 0; i < clock->timers->len; i++) {
        const KilnDomainTimer *timer = g_ptr_array_index(clock->timers, i);

        if (timer->name == name)
            return timer;
    }
    return NULL;
}
