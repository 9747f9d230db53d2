/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln validate: every fault of a definition, not only the first. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/document.h"

#include <stdio.h>

static const KilnCommandHelp help = {
    .name = "validate",
    .arguments = "FILE...",
    .summary = "Tells every fault of the definitions, with line, column, element and reason:\n"
               "what is not libvirt's domain XML, and what this kiln cannot honour.",
    .details = "'-' is standard input.  The exit status is 0 if there is no fault, else 1.",
};

static gboolean
validate(const char *path)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDomain) domain = kiln_cli_load(path, TRUE, faults, &error);

    if (error != NULL)
        kiln_cli_error("%s", error->message);
    kiln_cli_print_faults(path, faults);
    return domain != NULL;
}

int
kiln_command_validate(int argc, char **argv)
{
    const GOptionEntry entries[] = { { NULL } };
    gboolean valid = TRUE;
    int status;

    if (!kiln_cli_parse(&help, entries, &argc, &argv, 1, G_MAXINT, &status))
        return status;
    for (int i = 1; i < argc; i++)
        valid = validate(argv[i]) && valid;
    return valid ? KILN_EXIT_DONE : KILN_EXIT_FAILED;
}
