/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host sides of serial ports, consoles, channels and the like. */
#ifndef KILN_MACHINE_CHARS_H
#define KILN_MACHINE_CHARS_H

#include "domain/char-source.h"
#include "machine/machine.h"

/**
 * kiln_machine_open_chardev:
 * @alias: of the device, by which it is found again; copied
 * @source: what the definition says; NULL is the terminal
 * @console: it can be asked for by kiln_machine_console()
 *
 * Opens the host side, which the machine owns; it lives longer than every device.
 *
 * Returns: (transfer none): NULL with @error set.
 */
KilnChardev *kiln_machine_open_chardev(KilnMachine *machine, const char *alias,
                                       const KilnCharSource *source, gboolean console,
                                       GError **error);

#endif
