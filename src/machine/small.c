/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that need little: <rng>, <memballoon>, <watchdog>. */
#include "machine/devices.h"

#include "base/error.h"
#include "device/i6300esb.h"
#include "device/virtio-balloon.h"
#include "device/virtio-rng.h"
#include "machine/chars.h"
#include "machine/functions.h"
#include "machine/private.h"

KilnVirtioOptions
kiln_machine_virtio_options(const KilnMachine *machine, const KilnDeviceInfo *info,
                            const KilnVirtioDriver *driver)
{
    return (KilnVirtioOptions){
        .id = info->alias,
        .memory = machine->memory,
        .packed = driver != NULL && driver->packed == KILN_SWITCH_ON,
    };
}

/* ---- <rng> -------------------------------------------------------------------------------------
 */

static gboolean
build_rng(KilnMachine *machine, const KilnRng *rng, GError **error)
{
    enum { DEFAULT_PERIOD_MS = 1000 };
    KilnVirtioRngOptions options = {
        .virtio = kiln_machine_virtio_options(machine, &rng->info, &rng->virtio),
        .fd = -1,
        .path = rng->backend.path,
        .rate_bytes = rng->rate_bytes.set ? (uint32_t)rng->rate_bytes.value : 0,
        .rate_period_ms =
            rng->rate_period_ms.set ? (uint32_t)rng->rate_period_ms.value : DEFAULT_PERIOD_MS,
        .clock = machine->clock,
    };
    KilnVirtioDevice *device;

    switch (rng->backend.model) {
    case KILN_RNG_BACKEND_MODEL_RANDOM: options.backend = KILN_VIRTIO_RNG_RANDOM; break;
    case KILN_RNG_BACKEND_MODEL_EGD:
        options.backend = KILN_VIRTIO_RNG_EGD;
        options.chardev =
            kiln_machine_open_chardev(machine, rng->info.alias, &rng->backend.egd, FALSE, error);
        if (options.chardev == NULL)
            return FALSE;
        break;
    default: options.backend = KILN_VIRTIO_RNG_BUILTIN; break;
    }
    device = kiln_virtio_rng_new(&options, error);
    return device != NULL &&
           kiln_machine_add_virtio(machine, device, &rng->info, &rng->virtio, 0, error);
}

gboolean
kiln_machine_build_rngs(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->rngs->len; i++) {
        const KilnRng *rng = g_ptr_array_index(machine->domain->rngs, i);

        if (!build_rng(machine, rng, error)) {
            g_prefix_error(error, "%s: ", rng->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- <memballoon> ------------------------------------------------------------------------------
 */

static void
balloon_changed(void *opaque, uint64_t bytes)
{
    KilnMachine *machine = opaque;

    machine->domain->memory.current = (KilnUint){ .set = TRUE, .value = bytes };
    kiln_machine_emit(machine, KILN_EVENT_BALLOON);
}

gboolean
kiln_machine_build_balloon(KilnMachine *machine, GError **error)
{
    const KilnDomain *domain = machine->domain;
    const KilnMemballoon *balloon =
        domain->memballoons->len > 0 ? g_ptr_array_index(domain->memballoons, 0) : NULL;
    KilnVirtioBalloonOptions options = { .clock = machine->clock };

    if (balloon == NULL || balloon->model == KILN_MEMBALLOON_MODEL_NONE)
        return TRUE;
    options.virtio = kiln_machine_virtio_options(machine, &balloon->info, &balloon->virtio);
    if (domain->memory.current.value < kiln_domain_boot_memory(domain))
        options.target = domain->memory.current.value;
    options.stats_period_s =
        balloon->stats_period_s.set ? (unsigned)balloon->stats_period_s.value : 0;
    options.deflate_on_oom = balloon->autodeflate == KILN_SWITCH_ON;
    options.free_page_reporting = balloon->free_page_reporting == KILN_SWITCH_ON;
    options.keep_pages = domain->memory.backing.locked || domain->hostdevs->len > 0;
    options.changed = balloon_changed;
    options.opaque = machine;
    machine->balloon = kiln_virtio_balloon_new(&options, error);
    if (machine->balloon != NULL &&
        kiln_machine_add_virtio(machine, machine->balloon, &balloon->info, &balloon->virtio, 0,
                                error))
        return TRUE;
    machine->balloon = NULL;
    g_prefix_error(error, "memballoon: ");
    return FALSE;
}

/* ---- <watchdog> --------------------------------------------------------------------------------
 */

/* In the clock's thread, the watchdog's lock held. */
static void
watchdog_expired(void *opaque)
{
    KilnMachine *machine = opaque;
    const KilnWatchdog *watchdog = g_ptr_array_index(machine->domain->watchdogs, 0);

    kiln_machine_request(machine, KILN_REQUEST_WATCHDOG);
    switch (watchdog->action) {
    case KILN_WATCHDOG_ACTION_RESET:
        kiln_machine_request_reset(machine, KILN_RESET_WATCHDOG);
        break;
    case KILN_WATCHDOG_ACTION_POWEROFF: kiln_machine_request(machine, KILN_REQUEST_DESTROY); break;
    case KILN_WATCHDOG_ACTION_PAUSE: kiln_machine_request(machine, KILN_REQUEST_PAUSE); break;
    default: break; /* none, and what the main thread does when it tells of it */
    }
}

gboolean
kiln_machine_build_watchdogs(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->watchdogs->len; i++) {
        const KilnWatchdog *watchdog = g_ptr_array_index(machine->domain->watchdogs, i);
        KilnI6300esbOptions options = {
            .id = watchdog->info.alias,
            .clock = machine->clock,
            .expired = watchdog_expired,
            .opaque = machine,
        };

        if (!kiln_machine_add_function(machine, kiln_i6300esb_new(&options), &watchdog->info,
                                       error)) {
            g_prefix_error(error, "%s: ", watchdog->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}
