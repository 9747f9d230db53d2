/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See memory.h. */
#include "domain/memory.h"

static const char *const source_names[] = { NULL, "anonymous", "file", "memfd" };
static const char *const mode_names[] = { NULL, "shared", "private" };
static const char *const allocation_names[] = { NULL, "immediate", "ondemand" };

static const KilnField page_fields[] = {
    KILN_FIELD_SIZE(KilnHugepage, size, "@size", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_BITMAP(KilnHugepage, nodeset, "@nodeset"),
    KILN_FIELD_END,
};
static const KilnStruct page_struct = { sizeof(KilnHugepage), page_fields, NULL };

static const KilnField backing_fields[] = {
    KILN_FIELD_PRESENT(KilnDomainMemoryBacking, hugepages, "hugepages"),
    KILN_FIELD_LIST(KilnDomainMemoryBacking, pages, "hugepages/page", &page_struct),
    KILN_FIELD_PRESENT(KilnDomainMemoryBacking, nosharepages, "nosharepages"),
    KILN_FIELD_PRESENT(KilnDomainMemoryBacking, locked, "locked"),
    KILN_FIELD_ENUM(KilnDomainMemoryBacking, source, "source@type", source_names),
    KILN_FIELD_ENUM(KilnDomainMemoryBacking, access, "access@mode", mode_names),
    KILN_FIELD_ENUM(KilnDomainMemoryBacking, allocation, "allocation@mode", allocation_names),
    KILN_FIELD_UINT(KilnDomainMemoryBacking, allocation_threads, "allocation@threads", 1,
                    G_MAXUINT32),
    KILN_FIELD_PRESENT(KilnDomainMemoryBacking, discard, "discard"),
    KILN_FIELD_END,
};
static const KilnStruct backing_struct = { sizeof(KilnDomainMemoryBacking), backing_fields, NULL };

static const KilnField tune_fields[] = {
    KILN_FIELD_SIZE(KilnMemtune, hard_limit, "hard_limit"),
    KILN_FIELD_SIZE(KilnMemtune, soft_limit, "soft_limit"),
    KILN_FIELD_SIZE(KilnMemtune, min_guarantee, "min_guarantee"),
    KILN_FIELD_SIZE(KilnMemtune, swap_hard_limit, "swap_hard_limit"),
    KILN_FIELD_END,
};
static const KilnStruct tune_struct = { sizeof(KilnMemtune), tune_fields, NULL };

static const KilnField memory_fields[] = {
    KILN_FIELD_UINT(KilnMemoryConfig, max_slots, "maxMemory@slots", 0, 65535),
    KILN_FIELD_SIZE(KilnMemoryConfig, max_size, "maxMemory"),
    KILN_FIELD_SWITCH(KilnMemoryConfig, dump_core, "memory@dumpCore", ONOFF),
    KILN_FIELD_SIZE(KilnMemoryConfig, size, "memory"),
    KILN_FIELD_SIZE(KilnMemoryConfig, current, "currentMemory"),
    KILN_FIELD_EMBED(KilnMemoryConfig, tune, "memtune", &tune_struct),
    KILN_FIELD_EMBED(KilnMemoryConfig, backing, "memoryBacking", &backing_struct),
    KILN_FIELD_END,
};

static void
memory_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnMemoryConfig *memory = object;

    if (memory->size.set && memory->current.value > memory->size.value)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "currentMemory", faults),
                       NULL, "is more than <memory>");
    if (memory->max_size.set && memory->size.value > memory->max_size.value)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "maxMemory", faults), NULL,
                       "is less than <memory>");
    if (memory->max_size.set != memory->max_slots.set)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "maxMemory", faults), NULL,
                       "needs both a size and the number of slots");
}

const KilnStruct kiln_memory_config_struct = { sizeof(KilnMemoryConfig), memory_fields,
                                               memory_check };
