/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln ctl: one call to a guest that runs. */
#include "base/error.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "domain/fields.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static gboolean
print_status(KilnDbusVM1 *guest, GError **error)
{
    printf("%s (%s)\n", kiln_dbus_vm1_get_state(guest), kiln_dbus_vm1_get_state_reason(guest));
    return TRUE;
}

static gboolean
print_xml(KilnDbusVM1 *guest, GError **error)
{
    g_autoptr(GVariant) answer =
        kiln_client_call(guest, "GetXml", g_variant_new("(u)", 0u), NULL, error);
    const char *xml;

    if (answer == NULL)
        return FALSE;
    g_variant_get(answer, "(&s)", &xml);
    fputs(xml, stdout);
    return TRUE;
}

static int
by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean
print_statistics(KilnDbusVM1 *guest, GError **error)
{
    g_autoptr(GVariant) answer = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GVariantIter) values = NULL;
    const char *key;
    GVariant *value;

    answer = kiln_client_call(guest, "GetStatistics", NULL, NULL, error);
    if (answer == NULL)
        return FALSE;
    g_variant_get(answer, "(a{sv})", &values);
    while (g_variant_iter_loop(values, "{&sv}", &key, &value)) {
        g_autofree char *text = g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)
                                    ? g_variant_dup_string(value, NULL)
                                    : g_variant_print(value, FALSE);

        g_ptr_array_add(lines, g_strdup_printf("%s=%s", key, text));
    }
    g_ptr_array_sort(lines, by_text);
    for (guint i = 0; i < lines->len; i++)
        printf("%s\n", (const char *)g_ptr_array_index(lines, i));
    return TRUE;
}

/* A number with a unit as libvirt has it (KiB, MiB, G, bytes …), or without one in KiB. */
static gboolean
parse_bytes(const char *text, guint64 *bytes, GError **error)
{
    gsize n_digits = strspn(text, "0123456789");
    g_autofree char *digits = g_strndup(text, n_digits);

    if (kiln_size_parse(digits, text[n_digits] != '\0' ? text + n_digits : NULL, bytes))
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is no size", text);
}

static GVariant *
resize_arguments(char **words, GError **error)
{
    guint64 bytes;

    return parse_bytes(words[1], &bytes, error) ? g_variant_new("(st)", words[0], bytes) : NULL;
}

static GVariant *
memory_arguments(char **words, GError **error)
{
    guint64 bytes;

    return parse_bytes(words[0], &bytes, error) ? g_variant_new("(t)", bytes / 1024) : NULL;
}

static GVariant *
memory_device_arguments(char **words, GError **error)
{
    guint64 bytes;

    return parse_bytes(words[1], &bytes, error) ? g_variant_new("(st)", words[0], bytes / 1024)
                                                : NULL;
}

static GVariant *
period_arguments(char **words, GError **error)
{
    guint64 seconds;

    if (!g_ascii_string_to_unsigned(words[0], 10, 0, G_MAXUINT32, &seconds, NULL)) {
        kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is no number of seconds", words[0]);
        return NULL;
    }
    return g_variant_new("(u)", (guint32)seconds);
}

static GVariant *
link_arguments(char **words, GError **error)
{
    gboolean up = strcmp(words[1], "up") == 0;

    if (!up && strcmp(words[1], "down") != 0) {
        kiln_error_set(error, KILN_ERROR_INVALID, "a link is up or down, not '%s'", words[1]);
        return NULL;
    }
    return g_variant_new("(sb)", words[0], up);
}

/* ---- Media of CD-ROM drives ---- */

static GVariant *
eject_arguments(char **words, GError **error)
{
    return g_variant_new("(sssuah)", words[0], "", "", 0u, NULL);
}

static GVariant *
insert_arguments(char **words, GError **error)
{
    g_autofree char *path = g_canonicalize_filename(words[1], NULL);
    GVariantBuilder handles;

    g_variant_builder_init(&handles, G_VARIANT_TYPE("ah"));
    g_variant_builder_add(&handles, "h", 0);
    return g_variant_new("(sssuah)", words[0], path, "", 0u, &handles);
}

/* The guest's process may open nothing any more: it gets a descriptor. */
static GUnixFDList *
open_image(char **words, GError **error)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_auto(KilnFd) fd = kiln_open(words[1], O_RDONLY, 0, error);

    if (fd < 0 || g_unix_fd_list_append(fds, fd, error) < 0)
        return NULL;
    return g_steal_pointer(&fds);
}

/* @method is called for nothing, with nothing or with what @arguments makes of @n words; or @print
 * does the work. */
