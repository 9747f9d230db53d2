/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest agent for tests: listens on a unix socket in the default main context, answers
 * guest-sync-delimited, and says to other commands what it was told to say.
 */
#ifndef FAKE_AGENT_H
#define FAKE_AGENT_H

#include <glib.h>

typedef struct FakeAgent FakeAgent;

FakeAgent *fake_agent_new(const char *path);
void fake_agent_free(FakeAgent *agent);

/**
 * fake_agent_answer:
 * @command: such as "guest-ping"
 * @answer: what it says, with the end of the line; "" for nothing; NULL: it hangs up
 */
void fake_agent_answer(FakeAgent *agent, const char *command, const char *answer);

/* It says this before each answer to a sync: what stands between, or instead of it. */
void fake_agent_chatter(FakeAgent *agent, const char *chatter, gboolean answers_sync);

/* The last line other than a sync that came; how many connections there were. */
const char *fake_agent_last(const FakeAgent *agent);
guint fake_agent_connections(const FakeAgent *agent);

#endif
