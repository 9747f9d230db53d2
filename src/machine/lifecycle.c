/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's life: start, pause, resume, reset, power-off, crash, end.
 *
 *   vCPU thread: device op -> kiln_machine_request() -> bit, halt, eventfd
 *   main thread: take_requests() -> what the definition's on_poweroff, on_reboot or on_crash says
 *
 * A request stops all vCPUs at once, so that a guest that has asked to be reset does nothing more;
 * the main thread then decides, and either lets them run again or ends the guest.
 */
#include "machine/private.h"

#include "base/error.h"
#include "base/log.h"
#include "device/rtc.h"
#include "domain/domain.h"
#include "machine/functions.h"
#include "machine/pin.h"

typedef struct {
    guint id;
    KilnMachineListener listener;
    void *opaque;
} Listener;

/* ---- Events ------------------------------------------------------------------------------------
 */

guint
kiln_machine_listen(KilnMachine *machine, KilnMachineListener listener, void *opaque)
{
    Listener entry = { ++machine->last_listener, listener, opaque };

    g_array_append_val(machine->listeners, entry);
    return entry.id;
}

void
kiln_machine_unlisten(KilnMachine *machine, guint id)
{
    for (guint i = 0; i < machine->listeners->len; i++) {
        if (g_array_index(machine->listeners, Listener, i).id == id) {
            g_array_remove_index(machine->listeners, i);
            return;
        }
    }
}

/* Listeners may come and go while they are called: each is looked up by the id that follows. */
void
kiln_machine_emit(KilnMachine *machine, KilnMachineEvent event)
{
    guint last = machine->last_listener;
    guint done = 0;

    for (guint i = 0; i < machine->listeners->len;) {
        Listener entry = g_array_index(machine->listeners, Listener, i);

        if (entry.id <= done || entry.id > last) {
            i++;
            continue;
        }
        done = entry.id;
        entry.listener(machine, event, entry.opaque);
        i = 0;
    }
}

static void
set_state(KilnMachine *machine, KilnMachineState state, KilnMachineReason reason)
{
    if (machine->state == state && machine->reason == reason)
        return;
    machine->state = state;
    machine->reason = reason;
    kiln_machine_emit(machine, KILN_EVENT_STATE);
}

/* <timer name='rtc' track='guest'>: the clock stands still with the guest. */
static gboolean
rtc_tracks_guest(const KilnMachine *machine)
{
    const KilnDomainTimer *rtc = kiln_clock_timer(&machine->domain->clock, KILN_TIMER_RTC);

    return rtc != NULL && rtc->track == KILN_TRACK_GUEST;
}

/* ---- Running and standing still ----------------------------------------------------------------
 */

static void
run_vcpus(KilnMachine *machine)
{
    g_autoptr(GError) error = NULL;

    if (machine->running_before) {
        if (!kiln_vm_set_clock(machine->vm, machine->kvm_clock_ns, &error))
            kiln_log(KILN_LOG_WARNING, "the guest's clock jumps over the pause: %s",
                     error->message);
        kiln_vcpu_group_was_paused(machine->vcpus);
    }
    machine->running_before = TRUE;
    if (!rtc_tracks_guest(machine))
        kiln_rtc_set_seconds(machine->rtc, kiln_machine_time_of_day(machine));
    kiln_clock_start(machine->clock);
    kiln_machine_unquiesce(machine);
    kiln_vcpu_group_run(machine->vcpus);
}

/* Returns: (nullable): the alias of a device that still does not stand still. */
static const char *
park_vcpus(KilnMachine *machine)
{
    g_autoptr(GError) error = NULL;
    const char *unquiet;

    kiln_vcpu_group_park(machine->vcpus);
    unquiet = kiln_machine_quiesce(machine);
    kiln_clock_stop(machine->clock);
    if (!kiln_vm_get_clock(machine->vm, &machine->kvm_clock_ns, &error))
        kiln_log(KILN_LOG_WARNING, "cannot read the guest's clock: %s", error->message);
    if (unquiet != NULL)
        kiln_log(KILN_LOG_WARNING, "%s: the host does not answer to what the guest has asked it",
                 unquiet);
    return unquiet;
}

