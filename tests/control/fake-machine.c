/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fake-machine.h. */
#include "tests/control/fake-machine.h"

#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "domain/domain.h"

struct KilnMachine {
    KilnMachineState state;
    KilnMachineReason reason;
    KilnMachineListener listener;
    void *opaque;
    KilnChardev *console;
};

KilnMachine *
fake_machine_new(KilnChardev *console)
{
    KilnMachine *machine = g_new0(KilnMachine, 1);

    machine->state = KILN_MACHINE_RUNNING;
    machine->reason = KILN_REASON_BOOTED;
    machine->console = console;
    return machine;
}

void
fake_machine_event(KilnMachine *machine, KilnMachineEvent event)
{
    if (machine->listener != NULL)
        machine->listener(machine, event, machine->opaque);
}

static gboolean
move(KilnMachine *machine, KilnMachineState from, KilnMachineState to, KilnMachineReason reason,
     GError **error)
{
    if (machine->state != from)
        return kiln_error_set(error, KILN_ERROR_STATE, "the guest is %s",
                              kiln_machine_state_name(machine->state));
    machine->state = to;
    machine->reason = reason;
    fake_machine_event(machine, KILN_EVENT_STATE);
    return TRUE;
}

gboolean
kiln_machine_pause(KilnMachine *machine, GError **error)
{
    return move(machine, KILN_MACHINE_RUNNING, KILN_MACHINE_PAUSED, KILN_REASON_USER, error);
}

gboolean
kiln_machine_resume(KilnMachine *machine, GError **error)
{
    return move(machine, KILN_MACHINE_PAUSED, KILN_MACHINE_RUNNING, KILN_REASON_UNPAUSED, error);
}

gboolean
kiln_machine_shutdown(KilnMachine *machine, GError **error)
{
    return move(machine, KILN_MACHINE_RUNNING, KILN_MACHINE_SHUTDOWN, KILN_REASON_USER, error);
}

gboolean
kiln_machine_reboot(KilnMachine *machine, GError **error)
{
    return kiln_machine_shutdown(machine, error);
}

gboolean
kiln_machine_reset(KilnMachine *machine, GError **error)
{
    fake_machine_event(machine, KILN_EVENT_REBOOT);
    return TRUE;
}

void
kiln_machine_quit(KilnMachine *machine, KilnMachineReason reason)
{
    (void)move(machine, machine->state, KILN_MACHINE_SHUTOFF, reason, NULL);
    fake_machine_event(machine, KILN_EVENT_FINISHED);
}

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
    return machine->state == KILN_MACHINE_SHUTOFF ? KILN_OUTCOME_DESTROYED : KILN_OUTCOME_NONE;
}

const char *
kiln_machine_state_name(KilnMachineState state)
{
    static const char *const names[] = { "nostate",  "running", "paused",
                                         "shutdown", "crashed", "shutoff" };

    return names[state];
}

const char *
kiln_machine_reason_name(KilnMachineReason reason)
{
    static const char *const names[] = { "unknown",  "booted", "unpaused",  "user",
                                         "starting", "guest",  "destroyed", "panicked",
                                         "crashed",  "failed", "io-error",  "watchdog" };

    return names[reason];
}

guint
kiln_machine_listen(KilnMachine *machine, KilnMachineListener listener, void *opaque)
{
    machine->listener = listener;
    machine->opaque = opaque;
    return 1;
}

void
kiln_machine_unlisten(KilnMachine *machine, guint id)
{
    machine->listener = NULL;
}

KilnChardev *
kiln_machine_console(KilnMachine *machine, const char *name, GError **error)
{
    if (name == NULL || g_str_equal(name, "serial0"))
        return machine->console;
    kiln_error_set(error, KILN_ERROR_NOT_FOUND, "there is no console '%s'", name);
    return NULL;
}

gboolean
kiln_machine_open_graphics(KilnMachine *machine, guint index, int fd, gboolean let_in,
                           GError **error)
{
    kiln_fd_clear(&fd);
    return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no <graphics> %u", index);
}

int
kiln_machine_screenshot(KilnMachine *machine, guint screen, GError **error)
{
    (void)kiln_error_set(error, KILN_ERROR_INVALID, "the guest has no screen %u", screen);
    return -1;
}

gboolean
kiln_machine_set_graphics_password(KilnMachine *machine, const char *password, const char *valid_to,
                                   GError **error)
{
    return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "the guest has no VNC server");
}

