/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fields.h. */
#include "domain/fields.h"

#include "base/bitmap.h"
#include "base/intmath.h"

#include <string.h>

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* libvirt's scaled integers: a lone or "iB" letter counts by 1024, one with "B" by 1000. */
static gboolean
unit_bytes(const char *unit, guint64 *bytes)
{
    static const char letters[] = "KMGTPE";
    const char *letter;
    guint64 base = 1024;

    *bytes = 1;
    if (unit == NULL)
        unit = "KiB";
    if (g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "bytes") == 0)
        return TRUE;
    letter = *unit != '\0' ? strchr(letters, g_ascii_toupper(*unit)) : NULL;
    if (letter == NULL)
        return FALSE;
    if (g_ascii_strcasecmp(unit + 1, "b") == 0)
        base = 1000;
    else if (unit[1] != '\0' && g_ascii_strcasecmp(unit + 1, "ib") != 0)
        return FALSE;
    for (const char *step = letters; step <= letter; step++)
        *bytes *= base; /* at most 2^60 */
    return TRUE;
}

gboolean
kiln_size_parse(const char *text, const char *unit, guint64 *bytes)
{
    guint64 number, scale, product;

    if (!unit_bytes(unit, &scale) ||
        !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL) ||
        !kiln_mul_u64(number, scale, &product) || product > G_MAXINT64 - 1023)
        return FALSE;
    *bytes = kiln_align_up(product, 1024);
    return TRUE;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

/* "a/b@c" leads through the elements a and b to the attribute c. */
static const char *
path_attribute(const char *path)
{
    const char *at = strchr(path, '@');

    return at != NULL ? at + 1 : NULL;
}

/* The length of the elements' part. */
static gsize
path_length(const char *path)
{
    gsize length = strcspn(path, "@");

    return length == 1 && *path == '.' ? 0 : length;
}

/* The element at the first @length bytes of @path, NULL if it is absent. */
static KilnXmlNode *
take_path(KilnXmlNode *node, const char *path, gsize length, KilnFaults *faults)
{
    const char *end = path + length;

    while (node != NULL && path < end) {
        gsize step = strcspn(path, "/@");
        char name[64];

        g_assert(step < sizeof name); /* of our own tables */
        memcpy(name, path, step);
        name[step] = '\0';
        node = kiln_xml_take_child(node, name, faults);
        path += path[step] == '/' ? step + 1 : step;
    }
    return node;
}

