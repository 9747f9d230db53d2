/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this room share; nobody else includes it. */
#ifndef KILN_MACHINE_PRIVATE_H
#define KILN_MACHINE_PRIVATE_H

#include "base/fd.h"
#include "base/process.h"
#include "bus/pci-bus.h"
#include "bus/space.h"
#include "device/ata-drive.h"
#include "device/clock.h"
#include "device/ich9-pm.h"
#include "device/reset.h"
#include "device/scsi.h"
#include "device/tpm-emulator.h"
#include "display/input.h"
#include "display/surface.h"
#include "display/vnc.h"
#include "kvm/cpuid.h"
#include "kvm/kvm.h"
#include "kvm/vm.h"
#include "loop/event.h"
#include "machine/io.h"
#include "machine/machine.h"
#include "machine/msi.h"
#include "machine/vcpu-group.h"
#include "memory/memory.h"
#include "virtio/device.h"

enum {
    KILN_MACHINE_N_ISA_IRQS = 16,
    KILN_MACHINE_GSI_SCI = 9,
};

/* What a guest asked for since the main thread last looked; set by any thread. */
typedef enum {
    KILN_REQUEST_RESET = 1 << 0,
    KILN_REQUEST_POWER_OFF = 1 << 1,
    KILN_REQUEST_PANIC = 1 << 2,
    KILN_REQUEST_CRASH_LOADED = 1 << 3,
    KILN_REQUEST_FAILURE = 1 << 4,
    KILN_REQUEST_IO_ERROR = 1 << 5, /* pause: a disk waits */
    KILN_REQUEST_PAUSE = 1 << 6,    /* pause: the watchdog's action */
    KILN_REQUEST_IO_ERROR_TOLD = 1 << 7,
    KILN_REQUEST_WATCHDOG = 1 << 8, /* it expired; the main thread does what it is to do */
    KILN_REQUEST_DESTROY = 1 << 9,  /* the plug is pulled: the watchdog's action poweroff */
    /* Those that are told and no more: the guest goes on, its crash kernel too. */
    KILN_REQUESTS_TOLD =
        KILN_REQUEST_CRASH_LOADED | KILN_REQUEST_IO_ERROR_TOLD | KILN_REQUEST_WATCHDOG,
} KilnRequest;

/* A host side: of a serial port, a console, a channel. */
typedef struct {
    char *alias;          /* (owned) "serial0" */
    KilnChardev *chardev; /* (owned) */
    gboolean console;     /* it can be asked for as one */
} KilnMachinePort;

enum { KILN_MACHINE_MAX_IO_ERRORS = 16 }; /* that wait to be told; more are not told singly */

/* A disk and what belongs to it. */
typedef struct {
    KilnMachine *machine;
    const KilnDisk *disk;     /* of the definition */
    KilnVirtioDevice *device; /* (nullable): one of @virtios, that it is or is a unit of */
    KilnScsiUnit *unit;       /* (nullable): if it is a SCSI unit, or an ATAPI drive */
    guint iothread;           /* of @unit: where it works, an <iothread> or KILN_IO_SHARED */
    KilnAtaDrive *drive;      /* (nullable): one of @devices, on … */
    KilnPciDevice *ahci;      /* (nullable) … one of @ahcis */
} KilnMachineDisk;

enum { KILN_MACHINE_MAX_KEYS = 16 }; /* libvirt's VIR_DOMAIN_SEND_KEY_MAX_KEYS */

/* Keys that are down until a timer lets them go. */
typedef struct {
    KilnInputs *inputs; /* the machine's */
    guint16 keys[KILN_MACHINE_MAX_KEYS];
    guint n;
    guint source; /* 0: none are down */
} KilnMachineHeldKeys;

/* Lights of a keyboard. */
typedef struct {
    KilnInputSink *sink; /* (nullable): one of the machine's inputs */
    KilnInputLights on;
} KilnMachineLights;

/* An interface. */
typedef struct {
    KilnNet *net;             /* of the definition */
    KilnVirtioDevice *device; /* one of @virtios */
} KilnMachineNet;

/* A <memory> device. */
typedef struct {
    KilnMachine *machine;
    KilnMemoryDevice *memory; /* of the definition */
    KilnVirtioDevice *mem;    /* one of @virtios if it is a virtio-mem device, else NULL */
} KilnMachineMemoryDevice;

