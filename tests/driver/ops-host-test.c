/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls about the host, on hosts of files. */
#include "ops/tables.h"
#include "tests/driver/fake-call.h"
#include "tests/driver/fake-guest.h"
#include "tests/driver/fake-host.h"
#include "tests/lib/kiln-test.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

#include "caps/host.h"

static const KilnProcedureTable *const tables[] = {
    &kiln_ops_host, &kiln_ops_host_statistics, &kiln_ops_host_cpu, &kiln_ops_host_devices, NULL,
};

static KilnDriver driver;
static KilnClient *client;

static void
set_up(const char *host)
{
    kiln_fake_host(host);
    driver.guests = fake_list_new();
    driver.program = (char *)"/usr/bin/kiln";
    client = fake_client_new(&driver, "kiln:///system", FALSE);
}

/* ---- Calling --------------------------------------------------------------------------------- */

static FakeEnd *
call(int procedure, gconstpointer args)
{
    FakeEnd *end = fake_call(client, tables, procedure, args);

    while (!end->ended)
        g_main_context_iteration(NULL, TRUE);
    return end;
}

/* What it answers; it goes well. */
static gconstpointer
ask(int procedure, gconstpointer args)
{
    FakeEnd *end = call(procedure, args);

    ck_assert_msg(end->code == 0, "%s", end->text);
    return end->ret;
}

static void
refused(int procedure, gconstpointer args, int code, const char *text)
{
    FakeEnd *end = call(procedure, args);

    ck_assert_msg(end->code == code, "code %d: %s", end->code, end->text);
    ck_assert_msg(strstr(end->text, text) != NULL, "'%s' lacks '%s'", end->text, text);
    fake_end_free(end);
}

/* A file's content after a call. */
static void
assert_file(const char *path, const char *text)
{
    g_autofree char *content = kiln_host_read("%s", path);

    ck_assert_str_eq(content, text);
}

/* ---- Facts ----------------------------------------------------------------------------------- */

START_TEST(info_and_cpu_map)
{
    const remote_node_get_info_ret *info;
    const remote_node_get_cpu_map_ret *map;
    const remote_node_get_cpu_map_args both = { .need_map = 1, .need_online = 1 };
    const remote_node_get_cpu_map_args flags = { .flags = 1 };

    set_up("small");
    info = ask(REMOTE_PROC_NODE_GET_INFO, NULL);
    ck_assert_str_eq(info->model, "x86_64");
    ck_assert_uint_eq(info->memory, 4000000);
    ck_assert_int_eq(info->cpus, 3);
    ck_assert_int_eq(info->mhz, 2394);
    ck_assert_int_eq(info->nodes * info->sockets * info->cores * info->threads, 4);
    map = ask(REMOTE_PROC_NODE_GET_CPU_MAP, &both);
    ck_assert_int_eq(map->ret, 4);
    ck_assert_uint_eq(map->online, 3);
    ck_assert_uint_eq(map->cpumap.cpumap_len, 1);
    ck_assert_int_eq(map->cpumap.cpumap_val[0], 7);
    refused(REMOTE_PROC_NODE_GET_CPU_MAP, &flags, VIR_ERR_INVALID_ARG, "flags");
}
END_TEST

START_TEST(documents)
{
    const remote_connect_get_capabilities_ret *caps;
    const remote_connect_get_domain_capabilities_ret *domain;
    const remote_connect_get_domain_capabilities_args none = { 0 };
    char *arm = (char *)"aarch64";
    const remote_connect_get_domain_capabilities_args wrong = { .arch = &arm };
    const remote_connect_get_sysinfo_args flags = { 0 };
    const remote_connect_get_sysinfo_ret *sysinfo;

    set_up("large");
    caps = ask(REMOTE_PROC_CONNECT_GET_CAPABILITIES, NULL);
    ck_assert_ptr_nonnull(
        strstr(caps->capabilities, "<uuid>4c4c4544-0042-3510-8050-b9c04f4d3532</uuid>"));
    domain = ask(REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, &none);
    ck_assert_ptr_nonnull(strstr(domain->capabilities, "<path>/usr/bin/kiln</path>"));
    refused(REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, &wrong, VIR_ERR_INVALID_ARG, "aarch64");
    sysinfo = ask(REMOTE_PROC_CONNECT_GET_SYSINFO, &flags);
    ck_assert_str_eq(sysinfo->sysinfo,
                     "<sysinfo type='smbios'>\n"
                     "  <bios>\n"
                     "    <entry name='vendor'>SeaBIOS</entry>\n"
                     "    <entry name='date'>04/01/2024</entry>\n"
                     "  </bios>\n"
                     "  <system>\n"
                     "    <entry name='manufacturer'>Kiln Works</entry>\n"
                     "    <entry name='product'>Furnace &amp; Co &lt;1&gt;</entry>\n"
                     "    <entry name='uuid'>4c4c4544-0042-3510-8050-b9c04f4d3532</entry>\n"
                     "  </system>\n"
                     "</sysinfo>\n");
}
END_TEST

