/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host is and what runs on it: documents, and numbers that seldom change. */
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "caps/caps.h"
#include "caps/host.h"

/* ---- Documents ------------------------------------------------------------------------------- */

/* Thousands of files of sysfs are read for it on a large host: kept until other CPUs are online. */
static char *capabilities; /* (owned) (nullable) */
static guint capabilities_generation;

static void
on_get_capabilities(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    guint generation = kiln_host_topology_generation();
    remote_connect_get_capabilities_ret ret = { NULL };
    guint8 uuid[16];

    if (capabilities == NULL || capabilities_generation != generation) {
        g_free(capabilities);
        capabilities = kiln_caps_format(kiln_ops_driver(call)->program,
                                        kiln_caps_host_uuid(uuid) ? uuid : NULL);
        capabilities_generation = generation;
    }
    ret.capabilities = capabilities;
    kiln_call_reply(call, &ret);
}

static const char *
text_of(const remote_string text)
{
    return text != NULL ? *text : NULL;
}

static void
on_get_domain_capabilities(KilnCall *call, gconstpointer data)
{
    const remote_connect_get_domain_capabilities_args *args = data;
    g_autoptr(GError) error = NULL;
    remote_connect_get_domain_capabilities_ret ret = { NULL };

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    ret.capabilities = kiln_caps_domain(kiln_ops_driver(call)->program, text_of(args->emulatorbin),
                                        text_of(args->arch), text_of(args->machine),
                                        text_of(args->virttype), &error);
    if (ret.capabilities == NULL)
        kiln_call_fail_error(call, error);
    else
        kiln_call_reply(call, &ret);
    g_free(ret.capabilities);
}

static void
on_get_sysinfo(KilnCall *call, gconstpointer data)
{
    const remote_connect_get_sysinfo_args *args = data;
    remote_connect_get_sysinfo_ret ret = { NULL };

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    ret.sysinfo = kiln_caps_sysinfo();
    kiln_call_reply(call, &ret);
    g_free(ret.sysinfo);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void
on_get_info(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    const KilnHostTopology *topology = kiln_host_topology();
    remote_node_get_info_ret ret = {
        .memory = kiln_host_memory_kib(),
        .cpus = (int)kiln_bitmap_count(topology->online),
        .mhz = (int)kiln_host_mhz(),
        .nodes = (int)topology->nodes,
        .sockets = (int)topology->sockets,
        .cores = (int)topology->cores,
        .threads = (int)topology->threads,
    };

    g_strlcpy(ret.model, "x86_64", sizeof ret.model);
    kiln_call_reply(call, &ret);
}

static void
on_get_cpu_map(KilnCall *call, gconstpointer data)
{
    const remote_node_get_cpu_map_args *args = data;
    const KilnHostTopology *topology = kiln_host_topology();
    guint present = 0;
    g_autofree guint8 *map = NULL;
    remote_node_get_cpu_map_ret ret = { 0 };

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    for (int i = kiln_bitmap_next(topology->present, 0); i >= 0;
         i = kiln_bitmap_next(topology->present, (guint)i + 1))
        present = (guint)i + 1;
    map = g_malloc0(MAX((present + 7) / 8, 1));
    for (guint i = 0; i < present; i++)
        if (kiln_bitmap_get(topology->online, i))
            map[i / 8] |= (guint8)(1u << i % 8);
    if (args->need_map) {
        ret.cpumap.cpumap_val = (char *)map;
        ret.cpumap.cpumap_len = (present + 7) / 8;
    }
    ret.online = args->need_online ? kiln_bitmap_count(topology->online) : 0;
    ret.ret = (int)present;
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC_RET(NODE_GET_INFO, node_get_info, KILN_ACCESS_READ, on_get_info),
    KILN_PROC_RET(CONNECT_GET_CAPABILITIES, connect_get_capabilities, KILN_ACCESS_READ,
                  on_get_capabilities),
    KILN_PROC(CONNECT_GET_DOMAIN_CAPABILITIES, connect_get_domain_capabilities, KILN_ACCESS_WRITE,
              on_get_domain_capabilities),
    KILN_PROC(CONNECT_GET_SYSINFO, connect_get_sysinfo, KILN_ACCESS_READ, on_get_sysinfo),
    KILN_PROC(NODE_GET_CPU_MAP, node_get_cpu_map, KILN_ACCESS_READ, on_get_cpu_map),
    KILN_PROC_REFUSED(NODE_SUSPEND_FOR_DURATION, KILN_ACCESS_WRITE,
                      "the host is put to sleep by its own tools, not by kiln"),
    KILN_PROC_REFUSED(NODE_GET_SEV_INFO, KILN_ACCESS_WRITE,
                      "memory encryption is not available in this version"),
};

const KilnProcedureTable kiln_ops_host = { rows, G_N_ELEMENTS(rows) };
