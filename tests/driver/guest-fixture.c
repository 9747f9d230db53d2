/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See guest-fixture.h. */
#include "tests/driver/guest-fixture.h"

#include "tests/lib/kiln-test.h"

#include <string.h>
#include <sys/stat.h>

static void
on_news(KilnGuest *guest, const KilnGuestNews *news, gpointer data)
{
    Fixture *fixture = data;

    if (news->event_id == VIR_DOMAIN_EVENT_ID_LIFECYCLE)
        g_string_append_printf(fixture->news, "%s %d/%d;", kiln_guest_name(guest), news->type,
                               news->detail);
    else
        g_string_append_printf(fixture->news, "%s #%d %d %s %s %s %" G_GINT64_FORMAT ";",
                               kiln_guest_name(guest), news->event_id, news->type,
                               news->texts[0] != NULL ? news->texts[0] : "-",
                               news->texts[1] != NULL ? news->texts[1] : "-",
                               news->texts[2] != NULL ? news->texts[2] : "-", news->numbers[0]);
}

static void
open_list(Fixture *fixture)
{
    KilnGuestListOptions options = {
        .config_dir = fixture->config,
        .runtime_dir = fixture->runtime,
        .log_dir = fixture->logs,
        .program = fixture->program,
        .user = (uid_t)-1,
        .group = (gid_t)-1,
    };

    fixture->list = kiln_guest_list_new(&options, &fixture->error);
    kiln_assert_no_error(fixture->error);
    kiln_guest_list_observe(fixture->list, on_news, fixture);
}

void
fixture_open(Fixture *fixture)
{
    const char *build = g_getenv("KILN_BUILDDIR");

    memset(fixture, 0, sizeof *fixture);
    fixture->dir = kiln_test_dir();
    fixture->config = g_build_filename(fixture->dir, "config", NULL);
    fixture->runtime = g_build_filename(fixture->dir, "run", NULL);
    fixture->logs = g_build_filename(fixture->dir, "log", NULL);
    fixture->program =
        g_build_filename(build != NULL ? build : ".", "tests/driver/fake-kiln", NULL);
    fixture->news = g_string_new(NULL);
    open_list(fixture);
}

void
fixture_restart(Fixture *fixture)
{
    kiln_guest_list_free(fixture->list);
    g_clear_error(&fixture->error);
    open_list(fixture);
}

static void
collect(KilnGuest *guest, gpointer running)
{
    if (kiln_guest_is_active(guest))
        g_ptr_array_add(running, kiln_guest_ref(guest));
}

void
fixture_sweep(Fixture *fixture)
{
    g_autoptr(GPtrArray) running = g_ptr_array_new_with_free_func((GDestroyNotify)kiln_guest_unref);

    kiln_guest_list_foreach(fixture->list, collect, running);
    for (guint i = 0; i < running->len; i++)
        (void)fixture_destroy(fixture, g_ptr_array_index(running, i));
}

void
fixture_close(Fixture *fixture)
{
    fixture_sweep(fixture);
    kiln_guest_list_free(fixture->list);
    g_clear_error(&fixture->error);
    g_clear_pointer(&fixture->answer, g_variant_unref);
    g_clear_object(&fixture->fds);
    (void)g_string_free(fixture->news, TRUE);
    g_free(fixture->dir);
    g_free(fixture->config);
    g_free(fixture->runtime);
    g_free(fixture->logs);
    g_free(fixture->program);
}

void
fixture_wait(Fixture *fixture)
{
    fixture_until(fixture->over > 0);
    fixture->over--;
}

static void
end(Fixture *fixture, const GError *error)
{
    g_clear_error(&fixture->error);
    fixture->error = error != NULL ? g_error_copy(error) : NULL;
    fixture->over++;
}

void
fixture_done(KilnGuest *guest, const GError *error, gpointer fixture)
{
    end(fixture, error);
}

void
fixture_made(KilnGuest *guest, const GError *error, gpointer data)
{
    Fixture *fixture = data;

    fixture->made = guest;
    end(fixture, error);
}

void
fixture_answered(KilnGuest *guest, GVariant *answer, GUnixFDList *fds, const GError *error,
                 gpointer data)
{
    Fixture *fixture = data;

    g_clear_pointer(&fixture->answer, g_variant_unref);
    g_clear_object(&fixture->fds);
    fixture->answer = answer != NULL ? g_variant_ref(answer) : NULL;
    fixture->fds = fds != NULL ? g_object_ref(fds) : NULL;
    end(fixture, error);
}

char *
fixture_xml(const char *name, guint uuid, const char *title)
{
    return g_strdup_printf("<domain type='kvm'>\n"
                           "  <name>%s</name>\n"
                           "  <uuid>9d3ee3d6-4b06-4f2a-a4d5-%012u</uuid>\n"
                           "  <title>%s</title>\n"
                           "  <memory unit='KiB'>65536</memory>\n"
                           "  <vcpu>1</vcpu>\n"
                           "  <os>\n"
                           "    <type arch='x86_64' machine='q35'>hvm</type>\n"
                           "    <kernel>/boot/vmlinuz</kernel>\n"
                           "  </os>\n"
                           "</domain>\n",
                           name, uuid, title);
}

KilnDomain *
fixture_domain(const char *name, guint uuid, const char *title)
{
    g_autofree char *text = fixture_xml(name, uuid, title);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    KilnDomain *domain = kiln_domain_define(text, strlen(text), faults);
    g_autoptr(GError) error = NULL;

    (void)kiln_faults_to_error(faults, name, &error);
    kiln_assert_no_error(error);
    return domain;
}

KilnGuest *
fixture_define(Fixture *fixture, const char *name, guint uuid, const char *title)
{
    kiln_guest_list_define(fixture->list, fixture_domain(name, uuid, title), fixture_made, fixture);
    fixture_wait(fixture);
    return fixture->made;
}

KilnGuest *
fixture_create(Fixture *fixture, const char *name, guint uuid, const char *title)
{
    kiln_guest_list_create(fixture->list, fixture_domain(name, uuid, title), 0, fixture_made,
                           fixture);
    fixture_wait(fixture);
    return fixture->made;
}

gboolean
fixture_start(Fixture *fixture, KilnGuest *guest, unsigned flags)
{
    kiln_guest_start(guest, flags, fixture_done, fixture);
    fixture_wait(fixture);
    return fixture->error == NULL;
}

gboolean
fixture_destroy(Fixture *fixture, KilnGuest *guest)
{
    kiln_guest_destroy(guest, FALSE, fixture_done, fixture);
    fixture_wait(fixture);
    return fixture->error == NULL;
}

gboolean
fixture_call(Fixture *fixture, KilnGuest *guest, const char *method, GVariant *arguments,
             int timeout_ms)
{
    kiln_guest_call(guest, method, arguments, NULL, timeout_ms, fixture_answered, fixture);
    fixture_wait(fixture);
    return fixture->error == NULL;
}

gboolean
fixture_told(Fixture *fixture, const char *news)
{
    if (*news == '\0')
        g_string_truncate(fixture->news, 0);
    return strstr(fixture->news->str, news) != NULL;
}

gboolean
fixture_has_file(const char *directory, const char *file)
{
    g_autofree char *path = g_build_filename(directory, file, NULL);
    struct stat status;

    return lstat(path, &status) == 0;
}