/* The length of the path of the element that holds @path's last step. */
static gsize
parent_length(const char *path, gsize length)
{
    while (length > 0 && path[length - 1] != '/')
        length--;
    return length > 0 ? length - 1 : 0;
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

static void *
member_of(const KilnField *field, void *object)
{
    return (char *)object + field->offset;
}

static const void *
const_member_of(const KilnField *field, const void *object)
{
    return (const char *)object + field->offset;
}

void
kiln_struct_init(const KilnStruct *type, void *object)
{
    for (const KilnField *field = type->fields; field->path != NULL; field++) {
        void *member = member_of(field, object);

        if (field->kind == KILN_KIND_LIST)
            *(GPtrArray **)member = g_ptr_array_new();
        else if (field->kind == KILN_KIND_EMBED)
            kiln_struct_init(field->type, member);
    }
}

void *
kiln_struct_new(const KilnStruct *type)
{
    void *object = g_malloc0(type->size);

    kiln_struct_init(type, object);
    return object;
}

static void
clear_list(const KilnStruct *type, GPtrArray **list)
{
    if (*list == NULL)
        return;
    for (guint i = 0; i < (*list)->len; i++)
        kiln_struct_free(type, g_ptr_array_index(*list, i));
    g_ptr_array_unref(*list);
    *list = NULL;
}

void
kiln_struct_clear(const KilnStruct *type, void *object)
{
    if (object == NULL)
        return;
    for (const KilnField *field = type->fields; field->path != NULL; field++) {
        void *member = member_of(field, object);

        switch (field->kind) {
        case KILN_KIND_STRING: g_clear_pointer((char **)member, g_free); break;
        case KILN_KIND_BITMAP: g_clear_pointer((KilnBitmap **)member, kiln_bitmap_free); break;
        case KILN_KIND_EMBED: kiln_struct_clear(field->type, member); break;
        case KILN_KIND_STRUCT:
            kiln_struct_free(field->type, *(void **)member);
            *(void **)member = NULL;
            break;
        case KILN_KIND_LIST: clear_list(field->type, member); break;
        case KILN_KIND_CUSTOM:
            if (field->ops->clear != NULL)
                field->ops->clear(member);
            break;
        default: break;
        }
    }
}

void
kiln_struct_free(const KilnStruct *type, void *object)
{
    kiln_struct_clear(type, object);
    g_free(object);
}

/* ---- Variants -------------------------------------------------------------------------------- */

/* Which rows of @type's table count, given the variant of what is around @object. */
static int
variant_of(const KilnStruct *type, const void *object, int around)
{
    return type->has_variant ? *(const int *)((const char *)object + type->variant_offset) : around;
}

static gboolean
counts(const KilnField *field, int variant)
{
    return field->only == 0 ||
           (variant >= 0 && variant < 64 && (field->only & KILN_ONLY(variant)) != 0);
}

/* ---- Parsing --------------------------------------------------------------------------------- */

static void
parse_int(const KilnField *field, KilnInt *value, KilnXmlNode *node, const char *attribute,
          const char *text, KilnFaults *faults)
{
    gint64 lowest = field->max != 0 ? (gint64)field->min : G_MININT64;
    gint64 highest = field->max != 0 ? (gint64)field->max : G_MAXINT64, number;

    if (!g_ascii_string_to_signed(text, 10, lowest, highest, &number, NULL)) {
        kiln_fault_add(faults, KILN_FAULT_XML, node, attribute,
                       "'%s' is not a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                       text, lowest, highest);
        return;
    }
    *value = (KilnInt){ .set = TRUE, .value = number };
}

static void
parse_octal(const KilnField *field, KilnUint *value, KilnXmlNode *node, const char *attribute,
            const char *text, KilnFaults *faults)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 8, 0, field->max, &number, NULL)) {
        kiln_fault_add(faults, KILN_FAULT_XML, node, attribute,
                       "'%s' is not an octal number up to 0%" G_GINT64_MODIFIER "o", text,
                       field->max);
        return;
    }
    *value = (KilnUint){ .set = TRUE, .value = number };
}

/* An empty element is no text, and its rule does not apply; an empty attribute is one. */
static void
parse_string(const KilnField *field, char **value, KilnXmlNode *node, const char *attribute,
             const char *text, KilnFaults *faults)
{
    if (field->rule != NULL && attribute == NULL && *text == '\0')
        return;
    if (field->rule != NULL && !kiln_text_rule_allows(field->rule, text))
        kiln_fault_add(faults, KILN_FAULT_XML, node, attribute, "'%s' is not %s", text,
                       field->rule->wants);
    else
        *value = g_strdup(text);
}

static void
parse_size(KilnUint *value, KilnXmlNode *node, const char *attribute, const char *text,
           KilnFaults *faults)
{
    const char *unit = kiln_xml_take_attribute(node, "unit");
    guint64 bytes;

    if (!kiln_size_parse(text, unit, &bytes)) {
        kiln_fault_add(faults, KILN_FAULT_XML, node, attribute, "'%s' %s is not a size", text,
                       unit != NULL ? unit : "KiB");
        return;
    }
    *value = (KilnUint){ .set = TRUE, .value = bytes };
}

static void
parse_bitmap(KilnBitmap **bitmap, KilnXmlNode *node, const char *attribute, const char *text,
             KilnFaults *faults)
{
    g_autoptr(GError) error = NULL;

    *bitmap = kiln_bitmap_parse(text, &error);
    if (*bitmap == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, attribute, "%s", error->message);
}

