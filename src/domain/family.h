/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every device family offers, and members that several of them share.  A family NAME has a
 * plain struct Type, the table kiln_NAME_struct that describes it, and:
 *
 *   kiln_NAME_parse(node, faults)
 *       Takes all that the family knows from @node.  Returns: (transfer full): never NULL; members
 * at fault are absent. kiln_NAME_format(object, writer, flags) Writes the whole element.
 *   kiln_NAME_free(object)
 *       Frees it with all that it owns; NULL is fine.
 *
 * None of them keeps anything of the tree, and any thread may call them.
 */
#ifndef KILN_DOMAIN_FAMILY_H
#define KILN_DOMAIN_FAMILY_H

#include "domain/fields.h"

#define KILN_FAMILY_DECLARE(Type, name)                                                            \
    extern const KilnStruct kiln_##name##_struct;                                                  \
    Type *kiln_##name##_parse(KilnXmlNode *node, KilnFaults *faults);                              \
    void kiln_##name##_format(const Type *object, KilnXmlWriter *writer,                           \
                              KilnDomainFormatFlags flags);                                        \
    void kiln_##name##_free(Type *object);                                                         \
    G_DEFINE_AUTOPTR_CLEANUP_FUNC(Type, kiln_##name##_free)

#define KILN_FAMILY_DEFINE(Type, name, element)                                                    \
    Type *kiln_##name##_parse(KilnXmlNode *node, KilnFaults *faults)                               \
    {                                                                                              \
        return kiln_struct_parse(&kiln_##name##_struct, node, faults);                             \
    }                                                                                              \
    void kiln_##name##_format(const Type *object, KilnXmlWriter *writer,                           \
                              KilnDomainFormatFlags flags)                                         \
    {                                                                                              \
        kiln_xml_start(writer, element);                                                           \
        kiln_struct_format(&kiln_##name##_struct, object, writer, flags);                          \
        kiln_xml_end(writer);                                                                      \
    }                                                                                              \
    void kiln_##name##_free(Type *object)                                                          \
    {                                                                                              \
        kiln_struct_free(&kiln_##name##_struct, object);                                           \
    }

/* A KilnXmlPlace at path "": where the element stood; not written. */
extern const KilnFieldOps kiln_place_ops;

/* A KilnUint of bytes as an element's text, whose unit is bytes if the document names none. */
extern const KilnFieldOps kiln_bytes_ops;

#endif
