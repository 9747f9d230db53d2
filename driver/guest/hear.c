/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See hear.h. */
#include "guest/hear.h"

#include "guest/guest-private.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>

typedef struct {
    const char *word;
    int number;
} Word;

static int
number_of(const Word *words, gsize n_words, const char *word, int otherwise)
{
    for (gsize i = 0; i < n_words; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].number;
    return otherwise;
}

#define NUMBER_OF(words, word, otherwise) number_of(words, G_N_ELEMENTS(words), word, otherwise)

/* ---- States ---- */

static const Word states[] = {
    { "nostate", VIR_DOMAIN_NOSTATE }, { "running", VIR_DOMAIN_RUNNING },
    { "paused", VIR_DOMAIN_PAUSED },   { "shutdown", VIR_DOMAIN_SHUTDOWN },
    { "shutoff", VIR_DOMAIN_SHUTOFF }, { "crashed", VIR_DOMAIN_CRASHED },
};
static const Word running_reasons[] = {
    { "booted", VIR_DOMAIN_RUNNING_BOOTED },
    { "unpaused", VIR_DOMAIN_RUNNING_UNPAUSED },
    { "crashed", VIR_DOMAIN_RUNNING_CRASHED },
};
/* "starting" is one that was to be started paused, which libvirt's drivers call the user's wish. */
static const Word paused_reasons[] = {
    { "user", VIR_DOMAIN_PAUSED_USER },        { "starting", VIR_DOMAIN_PAUSED_USER },
    { "io-error", VIR_DOMAIN_PAUSED_IOERROR }, { "watchdog", VIR_DOMAIN_PAUSED_WATCHDOG },
    { "panicked", VIR_DOMAIN_PAUSED_CRASHED }, { "crashed", VIR_DOMAIN_PAUSED_CRASHED },
};
static const Word suspended_details[] = {
    { "io-error", VIR_DOMAIN_EVENT_SUSPENDED_IOERROR },
    { "watchdog", VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG },
};

static int
reason_of(int state, const char *reason)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING: return NUMBER_OF(running_reasons, reason, VIR_DOMAIN_RUNNING_UNKNOWN);
    case VIR_DOMAIN_PAUSED: return NUMBER_OF(paused_reasons, reason, VIR_DOMAIN_PAUSED_UNKNOWN);
    case VIR_DOMAIN_SHUTDOWN:
        return strcmp(reason, "user") == 0 ? (int)VIR_DOMAIN_SHUTDOWN_USER
                                           : (int)VIR_DOMAIN_SHUTDOWN_UNKNOWN;
    case VIR_DOMAIN_CRASHED:
        return strcmp(reason, "panicked") == 0 ? (int)VIR_DOMAIN_CRASHED_PANICKED
                                               : (int)VIR_DOMAIN_CRASHED_UNKNOWN;
    default: return 0;
    }
}

static void
tell_change(KilnRun *run, int before, const char *reason)
{
    KilnGuest *guest = run->guest;

    if (run->state == VIR_DOMAIN_PAUSED)
        kiln_guest_tell_lifecycle(
            guest, VIR_DOMAIN_EVENT_SUSPENDED,
            NUMBER_OF(suspended_details, reason, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED));
    else if (run->state == VIR_DOMAIN_RUNNING && before == VIR_DOMAIN_PAUSED)
        kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_RESUMED,
                                  VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    else if (run->state == VIR_DOMAIN_SHUTDOWN && !run->shutdown_told) {
        run->shutdown_told = TRUE;
        kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_SHUTDOWN,
                                  VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED);
    }
}

void
kiln_hear_state(KilnRun *run, const char *state, const char *reason)
{
    int before = run->state;
    int now = NUMBER_OF(states, state, VIR_DOMAIN_NOSTATE);
    gboolean first = run->reason_unknown;

    if (now == VIR_DOMAIN_NOSTATE || now == VIR_DOMAIN_SHUTOFF)
        return; /* its end comes by itself */
    run->reason_unknown = FALSE;
    run->state = now;
    run->reason = reason_of(now, reason);
    if (now != before && !first)
        tell_change(run, before, reason);
}

/* ---- Signals ---- */

static void
on_state_changed(KilnRun *run, GVariant *arguments)
{
    const char *state;
    const char *reason;

    g_variant_get(arguments, "(&s&s)", &state, &reason);
    kiln_hear_state(run, state, reason);
}

static void
on_rebooted(KilnRun *run, GVariant *arguments)
{
    const KilnGuestNews news = { .event_id = VIR_DOMAIN_EVENT_ID_REBOOT };

    kiln_guest_tell(run->guest, &news);
}

static void
on_crashed(KilnRun *run, GVariant *arguments)
{
    kiln_guest_tell_lifecycle(run->guest, VIR_DOMAIN_EVENT_CRASHED,
                              VIR_DOMAIN_EVENT_CRASHED_PANICKED);
}

/* Returns: (nullable): where the disk's bytes are, as far as it is a path. */
static const char *
source_of(KilnGuest *guest, const char *alias)
{
    const KilnDomain *live = kiln_guest_live(guest);

    for (guint i = 0; live != NULL && i < live->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(live->disks, i);

        if (disk->info.alias != NULL && strcmp(disk->info.alias, alias) == 0)
            return disk->source.file != NULL ? disk->source.file : disk->source.dev;
    }
    return NULL;
}

