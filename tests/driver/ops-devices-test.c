/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver/ops: statistics, tuning and devices, on a fake list and without a socket. */
#include "domain/edit.h"
#include "ops/addresses.h"
#include "ops/tables.h"
#include "rpc/params.h"
#include "tests/driver/fake-call.h"
#include "tests/driver/fake-guest.h"
#include "tests/lib/kiln-test.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <libvirt/libvirt.h>
#include <sched.h>
#include <string.h>

static const KilnProcedureTable *const tables[] = {
    &kiln_ops_block,        &kiln_ops_console,
    &kiln_ops_device,       &kiln_ops_interface,
    &kiln_ops_iothread,     &kiln_ops_keys,
    &kiln_ops_memory_calls, &kiln_ops_pin,
    &kiln_ops_stats,        &kiln_ops_tune_cpu,
    &kiln_ops_tune_disk,    &kiln_ops_vcpu,
    &kiln_ops_tune_memory,  NULL,
};

static const char document[] =
    "<domain type='kvm'><name>web</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
    "<memory unit='MiB'>128</memory><currentMemory unit='MiB'>64</currentMemory><vcpu>2</vcpu>"
    "<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/vmlinuz</kernel></os><devices>"
    "<disk type='file' device='disk'><driver name='kiln' type='raw'/><source file='/a.img'/>"
    "<target dev='vda' bus='virtio'/></disk>"
    "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    "</devices></domain>";

static KilnDriver driver;
static KilnClient *client;
static KilnGuest *guest;
static remote_nonnull_domain dom;

static void
made(KilnGuest *one, const GError *error, G_GNUC_UNUSED gpointer data)
{
    kiln_assert_no_error(error);
    guest = one;
}

static KilnDomain *
parse(void)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    KilnDomain *domain = kiln_domain_parse(document, strlen(document), faults);

    ck_assert(domain != NULL);
    return domain;
}

/* A domain that is defined. */
static void
set_up(void)
{
    driver.guests = fake_list_new();
    client = fake_client_new(&driver, "kiln:///system", FALSE);
    kiln_guest_list_define(driver.guests, parse(), made, NULL);
    kiln_ops_fill_domain(&dom, guest);
}

/* And runs. */
static void
set_up_running(void)
{
    set_up();
    kiln_guest_list_create(driver.guests, parse(), 0, made, NULL);
    kiln_ops_fill_domain(&dom, guest);
}

static gpointer
answer(int procedure, gconstpointer args)
{
    FakeEnd *end = fake_call(client, tables, procedure, args);

    while (!end->ended)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_msg(end->code == 0, "%s", end->text);
    return end->ret;
}

static void
refused(int procedure, gconstpointer args, int code, const char *text)
{
    FakeEnd *end = fake_call(client, tables, procedure, args);

    while (!end->ended)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_msg(end->code == code && strstr(end->text, text) != NULL, "%d: %s", end->code,
                  end->text);
    fake_end_free(end);
}

static KilnDomain *
config(void)
{
    KilnDomain *domain = kiln_guest_definition(guest, NULL);

    ck_assert(domain != NULL);
    return domain;
}

/* ---- Who may ---- */

/* What a read-only connection is refused by libvirt, by number; from virCheckReadOnlyGoto() in its
 * public functions. */
static const char denied[] =
    "8-13 26-35 39-42 48 49 53-55 58 61-63 75-83 90 93 94 103 104 108 109 118-120 123-125 131-136 "
    "142 144-146 148 160 161 164-166 174 180-182 184 185 192 193 196 197 199 201 204 205 207-211 "
    "213-222 225 226 231-237 239 240 242 245 249-252 254 256 258-261 264 266 267 277 279 288 290 "
    "291 294-296 300-310 334-338 342 343 345 347 349 350 352 355-358 364 366 371 372 384 386 389 "
    "390 392-396 399 400 402 406 408 410 411 417 418 420 421 424 425 427-434 437 439-443";

static gboolean
is_denied(int number)
{
    g_auto(GStrv) words = g_strsplit(denied, " ", -1);

    for (char **word = words; *word != NULL; word++) {
        char *end;
        gint64 first = g_ascii_strtoll(*word, &end, 10);
        gint64 last = *end == '-' ? g_ascii_strtoll(end + 1, NULL, 10) : first;

        if (number >= first && number <= last)
            return TRUE;
    }
    return FALSE;
}

