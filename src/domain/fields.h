/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Structs that know their XML.  A family declares a plain struct and one table that says, member by
 * member, where it stands in the document; parse, format, free and the RELAX NG schema all come
 * from that table, so none of them can forget what another one knows.
 *
 *     typedef struct { KilnSwitch enabled; KilnUint sockets; char *model; GPtrArray *features; } X;
 *
 *     static const KilnField x_fields[] = {
 *         KILN_FIELD_SWITCH(X, enabled, "@enabled", YESNO),
 *         KILN_FIELD_STRING(X, model, "model"),
 *         KILN_FIELD_UINT(X, sockets, "topology@sockets", 1, 65535),
 *         KILN_FIELD_LIST(X, features, "feature", &feature_struct),
 *         KILN_FIELD_END,
 *     };
 *
 * Paths are relative to the struct's own element: "@a" is its attribute, "." its text, "b" the text
 * (or presence) of its child b, "b/c@d" an attribute further down, "" the element itself.  A table
 * lists what stands in one element side by side, its attributes first, then text, then children:
 * that is also the order in which it is written.
 *
 * Every member's zero is "absent", so a zeroed struct is an empty one, except that lists are always
 * there (kiln_struct_new() makes them).
 */
#ifndef KILN_DOMAIN_FIELDS_H
#define KILN_DOMAIN_FIELDS_H

#include "domain/text-rules.h"
#include "domain/xml.h"

#include <stddef.h>

/* A number that may be absent; @value is 0 then. */
typedef struct {
    gboolean set;
    guint64 value;
} KilnUint;

typedef struct {
    gboolean set;
    gint64 value;
} KilnInt;

/* yes/no or on/off, or not said. */
typedef enum {
    KILN_SWITCH_ABSENT,
    KILN_SWITCH_ON,
    KILN_SWITCH_OFF,
} KilnSwitch;

/* What kiln_domain_format() and all below it may be asked for; 0 is a running guest's definition.
 */
typedef enum {
    KILN_FORMAT_SECURE = 1 << 0,     /* passwords too */
    KILN_FORMAT_INACTIVE = 1 << 1,   /* without what exists only while the guest runs */
    KILN_FORMAT_MIGRATABLE = 1 << 2, /* what the other host's kiln needs */
} KilnDomainFormatFlags;

typedef enum {
    KILN_KIND_END,
    KILN_KIND_STRING, /* char * (owned) */
    KILN_KIND_UINT,   /* KilnUint, min..max */
    KILN_KIND_HEX,    /* KilnUint up to max, written as 0x with at least @width digits */
    KILN_KIND_OCTAL,  /* KilnUint up to max, base 8, written with at least @width digits */
    KILN_KIND_INT,    /* KilnInt; min..max, read as signed, if max is not 0 */
    KILN_KIND_PLAIN,  /* guint with 0 for absent, always written; hexadecimal if @width is not 0 */
    KILN_KIND_SIZE,   /* KilnUint in bytes, a multiple of 1024; with a "unit" attribute beside it */
    KILN_KIND_ENUM,   /* int, an index of @names; a NULL name (number 0 most often) is absent */
    KILN_KIND_YESNO,  /* KilnSwitch */
    KILN_KIND_ONOFF,  /* KilnSwitch */
    KILN_KIND_PRESENT, /* gboolean: the element is there */
    KILN_KIND_BITMAP,  /* KilnBitmap * (owned): "0-3,^2" */
    KILN_KIND_EMBED,   /* a struct inside the struct, at path "" or of a child */
    KILN_KIND_STRUCT,  /* pointer to a struct (owned) (nullable) */
    KILN_KIND_LIST,    /* GPtrArray * (owned) of structs, never NULL */
    KILN_KIND_CUSTOM,  /* whatever @ops says */
} KilnFieldKind;

enum {
    KILN_FIELD_REQUIRED = 1 << 0, /* absence is a fault wherever the element that holds it stands */
    KILN_FIELD_SECRET = 1 << 1,   /* written with KILN_FORMAT_SECURE only */
    KILN_FIELD_LIVE = 1 << 2,     /* not written with KILN_FORMAT_INACTIVE */
};

