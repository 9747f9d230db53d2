/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/config.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

typedef enum { NUMBER, OCTAL, TEXT, CHOICE } Kind;

typedef struct {
    const char *key;
    Kind kind;
    gsize offset;
    guint64 least;
    guint64 most;
} Key;

#define KEY(name, kind, member, ...)                                                               \
    {                                                                                              \
        name, kind, G_STRUCT_OFFSET(KilnDaemonConfig, member), __VA_ARGS__                         \
    }

static const Key keys[] = {
    KEY("unix_sock_dir", TEXT, socket_dir, 0, 0),
    KEY("unix_sock_group", TEXT, socket_group, 0, 0),
    KEY("unix_sock_ro_perms", OCTAL, socket_ro_perms, 0, 0777),
    KEY("unix_sock_rw_perms", OCTAL, socket_rw_perms, 0, 0777),
    KEY("auth_unix_ro", CHOICE, auth_ro, 0, 0),
    KEY("auth_unix_rw", CHOICE, auth_rw, 0, 0),
    KEY("max_clients", NUMBER, limits.max_clients, 1, 100000),
    KEY("max_anonymous_clients", NUMBER, limits.max_anonymous_clients, 1, 100000),
    KEY("max_client_requests", NUMBER, limits.max_client_requests, 1, 1000),
    KEY("keepalive_interval", NUMBER, limits.keepalive_interval, 0, 3600),
    KEY("keepalive_count", NUMBER, limits.keepalive_count, 0, 1000),
    KEY("log_level", NUMBER, log_level, 1, 4),
    KEY("user", TEXT, user, 0, 0),
    KEY("group", TEXT, group, 0, 0),
};

void
kiln_daemon_config_init(KilnDaemonConfig *config)
{
    *config = (KilnDaemonConfig){
        .limits = { .max_clients = 5000,
                    .max_anonymous_clients = 20,
                    .max_client_requests = 5,
                    .keepalive_interval = 5,
                    .keepalive_count = 5,
                    .max_queued_bytes = 64 * 1024 * 1024,
                    .handshake_seconds = 30 },
        .log_level = 3,
        .user = g_strdup("libvirt-kiln"),
    };
}

void
kiln_daemon_config_clear(KilnDaemonConfig *config)
{
    g_free(config->socket_dir);
    g_free(config->socket_group);
    g_free(config->auth_ro);
    g_free(config->auth_rw);
    g_free(config->user);
    g_free(config->group);
    memset(config, 0, sizeof *config);
}

/* Returns: (transfer full) (nullable): what is between the quotes of @value. */
static char *
unquote(const char *value)
{
    gsize length = strlen(value);

    if (length < 2 || (value[0] != '"' && value[0] != '\'') || value[length - 1] != value[0])
        return NULL;
    if (memchr(value + 1, value[0], length - 2) != NULL)
        return NULL;
    return g_strndup(value + 1, length - 2);
}

static gboolean
set_number(const Key *key, guint *member, const char *value, GError **error)
{
    g_autofree char *quoted = unquote(value);
    guint64 number;

    if (!g_ascii_string_to_unsigned(quoted != NULL ? quoted : value, key->kind == OCTAL ? 8 : 10,
                                    key->least, key->most, &number, NULL))
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is no number for '%s'", value,
                              key->key);
    *member = (guint)number;
    return TRUE;
}

static gboolean
set_text(const Key *key, char **member, const char *value, GError **error)
{
    g_autofree char *text = unquote(value);

    if (text == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "the value of '%s' is not in quotes",
                              key->key);
    if (key->kind == CHOICE && strcmp(text, "none") != 0 && strcmp(text, "polkit") != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is \"none\" or \"polkit\", not '%s'",
                              key->key, text);
    g_free(*member);
    *member = g_steal_pointer(&text);
    return TRUE;
}

static gboolean
set(KilnDaemonConfig *config, const char *name, const char *value, const char *where,
    GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        gpointer member = (guint8 *)config + keys[i].offset;

        if (strcmp(keys[i].key, name) != 0)
            continue;
        return keys[i].kind == TEXT || keys[i].kind == CHOICE
                   ? set_text(&keys[i], member, value, error)
                   : set_number(&keys[i], member, value, error);
    }
    kiln_log(KILN_LOG_WARNING, "%s: '%s' is not known here and has no effect", where, name);
    return TRUE;
}

static gboolean
parse_line(KilnDaemonConfig *config, const char *line, const char *where, GError **error)
{
    g_autofree char *text = g_strstrip(g_strdup(line));
    char *equals;

    if (*text == '\0' || *text == '#')
        return TRUE;
    equals = strchr(text, '=');
    if (equals == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is not 'key = value'", text);
    *equals = '\0';
    return set(config, g_strstrip(text), g_strstrip(equals + 1), where, error);
}

gboolean
kiln_daemon_config_parse(KilnDaemonConfig *config, const char *text, const char *name,
                         GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree char *where = g_strdup_printf("%s:%u", name, i + 1);

        if (!parse_line(config, lines[i], where, error)) {
            g_prefix_error(error, "%s: ", where);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
kiln_daemon_config_read(KilnDaemonConfig *config, const char *path, gboolean required,
                        GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *text = NULL;

    if (g_file_get_contents(path, &text, NULL, &reason))
        return kiln_daemon_config_parse(config, text, path, error);
    if (!required && g_error_matches(reason, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_FAILED, "cannot read the configuration: %s",
                          reason->message);
}