START_TEST(capabilities_follow_cpus)
{
    const remote_connect_get_capabilities_ret *before, *after;

    set_up("small");
    before = ask(REMOTE_PROC_CONNECT_GET_CAPABILITIES, NULL);
    ck_assert_ptr_nonnull(strstr(before->capabilities, "<cpu id='3'/>"));
    kiln_fake_host_write("/sys/devices/system/cpu/online", "0-3\n");
    after = ask(REMOTE_PROC_CONNECT_GET_CAPABILITIES, NULL);
    ck_assert_ptr_null(strstr(after->capabilities, "<cpu id='3'/>"));
}
END_TEST

START_TEST(what_there_is_not)
{
    set_up("small");
    refused(REMOTE_PROC_NODE_GET_SEV_INFO, NULL, VIR_ERR_OPERATION_UNSUPPORTED, "encryption");
    refused(REMOTE_PROC_NODE_SUSPEND_FOR_DURATION, NULL, VIR_ERR_OPERATION_UNSUPPORTED, "sleep");
}
END_TEST

/* ---- Statistics ------------------------------------------------------------------------------ */

START_TEST(cpu_time)
{
    remote_node_get_cpu_stats_args args = { .cpuNum = -1 };
    const remote_node_get_cpu_stats_ret *ret;
    const guint64 tick = 1000000000 / (guint64)sysconf(_SC_CLK_TCK);

    set_up("small");
    ret = ask(REMOTE_PROC_NODE_GET_CPU_STATS, &args);
    ck_assert_int_eq(ret->nparams, 4);
    ck_assert_uint_eq(ret->params.params_len, 0);
    args.nparams = 4;
    ret = ask(REMOTE_PROC_NODE_GET_CPU_STATS, &args);
    ck_assert_uint_eq(ret->params.params_len, 4);
    ck_assert_str_eq(ret->params.params_val[0].field, "kernel");
    ck_assert_uint_eq(ret->params.params_val[0].value, 210 * tick);
    ck_assert_str_eq(ret->params.params_val[1].field, "user");
    ck_assert_uint_eq(ret->params.params_val[1].value, 410 * tick);
    args.cpuNum = 2;
    ret = ask(REMOTE_PROC_NODE_GET_CPU_STATS, &args);
    ck_assert_uint_eq(ret->params.params_val[2].value, 1600 * tick);
    args.cpuNum = 3; /* offline */
    refused(REMOTE_PROC_NODE_GET_CPU_STATS, &args, VIR_ERR_INVALID_ARG, "cpuNum");
    args.cpuNum = -2;
    refused(REMOTE_PROC_NODE_GET_CPU_STATS, &args, VIR_ERR_INVALID_ARG, "cpuNum");
    args.nparams = 3;
    refused(REMOTE_PROC_NODE_GET_CPU_STATS, &args, VIR_ERR_INVALID_ARG, "nparams");
}
END_TEST

START_TEST(memory)
{
    remote_node_get_memory_stats_args args = { .cellNum = -1, .nparams = 4 };
    const remote_node_get_memory_stats_ret *ret;
    const remote_node_get_free_memory_ret *all;

    set_up("small");
    ret = ask(REMOTE_PROC_NODE_GET_MEMORY_STATS, &args);
    ck_assert_uint_eq(ret->params.params_len, 4);
    ck_assert_str_eq(ret->params.params_val[1].field, "free");
    ck_assert_uint_eq(ret->params.params_val[1].value, 1000000);
    ck_assert_str_eq(ret->params.params_val[3].field, "cached");
    ck_assert_uint_eq(ret->params.params_val[3].value, 500000);
    args.cellNum = 0;
    args.nparams = 0;
    ret = ask(REMOTE_PROC_NODE_GET_MEMORY_STATS, &args);
    ck_assert_int_eq(ret->nparams, 2);
    args.cellNum = 1;
    refused(REMOTE_PROC_NODE_GET_MEMORY_STATS, &args, VIR_ERR_INVALID_ARG, "cellNum");
    all = ask(REMOTE_PROC_NODE_GET_FREE_MEMORY, NULL);
    ck_assert_uint_eq(all->freeMem, 1024000000);
}
END_TEST

