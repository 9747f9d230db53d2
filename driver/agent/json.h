/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of objects that a guest agent sent, by the type that they should have. */
#ifndef KILN_AGENT_JSON_H
#define KILN_AGENT_JSON_H

#include <glib.h>
#include <json-glib/json-glib.h>

enum { KILN_JSON_TEXT_MAX = 65536 }; /* bytes of a text; a longer one is none */

/* @node: (nullable).  NULL if it is no object, no array. */
JsonObject *kiln_json_object(JsonNode *node);
JsonArray *kiln_json_array(JsonNode *node);

/* NULL if @object (nullable) has no member of that name and type. */
JsonNode *kiln_json_member(JsonObject *object, const char *name);
const char *kiln_json_text(JsonObject *object, const char *name);
JsonArray *kiln_json_list(JsonObject *object, const char *name);

/* FALSE if it is missing, no number, or out of range; a fraction is cut off. */
gboolean kiln_json_int(JsonObject *object, const char *name, gint64 *value);
gboolean kiln_json_unsigned(JsonObject *object, const char *name, guint64 *value);
gboolean kiln_json_double(JsonObject *object, const char *name, double *value);
gboolean kiln_json_boolean(JsonObject *object, const char *name, gboolean *value);

/* How many; element @i as an object or a text. */
guint kiln_json_length(JsonArray *array);
JsonObject *kiln_json_object_at(JsonArray *array, guint i);
const char *kiln_json_text_at(JsonArray *array, guint i);

#endif