START_TEST(read_only_as_libvirt_has_it)
{
    for (guint i = 0; tables[i] != NULL; i++)
        for (guint j = 0; j < tables[i]->n_rows; j++) {
            const KilnProcedure *row = &tables[i]->rows[j];

            ck_assert_msg((row->access == KILN_ACCESS_WRITE) == is_denied(row->number), "%s",
                          row->name);
        }
}
END_TEST

START_TEST(every_call_stands_once)
{
    for (guint number = 1; number <= REMOTE_PROC_DOMAIN_FD_ASSOCIATE; number++) {
        guint n = 0;

        for (guint i = 0; tables[i] != NULL; i++)
            for (guint j = 0; j < tables[i]->n_rows; j++)
                n += tables[i]->rows[j].number == (int)number;
        ck_assert_msg(n <= 1, "%u", number);
    }
}
END_TEST

/* ---- Statistics ---- */

static const KilnStatistic published[] = {
    { .name = "state.state", .type = KILN_STATISTIC_INT, .value.number = 5 },
    { .name = "cpu.time", .type = KILN_STATISTIC_ULLONG, .value.count = 1 },
    { .name = "cpu.user", .type = KILN_STATISTIC_ULLONG, .value.count = 2 },
    { .name = "vcpu.current", .type = KILN_STATISTIC_UINT, .value.count = 2 },
    { .name = "vcpu.0.state", .type = KILN_STATISTIC_INT, .value.number = 1 },
    { .name = "vcpu.0.time", .type = KILN_STATISTIC_ULLONG, .value.count = 3 },
    { .name = "balloon.current", .type = KILN_STATISTIC_ULLONG, .value.count = 4 },
    { .name = "balloon.returned", .type = KILN_STATISTIC_ULLONG, .value.count = 4 },
    { .name = "net.count", .type = KILN_STATISTIC_UINT, .value.count = 1 },
    { .name = "net.0.name", .type = KILN_STATISTIC_STRING, .value.text = "net0" },
    { .name = "net.0.rx.bytes", .type = KILN_STATISTIC_ULLONG, .value.count = 5 },
    { .name = "block.count", .type = KILN_STATISTIC_UINT, .value.count = 1 },
    { .name = "block.0.name", .type = KILN_STATISTIC_STRING, .value.text = "vda" },
    { .name = "block.0.rd.reqs", .type = KILN_STATISTIC_ULLONG, .value.count = 6 },
    { .name = "block.0.rd.bytes", .type = KILN_STATISTIC_ULLONG, .value.count = 7 },
    { .name = "block.0.wr.times", .type = KILN_STATISTIC_ULLONG, .value.count = 8 },
    { .name = "block.0.discard.reqs", .type = KILN_STATISTIC_ULLONG, .value.count = 8 },
    { .name = "block.0.capacity", .type = KILN_STATISTIC_ULLONG, .value.count = 9 },
    { .name = "iothread.count", .type = KILN_STATISTIC_UINT, .value.count = 0 },
    { .name = "exits.total", .type = KILN_STATISTIC_ULLONG, .value.count = 10 },
    { .name = "exits.halt", .type = KILN_STATISTIC_ULLONG, .value.count = 11 },
};

/* The names of the first record, with spaces between. */
static char *
names_of(const remote_connect_get_all_domain_stats_ret *ret)
{
    g_autoptr(GString) names = g_string_new(NULL);

    ck_assert_uint_eq(ret->retStats.retStats_len, 1);
    for (guint i = 0; i < ret->retStats.retStats_val[0].params.params_len; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? " " : "",
                               ret->retStats.retStats_val[0].params.params_val[i].field);
    return fake_keep(g_strdup(names->str));
}

static char *
stats(unsigned groups, unsigned flags)
{
    remote_connect_get_all_domain_stats_args args = { .stats = groups, .flags = flags };

    return names_of(answer(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args));
}

START_TEST(statistics_of_one_that_runs)
{
    set_up_running();
    fake_guest_publish(guest, published, G_N_ELEMENTS(published));
    ck_assert_str_eq(stats(0, 0),
                     "state.state state.reason cpu.time cpu.user vcpu.current vcpu.0.state "
                     "vcpu.0.time balloon.current net.count net.0.name net.0.rx.bytes block.count "
                     "block.0.name block.0.rd.reqs block.0.rd.bytes block.0.wr.times "
                     "block.0.capacity iothread.count vm.exits.sum vm.halt_exits.sum balloon.rss");
    ck_assert_str_eq(stats(VIR_DOMAIN_STATS_STATE, 0), "state.state state.reason");
    ck_assert_str_eq(stats(VIR_DOMAIN_STATS_CPU_TOTAL, 0), "cpu.time cpu.user");
    ck_assert_str_eq(stats(VIR_DOMAIN_STATS_INTERFACE, 0), "net.count net.0.name net.0.rx.bytes");
    ck_assert_str_eq(stats(VIR_DOMAIN_STATS_VM, 0), "vm.exits.sum vm.halt_exits.sum");
    ck_assert_str_eq(stats(VIR_DOMAIN_STATS_PERF, 0), "");
}
END_TEST

