/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln ctl: one call to a guest that runs. */
#include "base/error.h"
#include "cli/cli.h"
#include "cli/client.h"

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

/* @method is called, with nothing and for nothing; or @print does the work. */
static const struct {
    const char *name;
    const char *method;
    gboolean (*print)(KilnDbusVM1 *guest, GError **error);
    const char *summary;
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

    for (guint i = 0; i < G_N_ELEMENTS(actions); i++)
        g_string_append_printf(text, "  %-10s %s\n", actions[i].name, actions[i].summary);
    return g_string_free(text, FALSE);
}

static int
act(guint action, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDbusVM1) guest = kiln_client_connect(name, KILN_CLIENT_CONNECT_MS, &error);
    g_autoptr(GVariant) answer = NULL;

    if (guest != NULL && actions[action].print != NULL)
        (void)actions[action].print(guest, &error);
    else if (guest != NULL)
        answer = kiln_client_call(guest, actions[action].method, NULL, NULL, &error);
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
        .arguments = "NAME ACTION",
        .summary = "Controls the guest NAME.",
        .details = details,
    };
    const GOptionEntry entries[] = { { NULL } };
    int status;

    if (!kiln_cli_parse(&help, entries, &argc, &argv, 2, 2, &status))
        return status;
    for (guint i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (strcmp(argv[2], actions[i].name) == 0)
            return act(i, argv[1]);
    }
    return unknown_action(argv[2]);
}