static void
on_io_error(KilnRun *run, GVariant *arguments)
{
    static const Word actions[] = {
        { "pause", VIR_DOMAIN_EVENT_IO_ERROR_PAUSE },
        { "report", VIR_DOMAIN_EVENT_IO_ERROR_REPORT },
    };
    KilnGuestNews news = { .event_id = VIR_DOMAIN_EVENT_ID_IO_ERROR };
    const char *device;
    const char *operation;
    const char *action;
    const char *message;
    const char *source;

    g_variant_get(arguments, "(&s&s&s&s)", &device, &operation, &action, &message);
    source = source_of(run->guest, device);
    news.type = NUMBER_OF(actions, action, VIR_DOMAIN_EVENT_IO_ERROR_NONE);
    news.texts[0] = source != NULL ? source : "";
    news.texts[1] = device;
    news.texts[2] = strcmp(message, g_strerror(ENOSPC)) == 0 ? "enospc" : "";
    news.numbers[0] = news.type;
    kiln_guest_tell(run->guest, &news);
    news.event_id = VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON;
    kiln_guest_tell(run->guest, &news);
}

static void
on_watchdog(KilnRun *run, GVariant *arguments)
{
    static const int actions[KILN_N_WATCHDOG_ACTION] = {
        [KILN_WATCHDOG_ACTION_ABSENT] = VIR_DOMAIN_EVENT_WATCHDOG_RESET,
        [KILN_WATCHDOG_ACTION_RESET] = VIR_DOMAIN_EVENT_WATCHDOG_RESET,
        [KILN_WATCHDOG_ACTION_SHUTDOWN] = VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN,
        [KILN_WATCHDOG_ACTION_POWEROFF] = VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF,
        [KILN_WATCHDOG_ACTION_PAUSE] = VIR_DOMAIN_EVENT_WATCHDOG_PAUSE,
        [KILN_WATCHDOG_ACTION_NONE] = VIR_DOMAIN_EVENT_WATCHDOG_NONE,
        [KILN_WATCHDOG_ACTION_DUMP] = VIR_DOMAIN_EVENT_WATCHDOG_NONE,
        [KILN_WATCHDOG_ACTION_INJECT_NMI] = VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI,
    };
    const KilnDomain *live = kiln_guest_live(run->guest);
    KilnGuestNews news = { .event_id = VIR_DOMAIN_EVENT_ID_WATCHDOG };

    if (live != NULL && live->watchdogs->len > 0)
        news.type = actions[((KilnWatchdog *)g_ptr_array_index(live->watchdogs, 0))->action];
    kiln_guest_tell(run->guest, &news);
}

static void
on_memory_changed(KilnRun *run, GVariant *arguments)
{
    KilnGuestNews news = { .event_id = VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE };
    guint64 kib;

    g_variant_get(arguments, "(t)", &kib);
    news.numbers[0] = (gint64)kib;
    kiln_guest_tell(run->guest, &news);
}

static void
on_graphics(KilnRun *run, GVariant *arguments)
{
    static const Word phases[] = {
        { "connect", VIR_DOMAIN_EVENT_GRAPHICS_CONNECT },
        { "initialize", VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE },
        { "disconnect", VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT },
    };
    static const Word families[] = {
        { "ipv4", VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV4 },
        { "ipv6", VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV6 },
    };
    KilnGuestNews news = { .event_id = VIR_DOMAIN_EVENT_ID_GRAPHICS };
    const char *phase;
    const char *family;

    g_variant_get(arguments, "(&s&s(&s&s)(&s&s)&s&s)", &phase, &family, &news.texts[0],
                  &news.texts[1], &news.texts[2], &news.texts[3], &news.texts[4], &news.texts[5]);
    news.type = NUMBER_OF(phases, phase, VIR_DOMAIN_EVENT_GRAPHICS_CONNECT);
    news.detail = NUMBER_OF(families, family, VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX);
    kiln_guest_tell(run->guest, &news);
}

static void
on_finished(KilnRun *run, GVariant *arguments)
{
    static const Word outcomes[] = {
        { "poweroff", KILN_RUN_POWEROFF },
        { "destroyed", KILN_RUN_DESTROYED },
        { "crashed", KILN_RUN_CRASHED },
        { "failed", KILN_RUN_FAILED },
    };
    const char *outcome;

    g_variant_get(arguments, "(&s)", &outcome);
    run->outcome = (KilnRunOutcome)NUMBER_OF(outcomes, outcome, KILN_RUN_UNKNOWN);
    kiln_run_hurry(run);
}

static const struct {
    const char *name;
    const char *type;
    void (*hear)(KilnRun *run, GVariant *arguments);
} signals[] = {
    { "StateChanged", "(ss)", on_state_changed },
    { "Rebooted", "()", on_rebooted },
    { "Crashed", "()", on_crashed },
    { "IoError", "(ssss)", on_io_error },
    { "Watchdog", "()", on_watchdog },
    { "MemoryChanged", "(t)", on_memory_changed },
    { "Graphics", "(ss(ss)(ss)ss)", on_graphics },
    { "Finished", "(s)", on_finished },
};

void
kiln_hear_signal(KilnRun *run, const char *name, GVariant *arguments)
{
    for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
        if (strcmp(signals[i].name, name) == 0 &&
            g_variant_is_of_type(arguments, G_VARIANT_TYPE(signals[i].type))) {
            signals[i].hear(run, arguments);
            return;
        }
}
