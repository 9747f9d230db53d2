/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that a guest's agent answers: one agent a running guest, made with the first such call. */
#ifndef KILN_OPS_AGENT_H
#define KILN_OPS_AGENT_H

#include "agent/agent.h"
#include "ops/driver.h"

enum { KILN_OPS_AGENT_BLOCK = -2 }; /* the response timeout unless it was set */

/* ---- For other families ---- */

/* Shuts down or reboots by the agent.  Ends the call. */
void kiln_ops_agent_shutdown(KilnCall *call, const remote_nonnull_domain *about, gboolean reboot);

/* DOMAIN_INTERFACE_ADDRESSES of the agent's source.  Ends the call. */
void kiln_ops_agent_addresses(KilnCall *call, const remote_nonnull_domain *about);

/* It does not run any more: its agent is gone, and what was asked ends. */
void kiln_ops_agent_stopped(KilnGuest *guest);

/* The calls of QEMU's own program that can be served: KilnServerOptions.qemu. */
extern const KilnProcedureTable kiln_ops_qemu;

/* ---- For the files of this family ---- */

/**
 * kiln_ops_agent_ask:
 * @arguments: (nullable) (transfer full)
 * @answered: its @data is @data
 *
 * Returns: FALSE after ending the call if there is no agent: @arguments are freed.
 */
gboolean kiln_ops_agent_ask(KilnCall *call, const remote_nonnull_domain *about, const char *command,
                            JsonObject *arguments, KilnAgentAnswer answered, gpointer data);

/* The same of a guest that is known; FALSE with @error set. */
gboolean kiln_ops_agent_ask_guest(KilnGuest *guest, const char *command, JsonObject *arguments,
                                  KilnAgentAnswer answered, gpointer data, GError **error);

/**
 * kiln_ops_agent_disk:
 * @address: of a disk as the agent says it ("pci-controller", "bus", "target", "unit")
 *
 * Returns: (nullable): the target of that disk: "vda".
 */
const char *kiln_ops_agent_disk(const KilnDomain *domain, JsonObject *address);

/* What the agent knows of interfaces: (transfer full): of the answer's layout, freed by xdr_free().
 */
gboolean kiln_ops_agent_interfaces(JsonNode *answer, remote_domain_interface_addresses_ret *ret,
                                   GError **error);

#endif
