/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver/ops: what each call about a domain answers and does, on a fake list and without a socket.
 */
#include "ops/document.h"
#include "ops/tables.h"
#include "tests/driver/fake-call.h"
#include "tests/driver/fake-guest.h"
#include "tests/lib/kiln-test.h"

#include <libvirt/libvirt.h>
#include <string.h>

static const KilnProcedureTable *const tables[] = {
    &kiln_ops_connect,
    &kiln_ops_domain_list,
    &kiln_ops_domain_config,
    &kiln_ops_domain_define,
    &kiln_ops_domain_info,
    &kiln_ops_domain_xml,
    &kiln_ops_lifecycle,
    &kiln_ops_metadata,
    &kiln_ops_saved,
    &kiln_ops_refused,
    NULL,
};

static KilnDriver driver;
static KilnClient *client;

#define DOCUMENT(name)                                                                             \
    "<domain type='kvm'>\n<name>" name "</name>\n<memory unit='MiB'>128</memory>\n"                \
    "<vcpu>2</vcpu>\n<os><type>hvm</type><kernel>/boot/vmlinuz</kernel></os>\n"

static const char web[] = DOCUMENT("web") "</domain>";

static void
set_up(void)
{
    driver.guests = fake_list_new();
    driver.program = (char *)"/usr/bin/kiln";
    client = fake_client_new(&driver, "kiln:///system", FALSE);
    kiln_ops_watch(&driver);
}

/* ---- Helpers ---- */

static FakeEnd *
call(int procedure, gconstpointer args)
{
    return fake_call(client, tables, procedure, args);
}

static void
expect(int procedure, gconstpointer args)
{
    FakeEnd *end = call(procedure, args);

    ck_assert_msg(end->code == 0, "%s", end->text);
    fake_end_free(end);
}

static void
expect_failure(int procedure, gconstpointer args, int code, const char *text)
{
    FakeEnd *end = call(procedure, args);

    ck_assert_msg(end->code == code && strstr(end->text, text) != NULL, "%d: %s", end->code,
                  end->text);
    fake_end_free(end);
}

static remote_nonnull_domain
define(const char *xml)
{
    remote_domain_define_xml_args args = { (char *)xml };
    FakeEnd *end = call(REMOTE_PROC_DOMAIN_DEFINE_XML, &args);
    remote_nonnull_domain about;

    ck_assert_msg(end->code == 0, "%s", end->text);
    about = ((remote_domain_define_xml_ret *)end->ret)->dom;
    fake_end_free(end);
    return about;
}

static KilnGuest *
guest_named(const char *name)
{
    return kiln_guest_list_by_name(driver.guests, name);
}

static remote_nonnull_domain
start(const char *xml)
{
    remote_nonnull_domain about = define(xml);
    remote_domain_create_args args = { about };

    expect(REMOTE_PROC_DOMAIN_CREATE, &args);
    return about;
}

/* The names in the answer to a list with @flags. */
static char *
listed(unsigned flags)
{
    remote_connect_list_all_domains_args args = { TRUE, flags };
    FakeEnd *end = call(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &args);
    remote_connect_list_all_domains_ret *ret = end->ret;
    GString *names = g_string_new(NULL);

    ck_assert_int_eq(end->code, 0);
    ck_assert_uint_eq(ret->ret, ret->domains.domains_len);
    for (guint i = 0; i < ret->domains.domains_len; i++)
        g_string_append_printf(names, "%s%s", i > 0 ? " " : "", ret->domains.domains_val[i].name);
    fake_end_free(end);
    return fake_keep(g_string_free(names, FALSE));
}

#define assert_listed(flags, names) ck_assert_str_eq(listed(flags), names)

static char *
xml_of(const remote_nonnull_domain *about, unsigned flags)
{
    remote_domain_get_xml_desc_args args = { *about, flags };
    FakeEnd *end = call(REMOTE_PROC_DOMAIN_GET_XML_DESC, &args);

    ck_assert_msg(end->code == 0, "%s", end->text);
    return ((remote_domain_get_xml_desc_ret *)end->ret)->xml;
}

/* ---- Lists ---- */

START_TEST(every_filter_of_a_list)
{
    remote_connect_list_all_domains_args unknown = { TRUE, 1u << 20 };
    remote_connect_list_all_domains_args count = { FALSE, 0 };
    remote_domain_set_autostart_args autostart = { .autostart = 1 };
    remote_nonnull_domain off;
    remote_connect_list_all_domains_ret *ret;
    FakeEnd *end;

    set_up();
    off = define(DOCUMENT("off") "</domain>");
    start(DOCUMENT("on") "</domain>");
    start(DOCUMENT("held") "</domain>");
    fake_guest_set_state(guest_named("held"), VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    autostart.dom = off;
    expect(REMOTE_PROC_DOMAIN_SET_AUTOSTART, &autostart);
    assert_listed(0, "off on held");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_ACTIVE, "on held");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_INACTIVE, "off");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE,
                  "off on held");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_RUNNING, "on");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_PAUSED | VIR_CONNECT_LIST_DOMAINS_SHUTOFF, "off held");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_OTHER, "");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_AUTOSTART, "off");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART | VIR_CONNECT_LIST_DOMAINS_ACTIVE,
                  "on held");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_TRANSIENT, "");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_PERSISTENT, "off on held");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, "");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, "");
    assert_listed(VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT, "off on held");
    expect_failure(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &unknown, VIR_ERR_INVALID_ARG, "flags");
    end = call(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &count);
    ret = end->ret;
    ck_assert_uint_eq(ret->ret, 3);
    ck_assert_uint_eq(ret->domains.domains_len, 0);
    fake_end_free(end);
}
END_TEST

