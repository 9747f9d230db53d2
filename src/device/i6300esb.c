/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See i6300esb.h.  Register names are those of the datasheet. */
#include "device/i6300esb.h"

#include "base/le.h"

enum {
    VENDOR_INTEL = 0x8086,
    DEVICE_6300ESB_WDT = 0x25ab,
    CLASS_SYSTEM_OTHER = 0x088000,
    BAR_BYTES = 16,

    /* In configuration space. */
    CONFIG = 0x60, /* 16 bits */
    CONFIG_INTERRUPT = 3 << 0,
    CONFIG_MEGAHERTZ = 1 << 2, /* else a kilohertz, both nearly */
    CONFIG_NO_OUTPUT = 1 << 5, /* stage 2 runs out without consequence */
    LOCK = 0x68,               /* 8 bits */
    LOCK_LOCKED = 1 << 0,      /* until the next reset */
    LOCK_ENABLED = 1 << 1,
    LOCK_FREE_RUNNING = 1 << 2, /* after stage 2 comes stage 1 */

    /* At the BAR. */
    PRELOAD1 = 0x0,
    PRELOAD2 = 0x4,
    INTERRUPT_STATUS = 0x8,
    RELOAD = 0xc,
    PRELOAD_BITS = 0xfffff,
    INTERRUPT_ACTIVE = 1 << 0,
    RELOAD_NOW = 1 << 8,
    RELOAD_TIMED_OUT = 1 << 9,
    UNLOCK_FIRST = 0x80,
    UNLOCK_SECOND = 0x86,

    PCI_CLOCK_HZ = 33000000,
    KILOHERTZ_SHIFT = 15, /* of the PCI clock, to one tick */
    MEGAHERTZ_SHIFT = 5,
    SHORTEST_MS = 1, /* of a stage, so that a guest cannot keep the clock's thread busy */
};

typedef struct {
    KilnPciDevice pci; /* its lock guards all */
    KilnI6300esbOptions options;
    KilnClockTimer timer;
    uint8_t lock; /* LOCK as it was before the write that is looked at; derived */

    uint32_t preload[2];
    uint64_t deadline_ns; /* when the stage runs out; 0: nothing runs */
    uint8_t stage;        /* 0 or 1 */
    uint8_t unlock;       /* how many of the two bytes came */
    uint8_t interrupt;    /* INTERRUPT_ACTIVE or 0 */
    gboolean timed_out;   /* survives resets, for the guest to know why it was reset */
} Watchdog;

/* ---- time --------------------------------------------------------------------------------------
 */

static void
stop(Watchdog *watchdog)
{
    watchdog->deadline_ns = 0;
    kiln_clock_timer_cancel(&watchdog->timer);
}

static uint64_t
period_ns(const Watchdog *watchdog, unsigned stage)
{
    unsigned shift =
        watchdog->pci.config[CONFIG] & CONFIG_MEGAHERTZ ? MEGAHERTZ_SHIFT : KILOHERTZ_SHIFT;
    uint64_t ns = ((uint64_t)watchdog->preload[stage] << shift) * KILN_NS_PER_SECOND / PCI_CLOCK_HZ;

    return MAX(ns, SHORTEST_MS * (KILN_NS_PER_SECOND / 1000));
}

static void
start(Watchdog *watchdog, unsigned stage)
{
    watchdog->stage = (uint8_t)stage;
    watchdog->deadline_ns = kiln_clock_now(watchdog->options.clock) + period_ns(watchdog, stage);
    kiln_clock_timer_arm(&watchdog->timer, watchdog->deadline_ns);
}

static void
stage_2_over(Watchdog *watchdog)
{
    if (watchdog->pci.config[LOCK] & LOCK_FREE_RUNNING)
        start(watchdog, 0);
    else
        stop(watchdog);
    if (watchdog->pci.config[CONFIG] & CONFIG_NO_OUTPUT)
        return;
    watchdog->timed_out = TRUE;
    watchdog->options.expired(watchdog->options.opaque);
}

static void
timer_fired(void *opaque)
{
    Watchdog *watchdog = opaque;
    KILN_LOCK_SCOPE(&watchdog->pci.device.lock);

    if (watchdog->deadline_ns == 0 ||
        kiln_clock_now(watchdog->options.clock) < watchdog->deadline_ns)
        return;
    if (watchdog->stage == 0) {
        if ((watchdog->pci.config[CONFIG] & CONFIG_INTERRUPT) == 0)
            watchdog->interrupt = INTERRUPT_ACTIVE; /* its line is not one that this board has */
        start(watchdog, 1);
    } else {
        stage_2_over(watchdog);
    }
}

/* ---- registers ---------------------------------------------------------------------------------
 */

static uint64_t
bar_read(void *opaque, uint64_t offset, unsigned size)
{
    const Watchdog *watchdog = opaque;
    uint32_t value = 0;

    switch (offset & ~(uint64_t)3) {
    case PRELOAD1: value = watchdog->preload[0]; break;
    case PRELOAD2: value = watchdog->preload[1]; break;
    case INTERRUPT_STATUS: value = watchdog->interrupt; break;
    case RELOAD: value = watchdog->timed_out ? RELOAD_TIMED_OUT : 0; break;
    default: break;
    }
    return value >> (8 * (offset & 3));
}

static void
reload_written(Watchdog *watchdog, uint64_t data)
{
    if ((data & RELOAD_NOW) && (watchdog->pci.config[LOCK] & LOCK_ENABLED))
        start(watchdog, 0);
    if (data & RELOAD_TIMED_OUT)
        watchdog->timed_out = FALSE;
}

