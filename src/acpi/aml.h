/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A builder of AML, the byte code of ACPI's namespaces (ACPI 6.5 §20.2): each call appends one
 * term.
 *
 *   init -> begin … end (nested) and terms, in the order of an ASL source -> steal
 *
 * AML is a prefix notation: an operator is followed by its operands, so that Store (1, X) is
 * `kiln_aml_op(aml, KILN_AML_STORE); kiln_aml_integer(aml, 1); kiln_aml_path(aml, "X");`.
 * What is open when it is needed (a package's length, a buffer's size) is filled in by its end.
 * Names and values come from kiln itself, never from a guest: a bad one is a bug and asserts.
 */
#ifndef KILN_ACPI_AML_H
#define KILN_ACPI_AML_H

#include <glib.h>
#include <stdint.h>

enum { KILN_AML_MAX_DEPTH = 16 };

/* What is open, with the offset at which its contents begin. */
typedef struct {
    gsize start;
    gboolean resources; /* a resource template: its end writes the end tag and the buffer's size */
} KilnAmlOpen;

typedef struct {
    GByteArray *bytes; /* (owned) */
    KilnAmlOpen open[KILN_AML_MAX_DEPTH];
    guint depth;
} KilnAml;

void kiln_aml_init(KilnAml *aml);
void kiln_aml_clear(KilnAml *aml);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnAml, kiln_aml_clear)

/**
 * kiln_aml_bytes:
 * Returns: (transfer none): what was built; everything that was begun must have been ended.
 */
const GByteArray *kiln_aml_bytes(const KilnAml *aml);

/* Operators and constants of ACPI 6.5 table 20.3 whose operands are appended by further calls. */
typedef enum {
    KILN_AML_STORE = 0x70, /* value, target */
    KILN_AML_ADD = 0x72,   /* a, b, target */
    KILN_AML_SUBTRACT = 0x74,
    KILN_AML_SHIFT_LEFT = 0x79,
    KILN_AML_SHIFT_RIGHT = 0x7a,
    KILN_AML_AND = 0x7b,    /* a, b, target */
    KILN_AML_OR = 0x7d,     /* a, b, target */
    KILN_AML_NOTIFY = 0x86, /* object, value */
    KILN_AML_SIZE_OF = 0x87,
    KILN_AML_INDEX = 0x88,              /* object, index, target */
    KILN_AML_CREATE_DWORD_FIELD = 0x8a, /* buffer, byte index, name */
    KILN_AML_CREATE_WORD_FIELD = 0x8b,
    KILN_AML_CREATE_BYTE_FIELD = 0x8c,
    KILN_AML_LAND = 0x90,
    KILN_AML_LOR = 0x91,
    KILN_AML_LNOT = 0x92,
    KILN_AML_LEQUAL = 0x93, /* a, b */
    KILN_AML_LGREATER = 0x94,
    KILN_AML_LLESS = 0x95,
    KILN_AML_RETURN = 0xa4,    /* value */
    KILN_AML_NO_TARGET = 0x00, /* in the place of a target */
} KilnAmlOp;

/* Appends the operator alone. */
void kiln_aml_op(KilnAml *aml, KilnAmlOp op);
/* Local0 to Local7, and Arg0 to Arg6. */
void kiln_aml_local(KilnAml *aml, guint n);
void kiln_aml_arg(KilnAml *aml, guint n);

/**
 * kiln_aml_path:
 * @path: as in ASL: "PCI0", "\\_SB.PCI0", "^X"; each name 1 to 4 characters, padded with '_'
 *
 * A reference, or the target of an operator.
 */
void kiln_aml_path(KilnAml *aml, const char *path);

/* The shortest encoding of @value, ACPI 6.5 §20.2.3. */
void kiln_aml_integer(KilnAml *aml, uint64_t value);
void kiln_aml_string(KilnAml *aml, const char *ascii);
void kiln_aml_buffer(KilnAml *aml, const void *data, gsize length);
/* "PNP0A08" as the integer that _HID wants, ACPI 6.5 §19.6.36. */
void kiln_aml_eisa_id(KilnAml *aml, const char *id);
/* "33db4d5b-1ff7-…" as ToUUID makes a buffer of it, ACPI 6.5 §19.6.142. */
void kiln_aml_uuid(KilnAml *aml, const char *uuid);

/* Name (@name, …): the value follows; and the common ones in one call. */
void kiln_aml_name(KilnAml *aml, const char *name);
void kiln_aml_name_integer(KilnAml *aml, const char *name, uint64_t value);
void kiln_aml_name_string(KilnAml *aml, const char *name, const char *ascii);
void kiln_aml_name_eisa_id(KilnAml *aml, const char *name, const char *id);

/* Each is closed by kiln_aml_end(), innermost first. */
void kiln_aml_begin_scope(KilnAml *aml, const char *path);
void kiln_aml_begin_device(KilnAml *aml, const char *name);
/* @serialized must be TRUE for a method that creates named objects. */
void kiln_aml_begin_method(KilnAml *aml, const char *name, guint n_args, gboolean serialized);
/* @n_elements is at most 255; elements follow. */
void kiln_aml_begin_package(KilnAml *aml, guint n_elements);
/* The predicate follows, then the statements. */
void kiln_aml_begin_if(KilnAml *aml);
/* Directly after the end of an if. */
void kiln_aml_begin_else(KilnAml *aml);
void kiln_aml_begin_while(KilnAml *aml);
/* Resource descriptors follow (resources.h); the end tag is added by kiln_aml_end(). */
void kiln_aml_begin_resources(KilnAml *aml);
void kiln_aml_end(KilnAml *aml);

/* ACPI 6.5 §19.6.100 (region spaces) and §19.6.48 (access types). */
typedef enum { KILN_AML_SYSTEM_MEMORY, KILN_AML_SYSTEM_IO, KILN_AML_PCI_CONFIG } KilnAmlSpace;
typedef enum {
    KILN_AML_ACCESS_ANY,
    KILN_AML_ACCESS_BYTE,
    KILN_AML_ACCESS_WORD,
    KILN_AML_ACCESS_DWORD,
} KilnAmlAccess;

/* OperationRegion (@name, @space, @offset, @length), the last two in bytes. */
void kiln_aml_operation_region(KilnAml *aml, const char *name, KilnAmlSpace space, uint64_t offset,
                               uint64_t length);
/* Field (@region, @access, NoLock, Preserve): units follow, closed by kiln_aml_end(). */
void kiln_aml_begin_field(KilnAml *aml, const char *region, KilnAmlAccess access);
void kiln_aml_field_unit(KilnAml *aml, const char *name, guint bits);
void kiln_aml_field_skip(KilnAml *aml, guint bits);

#endif