START_TEST(the_older_lists)
{
    remote_connect_list_domains_args ids = { 10 };
    remote_connect_list_defined_domains_args names = { 1 };
    remote_connect_list_defined_domains_args negative = { -1 };
    FakeEnd *end;

    set_up();
    define(DOCUMENT("a") "</domain>");
    define(DOCUMENT("b") "</domain>");
    start(DOCUMENT("c") "</domain>");
    end = call(REMOTE_PROC_CONNECT_LIST_DOMAINS, &ids);
    ck_assert_uint_eq(((remote_connect_list_domains_ret *)end->ret)->ids.ids_len, 1);
    fake_end_free(end);
    end = call(REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS, &names);
    ck_assert_uint_eq(((remote_connect_list_defined_domains_ret *)end->ret)->names.names_len, 1);
    fake_end_free(end);
    end = call(REMOTE_PROC_CONNECT_NUM_OF_DOMAINS, NULL);
    ck_assert_int_eq(((remote_connect_num_of_domains_ret *)end->ret)->num, 1);
    fake_end_free(end);
    end = call(REMOTE_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, NULL);
    ck_assert_int_eq(((remote_connect_num_of_defined_domains_ret *)end->ret)->num, 2);
    fake_end_free(end);
    expect_failure(REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS, &negative, VIR_ERR_INVALID_ARG,
                   "maxnames");
}
END_TEST

START_TEST(look_ups)
{
    remote_domain_lookup_by_name_args name = { (char *)"web" };
    remote_domain_lookup_by_name_args absent = { (char *)"none" };
    remote_domain_lookup_by_id_args id = { 1 }, no_id = { -1 };
    remote_domain_lookup_by_uuid_args uuid, no_uuid = { { 0 } };
    remote_nonnull_domain about;

    set_up();
    about = start(web);
    memcpy(uuid.uuid, about.uuid, sizeof uuid.uuid);
    expect(REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &name);
    expect(REMOTE_PROC_DOMAIN_LOOKUP_BY_ID, &id);
    expect(REMOTE_PROC_DOMAIN_LOOKUP_BY_UUID, &uuid);
    expect_failure(REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &absent, VIR_ERR_NO_DOMAIN, "'none'");
    expect_failure(REMOTE_PROC_DOMAIN_LOOKUP_BY_ID, &no_id, VIR_ERR_NO_DOMAIN, "-1");
    expect_failure(REMOTE_PROC_DOMAIN_LOOKUP_BY_UUID, &no_uuid, VIR_ERR_NO_DOMAIN,
                   "'00000000-0000-0000-0000-000000000000'");
}
END_TEST

/* ---- Define and create ---- */

START_TEST(a_definition_s_faults_are_told_all_with_lines)
{
    remote_domain_define_xml_args twice = { (char *)DOCUMENT("a") "<nonsense/>\n<more/></domain>" };
    remote_domain_define_xml_args later = { (char *)DOCUMENT(
        "a") "<devices><nvram/></devices></domain>" };
    remote_domain_define_xml_args path = { (char *)DOCUMENT("../a") "</domain>" };
    remote_domain_define_xml_args noise = { (char *)"<domain" };
    FakeEnd *end;

    set_up();
    end = call(REMOTE_PROC_DOMAIN_DEFINE_XML, &twice);
    ck_assert_int_eq(end->code, VIR_ERR_XML_ERROR);
    ck_assert_ptr_nonnull(strstr(end->text, "XML error: line 6, column 1: domain/nonsense"));
    ck_assert_ptr_nonnull(strstr(end->text, "line 7, column 1: domain/more"));
    fake_end_free(end);
    expect_failure(REMOTE_PROC_DOMAIN_DEFINE_XML, &later, VIR_ERR_CONFIG_UNSUPPORTED,
                   "line 6, column 10: domain/devices/nvram");
    expect_failure(REMOTE_PROC_DOMAIN_DEFINE_XML, &path, VIR_ERR_XML_ERROR, "'/'");
    expect_failure(REMOTE_PROC_DOMAIN_DEFINE_XML, &noise, VIR_ERR_XML_ERROR, "line 1");
    assert_listed(0, "");
}
END_TEST

START_TEST(create_and_define_make_it_persistent)
{
    remote_domain_create_xml_args args = { (char *)web, VIR_DOMAIN_START_PAUSED };
    remote_domain_create_xml_args bad = { (char *)web, 1u << 30 };
    KilnGuest *guest;

    set_up();
    expect_failure(REMOTE_PROC_DOMAIN_CREATE_XML, &bad, VIR_ERR_INVALID_ARG, "flags");
    expect(REMOTE_PROC_DOMAIN_CREATE_XML, &args);
    guest = guest_named("web");
    ck_assert(kiln_guest_is_active(guest) && !kiln_guest_is_persistent(guest));
    ck_assert_int_eq(kiln_guest_state(guest, NULL), VIR_DOMAIN_PAUSED);
    expect_failure(REMOTE_PROC_DOMAIN_CREATE_XML, &args, VIR_ERR_OPERATION_INVALID, "'web'");
    define(web);
    ck_assert_ptr_eq(guest_named("web"), guest);
    ck_assert(kiln_guest_is_active(guest) && kiln_guest_is_persistent(guest));
}
END_TEST

