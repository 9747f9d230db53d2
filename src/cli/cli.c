/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cli.h. */
#include "cli/cli.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 32, NEAR_EDITS = 2 };

void
kiln_cli_error(const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "kiln: %s\n", message);
}

/* How many letters to change, add, leave out or swap with the next to get from @a to @b. */
static guint
edits(const char *a, const char *b)
{
    guint cost[WORD_BYTES + 1][WORD_BYTES + 1];
    gsize a_length = strlen(a);
    gsize b_length = strlen(b);

    if (a_length > WORD_BYTES || b_length > WORD_BYTES)
        return WORD_BYTES;
    for (gsize i = 0; i <= a_length; i++) {
        for (gsize j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = (guint)(i + j);
                continue;
            }
            cost[i][j] = MIN(MIN(cost[i - 1][j], cost[i][j - 1]) + 1,
                             cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = MIN(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a_length][b_length];
}

const char *
kiln_cli_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    guint least = NEAR_EDITS + 1;

    for (; *words != NULL; words++) {
        guint far = edits(word, *words);

        if (far < least && far < strlen(word)) {
            least = far;
            nearest = *words;
        }
    }
    return nearest;
}

/* An option that is not in @entries, among @argv; tells which one was probably meant. */
static const char *
nearest_option(const GOptionEntry *entries, char **argv)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const GOptionEntry *entry = entries; entry->long_name != NULL; entry++)
        g_ptr_array_add(names, (gpointer)entry->long_name);
    g_ptr_array_add(names, (gpointer) "help");
    g_ptr_array_add(names, NULL);
    for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
        g_auto(GStrv) parts = g_strsplit(*argv, "=", 2);

        if (g_str_has_prefix(parts[0], "--") &&
            !g_strv_contains((const char *const *)names->pdata, parts[0] + 2))
            return kiln_cli_nearest(parts[0] + 2, (const char *const *)names->pdata);
    }
    return NULL;
}

gboolean
kiln_cli_parse(const KilnCommandHelp *help, const GOptionEntry *entries, int *argc, char ***argv,
               int least, int most, int *status)
{
    g_autofree char *arguments =
        g_strconcat("[OPTION...]", *help->arguments != '\0' ? " " : "", help->arguments, NULL);
    g_autoptr(GOptionContext) context = g_option_context_new(help->arguments);
    g_autofree char *program = g_strdup_printf("kiln %s", help->name);
    g_auto(GStrv) given = g_strdupv(*argv);
    g_autoptr(GError) error = NULL;

    /* GLib's help has characters beyond ASCII.  A run does without: locales are files to be read.
     */
    if (g_strv_contains((const char *const *)given, "--help") ||
        g_strv_contains((const char *const *)given, "-h"))
        (void)setlocale(LC_ALL, "");
    g_set_prgname(program); /* GOption's usage line begins with it */
    g_option_context_set_summary(context, help->summary);
    g_option_context_set_description(context, help->details);
    g_option_context_add_main_entries(context, entries, NULL);
    *status = KILN_EXIT_USAGE;
    if (!g_option_context_parse(context, argc, argv, &error)) {
        const char *meant = nearest_option(entries, given + 1);

        if (meant != NULL && g_error_matches(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION))
            kiln_cli_error("%s; did you mean --%s?", error->message, meant);
        else
            kiln_cli_error("%s ('%s --help' tells what there is)", error->message, program);
        return FALSE;
    }
    if (*argc > 1 && strcmp((*argv)[1], "--") == 0) { /* GOption leaves it where it stood first */
        memmove(*argv + 1, *argv + 2, (gsize)(*argc - 1) * sizeof **argv);
        (*argc)--;
    }
    if (*argc - 1 < least || *argc - 1 > most) {
        kiln_cli_error("usage: %s %s", program, arguments);
        return FALSE;
    }
    return TRUE;
}
