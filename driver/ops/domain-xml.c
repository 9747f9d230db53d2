/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain as its XML. */
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>

/* Of who asks for what a process has yet to tell. */
enum { PATIENCE_MS = 5000 };

static KilnDomainFormatFlags
format_flags(unsigned flags, gboolean live)
{
    KilnDomainFormatFlags format = live ? 0 : KILN_FORMAT_INACTIVE;

    if ((flags & VIR_DOMAIN_XML_SECURE) != 0)
        format |= KILN_FORMAT_SECURE;
    if ((flags & VIR_DOMAIN_XML_INACTIVE) != 0)
        format |= KILN_FORMAT_INACTIVE;
    if ((flags & VIR_DOMAIN_XML_MIGRATABLE) != 0)
        format |= KILN_FORMAT_MIGRATABLE | KILN_FORMAT_INACTIVE;
    return format;
}

static void
reply(KilnCall *call, KilnGuest *guest, unsigned flags)
{
    g_autofree char *xml = NULL;
    g_autoptr(KilnDomain) owned = NULL;
    remote_domain_get_xml_desc_ret ret;
    /* A transient domain has no other definition than what runs. */
    const KilnDomain *domain = kiln_ops_document(
        call, guest, (flags & VIR_DOMAIN_XML_INACTIVE) != 0 && kiln_guest_is_persistent(guest),
        &owned);

    if (domain == NULL)
        return;
    xml = kiln_domain_format(domain, format_flags(flags, owned == NULL));
    ret.xml = xml;
    kiln_call_reply(call, &ret);
}

typedef struct {
    KilnCall *call;
    unsigned flags;
} Question;

/* Whatever it answers, if it does: what is known by now is told. */
static void
on_told(KilnGuest *guest, GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    g_autofree Question *question = data;

    reply(question->call, guest, question->flags);
}

static void
on_get_xml_desc(KilnCall *call, gconstpointer data)
{
    /* The CPU that is asked for with UPDATE_CPU is the one that the document says. */
    static const unsigned known = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE |
                                  VIR_DOMAIN_XML_UPDATE_CPU | VIR_DOMAIN_XML_MIGRATABLE;
    const remote_domain_get_xml_desc_args *args = data;
    KilnGuest *guest;
    Question *question;

    if (kiln_client_is_read_only(kiln_call_client(call)) &&
        (args->flags & (VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE)) != 0) {
        kiln_call_fail(call, VIR_ERR_OPERATION_DENIED, "virDomainGetXMLDesc with secure flag");
        return;
    }
    if (!kiln_ops_check_flags(call, args->flags, known))
        return;
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL)
        return;
    if ((args->flags & VIR_DOMAIN_XML_INACTIVE) != 0 || kiln_guest_has_told(guest)) {
        reply(call, guest, args->flags);
        return;
    }
    question = g_new(Question, 1);
    *question = (Question){ call, args->flags };
    kiln_guest_call(guest, "GetThreads", NULL, NULL, PATIENCE_MS, on_told, question);
}

static const char native[] = "libvirt's XML is kiln's own format: there is none to convert";

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_XML_DESC, domain_get_xml_desc, KILN_ACCESS_READ, on_get_xml_desc),
    KILN_PROC_REFUSED(CONNECT_DOMAIN_XML_FROM_NATIVE, KILN_ACCESS_WRITE, native),
    KILN_PROC_REFUSED(CONNECT_DOMAIN_XML_TO_NATIVE, KILN_ACCESS_WRITE, native),
};

const KilnProcedureTable kiln_ops_domain_xml = { rows, G_N_ELEMENTS(rows) };