START_TEST(autodestroy_ends_with_the_client)
{
    remote_domain_create_xml_args args = { (char *)web, VIR_DOMAIN_START_AUTODESTROY };
    remote_nonnull_domain stays;

    set_up();
    stays = start(DOCUMENT("stays") "</domain>");
    expect(REMOTE_PROC_DOMAIN_CREATE_XML, &args);
    ck_assert_ptr_nonnull(guest_named("web"));
    fake_client_leave(client);
    ck_assert_ptr_null(guest_named("web"));
    ck_assert(kiln_guest_is_active(guest_named(stays.name)));
}
END_TEST

START_TEST(autodestroy_forgets_what_stopped_before)
{
    remote_nonnull_domain about;
    remote_domain_create_with_flags_args args = { .flags = VIR_DOMAIN_START_AUTODESTROY };
    remote_domain_destroy_args destroy;
    remote_domain_create_args again;

    set_up();
    about = args.dom = destroy.dom = again.dom = define(web);
    expect(REMOTE_PROC_DOMAIN_CREATE_WITH_FLAGS, &args);
    expect(REMOTE_PROC_DOMAIN_DESTROY, &destroy);
    expect(REMOTE_PROC_DOMAIN_CREATE, &again);
    fake_client_leave(client);
    ck_assert(kiln_guest_is_active(guest_named(about.name)));
}
END_TEST

START_TEST(undefine_and_its_flags)
{
    remote_domain_undefine_flags_args args = { .flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                                                        VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                                                        VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
                                                        VIR_DOMAIN_UNDEFINE_NVRAM |
                                                        VIR_DOMAIN_UNDEFINE_KEEP_TPM };
    remote_domain_undefine_flags_args both, unknown;
    remote_domain_undefine_args plain;

    set_up();
    both.dom = unknown.dom = args.dom = define(web);
    both.flags = VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM;
    expect_failure(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &both, VIR_ERR_OPERATION_INVALID, "nvram");
    unknown.flags = 1u << 12;
    expect_failure(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &unknown, VIR_ERR_INVALID_ARG, "0x1000");
    expect(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &args);
    ck_assert_ptr_null(guest_named("web"));
    plain.dom = start(web);
    expect(REMOTE_PROC_DOMAIN_UNDEFINE, &plain);
    ck_assert(kiln_guest_is_active(guest_named("web")));
    expect_failure(REMOTE_PROC_DOMAIN_UNDEFINE, &plain, VIR_ERR_OPERATION_INVALID, "transient");
}
END_TEST

/* A variable store is not forgotten, and not lost by a mistake. */
START_TEST(undefine_with_nvram)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "web_VARS.fd", NULL);
    g_autofree char *text =
        g_strdup_printf("<domain type='kvm'><name>web</name><memory>65536</memory><os "
                        "firmware='efi'><type>hvm</type><nvram>%s</nvram></os></domain>",
                        path);
    remote_domain_undefine_flags_args args = { .flags = 0 };

    set_up();
    args.dom = define(text);
    ck_assert(g_file_set_contents(path, "variables", -1, NULL));
    expect_failure(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &args, VIR_ERR_OPERATION_INVALID,
                   "cannot undefine domain with nvram");
    args.flags = VIR_DOMAIN_UNDEFINE_KEEP_NVRAM;
    expect(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &args);
    ck_assert(g_file_test(path, G_FILE_TEST_EXISTS));
    args.dom = define(text);
    args.flags = VIR_DOMAIN_UNDEFINE_NVRAM;
    expect(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &args);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    args.dom = define(text);
    args.flags = 0; /* there is none yet */
    expect(REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, &args);
}
END_TEST

START_TEST(nvram_has_a_place_from_the_first)
{
    static const char efi[] = "<domain type='kvm'><name>web</name><memory>65536</memory><os "
                              "firmware='efi'><type>hvm</type></os></domain>";
    remote_domain_get_xml_desc_args args = { .flags = 0 };
    FakeEnd *end;

    set_up();
    args.dom = define(efi);
    end = call(REMOTE_PROC_DOMAIN_GET_XML_DESC, &args);
    ck_assert_int_eq(end->code, 0);
    ck_assert_ptr_nonnull(strstr(((const remote_domain_get_xml_desc_ret *)end->ret)->xml,
                                 "/lib/libvirt/kiln/nvram/web_VARS.fd</nvram>"));
    fake_end_free(end);
}
END_TEST

/* ---- Life ---- */

