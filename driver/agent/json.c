/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/json.h"

#include <string.h>

JsonObject *
kiln_json_object(JsonNode *node)
{
    return node != NULL && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *
kiln_json_array(JsonNode *node)
{
    return node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

static const char *
text_of(JsonNode *node)
{
    const char *text = node != NULL && json_node_get_value_type(node) == G_TYPE_STRING
                           ? json_node_get_string(node)
                           : NULL;

    return text != NULL && strnlen(text, KILN_JSON_TEXT_MAX + 1) <= KILN_JSON_TEXT_MAX &&
                   g_utf8_validate(text, -1, NULL)
               ? text
               : NULL;
}

JsonNode *
kiln_json_member(JsonObject *object, const char *name)
{
    return object != NULL ? json_object_get_member(object, name) : NULL;
}

const char *
kiln_json_text(JsonObject *object, const char *name)
{
    return text_of(kiln_json_member(object, name));
}

JsonArray *
kiln_json_list(JsonObject *object, const char *name)
{
    return kiln_json_array(kiln_json_member(object, name));
}

gboolean
kiln_json_double(JsonObject *object, const char *name, double *value)
{
    JsonNode *node = kiln_json_member(object, name);
    GType type = node != NULL ? json_node_get_value_type(node) : G_TYPE_INVALID;

    if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
        return FALSE;
    *value = json_node_get_double(node);
    return TRUE;
}

gboolean
kiln_json_int(JsonObject *object, const char *name, gint64 *value)
{
    JsonNode *node = kiln_json_member(object, name);
    double real;

    if (node != NULL && json_node_get_value_type(node) == G_TYPE_INT64) {
        *value = json_node_get_int(node);
        return TRUE;
    }
    if (!kiln_json_double(object, name, &real) || !(real > -9e18 && real < 9e18))
        return FALSE;
    *value = (gint64)real;
    return TRUE;
}

gboolean
kiln_json_unsigned(JsonObject *object, const char *name, guint64 *value)
{
    gint64 number;

    if (!kiln_json_int(object, name, &number) || number < 0)
        return FALSE;
    *value = (guint64)number;
    return TRUE;
}

gboolean
kiln_json_boolean(JsonObject *object, const char *name, gboolean *value)
{
    JsonNode *node = kiln_json_member(object, name);

    if (node == NULL || json_node_get_value_type(node) != G_TYPE_BOOLEAN)
        return FALSE;
    *value = json_node_get_boolean(node);
    return TRUE;
}

guint
kiln_json_length(JsonArray *array)
{
    return array != NULL ? json_array_get_length(array) : 0;
}

JsonObject *
kiln_json_object_at(JsonArray *array, guint i)
{
    return kiln_json_object(json_array_get_element(array, i));
}

const char *
kiln_json_text_at(JsonArray *array, guint i)
{
    return text_of(json_array_get_element(array, i));
}
