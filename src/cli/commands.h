/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands, one a file: each gets its own name and arguments, and returns its exit status. */
#ifndef KILN_CLI_COMMANDS_H
#define KILN_CLI_COMMANDS_H

/* Of the program. */
int kiln_command_run(int argc, char **argv);
int kiln_command_validate(int argc, char **argv);

/* Of the module client.so, which has D-Bus. */
typedef struct {
    int (*list)(int argc, char **argv);
    int (*console)(int argc, char **argv);
    int (*ctl)(int argc, char **argv);
} KilnClientModule;

#define KILN_CLIENT_MODULE_FILE   "client.so"
#define KILN_CLIENT_MODULE_SYMBOL "kiln_client_module"

extern const KilnClientModule kiln_client_module;

#endif