START_TEST(statistics_of_one_that_does_not)
{
    set_up();
    ck_assert_str_eq(stats(0, 0), "state.state state.reason balloon.current balloon.maximum "
                                  "vcpu.current vcpu.maximum block.count block.0.name "
                                  "block.0.path");
    ck_assert_str_eq(stats(VIR_DOMAIN_STATS_INTERFACE, 0), "");
}
END_TEST

START_TEST(statistics_of_some)
{
    remote_connect_get_all_domain_stats_args args = { .flags = VIR_CONNECT_LIST_DOMAINS_ACTIVE };
    const remote_connect_get_all_domain_stats_ret *ret;
    remote_nonnull_domain list[3];

    set_up();
    ret = answer(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
    ck_assert_uint_eq(ret->retStats.retStats_len, 0);
    list[0] = list[1] = list[2] = dom;               /* the third is there already */
    memset(list[1].uuid, 0xee, sizeof list[1].uuid); /* has gone */
    args.flags = 0;
    args.doms.doms_val = list;
    args.doms.doms_len = 3;
    ret = answer(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args);
    ck_assert_uint_eq(ret->retStats.retStats_len, 1);
    ck_assert_str_eq(ret->retStats.retStats_val[0].dom.name, "web");
}
END_TEST

START_TEST(enforced_statistics)
{
    remote_connect_get_all_domain_stats_args args = {
        .stats = VIR_DOMAIN_STATS_PERF,
        .flags = (unsigned)VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS,
    };

    set_up();
    refused(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, VIR_ERR_ARGUMENT_UNSUPPORTED,
            "not supported");
    args.flags = 1 << 28;
    refused(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, VIR_ERR_INVALID_ARG, "flags");
}
END_TEST

START_TEST(traffic_of_a_disk)
{
    remote_domain_block_stats_args args = { .path = (char *)"vda" };
    const remote_domain_block_stats_ret *ret;

    set_up_running();
    args.dom = dom;
    fake_guest_publish(guest, published, G_N_ELEMENTS(published));
    ret = answer(REMOTE_PROC_DOMAIN_BLOCK_STATS, &args);
    ck_assert_int_eq(ret->rd_req, 6);
    ck_assert_int_eq(ret->rd_bytes, 7);
    ck_assert_int_eq(ret->errs, -1);
    args.path = (char *)"";
    ret = answer(REMOTE_PROC_DOMAIN_BLOCK_STATS, &args);
    ck_assert_int_eq(ret->rd_req, 6);
    args.path = (char *)"vdz";
    refused(REMOTE_PROC_DOMAIN_BLOCK_STATS, &args, VIR_ERR_INVALID_ARG, "invalid path: vdz");
}
END_TEST

/* A guest that took over its process may publish any number. */
START_TEST(traffic_of_more_than_there_are)
{
    static const KilnStatistic lies[] = {
        { .name = "block.count", .type = KILN_STATISTIC_ULLONG, .value.count = G_MAXUINT32 },
        { .name = "block.0.rd.reqs", .type = KILN_STATISTIC_ULLONG, .value.count = 6 },
        { .name = "net.count", .type = KILN_STATISTIC_ULLONG, .value.count = G_MAXUINT32 },
    };
    remote_domain_block_stats_args args = { .path = (char *)"" };
    remote_domain_interface_stats_args net = { .device = (char *)"net0" };
    const remote_domain_block_stats_ret *ret;

    set_up_running();
    args.dom = net.dom = dom;
    fake_guest_publish(guest, lies, G_N_ELEMENTS(lies));
    ret = answer(REMOTE_PROC_DOMAIN_BLOCK_STATS, &args);
    ck_assert_int_eq(ret->rd_req, 6);
    args.path = (char *)"vda";
    ret = answer(REMOTE_PROC_DOMAIN_BLOCK_STATS, &args);
    ck_assert_int_eq(ret->rd_req, 0);
    refused(REMOTE_PROC_DOMAIN_INTERFACE_STATS, &net, VIR_ERR_INVALID_ARG,
            "invalid path, 'net0' is not a known interface");
}
END_TEST

START_TEST(traffic_of_an_interface)
{
    remote_domain_interface_stats_args args = { .device = (char *)"net0" };
    const remote_domain_interface_stats_ret *ret;

    set_up_running();
    args.dom = dom;
    fake_guest_publish(guest, published, G_N_ELEMENTS(published));
    ret = answer(REMOTE_PROC_DOMAIN_INTERFACE_STATS, &args);
    ck_assert_int_eq(ret->rx_bytes, 5);
    args.device = (char *)"vnet9";
    refused(REMOTE_PROC_DOMAIN_INTERFACE_STATS, &args, VIR_ERR_INVALID_ARG,
            "'vnet9' is not a known interface");
}
END_TEST

/* ---- vCPUs, pinning, I/O threads ---- */

START_TEST(vcpus_of_the_definition)
{
    remote_domain_set_vcpus_flags_args args = { .nvcpus = 1, .flags = VIR_DOMAIN_AFFECT_CONFIG };
    remote_domain_get_vcpus_flags_args get = { .flags = VIR_DOMAIN_AFFECT_CONFIG };

    set_up_running();
    get.dom = args.dom = dom;
    answer(REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS, &args);
    ck_assert_int_eq(
        ((remote_domain_get_vcpus_flags_ret *)answer(REMOTE_PROC_DOMAIN_GET_VCPUS_FLAGS, &get))
            ->num,
        1);
    args.nvcpus = 3;
    refused(REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS, &args, VIR_ERR_INVALID_ARG, "3 > 2");
    args.flags |= VIR_DOMAIN_VCPU_MAXIMUM;
    answer(REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS, &args);
    get.flags |= VIR_DOMAIN_VCPU_MAXIMUM;
    ck_assert_int_eq(
        ((remote_domain_get_vcpus_flags_ret *)answer(REMOTE_PROC_DOMAIN_GET_VCPUS_FLAGS, &get))
            ->num,
        3);
    args.flags = VIR_DOMAIN_AFFECT_LIVE;
    args.nvcpus = 1;
    refused(REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS, &args, VIR_ERR_OPERATION_UNSUPPORTED, "vCPUs");
    args.nvcpus = 2; /* as many as there are */
    answer(REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS, &args);
}
END_TEST

START_TEST(pins)
{
    char map[1] = { 1 };
    remote_domain_pin_vcpu_flags_args args = {
        .vcpu = 1, .cpumap = { 1, map }, .flags = VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_AFFECT_LIVE
    };
    remote_domain_get_vcpu_pin_info_args get = { .ncpumaps = 2, .maplen = 1 };
    const remote_domain_get_vcpu_pin_info_ret *ret;
    remote_domain_event_callback_tunable_msg event;
    g_autoptr(KilnDomain) domain = NULL;
    cpu_set_t now;

    ck_assert_int_eq(sched_getaffinity(0, sizeof now, &now), 0);
    map[0] = (char)(1 << 0);
    if (!CPU_ISSET(0, &now))
        return; /* not ours to use */
    set_up_running();
    get.dom = args.dom = dom;
    answer(REMOTE_PROC_DOMAIN_PIN_VCPU_FLAGS, &args);
    ck_assert_int_eq(fake_event(&event, sizeof event), VIR_DOMAIN_EVENT_ID_TUNABLE);
    ck_assert_uint_eq(event.params.params_len, 1);
    ck_assert_str_eq(event.params.params_val[0].field, "cputune.vcpupin1");
    ck_assert_str_eq(event.params.params_val[0].value.remote_typed_param_value_u.s, "0");
    ck_assert_int_eq(sched_getaffinity(0, sizeof now, &now), 0);
    ck_assert_int_eq(CPU_COUNT(&now), 1);
    domain = config();
    ck_assert_uint_eq(domain->cputune.vcpu_pins->len, 1);
    ck_assert_uint_eq(((KilnPin *)g_ptr_array_index(domain->cputune.vcpu_pins, 0))->thread.value,
                      1);
    ret = answer(REMOTE_PROC_DOMAIN_GET_VCPU_PIN_INFO, &get);
    ck_assert_int_eq(ret->num, 2);
    ck_assert_uint_eq((guint8)ret->cpumaps.cpumaps_val[1], 1);
    args.vcpu = 2;
    refused(REMOTE_PROC_DOMAIN_PIN_VCPU_FLAGS, &args, VIR_ERR_INVALID_ARG,
            "vcpu 2 is out of range of live cpu count 2");
    map[0] = 0;
    refused(REMOTE_PROC_DOMAIN_PIN_VCPU_FLAGS, &args, VIR_ERR_INVALID_ARG, "Empty cpu list");
}
END_TEST

START_TEST(iothreads_come_and_go)
{
    remote_domain_add_iothread_args add = { .iothread_id = 4, .flags = VIR_DOMAIN_AFFECT_CONFIG };
    remote_domain_del_iothread_args del = { .iothread_id = 1, .flags = VIR_DOMAIN_AFFECT_CONFIG };
    remote_domain_get_iothread_info_args get = { .flags = VIR_DOMAIN_AFFECT_CONFIG };
    const remote_domain_get_iothread_info_ret *ret;

    set_up();
    add.dom = del.dom = get.dom = dom;
    answer(REMOTE_PROC_DOMAIN_ADD_IOTHREAD, &add);
    refused(REMOTE_PROC_DOMAIN_ADD_IOTHREAD, &add, VIR_ERR_INVALID_ARG,
            "an IOThread is already using iothread_id '4'");
    add.iothread_id = 1;
    answer(REMOTE_PROC_DOMAIN_ADD_IOTHREAD, &add);
    ret = answer(REMOTE_PROC_DOMAIN_GET_IOTHREAD_INFO, &get);
    ck_assert_uint_eq(ret->info.info_len, 2);
    ck_assert_uint_eq(ret->info.info_val[1].iothread_id, 4);
    answer(REMOTE_PROC_DOMAIN_DEL_IOTHREAD, &del);
    refused(REMOTE_PROC_DOMAIN_DEL_IOTHREAD, &del, VIR_ERR_INVALID_ARG, "cannot find IOThread '1'");
    ret = answer(REMOTE_PROC_DOMAIN_GET_IOTHREAD_INFO, &get);
    ck_assert_uint_eq(ret->info.info_len, 1);
}
END_TEST

/* ---- Memory and tuning ---- */

START_TEST(memory_live_and_defined)
{
    remote_domain_set_memory_flags_args args = {
        .memory = 100 * 1024, .flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG
    };
    g_autoptr(KilnDomain) domain = NULL;

    set_up_running();
    args.dom = dom;
    answer(REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, &args);
    ck_assert_str_eq(fake_keep(fake_list_calls(driver.guests)), "SetMemory");
    ck_assert_str_eq(fake_list_arguments(driver.guests), "(102400,)");
    domain = config();
    ck_assert_uint_eq(domain->memory.current.value, 100 << 20);
    args.memory = 1024 * 1024;
    refused(REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, &args, VIR_ERR_INVALID_ARG,
            "cannot set memory higher than max memory");
    args.flags = VIR_DOMAIN_MEM_MAXIMUM;
    refused(REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, &args, VIR_ERR_OPERATION_INVALID, "active domain");
    args.flags |= VIR_DOMAIN_AFFECT_CONFIG;
    answer(REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, &args);
}
END_TEST

static guint64
number(const remote_typed_param *values, guint n, const char *field)
{
    guint64 value = 0;

    ck_assert_msg(kiln_params_get_unsigned(values, n, field, &value), "%s", field);
    return value;
}

START_TEST(limits_in_the_cgroup_and_the_definition)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *weight = g_build_filename(dir, "cpu.weight", NULL);
    g_autofree char *most = g_build_filename(dir, "cpu.max", NULL);
    g_autofree char *text = NULL;
    g_auto(KilnParams) params = { .values = NULL };
    remote_domain_set_scheduler_parameters_flags_args args = { .flags = VIR_DOMAIN_AFFECT_LIVE |
                                                                        VIR_DOMAIN_AFFECT_CONFIG };
    remote_domain_get_scheduler_parameters_flags_args get = { .nparams = 9 };
    const remote_domain_get_scheduler_parameters_flags_ret *ret;
    remote_domain_event_callback_tunable_msg event;

    set_up_running();
    ck_assert(g_file_set_contents(weight, "100\n", -1, NULL));
    ck_assert(g_file_set_contents(most, "max 100000\n", -1, NULL));
    fake_guest_set_cgroup(guest, dir);
    kiln_params_add_ullong(&params, VIR_DOMAIN_SCHEDULER_CPU_SHARES, 200);
    kiln_params_add_llong(&params, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, 50000);
    args.dom = get.dom = dom;
    args.params.params_val = params.values;
    args.params.params_len = params.n;
    answer(REMOTE_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, &args);
    ck_assert(g_file_get_contents(most, &text, NULL, NULL));
    ck_assert(g_str_has_prefix(text, "50000 100000"));
    ck_assert_int_eq(fake_event(&event, sizeof event), VIR_DOMAIN_EVENT_ID_TUNABLE);
    ck_assert_uint_eq(event.params.params_len, 2);
    ck_assert_uint_eq(number(event.params.params_val, 2, "cputune.cpu_shares"), 200);
    ck_assert_str_eq(event.params.params_val[1].field, "cputune.global_quota");
    get.flags = VIR_DOMAIN_AFFECT_CONFIG;
    ret = answer(REMOTE_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, &get);
    ck_assert_uint_eq(ret->params.params_len, 9);
    ck_assert_uint_eq(number(ret->params.params_val, 9, VIR_DOMAIN_SCHEDULER_CPU_SHARES), 200);
    kiln_params_add_ullong(&params, VIR_DOMAIN_SCHEDULER_VCPU_PERIOD, 5000);
    args.params.params_val = params.values;
    args.params.params_len = params.n;
    refused(REMOTE_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, &args, VIR_ERR_OPERATION_UNSUPPORTED,
            "vcpu_period");
}
END_TEST

