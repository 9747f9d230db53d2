/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See hpet.h; section numbers are those of IA-PC HPET 1.0a. */
#include "device/hpet.h"

enum {
    N_TIMERS = 3,
    TICK_NS = 10,
    PERIOD_FS = 10000000, /* a tick in femtoseconds */

    CAPABILITIES = 0x000, /* §2.3.4 */
    CONFIG = 0x010,
    STATUS = 0x020,
    COUNTER = 0x0f0,
    TIMERS = 0x100,
    TIMER_BYTES = 0x20,
    TIMER_CONFIG = 0x00,
    TIMER_COMPARATOR = 0x08,

    CAPABILITIES_LOW = 0x8086u << 16 | 1 << 15 | 1 << 13 | (N_TIMERS - 1) << 8 | 1,

    CONFIG_ENABLED = 1 << 0,
    CONFIG_LEGACY = 1 << 1,

    TIMER_LEVEL = 1 << 1, /* §2.3.8 */
    TIMER_INTERRUPT = 1 << 2,
    TIMER_PERIODIC = 1 << 3,
    TIMER_CAN_PERIODIC = 1 << 4,
    TIMER_64 = 1 << 5,
    TIMER_SET_VALUE = 1 << 6,
    TIMER_32 = 1 << 8,
    TIMER_ROUTE_SHIFT = 9,
    TIMER_ROUTE = 0x1f << TIMER_ROUTE_SHIFT,
    TIMER_WRITABLE = TIMER_LEVEL | TIMER_INTERRUPT | TIMER_PERIODIC | TIMER_32 | TIMER_ROUTE,
    ROUTES = 1 << 2 | 1 << 8, /* lines that timers can have */

    SHORTEST_TICKS = 100 * 1000 / TICK_NS, /* of a period: 100 us, so that the clock's thread has
                                            * time for others */
};

typedef struct {
    uint64_t config;     /* writable bits, and TIMER_SET_VALUE while it holds */
    uint64_t comparator; /* as the guest reads it */
    uint64_t period;     /* ticks, of a periodic one */
    uint64_t due;        /* tick of the counter when it fires, of 64 bits; meaningful while armed */
    gboolean armed;
} Timer;

typedef struct {
    KilnDevice device;
    KilnHpetOptions options;
    KilnRegion region;
    KilnClockTimer clock_timer; /* for whichever is due first */
    uint64_t config;
    uint64_t status;
    uint64_t counter; /* while halted; else what it was at @since_ns */
    uint64_t since_ns;
    Timer timers[N_TIMERS];
} Hpet;

/* ---- time --------------------------------------------------------------------------------------
 */

static uint64_t
ticks_now(const Hpet *hpet)
{
    if (!(hpet->config & CONFIG_ENABLED))
        return hpet->counter;
    return hpet->counter + (kiln_clock_now(hpet->options.clock) - hpet->since_ns) / TICK_NS;
}

static uint64_t
width_mask(const Timer *timer)
{
    return timer->config & TIMER_32 ? UINT32_MAX : UINT64_MAX;
}

static gboolean
can_be_periodic(unsigned n)
{
    return n == 0;
}

/* The clock is set for the first that is due. */
static void
arm(Hpet *hpet)
{
    uint64_t now = ticks_now(hpet), first = UINT64_MAX;

    for (unsigned i = 0; i < N_TIMERS; i++) {
        const Timer *timer = &hpet->timers[i];

        if (timer->armed && (timer->config & TIMER_INTERRUPT))
            first = MIN(first, timer->due > now ? timer->due - now : 0);
    }
    if (first >= INT64_MAX / TICK_NS || !(hpet->config & CONFIG_ENABLED))
        kiln_clock_timer_cancel(&hpet->clock_timer);
    else
        kiln_clock_timer_arm(&hpet->clock_timer,
                             kiln_clock_now(hpet->options.clock) + first * TICK_NS);
}

/* When the counter next equals the comparator. */
static void
schedule(Hpet *hpet, Timer *timer)
{
    uint64_t now = ticks_now(hpet), mask = width_mask(timer);

    timer->due = now + ((timer->comparator - now) & mask);
    timer->armed = timer->due >= now; /* else after the counter's end, which nobody lives to see */
}

