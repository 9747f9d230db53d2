/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of domains in temporary directories, with fake-kiln for kiln. */
#ifndef KILN_TESTS_GUEST_FIXTURE_H
#define KILN_TESTS_GUEST_FIXTURE_H

#include "guest/list.h"

#include <libvirt/libvirt.h>

typedef struct {
    char *dir;
    char *config;
    char *runtime;
    char *logs;
    char *program;
    KilnGuestList *list;
    GString *news; /* "NAME EVENT/TYPE/DETAIL;" or for others "NAME EVENT texts numbers;" */
    KilnGuest *made;
    GVariant *answer;
    GUnixFDList *fds;
    GError *error; /* of the last thing that ended */
    guint over;    /* how many things ended that nobody waited for yet */
} Fixture;

void fixture_open(Fixture *fixture);
/* The daemon dies and is started again. */
void fixture_restart(Fixture *fixture);
void fixture_close(Fixture *fixture);
/* Kills all processes that run, and waits for that. */
void fixture_sweep(Fixture *fixture);

/* Runs the main loop until something that was begun ended. */
void fixture_wait(Fixture *fixture);
/* Runs it until @condition. */
#define fixture_until(condition)                                                                   \
    do {                                                                                           \
        while (!(condition))                                                                       \
            g_main_context_iteration(NULL, TRUE);                                                  \
    } while (0)

/* A callback for each kind, with a Fixture as their data. */
void fixture_done(KilnGuest *guest, const GError *error, gpointer fixture);
void fixture_made(KilnGuest *guest, const GError *error, gpointer fixture);
void fixture_answered(KilnGuest *guest, GVariant *answer, GUnixFDList *fds, const GError *error,
                      gpointer fixture);

/* @uuid: the last digits */
char *fixture_xml(const char *name, guint uuid, const char *title);
KilnDomain *fixture_domain(const char *name, guint uuid, const char *title);

/* To the end: NULL with @error set if it failed. */
KilnGuest *fixture_define(Fixture *fixture, const char *name, guint uuid, const char *title);
KilnGuest *fixture_create(Fixture *fixture, const char *name, guint uuid, const char *title);
gboolean fixture_start(Fixture *fixture, KilnGuest *guest, unsigned flags);
gboolean fixture_destroy(Fixture *fixture, KilnGuest *guest);
gboolean fixture_call(Fixture *fixture, KilnGuest *guest, const char *method, GVariant *arguments,
                      int timeout_ms);

/* Whether it was told; "" forgets all. */
gboolean fixture_told(Fixture *fixture, const char *news);
gboolean fixture_has_file(const char *directory, const char *file);

#endif
