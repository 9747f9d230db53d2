/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See ich9-pm.h.  The register block is an array of bytes with masks; what has effects is found by
 * the range that a write touched.
 */
#include "device/ich9-pm.h"

#include <string.h>

#include "base/le.h"

/* Registers at PMBASE: ICH9 §13.8.3; at PMBASE + 0x60 the TCO's: §13.9. */
enum {
    PM1_STS = 0x00,
    PM1_EN = 0x02,
    PM1_CNT = 0x04,
    PM1_TMR = 0x08,
    GPE0_STS = 0x20,
    GPE0_EN = 0x28,
    SMI_EN = 0x30,
    TCO_RLD = 0x60,
    TCO1_STS = 0x64,
    TCO2_STS = 0x66,
    TCO1_CNT = 0x68,
    TCO_TMR = 0x72,

    TMR_STS = 1 << 0, /* also the enable bits */
    GBL_STS = 1 << 5,
    PWRBTN_STS = 1 << 8,
    SLPBTN_STS = 1 << 9,
    RTC_STS = 1 << 10,
    WAK_STS = 1 << 15,
    SCI_EVENTS = TMR_STS | GBL_STS | PWRBTN_STS | SLPBTN_STS | RTC_STS,

    SCI_EN = 1 << 0,
    SLP_TYP_SHIFT = 10,
    SLP_TYP_MASK = 7,
    SLP_EN = 1 << 13,

    TCO_TIMEOUT = 1 << 3,   /* TCO1_STS */
    TCO_SECOND_TO = 1 << 1, /* TCO2_STS */
    TCO_BOOT = 1 << 2,
    TCO_HALT = 1 << 11, /* TCO1_CNT */
    TCO_LOCK = 1 << 12,
    TCO_TICKS_MASK = 0x3ff,
    TCO_TICKS_LEAST = 2, /* smaller values are not meant to be written: §13.9.9 */

    PORT_APM = KILN_ICH9_SMI_CMD,
};

#define TCO_TICK_NS UINT64_C(600000000)

/* The writable and the write-1-to-clear bits; all else reads as it was reset. */
typedef struct {
    uint8_t offset;
    uint8_t size;
    uint32_t write;
    uint32_t clear;
    uint32_t reset;
} Register;

static const Register registers[] = {
    { PM1_STS, 2, 0, 0xcf31, 0 },
    { PM1_EN, 2, 0x4721, 0, 0 },
    { PM1_CNT, 4, 0x1c03, 0, 0 },
    { 0x10, 4, 0x000e021f, 0, 0 }, /* PROC_CNT */
    { GPE0_STS, 4, 0, 0xffffffff, 0 },
    { GPE0_STS + 4, 4, 0, 0xffffffff, 0 },
    { GPE0_EN, 4, 0xffffffff, 0, 0 },
    { GPE0_EN + 4, 4, 0xffffffff, 0, 0 },
    { SMI_EN, 4, 0x0207e87f, 0, 0x22 }, /* GBL_SMI is not there; APMC_EN: SMM is set up */
    { 0x34, 4, 0, 0x0f9fffff, 0 },      /* SMI_STS */
    { 0x38, 2, 0xffff, 0, 0 },          /* ALT_GP_SMI_EN */
    { 0x3a, 2, 0, 0xffff, 0 },          /* ALT_GP_SMI_STS */
    { 0x42, 1, 0x02, 0, 0 },            /* GPE_CNTL */
    { 0x44, 2, 0, 0xffff, 0 },          /* DEVACT_STS */
    { 0x50, 1, 0x01, 0, 0 },            /* PM2_CNT */
    { 0x62, 1, 0xff, 0, 0 },            /* TCO_DAT_IN */
    { 0x63, 1, 0xff, 0, 0 },            /* TCO_DAT_OUT */
    { TCO1_STS, 2, 0, 0x138e, 0 },
    { TCO2_STS, 2, 0, 0x0017, 0 },
    { TCO1_CNT, 2, 0x1b00, 0, 0 },
    { 0x6a, 2, 0x003e, 0, 0x8 }, /* TCO2_CNT */
    { 0x6c, 2, 0xffff, 0, 0 },   /* TCO_MESSAGE1, 2 */
    { 0x6e, 1, 0xff, 0, 0 },     /* TCO_WDCNT */
    { 0x70, 1, 0x03, 0, 0x3 },   /* SW_IRQ_GEN */
    { TCO_TMR, 2, TCO_TICKS_MASK, 0, 0x4 },
};