START_TEST(cells)
{
    remote_node_get_cells_free_memory_args args = { .startCell = 0, .maxcells = 8 };
    const remote_node_get_cells_free_memory_ret *ret;

    set_up("large");
    ret = ask(REMOTE_PROC_NODE_GET_CELLS_FREE_MEMORY, &args);
    ck_assert_uint_eq(ret->cells.cells_len, 2);
    ck_assert_uint_eq(ret->cells.cells_val[1], 16000000ull * 1024);
    args.startCell = 2;
    refused(REMOTE_PROC_NODE_GET_CELLS_FREE_MEMORY, &args, VIR_ERR_INTERNAL_ERROR, "range");
    args.startCell = -1;
    refused(REMOTE_PROC_NODE_GET_CELLS_FREE_MEMORY, &args, VIR_ERR_INTERNAL_ERROR, "range");
    args.maxcells = 0;
    refused(REMOTE_PROC_NODE_GET_CELLS_FREE_MEMORY, &args, VIR_ERR_INVALID_ARG, "maxcells");
}
END_TEST

START_TEST(free_pages)
{
    unsigned sizes[] = { 4, 2048 };
    remote_node_get_free_pages_args args = { .pages = { 2, sizes }, .cellCount = 2 };
    const remote_node_get_free_pages_ret *ret;

    set_up("large");
    ret = ask(REMOTE_PROC_NODE_GET_FREE_PAGES, &args);
    ck_assert_uint_eq(ret->counts.counts_len, 4);
    ck_assert_uint_eq(ret->counts.counts_val[0], 8388608 / 4);
    ck_assert_uint_eq(ret->counts.counts_val[1], 3);
    ck_assert_uint_eq(ret->counts.counts_val[3], 16);
    sizes[1] = 64;
    refused(REMOTE_PROC_NODE_GET_FREE_PAGES, &args, VIR_ERR_OPERATION_FAILED, "64 KiB");
    args.cellCount = 0;
    refused(REMOTE_PROC_NODE_GET_FREE_PAGES, &args, VIR_ERR_INVALID_ARG, "cells");
    args.cellCount = G_MAXUINT;
    refused(REMOTE_PROC_NODE_GET_FREE_PAGES, &args, VIR_ERR_INVALID_ARG, "cells");
}
END_TEST

#define NR_HUGE "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"

START_TEST(pages_are_made)
{
    unsigned sizes[] = { 2048 };
    uint64_t counts[] = { 10 };
    remote_node_alloc_pages_args args = {
        .pageSizes = { 1, sizes }, .pageCounts = { 1, counts }, .startCell = 1, .cellCount = 1
    };
    const remote_node_alloc_pages_ret *ret;

    set_up("large");
    ret = ask(REMOTE_PROC_NODE_ALLOC_PAGES, &args);
    ck_assert_int_eq(ret->ret, 1);
    assert_file(NR_HUGE, "26");
    args.flags = VIR_NODE_ALLOC_PAGES_SET;
    (void)ask(REMOTE_PROC_NODE_ALLOC_PAGES, &args);
    kiln_fake_host_write(NR_HUGE, "10");
    sizes[0] = 4;
    refused(REMOTE_PROC_NODE_ALLOC_PAGES, &args, VIR_ERR_OPERATION_UNSUPPORTED, "system pages");
    args.pageCounts.pageCounts_len = 0;
    refused(REMOTE_PROC_NODE_ALLOC_PAGES, &args, VIR_ERR_INVALID_ARG, "count");
}
END_TEST