/* The end of every guest: threads gone, nothing freed yet. */
static void
finish(KilnMachine *machine, KilnMachineReason reason, KilnMachineOutcome outcome)
{
    const char *unquiet;

    if (machine->state == KILN_MACHINE_SHUTOFF)
        return;
    kiln_vcpu_group_stop(machine->vcpus);
    unquiet = kiln_machine_quiesce(machine);
    if (machine->state == KILN_MACHINE_SHUTOFF) /* by a second request, while we waited */
        return;
    machine->stuck = unquiet != NULL;
    if (machine->stuck)
        kiln_log(KILN_LOG_WARNING, "%s: the host does not answer; what it was asked is given up",
                 unquiet);
    else
        kiln_io_threads_stop(machine->threads);
    kiln_clock_stop(machine->clock);
    machine->outcome = outcome;
    set_state(machine, KILN_MACHINE_SHUTOFF, reason);
    kiln_machine_emit(machine, KILN_EVENT_FINISHED);
}

static void
fail(KilnMachine *machine, GError *error)
{
    kiln_log(KILN_LOG_ERROR, "the guest cannot go on: %s", error->message);
    g_clear_error(&machine->failure);
    machine->failure = error;
    finish(machine, KILN_REASON_FAILED, KILN_OUTCOME_FAILED);
}

/* Every device, interrupt controller and vCPU as after power-on, the kernel loaded anew. */
static gboolean
reset_board(KilnMachine *machine, GError **error)
{
    /* What the guest asked for before does not count any more; a failure does. */
    __atomic_and_fetch(&machine->requests, KILN_REQUEST_FAILURE, __ATOMIC_ACQ_REL);
    kiln_device_reset(kiln_pci_host_device(machine->pci));
    for (guint i = 0; i < machine->devices->len; i++)
        kiln_device_reset(g_ptr_array_index(machine->devices, i));
    kiln_machine_reset_memory_devices(machine);
    return kiln_vm_reset(machine->vm, error) && kiln_machine_load_boot(machine, error);
}

/* Resets the parked guest; runs it again if it ran. */
static void
restart(KilnMachine *machine, KilnMachineReason reason)
{
    g_autoptr(GError) error = NULL;
    gboolean run = machine->state == KILN_MACHINE_RUNNING;

    machine->reboot_on_off = FALSE;
    machine->told_crash = FALSE;
    if (!reset_board(machine, &error)) {
        fail(machine, g_steal_pointer(&error));
        return;
    }
    kiln_machine_emit(machine, KILN_EVENT_REBOOT);
    if (machine->state == KILN_MACHINE_SHUTOFF) /* a listener ended it */
        return;
    if (run) {
        run_vcpus(machine);
        set_state(machine, KILN_MACHINE_RUNNING, reason);
    }
}

/* ---- What the guest asks for -------------------------------------------------------------------
 */

void
kiln_machine_request(KilnMachine *machine, KilnRequest request)
{
    __atomic_or_fetch(&machine->requests, (guint)request, __ATOMIC_ACQ_REL);
    if ((request & KILN_REQUESTS_TOLD) == 0)
        kiln_vcpu_group_halt(machine->vcpus);
    kiln_event_set(&machine->attention);
}

void
kiln_machine_request_reset(void *opaque, KilnResetCause cause)
{
    KilnMachine *machine = opaque;

    __atomic_store_n(&machine->reset_cause, (guint)cause, __ATOMIC_RELAXED);
    kiln_machine_request(machine, KILN_REQUEST_RESET);
}

void
kiln_machine_vcpu_ended(void *opaque, KilnVcpuResult result, GError *error)
{
    KilnMachine *machine = opaque;

    switch (result) {
    case KILN_VCPU_RESET: kiln_machine_request_reset(machine, KILN_RESET_TRIPLE_FAULT); break;
    case KILN_VCPU_SHUTDOWN: kiln_machine_request(machine, KILN_REQUEST_POWER_OFF); break;
    case KILN_VCPU_CRASHED: kiln_machine_request(machine, KILN_REQUEST_PANIC); break;
    case KILN_VCPU_CONTINUE:
    case KILN_VCPU_KICKED:
    case KILN_VCPU_ERROR:
        kiln_mutex_lock(&machine->lock);
        if (machine->vcpu_error == NULL)
            machine->vcpu_error = g_steal_pointer(&error);
        kiln_mutex_unlock(&machine->lock);
        g_clear_error(&error);
        kiln_machine_request(machine, KILN_REQUEST_FAILURE);
        break;
    }
}