START_TEST(memory_limits)
{
    g_auto(KilnParams) params = { .values = NULL };
    remote_domain_set_memory_parameters_args args = { .flags = VIR_DOMAIN_AFFECT_CONFIG };
    remote_domain_get_memory_parameters_args get = { .nparams = 0 };
    const remote_domain_get_memory_parameters_ret *ret;

    set_up();
    kiln_params_add_ullong(&params, VIR_DOMAIN_MEMORY_HARD_LIMIT, 4096);
    args.dom = get.dom = dom;
    args.params.params_val = params.values;
    args.params.params_len = params.n;
    ret = answer(REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS, &get);
    ck_assert_int_eq(ret->nparams, 3);
    ck_assert_uint_eq(ret->params.params_len, 0);
    answer(REMOTE_PROC_DOMAIN_SET_MEMORY_PARAMETERS, &args);
    get.nparams = 3;
    ret = answer(REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS, &get);
    ck_assert_uint_eq(number(ret->params.params_val, 3, VIR_DOMAIN_MEMORY_HARD_LIMIT), 4096);
    ck_assert_uint_eq(number(ret->params.params_val, 3, VIR_DOMAIN_MEMORY_SOFT_LIMIT),
                      VIR_DOMAIN_MEMORY_PARAM_UNLIMITED);
}
END_TEST