static const KilnIrq *
line_of(const Hpet *hpet, unsigned n)
{
    unsigned route = (unsigned)(hpet->timers[n].config & TIMER_ROUTE) >> TIMER_ROUTE_SHIFT;

    if ((hpet->config & CONFIG_LEGACY) && n < 2)
        return n == 0 ? &hpet->options.irq0 : &hpet->options.irq8;
    if (route == 2)
        return &hpet->options.irq2;
    return route == 8 ? &hpet->options.irq8 : NULL;
}

static gboolean
is_level(const Hpet *hpet, unsigned n)
{
    return (hpet->timers[n].config & TIMER_LEVEL) != 0;
}

/* A level stays until its status bit is cleared, an edge is over at once. */
static void
interrupt(Hpet *hpet, unsigned n)
{
    const KilnIrq *line = line_of(hpet, n);

    if (is_level(hpet, n))
        hpet->status |= UINT64_C(1) << n;
    if (!(hpet->timers[n].config & TIMER_INTERRUPT) || line == NULL)
        return;
    kiln_irq_set(line, TRUE);
    if (!is_level(hpet, n))
        kiln_irq_set(line, FALSE);
}

static void
lower(Hpet *hpet, unsigned n)
{
    const KilnIrq *line = line_of(hpet, n);

    if (line != NULL)
        kiln_irq_set(line, FALSE);
}

static void
fire(Hpet *hpet, unsigned n, uint64_t now)
{
    Timer *timer = &hpet->timers[n];

    interrupt(hpet, n);
    if (!(timer->config & TIMER_PERIODIC) || timer->period == 0) {
        timer->armed = FALSE;
        /* Of 32 bits it comes again when the counter has gone round; rounds missed are missed. */
        if (timer->config & TIMER_32) {
            timer->due += (((now - timer->due) >> 32) + 1) << 32;
            timer->armed = timer->due > now; /* else it has wrapped */
        }
        return;
    }
    /* Ticks that were missed are missed. */
    timer->due += timer->period * ((now - timer->due) / timer->period + 1);
    timer->comparator = timer->due & width_mask(timer);
    timer->armed = timer->due > now; /* else it has wrapped: nobody lives to see it */
}

static void
clock_fired(void *opaque)
{
    Hpet *hpet = opaque;
    KILN_LOCK_SCOPE(&hpet->device.lock);
    uint64_t now = ticks_now(hpet);

    if (!(hpet->config & CONFIG_ENABLED))
        return;
    for (unsigned i = 0; i < N_TIMERS; i++) {
        const Timer *timer = &hpet->timers[i];

        if (timer->armed && timer->due <= now && (timer->config & TIMER_INTERRUPT))
            fire(hpet, i, now);
    }
    arm(hpet);
}

/* ---- registers: accesses of 4 or 8 bytes -------------------------------------------------------
 */

static uint64_t
timer_config(const Hpet *hpet, unsigned n)
{
    return (hpet->timers[n].config & ~(uint64_t)TIMER_SET_VALUE) | TIMER_64 |
           (can_be_periodic(n) ? TIMER_CAN_PERIODIC : 0) | (uint64_t)ROUTES << 32;
}

static uint64_t
read_register(const Hpet *hpet, uint64_t at)
{
    unsigned n = at >= TIMERS ? (unsigned)(at - TIMERS) / TIMER_BYTES : N_TIMERS;

    switch (at) {
    case CAPABILITIES: return (uint32_t)CAPABILITIES_LOW | (uint64_t)PERIOD_FS << 32;
    case CONFIG: return hpet->config;
    case STATUS: return hpet->status;
    case COUNTER: return ticks_now(hpet);
    default: break;
    }
    if (n >= N_TIMERS)
        return 0;
    switch ((at - TIMERS) % TIMER_BYTES) {
    case TIMER_CONFIG: return timer_config(hpet, n);
    case TIMER_COMPARATOR: return hpet->timers[n].comparator;
    default: return 0;
    }
}