struct KilnMachine {
    KilnDomain *domain; /* (owned) */
    KilnMachineOptions options;

    /* The board, in the order in which it is built; freed the other way round. */
    KilnKvm *kvm;                                /* (owned) */
    KilnMemory *memory;                          /* (owned) */
    KilnVm *vm;                                  /* (owned) */
    KilnCpuid *cpuid;                            /* (owned) */
    KilnClock *clock;                            /* (owned) */
    KilnSpace *io;                               /* (owned) */
    KilnSpace *mmio;                             /* (owned) */
    KilnIrqOr isa_irqs[KILN_MACHINE_N_ISA_IRQS]; /* lines that several ISA devices may share */
    GArray *ports;                               /* (owned) of KilnMachinePort */
    KilnMachineMsi *msi;                         /* (owned) */
    KilnPciHost *pci;                            /* (owned) */
    KilnIch9Pm *pm;                              /* one of @devices */
    KilnDevice *rtc;                             /* one of @devices */
    GHashTable *root_ports;    /* (owned) index -> KilnPciDevice, one of @devices */
    KilnIoThreads *threads;    /* (owned) */
    KilnInputs *inputs;        /* (owned) (nullable): keyboards and pointers */
    GPtrArray *lights;         /* (owned) of KilnMachineLights */
    GPtrArray *surfaces;       /* (owned) of KilnSurface, of devices: the primary screen first */
    KilnMachineHeldKeys held;  /* of the keyboard */
    KilnTpmEmulator *tpm;      /* (owned) (nullable) */
    KilnProcess *swtpm;        /* (owned) (nullable) */
    KilnVirtioDevice *balloon; /* (nullable) one of @virtios */
    GPtrArray *disks;          /* (owned) of KilnMachineDisk */
    GArray *nets;              /* (owned) of KilnMachineNet */
    GPtrArray *memory_devices; /* (owned) of KilnMachineMemoryDevice */
    GHashTable *throttles;     /* (owned) <group_name> -> KilnThrottleGroup */
    GPtrArray *virtios;        /* (owned) of KilnVirtioDevice: those that stop and go on */
    GPtrArray *ahcis;          /* (owned) of KilnPciDevice: among @devices; they stop, too */
    GPtrArray *devices;        /* (owned) of KilnDevice: reset and saved in this order */
    GMappedFile *firmware;     /* (owned) (nullable) its ROM; NULL: direct boot */
    KilnFd kernel_fd;          /* (owned) kept open: each reset loads the kernel again */
    KilnFd initrd_fd;          /* (owned) -1: none */
    KilnCpuTopology topology;
    KilnVcpuGroup *vcpus; /* (owned) */

    /* Life cycle; main thread. */
    KilnMachineState state;
    KilnMachineReason reason;
    KilnMachineOutcome outcome;
    GError *failure;         /* (owned) (nullable) */
    gboolean stuck;          /* a device never came to its end: its threads run, nothing is freed */
    gboolean reboot_on_off;  /* the user asked for a reboot: the next power-off restarts */
    gboolean told_crash;     /* since the last reset: a guest may say it as often as it likes */
    gboolean running_before; /* it has been started: reset must start from a used board */
    uint64_t kvm_clock_ns;   /* kvmclock's time while paused */
    gint64 clock_offset;     /* seconds that the guest's clock is ahead of UTC at first */
    KilnMachineIoError io_error; /* of the last KILN_EVENT_IO_ERROR */
    gint64 io_errors_since_us;   /* begin of the second in which they are counted */
    guint n_io_errors_told;      /* since then */
    GArray *listeners;           /* (owned) */
    guint last_listener;

    /* The screen's server, and what KILN_EVENT_GRAPHICS is about. */
    KilnVnc *vnc;                                   /* (owned) (nullable) */
    const KilnMachineGraphicsEvent *graphics_event; /* (nullable) */

    /* From any thread to the main one. */
    guint requests;     /* (atomic) KilnRequest bits */
    guint reset_cause;  /* (atomic) KilnResetCause of the last KILN_REQUEST_RESET */
    KilnMutex lock;     /* of what follows */
    GError *vcpu_error; /* (owned) (nullable) the first vCPU failure */
    KilnMachineIoError io_errors[KILN_MACHINE_MAX_IO_ERRORS];
    guint n_io_errors;
    KilnEvent attention;       /* set with @requests */
    GSource *attention_source; /* (owned) */
};