START_TEST(samepage_merging)
{
    remote_node_get_memory_parameters_args args = { .nparams = 8, .flags = 4 };
    const remote_node_get_memory_parameters_ret *ret;
    remote_typed_param param = { .field = (char *)"shm_pages_to_scan",
                                 .value = { .type = VIR_TYPED_PARAM_UINT,
                                            .remote_typed_param_value_u = { .ui = 333 } } };
    remote_node_set_memory_parameters_args set = { .params = { 1, &param } };

    set_up("large");
    ret = ask(REMOTE_PROC_NODE_GET_MEMORY_PARAMETERS, &args);
    ck_assert_uint_eq(ret->params.params_len, 6); /* what this kernel has */
    ck_assert_str_eq(ret->params.params_val[0].field, "shm_pages_to_scan");
    (void)ask(REMOTE_PROC_NODE_SET_MEMORY_PARAMETERS, &set);
    assert_file("/sys/kernel/mm/ksm/pages_to_scan", "333");
    param.field = (char *)"shm_pages_shared";
    refused(REMOTE_PROC_NODE_SET_MEMORY_PARAMETERS, &set, VIR_ERR_ARGUMENT_UNSUPPORTED,
            "shm_pages_shared");
}
END_TEST

/* ---- CPUs ------------------------------------------------------------------------------------ */

START_TEST(models)
{
    remote_connect_get_cpu_model_names_args args = { .arch = (char *)"x86_64" };
    const remote_connect_get_cpu_model_names_ret *ret;

    set_up("small");
    ret = ask(REMOTE_PROC_CONNECT_GET_CPU_MODEL_NAMES, &args);
    ck_assert_int_gt(ret->ret, 50);
    ck_assert_uint_eq(ret->models.models_len, 0);
    args.need_results = 1;
    ret = ask(REMOTE_PROC_CONNECT_GET_CPU_MODEL_NAMES, &args);
    ck_assert_int_eq(ret->ret, (int)ret->models.models_len);
    args.arch = (char *)"sparc";
    refused(REMOTE_PROC_CONNECT_GET_CPU_MODEL_NAMES, &args, VIR_ERR_INVALID_ARG, "sparc");
}
END_TEST

START_TEST(comparing)
{
    remote_connect_compare_cpu_args args = {
        .xml = (char *)"<cpu><model>SapphireRapids</model></cpu>"
    };
    remote_connect_compare_hypervisor_cpu_args hypervisor = {
        .xmlCPU = (char *)"<cpu><model>Haswell</model></cpu>"
    };
    const remote_connect_compare_cpu_ret *ret;
    char *type = (char *)"xen";

    set_up("small");
    ret = ask(REMOTE_PROC_CONNECT_COMPARE_CPU, &args);
    ck_assert_int_eq(ret->result, VIR_CPU_COMPARE_INCOMPATIBLE);
    args.flags = VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE;
    refused(REMOTE_PROC_CONNECT_COMPARE_CPU, &args, VIR_ERR_CPU_INCOMPATIBLE, "required features");
    ret = ask(REMOTE_PROC_CONNECT_COMPARE_HYPERVISOR_CPU, &hypervisor);
    ck_assert_int_eq(ret->result, VIR_CPU_COMPARE_SUPERSET);
    hypervisor.virttype = &type;
    refused(REMOTE_PROC_CONNECT_COMPARE_HYPERVISOR_CPU, &hypervisor, VIR_ERR_INVALID_ARG, "xen");
}
END_TEST

START_TEST(baselines)
{
    char *both[] = { (char *)"<cpu><model>Haswell</model></cpu>",
                     (char *)"<cpu><model>Westmere</model></cpu>" };
    remote_connect_baseline_cpu_args args = { .xmlCPUs = { 2, both } };
    remote_connect_baseline_hypervisor_cpu_args hypervisor = { .xmlCPUs = { 2, both } };
    const remote_connect_baseline_cpu_ret *ret;

    set_up("small");
    ret = ask(REMOTE_PROC_CONNECT_BASELINE_CPU, &args);
    ck_assert_ptr_nonnull(strstr(ret->cpu, "<model "));
    ret = ask(REMOTE_PROC_CONNECT_BASELINE_HYPERVISOR_CPU, &hypervisor);
    ck_assert_ptr_nonnull(strstr(ret->cpu, "fallback='forbid'"));
    args.xmlCPUs.xmlCPUs_len = 0;
    refused(REMOTE_PROC_CONNECT_BASELINE_CPU, &args, VIR_ERR_INVALID_ARG, "no CPUs");
}
END_TEST

/* ---- PCI functions --------------------------------------------------------------------------- */

#define FUNCTION "/sys/bus/pci/devices/0000:03:00.0/"

