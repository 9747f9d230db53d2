/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln list: the guests whose sockets answer. */
#include "base/error.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "control/paths.h"

#include <stdio.h>

enum { ANSWER_MS = 2000 };

static const KilnCommandHelp help = {
    .name = "list",
    .arguments = "",
    .summary = "Lists the guests that run, with process, state, CPUs and memory.",
};

static int
by_name(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(*(const char *const *)a, *(const char *const *)b);
}

/* Returns: (transfer full): names of guests that have a socket, sorted. */
static GPtrArray *
find_guests(void)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) directory = g_dir_open(kiln_control_directory(), 0, NULL);
    const char *file;

    while (directory != NULL && (file = g_dir_read_name(directory)) != NULL) {
        char *name = kiln_control_guest_of(file);

        if (name != NULL)
            g_ptr_array_add(names, name);
    }
    g_ptr_array_sort(names, by_name);
    return names;
}

/* Names come from whoever wrote the definition: no control characters on the terminal. */
static char *
printable(const char *name)
{
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    GString *text = g_string_new(NULL);

    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar letter = g_utf8_get_char(at);

        g_string_append_unichar(text, g_unichar_isprint(letter) ? letter : '?');
    }
    return g_string_free(text, FALSE);
}

static void
print_guest(const char *name, KilnDbusVM1 *guest)
{
    g_autoptr(GVariant) answer = kiln_client_call(guest, "GetStatistics", NULL, NULL, NULL);
    g_autoptr(GVariant) statistics = answer != NULL ? g_variant_get_child_value(answer, 0) : NULL;
    const char *state = kiln_dbus_vm1_get_state(guest);
    guint32 vcpus = 0;
    guint64 memory_kib = 0;

    if (statistics != NULL) {
        (void)g_variant_lookup(statistics, "vcpu.current", "u", &vcpus);
        (void)g_variant_lookup(statistics, "balloon.maximum", "t", &memory_kib);
    }
    printf("%-24s %8u  %-10s %5u  %8" G_GUINT64_FORMAT " MiB\n", name, kiln_dbus_vm1_get_pid(guest),
           state != NULL ? state : "unknown", vcpus, memory_kib / 1024);
}

int
kiln_client_list(int argc, char **argv)
{
    gboolean names_only = FALSE;
    const GOptionEntry entries[] = {
        { "name", 'n', 0, G_OPTION_ARG_NONE, &names_only, "Print names only, one a line", NULL },
        { NULL },
    };
    g_autoptr(GPtrArray) names = NULL;
    int status;

    if (!kiln_cli_parse(&help, entries, &argc, &argv, 0, 0, &status))
        return status;
    names = find_guests();
    if (!names_only)
        printf("%-24s %8s  %-10s %5s  %12s\n", "NAME", "PID", "STATE", "CPUS", "MEMORY");
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *shown = printable(name);
        g_autoptr(GError) error = NULL;
        g_autoptr(KilnDbusVM1) guest = kiln_client_connect(name, ANSWER_MS, &error);

        if (guest == NULL && g_error_matches(error, KILN_ERROR, KILN_ERROR_NOT_FOUND))
            continue; /* what a killed guest left behind */
        if (names_only)
            printf("%s\n", shown);
        else if (guest == NULL)
            printf("%-24s %8s  %-10s %5s  %12s\n", shown, "-", "no answer", "-", "-");
        else
            print_guest(shown, guest);
    }
    return KILN_EXIT_DONE;
}
