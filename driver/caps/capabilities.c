/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <capabilities>: the host, and the one kind of guest that runs on it; see caps.h. */
#include "caps/caps.h"

#include <string.h>
#include <unistd.h>

#include "caps/host-cpu.h"
#include "caps/host.h"
#include "caps/machines.h"
#include "domain/cpu.h"
#include "domain/xml-writer.h"

/* ---- <host><cpu> ----------------------------------------------------------------------------- */

static void
format_signature(KilnXmlWriter *xml, const KilnHostCpuid *cpu)
{
    if (cpu->family == 0)
        return;
    kiln_xml_start(xml, "signature");
    kiln_xml_attribute_printf(xml, "family", "%u", cpu->family);
    kiln_xml_attribute_printf(xml, "model", "%u", cpu->model);
    kiln_xml_attribute_printf(xml, "stepping", "%u", cpu->stepping);
    kiln_xml_end(xml);
}

static void
format_microcode(KilnXmlWriter *xml)
{
    g_autofree char *version = kiln_host_read("/sys/devices/system/cpu/cpu0/microcode/version");
    guint64 value = version != NULL ? g_ascii_strtoull(version, NULL, 16) : 0;

    if (value == 0)
        return;
    kiln_xml_start(xml, "microcode");
    kiln_xml_attribute_printf(xml, "version", "%" G_GUINT64_FORMAT, value);
    kiln_xml_end(xml);
}

static void
format_cpu_topology(KilnXmlWriter *xml, const KilnHostTopology *topology)
{
    kiln_xml_start(xml, "topology");
    kiln_xml_attribute_printf(xml, "sockets", "%u", topology->sockets);
    kiln_xml_attribute_printf(xml, "dies", "1");
    kiln_xml_attribute_printf(xml, "cores", "%u", topology->cores);
    kiln_xml_attribute_printf(xml, "threads", "%u", topology->threads);
    kiln_xml_end(xml);
}

/* What the model does not say already. */
static void
format_features(KilnXmlWriter *xml, const KilnHostCpuid *cpu)
{
    KilnCpuFeatureSet of_model = { 0 };

    if (cpu->nearest != NULL)
        kiln_cpu_model_features(cpu->nearest, &of_model);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++) {
        if (!kiln_cpu_set_has(&cpu->features, i) || kiln_cpu_set_has(&of_model, i))
            continue;
        kiln_xml_start(xml, "feature");
        kiln_xml_attribute(xml, "name", kiln_cpu_feature(i)->name);
        kiln_xml_end(xml);
    }
}

/* The sizes that guests can have: those of the first cell are everybody's. */
static void
format_page_sizes(KilnXmlWriter *xml, const KilnHostTopology *topology)
{
    const KilnHostCell *cell = g_ptr_array_index(topology->cells, 0);

    for (guint i = 0; i < cell->pages->len; i++) {
        kiln_xml_start(xml, "pages");
        kiln_xml_attribute(xml, "unit", "KiB");
        kiln_xml_attribute_printf(xml, "size", "%u",
                                  g_array_index(cell->pages, KilnHostPages, i).kib);
        kiln_xml_end(xml);
    }
}

static void
format_cpu(KilnXmlWriter *xml, const KilnHostTopology *topology)
{
    const KilnHostCpuid *cpu = kiln_host_cpuid();

    kiln_xml_start(xml, "cpu");
    kiln_xml_text_element(xml, "arch", KILN_CAPS_ARCH);
    if (cpu->nearest != NULL)
        kiln_xml_text_element(xml, "model", cpu->nearest->name);
    kiln_xml_text_element(xml, "vendor", cpu->vendor);
    format_microcode(xml);
    format_signature(xml, cpu);
    format_cpu_topology(xml, topology);
    if (cpu->phys_bits != 0) {
        kiln_xml_start(xml, "maxphysaddr");
        kiln_xml_attribute(xml, "mode", "emulate");
        kiln_xml_attribute_printf(xml, "bits", "%u", cpu->phys_bits);
        kiln_xml_end(xml);
    }
    format_features(xml, cpu);
    format_page_sizes(xml, topology);
    kiln_xml_end(xml);
}

/* ---- <topology> ------------------------------------------------------------------------------ */

