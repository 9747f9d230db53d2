/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's definition: libvirt's domain XML as plain structs.
 *
 *     text -> kiln_domain_parse -> kiln_domain_validate -> kiln_domain_assign -> the machine
 *                                                      `-> kiln_domain_format -> text
 *
 * Parse takes libvirt's whole x86 vocabulary; validate (validate.c) says what of it this kiln does
 * not run; assign fills in defaults and addresses, once, so that they are stable from then on.
 * Each part of the vocabulary has a header of its own; a definition owns all that it points at.
 */
#ifndef KILN_DOMAIN_DOMAIN_H
#define KILN_DOMAIN_DOMAIN_H

#include "domain/address.h"
#include "domain/clock.h"
#include "domain/cpu.h"
#include "domain/features.h"
#include "domain/fields.h"
#include "domain/memory.h"
#include "domain/numa.h"
#include "domain/os.h"
#include "domain/sysinfo.h"
#include "domain/tune.h"
/* The devices: each list below names its item's type. */
#include "domain/chardev.h"
#include "domain/controller.h"
#include "domain/disk.h"
#include "domain/filesystem.h"
#include "domain/graphics.h"
#include "domain/hostdev.h"
#include "domain/input.h"
#include "domain/iommu.h"
#include "domain/memballoon.h"
#include "domain/memory-device.h"
#include "domain/net.h"
#include "domain/panic.h"
#include "domain/rng.h"
#include "domain/shmem.h"
#include "domain/tpm.h"
#include "domain/video.h"
#include "domain/vsock.h"
#include "domain/watchdog.h"

#define KILN_MACHINE_TYPE "pc-q35-kiln-1.0"

typedef enum {
    KILN_DOMAIN_TYPE_ABSENT,
    KILN_DOMAIN_TYPE_KVM,
    KILN_DOMAIN_TYPE_QEMU,
    KILN_DOMAIN_TYPE_XEN,
    KILN_DOMAIN_TYPE_LXC,
    KILN_DOMAIN_TYPE_OTHER, /* what libvirt has besides */
} KilnDomainType;

/* What becomes of the guest when it powers off, resets or crashes. */
typedef enum {
    KILN_ACTION_ABSENT, /* destroy; for on_reboot restart */
    KILN_ACTION_DESTROY,
    KILN_ACTION_RESTART,
    KILN_ACTION_PRESERVE,
    KILN_ACTION_RENAME_RESTART,
    KILN_ACTION_COREDUMP_DESTROY, /* on_crash only, like the next */
    KILN_ACTION_COREDUMP_RESTART,
} KilnLifecycleAction;

typedef enum {
    KILN_LOCKFAILURE_ABSENT,
    KILN_LOCKFAILURE_POWEROFF,
    KILN_LOCKFAILURE_RESTART,
    KILN_LOCKFAILURE_PAUSE,
    KILN_LOCKFAILURE_IGNORE,
} KilnLockFailure;

typedef struct {
    KilnLifecycleAction on_poweroff;
    KilnLifecycleAction on_reboot;
    KilnLifecycleAction on_crash;
    KilnLockFailure on_lockfailure;
    KilnSwitch suspend_to_mem;  /* <pm>: whether ACPI offers S3 */
    KilnSwitch suspend_to_disk; /* and S4 */
} KilnLifecycle;

typedef struct {
    KilnDomainType type;
    KilnInt id; /* of a running guest; not kept in a definition */
    char *name; /* (owned) */
    char *uuid; /* (owned) (nullable) lower case with dashes; never NULL once assigned */
    gboolean genid_present;
    char *genid;           /* (owned) (nullable) */
    char *title;           /* (owned) (nullable) */
    char *description;     /* (owned) (nullable) */
    KilnXmlNode *metadata; /* (owned) (nullable) as it was */

    KilnMemoryConfig memory;
    KilnBlkiotune blkiotune;
    KilnVcpus vcpus;
    KilnIothreads iothreads;
    KilnCputune cputune;
    KilnNumatune numatune;
    char *partition;    /* (owned) (nullable) <resource><partition>: cgroup */
    char *appid;        /* (owned) (nullable) <resource><fibrechannel appid=> */
    GPtrArray *sysinfo; /* (owned) of KilnSysinfo */
    KilnOs os;
    KilnFeatures features;
    gboolean cpu_present;
    KilnDomainCpu cpu;
    KilnDomainClock clock;
    KilnLifecycle lifecycle;

    char *emulator;           /* (owned) (nullable) kept; the guest runs in kiln whatever it says */
    GPtrArray *disks;         /* (owned) of KilnDisk */
    GPtrArray *controllers;   /* (owned) of KilnController */
    GPtrArray *filesystems;   /* (owned) of KilnFilesystem */
    GPtrArray *interfaces;    /* (owned) of KilnNet */
    GPtrArray *serials;       /* (owned) of KilnSerial */
    GPtrArray *consoles;      /* (owned) of KilnConsole */
    GPtrArray *channels;      /* (owned) of KilnChannel */
    GPtrArray *tpms;          /* (owned) of KilnTpm */
    GPtrArray *inputs;        /* (owned) of KilnInput */
    GPtrArray *graphics;      /* (owned) of KilnGraphics */
    GPtrArray *videos;        /* (owned) of KilnVideo */
    GPtrArray *hostdevs;      /* (owned) of KilnHostdev */
    GPtrArray *watchdogs;     /* (owned) of KilnWatchdog */
    GPtrArray *memballoons;   /* (owned) of KilnMemballoon, at most one */
    GPtrArray *rngs;          /* (owned) of KilnRng */
    GPtrArray *panics;        /* (owned) of KilnPanic */
    GPtrArray *shmems;        /* (owned) of KilnShmem */
    GPtrArray *memories;      /* (owned) of KilnMemoryDevice */
    GPtrArray *iommus;        /* (owned) of KilnIommu, at most one */
    GPtrArray *vsocks;        /* (owned) of KilnVsock, at most one */
    GPtrArray *other_devices; /* (owned) (nullable) of KilnXmlNode: sound, redirdev and the like */

    GPtrArray *others;  /* (owned) (nullable) of KilnXmlNode: seclabel, launchSecurity, perf ... */
    GPtrArray *foreign; /* (owned) (nullable) of KilnXmlNode: elements of other namespaces */

    KilnXmlNode *document; /* (owned) (nullable) what was parsed, for validation to point at */
} KilnDomain;

/**
 * kiln_domain_parse:
 * @text: the document; @length bytes
 * @faults: every fault is added, in document order
 *
 * All of the document is taken or a fault.  Any thread.
 *
 * Returns: (transfer full) (nullable): the definition, NULL after adding faults.
 */
KilnDomain *kiln_domain_parse(const char *text, gsize length, KilnFaults *faults);

/**
 * kiln_domain_define:
 * @faults: every fault of parsing and validating is added, in document order; those of assigning
 *   if there are no others
 *
 * From a stranger's text to what the machine takes: parse, validate, assign.  Any thread.
 *
 * Returns: (transfer full) (nullable): the definition, NULL after adding faults.
 */
KilnDomain *kiln_domain_define(const char *text, gsize length, KilnFaults *faults);

/**
 * kiln_domain_load:
 * @path: a file
 * @faults: what is wrong with its content
 *
 * Returns: (transfer full) (nullable): the definition; NULL with @error set if the file cannot be
 *   read, or with @error set to the first of @faults.
 */
KilnDomain *kiln_domain_load(const char *path, KilnFaults *faults, GError **error);

void kiln_domain_free(KilnDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnDomain, kiln_domain_free)

/**
 * kiln_domain_copy:
 * Returns: (transfer full): an equal definition; places are those of its formatted text.
 */
KilnDomain *kiln_domain_copy(const KilnDomain *domain);

/* Whether both format to the same text, passwords included. */
gboolean kiln_domain_equal(const KilnDomain *a, const KilnDomain *b);

/* Bytes of all <memory> devices together; saturates. */
guint64 kiln_domain_devices_memory(const KilnDomain *domain);

/* Bytes that the guest boots with: <memory> counts its devices too, as libvirt's does. */
guint64 kiln_domain_boot_memory(const KilnDomain *domain);

/**
 * kiln_domain_validate:
 * @faults: what this kiln cannot honour is added, in document order, as KILN_FAULT_UNSUPPORTED
 *
 * Holds the document against the table in validate.c.  Call it before kiln_domain_assign().
 *
 * Returns: TRUE if nothing was added.
 */
gboolean kiln_domain_validate(const KilnDomain *domain, KilnFaults *faults);

/**
 * kiln_domain_assign:
 * @faults: two devices at one address and the like
 *
 * Fills in what the document left open: uuid, machine type, defaults, implicit controllers, the
 * console that stands for the first serial port, addresses.  What is there is never changed, equal
 * definitions get equal results (except a new uuid), and a second call changes nothing.
 *
 * Returns: TRUE if no fault was added.
 */
gboolean kiln_domain_assign(KilnDomain *domain, KilnFaults *faults);

/**
 * kiln_domain_format:
 * Returns: (transfer full): XML as libvirt would write it, legal by libvirt's own schema.
 */
char *kiln_domain_format(const KilnDomain *domain, KilnDomainFormatFlags flags);

#endif
