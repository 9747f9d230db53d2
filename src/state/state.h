/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a device saves: a table of versioned fields with checks, never a raw struct.
 *
 *     static const KilnStateField rtc_fields[] = {
 *         KILN_STATE_RANGE(Rtc, index, 1, 0, 127),
 *         KILN_STATE_BYTES(Rtc, cmos, 1),
 *         KILN_STATE_FLAG(Rtc, nmi_masked, 2),      (absent from streams of version 1)
 *         KILN_STATE_END,
 *     };
 *     static const KilnStateDescription rtc_state = {
 *         .name = "rtc", .version = 2, .min_version = 1, .fields = rtc_fields,
 *         .post_load = rtc_post_load,
 *     };
 *
 * A table is append-only: a new field goes where it reads best, with `since` set to the
 * description's new version.  Fields are in the stream in the order of the table, so those of one
 * version never change places, sizes or meaning.  A field that an older stream lacks keeps the
 * value that it has in the object, which is its reset value, since state is loaded into a freshly
 * reset device.
 *
 * Saving and loading take no lock: the caller has stopped the device.
 */
#ifndef KILN_STATE_STATE_H
#define KILN_STATE_STATE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct KilnStateDescription KilnStateDescription;

enum { KILN_STATE_MAX_NAME = 63 }; /* bytes of a section's name: a-z 0-9 - . _ / : and no others */

/**
 * KilnStateCheck:
 * @value: one loaded value, sign-extended if the member is signed
 * @error: set on failure, saying what is wrong with @value; the reader puts section and field in
 * front
 *
 * Returns: whether the field may have @value.  Called once for each element of an array, before
 *   anything is stored.
 */
typedef gboolean (*KilnStateCheck)(uint64_t value, GError **error);

typedef enum {
    KILN_STATE_KIND_END,
    KILN_STATE_KIND_UNSIGNED, /* 1, 2, 4 or 8 bytes, little-endian in the stream */
    KILN_STATE_KIND_SIGNED,   /* as above, two's complement */
    KILN_STATE_KIND_FLAG,     /* bool or gboolean; one byte, 0 or 1, in the stream */
    KILN_STATE_KIND_BYTES,    /* a fixed array of bytes */
    KILN_STATE_KIND_STRUCT,   /* embedded structs with a description of their own */
    KILN_STATE_KIND_POINTER,  /* another object with a description of its own */
    KILN_STATE_KIND_BUFFER,   /* g_malloc'ed bytes, their number in another member */
} KilnStateKind;

/* One row of a table; made by the macros below, never by hand. */
typedef struct {
    const char *name; /* the member's name, for messages */
    KilnStateKind kind;
    uint32_t since;       /* version of the description that added the field, from 1 */
    size_t offset;        /* of the member, in bytes */
    size_t size;          /* bytes of one element; of the count member if a buffer */
    size_t count;         /* elements; of BYTES: bytes */
    gboolean ranged;      /* whether @min and @max hold */
    uint64_t min, max;    /* both inclusive; int64_t in disguise if signed; buffer: @max bytes */
    KilnStateCheck check; /* (nullable) */
    size_t count_offset;  /* of the buffer's count member */
    const KilnStateDescription *nested; /* of a STRUCT or POINTER */
} KilnStateField;

/**
 * KilnStateDescription:
 * @name: of the section in the stream, and of the device in messages
 * @version: what is written now, from 1
 * @min_version: the oldest version that can still be read, from 1
 * @fields: (array zero-terminated=1): ends in KILN_STATE_END
 * @pre_save: (nullable): brings members up to date before they are read
 * @post_load: (nullable): checks members against each other and recomputes what is derived from
 *   them; returns FALSE with the error set if the device cannot be in that state.  Of nested
 *   structs the inner one's runs before the outer one's.
 */
struct KilnStateDescription {
    const char *name;
    uint32_t version;
    uint32_t min_version;
    const KilnStateField *fields;
    void (*pre_save)(void *object);
    gboolean (*post_load)(void *object, GError **error);
};

