/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See talk.h. */
#include "guest/talk.h"

#include "base/log.h"
#include "base/statistics.h"
#include "guest/guest-private.h"
#include "guest/hear.h"
#include "guest/live-check.h"
#include "guest/proxy.h"

#include <string.h>

struct KilnTalk {
    KilnRun *run;
    KilnProxy *proxy;
    KilnStatisticsReader *statistics; /* (nullable) */
    GVariant *threads;                /* (nullable): a{su} */
    gboolean xml_wanted;              /* it changed while it was asked for */
    gboolean xml_asked;
    gboolean xml_told;
    gboolean threads_wanted; /* likewise */
    gboolean threads_asked;
};

/* ---- What is asked for of itself ---- */

static void
take_live(KilnTalk *talk, const char *text)
{
    KilnRun *run = talk->run;
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_parse(text, strlen(text), faults);
    g_autoptr(GError) error = NULL;
    guint8 uuid[KILN_UUID_BYTES];

    if (domain == NULL || domain->uuid == NULL ||
        !kiln_uuid_parse(domain->uuid, strlen(domain->uuid), uuid) ||
        memcmp(uuid, run->guest->uuid, sizeof uuid) != 0 ||
        strcmp(domain->name, run->guest->name) != 0) {
        kiln_log(KILN_LOG_WARNING, "the process of '%s' gave a definition that is not its own",
                 run->guest->name);
        return;
    }
    if (!kiln_live_check(run->live, domain, run->guest->list->runtime_dir, &error)) {
        kiln_log(KILN_LOG_WARNING,
                 "the process of '%s' gave a definition with %s, which it was not started with",
                 run->guest->name, error->message);
        return;
    }
    domain->id = (KilnInt){ TRUE, run->id };
    kiln_run_set_live(run, g_steal_pointer(&domain));
}

static void ask_xml(KilnTalk *talk);

static void
on_xml(GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    KilnTalk *talk = data;
    const char *text;

    if (answer == NULL || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(s)"))) {
        talk->xml_asked = FALSE;
        kiln_start_answer(talk->run);
        return;
    }
    g_variant_get(answer, "(&s)", &text);
    take_live(talk, text);
    talk->xml_told = TRUE;
    talk->xml_asked = FALSE;
    if (talk->xml_wanted)
        ask_xml(talk);
    kiln_start_answer(talk->run);
}

static void
ask_xml(KilnTalk *talk)
{
    talk->xml_wanted = talk->xml_asked;
    if (talk->xml_asked)
        return;
    talk->xml_asked = TRUE;
    kiln_proxy_call(talk->proxy, NULL, "GetXml", g_variant_new("(u)", KILN_FORMAT_SECURE), NULL, -1,
                    on_xml, talk);
}

static void ask_threads(KilnTalk *talk);

