/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU guest agent of one guest, behind the unix socket of its channel org.qemu.guest_agent.0:
 * JSON lines, guest-sync-delimited before each command.  The agent is the guest's: whatever it
 * says is a stranger's.  Main thread; nothing waits.
 */
#ifndef KILN_AGENT_AGENT_H
#define KILN_AGENT_AGENT_H

#include <glib.h>
#include <json-glib/json-glib.h>

typedef struct KilnAgent KilnAgent;

/* The socket's path; connects with the first command, and again after it was lost. */
KilnAgent *kiln_agent_new(const char *path);
/* Commands under way end with VIR_ERR_AGENT_UNRESPONSIVE. */
void kiln_agent_free(KilnAgent *agent);

/* @answer: (nullable): what stands under "return"; borrowed.  @error: a KILN_VIR_ERROR. */
typedef void (*KilnAgentAnswer)(JsonNode *answer, const GError *error, gpointer data);

/**
 * kiln_agent_command:
 * @command: "guest-ping" and the like
 * @arguments: (nullable) (transfer full): an object
 * @timeout_s: -2: for ever; -1: the default, 5 s; 0: no longer than it takes to ask (as libvirt's
 *   virDomainAgentSetResponseTimeout)
 *
 * One after the other.
 */
void kiln_agent_command(KilnAgent *agent, const char *command, JsonNode *arguments, int timeout_s,
                        KilnAgentAnswer answered, gpointer data);

/* As kiln_agent_command, of a whole command as a user wrote it (DOMAIN_AGENT_COMMAND): the answer
 * is the whole line. */
void kiln_agent_command_text(KilnAgent *agent, const char *text, int timeout_s,
                             void (*answered)(const char *line, const GError *error, gpointer data),
                             gpointer data);

#endif
