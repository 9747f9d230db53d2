/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that the agent answers: handlers on a fake domain, with a fake agent on its channel. */
#include "ops/agent.h"
#include "ops/lifecycle.h"
#include "ops/tables.h"
#include "tests/driver/fake-call.h"
#include "tests/driver/fake-guest.h"
#include "tests/lib/fake-agent.h"
#include "tests/lib/kiln-test.h"

#include <libvirt/libvirt.h>
#include <string.h>

static const KilnProcedureTable *const tables[] = {
    &kiln_ops_agent, &kiln_ops_agent_info, &kiln_ops_domain_define, &kiln_ops_lifecycle, NULL,
};
static const KilnProcedureTable *const qemu_tables[] = { &kiln_ops_qemu, NULL };

static const char document[] =
    "<domain type='kvm'><name>web</name><memory unit='MiB'>128</memory><vcpu>2</vcpu>"
    "<os><type>hvm</type><kernel>/boot/vmlinuz</kernel></os><devices>"
    "<disk type='file' device='disk'><source file='/a.img'/><target dev='vdq' bus='virtio'/>"
    "<address type='pci' domain='0' bus='0' slot='7' function='0'/></disk>"
    "%s</devices></domain>";

static char *dir;
static KilnDriver driver;
static KilnClient *client;
static FakeAgent *fake;
static KilnGuest *guest;
static remote_nonnull_domain about;

static void
set_up_with(gboolean channel)
{
    g_autofree char *path = NULL;
    g_autofree char *element = NULL;
    g_autofree char *xml = NULL;
    remote_domain_create_xml_args args = { NULL, 0 };
    FakeEnd *end;

    dir = kiln_test_dir();
    path = g_build_filename(dir, "agent", NULL);
    element = g_strdup_printf("<channel type='unix'><source mode='bind' path='%s'/>"
                              "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
                              path);
    xml = g_strdup_printf(document, channel ? element : "");
    args.xml_desc = xml;
    driver.guests = fake_list_new();
    driver.program = (char *)"/usr/bin/kiln";
    client = fake_client_new(&driver, "kiln:///system", FALSE);
    fake = fake_agent_new(path);
    end = fake_call(client, tables, REMOTE_PROC_DOMAIN_CREATE_XML, &args);
    ck_assert_msg(end->code == 0, "%s", end->text);
    fake_end_free(end);
    guest = kiln_guest_list_by_name(driver.guests, "web");
    kiln_ops_fill_domain(&about, guest);
}

static void
set_up(void)
{
    set_up_with(TRUE);
}

static void
tear_down(void)
{
    kiln_ops_agent_stopped(guest);
    fake_agent_free(fake);
    g_free(dir);
}

/* Its end, when it has come. */
static FakeEnd *
call_of(const KilnProcedureTable *const *of, int number, gconstpointer args)
{
    FakeEnd *end = fake_call(client, of, number, args);

    while (!end->ended)
        g_main_context_iteration(NULL, TRUE);
    return end;
}

static FakeEnd *
call(int number, gconstpointer args)
{
    return call_of(tables, number, args);
}

/* The code that it ends with; 0: it went well. */
static int
code_of(int number, gconstpointer args)
{
    FakeEnd *end = call(number, args);
    int code = end->code;

    fake_end_free(end);
    return code;
}

START_TEST(a_guest_without_a_channel_has_no_agent)
{
    remote_domain_get_time_args args = { about, 0 };

    set_up_with(FALSE);
    args.dom = about;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_TIME, &args), VIR_ERR_ARGUMENT_UNSUPPORTED);
    tear_down();
}
END_TEST

START_TEST(times_are_had_and_set)
{
    remote_domain_get_time_args get = { about, 0 };
    remote_domain_set_time_args set = { about, 12, 5, 0 };
    FakeEnd *end;
    const remote_domain_get_time_ret *ret;

    fake_agent_answer(fake, "guest-get-time", "{\"return\": 1700000000123456789}\n");
    fake_agent_answer(fake, "guest-set-time", "{\"return\": {}}\n");
    end = call(REMOTE_PROC_DOMAIN_GET_TIME, &get);
    ck_assert_int_eq(end->code, 0);
    ret = end->ret;
    ck_assert_int_eq(ret->seconds, 1700000000);
    ck_assert_uint_eq(ret->nseconds, 123456789);
    fake_end_free(end);
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_TIME, &set), 0);
    ck_assert_str_eq(fake_agent_last(fake),
                     "{\"execute\":\"guest-set-time\",\"arguments\":{\"time\":12000000005}}");
    set.seconds = G_MAXINT64;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_TIME, &set), VIR_ERR_INVALID_ARG);
    fake_agent_answer(fake, "guest-get-time", "{\"return\": \"soon\"}\n");
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_TIME, &get), VIR_ERR_INTERNAL_ERROR);
}
END_TEST

