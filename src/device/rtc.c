/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See rtc.h.  Nothing ticks: flags are found when somebody looks, from how many edges have passed
 * since the last time, and a timer is armed only for an interrupt that is enabled and not pending.
 *
 *   time of day = base_seconds + (guest time - base_ns)
 */
#include "device/rtc.h"

#include <string.h>

#include "device/rtc-time.h"

enum {
    PORT_INDEX = 0x70,
    CMOS_BYTES = 128,

    A_UPDATING = 1 << 7,
    A_DIVIDER = 0x70,
    A_DIVIDER_RUNS = 0x20,  /* the 32.768 kHz crystal */
    A_DIVIDER_RESET = 0x60, /* and 0x70 */
    A_RATE = 0x0f,
    A_RESET = 0x26, /* 1024 Hz, as PC firmware leaves it */

    B_SET = 1 << 7,
    B_PERIODIC = 1 << 6, /* the same bits are flags in register C */
    B_ALARM = 1 << 5,
    B_UPDATE = 1 << 4,
    B_SQUARE_WAVE = 1 << 3,
    C_ANY = 1 << 7,
    FLAGS = B_PERIODIC | B_ALARM | B_UPDATE,

    D_VALID = 1 << 7, /* the battery is good */

    CRYSTAL_HZ = 32768,
    UPDATING_NS = 244000, /* UIP is up that long before an update: MC146818A, "Update cycle" */

    /* What PC firmware keeps in the memory after the clock. */
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_MEMORY = 0x15,     /* KiB */
    CMOS_EXTENDED_MEMORY = 0x17, /* KiB above 1 MiB, at most 65535 */
    CMOS_EXTENDED_MEMORY_2 = 0x30,
    CMOS_MEMORY_ABOVE_16M = 0x34, /* 64 KiB */
    CMOS_MEMORY_ABOVE_4G = 0x5b,  /* 64 KiB, 3 bytes */
    EQUIPMENT_FPU = 1 << 1,
    EQUIPMENT_MOUSE = 1 << 2,
};

#define HALF_SECOND_NS (KILN_NS_PER_SECOND / 2)
#define MOST_AHEAD     (4 * KILN_RTC_MOST_SECONDS) /* from one end of the calendar to the other */

typedef struct {
    KilnDevice device;
    KilnRtcOptions options;
    KilnRegion region;
    KilnIrqOutput irq;
    KilnClockTimer timer;
    uint8_t cmos[CMOS_BYTES]; /* the clock's registers only while it stands still */
    uint8_t index;
    int64_t base_seconds; /* time of day at base_ns */
    uint64_t base_ns;
    int64_t origin_seconds; /* what the time of day would be at guest time 0, were it never set */
    int64_t ahead_seconds;  /* what the guest made of that by setting it */
    int64_t seen_second;    /* flags are known up to this second of base_seconds' count */
    uint64_t seen_edge;     /* and up to this edge of the periodic interrupt */
} Rtc;