struct KilnIch9Pm {
    KilnDevice device;
    KilnIch9PmOptions options;
    KilnRegion block;
    KilnRegion apm;
    KilnIrqOutput sci;
    KilnClockTimer overflow; /* next change of the PM timer's top bit, while enabled */
    KilnClockTimer tco;
    uint8_t write_mask[KILN_ICH9_PM_BYTES];
    uint8_t clear_mask[KILN_ICH9_PM_BYTES];
    uint8_t regs[KILN_ICH9_PM_BYTES];
    uint64_t timer_base_ns;   /* guest time at which the PM timer was 0 */
    uint64_t timer_half;      /* half turns of the timer that TMR_STS has seen */
    uint64_t tco_deadline_ns; /* when the TCO runs out; 0: it does not run */
    uint64_t tco_left_ns;     /* while halted: what was left; 0: not started */
    uint8_t tco_timeouts;     /* since the last reload: 0 or 1 */
    uint8_t apm_control;
    uint8_t apm_status;
    int no_reboot; /* (atomic): set with the LPC bridge's lock held */
};

static uint16_t
reg16(const KilnIch9Pm *pm, unsigned offset)
{
    return kiln_le16_load(pm->regs + offset);
}

static void
set_bits(KilnIch9Pm *pm, unsigned offset, uint16_t bits)
{
    kiln_le16_store(pm->regs + offset, reg16(pm, offset) | bits);
}

static unsigned
timer_bits(const KilnIch9Pm *pm)
{
    return pm->options.timer_32_bits ? 32 : 24;
}

static uint64_t
timer_ticks(KilnIch9Pm *pm)
{
    return kiln_clock_ns_to_ticks(kiln_clock_now(pm->options.clock) - pm->timer_base_ns,
                                  KILN_ICH9_PM_TIMER_HZ);
}

/* ACPI 6.5 §4.8.3.1: the status bit is set whenever the top bit changes, either way. */
static void
see_timer(KilnIch9Pm *pm)
{
    uint64_t half = timer_ticks(pm) >> (timer_bits(pm) - 1);

    if (half != pm->timer_half)
        set_bits(pm, PM1_STS, TMR_STS);
    pm->timer_half = half;
}

/* SCI and the timer's alarm, by what the registers say now. */
static void
update(KilnIch9Pm *pm)
{
    uint16_t events = reg16(pm, PM1_STS) & reg16(pm, PM1_EN) & SCI_EVENTS;
    uint64_t gpes = kiln_le64_load(pm->regs + GPE0_STS) & kiln_le64_load(pm->regs + GPE0_EN);

    kiln_irq_output_set(&pm->sci, (reg16(pm, PM1_CNT) & SCI_EN) && (events != 0 || gpes != 0));
    if ((reg16(pm, PM1_EN) & TMR_STS) && !(reg16(pm, PM1_STS) & TMR_STS)) {
        uint64_t ticks = (pm->timer_half + 1) << (timer_bits(pm) - 1);

        kiln_clock_timer_arm(&pm->overflow, pm->timer_base_ns + kiln_clock_ticks_to_ns(
                                                                    ticks, KILN_ICH9_PM_TIMER_HZ));
    } else {
        kiln_clock_timer_cancel(&pm->overflow);
    }
}

static void
overflow_fired(void *opaque)
{
    KilnIch9Pm *pm = opaque;
    KILN_LOCK_SCOPE(&pm->device.lock);

    see_timer(pm);
    update(pm);
}

/* ICH9 §13.8.3.3; there is nothing that resumes S1 or S2, so they are S0. */
static void
enter_sleep(KilnIch9Pm *pm, unsigned type)
{
    switch (type) {
    case 0: /* S0 in ICH9, but what stock firmware writes to turn a virtual machine off */
    case KILN_ICH9_SLP_TYP_S4:
    case KILN_ICH9_SLP_TYP_S5: pm->options.power_off(pm->options.opaque); break;
    case KILN_ICH9_SLP_TYP_S3:
        if (pm->options.sleep != NULL) {
            pm->options.sleep(pm->options.opaque);
            break;
        }
        set_bits(pm, PM1_STS, WAK_STS);
        break;
    default: set_bits(pm, PM1_STS, WAK_STS); break;
    }
}