START_TEST(a_host_name_is_the_agents)
{
    remote_domain_get_hostname_args args = { about, 0 };
    FakeEnd *end;

    fake_agent_answer(fake, "guest-get-host-name",
                      "{\"return\": {\"host-name\": \"web.example\"}}\n");
    end = call(REMOTE_PROC_DOMAIN_GET_HOSTNAME, &args);
    ck_assert_int_eq(end->code, 0);
    ck_assert_str_eq(((remote_domain_get_hostname_ret *)end->ret)->hostname, "web.example");
    fake_end_free(end);
    args.flags = VIR_DOMAIN_GET_HOSTNAME_LEASE;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_HOSTNAME, &args),
                     VIR_ERR_OPERATION_UNSUPPORTED);
}
END_TEST

START_TEST(file_systems_freeze_and_thaw)
{
    char *points[] = { (char *)"/", (char *)"/srv" };
    remote_domain_fsfreeze_args freeze = { about, { 2, points }, 0 };
    remote_domain_fsthaw_args thaw = { about, { 0, NULL }, 0 };
    remote_domain_fstrim_args trim = { about, NULL, 4096, 0 };
    FakeEnd *end;

    fake_agent_answer(fake, "guest-fsfreeze-freeze-list", "{\"return\": 2}\n");
    fake_agent_answer(fake, "guest-fsfreeze-thaw", "{\"return\": 3}\n");
    fake_agent_answer(fake, "guest-fstrim", "{\"return\": {\"paths\": []}}\n");
    end = call(REMOTE_PROC_DOMAIN_FSFREEZE, &freeze);
    ck_assert_int_eq(end->code, 0);
    ck_assert_int_eq(((remote_domain_fsfreeze_ret *)end->ret)->filesystems, 2);
    fake_end_free(end);
    ck_assert_ptr_nonnull(strstr(fake_agent_last(fake), "[\"/\",\"/srv\"]"));
    end = call(REMOTE_PROC_DOMAIN_FSTHAW, &thaw);
    ck_assert_int_eq(((remote_domain_fsthaw_ret *)end->ret)->filesystems, 3);
    fake_end_free(end);
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_FSTRIM, &trim), 0);
}
END_TEST

START_TEST(users_have_passwords_and_keys)
{
    char *user = (char *)"root";
    char *password = (char *)"pa\"ss";
    char *keys[] = { (char *)"ssh-ed25519 AAAA a" };
    remote_domain_set_user_password_args set = { about, &user, &password, 0 };
    remote_domain_authorized_ssh_keys_get_args get_keys = { about, user, 0 };
    remote_domain_authorized_ssh_keys_set_args set_keys = { about, user, { 1, keys }, 0 };
    const remote_domain_authorized_ssh_keys_get_ret *ret;
    FakeEnd *end;

    fake_agent_answer(fake, "guest-set-user-password", "{\"return\": {}}\n");
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_USER_PASSWORD, &set), 0);
    ck_assert_ptr_nonnull(strstr(fake_agent_last(fake), "\"crypted\":false"));
    ck_assert_ptr_nonnull(strstr(fake_agent_last(fake), "\"password\":\"cGEic3M=\""));
    set.user = NULL;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_USER_PASSWORD, &set), VIR_ERR_INVALID_ARG);

    fake_agent_answer(fake, "guest-ssh-get-authorized-keys",
                      "{\"return\": {\"keys\": [\"k1\", \"k2\"]}}\n");
    end = call(REMOTE_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_GET, &get_keys);
    ck_assert_int_eq(end->code, 0);
    ret = end->ret;
    ck_assert_uint_eq(ret->keys.keys_len, 2);
    ck_assert_str_eq(ret->keys.keys_val[1], "k2");
    fake_end_free(end);
    fake_agent_answer(fake, "guest-ssh-add-authorized-keys", "{\"return\": {}}\n");
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_SET, &set_keys), 0);
    ck_assert_ptr_nonnull(strstr(fake_agent_last(fake), "\"reset\":true"));
    set_keys.flags =
        VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND | VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_SET, &set_keys),
                     VIR_ERR_INVALID_ARG);
}
END_TEST