/* Integer or bool by the member's type (enums are unsigned ints); nothing else compiles. */
/* clang-format off */
#define KILN_STATE_KIND_OF_(lvalue)                                                                \
    _Generic((lvalue),                                                                             \
             bool: KILN_STATE_KIND_FLAG,                                                           \
             uint8_t: KILN_STATE_KIND_UNSIGNED,                                                    \
             uint16_t: KILN_STATE_KIND_UNSIGNED,                                                   \
             uint32_t: KILN_STATE_KIND_UNSIGNED,                                                   \
             unsigned long: KILN_STATE_KIND_UNSIGNED,                                              \
             unsigned long long: KILN_STATE_KIND_UNSIGNED,                                         \
             int8_t: KILN_STATE_KIND_SIGNED,                                                       \
             int16_t: KILN_STATE_KIND_SIGNED,                                                      \
             int32_t: KILN_STATE_KIND_SIGNED,                                                      \
             long: KILN_STATE_KIND_SIGNED,                                                         \
             long long: KILN_STATE_KIND_SIGNED)
/* clang-format on */

#define KILN_STATE_MEMBER_(Type, member) (((Type *)0)->member)
#define KILN_STATE_COUNT_(Type, member)                                                            \
    (sizeof KILN_STATE_MEMBER_(Type, member) / sizeof KILN_STATE_MEMBER_(Type, member)[0])
#define KILN_STATE_SCALAR_(Type, member, version)                                                  \
    .name = #member, .kind = KILN_STATE_KIND_OF_(KILN_STATE_MEMBER_(Type, member)),                \
    .since = (version), .offset = offsetof(Type, member),                                          \
    .size = sizeof KILN_STATE_MEMBER_(Type, member), .count = 1
#define KILN_STATE_ELEMENTS_(Type, member, version)                                                \
    .name = #member, .kind = KILN_STATE_KIND_OF_(KILN_STATE_MEMBER_(Type, member)[0]),             \
    .since = (version), .offset = offsetof(Type, member),                                          \
    .size = sizeof KILN_STATE_MEMBER_(Type, member)[0], .count = KILN_STATE_COUNT_(Type, member)

/* An integer or bool member; @version is the description's version that added it. */
#define KILN_STATE(Type, member, version)                                                          \
    {                                                                                              \
        KILN_STATE_SCALAR_(Type, member, version)                                                  \
    }
/* As KILN_STATE; any value outside @low..@high, both inclusive, is refused. */
#define KILN_STATE_RANGE(Type, member, version, low, high)                                         \
    {                                                                                              \
        KILN_STATE_SCALAR_(Type, member, version), .ranged = TRUE, .min = (uint64_t)(low),         \
                                                   .max = (uint64_t)(high)                         \
    }
/* As KILN_STATE; @function is a KilnStateCheck. */
#define KILN_STATE_CHECKED(Type, member, version, function)                                        \
    {                                                                                              \
        KILN_STATE_SCALAR_(Type, member, version), .check = (function)                             \
    }
/* A gboolean member: only 0 and 1 are taken.  (A plain bool may be given to KILN_STATE.) */
#define KILN_STATE_FLAG(Type, member, version)                                                     \
    {                                                                                              \
        .name = #member, .kind = KILN_STATE_KIND_FLAG, .since = (version),                         \
        .offset = offsetof(Type, member), .size = sizeof KILN_STATE_MEMBER_(Type, member),         \
        .count = 1                                                                                 \
    }
/* An embedded array of bytes, of any values. */
#define KILN_STATE_BYTES(Type, member, version)                                                    \
    {                                                                                              \
        .name = #member, .kind = KILN_STATE_KIND_BYTES, .since = (version),                        \
        .offset = offsetof(Type, member), .size = 1,                                               \
        .count = sizeof KILN_STATE_MEMBER_(Type, member) /                                         \
                 (sizeof KILN_STATE_MEMBER_(Type, member)[0] == 1)                                 \
    }
/* An embedded array of integers or bools. */
#define KILN_STATE_ARRAY(Type, member, version)                                                    \
    {                                                                                              \
        KILN_STATE_ELEMENTS_(Type, member, version)                                                \
    }
