/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AML in one pass (ACPI 6.5 §20.2): terms are appended as they come; what has a length in front of
 * it is written without one, and its end moves the contents up by the 1 to 4 bytes that it needs.
 */
#include "acpi/aml.h"

#include "base/le.h"

#include <string.h>

/* ACPI 6.5 table 20.3. */
enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    PREFIX_BYTE = 0x0a,
    PREFIX_WORD = 0x0b,
    PREFIX_DWORD = 0x0c,
    PREFIX_STRING = 0x0d,
    PREFIX_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    PREFIX_DUAL_NAME = 0x2e,
    PREFIX_MULTI_NAME = 0x2f,
    PREFIX_EXTENDED = 0x5b,
    OP_LOCAL0 = 0x60,
    OP_ARG0 = 0x68,
    OP_IF = 0xa0,
    OP_ELSE = 0xa1,
    OP_WHILE = 0xa2,
    OP_ONES = 0xff,
    EXTENDED_REGION = 0x80,
    EXTENDED_FIELD = 0x81,
    EXTENDED_DEVICE = 0x82,
};

enum {
    METHOD_SERIALIZED = 1 << 3, /* ACPI 6.5 §20.2.5.2, MethodFlags */
    FIELD_NO_LOCK_PRESERVE = 0, /* FieldFlags, but for the access type in bits 0-3 */
    RESOURCE_END_TAG = 0x79,    /* ACPI 6.5 §6.4.2.9; a checksum of 0 counts as right */
    PKG_LENGTH_MAX = 0xfffffff, /* 28 bits, ACPI 6.5 §20.2.4 */
    NAME_SEGMENT = 4,
};

void
kiln_aml_init(KilnAml *aml)
{
    *aml = (KilnAml){ .bytes = g_byte_array_new() };
}

void
kiln_aml_clear(KilnAml *aml)
{
    g_clear_pointer(&aml->bytes, g_byte_array_unref);
}

const GByteArray *
kiln_aml_bytes(const KilnAml *aml)
{
    g_assert(aml->depth == 0);
    return aml->bytes;
}

static void
put(KilnAml *aml, const void *data, gsize length)
{
    g_byte_array_append(aml->bytes, data, (guint)length);
}

static void
put_byte(KilnAml *aml, guint byte)
{
    guint8 value = (guint8)byte;

    put(aml, &value, 1);
}

/* The shortest form of @value into @out; returns its bytes. */
static gsize
encode_integer(uint64_t value, guint8 out[9])
{
    guint8 bytes[8];
    gsize length = 8;

    kiln_le64_store(bytes, value);
    if (value <= 1 || value == UINT64_MAX) {
        out[0] = value == UINT64_MAX ? OP_ONES : (guint8)value;
        return 1;
    }
    if (value <= UINT8_MAX) {
        out[0] = PREFIX_BYTE;
        length = 1;
    } else if (value <= UINT16_MAX) {
        out[0] = PREFIX_WORD;
        length = 2;
    } else if (value <= UINT32_MAX) {
        out[0] = PREFIX_DWORD;
        length = 4;
    } else {
        out[0] = PREFIX_QWORD;
    }
    memcpy(out + 1, bytes, length);
    return 1 + length;
}

/* ACPI 6.5 §20.2.4: up to 63 in one byte, else 4 bits there and whole bytes after it. */
static gsize
encode_length(gsize length, guint8 out[4])
{
    gsize extra = length <= 0x3f ? 0 : length <= 0xfff ? 1 : length <= 0xfffff ? 2 : 3;

    g_assert(length <= PKG_LENGTH_MAX);
    out[0] = (guint8)(extra == 0 ? length : extra << 6 | (length & 0xf));
    for (gsize i = 0; i < extra; i++)
        out[1 + i] = (guint8)(length >> (4 + 8 * i));
    return 1 + extra;
}

/* A PkgLength counts itself, so its own size decides what it says. */
static gsize
encode_pkg_length(gsize contents, guint8 out[4])
{
    gsize self = 1;

    while (encode_length(contents + self, out) != self)
        self++;
    return self;
}

static void
put_segment(KilnAml *aml, const char *name, gsize length)
{
    char segment[NAME_SEGMENT];

    g_assert(length >= 1 && length <= NAME_SEGMENT && !g_ascii_isdigit(name[0]));
    for (gsize i = 0; i < NAME_SEGMENT; i++) {
        segment[i] = i < length ? name[i] : '_';
        g_assert(g_ascii_isupper(segment[i]) || g_ascii_isdigit(segment[i]) || segment[i] == '_');
    }
    put(aml, segment, NAME_SEGMENT);
}