static void
act_on_power_off(KilnMachine *machine)
{
    KilnLifecycleAction action = machine->domain->lifecycle.on_poweroff;

    if (machine->reboot_on_off)
        action = KILN_ACTION_RESTART;
    switch (action) {
    case KILN_ACTION_RESTART:
    case KILN_ACTION_RENAME_RESTART: restart(machine, KILN_REASON_BOOTED); break;
    case KILN_ACTION_PRESERVE: set_state(machine, KILN_MACHINE_SHUTDOWN, KILN_REASON_GUEST); break;
    default: finish(machine, KILN_REASON_GUEST, KILN_OUTCOME_POWEROFF); break;
    }
}

static void
act_on_reset(KilnMachine *machine)
{
    switch (machine->domain->lifecycle.on_reboot) {
    case KILN_ACTION_DESTROY: finish(machine, KILN_REASON_GUEST, KILN_OUTCOME_POWEROFF); break;
    case KILN_ACTION_PRESERVE: set_state(machine, KILN_MACHINE_SHUTDOWN, KILN_REASON_GUEST); break;
    default: restart(machine, KILN_REASON_BOOTED); break;
    }
}

/* Once a run: what is said of it costs log lines and messages to clients. */
static void
tell_crash(KilnMachine *machine)
{
    if (machine->told_crash)
        return;
    machine->told_crash = TRUE;
    kiln_machine_emit(machine, KILN_EVENT_PANIC);
}

static void
act_on_crash(KilnMachine *machine)
{
    tell_crash(machine);
    if (machine->state == KILN_MACHINE_SHUTOFF)
        return;
    switch (machine->domain->lifecycle.on_crash) {
    case KILN_ACTION_RESTART:
    case KILN_ACTION_RENAME_RESTART: restart(machine, KILN_REASON_CRASHED); break;
    case KILN_ACTION_PRESERVE:
        set_state(machine, KILN_MACHINE_CRASHED, KILN_REASON_PANICKED);
        break;
    default: finish(machine, KILN_REASON_PANICKED, KILN_OUTCOME_CRASHED); break;
    }
}

/* As the button on a server's back: every vCPU gets one. */
static void
inject_nmi(KilnMachine *machine)
{
    g_autoptr(GError) error = NULL;

    (void)park_vcpus(machine);
    if (machine->state == KILN_MACHINE_SHUTOFF)
        return;
    if (!kiln_vcpu_group_nmi(machine->vcpus, &error))
        kiln_log(KILN_LOG_WARNING, "cannot inject an NMI: %s", error->message);
    run_vcpus(machine);
}

gboolean
kiln_machine_nmi(KilnMachine *machine, GError **error)
{
    if (machine->state != KILN_MACHINE_RUNNING)
        return kiln_error_set(error, KILN_ERROR_STATE, "the guest is %s",
                              kiln_machine_state_name(machine->state));
    inject_nmi(machine);
    return TRUE;
}

/* What of the watchdog's actions is not a request of its own. */
static void
act_on_watchdog(KilnMachine *machine)
{
    const KilnWatchdog *watchdog = g_ptr_array_index(machine->domain->watchdogs, 0);

    kiln_machine_emit(machine, KILN_EVENT_WATCHDOG);
    if (machine->state != KILN_MACHINE_RUNNING)
        return;
    if (watchdog->action == KILN_WATCHDOG_ACTION_SHUTDOWN)
        kiln_ich9_pm_power_button(machine->pm);
    else if (watchdog->action == KILN_WATCHDOG_ACTION_INJECT_NMI)
        inject_nmi(machine);
}