START_TEST(each_call_of_life_asks_for_its_own)
{
    remote_domain_suspend_args one;
    remote_domain_reset_args reset = { .flags = 0 };
    remote_domain_reboot_args reboot = { .flags = VIR_DOMAIN_REBOOT_ACPI_POWER_BTN };
    remote_domain_reboot_args agent = { .flags = VIR_DOMAIN_REBOOT_GUEST_AGENT };
    remote_domain_destroy_flags_args destroy = { .flags = VIR_DOMAIN_DESTROY_GRACEFUL };

    set_up();
    one.dom = define(web);
    expect_failure(REMOTE_PROC_DOMAIN_SHUTDOWN, &one, VIR_ERR_OPERATION_INVALID, "not running");
    expect(REMOTE_PROC_DOMAIN_CREATE, &one);
    expect_failure(REMOTE_PROC_DOMAIN_CREATE, &one, VIR_ERR_OPERATION_INVALID, "already running");
    reset.dom = reboot.dom = agent.dom = destroy.dom = one.dom;
    expect(REMOTE_PROC_DOMAIN_SHUTDOWN, &one);
    expect(REMOTE_PROC_DOMAIN_RESET, &reset);
    expect(REMOTE_PROC_DOMAIN_REBOOT, &reboot);
    expect(REMOTE_PROC_DOMAIN_SUSPEND, &one);
    expect_failure(REMOTE_PROC_DOMAIN_RESUME, &one, VIR_ERR_OPERATION_INVALID, "already running");
    expect_failure(REMOTE_PROC_DOMAIN_REBOOT, &agent, VIR_ERR_ARGUMENT_UNSUPPORTED, "agent");
    fake_guest_set_state(guest_named("web"), VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    expect(REMOTE_PROC_DOMAIN_SUSPEND, &one); /* it is paused: nothing to ask */
    expect(REMOTE_PROC_DOMAIN_RESUME, &one);
    expect(REMOTE_PROC_DOMAIN_DESTROY_FLAGS, &destroy);
    ck_assert_str_eq(fake_keep(fake_list_calls(driver.guests)),
                     "Shutdown Reset Reboot Pause Resume destroy-gracefully");
    expect_failure(REMOTE_PROC_DOMAIN_DESTROY, &one, VIR_ERR_OPERATION_INVALID, "not running");
}
END_TEST

START_TEST(a_process_s_failure_is_the_call_s)
{
    remote_domain_create_args args;

    set_up();
    args.dom = define(web);
    fake_list_fail(driver.guests, g_error_new_literal(KILN_VIR_ERROR, VIR_ERR_INTERNAL_ERROR,
                                                      "no kernel '/boot/vmlinuz'"));
    expect_failure(REMOTE_PROC_DOMAIN_CREATE, &args, VIR_ERR_INTERNAL_ERROR,
                   "internal error: no kernel '/boot/vmlinuz'");
    expect(REMOTE_PROC_DOMAIN_CREATE, &args);
}
END_TEST

/* ---- Information ---- */

START_TEST(info_of_what_runs_and_what_does_not)
{
    remote_domain_get_info_args args;
    remote_domain_get_state_args state = { .flags = 0 };
    remote_domain_get_info_ret *ret;
    FakeEnd *end;

    set_up();
    args.dom = state.dom = define(web);
    end = call(REMOTE_PROC_DOMAIN_GET_INFO, &args);
    ret = end->ret;
    ck_assert_uint_eq(ret->state, VIR_DOMAIN_SHUTOFF);
    ck_assert_uint_eq(ret->maxMem, 131072);
    ck_assert_uint_eq(ret->memory, 131072);
    ck_assert_uint_eq(ret->nrVirtCpu, 2);
    ck_assert_uint_eq(ret->cpuTime, 0);
    fake_end_free(end);
    expect(REMOTE_PROC_DOMAIN_CREATE, &args);
    end = call(REMOTE_PROC_DOMAIN_GET_INFO, &args);
    ret = end->ret;
    ck_assert_uint_eq(ret->state, VIR_DOMAIN_RUNNING);
    ck_assert_uint_eq(ret->memory, 65536);
    ck_assert_uint_eq(ret->cpuTime, 123456789);
    fake_end_free(end);
    fake_guest_set_state(guest_named("web"), VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR);
    end = call(REMOTE_PROC_DOMAIN_GET_STATE, &state);
    ck_assert_int_eq(((remote_domain_get_state_ret *)end->ret)->state, VIR_DOMAIN_PAUSED);
    ck_assert_int_eq(((remote_domain_get_state_ret *)end->ret)->reason, VIR_DOMAIN_PAUSED_IOERROR);
    fake_end_free(end);
}
END_TEST

START_TEST(what_is_empty_is_an_answer)
{
    remote_domain_get_job_stats_args stats = { .flags = VIR_DOMAIN_JOB_STATS_COMPLETED };
    remote_domain_get_messages_args messages = { .flags = 0 };
    remote_domain_list_all_snapshots_args snapshots = { .need_results = 1 };
    remote_domain_list_all_checkpoints_args checkpoints = { .need_results = 1 };
    remote_domain_has_managed_save_image_args image = { .flags = 0 };
    remote_domain_snapshot_lookup_by_name_args one = { .name = (char *)"s" };
    remote_domain_get_security_label_args label;
    remote_domain_abort_job_args job;

    set_up();
    stats.dom = messages.dom = snapshots.dom = checkpoints.dom = image.dom = one.dom = label.dom =
        job.dom = start(web);
    expect(REMOTE_PROC_DOMAIN_GET_JOB_STATS, &stats);
    expect(REMOTE_PROC_DOMAIN_GET_MESSAGES, &messages);
    expect(REMOTE_PROC_DOMAIN_LIST_ALL_SNAPSHOTS, &snapshots);
    expect(REMOTE_PROC_DOMAIN_LIST_ALL_CHECKPOINTS, &checkpoints);
    expect(REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, &image);
    expect(REMOTE_PROC_DOMAIN_GET_SECURITY_LABEL, &label);
    expect(REMOTE_PROC_NODE_GET_SECURITY_MODEL, NULL);
    expect_failure(REMOTE_PROC_DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, &one, VIR_ERR_NO_DOMAIN_SNAPSHOT,
                   "'s'");
    expect_failure(REMOTE_PROC_DOMAIN_ABORT_JOB, &job, VIR_ERR_OPERATION_INVALID, "no job");
    expect_failure(REMOTE_PROC_DOMAIN_MIGRATE_BEGIN3_PARAMS, NULL, VIR_ERR_OPERATION_UNSUPPORTED,
                   "migrated");
}
END_TEST

/* ---- XML ---- */

START_TEST(the_xml_of_what_runs_has_its_id)
{
    remote_nonnull_domain about;

    set_up();
    about = start(web);
    ck_assert_ptr_nonnull(strstr(xml_of(&about, 0), "<domain type='kvm' id='1'>"));
    ck_assert_ptr_null(strstr(xml_of(&about, VIR_DOMAIN_XML_INACTIVE), " id='"));
    ck_assert_ptr_null(strstr(xml_of(&about, VIR_DOMAIN_XML_MIGRATABLE), " id='"));
    ck_assert_ptr_nonnull(strstr(xml_of(&about, VIR_DOMAIN_XML_UPDATE_CPU), "<name>web</name>"));
    ck_assert_ptr_nonnull(strstr(xml_of(&about, 0), "<emulator>/usr/bin/kiln</emulator>"));
}
END_TEST

START_TEST(xml_of_one_that_just_began_is_whole)
{
    remote_nonnull_domain about;

    set_up();
    about = start(web);
    fake_guest_set_told(kiln_guest_list_by_uuid(driver.guests, (const guint8 *)about.uuid), FALSE);
    ck_assert_ptr_nonnull(strstr(xml_of(&about, VIR_DOMAIN_XML_INACTIVE), "<name>web"));
    ck_assert_ptr_null(strstr(fake_keep(fake_list_calls(driver.guests)), "GetThreads"));
    ck_assert_ptr_nonnull(strstr(xml_of(&about, 0), "<name>web"));
    ck_assert_ptr_nonnull(strstr(fake_keep(fake_list_calls(driver.guests)), "GetThreads"));
}
END_TEST

START_TEST(secure_xml_is_not_for_readers)
{
    remote_domain_get_xml_desc_args args = { .flags = VIR_DOMAIN_XML_SECURE };

    set_up();
    args.dom = define(web);
    expect(REMOTE_PROC_DOMAIN_GET_XML_DESC, &args);
    client = fake_client_new(&driver, "kiln:///system", TRUE);
    expect_failure(REMOTE_PROC_DOMAIN_GET_XML_DESC, &args, VIR_ERR_OPERATION_DENIED, "secure");
    args.flags = VIR_DOMAIN_XML_MIGRATABLE;
    expect_failure(REMOTE_PROC_DOMAIN_GET_XML_DESC, &args, VIR_ERR_OPERATION_DENIED, "secure");
    args.flags = VIR_DOMAIN_XML_INACTIVE;
    expect(REMOTE_PROC_DOMAIN_GET_XML_DESC, &args);
}
END_TEST

/* ---- Metadata, name, actions ---- */

static remote_string
nullable(const char *text, char **holder)
{
    *holder = (char *)text;
    return text != NULL ? holder : NULL;
}

/* Returns: (nullable): the message of its failure. */
static char *
set_metadata(const remote_nonnull_domain *about, int type, const char *text, const char *key,
             const char *uri)
{
    char *holders[3];
    remote_domain_set_metadata_args args = {
        .dom = *about,
        .type = type,
        .metadata = nullable(text, &holders[0]),
        .key = nullable(key, &holders[1]),
        .uri = nullable(uri, &holders[2]),
        .flags = VIR_DOMAIN_AFFECT_CONFIG,
    };

    return call(REMOTE_PROC_DOMAIN_SET_METADATA, &args)->text;
}

/* Returns: (nullable): NULL if there is none. */
static char *
get_metadata(const remote_nonnull_domain *about, int type, const char *uri)
{
    char *holder;
    remote_domain_get_metadata_args args = { *about, type, nullable(uri, &holder), 0 };
    FakeEnd *end = call(REMOTE_PROC_DOMAIN_GET_METADATA, &args);

    ck_assert_msg(end->code == 0 || end->code == VIR_ERR_NO_DOMAIN_METADATA, "%s", end->text);
    return end->code == 0 ? ((remote_domain_get_metadata_ret *)end->ret)->metadata : NULL;
}

START_TEST(title_and_description)
{
    remote_nonnull_domain about;
    remote_domain_event_callback_metadata_change_msg event;

    set_up();
    about = define(web);
    ck_assert_ptr_null(get_metadata(&about, VIR_DOMAIN_METADATA_TITLE, NULL));
    ck_assert_ptr_null(set_metadata(&about, VIR_DOMAIN_METADATA_TITLE, "A <title>", NULL, NULL));
    ck_assert_str_eq(get_metadata(&about, VIR_DOMAIN_METADATA_TITLE, NULL), "A <title>");
    ck_assert_int_eq(fake_event(&event, sizeof event), VIR_DOMAIN_EVENT_ID_METADATA_CHANGE);
    ck_assert_int_eq(event.type, VIR_DOMAIN_METADATA_TITLE);
    ck_assert_ptr_null(event.nsuri);
    ck_assert_ptr_nonnull(strstr(xml_of(&about, 0), "<title>A &lt;title&gt;</title>"));
    ck_assert_ptr_nonnull(set_metadata(&about, VIR_DOMAIN_METADATA_TITLE, "a\nb", NULL, NULL));
    ck_assert_ptr_nonnull(
        set_metadata(&about, VIR_DOMAIN_METADATA_DESCRIPTION, "\x01", NULL, NULL));
    ck_assert_ptr_null(
        set_metadata(&about, VIR_DOMAIN_METADATA_DESCRIPTION, "two\nlines", NULL, NULL));
    ck_assert_str_eq(get_metadata(&about, VIR_DOMAIN_METADATA_DESCRIPTION, NULL), "two\nlines");
    ck_assert_ptr_null(set_metadata(&about, VIR_DOMAIN_METADATA_TITLE, "", NULL, NULL));
    ck_assert_ptr_null(get_metadata(&about, VIR_DOMAIN_METADATA_TITLE, NULL));
    ck_assert_ptr_nonnull(set_metadata(&about, 17, "x", NULL, NULL));
}
END_TEST

START_TEST(elements_by_their_namespace)
{
    static const char a[] = "http://a.example/", b[] = "http://b.example/";
    remote_nonnull_domain about;

    set_up();
    about = define(web);
    ck_assert_ptr_null(
        set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, "<app v='1'><part/></app>", "a", a));
    ck_assert_ptr_null(set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, "<other/>", "b", b));
    ck_assert_ptr_nonnull(strstr(xml_of(&about, 0), "<a:app xmlns:a='http://a.example/' v='1'>"));
    ck_assert_ptr_nonnull(strstr(xml_of(&about, 0), "<a:part/>"));
    ck_assert_str_eq(get_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, a),
                     "<app v='1'>\n  <part/>\n</app>");
    ck_assert_ptr_null(set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, "<new/>", "a", a));
    ck_assert_str_eq(get_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, a), "<new/>");
    ck_assert_ptr_null(set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, NULL, NULL, a));
    ck_assert_ptr_null(get_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, a));
    ck_assert_str_eq(get_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, b), "<other/>");
    ck_assert_ptr_nonnull(set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, "<new", "a", a));
    ck_assert_ptr_nonnull(set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, "<new/>", "a b", a));
    ck_assert_ptr_nonnull(set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, "<new/>", NULL, a));
    ck_assert_ptr_nonnull(set_metadata(&about, VIR_DOMAIN_METADATA_ELEMENT, "<new/>", "a", NULL));
}
END_TEST