static void
on_threads(GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    KilnTalk *talk = data;

    talk->threads_asked = FALSE;
    if (answer == NULL || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(a{su})")))
        return;
    g_clear_pointer(&talk->threads, g_variant_unref);
    talk->threads = g_variant_get_child_value(answer, 0);
    if (talk->threads_wanted)
        ask_threads(talk);
}

static void
ask_threads(KilnTalk *talk)
{
    talk->threads_wanted = talk->threads_asked;
    if (talk->threads_asked)
        return;
    talk->threads_asked = TRUE;
    kiln_proxy_call(talk->proxy, NULL, "GetThreads", NULL, NULL, -1, on_threads, talk);
}

static void
on_statistics(GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    KilnTalk *talk = data;
    g_autoptr(GError) failure = NULL;
    g_auto(KilnFd) fd = -1;

    if (answer == NULL || fds == NULL || g_unix_fd_list_get_length(fds) != 1)
        return;
    fd = g_unix_fd_list_get(fds, 0, NULL);
    if (fd < 0)
        return;
    kiln_statistics_reader_free(talk->statistics);
    talk->statistics = kiln_statistics_reader_new(fd, &failure);
    if (talk->statistics == NULL)
        kiln_log(KILN_LOG_WARNING, "statistics of '%s': %s", talk->run->guest->name,
                 failure->message);
}

static void
on_properties(GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    KilnTalk *talk = data;
    g_autoptr(GVariant) properties = NULL;
    const char *state;
    const char *reason;

    if (answer == NULL || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(a{sv})")))
        return;
    properties = g_variant_get_child_value(answer, 0);
    if (g_variant_lookup(properties, "State", "&s", &state) &&
        g_variant_lookup(properties, "StateReason", "&s", &reason))
        kiln_hear_state(talk->run, state, reason);
}

static void
on_connected(gpointer data)
{
    KilnTalk *talk = data;

    talk->xml_asked = talk->threads_asked = FALSE;
    kiln_proxy_call(talk->proxy, "org.freedesktop.DBus.Properties", "GetAll",
                    g_variant_new("(s)", "org.kiln.VM1"), NULL, -1, on_properties, talk);
    ask_xml(talk);
    kiln_proxy_call(talk->proxy, NULL, "OpenStatistics", NULL, NULL, -1, on_statistics, talk);
    ask_threads(talk);
}

/* ---- What it says ---- */

static void
on_signal(const char *name, GVariant *arguments, gpointer data)
{
    KilnTalk *talk = data;

    if (strcmp(name, "XmlChanged") == 0) {
        ask_xml(talk);
        ask_threads(talk);
        return;
    }
    kiln_hear_signal(talk->run, name, arguments); /* the run may be over */
}

static void
on_closed(gpointer data)
{
    KilnTalk *talk = data;

    kiln_run_hurry(talk->run);
}

KilnTalk *
kiln_talk_new(KilnRun *run)
{
    static const KilnProxyOps ops = { on_connected, on_signal, on_closed };
    g_autofree char *path = kiln_run_path(run->guest, ".sock");
    KilnTalk *talk = g_new0(KilnTalk, 1);

    talk->run = run;
    talk->proxy = kiln_proxy_new(path, run->guest->name, &ops, talk);
    return talk;
}

void
kiln_talk_free(KilnTalk *talk)
{
    if (talk == NULL)
        return;
    kiln_proxy_free(talk->proxy);
    kiln_statistics_reader_free(talk->statistics);
    g_clear_pointer(&talk->threads, g_variant_unref);
    g_free(talk);
}

/* ---- What others ask ---- */

typedef struct {
    KilnGuest *guest;
    KilnGuestAnswer answered;
    gpointer data;
} Question;

static void
on_answer(GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    g_autofree Question *question = data;

    question->answered(question->guest, answer, fds, error, question->data);
    kiln_guest_unref(question->guest);
}

void
kiln_talk_call(KilnTalk *talk, const char *method, GVariant *arguments, GUnixFDList *fds,
               int timeout_ms, KilnGuestAnswer answered, gpointer data)
{
    Question *question = g_new(Question, 1);

    *question = (Question){ kiln_guest_ref(talk->run->guest), answered, data };
    kiln_proxy_call(talk->proxy, NULL, method, arguments, fds, timeout_ms, on_answer, question);
}

GArray *
kiln_talk_statistics(KilnTalk *talk)
{
    const KilnStatistic *entries;
    GArray *copies;
    guint count;

    if (talk->statistics == NULL)
        return NULL;
    count = kiln_statistics_read(talk->statistics, &entries, NULL);
    if (count == 0)
        return NULL;
    copies = g_array_sized_new(FALSE, FALSE, sizeof *entries, count);
    g_array_append_vals(copies, entries, count);
    return copies;
}

gboolean
kiln_talk_has_told(const KilnTalk *talk)
{
    return talk->xml_told && !talk->xml_asked;
}

pid_t
kiln_talk_thread(const KilnTalk *talk, const char *name)
{
    guint32 thread = 0;

    if (talk->threads != NULL)
        (void)g_variant_lookup(talk->threads, name, "u", &thread);
    return (pid_t)thread;
}