/* A value that stands in the attribute @attribute, or in the text, of @node. */
static void
parse_value(const KilnField *field, void *member, KilnXmlNode *node, const char *attribute,
            KilnFaults *faults)
{
    gboolean required = (field->flags & KILN_FIELD_REQUIRED) != 0;
    const char *text =
        attribute != NULL ? kiln_xml_take_attribute(node, attribute) : kiln_xml_take_text(node);
    KilnUint number = { .set = TRUE };
    gboolean on;

    if (text == NULL || (attribute == NULL && *text == '\0' && field->kind != KILN_KIND_STRING)) {
        if (required)
            kiln_fault_add(faults, KILN_FAULT_XML, node, attribute,
                           attribute != NULL ? "this attribute is missing" : "holds no value");
        return;
    }
    switch (field->kind) {
    case KILN_KIND_STRING: parse_string(field, member, node, attribute, text, faults); break;
    case KILN_KIND_OCTAL: parse_octal(field, member, node, attribute, text, faults); break;
    case KILN_KIND_UINT:
    case KILN_KIND_HEX:
        if (kiln_xml_take_uint(node, attribute, required, field->min, field->max, &number.value,
                               faults))
            *(KilnUint *)member = number;
        break;
    case KILN_KIND_PLAIN:
        if (kiln_xml_take_uint(node, attribute, required, 0, field->max, &number.value, faults))
            *(guint *)member = (guint)number.value;
        break;
    case KILN_KIND_INT: parse_int(field, member, node, attribute, text, faults); break;
    case KILN_KIND_SIZE: parse_size(member, node, attribute, text, faults); break;
    case KILN_KIND_ENUM:
        (void)kiln_xml_take_enum(node, attribute, required, field->names, field->n_names, member,
                                 faults);
        break;
    case KILN_KIND_YESNO:
    case KILN_KIND_ONOFF:
        if (kiln_xml_take_bool(node, attribute, required, &on, faults))
            *(KilnSwitch *)member = on ? KILN_SWITCH_ON : KILN_SWITCH_OFF;
        break;
    case KILN_KIND_BITMAP: parse_bitmap(member, node, attribute, text, faults); break;
    default: g_assert_not_reached();
    }
}

static void parse_into(const KilnStruct *type, void *object, KilnXmlNode *node, int around,
                       KilnFaults *faults);

static void *
parse_new(const KilnStruct *type, KilnXmlNode *node, int around, KilnFaults *faults)
{
    void *object = kiln_struct_new(type);

    parse_into(type, object, node, around, faults);
    return object;
}

static void
parse_list(const KilnField *field, GPtrArray *list, KilnXmlNode *node, int variant,
           KilnFaults *faults)
{
    gsize length = path_length(field->path), parent = parent_length(field->path, length);
    KilnXmlNode *holder = take_path(node, field->path, parent, faults);
    const char *name = field->path + (parent > 0 ? parent + 1 : 0);
    KilnXmlNode *item;

    if (holder == NULL)
        return;
    while ((item = kiln_xml_take_next(holder, name)) != NULL)
        g_ptr_array_add(list, parse_new(field->type, item, variant, faults));
}

static void
report_missing(const KilnField *field, KilnXmlNode *node, gsize length, KilnFaults *faults)
{
    gsize parent = parent_length(field->path, length);
    KilnXmlNode *holder = take_path(node, field->path, parent, faults);

    if (holder != NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, holder, NULL, "the element <%.*s> is missing",
                       (int)(length - (parent > 0 ? parent + 1 : 0)),
                       field->path + (parent > 0 ? parent + 1 : 0));
}

static void
parse_field(const KilnField *field, void *object, KilnXmlNode *node, int variant,
            KilnFaults *faults)
{
    const char *attribute = path_attribute(field->path);
    gsize length = path_length(field->path);
    void *member = member_of(field, object);
    KilnXmlNode *at;

    if (field->kind == KILN_KIND_LIST) {
        parse_list(field, *(GPtrArray **)member, node, variant, faults);
        return;
    }
    at = take_path(node, field->path, length, faults);
    if (at == NULL) {
        if ((field->flags & KILN_FIELD_REQUIRED) != 0 && attribute == NULL)
            report_missing(field, node, length, faults);
        return;
    }
    switch (field->kind) {
    case KILN_KIND_PRESENT: *(gboolean *)member = TRUE; break;
    case KILN_KIND_EMBED: parse_into(field->type, member, at, variant, faults); break;
    case KILN_KIND_STRUCT: *(void **)member = parse_new(field->type, at, variant, faults); break;
    case KILN_KIND_CUSTOM: field->ops->parse(member, at, faults); break;
    default: parse_value(field, member, at, attribute, faults); break;
    }
}