START_TEST(what_runs_is_described_by_its_process)
{
    char *holder;
    remote_domain_set_metadata_args args = {
        .type = VIR_DOMAIN_METADATA_TITLE,
        .metadata = nullable("live", &holder),
        .flags = VIR_DOMAIN_AFFECT_LIVE,
    };
    remote_domain_set_lifecycle_action_args action = {
        .type = VIR_DOMAIN_LIFECYCLE_CRASH,
        .action = VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE,
        .flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
    };

    set_up();
    args.dom = action.dom = start(web);
    expect(REMOTE_PROC_DOMAIN_SET_METADATA, &args);
    ck_assert_int_eq(fake_event(NULL, 0), VIR_DOMAIN_EVENT_ID_METADATA_CHANGE);
    ck_assert_str_eq(get_metadata(&args.dom, VIR_DOMAIN_METADATA_TITLE, NULL), "live");
    ck_assert_ptr_null(strstr(xml_of(&args.dom, VIR_DOMAIN_XML_INACTIVE), "<title>"));
    expect(REMOTE_PROC_DOMAIN_SET_LIFECYCLE_ACTION, &action);
    ck_assert_ptr_nonnull(strstr(xml_of(&args.dom, 0), "<on_crash>preserve</on_crash>"));
    ck_assert_ptr_nonnull(
        strstr(xml_of(&args.dom, VIR_DOMAIN_XML_INACTIVE), "<on_crash>preserve</on_crash>"));
    ck_assert_str_eq(fake_keep(fake_list_calls(driver.guests)), "SetMetadata SetLifecycle");
    fake_list_fail(driver.guests, g_error_new_literal(KILN_VIR_ERROR, VIR_ERR_OPERATION_TIMEOUT,
                                                      "it does not answer"));
    expect_failure(REMOTE_PROC_DOMAIN_SET_METADATA, &args, VIR_ERR_OPERATION_TIMEOUT, "answer");
    ck_assert_int_eq(fake_event(NULL, 0), -1);
}
END_TEST

