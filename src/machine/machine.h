/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest: what is built from a definition, and what can be done with it.
 *
 *   new (build, nothing runs) -> start -> running <-> paused -> finished -> free
 *
 * Every function here is called on the main thread, the one that runs the default main context;
 * none waits for the guest.  vCPU threads tell the main thread what happened through that context.
 */
#ifndef KILN_MACHINE_MACHINE_H
#define KILN_MACHINE_MACHINE_H

#include "chardev/chardev.h"
#include "domain/domain.h"

#include <glib.h>
#include <stdint.h>

typedef struct KilnMachine KilnMachine;

/**
 * KilnMachineState:
 * @KILN_MACHINE_BUILT: made and not started; start or free may be called
 * @KILN_MACHINE_RUNNING: vCPUs run
 * @KILN_MACHINE_PAUSED: no vCPU runs and the guest's clocks stand still; resume goes on
 * @KILN_MACHINE_SHUTDOWN: as PAUSED, for good: the guest powered itself off (or was reset) and
 *   on_poweroff (on_reboot) says preserve
 * @KILN_MACHINE_CRASHED: as PAUSED, for good: the guest panicked and on_crash says preserve
 * @KILN_MACHINE_SHUTOFF: finished; vCPU threads are gone; only free, state and outcome may be
 *   called
 *
 * They correspond to libvirt's virDomainState of the same names (BUILT to NOSTATE).
 */
typedef enum {
    KILN_MACHINE_BUILT,
    KILN_MACHINE_RUNNING,
    KILN_MACHINE_PAUSED,
    KILN_MACHINE_SHUTDOWN,
    KILN_MACHINE_CRASHED,
    KILN_MACHINE_SHUTOFF,
} KilnMachineState;

/**
 * KilnMachineReason:
 *
 * Why the state is what it is; libvirt's reasons (virDomainRunningReason and its kin) can be told
 * from state and reason together.
 */
typedef enum {
    KILN_REASON_UNKNOWN,
    KILN_REASON_BOOTED,    /* running: started */
    KILN_REASON_UNPAUSED,  /* running: resumed by the user */
    KILN_REASON_USER,      /* paused or shutdown: the user asked */
    KILN_REASON_STARTING,  /* paused: start was asked to leave it paused */
    KILN_REASON_GUEST,     /* shutoff: the guest powered itself off */
    KILN_REASON_DESTROYED, /* shutoff: killed by the user, or a lifecycle action said destroy */
    KILN_REASON_PANICKED,  /* crashed or shutoff: the guest said that it panicked (pvpanic) */
    KILN_REASON_CRASHED,   /* running or shutoff: a crash, and on_crash restarted or ended it */
    KILN_REASON_FAILED,    /* paused or shutoff: KVM or kiln itself cannot go on */
    KILN_REASON_IO_ERROR,  /* paused: a disk's error policy says stop; resume tries again */
    KILN_REASON_WATCHDOG,  /* paused: the guest's watchdog expired and its action says pause */
} KilnMachineReason;

/* How it ended, for exit statuses and logs. */
typedef enum {
    KILN_OUTCOME_NONE,     /* not finished */
    KILN_OUTCOME_POWEROFF, /* the guest powered itself off, or reset itself and on_reboot is destroy
                            */
    KILN_OUTCOME_DESTROYED, /* killed by the user */
    KILN_OUTCOME_CRASHED,   /* the guest panicked, and on_crash ended it */
    KILN_OUTCOME_FAILED,    /* kiln or KVM failed; kiln_machine_failure() says why */
} KilnMachineOutcome;

typedef enum {
    KILN_EVENT_STATE,    /* state or reason changed */
    KILN_EVENT_REBOOT,   /* the guest was reset, by itself or by the user, and runs on */
    KILN_EVENT_PANIC,    /* the guest said that it panicked, whatever on_crash makes of it */
    KILN_EVENT_FINISHED, /* state is SHUTOFF; the process may end */
    KILN_EVENT_IO_ERROR, /* a disk's request failed on the host, whatever became of it */
    KILN_EVENT_WATCHDOG, /* the guest's watchdog expired, whatever its action makes of it */
    KILN_EVENT_BALLOON,  /* the guest has more or less memory than before, as its definition says */
    KILN_EVENT_DEFINITION, /* something else of the live definition changed */
    KILN_EVENT_GRAPHICS,   /* somebody came to look at the screen, or left */
} KilnMachineEvent;

/**
 * KilnMachineIoError:
 * @alias: of the disk; lives as long as the machine
 * @error: the errno
 * @action: "none" (ignored), "pause" or "report", libvirt's words
 */
typedef struct {
    const char *alias;
    gboolean is_read;
    int error;
    const char *action;
} KilnMachineIoError;

/**
 * KilnMachineGraphicsEvent: who looks
 * @phase: "connect" (not let in yet), "initialize", "disconnect"
 * @family: "ipv4", "ipv6" or "unix"; of both ends
 * @node, @service, @local_node, @local_service: addresses and ports, or a path and ""
 * @scheme: how it authenticated: "none", "vnc", "x509", "x509+vnc"
 * @x509_name: (nullable): of its certificate
 */