static const char fsinfo[] =
    "{\"return\": [{\"name\": \"vda2\", \"mountpoint\": \"/srv\", \"type\": \"ext4\", "
    "\"used-bytes\": 5, \"total-bytes\": 10, \"disk\": [{\"pci-controller\": {\"domain\": 0, "
    "\"bus\": 0, \"slot\": 7, \"function\": 0}, \"bus\": 0, \"target\": 0, \"unit\": 0, "
    "\"serial\": \"S\", \"dev\": \"/dev/vda2\"}]}, {\"name\": \"vda1\", \"mountpoint\": \"/\", "
    "\"type\": \"xfs\", \"disk\": []}]}\n";

START_TEST(file_systems_name_their_disks)
{
    remote_domain_get_fsinfo_args args = { about, 0 };
    const remote_domain_get_fsinfo_ret *ret;
    FakeEnd *end;

    fake_agent_answer(fake, "guest-get-fsinfo", fsinfo);
    end = call(REMOTE_PROC_DOMAIN_GET_FSINFO, &args);
    ck_assert_msg(end->code == 0, "%s", end->text);
    ret = end->ret;
    ck_assert_uint_eq(ret->info.info_len, 2);
    ck_assert_str_eq(ret->info.info_val[0].mountpoint, "/");
    ck_assert_str_eq(ret->info.info_val[1].fstype, "ext4");
    ck_assert_uint_eq(ret->info.info_val[1].dev_aliases.dev_aliases_len, 1);
    ck_assert_str_eq(ret->info.info_val[1].dev_aliases.dev_aliases_val[0], "vdq");
    fake_end_free(end);
}
END_TEST

static const remote_typed_param *
find(const remote_domain_get_guest_info_ret *ret, const char *name)
{
    for (guint i = 0; i < ret->params.params_len; i++) {
        if (strcmp(ret->params.params_val[i].field, name) == 0)
            return &ret->params.params_val[i];
    }
    ck_abort_msg("no parameter '%s'", name);
}

#define TEXT(name)   find(ret, name)->value.remote_typed_param_value_u.s
#define UINT(name)   find(ret, name)->value.remote_typed_param_value_u.ui
#define ULLONG(name) find(ret, name)->value.remote_typed_param_value_u.ul

START_TEST(guest_info_has_libvirts_names)
{
    remote_domain_get_guest_info_args args = { about, 0, 0 };
    const remote_domain_get_guest_info_ret *ret;
    FakeEnd *end;

    fake_agent_answer(fake, "guest-get-users",
                      "{\"return\": [{\"user\": \"root\", \"login-time\": 1.5}]}\n");
    fake_agent_answer(fake, "guest-get-osinfo",
                      "{\"return\": {\"id\": \"debian\", \"kernel-release\": \"6.1\"}}\n");
    fake_agent_answer(fake, "guest-get-timezone",
                      "{\"return\": {\"zone\": \"CET\", \"offset\": 3600}}\n");
    fake_agent_answer(fake, "guest-get-fsinfo", fsinfo);
    fake_agent_answer(fake, "guest-get-disks",
                      "{\"return\": [{\"name\": \"/dev/vda\", \"partition\": false, "
                      "\"dependencies\": [\"/dev/x\"]}]}\n");
    fake_agent_answer(fake, "guest-network-get-interfaces",
                      "{\"return\": [{\"name\": \"eth0\", \"hardware-address\": "
                      "\"52:54:00:00:00:01\", \"ip-addresses\": [{\"ip-address\": \"10.0.0.2\", "
                      "\"ip-address-type\": \"ipv4\", \"prefix\": 24}]}, {\"name\": \"eth0:1\", "
                      "\"ip-addresses\": [{\"ip-address\": \"fe80::1\", \"ip-address-type\": "
                      "\"ipv6\", \"prefix\": 64}]}]}\n");
    end = call(REMOTE_PROC_DOMAIN_GET_GUEST_INFO, &args); /* the host's name is not known to it */
    ck_assert_msg(end->code == 0, "%s", end->text);
    ret = end->ret;
    ck_assert_uint_eq(UINT("user.count"), 1);
    ck_assert_str_eq(TEXT("user.0.name"), "root");
    ck_assert_uint_eq(ULLONG("user.0.login-time"), 1500);
    ck_assert_str_eq(TEXT("os.kernel-release"), "6.1");
    ck_assert_str_eq(TEXT("timezone.name"), "CET");
    ck_assert_uint_eq(UINT("fs.count"), 2);
    ck_assert_str_eq(TEXT("fs.1.disk.0.alias"), "vdq");
    ck_assert_uint_eq(ULLONG("fs.1.total-bytes"), 10);
    ck_assert_str_eq(TEXT("disk.0.dependency.0.name"), "/dev/x");
    ck_assert_uint_eq(UINT("if.count"), 1);
    ck_assert_uint_eq(UINT("if.0.addr.count"), 2);
    ck_assert_str_eq(TEXT("if.0.addr.1.type"), "ipv6");
    fake_end_free(end);
    /* Who asks for it by name hears that the agent cannot. */
    args.types = VIR_DOMAIN_GUEST_INFO_HOSTNAME;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_GUEST_INFO, &args),
                     VIR_ERR_OPERATION_UNSUPPORTED);
    args.types = 1u << 20;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_GUEST_INFO, &args), VIR_ERR_INVALID_ARG);
}
END_TEST