START_TEST(a_new_name)
{
    char *holder;
    remote_domain_rename_args args = { .new_name = nullable("mail", &holder) };

    set_up();
    define(DOCUMENT("there") "</domain>");
    args.dom = define(web);
    expect(REMOTE_PROC_DOMAIN_RENAME, &args);
    assert_listed(0, "there mail");
    holder = (char *)"there";
    expect_failure(REMOTE_PROC_DOMAIN_RENAME, &args, VIR_ERR_OPERATION_INVALID, "already exists");
    holder = (char *)"a/b";
    expect_failure(REMOTE_PROC_DOMAIN_RENAME, &args, VIR_ERR_XML_ERROR, "a/b");
    holder = (char *)"";
    expect_failure(REMOTE_PROC_DOMAIN_RENAME, &args, VIR_ERR_INVALID_ARG, "empty");
    expect(REMOTE_PROC_DOMAIN_CREATE, &args.dom);
    holder = (char *)"x";
    expect_failure(REMOTE_PROC_DOMAIN_RENAME, &args, VIR_ERR_OPERATION_INVALID, "active");
}
END_TEST

START_TEST(lifecycle_actions)
{
    remote_domain_set_lifecycle_action_args args = {
        .type = VIR_DOMAIN_LIFECYCLE_POWEROFF,
        .action = VIR_DOMAIN_LIFECYCLE_ACTION_RESTART,
    };

    set_up();
    args.dom = define(web);
    expect(REMOTE_PROC_DOMAIN_SET_LIFECYCLE_ACTION, &args);
    ck_assert_ptr_nonnull(strstr(xml_of(&args.dom, 0), "<on_poweroff>restart</on_poweroff>"));
    args.action = VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY;
    expect_failure(REMOTE_PROC_DOMAIN_SET_LIFECYCLE_ACTION, &args, VIR_ERR_CONFIG_UNSUPPORTED,
                   "coredump-destroy");
    args.type = 3;
    expect_failure(REMOTE_PROC_DOMAIN_SET_LIFECYCLE_ACTION, &args, VIR_ERR_INVALID_ARG, "3");
}
END_TEST