static gboolean
tco_runs(const KilnIch9Pm *pm)
{
    return pm->tco_deadline_ns != 0;
}

/* Starts the TCO, or lets it wait for the halt bit to go. */
static void
tco_load(KilnIch9Pm *pm, uint64_t left_ns)
{
    if (reg16(pm, TCO1_CNT) & TCO_HALT) {
        pm->tco_left_ns = left_ns;
        return;
    }
    pm->tco_left_ns = 0;
    pm->tco_deadline_ns = kiln_clock_now(pm->options.clock) + left_ns;
    kiln_clock_timer_arm(&pm->tco, pm->tco_deadline_ns);
}

static uint64_t
tco_period(const KilnIch9Pm *pm)
{
    unsigned ticks = reg16(pm, TCO_TMR) & TCO_TICKS_MASK;

    return MAX(ticks, TCO_TICKS_LEAST) * TCO_TICK_NS;
}

static void
tco_stop(KilnIch9Pm *pm)
{
    pm->tco_deadline_ns = 0;
    kiln_clock_timer_cancel(&pm->tco);
}

static uint64_t
tco_left(KilnIch9Pm *pm)
{
    uint64_t now = kiln_clock_now(pm->options.clock);

    if (!tco_runs(pm))
        return pm->tco_left_ns;
    return pm->tco_deadline_ns > now ? pm->tco_deadline_ns - now : 0;
}

/* ICH9 §5.14.1: the first time out is noted and the count starts anew; the second one resets. */
static void
tco_fired(void *opaque)
{
    KilnIch9Pm *pm = opaque;
    KILN_LOCK_SCOPE(&pm->device.lock);

    if (!tco_runs(pm) || kiln_clock_now(pm->options.clock) < pm->tco_deadline_ns)
        return; /* reloaded or halted meanwhile */
    set_bits(pm, TCO1_STS, TCO_TIMEOUT);
    if (pm->tco_timeouts == 0) {
        pm->tco_timeouts = 1;
        tco_load(pm, tco_period(pm));
        return;
    }
    tco_stop(pm);
    pm->tco_timeouts = 0;
    set_bits(pm, TCO2_STS, TCO_SECOND_TO | TCO_BOOT);
    if (!g_atomic_int_get(&pm->no_reboot))
        pm->options.reset(pm->options.opaque, KILN_RESET_WATCHDOG);
}

static void
tco_control_written(KilnIch9Pm *pm, uint16_t before)
{
    uint16_t now = reg16(pm, TCO1_CNT);

    if (before & TCO_LOCK) /* the halt bit cannot be changed any more, nor the lock: §13.9.6 */
        now = (uint16_t)((now & ~(TCO_LOCK | TCO_HALT)) | (before & (TCO_LOCK | TCO_HALT)));
    kiln_le16_store(pm->regs + TCO1_CNT, now);
    if ((now & TCO_HALT) && tco_runs(pm)) {
        pm->tco_left_ns = MAX(tco_left(pm), 1);
        tco_stop(pm);
    } else if (!(now & TCO_HALT) && pm->tco_left_ns != 0) {
        tco_load(pm, pm->tco_left_ns);
    }
}

static uint64_t
block_read(void *opaque, uint64_t offset, unsigned size)
{
    KilnIch9Pm *pm = opaque;
    uint8_t bytes[8] = { 0 };

    if (offset < PM1_EN)
        see_timer(pm);
    memcpy(bytes, pm->regs + offset, size);
    if ((offset & ~UINT64_C(3)) == PM1_TMR) {
        uint32_t value = (uint32_t)timer_ticks(pm);

        if (!pm->options.timer_32_bits)
            value &= 0xffffff;
        kiln_le32_store(bytes, value >> (8 * (offset - PM1_TMR)));
    } else if ((offset & ~UINT64_C(1)) == TCO_RLD && size <= 2) {
        uint16_t ticks = (uint16_t)((tco_left(pm) + TCO_TICK_NS - 1) / TCO_TICK_NS);

        kiln_le16_store(bytes, (uint16_t)(ticks >> (8 * (offset - TCO_RLD))));
    }
    return kiln_le64_load(bytes);
}

