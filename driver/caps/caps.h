/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host and this kiln can do, in libvirt's XML.  Main thread. */
#ifndef KILN_CAPS_CAPS_H
#define KILN_CAPS_CAPS_H

#include <glib.h>

/**
 * kiln_caps_format:
 * @program: path of kiln
 * @host_uuid: (nullable): 16 bytes
 *
 * Returns: (transfer full): <capabilities>, of one guest architecture with domain type kvm.
 */
char *kiln_caps_format(const char *program, const guint8 *host_uuid);

/* What the board's tables say, else /etc/machine-id; FALSE if neither is unique. */
gboolean kiln_caps_host_uuid(guint8 uuid[16]);

/* (transfer full): <sysinfo> */
char *kiln_caps_sysinfo(void);

/**
 * kiln_caps_domain:
 * @emulator, @arch, @machine, @virttype: (nullable): what was asked for; any may be absent
 *
 * Returns: (transfer full): <domainCapabilities>, or NULL with a KILN_VIR_ERROR.
 */
char *kiln_caps_domain(const char *program, const char *emulator, const char *arch,
                       const char *machine, const char *virttype, GError **error);

#endif