START_TEST(limits_of_a_disk)
{
    g_auto(KilnParams) params = { .values = NULL };
    remote_domain_set_block_io_tune_args args = { .disk = (char *)"vda",
                                                  .flags = VIR_DOMAIN_AFFECT_CONFIG };
    g_autoptr(KilnDomain) domain = NULL;

    set_up();
    kiln_params_add_ullong(&params, VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC, 1000000);
    kiln_params_add_string(&params, VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME, "g");
    args.dom = dom;
    args.params.params_val = params.values;
    args.params.params_len = params.n;
    answer(REMOTE_PROC_DOMAIN_SET_BLOCK_IO_TUNE, &args);
    domain = config();
    ck_assert_uint_eq(kiln_domain_find_disk(domain, "vda")->iotune.total_bytes_sec.value, 1000000);
    ck_assert_str_eq(kiln_domain_find_disk(domain, "vda")->iotune.group_name, "g");
    kiln_params_add_ullong(&params, VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC, 1);
    args.params.params_val = params.values;
    args.params.params_len = params.n;
    refused(REMOTE_PROC_DOMAIN_SET_BLOCK_IO_TUNE, &args, VIR_ERR_INVALID_ARG, "bytes_sec");
}
END_TEST

START_TEST(sizes_of_a_disk_that_nobody_uses)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "a.img", NULL);
    g_autofree char *xml =
        g_strdup_printf("<disk type='file'><driver name='kiln' type='raw'/><source file='%s'/>"
                        "<target dev='vda' bus='virtio'/></disk>",
                        path);
    remote_domain_update_device_flags_args update = { .xml = xml };
    remote_domain_get_block_info_args args = { .path = (char *)"vda" };
    const remote_domain_get_block_info_ret *ret;

    set_up();
    update.dom = args.dom = dom;
    ck_assert(g_file_set_contents(path, "12345", 5, NULL));
    answer(REMOTE_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, &update);
    ret = answer(REMOTE_PROC_DOMAIN_GET_BLOCK_INFO, &args);
    ck_assert_uint_eq(ret->capacity, 5);
    ck_assert_uint_eq(ret->physical, 5);
    args.path = (char *)"vdz";
    refused(REMOTE_PROC_DOMAIN_GET_BLOCK_INFO, &args, VIR_ERR_INVALID_ARG, "invalid path vdz");
}
END_TEST