static gboolean
touches(uint64_t offset, unsigned size, unsigned first, unsigned bytes)
{
    return offset < first + bytes && offset + size > first;
}

static void
block_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    KilnIch9Pm *pm = opaque;
    uint16_t tco_before = reg16(pm, TCO1_CNT);

    see_timer(pm);
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(data >> (8 * i));
        uint8_t mask = pm->write_mask[offset + i];
        uint8_t *reg = &pm->regs[offset + i];

        *reg = (uint8_t)((*reg & ~mask) | (byte & mask));
        *reg &= (uint8_t) ~(byte & pm->clear_mask[offset + i]);
    }
    if (touches(offset, size, TCO_RLD, 2)) {
        pm->tco_timeouts = 0;
        tco_load(pm, tco_period(pm));
    }
    if (touches(offset, size, TCO1_CNT, 2))
        tco_control_written(pm, tco_before);
    update(pm);
    /* SLP_EN reads as zero and acts when written, with the type that was written along. */
    if (touches(offset, size, PM1_CNT + 1, 1) &&
        (data >> (8 * (PM1_CNT + 1 - offset)) & (SLP_EN >> 8)))
        enter_sleep(pm, reg16(pm, PM1_CNT) >> SLP_TYP_SHIFT & SLP_TYP_MASK);
}

static uint64_t
apm_read(void *opaque, uint64_t offset, unsigned size)
{
    const KilnIch9Pm *pm = opaque;

    return offset == 0 ? pm->apm_control : pm->apm_status;
}

static void
apm_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    KilnIch9Pm *pm = opaque;

    if (offset == 1) {
        pm->apm_status = (uint8_t)data;
        return;
    }
    pm->apm_control = (uint8_t)data;
    if (pm->apm_control == KILN_ICH9_ACPI_ENABLE)
        pm->regs[PM1_CNT] |= SCI_EN;
    else if (pm->apm_control == KILN_ICH9_ACPI_DISABLE)
        pm->regs[PM1_CNT] &= (uint8_t)~SCI_EN;
    update(pm);
}

static const KilnRegionOps block_ops = { .read = block_read,
                                         .write = block_write,
                                         .max_access = 4 };
static const KilnRegionOps apm_ops = { .read = apm_read, .write = apm_write, .max_access = 1 };

static void
pm_reset(KilnDevice *device)
{
    KilnIch9Pm *pm = (KilnIch9Pm *)device;
    /* The watchdog's note of why the machine was reset outlasts it (RTC well). */
    uint16_t noted = reg16(pm, TCO2_STS) & (TCO_SECOND_TO | TCO_BOOT);

    memset(pm->regs, 0, sizeof pm->regs);
    for (guint i = 0; i < G_N_ELEMENTS(registers); i++)
        for (unsigned j = 0; j < registers[i].size; j++)
            pm->regs[registers[i].offset + j] = (uint8_t)(registers[i].reset >> (8 * j));
    set_bits(pm, TCO2_STS, noted);
    if (pm->options.acpi_at_reset)
        set_bits(pm, PM1_CNT, SCI_EN);
    pm->timer_base_ns = kiln_clock_now(pm->options.clock);
    pm->timer_half = 0;
    pm->tco_left_ns = 0;
    pm->tco_timeouts = 0;
    pm->apm_control = 0;
    pm->apm_status = 0;
    tco_stop(pm);
    update(pm);
}

static void
pm_free(KilnDevice *device)
{
    KilnIch9Pm *pm = (KilnIch9Pm *)device;

    kiln_space_remove(pm->options.io, &pm->block);
    kiln_space_remove(pm->options.io, &pm->apm);
    kiln_clock_timer_clear(&pm->overflow);
    kiln_clock_timer_clear(&pm->tco);
    kiln_device_clear(device);
    g_free(pm);
}

static gboolean
pm_post_load(void *object, GError **error)
{
    KilnIch9Pm *pm = object;
    uint64_t now = kiln_clock_now(pm->options.clock);

    for (guint i = 0; i < KILN_ICH9_PM_BYTES; i++)
        pm->regs[i] &= pm->write_mask[i] | pm->clear_mask[i];
    pm->timer_base_ns = MIN(pm->timer_base_ns, now);
    pm->timer_half = MIN(pm->timer_half, timer_ticks(pm) >> (timer_bits(pm) - 1));
    if (tco_runs(pm)) {
        pm->tco_deadline_ns = MIN(pm->tco_deadline_ns, now + TCO_TICKS_MASK * TCO_TICK_NS);
        kiln_clock_timer_arm(&pm->tco, pm->tco_deadline_ns);
    }
    update(pm);
    return TRUE;
}

