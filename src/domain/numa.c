/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See numa.h. */
#include "domain/numa.h"

#include "base/intmath.h"

static const char *const mode_names[] = { NULL, "shared", "private" };
static const char *const associativity_names[] = { NULL, "none", "direct", "full" };
static const char *const policy_names[] = { NULL, "none", "writeback", "writethrough" };
static const char *const link_names[] = { NULL, "access", "read", "write" };
static const char *const tune_names[] = { NULL, "strict", "preferred", "interleave",
                                          "restrictive" };
static const char *const placement_names[] = { NULL, "static", "auto" };

enum { MAX_CELL = 1023, MAX_DISTANCE = 255 };

static const KilnField sibling_fields[] = {
    KILN_FIELD_UINT(KilnNumaSibling, id, "@id", 0, MAX_CELL, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNumaSibling, value, "@value", 10, MAX_DISTANCE,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct sibling_struct = { sizeof(KilnNumaSibling), sibling_fields, NULL };

static const KilnField cache_fields[] = {
    KILN_FIELD_UINT(KilnNumaCache, level, "@level", 1, 3, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnNumaCache, associativity, "@associativity", associativity_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnNumaCache, policy, "@policy", policy_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNumaCache, size, "size@value", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnNumaCache, size_unit, "size@unit"),
    KILN_FIELD_UINT(KilnNumaCache, line, "line@value", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnNumaCache, line_unit, "line@unit"),
    KILN_FIELD_END,
};
static const KilnStruct cache_struct = { sizeof(KilnNumaCache), cache_fields, NULL };

static const KilnField cell_fields[] = {
    KILN_FIELD_UINT(KilnNumaCell, id, "@id", 0, MAX_CELL),
    KILN_FIELD_BITMAP(KilnNumaCell, cpus, "@cpus"),
    KILN_FIELD_SIZE(KilnNumaCell, memory, "@memory", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnNumaCell, access, "@memAccess", mode_names),
    KILN_FIELD_SWITCH(KilnNumaCell, discard, "@discard", YESNO),
    KILN_FIELD_LIST(KilnNumaCell, distances, "distances/sibling", &sibling_struct),
    KILN_FIELD_LIST(KilnNumaCell, caches, "cache", &cache_struct),
    KILN_FIELD_END,
};
static const KilnStruct cell_struct = { sizeof(KilnNumaCell), cell_fields, NULL };

static const KilnField link_fields[] = {
    KILN_FIELD_UINT(KilnNumaLink, initiator, "@initiator", 0, MAX_CELL,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNumaLink, target, "@target", 0, MAX_CELL, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNumaLink, cache, "@cache", 1, 3),
    KILN_FIELD_ENUM(KilnNumaLink, type, "@type", link_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNumaLink, value, "@value", 1, G_MAXUINT32, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnNumaLink, unit, "@unit"),
    KILN_FIELD_END,
};
static const KilnStruct link_struct = { sizeof(KilnNumaLink), link_fields, NULL };

static const KilnField numa_fields[] = {
    KILN_FIELD_LIST(KilnNuma, cells, "cell", &cell_struct),
    KILN_FIELD_LIST(KilnNuma, latencies, "interconnects/latency", &link_struct),
    KILN_FIELD_LIST(KilnNuma, bandwidths, "interconnects/bandwidth", &link_struct),
    KILN_FIELD_END,
};

static int
compare_cells(gconstpointer a, gconstpointer b)
{
    const KilnNumaCell *one = *(KilnNumaCell *const *)a;
    const KilnNumaCell *other = *(KilnNumaCell *const *)b;

    return (one->id.value > other->id.value) - (one->id.value < other->id.value);
}

/* Cells are numbered without gaps, and no vCPU is in two of them. */
static void
numa_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnNuma *numa = object;
    g_autoptr(KilnBitmap) seen = kiln_bitmap_new();
    guint64 sum = 0;

    for (guint i = 0; i < numa->cells->len; i++) {
        KilnNumaCell *cell = g_ptr_array_index(numa->cells, i);

        if (!kiln_add_u64(sum, cell->memory.value, &sum) || sum > G_MAXINT64) {
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "the cells have too much memory");
            return;
        }
        if (!cell->id.set)
            cell->id = (KilnUint){ .set = TRUE, .value = i };
    }
    g_ptr_array_sort(numa->cells, compare_cells);
    for (guint i = 0; i < numa->cells->len; i++) {
        const KilnNumaCell *cell = g_ptr_array_index(numa->cells, i);

        if (cell->id.value != i) {
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                           "the ids of %u cells must be 0 to %u, each once", numa->cells->len,
                           numa->cells->len - 1);
            return;
        }
        for (int cpu = cell->cpus != NULL ? kiln_bitmap_next(cell->cpus, 0) : -1; cpu >= 0;
             cpu = kiln_bitmap_next(cell->cpus, (guint)cpu + 1)) {
            if (kiln_bitmap_get(seen, (guint)cpu)) {
                kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                               "the vCPU %d is in more than one cell", cpu);
                return;
            }
            kiln_bitmap_set(seen, (guint)cpu);
        }
    }
}

const KilnStruct kiln_numa_struct = { sizeof(KilnNuma), numa_fields, numa_check };

static gboolean
said_distance(const KilnNuma *numa, guint from, guint to, guint *distance)
{
    const KilnNumaCell *cell = g_ptr_array_index(numa->cells, from);

    for (guint i = 0; i < cell->distances->len; i++) {
        const KilnNumaSibling *sibling = g_ptr_array_index(cell->distances, i);

        if (sibling->id.value == to) {
            *distance = (guint)sibling->value.value;
            return TRUE;
        }
    }
    return FALSE;
}

guint
kiln_numa_distance(const KilnNuma *numa, guint from, guint to)
{
    guint distance;

    g_return_val_if_fail(from < numa->cells->len && to < numa->cells->len, 20);
    if (said_distance(numa, from, to, &distance) || said_distance(numa, to, from, &distance))
        return distance;
    return from == to ? 10 : 20;
}

static const KilnField memnode_fields[] = {
    KILN_FIELD_UINT(KilnNumatuneCell, cell, "@cellid", 0, MAX_CELL, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnNumatuneCell, mode, "@mode", tune_names),
    KILN_FIELD_BITMAP(KilnNumatuneCell, nodeset, "@nodeset", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct memnode_struct = { sizeof(KilnNumatuneCell), memnode_fields, NULL };

static const KilnField numatune_fields[] = {
    KILN_FIELD_ENUM(KilnNumatune, mode, "memory@mode", tune_names),
    KILN_FIELD_BITMAP(KilnNumatune, nodeset, "memory@nodeset"),
    KILN_FIELD_ENUM(KilnNumatune, placement, "memory@placement", placement_names),
    KILN_FIELD_LIST(KilnNumatune, cells, "memnode", &memnode_struct),
    KILN_FIELD_END,
};
const KilnStruct kiln_numatune_struct = { sizeof(KilnNumatune), numatune_fields, NULL };