START_TEST(a_function_goes_to_vfio)
{
    const remote_node_device_dettach_args args = { (char *)"pci_0000_03_00_0" };
    const remote_node_device_dettach_args absent = { (char *)"pci_0000_04_00_0" };
    const remote_node_device_dettach_args nonsense = { (char *)"net_eth0_52_54_00" };
    char *name = (char *)"xen";
    const remote_node_device_detach_flags_args xen = { .name = args.name, .driverName = &name };

    set_up("large");
    refused(REMOTE_PROC_NODE_DEVICE_DETTACH, &absent, VIR_ERR_NO_NODE_DEVICE, "pci_0000_04_00_0");
    refused(REMOTE_PROC_NODE_DEVICE_DETTACH, &nonsense, VIR_ERR_NO_NODE_DEVICE, "net_eth0");
    refused(REMOTE_PROC_NODE_DEVICE_DETACH_FLAGS, &xen, VIR_ERR_INVALID_ARG, "xen");
    kiln_fake_host_write(FUNCTION "driver_override", "(null)\n");
    refused(REMOTE_PROC_NODE_DEVICE_DETTACH, &args, VIR_ERR_OPERATION_FAILED, "IOMMU group");
    kiln_fake_host_write(FUNCTION "iommu_group/type", "DMA\n");
    refused(REMOTE_PROC_NODE_DEVICE_DETTACH, &args, VIR_ERR_OPERATION_FAILED, "not loaded");
    kiln_fake_host_write("/sys/bus/pci/drivers/vfio-pci/new_id", "");
    kiln_fake_host_write("/sys/bus/pci/drivers_probe", "");
    /* Files do not bind: that it was not taken is seen. */
    refused(REMOTE_PROC_NODE_DEVICE_DETTACH, &args, VIR_ERR_OPERATION_FAILED, "not taken");
    assert_file(FUNCTION "driver_override", "vfio-pci");
    assert_file("/sys/bus/pci/drivers_probe", "0000:03:00.0");
}
END_TEST

START_TEST(a_function_is_reset)
{
    const remote_node_device_reset_args args = { (char *)"pci_0000_03_00_0" };

    set_up("large");
    kiln_fake_host_write(FUNCTION "vendor", "0x8086\n");
    refused(REMOTE_PROC_NODE_DEVICE_RESET, &args, VIR_ERR_OPERATION_UNSUPPORTED, "reset alone");
    kiln_fake_host_write(FUNCTION "reset", "");
    (void)ask(REMOTE_PROC_NODE_DEVICE_RESET, &args);
    assert_file(FUNCTION "reset", "1");
}
END_TEST

/* libvirt's own rules: what a read-only connection may not. */
START_TEST(who_may)
{
    static const int writers[] = { 118, 119, 120, 250, 288, 301, 342, 347, 393, 394, 395 };
    guint n = 0;

    for (gsize t = 0; tables[t] != NULL; t++) {
        for (guint i = 0; i < tables[t]->n_rows; i++) {
            const KilnProcedure *row = &tables[t]->rows[i];
            gboolean writes = FALSE;

            for (gsize w = 0; w < G_N_ELEMENTS(writers); w++)
                writes |= row->number == writers[w];
            ck_assert_msg(row->access == (writes ? KILN_ACCESS_WRITE : KILN_ACCESS_READ), "%s",
                          row->name);
            n += writes;
        }
    }
    ck_assert_uint_eq(n, G_N_ELEMENTS(writers));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("driver/ops-host");
    TCase *facts = kiln_test_case(suite, "facts");
    TCase *numbers = kiln_test_case(suite, "numbers");
    TCase *rest = kiln_test_case(suite, "cpus and devices");

    tcase_add_test(facts, info_and_cpu_map);
    tcase_add_test(facts, documents);
    tcase_add_test(facts, capabilities_follow_cpus);
    tcase_add_test(facts, what_there_is_not);
    tcase_add_test(facts, who_may);
    tcase_add_test(numbers, cpu_time);
    tcase_add_test(numbers, memory);
    tcase_add_test(numbers, cells);
    tcase_add_test(numbers, free_pages);
    tcase_add_test(numbers, pages_are_made);
    tcase_add_test(numbers, samepage_merging);
    tcase_add_test(rest, models);
    tcase_add_test(rest, comparing);
    tcase_add_test(rest, baselines);
    tcase_add_test(rest, a_function_goes_to_vfio);
    tcase_add_test(rest, a_function_is_reset);
    return suite;
}

KILN_TEST_MAIN(make_suite)