static void
parse_into(const KilnStruct *type, void *object, KilnXmlNode *node, int around, KilnFaults *faults)
{
    for (const KilnField *field = type->fields; field->path != NULL; field++) {
        int variant = variant_of(type, object, around);

        if (counts(field, variant))
            parse_field(field, object, node, variant, faults);
    }
    if (type->check != NULL)
        type->check(object, node, faults);
}

void
kiln_struct_parse_into(const KilnStruct *type, void *object, KilnXmlNode *node, KilnFaults *faults)
{
    parse_into(type, object, node, 0, faults);
}

void *
kiln_struct_parse(const KilnStruct *type, KilnXmlNode *node, KilnFaults *faults)
{
    return parse_new(type, node, 0, faults);
}

/* ---- Formatting ------------------------------------------------------------------------------ */

static const char *
enum_name(const KilnField *field, int value)
{
    return value >= 0 && (guint)value < field->n_names ? field->names[value] : NULL;
}

static gboolean struct_present(const KilnStruct *type, const void *object, int around);

static gboolean
field_present(const KilnField *field, const void *object, int variant)
{
    const void *member = const_member_of(field, object);

    switch (field->kind) {
    case KILN_KIND_STRING:
    case KILN_KIND_BITMAP:
    case KILN_KIND_STRUCT: return *(void *const *)member != NULL;
    case KILN_KIND_UINT:
    case KILN_KIND_HEX:
    case KILN_KIND_OCTAL:
    case KILN_KIND_SIZE: return ((const KilnUint *)member)->set;
    case KILN_KIND_INT: return ((const KilnInt *)member)->set;
    case KILN_KIND_PLAIN: return TRUE;
    case KILN_KIND_ENUM: return enum_name(field, *(const int *)member) != NULL;
    case KILN_KIND_YESNO:
    case KILN_KIND_ONOFF: return *(const KilnSwitch *)member != KILN_SWITCH_ABSENT;
    case KILN_KIND_PRESENT: return *(const gboolean *)member;
    case KILN_KIND_EMBED: return struct_present(field->type, member, variant);
    case KILN_KIND_LIST: return (*(GPtrArray *const *)member)->len > 0;
    case KILN_KIND_CUSTOM: return field->ops->present(member);
    default: return FALSE;
    }
}

static gboolean
struct_present(const KilnStruct *type, const void *object, int around)
{
    int variant = variant_of(type, object, around);

    for (const KilnField *field = type->fields; field->path != NULL; field++) {
        if (counts(field, variant) && field_present(field, object, variant))
            return TRUE;
    }
    return FALSE;
}

gboolean
kiln_struct_present(const KilnStruct *type, const void *object)
{
    return struct_present(type, object, 0);
}

static char *
value_text(const KilnField *field, const void *member)
{
    const KilnUint *number = member;

    switch (field->kind) {
    case KILN_KIND_STRING: return g_strdup(*(char *const *)member);
    case KILN_KIND_UINT: return g_strdup_printf("%" G_GUINT64_FORMAT, number->value);
    case KILN_KIND_HEX:
        return g_strdup_printf("0x%0*" G_GINT64_MODIFIER "x", (int)field->width, number->value);
    case KILN_KIND_OCTAL:
        return g_strdup_printf("%0*" G_GINT64_MODIFIER "o", (int)field->width, number->value);
    case KILN_KIND_INT:
        return g_strdup_printf("%" G_GINT64_FORMAT, ((const KilnInt *)member)->value);
    case KILN_KIND_PLAIN:
        return field->width > 0
                   ? g_strdup_printf("0x%0*x", (int)field->width, *(const guint *)member)
                   : g_strdup_printf("%u", *(const guint *)member);
    case KILN_KIND_SIZE: return g_strdup_printf("%" G_GUINT64_FORMAT, number->value / 1024);
    case KILN_KIND_ENUM: return g_strdup(enum_name(field, *(const int *)member));
    case KILN_KIND_YESNO:
        return g_strdup(*(const KilnSwitch *)member == KILN_SWITCH_ON ? "yes" : "no");
    case KILN_KIND_ONOFF:
        return g_strdup(*(const KilnSwitch *)member == KILN_SWITCH_ON ? "on" : "off");
    case KILN_KIND_BITMAP: return kiln_bitmap_format(*(KilnBitmap *const *)member);
    default: g_assert_not_reached();
    }
}