/* Whether the time stands still, for the guest to set it. */
static gboolean
is_held(const Rtc *rtc)
{
    return (rtc->cmos[KILN_RTC_REG_B] & B_SET) ||
           (rtc->cmos[KILN_RTC_REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static uint64_t
since_base(const Rtc *rtc)
{
    uint64_t now = kiln_clock_now(rtc->options.clock);

    return now > rtc->base_ns ? now - rtc->base_ns : 0;
}

static int64_t
time_of_day(const Rtc *rtc)
{
    return rtc->base_seconds + (int64_t)(since_base(rtc) / KILN_NS_PER_SECOND);
}

/* Crystal ticks between two periodic edges; 0 if there are none.  MC146818A table 5. */
static uint32_t
periodic_ticks(const Rtc *rtc)
{
    unsigned rate = rtc->cmos[KILN_RTC_REG_A] & A_RATE;

    if (rate == 0 || (rtc->cmos[KILN_RTC_REG_A] & A_DIVIDER) != A_DIVIDER_RUNS)
        return 0;
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t
periodic_edge(const Rtc *rtc)
{
    uint32_t ticks = periodic_ticks(rtc);

    return ticks == 0
               ? 0
               : kiln_clock_ns_to_ticks(kiln_clock_now(rtc->options.clock), CRYSTAL_HZ) / ticks;
}

/* Nothing that came before counts: after changes of time or rate. */
static void
forget_past(Rtc *rtc)
{
    rtc->seen_second = time_of_day(rtc);
    rtc->seen_edge = periodic_edge(rtc);
}

/* Sets the flags of what has happened since the last look. */
static void
catch_up(Rtc *rtc)
{
    uint8_t *flags = &rtc->cmos[KILN_RTC_REG_C];
    uint64_t edge = periodic_edge(rtc);

    if (edge != rtc->seen_edge)
        *flags |= B_PERIODIC;
    rtc->seen_edge = edge;
    if (is_held(rtc))
        return;

    int64_t second = time_of_day(rtc);

    if (second == rtc->seen_second)
        return;
    *flags |= B_UPDATE;
    if (kiln_rtc_time_next_alarm(rtc->cmos, rtc->seen_second, rtc->cmos[KILN_RTC_REG_B]) <= second)
        *flags |= B_ALARM;
    rtc->seen_second = second;
}

static uint64_t
second_to_ns(const Rtc *rtc, int64_t second)
{
    return rtc->base_ns + (uint64_t)(second - rtc->base_seconds) * KILN_NS_PER_SECOND;
}

/* The interrupt line, and the timer for the next flag that would raise it. */
static void
update(Rtc *rtc)
{
    uint8_t b = rtc->cmos[KILN_RTC_REG_B];
    uint8_t pending = rtc->cmos[KILN_RTC_REG_C] & FLAGS;
    uint8_t awaited = b & FLAGS & ~pending;
    uint64_t next = UINT64_MAX;

    kiln_irq_output_set(&rtc->irq, (b & pending) != 0);
    if ((awaited & B_PERIODIC) && periodic_ticks(rtc) != 0)
        next = kiln_clock_ticks_to_ns((rtc->seen_edge + 1) * periodic_ticks(rtc), CRYSTAL_HZ);
    if (!is_held(rtc) && (awaited & B_UPDATE))
        next = MIN(next, second_to_ns(rtc, rtc->seen_second + 1));
    if (!is_held(rtc) && (awaited & B_ALARM)) {
        int64_t alarm = kiln_rtc_time_next_alarm(rtc->cmos, rtc->seen_second, b);

        if (alarm != INT64_MAX)
            next = MIN(next, second_to_ns(rtc, alarm));
    }
    if (next == UINT64_MAX || (b & pending) != 0)
        kiln_clock_timer_cancel(&rtc->timer);
    else
        kiln_clock_timer_arm(&rtc->timer, next);
}

static void
timer_fired(void *opaque)
{
    Rtc *rtc = opaque;
    KILN_LOCK_SCOPE(&rtc->device.lock);

    catch_up(rtc);
    update(rtc);
}

static gboolean
is_time_register(unsigned index)
{
    return (index <= KILN_RTC_YEAR && index != KILN_RTC_SECONDS_ALARM &&
            index != KILN_RTC_MINUTES_ALARM && index != KILN_RTC_HOURS_ALARM) ||
           index == KILN_RTC_CENTURY;
}

static void
refresh_registers(Rtc *rtc)
{
    kiln_rtc_time_store(rtc->cmos, time_of_day(rtc), rtc->cmos[KILN_RTC_REG_B]);
}

/* The time goes on from what the registers say, @phase_ns into that second. */
static void
run_from_registers(Rtc *rtc, uint64_t phase_ns)
{
    uint64_t now = kiln_clock_now(rtc->options.clock);
    int64_t before = rtc->origin_seconds + (int64_t)(now / KILN_NS_PER_SECOND);

    rtc->base_seconds = kiln_rtc_time_load(rtc->cmos, rtc->cmos[KILN_RTC_REG_B]);
    rtc->base_ns = now - MIN(now, phase_ns);
    rtc->ahead_seconds = rtc->base_seconds - before;
    forget_past(rtc);
    if (rtc->options.changed != NULL)
        rtc->options.changed(rtc->options.opaque, rtc->ahead_seconds);
}

static void
write_a(Rtc *rtc, uint8_t value)
{
    uint8_t before = rtc->cmos[KILN_RTC_REG_A];
    gboolean was_held = is_held(rtc);

    if (!was_held)
        refresh_registers(rtc);
    rtc->cmos[KILN_RTC_REG_A] = value & (uint8_t)~A_UPDATING;
    /* The first update comes half a second after the divider is let go: "Divider control". */
    if (was_held && !is_held(rtc))
        run_from_registers(rtc, HALF_SECOND_NS);
    if ((before ^ value) & (A_DIVIDER | A_RATE))
        rtc->seen_edge = periodic_edge(rtc);
}

static void
write_b(Rtc *rtc, uint8_t value)
{
    gboolean was_held = is_held(rtc);
    uint64_t phase_ns = since_base(rtc) % KILN_NS_PER_SECOND;

    if (!was_held)
        refresh_registers(rtc); /* in the old format, which a change of it does not convert */
    if (value & B_SET)
        value &= (uint8_t)~B_UPDATE;

    uint8_t format = KILN_RTC_B_24_HOURS | KILN_RTC_B_BINARY;
    gboolean reformatted = ((value ^ rtc->cmos[KILN_RTC_REG_B]) & format) != 0;

    rtc->cmos[KILN_RTC_REG_B] = value;
    if (!is_held(rtc) && (was_held || reformatted))
        run_from_registers(rtc, phase_ns);
}

static uint64_t
rtc_read(void *opaque, uint64_t offset, unsigned size)
{
    Rtc *rtc = opaque;
    uint8_t index = rtc->index;
    uint8_t value;

    if (offset == 0)
        return 0xff; /* the index cannot be read: ICH9 §13.6.1 */
    catch_up(rtc);
    if (is_time_register(index) && !is_held(rtc))
        refresh_registers(rtc);
    value = rtc->cmos[index];
    switch (index) {
    case KILN_RTC_REG_A:
        if (!is_held(rtc) &&
            since_base(rtc) % KILN_NS_PER_SECOND >= KILN_NS_PER_SECOND - UPDATING_NS)
            value |= A_UPDATING;
        break;
    case KILN_RTC_REG_C:
        value &= FLAGS;
        if (value & rtc->cmos[KILN_RTC_REG_B])
            value |= C_ANY;
        rtc->cmos[KILN_RTC_REG_C] = 0;
        break;
    case KILN_RTC_REG_D: return D_VALID;
    default: return value;
    }
    update(rtc);
    return value;
}

static void
rtc_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Rtc *rtc = opaque;
    uint8_t value = (uint8_t)data;

    if (offset == 0) {
        rtc->index = value & (CMOS_BYTES - 1); /* bit 7 masks NMI, of which there are none */
        return;
    }
    catch_up(rtc);
    switch (rtc->index) {
    case KILN_RTC_REG_A: write_a(rtc, value); break;
    case KILN_RTC_REG_B: write_b(rtc, value); break;
    case KILN_RTC_REG_C:
    case KILN_RTC_REG_D: return; /* read-only */
    default:
        if (!is_time_register(rtc->index)) {
            rtc->cmos[rtc->index] = value;
        } else if (is_held(rtc)) {
            rtc->cmos[rtc->index] = value;
            return;
        } else {
            refresh_registers(rtc);
            rtc->cmos[rtc->index] = value;
            run_from_registers(rtc, since_base(rtc) % KILN_NS_PER_SECOND);
        }
        break;
    }
    update(rtc);
}

static const KilnRegionOps rtc_region = { .read = rtc_read, .write = rtc_write, .max_access = 1 };

static void
store_le(uint8_t *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static void
fill_memory_sizes(Rtc *rtc)
{
    uint64_t below = rtc->options.memory_below_4g;
    uint64_t above_1m = below > 0x100000 ? (below - 0x100000) >> 10 : 0;
    uint64_t above_16m = below > 0x1000000 ? (below - 0x1000000) >> 16 : 0;

    store_le(rtc->cmos + CMOS_BASE_MEMORY, 640, 2);
    store_le(rtc->cmos + CMOS_EXTENDED_MEMORY, MIN(above_1m, UINT16_MAX), 2);
    store_le(rtc->cmos + CMOS_EXTENDED_MEMORY_2, MIN(above_1m, UINT16_MAX), 2);
    store_le(rtc->cmos + CMOS_MEMORY_ABOVE_16M, MIN(above_16m, UINT16_MAX), 2);
    store_le(rtc->cmos + CMOS_MEMORY_ABOVE_4G, MIN(rtc->options.memory_above_4g >> 16, 0xffffff),
             3);
    rtc->cmos[CMOS_EQUIPMENT] = EQUIPMENT_FPU | EQUIPMENT_MOUSE;
}

/* The battery keeps time and memory; what a reset clears is in MC146818A, "RESET". */
static void
rtc_reset(KilnDevice *device)
{
    Rtc *rtc = (Rtc *)device;

    catch_up(rtc);
    rtc->cmos[KILN_RTC_REG_B] &= (uint8_t) ~(FLAGS | B_SQUARE_WAVE);
    rtc->cmos[KILN_RTC_REG_C] = 0;
    rtc->index = 0;
    update(rtc);
}

static void
rtc_free(KilnDevice *device)
{
    Rtc *rtc = (Rtc *)device;

    kiln_space_remove(rtc->options.io, &rtc->region);
    kiln_clock_timer_clear(&rtc->timer);
    kiln_device_clear(device);
    g_free(rtc);
}

static gboolean
rtc_post_load(void *object, GError **error)
{
    Rtc *rtc = object;
    uint64_t now = kiln_clock_now(rtc->options.clock);

    rtc->base_ns = MIN(rtc->base_ns, now);
    rtc->cmos[KILN_RTC_REG_A] &= (uint8_t)~A_UPDATING;
    rtc->seen_second = CLAMP(rtc->seen_second, rtc->base_seconds, time_of_day(rtc));
    rtc->seen_edge = MIN(rtc->seen_edge, periodic_edge(rtc));
    update(rtc);
    return TRUE;
}

static const KilnStateField rtc_fields[] = {
    KILN_STATE_BYTES(Rtc, cmos, 1),
    KILN_STATE_RANGE(Rtc, index, 1, 0, CMOS_BYTES - 1),
    KILN_STATE_RANGE(Rtc, base_seconds, 1, KILN_RTC_LEAST_SECONDS, KILN_RTC_MOST_SECONDS),
    KILN_STATE(Rtc, base_ns, 1),
    KILN_STATE_RANGE(Rtc, origin_seconds, 1, 2 * KILN_RTC_LEAST_SECONDS, 2 * KILN_RTC_MOST_SECONDS),
    KILN_STATE(Rtc, seen_second, 1),
    KILN_STATE(Rtc, seen_edge, 1),
    KILN_STATE_RANGE(Rtc, ahead_seconds, 2, -MOST_AHEAD, MOST_AHEAD),
    KILN_STATE_END,
};

static const KilnStateDescription rtc_state = {
    .name = "rtc",
    .version = 2,
    .min_version = 1,
    .fields = rtc_fields,
    .post_load = rtc_post_load,
};

static const KilnDeviceOps rtc_ops = {
    .name = "rtc", .reset = rtc_reset, .free = rtc_free, .state = &rtc_state
};

/* Lock held, or nobody else knows @rtc. */
static void
set_seconds(Rtc *rtc, int64_t seconds)
{
    uint64_t now = kiln_clock_now(rtc->options.clock);

    seconds = CLAMP(seconds, KILN_RTC_LEAST_SECONDS, KILN_RTC_MOST_SECONDS);
    rtc->base_seconds =
        CLAMP(seconds + rtc->ahead_seconds, KILN_RTC_LEAST_SECONDS, KILN_RTC_MOST_SECONDS);
    rtc->base_ns = now;
    rtc->origin_seconds = seconds - (int64_t)(now / KILN_NS_PER_SECOND);
    forget_past(rtc);
    if (!is_held(rtc)) /* else the guest is about to set them */
        refresh_registers(rtc);
}

KilnDevice *
kiln_rtc_new(const KilnRtcOptions *options, GError **error)
{
    Rtc *rtc = g_new0(Rtc, 1);

    kiln_device_init(&rtc->device, &rtc_ops, "rtc");
    rtc->options = *options;
    rtc->irq = KILN_IRQ_OUTPUT(options->irq);
    kiln_region_init(&rtc->region, &rtc->device, &rtc_region, 2);
    kiln_clock_timer_init(&rtc->timer, options->clock, timer_fired, rtc);
    rtc->cmos[KILN_RTC_REG_A] = A_RESET;
    rtc->cmos[KILN_RTC_REG_B] = KILN_RTC_B_24_HOURS;
    set_seconds(rtc, options->seconds);
    fill_memory_sizes(rtc);
    if (!kiln_space_add(options->io, &rtc->region, PORT_INDEX, error)) {
        rtc_free(&rtc->device);
        return NULL;
    }
    return &rtc->device;
}

void
kiln_rtc_set_seconds(KilnDevice *device, int64_t seconds)
{
    Rtc *rtc = (Rtc *)device;
    KILN_LOCK_SCOPE(&device->lock);

    set_seconds(rtc, seconds);
    update(rtc);
}

void
kiln_rtc_set_cmos(KilnDevice *device, uint8_t index, uint8_t value)
{
    Rtc *rtc = (Rtc *)device;
    KILN_LOCK_SCOPE(&device->lock);

    g_return_if_fail(index > KILN_RTC_REG_D && index < CMOS_BYTES && index != KILN_RTC_CENTURY);
    rtc->cmos[index] = value;
}
