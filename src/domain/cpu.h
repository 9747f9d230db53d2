/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vcpu>, <vcpus> and <cpu>: how many virtual CPUs, of what model, laid out how. */
#ifndef KILN_DOMAIN_CPU_H
#define KILN_DOMAIN_CPU_H

#include "base/bitmap.h"
#include "domain/fields.h"
#include "domain/numa.h"

enum { KILN_MAX_VCPUS = 4096 }; /* what a document may say; KVM's own limit is asked at start */

typedef enum {
    KILN_PLACEMENT_ABSENT, /* static */
    KILN_PLACEMENT_STATIC,
    KILN_PLACEMENT_AUTO,
} KilnPlacement;

typedef struct {
    KilnUint id;
    KilnSwitch enabled;
    KilnSwitch hotpluggable;
    KilnUint order; /* of plugging in, from 1 */
} KilnDomainVcpu;

/* <vcpu> and <vcpus> */
typedef struct {
    KilnPlacement placement;
    KilnBitmap *cpuset; /* (owned) (nullable) host CPUs on which all threads run by default */
    KilnUint current;   /* how many are there at start; absent is @count */
    KilnUint count;     /* absent is 1 */
    GPtrArray *list;    /* (owned) of KilnDomainVcpu */
} KilnVcpus;

typedef enum {
    KILN_DOMAIN_CPU_MODE_ABSENT, /* custom if there is a model, else kiln's default */
    KILN_DOMAIN_CPU_MODE_CUSTOM,
    KILN_DOMAIN_CPU_MODE_HOST_MODEL,
    KILN_DOMAIN_CPU_MODE_HOST_PASSTHROUGH,
    KILN_DOMAIN_CPU_MODE_MAXIMUM,
} KilnDomainCpuMode;

typedef enum {
    KILN_DOMAIN_CPU_MATCH_ABSENT, /* exact */
    KILN_DOMAIN_CPU_MATCH_MINIMUM,
    KILN_DOMAIN_CPU_MATCH_EXACT,
    KILN_DOMAIN_CPU_MATCH_STRICT,
} KilnDomainCpuMatch;

typedef enum {
    KILN_DOMAIN_CPU_CHECK_ABSENT,
    KILN_DOMAIN_CPU_CHECK_NONE,
    KILN_DOMAIN_CPU_CHECK_PARTIAL,
    KILN_DOMAIN_CPU_CHECK_FULL,
} KilnDomainCpuCheck;

typedef enum {
    KILN_DOMAIN_CPU_FALLBACK_ABSENT, /* allow */
    KILN_DOMAIN_CPU_FALLBACK_ALLOW,
    KILN_DOMAIN_CPU_FALLBACK_FORBID,
} KilnDomainCpuFallback;

typedef enum {
    KILN_DOMAIN_CPU_FEATURE_ABSENT,   /* require */
    KILN_DOMAIN_CPU_FEATURE_FORCE,    /* shown to the guest whether the host has it or not */
    KILN_DOMAIN_CPU_FEATURE_REQUIRE,  /* the guest does not start on a host without it */
    KILN_DOMAIN_CPU_FEATURE_OPTIONAL, /* shown if the host has it */
    KILN_DOMAIN_CPU_FEATURE_DISABLE,  /* hidden */
    KILN_DOMAIN_CPU_FEATURE_FORBID,   /* the guest does not start on a host that has it */
} KilnDomainCpuFeaturePolicy;

typedef struct {
    KilnDomainCpuFeaturePolicy policy;
    char *name; /* (owned) */
} KilnDomainCpuFeature;

typedef enum {
    KILN_DOMAIN_CPU_CACHE_ABSENT,
    KILN_DOMAIN_CPU_CACHE_EMULATE,
    KILN_DOMAIN_CPU_CACHE_PASSTHROUGH,
    KILN_DOMAIN_CPU_CACHE_DISABLE,
} KilnDomainCpuCacheMode;

typedef enum {
    KILN_DOMAIN_CPU_ADDRESS_ABSENT,
    KILN_DOMAIN_CPU_ADDRESS_EMULATE,
    KILN_DOMAIN_CPU_ADDRESS_PASSTHROUGH,
} KilnDomainCpuAddressMode;

/* <topology>: all absent means one socket a vCPU */
typedef struct {
    KilnUint sockets;
    KilnUint dies; /* absent is 1 */
    KilnUint cores;
    KilnUint threads;
} KilnDomainCpuTopology;

/* <cpu> */
typedef struct {
    KilnDomainCpuMode mode;
    KilnDomainCpuMatch match;
    KilnDomainCpuCheck check;
    KilnSwitch migratable;
    char *model; /* (owned) (nullable) */
    KilnDomainCpuFallback fallback;
    char *vendor_id; /* (owned) (nullable) the 12 characters of CPUID leaf 0 */
    char *vendor;    /* (owned) (nullable) of the host that the guest wants */
    KilnDomainCpuTopology topology;
    KilnUint cache_level;
    KilnDomainCpuCacheMode cache;
    KilnDomainCpuAddressMode address_mode; /* <maxphysaddr> */
    KilnUint address_bits;
    KilnUint address_limit;
    GPtrArray *features; /* (owned) of KilnDomainCpuFeature */
    KilnNuma numa;
} KilnDomainCpu;

extern const KilnStruct kiln_vcpus_struct;
extern const KilnStruct kiln_cpu_struct;

#endif