/* Main thread, at the attention event.  The vCPUs were told to halt by whoever asked. */
static void
take_requests(gpointer data)
{
    KilnMachine *machine = data;
    guint requests = __atomic_exchange_n(&machine->requests, 0, __ATOMIC_ACQ_REL);

    if (requests == 0 || machine->state == KILN_MACHINE_SHUTOFF ||
        machine->state == KILN_MACHINE_BUILT)
        return;
    if (requests & KILN_REQUEST_CRASH_LOADED)
        tell_crash(machine);
    if (requests & KILN_REQUEST_IO_ERROR_TOLD)
        kiln_machine_tell_io_errors(machine);
    if (requests & KILN_REQUEST_WATCHDOG)
        act_on_watchdog(machine);
    if ((requests & ~(guint)KILN_REQUESTS_TOLD) == 0 || machine->state == KILN_MACHINE_SHUTOFF)
        return;
    (void)park_vcpus(machine);
    if (machine->state == KILN_MACHINE_SHUTOFF) /* the user ended it while we waited for devices */
        return;
    if (requests & KILN_REQUEST_FAILURE) {
        GError *error = NULL;

        kiln_mutex_lock(&machine->lock);
        error = g_steal_pointer(&machine->vcpu_error);
        kiln_mutex_unlock(&machine->lock);
        if (error == NULL)
            kiln_error_set(&error, KILN_ERROR_FAILED, "a vCPU ended without saying why");
        fail(machine, error);
    } else if (requests & KILN_REQUEST_DESTROY) {
        finish(machine, KILN_REASON_WATCHDOG, KILN_OUTCOME_DESTROYED);
    } else if (requests & KILN_REQUEST_PANIC) {
        act_on_crash(machine);
    } else if (requests & KILN_REQUEST_POWER_OFF) {
        act_on_power_off(machine);
    } else if (requests & KILN_REQUEST_RESET) {
        act_on_reset(machine);
    } else if (machine->state == KILN_MACHINE_RUNNING) {
        set_state(machine, KILN_MACHINE_PAUSED,
                  requests & KILN_REQUEST_IO_ERROR ? KILN_REASON_IO_ERROR : KILN_REASON_WATCHDOG);
    }
}

/* ---- What the user asks for --------------------------------------------------------------------
 */

static gboolean
require(const KilnMachine *machine, gboolean right, const char *what, GError **error)
{
    if (right)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_STATE, "cannot %s a guest that is %s", what,
                          kiln_machine_state_name(machine->state));
}

/* <emulatorpin>, else <vcpu cpuset=...>.  After the vCPU threads are there: they do not inherit it.
 */
static gboolean
pin_main_thread(const KilnMachine *machine, GError **error)
{
    const KilnBitmap *cpus = machine->domain->cputune.emulator_pin != NULL
                                 ? machine->domain->cputune.emulator_pin
                                 : machine->domain->vcpus.cpuset;

    return cpus == NULL || kiln_pin_thread(pthread_self(), cpus, "kiln", error);
}

gboolean
kiln_machine_start(KilnMachine *machine, gboolean paused, GError **error)
{
    if (!require(machine, machine->state == KILN_MACHINE_BUILT, "start", error) ||
        !kiln_io_threads_start(machine->threads, error) ||
        !kiln_vcpu_group_start(machine->vcpus, error) || !pin_main_thread(machine, error))
        return FALSE;
    if (paused) {
        if (!kiln_vm_get_clock(machine->vm, &machine->kvm_clock_ns, error))
            return FALSE;
        machine->running_before = TRUE;
        set_state(machine, KILN_MACHINE_PAUSED, KILN_REASON_STARTING);
        return TRUE;
    }
    run_vcpus(machine);
    set_state(machine, KILN_MACHINE_RUNNING, KILN_REASON_BOOTED);
    return TRUE;
}

gboolean
kiln_machine_pause(KilnMachine *machine, GError **error)
{
    const char *unquiet;

    if (machine->state == KILN_MACHINE_PAUSED)
        return TRUE;
    if (!require(machine, machine->state == KILN_MACHINE_RUNNING, "pause", error))
        return FALSE;
    unquiet = park_vcpus(machine);
    if (!require(machine, machine->state == KILN_MACHINE_RUNNING, "pause", error))
        return FALSE;
    if (unquiet != NULL) {
        run_vcpus(machine);
        return kiln_error_set(error, KILN_ERROR_FAILED,
                              "cannot pause the guest: the host does not answer to what '%s' has "
                              "asked it; it goes on",
                              unquiet);
    }
    set_state(machine, KILN_MACHINE_PAUSED, KILN_REASON_USER);
    return TRUE;
}

gboolean
kiln_machine_resume(KilnMachine *machine, GError **error)
{
    if (machine->state == KILN_MACHINE_RUNNING)
        return TRUE;
    if (!require(machine, machine->state == KILN_MACHINE_PAUSED, "resume", error))
        return FALSE;
    run_vcpus(machine);
    set_state(machine, KILN_MACHINE_RUNNING, KILN_REASON_UNPAUSED);
    return TRUE;
}