typedef struct KilnField KilnField;
typedef struct KilnStruct KilnStruct;

/* How a member that no kind covers is read and written; @member points at it. */
typedef struct {
    /* @node: the struct's element for path "", else the child, which is there */
    void (*parse)(void *member, KilnXmlNode *node, KilnFaults *faults);
    gboolean (*present)(const void *member);
    /* Called inside the element that @parse was given. */
    void (*format)(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags);
    void (*clear)(void *member); /* (nullable) */
} KilnFieldOps;

struct KilnField {
    const char *path;
    KilnFieldKind kind;
    guint offset;
    guint flags; /* KILN_FIELD_REQUIRED ... */
    guint width;
    guint64 min;
    guint64 max;
    const char *const *names;
    guint n_names;
    const KilnStruct *type;
    const KilnFieldOps *ops;
    const KilnTextRule *rule; /* STRING: (nullable): what the text must look like */
    /* Bits of the variants that have this field; 0 is all.  In another variant it is not read, so
     * that it is reported as unknown, nor written. */
    guint64 only;
};

/* The bit of a variant; an enum that serves as one has fewer than 64 values. */
#define KILN_ONLY(variant) (G_GUINT64_CONSTANT(1) << (variant))

struct KilnStruct {
    gsize size;
    const KilnField *fields;
    /* (nullable) after all fields are read: what concerns more than one of them */
    void (*check)(void *object, KilnXmlNode *node, KilnFaults *faults);
    /* The int at @variant_offset, set by an earlier row (most often attribute type), says which
     * rows count; without @has_variant it is that of the struct around this one. */
    gboolean has_variant;
    guint variant_offset;
};

#define KILN_STRUCT_VARIANT(t, m)                                                                  \
    .has_variant = TRUE, .variant_offset = KILN_FIELD_SIZED_(t, m, int)

/* The member's offset, after the compiler has seen that it is of the type that the kind reads. */
#define KILN_FIELD_OFFSET_(type_, member_, wanted)                                                 \
    (offsetof(type_, member_) +                                                                    \
     0 * sizeof(                                                                                   \
             char[__builtin_types_compatible_p(__typeof__(((type_ *)0)->member_), wanted) ? 1      \
                                                                                          : -1]))
#define KILN_FIELD_SIZED_(type_, member_, wanted)                                                  \
    (offsetof(type_, member_) +                                                                    \
     0 * sizeof(char[sizeof(((type_ *)0)->member_) == sizeof(wanted) ? 1 : -1]))
#define KILN_FIELD_(t, m, p, kind_, wanted, ...)                                                   \
    {                                                                                              \
        .path = (p), .kind = (kind_), .offset = KILN_FIELD_OFFSET_(t, m, wanted), __VA_ARGS__      \
    }
#define KILN_FIELD_TYPED_(t, m, p, kind_, wanted, ...)                                             \
    {                                                                                              \
        .path = (p), .kind = (kind_), .offset = KILN_FIELD_SIZED_(t, m, wanted), __VA_ARGS__       \
    }

#define KILN_FIELD_STRING(t, m, p, ...) KILN_FIELD_(t, m, p, KILN_KIND_STRING, char *, __VA_ARGS__)
#define KILN_FIELD_UINT(t, m, p, lowest, highest, ...)                                             \
    KILN_FIELD_(t, m, p, KILN_KIND_UINT, KilnUint, .min = (lowest), .max = (highest), __VA_ARGS__)
#define KILN_FIELD_HEX(t, m, p, highest, digits, ...)                                              \
    KILN_FIELD_(t, m, p, KILN_KIND_HEX, KilnUint, .max = (highest), .width = (digits), __VA_ARGS__)
#define KILN_FIELD_OCTAL(t, m, p, highest, digits, ...)                                            \
    KILN_FIELD_(t, m, p, KILN_KIND_OCTAL, KilnUint, .max = (highest), .width = (digits),           \
                __VA_ARGS__)
#define KILN_FIELD_INT(t, m, p, ...) KILN_FIELD_(t, m, p, KILN_KIND_INT, KilnInt, __VA_ARGS__)
#define KILN_FIELD_PLAIN(t, m, p, highest, ...)                                                    \
    KILN_FIELD_(t, m, p, KILN_KIND_PLAIN, guint, .max = (highest), __VA_ARGS__)
