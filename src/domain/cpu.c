/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cpu.h. */
#include "domain/cpu.h"

#include "base/intmath.h"

#include <string.h>

static const char *const placement_names[] = { NULL, "static", "auto" };

static const KilnField vcpu_fields[] = {
    KILN_FIELD_UINT(KilnDomainVcpu, id, "@id", 0, KILN_MAX_VCPUS - 1, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnDomainVcpu, enabled, "@enabled", YESNO, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnDomainVcpu, hotpluggable, "@hotpluggable", YESNO),
    KILN_FIELD_UINT(KilnDomainVcpu, order, "@order", 1, KILN_MAX_VCPUS),
    KILN_FIELD_END,
};
static const KilnStruct vcpu_struct = { sizeof(KilnDomainVcpu), vcpu_fields, NULL };

static const KilnField vcpus_fields[] = {
    KILN_FIELD_ENUM(KilnVcpus, placement, "vcpu@placement", placement_names),
    KILN_FIELD_BITMAP(KilnVcpus, cpuset, "vcpu@cpuset"),
    KILN_FIELD_UINT(KilnVcpus, current, "vcpu@current", 1, KILN_MAX_VCPUS),
    KILN_FIELD_UINT(KilnVcpus, count, "vcpu", 1, KILN_MAX_VCPUS),
    KILN_FIELD_LIST(KilnVcpus, list, "vcpus/vcpu", &vcpu_struct),
    KILN_FIELD_END,
};

static void
vcpus_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnVcpus *vcpus = object;

    if (vcpus->current.set && vcpus->current.value > vcpus->count.value)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "vcpu", faults), "current",
                       "is more than the number of vCPUs");
}

const KilnStruct kiln_vcpus_struct = { sizeof(KilnVcpus), vcpus_fields, vcpus_check };

static const char *const mode_names[] = { NULL, "custom", "host-model", "host-passthrough",
                                          "maximum" };
static const char *const match_names[] = { NULL, "minimum", "exact", "strict" };
static const char *const check_names[] = { NULL, "none", "partial", "full" };
static const char *const fallback_names[] = { NULL, "allow", "forbid" };
static const char *const policy_names[] = { NULL,       "force",   "require",
                                            "optional", "disable", "forbid" };
static const char *const cache_names[] = { NULL, "emulate", "passthrough", "disable" };
static const char *const address_names[] = { NULL, "emulate", "passthrough" };

static const KilnField feature_fields[] = {
    KILN_FIELD_ENUM(KilnDomainCpuFeature, policy, "@policy", policy_names),
    KILN_FIELD_STRING(KilnDomainCpuFeature, name, "@name", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct feature_struct = { sizeof(KilnDomainCpuFeature), feature_fields, NULL };

enum { MAX_COUNT = 65535 };

static const KilnField topology_fields[] = {
    KILN_FIELD_UINT(KilnDomainCpuTopology, sockets, "@sockets", 1, MAX_COUNT,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDomainCpuTopology, dies, "@dies", 1, MAX_COUNT),
    KILN_FIELD_UINT(KilnDomainCpuTopology, cores, "@cores", 1, MAX_COUNT,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDomainCpuTopology, threads, "@threads", 1, MAX_COUNT,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct topology_struct = { sizeof(KilnDomainCpuTopology), topology_fields, NULL };

static const KilnField cpu_fields[] = {
    KILN_FIELD_ENUM(KilnDomainCpu, mode, "@mode", mode_names),
    KILN_FIELD_ENUM(KilnDomainCpu, match, "@match", match_names),
    KILN_FIELD_ENUM(KilnDomainCpu, check, "@check", check_names),
    KILN_FIELD_SWITCH(KilnDomainCpu, migratable, "@migratable", ONOFF),
    KILN_FIELD_ENUM(KilnDomainCpu, fallback, "model@fallback", fallback_names),
    KILN_FIELD_STRING(KilnDomainCpu, vendor_id, "model@vendor_id"),
    KILN_FIELD_STRING(KilnDomainCpu, model, "model"),
    KILN_FIELD_STRING(KilnDomainCpu, vendor, "vendor"),
    KILN_FIELD_EMBED(KilnDomainCpu, topology, "topology", &topology_struct),
    KILN_FIELD_UINT(KilnDomainCpu, cache_level, "cache@level", 1, 3),
    KILN_FIELD_ENUM(KilnDomainCpu, cache, "cache@mode", cache_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnDomainCpu, address_mode, "maxphysaddr@mode", address_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDomainCpu, address_bits, "maxphysaddr@bits", 32, 52),
    KILN_FIELD_UINT(KilnDomainCpu, address_limit, "maxphysaddr@limit", 32, 52),
    KILN_FIELD_LIST(KilnDomainCpu, features, "feature", &feature_struct),
    KILN_FIELD_EMBED(KilnDomainCpu, numa, "numa", &kiln_numa_struct),
    KILN_FIELD_END,
};

static void
cpu_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDomainCpu *cpu = object;
    KilnXmlNode *model = kiln_xml_take_child(node, "model", faults);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    if (cpu->model != NULL && *cpu->model == '\0')
        g_clear_pointer(&cpu->model, g_free); /* <model fallback='allow'/> names none */
    if (cpu->mode == KILN_DOMAIN_CPU_MODE_CUSTOM && cpu->model == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "mode", "'custom' needs a <model>");
    if (cpu->vendor_id != NULL && strlen(cpu->vendor_id) != 12)
        kiln_fault_add(faults, KILN_FAULT_XML, model, "vendor_id", "needs exactly 12 characters");
    for (guint i = 0; i < cpu->features->len; i++) {
        const KilnDomainCpuFeature *feature = g_ptr_array_index(cpu->features, i);

        if (feature->name != NULL && !g_hash_table_add(seen, feature->name))
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                           "the feature '%s' is given more than once", feature->name);
    }
}

const KilnStruct kiln_cpu_struct = { sizeof(KilnDomainCpu), cpu_fields, cpu_check };
