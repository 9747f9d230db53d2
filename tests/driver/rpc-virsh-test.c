/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stock client, libvirt's own virsh, against a server with a few rows. */
#include "tests/lib/rpc-peer.h"

#include "rpc/events.h"
#include "tests/lib/kiln-test.h"

#include <gio/gio.h>
#include <string.h>

static const char uuid[VIR_UUID_BUFLEN] = "0123456789abcde";

static void
fill(remote_nonnull_domain *domain)
{
    domain->name = (char *)"web";
    memcpy(domain->uuid, uuid, sizeof domain->uuid);
    domain->id = 7;
}

static void
on_feature(KilnCall *call, gconstpointer data)
{
    const remote_connect_supports_feature_args *args = data;
    remote_connect_supports_feature_ret ret = { args->feature == 10 || args->feature == 14 };

    if (args->feature == 10)
        kiln_client_start_keepalive(kiln_call_client(call));
    kiln_call_reply(call, &ret);
}

static void
on_hostname(KilnCall *call, gconstpointer args)
{
    remote_connect_get_hostname_ret ret = { (char *)"a.host.example" };

    kiln_call_reply(call, &ret);
}

static void
on_lookup(KilnCall *call, gconstpointer data)
{
    const remote_domain_lookup_by_name_args *args = data;
    remote_domain_lookup_by_name_ret ret = { 0 };

    if (strcmp(args->name, "web") != 0) {
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", args->name);
        return;
    }
    fill(&ret.dom);
    kiln_call_reply(call, &ret);
}

static void
on_shot(KilnCall *call, gconstpointer args)
{
    char *mime = (char *)"image/png";
    const remote_domain_screenshot_ret ret = { &mime };
    g_autoptr(GBytes) bytes = g_bytes_new_take(g_strnfill(1000000, 'p'), 1000000);

    kiln_call_reply_bytes(call, &ret, bytes);
}

static const KilnProcedure rows[] = {
    KILN_PROC(CONNECT_SUPPORTS_FEATURE, connect_supports_feature, KILN_ACCESS_CONNECT, on_feature),
    KILN_PROC_RET(CONNECT_GET_HOSTNAME, connect_get_hostname, KILN_ACCESS_READ, on_hostname),
    KILN_PROC(DOMAIN_LOOKUP_BY_NAME, domain_lookup_by_name, KILN_ACCESS_READ, on_lookup),
    KILN_PROC(DOMAIN_SCREENSHOT, domain_screenshot, KILN_ACCESS_READ, on_shot),
    KILN_PROC_REFUSED(DOMAIN_DESTROY, KILN_ACCESS_WRITE, "it cannot be destroyed"),
    KILN_PROC_REFUSED(DOMAIN_CREATE, KILN_ACCESS_WRITE, "it cannot be started"),
};
static const KilnProcedureTable table = { rows, G_N_ELEMENTS(rows) };
static const KilnProcedureTable *const tables[] = { &table, NULL };

typedef struct {
    gboolean done;
    gboolean good;
    char *output; /* (owned): and its errors */
} Run;

static void
on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Run *run = data;
    g_autoptr(GError) error = NULL;

    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, &run->output, NULL, &error);
    kiln_assert_no_error(error);
    run->good = g_subprocess_get_successful(G_SUBPROCESS(source));
    run->done = TRUE;
}

static RpcHost *
host_new(void)
{
    KilnServerOptions options = { .tables = tables };

    return rpc_host_new(&options, KILN_AUTH_NONE);
}

/* Starts virsh with @command, split at its blanks. */
static void
start(Run *run, const char *path, const char *command)
{
    g_autofree char *uri = g_strdup_printf("kiln:///system?socket=%s", path);
    g_autofree char *line = g_strdup_printf("virsh -c %s %s", uri, command);
    g_auto(GStrv) argv = g_strsplit(line, " ", -1);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) virsh =
        g_subprocess_newv((const char *const *)argv,
                          G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error);

    kiln_assert_no_error(error);
    g_subprocess_communicate_utf8_async(virsh, NULL, NULL, on_done, run);
}