typedef struct {
    const char *phase;
    const char *family;
    const char *node, *service;
    const char *local_node, *local_service;
    const char *scheme;
    const char *x509_name;
} KilnMachineGraphicsEvent;

typedef void (*KilnMachineListener)(KilnMachine *machine, KilnMachineEvent event, void *opaque);

/**
 * KilnMachineOptions:
 * @kvm_fd: an open /dev/kvm, borrowed; -1 opens it
 * @console: connect the first serial port to the terminal, whatever the definition says of it
 * @socket_dir: (nullable): where sockets are made that the definition asks for and does not name
 * @captures: (nullable): NULL-terminated: "net0=FILE": what passes that interface (its alias or MAC
 *   address) is captured into FILE, in libpcap's format
 * @state_dir: (nullable): where devices keep what outlives the guest's runs: a TPM's state
 * @reset_nvram: the firmware's variables are those of their template again
 * @thread_started: (nullable): called on each vCPU thread before it runs the guest: where the
 *   sandbox closes around it
 */
typedef struct {
    int kvm_fd;
    gboolean console;
    const char *socket_dir;
    const char *const *captures;
    const char *state_dir;
    gboolean reset_nvram;
    gboolean (*thread_started)(GError **error);
} KilnMachineOptions;

/**
 * kiln_machine_new:
 * @domain: (transfer full): validated and with addresses assigned
 *
 * Opens all that the definition names (kernel, files, sockets, /dev/kvm), maps guest memory, builds
 * the board and loads the kernel.  No vCPU runs yet and no thread is started.
 *
 * Returns: (nullable): the machine, or NULL with @error set and nothing left behind.
 */
KilnMachine *kiln_machine_new(KilnDomain *domain, const KilnMachineOptions *options,
                              GError **error);

/**
 * kiln_machine_start:
 * @paused: build everything up to the first instruction and wait there for resume
 *
 * Starts the vCPU threads.  Called once.
 */
gboolean kiln_machine_start(KilnMachine *machine, gboolean paused, GError **error);

/**
 * kiln_machine_free:
 *
 * Ends a guest that still runs at once, as if its plug was pulled, and releases everything.
 */
void kiln_machine_free(KilnMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnMachine, kiln_machine_free)

/* Each fails with KILN_ERROR_STATE, naming the state, when it makes no sense in it. */
gboolean kiln_machine_pause(KilnMachine *machine, GError **error);
gboolean kiln_machine_resume(KilnMachine *machine, GError **error);
/* Presses the ACPI power button; the guest decides what comes of it. */
gboolean kiln_machine_shutdown(KilnMachine *machine, GError **error);
/* As shutdown, and the guest is started again when it has powered off. */
gboolean kiln_machine_reboot(KilnMachine *machine, GError **error);
/* Presses the reset button: at once, whatever the guest does. */
gboolean kiln_machine_reset(KilnMachine *machine, GError **error);
/* Pulls the plug: SHUTOFF with @reason; always works. */
void kiln_machine_quit(KilnMachine *machine, KilnMachineReason reason);

KilnMachineState kiln_machine_state(const KilnMachine *machine);
KilnMachineReason kiln_machine_reason(const KilnMachine *machine);
KilnMachineOutcome kiln_machine_outcome(const KilnMachine *machine);
/* What failed, NULL unless the outcome or reason is FAILED; owned by the machine. */
const GError *kiln_machine_failure(const KilnMachine *machine);

/* "nostate", "running", "paused", "shutdown", "crashed", "shutoff"; "user", "booted", …: words for
 * programs, as the control interface has them. */
const char *kiln_machine_state_name(KilnMachineState state);
const char *kiln_machine_reason_name(KilnMachineReason reason);

/**
 * kiln_machine_listen:
 *
 * Calls @listener on the main thread after each event; a listener may call anything here but free.
 *
 * Returns: an id for kiln_machine_unlisten(), never 0.
 */
guint kiln_machine_listen(KilnMachine *machine, KilnMachineListener listener, void *opaque);
void kiln_machine_unlisten(KilnMachine *machine, guint id);

/* ---- Devices of a running guest; each fails naming what there is not ---------------------------
 */

/* The disk with @target ("vda", or its alias) is @bytes long from now on, and the guest is told. */
gboolean kiln_machine_resize_disk(KilnMachine *machine, const char *target, uint64_t bytes,
                                  GError **error);
/**
 * kiln_machine_change_medium:
 * @target: a CD-ROM drive's, or its alias
 * @fd: (transfer full): an image, open for reading; -1: the drive is to be empty
 * @path: what the image is called, in the live definition
 * @format: (nullable): "raw" if not said
 * @force: also if the guest has locked the tray; else it is asked to open it, and that is an error,
 *   KILN_ERROR_STATE
 */
gboolean kiln_machine_change_medium(KilnMachine *machine, const char *target, int fd,
                                    const char *path, const char *format, gboolean force,
                                    GError **error);