static uint64_t
hpet_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = read_register(opaque, offset & ~UINT64_C(7));

    return value >> 8 * (offset & 7);
}

static void
write_config(Hpet *hpet, uint64_t value)
{
    uint64_t before = hpet->config, now = ticks_now(hpet);

    value &= CONFIG_ENABLED | CONFIG_LEGACY;
    for (unsigned i = 0; i < N_TIMERS && value != before; i++)
        lower(hpet, i);
    hpet->counter = now;
    hpet->since_ns = kiln_clock_now(hpet->options.clock);
    hpet->config = value;
    if (((value ^ before) & CONFIG_LEGACY) && hpet->options.legacy != NULL)
        hpet->options.legacy(hpet->options.opaque, (value & CONFIG_LEGACY) != 0);
    for (unsigned i = 0; i < N_TIMERS && ((value ^ before) & CONFIG_ENABLED); i++)
        schedule(hpet, &hpet->timers[i]);
}

static void
write_timer_config(Hpet *hpet, unsigned n, uint64_t value)
{
    Timer *timer = &hpet->timers[n];
    uint64_t kept = TIMER_WRITABLE | TIMER_SET_VALUE;

    if (!can_be_periodic(n))
        kept &= ~(uint64_t)(TIMER_PERIODIC | TIMER_SET_VALUE);
    if (is_level(hpet, n))
        lower(hpet, n);
    timer->config = value & kept;
    if (timer->config & TIMER_32) {
        timer->comparator &= UINT32_MAX;
        timer->period &= UINT32_MAX;
    }
    schedule(hpet, timer);
    if (is_level(hpet, n) && (hpet->status >> n & 1) && line_of(hpet, n) != NULL)
        kiln_irq_set(line_of(hpet, n), TRUE);
}

/* §2.3.9: of a periodic one the value is the period, and with SET_VALUE the comparator too. */
static void
write_comparator(Hpet *hpet, unsigned n, uint64_t value)
{
    Timer *timer = &hpet->timers[n];

    value &= width_mask(timer);
    if (!(timer->config & TIMER_PERIODIC) || (timer->config & TIMER_SET_VALUE))
        timer->comparator = value;
    if ((timer->config & TIMER_PERIODIC) && !(timer->config & TIMER_SET_VALUE))
        timer->period = MAX(value, SHORTEST_TICKS);
    else if (timer->config & TIMER_PERIODIC && timer->period == 0)
        timer->period = MAX(value, SHORTEST_TICKS);
    timer->config &= ~(uint64_t)TIMER_SET_VALUE;
    schedule(hpet, timer);
}

static void
write_register(Hpet *hpet, uint64_t at, uint64_t value)
{
    unsigned n = at >= TIMERS ? (unsigned)(at - TIMERS) / TIMER_BYTES : N_TIMERS;

    if (at == CONFIG) {
        write_config(hpet, value);
    } else if (at == STATUS) {
        for (unsigned i = 0; i < N_TIMERS; i++) {
            if (value & hpet->status & UINT64_C(1) << i)
                lower(hpet, i);
        }
        hpet->status &= ~value;
    } else if (at == COUNTER && !(hpet->config & CONFIG_ENABLED)) {
        hpet->counter = value;
    } else if (n < N_TIMERS && (at - TIMERS) % TIMER_BYTES == TIMER_CONFIG) {
        write_timer_config(hpet, n, value);
    } else if (n < N_TIMERS && (at - TIMERS) % TIMER_BYTES == TIMER_COMPARATOR) {
        write_comparator(hpet, n, value);
    }
    arm(hpet);
}

static gboolean
is_high_half(uint64_t offset)
{
    return (offset & 4) != 0;
}

static void
hpet_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Hpet *hpet = opaque;
    uint64_t at = offset & ~UINT64_C(7), whole = read_register(hpet, at);

    if (size < 4)
        return;
    if (size == 8)
        whole = data;
    else if (at == STATUS)
        whole = is_high_half(offset) ? 0 : (uint32_t)data; /* ones clear: no others may be there */
    else if (is_high_half(offset))
        whole = (whole & UINT32_MAX) | data << 32;
    else
        whole = (whole & ~(uint64_t)UINT32_MAX) | (uint32_t)data;
    write_register(hpet, at, whole);
}

