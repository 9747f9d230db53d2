/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/polkit.h"

#include "error/vir-error.h"

enum { ALLOW_INTERACTION = 1 }; /* of CheckAuthorizationFlags */

typedef struct {
    char *action;              /* (owned) */
    GVariant *question;        /* (owned) (nullable) */
    GCancellable *cancellable; /* (owned) (nullable) */
    KilnPolkitFunc done;
    gpointer data;
} Check;

static GDBusConnection *test_bus; /* (nullable) */

void
kiln_polkit_set_bus(GDBusConnection *bus)
{
    test_bus = bus;
}

/* Ends the check. */
static void
finish(Check *check, KilnPolkitResult result, const GError *error)
{
    check->done(result, error, check->data);
    g_free(check->action);
    g_clear_pointer(&check->question, g_variant_unref);
    g_clear_object(&check->cancellable);
    g_free(check);
}

static void
finish_failed(Check *check, const GError *failure)
{
    g_autoptr(GError) error = NULL;
    gboolean absent = g_error_matches(failure, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
                      g_error_matches(failure, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
                      g_error_matches(failure, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);

    if (absent)
        kiln_vir_error_set(&error, VIR_ERR_AUTH_FAILED, "polkit is not there to ask about '%s'",
                           check->action);
    else
        kiln_vir_error_set(&error, VIR_ERR_AUTH_FAILED, "polkit cannot be asked about '%s': %s",
                           check->action, failure->message);
    finish(check, absent ? KILN_POLKIT_ABSENT : KILN_POLKIT_NO, error);
}

static void
finish_refused(Check *check, gboolean challenge, gboolean dismissed)
{
    g_autoptr(GError) error = NULL;

    if (dismissed)
        kiln_vir_error_set(&error, VIR_ERR_AUTH_CANCELLED, "user cancelled authentication process");
    else if (challenge)
        kiln_vir_error_set(&error, VIR_ERR_AUTH_UNAVAILABLE,
                           "no polkit agent available to authenticate action '%s'", check->action);
    else
        kiln_vir_error_set(&error, VIR_ERR_AUTH_FAILED, "access denied by policy");
    finish(check, KILN_POLKIT_NO, error);
}

static void
on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    Check *check = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    g_autoptr(GVariant) details = NULL;
    const char *dismissed = NULL;
    gboolean authorized = FALSE;
    gboolean challenge = FALSE;

    if (answer == NULL) {
        finish_failed(check, error);
        return;
    }
    g_variant_get(answer, "((bb@a{ss}))", &authorized, &challenge, &details);
    if (authorized) {
        finish(check, KILN_POLKIT_YES, NULL);
        return;
    }
    g_variant_lookup(details, "polkit.dismissed", "&s", &dismissed);
    finish_refused(check, challenge, g_strcmp0(dismissed, "true") == 0);
}

static void
ask(Check *check, GDBusConnection *bus)
{
    g_autoptr(GVariant) question = g_steal_pointer(&check->question);

    g_dbus_connection_call(bus, "org.freedesktop.PolicyKit1",
                           "/org/freedesktop/PolicyKit1/Authority",
                           "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization", question,
                           G_VARIANT_TYPE("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE, G_MAXINT,
                           check->cancellable, on_answer, check);
}

static void
on_bus(GObject *source, GAsyncResult *result, gpointer data)
{
    Check *check = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, &error);

    if (bus == NULL) {
        finish_failed(check, error);
        return;
    }
    /* The daemon outlives its bus. */
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    ask(check, bus);
}

/* The subject is named by its start too, so that no other process of that number is meant. */
static GVariant *
question_new(const char *action, const KilnIdentity *identity)
{
    GVariantBuilder subject = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sv}"));

    g_variant_builder_add(&subject, "{sv}", "pid", g_variant_new_uint32(identity->pid));
    g_variant_builder_add(&subject, "{sv}", "start-time",
                          g_variant_new_uint64(identity->process_start));
    g_variant_builder_add(&subject, "{sv}", "uid", g_variant_new_int32(identity->uid));
    return g_variant_new("((s@a{sv})s@a{ss}us)", "unix-process", g_variant_builder_end(&subject),
                         action, g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0),
                         ALLOW_INTERACTION, "");
}

void
kiln_polkit_check(const char *action, const KilnIdentity *identity, GCancellable *cancellable,
                  KilnPolkitFunc done, gpointer data)
{
    Check *check = g_new0(Check, 1);

    check->action = g_strdup(action);
    check->question = g_variant_ref_sink(question_new(action, identity));
    check->cancellable = cancellable != NULL ? g_object_ref(cancellable) : NULL;
    check->done = done;
    check->data = data;
    if (test_bus != NULL)
        ask(check, test_bus);
    else
        g_bus_get(G_BUS_TYPE_SYSTEM, cancellable, on_bus, check);
}