/* Whether the access is the next byte of the key; the others count only once it is complete. */
static gboolean
turn_key(Watchdog *watchdog, uint64_t offset, uint64_t data)
{
    if (offset != RELOAD)
        return FALSE;
    if (data == UNLOCK_FIRST)
        watchdog->unlock = 1;
    else if (data == UNLOCK_SECOND && watchdog->unlock == 1)
        watchdog->unlock = 2;
    else
        return FALSE;
    return TRUE;
}

static void
bar_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Watchdog *watchdog = opaque;
    gboolean unlocked = watchdog->unlock == 2;

    if (turn_key(watchdog, offset, data))
        return;
    if (offset == INTERRUPT_STATUS) {
        watchdog->interrupt &= (uint8_t)~data;
        return;
    }
    watchdog->unlock = 0;
    if (!unlocked)
        return;
    if (offset == PRELOAD1 && size == 4)
        watchdog->preload[0] = (uint32_t)data & PRELOAD_BITS;
    else if (offset == PRELOAD2 && size == 4)
        watchdog->preload[1] = (uint32_t)data & PRELOAD_BITS;
    else if (offset == RELOAD && size >= 2)
        reload_written(watchdog, data);
}

static const KilnRegionOps bar_ops = { .read = bar_read, .write = bar_write, .max_access = 4 };

static void
watchdog_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    Watchdog *watchdog = (Watchdog *)pci;
    uint8_t *lock = &pci->config[LOCK];
    uint8_t before = watchdog->lock;

    if (before & LOCK_LOCKED)
        *lock = before;
    watchdog->lock = *lock;
    if (!(*lock & LOCK_ENABLED))
        stop(watchdog);
    else if (!(before & LOCK_ENABLED))
        start(watchdog, 0);
}

static const KilnPciOps watchdog_pci_ops = { .config_written = watchdog_written };

/* ---- life --------------------------------------------------------------------------------------
 */

static void
watchdog_reset(KilnDevice *device)
{
    Watchdog *watchdog = (Watchdog *)device;

    kiln_pci_device_reset(&watchdog->pci);
    stop(watchdog);
    watchdog->lock = watchdog->pci.config[LOCK];
    watchdog->preload[0] = watchdog->preload[1] = PRELOAD_BITS;
    watchdog->stage = 0;
    watchdog->unlock = 0;
    watchdog->interrupt = 0;
}

static void
watchdog_free(KilnDevice *device)
{
    Watchdog *watchdog = (Watchdog *)device;

    kiln_pci_bus_remove(&watchdog->pci);
    kiln_clock_timer_clear(&watchdog->timer);
    kiln_pci_device_clear(&watchdog->pci);
    g_free(watchdog);
}

static gboolean
watchdog_post_load(void *object, GError **error)
{
    Watchdog *watchdog = object;

    watchdog->lock = watchdog->pci.config[LOCK];
    if (!(watchdog->lock & LOCK_ENABLED) || watchdog->deadline_ns == 0) {
        stop(watchdog);
        return TRUE;
    }
    watchdog->deadline_ns = MIN(watchdog->deadline_ns, kiln_clock_now(watchdog->options.clock) +
                                                           period_ns(watchdog, watchdog->stage));
    kiln_clock_timer_arm(&watchdog->timer, watchdog->deadline_ns);
    return TRUE;
}

static const KilnStateField watchdog_fields[] = {
    KILN_STATE_STRUCT(Watchdog, pci, 1, &kiln_pci_state),
    KILN_STATE_ARRAY_RANGE(Watchdog, preload, 1, 0, PRELOAD_BITS),
    KILN_STATE(Watchdog, deadline_ns, 1),
    KILN_STATE_RANGE(Watchdog, stage, 1, 0, 1),
    KILN_STATE_RANGE(Watchdog, unlock, 1, 0, 2),
    KILN_STATE_RANGE(Watchdog, interrupt, 1, 0, INTERRUPT_ACTIVE),
    KILN_STATE_FLAG(Watchdog, timed_out, 1),
    KILN_STATE_END,
};

static const KilnStateDescription watchdog_state = { .name = "i6300esb",
                                                     .version = 1,
                                                     .min_version = 1,
                                                     .fields = watchdog_fields,
                                                     .post_load = watchdog_post_load };

static const KilnDeviceOps watchdog_ops = {
    .name = "i6300esb", .reset = watchdog_reset, .free = watchdog_free, .state = &watchdog_state
};

KilnPciDevice *
kiln_i6300esb_new(const KilnI6300esbOptions *options)
{
    static const KilnPciIdentity identity = { .vendor = VENDOR_INTEL,
                                              .device = DEVICE_6300ESB_WDT,
                                              .class_code = CLASS_SYSTEM_OTHER };
    Watchdog *watchdog = g_new0(Watchdog, 1);
    KilnPciDevice *pci = &watchdog->pci;

    kiln_pci_device_init(pci, &watchdog_ops, &watchdog_pci_ops, options->id, &identity);
    watchdog->options = *options;
    watchdog->options.id = pci->device.id;
    kiln_clock_timer_init(&watchdog->timer, options->clock, timer_fired, watchdog);
    kiln_le16_store(pci->write_mask + CONFIG,
                    CONFIG_INTERRUPT | CONFIG_MEGAHERTZ | CONFIG_NO_OUTPUT);
    pci->write_mask[LOCK] = LOCK_LOCKED | LOCK_ENABLED | LOCK_FREE_RUNNING;
    kiln_pci_device_add_bar(pci, 0, KILN_PCI_BAR_MEMORY_32, FALSE, BAR_BYTES, &bar_ops, watchdog);
    watchdog->preload[0] = watchdog->preload[1] = PRELOAD_BITS;
    return pci;
}
