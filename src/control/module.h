/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program and the module control.so know of each other.  The module has D-Bus, and is
 * loaded when the first client connects.
 */
#ifndef KILN_CONTROL_MODULE_H
#define KILN_CONTROL_MODULE_H

#include <glib.h>

typedef struct KilnMachine KilnMachine; /* machine/machine.h */

#define KILN_CONTROL_MODULE_FILE   "control.so"
#define KILN_CONTROL_MODULE_SYMBOL "kiln_control_module"

/**
 * KilnControlGuest: who is being controlled; borrowed, and outlives the server
 * @name, @uuid: as in the definition
 */
typedef struct {
    KilnMachine *machine;
    const char *name;
    const char *uuid;
} KilnControlGuest;

/**
 * KilnControlModule:
 * @open: Returns: (transfer full): a server with no clients yet
 * @add_client: takes over @fd, a connected socket whose peer may control the guest
 * @n_clients: how many are connected
 * @close: tells clients what they were not told yet, waiting a little for slow ones; frees the
 *   server
 *
 * All on the main thread, and none but @close waits.
 */
typedef struct {
    void *(*open)(const KilnControlGuest *guest);
    void (*add_client)(void *server, int fd);
    guint (*n_clients)(void *server);
    void (*close)(void *server);
} KilnControlModule;

extern const KilnControlModule kiln_control_module;

#endif