static void
format_cell_memory(KilnXmlWriter *xml, const KilnHostCell *cell)
{
    g_autofree char *memory = g_strdup_printf("%" G_GUINT64_FORMAT, cell->memory_kib);

    kiln_xml_start(xml, "memory");
    kiln_xml_attribute(xml, "unit", "KiB");
    kiln_xml_text(xml, memory);
    kiln_xml_end(xml);
    for (guint i = 0; i < cell->pages->len; i++) {
        const KilnHostPages *pages = &g_array_index(cell->pages, KilnHostPages, i);
        g_autofree char *total = g_strdup_printf("%" G_GUINT64_FORMAT, pages->total);

        kiln_xml_start(xml, "pages");
        kiln_xml_attribute(xml, "unit", "KiB");
        kiln_xml_attribute_printf(xml, "size", "%u", pages->kib);
        kiln_xml_text(xml, total);
        kiln_xml_end(xml);
    }
}

static void
format_distances(KilnXmlWriter *xml, const KilnHostTopology *topology, const KilnHostCell *cell)
{
    if (cell->distances->len == 0)
        return;
    kiln_xml_start(xml, "distances");
    for (guint i = 0; i < cell->distances->len; i++) {
        const KilnHostCell *other = g_ptr_array_index(topology->cells, i);

        kiln_xml_start(xml, "sibling");
        kiln_xml_attribute_printf(xml, "id", "%u", other->id);
        kiln_xml_attribute_printf(xml, "value", "%u", g_array_index(cell->distances, guint, i));
        kiln_xml_end(xml);
    }
    kiln_xml_end(xml);
}

static void
format_cpus(KilnXmlWriter *xml, const KilnHostCell *cell)
{
    kiln_xml_start(xml, "cpus");
    kiln_xml_attribute_printf(xml, "num", "%u", cell->cpus->len);
    for (guint i = 0; i < cell->cpus->len; i++) {
        const KilnHostCpu *cpu = &g_array_index(cell->cpus, KilnHostCpu, i);

        kiln_xml_start(xml, "cpu");
        kiln_xml_attribute_printf(xml, "id", "%u", cpu->id);
        if (cpu->online) {
            kiln_xml_attribute_printf(xml, "socket_id", "%u", cpu->socket);
            kiln_xml_attribute_printf(xml, "die_id", "%u", cpu->die);
            kiln_xml_attribute_printf(xml, "core_id", "%u", cpu->core);
            kiln_xml_attribute(xml, "siblings", cpu->siblings);
        }
        kiln_xml_end(xml);
    }
    kiln_xml_end(xml);
}

static void
format_topology(KilnXmlWriter *xml, const KilnHostTopology *topology)
{
    kiln_xml_start(xml, "topology");
    kiln_xml_start(xml, "cells");
    kiln_xml_attribute_printf(xml, "num", "%u", topology->cells->len);
    for (guint i = 0; i < topology->cells->len; i++) {
        const KilnHostCell *cell = g_ptr_array_index(topology->cells, i);

        kiln_xml_start(xml, "cell");
        kiln_xml_attribute_printf(xml, "id", "%u", cell->id);
        format_cell_memory(xml, cell);
        format_distances(xml, topology, cell);
        format_cpus(xml, cell);
        kiln_xml_end(xml);
    }
    kiln_xml_end(xml);
    kiln_xml_end(xml);
}

