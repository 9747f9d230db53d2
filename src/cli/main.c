/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln: the table of commands. */
#include "base/module.h"
#include "cli/cli.h"
#include "cli/commands.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

static const KilnClientModule *
client(void)
{
    g_autoptr(GError) error = NULL;
    const KilnClientModule *module =
        kiln_module_load(KILN_CLIENT_MODULE_FILE, KILN_CLIENT_MODULE_SYMBOL, &error);

    if (module == NULL)
        kiln_cli_error("%s", error->message);
    return module;
}

static int
command_list(int argc, char **argv)
{
    const KilnClientModule *module = client();

    return module != NULL ? module->list(argc, argv) : KILN_EXIT_FAILED;
}

static int
command_console(int argc, char **argv)
{
    const KilnClientModule *module = client();

    return module != NULL ? module->console(argc, argv) : KILN_EXIT_FAILED;
}

static int
command_ctl(int argc, char **argv)
{
    const KilnClientModule *module = client();

    return module != NULL ? module->ctl(argc, argv) : KILN_EXIT_FAILED;
}

static const struct {
    const char *name;
    int (*command)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "run", kiln_command_run, "run a guest from its definition, in the foreground" },
    { "validate", kiln_command_validate, "tell every fault of a definition" },
    { "list", command_list, "list the guests that run" },
    { "console", command_console, "connect the terminal to a guest's serial port" },
    { "ctl", command_ctl, "control a guest that runs" },
};

static void
print_help(void)
{
    printf("Usage: kiln COMMAND [OPTION...] [ARGUMENT...]\n\n"
           "Runs virtual machines that are defined in libvirt's XML, on KVM.\n\nCommands:\n");
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\nOptions:\n"
           "  --help     this text; 'kiln COMMAND --help' tells about a command\n"
           "  --version  the version\n");
}

static int
unknown(const char *name)
{
    const char *names[G_N_ELEMENTS(commands) + 1] = { NULL };
    const char *meant;

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
        names[i] = commands[i].name;
    meant = kiln_cli_nearest(name, names);
    if (*name == '-')
        kiln_cli_error("unknown option '%s' ('kiln --help' tells what there is)", name);
    else if (meant != NULL)
        kiln_cli_error("unknown command '%s'; did you mean '%s'?", name, meant);
    else
        kiln_cli_error("unknown command '%s' ('kiln --help' tells what there is)", name);
    return KILN_EXIT_USAGE;
}

static int
run_command(int argc, char **argv)
{
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].command(argc, argv);
    }
    return unknown(argv[0]);
}

int
main(int argc, char **argv)
{
    char *help[] = { NULL, (char[]){ "--help" }, NULL };

    /* A heap for each vCPU thread would cost memory and time, and they hardly allocate. */
    (void)mallopt(M_ARENA_MAX, 1);
    if (argc < 2) {
        kiln_cli_error("which command? ('kiln --help' tells what there is)");
        return KILN_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("kiln %s\n", PACKAGE_VERSION);
        return KILN_EXIT_DONE;
    }
    if (strcmp(argv[1], "help") == 0 && argc == 3) {
        help[0] = argv[2];
        return run_command(2, help);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return KILN_EXIT_DONE;
    }
    return run_command(argc - 1, argv + 1);
}