static const struct {
    const char *name;
    const char *method;
    gboolean (*print)(KilnDbusVM1 *guest, GError **error);
    const char *summary;
    int n;
    const char *words;
    GVariant *(*arguments)(char **words, GError **error);
    GUnixFDList *(*descriptors)(char **words, GError **error); /* that go with them */
} actions[] = {
    { "status", NULL, print_status, "print the state and its reason" },
    { "pause", "Pause", NULL, "stop the guest's CPUs and clocks" },
    { "resume", "Resume", NULL, "go on after a pause" },
    { "shutdown", "Shutdown", NULL, "press the power button" },
    { "reboot", "Reboot", NULL, "press the power button, and start again when it is off" },
    { "reset", "Reset", NULL, "press the reset button" },
    { "kill", "Quit", NULL, "pull the plug" },
    { "xml", NULL, print_xml, "print the live definition" },
    { "stats", NULL, print_statistics, "print counters, by libvirt's names" },
    { "resize", "ResizeBlock", NULL, "give a disk another size", 2, "DISK SIZE", resize_arguments },
    { "insert", "ChangeMedium", NULL, "put another disc into a CD-ROM drive", 2, "DRIVE FILE",
      insert_arguments, open_image },
    { "eject", "ChangeMedium", NULL, "take the disc out of a CD-ROM drive", 1, "DRIVE",
      eject_arguments },
    { "memory", "SetMemory", NULL, "how much memory the guest is to have, by its balloon", 1,
      "SIZE", memory_arguments },
    { "memory-period", "SetMemoryPeriod", NULL, "how often the guest reports on its memory", 1,
      "SECONDS", period_arguments },
    { "memory-device", "SetMemoryDevice", NULL, "how much memory a virtio-mem device gives", 2,
      "ALIAS SIZE", memory_device_arguments },
    { "link", "SetLink", NULL, "plug an interface's cable in or pull it", 2, "INTERFACE up|down",
      link_arguments },
};

static int
unknown_action(const char *name)
{
    const char *names[G_N_ELEMENTS(actions) + 1] = { NULL };
    const char *meant;

    for (guint i = 0; i < G_N_ELEMENTS(actions); i++)
        names[i] = actions[i].name;
    meant = kiln_cli_nearest(name, names);
    if (meant != NULL)
        kiln_cli_error("unknown action '%s'; did you mean '%s'?", name, meant);
    else
        kiln_cli_error("unknown action '%s' ('kiln ctl --help' tells what there is)", name);
    return KILN_EXIT_USAGE;
}

static char *
describe_actions(void)
{
    GString *text = g_string_new("Actions:\n");

    for (guint i = 0; i < G_N_ELEMENTS(actions); i++) {
        g_autofree char *usage =
            g_strdup_printf("%s%s%s", actions[i].name, actions[i].n > 0 ? " " : "",
                            actions[i].n > 0 ? actions[i].words : "");

        g_string_append_printf(text, "  %-24s %s\n", usage, actions[i].summary);
    }
    g_string_append(text, "\nA SIZE is in KiB, or has a unit: 512MiB, 20G, 1048576bytes.");
    return g_string_free(text, FALSE);
}

static int
act(guint action, const char *name, char **words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDbusVM1) guest = NULL;
    g_autoptr(GVariant) answer = NULL;
    g_autoptr(GUnixFDList) fds = NULL;
    GVariant *arguments = NULL;

    if (actions[action].arguments != NULL) {
        arguments = actions[action].arguments(words, &error);
        if (arguments == NULL) {
            kiln_cli_error("%s", error->message);
            return KILN_EXIT_USAGE;
        }
    }
    if (actions[action].descriptors != NULL)
        fds = actions[action].descriptors(words, &error);
    if (error == NULL)
        guest = kiln_client_connect(name, KILN_CLIENT_CONNECT_MS, &error);
    if (guest != NULL && actions[action].print != NULL)
        (void)actions[action].print(guest, &error);
    else if (guest != NULL)
        answer = kiln_client_call(guest, actions[action].method, g_steal_pointer(&arguments), &fds,
                                  &error);
    g_clear_pointer(&arguments, g_variant_unref);
    if (error == NULL)
        return KILN_EXIT_DONE;
    if (guest != NULL)
        kiln_cli_error("guest '%s': %s", name, error->message);
    else
        kiln_cli_error("%s", error->message);
    return KILN_EXIT_FAILED;
}

int
kiln_client_ctl(int argc, char **argv)
{
    g_autofree char *details = describe_actions();
    const KilnCommandHelp help = {
        .name = "ctl",
        .arguments = "NAME ACTION [ARGUMENT...]",
        .summary = "Controls the guest NAME.",
        .details = details,
    };
    const GOptionEntry entries[] = { { NULL } };
    int status;

    if (!kiln_cli_parse(&help, entries, &argc, &argv, 2, 4, &status))
        return status;
    for (guint i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (strcmp(argv[2], actions[i].name) != 0)
            continue;
        if (argc - 3 == actions[i].n)
            return act(i, argv[1], argv + 3);
        kiln_cli_error("'%s' takes %s", argv[2],
                       actions[i].n > 0 ? actions[i].words : "no argument");
        return KILN_EXIT_USAGE;
    }
    return unknown_action(argv[2]);
}