/* ---- Devices ---- */

START_TEST(devices_of_the_definition)
{
    remote_domain_attach_device_flags_args attach = {
        .xml = (char *)"<disk type='file'><source file='/b.img'/><target dev='vdb'/></disk>",
        .flags = VIR_DOMAIN_AFFECT_CONFIG
    };
    remote_domain_detach_device_flags_args detach = { .xml = attach.xml, .flags = attach.flags };

    set_up_running();
    attach.dom = detach.dom = dom;
    answer(REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, &attach);
    refused(REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, &attach, VIR_ERR_OPERATION_INVALID,
            "target vdb already exists");
    answer(REMOTE_PROC_DOMAIN_DETACH_DEVICE_FLAGS, &detach);
    refused(REMOTE_PROC_DOMAIN_DETACH_DEVICE_FLAGS, &detach, VIR_ERR_DEVICE_MISSING,
            "no target device vdb");
    attach.flags = VIR_DOMAIN_AFFECT_LIVE;
    refused(REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, &attach, VIR_ERR_OPERATION_UNSUPPORTED,
            "attaching a device of a guest that runs");
    attach.xml = (char *)"<disk";
    refused(REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, &attach, VIR_ERR_XML_ERROR, "");
}
END_TEST

START_TEST(a_link_is_cut_live)
{
    remote_domain_update_device_flags_args args = {
        .xml = (char *)"<interface type='user'><mac address='52:54:00:00:00:01'/>"
                       "<model type='virtio'/><link state='down'/></interface>",
        .flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
    };
    g_autoptr(KilnDomain) domain = NULL;

    set_up_running();
    args.dom = dom;
    answer(REMOTE_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, &args);
    ck_assert_str_eq(fake_keep(fake_list_calls(driver.guests)), "SetLink");
    ck_assert_str_eq(fake_list_arguments(driver.guests), "('52:54:00:00:00:01', false)");
    domain = config();
    ck_assert_int_eq(kiln_domain_find_net(domain, "52:54:00:00:00:01")->link,
                     KILN_NET_LINK_STATE_DOWN);
    args.xml = (char *)"<interface type='user'><mac address='52:54:00:00:00:01'/>"
                       "<model type='e1000e'/></interface>";
    refused(REMOTE_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, &args, VIR_ERR_OPERATION_UNSUPPORTED,
            "this change of a device");
}
END_TEST