/* The guest is to have @bytes of memory: its balloon's target. */
gboolean kiln_machine_set_memory(KilnMachine *machine, uint64_t bytes, GError **error);
/* How often it reports on its memory; 0: never. */
gboolean kiln_machine_set_memory_period(KilnMachine *machine, guint seconds, GError **error);
/* The virtio-mem device @alias is to give the guest @bytes. */
gboolean kiln_machine_set_memory_device(KilnMachine *machine, const char *alias, uint64_t bytes,
                                        GError **error);
/* The cable of the interface (alias, host side's name or MAC) is plugged in, or pulled. */
gboolean kiln_machine_set_link(KilnMachine *machine, const char *interface, gboolean up,
                               GError **error);
/* Title, description or an element under <metadata>: kiln_metadata_set() of the live definition. */
gboolean kiln_machine_set_metadata(KilnMachine *machine, int kind, const char *text,
                                   const char *key, const char *uri, GError **error);
/* What becomes of the guest when it ends: kiln_lifecycle_set() of the live definition. */
gboolean kiln_machine_set_lifecycle(KilnMachine *machine, const char *event, const char *action,
                                    GError **error);
/* A non-maskable interrupt to every vCPU, as the button on a server's back gives. */
gboolean kiln_machine_nmi(KilnMachine *machine, GError **error);
/**
 * kiln_machine_send_keys:
 * @keys: @n keys of linux/input-event-codes.h (libvirt's code set "linux")
 * @hold_ms: how long they are held down together
 *
 * Presses the keys of the guest's keyboard in their order, and lets them go at once when they were
 * held.
 */
gboolean kiln_machine_send_keys(KilnMachine *machine, const guint16 *keys, guint n, guint hold_ms,
                                GError **error);

/* ---- The guest's screen ------------------------------------------------------------------------
 */

/**
 * kiln_machine_open_graphics:
 * @index: which <graphics> of the definition
 * @fd: (transfer full): a connected socket, closed on failure, which a client of its protocol has
 * @let_in: no password is asked for
 */
gboolean kiln_machine_open_graphics(KilnMachine *machine, guint index, int fd, gboolean let_in,
                                    GError **error);
/**
 * kiln_machine_screenshot:
 * @screen: which one, from 0
 *
 * Returns: a file in memory with the picture as PPM (P6), at its begin; -1 with @error set.
 */
int kiln_machine_screenshot(KilnMachine *machine, guint screen, GError **error);
/* @password: (nullable) NULL asks for none; @valid_to: (nullable) as passwdValidTo.  Of the live
 * definition. */
gboolean kiln_machine_set_graphics_password(KilnMachine *machine, const char *password,
                                            const char *valid_to, GError **error);
/* What KILN_EVENT_GRAPHICS is about, during the event. */
const KilnMachineGraphicsEvent *kiln_machine_graphics_event(const KilnMachine *machine);

/**
 * kiln_machine_threads:
 *
 * Returns: (transfer floating): an a{su}: the kernel's ids of "emulator" (the main thread),
 * "vcpu.N" and "iothread.N" ("iothread.0" serves what names none).
 */
GVariant *kiln_machine_threads(KilnMachine *machine);

/* What KILN_EVENT_IO_ERROR is about, during the event. */
const KilnMachineIoError *kiln_machine_io_error(const KilnMachine *machine);
/* Bytes of memory that the guest has: all less what is in its balloon, and what is plugged in. */
uint64_t kiln_machine_memory(const KilnMachine *machine);

/**
 * kiln_machine_domain:
 * Returns: (transfer none): the live definition, with run-time values such as pty paths in it.
 */
const KilnDomain *kiln_machine_domain(const KilnMachine *machine);

/**
 * kiln_machine_console:
 * @name: (nullable): an alias ("serial0"), or NULL for the first serial port
 *
 * Returns: (transfer none) (nullable): its character device, or NULL with @error set.
 */
KilnChardev *kiln_machine_console(KilnMachine *machine, const char *name, GError **error);

/**
 * kiln_machine_statistics:
 *
 * Returns: (transfer floating): an a{sv} with the keys of libvirt's bulk statistics ("state.state",
 *   "cpu.time" in ns, "vcpu.current", "vcpu.0.time", "balloon.maximum" in KiB,
 *   "block.0.rd.bytes", "net.0.rx.pkts", …) and kiln's own
 *   ("exits.total", "exits.pio", …).  Reads what the threads publish; waits for nothing.
 */
GVariant *kiln_machine_statistics(KilnMachine *machine);

/**
 * kiln_machine_save / _load:
 * @stream: the state of every device, vCPU and clock, without guest memory
 *
 * Only while PAUSED (save) or BUILT (load).  A loaded stream is hostile: any fault is an error that
 * names section and field, after which the machine can only be freed.
 */
gboolean kiln_machine_save(KilnMachine *machine, GByteArray *stream, GError **error);
gboolean kiln_machine_load(KilnMachine *machine, const guint8 *stream, gsize length,
                           GError **error);

#endif