START_TEST(answers_of_the_wrong_shape_are_errors)
{
    static const char *const answers[] = {
        "{\"return\": 3}\n",
        "{\"return\": {}}\n",
        "{\"return\": [3]}\n",
        "{\"return\": [null]}\n",
        "{\"return\": [[]]}\n",
        "{\"return\": [{}]}\n",
        "{\"return\": [{\"name\": 3, \"user\": {}, \"logical-id\": -1, \"mountpoint\": []}]}\n",
        "{\"return\": [{\"name\": \"a\", \"mountpoint\": \"b\", \"type\": \"c\", \"disk\": 5}]}\n",
    };
    static const char *const commands[] = { "guest-get-users", "guest-get-fsinfo",
                                            "guest-get-disks", "guest-network-get-interfaces",
                                            "guest-get-vcpus" };
    remote_domain_get_guest_info_args info = { about, 0, 0 };
    remote_domain_get_fsinfo_args fs = { about, 0 };
    remote_domain_get_guest_vcpus_args vcpus = { about, 0 };

    for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(commands); j++)
            fake_agent_answer(fake, commands[j], answers[i]);
        for (guint type = 1; type <= 64; type <<= 1) {
            info.types = type;
            ck_assert_int_ne(code_of(REMOTE_PROC_DOMAIN_GET_GUEST_INFO, &info),
                             i < G_N_ELEMENTS(answers) - 1 ? 0 : -1);
        }
        ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_FSINFO, &fs), VIR_ERR_INTERNAL_ERROR);
        ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_GUEST_VCPUS, &vcpus),
                         VIR_ERR_INTERNAL_ERROR);
    }
}
END_TEST

START_TEST(vcpus_are_switched_in_the_guest)
{
    remote_domain_get_guest_vcpus_args get = { about, 0 };
    remote_domain_set_guest_vcpus_args set = { about, (char *)"1-2", 0, 0 };
    const remote_domain_get_guest_vcpus_ret *ret;
    FakeEnd *end;

    fake_agent_answer(fake, "guest-get-vcpus",
                      "{\"return\": [{\"logical-id\": 0, \"online\": true}, {\"logical-id\": 1, "
                      "\"online\": true, \"can-offline\": true}, {\"logical-id\": 2, \"online\": "
                      "false, \"can-offline\": true}]}\n");
    fake_agent_answer(fake, "guest-set-vcpus", "{\"return\": 2}\n");
    end = call(REMOTE_PROC_DOMAIN_GET_GUEST_VCPUS, &get);
    ck_assert_msg(end->code == 0, "%s", end->text);
    ret = end->ret;
    ck_assert_str_eq(ret->params.params_val[0].value.remote_typed_param_value_u.s, "0-2");
    ck_assert_str_eq(ret->params.params_val[1].value.remote_typed_param_value_u.s, "0-1");
    ck_assert_str_eq(ret->params.params_val[2].value.remote_typed_param_value_u.s, "1-2");
    fake_end_free(end);
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_GUEST_VCPUS, &set), 0);
    ck_assert_ptr_nonnull(strstr(fake_agent_last(fake), "{\"logical-id\":2,\"online\":false}"));
    set.cpumap = (char *)"0";
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_GUEST_VCPUS, &set),
                     VIR_ERR_OPERATION_UNSUPPORTED);
    set.cpumap = (char *)"7";
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_GUEST_VCPUS, &set), VIR_ERR_INVALID_ARG);
    set.cpumap = (char *)"x";
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SET_GUEST_VCPUS, &set), VIR_ERR_INVALID_ARG);
}
END_TEST