static const KilnStateField pm_fields[] = {
    KILN_STATE_BYTES(KilnIch9Pm, regs, 1),
    KILN_STATE(KilnIch9Pm, timer_base_ns, 1),
    KILN_STATE(KilnIch9Pm, timer_half, 1),
    KILN_STATE(KilnIch9Pm, tco_deadline_ns, 1),
    KILN_STATE_RANGE(KilnIch9Pm, tco_left_ns, 1, 0, TCO_TICKS_MASK *TCO_TICK_NS),
    KILN_STATE_RANGE(KilnIch9Pm, tco_timeouts, 1, 0, 1),
    KILN_STATE(KilnIch9Pm, apm_control, 1),
    KILN_STATE(KilnIch9Pm, apm_status, 1),
    KILN_STATE_END,
};

static const KilnStateDescription pm_state = {
    .name = "ich9-pm",
    .version = 1,
    .min_version = 1,
    .fields = pm_fields,
    .post_load = pm_post_load,
};

static const KilnDeviceOps pm_ops = {
    .name = "ich9-pm", .reset = pm_reset, .free = pm_free, .state = &pm_state
};

KilnIch9Pm *
kiln_ich9_pm_new(const KilnIch9PmOptions *options, GError **error)
{
    KilnIch9Pm *pm = g_new0(KilnIch9Pm, 1);

    kiln_device_init(&pm->device, &pm_ops, "ich9-pm");
    pm->options = *options;
    pm->sci = KILN_IRQ_OUTPUT(options->sci);
    kiln_region_init(&pm->block, &pm->device, &block_ops, KILN_ICH9_PM_BYTES);
    kiln_region_init(&pm->apm, &pm->device, &apm_ops, 2);
    kiln_clock_timer_init(&pm->overflow, options->clock, overflow_fired, pm);
    kiln_clock_timer_init(&pm->tco, options->clock, tco_fired, pm);
    for (guint i = 0; i < G_N_ELEMENTS(registers); i++)
        for (unsigned j = 0; j < registers[i].size; j++) {
            pm->write_mask[registers[i].offset + j] = (uint8_t)(registers[i].write >> (8 * j));
            pm->clear_mask[registers[i].offset + j] = (uint8_t)(registers[i].clear >> (8 * j));
        }
    pm_reset(&pm->device);
    if (!kiln_space_add(options->io, &pm->apm, PORT_APM, error)) {
        pm_free(&pm->device);
        return NULL;
    }
    return pm;
}

KilnDevice *
kiln_ich9_pm_device(KilnIch9Pm *pm)
{
    return &pm->device;
}

void
kiln_ich9_pm_place(KilnIch9Pm *pm, uint64_t base)
{
    if (base == KILN_SPACE_UNMAPPED)
        kiln_space_remove(pm->options.io, &pm->block);
    else
        (void)kiln_space_place(pm->options.io, &pm->block, base);
}

void
kiln_ich9_pm_set_no_reboot(KilnIch9Pm *pm, gboolean no_reboot)
{
    g_atomic_int_set(&pm->no_reboot, no_reboot);
}

void
kiln_ich9_pm_power_button(KilnIch9Pm *pm)
{
    KILN_LOCK_SCOPE(&pm->device.lock);

    set_bits(pm, PM1_STS, PWRBTN_STS);
    update(pm);
}

void
kiln_ich9_pm_gpe(KilnIch9Pm *pm, unsigned n)
{
    KILN_LOCK_SCOPE(&pm->device.lock);

    g_return_if_fail(n < 64);
    pm->regs[GPE0_STS + n / 8] |= (uint8_t)(1 << n % 8);
    update(pm);
}

void
kiln_ich9_pm_wake(KilnIch9Pm *pm)
{
    KILN_LOCK_SCOPE(&pm->device.lock);

    set_bits(pm, PM1_STS, WAK_STS);
    update(pm);
}