const KilnMachineGraphicsEvent *
kiln_machine_graphics_event(const KilnMachine *machine)
{
    static const KilnMachineGraphicsEvent event = {
        .phase = "connect",
        .family = "ipv4",
        .node = "192.0.2.1",
        .service = "1024",
        .local_node = "192.0.2.2",
        .local_service = "5900",
        .scheme = "none",
    };

    return &event;
}

gboolean
kiln_machine_nmi(KilnMachine *machine, GError **error)
{
    return kiln_error_set(error, KILN_ERROR_STATE, "the guest is %s",
                          kiln_machine_state_name(machine->state));
}

gboolean
kiln_machine_send_keys(KilnMachine *machine, const guint16 *keys, guint n, guint hold_ms,
                       GError **error)
{
    return n == 2 && keys[0] == 29 && keys[1] == 46 && hold_ms == 50
               ? TRUE
               : kiln_error_set(error, KILN_ERROR_INVALID, "other keys");
}

GVariant *
kiln_machine_threads(KilnMachine *machine)
{
    return g_variant_new_parsed("{'emulator': @u 1, 'vcpu.0': 2}");
}

GVariant *
kiln_machine_statistics(KilnMachine *machine)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "vcpu.current", g_variant_new_uint32(2));
    g_variant_builder_add(&builder, "{sv}", "balloon.maximum", g_variant_new_uint64(131072));
    return g_variant_builder_end(&builder);
}

/* What was asked for last, for a test to see in the error that comes back. */
static gboolean
asked(GError **error, const char *what, const char *which, guint64 value)
{
    return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "%s %s %" G_GUINT64_FORMAT, what, which,
                          value);
}

gboolean
kiln_machine_resize_disk(KilnMachine *machine, const char *target, uint64_t bytes, GError **error)
{
    return asked(error, "resize", target, bytes);
}

gboolean
kiln_machine_change_medium(KilnMachine *machine, const char *target, int fd, const char *path,
                           const char *format, gboolean force, GError **error)
{
    g_autofree char *what = g_strdup_printf("medium %s %s%s", fd >= 0 ? path : "none",
                                            format != NULL ? format : "raw", force ? "!" : "");
    char first = 0;

    if (fd >= 0 && read(fd, &first, 1) != 1)
        first = 0;
    if (fd >= 0)
        close(fd);
    return asked(error, what, target, (guint64)(unsigned char)first);
}

gboolean
kiln_machine_set_memory(KilnMachine *machine, uint64_t bytes, GError **error)
{
    return asked(error, "memory", "balloon", bytes);
}

gboolean
kiln_machine_set_memory_period(KilnMachine *machine, guint seconds, GError **error)
{
    return asked(error, "memory-period", "balloon", seconds);
}

gboolean
kiln_machine_set_memory_device(KilnMachine *machine, const char *alias, uint64_t bytes,
                               GError **error)
{
    return asked(error, "memory-device", alias, bytes);
}

gboolean
kiln_machine_set_link(KilnMachine *machine, const char *interface, gboolean up, GError **error)
{
    return g_str_equal(interface, "net0") || asked(error, "link", interface, up);
}

gboolean
kiln_machine_set_metadata(KilnMachine *machine, int kind, const char *text, const char *key,
                          const char *uri, GError **error)
{
    g_autofree char *which = g_strconcat(text, " ", key, " ", uri, NULL);

    return asked(error, "metadata", which, (guint64)kind);
}

gboolean
kiln_machine_set_lifecycle(KilnMachine *machine, const char *event, const char *action,
                           GError **error)
{
    return asked(error, event, action, 0);
}

const KilnMachineIoError *
kiln_machine_io_error(const KilnMachine *machine)
{
    static const KilnMachineIoError error = { "virtio-disk0", TRUE, 5, "pause" };

    return &error;
}

uint64_t
kiln_machine_memory(const KilnMachine *machine)
{
    return 64 << 20;
}

const KilnDomain *
kiln_machine_domain(const KilnMachine *machine)
{
    return NULL;
}

char *
kiln_domain_format(const KilnDomain *domain, KilnDomainFormatFlags flags)
{
    return g_strdup(flags == 0 ? "<domain type='kvm'/>\n" : "<domain type='kvm' secret='1'/>\n");
}