START_TEST(a_guest_is_shut_down_by_its_agent)
{
    remote_domain_shutdown_flags_args args = { about, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT };

    fake_agent_answer(fake, "guest-shutdown", NULL);
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_SHUTDOWN_FLAGS, &args), 0);
    ck_assert_str_eq(fake_agent_last(fake),
                     "{\"execute\":\"guest-shutdown\",\"arguments\":{\"mode\":\"powerdown\"}}");
}
END_TEST

START_TEST(a_guest_that_stops_ends_what_was_asked)
{
    remote_domain_get_time_args args = { about, 0 };
    FakeEnd *end;

    fake_agent_answer(fake, "guest-get-time", "");
    end = fake_call(client, tables, REMOTE_PROC_DOMAIN_GET_TIME, &args);
    while (fake_agent_last(fake) == NULL)
        g_main_context_iteration(NULL, TRUE);
    ck_assert(!end->ended);
    kiln_ops_stopped(guest);
    ck_assert(end->ended);
    ck_assert_int_eq(end->code, VIR_ERR_AGENT_UNRESPONSIVE);
    fake_end_free(end);
}
END_TEST

START_TEST(a_response_timeout_is_kept)
{
    remote_domain_agent_set_response_timeout_args set = { about, 0, 0 };
    remote_domain_get_time_args args = { about, 0 };

    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_AGENT_SET_RESPONSE_TIMEOUT, &set), 0);
    fake_agent_answer(fake, "guest-get-time", "");
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_GET_TIME, &args), VIR_ERR_AGENT_UNRESPONSIVE);
    set.timeout = -3;
    ck_assert_int_eq(code_of(REMOTE_PROC_DOMAIN_AGENT_SET_RESPONSE_TIMEOUT, &set),
                     VIR_ERR_INVALID_ARG);
}
END_TEST

START_TEST(a_users_command_is_passed_on)
{
    qemu_domain_agent_command_args args = { about, (char *)"{\"execute\": \"guest-ping\"}", -1, 0 };
    FakeEnd *end;

    fake_agent_answer(fake, "guest-ping", "{\"return\": {}}\n");
    end = call_of(qemu_tables, QEMU_PROC_DOMAIN_AGENT_COMMAND, &args);
    ck_assert_int_eq(end->code, 0);
    ck_assert_str_eq(*((qemu_domain_agent_command_ret *)end->ret)->result, "{\"return\": {}}");
    fake_end_free(end);
    args.cmd = (char *)"guest-ping";
    end = call_of(qemu_tables, QEMU_PROC_DOMAIN_AGENT_COMMAND, &args);
    ck_assert_int_eq(end->code, VIR_ERR_INTERNAL_ERROR);
    fake_end_free(end);
}
END_TEST

static Suite *
ops_agent_suite(void)
{
    Suite *suite = suite_create("ops-agent");
    TCase *tcase = kiln_test_case(suite, "agent");
    TCase *without = kiln_test_case(suite, "without");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, times_are_had_and_set);
    tcase_add_test(tcase, a_host_name_is_the_agents);
    tcase_add_test(tcase, file_systems_freeze_and_thaw);
    tcase_add_test(tcase, users_have_passwords_and_keys);
    tcase_add_test(tcase, file_systems_name_their_disks);
    tcase_add_test(tcase, guest_info_has_libvirts_names);
    tcase_add_test(tcase, answers_of_the_wrong_shape_are_errors);
    tcase_add_test(tcase, vcpus_are_switched_in_the_guest);
    tcase_add_test(tcase, a_guest_is_shut_down_by_its_agent);
    tcase_add_test(tcase, a_guest_that_stops_ends_what_was_asked);
    tcase_add_test(tcase, a_response_timeout_is_kept);
    tcase_add_test(tcase, a_users_command_is_passed_on);
    tcase_add_test(without, a_guest_without_a_channel_has_no_agent);
    return suite;
}

KILN_TEST_MAIN(ops_agent_suite)