#define KILN_FIELD_SIZE(t, m, p, ...) KILN_FIELD_(t, m, p, KILN_KIND_SIZE, KilnUint, __VA_ARGS__)
#define KILN_FIELD_ENUM(t, m, p, table, ...)                                                       \
    KILN_FIELD_TYPED_(t, m, p, KILN_KIND_ENUM, int, .names = (table),                              \
                      .n_names = G_N_ELEMENTS(table), __VA_ARGS__)
#define KILN_FIELD_SWITCH(t, m, p, words, ...)                                                     \
    KILN_FIELD_(t, m, p, KILN_KIND_##words, KilnSwitch, __VA_ARGS__)
#define KILN_FIELD_PRESENT(t, m, p, ...)                                                           \
    KILN_FIELD_(t, m, p, KILN_KIND_PRESENT, gboolean, __VA_ARGS__)
#define KILN_FIELD_BITMAP(t, m, p, ...)                                                            \
    KILN_FIELD_TYPED_(t, m, p, KILN_KIND_BITMAP, void *, __VA_ARGS__)
#define KILN_FIELD_EMBED(t, m, p, struct_, ...)                                                    \
    {                                                                                              \
        .path = (p), .kind = KILN_KIND_EMBED, .offset = offsetof(t, m), .type = (struct_),         \
        __VA_ARGS__                                                                                \
    }
#define KILN_FIELD_STRUCT(t, m, p, struct_, ...)                                                   \
    KILN_FIELD_TYPED_(t, m, p, KILN_KIND_STRUCT, void *, .type = (struct_), __VA_ARGS__)
#define KILN_FIELD_LIST(t, m, p, struct_, ...)                                                     \
    KILN_FIELD_(t, m, p, KILN_KIND_LIST, GPtrArray *, .type = (struct_), __VA_ARGS__)
#define KILN_FIELD_CUSTOM(t, m, p, ops_, ...)                                                      \
    {                                                                                              \
        .path = (p), .kind = KILN_KIND_CUSTOM, .offset = offsetof(t, m), .ops = (ops_),            \
        __VA_ARGS__                                                                                \
    }
#define KILN_FIELD_END                                                                             \
    {                                                                                              \
        .path = NULL                                                                               \
    }

/**
 * kiln_struct_new:
 * Returns: (transfer full): an empty object of @type, its lists there and empty.
 */
void *kiln_struct_new(const KilnStruct *type);

/**
 * kiln_struct_init:
 * @object: zeroed memory of the type's size, embedded in something else
 */
void kiln_struct_init(const KilnStruct *type, void *object);

/**
 * kiln_struct_parse:
 * @node: the object's element
 *
 * Takes from @node all that the table names.  An object is always made, even when there are faults.
 *
 * Returns: (transfer full): the object.
 */
void *kiln_struct_parse(const KilnStruct *type, KilnXmlNode *node, KilnFaults *faults);
void kiln_struct_parse_into(const KilnStruct *type, void *object, KilnXmlNode *node,
                            KilnFaults *faults);

/* Whether any member is other than absent. */
gboolean kiln_struct_present(const KilnStruct *type, const void *object);

/**
 * kiln_struct_format:
 * Writes the content of the object's element, which the caller starts and ends.
 */
void kiln_struct_format(const KilnStruct *type, const void *object, KilnXmlWriter *writer,
                        KilnDomainFormatFlags flags);

/* Frees what the members own; _free() the object too.  @object may be NULL. */
void kiln_struct_clear(const KilnStruct *type, void *object);
void kiln_struct_free(const KilnStruct *type, void *object);

/**
 * kiln_size_parse:
 * @text: a whole number
 * @unit: (nullable): "b", "bytes", "KB", "KiB", "k", ... "E"; NULL is KiB
 * @bytes: (out): rounded up to a multiple of 1024
 *
 * Returns: FALSE if it is not a number, the unit is unknown, or the size exceeds 63 bits.
 */
gboolean kiln_size_parse(const char *text, const char *unit, guint64 *bytes);

#endif