gboolean
kiln_machine_shutdown(KilnMachine *machine, GError **error)
{
    if (!require(machine, machine->state == KILN_MACHINE_RUNNING, "shut down", error))
        return FALSE;
    machine->reboot_on_off = FALSE;
    kiln_ich9_pm_power_button(machine->pm);
    return TRUE;
}

gboolean
kiln_machine_reboot(KilnMachine *machine, GError **error)
{
    if (!require(machine, machine->state == KILN_MACHINE_RUNNING, "reboot", error))
        return FALSE;
    machine->reboot_on_off = TRUE;
    kiln_ich9_pm_power_button(machine->pm);
    return TRUE;
}

gboolean
kiln_machine_reset(KilnMachine *machine, GError **error)
{
    if (!require(machine,
                 machine->state == KILN_MACHINE_RUNNING || machine->state == KILN_MACHINE_PAUSED,
                 "reset", error))
        return FALSE;
    (void)park_vcpus(machine);
    if (!require(machine, machine->state != KILN_MACHINE_SHUTOFF, "reset", error))
        return FALSE;
    restart(machine, KILN_REASON_BOOTED);
    if (machine->failure != NULL) {
        if (error != NULL)
            *error = g_error_copy(machine->failure);
        return FALSE;
    }
    return TRUE;
}

void
kiln_machine_quit(KilnMachine *machine, KilnMachineReason reason)
{
    finish(machine, reason, KILN_OUTCOME_DESTROYED);
}

/* ---- Asking ------------------------------------------------------------------------------------
 */

KilnMachineState
kiln_machine_state(const KilnMachine *machine)
{
    return machine->state;
}

KilnMachineReason
kiln_machine_reason(const KilnMachine *machine)
{
    return machine->reason;
}

KilnMachineOutcome
kiln_machine_outcome(const KilnMachine *machine)
{
    return machine->outcome;
}

const GError *
kiln_machine_failure(const KilnMachine *machine)
{
    return machine->failure;
}

const char *
kiln_machine_state_name(KilnMachineState state)
{
    static const char *const names[] = {
        [KILN_MACHINE_BUILT] = "nostate",   [KILN_MACHINE_RUNNING] = "running",
        [KILN_MACHINE_PAUSED] = "paused",   [KILN_MACHINE_SHUTDOWN] = "shutdown",
        [KILN_MACHINE_CRASHED] = "crashed", [KILN_MACHINE_SHUTOFF] = "shutoff",
    };

    return names[state];
}

const char *
kiln_machine_reason_name(KilnMachineReason reason)
{
    static const char *const names[] = {
        [KILN_REASON_UNKNOWN] = "unknown",     [KILN_REASON_BOOTED] = "booted",
        [KILN_REASON_UNPAUSED] = "unpaused",   [KILN_REASON_USER] = "user",
        [KILN_REASON_STARTING] = "starting",   [KILN_REASON_GUEST] = "guest",
        [KILN_REASON_DESTROYED] = "destroyed", [KILN_REASON_PANICKED] = "panicked",
        [KILN_REASON_CRASHED] = "crashed",     [KILN_REASON_FAILED] = "failed",
        [KILN_REASON_IO_ERROR] = "io-error",   [KILN_REASON_WATCHDOG] = "watchdog",
    };

    return names[reason];
}

/* ---- Making ------------------------------------------------------------------------------------
 */

gboolean
kiln_machine_init_lifecycle(KilnMachine *machine, GError **error)
{
    machine->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
    kiln_mutex_init(&machine->lock);
    if (!kiln_event_open(&machine->attention, error))
        return FALSE;
    machine->attention_source =
        kiln_event_source_new(&machine->attention, NULL, take_requests, machine);
    return TRUE;
}

void
kiln_machine_clear_lifecycle(KilnMachine *machine)
{
    if (machine->attention_source != NULL)
        kiln_source_free(machine->attention_source);
    kiln_event_clear(&machine->attention);
    g_clear_error(&machine->vcpu_error);
    g_clear_error(&machine->failure);
    g_array_free(machine->listeners, TRUE);
    kiln_mutex_clear(&machine->lock);
}