static void
expect(Run *run, gboolean good, const char *text)
{
    rpc_run_until(run->done);
    ck_assert_msg(run->good == good, "virsh says: %s", run->output);
    ck_assert_msg(strstr(run->output, text) != NULL, "'%s' lacks '%s'", run->output, text);
    g_clear_pointer(&run->output, g_free);
}

START_TEST(virsh_asks_for_uri_and_hostname)
{
    g_autoptr(RpcHost) host = host_new();
    Run run = { 0 };

    start(&run, host->path, "uri");
    expect(&run, TRUE, "kiln:///system");
    run.done = FALSE;
    start(&run, host->path, "hostname");
    expect(&run, TRUE, "a.host.example\n");
    rpc_run_until(kiln_server_n_clients(host->server) == 0);
}
END_TEST

START_TEST(virsh_shows_errors)
{
    g_autoptr(RpcHost) host = host_new();
    Run run = { 0 };

    start(&run, host->path, "domid nope");
    expect(&run, FALSE, "failed to get domain 'nope'");
    run.done = FALSE;
    start(&run, host->path, "destroy web");
    expect(&run, FALSE, "Operation not supported: it cannot be destroyed");
    run.done = FALSE;
    start(&run, host->path, "suspend web");
    expect(&run, FALSE, "this function is not supported by the connection driver");
    run.done = FALSE;
    start(&run, host->path_ro, "destroy web");
    expect(&run, FALSE, "operation forbidden: read only access prevents virDomainDestroy");
}
END_TEST

START_TEST(virsh_takes_a_screenshot)
{
    g_autoptr(RpcHost) host = host_new();
    g_autofree char *file = g_build_filename(host->directory, "shot.png", NULL);
    g_autofree char *command = g_strdup_printf("screenshot web %s", file);
    g_autofree char *content = NULL;
    gsize length = 0;
    Run run = { 0 };

    start(&run, host->path, command);
    expect(&run, TRUE, "image/png");
    ck_assert(g_file_get_contents(file, &content, &length, NULL));
    ck_assert_uint_eq(length, 1000000);
    ck_assert_uint_eq(strspn(content, "p"), length);
}
END_TEST

START_TEST(virsh_hears_an_event)
{
    g_autoptr(RpcHost) host = host_new();
    remote_domain_event_callback_lifecycle_msg message = {
        .msg.event = VIR_DOMAIN_EVENT_STARTED,
        .msg.detail = VIR_DOMAIN_EVENT_STARTED_BOOTED,
    };
    Run run = { 0 };

    fill(&message.msg.dom);
    start(&run, host->path, "event --event lifecycle");
    rpc_run_until(kiln_events_wanted(host->server, VIR_DOMAIN_EVENT_ID_LIFECYCLE));
    /* An event right behind the answer of the registration may be lost within the client. */
    while (!run.done) {
        kiln_events_emit(host->server, VIR_DOMAIN_EVENT_ID_LIFECYCLE, (const guint8 *)uuid,
                         &message);
        rpc_step(-1);
    }
    expect(&run, TRUE, "event 'lifecycle' for domain 'web': Started Booted");
    rpc_run_until(!kiln_events_wanted(host->server, VIR_DOMAIN_EVENT_ID_LIFECYCLE));
}
END_TEST

static Suite *
suite(void)
{
    Suite *rpc = suite_create("rpc-virsh");
    TCase *virsh = kiln_test_case(rpc, "virsh");

    tcase_add_test(virsh, virsh_asks_for_uri_and_hostname);
    tcase_add_test(virsh, virsh_shows_errors);
    tcase_add_test(virsh, virsh_takes_a_screenshot);
    tcase_add_test(virsh, virsh_hears_an_event);
    return rpc;
}

int
main(void)
{
    g_autofree char *virsh = g_find_program_in_path("virsh");

    if (virsh == NULL)
        return kiln_test_skip_all("virsh is not installed (package libvirt-clients)");
    return kiln_test_main(suite());
}
