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

enum {
    KILN_AGENT_SYNC_MS = 5000,    /* for an agent to show that it listens */
    KILN_AGENT_SILENCE_MS = 3000, /* in which an agent that says nothing has not failed */
    KILN_AGENT_QUEUE_MS = 30000,  /* that a command waits for those before it */
};

/* @path: the socket's; connects with the first command, and again after it was lost. */
KilnAgent *kiln_agent_new(const char *path);
/* Commands under way end with VIR_ERR_AGENT_UNRESPONSIVE. */
void kiln_agent_free(KilnAgent *agent);

/* @answer: (nullable): what stands under "return"; borrowed.  @error: a KILN_VIR_ERROR. */
typedef void (*KilnAgentAnswer)(JsonNode *answer, const GError *error, gpointer data);

/**
 * kiln_agent_command:
 * @agent: of the guest
 * @command: "guest-ping" and the like
 * @arguments: (nullable) (transfer full): an object
 * @timeout_s: -2: for ever; -1: the default, 5 s; 0: no longer than it takes to ask (as libvirt's
 *   virDomainAgentSetResponseTimeout)
 *
 * One after the other; @answered is never called before this returns.  What is wrong:
 *   VIR_ERR_AGENT_UNRESPONSIVE: nobody listens, or not in time
 *   VIR_ERR_OPERATION_TIMEOUT: other commands took too long
 *   VIR_ERR_OPERATION_UNSUPPORTED: the agent does not know that command, or must not do it
 *   VIR_ERR_INTERNAL_ERROR: what else the agent says, as libvirt has it
 */
void kiln_agent_command(KilnAgent *agent, const char *command, JsonNode *arguments, int timeout_s,
                        KilnAgentAnswer answered, gpointer data);

/**
 * kiln_agent_command_silent:
 *
 * As kiln_agent_command, for a command that is answered only if it fails (guest-shutdown):
 * @answered with NULL and no error once the agent, which was in step right before, has had it for
 * KILN_AGENT_SILENCE_MS, or is gone.
 */
void kiln_agent_command_silent(KilnAgent *agent, const char *command, JsonNode *arguments,
                               KilnAgentAnswer answered, gpointer data);

/* As kiln_agent_command, of a whole command as a user wrote it (DOMAIN_AGENT_COMMAND): the answer
 * is the whole line. */
void kiln_agent_command_text(KilnAgent *agent, const char *text, int timeout_s,
                             void (*answered)(const char *line, const GError *error, gpointer data),
                             gpointer data);

#endif