/* ---- Events ---- */

START_TEST(every_news_is_its_event)
{
    static const int ids[] = {
        VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        VIR_DOMAIN_EVENT_ID_REBOOT,
        VIR_DOMAIN_EVENT_ID_RTC_CHANGE,
        VIR_DOMAIN_EVENT_ID_WATCHDOG,
        VIR_DOMAIN_EVENT_ID_IO_ERROR,
        VIR_DOMAIN_EVENT_ID_GRAPHICS,
        VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
        VIR_DOMAIN_EVENT_ID_CONTROL_ERROR,
        VIR_DOMAIN_EVENT_ID_DISK_CHANGE,
        VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
        VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE,
        VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
        VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
        VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
        VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
        VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
        VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD,
        VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE,
        VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
    };
    KilnGuestNews news = { .type = 5, .detail = 6, .numbers = { 7, 8 } };
    remote_domain_event_callback_lifecycle_msg lifecycle;
    remote_domain_event_callback_balloon_change_msg balloon;

    set_up();
    define(web);
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        news.event_id = ids[i];
        kiln_guest_tell(guest_named("web"), &news);
        ck_assert_int_eq(fake_event(NULL, 0), ids[i]);
    }
    news.event_id = VIR_DOMAIN_EVENT_ID_LIFECYCLE;
    kiln_guest_tell(guest_named("web"), &news);
    fake_event(&lifecycle, sizeof lifecycle);
    ck_assert_str_eq(lifecycle.msg.dom.name, "web");
    ck_assert_int_eq(lifecycle.msg.event, 5);
    ck_assert_int_eq(lifecycle.msg.detail, 6);
    news.event_id = VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE;
    kiln_guest_tell(guest_named("web"), &news);
    fake_event(&balloon, sizeof balloon);
    ck_assert_uint_eq(balloon.msg.actual, 7);
    news.event_id = VIR_DOMAIN_EVENT_ID_BLOCK_JOB; /* nothing here causes it */
    kiln_guest_tell(guest_named("web"), &news);
    ck_assert_int_eq(fake_event(NULL, 0), -1);
}
END_TEST

/* ---- The connection ---- */

static int
open_code(const char *name)
{
    g_autoptr(GError) error = NULL;

    return kiln_ops_open(&driver, name, &error) ? 0 : error->code;
}

START_TEST(which_names_are_served)
{
    set_up();
    ck_assert_int_eq(open_code(NULL), 0);
    ck_assert_int_eq(open_code(""), 0);
    ck_assert_int_eq(open_code("kiln:///system"), 0);
    ck_assert_int_eq(open_code("kiln:///session"), 0);
    ck_assert_int_eq(open_code("qemu:///system?socket=/x"), 0);
    ck_assert_int_eq(open_code("kiln:///"), VIR_ERR_INTERNAL_ERROR);
    ck_assert_int_eq(open_code("kiln:///systems"), VIR_ERR_INTERNAL_ERROR);
    ck_assert_int_eq(open_code("nonsense"), VIR_ERR_NO_CONNECT);
    driver.session = TRUE;
    ck_assert_int_eq(open_code("kiln:///session"), 0);
    ck_assert_int_eq(open_code("kiln:///system"), VIR_ERR_INTERNAL_ERROR);
}
END_TEST