static const KilnRegionOps hpet_region = {
    .read = hpet_read, .write = hpet_write, .min_access = 4, .max_access = 8
};

/* ---- life --------------------------------------------------------------------------------------
 */

static void
hpet_reset(KilnDevice *device)
{
    Hpet *hpet = (Hpet *)device;

    for (unsigned i = 0; i < N_TIMERS; i++)
        lower(hpet, i);
    if ((hpet->config & CONFIG_LEGACY) && hpet->options.legacy != NULL)
        hpet->options.legacy(hpet->options.opaque, FALSE);
    hpet->config = 0;
    hpet->status = 0;
    hpet->counter = 0;
    for (unsigned i = 0; i < N_TIMERS; i++)
        hpet->timers[i] = (Timer){ .comparator = UINT64_MAX };
    kiln_clock_timer_cancel(&hpet->clock_timer);
}

static void
hpet_free(KilnDevice *device)
{
    Hpet *hpet = (Hpet *)device;

    kiln_space_remove(hpet->options.space, &hpet->region);
    kiln_clock_timer_clear(&hpet->clock_timer);
    kiln_device_clear(device);
    g_free(hpet);
}

static gboolean
hpet_post_load(void *object, GError **error)
{
    Hpet *hpet = object;

    hpet->config &= CONFIG_ENABLED | CONFIG_LEGACY;
    hpet->since_ns = MIN(hpet->since_ns, kiln_clock_now(hpet->options.clock));
    for (unsigned i = 0; i < N_TIMERS; i++) {
        Timer *timer = &hpet->timers[i];

        timer->config &= TIMER_WRITABLE | TIMER_SET_VALUE;
        if (timer->period != 0)
            timer->period = MAX(timer->period, SHORTEST_TICKS);
    }
    if (hpet->options.legacy != NULL)
        hpet->options.legacy(hpet->options.opaque, (hpet->config & CONFIG_LEGACY) != 0);
    arm(hpet);
    return TRUE;
}

static const KilnStateField timer_fields[] = {
    KILN_STATE(Timer, config, 1), KILN_STATE(Timer, comparator, 1), KILN_STATE(Timer, period, 1),
    KILN_STATE(Timer, due, 1),    KILN_STATE_FLAG(Timer, armed, 1), KILN_STATE_END,
};

static const KilnStateDescription timer_state = {
    .name = "hpet-timer", .version = 1, .min_version = 1, .fields = timer_fields
};

static const KilnStateField hpet_fields[] = {
    KILN_STATE(Hpet, config, 1),
    KILN_STATE(Hpet, status, 1),
    KILN_STATE(Hpet, counter, 1),
    KILN_STATE(Hpet, since_ns, 1),
    KILN_STATE_STRUCT_ARRAY(Hpet, timers, 1, &timer_state),
    KILN_STATE_END,
};

static const KilnStateDescription hpet_state = { .name = "hpet",
                                                 .version = 1,
                                                 .min_version = 1,
                                                 .fields = hpet_fields,
                                                 .post_load = hpet_post_load };

static const KilnDeviceOps hpet_ops = {
    .name = "hpet", .reset = hpet_reset, .free = hpet_free, .state = &hpet_state
};

KilnDevice *
kiln_hpet_new(const KilnHpetOptions *options, GError **error)
{
    Hpet *hpet = g_new0(Hpet, 1);

    kiln_device_init(&hpet->device, &hpet_ops, "hpet");
    hpet->options = *options;
    kiln_clock_timer_init(&hpet->clock_timer, options->clock, clock_fired, hpet);
    kiln_region_init(&hpet->region, &hpet->device, &hpet_region, KILN_HPET_BYTES);
    hpet_reset(&hpet->device);
    if (!kiln_space_add(options->space, &hpet->region, options->base, error)) {
        hpet_free(&hpet->device);
        return NULL;
    }
    return &hpet->device;
}