/* The elements of a table's paths that are open while it is written; "" at the struct's own. */
typedef struct {
    KilnXmlWriter *writer;
    const char *path; /* its first @length bytes are open */
    gsize length;
} Cursor;

/* Closes and opens elements until those of @path's first @length bytes are open. */
static void
move_to(Cursor *cursor, const char *path, gsize length)
{
    gsize shared = MIN(cursor->length, length);

    while (shared > 0 &&
           (strncmp(cursor->path, path, shared) != 0 || (shared < length && path[shared] != '/') ||
            (shared < cursor->length && cursor->path[shared] != '/')))
        shared--;
    while (cursor->length > shared) {
        kiln_xml_end(cursor->writer);
        cursor->length = parent_length(cursor->path, cursor->length);
    }
    while (shared < length) {
        gsize from = shared > 0 ? shared + 1 : 0;
        gsize step = strcspn(path + from, "/@");
        g_autofree char *name = g_strndup(path + from, step);

        kiln_xml_start(cursor->writer, name);
        shared = from + step;
    }
    cursor->path = path;
    cursor->length = length;
}

static void format_struct(const KilnStruct *type, const void *object, int around,
                          KilnXmlWriter *writer, KilnDomainFormatFlags flags);

static void
format_list(const KilnField *field, const GPtrArray *list, Cursor *cursor, int variant,
            KilnDomainFormatFlags flags)
{
    gsize length = path_length(field->path), parent = parent_length(field->path, length);

    move_to(cursor, field->path, parent);
    for (guint i = 0; i < list->len; i++) {
        kiln_xml_start(cursor->writer, field->path + (parent > 0 ? parent + 1 : 0));
        format_struct(field->type, g_ptr_array_index(list, i), variant, cursor->writer, flags);
        kiln_xml_end(cursor->writer);
    }
}

static void
format_value(const KilnField *field, const void *member, const char *attribute,
             KilnXmlWriter *writer)
{
    g_autofree char *text = value_text(field, member);

    if (field->kind == KILN_KIND_SIZE && attribute == NULL)
        kiln_xml_attribute(writer, "unit", "KiB");
    if (attribute == NULL)
        kiln_xml_text(writer, text);
    else
        kiln_xml_attribute(writer, attribute, text);
    if (field->kind == KILN_KIND_SIZE && attribute != NULL)
        kiln_xml_attribute(writer, "unit", "KiB");
}

static void
format_field(const KilnField *field, const void *object, Cursor *cursor, int variant,
             KilnDomainFormatFlags flags)
{
    const void *member = const_member_of(field, object);

    if (field->kind == KILN_KIND_LIST) {
        format_list(field, *(GPtrArray *const *)member, cursor, variant, flags);
        return;
    }
    move_to(cursor, field->path, path_length(field->path));
    switch (field->kind) {
    case KILN_KIND_PRESENT: break;
    case KILN_KIND_EMBED: format_struct(field->type, member, variant, cursor->writer, flags); break;
    case KILN_KIND_STRUCT:
        format_struct(field->type, *(void *const *)member, variant, cursor->writer, flags);
        break;
    case KILN_KIND_CUSTOM: field->ops->format(member, cursor->writer, flags); break;
    default: format_value(field, member, path_attribute(field->path), cursor->writer); break;
    }
}

static void
format_struct(const KilnStruct *type, const void *object, int around, KilnXmlWriter *writer,
              KilnDomainFormatFlags flags)
{
    int variant = variant_of(type, object, around);
    Cursor cursor = { .writer = writer, .path = "", .length = 0 };

    for (const KilnField *field = type->fields; field->path != NULL; field++) {
        gboolean hidden =
            ((field->flags & KILN_FIELD_SECRET) != 0 && (flags & KILN_FORMAT_SECURE) == 0) ||
            ((field->flags & KILN_FIELD_LIVE) != 0 && (flags & KILN_FORMAT_INACTIVE) != 0);

        if (!hidden && counts(field, variant) && field_present(field, object, variant))
            format_field(field, object, &cursor, variant, flags);
    }
    move_to(&cursor, "", 0);
}

void
kiln_struct_format(const KilnStruct *type, const void *object, KilnXmlWriter *writer,
                   KilnDomainFormatFlags flags)
{
    format_struct(type, object, 0, writer, flags);
}