#define KILN_STATE_ARRAY_RANGE(Type, member, version, low, high)                                   \
    {                                                                                              \
        KILN_STATE_ELEMENTS_(Type, member, version), .ranged = TRUE, .min = (uint64_t)(low),       \
                                                     .max = (uint64_t)(high)                       \
    }
#define KILN_STATE_ARRAY_CHECKED(Type, member, version, function)                                  \
    {                                                                                              \
        KILN_STATE_ELEMENTS_(Type, member, version), .check = (function)                           \
    }
/* An embedded struct, @description is the address of its KilnStateDescription. */
#define KILN_STATE_STRUCT(Type, member, version, description)                                      \
    {                                                                                              \
        .name = #member, .kind = KILN_STATE_KIND_STRUCT, .since = (version),                       \
        .offset = offsetof(Type, member), .size = sizeof KILN_STATE_MEMBER_(Type, member),         \
        .count = 1, .nested = (description)                                                        \
    }
/* An embedded array of structs. */
#define KILN_STATE_STRUCT_ARRAY(Type, member, version, description)                                \
    {                                                                                              \
        .name = #member, .kind = KILN_STATE_KIND_STRUCT, .since = (version),                       \
        .offset = offsetof(Type, member), .size = sizeof KILN_STATE_MEMBER_(Type, member)[0],      \
        .count = KILN_STATE_COUNT_(Type, member), .nested = (description)                          \
    }
/* A pointer, never NULL, to an object that @description describes: a part of the device whose
 * struct is hidden. */
#define KILN_STATE_POINTER(Type, member, version, description)                                     \
    {                                                                                              \
        .name = #member, .kind = KILN_STATE_KIND_POINTER, .since = (version),                      \
        .offset = offsetof(Type, member), .size = sizeof KILN_STATE_MEMBER_(Type, member),         \
        .count = 1, .nested = (description)                                                        \
    }
/*
 * A pointer to g_malloc'ed bytes, NULL if there are none, with their number in the unsigned member
 * @length.  At most @maximum bytes are taken; loading frees what was there.
 */
#define KILN_STATE_BUFFER(Type, member, length, version, maximum)                                  \
    {                                                                                              \
        .name = #member, .kind = KILN_STATE_KIND_BUFFER, .since = (version),                       \
        .offset = offsetof(Type, member), .size = sizeof KILN_STATE_MEMBER_(Type, length),         \
        .count = sizeof *KILN_STATE_MEMBER_(Type, member), .count_offset = offsetof(Type, length), \
        .max = (maximum)                                                                           \
    }
#define KILN_STATE_END                                                                             \
    {                                                                                              \
        .kind = KILN_STATE_KIND_END                                                                \
    }

/**
 * KilnStateEntry:
 * @description: (not owned): what is saved
 * @instance: tells apart several sections of one name
 * @object: (not owned): what @description describes
 *
 * One section of a machine's state.
 */
typedef struct {
    const KilnStateDescription *description;
    uint32_t instance;
    void *object;
} KilnStateEntry;

/**
 * kiln_state_save:
 * @entries: (array length=n_entries): in the order in which they are to be loaded; no two have the
 *   same name and instance
 *
 * Returns: (transfer full): the whole stream; see state/format.h.
 */
GByteArray *kiln_state_save(const KilnStateEntry *entries, size_t n_entries);

/**
 * kiln_state_load:
 * @data: (array length=length): a stream, from anybody
 * @entries: (array length=n_entries): the machine's sections
 *
 * First reads and checks all of the stream, then stores it into the objects in the order of
 * @entries and calls their post_load.  A stream must hold each of @entries and nothing else.
 *
 * Returns: TRUE, or FALSE with @error set, which names section and field.  If the stream itself is
 *   bad then no object has been touched; if a post_load failed then the objects before it are
 * loaded and all of them must be reset.
 */
gboolean kiln_state_load(const uint8_t *data, size_t length, const KilnStateEntry *entries,
                         size_t n_entries, GError **error);

#endif