/* ---- Addresses ---- */

START_TEST(addresses_in_files)
{
    g_autoptr(GPtrArray) none = kiln_addresses_of_new();
    static const char *const leases[] = {
        "",
        "[",
        "{}",
        "[1, {}, {\"mac-address\": 1}]",
        "[{\"mac-address\": \"52:54:00:00:00:01\", \"ip-address\": \"192.168.122.7\", "
        "\"expiry-time\": 100}]",
    };

    kiln_addresses_add(none, "net0", "52:54:00:00:00:01");
    for (guint i = 0; i < G_N_ELEMENTS(leases); i++)
        kiln_addresses_read_leases(none, leases[i], 50);
    kiln_addresses_read_arp(none,
                            "IP address HW type\n192.168.122.9 0x1 0x2 52:54:00:00:00:01 * virbr0\n"
                            "192.168.122.8 0x1 0x0 52:54:00:00:00:01 * virbr0\nshort\n");
    ck_assert_uint_eq(kiln_addresses_count(none, 0), 2);
}
END_TEST

static struct ifaddrs
host_address(struct sockaddr_in *address, struct sockaddr_in *mask, const char *text,
             const char *mask_text)
{
    *address = *mask = (struct sockaddr_in){ .sin_family = AF_INET };
    ck_assert_int_eq(inet_pton(AF_INET, text, &address->sin_addr), 1);
    ck_assert_int_eq(inet_pton(AF_INET, mask_text, &mask->sin_addr), 1);
    return (struct ifaddrs){ .ifa_addr = (struct sockaddr *)address,
                             .ifa_netmask = (struct sockaddr *)mask };
}