void
kiln_aml_path(KilnAml *aml, const char *path)
{
    guint n_segments;

    for (; *path == '\\' || *path == '^'; path++)
        put_byte(aml, (guint8)*path);
    if (*path == '\0') { /* the root itself: NullName */
        put_byte(aml, OP_ZERO);
        return;
    }
    n_segments = 1;
    for (const char *at = path; *at != '\0'; at++)
        n_segments += *at == '.';
    if (n_segments == 2) {
        put_byte(aml, PREFIX_DUAL_NAME);
    } else if (n_segments > 2) {
        g_assert(n_segments <= UINT8_MAX);
        put_byte(aml, PREFIX_MULTI_NAME);
        put_byte(aml, n_segments);
    }
    for (guint i = 0; i < n_segments; i++) {
        gsize length = strcspn(path, ".");

        put_segment(aml, path, length);
        path += length + 1;
    }
}

void
kiln_aml_op(KilnAml *aml, KilnAmlOp op)
{
    put_byte(aml, op);
}

void
kiln_aml_local(KilnAml *aml, guint n)
{
    g_assert(n <= 7);
    put_byte(aml, OP_LOCAL0 + n);
}

void
kiln_aml_arg(KilnAml *aml, guint n)
{
    g_assert(n <= 6);
    put_byte(aml, OP_ARG0 + n);
}

void
kiln_aml_integer(KilnAml *aml, uint64_t value)
{
    guint8 bytes[9];

    put(aml, bytes, encode_integer(value, bytes));
}

void
kiln_aml_string(KilnAml *aml, const char *ascii)
{
    for (const char *at = ascii; *at != '\0'; at++)
        g_assert((guint8)*at < 0x80);
    put_byte(aml, PREFIX_STRING);
    put(aml, ascii, strlen(ascii) + 1);
}

static void
begin(KilnAml *aml, gboolean resources)
{
    g_assert(aml->depth < KILN_AML_MAX_DEPTH);
    aml->open[aml->depth++] = (KilnAmlOpen){ .start = aml->bytes->len, .resources = resources };
}

/* Moves what stands from @start on up, and puts @length bytes of @data before it. */
static void
insert(KilnAml *aml, gsize start, const guint8 *data, gsize length)
{
    gsize tail = aml->bytes->len - start;

    put(aml, data, length); /* makes room; the bytes are placed below */
    memmove(aml->bytes->data + start + length, aml->bytes->data + start, tail);
    memcpy(aml->bytes->data + start, data, length);
}

void
kiln_aml_end(KilnAml *aml)
{
    const KilnAmlOpen *open;
    guint8 prefix[9];

    g_assert(aml->depth > 0);
    open = &aml->open[--aml->depth];
    if (open->resources) {
        put_byte(aml, RESOURCE_END_TAG);
        put_byte(aml, 0);
        insert(aml, open->start, prefix,
               encode_integer(aml->bytes->len - open->start, prefix)); /* BufferSize */
    }
    insert(aml, open->start, prefix, encode_pkg_length(aml->bytes->len - open->start, prefix));
}

void
kiln_aml_buffer(KilnAml *aml, const void *data, gsize length)
{
    put_byte(aml, OP_BUFFER);
    begin(aml, FALSE);
    kiln_aml_integer(aml, length);
    put(aml, data, length);
    kiln_aml_end(aml);
}

void
kiln_aml_eisa_id(KilnAml *aml, const char *id)
{
    guint32 packed = 0;
    guint8 bytes[5] = { PREFIX_DWORD };

    g_assert(strlen(id) == 7);
    for (guint i = 0; i < 3; i++) { /* three letters of 5 bits, then four hexadecimal digits */
        g_assert(g_ascii_isupper(id[i]));
        packed = packed << 5 | (guint32)(id[i] - 'A' + 1);
    }
    for (guint i = 3; i < 7; i++) {
        g_assert(g_ascii_isxdigit(id[i]));
        packed = packed << 4 | (guint32)g_ascii_xdigit_value(id[i]);
    }
    kiln_le32_store(bytes + 1, GUINT32_SWAP_LE_BE(packed)); /* kept in big-endian order */
    put(aml, bytes, sizeof bytes);
}

