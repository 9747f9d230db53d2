/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands share: their table, their exit statuses, options and messages. */
#ifndef KILN_CLI_CLI_H
#define KILN_CLI_CLI_H

#include <glib.h>

/* Exit statuses, as kiln(1) has them. */
enum {
    KILN_EXIT_DONE = 0,      /* run: the guest powered itself off, or on_reboot ended it */
    KILN_EXIT_FAILED = 1,    /* validate: there are faults */
    KILN_EXIT_USAGE = 2,     /* wrong command line */
    KILN_EXIT_DOCUMENT = 3,  /* run: the document is not one, or asks for what cannot be had */
    KILN_EXIT_CRASHED = 4,   /* run: the guest crashed */
    KILN_EXIT_DESTROYED = 5, /* run: the guest was ended from outside */
};

typedef struct {
    const char *name;
    const char *arguments; /* after the options, such as "NAME" */
    const char *summary;   /* one line */
    const char *details;   /* (nullable): more for --help */
} KilnCommandHelp;

/**
 * kiln_cli_parse:
 * @help: of the command
 * @entries: its options, ended by an empty one
 * @argc, @argv: (inout): of the command; what is left are @argv[0] and the arguments
 * @least, @most: how many arguments there may be
 * @status: (out): what to exit with, if FALSE is returned
 *
 * Prints what is wrong, or the help that was asked for.
 *
 * Returns: whether the command shall go on.
 */
gboolean kiln_cli_parse(const KilnCommandHelp *help, const GOptionEntry *entries, int *argc,
                        char ***argv, int least, int most, int *status);

/* Prints "kiln: " and one line on standard error. */
void kiln_cli_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

/**
 * kiln_cli_nearest:
 * @word: what the user wrote
 * @words: what there is, NULL at the end
 *
 * Returns: (transfer none) (nullable): the one of @words that was probably meant.
 */
const char *kiln_cli_nearest(const char *word, const char *const *words);

#endif