/* virsh domifaddr showed /0. */
START_TEST(leases_have_the_prefix_of_their_network)
{
    g_autoptr(GPtrArray) found = kiln_addresses_of_new();
    struct sockaddr_in addresses[2], masks[2];
    struct ifaddrs hosts[] = {
        { .ifa_name = (char *)"without an address" },
        host_address(&addresses[0], &masks[0], "10.0.0.1", "255.0.0.0"),
        host_address(&addresses[1], &masks[1], "192.168.122.1", "255.255.255.128"),
    };

    hosts[0].ifa_next = &hosts[1];
    hosts[1].ifa_next = &hosts[2];
    kiln_addresses_add(found, "net0", "52:54:00:00:00:01");
    kiln_addresses_found(found, "52:54:00:00:00:01", "192.168.122.7", 0);
    kiln_addresses_found(found, "52:54:00:00:00:01", "192.168.122.200", 0);
    kiln_addresses_found(found, "52:54:00:00:00:01", "fe80::1", 0);
    kiln_addresses_measure(found, hosts);
    ck_assert_uint_eq(kiln_addresses_prefix(found, 0, 0), 25);
    ck_assert_uint_eq(kiln_addresses_prefix(found, 0, 1), 0);
    ck_assert_uint_eq(kiln_addresses_prefix(found, 0, 2), 0);
}
END_TEST

/* ---- Keys ---- */

START_TEST(keys_and_interrupts)
{
    guint codes[] = { 29, 46 };
    remote_domain_send_key_args keys = { .codeset = VIR_KEYCODE_SET_LINUX,
                                         .keycodes = { 2, codes } };
    remote_domain_inject_nmi_args nmi = { 0 };

    set_up();
    keys.dom = dom;
    refused(REMOTE_PROC_DOMAIN_SEND_KEY, &keys, VIR_ERR_OPERATION_INVALID, "not running");
    set_up_running();
    keys.dom = nmi.dom = dom;
    answer(REMOTE_PROC_DOMAIN_SEND_KEY, &keys);
    ck_assert_str_eq(fake_list_arguments(driver.guests), "([29, 46], 100)");
    keys.codeset = VIR_KEYCODE_SET_XT;
    keys.holdtime = 7;
    answer(REMOTE_PROC_DOMAIN_SEND_KEY, &keys);
    ck_assert_str_eq(fake_list_arguments(driver.guests), "([29, 46], 7)");
    codes[1] = 0x5b;
    refused(REMOTE_PROC_DOMAIN_SEND_KEY, &keys, VIR_ERR_ARGUMENT_UNSUPPORTED, "key code 91");
    keys.codeset = VIR_KEYCODE_SET_WIN32;
    refused(REMOTE_PROC_DOMAIN_SEND_KEY, &keys, VIR_ERR_ARGUMENT_UNSUPPORTED, "code set 8");
    keys.keycodes.keycodes_len = 0;
    refused(REMOTE_PROC_DOMAIN_SEND_KEY, &keys, VIR_ERR_INVALID_ARG, "0 keys");
    answer(REMOTE_PROC_DOMAIN_INJECT_NMI, &nmi);
    ck_assert_ptr_nonnull(strstr(fake_keep(fake_list_calls(driver.guests)), "InjectNmi"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("driver-ops-devices");
    TCase *access = kiln_test_case(suite, "access");
    TCase *statistics = kiln_test_case(suite, "statistics");
    TCase *tuning = kiln_test_case(suite, "tuning");
    TCase *devices = kiln_test_case(suite, "devices");

    tcase_add_test(access, read_only_as_libvirt_has_it);
    tcase_add_test(access, every_call_stands_once);
    tcase_add_test(statistics, statistics_of_one_that_runs);
    tcase_add_test(statistics, statistics_of_one_that_does_not);
    tcase_add_test(statistics, statistics_of_some);
    tcase_add_test(statistics, enforced_statistics);
    tcase_add_test(statistics, traffic_of_a_disk);
    tcase_add_test(statistics, traffic_of_more_than_there_are);
    tcase_add_test(statistics, traffic_of_an_interface);
    tcase_add_test(tuning, vcpus_of_the_definition);
    tcase_add_test(tuning, pins);
    tcase_add_test(tuning, iothreads_come_and_go);
    tcase_add_test(tuning, memory_live_and_defined);
    tcase_add_test(tuning, limits_in_the_cgroup_and_the_definition);
    tcase_add_test(tuning, memory_limits);
    tcase_add_test(tuning, limits_of_a_disk);
    tcase_add_test(tuning, sizes_of_a_disk_that_nobody_uses);
    tcase_add_test(devices, devices_of_the_definition);
    tcase_add_test(devices, a_link_is_cut_live);
    tcase_add_test(devices, addresses_in_files);
    tcase_add_test(devices, leases_have_the_prefix_of_their_network);
    tcase_add_test(devices, keys_and_interrupts);
    return kiln_test_main(suite);
}