static char *
type_of(const char *uri)
{
    client = fake_client_new(&driver, uri, FALSE);
    return ((remote_connect_get_type_ret *)call(REMOTE_PROC_CONNECT_GET_TYPE, NULL)->ret)->type;
}

START_TEST(what_the_connection_says_of_itself)
{
    remote_connect_get_max_vcpus_args any = { NULL };
    FakeEnd *end;

    set_up();
    ck_assert_str_eq(type_of("kiln:///system"), "KILN");
    ck_assert_str_eq(type_of("qemu:///system"), "QEMU");
    ck_assert_str_eq(type_of(NULL), "KILN");
    end = call(REMOTE_PROC_CONNECT_GET_URI, NULL);
    ck_assert_str_eq(((remote_connect_get_uri_ret *)end->ret)->uri, "kiln:///system");
    fake_end_free(end);
    end = call(REMOTE_PROC_CONNECT_GET_MAX_VCPUS, &any);
    ck_assert_int_gt(((remote_connect_get_max_vcpus_ret *)end->ret)->max_vcpus, 0);
    fake_end_free(end);
    expect(REMOTE_PROC_CONNECT_GET_VERSION, NULL);
    expect(REMOTE_PROC_CONNECT_GET_LIB_VERSION, NULL);
    expect(REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL);
    expect(REMOTE_PROC_CONNECT_IS_SECURE, NULL);
}
END_TEST

START_TEST(features_as_the_protocol_counts_them)
{
    static const int wanted[] = {
        [1] = 0,  [2] = 0,  [3] = 0,  [4] = 0,  [5] = 0,  [6] = 0,  [7] = 0,   [8] = 1,  [9] = 1,
        [10] = 1, [11] = 1, [12] = 0, [13] = 0, [14] = 1, [15] = 1, [16] = -1, [17] = 0,
    };

    set_up();
    for (guint i = 1; i < G_N_ELEMENTS(wanted); i++)
        ck_assert_int_eq(fake_feature(client, tables, i), wanted[i]);
    ck_assert_int_eq(fake_feature(client, tables, 0xffffffff), 0);
}
END_TEST

/* A program that never ends with a document keeps no caller waiting. */
START_TEST(a_validation_has_its_time)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *program = g_build_filename(dir, "kiln", NULL);
    remote_domain_define_xml_flags_args args = { (char *)web, VIR_DOMAIN_DEFINE_VALIDATE };
    FakeEnd *end;

    set_up();
    ck_assert(g_file_set_contents_full(program, "#!/bin/sh\nexec sleep 1000\n", -1,
                                       G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    driver.program = program;
    kiln_ops_schema_ms = 50;
    end = call(REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS, &args);
    while (!end->ended)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_int_eq(end->code, VIR_ERR_OPERATION_TIMEOUT);
    ck_assert_str_eq(end->text, "Timed out during operation: kiln validate took too long");
    ck_assert_ptr_null(guest_named("web"));
    fake_end_free(end);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("driver-ops");
    TCase *lists = kiln_test_case(suite, "lists");
    TCase *life = kiln_test_case(suite, "life");
    TCase *about = kiln_test_case(suite, "about");
    TCase *connection = kiln_test_case(suite, "connection");

    tcase_add_test(lists, every_filter_of_a_list);
    tcase_add_test(lists, the_older_lists);
    tcase_add_test(lists, look_ups);
    tcase_add_test(life, a_definition_s_faults_are_told_all_with_lines);
    tcase_add_test(life, create_and_define_make_it_persistent);
    tcase_add_test(life, autodestroy_ends_with_the_client);
    tcase_add_test(life, autodestroy_forgets_what_stopped_before);
    tcase_add_test(life, undefine_and_its_flags);
    tcase_add_test(life, undefine_with_nvram);
    tcase_add_test(life, nvram_has_a_place_from_the_first);
    tcase_add_test(life, each_call_of_life_asks_for_its_own);
    tcase_add_test(life, a_process_s_failure_is_the_call_s);
    tcase_add_test(about, info_of_what_runs_and_what_does_not);
    tcase_add_test(about, what_is_empty_is_an_answer);
    tcase_add_test(about, the_xml_of_what_runs_has_its_id);
    tcase_add_test(about, secure_xml_is_not_for_readers);
    tcase_add_test(about, xml_of_one_that_just_began_is_whole);
    tcase_add_test(about, title_and_description);
    tcase_add_test(about, elements_by_their_namespace);
    tcase_add_test(about, what_runs_is_described_by_its_process);
    tcase_add_test(about, a_validation_has_its_time);
    tcase_add_test(about, a_new_name);
    tcase_add_test(about, lifecycle_actions);
    tcase_add_test(about, every_news_is_its_event);
    tcase_add_test(connection, which_names_are_served);
    tcase_add_test(connection, what_the_connection_says_of_itself);
    tcase_add_test(connection, features_as_the_protocol_counts_them);
    return kiln_test_main(suite);
}