/* ---- build.c, board.c, cpu.c, ports.c, boot.c: parts of kiln_machine_new() ---------------------
 */

/* Spaces, buses and devices. */
gboolean kiln_machine_build_board(KilnMachine *machine, GError **error);

/* Serial ports and their host sides, after the board. */
gboolean kiln_machine_build_ports(KilnMachine *machine, GError **error);
/* Which COM ports there are, bit n for COM(n+1). */
guint kiln_machine_com_ports(const KilnMachine *machine);
void kiln_machine_free_ports(KilnMachine *machine);

/* CPUID and topology from the definition; then the vCPUs. */
guint kiln_machine_n_vcpus(const KilnMachine *machine);
void kiln_machine_choose_topology(KilnMachine *machine);
gboolean kiln_machine_build_cpuid(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_vcpus(KilnMachine *machine, GError **error);

/* Guest RAM from the definition. */
gboolean kiln_machine_build_memory(KilnMachine *machine, GError **error);

/* Opens kernel and initrd. */
gboolean kiln_machine_open_boot(KilnMachine *machine, GError **error);
/* Puts tables and kernel into guest memory and the first vCPU at its entry. */
gboolean kiln_machine_load_boot(KilnMachine *machine, GError **error);

/* firmware.c: whether firmware runs first, in place of the kernel. */
gboolean kiln_machine_has_firmware(const KilnMachine *machine);
/* Opens it. */
gboolean kiln_machine_open_firmware(KilnMachine *machine, GError **error);
/* What it finds: its ROM and fw_cfg; after all devices and vCPUs. */
gboolean kiln_machine_build_firmware(KilnMachine *machine, GError **error);
/* Puts what it needs into guest memory and the first vCPU at the reset vector. */
gboolean kiln_machine_load_firmware(KilnMachine *machine, GError **error);
void kiln_machine_free_firmware(KilnMachine *machine);
/* flash.c: whether the firmware is in flash, not in a ROM; then its banks. */
gboolean kiln_machine_has_flash(const KilnMachine *machine);
gboolean kiln_machine_build_flash(KilnMachine *machine, GError **error);

/* The line of an ISA interrupt as one more device on it. */
KilnIrq kiln_machine_isa_irq(KilnMachine *machine, guint irq);

/* The time of day that the definition's <clock> asks for now, in seconds since 1970. */
gint64 kiln_machine_time_of_day(const KilnMachine *machine);

/* Adds to the list of devices, which owns it from now on. */
KilnDevice *kiln_machine_add_device(KilnMachine *machine, KilnDevice *device);

/* ---- lifecycle.c -------------------------------------------------------------------------------
 */

/* The lock, the listeners and the way to the main thread; what they hold is freed by clear. */
gboolean kiln_machine_init_lifecycle(KilnMachine *machine, GError **error);
void kiln_machine_clear_lifecycle(KilnMachine *machine);

/* Tells the listeners.  Main thread. */
void kiln_machine_emit(KilnMachine *machine, KilnMachineEvent event);

/* disks.c: tells of those that wait. */
void kiln_machine_tell_io_errors(KilnMachine *machine);
void kiln_machine_init_disks(KilnMachine *machine);
void kiln_machine_free_disks(KilnMachine *machine);
/* memory-devices.c: their regions. (transfer full) (element-type KilnMemoryModule): each closes its
 * file; NULL with @error set. */
GArray *kiln_machine_memory_modules(const KilnDomain *domain, GError **error);
gboolean kiln_machine_request_memory(KilnMachine *machine, const char *alias, uint64_t bytes,
                                     GError **error);
/* Bytes that the guest has plugged in. */
uint64_t kiln_machine_plugged_memory(const KilnMachine *machine);
/* Nothing is plugged in any more; vCPUs are parked, devices quiet. */
void kiln_machine_reset_memory_devices(KilnMachine *machine);
/* graphics.c: before the devices. */
void kiln_machine_close_vnc(KilnMachine *machine);
/* tpm.c: after its device. */
void kiln_machine_free_tpm(KilnMachine *machine);

/* Notes @request, stops all vCPUs soon and tells the main thread.  Any thread, with locks of
 * devices held. */
void kiln_machine_request(KilnMachine *machine, KilnRequest request);
void kiln_machine_request_reset(void *machine, KilnResetCause cause);
void kiln_machine_vcpu_ended(void *machine, KilnVcpuResult result, GError *error);

#endif