void
kiln_aml_uuid(KilnAml *aml, const char *uuid)
{
    /* Which byte of the buffer each pair of digits goes to, in the order of the text. */
    static const guint8 order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    guint8 bytes[16];

    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        if (*uuid == '-')
            uuid++;
        g_assert(g_ascii_isxdigit(uuid[0]) && g_ascii_isxdigit(uuid[1]));
        bytes[order[i]] =
            (guint8)(g_ascii_xdigit_value(uuid[0]) << 4 | g_ascii_xdigit_value(uuid[1]));
        uuid += 2;
    }
    g_assert(*uuid == '\0');
    kiln_aml_buffer(aml, bytes, sizeof bytes);
}

void
kiln_aml_name(KilnAml *aml, const char *name)
{
    put_byte(aml, OP_NAME);
    kiln_aml_path(aml, name);
}

void
kiln_aml_name_integer(KilnAml *aml, const char *name, uint64_t value)
{
    kiln_aml_name(aml, name);
    kiln_aml_integer(aml, value);
}

void
kiln_aml_name_string(KilnAml *aml, const char *name, const char *ascii)
{
    kiln_aml_name(aml, name);
    kiln_aml_string(aml, ascii);
}

void
kiln_aml_name_eisa_id(KilnAml *aml, const char *name, const char *id)
{
    kiln_aml_name(aml, name);
    kiln_aml_eisa_id(aml, id);
}

void
kiln_aml_begin_scope(KilnAml *aml, const char *path)
{
    put_byte(aml, OP_SCOPE);
    begin(aml, FALSE);
    kiln_aml_path(aml, path);
}

void
kiln_aml_begin_device(KilnAml *aml, const char *name)
{
    put_byte(aml, PREFIX_EXTENDED);
    put_byte(aml, EXTENDED_DEVICE);
    begin(aml, FALSE);
    kiln_aml_path(aml, name);
}

void
kiln_aml_begin_method(KilnAml *aml, const char *name, guint n_args, gboolean serialized)
{
    g_assert(n_args <= 7);
    put_byte(aml, OP_METHOD);
    begin(aml, FALSE);
    kiln_aml_path(aml, name);
    put_byte(aml, n_args | (serialized ? METHOD_SERIALIZED : 0));
}

void
kiln_aml_begin_package(KilnAml *aml, guint n_elements)
{
    g_assert(n_elements <= UINT8_MAX);
    put_byte(aml, OP_PACKAGE);
    begin(aml, FALSE);
    put_byte(aml, n_elements);
}

void
kiln_aml_begin_if(KilnAml *aml)
{
    put_byte(aml, OP_IF);
    begin(aml, FALSE);
}

void
kiln_aml_begin_else(KilnAml *aml)
{
    put_byte(aml, OP_ELSE);
    begin(aml, FALSE);
}

void
kiln_aml_begin_while(KilnAml *aml)
{
    put_byte(aml, OP_WHILE);
    begin(aml, FALSE);
}

void
kiln_aml_begin_resources(KilnAml *aml)
{
    put_byte(aml, OP_BUFFER);
    begin(aml, TRUE);
}

void
kiln_aml_operation_region(KilnAml *aml, const char *name, KilnAmlSpace space, uint64_t offset,
                          uint64_t length)
{
    put_byte(aml, PREFIX_EXTENDED);
    put_byte(aml, EXTENDED_REGION);
    kiln_aml_path(aml, name);
    put_byte(aml, space);
    kiln_aml_integer(aml, offset);
    kiln_aml_integer(aml, length);
}

void
kiln_aml_begin_field(KilnAml *aml, const char *region, KilnAmlAccess access)
{
    put_byte(aml, PREFIX_EXTENDED);
    put_byte(aml, EXTENDED_FIELD);
    begin(aml, FALSE);
    kiln_aml_path(aml, region);
    put_byte(aml, FIELD_NO_LOCK_PRESERVE | access);
}

/* A unit's width has the form of a PkgLength, though it counts bits and not itself. */
static void
put_field_width(KilnAml *aml, guint bits)
{
    guint8 bytes[4];

    put(aml, bytes, encode_length(bits, bytes));
}

void
kiln_aml_field_unit(KilnAml *aml, const char *name, guint bits)
{
    put_segment(aml, name, strlen(name));
    g_assert(bits > 0);
    put_field_width(aml, bits);
}

void
kiln_aml_field_skip(KilnAml *aml, guint bits)
{
    put_byte(aml, OP_ZERO); /* ReservedField */
    g_assert(bits > 0);
    put_field_width(aml, bits);
}