static void
format_caches(KilnXmlWriter *xml)
{
    g_autoptr(GArray) caches = kiln_host_caches();

    if (caches->len == 0)
        return;
    kiln_xml_start(xml, "cache");
    for (guint i = 0; i < caches->len; i++) {
        const KilnHostCache *cache = &g_array_index(caches, KilnHostCache, i);
        gboolean whole = cache->kib % 1024 == 0;

        kiln_xml_start(xml, "bank");
        kiln_xml_attribute_printf(xml, "id", "%u", cache->id);
        kiln_xml_attribute_printf(xml, "level", "%u", cache->level);
        kiln_xml_attribute(xml, "type", cache->type);
        kiln_xml_attribute_printf(xml, "size", "%" G_GUINT64_FORMAT,
                                  whole ? cache->kib / 1024 : cache->kib);
        kiln_xml_attribute(xml, "unit", whole ? "MiB" : "KiB");
        kiln_xml_attribute(xml, "cpus", cache->cpus);
        kiln_xml_end(xml);
    }
    kiln_xml_end(xml);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void
format_empty(KilnXmlWriter *xml, const char *name)
{
    kiln_xml_start(xml, name);
    kiln_xml_end(xml);
}

static void
format_power(KilnXmlWriter *xml)
{
    gboolean memory = kiln_host_can_suspend("mem");
    gboolean disk = kiln_host_can_suspend("disk");

    kiln_xml_start(xml, "power_management");
    if (memory)
        format_empty(xml, "suspend_mem");
    if (disk)
        format_empty(xml, "suspend_disk");
    if (memory && disk)
        format_empty(xml, "suspend_hybrid");
    kiln_xml_end(xml);
}

static void
format_host(KilnXmlWriter *xml, const guint8 *uuid)
{
    const KilnHostTopology *topology = kiln_host_topology();
    char text[37];

    kiln_xml_start(xml, "host");
    if (uuid != NULL) {
        for (guint i = 0, at = 0; i < 16; i++) {
            if (i == 4 || i == 6 || i == 8 || i == 10)
                text[at++] = '-';
            at += (guint)g_snprintf(text + at, sizeof text - at, "%02x", uuid[i]);
        }
        kiln_xml_text_element(xml, "uuid", text);
    }
    format_cpu(xml, topology);
    format_power(xml);
    kiln_xml_start(xml, "iommu");
    kiln_xml_attribute(xml, "support", kiln_host_has_iommu() ? "yes" : "no");
    kiln_xml_end(xml);
    format_topology(xml, topology);
    format_caches(xml);
    kiln_xml_start(xml, "secmodel");
    kiln_xml_text_element(xml, "model", "none");
    kiln_xml_text_element(xml, "doi", "0");
    kiln_xml_end(xml);
    kiln_xml_end(xml);
}

static void
format_machines(KilnXmlWriter *xml)
{
    guint n, max = kiln_caps_max_vcpus();
    const KilnCapsMachine *machines = kiln_caps_machines(&n);

    for (guint i = 0; i < n; i++) {
        kiln_xml_start(xml, "machine");
        kiln_xml_attribute(xml, "canonical", machines[i].canonical);
        if (max != 0)
            kiln_xml_attribute_printf(xml, "maxCpus", "%u", max);
        kiln_xml_text(xml, machines[i].name);
        kiln_xml_end(xml);
    }
}

static void
format_toggle(KilnXmlWriter *xml, const char *name)
{
    kiln_xml_start(xml, name);
    kiln_xml_attribute(xml, "default", "on");
    kiln_xml_attribute(xml, "toggle", "no");
    kiln_xml_end(xml);
}

/* virt-install takes a domain type for one that guests can be made of if it has children. */
static void
format_guest(KilnXmlWriter *xml, const char *program)
{
    kiln_xml_start(xml, "guest");
    kiln_xml_text_element(xml, "os_type", "hvm");
    kiln_xml_start(xml, "arch");
    kiln_xml_attribute(xml, "name", KILN_CAPS_ARCH);
    kiln_xml_text_element(xml, "wordsize", "64");
    kiln_xml_text_element(xml, "emulator", program);
    format_machines(xml);
    kiln_xml_start(xml, "domain");
    kiln_xml_attribute(xml, "type", KILN_CAPS_TYPE);
    kiln_xml_text_element(xml, "emulator", program);
    format_machines(xml);
    kiln_xml_end(xml);
    kiln_xml_end(xml);
    kiln_xml_start(xml, "features");
    format_toggle(xml, "acpi");
    format_toggle(xml, "apic");
    format_empty(xml, "cpuselection");
    kiln_xml_end(xml);
    kiln_xml_end(xml);
}

char *
kiln_caps_format(const char *program, const guint8 *host_uuid)
{
    g_autoptr(KilnXmlWriter) xml = kiln_xml_writer_new();

    kiln_xml_start(xml, "capabilities");
    format_host(xml, host_uuid);
    format_guest(xml, program);
    kiln_xml_end(xml);
    return kiln_xml_writer_finish(xml);
}
